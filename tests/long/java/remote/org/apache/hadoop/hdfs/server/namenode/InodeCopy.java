package org.apache.hadoop.hdfs.server.namenode;

import java.io.IOException;
import java.util.List;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.AclEntry;
import org.apache.hadoop.fs.permission.PermissionStatus;
import org.apache.hadoop.hdfs.protocol.HdfsFileStatus;

/** An inode of the NameNode's with what a client sees of it. */
public final class InodeCopy {
    private InodeCopy() {
    }

    public static INode of(String path, FileSystem fs) throws IOException {
        FileStatus status = fs.getFileLinkStatus(new Path(path));
        PermissionStatus permissions =
                new PermissionStatus(status.getOwner(), status.getGroup(), status.getPermission());
        INodeDirectory copy =
                new INodeDirectory(((HdfsFileStatus) status).getFileId(), new Path(path).getName().getBytes(), permissions, status.getModificationTime());
        if (!status.isSymlink()) {
            List<AclEntry> entries = fs.getAclStatus(new Path(path)).getEntries();
            if (!entries.isEmpty()) {
                copy.addAclFeature(new AclFeature(AclEntryStatusFormat.toInt(entries)));
            }
        }
        return copy;
    }
}

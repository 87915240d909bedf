package org.apache.hadoop.hdfs.server.namenode;

import cairn.StandIns;
import java.io.IOException;
import java.net.URI;
import org.apache.hadoop.fs.permission.PermissionStatus;
import org.apache.hadoop.hdfs.protocol.HdfsConstants.SafeModeAction;
import org.apache.hadoop.hdfs.protocol.HdfsFileStatus;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.hdfs.protocol.LocatedBlocks;
import org.apache.hadoop.hdfs.protocol.OpenFileEntry;

/** In place of the class by which Hadoop's tests reach into a NameNode: what a client can ask for, too. */
public final class NameNodeAdapter {
    private NameNodeAdapter() {
    }

    public static FSNamesystem getNamesystem(NameNode namenode) {
        return namenode.getNamesystem();
    }

    public static LocatedBlocks getBlockLocations(NameNode namenode, String path, long offset, long length)
            throws IOException {
        return namenode.getRpcServer().getBlockLocations(path, offset, length);
    }

    public static HdfsFileStatus getFileInfo(NameNode namenode, String path, boolean resolveLink,
            boolean needLocation, boolean needBlockToken) throws IOException {
        return resolveLink ? namenode.getRpcServer().getFileInfo(path) : namenode.getRpcServer().getFileLinkInfo(path);
    }

    public static boolean mkdirs(NameNode namenode, String path, PermissionStatus permissions, boolean createParent)
            throws IOException {
        return namenode.getRpcServer().mkdirs(path, permissions.getPermission(), createParent);
    }

    public static void saveNamespace(NameNode namenode) throws IOException {
        namenode.getRpcServer().saveNamespace(0, 0);
    }

    public static void enterSafeMode(NameNode namenode, boolean resourcesLow) throws IOException {
        namenode.getRpcServer().setSafeMode(SafeModeAction.SAFEMODE_ENTER, false);
    }

    public static void leaveSafeMode(NameNode namenode) throws IOException {
        namenode.getRpcServer().setSafeMode(SafeModeAction.SAFEMODE_LEAVE, false);
    }

    public static LeaseManager getLeaseManager(FSNamesystem namesystem) {
        return namesystem.getLeaseManager();
    }

    public static String getLeaseHolderForPath(NameNode namenode, String path) throws IOException {
        return StandIns.openFiles(URI.create("hdfs://" + namenode.getHostAndPort()), new HdfsConfiguration()).stream()
                .filter(file -> file.getFilePath().equals(path)).map(OpenFileEntry::getClientName).findFirst().orElse(null);
    }
}

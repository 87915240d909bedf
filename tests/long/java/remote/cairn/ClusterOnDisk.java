package cairn;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.hdfs.protocol.ExtendedBlock;
import org.apache.hadoop.hdfs.server.datanode.DataNode;
import org.apache.hadoop.hdfs.server.datanode.FsDatasetTestUtils.MaterializedReplica;
import org.apache.hadoop.hdfs.server.datanode.ReplicaNotFoundException;

/** The part of MiniDFSCluster that looks at, and damages, what its datanodes have on disk. */
public abstract class ClusterOnDisk {
    /** Of the datanode at a position of getDataNodes(). */
    protected abstract List<File> storages(int position);

    public abstract ArrayList<DataNode> getDataNodes();

    public static File getFinalizedDir(File storage, String pool) {
        return new File(storage, "current/" + pool + "/current/finalized");
    }

    public static File getRbwDir(File storage, String pool) {
        return new File(storage, "current/" + pool + "/current/rbw");
    }

    private ReplicaFiles replica(int position, ExtendedBlock block) {
        try {
            return ReplicaFiles.find(storages(position), block);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public MaterializedReplica getMaterializedReplica(int position, ExtendedBlock block)
            throws ReplicaNotFoundException {
        ReplicaFiles replica = replica(position, block);
        if (replica == null) {
            throw new ReplicaNotFoundException(block);
        }
        return replica;
    }

    public MaterializedReplica getMaterializedReplica(DataNode node, ExtendedBlock block)
            throws ReplicaNotFoundException {
        return getMaterializedReplica(getDataNodes().indexOf(node), block);
    }

    public void corruptReplica(int position, ExtendedBlock block) throws IOException {
        getMaterializedReplica(position, block).corruptData();
    }

    public void corruptReplica(DataNode node, ExtendedBlock block) throws IOException {
        getMaterializedReplica(node, block).corruptData();
    }

    public void corruptMeta(int position, ExtendedBlock block) throws IOException {
        getMaterializedReplica(position, block).corruptMeta();
    }

    public void deleteMeta(int position, ExtendedBlock block) throws IOException {
        getMaterializedReplica(position, block).deleteMeta();
    }

    public void truncateMeta(int position, ExtendedBlock block, int length) throws IOException {
        getMaterializedReplica(position, block).truncateMeta(length);
    }

    private List<ReplicaFiles> replicas(ExtendedBlock block) {
        List<ReplicaFiles> found = new ArrayList<>();
        for (int i = 0; i < getDataNodes().size(); i++) {
            ReplicaFiles replica = replica(i, block);
            if (replica != null) {
                found.add(replica);
            }
        }
        return found;
    }

    /** How many replicas it damaged. */
    public int corruptBlockOnDataNodes(ExtendedBlock block) throws IOException {
        List<ReplicaFiles> all = replicas(block);
        for (ReplicaFiles replica : all) {
            replica.corruptData();
        }
        return all.size();
    }

    public int corruptBlockOnDataNodesByDeletingBlockFile(ExtendedBlock block) throws IOException {
        List<ReplicaFiles> all = replicas(block);
        for (ReplicaFiles replica : all) {
            replica.deleteData();
        }
        return all.size();
    }

    public File[] getAllBlockFiles(ExtendedBlock block) {
        return replicas(block).stream().map(ReplicaFiles::dataFile).toArray(File[]::new);
    }

    public File getBlockFile(int position, ExtendedBlock block) {
        ReplicaFiles replica = replica(position, block);
        return replica == null ? null : replica.dataFile();
    }

    public File getBlockMetadataFile(int position, ExtendedBlock block) {
        ReplicaFiles replica = replica(position, block);
        return replica == null ? null : replica.metaFile();
    }

    public byte[] readBlockOnDataNodeAsBytes(int position, ExtendedBlock block) throws IOException {
        ReplicaFiles replica = replica(position, block);
        return replica == null ? null : replica.content();
    }
}

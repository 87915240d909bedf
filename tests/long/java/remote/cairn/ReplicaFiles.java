package cairn;

import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.hdfs.protocol.ExtendedBlock;
import org.apache.hadoop.hdfs.server.datanode.FsDatasetTestUtils.MaterializedReplica;

/**
 * What a datanode of ours has of a block on disk, for tests that damage it: two files, or, of a small one, a record in a
 * log (docs/on_disk_datanode.md), which can be damaged in place, but neither be cut short nor removed.
 */
public final class ReplicaFiles implements MaterializedReplica {
    private static final byte[] RECORD = "CAIRNsml".getBytes(StandardCharsets.US_ASCII);
    private static final int RECORD_STEP = 64;
    private static final int RECORD_HEAD = 48;
    private static final int META_BYTES_AT = 32;
    private static final int DATA_BYTES_AT = 36;
    private static final int META_HEAD = 7; // version, kind of checksum, bytes of a chunk

    /** A part of a file. */
    private record Place(File file, long offset, long length) {
        void damage(long where) throws IOException {
            try (RandomAccessFile open = new RandomAccessFile(file, "rw")) {
                open.seek(offset + where);
                int good = open.read();
                open.seek(offset + where);
                open.write(~good);
            }
        }
    }

    private final Place data;
    private final Place meta;
    private final boolean isRecord;

    private ReplicaFiles(Place data, Place meta, boolean isRecord) {
        this.data = data;
        this.meta = meta;
        this.isRecord = isRecord;
    }

    /** Of the block in one of the storages of a datanode; null if none has it. */
    public static ReplicaFiles find(List<File> storages, ExtendedBlock block) throws IOException {
        for (File storage : storages) {
            File pool = new File(storage, "current/" + block.getBlockPoolId() + "/current");
            long id = block.getBlockId();
            for (String folder : List.of("finalized/subdir" + (id >> 16 & 31) + "/subdir" + (id >> 8 & 31), "rbw")) {
                File data = new File(pool, folder + "/" + block.getBlockName());
                File meta = new File(data.getPath() + "_" + block.getGenerationStamp() + ".meta");
                if (data.exists()) {
                    return new ReplicaFiles(new Place(data, 0, data.length()), new Place(meta, 0, meta.length()), false);
                }
            }
            File[] logs = new File(pool, "small").listFiles((ignored, name) -> name.endsWith(".log"));
            for (File log : logs == null ? new File[0] : logs) {
                ReplicaFiles record = inLog(log, block);
                if (record != null) {
                    return record;
                }
            }
        }
        return null;
    }

    private static ReplicaFiles inLog(File log, ExtendedBlock block) throws IOException {
        byte[] head = ByteBuffer.allocate(24).put(RECORD).putLong(block.getBlockId())
                .putLong(block.getGenerationStamp()).array();
        ByteBuffer all = ByteBuffer.wrap(Files.readAllBytes(log.toPath()));
        byte[] here = new byte[head.length];
        for (int at = 0; at + RECORD_HEAD <= all.limit(); at += RECORD_STEP) {
            all.get(at, here);
            if (Arrays.equals(here, head)) {
                int metaBytes = all.getInt(at + META_BYTES_AT);
                int dataBytes = all.getInt(at + DATA_BYTES_AT);
                return new ReplicaFiles(new Place(log, at + RECORD_HEAD + metaBytes, dataBytes),
                        new Place(log, at + RECORD_HEAD, metaBytes), true);
            }
        }
        return null;
    }

    private Path ofItsOwn(Place place) {
        if (isRecord) {
            throw new Inside("files of a small replica");
        }
        return place.file().toPath();
    }

    /** The file of the data, which a small replica has not. */
    public File dataFile() {
        return ofItsOwn(data).toFile();
    }

    public File metaFile() {
        return ofItsOwn(meta).toFile();
    }

    public byte[] content() throws IOException {
        byte[] bytes = new byte[(int) data.length()];
        try (RandomAccessFile open = new RandomAccessFile(data.file(), "r")) {
            open.seek(data.offset());
            open.readFully(bytes);
        }
        return bytes;
    }

    @Override
    public void corruptData() throws IOException {
        data.damage(data.length() / 2);
    }

    @Override
    public void corruptData(byte[] instead) throws IOException {
        Files.write(ofItsOwn(data), instead);
    }

    @Override
    public void truncateData(long length) throws IOException {
        cut(ofItsOwn(data), length);
    }

    @Override
    public void deleteData() throws IOException {
        Files.delete(ofItsOwn(data));
    }

    @Override
    public void corruptMeta() throws IOException {
        meta.damage(META_HEAD);
    }

    @Override
    public void deleteMeta() throws IOException {
        Files.delete(ofItsOwn(meta));
    }

    @Override
    public void truncateMeta(long length) throws IOException {
        cut(ofItsOwn(meta), length);
    }

    @Override
    public void makeUnreachable() {
        throw new Inside("a replica out of reach");
    }

    private static void cut(Path file, long length) throws IOException {
        try (RandomAccessFile open = new RandomAccessFile(file.toFile(), "rw")) {
            open.setLength(length);
        }
    }
}

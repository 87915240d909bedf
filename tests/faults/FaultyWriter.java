import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.lang.reflect.Method;
import java.net.InetSocketAddress;
import java.net.URI;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.SplittableRandom;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.hdfs.DFSOutputStream;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.hdfs.client.HdfsDataInputStream;
import org.apache.hadoop.hdfs.client.HdfsDataOutputStream;
import org.apache.hadoop.hdfs.protocol.DatanodeInfo;

/**
 * A writer (and reader) that a test steers line by line, to hurt the cluster at a stage it knows.
 *
 *   write PATH MIB BLOCK_MIB FLUSH_MIB SEED FAVORED   FAVORED: host:port,... or -
 *      says "created" and waits for "go"; then, each MiB, "at N PIPELINE" (host:port,...); every FLUSH_MIB it hflushes,
 *      has another client read back what must be visible now, and says "flushed N"; before close() says
 *      "closing PIPELINE" and waits for "go"; at last "done MD5"
 *   read PATH         "read BYTES MD5"
 *   append PATH       appends one byte, "appended"
 *   recover PATH      recoverLease, "recovered" or "recovering"
 *   hosts PATH        "hosts NAME ..." of the first block
 *   closed PATH       "closed true" or "closed false"
 *
 * What goes wrong is "failed TEXT".
 */
public final class FaultyWriter {
    private static final int MIB = 1 << 20;
    private final DistributedFileSystem files;
    private final DistributedFileSystem others;
    private final BufferedReader orders = new BufferedReader(new InputStreamReader(System.in));

    private FaultyWriter(String uri) throws Exception {
        Configuration conf = new HdfsConfiguration();
        files = (DistributedFileSystem) FileSystem.newInstance(URI.create(uri), conf);
        others = (DistributedFileSystem) FileSystem.newInstance(URI.create(uri), conf);
    }

    public static void main(String[] args) throws Exception {
        FaultyWriter writer = new FaultyWriter(args[0]);
        for (String line; (line = writer.orders.readLine()) != null; ) {
            try {
                writer.obey(line.split(" "));
            } catch (Throwable error) {
                error.printStackTrace();
                say("failed " + error.toString().replace('\n', ' '));
            }
        }
    }

    private static void say(String text) {
        System.out.println(text);
        System.out.flush();
    }

    private void obey(String[] words) throws Exception {
        Path path = new Path(words[1]);
        switch (words[0]) {
            case "write" -> write(path, words);
            case "read" -> read(path);
            case "append" -> {
                try (var out = files.append(path)) {
                    out.write('x');
                }
                say("appended");
            }
            case "hosts" -> say("hosts " + String.join(" ",
                    files.getFileBlockLocations(files.getFileStatus(path), 0, 1)[0].getHosts()));
            case "recover" -> say(files.recoverLease(path) ? "recovered" : "recovering");
            case "closed" -> say("closed " + files.isFileClosed(path));
            default -> say("failed " + words[0]);
        }
    }

    private void read(Path path) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("MD5");
        byte[] buffer = new byte[MIB];
        long total = 0;
        try (InputStream in = others.open(path)) {
            for (int n; (n = in.read(buffer)) > 0; total += n) {
                digest.update(buffer, 0, n);
            }
        }
        say("read " + total + " " + HexFormat.of().formatHex(digest.digest()));
    }

    private static String pipeline(HdfsDataOutputStream out) throws Exception {
        Method method = DFSOutputStream.class.getDeclaredMethod("getPipeline");
        method.setAccessible(true);
        DatanodeInfo[] nodes = (DatanodeInfo[]) method.invoke(out.getWrappedStream());
        StringBuilder text = new StringBuilder("-");
        for (int i = 0; nodes != null && i < nodes.length; i++) {
            text.append(i == 0 ? "" : ",").append(nodes[i].getXferAddr());
        }
        return text.length() == 1 ? "-" : text.substring(1);
    }

    private static byte[] chunk(long seed, int number) {
        byte[] bytes = new byte[MIB];
        new SplittableRandom(seed * 1_000_003 + number).nextBytes(bytes);
        return bytes;
    }

    private static InetSocketAddress[] addresses(String list) {
        if (list.equals("-")) {
            return null;
        }
        String[] words = list.split(",");
        InetSocketAddress[] all = new InetSocketAddress[words.length];
        for (int i = 0; i < words.length; i++) {
            String[] parts = words[i].split(":");
            all[i] = new InetSocketAddress(parts[0], Integer.parseInt(parts[1]));
        }
        return all;
    }

    private void write(Path path, String[] words) throws Exception {
        int count = Integer.parseInt(words[2]), flush = Integer.parseInt(words[4]);
        long block = Long.parseLong(words[3]) * MIB, seed = Long.parseLong(words[5]);
        MessageDigest digest = MessageDigest.getInstance("MD5");
        HdfsDataOutputStream out = files.create(
                path, FsPermission.getFileDefault(), true, 4096, (short) 3, block, null, addresses(words[6]));
        say("created");
        orders.readLine();
        for (int i = 0; i < count; i++) {
            byte[] bytes = chunk(seed, i);
            digest.update(bytes);
            out.write(bytes);
            say("at " + (i + 1) + " " + pipeline(out));
            if (flush > 0 && (i + 1) % flush == 0) {
                out.hflush();
                check(path, seed, i);
                say("flushed " + (i + 1));
            }
        }
        say("closing " + pipeline(out));
        orders.readLine();
        out.close();
        say("done " + HexFormat.of().formatHex(digest.digest()));
    }

    /** Everything up to and with chunk `last` was flushed: another client must see that much, and the right bytes. */
    private void check(Path path, long seed, int last) throws Exception {
        byte[] back = new byte[MIB];
        try (FSDataInputStream in = others.open(path)) {
            long visible = ((HdfsDataInputStream) in).getVisibleLength();
            if (visible < (last + 1L) * MIB) {
                throw new IllegalStateException("visible " + visible + " of " + (last + 1L) * MIB + " bytes that were flushed");
            }
            in.readFully((long) last * MIB, back);
        }
        if (!java.util.Arrays.equals(back, chunk(seed, last))) {
            throw new IllegalStateException("chunk " + last + " reads otherwise than it was written");
        }
    }
}

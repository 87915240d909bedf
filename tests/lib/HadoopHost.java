import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.Constructor;
import java.nio.charset.StandardCharsets;
import java.security.PrivilegedExceptionAction;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.hdfs.server.datanode.DataNode;
import org.apache.hadoop.hdfs.server.namenode.NameNode;
import org.apache.hadoop.metrics2.lib.DefaultMetricsSystem;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.util.Tool;
import org.apache.hadoop.util.ToolRunner;

/**
 * Runs parts of stock Apache Hadoop for the tests, with the configuration found on the class path.
 *
 *   namenode   formats its name directory, then runs the NameNode (one JVM start instead of two)
 *   datanode   runs a DataNode
 *   shell      reads command lines from stdin and runs them one after the other in this JVM, because starting a
 *              JVM for each takes longer than the command. A request is one line of base64 words: tool (one
 *              of TOOLS or a class), user name or nothing, file for stdin, file for stdout, file for stderr, then the tool's arguments.
 *              The answer is one line: the exit code that the tool's own main() would have ended with.
 */
public final class HadoopHost {
    private static final String HDFS = "org.apache.hadoop.hdfs.";
    private static final Map<String, String> TOOLS = Map.ofEntries(
            Map.entry("fs", "org.apache.hadoop.fs.FsShell"),
            Map.entry("dfsadmin", HDFS + "tools.DFSAdmin"),
            Map.entry("fsck", HDFS + "tools.DFSck"),
            Map.entry("haadmin", HDFS + "tools.DFSHAAdmin"),
            Map.entry("lsSnapshot", HDFS + "tools.snapshot.LsSnapshot"),
            Map.entry("lsSnapshottableDir", HDFS + "tools.snapshot.LsSnapshottableDir"),
            Map.entry("snapshotDiff", HDFS + "tools.snapshot.SnapshotDiff"),
            Map.entry("storagepolicies", HDFS + "tools.StoragePolicyAdmin"),
            Map.entry("cacheadmin", HDFS + "tools.CacheAdmin"),
            Map.entry("ec", HDFS + "tools.ECAdmin"),
            Map.entry("crypto", HDFS + "tools.CryptoAdmin"),
            Map.entry("getconf", HDFS + "tools.GetConf"),
            Map.entry("groups", HDFS + "tools.GetGroups"),
            Map.entry("debug", HDFS + "tools.DebugAdmin"),
            Map.entry("balancer", HDFS + "server.balancer.Balancer$Cli"),
            Map.entry("mover", HDFS + "server.mover.Mover$Cli"));

    public static void main(String[] args) {
        try {
            dispatch(args);
            System.exit(0);
        } catch (Throwable error) {
            error.printStackTrace();
            Runtime.getRuntime().halt(1); // a half-started server must not live on through its other threads
        }
    }

    private static void dispatch(String[] args) throws Exception {
        switch (args[0]) {
            case "namenode" -> {
                Configuration conf = new HdfsConfiguration();
                DefaultMetricsSystem.setMiniClusterMode(true); // else formatting uses up the names of metrics
                NameNode.format(conf);
                NameNode.createNameNode(new String[0], conf).join();
            }
            case "datanode" -> {
                DataNode.createDataNode(new String[0], new HdfsConfiguration());
                Thread.currentThread().join(); // for ever: the DataNode's own threads are daemons
            }
            case "shell" -> {
                DefaultMetricsSystem.setMiniClusterMode(true); // else a tool's second run finds its own names taken
                shell();
            }
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    private static void shell() throws IOException {
        PrintStream answers = System.out;
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line; (line = requests.readLine()) != null; ) {
            List<String> words = new ArrayList<>();
            for (String word : line.split(" ")) {
                words.add(new String(Base64.getDecoder().decode(word.substring(1)), StandardCharsets.UTF_8));
            }
            answers.println(runRedirected(words));
            answers.flush();
        }
    }

    private static int runRedirected(List<String> words) throws IOException {
        InputStream in = System.in;
        PrintStream out = System.out;
        PrintStream err = System.err;
        try (InputStream newIn = new FileInputStream(words.get(2));
                PrintStream newOut = new PrintStream(new FileOutputStream(words.get(3)), false, "UTF-8");
                PrintStream newErr = new PrintStream(new FileOutputStream(words.get(4)), true, "UTF-8")) {
            System.setIn(newIn);
            System.setOut(newOut);
            System.setErr(newErr);
            try {
                String[] args = words.subList(5, words.size()).toArray(new String[0]);
                PrivilegedExceptionAction<Integer> command = () -> run(words.get(0), args) & 0xff;
                return words.get(1).isEmpty()
                        ? command.run()
                        : UserGroupInformation.createRemoteUser(words.get(1)).doAs(command);
            } catch (Throwable error) {
                error.printStackTrace(newErr); // as an uncaught exception in main() does
                return 1;
            } finally {
                FileSystem.closeAll(); // the next command may come with other settings for the same cluster
            }
        } finally {
            System.setIn(in);
            System.setOut(out);
            System.setErr(err);
        }
    }

    /** A tool of Hadoop's: one of TOOLS, or a class by its name. */
    private static int run(String name, String[] args) throws Exception {
        Configuration conf = new HdfsConfiguration();
        Class<? extends Tool> type = Class.forName(TOOLS.getOrDefault(name, name)).asSubclass(Tool.class);
        Tool tool;
        try {
            Constructor<? extends Tool> maker = type.getDeclaredConstructor(Configuration.class);
            maker.setAccessible(true);
            tool = maker.newInstance(conf);
        } catch (NoSuchMethodException none) {
            Constructor<? extends Tool> maker = type.getDeclaredConstructor();
            maker.setAccessible(true);
            tool = maker.newInstance();
        }
        return ToolRunner.run(conf, tool, args);
    }
}

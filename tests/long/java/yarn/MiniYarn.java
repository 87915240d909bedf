import java.io.FileOutputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.mapreduce.v2.MiniMRYarnCluster;

/**
 * A ResourceManager, NodeManagers and a job history server in one JVM, on a file system that runs already.
 *
 *   MiniYarn URI NODES FILE     writes the settings that a client needs to FILE, once it can take jobs; lives until SIGTERM
 */
public final class MiniYarn {
    public static void main(String[] args) throws Exception {
        Configuration conf = new Configuration();
        FileSystem.setDefaultUri(conf, args[0]);
        MiniMRYarnCluster cluster = new MiniMRYarnCluster("yarn", Integer.parseInt(args[1]));
        Runtime.getRuntime().addShutdownHook(new Thread(cluster::stop)); // containers are processes of their own
        cluster.init(conf);
        cluster.start();
        Path file = Path.of(args[2]), unfinished = Path.of(args[2] + ".new");
        try (OutputStream out = new FileOutputStream(unfinished.toFile())) {
            cluster.getConfig().writeXml(out);
        }
        Files.move(unfinished, file, StandardCopyOption.ATOMIC_MOVE);
        Thread.currentThread().join();
    }
}

package cairn;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;

/** One daemon of ours, with a configuration folder and a log file of its own. */
public final class ServerProcess {
    private static final String EXECUTABLE = System.getProperty("cairn.executable");
    private static final int START_SECONDS = 60;
    private static final Set<ServerProcess> running = ConcurrentHashMap.newKeySet();

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(ServerProcess::killAll));
    }

    private final String role;
    private final File folder;
    private Process process;

    /** role: the subcommand of cairn; folder: for its configuration and log, made if need be. */
    public ServerProcess(String role, File folder) {
        this.role = role;
        this.folder = folder;
    }

    /** Whatever a test left behind. */
    public static void killAll() {
        for (ServerProcess server : running) {
            server.kill();
        }
        Ports.reset();
    }

    /** Starts it and waits until it listens on port. The settings are those of conf that are neither just Hadoop's
     *  defaults nor a client's, and then the given ones. */
    public void start(Configuration conf, Map<String, String> settings, int port) throws IOException {
        folder.mkdirs();
        Configuration site = new Configuration(false);
        for (Map.Entry<String, String> entry : conf) {
            String[] sources = conf.getPropertySources(entry.getKey());
            String source = sources == null || sources.length == 0 ? "" : sources[sources.length - 1];
            boolean isOfClient = entry.getKey().startsWith("dfs.client.");
            if (!source.endsWith("-default.xml") && !isOfClient) {
                site.set(entry.getKey(), conf.get(entry.getKey()));
            }
        }
        settings.forEach(site::set);
        try (OutputStream out = new FileOutputStream(new File(folder, "hdfs-site.xml"))) {
            site.writeXml(out);
        }
        File log = new File(folder, "log");
        ProcessBuilder builder = new ProcessBuilder(EXECUTABLE, role);
        builder.environment().put("HADOOP_CONF_DIR", folder.getPath());
        builder.redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.appendTo(log));
        process = builder.start();
        running.add(this);
        waitUntilItListens(port, log);
    }

    private void waitUntilItListens(int port, File log) throws IOException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
        while (true) {
            try (Socket probe = new Socket()) {
                probe.connect(new InetSocketAddress("127.0.0.1", port), 1000);
                return;
            } catch (IOException notYet) {
                if (!isAlive() || System.nanoTime() > deadline) {
                    kill();
                    throw new IOException("cairn " + role + " does not listen on port " + port + ", see " + log, notYet);
                }
            }
            try {
                Thread.sleep(20);
            } catch (InterruptedException e) {
                throw new java.io.InterruptedIOException("while starting cairn " + role);
            }
        }
    }

    public boolean isAlive() {
        return process != null && process.isAlive();
    }

    /** As an operator stops it; a process that takes too long is killed. */
    public void stop() {
        if (process == null) {
            return;
        }
        process.destroy();
        try {
            if (!process.waitFor(15, TimeUnit.SECONDS)) {
                kill();
            }
        } catch (InterruptedException e) {
            kill();
            Thread.currentThread().interrupt();
        }
        running.remove(this);
    }

    public void kill() {
        if (process != null) {
            process.destroyForcibly();
            process.onExit().join();
            running.remove(this);
        }
    }
}

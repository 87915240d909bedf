import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.management.InstanceNotFoundException;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.security.UserGroupInformation;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs classes of tests one after the other in this JVM: SuiteRunner LIST RESULTS SECONDS.
 * LIST names one class a line, and behind it the tests of it that are left out. RESULTS gets a line for each test,
 * "OUTCOME Class.test milliseconds", where OUTCOME is ok, FAILED, skipped, or inside (it needs the inside of Apache's
 * daemons, which a remote cluster does not have); after FAILED and inside comes the stack, indented. A class that takes more than SECONDS is given up, and with it the JVM, as
 * its threads go on: exit code 3, and the classes behind it are for another JVM.
 */
public final class SuiteRunner {
    private static final int STACK_LINES = 14;
    private static final int GAVE_UP = 3;
    private static final long CLOSE_MS = 20_000;

    private final PrintStream results;
    private final long patienceMs;

    private SuiteRunner(PrintStream results, long patienceMs) {
        this.results = results;
        this.patienceMs = patienceMs;
    }

    /** A field that a stand-in lacks, a method that our MiniDFSCluster lacks, or a bean that a daemon in this JVM would have. */
    private static boolean isOfApacheAlone(Throwable error, String text) {
        if (error instanceof NullPointerException) {
            return text.matches("(?s).*\"[\\w.]*\\b(dir|namesystem)\" is null.*");
        }
        if (error instanceof NoSuchMethodError || error instanceof NoSuchFieldError) {
            return text.matches("(?s).*(MiniDFSCluster|NameNodeAdapter).*");
        }
        return error instanceof InstanceNotFoundException && text.startsWith("Hadoop:service=");
    }

    private static boolean isInside(Throwable error) {
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            String text = String.valueOf(cause.getMessage());
            if (cause.getClass().getName().equals("cairn.Inside") || text.contains("cairn.Inside")
                    || isOfApacheAlone(cause, text)) {
                return true;
            }
        }
        return false;
    }

    /** Writes outcomes as tests end. */
    private final class Recorder implements TestExecutionListener {
        private final String type;
        private final Set<String> told = new HashSet<>();
        private TestPlan plan;
        private long startedMs = System.currentTimeMillis();
        private boolean isOver;

        Recorder(String type) {
            this.type = type;
        }

        private String name(TestIdentifier test) {
            String method = test.getSource().filter(MethodSource.class::isInstance)
                    .map(source -> ((MethodSource) source).getMethodName()).orElse("");
            String shown = test.getDisplayName().replace("()", "").replaceAll("\\s+", "_");
            String tail = method.isEmpty() || shown.startsWith(method) ? shown : method + shown;
            return type.substring(type.lastIndexOf('.') + 1) + "." + tail;
        }

        synchronized void tell(String outcome, String test, Throwable error) {
            if (isOver || !told.add(test)) {
                return;
            }
            results.println(outcome + " " + test + " " + (System.currentTimeMillis() - startedMs));
            startedMs = System.currentTimeMillis();
            if (error != null && !outcome.equals("skipped")) {
                int lines = 0;
                for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                    results.println("    " + String.valueOf(cause).replace("\n", "\n    "));
                    for (StackTraceElement frame : cause.getStackTrace()) {
                        if (lines++ < STACK_LINES) {
                            results.println("        " + frame);
                        }
                    }
                }
            }
            results.flush();
        }

        synchronized void giveUp(Thread thread) {
            Exception where = new Exception("not done within " + patienceMs / 1000 + " s");
            where.setStackTrace(thread.getStackTrace());
            tell("FAILED", type.substring(type.lastIndexOf('.') + 1) + ".<time>", where);
            isOver = true;
        }

        @Override
        public void testPlanExecutionStarted(TestPlan started) {
            plan = started;
        }

        @Override
        public void executionSkipped(TestIdentifier test, String reason) {
            withTestsBelow(test, "skipped", null);
        }

        @Override
        public void executionFinished(TestIdentifier test, TestExecutionResult result) {
            Throwable error = result.getThrowable().orElse(null);
            if (error != null && isInside(error)) {
                withTestsBelow(test, "inside", error);
            } else if (result.getStatus() == TestExecutionResult.Status.ABORTED) {
                withTestsBelow(test, "skipped", error);
            } else if (result.getStatus() == TestExecutionResult.Status.FAILED) {
                withTestsBelow(test, "FAILED", error);
            } else if (test.isTest()) {
                tell("ok", name(test), null);
            }
        }

        private void withTestsBelow(TestIdentifier test, String outcome, Throwable error) {
            if (test.isTest()) {
                tell(outcome, name(test), error);
                return;
            }
            for (TestIdentifier below : plan.getDescendants(test)) {
                if (below.isTest()) {
                    tell(outcome, name(below), error);
                }
            }
            if (outcome.equals("FAILED")) { // what fails after the last test belongs to none of them
                tell(outcome, type.substring(type.lastIndexOf('.') + 1) + ".<class>", error);
            }
        }
    }

    /** A file that a test left open on a cluster that has ended would be waited for half an hour: a new JVM goes on instead. */
    private static void closeFileSystems() throws InterruptedException {
        Thread closing = new Thread(() -> {
            try {
                FileSystem.closeAll();
            } catch (IOException error) {
                error.printStackTrace(); // of no test any more
            }
        }, "close");
        closing.setDaemon(true);
        closing.start();
        closing.join(CLOSE_MS);
        if (closing.isAlive()) {
            Runtime.getRuntime().halt(GAVE_UP);
        }
    }

    private void run(String type, Set<String> leftOut) throws Exception {
        Recorder recorder = new Recorder(type);
        Thread thread = new Thread(() -> {
            try {
                Launcher launcher = LauncherFactory.create();
                PostDiscoveryFilter wanted = test -> FilterResult.includedIf(
                        !(test.getSource().orElse(null) instanceof MethodSource method
                                && leftOut.contains(method.getMethodName())));
                launcher.execute(LauncherDiscoveryRequestBuilder.request().selectors(selectClass(type)).filters(wanted).build(),
                        recorder);
            } catch (Throwable error) {
                recorder.tell("FAILED", type.substring(type.lastIndexOf('.') + 1) + ".<class>", error);
            }
        }, "suite " + type);
        thread.start();
        thread.join(patienceMs);
        if (thread.isAlive()) {
            recorder.giveUp(thread);
        }
        try {
            Method killAll = Class.forName("cairn.ServerProcess").getMethod("killAll");
            killAll.invoke(null);
        } catch (ClassNotFoundException e) {
            // Apache's own clusters live in this JVM; their classes of tests end them
        }
        if (thread.isAlive()) {
            Runtime.getRuntime().halt(GAVE_UP);
        }
        closeFileSystems();
        UserGroupInformation.setLoginUser(null);
        UserGroupInformation.setConfiguration(new HdfsConfiguration()); // and made up users stay, as their classes do
    }

    public static void main(String[] args) throws Exception {
        new HdfsConfiguration(); // makes the defaults of HDFS known to every Configuration
        try (PrintStream results = new PrintStream(new FileOutputStream(args[1], true), false, StandardCharsets.UTF_8)) {
            SuiteRunner runner = new SuiteRunner(results, Long.parseLong(args[2]) * 1000);
            for (String line : Files.readAllLines(Path.of(args[0]))) {
                List<String> words = List.of(line.trim().split("\\s+"));
                if (!line.isBlank()) {
                    runner.run(words.get(0), new HashSet<>(words.subList(1, words.size())));
                }
            }
        }
        Runtime.getRuntime().exit(0); // threads that tests leave behind do not keep the JVM
    }
}

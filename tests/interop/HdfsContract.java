import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.contract.AbstractContractAppendTest;
import org.apache.hadoop.fs.contract.AbstractContractConcatTest;
import org.apache.hadoop.fs.contract.AbstractContractContentSummaryTest;
import org.apache.hadoop.fs.contract.AbstractContractCreateTest;
import org.apache.hadoop.fs.contract.AbstractContractDeleteTest;
import org.apache.hadoop.fs.contract.AbstractContractGetFileStatusTest;
import org.apache.hadoop.fs.contract.AbstractContractLeaseRecoveryTest;
import org.apache.hadoop.fs.contract.AbstractContractMkdirTest;
import org.apache.hadoop.fs.contract.AbstractContractOpenTest;
import org.apache.hadoop.fs.contract.AbstractContractRenameTest;
import org.apache.hadoop.fs.contract.AbstractContractSafeModeTest;
import org.apache.hadoop.fs.contract.AbstractContractSeekTest;
import org.apache.hadoop.fs.contract.AbstractContractSetTimesTest;
import org.apache.hadoop.fs.contract.AbstractContractUnbufferTest;
import org.apache.hadoop.fs.contract.AbstractFSContract;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.junit.runner.Description;
import org.junit.runner.JUnitCore;
import org.junit.runner.notification.Failure;
import org.junit.runner.notification.RunListener;

/**
 * Runs the tests with which Hadoop pins down what a FileSystem must do, against a running cluster:
 * HdfsContract URI. Prints "ok|skipped|FAILED Class.method" for each, and a failure's stack after it.
 */
public final class HdfsContract {
    private static String uri;

    public static final class Append extends AbstractContractAppendTest {
        @Override
        protected AbstractFSContract createContract(Configuration conf) {
            return new Running(conf);
        }
    }

    public static final class Concat extends AbstractContractConcatTest {
        @Override
        protected AbstractFSContract createContract(Configuration conf) {
            return new Running(conf);
        }
    }

    public static final class ContentSummary extends AbstractContractContentSummaryTest {
        @Override
        protected AbstractFSContract createContract(Configuration conf) {
            return new Running(conf);
        }
    }

    public static final class Create extends AbstractContractCreateTest {
        @Override
        protected AbstractFSContract createContract(Configuration conf) {
            return new Running(conf);
        }
    }

    public static final class Delete extends AbstractContractDeleteTest {
        @Override
        protected AbstractFSContract createContract(Configuration conf) {
            return new Running(conf);
        }
    }

    public static final class GetFileStatus extends AbstractContractGetFileStatusTest {
        @Override
        protected AbstractFSContract createContract(Configuration conf) {
            return new Running(conf);
        }
    }

    public static final class LeaseRecovery extends AbstractContractLeaseRecoveryTest {
        @Override
        protected AbstractFSContract createContract(Configuration conf) {
            return new Running(conf);
        }
    }

    public static final class Mkdir extends AbstractContractMkdirTest {
        @Override
        protected AbstractFSContract createContract(Configuration conf) {
            return new Running(conf);
        }
    }

    public static final class Open extends AbstractContractOpenTest {
        @Override
        protected AbstractFSContract createContract(Configuration conf) {
            return new Running(conf);
        }
    }

    public static final class Rename extends AbstractContractRenameTest {
        @Override
        protected AbstractFSContract createContract(Configuration conf) {
            return new Running(conf);
        }
    }

    public static final class SafeMode extends AbstractContractSafeModeTest {
        @Override
        protected AbstractFSContract createContract(Configuration conf) {
            return new Running(conf);
        }
    }

    public static final class Seek extends AbstractContractSeekTest {
        @Override
        protected AbstractFSContract createContract(Configuration conf) {
            return new Running(conf);
        }
    }

    public static final class SetTimes extends AbstractContractSetTimesTest {
        @Override
        protected AbstractFSContract createContract(Configuration conf) {
            return new Running(conf);
        }
    }

    public static final class Unbuffer extends AbstractContractUnbufferTest {
        @Override
        protected AbstractFSContract createContract(Configuration conf) {
            return new Running(conf);
        }
    }

    /** The cluster that runs already, with what HDFS promises: all of the options, each as Hadoop has it for HDFS. */
    private static final class Running extends AbstractFSContract {
        private static final String[] PROMISES = {
            "is-case-sensitive", "supports-append", "supports-atomic-directory-delete", "supports-atomic-rename",
            "supports-block-locality", "supports-concat", "supports-seek", "rejects-seek-past-eof",
            "supports-strict-exceptions", "supports-unix-permissions", "rename-returns-false-if-dest-exists",
            "rename-returns-false-if-source-missing", "supports-settimes", "supports-getfilestatus",
            "supports-file-reference", "supports-content-check", "supports-unbuffer", "supports-hflush",
            "supports-hsync",
        };

        Running(Configuration conf) {
            super(conf);
            for (String promise : PROMISES) {
                conf.setBoolean("fs.contract." + promise, true);
            }
            conf.setInt("fs.contract.test.random-seek-count", 100);
            conf.set("fs.defaultFS", uri);
        }

        @Override
        public FileSystem getTestFileSystem() throws java.io.IOException {
            return FileSystem.get(getConf());
        }

        @Override
        public String getScheme() {
            return uri.substring(0, uri.indexOf(":"));
        }

        @Override
        public Path getTestPath() {
            return new Path("/contract");
        }
    }

    /** Prints each test's outcome when it has ended. */
    private static final class Printer extends RunListener {
        private final Map<String, String> unusual = new TreeMap<>();

        private static String name(Description test) {
            String type = test.getClassName();
            String method = test.getMethodName();
            return type.substring(type.lastIndexOf('$') + 1) + (method == null ? "" : "." + method);
        }

        @Override
        public void testFailure(Failure failure) {
            unusual.put(name(failure.getDescription()), "FAILED");
            System.out.println("FAILED " + name(failure.getDescription()) + "\n" + failure.getTrimmedTrace());
        }

        @Override
        public void testAssumptionFailure(Failure failure) {
            unusual.put(name(failure.getDescription()), "skipped");
            System.out.println("skipped " + name(failure.getDescription()));
        }

        @Override
        public void testFinished(Description test) {
            if (!unusual.containsKey(name(test))) {
                System.out.println("ok " + name(test));
            }
        }
    }

    public static void main(String[] args) {
        uri = args[0];
        new HdfsConfiguration(); // makes the defaults of HDFS known to every Configuration
        JUnitCore core = new JUnitCore();
        core.addListener(new Printer());
        core.run(Append.class, Concat.class, ContentSummary.class, Create.class, Delete.class, GetFileStatus.class,
                LeaseRecovery.class, Mkdir.class, Open.class, Rename.class, SafeMode.class, Seek.class,
                SetTimes.class, Unbuffer.class);
        System.exit(0); // the verdict is in the lines
    }
}

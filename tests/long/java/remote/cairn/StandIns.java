package cairn;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.crypto.CryptoProtocolVersion;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.InvalidPathException;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.hdfs.DFSClient;
import org.apache.hadoop.hdfs.DFSConfigKeys;
import org.apache.hadoop.hdfs.DFSUtil;
import org.apache.hadoop.hdfs.NameNodeProxies;
import org.apache.hadoop.hdfs.protocol.ClientProtocol;
import org.apache.hadoop.hdfs.protocol.HdfsConstants.DatanodeReportType;
import org.apache.hadoop.hdfs.protocol.HdfsConstants.SafeModeAction;
import org.apache.hadoop.hdfs.protocol.OpenFileEntry;
import org.apache.hadoop.hdfs.server.blockmanagement.BlockManager;
import org.apache.hadoop.hdfs.server.namenode.FSDirectory;
import org.apache.hadoop.hdfs.server.namenode.FSNamesystem;
import org.apache.hadoop.hdfs.server.namenode.InodeCopy;
import org.apache.hadoop.hdfs.server.namenode.LeaseManager;
import org.apache.hadoop.hdfs.server.namenode.NameNode;
import org.apache.hadoop.hdfs.server.protocol.NamenodeProtocol;
import org.apache.hadoop.hdfs.server.protocol.NamenodeProtocols;
import org.apache.hadoop.ipc.RemoteException;
import org.mockito.Mockito;
import org.mockito.stubbing.Answer;

/** Objects of Apache's server classes for tests that only hand them around or ask them what a client may ask, too. */
public final class StandIns {
    private StandIns() {
    }

    /** Answers a call on a stand-in, by its name. */
    public interface Reply {
        Object to(Object[] args) throws Throwable;
    }

    /** A stand-in that gives the replies and throws Inside for every other method. */
    public static <T> T of(Class<T> type, Map<String, Reply> replies) {
        return of(type, replies, null);
    }

    /** The same, but a number or text that can be got is asked of the beans first. */
    private static <T> T of(Class<T> type, Map<String, Reply> replies, Beans beans) {
        Answer<Object> answer = call -> {
            Reply reply = replies.get(call.getMethod().getName());
            if (reply != null) {
                return reply.to(call.getArguments());
            }
            Object attribute = beans == null ? null : beans.attribute(call.getMethod());
            if (attribute != null) {
                return attribute;
            }
            switch (call.getMethod().getName()) {
                case "toString": return type.getSimpleName();
                case "hashCode": return System.identityHashCode(call.getMock());
                case "equals": return call.getMock() == call.getArgument(0);
                case "finalize": return null;
                default: throw new Inside(type.getSimpleName() + "." + call.getMethod().getName());
            }
        };
        return Mockito.mock(type, Mockito.withSettings().stubOnly().defaultAnswer(answer));
    }

    private static ClientProtocol client(URI uri, Configuration conf) throws IOException {
        return NameNodeProxies.createProxy(conf, uri, ClientProtocol.class).getProxy();
    }

    /** The namenode's own interface: what a client may call goes there over the wire, as the current user. */
    public static NamenodeProtocols rpc(URI uri, Configuration conf) {
        Answer<Object> answer = call -> {
            Method method = call.getMethod();
            if (method.getDeclaringClass() == Object.class) {
                return Mockito.CALLS_REAL_METHODS.answer(call);
            }
            if (!method.getDeclaringClass().isAssignableFrom(ClientProtocol.class)) {
                throw new Inside(method.getDeclaringClass().getSimpleName() + "." + method.getName());
            }
            Object[] args = call.getArguments();
            for (int i = 0; i < args.length; i++) { // what only crosses a wire must not be missing
                if (args[i] == null && method.getParameterTypes()[i] == CryptoProtocolVersion[].class) {
                    args[i] = CryptoProtocolVersion.supported();
                }
            }
            try {
                return method.invoke(client(uri, conf), args);
            } catch (InvocationTargetException e) {
                Throwable cause = e.getCause();
                throw cause instanceof RemoteException remote ? unwrapped(remote) : cause;
            }
        };
        return Mockito.mock(NamenodeProtocols.class, Mockito.withSettings().defaultAnswer(answer));
    }

    private static Throwable unwrapped(RemoteException remote) {
        if (remote.getClassName().equals(InvalidPathException.class.getName())) { // which is no IOException
            return new InvalidPathException(remote.getMessage());
        }
        if (remote.getClassName().equals(AssertionError.class.getName())) {
            return new AssertionError(remote.getMessage());
        }
        return remote.unwrapRemoteException();
    }

    /** Every file that is being written. */
    public static List<OpenFileEntry> openFiles(URI uri, Configuration conf) throws IOException {
        List<OpenFileEntry> files = new ArrayList<>();
        try (DFSClient client = new DFSClient(uri, conf)) {
            RemoteIterator<OpenFileEntry> left = client.listOpenFiles();
            while (left.hasNext()) {
                files.add(left.next());
            }
        }
        return files;
    }

    public static NameNode nameNode(URI uri, InetSocketAddress http, Configuration conf) {
        InetSocketAddress address = new InetSocketAddress(uri.getHost(), uri.getPort());
        NamenodeProtocols rpc = rpc(uri, conf);
        Reply inSafeMode = args -> rpc.setSafeMode(SafeModeAction.SAFEMODE_GET, false);
        boolean posixAcls = conf.getBoolean(DFSConfigKeys.DFS_NAMENODE_POSIX_ACL_INHERITANCE_ENABLED_KEY,
                DFSConfigKeys.DFS_NAMENODE_POSIX_ACL_INHERITANCE_ENABLED_DEFAULT);
        FSDirectory directory = of(FSDirectory.class, Map.of(
                "getINode", args -> InodeCopy.of((String) args[0], FileSystem.get(uri, conf)),
                "isPosixAclInheritanceEnabled", args -> posixAcls,
                "setPosixAclInheritanceEnabled", args -> {
                    if ((Boolean) args[0] != posixAcls) {
                        throw new Inside("FSDirectory.setPosixAclInheritanceEnabled");
                    }
                    return null;
                }));
        LeaseManager leases = of(LeaseManager.class, Map.of(
                "countLease", args -> (int) openFiles(uri, conf).stream().map(OpenFileEntry::getClientName).distinct().count()));
        Beans beans = new Beans(http, "FSNamesystem", "FSNamesystemState", "NameNodeInfo");
        BlockManager blocks = of(BlockManager.class, Map.of(), beans);
        FSNamesystem namesystem = of(FSNamesystem.class, Map.of(
                "isInSafeMode", inSafeMode,
                "getBlockManager", args -> blocks,
                "getFSDirectory", args -> directory,
                "getLeaseManager", args -> leases,
                "getNumFilesUnderConstruction", args -> (long) openFiles(uri, conf).size(),
                "getNumLiveDataNodes", args -> rpc.getDatanodeReport(DatanodeReportType.LIVE).length,
                "getNumDeadDataNodes", args -> rpc.getDatanodeReport(DatanodeReportType.DEAD).length,
                "getBlockPoolId", args -> NameNodeProxies.createProxy(conf, uri, NamenodeProtocol.class).getProxy()
                        .versionRequest().getBlockPoolID(),
                "getProvider", args -> DFSUtil.createKeyProviderCryptoExtension(conf)),
                beans);
        return of(NameNode.class, Map.of(
                "getRpcServer", args -> rpc,
                "getNamesystem", args -> namesystem,
                "isInSafeMode", inSafeMode,
                "getNameNodeAddress", args -> address,
                "getServiceRpcAddress", args -> address,
                "getHttpAddress", args -> http,
                "getNameNodeAddressHostPortString", args -> uri.getAuthority(),
                "getHostAndPort", args -> uri.getAuthority(),
                "getClientNamenodeAddress", args -> uri.getAuthority(),
                "getTokenServiceName", args -> uri.getAuthority()));
    }
}

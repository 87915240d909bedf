package cairn;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.InetSocketAddress;
import java.net.URI;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.NameNodeProxies;
import org.apache.hadoop.hdfs.protocol.ClientProtocol;
import org.apache.hadoop.hdfs.protocol.HdfsConstants.SafeModeAction;
import org.apache.hadoop.hdfs.server.namenode.FSNamesystem;
import org.apache.hadoop.hdfs.server.namenode.NameNode;
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
        Object get() throws Throwable;
    }

    /** A stand-in that gives the replies and throws Inside for every other method. */
    public static <T> T of(Class<T> type, Map<String, Reply> replies) {
        Answer<Object> answer = call -> {
            Reply reply = replies.get(call.getMethod().getName());
            if (reply != null) {
                return reply.get();
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
        return (NamenodeProtocols) Proxy.newProxyInstance(StandIns.class.getClassLoader(),
                new Class<?>[] {NamenodeProtocols.class}, (self, method, args) -> {
                    if (!method.getDeclaringClass().isAssignableFrom(ClientProtocol.class)) {
                        throw new Inside(method.getDeclaringClass().getSimpleName() + "." + method.getName());
                    }
                    try {
                        return method.invoke(client(uri, conf), args);
                    } catch (InvocationTargetException e) {
                        Throwable cause = e.getCause();
                        throw cause instanceof RemoteException remote ? remote.unwrapRemoteException() : cause;
                    }
                });
    }

    public static NameNode nameNode(URI uri, InetSocketAddress http, Configuration conf) {
        InetSocketAddress address = new InetSocketAddress(uri.getHost(), uri.getPort());
        NamenodeProtocols rpc = rpc(uri, conf);
        Reply inSafeMode = () -> rpc.setSafeMode(SafeModeAction.SAFEMODE_GET, false);
        FSNamesystem namesystem = of(FSNamesystem.class, Map.of("isInSafeMode", inSafeMode));
        return of(NameNode.class, Map.of(
                "getRpcServer", () -> rpc,
                "getNamesystem", () -> namesystem,
                "isInSafeMode", inSafeMode,
                "getNameNodeAddress", () -> address,
                "getServiceRpcAddress", () -> address,
                "getHttpAddress", () -> http,
                "getNameNodeAddressHostPortString", () -> uri.getAuthority(),
                "getHostAndPort", () -> uri.getAuthority(),
                "getClientNamenodeAddress", () -> uri.getAuthority(),
                "getTokenServiceName", () -> uri.getAuthority()));
    }
}

import java.net.URI;
import java.security.PrivilegedExceptionAction;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.hdfs.DFSUtilClient;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.hdfs.protocol.ClientDatanodeProtocol;
import org.apache.hadoop.hdfs.protocol.DatanodeInfo;
import org.apache.hadoop.hdfs.protocol.HdfsConstants;
import org.apache.hadoop.ipc.RemoteException;
import org.apache.hadoop.security.UserGroupInformation;

/**
 * Acts for others: ProxyUsers URI REAL/USER... prints for each pair, at the namenode and at a datanode, what came of it.
 * "REAL/USER TAB answer of the namenode TAB answer of the datanode".
 */
public final class ProxyUsers {
    public static void main(String[] args) throws Exception {
        Configuration conf = new HdfsConfiguration();
        URI uri = URI.create(args[0]);
        DistributedFileSystem fs = (DistributedFileSystem) FileSystem.get(uri, conf);
        fs.mkdirs(new Path("/proxy"), new org.apache.hadoop.fs.permission.FsPermission((short) 0777));
        fs.setPermission(new Path("/proxy"), new org.apache.hadoop.fs.permission.FsPermission((short) 0777));
        DatanodeInfo datanode = fs.getDataNodeStats(HdfsConstants.DatanodeReportType.LIVE)[0];
        for (int i = 1; i < args.length; i++) {
            String[] names = args[i].split("/");
            UserGroupInformation real = UserGroupInformation.createRemoteUser(names[0]);
            UserGroupInformation user = UserGroupInformation.createProxyUser(names[1], real);
            Path made = new Path("/proxy/" + names[0] + "-" + names[1]);
            fs.delete(made, true);
            String there = answer(user, () -> {
                try (FileSystem own = FileSystem.newInstance(uri, conf)) {
                    own.mkdirs(made);
                    return own.getFileStatus(made).getOwner();
                }
            });
            String below = answer(user, () -> {
                ClientDatanodeProtocol dn = DFSUtilClient.createClientDatanodeProtocolProxy(datanode, conf, 10000, false);
                return "balances " + (dn.getBalancerBandwidth() > 0);
            });
            System.out.println(args[i] + "\t" + there + "\t" + below);
        }
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private static String answer(UserGroupInformation user, PrivilegedExceptionAction<String> action) throws Exception {
        try {
            return user.doAs(action);
        } catch (RemoteException e) {
            return e.getClassName() + ": " + e.getMessage().split("\n")[0] + " " + e.getErrorCode();
        }
    }
}

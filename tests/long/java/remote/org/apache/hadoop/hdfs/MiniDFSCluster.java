package org.apache.hadoop.hdfs;

import static org.apache.hadoop.hdfs.DFSConfigKeys.DFS_DATANODE_DATA_DIR_KEY;
import static org.apache.hadoop.hdfs.DFSConfigKeys.DFS_DATANODE_HOST_NAME_KEY;
import static org.apache.hadoop.hdfs.DFSConfigKeys.DFS_NAMENODE_HTTP_ADDRESS_KEY;
import static org.apache.hadoop.hdfs.DFSConfigKeys.DFS_NAMENODE_NAME_DIR_KEY;
import static org.apache.hadoop.hdfs.DFSConfigKeys.DFS_NAMENODE_RPC_ADDRESS_KEY;
import static org.apache.hadoop.hdfs.DFSConfigKeys.DFS_NAMENODE_SAFEMODE_EXTENSION_KEY;
import static org.apache.hadoop.hdfs.DFSConfigKeys.DFS_NAMENODE_SERVICE_RPC_ADDRESS_KEY;
import static org.apache.hadoop.hdfs.DFSConfigKeys.DFS_REPLICATION_KEY;

import cairn.ClusterOnDisk;
import cairn.Inside;
import cairn.Ports;
import cairn.ServerProcess;
import cairn.StandIns;
import cairn.TestUsers;
import java.io.EOFException;
import java.io.File;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FileUtil;
import org.apache.hadoop.fs.StorageType;
import org.apache.hadoop.hdfs.protocol.ClientDatanodeProtocol;
import org.apache.hadoop.hdfs.protocol.ClientProtocol;
import org.apache.hadoop.hdfs.protocol.DatanodeID;
import org.apache.hadoop.hdfs.protocol.DatanodeInfo;
import org.apache.hadoop.hdfs.protocol.HdfsConstants.DatanodeReportType;
import org.apache.hadoop.hdfs.protocol.HdfsConstants.SafeModeAction;
import org.apache.hadoop.hdfs.client.BlockReportOptions;
import org.apache.hadoop.hdfs.server.common.HdfsServerConstants.StartupOption;
import org.apache.hadoop.hdfs.server.datanode.DataNode;
import org.apache.hadoop.hdfs.server.namenode.FSNamesystem;
import org.apache.hadoop.hdfs.server.namenode.NameNode;
import org.apache.hadoop.hdfs.server.protocol.NamenodeProtocols;
import org.apache.hadoop.test.GenericTestUtils;
import org.apache.hadoop.util.ExitUtil;

/**
 * In place of the class by which Hadoop's tests start a NameNode and DataNodes inside their JVM: the daemons are
 * processes of Cairn's, on loopback. What a test can only do to Apache's own objects throws Inside.
 */
public class MiniDFSCluster extends ClusterOnDisk implements AutoCloseable {
    public static final String PROP_TEST_BUILD_DATA = GenericTestUtils.SYSPROP_TEST_DATA_DIR;
    public static final String HDFS_MINIDFS_BASEDIR = "hdfs.minidfs.basedir";
    public static final String HDFS_MINIDFS_BASEDIR_PROVIDED = "hdfs.minidfs.basedir.provided";
    public static final String DFS_NAMENODE_SAFEMODE_EXTENSION_TESTING_KEY =
            DFS_NAMENODE_SAFEMODE_EXTENSION_KEY + ".testing";
    public static final String DFS_NAMENODE_DECOMMISSION_INTERVAL_TESTING_KEY =
            DFSConfigKeys.DFS_NAMENODE_DECOMMISSION_INTERVAL_KEY + ".testing";
    private static final String LOOPBACK = "127.0.0.1";
    private static final int WAIT_SECONDS = 60;
    private static final int DATANODES_MAX = 12;
    private static final int SERVICE_PORT = 4 * DATANODES_MAX; // behind those of the datanodes

    /** What a test asks for before the cluster starts. */
    public static class Builder {
        private final Configuration conf;
        private int nameNodePort;
        private int nameNodeHttpPort;
        private int dataNodes = 1;
        private int storagesPerDataNode = 2;
        private StorageType[][] storageTypes;
        private boolean format = true;
        private String[] racks;
        private String[] hosts;
        private boolean waitSafeMode = true;
        private Configuration[] overlays;

        public Builder(Configuration conf) {
            this(conf, null);
        }

        public Builder(Configuration conf, File folder) {
            this.conf = conf;
            if (folder != null) {
                conf.set(HDFS_MINIDFS_BASEDIR, folder.getAbsolutePath());
            } else if (conf.get(HDFS_MINIDFS_BASEDIR) == null) {
                conf.set(HDFS_MINIDFS_BASEDIR, new File(getBaseDirectory()).getAbsolutePath());
            }
        }

        public Builder nameNodePort(int port) {
            nameNodePort = port;
            return this;
        }

        public Builder nameNodeHttpPort(int port) {
            nameNodeHttpPort = port;
            return this;
        }

        public Builder numDataNodes(int count) {
            dataNodes = count;
            return this;
        }

        public Builder storagesPerDatanode(int count) {
            storagesPerDataNode = count;
            return this;
        }

        public Builder storageTypes(StorageType[] types) {
            storageTypes = new StorageType[][] {types};
            return this;
        }

        public Builder storageTypes(StorageType[][] types) {
            storageTypes = types;
            return this;
        }

        public Builder storageCapacities(long[] capacities) {
            return refuse(capacities, "storageCapacities");
        }

        public Builder storageCapacities(long[][] capacities) {
            return refuse(capacities, "storageCapacities");
        }

        public Builder simulatedCapacities(long[] capacities) {
            return refuse(capacities, "simulatedCapacities");
        }

        public Builder nnTopology(MiniDFSNNTopology topology) {
            return refuse(topology, "several namenodes");
        }

        public Builder startupOption(StartupOption option) {
            return refuse(option == StartupOption.REGULAR ? null : option, "start-up option");
        }

        public Builder dnStartupOption(StartupOption option) {
            return refuse(option == StartupOption.REGULAR ? null : option, "start-up option");
        }

        public Builder format(boolean anew) {
            format = anew;
            return this;
        }

        public Builder racks(String[] names) {
            racks = names;
            return this;
        }

        public Builder hosts(String[] names) {
            hosts = names;
            return this;
        }

        public Builder waitSafeMode(boolean wait) {
            waitSafeMode = wait;
            return this;
        }

        public Builder dataNodeConfOverlays(Configuration[] confs) {
            overlays = confs;
            return this;
        }

        public Builder manageNameDfsDirs(boolean manage) {
            return refuse(manage ? null : "", "folders that the test manages");
        }

        public Builder manageDataDfsDirs(boolean manage) {
            return refuse(manage ? null : "", "folders that the test manages");
        }

        // What makes no difference to daemons of their own.
        public Builder manageNameDfsSharedDirs(boolean ignored) {
            return this;
        }

        public Builder enableManagedDfsDirsRedundancy(boolean ignored) {
            return this;
        }

        public Builder checkExitOnShutdown(boolean ignored) {
            return this;
        }

        public Builder checkDataNodeAddrConfig(boolean ignored) {
            return this;
        }

        public Builder checkDataNodeHostConfig(boolean ignored) {
            return this;
        }

        public Builder clusterId(String ignored) {
            return this;
        }

        public Builder setupHostsFile(boolean ignored) {
            return this;
        }

        public Builder skipFsyncForTesting(boolean ignored) {
            return this;
        }

        public Builder useConfiguredTopologyMappingClass(boolean ignored) {
            return this;
        }

        public Builder setNNRedundancyConsiderLoad(boolean ignored) {
            return this;
        }

        private Builder refuse(Object value, String what) {
            if (value != null) {
                throw new Inside("MiniDFSCluster with " + what);
            }
            return this;
        }

        public MiniDFSCluster build() throws IOException {
            return new MiniDFSCluster(this);
        }
    }

    /** A DataNode, running or stopped. */
    public static class DataNodeProperties {
        final int index;
        final Configuration conf;
        final ServerProcess process;
        final int port;
        final String host;
        DataNode datanode;

        DataNodeProperties(int index, Configuration conf, ServerProcess process, int port, String host) {
            this.index = index;
            this.conf = conf;
            this.process = process;
            this.port = port;
            this.host = host;
        }

        public DataNode getDatanode() {
            return datanode;
        }

        public void setDnArgs(String... args) {
            throw new Inside("arguments of a DataNode");
        }
    }

    private final Configuration conf;
    private final File folder;
    private final int portBase;
    private final int nameNodePort;
    private final int httpPort;
    private final boolean waitSafeMode;
    private final int storagesPerDataNode;
    private final ServerProcess nameNode;
    private final List<DataNodeProperties> dataNodes = new ArrayList<>();
    private final Map<String, String> racks = new HashMap<>();
    private final Set<FileSystem> fileSystems = new LinkedHashSet<>();
    private NameNode standIn;
    private int dataNodesStarted;
    private boolean isDown;

    protected MiniDFSCluster(Builder wanted) throws IOException {
        if (wanted.conf.get(DFSConfigKeys.DFS_DATANODE_FSDATASET_FACTORY_KEY) != null) {
            throw new Inside("replicas of the test's own making");
        }
        ExitUtil.disableSystemExit();
        FileSystem.enableSymlinks();
        conf = wanted.conf;
        waitSafeMode = wanted.waitSafeMode;
        storagesPerDataNode = wanted.storagesPerDataNode;
        folder = new File(conf.get(HDFS_MINIDFS_BASEDIR));
        if (wanted.format) {
            FileUtil.fullyDelete(new File(folder, "name")); // and nothing that the test has there
            FileUtil.fullyDelete(new File(folder, "data"));
        }
        portBase = Ports.take();
        nameNodePort = wanted.nameNodePort > 0 ? wanted.nameNodePort : Ports.takeForNameNode();
        httpPort = wanted.nameNodeHttpPort > 0 ? wanted.nameNodeHttpPort : nameNodePort + 1;
        conf.setInt(DFS_REPLICATION_KEY, Math.max(1, Math.min(conf.getInt(DFS_REPLICATION_KEY, 3), wanted.dataNodes)));
        conf.setInt(DFS_NAMENODE_SAFEMODE_EXTENSION_KEY, conf.getInt(DFS_NAMENODE_SAFEMODE_EXTENSION_TESTING_KEY, 0));
        conf.set("fs.defaultFS", "hdfs://" + LOOPBACK + ":" + nameNodePort);
        conf.set(DFS_NAMENODE_RPC_ADDRESS_KEY, LOOPBACK + ":" + nameNodePort);
        conf.set(DFS_NAMENODE_HTTP_ADDRESS_KEY, LOOPBACK + ":" + httpPort);
        if (conf.get(DFS_NAMENODE_SERVICE_RPC_ADDRESS_KEY) != null) {
            conf.set(DFS_NAMENODE_SERVICE_RPC_ADDRESS_KEY, LOOPBACK + ":" + (portBase + SERVICE_PORT));
        }
        conf.set(DFS_NAMENODE_NAME_DIR_KEY, new File(folder, "name").toURI().toString());
        nameNode = new ServerProcess("namenode", new File(folder, "conf-namenode"));
        boolean isUp = false;
        try {
            startNameNode();
            startDataNodes(conf, wanted.dataNodes, wanted.storageTypes, wanted.racks, wanted.hosts, wanted.overlays);
            waitClusterUp();
            isUp = true;
        } finally {
            if (!isUp) {
                shutdown();
            }
        }
    }

    // ---- the namenode ----

    private void startNameNode() throws IOException {
        Map<String, String> settings = new HashMap<>();
        settings.put("hadoop.user.group.static.mapping.overrides", TestUsers.groups());
        if (!racks.isEmpty()) {
            settings.put("net.topology.table.file.name", writeRacks().getPath());
        }
        nameNode.start(conf, settings, nameNodePort);
        standIn = null;
        try (DFSClient client = new DFSClient(getURI(), conf)) {
            client.getNamenode().getStats();
        } catch (EOFException e) {
            // a connection to the process before this one: the client has dropped it now
        }
    }

    private File writeRacks() throws IOException {
        StringBuilder table = new StringBuilder();
        racks.forEach((host, rack) -> table.append(host).append(' ').append(rack).append('\n'));
        File file = new File(folder, "racks");
        folder.mkdirs();
        Files.writeString(file.toPath(), table);
        return file;
    }

    public void setNameNodeConf(int index, Configuration changed) {
        needFirst(index);
        if (changed != conf) {
            throw new Inside("another configuration for a NameNode");
        }
    }

    private void needFirst(int index) {
        if (index != 0) {
            throw new Inside("a second namenode");
        }
    }

    private void stopNameNode() {
        nameNode.stop();
    }

    public void shutdownNameNode(int index) {
        needFirst(index);
        stopNameNode();
    }

    public void shutdownNameNodes() {
        stopNameNode();
    }

    public void restartNameNode(int index, boolean waitActive, String... args) throws IOException {
        needFirst(index);
        if (args.length > 0) {
            throw new Inside("arguments of a NameNode");
        }
        stopNameNode();
        startNameNode();
        if (waitActive) {
            waitClusterUp();
        }
    }

    public void restartNameNode(String... args) throws IOException {
        restartNameNode(0, true, args);
    }

    public void restartNameNode(boolean waitActive) throws IOException {
        restartNameNode(0, waitActive);
    }

    public void restartNameNode(int index) throws IOException {
        restartNameNode(index, true);
    }

    public void restartNameNodes() throws IOException {
        restartNameNode(0, true);
    }

    public NameNode getNameNode() {
        if (!nameNode.isAlive()) {
            return null;
        }
        if (standIn == null) {
            standIn = StandIns.nameNode(getURI(), new InetSocketAddress(LOOPBACK, httpPort), conf);
        }
        return standIn;
    }

    public NameNode getNameNode(int index) {
        needFirst(index);
        return getNameNode();
    }

    public FSNamesystem getNamesystem() {
        return getNameNode().getNamesystem();
    }

    public FSNamesystem getNamesystem(int index) {
        return getNameNode(index).getNamesystem();
    }

    public NamenodeProtocols getNameNodeRpc() {
        return getNameNode().getRpcServer();
    }

    public NamenodeProtocols getNameNodeRpc(int index) {
        return getNameNode(index).getRpcServer();
    }

    public int getNameNodePort() {
        return nameNodePort;
    }

    public int getNameNodePort(int index) {
        needFirst(index);
        return nameNodePort;
    }

    public int getNumNameNodes() {
        return 1;
    }

    public boolean isNameNodeUp(int index) {
        needFirst(index);
        return nameNode.isAlive();
    }

    public boolean isClusterUp() {
        return nameNode.isAlive();
    }

    public String getHttpUri(int index) {
        needFirst(index);
        return "http://" + conf.get(DFS_NAMENODE_HTTP_ADDRESS_KEY);
    }

    public URI getURI() {
        return URI.create("hdfs://" + LOOPBACK + ":" + nameNodePort);
    }

    public URI getURI(int index) {
        needFirst(index);
        return getURI();
    }

    public Configuration getConfiguration(int index) {
        needFirst(index);
        return conf;
    }

    // ---- datanodes ----

    private void startDataNodes(Configuration base, int count, StorageType[][] types, String[] rackNames,
            String[] hostNames, Configuration[] overlays) throws IOException {
        String[] hosts = hostNames;
        if (rackNames != null) {
            hosts = hosts != null ? hosts : new String[count];
            for (int i = 0; i < count; i++) {
                hosts[i] = hosts[i] != null ? hosts[i] : "host" + (dataNodesStarted + i) + ".foo.com";
                racks.put(hosts[i], rackNames[i]);
            }
            writeRacks();
            stopNameNode(); // which reads the table of racks when it starts
            startNameNode();
        }
        for (int i = 0; i < count; i++) {
            Configuration own = new HdfsConfiguration(base);
            if (overlays != null) {
                own.addResource(overlays[i]);
            }
            StorageType[] ofThis = types == null ? null : types[types.length == 1 ? 0 : i];
            own.set(DFS_DATANODE_DATA_DIR_KEY, storages(dataNodesStarted, ofThis));
            own.set(DFS_DATANODE_HOST_NAME_KEY, hosts != null ? hosts[i] : LOOPBACK);
            base.set(DFS_DATANODE_DATA_DIR_KEY, own.get(DFS_DATANODE_DATA_DIR_KEY));
            startDataNode(dataNodesStarted++, own);
        }
        waitActive();
    }

    private String storages(int dataNode, StorageType[] types) {
        StringBuilder list = new StringBuilder();
        for (int i = 0; i < (types == null ? storagesPerDataNode : types.length); i++) {
            list.append(i == 0 ? "" : ",").append('[').append(types == null ? StorageType.DISK : types[i]).append(']');
            list.append(getInstanceStorageDir(dataNode, i).toURI());
        }
        return list.toString();
    }

    private void startDataNode(int index, Configuration own) throws IOException {
        if (index >= DATANODES_MAX) {
            throw new Inside("more than " + DATANODES_MAX + " DataNodes");
        }
        int port = portBase + 4 * index;
        ServerProcess process = new ServerProcess("datanode", new File(folder, "conf-datanode" + index));
        String host = own.get(DFS_DATANODE_HOST_NAME_KEY);
        process.start(own, Map.of("dfs.datanode.address", LOOPBACK + ":" + port,
                "dfs.datanode.ipc.address", LOOPBACK + ":" + (port + 1),
                "dfs.datanode.http.address", LOOPBACK + ":" + (port + 2)), port);
        dataNodes.add(new DataNodeProperties(index, own, process, port, host));
    }

    private DataNode standIn(DataNodeProperties node) {
        StandIns.Reply id = args -> report(node);
        return StandIns.of(DataNode.class, Map.of(
                "getDatanodeId", id,
                "getDatanodeUuid", args -> report(node).getDatanodeUuid(),
                "getXferAddress", args -> new InetSocketAddress(LOOPBACK, node.port),
                "getXferPort", args -> node.port,
                "getIpcPort", args -> node.port + 1,
                "getInfoPort", args -> node.port + 2,
                "getDisplayName", args -> LOOPBACK + ":" + node.port,
                "isDatanodeUp", args -> node.process.isAlive(),
                "getConf", args -> node.conf,
                "shutdown", args -> {
                    node.process.stop();
                    return null;
                }));
    }

    /** What the namenode knows of the datanode; before it registered, or when there is no namenode, only its address. */
    private DatanodeID report(DataNodeProperties node) throws IOException {
        for (DatanodeInfo info : client().getDatanodeReport(DatanodeReportType.ALL)) {
            if (info.getXferPort() == node.port) {
                return new DatanodeID(info);
            }
        }
        return new DatanodeID(LOOPBACK, node.host, null, node.port, node.port + 2, 0, node.port + 1);
    }

    public void startDataNodes(Configuration base, int count, boolean manage, StartupOption option, String[] rackNames)
            throws IOException {
        startDataNodes(base, count, null, rackNames, null, null);
    }

    public void startDataNodes(Configuration base, int count, boolean manage, StartupOption option, String[] rackNames,
            long[] capacities) throws IOException {
        startDataNodes(base, count, manage, option, rackNames, null, capacities);
    }

    public void startDataNodes(Configuration base, int count, boolean manage, StartupOption option, String[] rackNames,
            String[] hostNames, long[] capacities) throws IOException {
        if (capacities != null) {
            throw new Inside("simulated capacities");
        }
        startDataNodes(base, count, null, rackNames, hostNames, null);
    }

    @Override
    public ArrayList<DataNode> getDataNodes() {
        ArrayList<DataNode> list = new ArrayList<>();
        for (DataNodeProperties node : dataNodes) {
            node.datanode = node.datanode != null ? node.datanode : standIn(node);
            list.add(node.datanode);
        }
        return list;
    }

    public DataNode getDataNode(int ipcPort) {
        for (DataNode node : getDataNodes()) {
            if (node.getIpcPort() == ipcPort) {
                return node;
            }
        }
        return null;
    }

    public void shutdownDataNodes() {
        dataNodes.forEach(node -> node.process.stop());
        dataNodes.clear();
    }

    public void shutdownDataNode(int position) {
        dataNodes.remove(position).process.stop();
    }

    public DataNodeProperties stopDataNode(int position) {
        if (position < 0 || position >= dataNodes.size()) {
            return null;
        }
        getDataNodes();
        DataNodeProperties node = dataNodes.remove(position);
        node.process.stop();
        return node;
    }

    public DataNodeProperties stopDataNode(String transferAddress) {
        for (int i = 0; i < dataNodes.size(); i++) {
            if (transferAddress.equals(LOOPBACK + ":" + dataNodes.get(i).port)) {
                return stopDataNode(i);
            }
        }
        return null;
    }

    public boolean restartDataNode(DataNodeProperties node) throws IOException {
        return restartDataNode(node, true);
    }

    public boolean restartDataNode(DataNodeProperties node, boolean keepPort) throws IOException {
        node.process.stop();
        startDataNode(node.index, node.conf);
        return true;
    }

    public boolean restartDataNode(int position) throws IOException {
        return restartDataNode(stopDataNode(position));
    }

    public boolean restartDataNode(int position, boolean keepPort) throws IOException {
        return restartDataNode(position);
    }

    public boolean restartDataNodes() throws IOException {
        for (int count = dataNodes.size(); count > 0; count--) {
            restartDataNode(0);
        }
        return true;
    }

    public boolean restartDataNodes(boolean keepPort) throws IOException {
        return restartDataNodes();
    }

    public boolean isDataNodeUp() {
        return dataNodes.stream().anyMatch(node -> node.process.isAlive());
    }

    public int getStoragesPerDatanode() {
        return storagesPerDataNode;
    }

    private void askForReports(boolean incremental) throws IOException {
        BlockReportOptions options = new BlockReportOptions.Factory().setIncremental(incremental).build();
        for (DataNodeProperties node : dataNodes) {
            DatanodeID id = new DatanodeID(LOOPBACK, LOOPBACK, null, node.port, node.port + 2, 0, node.port + 1);
            ClientDatanodeProtocol proxy = DFSUtilClient.createClientDatanodeProtocolProxy(id, conf, 60000, false);
            proxy.triggerBlockReport(options);
        }
    }

    public void triggerBlockReports() throws IOException {
        askForReports(false);
    }

    public void triggerDeletionReports() throws IOException {
        askForReports(true);
    }

    public void triggerHeartbeats() throws IOException {
        askForReports(true); // which a datanode sends with its next heartbeat
    }

    // ---- the whole ----

    private ClientProtocol client() throws IOException {
        return NameNodeProxies.createProxy(conf, getURI(), ClientProtocol.class).getProxy();
    }

    /** Until every datanode that runs is known. */
    public void waitActive() throws IOException {
        long wanted = dataNodes.stream().filter(node -> node.process.isAlive()).count();
        await(wanted + " live datanodes", () -> client().getDatanodeReport(DatanodeReportType.LIVE).length >= wanted);
    }

    /** Until it can also be written to, if there are datanodes. */
    public void waitClusterUp() throws IOException {
        waitActive();
        if (waitSafeMode && isDataNodeUp()) {
            await("no safe mode", () -> !client().setSafeMode(SafeModeAction.SAFEMODE_GET, false));
        }
    }

    private interface Condition {
        boolean holds() throws IOException;
    }

    private static void await(String what, Condition condition) throws IOException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(WAIT_SECONDS);
        while (!condition.holds()) {
            if (System.nanoTime() > deadline) {
                throw new IOException("not " + what + " after " + WAIT_SECONDS + " s");
            }
            try {
                Thread.sleep(30);
            } catch (InterruptedException e) {
                throw new InterruptedIOException("while waiting for the cluster");
            }
        }
    }

    public void waitActive(int index) throws IOException {
        needFirst(index);
        waitActive();
    }

    public void waitNameNodeUp(int index) {
        needFirst(index);
    }

    public void waitFirstBRCompleted(int index, int timeoutMs) throws IOException {
        waitActive(index);
    }

    public DistributedFileSystem getFileSystem() throws IOException {
        FileSystem fs = FileSystem.get(getURI(), conf);
        fileSystems.add(fs);
        return (DistributedFileSystem) fs;
    }

    public DistributedFileSystem getFileSystem(int index) throws IOException {
        needFirst(index);
        return getFileSystem();
    }

    public FileSystem getNewFileSystemInstance(int index) throws IOException {
        needFirst(index);
        FileSystem fs = FileSystem.newInstance(getURI(), conf);
        fileSystems.add(fs);
        return fs;
    }

    public void shutdown() {
        shutdown(false);
    }

    public void shutdown(boolean deleteFolder) {
        shutdown(deleteFolder, true);
    }

    public void shutdown(boolean deleteFolder, boolean closeFileSystems) {
        if (isDown) {
            return;
        }
        isDown = true;
        if (closeFileSystems) {
            for (FileSystem fs : fileSystems) {
                try {
                    fs.close();
                } catch (IOException e) {
                    System.err.println("closing a file system: " + e); // the test is over
                }
            }
        }
        shutdownDataNodes();
        stopNameNode();
        Ports.giveBack(portBase);
        if (deleteFolder) {
            FileUtil.fullyDelete(folder);
        }
    }

    @Override
    public void close() {
        shutdown();
    }

    public static void shutdownCluster(MiniDFSCluster cluster) {
        if (cluster != null) {
            cluster.shutdown();
        }
    }

    public static String getBaseDirectory() {
        return GenericTestUtils.getTestDir("dfs").getAbsolutePath() + File.separator;
    }

    public String getDataDirectory() {
        return new File(folder, "data").getAbsolutePath();
    }

    public File getInstanceStorageDir(int dataNode, int storage) {
        return new File(folder, "data/data" + (storagesPerDataNode * dataNode + 1 + storage));
    }

    public File getStorageDir(int dataNode, int storage) {
        return getInstanceStorageDir(dataNode, storage);
    }

    @Override
    protected List<File> storages(int position) {
        List<File> folders = new ArrayList<>();
        for (String folder : dataNodes.get(position).conf.getTrimmedStringCollection(DFS_DATANODE_DATA_DIR_KEY)) {
            folders.add(new File(URI.create(folder.substring(folder.indexOf(']') + 1))));
        }
        return folders;
    }
}

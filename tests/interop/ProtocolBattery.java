import java.io.IOException;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.PrivilegedExceptionAction;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.BatchedRemoteIterator.BatchedEntries;
import org.apache.hadoop.fs.CacheFlag;
import org.apache.hadoop.fs.CreateFlag;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.StorageType;
import org.apache.hadoop.fs.XAttr;
import org.apache.hadoop.fs.XAttrSetFlag;
import org.apache.hadoop.fs.permission.AclEntry;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.ha.HAServiceProtocol;
import org.apache.hadoop.hdfs.DFSUtilClient;
import org.apache.hadoop.hdfs.DistributedFileSystem;
import org.apache.hadoop.hdfs.HdfsConfiguration;
import org.apache.hadoop.hdfs.NameNodeProxies;
import org.apache.hadoop.hdfs.XAttrHelper;
import org.apache.hadoop.hdfs.protocol.AddErasureCodingPolicyResponse;
import org.apache.hadoop.hdfs.protocol.BatchedDirectoryListing;
import org.apache.hadoop.hdfs.protocol.CacheDirectiveEntry;
import org.apache.hadoop.hdfs.protocol.CacheDirectiveInfo;
import org.apache.hadoop.hdfs.protocol.CachePoolEntry;
import org.apache.hadoop.hdfs.protocol.CachePoolInfo;
import org.apache.hadoop.hdfs.protocol.ClientDatanodeProtocol;
import org.apache.hadoop.hdfs.protocol.ClientProtocol;
import org.apache.hadoop.hdfs.protocol.DatanodeID;
import org.apache.hadoop.hdfs.protocol.DatanodeInfo;
import org.apache.hadoop.hdfs.protocol.DirectoryListing;
import org.apache.hadoop.hdfs.protocol.ErasureCodingPolicy;
import org.apache.hadoop.hdfs.protocol.ExtendedBlock;
import org.apache.hadoop.hdfs.protocol.HdfsConstants;
import org.apache.hadoop.hdfs.protocol.HdfsFileStatus;
import org.apache.hadoop.hdfs.protocol.HdfsPartialListing;
import org.apache.hadoop.hdfs.protocol.LastBlockWithStatus;
import org.apache.hadoop.hdfs.protocol.LocatedBlock;
import org.apache.hadoop.hdfs.protocol.LocatedBlocks;
import org.apache.hadoop.hdfs.protocol.OpenFileEntry;
import org.apache.hadoop.hdfs.protocol.OpenFilesIterator.OpenFilesType;
import org.apache.hadoop.hdfs.protocol.ReconfigurationProtocol;
import org.apache.hadoop.hdfs.protocol.SystemErasureCodingPolicies;
import org.apache.hadoop.hdfs.security.token.delegation.DelegationTokenIdentifier;
import org.apache.hadoop.hdfs.server.protocol.NamenodeProtocol;
import org.apache.hadoop.io.EnumSetWritable;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.io.erasurecode.ECSchema;
import org.apache.hadoop.ipc.GenericRefreshProtocol;
import org.apache.hadoop.ipc.RPC;
import org.apache.hadoop.ipc.RefreshCallQueueProtocol;
import org.apache.hadoop.ipc.RemoteException;
import org.apache.hadoop.security.RefreshUserMappingsProtocol;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.authorize.RefreshAuthorizationPolicyProtocol;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.tools.GetUserMappingsProtocol;

/**
 * Calls every method of ClientProtocol, and of the protocols beside it, on a running cluster: ProtocolBattery URI.
 * One line per case: "case NAME TAB RESULT TAB detail". RESULT is what must be the same on every HDFS: the answer without
 * what differs from cluster to cluster, or "!" and the class of the exception. Then "called METHOD" for each method of
 * ClientProtocol that a case called.
 */
public final class ProtocolBattery {
    private interface Case {
        Object run() throws Exception;
    }

    private static final String DIR = "/battery";
    private static final String ME = "DFSClient_battery_1";
    private static final String OTHER = "DFSClient_battery_2";
    private static final FsPermission P755 = new FsPermission((short) 0755);
    private static final TreeSet<String> called = new TreeSet<>();

    private static Configuration conf;
    private static URI uri;
    private static DistributedFileSystem fs;
    private static ClientProtocol nn;

    public static void main(String[] args) throws Exception {
        conf = new HdfsConfiguration();
        uri = URI.create(args[0]);
        FileSystem.setDefaultUri(conf, uri);
        conf.setBoolean("dfs.client.cache.drop.behind.writes", false);
        fs = (DistributedFileSystem) FileSystem.get(uri, conf);
        nn = recorded(fs.getClient().getNamenode());
        fs.delete(new Path(DIR), true);
        fs.mkdirs(new Path(DIR));
        act("section.looking", ProtocolBattery::looking);
        act("section.tree", ProtocolBattery::tree);
        act("section.writing", ProtocolBattery::writing);
        act("section.leases", ProtocolBattery::leases);
        act("section.listings", ProtocolBattery::listings);
        act("section.caching", ProtocolBattery::caching);
        act("section.attributes", ProtocolBattery::attributes);
        act("section.snapshots", ProtocolBattery::snapshots);
        act("section.erasure", ProtocolBattery::erasure);
        act("section.encryption", ProtocolBattery::encryption);
        act("section.tokens", ProtocolBattery::tokens);
        act("section.operating", ProtocolBattery::operating);
        act("section.nobody", ProtocolBattery::nobody);
        act("section.otherProtocols", ProtocolBattery::otherProtocols);
        act("section.datanode", ProtocolBattery::datanode);
        fs.delete(new Path(DIR), true);
        called.forEach(name -> System.out.println("called " + name));
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    // ---- telling ----

    private static void check(String name, Case c) {
        String result;
        String detail = "";
        try {
            result = text(c.run());
        } catch (Throwable error) {
            Throwable e = error;
            while ((e instanceof InvocationTargetException || e instanceof java.lang.reflect.UndeclaredThrowableException)
                    && e.getCause() != null) {
                e = e.getCause();
            }
            boolean remote = e instanceof RemoteException;
            result = "!" + (remote ? ((RemoteException) e).getClassName() : e.getClass().getName());
            detail = String.valueOf(e.getMessage()).split("\n")[0];
        }
        System.out.println("case " + name + "\t" + result.replace('\n', ' ').replace('\t', ' ') + "\t" + detail.replace('\t', ' '));
    }

    private static String text(Object value) {
        if (value instanceof Object[]) {
            return Arrays.stream((Object[]) value).map(ProtocolBattery::text).collect(Collectors.joining(", ", "[", "]"));
        }
        if (value instanceof Collection) {
            return text(((Collection<?>) value).toArray());
        }
        if (value instanceof HdfsFileStatus) {
            HdfsFileStatus s = (HdfsFileStatus) value;
            return (s.isDirectory() ? "d" : s.isSymlink() ? "l" : "f") + s.getPermission() + " " + s.getOwner() + ":" + s.getGroup()
                    + " " + s.getLen() + " " + s.getReplication() + " " + s.getBlockSize() + " '" + s.getLocalName() + "' "
                    + s.getChildrenNum() + " policy=" + s.getStoragePolicy();
        }
        if (value instanceof LocatedBlock) {
            LocatedBlock b = (LocatedBlock) value;
            return b.getStartOffset() + "+" + b.getBlockSize() + " on " + b.getLocations().length
                    + " cached " + b.getCachedLocations().length;
        }
        if (value instanceof LocatedBlocks) {
            LocatedBlocks b = (LocatedBlocks) value;
            return b.getFileLength() + " open=" + b.isUnderConstruction() + " complete=" + b.isLastBlockComplete() + " "
                    + text(b.getLocatedBlocks());
        }
        if (value instanceof DirectoryListing) {
            DirectoryListing d = (DirectoryListing) value;
            return text(d.getPartialListing()) + " +" + d.getRemainingEntries();
        }
        return String.valueOf(value);
    }

    private static Object done(Object ignored) {
        return "ok";
    }

    private interface Action {
        void run() throws Exception;
    }

    private static void act(String name, Action a) {
        check(name, () -> {
            a.run();
            return "ok";
        });
    }

    private static ClientProtocol recorded(ClientProtocol real) {
        return (ClientProtocol) Proxy.newProxyInstance(ProtocolBattery.class.getClassLoader(),
                new Class<?>[] {ClientProtocol.class}, (proxy, method, arguments) -> {
                    called.add(method.getName());
                    try {
                        return method.invoke(real, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private static <T> T as(String user, PrivilegedExceptionAction<T> action) throws Exception {
        return UserGroupInformation.createRemoteUser(user).doAs(action);
    }

    private static String file(String name, int bytes) throws IOException {
        String path = DIR + "/" + name;
        try (OutputStream out = fs.create(new Path(path), true, 4096, (short) 1, 1 << 20)) {
            out.write(new byte[bytes]);
        }
        return path;
    }

    private static HdfsFileStatus create(String path, String client, EnumSet<CreateFlag> flags) throws IOException {
        return nn.create(path, P755, client, new EnumSetWritable<>(flags), true, (short) 1, 1 << 20,
                new org.apache.hadoop.crypto.CryptoProtocolVersion[0], null, null);
    }

    // ---- cases ----

    private static void looking() throws Exception {
        String f = file("look", 3000);
        check("getFileInfo.file", () -> nn.getFileInfo(f));
        check("getFileInfo.dir", () -> nn.getFileInfo(DIR));
        check("getFileInfo.missing", () -> nn.getFileInfo(DIR + "/none"));
        check("getFileInfo.below-file", () -> nn.getFileInfo(f + "/x"));
        check("getFileInfo.relative", () -> nn.getFileInfo("battery"));
        check("getFileInfo.reserved", () -> nn.getFileInfo("/.reserved"));
        check("getFileInfo.inode", () -> nn.getFileInfo("/.reserved/.inodes/" + nn.getFileInfo(f).getFileId()));
        check("getFileInfo.inode-missing", () -> nn.getFileInfo("/.reserved/.inodes/1"));
        check("getFileInfo.raw", () -> nn.getFileInfo("/.reserved/raw" + f));
        check("getFileLinkInfo", () -> nn.getFileLinkInfo(f));
        check("getLocatedFileInfo", () -> nn.getLocatedFileInfo(f, false));
        check("getLocatedFileInfo.missing", () -> nn.getLocatedFileInfo(DIR + "/none", false));
        check("getBlockLocations", () -> nn.getBlockLocations(f, 0, 10000));
        check("getBlockLocations.past-end", () -> nn.getBlockLocations(f, 5000, 10));
        check("getBlockLocations.negative", () -> nn.getBlockLocations(f, -1, 10));
        check("getBlockLocations.dir", () -> nn.getBlockLocations(DIR, 0, 10));
        check("getBlockLocations.missing", () -> nn.getBlockLocations(DIR + "/none", 0, 10));
        check("isFileClosed", () -> nn.isFileClosed(f));
        check("isFileClosed.dir", () -> nn.isFileClosed(DIR));
        check("isFileClosed.missing", () -> nn.isFileClosed(DIR + "/none"));
        check("getPreferredBlockSize", () -> nn.getPreferredBlockSize(f));
        check("getPreferredBlockSize.missing", () -> nn.getPreferredBlockSize(DIR + "/none"));
        act("checkAccess", () -> nn.checkAccess(f, FsAction.READ));
        act("checkAccess.missing", () -> nn.checkAccess(DIR + "/none", FsAction.READ));
        check("getContentSummary", () -> nn.getContentSummary(DIR).toString(false));
        check("getContentSummary.missing", () -> nn.getContentSummary(DIR + "/none"));
        check("getQuotaUsage", () -> nn.getQuotaUsage(DIR).getFileAndDirectoryCount());
        check("getQuotaUsage.missing", () -> nn.getQuotaUsage(DIR + "/none"));
        check("getEnclosingRoot", () -> nn.getEnclosingRoot(f));
        check("getServerDefaults", () -> {
            org.apache.hadoop.fs.FsServerDefaults d = nn.getServerDefaults();
            return d.getBlockSize() + " " + d.getBytesPerChecksum() + " " + d.getWritePacketSize() + " " + d.getFileBufferSize()
                    + " " + d.getEncryptDataTransfer() + " " + d.getTrashInterval() + " " + d.getChecksumType() + " '"
                    + d.getKeyProviderUri() + "' " + d.getDefaultStoragePolicyId() + " " + d.getSnapshotTrashRootEnabled();
        });
    }

    private static void tree() throws Exception {
        check("mkdirs", () -> nn.mkdirs(DIR + "/t/a/b", P755, true));
        check("mkdirs.again", () -> nn.mkdirs(DIR + "/t/a/b", P755, true));
        check("mkdirs.no-parent", () -> nn.mkdirs(DIR + "/t/x/y", P755, false));
        check("mkdirs.below-file", () -> nn.mkdirs(file("plain", 1) + "/d", P755, true));
        check("mkdirs.bad-name", () -> nn.mkdirs(DIR + "/a:b/../c", P755, true));
        check("mkdirs.reserved", () -> nn.mkdirs("/.reserved/x", P755, true));
        act("setPermission", () -> nn.setPermission(DIR + "/t/a", new FsPermission((short) 01750)));
        act("setPermission.missing", () -> nn.setPermission(DIR + "/none", P755));
        check("setPermission.seen", () -> nn.getFileInfo(DIR + "/t/a"));
        act("setOwner", () -> nn.setOwner(DIR + "/t/a", "ann", "staff"));
        act("setOwner.missing", () -> nn.setOwner(DIR + "/none", "ann", null));
        check("setOwner.seen", () -> nn.getFileInfo(DIR + "/t/a"));
        act("setTimes", () -> nn.setTimes(DIR + "/plain", 1000, 2000));
        check("setTimes.seen", () -> {
            HdfsFileStatus s = nn.getFileInfo(DIR + "/plain");
            return s.getModificationTime() + " " + s.getAccessTime();
        });
        act("setTimes.missing", () -> nn.setTimes(DIR + "/none", 1, 1));
        check("setReplication", () -> nn.setReplication(DIR + "/plain", (short) 2));
        check("setReplication.dir", () -> nn.setReplication(DIR, (short) 2));
        check("setReplication.missing", () -> nn.setReplication(DIR + "/none", (short) 2));
        check("setReplication.huge", () -> nn.setReplication(DIR + "/plain", (short) 32000));
        check("rename", () -> nn.rename(DIR + "/plain", DIR + "/t/plain"));
        check("rename.missing", () -> nn.rename(DIR + "/none", DIR + "/t/none"));
        check("rename.no-parent", () -> nn.rename(DIR + "/t/plain", DIR + "/no/such"));
        check("rename.into-itself", () -> nn.rename(DIR + "/t", DIR + "/t/a/t"));
        act("rename2", () -> nn.rename2(DIR + "/t/plain", DIR + "/plain2"));
        act("rename2.missing", () -> nn.rename2(DIR + "/none", DIR + "/none2"));
        act("rename2.exists", () -> nn.rename2(file("r1", 1), file("r2", 2)));
        act("rename2.overwrite", () -> nn.rename2(DIR + "/r1", DIR + "/r2", Options.Rename.OVERWRITE));
        act("rename2.dir-over-file", () -> nn.rename2(DIR + "/t", DIR + "/r2", Options.Rename.OVERWRITE));
        act("rename2.non-empty", () -> nn.rename2(DIR + "/t/a/b", DIR + "/t", Options.Rename.OVERWRITE));
        act("createSymlink", () -> nn.createSymlink(DIR + "/r2", DIR + "/link", P755, false));
        check("getFileInfo.behind-link", () -> nn.getFileInfo(DIR + "/link" + ("/" + "x".repeat(200)).repeat(20)));
        check("getLinkTarget", () -> nn.getLinkTarget(DIR + "/link"));
        check("getLinkTarget.file", () -> nn.getLinkTarget(DIR + "/r2"));
        check("getLinkTarget.missing", () -> nn.getLinkTarget(DIR + "/none"));
        act("concat", () -> nn.concat(file("c1", 1 << 20), new String[] {file("c2", 100)}));
        check("concat.seen", () -> nn.getFileInfo(DIR + "/c1"));
        act("concat.missing", () -> nn.concat(DIR + "/c1", new String[] {DIR + "/none"}));
        act("concat.itself", () -> nn.concat(DIR + "/c1", new String[] {DIR + "/c1"}));
        act("concat.nothing", () -> nn.concat(DIR + "/c1", new String[0]));
        check("delete", () -> nn.delete(DIR + "/c1", false));
        check("delete.missing", () -> nn.delete(DIR + "/c1", false));
        check("delete.non-empty", () -> nn.delete(DIR + "/t", false));
        check("delete.recursive", () -> nn.delete(DIR + "/t", true));
        check("delete.root", () -> nn.delete("/", true));
    }

    private static void writing() throws Exception {
        String w = DIR + "/w";
        HdfsFileStatus[] made = new HdfsFileStatus[1];
        LocatedBlock[] block = new LocatedBlock[1];
        check("create", () -> made[0] = create(w, ME, EnumSet.of(CreateFlag.CREATE)));
        check("create.twice", () -> create(w, ME, EnumSet.of(CreateFlag.CREATE)));
        check("create.other", () -> create(w, OTHER, EnumSet.of(CreateFlag.CREATE)));
        create(DIR + "/w2", ME, EnumSet.of(CreateFlag.CREATE));
        check("create.other-overwrites", () -> create(DIR + "/w2", OTHER, EnumSet.of(CreateFlag.CREATE, CreateFlag.OVERWRITE)));
        check("create.exists", () -> create(DIR + "/r2", ME, EnumSet.of(CreateFlag.CREATE)));
        check("create.only-overwrite", () -> create(DIR + "/none", ME, EnumSet.of(CreateFlag.OVERWRITE)));
        check("create.dir", () -> create(DIR, ME, EnumSet.of(CreateFlag.CREATE, CreateFlag.OVERWRITE)));
        check("create.no-local-write", () -> create(DIR + "/nlw", ME, EnumSet.of(CreateFlag.CREATE, CreateFlag.NO_LOCAL_WRITE)));
        check("create.lazy", () -> create(DIR + "/lazy", ME, EnumSet.of(CreateFlag.CREATE, CreateFlag.LAZY_PERSIST)));
        check("create.replicate", () -> create(DIR + "/rep", ME, EnumSet.of(CreateFlag.CREATE, CreateFlag.SHOULD_REPLICATE)));
        check("create.policy-unknown", () -> nn.create(DIR + "/ec", P755, ME, new EnumSetWritable<>(EnumSet.of(CreateFlag.CREATE)),
                true, (short) 1, 1 << 20, new org.apache.hadoop.crypto.CryptoProtocolVersion[0], "NO-SUCH-1-1-1024k", null));
        check("create.policy-and-replicate", () -> nn.create(DIR + "/ec", P755, ME,
                new EnumSetWritable<>(EnumSet.of(CreateFlag.CREATE, CreateFlag.SHOULD_REPLICATE)), true, (short) 1, 1 << 20,
                new org.apache.hadoop.crypto.CryptoProtocolVersion[0], "RS-6-3-1024k", null));
        check("create.small-block", () -> nn.create(DIR + "/small", P755, ME,
                new EnumSetWritable<>(EnumSet.of(CreateFlag.CREATE)), true, (short) 1, 1,
                new org.apache.hadoop.crypto.CryptoProtocolVersion[0], null, null));
        check("create.no-parent", () -> nn.create(DIR + "/no/such", P755, ME,
                new EnumSetWritable<>(EnumSet.of(CreateFlag.CREATE)), false, (short) 1, 1 << 20,
                new org.apache.hadoop.crypto.CryptoProtocolVersion[0], null, null));
        long id = made[0].getFileId();
        check("addBlock", () -> block[0] = nn.addBlock(w, ME, null, null, id, null, null));
        check("addBlock.retry", () -> nn.addBlock(w, ME, null, null, id, null, null).getBlock().equals(block[0].getBlock()));
        check("addBlock.other", () -> nn.addBlock(w, OTHER, null, null, id, null, null));
        check("addBlock.missing", () -> nn.addBlock(DIR + "/none", ME, null, null, 0, null, null));
        ExtendedBlock b = block[0].getBlock();
        check("addBlock.too-early", () -> nn.addBlock(w, ME, b, null, id, null, null));
        check("complete.other", () -> nn.complete(w, OTHER, b, id));
        check("complete.missing", () -> nn.complete(DIR + "/none", ME, null, 0));
        act("fsync", () -> nn.fsync(w, id, ME, 10));
        act("fsync.other", () -> nn.fsync(w, id, OTHER, 10));
        act("fsync.missing", () -> nn.fsync(DIR + "/none", 0, ME, 10));
        check("getAdditionalDatanode", () -> nn.getAdditionalDatanode(w, id, b, block[0].getLocations(),
                block[0].getStorageIDs(), new DatanodeInfo[0], 1, ME).getLocations().length);
        check("getAdditionalDatanode.other", () -> nn.getAdditionalDatanode(w, id, b, block[0].getLocations(),
                block[0].getStorageIDs(), new DatanodeInfo[0], 1, OTHER));
        LocatedBlock[] fresh = new LocatedBlock[1];
        check("updateBlockForPipeline", () -> (fresh[0] = nn.updateBlockForPipeline(b, ME)).getBlock().getGenerationStamp()
                > b.getGenerationStamp());
        check("updateBlockForPipeline.other", () -> nn.updateBlockForPipeline(b, OTHER));
        act("updatePipeline.other", () -> nn.updatePipeline(OTHER, b, fresh[0].getBlock(), block[0].getLocations(),
                block[0].getStorageIDs()));
        act("updatePipeline", () -> nn.updatePipeline(ME, b, fresh[0].getBlock(), block[0].getLocations(),
                block[0].getStorageIDs()));
        act("abandonBlock.other", () -> nn.abandonBlock(b, id, w, OTHER));
        act("abandonBlock", () -> nn.abandonBlock(b, id, w, ME));
        act("abandonBlock.again", () -> nn.abandonBlock(b, id, w, ME));
        check("addBlock.again", () -> block[0] = nn.addBlock(w, ME, null, null, id, null, null));
        check("complete.too-early", () -> nn.complete(w, ME, block[0].getBlock(), id));
        check("updateBlockForPipeline.committed", () -> nn.updateBlockForPipeline(block[0].getBlock(), ME));
        act("abandonBlock.committed", () -> nn.abandonBlock(block[0].getBlock(), id, w, ME));
        check("addBlock.favored", () -> block[0] = nn.addBlock(w, ME, null, null, id,
                new String[] {"no-such-host:1"}, EnumSet.of(org.apache.hadoop.hdfs.AddBlockFlag.IGNORE_CLIENT_LOCALITY)));
        act("abandonBlock.second", () -> nn.abandonBlock(block[0].getBlock(), id, w, ME));
        check("complete", () -> nn.complete(w, ME, null, id));
        check("complete.again", () -> nn.complete(w, ME, null, id));
        check("addBlock.closed", () -> nn.addBlock(w, ME, null, null, id, null, null));
        String data = file("data", 5000);
        check("append", () -> {
            LastBlockWithStatus s = nn.append(data, ME, new EnumSetWritable<>(EnumSet.of(CreateFlag.APPEND)));
            return text(s.getLastBlock()) + " " + text(s.getFileStatus());
        });
        check("append.other", () -> nn.append(data, OTHER, new EnumSetWritable<>(EnumSet.of(CreateFlag.APPEND))));
        check("append.missing", () -> nn.append(DIR + "/none", ME, new EnumSetWritable<>(EnumSet.of(CreateFlag.APPEND))));
        check("append.dir", () -> nn.append(DIR, ME, new EnumSetWritable<>(EnumSet.of(CreateFlag.APPEND))));
        check("append.new-block", () -> text(nn.append(file("data2", 100), ME,
                new EnumSetWritable<>(EnumSet.of(CreateFlag.APPEND, CreateFlag.NEW_BLOCK))).getFileStatus()));
        check("truncate.at-block", () -> nn.truncate(file("tr", 1 << 20), 1 << 20, ME));
        check("truncate.to-zero", () -> nn.truncate(DIR + "/tr", 0, ME));
        check("truncate.larger", () -> nn.truncate(DIR + "/tr", 5, ME));
        check("truncate.negative", () -> nn.truncate(DIR + "/tr", -1, ME));
        check("truncate.missing", () -> nn.truncate(DIR + "/none", 0, ME));
        check("truncate.open", () -> nn.truncate(data, 0, OTHER));
        act("reportBadBlocks.none", () -> nn.reportBadBlocks(new LocatedBlock[0]));
    }

    private static void leases() throws Exception {
        String f = DIR + "/leased";
        create(f, ME, EnumSet.of(CreateFlag.CREATE));
        act("renewLease", () -> nn.renewLease(ME, null));
        act("renewLease.unknown", () -> nn.renewLease("DFSClient_nobody", null));
        act("renewLease.namespaces", () -> nn.renewLease(ME, Arrays.asList("ns1", "ns2")));
        check("recoverLease", () -> nn.recoverLease(f, OTHER));
        check("recoverLease.closed", () -> nn.isFileClosed(f));
        check("recoverLease.of-closed", () -> nn.recoverLease(f, OTHER));
        check("recoverLease.missing", () -> nn.recoverLease(DIR + "/none", OTHER));
        check("recoverLease.dir", () -> nn.recoverLease(DIR, OTHER));
    }

    private static void listings() throws Exception {
        String l = DIR + "/list";
        for (String name : new String[] {"c", "a", "b"}) {
            nn.mkdirs(l + "/" + name, P755, true);
        }
        file("list/z", 700);
        check("getListing", () -> nn.getListing(l, HdfsFileStatus.EMPTY_NAME, false));
        check("getListing.after", () -> nn.getListing(l, "b".getBytes(StandardCharsets.UTF_8), true));
        check("getListing.file", () -> nn.getListing(l + "/z", HdfsFileStatus.EMPTY_NAME, true));
        check("getListing.missing", () -> nn.getListing(DIR + "/none", HdfsFileStatus.EMPTY_NAME, false));
        check("getListing.reserved", () -> nn.getListing("/.reserved", HdfsFileStatus.EMPTY_NAME, false));
        check("getListing.inodes", () -> nn.getListing("/.reserved/.inodes", HdfsFileStatus.EMPTY_NAME, false));
        check("getListing.raw", () -> nn.getListing("/.reserved/raw" + l, HdfsFileStatus.EMPTY_NAME, false));
        check("getListing.by-inode", () -> nn.getListing("/.reserved/.inodes/" + nn.getFileInfo(l).getFileId(),
                HdfsFileStatus.EMPTY_NAME, false));
        check("getBatchedListing", () -> {
            BatchedDirectoryListing d = nn.getBatchedListing(new String[] {l, DIR + "/none", l + "/z", l + "/a"}, new byte[0], true);
            List<String> all = new ArrayList<>();
            for (HdfsPartialListing p : d.getListings()) {
                all.add(p.getParentIdx() + ":" + (p.getException() == null ? text(p.getPartialListing())
                        : "!" + p.getException().getClassName()));
            }
            return all + " " + d.hasMore();
        });
        check("getBatchedListing.too-many", () -> {
            String[] many = new String[101];
            Arrays.fill(many, l);
            return nn.getBatchedListing(many, new byte[0], false);
        });
        create(DIR + "/open1", ME, EnumSet.of(CreateFlag.CREATE));
        check("listOpenFiles.path", () -> open(nn.listOpenFiles(0, EnumSet.of(OpenFilesType.ALL_OPEN_FILES), DIR + "/open1")));
        check("listOpenFiles.other-path", () -> open(nn.listOpenFiles(0, EnumSet.of(OpenFilesType.ALL_OPEN_FILES), DIR + "/ope")));
        check("listOpenFiles.decommission", () -> open(nn.listOpenFiles(0, EnumSet.of(OpenFilesType.BLOCKING_DECOMMISSION), "/")));
        check("listOpenFiles.relative", () -> open(nn.listOpenFiles(0, EnumSet.of(OpenFilesType.ALL_OPEN_FILES), "x")));
        check("listOpenFiles.past", () -> open(nn.listOpenFiles(Long.MAX_VALUE, EnumSet.of(OpenFilesType.ALL_OPEN_FILES), "/")));
        check("listOpenFiles.old", () -> nn.listOpenFiles(0).size() > 0);
        check("listCorruptFileBlocks", () -> nn.listCorruptFileBlocks(DIR, null).getFiles().length);
    }

    private static String open(BatchedEntries<OpenFileEntry> entries) {
        List<String> all = new ArrayList<>();
        for (int i = 0; i < entries.size(); i++) {
            all.add(entries.get(i).getFilePath() + " " + entries.get(i).getClientName());
        }
        return all + " " + entries.hasMore();
    }

    private static String directives(BatchedEntries<CacheDirectiveEntry> entries) {
        List<String> all = new ArrayList<>();
        for (int i = 0; i < entries.size(); i++) {
            CacheDirectiveInfo d = entries.get(i).getInfo();
            all.add(d.getPath().toUri().getPath() + " " + d.getPool() + " " + d.getReplication() + " "
                    + (d.getExpiration().getMillis() > System.currentTimeMillis() * 2 ? "never" : "some")
                    + " " + entries.get(i).getStats().getFilesNeeded() + " " + entries.get(i).getStats().hasExpired());
        }
        return all + " " + entries.hasMore();
    }

    private static String pools(BatchedEntries<CachePoolEntry> entries) {
        List<String> all = new ArrayList<>();
        for (int i = 0; i < entries.size(); i++) {
            CachePoolInfo p = entries.get(i).getInfo();
            all.add(p.getPoolName() + " " + p.getOwnerName() + ":" + p.getGroupName() + " " + p.getMode() + " " + p.getLimit() + " "
                    + p.getDefaultReplication() + " " + p.getMaxRelativeExpiryMs() + " " + entries.get(i).getStats().getFilesNeeded());
        }
        return all + " " + entries.hasMore();
    }

    private static CacheDirectiveInfo.Builder directive(String path, String pool) {
        return new CacheDirectiveInfo.Builder().setPath(new Path(path)).setPool(pool);
    }

    private static void caching() throws Exception {
        EnumSet<CacheFlag> none = EnumSet.noneOf(CacheFlag.class);
        CacheDirectiveInfo all = new CacheDirectiveInfo.Builder().build();
        String f = file("cached", 2000);
        for (String pool : new String[] {"pool1", "pool2"}) {
            try {
                fs.removeCachePool(pool);
            } catch (IOException notThere) {
                // as it should be
            }
        }
        act("addCachePool", () -> nn.addCachePool(new CachePoolInfo("pool1").setOwnerName("ann").setGroupName("staff")
                .setMode(new FsPermission((short) 0750)).setLimit(100000L)));
        act("addCachePool.exists", () -> nn.addCachePool(new CachePoolInfo("pool1")));
        act("addCachePool.no-name", () -> nn.addCachePool(new CachePoolInfo("")));
        act("addCachePool.negative", () -> nn.addCachePool(new CachePoolInfo("pool3").setLimit(-5L)));
        act("addCachePool.defaults", () -> nn.addCachePool(new CachePoolInfo("pool2")));
        check("listCachePools", () -> pools(nn.listCachePools("")));
        check("listCachePools.after", () -> pools(nn.listCachePools("pool1")));
        act("modifyCachePool", () -> nn.modifyCachePool(new CachePoolInfo("pool1").setLimit(5000L).setMaxRelativeExpiryMs(3600000L)));
        act("modifyCachePool.missing", () -> nn.modifyCachePool(new CachePoolInfo("nopool")));
        check("modifyCachePool.seen", () -> pools(nn.listCachePools("")));
        long[] id = new long[2];
        check("addCacheDirective", () -> (id[0] = nn.addCacheDirective(directive(f, "pool1").setReplication((short) 1).build(), none)) > 0);
        check("addCacheDirective.no-pool", () -> nn.addCacheDirective(directive(f, "nopool").build(), none));
        check("addCacheDirective.no-path", () -> nn.addCacheDirective(new CacheDirectiveInfo.Builder().setPool("pool1").build(), none));
        check("addCacheDirective.too-large", () -> nn.addCacheDirective(directive(file("cached2", 9000), "pool1").build(), none));
        check("addCacheDirective.force", () -> (id[1] = nn.addCacheDirective(directive(DIR + "/cached2", "pool1").build(),
                EnumSet.of(CacheFlag.FORCE))) > 0);
        check("addCacheDirective.too-long", () -> nn.addCacheDirective(directive(f, "pool1").setExpiration(
                CacheDirectiveInfo.Expiration.newRelative(7200000L)).build(), none));
        check("addCacheDirective.with-id", () -> nn.addCacheDirective(directive(f, "pool1").setId(5L).build(), none));
        check("listCacheDirectives", () -> directives(nn.listCacheDirectives(0, all)));
        check("listCacheDirectives.path", () -> directives(nn.listCacheDirectives(0,
                new CacheDirectiveInfo.Builder().setPath(new Path(f)).build())));
        check("listCacheDirectives.pool", () -> directives(nn.listCacheDirectives(0,
                new CacheDirectiveInfo.Builder().setPool("pool2").build())));
        check("listCacheDirectives.id", () -> directives(nn.listCacheDirectives(0,
                new CacheDirectiveInfo.Builder().setId(id[1]).build())));
        check("listCacheDirectives.id-missing", () -> directives(nn.listCacheDirectives(0,
                new CacheDirectiveInfo.Builder().setId(id[1] + 100).build())));
        check("listCacheDirectives.filter-replication", () -> directives(nn.listCacheDirectives(0,
                new CacheDirectiveInfo.Builder().setReplication((short) 1).build())));
        act("modifyCacheDirective", () -> nn.modifyCacheDirective(new CacheDirectiveInfo.Builder().setId(id[0])
                .setReplication((short) 2).build(), EnumSet.of(CacheFlag.FORCE)));
        act("modifyCacheDirective.pool", () -> nn.modifyCacheDirective(new CacheDirectiveInfo.Builder().setId(id[1])
                .setPool("pool2").build(), none));
        act("modifyCacheDirective.no-id", () -> nn.modifyCacheDirective(directive(f, "pool1").build(), none));
        act("modifyCacheDirective.missing", () -> nn.modifyCacheDirective(new CacheDirectiveInfo.Builder().setId(id[1] + 100).build(), none));
        check("modifyCacheDirective.seen", () -> directives(nn.listCacheDirectives(0, all)));
        check("listCachePools.counted", () -> pools(nn.listCachePools("")));
        act("removeCacheDirective", () -> nn.removeCacheDirective(id[0]));
        act("removeCacheDirective.again", () -> nn.removeCacheDirective(id[0]));
        act("removeCacheDirective.bad-id", () -> nn.removeCacheDirective(-1));
        act("removeCachePool", () -> nn.removeCachePool("pool1"));
        act("removeCachePool.with-directives", () -> nn.removeCachePool("pool2"));
        act("removeCachePool.missing", () -> nn.removeCachePool("pool1"));
        check("listCacheDirectives.gone", () -> directives(nn.listCacheDirectives(0, all)));
    }

    private static void attributes() throws Exception {
        String f = file("attr", 10);
        XAttr x = XAttrHelper.buildXAttr("user.colour", "blue".getBytes(StandardCharsets.UTF_8));
        act("setXAttr", () -> nn.setXAttr(f, x, EnumSet.of(XAttrSetFlag.CREATE)));
        act("setXAttr.exists", () -> nn.setXAttr(f, x, EnumSet.of(XAttrSetFlag.CREATE)));
        act("setXAttr.missing", () -> nn.setXAttr(DIR + "/none", x, EnumSet.of(XAttrSetFlag.CREATE)));
        check("getXAttrs", () -> nn.getXAttrs(f, XAttrHelper.buildXAttrAsList("user.colour")).size());
        check("getXAttrs.unknown", () -> nn.getXAttrs(f, XAttrHelper.buildXAttrAsList("user.none")));
        check("listXAttrs", () -> nn.listXAttrs(f).size());
        act("removeXAttr", () -> nn.removeXAttr(f, x));
        act("removeXAttr.again", () -> nn.removeXAttr(f, x));
        List<AclEntry> acl = AclEntry.parseAclSpec("user:ann:rw-,mask::rwx", true);
        act("modifyAclEntries", () -> nn.modifyAclEntries(f, acl));
        check("getAclStatus", () -> nn.getAclStatus(f).toString());
        check("getAclStatus.missing", () -> nn.getAclStatus(DIR + "/none"));
        act("removeAclEntries", () -> nn.removeAclEntries(f, AclEntry.parseAclSpec("user:ann", false)));
        act("setAcl", () -> nn.setAcl(f, AclEntry.parseAclSpec("user::rw-,group::r--,other::---,user:bob:r--", true)));
        act("setAcl.incomplete", () -> nn.setAcl(f, AclEntry.parseAclSpec("user:bob:r--", true)));
        act("removeDefaultAcl", () -> nn.removeDefaultAcl(DIR));
        act("removeAcl", () -> nn.removeAcl(f));
        act("removeAcl.missing", () -> nn.removeAcl(DIR + "/none"));
        act("setQuota", () -> nn.setQuota(DIR + "/list", 100, HdfsConstants.QUOTA_DONT_SET, null));
        act("setQuota.file", () -> nn.setQuota(f, 100, 100, null));
        act("setQuota.clear", () -> nn.setQuota(DIR + "/list", HdfsConstants.QUOTA_RESET, HdfsConstants.QUOTA_RESET, null));
        check("getStoragePolicies", () -> {
            List<String> all = new ArrayList<>();
            for (org.apache.hadoop.hdfs.protocol.BlockStoragePolicy p : nn.getStoragePolicies()) {
                all.add(p.toString());
            }
            return all;
        });
        check("getStoragePolicy", () -> nn.getStoragePolicy(f).getName());
        check("getStoragePolicy.missing", () -> nn.getStoragePolicy(DIR + "/none"));
        act("setStoragePolicy", () -> nn.setStoragePolicy(DIR + "/list", "COLD"));
        act("setStoragePolicy.unknown", () -> nn.setStoragePolicy(DIR + "/list", "WHATEVER"));
        act("unsetStoragePolicy", () -> nn.unsetStoragePolicy(DIR + "/list"));
        act("satisfyStoragePolicy", () -> nn.satisfyStoragePolicy(DIR + "/list"));
    }

    private static void snapshots() throws Exception {
        String d = DIR + "/snap";
        nn.mkdirs(d, P755, true);
        check("createSnapshot.not-allowed", () -> nn.createSnapshot(d, "s1"));
        act("allowSnapshot", () -> nn.allowSnapshot(d));
        check("createSnapshot", () -> nn.createSnapshot(d, "s1"));
        check("createSnapshot.exists", () -> nn.createSnapshot(d, "s1"));
        file("snap/new", 5);
        check("createSnapshot.second", () -> nn.createSnapshot(d, "s2"));
        act("renameSnapshot", () -> nn.renameSnapshot(d, "s2", "s3"));
        check("getSnapshotDiffReport", () -> nn.getSnapshotDiffReport(d, "s1", "s3").getDiffList().size());
        check("getSnapshotDiffReportListing", () -> nn.getSnapshotDiffReportListing(d, "s1", "s3", new byte[0], -1).getCreateList().size());
        check("getSnapshottableDirListing", () -> nn.getSnapshottableDirListing().length);
        check("getSnapshotListing", () -> nn.getSnapshotListing(d).length);
        act("disallowSnapshot.has-some", () -> nn.disallowSnapshot(d));
        act("deleteSnapshot", () -> nn.deleteSnapshot(d, "s1"));
        act("deleteSnapshot.missing", () -> nn.deleteSnapshot(d, "s1"));
        act("deleteSnapshot.last", () -> nn.deleteSnapshot(d, "s3"));
        act("disallowSnapshot", () -> nn.disallowSnapshot(d));
    }

    private static void erasure() throws Exception {
        check("getErasureCodingPolicies", () -> Arrays.stream(nn.getErasureCodingPolicies()).map(p -> p.getPolicy().getName())
                .collect(Collectors.toList()));
        check("getErasureCodingPolicies.states", () -> Arrays.stream(nn.getErasureCodingPolicies()).map(p -> p.getState().toString())
                .collect(Collectors.toList()));
        check("getErasureCodingCodecs", () -> nn.getErasureCodingCodecs());
        check("getErasureCodingPolicy", () -> nn.getErasureCodingPolicy(DIR));
        check("getErasureCodingPolicy.missing", () -> nn.getErasureCodingPolicy(DIR + "/none"));
        act("setErasureCodingPolicy.disabled", () -> nn.setErasureCodingPolicy(DIR, "XOR-2-1-1024k"));
        act("setErasureCodingPolicy.unknown", () -> nn.setErasureCodingPolicy(DIR, "NO-SUCH-1-1-1024k"));
        act("unsetErasureCodingPolicy", () -> nn.unsetErasureCodingPolicy(DIR));
        act("setErasureCodingPolicy.replication", () -> nn.setErasureCodingPolicy(DIR, "replication"));
        check("getErasureCodingPolicy.replication", () -> nn.getErasureCodingPolicy(DIR));
        check("getContentSummary.replication", () -> nn.getContentSummary(DIR).getErasureCodingPolicy());
        act("setErasureCodingPolicy.again", () -> nn.setErasureCodingPolicy(DIR, "REPLICATION"));
        act("setErasureCodingPolicy.missing", () -> nn.setErasureCodingPolicy(DIR + "/none", "replication"));
        act("setErasureCodingPolicy.onFile", () -> nn.setErasureCodingPolicy(DIR + "/f", "replication"));
        act("unsetErasureCodingPolicy.onFile", () -> nn.unsetErasureCodingPolicy(DIR + "/f"));
        act("unsetErasureCodingPolicy.replication", () -> nn.unsetErasureCodingPolicy(DIR));
        act("unsetErasureCodingPolicy.missing", () -> nn.unsetErasureCodingPolicy(DIR + "/none"));
        check("addErasureCodingPolicies", () -> {
            AddErasureCodingPolicyResponse[] r = nn.addErasureCodingPolicies(new ErasureCodingPolicy[] {
                new ErasureCodingPolicy(new ECSchema("nocodec", 3, 2), 1 << 20)});
            return r.length + " " + r[0].isSucceed();
        });
        act("removeErasureCodingPolicy.system", () -> nn.removeErasureCodingPolicy("RS-6-3-1024k"));
        act("removeErasureCodingPolicy.unknown", () -> nn.removeErasureCodingPolicy("NO-SUCH"));
        act("enableErasureCodingPolicy.unknown", () -> nn.enableErasureCodingPolicy("NO-SUCH"));
        act("disableErasureCodingPolicy", () -> nn.disableErasureCodingPolicy("XOR-2-1-1024k"));
        act("disableErasureCodingPolicy.unknown", () -> nn.disableErasureCodingPolicy("NO-SUCH"));
        check("getECTopologyResultForPolicies", () -> nn.getECTopologyResultForPolicies("RS-6-3-1024k").getResultMessage());
        check("getECTopologyResultForPolicies.unknown", () -> nn.getECTopologyResultForPolicies("NO-SUCH"));
        check("getECBlockGroupStats", () -> nn.getECBlockGroupStats().getLowRedundancyBlockGroups());
    }

    private static void encryption() {
        act("createEncryptionZone", () -> nn.createEncryptionZone(DIR + "/snap", "key"));
        check("getEZForPath", () -> nn.getEZForPath(DIR));
        check("listEncryptionZones", () -> nn.listEncryptionZones(0).size());
        act("reencryptEncryptionZone", () -> nn.reencryptEncryptionZone(DIR, HdfsConstants.ReencryptAction.START));
        check("listReencryptionStatus", () -> nn.listReencryptionStatus(0).size());
        check("getDataEncryptionKey", () -> nn.getDataEncryptionKey());
    }

    private static Token<DelegationTokenIdentifier> token(String owner, String renewer, long maxDate) {
        DelegationTokenIdentifier id = new DelegationTokenIdentifier(new Text(owner), new Text(renewer), new Text(""));
        id.setIssueDate(1000);
        id.setMaxDate(maxDate);
        id.setMasterKeyId(77);
        return new Token<>(id.getBytes(), new byte[20], id.getKind(), new Text("there"));
    }

    private static void tokens() throws IOException {
        String me = UserGroupInformation.getCurrentUser().getShortUserName();
        check("getDelegationToken", () -> nn.getDelegationToken(new Text("yarn")));
        check("renewDelegationToken.expired", () -> nn.renewDelegationToken(token(me, me, 1)));
        check("renewDelegationToken.no-renewer", () -> nn.renewDelegationToken(token(me, "", Long.MAX_VALUE)));
        check("renewDelegationToken.other", () -> nn.renewDelegationToken(token(me, "yarn", Long.MAX_VALUE)));
        check("renewDelegationToken.key", () -> nn.renewDelegationToken(token(me, me, Long.MAX_VALUE)));
        check("renewDelegationToken.cut", () -> nn.renewDelegationToken(new Token<>(new byte[3], new byte[0], new Text("k"), new Text("s"))));
        act("cancelDelegationToken", () -> nn.cancelDelegationToken(token(me, "yarn", Long.MAX_VALUE)));
        act("cancelDelegationToken.other", () -> nn.cancelDelegationToken(token("ann", "yarn", Long.MAX_VALUE)));
        act("cancelDelegationToken.version", () -> nn.cancelDelegationToken(new Token<>(new byte[] {9, 0, 0}, new byte[0],
                new Text("k"), new Text("s"))));
    }

    private static void operating() throws Exception {
        check("getStats", () -> nn.getStats().length);
        check("getReplicatedBlockStats", () -> nn.getReplicatedBlockStats().getMissingReplicaBlocks());
        for (HdfsConstants.DatanodeReportType type : HdfsConstants.DatanodeReportType.values()) {
            check("getDatanodeReport." + type, () -> nn.getDatanodeReport(type).length);
            check("getDatanodeStorageReport." + type, () -> nn.getDatanodeStorageReport(type).length);
        }
        check("getSlowDatanodeReport", () -> nn.getSlowDatanodeReport().length);
        check("setSafeMode.get", () -> nn.setSafeMode(HdfsConstants.SafeModeAction.SAFEMODE_GET, false));
        check("setSafeMode.enter", () -> nn.setSafeMode(HdfsConstants.SafeModeAction.SAFEMODE_ENTER, true));
        check("safemode.create", () -> create(DIR + "/never", ME, EnumSet.of(CreateFlag.CREATE)));
        check("safemode.mkdirs", () -> nn.mkdirs(DIR + "/never", P755, true));
        check("safemode.delete", () -> nn.delete(DIR + "/r2", true));
        act("safemode.renewLease", () -> nn.renewLease(ME, null));
        check("safemode.getDelegationToken", () -> nn.getDelegationToken(new Text("yarn")));
        act("safemode.addCachePool", () -> nn.addCachePool(new CachePoolInfo("pool9")));
        check("safemode.saveNamespace", () -> nn.saveNamespace(0, 0));
        check("setSafeMode.leave", () -> nn.setSafeMode(HdfsConstants.SafeModeAction.SAFEMODE_LEAVE, true));
        check("saveNamespace", () -> nn.saveNamespace(0, 0));
        check("rollEdits", () -> nn.rollEdits() > 0);
        check("restoreFailedStorage", () -> nn.restoreFailedStorage("check"));
        act("refreshNodes", () -> nn.refreshNodes());
        act("finalizeUpgrade", () -> nn.finalizeUpgrade());
        check("upgradeStatus", () -> nn.upgradeStatus());
        check("rollingUpgrade.query", () -> nn.rollingUpgrade(HdfsConstants.RollingUpgradeAction.QUERY));
        check("rollingUpgrade.finalize", () -> nn.rollingUpgrade(HdfsConstants.RollingUpgradeAction.FINALIZE));
        act("metaSave", () -> nn.metaSave("battery-metasave"));
        act("setBalancerBandwidth", () -> nn.setBalancerBandwidth(1 << 20));
        act("setBalancerBandwidth.negative", () -> nn.setBalancerBandwidth(-1));
        act("msync", () -> nn.msync());
        check("getHAServiceState", () -> nn.getHAServiceState());
        check("getCurrentEditLogTxid", () -> nn.getCurrentEditLogTxid() > 0);
        check("getEditsFromTxid", () -> nn.getEditsFromTxid(nn.getCurrentEditLogTxid()) != null);
    }

    private static void nobody() throws Exception {
        ClientProtocol root = nn;
        DistributedFileSystem theirs = as("nobody-in-particular", () -> (DistributedFileSystem) FileSystem.newInstance(uri, conf));
        nn = recorded(theirs.getClient().getNamenode());
        check("nobody.getDatanodeReport", () -> nn.getDatanodeReport(HdfsConstants.DatanodeReportType.LIVE));
        check("nobody.setSafeMode", () -> nn.setSafeMode(HdfsConstants.SafeModeAction.SAFEMODE_ENTER, false));
        check("nobody.saveNamespace", () -> nn.saveNamespace(0, 0));
        check("nobody.rollEdits", () -> nn.rollEdits());
        act("nobody.refreshNodes", () -> nn.refreshNodes());
        act("nobody.metaSave", () -> nn.metaSave("x"));
        act("nobody.setBalancerBandwidth", () -> nn.setBalancerBandwidth(1));
        act("nobody.finalizeUpgrade", () -> nn.finalizeUpgrade());
        check("nobody.listOpenFiles", () -> nn.listOpenFiles(0, EnumSet.of(OpenFilesType.ALL_OPEN_FILES), "/"));
        check("nobody.listCorruptFileBlocks", () -> nn.listCorruptFileBlocks("/", null).getFiles().length);
        check("nobody.getSlowDatanodeReport", () -> nn.getSlowDatanodeReport().length);
        act("nobody.addCachePool", () -> nn.addCachePool(new CachePoolInfo("pool9")));
        act("nobody.allowSnapshot", () -> nn.allowSnapshot(DIR));
        act("nobody.createEncryptionZone", () -> nn.createEncryptionZone(DIR, "k"));
        check("nobody.listEncryptionZones", () -> nn.listEncryptionZones(0).size());
        act("nobody.enableErasureCodingPolicy", () -> nn.enableErasureCodingPolicy("XOR-2-1-1024k"));
        act("nobody.removeErasureCodingPolicy", () -> nn.removeErasureCodingPolicy("XOR-2-1-1024k"));
        check("nobody.getECTopologyResult", () -> nn.getECTopologyResultForPolicies("RS-6-3-1024k"));
        act("nobody.setOwner", () -> nn.setOwner(DIR + "/r2", "nobody-in-particular", null));
        act("nobody.setQuota", () -> nn.setQuota(DIR, 1, 1, null));
        check("nobody.create", () -> create(DIR + "/theirs", ME, EnumSet.of(CreateFlag.CREATE)));
        check("nobody.delete", () -> nn.delete(DIR + "/r2", true));
        check("nobody.getCurrentEditLogTxid", () -> nn.getCurrentEditLogTxid() > 0);
        check("nobody.upgradeStatus", () -> nn.upgradeStatus());
        check("nobody.getServerDefaults", () -> nn.getServerDefaults().getReplication() > 0);
        nn = root;
    }

    private static <T> T other(Class<T> protocol) throws IOException {
        return NameNodeProxies.createProxy(conf, uri, protocol).getProxy();
    }

    private static final String[] NAMENODE_INTERFACES = {
        "hdfs.protocolPB.ClientNamenodeProtocolPB", "hdfs.protocolPB.NamenodeProtocolPB", "hdfs.protocolPB.DatanodeProtocolPB",
        "hdfs.protocolPB.ReconfigurationProtocolPB", "tools.protocolPB.GetUserMappingsProtocolPB",
        "security.protocolPB.RefreshUserMappingsProtocolPB", "security.protocolPB.RefreshAuthorizationPolicyProtocolPB",
        "ipc.protocolPB.RefreshCallQueueProtocolPB", "ipc.protocolPB.GenericRefreshProtocolPB",
        "hdfs.protocolPB.InterDatanodeProtocolPB"};
    private static final String[] DATANODE_INTERFACES = {
        "hdfs.protocolPB.ClientDatanodeProtocolPB", "hdfs.protocolPB.InterDatanodeProtocolPB",
        "hdfs.protocolPB.ReconfigurationProtocolPB"};

    /** Methods of the interface that the server says it has not, as its signatures tell. */
    private static Object unsupported(Class<?> protocol, InetSocketAddress server) throws Exception {
        RPC.setProtocolEngine(conf, protocol, org.apache.hadoop.ipc.ProtobufRpcEngine2.class);
        long version = RPC.getProtocolVersion(protocol);
        Object proxy = RPC.getProxy(protocol, version, server, conf);
        TreeSet<String> missing = new TreeSet<>();
        for (Method method : protocol.getMethods()) {
            if (!org.apache.hadoop.ipc.RpcClientUtil.isMethodSupported(proxy, protocol, RPC.RpcKind.RPC_PROTOCOL_BUFFER, version,
                    method.getName())) {
                missing.add(method.getName());
            }
        }
        return missing;
    }

    private static void otherProtocols() throws Exception {
        NamenodeProtocol balancer = other(NamenodeProtocol.class);
        check("NamenodeProtocol.versionRequest", () -> balancer.versionRequest().getBlockPoolID().startsWith("BP-"));
        DatanodeInfo node = nn.getDatanodeReport(HdfsConstants.DatanodeReportType.LIVE)[0];
        check("NamenodeProtocol.getBlocks", () -> balancer.getBlocks(node, 1 << 30, 0, 0, null).getBlocks().length > 0);
        check("NamenodeProtocol.getBlocks.size", () -> balancer.getBlocks(node, 0, 0, 0, null));
        check("NamenodeProtocol.getBlocks.unknown", () -> balancer.getBlocks(
                new DatanodeInfo.DatanodeInfoBuilder().setNodeID(new DatanodeID("9.9.9.9", "nohost", "no-uuid", 1, 2, 3, 4)).build(),
                1, 0, 0, null));
        check("NamenodeProtocol.getBlockKeys", () -> {
            org.apache.hadoop.hdfs.security.token.block.ExportedBlockKeys keys = balancer.getBlockKeys();
            return keys == null ? "none" : keys.isBlockTokenEnabled();
        });
        check("NamenodeProtocol.getTransactionID", () -> balancer.getTransactionID() > 0);
        check("NamenodeProtocol.getMostRecentCheckpointTxId", () -> balancer.getMostRecentCheckpointTxId() >= 0);
        check("NamenodeProtocol.rollEditLog", () -> balancer.rollEditLog().getBlockpoolID().startsWith("BP-"));
        check("NamenodeProtocol.getEditLogManifest", () -> balancer.getEditLogManifest(1) != null);
        check("NamenodeProtocol.isUpgradeFinalized", () -> balancer.isUpgradeFinalized());
        check("NamenodeProtocol.isRollingUpgrade", () -> balancer.isRollingUpgrade());
        check("NamenodeProtocol.getNextSPSPath", () -> balancer.getNextSPSPath());
        GetUserMappingsProtocol groups = other(GetUserMappingsProtocol.class);
        check("GetUserMappings.root", () -> groups.getGroupsForUser("root"));
        check("GetUserMappings.unknown", () -> groups.getGroupsForUser("nobody-in-particular"));
        RefreshUserMappingsProtocol mappings = other(RefreshUserMappingsProtocol.class);
        act("RefreshUserMappings.groups", () -> mappings.refreshUserToGroupsMappings());
        act("RefreshUserMappings.proxies", () -> mappings.refreshSuperUserGroupsConfiguration());
        act("RefreshCallQueue", () -> other(RefreshCallQueueProtocol.class).refreshCallQueue());
        GenericRefreshProtocol refresh = genericRefresh();
        check("GenericRefresh.unknown", () -> refresh.refresh("no-such-thing", new String[0]).iterator().next().getReturnCode());
        InetSocketAddress address = new InetSocketAddress(uri.getHost(), uri.getPort());
        ReconfigurationProtocol settings = DFSUtilClient.createReconfigurationProtocolProxy(address,
                UserGroupInformation.getCurrentUser(), conf, org.apache.hadoop.net.NetUtils.getDefaultSocketFactory(conf));
        check("Reconfiguration.list", () -> settings.listReconfigurableProperties().contains("dfs.heartbeat.interval"));
        act("Reconfiguration.start", () -> settings.startReconfiguration());
        check("Reconfiguration.status", () -> settings.getReconfigurationStatus().hasTask());
        InetSocketAddress ipc = org.apache.hadoop.net.NetUtils.createSocketAddr(node.getIpcAddr(false));
        for (String name : NAMENODE_INTERFACES) {
            check("isMethodSupported." + name, () -> unsupported(Class.forName("org.apache.hadoop." + name), address));
        }
        for (String name : DATANODE_INTERFACES) {
            check("isMethodSupported.datanode." + name, () -> unsupported(Class.forName("org.apache.hadoop." + name), ipc));
        }
        HAServiceProtocol ha = new org.apache.hadoop.ha.protocolPB.HAServiceProtocolClientSideTranslatorPB(address, conf);
        HAServiceProtocol.StateChangeRequestInfo byUser = new HAServiceProtocol.StateChangeRequestInfo(
                HAServiceProtocol.RequestSource.REQUEST_BY_USER);
        HAServiceProtocol.StateChangeRequestInfo byZkfc = new HAServiceProtocol.StateChangeRequestInfo(
                HAServiceProtocol.RequestSource.REQUEST_BY_ZKFC);
        act("HAService.monitorHealth", () -> ha.monitorHealth());
        check("HAService.getServiceStatus", () -> ha.getServiceStatus().getState());
        act("HAService.transitionToActive", () -> ha.transitionToActive(byUser));
        act("HAService.transitionToStandby", () -> ha.transitionToStandby(byUser));
        act("HAService.transitionToObserver", () -> ha.transitionToObserver(byUser));
        act("HAService.transition.zkfc", () -> ha.transitionToStandby(byZkfc));
    }

    private static GenericRefreshProtocol genericRefresh() throws IOException {
        RPC.setProtocolEngine(conf, org.apache.hadoop.ipc.protocolPB.GenericRefreshProtocolPB.class,
                org.apache.hadoop.ipc.ProtobufRpcEngine2.class);
        return new org.apache.hadoop.ipc.protocolPB.GenericRefreshProtocolClientSideTranslatorPB(RPC.getProxy(
                org.apache.hadoop.ipc.protocolPB.GenericRefreshProtocolPB.class,
                RPC.getProtocolVersion(org.apache.hadoop.ipc.protocolPB.GenericRefreshProtocolPB.class),
                new InetSocketAddress(uri.getHost(), uri.getPort()), UserGroupInformation.getCurrentUser(), conf,
                org.apache.hadoop.net.NetUtils.getDefaultSocketFactory(conf), 0));
    }

    private static void datanode() throws Exception {
        String f = file("replica", 4321);
        LocatedBlock b = nn.getBlockLocations(f, 0, 5000).get(0);
        ClientDatanodeProtocol dn = DFSUtilClient.createClientDatanodeProtocolProxy(b.getLocations()[0], conf, 10000, false);
        check("datanode.getReplicaVisibleLength", () -> dn.getReplicaVisibleLength(b.getBlock()));
        check("datanode.getReplicaVisibleLength.unknown", () -> dn.getReplicaVisibleLength(
                new ExtendedBlock(b.getBlock().getBlockPoolId(), 5, 0, 5)));
        check("datanode.getBlockLocalPathInfo", () -> dn.getBlockLocalPathInfo(b.getBlock(), b.getBlockToken()));
        act("datanode.refreshNamenodes", () -> dn.refreshNamenodes());
        act("datanode.deleteBlockPool.ours", () -> dn.deleteBlockPool(b.getBlock().getBlockPoolId(), true));
        check("datanode.getDatanodeInfo", () -> dn.getDatanodeInfo().getSoftwareVersion());
        check("datanode.getVolumeReport", () -> dn.getVolumeReport().size());
        check("datanode.getBalancerBandwidth", () -> dn.getBalancerBandwidth() > 0);
        act("datanode.triggerBlockReport", () -> dn.triggerBlockReport(
                new org.apache.hadoop.hdfs.client.BlockReportOptions.Factory().setIncremental(true).build()));
        check("datanode.reconfiguration.list", () -> dn.listReconfigurableProperties().contains("dfs.blockreport.intervalMsec"));
        check("datanode.reconfiguration.status", () -> dn.getReconfigurationStatus().hasTask());
        act("datanode.reconfiguration.start", () -> dn.startReconfiguration());
        act("datanode.submitDiskBalancerPlan", () -> dn.submitDiskBalancerPlan("0123456789012345678901234567890123456789", 1, "f", "{}", false));
        act("datanode.cancelDiskBalancePlan", () -> dn.cancelDiskBalancePlan("0123"));
        check("datanode.queryDiskBalancerPlan", () -> dn.queryDiskBalancerPlan().getResult());
        check("datanode.getDiskBalancerSetting.unknown", () -> dn.getDiskBalancerSetting("no-such-key"));
        act("datanode.evictWriters", () -> dn.evictWriters());
    }
}

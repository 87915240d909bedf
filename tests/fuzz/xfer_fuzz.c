/* A datanode's transfer port: whole conversations, up to the files they make. The peer says what it has to say and then
 * waits for the end, which must come. Nothing can be connected to from here, whatever addresses the input names. */
#include <dlfcn.h>
#include <netdb.h>
#include <signal.h>
#include <sys/socket.h>

#include "client/lib/peer_cache.h"
#include "common/log.h"
#include "common/net.h"
#include "datanode/datanode.h"
#include "datanode/report/reporter.h"
#include "datanode/serve/shm_registry.h"
#include "datanode/serve/xfer.h"
#include "datanode/store/block_cache.h"
#include "datanode/store/replica_writer.h"
#include "hdfs/data_transfer.pb-c.h"
#include "proto/message.h"
#include "proto/op_header.h"
#include "proto/packet.h"
#include "tests/fuzz/fuzz.h"

#define XFER_FUZZ_POOL  "BP-1-10.0.0.1-5"
#define XFER_FUZZ_BLOCK 1073741825 /* is there before every conversation */
#define XFER_FUZZ_BYTES 5000

int connect(int fd, const struct sockaddr *address, socklen_t len) /* instead of the C library's */
{
    (void)fd, (void)address, (void)len;
    errno = ECONNREFUSED;
    return -1;
}
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
    struct addrinfo numeric = hints ? *hints : (struct addrinfo){0};
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    numeric.ai_flags |= AI_NUMERICHOST; /* nobody is asked for names */
    return real(node, service, &numeric, ret);
}

/* ---- the datanode ---- */

static struct datanode *xfer_fuzz_datanode(void)
{
    static struct datanode dn;
    static char dir[] = "/tmp/cairn-xfer-fuzz-XXXXXX";
    struct err why = {0};
    if (dn.store)
        return &dn;
    log_set_level(LOG_LEVEL_ERROR);
    signal(SIGPIPE, SIG_IGN); /* as the program does first of all */
    if (!mkdtemp(dir))
        abort();
    dn.settings = (struct settings){.transfer_threads_max = 64, .keepalive_ms = 1000, .moves_max = 2, .data_dirs = dir};
    snprintf(dn.settings.namenode.host, sizeof dn.settings.namenode.host, "127.0.0.1");
    snprintf(dn.settings.transfer_listen.host, sizeof dn.settings.transfer_listen.host, "127.0.0.1");
    dn.settings.namenode.port = 1;
    dn.settings.heartbeat_ms = 3000;
    throttle_init(&dn.balance_throttle, &dn.balance_bytes_per_second);
    dn.shm = shm_registry_new();
    dn.mirrors = peer_cache_new();
    struct block_store_options options = {.data_dirs = dir, .small_bytes = 16384};
    struct pool_identity pool = {.pool_id = XFER_FUZZ_POOL, .cluster_id = "CID-1", .namespace_id = 1};
    if (block_store_open(&options, &dn.store, &why) < 0 || !(dn.cache = block_cache_new(dn.store, 0)) ||
        block_store_open_pool(dn.store, &pool, &why) < 0 || reporter_start(&dn, &dn.reporter, &why) < 0 ||
        xfer_server_start(&dn, &dn.xfer, &dn.transfer_port, &why) < 0) {
        fprintf(stderr, "%s\n", why.text);
        abort();
    }
    return &dn;
}

static void xfer_fuzz_collect(const struct replica_view *view, void *arg)
{
    struct buf *ids = arg;
    if (view->block_id != XFER_FUZZ_BLOCK || view->state != REPLICA_FINALIZED || view->disk_bytes != XFER_FUZZ_BYTES)
        buf_append(ids, &view->block_id, sizeof view->block_id);
}

/* What the last conversation left goes away; the block that all may ask for is made if it is not as it was. */
static void xfer_fuzz_clean(struct datanode *dn)
{
    AUTO(buf_free) struct buf ids = {0};
    struct replica_view view;
    struct replica_writer *w;
    block_store_each(dn->store, 0, xfer_fuzz_collect, &ids);
    for (size_t i = 0; i < ids.len; i += sizeof(uint64_t)) {
        uint64_t id;
        memcpy(&id, ids.base + i, sizeof id);
        (void)!block_store_delete(dn->store, id, 0, &view, NULL);
    }
    if (block_store_view(dn->store, XFER_FUZZ_BLOCK, &view, NULL) == 0)
        return;
    static const uint8_t zeros[XFER_FUZZ_BYTES];
    struct replica_create c = {.block_id = XFER_FUZZ_BLOCK, .gen_stamp = 1001, .meta = {CHECKSUM_CRC32C, 512}};
    struct meta_header none = {CHECKSUM_NULL, 512};
    if (block_store_create_rbw(dn->store, &c, &w, NULL) < 0 ||
        replica_writer_write(w, &(struct write_piece){.data = zeros, .data_bytes = sizeof zeros}, &none, NULL) < 0 ||
        replica_writer_finalize(w, false, &view, NULL) < 0)
        abort();
}

/* ---- what a client would say ---- */

struct xfer_fuzz_parts { /* point to each other */
    Hdfs__ExtendedBlockProto block;
    Hdfs__TokenProto token;
    Hdfs__BaseHeaderProto base;
    Hdfs__ClientOperationHeaderProto header;
    Hdfs__ChecksumProto checksum;
    Hdfs__DatanodeIDProto id;
    Hdfs__DatanodeInfoProto node;
};

static void xfer_fuzz_fill(struct xfer_fuzz_parts *p, uint64_t block_id)
{
    static char pool[] = XFER_FUZZ_POOL, client[] = "DFSClient_1", none[] = "", ip[] = "10.0.0.2";
    *p = (struct xfer_fuzz_parts){HDFS__EXTENDED_BLOCK_PROTO__INIT, HDFS__TOKEN_PROTO__INIT,
                                  HDFS__BASE_HEADER_PROTO__INIT,    HDFS__CLIENT_OPERATION_HEADER_PROTO__INIT,
                                  HDFS__CHECKSUM_PROTO__INIT,       HDFS__DATANODE_IDPROTO__INIT,
                                  HDFS__DATANODE_INFO_PROTO__INIT};
    p->block.poolid = pool;
    p->block.blockid = block_id;
    p->block.generationstamp = 1001;
    p->token.kind = p->token.service = none;
    p->base.block = &p->block;
    p->base.token = &p->token;
    p->header.baseheader = &p->base;
    p->header.clientname = client;
    p->checksum.type = HDFS__CHECKSUM_TYPE_PROTO__CHECKSUM_CRC32C;
    p->checksum.bytesperchecksum = 512;
    p->id.ipaddr = p->id.hostname = p->id.datanodeuuid = ip;
    p->id.xferport = 9866;
    p->node.id = &p->id;
}

static void xfer_fuzz_op(struct buf *out, uint8_t code, const ProtobufCMessage *message)
{
    buf_append(out, (const uint8_t[]){0, OP_VERSION, code}, 3);
    message_pack_delimited(out, message);
}

static void xfer_fuzz_packet(struct buf *out, int64_t seqno, int64_t offset, size_t len, bool last)
{
    static const uint8_t zeros[4096];
    uint8_t head[PACKET_HEADER_MAX_BYTES], sums[64];
    struct packet_header h = {
        .offset_in_block = offset, .seqno = seqno, .data_bytes = (uint32_t)len, .last_in_block = last};
    h.checksum_bytes = (uint32_t)(checksum_chunk_count(len, 512) * 4);
    checksum_chunks(CHECKSUM_CRC32C, zeros, len, 512, sums);
    buf_append(out, head, packet_header_encode(&h, head));
    buf_append(out, sums, h.checksum_bytes);
    buf_append(out, zeros, len);
}

static void xfer_fuzz_write(struct fuzz_seeds *seeds, struct xfer_fuzz_parts *p, int stage, bool to_next)
{
    AUTO(buf_free) struct buf out = {0};
    Hdfs__DatanodeInfoProto *targets[] = {&p->node};
    Hdfs__OpWriteBlockProto op = HDFS__OP_WRITE_BLOCK_PROTO__INIT;
    op.header = &p->header;
    op.stage = (Hdfs__OpWriteBlockProto__BlockConstructionStage)stage;
    op.requestedchecksum = &p->checksum;
    op.pipelinesize = 1;
    op.latestgenerationstamp = stage == 6 ? 0 : 1002;
    op.minbytesrcvd = op.maxbytesrcvd = stage == 6 ? 0 : XFER_FUZZ_BYTES;
    op.targets = targets;
    op.n_targets = to_next;
    xfer_fuzz_op(&out, OP_WRITE_BLOCK, &op.base);
    int64_t at = stage == 6 ? 0 : XFER_FUZZ_BYTES;
    xfer_fuzz_packet(&out, -1, 0, 0, false);
    xfer_fuzz_packet(&out, 0, at, 120, false);
    xfer_fuzz_packet(&out, 1, at + 120, 512 - (size_t)(at + 120) % 512, false);
    xfer_fuzz_packet(&out, 2, (at + 120 + 511) / 512 * 512, 2000, false);
    xfer_fuzz_packet(&out, 3, (at + 120 + 511) / 512 * 512 + 2000, 0, true);
    fuzz_seed(seeds, out.base, out.len);
}

FUZZ_SEEDS(xfer)
{
    struct xfer_fuzz_parts there, fresh;
    AUTO(buf_free) struct buf out = {0};
    Hdfs__DatanodeInfoProto *targets[] = {&there.node};
    xfer_fuzz_fill(&there, XFER_FUZZ_BLOCK);
    xfer_fuzz_fill(&fresh, XFER_FUZZ_BLOCK + 1);
    xfer_fuzz_write(seeds, &fresh, 6, false);
    xfer_fuzz_write(seeds, &fresh, 6, true);
    for (int stage = 0; stage <= 5; stage++)
        xfer_fuzz_write(seeds, &there, stage, false);
    xfer_fuzz_write(seeds, &fresh, 7, false);
    xfer_fuzz_write(seeds, &fresh, 8, false);

    Hdfs__OpReadBlockProto read = HDFS__OP_READ_BLOCK_PROTO__INIT;
    read.header = &there.header;
    read.offset = 700;
    read.len = 900;
    xfer_fuzz_op(&out, OP_READ_BLOCK, &read.base);
    buf_append(&out, "\2\10\6", 3); /* CHECKSUM_OK */
    Hdfs__OpCopyBlockProto copy = HDFS__OP_COPY_BLOCK_PROTO__INIT;
    copy.header = &there.base;
    xfer_fuzz_op(&out, OP_COPY_BLOCK, &copy.base);
    Hdfs__OpBlockChecksumProto checksum = HDFS__OP_BLOCK_CHECKSUM_PROTO__INIT;
    Hdfs__BlockChecksumOptionsProto options = HDFS__BLOCK_CHECKSUM_OPTIONS_PROTO__INIT;
    options.has_blockchecksumtype = options.has_stripelength = 1;
    options.blockchecksumtype = HDFS__BLOCK_CHECKSUM_TYPE_PROTO__COMPOSITE_CRC;
    checksum.header = &there.base;
    checksum.blockchecksumoptions = &options;
    xfer_fuzz_op(&out, OP_BLOCK_CHECKSUM, &checksum.base);
    fuzz_seed(seeds, out.base, out.len);

    buf_clear(&out);
    Hdfs__OpReplaceBlockProto replace = HDFS__OP_REPLACE_BLOCK_PROTO__INIT;
    replace.header = &fresh.base;
    replace.delhint = fresh.id.ipaddr;
    replace.source = &fresh.node;
    xfer_fuzz_op(&out, OP_REPLACE_BLOCK, &replace.base);
    fuzz_seed(seeds, out.base, out.len);

    buf_clear(&out);
    Hdfs__OpTransferBlockProto transfer = HDFS__OP_TRANSFER_BLOCK_PROTO__INIT;
    transfer.header = &there.header;
    transfer.targets = targets;
    transfer.n_targets = 1;
    xfer_fuzz_op(&out, OP_TRANSFER_BLOCK, &transfer.base);
    fuzz_seed(seeds, out.base, out.len);

    buf_clear(&out);
    Hdfs__ShortCircuitShmIdProto shm_id = HDFS__SHORT_CIRCUIT_SHM_ID_PROTO__INIT;
    Hdfs__ShortCircuitShmSlotProto slot = HDFS__SHORT_CIRCUIT_SHM_SLOT_PROTO__INIT;
    Hdfs__OpRequestShortCircuitAccessProto fds = HDFS__OP_REQUEST_SHORT_CIRCUIT_ACCESS_PROTO__INIT;
    Hdfs__ReleaseShortCircuitAccessRequestProto release = HDFS__RELEASE_SHORT_CIRCUIT_ACCESS_REQUEST_PROTO__INIT;
    Hdfs__ShortCircuitShmRequestProto shm = HDFS__SHORT_CIRCUIT_SHM_REQUEST_PROTO__INIT;
    slot.shmid = &shm_id;
    fds.header = &there.base;
    fds.maxversion = 1;
    xfer_fuzz_op(&out, OP_REQUEST_SHORT_CIRCUIT_FDS, &fds.base);
    fds.slotid = release.slotid = &slot;
    xfer_fuzz_op(&out, OP_REQUEST_SHORT_CIRCUIT_FDS, &fds.base);
    xfer_fuzz_op(&out, OP_RELEASE_SHORT_CIRCUIT_FDS, &release.base);
    shm.clientname = there.header.clientname;
    xfer_fuzz_op(&out, OP_REQUEST_SHORT_CIRCUIT_SHM, &shm.base);
    fuzz_seed(seeds, out.base, out.len);

    fuzz_seed(seeds, "\336\255\276\357\2\10\0", 7); /* a SASL handshake */
}

FUZZ_RUN(xfer)
{
    struct datanode *dn = xfer_fuzz_datanode();
    int fds[2];
    uint8_t answer[65536];
    if (in.len > sizeof answer || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return;
    xfer_fuzz_clean(dn);
    xfer_server_adopt(dn->xfer, fds[1], "fuzz", true);
    size_t sent = 0;
    while (sent < in.len) { /* taking what is answered, since neither side waits for ever */
        ssize_t n = send(fds[0], in.base + sent, in.len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            break;
        sent += n > 0 ? (size_t)n : 0;
        if (n < 0 && recv(fds[0], answer, sizeof answer, 0) <= 0)
            break;
    }
    shutdown(fds[0], SHUT_WR);
    while (recv(fds[0], answer, sizeof answer, 0) > 0)
        ;
    close(fds[0]);
    while (xfer_server_active(dn->xfer) > 0)
        usleep(50);
}

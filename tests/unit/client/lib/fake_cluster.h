/* A namenode and some datanodes on loopback, in threads of the test, that do as told: enough of them for one client's
 * files, and faults at exact points. The node at the head of a pipeline writes for all of it, so a "lost" node further
 * down is just an acknowledgement that says so. */
#ifndef TESTS_UNIT_CLIENT_LIB_FAKE_CLUSTER_H
#define TESTS_UNIT_CLIENT_LIB_FAKE_CLUSTER_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/lib/dfs.h"
#include "common/buf.h"
#include "common/digest.h"
#include "common/mem.h"
#include "hdfs/client_datanode.pb-c.h"
#include "hdfs/client_namenode.pb-c.h"
#include "hdfs/data_transfer.pb-c.h"
#include "proto/op_header.h"
#include "proto/packet.h"
#include "rpc/rpc_server.h"

#define FAKE_NODES  4
#define FAKE_BLOCKS 64
#define FAKE_CHUNK  512
#define FAKE_NEVER  (1 << 30)
#define FAKE_HOST   "worker.example"

struct fake_replica {
    bool there, finalized;
    uint64_t gen_stamp;
    struct buf data;
};
struct fake_block {
    uint64_t id, gen_stamp;
    int64_t bytes; /* as the namenode knows it */
    bool in_file;
    bool nodes[FAKE_NODES]; /* where the namenode believes it is */
    struct fake_replica replicas[FAKE_NODES];
};
/* How a node answers packets; all but the first once only. */
enum fake_ack {
    FAKE_ACK,
    FAKE_ACK_WRONG_SEQNO,
    FAKE_ACK_TWICE,
    FAKE_ACK_TOO_MANY,
    FAKE_ACK_TOO_FEW,
    FAKE_ACK_GARBAGE,
    FAKE_ACK_ENDLESS,
    FAKE_ACK_SILENCE
};
enum fake_lie {
    FAKE_HONEST,
    FAKE_FLIPPED_BYTE,
    FAKE_CUT_SHORT,
    FAKE_WRONG_SEQNO,
    FAKE_HUGE_PACKET,
    FAKE_REFUSES,
    FAKE_NO_DATA
};
struct fake_node {
    struct fake_cluster *cluster;
    int index, listen_fd;
    uint16_t port;
    pthread_t thread;
    _Atomic bool dead;          /* takes no connections and drops those it has */
    _Atomic int dies_at_packet; /* of all packets that pass through it */
    _Atomic enum fake_lie lie;  /* when read */
    _Atomic enum fake_ack ack;  /* as head of a pipeline */
    _Atomic int refusals;       /* of pipelines, from now on */
    _Atomic int hang_ups;       /* on a connection that was kept, when the next op has come */
    _Atomic bool mute;          /* takes ops and answers none */
    _Atomic int reads, setups, heartbeats;
    _Atomic bool died_at_end; /* of a block */
};
struct fake_cluster {
    pthread_mutex_t lock; /* of blocks */
    struct rpc_server *server;
    uint16_t port;
    struct fake_node nodes[FAKE_NODES];
    struct fake_block blocks[FAKE_BLOCKS];
    size_t block_count;
    uint64_t gen_stamp;
    int replication;
    int64_t block_bytes;
    bool complete;
    bool links_by_name; /* datanodes that know each other by name */
    bool knows_no_sync; /* a cluster of Hadoop's */
    bool sync_fails;
    _Atomic int bad_reports, bad_node, abandoned, fsyncs, updates, not_yet, false_completes, syncs_asked;
    _Atomic int handlers;
};

/* ---- datanode ---- */

static struct fake_block *fake_find(struct fake_cluster *c, uint64_t id)
{
    for (size_t i = 0; i < c->block_count; i++)
        if (c->blocks[i].id == id)
            return &c->blocks[i];
    return NULL;
}

static int fake_index_of_port(struct fake_cluster *c, uint32_t port)
{
    for (int i = 0; i < FAKE_NODES; i++)
        if (c->nodes[i].port == port)
            return i;
    abort();
}

static void fake_answer(int fd, Hdfs__Status status, const char *link)
{
    Hdfs__BlockOpResponseProto answer = HDFS__BLOCK_OP_RESPONSE_PROTO__INIT;
    answer.status = status;
    answer.firstbadlink = (char *)(uintptr_t)link;
    answer.message = status ? "as the test wants it" : NULL;
    answer.has_keepsconnection = answer.keepsconnection = status == HDFS__STATUS__SUCCESS;
    (void)!delimited_write(fd, &answer.base, NULL);
}

/* What a datanode demands of the replica before it takes packets. */
static bool fake_prepare(struct fake_replica *r, const Hdfs__OpWriteBlockProto *op)
{
    switch ((int)op->stage) {
    case 6: /* create */
        if (r->there)
            return false;
        r->there = true;
        r->gen_stamp = op->header->baseheader->block->generationstamp;
        return true;
    case 0: /* append */
    case 1:
        if (!r->there || (op->stage == 0 && !r->finalized) || r->data.len != op->minbytesrcvd)
            return false;
        r->finalized = false;
        break;
    case 3: /* recovery */
        if (!r->there || r->finalized || r->data.len < op->minbytesrcvd || r->data.len > op->maxbytesrcvd)
            return false;
        break;
    case 5: /* of the end */
        if (!r->there || r->data.len != op->minbytesrcvd)
            return false;
        r->finalized = true;
        break;
    default: return false;
    }
    if (op->latestgenerationstamp <= r->gen_stamp)
        return false;
    r->gen_stamp = op->latestgenerationstamp;
    return true;
}

static bool fake_store(struct fake_replica *r, const struct packet_header *h, const uint8_t *data)
{
    size_t at = (size_t)h->offset_in_block;
    if (at > r->data.len || r->finalized)
        return false;
    size_t overlap = r->data.len - at < h->data_bytes ? r->data.len - at : h->data_bytes;
    if (overlap && memcmp(r->data.base + at, data, overlap) != 0)
        return false;
    if (at % FAKE_CHUNK && h->data_bytes > FAKE_CHUNK - at % FAKE_CHUNK)
        return false; /* a packet that starts in a chunk ends with it */
    buf_append(&r->data, data + overlap, h->data_bytes - overlap);
    r->finalized = h->last_in_block;
    return true;
}

static void fake_ack(int fd, int64_t seqno, int count, int bad)
{
    Hdfs__PipelineAckProto ack = HDFS__PIPELINE_ACK_PROTO__INIT;
    Hdfs__Status reply[FAKE_NODES + 1] = {0};
    uint32_t flag[FAKE_NODES + 1] = {0};
    if (bad >= 0)
        reply[bad] = HDFS__STATUS__ERROR, flag[bad] = HDFS__STATUS__ERROR;
    ack.seqno = seqno;
    ack.n_reply = ack.n_flag = (size_t)count;
    ack.reply = reply;
    ack.flag = flag;
    (void)!delimited_write(fd, &ack.base, NULL);
}

/* false: the connection is of no use any more. */
static bool fake_false_ack(struct fake_node *n, int fd, int64_t seqno, int count)
{
    uint8_t bytes[16384];
    enum fake_ack how = atomic_exchange(&n->ack, FAKE_ACK);
    memset(bytes, how == FAKE_ACK_ENDLESS ? 0xff : 0x80, sizeof bytes);
    switch (how) {
    case FAKE_ACK: return true;
    case FAKE_ACK_WRONG_SEQNO: fake_ack(fd, seqno + 7, count, -1); break;
    case FAKE_ACK_TWICE: fake_ack(fd, seqno, count, -1), fake_ack(fd, seqno, count, -1); break;
    case FAKE_ACK_TOO_MANY: fake_ack(fd, seqno, count + 1, -1); break;
    case FAKE_ACK_TOO_FEW: fake_ack(fd, seqno, count - 1, -1); break;
    case FAKE_ACK_GARBAGE: (void)!net_write_full(fd, "\x05wrong", 6, NULL); break;
    case FAKE_ACK_ENDLESS: bytes[4] = 0x0f; /* fall through */
    default: (void)!net_write_full(fd, bytes, sizeof bytes, NULL); break;
    case FAKE_ACK_SILENCE: usleep(100 * 1000); break;
    }
    return false;
}

/* What was said last shall not be lost over what is still coming. */
static void fake_drain(int fd)
{
    char bytes[4096];
    shutdown(fd, SHUT_WR);
    while (recv(fd, bytes, sizeof bytes, 0) > 0)
        ;
}

/* true: the block is there, and the connection good for another op. */
static bool fake_write(struct fake_node *n, int fd, const Hdfs__OpWriteBlockProto *op)
{
    struct fake_cluster *c = n->cluster;
    int pipeline[FAKE_NODES] = {n->index}, count = 1;
    for (size_t i = 0; i < op->n_targets; i++)
        pipeline[count++] = fake_index_of_port(c, op->targets[i]->id->xferport);
    n->setups++;
    pthread_mutex_lock(&c->lock);
    struct fake_block *b = fake_find(c, op->header->baseheader->block->blockid);
    bool fine = b != NULL;
    for (int i = 0; i < count && fine; i++) {
        struct fake_node *peer = &c->nodes[pipeline[i]];
        if (!peer->dead && peer->refusals <= 0 && fake_prepare(&b->replicas[pipeline[i]], op))
            continue;
        peer->refusals -= peer->refusals > 0;
        pthread_mutex_unlock(&c->lock);
        char link[64];
        snprintf(link, sizeof link, "%s:%u", c->links_by_name ? FAKE_HOST : "127.0.0.1", peer->port);
        fake_answer(fd, HDFS__STATUS__ERROR, i ? link : "");
        fake_drain(fd);
        return false;
    }
    pthread_mutex_unlock(&c->lock);
    fake_answer(fd, fine ? HDFS__STATUS__SUCCESS : HDFS__STATUS__ERROR, "");
    if (!fine || op->stage == 5)
        return false;
    struct packet_header h;
    struct buf packet = {0};
    bool is_whole = false;
    while (!n->dead && packet_header_read(fd, &h, NULL) == 0) {
        size_t len = h.checksum_bytes + h.data_bytes;
        buf_clear(&packet);
        if (len && net_read_full(fd, buf_reserve(&packet, len), len, NULL) < 0)
            break;
        int bad = -1;
        if (h.seqno == PACKET_SEQNO_HEARTBEAT) {
            n->heartbeats++;
            fake_ack(fd, h.seqno, count, bad);
            continue;
        }
        for (int i = 0; i < count; i++)
            if (c->nodes[pipeline[i]].dead || c->nodes[pipeline[i]].dies_at_packet-- == 0) {
                c->nodes[pipeline[i]].died_at_end |= h.last_in_block && !c->nodes[pipeline[i]].dead;
                c->nodes[pipeline[i]].dead = true;
                bad = i;
            }
        if (n->dead)
            break;
        uint8_t *data = packet.base + h.checksum_bytes;
        if (len && checksum_verify_chunks(CHECKSUM_CRC32C, data, h.data_bytes, FAKE_CHUNK, packet.base) >= 0)
            bad = 0;
        pthread_mutex_lock(&c->lock);
        for (int i = 0; i < count && h.seqno >= 0; i++)
            if (i != bad && !fake_store(&b->replicas[pipeline[i]], &h, data))
                bad = i;
        pthread_mutex_unlock(&c->lock);
        if (!fake_false_ack(n, fd, h.seqno, count)) {
            fake_drain(fd);
            break;
        }
        fake_ack(fd, h.seqno, count, bad);
        is_whole = bad < 0 && h.last_in_block;
        if (bad >= 0 || h.last_in_block)
            break;
    }
    buf_free(&packet);
    return is_whole;
}

static void fake_read(struct fake_node *n, int fd, const Hdfs__OpReadBlockProto *op)
{
    struct fake_cluster *c = n->cluster;
    n->reads++;
    pthread_mutex_lock(&c->lock);
    struct fake_block *b = fake_find(c, op->header->baseheader->block->blockid);
    struct fake_replica *r = b ? &b->replicas[n->index] : NULL;
    struct buf data = {0};
    bool fine = n->lie != FAKE_REFUSES && r && r->there && op->offset + op->len <= r->data.len;
    uint64_t from = op->offset / FAKE_CHUNK * FAKE_CHUNK,
             to = (op->offset + op->len + FAKE_CHUNK - 1) / FAKE_CHUNK * FAKE_CHUNK;
    if (fine) {
        to = to > r->data.len ? r->data.len : to;
        buf_append(&data, r->data.base + from, to - from);
    }
    pthread_mutex_unlock(&c->lock);
    Hdfs__BlockOpResponseProto answer = HDFS__BLOCK_OP_RESPONSE_PROTO__INIT;
    Hdfs__ReadOpChecksumInfoProto info = HDFS__READ_OP_CHECKSUM_INFO_PROTO__INIT;
    Hdfs__ChecksumProto checksum = HDFS__CHECKSUM_PROTO__INIT;
    checksum.type = HDFS__CHECKSUM_TYPE_PROTO__CHECKSUM_CRC32C;
    checksum.bytesperchecksum = FAKE_CHUNK;
    info.checksum = &checksum;
    info.chunkoffset = from;
    answer.readopchecksuminfo = &info;
    answer.status = fine ? HDFS__STATUS__SUCCESS : HDFS__STATUS__ERROR;
    if (delimited_write(fd, &answer.base, NULL) < 0 || !fine)
        goto out;
    int64_t seqno = 0;
    for (size_t at = 0; at <= data.len; seqno++) {
        uint8_t head[PACKET_HEADER_MAX_BYTES], sums[4 * 8];
        size_t len = data.len - at < 8 * FAKE_CHUNK ? data.len - at : 8 * FAKE_CHUNK;
        struct packet_header h = {(int64_t)(from + at), seqno,    (uint32_t)(4 * checksum_chunk_count(len, FAKE_CHUNK)),
                                  (uint32_t)len,        len == 0, false};
        checksum_chunks(CHECKSUM_CRC32C, data.base + at, len, FAKE_CHUNK, sums);
        if (n->lie == FAKE_FLIPPED_BYTE && len && at + len == data.len)
            data.base[at + len / 2] ^= 1;
        if (n->lie == FAKE_WRONG_SEQNO && seqno == 1)
            h.seqno = 7;
        size_t head_len = packet_header_encode(&h, head);
        if (n->lie == FAKE_HUGE_PACKET)
            memset(head, 0x7f, 4);
        if ((n->lie == FAKE_CUT_SHORT && at) || n->lie == FAKE_NO_DATA)
            goto out;
        if (net_write_full(fd, head, head_len, NULL) < 0 ||
            (len && net_write_full(fd, sums, h.checksum_bytes, NULL) < 0) ||
            (len && net_write_full(fd, data.base + at, len, NULL) < 0))
            goto out;
        at += len ? len : 1;
    }
    struct arena a;
    arena_init(&a, 1 << 20);
    ProtobufCMessage *status;
    (void)!delimited_read(fd, &hdfs__client_read_status_proto__descriptor, &a, &status, NULL);
    arena_free(&a);
out:
    buf_free(&data);
}

static void fake_transfer(struct fake_node *n, int fd, const Hdfs__OpTransferBlockProto *op)
{
    struct fake_cluster *c = n->cluster;
    int to = fake_index_of_port(c, op->targets[0]->id->xferport);
    if (c->nodes[to].dead)
        return fake_answer(fd, HDFS__STATUS__ERROR, "");
    pthread_mutex_lock(&c->lock);
    struct fake_block *b = fake_find(c, op->header->baseheader->block->blockid);
    struct fake_replica *from = &b->replicas[n->index], *copy = &b->replicas[to];
    copy->there = true;
    copy->gen_stamp = from->gen_stamp;
    copy->finalized = from->finalized;
    buf_clear(&copy->data);
    buf_append(&copy->data, from->data.base, from->data.len);
    pthread_mutex_unlock(&c->lock);
    fake_answer(fd, HDFS__STATUS__SUCCESS, "");
}

struct fake_connection {
    struct fake_node *node;
    int fd;
};

static void *fake_serve(void *arg)
{
    struct fake_connection *conn = arg;
    struct fake_node *n = conn->node;
    net_set_timeouts(conn->fd, 2000, 2000);
    uint8_t opcode;
    bool goes_on = true;
    for (int ops = 0; goes_on && !n->dead && op_header_read(conn->fd, &opcode, NULL) == 0; ops++) {
        struct arena a;
        while (n->mute && !n->dead)
            usleep(1000);
        if (ops && n->hang_ups > 0) {
            n->hang_ups--;
            break;
        }
        arena_init(&a, 4 << 20);
        ProtobufCMessage *op;
        const ProtobufCMessageDescriptor *type = opcode == OP_WRITE_BLOCK  ? &hdfs__op_write_block_proto__descriptor
                                                 : opcode == OP_READ_BLOCK ? &hdfs__op_read_block_proto__descriptor
                                                                           : &hdfs__op_transfer_block_proto__descriptor;
        int rc = delimited_read(conn->fd, type, &a, &op, NULL);
        goes_on = rc == 0 && opcode == OP_READ_BLOCK;
        if (rc == 0 && opcode == OP_WRITE_BLOCK)
            goes_on = fake_write(n, conn->fd, (void *)op);
        else if (rc == 0 && opcode == OP_READ_BLOCK)
            fake_read(n, conn->fd, (void *)op);
        else if (rc == 0)
            fake_transfer(n, conn->fd, (void *)op);
        arena_free(&a);
        goes_on &= n->lie == FAKE_HONEST;
    }
    close(conn->fd);
    n->cluster->handlers--;
    free(conn);
    return NULL;
}

static void *fake_accept(void *arg)
{
    struct fake_node *n = arg;
    struct net_address peer;
    for (int fd; net_accept(n->listen_fd, &fd, &peer, NULL) == 0;) {
        struct fake_connection *conn = mem_new(struct fake_connection);
        *conn = (struct fake_connection){n, fd};
        pthread_t t;
        n->cluster->handlers++;
        pthread_create(&t, NULL, fake_serve, conn);
        pthread_detach(t);
    }
    return NULL;
}

/* ---- namenode: one file, /f ---- */

static Hdfs__LocatedBlockProto *fake_located(struct fake_cluster *c, const struct fake_block *b, int64_t offset,
                                             struct arena *a)
{
    Hdfs__LocatedBlockProto *l = arena_new(a, Hdfs__LocatedBlockProto);
    hdfs__located_block_proto__init(l);
    l->b = arena_new(a, Hdfs__ExtendedBlockProto);
    hdfs__extended_block_proto__init(l->b);
    l->b->poolid = "BP-test";
    l->b->blockid = b->id;
    l->b->generationstamp = b->gen_stamp;
    l->b->has_numbytes = 1;
    l->b->numbytes = (uint64_t)b->bytes;
    l->offset = (uint64_t)offset;
    l->blocktoken = arena_new(a, Hdfs__TokenProto);
    hdfs__token_proto__init(l->blocktoken);
    l->blocktoken->kind = l->blocktoken->service = "";
    l->locs = arena_array(a, Hdfs__DatanodeInfoProto *, FAKE_NODES);
    l->storageids = arena_array(a, char *, FAKE_NODES);
    l->storagetypes = arena_array(a, Hdfs__StorageTypeProto, FAKE_NODES);
    for (int i = 0; i < FAKE_NODES; i++) {
        if (!b->nodes[i])
            continue;
        Hdfs__DatanodeInfoProto *d = arena_new(a, Hdfs__DatanodeInfoProto);
        hdfs__datanode_info_proto__init(d);
        d->id = arena_new(a, Hdfs__DatanodeIDProto);
        hdfs__datanode_idproto__init(d->id);
        d->id->ipaddr = "127.0.0.1";
        d->id->hostname = FAKE_HOST;
        d->id->datanodeuuid = arena_printf(a, "uuid-%d", i);
        d->id->xferport = c->nodes[i].port;
        d->id->ipcport = c->port;
        l->storageids[l->n_locs] = arena_printf(a, "DS-%d", i);
        l->storagetypes[l->n_locs] = HDFS__STORAGE_TYPE_PROTO__DISK;
        l->locs[l->n_locs++] = d;
    }
    l->n_storageids = l->n_storagetypes = l->n_locs;
    return l;
}

static Hdfs__HdfsFileStatusProto *fake_status(struct fake_cluster *c, struct arena *a)
{
    Hdfs__HdfsFileStatusProto *s = arena_new(a, Hdfs__HdfsFileStatusProto);
    hdfs__hdfs_file_status_proto__init(s);
    s->permission = arena_new(a, Hdfs__FsPermissionProto);
    hdfs__fs_permission_proto__init(s->permission);
    s->filetype = HDFS__HDFS_FILE_STATUS_PROTO__FILE_TYPE__IS_FILE;
    s->owner = s->group = "g";
    s->has_fileid = s->has_blocksize = s->has_block_replication = 1;
    s->fileid = 16386;
    s->blocksize = (uint64_t)c->block_bytes;
    s->block_replication = (uint32_t)c->replication;
    for (size_t i = 0; i < c->block_count; i++)
        s->length += c->blocks[i].in_file ? (uint64_t)c->blocks[i].bytes : 0;
    return s;
}

static void fake_fail(struct rpc_call *call, int code, const char *text)
{
    struct err why;
    err_set(&why, code, "%s", text);
    rpc_call_fail(call, &why);
}

static void fake_create(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct fake_cluster *c = context;
    Hdfs__CreateResponseProto response = HDFS__CREATE_RESPONSE_PROTO__INIT;
    (void)request;
    pthread_mutex_lock(&c->lock);
    c->complete = false;
    response.fs = fake_status(c, rpc_call_arena(call));
    pthread_mutex_unlock(&c->lock);
    rpc_call_reply(call, &response.base);
}

static struct fake_block *fake_last(struct fake_cluster *c)
{
    for (size_t i = c->block_count; i-- > 0;)
        if (c->blocks[i].in_file)
            return &c->blocks[i];
    return NULL;
}

static void fake_append(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct fake_cluster *c = context;
    Hdfs__AppendResponseProto response = HDFS__APPEND_RESPONSE_PROTO__INIT;
    (void)request;
    pthread_mutex_lock(&c->lock);
    struct fake_block *last = fake_last(c);
    response.stat = fake_status(c, rpc_call_arena(call));
    if (last && last->bytes < c->block_bytes)
        response.block = fake_located(c, last, (int64_t)response.stat->length - last->bytes, rpc_call_arena(call));
    c->complete = false;
    pthread_mutex_unlock(&c->lock);
    rpc_call_reply(call, &response.base);
}

static void fake_commit(struct fake_cluster *c, const Hdfs__ExtendedBlockProto *previous)
{
    struct fake_block *b = previous ? fake_find(c, previous->blockid) : NULL;
    if (b && b->gen_stamp == previous->generationstamp)
        b->bytes = (int64_t)previous->numbytes;
}

static bool fake_excluded(Hdfs__DatanodeInfoProto **list, size_t count, uint16_t port)
{
    for (size_t i = 0; i < count; i++)
        if (list[i]->id->xferport == port)
            return true;
    return false;
}

static void fake_add_block(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct fake_cluster *c = context;
    const Hdfs__AddBlockRequestProto *req = (const void *)request;
    if (c->not_yet > 0) {
        c->not_yet--;
        return fake_fail(call, ERR_NOT_REPLICATED_YET, "Not replicated yet: /f");
    }
    Hdfs__AddBlockResponseProto response = HDFS__ADD_BLOCK_RESPONSE_PROTO__INIT;
    pthread_mutex_lock(&c->lock);
    fake_commit(c, req->previous);
    if (c->block_count == FAKE_BLOCKS)
        abort();
    struct fake_block *b = &c->blocks[c->block_count++];
    *b = (struct fake_block){.id = 1000 + c->block_count, .gen_stamp = ++c->gen_stamp, .in_file = true};
    int chosen = 0;
    for (int i = 0; i < FAKE_NODES && chosen < c->replication; i++)
        if (!fake_excluded(req->excludenodes, req->n_excludenodes, c->nodes[i].port))
            b->nodes[i] = ++chosen;
    b->in_file = chosen > 0;
    if (chosen)
        response.block = fake_located(c, b, 0, rpc_call_arena(call));
    pthread_mutex_unlock(&c->lock);
    if (!chosen)
        return fake_fail(call, ERR_IO, "File /f could only be written to 0 of the 1 minReplication nodes.");
    rpc_call_reply(call, &response.base);
}

static void fake_abandon(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct fake_cluster *c = context;
    c->abandoned++;
    pthread_mutex_lock(&c->lock);
    fake_find(c, ((const Hdfs__AbandonBlockRequestProto *)request)->b->blockid)->in_file = false;
    pthread_mutex_unlock(&c->lock);
    Hdfs__AbandonBlockResponseProto response = HDFS__ABANDON_BLOCK_RESPONSE_PROTO__INIT;
    rpc_call_reply(call, &response.base);
}

static void fake_complete(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct fake_cluster *c = context;
    Hdfs__CompleteResponseProto response = HDFS__COMPLETE_RESPONSE_PROTO__INIT;
    response.result = c->false_completes-- <= 0;
    pthread_mutex_lock(&c->lock);
    fake_commit(c, ((const Hdfs__CompleteRequestProto *)request)->last);
    c->complete = response.result;
    pthread_mutex_unlock(&c->lock);
    rpc_call_reply(call, &response.base);
}

static void fake_fsync(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    (void)request;
    ((struct fake_cluster *)context)->fsyncs++;
    Hdfs__FsyncResponseProto response = HDFS__FSYNC_RESPONSE_PROTO__INIT;
    rpc_call_reply(call, &response.base);
}

static void fake_update_block(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct fake_cluster *c = context;
    Hdfs__UpdateBlockForPipelineResponseProto response = HDFS__UPDATE_BLOCK_FOR_PIPELINE_RESPONSE_PROTO__INIT;
    pthread_mutex_lock(&c->lock);
    struct fake_block fresh = {.id = ((const Hdfs__UpdateBlockForPipelineRequestProto *)request)->block->blockid,
                               .gen_stamp = ++c->gen_stamp};
    response.block = fake_located(c, &fresh, -1, rpc_call_arena(call));
    pthread_mutex_unlock(&c->lock);
    rpc_call_reply(call, &response.base);
}

static void fake_update_pipeline(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct fake_cluster *c = context;
    const Hdfs__UpdatePipelineRequestProto *req = (const void *)request;
    c->updates++;
    pthread_mutex_lock(&c->lock);
    struct fake_block *b = fake_find(c, req->newblock->blockid);
    bool fine = b && b->gen_stamp == req->oldblock->generationstamp && req->newblock->generationstamp > b->gen_stamp;
    if (fine) {
        b->gen_stamp = req->newblock->generationstamp;
        memset(b->nodes, 0, sizeof b->nodes);
        for (size_t i = 0; i < req->n_newnodes; i++)
            b->nodes[fake_index_of_port(c, req->newnodes[i]->xferport)] = true;
    }
    pthread_mutex_unlock(&c->lock);
    if (!fine)
        return fake_fail(call, ERR_IO, "updatePipeline: wrong generation stamps");
    Hdfs__UpdatePipelineResponseProto response = HDFS__UPDATE_PIPELINE_RESPONSE_PROTO__INIT;
    rpc_call_reply(call, &response.base);
}

static void fake_additional(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct fake_cluster *c = context;
    const Hdfs__GetAdditionalDatanodeRequestProto *req = (const void *)request;
    pthread_mutex_lock(&c->lock);
    struct fake_block wider = {.id = req->blk->blockid, .gen_stamp = req->blk->generationstamp};
    bool added = false;
    for (int i = 0; i < FAKE_NODES; i++) {
        wider.nodes[i] = fake_excluded(req->existings, req->n_existings, c->nodes[i].port);
        if (!wider.nodes[i] && !added && !fake_excluded(req->excludes, req->n_excludes, c->nodes[i].port))
            wider.nodes[i] = added = true;
    }
    Hdfs__GetAdditionalDatanodeResponseProto response = HDFS__GET_ADDITIONAL_DATANODE_RESPONSE_PROTO__INIT;
    response.block = fake_located(c, &wider, -1, rpc_call_arena(call));
    pthread_mutex_unlock(&c->lock);
    rpc_call_reply(call, &response.base);
}

static void fake_locations(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct fake_cluster *c = context;
    (void)request;
    struct arena *a = rpc_call_arena(call);
    Hdfs__LocatedBlocksProto l = HDFS__LOCATED_BLOCKS_PROTO__INIT;
    pthread_mutex_lock(&c->lock);
    l.blocks = arena_array(a, Hdfs__LocatedBlockProto *, FAKE_BLOCKS);
    for (size_t i = 0; i < c->block_count; i++) {
        if (!c->blocks[i].in_file)
            continue;
        l.blocks[l.n_blocks++] = fake_located(c, &c->blocks[i], (int64_t)l.filelength, a);
        l.filelength += (uint64_t)c->blocks[i].bytes;
    }
    l.lastblock = l.n_blocks ? l.blocks[l.n_blocks - 1] : NULL;
    l.islastblockcomplete = l.n_blocks > 0;
    pthread_mutex_unlock(&c->lock);
    Hdfs__GetBlockLocationsResponseProto response = HDFS__GET_BLOCK_LOCATIONS_RESPONSE_PROTO__INIT;
    response.locations = &l;
    rpc_call_reply(call, &response.base);
}

static void fake_bad_blocks(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct fake_cluster *c = context;
    const Hdfs__ReportBadBlocksRequestProto *req = (const void *)request;
    c->bad_reports++;
    c->bad_node = fake_index_of_port(c, req->blocks[0]->locs[0]->id->xferport);
    Hdfs__ReportBadBlocksResponseProto response = HDFS__REPORT_BAD_BLOCKS_RESPONSE_PROTO__INIT;
    rpc_call_reply(call, &response.base);
}

/* A datanode's, all at the namenode's port. */
static void fake_visible_length(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct fake_cluster *c = context;
    const Hdfs__GetReplicaVisibleLengthRequestProto *q = (const void *)request;
    Hdfs__GetReplicaVisibleLengthResponseProto response = HDFS__GET_REPLICA_VISIBLE_LENGTH_RESPONSE_PROTO__INIT;
    struct err why;
    c->syncs_asked += q->sync;
    response.has_synced = response.synced = q->sync && !c->knows_no_sync;
    if (q->sync && c->sync_fails) {
        (void)err_set(&why, ERR_IO, "the disk is broken");
        rpc_call_fail(call, &why);
        return;
    }
    rpc_call_reply(call, &response.base);
}

static const struct rpc_method fake_datanode_methods[] = {
    RPC_METHOD("getReplicaVisibleLength", hdfs__get_replica_visible_length, fake_visible_length, 0),
};
static const struct rpc_method fake_methods[] = {
    RPC_METHOD("create", hdfs__create, fake_create, 0),
    RPC_METHOD("append", hdfs__append, fake_append, 0),
    RPC_METHOD("addBlock", hdfs__add_block, fake_add_block, 0),
    RPC_METHOD("abandonBlock", hdfs__abandon_block, fake_abandon, 0),
    RPC_METHOD("complete", hdfs__complete, fake_complete, 0),
    RPC_METHOD("fsync", hdfs__fsync, fake_fsync, 0),
    RPC_METHOD("updateBlockForPipeline", hdfs__update_block_for_pipeline, fake_update_block, 0),
    RPC_METHOD("updatePipeline", hdfs__update_pipeline, fake_update_pipeline, 0),
    RPC_METHOD("getAdditionalDatanode", hdfs__get_additional_datanode, fake_additional, 0),
    RPC_METHOD("getBlockLocations", hdfs__get_block_locations, fake_locations, 0),
    RPC_METHOD("reportBadBlocks", hdfs__report_bad_blocks, fake_bad_blocks, 0),
};

/* ---- the whole ---- */

static struct fake_cluster *fake_start(int replication, int64_t block_bytes)
{
    struct fake_cluster *c = mem_new(struct fake_cluster);
    pthread_mutex_init(&c->lock, NULL);
    c->gen_stamp = 1000;
    c->replication = replication;
    c->block_bytes = block_bytes;
    c->bad_node = -1;
    for (int i = 0; i < FAKE_NODES; i++) {
        struct fake_node *n = &c->nodes[i];
        n->cluster = c;
        n->index = i;
        n->dies_at_packet = FAKE_NEVER;
        struct net_address any = {"127.0.0.1", 0};
        assert_int_equal(net_listen(&any, &n->listen_fd, &n->port, NULL), 0);
        assert_int_equal(pthread_create(&n->thread, NULL, fake_accept, n), 0);
    }
    struct rpc_service services[] = {
        {"org.apache.hadoop.hdfs.protocol.ClientProtocol", fake_methods, ARRAY_COUNT(fake_methods), c},
        {"org.apache.hadoop.hdfs.protocol.ClientDatanodeProtocol", fake_datanode_methods,
         ARRAY_COUNT(fake_datanode_methods), c}};
    struct rpc_server_options options = {
        .listen = {"127.0.0.1", 0}, .services = services, .service_count = ARRAY_COUNT(services)};
    assert_int_equal(rpc_server_start(&options, &c->server, NULL), 0);
    c->port = rpc_server_port(c->server);
    return c;
}

static void fake_stop(struct fake_cluster *c)
{
    rpc_server_stop(c->server);
    for (int i = 0; i < FAKE_NODES; i++) {
        c->nodes[i].dead = true;
        shutdown(c->nodes[i].listen_fd, SHUT_RDWR);
        pthread_join(c->nodes[i].thread, NULL);
        close(c->nodes[i].listen_fd);
    }
    while (c->handlers)
        usleep(1000);
    for (size_t i = 0; i < c->block_count; i++)
        for (int j = 0; j < FAKE_NODES; j++)
            buf_free(&c->blocks[i].replicas[j].data);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* Connections to it are refused from now on. */
static inline void fake_close_door(struct fake_node *n)
{
    n->dead = true;
    shutdown(n->listen_fd, SHUT_RDWR);
}

static struct dfs *fake_connect_with(struct fake_cluster *c, const char *setting, const char *value)
{
    struct config *config = config_new();
    char uri[64];
    snprintf(uri, sizeof uri, "hdfs://127.0.0.1:%u", c->port);
    struct dfs *fs = NULL;
    assert_int_equal(config_set(config, "dfs.client.socket-timeout", "2000", "test", NULL), 0);
    /* Hadoop's, so that small blocks have several packets. */
    assert_int_equal(config_set(config, "dfs.client-write-packet-size", "65536", "test", NULL), 0);
    if (setting)
        assert_int_equal(config_set(config, setting, value, "test", NULL), 0);
    assert_int_equal(dfs_connect(config, uri, "ada", &fs, NULL), 0);
    config_free(config);
    return fs;
}

static struct dfs *fake_connect(struct fake_cluster *c)
{
    return fake_connect_with(c, NULL, NULL);
}

#endif

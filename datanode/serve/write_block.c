/* WRITE_BLOCK: make or reopen our replica, connect to the next node, answer whether the pipeline stands, receive.
 * Also TRANSFER_BLOCK, which makes this node send what it has. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "client/lib/peer_cache.h"
#include "common/log.h"
#include "datanode/report/reporter.h"
#include "datanode/serve/block_receiver.h"
#include "datanode/serve/block_sender.h"
#include "datanode/serve/mirror.h"
#include "proto/op_header.h"

#define STAGE(name) HDFS__OP_WRITE_BLOCK_PROTO__BLOCK_CONSTRUCTION_STAGE__##name

struct write_request {
    struct xfer *x;
    const Hdfs__OpWriteBlockProto *op;
    const Hdfs__ExtendedBlockProto *block;
    bool from_datanode; /* replication: no acknowledgements, not even of the set-up */
    bool is_transfer;   /* a client has a replica copied here: no acknowledgements, one answer at the end */
};

/* ---- our replica ---- */

static struct replica_create create_of(const struct write_request *q)
{
    const Hdfs__OpWriteBlockProto *op = q->op;
    return (struct replica_create){
        .block_id = q->block->blockid,
        .gen_stamp = q->block->generationstamp,
        .expected_bytes = q->block->has_numbytes ? q->block->numbytes : 0,
        /* Not storageId: the namenode names one without knowing how full and how busy each is; as with Hadoop, we
         * choose in turn, and our reports tell which it was. */
        .storage_type = op->has_storagetype ? (int)op->storagetype : HDFS__STORAGE_TYPE_PROTO__DISK,
        .meta = {(enum checksum_type)op->requestedchecksum->type, op->requestedchecksum->bytesperchecksum},
    };
}

static struct replica_reopen reopen_of(const struct write_request *q)
{
    return (struct replica_reopen){
        .block_id = q->block->blockid,
        .gen_stamp = q->block->generationstamp,
        /* Some clients name no new stamp when they append. */
        .new_gen_stamp = q->op->latestgenerationstamp ? q->op->latestgenerationstamp : q->block->generationstamp,
        .min_bytes = q->op->minbytesrcvd,
        .max_bytes = q->op->maxbytesrcvd,
        .expected_bytes = q->block->has_numbytes ? q->block->numbytes : 0,
    };
}

static int open_replica(const struct write_request *q, struct replica_writer **ret, struct err *reterr)
{
    struct block_store *s = q->x->dn->store;
    struct replica_create create = create_of(q);
    struct replica_reopen reopen = reopen_of(q);
    if (q->from_datanode || q->is_transfer) {
        create.replace = q->is_transfer ? REPLACE_OLDER : REPLACE_STALE;
        return block_store_create_temporary(s, &create, ret, reterr);
    }
    switch (q->op->stage) {
    case STAGE(PIPELINE_SETUP_CREATE):
        if (q->op->latestgenerationstamp >= create.gen_stamp) { /* a pipeline that could not be set up, set up again */
            create.gen_stamp = q->op->latestgenerationstamp;
            create.replace = REPLACE_UNFINISHED;
        }
        return block_store_create_rbw(s, &create, ret, reterr);
    case STAGE(PIPELINE_SETUP_APPEND): return block_store_append(s, &reopen, ret, reterr);
    case STAGE(PIPELINE_SETUP_APPEND_RECOVERY): return block_store_recover_append(s, &reopen, ret, reterr);
    case STAGE(PIPELINE_SETUP_STREAMING_RECOVERY): return block_store_recover_stream(s, &reopen, ret, reterr);
    default: return err_set(reterr, ERR_UNSUPPORTED, "stage %d cannot begin a pipeline", (int)q->op->stage);
    }
}

/* ---- the next node ---- */

static int write_mirror_op(const struct write_request *q, int fd, struct err *reterr)
{
    Hdfs__OpWriteBlockProto op = *q->op; /* everything goes on as it came, but for who is whose next */
    op.targets++;
    op.n_targets--;
    if (op.n_targetstoragetypes) {
        op.has_storagetype = 1;
        op.storagetype = *op.targetstoragetypes++;
        op.n_targetstoragetypes--;
    }
    if (op.n_targetstorageids) {
        op.storageid = *op.targetstorageids++;
        op.n_targetstorageids--;
    }
    if (op.n_targetpinnings) {
        op.has_pinning = 1;
        op.pinning = *op.targetpinnings++;
        op.n_targetpinnings--;
    }
    return op_write(fd, OP_WRITE_BLOCK, &op.base, reterr);
}

struct mirror {
    int fd;
    Hdfs__Status status; /* of the set-up */
    const char *first_bad_link;
    char address[NET_ADDRESS_MAX];
    bool keeps; /* it takes another op on the same connection */
};

static bool wants_acks(const struct write_request *q)
{
    return !q->from_datanode && !q->is_transfer;
}

static void mirror_fails(const struct write_request *q, struct mirror *m, const char *why)
{
    log_warn("xfer", "block=%" PRId64 " next node %s cannot be used: %s", (int64_t)q->block->blockid, m->address, why);
    net_closep(&m->fd);
    m->status = HDFS__STATUS__ERROR;
    m->first_bad_link = m->address;
}

/* Hands the op on. Not being able to is no error when datanodes copy among themselves. */
static void mirror_begin(const struct write_request *q, struct mirror *m)
{
    struct err why;
    struct datanode *dn = q->x->dn;
    *m = (struct mirror){.fd = -1, .status = HDFS__STATUS__SUCCESS, .first_bad_link = ""};
    if (!q->op->n_targets)
        return;
    const Hdfs__DatanodeIDProto *next = q->op->targets[0]->id;
    datanode_xfer_address(next, m->address);
    if (wants_acks(q))
        m->fd = mirror_take(dn, next, q->op->n_targets);
    if (m->fd >= 0 && write_mirror_op(q, m->fd, NULL) < 0)
        net_closep(&m->fd); /* a kept one that it closed: that says nothing about the node */
    if (m->fd >= 0)
        return;
    int rc = mirror_connect(dn, next, q->op->n_targets, &m->fd, &why);
    if (rc == 0)
        rc = write_mirror_op(q, m->fd, &why);
    if (rc < 0)
        mirror_fails(q, m, why.text);
}

static void mirror_answered(struct mirror *m, const Hdfs__BlockOpResponseProto *answer)
{
    m->status = answer->status;
    m->keeps = answer->keepsconnection;
    if (answer->firstbadlink)
        m->first_bad_link = answer->firstbadlink;
    if (m->status != HDFS__STATUS__SUCCESS && !*m->first_bad_link)
        m->first_bad_link = m->address; /* it refused and did not say who is to blame: it is */
}

static Hdfs__BlockOpResponseProto setup_answer(const struct write_request *q, const struct mirror *m)
{
    Hdfs__BlockOpResponseProto answer = HDFS__BLOCK_OP_RESPONSE_PROTO__INIT;
    answer.status = m->status;
    answer.firstbadlink = (char *)m->first_bad_link;
    answer.has_keepsconnection = answer.keepsconnection = q->x->dn->settings.keepalive_ms > PEER_KEEP_MS;
    return answer;
}

static int answer_setup(const struct write_request *q, const struct mirror *m)
{
    Hdfs__BlockOpResponseProto answer = setup_answer(q, m);
    int rc = delimited_write(q->x->fd, &answer.base, NULL);
    if (rc == 0 && m->status != HDFS__STATUS__SUCCESS) {
        q->x->refused = true; /* packets may be on their way: the answer must not be lost over them */
        rc = ERR_CLOSED;
    }
    return rc;
}

struct setup {
    const struct write_request *q;
    struct mirror *m;
};

static int on_setup(void *context, const Hdfs__BlockOpResponseProto *answer, bool next_is_lost)
{
    struct setup *s = context;
    if (answer)
        mirror_answered(s->m, answer);
    else if (next_is_lost)
        mirror_fails(s->q, s->m, "it did not answer");
    else
        s->m->status = HDFS__STATUS__ERROR; /* ours */
    return answer_setup(s->q, s->m);
}

/* ---- the op ---- */

/* No packets follow: the replica is closed with the new stamp, and the answer is all. */
static int recover_close(const struct write_request *q)
{
    struct replica_reopen reopen = reopen_of(q);
    struct replica_view closed;
    struct err why;
    int rc = block_store_recover_close(q->x->dn->store, &reopen, &closed, &why);
    if (rc < 0)
        return xfer_refuse(q->x, "opWriteBlock", q->block, HDFS__STATUS__ERROR, &why);
    struct mirror m;
    ProtobufCMessage *answer;
    mirror_begin(q, &m);
    if (m.fd >= 0 && delimited_read(m.fd, &hdfs__block_op_response_proto__descriptor, &q->x->arena, &answer, &why) < 0)
        mirror_fails(q, &m, why.text);
    else if (m.fd >= 0)
        mirror_answered(&m, (const Hdfs__BlockOpResponseProto *)answer);
    reporter_received(q->x->dn->reporter, &closed, NULL);
    rc = answer_setup(q, &m);
    net_closep(&m.fd);
    return rc;
}

static int answer_transfer(const struct write_request *q, int received)
{
    Hdfs__BlockOpResponseProto answer = HDFS__BLOCK_OP_RESPONSE_PROTO__INIT;
    answer.status = received == 0 ? HDFS__STATUS__SUCCESS : HDFS__STATUS__ERROR;
    int rc = delimited_write(q->x->fd, &answer.base, NULL);
    return received < 0 ? received : rc;
}

static int receive(const struct write_request *q, struct replica_writer *w, struct mirror *m)
{
    bool acks = wants_acks(q);
    struct setup setup = {q, m};
    bool to_rbw = q->op->stage == STAGE(TRANSFER_RBW);
    Hdfs__BlockOpResponseProto answer = setup_answer(q, m);
    struct receive_args args = {
        .x = q->x,
        .writer = w,
        .block_id = q->block->blockid,
        .sent = {(enum checksum_type)q->op->requestedchecksum->type, q->op->requestedchecksum->bytesperchecksum},
        .mirror_fd = m->fd,
        .nodes_behind = (int)q->op->n_targets,
        .acks = acks,
        .on_setup = acks && m->fd >= 0 ? on_setup : NULL,
        .setup_context = &setup,
        .answer = acks && m->fd < 0 ? &answer : NULL,
        .source = q->from_datanode && q->op->source ? q->op->source->id : NULL,
        .end = to_rbw ? RECEIVE_TO_RBW : RECEIVE_FINALIZE,
        .visible_bytes = q->block->has_numbytes ? q->block->numbytes : 0,
        .report = !q->is_transfer,
        .report_unasked = acks && q->op->reportunasked,
        .packet_fd = q->x->fd,
        .drop_behind = q->op->cachingstrategy && q->op->cachingstrategy->has_dropbehind
                           ? q->op->cachingstrategy->dropbehind
                           : q->x->dn->settings.drop_behind_writes,
    };
    int rc = block_receive(&args);
    if (rc == 0)
        metric_add(acks ? &datanode_blocks_received : &datanode_blocks_replicated, 1);
    else if (acks)
        reporter_expect_commands(q->x->dn->reporter);
    return q->is_transfer ? answer_transfer(q, rc) : rc;
}

static int check_request(const struct write_request *q, struct err *reterr)
{
    const Hdfs__ChecksumProto *c = q->op->requestedchecksum;
    struct meta_header sent = {(enum checksum_type)c->type, c->bytesperchecksum};
    int rc = xfer_check_pool(q->x, q->block, reterr);
    if (rc == 0 && q->op->n_targets >= 512)
        rc = err_set(reterr, ERR_PROTOCOL, "a pipeline of %zu nodes", q->op->n_targets + 1);
    return rc < 0 ? rc : meta_header_check(&sent, reterr);
}

int xfer_write_block(struct xfer *x, const ProtobufCMessage *message)
{
    const Hdfs__OpWriteBlockProto *op = (const Hdfs__OpWriteBlockProto *)message;
    struct write_request q = {.x = x, .op = op, .block = op->header->baseheader->block};
    q.from_datanode = !*op->header->clientname;
    q.is_transfer = op->stage == STAGE(TRANSFER_RBW) || op->stage == STAGE(TRANSFER_FINALIZED);
    struct replica_writer *w = NULL;
    struct mirror m = {.fd = -1};
    struct err why;
    int rc = check_request(&q, &why);
    if (rc == 0 && op->stage == STAGE(PIPELINE_CLOSE_RECOVERY))
        return recover_close(&q);
    bool is_new = op->stage == STAGE(PIPELINE_SETUP_CREATE); /* then all nodes may make their files at the same time */
    if (rc == 0 && is_new)
        mirror_begin(&q, &m);
    if (rc == 0) {
        rc = open_replica(&q, &w, &why);
        if (rc == ERR_IO || rc == ERR_NOT_FOUND || rc == ERR_READ_ONLY)
            datanode_check_storages(x->dn);
    }
    if (rc < 0) {
        net_closep(&m.fd);
        return xfer_refuse(x, "opWriteBlock", q.block, HDFS__STATUS__ERROR, &why);
    }
    bool acks = wants_acks(&q);
    if (acks && op->stage != STAGE(PIPELINE_SETUP_STREAMING_RECOVERY)) {
        struct replica_view view;
        replica_writer_view(w, &view);
        reporter_receiving(x->dn->reporter, &view);
    }
    if (!is_new)
        mirror_begin(&q, &m);
    if (acks && m.status != HDFS__STATUS__SUCCESS) { /* else when the next node has answered, or packets are there */
        replica_writer_release(w);
        return answer_setup(&q, &m);
    }
    rc = receive(&q, w, &m);
    if (rc == 0 && m.keeps)
        mirror_keep(x->dn, op->targets[0]->id, &m.fd);
    net_closep(&m.fd);
    return rc;
}

/* ---- TRANSFER_BLOCK: a client wants another node to have what we have ---- */

int xfer_transfer_block(struct xfer *x, const ProtobufCMessage *message)
{
    const Hdfs__OpTransferBlockProto *op = (const Hdfs__OpTransferBlockProto *)message;
    struct transfer t = {.block = op->header->baseheader->block,
                         .client_name = op->header->clientname,
                         .targets = op->targets,
                         .target_count = op->n_targets,
                         .storage_types = op->n_targetstoragetypes >= op->n_targets ? op->targetstoragetypes : NULL,
                         .storage_ids = op->n_targetstorageids >= op->n_targets ? op->targetstorageids : NULL};
    struct err why;
    int rc = xfer_check_pool(x, t.block, &why);
    if (rc == 0)
        rc = transfer_replica(x->dn, &t, &x->arena, &why);
    if (rc < 0)
        return xfer_refuse(x, "opTransferBlock", t.block, HDFS__STATUS__ERROR, &why);
    Hdfs__BlockOpResponseProto answer = HDFS__BLOCK_OP_RESPONSE_PROTO__INIT;
    answer.status = HDFS__STATUS__SUCCESS;
    return delimited_write(x->fd, &answer.base, NULL);
}

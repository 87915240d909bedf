#include "datanode/serve/mirror.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/lib/peer_cache.h"
#include "common/log.h"
#include "datanode/report/reporter.h"
#include "datanode/serve/block_sender.h"
#include "proto/op_header.h"

void datanode_xfer_address(const Hdfs__DatanodeIDProto *id, char out[NET_ADDRESS_MAX])
{
    snprintf(out, NET_ADDRESS_MAX, "%.255s:%u", id->ipaddr, id->xferport);
}

static int extra_ms(size_t nodes)
{
    return (int)(nodes < 100 ? nodes : 100) * PEER_MS_PER_NODE;
}

static void set_timeouts(int fd, size_t nodes)
{
    net_set_timeouts(fd, PEER_READ_MS + extra_ms(nodes), PEER_WRITE_MS + extra_ms(nodes));
}

int mirror_connect(const struct datanode *dn, const Hdfs__DatanodeIDProto *to, size_t nodes, int *ret_fd,
                   struct err *reterr)
{
    struct net_address a;
    int rc = reporter_peer_address(dn->reporter, to, PEER_TRANSFER, &a, reterr);
    if (rc < 0)
        return rc;
    rc = net_connect(&a, NULL, PEER_READ_MS + extra_ms(nodes), ret_fd, reterr);
    if (rc == 0)
        set_timeouts(*ret_fd, nodes);
    return rc;
}

/* What its connections are kept by: an address may be another node's for another client. */
static bool mirror_key(const Hdfs__DatanodeIDProto *id, char out[NET_ADDRESS_MAX])
{
    int len = snprintf(out, NET_ADDRESS_MAX, "%s %s:%u", id->datanodeuuid, id->ipaddr, id->xferport);
    return len < NET_ADDRESS_MAX;
}

int mirror_take(const struct datanode *dn, const Hdfs__DatanodeIDProto *to, size_t nodes)
{
    char key[NET_ADDRESS_MAX];
    int fd = mirror_key(to, key) ? peer_cache_take(dn->mirrors, key) : -1;
    if (fd >= 0)
        set_timeouts(fd, nodes);
    return fd;
}

void mirror_keep(const struct datanode *dn, const Hdfs__DatanodeIDProto *to, int *fd)
{
    char key[NET_ADDRESS_MAX];
    if (!mirror_key(to, key))
        return;
    peer_cache_put(dn->mirrors, key, *fd);
    *fd = -1;
}

/* ---- transfers ---- */

struct transfer_op { /* the messages of one request; they point to each other */
    Hdfs__OpWriteBlockProto op;
    Hdfs__ClientOperationHeaderProto header;
    Hdfs__BaseHeaderProto base;
    Hdfs__ExtendedBlockProto block;
    Hdfs__ChecksumProto checksum;
    Hdfs__DatanodeInfoProto source;
    Hdfs__DatanodeIDProto source_id;
    Hdfs__TokenProto token;
};

static void transfer_op_fill(struct transfer_op *o, struct datanode *dn, const struct transfer *t,
                             const struct replica_reader *r, struct arena *a)
{
    *o = (struct transfer_op){.op = HDFS__OP_WRITE_BLOCK_PROTO__INIT,
                              .header = HDFS__CLIENT_OPERATION_HEADER_PROTO__INIT,
                              .base = HDFS__BASE_HEADER_PROTO__INIT,
                              .block = HDFS__EXTENDED_BLOCK_PROTO__INIT,
                              .checksum = HDFS__CHECKSUM_PROTO__INIT,
                              .source = HDFS__DATANODE_INFO_PROTO__INIT,
                              .source_id = HDFS__DATANODE_IDPROTO__INIT,
                              .token = HDFS__TOKEN_PROTO__INIT};
    bool replicates = !*t->client_name;
    o->block.poolid = t->block->poolid;
    o->block.blockid = t->block->blockid;
    o->block.generationstamp = r->gen_stamp;
    o->block.has_numbytes = 1;
    o->block.numbytes = (uint64_t)r->visible_bytes;
    o->token.kind = o->token.service = (char *)"";
    o->base.block = &o->block;
    o->base.token = &o->token;
    o->header.baseheader = &o->base;
    o->header.clientname = (char *)t->client_name;
    reporter_self(dn->reporter, a, &o->source_id);
    o->source.id = &o->source_id;
    o->checksum.type = (Hdfs__ChecksumTypeProto)r->meta.type;
    o->checksum.bytesperchecksum = r->meta.bytes_per_checksum;
    o->op.header = &o->header;
    o->op.source = &o->source;
    o->op.requestedchecksum = &o->checksum;
    o->op.stage = replicates ? HDFS__OP_WRITE_BLOCK_PROTO__BLOCK_CONSTRUCTION_STAGE__PIPELINE_SETUP_CREATE
                  : r->state == REPLICA_FINALIZED
                      ? HDFS__OP_WRITE_BLOCK_PROTO__BLOCK_CONSTRUCTION_STAGE__TRANSFER_FINALIZED
                      : HDFS__OP_WRITE_BLOCK_PROTO__BLOCK_CONSTRUCTION_STAGE__TRANSFER_RBW;
    o->op.n_targets = t->target_count - 1;
    o->op.targets = t->targets + 1;
    if (t->storage_types) {
        o->op.has_storagetype = 1;
        o->op.storagetype = t->storage_types[0];
        o->op.n_targetstoragetypes = t->target_count - 1;
        o->op.targetstoragetypes = (Hdfs__StorageTypeProto *)t->storage_types + 1;
    }
    if (t->storage_ids) {
        o->op.storageid = t->storage_ids[0];
        o->op.n_targetstorageids = t->target_count - 1;
        o->op.targetstorageids = t->storage_ids + 1;
    }
}

static int wait_for_answer(int fd, struct arena *a, struct err *reterr)
{
    ProtobufCMessage *message;
    int rc = delimited_read(fd, &hdfs__dntransfer_ack_proto__descriptor, a, &message, reterr);
    if (rc < 0)
        return rc;
    Hdfs__Status status = ((const Hdfs__DNTransferAckProto *)message)->status;
    if (status != HDFS__STATUS__SUCCESS)
        return err_set(reterr, ERR_IO, "the target answered with status %d", (int)status);
    return 0;
}

static int send_to_target(struct datanode *dn, const struct transfer *t, const struct replica_reader *r,
                          struct arena *a, struct err *reterr)
{
    struct transfer_op op;
    struct send_plan plan;
    AUTO(net_closep) int fd = -1;
    int rc = send_plan_make(r, 0, (uint64_t)r->visible_bytes, true, &plan, reterr);
    if (rc == 0)
        rc = mirror_connect(dn, t->targets[0]->id, t->target_count, &fd, reterr);
    if (rc < 0)
        return rc;
    transfer_op_fill(&op, dn, t, r, a);
    rc = op_write(fd, OP_WRITE_BLOCK, &op.op.base, reterr);
    if (rc < 0)
        return rc;
    struct err why;
    rc = block_send(fd, r, &plan, NULL, &why);
    if (rc < 0) {
        (void)datanode_read_failed(dn, t->block->blockid, r->volume, &why);
        return err_set(reterr, rc, "%s", why.text);
    }
    if (*t->client_name)
        rc = wait_for_answer(fd, a, reterr);
    return rc;
}

int transfer_replica(struct datanode *dn, const struct transfer *t, struct arena *a, struct err *reterr)
{
    struct replica_reader r;
    if (t->target_count == 0)
        return err_set(reterr, ERR_PROTOCOL, "a transfer without a target");
    int rc = block_store_open_reader(dn->store, t->block->blockid, t->block->generationstamp, 0, &r, reterr);
    if (rc < 0) {
        datanode_open_failed(dn, t->block->blockid, rc);
        return rc;
    }
    char target[NET_ADDRESS_MAX];
    datanode_xfer_address(t->targets[0]->id, target);
    reporter_transfer_begin(dn->reporter);
    if (!*t->client_name && r.state != REPLICA_FINALIZED)
        rc = err_set(reterr, ERR_IO, "it is not finalized");
    else
        rc = send_to_target(dn, t, &r, a, reterr);
    reporter_transfer_end(dn->reporter);
    if (rc < 0)
        rc = err_prefix(reterr, rc, "copy of block %" PRId64 " to %s", (int64_t)t->block->blockid, target);
    else
        log_info("xfer", "block=%" PRId64 " copied to=%s bytes=%" PRId64, (int64_t)t->block->blockid, target,
                 r.visible_bytes);
    replica_reader_close(&r);
    metric_add(&datanode_transfers, 1);
    return rc;
}

/* CLONE_BLOCKS: finalized replicas under further ids, which share their data (proto/cairn/clone.proto). */
#include <inttypes.h>

#include "cairn/clone.pb-c.h"
#include "client/lib/peer_cache.h"
#include "common/log.h"
#include "datanode/report/reporter.h"
#include "datanode/serve/xfer.h"
#include "proto/op_header.h"

static int check_request(const struct xfer *x, const Cairn__OpCloneBlocksProto *op, struct err *reterr)
{
    if (!op->n_clone || op->n_clone > OP_CLONES_MAX)
        return err_set(reterr, ERR_PROTOCOL, "%zu blocks to clone at once: 1 to %d", op->n_clone, OP_CLONES_MAX);
    return xfer_check_pool_id(x, op->pool_id, reterr);
}

static int clone_one(struct xfer *x, const Cairn__CloneProto *q, struct err *reterr)
{
    struct replica_clone c = {.block_id = q->block_id,
                              .gen_stamp = q->stamp,
                              .bytes = q->length,
                              .new_block_id = q->new_block_id,
                              .new_gen_stamp = q->new_stamp};
    struct replica_view made;
    int rc = block_store_clone(x->dn->store, &c, &made, reterr);
    if (rc == ERR_IO || rc == ERR_NOT_FOUND || rc == ERR_READ_ONLY)
        datanode_check_storages(x->dn);
    if (rc < 0)
        return rc;
    metric_add(&datanode_blocks_cloned, 1);
    reporter_received(x->dn->reporter, &made, NULL);
    return 0;
}

int xfer_clone_blocks(struct xfer *x, const ProtobufCMessage *message)
{
    const Cairn__OpCloneBlocksProto *op = (const Cairn__OpCloneBlocksProto *)message;
    Hdfs__BlockOpResponseProto answer = HDFS__BLOCK_OP_RESPONSE_PROTO__INIT;
    struct err why, first = {0};
    if (check_request(x, op, &why) < 0)
        return xfer_refuse(x, "opCloneBlocks", NULL, HDFS__STATUS__ERROR, &why);
    answer.notcloned = arena_array(&x->arena, uint32_t, op->n_clone);
    for (size_t i = 0; i < op->n_clone; i++) {
        if (clone_one(x, op->clone[i], &why) == 0)
            continue;
        if (!answer.n_notcloned)
            first = why;
        answer.notcloned[answer.n_notcloned++] = (uint32_t)i;
    }
    answer.status = HDFS__STATUS__SUCCESS;
    answer.has_keepsconnection = answer.keepsconnection = x->dn->settings.keepalive_ms > PEER_KEEP_MS;
    if (answer.n_notcloned) {
        answer.message = first.text;
        log_info("xfer", "peer=%s client=%s not cloned: %zu of %zu blocks: %s", x->peer, op->client_name,
                 answer.n_notcloned, op->n_clone, first.text);
    }
    return delimited_write(x->fd, &answer.base, NULL);
}

#include "namenode/serve/replay.h"

#include <string.h>

#include "common/clock.h"
#include "namenode/namespace/retry_ring.h"
#include "namenode/namespace/snapshots.h"
#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"
#include "namenode/serve/status.h"

static bool is_known(struct namenode *nn, const struct rpc_call *call, uint64_t *ret_value)
{
    struct slice id = rpc_call_client_id(call);
    if (id.len != 16 || !rpc_call_is_at_most_once(call) || !retry_ring_has_any(nn->dir->retries))
        return false;
    namenode_lock(nn);
    bool known = retry_ring_find(nn->dir->retries, id.base, rpc_call_id(call), (uint64_t)clock_mono_ms(), ret_value);
    namenode_unlock(nn);
    return known;
}

/* The file as it is now; the client's own later changes cannot be in it, since it still waits for this answer. */
static enum replayed fill_create(struct op *op, uint64_t inode, Hdfs__CreateResponseProto *response)
{
    struct inode *n = NULL;
    if (txn_inode(&op->t, inode, &n, NULL) || !n->is_open)
        return REPLAY_NOT_KNOWN;
    response->fs = status_of(op->arena, n, "");
    op_writer(op, n->client_name);
    return REPLAYED;
}

static enum replayed fill_append(struct op *op, const Hdfs__AppendRequestProto *q, uint64_t inode,
                                 Hdfs__AppendResponseProto *response)
{
    struct inode *n = NULL;
    bool new_block = q->has_flag && (q->flag & HDFS__CREATE_FLAG_PROTO__NEW_BLOCK);
    if (txn_inode(&op->t, inode, &n, NULL) || !n->is_open)
        return REPLAY_NOT_KNOWN;
    op_writer(op, n->client_name);
    append_answer(op, n, new_block, response);
    if (new_block || !response->block || response->block->n_locs)
        return REPLAYED;
    err_set(&op->err, ERR_RETRIABLE,
            "No datanode has reported the last block of %s since the namenode's start: try again", q->src);
    return REPLAY_FAILED;
}

enum replayed replay_client(struct op *op, const ProtobufCMessage *message, uint64_t value, ProtobufCMessage *response)
{
    const char *method = rpc_call_method(op->call);
    if (!strcmp(method, "rename"))
        ((Hdfs__RenameResponseProto *)response)->result = 1;
    else if (!strcmp(method, "delete"))
        ((Hdfs__DeleteResponseProto *)response)->result = 1;
    else if (!strcmp(method, "create"))
        return fill_create(op, value, (Hdfs__CreateResponseProto *)response);
    else if (!strcmp(method, "append"))
        return fill_append(op, (const void *)message, value, (Hdfs__AppendResponseProto *)response);
    else if (!strcmp(method, "addCacheDirective"))
        ((Hdfs__AddCacheDirectiveResponseProto *)response)->id = (int64_t)value;
    else if (!strcmp(method, "createSnapshot")) {
        const Hdfs__CreateSnapshotRequestProto *q = (const void *)message;
        const char *name = q->snapshotname;
        name = name && *name ? name : snapshot_default_name(op->arena, value);
        ((Hdfs__CreateSnapshotResponseProto *)response)->snapshotpath =
            (char *)(uintptr_t)snapshot_path(op->arena, q->snapshotroot, name);
    }
    return REPLAYED; /* the others say nothing but that it was done */
}

bool replay_answer(struct namenode *nn, struct rpc_call *call, const ProtobufCMessage *message,
                   const ProtobufCMessageDescriptor *response, replay_fill fill)
{
    struct op op;
    uint64_t value = 0;
    if (!is_known(nn, call, &value))
        return false;
    op_begin(&op, nn, call);
    ProtobufCMessage *answer = arena_zalloc(op.arena, response->sizeof_message);
    response->message_init(answer);
    enum replayed filled = fill(&op, message, value, answer);
    if (filled == REPLAY_NOT_KNOWN) {
        op_end_parked(&op);
        return false;
    }
    op_end_read(&op, filled == REPLAY_FAILED ? op.err.code : 0, answer);
    return true;
}

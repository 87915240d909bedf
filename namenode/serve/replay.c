#include "namenode/serve/replay.h"

#include <string.h>

#include "common/clock.h"
#include "namenode/namespace/retry_ring.h"
#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"
#include "namenode/serve/status.h"

static bool is_known(struct namenode *nn, const struct rpc_call *call, uint64_t *ret_value)
{
    struct slice id = rpc_call_client_id(call);
    if (id.len != 16 || !rpc_call_is_at_most_once(call) || !retry_ring_has_any(nn->dir->retries))
        return false;
    namenode_lock(nn);
    bool known =
        retry_ring_find(nn->dir->retries, id.base, rpc_call_id(call), (uint64_t)clock_mono_ms(), ret_value);
    namenode_unlock(nn);
    return known;
}

/* The file as it is now; the client's own later changes cannot be in it, since it still waits for this answer. */
static bool fill_create(struct op *op, uint64_t inode, Hdfs__CreateResponseProto *response)
{
    struct inode *n = NULL;
    if (txn_inode(&op->t, inode, &n, NULL) || !n->is_open)
        return false;
    response->fs = status_of(op->arena, n, "");
    op_writer(op, n->client_name);
    return true;
}

static bool fill_append(struct op *op, uint64_t inode, Hdfs__AppendResponseProto *response)
{
    struct inode *n = NULL;
    if (txn_inode(&op->t, inode, &n, NULL) || !n->is_open)
        return false;
    const char *client_ip = rpc_call_client_ip(op->call);
    const struct file_block *b = inode_last_block(n);
    response->stat = status_of(op->arena, n, "");
    op_writer(op, n->client_name);
    if (b && b->state == BLOCK_UNDER_CONSTRUCTION) {
        struct block_location places[BLOCK_LOCATIONS_MAX];
        size_t count = blocks_locations(op->nn->blocks, b->id, client_ip, places, BLOCK_LOCATIONS_MAX);
        response->block = status_located_block(op->arena, op->nn, b, inode_length(n) - b->length_bytes, places, count,
                                               client_ip);
    }
    return true;
}

static bool fill(struct op *op, const ProtobufCMessage *message, uint64_t value, ProtobufCMessage *response)
{
    const char *method = rpc_call_method(op->call);
    if (!strcmp(method, "rename"))
        ((Hdfs__RenameResponseProto *)response)->result = 1;
    else if (!strcmp(method, "delete"))
        ((Hdfs__DeleteResponseProto *)response)->result = 1;
    else if (!strcmp(method, "create"))
        return fill_create(op, value, (Hdfs__CreateResponseProto *)response);
    else if (!strcmp(method, "append"))
        return fill_append(op, value, (Hdfs__AppendResponseProto *)response);
    else if (!strcmp(method, "addCacheDirective"))
        ((Hdfs__AddCacheDirectiveResponseProto *)response)->id = (int64_t)value;
    else if (!strcmp(method, "createSnapshot")) {
        const Hdfs__CreateSnapshotRequestProto *q = (const void *)message;
        if (!q->snapshotname) /* its name was made of the time: only a new one can be told */
            return false;
        ((Hdfs__CreateSnapshotResponseProto *)response)->snapshotpath =
            arena_printf(op->arena, "%s/.snapshot/%s", q->snapshotroot, q->snapshotname);
    }
    return true; /* the others say nothing but that it was done */
}

bool replay_answer(struct namenode *nn, struct rpc_call *call, const ProtobufCMessage *message,
                   const ProtobufCMessageDescriptor *response)
{
    struct op op;
    uint64_t value = 0;
    if (!is_known(nn, call, &value))
        return false;
    op_begin(&op, nn, call);
    ProtobufCMessage *answer = arena_zalloc(op.arena, response->sizeof_message);
    response->message_init(answer);
    if (fill(&op, message, value, answer)) {
        op_end_read(&op, 0, answer);
        return true;
    }
    op_end_parked(&op);
    return false;
}

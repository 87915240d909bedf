#include "namenode/serve/namenode_calls.h"

#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "hdfs/datanode_namenode.pb-c.h"
#include "namenode/journal/journal.h"
#include "namenode/serve/op.h"
#include "namenode/serve/version.h"

#define HELD_BLOCKS_MAX 65536 /* in one answer; the balancer asks again */

/* ---- for the balancer ---- */

static int held_blocks(struct op *op, const Hdfs__GetBlocksRequestProto *q, struct held_blocks *ret)
{
    struct namenode *nn = op->nn;
    struct held_blocks_args args = {.datanode_uuid = q->datanode->datanodeuuid,
                                    .storage_type = q->has_storagetype ? (uint8_t)q->storagetype : 0,
                                    .block_bytes_min = q->minblocksize,
                                    .bytes_wanted = q->size};
    if (!q->size || q->size > INT64_MAX || q->minblocksize > INT64_MAX)
        return err_set(&op->err, ERR_ILLEGAL_ARGUMENT, "Unexpected not positive size: %" PRId64, (int64_t)q->size);
    int rc = op_check_super(op);
    rc = rc ? rc : op_check_safe_mode(op, "execute getBlocks", "");
    if (rc)
        return rc;
    if (!blocks_datanode_by_uuid(nn->blocks, args.datanode_uuid))
        return err_set(&op->err, ERR_HADOOP_ILLEGAL_ARGUMENT, "Datanode %s:%u not found.", q->datanode->ipaddr,
                       q->datanode->xferport);
    size_t count = blocks_held_count(nn->blocks, args.datanode_uuid);
    ret->capacity = count < HELD_BLOCKS_MAX ? count : HELD_BLOCKS_MAX;
    ret->items = arena_array(op->arena, struct held_block, ret->capacity + 1);
    unsigned first = (unsigned)(op->t.now_ns >> 10) % BLOCKS_WALK_STEPS; /* so that each call sees other blocks first */
    for (unsigned i = 0; i < BLOCKS_WALK_STEPS && ret->count < ret->capacity && ret->bytes < q->size; i++) {
        blocks_held_step(nn->blocks, &args, first + i, op->arena, ret);
        namenode_unlock(nn);
        namenode_lock(nn);
    }
    return 0;
}

static Hdfs__BlockWithLocationsProto *held_block_proto(struct arena *a, const struct held_block *h)
{
    Hdfs__BlockWithLocationsProto *p = arena_new(a, Hdfs__BlockWithLocationsProto);
    hdfs__block_with_locations_proto__init(p);
    p->block = arena_new(a, Hdfs__BlockProto);
    hdfs__block_proto__init(p->block);
    p->block->blockid = h->block_id;
    p->block->genstamp = h->gen_stamp;
    p->block->has_numbytes = 1;
    p->block->numbytes = h->bytes;
    p->n_datanodeuuids = p->n_storageuuids = p->n_storagetypes = h->place_count;
    p->datanodeuuids = arena_array(a, char *, h->place_count);
    p->storageuuids = arena_array(a, char *, h->place_count);
    p->storagetypes = arena_array(a, Hdfs__StorageTypeProto, h->place_count);
    for (size_t i = 0; i < h->place_count; i++) {
        p->datanodeuuids[i] = (char *)(uintptr_t)h->places[i].datanode_uuid;
        p->storageuuids[i] = (char *)(uintptr_t)h->places[i].storage_uuid;
        p->storagetypes[i] = (Hdfs__StorageTypeProto)h->places[i].storage_type;
    }
    return p;
}

static void get_blocks(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    struct held_blocks held = {0};
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_blocks_response_proto, Hdfs__GetBlocksResponseProto);
    int rc = held_blocks(&op, (const void *)message, &held);
    response->blocks = arena_new(op.arena, Hdfs__BlocksWithLocationsProto);
    hdfs__blocks_with_locations_proto__init(response->blocks);
    response->blocks->blocks = arena_array(op.arena, Hdfs__BlockWithLocationsProto *, held.count + 1);
    for (size_t i = 0; i < held.count; i++)
        response->blocks->blocks[response->blocks->n_blocks++] = held_block_proto(op.arena, &held.items[i]);
    op_end_read(&op, rc, &response->base);
}

/* Block tokens are off, as an empty key says. */
static void get_block_keys(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_block_keys_response_proto, Hdfs__GetBlockKeysResponseProto);
    Hdfs__ExportedBlockKeysProto keys = HDFS__EXPORTED_BLOCK_KEYS_PROTO__INIT;
    Hdfs__BlockKeyProto key = HDFS__BLOCK_KEY_PROTO__INIT;
    keys.currentkey = &key;
    response->keys = &keys;
    op_end_read(&op, op_check_super(&op), &response->base);
}

static void is_upgrade_finalized(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__is_upgrade_finalized_response_proto, Hdfs__IsUpgradeFinalizedResponseProto);
    response->isupgradefinalized = 1;
    op_end_read(&op, op_check_super(&op), &response->base);
}

static void is_rolling_upgrade(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__is_rolling_upgrade_response_proto, Hdfs__IsRollingUpgradeResponseProto);
    op_end_read(&op, op_check_super(&op), &response->base);
}

static void get_next_spspath(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    int rc = op_check_super(&op);
    rc = rc ? rc
            : err_set(&op.err, ERR_IO,
                      "SPS service mode is NONE, so external SPS service is not allowed to fetch the path Ids");
    op_end_read(&op, rc, NULL);
}

/* ---- transactions: the journal's numbers ---- */

static void get_transaction_id(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_transaction_id_response_proto, Hdfs__GetTransactionIdResponseProto);
    response->txid = journal_latest(op.nn->journal);
    op_end_read(&op, op_check_super(&op), &response->base);
}

/* The store is its own checkpoint, up to date with every change. */
static void get_most_recent_checkpoint_tx_id(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_most_recent_checkpoint_tx_id_response_proto,
                Hdfs__GetMostRecentCheckpointTxIdResponseProto);
    response->txid = journal_latest(op.nn->journal);
    op_end_read(&op, op_check_super(&op), &response->base);
}

static void roll_edit_log(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__roll_edit_log_response_proto, Hdfs__RollEditLogResponseProto);
    Hdfs__CheckpointSignatureProto signature = HDFS__CHECKPOINT_SIGNATURE_PROTO__INIT;
    Hdfs__StorageInfoProto storage;
    int rc = op_check_super(&op);
    version_storage_info(op.nn, &storage);
    signature.blockpoolid = op.nn->ids.block_pool_id;
    signature.mostrecentcheckpointtxid = signature.cursegmenttxid = journal_latest(op.nn->journal);
    signature.storageinfo = &storage;
    response->signature = &signature;
    op_end(&op, rc, &response->base);
}

/* ---- secondary and backup namenodes ---- */

/* There is no edit log that one could follow, and no image to check in. */
static void refuse_checkpoints(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    int rc = op_check_super(&op);
    rc = rc ? rc
            : err_set(&op.err, ERR_UNSUPPORTED_ACTION,
                      "%s not supported: this namenode keeps its metadata in a store that needs no checkpoints",
                      rpc_call_method(call));
    op_end_read(&op, rc, NULL);
}

static void get_edit_log_manifest(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_edit_log_manifest_response_proto, Hdfs__GetEditLogManifestResponseProto);
    Hdfs__RemoteEditLogManifestProto none = HDFS__REMOTE_EDIT_LOG_MANIFEST_PROTO__INIT;
    none.has_committedtxnid = 1;
    none.committedtxnid = journal_latest(op.nn->journal);
    response->manifest = &none;
    op_end_read(&op, op_check_super(&op), &response->base);
}

static void error_report(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__NamenodeErrorReportRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__namenode_error_report_response_proto, Hdfs__NamenodeErrorReportResponseProto);
    int rc = op_check_super(&op);
    if (!rc)
        log_warn("namenode_calls", "error.report from=%.100s code=%u text='%.200s'", q->registration->rpcaddress,
                 q->errorcode, q->msg);
    op_end_read(&op, rc, &response->base);
}

#define METHOD(name, prefix, function, flags) RPC_METHOD(name, hdfs__##prefix, function, flags)

static const struct rpc_method methods[] = {
    {"versionRequest", &hdfs__version_request_proto__descriptor, &hdfs__version_response_proto__descriptor,
     answer_version_request, 0},
    METHOD("getBlocks", get_blocks, get_blocks, RPC_MAY_BLOCK),
    METHOD("getBlockKeys", get_block_keys, get_block_keys, 0),
    METHOD("getTransactionId", get_transaction_id, get_transaction_id, 0),
    METHOD("getMostRecentCheckpointTxId", get_most_recent_checkpoint_tx_id, get_most_recent_checkpoint_tx_id, 0),
    METHOD("rollEditLog", roll_edit_log, roll_edit_log, 0),
    {"errorReport", &hdfs__namenode_error_report_request_proto__descriptor,
     &hdfs__namenode_error_report_response_proto__descriptor, error_report, 0},
    {"registerSubordinateNamenode", &hdfs__register_request_proto__descriptor,
     &hdfs__register_response_proto__descriptor, refuse_checkpoints, RPC_REFUSES},
    METHOD("startCheckpoint", start_checkpoint, refuse_checkpoints, RPC_REFUSES),
    METHOD("endCheckpoint", end_checkpoint, refuse_checkpoints, RPC_REFUSES),
    METHOD("getEditLogManifest", get_edit_log_manifest, get_edit_log_manifest, 0),
    METHOD("isUpgradeFinalized", is_upgrade_finalized, is_upgrade_finalized, 0),
    METHOD("isRollingUpgrade", is_rolling_upgrade, is_rolling_upgrade, 0),
    METHOD("getNextSPSPath", get_next_spspath, get_next_spspath, RPC_REFUSES),
};

struct rpc_service namenode_calls_service(struct namenode *nn)
{
    return (struct rpc_service){"org.apache.hadoop.hdfs.server.protocol.NamenodeProtocol", methods,
                                ARRAY_COUNT(methods), nn};
}

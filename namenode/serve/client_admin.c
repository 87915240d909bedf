/* ClientProtocol: the cluster and its administration. */
#include <string.h>

#include "namenode/serve/client_calls.h"
#include "namenode/serve/membership.h"
#include "namenode/serve/op.h"
#include "namenode/serve/status.h"

#define STORAGE_POLICY_HOT 7

void client_get_server_defaults(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    const struct config *c = op.nn->config;
    OP_RESPONSE(&op, hdfs__get_server_defaults_response_proto, Hdfs__GetServerDefaultsResponseProto);
    Hdfs__FsServerDefaultsProto d = HDFS__FS_SERVER_DEFAULTS_PROTO__INIT;
    d.blocksize = (uint64_t)config_size(c, "dfs.blocksize");
    d.replication = (uint32_t)config_int(c, "dfs.replication");
    d.bytesperchecksum = (uint32_t)config_int(c, "dfs.bytes-per-checksum");
    d.writepacketsize = (uint32_t)config_size(c, "dfs.client-write-packet-size");
    d.filebuffersize = (uint32_t)config_size(c, "io.file.buffer.size");
    d.has_encryptdatatransfer = d.has_trashinterval = d.has_checksumtype = d.has_policyid =
        d.has_snapshottrashrootenabled = 1;
    d.trashinterval = (uint64_t)(config_ms(c, "fs.trash.interval") / 60000);
    d.snapshottrashrootenabled = config_bool(c, "dfs.namenode.snapshot.trashroot.enabled");
    d.checksumtype = strcmp(config_str(c, "dfs.checksum.type"), "CRC32") ? HDFS__CHECKSUM_TYPE_PROTO__CHECKSUM_CRC32C
                                                                         : HDFS__CHECKSUM_TYPE_PROTO__CHECKSUM_CRC32;
    d.keyprovideruri = arena_strdup(op.arena, ""); /* present: "there is none", rather than "an old server" */
    d.policyid = STORAGE_POLICY_HOT;
    response->serverdefaults = &d;
    op_end_read(&op, 0, &response->base);
}

/* ---- figures ---- */

void client_get_fs_stats(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    struct blocks_stats s;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_fs_stats_response_proto, Hdfs__GetFsStatsResponseProto);
    blocks_stats(op.nn->blocks, &s);
    response->capacity = s.capacity_bytes;
    response->used = s.used_bytes;
    response->remaining = s.remaining_bytes;
    response->under_replicated = s.under_replicated;
    response->corrupt_blocks = s.corrupt;
    response->missing_blocks = s.missing;
    response->has_missing_repl_one_blocks = response->has_pending_deletion_blocks = 1;
    response->missing_repl_one_blocks = s.missing_replication_one;
    response->pending_deletion_blocks = s.pending_deletion;
    op_end_read(&op, 0, &response->base);
}

void client_get_fs_replicated_block_stats(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    struct blocks_stats s;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_fs_replicated_block_stats_response_proto, Hdfs__GetFsReplicatedBlockStatsResponseProto);
    blocks_stats(op.nn->blocks, &s);
    response->low_redundancy = s.under_replicated;
    response->corrupt_blocks = s.corrupt;
    response->missing_blocks = s.missing;
    response->missing_repl_one_blocks = s.missing_replication_one;
    response->pending_deletion_blocks = s.pending_deletion;
    response->has_highest_prio_low_redundancy_blocks = 1;
    response->highest_prio_low_redundancy_blocks = s.low_redundancy_highest;
    op_end_read(&op, 0, &response->base);
}

/* There are no striped blocks. */
void client_get_fs_ecblock_group_stats(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__GetFsECBlockGroupStatsResponseProto response = HDFS__GET_FS_ECBLOCK_GROUP_STATS_RESPONSE_PROTO__INIT;
    response.has_highest_prio_low_redundancy_blocks = 1;
    rpc_call_reply(call, &response.base);
}

/* ---- datanodes ---- */

void client_get_datanode_report(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetDatanodeReportRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_datanode_report_response_proto, Hdfs__GetDatanodeReportResponseProto);
    int rc = op_check_super(&op);
    if (!rc) {
        const struct datanode_info **nodes = NULL;
        response->n_di = blocks_datanodes(op.nn->blocks, (enum datanode_list_type)q->type, op.arena, &nodes);
        response->di = arena_array(op.arena, Hdfs__DatanodeInfoProto *, response->n_di);
        for (size_t i = 0; i < response->n_di; i++)
            response->di[i] = status_datanode(op.arena, nodes[i], rpc_call_client_ip(call));
    }
    op_end_read(&op, rc, &response->base);
}

static Hdfs__StorageReportProto *storage_report(struct arena *a, const struct storage_info *s)
{
    Hdfs__StorageReportProto *r = arena_new(a, Hdfs__StorageReportProto);
    Hdfs__DatanodeStorageProto *storage = arena_new(a, Hdfs__DatanodeStorageProto);
    hdfs__storage_report_proto__init(r);
    hdfs__datanode_storage_proto__init(storage);
    storage->storageuuid = r->storageuuid = (char *)(uintptr_t)s->uuid;
    storage->has_storagetype = 1;
    storage->storagetype = (Hdfs__StorageTypeProto)(s->type ? s->type : 1);
    r->storage = storage;
    r->has_failed = r->has_capacity = r->has_dfsused = r->has_remaining = r->has_blockpoolused = r->has_nondfsused = 1;
    r->failed = s->failed;
    r->capacity = s->capacity_bytes;
    r->dfsused = s->used_bytes;
    r->remaining = s->remaining_bytes;
    r->blockpoolused = s->pool_used_bytes;
    uint64_t known = s->used_bytes + s->remaining_bytes;
    r->nondfsused = s->capacity_bytes > known ? s->capacity_bytes - known : 0;
    return r;
}

void client_get_datanode_storage_report(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetDatanodeStorageReportRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_datanode_storage_report_response_proto, Hdfs__GetDatanodeStorageReportResponseProto);
    int rc = op_check_super(&op);
    const struct datanode_info **nodes = NULL;
    size_t count = rc ? 0 : blocks_datanodes(op.nn->blocks, (enum datanode_list_type)q->type, op.arena, &nodes);
    response->datanodestoragereports = arena_array(op.arena, Hdfs__DatanodeStorageReportProto *, count);
    for (size_t i = 0; i < count; i++) {
        struct storage_info *storages = NULL;
        Hdfs__DatanodeStorageReportProto *r = arena_new(op.arena, Hdfs__DatanodeStorageReportProto);
        hdfs__datanode_storage_report_proto__init(r);
        r->datanodeinfo = status_datanode(op.arena, nodes[i], rpc_call_client_ip(call));
        r->n_storagereports = blocks_storages(op.nn->blocks, nodes[i], op.arena, &storages);
        r->storagereports = arena_array(op.arena, Hdfs__StorageReportProto *, r->n_storagereports);
        for (size_t j = 0; j < r->n_storagereports; j++)
            r->storagereports[j] = storage_report(op.arena, &storages[j]);
        response->datanodestoragereports[response->n_datanodestoragereports++] = r;
    }
    op_end_read(&op, rc, &response->base);
}

/* Slowness is not measured yet, so no node is known to be slow. */
void client_get_slow_datanode_report(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__GetSlowDatanodeReportResponseProto response = HDFS__GET_SLOW_DATANODE_REPORT_RESPONSE_PROTO__INIT;
    rpc_call_reply(call, &response.base);
}

void client_refresh_nodes(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__refresh_nodes_response_proto, Hdfs__RefreshNodesResponseProto);
    int rc = op_check_super(&op);
    namenode_unlock(op.nn); /* reads files */
    rc = rc ? rc : membership_load(op.nn, &op.err);
    namenode_lock(op.nn);
    op_end_read(&op, rc, &response->base);
}

void client_set_balancer_bandwidth(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__SetBalancerBandwidthRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__set_balancer_bandwidth_response_proto, Hdfs__SetBalancerBandwidthResponseProto);
    int rc = op_check_super(&op);
    if (!rc && q->bandwidth >= 0) /* HDFS takes others too, and no datanode minds them */
        blocks_set_balancer_bandwidth(op.nn->blocks, (uint64_t)q->bandwidth);
    op_end_read(&op, rc, &response->base);
}

/* ---- safe mode and upkeep ---- */

void client_set_safe_mode(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__SetSafeModeRequestProto *q = (const void *)message;
    struct op op;
    enum safe_mode_action action;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__set_safe_mode_response_proto, Hdfs__SetSafeModeResponseProto);
    switch (q->action) {
    case HDFS__SAFE_MODE_ACTION_PROTO__SAFEMODE_LEAVE: action = SAFE_MODE_LEAVE; break;
    case HDFS__SAFE_MODE_ACTION_PROTO__SAFEMODE_ENTER: action = SAFE_MODE_ENTER; break;
    case HDFS__SAFE_MODE_ACTION_PROTO__SAFEMODE_FORCE_EXIT: action = SAFE_MODE_FORCE_EXIT; break;
    default: action = SAFE_MODE_GET;
    }
    int rc = action == SAFE_MODE_GET ? 0 : op_check_super(&op);
    if (!rc)
        response->result = blocks_safe_mode(op.nn->blocks, action, op.file.now_ms);
    op_end_read(&op, rc, &response->base);
}

/* Every acknowledged change is on disk already. */
void client_save_namespace(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__save_namespace_response_proto, Hdfs__SaveNamespaceResponseProto);
    response->has_saved = 1;
    response->saved = 1;
    int rc = op_check_super(&op);
    if (!rc && !blocks_in_safe_mode(op.nn->blocks))
        rc = err_set(&op.err, ERR_IO, "Safe mode should be turned ON in order to create namespace image.");
    op_end(&op, rc, &response->base);
}

/* There are no segments; the number is that of the newest change. */
void client_roll_edits(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__roll_edits_response_proto, Hdfs__RollEditsResponseProto);
    response->newsegmenttxid = journal_latest(op.nn->journal);
    op_end(&op, op_check_super(&op), &response->base);
}

void client_restore_failed_storage(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__restore_failed_storage_response_proto, Hdfs__RestoreFailedStorageResponseProto);
    response->result = 0; /* there is one metadata folder, and the namenode stops when it fails */
    op_end_read(&op, op_check_super(&op), &response->base);
}

void client_finalize_upgrade(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__finalize_upgrade_response_proto, Hdfs__FinalizeUpgradeResponseProto);
    op_end_read(&op, op_check_super(&op), &response->base);
}

void client_upgrade_status(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__upgrade_status_response_proto, Hdfs__UpgradeStatusResponseProto);
    response->upgradefinalized = 1;
    op_end_read(&op, 0, &response->base);
}

void client_rolling_upgrade(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__RollingUpgradeRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__rolling_upgrade_response_proto, Hdfs__RollingUpgradeResponseProto);
    int rc = op_check_super(&op);
    if (!rc && q->action != HDFS__ROLLING_UPGRADE_ACTION_PROTO__QUERY &&
        q->action != HDFS__ROLLING_UPGRADE_ACTION_PROTO__FINALIZE) /* of which there is none, as HDFS answers */
        rc = err_set(&op.err, ERR_UNSUPPORTED_ACTION,
                     "rolling upgrades are not supported: stop the namenode and start the new "
                     "version on the same folder");
    op_end_read(&op, rc, &response->base);
}

void client_msync(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__MsyncResponseProto response = HDFS__MSYNC_RESPONSE_PROTO__INIT;
    rpc_call_reply(call, &response.base);
}

void client_get_ha_service_state(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__HAServiceStateResponseProto response = HDFS__HASERVICE_STATE_RESPONSE_PROTO__INIT;
    response.state = HDFS__HASERVICE_STATE_PROTO__ACTIVE;
    rpc_call_reply(call, &response.base);
}

/* ---- what happened (inotify): the number of the newest change is known, the changes themselves are not kept ---- */

void client_get_current_edit_log_txid(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_current_edit_log_txid_response_proto, Hdfs__GetCurrentEditLogTxidResponseProto);
    response->txid = (int64_t)journal_latest(op.nn->journal);
    op_end_read(&op, op_check_super(&op), &response->base);
}

void client_get_edits_from_txid(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    int rc = op_check_super(&op);
    rc = rc ? rc
            : err_set(&op.err, ERR_UNSUPPORTED_ACTION,
                      "getEditsFromTxid not supported: this namenode keeps no log of past changes");
    op_end_read(&op, rc, NULL);
}

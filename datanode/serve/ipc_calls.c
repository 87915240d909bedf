/* The datanode's RPC port: ClientDatanodeProtocol for clients and operators, InterDatanodeProtocol for block recovery.
 */
#include "datanode/serve/ipc_calls.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "datanode/report/reporter.h"
#include "datanode/serve/ipc_admin.h"
#include "datanode/serve/zero_block.h"
#include "hdfs/admin.pb-c.h"
#include "hdfs/client_datanode.pb-c.h"
#include "hdfs/datanode_namenode.pb-c.h"

#define CLIENT_DATANODE_PROTOCOL "org.apache.hadoop.hdfs.protocol.ClientDatanodeProtocol"
#define INTER_DATANODE_PROTOCOL  "org.apache.hadoop.hdfs.server.protocol.InterDatanodeProtocol"
#define IPC_LOOPS                1
#define IPC_POOL_THREADS         4
#define IPC_CONNECTIONS_MAX      1024

static int check_pool(const struct datanode *dn, const char *pool_id, struct err *reterr)
{
    const char *ours = block_store_pool_id(dn->store);
    if (!*ours)
        return err_set(reterr, ERR_RETRIABLE, "this datanode has not registered with its namenode yet");
    if (strcmp(ours, pool_id) != 0)
        return err_set(reterr, ERR_IO, "block pool %s is not on this datanode; it keeps %s", pool_id, ours);
    return 0;
}

/* ---- ClientDatanodeProtocol ---- */

static void get_replica_visible_length(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct datanode *dn = context;
    const Hdfs__GetReplicaVisibleLengthRequestProto *q = (const Hdfs__GetReplicaVisibleLengthRequestProto *)request;
    const Hdfs__ExtendedBlockProto *block = q->block;
    if (q->sync && !rpc_call_may_block(call)) {
        rpc_call_repeat_in_pool(call);
        return;
    }
    Hdfs__GetReplicaVisibleLengthResponseProto response = HDFS__GET_REPLICA_VISIBLE_LENGTH_RESPONSE_PROTO__INIT;
    struct replica_view view;
    struct err why;
    int rc = check_pool(dn, block->poolid, &why);
    if (rc == 0 && is_zero_block(block)) { /* as long as he thinks */
        response.length = block->has_numbytes ? block->numbytes : 0;
        rpc_call_reply(call, &response.base);
        return;
    }
    if (rc == 0)
        rc = block_store_view(dn->store, block->blockid, &view, &why);
    if (rc == 0 && view.gen_stamp < block->generationstamp)
        rc = err_set(&why, ERR_IO, "replica blk_%" PRId64 "_%" PRIu64 " is older than the block asked for, %" PRIu64,
                     (int64_t)view.block_id, view.gen_stamp, block->generationstamp);
    if (rc == 0 && q->sync)
        rc = block_store_sync(dn->store, block->blockid, block->generationstamp, &why);
    if (rc < 0) {
        rpc_call_fail(call, &why);
        return;
    }
    response.length = (uint64_t)view.visible_bytes;
    response.has_synced = response.synced = q->sync;
    metric_add(&datanode_replicas_synced, q->sync);
    rpc_call_reply(call, &response.base);
}

static void refuse_local_path(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct err why;
    (void)request, (void)context;
    (void)err_set(&why, ERR_ACCESS,
                  "Can't continue with getBlockLocalPathInfo() authorization. The user %s is not "
                  "configured in dfs.block.local-path-access.user",
                  rpc_call_user(call));
    rpc_call_fail(call, &why);
}

static void get_datanode_info(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    const struct datanode *dn = context;
    Hdfs__GetDatanodeInfoResponseProto response = HDFS__GET_DATANODE_INFO_RESPONSE_PROTO__INIT;
    Hdfs__DatanodeLocalInfoProto info = HDFS__DATANODE_LOCAL_INFO_PROTO__INIT;
    (void)request;
    info.softwareversion = (char *)SOFTWARE_VERSION;
    info.configversion = (char *)"core-3.0.0,hdfs-1"; /* of Hadoop's default settings */
    info.uptime = (uint64_t)(clock_mono_ms() - dn->started_mono_ms) / 1000;
    response.localinfo = &info;
    rpc_call_reply(call, &response.base);
}

static void get_volume_report(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct datanode *dn = context;
    struct arena *a = rpc_call_arena(call);
    struct storage_view views[VOLUMES_MAX];
    Hdfs__GetVolumeReportResponseProto response = HDFS__GET_VOLUME_REPORT_RESPONSE_PROTO__INIT;
    size_t count = block_store_storages(dn->store, views, VOLUMES_MAX);
    (void)request;
    response.volumeinfo = arena_array(a, Hdfs__DatanodeVolumeInfoProto *, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (views[i].failed)
            continue;
        Hdfs__DatanodeVolumeInfoProto *info = arena_new(a, Hdfs__DatanodeVolumeInfoProto);
        *info = (Hdfs__DatanodeVolumeInfoProto)HDFS__DATANODE_VOLUME_INFO_PROTO__INIT;
        info->path = (char *)views[i].dir;
        info->storagetype = (Hdfs__StorageTypeProto)views[i].storage_type;
        info->usedspace = (uint64_t)views[i].space.used_bytes;
        info->freespace = (uint64_t)views[i].space.free_bytes;
        info->reservedspace = (uint64_t)views[i].reserved_bytes;
        info->reservedspaceforreplicas = (uint64_t)views[i].promised_bytes;
        info->numblocks = (uint64_t)views[i].replica_count;
        response.volumeinfo[response.n_volumeinfo++] = info;
    }
    rpc_call_reply(call, &response.base);
}

static void get_balancer_bandwidth(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct datanode *dn = context;
    Hdfs__GetBalancerBandwidthResponseProto response = HDFS__GET_BALANCER_BANDWIDTH_RESPONSE_PROTO__INIT;
    (void)request;
    response.bandwidth = (uint64_t)atomic_load(&dn->balance_bytes_per_second);
    rpc_call_reply(call, &response.base);
}

static void trigger_block_report(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct datanode *dn = context;
    Hdfs__TriggerBlockReportResponseProto response = HDFS__TRIGGER_BLOCK_REPORT_RESPONSE_PROTO__INIT;
    struct err why;
    int rc = ipc_check_super(dn, call, &why);
    if (rc == 0 && !dn->reporter)
        rc = err_set(&why, ERR_RETRIABLE, "this datanode is starting");
    if (rc < 0) {
        rpc_call_fail(call, &why);
        return;
    }
    reporter_trigger(dn->reporter, !((const Hdfs__TriggerBlockReportRequestProto *)request)->incremental);
    rpc_call_reply(call, &response.base);
}

/* ---- InterDatanodeProtocol ---- */

static void init_replica_recovery(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct datanode *dn = context;
    const Hdfs__RecoveringBlockProto *recovering = ((const Hdfs__InitReplicaRecoveryRequestProto *)request)->block;
    const Hdfs__ExtendedBlockProto *block = recovering->block->b;
    Hdfs__InitReplicaRecoveryResponseProto response = HDFS__INIT_REPLICA_RECOVERY_RESPONSE_PROTO__INIT;
    Hdfs__BlockProto found = HDFS__BLOCK_PROTO__INIT;
    struct replica_view before;
    struct err why;
    int rc = check_pool(dn, block->poolid, &why);
    if (rc == 0)
        rc = block_store_init_recovery(dn->store, block->blockid, block->generationstamp, recovering->newgenstamp,
                                       &before, &why);
    if (rc == ERR_REPLICA_NOT_FOUND) {
        response.replicafound = 0;
        rpc_call_reply(call, &response.base);
        return;
    }
    if (rc < 0) {
        rpc_call_fail(call, &why);
        return;
    }
    log_info("recovery", "block=%" PRId64 " id=%" PRIu64 " replica is %s with %" PRIu64 " bytes",
             (int64_t)before.block_id, recovering->newgenstamp, replica_state_name(before.original_state),
             before.disk_bytes);
    found.blockid = before.block_id;
    found.genstamp = before.gen_stamp;
    found.has_numbytes = 1;
    found.numbytes = before.disk_bytes;
    response.replicafound = 1;
    response.has_state = 1;
    response.state = (Hdfs__ReplicaStateProto)before.original_state;
    response.block = &found;
    rpc_call_reply(call, &response.base);
}

static void update_replica_under_recovery(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct datanode *dn = context;
    const Hdfs__UpdateReplicaUnderRecoveryRequestProto *q =
        (const Hdfs__UpdateReplicaUnderRecoveryRequestProto *)request;
    Hdfs__UpdateReplicaUnderRecoveryResponseProto response = HDFS__UPDATE_REPLICA_UNDER_RECOVERY_RESPONSE_PROTO__INIT;
    struct replica_agree agree = {.block_id = q->block->blockid,
                                  .old_bytes = q->block->has_numbytes ? q->block->numbytes : 0,
                                  .recovery_id = q->recoveryid,
                                  .new_bytes = q->newlength,
                                  .new_block_id = q->has_newblockid ? q->newblockid : 0};
    struct replica_view view;
    struct err why;
    int rc = check_pool(dn, q->block->poolid, &why);
    if (rc == 0)
        rc = block_store_update_recovery(dn->store, &agree, &view, &why);
    if (rc < 0) {
        log_warn("recovery", "block=%" PRId64 " id=%" PRIu64 ": %s", (int64_t)q->block->blockid, q->recoveryid,
                 why.text);
        rpc_call_fail(call, &why);
        return;
    }
    reporter_received(dn->reporter, &view, NULL);
    if (agree.new_block_id && agree.new_block_id != agree.block_id &&
        block_store_view(dn->store, agree.new_block_id, &view, NULL) == 0)
        reporter_received(dn->reporter, &view, NULL);
    response.storageuuid = (char *)view.storage_id;
    rpc_call_reply(call, &response.base);
}

/* ---- the server ---- */

#define CALL(method, prefix, function, flags) RPC_METHOD(method, hdfs__##prefix, function, flags)

static const struct rpc_method client_methods[] = {
    CALL("getReplicaVisibleLength", get_replica_visible_length, get_replica_visible_length, 0),
    CALL("getBlockLocalPathInfo", get_block_local_path_info, refuse_local_path, RPC_REFUSES),
    CALL("getDatanodeInfo", get_datanode_info, get_datanode_info, 0),
    CALL("getVolumeReport", get_volume_report, get_volume_report, RPC_MAY_BLOCK),
    CALL("getBalancerBandwidth", get_balancer_bandwidth, get_balancer_bandwidth, 0),
    CALL("triggerBlockReport", trigger_block_report, trigger_block_report, RPC_MAY_BLOCK),
    CALL("refreshNamenodes", refresh_namenodes, ipc_refresh_namenodes, RPC_MAY_BLOCK),
    CALL("deleteBlockPool", delete_block_pool, ipc_delete_block_pool, RPC_MAY_BLOCK),
    CALL("shutdownDatanode", shutdown_datanode, ipc_shutdown_datanode, RPC_MAY_BLOCK),
    CALL("evictWriters", evict_writers, ipc_evict_writers, RPC_MAY_BLOCK),
    CALL("listReconfigurableProperties", list_reconfigurable_properties, ipc_list_reconfigurable_properties,
         RPC_MAY_BLOCK),
    CALL("startReconfiguration", start_reconfiguration, ipc_start_reconfiguration, RPC_MAY_BLOCK),
    CALL("getReconfigurationStatus", get_reconfiguration_status, ipc_get_reconfiguration_status, RPC_MAY_BLOCK),
    CALL("submitDiskBalancerPlan", submit_disk_balancer_plan, ipc_submit_disk_balancer_plan,
         RPC_MAY_BLOCK | RPC_REFUSES),
    CALL("cancelDiskBalancerPlan", cancel_plan, ipc_cancel_disk_balancer_plan, RPC_MAY_BLOCK | RPC_REFUSES),
    CALL("queryDiskBalancerPlan", query_plan_status, ipc_query_disk_balancer_plan, RPC_MAY_BLOCK),
    CALL("getDiskBalancerSetting", disk_balancer_setting, ipc_get_disk_balancer_setting, RPC_MAY_BLOCK | RPC_REFUSES),
};
/* The same three, as other servers have them. */
static const struct rpc_method reconfiguration_methods[] = {
    CALL("listReconfigurableProperties", list_reconfigurable_properties, ipc_list_reconfigurable_properties,
         RPC_MAY_BLOCK),
    CALL("startReconfiguration", start_reconfiguration, ipc_start_reconfiguration, RPC_MAY_BLOCK),
    CALL("getReconfigurationStatus", get_reconfiguration_status, ipc_get_reconfiguration_status, RPC_MAY_BLOCK),
};
static const struct rpc_method inter_methods[] = {
    CALL("initReplicaRecovery", init_replica_recovery, init_replica_recovery, RPC_MAY_BLOCK),
    CALL("updateReplicaUnderRecovery", update_replica_under_recovery, update_replica_under_recovery, RPC_MAY_BLOCK),
};

int ipc_server_start(struct datanode *dn, struct rpc_server **ret, struct err *reterr)
{
    struct rpc_service services[] = {
        {CLIENT_DATANODE_PROTOCOL, client_methods, ARRAY_COUNT(client_methods), dn},
        {INTER_DATANODE_PROTOCOL, inter_methods, ARRAY_COUNT(inter_methods), dn},
        {"org.apache.hadoop.hdfs.protocol.ReconfigurationProtocol", reconfiguration_methods,
         ARRAY_COUNT(reconfiguration_methods), dn},
    };
    struct rpc_server_options options = {.listen = dn->settings.ipc_listen,
                                         .loops = IPC_LOOPS,
                                         .pool_threads = IPC_POOL_THREADS,
                                         .connections_max = IPC_CONNECTIONS_MAX,
                                         .proxy_users = dn->proxy_users,
                                         .services = services,
                                         .service_count = ARRAY_COUNT(services)};
    rpc_server_queue_options(dn->config, &options);
    int rc = rpc_server_start(&options, ret, reterr);
    return rc < 0 ? err_prefix(reterr, rc, "dfs.datanode.ipc.address") : 0;
}

/* Heartbeats: what our storages hold and how busy we are; the answers carry commands. Also the small complaints. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "datanode/report/reporter_impl.h"
#include "datanode/serve/xfer.h"
#include "datanode/store/block_cache.h"
#include "hdfs/client_namenode.pb-c.h"

struct storage_messages {
    Hdfs__StorageReportProto report;
    Hdfs__DatanodeStorageProto storage;
};

static Hdfs__StorageReportProto *storage_report(const struct storage_view *v, struct arena *a)
{
    struct storage_messages *m = arena_new(a, struct storage_messages);
    m->report = (Hdfs__StorageReportProto)HDFS__STORAGE_REPORT_PROTO__INIT;
    m->storage = (Hdfs__DatanodeStorageProto)HDFS__DATANODE_STORAGE_PROTO__INIT;
    m->storage.storageuuid = (char *)v->storage_id;
    m->storage.has_state = m->storage.has_storagetype = 1;
    m->storage.storagetype = (Hdfs__StorageTypeProto)v->storage_type;
    m->report.storageuuid = (char *)v->storage_id;
    m->report.storage = &m->storage;
    m->report.has_failed = m->report.has_capacity = m->report.has_dfsused = m->report.has_nondfsused = 1;
    m->report.has_remaining = m->report.has_blockpoolused = 1;
    m->report.failed = v->failed;
    m->report.capacity = (uint64_t)v->space.capacity_bytes;
    m->report.dfsused = m->report.blockpoolused = (uint64_t)v->space.used_bytes;
    m->report.nondfsused = (uint64_t)v->space.other_bytes;
    m->report.remaining = (uint64_t)v->space.free_bytes;
    return &m->report;
}

static void fill_reports(struct reporter *r, Hdfs__HeartbeatRequestProto *request, struct arena *a)
{
    struct storage_view views[VOLUMES_MAX];
    size_t count = block_store_storages(r->dn->store, views, VOLUMES_MAX);
    Hdfs__VolumeFailureSummaryProto *failures = arena_new(a, Hdfs__VolumeFailureSummaryProto);
    *failures = (Hdfs__VolumeFailureSummaryProto)HDFS__VOLUME_FAILURE_SUMMARY_PROTO__INIT;
    failures->failedstoragelocations = arena_array(a, char *, count + 1);
    request->reports = arena_array(a, Hdfs__StorageReportProto *, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (!views[i].failed) {
            request->reports[request->n_reports++] = storage_report(&views[i], a);
            continue;
        }
        failures->failedstoragelocations[failures->n_failedstoragelocations++] = (char *)views[i].dir;
        if ((uint64_t)views[i].failed_at_ms > failures->lastvolumefailuredate)
            failures->lastvolumefailuredate = (uint64_t)views[i].failed_at_ms;
    }
    request->has_failedvolumes = 1;
    request->failedvolumes = (uint32_t)failures->n_failedstoragelocations;
    if (failures->n_failedstoragelocations)
        request->volumefailuresummary = failures;
}

int send_heartbeat(struct reporter *r, bool want_lease, struct err *reterr)
{
    AUTO(arena_free) struct arena a;
    struct registration reg;
    ProtobufCMessage *message;
    Hdfs__HeartbeatRequestProto request = HDFS__HEARTBEAT_REQUEST_PROTO__INIT;
    arena_init(&a, REPORT_ARENA_BYTES);
    registration_fill(r, &reg);
    request.registration = &reg.message;
    fill_reports(r, &request, &a);
    request.has_peersversion = request.has_requestfullblockreportlease = request.has_xceivercount =
        request.has_xmitsinprogress = 1;
    request.peersversion = r->peers_version;
    request.requestfullblockreportlease = want_lease;
    request.xceivercount = (uint32_t)xfer_server_active(r->dn->xfer) + 1; /* Java counts its acceptor too */
    request.has_cachecapacity = request.has_cacheused = 1;
    request.cachecapacity = block_cache_max_bytes(r->dn->cache);
    request.cacheused = block_cache_used_bytes(r->dn->cache);
    pthread_mutex_lock(&r->lock);
    request.xmitsinprogress = (uint32_t)r->transfers;
    pthread_mutex_unlock(&r->lock);
    int rc = rpc_client_call(r->rpc, "sendHeartbeat", &request.base, &hdfs__heartbeat_response_proto__descriptor, &a,
                             &message, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__HeartbeatResponseProto *answer = (const Hdfs__HeartbeatResponseProto *)message;
    metric_add(&datanode_heartbeats, 1);
    pthread_mutex_lock(&r->lock);
    r->last_heartbeat_ms = clock_mono_ms();
    pthread_cond_signal(&r->sender_wake); /* it may have been waiting for the namenode to be there */
    pthread_mutex_unlock(&r->lock);
    if (answer->has_peersversion) {
        peers_set(r, answer->peers, answer->n_peers);
        r->peers_version = answer->peersversion;
    }
    if (want_lease && answer->has_fullblockreportleaseid)
        r->lease_id = answer->fullblockreportleaseid;
    for (size_t i = 0; i < answer->n_cmds; i++)
        obey(r, answer->cmds[i]);
    return 0;
}

int send_cache_report(struct reporter *r, struct err *reterr)
{
    AUTO(arena_free) struct arena a;
    struct registration reg;
    ProtobufCMessage *message;
    Hdfs__CacheReportRequestProto request = HDFS__CACHE_REPORT_REQUEST_PROTO__INIT;
    arena_init(&a, REPORT_ARENA_BYTES);
    registration_fill(r, &reg);
    request.registration = &reg.message;
    request.blockpoolid = reg.self.pool.pool_id;
    request.n_blocks = block_cache_ids(r->dn->cache, &request.blocks);
    int rc = rpc_client_call(r->rpc, "cacheReport", &request.base, &hdfs__cache_report_response_proto__descriptor, &a,
                             &message, reterr);
    free(request.blocks);
    return rc;
}

/* ---- complaints: sent once, and only logged if that fails ---- */

/* id: whose replica it is; NULL: ours. A storage that is not named: the namenode knows which one it is on. */
static void report_bad(struct reporter *r, const struct replica_view *replica, const Hdfs__DatanodeIDProto *id)
{
    AUTO(arena_free) struct arena a;
    struct registration reg;
    struct err why;
    ProtobufCMessage *message;
    arena_init(&a, REPORT_ARENA_BYTES);
    registration_fill(r, &reg);
    Hdfs__ReportBadBlocksRequestProto request = HDFS__REPORT_BAD_BLOCKS_REQUEST_PROTO__INIT;
    Hdfs__LocatedBlockProto located = HDFS__LOCATED_BLOCK_PROTO__INIT, *blocks[] = {&located};
    Hdfs__ExtendedBlockProto block = HDFS__EXTENDED_BLOCK_PROTO__INIT;
    Hdfs__DatanodeInfoProto node = HDFS__DATANODE_INFO_PROTO__INIT, *nodes[] = {&node};
    Hdfs__TokenProto token = HDFS__TOKEN_PROTO__INIT;
    Hdfs__StorageTypeProto type = (Hdfs__StorageTypeProto)replica->storage_type;
    char *storage_id = (char *)replica->storage_id;
    token.kind = token.service = (char *)"";
    block.poolid = reg.self.pool.pool_id;
    block.blockid = replica->block_id;
    block.generationstamp = replica->gen_stamp;
    block.has_numbytes = 1;
    block.numbytes = replica->disk_bytes;
    node.id = id ? (Hdfs__DatanodeIDProto *)id : &reg.id;
    located.b = &block;
    located.blocktoken = &token;
    located.locs = nodes;
    located.storageids = &storage_id;
    located.storagetypes = &type;
    located.n_locs = located.n_storageids = located.n_storagetypes = 1;
    request.blocks = blocks;
    request.n_blocks = 1;
    if (rpc_client_call(r->rpc, "reportBadBlocks", &request.base, &hdfs__report_bad_blocks_response_proto__descriptor,
                        &a, &message, &why) < 0)
        log_warn("report", "block=%" PRId64 " is corrupt but cannot be reported: %s", (int64_t)replica->block_id,
                 why.text);
}

void reporter_bad_block(struct reporter *r, const struct replica_view *replica)
{
    report_bad(r, replica, NULL);
}

void reporter_bad_source(struct reporter *r, const struct replica_view *copy, const Hdfs__DatanodeIDProto *source)
{
    struct replica_view theirs = *copy;
    theirs.storage_id = "";
    report_bad(r, &theirs, source);
}

void reporter_disk_error(struct reporter *r, const char *text)
{
    AUTO(arena_free) struct arena a;
    struct registration reg;
    struct err why;
    ProtobufCMessage *message;
    arena_init(&a, REPORT_ARENA_BYTES);
    registration_fill(r, &reg);
    Hdfs__ErrorReportRequestProto request = HDFS__ERROR_REPORT_REQUEST_PROTO__INIT;
    request.registartion = &reg.message;
    request.errorcode = HDFS__ERROR_REPORT_REQUEST_PROTO__ERROR_CODE__DISK_ERROR;
    request.msg = (char *)text;
    pthread_mutex_lock(&r->lock);
    r->storage_failed = r->full_report_wanted = true;
    pthread_cond_signal(&r->actor_wake);
    pthread_mutex_unlock(&r->lock);
    if (rpc_client_call(r->rpc, "errorReport", &request.base, &hdfs__error_report_response_proto__descriptor, &a,
                        &message, &why) < 0)
        log_warn("report", "'%s' cannot be reported: %s", text, why.text);
}

int reporter_commit_recovery(struct reporter *r, const Hdfs__CommitBlockSynchronizationRequestProto *request,
                             struct err *reterr)
{
    AUTO(arena_free) struct arena a;
    ProtobufCMessage *message;
    arena_init(&a, REPORT_ARENA_BYTES);
    return rpc_client_call(r->rpc, "commitBlockSynchronization", &request->base,
                           &hdfs__commit_block_synchronization_response_proto__descriptor, &a, &message, reterr);
}

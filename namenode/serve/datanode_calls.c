/* DatanodeProtocol: what datanodes call. Every method checks the registration the datanode sends along, hands the event
 * to the block manager under the namenode lock, and packs the answer before it lets go of the lock (answers borrow from
 * it).
 *
 * Failure modes: a registration of another cluster => UnregisteredNodeException (the datanode stops); a datanode we do
 * not know, or took for dead => a Register command (it registers and reports again). */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "hdfs/client_namenode.pb-c.h"
#include "hdfs/datanode_namenode.pb-c.h"
#include "namenode/blocks/datanode_events.h"
#include "namenode/journal/journal.h"
#include "namenode/namenode.h"
#include "namenode/serve/datanode_commands.h"
#include "namenode/serve/datanode_view.h"
#include "namenode/serve/membership.h"
#include "namenode/serve/version.h"
#include "rpc/rpc_server.h"

#define OLDEST_DATANODE_MAJOR 2
#define REPORT_SLICE          2048 /* replicas handled in one go under the lock */
#define STORAGES_PER_CALL_MAX 256

static void send_call(void *call)
{
    rpc_call_send(call);
}

/* ---- who calls ---- */

static int check_cluster(const struct namenode *nn, const Hdfs__DatanodeRegistrationProto *r, struct err *reterr)
{
    const Hdfs__StorageInfoProto *s = r->storageinfo;
    if (s->namespceid == nn->ids.namespace_id && strcmp(s->clusterid, nn->ids.cluster_id) == 0 &&
        s->ctime == nn->ids.created_ms)
        return 0;
    return err_set(reterr, ERR_UNREGISTERED_NODE,
                   "Datanode %s:%u belongs to another cluster (NS-%u-%s-%" PRIu64
                   "); this namenode is NS-%u-%s-%" PRIu64,
                   r->datanodeid->hostname, r->datanodeid->xferport, s->namespceid, s->clusterid, s->ctime,
                   nn->ids.namespace_id, nn->ids.cluster_id, nn->ids.created_ms);
}

static int check_pool(const struct namenode *nn, const char *pool_id, struct err *reterr)
{
    if (strcmp(pool_id, nn->ids.block_pool_id) == 0)
        return 0;
    return err_set(reterr, ERR_IO, "Block pool %s is not this namenode's, which is %s", pool_id, nn->ids.block_pool_id);
}

/* The registered datanode; the lock is held. */
static int find_caller(struct namenode *nn, const Hdfs__DatanodeRegistrationProto *r, struct datanode **ret,
                       struct err *reterr)
{
    return blocks_datanode(nn->blocks, r->datanodeid->datanodeuuid, (uint16_t)r->datanodeid->xferport, ret, reterr);
}

/* ---- registerDatanode ---- */

static bool is_loopback(const char *ip)
{
    return strncmp(ip, "127.", 4) == 0 || strcmp(ip, "::1") == 0;
}

/* The address clients shall use: the one the datanode called from, whatever it believes its own to be. On one machine
 * all calls come from 127.0.0.1, while each datanode listens on a loopback address of its own: there it knows better.
 */
static const char *address_of(const struct rpc_call *call, const Hdfs__DatanodeIDProto *id)
{
    const char *peer = rpc_call_client_ip(call);
    struct in_addr literal;
    bool knows_better = is_loopback(peer) && is_loopback(id->ipaddr) && inet_pton(AF_INET, id->ipaddr, &literal) == 1;
    return knows_better ? id->ipaddr : peer;
}

/* NULL: it does not know, as one that listens on all its addresses. */
static const char *own_address(const Hdfs__DatanodeIDProto *id)
{
    struct in_addr v4;
    bool says_nothing = is_loopback(id->ipaddr) || inet_pton(AF_INET, id->ipaddr, &v4) != 1 || !v4.s_addr;
    return says_nothing ? NULL : id->ipaddr;
}

/* dfs.namenode.datanode.registration.ip-hostname-check. May block on the name service. */
static int check_reverse_name(const struct namenode *nn, const char *ip, struct err *reterr)
{
    if (!config_bool(nn->config, "dfs.namenode.datanode.registration.ip-hostname-check"))
        return 0;
    char name[NI_MAXHOST];
    if (net_name_of(ip, name, sizeof name))
        return 0;
    return err_set(
        reterr, ERR_DISALLOWED_NODE,
        "Datanode denied communication with namenode because hostname cannot be resolved (ip=%s): add a reverse "
        "name for it, or set dfs.namenode.datanode.registration.ip-hostname-check to false",
        ip);
}

static int check_version(const Hdfs__DatanodeRegistrationProto *r, struct err *reterr)
{
    if (strtol(r->softwareversion, NULL, 10) >= OLDEST_DATANODE_MAJOR)
        return 0;
    return err_set(reterr, ERR_INCORRECT_VERSION,
                   "The reported DataNode version is too low to communicate with this NameNode. "
                   "DataNode version: '%s' Minimum DataNode version: '%d'",
                   r->softwareversion, OLDEST_DATANODE_MAJOR);
}

static int check_registration(struct namenode *nn, const Hdfs__DatanodeRegistrationProto *r, const char *ip,
                              struct err *reterr)
{
    const Hdfs__DatanodeIDProto *id = r->datanodeid;
    int rc = check_version(r, reterr);
    if (!rc)
        rc = check_cluster(nn, r, reterr);
    if (!rc && (!id->xferport || id->xferport > UINT16_MAX || id->ipcport > UINT16_MAX || id->infoport > UINT16_MAX))
        rc = err_set(reterr, ERR_ILLEGAL_ARGUMENT,
                     "datanode %s registered with impossible ports: transfer %u, ipc %u, "
                     "http %u",
                     ip, id->xferport, id->ipcport, id->infoport);
    return rc ? rc : check_reverse_name(nn, ip, reterr);
}

static void set_no_keys(Hdfs__ExportedBlockKeysProto *keys, Hdfs__BlockKeyProto *key)
{
    hdfs__exported_block_keys_proto__init(keys);
    hdfs__block_key_proto__init(key);
    keys->currentkey = key;
}

static void register_datanode(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct namenode *nn = context;
    const Hdfs__DatanodeRegistrationProto *r = ((const Hdfs__RegisterDatanodeRequestProto *)message)->registration;
    const char *ip = address_of(call, r->datanodeid);
    struct err e;
    if (check_registration(nn, r, ip, &e)) {
        log_warn("datanode_calls", "datanode.refused dn=%s:%u err='%s'", ip, r->datanodeid->xferport, e.text);
        rpc_call_fail(call, &e);
        return;
    }
    membership_resolve_rack(nn, ip);
    struct datanode_registration registration = {
        .uuid = r->datanodeid->datanodeuuid,
        .ip = ip,
        .own_ip = own_address(r->datanodeid),
        .advertised = r->advertised,
        .hostname = r->datanodeid->hostname,
        .software_version = r->softwareversion,
        .xfer_port = (uint16_t)r->datanodeid->xferport,
        .info_port = (uint16_t)r->datanodeid->infoport,
        .ipc_port = (uint16_t)r->datanodeid->ipcport,
        .info_secure_port = (uint16_t)r->datanodeid->infosecureport,
    };
    namenode_lock(nn);
    int rc = blocks_register(nn->blocks, &registration, (uint64_t)clock_mono_ms(), NULL, &e);
    namenode_unlock(nn);
    if (rc) {
        log_warn("datanode_calls", "datanode.refused dn=%s:%u err='%s'", ip, r->datanodeid->xferport, e.text);
        rpc_call_fail(call, &e);
        return;
    }
    Hdfs__DatanodeIDProto id = *r->datanodeid;
    Hdfs__ExportedBlockKeysProto keys;
    Hdfs__BlockKeyProto key;
    set_no_keys(&keys, &key);
    id.ipaddr = (char *)ip;
    Hdfs__DatanodeRegistrationProto answer = *r;
    answer.datanodeid = &id;
    answer.keys = &keys;
    Hdfs__RegisterDatanodeResponseProto response = HDFS__REGISTER_DATANODE_RESPONSE_PROTO__INIT;
    response.registration = &answer;
    rpc_call_reply(call, &response.base);
}

/* ---- sendHeartbeat ---- */

static struct storage_report storage_report_of(const Hdfs__StorageReportProto *r)
{
    return (struct storage_report){
        .uuid = r->storage ? r->storage->storageuuid : r->storageuuid,
        .type = r->storage && r->storage->has_storagetype ? (uint8_t)r->storage->storagetype : 0,
        .failed = r->failed,
        .capacity_bytes = r->capacity,
        .used_bytes = r->dfsused,
        .non_dfs_used_bytes = r->has_nondfsused                         ? r->nondfsused
                              : r->capacity > r->dfsused + r->remaining ? r->capacity - r->dfsused - r->remaining
                                                                        : 0,
        .remaining_bytes = r->remaining,
        .pool_used_bytes = r->blockpoolused,
    };
}

static void heartbeat_of(const Hdfs__HeartbeatRequestProto *r, struct arena *a, struct heartbeat *ret)
{
    size_t count = r->n_reports < STORAGES_PER_CALL_MAX ? r->n_reports : STORAGES_PER_CALL_MAX;
    struct storage_report *storages = arena_array(a, struct storage_report, count + 1);
    for (size_t i = 0; i < count; i++)
        storages[i] = storage_report_of(r->reports[i]);
    *ret = (struct heartbeat){
        .storages = storages,
        .storage_count = count,
        .transfers = r->xmitsinprogress,
        .xceivers = r->xceivercount,
        .failed_volumes = r->failedvolumes,
        .cache_capacity_bytes = r->cachecapacity,
        .cache_used_bytes = r->cacheused,
        .wants_report_lease = r->requestfullblockreportlease,
    };
}

/* A datanode is told how it reaches the others, when that may have changed. */
static void tell_peers(const struct namenode *nn, uint64_t known_version, const char *its_ip, struct arena *a,
                       Hdfs__HeartbeatResponseProto *response)
{
    uint64_t version = blocks_peers_version(nn->blocks);
    if (version == known_version)
        return;
    const struct datanode_info **nodes = NULL;
    size_t count = blocks_datanodes(nn->blocks, DATANODES_ALL, a, &nodes);
    response->has_peersversion = true;
    response->peersversion = version;
    response->peers = arena_array(a, Hdfs__DatanodeIDProto *, count);
    for (size_t i = 0; i < count; i++)
        if (nodes[i]->alive)
            response->peers[response->n_peers++] = datanode_id_for(nodes[i], its_ip, a);
}

static void send_heartbeat(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct namenode *nn = context;
    const Hdfs__HeartbeatRequestProto *r = (const Hdfs__HeartbeatRequestProto *)message;
    struct arena *a = rpc_call_arena(call);
    struct err e;
    if (check_cluster(nn, r->registration, &e)) {
        rpc_call_fail(call, &e);
        return;
    }
    struct heartbeat h;
    heartbeat_of(r, a, &h);
    struct two_clocks now = two_clocks_now();
    Hdfs__NNHAStatusHeartbeatProto status = HDFS__NNHASTATUS_HEARTBEAT_PROTO__INIT;
    status.state = HDFS__NNHASTATUS_HEARTBEAT_PROTO__STATE__ACTIVE;
    Hdfs__HeartbeatResponseProto response = HDFS__HEARTBEAT_RESPONSE_PROTO__INIT;
    response.hastatus = &status;
    struct datanode_commands commands = {0};
    Hdfs__DatanodeCommandProto *again;
    struct datanode *node;
    namenode_lock(nn);
    status.txid = journal_latest(nn->journal);
    int rc = find_caller(nn, r->registration, &node, &e);
    if (!rc)
        rc = blocks_heartbeat(nn->blocks, node, &h, now.mono_ms, a, &commands, &e);
    if (!rc) {
        response.n_cmds = datanode_commands_proto(&commands, nn->ids.block_pool_id, &now, a, &response.cmds);
    } else {
        again = register_command_proto(a);
        response.n_cmds = 1;
        response.cmds = &again;
    }
    if (!rc)
        tell_peers(nn, r->peersversion, rpc_call_client_ip(call), a, &response);
    response.has_fullblockreportleaseid = true;
    response.fullblockreportleaseid = commands.report_lease_id;
    rpc_call_prepare(call, &response.base);
    /* What takes bytes away follows from changes of the namespace: those must be there after a loss of power, too. */
    uint64_t seq = commands.invalidate_count || commands.recovery_count ? journal_latest(nn->journal) : 0;
    namenode_unlock(nn);
    journal_when_synced(nn->journal, seq, send_call, call);
}

/* Only says that the node is alive: for when heartbeats queue up behind long reports. */
static void send_lifeline(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct namenode *nn = context;
    const Hdfs__HeartbeatRequestProto *r = (const Hdfs__HeartbeatRequestProto *)message;
    struct err e;
    struct datanode *node;
    int rc = check_cluster(nn, r->registration, &e);
    namenode_lock(nn);
    if (!rc)
        rc = find_caller(nn, r->registration, &node, &e);
    if (!rc)
        blocks_lifeline(nn->blocks, node, (uint64_t)clock_mono_ms());
    namenode_unlock(nn);
    Hdfs__LifelineResponseProto response = HDFS__LIFELINE_RESPONSE_PROTO__INIT;
    if (rc)
        rpc_call_fail(call, &e);
    else
        rpc_call_reply(call, &response.base);
}

/* ---- blockReport: on the pool, in slices, the lock released in between ---- */

static int begin_report(struct namenode *nn, const Hdfs__BlockReportRequestProto *r,
                        const Hdfs__DatanodeStorageProto *s, struct full_report *ret, struct err *reterr)
{
    uint64_t lease_id = r->context ? r->context->leaseid : 0;
    struct datanode *node;
    namenode_lock(nn);
    int rc = find_caller(nn, r->registration, &node, reterr);
    if (!rc)
        rc = blocks_report_begin(nn->blocks, node, s->storageuuid, s->has_storagetype ? (uint8_t)s->storagetype : 0,
                                 lease_id, (uint64_t)clock_mono_ms(), ret, reterr);
    namenode_unlock(nn);
    return rc;
}

static int storage_block_report(struct namenode *nn, const Hdfs__BlockReportRequestProto *r,
                                const Hdfs__StorageBlockReportProto *s, struct block_list_entry *entries,
                                struct err *reterr)
{
    struct block_list_reader reader;
    struct full_report report;
    int64_t started_ms = clock_mono_ms();
    int rc = block_list_reader_init(&reader, s, reterr);
    if (!rc)
        rc = begin_report(nn, r, s->storage, &report, reterr);
    for (bool at_end = false; !rc && !at_end;) {
        size_t count = 0;
        while (count < REPORT_SLICE && !rc && !at_end) {
            int got = block_list_next(&reader, &entries[count], reterr);
            count += got == 1;
            at_end = got == 0;
            rc = got < 0 ? got : 0;
        }
        if (rc)
            break;
        namenode_lock(nn);
        rc = blocks_report_slice(nn->blocks, &report, entries, count, (uint64_t)clock_mono_ms(), reterr);
        if (!rc && at_end)
            rc = blocks_report_end(nn->blocks, &report, (uint64_t)clock_mono_ms(), reterr);
        namenode_unlock(nn);
    }
    if (!rc)
        log_info("datanode_calls",
                 "block_report dn=%s:%u storage=%s blocks=%" PRIu64 " unknown=%" PRIu64 " corrupt=%" PRIu64
                 " took_ms=%" PRId64,
                 r->registration->datanodeid->ipaddr, r->registration->datanodeid->xferport, s->storage->storageuuid,
                 report.replicas, report.unknown, report.corrupt, clock_mono_ms() - started_ms);
    return rc;
}

static void lease_done(struct namenode *nn, const Hdfs__BlockReportRequestProto *r)
{
    if (r->context && r->context->currpc + 1 < r->context->totalrpcs)
        return; /* more storages follow in calls of their own */
    struct datanode *node;
    namenode_lock(nn);
    if (!find_caller(nn, r->registration, &node, NULL))
        blocks_report_lease_done(nn->blocks, node);
    namenode_unlock(nn);
}

static void block_report(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct namenode *nn = context;
    const Hdfs__BlockReportRequestProto *r = (const Hdfs__BlockReportRequestProto *)message;
    Hdfs__BlockReportResponseProto response = HDFS__BLOCK_REPORT_RESPONSE_PROTO__INIT;
    struct err e;
    int rc = check_cluster(nn, r->registration, &e);
    bool is_ours = !rc;
    if (!rc)
        rc = check_pool(nn, r->blockpoolid, &e);
    struct block_list_entry *entries = mem_calloc(REPORT_SLICE, sizeof *entries);
    for (size_t i = 0; i < r->n_reports && !rc; i++)
        rc = storage_block_report(nn, r, r->reports[i], entries, &e);
    free(entries);
    if (!rc)
        lease_done(nn, r);
    if (rc == ERR_UNREGISTERED_NODE && is_ours) {
        response.cmd = register_command_proto(rpc_call_arena(call));
        rc = 0;
    } else if (!rc) {
        response.cmd = finalize_command_proto(nn->ids.block_pool_id, rpc_call_arena(call));
    }
    if (rc) {
        log_warn("datanode_calls", "block_report.failed dn=%s:%u err='%s'", r->registration->datanodeid->ipaddr,
                 r->registration->datanodeid->xferport, e.text);
        rpc_call_fail(call, &e);
    } else {
        rpc_call_reply(call, &response.base);
    }
}

static void cache_report(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct namenode *nn = context;
    const Hdfs__CacheReportRequestProto *r = (const Hdfs__CacheReportRequestProto *)message;
    struct datanode *node;
    struct err e;
    int rc = check_cluster(nn, r->registration, &e);
    rc = rc ? rc : check_pool(nn, r->blockpoolid, &e);
    namenode_lock(nn);
    rc = rc ? rc : find_caller(nn, r->registration, &node, &e);
    if (!rc)
        blocks_cache_report(nn->blocks, node, r->blocks, r->n_blocks);
    namenode_unlock(nn);
    Hdfs__CacheReportResponseProto response = HDFS__CACHE_REPORT_RESPONSE_PROTO__INIT;
    if (rc)
        rpc_call_fail(call, &e);
    else
        rpc_call_reply(call, &response.base);
}

/* ---- blockReceivedAndDeleted ---- */

static void replica_events(struct namenode *nn, struct datanode *node, const Hdfs__StorageReceivedDeletedBlocksProto *s,
                           size_t from, size_t to, uint64_t now_ms)
{
    const char *uuid = s->storage ? s->storage->storageuuid : s->storageuuid;
    uint8_t type = s->storage && s->storage->has_storagetype ? (uint8_t)s->storage->storagetype : 0;
    for (size_t i = from; i < to; i++) {
        const Hdfs__ReceivedDeletedBlockInfoProto *b = s->blocks[i];
        struct replica_event event = {
            .kind = (enum replica_event_kind)b->status,
            .block_id = b->block->blockid,
            .gen_stamp = b->block->genstamp,
            .bytes = b->block->numbytes,
            .xxh3 = b->has_xxh3 ? b->xxh3 : 0,
            .delete_hint = b->deletehint && *b->deletehint ? b->deletehint : NULL,
        };
        if (event.kind >= REPLICA_RECEIVING && event.kind <= REPLICA_DELETED)
            blocks_replica_event(nn->blocks, node, uuid, type, &event, now_ms);
    }
}

static void block_received_and_deleted(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct namenode *nn = context;
    const Hdfs__BlockReceivedAndDeletedRequestProto *r = (const Hdfs__BlockReceivedAndDeletedRequestProto *)message;
    struct err e;
    struct datanode *node;
    int rc = check_cluster(nn, r->registration, &e);
    if (!rc)
        rc = check_pool(nn, r->blockpoolid, &e);
    uint64_t now_ms = (uint64_t)clock_mono_ms();
    for (size_t i = 0; i < r->n_blocks && !rc; i++)
        for (size_t from = 0, all = r->blocks[i]->n_blocks; from < all && !rc; from += REPORT_SLICE) {
            namenode_lock(nn);
            rc = find_caller(nn, r->registration, &node, &e);
            if (!rc)
                replica_events(nn, node, r->blocks[i], from, all - from < REPORT_SLICE ? all : from + REPORT_SLICE,
                               now_ms);
            namenode_unlock(nn);
        }
    Hdfs__BlockReceivedAndDeletedResponseProto response = HDFS__BLOCK_RECEIVED_AND_DELETED_RESPONSE_PROTO__INIT;
    if (rc)
        rpc_call_fail(call, &e);
    else
        rpc_call_reply(call, &response.base);
}

/* ---- errors ---- */

static void error_report(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct namenode *nn = context;
    const Hdfs__ErrorReportRequestProto *r = (const Hdfs__ErrorReportRequestProto *)message;
    struct err e;
    struct datanode *node;
    int rc = check_cluster(nn, r->registartion, &e);
    if (!rc) {
        log_warn("datanode_calls", "datanode.error dn=%s:%u code=%u text='%.200s'", r->registartion->datanodeid->ipaddr,
                 r->registartion->datanodeid->xferport, r->errorcode, r->msg);
        namenode_lock(nn);
        rc = find_caller(nn, r->registartion, &node, &e);
        if (!rc && r->errorcode <= DATANODE_FATAL_DISK_ERROR)
            blocks_datanode_error(nn->blocks, node, (enum datanode_error)r->errorcode, (uint64_t)clock_mono_ms());
        namenode_unlock(nn);
    }
    Hdfs__ErrorReportResponseProto response = HDFS__ERROR_REPORT_RESPONSE_PROTO__INIT;
    if (rc)
        rpc_call_fail(call, &e);
    else
        rpc_call_reply(call, &response.base);
}

static void report_bad_blocks(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct namenode *nn = context;
    const Hdfs__ReportBadBlocksRequestProto *r = (const Hdfs__ReportBadBlocksRequestProto *)message;
    uint64_t now_ms = (uint64_t)clock_mono_ms();
    namenode_lock(nn);
    for (size_t i = 0; i < r->n_blocks; i++) {
        const Hdfs__LocatedBlockProto *lb = r->blocks[i];
        for (size_t k = 0; k < lb->n_locs; k++)
            blocks_report_bad(nn->blocks, lb->b->blockid, lb->b->generationstamp, lb->locs[k]->id->datanodeuuid,
                              k < lb->n_storageids ? lb->storageids[k] : "", "reported by a datanode", now_ms);
    }
    namenode_unlock(nn);
    Hdfs__ReportBadBlocksResponseProto response = HDFS__REPORT_BAD_BLOCKS_RESPONSE_PROTO__INIT;
    rpc_call_reply(call, &response.base);
}

/* ---- commitBlockSynchronization ---- */

static void commit_block_synchronization(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct namenode *nn = context;
    const Hdfs__CommitBlockSynchronizationRequestProto *r =
        (const Hdfs__CommitBlockSynchronizationRequestProto *)message;
    struct arena *a = rpc_call_arena(call);
    size_t count = r->n_newtaragets < BLOCK_LOCATIONS_MAX ? r->n_newtaragets : BLOCK_LOCATIONS_MAX;
    const char **nodes = arena_array(a, const char *, count + 1), **storages = arena_array(a, const char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        nodes[i] = r->newtaragets[i]->datanodeuuid;
        storages[i] = i < r->n_newtargetstorages ? r->newtargetstorages[i] : "";
    }
    struct block_recovery recovery = {
        .block_id = r->block->blockid,
        .gen_stamp = r->block->generationstamp,
        .new_gen_stamp = r->newgenstamp,
        .new_bytes = r->newlength,
        .close_file = r->closefile,
        .delete_block = r->deleteblock,
        .datanode_uuids = nodes,
        .storage_uuids = storages,
        .count = count,
    };
    Hdfs__CommitBlockSynchronizationResponseProto response = HDFS__COMMIT_BLOCK_SYNCHRONIZATION_RESPONSE_PROTO__INIT;
    struct err e;
    uint64_t seq = 0;
    int rc = check_pool(nn, r->block->poolid, &e);
    namenode_lock(nn);
    if (!rc && blocks_in_safe_mode(nn->blocks))
        rc = err_set(&e, ERR_SAFE_MODE, "Cannot commitBlockSynchronization while in safe mode");
    if (!rc)
        rc = blocks_recovery_result(nn->blocks, &recovery, (uint64_t)clock_mono_ms(), &seq, &e);
    namenode_unlock(nn);
    log_info("datanode_calls",
             "block.recovered block=%" PRIu64 " gen=%" PRIu64 " bytes=%" PRIu64 " replicas=%zu delete=%d "
             "err='%s'",
             recovery.block_id, recovery.new_gen_stamp, recovery.new_bytes, count, recovery.delete_block,
             rc ? e.text : "");
    if (rc) {
        rpc_call_fail(call, &e);
        return;
    }
    rpc_call_prepare(call, &response.base);
    journal_when_synced(nn->journal, seq, send_call, call);
}

/* ---- the table ---- */

#define METHOD(name, prefix, function, flags) RPC_METHOD(name, hdfs__##prefix, function, flags)

static const struct rpc_method methods[] = {
    {"versionRequest", &hdfs__version_request_proto__descriptor, &hdfs__version_response_proto__descriptor,
     answer_version_request, 0},
    METHOD("registerDatanode", register_datanode, register_datanode, RPC_MAY_BLOCK),
    {"sendHeartbeat", &hdfs__heartbeat_request_proto__descriptor, &hdfs__heartbeat_response_proto__descriptor,
     send_heartbeat, 0},
    METHOD("blockReport", block_report, block_report, RPC_MAY_BLOCK),
    METHOD("cacheReport", cache_report, cache_report, 0),
    METHOD("blockReceivedAndDeleted", block_received_and_deleted, block_received_and_deleted, 0),
    METHOD("errorReport", error_report, error_report, 0),
    METHOD("reportBadBlocks", report_bad_blocks, report_bad_blocks, 0),
    METHOD("commitBlockSynchronization", commit_block_synchronization, commit_block_synchronization, 0),
};
static const struct rpc_method lifeline_methods[] = {
    {"sendLifeline", &hdfs__heartbeat_request_proto__descriptor, &hdfs__lifeline_response_proto__descriptor,
     send_lifeline, 0},
};

struct rpc_service datanode_calls_service(struct namenode *nn)
{
    return (struct rpc_service){"org.apache.hadoop.hdfs.server.protocol.DatanodeProtocol", methods,
                                ARRAY_COUNT(methods), nn};
}

struct rpc_service datanode_lifeline_service(struct namenode *nn)
{
    return (struct rpc_service){"org.apache.hadoop.hdfs.server.protocol.DatanodeLifelineProtocol", lifeline_methods,
                                ARRAY_COUNT(lifeline_methods), nn};
}

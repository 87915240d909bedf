#include "namenode/pages/jmx.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/jmx.h"
#include "common/metrics.h"
#include "namenode/blocks/blocks.h"
#include "namenode/namenode.h"
#include "namenode/namespace/history.h"
#include "namenode/namespace/leases.h"
#include "namenode/namespace/txn.h"
#include "rpc/jmx.h"

#define PAGE_MEMORY_MAX (64u << 20)
#define DOMAIN          "Hadoop:service=NameNode,name="
#define VERSION         "3.4.1, compatible" /* of the protocol; dashboards show it */

/* All is gathered under the lock, once. */
struct view {
    struct blocks_stats s;
    struct counters c;
    struct journal_stats journal;
    uint64_t now_ms, open_files, snapshottable_dirs, snapshots;
    bool safe_mode;
    struct buf safe_mode_text;
};

static double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

static json_t *node_json(const struct datanode_info *d, uint64_t now_ms)
{
    static const char *const states[] = {"In Service", "Decommission In Progress", "Decommissioned",
                                         "Entering Maintenance", "In Maintenance"};
    json_t *o = json_object();
    char text[300];
    snprintf(text, sizeof text, "%s:%u", d->ip, d->info_port);
    jmx_text(o, "infoAddr", text);
    snprintf(text, sizeof text, "%s:%u", d->ip, d->xfer_port);
    jmx_text(o, "xferaddr", text);
    jmx_text(o, "location", d->rack);
    jmx_text(o, "uuid", d->uuid);
    jmx_text(o, "version", d->software_version);
    jmx_text(o, "adminState", states[d->admin]);
    jmx_number(o, "lastContact", d->last_heartbeat_ms ? (now_ms - d->last_heartbeat_ms) / 1000 : 0);
    jmx_number(o, "lastBlockReport", d->last_report_ms ? (now_ms - d->last_report_ms) / 60000 : 0);
    jmx_number(o, "usedSpace", d->used_bytes);
    jmx_number(o, "used", d->used_bytes);
    jmx_number(o, "nonDfsUsedSpace", d->non_dfs_used_bytes);
    jmx_number(o, "capacity", d->capacity_bytes);
    jmx_number(o, "remaining", d->remaining_bytes);
    jmx_number(o, "numBlocks", d->block_count);
    jmx_number(o, "blockPoolUsed", d->pool_used_bytes);
    jmx_number(o, "volfails", d->failed_volumes);
    jmx_double(o, "blockPoolUsedPercent", percent(d->pool_used_bytes, d->capacity_bytes));
    jmx_bool(o, "decommissioned", d->admin == DATANODE_DECOMMISSIONED);
    return o;
}

static json_t *nodes_json(struct namenode *nn, enum datanode_list_type type, uint64_t now_ms)
{
    struct arena a;
    const struct datanode_info **nodes = NULL;
    arena_init(&a, PAGE_MEMORY_MAX);
    json_t *all = json_object();
    size_t count = blocks_datanodes(nn->blocks, type, &a, &nodes);
    for (size_t i = 0; i < count; i++) {
        char name[400];
        snprintf(name, sizeof name, "%s:%u", nodes[i]->hostname, nodes[i]->xfer_port);
        json_object_set_new(all, name, node_json(nodes[i], now_ms));
    }
    arena_free(&a);
    return all;
}

/* How evenly full the live nodes are, in percent. */
static json_t *node_usage(struct namenode *nn)
{
    struct arena a;
    const struct datanode_info **nodes = NULL;
    double low = 0, high = 0, sum = 0, squares = 0;
    arena_init(&a, PAGE_MEMORY_MAX);
    size_t count = blocks_datanodes(nn->blocks, DATANODES_LIVE, &a, &nodes);
    for (size_t i = 0; i < count; i++) {
        double used = percent(nodes[i]->used_bytes, nodes[i]->capacity_bytes);
        low = i == 0 || used < low ? used : low;
        high = used > high ? used : high;
        sum += used;
        squares += used * used;
    }
    arena_free(&a);
    double mean = count ? sum / (double)count : 0, variance = count ? squares / (double)count - mean * mean : 0;
    json_t *usage = json_object(), *figures = json_object();
    const struct {
        const char *name;
        double value;
    } rows[] = {{"min", low}, {"median", mean}, {"max", high}, {"stdDev", variance > 0 ? sqrt(variance) : 0}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char text[32];
        snprintf(text, sizeof text, "%.2f%%", rows[i].value);
        jmx_text(figures, rows[i].name, text);
    }
    json_object_set_new(usage, "nodeUsage", figures);
    return usage;
}

static void name_node_info(json_t *beans, struct namenode *nn, const struct view *v)
{
    json_t *b = jmx_bean(beans, DOMAIN "NameNodeInfo", "org.apache.hadoop.hdfs.server.namenode.FSNamesystem");
    jmx_text(b, "Version", VERSION);
    jmx_text(b, "SoftwareVersion", "3.4.1");
    jmx_number(b, "Used", v->s.used_bytes);
    jmx_number(b, "Free", v->s.remaining_bytes);
    jmx_number(b, "Total", v->s.capacity_bytes);
    jmx_text(b, "Safemode", v->safe_mode ? (const char *)v->safe_mode_text.base : "");
    jmx_bool(b, "UpgradeFinalized", true);
    jmx_number(b, "NonDfsUsedSpace", v->s.non_dfs_used_bytes);
    jmx_double(b, "PercentUsed", percent(v->s.used_bytes, v->s.capacity_bytes));
    jmx_double(b, "PercentRemaining", percent(v->s.remaining_bytes, v->s.capacity_bytes));
    jmx_number(b, "CacheUsed", 0);
    jmx_number(b, "CacheCapacity", 0);
    jmx_number(b, "BlockPoolUsedSpace", v->s.pool_used_bytes);
    jmx_double(b, "PercentBlockPoolUsed", percent(v->s.pool_used_bytes, v->s.capacity_bytes));
    jmx_number(b, "TotalBlocks", v->c.blocks);
    jmx_number(b, "TotalFiles", v->c.inodes);
    jmx_number(b, "NumberOfMissingBlocks", v->s.missing);
    jmx_number(b, "NumberOfMissingBlocksWithReplicationFactorOne", v->s.missing_replication_one);
    jmx_inner(b, "LiveNodes", nodes_json(nn, DATANODES_LIVE, v->now_ms));
    jmx_inner(b, "DeadNodes", nodes_json(nn, DATANODES_DEAD, v->now_ms));
    jmx_inner(b, "DecomNodes", nodes_json(nn, DATANODES_DECOMMISSIONING, v->now_ms));
    jmx_inner(b, "EnteringMaintenanceNodes", nodes_json(nn, DATANODES_ENTERING_MAINTENANCE, v->now_ms));
    jmx_text(b, "ClusterId", nn->ids.cluster_id);
    jmx_text(b, "BlockPoolId", nn->ids.block_pool_id);
    json_t *folders = json_object(), *active = json_object();
    jmx_text(active, store_folder(nn->store), "IMAGE_AND_EDITS");
    json_object_set_new(folders, "active", active);
    json_object_set_new(folders, "failed", json_object());
    jmx_inner(b, "NameDirStatuses", folders);
    json_t *tx = json_object();
    char number[32];
    snprintf(number, sizeof number, "%" PRIu64, v->journal.mutations);
    jmx_text(tx, "LastAppliedOrWrittenTxId", number);
    jmx_inner(b, "JournalTransactionInfo", tx);
    jmx_number(b, "NNStartedTimeInMillis", (uint64_t)nn->started_wall_ms);
    jmx_text(b, "CompileInfo", "cairn");
    jmx_text(b, "CorruptFiles", "[]");
    jmx_number(b, "CorruptFilesCount", v->s.missing);
    jmx_number(b, "DistinctVersionCount", v->s.live ? 1 : 0);
    jmx_number(b, "Threads", jmx_thread_count());
    jmx_inner(b, "NameJournalStatus", json_array());
    json_object_set_new(b, "RollingUpgradeStatus", json_null());
    jmx_inner(b, "NodeUsage", node_usage(nn));
}

static void name_node_status(json_t *beans, struct namenode *nn)
{
    json_t *b = jmx_bean(beans, DOMAIN "NameNodeStatus", "org.apache.hadoop.hdfs.server.namenode.NameNode");
    jmx_text(b, "NNRole", "NameNode");
    jmx_text(b, "State", "active");
    jmx_text(b, "HostAndPort", nn->address);
    jmx_bool(b, "SecurityEnabled", false);
    jmx_number(b, "LastHATransitionTime", 0);
}

static void set_block_figures(json_t *b, const struct view *v)
{
    const struct blocks_stats *s = &v->s;
    jmx_number(b, "CapacityTotal", s->capacity_bytes);
    jmx_number(b, "CapacityUsed", s->used_bytes);
    jmx_number(b, "CapacityRemaining", s->remaining_bytes);
    jmx_number(b, "CapacityUsedNonDFS", s->non_dfs_used_bytes);
    jmx_number(b, "BlocksTotal", v->c.blocks);
    jmx_number(b, "FilesTotal", v->c.inodes);
    jmx_number(b, "PendingReplicationBlocks", s->pending_replication);
    jmx_number(b, "PendingReconstructionBlocks", s->pending_replication);
    jmx_number(b, "UnderReplicatedBlocks", s->under_replicated);
    jmx_number(b, "LowRedundancyBlocks", s->under_replicated);
    jmx_number(b, "ScheduledReplicationBlocks", s->scheduled_replication);
    jmx_number(b, "PendingDeletionBlocks", s->pending_deletion);
    jmx_number(b, "NumLiveDataNodes", s->live);
    jmx_number(b, "NumDeadDataNodes", s->dead);
    jmx_number(b, "NumStaleDataNodes", s->stale);
    jmx_number(b, "NumDecomLiveDataNodes", s->decommissioned_live);
    jmx_number(b, "NumDecomDeadDataNodes", s->decommissioned_dead);
    jmx_number(b, "NumDecommissioningDataNodes", s->decommissioning);
    jmx_number(b, "NumInMaintenanceLiveDataNodes", s->in_maintenance_live);
    jmx_number(b, "NumInMaintenanceDeadDataNodes", s->in_maintenance_dead);
    jmx_number(b, "NumEnteringMaintenanceDataNodes", s->entering_maintenance);
    jmx_number(b, "VolumeFailuresTotal", s->failed_volumes);
    jmx_number(b, "TotalLoad", s->xceivers);
    jmx_number(b, "NumInServiceLiveDataNodes",
               s->live - s->decommissioned_live - s->in_maintenance_live - s->decommissioning -
                   s->entering_maintenance);
    jmx_number(b, "EstimatedCapacityLostTotal", 0);
    jmx_number(b, "NumEncryptionZones", 0);
    jmx_number(b, "NumStaleStorages", 0);
    jmx_number(b, "ProvidedCapacityTotal", 0);
}

static void fs_namesystem_state(json_t *beans, const struct view *v)
{
    json_t *b = jmx_bean(beans, DOMAIN "FSNamesystemState", "org.apache.hadoop.hdfs.server.namenode.FSNamesystem");
    set_block_figures(b, v);
    jmx_text(b, "FSState", v->safe_mode ? "safeMode" : "Operational");
    jmx_number(b, "MaxObjects", 0);
    json_t *snapshots = json_object();
    jmx_number(snapshots, "SnapshottableDirectories", (int64_t)v->snapshottable_dirs);
    jmx_number(snapshots, "Snapshots", (int64_t)v->snapshots);
    jmx_inner(b, "SnapshotStats", snapshots);
}

static void fs_namesystem(json_t *beans, const struct view *v)
{
    json_t *b = jmx_bean(beans, DOMAIN "FSNamesystem", "FSNamesystem");
    const double gib = 1024.0 * 1024 * 1024;
    set_block_figures(b, v);
    jmx_text(b, "tag.Context", "dfs");
    jmx_text(b, "tag.HAState", "active");
    jmx_number(b, "LowRedundancyReplicatedBlocks", v->s.under_replicated);
    jmx_number(b, "CorruptReplicatedBlocks", v->s.corrupt);
    jmx_number(b, "MissingReplicatedBlocks", v->s.missing);
    jmx_number(b, "MissingReplicationOneBlocks", v->s.missing_replication_one);
    jmx_number(b, "PendingDeletionReplicatedBlocks", v->s.pending_deletion);
    jmx_number(b, "TotalReplicatedBlocks", v->c.blocks);
    jmx_number(b, "TotalSyncCount", v->journal.syncs);
    jmx_number(b, "TransactionsSinceLastCheckpoint", v->journal.mutations);
    jmx_number(b, "TransactionsSinceLastLogRoll", v->journal.mutations);
    jmx_number(b, "LockQueueLength", 0);
    jmx_number(b, "MissingBlocks", v->s.missing);
    jmx_number(b, "MissingReplOneBlocks", v->s.missing_replication_one);
    jmx_number(b, "CorruptBlocks", v->s.corrupt);
    jmx_number(b, "ExcessBlocks", v->s.excess);
    jmx_number(b, "PostponedMisreplicatedBlocks", v->s.postponed);
    jmx_number(b, "BlockCapacity", v->s.blocks_in_memory);
    jmx_number(b, "StaleDataNodes", v->s.stale);
    jmx_number(b, "NumFilesUnderConstruction", v->open_files);
    jmx_number(b, "NumActiveClients", 0);
    jmx_number(b, "LastWrittenTransactionId", v->journal.mutations);
    jmx_number(b, "TotalFiles", v->c.inodes);
    jmx_number(b, "ExpiredHeartbeats", 0);
    jmx_number(b, "SnapshottableDirectories", (int64_t)v->snapshottable_dirs);
    jmx_number(b, "Snapshots", (int64_t)v->snapshots);
    jmx_double(b, "CapacityTotalGB", (double)v->s.capacity_bytes / gib);
    jmx_double(b, "CapacityUsedGB", (double)v->s.used_bytes / gib);
    jmx_double(b, "CapacityRemainingGB", (double)v->s.remaining_bytes / gib);
}

/* The same figures under the names that tell replicated blocks from erasure coded ones, of which there are none. */
static void block_kinds(json_t *beans, const struct view *v)
{
    json_t *b = jmx_bean(beans, DOMAIN "ReplicatedBlocksState", "org.apache.hadoop.hdfs.server.namenode.FSNamesystem");
    jmx_number(b, "LowRedundancyReplicatedBlocks", v->s.under_replicated);
    jmx_number(b, "CorruptReplicatedBlocks", v->s.corrupt);
    jmx_number(b, "MissingReplicatedBlocks", v->s.missing);
    jmx_number(b, "MissingReplicationOneBlocks", v->s.missing_replication_one);
    jmx_number(b, "BytesInFutureReplicatedBlocks", 0);
    jmx_number(b, "PendingDeletionReplicatedBlocks", v->s.pending_deletion);
    jmx_number(b, "TotalReplicatedBlocks", v->c.blocks);
    b = jmx_bean(beans, DOMAIN "ECBlockGroupsState", "org.apache.hadoop.hdfs.server.namenode.FSNamesystem");
    static const char *const none[] = {"LowRedundancyECBlockGroups", "CorruptECBlockGroups",    "MissingECBlockGroups",
                                       "BytesInFutureECBlockGroups", "PendingDeletionECBlocks", "TotalECBlockGroups"};
    for (size_t i = 0; i < ARRAY_COUNT(none); i++)
        jmx_number(b, none[i], 0);
    jmx_text(b, "EnabledEcPolicies", "");
}

static void activity(json_t *beans, const struct view *v)
{
    json_t *b = jmx_bean(beans, DOMAIN "NameNodeActivity", "NameNodeActivity");
    jmx_text(b, "tag.Context", "dfs");
    jmx_text(b, "tag.ProcessName", "NameNode");
    jmx_number(b, "TransactionsNumOps", v->journal.mutations);
    jmx_number(b, "SyncsNumOps", v->journal.syncs);
    jmx_number(b, "TotalFileOps", metric_value("cairn_rpc_calls_total"));
    jmx_number(b, "SuccessfulReReplications", v->s.replicas_copied);
    b = jmx_bean(beans, DOMAIN "RetryCache.NameNodeRetryCache", "RetryCache.NameNodeRetryCache");
    jmx_number(b, "CacheHit", metric_value("cairn_rpc_replays_total"));
}

/* There is nothing to load at start: what can take time is waiting for block reports. */
static void startup(json_t *beans, const struct view *v)
{
    json_t *b = jmx_bean(beans, DOMAIN "StartupProgress", "StartupProgress");
    jmx_double(b, "PercentComplete", v->safe_mode ? 0 : 1);
    jmx_double(b, "LoadingFsImagePercentComplete", 1);
    jmx_double(b, "LoadingEditsPercentComplete", 1);
    jmx_double(b, "SavingCheckpointPercentComplete", 1);
    jmx_double(b, "SafeModePercentComplete", v->safe_mode ? 0 : 1);
}

static unsigned port_of(const char *address)
{
    const char *colon = strrchr(address, ':');
    return colon ? (unsigned)atoi(colon + 1) : 0;
}

void jmx_page(struct http_request *request, struct http_reply *reply, void *context)
{
    struct namenode *nn = context;
    struct view v = {.now_ms = (uint64_t)clock_mono_ms()};
    json_t *beans = json_array();
    namenode_lock(nn);
    blocks_stats(nn->blocks, &v.s);
    v.c = nn->dir->counters;
    v.journal = journal_stats(nn->journal);
    v.open_files = leases_file_count(nn->leases);
    v.snapshottable_dirs = history_snapshottable_count(nn->dir);
    v.snapshots = history_snapshot_count(nn->dir);
    v.safe_mode = blocks_in_safe_mode(nn->blocks);
    blocks_safe_mode_text(nn->blocks, v.now_ms, &v.safe_mode_text);
    buf_cstr(&v.safe_mode_text);
    name_node_info(beans, nn, &v);
    namenode_unlock(nn);
    name_node_status(beans, nn);
    fs_namesystem(beans, &v);
    fs_namesystem_state(beans, &v);
    block_kinds(beans, &v);
    activity(beans, &v);
    startup(beans, &v);
    jmx_add_rpc(beans, "NameNode", port_of(nn->address));
    struct buf calls = {0};
    rpc_jmx_bean(nn->rpc, "NameNode", &calls);
    jmx_add_text(beans, &calls);
    buf_free(&calls);
    jmx_add_process(beans, "NameNode", nn->started_wall_ms);
    buf_free(&v.safe_mode_text);
    jmx_answer(request, reply, beans);
}

#include "namenode/pages/jmx.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "namenode/blocks/blocks.h"
#include "namenode/namenode.h"
#include "namenode/namespace/history.h"
#include "namenode/namespace/leases.h"
#include "rpc/jmx.h"
#include "namenode/namespace/txn.h"

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

static void set_number(json_t *bean, const char *name, uint64_t value)
{
    json_object_set_new(bean, name, json_integer((json_int_t)value));
}

static void set_text(json_t *bean, const char *name, const char *value)
{
    json_t *text = json_string(value);
    json_object_set_new(bean, name, text ? text : json_string(""));
}

/* Hadoop's way: JSON inside a string. */
static void set_inner(json_t *bean, const char *name, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    set_text(bean, name, text ? text : "{}");
    free(text);
    json_decref(value);
}

static json_t *bean_new(const char *name, const char *type)
{
    json_t *bean = json_object();
    set_text(bean, "name", name);
    set_text(bean, "modelerType", type);
    return bean;
}

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
    set_text(o, "infoAddr", text);
    snprintf(text, sizeof text, "%s:%u", d->ip, d->xfer_port);
    set_text(o, "xferaddr", text);
    set_text(o, "location", d->rack);
    set_text(o, "uuid", d->uuid);
    set_text(o, "version", d->software_version);
    set_text(o, "adminState", states[d->admin]);
    set_number(o, "lastContact", d->last_heartbeat_ms ? (now_ms - d->last_heartbeat_ms) / 1000 : 0);
    set_number(o, "lastBlockReport", d->last_report_ms ? (now_ms - d->last_report_ms) / 60000 : 0);
    set_number(o, "usedSpace", d->used_bytes);
    set_number(o, "used", d->used_bytes);
    set_number(o, "nonDfsUsedSpace", d->non_dfs_used_bytes);
    set_number(o, "capacity", d->capacity_bytes);
    set_number(o, "remaining", d->remaining_bytes);
    set_number(o, "numBlocks", d->block_count);
    set_number(o, "blockPoolUsed", d->pool_used_bytes);
    set_number(o, "volfails", d->failed_volumes);
    json_object_set_new(o, "blockPoolUsedPercent", json_real(percent(d->pool_used_bytes, d->capacity_bytes)));
    json_object_set_new(o, "decommissioned", json_boolean(d->admin == DATANODE_DECOMMISSIONED));
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

static json_t *name_node_info(struct namenode *nn, const struct view *v)
{
    json_t *b = bean_new(DOMAIN "NameNodeInfo", "org.apache.hadoop.hdfs.server.namenode.FSNamesystem");
    set_text(b, "Version", VERSION);
    set_text(b, "SoftwareVersion", "3.4.1");
    set_number(b, "Used", v->s.used_bytes);
    set_number(b, "Free", v->s.remaining_bytes);
    set_number(b, "Total", v->s.capacity_bytes);
    set_text(b, "Safemode", v->safe_mode ? (const char *)v->safe_mode_text.base : "");
    json_object_set_new(b, "UpgradeFinalized", json_true());
    set_number(b, "NonDfsUsedSpace", v->s.non_dfs_used_bytes);
    json_object_set_new(b, "PercentUsed", json_real(percent(v->s.used_bytes, v->s.capacity_bytes)));
    json_object_set_new(b, "PercentRemaining", json_real(percent(v->s.remaining_bytes, v->s.capacity_bytes)));
    set_number(b, "CacheUsed", 0);
    set_number(b, "CacheCapacity", 0);
    set_number(b, "BlockPoolUsedSpace", v->s.pool_used_bytes);
    json_object_set_new(b, "PercentBlockPoolUsed", json_real(percent(v->s.pool_used_bytes, v->s.capacity_bytes)));
    set_number(b, "TotalBlocks", v->c.blocks);
    set_number(b, "TotalFiles", v->c.inodes);
    set_number(b, "NumberOfMissingBlocks", v->s.missing);
    set_number(b, "NumberOfMissingBlocksWithReplicationFactorOne", v->s.missing_replication_one);
    set_inner(b, "LiveNodes", nodes_json(nn, DATANODES_LIVE, v->now_ms));
    set_inner(b, "DeadNodes", nodes_json(nn, DATANODES_DEAD, v->now_ms));
    set_inner(b, "DecomNodes", nodes_json(nn, DATANODES_DECOMMISSIONING, v->now_ms));
    set_inner(b, "EnteringMaintenanceNodes", nodes_json(nn, DATANODES_ENTERING_MAINTENANCE, v->now_ms));
    set_text(b, "ClusterId", nn->ids.cluster_id);
    set_text(b, "BlockPoolId", nn->ids.block_pool_id);
    json_t *folders = json_object(), *active = json_object();
    set_text(active, store_folder(nn->store), "IMAGE_AND_EDITS");
    json_object_set_new(folders, "active", active);
    json_object_set_new(folders, "failed", json_object());
    set_inner(b, "NameDirStatuses", folders);
    json_t *tx = json_object();
    char number[32];
    snprintf(number, sizeof number, "%" PRIu64, v->journal.mutations);
    set_text(tx, "LastAppliedOrWrittenTxId", number);
    set_inner(b, "JournalTransactionInfo", tx);
    set_number(b, "NNStartedTimeInMillis", (uint64_t)nn->started_wall_ms);
    set_text(b, "CompileInfo", "cairn");
    set_text(b, "CorruptFiles", "[]");
    set_number(b, "DistinctVersionCount", v->s.live ? 1 : 0);
    return b;
}

static json_t *name_node_status(struct namenode *nn)
{
    json_t *b = bean_new(DOMAIN "NameNodeStatus", "org.apache.hadoop.hdfs.server.namenode.NameNode");
    set_text(b, "NNRole", "NameNode");
    set_text(b, "State", "active");
    set_text(b, "HostAndPort", nn->address);
    json_object_set_new(b, "SecurityEnabled", json_false());
    set_number(b, "LastHATransitionTime", 0);
    return b;
}

static void set_block_figures(json_t *b, const struct view *v)
{
    const struct blocks_stats *s = &v->s;
    set_number(b, "CapacityTotal", s->capacity_bytes);
    set_number(b, "CapacityUsed", s->used_bytes);
    set_number(b, "CapacityRemaining", s->remaining_bytes);
    set_number(b, "CapacityUsedNonDFS", s->non_dfs_used_bytes);
    set_number(b, "BlocksTotal", v->c.blocks);
    set_number(b, "FilesTotal", v->c.inodes);
    set_number(b, "PendingReplicationBlocks", s->pending_replication);
    set_number(b, "PendingReconstructionBlocks", s->pending_replication);
    set_number(b, "UnderReplicatedBlocks", s->under_replicated);
    set_number(b, "LowRedundancyBlocks", s->under_replicated);
    set_number(b, "ScheduledReplicationBlocks", s->scheduled_replication);
    set_number(b, "PendingDeletionBlocks", s->pending_deletion);
    set_number(b, "NumLiveDataNodes", s->live);
    set_number(b, "NumDeadDataNodes", s->dead);
    set_number(b, "NumStaleDataNodes", s->stale);
    set_number(b, "NumDecomLiveDataNodes", s->decommissioned_live);
    set_number(b, "NumDecomDeadDataNodes", s->decommissioned_dead);
    set_number(b, "NumDecommissioningDataNodes", s->decommissioning);
    set_number(b, "NumInMaintenanceLiveDataNodes", s->in_maintenance_live);
    set_number(b, "NumInMaintenanceDeadDataNodes", s->in_maintenance_dead);
    set_number(b, "NumEnteringMaintenanceDataNodes", s->entering_maintenance);
    set_number(b, "VolumeFailuresTotal", s->failed_volumes);
    set_number(b, "TotalLoad", s->xceivers);
}

static json_t *fs_namesystem_state(const struct view *v)
{
    json_t *b = bean_new(DOMAIN "FSNamesystemState", "org.apache.hadoop.hdfs.server.namenode.FSNamesystem");
    set_block_figures(b, v);
    set_text(b, "FSState", v->safe_mode ? "safeMode" : "Operational");
    set_number(b, "MaxObjects", 0);
    char snapshots[100];
    snprintf(snapshots, sizeof snapshots, "{\"SnapshottableDirectories\":%llu,\"Snapshots\":%llu}",
             (unsigned long long)v->snapshottable_dirs, (unsigned long long)v->snapshots);
    set_text(b, "SnapshotStats", snapshots);
    return b;
}

static json_t *fs_namesystem(const struct view *v)
{
    json_t *b = bean_new(DOMAIN "FSNamesystem", "FSNamesystem");
    const double gib = 1024.0 * 1024 * 1024;
    set_block_figures(b, v);
    set_text(b, "tag.Context", "dfs");
    set_text(b, "tag.HAState", "active");
    set_number(b, "MissingBlocks", v->s.missing);
    set_number(b, "MissingReplOneBlocks", v->s.missing_replication_one);
    set_number(b, "CorruptBlocks", v->s.corrupt);
    set_number(b, "ExcessBlocks", v->s.excess);
    set_number(b, "PostponedMisreplicatedBlocks", v->s.postponed);
    set_number(b, "BlockCapacity", v->s.blocks_in_memory);
    set_number(b, "StaleDataNodes", v->s.stale);
    set_number(b, "NumFilesUnderConstruction", v->open_files);
    set_number(b, "NumActiveClients", 0);
    set_number(b, "LastWrittenTransactionId", v->journal.mutations);
    set_number(b, "TotalFiles", v->c.inodes);
    set_number(b, "ExpiredHeartbeats", 0);
    set_number(b, "SnapshottableDirectories", v->snapshottable_dirs);
    set_number(b, "Snapshots", v->snapshots);
    json_object_set_new(b, "CapacityTotalGB", json_real((double)v->s.capacity_bytes / gib));
    json_object_set_new(b, "CapacityUsedGB", json_real((double)v->s.used_bytes / gib));
    json_object_set_new(b, "CapacityRemainingGB", json_real((double)v->s.remaining_bytes / gib));
    return b;
}

static json_t *memory_bean(void)
{
    json_t *b = bean_new("java.lang:type=Memory", "sun.management.MemoryImpl"), *heap = json_object();
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%*u %lu", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    set_number(heap, "used", (uint64_t)pages * 4096);
    set_number(heap, "committed", (uint64_t)pages * 4096);
    json_object_set_new(b, "HeapMemoryUsage", heap);
    return b;
}

static json_t *rpc_bean(const struct namenode *nn)
{
    AUTO(buf_free) struct buf text = {0};
    rpc_jmx_bean(nn->rpc, "NameNode", &text);
    return json_loadb((const char *)text.base, text.len, 0, NULL);
}

/* ?qry=domain:key=value picks a bean; a "*" at its end any that begins so. */
static bool is_wanted(const char *query, const json_t *bean)
{
    const char *name = json_string_value(json_object_get(bean, "name"));
    size_t len = query ? strlen(query) : 0;
    if (!len)
        return true;
    return query[len - 1] == '*' ? !strncmp(query, name, len - 1) : !strcmp(query, name);
}

void jmx_page(struct http_request *request, struct http_reply *reply, void *context)
{
    struct namenode *nn = context;
    struct view v = {.now_ms = (uint64_t)clock_mono_ms()};
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
    json_t *all[] = {name_node_info(nn, &v), name_node_status(nn), fs_namesystem(&v), fs_namesystem_state(&v),
                     memory_bean(), rpc_bean(nn)};
    namenode_unlock(nn);
    const char *query = http_query(request, "qry");
    json_t *beans = json_array();
    for (size_t i = 0; i < ARRAY_COUNT(all); i++) {
        if (is_wanted(query, all[i]))
            json_array_append(beans, all[i]);
        json_decref(all[i]);
    }
    json_t *root = json_object();
    json_object_set_new(root, "beans", beans);
    char *text = json_dumps(root, JSON_INDENT(2));
    if (text)
        buf_append_str(&reply->body, text);
    free(text);
    json_decref(root);
    buf_free(&v.safe_mode_text);
    reply->content_type = "application/json; charset=utf-8";
}

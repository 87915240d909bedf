/* The block manager's core: which datanode holds which block, where new replicas go, what is copied, dropped or
 * recovered next, and whether the cluster is in safe mode.
 *
 * Everything here is guarded by the namenode lock: hold it for every call. Nothing blocks, reads a clock, starts a
 * thread or does I/O (but for reading block records through the seam below): events and `now_ms` (monotonic) go in,
 * state and actions come out. All randomness comes from options.seed.
 *
 * The store knows every block (struct block_record); memory knows only blocks that a datanode has reported or that are
 * being written. So: missing = complete blocks in the store - complete blocks with a live replica.
 *
 * Life of a block, as the namespace drives it:
 *   choose_targets -> under_construction -> [update_pipeline]* -> commit -> (min replicas: on_min_replicas) -> complete
 *   append/truncate: complete -> reopen -> ...;   a dead writer: start_recovery -> on_recovered -> commit | remove
 * After a restart the calls up to commit are not repeated: a report about a block whose record says under construction
 * or committed brings it back by itself.
 *
 * Borrowed pointers (struct datanode_info, strings in it, storage uuids) stay good while the lock is held.
 * What datanodes tell us comes in through namenode/blocks/datanode_events.h. */
#ifndef CAIRN_NAMENODE_BLOCKS_BLOCKS_H
#define CAIRN_NAMENODE_BLOCKS_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/config.h"
#include "common/err.h"

struct advertised;
struct blocks;
struct host_list;

/* ---- the seam to the namespace ---- */

enum block_state {
    BLOCK_UNDER_CONSTRUCTION, /* being written, or under recovery */
    BLOCK_COMMITTED,          /* length and generation stamp are final, waiting for min replicas */
    BLOCK_COMPLETE,
    BLOCK_UNREADABLE, /* there is a record, or may be one, but the store cannot read it: its replicas are left alone */
};
struct block_record {
    uint64_t block_id, inode_id;
    uint64_t gen_stamp, bytes; /* bytes: of an unfinished block, what is known so far */
    uint16_t replication;
    enum block_state state;
};
/* What the primary of a block recovery reports (commitBlockSynchronization). */
struct block_recovery {
    uint64_t block_id, gen_stamp; /* as they were */
    uint64_t new_gen_stamp /* = recovery id */, new_bytes;
    bool close_file, delete_block;
    const char *const *datanode_uuids, *const *storage_uuids; /* who has the result */
    size_t count;
};
/* Called with the lock held, from within calls below. A record describes the current state of memory and store: changes
 * that are applied and not yet synced are seen. on_* must not call back into the core but for blocks_complete(),
 * blocks_remove(), blocks_commit(), blocks_recovered(), blocks_set_replication() and the queries. */
struct blocks_seam {
    void *context;
    /* False: there surely is no such block, so that its replicas can be deleted. */
    bool (*lookup)(void *context, uint64_t block_id, struct block_record *ret);
    /* Records in rising order of block id. A scan lives shorter than the lock is held. */
    void *(*scan_open)(void *context);
    void (*scan_seek)(void *scan, uint64_t block_id); /* next record is the first with id >= block_id */
    bool (*scan_next)(void *scan, struct block_record *ret);
    void (*scan_close)(void *scan);
    uint64_t (*total_complete_blocks)(void *context);
    /* A committed block now has dfs.namenode.replication.min good replicas: complete it, answer a parked call. */
    void (*on_min_replicas)(void *context, uint64_t block_id);
    /* The storage policy in force for the block's file; NULL: the default one for all. */
    uint8_t (*policy)(void *context, uint64_t block_id);
    /* Checks the recovery id, then blocks_recovered() and blocks_commit() + blocks_complete(), or blocks_remove(), with
     * the change of its own records. *ret_seq: the journal's number that the answer waits for (0 = none). */
    int (*on_recovered)(void *context, const struct block_recovery *r, uint64_t now_ms, uint64_t *ret_seq,
                        struct err *reterr);
};

struct blocks_options {
    uint16_t replication_min, replication_max; /* dfs.namenode.replication.min, dfs.replication.max */
    uint16_t maintenance_min;                  /* dfs.namenode.maintenance.replication.min */
    uint16_t default_replication;              /* dfs.replication */
    double safe_mode_threshold;                /* dfs.namenode.safemode.threshold-pct */
    uint32_t safe_mode_min_datanodes;
    uint64_t safe_mode_extension_ms;
    uint64_t heartbeat_ms, recheck_ms, stale_ms; /* dead after 2 * recheck + 10 * heartbeat */
    uint32_t max_streams;        /* dfs.namenode.replication.max-streams: copies a source sends at once */
    uint32_t max_streams_urgent; /* ...max-streams-hard-limit: of blocks that are nearly lost */
    uint64_t pending_timeout_ms; /* dfs.namenode.reconstruction.pending.timeout-sec */
    uint32_t invalidate_limit;   /* dfs.block.invalidate.limit, per heartbeat */
    bool consider_load;
    uint64_t report_interval_ms; /* dfs.blockreport.intervalMsec */
    uint8_t default_policy;      /* dfs.storage.default.policy */
    uint64_t seed;
    const char *pool_id; /* copied */
};
/* Reads the settings above from the configuration; seed and pool_id stay for the caller to set. */
void blocks_options_from_config(struct blocks_options *ret, const struct config *c);

/* Takes the settings that may change at run time: heartbeats, streams, time-outs of copies, deletions per heartbeat. */
void blocks_reconfigure(struct blocks *b, const struct config *c);

/* The seam is copied. The core starts in safe mode unless there is nothing to wait for. */
struct blocks *blocks_new(const struct blocks_options *options, const struct blocks_seam *seam, uint64_t now_ms);
void blocks_free(struct blocks *b); /* NULL is fine */

/* Dead nodes, time-outs, re-replication, sweeps, safe mode: call once a second or so. Work per call is bounded; true
 * means that more waits: release the lock, let others in, call again. */
bool blocks_tick(struct blocks *b, uint64_t now_ms);

/* ---- nodes as others see them ---- */

enum datanode_admin_state { /* numbers as in DatanodeInfoProto.AdminState */
                            DATANODE_NORMAL,
                            DATANODE_DECOMMISSION_IN_PROGRESS,
                            DATANODE_DECOMMISSIONED,
                            DATANODE_ENTERING_MAINTENANCE,
                            DATANODE_IN_MAINTENANCE,
};
struct datanode_info {
    const char *uuid, *ip, *hostname, *rack /* "/default-rack" */, *software_version;
    uint16_t xfer_port, info_port, info_secure_port, ipc_port;
    uint64_t capacity_bytes, used_bytes, non_dfs_used_bytes, remaining_bytes, pool_used_bytes;
    uint64_t cache_capacity_bytes, cache_used_bytes;
    uint64_t last_heartbeat_ms, last_report_ms; /* monotonic; 0 = never */
    uint32_t xceivers, transfers, block_count, failed_volumes, storage_count;
    enum datanode_admin_state admin;
    bool alive, stale;
    const char *upgrade_domain;          /* NULL: none */
    const struct advertised *advertised; /* what clients are told in place of its addresses */
};
struct storage_info {
    const char *uuid;
    uint8_t type; /* StorageTypeProto: 1 DISK, 2 SSD, ... */
    bool failed;
    uint64_t capacity_bytes, used_bytes, remaining_bytes, pool_used_bytes;
    uint32_t block_count;
};
/* Where a replica is or goes. */
struct block_location {
    const struct datanode_info *node;
    const char *storage_uuid;
    uint8_t storage_type;
    bool corrupt, cached;
    bool excess; /* about to be deleted */
};
#define BLOCK_LOCATIONS_MAX 64

/* ---- for the namespace ---- */

struct choose_args {
    const char *client_ip;       /* NULL or unknown: no locality */
    size_t count;                /* replicas wanted (additional ones when `existing` is given) */
    uint64_t block_bytes;        /* room needed */
    const char *const *excluded; /* datanode uuids */
    size_t excluded_count;
    const char *const *existing; /* uuids already in the pipeline: not chosen, counted for the rack rule */
    size_t existing_count;
    const char *const *favored; /* "host", "host:port" or "ip:port" */
    size_t favored_count;
    uint8_t policy; /* storage policy in force (policy.h); 0: the default one */
    /* A writer's hints (AddBlockFlag): not its node, or its rack, if avoidable; or forget where it is. */
    bool no_local_write, no_local_rack, ignore_locality;
};
/* In pipeline order: the writer's node, then another rack, then that other rack again, then anywhere. Returns how many
 * were found (0..count; fewer when the cluster has no more good nodes). Space and load are booked when the block is
 * added. */
size_t blocks_choose_targets(struct blocks *b, const struct choose_args *args, struct block_location *ret,
                             size_t ret_max);

/* A new block on these targets (or the same block with another set: replaced). bytes: the file's block size. */
void blocks_under_construction(struct blocks *b, uint64_t block_id, uint64_t gen_stamp, uint64_t bytes,
                               uint16_t replication, const char *const *storage_uuids, size_t count);
/* updatePipeline: new stamp, surviving (or new) storages; replicas with an older stamp are dropped as stale.
 * Names a storage by its uuid; where that is empty or unknown, the node's uuid decides. */
void blocks_update_pipeline(struct blocks *b, uint64_t block_id, uint64_t gen_stamp, uint64_t bytes,
                            const char *const *datanode_uuids, const char *const *storage_uuids, size_t count);
/* Length and stamp are final. Replicas reported so far with others are dropped. Returns true if min replicas are there
 * already; else on_min_replicas follows. */
bool blocks_commit(struct blocks *b, uint64_t block_id, uint64_t gen_stamp, uint64_t bytes);
/* The same of a committed block whose writer says that all of its targets have all of it: those that have not reported
 * yet count. */
bool blocks_is_stored(const struct blocks *b, uint64_t block_id);
/* The record says complete now: from here on the core keeps the block at its replication. Targets that have not
 * reported yet are about to, and count as live until they should have. */
void blocks_complete(struct blocks *b, uint64_t block_id, uint64_t now_ms);
/* Append, truncate, recovery of a complete block: it is under construction again on its present replicas, and on those
 * of its last pipeline that are about to be reported. */
void blocks_reopen(struct blocks *b, const struct block_record *record);
/* The block is gone from the namespace: replicas are queued for deletion. O(replicas); call it in batches. */
void blocks_remove(struct blocks *b, uint64_t block_id);
void blocks_set_replication(struct blocks *b, uint64_t block_id, uint16_t replication, uint64_t now_ms);

/* Good replicas of this block on live nodes. */
size_t blocks_live_replicas(const struct blocks *b, uint64_t block_id);
bool blocks_has_min_replicas(const struct blocks *b, uint64_t block_id);
/* For a reader: client's own node first, then its rack, then others; stale ones, those entering maintenance and
 * decommissioned ones later, in maintenance none. Only if no good replica exists the corrupt ones are returned
 * (marked). For an unfinished block: the expected locations. */
size_t blocks_locations(struct blocks *b, uint64_t block_id, const char *client_ip, struct block_location *ret,
                        size_t ret_max);
/* Some datanodes that serve readers, in the same order: for what every one of them has. */
size_t blocks_anywhere(struct blocks *b, const char *client_ip, struct block_location *ret, size_t ret_max);
/* All that is known of, good or bad, whether the node runs or not: for fsck. */
size_t blocks_replicas(const struct blocks *b, uint64_t block_id, struct block_location *ret, size_t ret_max);
struct block_health { /* fsck's view */
    uint16_t expected, live, corrupt, excess, stale, decommissioning, decommissioned, pending;
    uint16_t entering_maintenance, in_maintenance;
    uint16_t racks;    /* of live replicas */
    bool is_misplaced; /* one rack where two were possible */
};
void blocks_health(const struct blocks *b, uint64_t block_id, struct block_health *ret);

/* Looks at the block once more; true if copies of it are wanted. */
bool blocks_ask_for_copies(struct blocks *b, uint64_t block_id, uint64_t now_ms);

/* Lease recovery: a primary among the block's replicas gets a BlockRecovery command with its next heartbeat. Calling
 * again with a higher recovery id replaces the attempt and prefers another primary. truncate_bytes: UINT64_MAX = none.
 * source: NULL, or the complete block that this one is to become a (shorter) copy of; its replicas are asked.
 * ERR_NOT_FOUND: no replica of the block has ever been reported: nothing to recover from. */
#define BLOCKS_NO_TRUNCATE UINT64_MAX
int blocks_start_recovery(struct blocks *b, const struct block_record *record, const struct block_record *source,
                          uint64_t recovery_id, uint64_t truncate_bytes, uint64_t now_ms,
                          struct err *reterr) MUST_CHECK;
/* commitBlockSynchronization's effect on replicas, for on_recovered: the good ones are those on the named storages. */
void blocks_recovered(struct blocks *b, const struct block_recovery *r, uint64_t now_ms);
/* An unfinished block: a datanode that it is written on is dead, and may have all there is of it. */
bool blocks_may_come_back(const struct blocks *b, uint64_t block_id);
/* Recovery id of the attempt under way; 0 = none. */
uint64_t blocks_recovery_id(const struct blocks *b, uint64_t block_id);

/* A reader (or a datanode) found a bad replica. storage_uuid may be "" (any storage of that node). */
void blocks_report_bad(struct blocks *b, uint64_t block_id, uint64_t gen_stamp, const char *datanode_uuid,
                       const char *storage_uuid, const char *reason, uint64_t now_ms);

/* ---- safe mode ---- */

enum safe_mode_action { SAFE_MODE_GET, SAFE_MODE_ENTER, SAFE_MODE_LEAVE, SAFE_MODE_FORCE_EXIT };
bool blocks_in_safe_mode(const struct blocks *b);
bool blocks_safe_mode(struct blocks *b, enum safe_mode_action action, uint64_t now_ms); /* the state afterwards */
/* "Safe mode is ON. The reported blocks ... has not reached ..." as Hadoop says it (SafeModeException's tail). */
void blocks_safe_mode_text(const struct blocks *b, uint64_t now_ms, struct buf *ret);

/* ---- views for dfsadmin, fsck, the web pages and metrics ---- */

struct blocks_stats {
    uint64_t capacity_bytes, used_bytes, non_dfs_used_bytes, remaining_bytes, pool_used_bytes;
    uint64_t under_replicated, corrupt, missing, missing_replication_one, pending_deletion, pending_replication,
        scheduled_replication, low_redundancy_highest, excess, misplaced, postponed;
    uint64_t blocks_in_memory, blocks_total, under_construction, replicas, memory_bytes;
    uint32_t live, dead, stale, decommissioning_live, decommissioned_live, decommissioned_dead, decommissioning,
        entering_maintenance, in_maintenance_live, in_maintenance_dead, failed_volumes, xceivers;
    /* since start */
    uint64_t replicas_copied, replicas_invalidated, replicas_corrupted, copy_timeouts, full_reports,
        incremental_reports, heartbeats, recoveries_started, recoveries_done;
};
void blocks_stats(const struct blocks *b, struct blocks_stats *ret);

/* Numbers as in ClientProtocol's DatanodeReportTypeProto. */
enum datanode_list_type {
    DATANODES_ALL = 1,
    DATANODES_LIVE,
    DATANODES_DEAD,
    DATANODES_DECOMMISSIONING,
    DATANODES_ENTERING_MAINTENANCE,
    DATANODES_IN_MAINTENANCE,
};
/* Arrays are in the arena, their strings borrowed. Ordered by ip, then port. Who is in the include-list and never came
 * is dead, with an empty uuid. */
size_t blocks_datanodes(const struct blocks *b, enum datanode_list_type type, struct arena *a,
                        const struct datanode_info ***ret);
size_t blocks_storages(const struct blocks *b, const struct datanode_info *node, struct arena *a,
                       struct storage_info **ret);
/* Rises when the addresses of a datanode may have changed; 0 while no datanode advertises special ones. */
uint64_t blocks_peers_version(const struct blocks *b);
const struct datanode_info *blocks_datanode_by_uuid(const struct blocks *b, const char *uuid);
const struct datanode_info *blocks_datanode_by_ip(const struct blocks *b, const char *ip, uint16_t xfer_port);
/* Rack of any host name or address, as the topology sees it. */
const char *blocks_rack_of(const struct blocks *b, const char *host_or_ip);

/* metasave's report; at most `lines_max` block lines per section. */
void blocks_metasave(const struct blocks *b, uint64_t now_ms, size_t lines_max, struct buf *ret);
/* Of a complete block: nobody can read it. false as long as the first reports are awaited. */
bool blocks_is_lost(const struct blocks *b, uint64_t block_id);

/* ---- blocks in datanodes' memory ----
 * A scan of the cache directives: begin, want() for each block, then decide() from cursor 0 until it says that no more
 * is left; the lock may be released between all these. */

void blocks_cache_begin(struct blocks *b);
void blocks_cache_want(struct blocks *b, uint64_t block_id,
                       uint16_t replication); /* of several wishes the highest counts */
bool blocks_cache_decide(struct blocks *b, size_t *cursor, size_t steps, uint64_t now_ms);
unsigned blocks_cached_count(const struct blocks *b, uint64_t block_id); /* datanodes that have it in memory */
bool blocks_cache_any(const struct blocks *b); /* is any block cached, or to be, or still to be let go? */

/* ---- what a datanode holds, for the balancer ---- */

struct held_place {
    const char *datanode_uuid, *storage_uuid;
    uint8_t storage_type;
};
struct held_block {
    uint64_t block_id, gen_stamp, bytes;
    struct held_place *places; /* all good replicas */
    size_t place_count;
};
struct held_blocks {
    struct held_block *items;
    size_t count, capacity;
    uint64_t bytes;
};
struct held_blocks_args {
    const char *datanode_uuid;
    uint8_t storage_type; /* 0: any */
    uint64_t block_bytes_min, bytes_wanted;
};
/* Of all its storages, now; datanode_info.block_count is as old as the node's last heartbeat. 0: no such node. */
size_t blocks_held_count(const struct blocks *b, const char *datanode_uuid);
/* Adds complete blocks with a good replica on that node, until capacity or bytes_wanted is reached. Call it with
 * BLOCKS_WALK_STEPS consecutive numbers; the lock may be released in between: everything is copied to the arena. */
#define BLOCKS_WALK_STEPS 256
void blocks_held_step(const struct blocks *b, const struct held_blocks_args *args, unsigned step, struct arena *a,
                      struct held_blocks *io);

/* ---- topology and membership; the texts are read by the shell around us ---- */

/* "host-or-ip rack" lines; '#' starts a comment. Replaces the table and moves known nodes. ERR_CONFIG names the line.
 */
int blocks_set_topology(struct blocks *b, const char *table_text, struct err *reterr) MUST_CHECK;
/* refreshNodes (namenode/blocks/host_list.h); takes the list over. Both clocks are of the same moment. */
void blocks_set_hosts(struct blocks *b, struct host_list *take, uint64_t now_ms, int64_t now_wall_ms);
/* One host's rack, as learned from net.topology.script.file.name. */
void blocks_set_rack(struct blocks *b, const char *host_or_ip, const char *rack);

/* dfsadmin -setBalancerBandwidth: goes to every live datanode with its next heartbeat. */
void blocks_set_balancer_bandwidth(struct blocks *b, uint64_t bytes_per_second);

#endif

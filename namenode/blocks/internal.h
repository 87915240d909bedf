/* What the block manager's files share. Private to namenode/blocks; guarded by the namenode lock.
 *
 *   blocks.c              life cycle, tick          datanodes.c   registration, storages, death
 *   heartbeat.c           commands                  reports.c     full and incremental reports
 *   replicas.c            one door for every change of a block's replicas: counts, queues, excess, corruption
 *   cached.c              blocks in datanodes' memory
 *   digests.c             replicas whose digests disagree
 *   under_construction.c  blocks being written or recovered
 *   replication.c         who copies what to whom   placement.c   where new replicas go; topology.c  racks
 *   host_list.c           who may join, and who shall leave    admin_states.c  how they leave
 *   sweep.c               walks the block map in bounded steps      safe_mode.c  views.c */
#ifndef CAIRN_NAMENODE_BLOCKS_INTERNAL_H
#define CAIRN_NAMENODE_BLOCKS_INTERNAL_H

#include "namenode/blocks/block_table.h"
#include "namenode/blocks/blocks.h"
#include "namenode/blocks/policy.h"
#include "namenode/blocks/datanode_events.h"
#include "namenode/blocks/host_list.h"
#include "namenode/blocks/id_map.h"

#define NO_INDEX              UINT16_MAX
#define STORAGES_MAX          65535
#define STORAGES_PER_NODE_MAX 256
#define NAME_MAX_BYTES        255 /* of what a datanode calls itself and its storages */
/* Deletions waiting per node. What does not fit is not lost: the next full report names those replicas again. */
#define INVALIDATIONS_MAX (4u << 20)
#define PRIORITY_COUNT    5
enum replication_priority {
    PRIORITY_HIGHEST,  /* one replica left of several, or only on leaving nodes */
    PRIORITY_VERY_LOW, /* less than a third of what is wanted */
    PRIORITY_LOW_REDUNDANCY,
    PRIORITY_MISPLACED, /* enough, but all on one rack */
    PRIORITY_LOST,      /* no readable replica: nothing to copy from */
};

struct storage {
    struct datanode *node; /* NULL once gone */
    char *uuid;
    uint16_t index;
    uint8_t type;
    bool failed;
    bool gone;     /* its replicas count no more and are being swept out of the map; then the index is free again */
    bool reported; /* a full report was seen: what it does not have is known too */
    bool purge;    /* replicas older than purge_epoch are to be swept out */
    bool sweeping; /* the pass under way covers what is wanted of this storage */
    uint8_t epoch, ended_epoch, purge_epoch, sweep_epoch;
    uint8_t missed_heartbeats;
    uint32_t block_count;
    uint64_t capacity_bytes, used_bytes, non_dfs_used_bytes, remaining_bytes, pool_used_bytes;
    uint64_t booked_bytes; /* of blocks on their way here */
};

struct invalidation {
    uint64_t block_id, gen_stamp;
};
struct transfer {
    uint64_t block_id;
    uint16_t target; /* storage */
};
/* A first-in first-out queue of T in one array. */
#define QUEUE(T)                                                                                                       \
    struct {                                                                                                           \
        T *items;                                                                                                      \
        size_t head, count, capacity;                                                                                  \
    }
#define QUEUE_AT(q, i) ((q).items[((q).head + (i)) % (q).capacity])
#define QUEUE_PUSH(q, item)                                                                                            \
    do {                                                                                                               \
        if ((q).count == (q).capacity)                                                                                 \
            queue_resize(&(q).items, sizeof *(q).items, &(q).head, (q).count, &(q).capacity,                           \
                         (q).capacity ? (q).capacity * 2 : 16);                                                        \
        (q).items[((q).head + (q).count++) % (q).capacity] = (item);                                                   \
    } while (0)
#define QUEUE_POP(q, ret)                                                                                              \
    ((q).count ? (*(ret) = (q).items[(q).head], (q).head = ((q).head + 1) % (q).capacity, (q).count--, true) : false)
/* Gives memory back once a queue that was long is nearly empty. */
#define QUEUE_TRIM(q)                                                                                                  \
    do {                                                                                                               \
        if ((q).capacity > 4096 && (q).count < (q).capacity / 8)                                                       \
            queue_resize(&(q).items, sizeof *(q).items, &(q).head, (q).count, &(q).capacity, (q).capacity / 4);        \
    } while (0)
void queue_resize(void *items, size_t item_bytes, size_t *head, size_t count, size_t *capacity, size_t new_capacity);

struct datanode {
    struct datanode_info info; /* its strings are the owned ones below */
    char *uuid, *ip, *own_ip, *hostname, *software_version, *upgrade_domain;
    int64_t maintenance_until_wall_ms; /* of a node in or entering maintenance */
    struct advertised *advertised;
    uint16_t index, rack;
    struct storage **storages;
    size_t storage_count;
    QUEUE(struct invalidation) invalidations;
    QUEUE(struct transfer) transfers;
    QUEUE(uint64_t) cache_asks;    /* blocks to be taken into memory, or dropped from it; cached.c knows which */
    uint64_t cache_promised_bytes; /* of all places there, as of the scan and since */
    uint8_t cache_report;
    QUEUE(uint64_t) recoveries;     /* block ids; the details are in their struct uc */
    uint32_t copies_out, copies_in; /* under way */
    uint64_t bytes_out;
    uint64_t lease_id, lease_until_ms;
    bool must_register; /* answer the next heartbeat with Register */
    bool bandwidth_told;
    uint64_t insufficient; /* blocks that keep it from being decommissioned, found by the pass under way */
    bool was_counted;      /* the pass began when it was leaving already, and had said what it holds */
};

/* A block under construction (or committed and not complete yet). The finalized replicas among its targets are in the
 * block map as well. */
enum uc_reported { UC_EXPECTED, UC_RBW, UC_RWR, UC_FINALIZED };
struct uc_target {
    uint16_t storage;
    uint8_t reported; /* enum uc_reported */
    bool primary_tried, booked;
    uint32_t digest;
    uint64_t gen_stamp, bytes; /* as reported */
    bool from_before; /* the finalized replica was there before an append, which may change it under the same stamp */
};
struct uc {
    uint64_t block_id, gen_stamp, bytes; /* bytes: final when committed, else the room booked per target */
    uint64_t recovery_id, truncate_bytes;
    uint64_t source_id, source_stamp, source_bytes; /* recovered as a copy of that block; 0: of itself */
    bool committed, notified;
    bool lost_target; /* a datanode it is written on is dead by now, and may come back with what it has */
    uint16_t primary; /* storage; NO_INDEX = none */
    uint16_t target_count, target_capacity;
    struct uc_target *targets;
};

struct copy {
    uint16_t target; /* storage */
    uint16_t source; /* node; NO_INDEX: it came by the write pipeline */
};
struct pending {
    uint64_t block_id, bytes, deadline_ms;
    uint16_t count;
    struct copy copies[REPLICAS_MAX];
};

struct pending_deadline {
    uint64_t block_id, deadline_ms;
};

/* What is special about single replicas of a block: the stamp of a bad one (deleting it needs that), the digest of one
 * that disagrees. */
struct doubt {
    uint16_t storage;
    uint32_t digest; /* 0 = none */
    uint64_t gen_stamp;
};
struct doubts {
    size_t count;
    struct doubt items[REPLICAS_MAX];
};

struct rack {
    char *name;
};
struct rack_entry {
    char *host;
    uint16_t rack;
};
enum safe_mode_status { SAFE_MODE_OFF, SAFE_MODE_PENDING, SAFE_MODE_EXTENSION };

struct blocks {
    struct blocks_options options;
    struct blocks_seam seam;
    char *pool_id;
    uint64_t random;
    uint64_t now_ms; /* of the latest event, for counts that need to know who is stale */
    uint64_t ticked_ms;

    struct block_table table;
    struct id_map under_construction; /* struct uc */
    struct id_map pending;            /* struct pending */
    struct id_map doubts;             /* struct doubts */
    struct id_map cached;             /* struct cached, cached.c */
    uint32_t cache_scan;              /* counts scans of the cache directives */

    struct datanode **nodes; /* slots may be NULL */
    size_t node_count;
    struct storage **storages; /* slots may be NULL */
    size_t storage_count;

    struct rack *racks;
    size_t rack_count;
    struct rack_entry *rack_table; /* ordered by host */
    size_t rack_table_count;
    bool has_racks; /* live nodes are on more than one */
    struct host_list hosts;
    uint64_t hosts_mono_ms; /* when the list came, by two clocks */
    int64_t hosts_wall_ms;

    bool tracking; /* start-up safe mode is over: queues are kept */
    QUEUE(uint64_t) rings[PRIORITY_COUNT];
    uint64_t priority_count[PRIORITY_COUNT];
    QUEUE(struct pending_deadline) pending_deadlines;
    QUEUE(uint64_t) ready; /* blocks to name in on_min_replicas when the event is done */
    bool is_draining;
    uint64_t copies_hold_until_ms;

    bool sweep_wanted, sweep_running, recheck_wanted, sweep_rechecks;
    unsigned sweep_shard;
    uint64_t admin_check_ms;

    enum safe_mode_status safe_mode;
    bool safe_mode_manual;
    uint64_t safe_mode_leave_ms;

    uint64_t available_count, safe_count, corrupt_count, lost_count, lost_one_count, replica_count, excess_count;
    uint64_t balancer_bytes_per_second;
    uint64_t peers_version;
    bool has_advertised;
    struct blocks_stats totals; /* only its since-start counters are used */
};

/* blocks.c */
uint64_t blocks_random(struct blocks *b);
void blocks_drain_ready(struct blocks *b); /* at the end of every event */

/* datanodes.c */
struct storage *datanode_storage(struct blocks *b, struct datanode *node, const char *uuid,
                                 uint8_t type); /* makes it */
struct storage *datanode_storage_find(const struct datanode *node, const char *uuid);
struct storage *blocks_storage_find(const struct blocks *b, const char *storage_uuid); /* of any node */
struct datanode *datanode_find(const struct blocks *b, const char *uuid);
struct datanode *datanode_find_ip(const struct blocks *b, const char *ip);
void datanode_die(struct blocks *b, struct datanode *node);
void datanode_detach_all(struct blocks *b, struct datanode *node);
void storage_detach(struct blocks *b, struct storage *s);
void storage_free(struct storage *s);
void datanode_free(struct datanode *node);
void datanodes_tick(struct blocks *b, uint64_t now_ms);
uint64_t datanode_dead_after_ms(const struct blocks *b);
static inline bool storage_is_usable(const struct storage *s)
{
    return s && !s->gone && !s->failed;
}
static inline bool storage_is_reachable(const struct storage *s)
{
    return storage_is_usable(s) && s->node->info.alive;
}
static inline bool datanode_is_leaving(const struct datanode *node)
{
    return node->info.admin == DATANODE_DECOMMISSION_IN_PROGRESS || node->info.admin == DATANODE_ENTERING_MAINTENANCE;
}
static inline bool datanode_is_normal(const struct datanode *node)
{
    return node->info.alive && node->info.admin == DATANODE_NORMAL;
}

/* admin_states.c */
int64_t blocks_wall_ms(const struct blocks *b);
void admin_apply(struct blocks *b, struct datanode *node); /* what the host list wants of it */
void admin_after_recheck(struct blocks *b);
void admin_tick(struct blocks *b, uint64_t now_ms);

/* replicas.c */
struct replica_counts {
    unsigned live;     /* good, on a node that stays */
    unsigned readable; /* good, on any live node */
    unsigned coming;   /* of `live`: those that took part in writing the block, and whose report is still to come */
    unsigned decommissioning, decommissioned;
    unsigned entering_maintenance;
    unsigned in_maintenance; /* known to be good, whether the node runs or not, but nobody is sent there */
    unsigned stale, corrupt, excess, racks;
    bool unreported; /* some storage has not sent a full report yet */
};
void block_count(const struct blocks *b, const struct block *blk, struct replica_counts *ret);
/* Those that have been reported: nothing is deleted for the sake of others. */
static inline unsigned counts_sure(const struct replica_counts *c)
{
    return c->live - c->coming;
}
/* Live replicas that the block should have: those in maintenance come back, so only the minimum is made up for. */
unsigned block_wanted(const struct blocks *b, const struct block *blk, const struct replica_counts *c);
unsigned block_maintenance_min(const struct blocks *b, const struct block *blk);
struct replica *block_replica_on(const struct block *blk, const struct storage *s);
/* After any change: counters, queue, deletion of corrupt and excess replicas. */
void block_update(struct blocks *b, struct block *blk, uint64_t now_ms);
void block_replica_good(struct blocks *b, struct block *blk, struct storage *s, uint32_t digest,
                        const char *delete_hint, uint64_t now_ms);
void block_replica_corrupt(struct blocks *b, struct block *blk, struct storage *s, uint64_t gen_stamp,
                           const char *reason, uint64_t now_ms);
void block_replica_forget(struct blocks *b, struct block *blk, size_t index); /* no update */
void block_uncount(struct blocks *b, struct block *blk); /* before it leaves the table or the complete state */
struct block *block_from_record(struct blocks *b, const struct block_record *record);
void block_drop(struct blocks *b, struct block *blk);
void invalidate(struct blocks *b, struct datanode *node, uint64_t block_id, uint64_t gen_stamp);
/* Asks the store once more: a replica is deleted only if its block surely does not exist. */
void invalidate_if_unknown(struct blocks *b, struct datanode *node, uint64_t block_id, uint64_t gen_stamp);
struct block *block_known(struct blocks *b, uint64_t block_id); /* memory, else the store; NULL */

/* cached.c */
void cached_free_value(void *cached);
void cached_take(struct blocks *b, struct datanode *node, struct arena *a, struct datanode_commands *ret);
void cached_forget_node(struct blocks *b, const struct datanode *node);
bool cached_is_on(const struct blocks *b, uint64_t block_id, const struct datanode *node);

/* digests.c */
static inline uint32_t digest_fold(uint64_t xxh3)
{
    uint32_t folded = (uint32_t)(xxh3 ^ xxh3 >> 32);
    return xxh3 && !folded ? 1 : folded;
}
void block_digest_reported(struct blocks *b, struct block *blk, struct replica *r, uint32_t digest, uint64_t now_ms);
void block_digest_reset(struct blocks *b, struct block *blk);
struct doubt *doubt_find(const struct blocks *b, uint64_t block_id, uint16_t storage);
struct doubt *doubt_make(struct blocks *b, uint64_t block_id, uint16_t storage);
void doubt_drop(struct blocks *b, uint64_t block_id, uint16_t storage);

/* under_construction.c */
struct uc *uc_find(const struct blocks *b, uint64_t block_id);
struct uc *uc_new(struct blocks *b, uint64_t block_id, uint64_t gen_stamp, uint64_t bytes, bool committed);
struct uc_target *uc_target_add(struct blocks *b, struct uc *uc, struct storage *s, bool book);
void uc_free(struct blocks *b, struct uc *uc);
void uc_free_value(void *uc);
void uc_report(struct blocks *b, struct block *blk, struct storage *s, const struct block_list_entry *e,
               uint64_t now_ms);
void uc_drop_storages(struct blocks *b);                    /* those gone and swept */
void uc_ask_again(struct blocks *b, struct datanode *node); /* for what it is to recover: it was started again */
bool uc_recovery_command(struct blocks *b, struct datanode *node, uint64_t block_id, struct arena *a,
                         struct recovery_command *ret);

/* replication.c */
void block_set_priority(struct blocks *b, struct block *blk, unsigned priority);
void pending_add(struct blocks *b, struct block *blk, struct storage *target, struct datanode *source, uint64_t now_ms);
void pending_arrived(struct blocks *b, struct block *blk, const struct storage *s);
/* The node was in the pipeline that finished the block, and its report of that is still to come. */
bool pending_by_pipeline(const struct blocks *b, const struct block *blk, const struct datanode *node);
/* All those, of a complete block. Returns how many. */
size_t pending_coming(const struct blocks *b, const struct block *blk, const struct storage *ret[REPLICAS_MAX]);
void pending_cancel(struct blocks *b, uint64_t block_id); /* no update */
void pending_cancel_node(struct blocks *b, const struct datanode *node);
void pending_cancel_storage(struct blocks *b, const struct storage *s);
unsigned pending_count(const struct blocks *b, const struct block *blk);
bool replication_tick(struct blocks *b, uint64_t now_ms);
bool replication_take(struct blocks *b, struct datanode *node, struct arena *a, struct transfer_command *ret);

/* placement.c */
#define PLACEMENT_TYPES_MAX (2 * BLOCK_LOCATIONS_MAX) /* beyond that the policy does not count */
struct placement {
    const struct datanode *writer; /* first choice, or NULL */
    uint16_t writer_rack;          /* NO_INDEX = none */
    const struct datanode **taken; /* has room for `count` more; chosen ones are added */
    size_t taken_count, excluded_count;
    const struct datanode **excluded;
    const char *const *favored;
    size_t favored_count;
    uint64_t block_bytes;
    bool only_new_rack;
    uint8_t policy;                     /* storage policy; 0: the default one */
    bool is_repair;                     /* of a block that is there: the policy's other fallback */
    uint8_t types[PLACEMENT_TYPES_MAX]; /* of replicas that are there; chosen ones are added */
    size_t type_count;
};
size_t placement_choose(struct blocks *b, struct placement *p, size_t count, struct storage **ret);
struct block_location storage_location(const struct storage *s, bool corrupt);

/* topology.c */
uint16_t rack_of_node(struct blocks *b, const struct datanode *node);
uint16_t rack_intern(struct blocks *b, const char *name);
int rack_lookup(const struct blocks *b, const char *host); /* -1: not in the table */
void racks_refresh(struct blocks *b);                      /* after nodes came, went or moved */
void topology_free(struct blocks *b);

/* host_list.c: is the node one of those that the text names? */
bool hosts_contain(const char *text, const struct datanode_info *node);

/* sweep.c */
bool sweep_tick(struct blocks *b);
void sweep_request(struct blocks *b);

/* safe_mode.c */
void safe_mode_tick(struct blocks *b, uint64_t now_ms);

#endif

/* The block manager's other side: what datanodes report, and what we tell them to do in return.
 *
 * Guarded by the namenode lock, like blocks.h, and as pure. A datanode is its stored uuid: the same uuid at another
 * address is a node that moved; another uuid at a known ip:port means that the old node was wiped. */
#ifndef CAIRN_NAMENODE_BLOCKS_DATANODE_EVENTS_H
#define CAIRN_NAMENODE_BLOCKS_DATANODE_EVENTS_H

#include "namenode/blocks/blocks.h"
#include "proto/block_list.h"

struct datanode;

struct datanode_registration {
    const char *uuid, *hostname, *software_version;
    const char *ip;         /* where it called from */
    const char *own_ip;     /* what it says its address is; NULL: not known */
    const char *advertised; /* common/advertised.h; NULL: nothing */
    uint16_t xfer_port, info_port, info_secure_port, ipc_port;
};
/* ERR_DISALLOWED_NODE: not in dfs.hosts; ERR_ILLEGAL_ARGUMENT: no uuid; ERR_CONFIG: its advertised addresses. *ret_node
 * may be NULL-ed by the caller's lack of interest; it is borrowed, good while the lock is held. */
int blocks_register(struct blocks *b, const struct datanode_registration *r, uint64_t now_ms,
                    struct datanode **ret_node, struct err *reterr) MUST_CHECK;
/* The registered, live node of a later call. ERR_UNREGISTERED_NODE: unknown uuid, or the uuid now belongs to another
 * address. A node that is known but dead is returned; see datanode_is_alive(). */
int blocks_datanode(struct blocks *b, const char *uuid, uint16_t xfer_port, struct datanode **ret_node,
                    struct err *reterr) MUST_CHECK;
const struct datanode_info *datanode_info(const struct datanode *node);

/* ---- heartbeat ---- */

struct storage_report {
    const char *uuid;
    uint8_t type; /* StorageTypeProto */
    bool failed;
    uint64_t capacity_bytes, used_bytes, non_dfs_used_bytes, remaining_bytes, pool_used_bytes;
};
struct heartbeat {
    const struct storage_report *storages;
    size_t storage_count;
    uint32_t transfers, xceivers, failed_volumes;
    uint64_t cache_capacity_bytes, cache_used_bytes;
    bool wants_report_lease;
};
struct transfer_command {
    uint64_t block_id, gen_stamp, bytes;
    struct block_location *targets;
    size_t target_count;
};
struct invalidate_command {
    uint64_t block_id, gen_stamp;
};
struct recovery_command {
    uint64_t block_id, gen_stamp, bytes, recovery_id;
    uint64_t truncate_bytes; /* BLOCKS_NO_TRUNCATE = none */
    uint64_t new_block_id;   /* what is left becomes this block: the same one, or a copy */
    struct block_location *locations;
    size_t location_count;
};
struct datanode_commands {
    struct transfer_command *transfers;
    struct invalidate_command *invalidates;
    struct recovery_command *recoveries;
    size_t transfer_count, invalidate_count, recovery_count;
    uint64_t *cache, *uncache; /* block ids to take into memory, and to drop from it */
    size_t cache_count, uncache_count;
    uint64_t report_lease_id;           /* 0 = none granted */
    uint64_t balancer_bytes_per_second; /* 0 = no change to tell */
};
/* Arrays live in the arena. In safe mode there are no commands but the lease. ERR_UNREGISTERED_NODE: answer with a
 * Register command. */
int blocks_heartbeat(struct blocks *b, struct datanode *node, const struct heartbeat *h, uint64_t now_ms,
                     struct arena *a, struct datanode_commands *ret, struct err *reterr) MUST_CHECK;

/* "I am alive", without a report and without commands. */
void blocks_lifeline(struct blocks *b, struct datanode *node, uint64_t now_ms);

/* ---- full block reports: begin, slices of any size (the lock may be released in between), end ---- */

struct full_report {
    uint32_t storage, epoch;
    uint64_t started_ms, replicas, unknown, corrupt, seen;
};
/* lease_id 0 = none was asked for. ERR_BAD_REPORT_LEASE; ERR_UNREGISTERED_NODE if the node is dead or unknown. */
int blocks_report_begin(struct blocks *b, struct datanode *node, const char *storage_uuid, uint8_t storage_type,
                        uint64_t lease_id, uint64_t now_ms, struct full_report *ret, struct err *reterr) MUST_CHECK;
/* Entries are sorted in place by block id. ERR_CANCELLED: the storage is gone, or a newer report of it has begun. */
int blocks_report_slice(struct blocks *b, struct full_report *r, struct block_list_entry *entries, size_t count,
                        uint64_t now_ms, struct err *reterr) MUST_CHECK;
/* Replicas of the storage that the report did not name are forgotten (in bounded steps, by blocks_tick). */
int blocks_report_end(struct blocks *b, struct full_report *r, uint64_t now_ms, struct err *reterr) MUST_CHECK;

/* The last report under the lease is in: the next node may have its turn. */
void blocks_report_lease_done(struct blocks *b, struct datanode *node);

/* ---- incremental reports ---- */

enum replica_event_kind { REPLICA_RECEIVING = 1, REPLICA_RECEIVED, REPLICA_DELETED }; /* as on the wire */
struct replica_event {
    enum replica_event_kind kind;
    uint64_t block_id, gen_stamp, bytes;
    uint64_t xxh3;           /* 0 = not known */
    const char *delete_hint; /* datanode uuid to drop the block from once this one is in; NULL */
};
/* Unknown storages are created (type as given). */
void blocks_replica_event(struct blocks *b, struct datanode *node, const char *storage_uuid, uint8_t storage_type,
                          const struct replica_event *e, uint64_t now_ms);

/* All blocks that the node has in its memory now. */
void blocks_cache_report(struct blocks *b, struct datanode *node, const uint64_t *ids, size_t count);

/* errorReport: a disk or the node failed. */
enum datanode_error { DATANODE_NOTIFY, DATANODE_DISK_ERROR, DATANODE_INVALID_BLOCK, DATANODE_FATAL_DISK_ERROR };
void blocks_datanode_error(struct blocks *b, struct datanode *node, enum datanode_error error, uint64_t now_ms);

/* commitBlockSynchronization: goes on to the seam's on_recovered. */
int blocks_recovery_result(struct blocks *b, const struct block_recovery *r, uint64_t now_ms, uint64_t *ret_seq,
                           struct err *reterr) MUST_CHECK;

#endif

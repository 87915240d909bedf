/* Inside of datanode/report only. */
#ifndef CAIRN_DATANODE_REPORT_REPORTER_IMPL_H
#define CAIRN_DATANODE_REPORT_REPORTER_IMPL_H

#include <pthread.h>

#include "common/arena.h"
#include "common/pool.h"
#include "datanode/report/reporter.h"
#include "rpc/rpc_client.h"

#define DATANODE_PROTOCOL  "org.apache.hadoop.hdfs.server.protocol.DatanodeProtocol"
#define NEVER_MS           INT64_MAX
#define REPORT_ARENA_BYTES (64u << 20) /* what one answer of the namenode may take: many commands */

struct self { /* who we are; pool and ip are set by the handshake */
    char ip[64], hostname[256], uuid[UUID_MAX];
    uint32_t transfer_port, http_port, ipc_port;
    struct pool_identity pool;
};

struct change { /* of a replica, for an incremental report */
    uint64_t block_id, gen_stamp, bytes, xxh3;
    Hdfs__ReceivedDeletedBlockInfoProto__BlockStatus status;
    const char *storage_id; /* the store's */
    int storage_type;
    char *delete_hint; /* owned; NULL = none */
};

struct reporter {
    struct datanode *dn;
    struct rpc_client *rpc;
    struct pool *workers; /* for commands */
    struct pool *copiers; /* for those to copy: a node that takes no bytes holds up its copies only */
    struct pool *cachers; /* for those to take blocks into memory, which are read for that: minutes */
    pthread_t actor, sender;
    bool actor_started, sender_started;

    pthread_mutex_t lock;
    pthread_cond_t actor_wake, sender_wake, registered_changed;
    /* guarded by lock */
    struct self self;
    bool stopping, registered, ready;
    struct err fatal; /* why we shall never be registered */
    struct change *changes;
    size_t change_count, change_capacity;
    int64_t changes_due_ms; /* when to send them; NEVER_MS: within a heartbeat's time */
    bool full_report_wanted;
    int transfers;
    int64_t last_heartbeat_ms, last_full_report_ms;
    bool storage_failed; /* heartbeat at once */
    int64_t commands_expected_until_ms;
    struct peers *peers;

    /* One report at a time: an incremental one must not overtake the full one that does not contain it. */
    pthread_mutex_t report_lock;

    /* What is deleted because the namenode asked for it: not while a registration makes that void. */
    pthread_mutex_t deletion_lock;
    uint64_t registration; /* counts them; changed by the actor, under deletion_lock */

    /* the actor's own */
    uint64_t lease_id;
    int64_t full_report_due_ms, next_heartbeat_ms, cache_report_due_ms;
    int heartbeats_without_lease;
    uint64_t peers_version;
    bool away_logged;
};

/* Messages that every call repeats; they point into the struct itself. */
struct registration {
    struct self self;
    Hdfs__DatanodeRegistrationProto message;
    Hdfs__DatanodeIDProto id;
    Hdfs__StorageInfoProto storage;
    Hdfs__ExportedBlockKeysProto keys;
    Hdfs__BlockKeyProto key;
};
int send_cache_report(struct reporter *r, struct err *reterr) MUST_CHECK;
void registration_fill(struct reporter *r, struct registration *ret);
/* The namenode does not know us any more: register again. */
bool means_unregistered(int code);
void reporter_lose_registration(struct reporter *r);

/* full_report.c */
int send_full_report(struct reporter *r, uint64_t lease_id, struct err *reterr) MUST_CHECK;
/* changes.c: all that are waiting, report_lock held. What could not be sent is kept. */
int send_changes_locked(struct reporter *r, struct err *reterr) MUST_CHECK;
void *sender_run(void *reporter);
void changes_due_locked(struct reporter *r, int64_t at_ms); /* at the latest; monotonic, 0: now */
void changes_free(struct reporter *r);
/* heartbeat.c */
int send_heartbeat(struct reporter *r, bool want_lease, struct err *reterr) MUST_CHECK;
/* commands.c: borrowed until it returns. */
void obey(struct reporter *r, const Hdfs__DatanodeCommandProto *command);
/* A new registration: deletions that still wait are off. The namenode has forgotten them, and may have other replicas
 * deleted because of those that the full report names. */
void commands_forget(struct reporter *r);
/* peers.c: the list replaces the one before. */
void peers_set(struct reporter *r, Hdfs__DatanodeIDProto *const *list, size_t count);
void peers_free(struct peers *p);
/* block_recovery.c: may take long. */
void recover_block(struct reporter *r, const Hdfs__RecoveringBlockProto *block, struct arena *a);

#endif

/* The namenode's state, shared by the RPC services, the HTTP pages and the background threads.
 *
 * One lock guards the namespace, the leases and the block map together: a file's block list and the replica map must
 * never disagree, and every operation is short (LevelDB reads and one unsynced batch). Under the lock there is no
 * fsync, no network and no unbounded scan. Order: `lock` is taken before any lock inside store and journal. */
#ifndef CAIRN_NAMENODE_NAMENODE_H
#define CAIRN_NAMENODE_NAMENODE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"

struct blocks;          /* namenode/blocks/blocks.h: block map, datanodes, replication, safe mode */
struct fsdir;           /* namenode/namespace/fsdir.h: inodes, dentries, files under construction */
struct leases;          /* namenode/namespace/leases.h */
struct writers;         /* namenode/namespace/writers.h */
struct detached;        /* namenode/namespace/detached.h */
struct edit_turns;      /* namenode/namespace/edit_turns.h */
struct graves;          /* namenode/namespace/graves.h */
struct tokens;          /* namenode/namespace/tokens.h */
struct sessions;        /* namenode/namespace/sessions.h: mounts */
struct locks;           /* namenode/namespace/locks.h: theirs, on files */
struct posix_waits;     /* namenode/serve/posix_wait.h */
struct cache_pools;     /* namenode/namespace/cache_pools.h */
struct proxy_users;     /* common/proxy_users.h */
struct reconfiguration; /* rpc/reconfigure.h */
struct diff_pages;      /* namenode/serve/diff_pages.h */
struct store;           /* namenode/journal/store.h: LevelDB */
struct journal;         /* namenode/journal/journal.h: group commit */

/* cairn.block-locations.hosts */
enum location_hosts { LOCATION_HOSTS_NAME, LOCATION_HOSTS_ADDRESS, LOCATION_HOSTS_BOTH };

struct namenode_ids {        /* constant once the name folder is opened */
    char cluster_id[64];     /* CID-<uuid> */
    char block_pool_id[128]; /* BP-<number>-<ip>-<ms> */
    uint32_t namespace_id;   /* positive */
    uint64_t created_ms;     /* cTime */
};

struct namenode {
    const struct config *config; /* immutable */
    struct namenode_ids ids;
    enum location_hosts location_hosts; /* constant */
    int64_t started_wall_ms;
    uint64_t started_ms;              /* monotonic */
    uint64_t first_block_since_start; /* older blocks' places are known only once datanodes have reported */
    char address[300];                /* "host:port" of the RPC server, for pages and messages */
    char host_name[256];              /* of the service port if there is one, for messages */

    pthread_mutex_t lock;
    struct fsdir *dir;               /* guarded by lock */
    struct leases *leases;           /* guarded by lock */
    struct writers *writers;         /* guarded by lock */
    struct cache_pools *cache_pools; /* guarded by lock */
    struct tokens *tokens;           /* guarded by lock */
    uint64_t cache_scan_due_ms;      /* guarded by lock */
    uint64_t cache_scanned_changes;  /* guarded by lock: cache_pools->changes as of the last scan */
    struct blocks *blocks;           /* guarded by lock */
    struct sessions *sessions;       /* guarded by lock */
    struct locks *locks;             /* guarded by lock */
    struct posix_waits *posix_waits; /* guarded by lock: calls of mounts that wait for changes or locks */
    struct detached *detached;       /* guarded by lock: blocks that belong to no file yet */
    struct edit_turns *edit_turns;   /* guarded by lock */
    struct graves *graves;           /* guarded by lock: blocks that belong to no file any more */
    struct parked *parked;           /* guarded by lock: calls that wait for replicas, see serve/park.h */
    uint64_t reap_pending;           /* guarded by lock: discards since the reaper last found nothing to do */
    struct reaper *reaper;           /* guarded by lock */
    pthread_cond_t housekeeping_wake;
    bool stopping;         /* guarded by lock */
    bool trash_roots_made; /* guarded by lock: housekeeping has looked after them */

    struct rpc_server *rpc;                  /* set before the pages are served */
    struct reconfiguration *reconfiguration; /* locks for itself */
    struct proxy_users *proxy_users;         /* locks for itself */
    struct diff_pages *diff_pages;           /* locks for itself */

    struct store *store;     /* reads: any thread; writes: through fsdir's mutations, under lock */
    struct journal *journal; /* locks for itself */
};

static inline void namenode_lock(struct namenode *nn)
{
    pthread_mutex_lock(&nn->lock);
}
static inline void namenode_unlock(struct namenode *nn)
{
    pthread_mutex_unlock(&nn->lock);
}

/* namenode/serve/: the method tables, each with its count. context = struct namenode *. */
struct rpc_service;
struct rpc_service client_calls_service(struct namenode *nn);      /* ClientProtocol */
struct rpc_service datanode_calls_service(struct namenode *nn);    /* DatanodeProtocol */
struct rpc_service posix_calls_service(struct namenode *nn);       /* org.cairn.PosixProtocol */
struct rpc_service datanode_lifeline_service(struct namenode *nn); /* DatanodeLifelineProtocol */

#endif

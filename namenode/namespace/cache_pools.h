/* Cache pools and the directives in them: which paths shall be kept in datanodes' memory. All of them are in memory;
 * every change goes into the caller's txn, and into memory once that has been committed. Guarded by the namenode's
 * lock. Rules and texts are HDFS's. */
#ifndef CAIRN_NAMENODE_NAMESPACE_CACHE_POOLS_H
#define CAIRN_NAMENODE_NAMESPACE_CACHE_POOLS_H

#include <pthread.h>

#include "namenode/namespace/user.h"

#define CACHE_EXPIRY_NEVER_MS (INT64_MAX / 4)
#define CACHE_LIMIT_NONE      INT64_MAX
#define CACHE_POOL_MODE       0755
#define CACHE_REPLICATION     1
#define CACHE_POOLS_MAX       10000
#define CACHE_DIRECTIVES_MAX  200000
#define CACHE_POOL_NAME_MAX   255 /* bytes */

struct cache_needed { /* by the last scan, or by one of its own */
    int64_t bytes, files;
};
struct cache_stats {
    int64_t bytes_needed, bytes_cached, files_needed, files_cached;
};
struct cache_pool {
    char *name, *owner, *group;
    uint16_t mode;
    int64_t limit_bytes, max_relative_expiry_ms;
    uint16_t default_replication;
    struct cache_stats stats;
};
struct cache_directive {
    uint64_t id;
    char *path;
    struct cache_pool *pool;
    uint16_t replication;
    int64_t expires_ms; /* wall clock */
    struct cache_stats stats;
};
struct cache_pools {
    struct cache_pool **pools; /* ordered by name */
    size_t pool_count;
    struct cache_directive **directives; /* ordered by id */
    size_t directive_count;
    uint64_t next_id;
    uint64_t changes;         /* counts changes: a scan that began at another number is out of date */
    pthread_mutex_t scanning; /* taken before the namenode's lock, by whoever scans */
};

int cache_pools_load(struct store *s, struct cache_pools **ret, struct err *reterr) MUST_CHECK;
void cache_pools_free(struct cache_pools *c); /* NULL is fine */

/* What a request gives; NULL or negative: not given. */
struct cache_pool_args {
    const char *name, *owner, *group;
    int mode;
    bool has_limit, has_max_relative_expiry, has_default_replication;
    int64_t limit_bytes, max_relative_expiry_ms, default_replication;
};
struct cache_directive_args {
    bool has_id, has_replication, has_expiry, expiry_is_relative, force;
    int64_t id, replication, expiry_ms;
    const char *path, *pool;
};

int cache_pool_add(struct cache_pools *c, struct txn *t, const struct fs_user *u, const struct cache_pool_args *args,
                   struct err *reterr) MUST_CHECK;
int cache_pool_modify(struct cache_pools *c, struct txn *t, const struct cache_pool_args *args,
                      struct err *reterr) MUST_CHECK;
int cache_pool_remove(struct cache_pools *c, struct txn *t, const char *name, struct err *reterr) MUST_CHECK;

/* needed: of the path, at replication 1, for the pool's limit. now_ms: wall clock. */
int cache_directive_add(struct cache_pools *c, struct txn *t, const struct fs_user *u,
                        const struct cache_directive_args *args, const struct cache_needed *needed, int64_t now_ms,
                        uint64_t *ret_id, struct err *reterr) MUST_CHECK;
int cache_directive_modify(struct cache_pools *c, struct txn *t, const struct fs_user *u,
                           const struct cache_directive_args *args, const struct cache_needed *needed, int64_t now_ms,
                           struct err *reterr) MUST_CHECK;
int cache_directive_remove(struct cache_pools *c, struct txn *t, const struct fs_user *u, int64_t id,
                           struct err *reterr) MUST_CHECK;

struct cache_pool *cache_pool_find(const struct cache_pools *c, const char *name);
struct cache_directive *cache_directive_find(const struct cache_pools *c, uint64_t id);
size_t cache_pools_after(const struct cache_pools *c, const char *name); /* index of the first behind it */
size_t cache_directives_from(const struct cache_pools *c,
                             uint64_t id); /* index of the first with this or a higher id */
bool cache_pool_allowed(const struct cache_pool *p, const struct fs_user *u, unsigned access);

#endif

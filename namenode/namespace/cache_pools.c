#include "namenode/namespace/cache_pools.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/store.pb-c.h"
#include "common/mem.h"
#include "namenode/namespace/keys.h"
#include "proto/message.h"

/* ---- life ---- */

static void pool_free(struct cache_pool *p)
{
    if (!p)
        return;
    free(p->name);
    free(p->owner);
    free(p->group);
    free(p);
}

static void directive_free(struct cache_directive *d)
{
    if (!d)
        return;
    free(d->path);
    free(d);
}

void cache_pools_free(struct cache_pools *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->directive_count; i++)
        directive_free(c->directives[i]);
    for (size_t i = 0; i < c->pool_count; i++)
        pool_free(c->pools[i]);
    free(c->directives);
    free(c->pools);
    pthread_mutex_destroy(&c->scanning);
    free(c);
}

/* ---- finding ---- */

size_t cache_pools_after(const struct cache_pools *c, const char *name)
{
    size_t low = 0, high = c->pool_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(c->pools[middle]->name, name) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct cache_pool *cache_pool_find(const struct cache_pools *c, const char *name)
{
    size_t after = cache_pools_after(c, name);
    return after && !strcmp(c->pools[after - 1]->name, name) ? c->pools[after - 1] : NULL;
}

size_t cache_directives_from(const struct cache_pools *c, uint64_t id)
{
    size_t low = 0, high = c->directive_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c->directives[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct cache_directive *cache_directive_find(const struct cache_pools *c, uint64_t id)
{
    size_t at = cache_directives_from(c, id);
    return at < c->directive_count && c->directives[at]->id == id ? c->directives[at] : NULL;
}

bool cache_pool_allowed(const struct cache_pool *p, const struct fs_user *u, unsigned access)
{
    unsigned shift = !strcmp(u->name, p->owner) ? 6 : fs_user_in_group(u, p->group) ? 3 : 0;
    return u->is_super || ((unsigned)p->mode >> shift & access) == access;
}

static int check_write(const struct cache_pool *p, const struct fs_user *u, struct err *reterr)
{
    if (cache_pool_allowed(p, u, ACCESS_WRITE))
        return 0;
    return err_set(reterr, ERR_ACCESS,
                   "Permission denied while accessing pool %s: user %s does not have WRITE permissions.", p->name,
                   u->name);
}

/* ---- memory ---- */

static void pool_insert(struct cache_pools *c, struct cache_pool *p)
{
    size_t at = cache_pools_after(c, p->name);
    c->pools = mem_realloc_array(c->pools, c->pool_count + 1, sizeof(struct cache_pool *));
    memmove(c->pools + at + 1, c->pools + at, (c->pool_count - at) * sizeof(struct cache_pool *));
    c->pools[at] = p;
    c->pool_count++;
}

static void directive_insert(struct cache_pools *c, struct cache_directive *d)
{
    size_t at = cache_directives_from(c, d->id);
    c->directives = mem_realloc_array(c->directives, c->directive_count + 1, sizeof(struct cache_directive *));
    memmove(c->directives + at + 1, c->directives + at, (c->directive_count - at) * sizeof(struct cache_directive *));
    c->directives[at] = d;
    c->directive_count++;
}

static void directive_drop(struct cache_pools *c, size_t at)
{
    directive_free(c->directives[at]);
    c->directive_count--;
    memmove(c->directives + at, c->directives + at + 1, (c->directive_count - at) * sizeof(struct cache_directive *));
}

/* ---- disk ---- */

static void pool_key(struct key *ret, const char *name)
{
    ret->len = 1 + strlen(name);
    ret->bytes[0] = 'P';
    memcpy(ret->bytes + 1, name, ret->len - 1); /* at most CACHE_POOL_NAME_MAX */
}

static void pool_put(struct txn *t, const struct cache_pool *p)
{
    Cairn__CachePoolRecord r = CAIRN__CACHE_POOL_RECORD__INIT;
    AUTO(buf_free) struct buf packed = {0};
    r.owner = p->owner;
    r.group = p->group;
    r.mode = p->mode;
    r.limit_bytes = p->limit_bytes;
    r.max_relative_expiry_ms = p->max_relative_expiry_ms;
    r.default_replication = p->default_replication;
    message_pack(&packed, &r.base);
    struct key k;
    pool_key(&k, p->name);
    store_batch_put(txn_batch(t), k.bytes, k.len, packed.base, packed.len);
}

static void directive_put(struct txn *t, const struct cache_directive *d, const char *pool)
{
    Cairn__CacheDirectiveRecord r = CAIRN__CACHE_DIRECTIVE_RECORD__INIT;
    AUTO(buf_free) struct buf packed = {0};
    r.path = d->path;
    r.pool = (char *)(uintptr_t)pool;
    r.replication = d->replication;
    r.expires_ms = d->expires_ms;
    message_pack(&packed, &r.base);
    struct key k;
    key_of(&k, 'C', d->id);
    store_batch_put(txn_batch(t), k.bytes, k.len, packed.base, packed.len);
}

static void directive_delete(struct txn *t, uint64_t id)
{
    struct key k;
    key_of(&k, 'C', id);
    store_batch_delete(txn_batch(t), k.bytes, k.len);
}

static int damaged(const char *what, struct err *reterr)
{
    return err_set(reterr, ERR_IO, "metadata store: the record of %s is damaged", what);
}

static int pool_load(struct cache_pools *c, struct slice key, struct slice value, struct err *reterr)
{
    Cairn__CachePoolRecord *r = cairn__cache_pool_record__unpack(NULL, value.len, value.base);
    if (!r)
        return damaged("a cache pool", reterr);
    struct cache_pool *p = mem_new(struct cache_pool);
    *p = (struct cache_pool){.name = mem_strndup((const char *)key.base + 1, key.len - 1),
                             .owner = mem_strdup(r->owner),
                             .group = mem_strdup(r->group),
                             .mode = (uint16_t)r->mode,
                             .limit_bytes = r->limit_bytes,
                             .max_relative_expiry_ms = r->max_relative_expiry_ms,
                             .default_replication = (uint16_t)r->default_replication};
    pool_insert(c, p);
    cairn__cache_pool_record__free_unpacked(r, NULL);
    return 0;
}

static int directive_load(struct cache_pools *c, struct slice key, struct slice value, struct err *reterr)
{
    if (key.len == 1 && value.len == 8) {
        c->next_id = be64_get(value.base);
        return 0;
    }
    Cairn__CacheDirectiveRecord *r =
        key.len == 9 ? cairn__cache_directive_record__unpack(NULL, value.len, value.base) : NULL;
    struct cache_pool *pool = r ? cache_pool_find(c, r->pool) : NULL;
    if (pool) {
        struct cache_directive *d = mem_new(struct cache_directive);
        *d = (struct cache_directive){.id = be64_get(key.base + 1),
                                      .path = mem_strdup(r->path),
                                      .pool = pool,
                                      .replication = (uint16_t)r->replication,
                                      .expires_ms = r->expires_ms};
        directive_insert(c, d);
    }
    if (r)
        cairn__cache_directive_record__free_unpacked(r, NULL);
    return pool ? 0 : damaged("a cache directive", reterr);
}

static int table_load(struct cache_pools *c, struct store *s, char table,
                      int (*load)(struct cache_pools *, struct slice, struct slice, struct err *), struct err *reterr)
{
    AUTO(store_iter_freep) struct store_iter *it = store_iter_new(s, NULL, false);
    int rc = 0;
    for (store_iter_seek(it, &table, 1); !rc && store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        if (!key.len || key.base[0] != (uint8_t)table)
            return 0;
        rc = load(c, key, store_iter_value(it), reterr);
    }
    return rc ? rc : store_iter_status(it, reterr);
}

int cache_pools_load(struct store *s, struct cache_pools **ret, struct err *reterr)
{
    struct cache_pools *c = mem_new(struct cache_pools);
    pthread_mutex_init(&c->scanning, NULL);
    c->next_id = 1;
    int rc = table_load(c, s, 'P', pool_load, reterr);
    rc = rc ? rc : table_load(c, s, 'C', directive_load, reterr);
    if (rc) {
        cache_pools_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}

/* ---- pools ---- */

static int check_pool_args(const struct cache_pool_args *a, struct err *reterr)
{
    if (a->has_limit && a->limit_bytes < 0)
        return err_set(reterr, ERR_INVALID_REQUEST, "Limit is negative.");
    if (a->has_default_replication && a->default_replication < 0)
        return err_set(reterr, ERR_INVALID_REQUEST, "Default Replication is negative");
    if (a->has_max_relative_expiry && a->max_relative_expiry_ms < 0)
        return err_set(reterr, ERR_INVALID_REQUEST, "Max relative expiry is negative.");
    if (a->has_max_relative_expiry && a->max_relative_expiry_ms > CACHE_EXPIRY_NEVER_MS)
        return err_set(reterr, ERR_INVALID_REQUEST, "Max relative expiry is too big.");
    if (!a->name || !*a->name)
        return err_set(reterr, ERR_IO, "invalid empty cache pool name");
    if (strlen(a->name) > CACHE_POOL_NAME_MAX || a->default_replication > UINT16_MAX)
        return err_set(reterr, ERR_INVALID_REQUEST,
                       "the cache pool's name is longer than %d bytes, or its replication "
                       "is more than %d",
                       CACHE_POOL_NAME_MAX, UINT16_MAX);
    return 0;
}

static struct cache_pool *pool_make(const struct cache_pool_args *a, const struct cache_pool *before)
{
    struct cache_pool *p = mem_new(struct cache_pool);
    *p = (struct cache_pool){
        .name = mem_strdup(a->name),
        .owner = mem_strdup(a->owner ? a->owner : before->owner),
        .group = mem_strdup(a->group ? a->group : before->group),
        .mode = a->mode >= 0 ? (uint16_t)(a->mode & 0777) : before->mode,
        .limit_bytes = a->has_limit ? a->limit_bytes : before->limit_bytes,
        .max_relative_expiry_ms =
            a->has_max_relative_expiry ? a->max_relative_expiry_ms : before->max_relative_expiry_ms,
        .default_replication =
            a->has_default_replication ? (uint16_t)a->default_replication : before->default_replication,
    };
    return p;
}

int cache_pool_add(struct cache_pools *c, struct txn *t, const struct fs_user *u, const struct cache_pool_args *args,
                   struct err *reterr)
{
    const struct cache_pool defaults = {.owner = (char *)(uintptr_t)u->name,
                                        .group = (char *)(uintptr_t)u->name,
                                        .mode = CACHE_POOL_MODE,
                                        .limit_bytes = CACHE_LIMIT_NONE,
                                        .max_relative_expiry_ms = CACHE_EXPIRY_NEVER_MS,
                                        .default_replication = CACHE_REPLICATION};
    int rc = check_pool_args(args, reterr);
    if (rc)
        return rc;
    if (cache_pool_find(c, args->name))
        return err_set(reterr, ERR_INVALID_REQUEST, "Cache pool %s already exists.", args->name);
    if (c->pool_count >= CACHE_POOLS_MAX)
        return err_set(reterr, ERR_INVALID_REQUEST, "there are %d cache pools already, the most allowed",
                       CACHE_POOLS_MAX);
    struct cache_pool *p = pool_make(args, &defaults);
    pool_put(t, p);
    txn_final(t, 0);
    rc = txn_commit(t, reterr);
    if (rc) {
        pool_free(p);
        return rc;
    }
    pool_insert(c, p);
    c->changes++;
    return 0;
}

int cache_pool_modify(struct cache_pools *c, struct txn *t, const struct cache_pool_args *args, struct err *reterr)
{
    int rc = check_pool_args(args, reterr);
    struct cache_pool *p = rc ? NULL : cache_pool_find(c, args->name);
    if (rc)
        return rc;
    if (!p)
        return err_set(reterr, ERR_INVALID_REQUEST, "Cache pool %s does not exist.", args->name);
    struct cache_pool *changed = pool_make(args, p);
    changed->stats = p->stats;
    pool_put(t, changed);
    txn_final(t, 0);
    rc = txn_commit(t, reterr);
    if (!rc) { /* directives point to it: what is inside changes places */
        struct cache_pool before = *p;
        *p = *changed;
        *changed = before;
        c->changes++;
    }
    pool_free(changed);
    return rc;
}

int cache_pool_remove(struct cache_pools *c, struct txn *t, const char *name, struct err *reterr)
{
    if (!*name)
        return err_set(reterr, ERR_IO, "invalid empty cache pool name");
    struct cache_pool *p = cache_pool_find(c, name);
    if (!p)
        return err_set(reterr, ERR_INVALID_REQUEST, "Cannot remove non-existent cache pool %.300s", name);
    struct key k;
    pool_key(&k, name);
    store_batch_delete(txn_batch(t), k.bytes, k.len);
    for (size_t i = 0; i < c->directive_count; i++)
        if (c->directives[i]->pool == p)
            directive_delete(t, c->directives[i]->id);
    txn_final(t, 0);
    int rc = txn_commit(t, reterr);
    if (rc)
        return rc;
    for (size_t i = c->directive_count; i-- > 0;)
        if (c->directives[i]->pool == p)
            directive_drop(c, i);
    size_t at = cache_pools_after(c, name) - 1;
    pool_free(p);
    c->pool_count--;
    memmove(c->pools + at, c->pools + at + 1, (c->pool_count - at) * sizeof(struct cache_pool *));
    c->changes++;
    return 0;
}

/* ---- directives ---- */

static int check_expiry(const struct cache_directive_args *a, const struct cache_pool *pool, int64_t now_ms,
                        int64_t *ret_expires_ms, struct err *reterr)
{
    if (!a->has_expiry) {
        *ret_expires_ms = now_ms + pool->max_relative_expiry_ms;
        return 0;
    }
    if (a->expiry_ms < 0)
        return err_set(reterr, ERR_INVALID_REQUEST, "Cannot set a negative expiration: %" PRId64, a->expiry_ms);
    int64_t relative_ms = a->expiry_is_relative ? a->expiry_ms : a->expiry_ms - now_ms;
    if (relative_ms > CACHE_EXPIRY_NEVER_MS)
        return err_set(reterr, ERR_INVALID_REQUEST, "Expiration %" PRId64 " is too far in the future!", a->expiry_ms);
    if (relative_ms > pool->max_relative_expiry_ms)
        return err_set(reterr, ERR_INVALID_REQUEST,
                       "Expiration %" PRId64 " exceeds the max relative expiration time of %" PRId64 " ms.",
                       a->expiry_ms, pool->max_relative_expiry_ms);
    *ret_expires_ms = now_ms + relative_ms;
    return 0;
}

static int check_place(const struct cache_directive_args *a, struct err *reterr)
{
    if (!a->path)
        return err_set(reterr, ERR_INVALID_REQUEST, "No path specified.");
    if (a->path[0] != '/' || strlen(a->path) > 8000 || strstr(a->path, "//") || strchr(a->path, ':'))
        return err_set(reterr, ERR_INVALID_REQUEST, "Invalid path '%.300s'.", a->path);
    if (a->replication <= 0 || a->replication > UINT16_MAX)
        return err_set(reterr, ERR_INVALID_REQUEST, "Invalid replication factor %" PRId64 " <= 0", a->replication);
    return 0;
}

static int check_limit(const struct cache_pool *pool, const struct cache_directive_args *a,
                       const struct cache_needed *needed, struct err *reterr)
{
    if (a->force || pool->limit_bytes == CACHE_LIMIT_NONE)
        return 0;
    if (pool->stats.bytes_needed + needed->bytes * a->replication <= pool->limit_bytes)
        return 0;
    return err_set(reterr, ERR_INVALID_REQUEST,
                   "Caching path %.300s of size %" PRId64 " bytes at replication %" PRId64
                   " would exceed pool %s's remaining capacity of %" PRId64 " bytes.",
                   a->path, needed->bytes, a->replication, pool->name, pool->limit_bytes - pool->stats.bytes_needed);
}

static int find_pool(const struct cache_pools *c, const char *name, struct cache_pool **ret, struct err *reterr)
{
    if (!name)
        return err_set(reterr, ERR_INVALID_REQUEST, "No pool specified.");
    if (!*name)
        return err_set(reterr, ERR_INVALID_REQUEST, "Invalid empty pool name.");
    *ret = cache_pool_find(c, name);
    return *ret ? 0 : err_set(reterr, ERR_INVALID_REQUEST, "Unknown pool %.300s", name);
}

static void count_in(struct cache_directive *d, const struct cache_needed *needed)
{
    d->stats.bytes_needed = needed->bytes * d->replication;
    d->stats.files_needed = needed->files;
    d->pool->stats.bytes_needed += d->stats.bytes_needed;
    d->pool->stats.files_needed += d->stats.files_needed;
}

static void count_out(struct cache_directive *d)
{
    d->pool->stats.bytes_needed -= d->stats.bytes_needed;
    d->pool->stats.files_needed -= d->stats.files_needed;
    d->pool->stats.bytes_cached -= d->stats.bytes_cached;
    d->pool->stats.files_cached -= d->stats.files_cached;
    d->stats = (struct cache_stats){0};
}

int cache_directive_add(struct cache_pools *c, struct txn *t, const struct fs_user *u,
                        const struct cache_directive_args *args, const struct cache_needed *needed, int64_t now_ms,
                        uint64_t *ret_id, struct err *reterr)
{
    struct cache_directive_args a = *args;
    struct cache_pool *pool = NULL;
    int64_t expires_ms = 0;
    if (a.has_id)
        return err_set(reterr, ERR_IO, "addDirective: you cannot specify an ID for this operation.");
    int rc = find_pool(c, a.pool, &pool, reterr);
    rc = rc ? rc : check_write(pool, u, reterr);
    if (!rc && !a.has_replication)
        a.replication = pool->default_replication;
    rc = rc ? rc : check_place(&a, reterr);
    rc = rc ? rc : check_expiry(&a, pool, now_ms, &expires_ms, reterr);
    rc = rc ? rc : check_limit(pool, &a, needed, reterr);
    if (!rc && c->directive_count >= CACHE_DIRECTIVES_MAX)
        rc = err_set(reterr, ERR_INVALID_REQUEST, "there are %d cache directives already, the most allowed",
                     CACHE_DIRECTIVES_MAX);
    if (rc)
        return rc;
    struct cache_directive *d = mem_new(struct cache_directive);
    uint8_t next[8];
    *d = (struct cache_directive){.id = c->next_id,
                                  .path = mem_strdup(a.path),
                                  .pool = pool,
                                  .replication = (uint16_t)a.replication,
                                  .expires_ms = expires_ms};
    directive_put(t, d, pool->name);
    be64_put(next, c->next_id + 1);
    txn_final(t, d->id);
    store_batch_put(txn_batch(t), "C", 1, next, sizeof next);
    rc = txn_commit(t, reterr);
    if (rc) {
        directive_free(d);
        return rc;
    }
    c->next_id++;
    c->changes++;
    count_in(d, needed);
    directive_insert(c, d);
    *ret_id = d->id;
    return 0;
}

static int find_directive(const struct cache_pools *c, int64_t id, struct cache_directive **ret, struct err *reterr)
{
    if (id <= 0)
        return err_set(reterr, ERR_INVALID_REQUEST, "Invalid negative ID.");
    *ret = cache_directive_find(c, (uint64_t)id);
    return *ret ? 0 : err_set(reterr, ERR_INVALID_REQUEST, "No directive with ID %" PRId64 " found.", id);
}

int cache_directive_modify(struct cache_pools *c, struct txn *t, const struct fs_user *u,
                           const struct cache_directive_args *args, const struct cache_needed *needed, int64_t now_ms,
                           struct err *reterr)
{
    struct cache_directive_args a = *args;
    struct cache_directive *d = NULL;
    struct cache_pool *pool = NULL;
    int64_t expires_ms = 0;
    if (!a.has_id)
        return err_set(reterr, ERR_INVALID_REQUEST, "Must supply an ID.");
    int rc = find_directive(c, a.id, &d, reterr);
    rc = rc ? rc : check_write(d->pool, u, reterr);
    if (rc)
        return rc;
    a.path = a.path ? a.path : d->path;
    a.pool = a.pool ? a.pool : d->pool->name;
    a.replication = a.has_replication ? a.replication : d->replication;
    if (!a.has_expiry) {
        a.has_expiry = true;
        a.expiry_is_relative = false;
        a.expiry_ms = d->expires_ms;
    }
    rc = check_place(&a, reterr);
    rc = rc ? rc : find_pool(c, a.pool, &pool, reterr);
    if (!rc && pool != d->pool) {
        rc = check_write(pool, u, reterr);
        rc = rc ? rc : check_limit(pool, &a, needed, reterr);
    }
    rc = rc ? rc : check_expiry(&a, pool, now_ms, &expires_ms, reterr);
    if (rc)
        return rc;
    struct cache_directive changed = {.id = d->id,
                                      .path = mem_strdup(a.path),
                                      .pool = pool,
                                      .replication = (uint16_t)a.replication,
                                      .expires_ms = expires_ms};
    directive_put(t, &changed, pool->name);
    txn_final(t, 0);
    rc = txn_commit(t, reterr);
    if (rc) {
        free(changed.path);
        return rc;
    }
    count_out(d);
    free(d->path);
    *d = changed;
    count_in(d, needed);
    c->changes++;
    return 0;
}

int cache_directive_remove(struct cache_pools *c, struct txn *t, const struct fs_user *u, int64_t id,
                           struct err *reterr)
{
    struct cache_directive *d = NULL;
    int rc = find_directive(c, id, &d, reterr);
    rc = rc ? rc : check_write(d->pool, u, reterr);
    if (rc)
        return rc;
    directive_delete(t, d->id);
    txn_final(t, 0);
    rc = txn_commit(t, reterr);
    if (rc)
        return rc;
    count_out(d);
    directive_drop(c, cache_directives_from(c, d->id));
    c->changes++;
    return 0;
}

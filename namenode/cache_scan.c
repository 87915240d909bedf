#include "namenode/cache_scan.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "namenode/blocks/blocks.h"
#include "namenode/namespace/path.h"

#define BLOCKS_PER_STEP   512 /* handed over in one go under the lock */
#define CHILDREN_PER_SPAN 256
#define BLOCKS_MAX        (4u << 20)

struct wish { /* a block of a file that a directive wants in memory */
    uint64_t block_id, bytes;
    uint16_t replication;
    bool ends_file;
    uint32_t directive; /* index into scan.directives */
};
struct scanned {
    uint64_t id;
    char *path;
    size_t pool; /* index into scan.pool_bytes */
    int64_t pool_limit_bytes;
    uint16_t replication;
    bool expired;
    struct cache_stats stats;
};
struct scan {
    struct scanned *directives;
    size_t count;
    int64_t *pool_bytes; /* needed so far, of each pool */
    struct buf wishes;
    uint64_t changes;
};

/* ---- from paths to files ---- */

typedef void (*on_file)(void *context, const struct inode *file);

static void each_child(struct txn *t, const struct inode *dir, on_file file, void *context)
{
    struct dir_iter d;
    size_t seen = 0;
    dir_iter_open(&d, t, dir, "", 0);
    while (dir_iter_next(&d)) {
        struct inode *child = NULL;
        if (++seen % CHILDREN_PER_SPAN == 0)
            txn_reset(t);
        if (!txn_inode(t, d.child, &child, NULL) && inode_is_file(child))
            file(context, child);
    }
    if (dir_iter_close(&d, NULL))
        return; /* what could not be read needs nothing now */
}

/* A file, or the files right below a directory, as HDFS has it. */
static void each_file(struct namenode *nn, const char *path, on_file file, void *context)
{
    static const struct fs_user everybody = {.name = "", .is_super = true};
    struct txn t;
    struct path p;
    txn_begin_snapshot(&t, nn->dir);
    if (!path_resolve(&t, &everybody, path, 0, &p, NULL)) {
        struct inode *n = path_target(&p);
        if (inode_is_file(n))
            file(context, n);
        else if (inode_is_dir(n))
            each_child(&t, n, file, context);
    }
    txn_end(&t);
}

static void add_needed(void *context, const struct inode *file)
{
    struct cache_needed *needed = context;
    needed->files++;
    needed->bytes += (int64_t)inode_allocated(file);
}

void cache_scan_path(struct namenode *nn, const char *path, struct cache_needed *ret)
{
    *ret = (struct cache_needed){0};
    each_file(nn, path, add_needed, ret);
}

/* ---- all directives ---- */

static void scan_begin(struct namenode *nn, struct scan *s)
{
    int64_t now_ms = clock_wall_ms();
    namenode_lock(nn);
    const struct cache_pools *c = nn->cache_pools;
    s->changes = c->changes;
    s->count = c->directive_count;
    s->directives = mem_calloc(s->count + 1, sizeof *s->directives);
    s->pool_bytes = mem_calloc(c->pool_count + 1, sizeof *s->pool_bytes);
    for (size_t i = 0; i < s->count; i++) {
        const struct cache_directive *d = c->directives[i];
        s->directives[i] = (struct scanned){.id = d->id,
                                            .path = mem_strdup(d->path),
                                            .pool = cache_pools_after(c, d->pool->name) - 1,
                                            .pool_limit_bytes = d->pool->limit_bytes,
                                            .replication = d->replication,
                                            .expired = d->expires_ms <= now_ms};
    }
    namenode_unlock(nn);
}

struct scan_at {
    struct scan *scan;
    uint32_t index;
};

/* Of those that there is something to cache of: a hole needs no memory. */
static size_t blocks_to_cache(const struct inode *file)
{
    size_t count = 0;
    for (size_t i = 0; i < file->block_count; i++)
        count += !file_block_is_hole(&file->blocks[i]);
    return count;
}

static void add_file(void *context, const struct inode *file)
{
    const struct scan_at *at = context;
    struct scanned *d = &at->scan->directives[at->index];
    size_t left = blocks_to_cache(file);
    int64_t bytes = 0;
    for (size_t i = 0; i < file->block_count; i++)
        if (file->blocks[i].state != BLOCK_UNDER_CONSTRUCTION && !file_block_is_hole(&file->blocks[i]))
            bytes += (int64_t)file->blocks[i].length_bytes * d->replication;
    d->stats.files_needed++;
    d->stats.bytes_needed += bytes;
    at->scan->pool_bytes[d->pool] += bytes;
    bool fits =
        at->scan->pool_bytes[d->pool] <= d->pool_limit_bytes && at->scan->wishes.len / sizeof(struct wish) < BLOCKS_MAX;
    if (fits && !left)
        d->stats.files_cached++;
    for (size_t i = 0; fits && i < file->block_count; i++) {
        if (file_block_is_hole(&file->blocks[i]))
            continue;
        struct wish w = {.block_id = file->blocks[i].id,
                         .bytes = file->blocks[i].length_bytes,
                         .replication = d->replication,
                         .ends_file = --left == 0,
                         .directive = at->index};
        buf_append(&at->scan->wishes, &w, sizeof w);
    }
}

static void give_way(struct namenode *nn)
{
    namenode_unlock(nn);
    namenode_lock(nn);
}

/* Under the lock but for moments. */
static void hand_over(struct namenode *nn, struct scan *s)
{
    const struct wish *wishes = (const void *)s->wishes.base;
    size_t count = s->wishes.len / sizeof *wishes, cursor = 0;
    bool whole = true; /* the file so far */
    blocks_cache_begin(nn->blocks);
    for (size_t i = 0; i < count; i++) {
        const struct wish *w = &wishes[i];
        struct scanned *d = &s->directives[w->directive];
        unsigned cached = blocks_cached_count(nn->blocks, w->block_id);
        blocks_cache_want(nn->blocks, w->block_id, w->replication);
        whole = whole && cached >= w->replication;
        d->stats.bytes_cached += (int64_t)((cached < w->replication ? cached : w->replication) * w->bytes);
        d->stats.files_cached += w->ends_file && whole;
        whole = whole || w->ends_file;
        if (i % BLOCKS_PER_STEP == BLOCKS_PER_STEP - 1)
            give_way(nn);
    }
    while (blocks_cache_decide(nn->blocks, &cursor, BLOCKS_PER_STEP, (uint64_t)clock_mono_ms()))
        give_way(nn);
}

static void put_stats(struct cache_pools *c, const struct scan *s)
{
    for (size_t i = 0; i < c->pool_count; i++)
        c->pools[i]->stats = (struct cache_stats){0};
    for (size_t i = 0; i < s->count; i++) {
        struct cache_directive *d = cache_directive_find(c, s->directives[i].id);
        if (!d)
            continue;
        d->stats = s->directives[i].stats;
        d->pool->stats.bytes_needed += d->stats.bytes_needed;
        d->pool->stats.bytes_cached += d->stats.bytes_cached;
        d->pool->stats.files_needed += d->stats.files_needed;
        d->pool->stats.files_cached += d->stats.files_cached;
    }
}

/* One at a time: to a second one all that it has not come to yet would be unwanted, whatever the first one found. */
static void scan(struct namenode *nn)
{
    struct scan s = {0};
    scan_begin(nn, &s);
    for (size_t i = 0; i < s.count; i++) {
        struct scan_at at = {&s, (uint32_t)i};
        if (!s.directives[i].expired)
            each_file(nn, s.directives[i].path, add_file, &at);
    }
    namenode_lock(nn);
    hand_over(nn, &s);
    if (nn->cache_pools->changes == s.changes) /* else another scan follows soon */
        put_stats(nn->cache_pools, &s);
    nn->cache_scanned_changes = s.changes;
    namenode_unlock(nn);
    for (size_t i = 0; i < s.count; i++)
        free(s.directives[i].path);
    free(s.directives);
    free(s.pool_bytes);
    buf_free(&s.wishes);
}

void cache_scan_all(struct namenode *nn)
{
    pthread_mutex_lock(&nn->cache_pools->scanning);
    scan(nn);
    pthread_mutex_unlock(&nn->cache_pools->scanning);
}

static bool has_changed(struct namenode *nn)
{
    namenode_lock(nn);
    bool changed = nn->cache_scanned_changes != nn->cache_pools->changes;
    namenode_unlock(nn);
    return changed;
}

void cache_scan_changed(struct namenode *nn)
{
    if (!has_changed(nn))
        return;
    pthread_mutex_lock(&nn->cache_pools->scanning);
    if (has_changed(nn)) /* another one may just have seen to it */
        scan(nn);
    pthread_mutex_unlock(&nn->cache_pools->scanning);
}

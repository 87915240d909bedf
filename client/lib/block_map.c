#include "client/lib/block_map.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/datanode.h"
#include "client/lib/dfs_internal.h"
#include "common/clock.h"
#include "common/mem.h"

/* Bytes of a file asked for at once. 64 blocks of the usual size: a small answer, and few of them. */
#define WINDOW_BYTES            ((int64_t)8 << 30)
#define WINDOW_ANSWER_MAX_BYTES (256u << 20)
/* The last block of an open file may have no datanode for a moment (its namenode just started). */
#define LENGTH_TRIES    8
#define LENGTH_RETRY_MS 500

struct block_window {
    atomic_int refs;
    int64_t index; /* holds the blocks of [index, index + 1) * WINDOW_BYTES */
    struct arena arena;
    struct dfs_blocks blocks;
};

struct block_map {
    struct dfs *fs;
    char *path;
    bool is_at_once;      /* the datanodes of a block that is being written are not asked */
    pthread_mutex_t lock; /* of what follows */
    int64_t length;
    struct block_window **windows;
    size_t count;
};

void block_window_unref(struct block_window *w)
{
    if (!w || atomic_fetch_sub(&w->refs, 1) != 1)
        return;
    arena_free(&w->arena);
    free(w);
}

static int window_fetch(struct block_map *m, int64_t index, struct block_window **ret, struct err *reterr)
{
    struct block_window *w = mem_new(struct block_window);
    atomic_init(&w->refs, 1);
    w->index = index;
    arena_init(&w->arena, WINDOW_ANSWER_MAX_BYTES);
    int rc = dfs_block_locations(m->fs, m->path, index * WINDOW_BYTES, WINDOW_BYTES, &w->arena, &w->blocks, reterr);
    if (rc < 0) {
        block_window_unref(w);
        return rc;
    }
    *ret = w;
    return 0;
}

/* What readers may see of a block that is being written: any of its datanodes knows. */
static int visible_length(struct block_map *m, const struct dfs_block *b, int64_t *ret, struct err *reterr)
{
    size_t unknown = 0;
    int rc = 0;
    for (size_t i = 0; i < b->node_count; i++) {
        rc = datanode_visible_length(m->fs, b, &b->nodes[i], ret, reterr);
        if (rc == 0)
            return 0;
        unknown += rc == ERR_REPLICA_NOT_FOUND;
    }
    if (unknown == b->node_count) { /* allocated, but no byte arrived yet; or no datanode at all */
        if (b->node_count == 0 && b->bytes > 0)
            return err_set(reterr, ERR_NOT_REPLICATED_YET,
                           "%s: no datanode has its last block %" PRIu64 " at the moment", m->path, b->block_id);
        *ret = 0;
        return 0;
    }
    return err_prefix(reterr, rc, "%s: cannot find out how long its last block %" PRIu64 " is", m->path, b->block_id);
}

/* The window that holds the last block gets it with its real length. */
static int window_measure(struct block_map *m, struct block_window *w, int64_t *ret_length, struct err *reterr)
{
    struct dfs_blocks *blocks = &w->blocks;
    int64_t more = 0;
    if (blocks->last && !blocks->last_complete) {
        int rc = m->is_at_once ? err_set(reterr, ERR_ALREADY_BEING_CREATED, "%s is being written", m->path)
                               : visible_length(m, blocks->last, &more, reterr);
        if (rc < 0)
            return rc;
        if (more > INT64_MAX - blocks->file_length)
            more = 0;
        blocks->last->offset = blocks->file_length;
        blocks->last->bytes = more;
    }
    *ret_length = blocks->file_length + more;
    return 0;
}

static int fetch_first(struct block_map *m, struct block_window **ret, int64_t *ret_length, struct err *reterr)
{
    for (int tries = 1;; tries++) {
        struct block_window *w;
        int rc = window_fetch(m, 0, &w, reterr);
        if (rc < 0)
            return rc;
        rc = window_measure(m, w, ret_length, reterr);
        if (rc == 0) {
            *ret = w;
            return 0;
        }
        block_window_unref(w);
        if (tries == LENGTH_TRIES || m->is_at_once)
            return rc;
        clock_sleep_ms(LENGTH_RETRY_MS);
    }
}

static void replace_all(struct block_map *m, struct block_window *first, int64_t length)
{
    for (size_t i = 0; i < m->count; i++)
        block_window_unref(m->windows[i]);
    m->windows = mem_realloc_array(m->windows, 1, sizeof *m->windows);
    m->windows[0] = first;
    m->count = 1;
    m->length = length;
}

int block_map_open(struct dfs *fs, const char *path, bool at_once, struct block_map **ret, struct err *reterr)
{
    struct block_map *m = mem_new(struct block_map);
    m->fs = fs;
    m->path = mem_strdup(path);
    m->is_at_once = at_once;
    pthread_mutex_init(&m->lock, NULL);
    int rc = block_map_refresh(m, reterr);
    m->is_at_once = false;
    if (rc < 0) {
        block_map_free(m);
        return rc;
    }
    *ret = m;
    return 0;
}

void block_map_free(struct block_map *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->count; i++)
        block_window_unref(m->windows[i]);
    pthread_mutex_destroy(&m->lock);
    free(m->windows);
    free(m->path);
    free(m);
}

int64_t block_map_length(struct block_map *m)
{
    pthread_mutex_lock(&m->lock);
    int64_t length = m->length;
    pthread_mutex_unlock(&m->lock);
    return length;
}

int block_map_refresh(struct block_map *m, struct err *reterr)
{
    struct block_window *first;
    int64_t length;
    int rc = fetch_first(m, &first, &length, reterr);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&m->lock);
    replace_all(m, first, length);
    pthread_mutex_unlock(&m->lock);
    return 0;
}

/* Blocks are ordered by offset. An unfinished last one is known apart from them. */
static struct dfs_block *window_find(struct block_window *w, int64_t offset, int64_t length)
{
    struct dfs_blocks *blocks = &w->blocks;
    struct dfs_block *last = blocks->last;
    if (last && !blocks->last_complete && offset >= last->offset && offset < length)
        return last;
    size_t low = 0, high = blocks->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (blocks->blocks[middle].offset + blocks->blocks[middle].bytes <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < blocks->count && blocks->blocks[low].offset <= offset ? &blocks->blocks[low] : NULL;
}

static struct block_window *window_known(struct block_map *m, int64_t index)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->windows[i]->index == index)
            return m->windows[i];
    return NULL;
}

static bool same_blocks(const struct dfs_blocks *a, const struct dfs_blocks *b)
{
    size_t count = a->count < b->count ? a->count : b->count;
    for (size_t i = 0; i < count; i++)
        if (a->blocks[i].block_id != b->blocks[i].block_id)
            return false;
    return true;
}

/* Takes the window over, in place of the old one with its index. */
static int window_put(struct block_map *m, struct block_window *w, struct err *reterr)
{
    int rc = 0;
    pthread_mutex_lock(&m->lock);
    if (w->blocks.last && !w->blocks.last_complete) { /* for us it is as long as it was when we measured it */
        w->blocks.last->offset = w->blocks.file_length;
        w->blocks.last->bytes = m->length - w->blocks.file_length;
    }
    struct block_window *old = window_known(m, w->index);
    if (old && !same_blocks(&old->blocks, &w->blocks)) {
        rc = err_set(reterr, ERR_STALE, "%s was replaced or changed while it was read", m->path);
    } else if (old) {
        for (size_t i = 0; i < m->count; i++)
            if (m->windows[i] == old)
                m->windows[i] = w;
    } else {
        m->windows = mem_realloc_array(m->windows, m->count + 1, sizeof *m->windows);
        m->windows[m->count++] = w;
    }
    pthread_mutex_unlock(&m->lock);
    block_window_unref(rc < 0 ? w : old);
    return rc;
}

int block_map_refetch(struct block_map *m, int64_t offset, struct err *reterr)
{
    struct block_window *w;
    int rc = window_fetch(m, offset / WINDOW_BYTES, &w, reterr);
    return rc < 0 ? rc : window_put(m, w, reterr);
}

int block_map_find(struct block_map *m, int64_t offset, const struct dfs_block **ret, struct block_window **ret_window,
                   struct err *reterr)
{
    for (int fetched = 0;; fetched++) {
        pthread_mutex_lock(&m->lock);
        struct block_window *w = window_known(m, offset / WINDOW_BYTES);
        const struct dfs_block *b = w ? window_find(w, offset, m->length) : NULL;
        if (b)
            atomic_fetch_add(&w->refs, 1);
        pthread_mutex_unlock(&m->lock);
        if (b) {
            *ret = b;
            *ret_window = w;
            return 0;
        }
        if (fetched)
            return err_set(reterr, ERR_STALE,
                           "%s: the namenode names no block at offset %" PRId64 "; the file was changed", m->path,
                           offset);
        int rc = block_map_refetch(m, offset, reterr);
        if (rc < 0)
            return rc;
    }
}

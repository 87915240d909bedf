#include "datanode/store/block_cache.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/mem.h"

struct cached_replica {
    uint64_t block_id, bytes, locked_bytes; /* locked: whole pages */
    void *base;                             /* NULL: being read; its room is taken already */
};
struct block_cache {
    struct block_store *store;
    uint64_t max_bytes;
    pthread_mutex_t lock;
    /* under lock */
    struct cached_replica *items;
    size_t count, capacity;
    uint64_t used_bytes;
};

struct block_cache *block_cache_new(struct block_store *store, uint64_t max_bytes)
{
    struct block_cache *c = mem_new(struct block_cache);
    c->store = store;
    c->max_bytes = max_bytes;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void block_cache_free(struct block_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        if (c->items[i].base)
            munmap(c->items[i].base, c->items[i].bytes); /* unlocks too */
    free(c->items);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static struct cached_replica *find_locked(struct block_cache *c, uint64_t block_id)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->items[i].block_id == block_id)
            return &c->items[i];
    return NULL;
}

static void drop_locked(struct block_cache *c, struct cached_replica *r)
{
    c->used_bytes -= r->locked_bytes;
    *r = c->items[--c->count];
}

/* Room for it is taken before it is read, so that two at once cannot go past the bound. */
static int take_room(struct block_cache *c, uint64_t block_id, uint64_t bytes, bool *ret_is_there, struct err *reterr)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), locked = (bytes + page - 1) / page * page;
    int rc = 0;
    pthread_mutex_lock(&c->lock);
    *ret_is_there = find_locked(c, block_id) != NULL;
    if (!*ret_is_there && c->used_bytes + locked > c->max_bytes) {
        rc = err_set(reterr, ERR_NO_SPACE,
                     "block %" PRId64 " of %" PRIu64 " bytes does not fit beside %" PRIu64
                     " bytes in dfs.datanode.max.locked.memory, which is %" PRIu64,
                     (int64_t)block_id, bytes, c->used_bytes, c->max_bytes);
    } else if (!*ret_is_there) {
        if (c->count == c->capacity) {
            c->capacity = c->capacity ? c->capacity * 2 : 16;
            c->items = mem_realloc_array(c->items, c->capacity, sizeof *c->items);
        }
        c->items[c->count++] = (struct cached_replica){block_id, bytes, locked, NULL};
        c->used_bytes += locked;
    }
    pthread_mutex_unlock(&c->lock);
    return rc;
}

static int map_replica(struct block_cache *c, uint64_t block_id, uint64_t bytes, void **ret, struct err *reterr)
{
    struct replica_reader reader;
    int rc = block_store_open_reader(c->store, block_id, 0, bytes, &reader, reterr);
    if (rc < 0)
        return rc;
    void *base = mmap(NULL, bytes, PROT_READ, MAP_SHARED, reader.data_fd, 0);
    replica_reader_close(&reader);
    if (base == MAP_FAILED)
        return err_errno(reterr, errno, "block %" PRId64 ": mmap", (int64_t)block_id);
    if (mlock(base, bytes)) {
        int errnum = errno;
        munmap(base, bytes);
        return err_set(reterr, ERR_NO_SPACE,
                       "block %" PRId64 ": cannot lock %" PRIu64 " bytes (error %d): raise the memlock limit of the "
                       "datanode's user (ulimit -l)",
                       (int64_t)block_id, bytes, errnum);
    }
    *ret = base;
    return 0;
}

int block_cache_add(struct block_cache *c, uint64_t block_id, struct err *reterr)
{
    struct replica_view view;
    bool is_there = false;
    void *base = NULL;
    int rc = block_store_view(c->store, block_id, &view, reterr);
    if (rc == 0 && (view.state != REPLICA_FINALIZED || !view.disk_bytes))
        rc = err_set(reterr, ERR_BAD_STATE, "block %" PRId64 " is not finalized", (int64_t)block_id);
    rc = rc < 0 ? rc : take_room(c, block_id, view.disk_bytes, &is_there, reterr);
    if (rc < 0 || is_there)
        return rc;
    rc = block_store_own_files(c->store, block_id, reterr); /* to be mapped alone, and to stay where they are */
    if (rc == 0)
        rc = map_replica(c, block_id, view.disk_bytes, &base, reterr);
    pthread_mutex_lock(&c->lock);
    struct cached_replica *r = find_locked(c, block_id);
    if (r && !rc)
        r->base = base;
    else if (r)
        drop_locked(c, r);
    pthread_mutex_unlock(&c->lock);
    if (!r && base)
        munmap(base, view.disk_bytes);
    return rc;
}

bool block_cache_has(struct block_cache *c, uint64_t block_id)
{
    pthread_mutex_lock(&c->lock);
    const struct cached_replica *r = find_locked(c, block_id);
    bool has = r && r->base;
    pthread_mutex_unlock(&c->lock);
    return has;
}

void block_cache_remove(struct block_cache *c, uint64_t block_id)
{
    struct cached_replica gone = {0};
    pthread_mutex_lock(&c->lock);
    struct cached_replica *r = find_locked(c, block_id);
    if (r) {
        gone = *r;
        drop_locked(c, r);
    }
    pthread_mutex_unlock(&c->lock);
    if (gone.base)
        munmap(gone.base, gone.bytes);
}

uint64_t block_cache_max_bytes(const struct block_cache *c)
{
    return c->max_bytes;
}

uint64_t block_cache_used_bytes(struct block_cache *c)
{
    pthread_mutex_lock(&c->lock);
    uint64_t used = c->used_bytes;
    pthread_mutex_unlock(&c->lock);
    return used;
}

size_t block_cache_ids(struct block_cache *c, uint64_t **ret)
{
    pthread_mutex_lock(&c->lock);
    size_t count = 0;
    *ret = mem_calloc(c->count + 1, sizeof **ret);
    for (size_t i = 0; i < c->count; i++)
        if (c->items[i].base)
            (*ret)[count++] = c->items[i].block_id;
    pthread_mutex_unlock(&c->lock);
    return count;
}

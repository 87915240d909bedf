#include "fuse/posix/first_block.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/dfs_convert.h"
#include "common/log.h"
#include "common/mem.h"

#define BLOCK_ARENA_BYTES (1 << 20)

struct first_block {
    struct arena arena;
    struct dfs_block block;
};

struct unused_blocks {
    pthread_mutex_t lock;
    uint64_t ids[UNUSED_MAX];
    size_t count;
};

void first_block_keep(struct node *n, const struct dfs_block *b)
{
    struct first_block *first = mem_new(struct first_block);
    arena_init(&first->arena, BLOCK_ARENA_BYTES);
    copy_block(b, &first->arena, &first->block);
    first_block_end(n);
    n->first_block = first;
}

const struct dfs_block *first_block_of(const struct node *n, int64_t length)
{
    bool fits = n->first_block && length <= NEW_MAX_BYTES && length <= n->block_bytes;
    return fits ? &n->first_block->block : NULL;
}

void first_block_end(struct node *n)
{
    if (n->first_block)
        arena_free(&n->first_block->arena);
    free(n->first_block);
    n->first_block = NULL;
}

static size_t take_locked(struct unused_blocks *u, uint64_t ids[UNUSED_MAX])
{
    size_t count = u->count;
    memcpy(ids, u->ids, count * sizeof *ids);
    u->count = 0;
    return count;
}

void first_block_give_back(struct node_store *s, struct node *n)
{
    struct unused_blocks *u = s->unused;
    uint64_t ids[UNUSED_MAX];
    struct err err = {0};
    if (!n->first_block)
        return;
    pthread_mutex_lock(&u->lock);
    u->ids[u->count++] = n->first_block->block.block_id;
    size_t count = u->count == UNUSED_MAX ? take_locked(u, ids) : 0;
    pthread_mutex_unlock(&u->lock);
    first_block_end(n);
    if (count && posix_drop_blocks(s->fs, s->memory->session, ids, count, &err) < 0)
        log_debug("mount", "new blocks are left to the end of the session: err=%s", err.text);
}

struct unused_blocks *unused_blocks_new(void)
{
    struct unused_blocks *u = mem_new(struct unused_blocks);
    pthread_mutex_init(&u->lock, NULL);
    return u;
}

void unused_blocks_free(struct unused_blocks *u)
{
    if (u)
        pthread_mutex_destroy(&u->lock);
    free(u);
}

size_t unused_blocks_take(struct unused_blocks *u, uint64_t ids[UNUSED_MAX])
{
    pthread_mutex_lock(&u->lock);
    size_t count = take_locked(u, ids);
    pthread_mutex_unlock(&u->lock);
    return count;
}

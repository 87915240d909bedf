#include "namenode/namespace/detached.h"

#include <stdlib.h>

#include "common/mem.h"
#include "namenode/blocks/blocks.h"
#include "namenode/blocks/id_map.h"
#include "namenode/namenode.h"

struct detached {
    struct id_map blocks;   /* struct detached_block */
    struct id_map sessions; /* size_t: how many of each */
};

static void free_block(void *value)
{
    struct detached_block *b = value;
    free(b->client_name);
    free(b);
}

struct detached *detached_new(void)
{
    return mem_new(struct detached);
}

void detached_free(struct detached *d)
{
    if (!d)
        return;
    id_map_free(&d->blocks, free_block);
    id_map_free(&d->sessions, free);
    free(d);
}

void detached_add(struct detached *d, const struct detached_block *b)
{
    struct detached_block *copy = mem_new(struct detached_block);
    size_t *count = id_map_get(&d->sessions, b->session);
    *copy = *b;
    copy->client_name = mem_strdup(b->client_name);
    id_map_put(&d->blocks, b->id, copy);
    if (!count) {
        count = mem_new(size_t);
        id_map_put(&d->sessions, b->session, count);
    }
    (*count)++;
}

struct detached_block *detached_find(const struct detached *d, uint64_t block_id)
{
    return id_map_get(&d->blocks, block_id);
}

size_t detached_count(const struct detached *d, uint64_t session)
{
    const size_t *count = id_map_get(&d->sessions, session);
    return count ? *count : 0;
}

void detached_remove(struct detached *d, uint64_t block_id)
{
    struct detached_block *b = id_map_remove(&d->blocks, block_id);
    if (!b)
        return;
    size_t *count = id_map_get(&d->sessions, b->session);
    if (--*count == 0)
        free(id_map_remove(&d->sessions, b->session));
    free_block(b);
}

void detached_drop(struct namenode *nn, uint64_t block_id)
{
    blocks_remove(nn->blocks, block_id);
    detached_remove(nn->detached, block_id);
}

static void drop_session(struct namenode *nn, uint64_t session)
{
    const struct id_map *m = &nn->detached->blocks;
    size_t count = 0, wanted = detached_count(nn->detached, session);
    uint64_t *ids = mem_calloc(wanted, sizeof *ids);
    for (size_t i = 0; i < m->capacity; i++) {
        const struct detached_block *b = m->slots[i].value;
        if (b && b->session == session)
            ids[count++] = b->id;
    }
    for (size_t i = 0; i < count; i++)
        detached_drop(nn, ids[i]);
    free(ids);
}

void detached_drop_dead(struct namenode *nn, bool (*is_alive)(struct namenode *nn, uint64_t session))
{
    const struct id_map *m = &nn->detached->sessions;
    for (size_t i = 0; i < m->capacity;) {
        uint64_t session = m->slots[i].id;
        if (m->slots[i].value && !is_alive(nn, session))
            drop_session(nn, session); /* the slots moved: the same place again */
        else
            i++;
    }
}

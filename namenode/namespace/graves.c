#include "namenode/namespace/graves.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "namenode/namespace/keys.h"

#define FREED_PER_STEP 500

struct grave {
    uint64_t block_id, due_ms;
};
struct graves {
    struct grave *items; /* all get the same grace: in rising order of due_ms */
    size_t first, count, capacity;
    uint64_t grace_ms;
};

static void put(struct graves *g, uint64_t block_id, uint64_t due_ms)
{
    if (g->first + g->count == g->capacity && g->first > g->capacity / 2) {
        memmove(g->items, g->items + g->first, g->count * sizeof *g->items);
        g->first = 0;
    } else if (g->first + g->count == g->capacity) {
        g->capacity = g->capacity ? g->capacity * 2 : 64;
        g->items = mem_realloc_array(g->items, g->capacity, sizeof *g->items);
    }
    g->items[g->first + g->count++] = (struct grave){block_id, due_ms};
}

int graves_load(struct store *s, uint64_t grace_ms, struct graves **ret, struct err *reterr)
{
    struct graves *g = mem_new(struct graves);
    struct store_iter *it = store_iter_new(s, NULL, true);
    g->grace_ms = grace_ms;
    for (store_iter_seek(it, "g", 1); store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        if (key.len != 9 || key.base[0] != 'g')
            break;
        put(g, be64_get(key.base + 1), 0);
    }
    int rc = store_iter_status(it, reterr);
    store_iter_free(it);
    if (rc)
        graves_free(g);
    else
        *ret = g;
    return rc;
}

void graves_free(struct graves *g)
{
    if (g)
        free(g->items);
    free(g);
}

void graves_add(struct graves *g, uint64_t block_id, uint64_t now_ms)
{
    put(g, block_id, now_ms + g->grace_ms);
}

int graves_step(struct namenode *nn, uint64_t now_ms, bool *ret_more, struct err *reterr)
{
    struct graves *g = nn->graves;
    struct txn t;
    struct file_op o = {nn, &t, now_ms};
    size_t freed = 0;
    *ret_more = false;
    if (!g->count || g->items[g->first].due_ms > now_ms)
        return 0;
    txn_begin(&t, nn->dir, (uint64_t)clock_wall_ns());
    while (freed < FREED_PER_STEP && freed < g->count && g->items[g->first + freed].due_ms <= now_ms)
        txn_free_lingering(&t, g->items[g->first + freed++].block_id);
    int rc = file_commit(&o, reterr);
    txn_end(&t);
    if (rc)
        return rc;
    g->first += freed;
    g->count -= freed;
    *ret_more = freed == FREED_PER_STEP;
    return 0;
}

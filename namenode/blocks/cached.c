/* Which blocks are, or shall be, in which datanode's memory. A scan of the cache directives says what is wanted; each
 * block then gets or loses places among the nodes that have a replica, and the nodes are told with their heartbeats. A
 * node's cache report is the truth about that node. */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "namenode/blocks/internal.h"

#define PLACES_MAX        16
#define ASK_AGAIN_MS      30000 /* dfs.namenode.path.based.cache.retry.interval.ms */
#define COMMANDS_PER_BEAT 1000
#define CACHED_BLOCKS_MAX (4u << 20)

enum place_state { PLACE_WANTED, PLACE_CACHED, PLACE_UNWANTED };
struct place {
    uint16_t node;
    uint8_t state;  /* enum place_state */
    uint8_t report; /* the node's cache report that last named it */
    uint64_t asked_ms;
};
struct cached {
    uint32_t scan; /* that last wanted it */
    uint16_t replication;
    uint16_t count;
    struct place places[PLACES_MAX];
};

void cached_free_value(void *cached)
{
    free(cached);
}

static struct place *place_on(struct cached *c, uint16_t node)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->places[i].node == node)
            return &c->places[i];
    return NULL;
}

static void place_drop(struct cached *c, struct place *p)
{
    *p = c->places[--c->count];
}

static struct cached *cached_get(struct blocks *b, uint64_t block_id)
{
    struct cached *c = id_map_get(&b->cached, block_id);
    if (c || b->cached.count >= CACHED_BLOCKS_MAX)
        return c;
    c = mem_new(struct cached);
    id_map_put(&b->cached, block_id, c);
    return c;
}

static void ask(struct blocks *b, uint64_t block_id, struct place *p, enum place_state state)
{
    struct datanode *node = b->nodes[p->node];
    p->state = (uint8_t)state;
    p->asked_ms = b->now_ms;
    QUEUE_PUSH(node->cache_asks, block_id);
}

/* ---- what is wanted ---- */

void blocks_cache_begin(struct blocks *b)
{
    b->cache_scan++;
    for (size_t i = 0; i < b->node_count; i++)
        if (b->nodes[i])
            b->nodes[i]->cache_promised_bytes = 0;
    /* Counted anew rather than asked for: what heartbeats say of used memory is of another moment than cache reports.
     */
    for (size_t i = 0; i < b->cached.capacity; i++) {
        const struct cached *c = b->cached.slots[i].value;
        const struct block *blk = c ? block_table_find(&b->table, b->cached.slots[i].id) : NULL;
        for (unsigned k = 0; blk && k < c->count; k++)
            if (b->nodes[c->places[k].node])
                b->nodes[c->places[k].node]->cache_promised_bytes += block_bytes(blk);
    }
}

void blocks_cache_want(struct blocks *b, uint64_t block_id, uint16_t replication)
{
    struct cached *c = cached_get(b, block_id);
    if (!c)
        return;
    if (c->scan != b->cache_scan || c->replication < replication)
        c->replication = replication < PLACES_MAX ? replication : PLACES_MAX;
    c->scan = b->cache_scan;
}

static bool has_room(const struct datanode *node, uint64_t bytes)
{
    uint64_t capacity = node->info.cache_capacity_bytes, taken = node->cache_promised_bytes;
    return capacity >= taken && capacity - taken >= bytes;
}

/* The node with a good replica and the most room; NULL: nobody can take it. */
static struct datanode *roomiest(const struct blocks *b, const struct block *blk, struct cached *c)
{
    struct datanode *best = NULL;
    const struct replica *r = block_replicas(blk);
    for (unsigned i = 0; i < blk->replica_count; i++) {
        const struct storage *s = b->storages[r[i].storage];
        if (!storage_is_usable(s) || r[i].flags & (REPLICA_CORRUPT | REPLICA_EXCESS) || !datanode_is_normal(s->node))
            continue;
        struct datanode *node = s->node;
        if (place_on(c, node->index) || !has_room(node, block_bytes(blk)))
            continue;
        if (!best || node->info.cache_capacity_bytes - node->cache_promised_bytes >
                         best->info.cache_capacity_bytes - best->cache_promised_bytes)
            best = node;
    }
    return best;
}

static void add_places(struct blocks *b, const struct block *blk, struct cached *c, unsigned missing)
{
    for (; missing && c->count < PLACES_MAX; missing--) {
        struct datanode *node = roomiest(b, blk, c);
        if (!node)
            return;
        struct place *p = &c->places[c->count++];
        *p = (struct place){.node = node->index, .report = node->cache_report};
        node->cache_promised_bytes += block_bytes(blk);
        ask(b, blk->block_id, p, PLACE_WANTED);
    }
}

static void decide(struct blocks *b, uint64_t block_id, struct cached *c)
{
    const struct block *blk = block_table_find(&b->table, block_id);
    unsigned wanted = blk && blk->complete && c->scan == b->cache_scan ? c->replication : 0, have = 0;
    for (unsigned i = c->count; i-- > 0;) {
        struct place *p = &c->places[i];
        struct datanode *node = b->nodes[p->node];
        if (!node || !node->info.alive || (p->state == PLACE_WANTED && have >= wanted)) {
            place_drop(c, p);
            continue;
        }
        bool keep = have < wanted;
        have += keep;
        if (p->state == PLACE_WANTED) {
            if (b->now_ms - p->asked_ms >= ASK_AGAIN_MS)
                ask(b, block_id, p, PLACE_WANTED);
        } else if (keep) {
            p->state = PLACE_CACHED;
        } else if (p->state == PLACE_CACHED || b->now_ms - p->asked_ms >= ASK_AGAIN_MS) {
            ask(b, block_id, p, PLACE_UNWANTED);
        }
    }
    if (have < wanted)
        add_places(b, blk, c, wanted - have);
}

bool blocks_cache_decide(struct blocks *b, size_t *cursor, size_t steps, uint64_t now_ms)
{
    uint64_t gone[64];
    size_t gone_count = 0;
    if (now_ms > b->now_ms)
        b->now_ms = now_ms;
    for (; *cursor < b->cached.capacity && steps && gone_count < ARRAY_COUNT(gone); (*cursor)++, steps--) {
        struct id_slot *slot = &b->cached.slots[*cursor];
        struct cached *c = slot->value;
        if (!c)
            continue;
        decide(b, slot->id, c);
        if (!c->count && c->scan != b->cache_scan)
            gone[gone_count++] = slot->id;
    }
    bool more = *cursor < b->cached.capacity;
    for (size_t i = 0; i < gone_count; i++) /* moves others into earlier slots: the next scan comes by them again */
        free(id_map_remove(&b->cached, gone[i]));
    return more;
}

/* ---- datanodes ---- */

void blocks_cache_report(struct blocks *b, struct datanode *node, const uint64_t *ids, size_t count)
{
    uint8_t report = ++node->cache_report;
    for (size_t i = 0; i < count; i++) {
        struct cached *c = cached_get(b, ids[i]);
        struct place *p = c ? place_on(c, node->index) : NULL;
        if (!p && (!c || c->count == PLACES_MAX))
            continue;
        if (!p) {
            p = &c->places[c->count++];
            *p = (struct place){.node = node->index, .state = PLACE_CACHED};
        }
        if (p->state == PLACE_WANTED)
            p->state = PLACE_CACHED;
        p->report = report;
    }
    for (size_t i = 0; i < b->cached.capacity; i++) {
        struct cached *c = b->cached.slots[i].value;
        struct place *p = c ? place_on(c, node->index) : NULL;
        if (p && p->state != PLACE_WANTED && p->report != report)
            place_drop(c, p);
    }
}

void cached_take(struct blocks *b, struct datanode *node, struct arena *a, struct datanode_commands *ret)
{
    size_t limit = node->cache_asks.count < COMMANDS_PER_BEAT ? node->cache_asks.count : COMMANDS_PER_BEAT;
    if (!limit)
        return;
    ret->cache = arena_array(a, uint64_t, limit);
    ret->uncache = arena_array(a, uint64_t, limit);
    uint64_t block_id;
    for (size_t i = 0; i < limit && QUEUE_POP(node->cache_asks, &block_id); i++) {
        struct cached *c = id_map_get(&b->cached, block_id);
        const struct place *p = c ? place_on(c, node->index) : NULL;
        if (p && p->state == PLACE_WANTED)
            ret->cache[ret->cache_count++] = block_id;
        else if (p && p->state == PLACE_UNWANTED)
            ret->uncache[ret->uncache_count++] = block_id;
    }
    QUEUE_TRIM(node->cache_asks);
}

void cached_forget_node(struct blocks *b, const struct datanode *node)
{
    for (size_t i = 0; i < b->cached.capacity; i++) {
        struct cached *c = b->cached.slots[i].value;
        struct place *p = c ? place_on(c, node->index) : NULL;
        if (p)
            place_drop(c, p);
    }
}

/* ---- looking ---- */

unsigned blocks_cached_count(const struct blocks *b, uint64_t block_id)
{
    const struct cached *c = id_map_get(&b->cached, block_id);
    unsigned count = 0;
    for (unsigned i = 0; c && i < c->count; i++)
        count += c->places[i].state != PLACE_WANTED;
    return count;
}

bool blocks_cache_any(const struct blocks *b)
{
    return b->cached.count > 0;
}

bool cached_is_on(const struct blocks *b, uint64_t block_id, const struct datanode *node)
{
    struct cached *c = id_map_get(&b->cached, block_id);
    const struct place *p = c ? place_on(c, node->index) : NULL;
    return p && p->state != PLACE_WANTED;
}

#include "namenode/blocks/block_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define SHARD_CAPACITY_MIN 8

/* ---- replicas of one block ---- */

static struct replica *many(const struct block *blk)
{
    struct replica *array;
    memcpy(&array, blk->replicas, sizeof array);
    return array;
}
static void set_many(struct block *blk, struct replica *array)
{
    memcpy(blk->replicas, &array, sizeof array);
}

struct replica *block_replicas(const struct block *blk)
{
    return blk->replica_count > REPLICAS_INLINE ? many(blk) : (struct replica *)blk->replicas;
}

struct replica *block_replica_add(struct block *blk, uint16_t storage)
{
    unsigned count = blk->replica_count;
    if (count == REPLICAS_MAX)
        return NULL;
    if (count == REPLICAS_INLINE) {
        struct replica *array = mem_calloc(REPLICAS_INLINE + 1, sizeof *array);
        memcpy(array, blk->replicas, REPLICAS_INLINE * sizeof *array);
        set_many(blk, array);
    } else if (count > REPLICAS_INLINE) {
        set_many(blk, mem_realloc_array(many(blk), count + 1, sizeof(struct replica)));
    }
    blk->replica_count = count + 1;
    struct replica *r = &block_replicas(blk)[count];
    *r = (struct replica){.storage = storage};
    return r;
}

void block_replica_remove(struct block *blk, size_t index)
{
    unsigned count = blk->replica_count;
    assert(index < count);
    struct replica *array = block_replicas(blk);
    array[index] = array[count - 1];
    if (count - 1 == REPLICAS_INLINE) {
        memcpy(blk->replicas, array, REPLICAS_INLINE * sizeof *array);
        free(array);
    }
    blk->replica_count = count - 1;
}

static void block_replicas_free(struct block *blk)
{
    if (blk->replica_count > REPLICAS_INLINE)
        free(many(blk));
    blk->replica_count = 0;
}

/* ---- the table ---- */

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ x >> 31;
}
/* Any capacity will do: the hash is scaled, not masked, so shards can grow by less than double. */
static uint32_t home_slot(const struct block_shard *s, uint64_t hash)
{
    return (uint32_t)((hash & 0xffffffffu) * s->capacity >> 32);
}
static struct block_shard *shard_of(const struct block_table *t, uint64_t hash)
{
    return (struct block_shard *)&t->shards[hash >> 56];
}
static struct block *slot_for(const struct block_shard *s, uint64_t block_id, uint64_t hash)
{
    uint32_t i = home_slot(s, hash);
    while (s->slots[i].used && s->slots[i].block_id != block_id)
        i = i + 1 == s->capacity ? 0 : i + 1;
    return &s->slots[i];
}

struct block *block_table_find(const struct block_table *t, uint64_t block_id)
{
    uint64_t hash = mix(block_id);
    const struct block_shard *s = shard_of(t, hash);
    if (!s->count)
        return NULL;
    struct block *blk = slot_for(s, block_id, hash);
    return blk->used ? blk : NULL;
}

static void shard_resize(struct block_shard *s, uint32_t capacity)
{
    struct block_shard bigger = {
        .slots = mem_calloc(capacity, sizeof(struct block)), .capacity = capacity, .count = s->count};
    for (uint32_t i = 0; i < s->capacity; i++)
        if (s->slots[i].used)
            *slot_for(&bigger, s->slots[i].block_id, mix(s->slots[i].block_id)) = s->slots[i];
    free(s->slots);
    *s = bigger;
}

struct block *block_table_insert(struct block_table *t, uint64_t block_id)
{
    uint64_t hash = mix(block_id);
    struct block_shard *s = shard_of(t, hash);
    if ((uint64_t)(s->count + 1) * 20 > (uint64_t)s->capacity * 17) { /* 85 % */
        uint32_t more = s->capacity + s->capacity / 6 + 2;
        shard_resize(s, more < SHARD_CAPACITY_MIN ? SHARD_CAPACITY_MIN : more);
    }
    struct block *blk = slot_for(s, block_id, hash);
    assert(!blk->used);
    *blk = (struct block){.block_id = block_id, .used = 1, .priority = PRIORITY_NONE};
    s->count++;
    t->count++;
    return blk;
}

void block_table_remove(struct block_table *t, uint64_t block_id)
{
    uint64_t hash = mix(block_id);
    struct block_shard *s = shard_of(t, hash);
    assert(s->count);
    struct block *blk = slot_for(s, block_id, hash);
    assert(blk->used);
    block_replicas_free(blk);
    /* Close the gap: move back every follower whose home is not between the gap and itself. */
    uint32_t gap = (uint32_t)(blk - s->slots), i = gap;
    for (;;) {
        i = i + 1 == s->capacity ? 0 : i + 1;
        if (!s->slots[i].used)
            break;
        uint32_t home = home_slot(s, mix(s->slots[i].block_id));
        bool stays = gap < i ? home > gap && home <= i : home > gap || home <= i;
        if (!stays) {
            s->slots[gap] = s->slots[i];
            gap = i;
        }
    }
    s->slots[gap].used = 0;
    s->count--;
    t->count--;
    if (s->capacity > 64 && s->count < s->capacity / 4)
        shard_resize(s, s->count + s->count / 2 + SHARD_CAPACITY_MIN);
}

void block_table_free(struct block_table *t)
{
    for (size_t n = 0; n < BLOCK_SHARDS; n++) {
        struct block_shard *s = &t->shards[n];
        for (uint32_t i = 0; i < s->capacity; i++)
            if (s->slots[i].used)
                block_replicas_free(&s->slots[i]);
        free(s->slots);
    }
    memset(t, 0, sizeof *t);
}

uint64_t block_table_memory(const struct block_table *t)
{
    uint64_t bytes = sizeof *t;
    for (size_t n = 0; n < BLOCK_SHARDS; n++)
        bytes += t->shards[n].capacity * sizeof(struct block);
    return bytes;
}

#include "namenode/blocks/internal.h"

#define ENTRIES_PER_TICK 16384 /* a few milliseconds under the lock */

void sweep_request(struct blocks *b)
{
    b->sweep_wanted = true;
}

/* Until it has, what it holds is not known, and it may be the only one to hold it. */
static bool has_reported(const struct datanode *node)
{
    for (size_t i = 0; i < node->storage_count; i++)
        if (!node->storages[i]->failed && !node->storages[i]->reported)
            return false;
    return node->storage_count > 0;
}

static void begin(struct blocks *b)
{
    b->sweep_wanted = false;
    b->sweep_running = true;
    b->sweep_shard = 0;
    b->sweep_rechecks = b->recheck_wanted;
    b->recheck_wanted = false;
    for (size_t i = 0; i < b->storage_count; i++) {
        struct storage *s = b->storages[i];
        if (!s)
            continue;
        s->sweeping = s->gone || s->purge;
        s->sweep_epoch = s->purge_epoch;
    }
    for (size_t i = 0; i < b->node_count; i++)
        if (b->nodes[i]) {
            b->nodes[i]->insufficient = 0;
            b->nodes[i]->was_counted =
                b->sweep_rechecks && datanode_is_leaving(b->nodes[i]) && has_reported(b->nodes[i]);
        }
}

static bool is_swept(const struct storage *s, const struct replica *r)
{
    if (!s->sweeping)
        return false;
    /* Named neither by the report that asked for the purge nor by one that has begun since. */
    return s->gone || (uint8_t)(s->epoch - r->epoch) > (uint8_t)(s->epoch - s->sweep_epoch);
}

/* Nodes that are to be decommissioned wait for all copies, or as many as a file has by default: there may never be
 * nodes enough for all. Those that come back wait only for the minimum. */
static void count_insufficient(struct blocks *b, const struct block *blk)
{
    struct replica_counts c;
    block_count(b, blk, &c);
    unsigned sure = counts_sure(&c);
    if (!(c.decommissioning + c.entering_maintenance) || sure >= block_wanted(b, blk, &c))
        return;
    bool is_below_min = sure < block_maintenance_min(b, blk);
    bool is_below_default = sure < b->options.default_replication;
    const struct replica *r = block_replicas(blk);
    for (unsigned i = 0; i < blk->replica_count; i++) {
        const struct storage *s = b->storages[r[i].storage];
        if (storage_is_usable(s) && !(r[i].flags & (REPLICA_CORRUPT | REPLICA_EXCESS)))
            s->node->insufficient +=
                s->node->info.admin == DATANODE_ENTERING_MAINTENANCE ? is_below_min : is_below_default;
    }
}

static void sweep_block(struct blocks *b, struct block *blk)
{
    bool changed = b->sweep_rechecks;
    for (unsigned i = blk->replica_count; i-- > 0;) {
        const struct replica *r = &block_replicas(blk)[i];
        if (is_swept(b->storages[r->storage], r)) {
            block_replica_forget(b, blk, i);
            changed = true;
        }
    }
    if (!changed || !blk->complete)
        return;
    block_update(b, blk, b->now_ms);
    if (b->sweep_rechecks)
        count_insufficient(b, blk);
}

static void finish(struct blocks *b)
{
    b->sweep_running = false;
    uc_drop_storages(b);
    for (size_t i = 0; i < b->storage_count; i++) {
        struct storage *s = b->storages[i];
        if (!s || !s->sweeping)
            continue;
        s->sweeping = false;
        if (s->gone) {
            b->storages[i] = NULL;
            storage_free(s);
        } else if (s->purge_epoch == s->sweep_epoch) {
            s->purge = false;
        }
    }
    if (b->sweep_rechecks)
        admin_after_recheck(b);
}

/* Some shards of the block map; true while a pass is under way or wanted. Rows do not move while a shard is worked on:
 * the sweep neither adds nor removes blocks. */
bool sweep_tick(struct blocks *b)
{
    if (!b->sweep_running) {
        if (!b->sweep_wanted)
            return false;
        begin(b);
    }
    size_t visited = 0;
    while (b->sweep_shard < BLOCK_SHARDS && visited < ENTRIES_PER_TICK) {
        struct block_shard *shard = &b->table.shards[b->sweep_shard++];
        for (uint32_t i = 0; i < shard->capacity; i++)
            if (shard->slots[i].used)
                sweep_block(b, &shard->slots[i]);
        visited += shard->capacity + 1;
    }
    if (b->sweep_shard == BLOCK_SHARDS)
        finish(b);
    return b->sweep_running || b->sweep_wanted;
}

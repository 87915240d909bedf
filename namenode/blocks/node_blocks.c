/* What one datanode holds, for the balancer. Replicas are not indexed by node, so this walks the block map; a shard is
 * the step after which the lock may be released. */
#include <string.h>

#include "namenode/blocks/internal.h"

_Static_assert(BLOCKS_WALK_STEPS == BLOCK_SHARDS, "a step is a shard");

static bool is_good(const struct blocks *b, const struct replica *r)
{
    return storage_is_usable(b->storages[r->storage]) && b->storages[r->storage]->node->info.alive &&
           !(r->flags & (REPLICA_CORRUPT | REPLICA_EXCESS));
}

static bool is_on(const struct blocks *b, const struct block *blk, const struct held_blocks_args *args)
{
    const struct replica *r = block_replicas(blk);
    for (unsigned i = 0; i < blk->replica_count; i++) {
        const struct storage *s = b->storages[r[i].storage];
        if (is_good(b, &r[i]) && (!args->storage_type || s->type == args->storage_type) &&
            !strcmp(s->node->uuid, args->datanode_uuid))
            return true;
    }
    return false;
}

static void add(const struct blocks *b, const struct block *blk, struct arena *a, struct held_blocks *io)
{
    struct held_block *h = &io->items[io->count++];
    const struct replica *r = block_replicas(blk);
    *h = (struct held_block){.block_id = blk->block_id,
                             .gen_stamp = block_gen_stamp(blk),
                             .bytes = block_bytes(blk),
                             .places = arena_array(a, struct held_place, blk->replica_count)};
    for (unsigned i = 0; i < blk->replica_count; i++) {
        const struct storage *s = b->storages[r[i].storage];
        if (is_good(b, &r[i]))
            h->places[h->place_count++] =
                (struct held_place){arena_strdup(a, s->node->uuid), arena_strdup(a, s->uuid), s->type ? s->type : 1};
    }
    io->bytes += h->bytes;
}

size_t blocks_held_count(const struct blocks *b, const char *datanode_uuid)
{
    const struct datanode *node = datanode_find(b, datanode_uuid);
    size_t count = 0;
    for (size_t i = 0; node && i < node->storage_count; i++)
        count += node->storages[i]->block_count;
    return count;
}

void blocks_held_step(const struct blocks *b, const struct held_blocks_args *args, unsigned step, struct arena *a,
                      struct held_blocks *io)
{
    const struct block_shard *shard = &b->table.shards[step % BLOCK_SHARDS];
    for (uint32_t i = 0; i < shard->capacity && io->count < io->capacity && io->bytes < args->bytes_wanted; i++) {
        const struct block *blk = &shard->slots[i];
        if (blk->used && blk->complete && block_bytes(blk) >= args->block_bytes_min && is_on(b, blk, args))
            add(b, blk, a, io);
    }
}

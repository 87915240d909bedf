#include <stdlib.h>

#include "common/log.h"
#include "common/mem.h"
#include "namenode/blocks/internal.h"

/* ---- notes about single replicas ---- */

struct doubt *doubt_find(const struct blocks *b, uint64_t block_id, uint16_t storage)
{
    struct doubts *d = id_map_get(&b->doubts, block_id);
    for (size_t i = 0; d && i < d->count; i++)
        if (d->items[i].storage == storage)
            return &d->items[i];
    return NULL;
}

struct doubt *doubt_make(struct blocks *b, uint64_t block_id, uint16_t storage)
{
    struct doubt *found = doubt_find(b, block_id, storage);
    if (found)
        return found;
    struct doubts *d = id_map_get(&b->doubts, block_id);
    if (!d) {
        d = mem_new(struct doubts);
        id_map_put(&b->doubts, block_id, d);
    }
    /* One per replica, and a block has at most REPLICAS_MAX of them. */
    struct doubt *made = &d->items[d->count++];
    *made = (struct doubt){.storage = storage};
    return made;
}

void doubt_drop(struct blocks *b, uint64_t block_id, uint16_t storage)
{
    struct doubts *d = id_map_get(&b->doubts, block_id);
    for (size_t i = 0; d && i < d->count; i++) {
        if (d->items[i].storage != storage)
            continue;
        d->items[i] = d->items[--d->count];
        break;
    }
    if (d && !d->count)
        free(id_map_remove(&b->doubts, block_id));
}

/* ---- digests of a block's replicas ---- */

void block_digest_reset(struct blocks *b, struct block *blk)
{
    blk->digest = 0;
    blk->confirmed = 0;
    struct replica *r = block_replicas(blk);
    for (unsigned i = 0; i < blk->replica_count; i++) {
        r[i].flags &= (uint8_t)~REPLICA_AGREES;
        struct doubt *d = doubt_find(b, blk->block_id, r[i].storage);
        if (d && !d->gen_stamp)
            doubt_drop(b, blk->block_id, r[i].storage);
        else if (d)
            d->digest = 0;
    }
}

static bool has_vote(const struct blocks *b, const struct replica *r)
{
    return !(r->flags & REPLICA_CORRUPT) && storage_is_usable(b->storages[r->storage]);
}

static uint32_t digest_of(const struct blocks *b, const struct block *blk, const struct replica *r)
{
    if (r->flags & REPLICA_AGREES)
        return blk->digest;
    const struct doubt *d = doubt_find(b, blk->block_id, r->storage);
    return d ? d->digest : 0;
}

/* The digest that more than half of the voting replicas share, two of them at least; 0 if there is none. One that two
 * had before has a vote of its own: else a rotten replica could outvote a good one whose companions are away. */
static uint32_t majority(const struct blocks *b, const struct block *blk)
{
    const struct replica *r = block_replicas(blk);
    unsigned voters = blk->confirmed;
    for (unsigned i = 0; i < blk->replica_count; i++)
        voters += has_vote(b, &r[i]) && digest_of(b, blk, &r[i]);
    for (unsigned i = 0; i < blk->replica_count; i++) {
        uint32_t digest = has_vote(b, &r[i]) ? digest_of(b, blk, &r[i]) : 0;
        unsigned votes = digest == blk->digest ? blk->confirmed : 0;
        for (unsigned k = 0; digest && k < blk->replica_count; k++)
            votes += has_vote(b, &r[k]) && digest_of(b, blk, &r[k]) == digest;
        if (votes >= 2 && votes * 2 > voters)
            return digest;
    }
    return 0;
}

static unsigned votes_for_digest(const struct block *blk)
{
    const struct replica *r = block_replicas(blk);
    unsigned votes = 0;
    for (unsigned i = 0; i < blk->replica_count; i++)
        votes += !!(r[i].flags & REPLICA_AGREES);
    return votes;
}

static void settle(struct blocks *b, struct block *blk, uint32_t winner, uint64_t now_ms)
{
    /* Marking a replica may change the array: one loser at a time, looked for anew. */
    for (;;) {
        struct replica *r = block_replicas(blk), *loser = NULL;
        for (unsigned i = 0; i < blk->replica_count && !loser; i++) {
            uint32_t digest = has_vote(b, &r[i]) ? digest_of(b, blk, &r[i]) : 0;
            if (digest && digest != winner)
                loser = &r[i];
        }
        if (!loser)
            break;
        struct storage *s = b->storages[loser->storage];
        loser->flags &= (uint8_t)~REPLICA_AGREES;
        doubt_drop(b, blk->block_id, loser->storage);
        block_replica_corrupt(b, blk, s, 0, "digest differs from the other replicas'", now_ms);
    }
    struct replica *r = block_replicas(blk);
    for (unsigned i = 0; i < blk->replica_count; i++)
        if (has_vote(b, &r[i]) && digest_of(b, blk, &r[i]) == winner) {
            doubt_drop(b, blk->block_id, r[i].storage);
            r[i].flags |= REPLICA_AGREES;
        }
    blk->confirmed = votes_for_digest(blk) >= 2 || (blk->confirmed && winner == blk->digest);
    blk->digest = winner;
}

void block_digest_reported(struct blocks *b, struct block *blk, struct replica *r, uint32_t digest, uint64_t now_ms)
{
    if (!blk->digest)
        blk->digest = digest;
    if (blk->digest == digest) {
        if (doubt_find(b, blk->block_id, r->storage))
            doubt_drop(b, blk->block_id, r->storage);
        r->flags |= REPLICA_AGREES;
        if (!blk->confirmed)
            blk->confirmed = votes_for_digest(blk) >= 2;
        if (!b->doubts.count || !id_map_get(&b->doubts, blk->block_id))
            return; /* the usual case: nobody disagrees */
    } else {
        r->flags &= (uint8_t)~REPLICA_AGREES;
        struct doubt *d = doubt_make(b, blk->block_id, r->storage);
        bool is_new = d->digest != digest;
        d->digest = digest;
        if (!is_new)
            return;
    }
    uint32_t winner = majority(b, blk);
    if (winner) {
        settle(b, blk, winner, now_ms);
        return;
    }
    unsigned others = 0;
    const struct replica *all = block_replicas(blk);
    for (unsigned i = 0; i < blk->replica_count; i++)
        others += &all[i] != r && has_vote(b, &all[i]) && digest_of(b, blk, &all[i]);
    if (!others && !blk->confirmed) { /* whoever reported the other digest is gone: believe this one */
        settle(b, blk, digest, now_ms);
        return;
    }
    if (blk->digest != digest)
        log_warn("blocks",
                 "replica.suspect block=%llu gen=%llu digest=%08x other=%08x dn=%s:%u "
                 "action=left-to-the-datanodes'-own-verification",
                 (unsigned long long)blk->block_id, (unsigned long long)block_gen_stamp(blk), digest, blk->digest,
                 b->storages[r->storage]->node->ip, b->storages[r->storage]->node->info.xfer_port);
}

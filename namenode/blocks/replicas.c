#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "namenode/blocks/internal.h"

void invalidate(struct blocks *b, struct datanode *node, uint64_t block_id, uint64_t gen_stamp)
{
    struct invalidation item = {block_id, gen_stamp};
    if (node->invalidations.count == INVALIDATIONS_MAX || !node->info.alive)
        return;
    QUEUE_PUSH(node->invalidations, item);
}

struct replica *block_replica_on(const struct block *blk, const struct storage *s)
{
    struct replica *r = block_replicas(blk);
    for (unsigned i = 0; i < blk->replica_count; i++)
        if (r[i].storage == s->index)
            return &r[i];
    return NULL;
}

/* One that is good. racks: those of the ones before. */
static void count_good(const struct blocks *b, const struct storage *s, uint16_t racks[2 * REPLICAS_MAX],
                       struct replica_counts *ret)
{
    const struct datanode_info *node = &s->node->info;
    ret->unreported |= !s->reported;
    ret->stale += b->now_ms > node->last_heartbeat_ms + b->options.stale_ms;
    ret->readable += node->admin != DATANODE_IN_MAINTENANCE;
    switch (node->admin) {
    case DATANODE_DECOMMISSION_IN_PROGRESS: ret->decommissioning++; return;
    case DATANODE_DECOMMISSIONED: ret->decommissioned++; return;
    case DATANODE_ENTERING_MAINTENANCE: ret->entering_maintenance++; break;
    case DATANODE_IN_MAINTENANCE: ret->in_maintenance++; break;
    case DATANODE_NORMAL: ret->live++; break;
    }
    unsigned k = 0;
    while (k < ret->racks && racks[k] != s->node->rack)
        k++;
    if (k == ret->racks)
        racks[ret->racks++] = s->node->rack;
}

void block_count(const struct blocks *b, const struct block *blk, struct replica_counts *ret)
{
    *ret = (struct replica_counts){0};
    uint16_t racks[2 * REPLICAS_MAX];
    const struct storage *coming[REPLICAS_MAX];
    const struct replica *r = block_replicas(blk);
    for (unsigned i = 0; i < blk->replica_count; i++) {
        const struct storage *s = b->storages[r[i].storage];
        if (!storage_is_usable(s))
            continue;
        if (r[i].flags & REPLICA_CORRUPT) {
            ret->corrupt++;
            continue;
        }
        if (r[i].flags & REPLICA_EXCESS) {
            ret->excess++;
            continue;
        }
        count_good(b, s, racks, ret);
    }
    unsigned reported = ret->live;
    for (size_t i = pending_coming(b, blk, coming); i-- > 0;)
        count_good(b, coming[i], racks, ret);
    ret->coming = ret->live - reported;
}

unsigned block_maintenance_min(const struct blocks *b, const struct block *blk)
{
    return b->options.maintenance_min < blk->expected ? b->options.maintenance_min : blk->expected;
}

unsigned block_wanted(const struct blocks *b, const struct block *blk, const struct replica_counts *c)
{
    unsigned away = c->entering_maintenance + c->in_maintenance, least = block_maintenance_min(b, blk);
    unsigned rest = blk->expected > away ? blk->expected - away : 0;
    return rest > least ? rest : least;
}

/* ---- the counters and the queue ---- */

static void count_flag(uint64_t *counter, bool was, bool is)
{
    *counter += (uint64_t)is - (uint64_t)was;
}

void block_uncount(struct blocks *b, struct block *blk)
{
    count_flag(&b->available_count, blk->available, false);
    count_flag(&b->safe_count, blk->safe, false);
    count_flag(&b->corrupt_count, blk->has_corrupt, false);
    count_flag(&b->lost_count, blk->missing, false);
    if (blk->missing && blk->expected == 1)
        b->lost_one_count--;
    blk->available = blk->safe = blk->has_corrupt = blk->missing = 0;
    block_set_priority(b, blk, PRIORITY_NONE);
}

/* Nobody can read it, though somebody should be able to. */
static bool is_lost(const struct blocks *b, const struct block *blk, const struct replica_counts *c)
{
    return !c->readable && (!c->in_maintenance || block_wanted(b, blk, c));
}

static unsigned priority_of(const struct blocks *b, const struct block *blk, const struct replica_counts *c)
{
    if (is_lost(b, blk, c))
        return PRIORITY_LOST;
    if (c->live >= block_wanted(b, blk, c))
        return c->racks == 1 && blk->expected > 1 && b->has_racks ? PRIORITY_MISPLACED : PRIORITY_NONE;
    if (c->live == 0 || (c->live == 1 && blk->expected > 1))
        return PRIORITY_HIGHEST;
    return c->live * 3 < blk->expected ? PRIORITY_VERY_LOW : PRIORITY_LOW_REDUNDANCY;
}

/* ---- replicas that should go ---- */

static void queue_deletion(struct blocks *b, struct block *blk, struct replica *r)
{
    const struct doubt *d = doubt_find(b, blk->block_id, r->storage);
    uint64_t gen_stamp = d && d->gen_stamp ? d->gen_stamp : block_gen_stamp(blk);
    invalidate(b, b->storages[r->storage]->node, blk->block_id, gen_stamp);
    r->flags |= REPLICA_QUEUED;
}

/* True if some node could still take a copy: it stays, and has no replica of the block, good or bad. */
static bool has_free_node(const struct blocks *b, const struct block *blk)
{
    const struct replica *r = block_replicas(blk);
    for (size_t n = 0; n < b->node_count; n++) {
        const struct datanode *node = b->nodes[n];
        if (!node || !datanode_is_normal(node))
            continue;
        bool holds = false;
        for (unsigned i = 0; i < blk->replica_count && !holds; i++)
            holds = b->storages[r[i].storage]->node == node;
        if (!holds)
            return true;
    }
    return false;
}

/* A corrupt replica is kept until enough good ones exist, since it may be all there is. But where every node holds one,
 * nobody can take the copy that would replace it: then it goes first. */
static void delete_corrupt(struct blocks *b, struct block *blk, const struct replica_counts *c)
{
    unsigned enough = b->options.replication_min > 1 ? b->options.replication_min : 1;
    unsigned sure = counts_sure(c);
    if (sure < blk->expected && (sure < enough || has_free_node(b, blk)))
        return;
    struct replica *r = block_replicas(blk);
    for (unsigned i = 0; i < blk->replica_count; i++)
        if ((r[i].flags & (REPLICA_CORRUPT | REPLICA_QUEUED)) == REPLICA_CORRUPT &&
            storage_is_usable(b->storages[r[i].storage]))
            queue_deletion(b, blk, &r[i]);
}

static bool may_be_given_up(const struct blocks *b, const struct replica *r)
{
    const struct storage *s = b->storages[r->storage];
    return storage_is_usable(s) && !(r->flags & (REPLICA_CORRUPT | REPLICA_EXCESS)) && datanode_is_normal(s->node);
}

/* The types of storage that hold more replicas than the file's policy wants there. It is asked for only if there are
 * several types: that reads the file's record. */
static void find_excess_types(const struct blocks *b, struct block *blk, bool ret[STORAGE_TYPES])
{
    const struct replica *r = block_replicas(blk);
    uint16_t have[STORAGE_TYPES] = {0}, wanted[STORAGE_TYPES];
    unsigned kinds = 0;
    memset(ret, 0, STORAGE_TYPES * sizeof *ret);
    for (unsigned i = 0; i < blk->replica_count; i++)
        if (may_be_given_up(b, &r[i]) && b->storages[r[i].storage]->type < STORAGE_TYPES)
            kinds += have[b->storages[r[i].storage]->type]++ == 0;
    if (kinds < 2)
        return;
    uint8_t id = b->seam.policy ? b->seam.policy(b->seam.context, blk->block_id) : POLICY_UNSPECIFIED;
    const struct storage_policy *p = storage_policy_find(id ? id : b->options.default_policy);
    if (!p)
        return;
    storage_policy_count(p, blk->expected, wanted);
    for (int type = 0; type < STORAGE_TYPES; type++)
        ret[type] = have[type] > wanted[type];
}

/* Which good replica to give up: one whose digest is doubted; else one on a type of storage that has too many; else the
 * hinted node's; else one whose rack has another, on the node that is silent longest or fullest. */
static struct replica *choose_excess(const struct blocks *b, struct block *blk, const char *hint,
                                     const struct replica_counts *c)
{
    bool is_excess_type[STORAGE_TYPES];
    find_excess_types(b, blk, is_excess_type);
    struct replica *r = block_replicas(blk), *best = NULL;
    uint64_t best_score = 0;
    for (unsigned i = 0; i < blk->replica_count; i++) {
        const struct storage *s = b->storages[r[i].storage];
        if (!may_be_given_up(b, &r[i]))
            continue;
        unsigned same_rack = 0;
        for (unsigned k = 0; k < blk->replica_count; k++) {
            const struct storage *other = b->storages[r[k].storage];
            same_rack += storage_is_usable(other) && !(r[k].flags & (REPLICA_CORRUPT | REPLICA_EXCESS)) &&
                         other->node->rack == s->node->rack;
        }
        uint64_t used = s->capacity_bytes ? 1000 - s->remaining_bytes * 1000 / s->capacity_bytes : 0;
        bool is_stale = b->now_ms > s->node->info.last_heartbeat_ms + b->options.stale_ms;
        bool keeps_racks = same_rack > 1 || c->racks > 2;
        bool is_doubted = blk->digest && doubt_find(b, blk->block_id, r[i].storage);
        bool is_misplaced = s->type < STORAGE_TYPES && is_excess_type[s->type];
        uint64_t score = 1 + used + (is_stale ? 2000 : 0) + (keeps_racks ? 4000 : 0) + (is_misplaced ? 16000 : 0) +
                         (is_doubted ? 40000 : 0) +
                         (hint && keeps_racks && strcmp(hint, s->node->uuid) == 0 ? 8000 : 0);
        if (score > best_score) {
            best = &r[i];
            best_score = score;
        }
    }
    return best;
}

static void delete_excess(struct blocks *b, struct block *blk, const char *hint, struct replica_counts *c)
{
    /* What a storage that has not reported fully still holds is not known for sure: wait for it. */
    while (counts_sure(c) > blk->expected && !c->unreported) {
        struct replica *r = choose_excess(b, blk, hint, c);
        if (!r)
            return;
        r->flags |= REPLICA_EXCESS;
        b->excess_count++;
        queue_deletion(b, blk, r);
        block_count(b, blk, c);
    }
}

static void update(struct blocks *b, struct block *blk, const char *hint)
{
    if (!blk->complete)
        return;
    struct replica_counts c;
    block_count(b, blk, &c);
    bool lost = is_lost(b, blk, &c), available = !lost;
    bool safe = c.readable + c.in_maintenance >= b->options.replication_min;
    count_flag(&b->available_count, blk->available, available);
    count_flag(&b->safe_count, blk->safe, safe);
    count_flag(&b->corrupt_count, blk->has_corrupt, c.corrupt > 0);
    count_flag(&b->lost_count, blk->missing, lost);
    if (blk->expected == 1)
        count_flag(&b->lost_one_count, blk->missing, lost);
    blk->available = available;
    blk->safe = safe;
    blk->has_corrupt = c.corrupt > 0;
    blk->missing = lost;
    if (!b->tracking)
        return;
    if (c.live > blk->expected)
        delete_excess(b, blk, hint, &c);
    if (c.corrupt)
        delete_corrupt(b, blk, &c);
    block_set_priority(b, blk, priority_of(b, blk, &c));
}

void block_update(struct blocks *b, struct block *blk, uint64_t now_ms)
{
    update(b, blk, NULL);
}

/* ---- replicas come and go ---- */

void block_replica_forget(struct blocks *b, struct block *blk, size_t index)
{
    struct replica r = block_replicas(blk)[index];
    struct storage *s = b->storages[r.storage];
    if (r.flags & REPLICA_EXCESS)
        b->excess_count--;
    if (s) {
        assert(s->block_count > 0);
        s->block_count--;
    }
    b->replica_count--;
    doubt_drop(b, blk->block_id, r.storage);
    block_replica_remove(blk, index);
}

/* The replica on this storage, made if need be. A node keeps one replica of a block: one on its other storage moved. */
static struct replica *replica_make(struct blocks *b, struct block *blk, struct storage *s, bool *ret_new)
{
    *ret_new = false;
    struct replica *r = block_replicas(blk);
    for (unsigned i = blk->replica_count; i-- > 0;) {
        if (r[i].storage == s->index)
            continue;
        const struct storage *other = b->storages[r[i].storage];
        if (other && other->node == s->node && !other->gone) {
            block_replica_forget(b, blk, i);
            r = block_replicas(blk);
        }
    }
    struct replica *mine = block_replica_on(blk, s);
    if (mine)
        return mine;
    mine = block_replica_add(blk, s->index);
    if (mine) {
        mine->epoch = s->epoch;
        s->block_count++;
        b->replica_count++;
        *ret_new = true;
    }
    return mine;
}

void block_replica_good(struct blocks *b, struct block *blk, struct storage *s, uint32_t digest,
                        const char *delete_hint, uint64_t now_ms)
{
    bool is_new;
    struct replica *r = replica_make(b, blk, s, &is_new);
    if (!r)
        return;
    bool was_bad_version = false;
    if (r->flags & REPLICA_CORRUPT) {
        const struct doubt *d = doubt_find(b, blk->block_id, s->index);
        was_bad_version = d && d->gen_stamp;
        if (was_bad_version) { /* it was stale or short, and has been replaced by a right one */
            r->flags = 0;
            doubt_drop(b, blk->block_id, s->index);
        }
    }
    if (blk->pending)
        pending_arrived(b, blk, s);
    if (!(r->flags & (REPLICA_CORRUPT | REPLICA_EXCESS)) && digest)
        block_digest_reported(b, blk, r, digest, now_ms);
    if (is_new || was_bad_version || delete_hint)
        update(b, blk, delete_hint);
}

void block_replica_corrupt(struct blocks *b, struct block *blk, struct storage *s, uint64_t gen_stamp,
                           const char *reason, uint64_t now_ms)
{
    bool is_new;
    struct replica *r = replica_make(b, blk, s, &is_new);
    if (!r)
        return;
    if (blk->pending)
        pending_arrived(b, blk, s);
    if (gen_stamp) /* its version is wrong, and the deletion has to name it */
        doubt_make(b, blk->block_id, s->index)->gen_stamp = gen_stamp;
    if (!(r->flags & REPLICA_CORRUPT)) {
        if (r->flags & REPLICA_EXCESS)
            b->excess_count--;
        r->flags = REPLICA_CORRUPT;
        b->totals.replicas_corrupted++;
        log_warn("blocks",
                 "replica.corrupt block=%llu gen=%llu dn=%s:%u storage=%s reason='%s' action=replace-then-delete",
                 (unsigned long long)blk->block_id, (unsigned long long)(gen_stamp ? gen_stamp : block_gen_stamp(blk)),
                 s->node->ip, s->node->info.xfer_port, s->uuid, reason);
    }
    update(b, blk, NULL);
}

/* ---- blocks come and go ---- */

struct block *block_from_record(struct blocks *b, const struct block_record *record)
{
    struct block *blk = block_table_insert(&b->table, record->block_id);
    block_set_version(blk, record->gen_stamp, record->bytes);
    blk->expected = record->replication > EXPECTED_MAX ? EXPECTED_MAX : record->replication;
    blk->complete = record->state == BLOCK_COMPLETE;
    if (!blk->complete)
        uc_new(b, record->block_id, record->gen_stamp, record->bytes, record->state == BLOCK_COMMITTED);
    return blk;
}

struct block *block_known(struct blocks *b, uint64_t block_id)
{
    struct block *blk = block_table_find(&b->table, block_id);
    struct block_record record;
    if (!blk && b->seam.lookup(b->seam.context, block_id, &record) && record.state != BLOCK_UNREADABLE)
        blk = block_from_record(b, &record);
    return blk;
}

void invalidate_if_unknown(struct blocks *b, struct datanode *node, uint64_t block_id, uint64_t gen_stamp)
{
    struct block_record record;
    if (!b->seam.lookup(b->seam.context, block_id, &record))
        invalidate(b, node, block_id, gen_stamp);
}

void block_drop(struct blocks *b, struct block *blk)
{
    block_uncount(b, blk);
    pending_cancel(b, blk->block_id);
    struct uc *uc = uc_find(b, blk->block_id);
    if (uc)
        uc_free(b, uc);
    while (blk->replica_count)
        block_replica_forget(b, blk, blk->replica_count - 1u);
    block_table_remove(&b->table, blk->block_id);
}

void blocks_remove(struct blocks *b, uint64_t block_id)
{
    struct block *blk = block_table_find(&b->table, block_id);
    if (!blk)
        return; /* never reported: whoever has it will be told when it reports */
    struct uc *uc = uc_find(b, block_id);
    for (size_t i = 0; uc && i < uc->target_count; i++) {
        const struct uc_target *t = &uc->targets[i];
        struct storage *s = b->storages[t->storage];
        if (storage_is_usable(s) && !block_replica_on(blk, s))
            invalidate(b, s->node, block_id, t->gen_stamp ? t->gen_stamp : uc->gen_stamp);
    }
    struct replica *r = block_replicas(blk);
    for (unsigned i = 0; i < blk->replica_count; i++)
        if (storage_is_usable(b->storages[r[i].storage]) && !(r[i].flags & REPLICA_QUEUED))
            queue_deletion(b, blk, &r[i]);
    block_drop(b, blk);
}

void blocks_set_replication(struct blocks *b, uint64_t block_id, uint16_t replication, uint64_t now_ms)
{
    struct block *blk = block_table_find(&b->table, block_id);
    if (!blk)
        return;
    if (now_ms > b->now_ms)
        b->now_ms = now_ms;
    bool was_complete = blk->complete;
    block_uncount(b, blk); /* lost_one_count depends on `expected` */
    blk->expected = replication > EXPECTED_MAX ? EXPECTED_MAX : replication;
    blk->complete = was_complete;
    block_update(b, blk, now_ms);
}

bool blocks_ask_for_copies(struct blocks *b, uint64_t block_id, uint64_t now_ms)
{
    struct block *blk = block_table_find(&b->table, block_id);
    if (!blk || !blk->complete)
        return false;
    if (now_ms > b->now_ms)
        b->now_ms = now_ms;
    block_update(b, blk, now_ms);
    return blk->priority < PRIORITY_LOST;
}

size_t blocks_live_replicas(const struct blocks *b, uint64_t block_id)
{
    const struct block *blk = block_table_find(&b->table, block_id);
    if (!blk)
        return 0;
    struct replica_counts c;
    block_count(b, blk, &c);
    return c.readable;
}

bool blocks_has_min_replicas(const struct blocks *b, uint64_t block_id)
{
    return blocks_live_replicas(b, block_id) >= b->options.replication_min;
}

void blocks_report_bad(struct blocks *b, uint64_t block_id, uint64_t gen_stamp, const char *datanode_uuid,
                       const char *storage_uuid, const char *reason, uint64_t now_ms)
{
    struct block *blk = block_table_find(&b->table, block_id);
    const struct datanode *node = datanode_find(b, datanode_uuid);
    if (!blk || !node)
        return;
    if (now_ms > b->now_ms)
        b->now_ms = now_ms;
    if (blk->complete && gen_stamp && gen_stamp != block_gen_stamp(blk))
        return; /* about a version that is no more */
    struct replica *r = block_replicas(blk);
    for (unsigned i = 0; i < blk->replica_count; i++) {
        struct storage *s = b->storages[r[i].storage];
        if (storage_is_usable(s) && s->node == node &&
            (!storage_uuid || !*storage_uuid || strcmp(s->uuid, storage_uuid) == 0)) {
            block_replica_corrupt(b, blk, s, 0, reason, now_ms);
            return;
        }
    }
}

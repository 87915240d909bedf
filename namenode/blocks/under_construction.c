#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "namenode/blocks/internal.h"

struct uc *uc_find(const struct blocks *b, uint64_t block_id)
{
    return id_map_get(&b->under_construction, block_id);
}

struct uc *uc_new(struct blocks *b, uint64_t block_id, uint64_t gen_stamp, uint64_t bytes, bool committed)
{
    struct uc *uc = mem_new(struct uc);
    *uc = (struct uc){.block_id = block_id,
                      .gen_stamp = gen_stamp,
                      .bytes = bytes,
                      .committed = committed,
                      .primary = NO_INDEX,
                      .truncate_bytes = BLOCKS_NO_TRUNCATE};
    id_map_put(&b->under_construction, block_id, uc);
    return uc;
}

static void unbook(struct blocks *b, const struct uc *uc, struct uc_target *t)
{
    struct storage *s = b->storages[t->storage];
    if (t->booked && s)
        s->booked_bytes -= uc->bytes;
    t->booked = false;
}

static void clear_targets(struct blocks *b, struct uc *uc)
{
    for (size_t i = 0; i < uc->target_count; i++)
        unbook(b, uc, &uc->targets[i]);
    uc->target_count = 0;
}

/* The booked room is uc->bytes per target: give it back before that changes. */
static void set_bytes(struct blocks *b, struct uc *uc, uint64_t bytes)
{
    for (size_t i = 0; i < uc->target_count; i++)
        unbook(b, uc, &uc->targets[i]);
    uc->bytes = bytes;
}

void uc_free_value(void *value)
{
    struct uc *uc = value;
    free(uc->targets);
    free(uc);
}

void uc_free(struct blocks *b, struct uc *uc)
{
    clear_targets(b, uc);
    id_map_remove(&b->under_construction, uc->block_id);
    uc_free_value(uc);
}

/* A node has at most one replica of a block, and chooses the storage for it itself: targets are told apart by node. */
static struct uc_target *target_of(const struct blocks *b, const struct uc *uc, const struct datanode *node)
{
    for (size_t i = 0; i < uc->target_count; i++)
        if (b->storages[uc->targets[i].storage]->node == node)
            return &uc->targets[i];
    return NULL;
}

static void target_move(struct blocks *b, const struct uc *uc, struct uc_target *t, struct storage *s)
{
    bool booked = t->booked;
    unbook(b, uc, t);
    t->storage = s->index;
    t->booked = booked;
    if (booked)
        s->booked_bytes += uc->bytes;
}

/* The node's target, made if need be. NULL when there are too many. */
struct uc_target *uc_target_add(struct blocks *b, struct uc *uc, struct storage *s, bool book)
{
    struct uc_target *t = target_of(b, uc, s->node);
    if (t)
        return t;
    if (uc->target_count == REPLICAS_MAX)
        return NULL;
    if (uc->target_count == uc->target_capacity) {
        uc->target_capacity = (uint16_t)(uc->target_capacity ? uc->target_capacity * 2 : 4);
        uc->targets = mem_realloc_array(uc->targets, uc->target_capacity, sizeof *uc->targets);
    }
    t = &uc->targets[uc->target_count++];
    *t = (struct uc_target){.storage = s->index, .booked = book};
    if (book)
        s->booked_bytes += uc->bytes;
    return t;
}

/* Storages that were found gone and swept leave the targets, before their index is used again. */
void uc_drop_storages(struct blocks *b)
{
    for (size_t i = 0; i < b->under_construction.capacity; i++) {
        struct uc *uc = b->under_construction.slots[i].value;
        if (!uc)
            continue;
        for (size_t k = uc->target_count; k-- > 0;) {
            const struct storage *s = b->storages[uc->targets[k].storage];
            if (s && !(s->gone && s->sweeping))
                continue;
            unbook(b, uc, &uc->targets[k]);
            if (uc->primary == uc->targets[k].storage)
                uc->primary = NO_INDEX;
            uc->targets[k] = uc->targets[--uc->target_count];
            uc->lost_target = true;
        }
    }
}

bool blocks_may_come_back(const struct blocks *b, uint64_t block_id)
{
    const struct uc *uc = uc_find(b, block_id);
    return uc && (uc->lost_target || uc->target_count); /* or it has died and is not swept yet */
}

/* ---- driven by the namespace ---- */

/* A storage by its uuid if that is of the named node; else the node's first usable one. */
static struct storage *named_storage(const struct blocks *b, const char *datanode_uuid, const char *storage_uuid)
{
    struct storage *s = storage_uuid && *storage_uuid ? blocks_storage_find(b, storage_uuid) : NULL;
    if (s || !datanode_uuid)
        return s;
    const struct datanode *node = datanode_find(b, datanode_uuid);
    for (size_t i = 0; node && i < node->storage_count; i++)
        if (storage_is_usable(node->storages[i]))
            return node->storages[i];
    return NULL;
}

void blocks_under_construction(struct blocks *b, uint64_t block_id, uint64_t gen_stamp, uint64_t bytes,
                               uint16_t replication, const char *const *storage_uuids, size_t count)
{
    struct block *blk = block_table_find(&b->table, block_id);
    if (blk)
        block_drop(b, blk);
    blk = block_table_insert(&b->table, block_id);
    block_set_version(blk, gen_stamp, 0);
    blk->expected = replication > EXPECTED_MAX ? EXPECTED_MAX : replication;
    struct uc *uc = uc_new(b, block_id, gen_stamp, bytes, false);
    for (size_t i = 0; i < count; i++) {
        struct storage *s = blocks_storage_find(b, storage_uuids[i]);
        if (s)
            uc_target_add(b, uc, s, true);
    }
}

/* Finalized replicas of another version than the block's are no good any more. */
static void distrust_other_versions(struct blocks *b, struct block *blk, const struct uc *uc, uint64_t now_ms)
{
    for (size_t i = 0; i < uc->target_count; i++) {
        const struct uc_target *t = &uc->targets[i];
        struct storage *s = b->storages[t->storage];
        bool is_other =
            uc->committed ? t->gen_stamp != uc->gen_stamp || t->bytes != uc->bytes : t->gen_stamp < uc->gen_stamp;
        if (t->reported == UC_FINALIZED && is_other && storage_is_usable(s) && block_replica_on(blk, s))
            block_replica_corrupt(b, blk, s, t->gen_stamp, "stale generation stamp or length", now_ms);
    }
}

/* The finalized replicas on these storages are being changed to the new version: they are not bad, only not there yet.
 */
static void forget_rewritten(struct blocks *b, struct block *blk, const char *const *datanode_uuids,
                             const char *const *storage_uuids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct storage *s =
            named_storage(b, datanode_uuids ? datanode_uuids[i] : NULL, storage_uuids ? storage_uuids[i] : NULL);
        const struct uc *uc = uc_find(b, blk->block_id);
        const struct uc_target *t = s ? target_of(b, uc, s->node) : NULL;
        const struct replica *r =
            t && t->gen_stamp < uc->gen_stamp ? block_replica_on(blk, b->storages[t->storage]) : NULL;
        if (r)
            block_replica_forget(b, blk, (size_t)(r - block_replicas(blk)));
    }
}

/* Of an append under the old stamp: replicas of the old length that are not reported since. Those that took part will
 * be; the others show in their next full report. */
static void forget_unreported(struct blocks *b, struct block *blk, struct uc *uc)
{
    for (size_t i = 0; i < uc->target_count; i++) {
        struct uc_target *t = &uc->targets[i];
        if (!t->from_before || t->gen_stamp != uc->gen_stamp || t->bytes == uc->bytes)
            continue;
        const struct replica *r = block_replica_on(blk, b->storages[t->storage]);
        if (r)
            block_replica_forget(b, blk, (size_t)(r - block_replicas(blk)));
        t->reported = UC_EXPECTED;
        t->digest = 0;
    }
}

void blocks_update_pipeline(struct blocks *b, uint64_t block_id, uint64_t gen_stamp, uint64_t bytes,
                            const char *const *datanode_uuids, const char *const *storage_uuids, size_t count)
{
    struct block *blk = block_known(b, block_id);
    struct uc *uc = blk ? uc_find(b, block_id) : NULL;
    if (!uc)
        return;
    uc->gen_stamp = gen_stamp;
    uc->lost_target = false; /* it goes on without that */
    block_set_version(blk, gen_stamp, bytes);
    block_digest_reset(b, blk);
    forget_rewritten(b, blk, datanode_uuids, storage_uuids, count);
    distrust_other_versions(b, blk, uc, b->now_ms);
    struct uc_target *old = uc->targets;
    size_t old_count = uc->target_count;
    for (size_t i = 0; i < old_count; i++)
        unbook(b, uc, &old[i]);
    uc->targets = NULL;
    uc->target_count = uc->target_capacity = 0;
    for (size_t i = 0; i < count; i++) {
        struct storage *s =
            named_storage(b, datanode_uuids ? datanode_uuids[i] : NULL, storage_uuids ? storage_uuids[i] : NULL);
        struct uc_target *t = s ? uc_target_add(b, uc, s, true) : NULL;
        for (size_t k = 0; t && k < old_count; k++) {
            struct storage *was = b->storages[old[k].storage];
            if (!storage_is_usable(was) || was->node != s->node)
                continue;
            target_move(b, uc, t, was); /* where the node said it is */
            bool booked = t->booked;
            if (old[k].gen_stamp >= gen_stamp)
                *t = old[k];
            t->booked = booked;
        }
    }
    free(old);
}

static unsigned good_replicas(const struct blocks *b, const struct block *blk)
{
    struct replica_counts c;
    block_count(b, blk, &c);
    return c.readable;
}

bool blocks_commit(struct blocks *b, uint64_t block_id, uint64_t gen_stamp, uint64_t bytes)
{
    struct block *blk = block_table_find(&b->table, block_id);
    struct uc *uc = blk ? uc_find(b, block_id) : NULL;
    if (!uc)
        return blk && good_replicas(b, blk) >= b->options.replication_min;
    set_bytes(b, uc, bytes);
    uc->gen_stamp = gen_stamp;
    uc->committed = true;
    uc->recovery_id = 0;
    forget_unreported(b, blk, uc);
    if (block_gen_stamp(blk) != gen_stamp || block_bytes(blk) != bytes)
        block_digest_reset(b, blk); /* it was that of what was there before an append */
    block_set_version(blk, gen_stamp, bytes);
    distrust_other_versions(b, blk, uc, b->now_ms);
    for (size_t i = 0; i < uc->target_count; i++) {
        const struct uc_target *t = &uc->targets[i];
        struct storage *s = b->storages[t->storage];
        struct replica *r = storage_is_usable(s) ? block_replica_on(blk, s) : NULL;
        if (r && t->digest && !(r->flags & REPLICA_CORRUPT))
            block_digest_reported(b, blk, r, t->digest, b->now_ms);
    }
    uc->notified = good_replicas(b, blk) >= b->options.replication_min;
    return uc->notified;
}

bool blocks_is_stored(const struct blocks *b, uint64_t block_id)
{
    const struct block *blk = block_table_find(&b->table, block_id);
    const struct uc *uc = blk ? uc_find(b, block_id) : NULL;
    unsigned count = blk ? good_replicas(b, blk) : 0;
    for (size_t i = 0; uc && i < uc->target_count; i++) {
        const struct uc_target *t = &uc->targets[i];
        const struct storage *s = b->storages[t->storage];
        count +=
            storage_is_usable(s) && (t->reported == UC_EXPECTED || t->reported == UC_RBW) && !block_replica_on(blk, s);
    }
    return count >= b->options.replication_min;
}

void blocks_complete(struct blocks *b, uint64_t block_id, uint64_t now_ms)
{
    struct block *blk = block_table_find(&b->table, block_id);
    struct uc *uc = uc_find(b, block_id);
    if (now_ms > b->now_ms)
        b->now_ms = now_ms;
    if (!blk)
        return;
    blk->complete = 1;
    if (uc) {
        block_set_version(blk, uc->gen_stamp, uc->bytes);
        /* The rest of the pipeline is about to report: no reason to copy yet. */
        for (size_t i = 0; i < uc->target_count; i++) {
            struct storage *s = b->storages[uc->targets[i].storage];
            if (storage_is_usable(s) && uc->targets[i].reported != UC_FINALIZED && !block_replica_on(blk, s))
                pending_add(b, blk, s, NULL, now_ms);
        }
        uc_free(b, uc);
    }
    block_update(b, blk, now_ms);
}

/* Those of the last pipeline that have not reported yet: they finished the block before its writer could close it. */
static void expect_unreported(struct blocks *b, struct uc *uc)
{
    const struct pending *p = id_map_get(&b->pending, uc->block_id);
    for (size_t i = 0; p && i < p->count; i++) {
        struct storage *s = b->storages[p->copies[i].target];
        if (p->copies[i].source == NO_INDEX && storage_is_usable(s))
            uc_target_add(b, uc, s, false);
    }
}

void blocks_reopen(struct blocks *b, const struct block_record *record)
{
    struct block *blk = block_table_find(&b->table, record->block_id);
    if (!blk) {
        struct block_record open = *record;
        if (open.state == BLOCK_COMPLETE)
            open.state = BLOCK_UNDER_CONSTRUCTION;
        block_from_record(b, &open);
        return;
    }
    if (uc_find(b, record->block_id))
        return;
    block_uncount(b, blk);
    blk->complete = 0;
    struct uc *uc = uc_new(b, record->block_id, block_gen_stamp(blk), block_bytes(blk), false);
    struct replica *r = block_replicas(blk);
    for (unsigned i = 0; i < blk->replica_count; i++) {
        struct storage *s = b->storages[r[i].storage];
        if (!storage_is_usable(s) || r[i].flags & (REPLICA_CORRUPT | REPLICA_EXCESS))
            continue;
        struct uc_target *t = uc_target_add(b, uc, s, false);
        t->reported = UC_FINALIZED;
        t->from_before = true;
        t->gen_stamp = uc->gen_stamp;
        t->bytes = uc->bytes;
        t->digest = r[i].flags & REPLICA_AGREES ? blk->digest : 0;
    }
    expect_unreported(b, uc);
    pending_cancel(b, record->block_id);
}

/* ---- driven by reports ---- */

static enum uc_reported reported_state(uint32_t state)
{
    switch (state) {
    case HDFS__REPLICA_STATE_PROTO__FINALIZED: return UC_FINALIZED;
    case HDFS__REPLICA_STATE_PROTO__RBW: return UC_RBW;
    default: return UC_RWR;
    }
}

void uc_report(struct blocks *b, struct block *blk, struct storage *s, const struct block_list_entry *e,
               uint64_t now_ms)
{
    struct uc *uc = uc_find(b, e->block_id);
    assert(uc);
    if (e->state == HDFS__REPLICA_STATE_PROTO__TEMPORARY)
        return; /* a copy in the making; it counts when it is finalized */
    enum uc_reported state = reported_state(e->state);
    struct uc_target *t = target_of(b, uc, s->node);
    if (t && t->storage != s->index)
        target_move(b, uc, t, s);
    if (state != UC_FINALIZED) {
        if (!t && e->gen_stamp < uc->gen_stamp)
            return; /* left behind by a pipeline recovery */
        struct replica *r = block_replica_on(blk, s);
        if (t && t->reported == UC_FINALIZED && e->gen_stamp <= t->gen_stamp)
            return; /* news from before it was finalized */
        if (r)
            block_replica_forget(b, blk, (size_t)(r - block_replicas(blk)));
        t = t ? t : uc_target_add(b, uc, s, false);
        if (t) {
            t->reported = (uint8_t)state;
            t->gen_stamp = e->gen_stamp;
            t->bytes = e->length_bytes;
        }
        return;
    }
    if (t && e->gen_stamp < uc->gen_stamp)
        return; /* news from before it was opened again: the pipeline has it now */
    bool is_wrong =
        uc->committed ? e->gen_stamp != uc->gen_stamp || e->length_bytes != uc->bytes : e->gen_stamp < uc->gen_stamp;
    if (is_wrong) {
        block_replica_corrupt(b, blk, s, e->gen_stamp,
                              uc->committed ? "generation stamp or length differ from the committed block's"
                                            : "stale generation stamp",
                              now_ms);
        return;
    }
    t = t ? t : uc_target_add(b, uc, s, false);
    if (!t)
        return;
    unbook(b, uc, t);
    t->reported = UC_FINALIZED;
    t->from_before = false;
    t->gen_stamp = e->gen_stamp;
    t->bytes = e->length_bytes;
    t->digest = digest_fold(e->xxh3);
    block_replica_good(b, blk, s, uc->committed ? t->digest : 0, NULL, now_ms);
    if (uc->committed && !uc->notified && good_replicas(b, blk) >= b->options.replication_min) {
        uc->notified = true;
        QUEUE_PUSH(b->ready, e->block_id);
    }
}

/* ---- recovery of a dead writer's last block ---- */

/* Whoever has the source can make the copy. */
static void copy_from(struct blocks *b, struct uc *uc, const struct block_record *source)
{
    struct block *blk = block_known(b, source->block_id);
    struct replica *r = blk ? block_replicas(blk) : NULL;
    uc->source_id = source->block_id;
    uc->source_stamp = source->gen_stamp;
    uc->source_bytes = source->bytes;
    for (unsigned i = 0; blk && i < blk->replica_count; i++) {
        struct storage *s = b->storages[r[i].storage];
        if (storage_is_usable(s) && !(r[i].flags & (REPLICA_CORRUPT | REPLICA_EXCESS)))
            uc_target_add(b, uc, s, false);
    }
    const struct storage *coming[REPLICAS_MAX];
    for (size_t i = blk ? pending_coming(b, blk, coming) : 0; i-- > 0;)
        uc_target_add(b, uc, b->storages[coming[i]->index], false);
}

int blocks_start_recovery(struct blocks *b, const struct block_record *record, const struct block_record *source,
                          uint64_t recovery_id, uint64_t truncate_bytes, uint64_t now_ms, struct err *reterr)
{
    blocks_reopen(b, record);
    struct uc *uc = uc_find(b, record->block_id);
    assert(uc);
    if (source)
        copy_from(b, uc, source);
    if (now_ms > b->now_ms)
        b->now_ms = now_ms;
    uc->committed = false;
    uc->notified = false;
    uc->recovery_id = recovery_id;
    uc->truncate_bytes = truncate_bytes;
    uc->primary = NO_INDEX;
    b->totals.recoveries_started++;
    struct uc_target *best = NULL;
    for (int round = 0; round < 2 && !best; round++) {
        for (size_t i = 0; i < uc->target_count; i++) {
            struct uc_target *t = &uc->targets[i];
            const struct storage *s = b->storages[t->storage];
            if (round) /* everyone had a turn: start over */
                t->primary_tried = false;
            if (!storage_is_reachable(s) || t->primary_tried)
                continue;
            if (!best || s->node->info.last_heartbeat_ms > b->storages[best->storage]->node->info.last_heartbeat_ms)
                best = t;
        }
    }
    if (!best)
        return err_set(reterr, ERR_NOT_FOUND, "block blk_%llu_%llu: no live datanode has reported a replica to recover",
                       (unsigned long long)record->block_id, (unsigned long long)record->gen_stamp);
    best->primary_tried = true;
    uc->primary = best->storage;
    QUEUE_PUSH(b->storages[best->storage]->node->recoveries, record->block_id);
    return 0;
}

uint64_t blocks_recovery_id(const struct blocks *b, uint64_t block_id)
{
    const struct uc *uc = uc_find(b, block_id);
    return uc ? uc->recovery_id : 0;
}

void uc_ask_again(struct blocks *b, struct datanode *node)
{
    for (size_t i = 0; i < b->under_construction.capacity; i++) {
        const struct uc *uc = b->under_construction.slots[i].value;
        if (!uc || !uc->recovery_id || uc->primary == NO_INDEX)
            continue;
        const struct storage *primary = b->storages[uc->primary];
        if (storage_is_usable(primary) && primary->node == node)
            QUEUE_PUSH(node->recoveries, b->under_construction.slots[i].id);
    }
}

bool uc_recovery_command(struct blocks *b, struct datanode *node, uint64_t block_id, struct arena *a,
                         struct recovery_command *ret)
{
    const struct uc *uc = uc_find(b, block_id);
    if (!uc || !uc->recovery_id || uc->primary == NO_INDEX)
        return false;
    const struct storage *primary = b->storages[uc->primary];
    if (!storage_is_usable(primary) || primary->node != node)
        return false; /* another one was asked meanwhile */
    *ret = (struct recovery_command){.block_id = uc->source_id ? uc->source_id : block_id,
                                     .new_block_id = block_id,
                                     .gen_stamp = uc->source_id ? uc->source_stamp : uc->gen_stamp,
                                     .bytes = uc->source_id ? uc->source_bytes : uc->bytes,
                                     .recovery_id = uc->recovery_id,
                                     .truncate_bytes = uc->truncate_bytes,
                                     .locations = arena_array(a, struct block_location, uc->target_count)};
    /* Silent nodes are left out as long as others can be asked: the primary would wait for them. */
    for (int pass = 0; pass < 2 && !ret->location_count; pass++)
        for (size_t i = 0; i < uc->target_count; i++) {
            const struct storage *s = b->storages[uc->targets[i].storage];
            if (storage_is_reachable(s) && (pass || b->now_ms <= s->node->info.last_heartbeat_ms + b->options.stale_ms))
                ret->locations[ret->location_count++] = storage_location(s, false);
        }
    return ret->location_count > 0;
}

int blocks_recovery_result(struct blocks *b, const struct block_recovery *r, uint64_t now_ms, uint64_t *ret_seq,
                           struct err *reterr)
{
    if (now_ms > b->now_ms)
        b->now_ms = now_ms;
    return b->seam.on_recovered(b->seam.context, r, now_ms, ret_seq, reterr);
}

void blocks_recovered(struct blocks *b, const struct block_recovery *r, uint64_t now_ms)
{
    struct block *blk = block_known(b, r->block_id);
    struct uc *uc = blk ? uc_find(b, r->block_id) : NULL;
    if (!uc) /* complete already: the result came twice */
        return;
    set_bytes(b, uc, r->new_bytes);
    uc->gen_stamp = r->new_gen_stamp;
    uc->recovery_id = 0;
    b->totals.recoveries_done++;
    block_digest_reset(b, blk);
    block_set_version(blk, r->new_gen_stamp, r->new_bytes);
    forget_rewritten(b, blk, r->datanode_uuids, r->storage_uuids, r->count);
    distrust_other_versions(b, blk, uc, now_ms);
    clear_targets(b, uc);
    for (size_t i = 0; i < r->count; i++) {
        struct storage *s = named_storage(b, r->datanode_uuids ? r->datanode_uuids[i] : NULL,
                                          r->storage_uuids ? r->storage_uuids[i] : NULL);
        struct uc_target *t = storage_is_usable(s) ? uc_target_add(b, uc, s, false) : NULL;
        if (!t)
            continue;
        *t = (struct uc_target){
            .storage = s->index, .reported = UC_FINALIZED, .gen_stamp = r->new_gen_stamp, .bytes = r->new_bytes};
        block_replica_good(b, blk, s, 0, NULL, now_ms);
    }
}

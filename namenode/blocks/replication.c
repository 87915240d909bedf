#include <assert.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/mem.h"
#include "namenode/blocks/internal.h"

/* A source may have this much under way per stream it is allowed: many small blocks, or few large ones. */
#define STREAM_BYTES      (64u << 20)
#define STREAM_BLOCKS     32u
#define TARGET_COPIES_MAX 128u
#define EXAMINED_PER_TICK 2048  /* per priority: what cannot be copied now must not keep others waiting */
#define OUTDATED_PER_TICK 65536 /* rows of blocks that need nothing any more: cheap to drop */

/* ---- the queue of blocks that need copies ---- */

void block_set_priority(struct blocks *b, struct block *blk, unsigned priority)
{
    if (blk->priority == priority)
        return;
    if (blk->priority != PRIORITY_NONE)
        b->priority_count[blk->priority]--;
    blk->priority = priority & 7u;
    if (priority == PRIORITY_NONE)
        return;
    b->priority_count[priority]++;
    if (!(blk->queued & BIT(priority))) { /* else it is still in that ring from before */
        QUEUE_PUSH(b->rings[priority], blk->block_id);
        blk->queued |= BIT(priority) & 31u;
    }
}

/* ---- copies under way ---- */

static struct pending *pending_of(const struct blocks *b, const struct block *blk)
{
    return blk->pending ? id_map_get(&b->pending, blk->block_id) : NULL;
}

unsigned pending_count(const struct blocks *b, const struct block *blk)
{
    const struct pending *p = pending_of(b, blk);
    return p ? p->count : 0;
}

void pending_add(struct blocks *b, struct block *blk, struct storage *target, struct datanode *source, uint64_t now_ms)
{
    struct pending *p = pending_of(b, blk);
    if (!p) {
        p = mem_new(struct pending);
        p->block_id = blk->block_id;
        p->bytes = block_bytes(blk);
        id_map_put(&b->pending, blk->block_id, p);
        blk->pending = 1;
    }
    if (p->count == REPLICAS_MAX)
        return;
    p->copies[p->count++] = (struct copy){target->index, source ? source->index : NO_INDEX};
    struct pending_deadline deadline = {blk->block_id, now_ms + b->options.pending_timeout_ms};
    if (p->deadline_ms != deadline.deadline_ms)
        QUEUE_PUSH(b->pending_deadlines, deadline);
    p->deadline_ms = deadline.deadline_ms;
    target->booked_bytes += p->bytes;
    target->node->copies_in++;
    if (source) {
        source->copies_out++;
        source->bytes_out += p->bytes;
    }
}

static void copy_end(struct blocks *b, struct pending *p, size_t index)
{
    struct copy c = p->copies[index];
    struct storage *target = b->storages[c.target]; /* still attached: see pending_cancel_storage() */
    target->booked_bytes -= p->bytes;
    target->node->copies_in--;
    struct datanode *source = c.source == NO_INDEX ? NULL : b->nodes[c.source];
    if (source) {
        source->copies_out--;
        source->bytes_out -= p->bytes;
    }
    p->copies[index] = p->copies[--p->count];
}

static void pending_drop_if_empty(struct blocks *b, struct block *blk, struct pending *p)
{
    if (p->count)
        return;
    free(id_map_remove(&b->pending, p->block_id));
    if (blk)
        blk->pending = 0;
}

bool pending_by_pipeline(const struct blocks *b, const struct block *blk, const struct datanode *node)
{
    const struct pending *p = pending_of(b, blk);
    for (size_t i = 0; p && i < p->count; i++)
        if (p->copies[i].source == NO_INDEX && b->storages[p->copies[i].target]->node == node)
            return true;
    return false;
}

size_t pending_coming(const struct blocks *b, const struct block *blk, const struct storage *ret[REPLICAS_MAX])
{
    const struct pending *p = blk->complete ? pending_of(b, blk) : NULL;
    size_t count = 0;
    for (size_t i = 0; p && i < p->count; i++)
        if (p->copies[i].source == NO_INDEX && storage_is_usable(b->storages[p->copies[i].target]))
            ret[count++] = b->storages[p->copies[i].target];
    return count;
}

void pending_arrived(struct blocks *b, struct block *blk, const struct storage *s)
{
    struct pending *p = pending_of(b, blk);
    for (size_t i = 0; p && i < p->count; i++) {
        const struct storage *target = b->storages[p->copies[i].target];
        if (target->node != s->node)
            continue;
        if (p->copies[i].source != NO_INDEX)
            b->totals.replicas_copied++;
        copy_end(b, p, i);
        break;
    }
    if (p)
        pending_drop_if_empty(b, blk, p);
}

void pending_cancel(struct blocks *b, uint64_t block_id)
{
    struct pending *p = id_map_get(&b->pending, block_id);
    while (p && p->count)
        copy_end(b, p, p->count - 1u);
    if (p)
        pending_drop_if_empty(b, block_table_find(&b->table, block_id), p);
}

/* Ends the copies from or to a node, or to one storage. Bounded by what is under way at one time. */
static void cancel_copies(struct blocks *b, const struct datanode *node, const struct storage *only_target)
{
    AUTO(buf_free) struct buf changed = {0};
    for (size_t i = 0; i < b->pending.capacity; i++) {
        struct pending *p = b->pending.slots[i].value;
        size_t before = p ? p->count : 0;
        for (size_t k = before; k-- > 0;) {
            const struct storage *target = b->storages[p->copies[k].target];
            if (only_target ? target == only_target : p->copies[k].source == node->index || target->node == node)
                copy_end(b, p, k);
        }
        if (p && p->count < before)
            buf_append(&changed, &p->block_id, sizeof p->block_id);
    }
    const uint64_t *ids = (const void *)changed.base;
    for (size_t i = 0; i < changed.len / sizeof *ids; i++) {
        struct block *blk = block_table_find(&b->table, ids[i]);
        pending_drop_if_empty(b, blk, id_map_get(&b->pending, ids[i]));
        if (blk)
            block_update(b, blk, b->now_ms); /* replicas that were about to be reported are not */
    }
}

/* A dead node neither sends nor receives: let others take over at once. */
void pending_cancel_node(struct blocks *b, const struct datanode *node)
{
    cancel_copies(b, node, NULL);
}

void pending_cancel_storage(struct blocks *b, const struct storage *s)
{
    cancel_copies(b, NULL, s);
}

static void pending_expire(struct blocks *b, uint64_t now_ms)
{
    for (int n = 0; n < 4096 && b->pending_deadlines.count; n++) {
        if (QUEUE_AT(b->pending_deadlines, 0).deadline_ms > now_ms)
            return;
        struct pending_deadline due;
        if (!QUEUE_POP(b->pending_deadlines, &due))
            return;
        const struct pending *p = id_map_get(&b->pending, due.block_id);
        if (!p || p->deadline_ms > now_ms)
            continue;
        b->totals.copy_timeouts++;
        log_debug("blocks", "copy.timeout block=%llu copies=%u action=try-again", (unsigned long long)due.block_id,
                  p->count);
        pending_cancel(b, due.block_id);
        struct block *blk = block_table_find(&b->table, due.block_id);
        if (blk)
            block_update(b, blk, now_ms);
    }
}

/* ---- scheduling ---- */

enum scheduled { SCHEDULED, NOT_NEEDED, NO_SOURCE, NO_TARGET };

static bool has_room_to_send(const struct blocks *b, const struct datanode *node, const struct block *blk)
{
    const struct blocks_options *o = &b->options;
    bool is_urgent = blk->priority == PRIORITY_HIGHEST && o->max_streams_urgent > o->max_streams;
    uint32_t streams = is_urgent ? o->max_streams_urgent : o->max_streams;
    return node->copies_out < streams || (node->copies_out < streams * STREAM_BLOCKS &&
                                          node->bytes_out + block_bytes(blk) <= (uint64_t)streams * STREAM_BYTES);
}

/* A good replica's node that can send. Rather none that is silent or whose digest is doubted; else a leaving one first
 * (it has nothing else to do); else by chance. */
static struct datanode *choose_source(struct blocks *b, const struct block *blk)
{
    struct datanode *best = NULL;
    unsigned best_rank = 0;
    uint64_t seen = 0;
    const struct replica *r = block_replicas(blk);
    for (unsigned i = 0; i < blk->replica_count; i++) {
        const struct storage *s = b->storages[r[i].storage];
        if (!storage_is_reachable(s) || r[i].flags & (REPLICA_CORRUPT | REPLICA_EXCESS) || s->node->must_register ||
            s->node->info.admin == DATANODE_IN_MAINTENANCE || !has_room_to_send(b, s->node, blk))
            continue;
        bool is_stale = b->now_ms > s->node->info.last_heartbeat_ms + b->options.stale_ms;
        bool is_doubted = blk->digest && doubt_find(b, blk->block_id, r[i].storage);
        unsigned rank = 1 + (is_doubted ? 0 : 4) + (is_stale ? 0 : 2) + (s->node->info.admin != DATANODE_NORMAL);
        if (rank > best_rank)
            seen = 0;
        if (rank >= best_rank && blocks_random(b) % ++seen == 0) {
            best = s->node;
            best_rank = rank;
        }
    }
    return best;
}

/* A replica is there, or on its way there. */
static void take_place(struct placement *p, const struct storage *s)
{
    if (!storage_is_usable(s))
        return;
    p->taken[p->taken_count++] = s->node;
    if (p->type_count < PLACEMENT_TYPES_MAX)
        p->types[p->type_count++] = s->type;
}

static enum scheduled schedule_copies(struct blocks *b, struct block *blk, uint64_t now_ms)
{
    struct replica_counts c;
    block_count(b, blk, &c);
    unsigned under_way = pending_count(b, blk), sure = counts_sure(&c);
    bool is_misplaced = blk->priority == PRIORITY_MISPLACED;
    unsigned expected = block_wanted(b, blk, &c);
    unsigned wanted =
        is_misplaced ? (under_way ? 0 : 1) : (sure + under_way < expected ? expected - sure - under_way : 0);
    if (!wanted)
        return NOT_NEEDED;
    struct datanode *source = choose_source(b, blk);
    if (!source)
        return NO_SOURCE;
    const struct datanode *taken[3 * REPLICAS_MAX];
    struct storage *targets[REPLICAS_MAX];
    struct placement p = {
        .taken = taken,
        .block_bytes = block_bytes(blk),
        .writer_rack = NO_INDEX,
        .only_new_rack = is_misplaced,
        .policy = b->seam.policy ? b->seam.policy(b->seam.context, blk->block_id) : POLICY_UNSPECIFIED,
        .is_repair = true,
    };
    const struct replica *r = block_replicas(blk);
    for (unsigned i = 0; i < blk->replica_count; i++)
        take_place(&p, b->storages[r[i].storage]);
    const struct pending *pending = pending_of(b, blk);
    for (size_t i = 0; pending && i < pending->count; i++)
        take_place(&p, b->storages[pending->copies[i].target]);
    size_t found = placement_choose(b, &p, wanted > REPLICAS_MAX ? REPLICAS_MAX : wanted, targets);
    if (!found && c.corrupt)
        block_update(b, blk,
                     now_ms); /* a node that could have taken it may be gone since: then the bad one goes first */
    if (!found)
        return NO_TARGET;
    for (size_t i = 0; i < found; i++) {
        if (targets[i]->node->copies_in >= TARGET_COPIES_MAX)
            continue;
        pending_add(b, blk, targets[i], source, now_ms);
        struct transfer t = {blk->block_id, targets[i]->index};
        QUEUE_PUSH(source->transfers, t);
    }
    return SCHEDULED;
}

/* One round over a ring; true if there is more to do at once. */
static bool examine_ring(struct blocks *b, unsigned p, uint64_t now_ms)
{
    unsigned examined = 0, scheduled = 0, outdated = 0;
    uint64_t block_id;
    for (size_t n = b->rings[p].count; n > 0 && examined < EXAMINED_PER_TICK && outdated < OUTDATED_PER_TICK; n--) {
        if (!QUEUE_POP(b->rings[p], &block_id))
            break;
        struct block *blk = block_table_find(&b->table, block_id);
        if (!blk || !(blk->queued & BIT(p))) {
            outdated++;
            continue;
        }
        if (blk->priority != p) {
            blk->queued &= ~BIT(p) & 31u;
            outdated++;
            continue;
        }
        QUEUE_PUSH(b->rings[p], block_id);
        examined++;
        scheduled += p < PRIORITY_LOST && schedule_copies(b, blk, now_ms) == SCHEDULED;
    }
    QUEUE_TRIM(b->rings[p]);
    return outdated == OUTDATED_PER_TICK || (scheduled && examined == EXAMINED_PER_TICK);
}

bool replication_tick(struct blocks *b, uint64_t now_ms)
{
    pending_expire(b, now_ms);
    if (blocks_in_safe_mode(b) || !b->tracking || now_ms < b->copies_hold_until_ms)
        return false;
    bool has_more = false;
    for (unsigned p = 0; p < PRIORITY_LOST; p++)
        has_more |= examine_ring(b, p, now_ms);
    if (b->rings[PRIORITY_LOST].count > 2 * b->priority_count[PRIORITY_LOST] + 1024)
        has_more |= examine_ring(b, PRIORITY_LOST, now_ms); /* only to drop what is outdated */
    return has_more;
}

/* The next copy for this node to send, if it is still wanted. All targets chosen together travel in one pipeline. */
bool replication_take(struct blocks *b, struct datanode *node, struct arena *a, struct transfer_command *ret)
{
    struct transfer t;
    while (QUEUE_POP(node->transfers, &t)) {
        struct block *blk = block_table_find(&b->table, t.block_id);
        const struct pending *p = blk ? pending_of(b, blk) : NULL;
        if (!p)
            continue;
        *ret = (struct transfer_command){.block_id = t.block_id,
                                         .gen_stamp = block_gen_stamp(blk),
                                         .bytes = block_bytes(blk),
                                         .targets = arena_array(a, struct block_location, p->count)};
        for (;;) {
            for (size_t i = 0; i < p->count; i++)
                if (p->copies[i].source == node->index && p->copies[i].target == t.target &&
                    storage_is_usable(b->storages[t.target]) && ret->target_count < p->count) {
                    ret->targets[ret->target_count++] = storage_location(b->storages[t.target], false);
                    break;
                }
            if (!node->transfers.count || QUEUE_AT(node->transfers, 0).block_id != t.block_id)
                break;
            (void)QUEUE_POP(node->transfers, &t);
        }
        if (ret->target_count)
            return true;
    }
    return false;
}

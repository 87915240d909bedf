#include <assert.h>
#include <string.h>

#include "common/log.h"
#include "namenode/blocks/internal.h"

#define MISSED_HEARTBEATS_MAX    3 /* a storage that stays out of that many heartbeats in a row is gone */
#define TRANSFERS_PER_HEARTBEAT  256
#define RECOVERIES_PER_HEARTBEAT 64
#define LEASES_MAX               6 /* dfs.namenode.max.full.block.report.leases */
#define LEASE_MS                 300000

static void take_storages(struct blocks *b, struct datanode *node, const struct heartbeat *h)
{
    for (size_t i = 0; i < node->storage_count && h->storage_count; i++)
        node->storages[i]->missed_heartbeats++;
    for (size_t i = 0; i < h->storage_count; i++) {
        const struct storage_report *r = &h->storages[i];
        struct storage *s = datanode_storage(b, node, r->uuid, r->type);
        if (!s)
            continue;
        s->missed_heartbeats = 0;
        s->capacity_bytes = r->capacity_bytes;
        s->used_bytes = r->used_bytes;
        s->non_dfs_used_bytes = r->non_dfs_used_bytes;
        s->remaining_bytes = r->remaining_bytes;
        s->pool_used_bytes = r->pool_used_bytes;
        if (r->failed && !s->failed) {
            log_warn("blocks", "storage.failed dn=%s:%u storage=%s blocks=%u action=replicate-its-blocks", node->ip,
                     node->info.xfer_port, s->uuid, s->block_count);
            s->failed = true;
            s->missed_heartbeats = MISSED_HEARTBEATS_MAX; /* detached below */
        } else if (!r->failed && s->failed) {
            node->must_register = true; /* healthy again: its replicas are unknown to us until a full report */
            s->failed = false;
        }
    }
    for (size_t i = node->storage_count; i-- > 0;) {
        struct storage *s = node->storages[i];
        if (s->missed_heartbeats < MISSED_HEARTBEATS_MAX)
            continue;
        bool failed = s->failed;
        char *uuid = s->uuid;
        uint8_t type = s->type;
        if (failed && !s->block_count && !s->booked_bytes) {
            s->missed_heartbeats = 0;
            continue;
        }
        storage_detach(b, s);
        struct storage *again = failed ? datanode_storage(b, node, uuid, type) : NULL;
        if (again) /* stays listed as failed, without replicas */
            again->failed = true;
        else
            log_warn("blocks", "storage.gone dn=%s:%u storage=%s action=replicate-its-blocks", node->ip,
                     node->info.xfer_port, uuid);
    }
}

static void add_up(struct datanode *node)
{
    struct datanode_info *n = &node->info;
    n->capacity_bytes = n->used_bytes = n->non_dfs_used_bytes = n->remaining_bytes = n->pool_used_bytes = 0;
    n->block_count = 0;
    for (size_t i = 0; i < node->storage_count; i++) {
        const struct storage *s = node->storages[i];
        n->block_count += s->block_count;
        if (s->failed)
            continue;
        n->capacity_bytes += s->capacity_bytes;
        n->used_bytes += s->used_bytes;
        n->non_dfs_used_bytes += s->non_dfs_used_bytes;
        n->remaining_bytes += s->remaining_bytes;
        n->pool_used_bytes += s->pool_used_bytes;
    }
}

/* Full reports are dear: only a few nodes at a time may send one. */
static uint64_t grant_lease(struct blocks *b, struct datanode *node, uint64_t now_ms)
{
    size_t held = 0;
    for (size_t i = 0; i < b->node_count; i++)
        held += b->nodes[i] && b->nodes[i] != node && b->nodes[i]->lease_id && b->nodes[i]->lease_until_ms > now_ms;
    if (held >= LEASES_MAX)
        return 0;
    node->lease_id = blocks_random(b) >> 1 | 1;
    node->lease_until_ms = now_ms + LEASE_MS;
    return node->lease_id;
}

/* A deletion of an excess replica is called off if the block would need that replica after all. */
static bool is_still_wanted_gone(struct blocks *b, struct datanode *node, const struct invalidation *item)
{
    struct block *blk = block_table_find(&b->table, item->block_id);
    if (!blk || !blk->complete)
        return true;
    struct replica *r = block_replicas(blk);
    for (unsigned i = 0; i < blk->replica_count; i++) {
        const struct storage *s = b->storages[r[i].storage];
        if (!storage_is_usable(s) || s->node != node)
            continue;
        if (item->gen_stamp != block_gen_stamp(blk)) /* of a version from before an append */
            return true;
        if (!(r[i].flags & REPLICA_EXCESS))
            return r[i].flags & REPLICA_CORRUPT;
        struct replica_counts c;
        block_count(b, blk, &c);
        if (counts_sure(&c) >= blk->expected)
            return true;
        r[i].flags &= (uint8_t) ~(REPLICA_EXCESS | REPLICA_QUEUED);
        b->excess_count--;
        block_update(b, blk, b->now_ms);
        return false;
    }
    return true;
}

static void take_invalidations(struct blocks *b, struct datanode *node, struct arena *a, struct datanode_commands *ret)
{
    size_t limit = node->invalidations.count < b->options.invalidate_limit ? node->invalidations.count
                                                                           : b->options.invalidate_limit;
    ret->invalidates = arena_array(a, struct invalidate_command, limit);
    struct invalidation item;
    for (size_t i = 0; i < limit && QUEUE_POP(node->invalidations, &item); i++) {
        if (!is_still_wanted_gone(b, node, &item))
            continue;
        ret->invalidates[ret->invalidate_count++] = (struct invalidate_command){item.block_id, item.gen_stamp};
        b->totals.replicas_invalidated++;
    }
    QUEUE_TRIM(node->invalidations);
}

static void take_commands(struct blocks *b, struct datanode *node, struct arena *a, struct datanode_commands *ret)
{
    uint64_t block_id;
    if (node->recoveries.count)
        ret->recoveries = arena_array(a, struct recovery_command, RECOVERIES_PER_HEARTBEAT);
    while (ret->recovery_count < RECOVERIES_PER_HEARTBEAT && QUEUE_POP(node->recoveries, &block_id))
        ret->recovery_count += uc_recovery_command(b, node, block_id, a, &ret->recoveries[ret->recovery_count]);
    if (node->transfers.count)
        ret->transfers = arena_array(a, struct transfer_command, TRANSFERS_PER_HEARTBEAT);
    while (ret->transfer_count < TRANSFERS_PER_HEARTBEAT && node->transfers.count &&
           replication_take(b, node, a, &ret->transfers[ret->transfer_count]))
        ret->transfer_count++;
    if (node->invalidations.count)
        take_invalidations(b, node, a, ret);
    cached_take(b, node, a, ret);
    if (b->balancer_bytes_per_second && !node->bandwidth_told) {
        ret->balancer_bytes_per_second = b->balancer_bytes_per_second;
        node->bandwidth_told = true;
    }
}

int blocks_heartbeat(struct blocks *b, struct datanode *node, const struct heartbeat *h, uint64_t now_ms,
                     struct arena *a, struct datanode_commands *ret, struct err *reterr)
{
    *ret = (struct datanode_commands){0};
    if (now_ms > b->now_ms)
        b->now_ms = now_ms;
    if (!node->info.alive || node->must_register)
        return err_set(reterr, ERR_UNREGISTERED_NODE, "datanode %s:%u must register again", node->ip,
                       node->info.xfer_port);
    b->totals.heartbeats++;
    node->info.last_heartbeat_ms = now_ms;
    node->info.stale = false;
    node->info.xceivers = h->xceivers;
    node->info.transfers = h->transfers;
    node->info.failed_volumes = h->failed_volumes;
    node->info.cache_capacity_bytes = h->cache_capacity_bytes;
    node->info.cache_used_bytes = h->cache_used_bytes;
    take_storages(b, node, h);
    add_up(node);
    if (h->wants_report_lease)
        ret->report_lease_id = grant_lease(b, node, now_ms);
    if (!blocks_in_safe_mode(b))
        take_commands(b, node, a, ret);
    return 0;
}

void blocks_lifeline(struct blocks *b, struct datanode *node, uint64_t now_ms)
{
    if (node->info.alive)
        node->info.last_heartbeat_ms = now_ms;
}

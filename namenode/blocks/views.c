#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/net.h"
#include "namenode/blocks/internal.h"

/* ---- one block ---- */

struct ranked {
    struct block_location location;
    uint64_t rank;
};

static int by_rank(const void *x, const void *y)
{
    uint64_t a = ((const struct ranked *)x)->rank, c = ((const struct ranked *)y)->rank;
    return a < c ? -1 : a > c;
}

/* Nearest first: the client's node, its rack, others; among equals by chance, so that load spreads. Nodes that are
 * leaving or silent come after all others. */
static uint64_t rank_of(struct blocks *b, const struct storage *s, const char *client_ip, int client_rack)
{
    const struct datanode *node = s->node;
    uint64_t distance = client_ip && strcmp(node->ip, client_ip) == 0 ? 0 : client_rack == node->rack ? 1 : 2;
    uint64_t is_stale = b->now_ms > node->info.last_heartbeat_ms + b->options.stale_ms;
    uint64_t has_left = node->info.admin == DATANODE_DECOMMISSIONED;
    uint64_t is_leaving = node->info.admin == DATANODE_ENTERING_MAINTENANCE;
    return has_left << 62 | is_leaving << 61 | is_stale << 60 | distance << 56 | blocks_random(b) >> 16;
}

static int rack_of_client(const struct blocks *b, const char *client_ip)
{
    const struct datanode *node = client_ip ? datanode_find_ip(b, client_ip) : NULL;
    return node ? node->rack : client_ip ? rack_lookup(b, client_ip) : -1;
}

/* The best ones, in order. */
static size_t take_best(struct ranked *found, size_t count, struct block_location *ret, size_t ret_max)
{
    if (count)
        qsort(found, count, sizeof *found, by_rank);
    if (count > ret_max)
        count = ret_max;
    for (size_t i = 0; i < count; i++)
        ret[i] = found[i].location;
    return count;
}

static const struct storage *first_reachable(const struct datanode *node)
{
    for (size_t i = 0; node && i < node->storage_count; i++)
        if (storage_is_reachable(node->storages[i]))
            return node->storages[i];
    return NULL;
}

size_t blocks_anywhere(struct blocks *b, const char *client_ip, struct block_location *ret, size_t ret_max)
{
    struct ranked *found = mem_calloc(b->node_count, sizeof *found);
    int client_rack = rack_of_client(b, client_ip);
    size_t count = 0;
    for (size_t i = 0; i < b->node_count; i++) {
        const struct storage *s = first_reachable(b->nodes[i]);
        if (s && s->node->info.admin != DATANODE_IN_MAINTENANCE)
            found[count++] = (struct ranked){storage_location(s, false), rank_of(b, s, client_ip, client_rack)};
    }
    count = take_best(found, count, ret, ret_max);
    free(found);
    return count;
}

size_t blocks_locations(struct blocks *b, uint64_t block_id, const char *client_ip, struct block_location *ret,
                        size_t ret_max)
{
    const struct block *blk = block_table_find(&b->table, block_id);
    if (!blk)
        return 0;
    int client_rack = rack_of_client(b, client_ip);
    struct ranked found[2 * REPLICAS_MAX];
    const struct storage *coming[REPLICAS_MAX];
    size_t count = 0;
    const struct uc *uc = blk->complete ? NULL : uc_find(b, block_id);
    for (size_t i = 0; uc && i < uc->target_count; i++) {
        const struct storage *s = b->storages[uc->targets[i].storage];
        if (storage_is_reachable(s))
            found[count++] = (struct ranked){storage_location(s, false), rank_of(b, s, client_ip, client_rack)};
    }
    for (size_t i = pending_coming(b, blk, coming); i-- > 0;)
        if (storage_is_reachable(coming[i]) && coming[i]->node->info.admin != DATANODE_IN_MAINTENANCE)
            found[count++] =
                (struct ranked){storage_location(coming[i], false), rank_of(b, coming[i], client_ip, client_rack)};
    const struct replica *r = block_replicas(blk);
    for (int corrupt = 0; corrupt < 2 && !uc && (!corrupt || !count); corrupt++)
        for (unsigned i = 0; i < blk->replica_count; i++) {
            const struct storage *s = b->storages[r[i].storage];
            if (!storage_is_reachable(s) || !!(r[i].flags & REPLICA_CORRUPT) != corrupt ||
                r[i].flags & REPLICA_EXCESS || s->node->info.admin == DATANODE_IN_MAINTENANCE)
                continue;
            found[count] = (struct ranked){storage_location(s, corrupt), rank_of(b, s, client_ip, client_rack)};
            found[count++].location.cached = cached_is_on(b, block_id, s->node);
        }
    return take_best(found, count, ret, ret_max);
}

size_t blocks_replicas(const struct blocks *b, uint64_t block_id, struct block_location *ret, size_t ret_max)
{
    const struct block *blk = block_table_find(&b->table, block_id);
    const struct uc *uc = blk && !blk->complete ? uc_find(b, block_id) : NULL;
    size_t count = 0;
    for (size_t i = 0; uc && i < uc->target_count && count < ret_max; i++)
        if (storage_is_usable(b->storages[uc->targets[i].storage]))
            ret[count++] = storage_location(b->storages[uc->targets[i].storage], false);
    const struct replica *r = blk ? block_replicas(blk) : NULL;
    for (unsigned i = 0; blk && !uc && i < blk->replica_count && count < ret_max; i++) {
        if (!storage_is_usable(b->storages[r[i].storage]))
            continue;
        ret[count] = storage_location(b->storages[r[i].storage], r[i].flags & REPLICA_CORRUPT);
        ret[count++].excess = r[i].flags & REPLICA_EXCESS;
    }
    const struct storage *coming[REPLICAS_MAX];
    for (size_t i = blk ? pending_coming(b, blk, coming) : 0; i-- > 0 && count < ret_max;)
        ret[count++] = storage_location(coming[i], false);
    return count;
}

void blocks_health(const struct blocks *b, uint64_t block_id, struct block_health *ret)
{
    *ret = (struct block_health){0};
    const struct block *blk = block_table_find(&b->table, block_id);
    if (!blk)
        return;
    struct replica_counts c;
    block_count(b, blk, &c);
    *ret = (struct block_health){
        .expected = (uint16_t)blk->expected,
        .live = (uint16_t)c.live,
        .corrupt = (uint16_t)c.corrupt,
        .excess = (uint16_t)c.excess,
        .stale = (uint16_t)c.stale,
        .decommissioning = (uint16_t)c.decommissioning,
        .decommissioned = (uint16_t)c.decommissioned,
        .entering_maintenance = (uint16_t)c.entering_maintenance,
        .in_maintenance = (uint16_t)c.in_maintenance,
        .pending = (uint16_t)pending_count(b, blk),
        .racks = (uint16_t)c.racks,
        .is_misplaced = c.racks == 1 && blk->expected > 1 && b->has_racks,
    };
}

/* ---- hosts that never came ---- */

#define PORT_XFER 9866 /* of an entry without one */

/* Is this entry of dfs.hosts an address of which no datanode is known? Such a one counts as dead, as in HDFS, so that
 * an operator sees it. An entry that is a name has its addresses as entries behind it. */
static bool is_absent(const struct blocks *b, size_t index)
{
    const struct host_entry *e = &b->hosts.entries[index];
    if (!e->may_join || !net_is_literal(e->host) || blocks_datanode_by_ip(b, e->host, e->port))
        return false;
    for (size_t i = 0; i < index; i++)
        if (b->hosts.entries[i].may_join && b->hosts.entries[i].port == e->port &&
            !strcmp(b->hosts.entries[i].host, e->host))
            return false;
    return true;
}

static const struct datanode_info *absent_node(const struct host_entry *e, struct arena *a)
{
    struct datanode *node = arena_new(a, struct datanode);
    node->info = (struct datanode_info){.uuid = "",
                                        .ip = e->host,
                                        .hostname = e->host,
                                        .rack = "/default-rack",
                                        .software_version = "",
                                        .xfer_port = e->port ? e->port : PORT_XFER,
                                        .admin = e->wanted};
    return &node->info;
}

/* ---- the cluster ---- */

static void count_node(const struct blocks *b, const struct datanode *node, struct blocks_stats *ret)
{
    const struct datanode_info *n = &node->info;
    ret->pending_deletion += node->invalidations.count;
    ret->failed_volumes += n->failed_volumes;
    bool left = n->admin == DATANODE_DECOMMISSIONED;
    if (!n->alive) {
        ret->dead++;
        ret->decommissioned_dead += left;
        ret->in_maintenance_dead += n->admin == DATANODE_IN_MAINTENANCE;
        return;
    }
    ret->live++;
    ret->stale += b->now_ms > n->last_heartbeat_ms + b->options.stale_ms;
    ret->decommissioned_live += left;
    ret->decommissioning += n->admin == DATANODE_DECOMMISSION_IN_PROGRESS;
    ret->entering_maintenance += n->admin == DATANODE_ENTERING_MAINTENANCE;
    ret->in_maintenance_live += n->admin == DATANODE_IN_MAINTENANCE;
    ret->xceivers += n->xceivers;
    ret->used_bytes += n->used_bytes;
    ret->pool_used_bytes += n->pool_used_bytes;
    if (n->admin == DATANODE_NORMAL) {
        ret->capacity_bytes += n->capacity_bytes;
        ret->non_dfs_used_bytes += n->non_dfs_used_bytes;
        ret->remaining_bytes += n->remaining_bytes;
    } else { /* room on a leaving node is no room */
        ret->capacity_bytes += n->used_bytes;
    }
}

static uint64_t queue_memory(const struct blocks *b)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < PRIORITY_COUNT; i++)
        bytes += b->rings[i].capacity * sizeof *b->rings[i].items;
    for (size_t i = 0; i < b->node_count; i++)
        if (b->nodes[i])
            bytes += sizeof *b->nodes[i] + b->nodes[i]->invalidations.capacity * sizeof(struct invalidation);
    return bytes;
}

void blocks_stats(const struct blocks *b, struct blocks_stats *ret)
{
    *ret = b->totals;
    for (size_t i = 0; i < b->node_count; i++)
        if (b->nodes[i])
            count_node(b, b->nodes[i], ret);
    for (size_t i = 0; b->hosts.is_closed && i < b->hosts.count; i++)
        ret->dead += is_absent(b, i);
    const uint64_t *p = b->priority_count;
    ret->blocks_total = b->seam.total_complete_blocks(b->seam.context);
    ret->under_replicated =
        p[PRIORITY_HIGHEST] + p[PRIORITY_VERY_LOW] + p[PRIORITY_LOW_REDUNDANCY] + p[PRIORITY_MISPLACED];
    ret->low_redundancy_highest = p[PRIORITY_HIGHEST];
    ret->misplaced = p[PRIORITY_MISPLACED];
    ret->corrupt = b->corrupt_count;
    ret->missing = ret->blocks_total > b->available_count ? ret->blocks_total - b->available_count : 0;
    ret->missing_replication_one = b->lost_one_count;
    ret->pending_replication = b->pending.count;
    ret->scheduled_replication = 0;
    for (size_t i = 0; i < b->node_count; i++)
        ret->scheduled_replication += b->nodes[i] ? b->nodes[i]->transfers.count : 0;
    ret->excess = b->excess_count;
    ret->blocks_in_memory = b->table.count;
    ret->under_construction = b->under_construction.count;
    ret->replicas = b->replica_count;
    ret->memory_bytes = block_table_memory(&b->table) + queue_memory(b);
}

static bool is_of_type(const struct datanode_info *n, enum datanode_list_type type)
{
    switch (type) {
    case DATANODES_LIVE: return n->alive;
    case DATANODES_DEAD: return !n->alive;
    case DATANODES_DECOMMISSIONING: return n->alive && n->admin == DATANODE_DECOMMISSION_IN_PROGRESS;
    case DATANODES_ENTERING_MAINTENANCE: return n->alive && n->admin == DATANODE_ENTERING_MAINTENANCE;
    case DATANODES_IN_MAINTENANCE: return n->admin == DATANODE_IN_MAINTENANCE;
    case DATANODES_ALL: break;
    }
    return true;
}

static int by_address(const void *x, const void *y)
{
    const struct datanode_info *a = *(const struct datanode_info *const *)x,
                               *c = *(const struct datanode_info *const *)y;
    int order = strverscmp(a->ip, c->ip);
    return order ? order : (int)a->xfer_port - (int)c->xfer_port;
}

size_t blocks_datanodes(const struct blocks *b, enum datanode_list_type type, struct arena *a,
                        const struct datanode_info ***ret)
{
    bool with_absent = b->hosts.is_closed && (type == DATANODES_ALL || type == DATANODES_DEAD);
    *ret = arena_array(a, const struct datanode_info *, b->node_count + b->hosts.count + 1);
    size_t count = 0;
    for (size_t i = 0; i < b->node_count; i++)
        if (b->nodes[i] && is_of_type(&b->nodes[i]->info, type))
            (*ret)[count++] = &b->nodes[i]->info;
    for (size_t i = 0; with_absent && i < b->hosts.count; i++)
        if (is_absent(b, i))
            (*ret)[count++] = absent_node(&b->hosts.entries[i], a);
    if (count)
        qsort(*ret, count, sizeof **ret, by_address);
    return count;
}

size_t blocks_storages(const struct blocks *b, const struct datanode_info *info, struct arena *a,
                       struct storage_info **ret)
{
    const struct datanode *node = container_of(info, struct datanode, info);
    *ret = arena_array(a, struct storage_info, node->storage_count + 1);
    for (size_t i = 0; i < node->storage_count; i++) {
        const struct storage *s = node->storages[i];
        (*ret)[i] = (struct storage_info){.uuid = s->uuid,
                                          .type = s->type,
                                          .failed = s->failed,
                                          .capacity_bytes = s->capacity_bytes,
                                          .used_bytes = s->used_bytes,
                                          .remaining_bytes = s->remaining_bytes,
                                          .pool_used_bytes = s->pool_used_bytes,
                                          .block_count = s->block_count};
    }
    return node->storage_count;
}

/* ---- lists of blocks ---- */

static void block_line(const struct blocks *b, const struct block *blk, struct buf *ret)
{
    struct replica_counts c;
    block_count(b, blk, &c);
    buf_printf(ret,
               "blk_%" PRIu64 "_%" PRIu64 " size=%" PRIu64 " (replicas: live: %u decommissioning and decommissioned: "
               "%u corrupt: %u in excess: %u wanted: %u)",
               blk->block_id, block_gen_stamp(blk), block_bytes(blk), c.live, c.decommissioning + c.decommissioned,
               c.corrupt, c.excess, (unsigned)blk->expected);
    const struct replica *r = block_replicas(blk);
    for (unsigned i = 0; i < blk->replica_count; i++) {
        const struct storage *s = b->storages[r[i].storage];
        if (storage_is_usable(s))
            buf_printf(ret, " %s:%u%s", s->node->ip, s->node->info.xfer_port,
                       r[i].flags & REPLICA_CORRUPT  ? "(corrupt)"
                       : r[i].flags & REPLICA_EXCESS ? "(excess)"
                                                     : "");
    }
    buf_append_str(ret, "\n");
}

static void ring_lines(const struct blocks *b, unsigned priority, size_t lines_max, size_t *lines, struct buf *ret)
{
    for (size_t i = 0; i < b->rings[priority].count && *lines < lines_max; i++) {
        const struct block *blk = block_table_find(&b->table, QUEUE_AT(b->rings[priority], i));
        if (!blk || blk->priority != priority)
            continue;
        block_line(b, blk, ret);
        ++*lines;
    }
}

void blocks_metasave(const struct blocks *b, uint64_t now_ms, size_t lines_max, struct buf *ret)
{
    struct blocks_stats stats;
    blocks_stats(b, &stats);
    size_t lines = 0;
    buf_printf(ret, "Live Datanodes: %u\nDead Datanodes: %u\n", stats.live, stats.dead);
    buf_printf(ret, "Metasave: Blocks waiting for reconstruction: %" PRIu64 "\n", stats.under_replicated);
    for (unsigned p = 0; p < PRIORITY_LOST; p++)
        ring_lines(b, p, lines_max, &lines, ret);
    lines = 0;
    buf_printf(ret, "Metasave: Blocks currently missing: %" PRIu64 "\n", stats.missing);
    ring_lines(b, PRIORITY_LOST, lines_max, &lines, ret);
    buf_printf(ret, "Metasave: Blocks being reconstructed: %zu\n", b->pending.count);
    lines = 0;
    for (size_t i = 0; i < b->pending.capacity && lines < lines_max; i++) {
        const struct pending *p = b->pending.slots[i].value;
        if (!p)
            continue;
        buf_printf(ret, "blk_%" PRIu64 " copies: %u time-out in: %" PRIu64 " ms\n", p->block_id, p->count,
                   p->deadline_ms > now_ms ? p->deadline_ms - now_ms : 0);
        lines++;
    }
    buf_printf(ret, "Metasave: Blocks %" PRIu64 " waiting deletion from %u datanodes.\n", stats.pending_deletion,
               stats.live);
    for (size_t i = 0; i < b->node_count; i++)
        if (b->nodes[i] && b->nodes[i]->invalidations.count)
            buf_printf(ret, "%s:%u: %zu blocks\n", b->nodes[i]->ip, b->nodes[i]->info.xfer_port,
                       b->nodes[i]->invalidations.count);
    buf_printf(ret, "Metasave: Number of datanodes: %u\n", stats.live);
    for (size_t i = 0; i < b->node_count; i++) {
        const struct datanode_info *n = b->nodes[i] ? &b->nodes[i]->info : NULL;
        if (n && n->alive)
            buf_printf(ret, "%s:%u %s IN %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", n->ip, n->xfer_port, n->rack,
                       n->capacity_bytes, n->used_bytes, n->remaining_bytes);
    }
}

bool blocks_is_lost(const struct blocks *b, uint64_t block_id)
{
    const struct block *blk = block_table_find(&b->table, block_id);
    return b->tracking && (!blk || blk->priority == PRIORITY_LOST); /* what nobody has ever reported has no row */
}

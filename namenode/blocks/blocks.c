#include "namenode/blocks/blocks.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "namenode/blocks/internal.h"

void queue_resize(void *items_p, size_t item_bytes, size_t *head, size_t count, size_t *capacity, size_t new_capacity)
{
    char **items = items_p;
    char *moved = mem_calloc(new_capacity, item_bytes);
    size_t first = *capacity - *head; /* up to the array's end, the rest wraps around */
    first = first < count ? first : count;
    if (count) {
        memcpy(moved, *items + *head * item_bytes, first * item_bytes);
        memcpy(moved + first * item_bytes, *items, (count - first) * item_bytes);
    }
    free(*items);
    *items = moved;
    *head = 0;
    *capacity = new_capacity;
}

uint64_t blocks_random(struct blocks *b)
{
    b->random += 0x9e3779b97f4a7c15u;
    uint64_t x = b->random;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

void blocks_options_from_config(struct blocks_options *ret, const struct config *c)
{
    *ret = (struct blocks_options){
        .replication_min = (uint16_t)config_int(c, "dfs.namenode.replication.min"),
        .maintenance_min = (uint16_t)config_int(c, "dfs.namenode.maintenance.replication.min"),
        .replication_max = (uint16_t)config_int(c, "dfs.replication.max"),
        .default_replication = (uint16_t)config_int(c, "dfs.replication"),
        .safe_mode_threshold = config_float(c, "dfs.namenode.safemode.threshold-pct"),
        .safe_mode_min_datanodes = (uint32_t)config_int(c, "dfs.namenode.safemode.min.datanodes"),
        .safe_mode_extension_ms = (uint64_t)config_ms(c, "dfs.namenode.safemode.extension"),
        .heartbeat_ms = (uint64_t)config_ms(c, "dfs.heartbeat.interval"),
        .recheck_ms = (uint64_t)config_ms(c, "dfs.namenode.heartbeat.recheck-interval"),
        .stale_ms = (uint64_t)config_ms(c, "dfs.namenode.stale.datanode.interval"),
        .max_streams = (uint32_t)config_int(c, "dfs.namenode.replication.max-streams"),
        .max_streams_urgent = (uint32_t)config_int(c, "dfs.namenode.replication.max-streams-hard-limit"),
        .pending_timeout_ms = (uint64_t)config_ms(c, "dfs.namenode.reconstruction.pending.timeout-sec"),
        .invalidate_limit = (uint32_t)config_int(c, "dfs.block.invalidate.limit"),
        .consider_load = true,
        .default_policy = storage_policy_default(c),
        .report_interval_ms = (uint64_t)config_ms(c, "dfs.blockreport.intervalMsec"),
    };
}

void blocks_reconfigure(struct blocks *b, const struct config *c)
{
    struct blocks_options fresh;
    blocks_options_from_config(&fresh, c);
    b->options.heartbeat_ms = fresh.heartbeat_ms;
    b->options.recheck_ms = fresh.recheck_ms;
    b->options.max_streams = fresh.max_streams;
    b->options.max_streams_urgent = fresh.max_streams_urgent;
    b->options.pending_timeout_ms = fresh.pending_timeout_ms;
    b->options.invalidate_limit = fresh.invalidate_limit;
}

struct blocks *blocks_new(const struct blocks_options *options, const struct blocks_seam *seam, uint64_t now_ms)
{
    struct blocks *b = mem_new(struct blocks);
    b->options = *options;
    b->seam = *seam;
    b->pool_id = mem_strdup(options->pool_id ? options->pool_id : "");
    b->options.pool_id = b->pool_id;
    b->random = options->seed;
    b->now_ms = now_ms;
    rack_intern(b, "/default-rack");
    b->safe_mode = SAFE_MODE_PENDING;
    safe_mode_tick(b, now_ms);
    return b;
}

static void free_doubts(void *doubts)
{
    free(doubts);
}

void blocks_free(struct blocks *b)
{
    if (!b)
        return;
    id_map_free(&b->under_construction, uc_free_value);
    id_map_free(&b->cached, cached_free_value);
    id_map_free(&b->pending, free_doubts);
    id_map_free(&b->doubts, free_doubts);
    block_table_free(&b->table);
    for (size_t i = 0; i < b->node_count; i++)
        if (b->nodes[i])
            datanode_free(b->nodes[i]);
    for (size_t i = 0; i < b->storage_count; i++)
        if (b->storages[i])
            storage_free(b->storages[i]);
    for (size_t i = 0; i < PRIORITY_COUNT; i++)
        free(b->rings[i].items);
    free(b->pending_deadlines.items);
    free(b->ready.items);
    free(b->nodes);
    free(b->storages);
    topology_free(b);
    host_list_free(&b->hosts);
    free(b->pool_id);
    free(b);
}

void blocks_drain_ready(struct blocks *b)
{
    if (b->is_draining)
        return;
    b->is_draining = true;
    uint64_t block_id;
    while (QUEUE_POP(b->ready, &block_id))
        b->seam.on_min_replicas(b->seam.context, block_id);
    b->is_draining = false;
}

bool blocks_tick(struct blocks *b, uint64_t now_ms)
{
    if (now_ms > b->now_ms)
        b->now_ms = now_ms;
    datanodes_tick(b, now_ms);
    admin_tick(b, now_ms);
    bool has_more = sweep_tick(b);
    safe_mode_tick(b, now_ms);
    has_more |= replication_tick(b, now_ms);
    blocks_drain_ready(b);
    return has_more;
}

#include "client/lib/lost_nodes.h"

#include <string.h>

#include "client/lib/dfs_convert.h"
#include "common/clock.h"

#define LOST_MAX        64 /* more failures than that say nothing about the nodes any more */
#define LOST_MEMORY_MAX (64u << 20)

static void append(struct lost_nodes *l, const struct dfs_datanode *d, int64_t since_ms)
{
    if (!l->nodes) {
        arena_init(&l->arena, LOST_MEMORY_MAX);
        l->nodes = arena_array(&l->arena, struct dfs_datanode, LOST_MAX);
        l->since_ms = arena_array(&l->arena, int64_t, LOST_MAX);
    }
    copy_datanode(d, &l->arena, &l->nodes[l->count]);
    l->since_ms[l->count++] = since_ms;
}

/* Copies them, so that what is forgotten takes no memory any more. */
static void rebuild(struct lost_nodes *l, int64_t since_ms, const char *without_uuid)
{
    struct lost_nodes kept = {0};
    for (size_t i = 0; i < l->count; i++)
        if (l->since_ms[i] >= since_ms && (!without_uuid || strcmp(l->nodes[i].uuid, without_uuid) != 0))
            append(&kept, &l->nodes[i], l->since_ms[i]);
    lost_nodes_clear(l);
    *l = kept;
}

void lost_nodes_add(struct lost_nodes *l, const struct dfs_datanode *d)
{
    rebuild(l, INT64_MIN, d->uuid);
    if (l->count == LOST_MAX)
        lost_nodes_clear(l);
    append(l, d, clock_mono_ms());
}

void lost_nodes_keep(struct lost_nodes *l, int64_t since_ms)
{
    if (l->count && l->since_ms[0] < since_ms)
        rebuild(l, since_ms, NULL);
}

void lost_nodes_clear(struct lost_nodes *l)
{
    if (l->nodes)
        arena_free(&l->arena);
    *l = (struct lost_nodes){0};
}

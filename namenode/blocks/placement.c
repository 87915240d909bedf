#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "namenode/blocks/internal.h"

struct block_location storage_location(const struct storage *s, bool corrupt)
{
    return (struct block_location){&s->node->info, s->uuid, s->type, corrupt};
}

static bool is_in(const struct datanode *node, const struct datanode *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == node)
            return true;
    return false;
}

static uint64_t free_bytes(const struct storage *s)
{
    return s->remaining_bytes > s->booked_bytes ? s->remaining_bytes - s->booked_bytes : 0;
}

enum strictness { AVOID_BUSY_AND_STALE, AVOID_STALE, ANY_ALIVE };

struct chooser {
    struct blocks *b;
    const struct placement *p;
    uint64_t load_limit;            /* twice the average number of transfers */
    uint16_t wanted[STORAGE_TYPES]; /* replicas still to be placed, by type */
    bool is_missing[STORAGE_TYPES]; /* no node has room of this type: the policy's fallback takes its place */
};

/* Of the types that are wanted: the fastest one the node has, there the storage with most room. NULL if none has
 * enough. */
static struct storage *best_storage(const struct chooser *c, const struct datanode *node)
{
    static const uint8_t rank[STORAGE_TYPES] = {9, 2, 1, 3, 0, 4, 5}; /* the order in which HDFS tries them */
    struct storage *best = NULL;
    for (size_t i = 0; i < node->storage_count; i++) {
        struct storage *s = node->storages[i];
        if (!storage_is_usable(s) || s->type >= STORAGE_TYPES || !c->wanted[s->type] ||
            free_bytes(s) < c->p->block_bytes)
            continue;
        if (!best || rank[s->type] < rank[best->type] || (s->type == best->type && free_bytes(s) > free_bytes(best)))
            best = s;
    }
    return best;
}

static bool is_good(const struct chooser *c, const struct datanode *node, enum strictness strictness)
{
    const struct blocks *b = c->b;
    if (!node || !datanode_is_normal(node) || node->must_register)
        return false;
    if (is_in(node, c->p->taken, c->p->taken_count) || is_in(node, c->p->excluded, c->p->excluded_count))
        return false;
    if (strictness < ANY_ALIVE && b->now_ms > node->info.last_heartbeat_ms + b->options.stale_ms)
        return false;
    if (strictness < AVOID_STALE && b->options.consider_load && node->info.xceivers > c->load_limit)
        return false;
    return best_storage(c, node) != NULL;
}

/* Of two nodes drawn at random, the one with the larger share of free space: fills evenly without herding. */
static struct datanode *emptier(struct datanode *x, struct datanode *y)
{
    if (!x || !y)
        return x ? x : y;
    uint64_t cx = x->info.capacity_bytes ? x->info.capacity_bytes : 1,
             cy = y->info.capacity_bytes ? y->info.capacity_bytes : 1;
    double fx = (double)x->info.remaining_bytes / (double)cx, fy = (double)y->info.remaining_bytes / (double)cy;
    return fy > fx + 0.05 ? y : x;
}

/* rack: NO_INDEX = any. same: on that rack, or off it. */
static struct datanode *draw(const struct chooser *c, uint16_t rack, bool same, enum strictness strictness)
{
    struct datanode *picked[2] = {NULL, NULL};
    uint64_t seen[2] = {0, 0};
    for (size_t i = 0; i < c->b->node_count; i++) {
        struct datanode *node = c->b->nodes[i];
        if (!node || (rack != NO_INDEX && (node->rack == rack) != same) || !is_good(c, node, strictness))
            continue;
        for (int k = 0; k < 2; k++)
            if (blocks_random(c->b) % ++seen[k] == 0)
                picked[k] = node;
    }
    return emptier(picked[0], picked[1]);
}

static bool is_favored(const struct placement *p, const struct datanode *node)
{
    for (size_t i = 0; i < p->favored_count; i++)
        if (hosts_contain(p->favored[i], &node->info))
            return true;
    return false;
}

static struct datanode *draw_favored(const struct chooser *c)
{
    for (size_t i = 0; c->p->favored_count && i < c->b->node_count; i++) {
        struct datanode *node = c->b->nodes[i];
        if (node && is_favored(c->p, node) && is_good(c, node, AVOID_STALE))
            return node;
    }
    return NULL;
}

static bool is_new_rack(const struct placement *p, const struct datanode *node)
{
    for (size_t i = 0; i < p->taken_count; i++)
        if (p->taken[i]->rack == node->rack)
            return false;
    return true;
}

/* HDFS's rule: the writer's node; a node on another rack; another node on that second rack; then anywhere. */
static struct datanode *choose_one(const struct chooser *c, enum strictness strictness)
{
    const struct placement *p = c->p;
    size_t nth = p->taken_count;
    struct datanode *node = NULL;
    if (p->only_new_rack) {
        node = draw(c, nth ? p->taken[0]->rack : NO_INDEX, false, strictness);
        return node && is_new_rack(p, node) ? node : NULL;
    }
    if (nth == 0) {
        if (p->writer && is_good(c, p->writer, strictness))
            return (struct datanode *)p->writer;
        if (p->writer_rack != NO_INDEX)
            node = draw(c, p->writer_rack, true, strictness);
    } else if (nth == 1) {
        node = draw(c, p->taken[0]->rack, false, strictness);
    } else if (nth == 2) {
        node = p->taken[0]->rack == p->taken[1]->rack ? draw(c, p->taken[0]->rack, false, strictness)
                                                      : draw(c, p->taken[1]->rack, true, strictness);
    }
    return node ? node : draw(c, NO_INDEX, false, strictness);
}

/* What the policy asks for beside what is there; false: no type is left. */
static bool want_types(struct chooser *c, size_t count)
{
    const struct placement *p = c->p;
    const struct storage_policy *policy = storage_policy_find(p->policy ? p->policy : c->b->options.default_policy);
    uint8_t types[REPLICAS_MAX];
    memset(c->wanted, 0, sizeof c->wanted);
    if (!policy) /* of a newer version, say */
        policy = storage_policy_find(POLICY_UNSPECIFIED);
    if (count > REPLICAS_MAX)
        count = REPLICAS_MAX;
    size_t found = storage_policy_choose(policy, count, p->types, p->type_count, c->is_missing, !p->is_repair, types);
    for (size_t i = 0; i < found; i++)
        c->wanted[types[i]]++;
    return found > 0;
}

static struct datanode *choose_node(const struct chooser *c)
{
    struct datanode *node = draw_favored(c);
    for (int s = AVOID_BUSY_AND_STALE; !node && s <= ANY_ALIVE; s++)
        node = choose_one(c, (enum strictness)s);
    return node;
}

size_t placement_choose(struct blocks *b, struct placement *p, size_t count, struct storage **ret)
{
    uint64_t xceivers = 0, alive = 0;
    for (size_t i = 0; i < b->node_count; i++)
        if (b->nodes[i] && datanode_is_normal(b->nodes[i])) {
            xceivers += b->nodes[i]->info.xceivers;
            alive++;
        }
    struct chooser c = {b, p, alive ? 2 * xceivers / alive + 4 : 0};
    size_t found = 0;
    while (found < count && want_types(&c, count - found)) {
        struct datanode *node = choose_node(&c);
        if (!node) { /* none of these types is to be had */
            for (int type = 0; type < STORAGE_TYPES; type++)
                c.is_missing[type] |= c.wanted[type] > 0;
            continue;
        }
        struct storage *s = best_storage(&c, node);
        ret[found++] = s;
        p->taken[p->taken_count++] = node;
        if (p->type_count < PLACEMENT_TYPES_MAX)
            p->types[p->type_count++] = s->type;
    }
    return found;
}

static size_t resolve(const struct blocks *b, const char *const *uuids, size_t count, const struct datanode **ret)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        const struct datanode *node = datanode_find(b, uuids[i]);
        if (node)
            ret[found++] = node;
    }
    return found;
}

/* Of all its storages; 0 if it has several types: which one holds the replica is not known. */
static uint8_t only_type(const struct datanode *node)
{
    uint8_t type = node->storage_count ? node->storages[0]->type : 0;
    for (size_t i = 1; i < node->storage_count; i++)
        if (node->storages[i]->type != type)
            return 0;
    return type;
}

size_t blocks_choose_targets(struct blocks *b, const struct choose_args *args, struct block_location *ret,
                             size_t ret_max)
{
    size_t count = args->count < ret_max ? args->count : ret_max;
    if (count > BLOCK_LOCATIONS_MAX)
        count = BLOCK_LOCATIONS_MAX;
    struct storage *chosen[BLOCK_LOCATIONS_MAX];
    const struct datanode **taken = mem_calloc(args->existing_count + count + 1, sizeof *taken);
    const struct datanode **excluded = mem_calloc(args->excluded_count + 1, sizeof *excluded);
    struct placement p = {.taken = taken,
                          .excluded = excluded,
                          .favored = args->favored,
                          .favored_count = args->favored_count,
                          .block_bytes = args->block_bytes,
                          .policy = args->policy,
                          .writer_rack = NO_INDEX};
    p.taken_count = resolve(b, args->existing, args->existing_count, taken);
    for (size_t i = 0; i < p.taken_count && i < PLACEMENT_TYPES_MAX; i++)
        p.types[p.type_count++] = only_type(taken[i]);
    p.excluded_count = resolve(b, args->excluded, args->excluded_count, excluded);
    if (args->client_ip && !args->ignore_locality) {
        p.writer = datanode_find_ip(b, args->client_ip);
        int rack = p.writer ? p.writer->rack : rack_lookup(b, args->client_ip);
        p.writer_rack = rack < 0 ? NO_INDEX : (uint16_t)rack;
    }
    size_t found = 0;
    if (p.writer && (args->no_local_write || args->no_local_rack)) { /* but better there than nowhere */
        const struct datanode **wide = mem_calloc(args->excluded_count + b->node_count + 1, sizeof *wide);
        struct placement apart = p;
        apart.excluded = wide;
        if (p.excluded_count)
            memcpy(wide, excluded, p.excluded_count * sizeof *excluded);
        for (size_t i = 0; i < b->node_count; i++)
            if (b->nodes[i] &&
                (b->nodes[i] == p.writer || (args->no_local_rack && b->nodes[i]->rack == p.writer->rack)))
                wide[apart.excluded_count++] = b->nodes[i];
        if (args->no_local_rack)
            apart.writer_rack = NO_INDEX;
        found = placement_choose(b, &apart, count, chosen);
        p.taken_count = apart.taken_count;
        p.type_count = apart.type_count;
        memcpy(p.types, apart.types, sizeof p.types);
        free(wide);
    }
    found += placement_choose(b, &p, count - found, chosen + found);
    for (size_t i = 0; i < found; i++)
        ret[i] = storage_location(chosen[i], false);
    free(taken);
    free(excluded);
    return found;
}

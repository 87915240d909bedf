/* Block id -> pointer, for the few blocks that need more than the table keeps: those being written, copied, or doubted.
 * A NULL value is "not there". Owned by whoever holds the namenode lock. */
#ifndef CAIRN_NAMENODE_BLOCKS_ID_MAP_H
#define CAIRN_NAMENODE_BLOCKS_ID_MAP_H

#include <stddef.h>
#include <stdint.h>

struct id_slot {
    uint64_t id;
    void *value;
};
struct id_map {
    struct id_slot *slots;
    size_t capacity, count; /* capacity: 0 or a power of two */
};
void *id_map_get(const struct id_map *m, uint64_t id);
void id_map_put(struct id_map *m, uint64_t id, void *value); /* replaces */
void *id_map_remove(struct id_map *m, uint64_t id);          /* the value, or NULL */
void id_map_free(struct id_map *m, void (*free_value)(void *));

#endif

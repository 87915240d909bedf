#include "namenode/blocks/id_map.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

static size_t home(const struct id_map *m, uint64_t id)
{
    return (size_t)(id * 0x9e3779b97f4a7c15u >> 20) & (m->capacity - 1);
}
static struct id_slot *slot_for(const struct id_map *m, uint64_t id)
{
    size_t i = home(m, id);
    while (m->slots[i].value && m->slots[i].id != id)
        i = (i + 1) & (m->capacity - 1);
    return &m->slots[i];
}

void *id_map_get(const struct id_map *m, uint64_t id)
{
    return m->count ? slot_for(m, id)->value : NULL;
}

static void resize(struct id_map *m, size_t capacity)
{
    struct id_map bigger = {
        .slots = mem_calloc(capacity, sizeof *bigger.slots), .capacity = capacity, .count = m->count};
    for (size_t i = 0; i < m->capacity; i++)
        if (m->slots[i].value)
            *slot_for(&bigger, m->slots[i].id) = m->slots[i];
    free(m->slots);
    *m = bigger;
}

void id_map_put(struct id_map *m, uint64_t id, void *value)
{
    if (m->count * 4 >= m->capacity * 3)
        resize(m, m->capacity ? m->capacity * 2 : 64);
    struct id_slot *s = slot_for(m, id);
    m->count += !s->value;
    *s = (struct id_slot){id, value};
}

void *id_map_remove(struct id_map *m, uint64_t id)
{
    if (!m->count)
        return NULL;
    struct id_slot *s = slot_for(m, id);
    void *value = s->value;
    if (!value)
        return NULL;
    size_t gap = (size_t)(s - m->slots), i = gap, mask = m->capacity - 1;
    for (;;) {
        i = (i + 1) & mask;
        if (!m->slots[i].value)
            break;
        if (((i - home(m, m->slots[i].id)) & mask) >= ((i - gap) & mask)) {
            m->slots[gap] = m->slots[i];
            gap = i;
        }
    }
    m->slots[gap].value = NULL;
    m->count--;
    return value;
}

void id_map_free(struct id_map *m, void (*free_value)(void *))
{
    for (size_t i = 0; i < m->capacity && free_value; i++)
        if (m->slots[i].value)
            free_value(m->slots[i].value);
    free(m->slots);
    memset(m, 0, sizeof *m);
}

#include "scheduler/engine/fold_table.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/mem.h"

#define ENTRY_ALIGN 8

/* Open addressing; an entry's record lies in one block of memory: value, then key. */
struct fold_slot {
    uint32_t hash; /* its upper half */
    uint32_t key_len;
    uint64_t at; /* of the value, plus 1; 0 = free */
};
struct fold_table {
    struct fold_slot *slots;
    size_t slot_count, slots_max, used_slots; /* slot_count: a power of two */
    uint8_t *records;
    size_t records_bytes, used_bytes, value_bytes;
    fold_add *add;
    fold_give *give;
    void *give_context;
};

struct fold_table *fold_table_new(size_t memory_bytes, size_t value_bytes, fold_add *add, fold_give *give,
                                  void *give_context)
{
    struct fold_table *t = mem_new(struct fold_table);
    size_t slots = 1024;
    while (slots * 2 * sizeof *t->slots <= memory_bytes / 2)
        slots *= 2;
    *t = (struct fold_table){.slot_count = slots, /* used is half of them at most */
                             .slots_max = slots / 2,
                             .slots = mem_calloc(slots, sizeof *t->slots),
                             .records_bytes = memory_bytes / 2,
                             .records = mem_alloc(memory_bytes / 2),
                             .value_bytes = value_bytes,
                             .add = add,
                             .give = give,
                             .give_context = give_context};
    return t;
}

void fold_table_free(struct fold_table *t)
{
    if (!t)
        return;
    free(t->slots);
    free(t->records);
    free(t);
}

void fold_table_empty(struct fold_table *t)
{
    for (size_t i = 0; i < t->slot_count; i++) {
        const struct fold_slot *s = &t->slots[i];
        const uint8_t *value = t->records + s->at - 1;
        if (s->at)
            t->give(t->give_context, (struct slice){value + t->value_bytes, s->key_len},
                    (struct slice){value, t->value_bytes});
    }
    memset(t->slots, 0, t->slot_count * sizeof *t->slots);
    t->used_slots = t->used_bytes = 0;
}

static void fold_table_insert(struct fold_table *t, struct fold_slot *s, uint32_t hash, struct slice key,
                              const void *value)
{
    uint8_t *to = t->records + t->used_bytes;
    *s = (struct fold_slot){hash, (uint32_t)key.len, t->used_bytes + 1};
    memcpy(to, value, t->value_bytes);
    memcpy(to + t->value_bytes, key.base, key.len);
    t->used_bytes += (t->value_bytes + key.len + ENTRY_ALIGN - 1) / ENTRY_ALIGN * ENTRY_ALIGN;
    t->used_slots++;
}

void fold_table_add(struct fold_table *t, struct slice key, const void *value)
{
    uint64_t hash = XXH3_64bits(key.base, key.len);
    uint32_t upper = (uint32_t)(hash >> 32);
    for (;;) {
        size_t i = hash & (t->slot_count - 1);
        for (; t->slots[i].at; i = (i + 1) & (t->slot_count - 1)) {
            const struct fold_slot *s = &t->slots[i];
            if (s->hash != upper || s->key_len != key.len)
                continue;
            uint8_t *held = t->records + s->at - 1;
            if (!memcmp(held + t->value_bytes, key.base, key.len)) {
                t->add(held, value);
                return;
            }
        }
        size_t need = t->value_bytes + key.len + ENTRY_ALIGN;
        if (t->used_slots < t->slots_max && need <= t->records_bytes - t->used_bytes) {
            fold_table_insert(t, &t->slots[i], upper, key, value);
            return;
        }
        if (need > t->records_bytes || t->used_slots == 0) {
            t->give(t->give_context, key, (struct slice){value, t->value_bytes});
            return;
        }
        fold_table_empty(t);
    }
}

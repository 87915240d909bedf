#include "scheduler/engine/fold_table.h"

#include <stdbool.h>
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
/* A slot, and then the record it names, are two cache misses for each word of a text. So small records wait here for a
 * few more calls while their slot is fetched, and then what it names; only then are they looked up. */
#define WAITING        16
#define WAIT_KEY_MAX   48
#define WAIT_VALUE_MAX 16
struct fold_waiting {
    uint64_t hash;
    uint32_t key_len;
    bool used;
    uint8_t value[WAIT_VALUE_MAX], key[WAIT_KEY_MAX + 8]; /* zeros up to a whole word */
};

struct fold_table {
    struct fold_waiting waiting[WAITING];
    size_t turn; /* the oldest of them */
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

static void hand_all_on(struct fold_table *t)
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
    size_t filled_up = (key.len + 7) / 8 * 8;
    memcpy(to, value, t->value_bytes);
    memset(to + t->value_bytes + key.len, 0, filled_up - key.len);
    memcpy(to + t->value_bytes, key.base, key.len);
    t->used_bytes += (t->value_bytes + filled_up + ENTRY_ALIGN - 1) / ENTRY_ALIGN * ENTRY_ALIGN;
    t->used_slots++;
}

/* Both filled up with zeros to whole words. */
static inline bool same_words(const uint8_t *a, const uint8_t *b, size_t len)
{
    uint64_t x, y, differs = 0;
    for (size_t at = 0; at < len; at += 8) {
        memcpy(&x, a + at, 8);
        memcpy(&y, b + at, 8);
        differs |= x ^ y;
    }
    return differs == 0;
}

static inline void fold_table_put(struct fold_table *t, uint64_t hash, struct slice key, bool filled_up,
                                  const void *value)
{
    uint32_t upper = (uint32_t)(hash >> 32);
    for (;;) {
        size_t i = hash & (t->slot_count - 1);
        for (; t->slots[i].at; i = (i + 1) & (t->slot_count - 1)) {
            const struct fold_slot *s = &t->slots[i];
            if (s->hash != upper || s->key_len != key.len)
                continue;
            uint8_t *held = t->records + s->at - 1;
            const uint8_t *held_key = held + t->value_bytes;
            if (filled_up ? same_words(held_key, key.base, key.len) : !memcmp(held_key, key.base, key.len)) {
                t->add(held, value);
                return;
            }
        }
        size_t need = t->value_bytes + key.len + 8 + ENTRY_ALIGN;
        if (t->used_slots < t->slots_max && need <= t->records_bytes - t->used_bytes) {
            fold_table_insert(t, &t->slots[i], upper, key, value);
            return;
        }
        if (need > t->records_bytes || t->used_slots == 0) {
            t->give(t->give_context, key, (struct slice){value, t->value_bytes});
            return;
        }
        hand_all_on(t);
    }
}

static void put_waiting(struct fold_table *t, struct fold_waiting *w)
{
    if (w->used)
        fold_table_put(t, w->hash, (struct slice){w->key, w->key_len}, true, w->value);
    w->used = false;
}

void fold_table_empty(struct fold_table *t)
{
    for (size_t i = 0; i < WAITING; i++)
        put_waiting(t, &t->waiting[i]);
    hand_all_on(t);
}

void fold_table_add(struct fold_table *t, struct slice key, const void *value)
{
    uint64_t hash = XXH3_64bits(key.base, key.len);
    if (key.len > WAIT_KEY_MAX || t->value_bytes > WAIT_VALUE_MAX) {
        fold_table_put(t, hash, key, false, value);
        return;
    }
    const struct fold_waiting *half = &t->waiting[(t->turn + WAITING / 2) % WAITING];
    const struct fold_slot *slot = &t->slots[half->hash & (t->slot_count - 1)];
    if (half->used && slot->at)
        __builtin_prefetch(t->records + slot->at - 1, 1);
    struct fold_waiting *w = &t->waiting[t->turn];
    put_waiting(t, w);
    __builtin_prefetch(&t->slots[hash & (t->slot_count - 1)]);
    w->hash = hash;
    w->key_len = (uint32_t)key.len;
    w->used = true;
    memcpy(w->value, value, t->value_bytes);
    memset(w->key + key.len / 8 * 8, 0, 8);
    memcpy(w->key, key.base, key.len);
    t->turn = (t->turn + 1) % WAITING;
}

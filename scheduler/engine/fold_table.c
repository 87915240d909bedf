#include "scheduler/engine/fold_table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "common/mem.h"

/* Open addressing over records that lie one after the other, in the order in which their keys came: frequent keys come
 * early and so share cache lines. For the same reason a table begins small and grows. */
#define SLOTS_MIN    1024
#define SLOTS_CACHED 65536 /* so many stay in a processor's second cache, with most of what they name */
#define WORD         sizeof(uint64_t)
#define SHORT_KEY    16u   /* to so many bytes a key is two words, and no branch depends on its length */
#define PAGE_LEAST   4096u /* of all pages' sizes */
#define CACHE_LINE   64
/* Words before the first record: 0 is no record's, and most records have four, of which none then lies on two lines. */
#define FIRST_RECORD 4

struct fold_slot {
    uint32_t hash;
    uint32_t at; /* the record's first word; 0 = free */
};
/* A short key's bytes, and zeros. Small structs and plain arguments: all of a look-up stays in registers. */
struct short_key {
    uint64_t word[2];
};

/* In a table that is larger than caches, a slot and then the record it names are two misses for each key. So keys wait
 * here for a few more calls while their slot is fetched, and then what it names; only then are they looked up. */
#define WAITING        16
#define WAIT_KEY_MAX   48
#define WAIT_VALUE_MAX 16
struct fold_waiting {
    uint32_t hash, key_len;
    bool used;
    uint64_t key[WAIT_KEY_MAX / WORD];
    uint8_t value[WAIT_VALUE_MAX];
};

struct fold_table {
    struct fold_slot *slots;
    size_t slot_count, slots_most, used_slots; /* the first two: powers of two */
    /* In words, each: the key's length, the value, the key filled up with zeros to two words at least. */
    uint64_t *records;
    size_t record_words, used_words;
    size_t value_bytes, value_words;
    fold_add *add;
    fold_give *give;
    void *give_context;
    size_t turn; /* the oldest of the waiting */
    struct fold_waiting waiting[WAITING];
};

struct fold_table *fold_table_new(size_t memory_bytes, size_t value_bytes, fold_add *add, fold_give *give,
                                  void *give_context)
{
    struct fold_table *t = mem_new(struct fold_table);
    size_t most = SLOTS_MIN, records = (memory_bytes - memory_bytes / 4) / CACHE_LINE * CACHE_LINE;
    while (most * 2 * sizeof *t->slots <= memory_bytes / 4)
        most *= 2;
    *t = (struct fold_table){.slot_count = SLOTS_MIN,
                             .slots_most = most,
                             .slots = mem_calloc(SLOTS_MIN, sizeof *t->slots),
                             .record_words = records / WORD,
                             .used_words = FIRST_RECORD,
                             .records = aligned_alloc(CACHE_LINE, records),
                             .value_bytes = value_bytes,
                             .value_words = (value_bytes + WORD - 1) / WORD,
                             .add = add,
                             .give = give,
                             .give_context = give_context};
    if (!t->records)
        mem_alloc(SIZE_MAX); /* says so and aborts */
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

/* ---- records ---- */

static size_t record_words(const struct fold_table *t, size_t key_len)
{
    return 1 + t->value_words + (key_len <= SHORT_KEY ? SHORT_KEY / WORD : (key_len + WORD - 1) / WORD);
}

static void hand_all_on(struct fold_table *t)
{
    for (size_t at = FIRST_RECORD; at < t->used_words;) {
        size_t key_len = t->records[at];
        const uint64_t *value = t->records + at + 1;
        t->give(t->give_context, (struct slice){(const uint8_t *)(value + t->value_words), key_len},
                (struct slice){(const uint8_t *)value, t->value_bytes});
        at += record_words(t, key_len);
    }
    memset(t->slots, 0, t->slot_count * sizeof *t->slots);
    t->used_slots = 0;
    t->used_words = FIRST_RECORD;
}

static void put_slot(struct fold_table *t, struct fold_slot slot)
{
    size_t i = slot.hash & (t->slot_count - 1);
    while (t->slots[i].at)
        i = (i + 1) & (t->slot_count - 1);
    t->slots[i] = slot;
}

static void grow(struct fold_table *t)
{
    struct fold_slot *old = t->slots;
    size_t old_count = t->slot_count;
    t->slot_count *= 2;
    t->slots = mem_calloc(t->slot_count, sizeof *t->slots);
    for (size_t i = 0; i < old_count; i++)
        if (old[i].at)
            put_slot(t, old[i]);
    free(old);
}

/* For one more record? */
static bool has_room(struct fold_table *t, size_t words)
{
    if (words > t->record_words - t->used_words)
        return false;
    if (t->used_slots >= t->slot_count / 2 && t->slot_count < t->slots_most)
        grow(t);
    return t->used_slots < t->slot_count / 4 * 3;
}

static void insert(struct fold_table *t, struct slice key, uint32_t hash, const void *value)
{
    size_t words = record_words(t, key.len);
    if (!has_room(t, words))
        hand_all_on(t);
    if (!has_room(t, words)) {
        t->give(t->give_context, key, (struct slice){value, t->value_bytes});
        return;
    }
    put_slot(t, (struct fold_slot){hash, (uint32_t)t->used_words});
    t->used_slots++;
    uint64_t *to = t->records + t->used_words;
    t->used_words += words;
    memset(to, 0, words * WORD);
    to[0] = key.len;
    memcpy(to + 1, value, t->value_bytes);
    memcpy(to + 1 + t->value_words, key.base, key.len);
}

/* ---- keys ---- */

/* Reads behind the key's end where there is sure to be memory, and takes only the key's bytes of that. */
static inline struct short_key short_key_of(struct slice key)
{
    struct short_key k = {{0, 0}};
#ifndef __SANITIZE_ADDRESS__
    static const uint8_t ones_then_zeros[2 * SHORT_KEY] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                           255, 255, 255, 255, 255, 255, 255, 255};
    if (((uintptr_t)key.base & (PAGE_LEAST - 1)) <= PAGE_LEAST - SHORT_KEY) {
        struct short_key mask;
        memcpy(&k, key.base, SHORT_KEY);
        memcpy(&mask, ones_then_zeros + SHORT_KEY - key.len, SHORT_KEY);
        return (struct short_key){{k.word[0] & mask.word[0], k.word[1] & mask.word[1]}};
    }
#endif
    memcpy(&k, key.base, key.len);
    return k;
}

static inline uint32_t short_hash(struct short_key k, size_t len)
{
    uint64_t h = (k.word[0] ^ len) * UINT64_C(0x9E3779B97F4A7C15);
    h = ((h ^ h >> 32) + k.word[1]) * UINT64_C(0xBF58476D1CE4E5B9);
    return (uint32_t)(h >> 32);
}

static inline void put_short(struct fold_table *t, struct short_key k, struct slice key, uint32_t hash,
                             const void *value)
{
    for (size_t i = hash & (t->slot_count - 1); t->slots[i].at; i = (i + 1) & (t->slot_count - 1)) {
        uint64_t *record = t->records + t->slots[i].at;
        const uint64_t *held = record + 1 + t->value_words;
        if (t->slots[i].hash == hash && record[0] == key.len && held[0] == k.word[0] && held[1] == k.word[1]) {
            t->add(record + 1, value);
            return;
        }
    }
    insert(t, key, hash, value);
}

static void put_long(struct fold_table *t, struct slice key, uint32_t hash, const void *value)
{
    for (size_t i = hash & (t->slot_count - 1); t->slots[i].at; i = (i + 1) & (t->slot_count - 1)) {
        uint64_t *record = t->records + t->slots[i].at;
        if (t->slots[i].hash == hash && record[0] == key.len &&
            !memcmp(record + 1 + t->value_words, key.base, key.len)) {
            t->add(record + 1, value);
            return;
        }
    }
    insert(t, key, hash, value);
}

/* ---- waiting ---- */

static bool may_wait(const struct fold_table *t, size_t key_len)
{
    return t->slot_count > SLOTS_CACHED && key_len <= WAIT_KEY_MAX && t->value_bytes <= WAIT_VALUE_MAX;
}

static void put_waiting(struct fold_table *t, struct fold_waiting *w)
{
    struct slice key = {(const uint8_t *)w->key, w->key_len};
    if (w->used && key.len <= SHORT_KEY)
        put_short(t, (struct short_key){{w->key[0], w->key[1]}}, key, w->hash, w->value);
    else if (w->used)
        put_long(t, key, w->hash, w->value);
    w->used = false;
}

/* A place for a key, whose bytes the caller puts there. */
static struct fold_waiting *place_for(struct fold_table *t, size_t key_len, uint32_t hash, const void *value)
{
    const struct fold_waiting *half = &t->waiting[(t->turn + WAITING / 2) % WAITING];
    __builtin_prefetch(t->records + t->slots[half->hash & (t->slot_count - 1)].at, 1);
    struct fold_waiting *w = &t->waiting[t->turn];
    t->turn = (t->turn + 1) % WAITING;
    put_waiting(t, w);
    __builtin_prefetch(&t->slots[hash & (t->slot_count - 1)]);
    w->hash = hash;
    w->key_len = (uint32_t)key_len;
    w->used = true;
    memcpy(w->value, value, t->value_bytes);
    return w;
}

static void add_long(struct fold_table *t, struct slice key, const void *value)
{
    uint32_t hash = (uint32_t)XXH3_64bits(key.base, key.len);
    if (may_wait(t, key.len))
        memcpy(place_for(t, key.len, hash, value)->key, key.base, key.len);
    else
        put_long(t, key, hash, value);
}

void fold_table_add(struct fold_table *t, struct slice key, const void *value)
{
    if (key.len > SHORT_KEY) {
        add_long(t, key, value);
        return;
    }
    struct short_key k = short_key_of(key);
    uint32_t hash = short_hash(k, key.len);
    if (may_wait(t, key.len))
        memcpy(place_for(t, key.len, hash, value)->key, &k, SHORT_KEY);
    else
        put_short(t, k, key, hash, value);
}

void fold_table_empty(struct fold_table *t)
{
    for (size_t i = 0; i < WAITING; i++)
        put_waiting(t, &t->waiting[(t->turn + i) % WAITING]);
    hand_all_on(t);
}

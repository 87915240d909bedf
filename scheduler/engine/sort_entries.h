/* Order of records that lie anywhere in a block of memory, by one small entry for each. */
#ifndef CAIRN_SCHEDULER_ENGINE_SORT_ENTRIES_H
#define CAIRN_SCHEDULER_ENGINE_SORT_ENTRIES_H

#include <string.h>

#include "scheduler/engine/run_file.h"

/* 16 bytes per record: most comparisons are settled by partition and prefix, without touching the record. */
struct sort_entry {
    uint64_t prefix; /* eight key bytes; the first ones, while sorting those at some depth */
    uint32_t partition;
    uint32_t offset; /* of the record: u32 key length, u32 value length, key, value */
};

/* By partition, then key bytes; equal keys in an order that depends on the input alone. Prefixes are spent. */
void sort_entries(const uint8_t *records, struct sort_entry *e, size_t n);

/* Eight key bytes from `depth` on as a number, zero-filled: numbers order as the bytes do. */
static inline uint64_t sort_prefix(const uint8_t *key, uint32_t len, uint32_t depth)
{
    uint64_t value = 0;
    if (len >= depth + 8)
        memcpy(&value, key + depth, 8);
    else if (len > depth)
        memcpy(&value, key + depth, len - depth);
    return __builtin_bswap64(value);
}

static inline struct record sort_record_at(const uint8_t *records, uint32_t offset)
{
    struct record r;
    const uint8_t *from = records + offset;
    memcpy(&r.key_len, from, 4);
    memcpy(&r.value_len, from + 4, 4);
    r.key = from + 8;
    r.value = r.key + r.key_len;
    return r;
}

#endif

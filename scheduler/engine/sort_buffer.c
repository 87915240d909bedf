#include "scheduler/engine/sort_buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/mem.h"
#include "scheduler/engine/sort_entries.h"

#define READ_AHEAD 16
#define CACHE_LINE 64

struct sort_buffer {
    uint8_t *base;
    size_t bytes, used;
    struct sort_entry *end; /* one past the last entry slot; entries are end[-1], end[-2], ... */
    size_t count;
};

struct sort_buffer *sort_buffer_new(size_t bytes)
{
    struct sort_buffer *s = mem_new(struct sort_buffer);
    assert(bytes <= (size_t)1 << 31);
    bytes = bytes < 4096 ? 4096 : bytes & ~(size_t)15;
    s->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (s->base == MAP_FAILED)
        mem_alloc(SIZE_MAX);                      /* says so and aborts */
    (void)madvise(s->base, bytes, MADV_HUGEPAGE); /* fewer page faults where the kernel can; no harm where not */
    s->bytes = bytes;
    s->end = (struct sort_entry *)(void *)(s->base + bytes);
    return s;
}

void sort_buffer_free(struct sort_buffer *s)
{
    if (!s)
        return;
    munmap(s->base, s->bytes);
    free(s);
}

size_t sort_buffer_count(const struct sort_buffer *s)
{
    return s->count;
}

void sort_buffer_clear(struct sort_buffer *s)
{
    s->count = s->used = 0;
}

bool sort_buffer_add(struct sort_buffer *s, uint32_t partition, const struct record *r)
{
    size_t need = 8 + (size_t)r->key_len + r->value_len;
    size_t taken = s->used + s->count * sizeof(struct sort_entry);
    if (need + sizeof(struct sort_entry) > s->bytes - taken)
        return false;
    uint8_t *to = s->base + s->used;
    memcpy(to, &r->key_len, 4);
    memcpy(to + 4, &r->value_len, 4);
    memcpy(to + 8, r->key, r->key_len);
    memcpy(to + 8 + r->key_len, r->value, r->value_len);
    s->count++;
    s->end[-(ptrdiff_t)s->count] =
        (struct sort_entry){sort_prefix(r->key, r->key_len, 0), partition, (uint32_t)s->used};
    s->used += need;
    return true;
}

struct record sort_buffer_at(const struct sort_buffer *s, size_t i, uint32_t *ret_partition)
{
    const struct sort_entry *e = s->end - s->count + i;
    if (e + READ_AHEAD < s->end) { /* records lie in memory as they came: every one is a cache miss otherwise */
        const uint8_t *ahead = s->base + e[READ_AHEAD].offset;
        __builtin_prefetch(ahead);
        __builtin_prefetch(ahead + CACHE_LINE);
    }
    *ret_partition = e->partition;
    return sort_record_at(s->base, e->offset);
}

void sort_buffer_sort(struct sort_buffer *s)
{
    sort_entries(s->base, s->end - s->count, s->count);
}

bool sort_buffer_repeats_a_key(const struct sort_buffer *s)
{
    uint32_t partition, last_partition = 0;
    struct record last = {0};
    for (size_t i = 0; i < s->count; i++) {
        struct record r = sort_buffer_at(s, i, &partition);
        if (i && partition == last_partition && r.key_len == last.key_len && !memcmp(r.key, last.key, r.key_len))
            return true;
        last = r;
        last_partition = partition;
    }
    return false;
}

#include "scheduler/engine/sort_buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/mem.h"

/* 16 bytes per record: most comparisons are settled by partition and prefix, without touching the record. */
struct sort_entry {
    uint64_t prefix; /* first eight key bytes, big endian, zero-filled */
    uint32_t partition;
    uint32_t offset; /* of the record: u32 key length, u32 value length, key, value */
};
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
        mem_alloc(SIZE_MAX); /* says so and aborts */
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

static uint64_t prefix_of(const uint8_t *key, uint32_t len)
{
    uint64_t value = 0;
    memcpy(&value, key, len < 8 ? len : 8);
    return __builtin_bswap64(value);
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
        (struct sort_entry){prefix_of(r->key, r->key_len), partition, (uint32_t)s->used};
    s->used += need;
    return true;
}

static struct record record_at(const struct sort_buffer *s, uint32_t offset)
{
    struct record r;
    const uint8_t *from = s->base + offset;
    memcpy(&r.key_len, from, 4);
    memcpy(&r.value_len, from + 4, 4);
    r.key = from + 8;
    r.value = r.key + r.key_len;
    return r;
}

struct record sort_buffer_at(const struct sort_buffer *s, size_t i, uint32_t *ret_partition)
{
    const struct sort_entry *e = s->end - s->count + i;
    *ret_partition = e->partition;
    return record_at(s, e->offset);
}

static inline int entry_compare(const struct sort_buffer *s, const struct sort_entry *a, const struct sort_entry *b)
{
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    struct record ra = record_at(s, a->offset), rb = record_at(s, b->offset);
    uint32_t len = ra.key_len < rb.key_len ? ra.key_len : rb.key_len;
    if (len > 8) {
        int order = memcmp(ra.key + 8, rb.key + 8, len - 8);
        if (order)
            return order;
    }
    return (ra.key_len > rb.key_len) - (ra.key_len < rb.key_len);
}

static inline bool entry_less(const struct sort_buffer *s, const struct sort_entry *a, const struct sort_entry *b)
{
    return entry_compare(s, a, b) < 0;
}

static inline void entry_swap(struct sort_entry *a, struct sort_entry *b)
{
    struct sort_entry t = *a;
    *a = *b;
    *b = t;
}

static void insertion_sort(const struct sort_buffer *s, struct sort_entry *e, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct sort_entry moving = e[i];
        size_t j = i;
        for (; j > 0 && entry_less(s, &moving, &e[j - 1]); j--)
            e[j] = e[j - 1];
        e[j] = moving;
    }
}

static void heap_sink(const struct sort_buffer *s, struct sort_entry *e, size_t i, size_t n)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && entry_less(s, &e[child], &e[child + 1]))
            child++;
        if (!entry_less(s, &e[i], &e[child]))
            return;
        entry_swap(&e[i], &e[child]);
    }
}

static void heap_sort(const struct sort_buffer *s, struct sort_entry *e, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        heap_sink(s, e, i, n);
    while (n-- > 1) {
        entry_swap(&e[0], &e[n]);
        heap_sink(s, e, 0, n);
    }
}

/* Quicksort in three parts (word counts are mostly equal keys), heap sort when an input defeats the pivots. */
static void sort_entries(const struct sort_buffer *s, struct sort_entry *e, size_t n, int depth)
{
    while (n > 24) {
        if (depth-- == 0) {
            heap_sort(s, e, n);
            return;
        }
        size_t mid = n / 2;
        if (entry_compare(s, &e[mid], &e[0]) < 0)
            entry_swap(&e[mid], &e[0]);
        if (entry_compare(s, &e[n - 1], &e[0]) < 0)
            entry_swap(&e[n - 1], &e[0]);
        if (entry_compare(s, &e[n - 1], &e[mid]) < 0)
            entry_swap(&e[n - 1], &e[mid]);
        struct sort_entry pivot = e[mid];
        size_t less = 0, i = 0, more = n; /* [0,less) < pivot, [less,i) equal, [more,n) greater */
        while (i < more) {
            int order = entry_compare(s, &e[i], &pivot);
            if (order < 0)
                entry_swap(&e[less++], &e[i++]);
            else if (order > 0)
                entry_swap(&e[i], &e[--more]);
            else
                i++;
        }
        if (less < n - more) {
            sort_entries(s, e, less, depth);
            e += more;
            n -= more;
        } else {
            sort_entries(s, e + more, n - more, depth);
            n = less;
        }
    }
    insertion_sort(s, e, n);
}

void sort_buffer_sort(struct sort_buffer *s)
{
    int depth = 2;
    for (size_t n = s->count; n > 1; n /= 2)
        depth += 2;
    sort_entries(s, s->end - s->count, s->count, depth);
}

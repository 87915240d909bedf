#include "scheduler/engine/sort_buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/mem.h"

/* 16 bytes per record: most comparisons are settled by partition and prefix, without touching the record. */
struct sort_entry {
    uint64_t prefix; /* eight key bytes; the first ones, while sorting those at some depth */
    uint32_t partition;
    uint32_t offset; /* of the record: u32 key length, u32 value length, key, value */
};
#define READ_AHEAD 16

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

/* Eight key bytes from `depth` on as a number, zero-filled: numbers order as the bytes do. */
static uint64_t key_bytes_at(const uint8_t *key, uint32_t len, uint32_t depth)
{
    uint64_t value = 0;
    if (len > depth)
        memcpy(&value, key + depth, len - depth < 8 ? len - depth : 8);
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
        (struct sort_entry){key_bytes_at(r->key, r->key_len, 0), partition, (uint32_t)s->used};
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
    if (e + READ_AHEAD < s->end) /* records lie in memory as they came: every one is a cache miss otherwise */
        __builtin_prefetch(s->base + e[READ_AHEAD].offset);
    *ret_partition = e->partition;
    return record_at(s, e->offset);
}

/* ---- sorting ----
 *
 * Quicksort in three parts on (partition, prefix). Entries that are equal there get the next eight bytes of their keys
 * as their prefix and are sorted again, so that every record is looked at once per eight bytes of common beginning, and
 * not once per comparison: records are scattered in memory, entries are not. */

#define SMALL_COUNT 24
#define DEPTH_MAX   1024 /* beyond it keys are compared as a whole: bounds the recursion */

static inline int head_compare(const struct sort_entry *a, const struct sort_entry *b)
{
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return (a->prefix > b->prefix) - (a->prefix < b->prefix);
}

/* Both keys are equal up to depth, and prefix holds the bytes from there on. */
static inline bool entry_less(const struct sort_buffer *s, const struct sort_entry *a, const struct sort_entry *b,
                              uint32_t depth)
{
    int order = head_compare(a, b);
    if (order)
        return order < 0;
    struct record ra = record_at(s, a->offset), rb = record_at(s, b->offset);
    uint32_t len = ra.key_len < rb.key_len ? ra.key_len : rb.key_len;
    order = len > depth + 8 ? memcmp(ra.key + depth + 8, rb.key + depth + 8, len - depth - 8) : 0;
    return order ? order < 0 : ra.key_len < rb.key_len;
}

static inline void entry_swap(struct sort_entry *a, struct sort_entry *b)
{
    struct sort_entry t = *a;
    *a = *b;
    *b = t;
}

static void insertion_sort(const struct sort_buffer *s, struct sort_entry *e, size_t n, uint32_t depth)
{
    for (size_t i = 1; i < n; i++) {
        struct sort_entry moving = e[i];
        size_t j = i;
        for (; j > 0 && entry_less(s, &moving, &e[j - 1], depth); j--)
            e[j] = e[j - 1];
        e[j] = moving;
    }
}

static void heap_sink(const struct sort_buffer *s, struct sort_entry *e, size_t i, size_t n, uint32_t depth)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && entry_less(s, &e[child], &e[child + 1], depth))
            child++;
        if (!entry_less(s, &e[i], &e[child], depth))
            return;
        entry_swap(&e[i], &e[child]);
    }
}

static void heap_sort(const struct sort_buffer *s, struct sort_entry *e, size_t n, uint32_t depth)
{
    for (size_t i = n / 2; i-- > 0;)
        heap_sink(s, e, i, n, depth);
    while (n-- > 1) {
        entry_swap(&e[0], &e[n]);
        heap_sink(s, e, 0, n, depth);
    }
}

static struct sort_entry median(const struct sort_entry *e, size_t n)
{
    const struct sort_entry *a = &e[n / 4], *b = &e[n / 2], *c = &e[n / 4 * 3], *t;
    if (head_compare(b, a) < 0)
        t = a, a = b, b = t;
    if (head_compare(c, b) < 0)
        b = head_compare(c, a) < 0 ? a : c;
    return *b;
}

static void sort_entries(const struct sort_buffer *s, struct sort_entry *e, size_t n, uint32_t depth);

/* All have the same partition and prefix. Keys that end here come first, the shorter the earlier: they are beginnings
 * of the others. */
static void sort_equal_heads(const struct sort_buffer *s, struct sort_entry *e, size_t n, uint32_t depth)
{
    if (n <= SMALL_COUNT) {
        insertion_sort(s, e, n, depth);
        return;
    }
    if (depth >= DEPTH_MAX) {
        heap_sort(s, e, n, depth);
        return;
    }
    size_t ended = 0;
    bool same_length = true;
    uint32_t length = 0;
    for (size_t i = 0; i < n; i++) {
        if (i + READ_AHEAD < n)
            __builtin_prefetch(s->base + e[i + READ_AHEAD].offset + depth + 8);
        struct record r = record_at(s, e[i].offset);
        if (r.key_len > depth + 8) {
            e[i].prefix = key_bytes_at(r.key, r.key_len, depth + 8);
            continue;
        }
        same_length &= ended == 0 || r.key_len == length;
        length = r.key_len;
        entry_swap(&e[ended++], &e[i]);
    }
    if (!same_length) /* keys that end in zero bytes */
        heap_sort(s, e, ended, depth);
    sort_entries(s, e + ended, n - ended, depth + 8);
}

static void sort_entries(const struct sort_buffer *s, struct sort_entry *e, size_t n, uint32_t depth)
{
    int budget = 4; /* bad pivots we put up with */
    for (size_t left = n; left > 1; left /= 2)
        budget += 2;
    while (n > SMALL_COUNT) {
        if (budget-- == 0) {
            heap_sort(s, e, n, depth);
            return;
        }
        struct sort_entry pivot = median(e, n);
        size_t less = 0, i = 0, more = n; /* [0,less) < pivot, [less,i) equal, [more,n) greater */
        while (i < more) {
            int order = head_compare(&e[i], &pivot);
            if (order < 0)
                entry_swap(&e[less++], &e[i++]);
            else if (order > 0)
                entry_swap(&e[i], &e[--more]);
            else
                i++;
        }
        sort_equal_heads(s, e + less, more - less, depth);
        if (less < n - more) {
            sort_entries(s, e, less, depth);
            e += more;
            n -= more;
        } else {
            sort_entries(s, e + more, n - more, depth);
            n = less;
        }
    }
    insertion_sort(s, e, n, depth);
}

void sort_buffer_sort(struct sort_buffer *s)
{
    sort_entries(s, s->end - s->count, s->count, 0);
}

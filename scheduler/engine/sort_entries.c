#include "scheduler/engine/sort_entries.h"

/* Many entries are distributed by their partition, then by one byte of the prefix after the other, in place; few are
 * sorted by a quicksort in three parts on (partition, prefix). Entries that are equal there get the next eight bytes of
 * their keys as their prefix and are sorted again, so that every record is looked at once per eight bytes of common
 * beginning, and not once per comparison: records are scattered in memory, entries are not. */

#define SMALL_COUNT     24
#define RADIX_COUNT     512  /* from so many on a distribution is faster than a quicksort */
#define RADIX_DEPTH_MAX 64   /* and up to here: its tables are on the stack */
#define DEPTH_MAX       1024 /* beyond it keys are compared as a whole: bounds the recursion */
#define READ_AHEAD      16

static inline int head_compare(const struct sort_entry *a, const struct sort_entry *b)
{
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return (a->prefix > b->prefix) - (a->prefix < b->prefix);
}

/* Both keys are equal up to depth, and prefix holds the bytes from there on. */
static inline bool entry_less(const uint8_t *records, const struct sort_entry *a, const struct sort_entry *b,
                              uint32_t depth)
{
    int order = head_compare(a, b);
    if (order)
        return order < 0;
    struct record ra = sort_record_at(records, a->offset), rb = sort_record_at(records, b->offset);
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

static void insertion_sort(const uint8_t *records, struct sort_entry *e, size_t n, uint32_t depth)
{
    for (size_t i = 1; i < n; i++) {
        struct sort_entry moving = e[i];
        size_t j = i;
        for (; j > 0 && entry_less(records, &moving, &e[j - 1], depth); j--)
            e[j] = e[j - 1];
        e[j] = moving;
    }
}

static void heap_sink(const uint8_t *records, struct sort_entry *e, size_t i, size_t n, uint32_t depth)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && entry_less(records, &e[child], &e[child + 1], depth))
            child++;
        if (!entry_less(records, &e[i], &e[child], depth))
            return;
        entry_swap(&e[i], &e[child]);
    }
}

static void heap_sort(const uint8_t *records, struct sort_entry *e, size_t n, uint32_t depth)
{
    for (size_t i = n / 2; i-- > 0;)
        heap_sink(records, e, i, n, depth);
    while (n-- > 1) {
        entry_swap(&e[0], &e[n]);
        heap_sink(records, e, 0, n, depth);
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

static void sort_heads(const uint8_t *records, struct sort_entry *e, size_t n, uint32_t depth);

/* All have the same partition and prefix. Keys that end here come first, the shorter the earlier: they are beginnings
 * of the others. */
static void sort_equal_heads(const uint8_t *records, struct sort_entry *e, size_t n, uint32_t depth)
{
    if (n <= SMALL_COUNT) {
        insertion_sort(records, e, n, depth);
        return;
    }
    if (depth >= DEPTH_MAX) {
        heap_sort(records, e, n, depth);
        return;
    }
    size_t ended = 0;
    bool same_length = true;
    uint32_t length = 0;
    for (size_t i = 0; i < n; i++) {
        if (i + READ_AHEAD < n)
            __builtin_prefetch(records + e[i + READ_AHEAD].offset + depth + 8);
        struct record r = sort_record_at(records, e[i].offset);
        if (r.key_len > depth + 8) {
            e[i].prefix = sort_prefix(r.key, r.key_len, depth + 8);
            continue;
        }
        same_length &= ended == 0 || r.key_len == length;
        length = r.key_len;
        entry_swap(&e[ended++], &e[i]);
    }
    if (!same_length) /* keys that end in zero bytes */
        heap_sort(records, e, ended, depth);
    sort_heads(records, e + ended, n - ended, depth + 8);
}

static void quick_sort(const uint8_t *records, struct sort_entry *e, size_t n, uint32_t depth)
{
    int budget = 4; /* bad pivots we put up with */
    for (size_t left = n; left > 1; left /= 2)
        budget += 2;
    while (n > SMALL_COUNT) {
        if (budget-- == 0) {
            heap_sort(records, e, n, depth);
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
        sort_equal_heads(records, e + less, more - less, depth);
        if (less < n - more) {
            quick_sort(records, e, less, depth);
            e += more;
            n -= more;
        } else {
            quick_sort(records, e + more, n - more, depth);
            n = less;
        }
    }
    insertion_sort(records, e, n, depth);
}

/* ---- distribution ---- */

#define PREFIX_BYTES 8
#define BYTES        256

/* Level 0: the partition; then the bytes of the prefix. */
static inline unsigned digit(const struct sort_entry *e, int level)
{
    return level ? (unsigned)(e->prefix >> (64 - 8 * level)) & 0xff : e->partition & 0xff;
}

/* Each entry is swapped to where those of its digit go. next: where each digit's begin, end: where they end. */
static void distribute(struct sort_entry *e, int level, uint32_t next[BYTES], const uint32_t end[BYTES])
{
    for (unsigned d = 0; d < BYTES; d++)
        while (next[d] < end[d]) {
            struct sort_entry moving = e[next[d]];
            for (unsigned to; (to = digit(&moving, level)) != d;) {
                struct sort_entry other = e[next[to]];
                e[next[to]++] = moving;
                moving = other;
            }
            e[next[d]++] = moving;
        }
}

/* All have the same digits above the level. */
static void radix_sort(const uint8_t *records, struct sort_entry *e, size_t n, uint32_t depth, int level)
{
    uint32_t next[BYTES], end[BYTES];
    unsigned only;
    do { /* as long as they are all in one place */
        if (n < RADIX_COUNT) {
            quick_sort(records, e, n, depth);
            return;
        }
        if (level > PREFIX_BYTES) {
            sort_equal_heads(records, e, n, depth);
            return;
        }
        memset(end, 0, sizeof end);
        for (size_t i = 0; i < n; i++)
            end[digit(&e[i], level)]++;
        only = digit(&e[0], level++);
    } while (end[only] == n);
    uint32_t begin = 0;
    for (unsigned d = 0; d < BYTES; d++) {
        next[d] = begin;
        begin = end[d] += begin;
    }
    distribute(e, level - 1, next, end);
    for (unsigned d = 0; d < BYTES; d++) {
        uint32_t from = d ? end[d - 1] : 0;
        if (end[d] > from)
            radix_sort(records, e + from, end[d] - from, depth, level);
    }
}

/* Keys are equal up to depth. */
static void sort_heads(const uint8_t *records, struct sort_entry *e, size_t n, uint32_t depth)
{
    uint32_t partitions = 0;
    for (size_t i = 0; depth == 0 && i < n; i++)
        partitions |= e[i].partition;
    if (depth > RADIX_DEPTH_MAX || partitions >= BYTES)
        quick_sort(records, e, n, depth);
    else
        radix_sort(records, e, n, depth, depth ? 1 : 0);
}

void sort_entries(const uint8_t *records, struct sort_entry *e, size_t n)
{
    sort_heads(records, e, n, 0);
}

#include "fuse/posix/extents.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

/* The index of the first one that ends behind offset. */
static size_t index_from(const struct extents *e, int64_t offset)
{
    size_t low = 0, high = e->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (e->items[middle].end <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t data_bytes(const struct extent *x, size_t count)
{
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += x[i].is_zero ? 0 : x[i].end - x[i].start;
    return sum;
}

/* Puts `new` where `gone` extents from index on were. */
static void replace(struct extents *e, size_t index, size_t gone, const struct extent *new, size_t new_count)
{
    size_t count = e->count - gone + new_count;
    if (!gone && !new_count)
        return; /* there may be no items at all */
    if (count > e->capacity) {
        e->capacity = count < 8 ? 8 : count * 2;
        e->items = mem_realloc_array(e->items, e->capacity, sizeof *e->items);
    }
    e->data_bytes -= data_bytes(e->items + index, gone);
    memmove(e->items + index + new_count, e->items + index + gone, (e->count - index - gone) * sizeof *e->items);
    if (new_count)
        memcpy(e->items + index, new, new_count * sizeof *new);
    e->data_bytes += data_bytes(new, new_count);
    e->count = count;
}

/* Neighbours of the same kind are taken in; what the range cuts through keeps its other parts. */
void extents_add(struct extents *e, int64_t start, int64_t end, bool is_zero)
{
    struct extent new[3], middle = {start, end, is_zero};
    size_t count = 0;
    if (start >= end)
        return;
    size_t first = index_from(e, start), last = first;
    if (first > 0 && e->items[first - 1].end == start && e->items[first - 1].is_zero == is_zero)
        first--;
    while (last < e->count && e->items[last].start < end)
        last++;
    if (last < e->count && e->items[last].start == end && e->items[last].is_zero == is_zero)
        last++;
    if (first < last) {
        struct extent left = e->items[first], right = e->items[last - 1];
        if (left.start < start && left.is_zero == is_zero)
            middle.start = left.start;
        else if (left.start < start)
            new[count++] = (struct extent){left.start, start, left.is_zero};
        if (right.end > end && right.is_zero == is_zero)
            middle.end = right.end;
        new[count++] = middle;
        if (right.end > end && right.is_zero != is_zero)
            new[count++] = (struct extent){end, right.end, right.is_zero};
    } else {
        new[count++] = middle;
    }
    replace(e, first, last - first, new, count);
}

void extents_remove(struct extents *e, int64_t start, int64_t end)
{
    size_t first = index_from(e, start), last = first, count = 0;
    struct extent new[2];
    if (start >= end)
        return;
    while (last < e->count && e->items[last].start < end)
        last++;
    if (first == last)
        return;
    struct extent left = e->items[first], right = e->items[last - 1];
    if (left.start < start)
        new[count++] = (struct extent){left.start, start, left.is_zero};
    if (right.end > end)
        new[count++] = (struct extent){end, right.end, right.is_zero};
    replace(e, first, last - first, new, count);
}

void extents_cut(struct extents *e, int64_t size)
{
    size_t index = index_from(e, size);
    if (index < e->count && e->items[index].start < size) {
        struct extent kept = {e->items[index].start, size, e->items[index].is_zero};
        replace(e, index, e->count - index, &kept, 1);
    } else {
        replace(e, index, e->count - index, NULL, 0);
    }
}

void extents_clear(struct extents *e)
{
    free(e->items);
    *e = (struct extents){0};
}

const struct extent *extents_from(const struct extents *e, int64_t offset)
{
    size_t index = index_from(e, offset);
    return index < e->count ? &e->items[index] : NULL;
}

#include "namenode/namespace/block_ids.h"

#include <stdlib.h>

struct block_ids block_ids_of(const struct inode *n, struct arena *a)
{
    return (struct block_ids){.n = n, .arena = a};
}

static int by_number(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return a < b ? -1 : a > b;
}

static void sort(struct block_ids *s)
{
    size_t count = s->n->block_count;
    bool is_sorted = true;
    s->sorted = arena_array(s->arena, uint64_t, count);
    for (size_t i = 0; i < count; i++) {
        s->sorted[i] = s->n->blocks[i].id;
        is_sorted = is_sorted && (!i || s->sorted[i - 1] <= s->sorted[i]);
    }
    if (!is_sorted)
        qsort(s->sorted, count, sizeof *s->sorted, by_number);
}

bool block_ids_have(struct block_ids *s, size_t likely, uint64_t id)
{
    if (!s->n || !s->n->block_count)
        return false;
    if (likely < s->n->block_count && s->n->blocks[likely].id == id)
        return true;
    if (!s->sorted)
        sort(s);
    return bsearch(&id, s->sorted, s->n->block_count, sizeof id, by_number) != NULL;
}

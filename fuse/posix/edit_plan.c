#include "fuse/posix/edit_plan.h"

#include <stdlib.h>

#include "common/mem.h"

int64_t edit_unit(int64_t size)
{
    int64_t unit = EDIT_UNIT_MIN_BYTES;
    while (unit < EDIT_UNIT_MAX_BYTES && unit * 256 < size)
        unit *= 2;
    return unit;
}

struct planner {
    const struct piece *pieces;
    size_t count;
    const struct extents *changed;
    int64_t size, unit, clean_max;
    struct edit_plan *plan;
};

static bool is_changed(const struct planner *p, int64_t start, int64_t end)
{
    const struct extent *x = extents_from(p->changed, start);
    return x && x->start < end;
}

/* Does the range have bytes to store, changed ones or the pieces' from index on (which begins at piece_start)? */
static bool has_data(const struct planner *p, int64_t start, int64_t end, size_t index, int64_t piece_start)
{
    int64_t at = start;
    while (at < end) {
        const struct extent *x = extents_from(p->changed, at);
        int64_t clean_end = x && x->start < end ? x->start : end;
        for (; at < clean_end && index < p->count; piece_start += p->pieces[index++].length) {
            int64_t piece_end = piece_start + p->pieces[index].length;
            if (piece_start >= clean_end)
                break;
            if (piece_end > at && !p->pieces[index].is_hole)
                return true;
            if (piece_end > clean_end)
                break; /* it may go on behind what is changed */
        }
        if (!x || x->start >= end)
            return false;
        if (!x->is_zero)
            return true;
        at = x->end;
    }
    return false;
}

static void span_add_piece(struct edit_span *s, const struct piece *p)
{
    struct piece *last = s->new_count ? &s->new[s->new_count - 1] : NULL;
    if (last && p->is_hole && last->is_hole) {
        last->length += p->length;
        return;
    }
    if (s->new_count == s->new_capacity) {
        s->new_capacity = s->new_capacity ? s->new_capacity * 2 : 4;
        s->new = mem_realloc_array(s->new, s->new_capacity, sizeof *s->new);
    }
    s->new[s->new_count++] = *p;
}

static void span_add(struct edit_span *s, int64_t length, bool is_hole)
{
    span_add_piece(s, &(struct piece){.length = length, .is_hole = is_hole});
}

static int64_t unit_end(const struct planner *p, int64_t at, int64_t end)
{
    int64_t next = (at / p->unit + 1) * p->unit;
    return next < end ? next : end;
}

/* Where the bytes from `at` on stop being without data; long holes are passed in one step. */
static int64_t hole_end(const struct planner *p, int64_t at, int64_t end, size_t index, int64_t piece_start)
{
    int64_t stop = at;
    for (const struct extent *x; stop < end;) {
        while (index < p->count && piece_start + p->pieces[index].length <= stop)
            piece_start += p->pieces[index++].length;
        x = extents_from(p->changed, stop);
        if (x && x->start <= stop) {
            if (!x->is_zero)
                break;
            stop = x->end;
        } else if (index < p->count && !p->pieces[index].is_hole) {
            break;
        } else {
            int64_t to = index < p->count ? piece_start + p->pieces[index].length : end;
            stop = x && x->start < to ? x->start : to;
        }
    }
    stop = stop < end ? stop : end;
    int64_t whole = stop == end ? end : stop / p->unit * p->unit;
    return whole > at ? whole : at;
}

/* Cuts [start, end), which the pieces from index on held, into new ones. */
static void span_cut(const struct planner *p, struct edit_span *s, int64_t start, int64_t end)
{
    size_t index = s->index;
    int64_t piece_start = s->start;
    for (int64_t at = start, next; at < end; at = next) {
        while (index < p->count && piece_start + p->pieces[index].length <= at)
            piece_start += p->pieces[index++].length;
        next = hole_end(p, at, end, index, piece_start);
        if (next > at) {
            span_add(s, next - at, true);
            continue;
        }
        next = unit_end(p, at, end);
        if (!is_changed(p, at, next))
            while (next < end && unit_end(p, next, end) - at <= p->clean_max &&
                   !is_changed(p, next, unit_end(p, next, end)) &&
                   has_data(p, next, unit_end(p, next, end), index, piece_start))
                next = unit_end(p, next, end);
        span_add(s, next - at, !has_data(p, at, next, index, piece_start));
    }
}

static struct edit_span *span_new(struct edit_plan *plan, size_t index, int64_t start)
{
    if (plan->count == plan->capacity) {
        plan->capacity = plan->capacity ? plan->capacity * 2 : 4;
        plan->spans = mem_realloc_array(plan->spans, plan->capacity, sizeof *plan->spans);
    }
    plan->spans[plan->count] = (struct edit_span){.index = index, .start = start};
    return &plan->spans[plan->count++];
}

/* Must the piece go? The last one also if the file grows and it can take in what follows. */
static bool is_touched(const struct planner *p, size_t index, int64_t start, int64_t old_size)
{
    int64_t end = start + p->pieces[index].length;
    if (end > p->size || is_changed(p, start, end))
        return true;
    if (index + 1 != p->count || p->size <= old_size)
        return false;
    return p->pieces[index].is_hole ? hole_end(p, end, p->size, p->count, old_size) > end : end % p->unit != 0;
}

void edit_plan_make(const struct piece *pieces, size_t count, const struct extents *changed, int64_t size, int64_t unit,
                    int64_t block_bytes, struct edit_plan *ret)
{
    struct planner p = {pieces, count, changed, size, unit < block_bytes ? unit : block_bytes, 0, ret};
    p.clean_max = block_bytes < EDIT_CLEAN_MAX_BYTES ? block_bytes : EDIT_CLEAN_MAX_BYTES;
    int64_t start = 0, old_size = 0;
    *ret = (struct edit_plan){0};
    for (size_t i = 0; i < count; i++)
        old_size += pieces[i].length;
    for (size_t i = 0; i < count;) {
        if (!is_touched(&p, i, start, old_size)) {
            start += pieces[i++].length;
            continue;
        }
        struct edit_span *s = span_new(ret, i, start);
        for (; i < count && is_touched(&p, i, start, old_size); i++)
            start += pieces[i].length;
        s->old_count = i - s->index;
        int64_t end = i == count || start > size ? size : start;
        span_cut(&p, s, s->start, end);
    }
    const struct edit_span *last = ret->count ? &ret->spans[ret->count - 1] : NULL;
    if (size > old_size && (!last || last->index + last->old_count < count)) /* else the last one took it in */
        span_cut(&p, span_new(ret, count, old_size), old_size, size);
}

void edit_plan_put(const struct piece *pieces, size_t count, int64_t at, const struct piece *put, size_t put_count,
                   struct edit_plan *ret)
{
    size_t i = 0;
    int64_t start = 0, end = at;
    bool is_hole = true; /* what is covered last; behind the end it is nothing */
    *ret = (struct edit_plan){0};
    while (i < count && start + pieces[i].length <= at)
        start += pieces[i++].length;
    struct edit_span *s = span_new(ret, i, start);
    if (start < at)
        span_add(s, at - start, i == count || pieces[i].is_hole);
    for (size_t k = 0; k < put_count; end += put[k++].length)
        span_add_piece(s, &put[k]);
    for (; i < count && start < end; start += pieces[i++].length, s->old_count++)
        is_hole = pieces[i].is_hole;
    if (s->old_count && start > end)
        span_add(s, start - end, is_hole);
}

void edit_plan_append(const struct piece *pieces, size_t count, int64_t from, int64_t end, int64_t block_bytes,
                      struct edit_plan *ret)
{
    int64_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += pieces[i].length;
    *ret = (struct edit_plan){.shift = size - from};
    struct edit_span *s = span_new(ret, count, size);
    for (int64_t at = from, next; at < end; at = next) {
        next = end - at < block_bytes ? end : at + block_bytes;
        span_add(s, next - at, false);
    }
}

int64_t edit_plan_upload_bytes(const struct edit_plan *plan)
{
    int64_t bytes = 0;
    for (size_t i = 0; i < plan->count; i++)
        for (size_t k = 0; k < plan->spans[i].new_count; k++)
            bytes += piece_is_unwritten(&plan->spans[i].new[k]) ? plan->spans[i].new[k].length : 0;
    return bytes;
}

void edit_plan_free(struct edit_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        free(plan->spans[i].new);
    free(plan->spans);
    *plan = (struct edit_plan){0};
}

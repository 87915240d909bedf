/* Changes of files held against plain bytes: what a plan leaves, replaces and makes a hole of must give the file that
 * was written, and not cost more than it has to. */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "fuse/posix/edit_plan.h"
#include "tests/unit/check.h"

#define UNIT   16
#define SIZE   2000
#define ROUNDS 20000

static unsigned random_state = 1;

static unsigned random_below(unsigned n)
{
    random_state = random_state * 1103515245 + 12345;
    return (random_state >> 8) % n;
}

/* ---- extents ---- */

static void test_extents_are_what_was_added_last(void **state)
{
    for (int round = 0; round < 500; round++) {
        struct extents e = {0};
        char model[SIZE] = {0}; /* 0 clean, 1 data, 2 zero */
        for (int i = 0; i < 60; i++) {
            int64_t start = random_below(SIZE), end = start + random_below(100);
            end = end < SIZE ? end : SIZE;
            bool zero = random_below(2);
            unsigned dice = random_below(10);
            if (dice == 1) {
                extents_remove(&e, start, end);
                memset(model + start, 0, (size_t)(end - start));
            } else if (dice == 0) {
                extents_cut(&e, start);
                memset(model + start, 0, (size_t)(SIZE - start));
            } else {
                extents_add(&e, start, end, zero);
                memset(model + start, zero ? 2 : 1, (size_t)(end - start));
            }
        }
        int64_t at = 0, data = 0;
        for (size_t i = 0; i < e.count; i++) {
            const struct extent *x = &e.items[i];
            assert_true(x->start < x->end && x->start >= at);
            if (i > 0 && x->start == e.items[i - 1].end)
                assert_true(x->is_zero != e.items[i - 1].is_zero);
            for (; at < x->start; at++)
                assert_int_equal(model[at], 0);
            for (; at < x->end; at++)
                assert_int_equal(model[at], x->is_zero ? 2 : 1);
            data += x->is_zero ? 0 : x->end - x->start;
        }
        for (; at < SIZE; at++)
            assert_int_equal(model[at], 0);
        assert_int_equal(e.data_bytes, data);
        extents_clear(&e);
    }
}

/* ---- plans ---- */

struct model {
    struct piece pieces[SIZE];
    size_t count;
    bool has_data[SIZE]; /* of the new file: some byte that is stored */
    bool is_changed[SIZE];
    struct extents changed;
    int64_t old_size, size;
};

static void model_make(struct model *m)
{
    *m = (struct model){0};
    bool was_hole = false;
    for (m->count = random_below(8); m->old_size < SIZE / 2 && m->count < 20; m->count++) {
        bool hole = !was_hole && random_below(3) == 0;
        int64_t length = 1 + random_below(120);
        m->pieces[m->count] = (struct piece){.length = length, .block_id = hole ? 0 : m->count + 1, .is_hole = hole};
        memset(m->has_data + m->old_size, !hole, (size_t)length);
        m->old_size += length;
        was_hole = hole;
    }
    m->count = 0;
    for (int64_t at = 0; at < m->old_size; m->count++) { /* the first ones were skipped: number them again */
        while (!m->pieces[m->count].length)
            memmove(m->pieces, m->pieces + 1, sizeof m->pieces - sizeof m->pieces[0]);
        at += m->pieces[m->count].length;
    }
    m->size = random_below(4) == 0 ? random_below(SIZE) : m->old_size;
    for (unsigned i = random_below(6); i > 0; i--) {
        int64_t start = random_below(SIZE), end = start + 1 + random_below(80);
        end = end < SIZE ? end : SIZE;
        bool zero = random_below(3) == 0;
        extents_add(&m->changed, start, end, zero);
        memset(m->has_data + start, !zero, (size_t)(end - start));
        memset(m->is_changed + start, 1, (size_t)(end - start));
        m->size = end > m->size && random_below(2) ? end : m->size;
    }
    extents_cut(&m->changed, m->size);
}

static bool any(const bool *bytes, int64_t start, int64_t end)
{
    for (int64_t at = start; at < end; at++)
        if (bytes[at])
            return true;
    return false;
}

static void check_new_pieces(const struct model *m, const struct edit_span *s, int64_t end)
{
    int64_t at = s->start;
    for (size_t i = 0; i < s->new_count; i++) {
        const struct piece *p = &s->new[i];
        assert_true(p->length > 0);
        assert_int_equal(p->is_hole, !any(m->has_data, at, at + p->length));
        if (!p->is_hole && any(m->is_changed, at, at + p->length))
            assert_true(p->length <= UNIT && at / UNIT == (at + p->length - 1) / UNIT);
        at += p->length;
    }
    assert_int_equal(at, end);
}

static void test_plans_make_the_file_that_was_written(void **state)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct model m;
        struct edit_plan plan;
        size_t next = 0;
        int64_t at = 0;
        model_make(&m);
        edit_plan_make(m.pieces, m.count, &m.changed, m.size, UNIT, EDIT_CLEAN_MAX_BYTES, &plan);
        for (size_t i = 0; i <= plan.count; i++) {
            size_t until = i < plan.count ? plan.spans[i].index : m.count;
            assert_true(until >= next && until <= m.count);
            for (; next < until; at += m.pieces[next++].length) { /* what stays is what it was, and wholly inside */
                assert_false(any(m.is_changed, at, at + m.pieces[next].length));
                assert_true(at + m.pieces[next].length <= m.size);
            }
            if (i == plan.count)
                break;
            assert_int_equal(plan.spans[i].start, at);
            int64_t length = 0;
            for (size_t n = 0; n < plan.spans[i].new_count; n++)
                length += plan.spans[i].new[n].length;
            check_new_pieces(&m, &plan.spans[i], at + length);
            next += plan.spans[i].old_count;
            at += length;
        }
        assert_int_equal(at, m.size);
        edit_plan_free(&plan);
        extents_clear(&m.changed);
    }
}

/* Which byte of which piece is where: what is put keeps its blocks, what stays or is written anew its places. */
static void test_pieces_lie_over_what_was_there(void **state)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct model m;
        struct edit_plan plan;
        struct piece put[4];
        size_t put_count = 1 + random_below(4), next = 0;
        int64_t start = random_below(SIZE / 2), end = start, at = 0, rewritten = 0;
        model_make(&m);
        for (size_t i = 0; i < put_count; end += put[i++].length) {
            bool hole = (i == 0 || !put[i - 1].is_hole) && random_below(3) == 0;
            put[i] = (struct piece){.length = 1 + random_below(100), .block_id = hole ? 0 : 1000 + i, .is_hole = hole};
        }
        edit_plan_put(m.pieces, m.count, start, put, put_count, &plan);
        assert_int_equal(plan.count, 1);
        const struct edit_span *s = &plan.spans[0];
        for (; next < s->index; at += m.pieces[next++].length)
            assert_true(at + m.pieces[next].length <= start);
        assert_int_equal(s->start, at);
        int64_t old_end = at, put_at = start;
        for (size_t i = 0; i < s->old_count; i++)
            old_end += m.pieces[s->index + i].length;
        assert_true(s->index + s->old_count == m.count || old_end >= end);
        size_t k = 0;
        for (size_t i = 0; i < s->new_count; i++) {
            const struct piece *p = &s->new[i];
            assert_true(p->length > 0);
            if (p->block_id) { /* what is put, and there */
                for (; put[k].is_hole; put_at += put[k++].length)
                    ;
                assert_true(at == put_at && p->length == put[k].length && p->block_id == put[k].block_id);
                put_at += put[k++].length;
            } else if (piece_is_unwritten(p)) { /* what was there */
                assert_true((at + p->length == start || at == end) && at + p->length <= m.old_size);
                rewritten += p->length;
            }
            at += p->length;
        }
        for (; k < put_count; k++)
            assert_true(put[k].is_hole);
        assert_int_equal(at, end > old_end ? end : old_end);
        assert_int_equal(edit_plan_upload_bytes(&plan), rewritten);
        edit_plan_free(&plan);
        extents_clear(&m.changed);
    }
}

static void test_nothing_changed_needs_nothing(void **state)
{
    struct piece pieces[] = {{.length = 100, .block_id = 1}, {.length = 7, .block_id = 2}};
    struct extents none = {0};
    struct edit_plan plan;
    edit_plan_make(pieces, 2, &none, 107, UNIT, EDIT_CLEAN_MAX_BYTES, &plan);
    assert_int_equal(plan.count, 0);
    edit_plan_free(&plan);
}

static void test_one_byte_in_a_large_block_keeps_the_rest_together(void **state)
{
    struct piece pieces[] = {{.length = (int64_t)128 << 20, .block_id = 1}};
    struct extents changed = {0};
    struct edit_plan plan;
    int64_t unit = edit_unit(pieces[0].length), at = (int64_t)64 << 20;
    assert_int_equal(unit, 512 << 10);
    extents_add(&changed, at, at + 1, false);
    edit_plan_make(pieces, 1, &changed, pieces[0].length, unit, EDIT_CLEAN_MAX_BYTES, &plan);
    assert_int_equal(plan.count, 1);
    assert_int_equal(plan.spans[0].new_count, 4 + 1 + 4);
    assert_int_equal(plan.spans[0].new[4].length, unit);
    edit_plan_free(&plan);
    extents_clear(&changed);
}

static void test_a_terabyte_of_hole_is_one_step(void **state)
{
    struct extents changed = {0};
    struct edit_plan plan;
    int64_t size = (int64_t)1 << 50;
    extents_add(&changed, size - 1, size, false);
    edit_plan_make(NULL, 0, &changed, size, edit_unit(size), EDIT_CLEAN_MAX_BYTES, &plan);
    assert_int_equal(plan.count, 1);
    assert_int_equal(plan.spans[0].new_count, 2);
    assert_true(plan.spans[0].new[0].is_hole && !plan.spans[0].new[1].is_hole);
    edit_plan_free(&plan);
    extents_clear(&changed);
}

static void test_small_appends_fill_the_last_block(void **state)
{
    struct piece pieces[] = {{.length = 2 * UNIT, .block_id = 1}, {.length = 5, .block_id = 2}};
    struct extents changed = {0};
    struct edit_plan plan;
    extents_add(&changed, 2 * UNIT + 5, 2 * UNIT + 9, false);
    edit_plan_make(pieces, 2, &changed, 2 * UNIT + 9, UNIT, EDIT_CLEAN_MAX_BYTES, &plan);
    assert_int_equal(plan.count, 1);
    assert_int_equal(plan.spans[0].index, 1);
    assert_int_equal(plan.spans[0].new_count, 1);
    assert_int_equal(plan.spans[0].new[0].length, 9);
    edit_plan_free(&plan);
    extents_clear(&changed);
}

/* The namenode lets no file have a block that is longer than its own say. */
static void test_no_new_block_is_longer_than_the_file_s(void **state)
{
    enum { COUNT = 300, BLOCK = 1 << 20 };
    struct piece pieces[COUNT];
    struct extents changed = {0};
    struct edit_plan plan;
    int64_t size = (int64_t)COUNT * BLOCK;
    for (size_t i = 0; i < COUNT; i++)
        pieces[i] = (struct piece){.length = BLOCK, .block_id = i + 1};
    extents_add(&changed, 0, 1, false);
    for (int64_t at = BLOCK; at < size; at += BLOCK)
        extents_add(&changed, at - 1, at + 1, false);
    for (int small = 0; small < 2; small++) { /* a unit of the size, then a smaller one: what lies between is joined */
        edit_plan_make(pieces, COUNT, &changed, size, small ? EDIT_UNIT_MIN_BYTES : edit_unit(size), BLOCK, &plan);
        assert_true(plan.count > 0);
        for (size_t i = 0; i < plan.count; i++)
            for (size_t k = 0; k < plan.spans[i].new_count; k++)
                assert_true(plan.spans[i].new[k].length <= BLOCK);
        edit_plan_free(&plan);
    }
    extents_clear(&changed);
}

static void test_what_was_appended_goes_behind_the_last_piece(void **state)
{
    static const struct piece pieces[] = {{.length = 100, .block_id = 1}, {.length = 30, .is_hole = true}};
    struct edit_plan plan;
    edit_plan_append(pieces, 2, 60, 85, 10, &plan);
    assert_int_equal(plan.count, 1);
    const struct edit_span *s = plan.spans;
    assert_true(s->index == 2 && s->old_count == 0 && s->start == 130 && plan.shift == 70);
    assert_int_equal(s->new_count, 3);
    assert_true(s->new[0].length == 10 && s->new[1].length == 10 && s->new[2].length == 5);
    assert_int_equal(edit_plan_upload_bytes(&plan), 25);
    edit_plan_free(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extents_are_what_was_added_last),
        cmocka_unit_test(test_plans_make_the_file_that_was_written),
        cmocka_unit_test(test_pieces_lie_over_what_was_there),
        cmocka_unit_test(test_what_was_appended_goes_behind_the_last_piece),
        cmocka_unit_test(test_nothing_changed_needs_nothing),
        cmocka_unit_test(test_one_byte_in_a_large_block_keeps_the_rest_together),
        cmocka_unit_test(test_a_terabyte_of_hole_is_one_step),
        cmocka_unit_test(test_small_appends_fill_the_last_block),
        cmocka_unit_test(test_no_new_block_is_longer_than_the_file_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* buf, arena, rd and wr. */
#include "tests/unit/check.h"

#include "common/arena.h"
#include "common/buf.h"
#include "common/rd.h"
#include "common/wr.h"

static void what_is_written_is_read_back(void **state)
{
    struct buf b = {0};
    const uint64_t values[] = {0, 1, 127, 128, 300, 1u << 31, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
        wr_varint(&b, values[i]);
        wr_zigzag(&b, (int64_t)values[i]);
        wr_u64be(&b, values[i]);
        wr_u16be(&b, (uint16_t)values[i]);
    }
    struct rd r = rd_of(buf_slice(&b));
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
        assert_true(rd_varint(&r) == values[i]);
        assert_true(rd_zigzag(&r) == (int64_t)values[i]);
        assert_true(rd_u64be(&r) == values[i]);
        assert_int_equal(rd_u16be(&r), (uint16_t)values[i]);
    }
    assert_false(r.bad);
    assert_int_equal(rd_left(&r), 0);
    buf_free(&b);
}

static void reading_past_the_end_is_sticky(void **state)
{
    const uint8_t bytes[] = {1, 2, 3};
    struct rd r = rd_of((struct slice){bytes, sizeof bytes});
    assert_int_equal(rd_u32be(&r), 0);
    assert_true(r.bad);
    assert_int_equal(rd_u8(&r), 0);
    assert_int_equal(rd_left(&r), 0);
}

static void endless_varint_is_refused(void **state)
{
    uint8_t bytes[16];
    memset(bytes, 0xff, sizeof bytes);
    struct rd r = rd_of((struct slice){bytes, sizeof bytes});
    assert_true(rd_varint(&r) == 0);
    assert_true(r.bad);
}

static void buf_grows_consumes_and_detaches(void **state)
{
    struct buf b = {0};
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%d,", i);
    buf_consume(&b, 2);
    assert_memory_equal(b.base, "1,2,", 4);
    buf_clear(&b);
    buf_append_str(&b, "kept");
    char *text = buf_detach(&b);
    assert_string_equal(text, "kept");
    assert_null(b.base);
    free(text);
}

static void arena_stops_at_its_bound(void **state)
{
    struct arena a;
    arena_init(&a, 100000);
    assert_null(arena_try_alloc(&a, 200000));
    size_t got = 0;
    while (arena_try_alloc(&a, 1000))
        got += 1000;
    assert_in_range(got, 80000, 104096);
    arena_reset(&a);
    assert_non_null(arena_try_alloc(&a, 1000));
    arena_free(&a);
    assert_string_equal(arena_printf(&a, "%s-%d", "x", 7), "x-7");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back), cmocka_unit_test(reading_past_the_end_is_sticky),
        cmocka_unit_test(endless_varint_is_refused),    cmocka_unit_test(buf_grows_consumes_and_detaches),
        cmocka_unit_test(arena_stops_at_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Records up to a delimiter (textinputformat.record.delimiter): whatever the splits, together they have the records
 * that one split of the whole file has, and those are what Hadoop's LineReader finds. */
#include "tests/unit/check.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/engine/input_formats.h"
#include "tests/unit/scheduler/engine/memory_source.h"

static int memory_seek(void *context, int64_t offset, struct err *reterr)
{
    struct memory *m = context;
    assert_true(offset >= 0 && (size_t)offset <= m->all.len);
    m->at = (size_t)offset;
    return 0;
}

/* Each record in brackets, as those of splits of so many bytes. */
static void read_splits(struct slice all, const char *delimiter, size_t split, size_t at_once, struct buf *ret)
{
    buf_clear(ret);
    for (size_t start = 0; start < all.len; start += split) {
        struct memory m = {all, start, at_once};
        size_t left = all.len - start;
        struct input_split s = {.source = {memory_read, &m, memory_seek},
                                .start = (int64_t)start,
                                .length = (int64_t)(left < split ? left : split)};
        void *state = NULL;
        assert_int_equal(delimited_format_new(&s, delimiter, &state, NULL), 0);
        for (;;) {
            struct record r;
            bool more;
            assert_int_equal(delimited_format.next(state, &r, &more, NULL), 0);
            if (!more)
                break;
            buf_append(ret, "[", 1);
            buf_append(ret, r.value, r.value_len);
            buf_append(ret, "]", 1);
        }
        delimited_format.free(state);
    }
}

/* As LineReader does it: from left to right, and on behind the delimiter that was found. */
static void expect(struct slice all, struct slice delimiter, struct buf *ret)
{
    buf_clear(ret);
    for (size_t at = 0, begin = 0; begin < all.len; at++) {
        bool found = at + delimiter.len <= all.len && !memcmp(all.base + at, delimiter.base, delimiter.len);
        if (!found && at < all.len)
            continue;
        buf_append(ret, "[", 1);
        buf_append(ret, all.base + begin, at - begin);
        buf_append(ret, "]", 1);
        begin = found ? at + delimiter.len : all.len;
        at = begin - 1;
    }
}

static void assert_same(const struct buf *a, const struct buf *b)
{
    assert_int_equal(a->len, b->len);
    if (a->len)
        assert_memory_equal(a->base, b->base, a->len);
}

static void check(const char *all, const char *delimiter, struct buf *want, struct buf *got)
{
    size_t len = strlen(all);
    expect(text(all), text(delimiter), want);
    for (size_t split = len ? len : 1; split > 0; split--) {
        read_splits(text(all), delimiter, split, split % 3 + 1, got);
        assert_same(got, want);
    }
}

static void text_of_bits(uint32_t bits, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++)
        out[i] = bits >> i & 1 ? 'b' : 'a';
    out[len] = 0;
}

static void every_record_is_in_one_split(void **state)
{
    static const char *const delimiters[] = {"a", "aa", "ab", "aab", "aba", "abab", "aabaa"};
    AUTO(buf_free) struct buf want = {0}, got = {0};
    for (size_t d = 0; d < ARRAY_COUNT(delimiters); d++) {
        char all[32] = "";
        for (size_t len = 0; len <= 7; len++) /* every text */
            for (uint32_t bits = 0; bits < 1u << len; bits++) {
                text_of_bits(bits, len, all);
                check(all, delimiters[d], &want, &got);
            }
        uint32_t random = 1;
        for (size_t i = 0; i < 10; i++, random = random * 1103515245 + 12345) { /* and some that are longer */
            text_of_bits(random >> 4, 24, all);
            check(all, delimiters[d], &want, &got);
        }
    }
}

static void a_row_of_them_is_told_apart_from_its_beginning(void **state)
{
    AUTO(buf_free) struct buf want = {0}, got = {0};
    char all[240] = "";
    for (size_t i = 0; i < 75; i++)
        memcpy(all + i, i < 3 ? "xab" + i : i % 2 ? "a" : "b", 1);
    strcat(all, "|first|xyabab|second|");
    for (size_t i = 0; i < 30; i++)
        strcat(all, "ab");
    check(all, "abab", &want, &got);
    check(all, "ababab", &want, &got);
}

static size_t allocated(void)
{
    struct mallinfo2 now = mallinfo2();
    return now.uordblks + now.hblkhd;
}

/* From its beginning, too; but not all of it is in memory for that. */
static void a_long_row_of_them_takes_little_memory(void **state)
{
    enum { ALL = 12 << 20, START = 10 << 20 };
    AUTO(buf_free) struct buf all = {0};
    memset(buf_reserve(&all, ALL), 'a', ALL);
    all.len = ALL;
    size_t before = allocated();
    struct memory m = {buf_slice(&all), 0, ALL};
    struct input_split s = {.source = {memory_read, &m, memory_seek}, .start = START, .length = ALL - START};
    struct record r;
    bool more;
    void *format = NULL;
    assert_int_equal(delimited_format_new(&s, "aaa", &format, NULL), 0);
    assert_true(allocated() - before < 4 << 20);
    assert_int_equal(delimited_format.next(format, &r, &more, NULL), 0);
    assert_true(more && r.value_len == 0 && allocated() - before < 4 << 20);
    size_t count = 1;
    while (delimited_format.next(format, &r, &more, NULL) == 0 && more)
        count++;
    delimited_format.free(format);
    assert_int_equal(count, ALL / 3 - START / 3 - 1); /* one before each delimiter that begins behind the start */
}

static void a_byte_order_mark_is_dropped(void **state)
{
    AUTO(buf_free) struct buf got = {0};
    read_splits(text("\xef\xbb\xbfone--two"), "--", 100, 100, &got);
    assert_string_equal(buf_cstr(&got), "[one][two]");
    read_splits(text("\xef\xbb\xbf--two"), "--", 2, 100, &got);
    assert_string_equal(buf_cstr(&got), "[][two]");
    read_splits(text("\xef\xbb\xbf"), "--", 100, 100, &got);
    assert_int_equal(got.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_record_is_in_one_split),
                                       cmocka_unit_test(a_row_of_them_is_told_apart_from_its_beginning),
                                       cmocka_unit_test(a_long_row_of_them_takes_little_memory),
                                       cmocka_unit_test(a_byte_order_mark_is_dropped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every line of a file belongs to exactly one split, whatever the split size, the read size and the line ends. */
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/engine/line_input.h"

struct memory {
    const uint8_t *bytes;
    size_t len, at, at_once; /* at_once: how much one read gives at most */
};

static int memory_read(void *context, void *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    struct memory *m = context;
    size_t n = m->len - m->at;
    n = n < len ? n : len;
    n = n < m->at_once ? n : m->at_once;
    memcpy(bytes, m->bytes + m->at, n);
    m->at += n;
    *ret_read = n;
    return 0;
}

/* The plain truth: lines of the whole text, one "\n" after each. */
static void expected_lines(struct slice text, struct buf *ret)
{
    size_t i = text.len >= 3 && !memcmp(text.base, "\xef\xbb\xbf", 3) ? 3 : 0;
    bool open = false;
    for (; i < text.len; i++) {
        open = true;
        if (text.base[i] == '\r' || text.base[i] == '\n') {
            if (text.base[i] == '\r' && i + 1 < text.len && text.base[i + 1] == '\n')
                i++;
            buf_append(ret, "\n", 1);
            open = false;
        } else {
            buf_append(ret, &text.base[i], 1);
        }
    }
    if (open)
        buf_append(ret, "\n", 1);
}

static void read_split(struct slice text, size_t start, size_t len, size_t buffer, size_t at_once, bool by_line,
                       struct buf *ret)
{
    struct memory m = {text.base, text.len, start, at_once};
    struct line_input *in = line_input_new((struct byte_source){memory_read, &m}, (int64_t)start, (int64_t)len, buffer);
    size_t before = ret->len;
    for (;;) {
        struct slice part = {0};
        struct err err;
        int64_t offset = -1;
        bool more = false;
        if (by_line) {
            assert_int_equal(line_input_line(in, &part, &offset, &more, &err), 0);
            if (!more)
                break;
            assert_true(offset >= (int64_t)start && offset <= (int64_t)(start + len));
            buf_append(ret, part.base, part.len);
            buf_append(ret, "\n", 1);
        } else {
            assert_int_equal(line_input_chunk(in, &part, &err), 0);
            if (part.len == 0)
                break;
            buf_append(ret, part.base, part.len);
        }
    }
    assert_int_equal(line_input_count(in), count_newlines(ret->base + before, ret->len - before));
    line_input_free(in);
}

static void check_text(struct slice text, size_t split, size_t buffer, size_t at_once)
{
    struct buf want = {0};
    expected_lines(text, &want);
    for (int by_line = 0; by_line < 2; by_line++) {
        struct buf got = {0};
        for (size_t start = 0; start < text.len; start += split)
            read_split(text, start, split < text.len - start ? split : text.len - start, buffer, at_once, by_line,
                       &got);
        if (got.len != want.len || (want.len && memcmp(got.base, want.base, want.len)))
            fail_msg("split %zu buffer %zu at_once %zu by_line %d: got %zu bytes '%.*s', want %zu '%.*s'", split,
                     buffer, at_once, by_line, got.len, (int)got.len, (char *)got.base, want.len, (int)want.len,
                     (char *)want.base);
        buf_free(&got);
    }
    buf_free(&want);
}

static struct slice text_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static void every_split_size_gives_the_same_lines(void **state)
{
    static const char *const texts[] = {
        "a\nbb\nccc\n",   "a\r\nbb\r\n\r\nccc",
        "\n\n\n",         "no end",
        "\r\r\r",         "a\rb\rc\r",
        "a\r\n",          "\r\n\r\n",
        "x\n\r\ny\r\n\n", "\xef\xbb\xbfmark\nline\n",
        "\xef\xbb",       "one line that is much longer than a block of the file it is in\nand another\n",
    };
    for (size_t t = 0; t < ARRAY_COUNT(texts); t++)
        for (size_t split = 1; split <= strlen(texts[t]) + 1; split++)
            for (size_t buffer = 16; buffer <= 48; buffer += 16)
                for (size_t at_once = 1; at_once <= 32; at_once += at_once < 4 ? 1 : 7)
                    check_text(text_of(texts[t]), split, buffer, at_once);
}

static void random_texts_at_small_blocks(void **state)
{
    static const char alphabet[] = "ab\n\r\t\n";
    for (unsigned seed = 1; seed <= 300; seed++) {
        uint8_t bytes[200];
        srand(seed);
        size_t len = (size_t)rand() % sizeof bytes;
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)alphabet[(size_t)rand() % (sizeof alphabet - 1)];
        size_t split = 1 + (size_t)rand() % 80, buffer = 16 + (size_t)rand() % 64, at_once = 1 + (size_t)rand() % 64;
        check_text((struct slice){bytes, len}, split, buffer, at_once);
    }
}

static void nothing_in_an_empty_split(void **state)
{
    struct buf got = {0};
    read_split(text_of("abc\n"), 0, 0, 16, 16, false, &got);
    assert_int_equal(got.len, 0);
    buf_free(&got);
}

static void little_is_read_past_the_end(void **state)
{
    struct buf text = {0}, got = {0};
    for (int i = 0; i < 100000; i++)
        buf_printf(&text, "line %06d\n", i);
    struct memory m = {text.base, text.len, 0, SIZE_MAX};
    struct line_input *in = line_input_new((struct byte_source){memory_read, &m}, 0, 1000, 0);
    for (struct slice part = {0}; line_input_chunk(in, &part, NULL) == 0 && part.len;)
        buf_append(&got, part.base, part.len);
    assert_int_equal(got.len, 1008); /* 84 lines begin at 0 to 1000 */
    assert_true(line_input_bytes_read(in) < 16384);
    line_input_free(in);
    buf_free(&got);
    buf_free(&text);
}

static void newlines_are_counted_at_every_length(void **state)
{
    static uint8_t bytes[10000];
    for (int kind = 0; kind < 3; kind++) {
        size_t want = 0;
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = kind == 0 ? '\n' : kind == 1 ? (uint8_t)rand() : rand() % 3 ? '\n' ^ 0x80 : '\n';
        for (size_t len = 0; len < sizeof bytes; len++) {
            assert_int_equal(count_newlines(bytes, len), want);
            want += bytes[len] == '\n';
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_size_gives_the_same_lines),
        cmocka_unit_test(random_texts_at_small_blocks),
        cmocka_unit_test(nothing_in_an_empty_split),
        cmocka_unit_test(little_is_read_past_the_end),
        cmocka_unit_test(newlines_are_counted_at_every_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

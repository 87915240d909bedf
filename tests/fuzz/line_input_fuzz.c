/* Lines of splits: whatever the bytes and the split size, all splits together give what one split of the whole gives.
 */
#include "scheduler/engine/line_input.h"
#include "tests/fuzz/fuzz.h"

FUZZ_SEEDS(line_input)
{
    fuzz_seed(seeds, "\x05\x03one\r\ntwo\rthree\n\nfour", sizeof "\x05\x03one\r\ntwo\rthree\n\nfour" - 1);
    fuzz_seed(seeds, "\x01\x01\xef\xbb\xbfx\r\r\n\n", sizeof "\x01\x01\xef\xbb\xbfx\r\r\n\n" - 1);
    fuzz_seed(seeds, "\x40\x10no end of line at all", sizeof "\x40\x10no end of line at all" - 1);
}

struct line_input_bytes {
    struct slice left;
    size_t at_once;
};

static int line_input_bytes_read_some(void *context, void *to, size_t len, size_t *ret_read, struct err *reterr)
{
    struct line_input_bytes *b = context;
    size_t n = b->left.len < len ? b->left.len : len;
    n = n < b->at_once ? n : b->at_once;
    if (n)
        memcpy(to, b->left.base, n);
    b->left.base += n;
    b->left.len -= n;
    *ret_read = n;
    return 0;
}

static void line_input_collect(struct slice text, size_t split, size_t at_once, bool by_line, struct buf *ret)
{
    for (size_t start = 0; start < text.len; start += split) {
        struct line_input_bytes b = {{text.base + start, text.len - start}, at_once};
        size_t len = split < text.len - start ? split : text.len - start;
        struct line_input *in =
            line_input_new((struct byte_source){line_input_bytes_read_some, &b}, (int64_t)start, (int64_t)len, 16);
        for (;;) {
            struct slice part = {0};
            int64_t offset;
            bool more = false;
            int rc = by_line ? line_input_line(in, &part, &offset, &more, NULL) : line_input_chunk(in, &part, NULL);
            if (rc < 0)
                abort();
            if (by_line ? !more : part.len == 0)
                break;
            buf_append(ret, part.base, part.len);
            if (by_line)
                buf_append(ret, "\n", 1);
        }
        line_input_free(in);
    }
}

FUZZ_RUN(line_input)
{
    if (in.len < 2)
        return;
    size_t split = in.base[0] ? in.base[0] : 1, at_once = in.base[1] % 32 + 1;
    struct slice text = {in.base + 2, in.len - 2};
    struct buf whole = {0}, chunks = {0}, lines = {0};
    line_input_collect(text, text.len ? text.len : 1, SIZE_MAX, false, &whole);
    line_input_collect(text, split, at_once, false, &chunks);
    line_input_collect(text, split, at_once, true, &lines);
    if (chunks.len != whole.len || lines.len != whole.len ||
        (whole.len && (memcmp(chunks.base, whole.base, whole.len) || memcmp(lines.base, whole.base, whole.len))))
        abort();
    buf_free(&whole);
    buf_free(&chunks);
    buf_free(&lines);
}

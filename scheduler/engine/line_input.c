#include "scheduler/engine/line_input.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

/* What is read is looked at several times on its way (checksums, line ends): it stays in the processor's cache. */
#define LINE_INPUT_BUFFER_BYTES (256u << 10)
#define LINE_INPUT_AHEAD_BYTES  8192

struct line_input {
    struct byte_source source;
    int64_t end;  /* INT64_MAX: to the end of the source */
    int64_t pos;  /* file offset of raw[raw_next] */
    uint8_t *raw; /* raw_next .. raw_end: read, not yet handed out */
    size_t raw_size, raw_next, raw_end;
    bool at_eof;   /* the source has no more */
    bool skipping; /* the first line belongs to the split before */
    bool done;
    bool bom_possible, bom_skipped;
    bool cr_pending; /* the last byte seen was CR: an LF right after it belongs to it */
    bool open_line;  /* the last chunk did not end in LF */
    int64_t count, bytes_read;
    uint8_t *chunk;    /* only when CRs must be rewritten */
    struct buf line;   /* line_input_line: the line that is being put together */
    struct slice rest; /* line_input_line: of the current chunk */
    int64_t rest_offset;
};

struct line_input *line_input_new(struct byte_source source, int64_t start, int64_t length, size_t buffer_bytes)
{
    struct line_input *in = mem_new(struct line_input);
    in->source = source;
    in->pos = start;
    in->end = length < 0 || start > INT64_MAX - length ? INT64_MAX : start + length;
    in->skipping = start > 0;
    in->bom_possible = start == 0;
    in->done = length == 0;
    in->raw_size = buffer_bytes ? buffer_bytes : LINE_INPUT_BUFFER_BYTES;
    if (in->raw_size < 16)
        in->raw_size = 16;
    in->raw = mem_alloc(in->raw_size);
    return in;
}

void line_input_free(struct line_input *in)
{
    if (!in)
        return;
    free(in->raw);
    free(in->chunk);
    buf_free(&in->line);
    free(in);
}

int64_t line_input_count(const struct line_input *in)
{
    return in->count;
}

int64_t line_input_bytes_read(const struct line_input *in)
{
    return in->bytes_read;
}

/* Many bytes at a time: each lane of a vector counts the newlines it meets, and lanes are added up before they
 * overflow. */
#define LANES 16 /* what most processors have at least; compilers take wider ones apart */
typedef uint8_t lanes __attribute__((vector_size(LANES)));

static size_t count_newlines_in_vectors(const uint8_t *bytes, size_t vectors)
{
    lanes counts = {0}, x;
    size_t n = 0;
    for (size_t i = 0; i < vectors; i++) {
        memcpy(&x, bytes + LANES * i, LANES);
        counts -= (lanes)(x == '\n'); /* true is -1 */
    }
    for (size_t i = 0; i < LANES; i++)
        n += counts[i];
    return n;
}

size_t count_newlines(const uint8_t *bytes, size_t len)
{
    size_t n = 0, i = 0;
    for (size_t vectors; (vectors = (len - i) / LANES) > 0; i += LANES * vectors) {
        vectors = vectors < 255 ? vectors : 255;
        n += count_newlines_in_vectors(bytes + i, vectors);
    }
    for (; i < len; i++)
        n += bytes[i] == '\n';
    return n;
}

/* Makes sure that there are unread bytes unless the source is at its end. */
static int line_input_fill(struct line_input *in, struct err *reterr)
{
    if (in->raw_next < in->raw_end || in->at_eof)
        return 0;
    size_t got = 0, want = in->raw_size;
    if (in->end - in->pos < (int64_t)want) { /* past the split only the rest of one line is needed */
        int64_t left = in->end - in->pos + LINE_INPUT_AHEAD_BYTES;
        want = left < LINE_INPUT_AHEAD_BYTES ? LINE_INPUT_AHEAD_BYTES : (size_t)left;
        want = want < in->raw_size ? want : in->raw_size;
    }
    int rc = in->source.read(in->source.context, in->raw, want, &got, reterr);
    if (rc < 0)
        return rc;
    in->raw_next = 0;
    in->raw_end = got;
    in->at_eof = got == 0;
    in->bytes_read += (int64_t)got;
    return 0;
}

/* Offset just past the line end that begins at or after `from`, or 0 if it is not in the buffer. A CR needs to see the
 * byte after it; if that is not there yet (and may still come), the line end counts as not found, with *ret_cr set. */
static size_t line_end_after(const uint8_t *bytes, size_t from, size_t len, bool *ret_cr)
{
    const uint8_t *lf = from < len ? memchr(bytes + from, '\n', len - from) : NULL;
    size_t limit = lf ? (size_t)(lf - bytes) : len;
    const uint8_t *cr = from < limit ? memchr(bytes + from, '\r', limit - from) : NULL;
    *ret_cr = false;
    if (!cr)
        return lf ? limit + 1 : 0;
    size_t at = (size_t)(cr - bytes);
    if (at + 1 == len) {
        *ret_cr = true;
        return 0;
    }
    return bytes[at + 1] == '\n' ? at + 2 : at + 1;
}

static int line_input_skip_first(struct line_input *in, struct err *reterr)
{
    bool after_cr = false;
    while (in->skipping) {
        int rc = line_input_fill(in, reterr);
        if (rc < 0)
            return rc;
        const uint8_t *bytes = in->raw + in->raw_next;
        size_t len = in->raw_end - in->raw_next, used;
        if (len == 0) {
            in->done = true;
            in->skipping = false;
        } else if (after_cr) { /* the line ended in CR at the buffer's end: take an LF that follows */
            used = bytes[0] == '\n';
            in->raw_next += used;
            in->pos += (int64_t)used;
            in->skipping = false;
        } else {
            used = line_end_after(bytes, 0, len, &after_cr);
            in->skipping = used == 0;
            used = used ? used : len;
            in->raw_next += used;
            in->pos += (int64_t)used;
        }
    }
    if (in->pos > in->end)
        in->done = true;
    return 0;
}

/* At the beginning of a file: all three bytes must be there to decide. */
static int line_input_skip_bom(struct line_input *in, struct err *reterr)
{
    in->bom_possible = false;
    int rc = line_input_fill(in, reterr);
    if (rc < 0)
        return rc;
    while (in->raw_end - in->raw_next < 3 && !in->at_eof) {
        size_t got = 0;
        rc = in->source.read(in->source.context, in->raw + in->raw_end, in->raw_size - in->raw_end, &got, reterr);
        if (rc < 0)
            return rc;
        in->raw_end += got;
        in->bytes_read += (int64_t)got;
        in->at_eof = got == 0;
    }
    if (in->raw_end - in->raw_next >= 3 && !memcmp(in->raw + in->raw_next, "\xef\xbb\xbf", 3)) {
        in->raw_next += 3;
        in->pos += 3;
        in->bom_skipped = true;
    }
    return 0;
}

/* CR and CRLF become LF. */
static struct slice line_input_rewrite(struct line_input *in, const uint8_t *bytes, size_t len)
{
    if (!in->cr_pending && !memchr(bytes, '\r', len))
        return (struct slice){bytes, len};
    if (!in->chunk)
        in->chunk = mem_alloc(in->raw_size);
    uint8_t *out = in->chunk;
    for (size_t i = 0; i < len; i++) {
        if (in->cr_pending && bytes[i] == '\n') {
            in->cr_pending = false;
            continue;
        }
        in->cr_pending = bytes[i] == '\r';
        *out++ = in->cr_pending ? '\n' : bytes[i];
    }
    return (struct slice){in->chunk, (size_t)(out - in->chunk)};
}

/* How many of the unread bytes belong to the split; sets done when its last line ends among them. */
static size_t line_input_window(struct line_input *in)
{
    const uint8_t *bytes = in->raw + in->raw_next;
    size_t len = in->raw_end - in->raw_next;
    if (in->end == INT64_MAX || in->pos + (int64_t)len <= in->end)
        return len;
    /* A line end that begins at or after `end` is the end of the last line. */
    size_t from = in->pos >= in->end ? 0 : (size_t)(in->end - in->pos);
    if (in->pos > in->end && in->cr_pending) { /* that line ended in the CR we saw last */
        in->done = true;
        return bytes[0] == '\n';
    }
    bool cr = false;
    size_t past = line_end_after(bytes, from, len, &cr);
    in->done = past != 0;
    return past ? past : len;
}

static int line_input_raw_chunk(struct line_input *in, struct slice *ret, struct err *reterr)
{
    *ret = (struct slice){0};
    int rc = 0;
    if (in->bom_possible && (rc = line_input_skip_bom(in, reterr)) < 0)
        return rc;
    if (in->skipping && (rc = line_input_skip_first(in, reterr)) < 0)
        return rc;
    if (in->done)
        return 0;
    if ((rc = line_input_fill(in, reterr)) < 0)
        return rc;
    size_t take = in->raw_next < in->raw_end ? line_input_window(in) : 0;
    *ret = (struct slice){in->raw + in->raw_next, take};
    in->raw_next += take;
    in->pos += (int64_t)take;
    if (in->at_eof && take == 0)
        in->done = true;
    return 0;
}

int line_input_chunk(struct line_input *in, struct slice *ret_chunk, struct err *reterr)
{
    for (;;) {
        struct slice raw, chunk;
        int rc = line_input_raw_chunk(in, &raw, reterr);
        if (rc < 0)
            return rc;
        chunk = raw.len ? line_input_rewrite(in, raw.base, raw.len) : raw;
        if (chunk.len == 0 && in->done && in->open_line) /* the last line of the file lacks its end */
            chunk = (struct slice){(const uint8_t *)"\n", 1};
        if (chunk.len) {
            in->open_line = chunk.base[chunk.len - 1] != '\n';
            in->count += (int64_t)count_newlines(chunk.base, chunk.len);
        }
        if (chunk.len || in->done) {
            *ret_chunk = chunk;
            return 0;
        }
    }
}

/* Slower: only for input formats that need to see every line. Works on the raw bytes, to know offsets. */
int line_input_line(struct line_input *in, struct slice *ret_line, int64_t *ret_offset, bool *ret_more,
                    struct err *reterr)
{
    buf_clear(&in->line);
    bool started = false;
    for (;;) {
        if (in->rest.len == 0) {
            int rc = line_input_raw_chunk(in, &in->rest, reterr);
            if (rc < 0)
                return rc;
            in->rest_offset = in->pos - (int64_t)in->rest.len;
        }
        if (in->rest.len == 0) {
            if (!in->done)
                continue;
            *ret_more = started && (in->line.len > 0 || !in->cr_pending);
            in->cr_pending = false;
            break;
        }
        if (in->cr_pending) { /* the line before ended in CR, maybe CRLF */
            in->cr_pending = false;
            if (in->rest.base[0] == '\n') {
                in->rest.base++;
                in->rest.len--;
                in->rest_offset++;
                continue;
            }
        }
        if (!started)
            *ret_offset =
                in->bom_skipped && in->rest_offset == 3 ? 0 : in->rest_offset; /* the mark is part of the line */
        started = true;
        size_t n = 0;
        while (n < in->rest.len && in->rest.base[n] != '\n' && in->rest.base[n] != '\r')
            n++;
        if (in->line.len + n > LINE_BYTES_MAX)
            return err_set(reterr, ERR_TOO_LARGE, "line at offset %lld is longer than %u bytes", (long long)*ret_offset,
                           LINE_BYTES_MAX);
        buf_append(&in->line, in->rest.base, n);
        bool ended = n < in->rest.len;
        in->cr_pending = ended && in->rest.base[n] == '\r';
        n += ended;
        in->rest.base += n;
        in->rest.len -= n;
        in->rest_offset += (int64_t)n;
        if (ended) {
            *ret_more = true;
            break;
        }
    }
    in->count += *ret_more;
    *ret_line = buf_slice(&in->line);
    return 0;
}

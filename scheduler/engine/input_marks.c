/* Records that are found by marks: from a begin to an end (StreamXmlRecordReader), or up to a delimiter of any text
 * (textinputformat.record.delimiter). A record belongs to the split in which it begins. */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "scheduler/engine/input_formats.h"
#include "scheduler/engine/job_conf.h"

#define READ_BYTES (1u << 20)

struct marks_format {
    struct byte_source source;
    struct slice begin, end; /* begin.len 0: records follow each other, `end` between them */
    int64_t pos;             /* file offset of bytes[next] */
    int64_t split_start, split_end;
    struct buf bytes;
    size_t next;
    bool at_end, skipping, over;
};

static struct slice text_slice(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static void marks_free(void *state)
{
    struct marks_format *f = state;
    buf_free(&f->bytes);
    free(f);
}

static struct marks_format *marks_new(const struct input_split *s)
{
    struct marks_format *f = mem_new(struct marks_format);
    f->source = s->source;
    f->pos = f->split_start = s->start;
    f->split_end = s->length < 0 ? INT64_MAX : s->start + s->length;
    return f;
}

void *xml_format_new(const struct input_split *s, const Cairn__JobSpecProto *job)
{
    struct marks_format *f = marks_new(s);
    f->begin = text_slice(job_conf_get(job, "stream.recordreader.begin"));
    f->end = text_slice(job_conf_get(job, "stream.recordreader.end"));
    return f;
}

static int read_more(struct marks_format *f, struct err *reterr)
{
    size_t got = 0;
    if (f->next > READ_BYTES) {
        buf_consume(&f->bytes, f->next);
        f->next = 0;
    }
    if (f->bytes.len - f->next > RECORD_BYTES_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "the record that begins at byte %lld is longer than %u bytes",
                       (long long)f->pos, RECORD_BYTES_MAX);
    uint8_t *to = buf_reserve(&f->bytes, READ_BYTES);
    int rc = f->source.read(f->source.context, to, READ_BYTES, &got, reterr);
    f->bytes.len += rc < 0 ? 0 : got;
    f->at_end = got == 0;
    return rc;
}

static void move_on(struct marks_format *f, size_t bytes)
{
    f->next += bytes;
    f->pos += (int64_t)bytes;
}

/* The last offset up to `upto` that is inside of nothing that looks like the mark. */
static size_t last_outside(struct slice bytes, struct slice mark, size_t upto)
{
    size_t begin = 0, end = 0; /* of what overlaps, one after the other */
    for (size_t from = 0; from < bytes.len;) {
        const uint8_t *found = memmem(bytes.base + from, bytes.len - from, mark.base, mark.len);
        size_t at = found ? (size_t)(found - bytes.base) : upto;
        if (at >= upto)
            break;
        if (at >= end)
            begin = at;
        end = at + mark.len;
        from = at + 1;
    }
    return end <= upto ? upto : begin;
}

/* Delimiters are found from the file's beginning on, one behind the other: in "ababab" the second "abab" is none. So
 * reading begins before the split, where it makes no difference what came before. Of what overlaps from there up to the
 * split one piece after the other is looked at, going back; only the last one stays in memory. */
static int begin_before_split(struct marks_format *f, struct err *reterr)
{
    const int64_t across = (int64_t)f->end.len - 1; /* a delimiter has so many bytes before a place that it lies across,
                                                       or behind */
    const int64_t back_max = 4 * across > READ_BYTES ? 4 * across : READ_BYTES;
    int64_t upto = f->split_start; /* the last place that is in question */
    for (int64_t back = 2 * (across + 1);; back = 2 * back < back_max ? 2 * back : back_max) {
        f->pos = upto > back ? upto - back : 0;
        size_t last = (size_t)(upto - f->pos), wanted = last + (size_t)across;
        buf_clear(&f->bytes);
        f->at_end = false;
        int rc = f->source.seek(f->source.context, f->pos, reterr);
        while (rc == 0 && !f->at_end && f->bytes.len < wanted)
            rc = read_more(f, reterr);
        if (rc < 0)
            return rc;
        struct slice seen = buf_slice(&f->bytes);
        seen.len = seen.len < wanted ? seen.len : wanted;
        size_t at = last_outside(seen, f->end, last);
        if (f->pos == 0 || at >= (size_t)across) {
            move_on(f, at);
            return 0;
        }
        upto = f->pos + across; /* of these places what was not read may lie across */
    }
}

int delimited_format_new(const struct input_split *s, const char *delimiter, void **ret, struct err *reterr)
{
    struct marks_format *f = marks_new(s);
    f->end = text_slice(delimiter);
    f->skipping = s->start > 0;
    int rc = f->skipping ? begin_before_split(f, reterr) : 0;
    if (rc < 0)
        marks_free(f);
    else
        *ret = f;
    return rc;
}

/* Offset from `next` of the first mark from `from` on. *ret_found false: the file has no more. */
static int find(struct marks_format *f, struct slice mark, size_t from, size_t *ret_at, bool *ret_found,
                struct err *reterr)
{
    for (;;) {
        size_t have = f->bytes.len - f->next;
        const uint8_t *base = f->bytes.base ? f->bytes.base + f->next : NULL;
        const uint8_t *at = have > from ? memmem(base + from, have - from, mark.base, mark.len) : NULL;
        *ret_found = at != NULL;
        *ret_at = at ? (size_t)(at - base) : have;
        if (at || f->at_end)
            return 0;
        if (have >= mark.len && have - mark.len + 1 > from)
            from = have - mark.len + 1; /* the rest was looked through */
        int rc = read_more(f, reterr);
        if (rc < 0)
            return rc;
    }
}

static int xml_next(void *state, struct record *ret, bool *ret_more, struct err *reterr)
{
    struct marks_format *f = state;
    size_t at, end;
    bool found = false;
    *ret_more = false;
    int rc = f->over ? 0 : find(f, f->begin, 0, &at, &found, reterr);
    f->over = !found || f->pos + (int64_t)at >= f->split_end;
    if (rc < 0 || f->over)
        return rc;
    move_on(f, at);
    rc = find(f, f->end, f->begin.len, &end, &found, reterr);
    f->over = !found; /* no record without its end */
    if (rc < 0 || f->over)
        return rc;
    end += f->end.len;
    *ret = (struct record){f->bytes.base + f->next, (const uint8_t *)"", (uint32_t)end, 0};
    *ret_more = true;
    move_on(f, end);
    return 0;
}

static int delimited_next(void *state, struct record *ret, bool *ret_more, struct err *reterr)
{
    struct marks_format *f = state;
    size_t at;
    bool found;
    *ret_more = false;
    while (f->skipping) {
        int rc = find(f, f->end, 0, &at, &found, reterr);
        if (rc < 0)
            return rc;
        f->over = !found;
        move_on(f, at + (found ? f->end.len : 0));
        f->skipping = found && f->pos <= f->split_start;
    }
    if (f->over || f->pos > f->split_end)
        return 0;
    int rc = find(f, f->end, 0, &at, &found, reterr);
    f->over = !found;
    if (rc < 0)
        return rc;
    size_t bom = f->pos == 0 && at >= 3 && !memcmp(f->bytes.base + f->next, "\xef\xbb\xbf", 3) ? 3 : 0;
    if (!found && at == bom)
        return 0;
    *ret = (struct record){(const uint8_t *)"", f->bytes.base + f->next + bom, 0, (uint32_t)(at - bom)};
    *ret_more = true;
    move_on(f, at + (found ? f->end.len : 0));
    return 0;
}

const struct record_format xml_format = {.next = xml_next, .free = marks_free};
const struct record_format delimited_format = {.next = delimited_next, .free = marks_free, .no_key = true};

/* Whole files, and CSV: splits that begin and end where records do. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "scheduler/engine/csv_scan.h"
#include "scheduler/engine/input_formats.h"
#include "scheduler/engine/job_conf.h"

#define READ_BYTES (1u << 20)

struct file_format {
    struct byte_source source;
    const char *name;
    int64_t left; /* of the split; -1: to the end */
    bool bom_possible;
    struct buf bytes;
    size_t next; /* csv: of bytes */
    bool at_end, given;
    struct csv_scan scan;
    bool tabs;
    struct buf line;
};

static void *file_format_new(const struct input_split *s)
{
    struct file_format *f = mem_new(struct file_format);
    f->source = s->source;
    f->name = s->name;
    f->left = s->length;
    return f;
}

void *whole_format_new(const struct input_split *s)
{
    return file_format_new(s);
}

void *csv_format_new(const struct input_split *s, const Cairn__JobSpecProto *job)
{
    struct file_format *f = file_format_new(s);
    const char *separator = job_conf_get(job, "cairn.csv.separator");
    f->scan.separator = separator ? separator[0] : 0;
    f->tabs = csv_wants_tabs(job);
    f->bom_possible = s->start == 0;
    return f;
}

bool csv_wants_tabs(const Cairn__JobSpecProto *job)
{
    const char *fields = job_conf_get(job, "cairn.csv.fields");
    return fields && !strcasecmp(fields, "tabs");
}

static void file_free(void *state)
{
    struct file_format *f = state;
    buf_free(&f->bytes);
    buf_free(&f->line);
    free(f);
}

/* More of the split behind what is there. */
static int file_read(struct file_format *f, size_t want, struct err *reterr)
{
    size_t got = 0;
    if (f->left >= 0 && (int64_t)want > f->left)
        want = (size_t)f->left;
    uint8_t *to = buf_reserve(&f->bytes, want ? want : 1);
    int rc = want ? f->source.read(f->source.context, to, want, &got, reterr) : 0;
    if (rc < 0)
        return rc;
    f->at_end = got == 0;
    f->bytes.len += got;
    f->left -= f->left >= 0 ? (int64_t)got : 0;
    return 0;
}

/* At the beginning of a file of CSV, once there are three bytes to decide. */
static int skip_bom(struct file_format *f, struct err *reterr)
{
    f->bom_possible = false;
    while (f->bytes.len < 3 && !f->at_end) {
        int rc = file_read(f, 3 - f->bytes.len, reterr);
        if (rc < 0)
            return rc;
    }
    if (f->bytes.len >= 3 && !memcmp(f->bytes.base, "\xef\xbb\xbf", 3))
        buf_consume(&f->bytes, 3);
    return 0;
}

/* ---- bytes as they are: what commands get ---- */

static int whole_chunk(void *state, struct slice *ret, int64_t *count, struct err *reterr)
{
    struct file_format *f = state;
    *count = 1;
    buf_clear(&f->bytes);
    int rc = file_read(f, READ_BYTES, reterr);
    *ret = buf_slice(&f->bytes);
    return rc;
}

static int csv_chunk(void *state, struct slice *ret, int64_t *count, struct err *reterr)
{
    struct file_format *f = state;
    buf_clear(&f->bytes);
    int rc = f->bom_possible ? skip_bom(f, reterr) : 0;
    if (rc == 0 && f->bytes.len == 0)
        rc = file_read(f, READ_BYTES, reterr);
    struct slice rest = *ret = buf_slice(&f->bytes);
    while (rc == 0 && rest.len) {
        bool ended;
        size_t n = csv_scan(&f->scan, rest, &ended);
        *count += ended;
        f->given = !ended; /* a record without its end */
        rest.base += n;
        rest.len -= n;
    }
    if (rc == 0 && ret->len == 0 && f->given) {
        f->given = false;
        (*count)++;
    }
    return rc;
}

/* ---- records: what C programs get, and with cairn.csv.fields=tabs commands too ---- */

static int whole_next(void *state, struct record *ret, bool *ret_more, struct err *reterr)
{
    struct file_format *f = state;
    *ret_more = !f->given;
    f->given = true;
    if (!*ret_more)
        return 0;
    while (!f->at_end) {
        int rc = file_read(f, READ_BYTES, reterr);
        if (rc < 0)
            return rc;
        if (f->bytes.len > RECORD_BYTES_MAX)
            return err_set(reterr, ERR_TOO_LARGE, "a file of more than %u bytes is no record", RECORD_BYTES_MAX);
    }
    *ret = (struct record){(const uint8_t *)f->name, f->bytes.base, (uint32_t)strlen(f->name), (uint32_t)f->bytes.len};
    return 0;
}

static struct slice without_end(struct slice record)
{
    if (record.len && record.base[record.len - 1] == '\n')
        record.len--;
    if (record.len && record.base[record.len - 1] == '\r')
        record.len--;
    return record;
}

static int csv_next(void *state, struct record *ret, bool *ret_more, struct err *reterr)
{
    struct file_format *f = state;
    size_t seen = 0;
    bool ended = false;
    int rc = f->bom_possible ? skip_bom(f, reterr) : 0;
    if (rc < 0)
        return rc;
    if (f->next > READ_BYTES) {
        buf_consume(&f->bytes, f->next);
        f->next = 0;
    }
    for (;;) {
        size_t fresh = f->bytes.len - f->next - seen;
        if (fresh)
            seen += csv_scan(&f->scan, (struct slice){f->bytes.base + f->next + seen, fresh}, &ended);
        if (ended || f->at_end)
            break;
        if (seen > RECORD_BYTES_MAX)
            return err_set(reterr, ERR_TOO_LARGE, "a record of more than %u bytes: is a quote not closed?",
                           RECORD_BYTES_MAX);
        if ((rc = file_read(f, READ_BYTES, reterr)) < 0)
            return rc;
    }
    *ret_more = seen > 0;
    if (!*ret_more)
        return 0;
    struct slice record = without_end((struct slice){f->bytes.base + f->next, seen});
    f->next += seen;
    if (f->tabs) {
        buf_clear(&f->line);
        buf_reserve(&f->line, 1);
        csv_to_tabs(record, f->scan.separator, &f->line);
        record = buf_slice(&f->line);
    }
    *ret = (struct record){(const uint8_t *)"", record.base, 0, (uint32_t)record.len};
    return 0;
}

const struct record_format whole_text_format = {.chunk = whole_chunk, .free = file_free};
const struct record_format whole_record_format = {.next = whole_next, .free = file_free};
const struct record_format csv_text_format = {.chunk = csv_chunk, .free = file_free};
const struct record_format csv_record_format = {.next = csv_next, .free = file_free, .no_key = true};

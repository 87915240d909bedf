#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "scheduler/engine/input_formats.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/sequence_file.h"

struct sequence_format {
    struct sequence_reader *reader;
    int64_t end;
    bool hex;
    struct buf key, value;
};

static void sequence_free(void *state)
{
    struct sequence_format *f = state;
    sequence_reader_free(f->reader);
    buf_free(&f->key);
    buf_free(&f->value);
    free(f);
}

int sequence_format_new(const struct input_split *s, const Cairn__JobSpecProto *job, void **ret, struct err *reterr)
{
    struct sequence_format *f = mem_new(struct sequence_format);
    const char *bytes = job_conf_get(job, "cairn.sequence.bytes");
    f->hex = bytes && !strcmp(bytes, "hex");
    f->end = s->length < 0 ? INT64_MAX : s->start + s->length;
    const struct byte_source *source = &s->source;
    int rc = source->seek ? source->seek(source->context, 0, reterr) : 0;
    if (rc == 0)
        rc = sequence_reader_new(s->source, s->name, &f->reader, reterr);
    if (rc == 0 && s->start > 0 && (rc = source->seek(source->context, s->start, reterr)) == 0)
        rc = sequence_reader_sync(f->reader, s->start, reterr);
    if (rc < 0)
        sequence_free(f);
    else
        *ret = f;
    return rc;
}

static int sequence_next(void *state, struct record *ret, bool *ret_more, struct err *reterr)
{
    struct sequence_format *f = state;
    struct record r;
    int rc = sequence_reader_next(f->reader, f->end, &r, ret_more, reterr);
    if (rc < 0 || !*ret_more)
        return rc;
    buf_clear(&f->key);
    buf_clear(&f->value);
    buf_reserve(&f->key, 1);
    buf_reserve(&f->value, 1);
    const char *key = sequence_reader_class(f->reader, true), *value = sequence_reader_class(f->reader, false);
    if ((rc = sequence_text(key, (struct slice){r.key, r.key_len}, f->hex, &f->key, reterr)) < 0 ||
        (rc = sequence_text(value, (struct slice){r.value, r.value_len}, f->hex, &f->value, reterr)) < 0)
        return rc;
    *ret = (struct record){f->key.base, f->value.base, (uint32_t)f->key.len, (uint32_t)f->value.len};
    return 0;
}

const struct record_format sequence_format = {.next = sequence_next, .free = sequence_free};

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "scheduler/engine/input_formats.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/key_fields.h"
#include "scheduler/engine/line_input.h"
#include "scheduler/engine/program.h"

struct line_format {
    struct line_input *in;
    struct slice separator;
    char offset[24];
};

void *line_format_new(const struct input_split *s, const Cairn__JobSpecProto *job)
{
    struct line_format *f = mem_new(struct line_format);
    f->in = line_input_new(s->source, s->start, s->length, 0);
    const char *separator = job_conf_get(job, "mapreduce.input.keyvaluelinerecordreader.key.value.separator");
    f->separator = separator_of(separator);
    f->separator.len = 1; /* as in Hadoop, here, its first character alone */
    return f;
}

static void lines_free(void *state)
{
    struct line_format *f = state;
    line_input_free(f->in);
    free(f);
}

static int text_chunk(void *state, struct slice *ret, int64_t *count, struct err *reterr)
{
    struct line_format *f = state;
    int rc = line_input_chunk(f->in, ret, reterr);
    *count = line_input_count(f->in);
    return rc;
}

static int offset_next(void *state, struct record *ret, bool *ret_more, struct err *reterr)
{
    struct line_format *f = state;
    struct slice line;
    int64_t offset = 0;
    int rc = line_input_line(f->in, &line, &offset, ret_more, reterr);
    if (rc == 0 && *ret_more) {
        int n = snprintf(f->offset, sizeof f->offset, "%lld", (long long)offset);
        *ret = (struct record){(const uint8_t *)f->offset, line.base, (uint32_t)n, (uint32_t)line.len};
    }
    return rc;
}

static int key_value_next(void *state, struct record *ret, bool *ret_more, struct err *reterr)
{
    struct line_format *f = state;
    struct slice line;
    int64_t offset = 0;
    int rc = line_input_line(f->in, &line, &offset, ret_more, reterr);
    if (rc == 0 && *ret_more)
        *ret = record_of_line(line, f->separator, 1);
    return rc;
}

const struct record_format text_format = {.chunk = text_chunk, .free = lines_free};
const struct record_format offset_format = {.next = offset_next, .free = lines_free};
const struct record_format key_value_format = {.next = key_value_next, .free = lines_free};

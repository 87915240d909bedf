#include "scheduler/engine/record_input.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "scheduler/engine/input_formats.h"
#include "scheduler/engine/job_conf.h"

struct record_input {
    struct task *task;
    struct file_reader *reader;
    struct decompressor *decompressor; /* NULL: read as it is */
    const struct record_format *format;
    void *state;
    int64_t count;
};

static int read_dfs(void *context, void *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    return file_reader_read(context, bytes, len, ret_read, reterr);
}

static int seek_dfs(void *context, int64_t offset, struct err *reterr)
{
    return file_reader_seek(context, offset, reterr);
}

static int open_format(struct record_input *in, bool for_program, struct err *reterr)
{
    const Cairn__SplitProto *split = in->task->spec->split;
    const Cairn__JobSpecProto *job = in->task->job;
    struct byte_source source = {read_dfs, in->reader, seek_dfs};
    int rc = 0;
    bool compressed = split->whole && decompressor_knows(split->path);
    if (compressed && (rc = decompressor_new(source, split->path, &in->decompressor, reterr)) < 0)
        return rc;
    struct input_split s = {.source = compressed ? decompressor_source(in->decompressor) : source,
                            .name = split->path,
                            .start = split->start,
                            .length = compressed ? -1 : split->length};
    const char *delimiter = job_conf_get(job, "textinputformat.record.delimiter");
    switch (job->inputformat) {
    case CAIRN__INPUT_FORMAT__INPUT_TEXT:
        if (delimiter && delimiter[0]) {
            in->format = &delimited_format;
            return delimited_format_new(&s, delimiter, &in->state, reterr);
        }
        in->format = job_conf_bool(job, "stream.map.input.ignoreKey", true) ? &text_format : &offset_format;
        in->state = line_format_new(&s, job);
        return 0;
    case CAIRN__INPUT_FORMAT__INPUT_KEY_VALUE:
        in->format = &key_value_format;
        in->state = line_format_new(&s, job);
        return 0;
    case CAIRN__INPUT_FORMAT__INPUT_NLINE:
        in->format = &offset_format;
        in->state = line_format_new(&s, job);
        return 0;
    case CAIRN__INPUT_FORMAT__INPUT_WHOLE_FILE:
        in->format = for_program ? &whole_record_format : &whole_text_format;
        in->state = whole_format_new(&s);
        return 0;
    case CAIRN__INPUT_FORMAT__INPUT_CSV:
        in->format = for_program || csv_wants_tabs(job) ? &csv_record_format : &csv_text_format;
        in->state = csv_format_new(&s, job);
        return 0;
    case CAIRN__INPUT_FORMAT__INPUT_XML:
        in->format = &xml_format;
        in->state = xml_format_new(&s, job);
        return 0;
    case CAIRN__INPUT_FORMAT__INPUT_SEQUENCE:
        in->format = &sequence_format;
        return sequence_format_new(&s, job, &in->state, reterr);
    default: return err_set(reterr, ERR_UNSUPPORTED, "input format %d", (int)job->inputformat);
    }
}

int record_input_open(struct task *t, bool for_program, struct record_input **ret, struct err *reterr)
{
    const Cairn__SplitProto *split = t->spec->split;
    struct record_input *in = mem_new(struct record_input);
    in->task = t;
    int rc = file_reader_open(t->fs, split->path, &in->reader, reterr);
    if (rc == 0)
        rc = file_reader_seek(in->reader, split->start, reterr);
    if (rc == 0)
        rc = open_format(in, for_program, reterr);
    if (rc < 0) {
        record_input_close(in);
        return err_prefix(reterr, rc, "input %s", split->path);
    }
    *ret = in;
    return 0;
}

void record_input_close(struct record_input *in)
{
    if (!in)
        return;
    if (in->state)
        in->format->free(in->state);
    decompressor_free(in->decompressor);
    if (in->reader)
        file_reader_close(in->reader);
    free(in);
}

bool record_input_is_text(const struct record_input *in)
{
    return in->format->chunk != NULL;
}

bool record_input_has_keys(const struct record_input *in)
{
    return !in->format->no_key;
}

int record_input_chunk(struct record_input *in, struct slice *ret, struct err *reterr)
{
    int rc = in->format->chunk(in->state, ret, &in->count, reterr);
    return rc < 0 ? err_prefix(reterr, rc, "input %s", in->task->spec->split->path) : 0;
}

int record_input_next(struct record_input *in, struct record *ret, bool *ret_more, struct err *reterr)
{
    int rc = in->format->next(in->state, ret, ret_more, reterr);
    if (rc < 0)
        return err_prefix(reterr, rc, "input %s", in->task->spec->split->path);
    in->count += *ret_more;
    return 0;
}

int64_t record_input_count(const struct record_input *in)
{
    return in->count;
}

float record_input_progress(const struct record_input *in)
{
    const Cairn__SplitProto *split = in->task->spec->split;
    int64_t done = file_reader_tell(in->reader) - split->start;
    return split->length > 0 ? (float)done / (float)split->length : 1.0f;
}

void record_input_tell(struct record_input *in)
{
    struct file_reader_stats stats;
    file_reader_stats(in->reader, &stats);
    struct counters *c = in->task->counters;
    counters_add(c, COUNTER_HDFS_BYTES_READ, stats.bytes_read);
    counters_add(c, COUNTER_BYTES_READ, stats.bytes_read);
    counters_add(c, COUNTER_BYTES_LOCAL, stats.bytes_local);
    counters_add(c, COUNTER_BYTES_REMOTE, stats.bytes_read - stats.bytes_local);
}

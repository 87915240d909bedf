#include "scheduler/engine/part_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/mem.h"
#include "scheduler/engine/compress.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/line_input.h"
#include "scheduler/engine/sequence_file.h"

#define PART_BUFFER_BYTES (256u << 10)
struct part_file {
    struct task *task;
    char *dir, *path;
    struct file_writer *writer; /* NULL: not created yet */
    bool open_line;
    struct compressor *compressor; /* NULL: text as it is, or a format that compresses by itself */
    struct buf packed;
};

/* The class of mapreduce.output.fileoutputformat.compress.codec if output is to be compressed, else NULL. */
static const char *output_codec(const Cairn__JobSpecProto *job)
{
    if (!job_conf_bool(job, "mapreduce.output.fileoutputformat.compress", false))
        return NULL;
    const char *codec = job_conf_get(job, "mapreduce.output.fileoutputformat.compress.codec");
    return codec && codec_suffix(codec) ? codec : "org.apache.hadoop.io.compress.DefaultCodec";
}

static bool is_sequence(const Cairn__JobSpecProto *job)
{
    return job->outputformat == CAIRN__OUTPUT_FORMAT__OUTPUT_SEQUENCE;
}

static int part_file_create(struct part_file *p, struct err *reterr)
{
    uint16_t umask_bits;
    int rc = dfs_umask(dfs_config(p->task->fs), &umask_bits, reterr);
    if (rc < 0)
        return rc;
    struct file_create how = {.mode = (uint16_t)(0666 & ~umask_bits), .overwrite = true, .create_folder = true};
    /* Of its parents only the last is made: a straggler must not bring back the folder of a job that is over. */
    rc = file_writer_create(p->task->fs, p->path, &how, &p->writer, reterr);
    if (rc != ERR_NOT_FOUND)
        return rc;
    rc = dfs_mkdirs(p->task->fs, p->dir, (uint16_t)(0777 & ~umask_bits), false, reterr);
    return rc < 0 ? rc : file_writer_create(p->task->fs, p->path, &how, &p->writer, reterr);
}

static void part_file_abort(struct part_file *p)
{
    if (!p)
        return;
    if (p->writer)
        file_writer_abort(p->writer);
    compressor_free(p->compressor);
    buf_free(&p->packed);
    free(p->dir);
    free(p->path);
    free(p);
}

const char *part_file_suffix(const Cairn__JobSpecProto *job)
{
    const char *codec = is_sequence(job) ? NULL : output_codec(job);
    return codec ? codec_suffix(codec) : "";
}

static int part_file_new(struct task *t, struct part_file **ret, struct err *reterr)
{
    struct part_file *p = mem_new(struct part_file);
    p->task = t;
    p->dir = mem_printf("%s/_temporary/0/%s", t->job->output, t->spec->attemptid);
    const char *suffix = part_file_suffix(t->job);
    p->compressor = suffix[0] ? compressor_new(suffix) : NULL;
    p->path = mem_printf("%s/" PART_FILE_NAME, p->dir, t->spec->partition, suffix);
    int rc = t->job->lazyoutput ? 0 : part_file_create(p, reterr);
    if (rc < 0)
        part_file_abort(p);
    else
        *ret = p;
    return rc;
}

/* What is in p->packed goes out. */
static int part_file_drain(struct part_file *p, struct err *reterr)
{
    counters_add(p->task->counters, COUNTER_HDFS_BYTES_WRITTEN, (int64_t)p->packed.len);
    counters_add(p->task->counters, COUNTER_BYTES_WRITTEN, (int64_t)p->packed.len);
    int rc = p->packed.len ? file_writer_write(p->writer, p->packed.base, p->packed.len, reterr) : 0;
    buf_clear(&p->packed);
    return rc;
}

static int part_file_write(struct part_file *p, const void *bytes, size_t len, struct err *reterr)
{
    int rc = 0;
    if (len == 0 || (!p->writer && (rc = part_file_create(p, reterr)) < 0))
        return rc;
    p->open_line = ((const char *)bytes)[len - 1] != '\n';
    if (p->compressor) {
        compressor_add(p->compressor, bytes, len, &p->packed);
        return part_file_drain(p, reterr);
    }
    counters_add(p->task->counters, COUNTER_HDFS_BYTES_WRITTEN, (int64_t)len);
    counters_add(p->task->counters, COUNTER_BYTES_WRITTEN, (int64_t)len);
    return file_writer_write(p->writer, bytes, len, reterr);
}

static int part_file_finish(struct part_file *p, struct err *reterr)
{
    int rc = p->open_line && !is_sequence(p->task->job) ? part_file_write(p, "\n", 1, reterr) : 0;
    if (rc == 0 && p->writer && p->compressor) {
        compressor_end(p->compressor, &p->packed);
        rc = part_file_drain(p, reterr);
    }
    if (rc == 0 && p->writer) {
        rc = file_writer_close(p->writer, reterr);
        p->writer = NULL;
    }
    part_file_abort(p);
    return rc;
}

/* ---- what goes into it ---- */

static int take_bytes(struct part_file *p, struct program *program, enum counter_index records, struct err *reterr)
{
    struct slice bytes;
    int rc;
    while ((rc = program_take_bytes(program, &bytes, reterr)) == 0 && bytes.len) {
        counters_add(p->task->counters, records, (int64_t)count_newlines(bytes.base, bytes.len));
        if ((rc = part_file_write(p, bytes.base, bytes.len, reterr)) < 0)
            break;
    }
    if (rc == 0 && p->open_line)
        counters_add(p->task->counters, records, 1);
    return rc;
}

/* One record to the end of `out`. */
struct record_output {
    const char *separator;            /* text: as Hadoop's TextOutputFormat, key, separator, value */
    struct sequence_writer *sequence; /* else */
    struct buf out;
};

static void output_record(struct record_output *o, const struct record *r)
{
    if (o->sequence) {
        sequence_writer_add(o->sequence, r, &o->out);
        return;
    }
    buf_append(&o->out, r->key, r->key_len);
    buf_append_str(&o->out, o->separator);
    buf_append(&o->out, r->value, r->value_len);
    buf_append(&o->out, "\n", 1);
}

static const char *text_separator(const Cairn__JobSpecProto *job)
{
    const char *separator = job_conf_get(job, "mapreduce.output.textoutputformat.separator");
    return separator ? separator : job_conf_get(job, "mapred.textoutputformat.separator");
}

static void record_output_open(struct task *t, struct record_output *o)
{
    const char *separator = text_separator(t->job);
    o->separator = separator ? separator : "\t";
    if (is_sequence(t->job))
        o->sequence =
            sequence_writer_new(output_codec(t->job), xxh3_of(t->spec->attemptid, strlen(t->spec->attemptid)));
}

static int take_records(struct part_file *p, struct program *program, enum counter_index records, struct err *reterr)
{
    struct record_output o = {0};
    record_output_open(p->task, &o);
    int rc = 0;
    int64_t count = 0;
    for (bool more = true; rc == 0 && more;) {
        struct record r;
        if ((rc = program_take_record(program, &r, &more, reterr)) < 0)
            break;
        if (more) {
            output_record(&o, &r);
            count++;
        } else if (o.sequence && (p->writer || count)) {
            sequence_writer_end(o.sequence, &o.out);
        }
        if (o.out.len >= PART_BUFFER_BYTES || !more) {
            rc = part_file_write(p, o.out.base, o.out.len, reterr);
            buf_clear(&o.out);
            counters_add(p->task->counters, records, count);
            count = 0;
        }
    }
    sequence_writer_free(o.sequence);
    buf_free(&o.out);
    return rc;
}

bool part_file_takes_bytes(const Cairn__JobSpecProto *job)
{
    return !is_sequence(job) && !text_separator(job) && !job_conf_bool(job, "cairn.output.exactly-as-hadoop", false);
}

int part_file_take(struct task *t, struct program *program, enum counter_index records, struct err *reterr)
{
    struct part_file *p = NULL;
    int rc = part_file_new(t, &p, reterr);
    if (rc < 0)
        return rc;
    rc = part_file_takes_bytes(t->job) ? take_bytes(p, program, records, reterr)
                                       : take_records(p, program, records, reterr);
    if (rc < 0) {
        part_file_abort(p);
        return rc;
    }
    return part_file_finish(p, reterr);
}

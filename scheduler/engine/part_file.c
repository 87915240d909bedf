#include "scheduler/engine/part_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/line_input.h"

#define PART_BUFFER_BYTES  (256u << 10)
#define TEXT_SEPARATOR     "mapreduce.output.textoutputformat.separator"
#define TEXT_SEPARATOR_OLD "mapred.textoutputformat.separator"

struct part_file {
    struct task *task;
    char *dir, *path;
    struct file_writer *writer; /* NULL: not created yet */
    bool open_line;
};

static int part_file_create(struct part_file *p, struct err *reterr)
{
    unsigned umask_bits = (unsigned)strtoul(config_str(dfs_config(p->task->fs), "fs.permissions.umask-mode"), NULL, 8);
    struct file_create how = {.mode = (uint16_t)(0666 & ~umask_bits), .overwrite = true};
    /* Parents are not made: a straggler must not bring back the folder of a job that is over. */
    int rc = dfs_mkdirs(p->task->fs, p->dir, (uint16_t)(0777 & ~umask_bits), false, reterr);
    return rc < 0 ? rc : file_writer_create(p->task->fs, p->path, &how, &p->writer, reterr);
}

static void part_file_abort(struct part_file *p)
{
    if (!p)
        return;
    if (p->writer)
        file_writer_abort(p->writer);
    free(p->dir);
    free(p->path);
    free(p);
}

static int part_file_new(struct task *t, struct part_file **ret, struct err *reterr)
{
    struct part_file *p = mem_new(struct part_file);
    p->task = t;
    p->dir = mem_printf("%s/_temporary/0/%s", t->job->output, t->spec->attemptid);
    p->path = mem_printf("%s/part-%05u", p->dir, t->spec->partition);
    int rc = t->job->lazyoutput ? 0 : part_file_create(p, reterr);
    if (rc < 0)
        part_file_abort(p);
    else
        *ret = p;
    return rc;
}

static int part_file_write(struct part_file *p, const void *bytes, size_t len, struct err *reterr)
{
    int rc = 0;
    if (len == 0 || (!p->writer && (rc = part_file_create(p, reterr)) < 0))
        return rc;
    p->open_line = ((const char *)bytes)[len - 1] != '\n';
    counters_add(p->task->counters, COUNTER_HDFS_BYTES_WRITTEN, (int64_t)len);
    counters_add(p->task->counters, COUNTER_BYTES_WRITTEN, (int64_t)len);
    return file_writer_write(p->writer, bytes, len, reterr);
}

static int part_file_finish(struct part_file *p, struct err *reterr)
{
    int rc = p->open_line ? part_file_write(p, "\n", 1, reterr) : 0;
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

/* TextOutputFormat as Hadoop has it: key, separator, value. */
static int take_records(struct part_file *p, struct program *program, enum counter_index records, struct err *reterr)
{
    const char *separator = job_conf_get(p->task->job, TEXT_SEPARATOR);
    separator = separator ? separator : job_conf_get(p->task->job, TEXT_SEPARATOR_OLD);
    separator = separator ? separator : "\t";
    struct buf out = {0};
    int rc = 0;
    int64_t count = 0;
    for (bool more = true; rc == 0 && more;) {
        struct record r;
        if ((rc = program_take_record(program, &r, &more, reterr)) < 0)
            break;
        if (more) {
            buf_append(&out, r.key, r.key_len);
            buf_append_str(&out, separator);
            buf_append(&out, r.value, r.value_len);
            buf_append(&out, "\n", 1);
            count++;
        }
        if (out.len >= PART_BUFFER_BYTES || !more) {
            rc = part_file_write(p, out.base, out.len, reterr);
            buf_clear(&out);
            counters_add(p->task->counters, records, count);
            count = 0;
        }
    }
    buf_free(&out);
    return rc;
}

bool part_file_takes_bytes(const Cairn__JobSpecProto *job)
{
    return !job_conf_get(job, TEXT_SEPARATOR) && !job_conf_get(job, TEXT_SEPARATOR_OLD);
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

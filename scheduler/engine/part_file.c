#include "scheduler/engine/part_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"
#include "scheduler/engine/line_input.h"
#include "scheduler/engine/stream_child.h"
#include "scheduler/ids.h"

#define PART_COPY_BYTES (256u << 10)

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

int part_file_new(struct task *t, struct part_file **ret, struct err *reterr)
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

int part_file_write(struct part_file *p, const void *bytes, size_t len, struct err *reterr)
{
    int rc = 0;
    if (len == 0 || (!p->writer && (rc = part_file_create(p, reterr)) < 0))
        return rc;
    p->open_line = ((const char *)bytes)[len - 1] != '\n';
    counters_add(p->task->counters, COUNTER_HDFS_BYTES_WRITTEN, (int64_t)len);
    counters_add(p->task->counters, COUNTER_BYTES_WRITTEN, (int64_t)len);
    return file_writer_write(p->writer, bytes, len, reterr);
}

void part_file_abort(struct part_file *p)
{
    if (!p)
        return;
    if (p->writer)
        file_writer_abort(p->writer);
    free(p->dir);
    free(p->path);
    free(p);
}

int part_file_finish(struct part_file *p, struct err *reterr)
{
    int rc = p->open_line ? part_file_write(p, "\n", 1, reterr) : 0;
    if (rc == 0 && p->writer) {
        rc = file_writer_close(p->writer, reterr);
        p->writer = NULL;
    }
    part_file_abort(p);
    return rc;
}

int part_file_copy(struct part_file *p, struct stream_child *child, enum counter_index records, struct err *reterr)
{
    uint8_t *bytes = mem_alloc(PART_COPY_BYTES);
    size_t got = 0;
    int rc;
    while ((rc = stream_child_read(child, bytes, PART_COPY_BYTES, &got, reterr)) == 0 && got) {
        counters_add(p->task->counters, records, (int64_t)count_newlines(bytes, got));
        if ((rc = part_file_write(p, bytes, got, reterr)) < 0)
            break;
    }
    if (rc == 0 && p->open_line)
        counters_add(p->task->counters, records, 1);
    free(bytes);
    return rc;
}

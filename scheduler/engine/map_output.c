#include "scheduler/engine/map_output.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/merge.h"
#include "scheduler/engine/sort_buffer.h"
#include "scheduler/engine/stream_child.h"

#define FEED_BYTES         (256u << 10)
#define MERGE_BUFFER_BYTES (128u << 10)

struct map_output {
    struct task *task;
    struct partitioner partitioner;
    const char *dir;
    struct sort_buffer *buffer;   /* what the mapper wrote */
    struct sort_buffer *combined; /* what the combiner made of it; NULL without one */
    uint32_t spills;
    char separator;
    int key_fields;
};

int map_output_new(struct task *t, const char *dir, struct map_output **ret, struct err *reterr)
{
    struct partitioner partitioner;
    int rc = partitioner_open(t->job, &partitioner, reterr);
    if (rc < 0)
        return rc;
    struct map_output *o = mem_new(struct map_output);
    o->task = t;
    o->dir = dir;
    o->partitioner = partitioner;
    bool combine = t->job->combiner != NULL;
    o->buffer = sort_buffer_new(combine ? t->sort_bytes / 4 * 3 : t->sort_bytes);
    o->combined = combine ? sort_buffer_new(t->sort_bytes / 4) : NULL;
    const char *separator = job_conf_get(t->job, "stream.map.output.field.separator");
    o->separator = separator && separator[0] ? separator[0] : '\t';
    o->key_fields = (int)job_conf_int(t->job, "stream.num.map.output.key.fields", 1);
    *ret = o;
    return 0;
}

static void spill_path(const struct map_output *o, uint32_t spill, char out[4096])
{
    snprintf(out, 4096, "%s/spill%u.out", o->dir, spill);
}

static void run_file_unlink(const char *path)
{
    char index[4200];
    snprintf(index, sizeof index, "%s.index", path);
    unlink(path);
    unlink(index);
}

void map_output_free(struct map_output *o)
{
    if (!o)
        return;
    for (uint32_t i = 0; i < o->spills; i++) {
        char path[4096];
        spill_path(o, i, path);
        run_file_unlink(path);
    }
    sort_buffer_free(o->buffer);
    sort_buffer_free(o->combined);
    free(o);
}

struct record record_of_line(struct slice line, char separator, int key_fields)
{
    const uint8_t *from = line.base, *end = line.base + line.len, *sep = line.base;
    for (int i = 0; i < key_fields; i++) {
        sep = from < end ? memchr(from, separator, (size_t)(end - from)) : NULL;
        if (!sep)
            return (struct record){line.base, end, (uint32_t)line.len, 0};
        from = sep + 1;
    }
    return (struct record){line.base, from, (uint32_t)(sep - line.base), (uint32_t)(end - from)};
}

int record_feeder_add(struct record_feeder *f, const struct record *r, struct err *reterr)
{
    uint8_t *to = buf_reserve(&f->out, (size_t)r->key_len + r->value_len + 2);
    memcpy(to, r->key, r->key_len);
    to[r->key_len] = '\t';
    memcpy(to + r->key_len + 1, r->value, r->value_len);
    to[r->key_len + 1 + r->value_len] = '\n';
    f->out.len += (size_t)r->key_len + r->value_len + 2;
    if (f->out.len < FEED_BYTES)
        return 0;
    int rc = f->open ? stream_child_write(f->child, f->out.base, f->out.len, &f->open, reterr) : 0;
    buf_clear(&f->out);
    return rc;
}

int record_feeder_finish(struct record_feeder *f, struct err *reterr)
{
    int rc = f->open ? stream_child_write(f->child, f->out.base, f->out.len, &f->open, reterr) : 0;
    stream_child_close_in(f->child);
    buf_free(&f->out);
    return rc;
}

/* Writes a sorted buffer as the next spill and empties it. */
static int spill_write(struct map_output *o, struct sort_buffer *buffer, struct err *reterr)
{
    char path[4096];
    spill_path(o, o->spills, path);
    struct run_writer *w = NULL;
    int rc = run_writer_new(path, o->partitioner.partitions, &w, reterr);
    if (rc < 0)
        return rc;
    o->spills++;
    for (size_t i = 0, n = sort_buffer_count(buffer); i < n && rc == 0; i++) {
        uint32_t partition;
        struct record r = sort_buffer_at(buffer, i, &partition);
        rc = run_writer_add(w, partition, &r, reterr);
    }
    counters_add(o->task->counters, COUNTER_SPILLED_RECORDS, (int64_t)run_writer_records(w));
    counters_add(o->task->counters, COUNTER_FILE_BYTES_WRITTEN, run_writer_bytes(w));
    if (rc == 0)
        rc = run_writer_finish(w, reterr);
    else
        run_writer_abort(w);
    sort_buffer_clear(buffer);
    return rc;
}

/* A record larger than the buffer becomes a spill of its own. */
static int spill_alone(struct map_output *o, uint32_t partition, const struct record *r, struct err *reterr)
{
    char path[4096];
    spill_path(o, o->spills, path);
    struct run_writer *w = NULL;
    int rc = run_writer_new(path, o->partitioner.partitions, &w, reterr);
    if (rc < 0)
        return rc;
    o->spills++;
    counters_add(o->task->counters, COUNTER_SPILLED_RECORDS, 1);
    if ((rc = run_writer_add(w, partition, r, reterr)) < 0) {
        run_writer_abort(w);
        return rc;
    }
    counters_add(o->task->counters, COUNTER_FILE_BYTES_WRITTEN, run_writer_bytes(w));
    return run_writer_finish(w, reterr);
}

struct combine_feed {
    struct map_output *output;
    struct stream_child *child;
    struct err err;
    int rc;
};

static void *combine_feed_thread(void *arg)
{
    struct combine_feed *feed = arg;
    struct record_feeder f = {.child = feed->child, .open = true};
    struct sort_buffer *buffer = feed->output->buffer;
    for (size_t i = 0, n = sort_buffer_count(buffer); i < n && feed->rc == 0 && f.open; i++) {
        uint32_t partition;
        struct record r = sort_buffer_at(buffer, i, &partition);
        feed->rc = record_feeder_add(&f, &r, &feed->err);
    }
    int rc = record_feeder_finish(&f, &feed->err);
    feed->rc = feed->rc ? feed->rc : rc;
    return NULL;
}

static int combined_add(struct map_output *o, struct slice line, struct err *reterr)
{
    struct record r = record_of_line(line, o->separator, o->key_fields);
    uint32_t partition = partition_of(&o->partitioner, r.key, r.key_len);
    if (sort_buffer_add(o->combined, partition, &r))
        return 0;
    sort_buffer_sort(o->combined);
    int rc = sort_buffer_count(o->combined) ? spill_write(o, o->combined, reterr) : 0;
    return rc < 0 || sort_buffer_add(o->combined, partition, &r) ? rc : spill_alone(o, partition, &r, reterr);
}

/* The whole sorted buffer goes through one run of the combiner: a key never spans partitions, so neither do its groups.
 */
static int combine_and_spill(struct map_output *o, struct err *reterr)
{
    struct combine_feed feed = {.output = o};
    int rc = stream_child_start(o->task, "combiner", o->task->job->combiner, &feed.child, reterr);
    if (rc < 0)
        return rc;
    counters_add(o->task->counters, COUNTER_COMBINE_INPUT_RECORDS, (int64_t)sort_buffer_count(o->buffer));
    pthread_t thread;
    int errnum = pthread_create(&thread, NULL, combine_feed_thread, &feed);
    if (errnum) {
        stream_child_kill(feed.child);
        return err_errno(reterr, errnum, "start a thread");
    }
    struct stream_lines lines = {.child = feed.child};
    int64_t out = 0;
    for (bool more = true; rc == 0;) {
        struct slice line;
        rc = stream_lines_next(&lines, &line, &more, reterr);
        if (rc < 0 || !more)
            break;
        rc = combined_add(o, line, reterr);
        out++;
    }
    if (rc < 0) /* the feeder must not wait for a reader that is gone */
        stream_child_signal(feed.child);
    pthread_join(thread, NULL);
    stream_lines_free(&lines);
    counters_add(o->task->counters, COUNTER_COMBINE_OUTPUT_RECORDS, out);
    struct err child_err = {0};
    int child_rc = stream_child_finish(feed.child, &child_err);
    sort_buffer_clear(o->buffer);
    if (rc == 0 && (rc = feed.rc) < 0 && reterr)
        *reterr = feed.err;
    if (rc == 0 && (rc = child_rc) < 0 && reterr)
        *reterr = child_err;
    if (rc < 0)
        return rc;
    sort_buffer_sort(o->combined);
    return spill_write(o, o->combined, reterr);
}

static int spill(struct map_output *o, struct err *reterr)
{
    sort_buffer_sort(o->buffer);
    task_report_alive(o->task->report);
    return o->combined && sort_buffer_count(o->buffer) ? combine_and_spill(o, reterr)
                                                       : spill_write(o, o->buffer, reterr);
}

int map_output_add(struct map_output *o, const struct record *r, struct err *reterr)
{
    uint32_t partition = partition_of(&o->partitioner, r->key, r->key_len);
    if (sort_buffer_add(o->buffer, partition, r))
        return 0;
    int rc = sort_buffer_count(o->buffer) ? spill(o, reterr) : 0;
    if (rc < 0)
        return rc;
    return sort_buffer_add(o->buffer, partition, r) ? 0 : spill_alone(o, partition, r, reterr);
}

/* ---- merging spills ---- */

/* One partition of spills [from, to) into w. */
static int merge_partition(struct map_output *o, uint32_t partition, uint32_t from, uint32_t to, const int *fds,
                           struct run_writer *w, struct err *reterr)
{
    struct run_reader **runs = mem_calloc(to - from, sizeof *runs);
    uint32_t count = 0;
    int rc = 0;
    for (uint32_t i = from; i < to && rc == 0; i++) {
        char path[4096];
        struct run_extent where;
        spill_path(o, i, path);
        rc = run_index_read(path, partition, &where, reterr);
        if (rc == 0 && (rc = run_reader_file(fds[i - from], where, MERGE_BUFFER_BYTES, &runs[count], reterr)) == 0)
            count++;
        counters_add(o->task->counters, COUNTER_FILE_BYTES_READ, rc == 0 ? where.bytes : 0);
    }
    struct merge *m = NULL;
    if (rc == 0) {
        rc = merge_new(runs, count, &m, reterr);
    } else {
        for (uint32_t i = 0; i < count; i++)
            run_reader_free(runs[i]);
    }
    free(runs);
    struct record r;
    for (bool more = true; rc == 0 && (rc = merge_next(m, &r, &more, reterr)) == 0 && more;)
        rc = run_writer_add(w, partition, &r, reterr);
    merge_free(m);
    task_report_alive(o->task->report);
    return rc;
}

static int merge_spills(struct map_output *o, uint32_t from, uint32_t to, const char *target, struct err *reterr)
{
    int *fds = mem_calloc(to - from, sizeof *fds), rc = 0;
    uint32_t opened = 0;
    for (; opened < to - from && rc == 0; opened++) {
        char path[4096];
        spill_path(o, from + opened, path);
        fds[opened] = open(path, O_RDONLY | O_CLOEXEC);
        if (fds[opened] < 0)
            rc = err_errno(reterr, errno, "open '%s'", path);
    }
    struct run_writer *w = NULL;
    if (rc == 0)
        rc = run_writer_new(target, o->partitioner.partitions, &w, reterr);
    for (uint32_t p = 0; rc == 0 && p < o->partitioner.partitions; p++)
        rc = merge_partition(o, p, from, to, fds, w, reterr);
    if (w) {
        counters_add(o->task->counters, COUNTER_SPILLED_RECORDS, (int64_t)run_writer_records(w));
        counters_add(o->task->counters, COUNTER_FILE_BYTES_WRITTEN, run_writer_bytes(w));
        if (rc == 0)
            rc = run_writer_finish(w, reterr);
        else
            run_writer_abort(w);
    }
    for (uint32_t i = 0; i < opened; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(fds);
    return rc;
}

static int rename_run_file(const char *from, const char *to, struct err *reterr)
{
    char from_index[4200], to_index[4200];
    snprintf(from_index, sizeof from_index, "%s.index", from);
    snprintf(to_index, sizeof to_index, "%s.index", to);
    if (rename(from, to) < 0 || rename(from_index, to_index) < 0)
        return err_errno(reterr, errno, "rename '%s' to '%s'", from, to);
    return 0;
}

int map_output_finish(struct map_output *o, struct err *reterr)
{
    int rc = 0;
    if (sort_buffer_count(o->buffer) || o->spills == 0)
        rc = spill(o, reterr);
    sort_buffer_free(o->buffer);
    sort_buffer_free(o->combined);
    o->buffer = o->combined = NULL;
    uint32_t first = 0; /* spills before it were merged into later ones */
    uint32_t factor = (uint32_t)o->task->sort_factor;
    while (rc == 0 && o->spills - first > factor) {
        char path[4096];
        spill_path(o, o->spills, path);
        rc = merge_spills(o, first, first + factor, path, reterr);
        for (uint32_t i = first; i < first + factor; i++) {
            spill_path(o, i, path);
            run_file_unlink(path);
        }
        first += factor;
        o->spills++;
    }
    if (rc < 0)
        return rc;
    char target[4096], path[4096];
    snprintf(target, sizeof target, "%s/" SHUFFLE_OUTPUT_NAME, o->dir);
    if (o->spills - first == 1) {
        spill_path(o, first, path);
        rc = rename_run_file(path, target, reterr);
    } else {
        rc = merge_spills(o, first, o->spills, target, reterr);
    }
    return rc;
}

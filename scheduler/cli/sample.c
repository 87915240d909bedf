#include "scheduler/cli/sample.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/key_fields.h"
#include "scheduler/engine/key_order.h"
#include "scheduler/engine/program.h"
#include "scheduler/engine/record_input.h"

#define SAMPLE_SPLITS        10
#define SAMPLE_RECORDS       10000 /* of each split, at most */
#define SAMPLE_BYTES         (1u << 20)
#define SAMPLE_KEYS_MAX      1000000u /* a mapper may make many records of one */
#define SAMPLE_REPORT_TARGET "/dev/null"

struct sample {
    struct task task;
    Cairn__TaskSpecProto spec;
    struct record_input *in;
    struct program *program; /* NULL: keys come from the input itself */
    struct key_order order;
    struct arena *arena;
    ProtobufCBinaryData *keys;
    size_t count, capacity;
    struct err err;
    int rc;
};

static void add_key(struct sample *s, const struct record *r)
{
    if (s->count == SAMPLE_KEYS_MAX)
        return;
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 4096;
        s->keys = mem_realloc_array(s->keys, s->capacity, sizeof *s->keys);
    }
    struct record ordered = key_order_encode(&s->order, r);
    uint8_t *copy = arena_alloc(s->arena, ordered.key_len ? ordered.key_len : 1);
    memcpy(copy, ordered.key, ordered.key_len);
    s->keys[s->count++] = (ProtobufCBinaryData){ordered.key_len, copy};
}

/* ---- what is sampled ---- */

/* Whole lines of one chunk, at most SAMPLE_BYTES. */
static struct slice some_lines(struct slice chunk)
{
    if (chunk.len > SAMPLE_BYTES)
        chunk.len = SAMPLE_BYTES;
    const uint8_t *last = chunk.len ? memrchr(chunk.base, '\n', chunk.len) : NULL;
    chunk.len = last ? (size_t)(last - chunk.base) + 1 : 0;
    return chunk;
}

static void add_lines(struct sample *s, struct slice lines)
{
    struct slice separator = separator_of(job_conf_get(s->task.job, "stream.map.output.field.separator"));
    int fields = (int)job_conf_int(s->task.job, "stream.num.map.output.key.fields", 1);
    for (const uint8_t *lf; lines.len && (lf = memchr(lines.base, '\n', lines.len));) {
        struct slice line = {lines.base, (size_t)(lf - lines.base)};
        struct record r = record_of_line(line, separator, fields);
        add_key(s, &r);
        lines.len -= line.len + 1;
        lines.base = lf + 1;
    }
}

static int feed(struct sample *s, struct err *reterr)
{
    bool open = true, more = true;
    if (record_input_is_text(s->in)) {
        struct slice chunk;
        int rc = record_input_chunk(s->in, &chunk, reterr);
        if (rc < 0)
            return rc;
        chunk = some_lines(chunk);
        if (s->program)
            return chunk.len ? program_feed_text(s->program, chunk, &open, reterr) : 0;
        add_lines(s, chunk);
        return 0;
    }
    size_t bytes = 0;
    for (int i = 0; i < SAMPLE_RECORDS && open && bytes < SAMPLE_BYTES; i++) {
        struct record r;
        int rc = record_input_next(s->in, &r, &more, reterr);
        if (rc < 0 || !more)
            return rc;
        bytes += r.key_len + r.value_len;
        if (!s->program)
            add_key(s, &r);
        else if ((rc = program_feed_record(s->program, &r, &open, reterr)) < 0)
            return rc;
    }
    return 0;
}

static void *feed_thread(void *arg)
{
    struct sample *s = arg;
    s->rc = feed(s, &s->err);
    struct err err = {0};
    int rc = program_feed_end(s->program, &err);
    if (s->rc == 0 && (s->rc = rc) < 0)
        s->err = err;
    return NULL;
}

/* The mapper's keys; any failure means that it is no help. */
static bool run_mapper(struct sample *s)
{
    struct program_use use = {
        .role = PROGRAM_MAP, .no_key = !record_input_has_keys(s->in), .text_in = record_input_is_text(s->in)};
    struct err err = {0};
    pthread_t thread;
    if (program_start(&s->task, s->task.job->mapper, use, &s->program, &err) < 0)
        return false;
    if (pthread_create(&thread, NULL, feed_thread, s)) {
        program_kill(STEAL(s->program));
        return false;
    }
    int rc = 0;
    for (bool more = true; rc == 0;) {
        struct record r;
        if ((rc = program_take_record(s->program, &r, &more, &err)) < 0 || !more)
            break;
        add_key(s, &r);
    }
    if (rc < 0)
        program_signal(s->program);
    pthread_join(thread, NULL);
    return (program_finish(STEAL(s->program), &err) == 0) & (rc == 0) & (s->rc == 0);
}

static int sample_split(struct sample *s, Cairn__SplitProto *split, bool *with_mapper, struct err *reterr)
{
    s->spec.split = split;
    int rc = record_input_open(&s->task, program_is_library(s->task.job->mapper), &s->in, reterr);
    if (rc < 0)
        return rc;
    size_t before = s->count;
    if (*with_mapper && !run_mapper(s)) {
        fprintf(stderr,
                "The mapper does not run here on a sample: the order of parts is made from the input's keys.\n");
        *with_mapper = false;
        record_input_close(STEAL(s->in));
        s->count = before;
        if ((rc = record_input_open(&s->task, false, &s->in, reterr)) < 0)
            return rc;
    }
    if (!*with_mapper)
        rc = feed(s, reterr);
    record_input_close(STEAL(s->in));
    return rc;
}

/* ---- points ---- */

static int compare_keys(const void *a, const void *b)
{
    const ProtobufCBinaryData *x = a, *y = b;
    int order = memcmp(x->data, y->data, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static void choose_points(struct sample *s, Cairn__JobSpecProto *job)
{
    if (s->count)
        qsort(s->keys, s->count, sizeof *s->keys, compare_keys);
    job->partitionpoints = arena_array(s->arena, ProtobufCBinaryData, job->reduces);
    for (uint32_t i = 1; i < job->reduces && s->count; i++) {
        const ProtobufCBinaryData *point = &s->keys[s->count * i / job->reduces];
        if (job->n_partitionpoints && compare_keys(point, &job->partitionpoints[job->n_partitionpoints - 1]) <= 0)
            continue; /* one key is more than a part: there will be empty parts */
        job->partitionpoints[job->n_partitionpoints++] = *point;
    }
}

int sample_partition_points(struct dfs *fs, Cairn__JobSpecProto *job, struct arena *a, struct err *reterr)
{
    struct sample s = {.arena = a, .spec = CAIRN__TASK_SPEC_PROTO__INIT};
    s.spec.job = job;
    s.spec.map = true;
    s.spec.attemptid = "";
    s.task = (struct task){.spec = &s.spec, .job = job, .fs = fs, .local_dir = "."};
    int fd = open(SAMPLE_REPORT_TARGET, O_WRONLY | O_CLOEXEC);
    int rc = key_order_open(job, &s.order, reterr);
    s.task.counters = counters_new();
    if (rc == 0)
        rc = task_report_start(fd, s.task.counters, &s.task.report, reterr);
    bool with_mapper = true;
    size_t splits = job->n_splits < SAMPLE_SPLITS ? job->n_splits : SAMPLE_SPLITS;
    for (size_t i = 0; rc == 0 && i < splits; i++)
        rc = sample_split(&s, job->splits[job->n_splits * i / splits], &with_mapper, reterr);
    if (rc == 0)
        choose_points(&s, job);
    if (s.task.report)
        task_report_end(s.task.report, NULL, false);
    task_environment_free(s.task.environment);
    counters_free(s.task.counters);
    key_order_close(&s.order);
    free(s.keys);
    if (fd >= 0)
        close(fd);
    return rc;
}

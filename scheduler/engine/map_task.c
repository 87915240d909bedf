/* A map attempt: split -> records -> mapper -> sorted map output, or with no reduces -> part file.
 * One thread feeds the mapper while this one takes what it writes, so neither waits for the other's buffers. */
#include <pthread.h>
#include <string.h>

#include "common/mem.h"
#include "scheduler/engine/map_output.h"
#include "scheduler/engine/part_file.h"
#include "scheduler/engine/program.h"
#include "scheduler/engine/record_input.h"

#define COUNT_EVERY 0x10000 /* records */

struct map_feed {
    struct task *task;
    struct program *program;
    struct record_input *in;
    int64_t counted;
    struct err err;
    int rc;
};

static void feed_progress(struct map_feed *feed)
{
    int64_t records = record_input_count(feed->in);
    counters_add(feed->task->counters, COUNTER_MAP_INPUT_RECORDS, records - feed->counted);
    feed->counted = records;
    float sorting = feed->task->job->reduces ? 0.667f : 1.0f;
    task_report_progress(feed->task->report, record_input_progress(feed->in) * sorting);
}

static int feed_text(struct map_feed *feed)
{
    int rc = 0;
    for (bool open = true; rc == 0 && open;) {
        struct slice chunk;
        if ((rc = record_input_chunk(feed->in, &chunk, &feed->err)) < 0 || chunk.len == 0)
            break;
        rc = program_feed_text(feed->program, chunk, &open, &feed->err);
        feed_progress(feed);
    }
    return rc;
}

static int feed_records(struct map_feed *feed)
{
    int rc = 0;
    for (bool more = true, open = true; rc == 0 && open;) {
        struct record r;
        if ((rc = record_input_next(feed->in, &r, &more, &feed->err)) < 0 || !more)
            break;
        rc = program_feed_record(feed->program, &r, &open, &feed->err);
        if ((record_input_count(feed->in) & 0xfff) == 0)
            feed_progress(feed);
    }
    return rc;
}

static void *feed_thread(void *arg)
{
    struct map_feed *feed = arg;
    feed->rc = record_input_is_text(feed->in) ? feed_text(feed) : feed_records(feed);
    feed_progress(feed);
    record_input_tell(feed->in);
    struct err err = {0};
    int rc = program_feed_end(feed->program, &err);
    if (feed->rc == 0 && (feed->rc = rc) < 0)
        feed->err = err;
    return NULL;
}

static int collect(struct task *t, struct program *program, struct err *reterr)
{
    struct map_output *output = NULL;
    int rc = map_output_new(t, t->spec->outputdir, &output, reterr);
    int64_t records = 0, bytes = 0;
    while (rc == 0) {
        struct record r;
        bool more = false;
        if ((rc = program_take_record(program, &r, &more, reterr)) < 0 || !more)
            break;
        rc = map_output_add(output, &r, reterr);
        bytes += (int64_t)r.key_len + r.value_len;
        if (++records == COUNT_EVERY) {
            counters_add(t->counters, COUNTER_MAP_OUTPUT_RECORDS, records);
            records = 0;
        }
    }
    counters_add(t->counters, COUNTER_MAP_OUTPUT_RECORDS, records);
    counters_add(t->counters, COUNTER_MAP_OUTPUT_BYTES, bytes);
    if (rc == 0)
        rc = map_output_finish(output, reterr);
    map_output_free(output);
    return rc;
}

static int map_run(struct task *t, struct map_feed *feed, struct err *reterr)
{
    pthread_t thread;
    int errnum = pthread_create(&thread, NULL, feed_thread, feed);
    if (errnum) {
        program_kill(feed->program);
        return err_errno(reterr, errnum, "start a thread");
    }
    int rc = t->job->reduces ? collect(t, feed->program, reterr)
                             : part_file_take(t, feed->program, COUNTER_MAP_OUTPUT_RECORDS, reterr);
    if (rc < 0) /* nobody reads any more: the mapper must not keep its feeder waiting */
        program_signal(feed->program);
    pthread_join(thread, NULL);
    struct err end_err = {0};
    int end_rc = program_finish(feed->program, &end_err);
    if (rc == 0 && (rc = feed->rc) < 0 && reterr)
        *reterr = feed->err;
    if (rc == 0 && (rc = end_rc) < 0 && reterr)
        *reterr = end_err;
    return rc;
}

int map_task_run(struct task *t, struct err *reterr)
{
    struct map_feed feed = {.task = t};
    int rc = record_input_open(t, program_is_library(t->job->mapper), &feed.in, reterr);
    if (rc == 0) {
        struct program_use use = {.role = PROGRAM_MAP,
                                  .no_key = !record_input_has_keys(feed.in),
                                  .text_in = record_input_is_text(feed.in),
                                  .bytes_out = t->job->reduces == 0 && part_file_takes_bytes(t->job)};
        rc = program_start(t, t->job->mapper, use, &feed.program, reterr);
    }
    if (rc == 0)
        rc = map_run(t, &feed, reterr);
    record_input_close(feed.in);
    return rc;
}

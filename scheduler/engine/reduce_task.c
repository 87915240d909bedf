/* A reduce attempt: shuffle -> merge -> reducer -> part file. */
#include <pthread.h>
#include <string.h>

#include "common/mem.h"
#include "scheduler/engine/key_order.h"
#include "scheduler/engine/part_file.h"
#include "scheduler/engine/program.h"
#include "scheduler/engine/shuffle.h"

#define COUNT_EVERY 0x10000 /* records */

struct reduce_feed {
    struct task *task;
    struct program *program;
    struct merge *merge;
    struct key_order order;
    struct err err;
    int rc;
};

static bool same_key(const struct buf *last, const struct record *r)
{
    return last->len == r->key_len && (!r->key_len || !memcmp(last->base, r->key, r->key_len));
}

static void feed_count(struct reduce_feed *feed, int64_t *records, int64_t *groups)
{
    counters_add(feed->task->counters, COUNTER_REDUCE_INPUT_RECORDS, *records);
    counters_add(feed->task->counters, COUNTER_REDUCE_INPUT_GROUPS, *groups);
    *records = *groups = 0;
}

static void *reduce_feed_thread(void *arg)
{
    struct reduce_feed *feed = arg;
    struct buf last = {0};
    int64_t records = 0, groups = 0;
    bool first = true;
    for (bool open = true, more = true; feed->rc == 0 && open;) {
        struct record r;
        if ((feed->rc = merge_next(feed->merge, &r, &more, &feed->err)) < 0 || !more ||
            (feed->rc = key_order_decode(&feed->order, &r, &feed->err)) < 0)
            break;
        if (first || !same_key(&last, &r)) {
            buf_clear(&last);
            buf_append(&last, r.key, r.key_len);
            groups++;
            first = false;
        }
        feed->rc = program_feed_record(feed->program, &r, &open, &feed->err);
        if (++records == COUNT_EVERY)
            feed_count(feed, &records, &groups);
    }
    feed_count(feed, &records, &groups);
    struct err err = {0};
    int rc = program_feed_end(feed->program, &err);
    if (feed->rc == 0 && (feed->rc = rc) < 0)
        feed->err = err;
    buf_free(&last);
    return NULL;
}

static int reduce_sorted(struct task *t, struct merge *merge, struct err *reterr)
{
    struct reduce_feed feed = {.task = t, .merge = merge};
    struct program_use use = {.role = PROGRAM_REDUCE, .bytes_out = part_file_takes_bytes(t->job)};
    int rc = key_order_open(t->job, &feed.order, reterr);
    if (rc == 0)
        rc = program_start(t, t->job->reducer, use, &feed.program, reterr);
    if (rc < 0)
        return rc;
    pthread_t thread;
    int errnum = pthread_create(&thread, NULL, reduce_feed_thread, &feed);
    if (errnum) {
        program_kill(feed.program);
        return err_errno(reterr, errnum, "start a thread");
    }
    rc = part_file_take(t, feed.program, COUNTER_REDUCE_OUTPUT_RECORDS, reterr);
    if (rc < 0)
        program_signal(feed.program);
    pthread_join(thread, NULL);
    struct err end_err = {0};
    int end_rc = program_finish(feed.program, &end_err);
    if (rc == 0 && (rc = feed.rc) < 0 && reterr)
        *reterr = feed.err;
    if (rc == 0 && (rc = end_rc) < 0 && reterr)
        *reterr = end_err;
    return rc;
}

int reduce_task_run(struct task *t, struct err *reterr)
{
    struct shuffle *shuffle = shuffle_new(t);
    struct merge *merge = NULL;
    int rc = shuffle_run(shuffle, reterr);
    if (rc < 0)
        err_prefix(reterr, rc, "shuffle");
    if (rc == 0)
        rc = shuffle_merge(shuffle, &merge, reterr);
    task_report_progress(t->report, 0.667f);
    if (rc == 0)
        rc = reduce_sorted(t, merge, reterr);
    merge_free(merge);
    shuffle_free(shuffle);
    return rc;
}

/* A reduce attempt: shuffle -> merge -> reducer -> part file. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "common/mem.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/map_output.h"
#include "scheduler/engine/part_file.h"
#include "scheduler/engine/shuffle.h"
#include "scheduler/engine/stream_child.h"

struct reduce_feed {
    struct task *task;
    struct stream_child *child;
    struct merge *merge;
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
    struct record_feeder f = {.child = feed->child, .open = true};
    struct buf last = {0};
    int64_t records = 0, groups = 0;
    bool first = true;
    while (feed->rc == 0 && f.open) {
        struct record r;
        bool more = false;
        if ((feed->rc = merge_next(feed->merge, &r, &more, &feed->err)) < 0 || !more)
            break;
        if (first || !same_key(&last, &r)) {
            buf_clear(&last);
            buf_append(&last, r.key, r.key_len);
            groups++;
            first = false;
        }
        records++;
        feed->rc = record_feeder_add(&f, &r, &feed->err);
        if ((records & 0xffff) == 0)
            feed_count(feed, &records, &groups);
    }
    feed_count(feed, &records, &groups);
    struct err err = {0};
    int rc = record_feeder_finish(&f, &err);
    if (feed->rc == 0 && rc < 0) {
        feed->rc = rc;
        feed->err = err;
    }
    buf_free(&last);
    return NULL;
}

static int reduce_sorted(struct task *t, struct merge *merge, struct err *reterr)
{
    struct part_file *part = NULL;
    struct reduce_feed feed = {.task = t, .merge = merge};
    int rc = stream_child_start(t, "reducer", t->job->reducer, &feed.child, reterr);
    if (rc < 0)
        return rc;
    pthread_t thread;
    int errnum = pthread_create(&thread, NULL, reduce_feed_thread, &feed);
    if (errnum) {
        stream_child_kill(feed.child);
        return err_errno(reterr, errnum, "start a thread");
    }
    if ((rc = part_file_new(t, &part, reterr)) == 0)
        rc = part_file_copy(part, feed.child, COUNTER_REDUCE_OUTPUT_RECORDS, reterr);
    if (rc < 0)
        stream_child_signal(feed.child);
    pthread_join(thread, NULL);
    struct err child_err = {0};
    int child_rc = stream_child_finish(feed.child, &child_err);
    if (rc == 0 && (rc = feed.rc) < 0 && reterr)
        *reterr = feed.err;
    if (rc == 0 && (rc = child_rc) < 0 && reterr)
        *reterr = child_err;
    if (rc < 0) {
        part_file_abort(part);
        return rc;
    }
    return part_file_finish(part, reterr);
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

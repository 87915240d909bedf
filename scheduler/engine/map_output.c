#include "scheduler/engine/map_output.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/key_order.h"
#include "scheduler/engine/program.h"
#include "scheduler/engine/spills.h"

#define COMBINE_SPILLS_MIN 3 /* Hadoop's too: fewer are merged without the combiner */

struct map_output {
    struct task *task;
    struct partitioner partitioner;
    struct key_order order;
    struct sort_buffer *buffer;   /* what the mapper wrote */
    struct sort_buffer *combined; /* what the combiner made of it; NULL without one */
    struct spills spills;
};

int map_output_new(struct task *t, const char *dir, struct map_output **ret, struct err *reterr)
{
    struct partitioner partitioner;
    struct key_order order;
    int rc = partitioner_open(t->job, &partitioner, reterr);
    if (rc == 0)
        rc = key_order_open(t->job, &order, reterr);
    if (rc < 0)
        return rc;
    struct map_output *o = mem_new(struct map_output);
    *o = (struct map_output){.task = t,
                             .partitioner = partitioner,
                             .order = order,
                             .spills = {.task = t, .dir = dir, .partitions = partitioner.partitions}};
    bool combine = t->job->combiner != NULL;
    o->buffer = sort_buffer_new(combine ? t->sort_bytes / 4 * 3 : t->sort_bytes);
    o->combined = combine ? sort_buffer_new(t->sort_bytes / 4) : NULL;
    *ret = o;
    return 0;
}

void map_output_free(struct map_output *o)
{
    if (!o)
        return;
    spills_remove(&o->spills, o->spills.count);
    sort_buffer_free(o->buffer);
    sort_buffer_free(o->combined);
    key_order_close(&o->order);
    free(o);
}

/* ---- combining ---- */

/* What a combiner is fed: the sorted buffer, or (merge) spills. */
struct combine_feed {
    struct map_output *output;
    struct program *program;
    struct spill_merge *merge;
    size_t next; /* in the buffer */
    int64_t records;
    struct err err;
    int rc;
};

static int feed_next(struct combine_feed *feed, struct record *ret, bool *ret_more, struct err *reterr)
{
    struct sort_buffer *buffer = feed->output->buffer;
    uint32_t partition;
    if (feed->merge) {
        int rc = spill_merge_next(feed->merge, &partition, ret, ret_more, reterr);
        return rc < 0 || !*ret_more ? rc : key_order_decode(&feed->output->order, ret, reterr);
    }
    *ret_more = feed->next < sort_buffer_count(buffer);
    if (!*ret_more)
        return 0;
    *ret = sort_buffer_at(buffer, feed->next++, &partition);
    return key_order_decode(&feed->output->order, ret, reterr);
}

static void *combine_feed_thread(void *arg)
{
    struct combine_feed *feed = arg;
    for (bool more = true, open = true; feed->rc == 0 && open;) {
        struct record r;
        if ((feed->rc = feed_next(feed, &r, &more, &feed->err)) < 0 || !more)
            break;
        feed->records++;
        feed->rc = program_feed_record(feed->program, &r, &open, &feed->err);
    }
    struct err err = {0};
    int rc = program_feed_end(feed->program, &err);
    if (feed->rc == 0 && (feed->rc = rc) < 0)
        feed->err = err;
    return NULL;
}

static int buffer_add(struct map_output *o, struct sort_buffer *buffer, const struct record *r, bool *ret_added,
                      struct err *reterr)
{
    struct record ordered = key_order_encode(&o->order, r);
    const struct record *ranged =
        o->partitioner.ranges ? &ordered : r; /* ranges are of the order that parts are to have */
    uint32_t partition = partition_of(&o->partitioner, ranged->key, ranged->key_len);
    *ret_added = sort_buffer_add(buffer, partition, &ordered);
    return *ret_added || sort_buffer_count(buffer) ? 0 : spill_alone(&o->spills, partition, &ordered, reterr);
}

static int combined_add(struct map_output *o, const struct record *r, struct err *reterr)
{
    bool added;
    bool empty = sort_buffer_count(o->combined) == 0;
    int rc = buffer_add(o, o->combined, r, &added, reterr);
    if (rc < 0 || added || empty)
        return rc;
    sort_buffer_sort(o->combined);
    rc = spill_buffer(&o->spills, o->combined, reterr);
    return rc < 0 ? rc : buffer_add(o, o->combined, r, &added, reterr);
}

/* The whole feed goes through one run of the combiner: a key never spans partitions, so neither do its groups. */
static int combine(struct map_output *o, struct spill_merge *merge, struct err *reterr)
{
    struct combine_feed feed = {.output = o, .merge = merge};
    struct program_use use = {.role = PROGRAM_COMBINE};
    int rc = program_start(o->task, o->task->job->combiner, use, &feed.program, reterr);
    if (rc < 0)
        return rc;
    pthread_t thread;
    int errnum = pthread_create(&thread, NULL, combine_feed_thread, &feed);
    if (errnum) {
        program_kill(feed.program);
        return err_errno(reterr, errnum, "start a thread");
    }
    int64_t out = 0;
    for (bool more = true; rc == 0; out++) {
        struct record r;
        if ((rc = program_take_record(feed.program, &r, &more, reterr)) < 0 || !more)
            break;
        rc = combined_add(o, &r, reterr);
    }
    if (rc < 0) /* the feeder must not wait for a reader that is gone */
        program_signal(feed.program);
    pthread_join(thread, NULL);
    counters_add(o->task->counters, COUNTER_COMBINE_INPUT_RECORDS, feed.records);
    counters_add(o->task->counters, COUNTER_COMBINE_OUTPUT_RECORDS, out);
    struct err end_err = {0};
    int end_rc = program_finish(feed.program, &end_err);
    if (rc == 0 && (rc = feed.rc) < 0 && reterr)
        *reterr = feed.err;
    if (rc == 0 && (rc = end_rc) < 0 && reterr)
        *reterr = end_err;
    if (rc < 0)
        return rc;
    sort_buffer_sort(o->combined);
    return spill_buffer(&o->spills, o->combined, reterr);
}

/* ---- spilling ---- */

/* A C program may combine any number of times, also none: where keys have one record each, as after its fold, that is
 * not worth a process. A command may count on being called, as it is by Hadoop. */
static bool wants_combining(const struct map_output *o)
{
    if (!o->combined || sort_buffer_count(o->buffer) == 0)
        return false;
    return !program_is_library(o->task->job->combiner) || sort_buffer_repeats_a_key(o->buffer);
}

static int spill(struct map_output *o, struct err *reterr)
{
    sort_buffer_sort(o->buffer);
    task_report_alive(o->task->report);
    if (!wants_combining(o))
        return spill_buffer(&o->spills, o->buffer, reterr);
    int rc = combine(o, NULL, reterr);
    sort_buffer_clear(o->buffer);
    return rc;
}

int map_output_add(struct map_output *o, const struct record *r, struct err *reterr)
{
    bool added;
    bool empty = sort_buffer_count(o->buffer) == 0;
    int rc = buffer_add(o, o->buffer, r, &added, reterr);
    if (rc < 0 || added || empty)
        return rc;
    rc = spill(o, reterr);
    return rc < 0 ? rc : buffer_add(o, o->buffer, r, &added, reterr);
}

/* Spills were combined one by one; all together there may be much less. */
static int combine_spills(struct map_output *o, struct err *reterr)
{
    uint32_t before = o->spills.count;
    struct spill_merge *merge = NULL;
    int rc = spills_reduce(&o->spills, reterr);
    if (rc == 0 && (rc = spill_merge_new(&o->spills, o->spills.first, o->spills.count, &merge, reterr)) == 0) {
        before = o->spills.count;
        rc = combine(o, merge, reterr);
    }
    spill_merge_free(merge);
    if (rc == 0)
        spills_remove(&o->spills, before);
    return rc;
}

int map_output_finish(struct map_output *o, struct err *reterr)
{
    int rc = 0;
    if (sort_buffer_count(o->buffer) || o->spills.count == 0)
        rc = spill(o, reterr);
    sort_buffer_free(o->buffer);
    o->buffer = NULL;
    int64_t least = job_conf_int(o->task->job, "mapreduce.map.combine.minspills", COMBINE_SPILLS_MIN);
    if (rc == 0 && o->combined && o->spills.count - o->spills.first >= least && o->spills.count - o->spills.first > 1)
        rc = combine_spills(o, reterr);
    sort_buffer_free(o->combined);
    o->combined = NULL;
    return rc < 0 ? rc : spills_finish(&o->spills, reterr);
}

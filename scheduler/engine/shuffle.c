/* Happy path: one thread asks the scheduler for finished maps; fetchers take one map each, and leave its run where it
 * is if the map ran on this node, else read it over HTTP into memory if it is small and there is room, else into a
 * file. When memory fills up, they wait until what is in it has
 * been merged to a file. Failure: a fetch that fails is reported to the scheduler and tried again with back-off; the
 * scheduler decides when the map's output counts as lost and has the map run again, which shows up as a new event for
 * the same map. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/shuffle_internal.h"

#define EVENTS_WAIT_MS  5000
#define EVENTS_PAUSE_MS 10 /* maps that end one after the other are told together */
#define BACKOFF_MIN_MS  200
#define BACKOFF_MAX_MS  5000

struct shuffle *shuffle_new(struct task *t)
{
    struct shuffle *s = mem_new(struct shuffle);
    s->task = t;
    s->maps = t->job->maps;
    s->sources = mem_calloc(s->maps, sizeof *s->sources);
    s->memory_max = t->sort_bytes;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attr);
    pthread_condattr_destroy(&attr);
    return s;
}

static void fetched_free(struct fetched *f)
{
    buf_free(&f->bytes);
    if (f->path && !f->is_lent)
        unlink(f->path);
    free(f->path);
    *f = (struct fetched){0};
}

void shuffle_free(struct shuffle *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->fd_count; i++)
        close(s->fds[i]);
    for (size_t i = 0; i < s->run_count; i++)
        fetched_free(&s->runs[i]);
    for (uint32_t i = 0; i < s->maps; i++)
        free(s->sources[i].attempt);
    rpc_client_free(s->scheduler);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s->fds);
    free(s->runs);
    free(s->sources);
    free(s);
}

static void shuffle_fail_locked(struct shuffle *s, int rc, const struct err *why)
{
    if (s->rc == 0) {
        s->rc = rc;
        s->err = *why;
    }
    s->stopping = true;
    pthread_cond_broadcast(&s->changed);
}

static void wait_changed_locked(struct shuffle *s, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&s->changed, &s->lock, &until);
}

/* ---- which outputs are there ---- */

/* The map will have no output. What is being fetched may still come. */
static void pass_over_locked(struct shuffle *s, struct map_source *source)
{
    if (source->state != SOURCE_UNKNOWN && source->state != SOURCE_READY)
        return;
    source->state = SOURCE_HERE;
    s->here++;
    s->none++;
}

static void source_event_locked(struct shuffle *s, const Cairn__MapOutputProto *e)
{
    if (e->map >= s->maps)
        return;
    struct map_source *source = &s->sources[e->map];
    if (e->failed) {
        source->is_none = true;
        pass_over_locked(s, source);
        return;
    }
    if (e->lost) {
        if (source->state == SOURCE_READY && source->attempt && !strcmp(source->attempt, e->attemptid))
            source->state = SOURCE_UNKNOWN;
        return;
    }
    if (source->state == SOURCE_HERE)
        return;
    struct net_address address;
    if (net_parse(e->httpaddress, 0, &address, NULL) < 0)
        return;
    free(source->attempt);
    source->attempt = mem_strdup(e->attemptid);
    source->address = address;
    source->failures = 0;
    source->not_before_ms = 0;
    if (source->state == SOURCE_UNKNOWN)
        source->state = SOURCE_READY;
}

static int ask_for_outputs(struct shuffle *s, uint32_t wait_ms, struct err *reterr)
{
    struct arena a;
    arena_init(&a, 64 << 20);
    Cairn__MapOutputsRequestProto request = CAIRN__MAP_OUTPUTS_REQUEST_PROTO__INIT;
    request.jobid = s->task->job->jobid;
    request.start = s->next_event;
    request.has_waitms = true;
    request.waitms = wait_ms;
    ProtobufCMessage *m = NULL;
    int rc = rpc_client_call(s->scheduler, "mapOutputs", &request.base, &cairn__map_outputs_response_proto__descriptor,
                             &a, &m, reterr);
    if (rc == 0) {
        const Cairn__MapOutputsResponseProto *response = (const void *)m;
        pthread_mutex_lock(&s->lock);
        for (size_t i = 0; i < response->n_outputs; i++)
            source_event_locked(s, response->outputs[i]);
        s->next_event = response->has_next ? response->next : s->next_event + response->n_outputs;
        pthread_cond_broadcast(&s->changed);
        pthread_mutex_unlock(&s->lock);
        task_report_alive(s->task->report); /* waiting for maps is not hanging */
    }
    arena_free(&a);
    return rc;
}

static void report_failure(struct shuffle *s, const char *attempt, const struct err *why)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    Cairn__FetchFailedRequestProto request = CAIRN__FETCH_FAILED_REQUEST_PROTO__INIT;
    request.jobid = s->task->job->jobid;
    request.mapattemptid = (char *)attempt;
    request.reduceattemptid = s->task->spec->attemptid;
    request.corrupt = why->code == ERR_CHECKSUM;
    request.diagnostics = (char *)why->text;
    ProtobufCMessage *m = NULL;
    struct err err = {0};
    if (rpc_client_call(s->scheduler, "fetchFailed", &request.base, &cairn__fetch_failed_response_proto__descriptor, &a,
                        &m, &err) < 0)
        fprintf(stderr, "cairn task: the failed fetch could not be reported: %s\n", err.text);
    arena_free(&a);
}

void shuffle_keep_run_locked(struct shuffle *s, struct fetched run)
{
    if (s->run_count == s->run_capacity) {
        s->run_capacity = s->run_capacity ? 2 * s->run_capacity : 16;
        s->runs = mem_realloc_array(s->runs, s->run_capacity, sizeof *s->runs);
    }
    s->runs[s->run_count++] = run;
}

/* ---- merging in between ---- */

static int open_run(struct shuffle *s, const struct fetched *f, size_t buffer, struct run_reader **ret,
                    struct err *reterr)
{
    if (!f->path)
        return run_reader_memory(buf_slice(&f->bytes), ret, reterr);
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(reterr, errno, "open '%s'", f->path);
    s->fds = mem_realloc_array(s->fds, s->fd_count + 1, sizeof *s->fds);
    s->fds[s->fd_count++] = fd;
    return run_reader_file(fd, f->where, buffer, ret, reterr);
}

static int merge_runs(struct shuffle *s, const struct fetched *runs, size_t count, struct merge **ret,
                      struct err *reterr)
{
    struct run_reader **readers = mem_calloc(count, sizeof *readers);
    size_t opened = 0, buffer = merge_buffer_bytes(s->task->sort_bytes, count);
    int rc = 0;
    while (rc == 0 && opened < count)
        if ((rc = open_run(s, &runs[opened], buffer, &readers[opened], reterr)) == 0)
            opened++;
    if (rc == 0) {
        rc = merge_new(readers, count, ret, reterr);
    } else {
        for (size_t i = 0; i < opened; i++)
            run_reader_free(readers[i]);
    }
    free(readers);
    return rc;
}

/* Runs -> one file. The result's run is `partition 0 of 1`. */
static int merge_to_file(struct shuffle *s, struct fetched *runs, size_t count, uint32_t number, struct fetched *ret,
                         struct err *reterr)
{
    struct merge *m = NULL;
    struct run_writer *w = NULL;
    size_t fds_before = s->fd_count;
    char *path = mem_printf("%s/merged%u.run", s->task->local_dir, number);
    int rc = merge_runs(s, runs, count, &m, reterr);
    if (rc == 0)
        rc = run_writer_new(path, 1, s->task->spill_codec, &w, reterr);
    struct record r;
    for (bool more = true; rc == 0 && (rc = merge_next(m, &r, &more, reterr)) == 0 && more;)
        rc = run_writer_add(w, 0, &r, reterr);
    merge_free(m);
    while (s->fd_count > fds_before)
        close(s->fds[--s->fd_count]);
    if (rc == 0) {
        counters_add(s->task->counters, COUNTER_SPILLED_RECORDS, (int64_t)run_writer_records(w));
        int64_t bytes = 0;
        rc = run_writer_finish(w, &bytes, reterr);
        counters_add(s->task->counters, COUNTER_FILE_BYTES_WRITTEN, bytes);
        if (rc == 0)
            *ret = (struct fetched){.path = STEAL(path), .where = {0, bytes}};
    } else if (w) {
        run_writer_abort(w);
    }
    free(path);
    task_report_alive(s->task->report);
    return rc;
}

/* Then nobody begins to fetch until what is there has become a file. */
static bool memory_is_short_locked(const struct shuffle *s)
{
    return s->memory_used >= s->memory_max / 3 * 2;
}

/* When memory is more than two thirds full: everything in it becomes a file. Called with the lock, drops it meanwhile.
 */
static void relieve_memory_locked(struct shuffle *s)
{
    if (!memory_is_short_locked(s) || s->stopping)
        return;
    struct fetched *taken = mem_calloc(s->run_count, sizeof *taken);
    size_t count = 0, kept = 0, bytes = 0;
    for (size_t i = 0; i < s->run_count; i++) {
        if (s->runs[i].path) {
            s->runs[kept++] = s->runs[i];
        } else {
            bytes += s->runs[i].reserved;
            taken[count++] = s->runs[i];
        }
    }
    s->run_count = kept;
    uint32_t number = s->files++;
    pthread_mutex_unlock(&s->lock);
    struct fetched merged = {0};
    struct err err = {0};
    int rc = count ? merge_to_file(s, taken, count, number, &merged, &err) : 0;
    for (size_t i = 0; i < count; i++)
        fetched_free(&taken[i]);
    free(taken);
    pthread_mutex_lock(&s->lock);
    s->memory_used -= bytes;
    if (rc < 0)
        shuffle_fail_locked(s, rc, &err);
    else if (merged.path)
        shuffle_keep_run_locked(s, merged);
    pthread_cond_broadcast(&s->changed);
}

/* ---- threads ---- */

static struct map_source *next_source_locked(struct shuffle *s, int64_t *ret_wait_ms)
{
    int64_t now = clock_mono_ms();
    *ret_wait_ms = 1000;
    uint32_t from = s->task->spec->partition % (s->maps ? s->maps : 1); /* reduces begin at different nodes */
    for (uint32_t i = 0; i < s->maps; i++) {
        struct map_source *source = &s->sources[(from + i) % s->maps];
        if (source->state != SOURCE_READY)
            continue;
        if (source->not_before_ms <= now)
            return source;
        if (source->not_before_ms - now < *ret_wait_ms)
            *ret_wait_ms = source->not_before_ms - now;
    }
    return NULL;
}

static void fetch_one_locked(struct shuffle *s, struct map_source *source)
{
    source->state = SOURCE_FETCHING;
    char *attempt = mem_strdup(source->attempt);
    struct net_address address = source->address;
    pthread_mutex_unlock(&s->lock);
    struct err err = {0};
    int rc = shuffle_fetch(s, attempt, &address, &err);
    if (rc < 0) {
        counters_add(s->task->counters, COUNTER_FAILED_SHUFFLE, 1);
        fprintf(stderr, "cairn task: fetch failed, will be tried again: %s\n", err.text);
        report_failure(s, attempt, &err);
    }
    pthread_mutex_lock(&s->lock);
    if (rc == 0) {
        source->state = SOURCE_HERE;
        s->here++;
        task_report_progress(s->task->report, 0.333f * (float)s->here / (float)s->maps);
    } else {
        int64_t backoff = BACKOFF_MIN_MS << (source->failures < 5 ? source->failures : 5);
        source->failures++;
        source->not_before_ms = clock_mono_ms() + (backoff < BACKOFF_MAX_MS ? backoff : BACKOFF_MAX_MS);
        source->state = SOURCE_READY;
        if (strcmp(source->attempt, attempt)) /* another attempt's output came up meanwhile */
            source->not_before_ms = 0;
        if (source->is_none)
            pass_over_locked(s, source);
    }
    free(attempt);
    pthread_cond_broadcast(&s->changed);
}

static void *fetch_thread(void *arg)
{
    struct shuffle *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!s->stopping && s->here < s->maps) {
        int64_t wait_ms = 1000;
        struct map_source *source = memory_is_short_locked(s) ? NULL : next_source_locked(s, &wait_ms);
        if (source)
            fetch_one_locked(s, source);
        else
            wait_changed_locked(s, wait_ms);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void *events_thread(void *arg)
{
    struct shuffle *s = arg;
    for (;;) {
        pthread_mutex_lock(&s->lock);
        bool over = s->stopping || s->here == s->maps;
        pthread_mutex_unlock(&s->lock);
        if (over)
            return NULL;
        if (s->next_event && s->next_event < s->maps)
            clock_sleep_ms(EVENTS_PAUSE_MS);
        struct err err = {0};
        int rc = ask_for_outputs(s, EVENTS_WAIT_MS, &err);
        if (rc < 0) {
            pthread_mutex_lock(&s->lock);
            if (!s->stopping && s->here < s->maps)
                shuffle_fail_locked(s, rc, &err);
            pthread_mutex_unlock(&s->lock);
            return NULL;
        }
    }
}

static int connect_scheduler(struct shuffle *s, struct err *reterr)
{
    struct net_address address;
    int rc = net_parse(s->task->spec->scheduler, 7077, &address, reterr);
    struct rpc_client_options options = {.addresses = &address,
                                         .address_count = 1,
                                         .protocol = "org.cairn.protocol.JobProtocol",
                                         .user = s->task->job->user,
                                         .retry_for_ms = 60000};
    return rc < 0 ? rc : rpc_client_new(&options, &s->scheduler, reterr);
}

int shuffle_run(struct shuffle *s, struct err *reterr)
{
    int rc = connect_scheduler(s, reterr);
    if (rc < 0 || s->maps == 0)
        return rc;
    int copies = (int)job_conf_int(s->task->job, "mapreduce.reduce.shuffle.parallelcopies", 4);
    pthread_t events, *fetchers = mem_calloc((size_t)copies, sizeof *fetchers);
    int started = 0, errnum = pthread_create(&events, NULL, events_thread, s);
    bool have_events = errnum == 0;
    while (!errnum && started < copies && !(errnum = pthread_create(&fetchers[started], NULL, fetch_thread, s)))
        started++;
    pthread_mutex_lock(&s->lock);
    if (errnum && started == 0) {
        err_errno(&s->err, errnum, "start a thread");
        s->rc = s->err.code;
        s->stopping = true;
    }
    while (!s->stopping && s->here < s->maps) {
        wait_changed_locked(s, 1000);
        relieve_memory_locked(s);
    }
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    rpc_client_cancel(s->scheduler); /* the events thread may be waiting for an answer */
    for (int i = 0; i < started; i++)
        pthread_join(fetchers[i], NULL);
    if (have_events)
        pthread_join(events, NULL);
    free(fetchers);
    if (s->rc < 0 && reterr)
        *reterr = s->err;
    return s->rc;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = ((const struct fetched *)a)->where.bytes, y = ((const struct fetched *)b)->where.bytes;
    return (x > y) - (x < y);
}

int shuffle_merge(struct shuffle *s, struct merge **ret, struct err *reterr)
{
    size_t factor = (size_t)s->task->sort_factor;
    counters_add(s->task->counters, COUNTER_MERGED_MAP_OUTPUTS, s->here - s->none);
    size_t files = 0;
    for (size_t i = 0; i < s->run_count; i++)
        files += s->runs[i].path != NULL;
    while (files > factor) { /* the smallest files first, until one pass can take the rest */
        struct fetched *on_disk = mem_calloc(files, sizeof *on_disk);
        size_t n = 0, kept = 0;
        for (size_t i = 0; i < s->run_count; i++) {
            if (s->runs[i].path)
                on_disk[n++] = s->runs[i];
            else
                s->runs[kept++] = s->runs[i];
        }
        qsort(on_disk, n, sizeof *on_disk, by_size);
        size_t take = files - factor + 1 < factor ? files - factor + 1 : factor;
        struct fetched merged = {0};
        int rc = merge_to_file(s, on_disk, take, s->files++, &merged, reterr);
        for (size_t i = 0; i < take; i++)
            fetched_free(&on_disk[i]);
        s->run_count = kept;
        for (size_t i = take; i < n; i++)
            shuffle_keep_run_locked(s, on_disk[i]);
        free(on_disk);
        if (rc < 0)
            return rc;
        shuffle_keep_run_locked(s, merged);
        files = files - take + 1;
    }
    return merge_runs(s, s->runs, s->run_count, ret, reterr);
}

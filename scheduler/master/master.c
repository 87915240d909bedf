#include "scheduler/master/master.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "proto/message.h"

#define TICK_MS 200

struct command { /* packed: the job it comes from may be gone when the worker asks */
    uint64_t seq;
    struct buf bytes;
};
struct command_queue {
    uint64_t worker_id, next_seq;
    struct command *list;
    size_t count, capacity;
};

struct master {
    const struct config *config;
    struct job_store *store;
    int64_t start_wall_ms, epoch_ms;
    char tracking_base[NET_ADDRESS_MAX + 16];
    pthread_mutex_t lock; /* guards all that follows */
    pthread_cond_t finish_wake;
    struct sched *sched;
    struct command_queue *queues;
    size_t queue_count, queue_capacity;
    struct waiter *waiters;
    struct finish_work *finish_first, **finish_last;
    uint32_t next_job;
    bool stopping;
    pthread_t ticker, finisher;
};

int64_t master_now_ms(void)
{
    return clock_mono_ms();
}

int64_t master_epoch_ms(const struct master *m)
{
    return m->epoch_ms;
}

struct job_store *master_store(struct master *m)
{
    return m->store;
}

const char *master_tracking_base(const struct master *m)
{
    return m->tracking_base;
}

void master_set_http_port(struct master *m, uint16_t port)
{
    struct net_address at;
    if (net_parse(config_str(m->config, "cairn.scheduler.http-address"), 8080, &at, NULL) < 0)
        return;
    char host[256];
    if (!strcmp(at.host, "0.0.0.0") || !strcmp(at.host, "::")) { /* what a person can open */
        if (gethostname(host, sizeof host) == 0)
            snprintf(at.host, sizeof at.host, "%.*s", (int)sizeof at.host - 1, host);
    }
    at.port = port;
    char text[NET_ADDRESS_MAX];
    snprintf(m->tracking_base, sizeof m->tracking_base, "http://%s", net_format(&at, text));
}

struct sched *master_lock(struct master *m)
{
    pthread_mutex_lock(&m->lock);
    return m->sched;
}

struct sched *master_sched_locked(struct master *m)
{
    return m->sched;
}

void master_unlock(struct master *m)
{
    pthread_mutex_unlock(&m->lock);
}

void master_new_job_id(struct master *m, char out[JOB_ID_MAX])
{
    pthread_mutex_lock(&m->lock);
    job_id_format(m->start_wall_ms, ++m->next_job, out);
    pthread_mutex_unlock(&m->lock);
}

/* ---- commands for workers ---- */

static struct command_queue *queue_of(struct master *m, uint64_t worker_id, bool create)
{
    for (size_t i = 0; i < m->queue_count; i++)
        if (m->queues[i].worker_id == worker_id)
            return &m->queues[i];
    if (!create)
        return NULL;
    if (m->queue_count == m->queue_capacity) {
        m->queue_capacity = m->queue_capacity ? 2 * m->queue_capacity : 16;
        m->queues = mem_realloc_array(m->queues, m->queue_capacity, sizeof *m->queues);
    }
    m->queues[m->queue_count] = (struct command_queue){.worker_id = worker_id, .next_seq = 1};
    return &m->queues[m->queue_count++];
}

static void queue_drop(struct command_queue *q, uint64_t up_to)
{
    size_t dropped = 0;
    while (dropped < q->count && q->list[dropped].seq <= up_to)
        buf_free(&q->list[dropped++].bytes);
    if (dropped)
        memmove(q->list, q->list + dropped, (q->count - dropped) * sizeof *q->list);
    q->count -= dropped;
}

void master_forget_worker_locked(struct master *m, uint64_t worker_id)
{
    struct command_queue *q = queue_of(m, worker_id, false);
    if (!q)
        return;
    queue_drop(q, UINT64_MAX);
    free(q->list);
    *q = m->queues[--m->queue_count];
}

static void queue_add(struct master *m, uint64_t worker_id, Cairn__CommandProto *command)
{
    struct command_queue *q = queue_of(m, worker_id, true);
    if (q->count == q->capacity) {
        q->capacity = q->capacity ? 2 * q->capacity : 8;
        q->list = mem_realloc_array(q->list, q->capacity, sizeof *q->list);
    }
    struct command *c = &q->list[q->count++];
    *c = (struct command){.seq = q->next_seq++};
    command->seq = c->seq;
    message_pack(&c->bytes, &command->base);
}

bool master_has_commands_locked(struct master *m, uint64_t worker_id, uint64_t after)
{
    struct command_queue *q = queue_of(m, worker_id, false);
    return q && q->count && q->list[q->count - 1].seq > after;
}

void master_commands_locked(struct master *m, uint64_t worker_id, uint64_t after, struct arena *a,
                            Cairn__PollCommandsResponseProto *ret)
{
    struct command_queue *q = queue_of(m, worker_id, false);
    if (!q)
        return;
    queue_drop(q, after);
    ret->commands = arena_array(a, Cairn__CommandProto *, q->count);
    for (size_t i = 0; i < q->count; i++) {
        ProtobufCMessage *message = NULL;
        struct err err;
        if (message_unpack(&cairn__command_proto__descriptor, buf_slice(&q->list[i].bytes), a, &message, &err) < 0)
            break; /* the answer is full: the rest goes with the next */
        ret->commands[ret->n_commands++] = (Cairn__CommandProto *)message;
    }
}

static void queue_launch(struct master *m, const struct sched_action *action)
{
    const struct job *j = action->job;
    const struct attempt *at = action->attempt;
    struct arena a;
    arena_init(&a, 64 << 20);
    char id[ATTEMPT_ID_MAX];
    job_attempt_id(j, at, id);
    Cairn__TaskSpecProto task = CAIRN__TASK_SPEC_PROTO__INIT;
    task.attemptid = id;
    task.map = at->map;
    task.partition = at->task;
    task.job = job_spec_without_splits(j->spec, &a);
    Cairn__SplitProto split;
    if (at->map) {
        split = *j->spec->splits[at->task];
        split.n_holders = 0;
        task.split = &split;
    }
    Cairn__CommandProto command = CAIRN__COMMAND_PROTO__INIT;
    command.launch = &task;
    queue_add(m, action->worker_id, &command);
    log_info("scheduler", "launch attempt=%s worker=%s locality=%d", id, at->worker_name, (int)at->locality);
    arena_free(&a);
}

static void finish_queue(struct master *m, const struct sched_action *action)
{
    struct finish_work *w = finish_work_new(action->job, action->kind, m->epoch_ms);
    *m->finish_last = w;
    m->finish_last = &w->next;
    pthread_cond_signal(&m->finish_wake);
}

static void log_over(const struct job *j)
{
    log_info("scheduler", "job=%s state=%d maps=%u reduces=%u took_ms=%lld%s%s", j->spec->jobid, (int)j->state,
             j->map_count, j->reduce_count, (long long)(j->finished_ms - j->submitted_ms),
             j->diagnostics ? " why=" : "", j->diagnostics ? j->diagnostics : "");
}

static void wake_waiters_locked(struct master *m, int64_t now_ms)
{
    for (struct waiter **at = &m->waiters; *at;) {
        struct waiter *w = *at;
        if (w->answer(m, w, now_ms >= w->deadline_ms || m->stopping)) {
            *at = w->next;
            free(w);
        } else {
            at = &w->next;
        }
    }
}

void master_apply_locked(struct master *m, struct sched_actions *actions)
{
    for (size_t i = 0; i < actions->count; i++) {
        const struct sched_action *action = &actions->list[i];
        Cairn__CommandProto command = CAIRN__COMMAND_PROTO__INIT;
        char id[ATTEMPT_ID_MAX];
        switch (action->kind) {
        case SCHED_LAUNCH: queue_launch(m, action); break;
        case SCHED_KILL:
            job_attempt_id(action->job, action->attempt, id);
            command.killattempt = id;
            queue_add(m, action->worker_id, &command);
            break;
        case SCHED_FORGET:
            command.forgetjob = action->job->spec->jobid;
            queue_add(m, action->worker_id, &command);
            break;
        case SCHED_OVER:
            log_over(action->job);
            finish_queue(m, action);
            break;
        case SCHED_COMMIT: finish_queue(m, action);
        }
    }
    sched_actions_free(actions);
    wake_waiters_locked(m, master_now_ms());
}

void master_wait_locked(struct master *m, struct waiter w, uint32_t wait_ms)
{
    if (w.answer(m, &w, wait_ms == 0 || m->stopping))
        return;
    struct waiter *kept = mem_new(struct waiter);
    *kept = w;
    kept->deadline_ms = master_now_ms() + (wait_ms < 60000 ? wait_ms : 60000);
    kept->next = m->waiters;
    m->waiters = kept;
}

/* ---- threads ---- */

static void drop_queues_of_lost_workers_locked(struct master *m)
{
    for (size_t i = m->queue_count; i-- > 0;)
        if (!resources_find(sched_resources(m->sched), m->queues[i].worker_id))
            master_forget_worker_locked(m, m->queues[i].worker_id);
}

static void *ticker_thread(void *arg)
{
    struct master *m = arg;
    pthread_mutex_lock(&m->lock);
    while (!m->stopping) {
        pthread_mutex_unlock(&m->lock);
        clock_sleep_ms(TICK_MS);
        pthread_mutex_lock(&m->lock);
        struct sched_actions actions = {0};
        uint32_t live = resources_live_count(sched_resources(m->sched));
        sched_tick(m->sched, master_now_ms(), &actions);
        if (resources_live_count(sched_resources(m->sched)) < live) {
            log_warn("scheduler", "workers lost: live=%u before=%u", resources_live_count(sched_resources(m->sched)),
                     live);
            drop_queues_of_lost_workers_locked(m);
        }
        master_apply_locked(m, &actions);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

static void finish_one(struct master *m, struct finish_work *w)
{
    struct sched_actions actions = {0};
    struct err err = {0};
    if (w->kind == SCHED_COMMIT) {
        int rc = finish_commit(m->config, w, &err);
        struct sched *s = master_lock(m);
        sched_committed(s, master_now_ms(), w->job_id, rc < 0 ? &err : NULL, &actions);
        master_apply_locked(m, &actions);
        master_unlock(m);
        return;
    }
    finish_clean(m->config, w);
    if (job_store_put(m->store, w->record, &err) < 0)
        log_error("scheduler", "job=%s its record could not be kept: err=%s", w->job_id, err.text);
    struct sched *s = master_lock(m);
    sched_job_remove(s, w->job_id);
    wake_waiters_locked(m, master_now_ms()); /* who waits for this job gets its record now */
    master_unlock(m);
}

static void *finish_thread(void *arg)
{
    struct master *m = arg;
    pthread_mutex_lock(&m->lock);
    for (;;) {
        struct finish_work *w = m->finish_first;
        if (!w && m->stopping)
            break;
        if (!w) {
            pthread_cond_wait(&m->finish_wake, &m->lock);
            continue;
        }
        m->finish_first = w->next;
        if (!w->next)
            m->finish_last = &m->finish_first;
        pthread_mutex_unlock(&m->lock);
        finish_one(m, w);
        finish_work_free(w);
        pthread_mutex_lock(&m->lock);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

int master_new(const struct config *config, struct job_store *store, struct master **ret, struct err *reterr)
{
    struct master *m = mem_new(struct master);
    m->config = config;
    m->store = store;
    m->start_wall_ms = clock_wall_ms();
    m->epoch_ms = m->start_wall_ms - master_now_ms();
    m->finish_last = &m->finish_first;
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->finish_wake, NULL);
    m->sched =
        sched_new(&(struct sched_limits){.worker_timeout_ms = config_ms(config, "cairn.scheduler.worker-timeout"),
                                         .locality_delay_ms = config_ms(config, "cairn.scheduler.locality-delay"),
                                         .worker_id_base = (uint64_t)m->start_wall_ms * 1000,
                                         .locality = config_bool(config, "cairn.scheduler.locality")});
    int errnum = pthread_create(&m->ticker, NULL, ticker_thread, m);
    if (errnum == 0 && (errnum = pthread_create(&m->finisher, NULL, finish_thread, m)) != 0) {
        pthread_mutex_lock(&m->lock);
        m->stopping = true;
        pthread_mutex_unlock(&m->lock);
        pthread_join(m->ticker, NULL);
    }
    if (errnum) {
        sched_free(m->sched);
        free(m);
        return err_errno(reterr, errnum, "start a thread");
    }
    *ret = m;
    return 0;
}

void master_stop(struct master *m)
{
    pthread_mutex_lock(&m->lock);
    m->stopping = true;
    wake_waiters_locked(m, master_now_ms());
    pthread_cond_signal(&m->finish_wake);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->ticker, NULL);
    pthread_join(m->finisher, NULL);
}

void master_free(struct master *m)
{
    if (!m)
        return;
    while (m->queue_count)
        master_forget_worker_locked(m, m->queues[0].worker_id);
    free(m->queues);
    sched_free(m->sched);
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->finish_wake);
    free(m);
}

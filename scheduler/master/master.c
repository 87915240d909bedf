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

#define TICK_MS   200
#define FINISHERS 4 /* commits at once: one job's need not wait for another's large one */

struct command { /* packed: the job it comes from may be gone when the worker asks */
    uint64_t seq;
    struct buf bytes;
};
struct command_queue {
    uint64_t worker_id, next_seq;
    uint64_t answered; /* up to here, they have gone with answers to heartbeats */
    struct command *list;
    size_t count, capacity;
};

struct master {
    const struct config *config;
    struct job_store *store;
    struct schedules *schedules;
    int64_t start_wall_ms, epoch_ms;
    char tracking_base[NET_ADDRESS_MAX + 16];
    pthread_mutex_t lock; /* guards all that follows */
    pthread_cond_t finish_wake;
    struct sched *sched;
    struct command_queue *queues;
    size_t queue_count, queue_capacity;
    struct waiter *waiters;
    struct finish_work *finish_first, **finish_last;
    struct job_store_attempt *keep_first, **keep_last; /* ended attempts, on their way to the store */
    pthread_cond_t keep_wake;
    uint32_t next_job;
    bool stopping;
    pthread_mutex_t keep_lock; /* taken before `lock`: who writes ended attempts into the store */
    pthread_t ticker, keeper, finishers[FINISHERS];
    int finisher_count, started;
};

int64_t master_now_ms(void)
{
    return clock_mono_ms();
}

int64_t master_epoch_ms(const struct master *m)
{
    return m->epoch_ms;
}

const struct config *master_config(const struct master *m)
{
    return m->config;
}

struct job_store *master_store(struct master *m)
{
    return m->store;
}

struct schedules *master_schedules(struct master *m)
{
    return m->schedules;
}

void master_set_schedules(struct master *m, struct schedules *s)
{
    m->schedules = s;
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

bool master_is_stopping(struct master *m)
{
    pthread_mutex_lock(&m->lock);
    bool stopping = m->stopping;
    pthread_mutex_unlock(&m->lock);
    return stopping;
}

/* ---- ended attempts, into the store ---- */

static void keep_attempt(struct master *m, const struct sched_action *action)
{
    const struct job *j = action->job;
    const struct attempt *at = action->attempt;
    if (j->state > CAIRN__JOB_STATE__JOB_COMMITTING)
        return; /* the record of the whole job has it */
    struct arena a;
    arena_init(&a, 16 << 20);
    Cairn__AttemptRecordProto record = CAIRN__ATTEMPT_RECORD_PROTO__INIT;
    record.attempt = attempt_message(j, at, m->epoch_ms, &a);
    record.instance = (char *)at->instance;
    record.counters = attempt_counter_messages(j, at, &a);
    record.n_counters = at->counter_count;
    struct job_store_attempt *kept = mem_new(struct job_store_attempt);
    snprintf(kept->job_id, sizeof kept->job_id, "%s", j->spec->jobid);
    job_attempt_id(j, at, kept->attempt_id);
    message_pack(&kept->bytes, &record.base);
    arena_free(&a);
    *m->keep_last = kept;
    m->keep_last = &kept->next;
    pthread_cond_signal(&m->keep_wake);
}

/* When it returns, all that ended before is in the store. */
static void keep_drain(struct master *m)
{
    struct err err = {0};
    pthread_mutex_lock(&m->keep_lock);
    pthread_mutex_lock(&m->lock);
    struct job_store_attempt *first = m->keep_first;
    m->keep_first = NULL;
    m->keep_last = &m->keep_first;
    pthread_mutex_unlock(&m->lock);
    if (first && job_store_put_attempts(m->store, first, &err) < 0)
        log_error("scheduler", "what ended would be run again after a restart: err=%s", err.text);
    while (first) {
        struct job_store_attempt *next = first->next;
        buf_free(&first->bytes);
        free(first);
        first = next;
    }
    pthread_mutex_unlock(&m->keep_lock);
}

static void *keep_thread(void *arg)
{
    struct master *m = arg;
    pthread_mutex_lock(&m->lock);
    while (!m->stopping || m->keep_first) {
        if (!m->keep_first) {
            pthread_cond_wait(&m->keep_wake, &m->lock);
            continue;
        }
        pthread_mutex_unlock(&m->lock);
        keep_drain(m);
        pthread_mutex_lock(&m->lock);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
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
    return q && q->count && q->list[q->count - 1].seq > (after > q->answered ? after : q->answered);
}

void master_commands_locked(struct master *m, uint64_t worker_id, uint64_t after, struct arena *a,
                            Cairn__CommandProto ***ret, size_t *ret_count)
{
    struct command_queue *q = queue_of(m, worker_id, false);
    if (!q)
        return;
    queue_drop(q, after);
    *ret = arena_array(a, Cairn__CommandProto *, q->count);
    for (size_t i = 0; i < q->count; i++) {
        ProtobufCMessage *message = NULL;
        struct err err;
        if (message_unpack(&cairn__command_proto__descriptor, buf_slice(&q->list[i].bytes), a, &message, &err) < 0)
            break; /* the answer is full: the rest goes with the next */
        (*ret)[(*ret_count)++] = (Cairn__CommandProto *)message;
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
    task.job->sink = NULL; /* has a password, and is none of the task's business */
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

void master_finish_later_locked(struct master *m, struct finish_work *w)
{
    *m->finish_last = w;
    m->finish_last = &w->next;
    pthread_cond_signal(&m->finish_wake);
}

static void finish_queue(struct master *m, const struct sched_action *action)
{
    master_finish_later_locked(m, finish_work_new(action->job, action->kind, m->epoch_ms));
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

static void apply_locked(struct master *m, struct sched_actions *actions)
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
        case SCHED_KEEP: keep_attempt(m, action); break;
        case SCHED_PLAN:
        case SCHED_COMMIT: finish_queue(m, action);
        }
    }
    sched_actions_free(actions);
}

void master_apply_locked(struct master *m, struct sched_actions *actions)
{
    apply_locked(m, actions);
    wake_waiters_locked(m, master_now_ms());
}

void master_apply_answering_locked(struct master *m, struct sched_actions *actions, uint64_t worker_id, uint64_t after,
                                   struct arena *a, Cairn__HeartbeatResponseProto *ret)
{
    apply_locked(m, actions);
    master_commands_locked(m, worker_id, after, a, &ret->commands, &ret->n_commands);
    if (ret->n_commands)
        queue_of(m, worker_id, true)->answered = ret->commands[ret->n_commands - 1]->seq;
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

/* Before a commit moves anything, the store knows which attempts won and that it has begun. */
static int commit_job(struct master *m, struct finish_work *w, struct err *reterr)
{
    char *note = mem_printf("commit/%s", w->job_id);
    keep_drain(m);
    int rc = job_store_put_note(m->store, note, "", 0, reterr);
    free(note);
    return rc < 0 ? rc : finish_commit(m->config, w, m, reterr);
}

static void finish_commit_work(struct master *m, struct finish_work *w)
{
    struct sched_actions actions = {0};
    struct err err = {0};
    int rc = commit_job(m, w, &err);
    if (rc < 0 && master_is_stopping(m))
        return; /* it goes on after the restart */
    struct sched *s = master_lock(m);
    sched_committed(s, master_now_ms(), w->job_id, rc < 0 ? &err : NULL, &actions);
    master_apply_locked(m, &actions);
    master_unlock(m);
}

/* What survives a kill at any point: the record says first how the job ended; as long as it is not forgotten as live,
 * a restart does the rest again. */
static void finish_over_work(struct master *m, struct finish_work *w)
{
    struct err err = {0};
    if (job_store_put(m->store, w->record, &err) < 0)
        log_error("scheduler", "job=%s its record could not be kept: err=%s", w->job_id, err.text);
    finish_clean(m->config, w);
    struct sched *s = master_lock(m);
    sched_job_remove(s, w->job_id);
    wake_waiters_locked(m, master_now_ms()); /* who waits for this job gets its record now */
    master_unlock(m);
    finish_history(m->config, w);
    char *note = mem_printf("commit/%s", w->job_id);
    keep_drain(m);
    if (job_store_forget_live(m->store, w->job_id, &err) < 0 || job_store_put_note(m->store, note, NULL, 0, &err) < 0)
        log_warn("scheduler", "job=%s is cleaned up again after the next start: err=%s", w->job_id, err.text);
    free(note);
}

static void finish_plan_work(struct master *m, struct finish_work *w)
{
    struct sched_actions actions = {0};
    struct err err = {0};
    Cairn__LiveJobProto live = CAIRN__LIVE_JOB_PROTO__INIT;
    struct arena a;
    arena_init(&a, JOB_ARENA_BYTES);
    Cairn__JobSpecProto *spec = NULL;
    int rc = finish_plan(m->config, w, &a, &spec, &err);
    live.spec = spec;
    live.incarnation = w->incarnation;
    if (rc == 0)
        rc = job_store_put_live(m->store, &live, &err);
    if (rc == 0 || !master_is_stopping(m)) {
        struct sched *s = master_lock(m);
        sched_planned(s, master_now_ms(), w->job_id, &a, spec, rc < 0 ? &err : NULL, &actions);
        master_apply_locked(m, &actions);
        master_unlock(m);
    }
    arena_free(&a);
}

static void finish_one(struct master *m, struct finish_work *w)
{
    if (w->kind == SCHED_COMMIT)
        finish_commit_work(m, w);
    else if (w->kind == SCHED_PLAN)
        finish_plan_work(m, w);
    else
        finish_over_work(m, w);
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
        w->next = NULL;
        if (!m->finish_first)
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
    m->keep_last = &m->keep_first;
    pthread_mutex_init(&m->lock, NULL);
    pthread_mutex_init(&m->keep_lock, NULL);
    pthread_cond_init(&m->finish_wake, NULL);
    pthread_cond_init(&m->keep_wake, NULL);
    m->sched = sched_new(
        &(struct sched_limits){.worker_timeout_ms = config_ms(config, "cairn.scheduler.worker-timeout"),
                               .locality_delay_ms = config_ms(config, "cairn.scheduler.locality-delay"),
                               .rack_delay_ms = config_ms(config, "cairn.scheduler.rack-delay"),
                               .recovery_grace_ms = config_ms(config, "cairn.scheduler.recovery-grace"),
                               .speculative_after_ms = config_ms(config, "cairn.scheduler.speculative-after"),
                               .worker_id_base = (uint64_t)m->start_wall_ms * 1000,
                               .locality = config_bool(config, "cairn.scheduler.locality"),
                               .pools = config_str(config, "cairn.scheduler.pools"),
                               .user_slots_max = (uint32_t)config_int(config, "cairn.scheduler.user-slots-max")});
    *ret = m;
    return 0;
}

int master_start(struct master *m, struct err *reterr)
{
    int errnum = pthread_create(&m->ticker, NULL, ticker_thread, m);
    if (errnum)
        return err_errno(reterr, errnum, "start a thread");
    m->started = 1;
    if ((errnum = pthread_create(&m->keeper, NULL, keep_thread, m)) == 0) {
        m->started = 2;
        while (m->finisher_count < FINISHERS &&
               !(errnum = pthread_create(&m->finishers[m->finisher_count], NULL, finish_thread, m)))
            m->finisher_count++;
    }
    return errnum ? err_errno(reterr, errnum, "start a thread") : 0;
}

void master_stop(struct master *m)
{
    pthread_mutex_lock(&m->lock);
    m->stopping = true;
    wake_waiters_locked(m, master_now_ms());
    pthread_cond_broadcast(&m->finish_wake);
    pthread_cond_broadcast(&m->keep_wake);
    pthread_mutex_unlock(&m->lock);
    for (int i = 0; i < m->finisher_count; i++)
        pthread_join(m->finishers[i], NULL);
    if (m->started > 1)
        pthread_join(m->keeper, NULL);
    if (m->started > 0)
        pthread_join(m->ticker, NULL);
    keep_drain(m);
}

void master_free(struct master *m)
{
    if (!m)
        return;
    while (m->queue_count)
        master_forget_worker_locked(m, m->queues[0].worker_id);
    free(m->queues);
    while (m->finish_first) {
        struct finish_work *w = m->finish_first;
        m->finish_first = w->next;
        finish_work_free(w);
    }
    sched_free(m->sched);
    pthread_mutex_destroy(&m->lock);
    pthread_mutex_destroy(&m->keep_lock);
    pthread_cond_destroy(&m->finish_wake);
    pthread_cond_destroy(&m->keep_wake);
    free(m);
}

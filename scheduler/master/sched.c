/* Failing: an attempt that fails is tried again on another worker, up to the job's limit, then the job fails, unless
 * it may do without some of its tasks. A worker that is silent takes its running attempts with it, and for jobs with
 * reduces still to come also its finished map output. */
#include "scheduler/master/sched_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define FETCH_FAILURES_MAX 3 /* reports until a map's output counts as lost */

struct sched *sched_new(const struct sched_limits *limits)
{
    struct sched *s = mem_new(struct sched);
    s->limits = *limits;
    s->resources.next_id = limits->worker_id_base;
    share_init(s);
    return s;
}

void sched_free(struct sched *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->job_count; i++)
        job_free(s->jobs[i]);
    free(s->jobs);
    share_free(s);
    resources_free(&s->resources);
    free(s);
}

void sched_actions_free(struct sched_actions *a)
{
    free(a->list);
    *a = (struct sched_actions){0};
}

void sched_act(struct sched_actions *out, enum sched_action_kind kind, uint64_t worker_id, struct job *job,
               struct attempt *attempt)
{
    if (out->count == out->capacity) {
        out->capacity = out->capacity ? 2 * out->capacity : 16;
        out->list = mem_realloc_array(out->list, out->capacity, sizeof *out->list);
    }
    out->list[out->count++] = (struct sched_action){kind, worker_id, job, attempt};
}

struct job *sched_job(const struct sched *s, const char *job_id)
{
    for (size_t i = s->job_count; i-- > 0;)
        if (!strcmp(s->jobs[i]->spec->jobid, job_id))
            return s->jobs[i];
    return NULL;
}

struct job *sched_job_at(const struct sched *s, size_t i)
{
    return i < s->job_count ? s->jobs[i] : NULL;
}

const struct resources *sched_resources(const struct sched *s)
{
    return &s->resources;
}

void sched_move_task(struct job *j, bool map, struct task_info *t, enum task_state to)
{
    uint32_t *counts[] = {map ? &j->maps_pending : &j->reduces_pending, map ? &j->maps_running : &j->reduces_running,
                          map ? &j->maps_done : &j->reduces_done, map ? &j->maps_failed : &j->reduces_failed};
    static const unsigned moves[] = {[TASK_PENDING] = BIT(TASK_RUNNING) | BIT(TASK_FAILED),
                                     [TASK_RUNNING] = BIT(TASK_DONE) | BIT(TASK_PENDING),
                                     [TASK_DONE] = BIT(TASK_PENDING),
                                     [TASK_FAILED] = 0};
    assert(moves[t->state] & BIT(to));
    if (to == TASK_PENDING)
        job_rewind(j);
    --*counts[t->state];
    ++*counts[to];
    t->state = to;
    j->version++;
}

/* ---- attempts end ---- */

/* The attempt is no longer running, for whatever reason. */
static void attempt_end(struct sched *s, struct job *j, struct attempt *a, Cairn__AttemptState state, const char *why,
                        int64_t now_ms, struct sched_actions *out)
{
    struct worker *w = resources_find(&s->resources, a->worker_id);
    a->state = state;
    a->finished_ms = now_ms;
    if (why)
        job_set_text(&a->diagnostics, why);
    job_task(j, a->map, a->task)->running--;
    job_attempt_ended(j, a);
    j->pool->running--;
    j->owner->running--;
    if (w)
        worker_give_back(w, job_ask(j, a->map));
    job_count(j, JOB_COUNTER_GROUP,
              a->map ? "Total time spent by all map tasks (ms)" : "Total time spent by all reduce tasks (ms)",
              now_ms - a->started_ms);
    if (state == CAIRN__ATTEMPT_STATE__ATTEMPT_KILLED)
        job_count(j, JOB_COUNTER_GROUP, a->map ? "Killed map tasks" : "Killed reduce tasks", 1);
    sched_act(out, SCHED_KEEP, 0, j, a);
    j->version++;
}

bool attempt_is_live(const struct attempt *a)
{
    return a->state == CAIRN__ATTEMPT_STATE__ATTEMPT_ASSIGNED || a->state == CAIRN__ATTEMPT_STATE__ATTEMPT_RUNNING;
}

static void kill_attempt(struct sched *s, struct job *j, struct attempt *a, const char *why, int64_t now_ms,
                         struct sched_actions *out)
{
    sched_act(out, SCHED_KILL, a->worker_id, j, a);
    attempt_killed(s, j, a, why, now_ms, out);
}

/* Attempts of that task that run beside `a`, which does not any more. */
static void kill_others(struct sched *s, struct job *j, const struct attempt *a, const char *why, int64_t now_ms,
                        struct sched_actions *out)
{
    const struct task_info *t = job_task(j, a->map, a->task);
    for (size_t i = j->live_count; t->running && i-- > 0;)
        if (j->live[i]->map == a->map && j->live[i]->task == a->task)
            kill_attempt(s, j, j->live[i], why, now_ms, out);
}

/* Over, however it went: stop what runs, let the workers and the shell clean up. */
void sched_job_end(struct sched *s, struct job *j, Cairn__JobState state, const char *why, int64_t now_ms,
                   struct sched_actions *out)
{
    while (j->live_count)
        kill_attempt(s, j, j->live[j->live_count - 1], "the job is over", now_ms, out);
    j->state = state;
    j->finished_ms = now_ms;
    j->waiting_for[0] = 0;
    if (why)
        job_set_text(&j->diagnostics, why);
    j->version++;
    for (size_t i = 0; i < s->resources.count; i++)
        if (worker_is_live(s->resources.workers[i]))
            sched_act(out, SCHED_FORGET, s->resources.workers[i]->id, j, NULL);
    sched_act(out, SCHED_OVER, 0, j, NULL);
    chain_over(s, j, now_ms, out);
}

void sched_maybe_commit(struct job *j, struct sched_actions *out)
{
    if (j->state != CAIRN__JOB_STATE__JOB_RUNNING || !job_maps_are_over(j) || !job_reduces_are_over(j))
        return;
    j->state = CAIRN__JOB_STATE__JOB_COMMITTING;
    j->version++;
    sched_act(out, SCHED_COMMIT, 0, j, NULL);
}

/* Where attempts of the task failed that now succeeded elsewhere, the node was to blame. */
static void blame(struct sched *s, const struct task_info *t, uint64_t succeeded_on, int64_t now_ms)
{
    for (uint32_t i = 0; i < t->failures && i < TASK_FAILED_ON_MAX; i++) {
        struct worker *w = resources_find(&s->resources, t->failed_on[i]);
        if (w && w->id != succeeded_on)
            worker_blame(w, now_ms);
    }
}

static void attempt_succeeded(struct sched *s, struct job *j, struct attempt *a, size_t index,
                              const Cairn__AttemptReportProto *report, int64_t now_ms, struct sched_actions *out)
{
    struct task_info *t = job_task(j, a->map, a->task);
    struct worker *w = resources_find(&s->resources, a->worker_id);
    if (w)
        worker_forgive(w);
    blame(s, t, a->worker_id, now_ms);
    attempt_keep_counters(j, a, report->counters, report->n_counters);
    attempt_end(s, j, a, CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED, NULL, now_ms, out);
    a->progress = 1;
    attempt_apply_counters(j, a, 1);
    j->done_count[a->map]++;
    j->done_ms_total[a->map] += now_ms - a->started_ms;
    t->winner = (int64_t)index;
    kill_others(s, j, a, "another attempt of the task was first", now_ms, out);
    sched_move_task(j, a->map, t, TASK_DONE);
    if (a->map && j->reduce_count)
        job_add_event(j, a->task, (uint32_t)index, MAP_DONE);
    sched_maybe_commit(j, out);
}

void sched_give_up(struct job *j, bool map, uint32_t task)
{
    struct task_info *t = job_task(j, map, task);
    sched_move_task(j, map, t, TASK_FAILED);
    if (map && j->reduce_count)
        job_add_event(j, task, (uint32_t)t->last, MAP_FAILED);
}

/* One failure more of the attempt's task; at its limit the job does without it, if it may, or fails. */
static void task_failed(struct sched *s, struct job *j, const struct attempt *a, int64_t now_ms,
                        struct sched_actions *out)
{
    struct task_info *t = job_task(j, a->map, a->task);
    job_worker_failed(j, a->worker_id);
    t->failed_on[t->failures % TASK_FAILED_ON_MAX] = a->worker_id;
    t->failures++;
    if (t->failures < (a->map ? j->max_attempts_map : j->max_attempts_reduce))
        return;
    char id[ATTEMPT_ID_MAX];
    job_attempt_id(j, a, id);
    char *why = mem_printf("%s %06u failed %u times. Last attempt %s on %s (%s): %s", a->map ? "map" : "reduce",
                           a->task, t->failures, id, a->worker_name, a->http_address,
                           a->diagnostics ? a->diagnostics : "no reason given");
    if (job_may_lose_one(j, a->map)) {
        kill_others(s, j, a, "the task has failed", now_ms, out);
        job_set_text(&j->diagnostics, why);
        sched_give_up(j, a->map, a->task);
        sched_maybe_commit(j, out);
    } else {
        sched_job_end(s, j, CAIRN__JOB_STATE__JOB_FAILED, why, now_ms, out);
    }
    free(why);
}

static void attempt_failed(struct sched *s, struct job *j, struct attempt *a, const char *diagnostics, int64_t now_ms,
                           struct sched_actions *out)
{
    struct task_info *t = job_task(j, a->map, a->task);
    attempt_end(s, j, a, CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED, diagnostics, now_ms, out);
    job_count(j, JOB_COUNTER_GROUP, a->map ? "Failed map tasks" : "Failed reduce tasks", 1);
    if (t->running == 0)
        sched_move_task(j, a->map, t, TASK_PENDING);
    task_failed(s, j, a, now_ms, out);
}

void attempt_killed(struct sched *s, struct job *j, struct attempt *a, const char *why, int64_t now_ms,
                    struct sched_actions *out)
{
    struct task_info *t = job_task(j, a->map, a->task);
    attempt_end(s, j, a, CAIRN__ATTEMPT_STATE__ATTEMPT_KILLED, why, now_ms, out);
    if (t->running == 0 && t->state == TASK_RUNNING && t->winner < 0)
        sched_move_task(j, a->map, t, TASK_PENDING);
}

void attempt_report(struct sched *s, struct job *j, struct attempt *a, size_t index,
                    const Cairn__AttemptReportProto *report, int64_t now_ms, struct sched_actions *out)
{
    if (report->status)
        job_set_text(&a->status, report->status);
    switch (report->state) {
    case CAIRN__ATTEMPT_STATE__ATTEMPT_ASSIGNED:
    case CAIRN__ATTEMPT_STATE__ATTEMPT_RUNNING:
        if (a->state != CAIRN__ATTEMPT_STATE__ATTEMPT_RUNNING || a->progress != report->progress)
            j->version++;
        a->state = CAIRN__ATTEMPT_STATE__ATTEMPT_RUNNING;
        a->progress = report->progress >= 0 && report->progress <= 1 ? report->progress : 0;
        break;
    case CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED: attempt_succeeded(s, j, a, index, report, now_ms, out); break;
    case CAIRN__ATTEMPT_STATE__ATTEMPT_KILLED: attempt_killed(s, j, a, report->diagnostics, now_ms, out); break;
    default: attempt_failed(s, j, a, report->diagnostics, now_ms, out);
    }
}

/* ---- workers ---- */

static void map_output_lost(struct job *j, uint32_t map, struct sched_actions *out)
{
    struct task_info *t = &j->maps[map];
    struct attempt *a = j->attempts[t->winner];
    job_add_event(j, map, (uint32_t)t->winner, MAP_LOST);
    attempt_apply_counters(j, a, -1);
    a->state = CAIRN__ATTEMPT_STATE__ATTEMPT_KILLED;
    job_set_text(&a->diagnostics, "its output was lost with its worker or could not be fetched");
    t->winner = -1;
    sched_act(out, SCHED_KEEP, 0, j, a);
    sched_move_task(j, true, t, TASK_PENDING);
}

void worker_lost(struct sched *s, struct worker *w, int64_t now_ms, struct sched_actions *out)
{
    w->lost = true;
    for (size_t i = 0; i < s->job_count; i++) {
        struct job *j = s->jobs[i];
        if (j->state != CAIRN__JOB_STATE__JOB_RUNNING)
            continue;
        for (size_t k = j->live_count; k-- > 0;)
            if (j->live[k]->worker_id == w->id)
                attempt_killed(s, j, j->live[k], "its worker was lost", now_ms, out);
        for (uint32_t m = 0; !job_reduces_are_over(j) && m < j->map_count; m++)
            if (j->maps[m].state == TASK_DONE && j->attempts[j->maps[m].winner]->worker_id == w->id)
                map_output_lost(j, m, out);
    }
    resources_remove(&s->resources, w->id);
}

int sched_heartbeat(struct sched *s, int64_t now_ms, uint64_t worker_id, Cairn__AttemptReportProto *const *reports,
                    size_t count, struct sched_actions *out, struct err *reterr)
{
    struct worker *w = resources_find(&s->resources, worker_id);
    if (!w)
        return err_set(reterr, ERR_UNREGISTERED_NODE, "worker %llu is not registered", (unsigned long long)worker_id);
    w->last_seen_ms = now_ms;
    bool ended = false;
    for (size_t i = 0; i < count; i++) {
        struct attempt_id id;
        size_t index;
        if (!attempt_id_parse(reports[i]->attemptid, &id))
            continue;
        struct job *j = sched_job(s, id.job);
        struct attempt *a = j ? job_attempt(j, &id, &index) : NULL;
        if (!a || a->worker_id != worker_id || !attempt_is_live(a) || j->state != CAIRN__JOB_STATE__JOB_RUNNING)
            continue; /* over already: it was killed, or reported twice */
        attempt_report(s, j, a, index, reports[i], now_ms, out);
        ended |= !attempt_is_live(a);
    }
    if (ended)
        sched_assign(s, now_ms, out);
    return 0;
}

void sched_fetch_failed(struct sched *s, int64_t now_ms, const struct attempt_id *map, bool corrupt,
                        struct sched_actions *out)
{
    struct job *j = sched_job(s, map->job);
    size_t index;
    struct attempt *a = j && map->map ? job_attempt(j, map, &index) : NULL;
    if (!a || j->state != CAIRN__JOB_STATE__JOB_RUNNING || j->maps[a->task].winner != (int64_t)index)
        return; /* replaced already */
    const struct worker *w = resources_find(&s->resources, a->worker_id);
    if (a->fetch_failures++ == 0)
        a->fetch_failed_ms = now_ms;
    job_count(j, "Shuffle Errors", corrupt ? "BAD_CHECKSUM" : "IO_ERROR", 1);
    if (!corrupt && a->fetch_failures < FETCH_FAILURES_MAX)
        return;
    map_output_lost(j, a->task, out);
    if (w && (corrupt || w->last_seen_ms > a->fetch_failed_ms)) /* the worker lives: it would go on like this */
        task_failed(s, j, a, now_ms, out);
    sched_assign(s, now_ms, out);
}

/* ---- jobs ---- */

void sched_add_job(struct sched *s, struct job *job)
{
    if (s->job_count == s->job_capacity) {
        s->job_capacity = s->job_capacity ? 2 * s->job_capacity : 16;
        s->jobs = mem_realloc_array(s->jobs, s->job_capacity, sizeof *s->jobs);
    }
    job->sequence = ++s->next_sequence;
    s->jobs[s->job_count++] = job;
    share_enter(s, job);
    resources_learn_racks(&s->resources, job->spec->holders, job->spec->n_holders);
}

void sched_submit(struct sched *s, int64_t now_ms, struct job *job, struct sched_actions *out)
{
    sched_add_job(s, job);
    if (job->state == CAIRN__JOB_STATE__JOB_WAITING && job->after_count == 0)
        sched_act(out, SCHED_PLAN, 0, job, NULL);
    sched_maybe_commit(job, out); /* nothing to do at all */
    sched_assign(s, now_ms, out);
}

void sched_committed(struct sched *s, int64_t now_ms, const char *job_id, const struct err *why_not,
                     struct sched_actions *out)
{
    struct job *j = sched_job(s, job_id);
    if (!j || j->state != CAIRN__JOB_STATE__JOB_COMMITTING)
        return;
    if (why_not) {
        char *why = mem_printf("the output could not be put in place: %s", why_not->text);
        sched_job_end(s, j, CAIRN__JOB_STATE__JOB_FAILED, why, now_ms, out);
        free(why);
    } else {
        sched_job_end(s, j, CAIRN__JOB_STATE__JOB_SUCCEEDED, NULL, now_ms, out);
    }
}

bool sched_kill(struct sched *s, int64_t now_ms, const char *job_id, const char *reason, struct sched_actions *out)
{
    struct job *j = sched_job(s, job_id);
    if (!j || j->state > CAIRN__JOB_STATE__JOB_RUNNING)
        return false;
    sched_job_end(s, j, CAIRN__JOB_STATE__JOB_KILLED, reason, now_ms, out);
    sched_assign(s, now_ms, out);
    return true;
}

int sched_end_attempt(struct sched *s, int64_t now_ms, const struct attempt_id *id, bool fail, const char *why,
                      bool *ret_done, struct sched_actions *out, struct err *reterr)
{
    struct job *j = sched_job(s, id->job);
    size_t index;
    struct attempt *a = j ? job_attempt(j, id, &index) : NULL;
    if (!a)
        return err_set(reterr, ERR_NOT_FOUND, "there is no such attempt of a job that runs");
    *ret_done = attempt_is_live(a);
    if (!*ret_done)
        return 0;
    sched_act(out, SCHED_KILL, a->worker_id, j, a);
    if (fail)
        attempt_failed(s, j, a, why, now_ms, out);
    else
        attempt_killed(s, j, a, why, now_ms, out);
    sched_assign(s, now_ms, out);
    return 0;
}

static bool is_named(const struct worker *w, const char *name)
{
    char *address = mem_printf(strchr(w->ip, ':') ? "[%s]:%u" : "%s:%u", w->ip, w->http_port);
    bool named = !strcmp(w->name, name) || !strcmp(w->ip, name) || !strcmp(address, name);
    free(address);
    return named;
}

uint32_t sched_drain(struct sched *s, int64_t now_ms, const char *worker, bool drain, struct sched_actions *out)
{
    uint32_t found = 0;
    for (size_t i = 0; i < s->resources.count; i++)
        if (worker_is_live(s->resources.workers[i]) && is_named(s->resources.workers[i], worker)) {
            worker_drain(&s->resources, s->resources.workers[i], drain);
            found++;
        }
    if (found)
        sched_assign(s, now_ms, out);
    return found;
}

void sched_tick(struct sched *s, int64_t now_ms, struct sched_actions *out)
{
    for (size_t i = s->resources.count; i-- > 0;) {
        struct worker *w = s->resources.workers[i];
        if (now_ms - w->last_seen_ms >= s->limits.worker_timeout_ms)
            worker_lost(s, w, now_ms, out);
    }
    sched_assign(s, now_ms, out);
    sched_speculate(s, now_ms, out);
}

void sched_job_remove(struct sched *s, const char *job_id)
{
    for (size_t i = 0; i < s->job_count; i++)
        if (!strcmp(s->jobs[i]->spec->jobid, job_id)) {
            assert(job_is_over(s->jobs[i]));
            job_free(s->jobs[i]);
            memmove(&s->jobs[i], &s->jobs[i + 1], (s->job_count - i - 1) * sizeof *s->jobs);
            s->job_count--;
            return;
        }
}

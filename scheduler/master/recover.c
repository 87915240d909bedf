/* Coming back. After a restart of the scheduler, what had ended is known from the store, and what runs from the workers
 * when they register; a worker that was restarted says that nothing runs, and still has the map output in its folder.
 * Either way it is the same question: what does this worker run and hold, and what of it does anybody wait for? */
#include <string.h>

#include "common/mem.h"
#include "scheduler/master/sched_internal.h"

#define ATTEMPTS_PER_INCARNATION 1000 /* numbers of attempts, so that none is given twice */

/* ---- of the scheduler ---- */

/* The worker that attempt ran on, until it registers again or is silent for too long. */
static struct worker *expect_worker(struct sched *s, const Cairn__AttemptRecordProto *r, int64_t now_ms)
{
    struct worker *w = resources_find_instance(&s->resources, r->instance);
    if (w || !r->instance[0])
        return w;
    struct worker_description d = {.name = r->attempt->worker, .ip = "", .instance = r->instance};
    w = resources_add(&s->resources, &d, now_ms);
    w->expected = true;
    return w;
}

static void recover_attempt(struct sched *s, struct job *j, const Cairn__AttemptRecordProto *r,
                            const struct sched_recovery *how, int64_t now_ms)
{
    struct attempt_id id;
    const Cairn__AttemptProto *from = r->attempt;
    if (!attempt_id_parse(from->attemptid, &id) || id.partition >= (id.map ? j->map_count : j->reduce_count))
        return;
    struct task_info *t = job_task(j, id.map, id.partition);
    struct attempt *a = job_attempt_new(j, id.map, id.partition, from->startedatms - how->epoch_ms);
    job_attempt_ended(j, a);
    struct worker *w = expect_worker(s, r, now_ms);
    a->number = id.attempt;
    a->worker_id = w ? w->id : 0;
    a->worker_name = job_intern(j, from->worker);
    a->http_address = job_intern(j, from->httpaddress);
    a->instance = job_intern(j, r->instance);
    a->state = from->state;
    a->finished_ms = from->finishedatms - how->epoch_ms;
    a->locality = from->locality;
    a->progress = from->progress;
    a->speculative = from->speculative;
    job_set_text(&a->status, from->status);
    job_set_text(&a->diagnostics, from->diagnostics);
    job_set_text(&a->why_not_local, from->localityreason);
    sched_count_launch(j, a);
    if (a->state == CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED) {
        t->failed_on[t->failures++ % TASK_FAILED_ON_MAX] = a->worker_id;
        job_count(j, JOB_COUNTER_GROUP, a->map ? "Failed map tasks" : "Failed reduce tasks", 1);
    }
    if (a->state != CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED || t->state == TASK_DONE)
        return;
    attempt_keep_counters(j, a, r->counters, r->n_counters);
    attempt_apply_counters(j, a, 1);
    t->winner = (int64_t)j->attempt_count - 1;
    sched_move_task(j, a->map, t, TASK_RUNNING);
    sched_move_task(j, a->map, t, TASK_DONE);
    if (a->map && j->reduce_count)
        job_add_event(j, a->task, (uint32_t)t->winner, MAP_DONE);
}

/* A finished map whose worker nobody can come back as is of no use to reduces. */
static void drop_outputs_of_nobody(struct job *j)
{
    for (uint32_t m = 0; !job_reduces_are_over(j) && m < j->map_count; m++) {
        struct task_info *t = &j->maps[m];
        if (t->state != TASK_DONE || j->attempts[t->winner]->worker_id)
            continue;
        attempt_apply_counters(j, j->attempts[t->winner], -1);
        job_add_event(j, m, (uint32_t)t->winner, MAP_LOST);
        t->winner = -1;
        sched_move_task(j, true, t, TASK_PENDING);
    }
}

static void give_up_again(struct job *j, bool map, uint32_t task)
{
    const struct task_info *t = job_task(j, map, task);
    uint32_t most = map ? j->max_attempts_map : j->max_attempts_reduce;
    if (t->state == TASK_PENDING && t->last >= 0 && t->failures >= most && job_may_lose_one(j, map))
        sched_give_up(j, map, task);
}

void sched_recover(struct sched *s, int64_t now_ms, struct job *j, const struct sched_recovery *how,
                   struct sched_actions *out)
{
    sched_add_job(s, j);
    j->submitted_ms = how->submitted_ms;
    j->incarnation = how->incarnation;
    j->held_until_ms = now_ms + s->limits.recovery_grace_ms;
    for (size_t i = 0; i < how->attempt_count; i++) {
        recover_attempt(s, j, how->attempts[i], how, now_ms);
        if (!j->started_ms && j->attempt_count)
            j->started_ms = j->attempts[0]->started_ms;
    }
    for (uint32_t i = 0; i < j->map_count + j->reduce_count; i++) {
        struct task_info *t = i < j->map_count ? &j->maps[i] : &j->reduces[i - j->map_count];
        t->attempts = how->incarnation * ATTEMPTS_PER_INCARNATION;
        if (i < j->map_count)
            give_up_again(j, true, i);
        else
            give_up_again(j, false, i - j->map_count);
    }
    drop_outputs_of_nobody(j);
    j->committing_before = how->committing;
    if (j->state == CAIRN__JOB_STATE__JOB_WAITING && j->after_count == 0)
        sched_act(out, SCHED_PLAN, 0, j, NULL);
    sched_maybe_commit(j, out);
}

/* ---- of a worker ---- */

static bool is_reported(const struct registration *r, const char *attempt_id)
{
    for (size_t i = 0; i < r->attempt_count; i++)
        if (!strcmp(r->attempts[i]->attemptid, attempt_id))
            return true;
    return false;
}

/* It may have another port now: its logs and its map output are found there. */
static void move_address(struct job *j, const struct worker *w)
{
    char *address = mem_printf(strchr(w->ip, ':') ? "[%s]:%u" : "%s:%u", w->ip, w->http_port);
    const char *kept = NULL;
    for (size_t i = 0; i < j->attempt_count; i++) {
        struct attempt *a = j->attempts[i];
        if (a->worker_id != w->id || !strcmp(a->http_address, address))
            continue;
        a->http_address = kept = kept ? kept : job_intern(j, address);
        if (a->map && j->maps[a->task].winner == (int64_t)i && j->reduce_count)
            job_add_event(j, a->task, (uint32_t)i, MAP_DONE);
    }
    mem_freep(&address);
}

/* Of what the core thinks that this worker runs: that stays which it says it runs. */
static void keep_what_runs(struct sched *s, struct worker *w, const struct registration *r, int64_t now_ms,
                           struct sched_actions *out)
{
    for (size_t i = 0; i < s->job_count; i++) {
        struct job *j = s->jobs[i];
        for (size_t k = j->live_count; k-- > 0;) {
            char id[ATTEMPT_ID_MAX];
            struct attempt *a = j->live[k];
            if (a->worker_id != w->id)
                continue;
            worker_take(w, job_ask(j, a->map));
            job_attempt_id(j, a, id);
            if (!is_reported(r, id))
                attempt_killed(s, j, a, "its worker was restarted, or never heard of it", now_ms, out);
        }
    }
}

/* One that ran through a restart of the scheduler. */
static struct attempt *adopt(struct job *j, const struct attempt_id *id, struct worker *w, int64_t now_ms)
{
    if (!j->incarnation || id->partition >= (id->map ? j->map_count : j->reduce_count) ||
        id->attempt >= j->incarnation * ATTEMPTS_PER_INCARNATION)
        return NULL;
    struct task_info *t = job_task(j, id->map, id->partition);
    if (t->state == TASK_DONE || t->state == TASK_FAILED)
        return NULL;
    uint32_t next = t->attempts;
    struct attempt *a = sched_begin_attempt(j, id->map, id->partition, w, now_ms);
    a->number = id->attempt;
    t->attempts = next;
    return a;
}

static bool wanted(struct sched *s, struct worker *w, const Cairn__AttemptReportProto *report, int64_t now_ms,
                   struct sched_actions *out)
{
    struct attempt_id id;
    size_t index = 0;
    struct job *j = attempt_id_parse(report->attemptid, &id) ? sched_job(s, id.job) : NULL;
    if (!j || j->state != CAIRN__JOB_STATE__JOB_RUNNING)
        return false;
    struct attempt *a = job_attempt(j, &id, &index);
    if (!a && (a = adopt(j, &id, w, now_ms)))
        index = j->attempt_count - 1;
    if (!a || !attempt_is_live(a) || a->worker_id != w->id)
        return false;
    attempt_report(s, j, a, index, report, now_ms, out);
    return true;
}

int sched_register(struct sched *s, int64_t now_ms, const struct registration *r, uint64_t *ret_id,
                   struct sched_actions *out, struct err *reterr)
{
    struct worker *w = resources_find_instance(&s->resources, r->d.instance),
                  *before = resources_find_address(&s->resources, r->d.ip, r->d.http_port);
    if (before && before != w)
        worker_lost(s, before, now_ms, out);
    if (!w && s->resources.count >= WORKERS_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "there are %d workers already", WORKERS_MAX);
    if (w) {
        uint64_t id = w->id;
        resources_renew(&s->resources, w, &r->d, now_ms);
        for (size_t i = 0; i < s->job_count; i++) {
            job_rename_worker(s->jobs[i], id, w->id);
            move_address(s->jobs[i], w);
        }
        keep_what_runs(s, w, r, now_ms, out);
    } else {
        w = resources_add(&s->resources, &r->d, now_ms);
    }
    w->draining = r->draining;
    for (size_t i = 0; i < s->job_count; i++)
        resources_learn_racks(&s->resources, s->jobs[i]->spec->holders, s->jobs[i]->spec->n_holders);
    for (size_t i = 0; i < r->attempt_count; i++)
        r->ret_kill[i] = !wanted(s, w, r->attempts[i], now_ms, out);
    for (size_t i = 0; i < r->job_count; i++) {
        const struct job *j = sched_job(s, r->jobs[i]);
        r->ret_forget[i] = !j || job_is_over(j);
    }
    *ret_id = w->id;
    sched_assign(s, now_ms, out);
    return 0;
}

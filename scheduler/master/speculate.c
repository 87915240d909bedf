/* A task whose only attempt is much slower than others of its job gets a second one where a slot is free and nobody
 * else wants it; the first to succeed wins and the other is killed. Slow: it has run for half as long again as a task
 * of its kind takes, and at the rate of its progress so far it needs longer from now than a new attempt would; or it
 * has run four times as long, whatever it says of its progress (a command that has taken all its input and hangs). */
#include "scheduler/master/sched_internal.h"

#define SLOWER_THAN_MEAN 1.5
#define STUCK_MEANS      4
#define COPIES_PART      10 /* at most one in so many of a job's running tasks, and one always */

/* How much longer it needs at its rate so far. */
static double remaining_ms(const struct attempt *a, int64_t now_ms)
{
    double elapsed = (double)(now_ms - a->started_ms);
    return a->progress > 0 ? elapsed / a->progress * (1 - a->progress) : 1e15;
}

static bool is_slow(const struct sched *s, const struct job *j, const struct attempt *a, int64_t now_ms)
{
    int64_t elapsed = now_ms - a->started_ms;
    if (elapsed < s->limits.speculative_after_ms || !j->done_count[a->map])
        return false;
    double mean = (double)j->done_ms_total[a->map] / j->done_count[a->map];
    return (double)elapsed > SLOWER_THAN_MEAN * mean &&
           (remaining_ms(a, now_ms) > mean || (double)elapsed > STUCK_MEANS * mean);
}

static uint32_t copies(const struct job *j)
{
    uint32_t n = 0;
    for (size_t i = 0; i < j->live_count; i++)
        n += j->live[i]->speculative;
    return n;
}

/* The attempt that needs longest of those that are slow and alone. */
static struct attempt *slowest(const struct sched *s, struct job *j, int64_t now_ms)
{
    struct attempt *worst = NULL;
    for (size_t i = 0; i < j->live_count; i++) {
        struct attempt *a = j->live[i];
        if (!(a->map ? j->speculate_maps : j->speculate_reduces) || job_task(j, a->map, a->task)->running != 1)
            continue;
        if (is_slow(s, j, a, now_ms) && (!worst || remaining_ms(a, now_ms) > remaining_ms(worst, now_ms)))
            worst = a;
    }
    return worst;
}

static struct worker *place_for(const struct sched *s, struct job *j, const struct attempt *a, int64_t now_ms)
{
    struct worker *best = NULL;
    for (size_t i = 0; i < s->resources.count; i++) {
        struct worker *w = s->resources.workers[i];
        if (w->id == a->worker_id || !worker_has_room(w, job_ask(j, a->map)) || worker_is_sick(w, now_ms) ||
            !worker_suits(s, j, job_task(j, a->map, a->task), w, now_ms))
            continue;
        if (a->map && split_is_on(j, a->task, w))
            return w;
        if (!best)
            best = w;
    }
    return best;
}

void sched_speculate(struct sched *s, int64_t now_ms, struct sched_actions *out)
{
    for (size_t i = 0; i < s->job_count; i++) {
        struct job *j = s->jobs[i];
        if (j->state != CAIRN__JOB_STATE__JOB_RUNNING || j->maps_pending || j->live_count == 0)
            continue;
        uint32_t allowed = 1 + (uint32_t)j->live_count / COPIES_PART;
        struct attempt *a = copies(j) < allowed ? slowest(s, j, now_ms) : NULL;
        struct worker *w = a ? place_for(s, j, a, now_ms) : NULL;
        if (!w)
            continue;
        sched_launch(j, a->map, a->task, w, now_ms, out);
        j->attempts[j->attempt_count - 1]->speculative = true;
    }
}

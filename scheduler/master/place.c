/* Placing, in one paragraph: after every event each worker with a free slot is offered to the jobs, the one with the
 * fewest running tasks first. A job gives it a pending map whose input that worker holds; else, only after having
 * turned down slots for locality_delay_ms (or when no live worker holds the input at all), one from the same rack or
 * any. Reduces come when all maps have been placed and enough are done. When running reduces hold every slot and a map
 * must run again, one worker may exceed its slots by one, or the job could never end. */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "scheduler/master/sched_internal.h"

static bool task_failed_on(const struct task_info *t, uint64_t worker_id)
{
    for (int i = 0; i < TASK_FAILED_ON_MAX; i++)
        if (t->failed_on[i] == worker_id)
            return true;
    return false;
}

/* A worker where the task failed, or a sick one, only if there is no better one alive. */
static bool worker_suits(const struct sched *s, const struct task_info *t, const struct worker *w)
{
    if (!task_failed_on(t, w->id) && !worker_is_sick(w))
        return true;
    for (size_t i = 0; i < s->resources.count; i++) {
        const struct worker *other = s->resources.workers[i];
        if (!other->lost && !task_failed_on(t, other->id) && !worker_is_sick(other))
            return false;
    }
    return true;
}

static bool split_is_on(const struct job *j, uint32_t map, const struct worker *w)
{
    const Cairn__SplitProto *split = j->spec->splits[map];
    for (size_t i = 0; i < split->n_holders; i++)
        if (worker_holds(w, j->spec->holders[split->holders[i]]))
            return true;
    return false;
}

static bool split_is_in_rack(const struct job *j, uint32_t map, const struct worker *w)
{
    const Cairn__SplitProto *split = j->spec->splits[map];
    for (size_t i = 0; w->rack && i < split->n_holders; i++) {
        const char *rack = j->spec->holders[split->holders[i]]->rack;
        if (rack && !strcmp(rack, w->rack))
            return true;
    }
    return false;
}

static bool split_has_live_holder(const struct sched *s, const struct job *j, uint32_t map)
{
    for (size_t i = 0; i < s->resources.count; i++) {
        const struct worker *w = s->resources.workers[i];
        if (!w->lost && worker_suits(s, &j->maps[map], w) && split_is_on(j, map, w))
            return true;
    }
    return false;
}

static Cairn__Locality locality_of(const struct job *j, uint32_t map, const struct worker *w)
{
    if (j->spec->splits[map]->n_holders == 0)
        return CAIRN__LOCALITY__LOCALITY_NONE;
    if (split_is_on(j, map, w))
        return CAIRN__LOCALITY__LOCALITY_NODE;
    return split_is_in_rack(j, map, w) ? CAIRN__LOCALITY__LOCALITY_RACK : CAIRN__LOCALITY__LOCALITY_ANY;
}

/* The map this worker should run for this job now, or -1. */
static int64_t pick_map(struct sched *s, struct job *j, const struct worker *w, int64_t now_ms)
{
    int64_t rack = -1, any = -1, homeless = -1;
    uint32_t seen = 0;
    for (uint32_t m = 0; m < j->map_count && seen < j->maps_pending; m++) {
        if (j->maps[m].state != TASK_PENDING)
            continue;
        seen++;
        if (!worker_suits(s, &j->maps[m], w))
            continue;
        if (!s->limits.locality || split_is_on(j, m, w)) {
            j->declined_since_ms = 0;
            return m;
        }
        if (any < 0)
            any = m;
        if (rack < 0 && split_is_in_rack(j, m, w))
            rack = m;
        if (homeless < 0 && (!j->spec->splits[m]->n_holders || !split_has_live_holder(s, j, m)))
            homeless = m;
    }
    if (homeless >= 0)
        return homeless;
    if (any < 0)
        return -1;
    if (j->declined_since_ms == 0)
        j->declined_since_ms = now_ms;
    if (now_ms - j->declined_since_ms < s->limits.locality_delay_ms) {
        j->waiting_for = "a free slot on a node that holds the input";
        return -1;
    }
    return rack >= 0 ? rack : any;
}

static int64_t pick_reduce(struct sched *s, struct job *j, const struct worker *w)
{
    if (j->reduces_pending == 0 || j->maps_pending > 0 || j->maps_done < j->slow_start * j->map_count)
        return -1;
    for (uint32_t r = 0; r < j->reduce_count; r++)
        if (j->reduces[r].state == TASK_PENDING && worker_suits(s, &j->reduces[r], w))
            return r;
    return -1;
}

static void launch(struct job *j, bool map, uint32_t task, struct worker *w, int64_t now_ms, struct sched_actions *out)
{
    static const char *const local_names[] = {[CAIRN__LOCALITY__LOCALITY_NODE] = "Data-local map tasks",
                                              [CAIRN__LOCALITY__LOCALITY_RACK] = "Rack-local map tasks",
                                              [CAIRN__LOCALITY__LOCALITY_ANY] = "Other local map tasks"};
    struct task_info *t = job_task(j, map, task);
    struct attempt *a = job_attempt_new(j, map, task, now_ms);
    a->worker_id = w->id;
    a->worker_name = mem_strdup(w->name);
    a->http_address = mem_printf(strchr(w->ip, ':') ? "[%s]:%u" : "%s:%u", w->ip, w->http_port);
    a->locality = map ? locality_of(j, task, w) : CAIRN__LOCALITY__LOCALITY_NONE;
    t->running++;
    sched_move_task(j, map, t, TASK_RUNNING);
    w->running++;
    j->waiting_for = NULL;
    if (!j->started_ms)
        j->started_ms = now_ms;
    job_count(j, JOB_COUNTER_GROUP, map ? "Launched map tasks" : "Launched reduce tasks", 1);
    if (a->locality != CAIRN__LOCALITY__LOCALITY_NONE) {
        job_count(j, JOB_COUNTER_GROUP, local_names[a->locality], 1);
        job_count(j, "Cairn", a->locality == CAIRN__LOCALITY__LOCALITY_NODE ? "maps_local" : "maps_remote", 1);
    }
    sched_act(out, SCHED_LAUNCH, w->id, j, a);
}

static uint32_t job_running(const struct job *j)
{
    return j->maps_running + j->reduces_running;
}

/* Jobs that want slots, fewest running tasks first, then oldest: a small job does not wait behind a large one. */
static struct job *next_job(const struct sched *s, const struct job *after)
{
    struct job *best = NULL;
    for (size_t i = 0; i < s->job_count; i++) {
        struct job *j = s->jobs[i];
        if (j->state != CAIRN__JOB_STATE__JOB_RUNNING || j->maps_pending + j->reduces_pending == 0)
            continue;
        bool comes_after = !after || job_running(j) > job_running(after) ||
                           (job_running(j) == job_running(after) && j->sequence > after->sequence);
        if (comes_after && (!best || job_running(j) < job_running(best)))
            best = j;
    }
    return best;
}

static bool offer(struct sched *s, struct worker *w, int64_t now_ms, struct sched_actions *out)
{
    for (struct job *j = next_job(s, NULL); j; j = next_job(s, j)) {
        int64_t task = j->maps_pending ? pick_map(s, j, w, now_ms) : -1;
        bool map = task >= 0;
        if (!map)
            task = pick_reduce(s, j, w);
        if (task >= 0) {
            launch(j, map, (uint32_t)task, w, now_ms, out);
            return true;
        }
    }
    return false;
}

/* Every slot is taken, and a job's reduces wait for a map that must run again. */
static void rescue_maps(struct sched *s, int64_t now_ms, struct sched_actions *out)
{
    for (size_t i = 0; i < s->job_count; i++) {
        struct job *j = s->jobs[i];
        if (j->state != CAIRN__JOB_STATE__JOB_RUNNING || !j->maps_pending || !j->reduces_running || j->maps_running)
            continue;
        for (size_t k = 0; k < s->resources.count && j->maps_pending; k++) {
            struct worker *w = s->resources.workers[k];
            int64_t task = w->lost || w->running != w->slots ? -1 : pick_map(s, j, w, now_ms);
            if (task >= 0)
                launch(j, true, (uint32_t)task, w, now_ms, out);
        }
    }
}

static struct worker *freest_worker(const struct sched *s, const bool *declined)
{
    struct worker *best = NULL;
    for (size_t i = 0; i < s->resources.count; i++) {
        struct worker *w = s->resources.workers[i];
        if (w->lost || declined[i] || w->running >= w->slots)
            continue;
        if (!best || w->slots - w->running > best->slots - best->running)
            best = w;
    }
    return best;
}

static size_t worker_index(const struct sched *s, const struct worker *w)
{
    size_t i = 0;
    while (s->resources.workers[i] != w)
        i++;
    return i;
}

void sched_assign(struct sched *s, int64_t now_ms, struct sched_actions *out)
{
    bool work = false, any_free = false;
    for (size_t i = 0; i < s->job_count; i++) {
        struct job *j = s->jobs[i];
        work |= j->state == CAIRN__JOB_STATE__JOB_RUNNING && j->maps_pending + j->reduces_pending > 0;
        j->waiting_for = resources_live_count(&s->resources) ? NULL : "a worker: none is registered";
    }
    if (!work)
        return;
    bool *declined = mem_calloc(s->resources.count, sizeof *declined);
    for (struct worker *w; (w = freest_worker(s, declined));) {
        any_free = true;
        if (!offer(s, w, now_ms, out))
            declined[worker_index(s, w)] = true;
    }
    free(declined);
    if (!any_free)
        rescue_maps(s, now_ms, out);
    for (size_t i = 0; i < s->job_count && !any_free; i++)
        if (!s->jobs[i]->waiting_for && job_running(s->jobs[i]) == 0)
            s->jobs[i]->waiting_for = "a free slot: all are taken";
}

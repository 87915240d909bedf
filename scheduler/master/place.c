/* Placing, in one paragraph: after every event each worker with room is offered to the jobs, in the order of share.c. A
 * job gives it a pending map whose input that worker holds; else, only after having turned down room for a while (or
 * when no worker holds the input at all), one from the same rack, and after a while longer any. Reduces come when all
 * maps have been placed and enough are done. When running reduces hold all that a map which must run again could get
 * (slots, memory, what their pool or user may have), it runs beyond that, or the job could never end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "scheduler/master/sched_internal.h"

#define FAILED_LOOKED_AT_MAX 32 /* maps that failed: whether a place for them can be local is found out one by one */

static bool task_failed_on(const struct task_info *t, uint64_t worker_id)
{
    for (int i = 0; i < TASK_FAILED_ON_MAX; i++)
        if (t->failed_on[i] == worker_id)
            return true;
    return false;
}

static bool is_good_for(const struct job *j, const struct task_info *t, const struct worker *w, int64_t now_ms)
{
    return !(t->failures && task_failed_on(t, w->id)) && !worker_is_sick(w, now_ms) &&
           !(j->worker_failure_count && job_worker_failures(j, w->id) >= j->worker_failures_max);
}

bool worker_suits(const struct sched *s, const struct job *j, const struct task_info *t, const struct worker *w,
                  int64_t now_ms)
{
    if (is_good_for(j, t, w, now_ms))
        return true;
    for (size_t i = 0; i < s->resources.count; i++) {
        const struct worker *other = s->resources.workers[i];
        if (worker_takes_tasks(other) && is_good_for(j, t, other, now_ms))
            return false;
    }
    return true;
}

/* ---- where input is ---- */

bool split_is_on(const struct job *j, uint32_t map, const struct worker *w)
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

static bool split_has_live_holder(const struct sched *s, const struct job *j, uint32_t map, int64_t now_ms)
{
    for (size_t i = 0; i < s->resources.count; i++) {
        const struct worker *w = s->resources.workers[i];
        if (worker_takes_tasks(w) && worker_suits(s, j, &j->maps[map], w, now_ms) && split_is_on(j, map, w))
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

/* Maps whose input no worker holds that takes tasks: they wait for nobody. */
static void find_homeless(struct sched *s, struct job *j)
{
    if (j->homeless_generation == s->resources.generation)
        return;
    bool *live = mem_calloc(j->spec->n_holders, sizeof *live);
    for (size_t h = 0; h < j->spec->n_holders; h++)
        for (size_t i = 0; !live[h] && i < s->resources.count; i++)
            live[h] = worker_takes_tasks(s->resources.workers[i]) &&
                      worker_holds(s->resources.workers[i], j->spec->holders[h]);
    if (!j->homeless.maps)
        j->homeless.maps = mem_calloc(j->map_count, sizeof *j->homeless.maps);
    j->homeless.count = j->homeless.cursor = 0;
    for (uint32_t m = 0; m < j->map_count; m++) {
        const Cairn__SplitProto *split = j->spec->splits[m];
        bool has_home = false;
        for (size_t i = 0; i < split->n_holders; i++)
            has_home |= live[split->holders[i]];
        if (!has_home)
            j->homeless.maps[j->homeless.count++] = m;
    }
    free(live);
    j->homeless_generation = s->resources.generation;
}

/* The next pending map of a list that may run there, or -1. */
static int64_t next_pending(const struct sched *s, struct job *j, struct map_list *list, const struct worker *w,
                            int64_t now_ms)
{
    while (list->cursor < list->count) {
        uint32_t m = list->maps ? list->maps[list->cursor] : list->cursor;
        if (j->maps[m].state == TASK_PENDING)
            break;
        list->cursor++;
    }
    for (uint32_t i = list->cursor; i < list->count; i++) {
        uint32_t m = list->maps ? list->maps[i] : i;
        if (j->maps[m].state == TASK_PENDING && worker_suits(s, j, &j->maps[m], w, now_ms))
            return m;
    }
    return -1;
}

static int64_t local_map(const struct sched *s, struct job *j, const struct worker *w, int64_t now_ms)
{
    for (size_t h = 0; h < j->spec->n_holders; h++) {
        int64_t m =
            j->held[h].count && worker_holds(w, j->spec->holders[h]) ? next_pending(s, j, &j->held[h], w, now_ms) : -1;
        if (m >= 0)
            return m;
    }
    return -1;
}

static int64_t rack_map(const struct sched *s, struct job *j, const struct worker *w, int64_t now_ms)
{
    for (uint32_t m = j->every.cursor; m < j->map_count; m++)
        if (j->maps[m].state == TASK_PENDING && split_is_in_rack(j, m, w) && worker_suits(s, j, &j->maps[m], w, now_ms))
            return m;
    return -1;
}

/* A map that failed on every node that holds its input need not wait for one of them either. */
static int64_t failed_everywhere_near(const struct sched *s, struct job *j, const struct worker *w, int64_t now_ms)
{
    uint32_t looked_at = 0;
    for (uint32_t m = j->every.cursor; m < j->map_count && looked_at < FAILED_LOOKED_AT_MAX; m++) {
        if (j->maps[m].state != TASK_PENDING)
            continue;
        looked_at++;
        if (j->maps[m].failures && worker_suits(s, j, &j->maps[m], w, now_ms) &&
            !split_has_live_holder(s, j, m, now_ms))
            return m;
    }
    return -1;
}

/* The map this worker should run for this job now, or -1. */
static int64_t pick_map(struct sched *s, struct job *j, const struct worker *w, int64_t now_ms)
{
    int64_t m = s->limits.locality ? local_map(s, j, w, now_ms) : next_pending(s, j, &j->every, w, now_ms);
    if (m >= 0) {
        j->declined_since_ms = 0;
        return m;
    }
    find_homeless(s, j);
    if ((m = next_pending(s, j, &j->homeless, w, now_ms)) >= 0 ||
        (j->worker_failure_count && (m = failed_everywhere_near(s, j, w, now_ms)) >= 0))
        return m;
    int64_t any = next_pending(s, j, &j->every, w, now_ms);
    if (any < 0)
        return -1;
    if (j->declined_since_ms == 0)
        j->declined_since_ms = now_ms;
    int64_t waited_ms = now_ms - j->declined_since_ms;
    if (waited_ms >= s->limits.locality_delay_ms && (m = rack_map(s, j, w, now_ms)) >= 0)
        return m;
    if (waited_ms >= s->limits.locality_delay_ms + s->limits.rack_delay_ms)
        return any;
    snprintf(j->waiting_for, sizeof j->waiting_for, "a free slot on a node that holds the input");
    return -1;
}

static int64_t pick_reduce(const struct sched *s, struct job *j, const struct worker *w, int64_t now_ms)
{
    if (j->reduces_pending == 0 || j->maps_pending > 0 || j->maps_done + j->maps_failed < j->slow_start * j->map_count)
        return -1;
    for (uint32_t r = 0; r < j->reduce_count; r++)
        if (j->reduces[r].state == TASK_PENDING && worker_suits(s, j, &j->reduces[r], w, now_ms))
            return r;
    return -1;
}

/* ---- placing ---- */

static const struct worker *worker_of_holder(const struct sched *s, const Cairn__HolderProto *holder)
{
    for (size_t i = 0; i < s->resources.count; i++)
        if (worker_is_live(s->resources.workers[i]) && worker_holds(s->resources.workers[i], holder))
            return s->resources.workers[i];
    return NULL;
}

/* "waited 3.0 s; 10.0.0.2: all 2 slots taken; 10.0.0.7: no worker" */
static void explain(const struct sched *s, struct job *j, struct attempt *a, int64_t now_ms)
{
    const Cairn__SplitProto *split = j->spec->splits[a->task];
    const struct task_info *t = &j->maps[a->task];
    struct buf b = {0};
    if (!s->limits.locality)
        buf_append_str(&b, "locality is switched off");
    else
        buf_printf(&b, "waited %.1f s", j->declined_since_ms ? (double)(now_ms - j->declined_since_ms) / 1000 : 0.0);
    for (size_t i = 0; s->limits.locality && i < split->n_holders; i++) {
        const Cairn__HolderProto *holder = j->spec->holders[split->holders[i]];
        const struct worker *w = worker_of_holder(s, holder);
        buf_printf(&b, "; %s: ", holder->hostname ? holder->hostname : holder->ip);
        if (!w)
            buf_append_str(&b, "no worker");
        else if (w->draining)
            buf_append_str(&b, "is being drained");
        else if (t->failures && task_failed_on(t, w->id))
            buf_append_str(&b, "the task failed there");
        else if (!is_good_for(j, t, w, now_ms))
            buf_append_str(&b, "avoided, attempts fail there");
        else if (w->running >= w->slots)
            buf_printf(&b, "all %u slots taken", w->slots);
        else
            buf_append_str(&b,
                           worker_has_room(w, j->map_ask) ? "came free too late" : "too little memory or cores left");
    }
    char *text = buf_detach(&b);
    job_set_text(&a->why_not_local, text);
    free(text);
}

void sched_count_launch(struct job *j, const struct attempt *a)
{
    static const char *const local_names[] = {[CAIRN__LOCALITY__LOCALITY_NODE] = "Data-local map tasks",
                                              [CAIRN__LOCALITY__LOCALITY_RACK] = "Rack-local map tasks",
                                              [CAIRN__LOCALITY__LOCALITY_ANY] = "Other local map tasks"};
    job_count(j, JOB_COUNTER_GROUP, a->map ? "Launched map tasks" : "Launched reduce tasks", 1);
    if (a->locality < CAIRN__LOCALITY__LOCALITY_NODE || a->locality >= CAIRN__LOCALITY__LOCALITY_NONE)
        return;
    bool local = a->locality == CAIRN__LOCALITY__LOCALITY_NODE;
    job_count(j, JOB_COUNTER_GROUP, local_names[a->locality], 1);
    job_count(j, "Cairn", local ? "maps_local" : "maps_remote", 1);
    j->maps_placed++;
    j->maps_local += local;
}

struct attempt *sched_begin_attempt(struct job *j, bool map, uint32_t task, struct worker *w, int64_t now_ms)
{
    struct task_info *t = job_task(j, map, task);
    struct attempt *a = job_attempt_new(j, map, task, now_ms);
    char *address = mem_printf(strchr(w->ip, ':') ? "[%s]:%u" : "%s:%u", w->ip, w->http_port);
    a->worker_id = w->id;
    a->worker_name = job_intern(j, w->name);
    a->http_address = job_intern(j, address);
    a->instance = job_intern(j, w->instance);
    free(address);
    a->locality = map ? locality_of(j, task, w) : CAIRN__LOCALITY__LOCALITY_NONE;
    t->running++;
    if (t->state == TASK_PENDING)
        sched_move_task(j, map, t, TASK_RUNNING);
    worker_take(w, job_ask(j, map));
    j->pool->running++;
    j->owner->running++;
    j->waiting_for[0] = 0;
    j->version++;
    if (!j->started_ms)
        j->started_ms = now_ms;
    sched_count_launch(j, a);
    return a;
}

void sched_launch(struct job *j, bool map, uint32_t task, struct worker *w, int64_t now_ms, struct sched_actions *out)
{
    sched_act(out, SCHED_LAUNCH, w->id, j, sched_begin_attempt(j, map, task, w, now_ms));
}

static bool offer(struct sched *s, struct worker *w, int64_t now_ms, struct sched_actions *out)
{
    size_t count;
    struct job **jobs = share_order(s, &count);
    bool taken = false;
    for (size_t i = 0; i < count && !taken; i++) {
        struct job *j = jobs[i];
        if (now_ms < j->held_until_ms) {
            snprintf(j->waiting_for, sizeof j->waiting_for, "workers to come back after the scheduler's restart");
            continue;
        }
        int64_t task = j->maps_pending && worker_has_room(w, j->map_ask) ? pick_map(s, j, w, now_ms) : -1;
        bool map = task >= 0;
        if (!map)
            task = worker_has_room(w, j->reduce_ask) ? pick_reduce(s, j, w, now_ms) : -1;
        if (task < 0)
            continue;
        sched_launch(j, map, (uint32_t)task, w, now_ms, out);
        struct attempt *a = j->attempts[j->attempt_count - 1];
        if (a->locality == CAIRN__LOCALITY__LOCALITY_RACK || a->locality == CAIRN__LOCALITY__LOCALITY_ANY)
            explain(s, j, a, now_ms);
        taken = true;
    }
    free(jobs);
    return taken;
}

/* Room for a map of the job that it may have, and at most waits to take. */
static bool has_a_place(const struct sched *s, struct job *j, int64_t now_ms)
{
    for (size_t i = 0; share_allows(j) && i < s->resources.count; i++) {
        const struct worker *w = s->resources.workers[i];
        if (worker_has_room(w, j->map_ask) && next_pending(s, j, &j->every, w, now_ms) >= 0)
            return true;
    }
    return false;
}

/* A job's reduces wait for a map that must run again, and what that needs comes free only when they end. */
static void rescue_maps(struct sched *s, int64_t now_ms, struct sched_actions *out)
{
    for (size_t i = 0; i < s->job_count; i++) {
        struct job *j = s->jobs[i];
        if (j->state != CAIRN__JOB_STATE__JOB_RUNNING || !j->maps_pending || !j->reduces_running || j->maps_running ||
            now_ms < j->held_until_ms || has_a_place(s, j, now_ms))
            continue;
        for (size_t k = 0; k < s->resources.count && j->maps_pending; k++) {
            struct worker *w = s->resources.workers[k];
            int64_t task = !worker_takes_tasks(w) || w->running > w->slots ? -1 : pick_map(s, j, w, now_ms);
            if (task < 0)
                continue;
            sched_launch(j, true, (uint32_t)task, w, now_ms, out);
            if (!share_allows(j)) /* the others after it */
                break;
        }
    }
}

static struct worker *freest_worker(const struct sched *s, const bool *declined)
{
    struct worker *best = NULL;
    for (size_t i = 0; i < s->resources.count; i++) {
        struct worker *w = s->resources.workers[i];
        if (declined[i] || !worker_has_room(w, (struct ask){0}))
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

/* What a job with nothing running waits for, when placing has not said it. */
static void say_what_it_waits_for(const struct sched *s, struct job *j, bool any_free)
{
    if (j->waiting_for[0] || j->live_count || j->state != CAIRN__JOB_STATE__JOB_RUNNING)
        return;
    struct ask ask = job_ask(j, j->maps_pending > 0);
    uint32_t most_mb = 0, most_vcores = 0;
    bool possible = false;
    for (size_t i = 0; i < s->resources.count; i++) {
        const struct worker *w = s->resources.workers[i];
        possible |= worker_could_ever_run(w, ask);
        most_mb = w->room.memory_mb > most_mb ? w->room.memory_mb : most_mb;
        most_vcores = w->room.vcores > most_vcores ? w->room.vcores : most_vcores;
    }
    if (!resources_live_count(&s->resources))
        snprintf(j->waiting_for, sizeof j->waiting_for, "a worker: none is registered");
    else if (!possible)
        snprintf(j->waiting_for, sizeof j->waiting_for,
                 "a worker with %u MB of memory and %u cores for a task: the largest has %u MB and %u", ask.memory_mb,
                 ask.vcores, most_mb, most_vcores);
    else
        snprintf(j->waiting_for, sizeof j->waiting_for, "%s",
                 any_free ? "enough memory and cores on a worker" : "a free slot: all are taken");
}

void sched_assign(struct sched *s, int64_t now_ms, struct sched_actions *out)
{
    bool work = false, any_free = false;
    for (size_t i = 0; i < s->job_count; i++) {
        struct job *j = s->jobs[i];
        bool wants = j->state == CAIRN__JOB_STATE__JOB_RUNNING && j->maps_pending + j->reduces_pending > 0;
        work |= wants;
        j->waiting_for[0] = 0;
        if (j->state == CAIRN__JOB_STATE__JOB_WAITING)
            snprintf(j->waiting_for, sizeof j->waiting_for, "%.64s", j->after_count ? j->after[0] : "its splits");
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
    rescue_maps(s, now_ms, out);
    for (size_t i = 0; i < s->job_count; i++)
        if (s->jobs[i]->maps_pending + s->jobs[i]->reduces_pending > 0)
            say_what_it_waits_for(s, s->jobs[i], any_free);
}

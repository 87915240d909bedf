/* A small cluster on simulated time, for the tests of the scheduler's decisions. */
#ifndef CAIRN_TESTS_UNIT_SCHEDULER_MASTER_WORLD_H
#define CAIRN_TESTS_UNIT_SCHEDULER_MASTER_WORLD_H

#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/master/sched.h"

#define UNUSED __attribute__((unused))

#define WORKER_TIMEOUT_MS 20000
#define DELAY_MS          2000
#define RACK_MS           1000
#define GRACE_MS          2000
#define SPECULATE_MS      10000

struct world {
    struct sched *sched;
    int64_t now_ms;
    struct sched_actions actions;
    uint64_t workers[16];
};

/* instance NULL: one of its own each time. */
static uint64_t worker_register(struct world *w, int number, uint32_t slots, const char *instance)
{
    char ip[32];
    uint64_t id;
    snprintf(ip, sizeof ip, "10.0.0.%d", number);
    struct registration r = {.d = {.name = ip, .ip = ip, .instance = instance, .http_port = 8081, .slots = slots}};
    assert_int_equal(sched_register(w->sched, w->now_ms, &r, &id, &w->actions, NULL), 0);
    return id;
}

static void world_open(struct world *w, int workers, uint32_t slots)
{
    *w = (struct world){.now_ms = 1000};
    w->sched = sched_new(&(struct sched_limits){.worker_timeout_ms = WORKER_TIMEOUT_MS,
                                                .locality_delay_ms = DELAY_MS,
                                                .rack_delay_ms = RACK_MS,
                                                .recovery_grace_ms = GRACE_MS,
                                                .speculative_after_ms = SPECULATE_MS,
                                                .pools = "etl=3,adhoc=1:2",
                                                .locality = true});
    for (int i = 0; i < workers; i++) {
        char ip[32];
        snprintf(ip, sizeof ip, "10.0.0.%d", i + 1);
        w->workers[i] = worker_register(w, i + 1, slots, NULL);
    }
}

static void world_close(struct world *w)
{
    sched_actions_free(&w->actions);
    sched_free(w->sched);
}

/* maps with map i held by `replicas` nodes from i on (of `nodes`). */
static struct job *job_make_with(struct world *w, unsigned number, uint32_t maps, int nodes, int replicas,
                                 uint32_t reduces, const char *user, const char *const *properties)
{
    struct arena a;
    arena_init(&a, 16 << 20);
    Cairn__JobSpecProto *spec = arena_new(&a, Cairn__JobSpecProto);
    cairn__job_spec_proto__init(spec);
    spec->jobid = arena_printf(&a, "job_1_%04u", number);
    spec->name = spec->user = spec->mapper = spec->fsuri = "x";
    spec->user = arena_strdup(&a, user);
    spec->properties = arena_array(&a, Cairn__PropertyProto *, 16);
    for (size_t i = 0; properties && properties[i]; i += 2) {
        Cairn__PropertyProto *p = arena_new(&a, Cairn__PropertyProto);
        cairn__property_proto__init(p);
        p->name = arena_strdup(&a, properties[i]);
        p->value = arena_strdup(&a, properties[i + 1]);
        spec->properties[spec->n_properties++] = p;
    }
    spec->output = "/out";
    spec->reduces = reduces;
    spec->reducer = reduces ? "cat" : NULL;
    spec->inputformat = CAIRN__INPUT_FORMAT__INPUT_TEXT;
    spec->holders = arena_array(&a, Cairn__HolderProto *, 16);
    for (int i = 0; i < nodes; i++) {
        Cairn__HolderProto *h = arena_new(&a, Cairn__HolderProto);
        cairn__holder_proto__init(h);
        h->ip = arena_printf(&a, "10.0.0.%d", i + 1);
        h->rack = "/default-rack";
        spec->holders[spec->n_holders++] = h;
    }
    spec->splits = arena_array(&a, Cairn__SplitProto *, maps);
    for (uint32_t i = 0; i < maps; i++) {
        Cairn__SplitProto *s = arena_new(&a, Cairn__SplitProto);
        cairn__split_proto__init(s);
        s->path = "/in";
        s->length = 1;
        s->holders = arena_array(&a, uint32_t, 8);
        for (int k = 0; k < replicas; k++)
            s->holders[s->n_holders++] = (i + (uint32_t)k) % (uint32_t)nodes;
        spec->splits[spec->n_splits++] = s;
    }
    struct job *j = NULL;
    assert_int_equal(job_new(&a, spec, w->now_ms, &j, NULL), 0);
    return j;
}

UNUSED static struct job *job_make(struct world *w, unsigned number, uint32_t maps, int nodes, int replicas,
                                   uint32_t reduces)
{
    return job_make_with(w, number, maps, nodes, replicas, reduces, "x", NULL);
}

UNUSED static struct job *submit(struct world *w, unsigned number, uint32_t maps, int nodes, int replicas,
                                 uint32_t reduces)
{
    struct job *j = job_make(w, number, maps, nodes, replicas, reduces);
    sched_submit(w->sched, w->now_ms, j, &w->actions);
    return j;
}

UNUSED static size_t count_actions(const struct world *w, enum sched_action_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < w->actions.count; i++)
        n += w->actions.list[i].kind == kind;
    return n;
}

UNUSED static void forget_actions(struct world *w)
{
    w->actions.count = 0;
}

static void report(struct world *w, const struct job *j, const struct attempt *a, Cairn__AttemptState state)
{
    char id[ATTEMPT_ID_MAX];
    job_attempt_id(j, a, id);
    Cairn__CounterProto counter = CAIRN__COUNTER_PROTO__INIT, *counters[] = {&counter};
    counter.group = "g";
    counter.name = "records";
    counter.value = 10;
    Cairn__AttemptReportProto r = CAIRN__ATTEMPT_REPORT_PROTO__INIT, *list[] = {&r};
    r.attemptid = id;
    r.state = state;
    r.counters = counters;
    r.n_counters = state == CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED;
    r.diagnostics = state == CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED ? "exit status 1" : NULL;
    r.has_progress = true;
    r.progress = a->progress;
    assert_int_equal(sched_heartbeat(w->sched, w->now_ms, a->worker_id, list, 1, &w->actions, NULL), 0);
}

static struct attempt *live_attempt(const struct job *j, bool map)
{
    for (size_t i = 0; i < j->attempt_count; i++)
        if (j->attempts[i]->map == map && j->attempts[i]->state <= CAIRN__ATTEMPT_STATE__ATTEMPT_RUNNING)
            return j->attempts[i];
    return NULL;
}

UNUSED static void finish_all(struct world *w, struct job *j, bool map)
{
    struct attempt *a;
    while ((a = live_attempt(j, map)))
        report(w, j, a, CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
}

UNUSED static int64_t counter(const struct job *j, const char *name)
{
    for (size_t i = 0; i < j->counter_count; i++)
        if (!strcmp(j->counters[i].name, name))
            return j->counters[i].value;
    return 0;
}

#endif

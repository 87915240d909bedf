/* Restarts: of the scheduler, with what was kept of the attempts that ended; of workers, which say what they run. */
#include "tests/unit/scheduler/master/world.h"

struct kept {
    struct arena arena;
    Cairn__AttemptRecordProto *records[64];
    size_t count;
};

/* What the shell would have put into the store: the last thing said of each attempt. */
static void keep(struct kept *k, const struct world *w)
{
    for (size_t i = 0; i < w->actions.count; i++) {
        const struct sched_action *action = &w->actions.list[i];
        if (action->kind != SCHED_KEEP)
            continue;
        Cairn__AttemptRecordProto *r = arena_new(&k->arena, Cairn__AttemptRecordProto);
        cairn__attempt_record_proto__init(r);
        r->attempt = attempt_message(action->job, action->attempt, 0, &k->arena);
        r->instance = arena_strdup(&k->arena, action->attempt->instance);
        r->n_counters = action->attempt->counter_count;
        r->counters = attempt_counter_messages(action->job, action->attempt, &k->arena);
        for (size_t c = 0; c < r->n_counters; c++) {
            r->counters[c]->group = arena_strdup(&k->arena, r->counters[c]->group);
            r->counters[c]->name = arena_strdup(&k->arena, r->counters[c]->name);
        }
        size_t at = 0;
        while (at < k->count && strcmp(k->records[at]->attempt->attemptid, r->attempt->attemptid))
            at++;
        k->records[at] = r;
        k->count += at == k->count;
    }
}

static struct job *restart_with(struct world *w, struct kept *k, uint32_t maps, uint32_t reduces,
                                const char *const *properties)
{
    sched_actions_free(&w->actions);
    sched_free(w->sched);
    w->now_ms += 100;
    w->sched = sched_new(&(struct sched_limits){.worker_timeout_ms = WORKER_TIMEOUT_MS,
                                                .locality_delay_ms = DELAY_MS,
                                                .recovery_grace_ms = GRACE_MS,
                                                .worker_id_base = 1000,
                                                .locality = true});
    struct job *j = job_make_with(w, 1, maps, 2, 2, reduces, "x", properties);
    struct sched_recovery how = {.attempts = (const Cairn__AttemptRecordProto *const *)k->records,
                                 .attempt_count = k->count,
                                 .submitted_ms = 1,
                                 .incarnation = 1};
    sched_recover(w->sched, w->now_ms, j, &how, &w->actions);
    return j;
}

static struct job *restart(struct world *w, struct kept *k, uint32_t maps, uint32_t reduces)
{
    return restart_with(w, k, maps, reduces, NULL);
}

static uint64_t come_back(struct world *w, int number, const char *instance, const char *attempt,
                          Cairn__AttemptState attempt_state, bool *ret_kill)
{
    Cairn__AttemptReportProto report = CAIRN__ATTEMPT_REPORT_PROTO__INIT, *list[] = {&report};
    char ip[32];
    uint64_t id;
    bool kill[1] = {false};
    snprintf(ip, sizeof ip, "10.0.0.%d", number);
    report.attemptid = (char *)attempt;
    report.state = attempt_state;
    struct registration r = {.d = {.name = ip, .ip = ip, .instance = instance, .http_port = 8081, .slots = 2},
                             .attempts = list,
                             .attempt_count = attempt != NULL,
                             .ret_kill = kill};
    assert_int_equal(sched_register(w->sched, w->now_ms, &r, &id, &w->actions, NULL), 0);
    if (ret_kill)
        *ret_kill = kill[0];
    return id;
}

static void open_two(struct world *w, struct kept *k)
{
    *k = (struct kept){0};
    arena_init(&k->arena, 1 << 20);
    world_open(w, 0, 0);
    w->workers[0] = worker_register(w, 1, 2, "one");
    w->workers[1] = worker_register(w, 2, 2, "two");
}

static void close_all(struct world *w, struct kept *k)
{
    arena_free(&k->arena);
    world_close(w);
}

static void what_ended_is_not_run_again_and_what_runs_goes_on(void **state)
{
    struct world w;
    struct kept k;
    open_two(&w, &k);
    struct job *j = submit(&w, 1, 4, 2, 2, 1);
    assert_int_equal(j->live_count, 4);
    report(&w, j, j->attempts[0], CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
    report(&w, j, j->attempts[1], CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED);
    keep(&k, &w);
    char running[ATTEMPT_ID_MAX], ended[ATTEMPT_ID_MAX];
    job_attempt_id(j, j->attempts[2], running);
    job_attempt_id(j, j->attempts[3], ended);
    int at = j->attempts[2]->worker_id == w.workers[0] ? 1 : 2,
        other = j->attempts[3]->worker_id == w.workers[0] ? 1 : 2;
    assert_int_not_equal(at, other);
    const char *names[] = {"", "one", "two"};

    j = restart(&w, &k, 4, 1);
    assert_int_equal(j->maps_done, 1);
    assert_int_equal(counter(j, "records"), 10);
    assert_int_equal(j->maps[j->attempts[0]->state == CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED ? 0 : 1].failures, 1);
    assert_true(job_event_base(j) > 0);
    bool kill = true;
    come_back(&w, at, names[at], running, CAIRN__ATTEMPT_STATE__ATTEMPT_RUNNING, &kill);
    assert_false(kill);
    assert_int_equal(j->live_count, 1); /* nothing new yet: others may say that they run it */
    come_back(&w, other, names[other], ended, CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED, &kill);
    assert_false(kill); /* it ended while the scheduler was away */
    assert_int_equal(j->maps_done, 2);
    w.now_ms += GRACE_MS;
    sched_tick(w.sched, w.now_ms, &w.actions);
    assert_int_equal(j->live_count, 3); /* the one that failed, and the reduce */
    assert_int_equal(j->maps_pending, 0);
    finish_all(&w, j, true);
    finish_all(&w, j, false);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_COMMITTING);
    assert_int_equal(counter(j, "records"), 40);  /* the one that ended meanwhile told of none */
    for (size_t i = 0; i < j->attempt_count; i++) /* no number twice: folders are named after them */
        for (size_t n = 0; n < i; n++)
            assert_false(j->attempts[i]->map == j->attempts[n]->map && j->attempts[i]->task == j->attempts[n]->task &&
                         j->attempts[i]->number == j->attempts[n]->number);
    close_all(&w, &k);
}

static void a_task_that_failed_for_good_stays_so(void **state)
{
    struct world w;
    struct kept k;
    open_two(&w, &k);
    const char *properties[] = {"mapreduce.map.failures.maxpercent", "50", "mapreduce.map.maxattempts", "1", NULL};
    struct job *j = job_make_with(&w, 1, 2, 2, 2, 1, "x", properties);
    sched_submit(w.sched, w.now_ms, j, &w.actions);
    report(&w, j, j->attempts[0], CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED);
    report(&w, j, j->attempts[1], CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
    assert_int_equal(j->maps_failed, 1);
    keep(&k, &w);
    char failed[ATTEMPT_ID_MAX];
    job_attempt_id(j, j->attempts[0], failed);

    j = restart_with(&w, &k, 2, 1, properties);
    assert_int_equal(j->maps_failed, 1);
    assert_int_equal(j->event_count, 2); /* reduces are told again */
    bool kill = false;
    come_back(&w, 1, "one", failed, CAIRN__ATTEMPT_STATE__ATTEMPT_RUNNING, &kill);
    assert_true(kill); /* nobody waits for it, whatever the worker says */
    come_back(&w, 2, "two", NULL, 0, NULL);
    w.now_ms += GRACE_MS;
    sched_tick(w.sched, w.now_ms, &w.actions);
    assert_int_equal(j->live_count, 1);
    finish_all(&w, j, false);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_COMMITTING);
    close_all(&w, &k);
}

static void worker_that_does_not_come_back_takes_its_output_along(void **state)
{
    struct world w;
    struct kept k;
    open_two(&w, &k);
    struct job *j = submit(&w, 1, 4, 2, 2, 1);
    finish_all(&w, j, true);
    keep(&k, &w);
    j = restart(&w, &k, 4, 1);
    assert_int_equal(j->maps_done, 4);
    come_back(&w, 1, "one", NULL, 0, NULL);
    w.now_ms += WORKER_TIMEOUT_MS - 1;
    uint64_t one = sched_resources(w.sched)->workers[sched_resources(w.sched)->count - 1]->id;
    assert_int_equal(sched_heartbeat(w.sched, w.now_ms, one, NULL, 0, &w.actions, NULL), 0);
    assert_int_equal(j->maps_done, 4);
    w.now_ms += 1;
    sched_tick(w.sched, w.now_ms, &w.actions);
    assert_int_equal(j->maps_done, 2);
    assert_int_equal(counter(j, "records"), 20);
    assert_int_equal(resources_live_count(sched_resources(w.sched)), 1);
    close_all(&w, &k);
}

static void all_done_before_the_restart_is_committed_after_it(void **state)
{
    struct world w;
    struct kept k;
    open_two(&w, &k);
    struct job *j = submit(&w, 1, 2, 2, 2, 1);
    finish_all(&w, j, true);
    finish_all(&w, j, false);
    keep(&k, &w);
    j = restart(&w, &k, 2, 1);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_COMMITTING);
    assert_int_equal(count_actions(&w, SCHED_COMMIT), 1);
    close_all(&w, &k);
}

static void attempt_nobody_waits_for_is_killed(void **state)
{
    struct world w;
    struct kept k;
    open_two(&w, &k);
    struct job *j = submit(&w, 1, 1, 2, 2, 1);
    finish_all(&w, j, true);
    keep(&k, &w);
    restart(&w, &k, 1, 1);
    bool kill = false;
    const char *const unwanted[] = {"attempt_1_0001_m_000000_0",    /* its task is done */
                                    "attempt_1_0001_m_000007_0",    /* no such task */
                                    "attempt_1_0001_r_000000_1000", /* a number that only this scheduler gives */
                                    "attempt_1_0002_m_000000_0",    /* no such job */
                                    "nonsense"};
    for (size_t i = 0; i < ARRAY_COUNT(unwanted); i++) {
        kill = false;
        come_back(&w, 1, "one", unwanted[i], CAIRN__ATTEMPT_STATE__ATTEMPT_RUNNING, &kill);
        assert_true(kill);
    }
    come_back(&w, 1, "one", "attempt_1_0001_r_000000_0", CAIRN__ATTEMPT_STATE__ATTEMPT_RUNNING, &kill);
    assert_false(kill);
    close_all(&w, &k);
}

static void restarted_worker_keeps_its_output_but_not_what_ran(void **state)
{
    struct world w;
    struct kept k;
    open_two(&w, &k);
    struct job *j = submit(&w, 1, 6, 2, 2, 1);
    struct attempt *first = j->attempts[0];
    report(&w, j, first, CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
    bool is_one = first->worker_id == w.workers[0];
    uint32_t done = j->maps_done;
    size_t lost_before = j->event_count;
    uint64_t id = come_back(&w, is_one ? 1 : 2, is_one ? "one" : "two", NULL, 0, NULL);
    assert_int_equal(j->maps_done, done);
    assert_int_equal(j->event_count, lost_before);
    assert_int_equal(first->worker_id, id);
    uint32_t killed = 0;
    for (size_t i = 0; i < j->attempt_count; i++)
        killed += j->attempts[i]->state == CAIRN__ATTEMPT_STATE__ATTEMPT_KILLED;
    assert_int_equal(killed, 2);
    assert_int_equal(j->live_count, 4);
    const struct worker *back = resources_find(sched_resources(w.sched), id);
    assert_int_equal(back->running, 2);
    close_all(&w, &k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_ended_is_not_run_again_and_what_runs_goes_on),
        cmocka_unit_test(a_task_that_failed_for_good_stays_so),
        cmocka_unit_test(worker_that_does_not_come_back_takes_its_output_along),
        cmocka_unit_test(all_done_before_the_restart_is_committed_after_it),
        cmocka_unit_test(attempt_nobody_waits_for_is_killed),
        cmocka_unit_test(restarted_worker_keeps_its_output_but_not_what_ran),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Who gets which slot, and why: shares, limits, locality, slow attempts, workers that fail, chains. */
#include "tests/unit/scheduler/master/world.h"

static struct job *submit_with(struct world *w, unsigned number, uint32_t maps, const char *user,
                               const char *const *properties)
{
    struct job *j = job_make_with(w, number, maps, 3, 3, 0, user, properties);
    sched_submit(w->sched, w->now_ms, j, &w->actions);
    return j;
}

static void run_one(struct world *w, struct job *j)
{
    report(w, j, live_attempt(j, true), CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
}

/* Ten rounds in which every running attempt ends. */
static void run_rounds(struct world *w, struct job *const *jobs, size_t count)
{
    for (int round = 0; round < 10; round++)
        for (size_t i = 0; i < count; i++)
            for (size_t left = jobs[i]->live_count; left; left--)
                run_one(w, jobs[i]);
}

static void pools_share_by_weight(void **state)
{
    struct world w;
    world_open(&w, 2, 4);
    const char *etl[] = {"mapreduce.job.queuename", "etl", NULL};
    struct job *filler = submit_with(&w, 1, 8, "x", NULL), *heavy = submit_with(&w, 2, 400, "a", etl),
               *light = submit_with(&w, 3, 400, "b", NULL);
    finish_all(&w, filler, true);
    struct job *jobs[] = {heavy, light};
    run_rounds(&w, jobs, 2);
    assert_int_equal(heavy->live_count, 6); /* weight 3 of 4 */
    assert_int_equal(light->live_count, 2);
    assert_string_equal(heavy->pool->name, "etl");
    world_close(&w);
}

static void pools_that_make_no_sense_are_refused(void **state)
{
    static const char *const wrong[] = {"a", "a=", "=1", "a=0", "a=-1", "a=x", "a=1:", "a=1:0", "a=1:2:3", "a=1,b"};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        assert_int_equal(sched_pools_check(wrong[i], &err), ERR_CONFIG);
    assert_int_equal(sched_pools_check("", &err), 0);
    assert_int_equal(sched_pools_check("a=0.5,b=2:10", &err), 0);
}

static void pool_and_user_limits_hold_and_are_told(void **state)
{
    struct world w;
    world_open(&w, 2, 4);
    const char *adhoc[] = {"mapreduce.job.queuename", "adhoc", NULL};
    struct job *a = submit_with(&w, 1, 20, "x", adhoc), *b = submit_with(&w, 2, 20, "y", adhoc);
    assert_int_equal(a->live_count + b->live_count, 2); /* adhoc=1:2, whatever is free */
    assert_non_null(strstr(b->waiting_for, "pool adhoc"));
    world_close(&w);

    w = (struct world){.now_ms = 1000};
    w.sched = sched_new(&(struct sched_limits){.worker_timeout_ms = 1000, .locality = true, .user_slots_max = 3});
    worker_register(&w, 1, 8, NULL);
    a = submit_with(&w, 1, 20, "x", NULL);
    b = submit_with(&w, 2, 20, "x", NULL);
    struct job *other = submit_with(&w, 3, 20, "y", NULL);
    assert_int_equal(a->live_count, 3);
    assert_int_equal(b->live_count, 0);
    assert_non_null(strstr(b->waiting_for, "user x"));
    assert_int_equal(other->live_count, 3);
    world_close(&w);
}

static void higher_priority_goes_first(void **state)
{
    struct world w;
    world_open(&w, 2, 1);
    const char *high[] = {"mapreduce.job.priority", "HIGH", NULL};
    struct job *first = submit_with(&w, 1, 10, "x", NULL), *urgent = submit_with(&w, 2, 3, "x", high);
    run_one(&w, first);
    run_one(&w, first);
    assert_int_equal(first->live_count, 0);
    assert_int_equal(urgent->live_count, 2);
    finish_all(&w, urgent, true);
    assert_int_equal(first->live_count, 2);
    world_close(&w);
}

static void memory_and_cores_bound_what_runs(void **state)
{
    struct world w = {.now_ms = 1000};
    w.sched = sched_new(&(struct sched_limits){.worker_timeout_ms = 1000, .locality = true});
    uint64_t id;
    struct registration r = {
        .d = {.name = "a", .ip = "10.0.0.1", .http_port = 1, .slots = 8, .room = {.memory_mb = 1000, .vcores = 4}}};
    assert_int_equal(sched_register(w.sched, w.now_ms, &r, &id, &w.actions, NULL), 0);
    const char *fat[] = {"mapreduce.map.memory.mb", "400", NULL}, *wide[] = {"mapreduce.map.cpu.vcores", "3", NULL},
               *huge[] = {"mapreduce.map.memory.mb", "2000", NULL};
    struct job *j = submit_with(&w, 1, 8, "x", fat);
    assert_int_equal(j->live_count, 2);
    struct job *k = submit_with(&w, 2, 8, "x", wide);
    assert_int_equal(k->live_count, 0);
    finish_all(&w, j, true);
    assert_int_equal(k->live_count, 1);
    struct job *impossible = submit_with(&w, 3, 1, "x", huge);
    finish_all(&w, k, true);
    sched_tick(w.sched, w.now_ms, &w.actions);
    assert_int_equal(impossible->live_count, 0);
    assert_non_null(strstr(impossible->waiting_for, "2000 MB"));
    assert_non_null(strstr(impossible->waiting_for, "1000 MB"));
    world_close(&w);
}

/* ---- locality ---- */

#define NODES  8
#define BLOCKS 200

/* Two jobs of 200 blocks with three replicas each on eight nodes, tasks of different lengths. Share of node-local. */
static double local_share(bool locality, unsigned seed)
{
    struct world w = {.now_ms = 1000};
    w.sched = sched_new(&(struct sched_limits){.worker_timeout_ms = 1000000,
                                               .locality_delay_ms = DELAY_MS,
                                               .rack_delay_ms = RACK_MS,
                                               .speculative_after_ms = 1000000,
                                               .locality = locality});
    srand(seed);
    for (int i = 0; i < NODES; i++)
        worker_register(&w, i + 1, 2, NULL);
    struct job *jobs[2];
    for (unsigned n = 0; n < 2; n++) {
        jobs[n] = job_make(&w, n + 1, BLOCKS, NODES, 3, 0);
        for (uint32_t m = 0; m < BLOCKS; m++) { /* replicas anywhere, on three nodes */
            uint32_t *h = jobs[n]->spec->splits[m]->holders;
            h[0] = (uint32_t)rand() % NODES;
            h[1] = (h[0] + 1 + (uint32_t)rand() % (NODES / 2)) % NODES;
            h[2] = (h[0] + NODES - 1 - (uint32_t)rand() % (NODES / 2 - 1)) % NODES;
        }
        struct arena a = jobs[n]->arena;
        jobs[n]->arena = (struct arena){0};
        assert_int_equal(job_plan(jobs[n], &a, jobs[n]->spec, NULL), 0);
    }
    for (unsigned n = 0; n < 2; n++)
        sched_submit(w.sched, w.now_ms, jobs[n], &w.actions);
    while (jobs[0]->maps_done < BLOCKS || jobs[1]->maps_done < BLOCKS) {
        w.now_ms += 100;
        for (int n = 0; n < 2; n++)
            for (size_t i = jobs[n]->live_count; i-- > 0;)
                if (i < jobs[n]->live_count && rand() % 5 == 0)
                    report(&w, jobs[n], jobs[n]->live[i], CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
        sched_tick(w.sched, w.now_ms, &w.actions);
        forget_actions(&w);
    }
    double local = 0;
    for (int n = 0; n < 2; n++) {
        local += jobs[n]->maps_local;
        for (size_t i = 0; i < jobs[n]->attempt_count; i++) {
            const struct attempt *a = jobs[n]->attempts[i];
            assert_true((a->locality == CAIRN__LOCALITY__LOCALITY_NODE) == (a->why_not_local == NULL));
        }
    }
    world_close(&w);
    return local / (2 * BLOCKS);
}

static void two_jobs_run_next_to_their_blocks(void **state)
{
    double without = 0;
    for (unsigned seed = 1; seed <= 20; seed++) {
        assert_true(local_share(true, seed) >= 0.99);
        without += local_share(false, seed) / 20;
    }
    assert_true(without > 0.32 && without < 0.43); /* 3/8: a real measurement */
}

static void reason_for_remote_input_is_told(void **state)
{
    struct world w;
    world_open(&w, 2, 1);
    struct job *j = submit(&w, 1, 3, 1, 1, 0); /* all on node 1 */
    w.now_ms += DELAY_MS + RACK_MS;
    sched_tick(w.sched, w.now_ms, &w.actions);
    assert_int_equal(j->live_count, 2);
    assert_null(j->attempts[0]->why_not_local);
    assert_string_equal(j->attempts[1]->why_not_local, "waited 3.0 s; 10.0.0.1: all 1 slots taken");
    world_close(&w);
}

static void rack_comes_before_anywhere(void **state)
{
    struct world w;
    world_open(&w, 3, 1);
    struct job *j = job_make(&w, 1, 3, 3, 1, 0);
    for (uint32_t m = 0; m < 3; m++)
        j->spec->splits[m]->holders[0] = 0;
    j->spec->holders[0]->rack = j->spec->holders[1]->rack = "/a";
    j->spec->holders[2]->rack = "/b";
    struct arena a = j->arena;
    j->arena = (struct arena){0};
    assert_int_equal(job_plan(j, &a, j->spec, NULL), 0);
    sched_submit(w.sched, w.now_ms, j, &w.actions);
    w.now_ms += DELAY_MS;
    sched_tick(w.sched, w.now_ms, &w.actions);
    assert_int_equal(j->live_count, 2);
    assert_int_equal(j->attempts[1]->worker_id, w.workers[1]);
    assert_int_equal(j->attempts[1]->locality, CAIRN__LOCALITY__LOCALITY_RACK);
    w.now_ms += RACK_MS;
    sched_tick(w.sched, w.now_ms, &w.actions);
    assert_int_equal(j->attempts[2]->worker_id, w.workers[2]);
    world_close(&w);
}

/* ---- slow and bad ---- */

static void slow_attempt_gets_a_second_one_and_the_first_to_end_wins(void **state)
{
    struct world w;
    world_open(&w, 2, 2);
    struct job *j = submit(&w, 1, 4, 2, 2, 0);
    w.now_ms += 4000;
    for (int i = 0; i < 3; i++)
        report(&w, j, j->attempts[i], CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
    struct attempt *slow = j->attempts[3];
    slow->progress = 0.2f;
    report(&w, j, slow, CAIRN__ATTEMPT_STATE__ATTEMPT_RUNNING);
    w.now_ms += 5000;
    sched_tick(w.sched, w.now_ms, &w.actions);
    assert_int_equal(j->live_count, 1); /* too early to tell */
    w.now_ms += 2000;
    sched_tick(w.sched, w.now_ms, &w.actions);
    sched_tick(w.sched, w.now_ms, &w.actions);
    assert_int_equal(j->live_count, 2);
    struct attempt *copy = j->attempts[4];
    assert_true(copy->speculative && copy->worker_id != slow->worker_id && copy->number == 1);
    forget_actions(&w);
    report(&w, j, copy, CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
    assert_int_equal(count_actions(&w, SCHED_KILL), 1);
    assert_int_equal(slow->state, CAIRN__ATTEMPT_STATE__ATTEMPT_KILLED);
    assert_int_equal(j->maps[slow->task].winner, 4);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_COMMITTING);
    assert_int_equal(j->maps[slow->task].failures, 0);
    world_close(&w);
}

static void attempt_as_fast_as_others_gets_none_until_it_is_stuck(void **state)
{
    struct world w;
    world_open(&w, 2, 2);
    struct job *j = submit(&w, 1, 2, 2, 2, 0);
    w.now_ms += 60000;
    assert_int_equal(sched_heartbeat(w.sched, w.now_ms, w.workers[0], NULL, 0, &w.actions, NULL), 0);
    assert_int_equal(sched_heartbeat(w.sched, w.now_ms, w.workers[1], NULL, 0, &w.actions, NULL), 0);
    report(&w, j, j->attempts[0], CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
    j->attempts[1]->progress = 0.9f;
    report(&w, j, j->attempts[1], CAIRN__ATTEMPT_STATE__ATTEMPT_RUNNING);
    sched_tick(w.sched, w.now_ms + 10000, &w.actions);
    assert_int_equal(j->live_count, 1);
    w.now_ms += 181000; /* at nine tenths for ever */
    assert_int_equal(sched_heartbeat(w.sched, w.now_ms, w.workers[0], NULL, 0, &w.actions, NULL), 0);
    assert_int_equal(sched_heartbeat(w.sched, w.now_ms, w.workers[1], NULL, 0, &w.actions, NULL), 0);
    sched_tick(w.sched, w.now_ms, &w.actions);
    assert_int_equal(j->live_count, 2);
    world_close(&w);
}

static void worker_that_fails_what_others_can_is_avoided_and_forgiven(void **state)
{
    struct world w;
    world_open(&w, 3, 1);
    const char *patient[] = {"mapreduce.job.maxtaskfailures.per.tracker", "100", NULL};
    uint64_t bad = w.workers[0];
    unsigned number = 1;
    for (; number <= WORKER_SICK_FAILURES; number++) {
        struct job *j = submit_with(&w, number, 3, "x", patient);
        for (struct attempt *a; (a = live_attempt(j, true));)
            report(&w, j, a,
                   a->worker_id == bad ? CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED
                                       : CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
        assert_int_equal(j->maps_done, 3);
    }
    const struct worker *worker = resources_find(sched_resources(w.sched), bad);
    assert_true(worker_is_sick(worker, w.now_ms));
    assert_string_equal(worker_state_name(worker, w.now_ms), "failing");
    struct job *next = submit_with(&w, number++, 3, "x", patient);
    assert_int_equal(next->live_count, 2);
    for (size_t i = 0; i < 2; i++)
        assert_true(next->live[i]->worker_id != bad);
    w.now_ms += WORKER_SICK_MIN_MS;
    for (int i = 0; i < 3; i++)
        assert_int_equal(sched_heartbeat(w.sched, w.now_ms, w.workers[i], NULL, 0, &w.actions, NULL), 0);
    sched_tick(w.sched, w.now_ms, &w.actions);
    assert_int_equal(next->live_count, 3); /* another chance */
    finish_all(&w, next, true);
    assert_int_equal(worker->failures_in_a_row, 0);
    world_close(&w);
}

static void job_that_fails_everywhere_is_no_workers_fault(void **state)
{
    struct world w;
    world_open(&w, 3, 2);
    for (unsigned number = 1; number <= 10; number++) {
        struct job *j = submit(&w, number, 4, 3, 3, 0);
        for (struct attempt *a; (a = live_attempt(j, true));)
            report(&w, j, a, CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED);
        assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_FAILED);
    }
    for (size_t i = 0; i < 3; i++)
        assert_false(worker_is_sick(sched_resources(w.sched)->workers[i], w.now_ms));
    world_close(&w);
}

static void worker_that_a_job_keeps_failing_on_is_avoided_by_that_job(void **state)
{
    struct world w;
    world_open(&w, 3, 2);
    struct job *j = submit(&w, 1, 30, 3, 3, 0);
    uint64_t bad = w.workers[1];
    uint32_t failed = 0;
    for (struct attempt *a; (a = live_attempt(j, true));) {
        bool fails = a->worker_id == bad;
        failed += fails;
        report(&w, j, a, fails ? CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED : CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
    }
    assert_int_equal(j->maps_done, 30);
    assert_true(failed >= 3 && failed <= 4); /* and those that ran there already */
    world_close(&w);
}

static void drained_worker_ends_what_it_runs_and_keeps_its_output(void **state)
{
    struct world w;
    world_open(&w, 2, 1);
    struct job *j = submit(&w, 1, 4, 2, 2, 1);
    assert_int_equal(sched_drain(w.sched, w.now_ms, "10.0.0.1:8081", true, &w.actions), 1);
    assert_int_equal(sched_drain(w.sched, w.now_ms, "10.0.0.9", true, &w.actions), 0);
    assert_int_equal(j->live_count, 2); /* what runs, runs on */
    finish_all(&w, j, true);
    assert_int_equal(j->maps_done, 4);
    for (size_t i = 2; i < j->attempt_count; i++)
        assert_int_equal(j->attempts[i]->worker_id, w.workers[1]);
    assert_int_equal(j->event_count, 4); /* its output is still good */
    const struct worker *worker = resources_find(sched_resources(w.sched), w.workers[0]);
    assert_string_equal(worker_state_name(worker, w.now_ms), "drained");
    assert_int_equal(sched_drain(w.sched, w.now_ms, "10.0.0.1", false, &w.actions), 1);
    assert_string_equal(worker_state_name(worker, w.now_ms), "live");
    world_close(&w);
}

static void attempt_that_a_person_ends_is_tried_again(void **state)
{
    struct world w;
    world_open(&w, 2, 1);
    struct job *j = submit(&w, 1, 1, 2, 2, 0);
    struct attempt_id id = {.job = "job_1_0001", .map = true, .partition = 0, .attempt = 0};
    bool done = false;
    assert_int_equal(sched_end_attempt(w.sched, w.now_ms, &id, false, "by x", &done, &w.actions, NULL), 0);
    assert_true(done && j->maps[0].failures == 0 && j->live_count == 1);
    assert_int_equal(sched_end_attempt(w.sched, w.now_ms, &id, true, "by x", &done, &w.actions, NULL), 0);
    assert_false(done);
    for (id.attempt = 1; id.attempt <= 4; id.attempt++)
        assert_int_equal(sched_end_attempt(w.sched, w.now_ms, &id, true, "by x", &done, &w.actions, NULL), 0);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_FAILED);
    id.attempt = 77;
    assert_int_equal(sched_end_attempt(w.sched, w.now_ms, &id, true, "by x", &done, &w.actions, NULL), ERR_NOT_FOUND);
    world_close(&w);
}

/* ---- chains ---- */

static struct job *submit_after(struct world *w, unsigned number, const char *after)
{
    struct job *j = job_make(w, number, 1, 2, 2, 0);
    j->state = CAIRN__JOB_STATE__JOB_WAITING;
    j->after = malloc(sizeof *j->after);
    j->after[j->after_count++] = strdup(after);
    sched_submit(w->sched, w->now_ms, j, &w->actions);
    return j;
}

static void job_waits_for_anothers_output(void **state)
{
    struct world w;
    world_open(&w, 2, 2);
    struct job *first = submit(&w, 1, 1, 2, 2, 0), *second = submit_after(&w, 2, "job_1_0001"),
               *third = submit_after(&w, 3, "job_1_0002");
    assert_int_equal(second->live_count, 0);
    finish_all(&w, first, true);
    assert_int_equal(count_actions(&w, SCHED_PLAN), 0); /* not before it is committed */
    sched_committed(w.sched, w.now_ms, "job_1_0001", NULL, &w.actions);
    assert_int_equal(count_actions(&w, SCHED_PLAN), 1);
    struct job *planned = job_make(&w, 2, 2, 2, 2, 0);
    sched_planned(w.sched, w.now_ms, "job_1_0002", &planned->arena, planned->spec, NULL, &w.actions);
    assert_int_equal(second->live_count, 2);
    assert_true(sched_kill(w.sched, w.now_ms, "job_1_0002", "enough", &w.actions));
    assert_int_equal(third->state, CAIRN__JOB_STATE__JOB_FAILED);
    assert_non_null(strstr(third->diagnostics, "job_1_0002"));
    job_free(planned);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pools_share_by_weight),
        cmocka_unit_test(pools_that_make_no_sense_are_refused),
        cmocka_unit_test(pool_and_user_limits_hold_and_are_told),
        cmocka_unit_test(higher_priority_goes_first),
        cmocka_unit_test(memory_and_cores_bound_what_runs),
        cmocka_unit_test(two_jobs_run_next_to_their_blocks),
        cmocka_unit_test(reason_for_remote_input_is_told),
        cmocka_unit_test(rack_comes_before_anywhere),
        cmocka_unit_test(slow_attempt_gets_a_second_one_and_the_first_to_end_wins),
        cmocka_unit_test(attempt_as_fast_as_others_gets_none_until_it_is_stuck),
        cmocka_unit_test(worker_that_fails_what_others_can_is_avoided_and_forgiven),
        cmocka_unit_test(job_that_fails_everywhere_is_no_workers_fault),
        cmocka_unit_test(worker_that_a_job_keeps_failing_on_is_avoided_by_that_job),
        cmocka_unit_test(drained_worker_ends_what_it_runs_and_keeps_its_output),
        cmocka_unit_test(attempt_that_a_person_ends_is_tried_again),
        cmocka_unit_test(job_waits_for_anothers_output),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

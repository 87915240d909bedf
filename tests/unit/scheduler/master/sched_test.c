/* The scheduler's decisions on simulated time: placing, failing, losing, ending. */
#include "tests/unit/scheduler/master/world.h"

static void job_runs_from_maps_over_reduces_to_its_commit(void **state)
{
    struct world w;
    world_open(&w, 3, 2);
    struct job *j = submit(&w, 1, 9, 3, 3, 2);
    assert_int_equal(count_actions(&w, SCHED_LAUNCH), 6);
    assert_int_equal(j->maps_running, 6);
    finish_all(&w, j, true);
    assert_int_equal(j->maps_done, 9);
    assert_int_equal(j->reduces_running, 2);
    assert_int_equal(counter(j, "Data-local map tasks"), 9);
    assert_int_equal(counter(j, "records"), 90);
    assert_int_equal(j->event_count, 9);
    finish_all(&w, j, false);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_COMMITTING);
    assert_int_equal(count_actions(&w, SCHED_COMMIT), 1);
    sched_committed(w.sched, w.now_ms, "job_1_0001", NULL, &w.actions);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_SUCCEEDED);
    assert_int_equal(count_actions(&w, SCHED_OVER), 1);
    assert_int_equal(count_actions(&w, SCHED_FORGET), 3);
    sched_job_remove(w.sched, "job_1_0001");
    assert_null(sched_job(w.sched, "job_1_0001"));
    world_close(&w);
}

static void slot_waits_for_local_input_then_takes_any(void **state)
{
    struct world w;
    world_open(&w, 2, 1);
    struct job *j = submit(&w, 1, 3, 1, 1, 0); /* all on node 1 */
    assert_int_equal(j->maps_running, 1);
    assert_int_equal(j->attempts[0]->worker_id, w.workers[0]);
    assert_true(j->waiting_for[0]);
    w.now_ms += DELAY_MS + RACK_MS - 1;
    sched_tick(w.sched, w.now_ms, &w.actions);
    assert_int_equal(j->maps_running, 1);
    w.now_ms += 1;
    sched_tick(w.sched, w.now_ms, &w.actions);
    assert_int_equal(j->maps_running, 2);
    assert_int_equal(j->attempts[1]->worker_id, w.workers[1]);
    assert_int_equal(j->attempts[1]->locality, CAIRN__LOCALITY__LOCALITY_ANY);
    world_close(&w);
}

static void input_that_no_worker_holds_does_not_wait(void **state)
{
    struct world w;
    world_open(&w, 1, 1);
    struct job *j = submit(&w, 1, 1, 0, 0, 0);
    assert_int_equal(j->maps_running, 1);
    assert_int_equal(j->attempts[0]->locality, CAIRN__LOCALITY__LOCALITY_NONE);
    struct job *far = job_make(&w, 2, 1, 3, 1, 0);
    far->spec->holders[0]->ip = "10.9.9.9";
    finish_all(&w, j, true);
    sched_submit(w.sched, w.now_ms, far, &w.actions);
    assert_int_equal(far->maps_running, 1);
    world_close(&w);
}

static void failed_attempt_moves_to_another_worker_and_the_job_fails_at_its_limit(void **state)
{
    struct world w;
    world_open(&w, 3, 1);
    struct job *j = submit(&w, 1, 1, 3, 3, 0);
    uint64_t seen[4] = {0};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(j->attempt_count, i + 1);
        seen[i] = j->attempts[i]->worker_id;
        for (int k = 0; k < i && i < 3; k++)
            assert_true(seen[k] != seen[i]);
        report(&w, j, j->attempts[i], CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED);
    }
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_FAILED);
    assert_non_null(strstr(j->diagnostics, "exit status 1"));
    assert_non_null(strstr(j->diagnostics, "10.0.0."));
    assert_int_equal(count_actions(&w, SCHED_OVER), 1);
    assert_int_equal(counter(j, "Failed map tasks"), 4);
    world_close(&w);
}

static void lost_worker_gives_back_attempts_and_map_output(void **state)
{
    struct world w;
    world_open(&w, 2, 2);
    struct job *j = submit(&w, 1, 4, 2, 2, 1);
    finish_all(&w, j, true);
    assert_int_equal(j->reduces_running, 1);
    uint64_t reducer_on = j->attempts[4]->worker_id, other = w.workers[reducer_on == w.workers[0]];
    size_t events = j->event_count;
    w.now_ms += WORKER_TIMEOUT_MS - 1;
    assert_int_equal(sched_heartbeat(w.sched, w.now_ms, reducer_on, NULL, 0, &w.actions, NULL), 0);
    w.now_ms += 1;
    sched_tick(w.sched, w.now_ms, &w.actions);
    assert_int_equal(resources_live_count(sched_resources(w.sched)), 1);
    assert_int_equal(j->event_count, events + 2); /* two outputs lost */
    assert_int_equal(counter(j, "records"), 20);  /* and with them what they counted */
    assert_true(j->maps_running + j->maps_pending == 2);
    w.now_ms += DELAY_MS;
    sched_tick(w.sched, w.now_ms, &w.actions);
    finish_all(&w, j, true);
    assert_int_equal(j->maps_done, 4);
    finish_all(&w, j, false);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_COMMITTING);
    assert_int_equal(counter(j, "records"), 50);
    struct err err = {0};
    assert_int_equal(sched_heartbeat(w.sched, w.now_ms, other, NULL, 0, &w.actions, &err), ERR_UNREGISTERED_NODE);
    world_close(&w);
}

static void lost_map_output_is_made_again_when_reduces_hold_every_slot(void **state)
{
    struct world w;
    world_open(&w, 1, 2);
    struct job *j = submit(&w, 1, 2, 1, 1, 4);
    finish_all(&w, j, true);
    assert_int_equal(j->reduces_running, 2);
    struct attempt_id id = {.job = "job_1_0001", .map = true, .partition = 1, .attempt = 0};
    sched_fetch_failed(w.sched, w.now_ms, &id, false, &w.actions);
    sched_fetch_failed(w.sched, w.now_ms, &id, false, &w.actions);
    assert_int_equal(j->maps_done, 2);
    sched_fetch_failed(w.sched, w.now_ms, &id, false, &w.actions);
    assert_int_equal(j->maps_running, 1);
    sched_fetch_failed(w.sched, w.now_ms, &id, false, &w.actions); /* late reports about the old one change nothing */
    assert_int_equal(j->maps_running, 1);
    finish_all(&w, j, true);
    assert_int_equal(j->maps_done, 2);
    id.attempt = 1;
    sched_fetch_failed(w.sched, w.now_ms, &id, true, &w.actions); /* a broken one at once */
    assert_int_equal(j->maps_running, 1);
    world_close(&w);
}

/* `reduces` of them run, map 1's output is lost, and nothing else of the job runs. */
static void lose_map_output(struct world *w, struct job *j, uint32_t reduces)
{
    finish_all(w, j, true);
    assert_int_equal(j->reduces_running, reduces);
    struct attempt_id id = {.job = "job_1_0001", .map = true, .partition = 1, .attempt = 0};
    for (int i = 0; i < 3; i++)
        sched_fetch_failed(w->sched, w->now_ms, &id, false, &w->actions);
    for (int i = 0; i < 10 && j->maps_running == 0; i++) {
        w->now_ms += 1000;
        for (size_t k = 0; k < sched_resources(w->sched)->count; k++)
            assert_int_equal(sched_heartbeat(w->sched, w->now_ms, sched_resources(w->sched)->workers[k]->id, NULL, 0,
                                             &w->actions, NULL),
                             0);
        sched_tick(w->sched, w->now_ms, &w->actions);
    }
}

static void lost_map_output_is_made_again_when_reduces_hold_all_that_a_pool_may_use(void **state)
{
    struct world w;
    world_open(&w, 2, 4);
    const char *const properties[] = {"mapreduce.job.queuename", "adhoc", NULL};
    struct job *j = job_make_with(&w, 1, 4, 2, 2, 4, "x", properties);
    sched_submit(w.sched, w.now_ms, j, &w.actions);
    finish_all(&w, j, true);
    assert_int_equal(j->reduces_running, 2);
    j->held_until_ms = w.now_ms + 1; /* so that several are lost at once */
    for (uint32_t map = 0; map < 3; map++) {
        struct attempt_id id = {.job = "job_1_0001", .map = true, .partition = map, .attempt = 0};
        for (int k = 0; k < 3; k++)
            sched_fetch_failed(w.sched, w.now_ms, &id, false, &w.actions);
    }
    w.now_ms++;
    for (uint32_t done = 1; done < 4; done++) {
        assert_int_equal(j->maps_done, done);
        sched_tick(w.sched, w.now_ms, &w.actions);
        assert_int_equal(j->maps_running, 1);
        assert_int_equal(j->pool->running, 3); /* beyond the limit by no more than it takes */
        report(&w, j, live_attempt(j, true), CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
    }
    assert_int_equal(j->maps_done, 4);
    world_close(&w);
}

static void lost_map_output_is_made_again_when_reduces_hold_all_memory(void **state)
{
    struct world w;
    world_open(&w, 1, 4);
    resources_find(sched_resources(w.sched), w.workers[0])->room = (struct ask){.memory_mb = 1024};
    const char *const properties[] = {"mapreduce.map.memory.mb", "512", "mapreduce.reduce.memory.mb", "512", NULL};
    struct job *j = job_make_with(&w, 1, 2, 1, 1, 4, "x", properties);
    sched_submit(w.sched, w.now_ms, j, &w.actions);
    lose_map_output(&w, j, 2);
    assert_int_equal(j->maps_running, 1);
    world_close(&w);
}

static void lost_map_output_is_made_again_when_only_a_worker_to_avoid_has_room(void **state)
{
    struct world w;
    world_open(&w, 2, 1);
    struct job *j = submit(&w, 1, 2, 2, 2, 1);
    finish_all(&w, j, true);
    assert_int_equal(j->reduces_running, 1);
    uint64_t busy = live_attempt(j, false)->worker_id, free_one = w.workers[busy == w.workers[0]];
    resources_find(sched_resources(w.sched), free_one)->sick_until_ms = w.now_ms + 3600000;
    lose_map_output(&w, j, 1);
    assert_int_equal(j->maps_running, 1);
    assert_true(live_attempt(j, true)->worker_id == busy);
    world_close(&w);
}

/* A disk that turns bits over, or an address that only the scheduler reaches: the map is tried elsewhere, not for ever.
 */
static void map_whose_output_cannot_be_fetched_fails_the_job_at_its_limit(void **state)
{
    for (int corrupt = 0; corrupt < 2; corrupt++) {
        struct world w;
        world_open(&w, 2, 2);
        struct job *j = submit(&w, 1, 1, 2, 2, 1);
        uint64_t first = j->attempts[0]->worker_id;
        struct attempt_id id = {.job = "job_1_0001", .map = true};
        for (int i = 0; i < 100 && j->state == CAIRN__JOB_STATE__JOB_RUNNING; i++) {
            for (struct attempt *a; (a = live_attempt(j, true));) {
                assert_true(i != 1 || a->worker_id != first);
                id.attempt = a->number;
                report(&w, j, a, CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
            }
            for (int k = 0; k < 3 && j->state == CAIRN__JOB_STATE__JOB_RUNNING; k++) {
                sched_fetch_failed(w.sched, w.now_ms, &id, corrupt, &w.actions);
                w.now_ms += 1000;
                for (int n = 0; n < 2; n++)
                    assert_int_equal(sched_heartbeat(w.sched, w.now_ms, w.workers[n], NULL, 0, &w.actions, NULL), 0);
            }
            sched_tick(w.sched, w.now_ms, &w.actions);
        }
        assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_FAILED);
        assert_non_null(strstr(j->diagnostics, "map 000000 failed 4 times"));
        world_close(&w);
    }
}

/* Its worker is silent since: the map is not to blame, however often. */
static void output_of_a_worker_that_dies_is_no_failure_of_the_map(void **state)
{
    struct world w;
    world_open(&w, 1, 2);
    struct job *j = submit(&w, 1, 1, 1, 1, 1);
    for (int i = 0; i < 10; i++) {
        finish_all(&w, j, true);
        struct attempt_id id = {.job = "job_1_0001", .map = true, .attempt = j->maps[0].attempts - 1};
        for (int k = 0; k < 3; k++)
            sched_fetch_failed(w.sched, w.now_ms, &id, false, &w.actions);
        assert_int_equal(j->maps_running, 1);
        w.now_ms += 1000;
    }
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_RUNNING);
    assert_int_equal(j->maps[0].failures, 0);
    world_close(&w);
}

static void worker_that_comes_back_is_a_new_one(void **state)
{
    struct world w;
    world_open(&w, 1, 1);
    struct job *j = submit(&w, 1, 1, 1, 1, 0);
    assert_int_equal(j->maps_running, 1);
    uint64_t id = worker_register(&w, 1, 1, NULL);
    assert_true(id != w.workers[0]);
    assert_int_equal(j->attempts[0]->state, CAIRN__ATTEMPT_STATE__ATTEMPT_KILLED);
    assert_int_equal(j->attempts[1]->worker_id, id);
    assert_int_equal(j->maps[0].failures, 0); /* not the task's fault */
    world_close(&w);
}

static void killed_job_stops_its_attempts_and_frees_their_slots(void **state)
{
    struct world w;
    world_open(&w, 2, 2);
    struct job *j = submit(&w, 1, 8, 2, 2, 0), *next = submit(&w, 2, 4, 2, 2, 0);
    assert_int_equal(j->maps_running, 4);
    assert_int_equal(next->maps_running, 0);
    assert_true(next->waiting_for[0]);
    forget_actions(&w);
    assert_true(sched_kill(w.sched, w.now_ms, "job_1_0001", "enough", &w.actions));
    assert_int_equal(count_actions(&w, SCHED_KILL), 4);
    assert_int_equal(next->maps_running, 4);
    assert_false(sched_kill(w.sched, w.now_ms, "job_1_0001", "again", &w.actions));
    world_close(&w);
}

static void two_jobs_share_the_slots(void **state)
{
    struct world w;
    world_open(&w, 2, 2);
    struct job *large = submit(&w, 1, 100, 2, 2, 0), *small = submit(&w, 2, 2, 2, 2, 0);
    for (int i = 0; i < 3; i++)
        report(&w, large, live_attempt(large, true), CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
    assert_int_equal(small->maps_running, 2);
    assert_int_equal(large->maps_running, 2);
    world_close(&w);
}

static void report_about_another_workers_attempt_is_ignored(void **state)
{
    struct world w;
    world_open(&w, 2, 1);
    struct job *j = submit(&w, 1, 1, 2, 2, 0);
    struct attempt stolen = *j->attempts[0];
    stolen.worker_id = w.workers[stolen.worker_id == w.workers[0]];
    report(&w, j, &stolen, CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
    assert_int_equal(j->maps_done, 0);
    report(&w, j, j->attempts[0], CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
    report(&w, j, j->attempts[0], CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED); /* said twice, or late */
    assert_int_equal(j->maps_done, 1);
    world_close(&w);
}

/* Whatever happens in whatever order, the counts agree and every job ends. */
static void random_days_end_well(void **state)
{
    for (unsigned seed = 1; seed <= 150; seed++) {
        struct world w;
        srand(seed);
        int nodes = 2 + rand() % 4;
        world_open(&w, nodes, 1 + (uint32_t)rand() % 3);
        for (unsigned n = 1; n <= 3; n++) {
            const char *properties[] = {"mapreduce.map.failures.maxpercent",
                                        rand() % 2 ? "0" : "30",
                                        "mapreduce.reduce.failures.maxpercent",
                                        rand() % 2 ? "0" : "60",
                                        "mapreduce.map.maxattempts",
                                        rand() % 2 ? "1" : "4",
                                        NULL};
            struct job *j = job_make_with(&w, n, 1 + (uint32_t)rand() % 12, nodes, 1 + rand() % nodes,
                                          (uint32_t)rand() % 4, "x", properties);
            sched_submit(w.sched, w.now_ms, j, &w.actions);
        }
        int steps = 0;
        for (struct job *j; (j = sched_job_at(w.sched, 0)); steps++) {
            assert_true(steps < 20000);
            w.now_ms += 500;
            int chance = rand() % 100;
            const struct resources *r = sched_resources(w.sched);
            for (size_t i = 0; i < r->count; i++)
                if (chance != 0 || i || steps > 300)
                    assert_int_equal(sched_heartbeat(w.sched, w.now_ms, r->workers[i]->id, NULL, 0, &w.actions, NULL),
                                     0);
            if (chance == 1 && steps < 300) /* a worker restarts, and has lost its folder */
                worker_register(&w, 1, 2, NULL);
            if (chance == 2 && steps < 300) /* one that keeps it, from now on */
                worker_register(&w, 2, 2, "two");
            sched_tick(w.sched, w.now_ms, &w.actions);
            for (size_t n = 0; (j = sched_job_at(w.sched, n)); n++) {
                struct attempt *a = live_attempt(j, rand() % 2);
                if (a)
                    report(&w, j, a,
                           rand() % 12 ? CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED
                                       : CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED);
                if (j->event_count && rand() % 50 == 0 && steps < 300) {
                    const struct map_event *e = &j->events[(size_t)rand() % j->event_count];
                    struct attempt_id id = {
                        .map = true, .partition = e->map, .attempt = j->attempts[e->attempt]->number};
                    snprintf(id.job, sizeof id.job, "%s", j->spec->jobid);
                    sched_fetch_failed(w.sched, w.now_ms, &id, true, &w.actions);
                }
                assert_int_equal(j->maps_pending + j->maps_running + j->maps_done + j->maps_failed, j->map_count);
                assert_int_equal(j->reduces_pending + j->reduces_running + j->reduces_done + j->reduces_failed,
                                 j->reduce_count);
            }
            for (size_t i = 0; i < w.actions.count; i++) {
                struct sched_action action = w.actions.list[i];
                char id[JOB_ID_MAX];
                snprintf(id, sizeof id, "%s", action.job->spec->jobid);
                if (action.kind == SCHED_COMMIT)
                    sched_committed(w.sched, w.now_ms, id, NULL, &w.actions);
                else if (action.kind == SCHED_OVER)
                    sched_job_remove(w.sched, id);
            }
            forget_actions(&w);
            uint32_t running = 0, used = 0;
            for (size_t n = 0; (j = sched_job_at(w.sched, n)); n++)
                running += (uint32_t)j->live_count;
            for (size_t i = 0; i < r->count; i++) {
                assert_true(r->workers[i]->running <= r->workers[i]->slots + 1);
                used += r->workers[i]->running;
            }
            assert_int_equal(running, used);
        }
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(job_runs_from_maps_over_reduces_to_its_commit),
        cmocka_unit_test(slot_waits_for_local_input_then_takes_any),
        cmocka_unit_test(input_that_no_worker_holds_does_not_wait),
        cmocka_unit_test(failed_attempt_moves_to_another_worker_and_the_job_fails_at_its_limit),
        cmocka_unit_test(lost_worker_gives_back_attempts_and_map_output),
        cmocka_unit_test(lost_map_output_is_made_again_when_reduces_hold_every_slot),
        cmocka_unit_test(lost_map_output_is_made_again_when_reduces_hold_all_that_a_pool_may_use),
        cmocka_unit_test(lost_map_output_is_made_again_when_reduces_hold_all_memory),
        cmocka_unit_test(lost_map_output_is_made_again_when_only_a_worker_to_avoid_has_room),
        cmocka_unit_test(map_whose_output_cannot_be_fetched_fails_the_job_at_its_limit),
        cmocka_unit_test(output_of_a_worker_that_dies_is_no_failure_of_the_map),
        cmocka_unit_test(worker_that_comes_back_is_a_new_one),
        cmocka_unit_test(killed_job_stops_its_attempts_and_frees_their_slots),
        cmocka_unit_test(two_jobs_share_the_slots),
        cmocka_unit_test(report_about_another_workers_attempt_is_ignored),
        cmocka_unit_test(random_days_end_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Jobs that may do without some of their tasks: mapreduce.map.failures.maxpercent and that of reduces. */
#include "tests/unit/scheduler/master/world.h"

static struct job *submit_with(struct world *w, uint32_t maps, uint32_t reduces, const char *const *properties)
{
    struct job *j = job_make_with(w, 1, maps, 3, 3, reduces, "x", properties);
    sched_submit(w->sched, w->now_ms, j, &w->actions);
    return j;
}

static struct attempt *live_of(const struct job *j, bool map, uint32_t task)
{
    for (size_t i = 0; i < j->live_count; i++)
        if (j->live[i]->map == map && j->live[i]->task == task)
            return j->live[i];
    return NULL;
}

static void a_second_passes(struct world *w)
{
    w->now_ms += 1000;
    for (int k = 0; k < 3; k++)
        assert_int_equal(sched_heartbeat(w->sched, w->now_ms, w->workers[k], NULL, 0, &w->actions, NULL), 0);
    sched_tick(w->sched, w->now_ms, &w->actions);
}

/* Every attempt of it, until it may have no more. */
static void fail_task(struct world *w, struct job *j, bool map, uint32_t task)
{
    const struct task_info *t = job_task(j, map, task);
    while (t->failures < 4) {
        struct attempt *a = live_of(j, map, task);
        if (a)
            report(w, j, a, CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED);
        else
            a_second_passes(w);
    }
}

static void so_many_maps_may_fail(void **state)
{
    struct world w;
    world_open(&w, 3, 4);
    struct job *j = submit_with(&w, 4, 1, (const char *[]){"mapreduce.map.failures.maxpercent", "25", NULL});
    fail_task(&w, j, true, 1);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_RUNNING);
    assert_int_equal(j->maps[1].failures, 4);
    assert_int_equal(j->maps_failed, 1);
    assert_int_equal(j->event_count, 1);
    assert_int_equal(j->events[0].map, 1); /* reduces need not wait for it */
    assert_int_equal(j->events[0].kind, MAP_FAILED);
    assert_non_null(strstr(j->diagnostics, "map 000001 failed 4 times"));
    finish_all(&w, j, true);
    finish_all(&w, j, false);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_COMMITTING);
    struct arena a;
    Cairn__JobStatusProto status;
    arena_init(&a, 1 << 20);
    job_status_message(j, 0, &a, &status);
    assert_int_equal(status.mapsdone, 3);
    assert_int_equal(status.mapsfailed, 1);
    assert_int_equal((int)(status.mapprogress * 100), 100);
    arena_free(&a);
    assert_int_equal(counter(j, "Failed map tasks"), 4); /* attempts, as in Hadoop */
    world_close(&w);
}

static void one_more_ends_the_job(void **state)
{
    struct world w;
    world_open(&w, 3, 4);
    struct job *j = submit_with(&w, 4, 1, (const char *[]){"mapreduce.map.failures.maxpercent", "49", NULL});
    fail_task(&w, j, true, 0);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_RUNNING);
    fail_task(&w, j, true, 3);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_FAILED);
    assert_non_null(strstr(j->diagnostics, "map 000003 failed 4 times"));
    world_close(&w);
}

static void maps_are_not_reduces(void **state)
{
    struct world w;
    world_open(&w, 3, 4);
    struct job *j = submit_with(&w, 1, 2, (const char *[]){"mapreduce.reduce.failures.maxpercent", "50", NULL});
    finish_all(&w, j, true);
    fail_task(&w, j, false, 0);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_RUNNING);
    assert_int_equal(j->reduces_failed, 1);
    finish_all(&w, j, false);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_COMMITTING);
    world_close(&w);
    world_open(&w, 3, 4);
    j = submit_with(&w, 1, 2, (const char *[]){"mapreduce.reduce.failures.maxpercent", "50", NULL});
    fail_task(&w, j, true, 0);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_FAILED);
    world_close(&w);
}

static void all_of_them_may_fail(void **state)
{
    struct world w;
    world_open(&w, 3, 4);
    struct job *j = submit_with(&w, 2, 1, (const char *[]){"mapreduce.map.failures.maxpercent", "100", NULL});
    fail_task(&w, j, true, 0);
    fail_task(&w, j, true, 1);
    assert_int_equal(j->reduces_running, 1);
    finish_all(&w, j, false);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_COMMITTING);
    world_close(&w);
}

static void the_last_one_to_end_may_be_one_that_failed(void **state)
{
    struct world w;
    world_open(&w, 3, 4);
    struct job *j = submit_with(&w, 2, 0, (const char *[]){"mapreduce.map.failures.maxpercent", "50", NULL});
    report(&w, j, live_of(j, true, 1), CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
    fail_task(&w, j, true, 0);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_COMMITTING);
    assert_int_equal(count_actions(&w, SCHED_COMMIT), 1);
    world_close(&w);
}

static void a_second_attempt_ends_with_its_task(void **state)
{
    struct world w;
    world_open(&w, 3, 4);
    const char *properties[] = {"mapreduce.map.failures.maxpercent", "50", "mapreduce.map.maxattempts", "1", NULL};
    struct job *j = submit_with(&w, 2, 0, properties);
    w.now_ms += 1000;
    report(&w, j, live_of(j, true, 1), CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
    for (int i = 0; i < 15; i++) /* the one that is left needs too long */
        a_second_passes(&w);
    assert_int_equal(j->live_count, 2);
    report(&w, j, j->live[0], CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED);
    assert_int_equal(j->live_count, 0);
    assert_int_equal(count_actions(&w, SCHED_KILL), 1);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_COMMITTING);
    world_close(&w);
}

static void output_that_cannot_be_fetched_is_a_failure_like_others(void **state)
{
    struct world w;
    world_open(&w, 3, 4);
    const char *properties[] = {"mapreduce.map.failures.maxpercent", "50", "mapreduce.map.maxattempts", "1", NULL};
    struct job *j = submit_with(&w, 2, 1, properties);
    finish_all(&w, j, true);
    struct attempt_id id = {.job = "job_1_0001", .map = true, .partition = 1, .attempt = 0};
    sched_fetch_failed(w.sched, w.now_ms, &id, true, &w.actions);
    assert_int_equal(j->maps_failed, 1);
    assert_int_equal(j->maps_done, 1);
    assert_int_equal(j->events[j->event_count - 1].kind, MAP_FAILED);
    assert_int_equal(counter(j, "records"), 10);
    finish_all(&w, j, false);
    assert_int_equal(j->state, CAIRN__JOB_STATE__JOB_COMMITTING);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_maps_may_fail),
        cmocka_unit_test(one_more_ends_the_job),
        cmocka_unit_test(maps_are_not_reduces),
        cmocka_unit_test(all_of_them_may_fail),
        cmocka_unit_test(the_last_one_to_end_may_be_one_that_failed),
        cmocka_unit_test(a_second_attempt_ends_with_its_task),
        cmocka_unit_test(output_that_cannot_be_fetched_is_a_failure_like_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Counts of handles, for as many inodes as come by, and in a process that is forked. */
#include <sys/wait.h>
#include <unistd.h>

#include "fuse/posix/keeper_memory.h"
#include "tests/unit/check.h"

static void test_handles_are_counted_up_and_down(void **state)
{
    struct keeper_memory *k = keeper_memory_new();
    uint32_t n = 99;
    assert_false(keeper_count_open(k, 17000, 0, &n));
    assert_false(keeper_count_open(k, 17000, -1, &n));
    assert_true(keeper_count_open(k, 17000, 1, &n) && n == 1);
    assert_true(keeper_count_open(k, 17000, 1, &n) && n == 2);
    assert_true(keeper_count_open(k, 17000, -1, &n) && n == 1);
    assert_true(keeper_count_open(k, 17000, -1, &n) && n == 0);
    assert_true(keeper_count_open(k, 17000, -1, &n) && n == 0); /* a close too many */
}

static void test_places_are_used_again(void **state)
{
    struct keeper_memory *k = keeper_memory_new();
    uint32_t n;
    assert_true(keeper_count_open(k, 16386, 1, &n));
    for (uint64_t inode = 16387; inode < 16387 + 5 * KEEPER_OPENS_MAX; inode++) {
        assert_true(keeper_count_open(k, inode, 1, &n) && n == 1);
        assert_true(keeper_count_open(k, inode, -1, &n) && n == 0);
    }
    assert_true(keeper_count_open(k, 16386, 0, &n) && n == 1);
}

static void test_too_many_in_one_place_are_not_counted(void **state)
{
    struct keeper_memory *k = keeper_memory_new();
    uint32_t n, counted = 0;
    for (uint64_t i = 1; i <= 200; i++)
        counted += keeper_count_open(k, i * KEEPER_OPENS_MAX, 1, &n);
    assert_true(counted > 1 && counted < 200);
    for (uint64_t i = 1; i <= 200; i++)
        if (keeper_count_open(k, i * KEEPER_OPENS_MAX, 0, &n))
            assert_int_equal(n, 1);
}

static void test_the_next_process_has_them(void **state)
{
    struct keeper_memory *k = keeper_memory_new();
    uint32_t n;
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(keeper_count_open(k, 20000, 1, &n) ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(keeper_count_open(k, 20000, 0, &n) && n == 1);
}

static void test_a_request_that_is_sent_again_is_known(void **state)
{
    struct keeper_memory *k = keeper_memory_new();
    keeper_next_process(k, 0);
    struct keeper_request *r = keeper_request_taken(k, 10, false), *other = keeper_request_taken(k, 12, false);
    r->done = 77;
    assert_ptr_not_equal(r, other);
    keeper_next_process(k, 0);
    assert_ptr_equal(keeper_request_taken(k, 10, true), r);
    assert_int_equal(r->done, 77);
    assert_int_equal(keeper_request_taken(k, 14, true)->done, 0); /* nobody had taken it */
    keeper_request_answered(k, 10);
    assert_int_equal(keeper_request_taken(k, 10 + KEEPER_REQUESTS_MAX, false)->done, 0); /* in the same place */
    keeper_next_process(k, 0);
    assert_int_equal(other->unique, 0); /* it was not sent again to the process before */
}

static void test_an_append_is_done_when_it_is_staged(void **state)
{
    struct keeper_memory *k = keeper_memory_new();
    struct keeper_request *r[6];
    keeper_next_process(k, 0);
    for (uint64_t i = 0; i < 6; i++)
        r[i] = keeper_request_taken(k, 10 + 2 * i, false);
    for (size_t i = 0; i < 4; i++)
        keeper_append_begins(r[i], i == 3 ? 20001 : 20000, i == 2 ? 300 : 200);
    keeper_append_staged(r[0]);
    r[4]->done = 1; /* another kind of request */
    keeper_next_process(k, 0);
    assert_true(keeper_append_is_done(r[0]));
    assert_false(keeper_append_is_done(r[1]));
    keeper_appends_settle(k, 20000, 200);
    static const bool is_done[] = {true, true, false, false, true, false};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(keeper_append_is_done(r[i]), is_done[i]);
    keeper_appends_settle(k, 20001, 0); /* nothing more of it is staged */
    keeper_appends_settle(k, 20000, 1000);
    assert_false(keeper_append_is_done(r[2])); /* it was said before */
    assert_false(keeper_append_is_done(r[3]));
}

static void test_as_many_requests_as_there_are_places(void **state)
{
    struct keeper_memory *k = keeper_memory_new();
    keeper_next_process(k, 0);
    for (uint64_t i = 1; i <= KEEPER_REQUESTS_MAX; i++)
        assert_non_null(keeper_request_taken(k, 2 * i, false));
    assert_null(keeper_request_taken(k, 2, false));
    keeper_request_answered(k, 40);
    assert_non_null(keeper_request_taken(k, 3, false));
}

static void test_processes_that_die_of_what_they_are_asked_are_noticed(void **state)
{
    struct keeper_memory *k = keeper_memory_new();
    int64_t now_ms = 1000000;
    for (int i = 0; i <= 10; i++) {
        assert_false(keeper_is_fruitless(k));
        keeper_next_process(k, now_ms += 100);
        keeper_request_taken(k, 2, i > 0);
    }
    assert_true(keeper_is_fruitless(k));
    keeper_next_process(k, now_ms += 100000); /* the last one lived */
    assert_false(keeper_is_fruitless(k));
    for (int i = 0; i <= 20; i++) { /* these worked until somebody killed them */
        keeper_request_answered(k, 4);
        keeper_next_process(k, now_ms += 100);
        assert_false(keeper_is_fruitless(k));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handles_are_counted_up_and_down),
        cmocka_unit_test(test_places_are_used_again),
        cmocka_unit_test(test_too_many_in_one_place_are_not_counted),
        cmocka_unit_test(test_the_next_process_has_them),
        cmocka_unit_test(test_a_request_that_is_sent_again_is_known),
        cmocka_unit_test(test_an_append_is_done_when_it_is_staged),
        cmocka_unit_test(test_as_many_requests_as_there_are_places),
        cmocka_unit_test(test_processes_that_die_of_what_they_are_asked_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

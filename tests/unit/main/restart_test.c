#include "tests/unit/check.h"

#include <signal.h>

#include "main/restart.h"

static int exited(int code)
{
    return code << 8; /* as waitpid gives it */
}

static void one_that_was_asked_to_end_is_let_go(void **state)
{
    assert_false(restart_is_wanted(exited(0)));
    assert_false(restart_is_wanted(SIGTERM));
    assert_false(restart_is_wanted(SIGINT));
    assert_true(restart_is_wanted(SIGKILL));
    assert_true(restart_is_wanted(SIGSEGV));
    assert_true(restart_is_wanted(exited(1)));
}

static void the_pause_doubles_up_to_a_minute(void **state)
{
    struct restart r = {.started_ms = 1000};
    const int64_t pauses[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++)
        assert_int_equal(restart_delay_ms(&r, 2000), pauses[i]);
}

static void one_that_ran_well_begins_anew(void **state)
{
    struct restart r = {.started_ms = 0, .failures = 9};
    assert_int_equal(restart_delay_ms(&r, 59999), 60000);
    assert_int_equal(restart_delay_ms(&r, 60000), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_was_asked_to_end_is_let_go),
        cmocka_unit_test(the_pause_doubles_up_to_a_minute),
        cmocka_unit_test(one_that_ran_well_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

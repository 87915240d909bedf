/* Who waits for whom when several sessions edit one file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "namenode/namespace/edit_turns.h"

enum { SLOW = 1, FAST = 2, THIRD = 3, FILE_ID = 50, SAME_PLACE = 50 + 256 };

static void who_lost_twice_goes_first(void **state)
{
    struct edit_turns *t = edit_turns_new();
    (void)state;
    edit_turns_lost(t, FILE_ID, SLOW, 100);
    assert_false(edit_turns_must_wait(t, FILE_ID, FAST, 101));
    edit_turns_won(t, FILE_ID, FAST);
    edit_turns_lost(t, FILE_ID, SLOW, 110);
    assert_true(edit_turns_must_wait(t, FILE_ID, FAST, 111));
    assert_false(edit_turns_must_wait(t, FILE_ID, SLOW, 111));
    assert_false(edit_turns_must_wait(t, SAME_PLACE, FAST, 111));
    edit_turns_lost(t, FILE_ID, THIRD, 112); /* it was about to; nor does another file take the turn away */
    edit_turns_lost(t, SAME_PLACE, THIRD, 112);
    assert_true(edit_turns_must_wait(t, FILE_ID, THIRD, 113));
    edit_turns_won(t, FILE_ID, SLOW);
    assert_false(edit_turns_must_wait(t, FILE_ID, FAST, 114));
    edit_turns_free(t);
}

static void who_does_not_come_back_is_not_waited_for_long(void **state)
{
    struct edit_turns *t = edit_turns_new();
    (void)state;
    edit_turns_lost(t, FILE_ID, SLOW, 100);
    edit_turns_lost(t, FILE_ID, SLOW, 200);
    assert_true(edit_turns_must_wait(t, FILE_ID, FAST, 200 + EDIT_TURN_MS - 1));
    assert_false(edit_turns_must_wait(t, FILE_ID, FAST, 200 + EDIT_TURN_MS));
    edit_turns_lost(t, FILE_ID, SLOW, 300 + EDIT_TURN_MS); /* not in a row any more */
    assert_false(edit_turns_must_wait(t, FILE_ID, FAST, 301 + EDIT_TURN_MS));
    edit_turns_lost(t, FILE_ID, FAST, 302 + EDIT_TURN_MS);
    edit_turns_lost(t, FILE_ID, FAST, 303 + EDIT_TURN_MS);
    assert_true(edit_turns_must_wait(t, FILE_ID, SLOW, 304 + EDIT_TURN_MS));
    edit_turns_free(t);
}

static void who_gets_the_turn_has_it_once(void **state)
{
    struct edit_turns *t = edit_turns_new();
    (void)state;
    edit_turns_give(t, FILE_ID, THIRD, true, 100);
    edit_turns_give(t, FILE_ID, SLOW, true, 101);
    assert_true(edit_turns_must_wait(t, FILE_ID, FAST, 102) && edit_turns_must_wait(t, FILE_ID, THIRD, 102));
    assert_false(edit_turns_must_wait(t, FILE_ID, SLOW, 102));
    edit_turns_won(t, FILE_ID, SLOW);
    assert_false(edit_turns_must_wait(t, FILE_ID, FAST, 103));
    edit_turns_give(t, FILE_ID, SLOW, false, 200);
    assert_true(edit_turns_must_wait(t, FILE_ID, FAST, 200 + EDIT_TURN_AWAY_MS - 1));
    edit_turns_is_back(t, SLOW, 200 + EDIT_TURN_AWAY_MS); /* too late */
    assert_false(edit_turns_must_wait(t, FILE_ID, FAST, 200 + EDIT_TURN_AWAY_MS));
    edit_turns_give(t, FILE_ID, SLOW, false, 1000);
    edit_turns_is_back(t, THIRD, 1001);
    edit_turns_is_back(t, SLOW, 1001);
    assert_true(edit_turns_must_wait(t, FILE_ID, FAST, 1000 + EDIT_TURN_MS));
    assert_false(edit_turns_must_wait(t, FILE_ID, FAST, 1001 + EDIT_TURN_MS));
    edit_turns_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_lost_twice_goes_first),
        cmocka_unit_test(who_gets_the_turn_has_it_once),
        cmocka_unit_test(who_does_not_come_back_is_not_waited_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

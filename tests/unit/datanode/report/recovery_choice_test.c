/* Which replicas a block recovery keeps, and at what length. */
#include "tests/unit/check.h"

#include "datanode/report/recovery_choice.h"

#define FOUND(stamp, length, kind)                                                                                     \
    {                                                                                                                  \
        .gen_stamp = (stamp), .bytes = (length), .state = REPLICA_##kind, .found = true                                \
    }

static struct recovery_result result;

static void finalized_replicas_win(void **state)
{
    struct recovery_candidate c[] = {FOUND(1001, 900, RBW), FOUND(1001, 1000, FINALIZED), FOUND(1001, 1000, RBW)};
    assert_int_equal(recovery_choose(c, 3, 1001, -1, &result, NULL), 0);
    assert_int_equal(result.bytes, 1000);
    assert_false(c[0].takes_part);
    assert_true(c[1].takes_part);
    assert_true(c[2].takes_part); /* it has everything */
}

static void finalized_replicas_must_agree(void **state)
{
    struct recovery_candidate c[] = {FOUND(1001, 900, FINALIZED), FOUND(1001, 1000, FINALIZED)};
    assert_int_equal(recovery_choose(c, 2, 1001, -1, &result, NULL), ERR_IO);
}

static void the_shortest_of_those_being_written_decides(void **state)
{
    struct recovery_candidate c[] = {FOUND(1001, 900, RBW), FOUND(1001, 1000, RBW), FOUND(1001, 500, RWR)};
    assert_int_equal(recovery_choose(c, 3, 1001, -1, &result, NULL), 0);
    assert_int_equal(result.bytes, 900);
    assert_true(c[0].takes_part && c[1].takes_part);
    assert_false(c[2].takes_part); /* its node restarted: less trusted */
}

static void restarted_ones_do_when_there_is_nothing_better(void **state)
{
    struct recovery_candidate c[] = {FOUND(1001, 700, RWR), FOUND(1001, 500, RWR)};
    assert_int_equal(recovery_choose(c, 2, 1001, -1, &result, NULL), 0);
    assert_int_equal(result.bytes, 500);
}

static void old_empty_and_missing_ones_do_not_count(void **state)
{
    struct recovery_candidate c[] = {
        FOUND(1000, 2000, FINALIZED), FOUND(1001, 0, FINALIZED), {.found = false}, FOUND(1001, 300, RBW)};
    assert_int_equal(recovery_choose(c, 4, 1001, -1, &result, NULL), 0);
    assert_int_equal(result.bytes, 300);
    assert_true(c[3].takes_part);
    assert_false(c[0].takes_part || c[1].takes_part || c[2].takes_part);
}

static void nothing_to_recover_deletes_the_block(void **state)
{
    struct recovery_candidate c[] = {{.found = false}, FOUND(1001, 0, RBW)};
    assert_int_equal(recovery_choose(c, 2, 1001, -1, &result, NULL), 0);
    assert_true(result.delete_block);
    assert_int_equal(result.bytes, 0);
}

static void truncation_takes_all_that_are_long_enough(void **state)
{
    struct recovery_candidate c[] = {FOUND(1001, 900, FINALIZED), FOUND(1001, 400, FINALIZED)};
    assert_int_equal(recovery_choose(c, 2, 1001, 500, &result, NULL), 0);
    assert_int_equal(result.bytes, 500);
    assert_true(c[0].takes_part);
    assert_false(c[1].takes_part);
    assert_int_equal(recovery_choose(c, 2, 1001, 901, &result, NULL), ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finalized_replicas_win),
        cmocka_unit_test(finalized_replicas_must_agree),
        cmocka_unit_test(the_shortest_of_those_being_written_decides),
        cmocka_unit_test(restarted_ones_do_when_there_is_nothing_better),
        cmocka_unit_test(old_empty_and_missing_ones_do_not_count),
        cmocka_unit_test(nothing_to_recover_deletes_the_block),
        cmocka_unit_test(truncation_takes_all_that_are_long_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

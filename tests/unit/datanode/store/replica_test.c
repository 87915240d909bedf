/* The states of a replica, and what may be done in each. */
#include "tests/unit/check.h"

#include "datanode/store/replica.h"

static struct replica_work work;

static struct replica replica_in(enum replica_state state, uint64_t disk_bytes, uint64_t acked_bytes)
{
    work = (struct replica_work){.acked_bytes = acked_bytes, .original_state = state, .recovery_id = 2000};
    return (struct replica){
        .block_id = 7, .gen_stamp = 1001, .disk_bytes = disk_bytes, .state = (uint8_t)state, .work = &work};
}

static void only_the_moves_of_the_table_are_made(void **state)
{
    static const char *const allowed[REPLICA_STATE_COUNT] = {
        /* to:                 FINALIZED RBW RWR RUR TEMPORARY */
        [REPLICA_FINALIZED] = "01010", [REPLICA_RBW] = "10110",       [REPLICA_RWR] = "00010",
        [REPLICA_RUR] = "10010",       [REPLICA_TEMPORARY] = "11000",
    };
    for (enum replica_state from = 0; from < REPLICA_STATE_COUNT; from++)
        for (enum replica_state to = 0; to < REPLICA_STATE_COUNT; to++) {
            struct replica r = replica_in(from, 0, 0);
            bool may = allowed[from][to] == '1';
            assert_int_equal(replica_move(&r, to, NULL), may ? 0 : ERR_BAD_STATE);
            assert_int_equal(r.state, may ? to : from);
        }
}

static void readers_see_what_everybody_has(void **state)
{
    struct replica r = replica_in(REPLICA_RBW, 1000, 600);
    assert_int_equal(replica_visible_bytes(&r), 600);
    r = replica_in(REPLICA_FINALIZED, 1000, 0);
    assert_int_equal(replica_visible_bytes(&r), 1000);
    r = replica_in(REPLICA_RWR, 1000, 0);
    assert_int_equal(replica_visible_bytes(&r), REPLICA_NOT_READABLE);
    r = replica_in(REPLICA_TEMPORARY, 1000, 0);
    assert_int_equal(replica_visible_bytes(&r), REPLICA_NOT_READABLE);
    r = replica_in(REPLICA_RUR, 1000, 600);
    work.original_state = REPLICA_FINALIZED;
    assert_int_equal(replica_visible_bytes(&r), 1000);
}

static void a_newer_replica_is_read_an_older_one_is_not(void **state)
{
    struct replica r = replica_in(REPLICA_FINALIZED, 10, 0);
    assert_int_equal(replica_check_read(&r, 1000, NULL), 0);
    assert_int_equal(replica_check_read(&r, 1001, NULL), 0);
    assert_int_equal(replica_check_read(&r, 1002, NULL), ERR_IO);
}

static void appends_want_a_finalized_replica_of_that_length(void **state)
{
    struct replica r = replica_in(REPLICA_FINALIZED, 512, 0);
    assert_int_equal(replica_check_append(&r, 1001, 1002, 512, NULL), 0);
    assert_int_equal(replica_check_append(&r, 1001, 1001, 512, NULL), 0); /* clients that name no new stamp */
    assert_int_equal(replica_check_append(&r, 1001, 1002, 511, NULL), ERR_IO);
    assert_int_equal(replica_check_append(&r, 1001, 1000, 512, NULL), ERR_IO);
    assert_int_equal(replica_check_append(&r, 1002, 1003, 512, NULL), ERR_REPLICA_NOT_FOUND);
    r = replica_in(REPLICA_RBW, 512, 512);
    assert_int_equal(replica_check_append(&r, 1001, 1002, 512, NULL), ERR_REPLICA_NOT_FOUND);
}

static void a_stream_is_recovered_between_acked_and_sent(void **state)
{
    struct replica r = replica_in(REPLICA_RBW, 1000, 600);
    assert_int_equal(replica_check_recover_stream(&r, 1001, 1002, 600, 1000, NULL), 0);
    assert_int_equal(replica_check_recover_stream(&r, 1001, 1002, 100, 5000, NULL), 0);
    assert_int_equal(replica_check_recover_stream(&r, 1001, 1002, 601, 1000, NULL), ERR_REPLICA_NOT_FOUND);
    assert_int_equal(replica_check_recover_stream(&r, 1001, 1002, 600, 999, NULL), ERR_REPLICA_NOT_FOUND);
    assert_int_equal(replica_check_recover_stream(&r, 1002, 1003, 600, 1000, NULL), ERR_REPLICA_NOT_FOUND);
    r = replica_in(REPLICA_FINALIZED, 1000, 0);
    assert_int_equal(replica_check_recover_stream(&r, 1001, 1002, 600, 1000, NULL), ERR_REPLICA_NOT_FOUND);
}

static void an_append_is_recovered_when_all_is_acked(void **state)
{
    struct replica r = replica_in(REPLICA_RBW, 1000, 1000);
    assert_int_equal(replica_check_recover_append(&r, 1001, 1002, 1000, NULL), 0);
    assert_int_equal(replica_check_recover_append(&r, 1001, 1002, 999, NULL), ERR_IO);
    work.acked_bytes = 999;
    assert_int_equal(replica_check_recover_append(&r, 1001, 1002, 1000, NULL), ERR_REPLICA_EXISTS);
    r = replica_in(REPLICA_FINALIZED, 1000, 0);
    assert_int_equal(replica_check_recover_append(&r, 1001, 1002, 1000, NULL), 0);
    r = replica_in(REPLICA_RWR, 1000, 1000);
    assert_int_equal(replica_check_recover_append(&r, 1001, 1002, 1000, NULL), ERR_REPLICA_NOT_FOUND);
}

static void only_a_newer_recovery_takes_over(void **state)
{
    struct replica r = replica_in(REPLICA_RBW, 1000, 600);
    assert_int_equal(replica_check_init_recovery(&r, 1001, 1002, NULL), 0);
    assert_int_equal(replica_check_init_recovery(&r, 1002, 1003, NULL), ERR_IO);
    assert_int_equal(replica_check_init_recovery(&r, 1001, 1001, NULL), ERR_IO);
    r = replica_in(REPLICA_RUR, 1000, 600);
    assert_int_equal(replica_check_init_recovery(&r, 1001, 2000, NULL), ERR_RECOVERY_IN_PROGRESS);
    assert_int_equal(replica_check_init_recovery(&r, 1001, 2001, NULL), 0);
}

static void a_recovery_ends_only_as_it_began(void **state)
{
    struct replica r = replica_in(REPLICA_RUR, 1000, 600);
    assert_int_equal(replica_check_update_recovery(&r, 2000, 1000, 600, NULL), 0);
    assert_int_equal(replica_check_update_recovery(&r, 1999, 1000, 600, NULL), ERR_IO);
    assert_int_equal(replica_check_update_recovery(&r, 2000, 999, 600, NULL), ERR_IO);
    assert_int_equal(replica_check_update_recovery(&r, 2000, 1000, 1001, NULL), ERR_IO);
    r = replica_in(REPLICA_RBW, 1000, 600);
    assert_int_equal(replica_check_update_recovery(&r, 2000, 1000, 600, NULL), ERR_IO);
}

static bool replaces(const struct replica *r, enum replica_replace what, uint64_t new_gen_stamp)
{
    return replica_check_replace(r, what, new_gen_stamp, NULL) == 0;
}

static void only_what_cannot_be_missed_is_replaced(void **state)
{
    struct replica r = replica_in(REPLICA_FINALIZED, 1000, 0);
    assert_false(replaces(&r, REPLACE_NOTHING, 5000));
    assert_false(replaces(&r, REPLACE_UNFINISHED, 5000));
    assert_false(replaces(&r, REPLACE_STALE, 5000));
    assert_false(replaces(&r, REPLACE_OLDER, 1001));
    assert_true(replaces(&r, REPLACE_OLDER, 1002));
    for (enum replica_state s = 0; s < REPLICA_STATE_COUNT; s++) {
        if (s != REPLICA_RBW && s != REPLICA_RWR && s != REPLICA_TEMPORARY)
            continue;
        r = replica_in(s, 1000, 0);
        assert_false(replaces(&r, REPLACE_NOTHING, 5000));
        assert_false(replaces(&r, REPLACE_UNFINISHED, 1000));
        assert_true(replaces(&r, REPLACE_UNFINISHED, 1001));
        assert_false(replaces(&r, REPLACE_STALE, 1001));
        assert_true(replaces(&r, REPLACE_STALE, 1002));
    }
    r = replica_in(REPLICA_RUR, 1000, 0); /* somebody is about to decide about it */
    assert_false(replaces(&r, REPLACE_STALE, 5000) || replaces(&r, REPLACE_OLDER, 5000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_moves_of_the_table_are_made),
        cmocka_unit_test(readers_see_what_everybody_has),
        cmocka_unit_test(a_newer_replica_is_read_an_older_one_is_not),
        cmocka_unit_test(appends_want_a_finalized_replica_of_that_length),
        cmocka_unit_test(a_stream_is_recovered_between_acked_and_sent),
        cmocka_unit_test(an_append_is_recovered_when_all_is_acked),
        cmocka_unit_test(only_a_newer_recovery_takes_over),
        cmocka_unit_test(a_recovery_ends_only_as_it_began),
        cmocka_unit_test(only_what_cannot_be_missed_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

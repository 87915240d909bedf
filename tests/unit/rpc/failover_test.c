#include "tests/unit/check.h"

#include "common/compiler.h"
#include "rpc/failover.h"

static const struct failover_policy one = {1, 0}, patient = {1, 60000}, two = {2, 0};

static void a_single_server_gets_no_second_chance(void **state)
{
    struct failover f = {0};
    assert_false(failover_decide(&one, &f, FAILOVER_NO_CONNECTION, 0).again);
    assert_false(failover_decide(&one, &f, FAILOVER_LOST, 0).again);
    assert_false(failover_decide(&one, &f, FAILOVER_STANDBY, 0).again);
    assert_false(failover_decide(&one, &f, FAILOVER_RETRIABLE, 0).again);
}

static void a_stale_connection_is_replaced_once_and_at_once(void **state)
{
    struct failover f = {0};
    struct failover_action a = failover_decide(&one, &f, FAILOVER_LOST_STALE, 0);
    assert_true(a.again);
    assert_false(a.next_address);
    assert_int_equal(a.delay_ms, 0);
    assert_false(failover_decide(&one, &f, FAILOVER_LOST_STALE, 0).again);
}

static void a_patient_client_waits_longer_and_longer_but_not_for_ever(void **state)
{
    struct failover f = {.started_ms = 1000};
    int64_t now_ms = 1000, last_ms = 0;
    int tries = 0;
    for (struct failover_action a; (a = failover_decide(&patient, &f, FAILOVER_NO_CONNECTION, now_ms)).again; tries++) {
        assert_false(a.next_address);
        assert_true(a.delay_ms > 0 && a.delay_ms <= 2000);
        assert_true(a.delay_ms >= last_ms || now_ms + a.delay_ms == 61000);
        last_ms = a.delay_ms;
        now_ms += a.delay_ms;
    }
    assert_int_equal(now_ms, 61000);
    assert_true(tries > 20 && tries < 50);
}

static void several_servers_are_tried_in_turn(void **state)
{
    struct failover f = {0};
    struct failover_action a = failover_decide(&two, &f, FAILOVER_STANDBY, 0);
    assert_true(a.again && a.next_address);
    assert_int_equal(a.delay_ms, 0); /* the other one may be in charge right now */
    int64_t last_ms = 0;
    int failovers = 1;
    for (; (a = failover_decide(&two, &f, FAILOVER_NO_CONNECTION, 0)).again; failovers++) {
        assert_true(a.next_address);
        assert_true(a.delay_ms <= 15000);
        if (a.delay_ms) {
            assert_true(a.delay_ms >= 500 && a.delay_ms >= last_ms);
            last_ms = a.delay_ms;
        }
    }
    assert_int_equal(failovers, 15);
}

static void a_server_that_asks_for_patience_is_kept(void **state)
{
    struct failover f = {0};
    int tries = 0;
    for (struct failover_action a; (a = failover_decide(&two, &f, FAILOVER_RETRIABLE, 0)).again; tries++) {
        assert_false(a.next_address);
        assert_true(a.delay_ms > 0);
    }
    assert_int_equal(tries, 10);
}

static void the_settings_bound_rounds_and_pauses(void **state)
{
    const struct failover_policy hasty = {
        .address_count = 2, .failovers_max = 4, .delay_min_ms = 10, .delay_max_ms = 15};
    const int64_t pauses[] = {0, 10, 0, 15}; /* one try each at once, then a pause that doubles up to its bound */
    struct failover f = {0};
    for (size_t i = 0; i < ARRAY_COUNT(pauses); i++) {
        struct failover_action a = failover_decide(&hasty, &f, FAILOVER_STANDBY, 0);
        assert_true(a.again && a.next_address);
        assert_int_equal(a.delay_ms, pauses[i]);
    }
    assert_false(failover_decide(&hasty, &f, FAILOVER_STANDBY, 0).again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_settings_bound_rounds_and_pauses),
        cmocka_unit_test(a_single_server_gets_no_second_chance),
        cmocka_unit_test(a_stale_connection_is_replaced_once_and_at_once),
        cmocka_unit_test(a_patient_client_waits_longer_and_longer_but_not_for_ever),
        cmocka_unit_test(several_servers_are_tried_in_turn),
        cmocka_unit_test(a_server_that_asks_for_patience_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

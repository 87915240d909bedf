#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "namenode/namespace/leases.h"

#define SOFT  60000
#define HARD  1200000
#define RETRY 30000

static void test_soft_and_hard_limits(void **state)
{
    struct leases *l = leases_new(SOFT, HARD, RETRY);
    uint64_t ids[4];
    leases_add(l, "ann", 7, 0);
    leases_add(l, "ann", 8, 10);
    assert_string_equal(leases_holder(l, 7), "ann");
    assert_false(leases_soft_expired(l, "ann", 10 + SOFT));
    assert_true(leases_soft_expired(l, "ann", 11 + SOFT));
    assert_true(leases_soft_expired(l, "nobody", 0));
    leases_renew(l, "ann", 1000);
    assert_false(leases_soft_expired(l, "ann", 1000 + SOFT));
    assert_int_equal(leases_take_expired(l, 1000 + HARD, ids, 4), 0);
    assert_int_equal(leases_take_expired(l, 1001 + HARD, ids, 4), 2);
    assert_int_equal(ids[0] + ids[1], 15);
    assert_int_equal(leases_take_expired(l, 1002 + HARD, ids, 4), 0); /* they come again after another period */
    leases_free(l);
}

static void test_a_holder_ends_with_its_last_file(void **state)
{
    struct leases *l = leases_new(SOFT, HARD, RETRY);
    leases_add(l, "ann", 7, 0);
    leases_add(l, "bob", 7, 5); /* taken over */
    assert_int_equal(leases_holder_count(l), 1);
    assert_string_equal(leases_holder(l, 7), "bob");
    leases_remove(l, 7);
    leases_remove(l, 7);
    assert_null(leases_holder(l, 7));
    assert_int_equal(leases_holder_count(l) + leases_file_count(l), 0);
    leases_renew(l, "bob", 9);
    assert_int_equal(leases_holder_count(l), 0);
    leases_free(l);
}

static void test_recoveries_come_again_soon(void **state)
{
    struct leases *l = leases_new(SOFT, HARD, RETRY);
    uint64_t id = 0;
    leases_add_recovering(l, "HDFS_NameNode-9", 9, 100);
    assert_true(leases_is_recovering(l, 9, 100 + RETRY));
    assert_false(leases_is_recovering(l, 9, 101 + RETRY));
    assert_int_equal(leases_take_expired(l, 101 + RETRY, &id, 1), 1);
    assert_false(leases_is_recovering(l, 9, 101 + RETRY)); /* whoever takes it shall try again */
    assert_int_equal(id, 9);
    leases_add(l, "ann", 9, 0);
    assert_false(leases_is_recovering(l, 9, 0));
    leases_free(l);
}

static void test_a_dead_writers_lease_is_free_at_once(void **state)
{
    struct leases *l = leases_new(SOFT, HARD, RETRY);
    uint64_t id = 0;
    leases_add(l, "ann", 7, 1000);
    leases_disconnected(l, "ann", true);
    leases_disconnected(l, "nobody", true);
    assert_true(leases_soft_expired(l, "ann", 1000));
    assert_int_equal(leases_take_expired(l, 1000 + SOFT, &id, 1), 0); /* nobody asked: it may come back */
    leases_renew(l, "ann", 2000);
    assert_false(leases_soft_expired(l, "ann", 2000));
    leases_disconnected(l, "ann", true);
    assert_int_equal(leases_take_expired(l, 2001 + SOFT, &id, 1), 1);
    assert_int_equal(id, 7);
    leases_free(l);
}

static void test_an_idle_connection_may_close(void **state)
{
    struct leases *l = leases_new(SOFT, HARD, RETRY);
    uint64_t id = 0;
    leases_add(l, "ann", 7, 1000);
    leases_disconnected(l, "ann", false);
    assert_false(leases_soft_expired(l, "ann", 1000 + SOFT));
    assert_int_equal(leases_take_expired(l, 1000 + SOFT, &id, 1), 0);
    assert_int_equal(leases_take_expired(l, 1001 + SOFT, &id, 1), 1); /* a living one renews twice in that time */
    leases_add(l, "ann", 8, 3000 + SOFT);                             /* and is back */
    assert_int_equal(leases_take_expired(l, 3001 + 2 * SOFT, &id, 1), 0);
    leases_free(l);
}

/* A lease with more files than fit, none of which can be released, does not keep all others from their turn. */
static void test_a_stuck_lease_is_not_in_the_way(void **state)
{
    enum { FILES = 250, ROOM = 100, OTHERS = 20 };
    struct leases *l = leases_new(SOFT, HARD, RETRY);
    bool seen[FILES + OTHERS] = {false};
    uint64_t ids[ROOM];
    size_t count = 0;
    char holder[32];
    for (uint64_t i = 0; i < FILES; i++)
        leases_add(l, "stuck", i, 0);
    for (uint64_t i = 0; i < OTHERS; i++) {
        snprintf(holder, sizeof holder, "other%d", (int)i);
        leases_add(l, holder, FILES + i, 0);
    }
    for (int round = 0; round < 10; round++)
        for (size_t got = leases_take_expired(l, 1 + HARD, ids, ROOM); got-- > 0;) {
            count += !seen[ids[got]];
            seen[ids[got]] = true;
        }
    assert_int_equal(count, FILES + OTHERS);
    assert_int_equal(leases_take_expired(l, 1 + HARD, ids, ROOM), 0);
    count = 0;
    for (size_t got; (got = leases_take_expired(l, 2 + 2 * HARD, ids, ROOM)); count += got)
        for (size_t i = 0; i < got; i++)
            leases_remove(l, ids[i]); /* now they can be: all of them come */
    assert_int_equal(count, FILES + OTHERS);
    assert_int_equal(leases_file_count(l), 0);
    leases_free(l);
}

static void test_many(void **state)
{
    struct leases *l = leases_new(SOFT, HARD, RETRY);
    char holder[32];
    for (uint64_t i = 0; i < 20000; i++) {
        snprintf(holder, sizeof holder, "client%d", (int)(i % 500));
        leases_add(l, holder, i, i);
    }
    assert_int_equal(leases_holder_count(l), 500);
    assert_string_equal(leases_holder(l, 12345), "client345");
    uint64_t ids[100];
    size_t seen = 0, got;
    while ((got = leases_take_expired(l, 20001 + HARD, ids, 100))) {
        seen += got;
        for (size_t i = 0; i < got; i++)
            leases_remove(l, ids[i]);
    }
    assert_int_equal(seen, 20000);
    assert_int_equal(leases_holder_count(l), 0);
    leases_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_soft_and_hard_limits),
        cmocka_unit_test(test_a_holder_ends_with_its_last_file),
        cmocka_unit_test(test_recoveries_come_again_soon),
        cmocka_unit_test(test_a_dead_writers_lease_is_free_at_once),
        cmocka_unit_test(test_an_idle_connection_may_close),
        cmocka_unit_test(test_a_stuck_lease_is_not_in_the_way),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

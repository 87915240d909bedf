/* What waits to be told to the namenode, and until when. */
#include "common/clock.h"
#include "datanode/report/reporter_impl.h"
#include "tests/unit/check.h"

#define STATUS(name) HDFS__RECEIVED_DELETED_BLOCK_INFO_PROTO__BLOCK_STATUS__##name

static struct reporter reporter;
static const char first_storage[] = "DS-1", second_storage[] = "DS-2";

static int setup(void **state)
{
    reporter = (struct reporter){.changes_due_ms = NEVER_MS};
    pthread_mutex_init(&reporter.lock, NULL);
    pthread_cond_init(&reporter.sender_wake, NULL);
    return 0;
}

static int teardown(void **state)
{
    changes_free(&reporter);
    pthread_cond_destroy(&reporter.sender_wake);
    pthread_mutex_destroy(&reporter.lock);
    return 0;
}

static struct replica_view replica(uint64_t id, uint64_t gen_stamp, const char *storage)
{
    return (struct replica_view){.block_id = id, .gen_stamp = gen_stamp, .disk_bytes = 10, .storage_id = storage};
}

static void begins(uint64_t id, uint64_t gen_stamp)
{
    struct replica_view v = replica(id, gen_stamp, first_storage);
    reporter_receiving(&reporter, &v);
}

static void ends(uint64_t id, uint64_t gen_stamp, const char *storage)
{
    struct replica_view v = replica(id, gen_stamp, storage);
    reporter_received(&reporter, &v, NULL);
}

static void expect(size_t i, uint64_t id, int status)
{
    assert_true(i < reporter.change_count);
    assert_int_equal(reporter.changes[i].block_id, id);
    assert_int_equal(reporter.changes[i].status, status);
}

static void of_a_short_block_only_the_end_is_told(void **state)
{
    begins(1, 100);
    begins(2, 100);
    ends(1, 100, first_storage);
    ends(2, 100, first_storage);
    assert_int_equal(reporter.change_count, 2);
    expect(0, 1, STATUS(RECEIVED));
    expect(1, 2, STATUS(RECEIVED));
    assert_int_equal(reporter.changes[0].bytes, 10);
}

static void what_is_another_version_or_elsewhere_is_told_apart(void **state)
{
    begins(1, 100);
    ends(1, 101, first_storage);
    begins(2, 100);
    ends(2, 100, second_storage);
    assert_int_equal(reporter.change_count, 4);
    expect(0, 1, STATUS(RECEIVING));
    expect(1, 1, STATUS(RECEIVED));
}

static void ends_are_never_forgotten(void **state)
{
    struct replica_view v = replica(1, 100, first_storage);
    begins(1, 100);
    ends(1, 100, first_storage);
    reporter_deleted(&reporter, &v);
    ends(1, 100, first_storage);
    assert_int_equal(reporter.change_count, 3);
    expect(0, 1, STATUS(RECEIVED));
    expect(1, 1, STATUS(DELETED));
    expect(2, 1, STATUS(RECEIVED));
    begins(2, 100);
    v = replica(2, 100, first_storage);
    reporter_deleted(&reporter, &v);
    assert_int_equal(reporter.change_count, 4);
    expect(3, 2, STATUS(DELETED));
}

static void what_nobody_waits_for_is_due_in_a_moment(void **state)
{
    struct replica_view v = replica(1, 100, first_storage);
    int64_t before_ms = clock_mono_ms();
    begins(1, 100);
    assert_true(reporter.changes_due_ms == NEVER_MS);
    reporter_received_unasked(&reporter, &v);
    int64_t due_ms = reporter.changes_due_ms;
    assert_true(due_ms > before_ms && due_ms <= clock_mono_ms() + 100);
    v = replica(2, 100, first_storage);
    reporter_received_unasked(&reporter, &v); /* does not put it off */
    assert_true(reporter.changes_due_ms == due_ms);
    ends(3, 100, first_storage); /* somebody waits: all of it goes */
    assert_true(reporter.changes_due_ms <= before_ms);
    assert_int_equal(reporter.change_count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(of_a_short_block_only_the_end_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_another_version_or_elsewhere_is_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_are_never_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(what_nobody_waits_for_is_due_in_a_moment, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What directories are after a change: believed for a moment, and not after somebody else's change. */
#include "fuse/posix/dir_stats.h"
#include "tests/unit/check.h"

static struct stat stat_of(uint64_t inode, long seconds, long nanoseconds)
{
    return (struct stat){.st_ino = inode, .st_ctim = {seconds, nanoseconds}};
}

static void test_the_newest_answer_counts(void **state)
{
    struct dir_stats *d = dir_stats_new();
    struct stat st, first = stat_of(7, 5, 1), second = stat_of(7, 5, 2), other = stat_of(7 + 256, 1, 0);
    uint64_t since = dir_stats_now(d);
    (void)state;
    assert_false(dir_stats_get(d, 7, &st));
    assert_false(dir_stats_get(d, 0, &st));
    dir_stats_put(d, &second, since);
    dir_stats_put(d, &first, since); /* it was made earlier, and comes later */
    assert_true(dir_stats_get(d, 7, &st));
    assert_int_equal(st.st_ctim.tv_nsec, 2);
    dir_stats_put(d, &other, since); /* in the same place */
    assert_false(dir_stats_get(d, 7, &st));
    assert_true(dir_stats_get(d, 7 + 256, &st));
    dir_stats_free(d);
}

static void test_nothing_is_believed_after_a_change(void **state)
{
    struct dir_stats *d = dir_stats_new();
    struct stat st, mine = stat_of(7, 5, 1);
    uint64_t since = dir_stats_now(d);
    (void)state;
    dir_stats_put(d, &mine, since);
    dir_stats_changed(d);
    assert_false(dir_stats_get(d, 7, &st));
    dir_stats_put(d, &mine, since); /* the answer to a call from before the change */
    assert_false(dir_stats_get(d, 7, &st));
    dir_stats_put(d, &mine, dir_stats_now(d));
    assert_true(dir_stats_get(d, 7, &st));
    dir_stats_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_newest_answer_counts),
                                       cmocka_unit_test(test_nothing_is_believed_after_a_change)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

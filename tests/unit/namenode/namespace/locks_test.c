/* Locks: fcntl's ranges against a model of single bytes, flock's, circles. */
#include "tests/unit/check.h"

#include <stdlib.h>
#include <string.h>

#include "namenode/namespace/locks.h"

#define INODE 7

static struct file_lock range(uint64_t owner, uint64_t start, uint64_t end, uint8_t type)
{
    return (struct file_lock){.session = 1, .owner = owner, .start = start, .end = end, .type = type};
}

static struct file_lock whole(uint64_t owner, uint8_t type)
{
    return (struct file_lock){.session = 1, .owner = owner, .end = UINT64_MAX, .type = type, .whole = true};
}

static void must_set(struct locks *l, uint64_t inode, struct file_lock lock)
{
    struct file_lock there;
    assert_false(locks_conflict(l, inode, &lock, &there));
    assert_int_equal(locks_set(l, inode, &lock, NULL), 0);
}

static bool is_refused(struct locks *l, struct file_lock lock, uint64_t *ret_start, uint64_t *ret_end)
{
    struct file_lock there = {0};
    bool refused = locks_conflict(l, INODE, &lock, &there);
    if (refused && ret_start) {
        *ret_start = there.start;
        *ret_end = there.end;
    }
    return refused;
}

static void ranges_split_and_become_one(void **state)
{
    struct locks *l = locks_new();
    uint64_t start = 0, end = 0;
    must_set(l, INODE, range(1, 0, 99, LOCK_EXCLUSIVE));
    must_set(l, INODE, range(1, 40, 59, LOCK_SHARED));
    assert_int_equal(locks_count(l), 3);
    assert_false(is_refused(l, range(2, 45, 50, LOCK_SHARED), NULL, NULL));
    assert_true(is_refused(l, range(2, 45, 60, LOCK_SHARED), &start, &end));
    assert_int_equal(start, 60);
    assert_int_equal(end, 99);
    must_set(l, INODE, range(1, 40, 59, LOCK_EXCLUSIVE));
    assert_int_equal(locks_count(l), 1);
    must_set(l, INODE, range(1, 100, UINT64_MAX, LOCK_EXCLUSIVE)); /* a neighbour */
    assert_int_equal(locks_count(l), 1);
    assert_true(is_refused(l, range(2, UINT64_MAX, UINT64_MAX, LOCK_SHARED), &start, &end));
    assert_int_equal(start, 0);
    assert_int_equal(end, UINT64_MAX);
    must_set(l, INODE, range(1, 0, UINT64_MAX, LOCK_NONE));
    assert_int_equal(locks_count(l), 0);
    locks_free(l);
}

static void the_two_kinds_do_not_see_each_other(void **state)
{
    struct locks *l = locks_new();
    must_set(l, INODE, range(1, 0, UINT64_MAX, LOCK_EXCLUSIVE));
    must_set(l, INODE, whole(2, LOCK_SHARED));
    must_set(l, INODE, whole(3, LOCK_SHARED));
    assert_true(is_refused(l, whole(2, LOCK_EXCLUSIVE), NULL, NULL));
    must_set(l, INODE, whole(3, LOCK_NONE));
    must_set(l, INODE, whole(2, LOCK_EXCLUSIVE));
    assert_true(is_refused(l, whole(3, LOCK_SHARED), NULL, NULL));
    assert_int_equal(locks_count(l), 2);
    locks_free(l);
}

static void note(void *context, uint64_t inode)
{
    *(uint64_t *)context += inode;
}

static void a_session_ends_with_its_locks(void **state)
{
    struct locks *l = locks_new();
    struct file_lock other = range(1, 5, 5, LOCK_EXCLUSIVE);
    uint64_t freed = 0;
    other.session = 2;
    for (uint64_t inode = 1; inode <= 100; inode++)
        must_set(l, inode, range(1, 0, 4, LOCK_EXCLUSIVE));
    must_set(l, 50, other);
    must_set(l, 200, other);
    assert_true(locks_end_file(l, 1, 50));
    assert_false(locks_end_file(l, 1, 50));
    assert_int_equal(locks_count(l), 101);
    locks_end_session(l, 1, note, &freed);
    assert_int_equal(freed, 5000);
    assert_int_equal(locks_count(l), 2);
    locks_free(l);
}

static void there_are_not_too_many(void **state)
{
    struct locks *l = locks_new();
    struct err why;
    for (uint64_t i = 0; i < LOCKS_PER_INODE_MAX; i++)
        must_set(l, INODE, range(1, 2 * i, 2 * i, LOCK_EXCLUSIVE));
    struct file_lock one_more = range(1, 1ull << 40, 1ull << 40, LOCK_EXCLUSIVE);
    assert_int_equal(locks_set(l, INODE, &one_more, &why), ERR_NO_LOCKS);
    assert_int_equal(locks_count(l), LOCKS_PER_INODE_MAX);
    must_set(l, INODE, range(1, 0, UINT64_MAX, LOCK_EXCLUSIVE));
    assert_int_equal(locks_count(l), 1);
    locks_free(l);
}

static void circles_are_seen(void **state)
{
    struct locks *l = locks_new();
    for (uint64_t owner = 1; owner <= 3; owner++)
        must_set(l, owner, range(owner, 0, 9, LOCK_EXCLUSIVE)); /* each has the file of its number */
    struct lock_wait waiting[] = {{2, range(1, 0, 0, LOCK_SHARED)}, {3, range(2, 0, 0, LOCK_SHARED)}};
    struct lock_wait closes = {1, range(3, 5, 5, LOCK_SHARED)}, ends = {1, range(4, 5, 5, LOCK_SHARED)};
    struct lock_wait elsewhere = {1, range(3, 10, 10, LOCK_SHARED)};
    assert_true(locks_deadlock(l, &closes, waiting, 2));
    assert_false(locks_deadlock(l, &closes, waiting, 1));
    assert_false(locks_deadlock(l, &ends, waiting, 2));
    assert_false(locks_deadlock(l, &elsewhere, waiting, 2));
    locks_free(l);
}

/* ---- against a model: who has which byte ---- */

#define BYTES  64
#define OWNERS 4

static void random_ranges(void **state)
{
    const char *seed = getenv("SEED");
    uint64_t random = seed ? strtoull(seed, NULL, 10) : 17;
    uint8_t model[OWNERS][BYTES];
    struct locks *l = locks_new();
    size_t refused = 0;
    memset(model, LOCK_NONE, sizeof model);
    for (int step = 0; step < 20000; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t owner = random >> 33 & 3, start = random >> 36 & 63, len = 1 + (random >> 45 & 15),
                 end = start + len - 1;
        uint8_t type = (uint8_t)((random >> 52) % 3);
        end = end < BYTES ? end : BYTES - 1;
        bool wanted = false;
        for (uint64_t o = 0; o < OWNERS; o++)
            for (uint64_t b = start; b <= end; b++)
                wanted = wanted || (o != owner && type != LOCK_NONE && model[o][b] != LOCK_NONE &&
                                    (type == LOCK_EXCLUSIVE || model[o][b] == LOCK_EXCLUSIVE));
        struct file_lock lock = range(owner, start, end, type), there;
        assert_int_equal(locks_conflict(l, INODE, &lock, &there), wanted);
        refused += wanted;
        if (wanted)
            continue;
        assert_int_equal(locks_set(l, INODE, &lock, NULL), 0);
        for (uint64_t b = start; b <= end; b++)
            model[owner][b] = type;
        size_t runs = 0;
        for (size_t o = 0; o < OWNERS; o++)
            for (size_t b = 0; b < BYTES; b++)
                runs += model[o][b] != LOCK_NONE && (!b || model[o][b - 1] != model[o][b]);
        assert_int_equal(locks_count(l), runs);
    }
    assert_true(refused > 1000);
    locks_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_split_and_become_one),
        cmocka_unit_test(the_two_kinds_do_not_see_each_other),
        cmocka_unit_test(a_session_ends_with_its_locks),
        cmocka_unit_test(there_are_not_too_many),
        cmocka_unit_test(circles_are_seen),
        cmocka_unit_test(random_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

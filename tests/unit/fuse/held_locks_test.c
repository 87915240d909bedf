/* What is remembered of locks is what each byte's lock is, whatever they replaced. */
#include <string.h>

#include "fuse/posix/held_locks.h"
#include "tests/unit/check.h"

#define BYTES  60
#define OWNERS 3

static unsigned random_state = 3;

static unsigned random_below(unsigned n)
{
    random_state = random_state * 1103515245 + 12345;
    return (random_state >> 8) % n;
}

static void test_every_byte_has_the_lock_that_was_set_last(void **state)
{
    static struct held_locks h;
    for (int round = 0; round < 500; round++) {
        int model[OWNERS][BYTES];
        struct posix_lock other = {.id = 8, .end = POSIX_LOCK_TO_END};
        held_locks_set(&h, &other);
        memset(model, -1, sizeof model);
        for (int i = 0; i < 40; i++) {
            uint64_t start = random_below(BYTES), end = start + random_below(BYTES - (unsigned)start);
            struct posix_lock l = {
                .id = 7, .owner = random_below(OWNERS), .start = start, .end = end, .type = random_below(3)};
            held_locks_set(&h, &l);
            assert_int_equal(held_locks_have(&h, &l), l.type != POSIX_LOCK_NONE);
            for (uint64_t at = start; at <= end; at++)
                model[l.owner][at] = l.type == POSIX_LOCK_NONE ? -1 : (int)l.type;
        }
        for (uint64_t owner = 0; owner < OWNERS; owner++)
            for (uint64_t at = 0; at < BYTES; at++) {
                int found = -1, times = 0;
                for (size_t i = 0; i < h.count; i++)
                    if (h.items[i].id == 7 && h.items[i].owner == owner && h.items[i].start <= at &&
                        at <= h.items[i].end) {
                        found = (int)h.items[i].type;
                        times++;
                    }
                assert_int_equal(found, model[owner][at]);
                assert_true(times <= 1);
            }
        held_locks_end_file(&h, 7);
        assert_true(h.count == 1 && held_locks_have(&h, &other));
        held_locks_end_file(&h, 8);
        assert_int_equal(h.count, 0);
    }
}

static void test_whole_files_and_ranges_do_not_see_each_other(void **state)
{
    static struct held_locks h;
    struct posix_lock whole = {.owner = 1, .whole = true, .end = POSIX_LOCK_TO_END, .type = POSIX_LOCK_EXCLUSIVE};
    struct posix_lock range = {.owner = 1, .start = 5, .end = POSIX_LOCK_TO_END, .type = POSIX_LOCK_SHARED};
    held_locks_set(&h, &whole);
    held_locks_set(&h, &range);
    assert_int_equal(h.count, 2);
    range.type = POSIX_LOCK_NONE;
    range.start = 0;
    held_locks_set(&h, &range);
    assert_int_equal(h.count, 1);
    assert_true(h.items[0].whole);
}

static void test_who_locked_through_a_handle_is_found(void **state)
{
    static struct held_locks h;
    uint64_t owner = 0;
    struct posix_lock l = {.id = 7, .owner = 1, .end = 99, .type = POSIX_LOCK_SHARED, .handle = 5};
    struct posix_lock middle = {.id = 7, .owner = 1, .start = 10, .end = 19, .type = POSIX_LOCK_NONE, .handle = 6};
    struct posix_lock all = {.id = 7, .owner = 1, .end = POSIX_LOCK_TO_END, .type = POSIX_LOCK_NONE};
    struct posix_lock whole = {.id = 7, .whole = true, .end = POSIX_LOCK_TO_END, .handle = 8};
    held_locks_set(&h, &l);
    held_locks_set(&h, &middle);
    held_locks_set(&h, &whole);
    assert_true(held_locks_owner(&h, 7, 5, &owner) && owner == 1);
    assert_false(held_locks_owner(&h, 7, 6, &owner) || held_locks_owner(&h, 7, 8, &owner));
    assert_false(held_locks_owner(&h, 8, 5, &owner));
    held_locks_set(&h, &all);
    assert_false(held_locks_owner(&h, 7, 5, &owner));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_has_the_lock_that_was_set_last),
        cmocka_unit_test(test_who_locked_through_a_handle_is_found),
        cmocka_unit_test(test_whole_files_and_ranges_do_not_see_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

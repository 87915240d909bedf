/* What the namenode is told of files that are open. */
#include "fuse/posix/opens.h"

#include "tests/unit/check.h"

/* Its number is not known before the answer, so it cannot be listed. */
static void test_a_list_does_not_speak_of_what_is_being_made(void **state)
{
    struct posix_mount m = {.store.memory = keeper_memory_new(), .opens = opens_told_new()};
    struct opens_telling first, second, told;
    struct posix_opened opened;
    m.store.memory->openings = 7;
    assert_int_equal(opens_tell(&m, true, &first)->opened, 8);
    assert_int_equal(opens_tell(&m, true, &second)->opened, 9);
    assert_int_equal(opens_tell(&m, false, &told)->opened, 0);
    for (uint64_t until = 7; until <= 9; until++) {
        opens_list(&m, &opened);
        assert_int_equal(opened.until, until);
        assert_int_equal(opened.count, 0);
        opens_listed(&m, &opened);
        if (until < 9)
            opens_tell_end(&m, until == 7 ? &first : &second);
    }
    opens_told_free(m.opens);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_list_does_not_speak_of_what_is_being_made)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

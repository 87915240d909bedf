#include "tests/unit/check.h"

#include "datanode/store/volume_choice.h"

#define GIB (INT64_C(1) << 30)

static void round_robin_takes_each_in_turn(void **state)
{
    struct volume_choice c = {0};
    struct volume_offer offers[] = {{3, 1}, {5, 100 * GIB}, {7, GIB}};
    const uint16_t want[] = {3, 5, 7, 3, 5};
    for (uint64_t turn = 0; turn < 5; turn++)
        assert_int_equal(volume_choose(&c, offers, 3, turn, 0.0), want[turn]);
}

static void by_space_prefers_those_with_room(void **state)
{
    struct volume_choice c = {.by_space = true, .equal_bytes = 10 * GIB, .preference = 0.75};
    struct volume_offer offers[] = {{0, 5 * GIB}, {1, 100 * GIB}, {2, 15 * GIB}, {3, 90 * GIB}};
    assert_int_equal(volume_choose(&c, offers, 4, 0, 0.5), 1);
    assert_int_equal(volume_choose(&c, offers, 4, 1, 0.5), 3);
    assert_int_equal(volume_choose(&c, offers, 4, 0, 0.9), 0);
    assert_int_equal(volume_choose(&c, offers, 4, 1, 0.9), 2);
}

static void by_space_takes_equal_ones_in_turn(void **state)
{
    struct volume_choice c = {.by_space = true, .equal_bytes = 10 * GIB, .preference = 1.0};
    struct volume_offer offers[] = {{0, 50 * GIB}, {1, 59 * GIB}};
    assert_int_equal(volume_choose(&c, offers, 2, 0, 0.0), 0);
    assert_int_equal(volume_choose(&c, offers, 2, 1, 0.0), 1);
    assert_int_equal(volume_choose(&c, offers, 1, 9, 0.0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_robin_takes_each_in_turn),
        cmocka_unit_test(by_space_prefers_those_with_room),
        cmocka_unit_test(by_space_takes_equal_ones_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Whose groups a user has: those of the overrides, or the machine's. */
#include "tests/unit/namenode/namespace/fixture.h"

static struct fs_user load(struct fixture *f, const char *name)
{
    struct fs_user u;
    fs_user_forget_groups();
    fs_user_load(&u, f->nn.dir, name);
    return u;
}

static void overrides_are_all_the_groups_a_user_has(void **state)
{
    struct fixture *f = *state;
    fs_user_fix_groups(" dr.who=; ann = staff, editors ;bob=supergroup;daemon=");
    struct fs_user ann = load(f, "ann"), bob = load(f, "bob"), nobody = load(f, "an");
    assert_int_equal(ann.group_count, 2);
    assert_true(fs_user_in_group(&ann, "staff") && fs_user_in_group(&ann, "editors"));
    assert_false(ann.is_super);
    assert_true(bob.is_super);
    assert_int_equal(nobody.group_count, 0);
    assert_int_equal(load(f, "dr.who").group_count, 0);
    assert_int_equal(load(f, "daemon").group_count, 0); /* the machine knows it, too */
    fs_user_fix_groups("dr.who=;");
    assert_int_equal(load(f, "ann").group_count, 0);
    assert_int_equal(load(f, "daemon").group_count, 1);
}

static void odd_overrides_end(void **state)
{
    struct fixture *f = *state;
    for (const char *const *text = (const char *[]){"", ";;;", "=", "a", "a=", "=b;", "a=,,;", "a=b=c;d", NULL}; *text;
         text++) {
        fs_user_fix_groups(*text);
        (void)load(f, "a");
    }
    fs_user_fix_groups("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(overrides_are_all_the_groups_a_user_has, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(odd_overrides_end, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Whose groups a user has: those of the overrides, or the machine's. */
#include "tests/unit/namenode/namespace/fixture.h"

static struct fs_user load(struct fixture *f, const char *name)
{
    struct fs_user u;
    user_groups_forget();
    fs_user_load(&u, f->nn.dir, name);
    return u;
}

static void overrides_are_all_the_groups_a_user_has(void **state)
{
    struct fixture *f = *state;
    user_groups_fix(" dr.who=; ann = staff, editors ;bob=supergroup;daemon=");
    struct fs_user ann = load(f, "ann"), bob = load(f, "bob"), nobody = load(f, "an");
    assert_int_equal(ann.groups.count, 2);
    assert_true(fs_user_in_group(&ann, "staff") && fs_user_in_group(&ann, "editors"));
    assert_false(ann.is_super);
    assert_true(bob.is_super);
    assert_int_equal(nobody.groups.count, 0);
    assert_int_equal(load(f, "dr.who").groups.count, 0);
    assert_int_equal(load(f, "daemon").groups.count, 0); /* the machine knows it, too */
    user_groups_fix("dr.who=;");
    assert_int_equal(load(f, "ann").groups.count, 0);
    assert_int_equal(load(f, "daemon").groups.count, 1);
}

static void odd_overrides_end(void **state)
{
    struct fixture *f = *state;
    for (const char *const *text = (const char *[]){"", ";;;", "=", "a", "a=", "=b;", "a=,,;", "a=b=c;d", NULL}; *text;
         text++) {
        user_groups_fix(*text);
        (void)load(f, "a");
    }
    user_groups_fix("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(overrides_are_all_the_groups_a_user_has, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(odd_overrides_end, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "namenode/namespace/erasure.h"

#include "tests/unit/namenode/namespace/fixture.h"

/* What a content summary says of the path. */
static const char *policy(struct fixture *f, const char *text)
{
    struct txn t;
    struct path p;
    const char *found = NULL;
    txn_begin(&t, f->nn.dir, f->now_ns);
    assert_int_equal(path_resolve(&t, &f->root, text, 0, &p, &f->err), 0);
    found = path_erasure_policy(&p);
    txn_end(&t);
    return found;
}

static int set(struct fixture *f, const struct fs_user *u, const char *path)
{
    return IN_TXN(f, tree_set_replication_policy(t, u, path, ERR(f)));
}

static int unset(struct fixture *f, const struct fs_user *u, const char *path)
{
    return IN_TXN(f, tree_unset_erasure_policy(t, u, path, ERR(f)));
}

static void a_directory_keeps_it_and_those_below_show_it(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d/e");
    assert_string_equal(policy(f, "/d/e"), "");
    assert_int_equal(set(f, &f->root, "/d"), 0);
    assert_int_equal(set(f, &f->root, "/d"), 0);
    fixture_reopen(f);
    assert_string_equal(policy(f, "/d"), "replication");
    assert_string_equal(policy(f, "/d/e"), "replication");
    assert_string_equal(policy(f, "/"), "");
    assert_int_equal(unset(f, &f->root, "/d/e"), ERR_NO_EC_POLICY);
    assert_int_equal(unset(f, &f->root, "/d"), 0);
    assert_int_equal(unset(f, &f->root, "/d"), ERR_NO_EC_POLICY);
    assert_string_equal(policy(f, "/d/e"), "");
}

static void it_takes_a_directory_and_the_right_to_write(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d");
    assert_int_equal(set(f, &f->ann, "/d"), ERR_ACCESS);
    assert_int_equal(unset(f, &f->ann, "/d"), ERR_ACCESS);
    assert_int_equal(set(f, &f->root, "/none"), ERR_NOT_FOUND);
    assert_string_equal(f->err.text, "Path not found: /none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_directory_keeps_it_and_those_below_show_it, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(it_takes_a_directory_and_the_right_to_write, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

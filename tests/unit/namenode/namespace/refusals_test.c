/* What an ordinary user is told who may not do what he asks for, and which could not be done anyway: permissions come
 * where HDFS looks at them, most of them before whether there is anything. */
#include "tests/unit/namenode/namespace/nodes.h"

static void setup(struct fixture *f)
{
    nodes_up(f);
    mkdirs(f, "/d");
    mkdirs(f, "/d/sub");
    mkdirs(f, "/bob");
    file_of(f, "/d/file", 10);
    file_of(f, "/bob/file", 10);
    assert_int_equal(IN_TXN(f, tree_set_owner(t, &f->root, "/bob", "bob", NULL, ERR(f))), 0);
}

#define ASSERT_WANTS_W(f, call, dir)                                                                                   \
    do {                                                                                                               \
        assert_int_equal(call, ERR_ACCESS);                                                                            \
        assert_non_null(strstr((f)->err.text, "user=bob, access=WRITE, inode=\"" dir "\""));                           \
    } while (0)

static void test_create(void **state)
{
    struct fixture *f = *state;
    struct inode *n;
    setup(f);
    ASSERT_WANTS_W(f, create(f, &f->bob, "/d/sub", "c", false, NULL), "/d");
    ASSERT_WANTS_W(f, create(f, &f->bob, "/d/file", "c", false, NULL), "/d");
    ASSERT_WANTS_W(f, create(f, &f->bob, "/d/file", "c", true, NULL), "/d");
    assert_int_equal(create(f, &f->bob, "/", "c", false, NULL), ERR_EXISTS); /* which is in no directory */
    struct file_create_args args = {.path = "/d/new",
                                    .client_name = "c",
                                    .client_machine = "127.0.0.1",
                                    .replication = 3,
                                    .block_bytes = 1,
                                    .create = true};
    ASSERT_WANTS_W(f, IN_TXN(f, file_create(o, &f->bob, &args, &n, ERR(f))), "/d");
    args.path = "/bob/file";
    args.overwrite = true;
    ASSERT_WANTS_W(f, IN_TXN(f, file_create(o, &f->bob, &args, &n, ERR(f))), "/bob/file");
    args.path = "/bob/missing/new";
    assert_int_equal(IN_TXN(f, file_create(o, &f->bob, &args, &n, ERR(f))), ERR_NOT_FOUND);
    args.path = "/bob/new";
    assert_int_equal(IN_TXN(f, file_create(o, &f->bob, &args, &n, ERR(f))), ERR_IO);
}

static void test_new_names(void **state)
{
    struct fixture *f = *state;
    setup(f);
    assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->bob, "/d/file", 0755, true, ERR(f))), ERR_EXISTS);
    assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->bob, "/d/sub", 0755, true, ERR(f))), 0);
    ASSERT_WANTS_W(f, IN_TXN(f, tree_mkdirs(t, &f->bob, "/d/missing/new", 0755, false, ERR(f))), "/d");
    assert_int_equal(IN_TXN(f, tree_symlink(t, &f->bob, "/x", "/d/file", false, ERR(f))), ERR_IO);
    assert_int_equal(IN_TXN(f, tree_symlink(t, &f->bob, "/x", "/d/missing/new", false, ERR(f))), ERR_NOT_FOUND);
    ASSERT_WANTS_W(f, IN_TXN(f, tree_symlink(t, &f->bob, "/x", "/d/missing/new", true, ERR(f))), "/d");
}

static void test_renames(void **state)
{
    struct fixture *f = *state;
    bool done;
    setup(f);
    ASSERT_WANTS_W(f, IN_TXN(f, tree_rename(t, &f->bob, "/d/missing", "/bob/x", &done, ERR(f))), "/d");
    ASSERT_WANTS_W(f, IN_TXN(f, tree_rename(t, &f->bob, "/bob/missing", "/d/x", &done, ERR(f))), "/d");
    ASSERT_WANTS_W(f, IN_TXN(f, tree_rename(t, &f->bob, "/bob/missing", "/d/sub", &done, ERR(f))), "/d/sub");
    ASSERT_WANTS_W(f, IN_TXN(f, tree_rename(t, &f->bob, "/", "/d/sub", &done, ERR(f))), "/d/sub");
    assert_int_equal(IN_TXN(f, tree_rename(t, &f->bob, "/d/missing/x", "/bob/x", &done, ERR(f))), 0);
    assert_false(done);
    ASSERT_WANTS_W(f, IN_TXN(f, tree_rename2(t, &f->bob, "/d/missing", "/bob/x", false, ERR(f))), "/d");
    ASSERT_WANTS_W(f, IN_TXN(f, tree_rename2(t, &f->bob, "/bob/file", "/d/file", false, ERR(f))), "/d");
    ASSERT_WANTS_W(f, IN_TXN(f, tree_rename2(t, &f->bob, "/", "/d/x", false, ERR(f))), "/d");
    assert_int_equal(IN_TXN(f, tree_rename2(t, &f->bob, "/bob/missing", "/bob/x", false, ERR(f))), ERR_NOT_FOUND);
}

static void test_removals(void **state)
{
    struct fixture *f = *state;
    bool done;
    setup(f);
    ASSERT_WANTS_W(f, IN_TXN(f, tree_delete(t, &f->bob, "/d/missing", true, &done, ERR(f))), "/d");
    ASSERT_WANTS_W(f, tree_check_delete(f->nn.dir, &f->bob, "/d/missing", ERR(f)), "/d");
    ASSERT_WANTS_W(f, IN_TXN(f, tree_delete(t, &f->bob, "/d/sub", false, &done, ERR(f))), "/d");
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->bob, "/d/missing/x", true, &done, ERR(f))), 0);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->bob, "/bob/missing", true, &done, ERR(f))), 0);
    assert_false(done);
}

static void test_files(void **state)
{
    struct fixture *f = *state;
    struct inode *n = NULL;
    struct file_block *b;
    bool done;
    setup(f);
    assert_int_equal(IN_TXN(f, file_append(o, &f->bob, "/d/sub", "c", "127.0.0.1", false, &n, &b, ERR(f))), ERR_EXISTS);
    ASSERT_WANTS_W(f, IN_TXN(f, file_append(o, &f->bob, "/d/file", "c", "127.0.0.1", false, &n, &b, ERR(f))),
                   "/d/file");
    ASSERT_WANTS_W(f, IN_TXN(f, file_truncate(o, &f->bob, "/d/sub", 0, "c", "127.0.0.1", &done, ERR(f))), "/d/sub");
    assert_int_equal(IN_TXN(f, file_truncate(o, &f->bob, "/bob", 0, "c", "127.0.0.1", &done, ERR(f))), ERR_NOT_FOUND);
    ASSERT_WANTS_W(f, IN_TXN(f, tree_set_replication(t, &f->bob, "/d/sub", 2, &n, ERR(f))), "/d/sub");
    assert_int_equal(IN_TXN(f, tree_set_replication(t, &f->bob, "/bob", 2, &n, ERR(f))), 0);
    assert_null(n);
    assert_int_equal(IN_TXN(f, tree_set_replication(t, &f->bob, "/d/missing", 2, &n, ERR(f))), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {T(test_create), T(test_new_names), T(test_renames), T(test_removals),
                                       T(test_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

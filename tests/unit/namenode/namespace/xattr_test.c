#include "namenode/namespace/xattr.h"

#include "tests/unit/namenode/namespace/fixture.h"

static struct xattr xattr(enum xattr_space space, const char *name, const char *value)
{
    return (struct xattr){space, name, value != NULL, {(const uint8_t *)value, value ? strlen(value) : 0}};
}

static int set(struct fixture *f, const struct fs_user *u, const char *path, struct xattr x, unsigned flags)
{
    return IN_TXN(f, tree_set_xattr(t, u, path, &x, flags, ERR(f)));
}

static int drop(struct fixture *f, const struct fs_user *u, const char *path, struct xattr x)
{
    return IN_TXN(f, tree_remove_xattr(t, u, path, &x, ERR(f)));
}

/* "space.name=value ..." as the user sees them, or the error's text. */
static const char *list(struct fixture *f, const struct fs_user *u, const char *path)
{
    static char out[4096];
    struct txn t;
    const struct xattr *found = NULL;
    size_t count = 0;
    out[0] = 0;
    f->err = (struct err){0};
    txn_begin(&t, f->nn.dir, f->now_ns);
    if (tree_get_xattrs(&t, u, path, NULL, 0, &found, &count, &f->err))
        snprintf(out, sizeof out, "%s", f->err.text);
    for (size_t i = 0; i < count; i++)
        snprintf(out + strlen(out), sizeof out - strlen(out), "%s%d.%s=%.*s", i ? " " : "", found[i].space,
                 found[i].name, (int)found[i].value.len, (const char *)found[i].value.base);
    txn_end(&t);
    return out;
}

#define BOTH (XATTR_FLAG_CREATE | XATTR_FLAG_REPLACE)

static void flags_decide_between_new_and_old(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d");
    assert_int_equal(set(f, &f->root, "/d", xattr(XATTR_USER, "a", "1"), XATTR_FLAG_REPLACE), ERR_IO);
    assert_string_equal(f->err.text, "XAttr: a does not exist. The CREATE flag must be specified.");
    assert_int_equal(set(f, &f->root, "/d", xattr(XATTR_USER, "a", "1"), XATTR_FLAG_CREATE), 0);
    assert_int_equal(set(f, &f->root, "/d", xattr(XATTR_USER, "a", "2"), XATTR_FLAG_CREATE), ERR_IO);
    assert_string_equal(f->err.text, "XAttr: a already exists. The REPLACE flag must be specified.");
    assert_int_equal(set(f, &f->root, "/d", xattr(XATTR_USER, "a", "2"), 0), ERR_HADOOP_ILLEGAL_ARGUMENT);
    assert_int_equal(set(f, &f->root, "/d", xattr(XATTR_TRUSTED, "a", NULL), BOTH), 0);
    assert_int_equal(set(f, &f->root, "/d", xattr(XATTR_USER, "a", "2"), BOTH), 0);
    fixture_reopen(f);
    assert_string_equal(list(f, &f->root, "/d"), "0.a=2 1.a=");
    assert_int_equal(drop(f, &f->root, "/d", xattr(XATTR_USER, "a", NULL)), 0);
    assert_int_equal(drop(f, &f->root, "/d", xattr(XATTR_USER, "a", NULL)), ERR_IO);
    assert_string_equal(f->err.text, "No matching attributes found for remove operation");
    assert_string_equal(list(f, &f->root, "/d"), "1.a=");
    assert_int_equal(set(f, &f->root, "/no", xattr(XATTR_USER, "a", ""), BOTH), ERR_NOT_FOUND);
}

static void each_space_has_its_people(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d");
    assert_int_equal(IN_TXN(f, tree_set_owner(t, &f->root, "/d", "ann", "staff", ERR(f))), 0);
    assert_int_equal(set(f, &f->ann, "/d", xattr(XATTR_USER, "u", "x"), BOTH), 0);
    assert_int_equal(set(f, &f->bob, "/d", xattr(XATTR_USER, "u", "x"), BOTH), ERR_ACCESS);
    assert_int_equal(set(f, &f->ann, "/d", xattr(XATTR_TRUSTED, "t", "x"), BOTH), ERR_ACCESS);
    assert_string_equal(f->err.text, "User doesn't have permission for xattr: trusted.t");
    assert_int_equal(set(f, &f->root, "/d", xattr(XATTR_TRUSTED, "t", "x"), BOTH), 0);
    assert_int_equal(set(f, &f->root, "/d", xattr(XATTR_SYSTEM, "s", "x"), BOTH), ERR_ACCESS);
    assert_int_equal(set(f, &f->root, "/d", xattr(XATTR_SECURITY, "s", "x"), BOTH), ERR_ACCESS);
    assert_int_equal(set(f, &f->root, "/d", xattr(XATTR_RAW, "r", "x"), BOTH), ERR_ACCESS);
    assert_int_equal(set(f, &f->root, "/.reserved/raw/d", xattr(XATTR_RAW, "r", "x"), BOTH), 0);
    assert_int_equal(set(f, &f->ann, "/.reserved/raw/d", xattr(XATTR_RAW, "r", "x"), BOTH), ERR_ACCESS);
    assert_string_equal(list(f, &f->root, "/d"), "1.t=x 0.u=x");
    assert_string_equal(list(f, &f->root, "/.reserved/raw/d"), "4.r=x 1.t=x 0.u=x");
    assert_string_equal(list(f, &f->ann, "/d"), "0.u=x");
    /* In a shared directory only its owner's. */
    assert_int_equal(IN_TXN(f, tree_set_permission(t, &f->root, "/d", 01777, ERR(f))), 0);
    assert_int_equal(set(f, &f->bob, "/d", xattr(XATTR_USER, "b", "x"), BOTH), ERR_ACCESS);
    assert_int_equal(set(f, &f->ann, "/d", xattr(XATTR_USER, "b", "x"), BOTH), 0);
}

static void a_file_may_be_kept_from_the_superuser(void **state)
{
    struct fixture *f = *state;
    struct xattr mark = xattr(XATTR_SECURITY, "hdfs.unreadable.by.superuser", NULL);
    struct file_create_args args = {.path = "/f",
                                    .client_name = "c",
                                    .client_machine = "127.0.0.1",
                                    .mode = 0644,
                                    .replication = 1,
                                    .block_bytes = 1 << 20,
                                    .create = true};
    struct inode *n = NULL;
    assert_int_equal(IN_TXN(f, file_create(o, &f->root, &args, &n, ERR(f))), 0);
    assert_int_equal(set(f, &f->root, "/", mark, BOTH), ERR_IO);
    assert_string_equal(f->err.text, "Can only set 'security.hdfs.unreadable.by.superuser' on a file.");
    struct xattr with_value = mark;
    with_value.has_value = true;
    assert_int_equal(set(f, &f->root, "/f", with_value, BOTH), ERR_ACCESS);
    assert_int_equal(set(f, &f->root, "/f", mark, BOTH), 0);
    assert_int_equal(drop(f, &f->root, "/f", mark), ERR_ACCESS);
    struct txn t;
    struct path p;
    txn_begin(&t, f->nn.dir, f->now_ns);
    assert_int_equal(path_resolve(&t, &f->root, "/f", 0, &p, ERR(f)), 0);
    assert_int_equal(xattr_check_superuser_may_read(&f->root, path_target(&p), ERR(f)), ERR_ACCESS);
    assert_int_equal(xattr_check_superuser_may_read(&f->ann, path_target(&p), ERR(f)), 0);
    txn_end(&t);
}

static void number_and_size_are_limited(void **state)
{
    struct fixture *f = *state;
    char name[16], *value = mem_calloc(1, 16385);
    mkdirs(f, "/d");
    for (int i = 0; i < 32; i++) {
        snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(set(f, &f->root, "/d", xattr(i % 2 ? XATTR_USER : XATTR_TRUSTED, name, "v"), BOTH), 0);
    }
    assert_int_equal(set(f, &f->root, "/d", xattr(XATTR_USER, "more", "v"), BOTH), ERR_IO);
    assert_string_equal(f->err.text, "Cannot add additional XAttr to inode, would exceed limit of 32");
    memset(value, 'x', 16384);
    assert_int_equal(set(f, &f->root, "/d", xattr(XATTR_USER, "n1", value), BOTH), ERR_HADOOP_ILLEGAL_ARGUMENT);
    assert_string_equal(f->err.text, "The XAttr is too big. The maximum combined size of the name and value is 16384, "
                                     "but the total size is 16386");
    value[16382] = 0;
    assert_int_equal(set(f, &f->root, "/d", xattr(XATTR_USER, "n1", value), BOTH), 0);
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(flags_decide_between_new_and_old, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(each_space_has_its_people, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_file_may_be_kept_from_the_superuser, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(number_and_size_are_limited, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

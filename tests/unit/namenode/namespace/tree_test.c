#include "tests/unit/namenode/namespace/fixture.h"

#include "namenode/namespace/protected.h"

/* ---- making ---- */

static void test_mkdirs(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/a/b/c");
    struct seen a = look(f, "/a"), c = look(f, "/a/b/c");
    assert_true(a.is_dir && c.is_dir);
    assert_int_equal(a.id, INODE_FIRST);
    assert_int_equal(a.subdirs, 1);
    assert_string_equal(c.owner, "root");
    assert_string_equal(c.group, "supergroup");
    mkdirs(f, "/a/b/c"); /* again is fine */
    assert_int_equal(look(f, "/a/b/c").id, c.id);
    assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->root, "/x/y", 0755, false, ERR(f))), ERR_NOT_FOUND);
    assert_string_equal(f->err.text, "Parent directory doesn't exist: /x");
    assert_false(look(f, "/x").exists);
    assert_int_equal(f->nn.dir->counters.inodes, 4);
    assert_int_equal(f->nn.dir->counters.directories, 4);
}

static void test_mkdirs_refuses_bad_paths(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"a", "/a/../b", "/a/./b", "/a//b", "/a:b"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->root, bad[i], 0755, true, ERR(f))), ERR_INVALID_PATH);
    assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->root, "", 0755, true, ERR(f))), ERR_ILLEGAL_ARGUMENT);
    for (const char *const *name = (const char *[]){"/.reserved", "/.reserved/x", NULL}; *name; name++)
        assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->root, *name, 0755, true, ERR(f))), ERR_HADOOP_ILLEGAL_ARGUMENT);
    assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->root, "/a/.snapshot/b", 0755, true, ERR(f))),
                     ERR_HADOOP_ILLEGAL_ARGUMENT); /* a name like another, but taken */
    char name[300] = "/";
    memset(name + 1, 'x', 256);
    assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->root, name, 0755, true, ERR(f))), ERR_NAME_TOO_LONG);
    name[256] = 0;
    mkdirs(f, name); /* 255 is the limit */
    char deep[2100];
    for (size_t i = 0; i <= 1000; i++)
        memcpy(deep + 2 * i, "/d", 3);
    assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->root, deep, 0755, true, ERR(f))), ERR_IO);
    deep[2000] = 0;
    mkdirs(f, deep);
    assert_true(look(f, deep).is_dir);
    mkdirs(f, "/trailing/");
    assert_true(look(f, "/trailing").is_dir);
}

static void test_full_directory(void **state)
{
    struct fixture *f = *state;
    f->nn.dir->limits.children = 3;
    mkdirs(f, "/a");
    mkdirs(f, "/b");
    mkdirs(f, "/c");
    assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->root, "/d", 0755, true, ERR(f))), ERR_DIR_FULL);
    assert_string_equal(names(f, "/", ""), "a b c");
    mkdirs(f, "/a/x");
    bool done = false; /* within one directory a rename needs no room; into a full one it does */
    assert_int_equal(IN_TXN(f, tree_rename(t, &f->root, "/b", "/bb", &done, ERR(f))), 0);
    assert_true(done);
    assert_int_equal(IN_TXN(f, tree_rename(t, &f->root, "/a/x", "/x", &done, ERR(f))), ERR_DIR_FULL);
}

/* ---- order and paging ---- */

static void test_listing_is_in_byte_order(void **state)
{
    struct fixture *f = *state;
    static const char *const made[] = {"/d/b", "/d/\xc3\xa4", "/d/B", "/d/a", "/d/aa", "/d/a-", "/e", "/c"};
    for (size_t i = 0; i < ARRAY_COUNT(made); i++)
        mkdirs(f, made[i]);
    assert_string_equal(names(f, "/d", ""), "B a a- aa b \xc3\xa4");
    assert_string_equal(names(f, "/d", "a"), "a- aa b \xc3\xa4");
    assert_string_equal(names(f, "/d", "a0"), "aa b \xc3\xa4"); /* need not exist */
    assert_string_equal(names(f, "/d", "\xff"), "");
    assert_string_equal(names(f, "/e", ""), "");
}

/* ---- removing ---- */

static void test_delete(void **state)
{
    struct fixture *f = *state;
    bool deleted = true;
    mkdirs(f, "/a/b/c");
    mkdirs(f, "/a/d");
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/nope", true, &deleted, ERR(f))), 0);
    assert_false(deleted);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/", true, &deleted, ERR(f))), 0);
    assert_false(deleted);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/a", false, &deleted, ERR(f))), ERR_NOT_EMPTY);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/a/d", false, &deleted, ERR(f))), 0);
    assert_true(deleted);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/a", true, &deleted, ERR(f))), 0);
    assert_true(deleted);
    assert_false(look(f, "/a").exists);
    assert_int_equal(look(f, "/").subdirs, 0);
    fixture_reopen(f); /* what was not reaped yet is found again */
    reap_all(f);
    assert_int_equal(f->nn.dir->counters.inodes, 1);
    assert_int_equal(f->nn.dir->counters.directories, 1);
}

static size_t keys_in_store(struct fixture *f)
{
    size_t count = 0;
    struct store_iter *it = store_iter_new(f->nn.store, NULL, false);
    for (store_iter_seek(it, "", 0); store_iter_valid(it); store_iter_next(it))
        count++;
    store_iter_free(it);
    return count;
}

/* Only what has something below it waits for the reaper. */
static void test_little_things_go_at_once(void **state)
{
    struct fixture *f = *state;
    bool deleted;
    size_t before = keys_in_store(f);
    mkdirs(f, "/dir");
    assert_int_equal(IN_TXN(f, tree_symlink(t, &f->root, "/dir", "/link", false, ERR(f))), 0);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/dir", true, &deleted, ERR(f))), 0);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/link", false, &deleted, ERR(f))), 0);
    assert_int_equal(f->nn.reap_pending, 0);
    assert_int_equal(keys_in_store(f), before);
    assert_int_equal(f->nn.dir->counters.inodes, 1);
    mkdirs(f, "/dir/below");
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/dir", true, &deleted, ERR(f))), 0);
    assert_int_equal(f->nn.reap_pending, 1);
    reap_all(f);
    assert_int_equal(keys_in_store(f), before);
}

static void test_reaper_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    size_t before = keys_in_store(f);
    char path[64];
    bool deleted;
    for (int i = 0; i < 700; i++) {
        snprintf(path, sizeof path, "/top/%d/%d", i, i % 7);
        mkdirs(f, path);
    }
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/top", true, &deleted, ERR(f))), 0);
    reap_all(f);
    assert_int_equal(keys_in_store(f), before);
}

/* ---- renaming ---- */

static bool rename_done(struct fixture *f, const char *from, const char *to)
{
    bool done = false;
    assert_int_equal(IN_TXN(f, tree_rename(t, &f->root, from, to, &done, ERR(f))), 0);
    return done;
}

static void protect(struct fixture *f, const char *list, bool with_all_below)
{
    protected_free(f->nn.dir->protected);
    f->nn.dir->protected = protected_new(list, with_all_below);
}

static void test_protected_directories(void **state)
{
    struct fixture *f = *state;
    bool done = false;
    mkdirs(f, "/a/b/c/d");
    mkdirs(f, "/ab/x");
    protect(f, " /./a//b/ ,relative, /.reserved/raw,/z/../empty, /with a blank", false);
    mkdirs(f, "/empty");
    mkdirs(f, "/with a blank/x");
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/with a blank", true, &done, ERR(f))), ERR_ACCESS);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/a/b", true, &done, ERR(f))), ERR_ACCESS);
    assert_string_equal(f->err.text, "Cannot delete/rename non-empty protected directory /a/b");
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/a", true, &done, ERR(f))), ERR_ACCESS);
    assert_string_equal(f->err.text, "Cannot delete/rename non-empty protected subdirectory /a/b");
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/a", false, &done, ERR(f))), ERR_NOT_EMPTY);
    assert_int_equal(IN_TXN(f, tree_rename(t, &f->root, "/a", "/moved", &done, ERR(f))), ERR_ACCESS);
    assert_int_equal(IN_TXN(f, tree_rename2(t, &f->root, "/a/b", "/moved", false, ERR(f))), ERR_ACCESS);
    assert_true(rename_done(f, "/ab", "/ac"));
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/empty", true, &done, ERR(f))), 0);
    assert_true(rename_done(f, "/a/b/c", "/a/c"));
    assert_true(rename_done(f, "/a/c", "/a/b/c"));
    protect(f, "/a/b", true);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/a/b/c", true, &done, ERR(f))), ERR_ACCESS);
    assert_string_equal(f->err.text, "Cannot delete/rename subdirectory under protected subdirectory /a/b");
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/a/b/c/d", true, &done, ERR(f))), 0);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/a/b/c", true, &done, ERR(f))), 0);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/a", true, &done, ERR(f))), 0);
}

static void test_rename(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/a/b/c");
    mkdirs(f, "/z");
    struct seen b = look(f, "/a/b");
    assert_false(rename_done(f, "/nope", "/x"));
    assert_false(rename_done(f, "/a/b", "/no/parent"));
    assert_false(rename_done(f, "/a", "/a/b/inside"));
    assert_false(rename_done(f, "/a", "/a"));  /* a directory would go into itself */
    assert_true(rename_done(f, "/a/b", "/a")); /* into the directory that it is in */
    assert_int_equal(look(f, "/a/b").id, b.id);
    assert_false(rename_done(f, "/", "/x"));
    assert_true(rename_done(f, "/a/b", "/x"));
    assert_int_equal(look(f, "/x").id, b.id);
    assert_true(look(f, "/x/c").is_dir);
    assert_false(look(f, "/a/b").exists);
    assert_int_equal(look(f, "/a").subdirs, 0);
    assert_true(rename_done(f, "/x", "/z")); /* into it */
    assert_int_equal(look(f, "/z/x").id, b.id);
    mkdirs(f, "/x");
    assert_false(rename_done(f, "/x", "/z")); /* the name is taken there */
    assert_true(rename_done(f, "/x", "/y"));
    struct txn t;
    struct inode *n = NULL;
    const char *path = NULL;
    txn_begin(&t, f->nn.dir, 0);
    assert_int_equal(txn_inode(&t, b.id, &n, ERR(f)), 0);
    assert_int_equal(txn_path(&t, n, &path, ERR(f)), 0);
    assert_string_equal(path, "/z/x");
    txn_end(&t);
}

static void test_rename2(void **state)
{
    struct fixture *f = *state;
#define RENAME2(from, to, overwrite) IN_TXN(f, tree_rename2(t, &f->root, from, to, overwrite, ERR(f)))
    mkdirs(f, "/a/b");
    mkdirs(f, "/full/x");
    mkdirs(f, "/empty");
    assert_int_equal(IN_TXN(f, tree_symlink(t, &f->root, "/elsewhere", "/link", false, ERR(f))), 0);
    assert_int_equal(RENAME2("/nope", "/x", false), ERR_NOT_FOUND);
    assert_int_equal(RENAME2("/a", "/a", false), ERR_EXISTS);
    assert_int_equal(RENAME2("/a", "/empty", false), ERR_EXISTS);
    assert_int_equal(RENAME2("/a", "/full", true), ERR_IO);
    assert_int_equal(RENAME2("/a", "/link", true), ERR_IO);
    assert_int_equal(RENAME2("/a", "/a/b/c", false), ERR_IO);
    assert_int_equal(RENAME2("/a", "/no/parent", false), ERR_NOT_FOUND);
    assert_int_equal(RENAME2("/", "/x", false), ERR_IO);
    assert_int_equal(RENAME2("/a", "/", true), ERR_IO);
    assert_int_equal(RENAME2("/a", "/empty", true), 0);
    assert_true(look(f, "/empty/b").is_dir);
    assert_false(look(f, "/a").exists);
    assert_int_equal(look(f, "/").subdirs, 2);
    assert_int_equal(look(f, "/").children, 3);
    reap_all(f);
    assert_int_equal(f->nn.dir->counters.directories, 5);
#undef RENAME2
}

static void test_times_of_parents(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/a");
    mkdirs(f, "/b");
    uint64_t a = look(f, "/a").mtime_ns, b = look(f, "/b").mtime_ns;
    mkdirs(f, "/a/x");
    assert_true(look(f, "/a").mtime_ns > a);
    a = look(f, "/a").mtime_ns;
    uint64_t x = look(f, "/a/x").mtime_ns;
    assert_true(rename_done(f, "/a/x", "/b/x"));
    assert_true(look(f, "/a").mtime_ns > a);
    assert_true(look(f, "/b").mtime_ns > b);
    assert_int_equal(look(f, "/b/x").mtime_ns, x);
}

/* ---- symbolic links, reserved paths ---- */

static int resolve_only(struct fixture *f, const struct fs_user *u, const char *path, unsigned flags)
{
    struct txn t;
    struct path p;
    f->err = (struct err){0};
    txn_begin(&t, f->nn.dir, 0);
    int rc = path_resolve(&t, u, path, flags, &p, ERR(f));
    txn_end(&t);
    return rc;
}

static void test_links_are_for_the_client_to_follow(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d/e");
#define SYMLINK(target, link) assert_int_equal(IN_TXN(f, tree_symlink(t, &f->root, target, link, false, ERR(f))), 0)
    SYMLINK("/d", "/abs");
    SYMLINK("e", "/d/rel");
    SYMLINK("../d/e", "/d/up");
    SYMLINK("hdfs://other:1/p", "/far");
    static const char *const cases[][2] = {{"/abs/e/x", "/d/e/x"},
                                           {"/d/rel", "/d/e"},
                                           {"/d/rel/y", "/d/e/y"},
                                           {"/d/up/y", "/d/e/y"},
                                           {"/far/q", "hdfs://other:1/p/q"}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(resolve_only(f, &f->root, cases[i][0], 0), ERR_UNRESOLVED_PATH);
        assert_string_equal(f->err.text, cases[i][1]);
    }
    assert_int_equal(resolve_only(f, &f->root, "/abs", PATH_NO_FOLLOW), 0);
    assert_string_equal(look(f, "/abs").target, "/d");
    assert_int_equal(f->nn.dir->counters.symlinks, 4);
#undef SYMLINK
}

static void test_reserved_paths(void **state)
{
    struct fixture *f = *state;
    char path[128];
    mkdirs(f, "/a/b/c");
    struct seen b = look(f, "/a/b");
    snprintf(path, sizeof path, "/.reserved/.inodes/%llu", (unsigned long long)b.id);
    assert_int_equal(look(f, path).id, b.id);
    snprintf(path, sizeof path, "/.reserved/.inodes/%llu/c", (unsigned long long)b.id);
    assert_int_equal(look(f, path).id, look(f, "/a/b/c").id);
    snprintf(path, sizeof path, "/.reserved/.inodes/%llu/..", (unsigned long long)b.id);
    assert_int_equal(look(f, path).id, look(f, "/a").id);
    assert_int_equal(look(f, "/.reserved/.inodes/16385").id, INODE_ROOT);
    assert_int_equal(look(f, "/.reserved/raw/a/b").id, b.id);
    mkdirs(f, "/.reserved/raw"); /* is there, as the root is: who writes below it may ask */
    mkdirs(f, "/.reserved/raw/a/d");
    assert_int_equal(look(f, "/.reserved/raw/a/d").id, look(f, "/a/d").id);
    assert_int_equal(resolve_only(f, &f->root, "/.reserved/.inodes/99999", 0), ERR_NOT_FOUND);
    assert_int_equal(resolve_only(f, &f->root, "/.reserved/.inodes/x", 0), ERR_NOT_FOUND);
}

/* ---- permissions ---- */

static void own(struct fixture *f, const char *path, const char *owner, uint16_t mode)
{
    assert_int_equal(IN_TXN(f, tree_set_owner(t, &f->root, path, owner, "staff", ERR(f))), 0);
    assert_int_equal(IN_TXN(f, tree_set_permission(t, &f->root, path, mode, ERR(f))), 0);
}

static void test_permissions(void **state)
{
    struct fixture *f = *state;
    bool deleted;
    mkdirs(f, "/ann");
    own(f, "/ann", "ann", 0750);
    assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->ann, "/ann/x", 0755, false, ERR(f))), 0);
    assert_string_equal(look(f, "/ann/x").owner, "ann");
    assert_string_equal(look(f, "/ann/x").group, "staff"); /* the parent's */
    assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->ann, "/y", 0755, false, ERR(f))), ERR_ACCESS);
    assert_string_equal(f->err.text,
                        "Permission denied: user=ann, access=WRITE, inode=\"/\":root:supergroup:drwxr-xr-x");
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->bob, "/ann/x", true, &deleted, ERR(f))), ERR_ACCESS);
    assert_string_equal(f->err.text, "Permission denied: user=bob, access=WRITE, inode=\"/ann\":ann:staff:drwxr-x---");
    struct fs_user other = {.name = "eve"};
    assert_int_equal(resolve_only(f, &other, "/ann/x", 0), ERR_ACCESS);
    assert_string_equal(f->err.text,
                        "Permission denied: user=eve, access=EXECUTE, inode=\"/ann\":ann:staff:drwxr-x---");
    assert_int_equal(IN_TXN(f, tree_set_permission(t, &f->bob, "/ann", 0777, ERR(f))), ERR_ACCESS);
    assert_int_equal(IN_TXN(f, tree_set_owner(t, &f->ann, "/ann", "bob", NULL, ERR(f))), ERR_ACCESS);
    assert_int_equal(IN_TXN(f, tree_set_owner(t, &f->ann, "/ann", NULL, "wheel", ERR(f))), ERR_ACCESS);
    assert_int_equal(IN_TXN(f, tree_set_owner(t, &f->ann, "/ann", NULL, "staff", ERR(f))), 0);
}

static void test_sticky_bit(void **state)
{
    struct fixture *f = *state;
    bool deleted, done;
    mkdirs(f, "/tmp/a");
    own(f, "/tmp/a", "ann", 0755);
    own(f, "/tmp", "root", 01777);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->bob, "/tmp/a", true, &deleted, ERR(f))), ERR_ACCESS);
    assert_non_null(strstr(f->err.text, "Permission denied by sticky bit: user=bob, path=\"/tmp/a\""));
    assert_int_equal(IN_TXN(f, tree_rename(t, &f->bob, "/tmp/a", "/tmp/b", &done, ERR(f))), ERR_ACCESS);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->ann, "/tmp/a", true, &deleted, ERR(f))), 0);
}

static void test_recursive_delete_needs_all_below(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/ann/mine/x");
    mkdirs(f, "/ann/theirs/empty");
    own(f, "/ann", "ann", 0755);
    own(f, "/ann/mine", "ann", 0755);
    own(f, "/ann/theirs/empty", "bob", 0700); /* empty: does not matter */
    own(f, "/", "ann", 0755);
    assert_int_equal(tree_check_delete(f->nn.dir, &f->ann, "/ann", ERR(f)), ERR_ACCESS);
    assert_non_null(strstr(f->err.text, "access=ALL, inode=\"/ann/theirs\""));
    own(f, "/ann/theirs", "ann", 0700);
    assert_int_equal(tree_check_delete(f->nn.dir, &f->ann, "/ann", ERR(f)), 0);
    own(f, "/ann/theirs", "root", 01777);
    assert_int_equal(tree_check_delete(f->nn.dir, &f->ann, "/ann", ERR(f)), ERR_ACCESS);
    assert_non_null(strstr(f->err.text, "Permission denied by sticky bit: user=ann"));
}

static void test_times(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/a");
    assert_int_equal(IN_TXN(f, tree_set_times(t, &f->root, "/a", 1234567890123, TREE_TIME_LEAVE, ERR(f))), 0);
    assert_int_equal(look(f, "/a").mtime_ns, 1234567890123000000ull);
    assert_int_equal(IN_TXN(f, tree_set_times(t, &f->root, "/a", (uint64_t)-2, 5000, ERR(f))), 0);
    assert_int_equal(look(f, "/a").mtime_ns, 1234567890123000000ull);
    assert_int_equal(IN_TXN(f, tree_set_times(t, &f->root, "/a", INT64_MAX, TREE_TIME_LEAVE, ERR(f))), 0);
    assert_int_equal(look(f, "/a").mtime_ns, UINT64_MAX);
    assert_int_equal(IN_TXN(f, tree_set_times(t, &f->root, "/nope", 1, 1, ERR(f))), ERR_NOT_FOUND);
}

/* ---- all or nothing ---- */

static void test_everything_survives_reopening(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/a/b");
    struct seen before = look(f, "/a/b");
    struct counters counters = f->nn.dir->counters;
    fixture_reopen(f);
    struct seen after = look(f, "/a/b");
    assert_memory_equal(&before, &after, sizeof before);
    assert_memory_equal(&counters, &f->nn.dir->counters, sizeof counters);
    mkdirs(f, "/c");
    assert_int_equal(look(f, "/c").id, before.id + 1);
}

static void test_nothing_without_commit(void **state)
{
    struct fixture *f = *state;
    struct txn t;
    struct counters counters = f->nn.dir->counters;
    size_t keys = keys_in_store(f);
    txn_begin(&t, f->nn.dir, f->now_ns);
    assert_int_equal(tree_mkdirs(&t, &f->root, "/a/b/c", 0755, true, ERR(f)), 0);
    txn_end(&t);
    assert_int_equal(keys_in_store(f), keys);
    assert_memory_equal(&counters, &f->nn.dir->counters, sizeof counters);
}

/* What was looked at before a removal must be what is removed: else anybody could move into a large directory of his
 * own, while that is being looked through, what he may move but not delete. */
static void test_a_move_into_what_is_being_deleted(void **state)
{
    struct fixture *f = *state;
    struct delete_watch x, y;
    bool done = false;
    struct txn now;
    mkdirs(f, "/w/x/deep");
    mkdirs(f, "/w/y");
    mkdirs(f, "/w/victim/private");
    mkdirs(f, "/w/empty");
    for (const char *const *path = (const char *[]){"/w", "/w/x", "/w/x/deep", "/w/y", NULL}; *path; path++)
        assert_int_equal(IN_TXN(f, tree_set_owner(t, &f->root, *path, "bob", "staff", ERR(f))), 0);
    assert_int_equal(tree_check_delete(f->nn.dir, &f->bob, "/w/victim", ERR(f)), ERR_ACCESS);
    txn_begin(&now, f->nn.dir, f->now_ns);
    tree_delete_watch_begin(&now, &f->bob, "/w/x", &x);
    tree_delete_watch_begin(&now, &f->bob, "/w/y", &y);
    txn_end(&now);
    assert_int_equal(tree_check_delete(f->nn.dir, &f->bob, "/w/x", ERR(f)), 0);
    assert_int_equal(IN_TXN(f, tree_rename(t, &f->bob, "/w/empty", "/w/x/deep/empty", &done, ERR(f))), 0);
    assert_true(done && !x.is_disturbed);
    assert_int_equal(IN_TXN(f, tree_rename(t, &f->bob, "/w/victim", "/w/x/deep", &done, ERR(f))), 0);
    assert_true(done && x.is_disturbed && !y.is_disturbed);
    assert_int_equal(IN_TXN(f, tree_rename(t, &f->bob, "/w/y", "/w/z", &done, ERR(f))), 0);
    txn_begin(&now, f->nn.dir, f->now_ns);
    assert_false(tree_delete_watch_holds(&now, &f->bob, "/w/x", &x));
    assert_false(tree_delete_watch_holds(&now, &f->bob, "/w/y", &y)); /* another, or none, by now */
    txn_end(&now);
    tree_delete_watch_end(f->nn.dir, &x);
    tree_delete_watch_end(f->nn.dir, &y);
    assert_null(f->nn.dir->delete_watches);
}

/* HDFS's limit of a path is one of characters, that of a name one of bytes. */
static void test_length_of_paths(void **state)
{
    struct fixture *f = *state;
    char path[30000] = "", name[400] = "";
    for (int i = 0; i < 80; i++)
        strcat(name, "\xe4\xb8\xad"); /* one character, three bytes */
    while (path_length(path) + 81 <= 8000)
        strcat(strcat(path, "/"), name);
    assert_true(strlen(path) > 20000);
    assert_int_equal(path_length("/\xf0\x9f\x98\x80x"), 4); /* a pair of surrogates */
    mkdirs(f, path);
    assert_true(look(f, path).is_dir);
    strcat(strcat(path, "/"), name);
    assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->root, path, 0755, true, ERR(f))), ERR_IO);
    strcat(name, "\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad\xe4\xb8\xad");
    snprintf(path, sizeof path, "/%s", name);
    assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->root, path, 0755, true, ERR(f))), ERR_NAME_TOO_LONG);
}

/* What a txn may load is bounded by an error, not by the end of the process. */
static void test_a_txn_loads_only_so_much(void **state)
{
    struct fixture *f = *state;
    struct txn t;
    struct inode *n = NULL;
    int rc = 0;
    size_t count = 0;
    mkdirs(f, "/a/b");
    txn_begin(&t, f->nn.dir, f->now_ns);
    t.arena.max_bytes = 1 << 20;
    while (!rc && ++count < 100000)
        rc = txn_peek(&t, INODE_ROOT, &n, ERR(f));
    assert_int_equal(rc, ERR_IO);
    assert_true(count > 100);
    struct path p;
    assert_int_equal(path_resolve(&t, &f->root, "/a/b", 0, &p, ERR(f)), ERR_IO);
    txn_end(&t);
}

/* Of a directory whose inodes take more memory than a txn may load at once. */
static void test_looking_through_a_huge_directory(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/w/d/zz");
    for (const char *const *path = (const char *[]){"/w", "/w/d", "/w/d/zz", NULL}; *path; path++)
        own(f, *path, "ann", 0755);
    make_fat_files(f, "/w/d", 8);
    assert_int_equal(tree_check_delete(f->nn.dir, &f->ann, "/w/d", ERR(f)), 0);
    own(f, "/w/d", "bob", 01777); /* its entries' owners matter, too, and are ann */
    own(f, "/w/d/zz", "bob", 0755);
    assert_int_equal(tree_check_delete(f->nn.dir, &f->ann, "/w/d", ERR(f)), ERR_ACCESS);
    assert_non_null(strstr(f->err.text, "Permission denied by sticky bit: user=ann, path=\"/w/d/zz\""));
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_looking_through_a_huge_directory),
        T(test_a_txn_loads_only_so_much),
        T(test_length_of_paths),
        T(test_a_move_into_what_is_being_deleted),
        T(test_mkdirs),
        T(test_mkdirs_refuses_bad_paths),
        T(test_full_directory),
        T(test_listing_is_in_byte_order),
        T(test_delete),
        T(test_little_things_go_at_once),
        T(test_reaper_leaves_nothing),
        T(test_protected_directories),
        T(test_rename),
        T(test_rename2),
        T(test_times_of_parents),
        T(test_links_are_for_the_client_to_follow),
        T(test_reserved_paths),
        T(test_permissions),
        T(test_sticky_bit),
        T(test_recursive_delete_needs_all_below),
        T(test_times),
        T(test_everything_survives_reopening),
        T(test_nothing_without_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

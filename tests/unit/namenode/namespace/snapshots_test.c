/* What snapshots show, where HDFS has rules of its own. */
#include "tests/unit/namenode/namespace/fixture.h"

#include "namenode/namespace/links.h"

#include "namenode/namespace/history_held.h"
#include "namenode/namespace/keys.h"
#include "namenode/namespace/policy.h"
#include "namenode/namespace/snapshot_diff.h"
#include "namenode/namespace/snapshots.h"

static int allow(struct fixture *f, const char *dir)
{
    return IN_TXN(f, snapshot_allow(t, dir, ERR(f)));
}
static int take(struct fixture *f, const char *dir, const char *name)
{
    const char *path = NULL;
    return IN_TXN(f, snapshot_create(t, &f->root, dir, name, &path, ERR(f)));
}

static struct inode get(struct fixture *f, const char *path)
{
    struct txn t;
    struct path p;
    txn_begin(&t, f->nn.dir, f->now_ns);
    assert_int_equal(path_resolve(&t, &f->root, path, PATH_SNAPSHOT, &p, ERR(f)), 0);
    struct inode n = *path_target(&p); /* its numbers: what it points to goes with the txn */
    txn_end(&t);
    return n;
}
static uint64_t atime_ms(struct fixture *f, const char *path)
{
    return get(f, path).atime_ns / 1000000;
}
static uint8_t policy(struct fixture *f, const char *path)
{
    return get(f, path).storage_policy;
}

static void test_reserved(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(allow(f, "/.reserved"), ERR_NOT_FOUND);
    assert_string_equal(f->err.text, "Directory does not exist: /.reserved");
    assert_int_equal(take(f, "/.reserved", "s"), ERR_NOT_FOUND);
    assert_string_equal(f->err.text, "Directory/File does not exist /.reserved");
    assert_int_equal(take(f, "/none", "s"), ERR_NOT_FOUND);
    assert_string_equal(f->err.text, "Directory/File does not exist /none");
}

static void test_deleting_is_seen_in_the_time(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d");
    assert_int_equal(allow(f, "/d"), 0);
    assert_int_equal(take(f, "/d", "s"), 0);
    uint64_t before_ms = look(f, "/d").mtime_ns / 1000000;
    f->now_ns -= 1000000; /* the next change is in the same millisecond */
    assert_int_equal(IN_TXN(f, snapshot_delete(t, &f->root, "/d", "s", ERR(f))), 0);
    assert_int_equal(look(f, "/d").mtime_ns / 1000000, before_ms + 1);
}

static void test_access_times(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d/sub");
    assert_int_equal(allow(f, "/d"), 0);
    assert_int_equal(IN_TXN(f, tree_set_times(t, &f->root, "/d/sub", UINT64_MAX, 1000, ERR(f))), 0);
    assert_int_equal(take(f, "/d", "s1"), 0);
    assert_int_equal(IN_TXN(f, tree_set_times(t, &f->root, "/d/sub", UINT64_MAX, 2000, ERR(f))), 0);
    assert_int_equal(atime_ms(f, "/d/.snapshot/s1/sub"), 1000);

    f->nn.dir->atime_changes_in_snapshots = true;
    assert_int_equal(take(f, "/d", "s2"), 0);
    assert_int_equal(IN_TXN(f, tree_set_times(t, &f->root, "/d/sub", UINT64_MAX, 3000, ERR(f))), 0);
    assert_int_equal(atime_ms(f, "/d/.snapshot/s1/sub"), 1000);
    assert_int_equal(atime_ms(f, "/d/.snapshot/s2/sub"), 3000);
    assert_int_equal(IN_TXN(f, tree_set_permission(t, &f->root, "/d/sub", 0700, ERR(f))), 0);
    assert_int_equal(IN_TXN(f, tree_set_times(t, &f->root, "/d/sub", UINT64_MAX, 4000, ERR(f))), 0);
    assert_int_equal(atime_ms(f, "/d/.snapshot/s2/sub"), 3000);
    assert_int_equal(get(f, "/d/.snapshot/s2/sub").mode, 0755);
}

static void test_policies_are_the_latest(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d/sub/below");
    assert_int_equal(allow(f, "/d"), 0);
    assert_int_equal(IN_TXN(f, tree_set_policy(t, &f->root, "/d/sub", "WARM", ERR(f))), 0);
    assert_int_equal(take(f, "/d", "s"), 0);
    assert_int_equal(IN_TXN(f, tree_set_policy(t, &f->root, "/d/sub", "COLD", ERR(f))), 0);
    assert_int_equal(policy(f, "/d/.snapshot/s/sub"), storage_policy_named("COLD")->id);
    mkdirs(f, "/d/sub/other");
    assert_int_equal(IN_TXN(f, tree_set_policy(t, &f->root, "/d/sub", "HOT", ERR(f))), 0);
    assert_int_equal(policy(f, "/d/.snapshot/s/sub"), storage_policy_named("HOT")->id);
    assert_int_equal(get(f, "/d/.snapshot/s/sub").child_count, 1);
    bool deleted = false;
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/d/sub", true, &deleted, ERR(f))), 0);
    reap_all(f);
    assert_int_equal(policy(f, "/d/.snapshot/s/sub"), storage_policy_named("HOT")->id);
}

/* A file of these blocks, each of 1000 bytes, as it is; the second time in place of what was. */
static void write_file(struct fixture *f, const char *path, uint64_t first, size_t count, uint16_t replication)
{
    struct txn t;
    struct path p;
    txn_begin(&t, f->nn.dir, f->now_ns += 1000000);
    assert_int_equal(path_resolve(&t, &f->root, path, PATH_MAY_MISS, &p, ERR(f)), 0);
    struct inode *n = path_target(&p);
    if (!n) {
        n = txn_new_inode(&t, INODE_FILE, 0644, "root", "supergroup");
        txn_link(&t, path_parent(&p), path_name(&p), n);
    }
    n->block_count = 0;
    n->replication = replication;
    for (size_t i = 0; i < count; i++)
        *inode_add_block(n, &t.arena) = (struct file_block){first + i, 1, 1000, BLOCK_COMPLETE};
    txn_dirty(n);
    assert_int_equal(txn_commit(&t, ERR(f)), 0);
    txn_end(&t);
}

static struct inode whole(struct fixture *f, const char *path)
{
    struct txn t;
    struct path p;
    const struct inode *all = NULL;
    txn_begin(&t, f->nn.dir, f->now_ns);
    assert_int_equal(path_resolve(&t, &f->root, path, 0, &p, ERR(f)), 0);
    assert_int_equal(history_whole_file(&t, path_target(&p)->id, path_target(&p), false, &all, ERR(f)), 0);
    struct inode n = *all; /* its numbers */
    txn_end(&t);
    return n;
}

static void test_whole_files(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d");
    assert_int_equal(allow(f, "/d"), 0);
    write_file(f, "/d/f", 100, 3, 2);
    assert_int_equal(whole(f, "/d/f").block_count, 3);
    assert_int_equal(take(f, "/d", "s1"), 0);
    assert_int_equal(whole(f, "/d/f").block_count, 3);
    write_file(f, "/d/f", 100, 2, 1); /* cut, and by fewer replicas */
    assert_int_equal(whole(f, "/d/f").block_count, 3);
    assert_int_equal(whole(f, "/d/f").replication, 2);
    assert_int_equal(take(f, "/d", "s2"), 0);
    write_file(f, "/d/f", 100, 2, 1);
    assert_int_equal(whole(f, "/d/f").block_count, 3);
    write_file(f, "/d/f", 200, 1, 1); /* others in their place */
    assert_int_equal(whole(f, "/d/f").block_count, 4);
    assert_int_equal(get(f, "/d/f").block_count, 1);
}

static int set_replication(struct fixture *f, const char *path, uint32_t replication)
{
    struct inode *n = NULL;
    return IN_TXN(f, tree_set_replication(t, &f->root, path, replication, &n, ERR(f)));
}

/* What a block of the file is to have. */
static uint16_t replicas_of(struct fixture *f, uint64_t block_id)
{
    struct txn t;
    struct block_record record;
    txn_begin(&t, f->nn.dir, f->now_ns);
    assert_int_equal(txn_block(&t, block_id, &record, ERR(f)), 0);
    txn_end(&t);
    return record.replication;
}

static void drop(struct fixture *f, const char *dir, const char *name)
{
    assert_int_equal(IN_TXN(f, snapshot_delete(t, &f->root, dir, name, ERR(f))), 0);
    reap_all(f);
}

static void test_replicas_that_snapshots_want_are_kept(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d");
    assert_int_equal(allow(f, "/d"), 0);
    write_file(f, "/d/f", 100, 2, 3);
    assert_int_equal(set_replication(f, "/d/f", 2), 0);
    assert_int_equal(replicas_of(f, 100), 2);
    assert_int_equal(set_replication(f, "/d/f", 3), 0);
    assert_int_equal(take(f, "/d", "s3"), 0);
    assert_int_equal(set_replication(f, "/d/f", 2), 0);
    assert_int_equal(look(f, "/d/f").replication, 2);
    assert_int_equal(get(f, "/d/.snapshot/s3/f").replication, 3);
    assert_int_equal(replicas_of(f, 100), 3);
    assert_int_equal(take(f, "/d", "s2"), 0);
    assert_int_equal(set_replication(f, "/d/f", 1), 0);
    assert_int_equal(replicas_of(f, 101), 3);
    assert_int_equal(set_replication(f, "/d/f", 4), 0);
    assert_int_equal(replicas_of(f, 101), 4);
    assert_int_equal(set_replication(f, "/d/f", 1), 0);
    assert_int_equal(replicas_of(f, 101), 3);
    drop(f, "/d", "s3");
    assert_int_equal(replicas_of(f, 100), 2);
    assert_int_equal(look(f, "/d/f").replication, 1);
    fixture_reopen(f);
    drop(f, "/d", "s2");
    assert_int_equal(replicas_of(f, 100), 1);
    assert_int_equal(replicas_of(f, 101), 1);
}

static int difference(struct fixture *f, const char *dir)
{
    struct txn t;
    struct snapshot_diff d;
    struct arena memory;
    txn_begin_snapshot(&t, f->nn.dir);
    arena_init(&memory, 1 << 20);
    f->err = (struct err){0};
    int rc = snapshot_diff(&t, &f->root, dir, "s", "", true, &memory, &d, ERR(f));
    arena_free(&memory);
    txn_end(&t);
    return rc;
}

static void test_differences_below_the_root(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d/sub");
    assert_int_equal(allow(f, "/d"), 0);
    assert_int_equal(take(f, "/d", "s"), 0);
    mkdirs(f, "/d/sub/new");
    assert_int_equal(difference(f, "/d/sub"), 0);
    f->nn.dir->diffs_below_roots = false;
    assert_int_equal(difference(f, "/d"), 0);
    assert_int_equal(difference(f, "/d/sub"), ERR_SNAPSHOT);
    assert_string_equal(f->err.text, "Directory is not a snapshottable directory: /d/sub");
}

static int note(void *context, struct inode *n, bool is_moved, struct err *reterr)
{
    char *seen = context;
    snprintf(seen + strlen(seen), 100, " %s%s", n->name, is_moved ? " (moved)" : "");
    return 0;
}

static const char *deleted(struct fixture *f, const char *dir)
{
    static char seen[1000];
    struct txn t;
    struct path p;
    seen[0] = 0;
    txn_begin(&t, f->nn.dir, f->now_ns);
    assert_int_equal(path_resolve(&t, &f->root, dir, 0, &p, ERR(f)), 0);
    assert_int_equal(history_each_deleted(&t, path_target(&p), note, seen, ERR(f)), 0);
    txn_end(&t);
    return seen;
}

static void test_what_was_taken_out(void **state)
{
    struct fixture *f = *state;
    bool done = false;
    static const char *const made[] = {"/d/back", "/d/gone", "/d/renamed", "/d/stays", "/d/up", "/e"};
    for (size_t i = 0; i < ARRAY_COUNT(made); i++)
        mkdirs(f, made[i]);
    assert_int_equal(allow(f, "/d"), 0);
    assert_int_equal(take(f, "/d", "s"), 0);
    assert_string_equal(deleted(f, "/d"), "");
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/d/gone", true, &done, ERR(f))), 0);
    static const char *const moves[][2] = {
        {"/d/renamed", "/d/other"}, {"/d/up", "/e/up"}, {"/d/back", "/e/x"}, {"/e/x", "/d/back"}};
    for (size_t i = 0; i < ARRAY_COUNT(moves); i++)
        assert_int_equal(IN_TXN(f, tree_rename(t, &f->root, moves[i][0], moves[i][1], &done, ERR(f))), 0);
    assert_string_equal(deleted(f, "/d"), " gone renamed (moved) up (moved)");
    reap_all(f);
    assert_string_equal(deleted(f, "/d"), " gone renamed (moved) up (moved)");
    assert_string_equal(deleted(f, "/e"), "");
}

static size_t longest_name(struct fixture *f, const char *path, size_t *ret_count)
{
    struct txn t;
    struct path p;
    struct dir_iter d;
    size_t longest = 0;
    txn_begin(&t, f->nn.dir, f->now_ns);
    assert_int_equal(path_resolve(&t, &f->root, path, PATH_SNAPSHOT, &p, ERR(f)), 0);
    dir_iter_open(&d, &t, path_target(&p), "", 0);
    for (*ret_count = 0; dir_iter_next(&d); (*ret_count)++)
        longest = d.name_len > longest ? d.name_len : longest;
    assert_int_equal(dir_iter_close(&d, ERR(f)), 0);
    txn_end(&t);
    return longest;
}

/* dfs.namenode.fs-limits.max-component-length 0: only the whole path has a limit. */
static void test_long_names(void **state)
{
    struct fixture *f = *state;
    static char path[PATH_CHARS_MAX + 2];
    size_t count = 0;
    bool done = false;
    f->limits.component_bytes = 0;
    fixture_reopen(f);
    memset(path, 'x', sizeof path - 1);
    memcpy(path, "/d/", 3);
    assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->root, path, 0755, true, ERR(f))), ERR_IO); /* one too many */
    path[PATH_CHARS_MAX] = 0;
    mkdirs(f, path);
    mkdirs(f, "/d/other");
    assert_true(look(f, path).exists);
    assert_int_equal(allow(f, "/d"), 0);
    assert_int_equal(take(f, "/d", "s"), 0);
    assert_int_equal(IN_TXN(f, tree_rename(t, &f->root, path, "/d/short", &done, ERR(f))), 0);
    assert_int_equal(longest_name(f, "/d", &count), 5);
    assert_int_equal(longest_name(f, "/d/.snapshot/s", &count), PATH_CHARS_MAX - 3);
    assert_int_equal(count, 2);
    assert_int_equal(IN_TXN(f, tree_rename(t, &f->root, "/d/short", path, &done, ERR(f))), 0);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, path, true, &done, ERR(f))), 0);
    reap_all(f);
    fixture_reopen(f);
    assert_int_equal(longest_name(f, "/d/.snapshot/s", &count), PATH_CHARS_MAX - 3);
    assert_int_equal(IN_TXN(f, snapshot_delete(t, &f->root, "/d", "s", ERR(f))), 0);
    reap_all(f);
    assert_false(history_is_used(f->nn.dir));
    mkdirs(f, path);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/d", true, &done, ERR(f))), 0);
    reap_all(f);
    assert_int_equal(f->nn.dir->counters.inodes, 1);
}

static size_t count_table(struct fixture *f, char table)
{
    struct store_iter *it = store_iter_new(f->nn.store, NULL, true);
    size_t count = 0;
    for (store_iter_seek(it, &table, 1); store_iter_valid(it) && store_iter_key(it).base[0] == (uint8_t)table;
         store_iter_next(it))
        count++;
    store_iter_free(it);
    return count;
}

/* Else a directory where much comes and goes would keep a record of each name until the snapshot is deleted, and
 * listing the snapshot would pass all of them. */
static void test_what_came_and_went_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    bool done;
    mkdirs(f, "/d/kept");
    assert_int_equal(allow(f, "/d"), 0);
    assert_int_equal(take(f, "/d", "s1"), 0);
    mkdirs(f, "/d/gone");
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/d/gone", true, &done, ERR(f))), 0);
    mkdirs(f, "/d/tmp");
    assert_int_equal(IN_TXN(f, tree_rename(t, &f->root, "/d/tmp", "/d/done", &done, ERR(f))), 0);
    assert_int_equal(count_table(f, 'D'), 1); /* of "done" */
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/d/done", true, &done, ERR(f))), 0);
    assert_int_equal(count_table(f, 'D'), 0);
    assert_int_equal(count_table(f, 'T'), 1); /* of /d itself */
    mkdirs(f, "/d/a");
    mkdirs(f, "/d/b");
    assert_int_equal(IN_TXN(f, tree_rename2(t, &f->root, "/d/a", "/d/b", true, ERR(f))), 0); /* "b" goes and comes */
    assert_int_equal(count_table(f, 'D'), 1);

    assert_int_equal(take(f, "/d", "s2"), 0);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/d/b", true, &done, ERR(f))), 0);
    mkdirs(f, "/d/b");
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/d/b", true, &done, ERR(f))), 0);
    assert_string_equal(names(f, "/d", ""), "kept");
    assert_string_equal(names(f, "/d/.snapshot/s1", ""), "kept");
    assert_string_equal(names(f, "/d/.snapshot/s2", ""), "b kept");

    /* What was saved for a later snapshot, which is deleted and waits for the reaper, is none of s1's. */
    assert_int_equal(IN_TXN(f, snapshot_delete(t, &f->root, "/d", "s2", ERR(f))), 0);
    mkdirs(f, "/d/b");
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/d/b", true, &done, ERR(f))), 0);
    assert_string_equal(names(f, "/d/.snapshot/s1", ""), "kept");
    reap_all(f);
    assert_string_equal(names(f, "/d/.snapshot/s1", ""), "kept");
}

static int count_one(void *context, struct inode *n, bool is_moved, struct err *reterr)
{
    ++*(size_t *)context;
    return 0;
}

/* What is looked through without the lock may be more than a txn can hold at once. */
static void test_much_that_was_taken_out(void **state)
{
    struct fixture *f = *state;
    struct txn walk;
    bool done;
    size_t count = 0;
    mkdirs(f, "/d/kept");
    assert_int_equal(allow(f, "/d"), 0);
    make_fat_files(f, "/d", 8);
    mkdirs(f, "/d/z");
    assert_int_equal(take(f, "/d", "s"), 0);
    for (const char *const *path = (const char *[]){"0", "1", "2", "3", "4", "5", "6", "7", "z", NULL}; *path; path++) {
        char text[16];
        snprintf(text, sizeof text, "/d/%s", *path);
        assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, text, true, &done, ERR(f))), 0);
    }
    struct inode dir = get(f, "/d");
    txn_begin_snapshot(&walk, f->nn.dir);
    assert_int_equal(history_each_deleted(&walk, &dir, count_one, &count, ERR(f)), 0);
    assert_int_equal(count, 9);
    txn_end(&walk);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(test_reserved),
        T(test_deleting_is_seen_in_the_time),
        T(test_access_times),
        T(test_policies_are_the_latest),
        T(test_whole_files),
        T(test_replicas_that_snapshots_want_are_kept),
        T(test_differences_below_the_root),
        T(test_what_was_taken_out),
        T(test_long_names),
        T(test_what_came_and_went_leaves_nothing),
        T(test_much_that_was_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

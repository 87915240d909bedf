/* Quotas: what only snapshots hold. */
#include "tests/unit/namenode/namespace/quotas.h"

static void a_deleted_file_is_charged_until_its_snapshots_are_gone(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d/sub");
    allow(f, "/d");
    make_file(f, "/d/sub/f", 3, 100);
    assert_int_equal(set_quota(f, "/d", 4, 10 * BLOCK, 0), 0);
    assert_int_equal(set_quota(f, "/d/sub", 10, 10 * BLOCK, 0), 0);
    take(f, "/d", "s1");
    take(f, "/d", "s2");
    assert_int_equal(delete_path(f, "/d/sub/f"), 0);
    assert_usage(f, "/d", 3, 300);
    assert_usage(f, "/d/sub", 2, 300);
    make_file(f, "/d/g", 1, 50); /* no snapshot has it */
    assert_int_equal(create(f, "/d/h", 1), ERR_NS_QUOTA);
    assert_int_equal(delete_path(f, "/d/g"), 0);
    assert_usage(f, "/d", 3, 300);
    fixture_reopen(f);
    drop(f, "/d", "s2");
    reap_all(f);
    assert_usage(f, "/d", 3, 300);
    drop(f, "/d", "s1");
    reap_all(f);
    assert_usage(f, "/d", 2, 0);
    assert_usage(f, "/d/sub", 1, 0);
}

static void a_changed_file_is_charged_for_what_it_was(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d");
    allow(f, "/d");
    make_file(f, "/d/f", 2, 100);
    assert_int_equal(set_quota(f, "/d", 10, 2 * BLOCK + 1000, 0), 0);
    take(f, "/d", "s");
    assert_int_equal(set_replication(f, "/d/f", 1), 0);
    assert_usage(f, "/d", 2, 200); /* the snapshot wants two */
    assert_int_equal(IN_TXN(f, drop_block_in(t, &f->root, "/d/f")), 0);
    assert_usage(f, "/d", 2, 200);
    assert_int_equal(add_block(f, "/d/f"), 0);
    assert_int_equal(finish_block(f, "/d/f", 10), 0);
    assert_usage(f, "/d", 2, 220);
    drop(f, "/d", "s");
    reap_all(f);
    assert_usage(f, "/d", 2, 10);
}

/* As in HDFS: the name stays there for the snapshot, and there is another one. */
static void a_rename_of_what_a_snapshot_has_costs_a_name(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d");
    allow(f, "/d");
    make_file(f, "/d/a", 1, 100);
    assert_int_equal(set_quota(f, "/d", 3, QUOTA_LEAVE, 0), 0);
    take(f, "/d", "s1");
    assert_int_equal(rename_path(f, "/d/a", "/d/b"), 0);
    assert_usage(f, "/d", 3, 100);
    assert_int_equal(rename_path(f, "/d/b", "/d/c"), 0); /* no snapshot has b */
    take(f, "/d", "s2");
    assert_int_equal(rename_path(f, "/d/c", "/d/d"), ERR_NS_QUOTA);
    assert_string_equal(f->err.text, OVER "/d is exceeded: quota=3 file count=4");
    assert_true(look(f, "/d/c").exists);
    assert_int_equal(delete_path(f, "/d/c"), 0); /* a removal is never refused */
    assert_usage(f, "/d", 3, 100);
    drop(f, "/d", "s1");
    drop(f, "/d", "s2");
    reap_all(f);
    assert_usage(f, "/d", 1, 0);
}

static void replace_file(struct fixture *f, const char *path, int wanted)
{
    struct file_create_args args = {.path = path,
                                    .client_name = "c",
                                    .client_machine = "127.0.0.1",
                                    .mode = 0644,
                                    .replication = 1,
                                    .block_bytes = BLOCK,
                                    .create = true,
                                    .overwrite = true};
    struct inode *n = NULL;
    assert_int_equal(IN_TXN(f, file_create(o, &f->root, &args, &n, ERR(f))), wanted);
}

static void a_removal_is_never_refused_but_a_replacement_may_be(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d");
    allow(f, "/d");
    make_file(f, "/d/a", 1, 100);
    assert_int_equal(IN_TXN(f, link_path(f, t, "/d/a", "/d/b")), 0);
    take(f, "/d", "s");
    assert_int_equal(set_quota(f, "/d", 2, 100, 0), 0);
    replace_file(f, "/d/a", ERR_NS_QUOTA);
    assert_int_equal(delete_path(f, "/d/b"), 0); /* the snapshot keeps the name, which did not count before */
    assert_usage(f, "/d", 3, 100);
    assert_int_equal(delete_path(f, "/d/a"), 0);
    assert_usage(f, "/d", 3, 100);
    drop(f, "/d", "s");
    reap_all(f);
    assert_usage(f, "/d", 1, 0);
}

static int remove_held(struct fixture *f, struct txn *t, const char *path)
{
    struct path p;
    int rc = path_resolve(t, &f->root, path, 0, &p, ERR(f));
    rc = rc ? rc : txn_unlink(t, path_parent(&p), path_name(&p), path_target(&p), ERR(f));
    if (rc)
        return rc;
    txn_hold(t, 1, path_target(&p));
    txn_discard(t, path_target(&p));
    return 0;
}

static int let_go(struct fixture *f, struct txn *t, uint64_t id)
{
    struct inode *n = NULL;
    int rc = txn_inode(t, id, &n, ERR(f));
    if (rc)
        return rc;
    n->is_held = false;
    txn_discard(t, n);
    return 0;
}

/* What was written behind the snapshot is no snapshot's. */
static void what_sessions_hold_is_charged_as_far_as_snapshots_have_it(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d");
    allow(f, "/d");
    make_file(f, "/d/f", 1, 100);
    assert_int_equal(set_quota(f, "/d", 10, 10 * BLOCK, 0), 0);
    take(f, "/d", "s");
    assert_int_equal(add_block(f, "/d/f"), 0);
    assert_int_equal(finish_block(f, "/d/f", 7), 0);
    assert_usage(f, "/d", 2, 107);
    uint64_t id = look(f, "/d/f").id;
    assert_int_equal(IN_TXN(f, remove_held(f, t, "/d/f")), 0);
    assert_usage(f, "/d", 2, 100);
    assert_int_equal(IN_TXN(f, let_go(f, t, id)), 0);
    assert_usage(f, "/d", 2, 100);
    drop(f, "/d", "s");
    reap_all(f);
    assert_usage(f, "/d", 1, 0);
}

/* Moved to a trash without snapshots, and deleted there: it is the first directory's snapshot that has it. */
static void what_was_moved_away_and_deleted_is_charged_where_it_was(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/p/x/y/z");
    mkdirs(f, "/trash/day");
    make_file(f, "/p/x/y/f", 1, 100);
    allow(f, "/p");
    assert_int_equal(set_quota(f, "/p", 100, 10 * BLOCK, 0), 0);
    assert_int_equal(set_quota(f, "/trash", 100, 10 * BLOCK, 0), 0);
    take(f, "/p", "s");
    make_file(f, "/p/x/y/late", 1, 7);
    assert_usage(f, "/p", 6, 107);
    assert_int_equal(rename_path(f, "/p/x", "/trash/day/x"), 0);
    assert_usage(f, "/p", 2, 0); /* the name x */
    assert_usage(f, "/trash", 7, 107);
    assert_int_equal(delete_path(f, "/trash/day"), 0);
    reap_all(f);
    assert_usage(f, "/trash", 1, 0);
    assert_usage(f, "/p", 5, 100);
    assert_int_equal(set_quota(f, "/p", QUOTA_RESET, QUOTA_RESET, 0), 0);
    assert_int_equal(set_quota(f, "/p", 100, QUOTA_LEAVE, 0), 0);
    assert_usage(f, "/p", 5, 100); /* counted, not kept */
    drop(f, "/p", "s");
    reap_all(f);
    assert_usage(f, "/p", 1, 0);
}

static void a_deleted_tree_is_given_back_in_many_steps(void **state)
{
    struct fixture *f = *state;
    char path[64];
    mkdirs(f, "/d/t");
    allow(f, "/d");
    for (int i = 0; i < 700; i++) {
        snprintf(path, sizeof path, "/d/t/%d/f", i / 3);
        mkdirs(f, path);
        snprintf(path, sizeof path, "/d/t/%d/%d", i / 3, i);
        assert_int_equal(create(f, path, 1), 0);
    }
    assert_int_equal(set_quota(f, "/d", 10000, 10 * BLOCK, 0), 0);
    int64_t names = usage(f, "/d").names;
    take(f, "/d", "s");
    for (int i = 0; i < 20; i++) { /* each needs a sum: its place goes with its name */
        snprintf(path, sizeof path, "/d/t/late%d/below", i);
        mkdirs(f, path);
        snprintf(path, sizeof path, "/d/t/late%d/below/f", i);
        make_file(f, path, 1, 10);
    }
    assert_usage(f, "/d", names + 60, 200);
    assert_int_equal(delete_path(f, "/d/t"), 0);
    assert_usage(f, "/d", names + 60, 200); /* the reaper is to come */
    reap_all(f);
    assert_usage(f, "/d", names, 0);
    drop(f, "/d", "s");
    reap_all(f);
    assert_usage(f, "/d", 1, 0);
}

/* As older versions left it: records without what snapshots hold, no places. */
static void an_old_store_is_counted_once(void **state)
{
    struct fixture *f = *state;
    struct txn t;
    mkdirs(f, "/d/x");
    allow(f, "/d");
    make_file(f, "/d/x/f", 2, 100);
    assert_int_equal(set_quota(f, "/d", 10, 10 * BLOCK, 0), 0);
    assert_int_equal(set_quota(f, "/d/x", 10, 10 * BLOCK, 0), 0);
    take(f, "/d", "s");
    assert_int_equal(delete_path(f, "/d/x/f"), 0);
    txn_begin(&t, f->nn.dir, f->now_ns);
    struct store_iter *it = store_iter_new(f->nn.store, NULL, true);
    for (store_iter_seek(it, "G", 1); store_iter_valid(it) && store_iter_key(it).base[0] == 'G'; store_iter_next(it))
        store_batch_delete(txn_batch(&t), store_iter_key(it).base, store_iter_key(it).len);
    for (store_iter_seek(it, "q", 1); store_iter_valid(it) && store_iter_key(it).base[0] == 'q'; store_iter_next(it))
        quota_usage_put(&t, be64_get(store_iter_key(it).base + 1), &(struct quota_usage){.names = 1});
    store_iter_free(it);
    t.counters.quota_rules = 0;
    assert_int_equal(txn_commit(&t, ERR(f)), 0);
    txn_end(&t);
    assert_usage(f, "/d", 1, 0);
    fixture_reopen(f);
    assert_usage(f, "/d", 3, 200);
    assert_usage(f, "/d/x", 2, 200);
    assert_int_equal(f->nn.dir->counters.quota_rules, QUOTA_RULES);
    drop(f, "/d", "s");
    reap_all(f);
    assert_usage(f, "/d", 2, 0);
    assert_usage(f, "/d/x", 1, 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_deleted_file_is_charged_until_its_snapshots_are_gone),
        T(a_changed_file_is_charged_for_what_it_was),
        T(a_rename_of_what_a_snapshot_has_costs_a_name),
        T(a_removal_is_never_refused_but_a_replacement_may_be),
        T(what_sessions_hold_is_charged_as_far_as_snapshots_have_it),
        T(what_was_moved_away_and_deleted_is_charged_where_it_was),
        T(a_deleted_tree_is_given_back_in_many_steps),
        T(an_old_store_is_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

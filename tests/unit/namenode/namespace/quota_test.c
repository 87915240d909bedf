/* Quotas: what a commit is charged, and what it is refused. */
#include "tests/unit/namenode/namespace/quotas.h"

static void names_are_counted_and_refused(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d/a");
    assert_int_equal(set_quota(f, "/d", 3, QUOTA_LEAVE, 0), 0);
    assert_int_equal(usage(f, "/d").names, 2);
    assert_int_equal(create(f, "/d/f", 3), 0);
    assert_int_equal(create(f, "/d/g", 3), ERR_NS_QUOTA);
    assert_string_equal(f->err.text, OVER "/d is exceeded: quota=3 file count=4");
    assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->root, "/d/x/y/z", 0755, true, ERR(f))), ERR_NS_QUOTA);
    assert_string_equal(f->err.text, OVER "/d is exceeded: quota=3 file count=4");
    assert_false(look(f, "/d/x").exists);
    assert_int_equal(delete_path(f, "/d/f"), 0);
    assert_int_equal(create(f, "/d/g", 3), 0);
    assert_int_equal(set_quota(f, "/d", 1, QUOTA_LEAVE, 0), 0); /* less than there is: nothing more, until it shrinks */
    assert_int_equal(create(f, "/d/h", 3), ERR_NS_QUOTA);
    assert_int_equal(set_quota(f, "/d", QUOTA_RESET, QUOTA_LEAVE, 0), 0);
    assert_int_equal(create(f, "/d/h", 3), 0);
    assert_int_equal(f->nn.dir->counters.quotas, 0);
}

static void a_block_being_written_counts_as_a_full_one(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d");
    assert_int_equal(create(f, "/d/f", 3), 0);
    assert_int_equal(set_quota(f, "/d", QUOTA_LEAVE, 4 * BLOCK, 0), 0);
    assert_int_equal(add_block(f, "/d/f"), 0);
    assert_int_equal(usage(f, "/d").space, 3 * BLOCK);
    assert_int_equal(finish_block(f, "/d/f", 1000), 0);
    assert_int_equal(usage(f, "/d").space, 3000);
    assert_int_equal(add_block(f, "/d/f"), 0);
    assert_int_equal(add_block(f, "/d/f"), ERR_DS_QUOTA);
    assert_string_equal(f->err.text, "The DiskSpace quota of /d is exceeded: quota = 4194304 B = 4 MB but diskspace "
                                     "consumed = 6294456 B = 6.00 MB");
    assert_int_equal(set_replication(f, "/d/f", 5), ERR_DS_QUOTA);
    assert_int_equal(set_replication(f, "/d/f", 2), 0);
    assert_int_equal(usage(f, "/d").space, 2000 + 2 * BLOCK);
    assert_int_equal(IN_TXN(f, drop_block_in(t, &f->root, "/d/f")), 0);
    assert_int_equal(usage(f, "/d").space, 2000);
}

static void types_are_charged_as_the_policy_says(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d");
    assert_int_equal(IN_TXN(f, tree_set_policy(t, &f->root, "/d", "one_ssd", ERR(f))), 0);
    assert_int_equal(set_quota(f, "/d", QUOTA_LEAVE, 1000, STORAGE_SSD), 0);
    assert_int_equal(create(f, "/d/f", 3), 0);
    assert_int_equal(add_block(f, "/d/f"), ERR_TYPE_QUOTA);
    assert_string_equal(f->err.text, "Quota by storage type : SSD on path : /d is exceeded. quota = 1000 B but space "
                                     "consumed = 1 MB");
    assert_int_equal(set_quota(f, "/d", QUOTA_LEAVE, 2 * BLOCK, STORAGE_SSD), 0);
    assert_int_equal(add_block(f, "/d/f"), 0);
    assert_int_equal(usage(f, "/d").types[STORAGE_SSD], BLOCK);
    assert_int_equal(usage(f, "/d").types[STORAGE_DISK], 2 * BLOCK);
    assert_int_equal(IN_TXN(f, tree_set_policy(t, &f->root, "/d/f", "HOT", ERR(f))), 0);
    assert_int_equal(usage(f, "/d").types[STORAGE_SSD], 0);
    assert_int_equal(usage(f, "/d").types[STORAGE_DISK], 3 * BLOCK);
    assert_int_equal(set_quota(f, "/d", 5, 5, STORAGE_SSD), ERR_UNSUPPORTED_ACTION);
    assert_int_equal(set_quota(f, "/d", QUOTA_LEAVE, 5, STORAGE_RAM_DISK), ERR_UNSUPPORTED_ACTION);
}

static void a_move_is_charged_where_it_goes(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/a/tree/x/y");
    mkdirs(f, "/b");
    assert_int_equal(create(f, "/a/tree/x/f", 2), 0);
    assert_int_equal(add_block(f, "/a/tree/x/f"), 0);
    assert_int_equal(finish_block(f, "/a/tree/x/f", 500), 0);
    assert_int_equal(set_quota(f, "/a", 100, 5000, 0), 0);
    assert_int_equal(set_quota(f, "/b", 4, 5000, 0), 0);
    assert_int_equal(rename_path(f, "/a/tree", "/b/tree"), ERR_NS_QUOTA);
    assert_string_equal(f->err.text, OVER "/b is exceeded: quota=4 file count=5");
    assert_int_equal(set_quota(f, "/b", 5, 999, 0), 0);
    assert_int_equal(rename_path(f, "/a/tree", "/b/tree"), ERR_DS_QUOTA);
    assert_int_equal(usage(f, "/a").names, 5);
    assert_int_equal(set_quota(f, "/b", 5, 1000, 0), 0);
    assert_int_equal(rename_path(f, "/a/tree", "/b/tree"), 0);
    assert_int_equal(usage(f, "/a").names, 1);
    assert_int_equal(usage(f, "/a").space, 0);
    assert_int_equal(usage(f, "/b").names, 5);
    assert_int_equal(usage(f, "/b").space, 1000);
    assert_int_equal(rename_path(f, "/b/tree/x", "/b/x"), 0); /* inside one quota: no question */
    assert_int_equal(delete_path(f, "/b/x"), 0);
    assert_int_equal(usage(f, "/b").names, 2);
    fixture_reopen(f);
    reap_all(f);
    assert_int_equal(usage(f, "/b").names, 2);
    assert_int_equal(usage(f, "/b").space, 0);
    assert_int_equal(delete_path(f, "/b"), 0);
    reap_all(f);
    assert_int_equal(f->nn.dir->counters.quotas, 1);
}

static void a_move_whose_sum_nobody_made_is_to_be_tried_again(void **state)
{
    struct fixture *f = *state;
    bool deleted;
    mkdirs(f, "/a/tree/x");
    assert_int_equal(set_quota(f, "/a", 100, QUOTA_LEAVE, 0), 0);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/a/tree", true, &deleted, ERR(f))), ERR_RETRIABLE);
    assert_true(look(f, "/a/tree").exists);
    assert_int_equal(usage(f, "/a").names, 3);
}

/* What happens between the snapshot and the end of the walk is not lost and not counted twice. */
static void changes_during_the_walk_are_added(void **state)
{
    struct fixture *f = *state;
    struct txn walk;
    mkdirs(f, "/d/x/y");
    assert_int_equal(create(f, "/d/x/f", 1), 0);
    struct quota_watch *watch = quota_watch_begin(f->nn.dir, look(f, "/d").id);
    txn_begin_snapshot(&walk, f->nn.dir);
    assert_int_equal(create(f, "/d/x/y/g", 1), 0);
    assert_int_equal(add_block(f, "/d/x/f"), 0);
    assert_int_equal(delete_path(f, "/d/x/y"), 0); /* with its own walk, since /d is watched */
    assert_int_equal(create(f, "/elsewhere", 1), 0);
    assert_int_equal(quota_sum_subtree(&walk, watch->id, POLICY_UNSPECIFIED, &watch->sum, ERR(f)), 0);
    watch->is_summed = true;
    txn_end(&walk);
    assert_int_equal(create(f, "/d/late", 1), 0);
    assert_int_equal(IN_TXN(f, tree_set_quota(t, &f->root, "/d", 10, QUOTA_LEAVE, 0, ERR(f))), 0);
    quota_watch_end(f->nn.dir, watch);
    assert_int_equal(usage(f, "/d").names, 4);
    assert_int_equal(usage(f, "/d").space, BLOCK);
}

static void several_names_are_charged_once_where_the_first_is(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/a");
    mkdirs(f, "/b");
    assert_int_equal(create(f, "/a/f", 3), 0);
    assert_int_equal(add_block(f, "/a/f"), 0);
    assert_int_equal(finish_block(f, "/a/f", 100), 0);
    assert_int_equal(set_quota(f, "/a", 10, 10 * BLOCK, 0), 0);
    assert_int_equal(set_quota(f, "/b", 2, 200, 0), 0);
    assert_int_equal(IN_TXN(f, link_path(f, t, "/a/f", "/b/g")), 0);
    assert_int_equal(usage(f, "/a").names, 2);
    assert_int_equal(usage(f, "/a").space, 300);
    assert_int_equal(usage(f, "/b").names, 1);
    assert_int_equal(delete_path(f, "/a/f"), 0);
    assert_int_equal(usage(f, "/a").names, 1);
    assert_int_equal(usage(f, "/b").names, 2); /* it is not refused there, though it is too much */
    assert_int_equal(usage(f, "/b").space, 300);
    assert_int_equal(create(f, "/b/h", 1), ERR_NS_QUOTA);
    assert_int_equal(IN_TXN(f, link_path(f, t, "/b/g", "/a/f")), 0);
    assert_int_equal(delete_path(f, "/b/g"), 0);
    assert_int_equal(usage(f, "/b").names, 1);
    assert_int_equal(usage(f, "/a").space, 300);
}

static void the_root_has_its_own_rules(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d");
    assert_int_equal(create(f, "/d/f", 1), 0);
    assert_int_equal(set_quota(f, "/", 3, QUOTA_LEAVE, 0), 0);
    assert_int_equal(usage(f, "/").names, 3);
    assert_int_equal(create(f, "/g", 1), ERR_NS_QUOTA);
    assert_int_equal(set_quota(f, "/", QUOTA_RESET, QUOTA_LEAVE, 0), 0);
    assert_int_equal(create(f, "/g", 1), 0);
    assert_int_equal(f->nn.dir->counters.quotas, 0);
    assert_int_equal(set_quota(f, "/g", 3, QUOTA_LEAVE, 0), ERR_NOT_DIR);
    assert_string_equal(f->err.text, "`/g': Is not a directory");
    assert_int_equal(set_quota(f, "/no", 3, QUOTA_LEAVE, 0), ERR_NOT_FOUND);
    assert_int_equal(set_quota(f, "/d", -2, QUOTA_LEAVE, 0), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(IN_TXN(f, tree_set_quota(t, &f->ann, "/d", 3, QUOTA_LEAVE, 0, ERR(f))), ERR_ACCESS);
}

static void an_owner_may_set_them_if_the_setting_says_so(void **state)
{
    struct fixture *f = *state;
    mkdirs(f, "/d/below");
    assert_int_equal(IN_TXN(f, tree_set_owner(t, &f->root, "/d", "ann", NULL, ERR(f))), 0);
    assert_int_equal(IN_TXN(f, tree_set_quota(t, &f->ann, "/d/below", 3, QUOTA_LEAVE, 0, ERR(f))), ERR_ACCESS);
    f->nn.dir->owners_set_quotas = true;
    assert_int_equal(IN_TXN(f, tree_set_quota(t, &f->ann, "/d/below", 3, QUOTA_LEAVE, 0, ERR(f))), 0);
    assert_int_equal(usage(f, "/d/below").names, 1);
    assert_int_equal(IN_TXN(f, tree_set_quota(t, &f->ann, "/d", 3, QUOTA_LEAVE, 0, ERR(f))), ERR_ACCESS);
    assert_int_equal(IN_TXN(f, tree_set_quota(t, &f->bob, "/d/below", 3, QUOTA_LEAVE, 0, ERR(f))), ERR_ACCESS);
    assert_string_equal(f->err.text,
                        "Access denied for user bob. Superuser or owner of parent folder privilege is required");
    assert_int_equal(IN_TXN(f, tree_set_quota(t, &f->ann, "/", 3, QUOTA_LEAVE, 0, ERR(f))), ERR_ACCESS);
}

static void huge_sizes_do_not_overflow(void **state)
{
    struct inode n = {.type = INODE_FILE, .replication = 512, .block_bytes = INT64_MAX};
    struct file_block blocks[3] = {
        {.state = BLOCK_UNDER_CONSTRUCTION}, {.state = BLOCK_UNDER_CONSTRUCTION}, {.state = BLOCK_UNDER_CONSTRUCTION}};
    struct quota_usage u;
    n.blocks = blocks;
    n.block_count = 3;
    quota_usage_of(&n, 7, &u);
    assert_true(u.space > 0 && u.types[STORAGE_DISK] > 0);
}

#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(names_are_counted_and_refused),
        T(a_block_being_written_counts_as_a_full_one),
        T(types_are_charged_as_the_policy_says),
        T(a_move_is_charged_where_it_goes),
        T(a_move_whose_sum_nobody_made_is_to_be_tried_again),
        T(changes_during_the_walk_are_added),
        T(several_names_are_charged_once_where_the_first_is),
        T(the_root_has_its_own_rules),
        T(an_owner_may_set_them_if_the_setting_says_so),
        cmocka_unit_test(huge_sizes_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Quotas: what a commit is charged, what it is refused, and that the records never differ from a recount. */
#include "namenode/namespace/links.h"
#include "namenode/namespace/quota.h"

#include "namenode/namespace/history.h"
#include "namenode/namespace/policy.h"
#include "namenode/namespace/quota_sum.h"
#include "namenode/namespace/snapshots.h"
#include "tests/unit/namenode/namespace/fixture.h"

#define BLOCK 1048576
#define OVER  "The NameSpace quota (directories and files) of directory "

static int create(struct fixture *f, const char *path, uint16_t replication)
{
    struct file_create_args args = {.path = path,
                                    .client_name = "c",
                                    .client_machine = "127.0.0.1",
                                    .mode = 0644,
                                    .replication = replication,
                                    .block_bytes = BLOCK,
                                    .create = true};
    struct inode *n = NULL;
    return IN_TXN(f, file_create(o, &f->root, &args, &n, ERR(f)));
}

static int find(struct txn *t, const struct fs_user *u, const char *path, struct inode **ret)
{
    struct path p;
    int rc = path_resolve(t, u, path, 0, &p, NULL);
    if (!rc)
        *ret = path_target(&p);
    return rc;
}

/* One more block, being written. */
static int add_block_in(struct txn *t, const struct fs_user *u, const char *path)
{
    struct inode *n = NULL;
    int rc = find(t, u, path, &n);
    if (!rc)
        txn_add_block(t, n);
    return rc;
}

static int finish_block_in(struct txn *t, const struct fs_user *u, const char *path, uint64_t bytes)
{
    struct inode *n = NULL;
    int rc = find(t, u, path, &n);
    if (!rc && inode_last_block(n))
        txn_set_block(t, n, inode_last_block(n), 1001, bytes, BLOCK_COMPLETE);
    return rc;
}

static int drop_block_in(struct txn *t, const struct fs_user *u, const char *path)
{
    struct inode *n = NULL;
    int rc = find(t, u, path, &n);
    if (!rc && inode_last_block(n))
        txn_drop_last_block(t, n);
    return rc;
}

static int add_block(struct fixture *f, const char *path)
{
    return IN_TXN(f, add_block_in(t, &f->root, path));
}

static int finish_block(struct fixture *f, const char *path, uint64_t bytes)
{
    return IN_TXN(f, finish_block_in(t, &f->root, path, bytes));
}

static int set_quota(struct fixture *f, const char *path, int64_t names, int64_t space, uint8_t type)
{
    struct quota_watch *watch = NULL;
    assert_int_equal(quota_sum_for_set(&f->nn, &f->root, path, &watch, ERR(f)), 0);
    int rc = IN_TXN(f, tree_set_quota(t, &f->root, path, names, space, type, ERR(f)));
    quota_sum_end(&f->nn, watch);
    return rc;
}

static int rename_path(struct fixture *f, const char *from, const char *to)
{
    struct quota_watch *watch = NULL;
    assert_int_equal(quota_sum_for_rename(&f->nn, &f->root, from, to, false, &watch, ERR(f)), 0);
    int rc = IN_TXN(f, tree_rename2(t, &f->root, from, to, true, ERR(f)));
    quota_sum_end(&f->nn, watch);
    return rc;
}

static int delete_path(struct fixture *f, const char *path)
{
    struct quota_watch *watch = NULL;
    bool deleted;
    assert_int_equal(quota_sum_for_delete(&f->nn, &f->root, path, &watch, ERR(f)), 0);
    int rc = IN_TXN(f, tree_delete(t, &f->root, path, true, &deleted, ERR(f)));
    quota_sum_end(&f->nn, watch);
    return rc;
}

static int set_replication(struct fixture *f, const char *path, uint32_t replication)
{
    struct inode *n = NULL;
    return IN_TXN(f, tree_set_replication(t, &f->root, path, replication, &n, ERR(f)));
}

static int link_path(struct fixture *f, struct txn *t, const char *path, const char *to)
{
    struct path from, there;
    if (path_resolve(t, &f->root, path, PATH_NO_FOLLOW, &from, ERR(f)) ||
        path_resolve(t, &f->root, to, PATH_MAY_MISS | PATH_NO_FOLLOW, &there, ERR(f)) || path_target(&there) ||
        !path_parent(&there) || !inode_is_dir(path_parent(&there)) || inode_is_dir(path_target(&from)))
        return ERR_NOT_FOUND;
    return txn_add_link(t, path_parent(&there), path_name(&there), path_target(&from), ERR(f));
}

static struct quota_usage usage(struct fixture *f, const char *path)
{
    struct txn t;
    struct inode *n = NULL;
    struct quota_usage u = {0};
    txn_begin(&t, f->nn.dir, f->now_ns);
    assert_int_equal(find(&t, &f->root, path, &n), 0);
    assert_non_null(n->quota);
    assert_int_equal(quota_usage_read(&t, n->id, &u, ERR(f)), 0);
    txn_end(&t);
    return u;
}

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

/* ---- the model ---- */

static const char *const places[] = {"/a",     "/b",     "/a/c",     "/a/c/d",   "/b/e",   "/b/e/d",
                                     "/a/f",   "/a/c/f", "/a/c/d/f", "/b/e/d/f", "/b/f",   "/a/c/g",
                                     "/b/e/g", "/b/h",   "/b/h/f",   "/a/h",     "/a/h/f", "/a/h/i"};

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void recount(struct txn *t, struct inode *n, uint8_t policy, struct quota_usage *sum)
{
    if (n->storage_policy)
        policy = n->storage_policy;
    sum->names++;
    for (size_t i = 0; i < n->block_count; i++) {
        int64_t bytes = n->blocks[i].state == BLOCK_COMPLETE ? (int64_t)n->blocks[i].length_bytes : BLOCK;
        int ssd = policy == 12 ? n->replication : policy == 10 && n->replication ? 1 : 0; /* ALL_SSD, ONE_SSD */
        sum->space += bytes * n->replication;
        sum->types[STORAGE_SSD] += bytes * ssd;
        sum->types[STORAGE_DISK] += bytes * (n->replication - ssd);
    }
    struct dir_iter d;
    if (!inode_is_dir(n))
        return;
    dir_iter_open(&d, t, n, "", 0);
    while (dir_iter_next(&d)) {
        struct inode *child = NULL;
        assert_int_equal(txn_inode(t, d.child, &child, NULL), 0);
        if (!child->more_links || inode_is_first_link(child, n->id, d.name, d.name_len))
            recount(t, child, policy, sum);
    }
    assert_int_equal(dir_iter_close(&d, NULL), 0);
}

/* Every record is what a recount gives, and within its quota unless it was over when that was set. */
static size_t check_all(struct fixture *f, uint64_t seed, int step)
{
    struct txn t;
    size_t checked = 0;
    txn_begin(&t, f->nn.dir, f->now_ns);
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        struct inode *n = NULL;
        struct quota_usage counted = {0}, kept;
        if (find(&t, &f->root, places[i], &n) || !n->quota)
            continue;
        recount(&t, n, 10, &counted); /* the root's policy; tree moves keep it, since directories have none */
        assert_int_equal(quota_usage_read(&t, n->id, &kept, ERR(f)), 0);
        if (memcmp(&counted, &kept, sizeof kept))
            print_error("seed %llu step %d %s: kept %lld names %lld bytes, counted %lld names %lld bytes\n",
                        (unsigned long long)seed, step, places[i], (long long)kept.names, (long long)kept.space,
                        (long long)counted.names, (long long)counted.space);
        assert_memory_equal(&counted, &kept, sizeof kept);
        checked++;
    }
    txn_end(&t);
    return checked;
}

static bool is_file(struct fixture *f, const char *path)
{
    struct txn t;
    struct inode *n = NULL;
    txn_begin(&t, f->nn.dir, f->now_ns);
    bool found = !find(&t, &f->root, path, &n) && inode_is_file(n);
    txn_end(&t);
    return found;
}

static void random_step(struct fixture *f, uint64_t *seed)
{
    static const char *const policies[] = {"ALL_SSD", "ONE_SSD", "HOT"};
    const char *path = places[next_random(seed) % ARRAY_COUNT(places)];
    const char *other = places[next_random(seed) % ARRAY_COUNT(places)];
    uint64_t n = next_random(seed);
    bool file = is_file(f, path);
    int rc = 0;
    const char *snapshot = NULL;
    char name[16];
    snprintf(name, sizeof name, "s%d", (int)(n % 4));
    switch (next_random(seed) % 16) {
    case 0: rc = IN_TXN(f, tree_mkdirs(t, &f->root, path, 0755, true, ERR(f))); break;
    case 1:
    case 2: rc = create(f, path, (uint16_t)(1 + n % 4)); break;
    case 3:
    case 4: rc = file ? add_block(f, path) : 0; break;
    case 5: rc = file ? finish_block(f, path, n % BLOCK) : 0; break;
    case 6: rc = file ? IN_TXN(f, drop_block_in(t, &f->root, path)) : 0; break;
    case 7: rc = set_replication(f, path, (uint32_t)(1 + n % 5)); break;
    case 8: rc = rename_path(f, path, other); break;
    case 9: rc = n % 3 ? 0 : delete_path(f, path); break;
    case 10:
        rc = set_quota(f, path, n % 4 ? (int64_t)(n % 12) : QUOTA_RESET,
                       n % 5 ? (int64_t)(n % (40 * BLOCK)) : QUOTA_RESET, 0);
        break;
    case 11: rc = file ? IN_TXN(f, tree_set_policy(t, &f->root, path, policies[n % 3], ERR(f))) : 0; break;
    case 12: rc = IN_TXN(f, snapshot_create(t, &f->root, "/", name, &snapshot, ERR(f))); break;
    case 13: rc = IN_TXN(f, snapshot_delete(t, &f->root, "/", name, ERR(f))); break;
    default: rc = IN_TXN(f, link_path(f, t, path, other)); break;
    }
    assert_int_not_equal(rc, ERR_RETRIABLE);
}

static void records_never_differ_from_a_recount(void **state)
{
    struct fixture *f = *state;
    uint64_t first = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : 20240917;
    size_t checked = 0, with_snapshots = 0;
    assert_int_equal(IN_TXN(f, tree_set_policy(t, &f->root, "/", "ONE_SSD", ERR(f))), 0);
    assert_int_equal(IN_TXN(f, snapshot_allow(t, "/", ERR(f))), 0);
    uint64_t seed = first;
    for (int step = 0; step < 4000; step++) {
        random_step(f, &seed);
        if (step % 100 == 50)
            reap_all(f);
        if (step % 1000 == 500)
            fixture_reopen(f);
        checked += check_all(f, first, step);
        with_snapshots += history_snapshot_count(f->nn.dir) > 0;
    }
    assert_true(checked > 1000 && with_snapshots > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_are_counted_and_refused, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_block_being_written_counts_as_a_full_one, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(types_are_charged_as_the_policy_says, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_move_is_charged_where_it_goes, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_move_whose_sum_nobody_made_is_to_be_tried_again, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(changes_during_the_walk_are_added, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(several_names_are_charged_once_where_the_first_is, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(the_root_has_its_own_rules, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(an_owner_may_set_them_if_the_setting_says_so, fixture_setup, fixture_teardown),
        cmocka_unit_test(huge_sizes_do_not_overflow),
        cmocka_unit_test_setup_teardown(records_never_differ_from_a_recount, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

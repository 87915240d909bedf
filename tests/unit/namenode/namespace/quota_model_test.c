/* Quotas: the records never differ from a recount, whatever happens. */
#include "tests/unit/namenode/namespace/quotas.h"

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

/* What the quota of `top` should have been charged, from all records there are, each looked at by itself. */
struct recount {
    struct txn t;
    uint64_t top;
    struct quota_usage sum;
};

static struct inode *newest_version(struct txn *t, uint64_t id)
{
    struct inode *n = NULL;
    struct version v;
    struct key key;
    struct store_iter *it = store_iter_new(t->dir->store, NULL, true);
    key_of(&key, 'I', id);
    for (store_iter_seek(it, key.bytes, key.len); store_iter_valid(it); store_iter_next(it)) {
        if (memcmp(store_iter_key(it).base, key.bytes, key.len) != 0)
            break;
        assert_int_equal(version_decode(store_iter_value(it), &t->arena, &v, NULL), 0);
        assert_int_equal(inode_decode(id, v.inode, &t->arena, &n, NULL), 0);
    }
    store_iter_free(it);
    return n;
}

/* Does what is in this directory count for the top? And by which policy? */
static bool counts(struct recount *r, uint64_t dir, uint8_t policy, uint8_t *ret_policy)
{
    bool found = false;
    for (int depth = 0; depth < 100 && dir != INODE_NONE; depth++) {
        struct inode *n = NULL;
        bool has_name = !txn_peek(&r->t, dir, &n, NULL) && n->parent != INODE_NONE;
        if (!has_name)
            n = newest_version(&r->t, dir);
        if (!n)
            return false;
        found = has_name && (found || dir == r->top);
        policy = policy ? policy : n->storage_policy;
        *ret_policy = policy;
        if (dir == INODE_ROOT)
            return found;
        dir = n->parent;
    }
    return false;
}

struct counted_block {
    uint64_t id;
    int64_t bytes;
};

/* Blocks that are not known yet. */
static void add_blocks(const struct inode *n, struct counted_block *list, size_t *count)
{
    for (size_t i = 0; i < n->block_count; i++) {
        size_t k = 0;
        while (k < *count && list[k].id != n->blocks[i].id)
            k++;
        if (k == *count)
            list[(*count)++] = (struct counted_block){
                n->blocks[i].id, n->blocks[i].state == BLOCK_COMPLETE ? (int64_t)n->blocks[i].length_bytes : BLOCK};
        assert_true(*count < 1000);
    }
}

static void count_file(struct recount *r, struct inode *now, uint64_t id)
{
    static struct counted_block blocks[1000];
    struct inode *newest = newest_version(&r->t, id), *list[20];
    const struct inode *at = now ? now : newest;
    size_t count = 0, block_count = 0;
    uint8_t policy = 0;
    if (!at || !counts(r, at->parent, at->storage_policy, &policy))
        return;
    struct store_iter *it = store_iter_new(r->t.dir->store, NULL, true);
    uint8_t key[9] = {'I'};
    be64_put(key + 1, id);
    for (store_iter_seek(it, key, 9); store_iter_valid(it) && !memcmp(store_iter_key(it).base, key, 9);
         store_iter_next(it)) {
        struct version v;
        assert_int_equal(version_decode(store_iter_value(it), &r->t.arena, &v, NULL), 0);
        assert_int_equal(inode_decode(id, v.inode, &r->t.arena, &list[count++], NULL), 0);
        assert_true(count < ARRAY_COUNT(list));
    }
    store_iter_free(it);
    if (now)
        list[count++] = now;
    else
        assert_int_equal(history_grow_last_block(&r->t, list[count - 1], NULL), 0);
    int64_t replication = 0, bytes = 0;
    for (size_t i = count; i-- > 0;) {
        add_blocks(list[i], blocks, &block_count);
        replication = list[i]->replication > replication ? list[i]->replication : replication;
    }
    for (size_t i = 0; i < block_count; i++)
        bytes += blocks[i].bytes;
    int64_t ssd = policy == 12 ? replication : policy == 10 && replication ? 1 : 0; /* ALL_SSD, ONE_SSD */
    r->sum.space += bytes * replication;
    r->sum.types[STORAGE_SSD] += bytes * ssd;
    r->sum.types[STORAGE_DISK] += bytes * (replication - ssd);
}

static void count_record(struct recount *r, struct slice key, struct slice value)
{
    uint64_t id = key.len >= 9 ? be64_get(key.base + 1) : 0;
    struct inode *n = NULL;
    struct version v;
    uint8_t policy;
    bool is_newest = key.len == 17 && key.base[0] == 'I';
    if (key.base[0] == 'i') {
        assert_int_equal(txn_peek(&r->t, id, &n, NULL), 0);
        r->sum.names += n->parent != INODE_NONE && (id == r->top || counts(r, n->parent, 0, &policy));
        if (inode_is_file(n) && n->parent != INODE_NONE)
            count_file(r, n, id);
    } else if (key.base[0] == 'D') {
        assert_int_equal(version_decode(value, &r->t.arena, &v, NULL), 0);
        r->sum.names += v.child && counts(r, id, 0, &policy);
    } else if (is_newest && (txn_peek(&r->t, id, &n, NULL) || n->parent == INODE_NONE)) {
        struct inode *newest = newest_version(&r->t, id);
        struct store_iter *it = store_iter_new(r->t.dir->store, NULL, true);
        store_iter_seek(it, key.base, 17);
        store_iter_next(it);
        bool is_last = !store_iter_valid(it) || memcmp(store_iter_key(it).base, key.base, 9) != 0;
        store_iter_free(it);
        if (is_last && inode_is_file(newest))
            count_file(r, NULL, id);
    }
}

static void recount(struct fixture *f, uint64_t top, struct quota_usage *ret)
{
    struct recount r = {.top = top};
    txn_begin(&r.t, f->nn.dir, f->now_ns);
    struct store_iter *it = store_iter_new(f->nn.store, NULL, true);
    for (store_iter_seek(it, "D", 1); store_iter_valid(it); store_iter_next(it))
        count_record(&r, store_iter_key(it), store_iter_value(it));
    store_iter_free(it);
    txn_end(&r.t);
    *ret = r.sum;
}

static void assert_same_usage(const struct quota_usage *kept, const struct quota_usage *counted, const char *what,
                              uint64_t seed, int step)
{
    if (memcmp(counted, kept, sizeof *kept))
        print_error("seed %llu step %d %s: kept %lld names %lld bytes %lld on SSD, counted %lld, %lld, %lld\n",
                    (unsigned long long)seed, step, what, (long long)kept->names, (long long)kept->space,
                    (long long)kept->types[STORAGE_SSD], (long long)counted->names, (long long)counted->space,
                    (long long)counted->types[STORAGE_SSD]);
    assert_memory_equal(counted, kept, sizeof *kept);
}

/* Every record is what a recount gives, and what the walk over the subtree does. */
static size_t check_all(struct fixture *f, uint64_t seed, int step)
{
    size_t checked = 0;
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        struct txn t;
        struct inode *n = NULL;
        struct quota_usage counted = {0}, kept = {0}, walked = {0};
        txn_begin_snapshot(&t, f->nn.dir);
        bool has_quota = !find(&t, &f->root, places[i], &n) && n->quota;
        if (has_quota) {
            uint64_t id = n->id;
            recount(f, id, &counted);
            assert_int_equal(quota_usage_read(&t, id, &kept, ERR(f)), 0);
            assert_same_usage(&kept, &counted, places[i], seed, step);
            assert_int_equal(quota_sum_in_full(&t, id, 10, &walked, ERR(f)), 0); /* the root's policy */
            assert_same_usage(&walked, &counted, "walk", seed, step);
            checked++;
        }
        txn_end(&t);
    }
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

static void random_step(struct fixture *f, uint64_t *seed, const char *const roots[2])
{
    const char *root = roots[next_random(seed) % 2];
    static const char *const policies[] = {"ALL_SSD", "ONE_SSD", "HOT"};
    const char *path = places[next_random(seed) % ARRAY_COUNT(places)];
    const char *other = places[next_random(seed) % ARRAY_COUNT(places)];
    uint64_t n = next_random(seed);
    bool file = is_file(f, path);
    int rc = 0;
    const char *snapshot = NULL;
    char name[16];
    snprintf(name, sizeof name, "s%d", (int)(n % 4));
    switch (next_random(seed) % 18) {
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
    case 12: rc = IN_TXN(f, snapshot_create(t, &f->root, root, name, &snapshot, ERR(f))); break;
    case 13: rc = IN_TXN(f, snapshot_delete(t, &f->root, root, name, ERR(f))); break;
    case 14: rc = IN_TXN(f, snapshot_allow(t, root, ERR(f))); break;
    case 15:
    case 16: reap_some(f); break;
    default: rc = IN_TXN(f, link_path(f, t, path, other)); break;
    }
    assert_int_not_equal(rc, ERR_RETRIABLE);
}

static void run(struct fixture *f, uint64_t first, const char *const roots[2], int steps)
{
    size_t checked = 0, with_snapshots = 0;
    assert_int_equal(IN_TXN(f, tree_set_policy(t, &f->root, "/", "ONE_SSD", ERR(f))), 0);
    uint64_t seed = first;
    for (int step = 0; step < steps; step++) {
        random_step(f, &seed, roots);
        if (step % 100 == 50)
            reap_all(f);
        if (step % 1000 == 500)
            fixture_reopen(f);
        checked += check_all(f, first, step);
        with_snapshots += history_snapshot_count(f->nn.dir) > 0;
    }
    print_message("%zu times compared, %zu steps with snapshots\n", checked, with_snapshots);
    assert_true(checked > 500 && with_snapshots > 500);
}

static uint64_t first_seed(void)
{
    return getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : 20240917;
}

static void records_never_differ_from_a_recount(void **state)
{
    static const char *const roots[2] = {"/", "/"};
    run(*state, first_seed(), roots, 3000);
}

static void nor_when_things_move_between_snapshots(void **state)
{
    static const char *const roots[2] = {"/a", "/b"};
    run(*state, first_seed() + 1, roots, 3000);
}

#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(records_never_differ_from_a_recount),
        T(nor_when_things_move_between_snapshots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

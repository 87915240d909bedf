/* A namespace on a LevelDB of its own in a temporary folder, without threads or network. */
#ifndef CAIRN_TESTS_NAMESPACE_FIXTURE_H
#define CAIRN_TESTS_NAMESPACE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "namenode/housekeeping.h"
#include "namenode/namespace/files.h"
#include "namenode/namespace/cache_pools.h"
#include "namenode/namespace/detached.h"
#include "namenode/namespace/edit_turns.h"
#include "namenode/namespace/graves.h"
#include "namenode/namespace/leases.h"
#include "namenode/namespace/links.h"
#include "namenode/namespace/tokens.h"
#include "namenode/namespace/writers.h"
#include "namenode/namespace/tree.h"
#include "namenode/seam.h"
#include "namenode/serve/park.h"
#include "namenode/serve/posix_state.h"

#define SOFT_MS  60000
#define HARD_MS  1200000
#define RETRY_MS 30000
#define GRACE_MS 60000

struct fixture {
    char folder[64];
    struct namenode nn;
    struct reaper reaper;
    struct config *config;
    uint64_t now_ms, now_ns;
    struct fs_user root, ann, bob;
    struct err err;
    struct fsdir_limits limits;
};

static inline void fixture_open(struct fixture *f)
{
    struct fsdir_options o = {
        .limits = f->limits,
        .permissions = true,
        .acls = true,
        .posix_acl_inheritance = true,
        .xattrs = true,
        .storage_policies = true,
        .diffs_below_roots = true,
        .superuser = "root",
        .supergroup = "supergroup",
    };
    struct blocks_options options;
    struct blocks_seam seam = namespace_seam(&f->nn);
    char path[128];
    snprintf(path, sizeof path, "%s/meta", f->folder);
    assert_int_equal(store_open(path, &f->nn.store, &f->err), 0);
    assert_int_equal(journal_start(f->nn.store, NULL, &f->nn.journal, &f->err), 0);
    assert_int_equal(fsdir_open(f->nn.store, f->nn.journal, &o, f->now_ns, &f->nn.dir, &f->err), 0);
    blocks_options_from_config(&options, f->config);
    options.pool_id = "BP-1-127.0.0.1-1";
    options.seed = 1;
    f->nn.reaper = &f->reaper;
    f->nn.first_block_since_start = f->nn.dir->counters.next_block;
    f->nn.leases = leases_new(SOFT_MS, HARD_MS, RETRY_MS);
    f->nn.writers = writers_new();
    f->nn.detached = detached_new();
    f->nn.edit_turns = edit_turns_new();
    assert_int_equal(graves_load(f->nn.store, GRACE_MS, &f->nn.graves, NULL), 0);
    assert_int_equal(cache_pools_load(f->nn.store, &f->nn.cache_pools, NULL), 0);
    assert_int_equal(tokens_load(f->nn.store, f->config, &f->nn.tokens, NULL), 0);
    f->nn.parked = parked_new();
    assert_int_equal(posix_state_open(&f->nn, &f->err), 0);
    f->nn.blocks = blocks_new(&options, &seam, f->now_ms);
    assert_int_equal(leases_load(&f->nn, f->now_ms, &f->err), 0);
}

static inline void fixture_close(struct fixture *f)
{
    blocks_free(f->nn.blocks);
    parked_free(f->nn.parked);
    posix_state_close(&f->nn);
    detached_free(f->nn.detached);
    edit_turns_free(f->nn.edit_turns);
    graves_free(f->nn.graves);
    writers_free(f->nn.writers);
    cache_pools_free(f->nn.cache_pools);
    tokens_free(f->nn.tokens);
    leases_free(f->nn.leases);
    fsdir_free(f->nn.dir);
    journal_stop(f->nn.journal);
    store_close(f->nn.store);
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);
    snprintf(f->folder, sizeof f->folder, "/tmp/cairn-namespace-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->config = config_new();
    f->nn.config = f->config;
    pthread_mutex_init(&f->nn.lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&f->nn.housekeeping_wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    snprintf(f->nn.ids.block_pool_id, sizeof f->nn.ids.block_pool_id, "BP-1-127.0.0.1-1");
    f->now_ms = 1000000;
    f->now_ns = 1700000000000000000ull;
    f->limits = (struct fsdir_limits){.component_bytes = 255,
                                      .children = 1000,
                                      .path_chars = 8000,
                                      .depth = 1000,
                                      .list_entries = 1000,
                                      .block_bytes_min = 1024,
                                      .blocks_per_file = 100,
                                      .replication_min = 1,
                                      .replication_max = 512,
                                      .snapshots = 100000,
                                      .snapshots_per_dir = 1000,
                                      .atime_precision_ns = 3600000000000ull,
                                      .xattrs = 32,
                                      .xattr_bytes = 16384};
    f->root = (struct fs_user){.name = "root", .is_super = true};
    f->ann = (struct fs_user){.name = "ann", .groups = {1, sizeof "staff", "staff"}};
    f->bob = (struct fs_user){.name = "bob", .groups = {1, sizeof "staff", "staff"}};
    fixture_open(f);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    assert_int_equal(file_remove_tree(f->folder, NULL), 0);
    config_free(f->config);
    free(f);
    return 0;
}

static inline void fixture_reopen(struct fixture *f)
{
    fixture_close(f);
    fixture_open(f);
}

/* One operation in a txn of its own, committed if it succeeded; the value is its result. */
#define IN_TXN(f, call)                                                                                                \
    __extension__({                                                                                                    \
        struct txn t_;                                                                                                 \
        struct txn *t = &t_;                                                                                           \
        struct file_op op_ = {&(f)->nn, t, (f)->now_ms}, *o = &op_;                                                    \
        (void)o;                                                                                                       \
        (f)->err = (struct err){0};                                                                                    \
        txn_begin(t, (f)->nn.dir, (f)->now_ns += 1000000);                                                             \
        int rc_ = (call);                                                                                              \
        if (!rc_)                                                                                                      \
            rc_ = file_commit(o, &(f)->err);                                                                           \
        txn_end(t);                                                                                                    \
        rc_;                                                                                                           \
    })
#define ERR(f) (&(f)->err)

struct seen {
    bool exists, is_dir, is_open, is_snapshottable;
    uint64_t id, mtime_ns, children, subdirs, length, parent;
    uint16_t mode, replication;
    char owner[32], group[32], target[64];
    size_t blocks;
};

static inline struct seen look(struct fixture *f, const char *path)
{
    struct txn t;
    struct path p;
    struct seen s = {0};
    txn_begin(&t, f->nn.dir, f->now_ns);
    assert_int_equal(path_resolve(&t, &f->root, path, PATH_MAY_MISS | PATH_NO_FOLLOW, &p, &f->err), 0);
    struct inode *n = path_target(&p);
    if (n) {
        s = (struct seen){.exists = true,
                          .is_dir = inode_is_dir(n),
                          .is_open = n->is_open,
                          .is_snapshottable = n->is_snapshottable,
                          .id = n->id,
                          .mtime_ns = n->mtime_ns,
                          .children = n->child_count,
                          .subdirs = n->subdir_count,
                          .length = inode_length(n),
                          .mode = n->mode,
                          .replication = n->replication,
                          .blocks = n->block_count,
                          .parent = n->parent};
        snprintf(s.owner, sizeof s.owner, "%s", n->owner);
        snprintf(s.group, sizeof s.group, "%s", n->group);
        snprintf(s.target, sizeof s.target, "%s", n->target ? n->target : "");
    }
    txn_end(&t);
    return s;
}

/* "a b c" */
static inline const char *names(struct fixture *f, const char *path, const char *after)
{
    static char out[4096];
    struct txn t;
    struct path p;
    struct dir_iter d;
    out[0] = 0;
    txn_begin(&t, f->nn.dir, f->now_ns);
    assert_int_equal(path_resolve(&t, &f->root, path, PATH_SNAPSHOT, &p, &f->err), 0);
    dir_iter_open(&d, &t, path_target(&p), after, strlen(after));
    while (dir_iter_next(&d)) {
        size_t len = strlen(out);
        snprintf(out + len, sizeof out - len, "%s%.*s", len ? " " : "", (int)d.name_len, d.name);
    }
    assert_int_equal(dir_iter_close(&d, &f->err), 0);
    txn_end(&t);
    return out;
}

static inline void mkdirs(struct fixture *f, const char *path)
{
    assert_int_equal(IN_TXN(f, tree_mkdirs(t, &f->root, path, 0755, true, ERR(f))), 0);
}

static inline bool reap_some(struct fixture *f)
{
    bool more = false;
    namenode_lock(&f->nn);
    int rc = reap_step(&f->nn, &more, &f->err);
    namenode_unlock(&f->nn);
    assert_int_equal(rc, 0);
    return more;
}

static inline void reap_all(struct fixture *f)
{
    while (reap_some(f))
        ;
}

/* Files of ann's, named by numbers, each with attributes that take 64 MiB of a txn's memory: as much as a hundred
 * thousand others. */
static inline void make_fat_files(struct fixture *f, const char *dir, int count)
{
    enum { ATTRIBUTES = 400000 };
    for (int i = 0; i < count; i++) {
        struct txn t;
        struct path p;
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        txn_begin(&t, f->nn.dir, f->now_ns);
        assert_int_equal(path_resolve(&t, &f->root, dir, 0, &p, &f->err), 0);
        struct inode *n = txn_new_inode(&t, INODE_FILE, 0644, "ann", "staff");
        n->xattrs = arena_array(&t.arena, struct xattr, ATTRIBUTES);
        n->xattr_count = ATTRIBUTES;
        for (size_t k = 0; k < ATTRIBUTES; k++)
            n->xattrs[k] = (struct xattr){.space = XATTR_USER, .name = "a"};
        txn_link(&t, path_target(&p), name, n);
        assert_int_equal(txn_commit(&t, &f->err), 0);
        txn_end(&t);
    }
}

#endif

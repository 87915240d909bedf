/* Operations under quotas, each with the sums that it needs. */
#ifndef CAIRN_TESTS_NAMESPACE_QUOTAS_H
#define CAIRN_TESTS_NAMESPACE_QUOTAS_H

#include "namenode/namespace/history_held.h"
#include "namenode/namespace/keys.h"
#include "namenode/namespace/links.h"
#include "namenode/namespace/policy.h"
#include "namenode/namespace/quota.h"
#include "namenode/namespace/quota_internal.h"
#include "namenode/namespace/quota_sum.h"
#include "namenode/namespace/snapshots.h"
#include "tests/unit/namenode/namespace/fixture.h"

#define BLOCK 1048576
#define OVER  "The NameSpace quota (directories and files) of directory "

static inline int create(struct fixture *f, const char *path, uint16_t replication)
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

static inline int find(struct txn *t, const struct fs_user *u, const char *path, struct inode **ret)
{
    struct path p;
    int rc = path_resolve(t, u, path, 0, &p, NULL);
    if (!rc)
        *ret = path_target(&p);
    return rc;
}

/* One more block, being written. */
static inline int add_block_in(struct txn *t, const struct fs_user *u, const char *path)
{
    struct inode *n = NULL;
    int rc = find(t, u, path, &n);
    if (!rc)
        txn_add_block(t, n);
    return rc;
}

static inline int finish_block_in(struct txn *t, const struct fs_user *u, const char *path, uint64_t bytes)
{
    struct inode *n = NULL;
    int rc = find(t, u, path, &n);
    if (!rc && inode_last_block(n))
        txn_set_block(t, n, inode_last_block(n), 1001, bytes, BLOCK_COMPLETE);
    return rc;
}

static inline int drop_block_in(struct txn *t, const struct fs_user *u, const char *path)
{
    struct inode *n = NULL;
    int rc = find(t, u, path, &n);
    if (!rc && inode_last_block(n))
        txn_drop_last_block(t, n);
    return rc;
}

static inline int add_block(struct fixture *f, const char *path)
{
    return IN_TXN(f, add_block_in(t, &f->root, path));
}

static inline int finish_block(struct fixture *f, const char *path, uint64_t bytes)
{
    return IN_TXN(f, finish_block_in(t, &f->root, path, bytes));
}

static inline int set_quota(struct fixture *f, const char *path, int64_t names, int64_t space, uint8_t type)
{
    struct quota_watch *watch = NULL;
    assert_int_equal(quota_sum_for_set(&f->nn, &f->root, path, &watch, ERR(f)), 0);
    int rc = IN_TXN(f, tree_set_quota(t, &f->root, path, names, space, type, ERR(f)));
    quota_sum_end(&f->nn, watch);
    return rc;
}

static inline int rename_path(struct fixture *f, const char *from, const char *to)
{
    struct quota_watch *watch = NULL;
    assert_int_equal(quota_sum_for_rename(&f->nn, &f->root, from, to, false, &watch, ERR(f)), 0);
    int rc = IN_TXN(f, tree_rename2(t, &f->root, from, to, true, ERR(f)));
    quota_sum_end(&f->nn, watch);
    return rc;
}

static inline int delete_path(struct fixture *f, const char *path)
{
    struct quota_watch *watch = NULL;
    bool deleted;
    assert_int_equal(quota_sum_for_delete(&f->nn, &f->root, path, &watch, ERR(f)), 0);
    int rc = IN_TXN(f, tree_delete(t, &f->root, path, true, &deleted, ERR(f)));
    quota_sum_end(&f->nn, watch);
    return rc;
}

static inline int set_replication(struct fixture *f, const char *path, uint32_t replication)
{
    struct inode *n = NULL;
    return IN_TXN(f, tree_set_replication(t, &f->root, path, replication, &n, ERR(f)));
}

static inline int link_path(struct fixture *f, struct txn *t, const char *path, const char *to)
{
    struct path from, there;
    if (path_resolve(t, &f->root, path, PATH_NO_FOLLOW, &from, ERR(f)) ||
        path_resolve(t, &f->root, to, PATH_MAY_MISS | PATH_NO_FOLLOW, &there, ERR(f)) || path_target(&there) ||
        !path_parent(&there) || !inode_is_dir(path_parent(&there)) || inode_is_dir(path_target(&from)))
        return ERR_NOT_FOUND;
    return txn_add_link(t, path_parent(&there), path_name(&there), path_target(&from), ERR(f));
}

static inline struct quota_usage usage(struct fixture *f, const char *path)
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

static inline void take(struct fixture *f, const char *root, const char *name)
{
    const char *path = NULL;
    assert_int_equal(IN_TXN(f, snapshot_create(t, &f->root, root, name, &path, ERR(f))), 0);
}

static inline void drop(struct fixture *f, const char *root, const char *name)
{
    assert_int_equal(IN_TXN(f, snapshot_delete(t, &f->root, root, name, ERR(f))), 0);
}

static inline void allow(struct fixture *f, const char *root)
{
    assert_int_equal(IN_TXN(f, snapshot_allow(t, root, ERR(f))), 0);
}

static inline void make_file(struct fixture *f, const char *path, uint16_t replication, uint64_t bytes)
{
    assert_int_equal(create(f, path, replication), 0);
    assert_int_equal(add_block(f, path), 0);
    assert_int_equal(finish_block(f, path, bytes), 0);
}

static inline void assert_usage(struct fixture *f, const char *path, int64_t names, int64_t space)
{
    struct quota_usage u = usage(f, path);
    assert_int_equal(u.names, names);
    assert_int_equal(u.space, space);
}

#endif

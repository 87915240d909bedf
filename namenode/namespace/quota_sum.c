#include "namenode/namespace/quota_sum.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

/* ---- the walk ---- */

struct level {
    uint64_t id;
    uint64_t policy; /* in force inside */
};

static uint8_t policy_in(const struct inode *n, uint8_t above)
{
    return n->storage_policy != POLICY_UNSPECIFIED ? n->storage_policy : above;
}

static int add_child(struct txn *t, const struct inode *n, uint8_t policy, struct quota_usage *sum, struct buf *stack,
                     struct err *reterr)
{
    struct quota_usage usage;
    if (inode_is_dir(n) && n->quota) { /* its record knows */
        int rc = quota_usage_read(t, n->id, &usage, reterr);
        if (rc)
            return rc;
    } else {
        quota_usage_of(n, policy_in(n, policy), &usage);
        struct level below = {n->id, policy_in(n, policy)};
        if (inode_is_dir(n) && n->child_count)
            buf_append(stack, &below, sizeof below);
    }
    quota_usage_add(sum, &usage, 1);
    return 0;
}

static int add_children(struct txn *t, const struct level *dir, struct quota_usage *sum, struct buf *stack,
                        struct err *reterr)
{
    struct dir_iter d;
    struct inode only_id = {.id = dir->id};
    int rc = 0;
    dir_iter_open(&d, t, &only_id, "", 0);
    for (size_t seen = 1; dir_iter_next(&d); seen++) {
        if (seen % 256 == 0)
            txn_reset(t);
        struct inode *n = NULL;
        rc = txn_inode(t, d.child, &n, reterr);
        if (!rc && n->more_links && !inode_is_first_link(n, dir->id, d.name, d.name_len))
            continue; /* it counts where its first name is */
        rc = rc ? rc : add_child(t, n, (uint8_t)dir->policy, sum, stack, reterr);
        if (rc)
            break;
    }
    int close_rc = dir_iter_close(&d, rc ? NULL : reterr);
    return rc ? rc : close_rc;
}

int quota_sum_subtree(struct txn *t, uint64_t top, uint8_t policy, struct quota_usage *ret, struct err *reterr)
{
    AUTO(buf_free) struct buf stack = {0};
    struct quota_usage sum = {0};
    struct inode *n = NULL;
    int rc = txn_inode(t, top, &n, reterr);
    rc = rc ? rc : add_child(t, n, policy, &sum, &stack, reterr);
    while (!rc && stack.len) {
        struct level at;
        stack.len -= sizeof at;
        memcpy(&at, stack.base + stack.len, sizeof at);
        txn_reset(t);
        rc = add_children(t, &at, &sum, &stack, reterr);
    }
    if (!rc)
        *ret = sum;
    return rc;
}

/* ---- watches ---- */

struct quota_watch *quota_watch_begin(struct fsdir *dir, uint64_t id)
{
    struct quota_watch *w = mem_new(struct quota_watch);
    w->id = id;
    w->next = dir->watches;
    dir->watches = w;
    return w;
}

void quota_watch_end(struct fsdir *dir, struct quota_watch *watch)
{
    struct quota_watch **at = &dir->watches;
    while (*at && *at != watch)
        at = &(*at)->next;
    if (*at)
        *at = watch->next;
    free(watch);
}

/* ---- does it need one? ---- */

enum purpose { TO_DELETE, TO_RENAME, TO_SET };

struct request {
    enum purpose purpose;
    const char *path, *to;
    bool into_directory;
};

/* The directory that `to` will be in; NULL if the rename will not work anyway. */
static struct inode *new_parent(struct txn *t, const struct fs_user *u, const struct request *r)
{
    struct path p;
    if (path_resolve(t, u, r->to, PATH_NO_FOLLOW | PATH_MAY_MISS, &p, NULL))
        return NULL;
    struct inode *there = path_target(&p);
    return there && inode_is_dir(there) && r->into_directory ? there : path_parent(&p);
}

/* The directory whose sum is wanted, and the policy above it. */
static struct inode *wanted(struct txn *t, const struct fs_user *u, const struct request *r, uint8_t *ret_policy)
{
    struct path p;
    struct quota_chain from, to = {0};
    unsigned flags = PATH_MAY_MISS | (r->purpose == TO_SET ? 0 : PATH_NO_FOLLOW);
    if (path_resolve(t, u, r->path, flags, &p, NULL))
        return NULL;
    struct inode *n = path_target(&p);
    if (!n || !inode_is_dir(n) || !n->child_count || n->quota || (n->id == INODE_ROOT && r->purpose != TO_SET))
        return NULL;
    if (quota_chain_of(t, n->id == INODE_ROOT ? INODE_NONE : n->parent, &from, NULL))
        return NULL;
    if (r->purpose == TO_RENAME) {
        struct inode *parent = new_parent(t, u, r);
        if (!parent || quota_chain_of(t, parent->id, &to, NULL))
            return NULL;
    }
    *ret_policy = from.policy;
    return r->purpose == TO_SET || !quota_chain_is_same(&from, &to) ? n : NULL;
}

bool quota_sum_is_wanted(struct txn *t, const struct fs_user *u, const char *from, const char *to, bool into_directory)
{
    struct request r = {TO_RENAME, from, to, into_directory};
    uint8_t policy;
    return quota_is_charged(t) && wanted(t, u, &r, &policy) != NULL;
}

/* ---- the whole of it ---- */

static int sum_for(struct namenode *nn, const struct fs_user *u, const struct request *r, struct quota_watch **ret,
                   struct err *reterr)
{
    struct txn t, walk;
    struct quota_watch *watch = NULL;
    uint8_t policy = POLICY_UNSPECIFIED;
    *ret = NULL;
    namenode_lock(nn);
    txn_begin(&t, nn->dir, 0);
    struct inode *n = r->purpose == TO_SET || quota_is_charged(&t) ? wanted(&t, u, r, &policy) : NULL;
    if (n) {
        watch = quota_watch_begin(nn->dir, n->id);
        txn_begin_snapshot(&walk, nn->dir);
    }
    txn_end(&t);
    namenode_unlock(nn);
    if (!watch)
        return 0;
    struct quota_usage sum;
    int rc = quota_sum_subtree(&walk, watch->id, policy, &sum, reterr);
    txn_end(&walk);
    if (rc) {
        quota_sum_end(nn, watch);
        return rc;
    }
    namenode_lock(nn);
    watch->sum = sum;
    watch->is_summed = true;
    namenode_unlock(nn);
    *ret = watch;
    return 0;
}

int quota_sum_for_delete(struct namenode *nn, const struct fs_user *u, const char *path, struct quota_watch **ret,
                         struct err *reterr)
{
    return sum_for(nn, u, &(struct request){.purpose = TO_DELETE, .path = path}, ret, reterr);
}

int quota_sum_for_rename(struct namenode *nn, const struct fs_user *u, const char *from, const char *to,
                         bool into_directory, struct quota_watch **ret, struct err *reterr)
{
    return sum_for(nn, u, &(struct request){TO_RENAME, from, to, into_directory}, ret, reterr);
}

int quota_sum_for_set(struct namenode *nn, const struct fs_user *u, const char *path, struct quota_watch **ret,
                      struct err *reterr)
{
    return sum_for(nn, u, &(struct request){.purpose = TO_SET, .path = path}, ret, reterr);
}

void quota_sum_end(struct namenode *nn, struct quota_watch *watch)
{
    if (!watch)
        return;
    namenode_lock(nn);
    quota_watch_end(nn->dir, watch);
    namenode_unlock(nn);
}

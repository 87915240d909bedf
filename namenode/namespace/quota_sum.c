#include "namenode/namespace/quota_sum.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "namenode/namespace/history_held.h"
#include "namenode/namespace/quota_internal.h"

/* ---- the walk ---- */

struct level {
    uint64_t id;
    uint64_t policy; /* in force inside */
};
struct walk {
    struct txn *t;
    struct quota_usage sum;
    struct buf stack; /* struct level */
    uint8_t policy;   /* in force in the directory being looked at */
    bool has_history; /* versions count, too */
    bool in_full;     /* records of directories below are not used */
};

static uint8_t policy_in(const struct inode *n, uint8_t above)
{
    return n->storage_policy != POLICY_UNSPECIFIED ? n->storage_policy : above;
}

static void push(struct walk *w, const struct inode *n)
{
    struct level below = {n->id, policy_in(n, w->policy)};
    if (inode_is_dir(n))
        buf_append(&w->stack, &below, sizeof below);
}

/* A file with its versions; gone: without itself. */
static int add_file(struct walk *w, const struct inode *n, bool gone, struct err *reterr)
{
    const struct inode *whole = n;
    struct quota_usage usage = {0};
    int rc = w->has_history ? history_whole_file(w->t, n->id, gone ? NULL : n, false, &whole, reterr) : 0;
    if (!rc && whole)
        quota_usage_of(whole, policy_in(whole, w->policy), &usage);
    usage.names = !gone;
    quota_usage_add(&w->sum, &usage, 1);
    return rc;
}

static int add_named(struct walk *w, const struct inode *n, struct err *reterr)
{
    static const struct quota_usage itself = {.names = 1};
    struct quota_usage usage;
    if (inode_is_file(n))
        return add_file(w, n, false, reterr);
    if (!inode_is_dir(n) || !n->quota || w->in_full) {
        quota_usage_add(&w->sum, &itself, 1);
        if (n->child_count || w->has_history)
            push(w, n);
        return 0;
    }
    int rc = quota_usage_read(w->t, n->id, &usage, reterr); /* its record knows */
    if (!rc)
        quota_usage_add(&w->sum, &usage, 1);
    return rc;
}

static int add_gone(void *context, struct inode *n, struct err *reterr)
{
    struct walk *w = context;
    push(w, n);
    return inode_is_file(n) ? add_file(w, n, true, reterr) : 0;
}

static int add_children(struct walk *w, uint64_t dir, struct err *reterr)
{
    struct dir_iter d;
    struct inode only_id = {.id = dir};
    int rc = 0;
    dir_iter_open(&d, w->t, &only_id, "", 0);
    for (size_t seen = 1; dir_iter_next(&d); seen++) {
        if (seen % 256 == 0)
            txn_reset(w->t);
        struct inode *n = NULL;
        rc = txn_inode(w->t, d.child, &n, reterr);
        if (!rc && n->more_links && !inode_is_first_link(n, dir, d.name, d.name_len))
            continue; /* it counts where its first name is */
        rc = rc ? rc : add_named(w, n, reterr);
        if (rc)
            break;
    }
    int close_rc = dir_iter_close(&d, rc ? NULL : reterr);
    return rc ? rc : close_rc;
}

static int add_directory(struct walk *w, const struct level *at, struct err *reterr)
{
    struct quota_usage names = {0};
    txn_reset(w->t);
    w->policy = (uint8_t)at->policy;
    int rc = add_children(w, at->id, reterr);
    if (!rc && w->has_history)
        rc = history_count_names(w->t, at->id, &names.names, reterr);
    if (!rc && w->has_history)
        rc = history_each_gone(w->t, at->id, add_gone, w, reterr);
    quota_usage_add(&w->sum, &names, 1);
    return rc;
}

static int walk_from(struct walk *w, uint64_t top, struct err *reterr)
{
    struct inode *n = NULL;
    w->has_history = history_has_versions(w->t);
    int rc = txn_inode(w->t, top, &n, reterr);
    if (!rc && n->parent != INODE_NONE) {
        rc = add_named(w, n, reterr);
    } else if (!rc || rc == ERR_NOT_FOUND) {
        rc = n ? 0 : history_newest(w->t, top, false, &n, NULL, reterr);
        rc = rc || !n ? rc : add_gone(w, n, reterr);
    }
    while (!rc && w->stack.len) {
        struct level at;
        w->stack.len -= sizeof at;
        memcpy(&at, w->stack.base + w->stack.len, sizeof at);
        rc = add_directory(w, &at, reterr);
    }
    buf_free(&w->stack);
    return rc;
}

int quota_sum_subtree(struct txn *t, uint64_t top, uint8_t policy, struct quota_usage *ret, struct err *reterr)
{
    struct walk w = {.t = t, .policy = policy};
    int rc = walk_from(&w, top, reterr);
    if (!rc)
        *ret = w.sum;
    return rc;
}

int quota_sum_in_full(struct txn *t, uint64_t top, uint8_t policy, struct quota_usage *ret, struct err *reterr)
{
    struct walk w = {.t = t, .policy = policy, .in_full = true};
    int rc = walk_from(&w, top, reterr);
    if (!rc)
        *ret = w.sum;
    return rc;
}

int quota_sum_now(struct txn *t, uint64_t top, uint8_t policy, struct quota_usage *ret, struct err *reterr)
{
    struct txn walk;
    txn_begin_snapshot(&walk, t->dir);
    int rc = quota_sum_subtree(&walk, top, policy, ret, reterr);
    txn_end(&walk);
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
    if (!n || n->quota || (n->id == INODE_ROOT && r->purpose != TO_SET) || !quota_has_content(t, n))
        return NULL;
    if (quota_chain_of(t, n->id == INODE_ROOT ? INODE_NONE : n->parent, &from, NULL))
        return NULL;
    if (r->purpose == TO_RENAME) {
        struct inode *parent = new_parent(t, u, r);
        if (!parent || quota_chain_of(t, parent->id, &to, NULL))
            return NULL;
    }
    uint64_t place = INODE_NONE;
    if (r->purpose == TO_DELETE &&
        (history_place_if_removed(t, n, &place, NULL) || quota_chain_of(t, place, &to, NULL)))
        return NULL;
    *ret_policy = from.policy;
    return r->purpose == TO_SET || !quota_chain_is_same(&from, &to) ? n : NULL;
}

bool quota_sum_is_wanted(struct txn *t, const struct fs_user *u, const char *from, const char *to, bool into_directory)
{
    struct request r = {TO_RENAME, from, to, into_directory};
    uint8_t policy;
    return quota_is_charged(t) && wanted(t, u, &r, &policy) != NULL;
}

bool quota_sum_is_wanted_to_remove(struct txn *t, struct inode *n)
{
    struct quota_chain from, to;
    uint64_t place = INODE_NONE;
    if (!quota_is_charged(t) || n->quota || !quota_has_content(t, n))
        return false;
    return !quota_chain_of(t, n->parent, &from, NULL) && !history_place_if_removed(t, n, &place, NULL) &&
           !quota_chain_of(t, place, &to, NULL) && !quota_chain_is_same(&from, &to);
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

int quota_sum_for_reaper(struct namenode *nn, uint64_t id, struct quota_watch **ret, struct err *reterr)
{
    struct txn t, walk;
    struct inode *n = NULL;
    struct quota_chain above = {0};
    struct quota_usage sum = {0};
    txn_begin(&t, nn->dir, 0);
    int rc = txn_inode(&t, id, &n, reterr);
    if (!rc && n->parent != INODE_NONE)
        rc = quota_chain_of(&t, n->parent, &above, reterr);
    else if (!rc || rc == ERR_NOT_FOUND)
        rc = quota_chain_gone(&t, id, false, &above, reterr);
    txn_end(&t);
    if (rc)
        return rc;
    struct quota_watch *watch = quota_watch_begin(nn->dir, id);
    txn_begin_snapshot(&walk, nn->dir);
    namenode_unlock(nn);
    rc = quota_sum_subtree(&walk, id, above.policy, &sum, reterr);
    txn_end(&walk);
    namenode_lock(nn);
    if (rc) {
        quota_watch_end(nn->dir, watch);
        return rc;
    }
    watch->sum = sum;
    watch->is_summed = true;
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

/* ---- all of them ---- */

static int recount(struct txn *t, uint64_t id, struct err *reterr)
{
    struct quota_chain above = {0};
    struct quota_usage sum;
    struct txn walk;
    struct inode *n = NULL;
    int rc = txn_inode(t, id, &n, reterr);
    if (!rc && id != INODE_ROOT)
        rc = quota_chain_of(t, n->parent, &above, reterr);
    if (rc)
        return rc;
    txn_begin_snapshot(&walk, t->dir);
    rc = quota_sum_in_full(&walk, id, above.policy, &sum, reterr);
    txn_end(&walk);
    if (!rc)
        quota_usage_put(t, id, &sum);
    return rc;
}

int quota_recount(struct fsdir *dir, struct err *reterr)
{
    struct txn t;
    int rc = history_find_places(dir, reterr);
    txn_begin(&t, dir, 0);
    struct store_iter *it = store_iter_new(dir->store, NULL, true);
    for (store_iter_seek(it, "q", 1); !rc && history_is_used(dir) && store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        if (key.len != 9 || key.base[0] != 'q')
            break;
        rc = recount(&t, be64_get(key.base + 1), reterr);
    }
    rc = rc ? rc : store_iter_status(it, reterr);
    store_iter_free(it);
    t.counters.quota_rules = QUOTA_RULES;
    txn_batch(&t);
    rc = rc ? rc : txn_commit(&t, reterr);
    txn_end(&t);
    return rc;
}

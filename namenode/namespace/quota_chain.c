/* Who is above. */
#include <string.h>

#include "namenode/namespace/history_held.h"
#include "namenode/namespace/quota.h"
#include "namenode/namespace/quota_internal.h"
#include "namenode/namespace/quota_sum.h"

#define DEPTH_MAX 20000 /* as deep as anything can hang, see txn.c */

static bool is_watched(const struct fsdir *dir, uint64_t id)
{
    for (const struct quota_watch *w = dir->watches; w; w = w->next)
        if (w->id == id)
            return true;
    return false;
}

static void chain_append(struct txn *t, struct quota_chain *c, struct inode *n)
{
    if (c->count == c->capacity) {
        c->capacity = c->capacity ? c->capacity * 2 : 4;
        struct inode **grown = arena_array(&t->arena, struct inode *, c->capacity);
        if (c->count)
            memcpy(grown, c->dirs, c->count * sizeof *grown);
        c->dirs = grown;
    }
    c->dirs[c->count++] = n;
}

/* The directory above by name, or where the versions of something that is gone have it. */
static int next_above(struct txn *t, uint64_t id, bool pending, struct quota_chain *c, uint64_t *ret,
                      struct err *reterr)
{
    struct inode *n = NULL, *newest = NULL;
    int rc = txn_inode(t, id, &n, reterr);
    bool has_name = !rc && !n->is_erased && n->parent != INODE_NONE;
    if (!has_name && (!rc || rc == ERR_NOT_FOUND))
        rc = history_is_used(t->dir) ? history_newest(t, id, pending, &newest, NULL, reterr) : 0;
    if (rc)
        return rc;
    if (has_name && (n->quota || is_watched(t->dir, id)))
        chain_append(t, c, n);
    if (!has_name)
        c->count = 0; /* quotas in what is gone are gone, too */
    const struct inode *at = has_name ? n : newest;
    if (at && c->policy == POLICY_UNSPECIFIED)
        c->policy = at->storage_policy;
    *ret = at ? at->parent : INODE_NONE;
    return 0;
}

static int chain_from(struct txn *t, uint64_t first, bool pending, struct quota_chain *ret, struct err *reterr)
{
    struct quota_chain c = {0};
    *ret = c;
    uint64_t id = first;
    for (size_t depth = 0; depth < DEPTH_MAX && id != INODE_NONE; depth++) {
        uint64_t above = INODE_NONE;
        int rc = next_above(t, id, pending, &c, &above, reterr);
        if (rc)
            return rc;
        if (id == INODE_ROOT) {
            *ret = c;
            return 0;
        }
        id = above;
    }
    return 0;
}

int quota_chain_of(struct txn *t, uint64_t first, struct quota_chain *ret, struct err *reterr)
{
    return chain_from(t, first, true, ret, reterr);
}

int quota_chain_gone(struct txn *t, uint64_t id, bool pending, struct quota_chain *ret, struct err *reterr)
{
    struct inode *newest = NULL;
    *ret = (struct quota_chain){0};
    int rc = history_newest(t, id, pending, &newest, NULL, reterr);
    return rc || !newest ? rc : chain_from(t, newest->parent, pending, ret, reterr);
}

bool quota_chain_is_same(const struct quota_chain *a, const struct quota_chain *b)
{
    return a->count == b->count && (!a->count || !memcmp(a->dirs, b->dirs, a->count * sizeof *a->dirs));
}

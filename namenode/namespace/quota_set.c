/* setQuota. */
#include "namenode/namespace/quota.h"
#include "namenode/namespace/quota_internal.h"

static int check_values(const struct fsdir *dir, const struct fs_user *u, int64_t names, int64_t space, uint8_t type,
                        struct err *reterr)
{
    if (!u->is_super && !dir->owners_set_quotas)
        return err_set(reterr, ERR_ACCESS,
                       "Access denied for user %s. Superuser privilege is required for operation %s%sQuota", u->name,
                       names == QUOTA_RESET || space == QUOTA_RESET ? "clear" : "set",
                       space == QUOTA_LEAVE ? "" : "Space");
    if (names < QUOTA_RESET || space < QUOTA_RESET)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Illegal value for nsQuota or ssQuota : %lld and %lld",
                       (long long)names, (long long)space);
    if (type && (names != QUOTA_LEAVE || !storage_type_has_quota(type)))
        return err_set(reterr, ERR_UNSUPPORTED_ACTION,
                       "Failed to set quota by storage type because either"
                       "dfs.quota.by.storage.type.enabled is set to true or nsQuota value is illegal %lld",
                       (long long)names);
    return 0;
}

int quota_check_setter(struct txn *t, const struct fs_user *u, const struct path *p, struct err *reterr)
{
    const struct inode *parent = path_parent(p);
    if (u->is_super || (t->dir->owners_set_quotas && parent && !access_check_owner(u, parent, p->text, NULL)))
        return 0;
    return err_set(reterr, ERR_ACCESS,
                   "Access denied for user %s. Superuser or owner of parent folder privilege is required", u->name);
}

static void values_put(struct quota *q, int64_t names, int64_t space, uint8_t type, bool is_root)
{
    if (is_root && names == QUOTA_RESET)
        q->names = QUOTA_NONE; /* of "/" that is: as many as there can be */
    else if (names != QUOTA_LEAVE)
        q->names = names;
    if (space != QUOTA_LEAVE)
        *(type ? &q->types[type] : &q->space) = space;
}

static int first_usage(struct txn *t, const struct inode *n, struct quota_usage *ret, struct err *reterr)
{
    int rc = 0;
    if (!quota_has_content(t, n))
        *ret = (struct quota_usage){.names = 1};
    else if (!quota_of_subtree(t, n, ret, &rc, reterr))
        return quota_sum_unknown(n, reterr);
    return rc;
}

int tree_set_quota(struct txn *t, const struct fs_user *u, const char *text, int64_t names, int64_t space, uint8_t type,
                   struct err *reterr)
{
    struct path p;
    int rc = check_values(t->dir, u, names, space, type, reterr);
    rc = rc ? rc : path_resolve(t, u, text, PATH_MAY_MISS, &p, reterr);
    rc = rc ? rc : quota_check_setter(t, u, &p, reterr);
    if (rc)
        return rc;
    struct inode *n = path_target(&p);
    if (!n)
        return err_set(reterr, ERR_NOT_FOUND, "Directory does not exist: %s", p.text);
    if (!inode_is_dir(n))
        return err_set(reterr, ERR_NOT_DIR, "`%s': Is not a directory", p.text);
    static const struct quota none = {QUOTA_NONE, QUOTA_NONE, {-1, -1, -1, -1, -1, -1, -1}};
    struct quota *q = arena_memdup(&t->arena, n->quota ? n->quota : &none, sizeof *q);
    bool is_root = n->id == INODE_ROOT;
    values_put(q, names, space, type, is_root);
    if (!quota_is_set(q, is_root)) {
        if (n->quota)
            quota_forget(t, n);
        n->quota = NULL;
    } else if (!n->quota) {
        struct quota_usage usage;
        rc = first_usage(t, n, &usage, reterr);
        if (rc)
            return rc;
        quota_usage_put(t, n->id, &usage);
        t->counters.quotas++;
        n->quota = q;
    } else {
        n->quota = q;
    }
    txn_dirty(n);
    return 0;
}

#include "namenode/namespace/policy.h"

#include <stdio.h>

#include "namenode/namespace/history.h"

uint8_t path_policy(const struct path *p)
{
    for (size_t i = p->found; i-- > 0;) {
        if (p->inodes[i]->type == INODE_SYMLINK)
            return POLICY_UNSPECIFIED;
        if (p->inodes[i]->storage_policy != POLICY_UNSPECIFIED)
            return p->inodes[i]->storage_policy;
    }
    return POLICY_UNSPECIFIED;
}

int inode_policy(struct txn *t, struct inode *n, uint8_t *ret, struct err *reterr)
{
    while (n->storage_policy == POLICY_UNSPECIFIED && n->id != INODE_ROOT && n->parent != INODE_NONE) {
        int rc = txn_inode(t, n->parent, &n, reterr);
        if (rc)
            return rc;
    }
    *ret = n->storage_policy;
    return 0;
}

/* As Java prints a list of types. */
static const char *types_text(const uint8_t types[POLICY_TYPES_MAX], char *out, size_t max)
{
    size_t len = 0;
    out[0] = 0;
    for (size_t i = 0; i < POLICY_TYPES_MAX && types[i] && len < max; i++)
        len += (size_t)snprintf(out + len, max - len, "%s%s", i ? ", " : "", storage_type_text(types[i]));
    return out;
}

static int refuse_late(const struct storage_policy *p, struct err *reterr)
{
    char types[64], creation[64], replication[64];
    return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT,
                   "Policy BlockStoragePolicy{%s:%u, storageTypes=[%s], creationFallbacks=[%s], "
                   "replicationFallbacks=[%s]} cannot be set after file creation.",
                   p->name, p->id, types_text(p->types, types, sizeof types),
                   types_text(p->creation_fallback, creation, sizeof creation),
                   types_text(p->replication_fallback, replication, sizeof replication));
}

static int check_file(const struct inode *n, const struct storage_policy *given, struct err *reterr)
{
    const struct storage_policy *present =
        n->storage_policy == POLICY_UNSPECIFIED ? NULL : storage_policy_find(n->storage_policy);
    if (given && given->only_at_creation)
        return refuse_late(given, reterr);
    if (present && present->only_at_creation)
        return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT, "Existing policy %s cannot be changed after file creation.",
                       present->name);
    return 0;
}

int tree_set_policy(struct txn *t, const struct fs_user *u, const char *text, const char *name, struct err *reterr)
{
    struct path p;
    const struct storage_policy *given = name ? storage_policy_named(name) : NULL;
    if (name && !given)
        return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT, "Cannot find a block policy with the name %s", name);
    int rc = path_resolve(t, u, text, PATH_MAY_MISS, &p, reterr);
    struct inode *n = rc ? NULL : path_target(&p);
    if (n)
        rc = access_check(u, n, ACCESS_WRITE, p.text, reterr);
    else if (!rc)
        rc = err_set(reterr, ERR_NOT_FOUND, "File/Directory does not exist: %s", p.text);
    if (!rc && inode_is_file(n))
        rc = check_file(n, given, reterr);
    if (rc)
        return rc;
    n->storage_policy = given ? given->id : POLICY_UNSPECIFIED;
    rc = history_change_policy(t, n->id, n->storage_policy, reterr);
    if (rc)
        return rc;
    n->ctime_ns = t->now_ns;
    txn_dirty(n);
    return 0;
}

#include "namenode/namespace/erasure.h"

#include <string.h>

#include "namenode/namespace/xattr.h"

#define NAME "replication"

/* The value is a string as Java's Writable has it: its length in four bytes, then the bytes. */
static const struct xattr policy_mark = {
    .space = XATTR_SYSTEM,
    .name = "hdfs.erasurecoding.policy",
    .has_value = true,
    .value = {.base = (uint8_t *)"\0\0\0\013" NAME, .len = 4 + sizeof NAME - 1},
};

static int resolve(struct txn *t, const struct fs_user *u, const char *text, struct path *ret, struct err *reterr)
{
    int rc = path_resolve(t, u, text, PATH_MAY_MISS, ret, reterr);
    if (!rc && path_target(ret))
        return access_check(u, path_target(ret), ACCESS_WRITE, ret->text, reterr);
    return rc ? rc : err_set(reterr, ERR_NOT_FOUND, "Path not found: %s", ret->text);
}

int tree_set_replication_policy(struct txn *t, const struct fs_user *u, const char *text, struct err *reterr)
{
    struct path p;
    int rc = resolve(t, u, text, &p, reterr);
    if (!rc && !inode_is_dir(path_target(&p)))
        rc = err_set(reterr, ERR_IO, "Attempt to set an erasure coding policy for a file %s", p.text);
    if (!rc)
        inode_put_xattr(t, path_target(&p), &policy_mark);
    return rc;
}

int tree_unset_erasure_policy(struct txn *t, const struct fs_user *u, const char *text, struct err *reterr)
{
    struct path p;
    int rc = resolve(t, u, text, &p, reterr);
    if (!rc && !inode_is_dir(path_target(&p)))
        rc = err_set(reterr, ERR_IO, "Cannot unset an erasure coding policy on a file %s", p.text);
    if (!rc && !inode_drop_xattr(t, path_target(&p), &policy_mark))
        rc = err_set(reterr, ERR_NO_EC_POLICY, "No erasure coding policy explicitly set on %s", p.text);
    return rc;
}

const char *path_erasure_policy(const struct path *p)
{
    const struct inode *n = path_target(p);
    if (!inode_is_dir(n))
        return inode_is_file(n) ? "Replicated" : "";
    for (size_t i = p->found; i-- > 0;)
        if (p->inodes[i]->xattr_count)
            return inode_xattr(p->inodes[i], &policy_mark) ? NAME : "";
    return "";
}

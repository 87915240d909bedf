#include "namenode/namespace/xattr.h"

#include <string.h>

#define UNREADABLE     "hdfs.unreadable.by.superuser" /* in the space `security` */
#define RAW_PREFIX     "/.reserved/raw"
#define XATTRS_ANY_MAX 1000 /* of all spaces: a bound for what the limit does not count */

static const char *const space_names[XATTR_SPACES] = {"user", "trusted", "security", "system", "raw"};

static bool is_raw_path(const char *text)
{
    size_t len = strlen(RAW_PREFIX);
    return !strncmp(text, RAW_PREFIX, len) && (!text[len] || text[len] == '/');
}

static bool is_unreadable_mark(const struct xattr *x)
{
    return x->space == XATTR_SECURITY && !strcmp(x->name, UNREADABLE);
}

static bool is_same(const struct xattr *a, const struct xattr *b)
{
    return a->space == b->space && !strcmp(a->name, b->name);
}

const struct xattr *inode_xattr(const struct inode *n, const struct xattr *x)
{
    for (size_t i = 0; i < n->xattr_count; i++)
        if (is_same(&n->xattrs[i], x))
            return &n->xattrs[i];
    return NULL;
}

static bool is_visible(const struct fs_user *u, const struct xattr *x, bool is_raw)
{
    switch (x->space) {
    case XATTR_USER: return true;
    case XATTR_TRUSTED: return u->is_super;
    case XATTR_RAW: return is_raw;
    default: return is_unreadable_mark(x);
    }
}

static int check_space(const struct fs_user *u, const struct xattr *x, bool is_raw, struct err *reterr)
{
    if (!is_visible(u, x, is_raw))
        return err_set(reterr, ERR_ACCESS, "User doesn't have permission for xattr: %s.%s", space_names[x->space],
                       x->name);
    if (is_unreadable_mark(x) && x->has_value)
        return err_set(reterr, ERR_ACCESS,
                       "Attempt to set a value for 'security." UNREADABLE "'. Values are not allowed for this xattr.");
    return 0;
}

static int check_enabled(const struct fsdir *dir, struct err *reterr)
{
    if (dir->xattrs)
        return 0;
    return err_set(reterr, ERR_IO,
                   "The XAttr operation has been rejected.  Support for XAttrs has been disabled by setting "
                   "dfs.namenode.xattrs.enabled to false.");
}

static int check_size(const struct fsdir *dir, const struct xattr *x, struct err *reterr)
{
    size_t size = strlen(x->name) + x->value.len;
    if (size <= dir->limits.xattr_bytes)
        return 0;
    return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT,
                   "The XAttr is too big. The maximum combined size of the name and value is %zu, but the total size "
                   "is %zu",
                   dir->limits.xattr_bytes, size);
}

static int resolve(struct txn *t, const struct fs_user *u, const char *text, unsigned flags, struct path *ret,
                   struct err *reterr)
{
    int rc = path_resolve(t, u, text, flags | PATH_MAY_MISS | PATH_NUMBERED_LINK, ret, reterr);
    if (!rc && !path_target(ret))
        rc = err_set(reterr, ERR_NOT_FOUND, "cannot find %s", ret->text);
    return rc;
}

/* Attributes of a shared (sticky) directory are its owner's. */
static int check_change(struct txn *t, const struct fs_user *u, const char *text, const struct xattr *x,
                        struct path *ret, struct err *reterr)
{
    bool is_raw = is_raw_path(text);
    int rc = check_space(u, x, is_raw, reterr);
    if (!rc && is_raw)
        rc = access_check_super(u, reterr);
    rc = rc ? rc : resolve(t, u, text, 0, ret, reterr);
    if (rc || x->space != XATTR_USER)
        return rc;
    const struct inode *n = path_target(ret);
    return inode_is_dir(n) && (n->mode & 01000) ? access_check_owner(u, n, ret->text, reterr)
                                                : access_check(u, n, ACCESS_WRITE, ret->text, reterr);
}

/* ---- changes ---- */

static int check_flags(const struct xattr *x, bool exists, unsigned flags, struct err *reterr)
{
    if (!(flags & (XATTR_FLAG_CREATE | XATTR_FLAG_REPLACE)))
        return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT, "A flag must be specified.");
    if (exists && !(flags & XATTR_FLAG_REPLACE))
        return err_set(reterr, ERR_IO, "XAttr: %s already exists. The REPLACE flag must be specified.", x->name);
    if (!exists && !(flags & XATTR_FLAG_CREATE))
        return err_set(reterr, ERR_IO, "XAttr: %s does not exist. The CREATE flag must be specified.", x->name);
    return 0;
}

static bool counts(const struct xattr *x)
{
    return x->space == XATTR_USER || x->space == XATTR_TRUSTED;
}

static int check_count(const struct fsdir *dir, const struct inode *n, const struct xattr *added, struct err *reterr)
{
    size_t count = counts(added);
    for (size_t i = 0; i < n->xattr_count; i++)
        count += counts(&n->xattrs[i]) && !is_same(&n->xattrs[i], added);
    size_t limit = count > dir->limits.xattrs ? dir->limits.xattrs : XATTRS_ANY_MAX;
    if (count <= dir->limits.xattrs && n->xattr_count < XATTRS_ANY_MAX)
        return 0;
    return err_set(reterr, ERR_IO, "Cannot add additional XAttr to inode, would exceed limit of %zu", limit);
}

bool inode_drop_xattr(struct txn *t, struct inode *n, const struct xattr *x)
{
    const struct xattr *old = inode_xattr(n, x);
    if (!old)
        return false;
    size_t at = (size_t)(old - n->xattrs);
    memmove(&n->xattrs[at], &n->xattrs[at + 1], (n->xattr_count - at - 1) * sizeof *x);
    n->xattr_count--;
    n->ctime_ns = t->now_ns;
    txn_dirty(n);
    return true;
}

void inode_put_xattr(struct txn *t, struct inode *n, const struct xattr *x)
{
    inode_drop_xattr(t, n, x);
    struct xattr *all = arena_array(&t->arena, struct xattr, n->xattr_count + 1);
    if (n->xattr_count)
        memcpy(all + 1, n->xattrs, n->xattr_count * sizeof *all);
    all[0] = *x;
    all[0].name = arena_strdup(&t->arena, x->name);
    all[0].value.base = arena_memdup(&t->arena, x->value.len ? (const void *)x->value.base : "", x->value.len);
    n->xattrs = all;
    n->xattr_count++;
    n->ctime_ns = t->now_ns;
    txn_dirty(n);
}

int tree_set_xattr(struct txn *t, const struct fs_user *u, const char *text, const struct xattr *x, unsigned flags,
                   struct err *reterr)
{
    struct path p;
    int rc = check_enabled(t->dir, reterr);
    rc = rc ? rc : check_size(t->dir, x, reterr);
    rc = rc ? rc : check_change(t, u, text, x, &p, reterr);
    if (rc)
        return rc;
    struct inode *n = path_target(&p);
    rc = check_flags(x, inode_xattr(n, x) != NULL, flags, reterr);
    rc = rc ? rc : check_count(t->dir, n, x, reterr);
    if (!rc && is_unreadable_mark(x) && !inode_is_file(n))
        rc = err_set(reterr, ERR_IO, "Can only set 'security." UNREADABLE "' on a file.");
    if (rc)
        return rc;
    inode_put_xattr(t, n, x);
    return 0;
}

int tree_remove_xattr(struct txn *t, const struct fs_user *u, const char *text, const struct xattr *x,
                      struct err *reterr)
{
    struct path p;
    int rc = check_enabled(t->dir, reterr);
    rc = rc ? rc : check_change(t, u, text, x, &p, reterr);
    if (rc)
        return rc;
    struct inode *n = path_target(&p);
    if (is_unreadable_mark(x) && n->xattr_count)
        return err_set(reterr, ERR_ACCESS, "The xattr 'security." UNREADABLE "' can not be deleted.");
    if (!inode_drop_xattr(t, n, x))
        return err_set(reterr, ERR_IO, "No matching attributes found for remove operation");
    return 0;
}

/* ---- looking ---- */

int tree_get_xattrs(struct txn *t, const struct fs_user *u, const char *text, const struct xattr *wanted,
                    size_t wanted_count, const struct xattr **ret, size_t *ret_count, struct err *reterr)
{
    struct path p;
    bool is_raw = is_raw_path(text);
    int rc = check_enabled(t->dir, reterr);
    for (size_t i = 0; !rc && i < wanted_count; i++)
        rc = check_space(u, &wanted[i], is_raw, reterr);
    rc = rc ? rc : resolve(t, u, text, PATH_SNAPSHOT, &p, reterr);
    rc = rc ? rc : access_check(u, path_target(&p), ACCESS_READ, p.text, reterr);
    if (rc)
        return rc;
    const struct inode *n = path_target(&p);
    size_t count = 0;
    struct xattr *out = arena_array(&t->arena, struct xattr, wanted_count ? wanted_count : n->xattr_count);
    for (size_t i = 0; !wanted_count && i < n->xattr_count; i++)
        if (is_visible(u, &n->xattrs[i], is_raw))
            out[count++] = n->xattrs[i];
    for (size_t i = 0; i < wanted_count; i++) {
        const struct xattr *x = inode_xattr(n, &wanted[i]);
        if (!x)
            return err_set(reterr, ERR_XATTR_NOT_FOUND, "At least one of the attributes provided was not found.");
        out[count++] = *x;
    }
    *ret = out;
    *ret_count = count;
    return 0;
}

int xattr_check_superuser_may_read(const struct fs_user *u, const struct inode *n, struct err *reterr)
{
    for (size_t i = 0; u->is_super && i < n->xattr_count; i++)
        if (is_unreadable_mark(&n->xattrs[i]))
            return err_set(reterr, ERR_ACCESS,
                           "Access is denied for %s since the superuser is not allowed to perform this operation.",
                           u->name);
    return 0;
}

/* setPermission, setOwner, setTimes, setReplication. */
#include "namenode/namespace/tree.h"

#include <string.h>
#include <sys/stat.h>

#include "namenode/namespace/history.h"

/* Each call has its own words, before and after the path, for one that is not there. */
static int resolve(struct txn *t, const struct fs_user *u, const char *text, const char *before, const char *after,
                   struct path *ret, struct err *reterr)
{
    int rc = path_resolve(t, u, text, PATH_MAY_MISS, ret, reterr);
    return rc || path_target(ret) ? rc : err_set(reterr, ERR_NOT_FOUND, "%s%s%s", before, ret->text, after);
}

int tree_set_permission(struct txn *t, const struct fs_user *u, const char *text, uint16_t mode, struct err *reterr)
{
    struct path p;
    int rc = resolve(t, u, text, "Directory/File does not exist ", "", &p, reterr);
    if (rc)
        return rc;
    struct inode *n = path_target(&p);
    rc = access_check_owner(u, n, p.text, reterr);
    if (rc)
        return rc;
    uint16_t kept = inode_is_dir(n) ? n->mode & S_ISGID : 0; /* as chmod with a number does it */
    n->mode = (mode & 01777) | kept;
    n->ctime_ns = t->now_ns;
    txn_dirty(n);
    return 0;
}

int tree_set_owner(struct txn *t, const struct fs_user *u, const char *text, const char *owner, const char *group,
                   struct err *reterr)
{
    struct path p;
    int rc = resolve(t, u, text, "Directory/File does not exist ", "", &p, reterr);
    if (rc)
        return rc;
    struct inode *n = path_target(&p);
    rc = access_check_owner(u, n, p.text, reterr);
    if (!rc && ((owner && strlen(owner) > NAME_KEPT_MAX) || (group && strlen(group) > NAME_KEPT_MAX)))
        rc = err_set(reterr, ERR_ILLEGAL_ARGUMENT, "a user's or group's name is longer than %d bytes", NAME_KEPT_MAX);
    if (rc)
        return rc;
    if (owner && !u->is_super && strcmp(owner, u->name))
        return err_set(reterr, ERR_ACCESS, "User %s is not a super user (non-super user cannot change owner).",
                       u->name);
    if (group && !u->is_super && !fs_user_in_group(u, group))
        return err_set(reterr, ERR_ACCESS, "User %s does not belong to %s", u->name, group);
    if (!inode_is_dir(n))
        n->mode &= (uint16_t) ~(S_ISUID | S_ISGID);
    if (owner)
        n->owner = arena_strdup(&t->arena, owner);
    if (group)
        n->group = arena_strdup(&t->arena, group);
    n->ctime_ns = t->now_ns;
    txn_dirty(n);
    return 0;
}

static void set_time(uint64_t *time_ns, uint64_t ms)
{
    if (ms <= INT64_MAX)
        *time_ns = ms < UINT64_MAX / 1000000 ? ms * 1000000 : UINT64_MAX;
}

int tree_set_times(struct txn *t, const struct fs_user *u, const char *text, uint64_t mtime_ms, uint64_t atime_ms,
                   struct err *reterr)
{
    struct path p;
    int rc = resolve(t, u, text, "File/Directory ", " does not exist.", &p, reterr);
    if (rc)
        return rc;
    struct inode *n = path_target(&p);
    rc = access_check(u, n, ACCESS_WRITE, p.text, reterr);
    if (rc)
        return rc;
    set_time(&n->mtime_ns, mtime_ms);
    set_time(&n->atime_ns, atime_ms);
    n->ctime_ns = t->now_ns;
    txn_dirty(n);
    return 0;
}

int tree_check_replication(const struct fsdir *dir, const char *path, uint32_t replication, struct err *reterr)
{
    if (replication > dir->limits.replication_max)
        return err_set(reterr, ERR_IO, "Requested replication factor of %u exceeds maximum of %u for %s", replication,
                       dir->limits.replication_max, path);
    if (replication < dir->limits.replication_min)
        return err_set(reterr, ERR_IO,
                       "Requested replication factor of %u is less than the required minimum of %u for %s", replication,
                       dir->limits.replication_min, path);
    return 0;
}

int tree_set_replication(struct txn *t, const struct fs_user *u, const char *text, uint32_t replication,
                         struct inode **ret_file, struct err *reterr)
{
    struct path p;
    int rc = tree_check_replication(t->dir, text, replication, reterr);
    rc = rc ? rc : path_resolve(t, u, text, PATH_MAY_MISS, &p, reterr);
    if (rc)
        return rc;
    struct inode *n = path_target(&p);
    *ret_file = NULL;
    rc = n ? access_check(u, n, ACCESS_WRITE, p.text, reterr) : 0;
    if (rc || !n || !inode_is_file(n))
        return rc;
    if (n->replication != replication) {
        uint16_t kept = 0;
        rc = history_replicas_kept(t, n, &kept, reterr);
        if (rc)
            return rc;
        txn_set_replication(t, n, (uint16_t)replication, kept);
    }
    *ret_file = n;
    return 0;
}

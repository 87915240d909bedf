#include "fuse/posix/privileges.h"

#include "fuse/posix/kernel_io.h"
#include "fuse/posix/new_attributes.h"

/* Of whom this process cannot see (in another container), only the group that files are made with is known. */
static bool is_in_group(struct request *op, gid_t gid)
{
    if (fuse_req_ctx(op->req)->gid == gid)
        return true;
    int count = fuse_req_getgroups(op->req, 0, NULL);
    if (count <= 0)
        return false;
    gid_t *groups = arena_alloc(&op->arena, (size_t)count * sizeof *groups);
    int got = fuse_req_getgroups(op->req, count, groups);
    for (int i = 0; i < got && i < count; i++)
        if (groups[i] == gid)
            return true;
    return false;
}

/* setgid without group execute is no privilege: only who is not in the group takes it, as where files are local. */
static bool keeps_setgid(struct request *op, const struct stat *st)
{
    return !(st->st_mode & S_IXGRP) && (fuse_req_ctx(op->req)->uid == 0 || is_in_group(op, st->st_gid));
}

static mode_t mode_left(struct request *op, const struct stat *st)
{
    mode_t mode = st->st_mode & ~S_ISUID;
    return (mode & S_ISGID) && !keeps_setgid(op, st) ? mode & ~S_ISGID : mode;
}

/* Mode and group as whoever looks here sees them. */
static int look(struct request *op, uint64_t inode, struct node *n, struct stat *ret, bool *ret_has_xattrs)
{
    struct posix_attr attr = {.has_xattrs = false};
    struct stat st = {.st_mode = 0};
    int rc = 0;
    if (!n || !new_attributes_known(n, &st)) {
        rc = posix_getattr(op->fs, inode, &op->arena, &attr, &op->err);
        if (rc == 0)
            st = (struct stat){.st_mode = attr.mode, .st_gid = users_gid(op->m->users, attr.group)};
    }
    if (n)
        new_attributes_show(n, &st);
    *ret = st;
    *ret_has_xattrs = attr.has_xattrs;
    return rc;
}

static int set_mode(struct request *op, struct node *n, mode_t mode)
{
    struct staged_set later = {.fields = 1u << STAGED_MODE, .values = {[STAGED_MODE] = mode & 07777}};
    struct posix_set set = {.what = POSIX_SET_MODE, .mode = mode & 07777};
    struct posix_attr attr;
    int rc = 0;
    if (!new_attributes_set(n, &later)) {
        rc = new_attributes_flush(&op->m->store, n, &op->err);
        if (rc == 0)
            rc = posix_setattr(op->fs, op->m->store.memory->session, n->id, &set, &op->arena, &attr, &op->err);
        known_names_inode_changed(op->m->known, n->id);
    }
    fuse_lowlevel_notify_inval_inode(op->m->fuse, ino_of_inode(op->m, n->id), -1, 0); /* its attributes alone */
    return rc;
}

static int drop(struct request *op, struct node *n, bool drops_setid, bool drops_capability)
{
    struct stat st;
    bool has_xattrs;
    int rc = look(op, n->id, n, &st, &has_xattrs);
    if (rc == 0 && drops_capability && has_xattrs)
        rc = xattr_remove_capability(op, n->id);
    if (rc < 0 || !drops_setid)
        return rc;
    mode_t left = mode_left(op, &st);
    if (left & S_ISGID) /* the next one may not be in the group */
        n->may_be_setid = true;
    return left != st.st_mode ? set_mode(op, n, left) : 0;
}

/* The kernel sends the changes of one file's bytes one at a time. */
int privileges_drop(struct request *op, struct node *n)
{
    bool setid = kernel_io_request()->drops_setid && n->may_be_setid, capability = n->may_be_capable;
    if (!setid && !capability)
        return 0;
    if (setid)
        n->may_be_setid = false; /* before it is looked: what comes later is noted again */
    if (capability)
        n->may_be_capable = false;
    int rc = drop(op, n, setid, capability);
    if (rc < 0 && setid)
        n->may_be_setid = true;
    if (rc < 0 && capability)
        n->may_be_capable = true;
    return rc;
}

int privileges_drop_with(struct request *op, uint64_t inode, struct node *n, struct stat *attr, int *to_set)
{
    struct stat st;
    bool ignored;
    if (!kernel_io_request()->drops_setid || (*to_set & FUSE_SET_ATTR_MODE) || (n && !n->may_be_setid))
        return 0;
    int rc = look(op, inode, n, &st, &ignored);
    if (rc < 0 || S_ISDIR(st.st_mode) || mode_left(op, &st) == st.st_mode)
        return rc;
    attr->st_mode = mode_left(op, &st);
    *to_set |= FUSE_SET_ATTR_MODE;
    return 0;
}

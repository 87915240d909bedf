/* Extended attributes, and access control lists, which the kernel reads and writes as attributes of a fixed form. */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "client/lib/dfs_attributes.h"
#include "common/clock.h"
#include "common/mem.h"
#include "fuse/posix/acl_xattr.h"
#include "fuse/posix/kernel_io.h"
#include "fuse/posix/posix_mount.h"

#define NAMES_MAX_BYTES 65536

/* That a file has no attributes at all, or no list, is what the kernel asks most: the last answer knew it. */
struct xattr_fact {
    uint64_t id, size, mtime_ns, ctime_ns;
    int64_t until_ms;
    bool has_acl, has_xattrs;
};
#define FACT_SLOTS 16384
struct xattr_facts {
    pthread_mutex_t lock;
    struct xattr_fact slots[FACT_SLOTS];
};

struct xattr_facts *xattr_facts_new(void)
{
    struct xattr_facts *f = mem_new(struct xattr_facts);
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

void xattr_facts_free(struct xattr_facts *f)
{
    if (!f)
        return;
    pthread_mutex_destroy(&f->lock);
    free(f);
}

void xattr_remember(struct posix_mount *m, const struct posix_attr *attr)
{
    int64_t until = clock_mono_ms() + (int64_t)(cache_seconds(m) * 1000);
    pthread_mutex_lock(&m->facts->lock);
    m->facts->slots[attr->id % FACT_SLOTS] = (struct xattr_fact){.id = attr->id,
                                                                 .size = attr->size,
                                                                 .mtime_ns = attr->mtime_ns,
                                                                 .ctime_ns = attr->ctime_ns,
                                                                 .until_ms = until,
                                                                 .has_acl = attr->has_acl,
                                                                 .has_xattrs = attr->has_xattrs};
    pthread_mutex_unlock(&m->facts->lock);
}

bool attr_is_as_told(struct posix_mount *m, const struct posix_attr *attr)
{
    pthread_mutex_lock(&m->facts->lock);
    struct xattr_fact f = m->facts->slots[attr->id % FACT_SLOTS];
    pthread_mutex_unlock(&m->facts->lock);
    return f.id == attr->id && f.size == attr->size && f.mtime_ns == attr->mtime_ns && f.ctime_ns == attr->ctime_ns;
}

void xattr_forget(struct posix_mount *m, uint64_t id)
{
    pthread_mutex_lock(&m->facts->lock);
    if (m->facts->slots[id % FACT_SLOTS].id == id)
        m->facts->slots[id % FACT_SLOTS].id = 0;
    pthread_mutex_unlock(&m->facts->lock);
}

void xattr_forget_all(struct posix_mount *m)
{
    pthread_mutex_lock(&m->facts->lock);
    for (size_t i = 0; i < FACT_SLOTS; i++)
        m->facts->slots[i].id = 0;
    pthread_mutex_unlock(&m->facts->lock);
}

/* An open file's attributes are as they were when it was opened, or changed since by this mount or the watch. */
static bool is_known_absent(struct posix_mount *m, uint64_t id, bool acl)
{
    pthread_mutex_lock(&m->facts->lock);
    struct xattr_fact f = m->facts->slots[id % FACT_SLOTS];
    pthread_mutex_unlock(&m->facts->lock);
    bool fresh = f.id == id && (f.until_ms > clock_mono_ms() || node_is_open(m->nodes, id));
    return fresh && !(acl ? f.has_acl : f.has_xattrs);
}

static const char *path_of(struct request *op, fuse_ino_t ino)
{
    return arena_printf(&op->arena, "/.reserved/.inodes/%lu", (unsigned long)inode_of_ino(op->m, ino));
}

static bool acl_scope(const char *name, bool *ret_is_default)
{
    *ret_is_default = strcmp(name, "system.posix_acl_default") == 0;
    return *ret_is_default || strcmp(name, "system.posix_acl_access") == 0;
}

/* As getxattr(2): size 0 asks how much there is. */
static void reply_bytes(struct request *op, const void *bytes, size_t len, size_t size)
{
    if (size == 0)
        fuse_reply_xattr(op->req, len);
    else if (len > size)
        fuse_reply_err(op->req, ERANGE);
    else
        fuse_reply_buf(op->req, bytes, len);
    request_end(op);
}

static void reply_errno(struct request *op, int errnum)
{
    fuse_reply_err(op->req, errnum);
    request_end(op);
}

static void reply_changed(struct request *op, fuse_ino_t ino, const char *name, int rc)
{
    uint64_t id = inode_of_ino(op->m, ino);
    known_names_inode_changed(op->m->known, id);
    xattr_forget(op->m, id);             /* who looked meanwhile may have been told that there is none */
    dir_stats_changed(op->m->dir_stats); /* it may be a directory */
    request_reply(op, name, rc);
}

/* ---- lists ---- */

static int load_acl(struct request *op, fuse_ino_t ino, struct dfs_acl *ret)
{
    struct posix_attr attr;
    int rc = attr_settle(op, inode_of_ino(op->m, ino), &op->err);
    rc = rc == 0 ? dfs_get_acl(op->fs, path_of(op, ino), &op->arena, ret, &op->err) : rc;
    if (rc == 0 && !ret->has_mode) {
        rc = posix_getattr(op->fs, inode_of_ino(op->m, ino), &op->arena, &attr, &op->err);
        ret->mode = rc == 0 ? attr.mode & 0777 : 0;
    }
    return rc;
}

static void get_acl(struct request *op, fuse_ino_t ino, bool is_default, size_t size)
{
    struct dfs_acl acl;
    struct buf bytes = {0};
    if (load_acl(op, ino, &acl) < 0) {
        request_fail(op, "getxattr");
        return;
    }
    acl_to_xattr(&acl, is_default, op->m->users, &bytes);
    if (bytes.len == 0)
        reply_errno(op, ENODATA);
    else
        reply_bytes(op, bytes.base, bytes.len, size);
    buf_free(&bytes);
}

static void set_acl(struct request *op, fuse_ino_t ino, bool is_default, const char *value, size_t size)
{
    struct dfs_acl_entry *entries;
    size_t count;
    int rc = acl_from_xattr(value, size, is_default, op->m->users, &op->arena, &entries, &count, &op->err);
    rc = rc == 0 ? attr_settle(op, inode_of_ino(op->m, ino), &op->err) : rc;
    if (rc == 0)
        rc = dfs_change_acl(op->fs, path_of(op, ino), DFS_ACL_SET, entries, count, &op->err);
    reply_changed(op, ino, "setxattr", rc);
}

/* Without its named entries an access list is what the mode says. */
static void remove_acl(struct request *op, fuse_ino_t ino, bool is_default)
{
    struct dfs_acl acl;
    int rc = is_default ? dfs_change_acl(op->fs, path_of(op, ino), DFS_ACL_REMOVE_DEFAULT, NULL, 0, &op->err)
                        : load_acl(op, ino, &acl);
    if (rc == 0 && !is_default) {
        struct dfs_acl_entry minimal[] = {{.type = DFS_ACL_USER, .rwx = acl.mode >> 6 & 7},
                                          {.type = DFS_ACL_GROUP, .rwx = acl.mode >> 3 & 7},
                                          {.type = DFS_ACL_OTHER, .rwx = acl.mode & 7}};
        rc = dfs_change_acl(op->fs, path_of(op, ino), DFS_ACL_SET, minimal, 3, &op->err);
    }
    reply_changed(op, ino, "removexattr", rc);
}

/* ---- attributes ---- */

static int find_xattr(struct request *op, fuse_ino_t ino, const char *name, struct dfs_xattr *ret)
{
    struct dfs_xattr *list;
    size_t count;
    int rc = dfs_get_xattrs(op->fs, path_of(op, ino), NULL, &op->arena, &list, &count, &op->err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (strcmp(list[i].name, name) == 0) {
            *ret = list[i];
            return 0;
        }
    return rc < 0 ? rc : err_set(&op->err, ERR_XATTR_NOT_FOUND, "%s", name);
}

/* HDFS lets nobody write security.*: they are kept among the trusted ones, which only the superuser gets to see. */
#define SECURITY_SPACE "security."
#define SECURITY_KEPT  "trusted.posix.security."

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* As the namenode has it; NULL: it has none of that kind. */
static const char *stored_name(struct request *op, const char *name)
{
    if (begins(name, SECURITY_SPACE))
        return arena_printf(&op->arena, SECURITY_KEPT "%s", name + strlen(SECURITY_SPACE));
    return begins(name, "user.") || begins(name, "trusted.") ? name : NULL;
}

/* As this user may see it; NULL: not at all. */
static const char *shown_name(struct request *op, const char *stored)
{
    if (begins(stored, SECURITY_KEPT))
        return arena_printf(&op->arena, SECURITY_SPACE "%s", stored + strlen(SECURITY_KEPT));
    bool is_root = fuse_req_ctx(op->req)->uid == 0;
    return begins(stored, "user.") || (is_root && begins(stored, "trusted.")) ? stored : NULL;
}

void posix_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    struct request op;
    struct dfs_xattr x;
    bool is_default, is_acl = acl_scope(name, &is_default);
    request_begin(&op, req);
    if (ino == FUSE_ROOT_ID && strcmp(name, POSIX_MOUNT_UNSAVED) == 0) {
        const char *count = arena_printf(&op.arena, "%zu", node_kept(op.m->nodes));
        reply_bytes(&op, count, strlen(count), size);
        return;
    }
    if (ino == FUSE_ROOT_ID && strcmp(name, POSIX_MOUNT_PROCESSES) == 0) {
        const char *pids = arena_printf(&op.arena, "%d %d", (int)getppid(), (int)getpid());
        reply_bytes(&op, pids, strlen(pids), size);
        return;
    }
    const char *stored = stored_name(&op, name);
    if (is_known_absent(op.m, inode_of_ino(op.m, ino), is_acl))
        reply_errno(&op, ENODATA);
    else if (is_acl)
        get_acl(&op, ino, is_default, size);
    else if (!stored)
        reply_errno(&op, EOPNOTSUPP);
    else if (find_xattr(&op, ino, stored, &x) < 0)
        request_fail(&op, "getxattr");
    else
        reply_bytes(&op, x.value.base, x.has_value ? x.value.len : 0, size);
}

static bool is_value(const struct dfs_xattr *x, const char *value, size_t size)
{
    return x->value.len == size && (!size || memcmp(x->value.base, value, size) == 0);
}

/* What the namenode may mind of an attribute that has a right name: that it is too long, or one too many. */
static int set_xattr(struct request *op, fuse_ino_t ino, const struct dfs_xattr *x)
{
    int rc = dfs_set_xattr(op->fs, path_of(op, ino), x, DFS_XATTR_CREATE | DFS_XATTR_REPLACE, &op->err);
    if (rc == ERR_HADOOP_ILLEGAL_ARGUMENT || rc == ERR_IO)
        op->err.code = rc = ERR_NO_SPACE;
    return rc;
}

void posix_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
    struct request op;
    struct dfs_xattr there, x = {.has_value = true, .value = {(const uint8_t *)value, size}};
    bool is_default, is_acl = acl_scope(name, &is_default);
    request_begin(&op, req);
    xattr_forget(op.m, inode_of_ino(op.m, ino));
    if (is_acl) {
        set_acl(&op, ino, is_default, value, size);
        return;
    }
    x.name = stored_name(&op, name);
    const char *dot = strchr(name, '.');
    if (!x.name || !dot[1]) {
        reply_errno(&op, x.name ? EINVAL : EOPNOTSUPP);
        return;
    }
    int rc = attr_settle(&op, inode_of_ino(op.m, ino), &op.err);
    rc = rc == 0 && flags ? find_xattr(&op, ino, x.name, &there) : rc;
    bool is_ours = kernel_io_request()->is_again && rc == 0 && is_value(&there, value, size); /* made just before */
    if (flags == XATTR_CREATE && rc == 0 && !is_ours)
        rc = err_set(&op.err, ERR_EXISTS, "%s", name);
    else if (flags == XATTR_CREATE && rc == ERR_XATTR_NOT_FOUND)
        rc = 0;
    reply_changed(&op, ino, "setxattr", rc == 0 ? set_xattr(&op, ino, &x) : rc);
}

void posix_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    struct request op;
    struct dfs_xattr there;
    bool is_default, is_acl = acl_scope(name, &is_default);
    request_begin(&op, req);
    xattr_forget(op.m, inode_of_ino(op.m, ino));
    if (is_acl) {
        remove_acl(&op, ino, is_default);
        return;
    }
    const char *stored = stored_name(&op, name);
    int rc = stored ? find_xattr(&op, ino, stored, &there) : err_set(&op.err, ERR_UNSUPPORTED, "%s", name);
    if (rc == 0)
        rc = attr_settle(&op, inode_of_ino(op.m, ino), &op.err);
    if (rc == 0)
        rc = dfs_remove_xattr(op.fs, path_of(&op, ino), stored, &op.err);
    else if (rc == ERR_XATTR_NOT_FOUND && kernel_io_request()->is_again) /* removed just before */
        rc = 0;
    reply_changed(&op, ino, "removexattr", rc);
}

int xattr_remove_capability(struct request *op, uint64_t inode)
{
    static const char stored[] = SECURITY_KEPT "capability";
    fuse_ino_t ino = ino_of_inode(op->m, inode);
    struct dfs_xattr there;
    int rc = find_xattr(op, ino, stored, &there);
    if (rc == 0)
        rc = attr_settle(op, inode, &op->err);
    if (rc == 0)
        rc = dfs_remove_xattr(op->fs, path_of(op, ino), stored, &op->err);
    known_names_inode_changed(op->m->known, inode);
    xattr_forget(op->m, inode);
    return rc == ERR_XATTR_NOT_FOUND ? 0 : rc;
}

void posix_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    struct request op;
    struct dfs_xattr *list = NULL;
    struct dfs_acl acl = {0};
    size_t count = 0;
    struct buf names = {0};
    int rc = 0;
    request_begin(&op, req);
    uint64_t id = inode_of_ino(op.m, ino);
    if (!is_known_absent(op.m, id, false))
        rc = dfs_get_xattrs(op.fs, path_of(&op, ino), NULL, &op.arena, &list, &count, &op.err);
    if (rc == 0 && !is_known_absent(op.m, id, true))
        rc = load_acl(&op, ino, &acl);
    if (rc < 0) {
        request_fail(&op, "listxattr");
        return;
    }
    for (size_t i = 0; i < count && names.len < NAMES_MAX_BYTES; i++) {
        const char *name = shown_name(&op, list[i].name);
        if (name)
            buf_append(&names, name, strlen(name) + 1);
    }
    acl_add_names(&acl, &names);
    reply_bytes(&op, names.base, names.len, size);
    buf_free(&names);
}

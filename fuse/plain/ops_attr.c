/* Names and attributes: lookup, forget, getattr, setattr, access, statfs, readlink. */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "fuse/plain/plain_mount.h"
#include "fuse/plain/write_stream.h"

#define OP_ARENA_BYTES      (4 << 20)
#define OP_STAT_BLOCK_BYTES 512

static struct timespec timespec_of(uint64_t ns, int64_t ms)
{
    return ns ? (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)}
              : (struct timespec){ms / 1000, (ms % 1000) * 1000000};
}

static mode_t type_bits(enum dfs_type type)
{
    return type == DFS_DIR ? S_IFDIR : type == DFS_SYMLINK ? S_IFLNK : S_IFREG;
}

void mount_stat(struct mount *m, struct inode *inode, const struct dfs_status *status, struct stat *ret)
{
    struct stat st = {
        .st_ino = status->file_id,
        .st_mode = type_bits(status->type) | status->mode,
        .st_nlink = status->nlink             ? status->nlink
                    : status->type == DFS_DIR ? 2
                                              : 1,
        .st_uid = users_uid(m->users, status->owner),
        .st_gid = users_gid(m->users, status->group),
        .st_size = status->length,
        .st_blksize = MOUNT_IO_MAX_BYTES,
        .st_mtim = timespec_of(status->mtime_ns, status->mtime_ms),
        .st_atim = timespec_of(status->atime_ns, status->atime_ms),
        .st_ctim = timespec_of(status->ctime_ns, status->mtime_ms),
    };
    if (status->type == DFS_DIR)
        st.st_size = 4096;
    if (status->type == DFS_SYMLINK && status->symlink)
        st.st_size = (off_t)strlen(status->symlink);
    if (status->type != DFS_DIR && st.st_atim.tv_sec == 0)
        st.st_atim = st.st_mtim; /* access times are turned off */
    if (inode) {
        inode->known_length = status->length;
        inode->known_mode = st.st_mode;
        inode->known_uid = st.st_uid;
        inode->known_gid = st.st_gid;
        if (inode_is_unlinked(m->inodes, inode)) /* but for its hidden name */
            st.st_nlink = 0;
        int64_t length = inode->written_length; /* without its lock: a write that waits must not make ls wait */
        if (length >= 0)
            st.st_size = length;
    }
    st.st_blocks = (st.st_size + OP_STAT_BLOCK_BYTES - 1) / OP_STAT_BLOCK_BYTES;
    *ret = st;
}

int mount_entry(struct mount *m, struct dfs *fs, fuse_ino_t parent, const char *name, struct fuse_entry_param *ret,
                struct err *reterr)
{
    struct arena a;
    struct dfs_status status;
    arena_init(&a, OP_ARENA_BYTES);
    struct inode *dir = inode_of(m->inodes, parent);
    const char *path = inode_path(m->inodes, m->root, dir, name, &a);
    int rc = path ? dfs_lstat(fs, path, &a, &status, reterr) : err_set(reterr, ERR_NOT_FOUND, "the directory is gone");
    if (rc == 0) {
        struct inode *inode = inode_lookup(m->inodes, dir, name, status.file_id);
        *ret = (struct fuse_entry_param){.ino = inode_number(m->inodes, inode),
                                         .attr_timeout = m->cache_timeout_s,
                                         .entry_timeout = m->cache_timeout_s};
        mount_stat(m, inode, &status, &ret->attr);
    }
    arena_free(&a);
    return rc;
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct mount *m = mount_of(req);
    struct dfs *fs;
    struct err err = {0};
    struct fuse_entry_param entry;
    int refused = mount_check_name(m, name, &err);
    if (refused < 0) {
        fuse_reply_err(req, refused == ERR_NAME_TOO_LONG ? ENAMETOOLONG : ENOENT);
        return;
    }
    if (mount_dfs(req, &fs) < 0)
        return;
    unsigned since;
    int rc;
    do {
        since = replacing_now(&m->replacing);
        rc = mount_entry(m, fs, parent, name, &entry, &err);
    } while (rc == ERR_NOT_FOUND && replacing_was(&m->replacing, since));
    dfs_unref(fs);
    if (rc < 0)
        mount_fail(req, "lookup", name, &err);
    else
        fuse_reply_entry(req, &entry);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
    struct mount *m = mount_of(req);
    inode_forget(m->inodes, inode_of(m->inodes, ino), count);
    fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    struct mount *m = mount_of(req);
    for (size_t i = 0; i < count; i++)
        inode_forget(m->inodes, inode_of(m->inodes, forgets[i].ino), forgets[i].nlookup);
    fuse_reply_none(req);
}

/* What is unlinked and still open has no name to ask for: what we last knew of it. */
static void stat_unlinked(const struct inode *inode, struct stat *ret)
{
    bool is_dir = S_ISDIR(inode->known_mode);
    *ret = (struct stat){.st_ino = inode->file_id,
                         .st_mode = inode->known_mode,
                         .st_uid = inode->known_uid,
                         .st_gid = inode->known_gid,
                         .st_size = is_dir ? 4096 : inode->known_length,
                         .st_blksize = MOUNT_IO_MAX_BYTES};
    int64_t length = inode->written_length;
    if (length >= 0)
        ret->st_size = length;
    ret->st_blocks = (ret->st_size + OP_STAT_BLOCK_BYTES - 1) / OP_STAT_BLOCK_BYTES;
}

static int inode_stat(struct mount *m, struct dfs *fs, fuse_ino_t ino, struct stat *ret, struct err *reterr)
{
    struct arena a;
    struct dfs_status status;
    struct inode *inode = inode_of(m->inodes, ino);
    arena_init(&a, OP_ARENA_BYTES);
    const char *path = inode_path(m->inodes, m->root, inode, NULL, &a);
    int rc = path ? dfs_lstat(fs, path, &a, &status, reterr) : 0;
    if (!path)
        stat_unlinked(inode, ret);
    else if (rc == 0)
        mount_stat(m, inode, &status, ret);
    arena_free(&a);
    return rc;
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct mount *m = mount_of(req);
    struct dfs *fs;
    struct stat st;
    struct err err = {0};
    if (mount_dfs(req, &fs) < 0)
        return;
    int rc = inode_stat(m, fs, ino, &st, &err);
    dfs_unref(fs);
    if (rc < 0)
        mount_fail(req, "getattr", "", &err);
    else
        fuse_reply_attr(req, &st, m->cache_timeout_s);
}

static int64_t time_to_set(const struct timespec *at, bool set, bool now)
{
    if (now)
        return clock_wall_ms();
    return set ? (int64_t)at->tv_sec * 1000 + at->tv_nsec / 1000000 : -1;
}

static int set_attributes(struct mount *m, struct dfs *fs, struct inode *inode, const char *path,
                          const struct stat *attr, int to_set, struct arena *a, struct err *reterr)
{
    int rc = 0;
    if (S_ISLNK(inode->known_mode)) /* HDFS would do it to what the link leads to; of its own times nobody makes much */
        return to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)
                   ? err_set(reterr, ERR_UNSUPPORTED, "a symbolic link has no owner that could be changed")
                   : 0;
    if (to_set & FUSE_SET_ATTR_SIZE) {
        pthread_mutex_lock(&inode->lock);
        rc = stream_truncate(inode, fs, path, attr->st_size, m->extend_max_bytes, reterr);
        pthread_mutex_unlock(&inode->lock);
    }
    if (rc == 0 && (to_set & FUSE_SET_ATTR_MODE))
        rc = dfs_set_permission(fs, path, attr->st_mode & 01777, reterr);
    if (rc == 0 && (to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)))
        rc = dfs_set_owner(fs, path, to_set & FUSE_SET_ATTR_UID ? users_uid_name(m->users, attr->st_uid, a) : NULL,
                           to_set & FUSE_SET_ATTR_GID ? users_gid_name(m->users, attr->st_gid, a) : NULL, reterr);
    int times = FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_ATIME_NOW;
    if (rc == 0 && (to_set & times)) {
        /* The namenode stamps a file when it is completed: `cp -p` sets the times of one that is still open. */
        pthread_mutex_lock(&inode->lock);
        rc = stream_finish(inode, reterr);
        pthread_mutex_unlock(&inode->lock);
    }
    if (rc == 0 && (to_set & times))
        rc = dfs_set_times(
            fs, path, time_to_set(&attr->st_mtim, to_set & FUSE_SET_ATTR_MTIME, to_set & FUSE_SET_ATTR_MTIME_NOW),
            time_to_set(&attr->st_atim, to_set & FUSE_SET_ATTR_ATIME, to_set & FUSE_SET_ATTR_ATIME_NOW), reterr);
    return rc;
}

void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
    struct mount *m = mount_of(req);
    struct inode *inode = inode_of(m->inodes, ino);
    struct dfs *fs;
    struct arena a;
    struct stat st;
    struct err err = {0};
    if (mount_dfs(req, &fs) < 0)
        return;
    arena_init(&a, OP_ARENA_BYTES);
    const char *path = inode_path(m->inodes, m->root, inode, NULL, &a);
    int rc = path ? set_attributes(m, fs, inode, path, attr, to_set, &a, &err)
                  : err_set(&err, ERR_NOT_FOUND, "the file was removed");
    if (rc == 0)
        rc = inode_stat(m, fs, ino, &st, &err);
    if (rc == ERR_STALE && fi)
        err.code = ERR_NOT_FOUND; /* without a handle the kernel looks the name up again */
    if (rc < 0)
        mount_fail(req, "setattr", path ? path : "", &err);
    else
        fuse_reply_attr(req, &st, m->cache_timeout_s);
    arena_free(&a);
    dfs_unref(fs);
}

void op_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
    struct mount *m = mount_of(req);
    struct dfs *fs;
    struct arena a;
    struct err err = {0};
    struct stat st;
    if (mount_dfs(req, &fs) < 0)
        return;
    arena_init(&a, OP_ARENA_BYTES);
    const char *path = inode_path(m->inodes, m->root, inode_of(m->inodes, ino), NULL, &a);
    int rc = mask && path ? dfs_check_access(fs, path, (unsigned)mask, &err) : inode_stat(m, fs, ino, &st, &err);
    if (rc < 0)
        mount_fail(req, "access", path ? path : "", &err);
    else
        fuse_reply_err(req, 0);
    arena_free(&a);
    dfs_unref(fs);
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
    enum { UNIT = 4096 };
    struct dfs *fs;
    struct dfs_stats stats;
    struct err err = {0};
    if (mount_dfs(req, &fs) < 0)
        return;
    int rc = dfs_statfs(fs, &stats, &err);
    dfs_unref(fs);
    if (rc < 0) {
        mount_fail(req, "statfs", "", &err);
        return;
    }
    struct statvfs st = {.f_bsize = UNIT,
                         .f_frsize = UNIT,
                         .f_blocks = (fsblkcnt_t)(stats.capacity / UNIT),
                         .f_bfree = (fsblkcnt_t)(stats.remaining / UNIT),
                         .f_bavail = (fsblkcnt_t)(stats.remaining / UNIT),
                         .f_files = UINT32_MAX, /* HDFS has no such limit */
                         .f_ffree = UINT32_MAX,
                         .f_favail = UINT32_MAX,
                         .f_namemax = 255};
    fuse_reply_statfs(req, &st);
}

void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    struct mount *m = mount_of(req);
    struct dfs *fs;
    struct arena a;
    struct err err = {0};
    const char *target = NULL;
    if (mount_dfs(req, &fs) < 0)
        return;
    arena_init(&a, OP_ARENA_BYTES);
    const char *path = inode_path(m->inodes, m->root, inode_of(m->inodes, ino), NULL, &a);
    int rc = path ? dfs_readlink(fs, path, &a, &target, &err) : err_set(&err, ERR_NOT_FOUND, "the link was removed");
    if (rc < 0)
        mount_fail(req, "readlink", path ? path : "", &err);
    else
        fuse_reply_readlink(req, target);
    arena_free(&a);
    dfs_unref(fs);
}

/* The mount of any HDFS: a file system of the kernel's on a struct dfs (ours or Apache's).
 *
 * Requests come from libfuse's threads, any number at once. The tree of names the kernel knows is inode_table.h; a file
 * being written is a stream (write_stream.h). Reads of every kind and writes front to back work; anything else that
 * would need a block to be changed in place is refused with EOPNOTSUPP and one log line, never done wrongly. Semantics
 * and limits for users: docs/mount.md. */
#ifndef CAIRN_FUSE_PLAIN_PLAIN_MOUNT_H
#define CAIRN_FUSE_PLAIN_PLAIN_MOUNT_H

#include <fuse_lowlevel.h>
#include <sys/stat.h>

#include "client/lib/dfs.h"
#include "common/daemon.h"
#include "fuse/plain/inode_table.h"
#include "fuse/plain/open_handles.h"
#include "fuse/plain/replacing.h"
#include "fuse/users.h"

#define MOUNT_IO_MAX_BYTES (1 << 20)

struct mount {
    struct inode_table *inodes;
    struct users *users;
    struct open_handles handles;
    struct replacing replacing;
    struct daemon *daemon;    /* told ready when the kernel has said hello */
    char *root;               /* path in the file system that the mount point shows; "" for "/" */
    double cache_timeout_s;   /* how long the kernel may believe names and attributes */
    int64_t extend_max_bytes; /* truncate upwards writes zeros: at most this many */
    bool names_are_text;      /* for the namenode, which makes the same one of all that are not */
};

static inline struct mount *mount_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}
/* The file system as the user of this request; release with dfs_unref. On failure the request has been answered. */
int mount_dfs(fuse_req_t req, struct dfs **ret);
/* Answers a request with err's errno; unexpected ones (EIO and worse) are logged with the operation and the path. */
void mount_fail(fuse_req_t req, const char *operation, const char *path, const struct err *why);
/* ERR_INVALID_PATH: another name than this one would be meant. ERR_NAME_TOO_LONG */
int mount_check_name(const struct mount *m, const char *name, struct err *reterr) MUST_CHECK;
/* status as the kernel wants it; path only for nothing but logs. A file being written in this mount has its stream's
 * length. */
void mount_stat(struct mount *m, struct inode *inode, const struct dfs_status *status, struct stat *ret);
/* Looks the child up on the namenode and makes an entry (with a lookup count) of it. */
int mount_entry(struct mount *m, struct dfs *fs, fuse_ino_t parent, const char *name, struct fuse_entry_param *ret,
                struct err *reterr) MUST_CHECK;

extern const struct fuse_lowlevel_ops mount_operations; /* operations.c */
/* Until it is unmounted or a signal ends it; completes what is being written. Returns the exit code. */
int plain_mount_serve(struct mount *m, struct fuse_session *session, unsigned threads); /* plain_serve.c */

/* One group of operations per file. */
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count);
void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi);
void op_access(fuse_req_t req, fuse_ino_t ino, int mask);
void op_statfs(fuse_req_t req, fuse_ino_t ino);
void op_readlink(fuse_req_t req, fuse_ino_t ino);

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,
               unsigned flags);
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t offset, struct fuse_file_info *fi);
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

#endif

/* A mount of a Cairn namenode: a POSIX file system (docs/mount.md). The other kind, on any HDFS, is in fuse/plain.
 *
 * FUSE's node ids are inode numbers (its 1 is the folder that is mounted), so there is nothing to remember about what
 * the kernel knows, and a mount process that takes over from another can go on with what that one said. Permissions are
 * the kernel's to check (default_permissions); the namenode is spoken to as its superuser. */
#ifndef CAIRN_FUSE_POSIX_POSIX_MOUNT_H
#define CAIRN_FUSE_POSIX_POSIX_MOUNT_H

#include <fuse_lowlevel.h>

#include "client/lib/posix.h"
#include "common/daemon.h"
#include "fuse/posix/dir_stats.h"
#include "fuse/posix/known_names.h"
#include "fuse/posix/node.h"
#include "fuse/posix/passages.h"
#include "fuse/posix/posix_start.h"
#include "fuse/posix/read_buffers.h"
#include "fuse/posix/removed.h"
#include "fuse/users.h"

#define POSIX_IO_MAX_BYTES   (1 << 20)
#define POSIX_OP_ARENA_BYTES (4 << 20)

struct watch;
struct xattr_facts;
struct listings;
struct late_saves;
struct opens_told;
struct posix_mount {
    struct node_store store; /* file system, session, staging */
    struct node_table *nodes;
    struct users *users;
    struct posix_mount_options options;
    int staging_lock_fd;
    struct daemon *daemon; /* told ready when the kernel has said hello */
    struct fuse_session *fuse;
    pthread_mutex_t backing_lock;  /* backing.h */
    pthread_mutex_t fetching_lock; /* of who has the kernel write back what is mapped */
    struct watch *watch;
    struct xattr_facts *facts;
    struct listings *listings;
    struct removed *removed;
    struct passages *passages;
    struct opens_told *opens;
    struct late_saves *late_saves;
    struct dir_stats *dir_stats;
    struct known_names *known;
    struct read_buffers read_buffers;
    uint64_t root;          /* the inode that the mount point shows */
    double cache_timeout_s; /* how long the kernel may believe names and attributes, as long as: */
    _Atomic bool is_told;   /* what others change is heard of, and if not, the kernel can forget all names */
};
/* How long the kernel may believe what it is told now. Of a name that is not there: 0 = not at all. */
double cache_seconds(const struct posix_mount *m);
double cache_absent_seconds(const struct posix_mount *m);

/* What every operation starts and ends with. */
struct request {
    struct posix_mount *m;
    uint64_t since; /* of dir_stats */
    struct known_since known_since;
    struct dfs *fs;
    fuse_req_t req;
    struct arena arena;
    struct err err;
};
void request_begin(struct request *op, fuse_req_t req);
/* Answers 0, or rc's errno: unexpected ones are logged with the operation. */
void request_reply(struct request *op, const char *name, int rc);
void request_fail(struct request *op, const char *name); /* answers op->err; ends the op */
void request_end(struct request *op);                    /* after any other answer */

uint64_t inode_of_ino(const struct posix_mount *m, fuse_ino_t ino);
fuse_ino_t ino_of_inode(const struct posix_mount *m, uint64_t inode);
void attr_to_stat(struct posix_mount *m, const struct posix_attr *attr, struct stat *ret);
bool attr_wants_atime(const struct posix_attr *attr); /* a read now is to be noted */
void attr_note_read(struct request *op, uint64_t inode);
/* What waits to be saved with a new file's bytes is saved: something else is to change its attributes, or to ask. */
int attr_settle(struct request *op, uint64_t inode, struct err *reterr) MUST_CHECK;
void attr_note_directory(struct request *op, const struct posix_attr *in); /* of an answer that changed one */
/* Has it changed since it was asked for? Then the kernel must not believe it. */
bool attr_is_outdated(struct posix_mount *m, struct known_since since, uint64_t inode);
void attr_to_entry(struct posix_mount *m, struct known_since since, const struct posix_attr *attr,
                   struct fuse_entry_param *ret);

extern const struct fuse_lowlevel_ops posix_operations; /* operations.c; their userdata is the posix_mount */

/* names.c */
void posix_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void posix_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void posix_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
void posix_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void posix_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void posix_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void posix_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void posix_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,
                     unsigned flags);
/* Makes an inode as the user who asks; for mkdir, mknod, symlink, create. */
int make_node(struct request *op, fuse_ino_t parent, const char *name, struct posix_make *how, struct posix_attr *ret,
              bool *ret_made) MUST_CHECK;
/* attributes.c */
void posix_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void posix_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi);
void posix_op_statfs(fuse_req_t req, fuse_ino_t ino);
void posix_op_readlink(fuse_req_t req, fuse_ino_t ino);
/* xattr.c */
void posix_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags);
void posix_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void posix_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void posix_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);
struct xattr_facts *xattr_facts_new(void);
void xattr_facts_free(struct xattr_facts *f);
void xattr_remember(struct posix_mount *m, const struct posix_attr *attr); /* which of these there are, just answered */
bool attr_is_as_told(struct posix_mount *m, const struct posix_attr *attr); /* the kernel, by the last answer */
void xattr_forget(struct posix_mount *m, uint64_t id);
int xattr_remove_capability(struct request *op, uint64_t inode) MUST_CHECK; /* it need not have one */
void xattr_forget_all(struct posix_mount *m);
/* directory.c */
struct listings *listings_new(void);
void listings_free(struct listings *all);
void posix_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void posix_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void posix_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void posix_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void posix_op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi);
/* files.c */
void posix_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
void posix_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void posix_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void posix_op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t offset,
                        struct fuse_file_info *fi);
void posix_op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
                        struct fuse_file_info *fi);
void posix_op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi);
void posix_op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t offset_in, struct fuse_file_info *fi_in,
                              fuse_ino_t ino_out, off_t offset_out, struct fuse_file_info *fi_out, size_t length,
                              int flags);
void posix_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void posix_op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi);
void posix_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
/* locks.c */
void posix_op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock);
void posix_op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, struct flock *lock, int sleep);
void posix_op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op);
void locks_release_owner(struct request *op, struct node *n, uint64_t owner, bool whole);
void locks_release_handle(struct request *op, struct node *n, uint64_t handle);
void locks_set_again(struct posix_mount *m); /* the namenode may have forgotten them */
void locks_end(struct posix_mount *m);       /* who still waits has an error; the session is closed before */

int posix_mount_session(struct posix_mount *m, struct posix_session *ret, struct err *reterr);
/* watch.c: tells the kernel what other clients change, from a thread of its own, so it must be attached (kernel_io.h).
 * session: as it was opened; none: the namenode was not there, the watch opens it when it is. */
struct watch *watch_start(struct posix_mount *m, const struct posix_session *session);
/* false: its thread waits in the kernel for what only this process could answer, and goes when the process does. NULL
 * is fine. */
bool watch_stop(struct watch *w);

#endif

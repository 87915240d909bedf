/* The table libfuse calls, what the kernel is asked for, and how requests begin and end. */
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "fuse/posix/posix_mount.h"

#define BACKGROUND_MAX 64
#define CACHE_UNTOLD_S 1.0 /* where changes may go unheard of */

static void posix_op_init(void *userdata, struct fuse_conn_info *conn)
{
    struct posix_mount *m = userdata;
    conn->want |= conn->capable &
                  (FUSE_CAP_ASYNC_READ | FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_PARALLEL_DIROPS |
                   FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_POSIX_ACL |
                   FUSE_CAP_DONT_MASK | FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_CACHE_SYMLINKS);
    /* Truncating at open is a request of its own: the kernel clears set-id bits with it. */
    conn->want &= ~(unsigned)FUSE_CAP_ATOMIC_O_TRUNC;
    /* Of the two ways to leave set-id bits to us, the older one does not say who may keep them. */
    conn->want &= ~(unsigned)FUSE_CAP_HANDLE_KILLPRIV;
    /* The write-back cache would send pages in any order and of any age; streams want them as they come. */
    conn->want &= ~(unsigned)FUSE_CAP_WRITEBACK_CACHE;
    struct keeper_memory *memory = m->store.memory; /* a process that takes over keeps to what was agreed on */
    bool is_first = memory->wanted == 0;
    memory->wanted = conn->want = is_first ? conn->want : memory->wanted;
    conn->max_write = POSIX_IO_MAX_BYTES;
    conn->max_readahead = POSIX_IO_MAX_BYTES;
    conn->max_background = BACKGROUND_MAX;
    conn->time_gran = 1;
    if (is_first)
        daemon_ready(m->daemon);
}

void request_begin(struct request *op, fuse_req_t req)
{
    op->m = fuse_req_userdata(req);
    op->fs = op->m->store.fs;
    op->since = dir_stats_now(op->m->dir_stats);
    op->known_since = known_names_now(op->m->known);
    op->req = req;
    op->err = (struct err){0};
    arena_init(&op->arena, POSIX_OP_ARENA_BYTES);
}

void request_end(struct request *op)
{
    arena_free(&op->arena);
}

void request_fail(struct request *op, const char *name)
{
    int errnum = err_to_errno(op->err.code);
    switch (errnum) {
    case EIO:
    case EPROTO:
    case ETIMEDOUT:
    case ECONNREFUSED:
    case ECONNRESET:
    case ENOSPC: log_error("mount", "op=%s errno=%d err=%s", name, errnum, op->err.text);
    }
    if (errnum == 0 || errnum == ECONNREFUSED || errnum == ECONNRESET || errnum == EPROTO)
        errnum = EIO; /* programs know what to do with that */
    fuse_reply_err(op->req, errnum);
    request_end(op);
}

void request_reply(struct request *op, const char *name, int rc)
{
    if (rc < 0) {
        request_fail(op, name);
        return;
    }
    fuse_reply_err(op->req, 0);
    request_end(op);
}

double cache_seconds(const struct posix_mount *m)
{
    return m->is_told || m->cache_timeout_s < CACHE_UNTOLD_S ? m->cache_timeout_s : CACHE_UNTOLD_S;
}

double cache_absent_seconds(const struct posix_mount *m)
{
    return m->is_told ? m->cache_timeout_s : 0;
}

uint64_t inode_of_ino(const struct posix_mount *m, fuse_ino_t ino)
{
    return ino == FUSE_ROOT_ID ? m->root : ino;
}

fuse_ino_t ino_of_inode(const struct posix_mount *m, uint64_t inode)
{
    return inode == m->root ? FUSE_ROOT_ID : inode;
}

/* Nothing is kept about what the kernel knows. */
static void posix_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
    fuse_reply_none(req);
}

static void posix_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    fuse_reply_none(req);
}

const struct fuse_lowlevel_ops posix_operations = {
    .init = posix_op_init,
    .lookup = posix_op_lookup,
    .forget = posix_op_forget,
    .forget_multi = posix_op_forget_multi,
    .getattr = posix_op_getattr,
    .setattr = posix_op_setattr,
    .statfs = posix_op_statfs,
    .readlink = posix_op_readlink,
    .setxattr = posix_op_setxattr,
    .getxattr = posix_op_getxattr,
    .listxattr = posix_op_listxattr,
    .removexattr = posix_op_removexattr,
    .mkdir = posix_op_mkdir,
    .mknod = posix_op_mknod,
    .symlink = posix_op_symlink,
    .link = posix_op_link,
    .unlink = posix_op_unlink,
    .rmdir = posix_op_rmdir,
    .rename = posix_op_rename,
    .opendir = posix_op_opendir,
    .readdir = posix_op_readdir,
    .readdirplus = posix_op_readdirplus,
    .releasedir = posix_op_releasedir,
    .fsyncdir = posix_op_fsyncdir,
    .create = posix_op_create,
    .open = posix_op_open,
    .read = posix_op_read,
    .write_buf = posix_op_write_buf,
    .fallocate = posix_op_fallocate,
    .lseek = posix_op_lseek,
    .copy_file_range = posix_op_copy_file_range,
    .flush = posix_op_flush,
    .fsync = posix_op_fsync,
    .release = posix_op_release,
    .getlk = posix_op_getlk,
    .setlk = posix_op_setlk,
    .flock = posix_op_flock,
};

/* The table libfuse calls, what the kernel is asked for, and how failures are answered. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/utf8.h"
#include "fuse/plain/plain_mount.h"

#define MOUNT_BACKGROUND_MAX 64

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
    struct mount *m = userdata;
    conn->want |= conn->capable & (FUSE_CAP_ASYNC_READ | FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO |
                                   FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_AUTO_INVAL_DATA);
    /* The write-back cache would send pages in any order and of any age; streams want them as they come. */
    conn->want &= ~(unsigned)FUSE_CAP_WRITEBACK_CACHE;
    conn->max_write = MOUNT_IO_MAX_BYTES;
    conn->max_readahead = MOUNT_IO_MAX_BYTES;
    conn->max_background = MOUNT_BACKGROUND_MAX;
    daemon_ready(m->daemon);
}

int mount_dfs(fuse_req_t req, struct dfs **ret)
{
    struct err err = {0};
    *ret = NULL;
    int rc = users_dfs(mount_of(req)->users, fuse_req_ctx(req)->uid, ret, &err);
    if (rc < 0)
        mount_fail(req, "connect", "", &err);
    return rc;
}

void mount_fail(fuse_req_t req, const char *operation, const char *path, const struct err *why)
{
    int errnum = err_to_errno(why->code);
    switch (errnum) {
    case EIO:
    case EPROTO:
    case ETIMEDOUT:
    case ECONNREFUSED:
    case ECONNRESET:
    case ENOSPC: log_error("mount", "op=%s path=%s errno=%d err=%s", operation, path, errnum, why->text);
    }
    if (errnum == ECONNREFUSED || errnum == ECONNRESET || errnum == EPROTO)
        errnum = EIO; /* programs know what to do with these */
    if (errnum == 0)
        errnum = EIO;
    fuse_reply_err(req, errnum);
}

int mount_check_name(const struct mount *m, const char *name, struct err *reterr)
{
    if (strlen(name) > NAME_MAX) /* as statfs says; the kernel lets them pass */
        return err_set(reterr, ERR_NAME_TOO_LONG, "a name of %zu bytes", strlen(name));
    if (!m->names_are_text || utf8_is_text(name))
        return 0;
    return err_set(reterr, ERR_INVALID_PATH, "names are UTF-8 for this namenode");
}

const struct fuse_lowlevel_ops mount_operations = {
    .init = op_init,
    .lookup = op_lookup,
    .forget = op_forget,
    .forget_multi = op_forget_multi,
    .getattr = op_getattr,
    .setattr = op_setattr,
    .access = op_access,
    .statfs = op_statfs,
    .readlink = op_readlink,
    .mkdir = op_mkdir,
    .mknod = op_mknod,
    .symlink = op_symlink,
    .unlink = op_unlink,
    .rmdir = op_rmdir,
    .rename = op_rename,
    .opendir = op_opendir,
    .readdir = op_readdir,
    .readdirplus = op_readdirplus,
    .releasedir = op_releasedir,
    .create = op_create,
    .open = op_open,
    .read = op_read,
    .write_buf = op_write_buf,
    .flush = op_flush,
    .fsync = op_fsync,
    .release = op_release,
};

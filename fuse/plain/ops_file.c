/* Open files: reading through a file_reader per handle, writing through the inode's stream. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/block_sync.h"
#include "common/log.h"
#include "common/mem.h"
#include "fuse/plain/plain_mount.h"
#include "fuse/plain/write_stream.h"

#define OP_ARENA_BYTES (4 << 20)

struct open_file {
    struct open_handle handle;
    struct inode *inode;
    struct dfs *fs; /* as the user that opened it */
    bool may_write;
    pthread_mutex_t lock;       /* guards reader; not held while it reads */
    struct file_reader *reader; /* opened by the first read */
    unsigned cuts;              /* the inode's when it was */
    unsigned reading;           /* preads under way; the reader is replaced only at 0 */
    pthread_cond_t idle;
};

static struct open_file *file_of(const struct fuse_file_info *fi)
{
    return (struct open_file *)(uintptr_t)fi->fh;
}

static void file_detach(struct mount *m, struct open_file *file);

static void file_end(struct mount *m, struct open_handle *h)
{
    file_detach(m, (struct open_file *)h);
}

static void file_attach(struct fuse_file_info *fi, struct mount *m, struct inode *inode, struct dfs *fs)
{
    struct open_file *file = mem_new(struct open_file);
    file->fs = dfs_ref(fs);
    file->may_write = (fi->flags & O_ACCMODE) != O_RDONLY;
    pthread_mutex_init(&file->lock, NULL);
    pthread_cond_init(&file->idle, NULL);
    file->inode = inode;
    inode_opened(m->inodes, inode);
    open_handles_add(&m->handles, &file->handle, file_end);
    fi->fh = (uint64_t)(uintptr_t)file;
}

static void file_free(struct open_file *file)
{
    file_reader_close(file->reader);
    dfs_unref(file->fs);
    pthread_cond_destroy(&file->idle);
    pthread_mutex_destroy(&file->lock);
    free(file);
}

/* The last handle of a file that was unlinked takes its hidden name away. */
static void hidden_remove(struct mount *m, struct inode *inode, struct dfs *fs)
{
    struct arena a;
    struct err err = {0};
    bool deleted;
    arena_init(&a, OP_ARENA_BYTES);
    const char *path = inode_path(m->inodes, m->root, inode, NULL, &a);
    if (path && dfs_delete(fs, path, false, &deleted, &err) < 0 && err.code != ERR_NOT_FOUND)
        log_error("mount", "a file unlinked while open could not be removed: path=%s err=%s", path, err.text);
    arena_free(&a);
    dfs_unref(fs);
}

/* The end of a handle, which the kernel closed, never got, or did not close before the unmount. */
static void file_detach(struct mount *m, struct open_file *file)
{
    struct err err = {0};
    struct inode *inode = file->inode;
    open_handles_remove(&m->handles, &file->handle);
    struct dfs *remover = inode_closed(m->inodes, inode);
    if (file->may_write) { /* only a stream without bytes is left, or one whose last close failed */
        pthread_mutex_lock(&inode->lock);
        if (stream_finish(inode, &err) < 0)
            log_error("mount", "a file could not be completed after its last close: err=%s", err.text);
        pthread_mutex_unlock(&inode->lock);
    }
    if (remover)
        hidden_remove(m, inode, remover);
    file_free(file);
    inode_unref(m->inodes, inode);
}

/* ---- open and create ---- */

/* What is still in the writer must reach the datanodes before it can be read back. */
static int push_out(struct inode *inode, bool *ret_writing, struct err *reterr)
{
    pthread_mutex_lock(&inode->lock);
    int rc = stream_push(inode, reterr);
    *ret_writing = inode->stream != NULL;
    pthread_mutex_unlock(&inode->lock);
    return rc;
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
    struct mount *m = mount_of(req);
    struct dfs *fs;
    struct arena a;
    struct err err = {0};
    struct file_writer *writer = NULL;
    struct fuse_entry_param entry;
    if (mount_dfs(req, &fs) < 0)
        return;
    arena_init(&a, OP_ARENA_BYTES);
    const char *path = inode_path(m->inodes, m->root, inode_of(m->inodes, parent), name, &a);
    int rc = path ? mount_check_name(m, name, &err) : err_set(&err, ERR_NOT_FOUND, "the directory was removed");
    if (rc == 0)
        rc = file_writer_create(fs, path, &(struct file_create){.mode = mode & 01777}, &writer, &err);
    /* O_CREAT without O_EXCL of a name that another client made meanwhile opens it. */
    bool made = rc == 0;
    if (rc == ERR_EXISTS && !(fi->flags & O_EXCL))
        rc = 0;
    if (rc == 0)
        rc = mount_entry(m, fs, parent, name, &entry, &err);
    if (rc == 0) {
        struct inode *inode = inode_of(m->inodes, entry.ino);
        file_attach(fi, m, inode, fs);
        pthread_mutex_lock(&inode->lock);
        if (made && !inode->stream)
            stream_begin(inode, fs, STEAL(writer), 0);
        pthread_mutex_unlock(&inode->lock);
        if (fuse_reply_create(req, &entry, fi) < 0) { /* the caller was interrupted: nobody will close it */
            file_detach(m, file_of(fi));
            inode_forget(m->inodes, inode, 1);
        }
    } else {
        mount_fail(req, "create", path ? path : name, &err);
    }
    if (writer && file_writer_close(writer, &err) < 0) /* the entry vanished again; that error was answered */
        log_debug("mount", "create came to nothing: err=%s", err.text);
    arena_free(&a);
    dfs_unref(fs);
}

/* Keeps the kernel's pages of a file that has not changed since they were read. */
static bool same_version(struct inode *inode, const struct dfs_status *status)
{
    uint64_t mtime_ns = status->mtime_ns ? status->mtime_ns : (uint64_t)status->mtime_ms * 1000000;
    bool same = inode->seen_mtime_ns == mtime_ns && inode->seen_length == status->length;
    inode->seen_mtime_ns = mtime_ns;
    inode->seen_length = status->length;
    return same;
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct mount *m = mount_of(req);
    struct inode *inode = inode_of(m->inodes, ino);
    struct dfs *fs;
    struct arena a;
    struct err err = {0};
    struct dfs_status status;
    struct file_reader *reader = NULL;
    if (mount_dfs(req, &fs) < 0)
        return;
    arena_init(&a, OP_ARENA_BYTES);
    const char *path = inode_path(m->inodes, m->root, inode, NULL, &a);
    bool writes = (fi->flags & O_ACCMODE) != O_RDONLY, reads = (fi->flags & O_ACCMODE) != O_WRONLY;
    unsigned cuts = inode->cuts;
    int rc = path ? dfs_lstat(fs, path, &a, &status, &err) : err_set(&err, ERR_NOT_FOUND, "the file was removed");
    if (rc == 0 && inode->file_id && status.file_id != inode->file_id)
        rc = err_set(&err, ERR_STALE, "it was replaced by another file"); /* the kernel looks the name up again */
    /* Who only reads gets the blocks at once: it costs no more than asking for permission, and the file stays readable
     * when another takes its name. */
    bool writing;
    if (rc == 0)
        rc = push_out(inode, &writing, &err);
    if (rc == 0 && !writes && status.type == DFS_FILE)
        rc = file_reader_open(fs, path, &reader, &err);
    else if (rc == 0)
        rc = dfs_check_access(fs, path, (reads ? 4u : 0u) | (writes ? 2u : 0u), &err);
    if (rc == ERR_NO_SUCH_METHOD)
        rc = 0; /* an old namenode: reading and writing will say */
    if (rc == 0) {
        pthread_mutex_lock(&inode->lock);
        if (fi->flags & O_TRUNC)
            rc = stream_truncate(inode, fs, path, 0, 0, &err);
        fi->keep_cache = rc == 0 && !inode->stream && !(fi->flags & O_TRUNC) && same_version(inode, &status);
        pthread_mutex_unlock(&inode->lock);
    }
    if (rc == ERR_NOT_FOUND) /* the kernel looks the name up again, which may be another file's */
        rc = err_set(&err, ERR_STALE, "it was removed or replaced");
    if (rc < 0) {
        file_reader_close(reader);
        mount_fail(req, "open", path ? path : "", &err);
    } else {
        file_attach(fi, m, inode, fs);
        file_of(fi)->reader = STEAL(reader);
        file_of(fi)->cuts = cuts;
        if (fuse_reply_open(req, fi) < 0)
            file_detach(m, file_of(fi));
    }
    arena_free(&a);
    dfs_unref(fs);
}

/* ---- reading ---- */

/* Whether there may be more to read than the reader knows, or something else. */
static bool is_outdated(const struct open_file *file, struct inode *inode, int64_t end, bool writing)
{
    int64_t length = file_reader_length(file->reader);
    return file->cuts != inode->cuts || (end > length && (writing || inode->known_length > length));
}

/* A reader of the file as it is now, under the name that it has now; ERR_NOT_FOUND if another one has that. */
static int reader_open(struct open_file *file, struct mount *m, struct inode *inode, struct file_reader **ret,
                       struct err *reterr)
{
    struct arena a;
    struct dfs_status status;
    arena_init(&a, OP_ARENA_BYTES);
    const char *path = inode_path(m->inodes, m->root, inode, NULL, &a);
    int rc = path ? dfs_lstat(file->fs, path, &a, &status, reterr) : ERR_NOT_FOUND;
    if (!path || (rc == 0 && inode->file_id && status.file_id != inode->file_id))
        rc = err_set(reterr, ERR_NOT_FOUND, "the file was removed or replaced");
    if (rc == 0)
        rc = file_reader_open(file->fs, path, ret, reterr);
    arena_free(&a);
    return rc;
}

/* A reader that covers everything up to `end` if the file is that long; counted as reading. */
static int reader_for(struct open_file *file, struct mount *m, struct inode *inode, int64_t end, bool writing,
                      struct err *reterr)
{
    int rc = 0;
    pthread_mutex_lock(&file->lock);
    if (!file->reader || is_outdated(file, inode, end, writing)) {
        struct file_reader *fresh = NULL;
        unsigned cuts = inode->cuts;
        rc = reader_open(file, m, inode, &fresh, reterr);
        if (rc == ERR_NOT_FOUND && file->reader)
            rc = 0;                    /* what it had stays readable */
        while (fresh && file->reading) /* the reader must not go under a read */
            pthread_cond_wait(&file->idle, &file->lock);
        if (fresh) {
            file_reader_close(file->reader);
            file->reader = fresh;
            file->cuts = cuts;
        }
    }
    if (rc == 0)
        file->reading++;
    pthread_mutex_unlock(&file->lock);
    return rc;
}

static void reader_done(struct open_file *file)
{
    pthread_mutex_lock(&file->lock);
    if (--file->reading == 0)
        pthread_cond_broadcast(&file->idle);
    pthread_mutex_unlock(&file->lock);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    struct mount *m = mount_of(req);
    struct inode *inode = inode_of(m->inodes, ino);
    struct open_file *file = file_of(fi);
    struct err err = {0};
    bool writing;
    size_t n = 0;
    AUTO(mem_freep) char *bytes = mem_alloc(size);
    int rc = push_out(inode, &writing, &err);
    if (rc == 0)
        rc = reader_for(file, m, inode, offset + (int64_t)size, writing, &err);
    if (rc == 0) {
        rc = file_reader_pread(file->reader, bytes, size, offset, &n, &err);
        reader_done(file);
    }
    if (rc < 0)
        mount_fail(req, "read", "", &err);
    else
        fuse_reply_buf(req, bytes, n);
}

/* ---- writing ---- */

void op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t offset, struct fuse_file_info *fi)
{
    struct mount *m = mount_of(req);
    struct inode *inode = inode_of(m->inodes, ino);
    struct open_file *file = file_of(fi);
    struct arena a;
    struct err err = {0};
    size_t size = fuse_buf_size(in);
    AUTO(mem_freep) char *bytes = mem_alloc(size);
    struct fuse_bufvec out = FUSE_BUFVEC_INIT(size);
    out.buf[0].mem = bytes;
    ssize_t copied = fuse_buf_copy(&out, in, 0);
    if (copied < 0) {
        fuse_reply_err(req, (int)-copied);
        return;
    }
    bool appends = (fi->flags & O_APPEND) && !fi->writepage; /* as it is now; a page of a mapping has its place */
    arena_init(&a, OP_ARENA_BYTES);
    const char *path = inode_path(m->inodes, m->root, inode, NULL, &a);
    pthread_mutex_lock(&inode->lock);
    int rc = path || inode->stream ? stream_at(inode, file->fs, path, appends ? -1 : offset, &err)
                                   : err_set(&err, ERR_NOT_FOUND, "the file was removed");
    if (rc == 0)
        rc = stream_write(inode, bytes, (size_t)copied, &err);
    if (rc < 0)
        inode->seen_length = -1; /* what was written through a mapping is in the kernel's pages all the same */
    pthread_mutex_unlock(&inode->lock);
    if (rc == ERR_STALE)
        err.code = ERR_NOT_FOUND;
    if (rc == ERR_UNSUPPORTED)
        log_warn("mount", "refused: path=%s err=%s", path ? path : "?", err.text);
    if (rc < 0)
        mount_fail(req, "write", path ? path : "", &err);
    else
        fuse_reply_write(req, (size_t)copied);
    arena_free(&a);
}

/* close(2): what was written must be whole and readable by others when it returns, and its errors must be heard. */
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct mount *m = mount_of(req);
    struct inode *inode = inode_of(m->inodes, ino);
    struct err err = {0};
    int rc = 0;
    if (file_of(fi)->may_write) {
        pthread_mutex_lock(&inode->lock);
        /* A descriptor that was dup'ed before anything was written (a shell's redirection) closes for nothing. */
        if (inode->stream && inode->stream->dirty)
            rc = stream_finish(inode, &err);
        pthread_mutex_unlock(&inode->lock);
    }
    if (rc < 0 && inode_is_unlinked(m->inodes, inode))
        rc = 0; /* nobody will ever see it: what became of it does not matter */
    if (rc < 0)
        mount_fail(req, "close", "", &err);
    else
        fuse_reply_err(req, 0);
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
    struct mount *m = mount_of(req);
    struct inode *inode = inode_of(m->inodes, ino);
    struct open_file *file = file_of(fi);
    struct err err = {0};
    struct arena a;
    arena_init(&a, OP_ARENA_BYTES);
    const char *path = inode_path(m->inodes, m->root, inode, NULL, &a);
    pthread_mutex_lock(&inode->lock);
    int rc = inode->stream ? file_writer_hsync(inode->stream->writer, &err)
             : path        ? block_sync_file(file->fs, path, &err) /* what another handle's close completed */
                           : 0;
    pthread_mutex_unlock(&inode->lock);
    if (rc == ERR_ACCESS && !inode->stream)
        rc = 0; /* who may write but not read cannot be told where the blocks are */
    if (rc < 0)
        mount_fail(req, "fsync", path ? path : "", &err);
    else
        fuse_reply_err(req, 0);
    arena_free(&a);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct mount *m = mount_of(req);
    file_detach(m, file_of(fi));
    fuse_reply_err(req, 0);
}

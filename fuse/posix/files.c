/* Open files: handles, and what programs do with their bytes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "fuse/posix/posix_mount.h"

#define RELATIME_NS ((uint64_t)24 * 3600 * 1000000000)

struct handle {
    struct node *node;
    bool may_write, append;
    _Atomic bool wants_atime; /* the first read is to be noted */
};

static struct handle *handle_of(const struct fuse_file_info *fi)
{
    return (struct handle *)(uintptr_t)fi->fh;
}

/* As relatime: once after a change, and once a day. */
static bool is_atime_due(const struct posix_attr *attr)
{
    uint64_t now = (uint64_t)clock_wall_ns();
    return attr->atime_ns <= attr->mtime_ns || attr->atime_ns <= attr->ctime_ns || attr->atime_ns + RELATIME_NS < now;
}

static struct handle *handle_new(struct posix_op *op, const struct posix_attr *attr, struct fuse_file_info *fi)
{
    struct handle *h = mem_new(struct handle);
    h->node = node_open(op->m->nodes, attr);
    h->may_write = (fi->flags & O_ACCMODE) != O_RDONLY;
    h->append = fi->flags & O_APPEND;
    h->wants_atime = !(fi->flags & O_NOATIME) && is_atime_due(attr);
    fi->fh = (uint64_t)(uintptr_t)h;
    return h;
}

static void handle_end(struct posix_op *op, struct handle *h)
{
    node_close(op->m->nodes, h->node);
    free(h);
}

void posix_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
    struct posix_op op;
    struct posix_attr attr;
    struct fuse_entry_param entry;
    struct handle *h = NULL;
    bool made = false, writes = (fi->flags & O_ACCMODE) != O_RDONLY;
    op_begin(&op, req);
    struct posix_make how = {
        .mode = S_IFREG | (mode & 07777), .open_for_writing = writes, .existing_is_fine = !(fi->flags & O_EXCL)};
    int rc = make_node(&op, parent, name, &how, &attr, &made);
    if (rc == 0) {
        h = handle_new(&op, &attr, fi);
        if (made && writes)
            rc = node_begin_stream(&op.m->store, h->node, &attr, &op.err);
        else if (fi->flags & O_TRUNC) /* another client made it meanwhile */
            rc = node_resize(&op.m->store, h->node, 0, &op.err);
    }
    if (rc < 0) {
        if (h)
            handle_end(&op, h);
        op_fail(&op, "create");
        return;
    }
    attr_to_entry(op.m, &attr, &entry);
    if (fuse_reply_create(req, &entry, fi) < 0) /* the caller was interrupted: nobody will close it */
        handle_end(&op, h);
    op_end(&op);
}

void posix_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct posix_op op;
    struct posix_attr attr;
    op_begin(&op, req);
    int rc = posix_getattr(op.fs, inode_of_ino(op.m, ino), &op.arena, &attr, &op.err);
    if (rc < 0) {
        op_fail(&op, "open");
        return;
    }
    struct handle *h = handle_new(&op, &attr, fi);
    fi->keep_cache = node_is_same_version(op.m->nodes, &attr);
    if ((fi->flags & O_TRUNC) && h->may_write) {
        rc = node_resize(&op.m->store, h->node, 0, &op.err);
        rc = rc == 0 ? node_save(&op.m->store, h->node, &op.err) : rc;
    }
    if (rc < 0) {
        handle_end(&op, h);
        op_fail(&op, "open");
        return;
    }
    if (fuse_reply_open(req, fi) < 0)
        handle_end(&op, h);
    op_end(&op);
}

static void note_read(struct posix_op *op, struct handle *h)
{
    struct posix_attr attr;
    struct posix_set set = {.what = POSIX_SET_ATIME_NOW};
    if (h->wants_atime && atomic_exchange(&h->wants_atime, false))
        (void)!posix_setattr(op->fs, op->m->store.session, h->node->id, &set, &op->arena, &attr, NULL);
}

void posix_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    struct posix_op op;
    size_t n = 0;
    op_begin(&op, req);
    struct handle *h = handle_of(fi);
    AUTO(mem_freep) char *bytes = mem_alloc(size);
    int rc = node_read(&op.m->store, h->node, bytes, size, offset, &n, &op.err);
    if (rc < 0) {
        op_fail(&op, "read");
        return;
    }
    fuse_reply_buf(req, bytes, n);
    note_read(&op, h);
    op_end(&op);
}

void posix_op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t offset, struct fuse_file_info *fi)
{
    struct posix_op op;
    struct handle *h = handle_of(fi);
    size_t size = fuse_buf_size(in);
    AUTO(mem_freep) char *bytes = mem_alloc(size);
    struct fuse_bufvec out = FUSE_BUFVEC_INIT(size);
    out.buf[0].mem = bytes;
    ssize_t copied = fuse_buf_copy(&out, in, 0);
    if (copied < 0) {
        fuse_reply_err(req, (int)-copied);
        return;
    }
    op_begin(&op, req);
    /* Pages that were written through a mapping have their place, whatever handle they come by. */
    bool at_end = h->append && !fi->writepage;
    int rc = node_write(&op.m->store, h->node, bytes, (size_t)copied, at_end ? NODE_AT_END : offset, &op.err);
    if (rc < 0) {
        op_fail(&op, "write");
        return;
    }
    fuse_reply_write(req, (size_t)copied);
    op_end(&op);
}

/* Room cannot be set aside: what is allocated is a hole that may be written. */
void posix_op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length, struct fuse_file_info *fi)
{
    struct posix_op op;
    struct node *n = handle_of(fi)->node;
    int rc;
    op_begin(&op, req);
    bool keep_size = mode & FALLOC_FL_KEEP_SIZE;
    switch (mode & ~FALLOC_FL_KEEP_SIZE) {
    case 0: rc = keep_size ? 0 : node_grow(&op.m->store, n, offset + length, &op.err); break;
    case FALLOC_FL_PUNCH_HOLE:
    case FALLOC_FL_ZERO_RANGE: rc = node_zero(&op.m->store, n, offset, offset + length, !keep_size, &op.err); break;
    default: rc = err_set(&op.err, ERR_UNSUPPORTED, "fallocate mode %#x", (unsigned)mode);
    }
    op_reply(&op, "fallocate", rc);
}

void posix_op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi)
{
    struct posix_op op;
    int64_t at = -1;
    op_begin(&op, req);
    int rc = node_seek(&op.m->store, handle_of(fi)->node, offset, whence == SEEK_DATA, &at, &op.err);
    if (rc < 0) {
        op_fail(&op, "lseek");
        return;
    }
    if (at < 0)
        fuse_reply_err(req, ENXIO);
    else
        fuse_reply_lseek(req, at);
    op_end(&op);
}

/* close(2): what was written must be whole and readable by others when it returns, and its errors must be heard. */
void posix_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct posix_op op;
    struct handle *h = handle_of(fi);
    op_begin(&op, req);
    locks_release_owner(&op, h->node->id, fi->lock_owner, false);
    /* A descriptor that was dup'ed before anything was written (a shell's redirection) closes for nothing. */
    bool unsaved = h->may_write && h->node->unsaved_size >= 0 && !h->node->is_held;
    op_reply(&op, "close", unsaved ? node_save(&op.m->store, h->node, &op.err) : 0);
}

void posix_op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
    struct posix_op op;
    op_begin(&op, req);
    op_reply(&op, "fsync", node_sync(&op.m->store, handle_of(fi)->node, &op.err));
}

void posix_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct posix_op op;
    op_begin(&op, req);
    struct handle *h = handle_of(fi);
    if (fi->flock_release)
        locks_release_owner(&op, h->node->id, fi->lock_owner, true);
    handle_end(&op, h);
    op_reply(&op, "release", 0);
}

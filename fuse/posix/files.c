/* Open files: handles, and what programs do with their bytes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <unistd.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "fuse/posix/backing.h"
#include "fuse/posix/first_block.h"
#include "fuse/posix/kernel_io.h"
#include "fuse/posix/new_attributes.h"
#include "fuse/posix/opens.h"
#include "fuse/posix/privileges.h"

/* What a handle is, is in its number: the process that made it may not be the one that is asked. */
enum handle_bits { HANDLE_WRITES = 1, HANDLE_BITS = 1 };

/* Counted once for a request that is sent again. */
static void handle_set(const struct request *op, struct node *n, struct fuse_file_info *fi)
{
    struct keeper_request *noted = kernel_io_request()->noted;
    fi->fh = ++op->m->store.memory->handles << HANDLE_BITS | ((fi->flags & O_ACCMODE) != O_RDONLY ? HANDLE_WRITES : 0);
    if (!noted->done)
        node_opened(op->m->nodes, n);
    noted->done = true;
}

static void handle_gone(const struct request *op, struct node *n)
{
    backing_begin(op->m);
    node_released(op->m->nodes, n);
    backing_released(op->m, n);
    backing_end(op->m);
    opens_closed(op->m, n->id);
}

static void handle_end(const struct request *op, struct node *n)
{
    struct keeper_request *noted = kernel_io_request()->noted;
    if (!noted->done) {
        noted->done = true;
        handle_gone(op, n);
    }
}

/* A request on an open file: op begun, *ret with a reference. On failure it is answered. */
static int file_begin(struct request *op, fuse_req_t req, fuse_ino_t ino, const char *name, struct node **ret)
{
    request_begin(op, req);
    int rc = node_need(op->m->nodes, inode_of_ino(op->m, ino), ret, &op->err);
    if (rc < 0)
        request_fail(op, name);
    return rc;
}

static void file_end(struct request *op, struct node *n)
{
    node_put(op->m->nodes, n);
    request_end(op);
}

static void file_fail(struct request *op, struct node *n, const char *name)
{
    node_put(op->m->nodes, n);
    request_fail(op, name);
}

static void file_reply(struct request *op, struct node *n, const char *name, int rc)
{
    node_put(op->m->nodes, n);
    request_reply(op, name, rc);
}

static void made_here(const struct request *op, struct node *n, const struct posix_attr *attr,
                      const struct dfs_block *b)
{
    struct stat st;
    node_made(n, b);
    if (attr->has_acl) /* then the mode is not all that there is to set */
        return;
    attr_to_stat(op->m, attr, &st);
    new_attributes_made(n, &st);
}

static int empty(struct request *op, struct node *n)
{
    int rc = privileges_drop(op, n);
    return rc == 0 ? node_resize(&op->m->store, n, 0, &op->err) : rc;
}

static void create_fail(struct request *op, struct node *n)
{
    if (n) {
        opens_closed(op->m, n->id);
        node_put(op->m->nodes, n);
    }
    request_fail(op, "create");
}

void posix_op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
    struct request op;
    struct posix_attr attr;
    struct fuse_entry_param entry;
    struct dfs_block first;
    uint64_t unused[UNUSED_MAX];
    struct opens_telling telling;
    bool made = false, is_unnamed = (fi->flags & O_TMPFILE) == O_TMPFILE;
    bool wants_block = !is_unnamed && (fi->flags & O_ACCMODE) != O_RDONLY; /* most that have no name never need one */
    request_begin(&op, req);
    struct posix_make how = {.mode = S_IFREG | (mode & 07777),
                             .existing_is_fine = !(fi->flags & O_EXCL),
                             .is_unnamed = is_unnamed,
                             .ret_block = wants_block ? &first : NULL,
                             .block_room = FIRST_BLOCK_BYTES,
                             .dropped = unused,
                             .dropped_count = unused_blocks_take(op.m->store.unused, unused),
                             .handles = opens_tell(op.m, true, &telling)};
    int rc = make_node(&op, parent, name, &how, &attr, &made);
    struct node *n = rc == 0 ? node_of_attr(op.m->nodes, &attr, op.known_since) : NULL;
    if (n && made)
        made_here(&op, n, &attr, wants_block && first.node_count ? &first : NULL);
    else if (n && (fi->flags & O_TRUNC)) /* another client made it meanwhile */
        rc = empty(&op, n);
    if (rc == 0)
        handle_set(&op, n, fi);
    opens_tell_end(op.m, &telling);
    if (rc < 0) {
        create_fail(&op, n);
        return;
    }
    attr_to_entry(op.m, op.known_since, &attr, &entry);
    if (fuse_reply_create(req, &entry, fi) < 0) /* the caller was interrupted: nobody will close it */
        handle_gone(&op, n);
    file_end(&op, n);
}

void posix_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct request op;
    struct posix_attr attr;
    struct passage p;
    struct opens_telling telling;
    request_begin(&op, req);
    uint64_t inode = inode_of_ino(op.m, ino);
    passage_open(op.m->passages, &p, inode);
    int rc = posix_open(op.fs, op.m->store.memory->session, inode, opens_tell(op.m, true, &telling), &op.arena, &attr,
                        &op.err);
    if (rc < 0) {
        passage_end(op.m->passages, &p);
        opens_tell_end(op.m, &telling);
        opens_closed(op.m, inode);
        known_names_inode_changed(op.m->known, inode); /* the kernel looks its name up again, if it is gone */
        request_fail(&op, "open");
        return;
    }
    struct node *n = node_of_attr(op.m->nodes, &attr, op.known_since);
    fi->keep_cache = node_is_same_version(op.m->nodes, n, &attr);
    if (!attr_is_as_told(op.m, &attr)) /* whoever opens it sees what was closed before, word of which may still come */
        fuse_lowlevel_notify_inval_inode(op.m->fuse, ino, -1, 0);
    if (attr_wants_atime(&attr))
        n->wants_atime = true;
    int32_t backing;
    int fd = backing_fetch(&op, n, &attr, fi);
    backing_begin(op.m);
    handle_set(&op, n, fi);
    rc = backing_opened(op.m, n, fi, fd, &backing, &op.err);
    backing_end(op.m);
    net_closep(&fd);
    passage_end(op.m->passages, &p);
    opens_tell_end(op.m, &telling);
    if (rc < 0 || backing_reply(req, fi, backing) < 0) /* interrupted: nobody will close it */
        handle_gone(&op, n);
    if (rc < 0)
        file_fail(&op, n, "open");
    else
        file_end(&op, n);
}

/* true: its access time is another one now. */
static bool note_read(struct request *op, struct node *n, const struct fuse_file_info *fi)
{
    if ((fi->flags & O_NOATIME) || !n->wants_atime || !atomic_exchange(&n->wants_atime, false))
        return false;
    attr_note_read(op, n->id);
    return true;
}

void posix_op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    struct request op;
    struct node *n;
    size_t got = 0;
    if (file_begin(&op, req, ino, "read", &n) < 0)
        return;
    struct read_buffers *buffers = &op.m->read_buffers;
    char *bytes = read_buffer_take(buffers, size);
    if (node_read(&op.m->store, n, bytes, size, offset, &got, &op.err) < 0) {
        file_fail(&op, n, "read");
    } else {
        note_read(&op, n, fi);
        fuse_reply_buf(req, bytes, got);
        file_end(&op, n);
    }
    read_buffer_give(buffers, bytes, size);
}

static void save_if_staged(struct node *n, void *arg)
{
    struct posix_mount *m = arg;
    struct err err = {0};
    if (n->unsaved_size >= 0 && n->unsaved_bytes > 0 && node_save(&m->store, n, &err) < 0)
        log_warn("mount", "not saved to make room: inode=%lu err=%s", (unsigned long)n->id, err.text);
}

static int write_once(struct request *op, struct node *n, const void *bytes, size_t len, int64_t offset, bool is_mapped)
{
    return is_mapped ? node_write_mapped(&op->m->store, n, bytes, len, offset, &op->err)
                     : node_write(&op->m->store, n, bytes, len, offset, kernel_io_request()->noted, &op->err);
}

/* When the staging disk is full, what is there is saved, and it is tried once more. */
static int write_some(struct request *op, struct node *n, const void *bytes, size_t len, int64_t offset, bool is_mapped)
{
    int rc = write_once(op, n, bytes, len, offset, is_mapped);
    if (rc != ERR_NO_SPACE)
        return rc;
    node_each(op->m->nodes, save_if_staged, op->m);
    return write_once(op, n, bytes, len, offset, is_mapped);
}

/* Where libfuse has them, if they came in one piece by read(2). */
static const char *in_memory(const struct fuse_bufvec *in)
{
    const struct fuse_buf *b = &in->buf[in->idx];
    return in->count == 1 && !(b->flags & FUSE_BUF_IS_FD) ? (const char *)b->mem + in->off : NULL;
}

void posix_op_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *in, off_t offset, struct fuse_file_info *fi)
{
    struct request op;
    struct node *n;
    size_t size = fuse_buf_size(in);
    AUTO(mem_freep) char *copy = NULL;
    const char *bytes = in_memory(in);
    if (!bytes) {
        struct fuse_bufvec out = FUSE_BUFVEC_INIT(size);
        bytes = out.buf[0].mem = copy = mem_alloc(size);
        ssize_t copied = fuse_buf_copy(&out, in, 0);
        if (copied < 0) {
            fuse_reply_err(req, (int)-copied);
            return;
        }
        size = (size_t)copied;
    }
    if (file_begin(&op, req, ino, "write", &n) < 0)
        return;
    /* Pages that were written through a mapping have their place, whatever handle they come by; and take no privileges,
     * as on a local disk. */
    bool at_end = (fi->flags & O_APPEND) && !fi->writepage;
    int rc = fi->writepage ? 0 : privileges_drop(&op, n);
    if (rc < 0 || write_some(&op, n, bytes, size, at_end ? NODE_AT_END : offset, fi->writepage) < 0) {
        file_fail(&op, n, "write");
        return;
    }
    fuse_reply_write(req, size);
    file_end(&op, n);
}

/* Room cannot be set aside: what is allocated is a hole that may be written. */
void posix_op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length, struct fuse_file_info *fi)
{
    struct request op;
    struct node *n;
    if (file_begin(&op, req, ino, "fallocate", &n) < 0)
        return;
    int rc = privileges_drop(&op, n);
    if (rc < 0) {
        file_fail(&op, n, "fallocate");
        return;
    }
    bool keep_size = mode & FALLOC_FL_KEEP_SIZE;
    switch (mode & ~FALLOC_FL_KEEP_SIZE) {
    case 0: rc = keep_size ? 0 : node_grow(&op.m->store, n, offset + length, &op.err); break;
    case FALLOC_FL_PUNCH_HOLE:
    case FALLOC_FL_ZERO_RANGE: rc = node_zero(&op.m->store, n, offset, offset + length, !keep_size, &op.err); break;
    default: rc = err_set(&op.err, ERR_UNSUPPORTED, "fallocate mode %#x", (unsigned)mode);
    }
    file_reply(&op, n, "fallocate", rc);
}

/* What was written through a mapping the kernel has alone until it writes it back, and that is data, too. Letting go of
 * its pages it does so now, by requests of its own while this one waits: one at a time, so that there is a thread for
 * them. false: another one is at it. */
static bool fetch_mapped(const struct request *op, struct node *n, fuse_ino_t ino, off_t offset, uint64_t handle)
{
    struct posix_mount *m = op->m;
    if (!(handle & HANDLE_WRITES) && !node_is_shared(m->nodes, n)) /* who has mapped a file has it open */
        return true;
    if (pthread_mutex_trylock(&m->fetching_lock) != 0)
        return false;
    fuse_lowlevel_notify_inval_inode(m->fuse, ino, offset, 0);
    pthread_mutex_unlock(&m->fetching_lock);
    return true;
}

void posix_op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi)
{
    struct request op;
    struct node *n;
    int64_t at = -1;
    if (file_begin(&op, req, ino, "lseek", &n) < 0)
        return;
    bool is_known = fetch_mapped(&op, n, ino, offset, fi->fh);
    if (node_seek(&op.m->store, n, offset, whence == SEEK_DATA, is_known, &at, &op.err) < 0) {
        file_fail(&op, n, "lseek");
        return;
    }
    if (at < 0)
        fuse_reply_err(req, ENXIO);
    else
        fuse_reply_lseek(req, at);
    file_end(&op, n);
}

/* What cannot be shared the kernel copies through its pages, as for file systems that know nothing of this. It sees to
 * its pages of both files itself, before and after. */
void posix_op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t offset_in, struct fuse_file_info *fi_in,
                              fuse_ino_t ino_out, off_t offset_out, struct fuse_file_info *fi_out, size_t length,
                              int flags)
{
    struct request op;
    struct node *in, *out;
    size_t copied = 0;
    if (file_begin(&op, req, ino_in, "copy_file_range", &in) < 0)
        return;
    if (node_need(op.m->nodes, inode_of_ino(op.m, ino_out), &out, &op.err) < 0) {
        file_fail(&op, in, "copy_file_range");
        return;
    }
    int rc = flags ? err_posix(&op.err, EINVAL, "copy_file_range has no flags") : privileges_drop(&op, out);
    if (rc == 0)
        rc = node_copy(&op.m->store, in, offset_in, out, offset_out, length, &copied, &op.err);
    node_put(op.m->nodes, out);
    if (rc < 0) {
        file_fail(&op, in, "copy_file_range");
        return;
    }
    if (note_read(&op, in, fi_in)) /* the kernel knows that only of reads */
        fuse_lowlevel_notify_inval_inode(op.m->fuse, ino_in, -1, 0);
    fuse_reply_write(req, copied);
    file_end(&op, in);
}

/* What was guessed of a file that was not saved may have turned out a little different: how much room it takes. */
static void tell_saved(const struct request *op, struct node *n, fuse_ino_t ino)
{
    if (n->unsaved_size < 0 && atomic_exchange(&n->is_guessed, false))
        fuse_lowlevel_notify_inval_inode(op->m->fuse, ino, -1, 0);
}

/* close(2): what was written must be whole and readable by others when it returns, and its errors must be heard. */
void posix_op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct request op;
    struct node *n;
    if (file_begin(&op, req, ino, "close", &n) < 0)
        return;
    locks_release_owner(&op, n, fi->lock_owner, false);
    /* A descriptor that was dup'ed before anything was written (a shell's redirection) closes for nothing. */
    bool unsaved = (fi->fh & HANDLE_WRITES) && n->unsaved_size >= 0 && !n->is_held;
    int rc = unsaved ? node_save(&op.m->store, n, &op.err) : 0;
    tell_saved(&op, n, ino);
    file_reply(&op, n, "close", rc);
}

void posix_op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
    struct request op;
    struct node *n;
    if (file_begin(&op, req, ino, "fsync", &n) < 0)
        return;
    int rc = node_sync(&op.m->store, n, &op.err);
    tell_saved(&op, n, ino);
    file_reply(&op, n, "fsync", rc);
}

void posix_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct request op;
    struct node *n;
    if (file_begin(&op, req, ino, "release", &n) < 0)
        return;
    if (fi->flock_release)
        locks_release_owner(&op, n, fi->lock_owner, true);
    locks_release_handle(&op, n, fi->fh);
    handle_end(&op, n);
    tell_saved(&op, n, ino);
    file_reply(&op, n, "release", 0);
}

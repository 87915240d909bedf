/* Directories: making, removing and renaming names, and listing them page by page. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/dfs_path.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "fuse/plain/plain_mount.h"
#include "fuse/plain/write_stream.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#endif

#define OP_ARENA_BYTES      (4 << 20)
#define LISTING_ARENA_BYTES (64 << 20) /* one page of at most dfs.ls.limit entries */

/* ---- one name ---- */

/* What every operation on parent/name starts and ends with. */
struct name_op {
    struct mount *m;
    struct dfs *fs;
    struct arena arena;
    const char *path;
    struct err err;
};

static int name_op_begin(struct name_op *op, fuse_req_t req, fuse_ino_t parent, const char *name)
{
    *op = (struct name_op){.m = mount_of(req)};
    if (mount_dfs(req, &op->fs) < 0)
        return -1;
    arena_init(&op->arena, OP_ARENA_BYTES);
    op->path = inode_path(op->m->inodes, op->m->root, inode_of(op->m->inodes, parent), name, &op->arena);
    return op->path ? mount_check_name(op->m, name, &op->err)
                    : err_set(&op->err, ERR_NOT_FOUND, "the directory was removed");
}

static void name_op_end(struct name_op *op)
{
    arena_free(&op->arena);
    dfs_unref(op->fs);
}

static void reply_new_entry(struct name_op *op, fuse_req_t req, const char *operation, int rc, fuse_ino_t parent,
                            const char *name)
{
    struct fuse_entry_param entry;
    if (rc == 0)
        rc = mount_entry(op->m, op->fs, parent, name, &entry, &op->err);
    if (rc < 0)
        mount_fail(req, operation, op->path ? op->path : name, &op->err);
    else
        fuse_reply_entry(req, &entry);
    name_op_end(op);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    struct name_op op;
    struct dfs_status there;
    int rc = name_op_begin(&op, req, parent, name);
    if (rc == -1 && !op.fs)
        return;
    /* HDFS says yes to a directory that exists; mkdir(2) must not. */
    if (rc == 0 && dfs_lstat(op.fs, op.path, &op.arena, &there, NULL) == 0)
        rc = err_set(&op.err, ERR_EXISTS, "%s is there", op.path);
    if (rc == 0)
        rc = dfs_mkdirs(op.fs, op.path, mode & 01777, false, &op.err);
    reply_new_entry(&op, req, "mkdir", rc, parent, name);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
    struct name_op op;
    struct file_writer *writer;
    int rc = name_op_begin(&op, req, parent, name);
    if (rc == -1 && !op.fs)
        return;
    if (rc == 0 && !S_ISREG(mode))
        rc = err_set(&op.err, ERR_PERMISSION, "only regular files can be made");
    if (rc == 0)
        rc = file_writer_create(op.fs, op.path, &(struct file_create){.mode = mode & 01777}, &writer, &op.err);
    if (rc == 0)
        rc = file_writer_close(writer, &op.err);
    reply_new_entry(&op, req, "mknod", rc, parent, name);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    struct name_op op;
    struct dfs_status there;
    int rc = name_op_begin(&op, req, parent, name);
    if (rc == -1 && !op.fs)
        return;
    if (rc == 0)
        rc = dfs_symlink(op.fs, target, op.path, false, &op.err);
    if (rc == ERR_IO && dfs_lstat(op.fs, op.path, &op.arena, &there, NULL) == 0) /* HDFS has no other word for it */
        rc = err_set(&op.err, ERR_EXISTS, "%s is there", op.path);
    reply_new_entry(&op, req, "symlink", rc, parent, name);
}

#define HIDDEN_PREFIX ".cairn-unlinked-"

static bool is_hidden(const char *name)
{
    return strncmp(name, HIDDEN_PREFIX, strlen(HIDDEN_PREFIX)) == 0;
}

/* A file that is open here, and whose name goes to nobody or to another file. */
struct hiding {
    struct inode *dir;
    const char *name, *path;
    uint64_t number;
    const char *hidden_name, *hidden_path;
};

static int hide(struct name_op *op, struct hiding *h)
{
    h->hidden_name = arena_printf(&op->arena, HIDDEN_PREFIX "%s-%" PRIu64, dfs_client_name(op->fs), h->number);
    h->hidden_path = inode_path(op->m->inodes, op->m->root, h->dir, h->hidden_name, &op->arena);
    if (!h->hidden_path)
        return err_set(&op->err, ERR_NOT_FOUND, "the directory was removed");
    int rc = dfs_rename2(op->fs, h->path, h->hidden_path, false, false, &op->err);
    if (rc == 0)
        inode_renamed(op->m->inodes, h->dir, h->name, h->dir, h->hidden_name);
    return rc;
}

/* It goes with its last close, or now if that has been. */
static int remove_when_closed(struct name_op *op, const struct hiding *h, struct err *reterr)
{
    struct dfs *remover = dfs_ref(op->fs);
    if (inode_hidden(op->m->inodes, h->dir, h->hidden_name, remover))
        return 0;
    dfs_unref(remover);
    bool deleted;
    int rc = dfs_delete(op->fs, h->hidden_path, false, &deleted, reterr);
    inode_unlinked(op->m->inodes, h->dir, h->hidden_name);
    return rc;
}

static void show_again(struct name_op *op, const struct hiding *h)
{
    struct err err = {0};
    if (dfs_rename2(op->fs, h->hidden_path, h->path, false, false, &err) == 0)
        inode_renamed(op->m->inodes, h->dir, h->hidden_name, h->dir, h->name);
    else
        log_error("mount", "a file that was not replaced is now called another name: path=%s name=%s err=%s", h->path,
                  h->hidden_name, err.text);
}

/* unlink(2): it takes a hidden name until its last handle is closed. */
static int unlink_open(struct name_op *op, fuse_ino_t parent, const char *name, uint64_t number)
{
    struct hiding h = {.dir = inode_of(op->m->inodes, parent), .name = name, .path = op->path, .number = number};
    int rc = hide(op, &h);
    return rc == 0 ? remove_when_closed(op, &h, &op->err) : rc;
}

/* A directory in which only hidden files are left counts as empty. */
static int remove_hidden(struct name_op *op, struct err *reterr)
{
    struct dfs_listing all;
    bool deleted;
    int rc = dfs_list(op->fs, op->path, NULL, false, &op->arena, &all, reterr);
    for (size_t i = 0; rc == 0 && i < all.count; i++)
        if (all.remaining || !is_hidden(all.entries[i].name))
            rc = err_set(reterr, ERR_NOT_EMPTY, "%s", op->path);
    for (size_t i = 0; rc == 0 && i < all.count; i++)
        rc = dfs_delete(op->fs, dfs_path_join(&op->arena, op->path, all.entries[i].name), false, &deleted, reterr);
    return rc;
}

/* HDFS's delete takes files and directories alike; unlink(2) and rmdir(2) are particular. */
static void remove_name(fuse_req_t req, fuse_ino_t parent, const char *name, bool directory)
{
    struct name_op op;
    struct dfs_status status;
    bool deleted;
    int rc = name_op_begin(&op, req, parent, name);
    if (rc == -1 && !op.fs)
        return;
    if (rc == 0)
        rc = dfs_lstat(op.fs, op.path, &op.arena, &status, &op.err);
    if (rc == 0 && (status.type == DFS_DIR) != directory)
        rc = err_set(&op.err, directory ? ERR_NOT_DIR : ERR_IS_DIR, "%s", op.path);
    uint64_t hide = rc == 0 && !directory ? inode_hide(op.m->inodes, inode_of(op.m->inodes, parent), name) : 0;
    if (hide) {
        rc = unlink_open(&op, parent, name, hide);
        if (rc < 0)
            mount_fail(req, "unlink", op.path, &op.err);
        else
            fuse_reply_err(req, 0);
        name_op_end(&op);
        return;
    }
    if (rc == 0)
        rc = dfs_delete(op.fs, op.path, false, &deleted, &op.err);
    if (rc == ERR_NOT_EMPTY && directory && remove_hidden(&op, &op.err) == 0)
        rc = dfs_delete(op.fs, op.path, false, &deleted, &op.err);
    if (rc == 0 && !deleted)
        rc = err_set(&op.err, ERR_NOT_FOUND, "%s", op.path);
    if (rc < 0) {
        mount_fail(req, directory ? "rmdir" : "unlink", op.path ? op.path : name, &op.err);
    } else {
        inode_unlinked(op.m->inodes, inode_of(op.m->inodes, parent), name);
        fuse_reply_err(req, 0);
    }
    name_op_end(&op);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    remove_name(req, parent, name, false);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    remove_name(req, parent, name, true);
}

/* A plain IOException of rename2 does not say which rule was broken; rename(2)'s errno does. */
static int rename_reason(struct name_op *op, const char *to, int rc)
{
    struct dfs_status source, target;
    if (rc != ERR_IO || dfs_lstat(op->fs, op->path, &op->arena, &source, NULL) < 0 ||
        dfs_lstat(op->fs, to, &op->arena, &target, NULL) < 0)
        return rc;
    if (source.type == DFS_DIR && target.type != DFS_DIR)
        return err_set(&op->err, ERR_NOT_DIR, "%s", to);
    if (source.type != DFS_DIR && target.type == DFS_DIR)
        return err_set(&op->err, ERR_IS_DIR, "%s", to);
    return target.type == DFS_DIR ? err_set(&op->err, ERR_NOT_EMPTY, "%s", to) : rc;
}

/* A file that is open here is about to be replaced by another one. */
static bool replaces_open(struct name_op *op, struct hiding *h)
{
    struct dfs_status source, target;
    h->number = inode_hide(op->m->inodes, h->dir, h->name);
    return h->number && dfs_lstat(op->fs, op->path, &op->arena, &source, NULL) == 0 && source.type != DFS_DIR &&
           dfs_lstat(op->fs, h->path, &op->arena, &target, NULL) == 0 && target.type == DFS_FILE;
}

/* What is open under the new name is read and written on under a hidden one. HDFS cannot do both at once: for a moment
 * nobody has the name, which those who look here wait for, and other clients may see. */
static int rename_over(struct name_op *op, struct inode *dir, const char *name, const char *to)
{
    struct hiding h = {.dir = dir, .name = name, .path = to};
    struct err why = {0};
    bool hides = replaces_open(op, &h);
    if (hides)
        replacing_begin(&op->m->replacing);
    bool hidden = hides && hide(op, &h) == 0; /* if not, it is as without */
    int rc = rename_reason(op, to, dfs_rename2(op->fs, op->path, to, true, false, &op->err));
    if (hidden && rc < 0)
        show_again(op, &h);
    if (hides)
        replacing_end(&op->m->replacing);
    if (hidden && rc == 0 && remove_when_closed(op, &h, &why) < 0)
        log_error("mount", "a file that was replaced could not be removed: path=%s err=%s", h.hidden_path, why.text);
    return rc;
}

static int rename_to(struct name_op *op, struct inode *dir, const char *name, const char *to, unsigned flags)
{
    if (!(flags & RENAME_NOREPLACE))
        return rename_over(op, dir, name, to);
    return rename_reason(op, to, dfs_rename2(op->fs, op->path, to, false, false, &op->err));
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,
               unsigned flags)
{
    struct name_op op;
    int rc = name_op_begin(&op, req, parent, name);
    if (rc == -1 && !op.fs)
        return;
    struct inode *to_dir = inode_of(op.m->inodes, new_parent);
    const char *to = inode_path(op.m->inodes, op.m->root, to_dir, new_name, &op.arena);
    size_t len = op.path ? strlen(op.path) : 0;
    if (rc == 0 && !to)
        rc = err_set(&op.err, ERR_NOT_FOUND, "the new directory was removed");
    if (rc == 0)
        rc = mount_check_name(op.m, new_name, &op.err);
    if (rc == 0 && (flags & ~(unsigned)RENAME_NOREPLACE))
        rc = err_set(&op.err, ERR_ILLEGAL_ARGUMENT, "exchanging two names is not possible");
    if (rc == 0 && strncmp(to, op.path, len) == 0 && to[len] == '/')
        rc = err_set(&op.err, ERR_ILLEGAL_ARGUMENT, "a directory cannot go below itself");
    if (rc == 0 && strcmp(op.path, to) != 0)
        rc = rename_to(&op, to_dir, new_name, to, flags);
    if (rc < 0) {
        mount_fail(req, "rename", op.path ? op.path : name, &op.err);
    } else {
        inode_renamed(op.m->inodes, inode_of(op.m->inodes, parent), name, to_dir, new_name);
        fuse_reply_err(req, 0);
    }
    name_op_end(&op);
}

/* ---- listing ---- */

/* Offsets are positions: 0 is ".", 1 is "..", then the names in order. One page is held; going back starts again. */
struct listing {
    struct open_handle handle;
    pthread_mutex_t lock;
    struct dfs *fs;
    struct arena arena; /* of the page */
    struct dfs_listing page;
    off_t page_start; /* position of its first entry */
    bool loaded;
    bool begun;       /* names were asked for */
    int64_t since_ms; /* when it was opened */
};

static void listing_end(struct mount *m, struct open_handle *h)
{
    struct listing *l = (struct listing *)h;
    open_handles_remove(&m->handles, h);
    dfs_unref(l->fs);
    arena_free(&l->arena);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    listing_end(mount_of(req), (struct open_handle *)(uintptr_t)fi->fh);
    fuse_reply_err(req, 0);
}

static int listing_load(struct listing *l, struct mount *m, fuse_ino_t ino, const char *after, off_t start,
                        struct err *reterr)
{
    struct arena fresh;
    struct dfs_listing page;
    arena_init(&fresh, LISTING_ARENA_BYTES);
    const char *path = inode_path(m->inodes, m->root, inode_of(m->inodes, ino), NULL, &fresh);
    int rc = 0;
    if (!path)
        page = (struct dfs_listing){0}; /* a removed directory is empty */
    else
        rc = dfs_list(l->fs, path, after, false, &fresh, &page, reterr);
    if (rc < 0) {
        arena_free(&fresh);
        return rc;
    }
    arena_free(&l->arena); /* `after` may have lived in it */
    l->arena = fresh;
    l->page = page;
    l->page_start = start;
    l->loaded = true;
    return 0;
}

/* The first names come with it: it costs no more than asking whether the user may have them. */
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct mount *m = mount_of(req);
    struct dfs *fs;
    struct err err = {0};
    if (mount_dfs(req, &fs) < 0)
        return;
    struct listing *l = mem_new(struct listing);
    pthread_mutex_init(&l->lock, NULL);
    l->fs = fs;
    l->since_ms = clock_mono_ms();
    arena_init(&l->arena, LISTING_ARENA_BYTES);
    fi->fh = (uint64_t)(uintptr_t)l;
    open_handles_add(&m->handles, &l->handle, listing_end);
    int rc = listing_load(l, m, ino, NULL, 2, &err);
    if (rc < 0)
        mount_fail(req, "opendir", "", &err);
    if (rc < 0 || fuse_reply_open(req, fi) < 0) /* the caller was interrupted: nobody will close it */
        listing_end(m, &l->handle);
}

/* The entry at a position, or NULL at the end. */
static int listing_at(struct listing *l, struct mount *m, fuse_ino_t ino, off_t position, const struct dfs_status **ret,
                      struct err *reterr)
{
    int rc = 0;
    if (!l->loaded || position < l->page_start)
        rc = listing_load(l, m, ino, NULL, 2, reterr);
    while (rc == 0 && position >= l->page_start + (off_t)l->page.count && l->page.remaining && l->page.count)
        rc = listing_load(l, m, ino, l->page.entries[l->page.count - 1].name, l->page_start + (off_t)l->page.count,
                          reterr);
    if (rc < 0)
        return rc;
    off_t index = position - l->page_start;
    *ret = index >= 0 && index < (off_t)l->page.count ? &l->page.entries[index] : NULL;
    return 0;
}

/* Adds one entry; returns the bytes it takes (more than fit = not added). */
static size_t listing_add(fuse_req_t req, struct mount *m, fuse_ino_t ino, const struct dfs_status *status,
                          const char *name, off_t next, bool plus, char *to, size_t room)
{
    struct fuse_entry_param entry = {.attr = {.st_ino = ino, .st_mode = S_IFDIR}};
    if (!status) /* "." and ".." have no lookup count */
        return plus ? fuse_add_direntry_plus(req, to, room, name, &entry, next)
                    : fuse_add_direntry(req, to, room, name, &entry.attr, next);
    if (!plus) {
        entry.attr.st_ino = status->file_id;
        entry.attr.st_mode = status->type == DFS_DIR ? S_IFDIR : status->type == DFS_SYMLINK ? S_IFLNK : S_IFREG;
        return fuse_add_direntry(req, to, room, name, &entry.attr, next);
    }
    size_t need = fuse_add_direntry_plus(req, NULL, 0, name, &entry, next);
    if (need > room)
        return need;
    struct inode *inode = inode_lookup(m->inodes, inode_of(m->inodes, ino), name, status->file_id);
    entry.ino = inode_number(m->inodes, inode);
    entry.attr_timeout = entry.entry_timeout = m->cache_timeout_s;
    mount_stat(m, inode, status, &entry.attr);
    return fuse_add_direntry_plus(req, to, room, name, &entry, next);
}

static void list_directory(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi,
                           bool plus)
{
    struct mount *m = mount_of(req);
    struct listing *l = (struct listing *)(uintptr_t)fi->fh;
    struct err err = {0};
    AUTO(mem_freep) char *bytes = mem_alloc(size);
    size_t used = 0;
    int rc = 0;
    pthread_mutex_lock(&l->lock);
    bool is_old = (double)(clock_mono_ms() - l->since_ms) > m->cache_timeout_s * 1000;
    if (offset == 0 && (l->begun || is_old))
        l->loaded = false; /* rewinddir(3) sees what is there now */
    l->begun = true;
    for (off_t position = offset;; position++) {
        const struct dfs_status *status = NULL;
        if (position >= 2)
            rc = listing_at(l, m, ino, position, &status, &err);
        if (rc < 0 || (position >= 2 && !status))
            break;
        bool has_room = !status || strlen(status->name) <= NAME_MAX; /* programs have no more */
        if (status && (is_hidden(status->name) || !has_room))
            continue;
        const char *name = position == 0 ? "." : position == 1 ? ".." : status->name;
        size_t n = listing_add(req, m, ino, status, name, position + 1, plus, bytes + used, size - used);
        if (n > size - used)
            break;
        used += n;
    }
    pthread_mutex_unlock(&l->lock);
    if (rc < 0 && used == 0)
        mount_fail(req, "readdir", "", &err);
    else
        fuse_reply_buf(req, bytes, used);
}

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    list_directory(req, ino, size, offset, fi, false);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
    list_directory(req, ino, size, offset, fi, true);
}

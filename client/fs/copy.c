#include "client/fs/copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/fs/copy_pool.h"
#include "client/fs/half_written.h"
#include "client/lib/dfs_path.h"
#include "common/mem.h"

#define COPY_BUFFER_BYTES  (1 << 20)
#define STATUS_ARENA_BYTES (64 << 20)

static struct copy *copy_of(struct walk *w)
{
    return w->context;
}

int copy_target(struct copy *c, const struct item *src, struct arena *a, struct item *ret, struct err *reterr)
{
    bool below = c->walk.depth > 0 || item_is_dir(&c->dst) || item_names_directory(&c->dst);
    if (below)
        return item_child_lookup(&c->dst, dfs_path_name(src->path), a, ret, reterr);
    *ret = c->dst;
    return 0;
}

static int are_identical(const struct item *src, const struct item *target, struct err *reterr)
{
    AUTO_ARENA(a, 1 << 20);
    return err_set(reterr, ERR_EXISTS, "`%s' to `%s': are identical", src->text, item_qualified(target, &a));
}

/* By whatever name. */
static bool is_same_file(const struct item *a, const struct item *b)
{
    const struct dfs_status *x = &a->status, *y = &b->status;
    return a->exists && b->exists && a->fs == b->fs &&
           (!strcmp(a->path, b->path) ||
            (x->file_id && x->file_id == y->file_id && x->length == y->length && x->mtime_ms == y->mtime_ms));
}

/* A directory must not go onto or into itself. */
static int copy_argument(struct walk *w, struct item *src, struct err *reterr)
{
    struct copy *c = copy_of(w);
    if (src->status.type == DFS_DIR && src->fs == c->dst.fs) {
        AUTO(arena_free) struct arena a;
        arena_init(&a, STATUS_ARENA_BYTES);
        struct item target;
        int rc = copy_target(c, src, &a, &target, reterr);
        if (rc < 0)
            return rc;
        size_t len = strlen(src->path);
        if (!strcmp(target.path, src->path))
            return are_identical(src, &target, reterr);
        if (!strncmp(target.path, src->path, len) && (src->path[len - 1] == '/' || target.path[len] == '/'))
            return err_set(reterr, ERR_INVALID_PATH, "`%s' to `%s': is a subdirectory of itself", src->text,
                           target.text);
    }
    return walk_group(w, NULL, src, 1, reterr);
}

static int copy_each(struct walk *w, struct item *src, struct err *reterr)
{
    struct copy *c = copy_of(w);
    AUTO(arena_free) struct arena a;
    arena_init(&a, STATUS_ARENA_BYTES);
    struct item target;
    int rc = copy_target(c, src, &a, &target, reterr);
    return rc < 0 ? rc : c->on_pair(c, src, &target, reterr);
}

static int copy_acl(const struct item *src, const struct item *target, struct err *reterr)
{
    AUTO(arena_free) struct arena a;
    struct dfs_acl acl, all;
    arena_init(&a, STATUS_ARENA_BYTES);
    if (!(src->status.flags & 1) || !src->fs->ops->get_acl)
        return 0;
    if (!target->fs->ops->change_acl)
        return path_error(reterr, ERR_UNSUPPORTED, target->text, "this file system has no access control lists");
    int rc = src->fs->ops->get_acl(src->fs, src->path, &a, &acl, reterr);
    if (rc < 0)
        return rc;
    dfs_acl_complete(src->status.mode, &acl, &a, &all);
    return target->fs->ops->change_acl(target->fs, target->path, DFS_ACL_SET, all.entries, all.count, reterr);
}

static bool is_raw(const char *path)
{
    return !strncmp(path, "/.reserved/raw", 14) && (!path[14] || path[14] == '/');
}

/* raw. attributes go along exactly if both ends are below /.reserved/raw. */
static int copy_xattrs(struct copy *c, const struct item *src, const struct item *target, struct err *reterr)
{
    AUTO(arena_free) struct arena a;
    struct dfs_xattr *list;
    size_t count;
    arena_init(&a, STATUS_ARENA_BYTES);
    bool keep_raw = is_raw(src->path) && is_raw(target->path);
    if (!c->keep_xattrs && !keep_raw)
        return 0;
    if (!src->fs->ops->get_xattrs || !target->fs->ops->set_xattr)
        return path_error(reterr, ERR_UNSUPPORTED, src->text, "this file system has no extended attributes");
    int rc = src->fs->ops->get_xattrs(src->fs, src->path, NULL, &a, &list, &count, reterr);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (c->keep_xattrs || !strncmp(list[i].name, "raw.", 4))
            rc = target->fs->ops->set_xattr(target->fs, target->path, &list[i], reterr);
    return rc;
}

static int copy_attributes(struct copy *c, const struct item *src, const struct item *target, struct err *reterr)
{
    const struct dfs_status *st = &src->status;
    int rc = 0;
    if (c->keep_times)
        rc = target->fs->ops->set_times(target->fs, target->path, st->mtime_ms, st->atime_ms, reterr);
    if (rc == 0 && c->keep_owner)
        rc = target->fs->ops->set_owner(target->fs, target->path, st->owner, st->group, reterr);
    if (rc == 0 && (c->keep_permission || c->keep_acl))
        rc = target->fs->ops->set_permission(target->fs, target->path, st->mode, reterr);
    if (rc == 0 && c->keep_acl)
        rc = copy_acl(src, target, reterr);
    return rc == 0 ? copy_xattrs(c, src, target, reterr) : rc;
}

static int copy_descend_into(struct copy *c, struct item *src, struct arena *a, struct err *reterr)
{
    struct item *dst = &c->dst;
    if (dst->exists && dst->status.type != DFS_DIR)
        return path_error(reterr, ERR_NOT_DIR, dst->text, "Is not a directory");
    if (!dst->exists) {
        uint16_t mode;
        int rc = shell_fs_mode(dst->fs, 0777, &mode, reterr);
        if (rc < 0 || (rc = dst->fs->ops->mkdirs(dst->fs, dst->path, mode, reterr)) < 0 ||
            (rc = item_refresh(dst, a, reterr)) < 0)
            return rc;
    }
    int rc = walk_children(&c->walk, src, reterr);
    if (rc < 0)
        return rc;
    /* Files still being copied into it would move its time, and it may be closed to them from now on. */
    if (c->pool && (c->keep_times || c->keep_owner || c->keep_permission || c->keep_acl))
        copy_pool_wait(c->pool);
    return copy_attributes(c, src, dst, reterr);
}

static int copy_descend(struct walk *w, struct item *src, struct err *reterr)
{
    struct copy *c = copy_of(w);
    AUTO(arena_free) struct arena a;
    arena_init(&a, STATUS_ARENA_BYTES);
    struct item saved = c->dst, target;
    int rc = copy_target(c, src, &a, &target, reterr);
    if (rc < 0)
        return rc;
    c->dst = target;
    rc = copy_descend_into(c, src, &a, reterr);
    c->dst = saved;
    return rc;
}

int copy_bytes(struct source *in, struct sink *out, struct progress *p, struct err *reterr)
{
    AUTO(mem_freep) char *buffer = mem_alloc(COPY_BUFFER_BYTES);
    for (;;) {
        size_t n;
        int rc = in->read(in, buffer, COPY_BUFFER_BYTES, &n, reterr);
        if (rc < 0 || n == 0)
            return rc;
        rc = out->write(out, buffer, n, reterr);
        if (rc < 0)
            return rc;
        progress_add(p, (int64_t)n);
    }
}

static void temporary_remove(const struct item *temp)
{
    bool done;
    struct err ignored; /* the first failure is the one to tell */
    (void)temp->fs->ops->remove(temp->fs, temp->path, false, &done, &ignored);
}

static int temporary_rename(const struct item *temp, const struct item *target, struct err *reterr)
{
    bool done = true;
    int rc = 0;
    if (target->exists && temp->fs == target->fs && target->fs->ops->replace)
        return target->fs->ops->replace(target->fs, temp->path, target->path, reterr);
    if (target->exists) {
        rc = target->fs->ops->remove(target->fs, target->path, false, &done, reterr);
        if (rc == 0 && !done)
            return err_set(reterr, ERR_IO, "delete `%s': Input/output error", target->text);
    }
    if (rc == 0)
        rc = temp->fs->ops->rename(temp->fs, temp->path, target->path, &done, reterr);
    if (rc == 0 && !done)
        return err_set(reterr, ERR_IO, "rename `%s' to `%s': Input/output error", temp->text, target->text);
    return rc;
}

/* Closes or aborts `out`. */
static int copy_into(struct copy *c, struct source *in, const char *name, int64_t length, struct sink *out,
                     struct err *reterr)
{
    progress_expect(c->progress, name, length);
    int rc = copy_bytes(in, out, c->progress, reterr);
    if (rc == 0)
        return out->close(out, reterr);
    out->abort(out);
    return rc;
}

int copy_stream(struct copy *c, struct source *in, const char *name, int64_t length, struct item *target,
                struct err *reterr)
{
    if (target->exists && (target->status.type == DFS_DIR || !c->overwrite))
        return path_error(reterr, ERR_EXISTS, target->text, "File exists");
    AUTO(arena_free) struct arena a;
    arena_init(&a, 1 << 20);
    struct item temp = c->direct ? *target : item_suffixed(target, "._COPYING_", &a);
    struct sink_options how = {.overwrite = true, .side_file = c->side_files, .lazy = c->lazy};
    struct half_written half = {.fs = temp.fs, .path = temp.path};
    struct sink *out;
    if (!c->direct)
        half_written_begin(c->walk.sh, &half);
    int rc = temp.fs->ops->create(temp.fs, temp.path, &how, &out, reterr);
    if (rc == 0) {
        rc = copy_into(c, in, name, length, out, reterr);
        if (rc == 0 && !c->direct)
            rc = temporary_rename(&temp, target, reterr);
        if (rc < 0 && !c->direct)
            temporary_remove(&temp);
    }
    if (!c->direct)
        half_written_end(&half);
    return rc;
}

/* Runs on the command's thread or on one of the pool's. */
static int copy_file(struct copy *c, const struct item *src, struct item *target, struct err *reterr)
{
    struct source *in;
    if (c->direct && is_same_file(src, target)) /* it would be empty before it is read */
        return are_identical(src, target, reterr);
    int rc = src->fs->ops->open(src->fs, src->path, &in, reterr);
    if (rc < 0)
        return rc;
    rc = copy_stream(c, in, dfs_path_name(src->path), src->status.length, target, reterr);
    in->close(in);
    return rc < 0 ? rc : copy_attributes(c, src, target, reterr);
}

static void copy_job(struct item *src, struct item *target, void *arg)
{
    struct copy *c = arg;
    struct err e;
    if (copy_file(c, src, target, &e) < 0)
        shell_report(c->walk.sh, &e);
}

int copy_path(struct copy *c, struct item *src, struct item *target, struct err *reterr)
{
    if (src->status.type == DFS_SYMLINK)
        return path_error(reterr, ERR_UNSUPPORTED, src->text, "Operation not supported");
    if (src->status.type == DFS_DIR)
        return c->walk.recursive ? 0 : path_error(reterr, ERR_IS_DIR, src->text, "Is a directory");
    if (!c->pool)
        return copy_file(c, src, target, reterr);
    copy_pool_add(c->pool, src, target);
    return 0;
}

void copy_init(struct copy *c, struct shell *sh)
{
    *c = (struct copy){
        .walk =
            {.sh = sh, .context = c, .on_argument = copy_argument, .on_path = copy_each, .on_descend = copy_descend},
        .on_pair = copy_path,
        .threads = 1,
    };
}

int copy_destination(struct copy *c, struct args *args, struct err *reterr)
{
    struct shell *sh = c->walk.sh;
    if (args->count < 2)
        return item_lookup(sh, ".", &sh->arena, &c->dst, reterr);
    const char *text = args->v[--args->count];
    struct item *found;
    size_t count;
    int rc = item_glob(sh, text, &sh->arena, &found, &count, reterr);
    if (rc < 0)
        return rc;
    if (count > 1)
        return path_error(reterr, ERR_INVALID_PATH, text, "Too many matches");
    c->dst = found[0];
    return 0;
}

int copy_local_destination(struct copy *c, struct args *args, struct err *reterr)
{
    const char *text = args->count < 2 ? "." : args->v[--args->count];
    return item_lookup_local(c->walk.sh, text, &c->walk.sh->arena, &c->dst, reterr);
}

static int destination_check(struct copy *c, size_t count, struct err *reterr)
{
    const struct item *dst = &c->dst;
    if (count > 1) {
        if (!dst->exists)
            return path_not_found(reterr, dst->text);
        return dst->status.type == DFS_DIR ? 0 : path_error(reterr, ERR_NOT_DIR, dst->text, "Is not a directory");
    }
    if (dst->exists)
        return dst->status.type == DFS_DIR || c->overwrite ? 0
                                                           : path_error(reterr, ERR_EXISTS, dst->text, "File exists");
    bool there;
    int rc = item_parent_exists(dst, &there, reterr);
    if (rc < 0 || there)
        return rc;
    return err_set(reterr, ERR_NOT_FOUND, "`%s': No such file or directory: `%s'", dst->text,
                   item_qualified(dst, &c->walk.sh->arena));
}

int copy_run(struct copy *c, struct item *sources, size_t count, struct err *reterr)
{
    int rc = destination_check(c, count, reterr);
    if (rc < 0)
        return rc;
    if (c->threads > 1 && (count > 1 || (count == 1 && item_is_dir(&sources[0]))))
        c->pool = copy_pool_start(c->threads, copy_job, c);
    rc = walk_items(&c->walk, sources, count, reterr);
    copy_pool_stop(c->pool);
    c->pool = NULL;
    return rc;
}

int copy_threads(struct shell *sh, const char *text, int *ret, struct err *reterr)
{
    if (!text)
        return 0;
    long long n;
    struct err why;
    if (parse_number(text, INT32_MIN, INT32_MAX, &n, &why) < 0)
        return shell_misuse(sh, reterr, "%s", why.text);
    *ret = n < 1 ? 1 : n > COPY_THREADS_MAX ? COPY_THREADS_MAX : (int)n;
    return 0;
}

/* ---- standard input ---- */

static int stdin_read(struct source *s, void *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    ssize_t n;
    do
        n = read(STDIN_FILENO, bytes, len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(reterr, errno, "read standard input");
    *ret_read = (size_t)n;
    return 0;
}

static int stdin_seek(struct source *s, int64_t offset, struct err *reterr)
{
    return err_set(reterr, ERR_UNSUPPORTED, "standard input cannot seek");
}

static void stdin_close(struct source *s)
{
}

struct source *source_stdin(void)
{
    static struct source in = {stdin_read, stdin_seek, stdin_close};
    return &in;
}

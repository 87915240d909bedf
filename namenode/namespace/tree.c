#include "namenode/namespace/tree.h"

#include "namenode/namespace/links.h"
#include "namenode/namespace/protected.h"
#include "namenode/namespace/snapshots.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 20000

/* ---- making ---- */

static int check_room(const struct fsdir *dir, const struct inode *parent, const char *path, struct err *reterr)
{
    if (parent->child_count < dir->limits.children)
        return 0;
    return err_set(reterr, ERR_DIR_FULL, "The directory item limit of %s is exceeded: limit=%zu items=%llu", path,
                   dir->limits.children, (unsigned long long)parent->child_count + 1);
}

/* The nearest existing ancestor of p's target. */
static size_t ancestor_index(const struct path *p)
{
    return p->found > p->count ? p->count - 1 : p->found - 1;
}

int tree_check_ancestor(struct txn *t, const struct fs_user *u, const struct path *p, struct err *reterr)
{
    if (!p->count)
        return 0; /* the root has none */
    size_t i = ancestor_index(p);
    return access_check(u, p->inodes[i], ACCESS_WRITE, u->is_super ? "" : path_prefix(t, p, i), reterr);
}

/* One new directory in p->inodes[index], named p->names[index]; p then has it too. */
static int make_directory(struct txn *t, const struct fs_user *u, struct path *p, size_t index, struct create_mode mode,
                          struct err *reterr)
{
    struct inode *parent = p->inodes[index];
    int rc = check_room(t->dir, parent, path_prefix(t, p, index), reterr);
    if (rc)
        return rc;
    struct inode *made = txn_new_inode(t, INODE_DIRECTORY, mode.masked, u->name, parent->group);
    acl_inherit(t->dir, parent, made, mode, &t->arena);
    made->mode |= parent->mode & S_ISGID;
    txn_link(t, parent, p->names[index], made);
    p->inodes[index + 1] = made;
    p->found = index + 2;
    return 0;
}

/* Whoever makes a directory on the way can go on below it. */
static struct create_mode on_the_way(struct create_mode mode)
{
    mode.masked = (mode.masked & 0777) | 0300;
    return mode;
}

int tree_check_parent(struct txn *t, const struct path *p, size_t parents_made_max, struct err *reterr)
{
    if (!p->count || path_parent(p) || p->count - p->found <= parents_made_max)
        return 0;
    return err_set(reterr, ERR_NOT_FOUND, "Parent directory doesn't exist: %s", path_prefix(t, p, p->count - 1));
}

int tree_mkdirs_as(struct txn *t, const struct fs_user *u, const char *text, struct create_mode mode,
                   bool create_parent, struct err *reterr)
{
    struct path p;
    int rc = path_check_new(t->dir, text, "mkdirs", reterr);
    rc = rc ? rc : path_resolve(t, u, text, PATH_CREATE | PATH_MAY_MISS, &p, reterr);
    if (rc)
        return rc;
    struct inode *target = path_target(&p);
    if (target)
        return inode_is_dir(target) ? 0 : err_set(reterr, ERR_EXISTS, "Path is not a directory: %s", p.text);
    rc = tree_check_ancestor(t, u, &p, reterr);
    rc = rc ? rc : tree_check_parent(t, &p, create_parent ? PARENTS_ANY : 0, reterr);
    if (rc)
        return rc;
    while (p.found <= p.count) {
        size_t at = p.found - 1;
        rc = make_directory(t, u, &p, at, at + 1 < p.count ? on_the_way(mode) : mode, reterr);
        if (rc)
            return rc;
    }
    return 0;
}

int tree_make_parents(struct txn *t, const struct fs_user *u, struct path *p, struct inode **ret_parent,
                      struct err *reterr)
{
    while (p->found < p->count) {
        struct create_mode mode = {.masked = p->inodes[p->found - 1]->mode};
        int rc = make_directory(t, u, p, p->found - 1, on_the_way(mode), reterr);
        if (rc)
            return rc;
    }
    struct inode *parent = path_parent(p);
    *ret_parent = parent;
    return path_target(p) ? 0 : check_room(t->dir, parent, path_prefix(t, p, p->count - 1), reterr);
}

int tree_symlink(struct txn *t, const struct fs_user *u, const char *target, const char *link, bool create_parent,
                 struct err *reterr)
{
    struct path p;
    struct inode *parent = NULL;
    int rc = path_check_new(t->dir, link, "createSymlink", reterr);
    bool is_reserved = !strncmp(target, "/.reserved", 10) && (!target[10] || target[10] == '/');
    if (!rc && (!*target || is_reserved || path_length(target) > t->dir->limits.path_chars))
        rc = err_set(reterr, ERR_INVALID_PATH, "Invalid target name: %.100s", target);
    rc = rc ? rc : path_resolve(t, u, link, PATH_CREATE | PATH_MAY_MISS | PATH_NO_FOLLOW, &p, reterr);
    if (rc)
        return rc;
    rc = tree_check_parent(t, &p, create_parent ? PARENTS_ANY : 0, reterr);
    if (!rc && (path_target(&p) || !p.count))
        rc = err_set(reterr, ERR_IO,
                     "failed to create link %s either because the filename is invalid or the file exists", p.text);
    rc = rc ? rc : tree_check_ancestor(t, u, &p, reterr);
    rc = rc ? rc : tree_make_parents(t, u, &p, &parent, reterr);
    if (rc)
        return rc;
    struct inode *n = txn_new_inode(t, INODE_SYMLINK, 0777, u->name, parent->group);
    n->target = arena_strdup(&t->arena, target);
    txn_link(t, parent, path_name(&p), n);
    return 0;
}

/* ---- removing ---- */

/* Asked before whether there is anything: who may not remove it need not know. */
static int check_remove(struct txn *t, const struct fs_user *u, const struct path *p, struct err *reterr)
{
    if (u->is_super || !path_parent(p))
        return 0;
    const char *parent_text = path_prefix(t, p, p->count - 1);
    int rc = access_check(u, path_parent(p), ACCESS_WRITE, parent_text, reterr);
    return rc || !path_target(p) ? rc : access_check_sticky(u, path_parent(p), path_target(p), p->text, reterr);
}

int tree_delete(struct txn *t, const struct fs_user *u, const char *text, bool recursive, bool *ret_deleted,
                struct err *reterr)
{
    struct path p;
    int rc = path_resolve(t, u, text, PATH_NO_FOLLOW | PATH_MAY_MISS, &p, reterr);
    if (rc)
        return rc;
    struct inode *target = path_target(&p);
    *ret_deleted = false;
    rc = check_remove(t, u, &p, reterr);
    if (rc || !target)
        return rc;
    if (inode_is_dir(target) && target->child_count && !recursive)
        return err_set(reterr, ERR_NOT_EMPTY, "`%s is non empty': Directory is not empty", p.text);
    if (!p.count)
        return 0; /* the root stays */
    rc = protected_check(t, &p, reterr);
    rc = rc ? rc : snapshot_check_removal(t, target, NULL, reterr);
    rc = rc ? rc : snapshot_forget_below(t, target, reterr);
    if (rc)
        return rc;
    rc = txn_unlink(t, path_parent(&p), path_name(&p), target, reterr);
    if (rc)
        return rc;
    txn_discard(t, target);
    *ret_deleted = true;
    return 0;
}

static int check_sticky_below(struct txn *t, const struct fs_user *u, const struct inode *parent, struct inode *child,
                              struct err *reterr)
{
    int rc = access_check_sticky(u, parent, child, child->name, reterr);
    const char *where = NULL;
    return rc && !txn_path(t, child, &where, NULL) ? access_check_sticky(u, parent, child, where, reterr) : rc;
}

/* Depth first with an explicit stack of inode numbers; memory is bounded by the widest level's directories. */
static int check_subtree(struct txn *t, const struct fs_user *u, struct inode *top, const char *path,
                         struct err *reterr)
{
    AUTO(buf_free) struct buf stack = {0};
    buf_append(&stack, &top->id, sizeof top->id);
    while (stack.len) {
        uint64_t id;
        stack.len -= sizeof id;
        memcpy(&id, stack.base + stack.len, sizeof id);
        txn_reset(t);
        struct inode *n = NULL;
        int rc = txn_inode(t, id, &n, reterr);
        if (rc)
            return rc;
        if (!n->child_count)
            continue;
        if (!access_allowed(u, n, ACCESS_ALL)) {
            const char *where = path;
            if (txn_path(t, n, &where, NULL))
                where = path; /* the top's will do */
            return access_check(u, n, ACCESS_ALL, where, reterr);
        }
        bool is_sticky = n->mode & 01000;
        uint64_t left = is_sticky ? n->child_count : n->subdir_count;
        if (!left)
            continue;
        struct dir_iter d;
        dir_iter_open(&d, t, n, "", 0);
        while (left && dir_iter_next(&d)) {
            struct inode *child = NULL;
            if (txn_reset_if_large(t))
                rc = txn_inode(t, id, &n, reterr);
            rc = rc ? rc : txn_inode(t, d.child, &child, reterr);
            if (!rc && is_sticky)
                rc = check_sticky_below(t, u, n, child, reterr);
            if (rc)
                break;
            if (inode_is_dir(child))
                buf_append(&stack, &child->id, sizeof child->id);
            left -= is_sticky || inode_is_dir(child);
        }
        int close_rc = dir_iter_close(&d, reterr);
        if (rc || close_rc)
            return rc ? rc : close_rc;
    }
    return 0;
}

int tree_check_delete(struct fsdir *dir, const struct fs_user *u, const char *text, struct err *reterr)
{
    if (u->is_super)
        return 0;
    struct txn t;
    struct path p;
    txn_begin_snapshot(&t, dir);
    int rc = path_resolve(&t, u, text, PATH_NO_FOLLOW | PATH_MAY_MISS, &p, reterr);
    struct inode *target = rc ? NULL : path_target(&p);
    rc = rc ? rc : check_remove(&t, u, &p, reterr);
    if (!rc && target && inode_is_dir(target)) {
        struct inode top = {.id = target->id};
        char *path = strdup(p.text);
        rc = check_subtree(&t, u, &top, path ? path : "", reterr);
        free(path);
    }
    txn_end(&t);
    return rc;
}

static uint64_t target_id(struct txn *t, const struct fs_user *u, const char *text)
{
    struct path p;
    int rc = path_resolve(t, u, text, PATH_NO_FOLLOW | PATH_MAY_MISS, &p, NULL);
    return !rc && path_target(&p) ? path_target(&p)->id : 0;
}

void tree_delete_watch_begin(struct txn *t, const struct fs_user *u, const char *path, struct delete_watch *w)
{
    *w = (struct delete_watch){.top = target_id(t, u, path), .next = t->dir->delete_watches};
    t->dir->delete_watches = w;
}

bool tree_delete_watch_holds(struct txn *t, const struct fs_user *u, const char *path, const struct delete_watch *w)
{
    return !w->is_disturbed && target_id(t, u, path) == w->top;
}

void tree_delete_watch_end(struct fsdir *dir, struct delete_watch *w)
{
    struct delete_watch **at = &dir->delete_watches;
    while (*at && *at != w)
        at = &(*at)->next;
    if (*at)
        *at = w->next;
}

void tree_moves_below(struct txn *t, struct inode *parent, const struct inode *n)
{
    if (!t->dir->delete_watches || !n->child_count)
        return;
    for (size_t depth = 0; depth < DEPTH_MAX; depth++) {
        for (struct delete_watch *w = t->dir->delete_watches; w; w = w->next)
            w->is_disturbed = w->is_disturbed || parent->id == w->top;
        if (parent->id == INODE_ROOT || txn_inode(t, parent->parent, &parent, NULL))
            return;
    }
}

/* ---- renaming ---- */

static void disturb_watches(struct txn *t, const struct path *to)
{
    for (struct delete_watch *w = t->dir->delete_watches; w; w = w->next)
        for (size_t i = 0; i < to->found; i++)
            w->is_disturbed = w->is_disturbed || to->inodes[i]->id == w->top;
}

/* Moves the target of `from` to be `name` in `to_parent`, which is on the way to `to` or there; from and to share a
 * txn, so parents are one object. */
static int move(struct txn *t, struct path *from, const struct path *to, struct inode *to_parent, const char *name,
                struct err *reterr)
{
    struct inode *n = path_target(from);
    struct entry here = {path_parent(from), path_name(from), n}, there = {to_parent, name, n};
    if (n->child_count)
        disturb_watches(t, to);
    return txn_move(t, &here, &there, reterr);
}

static bool is_below(const struct path *p, const struct inode *top)
{
    for (size_t i = 0; inode_is_dir(top) && i < p->found; i++)
        if (p->inodes[i] == top)
            return true;
    return false;
}

static int resolve_both(struct txn *t, const struct fs_user *u, const char *from, const char *to, struct path *ret_from,
                        struct path *ret_to, struct err *reterr)
{
    int rc = path_check_new(t->dir, to, "rename", reterr);
    rc = rc ? rc : path_resolve(t, u, from, PATH_NO_FOLLOW | PATH_MAY_MISS, ret_from, reterr);
    return rc ? rc : path_resolve(t, u, to, PATH_NO_FOLLOW | PATH_MAY_MISS | PATH_CREATE, ret_to, reterr);
}

/* Something new is to be put into it. */
static int check_enter(const struct fs_user *u, const struct inode *dir, const char *path, struct err *reterr)
{
    int rc = access_check(u, dir, ACCESS_EXECUTE, path, reterr);
    return rc ? rc : access_check(u, dir, ACCESS_WRITE, path, reterr);
}

int tree_rename(struct txn *t, const struct fs_user *u, const char *from_text, const char *to_text, bool *ret_done,
                struct err *reterr)
{
    struct path from, to;
    int rc = resolve_both(t, u, from_text, to_text, &from, &to, reterr);
    if (rc)
        return rc;
    *ret_done = false;
    struct inode *n = path_target(&from), *there = path_target(&to);
    struct inode *to_parent = path_parent(&to);
    const char *name = path_name(&to);
    size_t parent_index = to.count ? to.count - 1 : 0;
    bool goes_into = there && inode_is_dir(there), has_snapshottable = false;
    rc = protected_check(t, &from, reterr);
    rc = rc ? rc : check_remove(t, u, &from, reterr);
    rc = rc ? rc : goes_into ? check_enter(u, there, to.text, reterr) : tree_check_ancestor(t, u, &to, reterr);
    if (rc || !n || !from.count)
        return rc;
    if (goes_into) {
        to_parent = there;
        parent_index = to.count;
        name = path_name(&from);
        rc = txn_child(t, there, name, &there, reterr);
    }
    rc = rc ? rc : snapshot_check_removal(t, n, &has_snapshottable, reterr);
    if (rc)
        return rc;
    bool is_same_name = to_parent == path_parent(&from) && !strcmp(name, path_name(&from));
    if (there == n && is_same_name) {
        *ret_done = true; /* to itself */
        return 0;
    }
    bool link_to_itself = n->type == INODE_SYMLINK && !strcmp(n->target, to.text);
    if (there || !to_parent || !inode_is_dir(to_parent) || is_below(&to, n) || link_to_itself)
        return 0;
    if (to_parent != path_parent(&from))
        rc = check_room(t->dir, to_parent, path_prefix(t, &to, parent_index), reterr);
    if (!rc && has_snapshottable)
        rc = snapshot_check_nesting(t, to_parent, from.text, reterr);
    if (rc)
        return rc;
    rc = move(t, &from, &to, to_parent, name, reterr);
    *ret_done = !rc;
    return rc;
}

static int rename2_check(struct txn *t, const struct path *from, const struct path *to, bool overwrite,
                         struct err *reterr)
{
    struct inode *n = path_target(from), *there = path_target(to), *to_parent = path_parent(to);
    if (!n)
        return err_set(reterr, ERR_NOT_FOUND, "rename source %s is not found.", from->text);
    if (!from->count)
        return err_set(reterr, ERR_IO, "rename source cannot be the root");
    bool has_snapshottable = false;
    int rc = snapshot_check_removal(t, n, &has_snapshottable, reterr);
    if (rc)
        return rc;
    if (!strcmp(from->text, to->text))
        return err_set(reterr, ERR_EXISTS, "The source %s and destination %s are the same", from->text, to->text);
    if (n->type == INODE_SYMLINK && !strcmp(n->target, to->text))
        return err_set(reterr, ERR_EXISTS, "Cannot rename symlink %s to its target %s", from->text, to->text);
    if (is_below(to, n))
        return err_set(reterr, ERR_IO, "Rename destination %s is a directory or file under source %s", to->text,
                       from->text);
    if (!to->count)
        return err_set(reterr, ERR_IO, "rename destination cannot be the root");
    if (there && inode_is_dir(there) != inode_is_dir(n))
        return err_set(reterr, ERR_IO, "Source %s and destination %s must both be directories", from->text, to->text);
    if (there && !overwrite)
        return err_set(reterr, ERR_EXISTS, "rename destination %s already exists", to->text);
    if (there && inode_is_dir(there) && there->child_count)
        return err_set(reterr, ERR_IO, "rename destination directory is not empty: %s", to->text);
    if (!to_parent)
        return err_set(reterr, ERR_NOT_FOUND, "rename destination parent %s not found.", to->text);
    rc = has_snapshottable ? snapshot_check_nesting(t, to_parent, from->text, reterr) : 0;
    if (!rc && there)
        rc = snapshot_check_removal(t, there, NULL, reterr);
    if (!rc && there)
        rc = snapshot_forget_below(t, there, reterr);
    if (rc)
        return rc;
    if (!there && to_parent != path_parent(from))
        return check_room(t->dir, to_parent, path_prefix(t, to, to->count - 1), reterr);
    return 0;
}

int tree_rename2(struct txn *t, const struct fs_user *u, const char *from_text, const char *to_text, bool overwrite,
                 struct err *reterr)
{
    struct path from, to;
    int rc = resolve_both(t, u, from_text, to_text, &from, &to, reterr);
    rc = rc ? rc : protected_check(t, &from, reterr);
    rc = rc ? rc : check_remove(t, u, &from, reterr);
    rc = rc ? rc : path_target(&to) ? check_remove(t, u, &to, reterr) : tree_check_ancestor(t, u, &to, reterr);
    rc = rc ? rc : rename2_check(t, &from, &to, overwrite, reterr);
    if (rc)
        return rc;
    struct inode *there = path_target(&to);
    if (there == path_target(&from)) /* two names of one file: the other one stays */
        return txn_unlink(t, path_parent(&from), path_name(&from), there, reterr);
    rc = there ? txn_unlink(t, path_parent(&to), path_name(&to), there, reterr) : 0;
    if (rc)
        return rc;
    if (there)
        txn_discard(t, there);
    return move(t, &from, &to, path_parent(&to), path_name(&to), reterr);
}

static bool are_of_one_directory(const char *a, const char *b)
{
    const char *end_a = strrchr(a, '/'), *end_b = strrchr(b, '/');
    return end_a && end_b && end_a - a == end_b - b && !strncmp(a, b, (size_t)(end_a - a));
}

int tree_replace(struct txn *t, const struct fs_user *u, const char *old, const char *new_one, const char *aside,
                 struct err *reterr)
{
    struct path place, away, from;
    if (!are_of_one_directory(old, new_one) || !are_of_one_directory(old, aside)) /* so that no quota is concerned */
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%s, %s and %s are not of one directory", old, new_one, aside);
    int rc = resolve_both(t, u, old, aside, &place, &away, reterr);
    rc = rc ? rc : path_resolve(t, u, new_one, PATH_NO_FOLLOW | PATH_MAY_MISS, &from, reterr);
    rc = rc ? rc : protected_check(t, &place, reterr);
    rc = rc ? rc : protected_check(t, &from, reterr);
    rc = rc ? rc : rename2_check(t, &place, &away, false, reterr);
    rc = rc ? rc : rename2_check(t, &from, &away, false, reterr);
    rc = rc ? rc : check_remove(t, u, &place, reterr);
    rc = rc ? rc : check_remove(t, u, &from, reterr);
    if (!rc && path_target(&place) == path_target(&from))
        rc = err_set(reterr, ERR_EXISTS, "%s and %s are one file", old, new_one);
    rc = rc ? rc : move(t, &place, &away, path_parent(&away), path_name(&away), reterr);
    return rc ? rc : move(t, &from, &place, path_parent(&place), path_name(&place), reterr);
}

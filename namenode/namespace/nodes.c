#include "namenode/namespace/nodes.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "namenode/namespace/acl.h"
#include "namenode/namespace/links.h"
#include "namenode/namespace/protected.h"
#include "namenode/namespace/snapshots.h"
#include "namenode/namespace/tree.h"

/* ---- finding ---- */

static bool is_there(struct txn *t, struct inode *n)
{
    return t->trusts_tree ? n->parent != INODE_NONE || n->is_held : txn_is_attached(t, n);
}

int node_of(struct txn *t, uint64_t id, struct inode **ret, struct err *reterr)
{
    struct inode *n = NULL;
    int rc = txn_inode(t, id, &n, reterr);
    if (rc == ERR_NOT_FOUND || (!rc && !is_there(t, n)))
        return err_posix(reterr, ESTALE, "inode %llu does not exist", (unsigned long long)id);
    if (!rc)
        *ret = n;
    return rc;
}

int node_directory(struct txn *t, uint64_t id, struct inode **ret, struct err *reterr)
{
    struct inode *n = NULL;
    int rc = node_of(t, id, &n, reterr);
    if (rc)
        return rc;
    if (!inode_is_dir(n))
        return err_set(reterr, ERR_NOT_DIR, "inode %llu is not a directory", (unsigned long long)id);
    *ret = n;
    return 0;
}

static bool is(struct slice name, const char *text)
{
    return name.len == strlen(text) && !memcmp(name.base, text, name.len);
}

static int check_name(struct slice name, struct err *reterr)
{
    if (!name.len || memchr(name.base, '/', name.len) || memchr(name.base, 0, name.len))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "'%.*s' is no name of an entry", (int)name.len, name.base);
    if (name.len > NODE_NAME_MAX)
        return err_set(reterr, ERR_NAME_TOO_LONG, "a name of %zu bytes, at most %d are possible", name.len,
                       NODE_NAME_MAX);
    return 0;
}

/* May the directory get an entry of this name? */
static int check_new_name(const struct txn *t, const struct inode *parent, struct slice name, struct err *reterr)
{
    if (name.len > t->dir->limits.component_bytes)
        return err_set(reterr, ERR_NAME_TOO_LONG, "a name of %zu bytes, the limit is %zu", name.len,
                       t->dir->limits.component_bytes);
    if (is(name, ".snapshot") || (parent->id == INODE_ROOT && is(name, ".reserved")))
        return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT, "\"%.*s\" is a reserved name.", (int)name.len, name.base);
    return 0;
}

static int check_room(const struct txn *t, const struct inode *parent, struct err *reterr)
{
    if (parent->child_count < t->dir->limits.children)
        return 0;
    return err_set(reterr, ERR_DIR_FULL, "The directory item limit of inode %llu is exceeded: limit=%zu items=%llu",
                   (unsigned long long)parent->id, t->dir->limits.children,
                   (unsigned long long)parent->child_count + 1);
}

int node_lookup(struct txn *t, uint64_t parent, struct slice name, struct inode **ret, struct err *reterr)
{
    struct inode *dir = NULL;
    int rc = check_name(name, reterr);
    if (!rc && is(name, ".")) /* of whatever kind it is: so a kernel looks for what it has a handle of */
        return node_of(t, parent, ret, reterr);
    rc = rc ? rc : node_directory(t, parent, &dir, reterr);
    if (rc)
        return rc;
    if (is(name, ".."))
        rc = txn_inode(t, dir->parent, ret, reterr);
    else
        rc = txn_child(t, dir, arena_strndup(&t->arena, (const char *)name.base, name.len), ret, reterr);
    return rc;
}

/* The entry by this name in the directory; child NULL: there is none. */
static int find_entry(struct txn *t, uint64_t parent, struct slice name, struct entry *ret, struct err *reterr)
{
    int rc = check_name(name, reterr);
    if (!rc && (is(name, ".") || is(name, "..")))
        rc = err_set(reterr, ERR_ILLEGAL_ARGUMENT, "'%.*s' is not the name of an entry of its own", (int)name.len,
                     name.base);
    rc = rc ? rc : node_directory(t, parent, &ret->parent, reterr);
    if (rc)
        return rc;
    ret->name = arena_strndup(&t->arena, (const char *)name.base, name.len);
    return txn_child(t, ret->parent, ret->name, &ret->child, reterr);
}

static int no_entry(const struct entry *e, struct err *reterr)
{
    return err_set(reterr, ERR_NOT_FOUND, "there is no '%s' in inode %llu", e->name, (unsigned long long)e->parent->id);
}

static int entry_exists(const struct entry *e, struct err *reterr)
{
    return err_set(reterr, ERR_EXISTS, "'%s' is there already in inode %llu", e->name,
                   (unsigned long long)e->parent->id);
}

/* ---- making ---- */

static int check_owner(const char *owner, const char *group, struct err *reterr)
{
    if ((owner && (!*owner || strlen(owner) > NAME_KEPT_MAX)) || (group && (!*group || strlen(group) > NAME_KEPT_MAX)))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "a user's or group's name has 1 to %d bytes", NAME_KEPT_MAX);
    return 0;
}

static int check_make(const struct txn *t, const struct node_make *how, enum inode_type *ret_type, struct err *reterr)
{
    const struct fsdir_limits *limits = &t->dir->limits;
    if (!inode_type_of(how->mode & S_IFMT, ret_type))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "mode %o is of no kind of file", how->mode);
    if (*ret_type == INODE_SYMLINK && (!how->target.len || memchr(how->target.base, 0, how->target.len)))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "a symbolic link without a target");
    if (*ret_type == INODE_SYMLINK && how->target.len > NODE_TARGET_MAX)
        return err_set(reterr, ERR_NAME_TOO_LONG, "a target of %zu bytes", how->target.len);
    if (*ret_type != INODE_FILE)
        return 0;
    if (how->block_bytes < limits->block_bytes_min || how->block_bytes > INT64_MAX)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "blocks of %llu bytes are not possible",
                       (unsigned long long)how->block_bytes);
    return tree_check_replication(t->dir, "a new file", how->replication, reterr);
}

static bool has_default_acl(const struct inode *dir)
{
    return dir->acl_count && dir->acl[dir->acl_count - 1].scope == ACL_DEFAULT;
}

static struct inode *new_node(struct txn *t, const struct node_make *how, enum inode_type type, struct inode *parent)
{
    bool is_setgid = parent->mode & S_ISGID;
    uint16_t mode = (uint16_t)(how->mode & 07777);
    if (!has_default_acl(parent))
        mode &= (uint16_t)~how->umask;
    if (type == INODE_SYMLINK)
        mode = 0777;
    struct inode *n = txn_new_inode(t, type, mode, how->owner, is_setgid ? parent->group : how->group);
    acl_inherit(t->dir, parent, n, (struct create_mode){mode, mode, true}, &t->arena);
    n->atime_ns = t->now_ns;
    if (is_setgid && type == INODE_DIRECTORY)
        n->mode |= S_ISGID;
    if (type == INODE_CHARACTER_DEVICE || type == INODE_BLOCK_DEVICE)
        n->rdev = how->rdev;
    if (type == INODE_SYMLINK)
        n->target = arena_strndup(&t->arena, (const char *)how->target.base, how->target.len);
    if (type == INODE_FILE) {
        n->replication = (uint16_t)how->replication;
        n->block_bytes = how->block_bytes;
    }
    return n;
}

static int make_unnamed(struct txn *t, const struct node_make *how, enum inode_type type, struct inode **ret,
                        bool *ret_made, struct err *reterr)
{
    struct inode *parent = NULL;
    int rc = type == INODE_FILE
                 ? node_directory(t, how->parent, &parent, reterr)
                 : err_set(reterr, ERR_ILLEGAL_ARGUMENT, "only a regular file can be made without a name");
    if (rc)
        return rc;
    *ret = new_node(t, how, type, parent);
    *ret_made = true;
    txn_hold(t, how->holder, *ret);
    return 0;
}

int node_make(struct txn *t, const struct node_make *how, struct inode **ret, bool *ret_made, struct err *reterr)
{
    struct entry at;
    enum inode_type type;
    int rc = check_make(t, how, &type, reterr);
    rc = rc ? rc : check_owner(how->owner, how->group, reterr);
    if (!rc && how->holder)
        return make_unnamed(t, how, type, ret, ret_made, reterr);
    rc = rc ? rc : find_entry(t, how->parent, how->name, &at, reterr);
    if (rc)
        return rc;
    *ret_made = false;
    if (at.child && how->existing_is_fine && inode_is_file(at.child)) {
        *ret = at.child;
        return 0;
    }
    if (at.child)
        return entry_exists(&at, reterr);
    rc = check_new_name(t, at.parent, how->name, reterr);
    rc = rc ? rc : check_room(t, at.parent, reterr);
    if (rc)
        return rc;
    *ret = new_node(t, how, type, at.parent);
    txn_link(t, at.parent, at.name, *ret);
    *ret_made = true;
    return 0;
}

int node_link(struct txn *t, uint64_t id, uint64_t parent, struct slice name, struct inode **ret, struct err *reterr)
{
    struct entry at;
    struct inode *n = NULL;
    int rc = node_of(t, id, &n, reterr);
    if (!rc && inode_is_dir(n))
        rc = err_posix(reterr, EPERM, "inode %llu is a directory", (unsigned long long)id);
    rc = rc ? rc : find_entry(t, parent, name, &at, reterr);
    if (!rc && at.child)
        rc = entry_exists(&at, reterr);
    rc = rc ? rc : check_new_name(t, at.parent, name, reterr);
    rc = rc ? rc : check_room(t, at.parent, reterr);
    if (rc)
        return rc;
    if (n->parent == INODE_NONE) /* it is held */
        txn_link(t, at.parent, at.name, n);
    else
        rc = txn_add_link(t, at.parent, at.name, n, reterr);
    *ret = n;
    return rc;
}

/* ---- removing ---- */

static int check_empty(const struct entry *e, struct err *reterr)
{
    if (!e->child->child_count)
        return 0;
    return err_set(reterr, ERR_NOT_EMPTY, "`%s is non empty': Directory is not empty", e->name);
}

/* A directory that goes, empty. */
static int forget_directory(struct txn *t, const struct entry *e, struct err *reterr)
{
    int rc = check_empty(e, reterr);
    rc = rc ? rc : snapshot_check_removal(t, e->child, NULL, reterr);
    return rc ? rc : snapshot_forget_below(t, e->child, reterr);
}

/* The entry goes, and what it names if that was its last. */
static int remove_entry(struct txn *t, const struct entry *e, uint64_t holder, struct err *reterr)
{
    struct inode *n = e->child;
    int rc = inode_is_dir(n) ? forget_directory(t, e, reterr) : 0;
    rc = rc ? rc : txn_unlink(t, e->parent, e->name, n, reterr);
    if (rc)
        return rc;
    if (holder && !inode_is_dir(n) && !txn_has_name(t, n)) /* or only where the reaper has not been yet */
        txn_hold(t, holder, n);
    txn_discard(t, n);
    return 0;
}

int node_unlink(struct txn *t, uint64_t parent, struct slice name, bool directory, uint64_t holder, struct inode **ret,
                struct err *reterr)
{
    struct entry at;
    int rc = find_entry(t, parent, name, &at, reterr);
    if (rc)
        return rc;
    if (!at.child)
        return no_entry(&at, reterr);
    if (directory && !inode_is_dir(at.child))
        return err_set(reterr, ERR_NOT_DIR, "'%s' is not a directory", at.name);
    if (!directory && inode_is_dir(at.child))
        return err_set(reterr, ERR_IS_DIR, "'%s' is a directory", at.name);
    *ret = at.child;
    return remove_entry(t, &at, holder, reterr);
}

/* ---- renaming ---- */

/* Is top the directory or above it? */
static int is_above(struct txn *t, const struct inode *top, struct inode *dir, bool *ret, struct err *reterr)
{
    int rc = 0;
    while (!rc && dir != top && dir->id != INODE_ROOT) /* it hangs in the tree: node_directory */
        rc = txn_inode(t, dir->parent, &dir, reterr);
    *ret = dir == top;
    return rc;
}

static int check_not_below(struct txn *t, const struct entry *what, const struct entry *to, struct err *reterr)
{
    bool is_below = false;
    if (!inode_is_dir(what->child))
        return 0;
    int rc = is_above(t, what->child, to->parent, &is_below, reterr);
    if (!rc && is_below)
        rc = err_set(reterr, ERR_ILLEGAL_ARGUMENT, "'%s' would be moved into itself", what->name);
    return rc;
}

/* A directory with something in it is taken to another place. */
static int check_directory_moves(struct txn *t, const struct entry *what, const struct entry *to, struct err *reterr)
{
    bool has_snapshottable = false;
    const char *path = what->name;
    if (!inode_is_dir(what->child))
        return 0;
    int rc = protected_check_inode(t, what->child, reterr);
    rc = rc ? rc : snapshot_check_removal(t, what->child, &has_snapshottable, reterr);
    if (rc || !has_snapshottable)
        return rc;
    rc = txn_path(t, what->child, &path, reterr);
    return rc ? rc : snapshot_check_nesting(t, to->parent, path, reterr);
}

static int check_replaced(const struct entry *from, const struct entry *to, struct err *reterr)
{
    if (inode_is_dir(from->child) && !inode_is_dir(to->child))
        return err_set(reterr, ERR_NOT_DIR, "'%s' is not a directory", to->name);
    if (!inode_is_dir(from->child) && inode_is_dir(to->child))
        return err_set(reterr, ERR_IS_DIR, "'%s' is a directory", to->name);
    return inode_is_dir(to->child) ? check_empty(to, reterr) : 0;
}

static int exchange(struct txn *t, const struct entry *from, const struct entry *to, struct err *reterr)
{
    if (!to->child)
        return no_entry(to, reterr);
    if (from->child == to->child)
        return 0;
    int rc = check_not_below(t, from, to, reterr);
    rc = rc ? rc : check_not_below(t, to, from, reterr);
    rc = rc ? rc : check_directory_moves(t, from, to, reterr);
    rc = rc ? rc : check_directory_moves(t, to, from, reterr);
    if (rc)
        return rc;
    tree_moves_below(t, to->parent, from->child);
    tree_moves_below(t, from->parent, to->child);
    return txn_exchange(t, from, to, reterr);
}

static int replace(struct txn *t, const struct entry *from, const struct entry *to, uint64_t holder, struct err *reterr)
{
    int rc = check_not_below(t, from, to, reterr);
    if (!rc && to->child)
        rc = check_replaced(from, to, reterr);
    rc = rc ? rc : check_directory_moves(t, from, to, reterr);
    if (!rc && !to->child && from->parent != to->parent)
        rc = check_room(t, to->parent, reterr);
    if (!rc && to->child)
        rc = remove_entry(t, to, holder, reterr);
    if (rc)
        return rc;
    tree_moves_below(t, to->parent, from->child);
    return txn_move(t, from, to, reterr);
}

/* By this overlayfs knows that what its lower layers have by the name is gone. It takes the room of what was moved. */
static void leave_whiteout(struct txn *t, const struct entry *from, const struct node_rename *how)
{
    const struct node_make whiteout = {.mode = S_IFCHR, .owner = how->owner, .group = how->group};
    txn_link(t, from->parent, from->name, new_node(t, &whiteout, INODE_CHARACTER_DEVICE, from->parent));
}

static int check_flags(const struct node_rename *how, struct err *reterr)
{
    bool exchanges = how->flags & NODE_EXCHANGE, has_owner = how->owner && how->group;
    if (how->flags & ~(NODE_NOREPLACE | NODE_EXCHANGE | NODE_WHITEOUT) || (exchanges && how->flags != NODE_EXCHANGE) ||
        (how->flags & NODE_WHITEOUT && !has_owner))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "rename with flags %u is not possible", how->flags);
    return check_owner(how->owner, how->group, reterr);
}

int node_rename(struct txn *t, const struct node_rename *how, uint64_t holder, struct inode **ret,
                struct inode **ret_replaced, struct err *reterr)
{
    struct entry from, to;
    bool exchanges = how->flags & NODE_EXCHANGE;
    int rc = check_flags(how, reterr);
    rc = rc ? rc : find_entry(t, how->parent, how->name, &from, reterr);
    rc = rc ? rc : find_entry(t, how->new_parent, how->new_name, &to, reterr);
    if (rc)
        return rc;
    if (!from.child)
        return no_entry(&from, reterr);
    rc = to.child ? 0 : check_new_name(t, to.parent, how->new_name, reterr);
    if (rc)
        return rc;
    if (how->flags & NODE_NOREPLACE && to.child)
        return entry_exists(&to, reterr);
    *ret = from.child;
    *ret_replaced = NULL;
    if (!exchanges && from.child == to.child)
        return 0; /* two names of one file: POSIX has nothing happen */
    *ret_replaced = to.child;
    rc = exchanges ? exchange(t, &from, &to, reterr) : replace(t, &from, &to, holder, reterr);
    if (!rc && how->flags & NODE_WHITEOUT)
        leave_whiteout(t, &from, how);
    return rc;
}

/* ---- attributes ---- */

int node_set(struct txn *t, uint64_t id, const struct node_set *set, struct inode **ret, struct err *reterr)
{
    struct inode *n = NULL;
    int rc = check_owner(set->owner, set->group, reterr);
    rc = rc ? rc : node_of(t, id, &n, reterr);
    if (rc)
        return rc;
    if (set->has_mode)
        n->mode = (uint16_t)(set->mode & 07777);
    if (set->owner)
        n->owner = arena_strdup(&t->arena, set->owner);
    if (set->group)
        n->group = arena_strdup(&t->arena, set->group);
    if (set->has_atime)
        n->atime_ns = set->atime_ns;
    if (set->has_mtime)
        n->mtime_ns = set->mtime_ns;
    if (!set->keeps_ctime)
        n->ctime_ns = t->now_ns;
    txn_dirty(n);
    *ret = n;
    return 0;
}

#include "namenode/namespace/snapshots.h"

#include <string.h>
#include <time.h>

#include "cairn/store.pb-c.h"
#include "namenode/namespace/history.h"
#include "proto/message.h"

#define DEPTH_MAX 20000

/* ---- directories ---- */

static int directory(const struct path *p, const char *text, struct inode **ret, struct err *reterr)
{
    struct inode *n = path_target(p);
    if (!n)
        return err_set(reterr, ERR_NOT_FOUND, "Directory does not exist: %s", text);
    if (!inode_is_dir(n))
        return err_set(reterr, ERR_NOT_DIR, "`%s': Is not a directory\n", text); /* Java puts words behind it */
    *ret = n;
    return 0;
}

int snapshot_root(struct txn *t, const struct path *p, const char *path, struct inode **ret, struct err *reterr)
{
    struct inode *n = NULL;
    int rc = directory(p, path, &n, reterr);
    if (!rc && !n->is_snapshottable && n->id != INODE_ROOT)
        rc = err_set(reterr, ERR_SNAPSHOT, "Directory is not a snapshottable directory: %s", path);
    if (!rc)
        *ret = n;
    return rc;
}

/* Is `top` the inode itself or above it, as the store has it? */
static int is_under(struct txn *t, uint64_t id, uint64_t top, bool *ret, struct err *reterr)
{
    int rc = 0;
    for (size_t depth = 0; !rc && id != top && id != INODE_ROOT && id != INODE_NONE && depth < DEPTH_MAX; depth++) {
        struct inode *n = NULL;
        rc = txn_peek(t, id, &n, reterr);
        id = rc ? INODE_NONE : n->parent;
    }
    *ret = id == top;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* Calls visit for each snapshottable directory that hangs below top (or is it). */
struct visit {
    int (*each)(struct txn *t, struct inode *n, void *context, struct err *reterr);
    void *context;
};
static int each_snapshottable_below(struct txn *t, const struct inode *top, const struct visit *v, struct err *reterr)
{
    size_t count = inode_is_dir(top) ? history_snapshottable_count(t->dir) : 0;
    for (size_t i = 0; i < count; i++) {
        struct inode *n = NULL;
        uint64_t id = history_snapshottable_at(t->dir, i);
        bool is_below = false;
        if (id != top->id && !top->subdir_count)
            continue;
        int rc = is_under(t, id, top->id, &is_below, reterr);
        if (!rc && !is_below)
            continue;
        rc = rc ? rc : txn_inode(t, id, &n, reterr);
        rc = rc ? rc : v->each(t, n, v->context, reterr);
        if (rc)
            return rc;
    }
    return 0;
}

struct found {
    const struct inode *except;
    struct inode *first;
};
static int note_first(struct txn *t, struct inode *n, void *context, struct err *reterr)
{
    struct found *f = context;
    if (!f->first && n != f->except)
        f->first = n;
    return 0;
}

static struct inode *snapshottable_above(struct txn *t, struct inode *n) /* or n */
{
    for (size_t depth = 0; !n->is_snapshottable; depth++)
        if (depth == DEPTH_MAX || n->id == INODE_ROOT || n->parent == INODE_NONE || txn_inode(t, n->parent, &n, NULL))
            return NULL;
    return n;
}

static const char *path_of(struct txn *t, struct inode *n)
{
    const char *path = "";
    return txn_path(t, n, &path, NULL) ? n->name : path;
}

static int check_nested(struct txn *t, struct inode *n, const char *path, struct err *reterr)
{
    struct found below = {.except = n};
    struct visit v = {note_first, &below};
    struct inode *above = NULL, *parent = NULL;
    int rc = each_snapshottable_below(t, n, &v, reterr);
    if (!rc && below.first)
        return err_set(reterr, ERR_SNAPSHOT,
                       "Nested snapshottable directories not allowed: path=%s, the subdirectory %s is already a "
                       "snapshottable directory.",
                       path, path_of(t, below.first));
    if (!rc && n->id != INODE_ROOT)
        rc = txn_inode(t, n->parent, &parent, reterr);
    above = parent ? snapshottable_above(t, parent) : NULL;
    if (!rc && above)
        rc = err_set(reterr, ERR_SNAPSHOT,
                     "Nested snapshottable directories not allowed: path=%s, the ancestor %s is already a "
                     "snapshottable directory.",
                     path, path_of(t, above));
    return rc;
}

/* Allowing and disallowing are for the superuser, who passes everywhere. */
static int any_directory(struct txn *t, const char *path, struct inode **ret, struct err *reterr)
{
    static const struct fs_user anyone = {.name = "", .is_super = true};
    struct path p = {.found = 0};
    int rc = path_is_reserved_root(path) ? 0 : path_resolve(t, &anyone, path, PATH_MAY_MISS, &p, reterr);
    return rc ? rc : directory(&p, path, ret, reterr);
}

static void mark(struct txn *t, struct inode *n, bool is_snapshottable)
{
    struct key k;
    key_of_snapshot(&k, n->id, NULL, 0);
    n->is_snapshottable = is_snapshottable;
    txn_dirty(n);
    if (is_snapshottable)
        store_batch_put(txn_batch(t), k.bytes, k.len, "", 0);
    else
        store_batch_delete(txn_batch(t), k.bytes, k.len);
    history_change(t, is_snapshottable ? HISTORY_ALLOW : HISTORY_DISALLOW, n->id, 0);
}

int snapshot_allow(struct txn *t, const char *path, struct err *reterr)
{
    struct inode *n = NULL;
    int rc = any_directory(t, path, &n, reterr);
    rc = rc ? rc : check_nested(t, n, path, reterr);
    if (!rc && !n->is_snapshottable)
        mark(t, n, true);
    return rc;
}

int snapshot_disallow(struct txn *t, const char *path, struct err *reterr)
{
    struct inode *n = NULL;
    int rc = any_directory(t, path, &n, reterr);
    if (rc || !n->is_snapshottable)
        return rc;
    if (n->snapshot_count)
        return err_set(reterr, ERR_SNAPSHOT,
                       "The directory %s has snapshot(s). Please redo the operation after removing all the snapshots.",
                       path);
    mark(t, n, false);
    return 0;
}

/* ---- names ---- */

static int check_name(const struct fsdir *dir, const char *name, const char *root, struct err *reterr)
{
    size_t len = strlen(name);
    if (strchr(name, '/'))
        return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT, "Snapshot name cannot contain \"/\"");
    if (!strcmp(name, ".snapshot"))
        return err_set(reterr, ERR_HADOOP_ILLEGAL_ARGUMENT, "\".snapshot\" is a reserved name.");
    if (len > dir->limits.component_bytes)
        return err_set(reterr, ERR_NAME_TOO_LONG,
                       "The maximum path component name limit of %s in directory %s is exceeded: limit=%zu length=%zu",
                       name, root, dir->limits.component_bytes, len);
    return 0;
}

static bool is_valid_new_name(const char *name)
{
    static const char *const reserved[] = {".", "..", ".snapshot", ".reserved"};
    for (size_t i = 0; i < ARRAY_COUNT(reserved); i++)
        if (!strcmp(name, reserved[i]))
            return false;
    return !strpbrk(name, ":/");
}

const char *snapshot_default_name(struct arena *a, uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm local;
    char text[32];
    localtime_r(&seconds, &local);
    strftime(text, sizeof text, "s%Y%m%d-%H%M%S", &local);
    return arena_printf(a, "%s.%03u", text, (unsigned)(wall_ms % 1000));
}

/* ---- snapshots ---- */

/* Clients tell changes by milliseconds: two within one must not look like none. */
static uint64_t next_mtime_ns(uint64_t mtime_ns, uint64_t now_ns)
{
    return mtime_ns / 1000000 == now_ns / 1000000 ? mtime_ns + 1000000 : now_ns;
}

static void snapshot_put(struct txn *t, const struct inode *n, const char *name, uint64_t id, uint64_t mtime_ns)
{
    Cairn__SnapshotRecord r = CAIRN__SNAPSHOT_RECORD__INIT;
    AUTO(buf_free) struct buf record = {0};
    struct key k;
    key_of_snapshot(&k, n->id, name, strlen(name));
    r.id = id;
    r.mtime_ns = mtime_ns;
    message_pack(&record, &r.base);
    store_batch_put(txn_batch(t), k.bytes, k.len, record.base, record.len);
}

static void name_drop(struct txn *t, const struct inode *n, const char *name)
{
    struct key k;
    key_of_snapshot(&k, n->id, name, strlen(name));
    store_batch_delete(txn_batch(t), k.bytes, k.len);
}

static int owned_directory(struct txn *t, const struct fs_user *u, const char *root, struct path *ret,
                           struct err *reterr)
{
    const char *missing = path_is_reserved_root(root) ? root : NULL;
    int rc = missing ? 0 : path_resolve(t, u, root, PATH_MAY_MISS, ret, reterr);
    if (rc)
        return rc;
    if (!missing && !path_target(ret))
        missing = ret->text;
    if (missing)
        return err_set(reterr, ERR_NOT_FOUND, "Directory/File does not exist %s", missing);
    return access_check_owner(u, path_target(ret), ret->text, reterr);
}

static int check_limits(struct txn *t, const struct inode *n, struct err *reterr)
{
    size_t all = history_snapshot_count(t->dir);
    unsigned long long count = n->snapshot_count;
    int quota = n->is_snapshottable ? SNAPSHOT_QUOTA : 0; /* "/" when it was not allowed */
    if (all >= t->dir->limits.snapshots)
        return err_set(
            reterr, ERR_SNAPSHOT,
            "Failed to create snapshot: there are already %zu snapshot(s) and the file system snapshot limit "
            "is %zu",
            all, t->dir->limits.snapshots);
    if (count >= (unsigned long long)quota)
        return err_set(reterr, ERR_SNAPSHOT,
                       "Failed to add snapshot: there are already %llu snapshot(s) and the snapshot quota is %d", count,
                       quota);
    if (count >= t->dir->limits.snapshots_per_dir)
        return err_set(reterr, ERR_SNAPSHOT,
                       "Failed to create snapshot: there are already %llu snapshot(s) and the per directory snapshot "
                       "limit is %zu",
                       count, t->dir->limits.snapshots_per_dir);
    return 0;
}

const char *snapshot_path(struct arena *a, const char *root, const char *name)
{
    size_t len = strlen(root);
    return arena_printf(a, "%s%s.snapshot/%s", root, len && root[len - 1] == '/' ? "" : "/", name);
}

int snapshot_create(struct txn *t, const struct fs_user *u, const char *root, const char *name, const char **ret_path,
                    struct err *reterr)
{
    struct path p;
    struct inode *n = NULL;
    uint64_t there = 0, mtime_ns = 0;
    int rc = owned_directory(t, u, root, &p, reterr);
    if (!rc && name && *name && !is_valid_new_name(name))
        rc = err_set(reterr, ERR_INVALID_PATH, "Invalid path name Invalid snapshot name: %s", name);
    name = name && *name ? name : snapshot_default_name(&t->arena, t->now_ns / 1000000);
    rc = rc ? rc : check_name(t->dir, name, root, reterr);
    rc = rc ? rc : snapshot_root(t, &p, p.text, &n, reterr);
    rc = rc ? rc : check_limits(t, n, reterr);
    rc = rc ? rc : history_find(t, n->id, name, &there, &mtime_ns, reterr);
    if (!rc && there)
        rc = err_set(reterr, ERR_SNAPSHOT,
                     "Failed to add snapshot: there is already a snapshot with the same name \"%s\".", name);
    if (rc)
        return rc;
    n->snapshot_count++;
    n->mtime_ns = n->ctime_ns = t->now_ns;
    txn_dirty(n);
    snapshot_put(t, n, name, ++t->counters.last_snapshot, t->now_ns);
    history_change(t, HISTORY_TAKE, n->id, t->counters.last_snapshot);
    *ret_path = snapshot_path(&t->arena, root, name);
    return 0;
}

int snapshot_rename(struct txn *t, const struct fs_user *u, const char *root, const char *from, const char *to,
                    struct err *reterr)
{
    struct path p;
    struct inode *n = NULL;
    uint64_t id = 0, there = 0, mtime_ns = 0, other_ns = 0;
    int rc = *to ? 0 : err_set(reterr, ERR_IO, "The new snapshot name is null or empty.");
    rc = rc ? rc : owned_directory(t, u, root, &p, reterr);
    rc = rc ? rc : check_name(t->dir, to, root, reterr);
    rc = rc ? rc : snapshot_root(t, &p, p.text, &n, reterr);
    rc = rc ? rc : history_find(t, n->id, from, &id, &mtime_ns, reterr);
    if (!rc && !id)
        rc = err_set(reterr, ERR_SNAPSHOT, "The snapshot %s does not exist for directory %s", from, root);
    if (rc || !strcmp(from, to))
        return rc;
    rc = history_find(t, n->id, to, &there, &other_ns, reterr);
    if (!rc && there)
        rc = err_set(reterr, ERR_SNAPSHOT, "The snapshot %s already exists for directory %s", to, root);
    if (rc)
        return rc;
    name_drop(t, n, from);
    snapshot_put(t, n, to, id, next_mtime_ns(mtime_ns, t->now_ns));
    return 0;
}

int snapshot_delete(struct txn *t, const struct fs_user *u, const char *root, const char *name, struct err *reterr)
{
    struct path p;
    struct inode *n = NULL;
    uint64_t id = 0, mtime_ns = 0;
    int rc = *name ? 0 : err_set(reterr, ERR_IO, "The snapshot name is null or empty.");
    rc = rc ? rc : owned_directory(t, u, root, &p, reterr);
    rc = rc ? rc : snapshot_root(t, &p, p.text, &n, reterr);
    rc = rc ? rc : history_find(t, n->id, name, &id, &mtime_ns, reterr);
    if (!rc && !id)
        rc = err_set(reterr, ERR_SNAPSHOT, "Cannot delete snapshot %s from path %s: the snapshot does not exist.", name,
                     p.text);
    if (rc)
        return rc;
    uint8_t dir_number[8];
    struct key k;
    key_of(&k, 'X', id);
    be64_put(dir_number, n->id);
    store_batch_put(txn_batch(t), k.bytes, k.len, dir_number, sizeof dir_number);
    name_drop(t, n, name);
    n->snapshot_count--;
    n->mtime_ns = next_mtime_ns(n->mtime_ns, t->now_ns);
    n->ctime_ns = t->now_ns;
    txn_dirty(n);
    history_change(t, HISTORY_DROP, n->id, id);
    return 0;
}

/* ---- what they forbid ---- */

static int refuse_if_any(struct txn *t, struct inode *n, void *context, struct err *reterr)
{
    bool *ret_has_snapshottable = context;
    const char *path = path_of(t, n);
    if (n->snapshot_count)
        return err_set(reterr, ERR_SNAPSHOT,
                       "The directory %s cannot be deleted since %s is snapshottable and already has snapshots", path,
                       path);
    *ret_has_snapshottable = true;
    return 0;
}

int snapshot_check_removal(struct txn *t, struct inode *n, bool *ret_has_snapshottable, struct err *reterr)
{
    bool has = false;
    struct visit v = {refuse_if_any, &has};
    int rc = each_snapshottable_below(t, n, &v, reterr);
    if (ret_has_snapshottable)
        *ret_has_snapshottable = has;
    return rc;
}

static int forget(struct txn *t, struct inode *n, void *context, struct err *reterr)
{
    mark(t, n, false);
    return 0;
}

int snapshot_forget_below(struct txn *t, struct inode *n, struct err *reterr)
{
    struct visit v = {forget, NULL};
    return each_snapshottable_below(t, n, &v, reterr);
}

int snapshot_check_nesting(struct txn *t, struct inode *to, const char *from, struct err *reterr)
{
    if (!snapshottable_above(t, to))
        return 0;
    return err_set(reterr, ERR_SNAPSHOT,
                   "Unable to rename because %s has snapshottable descendant directories and %s is a descent of a "
                   "snapshottable directory, and HDFS does not support nested snapshottable directory.",
                   from, path_of(t, to));
}

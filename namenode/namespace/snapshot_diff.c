#include "namenode/namespace/snapshot_diff.h"

#include <stdlib.h>
#include <string.h>

#include "namenode/blocks/id_map.h"
#include "namenode/namespace/history_internal.h"
#include "namenode/namespace/links.h"
#include "namenode/namespace/snapshots.h"

#define CANDIDATES_MAX 4000000 /* what is kept of each is some hundred bytes */
#define DEPTH_MAX      20000
#define RESET_EVERY    256 /* looks, then the txn's memory is given back */

struct name_at {
    uint64_t parent;
    const char *name;
};
struct diff {
    struct txn *t;
    struct arena *a;
    const struct fs_user *user;
    uint64_t root, scope;    /* the snapshottable directory, and where we look */
    uint64_t earlier, later; /* snapshots; later 0: now */
    struct buf names;        /* struct name_at: entries that were changed */
    struct buf inodes;       /* uint64_t: inodes that were changed */
    struct buf nodes;        /* struct diff_node */
    struct id_map places;    /* directory -> its path then, or `nowhere` */
    struct id_map targets;   /* moved inodes -> struct name_at, where each is later */
    size_t looks;
};
static char nowhere[] = "";

/* *ret NULL: it did not hang anywhere then. A snapshot answers for what it covers only, so an inode counts if the entry
 * that it says it has is its own. Only what was copied into d->a is kept over this. */
static int look(struct diff *d, uint64_t id, uint64_t as_of, struct inode **ret, struct err *reterr)
{
    struct inode *n = NULL;
    uint64_t there = id;
    if (++d->looks % RESET_EVERY == 0)
        txn_reset(d->t);
    *ret = NULL;
    if (d->a->total > d->a->max_bytes / 2) /* paths may be long: before there is no room for the next */
        return err_set(reterr, ERR_TOO_LARGE,
                       "the paths of what changed between the snapshots take too much memory: compare subdirectories");
    int rc = history_inode(d->t, id, as_of, &n, reterr);
    if (rc)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    if (id != d->root && id != INODE_ROOT)
        rc =
            n->parent == INODE_NONE ? ERR_NOT_FOUND : history_child_id(d->t, n->parent, n->name, as_of, &there, reterr);
    if (!rc && there == id)
        *ret = n;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

/* ---- where things are ---- */

static const char *joined(struct arena *a, const char *parent, const char *name)
{
    return *parent ? arena_printf(a, "%s/%s", parent, name) : arena_strdup(a, name);
}

/* Relative to the scope; *ret NULL: it is not below it then. */
static int path_at(struct diff *d, uint64_t id, uint64_t as_of, const char **ret, struct err *reterr)
{
    AUTO(buf_free) struct buf names = {0}, starts = {0};
    *ret = NULL;
    for (size_t depth = 0; id != d->scope; depth++) {
        struct inode *n = NULL;
        int rc = look(d, id, as_of, &n, reterr);
        if (rc || !n || n->parent == INODE_NONE || id == INODE_ROOT || depth == DEPTH_MAX)
            return rc;
        buf_append(&starts, &names.len, sizeof names.len);
        buf_append(&names, n->name, strlen(n->name) + 1);
        id = n->parent;
    }
    char *path = arena_zalloc(d->a, names.len + 1), *to = path;
    const size_t *list = (void *)starts.base;
    for (size_t i = starts.len / sizeof *list; i-- > 0;) {
        const char *name = (const char *)names.base + list[i];
        to = stpcpy(to, name);
        *to = i ? '/' : 0;
        to += i != 0;
    }
    *ret = path;
    return 0;
}

struct step {
    uint64_t id;
    const char *name;
};

/* Is it still there at the later time: at the same place, or moved to another one below the scope? */
static int is_kept(struct diff *d, uint64_t id, uint64_t parent, const char *name, bool *ret, struct err *reterr)
{
    struct inode *n = NULL;
    const char *path = NULL;
    int rc = look(d, id, d->later, &n, reterr);
    *ret = !rc && n && n->parent == parent && !strcmp(n->name, name);
    if (rc || *ret)
        return rc;
    rc = path_at(d, id, d->later, &path, reterr);
    *ret = path != NULL;
    return rc;
}

/* The path then, if all on the way to it from the scope is kept; else NULL. */
static int place_of(struct diff *d, uint64_t id, const char **ret, struct err *reterr)
{
    AUTO(buf_free) struct buf chain = {0};
    const char *path = NULL;
    *ret = NULL;
    for (;;) {
        path = id == d->scope ? "" : id_map_get(&d->places, id);
        if (path)
            break;
        struct inode *n = NULL;
        int rc = look(d, id, d->earlier, &n, reterr);
        if (rc)
            return rc;
        uint64_t parent = n ? n->parent : INODE_NONE;
        struct step s = {id, n ? arena_strdup(d->a, n->name) : ""};
        buf_append(&chain, &s, sizeof s);
        bool kept = false;
        if (parent != INODE_NONE && id != INODE_ROOT && chain.len / sizeof s < DEPTH_MAX)
            rc = is_kept(d, id, parent, s.name, &kept, reterr);
        if (rc)
            return rc;
        if (!kept) {
            path = nowhere;
            break;
        }
        id = parent;
    }
    const struct step *list = (void *)chain.base;
    for (size_t i = chain.len / sizeof *list; i-- > 0;) {
        path = path == nowhere ? nowhere : joined(d->a, path, list[i].name);
        id_map_put(&d->places, list[i].id, (void *)(uintptr_t)path);
    }
    *ret = path == nowhere ? NULL : path;
    return 0;
}

/* ---- what to look at ---- */

static int collect(struct diff *d, struct err *reterr)
{
    struct store_iter *it = store_iter_new(d->t->dir->store, d->t->snapshot, false);
    struct key first;
    key_of_saved_for(&first, d->root, d->earlier, NULL);
    uint64_t end = d->later ? d->later : UINT64_MAX;
    size_t count = 0;
    int rc = 0;
    for (store_iter_seek(it, first.bytes, first.len); !rc && store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        if (key.len < 17 + 17 || memcmp(key.base, first.bytes, 9) || be64_get(key.base + 9) >= end)
            break;
        const uint8_t *version = key.base + 17;
        uint64_t id = be64_get(version + 1);
        struct name_at e = {id, NULL};
        if (version[0] == 'I')
            buf_append(&d->inodes, &id, sizeof id);
        else if (version[0] == 'D' && key.len > 17 + 18) {
            e.name = arena_strndup(d->a, (const char *)version + 9, key.len - 17 - 18);
            buf_append(&d->names, &e, sizeof e);
        }
        if (++count > CANDIDATES_MAX)
            rc = err_set(reterr, ERR_TOO_LARGE, "more than %d changes between the snapshots: compare subdirectories",
                         CANDIDATES_MAX);
    }
    rc = rc ? rc : store_iter_status(it, reterr);
    store_iter_free(it);
    return rc;
}

static int compare_names(const char *a, const char *b) /* as Hadoop does: bytes with a sign */
{
    while (*a && *a == *b)
        a++, b++;
    return !*a || !*b ? (*a != 0) - (*b != 0) : (signed char)*a - (signed char)*b;
}

static int by_parent_and_name(const void *a, const void *b)
{
    const struct name_at *x = a, *y = b;
    return x->parent != y->parent ? (x->parent > y->parent ? 1 : -1) : compare_names(x->name, y->name);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void sort(struct buf *list, size_t each, int (*compare)(const void *, const void *))
{
    if (list->len)
        qsort(list->base, list->len / each, each, compare);
}

/* ---- entries ---- */

/* Where an entry went: to the first name that its inode has later, unless it had that before as another name, or
 * another entry of it went there. */
static int find_target(struct diff *d, uint64_t id, const char **ret, struct err *reterr)
{
    struct inode *n = NULL;
    uint64_t there = 0;
    int rc = look(d, id, d->earlier, &n, reterr);
    bool has_others = n && n->more_links;
    rc = rc ? rc : look(d, id, d->later, &n, reterr);
    if (rc || !n || id_map_get(&d->targets, id))
        return rc;
    struct name_at *place = arena_new(d->a, struct name_at);
    *place = (struct name_at){n->parent, arena_strdup(d->a, n->name)};
    has_others = has_others || n->more_links;
    rc = has_others ? history_child_id(d->t, place->parent, place->name, d->earlier, &there, reterr) : 0;
    if (rc || there == id)
        return rc;
    rc = path_at(d, id, d->later, ret, reterr);
    if (!rc && *ret)
        id_map_put(&d->targets, id, place);
    return rc;
}

static int add_entry(struct diff *d, struct diff_node *node, const char *name, struct err *reterr)
{
    uint64_t then = 0, now = 0;
    txn_reset_if_large(d->t); /* what is new is not looked at any further */
    int rc = history_child_id(d->t, node->id, name, d->earlier, &then, reterr);
    rc = rc ? rc : history_child_id(d->t, node->id, name, d->later, &now, reterr);
    if (rc || then == now)
        return rc;
    if (now)
        node->created[node->created_count++] = (struct diff_child){.name = name, .id = now};
    if (!then)
        return 0;
    struct diff_child *c = &node->deleted[node->deleted_count++];
    *c = (struct diff_child){.name = name, .id = then};
    return find_target(d, then, &c->target, reterr);
}

/* The entries of one directory, which are next to each other in the list. */
static int add_directory(struct diff *d, const struct name_at *list, size_t count, struct err *reterr)
{
    struct diff_node node = {.id = list->parent, .is_dir = true};
    int rc = place_of(d, node.id, &node.path, reterr);
    if (rc || !node.path)
        return rc;
    node.created = arena_array(d->a, struct diff_child, count);
    node.deleted = arena_array(d->a, struct diff_child, count);
    for (size_t i = 0; !rc && i < count; i++)
        if (!i || strcmp(list[i].name, list[i - 1].name))
            rc = add_entry(d, &node, list[i].name, reterr);
    if (rc || !(node.created_count + node.deleted_count))
        return rc;
    buf_append(&d->nodes, &node, sizeof node);
    return 0;
}

static int add_directories(struct diff *d, struct err *reterr)
{
    const struct name_at *list = (void *)d->names.base;
    size_t count = d->names.len / sizeof *list;
    int rc = 0;
    for (size_t i = 0, next; !rc && i < count; i = next) {
        for (next = i + 1; next < count && list[next].parent == list[i].parent; next++)
            ;
        rc = add_directory(d, list + i, next - i, reterr);
    }
    return rc;
}

/* ---- attributes ---- */

/* All that counts as a change: not times, not where it is, not how it is kept. */
static void essence(const struct inode *n, struct buf *to)
{
    struct inode e = *n;
    history_settle(&e); /* as a snapshot taken now would show it */
    uint64_t length = inode_length(&e);
    for (size_t i = 0; i < e.block_count; i++) /* an edit may leave the length as it was */
        buf_append(to, &e.blocks[i].id, sizeof e.blocks[i].id);
    e.parent = e.mtime_ns = e.atime_ns = e.ctime_ns = e.child_count = e.subdir_count = 0;
    e.entered = e.saved = e.floor_count = e.snapshot_count = e.block_count = 0;
    e.more_links = e.kept_replication = 0;
    e.lost_count = 0;
    e.is_snapshottable = e.is_open = e.is_held = false;
    e.name = "";
    inode_encode(&e, to);
    buf_append(to, &length, sizeof length);
}

/* A file that changed did so under each name that it had and has. first: its place by the first of them, or NULL. */
static int add_other_names(struct diff *d, uint64_t id, const char *first, struct err *reterr)
{
    struct inode_link *stored = NULL;
    size_t count = 0;
    int rc = links_stored(d->t, id, &stored, &count, reterr);
    if (rc || !count)
        return rc;
    struct inode_link *links = arena_memdup(d->a, stored, count * sizeof *links);
    for (size_t i = 0; i < count; i++)
        links[i].name = arena_strdup(d->a, links[i].name);
    for (size_t i = 0; !rc && i < count; i++) {
        uint64_t then = 0;
        struct diff_node node = {.id = id};
        rc = history_child_id(d->t, links[i].parent, links[i].name, d->earlier, &then, reterr);
        if (rc || then != id)
            continue;
        rc = place_of(d, links[i].parent, &node.path, reterr);
        if (rc || !node.path)
            continue;
        node.path = joined(d->a, node.path, links[i].name);
        if (!first || strcmp(first, node.path))
            buf_append(&d->nodes, &node, sizeof node);
    }
    return rc;
}

static int add_inode(struct diff *d, uint64_t id, struct err *reterr)
{
    AUTO(buf_free) struct buf then = {0}, now = {0};
    struct inode *n = NULL;
    struct diff_node node = {.id = id};
    int rc = look(d, id, d->earlier, &n, reterr);
    if (rc || !n || n->type == INODE_SYMLINK)
        return rc;
    node.is_dir = inode_is_dir(n);
    bool has_others = n->more_links;
    essence(n, &then);
    rc = look(d, id, d->later, &n, reterr);
    if (rc || !n)
        return rc;
    essence(n, &now);
    if (then.len == now.len && !memcmp(then.base, now.base, now.len))
        return 0;
    rc = place_of(d, id, &node.path, reterr);
    if (!rc && node.path)
        buf_append(&d->nodes, &node, sizeof node);
    return rc || !has_others ? rc : add_other_names(d, id, node.path, reterr);
}

static int add_inodes(struct diff *d, struct err *reterr)
{
    struct id_map known = {0};
    const struct diff_node *nodes = (void *)d->nodes.base;
    for (size_t i = 0; i < d->nodes.len / sizeof *nodes; i++)
        id_map_put(&known, nodes[i].id, nowhere);
    const uint64_t *list = (void *)d->inodes.base;
    int rc = 0;
    for (size_t i = 0; !rc && i < d->inodes.len / sizeof *list; i++)
        if ((!i || list[i] != list[i - 1]) && !id_map_get(&known, list[i]))
            rc = add_inode(d, list[i], reterr);
    id_map_free(&known, NULL);
    return rc;
}

/* ---- order ---- */

int snapshot_diff_compare(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    int x = *a == '/' ? -129 : (signed char)*a, y = *b == '/' ? -129 : (signed char)*b;
    return !*a || !*b ? (*a != 0) - (*b != 0) : x - y;
}

struct ordered {
    struct diff_node node;
    const char *path;
    size_t depth;
};

static int by_path(const void *a, const void *b)
{
    return snapshot_diff_compare(((const struct diff_node *)a)->path, ((const struct diff_node *)b)->path);
}

static int by_depth(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    return x->depth != y->depth ? (x->depth > y->depth ? 1 : -1) : snapshot_diff_compare(x->path, y->path);
}

/* HDFS sorts what it reports by where it is now: first what is higher up. */
static int order_for_report(struct diff *d, struct diff_node *nodes, size_t count, struct err *reterr)
{
    struct ordered *list = arena_array(d->a, struct ordered, count + 1);
    for (size_t i = 0; i < count; i++) {
        list[i].node = nodes[i];
        int rc = path_at(d, nodes[i].id, 0, &list[i].path, reterr);
        if (rc)
            return rc;
        list[i].path = list[i].path ? list[i].path : nodes[i].path;
        list[i].depth = *list[i].path != 0;
        for (const char *c = list[i].path; *c; c++)
            list[i].depth += *c == '/';
    }
    if (count)
        qsort(list, count, sizeof *list, by_depth);
    for (size_t i = 0; i < count; i++)
        nodes[i] = list[i].node;
    return 0;
}

static int finish(struct diff *d, bool is_for_report, struct snapshot_diff *ret, struct err *reterr)
{
    ret->count = d->nodes.len / sizeof *ret->nodes;
    ret->nodes = arena_array(d->a, struct diff_node, ret->count + 1);
    if (ret->count)
        memcpy(ret->nodes, d->nodes.base, d->nodes.len);
    for (size_t i = 0; i < ret->count; i++)
        for (size_t k = 0; k < ret->nodes[i].created_count; k++) {
            struct diff_child *c = &ret->nodes[i].created[k];
            const struct name_at *place = id_map_get(&d->targets, c->id);
            c->is_moved = place && place->parent == ret->nodes[i].id && !strcmp(place->name, c->name);
        }
    if (is_for_report)
        return order_for_report(d, ret->nodes, ret->count, reterr);
    if (ret->count)
        qsort(ret->nodes, ret->count, sizeof *ret->nodes, by_path);
    return 0;
}

/* ---- the whole ---- */

static int find_root(struct diff *d, const struct path *p, const char **ret_path, struct err *reterr)
{
    const struct inode *n = path_target(p);
    if (!d->t->dir->diffs_below_roots && n && inode_is_dir(n) && !n->is_snapshottable)
        return err_set(reterr, ERR_SNAPSHOT, "Directory is not a snapshottable directory: %s", p->text);
    for (size_t i = p->found; i-- > 0;)
        if (p->inodes[i]->is_snapshottable) {
            d->root = p->inodes[i]->id;
            *ret_path = arena_strdup(d->a, path_prefix(d->t, p, i));
            return 0;
        }
    return err_set(reterr, ERR_SNAPSHOT, "The path %s is neither snapshottable nor under a snapshot root!", p->text);
}

static int find_snapshot(struct diff *d, const char *root, const char *name, uint64_t *ret, struct err *reterr)
{
    uint64_t mtime_ns;
    *ret = 0;
    int rc = *name ? history_find(d->t, d->root, name, ret, &mtime_ns, reterr) : 0;
    if (!rc && *name && !*ret)
        rc = err_set(reterr, ERR_SNAPSHOT, "Cannot find the snapshot of directory %s with name %s", root, name);
    return rc;
}

static int check_directory(struct diff *d, uint64_t id, uint64_t as_of, struct buf *stack, struct err *reterr)
{
    struct inode *n = NULL, *child = NULL;
    struct dir_iter it;
    txn_reset(d->t);
    int rc = history_inode(d->t, id, as_of, &n, reterr);
    if (!rc && !access_allowed(d->user, n, ACCESS_READ)) {
        const char *where = n->name;
        if (txn_path(d->t, n, &where, NULL))
            where = n->name;
        return access_check(d->user, n, ACCESS_READ, where, reterr);
    }
    if (rc || !n->subdir_count)
        return rc;
    dir_iter_open(&it, d->t, n, "", 0);
    while (!rc && dir_iter_next(&it)) {
        if (++d->looks % RESET_EVERY == 0)
            txn_reset(d->t);
        rc = dir_iter_inode(&it, d->t, &child, reterr);
        if (!rc && inode_is_dir(child))
            buf_append(stack, &child->id, sizeof child->id);
    }
    int close_rc = dir_iter_close(&it, rc ? NULL : reterr);
    return rc ? rc : close_rc;
}

/* Whoever is not the superuser has to be able to read every directory, as in HDFS: a walk over the tree of that time.
 */
static int check_may_read(struct diff *d, uint64_t as_of, struct err *reterr)
{
    AUTO(buf_free) struct buf stack = {0};
    struct inode *top = NULL;
    int rc = d->user->is_super ? 0 : look(d, d->scope, as_of, &top, reterr);
    if (rc || !top)
        return rc;
    buf_append(&stack, &d->scope, sizeof d->scope);
    while (!rc && stack.len) {
        uint64_t id;
        stack.len -= sizeof id;
        memcpy(&id, stack.base + stack.len, sizeof id);
        rc = check_directory(d, id, as_of, &stack, reterr);
    }
    return rc;
}

static int compute(struct diff *d, struct err *reterr)
{
    int rc = check_may_read(d, d->earlier, reterr);
    rc = rc ? rc : check_may_read(d, d->later, reterr);
    rc = rc ? rc : collect(d, reterr);
    sort(&d->names, sizeof(struct name_at), by_parent_and_name);
    sort(&d->inodes, sizeof(uint64_t), by_number);
    rc = rc ? rc : add_directories(d, reterr);
    return rc ? rc : add_inodes(d, reterr);
}

int snapshot_diff(struct txn *t, const struct fs_user *u, const char *path, const char *from, const char *to,
                  bool is_for_report, struct arena *a, struct snapshot_diff *ret, struct err *reterr)
{
    struct diff d = {.t = t, .a = a, .user = u};
    struct path p;
    uint64_t a_id = 0, b_id = 0;
    *ret = (struct snapshot_diff){0};
    int rc = path_resolve(t, u, path, PATH_MAY_MISS | PATH_SNAPSHOT, &p, reterr);
    rc = rc ? rc : find_root(&d, &p, &ret->root, reterr);
    if (!rc && !path_target(&p))
        rc = err_set(reterr, ERR_NOT_FOUND, "Directory does not exist: %s", p.text);
    if (!rc && !inode_is_dir(path_target(&p)))
        rc = err_set(reterr, ERR_NOT_DIR, "`%s': Is not a directory\n", p.text);
    rc = rc ? rc : access_check(u, path_target(&p), ACCESS_READ, p.text, reterr);
    rc = rc ? rc : find_snapshot(&d, ret->root, from, &a_id, reterr);
    rc = rc ? rc : find_snapshot(&d, ret->root, to, &b_id, reterr);
    if (rc || a_id == b_id)
        return rc;
    d.scope = path_target(&p)->id;
    ret->is_from_earlier = a_id && (!b_id || a_id < b_id);
    d.earlier = ret->is_from_earlier ? a_id : b_id;
    d.later = ret->is_from_earlier ? b_id : a_id;
    rc = compute(&d, reterr);
    rc = rc ? rc : finish(&d, is_for_report, ret, reterr);
    buf_free(&d.names);
    buf_free(&d.inodes);
    buf_free(&d.nodes);
    id_map_free(&d.places, NULL);
    id_map_free(&d.targets, NULL);
    return rc;
}

/* Random changes against the simplest model there is: a full copy of the tree for every snapshot. */
#include "tests/unit/namenode/namespace/history_trees.h"

#include "namenode/namespace/history.h"
#include "namenode/namespace/links.h"
#include "namenode/namespace/snapshot_diff.h"
#include "namenode/namespace/snapshots.h"

#define BLOCK_BYTES   1000
#define SNAPSHOTS_MAX 40
#define PATHS_MAX     400
#define NODES_WANTED  60

struct taken {
    char dir[256], name[16];
    char *tree; /* what the directory was */
};

struct world {
    struct fixture *f;
    uint64_t random;
    struct taken snapshots[SNAPSHOTS_MAX];
    size_t snapshot_count, names_given;
    char *paths[PATHS_MAX]; /* of everything there is now */
    bool is_dir[PATHS_MAX];
    size_t path_count;
    bool with_links;
    size_t checked, differences, links_seen, edits; /* that the test is about something */
};

static uint64_t next_random(struct world *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}
static size_t below(struct world *w, size_t limit)
{
    return (size_t)(next_random(w) % limit);
}

/* ---- the model: a text of all there is to see below a directory ---- */

static void dump(struct txn *t, const struct inode *n, const char *at, struct buf *out, struct err *reterr)
{
    buf_printf(out, "%s %llu type=%d mode=%o %s:%s mtime=%llu children=%llu/%llu repl=%u %s", at,
               (unsigned long long)n->id, n->type, n->mode, n->owner, n->group, (unsigned long long)n->mtime_ns,
               (unsigned long long)n->child_count, (unsigned long long)n->subdir_count, n->replication,
               n->target ? n->target : "");
    size_t blocks = n->block_count;
    while (blocks && !n->blocks[blocks - 1].length_bytes)
        blocks--;
    if (blocks && n->truncate_length != BLOCKS_NO_TRUNCATE) /* a snapshot sees what it will be */
        n->blocks[blocks - 1].length_bytes = n->truncate_length;
    for (size_t i = 0; i < blocks; i++)
        buf_printf(out, " %llu:%llu", (unsigned long long)n->blocks[i].id,
                   (unsigned long long)n->blocks[i].length_bytes);
    buf_append_str(out, "\n");
    if (!inode_is_dir(n))
        return;
    struct dir_iter d;
    uint64_t seen = 0;
    dir_iter_open(&d, t, n, "", 0);
    while (dir_iter_next(&d)) {
        struct inode *child = NULL, *again = NULL;
        char path[1200];
        assert_int_equal(dir_iter_inode(&d, t, &child, reterr), 0);
        snprintf(path, sizeof path, "%s/%.*s", at, (int)d.name_len, d.name);
        assert_int_equal(strlen(child->name), d.name_len);
        assert_memory_equal(child->name, d.name, d.name_len);
        assert_int_equal(txn_child(t, n, child->name, &again, reterr), 0);
        assert_non_null(again);
        assert_int_equal(again->id, child->id);
        dump(t, child, path, out, reterr);
        seen++;
    }
    assert_int_equal(dir_iter_close(&d, reterr), 0);
    assert_int_equal(seen, n->child_count);
}

static char *dump_path(struct fixture *f, const char *path)
{
    struct txn t;
    struct path p;
    struct buf out = {0};
    txn_begin(&t, f->nn.dir, f->now_ns);
    assert_int_equal(path_resolve(&t, &f->root, path, PATH_SNAPSHOT, &p, ERR(f)), 0);
    dump(&t, path_target(&p), "", &out, ERR(f));
    txn_end(&t);
    return buf_detach(&out);
}

static char *without_first_line(char *text) /* the root's own time and count change with the taking itself */
{
    return strchr(text, '\n') + 1;
}

static void check_snapshot(struct world *w, const struct taken *s)
{
    char path[600];
    snprintf(path, sizeof path, "%s/.snapshot/%s", s->dir, s->name);
    char *now = dump_path(w->f, path);
    if (strcmp(without_first_line(now), without_first_line(s->tree)))
        fail_msg("%s is not what it was\n--- then\n%s--- now\n%s", path, s->tree, now);
    free(now);
    w->checked++;
}

/* ---- what there is now ---- */

static void add_paths(struct world *w, struct txn *t, const struct inode *n, const char *at)
{
    struct dir_iter d;
    dir_iter_open(&d, t, n, "", 0);
    while (dir_iter_next(&d) && w->path_count < PATHS_MAX) {
        struct inode *child = NULL;
        char path[1200];
        assert_int_equal(dir_iter_inode(&d, t, &child, ERR(w->f)), 0);
        snprintf(path, sizeof path, "%s/%s", at, child->name);
        w->is_dir[w->path_count] = inode_is_dir(child);
        w->paths[w->path_count++] = mem_strdup(path);
        if (inode_is_dir(child))
            add_paths(w, t, child, path);
    }
    assert_int_equal(dir_iter_close(&d, ERR(w->f)), 0);
}

static void forget_paths(struct world *w)
{
    while (w->path_count)
        free(w->paths[--w->path_count]);
}

static void look_around(struct world *w)
{
    struct txn t;
    struct inode *root = NULL;
    forget_paths(w);
    txn_begin(&t, w->f->nn.dir, w->f->now_ns);
    assert_int_equal(txn_inode(&t, INODE_ROOT, &root, ERR(w->f)), 0);
    add_paths(w, &t, root, "");
    txn_end(&t);
}

static const char *any(struct world *w, bool dir)
{
    for (size_t tries = 0; w->path_count && tries < 50; tries++) {
        size_t i = below(w, w->path_count);
        if (w->is_dir[i] == dir)
            return w->paths[i];
    }
    return dir ? "/" : NULL;
}

static const char *new_path(struct world *w)
{
    static char path[1300];
    const char *parent = below(w, 8) ? any(w, true) : "/";
    snprintf(path, sizeof path, "%s/%c", strcmp(parent, "/") ? parent : "", (char)('a' + below(w, 7)));
    return path;
}

/* ---- changes ---- */

static int find(struct txn *t, struct fixture *f, const char *path, struct path *p)
{
    return path_resolve(t, &f->root, path, PATH_MAY_MISS | PATH_NO_FOLLOW, p, ERR(f));
}

static void grow(struct world *w, struct txn *t, struct inode *n)
{
    struct file_block *last = inode_last_block(n);
    if (last && last->length_bytes < BLOCK_BYTES && !file_block_is_hole(last) &&
        below(w, 2)) { /* append in the last block */
        txn_set_block(t, n, last, txn_next_stamp(t), last->length_bytes + 1, BLOCK_COMPLETE);
    } else {
        struct file_block *b = txn_add_block(t, n);
        txn_set_block(t, n, b, b->stamp, 1 + below(w, BLOCK_BYTES), BLOCK_COMPLETE);
    }
    n->mtime_ns = t->now_ns;
}

static int write_file(struct world *w, struct txn *t, const char *path)
{
    struct path p;
    int rc = find(t, w->f, path, &p);
    if (rc || !path_parent(&p) || !inode_is_dir(path_parent(&p)))
        return ERR_NOT_FOUND;
    struct inode *there = path_target(&p);
    if (there && inode_is_dir(there))
        return ERR_EXISTS;
    if (there) {
        assert_int_equal(txn_unlink(t, path_parent(&p), path_name(&p), there, ERR(w->f)), 0);
        txn_discard(t, there);
    }
    struct inode *n = txn_new_inode(t, INODE_FILE, 0644, "ann", "staff");
    n->replication = (uint16_t)(1 + below(w, 3));
    n->block_bytes = BLOCK_BYTES;
    txn_link(t, path_parent(&p), path_name(&p), n);
    for (size_t i = below(w, 4); i-- > 0;)
        grow(w, t, n);
    if (!below(w, 4)) {
        txn_open_file(t, n, "writer", "127.0.0.1");
        if (below(w, 2))
            txn_add_block(t, n);
    }
    return 0;
}

static int change_blocks(struct world *w, struct txn *t, const char *path)
{
    struct path p;
    int rc = path ? find(t, w->f, path, &p) : ERR_NOT_FOUND;
    struct inode *n = rc ? NULL : path_target(&p);
    if (!n || !inode_is_file(n))
        return ERR_NOT_FOUND;
    struct file_block *last = inode_last_block(n);
    if (last && n->truncate_source) {
        txn_set_block(t, n, last, last->stamp, n->truncate_length, BLOCK_COMPLETE);
        txn_close_file(t, n);
        return 0;
    }
    if (last && last->state == BLOCK_UNDER_CONSTRUCTION) {
        if (below(w, 2))
            txn_drop_last_block(t, n);
        else
            txn_set_block(t, n, last, last->stamp, 1 + below(w, BLOCK_BYTES), BLOCK_COMPLETE);
        if (below(w, 2))
            txn_close_file(t, n);
        return 0;
    }
    bool is_kept = false;
    if (last && file_block_is_hole(last) && last->length_bytes > 1 && below(w, 2)) {
        txn_cut_hole(t, n, last->length_bytes - 1);
        return 0;
    }
    if (last && file_block_is_hole(last))
        last = NULL;
    assert_int_equal(last ? history_keeps_block(t, n, last, &is_kept, ERR(w->f)) : 0, 0);
    if (is_kept && last->length_bytes > 1 && below(w, 2)) { /* truncated inside: a copy, that takes its time */
        txn_open_file(t, n, "HDFS_NameNode", "");
        txn_copy_last_block(t, n, last->length_bytes - 1);
        return 0;
    }
    for (size_t i = below(w, 3); i-- > 0 && n->block_count;)
        txn_drop_last_block(t, n);
    for (size_t i = below(w, 3); i-- > 0;)
        grow(w, t, n);
    return 0;
}

/* A run of blocks, anywhere in the file, becomes others and holes. */
static int edit_blocks(struct world *w, struct txn *t, const char *path)
{
    struct path p;
    int rc = path ? find(t, w->f, path, &p) : ERR_NOT_FOUND;
    struct inode *n = rc ? NULL : path_target(&p);
    if (!n || !inode_is_file(n) || n->is_open)
        return ERR_NOT_FOUND;
    size_t from = below(w, n->block_count + 1), gone = below(w, n->block_count - from + 1), count = 0;
    size_t added = below(w, 4);
    struct file_block *list = arena_array(&t->arena, struct file_block, n->block_count + added);
    for (; count < from; count++)
        list[count] = n->blocks[count];
    for (size_t i = 0; i < added; i++) {
        struct file_block b = {ZERO_BLOCK_ID, ZERO_BLOCK_STAMP, 1 + below(w, 5 * BLOCK_BYTES), BLOCK_COMPLETE};
        if (below(w, 3))
            txn_new_block(t, &b.id, &b.stamp);
        list[count++] = b;
    }
    for (size_t i = from + gone; i < n->block_count; i++)
        list[count++] = n->blocks[i];
    txn_edit_blocks(t, n, list, count);
    n->mtime_ns = n->ctime_ns = t->now_ns;
    w->edits++;
    return 0;
}

static void end_graces(struct world *w)
{
    bool more = true;
    w->f->now_ms += GRACE_MS;
    while (more)
        assert_int_equal(graves_step(&w->f->nn, w->f->now_ms, &more, ERR(w->f)), 0);
}

/* All files of a directory that no snapshot knows become part of one. */
static int concat(struct world *w, struct txn *t, const char *path)
{
    struct path p;
    int rc = path ? find(t, w->f, path, &p) : ERR_NOT_FOUND;
    struct inode *to = rc ? NULL : path_target(&p), *from = NULL;
    char name[2] = {(char)('a' + below(w, 7)), 0};
    bool is_covered = true;
    if (!to || !inode_is_file(to) || to->is_open || txn_child(t, path_parent(&p), name, &from, ERR(w->f)) || !from ||
        from == to || !inode_is_file(from) || from->is_open)
        return ERR_NOT_FOUND;
    rc = history_is_covered(t, from, &is_covered, ERR(w->f));
    if (rc || is_covered || from->more_links)
        return rc ? rc : ERR_SNAPSHOT;
    txn_move_blocks(t, to, from);
    assert_int_equal(txn_unlink(t, path_parent(&p), name, from, ERR(w->f)), 0);
    txn_erase(t, from);
    return 0;
}

static void take(struct world *w)
{
    look_around(w);
    const char *dir = any(w, true);
    for (size_t i = 0; i < 10 && !look(w->f, dir).is_snapshottable; i++)
        dir = any(w, true);
    if (w->snapshot_count == SNAPSHOTS_MAX || !strcmp(dir, "/"))
        return;
    if (!below(w, 3))
        (void)IN_TXN(w->f, snapshot_allow(t, dir, ERR(w->f)));
    struct taken s = {.tree = dump_path(w->f, dir)};
    const char *path = NULL;
    snprintf(s.dir, sizeof s.dir, "%s", dir);
    snprintf(s.name, sizeof s.name, "s%zu", w->names_given++);
    if (strlen(dir) >= sizeof s.dir || IN_TXN(w->f, snapshot_create(t, &w->f->root, dir, s.name, &path, ERR(w->f))))
        free(s.tree);
    else
        w->snapshots[w->snapshot_count++] = s;
}

static void drop(struct world *w, size_t i)
{
    struct taken s = w->snapshots[i];
    assert_int_equal(IN_TXN(w->f, snapshot_delete(t, &w->f->root, s.dir, s.name, ERR(w->f))), 0);
    free(s.tree);
    w->snapshots[i] = w->snapshots[--w->snapshot_count];
}

static void rename_one(struct world *w)
{
    struct taken *s = &w->snapshots[below(w, w->snapshot_count)];
    char to[16];
    snprintf(to, sizeof to, "s%zu", w->names_given++);
    assert_int_equal(IN_TXN(w->f, snapshot_rename(t, &w->f->root, s->dir, s->name, to, ERR(w->f))), 0);
    snprintf(s->name, sizeof s->name, "%s", to);
}

static int link_file(struct world *w, struct txn *t, const char *file, const char *to)
{
    struct path p, there;
    int rc = file ? find(t, w->f, file, &p) : ERR_NOT_FOUND;
    rc = rc ? rc : find(t, w->f, to, &there);
    if (rc || !path_target(&p) || inode_is_dir(path_target(&p)) || path_target(&there) || !path_parent(&there) ||
        !inode_is_dir(path_parent(&there)))
        return ERR_NOT_FOUND;
    return txn_add_link(t, path_parent(&there), path_name(&there), path_target(&p), ERR(w->f));
}

static int exchange(struct world *w, struct txn *t, const char *one, const char *other)
{
    struct path a, b;
    size_t len = strlen(one), other_len = strlen(other);
    if (!strncmp(one, other, len < other_len ? len : other_len)) /* one above the other, or nearly */
        return ERR_NOT_FOUND;
    int rc = find(t, w->f, one, &a);
    rc = rc ? rc : find(t, w->f, other, &b);
    if (rc || !path_target(&a) || !path_target(&b) || path_target(&a) == path_target(&b))
        return ERR_NOT_FOUND;
    bool has_snapshottable = false;
    rc = snapshot_check_removal(t, path_target(&a), &has_snapshottable, ERR(w->f));
    rc = rc || has_snapshottable ? ERR_SNAPSHOT
                                 : snapshot_check_removal(t, path_target(&b), &has_snapshottable, ERR(w->f));
    if (rc || has_snapshottable)
        return ERR_SNAPSHOT;
    struct entry x = {path_parent(&a), path_name(&a), path_target(&a)};
    struct entry y = {path_parent(&b), path_name(&b), path_target(&b)};
    return txn_exchange(t, &x, &y, ERR(w->f));
}

static void change(struct world *w)
{
    struct fixture *f = w->f;
    bool done;
    size_t what = below(w, 100);
    const char *file = any(w, false), *either = below(w, 2) && file ? file : any(w, true);
    if (w->with_links && !below(w, 5)) {
        (void)IN_TXN(f, link_file(w, t, file, new_path(w)));
        return;
    }
    if (w->with_links && !below(w, 12)) {
        const char *other = any(w, below(w, 2));
        (void)IN_TXN(f, exchange(w, t, either, other ? other : "/"));
        return;
    }
    if (what < 15 || (what < 30 && w->path_count < NODES_WANTED))
        (void)IN_TXN(f, tree_mkdirs(t, &f->root, new_path(w), 0755, true, ERR(f)));
    else if (what < 45)
        (void)IN_TXN(f, write_file(w, t, new_path(w)));
    else if (what < 55)
        (void)(below(w, 2) ? IN_TXN(f, change_blocks(w, t, file)) : IN_TXN(f, edit_blocks(w, t, file)));
    else if (what < 70)
        (void)IN_TXN(f, tree_rename2(t, &f->root, either, new_path(w), below(w, 2), ERR(f)));
    else if (what < 73)
        (void)IN_TXN(f, tree_rename(t, &f->root, either, any(w, true), &done, ERR(f)));
    else if (what < 78)
        (void)IN_TXN(f, tree_delete(t, &f->root, either, true, &done, ERR(f)));
    else if (what < 82)
        (void)IN_TXN(f, tree_set_permission(t, &f->root, either, (uint16_t)below(w, 0777), ERR(f)));
    else if (what < 84)
        (void)IN_TXN(f, concat(w, t, file));
    else if (what < 91)
        take(w);
    else if (what < 92 + w->snapshot_count / 8 && w->snapshot_count)
        drop(w, below(w, w->snapshot_count));
    else if (what < 98 && w->snapshot_count && below(w, 2))
        rename_one(w);
    else if (what < 98)
        (void)IN_TXN(f, snapshot_disallow(t, any(w, true), ERR(f)));
}

/* ---- blocks and remains ---- */

static bool mentions(const char *text, uint64_t block)
{
    char number[32];
    snprintf(number, sizeof number, " %llu:", (unsigned long long)block);
    return strstr(text, number) != NULL;
}

static bool is_being_copied(struct fixture *f, const struct block_record *b)
{
    struct txn t;
    struct inode *n = NULL;
    txn_begin(&t, f->nn.dir, 0);
    bool found = !txn_inode(&t, b->inode_id, &n, NULL) && n->truncate_source == b->block_id;
    txn_end(&t);
    return found;
}

/* Once all is reaped: just the blocks that the tree or a snapshot has. Blocks without bytes are in no dump. */
static void check_blocks(struct world *w)
{
    struct fixture *f = w->f;
    uint64_t count = 0, complete = 0;
    end_graces(w);
    char *now = dump_path(f, "/");
    struct store_iter *it = store_iter_new(f->nn.store, NULL, true);
    for (store_iter_seek(it, "b", 1); store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        struct block_record b;
        if (key.base[0] != 'b')
            break;
        assert_int_equal(block_record_decode(be64_get(key.base + 1), store_iter_value(it), &b, ERR(f)), 0);
        bool found = mentions(now, b.block_id) || !b.bytes || is_being_copied(f, &b);
        for (size_t i = 0; !found && i < w->snapshot_count; i++)
            found = mentions(w->snapshots[i].tree, b.block_id);
        if (!found)
            fail_msg("block %llu belongs to nothing", (unsigned long long)b.block_id);
        count++;
        complete += b.state == BLOCK_COMPLETE;
    }
    store_iter_free(it);
    free(now);
    assert_int_equal(count, f->nn.dir->counters.blocks);
    assert_int_equal(complete, f->nn.dir->counters.complete_blocks);
}

static void check_block_is_there(struct world *w, const char *tree)
{
    struct txn t;
    txn_begin(&t, w->f->nn.dir, 0);
    for (const char *at = tree; (at = strchr(at, ':'));) {
        const char *number = ++at - 1;
        while (number > tree && number[-1] >= '0' && number[-1] <= '9')
            number--;
        struct block_record b;
        if (number > tree && number[-1] == ' ' && number + 1 < at && strtoull(number, NULL, 10) != ZERO_BLOCK_ID)
            assert_int_equal(txn_block(&t, strtoull(number, NULL, 10), &b, ERR(w->f)), 0);
    }
    txn_end(&t);
}

/* ---- differences ---- */

static void check_difference(struct world *w)
{
    static struct tree a, b;
    const struct taken *from = &w->snapshots[below(w, w->snapshot_count)], *to = NULL;
    for (size_t i = 0; i < w->snapshot_count; i++)
        if (&w->snapshots[i] != from && !strcmp(w->snapshots[i].dir, from->dir) && below(w, 2))
            to = &w->snapshots[i];
    struct txn t;
    struct arena memory;
    struct snapshot_diff d;
    arena_init(&memory, 64 << 20);
    txn_begin_snapshot(&t, w->f->nn.dir);
    assert_int_equal(
        snapshot_diff(&t, &w->f->root, from->dir, from->name, to ? to->name : "", below(w, 2), &memory, &d, ERR(w->f)),
        0);
    txn_end(&t);
    tree_read(w->f, from->dir, from->name, &a);
    tree_read(w->f, from->dir, to ? to->name : "", &b);
    char *wanted = d.is_from_earlier ? naive_difference(&a, &b) : naive_difference(&b, &a);
    char *got = found_difference(&d);
    if (strcmp(wanted, got))
        fail_msg("difference in %s between %s and %s\n--- wanted\n%s--- got\n%s", from->dir, from->name,
                 to ? to->name : "now", wanted, got);
    w->differences += d.count;
    free(wanted);
    free(got);
    arena_free(&memory);
}

/* ---- names: every inode knows just those that it has ---- */

struct known_name {
    uint64_t inode, parent;
    char name[8];
};

static int by_content(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct known_name));
}

static struct known_name known_name(uint64_t inode, uint64_t parent, const char *name, size_t len)
{
    struct known_name k;
    memset(&k, 0, sizeof k);
    k.inode = inode;
    k.parent = parent;
    assert_true(len < sizeof k.name);
    memcpy(k.name, name, len);
    return k;
}

/* What is cut off and not yet reaped is there too. */
static void check_names(struct world *w)
{
    struct buf entries = {0}, known = {0};
    struct store_iter *it = store_iter_new(w->f->nn.store, NULL, true);
    uint64_t links = 0, more = 0;
    struct txn t;
    txn_begin(&t, w->f->nn.dir, 0);
    for (store_iter_seek(it, "d", 1); store_iter_valid(it) && store_iter_key(it).base[0] == 'd'; store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        struct known_name k = known_name(be64_get(store_iter_value(it).base), be64_get(key.base + 1),
                                         (const char *)key.base + 9, key.len - 9);
        buf_append(&entries, &k, sizeof k);
    }
    for (store_iter_seek(it, "i", 1); store_iter_valid(it) && store_iter_key(it).base[0] == 'i'; store_iter_next(it)) {
        struct inode *n = NULL;
        assert_int_equal(txn_peek(&t, be64_get(store_iter_key(it).base + 1), &n, ERR(w->f)), 0);
        struct known_name k = known_name(n->id, n->parent, n->name, strlen(n->name));
        if (n->parent != INODE_NONE && n->id != INODE_ROOT)
            buf_append(&known, &k, sizeof k);
        assert_true(n->parent != INODE_NONE || !n->more_links);
        more += n->more_links;
    }
    for (store_iter_seek(it, "l", 1); store_iter_valid(it) && store_iter_key(it).base[0] == 'l'; store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        struct known_name k =
            known_name(be64_get(key.base + 1), be64_get(key.base + 9), (const char *)key.base + 17, key.len - 17);
        buf_append(&known, &k, sizeof k);
        links++;
    }
    store_iter_free(it);
    txn_end(&t);
    assert_int_equal(links, more);
    assert_int_equal(entries.len, known.len);
    qsort(entries.base, entries.len / sizeof(struct known_name), sizeof(struct known_name), by_content);
    qsort(known.base, known.len / sizeof(struct known_name), sizeof(struct known_name), by_content);
    assert_memory_equal(entries.base, known.base, known.len);
    w->links_seen += links;
    buf_free(&entries);
    buf_free(&known);
}

static void check_all(struct world *w)
{
    check_names(w);
    for (size_t i = 0; i < w->snapshot_count; i++) {
        check_snapshot(w, &w->snapshots[i]);
        check_block_is_there(w, w->snapshots[i].tree);
    }
}

static void check_nothing_is_left(struct fixture *f)
{
    struct store_iter *it = store_iter_new(f->nn.store, NULL, true);
    for (store_iter_seek(it, "", 0); store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        if (strchr("DGITXrg", key.base[0]) || (key.base[0] == 'S' && key.len > 9))
            fail_msg("a record of table '%c' is left", key.base[0]);
    }
    store_iter_free(it);
    assert_false(history_is_used(f->nn.dir));
    assert_int_equal(history_snapshot_count(f->nn.dir), 0);
}

static void run(void **state, uint64_t seed, size_t steps, bool with_links)
{
    struct world w = {.f = *state, .random = seed * 0x9E3779B97F4A7C15ull + 1, .with_links = with_links};
    for (size_t i = 0; i < 4; i++) {
        static const char *const dirs[] = {"/a", "/b", "/c/d", "/c/e"};
        mkdirs(w.f, dirs[i]);
        assert_int_equal(IN_TXN(w.f, snapshot_allow(t, dirs[i], ERR(w.f))), 0);
    }
    for (size_t i = 0; i < steps; i++) {
        if (i % 4 == 0)
            look_around(&w);
        change(&w);
        if (!below(&w, 3))
            reap_some(w.f);
        if (i % 40 == 39)
            check_all(&w);
        if (w.snapshot_count && !below(&w, 10) && !with_links) /* the model of differences knows one name of each */
            check_difference(&w);
        if (!below(&w, 50))
            end_graces(&w);
        if (!below(&w, 300)) {
            fixture_reopen(w.f);
            check_all(&w);
        }
        if (!below(&w, 200)) {
            reap_all(w.f);
            check_all(&w);
            check_blocks(&w);
        }
    }
    while (w.snapshot_count) {
        drop(&w, below(&w, w.snapshot_count));
        if (below(&w, 2))
            reap_some(w.f);
        check_all(&w);
    }
    reap_all(w.f);
    check_blocks(&w);
    check_nothing_is_left(w.f);
    forget_paths(&w);
    print_message("%zu snapshots taken, %zu times compared, %zu differences, %zu edits\n", w.names_given, w.checked,
                  w.differences, w.edits);
    assert_true(w.checked > 500 && (with_links ? w.links_seen : w.differences) > 100 && w.edits > 30);
}

static void test_snapshots_stay_what_they_were(void **state)
{
    const char *seed = getenv("SEED"), *steps = getenv("STEPS");
    uint64_t first = seed ? strtoull(seed, NULL, 10) : 1;
    print_message("SEED=%llu replays it\n", (unsigned long long)first);
    run(state, first, steps ? strtoull(steps, NULL, 10) : 4000, false);
}

static void test_another_seed(void **state)
{
    run(state, 77, 2000, false);
}

static void test_with_several_names(void **state)
{
    const char *seed = getenv("SEED"), *steps = getenv("STEPS");
    run(state, seed ? strtoull(seed, NULL, 10) : 5, steps ? strtoull(steps, NULL, 10) : 4000, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_snapshots_stay_what_they_were, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_another_seed, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_with_several_names, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

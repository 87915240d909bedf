/* Differences between a directory's snapshots, found the simple way: by comparing whole trees. */
#ifndef CAIRN_TESTS_NAMESPACE_HISTORY_TREES_H
#define CAIRN_TESTS_NAMESPACE_HISTORY_TREES_H

#include "tests/unit/namenode/namespace/fixture.h"

#include "namenode/namespace/links.h"
#include "namenode/namespace/snapshot_diff.h"

struct place {
    uint64_t id, parent;
    char path[600], essence[2000];
    bool is_dir;
};
struct tree {
    struct place list[2000];
    size_t count;
};

static inline void tree_add(struct fixture *f, struct txn *t, const struct inode *n, uint64_t parent, const char *path,
                            struct tree *to)
{
    struct place *p = &to->list[to->count++];
    struct dir_iter d;
    bool cut = n->block_count && n->truncate_length != BLOCKS_NO_TRUNCATE;
    assert_true(to->count < ARRAY_COUNT(to->list));
    *p = (struct place){.id = n->id, .parent = parent, .is_dir = inode_is_dir(n)};
    snprintf(p->path, sizeof p->path, "%s", path);
    snprintf(
        p->essence, sizeof p->essence, "%d %o %s %s %u %llu", n->type, n->mode, n->owner, n->group, n->replication,
        (unsigned long long)(inode_length(n) - (cut ? inode_last_block(n)->length_bytes - n->truncate_length : 0)));
    for (size_t i = 0, len = strlen(p->essence); i < n->block_count && len < sizeof p->essence; i++)
        if (n->blocks[i].length_bytes)
            len += (size_t)snprintf(p->essence + len, sizeof p->essence - len, " %llu",
                                    (unsigned long long)n->blocks[i].id);
    if (!inode_is_dir(n))
        return;
    dir_iter_open(&d, t, n, "", 0);
    while (dir_iter_next(&d)) {
        struct inode *child = NULL;
        char below_it[600];
        assert_int_equal(dir_iter_inode(&d, t, &child, ERR(f)), 0);
        snprintf(below_it, sizeof below_it, "%.500s%s%s", path, *path ? "/" : "", child->name);
        tree_add(f, t, child, n->id, below_it, to);
    }
    assert_int_equal(dir_iter_close(&d, ERR(f)), 0);
}

static inline void tree_read(struct fixture *f, const char *dir, const char *snapshot, struct tree *to)
{
    struct txn t;
    struct path p;
    char path[600];
    snprintf(path, sizeof path, *snapshot ? "%s/.snapshot/%s" : "%s", dir, snapshot);
    to->count = 0;
    txn_begin_snapshot(&t, f->nn.dir);
    assert_int_equal(path_resolve(&t, &f->root, path, PATH_SNAPSHOT, &p, ERR(f)), 0);
    tree_add(f, &t, path_target(&p), 0, "", to);
    txn_end(&t);
}

static inline const struct place *by_id(const struct tree *t, uint64_t id)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->list[i].id == id)
            return &t->list[i];
    return NULL;
}

static inline const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Is it, and all above it, still somewhere? What hangs below something that went is not told of. */
static inline bool is_told_of(const struct tree *then, const struct tree *now, const struct place *p)
{
    for (; p; p = by_id(then, p->parent))
        if (!by_id(now, p->id))
            return false;
        else if (!p->parent)
            return true;
    return false;
}

static inline int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}
static inline char *sorted_lines(struct buf *text)
{
    char *lines[5000], *rest = buf_detach(text);
    struct buf out = {0};
    size_t count = 0;
    for (char *line = strtok(rest, "\n"); line; line = strtok(NULL, "\n"))
        lines[count++] = line;
    qsort(lines, count, sizeof *lines, compare_lines);
    for (size_t i = 0; i < count; i++)
        buf_printf(&out, "%s\n", lines[i]);
    free(rest);
    return buf_detach(&out);
}

static inline char *naive_difference(const struct tree *then, const struct tree *now)
{
    struct buf out = {0};
    for (size_t i = 0; i < then->count; i++) {
        const struct place *p = &then->list[i], *later = by_id(now, p->id);
        bool changed = later && strcmp(p->essence, later->essence) != 0;
        if (!is_told_of(then, now, p))
            continue;
        for (size_t k = 0; p->is_dir && k < then->count; k++) { /* what it had */
            const struct place *c = &then->list[k], *there;
            if (c->parent != p->id)
                continue;
            there = by_id(now, c->id);
            if (there && there->parent == p->id && !strcmp(last_name(there->path), last_name(c->path)))
                continue;
            changed = true;
            buf_printf(&out, there ? "R %s -> %s\n" : "- %s\n", c->path, there ? there->path : "");
        }
        for (size_t k = 0; p->is_dir && k < now->count; k++) { /* what it has */
            const struct place *c = &now->list[k], *before = by_id(then, c->id);
            const char *name = last_name(c->path);
            if (c->parent != p->id || (before && before->parent == p->id && !strcmp(last_name(before->path), name)))
                continue;
            changed = true;
            /* Moved from a place that is told of: the line of that place says so. */
            if (!before || !before->parent || !is_told_of(then, now, by_id(then, before->parent)))
                buf_printf(&out, "+ %s%s%s\n", p->path, *p->path ? "/" : "", name);
        }
        if (changed)
            buf_printf(&out, "M %s\n", p->path);
    }
    return sorted_lines(&out);
}

static inline char *found_difference(const struct snapshot_diff *d)
{
    struct buf out = {0};
    for (size_t i = 0; i < d->count; i++) {
        const struct diff_node *n = &d->nodes[i];
        const char *slash = *n->path ? "/" : "";
        buf_printf(&out, "M %s\n", n->path);
        for (size_t k = 0; k < n->created_count; k++)
            if (!n->created[k].is_moved)
                buf_printf(&out, "+ %s%s%s\n", n->path, slash, n->created[k].name);
        for (size_t k = 0; k < n->deleted_count; k++)
            if (n->deleted[k].target)
                buf_printf(&out, "R %s%s%s -> %s\n", n->path, slash, n->deleted[k].name, n->deleted[k].target);
            else
                buf_printf(&out, "- %s%s%s\n", n->path, slash, n->deleted[k].name);
    }
    return sorted_lines(&out);
}

#endif

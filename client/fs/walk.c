#include "client/fs/walk.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

/* What a path's failure means for the rest: misuse ends everything, anything else is told and passed over. */
static int report(struct walk *w, int rc, struct err *reterr)
{
    if (rc >= 0)
        return 0;
    if (w->sh->misused)
        return rc;
    shell_report(w->sh, reterr);
    return 0;
}

int walk_item(struct walk *w, struct item *it, struct err *reterr)
{
    int rc = w->on_path(w, it, reterr);
    if (rc < 0)
        return rc;
    if (w->recursive && it->status.type == DFS_DIR) {
        rc = w->on_descend ? w->on_descend(w, it, reterr) : walk_children(w, it, reterr);
        if (rc < 0)
            return rc;
    }
    return w->after_path ? w->after_path(w, it, reterr) : 0;
}

int walk_group(struct walk *w, const struct item *parent, struct item *items, size_t count, struct err *reterr)
{
    if (w->on_group)
        w->on_group(w, parent, items, count);
    for (size_t i = 0; i < count; i++) {
        int rc = report(w, walk_item(w, &items[i], reterr), reterr);
        if (rc < 0 || (rc = shell_output_check(reterr)) < 0)
            return rc;
    }
    return 0;
}

static int page_read(struct item *dir, const char *start_after, struct arena *a, struct dfs_listing *ret,
                     struct err *reterr)
{
    return dir->fs->ops->list(dir->fs, dir->path, start_after, a, ret, reterr);
}

static struct item *page_items(struct item *dir, const struct dfs_listing *page, struct arena *a)
{
    struct item *items = arena_array(a, struct item, page->count);
    for (size_t i = 0; i < page->count; i++)
        item_child(dir, page->entries[i].name, &page->entries[i], a, &items[i]);
    return items;
}

static int children_sorted(struct walk *w, struct item *dir, struct err *reterr)
{
    AUTO(arena_free) struct arena a;
    arena_init(&a, ARENA_NO_BOUND);
    struct item *all = NULL;
    size_t count = 0;
    const char *start_after = NULL;
    int rc = 0;
    for (;;) {
        struct dfs_listing page;
        rc = page_read(dir, start_after, &a, &page, reterr);
        if (rc < 0)
            break;
        if (page.count) {
            all = mem_realloc_array(all, count + page.count, sizeof *all);
            memcpy(all + count, page_items(dir, &page, &a), page.count * sizeof *all);
            count += page.count;
            start_after = page.entries[page.count - 1].name;
        }
        if (!page.remaining || !page.count)
            break;
    }
    if (rc == 0) {
        if (count)
            qsort(all, count, sizeof *all, item_compare);
        rc = walk_group(w, dir, all, count, reterr);
    }
    free(all);
    return rc;
}

static int children_streamed(struct walk *w, struct item *dir, struct err *reterr)
{
    struct arena pages[2]; /* the last name of one page asks for the next */
    arena_init(&pages[0], ARENA_NO_BOUND);
    arena_init(&pages[1], ARENA_NO_BOUND);
    size_t group = w->group ? w->group : 1;
    const char *start_after = NULL;
    int rc = 0;
    for (int turn = 0;; turn ^= 1) {
        struct dfs_listing page;
        rc = page_read(dir, start_after, &pages[turn], &page, reterr);
        if (rc < 0)
            break;
        struct item *items = page_items(dir, &page, &pages[turn]);
        for (size_t i = 0; i < page.count && rc == 0; i += group)
            rc = walk_group(w, dir, items + i, page.count - i < group ? page.count - i : group, reterr);
        if (rc < 0 || !page.remaining || !page.count)
            break;
        start_after = page.entries[page.count - 1].name;
        arena_reset(&pages[turn ^ 1]);
    }
    arena_free(&pages[0]);
    arena_free(&pages[1]);
    return rc;
}

int walk_children(struct walk *w, struct item *dir, struct err *reterr)
{
    if (!dir->exists)
        return path_not_found(reterr, dir->text);
    if (dir->status.type != DFS_DIR)
        return path_error(reterr, ERR_NOT_DIR, dir->text, "Is not a directory");
    w->depth++;
    int rc = w->sorted ? children_sorted(w, dir, reterr) : children_streamed(w, dir, reterr);
    w->depth--;
    return rc;
}

static int walk_argument(struct walk *w, struct item *it, struct err *reterr)
{
    if (!it->exists)
        return w->on_missing ? w->on_missing(w, it, reterr) : path_not_found(reterr, it->text);
    w->depth = 0;
    return w->on_argument ? w->on_argument(w, it, reterr) : walk_group(w, NULL, it, 1, reterr);
}

int walk_items(struct walk *w, struct item *items, size_t count, struct err *reterr)
{
    for (size_t i = 0; i < count; i++) {
        int rc = report(w, walk_argument(w, &items[i], reterr), reterr);
        if (rc < 0 || (rc = shell_output_check(reterr)) < 0)
            return rc;
    }
    return 0;
}

int walk_expand(struct shell *sh, struct args *args, struct item **ret, size_t *ret_count, struct err *reterr)
{
    struct item *all = NULL;
    size_t count = 0, capacity = 0;
    for (size_t i = 0; i < args->count; i++) {
        struct err e;
        struct item *found;
        size_t found_count;
        int rc = item_glob(sh, args->v[i], &sh->arena, &found, &found_count, &e);
        if (rc < 0 && sh->misused) {
            *reterr = e;
            return rc;
        }
        if (rc < 0) {
            shell_report(sh, &e);
            continue;
        }
        if (count + found_count > capacity) {
            capacity = 2 * (count + found_count);
            struct item *grown = arena_array(&sh->arena, struct item, capacity);
            if (count)
                memcpy(grown, all, count * sizeof *grown);
            all = grown;
        }
        memcpy(all + count, found, found_count * sizeof *all);
        count += found_count;
    }
    *ret = all;
    *ret_count = count;
    return 0;
}

int walk_args(struct walk *w, struct args *args, struct err *reterr)
{
    struct item *items;
    size_t count;
    int rc = walk_expand(w->sh, args, &items, &count, reterr);
    return rc < 0 ? rc : walk_items(w, items, count, reterr);
}

#include <stdlib.h>
#include <string.h>

#include "client/lib/dfs_internal.h"
#include "client/lib/dfs_path.h"
#include "client/lib/glob_match.h"
#include "common/mem.h"

bool dfs_glob_has_wildcard(const char *pattern)
{
    for (const char *p = pattern; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        else if (strchr("*?[{", *p))
            return true;
    }
    return false;
}

struct matches {
    struct dfs_match *list;
    size_t count, capacity;
};

static void matches_add(struct matches *m, const struct dfs_match *match)
{
    if (m->count == m->capacity) {
        m->capacity = m->capacity ? 2 * m->capacity : 16;
        m->list = mem_realloc_array(m->list, m->capacity, sizeof *m->list);
    }
    m->list[m->count++] = *match;
}

static void matches_free(struct matches *m)
{
    free(m->list);
    *m = (struct matches){0};
}

static int child_path(struct arena *a, const char *dir, const char *name, const char **ret, struct err *reterr)
{
    char *out = arena_try_alloc(a, strlen(dir) + strlen(name) + 2);
    if (!out)
        return err_set(reterr, ERR_TOO_LARGE, "%s: too many files match", dir);
    strcpy(out, dir);
    if (strcmp(dir, "/") != 0)
        strcat(out, "/");
    strcat(out, name);
    *ret = out;
    return 0;
}

/* Entries of dir whose names match. What is gone or no directory has none. */
static int match_in(struct dfs *fs, const char *dir, const char *component, struct arena *a, struct matches *out,
                    struct err *reterr)
{
    const char *after = NULL;
    struct dfs_listing page;
    do {
        int rc = dfs_list(fs, dir, after, false, a, &page, reterr);
        if (rc == ERR_NOT_FOUND || rc == ERR_PARENT_NOT_DIR || rc == ERR_NOT_DIR)
            return 0;
        if (rc < 0)
            return rc;
        for (size_t i = 0; i < page.count; i++) {
            after = page.entries[i].name;
            if (!*after || !glob_match(component, after)) /* "" is a file listed by its own path */
                continue;
            struct dfs_match match = {.status = page.entries[i]};
            rc = child_path(a, dir, after, &match.path, reterr);
            if (rc < 0)
                return rc;
            matches_add(out, &match);
        }
    } while (page.remaining);
    return 0;
}

/* from x component => to. *ret_known: the statuses in `to` are real. */
static int match_component(struct dfs *fs, const struct matches *from, const char *component, struct arena *a,
                           struct matches *to, bool *ret_known, struct err *reterr)
{
    *ret_known = dfs_glob_has_wildcard(component);
    for (size_t i = 0; i < from->count; i++) {
        int rc;
        if (*ret_known) {
            rc = match_in(fs, from->list[i].path, component, a, to, reterr);
        } else {
            struct dfs_match match = {0};
            rc = child_path(a, from->list[i].path, glob_unescape(a, component), &match.path, reterr);
            if (rc == 0)
                matches_add(to, &match);
        }
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Literal components may name what is not there. */
static int keep_existing(struct dfs *fs, struct matches *m, struct arena *a, struct err *reterr)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->count; i++) {
        struct err why;
        int rc = dfs_stat(fs, m->list[i].path, a, &m->list[i].status, &why);
        if (rc < 0 && rc != ERR_NOT_FOUND && rc != ERR_PARENT_NOT_DIR) {
            if (reterr)
                *reterr = why;
            return rc;
        }
        if (rc == 0)
            m->list[kept++] = m->list[i];
    }
    m->count = kept;
    return 0;
}

static int glob_one(struct dfs *fs, const char *pattern, struct arena *a, struct matches *all, struct err *reterr)
{
    AUTO(matches_free) struct matches now = {0};
    struct dfs_match root = {.path = "/"};
    bool known = false;
    matches_add(&now, &root);
    for (const char *p = pattern; *(p += strspn(p, "/"));) {
        size_t n = strcspn(p, "/");
        AUTO(matches_free) struct matches next = {0};
        int rc = match_component(fs, &now, arena_strndup(a, p, n), a, &next, &known, reterr);
        if (rc < 0)
            return rc;
        struct matches old = now;
        now = next;
        next = old;
        p += n;
    }
    if (!known) {
        int rc = keep_existing(fs, &now, a, reterr);
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < now.count; i++)
        matches_add(all, &now.list[i]);
    return 0;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct dfs_match *)a)->path, ((const struct dfs_match *)b)->path);
}

int dfs_glob(struct dfs *fs, const char *pattern, struct arena *a, struct dfs_match **ret, size_t *ret_count,
             struct err *reterr)
{
    AUTO(matches_free) struct matches all = {0};
    const char **patterns;
    size_t count;
    int rc = glob_check(pattern, reterr);
    if (rc == 0)
        rc = glob_expand(pattern, a, &patterns, &count, reterr);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = glob_one(fs, patterns[i], a, &all, reterr);
    if (rc < 0)
        return rc;
    if (all.count)
        qsort(all.list, all.count, sizeof *all.list, compare_paths);
    struct dfs_match *out = arena_try_alloc(a, (all.count + 1) * sizeof *out);
    if (!out)
        return err_set(reterr, ERR_TOO_LARGE, "%s: too many files match", pattern);
    if (all.count)
        memcpy(out, all.list, all.count * sizeof *out);
    *ret = out;
    *ret_count = all.count;
    return 0;
}

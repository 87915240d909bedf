#include "client/lib/viewfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/dfs_path.h"
#include "common/clock.h"
#include "common/mem.h"

#define TABLE_PREFIX "fs.viewfs.mounttable."
#define LINKS_MAX    255 /* the number of a link has a byte in a file's number */
#define FOLDER_MODE  0555

struct link {
    char *path; /* in the view: "/data"; "/" for the merged root */
    struct dfs *fs;
    char *base; /* there; "" for its root */
};
struct viewfs {
    struct link *links;
    size_t count;
    struct link fallback; /* fs NULL: none */
    char *home_parent, *owner;
    int64_t started_ms;
};

/* ---- the table ---- */

struct table_reader {
    struct viewfs *view;
    const struct config *config;
    const char *name, *user;
    int rc;
    struct err *reterr;
};

static int link_set(struct table_reader *r, struct link *l, const char *key, const char *uri)
{
    size_t authority = strcspn(uri + (strstr(uri, "://") ? strcspn(uri, ":") + 3 : 0), "/");
    if (strncmp(uri, "hdfs://", 7) != 0 || strchr(uri, ','))
        return err_set(r->reterr, ERR_CONFIG, "%s is '%s': want hdfs://HOST:PORT/PATH", key, uri);
    AUTO(mem_freep) char *target = mem_strndup(uri, 7 + authority);
    const char *base = uri + 7 + authority;
    int rc = dfs_connect(r->config, target, r->user, &l->fs, r->reterr);
    if (rc < 0)
        return err_prefix(r->reterr, rc, "%s", key);
    l->base = mem_strdup(base);
    for (size_t n = strlen(l->base); n && l->base[n - 1] == '/';)
        l->base[--n] = 0;
    return 0;
}

static int link_add(struct table_reader *r, const char *path, const char *key, const char *uri)
{
    struct viewfs *v = r->view;
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (*path != '/' || strstr(path, "//"))
        return err_set(r->reterr, ERR_CONFIG, "%s: '%s' is not an absolute path", key, path);
    if (v->count == LINKS_MAX)
        return err_set(r->reterr, ERR_CONFIG, "mount table '%s' has more than %d links", r->name, LINKS_MAX);
    v->links = mem_realloc_array(v->links, v->count + 1, sizeof *v->links);
    struct link *l = &v->links[v->count++];
    *l = (struct link){.path = mem_strndup(path, len)};
    return link_set(r, l, key, uri);
}

static void table_read(const char *key, const char *value, const char *source, void *arg)
{
    struct table_reader *r = arg;
    size_t prefix = strlen(TABLE_PREFIX), name = strlen(r->name);
    if (r->rc < 0 || strncmp(key, TABLE_PREFIX, prefix) || strncmp(key + prefix, r->name, name) ||
        key[prefix + name] != '.')
        return;
    const char *what = key + prefix + name + 1;
    if (!strncmp(what, "link.", 5))
        r->rc = link_add(r, what + 5, key, value);
    else if (!strcmp(what, "linkMergeSlash"))
        r->rc = link_add(r, "/", key, value);
    else if (!strcmp(what, "linkFallback"))
        r->rc = link_set(r, &r->view->fallback, key, value);
    else if (!strcmp(what, "homedir")) {
        free(r->view->home_parent);
        r->view->home_parent = mem_strdup(value);
    } else if (!strncmp(what, "link", 4))
        r->rc = err_set(r->reterr, ERR_UNSUPPORTED,
                        "%s: this kind of link is not supported; link, linkFallback and linkMergeSlash are", key);
}

static bool is_below(const char *path, const char *folder) /* or the same */
{
    size_t len = strcmp(folder, "/") ? strlen(folder) : 0;
    return strncmp(path, folder, len) == 0 && (path[len] == '/' || !path[len]);
}

static int table_check(const struct viewfs *v, const char *name, struct err *reterr)
{
    if (!v->count && !v->fallback.fs)
        return err_set(reterr, ERR_CONFIG, "viewfs://%s: no mount table: set " TABLE_PREFIX "%s.link./PATH=hdfs://...",
                       name, name);
    for (size_t i = 0; i < v->count; i++)
        for (size_t j = 0; j < v->count; j++)
            if (i != j && is_below(v->links[i].path, v->links[j].path))
                return err_set(reterr, ERR_CONFIG, "mount table '%s': %s lies under the link %s", name,
                               v->links[i].path, v->links[j].path);
    return 0;
}

int viewfs_new(const struct config *c, const char *authority, const char *user, struct viewfs **ret, struct err *reterr)
{
    const char *other = config_get(c, "fs.viewfs.mounttable.default.name.key");
    const char *name = *authority ? authority : other && *other ? other : "default";
    struct viewfs *v = mem_new(struct viewfs);
    v->home_parent = mem_strdup("/user");
    v->owner = user && *user ? mem_strdup(user) : dfs_default_user();
    v->started_ms = clock_wall_ms();
    struct table_reader r = {.view = v, .config = c, .name = name, .user = user, .reterr = reterr};
    config_each(c, table_read, &r);
    if (r.rc == 0)
        r.rc = table_check(v, name, reterr);
    if (r.rc < 0) {
        viewfs_free(v);
        return r.rc;
    }
    *ret = v;
    return 0;
}

static void link_free(struct link *l)
{
    dfs_unref(l->fs);
    free(l->path);
    free(l->base);
}

void viewfs_free(struct viewfs *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < v->count; i++)
        link_free(&v->links[i]);
    link_free(&v->fallback);
    free(v->links);
    free(v->home_parent);
    free(v->owner);
    free(v);
}

struct dfs *viewfs_main(const struct viewfs *v)
{
    return v->fallback.fs ? v->fallback.fs : v->links[0].fs;
}

const char *viewfs_home_parent(const struct viewfs *v)
{
    return v->home_parent;
}

/* ---- paths ---- */

static bool leads_to_a_link(const struct viewfs *v, const char *path)
{
    for (size_t i = 0; i < v->count; i++)
        if (is_below(v->links[i].path, path))
            return true;
    return strcmp(path, "/") == 0 && !v->fallback.fs;
}

static void target_set(struct view_target *ret, const struct link *l, const char *rest, unsigned number,
                       struct arena *a)
{
    if (strcmp(rest, "/") == 0)
        rest = "";
    *ret = (struct view_target){
        .fs = l->fs, .path = *l->base || *rest ? arena_printf(a, "%s%s", l->base, rest) : "/", .link = number};
}

int viewfs_resolve(const struct viewfs *v, const char *path, struct arena *a, struct view_target *ret,
                   struct err *reterr)
{
    for (size_t i = 0; i < v->count; i++) {
        const struct link *l = &v->links[i];
        if (is_below(path, l->path)) {
            target_set(ret, l, path + (strcmp(l->path, "/") ? strlen(l->path) : 0), (unsigned)i + 1, a);
            ret->is_link = strcmp(path, l->path) == 0;
            return 0;
        }
    }
    if (leads_to_a_link(v, path)) {
        *ret = (struct view_target){.path = arena_strdup(a, path)};
        return 0;
    }
    if (!v->fallback.fs)
        return err_set(reterr, ERR_NOT_FOUND, "File does not exist: %s", path);
    target_set(ret, &v->fallback, path, 0, a);
    return 0;
}

/* ---- folders that are made up ---- */

int viewfs_read_only(const char *operation, const char *path, struct err *reterr)
{
    return err_set(reterr, ERR_ACCESS,
                   "InternalDir of ViewFileSystem is readonly, operation %s not permitted on path %s.", operation,
                   path);
}

/* No namenode gives out numbers this high. */
static uint64_t made_up_file_id(const char *path)
{
    uint64_t hash = 14695981039346656037u;
    for (; *path; path++)
        hash = (hash ^ (uint8_t)*path) * 1099511628211u;
    return hash >> 8 | (uint64_t)1 << 63;
}

void viewfs_stat(const struct viewfs *v, const char *path, struct arena *a, struct dfs_status *ret)
{
    *ret = (struct dfs_status){.type = DFS_DIR,
                               .name = "",
                               .mode = FOLDER_MODE,
                               .owner = arena_strdup(a, v->owner),
                               .group = arena_strdup(a, v->owner),
                               .mtime_ms = v->started_ms,
                               .children = -1,
                               .file_id = made_up_file_id(path),
                               .nlink = 2};
}

static int by_name(const void *x, const void *y)
{
    return strcmp(((const struct dfs_status *)x)->name, ((const struct dfs_status *)y)->name);
}

static bool listing_has(const struct dfs_listing *l, const char *name, size_t len)
{
    for (size_t i = 0; i < l->count; i++)
        if (strlen(l->entries[i].name) == len && !strncmp(l->entries[i].name, name, len))
            return true;
    return false;
}

/* What a link shows is the folder it leads to; if that cannot be looked at, the link is still there. */
static void entry_of_link(const struct viewfs *v, const struct link *l, struct arena *a, struct dfs_status *ret)
{
    if (dfs_stat(l->fs, *l->base ? l->base : "/", a, ret, NULL) < 0)
        viewfs_stat(v, l->path, a, ret);
}

int viewfs_list(const struct viewfs *v, const char *path, struct arena *a, struct dfs_listing *ret, struct err *reterr)
{
    struct dfs_listing rest = {0}, all = {0};
    const char *there = v->fallback.fs ? arena_printf(a, "%s%s", v->fallback.base, path) : NULL;
    if (there) {
        int rc = dfs_list_all(v->fallback.fs, there, a, &rest, reterr);
        if (rc < 0 && rc != ERR_NOT_FOUND)
            return rc;
    }
    all.entries = arena_try_alloc(a, (v->count + rest.count + 1) * sizeof *all.entries);
    if (!all.entries)
        return err_set(reterr, ERR_TOO_LARGE, "%s: the listing does not fit the memory meant for it", path);
    size_t below = strcmp(path, "/") ? strlen(path) + 1 : 1;
    for (size_t i = 0; i < v->count; i++) {
        const char *link = v->links[i].path;
        if (!is_below(link, path))
            continue;
        size_t len = strcspn(link + below, "/");
        if (listing_has(&all, link + below, len))
            continue;
        struct dfs_status *entry = &all.entries[all.count++];
        if (link[below + len])
            viewfs_stat(v, link, a, entry);
        else
            entry_of_link(v, &v->links[i], a, entry);
        entry->name = arena_strndup(a, link + below, len);
    }
    for (size_t i = 0; i < rest.count; i++)
        if (!listing_has(&all, rest.entries[i].name, strlen(rest.entries[i].name)))
            all.entries[all.count++] = rest.entries[i];
    qsort(all.entries, all.count, sizeof *all.entries, by_name);
    *ret = all;
    return 0;
}

/* GET: where what is removed goes. One trash per user, in the home folder; if the namenode wants it, one more per user
 * in each directory that snapshots may be taken of. */
#include <string.h>

#include "webhdfs/call.h"
#include "webhdfs/json_shapes.h"

const char *webhdfs_home_of(struct webhdfs_call *c, const char *user)
{
    const char *prefix = config_get(c->w->options.config, "dfs.user.home.dir.prefix");
    return arena_printf(&c->arena, "%s/%s", prefix && *prefix ? prefix : "/user", user);
}

static const char *home_trash(struct webhdfs_call *c, const char *user)
{
    return arena_printf(&c->arena, "%s/.Trash", webhdfs_home_of(c, user));
}

/* The directories with a trash of their own. */
static int trashed_roots(struct webhdfs_call *c, const char *const **ret, size_t *ret_count)
{
    REQUEST(GetServerDefaults, get_server_defaults, q);
    REQUEST(GetSnapshottableDirListing, get_snapshottable_dir_listing, lq);
    Hdfs__GetServerDefaultsResponseProto *defaults = NULL;
    Hdfs__GetSnapshottableDirListingResponseProto *a = NULL;
    *ret_count = 0;
    int rc = ASK(c, "getServerDefaults", GetServerDefaults, get_server_defaults, &q, &defaults);
    if (rc < 0 || !defaults->serverdefaults->snapshottrashrootenabled)
        return rc;
    rc = ASK(c, "getSnapshottableDirListing", GetSnapshottableDirListing, get_snapshottable_dir_listing, &lq, &a);
    const Hdfs__SnapshottableDirectoryListingProto *list = rc < 0 ? NULL : a->snapshottabledirlist;
    size_t count = list ? list->n_snapshottabledirlisting : 0;
    const char **roots = arena_array(&c->arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        const ProtobufCBinaryData *parent = &list->snapshottabledirlisting[i]->parent_fullpath,
                                  *name = &list->snapshottabledirlisting[i]->dirstatus->path;
        bool in_root = parent->len <= 1; /* or is it */
        roots[i] = arena_printf(&c->arena, "%.*s/%.*s", in_root ? 0 : (int)parent->len, (const char *)parent->data,
                                (int)name->len, (const char *)name->data);
    }
    *ret = roots;
    *ret_count = count;
    return rc;
}

static const char *trash_in(struct webhdfs_call *c, const char *root)
{
    return arena_printf(&c->arena, "%s/.Trash", strcmp(root, "/") ? root : "");
}

static bool is_in(const char *path, const char *root)
{
    size_t len = strlen(root);
    return !strcmp(root, "/") || (!strncmp(path, root, len) && (!path[len] || path[len] == '/'));
}

int webhdfs_get_trash_root(struct webhdfs_call *c)
{
    const char *const *roots = NULL;
    size_t count = 0;
    int rc = trashed_roots(c, &roots, &count);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < count; i++)
        if (is_in(c->path, roots[i]))
            return reply_path(c, arena_printf(&c->arena, "%s/%s", trash_in(c, roots[i]), c->user));
    return reply_path(c, home_trash(c, c->user));
}

/* ---- those that are there ---- */

static int append_trash(struct webhdfs_call *c, struct buf *b, const char *path)
{
    REQUEST(GetFileInfo, get_file_info, q);
    Hdfs__GetFileInfoResponseProto *a = NULL;
    q.src = (char *)path;
    int rc = ASK(c, "getFileInfo", GetFileInfo, get_file_info, &q, &a);
    if (rc == 0 && a->fs)
        json_trash_status(b, q.src, a->fs);
    return rc;
}

/* Of all users: what each entry of the folder has under `below`. */
static int append_each(struct webhdfs_call *c, struct buf *b, const char *folder, const char *below)
{
    Hdfs__DirectoryListingProto *page = NULL;
    ProtobufCBinaryData after = {0};
    c->path = folder;
    int rc;
    do {
        rc = webhdfs_list_page(c, after, &page);
        for (size_t i = 0; rc == 0 && i < page->n_partiallisting; i++) {
            after = page->partiallisting[i]->path;
            (void)append_trash(c, b,
                               arena_printf(&c->arena, "%s/%.*s%s", folder, (int)after.len, (const char *)after.data,
                                            below)); /* closed ones are left out */
        }
    } while (rc == 0 && page->remainingentries && page->n_partiallisting);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int append_all(struct webhdfs_call *c, struct buf *b)
{
    bool all = param(c, PARAM_ALLUSERS)->number;
    const char *const *roots = NULL;
    size_t count = 0;
    const char *homes = arena_strndup(&c->arena, webhdfs_home_of(c, ""), strlen(webhdfs_home_of(c, "")) - 1);
    int rc = all ? append_each(c, b, homes, "/.Trash") : append_trash(c, b, home_trash(c, c->user));
    rc = rc < 0 ? rc : trashed_roots(c, &roots, &count);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const char *trash = trash_in(c, roots[i]);
        rc = all ? append_each(c, b, trash, "") : append_trash(c, b, arena_printf(&c->arena, "%s/%s", trash, c->user));
    }
    return rc;
}

int webhdfs_get_trash_roots(struct webhdfs_call *c)
{
    AUTO(buf_free) struct buf list = {0};
    json_begin(&list, NULL, '[');
    int rc = append_all(c, &list);
    if (rc < 0)
        return rc;
    json_end(&list, ']');
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_key(b, "Paths");
    buf_append_str(b, list.len == 2 ? "null" : buf_cstr(&list));
    json_end(b, '}');
    return 0;
}

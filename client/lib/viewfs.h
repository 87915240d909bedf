/* viewfs://NAME: one tree made of folders of several file systems, by the mount table in the settings:
 *     fs.viewfs.mounttable.NAME.link./data   = hdfs://a:8020/data      what lies under /data is there
 *     fs.viewfs.mounttable.NAME.linkFallback = hdfs://b:8020/          what no link has
 *     fs.viewfs.mounttable.NAME.linkMergeSlash = hdfs://a:8020/base    all of it, in place of links
 *     fs.viewfs.mounttable.NAME.homedir      = /user
 * Folders that only lead to links are read-only and made up here. A struct dfs with a view hands every call with a path
 * on to the file system behind it (dfs.c). Immutable after viewfs_new; any thread may call. */
#ifndef CAIRN_CLIENT_LIB_VIEWFS_H
#define CAIRN_CLIENT_LIB_VIEWFS_H

#include "client/lib/dfs.h"

struct viewfs;
struct view_target {
    struct dfs *fs; /* borrowed from the view; NULL: a folder that is made up */
    const char *path;
    unsigned link; /* which one; tells apart files that two namenodes gave the same number */
    bool is_link;  /* the path is the link itself: its name belongs to the table, what it leads to does not */
};

/* authority "" means the default table. Connects to what the links name, without a call. ERR_CONFIG names the setting.
 */
int viewfs_new(const struct config *c, const char *authority, const char *user, struct viewfs **ret,
               struct err *reterr) MUST_CHECK;
void viewfs_free(struct viewfs *v);                     /* NULL is fine */
struct dfs *viewfs_main(const struct viewfs *v);        /* for calls that name no path */
const char *viewfs_home_parent(const struct viewfs *v); /* "/user" */

/* ret->path lives in the arena. ERR_NOT_FOUND */
int viewfs_resolve(const struct viewfs *v, const char *path, struct arena *a, struct view_target *ret,
                   struct err *reterr) MUST_CHECK;
/* Of folders that are made up: */
void viewfs_stat(const struct viewfs *v, const char *path, struct arena *a, struct dfs_status *ret);
int viewfs_list(const struct viewfs *v, const char *path, struct arena *a, struct dfs_listing *ret,
                struct err *reterr) MUST_CHECK;
int viewfs_read_only(const char *operation, const char *path, struct err *reterr); /* sets the error */

#endif

/* Paths as users type them. */
#ifndef CAIRN_CLIENT_LIB_DFS_PATH_H
#define CAIRN_CLIENT_LIB_DFS_PATH_H

#include "client/lib/dfs.h"

/* "hdfs://h:p/a", "/a", "a" (relative to `home`, "/user/ada"), "" and "." => absolute normalised path in the arena;
 * doubled slashes and trailing ones go, "." and ".." are resolved as java.net.URI does. ret_uri: the scheme://authority
 * part or NULL if there was none. */
int dfs_path_resolve(const char *text, const char *home, struct arena *a, const char **ret_path, const char **ret_uri,
                     struct err *reterr) MUST_CHECK;
/* For the user of `fs`. */
int dfs_resolve(const struct dfs *fs, const char *text, struct arena *a, const char **ret_path, const char **ret_uri,
                struct err *reterr) MUST_CHECK;
bool dfs_path_has_scheme(const char *text);
const char *dfs_path_join(struct arena *a, const char *dir, const char *name);
const char *dfs_path_parent(struct arena *a, const char *path); /* NULL for "/" */
const char *dfs_path_name(const char *path);                    /* last component, "" for "/" */

/* Glob as Hadoop's FileSystem.globStatus: * ? [abc] [a-z] [^a] [!a] {x,y} \-escapes, per component. Full paths, sorted.
 * A pattern without wildcards gives itself if it exists. count 0 = nothing matched. */
struct dfs_match {
    const char *path;
    struct dfs_status status;
};
int dfs_glob(struct dfs *fs, const char *pattern, struct arena *a, struct dfs_match **ret, size_t *ret_count,
             struct err *reterr) MUST_CHECK;
bool dfs_glob_has_wildcard(const char *pattern);

#endif

/* One operand or directory entry: where it is, what it is, and how it is called in messages (as the user typed it, or
 * below what the user typed). Everything it points to lives in the arena it was made with. */
#ifndef CAIRN_CLIENT_FS_ITEM_H
#define CAIRN_CLIENT_FS_ITEM_H

#include "client/fs/shell_fs.h"

struct item {
    struct shell_fs *fs;
    const char *text; /* for messages and output */
    const char *path; /* in fs */
    bool exists;
    struct dfs_status status; /* while exists */
};

static inline bool item_is_dir(const struct item *it)
{
    return it->exists && it->status.type == DFS_DIR;
}

/* The text as it is, no glob; one that is missing is fine (exists = false). */
int item_lookup(struct shell *sh, const char *text, struct arena *a, struct item *ret, struct err *reterr) MUST_CHECK;
/* The same on the local file system: plain path or file: URI. */
int item_lookup_local(struct shell *sh, const char *text, struct arena *a, struct item *ret,
                      struct err *reterr) MUST_CHECK;
/* What a pattern matches, sorted. A plain name that is missing gives one item with exists = false; a pattern that
 * matches nothing gives ERR_NOT_FOUND. */
int item_glob(struct shell *sh, const char *text, struct arena *a, struct item **ret, size_t *ret_count,
              struct err *reterr) MUST_CHECK;
/* Entry `name` of a directory, with (status) or without (exists = false) knowing it. */
void item_child(const struct item *parent, const char *name, const struct dfs_status *status, struct arena *a,
                struct item *ret);
/* The same and looks it up. ERR_NOT_FOUND, ERR_NOT_DIR for the parent. */
int item_child_lookup(const struct item *parent, const char *name, struct arena *a, struct item *ret,
                      struct err *reterr) MUST_CHECK;
/* text and path with an ending; not looked up. */
struct item item_suffixed(const struct item *it, const char *suffix, struct arena *a);
/* Asks again; ERR_NOT_FOUND. */
int item_refresh(struct item *it, struct arena *a, struct err *reterr) MUST_CHECK;
/* The text ends in "/", "." or "..": it can only mean a directory. */
bool item_names_directory(const struct item *it);
int item_parent_exists(const struct item *it, bool *ret, struct err *reterr) MUST_CHECK;
/* "hdfs://host:port/path" */
const char *item_qualified(const struct item *it, struct arena *a);
/* Order of operands and entries: as Hadoop compares URIs, where a blank is "%20". */
int item_compare(const void *a, const void *b);
/* How `path` is called from `cwd` (both absolute): "a/b", "../c", ".". */
const char *path_relative(const char *cwd, const char *path, bool is_dir, struct arena *a);

#endif

/* Access control lists, extended attributes and storage policies of files. Threads, arenas and errors as in dfs.h. */
#ifndef CAIRN_CLIENT_LIB_DFS_ATTRIBUTES_H
#define CAIRN_CLIENT_LIB_DFS_ATTRIBUTES_H

#include "client/lib/dfs.h"

enum dfs_acl_type { DFS_ACL_USER, DFS_ACL_GROUP, DFS_ACL_MASK, DFS_ACL_OTHER };
struct dfs_acl_entry {
    bool is_default;
    enum dfs_acl_type type;
    unsigned rwx;
    const char *name; /* NULL: owner, owning group, mask, other */
};
struct dfs_acl {
    struct dfs_acl_entry *entries; /* without what the mode says */
    size_t count;
    bool has_mode;
    uint16_t mode;
};
int dfs_get_acl(struct dfs *fs, const char *path, struct arena *a, struct dfs_acl *ret, struct err *reterr) MUST_CHECK;
enum dfs_acl_change {
    DFS_ACL_MODIFY,
    DFS_ACL_REMOVE_ENTRIES,
    DFS_ACL_SET,
    DFS_ACL_REMOVE_DEFAULT, /* this and the next: without entries */
    DFS_ACL_REMOVE
};
int dfs_change_acl(struct dfs *fs, const char *path, enum dfs_acl_change change, const struct dfs_acl_entry *entries,
                   size_t count, struct err *reterr) MUST_CHECK;
/* Mode and entries put together to a whole list, in the arena. */
void dfs_acl_complete(uint16_t mode, const struct dfs_acl *acl, struct arena *a, struct dfs_acl *ret);

struct dfs_xattr {
    const char *name; /* "user.name" */
    bool has_value;
    struct slice value;
};
/* ERR_HADOOP_ILLEGAL_ARGUMENT, in Hadoop's words: the name is not one of user., trusted., security., system., raw. */
int dfs_xattr_check_name(const char *name, struct err *reterr) MUST_CHECK;
/* name NULL: all that the user may see. */
int dfs_get_xattrs(struct dfs *fs, const char *path, const char *name, struct arena *a, struct dfs_xattr **ret,
                   size_t *ret_count, struct err *reterr) MUST_CHECK;
#define DFS_XATTR_CREATE  1u
#define DFS_XATTR_REPLACE 2u
int dfs_set_xattr(struct dfs *fs, const char *path, const struct dfs_xattr *x, unsigned flags,
                  struct err *reterr) MUST_CHECK;
int dfs_remove_xattr(struct dfs *fs, const char *path, const char *name, struct err *reterr) MUST_CHECK;

/* As dfs_mkdirs; unmasked: the mode before the umask, which counts under a default ACL. */
int dfs_mkdirs_unmasked(struct dfs *fs, const char *path, uint16_t mode, uint16_t unmasked, bool create_parent,
                        struct err *reterr) MUST_CHECK;

#endif

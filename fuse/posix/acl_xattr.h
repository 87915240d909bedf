/* POSIX access control lists as the kernel and libacl pass them about (system.posix_acl_access and _default: version 2,
 * then tag, permissions and id of each entry, little endian), from and to HDFS's. */
#ifndef CAIRN_FUSE_POSIX_ACL_XATTR_H
#define CAIRN_FUSE_POSIX_ACL_XATTR_H

#include "client/lib/dfs_attributes.h"
#include "fuse/users.h"

/* Nothing is added if the file has no such list. acl->mode: the file's. */
void acl_to_xattr(const struct dfs_acl *acl, bool is_default, struct users *users, struct buf *to);
int acl_from_xattr(const char *value, size_t size, bool is_default, struct users *users, struct arena *a,
                   struct dfs_acl_entry **ret, size_t *ret_count, struct err *reterr) MUST_CHECK;
void acl_add_names(const struct dfs_acl *acl, struct buf *names); /* for listxattr */

#endif

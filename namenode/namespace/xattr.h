/* Extended attributes: who may set, see and remove which, and the limits. Rules and texts are HDFS's.
 *
 * user: like the inode's data; trusted: the superuser only; raw: only through /.reserved/raw; security and system:
 * the namenode's own, but for security.hdfs.unreadable.by.superuser, which anyone may set on a file and nobody can
 * remove. */
#ifndef CAIRN_NAMENODE_NAMESPACE_XATTR_H
#define CAIRN_NAMENODE_NAMESPACE_XATTR_H

#include "namenode/namespace/path.h"

enum xattr_flag { XATTR_FLAG_CREATE = BIT(0), XATTR_FLAG_REPLACE = BIT(1) }; /* the protocol's */

/* In the caller's txn, committed by the caller. */
int tree_set_xattr(struct txn *t, const struct fs_user *u, const char *path, const struct xattr *x, unsigned flags,
                   struct err *reterr) MUST_CHECK;
int tree_remove_xattr(struct txn *t, const struct fs_user *u, const char *path, const struct xattr *x,
                      struct err *reterr) MUST_CHECK;

/* *ret: in the txn's arena; those the user may see; all of them if wanted_count is 0, else those wanted, in that order,
 * or ERR_XATTR_NOT_FOUND. */
int tree_get_xattrs(struct txn *t, const struct fs_user *u, const char *path, const struct xattr *wanted,
                    size_t wanted_count, const struct xattr **ret, size_t *ret_count, struct err *reterr) MUST_CHECK;

/* Without any checks: one attribute of an inode. A new one is put before the others, or in place of the one of its
 * name; x is copied to the txn's arena. Dropping says whether there was one. */
const struct xattr *inode_xattr(const struct inode *n, const struct xattr *x);
void inode_put_xattr(struct txn *t, struct inode *n, const struct xattr *x);
bool inode_drop_xattr(struct txn *t, struct inode *n, const struct xattr *x);

/* ERR_ACCESS if the user is the superuser and the file is kept from him. */
int xattr_check_superuser_may_read(const struct fs_user *u, const struct inode *n, struct err *reterr) MUST_CHECK;

#endif

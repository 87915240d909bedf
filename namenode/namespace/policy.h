/* Storage policies of files and directories: an inode has its own or its parent's. */
#ifndef CAIRN_NAMENODE_NAMESPACE_POLICY_H
#define CAIRN_NAMENODE_NAMESPACE_POLICY_H

#include "namenode/namespace/path.h"

/* In force for what the path names, or for its nearest ancestor that there is. */
uint8_t path_policy(const struct path *p);
/* The same for an inode that is not looked up by path. */
int inode_policy(struct txn *t, struct inode *n, uint8_t *ret, struct err *reterr) MUST_CHECK;
/* name NULL: none of its own any more. ERR_HADOOP_ILLEGAL_ARGUMENT, ERR_NOT_FOUND. Committed by the caller. */
int tree_set_policy(struct txn *t, const struct fs_user *u, const char *path, const char *name,
                    struct err *reterr) MUST_CHECK;

#endif

/* The erasure coding policy of a directory. The only one that can be set is "replication", which everybody's files
 * have: job clients set it on their staging directory, whatever the cluster can do. It is kept as HDFS keeps it, as an
 * attribute in the space `system`. */
#ifndef CAIRN_NAMENODE_NAMESPACE_ERASURE_H
#define CAIRN_NAMENODE_NAMESPACE_ERASURE_H

#include "namenode/namespace/path.h"

/* In the caller's txn, committed by the caller. Unsetting where none is set: ERR_NO_EC_POLICY. */
int tree_set_replication_policy(struct txn *t, const struct fs_user *u, const char *path,
                                struct err *reterr) MUST_CHECK;
int tree_unset_erasure_policy(struct txn *t, const struct fs_user *u, const char *path, struct err *reterr) MUST_CHECK;

/* What a content summary says of the path's target: "Replicated" of a file; of a directory the policy that is set on
 * it, or on the next above it as long as those between have no attributes at all; else "". */
const char *path_erasure_policy(const struct path *p);

#endif

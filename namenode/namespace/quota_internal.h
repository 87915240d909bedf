/* Between the files of quota.h only. */
#ifndef CAIRN_NAMENODE_NAMESPACE_QUOTA_INTERNAL_H
#define CAIRN_NAMENODE_NAMESPACE_QUOTA_INTERNAL_H

#include "namenode/namespace/quota.h"

/* Of an inode that has no name (any more): at its place, see history_held.h. pending: after the commit under way. */
int quota_chain_gone(struct txn *t, uint64_t id, bool pending, struct quota_chain *ret, struct err *reterr) MUST_CHECK;

/* Is there anything in it, or anything that snapshots hold? */
bool quota_has_content(struct txn *t, const struct inode *n);
/* A directory with everything placed in it; false: nobody has made the sum. */
bool quota_of_subtree(struct txn *t, const struct inode *n, struct quota_usage *ret, int *ret_rc, struct err *reterr);
int quota_sum_unknown(const struct inode *n, struct err *reterr);
/* Makes the sum under the lock: for what is small. */
int quota_sum_now(struct txn *t, uint64_t top, uint8_t policy, struct quota_usage *ret, struct err *reterr) MUST_CHECK;
void quota_usage_put(struct txn *t, uint64_t id, const struct quota_usage *u);

#endif

/* Sums over subtrees for quotas, made without the namenode's lock. */
#ifndef CAIRN_NAMENODE_NAMESPACE_QUOTA_SUM_H
#define CAIRN_NAMENODE_NAMESPACE_QUOTA_SUM_H

#include "namenode/namenode.h"
#include "namenode/namespace/quota.h"

/* On the list of fsdir.watches, guarded by the namenode's lock. While it is there, the directory counts as one with a
 * quota: commits add their differences to `since`. */
struct quota_watch {
    uint64_t id;
    struct quota_usage sum, since; /* of the subtree as of the snapshot; after it */
    bool is_summed;
    struct quota_watch *next;
};

/* Before an operation on these paths, without the lock: makes the sum that its commit will need, if any. Takes time in
 * the order of the subtree's size. An operation that cannot work will say so itself: no error then. *ret NULL: no sum
 * is needed; else quota_sum_end it after the operation, without the lock. */
int quota_sum_for_delete(struct namenode *nn, const struct fs_user *u, const char *path, struct quota_watch **ret,
                         struct err *reterr) MUST_CHECK;
int quota_sum_for_rename(struct namenode *nn, const struct fs_user *u, const char *from, const char *to,
                         bool into_directory, struct quota_watch **ret, struct err *reterr) MUST_CHECK;
int quota_sum_for_set(struct namenode *nn, const struct fs_user *u, const char *path, struct quota_watch **ret,
                      struct err *reterr) MUST_CHECK;
/* For the reaper, whose commit wanted this sum (txn.unsummed). Begins and ends under the lock, and lets it go in
 * between: nobody else changes what is cut off. Ended by quota_watch_end. */
int quota_sum_for_reaper(struct namenode *nn, uint64_t id, struct quota_watch **ret, struct err *reterr) MUST_CHECK;
void quota_sum_end(struct namenode *nn, struct quota_watch *watch); /* NULL is fine */
/* With the lock: would this rename need a sum? For who must not block. */
bool quota_sum_is_wanted(struct txn *t, const struct fs_user *u, const char *from, const char *to, bool into_directory);

/* Likewise: would taking away its last name? */
bool quota_sum_is_wanted_to_remove(struct txn *t, struct inode *n);

/* The steps of the above, for tests: begin with the lock and a fresh snapshot txn, sum without, publish with. */
struct quota_watch *quota_watch_begin(struct fsdir *dir, uint64_t id);
void quota_watch_end(struct fsdir *dir, struct quota_watch *watch);
/* txn: a snapshot. policy: in force at the top's parent. Sums for which directories below have records are not made
 * again. */
int quota_sum_subtree(struct txn *snapshot, uint64_t top, uint8_t policy, struct quota_usage *ret,
                      struct err *reterr) MUST_CHECK;

/* The same, from nothing but what is there. */
int quota_sum_in_full(struct txn *snapshot, uint64_t top, uint8_t policy, struct quota_usage *ret,
                      struct err *reterr) MUST_CHECK;
/* Once, at the start: the records of a store whose namenode counted by older rules, or did not count what snapshots
 * hold. Takes time in the order of what is below quotas. */
int quota_recount(struct fsdir *dir, struct err *reterr) MUST_CHECK;

#endif

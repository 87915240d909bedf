/* Quotas: how many names and bytes a directory and all below it may use, in all and per storage type.
 *
 * A directory with a quota has a record of its usage (table 'q'), which every commit brings up to date: each changed
 * inode's difference is charged to the quota directories above it, and a commit that would exceed one writes nothing.
 * An ordinary change so costs a look at its ancestors, and nothing at all while no directory has a quota.
 *
 * When a directory that has no record itself moves between different quotas, goes away, or gets its first quota, the
 * sum over its subtree is needed. It is made on a snapshot without the lock; a watch, begun together with the snapshot,
 * adds up what commits change meanwhile (quota_sum.h).
 *
 * What has several names counts once, where its first is (links.h). What only sessions hold is not charged.
 *
 * What only snapshots hold stays charged, as in HDFS, at its place (history_held.h):
 * - A name that a version of an entry has counts as one, at the directory's place. So a move of what a snapshot has
 * costs a name where it was, and may be refused; a removal never is.
 * - A file counts with every block that it or a version has, by the most replicas that any of them wants: where it is,
 *   or, when it is gone, where its newest version has it. So does what is in a directory.
 * The reaper gives this back, step by step: what of a removed directory no snapshot has, and what a deleted snapshot
 * had alone. It is never refused anything. Otherwise than in HDFS, bytes (and what is below a directory) count in one
 * place only: not in that from which something was moved, as long as it is elsewhere.
 *
 * As in HDFS: a block being written counts as a full one; a type is only charged where a storage policy is set; a
 * directory's new policy counts for what is written from then on. */
#ifndef CAIRN_NAMENODE_NAMESPACE_QUOTA_H
#define CAIRN_NAMENODE_NAMESPACE_QUOTA_H

#include "namenode/namespace/path.h"

#define QUOTA_RULES 1 /* by which records are counted; 0: without what snapshots hold */

struct quota_usage {
    int64_t names, space, types[STORAGE_TYPES];
};
void quota_usage_add(struct quota_usage *to, const struct quota_usage *what, int sign);
bool quota_usage_is_zero(const struct quota_usage *u);
/* The inode alone; policy: the one in force for it, POLICY_UNSPECIFIED if none was set. */
void quota_usage_of(const struct inode *n, uint8_t policy, struct quota_usage *ret);
/* ERR_NS_QUOTA, ERR_DS_QUOTA, ERR_TYPE_QUOTA in HDFS's words. What shrinks or stays is never refused. step: names that
 * are added at once at most, for the text. */
int quota_check(const struct quota *q, const struct quota_usage *used, const struct quota_usage *delta, int64_t step,
                const char *path, struct err *reterr) MUST_CHECK;
static inline bool quota_is_set(const struct quota *q, bool is_root)
{
    bool any = (q->names >= 0 && !(is_root && q->names == INT64_MAX)) || q->space >= 0;
    for (int type = 0; type < STORAGE_TYPES; type++)
        any |= q->types[type] >= 0;
    return any;
}

/* ---- called by txn_commit ---- */
static inline bool quota_is_charged(const struct txn *t)
{
    return t->counters.quotas || t->dir->watches;
}
/* The charges of a commit, into its batch. ERR_RETRIABLE: the sum of a subtree that moves is not known. */
int quota_charge(struct txn *t, const struct inode_change *changes, size_t count, struct err *reterr) MUST_CHECK;
void quota_charged(struct txn *t); /* it is written */
/* The reaper's, into its next commit: a version goes whose entry has had a child; one of an inode. ERR_RETRIABLE:
 * nothing was done, and if that is because of a sum, t->unsummed says of what. Likewise from that commit. */
int quota_drop_entry(struct txn *t, uint64_t dir, struct err *reterr) MUST_CHECK;
int quota_drop_version(struct txn *t, uint64_t id, uint64_t tag, struct err *reterr) MUST_CHECK;
void quota_forget(struct txn *t, const struct inode *n); /* the directory is taken out of the store */

/* ---- operations ---- */
#define QUOTA_LEAVE INT64_MAX /* the protocol's "don't set" */
#define QUOTA_RESET (-1)
/* type 0: names and space, else space is the type's. In the caller's txn, committed by the caller. */
int tree_set_quota(struct txn *t, const struct fs_user *u, const char *path, int64_t names, int64_t space, uint8_t type,
                   struct err *reterr) MUST_CHECK;
/* May the user set quotas of p's target? ERR_ACCESS. */
int quota_check_setter(struct txn *t, const struct fs_user *u, const struct path *p, struct err *reterr) MUST_CHECK;
/* What the directory's record says. */
int quota_usage_read(struct txn *t, uint64_t id, struct quota_usage *ret, struct err *reterr) MUST_CHECK;

/* The quota directories (and watches) at and above an inode, nearest first; the policy in force there. */
struct quota_chain {
    struct inode **dirs;
    size_t count, capacity;
    uint8_t policy;
};
/* By names and places (history_held.h), as after the commit under way. Empty if that does not lead up to the root, or
 * for INODE_NONE. */
int quota_chain_of(struct txn *t, uint64_t first, struct quota_chain *ret, struct err *reterr) MUST_CHECK;
bool quota_chain_is_same(const struct quota_chain *a, const struct quota_chain *b);

#endif

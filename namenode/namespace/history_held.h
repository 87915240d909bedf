/* What only versions hold, for quotas and sums.
 *
 * Every inode has one place where it counts: the directory of its first name, while it has one, else the directory it
 * was in as its newest version has it (table 'G' finds it from there). A directory's place is that of all that is
 * placed in it, so what was taken out of a directory that is gone itself counts at the end where that was. What has
 * neither a name nor a version has no place. */
#ifndef CAIRN_NAMENODE_NAMESPACE_HISTORY_HELD_H
#define CAIRN_NAMENODE_NAMESPACE_HISTORY_HELD_H

#include "namenode/namespace/history.h"

/* What a commit under way changes of versions. */
struct pending_version {
    uint64_t inode, tag;
    const struct inode *saved; /* in the txn's arena; NULL: the version of this tag goes */
};
struct kept_entry { /* a name that the directory had of `child`, and that a version of the entry has from now on */
    uint64_t dir;
    const char *name; /* in the arena */
    uint64_t child;
};

/* The inode as its newest version has it; NULL: it has none. pending: of those there will be after the commit under
 * way. ret_tag may be NULL. */
int history_newest(struct txn *t, uint64_t id, bool pending, struct inode **ret, uint64_t *ret_tag,
                   struct err *reterr) MUST_CHECK;
/* What a file takes up with all that its versions hold, as HDFS counts it: every block that it or a version has, by the
 * most replicas that any of them wants. now: NULL if it is gone. *ret: only to count, may be `now` itself; NULL: there
 * is nothing. */
int history_whole_file(struct txn *t, uint64_t id, const struct inode *now, bool pending, const struct inode **ret,
                       struct err *reterr) MUST_CHECK;
/* The most replicas that any version of a file wants; 0: there is none. pending: as above. */
int history_most_replicas(struct txn *t, uint64_t id, bool pending, uint16_t *ret, struct err *reterr) MUST_CHECK;
/* Where a directory will be placed after its name is taken away; INODE_NONE: nowhere. */
int history_place_if_removed(struct txn *t, struct inode *n, uint64_t *ret, struct err *reterr) MUST_CHECK;

/* Into the batch: `n` has no name any more, or gets one; or it is gone, and the version that was its newest goes. */
int history_place_changes(struct txn *t, uint64_t id, uint64_t place_before, bool is_gone,
                          struct err *reterr) MUST_CHECK;
/* At the start, if table 'G' may be wrong: makes it anew. */
int history_find_places(struct fsdir *dir, struct err *reterr) MUST_CHECK;

/* Is there, in the txn's snapshot, any version at all? Anything of this directory that is not there any more? */
bool history_has_versions(struct txn *t);
bool history_has_remains(struct txn *t, uint64_t dir);
/* Names of other inodes that versions of the directory's entries have; and each inode that is gone and placed here, as
 * its newest version has it. On a snapshot the txn is reset on the way. */
int history_count_names(struct txn *t, uint64_t dir, int64_t *ret, struct err *reterr) MUST_CHECK;
typedef int (*history_gone_fn)(void *context, struct inode *n, struct err *reterr);
int history_each_gone(struct txn *t, uint64_t dir, history_gone_fn each, void *context, struct err *reterr) MUST_CHECK;

#endif

/* Taking, naming and dropping snapshots, and what they forbid. Rules and texts are HDFS's; like tree.h, each works
 * inside the caller's txn. How they are kept: history.h. */
#ifndef CAIRN_NAMENODE_NAMESPACE_SNAPSHOTS_H
#define CAIRN_NAMENODE_NAMESPACE_SNAPSHOTS_H

#include "namenode/namespace/path.h"

#define SNAPSHOT_QUOTA 65536 /* of each snapshottable directory */

int snapshot_allow(struct txn *t, const char *path, struct err *reterr) MUST_CHECK;
int snapshot_disallow(struct txn *t, const char *path, struct err *reterr) MUST_CHECK;
/* name NULL or "": from the clock. *ret_path: the snapshot's, in the arena. O(1). */
int snapshot_create(struct txn *t, const struct fs_user *u, const char *root, const char *name, const char **ret_path,
                    struct err *reterr) MUST_CHECK;
const char *snapshot_default_name(struct arena *a, uint64_t wall_ms); /* of one that is created without a name */
const char *snapshot_path(struct arena *a, const char *root, const char *name); /* as clients are told it */
int snapshot_rename(struct txn *t, const struct fs_user *u, const char *root, const char *from, const char *to,
                    struct err *reterr) MUST_CHECK;
/* O(1): what only it needed goes to the reaper. */
int snapshot_delete(struct txn *t, const struct fs_user *u, const char *root, const char *name,
                    struct err *reterr) MUST_CHECK;
/* The directory, if snapshots of it may be taken. */
int snapshot_root(struct txn *t, const struct path *p, const char *path, struct inode **ret,
                  struct err *reterr) MUST_CHECK;

/* Nothing may be moved or deleted that has snapshots itself or below. *ret_has_snapshottable (may be NULL): directories
 * below (or n) that only might have some. */
int snapshot_check_removal(struct txn *t, struct inode *n, bool *ret_has_snapshottable, struct err *reterr) MUST_CHECK;
/* n goes to the reaper: no more snapshots of anything below. */
int snapshot_forget_below(struct txn *t, struct inode *n, struct err *reterr) MUST_CHECK;
/* Something with snapshottable directories moves below `to`: they must not be nested. */
int snapshot_check_nesting(struct txn *t, struct inode *to, const char *from, struct err *reterr) MUST_CHECK;

#endif

/* Operations on names: directories, renames, removal, links, attributes. Each checks permissions, works inside the
 * caller's txn, and leaves committing to the caller; on failure end the txn without a commit. Texts and rules are
 * HDFS's. */
#ifndef CAIRN_NAMENODE_NAMESPACE_TREE_H
#define CAIRN_NAMENODE_NAMESPACE_TREE_H

#include "namenode/namespace/acl.h"
#include "namenode/namespace/path.h"

/* An existing directory is fine. */
int tree_mkdirs_as(struct txn *t, const struct fs_user *u, const char *path, struct create_mode mode,
                   bool create_parent, struct err *reterr) MUST_CHECK;
static inline int tree_mkdirs(struct txn *t, const struct fs_user *u, const char *path, uint16_t mode,
                              bool create_parent, struct err *reterr)
{
    return tree_mkdirs_as(t, u, path, (struct create_mode){.masked = mode}, create_parent, reterr);
}
/* For create, in HDFS's order: w on the nearest ancestor of p's target; whether more parents are missing than may be
 * made; then those are made, each with the mode of the one above it.
 * *ret_parent: the directory the new entry goes into. */
#define PARENTS_ANY SIZE_MAX
int tree_check_ancestor(struct txn *t, const struct fs_user *u, const struct path *p, struct err *reterr) MUST_CHECK;
int tree_check_parent(struct txn *t, const struct path *p, size_t parents_made_max, struct err *reterr) MUST_CHECK;
int tree_make_parents(struct txn *t, const struct fs_user *u, struct path *p, struct inode **ret_parent,
                      struct err *reterr) MUST_CHECK;

/* O(1): what hangs below goes to the reaper. *ret_deleted false: there was nothing, or it was "/". The caller has seen
 * (tree_check_delete) that the user may remove everything below. */
int tree_delete(struct txn *t, const struct fs_user *u, const char *path, bool recursive, bool *ret_deleted,
                struct err *reterr) MUST_CHECK;
/* Walks the subtree on a snapshot, without the lock: rwx is needed on every directory that is not empty. */
int tree_check_delete(struct fsdir *dir, const struct fs_user *u, const char *path, struct err *reterr) MUST_CHECK;

/* Between that walk and the removal, nobody may move a directory in that would not have passed it. Begun under the lock
 * before the walk; what it says holds until the lock is let go. */
struct delete_watch {
    uint64_t top;      /* what the path named; 0: nothing */
    bool is_disturbed; /* a directory with something in it was moved to below the top */
    struct delete_watch *next;
};
void tree_delete_watch_begin(struct txn *t, const struct fs_user *u, const char *path, struct delete_watch *w);
bool tree_delete_watch_holds(struct txn *t, const struct fs_user *u, const char *path, const struct delete_watch *w);
/* n moves into `parent`: for renames that do not go by paths. */
void tree_moves_below(struct txn *t, struct inode *parent, const struct inode *n);
void tree_delete_watch_end(struct fsdir *dir, struct delete_watch *w);

/* FileSystem.rename: ordinary failures are *ret_done = false. */
int tree_rename(struct txn *t, const struct fs_user *u, const char *from, const char *to, bool *ret_done,
                struct err *reterr) MUST_CHECK;
int tree_rename2(struct txn *t, const struct fs_user *u, const char *from, const char *to, bool overwrite,
                 struct err *reterr) MUST_CHECK;
/* `old` becomes `aside` and `new_one` becomes `old`: entries of one directory. Permissions as of both renames. */
int tree_replace(struct txn *t, const struct fs_user *u, const char *old, const char *new_one, const char *aside,
                 struct err *reterr) MUST_CHECK;
int tree_symlink(struct txn *t, const struct fs_user *u, const char *target, const char *link, bool create_parent,
                 struct err *reterr) MUST_CHECK;

int tree_set_permission(struct txn *t, const struct fs_user *u, const char *path, uint16_t mode,
                        struct err *reterr) MUST_CHECK;
int tree_set_owner(struct txn *t, const struct fs_user *u, const char *path, const char *owner, const char *group,
                   struct err *reterr) MUST_CHECK; /* NULL = leave */
#define TREE_TIME_LEAVE UINT64_MAX                 /* as whatever else is negative to Java */
int tree_set_times(struct txn *t, const struct fs_user *u, const char *path, uint64_t mtime_ms, uint64_t atime_ms,
                   struct err *reterr) MUST_CHECK;
/* *ret_file NULL: missing or a directory (the answer is false). Else whose blocks now have *ret_old before. */
int tree_set_replication(struct txn *t, const struct fs_user *u, const char *path, uint32_t replication,
                         struct inode **ret_file, struct err *reterr) MUST_CHECK;
int tree_check_replication(const struct fsdir *dir, const char *path, uint32_t replication,
                           struct err *reterr) MUST_CHECK;

#endif

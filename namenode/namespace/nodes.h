/* Operations on names and inodes by number, with POSIX's rules: for mounts, whose kernels have checked permissions. The
 * namenode's own rules hold: quotas, limits, protected directories, snapshots. Each works inside the caller's txn and
 * leaves committing to the caller; on failure end the txn without a commit. */
#ifndef CAIRN_NAMENODE_NAMESPACE_NODES_H
#define CAIRN_NAMENODE_NAMESPACE_NODES_H

#include "namenode/namespace/sessions.h"

#define NODE_NAME_MAX   255
#define NODE_TARGET_MAX 4095

/* ERR_STALE: there is none, or it was cut off the tree and nobody holds it. */
int node_of(struct txn *t, uint64_t id, struct inode **ret, struct err *reterr) MUST_CHECK;
/* ERR_NOT_DIR too; NOT_FOUND: a directory that is being deleted. */
int node_directory(struct txn *t, uint64_t id, struct inode **ret, struct err *reterr) MUST_CHECK;
/* *ret NULL: no such entry. ".." too, and "." also of what is no directory. */
int node_lookup(struct txn *t, uint64_t parent, struct slice name, struct inode **ret, struct err *reterr) MUST_CHECK;

struct node_make {
    uint64_t parent;
    struct slice name;
    uint32_t mode, umask; /* with S_IFMT */
    const char *owner, *group;
    uint64_t rdev;
    struct slice target;
    uint32_t replication; /* regular files */
    uint64_t block_bytes;
    bool existing_is_fine; /* a regular file that is there: *ret_made false */
    /* Not 0: a regular file in no directory, which this session holds (txn_hold) until it is linked or let go. What is
     * inherited it has of the parent; the name is not looked at. */
    uint64_t holder;
};
int node_make(struct txn *t, const struct node_make *how, struct inode **ret, bool *ret_made,
              struct err *reterr) MUST_CHECK;
/* Also of what is held and has no name. */
int node_link(struct txn *t, uint64_t id, uint64_t parent, struct slice name, struct inode **ret,
              struct err *reterr) MUST_CHECK;

/* holder: the session for which what loses its last name is held; 0: nobody. */
int node_unlink(struct txn *t, uint64_t parent, struct slice name, bool directory, uint64_t holder, struct inode **ret,
                struct err *reterr) MUST_CHECK;

#define NODE_NOREPLACE 1u /* renameat2's numbers */
#define NODE_EXCHANGE  2u
#define NODE_WHITEOUT  4u
struct node_rename {
    uint64_t parent, new_parent;
    struct slice name, new_name;
    uint32_t flags;
    const char *owner, *group; /* of the whiteout */
};
/* *ret_replaced NULL: nothing was. */
int node_rename(struct txn *t, const struct node_rename *how, uint64_t holder, struct inode **ret,
                struct inode **ret_replaced, struct err *reterr) MUST_CHECK;

struct node_set { /* as far as has_.. */
    bool has_mode, has_atime, has_mtime;
    bool keeps_ctime;
    uint32_t mode;
    const char *owner, *group; /* NULL: stays */
    uint64_t atime_ns, mtime_ns;
};
int node_set(struct txn *t, uint64_t id, const struct node_set *set, struct inode **ret, struct err *reterr) MUST_CHECK;

#endif

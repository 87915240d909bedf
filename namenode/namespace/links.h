/* Names of inodes: entries of directories, and which of them an inode knows of.
 *
 * An inode keeps its first name itself (parent, name): its path, its quota, its storage policy, leases and fsck go by
 * that one. All but directories may have more names, which are kept in table 'l' and counted in more_links. When the
 * first goes, another becomes the first. What has more names has a first one.
 *
 * - Quotas: an inode is charged once, where its first name is; more names are free. When another name becomes the
 * first, the charge goes with it, and is not refused there.
 * - Snapshots: an inode is covered by those of all the directories that have a name of it (history.h).
 * - A name in a directory that was cut off the tree is there until the reaper has been there: txn_count_names does not
 *   count it. Paths go by a name that still hangs in the tree, if there is one.
 *
 * All of these work on inodes of the txn and take effect with its commit. */
#ifndef CAIRN_NAMENODE_NAMESPACE_LINKS_H
#define CAIRN_NAMENODE_NAMESPACE_LINKS_H

#include "namenode/namespace/txn.h"

#define LINKS_MAX 10000 /* of one inode: they are looked through in one go */

/* The first name of an inode that has none. */
void txn_link(struct txn *t, struct inode *parent, const char *name, struct inode *child);
/* One more. ERR_TOO_MANY_LINKS. */
int txn_add_link(struct txn *t, struct inode *parent, const char *name, struct inode *child,
                 struct err *reterr) MUST_CHECK;
/* If that was the last, child->parent is INODE_NONE. */
int txn_unlink(struct txn *t, struct inode *parent, const char *name, struct inode *child,
               struct err *reterr) MUST_CHECK;

struct entry {
    struct inode *parent;
    const char *name;
    struct inode *child;
};
/* to->child is not looked at: the place is free. */
int txn_move(struct txn *t, const struct entry *from, const struct entry *to, struct err *reterr) MUST_CHECK;
/* Each gets the other's name; neither is above the other. */
int txn_exchange(struct txn *t, const struct entry *a, const struct entry *b, struct err *reterr) MUST_CHECK;

/* n->links, with what the txn has changed. */
int txn_load_links(struct txn *t, struct inode *n, struct err *reterr) MUST_CHECK;
/* Those of the store, beside the first, in the arena. */
int links_stored(struct txn *t, uint64_t inode, struct inode_link **ret, size_t *ret_count,
                 struct err *reterr) MUST_CHECK;

#endif

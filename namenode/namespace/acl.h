/* Access control lists: HDFS's rules, which are POSIX.1e's.
 *
 * A logical ACL is sorted by scope, type and name; it has at least the owner's, the owning group's and the others'
 * entry, and a mask as soon as anybody is named. On an inode most of it is in the mode: owner, mask (as the group's
 * bits) and others; inode.acl keeps the named entries with the owning group's, and all default entries of a directory.
 * An inode without inode.acl has the minimal ACL of its mode. */
#ifndef CAIRN_NAMENODE_NAMESPACE_ACL_H
#define CAIRN_NAMENODE_NAMESPACE_ACL_H

#include "namenode/namespace/path.h"

#define ACL_SCOPE_ENTRIES_MAX 32  /* HDFS's limit, for access and default entries each */
#define ACL_DRAFT_MAX         144 /* two lists of both scopes, three copied entries and two masks fit */

struct acl {
    size_t count;
    struct acl_entry entries[ACL_DRAFT_MAX]; /* names are borrowed */
};

/* ---- the algebra: no inodes in it. *ret = what `change` makes of `old`, which is a logical ACL. ERR_ACL ---- */
int acl_check_spec(struct acl *spec, struct err *reterr) MUST_CHECK; /* sorts what a client sent; for those below */
int acl_merge(const struct acl *old, const struct acl *change, struct acl *ret, struct err *reterr) MUST_CHECK;
int acl_remove(const struct acl *old, const struct acl *change, struct acl *ret, struct err *reterr) MUST_CHECK;
int acl_remove_default(const struct acl *old, struct acl *ret, struct err *reterr) MUST_CHECK;
/* Of the scopes that `change` has anything of. */
int acl_replace(const struct acl *old, const struct acl *change, struct acl *ret, struct err *reterr) MUST_CHECK;

/* ---- on inodes ---- */
void acl_of_inode(const struct inode *n, struct acl *ret);
/* Default entries are for directories only: ERR_ACL; path: for that text. */
int acl_store(struct inode *n, const struct acl *acl, struct arena *a, const char *path, struct err *reterr) MUST_CHECK;
static inline bool acl_has_access_entries(const struct inode *n)
{
    return n->acl_count && n->acl[0].scope == ACL_ACCESS;
}

/* Modes of what is being made: with the umask applied, and as the program asked for it, if its client says so. */
struct create_mode {
    uint16_t masked, unmasked;
    bool has_unmasked;
};
/* A new child gets its mode, and what its parent's default ACL gives it. */
void acl_inherit(const struct fsdir *dir, const struct inode *parent, struct inode *child, struct create_mode mode,
                 struct arena *a);

/* ---- operations, in the caller's txn, committed by the caller ---- */
enum acl_change { ACL_MODIFY, ACL_REMOVE_ENTRIES, ACL_REMOVE_DEFAULT, ACL_REMOVE, ACL_SET };
/* spec: NULL for ACL_REMOVE_DEFAULT and ACL_REMOVE. */
int tree_change_acl(struct txn *t, const struct fs_user *u, const char *path, enum acl_change change, struct acl *spec,
                    struct err *reterr) MUST_CHECK;
int acl_check_enabled(const struct fsdir *dir, struct err *reterr) MUST_CHECK;

#endif

/* fs.protected.directories: directories that nobody, not even the superuser, removes or renames while something is in
 * them; nor what they are in. */
#ifndef CAIRN_NAMENODE_NAMESPACE_PROTECTED_H
#define CAIRN_NAMENODE_NAMESPACE_PROTECTED_H

#include "namenode/namespace/path.h"

struct protected_directories;
/* list: comma separated paths; what is no absolute path is logged and left out. NULL is an empty one.
 * with_all_below (dfs.protected.subdirectories.enable): directories below them are protected, too. */
struct protected_directories *protected_new(const char *list, bool with_all_below);
void protected_free(struct protected_directories *d); /* NULL is fine */

/* May p's target go from its place? ERR_ACCESS. Files and empty directories may, and what does not exist. */
int protected_check(struct txn *t, const struct path *p, struct err *reterr) MUST_CHECK;
/* The same for an inode. */
int protected_check_inode(struct txn *t, struct inode *n, struct err *reterr) MUST_CHECK;

#endif

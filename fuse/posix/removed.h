/* Directories that were removed through this mount: programs may still be in them, and ask what they are. The last ones
 * only; any thread. */
#ifndef CAIRN_FUSE_POSIX_REMOVED_H
#define CAIRN_FUSE_POSIX_REMOVED_H

#include "client/lib/posix.h"

struct removed;
struct removed *removed_new(void);
void removed_free(struct removed *r); /* NULL is fine */
void removed_add(struct removed *r, const struct posix_attr *attr);
bool removed_find(struct removed *r, uint64_t inode, struct arena *a, struct posix_attr *ret);

#endif

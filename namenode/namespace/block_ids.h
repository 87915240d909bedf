/* Which blocks does a state of a file have? Looks at a likely position first, which is right for files that only grew
 * or were cut; only if that misses the ids are sorted, once. */
#ifndef CAIRN_NAMENODE_NAMESPACE_BLOCK_IDS_H
#define CAIRN_NAMENODE_NAMESPACE_BLOCK_IDS_H

#include "namenode/namespace/inode.h"

struct block_ids {
    const struct inode *n;
    struct arena *arena;
    uint64_t *sorted; /* NULL: not yet */
};
/* n may be NULL: none. Both are borrowed. */
struct block_ids block_ids_of(const struct inode *n, struct arena *a);
bool block_ids_have(struct block_ids *s, size_t likely, uint64_t id);

#endif

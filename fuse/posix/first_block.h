/* The block that a file was given when it was made, so that its first save need not ask for one. What is not used goes
 * back with the next file that is made. */
#ifndef CAIRN_FUSE_POSIX_FIRST_BLOCK_H
#define CAIRN_FUSE_POSIX_FIRST_BLOCK_H

#include "fuse/posix/node.h"

#define FIRST_BLOCK_BYTES ((uint64_t)NEW_MAX_BYTES)
#define UNUSED_MAX        64

/* The node's lock is held. */
void first_block_keep(struct node *n, const struct dfs_block *b);
/* For so many bytes; NULL: there is none. It stays the node's. */
const struct dfs_block *first_block_of(const struct node *n, int64_t length);
void first_block_end(struct node *n);                             /* it was written, or dropped */
void first_block_give_back(struct node_store *s, struct node *n); /* nobody will write it; there need not be one */

struct unused_blocks *unused_blocks_new(void);
void unused_blocks_free(struct unused_blocks *u); /* they go with the session */
/* Those that are to be dropped: how many, UNUSED_MAX at most. Now they are the caller's to drop. */
size_t unused_blocks_take(struct unused_blocks *u, uint64_t ids[UNUSED_MAX]);

#endif

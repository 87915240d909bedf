/* Where the blocks of one open file are: fetched from the namenode in windows as they are needed, kept, fetched again
 * when all that was known failed. Any thread. */
#ifndef CAIRN_CLIENT_LIB_BLOCK_MAP_H
#define CAIRN_CLIENT_LIB_BLOCK_MAP_H

#include "client/lib/dfs.h"

struct block_map;
struct block_window; /* what was fetched at once; keeps the blocks handed out from it alive */

/* Fetches the first window and the length: that of the finished blocks plus, while somebody writes, what readers may
 * see of the last one. path is copied, fs borrowed. at_once: while somebody writes ERR_ALREADY_BEING_CREATED, as
 * datanodes would have to be asked. */
int block_map_open(struct dfs *fs, const char *path, bool at_once, struct block_map **ret,
                   struct err *reterr) MUST_CHECK;
void block_map_free(struct block_map *m); /* NULL is fine */
int64_t block_map_length(struct block_map *m);

/* The block that holds byte `offset` < length. *ret borrows the window; block_window_unref it. */
int block_map_find(struct block_map *m, int64_t offset, const struct dfs_block **ret, struct block_window **ret_window,
                   struct err *reterr) MUST_CHECK;
void block_window_unref(struct block_window *w); /* NULL is fine */

/* Asks again where the block at `offset` is. ERR_STALE if the file turns out to be another one, or was changed. */
int block_map_refetch(struct block_map *m, int64_t offset, struct err *reterr) MUST_CHECK;
/* Forgets everything and opens anew: the file grew, or was changed. */
int block_map_refresh(struct block_map *m, struct err *reterr) MUST_CHECK;

#endif

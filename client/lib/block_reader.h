/* A range of one replica: from its files, if its datanode is on this host and passes them, else over the network; of a
 * hole (proto/zero_block.h) from nowhere. One thread at a time. */
#ifndef CAIRN_CLIENT_LIB_BLOCK_READER_H
#define CAIRN_CLIENT_LIB_BLOCK_READER_H

#include "client/lib/dfs.h"
#include "proto/zero_block.h"

struct block_reader;

static inline bool is_hole(const struct dfs_block *b)
{
    return b->block_id == ZERO_BLOCK_ID && b->gen_stamp == ZERO_BLOCK_STAMP;
}

/* Bytes [offset, offset + len) of the block, which must exist. The block and node are borrowed until the reader is
 * closed; of a hole the node does not matter, NULL is fine. Any error means: try another replica. ERR_CHECKSUM only
 * from block_reader_read. */
int block_reader_open(struct dfs *fs, const struct dfs_block *b, const struct dfs_datanode *d, int64_t offset,
                      int64_t len, struct block_reader **ret, struct err *reterr) MUST_CHECK;
/* Some of the bytes that come next, at least one unless the range is read (then 0). ERR_CHECKSUM: this replica is
 * damaged. After an error only close it. */
int block_reader_read(struct block_reader *r, void *bytes, size_t len, size_t *ret_read, struct err *reterr) MUST_CHECK;
/* Some of the bytes that come next, in place; valid until the reader is closed. ERR_UNSUPPORTED: only local replicas
 * are mapped, and this is none or cannot be; reading goes on as before. */
int block_reader_map(struct block_reader *r, size_t len, const void **ret, size_t *ret_bytes,
                     struct err *reterr) MUST_CHECK;
int64_t block_reader_left(const struct block_reader *r); /* bytes of the range not yet read */
bool block_reader_is_short_circuit(const struct block_reader *r);
void block_reader_close(struct block_reader *r); /* NULL is fine */

#endif

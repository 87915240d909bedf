/* A range of one replica, read from one datanode over the network: READ_BLOCK, its packets verified. One thread at a
 * time. */
#ifndef CAIRN_CLIENT_LIB_BLOCK_READER_H
#define CAIRN_CLIENT_LIB_BLOCK_READER_H

#include "client/lib/dfs.h"

struct block_reader;

/* Bytes [offset, offset + len) of the block, which must exist. The block and node are not kept.
 * Any error means: try another replica. ERR_CHECKSUM only from block_reader_read. */
int block_reader_open(struct dfs *fs, const struct dfs_block *b, const struct dfs_datanode *d, int64_t offset,
                      int64_t len, struct block_reader **ret, struct err *reterr) MUST_CHECK;
/* Some of the bytes that come next, at least one unless the range is read (then 0). What is larger than a packet goes
 * straight into `bytes`. ERR_CHECKSUM: this replica is damaged. After an error only close it. */
int block_reader_read(struct block_reader *r, void *bytes, size_t len, size_t *ret_read, struct err *reterr) MUST_CHECK;
int64_t block_reader_left(const struct block_reader *r); /* bytes of the range not yet read */
/* If the whole range was read, the connection is kept for the next one. NULL is fine. */
void block_reader_close(struct block_reader *r);

#endif

/* A range of one replica, read from one datanode over the network: READ_BLOCK, its packets verified. One thread at a
 * time. The functions are those of block_reader.h, which chooses between this and local_reader.h. */
#ifndef CAIRN_CLIENT_LIB_REMOTE_READER_H
#define CAIRN_CLIENT_LIB_REMOTE_READER_H

#include "client/lib/dfs.h"

struct remote_reader;

int remote_reader_open(struct dfs *fs, const struct dfs_block *b, const struct dfs_datanode *d, int64_t offset,
                       int64_t len, struct remote_reader **ret, struct err *reterr) MUST_CHECK;
/* What is larger than a packet goes straight into `bytes`. */
int remote_reader_read(struct remote_reader *r, void *bytes, size_t len, size_t *ret_read,
                       struct err *reterr) MUST_CHECK;
int64_t remote_reader_left(const struct remote_reader *r);
/* If the whole range was read, the connection is kept for the next one. NULL is fine. */
void remote_reader_close(struct remote_reader *r);

#endif

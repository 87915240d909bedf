/* A range of one replica, read from files that the datanode passed to us. One thread at a time. The functions are those
 * of block_reader.h, which chooses between this and remote_reader.h. */
#ifndef CAIRN_CLIENT_LIB_LOCAL_READER_H
#define CAIRN_CLIENT_LIB_LOCAL_READER_H

#include "client/lib/dfs.h"

struct local_reader;

int local_reader_open(struct dfs *fs, const struct dfs_block *b, const struct dfs_datanode *d, int64_t offset,
                      int64_t len, struct local_reader **ret, struct err *reterr) MUST_CHECK;
/* ERR_CHECKSUM may also mean that the replica was being changed: ask the datanode before believing it. */
int local_reader_read(struct local_reader *r, void *bytes, size_t len, size_t *ret_read, struct err *reterr) MUST_CHECK;
/* The bytes that come next, at most len, as they are in memory; valid until the reader is closed. */
int local_reader_map(struct local_reader *r, size_t len, const void **ret, size_t *ret_bytes,
                     struct err *reterr) MUST_CHECK;
int64_t local_reader_left(const struct local_reader *r);
void local_reader_close(struct local_reader *r);
/* The replica could not be read: its files are not to be used again. */
void local_reader_discard(struct local_reader *r);

#endif

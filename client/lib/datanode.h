/* One datanode as a client sees it: transfer connections, answers to ops, the few questions to its RPC port. */
#ifndef CAIRN_CLIENT_LIB_DATANODE_H
#define CAIRN_CLIENT_LIB_DATANODE_H

#include "client/lib/dfs.h"
#include "hdfs/data_transfer.pb-c.h"

/* "ip:xferPort", which is what firstBadLink names and what connections are cached by. */
const char *datanode_name(const struct dfs_datanode *d, char out[NET_ADDRESS_MAX]);
bool datanode_is_local(const struct dfs *fs, const struct dfs_datanode *d);
/* extra_ms is added to dfs.client.socket-timeout for reading (5 s per node of a pipeline). */
int datanode_connect(struct dfs *fs, const struct dfs_datanode *d, int extra_ms, int *ret_fd,
                     struct err *reterr) MUST_CHECK;
void datanode_set_timeouts(const struct dfs *fs, int extra_ms, int fd); /* as that does */
/* Anything but SUCCESS is ERR_IO, with the datanode's words. */
int datanode_check_answer(const Hdfs__BlockOpResponseProto *answer, struct err *reterr) MUST_CHECK;
/* The answer to an op, checked so (*ret is set all the same). */
int datanode_read_answer(int fd, struct arena *a, Hdfs__BlockOpResponseProto **ret, struct err *reterr) MUST_CHECK;
const char *status_name(int status); /* "ERROR_CHECKSUM" */

/* How long a replica that is being written is for readers. ERR_REPLICA_NOT_FOUND */
int datanode_visible_length(struct dfs *fs, const struct dfs_block *b, const struct dfs_datanode *d, int64_t *ret,
                            struct err *reterr) MUST_CHECK;
/* Has it put its replica onto its disk. *ret_synced: false if it is one of Hadoop's, which does not know of that. */
int datanode_sync_replica(struct dfs *fs, const struct dfs_block *b, const struct dfs_datanode *d, bool *ret_synced,
                          struct err *reterr) MUST_CHECK;

#endif

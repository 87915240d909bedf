/* What clients see of inodes, blocks and datanodes. Everything is built in the given arena; strings of inodes and nodes
 * are borrowed, so pack the answer before the lock is released. */
#ifndef CAIRN_NAMENODE_SERVE_STATUS_H
#define CAIRN_NAMENODE_SERVE_STATUS_H

#include "hdfs/client_namenode.pb-c.h"
#include "namenode/namenode.h"
#include "namenode/namespace/inode.h"

/* local_name: "" unless it is an entry of a listing. The storage policy is the inode's own: see status_inherit. */
Hdfs__HdfsFileStatusProto *status_of(struct arena *a, const struct inode *n, const char *local_name);
/* What has no policy of its own has the one in force above it. */
static inline void status_inherit(Hdfs__HdfsFileStatusProto *s, uint8_t policy)
{
    if (!s->storagepolicy && s->filetype != HDFS__HDFS_FILE_STATUS_PROTO__FILE_TYPE__IS_SYMLINK)
        s->storagepolicy = policy;
}
/* client_ip: who asks, since the addresses are those that fit its network. */
Hdfs__DatanodeInfoProto *status_datanode(struct arena *a, const struct datanode_info *d, const char *client_ip);
Hdfs__ExtendedBlockProto *status_extended_block(struct arena *a, const struct namenode *nn, uint64_t id, uint64_t stamp,
                                                uint64_t bytes);
#define STATUS_NO_OFFSET UINT64_MAX
Hdfs__LocatedBlockProto *status_located_block(struct arena *a, const struct namenode *nn, const struct file_block *b,
                                              uint64_t offset, const struct block_location *locations, size_t count,
                                              const char *client_ip);
/* Blocks that overlap [offset, offset + length). */
Hdfs__LocatedBlocksProto *status_located_blocks(struct arena *a, const struct namenode *nn, const struct inode *n,
                                                uint64_t offset, uint64_t length, const char *client_ip);

#endif

/* Protobuf messages <=> dfs_* structs. Results borrow the message's strings, so both live in one arena; what arrives
 * from a peer is checked where the rest of the library relies on it (parallel arrays, file offsets). */
#ifndef CAIRN_CLIENT_LIB_DFS_CONVERT_H
#define CAIRN_CLIENT_LIB_DFS_CONVERT_H

#include "client/lib/dfs.h"
#include "hdfs/common.pb-c.h"

int convert_status(const Hdfs__HdfsFileStatusProto *from, struct arena *a, struct dfs_status *ret,
                   struct err *reterr) MUST_CHECK;
void convert_datanode(const Hdfs__DatanodeInfoProto *from, struct dfs_datanode *ret);
int convert_block(const Hdfs__LocatedBlockProto *from, struct arena *a, struct dfs_block *ret,
                  struct err *reterr) MUST_CHECK;
int convert_blocks(const Hdfs__LocatedBlocksProto *from, struct arena *a, struct dfs_blocks *ret,
                   struct err *reterr) MUST_CHECK;

/* Deep copy into another arena. */
void copy_block(const struct dfs_block *from, struct arena *a, struct dfs_block *ret);
void copy_datanode(const struct dfs_datanode *from, struct arena *a, struct dfs_datanode *ret);

/* The other way; results borrow their input and live in the arena. */
Hdfs__ExtendedBlockProto *proto_of_block(const struct dfs_block *b, struct arena *a);
Hdfs__TokenProto *proto_of_token(const struct dfs_token *t, struct arena *a);
Hdfs__DatanodeInfoProto *proto_of_datanode(const struct dfs_datanode *d, struct arena *a);
Hdfs__LocatedBlockProto *proto_of_located_block(const struct dfs_block *b, const struct dfs_datanode *node,
                                                const char *storage_id, struct arena *a); /* with one node */

#endif

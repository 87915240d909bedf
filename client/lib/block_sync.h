/* Blocks that are finished, put onto the disks of their datanodes: what HDFS's hsync does not do, which covers the
 * block being written only. Datanodes of Cairn do it when they are asked to, on their RPC port; who has Hadoop's, or
 * none within reach, gets what HDFS gives. */
#ifndef CAIRN_CLIENT_LIB_BLOCK_SYNC_H
#define CAIRN_CLIENT_LIB_BLOCK_SYNC_H

#include "client/lib/lost_nodes.h"

struct block_sync { /* zeroed: nobody was asked yet */
    struct lost_nodes away;
    bool knows_none; /* the cluster is one of Hadoop's: nobody is asked any more */
};

/* As in a pipeline: that one datanode fails is no reason to fail as long as another has done it. */
int block_sync_one(struct block_sync *s, struct dfs *fs, const char *path, const struct dfs_block *b,
                   struct err *reterr) MUST_CHECK;
/* Forgets who was away. */
void block_sync_end(struct block_sync *s);

/* All blocks of a file. */
int block_sync_file(struct dfs *fs, const char *path, struct err *reterr) MUST_CHECK;

#endif

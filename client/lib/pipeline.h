/* Setting up a pipeline of datanodes, and copying a replica to a node that joins one: the ops of a writer. */
#ifndef CAIRN_CLIENT_LIB_PIPELINE_H
#define CAIRN_CLIENT_LIB_PIPELINE_H

#include "client/lib/dfs.h"
#include "common/buf.h"
#include "common/digest.h"
#include "hdfs/data_transfer.pb-c.h"

enum pipeline_stage { /* Hadoop's BlockConstructionStage */
                      PIPELINE_APPEND = 0,
                      PIPELINE_APPEND_RECOVERY = 1,
                      PIPELINE_STREAMING_RECOVERY = 3,
                      PIPELINE_CLOSE_RECOVERY = 5,
                      PIPELINE_CREATE = 6,
};
struct pipeline_request {
    enum pipeline_stage stage;
    const struct dfs_block
        *block;             /* with the generation it has, its nodes in pipeline order, its acknowledged length */
    uint64_t new_gen_stamp; /* 0 when the block is new */
    struct dfs_token token;
    int64_t bytes_sent;  /* at most; >= block->bytes */
    int64_t block_bytes; /* how large it may get: space to reserve */
    enum checksum_type type;
    uint32_t bytes_per_checksum;
    bool is_unasked; /* that the node has it may be told to the namenode a little later */
};
/* A connection on which packets may follow; *ret_keeps: and after the block another op (pipeline_keep). On failure
 * *ret_bad is the index of the node to blame. */
int pipeline_connect(struct dfs *fs, const struct pipeline_request *r, int *ret_fd, bool *ret_keeps, size_t *ret_bad,
                     struct err *reterr) MUST_CHECK;
/* What both do first: the op, appended, and a connection to the first node: a kept one, with the time-outs it has, or
 * *ret_kept is false. */
void pipeline_pack(struct dfs *fs, const struct pipeline_request *r, struct buf *to);
int pipeline_open(struct dfs *fs, const struct dfs_block *b, bool fresh, int *ret_fd, bool *ret_kept,
                  struct err *reterr) MUST_CHECK;
/* The same without waiting for the answer: packets may be sent, and pipeline_answered() is to be given what comes
 * before their acknowledgements. fresh: not on a connection that was kept. *ret_kept: it was, and may be closed by now,
 * which says nothing about the node. */
int pipeline_begin(struct dfs *fs, const struct pipeline_request *r, bool fresh, int *ret_fd, bool *ret_kept,
                   struct err *reterr) MUST_CHECK;
int pipeline_answered(const struct dfs_block *b, const Hdfs__BlockOpResponseProto *answer, bool *ret_keeps,
                      size_t *ret_bad, struct err *reterr) MUST_CHECK;
/* All of a block has been acknowledged on this connection: it is kept for the next one. *fd becomes -1. */
void pipeline_keep(struct dfs *fs, const struct dfs_block *b, int *fd);
/* Makes nodes[from] copy what it has of the block to nodes[to]. */
int pipeline_transfer(struct dfs *fs, const struct dfs_block *b, size_t from, size_t to, struct err *reterr) MUST_CHECK;
/* Extra time to allow for a pipeline of so many nodes. */
int pipeline_extra_ms(size_t node_count);

#endif

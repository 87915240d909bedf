/* ClientProtocol's calls of a writer. All are safe to repeat; paths are as the file was opened, the file id decides. */
#ifndef CAIRN_CLIENT_LIB_WRITE_CALLS_H
#define CAIRN_CLIENT_LIB_WRITE_CALLS_H

#include "client/lib/dfs.h"

struct open_file { /* how the namenode knows a file that we write */
    struct dfs *fs;
    char *path; /* with symlinks resolved */
    uint64_t file_id;
};

struct create_answer {
    char *path; /* in the arena */
    uint64_t file_id;
    int64_t length, block_bytes;
    uint32_t replication;
    bool has_block;         /* append: the last block has room */
    struct dfs_block block; /* then this is it */
};
int call_create(struct dfs *fs, const char *path, const struct file_create *how, struct arena *a,
                struct create_answer *ret, struct err *reterr) MUST_CHECK;
int call_append(struct dfs *fs, const char *path, bool new_block, struct arena *a, struct create_answer *ret,
                struct err *reterr) MUST_CHECK;
/* previous: the block before, with its final length, or NULL. Waits while the one before that is not replicated yet. */
int call_add_block(const struct open_file *f, const struct dfs_block *previous, const struct dfs_datanode *excluded,
                   size_t excluded_count, struct arena *a, struct dfs_block *ret, struct err *reterr) MUST_CHECK;
int call_abandon_block(const struct open_file *f, const struct dfs_block *b, struct err *reterr) MUST_CHECK;
int call_fsync(const struct open_file *f, int64_t last_block_bytes,
               struct err *reterr) MUST_CHECK; /* -1: as it is known */
/* Waits until enough replicas of the last block are reported. last: NULL for an empty file.
 * written_ns: the modification time, if the namenode is ours and the user may set it; 0: now. */
int call_complete(const struct open_file *f, const struct dfs_block *last, uint64_t written_ns,
                  struct err *reterr) MUST_CHECK;

/* Of all files that this client writes. */
int call_renew_lease(struct dfs *fs, struct err *reterr) MUST_CHECK;

/* A new generation stamp, and leave to write with it. */
int call_update_block(const struct open_file *f, const struct dfs_block *b, struct arena *a, uint64_t *ret_gen_stamp,
                      struct dfs_token *ret_token, struct err *reterr) MUST_CHECK;
/* b as it is known to the namenode => generation gen_stamp on b's nodes. */
int call_update_pipeline(const struct open_file *f, const struct dfs_block *b, uint64_t gen_stamp,
                         struct err *reterr) MUST_CHECK;
/* One more node for b: *ret has b's nodes and the new one, in the order of the pipeline. */
int call_additional_datanode(const struct open_file *f, const struct dfs_block *b, const struct dfs_datanode *excluded,
                             size_t excluded_count, struct arena *a, struct dfs_block *ret,
                             struct err *reterr) MUST_CHECK;

#endif

/* Editing a file in place: new blocks are written beside it (detached.h), then runs of its blocks are swapped for them
 * by one commit. As in files.h: in the caller's txn, which these commit. The caller has looked who may. */
#ifndef CAIRN_NAMENODE_NAMESPACE_FILES_EDIT_H
#define CAIRN_NAMENODE_NAMESPACE_FILES_EDIT_H

#include "namenode/namespace/detached.h"
#include "namenode/namespace/files.h"

#define NEW_BLOCKS_MAX 1024 /* at once */

struct new_blocks_args {
    struct inode *file;
    uint64_t session;
    const char *client_name, *client_ip; /* who writes them */
    const uint64_t *lengths;             /* room for each: 1 up to the file's block size */
    size_t count;
    const char *const *excluded; /* datanodes' uuids */
    size_t excluded_count;
    const uint64_t *like; /* NULL, or for each the block in whose places it shall be; nothing is excluded then */
};
/* *ret: `count` of them, in the arena. All or none. */
int file_new_blocks(const struct file_op *o, const struct new_blocks_args *args, struct new_block **ret,
                    struct err *reterr) MUST_CHECK;

struct edit_span {
    uint64_t index; /* of the first block to go */
    const struct file_block *old_blocks, *new_blocks;
    size_t old_count, new_count;
    bool has_start, at_end; /* it begins at `start`; nothing comes behind the old blocks: else ERR_STALE, too */
    uint64_t start;
};
struct node_set;
struct edit {
    struct inode *file;
    uint64_t session;
    const struct edit_span *spans; /* in rising order */
    size_t count;
    uint64_t mtime_ns;                   /* 0: now */
    uint64_t stream;                     /* 0, or of this session, a lost one: the spans put in what it did not bring */
    uint64_t stream_end;                 /* without spans: so long it was to make the file */
    const char *client_name, *client_ip; /* who edits */
    const struct node_set *set;          /* with spans: attributes that are set with them; NULL: none */
};
/* A writer that is gone is ended, as by an append; without spans nothing else happens, and the editor's own stream,
 * which failed, is ended too. *ret_done false: some new block has not been reported by enough datanodes, and nothing
 * was changed; when one has, it is worth asking again. ERR_STALE: the old blocks are not there as named, or no stream
 * was lost that lacks something;
 * ERR_ALREADY_BEING_CREATED, or ERR_RECOVERY_IN_PROGRESS: somebody holds the lease, or did until now;
 * ERR_REPLICA_NOT_FOUND: a new block is not known. */
int file_edit(const struct file_op *o, const struct edit *e, bool *ret_done, struct err *reterr) MUST_CHECK;

/* The file of a detached block that this client writes. */
int file_check_detached(const struct file_op *o, const char *client_name, const struct detached_block *d,
                        struct inode **ret, struct err *reterr) MUST_CHECK;
/* updatePipeline of one: nothing but memory knows its stamp. */
int file_update_detached(const struct file_op *o, struct detached_block *d, const struct block_id_stamp *new_block,
                         const char *const *datanode_uuids, const char *const *storage_uuids, size_t count,
                         struct err *reterr) MUST_CHECK;

#endif

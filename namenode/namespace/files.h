/* Writing files: create, blocks, close, append, truncate, concat, and what happens when a writer is gone.
 *
 * Every function here runs in the caller's txn under the namenode's lock and commits by itself, since the block map has
 * to hear of a change after it is in the store and before anyone else looks. It may have committed something even when
 * it fails (an attempt to take over a dead writer's file starts its recovery and still answers "try again"). Rules and
 * texts are HDFS's. */
#ifndef CAIRN_NAMENODE_NAMESPACE_FILES_H
#define CAIRN_NAMENODE_NAMESPACE_FILES_H

#include "namenode/namenode.h"
#include "namenode/namespace/path.h"

struct file_op {
    struct namenode *nn;
    struct txn *t;
    uint64_t now_ms; /* monotonic */
};

struct block_id_stamp {
    uint64_t id, stamp, length_bytes;
};

/* Commits, ends the leases of files that were closed or discarded, and takes freed blocks out of the block map. Also
 * for tree operations. */
int file_commit(const struct file_op *o, struct err *reterr) MUST_CHECK;

/* ---- create ---- */
struct file_create_args {
    const char *path, *client_name, *client_machine;
    uint16_t mode, unmasked; /* see struct create_mode */
    bool has_unmasked;
    uint32_t replication;
    uint64_t block_bytes;
    bool create, overwrite, create_parents;
    bool create_folder;         /* the file's directory, but none above it */
    const char *storage_policy; /* by name; NULL or "": the directory's */
};
int file_create(const struct file_op *o, const struct fs_user *u, const struct file_create_args *args,
                struct inode **ret, struct err *reterr) MUST_CHECK;

/* ---- blocks of an open file. file_id 0: by path ---- */
struct file_ref {
    const char *path;
    uint64_t file_id;
    const char *client_name;
};
/* The open file whose lease the client holds. ERR_NOT_FOUND, ERR_LEASE_EXPIRED. ret_any (may be NULL) is set even if
 * the lease does not fit: for who must know whether the file is closed. */
int file_check_lease(const struct file_op *o, const struct fs_user *u, const struct file_ref *ref, struct inode **ret,
                     struct inode **ret_any, struct err *reterr) MUST_CHECK;

struct new_block {
    const struct file_block *block; /* in the txn's arena */
    uint64_t offset;
    struct block_location targets[BLOCK_LOCATIONS_MAX];
    size_t target_count;
};
/* choose: client_ip, count and block_bytes are filled in here. previous NULL: none. */
int file_add_block(const struct file_op *o, const struct fs_user *u, const struct file_ref *ref,
                   const struct block_id_stamp *previous, struct choose_args *choose, struct new_block *ret,
                   struct err *reterr) MUST_CHECK;
int file_abandon_block(const struct file_op *o, const struct fs_user *u, const struct file_ref *ref, uint64_t block_id,
                       struct err *reterr) MUST_CHECK;
/* *ret_closed false: some block has not been reported by enough datanodes yet. written_ns: the modification time it is
 * to have, if the user may set that; 0: when it is closed. */
int file_complete(const struct file_op *o, const struct fs_user *u, const struct file_ref *ref,
                  const struct block_id_stamp *last, uint64_t written_ns, bool *ret_closed, uint64_t *ret_inode,
                  struct err *reterr) MUST_CHECK;
/* Closes an open file whose blocks are all complete (or committed with enough replicas). is_lost: its writer has not
 * said that this is all. */
int file_try_close(const struct file_op *o, struct inode *n, bool is_lost, bool *ret_closed,
                   struct err *reterr) MUST_CHECK;
int file_fsync(const struct file_op *o, const struct fs_user *u, const struct file_ref *ref, int64_t last_length,
               struct err *reterr) MUST_CHECK;
/* The file and block that a client repairs the pipeline of: last block, being written, lease held; or a detached one
 * that it writes. */
int file_check_pipeline(const struct file_op *o, const char *client_name, uint64_t block_id, struct inode **ret,
                        struct err *reterr) MUST_CHECK;
/* Only a number: the stored stamp stays. */
int file_new_stamp(const struct file_op *o, uint64_t *ret_stamp, struct err *reterr) MUST_CHECK;
int file_update_pipeline(const struct file_op *o, const char *client_name, const struct block_id_stamp *old_block,
                         const struct block_id_stamp *new_block, const char *const *datanode_uuids,
                         const char *const *storage_uuids, size_t count, struct err *reterr) MUST_CHECK;
/* The core's news that a committed block has enough replicas. *ret_inode: its file; 0 if there is nothing to do. */
int file_block_replicated(const struct file_op *o, uint64_t block_id, uint64_t *ret_inode,
                          struct err *reterr) MUST_CHECK;

/* ---- append, truncate, concat ---- */
/* *ret_block NULL: no block, or it is full. */
int file_append(const struct file_op *o, const struct fs_user *u, const char *path, const char *client_name,
                const char *client_machine, bool new_block, struct inode **ret, struct file_block **ret_block,
                struct err *reterr) MUST_CHECK;
int file_truncate(const struct file_op *o, const struct fs_user *u, const char *path, uint64_t length,
                  const char *client_name, const char *client_machine, bool *ret_done, struct err *reterr) MUST_CHECK;
int file_concat(const struct file_op *o, const struct fs_user *u, const char *target, char *const *sources,
                size_t count, struct err *reterr) MUST_CHECK;

/* ---- dead writers ---- */
/* Another client wants the file: fine if it is closed, or can be closed at once; else ERR_ALREADY_BEING_CREATED or
 * ERR_RECOVERY_IN_PROGRESS. force: recoverLease, which does not wait for the soft limit (*ret_closed false then). */
int file_take_over(const struct file_op *o, struct inode *n, const char *doing, const char *path,
                   const char *client_name, const char *client_machine, bool force, bool *ret_closed,
                   struct err *reterr) MUST_CHECK;
/* Closes the file or starts the recovery of its last block. */
int file_release_lease(const struct file_op *o, struct inode *n, const char *path, bool *ret_closed,
                       struct err *reterr) MUST_CHECK;
/* A new attempt at recovering the last block, being written; the namenode holds the lease meanwhile. */
int file_begin_recovery(const struct file_op *o, struct inode *n, struct err *reterr) MUST_CHECK;
struct block_record file_block_record(const struct inode *n, const struct file_block *b);
int file_recover_lease(const struct file_op *o, const struct fs_user *u, const char *path, const char *client_name,
                       const char *client_machine, bool *ret_closed, struct err *reterr) MUST_CHECK;
/* What the datanodes made of it: commitBlockSynchronization. */
int file_block_recovered(const struct file_op *o, const struct block_recovery *r, struct err *reterr) MUST_CHECK;

#endif

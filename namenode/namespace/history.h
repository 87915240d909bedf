/* What was before: versions of inodes and of directory entries, kept beside the current ones for as long as a snapshot
 * needs them. Nobody else has to know: txn_commit calls history_record with what changes.
 *
 * A snapshot is a number from one counter. Taking one writes its name and nothing else. When something is changed that
 * a live snapshot covers, what it was is saved under a tag, the newest snapshot that covers it, unless there is a
 * version with that tag (or a later one) already. So the state as of a snapshot is the first version with a tag not
 * below it, else the current state.
 *
 * - An inode is covered by the live snapshots of the directories above it that were taken since it is there
 *   (inode.entered is the counter's state when it was made or moved), and by its floors: snapshots that covered it at
 *   former places. Both hold for all below it, too, so moving a directory, or cutting it off to be deleted, is one
 * change.
 * - What has several names (links.h) is covered by the snapshots of all their directories, each since it has that name.
 * - inode.saved is the counter's state when it was last changed: all snapshots up to there are served by versions.
 * - A version notes which snapshots it was saved for ('T' finds versions by them). When the snapshot of its tag is
 *   deleted, it goes on under the newest older one that still needs it, or it goes.
 * - What is gone and has versions is found from the directory where its newest version has it ('G', history_held.h).
 * - A version of an entry that says that there was none goes with the entry: what comes and goes between two snapshots
 *   leaves nothing, however much that is.
 * - A block is free when neither the current record nor a version of its file has it. What left a file's list never
 *   comes back into it, so the states that have a block follow each other in time, and looking at the neighbours is
 *   enough: at the same position, where it is unless the file was edited, then anywhere (block_ids.h). */
#ifndef CAIRN_NAMENODE_NAMESPACE_HISTORY_H
#define CAIRN_NAMENODE_NAMESPACE_HISTORY_H

#include "namenode/namespace/keys.h"
#include "namenode/namespace/txn.h"

/* ---- which directories have which snapshots: in memory, read at start; guarded by the namenode's lock ---- */
int history_load(struct fsdir *dir, struct err *reterr) MUST_CHECK;
void history_free(struct history *h);
bool history_is_used(const struct fsdir *dir); /* are there snapshots, or remains of deleted ones? */
size_t history_snapshottable_count(const struct fsdir *dir);
uint64_t history_snapshottable_at(const struct fsdir *dir, size_t index); /* by inode number */
size_t history_snapshot_count(const struct fsdir *dir);                   /* live ones, of all directories */
uint64_t history_latest(const struct fsdir *dir, uint64_t inode);         /* its newest live snapshot, 0: none */

/* ---- changing; they take effect with the commit ---- */
enum history_change { HISTORY_ALLOW, HISTORY_DISALLOW, HISTORY_TAKE, HISTORY_DROP, HISTORY_CLEANED };
void history_change(struct txn *t, enum history_change what, uint64_t dir, uint64_t snapshot);
void history_apply(struct txn *t); /* txn_commit: the batch is written */
/* txn_commit: saves what `changes` and t->entries are about to change, and marks those of t->drops that a version
 * keeps. */
int history_record(struct txn *t, const struct inode_change *changes, size_t count, struct err *reterr) MUST_CHECK;
/* As in HDFS, a storage policy is the inode's and not part of what it was: snapshots show the one it has now. */
int history_change_policy(struct txn *t, uint64_t id, uint8_t policy, struct err *reterr) MUST_CHECK;
/* Is there a snapshot that knows this file, or will the reaper still look at versions of it? */
int history_is_covered(struct txn *t, struct inode *n, bool *ret, struct err *reterr) MUST_CHECK;
/* The most replicas that versions of a file want of its blocks, with the one that changing n now will save; 0: none. */
int history_replicas_kept(struct txn *t, struct inode *n, uint16_t *ret, struct err *reterr) MUST_CHECK;
/* Does a snapshot, or a version, have this block of n? */
int history_keeps_block(struct txn *t, struct inode *n, const struct file_block *b, bool *ret,
                        struct err *reterr) MUST_CHECK;

/* ---- looking: as of a snapshot. Objects to look at: a commit will not write them; inode.as_of says when ---- */
int history_inode(struct txn *t, uint64_t id, uint64_t as_of, struct inode **ret, struct err *reterr) MUST_CHECK;
/* txn_child for a parent with as_of. */
int history_child(struct txn *t, const struct inode *parent, const char *name, struct inode **ret,
                  struct err *reterr) MUST_CHECK;
/* DIR/.snapshot: a directory that is not stored; its entries are DIR's snapshots, as inodes DIR as of then. */
#define AS_OF_LIST UINT64_MAX
struct inode *history_list(struct txn *t, const struct inode *dir);
/* *ret_id 0: there is no snapshot of this name. */
int history_find(struct txn *t, uint64_t dir, const char *name, uint64_t *ret_id, uint64_t *ret_mtime_ns,
                 struct err *reterr) MUST_CHECK;
/* Inodes that were taken out of this directory and that snapshots have at their place, each as its newest snapshot has
 * it (n->as_of). is_moved: it is still there, elsewhere or under another name. Of a directory that is seen as of a
 * snapshot itself: what is not seen there, either, and was not moved. */
typedef int (*history_deleted_fn)(void *context, struct inode *n, bool is_moved, struct err *reterr);
int history_each_deleted(struct txn *t, const struct inode *dir, history_deleted_fn each, void *context,
                         struct err *reterr) MUST_CHECK;
/* A file that only snapshots have: its last block may have grown after the snapshot that is left was taken, and counts
 * as it is now. */
int history_grow_last_block(struct txn *t, struct inode *n, struct err *reterr) MUST_CHECK;
struct version {
    uint64_t child;
    struct slice inode; /* an InodeRecord, in the arena */
    const struct snapshot_ref *refs;
    size_t ref_count;
};
int version_decode(struct slice record, struct arena *a, struct version *ret, struct err *reterr) MUST_CHECK;
void version_encode(const struct version *v, struct buf *to);

/* ---- the reaper: versions of deleted snapshots ---- */
struct history_cursor {
    size_t len;
    uint8_t after[KEY_MAX]; /* the last key that was dealt with */
};
/* One bounded step. *ret_more false: there was nothing to do. */
int history_reap_step(struct txn *t, struct history_cursor *c, bool *ret_more, struct err *reterr) MUST_CHECK;

#endif

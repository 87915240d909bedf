/* The namespace's tables, and the one door to them.
 *
 * A txn is one look at the namespace or one change of it. Inodes are loaded into its arena, once each; changes are made
 * to those objects and by the functions below, and reach the store as one batch in txn_commit: all or nothing. A txn
 * that is ended without a commit has changed nothing.
 *
 * The namenode's lock is held from txn_begin to txn_end, except for a txn_begin_snapshot, which only reads. */
#ifndef CAIRN_NAMENODE_NAMESPACE_TXN_H
#define CAIRN_NAMENODE_NAMESPACE_TXN_H

#include "common/config.h"
#include "namenode/journal/journal.h"
#include "namenode/journal/store.h"
#include "namenode/namespace/inode.h"
#include "namenode/namespace/retry_ring.h"

struct counters {
    uint64_t next_inode, next_block, next_stamp; /* the next to be given out */
    uint64_t inodes, directories, symlinks;      /* those held or cut off and not yet reaped included */
    uint64_t quotas;                             /* directories with a quota */
    uint64_t blocks, complete_blocks;            /* those that only a snapshot has included */
    uint64_t last_snapshot;                      /* the number given out last */
    uint64_t quota_rules;                        /* by which the quotas' records were counted, see quota.h */
};

struct fsdir_limits {
    size_t component_bytes, children, path_chars /* see path_length() */, depth, list_entries;
    uint64_t block_bytes_min, blocks_per_file;
    uint16_t replication_min, replication_max;
    uint64_t atime_precision_ns; /* 0: access times are not kept */
    size_t snapshots, snapshots_per_dir;
    size_t xattrs, xattr_bytes; /* per inode; of a name and its value */
};

struct fsdir {
    struct store *store;     /* borrowed */
    struct journal *journal; /* borrowed; NULL in tests that need none */
    struct history *history; /* see history.h */
    struct retry_ring *retries;
    struct counters counters;
    struct fsdir_limits limits;
    bool permissions; /* dfs.permissions.enabled */
    bool acls, posix_acl_inheritance, xattrs, storage_policies;
    bool atime_changes_in_snapshots, diffs_below_roots, owners_set_quotas;
    uint8_t default_policy;
    char superuser[256]; /* the namenode's OS user */
    char supergroup[256];
    struct change_log *changes;              /* see change_log.h */
    struct opens *opens;                     /* see opens.h */
    struct quota_watch *watches;             /* see quota.h */
    struct delete_watch *delete_watches;     /* see tree.h */
    struct protected_directories *protected; /* see protected.h; NULL: none */
    char write_error[ERR_TEXT_MAX];          /* not empty: a batch could not be written, no more changes are taken */
};

struct fsdir_options {
    struct fsdir_limits limits;
    bool permissions, acls, posix_acl_inheritance, xattrs, storage_policies;
    bool atime_changes_in_snapshots; /* one that changes alone is not saved for them */
    bool diffs_below_roots;          /* differences between snapshots may be asked for of directories inside them */
    bool owners_set_quotas;          /* so may the owner of the directory above */
    uint8_t default_policy;          /* of what has none */
    const char *superuser, *supergroup;
    const char *protected_directories; /* a list, NULL: none */
    bool protect_all_below;
};
void fsdir_options_from_config(struct fsdir_options *ret, const struct config *c);
/* Reads the counters; makes "/" in an empty store. */
int fsdir_open(struct store *s, struct journal *j, const struct fsdir_options *o, uint64_t now_ns, struct fsdir **ret,
               struct err *reterr) MUST_CHECK;
void fsdir_free(struct fsdir *dir);
/* Adds the counters to the batch if they differ from `before`. */
void fsdir_counters_put(const struct counters *c, const struct counters *before, struct store_batch *batch);

struct entry_change { /* of a directory: what was linked or unlinked */
    uint64_t parent;
    const char *name;
    bool is_there; /* since then */
};
struct block_replication { /* that a block has from now on: for the block map, after the commit */
    uint64_t id;
    uint16_t replication;
};
struct inode_hold { /* that a session has from now on: for memory, after the commit */
    uint64_t session, inode;
};
struct block_drop { /* a block that its file no longer has */
    uint64_t inode;
    struct file_block block;
    bool is_kept;   /* by a version */
    bool lingers;   /* readers may still want it: see graves.h */
    bool is_source; /* it left the file's list before, when a copy of it took its place */
};

struct txn {
    struct fsdir *dir;
    struct arena arena; /* everything this txn loads or makes; bounded */
    const struct store_snapshot *snapshot;
    struct counters counters;
    struct inode **inodes;
    size_t inode_count, inode_capacity;
    struct store_batch *batch;
    uint64_t *closed; /* files that stop being under construction with this change: their leases end */
    size_t closed_count;
    uint64_t *freed; /* blocks that nothing refers to any more: for the block map, after the commit (see file_commit) */
    size_t freed_count;
    struct buf lingering;          /* ids of blocks that were edited out, likewise: for the graves */
    struct buf replications;       /* struct block_replication, likewise */
    struct buf holds;              /* struct inode_hold, likewise */
    size_t discard_count;          /* what was left to the reaper, likewise */
    struct quota_charges *charges; /* of the commit under way, see quota.h */
    struct buf entries;            /* struct entry_change; only if history_is_used or change_log_is_wanted */
    struct buf changed;            /* struct change: what the commit under way will have changed, likewise */
    uint64_t session;              /* whose changes these are; 0: nobody's who listens to changes */
    struct buf drops;              /* struct block_drop */
    struct buf history;            /* history.c's */
    struct buf versions;           /* struct pending_version, see history_held.h; of the commit under way */
    struct buf kept_entries;       /* struct kept_entry, likewise */
    uint64_t unsummed;             /* the reaper's: the subtree whose sum a commit wanted, see quota.h */
    struct retry_mark retry;       /* whose call this is, if it must not run twice */
    const char *unresolved; /* the path to try instead, behind the last symbolic link that ended a path_resolve() */
    bool trusts_tree;       /* nothing cut off waits for the reaper: what has a name hangs in the tree */
    bool is_reaping; /* what is taken apart nobody can see any more: only what has other names changes for them */
    bool has_retry, is_final; /* final: the next commit is the call's last, and says so in the store */
    uint64_t now_ns;
    uint64_t seq; /* after a commit: what the answer has to wait for */
};

void txn_begin(struct txn *t, struct fsdir *dir, uint64_t now_ns);
void txn_begin_snapshot(struct txn *t, struct fsdir *dir); /* for walks without the lock */
/* Writes what was changed since the last commit, if anything; on failure nothing is written. The txn can go on. */
int txn_commit(struct txn *t, struct err *reterr) MUST_CHECK;
void txn_end(struct txn *t);
/* The next commit completes the call; value: what its answer is made of, if it has to be given again (retry_ring.h). */
static inline void txn_final(struct txn *t, uint64_t value)
{
    t->is_final = true;
    t->retry.value = value;
}
/* Forgets loaded inodes, keeps the snapshot: for walks with bounded memory. Nothing may have been changed. */
void txn_reset(struct txn *t);
/* The same, but only if that is much memory. */
bool txn_reset_if_large(struct txn *t);

/* ---- looking. ERR_NOT_FOUND; ERR_IO: the store is damaged, or the txn has loaded too much already ---- */
int txn_inode(struct txn *t, uint64_t id, struct inode **ret, struct err *reterr) MUST_CHECK;
/* The same, only to look at: another object each time, which no commit will write. For pages of many inodes. */
int txn_peek(struct txn *t, uint64_t id, struct inode **ret, struct err *reterr) MUST_CHECK;
/* *ret = NULL: no such entry (as of the txn's begin). */
int txn_child(struct txn *t, const struct inode *parent, const char *name, struct inode **ret,
              struct err *reterr) MUST_CHECK;
int txn_block(struct txn *t, uint64_t block_id, struct block_record *ret, struct err *reterr) MUST_CHECK;
/* The path up to the root, in the arena; ERR_NOT_FOUND if the inode was cut off the tree. What is kept and has no name
 * in the tree has the path PATH_OF_INODES and its number. */
#define PATH_OF_INODES "/.reserved/.inodes/"
int txn_path(struct txn *t, struct inode *n, const char **ret, struct err *reterr) MUST_CHECK;
bool txn_has_name(struct txn *t, struct inode *n);            /* it hangs in the tree */
bool txn_is_kept(const struct txn *t, const struct inode *n); /* held, or to be: a session has it open */
bool txn_is_attached(struct txn *t, struct inode *n);         /* either */
uint32_t txn_count_names(struct txn *t, struct inode *n);     /* those that hang in the tree */

/* Entries of a directory in name order, from the first one after `after` ("" = all). */
struct dir_iter {
    struct store_iter *it, *versions; /* versions: if the directory is seen as of a snapshot */
    uint64_t parent, as_of;
    const char *name; /* borrowed until the next step; not NUL-terminated */
    size_t name_len;
    uint64_t child;
    bool is_damaged;
    char *name_memory; /* of KEY_NAME_MAX bytes, beside versions */
};
void dir_iter_open(struct dir_iter *d, struct txn *t, const struct inode *dir, const char *after, size_t after_len);
bool dir_iter_next(struct dir_iter *d); /* false at the end, or when the store cannot be read: see _close */
int dir_iter_close(struct dir_iter *d, struct err *reterr) MUST_CHECK;
/* The entry's inode, only to look at, as of when the directory is looked at. */
int dir_iter_inode(struct dir_iter *d, struct txn *t, struct inode **ret, struct err *reterr) MUST_CHECK;

/* ---- changing ---- */
static inline void txn_dirty(struct inode *n)
{
    n->dirty = true;
}
/* A new, unlinked inode with times = now; strings are copied. */
struct inode *txn_new_inode(struct txn *t, enum inode_type type, uint16_t mode, const char *owner, const char *group);
/* The inode (and all below it), of which a name went (links.h), goes if that was the last: at once, or if that is more
 * than a little to the reaper. An open file stops being one. What has other names, or is held, stays as it is; what
 * other sessions than the txn's have open, they hold from now on. */
void txn_discard(struct txn *t, struct inode *n);
/* n has no name any more, and stays until the session lets go of it (sessions.h). */
void txn_hold(struct txn *t, uint64_t session, struct inode *n);
/* Takes an inode itself out of the store; _discarded: one that was left to the reaper. */
void txn_erase(struct txn *t, struct inode *n);
void txn_erase_discarded(struct txn *t, struct inode *n);

void txn_open_file(struct txn *t, struct inode *n, const char *client_name, const char *client_machine);
void txn_close_file(struct txn *t, struct inode *n);
uint64_t txn_next_stamp(struct txn *t);
void txn_new_block(struct txn *t, uint64_t *ret_id, uint64_t *ret_stamp); /* numbers only */
/* A new last block, being written, under a new id and stamp. */
struct file_block *txn_add_block(struct txn *t, struct inode *n);
void txn_set_block(struct txn *t, struct inode *n, struct file_block *b, uint64_t stamp, uint64_t length_bytes,
                   enum block_state state);
void txn_drop_last_block(struct txn *t, struct inode *n);
void txn_cut_hole(struct txn *t, struct inode *n, uint64_t length_bytes); /* the last block, which is one */
/* A closed file gets another list, in the arena. What it had before and has no more goes, after a grace; what it did
 * not have is complete (blocks) and is its from now on. */
void txn_edit_blocks(struct txn *t, struct inode *n, struct file_block *blocks, size_t count);
/* The last block is to be a copy of the first `length_bytes` of what it is now, under a new id: a snapshot has that.
 * The old one is kept until the file is closed. */
struct file_block *txn_copy_last_block(struct txn *t, struct inode *n, uint64_t length_bytes);
/* A block that nothing refers to any more goes (for history.c and the graves; files drop theirs). */
void txn_free_block(struct txn *t, uint64_t id, bool is_complete);
void txn_free_lingering(struct txn *t, uint64_t id); /* .. whose grace is over */
/* kept: what snapshots want of the blocks; fewer do not matter. */
void txn_set_replication(struct txn *t, struct inode *n, uint16_t replication, uint16_t kept);
/* Snapshots want no more than `kept` now. Of the file nothing else has changed, so this is not for its history: n is
 * only looked at, and no other change of the commit is of it. */
void txn_lower_replication(struct txn *t, struct inode *n, uint16_t kept);
/* concat: all blocks of `from` become the last ones of `to`. */
void txn_move_blocks(struct txn *t, struct inode *to, struct inode *from);

/* ---- what a commit changes ----
 * One pair for each inode that is new, changed or erased since the last commit, in no particular order. before: as the
 * store still has it, NULL for a new one. after: as it will be written, NULL for an erased one. A directory that was
 * moved is one pair, whose parent differs; what is below it is not listed.
 *
 * before_write (txn.c) hands them, with the batch still open, to whoever keeps something beside the inodes: each gets
 * (txn, changes, count, reterr), may refuse (nothing is written then), may add to txn_batch(t), and may set fields of
 * `after` that are its own; it makes no other inode dirty. The pairs are only made if somebody wants them: one more
 * read for each changed inode. */
struct inode_change {
    struct inode *before, *after;
};
struct store_batch *txn_batch(struct txn *t);

#endif

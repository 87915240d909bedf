/* The names the kernel knows. The kernel speaks of numbers, HDFS of paths: an inode remembers its parent and name, its
 * path is built when it is needed, and a rename is a change of two fields. An inode lives while the kernel's lookup
 * count or a reference of ours holds it; then so do its ancestors.
 *
 * Any thread may call; the table has one lock of its own, never held across I/O. */
#ifndef CAIRN_FUSE_PLAIN_INODE_TABLE_H
#define CAIRN_FUSE_PLAIN_INODE_TABLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"

struct dfs;
struct write_stream;

struct inode {
    /* guarded by the table's lock */
    struct inode *parent, *hash_next;
    char *name;
    uint64_t lookups;     /* the kernel's */
    uint32_t refs;        /* ours, children included */
    bool detached;        /* unlinked, or renamed over */
    uint32_t opens;       /* handles */
    bool remove_at_close; /* unlinked while open: it has a hidden name until then */
    struct dfs *remover;  /* a reference: as who unlinked it, which those who have it open may not be able to */

    _Atomic uint64_t file_id;     /* the namenode's, which does not change; 0 unknown */
    _Atomic unsigned cuts;        /* how often it was cut short here: what was known of its blocks is old then */
    _Atomic int64_t known_length; /* this and the next: as the namenode last said */
    _Atomic uint32_t known_mode, known_uid, known_gid;
    _Atomic int64_t written_length; /* while it is being written: its length; else -1 */

    /* guarded by lock, which may be held across I/O */
    pthread_mutex_t lock;
    struct write_stream *stream; /* NULL unless it is being written through this mount */
    uint64_t seen_mtime_ns;      /* version of what the kernel's page cache holds */
    int64_t seen_length;
};

struct inode_table;

struct inode_table *inode_table_new(void);    /* with the root, fuse_ino_t 1 */
void inode_table_free(struct inode_table *t); /* no request may be running */

struct inode *inode_of(struct inode_table *t, uint64_t ino); /* numbers the kernel got from us */
uint64_t inode_number(const struct inode_table *t, const struct inode *inode);
/* The child of that name, made if unknown, with one more lookup. One that is another file than before (another client
 * replaced it) gets a new inode; the old one lives on for those who have it open. */
struct inode *inode_lookup(struct inode_table *t, struct inode *parent, const char *name, uint64_t file_id);
bool inode_is_unlinked(struct inode_table *t, struct inode *inode);
void inode_forget(struct inode_table *t, struct inode *inode, uint64_t lookups);
void inode_ref(struct inode_table *t, struct inode *inode);
void inode_unref(struct inode_table *t, struct inode *inode);

/* prefix + path of the inode (+ "/" + name if not NULL), in the arena. NULL if the inode was unlinked. */
const char *inode_path(struct inode_table *t, const char *prefix, struct inode *inode, const char *name,
                       struct arena *a);
/* After the namenode did it. */
void inode_renamed(struct inode_table *t, struct inode *from, const char *name, struct inode *to, const char *new_name);
void inode_unlinked(struct inode_table *t, struct inode *parent, const char *name);
/* A handle more, with a reference; and one less: when it was the last one of a file that is to be removed now, as whom,
 * which is the caller's reference then. Who opens it still, before it has gone, does not remove it again. */
void inode_opened(struct inode_table *t, struct inode *inode);
struct dfs *inode_closed(struct inode_table *t, struct inode *inode);
/* If the child has open handles: the number to make a hidden name of, else 0. */
uint64_t inode_hide(struct inode_table *t, struct inode *parent, const char *name);
/* After the rename. true: it is still open, and whoever closes it last gets `remover`. */
bool inode_hidden(struct inode_table *t, struct inode *parent, const char *hidden_name, struct dfs *remover);
/* Calls fn for every inode with a referenced copy of the list (for the last flush). */
void inode_each(struct inode_table *t, void (*fn)(struct inode *inode, void *arg), void *arg);

#endif

/* A file's bytes, as long as it is open in this mount: what is saved in the cluster and what is not yet.
 *
 *   clean     what there is, is saved
 *   streaming written at its end, front to back: bytes go straight into the block pipeline (a file_writer)
 *   edited    changed anywhere else: changed ranges are staged on the local disk, and saved by replacing blocks
 *
 * A write at the end of a clean file begins a stream; any other change completes the stream and makes the file edited.
 * What is written into an empty file is an edit first, and a stream only when it has become longer than fits one block
 * of an edit: most files are small, and an edit costs fewer calls.
 * node_save makes it clean again: then every client of the file system sees what was written.
 *
 * Functions take the node's lock themselves and may block on the network; any thread may call them. */
#ifndef CAIRN_FUSE_POSIX_NODE_H
#define CAIRN_FUSE_POSIX_NODE_H

#include <pthread.h>
#include <stdatomic.h>

#include "client/lib/posix_data.h"
#include "client/lib/posix.h"
#include "fuse/posix/edit_plan.h"
#include "fuse/posix/keeper_memory.h"
#include "fuse/posix/known_names.h"
#include "fuse/posix/staging.h"

struct node {
    uint64_t id;   /* inode number */
    char path[48]; /* for calls that want one: it stays right when the file is renamed */

    /* guarded by the table's lock */
    struct node *next;
    uint32_t refs;    /* requests under way, and handles */
    uint32_t opens;   /* the kernel's handles */
    bool is_counted;  /* they hold a reference, all together */
    bool is_kept;     /* what is staged could not be saved: that holds a reference */
    uint32_t namings; /* how often it was named */

    /* for stat without waiting for a write that is under way */
    _Atomic int64_t unsaved_size;  /* -1: clean, the namenode knows it */
    _Atomic int64_t unsaved_bytes; /* the room it will take beyond what is saved; of a stream: in all */
    _Atomic bool is_streaming;
    _Atomic bool is_guessed; /* the kernel was told of those */
    _Atomic uint64_t unsaved_mtime_ns;

    _Atomic bool is_held;     /* without a link, and kept by the namenode for us */
    _Atomic bool was_changed; /* since known_names.h was told; set after it was */

    _Atomic bool may_be_setid, may_be_capable; /* privileges.h; false: it has no such bits, it has no capability but
                                                  one that the kernel will ask for */

    _Atomic bool wants_atime;                      /* the next read is to be noted */
    pthread_mutex_t locks_lock;                    /* setting one, against letting go of all */
    _Atomic bool has_range_locks, has_whole_locks; /* ever had: closing has to let go of them */

    struct new_attributes *_Atomic new_attributes; /* NULL: none; once there, it stays */

    pthread_rwlock_t lock; /* what follows; shared: reading bytes */
    int64_t size;          /* unless the node is clean and nothing was loaded yet */
    uint32_t replication;
    int64_t block_bytes; /* no new block may be longer */

    struct file_writer *writer; /* streaming */
    bool has_written, is_pushed;
    bool is_unsynced;      /* what was closed may not be on the datanodes' disks yet */
    int64_t trimmed_at;    /* what was written before is on datanodes, and not staged any more */
    int64_t appended_from; /* what was written from here on goes to the file's end (O_APPEND); -1: nothing */
    uint64_t stream;       /* the session whose stream it is, or was */
    bool has_lost_stream; /* one that failed, or a dead process's: its lease has to be ended before anything is saved */

    bool is_edited, was_edited; /* was: and will probably be again */
    bool is_sized;              /* the size was set: it is that whatever others have made of it */
    int64_t grown_to;           /* it was made at least so long without writing; 0: it was not */
    struct extents changed;
    struct staging *staging;         /* of what is changed; NULL: nothing yet */
    struct first_block *first_block; /* that it may be saved to; or NULL */
    struct piece *pieces;            /* of the saved file, if they are known */
    size_t piece_count;
    bool has_pieces;

    struct file_reader *reader; /* of the saved file */
    int64_t saved_size;         /* as of the reader, or the pieces */
    uint64_t saved_mtime_ns, saved_ctime_ns;
    _Atomic bool is_stale; /* another client changed it: what is loaded has to be loaded anew */
};

struct node_store { /* what all nodes of a mount share */
    struct dfs *fs;
    struct keeper_memory *memory; /* its session is the mount's */
    pthread_mutex_t held_lock;    /* of memory->locks */
    struct staging_area *staging;
    struct unused_blocks *unused;
    struct users *users;
    struct known_names *known;    /* what is not asked while the file is open */
    pthread_mutex_t uploads_lock; /* of: */
    pthread_cond_t uploads_ended;
    int64_t uploads_bytes; /* what saves have under way is in memory */
};

#define NEW_MAX_BYTES  ((int64_t)256 << 10) /* new files up to here are saved by one edit, and not streamed */
#define FILE_MAX_BYTES ((int64_t)1 << 60)

/* ---- those in use: node_table.c ---- */
struct node_table;
struct node_table *node_table_new(struct node_store *store);
void node_table_free(struct node_table *t);
/* Each with a reference more, for node_put. */
struct node *node_get(struct node_table *t, uint64_t id); /* NULL: it is not in use */
/* As the namenode gave it when asked then. */
struct node *node_of_attr(struct node_table *t, const struct posix_attr *attr, struct known_since since);
int node_need(struct node_table *t, uint64_t id, struct node **ret, struct err *reterr) MUST_CHECK;
void node_put(struct node_table *t, struct node *n);
/* The kernel has one more handle, and one less. With the last one what is left is saved, and a held file released. */
void node_opened(struct node_table *t, struct node *n);
void node_released(struct node_table *t, struct node *n);
bool node_is_open(struct node_table *t, uint64_t id); /* or a request is under way */
bool node_has_handles(struct node_table *t, uint64_t id);
bool node_is_shared(struct node_table *t, const struct node *n); /* has more handles than one */
bool node_any_open(struct node_table *t);
/* Its last link is gone, and the namenode keeps it for us: until the last close, or not at all if it is closed by now.
 * namings: as of before that was seen; what was named since is not held. */
void node_held(struct node_table *t, uint64_t id, uint32_t namings);
uint32_t node_namings(struct node_table *t, uint64_t id);
/* It has a link, or is just getting one: when it is closed, it is saved. */
void node_named(struct node_table *t, struct node *n);
void node_look(struct node *n, const struct posix_attr *attr); /* what the namenode says now */
static inline void node_note_lock(struct node *n, bool whole)
{
    *(whole ? &n->has_whole_locks : &n->has_range_locks) = true;
}
static inline bool node_has_locks(const struct node *n, bool whole)
{
    return whole ? n->has_whole_locks : n->has_range_locks;
}
/* Another client changed it: its bytes, too, or only its attributes. */
void node_invalidate(struct node_table *t, uint64_t id, bool content);
/* Is it what the kernel's pages of the file were read from? Remembers the answer's version for the next time. */
bool node_is_same_version(struct node_table *t, struct node *n, const struct posix_attr *attr);
/* Saves what is left of a file that is closed; locks end. */
int node_settle(struct node_table *t, struct node *n, struct err *reterr) MUST_CHECK;
/* What could not be saved is not forgotten with the last reference, until it could (late_saves.h). */
void node_keep(struct node_table *t, struct node *n);
void node_unkeep(struct node_table *t, struct node *n);
bool node_is_kept(struct node_table *t, const struct node *n, bool *ret_open);
size_t node_kept(struct node_table *t);
/* Until there are more than that; if there are any, at most so long; and until *is_ending, which the other sets. */
void node_wait_kept(struct node_table *t, const _Atomic bool *is_ending, size_t kept, int64_t ms);
void node_wake_waiter(struct node_table *t, _Atomic bool *is_ending);
/* Inodes of which a process that died has left something, and that were not asked for since. *ret: the caller's. */
size_t node_left(struct node_table *t, uint64_t **ret);
void node_drop_left(struct node_table *t, uint64_t id); /* the file is gone */
/* Calls fn for every node, with a reference. */
void node_each(struct node_table *t, void (*fn)(struct node *n, void *arg), void *arg);
/* Before the end: saves all, counts those that could not be. */
size_t node_save_all(struct node_table *t);

/* ---- bytes: node_read.c, node_write.c, node_save.c, node_append.c ---- */
int node_read(struct node_store *s, struct node *n, void *bytes, size_t len, int64_t offset, size_t *ret,
              struct err *reterr) MUST_CHECK;
#define NODE_AT_END (-1) /* as offset: wherever the end is now */
/* At the end: *noted says so. What is noted as done there was written by a process that died, and is not written again.
 */
int node_write(struct node_store *s, struct node *n, const void *bytes, size_t len, int64_t offset,
               struct keeper_request *noted, struct err *reterr) MUST_CHECK;
/* What was written through a mapping: nothing of it that lies behind the file's end, which another client may have
 * moved meanwhile. */
int node_write_mapped(struct node_store *s, struct node *n, const void *bytes, size_t len, int64_t offset,
                      struct err *reterr) MUST_CHECK;
/* Bytes of another file, or of other places of the same one, without moving them: whole pieces from from_offset on, as
 * many of them as lie within len; *ret: bytes. ERR_UNSUPPORTED: not a single one, or it is not worth it; they can be
 * read and written, and only so far as what is unsaved in either file is saved now has anything been changed. */
int node_copy(struct node_store *s, struct node *from, int64_t from_offset, struct node *to, int64_t to_offset,
              size_t len, size_t *ret, struct err *reterr) MUST_CHECK;
int node_resize(struct node_store *s, struct node *n, int64_t size, struct err *reterr) MUST_CHECK;
int node_grow(struct node_store *s, struct node *n, int64_t size, struct err *reterr) MUST_CHECK; /* or nothing */
/* Zeros from start to end, which take no room; the file grows if it has to and `grow`. */
int node_zero(struct node_store *s, struct node *n, int64_t start, int64_t end, bool grow,
              struct err *reterr) MUST_CHECK;
/* SEEK_DATA and SEEK_HOLE; *ret -1: offset is negative, at the end or behind it, or there is no more data. Unless all
 * is known, there are no holes before the end. */
int node_seek(struct node_store *s, struct node *n, int64_t offset, bool data, bool is_known, int64_t *ret,
              struct err *reterr) MUST_CHECK;
/* Its file, just now, by this mount: it has no pieces. first: the block it was given with that, copied; or NULL. */
void node_made(struct node *n, const struct dfs_block *first);
int node_save(struct node_store *s, struct node *n, struct err *reterr) MUST_CHECK;
/* As changed at that time, if it is not 0 and there is something to save, as *ret_set says. */
int node_save_as_of(struct node_store *s, struct node *n, uint64_t mtime_ns, bool *ret_set,
                    struct err *reterr) MUST_CHECK;
void node_forget(struct node *n); /* what was not saved: nobody will see the file any more */
/* What was written so far is on disks of the cluster. */
int node_sync(struct node_store *s, struct node *n, struct err *reterr) MUST_CHECK;

/* ---- for those files; the lock is held exclusively, or shared where it says so ---- */
int node_load_attr(struct node_store *s, struct node *n, struct err *reterr) MUST_CHECK; /* size of a clean node */
int node_load_pieces(struct node_store *s, struct node *n, struct err *reterr) MUST_CHECK;
int node_load_reader(struct node_store *s, struct node *n, struct err *reterr) MUST_CHECK;
int64_t node_written_size(const struct node *n); /* as edited, unless the size was set */
void node_unload(struct node *n);
/* After a failure that lost nothing the node is edited: what may be on no datanode is staged. */
int node_finish_stream(struct node *n, struct err *reterr) MUST_CHECK;
#define LEASE_WAIT_MS 30000 /* for another client that writes the same file */
/* And what was appended by it, and has not got into the file, is put behind its end. Waits for another client's stream
 * to end, or for a recovery, up to patience_ms; node_is_busy: not yet. */
int node_end_lost_stream(struct node_store *s, struct node *n, int64_t patience_ms, struct err *reterr) MUST_CHECK;
/* The same for who reads: what cannot be saved now stays where it was written to. */
int node_find_end(struct node_store *s, struct node *n, struct err *reterr) MUST_CHECK;
bool node_is_busy(int rc);
/* Another writer was first, or the namenode was started again and forgot blocks that were not in their place yet. */
bool node_is_worth_another_try(int rc);
#define SAVE_TRIES    8
#define LEASE_POLL_MS 50
/* Takes up what a process that died had staged of it. */
int node_resume(struct node_store *s, struct node *n, struct err *reterr) MUST_CHECK;
/* sync: what it writes is on disks of the cluster then. So it is in any case if blocks are replaced by it. */
int node_save_edits(struct node_store *s, struct node *n, bool sync, struct err *reterr) MUST_CHECK;
/* Of a file whose pieces are loaded: writes those of the plan that have no block yet, from what is read of the file
 * now, and puts all into their places. On failure what was written is given up, and the pieces have to be loaded anew.
 */
int node_carry_out(struct node_store *s, struct node *n, struct edit_plan *plan, bool sync, int64_t deadline,
                   struct err *reterr) MUST_CHECK;
bool node_is_new(const struct node *n); /* nothing is saved of it, and all is staged, in one run */
/* Bytes of an edited or clean file with its reader loaded; shared is enough. Behind the saved file are zeros. */
int node_read_merged(struct node *n, void *bytes, size_t len, int64_t offset, struct err *reterr) MUST_CHECK;
void node_note(struct node *n); /* unsaved_* follow what is in the node */

#endif

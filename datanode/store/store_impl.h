/* Inside of datanode/store only: what block_store's files share. */
#ifndef CAIRN_DATANODE_STORE_STORE_IMPL_H
#define CAIRN_DATANODE_STORE_STORE_IMPL_H

#include <pthread.h>

#include "common/buf.h"

#include "datanode/store/block_store.h"
#include "datanode/store/replica_writer.h"
#include "datanode/store/small_log.h"
#include "datanode/store/spare_files.h"

struct replica_map { /* guarded by the store's lock */
    struct replica **buckets;
    size_t bucket_count, count;
};
struct replica *replica_map_get(const struct replica_map *m, uint64_t block_id);
void replica_map_put(struct replica_map *m, struct replica *r); /* the id is not in it */
void replica_map_remove(struct replica_map *m, struct replica *r);
/* The n-th bucket's chain; for walks. A walk may remove what it is given if it reads ->next first. */
void replica_map_free(struct replica_map *m);
void replica_free(struct replica *r);
struct replica_work *replica_work_get(struct replica *r); /* made if it is missing */
void replica_work_drop(struct replica *r);

struct deletion { /* of two files, with this number and the next */
    struct deletion *next;
    uint16_t volume;
    uint64_t number;
};

struct small_loser { /* a record that start-up found to be another replica's older self */
    uint16_t volume;
    uint64_t block_id;
    struct small_place at;
};

struct block_store {
    /* immutable after open */
    struct volume *volumes[VOLUMES_MAX];
    size_t volume_count;
    char *failed_specs; /* volumes that could not even be opened, for messages */
    size_t unopened_count;
    int failed_volumes_tolerated;
    bool sync_on_close;
    uint32_t small_bytes;
    struct volume_choice volume_choice;
    char uuid[UUID_MAX];
    void (*on_change)(void *context, uint64_t block_id); /* immutable once the pool is open; may be NULL */
    void *on_change_context;
    /* written once, by block_store_open_pool */
    struct pool_identity pool;
    _Atomic bool pool_open;
    struct small_log *small[VOLUMES_MAX]; /* set by the volume's scan; NULL: it failed */

    pthread_mutex_t links_lock; /* held over link(), unlink() and rename() of a data file that replicas may share */
    pthread_mutex_t lock;
    pthread_cond_t changed;                 /* a claim was released, or a replica grew that somebody waits for */
    struct replica_map map;                 /* guarded by lock */
    int waiters;                            /* guarded by lock: on `changed` */
    size_t next_volume;                     /* guarded by lock: round robin */
    uint64_t trash_count;                   /* guarded by lock: names of files about to be deleted */
    struct spare_files spares[VOLUMES_MAX]; /* guarded by lock: of those names, what is kept */

    pthread_t deleter; /* started with the pool */
    bool deleter_started, stopping;
    pthread_cond_t deletions_changed;
    struct deletion *deletions, **deletions_end; /* guarded by lock */
    bool tidy_due;                               /* guarded by lock: in some log of small replicas */
    bool tidy_fails[VOLUMES_MAX];                /* the deleter's: that was logged */
    struct small_loser *losers;                  /* guarded by lock; only while the pool is being opened */
    size_t loser_count;
};

struct replica_writer {
    struct block_store *store;
    struct replica *replica; /* claimed */
    struct volume *volume;
    int data_fd, meta_fd;
    struct meta_header meta;
    uint64_t disk_bytes; /* = replica's; only we change it. Held in memory: what came, and the replica's is 0 */
    uint32_t tail_checksum;
    bool folder_synced, drop_behind;
    uint64_t dropped_bytes; /* asked to be written, and those a window before to be dropped */
    struct buf checksums;   /* of one piece */
    /* A replica that may turn out to be a small one has no files yet. */
    bool in_memory;
    struct buf held_meta, held_data; /* what would be in its files */
    uint64_t held_acked_bytes;
    bool kept; /* the first kept_bytes are in an open record, which is the replica's place */
    uint64_t kept_bytes;
};

void store_fill_view(const struct block_store *s, const struct replica *r, struct replica_view *ret);
enum replica_place replica_place_of(const struct replica *r);

/* Claims. With stop_owner the present owner is told to stop and waited for; else ERR_BUSY. The lock is held on entry
 * and exit but not in between, so the replica is looked up by id again each time. */
int store_claim_locked(struct block_store *s, uint64_t block_id, bool stop_owner, struct replica **ret,
                       struct err *reterr) MUST_CHECK;
void store_release_locked(struct block_store *s, struct replica *r);
void store_ask_owner_to_stop_locked(struct replica_work *w);
void store_tell_change(const struct block_store *s, uint64_t block_id); /* the lock is not held */
/* The only way to change a length: keeps the volume's sum right. */
void store_set_length_locked(struct block_store *s, struct replica *r, uint64_t disk_bytes);
/* Out of the map and the volume's sums; freed. */
void store_forget_locked(struct block_store *s, struct replica *r);
void store_promise_locked(struct block_store *s, struct replica *r, uint64_t bytes); /* 0 ends it */

/* Of a claimed replica; the lock is not held. */
/* Takes the files, which are the replica's own and as long as it says, with no chunk begun. */
struct replica_writer *store_new_writer(struct block_store *s, struct replica *r, int data_fd, int meta_fd,
                                        const struct meta_header *meta);
int store_open_writer(struct block_store *s, struct replica *r, struct replica_writer **ret,
                      struct err *reterr) MUST_CHECK;
/* The new stamp is on the disk when this returns: the namenode, once it has it, takes the old one for stale. */
int store_set_gen_stamp(struct block_store *s, struct replica *r, uint64_t gen_stamp, struct err *reterr) MUST_CHECK;
int store_sync_names(const struct block_store *s, const struct replica *r, struct err *reterr) MUST_CHECK;
/* Moves data, then meta file, to another place under a new stamp. */
int store_move_files(struct block_store *s, struct replica *r, enum replica_place to, uint64_t gen_stamp, bool sync,
                     struct err *reterr) MUST_CHECK;
int store_finalize_claimed(struct block_store *s, struct replica *r, int data_fd, int meta_fd,
                           const struct meta_header *meta, bool sync, struct replica_view *ret,
                           struct err *reterr) MUST_CHECK;
/* Takes a claimed replica out of the map and its files away; frees it. */
void store_remove_claimed(struct block_store *s, struct replica *r);
/* A file of a new replica: empty, open for reading and writing, in the place of whatever was there. */
int store_create_file(struct block_store *s, uint16_t volume, const char *path, int *ret_fd,
                      struct err *reterr) MUST_CHECK;
int store_choose_volume(struct block_store *s, const char *storage_id, int storage_type, uint64_t bytes, uint16_t *ret,
                        struct err *reterr) MUST_CHECK;
/* What replicas may still take of a volume. Where there are small ones, a segment of them has to fit in beside: to give
 * back the room of those that are removed, what lives beside them is copied. */
int64_t store_room(const struct block_store *s, size_t volume);
/* Puts a new, claimed replica into the map; what is there under its id already must be replaceable and is removed. */
int store_reserve_id(struct block_store *s, struct replica *fresh, enum replica_replace replace,
                     struct err *reterr) MUST_CHECK;
/* With all its bytes on the disk. */
int store_copy_file(const char *from, const char *to, struct err *reterr) MUST_CHECK;
int store_digest_of_file(int data_fd, uint64_t bytes, uint64_t *ret, struct err *reterr) MUST_CHECK;
int store_start_deleter(struct block_store *s, struct err *reterr) MUST_CHECK;
/* Records that scans found to be older than others. */
void store_remove_losers(struct block_store *s);
int store_scan_volume(struct block_store *s, size_t volume_index, struct err *reterr) MUST_CHECK;

/* ---- data files that replicas share: store_links.c ---- */

/* Another name for a data file. */
int store_link_data(struct block_store *s, struct volume *v, const char *from, const char *to,
                    struct err *reterr) MUST_CHECK;
/* One name less of a file that has others. false: it has none, and was left alone. */
bool store_unlink_shared(struct block_store *s, struct volume *v, const char *path);
/* Before a data file is changed: if it has other names, a copy takes its place. */
int store_own_data(struct block_store *s, struct volume *v, uint64_t block_id, const char *path,
                   struct err *reterr) MUST_CHECK;
bool store_shares_data(const char *path);
/* A replica was found whose data file has so many names: it is one of as many that share it. */
void store_note_shared(struct volume *v, uint64_t bytes, uint64_t names);

/* ---- small replicas: store_small.c, store_small_write.c, store_small_tidy.c ---- */

static inline struct small_place store_small_place(const struct replica *r)
{
    return (struct small_place){(uint32_t)r->small_segment, (uint32_t)r->small_unit * SMALL_ALIGN};
}
static inline void store_set_small_place(struct replica *r, struct small_place at)
{
    r->small_segment = at.segment & SMALL_SEGMENT_MAX;
    r->small_unit = at.offset / SMALL_ALIGN & ((1u << 18) - 1);
}
/* A claimed replica that is a record gets files of its own, where its state wants them. */
int store_ensure_files(struct block_store *s, struct replica *r, struct err *reterr) MUST_CHECK;
/* Its record is marked as removed; it is not the replica's any more. */
void store_small_remove(struct block_store *s, uint16_t volume, uint64_t block_id, struct small_place at);
/* A writer whose replica has no files yet, or its files if it cannot be a small one. */
int store_begin_writer(struct block_store *s, struct replica *r, const struct meta_header *meta,
                       struct replica_writer **ret, struct err *reterr) MUST_CHECK;
int store_create_files(struct block_store *s, struct replica *r, const struct meta_header *meta, int *ret_data_fd,
                       int *ret_meta_fd, struct err *reterr) MUST_CHECK;
/* Would so much more be too much? */
bool store_outgrows_memory(const struct replica_writer *w, size_t more);
void store_hold(struct replica_writer *w, const uint8_t *data, size_t len, struct slice checksums);
/* It gets files, with all that came. On failure all is as before. */
int store_leave_memory(struct replica_writer *w, struct err *reterr) MUST_CHECK;
int store_sync_kept(struct replica_writer *w, struct err *reterr) MUST_CHECK;
int store_sync_files(struct replica_writer *w, struct err *reterr) MUST_CHECK; /* and their names */
int store_finalize_held(struct replica_writer *w, bool sync, struct replica_view *ret, struct err *reterr) MUST_CHECK;
/* Removes and empties segments as needed; the deleter's. */
void store_small_tidy(struct block_store *s);

#endif

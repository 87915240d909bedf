/* Inside of datanode/store only: what block_store's files share. */
#ifndef CAIRN_DATANODE_STORE_STORE_IMPL_H
#define CAIRN_DATANODE_STORE_STORE_IMPL_H

#include <pthread.h>

#include "common/buf.h"

#include "datanode/store/block_store.h"
#include "datanode/store/replica_writer.h"
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

struct block_store {
    /* immutable after open */
    struct volume *volumes[VOLUMES_MAX];
    size_t volume_count;
    char *failed_specs; /* volumes that could not even be opened, for messages */
    size_t unopened_count;
    int failed_volumes_tolerated;
    bool sync_on_close;
    struct volume_choice volume_choice;
    char uuid[UUID_MAX];
    void (*on_change)(void *context, uint64_t block_id); /* immutable once the pool is open; may be NULL */
    void *on_change_context;
    /* written once, by block_store_open_pool */
    struct pool_identity pool;
    _Atomic bool pool_open;

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
};

struct replica_writer {
    struct block_store *store;
    struct replica *replica; /* claimed */
    struct volume *volume;
    int data_fd, meta_fd;
    struct meta_header meta;
    uint64_t disk_bytes; /* = replica's; only we change it */
    uint32_t tail_checksum;
    bool folder_synced, drop_behind;
    uint64_t dropped_bytes; /* asked to be written, and those a window before to be dropped */
    struct buf checksums;   /* of one piece */
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
int store_set_gen_stamp(struct block_store *s, struct replica *r, uint64_t gen_stamp, struct err *reterr) MUST_CHECK;
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
int store_digest_of_file(int data_fd, uint64_t bytes, uint64_t *ret, struct err *reterr) MUST_CHECK;
int store_start_deleter(struct block_store *s, struct err *reterr) MUST_CHECK;
int store_scan_volume(struct block_store *s, size_t volume_index, struct err *reterr) MUST_CHECK;

#endif

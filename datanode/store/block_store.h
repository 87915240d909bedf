/* All replicas of this node, on all its volumes: the one door to them.
 *
 * Any thread may call. One lock guards the map and the replicas' fields and is never held over file I/O: who changes a
 * replica's files claims it first (struct replica_work.claimed), and everybody else who wants to change it waits or
 * makes the owner stop. Readers do not claim: they take what the lock shows at one instant and open the files, which
 * stay readable even if the replica is deleted meanwhile.
 *
 * Errors: ERR_REPLICA_NOT_FOUND, ERR_REPLICA_EXISTS, ERR_NO_SPACE, ERR_BUSY (claimed), ERR_TIMEOUT (its owner would not
 * stop), ERR_CANCELLED (a writer was told to stop), what replica.h's checks say, ERR_IO and kin from the disk. */
#ifndef CAIRN_DATANODE_STORE_BLOCK_STORE_H
#define CAIRN_DATANODE_STORE_BLOCK_STORE_H

#include "datanode/store/meta_file.h"
#include "datanode/store/replica.h"
#include "datanode/store/volume.h"

#define VOLUMES_MAX 64

struct block_store;

struct block_store_options {
    const char *data_dirs; /* as in dfs.datanode.data.dir */
    int64_t reserved_bytes;
    int failed_volumes_tolerated;
    bool sync_on_close;
    uint32_t small_bytes; /* replicas up to this are records of a log, not files of their own; 0: none become so */
    struct volume_choice volume_choice;
};
/* Opens and locks the volumes. A volume that cannot be opened counts as failed. ERR_CONFIG, ERR_BUSY, or the last
 * volume's error when more failed than tolerated. */
int block_store_open(const struct block_store_options *options, struct block_store **ret,
                     struct err *reterr) MUST_CHECK;
/* Finds the replicas of a pool, or begins an empty one. Again with the same pool: nothing happens; with another one:
 * ERR_BAD_STATE. */
int block_store_open_pool(struct block_store *s, const struct pool_identity *pool, struct err *reterr) MUST_CHECK;
/* Waits for deletions that are under way; nobody else may be using the store. NULL is fine. */
void block_store_close(struct block_store *s);

/* fn hears of every finalized replica that goes away or is about to be changed: files that were handed out must not be
 * used for it any more. Set before the pool is opened. Called without locks, from any thread. */
void block_store_on_change(struct block_store *s, void (*fn)(void *context, uint64_t block_id), void *context);

const char *block_store_uuid(const struct block_store *s);    /* of this datanode */
const char *block_store_pool_id(const struct block_store *s); /* "" before a pool is open */
size_t block_store_count(struct block_store *s);

/* ---- looking ---- */

struct replica_view {
    uint64_t block_id, gen_stamp;
    uint64_t disk_bytes;
    int64_t visible_bytes; /* REPLICA_NOT_READABLE */
    uint64_t xxh3;
    enum replica_state state; /* RUR: the original one is in original_state */
    enum replica_state original_state;
    const char *storage_id; /* borrowed from the store */
    int storage_type;
};
int block_store_view(struct block_store *s, uint64_t block_id, struct replica_view *ret, struct err *reterr) MUST_CHECK;

struct storage_view {
    const char *storage_id, *dir; /* borrowed from the store */
    int storage_type;
    bool failed;
    int64_t failed_at_ms, replica_count;
    struct volume_space space; /* zeros if failed */
    int64_t promised_bytes, reserved_bytes;
};
struct small_totals { /* of the replicas that share files, on all volumes */
    uint64_t replicas, file_bytes;
};
struct small_totals block_store_small_totals(struct block_store *s);
size_t block_store_storages(struct block_store *s, struct storage_view *out, size_t max);
/* Calls fn for every replica of a storage that the namenode should know, under the lock: fn only copies. Digests that
 * are not known are read from the meta files for at most digest_ms first. */
void block_store_each(struct block_store *s, size_t storage_index,
                      void (*fn)(const struct replica_view *view, void *arg), void *arg);
void block_store_load_digests(struct block_store *s, int64_t digest_ms);

/* ---- reading ---- */

struct replica_reader {
    int data_fd, meta_fd;
    bool shares_file;             /* a small replica: others are in these files too, and its own begin at */
    int64_t data_base, meta_base; /* else 0 */
    struct meta_header meta;
    uint64_t end_bytes;     /* with checksums on disk when it was opened */
    uint32_t tail_checksum; /* of the partial chunk at end_bytes; only if has_tail_checksum: the file's may be newer */
    bool has_tail_checksum;
    uint64_t gen_stamp;
    enum replica_state state;
    int64_t visible_bytes;
    size_t volume;
};
/* need_bytes: waits up to 3 s for a replica that is being written to have them. */
int block_store_open_reader(struct block_store *s, uint64_t block_id, uint64_t gen_stamp, uint64_t need_bytes,
                            struct replica_reader *ret, struct err *reterr) MUST_CHECK;
void replica_reader_close(struct replica_reader *r);
/* ERR_IO if there is less. Offsets as in files of its own. */
int replica_read_data(const struct replica_reader *r, void *bytes, size_t len, uint64_t offset,
                      struct err *reterr) MUST_CHECK;
int replica_read_meta(const struct replica_reader *r, void *bytes, size_t len, int64_t offset,
                      struct err *reterr) MUST_CHECK;

/* ---- writing: see replica_writer.h for what comes between ---- */

struct replica_writer;
struct replica_create {
    uint64_t block_id, gen_stamp;
    enum replica_replace replace; /* what may be there already */
    uint64_t expected_bytes;      /* a hint; reserved if sensible */
    const char *storage_id;       /* a wish; NULL or "" = any */
    int storage_type;             /* a wish */
    struct meta_header meta;      /* NULL type: we store CRC32C per 512 */
};
int block_store_create_rbw(struct block_store *s, const struct replica_create *c, struct replica_writer **ret,
                           struct err *reterr) MUST_CHECK;
int block_store_create_temporary(struct block_store *s, const struct replica_create *c, struct replica_writer **ret,
                                 struct err *reterr) MUST_CHECK;

struct replica_reopen {
    uint64_t block_id, gen_stamp, new_gen_stamp;
    uint64_t min_bytes, max_bytes; /* append: min_bytes is the exact length expected */
    uint64_t expected_bytes;       /* as above */
};
int block_store_append(struct block_store *s, const struct replica_reopen *r, struct replica_writer **ret,
                       struct err *reterr) MUST_CHECK;
int block_store_recover_append(struct block_store *s, const struct replica_reopen *r, struct replica_writer **ret,
                               struct err *reterr) MUST_CHECK;
int block_store_recover_stream(struct block_store *s, const struct replica_reopen *r, struct replica_writer **ret,
                               struct err *reterr) MUST_CHECK;
int block_store_recover_close(struct block_store *s, const struct replica_reopen *r, struct replica_view *ret,
                              struct err *reterr) MUST_CHECK;

/* What there is of a replica is on the disk when this returns. Blocks. */
int block_store_sync(struct block_store *s, uint64_t block_id, uint64_t gen_stamp, struct err *reterr) MUST_CHECK;

/* ---- moving ---- */

/* A finalized replica to another storage of this node: of that type, the named one if it is not NULL or "".
 * ERR_REPLICA_EXISTS: it is on such a one already. */
int block_store_move(struct block_store *s, uint64_t block_id, uint64_t gen_stamp, int storage_type,
                     const char *storage_id, struct replica_view *ret, struct err *reterr) MUST_CHECK;

/* A finalized replica once more under another id, whose data file is the same one (store_links.c): on the disk when it
 * returns. ERR_REPLICA_NOT_FOUND: it is not finalized, or not of that stamp and length. */
struct replica_clone {
    uint64_t block_id, gen_stamp, bytes; /* of the one there is */
    uint64_t new_block_id, new_gen_stamp;
};
int block_store_clone(struct block_store *s, const struct replica_clone *c, struct replica_view *ret,
                      struct err *reterr) MUST_CHECK;

/* A finalized small replica, which shares a file with others, gets files of its own. */
int block_store_own_files(struct block_store *s, uint64_t block_id, struct err *reterr) MUST_CHECK;

/* ---- block recovery ---- */

int block_store_init_recovery(struct block_store *s, uint64_t block_id, uint64_t gen_stamp, uint64_t recovery_id,
                              struct replica_view *ret_before, struct err *reterr) MUST_CHECK;
struct replica_agree {
    uint64_t block_id, old_bytes, recovery_id, new_bytes;
    uint64_t new_block_id; /* other than 0 and block_id: the cut replica gets this id, the old one stays as it was */
};
int block_store_update_recovery(struct block_store *s, const struct replica_agree *a, struct replica_view *ret,
                                struct err *reterr) MUST_CHECK;

/* ---- comparing disk and memory ---- */

struct store_difference { /* what was found and already done about it */
    enum { DIFFERENCE_ADDED, DIFFERENCE_REMOVED, DIFFERENCE_SUSPECT } kind;
    struct replica_view replica;
    size_t storage_index;
};
/* One storage: files that memory does not know of are taken in, replicas whose data file is gone are forgotten, sizes
 * and stamps that differ are only told. ERR_IO: the storage itself is sick; nothing was forgotten. */
int block_store_compare(struct block_store *s, size_t storage_index, const _Atomic bool *stopping,
                        void (*fn)(void *context, const struct store_difference *d), void *context,
                        struct err *reterr) MUST_CHECK;

/* ---- deleting and failing ---- */

/* Gone from the map when it returns, from the disk soon after. gen_stamp 0 = any. A writer is stopped. */
int block_store_delete(struct block_store *s, uint64_t block_id, uint64_t gen_stamp, struct replica_view *ret,
                       struct err *reterr) MUST_CHECK;
/* After an I/O error: probes the storage and takes it out if it is broken. Returns whether it was taken out by this
 * call. *ret_fatal: more have failed than are tolerated. */
bool block_store_check_storage(struct block_store *s, size_t storage_index, bool *ret_fatal);
/* The same for all. */
bool block_store_check_storages(struct block_store *s, bool *ret_fatal);

#endif

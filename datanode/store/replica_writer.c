#include "datanode/store/replica_writer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/store_impl.h"

#define DROP_WINDOW_BYTES (8 << 20)

void replica_writer_watch(struct replica_writer *w, int upstream_fd, int mirror_fd)
{
    pthread_mutex_lock(&w->store->lock);
    w->replica->work->owner_fds[0] = upstream_fd;
    w->replica->work->owner_fds[1] = mirror_fd;
    if (w->replica->work->stop_asked) /* before there was anything to shut down */
        store_ask_owner_to_stop_locked(w->replica->work);
    pthread_mutex_unlock(&w->store->lock);
}

int write_piece_verify(const struct write_piece *p, const struct meta_header *sent, struct err *reterr)
{
    if (!p->checksums || sent->type == CHECKSUM_NULL)
        return 0;
    long bad = checksum_verify_chunks(sent->type, p->data, p->data_bytes, sent->bytes_per_checksum, p->checksums);
    if (bad >= 0)
        return err_set(reterr, ERR_CHECKSUM, "checksum error at %" PRIu64 " of the block",
                       p->offset + (uint64_t)bad * sent->bytes_per_checksum);
    return 0;
}

static bool checksums_fit(const struct replica_writer *w, const struct write_piece *p, const struct meta_header *sent)
{
    return p->checksums && sent->type == w->meta.type && sent->bytes_per_checksum == w->meta.bytes_per_checksum &&
           p->offset == w->disk_bytes && p->offset % sent->bytes_per_checksum == 0;
}

static void put_checksum(struct buf *b, uint32_t value)
{
    uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    buf_append(b, bytes, sizeof bytes);
}

static uint32_t last_checksum(const uint8_t *checksums, size_t count)
{
    const uint8_t *c = checksums + 4 * (count - 1);
    return (uint32_t)c[0] << 24 | (uint32_t)c[1] << 16 | (uint32_t)c[2] << 8 | c[3];
}

/* Checksums of the chunks that [disk_bytes, disk_bytes + len) touches. The first of them may have begun before: its
 * checksum so far is the tail's. */
static void compute_checksums(struct replica_writer *w, const uint8_t *data, size_t len)
{
    uint32_t bpc = w->meta.bytes_per_checksum;
    size_t in_chunk = (size_t)(w->disk_bytes % bpc);
    buf_clear(&w->checksums);
    if (in_chunk) {
        size_t first = len < bpc - in_chunk ? len : bpc - in_chunk;
        put_checksum(&w->checksums, checksum_extend(w->meta.type, w->tail_checksum, data, first));
        data += first;
        len -= first;
    }
    size_t count = checksum_chunk_count(len, bpc);
    checksum_chunks(w->meta.type, data, len, bpc, buf_reserve(&w->checksums, count * 4));
    w->checksums.len += count * 4;
}

static int check_piece(struct replica_writer *w, const struct write_piece *p, const struct meta_header *sent,
                       struct err *reterr)
{
    uint64_t block_id = w->replica->block_id;
    pthread_mutex_lock(&w->store->lock);
    bool stop = w->replica->work->stop_asked;
    pthread_mutex_unlock(&w->store->lock);
    if (stop)
        return err_set(reterr, ERR_CANCELLED, "block %" PRId64 ": another writer took over", (int64_t)block_id);
    if (p->offset > w->disk_bytes)
        return err_set(reterr, ERR_PROTOCOL,
                       "block %" PRId64 ": a packet for offset %" PRIu64 " came when only %" PRIu64 " bytes were there",
                       (int64_t)block_id, p->offset, w->disk_bytes);
    if (p->checksums && sent->type != CHECKSUM_NULL && p->offset % sent->bytes_per_checksum &&
        p->data_bytes > sent->bytes_per_checksum)
        return err_set(reterr, ERR_PROTOCOL, "block %" PRId64 ": a packet of %zu bytes begins in a chunk, at %" PRIu64,
                       (int64_t)block_id, p->data_bytes, p->offset);
    if (p->offset > (uint64_t)INT64_MAX - p->data_bytes)
        return err_set(reterr, ERR_PROTOCOL, "block %" PRId64 ": offset %" PRIu64 " is too large", (int64_t)block_id,
                       p->offset);
    return 0;
}

void replica_writer_drop_behind(struct replica_writer *w)
{
    w->drop_behind = true;
    w->dropped_bytes = w->disk_bytes;
}

/* Writing is begun for each window, and what was begun a window ago is dropped. */
static void drop_behind(struct replica_writer *w)
{
    while (w->disk_bytes - w->dropped_bytes >= DROP_WINDOW_BYTES) {
        (void)sync_file_range(w->data_fd, (off_t)w->dropped_bytes, DROP_WINDOW_BYTES, SYNC_FILE_RANGE_WRITE);
        if (w->dropped_bytes >= DROP_WINDOW_BYTES)
            (void)posix_fadvise(w->data_fd, 0, (off_t)(w->dropped_bytes - DROP_WINDOW_BYTES), POSIX_FADV_DONTNEED);
        w->dropped_bytes += DROP_WINDOW_BYTES;
    }
}

/* A disk that is full took some of it, or none: the files are again as memory has them, for whoever goes on with the
 * replica. If that fails too, the disk is broken, and the check of its volume will say so. */
static void undo_write(struct replica_writer *w)
{
    uint32_t bpc = w->meta.bytes_per_checksum;
    bool partial = w->meta.type != CHECKSUM_NULL && w->disk_bytes % bpc != 0;
    buf_clear(&w->checksums);
    put_checksum(&w->checksums, w->tail_checksum);
    if (ftruncate(w->data_fd, (off_t)w->disk_bytes) < 0 ||
        ftruncate(w->meta_fd, meta_bytes(&w->meta, w->disk_bytes)) < 0 ||
        (partial && file_pwrite_full(w->meta_fd, w->checksums.base, w->checksums.len,
                                     meta_offset(&w->meta, w->disk_bytes / bpc), NULL) < 0))
        log_warn("store", "block=%" PRId64 " cannot be brought back to its %" PRIu64 " good bytes",
                 (int64_t)w->replica->block_id, w->disk_bytes);
}

/* Data before checksums: see meta_find_valid_length for what a crash in between means. */
static int write_files(struct replica_writer *w, const uint8_t *data, size_t len, struct slice checksums,
                       struct err *reterr)
{
    int rc = file_pwrite_full(w->data_fd, data, len, (int64_t)w->disk_bytes, reterr);
    if (rc == 0 && checksums.len)
        rc = file_pwrite_full(w->meta_fd, checksums.base, checksums.len,
                              meta_offset(&w->meta, w->disk_bytes / w->meta.bytes_per_checksum), reterr);
    if (rc < 0) {
        undo_write(w);
        return err_prefix(reterr, rc, "block %" PRId64 " on '%s'", (int64_t)w->replica->block_id, w->volume->dir);
    }
    return 0;
}

int replica_writer_write(struct replica_writer *w, const struct write_piece *p, const struct meta_header *sent,
                         struct err *reterr)
{
    int rc = check_piece(w, p, sent, reterr);
    if (rc < 0)
        return rc;
    if (p->offset + p->data_bytes <= w->disk_bytes)
        return 0; /* sent again after a recovery, or a heartbeat */
    size_t skip = (size_t)(w->disk_bytes - p->offset);
    const uint8_t *data = p->data + skip;
    size_t len = p->data_bytes - skip;
    if (store_outgrows_memory(w, len) && (rc = store_leave_memory(w, reterr)) < 0)
        return rc;
    struct slice checksums = {0};
    if (w->meta.type != CHECKSUM_NULL && checksums_fit(w, p, sent)) {
        checksums = (struct slice){p->checksums, checksum_chunk_count(len, sent->bytes_per_checksum) * 4};
    } else if (w->meta.type != CHECKSUM_NULL) {
        compute_checksums(w, data, len);
        checksums = buf_slice(&w->checksums);
    }
    if (w->in_memory)
        store_hold(w, data, len, checksums);
    else if ((rc = write_files(w, data, len, checksums, reterr)) < 0)
        return rc;
    struct replica_work *work = w->replica->work;
    if (work->digest && work->digest_bytes == w->disk_bytes) {
        xxh3_update(work->digest, data, len);
        work->digest_bytes += len;
    }
    w->disk_bytes += len;
    if (w->drop_behind)
        drop_behind(w);
    w->tail_checksum = checksums.len && w->disk_bytes % w->meta.bytes_per_checksum
                           ? last_checksum(checksums.base, checksums.len / 4)
                           : 0;
    pthread_mutex_lock(&w->store->lock);
    if (!w->in_memory) {
        store_set_length_locked(w->store, w->replica, w->disk_bytes);
        work->tail_checksum = w->tail_checksum;
    }
    if (work->reserved_bytes) /* what is written no longer needs the promise */
        store_promise_locked(w->store, w->replica, work->reserved_bytes > len ? work->reserved_bytes - len : 0);
    if (w->store->waiters)
        pthread_cond_broadcast(&w->store->changed);
    pthread_mutex_unlock(&w->store->lock);
    return 0;
}

void replica_writer_acked(struct replica_writer *w, uint64_t acked_bytes)
{
    if (w->in_memory && acked_bytes > w->held_acked_bytes && acked_bytes <= w->disk_bytes)
        w->held_acked_bytes = acked_bytes;
    pthread_mutex_lock(&w->store->lock);
    struct replica_work *work = w->replica->work;
    if (acked_bytes > work->acked_bytes && acked_bytes <= w->replica->disk_bytes)
        work->acked_bytes = acked_bytes;
    pthread_mutex_unlock(&w->store->lock);
}

int store_sync_files(struct replica_writer *w, struct err *reterr)
{
    if (fdatasync(w->data_fd) < 0 || fdatasync(w->meta_fd) < 0)
        return err_errno(reterr, errno, "sync block %" PRId64 " on '%s'", (int64_t)w->replica->block_id,
                         w->volume->dir);
    int rc = w->folder_synced ? 0 : store_sync_names(w->store, w->replica, reterr);
    w->folder_synced = rc == 0;
    return rc;
}

int replica_writer_sync(struct replica_writer *w, struct err *reterr)
{
    bool is_copy = w->replica->state == REPLICA_TEMPORARY; /* which shall not outlive this process */
    int kept = is_copy ? store_leave_memory(w, reterr) : replica_writer_keep(w, reterr);
    if (kept < 0 || w->in_memory)
        return kept < 0 ? kept : store_sync_kept(w, reterr);
    return store_sync_files(w, reterr);
}

static void writer_free(struct replica_writer *w)
{
    net_closep(&w->data_fd);
    net_closep(&w->meta_fd);
    buf_free(&w->checksums);
    buf_free(&w->held_data);
    buf_free(&w->held_meta);
    mem_freep(&w);
}

int replica_writer_finalize(struct replica_writer *w, bool sync, struct replica_view *ret, struct err *reterr)
{
    struct block_store *s = w->store;
    sync |= s->sync_on_close;
    int rc = w->in_memory ? store_finalize_held(w, sync, ret, reterr)
                          : store_finalize_claimed(s, w->replica, w->data_fd, w->meta_fd, &w->meta, sync, ret, reterr);
    if (rc < 0)
        return err_prefix(reterr, rc, "finalize block %" PRId64, (int64_t)w->replica->block_id);
    pthread_mutex_lock(&s->lock);
    store_release_locked(s, w->replica);
    pthread_mutex_unlock(&s->lock);
    writer_free(w);
    return 0;
}

int replica_writer_become_rbw(struct replica_writer *w, uint64_t visible_bytes, struct replica_view *ret,
                              struct err *reterr)
{
    struct block_store *s = w->store;
    struct replica *r = w->replica;
    if (w->disk_bytes < visible_bytes)
        return err_set(reterr, ERR_IO,
                       "block %" PRId64 ": %" PRIu64 " bytes came, %" PRIu64 " are visible at the source",
                       (int64_t)r->block_id, w->disk_bytes, visible_bytes);
    int rc = store_leave_memory(w, reterr);
    if (rc == 0)
        rc = store_move_files(s, r, PLACE_RBW, r->gen_stamp, false, reterr);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&s->lock);
    rc = replica_move(r, REPLICA_RBW, reterr);
    r->work->acked_bytes = visible_bytes;
    store_fill_view(s, r, ret);
    store_release_locked(s, r);
    pthread_mutex_unlock(&s->lock);
    assert(rc == 0); /* it was TEMPORARY */
    writer_free(w);
    return rc;
}

void replica_writer_drop(struct replica_writer *w)
{
    if (!w)
        return;
    store_remove_claimed(w->store, w->replica);
    writer_free(w);
}

/* A disk that is full takes no more; what it took before, and was acknowledged perhaps, stays. */
static bool keep_something(struct replica_writer *w)
{
    struct err why;
    if (replica_writer_keep(w, &why) == 0)
        return true;
    log_warn("store", "what came of it%s is lost: %s", w->kept ? " last" : "", why.text);
    xxh3_free(w->replica->work->digest); /* it has seen what is lost */
    w->replica->work->digest = NULL;
    return w->kept;
}

void replica_writer_release(struct replica_writer *w)
{
    if (!w)
        return;
    if (w->replica->state == REPLICA_TEMPORARY || !keep_something(w)) {
        replica_writer_drop(w);
        return;
    }
    pthread_mutex_lock(&w->store->lock);
    store_promise_locked(w->store, w->replica, 0); /* whoever goes on promises again */
    store_release_locked(w->store, w->replica);
    pthread_mutex_unlock(&w->store->lock);
    writer_free(w);
}

void replica_writer_view(const struct replica_writer *w, struct replica_view *ret)
{
    pthread_mutex_lock(&w->store->lock);
    store_fill_view(w->store, w->replica, ret);
    pthread_mutex_unlock(&w->store->lock);
}

const struct meta_header *replica_writer_meta(const struct replica_writer *w)
{
    return &w->meta;
}

size_t replica_writer_storage(const struct replica_writer *w)
{
    return w->replica->volume;
}

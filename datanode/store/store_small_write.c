/* Writing what may turn out to be a small replica: it is held in memory until it is known whether it is one. Then it is
 * one record of its volume's log. If something of it must be kept before its end, because it is to be acknowledged,
 * say, that becomes a record, too, which is called open; mostly nothing more comes, and it is finished by a mark. What
 * grows on, or too large, gets its files like any other. */
#include <inttypes.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/store_impl.h"

int store_begin_writer(struct block_store *s, struct replica *r, const struct meta_header *meta,
                       struct replica_writer **ret, struct err *reterr)
{
    AUTO(net_closep) int data_fd = -1;
    AUTO(net_closep) int meta_fd = -1;
    bool may_be_small = s->small_bytes && s->small[r->volume];
    int rc = may_be_small ? 0 : store_create_files(s, r, meta, &data_fd, &meta_fd, reterr);
    if (rc < 0)
        return rc;
    struct replica_writer *w = store_new_writer(s, r, data_fd, meta_fd, meta);
    data_fd = meta_fd = -1;
    if (may_be_small) {
        meta_header_encode(meta, buf_reserve(&w->held_meta, META_HEADER_BYTES));
        w->held_meta.len = META_HEADER_BYTES;
        w->in_memory = true;
        pthread_mutex_lock(&s->lock);
        r->work->in_memory = true;
        pthread_mutex_unlock(&s->lock);
    }
    *ret = w;
    return 0;
}

bool store_outgrows_memory(const struct replica_writer *w, size_t more)
{
    return w->in_memory && more > w->store->small_bytes - w->disk_bytes;
}

void store_hold(struct replica_writer *w, const uint8_t *data, size_t len, struct slice checksums)
{
    buf_append(&w->held_data, data, len);
    w->held_meta.len = (size_t)meta_offset(&w->meta, w->disk_bytes / w->meta.bytes_per_checksum);
    buf_append(&w->held_meta, checksums.base, checksums.len);
}

bool replica_writer_holds(const struct replica_writer *w)
{
    return w->in_memory && w->disk_bytes > w->kept_bytes;
}

/* Readers see what is on the disk now. */
static void show_locked(struct replica_writer *w)
{
    struct replica_work *work = w->replica->work;
    work->in_memory = false;
    store_set_length_locked(w->store, w->replica, w->disk_bytes);
    work->tail_checksum = w->tail_checksum;
    work->acked_bytes = w->held_acked_bytes;
    pthread_cond_broadcast(&w->store->changed);
}

/* What is in the log already is on the disk, because somebody asked for that. */
static bool is_kept_synced(const struct replica_writer *w)
{
    return w->kept && small_log_is_synced(w->store->small[w->replica->volume], store_small_place(w->replica));
}

/* On a full disk, say: half of a replica would be taken for one at the next start. */
static void remove_files(const struct replica_writer *w)
{
    const struct replica *r = w->replica;
    char path[PATH_MAX];
    volume_data_path(w->volume, replica_place_of(r), r->block_id, path);
    (void)unlink(path);
    volume_meta_path(w->volume, replica_place_of(r), r->block_id, r->gen_stamp, path);
    (void)unlink(path);
}

static int write_held(struct replica_writer *w, struct err *reterr)
{
    AUTO(net_closep) int data_fd = -1;
    AUTO(net_closep) int meta_fd = -1;
    int rc = store_create_files(w->store, w->replica, &w->meta, &data_fd, &meta_fd, reterr);
    if (rc == 0)
        rc = file_pwrite_full(data_fd, w->held_data.base, w->held_data.len, 0, reterr);
    if (rc == 0)
        rc = file_pwrite_full(meta_fd, w->held_meta.base, w->held_meta.len, 0, reterr);
    if (rc < 0) {
        remove_files(w);
        return err_prefix(reterr, rc, "block %" PRId64 " on '%s'", (int64_t)w->replica->block_id, w->volume->dir);
    }
    w->data_fd = data_fd;
    w->meta_fd = meta_fd;
    data_fd = meta_fd = -1;
    rc = is_kept_synced(w) ? store_sync_files(w, reterr) : 0; /* before the record goes */
    if (rc < 0) {
        net_closep(&w->data_fd);
        net_closep(&w->meta_fd);
        remove_files(w);
    }
    return rc;
}

int store_leave_memory(struct replica_writer *w, struct err *reterr)
{
    struct block_store *s = w->store;
    struct replica *r = w->replica;
    struct small_place kept = store_small_place(r);
    int rc = w->in_memory ? write_held(w, reterr) : 0;
    if (rc < 0 || !w->in_memory)
        return rc;
    w->in_memory = false;
    buf_free(&w->held_data);
    buf_free(&w->held_meta);
    pthread_mutex_lock(&s->lock);
    show_locked(w);
    store_set_small_place(r, (struct small_place){0, 0});
    pthread_mutex_unlock(&s->lock);
    if (w->kept)
        store_small_remove(s, (uint16_t)r->volume, r->block_id, kept);
    return 0;
}

static int append_held(struct replica_writer *w, enum small_state state, struct small_place *ret, struct err *reterr)
{
    size_t meta_len = (size_t)meta_bytes(&w->meta, w->disk_bytes);
    uint64_t xxh3 = xxh3_of(w->held_data.base ? w->held_data.base : (const uint8_t *)"", w->held_data.len);
    meta_trailer_encode(w->disk_bytes, xxh3, buf_reserve(&w->held_meta, META_TRAILER_BYTES));
    struct small_record record = {.block_id = w->replica->block_id,
                                  .gen_stamp = w->replica->gen_stamp,
                                  .xxh3 = xxh3,
                                  .meta_bytes = (uint32_t)meta_len + META_TRAILER_BYTES,
                                  .data_bytes = (uint32_t)w->disk_bytes,
                                  .state = state};
    return small_log_append(w->store->small[w->replica->volume], &record, w->held_meta.base, w->held_data.base, ret,
                            reterr);
}

int replica_writer_keep(struct replica_writer *w, struct err *reterr)
{
    struct small_place at;
    if (!w->in_memory || (w->kept && w->kept_bytes == w->disk_bytes))
        return 0;
    if (w->kept) /* it grows piece by piece: a record for each would have all pieces before it again */
        return store_leave_memory(w, reterr);
    int rc = append_held(w, SMALL_OPEN, &at, reterr);
    if (rc < 0)
        return rc;
    w->kept = true;
    w->kept_bytes = w->disk_bytes;
    pthread_mutex_lock(&w->store->lock);
    show_locked(w);
    store_set_small_place(w->replica, at);
    pthread_mutex_unlock(&w->store->lock);
    return 0;
}

static uint32_t record_end(const struct replica_writer *w)
{
    struct small_record r = {.meta_bytes = (uint32_t)meta_bytes(&w->meta, w->disk_bytes) + META_TRAILER_BYTES,
                             .data_bytes = (uint32_t)w->disk_bytes};
    return small_record_bytes(&r);
}

int store_sync_kept(struct replica_writer *w, struct err *reterr)
{
    return small_log_sync(w->store->small[w->replica->volume], store_small_place(w->replica), record_end(w), reterr);
}

/* What is in the log already, finished; or all that is held, in one record. */
static int finish_record(struct replica_writer *w, struct small_place *ret, struct err *reterr)
{
    struct replica *r = w->replica;
    bool whole = w->kept && w->kept_bytes == w->disk_bytes;
    *ret = store_small_place(r);
    return whole ? small_log_finish(w->store->small[r->volume], *ret, r->block_id, reterr)
                 : append_held(w, SMALL_FINALIZED, ret, reterr);
}

int store_finalize_held(struct replica_writer *w, bool sync, struct replica_view *ret, struct err *reterr)
{
    struct block_store *s = w->store;
    struct replica *r = w->replica;
    struct small_place at, kept = store_small_place(r);
    int rc = finish_record(w, &at, reterr);
    if (rc < 0)
        return rc;
    bool replaces = w->kept && (at.segment != kept.segment || at.offset != kept.offset);
    sync |= replaces && is_kept_synced(w);
    if (sync && (rc = small_log_sync(s->small[r->volume], at, record_end(w), reterr)) < 0) {
        if (!w->kept || replaces)
            store_small_remove(s, (uint16_t)r->volume, r->block_id, at);
        return rc;
    }
    uint64_t xxh3 = xxh3_of(w->held_data.base ? w->held_data.base : (const uint8_t *)"", w->held_data.len);
    pthread_mutex_lock(&s->lock);
    rc = replica_move(r, REPLICA_FINALIZED, reterr);
    if (rc == 0) {
        r->work->in_memory = false;
        r->xxh3 = xxh3;
        store_set_small_place(r, at);
        store_set_length_locked(s, r, w->disk_bytes);
        store_promise_locked(s, r, 0);
        store_fill_view(s, r, ret);
    }
    pthread_mutex_unlock(&s->lock);
    if (replaces)
        store_small_remove(s, (uint16_t)r->volume, r->block_id, kept);
    return rc;
}

/* How a replica comes to be written: created, appended to, or taken over from a pipeline that broke. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/store_impl.h"
#include "proto/zero_block.h"

#define DEFAULT_BYTES_PER_CHECKSUM 512

static int check_pool_open(struct block_store *s, struct err *reterr)
{
    if (!atomic_load(&s->pool_open))
        return err_set(reterr, ERR_RETRIABLE, "this datanode has not registered with its namenode yet");
    return 0;
}

/* ---- creating ---- */

int store_reserve_id(struct block_store *s, struct replica *fresh, enum replica_replace replace, struct err *reterr)
{
    if (fresh->block_id == ZERO_BLOCK_ID)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "blk_%" PRIu64 " is the block of zeros: it cannot be written",
                       fresh->block_id);
    for (;;) {
        pthread_mutex_lock(&s->lock);
        struct replica *there = replica_map_get(&s->map, fresh->block_id);
        if (!there) {
            replica_map_put(&s->map, fresh);
            struct volume *v = s->volumes[fresh->volume];
            atomic_fetch_add(&v->used_bytes, replica_footprint(fresh->disk_bytes));
            atomic_fetch_add(&v->replica_count, 1);
            pthread_mutex_unlock(&s->lock);
            return 0;
        }
        int rc = replica_check_replace(there, replace, fresh->gen_stamp, reterr);
        if (rc == 0)
            rc = store_claim_locked(s, fresh->block_id, true, &there, reterr);
        if (rc == 0 && (rc = replica_check_replace(there, replace, fresh->gen_stamp, reterr)) < 0)
            store_release_locked(s, there); /* it changed while we waited */
        pthread_mutex_unlock(&s->lock);
        if (rc == ERR_REPLICA_NOT_FOUND) /* it went away by itself */
            continue;
        if (rc < 0)
            return rc;
        store_remove_claimed(s, there);
    }
}

static void start_work(struct replica *r, const struct meta_header *meta)
{
    struct replica_work *w = replica_work_get(r);
    w->claimed = true;
    w->checksum_type = meta->type;
    w->bytes_per_checksum = meta->bytes_per_checksum;
    w->digest = xxh3_new();
}

static int create(struct block_store *s, const struct replica_create *c, enum replica_state state,
                  struct replica_writer **ret, struct err *reterr)
{
    struct meta_header meta = c->meta;
    int rc = check_pool_open(s, reterr);
    if (rc == 0 && meta.type == CHECKSUM_NULL) {
        meta.type = CHECKSUM_CRC32C;
        meta.bytes_per_checksum = DEFAULT_BYTES_PER_CHECKSUM;
    }
    if (rc == 0)
        rc = meta_header_check(&meta, reterr);
    uint16_t volume;
    if (rc == 0)
        rc = store_choose_volume(s, c->storage_id, c->storage_type, c->expected_bytes, &volume, reterr);
    if (rc < 0)
        return rc;
    struct replica *r = mem_new(struct replica);
    r->block_id = c->block_id;
    r->gen_stamp = c->gen_stamp;
    r->state = (uint8_t)state;
    r->volume = volume;
    start_work(r, &meta);
    rc = store_reserve_id(s, r, c->replace, reterr);
    if (rc < 0) {
        replica_free(r);
        return rc;
    }
    pthread_mutex_lock(&s->lock);
    store_promise_locked(s, r, c->expected_bytes);
    pthread_mutex_unlock(&s->lock);
    rc = store_begin_writer(s, r, &meta, ret, reterr);
    if (rc < 0)
        store_remove_claimed(s, r);
    return rc;
}

int block_store_create_rbw(struct block_store *s, const struct replica_create *c, struct replica_writer **ret,
                           struct err *reterr)
{
    return create(s, c, REPLICA_RBW, ret, reterr);
}

int block_store_create_temporary(struct block_store *s, const struct replica_create *c, struct replica_writer **ret,
                                 struct err *reterr)
{
    return create(s, c, REPLICA_TEMPORARY, ret, reterr);
}

/* ---- reopening ---- */

/* Claims the replica (its writer is stopped if `stop`) and checks it, before and after, since the claim may wait. */
static int claim_checked(struct block_store *s, const struct replica_reopen *q, bool stop,
                         int (*check)(const struct replica *, const struct replica_reopen *, struct err *),
                         struct replica **ret, struct err *reterr)
{
    int rc = check_pool_open(s, reterr);
    if (rc < 0)
        return rc;
    struct replica *r;
    pthread_mutex_lock(&s->lock);
    rc = store_claim_locked(s, q->block_id, stop, &r, reterr);
    if (rc == 0 && (rc = check(r, q, reterr)) < 0)
        store_release_locked(s, r);
    pthread_mutex_unlock(&s->lock);
    if (rc == 0)
        *ret = r;
    return rc;
}

static int check_append(const struct replica *r, const struct replica_reopen *q, struct err *reterr)
{
    return replica_check_append(r, q->gen_stamp, q->new_gen_stamp, q->min_bytes, reterr);
}

static int check_recover_append(const struct replica *r, const struct replica_reopen *q, struct err *reterr)
{
    return replica_check_recover_append(r, q->gen_stamp, q->new_gen_stamp, q->min_bytes, reterr);
}

static int check_recover_stream(const struct replica *r, const struct replica_reopen *q, struct err *reterr)
{
    return replica_check_recover_stream(r, q->gen_stamp, q->new_gen_stamp, q->min_bytes, q->max_bytes, reterr);
}

/* FINALIZED -> RBW of a claimed replica. */
static int reopen_finalized(struct block_store *s, struct replica *r, const struct replica_reopen *q,
                            struct err *reterr)
{
    uint64_t more = q->expected_bytes > r->disk_bytes ? q->expected_bytes - r->disk_bytes : 0;
    uint16_t ignored;
    char data[PATH_MAX];
    volume_data_path(s->volumes[r->volume], PLACE_FINALIZED, r->block_id, data);
    uint64_t copied = !r->small_segment && store_shares_data(data) ? r->disk_bytes : 0;
    int rc = store_choose_volume(s, s->volumes[r->volume]->storage_id, s->volumes[r->volume]->storage_type,
                                 more + copied, &ignored, reterr);
    if (rc == 0 && ignored != r->volume)
        rc = err_set(reterr, ERR_NO_SPACE, "Out of space: volume '%s' has no room for block %" PRId64 " to grow",
                     s->volumes[r->volume]->dir, (int64_t)r->block_id);
    if (rc == 0 && copied)
        rc = store_own_data(s, s->volumes[r->volume], r->block_id, data, reterr);
    if (rc == 0)
        rc = store_move_files(s, r, PLACE_RBW, q->new_gen_stamp, false, reterr);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&s->lock);
    rc = replica_move(r, REPLICA_RBW, reterr);
    r->gen_stamp = q->new_gen_stamp;
    r->xxh3 = 0;
    r->work->acked_bytes = r->disk_bytes;
    r->work->original_state = REPLICA_RBW;
    store_promise_locked(s, r, more);
    pthread_mutex_unlock(&s->lock);
    store_tell_change(s,
                      r->block_id); /* nobody gets its files as finalized ones any more, and nothing is written yet */
    return rc < 0 ? rc : store_sync_names(s, r, reterr);
}

/* A writer on a claimed RBW replica, its meta file cut to what its data needs (no trailer any more). */
static int reopen_writer(struct block_store *s, struct replica *r, struct replica_writer **ret, struct err *reterr)
{
    struct replica_writer *w;
    int rc = store_open_writer(s, r, &w, reterr);
    if (rc < 0)
        return rc;
    if (ftruncate(w->meta_fd, meta_bytes(&w->meta, w->disk_bytes)) < 0)
        rc = err_errno(reterr, errno, "truncate the meta file of block %" PRId64, (int64_t)r->block_id);
    pthread_mutex_lock(&s->lock);
    r->work->checksum_type = w->meta.type;
    r->work->bytes_per_checksum = w->meta.bytes_per_checksum;
    r->work->tail_checksum = w->tail_checksum;
    pthread_mutex_unlock(&s->lock);
    if (rc < 0) {
        net_closep(&w->data_fd);
        net_closep(&w->meta_fd);
        mem_freep(&w);
        return rc;
    }
    *ret = w;
    return 0;
}

static int release_on_failure(struct block_store *s, struct replica *r, int rc)
{
    if (rc < 0) {
        pthread_mutex_lock(&s->lock);
        store_release_locked(s, r);
        pthread_mutex_unlock(&s->lock);
    }
    return rc;
}

int block_store_append(struct block_store *s, const struct replica_reopen *q, struct replica_writer **ret,
                       struct err *reterr)
{
    struct replica *r;
    int rc = claim_checked(s, q, false, check_append, &r, reterr);
    if (rc < 0)
        return rc;
    rc = reopen_finalized(s, r, q, reterr);
    if (rc == 0)
        rc = reopen_writer(s, r, ret, reterr);
    return release_on_failure(s, r, rc);
}

int block_store_recover_append(struct block_store *s, const struct replica_reopen *q, struct replica_writer **ret,
                               struct err *reterr)
{
    struct replica *r;
    int rc = claim_checked(s, q, true, check_recover_append, &r, reterr);
    if (rc < 0)
        return rc;
    rc = r->state == REPLICA_FINALIZED ? reopen_finalized(s, r, q, reterr)
                                       : store_set_gen_stamp(s, r, q->new_gen_stamp, reterr);
    if (rc == 0)
        rc = reopen_writer(s, r, ret, reterr);
    return release_on_failure(s, r, rc);
}

/* What lies beyond the acknowledged bytes may differ from node to node: the client sends it again. */
static int cut_to_acked(struct block_store *s, struct replica_writer *w, struct err *reterr)
{
    struct replica *r = w->replica;
    uint64_t acked = r->work->acked_bytes;
    if (acked == w->disk_bytes)
        return 0;
    if (acked > w->disk_bytes)
        return err_set(reterr, ERR_REPLICA_NOT_FOUND,
                       "block %" PRId64 ": %" PRIu64 " bytes acknowledged, %" PRIu64 " on disk", (int64_t)r->block_id,
                       acked, w->disk_bytes);
    uint32_t tail;
    int rc = meta_truncate(w->data_fd, w->meta_fd, &w->meta, w->disk_bytes, acked, &tail, reterr);
    if (rc < 0)
        return rc;
    w->disk_bytes = acked;
    w->tail_checksum = tail;
    pthread_mutex_lock(&s->lock);
    store_set_length_locked(s, r, acked);
    r->work->tail_checksum = tail;
    xxh3_free(r->work->digest); /* it has seen what was cut off */
    r->work->digest = NULL;
    pthread_mutex_unlock(&s->lock);
    return 0;
}

int block_store_recover_stream(struct block_store *s, const struct replica_reopen *q, struct replica_writer **ret,
                               struct err *reterr)
{
    struct replica *r;
    int rc = claim_checked(s, q, true, check_recover_stream, &r, reterr);
    if (rc < 0)
        return rc;
    struct replica_writer *w = NULL;
    rc = reopen_writer(s, r, &w, reterr);
    if (rc == 0)
        rc = cut_to_acked(s, w, reterr);
    if (rc == 0)
        rc = store_set_gen_stamp(s, r, q->new_gen_stamp, reterr);
    if (rc < 0 && w)
        replica_writer_release(w);
    else if (rc < 0)
        (void)release_on_failure(s, r, rc);
    if (rc == 0)
        *ret = w;
    return rc;
}

int block_store_recover_close(struct block_store *s, const struct replica_reopen *q, struct replica_view *ret,
                              struct err *reterr)
{
    struct replica *r;
    int rc = claim_checked(s, q, true, check_recover_append, &r, reterr);
    if (rc < 0)
        return rc;
    rc = store_set_gen_stamp(s, r, q->new_gen_stamp, reterr);
    if (rc == 0 && r->state == REPLICA_RBW) {
        struct replica_writer *w;
        rc = reopen_writer(s, r, &w, reterr);
        if (rc == 0) {
            rc = replica_writer_finalize(w, s->sync_on_close, ret, reterr);
            if (rc < 0)
                replica_writer_release(w);
            return rc;
        }
    }
    pthread_mutex_lock(&s->lock);
    if (rc == 0)
        store_fill_view(s, r, ret);
    store_release_locked(s, r);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

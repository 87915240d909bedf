/* Block recovery, this node's side of it: stop writing, say what there is, then do what was agreed. */
#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/store_impl.h"

int block_store_init_recovery(struct block_store *s, uint64_t block_id, uint64_t gen_stamp, uint64_t recovery_id,
                              struct replica_view *ret_before, struct err *reterr)
{
    struct replica *r;
    pthread_mutex_lock(&s->lock);
    int rc = store_claim_locked(s, block_id, true, &r, reterr);
    if (rc == 0) {
        rc = replica_check_init_recovery(r, gen_stamp, recovery_id, reterr);
        enum replica_state before = r->state;
        bool in_rbw = replica_place_of(r) == PLACE_RBW;
        if (rc == 0)
            rc = replica_move(r, REPLICA_RUR, reterr);
        if (rc == 0) {
            struct replica_work *w = replica_work_get(r);
            w->recovery_id = recovery_id;
            if (before != REPLICA_RUR) {
                w->original_state = before;
                w->in_rbw = in_rbw;
            }
            store_fill_view(s, r, ret_before);
        }
        store_release_locked(s, r);
    }
    pthread_mutex_unlock(&s->lock);
    if (rc == 0)
        store_tell_change(s, block_id);
    return rc;
}

static int cut(struct block_store *s, struct replica_writer *w, uint64_t new_bytes, struct err *reterr)
{
    struct replica *r = w->replica;
    if (new_bytes == r->disk_bytes)
        return 0;
    uint32_t tail;
    int rc = meta_truncate(w->data_fd, w->meta_fd, &w->meta, r->disk_bytes, new_bytes, &tail, reterr);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&s->lock);
    store_set_length_locked(s, r, new_bytes);
    xxh3_free(r->work->digest);
    r->work->digest = NULL;
    pthread_mutex_unlock(&s->lock);
    w->disk_bytes = new_bytes;
    return 0;
}

/* Whole chunks, or up to the end: what is rotten shall not get new checksums. */
static int read_verified(const struct replica_writer *from, uint64_t at, size_t len, uint8_t *piece, uint8_t *checksums,
                         struct err *reterr)
{
    const struct meta_header *m = &from->meta;
    int rc = file_pread_full(from->data_fd, piece, len, (int64_t)at, reterr);
    if (rc < 0 || m->type == CHECKSUM_NULL)
        return rc;
    rc = file_pread_full(from->meta_fd, checksums, (size_t)meta_chunk_count(m, len) * 4,
                         meta_offset(m, at / m->bytes_per_checksum), reterr);
    struct write_piece p = {.offset = at, .data = piece, .data_bytes = len, .checksums = checksums};
    return rc < 0 ? rc : write_piece_verify(&p, m, reterr);
}

static int copy_bytes(const struct replica_writer *from, struct replica_writer *to, uint64_t bytes, struct err *reterr)
{
    uint32_t bpc = from->meta.bytes_per_checksum;
    uint64_t most = BYTES_PER_CHECKSUM_MAX / bpc * bpc;
    AUTO(mem_freep) uint8_t *piece = mem_alloc((size_t)most);
    AUTO(mem_freep) uint8_t *checksums = mem_alloc((size_t)(most / bpc) * 4);
    struct meta_header none = {.type = CHECKSUM_NULL, .bytes_per_checksum = bpc};
    int rc = 0;
    for (uint64_t at = 0; rc == 0 && at < bytes; at += most) {
        uint64_t there = from->disk_bytes - at < most ? from->disk_bytes - at : most;
        struct write_piece p = {
            .offset = at, .data = piece, .data_bytes = (size_t)(bytes - at < there ? bytes - at : there)};
        rc = read_verified(from, at, (size_t)there, piece, checksums, reterr);
        if (rc == 0)
            rc = replica_writer_write(to, &p, &none, reterr);
    }
    return rc;
}

/* The first new_bytes under a new id, finalized; the old replica is only read. An earlier attempt that the namenode did
 * not hear of is in the way. */
static int copy_under_new_id(struct block_store *s, const struct replica_writer *from, const struct replica_agree *a,
                             struct err *reterr)
{
    struct replica_create c = {.block_id = a->new_block_id,
                               .gen_stamp = a->recovery_id,
                               .replace = REPLACE_OLDER,
                               .expected_bytes = a->new_bytes,
                               .storage_id = from->volume->storage_id,
                               .storage_type = from->volume->storage_type,
                               .meta = from->meta};
    struct replica_writer *to;
    int rc = block_store_create_temporary(s, &c, &to, reterr);
    if (rc < 0)
        return rc;
    rc = copy_bytes(from, to, a->new_bytes, reterr);
    struct replica_view made;
    if (rc == 0)
        rc = replica_writer_finalize(to, true, &made, reterr);
    if (rc < 0)
        replica_writer_drop(to);
    return rc;
}

/* What is about to be cut shall not be cut in others. */
static int own_data(struct block_store *s, const struct replica *r, struct err *reterr)
{
    char path[PATH_MAX];
    struct volume *v = s->volumes[r->volume];
    volume_data_path(v, replica_place_of(r), r->block_id, path);
    return r->small_segment ? 0 : store_own_data(s, v, r->block_id, path, reterr);
}

static int agree(struct block_store *s, struct replica *r, const struct replica_agree *a, struct replica_view *ret,
                 struct err *reterr)
{
    struct replica_writer *w;
    bool copies = a->new_block_id && a->new_block_id != a->block_id;
    int rc = !copies && a->new_bytes < r->disk_bytes ? own_data(s, r, reterr) : 0;
    rc = rc < 0 ? rc : store_open_writer(s, r, &w, reterr);
    if (rc < 0)
        return rc;
    if (copies)
        rc = copy_under_new_id(s, w, a, reterr);
    else
        rc = store_set_gen_stamp(s, r, a->recovery_id, reterr);
    if (rc == 0 && !copies)
        rc = cut(s, w, a->new_bytes, reterr);
    if (rc == 0)
        rc = store_finalize_claimed(s, r, w->data_fd, w->meta_fd, &w->meta, true, ret, reterr);
    net_closep(&w->data_fd);
    net_closep(&w->meta_fd);
    mem_freep(&w);
    return rc;
}

int block_store_update_recovery(struct block_store *s, const struct replica_agree *a, struct replica_view *ret,
                                struct err *reterr)
{
    struct replica *r;
    pthread_mutex_lock(&s->lock);
    int rc = store_claim_locked(s, a->block_id, false, &r, reterr);
    if (rc == 0 && (rc = replica_check_update_recovery(r, a->recovery_id, a->old_bytes, a->new_bytes, reterr)) < 0)
        store_release_locked(s, r);
    pthread_mutex_unlock(&s->lock);
    if (rc < 0)
        return rc;
    rc = agree(s, r, a, ret, reterr);
    pthread_mutex_lock(&s->lock);
    store_release_locked(s, r);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* What happens to a claimed replica's files. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/store_impl.h"

#define DIGEST_READ_BYTES (1u << 20)

enum replica_place replica_place_of(const struct replica *r)
{
    switch (r->state) {
    case REPLICA_FINALIZED: return PLACE_FINALIZED;
    case REPLICA_TEMPORARY: return PLACE_TMP;
    case REPLICA_RUR: return r->work->in_rbw ? PLACE_RBW : PLACE_FINALIZED;
    default: return PLACE_RBW;
    }
}

/* rename() that makes the target's folder if it is missing. */
static int rename_into(const char *from, const char *to, const char *to_dir, struct err *reterr)
{
    if (rename(from, to) == 0)
        return 0;
    if (errno == ENOENT && access(to_dir, F_OK) < 0) {
        int rc = file_mkdirs(to_dir, 0755, reterr);
        if (rc < 0)
            return rc;
        if (rename(from, to) == 0)
            return 0;
    }
    return err_errno(reterr, errno, "cannot rename '%s' to '%s'", from, to);
}

int store_sync_names(const struct block_store *s, const struct replica *r, struct err *reterr)
{
    char dir[PATH_MAX];
    volume_place_dir(s->volumes[r->volume], replica_place_of(r), r->block_id, dir);
    return file_fsync_dir(dir, reterr);
}

int store_set_gen_stamp(struct block_store *s, struct replica *r, uint64_t gen_stamp, struct err *reterr)
{
    if (r->gen_stamp == gen_stamp)
        return 0;
    int rc = store_ensure_files(s, r, reterr);
    if (rc < 0)
        return rc;
    const struct volume *v = s->volumes[r->volume];
    char from[PATH_MAX], to[PATH_MAX];
    volume_meta_path(v, replica_place_of(r), r->block_id, r->gen_stamp, from);
    volume_meta_path(v, replica_place_of(r), r->block_id, gen_stamp, to);
    if (rename(from, to) < 0)
        return err_errno(reterr, errno, "cannot rename '%s' to '%s'", from, to);
    pthread_mutex_lock(&s->lock);
    r->gen_stamp = gen_stamp;
    pthread_mutex_unlock(&s->lock);
    return store_sync_names(s, r, reterr);
}

/* The meta file goes first: the start-up scan tells by where it is which way an interrupted move was going. */
int store_move_files(struct block_store *s, struct replica *r, enum replica_place to, uint64_t gen_stamp, bool sync,
                     struct err *reterr)
{
    const struct volume *v = s->volumes[r->volume];
    enum replica_place from = replica_place_of(r);
    char old_path[PATH_MAX], new_path[PATH_MAX], dir[PATH_MAX];
    volume_place_dir(v, to, r->block_id, dir);
    volume_meta_path(v, from, r->block_id, r->gen_stamp, old_path);
    volume_meta_path(v, to, r->block_id, gen_stamp, new_path);
    int rc = store_ensure_files(s, r, reterr);
    if (rc == 0)
        rc = rename_into(old_path, new_path, dir, reterr);
    if (rc < 0)
        return rc;
    volume_data_path(v, from, r->block_id, old_path);
    volume_data_path(v, to, r->block_id, new_path);
    rc = rename_into(old_path, new_path, dir, reterr);
    if (rc < 0) {
        volume_meta_path(v, to, r->block_id, gen_stamp, new_path);
        volume_meta_path(v, from, r->block_id, r->gen_stamp, old_path);
        (void)rename(new_path, old_path); /* if that fails too, the scan at the next start sorts it out */
        return rc;
    }
    if (sync) {
        rc = file_fsync_dir(dir, reterr);
        volume_place_dir(v, from, r->block_id, dir);
        if (rc == 0)
            rc = file_fsync_dir(dir, reterr);
    }
    return rc;
}

int store_digest_of_file(int data_fd, uint64_t bytes, uint64_t *ret, struct err *reterr)
{
    AUTO(mem_freep) uint8_t *piece = mem_alloc(DIGEST_READ_BYTES);
    struct xxh3 *x = xxh3_new();
    int rc = 0;
    for (uint64_t at = 0; at < bytes && rc == 0;) {
        size_t len = bytes - at < DIGEST_READ_BYTES ? (size_t)(bytes - at) : DIGEST_READ_BYTES;
        rc = file_pread_full(data_fd, piece, len, (int64_t)at, reterr);
        xxh3_update(x, piece, rc == 0 ? len : 0);
        at += len;
    }
    if (rc == 0)
        *ret = xxh3_value(x);
    xxh3_free(x);
    return rc;
}

static int digest_of_replica(const struct replica *r, int data_fd, uint64_t *ret, struct err *reterr)
{
    const struct replica_work *w = r->work;
    if (w->digest && w->digest_bytes == r->disk_bytes) {
        *ret = xxh3_value(w->digest);
        return 0;
    }
    return store_digest_of_file(data_fd, r->disk_bytes, ret, reterr);
}

int store_finalize_claimed(struct block_store *s, struct replica *r, int data_fd, int meta_fd,
                           const struct meta_header *meta, bool sync, struct replica_view *ret, struct err *reterr)
{
    uint64_t xxh3;
    int rc = digest_of_replica(r, data_fd, &xxh3, reterr);
    if (rc == 0)
        rc = meta_write_trailer(meta_fd, meta, r->disk_bytes, xxh3, reterr);
    if (rc == 0 && sync && (fdatasync(data_fd) < 0 || fdatasync(meta_fd) < 0))
        rc = err_errno(reterr, errno, "sync block %" PRId64, (int64_t)r->block_id);
    if (rc == 0 && replica_place_of(r) != PLACE_FINALIZED)
        rc = store_move_files(s, r, PLACE_FINALIZED, r->gen_stamp, sync, reterr);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&s->lock);
    if (r->state != REPLICA_FINALIZED)
        rc = replica_move(r, REPLICA_FINALIZED, reterr);
    if (rc == 0) {
        r->xxh3 = xxh3;
        store_promise_locked(s, r, 0);
        store_fill_view(s, r, ret);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int store_create_files(struct block_store *s, struct replica *r, const struct meta_header *meta, int *ret_data_fd,
                       int *ret_meta_fd, struct err *reterr)
{
    const struct volume *v = s->volumes[r->volume];
    char data_path[PATH_MAX], meta_path[PATH_MAX];
    uint8_t header[META_HEADER_BYTES];
    volume_data_path(v, replica_place_of(r), r->block_id, data_path);
    volume_meta_path(v, replica_place_of(r), r->block_id, r->gen_stamp, meta_path);
    AUTO(net_closep) int data_fd = -1;
    AUTO(net_closep) int meta_fd = -1;
    int rc = store_create_file(s, r->volume, data_path, &data_fd, reterr);
    if (rc == 0)
        rc = store_create_file(s, r->volume, meta_path, &meta_fd, reterr);
    if (rc < 0)
        return rc;
    meta_header_encode(meta, header);
    rc = file_pwrite_full(meta_fd, header, sizeof header, 0, reterr);
    if (rc < 0)
        return rc;
    *ret_data_fd = data_fd;
    *ret_meta_fd = meta_fd;
    data_fd = meta_fd = -1;
    return 0;
}

struct replica_writer *store_new_writer(struct block_store *s, struct replica *r, int data_fd, int meta_fd,
                                        const struct meta_header *meta)
{
    struct replica_writer *w = mem_new(struct replica_writer);
    w->store = s;
    w->replica = r;
    w->volume = s->volumes[r->volume];
    w->data_fd = data_fd;
    w->meta_fd = meta_fd;
    w->meta = *meta;
    w->disk_bytes = r->disk_bytes;
    return w;
}

int store_open_writer(struct block_store *s, struct replica *r, struct replica_writer **ret, struct err *reterr)
{
    const struct volume *v = s->volumes[r->volume];
    char path[PATH_MAX];
    AUTO(net_closep) int data_fd = -1;
    AUTO(net_closep) int meta_fd = -1;
    int rc = store_ensure_files(s, r, reterr);
    if (rc < 0)
        return rc;
    volume_data_path(v, replica_place_of(r), r->block_id, path);
    data_fd = open(path, O_RDWR | O_CLOEXEC);
    if (data_fd < 0)
        return err_errno(reterr, errno, "cannot open '%s'", path);
    volume_meta_path(v, replica_place_of(r), r->block_id, r->gen_stamp, path);
    meta_fd = open(path, O_RDWR | O_CLOEXEC);
    if (meta_fd < 0)
        return err_errno(reterr, errno, "cannot open '%s'", path);
    struct meta_header meta;
    rc = meta_read_header(meta_fd, path, &meta, reterr);
    if (rc < 0)
        return rc;
    uint8_t tail[4] = {0};
    bool partial = meta.type != CHECKSUM_NULL && r->disk_bytes % meta.bytes_per_checksum;
    if (partial) {
        rc = file_pread_full(meta_fd, tail, sizeof tail, meta_offset(&meta, r->disk_bytes / meta.bytes_per_checksum),
                             reterr);
        if (rc < 0)
            return err_prefix(reterr, rc, "%s", path);
    }
    struct replica_writer *w = store_new_writer(s, r, data_fd, meta_fd, &meta);
    w->tail_checksum = (uint32_t)tail[0] << 24 | (uint32_t)tail[1] << 16 | (uint32_t)tail[2] << 8 | tail[3];
    data_fd = meta_fd = -1;
    *ret = w;
    return 0;
}

/* A finalized replica under a second id: the data is not copied but linked (store_links.c), the meta file is a copy,
 * since it has the block's id and stamp in its name and is rewritten by itself. A small replica is copied, record by
 * record. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/store_impl.h"

static int claim_source(struct block_store *s, const struct replica_clone *c, struct replica **ret, struct err *reterr)
{
    pthread_mutex_lock(&s->lock);
    int rc = store_claim_locked(s, c->block_id, false, ret, reterr);
    const struct replica *r = rc == 0 ? *ret : NULL;
    if (r && (r->state != REPLICA_FINALIZED || r->gen_stamp != c->gen_stamp || r->disk_bytes != c->bytes)) {
        rc = err_set(reterr, ERR_REPLICA_NOT_FOUND,
                     "block %" PRId64 "_%" PRIu64 " (%s, %" PRIu64 " bytes) is not to be cloned as _%" PRIu64
                     " of %" PRIu64 " bytes",
                     (int64_t)r->block_id, r->gen_stamp, replica_state_name(r->state), r->disk_bytes, c->gen_stamp,
                     c->bytes);
        store_release_locked(s, *ret);
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* Somebody may never have asked for them to be there. */
static int sync_file(const char *path, struct err *reterr)
{
    AUTO(net_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(reterr, errno, "cannot open '%s'", path);
    return fdatasync(fd) < 0 ? err_errno(reterr, errno, "sync '%s'", path) : 0;
}

/* In tmp first, as any replica that is not whole yet. */
static int clone_files(struct block_store *s, const struct replica *from, struct replica *to, struct err *reterr)
{
    struct volume *v = s->volumes[from->volume];
    char source[PATH_MAX], target[PATH_MAX];
    volume_meta_path(v, PLACE_FINALIZED, from->block_id, from->gen_stamp, source);
    volume_meta_path(v, PLACE_TMP, to->block_id, to->gen_stamp, target);
    int rc = store_copy_file(source, target, reterr);
    volume_data_path(v, PLACE_FINALIZED, from->block_id, source);
    volume_data_path(v, PLACE_TMP, to->block_id, target);
    if (rc == 0)
        rc = sync_file(source, reterr);
    if (rc == 0)
        rc = store_link_data(s, v, source, target, reterr);
    return rc < 0 ? rc : store_move_files(s, to, PLACE_FINALIZED, to->gen_stamp, true, reterr);
}

static int clone_record(struct block_store *s, const struct replica *from, struct replica *to, struct err *reterr)
{
    struct small_log *log = s->small[from->volume];
    struct small_place at = store_small_place(from), made;
    struct small_record record;
    AUTO(net_closep) int fd = -1;
    int rc = small_log_find(log, at, from->block_id, &record, &fd, reterr);
    if (rc < 0)
        return rc;
    if (store_room(s, from->volume) < small_record_bytes(&record))
        return err_set(reterr, ERR_NO_SPACE, "no room for a copy of block %" PRId64, (int64_t)from->block_id);
    size_t len = (size_t)record.meta_bytes + record.data_bytes;
    AUTO(mem_freep) uint8_t *bytes = mem_alloc(len);
    rc = file_pread_full(fd, bytes, len, small_meta_offset(at), reterr);
    record.block_id = to->block_id;
    record.gen_stamp = to->gen_stamp;
    if (rc == 0)
        rc = small_log_append(log, &record, bytes, bytes + record.meta_bytes, &made, reterr);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&s->lock);
    store_set_small_place(to, made);
    pthread_mutex_unlock(&s->lock);
    return small_log_sync(log, made, small_record_bytes(&record), reterr);
}

static struct replica *replica_like(const struct replica *from, const struct replica_clone *c)
{
    struct replica *r = mem_new(struct replica);
    *r = (struct replica){.block_id = c->new_block_id,
                          .gen_stamp = c->new_gen_stamp,
                          .disk_bytes = from->disk_bytes,
                          .volume = from->volume,
                          .state = REPLICA_TEMPORARY};
    replica_work_get(r)->claimed = true;
    return r;
}

static int clone_claimed(struct block_store *s, const struct replica *from, const struct replica_clone *c,
                         struct replica_view *ret, struct err *reterr)
{
    struct replica *r = replica_like(from, c);
    int rc = store_reserve_id(s, r, REPLACE_NOTHING, reterr);
    if (rc < 0) {
        replica_free(r);
        return rc;
    }
    rc = from->small_segment ? clone_record(s, from, r, reterr) : clone_files(s, from, r, reterr);
    if (rc < 0) {
        store_remove_claimed(s, r);
        return rc;
    }
    pthread_mutex_lock(&s->lock);
    rc = replica_move(r, REPLICA_FINALIZED, reterr);
    r->xxh3 = from->xxh3;
    store_fill_view(s, r, ret);
    store_release_locked(s, r);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

int block_store_clone(struct block_store *s, const struct replica_clone *c, struct replica_view *ret,
                      struct err *reterr)
{
    struct replica *source;
    int rc = claim_source(s, c, &source, reterr);
    if (rc < 0)
        return rc;
    rc = clone_claimed(s, source, c, ret, reterr);
    pthread_mutex_lock(&s->lock);
    store_release_locked(s, source);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

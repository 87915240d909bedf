/* A replica moves from one volume of this node to another: copied, made durable, and only then the map says where it
 * is. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/store_impl.h"

int store_copy_file(const char *from, const char *to, struct err *reterr)
{
    AUTO(net_closep) int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return err_errno(reterr, errno, "cannot open '%s'", from);
    AUTO(net_closep) int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    struct stat st;
    if (out < 0 || fstat(in, &st) < 0)
        return err_errno(reterr, errno, "cannot copy '%s' to '%s'", from, to);
    for (off_t left = st.st_size; left > 0;) {
        ssize_t n = sendfile(out, in, NULL, (size_t)left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? err_errno(reterr, errno, "cannot copy '%s' to '%s'", from, to)
                         : err_set(reterr, ERR_IO, "'%s' ends too early", from);
        left -= n;
    }
    return fdatasync(out) < 0 ? err_errno(reterr, errno, "sync '%s'", to) : 0;
}

/* Under a name of its own in tmp, which is emptied at the next start; then into place, the meta file last: data without
 * one is not taken for a replica. */
static int copy_into(const struct volume *from, const struct volume *to, const struct replica *r, bool is_meta,
                     struct err *reterr)
{
    char source[PATH_MAX], target[PATH_MAX], dir[PATH_MAX];
    AUTO(mem_freep)
    char *tmp = mem_printf("%stmp/moved_%" PRId64 "%s", to->pool, (int64_t)r->block_id, is_meta ? ".meta" : "");
    volume_place_dir(to, PLACE_FINALIZED, r->block_id, dir);
    if (is_meta) {
        volume_meta_path(from, PLACE_FINALIZED, r->block_id, r->gen_stamp, source);
        volume_meta_path(to, PLACE_FINALIZED, r->block_id, r->gen_stamp, target);
    } else {
        volume_data_path(from, PLACE_FINALIZED, r->block_id, source);
        volume_data_path(to, PLACE_FINALIZED, r->block_id, target);
    }
    int rc = store_copy_file(source, tmp, reterr);
    if (rc == 0)
        rc = file_mkdirs(dir, 0755, reterr);
    if (rc == 0 && rename(tmp, target) < 0)
        rc = err_errno(reterr, errno, "cannot rename '%s' to '%s'", tmp, target);
    if (rc < 0)
        (void)unlink(tmp);
    return rc < 0 ? rc : file_fsync_dir(dir, reterr);
}

static int choose(struct block_store *s, const struct replica *r, int storage_type, const char *storage_id,
                  uint16_t *ret, struct err *reterr)
{
    const struct volume *now = s->volumes[r->volume];
    bool names = storage_id && *storage_id;
    if (now->storage_type == storage_type && (!names || !strcmp(now->storage_id, storage_id)))
        return err_set(reterr, ERR_REPLICA_EXISTS, "block %" PRId64 " is on '%s' already", (int64_t)r->block_id,
                       now->dir);
    int rc = store_choose_volume(s, storage_id, storage_type, r->disk_bytes, ret, reterr);
    if (rc == 0 && (*ret == r->volume || s->volumes[*ret]->storage_type != storage_type))
        rc = err_set(reterr, ERR_NO_SPACE, "no volume of storage type %d has room for block %" PRId64, storage_type,
                     (int64_t)r->block_id);
    return rc;
}

static void remove_files(struct block_store *s, struct volume *v, const struct replica *r)
{
    char path[PATH_MAX];
    volume_meta_path(v, PLACE_FINALIZED, r->block_id, r->gen_stamp, path);
    (void)unlink(path);
    volume_data_path(v, PLACE_FINALIZED, r->block_id, path);
    if (!store_unlink_shared(s, v, path))
        (void)unlink(path);
}

static int move_claimed(struct block_store *s, struct replica *r, int storage_type, const char *storage_id,
                        struct err *reterr)
{
    uint16_t target = 0;
    int rc = choose(s, r, storage_type, storage_id, &target, reterr);
    if (rc < 0)
        return rc;
    struct volume *from = s->volumes[r->volume], *to = s->volumes[target];
    rc = store_ensure_files(s, r, reterr); /* rare enough to be done as for all others */
    if (rc < 0)
        return rc;
    rc = copy_into(from, to, r, false, reterr);
    if (rc == 0)
        rc = copy_into(from, to, r, true, reterr);
    if (rc < 0) {
        remove_files(s, to, r);
        return rc;
    }
    pthread_mutex_lock(&s->lock);
    if (!volume_ok(to)) { /* it failed meanwhile */
        pthread_mutex_unlock(&s->lock);
        return err_set(reterr, ERR_IO, "volume '%s' has failed", to->dir);
    }
    int64_t bytes = replica_footprint(r->disk_bytes);
    atomic_fetch_add(&to->used_bytes, bytes);
    atomic_fetch_add(&to->replica_count, 1);
    atomic_fetch_sub(&from->used_bytes, bytes);
    atomic_fetch_sub(&from->replica_count, 1);
    r->volume = target;
    pthread_mutex_unlock(&s->lock);
    remove_files(s, from, r);
    return 0;
}

int block_store_move(struct block_store *s, uint64_t block_id, uint64_t gen_stamp, int storage_type,
                     const char *storage_id, struct replica_view *ret, struct err *reterr)
{
    struct replica *r;
    pthread_mutex_lock(&s->lock);
    int rc = store_claim_locked(s, block_id, false, &r, reterr);
    if (rc == 0 && (r->state != REPLICA_FINALIZED || r->gen_stamp < gen_stamp)) {
        rc =
            err_set(reterr, ERR_REPLICA_NOT_FOUND, "block %" PRId64 "_%" PRIu64 " (%s) is not to be moved as _%" PRIu64,
                    (int64_t)block_id, r->gen_stamp, replica_state_name(r->state), gen_stamp);
        store_release_locked(s, r);
    }
    pthread_mutex_unlock(&s->lock);
    if (rc < 0)
        return rc;
    rc = move_claimed(s, r, storage_type, storage_id, reterr);
    pthread_mutex_lock(&s->lock);
    if (rc == 0)
        store_fill_view(s, r, ret);
    store_release_locked(s, r);
    pthread_mutex_unlock(&s->lock);
    if (rc == 0)
        store_tell_change(s, block_id); /* files that were handed out are gone */
    return rc;
}

/* Small replicas once they are there: how they get files of their own, and how they are removed. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/store_impl.h"

void store_small_remove(struct block_store *s, uint16_t volume, uint64_t block_id, struct small_place at)
{
    struct err why;
    bool tidy = false;
    if (!s->small[volume] || !volume_ok(s->volumes[volume]))
        return;
    if (small_log_remove(s->small[volume], at, block_id, &tidy, &why) < 0)
        log_warn("store", "block=%" PRId64 " stays in the small replicas: %s", (int64_t)block_id, why.text);
    if (!tidy)
        return;
    pthread_mutex_lock(&s->lock);
    s->tidy_due = true;
    pthread_cond_signal(&s->deletions_changed);
    pthread_mutex_unlock(&s->lock);
}

static int write_file(const char *path, const uint8_t *bytes, size_t len, struct err *reterr)
{
    AUTO(net_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(reterr, errno, "cannot create '%s'", path);
    int rc = file_pwrite_full(fd, bytes, len, 0, reterr);
    if (rc == 0 && fdatasync(fd) < 0)
        rc = err_errno(reterr, errno, "sync '%s'", path);
    return rc < 0 ? err_prefix(reterr, rc, "'%s'", path) : 0;
}

/* Under names of their own in tmp first, which is emptied at the next start; then into place, the meta file last: data
 * without one is not taken for a replica. Synced, since the record goes, which may have been on the disk for long. */
static int make_files(const struct volume *v, const struct replica *r, const struct small_record *record,
                      const uint8_t *bytes, struct err *reterr)
{
    char data[PATH_MAX], meta[PATH_MAX], dir[PATH_MAX];
    AUTO(mem_freep) char *data_tmp = mem_printf("%stmp/small_%" PRId64, v->pool, (int64_t)r->block_id);
    AUTO(mem_freep) char *meta_tmp = mem_printf("%s.meta", data_tmp);
    volume_place_dir(v, replica_place_of(r), r->block_id, dir);
    volume_data_path(v, replica_place_of(r), r->block_id, data);
    volume_meta_path(v, replica_place_of(r), r->block_id, r->gen_stamp, meta);
    int rc = write_file(meta_tmp, bytes, record->meta_bytes, reterr);
    if (rc == 0)
        rc = write_file(data_tmp, bytes + record->meta_bytes, record->data_bytes, reterr);
    if (rc == 0)
        rc = file_mkdirs(dir, 0755, reterr);
    if (rc == 0 && (rename(data_tmp, data) < 0 || rename(meta_tmp, meta) < 0)) {
        rc = err_errno(reterr, errno, "cannot rename '%s' to '%s'", data_tmp, data);
        (void)unlink(data);
    }
    if (rc < 0) {
        (void)unlink(data_tmp);
        (void)unlink(meta_tmp);
    }
    return rc == 0 ? file_fsync_dir(dir, reterr) : rc;
}

int store_ensure_files(struct block_store *s, struct replica *r, struct err *reterr)
{
    if (!r->small_segment)
        return 0;
    struct small_place at = store_small_place(r);
    struct small_record record;
    AUTO(net_closep) int fd = -1;
    int rc = small_log_find(s->small[r->volume], at, r->block_id, &record, &fd, reterr);
    if (rc < 0)
        return rc;
    size_t len = (size_t)record.meta_bytes + record.data_bytes;
    AUTO(mem_freep) uint8_t *bytes = mem_alloc(len);
    rc = file_pread_full(fd, bytes, len, small_meta_offset(at), reterr);
    if (rc == 0)
        rc = make_files(s->volumes[r->volume], r, &record, bytes, reterr);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&s->lock);
    store_set_small_place(r, (struct small_place){0, 0});
    pthread_mutex_unlock(&s->lock);
    store_small_remove(s, (uint16_t)r->volume, r->block_id, at);
    return 0;
}

int block_store_own_files(struct block_store *s, uint64_t block_id, struct err *reterr)
{
    struct replica *r;
    pthread_mutex_lock(&s->lock);
    const struct replica *there = replica_map_get(&s->map, block_id);
    bool has = there && !there->small_segment;
    int rc = has ? 0 : store_claim_locked(s, block_id, false, &r, reterr);
    pthread_mutex_unlock(&s->lock);
    if (has || rc < 0)
        return rc;
    rc = store_ensure_files(s, r, reterr);
    pthread_mutex_lock(&s->lock);
    store_release_locked(s, r);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

struct small_totals block_store_small_totals(struct block_store *s)
{
    struct small_totals totals = {0};
    for (size_t i = 0; atomic_load(&s->pool_open) && i < s->volume_count; i++) {
        struct small_log_counts counts = {0};
        if (s->small[i] && volume_ok(s->volumes[i]))
            small_log_count(s->small[i], &counts);
        totals.replicas += counts.living;
        totals.file_bytes += counts.bytes;
    }
    return totals;
}

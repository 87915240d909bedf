#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/net.h"
#include "datanode/store/store_impl.h"

#define LENGTH_WAIT_MS 3000
#define MOVE_WAIT_MS   2000

static void wait_locked(struct block_store *s, int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t ns = t.tv_nsec + ms * 1000000;
    t.tv_sec += ns / 1000000000;
    t.tv_nsec = ns % 1000000000;
    s->waiters++;
    pthread_cond_timedwait(&s->changed, &s->lock, &t);
    s->waiters--;
}

static bool is_growing(const struct replica *r)
{
    return r->state == REPLICA_RBW && r->work->claimed;
}

struct opening {
    uint64_t block_id;
    struct replica_reader reader;
    struct small_place small;
    bool in_memory;
    char data_path[PATH_MAX], meta_path[PATH_MAX];
};

/* Takes all that must fit together at one instant. */
static int snapshot(struct block_store *s, uint64_t block_id, uint64_t gen_stamp, uint64_t need_bytes,
                    struct opening *o, struct err *reterr)
{
    int64_t give_up_at = clock_mono_ms() + LENGTH_WAIT_MS;
    pthread_mutex_lock(&s->lock);
    struct replica *r;
    while ((r = replica_map_get(&s->map, block_id)) != NULL && is_growing(r) && r->disk_bytes < need_bytes &&
           clock_mono_ms() < give_up_at)
        wait_locked(s, 100);
    int rc = r ? replica_check_read(r, gen_stamp, reterr)
               : err_set(reterr, ERR_REPLICA_NOT_FOUND, "Replica not found for block %" PRId64 "_%" PRIu64,
                         (int64_t)block_id, gen_stamp);
    if (rc == 0) {
        enum replica_place place = replica_place_of(r);
        o->small = store_small_place(r);
        o->in_memory = r->work && r->work->in_memory;
        volume_data_path(s->volumes[r->volume], place, block_id, o->data_path);
        volume_meta_path(s->volumes[r->volume], place, block_id, r->gen_stamp, o->meta_path);
        o->reader = (struct replica_reader){.data_fd = -1,
                                            .meta_fd = -1,
                                            .end_bytes = r->disk_bytes,
                                            .gen_stamp = r->gen_stamp,
                                            .state = r->state,
                                            .visible_bytes = replica_visible_bytes(r),
                                            .volume = r->volume};
        if (o->in_memory)
            o->reader.meta = (struct meta_header){r->work->checksum_type, r->work->bytes_per_checksum};
        if (r->state == REPLICA_RBW && !o->small.segment && r->work->bytes_per_checksum) {
            o->reader.has_tail_checksum = r->disk_bytes % r->work->bytes_per_checksum != 0;
            o->reader.tail_checksum = r->work->tail_checksum;
        }
    }
    pthread_mutex_unlock(&s->lock);
    return rc;
}

/* Two descriptors for the one segment, so that the reader need not know. */
static int open_small(struct block_store *s, struct opening *o, struct err *reterr)
{
    struct small_record record;
    struct replica_reader *r = &o->reader;
    int rc = small_log_find(s->small[r->volume], o->small, o->block_id, &record, &r->data_fd, reterr);
    if (rc < 0)
        return rc;
    r->meta_fd = fcntl(r->data_fd, F_DUPFD_CLOEXEC, 0);
    r->shares_file = true;
    r->meta_base = small_meta_offset(o->small);
    r->data_base = small_data_offset(o->small, &record);
    if (r->meta_fd < 0)
        return err_errno(reterr, errno, "cannot read block %" PRId64, (int64_t)o->block_id);
    if (record.gen_stamp != r->gen_stamp || record.data_bytes != r->end_bytes)
        return err_set(reterr, ERR_CHECKSUM, "block %" PRId64 ": the record of it says another stamp or length",
                       (int64_t)o->block_id);
    return 0;
}

/* Nobody may see any of it yet: it is empty. */
static int open_nothing(struct opening *o, struct err *reterr)
{
    o->reader.data_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    o->reader.meta_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return o->reader.data_fd < 0 || o->reader.meta_fd < 0 ? err_errno(reterr, errno, "/dev/null") : 0;
}

static int open_files(struct opening *o, struct err *reterr)
{
    o->reader.data_fd = open(o->data_path, O_RDONLY | O_CLOEXEC);
    if (o->reader.data_fd >= 0)
        o->reader.meta_fd = open(o->meta_path, O_RDONLY | O_CLOEXEC);
    if (o->reader.meta_fd < 0)
        return err_errno(reterr, errno, "cannot open the files of block %" PRId64 " ('%s')", (int64_t)o->block_id,
                         o->data_path);
    return meta_read_header(o->reader.meta_fd, o->meta_path, &o->reader.meta, reterr);
}

static int open_small_meta(struct opening *o, struct err *reterr)
{
    uint8_t header[META_HEADER_BYTES];
    int rc = replica_read_meta(&o->reader, header, sizeof header, 0, reterr);
    return rc < 0 ? rc : meta_header_decode(header, &o->reader.meta, reterr);
}

/* What a snapshot says. ERR_RETRIABLE: it is being moved, take another snapshot. */
static int open_snapshot(struct block_store *s, struct opening *o, int64_t *give_up_at, struct err *reterr)
{
    int rc;
    if (o->in_memory)
        return open_nothing(o, reterr);
    if (o->small.segment) {
        rc = open_small(s, o, reterr);
        if (rc == 0)
            rc = open_small_meta(o, reterr);
    } else {
        rc = open_files(o, reterr);
    }
    if (rc != ERR_NOT_FOUND || clock_mono_ms() > *give_up_at)
        return rc;
    replica_reader_close(&o->reader);
    /* Its owner is just moving the files? Then they are in their new place in a moment. */
    pthread_mutex_lock(&s->lock);
    const struct replica *r = replica_map_get(&s->map, o->block_id);
    if (r && !(r->work && r->work->claimed) && r->state == (uint8_t)o->reader.state &&
        r->gen_stamp == o->reader.gen_stamp && r->small_segment == o->small.segment)
        *give_up_at = 0; /* nobody is moving anything: the files are gone; one more look */
    else
        wait_locked(s, 5);
    pthread_mutex_unlock(&s->lock);
    return ERR_RETRIABLE;
}

/* The checksum of a partial last chunk is kept as it is now: somebody may begin to append while the replica is read,
 * and write another one over it. ERR_RETRIABLE: that has just begun; it is not known which one was read. */
static int keep_tail_checksum(struct block_store *s, struct opening *o, struct err *reterr)
{
    struct replica_reader *reader = &o->reader;
    uint32_t bpc = reader->meta.bytes_per_checksum;
    uint8_t tail[4];
    if (reader->state == REPLICA_RBW || o->small.segment || reader->meta.type == CHECKSUM_NULL ||
        reader->end_bytes % bpc == 0)
        return 0; /* a record of small replicas does not change */
    int rc = replica_read_meta(reader, tail, sizeof tail, meta_offset(&reader->meta, reader->end_bytes / bpc), reterr);
    if (rc < 0)
        return err_prefix(reterr, rc, "%s", o->meta_path);
    pthread_mutex_lock(&s->lock);
    const struct replica *r = replica_map_get(&s->map, o->block_id); /* what was deleted does not change any more */
    bool changed = r && (r->state != (uint8_t)reader->state || r->gen_stamp != reader->gen_stamp ||
                         r->disk_bytes != reader->end_bytes);
    pthread_mutex_unlock(&s->lock);
    if (changed)
        return ERR_RETRIABLE;
    reader->has_tail_checksum = true;
    reader->tail_checksum = (uint32_t)tail[0] << 24 | (uint32_t)tail[1] << 16 | (uint32_t)tail[2] << 8 | tail[3];
    return 0;
}

int block_store_open_reader(struct block_store *s, uint64_t block_id, uint64_t gen_stamp, uint64_t need_bytes,
                            struct replica_reader *ret, struct err *reterr)
{
    int64_t give_up_at = clock_mono_ms() + MOVE_WAIT_MS;
    struct opening o = {.block_id = block_id};
    int rc;
    do {
        rc = snapshot(s, block_id, gen_stamp, need_bytes, &o, reterr);
        if (rc < 0)
            return rc;
        rc = open_snapshot(s, &o, &give_up_at, reterr);
        if (rc == 0)
            rc = keep_tail_checksum(s, &o, reterr);
        if (rc < 0)
            replica_reader_close(&o.reader);
    } while (rc == ERR_RETRIABLE);
    if (rc == 0)
        *ret = o.reader;
    return rc;
}

/* By its descriptors, so that nobody who wants to change it has to wait. */
static int sync_files(struct block_store *s, uint64_t block_id, uint64_t gen_stamp, struct err *reterr)
{
    struct replica_reader r;
    char dir[PATH_MAX];
    int rc = block_store_open_reader(s, block_id, gen_stamp, 0, &r, reterr);
    if (rc < 0)
        return rc;
    const struct volume *v = s->volumes[r.volume];
    volume_place_dir(v, r.state == REPLICA_FINALIZED ? PLACE_FINALIZED : PLACE_RBW, block_id, dir);
    if (fdatasync(r.data_fd) < 0 || fdatasync(r.meta_fd) < 0)
        rc = err_errno(reterr, errno, "sync block %" PRId64 " on '%s'", (int64_t)block_id, v->dir);
    replica_reader_close(&r);
    return rc < 0 ? rc : file_fsync_dir(dir, reterr);
}

/* Through the log: a sync that fails is told once only, and others count on what it said. */
static int sync_record(struct small_log *log, struct small_place at, uint64_t block_id, struct err *reterr)
{
    struct small_record record;
    AUTO(net_closep) int fd = -1;
    int rc = small_log_find(log, at, block_id, &record, &fd, reterr);
    return rc < 0 ? rc : small_log_sync(log, at, small_record_bytes(&record), reterr);
}

int block_store_sync(struct block_store *s, uint64_t block_id, uint64_t gen_stamp, struct err *reterr)
{
    struct small_place before = {0, 0};
    for (;;) {
        struct small_place at = {0, 0};
        bool is_nothing = false;
        size_t volume = 0;
        pthread_mutex_lock(&s->lock);
        const struct replica *r = replica_map_get(&s->map, block_id);
        int rc = r ? replica_check_read(r, gen_stamp, reterr) : 0;
        if (r && rc == 0) {
            at = store_small_place(r);
            volume = r->volume;
            is_nothing = r->work && r->work->in_memory; /* nobody may see any of it yet */
        }
        pthread_mutex_unlock(&s->lock);
        if (rc < 0 || is_nothing)
            return rc;
        if (!at.segment)
            return sync_files(s, block_id, gen_stamp, reterr);
        rc = sync_record(s->small[volume], at, block_id, reterr);
        if (rc != ERR_NOT_FOUND || (at.segment == before.segment && at.offset == before.offset))
            return rc;
        before = at; /* it has just moved to another segment */
    }
}

int replica_read_data(const struct replica_reader *r, void *bytes, size_t len, uint64_t offset, struct err *reterr)
{
    return file_pread_full(r->data_fd, bytes, len, r->data_base + (int64_t)offset, reterr);
}

int replica_read_meta(const struct replica_reader *r, void *bytes, size_t len, int64_t offset, struct err *reterr)
{
    return file_pread_full(r->meta_fd, bytes, len, r->meta_base + offset, reterr);
}

void replica_reader_close(struct replica_reader *r)
{
    net_closep(&r->data_fd);
    net_closep(&r->meta_fd);
}

#include "datanode/store/small_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/small_log_impl.h"

#define IDLE_BYTES (1u << 20) /* a newest segment of which nothing lives is removed from this length on */

void small_segment_path(const struct small_log *l, const struct small_segment *s, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/%06" PRIu32 "-%016" PRIx64 ".log", l->folder, s->number, s->salt);
}

/* The one with this number, or where it belongs. */
static size_t position_of(const struct small_log *l, uint32_t number)
{
    size_t low = 0, high = l->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->segments[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct small_segment *find(const struct small_log *l, uint32_t number)
{
    size_t at = position_of(l, number);
    return at < l->count && l->segments[at].number == number ? &l->segments[at] : NULL;
}

struct small_segment *small_segment_add(struct small_log *l, uint32_t number, uint64_t salt)
{
    size_t at = position_of(l, number);
    if (l->count == l->capacity) {
        l->capacity = l->capacity ? l->capacity * 2 : 16;
        l->segments = mem_realloc_array(l->segments, l->capacity, sizeof *l->segments);
    }
    memmove(&l->segments[at + 1], &l->segments[at], (l->count - at) * sizeof *l->segments);
    l->count++;
    l->segments[at] = (struct small_segment){.number = number, .salt = salt};
    return &l->segments[at];
}

static void drop_segment(struct small_log *l, struct small_segment *s)
{
    size_t at = (size_t)(s - l->segments);
    if (s->number == l->newest) {
        l->newest = 0;
        net_closep(&l->fd);
    }
    l->count--;
    memmove(&l->segments[at], &l->segments[at + 1], (l->count - at) * sizeof *l->segments);
}

static int open_segment(const struct small_log *l, const struct small_segment *s, int flags)
{
    char path[PATH_MAX];
    small_segment_path(l, s, path);
    return open(path, flags | O_CLOEXEC);
}

static int gone(struct small_place at, struct err *reterr)
{
    return err_set(reterr, ERR_NOT_FOUND, "segment %" PRIu32 " of the small replicas is gone", at.segment);
}

void small_log_close(struct small_log *l)
{
    if (!l)
        return;
    net_closep(&l->fd);
    pthread_mutex_destroy(&l->lock);
    pthread_mutex_destroy(&l->sync_lock);
    mem_freep(&l->segments);
    mem_freep(&l->folder);
    mem_freep(&l);
}

/* ---- appending ---- */

static uint32_t free_number(const struct small_log *l)
{
    uint32_t number = l->count ? l->segments[l->count - 1].number + 1 : 1;
    if (number <= SMALL_SEGMENT_MAX)
        return number;
    number = 1;
    for (size_t i = 0; i < l->count && l->segments[i].number == number; i++)
        number++;
    return number;
}

static int begin_segment(struct small_log *l, struct err *reterr)
{
    struct small_segment fresh = {.number = free_number(l)};
    char path[PATH_MAX];
    if (fresh.number > SMALL_SEGMENT_MAX)
        return err_set(reterr, ERR_NO_SPACE, "'%s' is full of segments", l->folder);
    if (getrandom(&fresh.salt, sizeof fresh.salt, 0) != (ssize_t)sizeof fresh.salt)
        return err_errno(reterr, errno, "random numbers");
    small_segment_path(l, &fresh, path);
    AUTO(net_closep) int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 && errno == ENOENT && mkdir(l->folder, 0755) == 0) /* not what it is in: that is the disk's */
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || fstat(fd, &l->file) < 0)
        return err_errno(reterr, errno, "cannot create '%s'", path);
    net_closep(&l->fd);
    l->fd = fd;
    fd = -1;
    l->newest = small_segment_add(l, fresh.number, fresh.salt)->number;
    return 0;
}

/* A disk that was taken away, or somebody's rm, leaves a file that can be written and that nobody will find again. */
static bool is_in_place(const struct small_log *l, const struct small_segment *s)
{
    char path[PATH_MAX];
    struct stat there;
    small_segment_path(l, s, path);
    return stat(path, &there) == 0 && there.st_ino == l->file.st_ino && there.st_dev == l->file.st_dev;
}

/* All of it in one call, but for a disk that takes less. */
static int write_all(int fd, struct iovec *iov, int count, int64_t offset, struct err *reterr)
{
    while (count > 0) {
        ssize_t n = pwritev(fd, iov, count, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(reterr, errno, "cannot write to the small replicas");
        offset += n;
        while (count > 0 && (size_t)n >= iov->iov_len) {
            n -= (ssize_t)iov->iov_len;
            iov++;
            count--;
        }
        if (count > 0) {
            iov->iov_base = (uint8_t *)iov->iov_base + n;
            iov->iov_len -= (size_t)n;
        }
    }
    return 0;
}

static int append_locked(struct small_log *l, const struct small_record *r, const uint8_t *meta, const uint8_t *data,
                         struct small_place *ret, struct err *reterr)
{
    static const uint8_t zeros[SMALL_ALIGN];
    uint8_t header[SMALL_HEADER_BYTES];
    uint32_t bytes = small_record_bytes(r);
    struct small_segment *s = l->newest ? find(l, l->newest) : NULL;
    if (!s || !is_in_place(l, s) || s->length + bytes > SMALL_SEGMENT_BYTES) {
        int rc = begin_segment(l, reterr);
        if (rc < 0)
            return rc;
        s = find(l, l->newest);
    }
    small_record_encode(r, s->salt, s->length, header);
    size_t used = (size_t)SMALL_HEADER_BYTES + r->meta_bytes + r->data_bytes;
    struct iovec iov[4] = {{header, sizeof header},
                           {(uint8_t *)meta, r->meta_bytes},
                           {(uint8_t *)data, r->data_bytes},
                           {(uint8_t *)zeros, bytes - used}};
    int rc = write_all(l->fd, iov, ARRAY_COUNT(iov), s->length, reterr);
    if (rc < 0) { /* half a record is overwritten by the next, or passed over */
        (void)!ftruncate(l->fd, s->length);
        return err_prefix(reterr, rc, "'%s'", l->folder);
    }
    *ret = (struct small_place){s->number, s->length};
    s->length += bytes;
    s->living_bytes += bytes;
    s->living++;
    return 0;
}

int small_log_append(struct small_log *l, const struct small_record *r, const uint8_t *meta, const uint8_t *data,
                     struct small_place *ret, struct err *reterr)
{
    pthread_mutex_lock(&l->lock);
    int rc = append_locked(l, r, meta, data, ret, reterr);
    pthread_mutex_unlock(&l->lock);
    return rc;
}

/* ---- syncing ---- */

static int sync_names(const struct small_log *l, struct err *reterr)
{
    AUTO(mem_freep) char *parent = mem_printf("%s/..", l->folder);
    int rc = file_fsync_dir(l->folder, reterr);
    return rc < 0 ? rc : file_fsync_dir(parent, reterr);
}

/* What was to be synced may not be there, and no later sync would say so again. Others' records are written elsewhere.
 */
static void give_up(struct small_log *l, uint32_t segment)
{
    pthread_mutex_lock(&l->lock);
    struct small_segment *s = find(l, segment);
    if (s)
        s->cannot_sync = true;
    if (segment == l->newest) {
        l->newest = 0;
        net_closep(&l->fd);
    }
    pthread_mutex_unlock(&l->lock);
}

static int sync_segment(struct small_log *l, const struct small_segment *s, int fd, struct err *reterr)
{
    if (s->cannot_sync)
        return err_set(reterr, ERR_IO, "segment %" PRIu32 " in '%s' could not be synced before", s->number, l->folder);
    if (fdatasync(fd) < 0) {
        int rc = err_errno(reterr, errno, "cannot sync segment %" PRIu32 " in '%s'", s->number, l->folder);
        give_up(l, s->number);
        return rc;
    }
    return s->safe_bytes ? 0 : sync_names(l, reterr);
}

static void note_synced(struct small_log *l, const struct small_segment *as_it_was)
{
    pthread_mutex_lock(&l->lock);
    struct small_segment *s = find(l, as_it_was->number);
    if (s && s->salt == as_it_was->salt) {
        if (s->safe_bytes < as_it_was->length)
            s->safe_bytes = as_it_was->length;
        if (s->synced_bytes < as_it_was->length && s->finished == as_it_was->finished)
            s->synced_bytes = as_it_was->length;
    }
    pthread_mutex_unlock(&l->lock);
}

int small_log_sync(struct small_log *l, struct small_place at, uint32_t bytes, struct err *reterr)
{
    pthread_mutex_lock(&l->sync_lock); /* whoever waits here may find that the one before has done it all */
    pthread_mutex_lock(&l->lock);
    const struct small_segment *s = find(l, at.segment);
    struct small_segment now = {0};
    if (s)
        now = *s;
    bool done = s && s->synced_bytes >= at.offset + bytes;
    AUTO(net_closep) int fd = s && !done ? open_segment(l, s, O_RDONLY) : -1;
    int why = errno, rc = 0;
    pthread_mutex_unlock(&l->lock);
    if (!now.number)
        rc = gone(at, reterr);
    else if (!done && fd < 0)
        rc = err_errno(reterr, why, "cannot open segment %" PRIu32 " in '%s'", at.segment, l->folder);
    else if (!done)
        rc = sync_segment(l, &now, fd, reterr);
    if (rc == 0 && !done)
        note_synced(l, &now);
    pthread_mutex_unlock(&l->sync_lock);
    return rc;
}

bool small_log_is_synced(struct small_log *l, struct small_place at)
{
    pthread_mutex_lock(&l->lock);
    const struct small_segment *s = find(l, at.segment);
    bool synced = s && s->safe_bytes > at.offset;
    pthread_mutex_unlock(&l->lock);
    return synced;
}

/* ---- finding ---- */

static int read_header(const struct small_segment *s, int fd, struct small_place at, uint64_t block_id,
                       struct small_record *ret, struct err *reterr)
{
    uint8_t header[SMALL_HEADER_BYTES];
    int rc = file_pread_full(fd, header, sizeof header, at.offset, reterr);
    if (rc < 0)
        return rc;
    if (!small_record_decode(header, s->salt, at.offset, ret) || ret->block_id != block_id)
        return err_set(reterr, ERR_CHECKSUM,
                       "block %" PRId64 ": its record at %" PRIu32 " of segment %" PRIu32 " is damaged",
                       (int64_t)block_id, at.offset, at.segment);
    return 0;
}

int small_log_find(struct small_log *l, struct small_place at, uint64_t block_id, struct small_record *ret, int *ret_fd,
                   struct err *reterr)
{
    pthread_mutex_lock(&l->lock);
    const struct small_segment *s = find(l, at.segment);
    struct small_segment copy = {0};
    if (s)
        copy = *s;
    pthread_mutex_unlock(&l->lock);
    if (!s)
        return gone(at, reterr);
    AUTO(net_closep) int fd = open_segment(l, &copy, O_RDONLY);
    if (fd < 0 && errno == ENOENT)
        return gone(at, reterr);
    if (fd < 0)
        return err_errno(reterr, errno, "cannot open segment %" PRIu32 " in '%s'", at.segment, l->folder);
    int rc = read_header(&copy, fd, at, block_id, ret, reterr);
    if (rc < 0)
        return rc;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

bool small_log_has_segment(struct small_log *l, uint32_t segment)
{
    char path[PATH_MAX] = "";
    pthread_mutex_lock(&l->lock);
    const struct small_segment *s = find(l, segment);
    if (s)
        small_segment_path(l, s, path);
    pthread_mutex_unlock(&l->lock);
    return *path && (access(path, F_OK) == 0 || errno != ENOENT);
}

/* ---- removing ---- */

static bool is_idle(const struct small_log *l, const struct small_segment *s)
{
    return !s->living && (s->number != l->newest || s->length >= IDLE_BYTES);
}

static bool is_sparse(const struct small_log *l, const struct small_segment *s)
{
    return s->number != l->newest && s->living && s->living_bytes < s->length / 2 && !s->offered;
}

static void one_less(struct small_segment *s, uint32_t bytes)
{
    s->living -= s->living > 0;
    s->living_bytes -= s->living_bytes < bytes ? s->living_bytes : bytes;
    s->offered = false;
}

static int mark(const struct small_log *l, const struct small_segment *s, struct small_place at, uint64_t block_id,
                enum small_state state, uint32_t *ret_bytes, struct err *reterr)
{
    struct small_record r;
    AUTO(net_closep) int own = s->number == l->newest ? -1 : open_segment(l, s, O_RDWR);
    int fd = s->number == l->newest ? l->fd : own;
    if (fd < 0)
        return err_errno(reterr, errno, "cannot open segment %" PRIu32 " in '%s'", at.segment, l->folder);
    int rc = read_header(s, fd, at, block_id, &r, reterr);
    if (rc < 0)
        return rc;
    *ret_bytes = small_record_bytes(&r);
    return file_pwrite_full(fd, small_record_mark(state), SMALL_MARK_BYTES, at.offset, reterr);
}

int small_log_finish(struct small_log *l, struct small_place at, uint64_t block_id, struct err *reterr)
{
    uint32_t ignored;
    pthread_mutex_lock(&l->lock);
    struct small_segment *s = find(l, at.segment);
    int rc = s ? mark(l, s, at, block_id, SMALL_FINALIZED, &ignored, reterr) : gone(at, reterr);
    if (rc == 0) {
        s->finished++;
        if (s->synced_bytes > at.offset)
            s->synced_bytes = at.offset;
    }
    pthread_mutex_unlock(&l->lock);
    return rc;
}

/* A record whose header is damaged needs no mark: no walk takes it for one. Nor does one that is gone. */
int small_log_remove(struct small_log *l, struct small_place at, uint64_t block_id, bool *ret_tidy, struct err *reterr)
{
    pthread_mutex_lock(&l->lock);
    struct small_segment *s = find(l, at.segment);
    uint32_t bytes = 0;
    int rc = s ? mark(l, s, at, block_id, SMALL_REMOVED, &bytes, reterr) : 0;
    if (s)
        one_less(s, bytes);
    *ret_tidy = s && (is_idle(l, s) || is_sparse(l, s));
    pthread_mutex_unlock(&l->lock);
    return rc == ERR_CHECKSUM || rc == ERR_NOT_FOUND ? 0 : rc;
}

void small_log_left(struct small_log *l, struct small_place at, const struct small_record *r)
{
    pthread_mutex_lock(&l->lock);
    struct small_segment *s = find(l, at.segment);
    if (s) {
        bool offered = s->offered; /* it is being emptied, and nothing died */
        one_less(s, small_record_bytes(r));
        s->offered = offered;
    }
    pthread_mutex_unlock(&l->lock);
}

void small_log_mark_left(struct small_log *l, struct small_place at, uint64_t block_id)
{
    uint32_t ignored;
    pthread_mutex_lock(&l->lock);
    const struct small_segment *s = find(l, at.segment);
    if (s) /* if it fails, the next start may find two, and drops one */
        (void)!mark(l, s, at, block_id, SMALL_REMOVED, &ignored, NULL);
    pthread_mutex_unlock(&l->lock);
}

void small_log_reap(struct small_log *l)
{
    for (bool found = true; found;) {
        char path[PATH_MAX];
        found = false;
        pthread_mutex_lock(&l->lock);
        for (size_t i = 0; i < l->count && !found; i++)
            if (is_idle(l, &l->segments[i])) {
                small_segment_path(l, &l->segments[i], path);
                drop_segment(l, &l->segments[i]);
                found = true;
            }
        pthread_mutex_unlock(&l->lock);
        if (found)
            (void)unlink(path); /* if not, the next start finds nothing living in it */
    }
}

bool small_log_sparse(struct small_log *l, uint32_t *ret_segment, struct small_walk *ret)
{
    bool found = false;
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->count && !found; i++) {
        struct small_segment *s = &l->segments[i];
        if (!is_sparse(l, s))
            continue;
        s->offered = true;
        int fd = open_segment(l, s, O_RDONLY);
        if (fd < 0)
            continue;
        *ret = (struct small_walk){.fd = fd, .salt = s->salt, .length = s->length};
        *ret_segment = s->number;
        found = true;
    }
    pthread_mutex_unlock(&l->lock);
    return found;
}

void small_log_offer_again(struct small_log *l, uint32_t segment)
{
    pthread_mutex_lock(&l->lock);
    struct small_segment *s = find(l, segment);
    if (s)
        s->offered = false;
    pthread_mutex_unlock(&l->lock);
}

bool small_log_has_any(struct small_log *l)
{
    pthread_mutex_lock(&l->lock);
    bool any = l->count > 0;
    pthread_mutex_unlock(&l->lock);
    return any;
}

void small_log_count(struct small_log *l, struct small_log_counts *ret)
{
    *ret = (struct small_log_counts){0};
    pthread_mutex_lock(&l->lock);
    ret->segments = l->count;
    for (size_t i = 0; i < l->count; i++) {
        ret->bytes += l->segments[i].length;
        ret->living_bytes += l->segments[i].living_bytes;
        ret->living += l->segments[i].living;
    }
    pthread_mutex_unlock(&l->lock);
}

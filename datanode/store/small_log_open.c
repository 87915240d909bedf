/* Start-up: what the segments of a volume's small replicas hold, by the headers of their records. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/small_log_impl.h"

struct opening_log {
    struct small_log *log;
    void (*fn)(void *context, const struct small_record *r, struct small_place at);
    void *context;
};

static bool parse_name(const char *name, uint32_t *ret_number, uint64_t *ret_salt)
{
    char again[64], *end;
    unsigned long number = strtoul(name, &end, 10);
    if (*end != '-' || number < 1 || number > SMALL_SEGMENT_MAX)
        return false;
    *ret_number = (uint32_t)number;
    *ret_salt = strtoull(end + 1, &end, 16);
    snprintf(again, sizeof again, "%06" PRIu32 "-%016" PRIx64 ".log", *ret_number, *ret_salt);
    return strcmp(again, name) == 0;
}

static int list_segments(struct small_log *l, struct err *reterr)
{
    DIR *d = opendir(l->folder);
    if (!d)
        return errno == ENOENT ? 0 : err_errno(reterr, errno, "cannot open '%s'", l->folder);
    const struct dirent *e;
    while ((errno = 0, e = readdir(d)) != NULL) {
        uint32_t number;
        uint64_t salt;
        if (parse_name(e->d_name, &number, &salt))
            small_segment_add(l, number, salt);
    }
    int why = errno;
    closedir(d);
    return why ? err_errno(reterr, why, "cannot read '%s'", l->folder) : 0;
}

/* Of the newest segment: power that failed may have left a record's header without its data. What cannot be read may
 * well be there. */
static bool data_is_there(struct small_walk *w, uint32_t offset, const struct small_record *r)
{
    AUTO(mem_freep) uint8_t *data = mem_alloc(r->data_bytes + 1);
    struct small_place at = {0, offset};
    bool is_read = file_pread_full(w->fd, data, r->data_bytes, small_data_offset(at, r), NULL) == 0;
    w->is_unreadable |= !is_read;
    return !is_read || xxh3_of(data, r->data_bytes) == r->xxh3;
}

struct ends { /* of the records of one segment, to go back from the end */
    uint32_t *offsets;
    size_t count, capacity;
};

static void note(struct ends *e, uint32_t offset)
{
    if (e->count == e->capacity) {
        e->capacity = e->capacity ? e->capacity * 2 : 1024;
        e->offsets = mem_realloc_array(e->offsets, e->capacity, sizeof *e->offsets);
    }
    e->offsets[e->count++] = offset;
}

/* How far the newest segment is good: its length, or where its torn end begins. */
static int good_length(const struct small_segment *s, int fd, uint32_t *ret, bool *ret_unreadable, struct err *reterr)
{
    struct small_walk w = {.fd = fd, .salt = s->salt, .length = s->length};
    struct small_record r;
    struct ends ends = {0};
    uint32_t offset;
    int rc;
    while ((rc = small_walk_next(&w, &r, &offset, reterr)) > 0)
        note(&ends, offset);
    *ret = w.at;
    while (rc == 0 && ends.count > 0) {
        uint8_t header[SMALL_HEADER_BYTES];
        offset = ends.offsets[--ends.count];
        rc = file_pread_full(fd, header, sizeof header, offset, reterr);
        if (rc == 0 && small_record_decode(header, s->salt, offset, &r) && data_is_there(&w, offset, &r))
            break;
        *ret = offset;
    }
    mem_freep(&ends.offsets);
    *ret_unreadable = w.is_unreadable;
    return rc;
}

/* It is appended to again, unless it is full or has a bad sector: then its end is not known. */
static int open_newest(struct small_log *l, struct small_segment *s, int *fd, struct err *reterr)
{
    uint32_t good;
    bool is_unreadable;
    int rc = good_length(s, *fd, &good, &is_unreadable, reterr);
    if (rc < 0 || is_unreadable)
        return rc;
    if (good < s->length) {
        log_warn("store", "segment %" PRIu32 " in '%s' was torn: %" PRIu32 " of %" PRIu32 " bytes are good", s->number,
                 l->folder, good, s->length);
        if (ftruncate(*fd, good) < 0)
            return err_errno(reterr, errno, "truncate segment %" PRIu32 " in '%s'", s->number, l->folder);
        s->length = good;
    }
    if (s->length < SMALL_SEGMENT_BYTES && s->length % SMALL_ALIGN == 0) {
        if (fstat(*fd, &l->file) < 0)
            return err_errno(reterr, errno, "fstat");
        l->newest = s->number;
        l->fd = *fd;
        *fd = -1;
    }
    return 0;
}

static int read_segment(struct opening_log *o, struct small_segment *s, bool is_newest, struct err *reterr)
{
    char path[PATH_MAX];
    struct stat st;
    small_segment_path(o->log, s, path);
    AUTO(net_closep) int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_errno(reterr, errno, "cannot open '%s'", path);
    s->length = st.st_size < SMALL_SEGMENT_BYTES ? (uint32_t)st.st_size : SMALL_SEGMENT_BYTES;
    int rc = is_newest ? open_newest(o->log, s, &fd, reterr) : 0;
    struct small_walk w = {.fd = fd >= 0 ? fd : o->log->fd, .salt = s->salt, .length = s->length};
    struct small_record r;
    struct small_place at = {.segment = s->number};
    if (rc < 0)
        return rc;
    bool is_empty = true;
    while ((rc = small_walk_next(&w, &r, &at.offset, reterr)) > 0) {
        is_empty = false;
        if (r.state == SMALL_REMOVED)
            continue;
        s->living++;
        s->living_bytes += small_record_bytes(&r);
        o->fn(o->context, &r, at);
    }
    if (rc == 0 && w.is_unreadable && is_empty)
        return err_set(reterr, ERR_IO, "nothing of '%s' can be read", path);
    if (w.damaged_bytes || w.at < s->length)
        log_warn("store", "'%s' is damaged: %" PRIu32 " bytes of it hold no record", path,
                 w.damaged_bytes + s->length - w.at);
    return rc;
}

int small_log_open(const char *folder, void (*fn)(void *context, const struct small_record *r, struct small_place at),
                   void *context, struct small_log **ret, struct err *reterr)
{
    struct small_log *l = mem_new(struct small_log);
    struct opening_log o = {l, fn, context};
    l->folder = mem_strdup(folder);
    l->fd = -1;
    pthread_mutex_init(&l->lock, NULL);
    pthread_mutex_init(&l->sync_lock, NULL);
    int rc = list_segments(l, reterr);
    for (size_t i = 0; rc == 0 && i < l->count; i++)
        rc = read_segment(&o, &l->segments[i], i + 1 == l->count, reterr);
    if (rc < 0) {
        small_log_close(l);
        return rc;
    }
    small_log_reap(l);
    *ret = l;
    return 0;
}

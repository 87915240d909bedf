#include "fuse/posix/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"

#define LOG_RECORDS_MAX 65536 /* then it is written anew, with what it comes down to */

enum record_kind { RECORD_DATA = 1, RECORD_ZEROS, RECORD_SIZE };
struct record {
    int64_t start, end;
    uint64_t kind;
};

struct staging_area {
    char *folder;
    int64_t max_bytes;
    _Atomic int64_t used_bytes;
};

struct staging {
    struct staging_area *area;
    uint64_t inode;
    int fd, log_fd;
    int64_t used_bytes;
    size_t records;
    struct extents ranges; /* what the log says, for writing it anew */
    int64_t cut, size;     /* the least and the last one that was set; -1: none */
};

int staging_area_open(const char *folder, int64_t max_bytes, struct staging_area **ret, struct err *reterr)
{
    if (access(folder, R_OK | W_OK | X_OK) < 0)
        return err_errno(reterr, errno, "staging folder '%s' (set another with -o staging=FOLDER)", folder);
    struct staging_area *a = mem_new(struct staging_area);
    a->folder = mem_strdup(folder);
    a->max_bytes = max_bytes;
    *ret = a;
    return 0;
}

void staging_area_free(struct staging_area *a)
{
    if (!a)
        return;
    free(a->folder);
    free(a);
}

size_t staging_area_left(const struct staging_area *a, uint64_t **ret)
{
    DIR *d = opendir(a->folder);
    size_t count = 0, capacity = 0;
    *ret = NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        char *end;
        uint64_t inode = strtoull(e->d_name, &end, 10);
        if (!inode || strcmp(end, ".log") != 0)
            continue;
        if (count == capacity)
            *ret = mem_realloc_array(*ret, capacity = capacity ? capacity * 2 : 16, sizeof **ret);
        (*ret)[count++] = inode;
    }
    if (d)
        closedir(d);
    return count;
}

static char *path_of(const struct staging_area *a, uint64_t inode, const char *suffix)
{
    return mem_printf("%s/%" PRIu64 "%s", a->folder, inode, suffix);
}

static int open_file(const struct staging_area *a, uint64_t inode, const char *suffix, int flags, struct err *reterr)
{
    AUTO(mem_freep) char *path = path_of(a, inode, suffix);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);
    return fd >= 0 ? fd : (err_errno(reterr, errno, "staging file '%s'", path), -1);
}

int staging_new(struct staging_area *a, uint64_t inode, struct staging **ret, struct err *reterr)
{
    int fd = open_file(a, inode, "", 0, reterr);
    int log_fd = fd >= 0 ? open_file(a, inode, ".log", O_APPEND, reterr) : -1;
    if (log_fd < 0) {
        if (fd >= 0)
            close(fd);
        return reterr ? reterr->code : ERR_IO;
    }
    struct staging *s = mem_new(struct staging);
    *s = (struct staging){.area = a, .inode = inode, .fd = fd, .log_fd = log_fd, .cut = -1, .size = -1};
    *ret = s;
    return 0;
}

void staging_area_discard(struct staging_area *a, uint64_t inode)
{
    static const char *const suffixes[] = {".log", ""}; /* in this order: a log speaks of bytes that are there */
    for (size_t i = 0; i < 2; i++) {
        AUTO(mem_freep) char *path = path_of(a, inode, suffixes[i]);
        if (unlink(path) < 0)
            log_warn("mount", "staging file stays: path=%s errno=%d", path, errno);
    }
}

void staging_free(struct staging *s)
{
    if (!s)
        return;
    staging_area_discard(s->area, s->inode);
    s->area->used_bytes -= s->used_bytes;
    close(s->fd);
    close(s->log_fd);
    extents_clear(&s->ranges);
    free(s);
}

bool staging_is_full(const struct staging *s)
{
    return s->area->used_bytes > s->area->max_bytes;
}

/* ---- the log ---- */

/* On a full disk a part of a record may have been written: what comes behind it would be read as something else. */
static int log_add(struct staging *s, int fd, struct record r, struct err *reterr)
{
    ssize_t n = write(fd, &r, sizeof r);
    if (n == sizeof r) {
        s->records++;
        return 0;
    }
    int errnum = n < 0 ? errno : ENOSPC;
    if (n > 0 && ftruncate(fd, lseek(fd, 0, SEEK_END) - n) < 0)
        log_error("mount", "the log of inode %" PRIu64 " has half a record: errno=%d", s->inode, errno);
    return err_errno(reterr, errnum, "staging folder '%s'", s->area->folder);
}

/* The new one takes the old one's name, so that there is always one that says all. */
static int log_anew(struct staging *s, struct err *reterr)
{
    AUTO(mem_freep) char *path = path_of(s->area, s->inode, ".log");
    AUTO(mem_freep) char *fresh = path_of(s->area, s->inode, ".new");
    int rc = 0, fd = open_file(s->area, s->inode, ".new", O_APPEND | O_TRUNC, reterr);
    if (fd < 0)
        return reterr ? reterr->code : ERR_IO;
    s->records = 0;
    if (s->cut >= 0)
        rc = log_add(s, fd, (struct record){s->cut, s->cut, RECORD_SIZE}, reterr);
    for (size_t i = 0; rc == 0 && i < s->ranges.count; i++) {
        const struct extent *x = &s->ranges.items[i];
        rc = log_add(s, fd, (struct record){x->start, x->end, x->is_zero ? RECORD_ZEROS : RECORD_DATA}, reterr);
    }
    if (rc == 0 && s->size >= 0)
        rc = log_add(s, fd, (struct record){s->size, s->size, RECORD_SIZE}, reterr);
    if (rc == 0 && rename(fresh, path) < 0)
        rc = err_errno(reterr, errno, "staging file '%s'", fresh);
    if (rc < 0) {
        close(fd);
        return rc;
    }
    close(s->log_fd);
    s->log_fd = fd;
    return 0;
}

static void follow(struct staging *s, const struct record *r)
{
    if (r->kind == RECORD_SIZE) {
        extents_cut(&s->ranges, r->start);
        s->cut = s->cut < 0 || r->start < s->cut ? r->start : s->cut;
        s->size = r->start;
    } else {
        extents_add(&s->ranges, r->start, r->end, r->kind == RECORD_ZEROS);
        s->size = s->size >= 0 && r->end > s->size ? r->end : s->size;
    }
}

static int note(struct staging *s, struct record r, struct err *reterr)
{
    follow(s, &r);
    return s->records >= LOG_RECORDS_MAX ? log_anew(s, reterr) : log_add(s, s->log_fd, r, reterr);
}

int staging_note_zeros(struct staging *s, int64_t start, int64_t end, struct err *reterr)
{
    return note(s, (struct record){start, end, RECORD_ZEROS}, reterr);
}

int staging_note_size(struct staging *s, int64_t size, struct err *reterr)
{
    return note(s, (struct record){size, size, RECORD_SIZE}, reterr);
}

static bool is_sound(const struct record *r)
{
    return r->kind >= RECORD_DATA && r->kind <= RECORD_SIZE && r->start >= 0 && r->end >= r->start;
}

int staging_resume(struct staging_area *a, uint64_t inode, struct extents *changed, int64_t *size, bool *ret_sized,
                   struct staging **ret, struct err *reterr)
{
    struct staging *s;
    struct record r;
    int rc = staging_new(a, inode, &s, reterr);
    if (rc < 0)
        return rc;
    while (pread(s->log_fd, &r, sizeof r, (off_t)(s->records * sizeof r)) == sizeof r && is_sound(&r)) {
        follow(s, &r);
        s->records++;
        *size = r.kind == RECORD_SIZE || r.end > *size ? r.end : *size;
        if (r.kind == RECORD_SIZE)
            extents_cut(changed, r.start);
        else
            extents_add(changed, r.start, r.end, r.kind == RECORD_ZEROS);
    }
    s->used_bytes = changed->data_bytes;
    a->used_bytes += s->used_bytes;
    *ret_sized = s->size >= 0;
    *ret = s;
    return 0;
}

/* ---- the bytes ---- */

int staging_write(struct staging *s, const void *bytes, size_t len, int64_t offset, struct err *reterr)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(s->fd, (const char *)bytes + done, len - done, offset + (off_t)done);
        if (n < 0 && errno != EINTR)
            return err_errno(reterr, errno, "staging folder '%s'", s->area->folder);
        done += n > 0 ? (size_t)n : 0;
    }
    s->used_bytes += (int64_t)len;
    s->area->used_bytes += (int64_t)len;
    return note(s, (struct record){offset, offset + (int64_t)len, RECORD_DATA}, reterr);
}

int staging_read(const struct staging *s, void *bytes, size_t len, int64_t offset, struct err *reterr)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(s->fd, (char *)bytes + done, len - done, offset + (off_t)done);
        if (n == 0)
            return err_set(reterr, ERR_BAD_STATE, "staging folder '%s': bytes of inode %" PRIu64 " are gone",
                           s->area->folder, s->inode);
        if (n < 0 && errno != EINTR)
            return err_errno(reterr, errno, "staging folder '%s'", s->area->folder);
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* The room of a range goes back to the disk; the file keeps its length. */
static void punch(struct staging *s, int64_t start, int64_t end)
{
    if (end > start && fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, end - start) < 0)
        log_debug("mount", "staged bytes keep their room until the file is closed: errno=%d", errno);
}

int staging_trim(struct staging *s, const struct extents *kept, struct err *reterr)
{
    extents_clear(&s->ranges);
    for (size_t i = 0; i < kept->count; i++)
        extents_add(&s->ranges, kept->items[i].start, kept->items[i].end, kept->items[i].is_zero);
    s->cut = s->size = -1;
    s->records = 0;
    int rc = kept->count ? log_anew(s, reterr) : 0;
    if (rc < 0)
        return rc;
    if (kept->count)
        punch(s, 0, kept->items[0].start);
    else if (ftruncate(s->log_fd, 0) < 0 || ftruncate(s->fd, 0) < 0) /* in this order, as above */
        return err_errno(reterr, errno, "staging folder '%s'", s->area->folder);
    s->area->used_bytes -= s->used_bytes - kept->data_bytes;
    s->used_bytes = kept->data_bytes;
    return 0;
}

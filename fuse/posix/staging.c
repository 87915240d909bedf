#include "fuse/posix/staging.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"

#define LOG_RECORDS_MAX 65536 /* then it is written anew, with what it comes down to */
#define SPARES_MAX      16
#define SPARE_PREFIX    "spare-"
#define LOG_SUFFIX      ".log"
#define NEW_SUFFIX      ".new"

enum record_kind { RECORD_DATA = 1, RECORD_ZEROS, RECORD_SIZE };
struct record {
    int64_t start, end;
    uint64_t kind;
};

struct staging_area {
    char *folder;
    int64_t max_bytes;
    _Atomic int64_t used_bytes;
    pthread_mutex_t lock; /* of what follows */
    struct staging
        *spares; /* empty files under other names, for the next ones: making a file costs more than all else */
    unsigned spare_count, spares_so_far;
};

struct staging {
    struct staging_area *area;
    struct staging *next; /* of the spares */
    unsigned spare_number;
    uint64_t inode;
    int fd, log_fd;
    int64_t used_bytes;
    size_t records;
    struct extents ranges; /* what the log says, for writing it anew */
    int64_t cut, size;     /* the least and the last one that was set; -1: none */
};

static void staging_close(struct staging *s)
{
    close(s->fd);
    close(s->log_fd);
    extents_clear(&s->ranges);
    free(s);
}

/* Spare files, a log that was being written anew, and of an inode what no log speaks of. */
static bool is_of_no_use(int folder, const char *name)
{
    char *end, log[300];
    struct stat st;
    if (strncmp(name, SPARE_PREFIX, strlen(SPARE_PREFIX)) == 0)
        return true;
    if (!strtoull(name, &end, 10))
        return false;
    if (strcmp(end, NEW_SUFFIX) == 0)
        return true;
    snprintf(log, sizeof log, "%.*s" LOG_SUFFIX, (int)(end - name), name);
    bool has_log = fstatat(folder, log, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size > 0;
    return (*end == 0 || strcmp(end, LOG_SUFFIX) == 0) && !has_log;
}

static void sweep(const struct staging_area *a)
{
    DIR *d = opendir(a->folder);
    for (struct dirent *e; d && (e = readdir(d));)
        if (is_of_no_use(dirfd(d), e->d_name) && unlinkat(dirfd(d), e->d_name, 0) < 0)
            log_warn("mount", "a file of no use stays in the staging folder: name=%s errno=%d", e->d_name, errno);
    if (d)
        closedir(d);
}

int staging_area_open(const char *folder, int64_t max_bytes, struct staging_area **ret, struct err *reterr)
{
    if (access(folder, R_OK | W_OK | X_OK) < 0)
        return err_errno(reterr, errno, "staging folder '%s' (set another with -o staging=FOLDER)", folder);
    struct staging_area *a = mem_new(struct staging_area);
    a->folder = mem_strdup(folder);
    a->max_bytes = max_bytes;
    pthread_mutex_init(&a->lock, NULL);
    sweep(a);
    *ret = a;
    return 0;
}

void staging_area_free(struct staging_area *a)
{
    if (!a)
        return;
    while (a->spares) {
        struct staging *s = a->spares;
        a->spares = s->next;
        staging_close(s);
    }
    sweep(a);
    pthread_mutex_destroy(&a->lock);
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
        if (!inode || strcmp(end, LOG_SUFFIX) != 0)
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

static struct staging *staging_on(struct staging_area *a, uint64_t inode, int fd, int log_fd)
{
    struct staging *s = mem_new(struct staging);
    *s = (struct staging){.area = a, .inode = inode, .fd = fd, .log_fd = log_fd, .cut = -1, .size = -1};
    return s;
}

static int open_files(struct staging_area *a, uint64_t inode, struct staging **ret, struct err *reterr)
{
    int fd = open_file(a, inode, "", 0, reterr);
    int log_fd = fd >= 0 ? open_file(a, inode, LOG_SUFFIX, O_APPEND, reterr) : -1;
    if (log_fd < 0) {
        if (fd >= 0)
            close(fd);
        return reterr ? reterr->code : ERR_IO;
    }
    *ret = staging_on(a, inode, fd, log_fd);
    return 0;
}

/* From spare to inode, or back. Its log is empty, so it does not matter which of both files is first. */
static int rename_files(const struct staging *s, bool to_spare)
{
    static const char *const suffixes[] = {"", LOG_SUFFIX};
    for (size_t i = 0; i < 2; i++) {
        AUTO(mem_freep) char *own = path_of(s->area, s->inode, suffixes[i]);
        AUTO(mem_freep)
        char *spare = mem_printf("%s/" SPARE_PREFIX "%u%s", s->area->folder, s->spare_number, suffixes[i]);
        int rc = to_spare ? rename(own, spare) : renameat2(AT_FDCWD, spare, AT_FDCWD, own, RENAME_NOREPLACE);
        if (rc < 0)
            return -errno;
    }
    return 0;
}

static struct staging *take_spare(struct staging_area *a)
{
    pthread_mutex_lock(&a->lock);
    struct staging *s = a->spares;
    if (s) {
        a->spares = s->next;
        a->spare_count--;
    }
    pthread_mutex_unlock(&a->lock);
    return s;
}

/* false: there are enough of them, or it could not be emptied. Else it is not the caller's any more. */
static bool become_spare(struct staging *s)
{
    struct staging_area *a = s->area;
    extents_clear(&s->ranges);
    pthread_mutex_lock(&a->lock);
    bool wanted = a->spare_count < SPARES_MAX;
    a->spare_count += wanted;
    s->spare_number = a->spares_so_far++;
    pthread_mutex_unlock(&a->lock);
    /* In this order: a log speaks of bytes that are there. */
    bool done = wanted && ftruncate(s->log_fd, 0) == 0 && ftruncate(s->fd, 0) == 0 && rename_files(s, true) == 0;
    pthread_mutex_lock(&a->lock);
    if (done) {
        s->next = a->spares;
        a->spares = s;
    } else {
        a->spare_count -= wanted;
    }
    pthread_mutex_unlock(&a->lock);
    return done;
}

int staging_new(struct staging_area *a, uint64_t inode, struct staging **ret, struct err *reterr)
{
    struct staging *spare = take_spare(a);
    if (!spare)
        return open_files(a, inode, ret, reterr);
    spare->inode = inode;
    if (rename_files(spare, false) < 0) { /* there are files of this inode already */
        staging_close(spare);
        return open_files(a, inode, ret, reterr);
    }
    *ret = staging_on(a, inode, spare->fd, spare->log_fd);
    free(spare);
    return 0;
}

void staging_area_discard(struct staging_area *a, uint64_t inode)
{
    static const char *const suffixes[] = {LOG_SUFFIX, ""}; /* in this order: a log speaks of bytes that are there */
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
    s->area->used_bytes -= s->used_bytes;
    staging_area_discard(s->area, s->inode);
    staging_close(s);
}

void staging_give_back(struct staging *s)
{
    if (!s)
        return;
    s->area->used_bytes -= s->used_bytes;
    s->used_bytes = 0;
    if (!become_spare(s))
        staging_free(s);
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
    AUTO(mem_freep) char *path = path_of(s->area, s->inode, LOG_SUFFIX);
    AUTO(mem_freep) char *fresh = path_of(s->area, s->inode, NEW_SUFFIX);
    int rc = 0, fd = open_file(s->area, s->inode, NEW_SUFFIX, O_APPEND | O_TRUNC, reterr);
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
    int rc = open_files(a, inode, &s, reterr);
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

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

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

#define LOG_RECORDS_MAX 65536 /* then it is written anew, with what it comes down to, if that is half as long */
#define SPARES_MAX      16
#define SPARE_KEEPS                                                                                                    \
    ((int64_t)256 << 10) /* so much of a spare file stays: writing over it costs less than room for it */
#define NAME_PREFIX    "staged-"
#define LOG_SUFFIX     ".log"
#define NEW_SUFFIX     ".new"
#define NAME_MAX_BYTES 32

enum record_kind { RECORD_DATA = 1, RECORD_ZEROS, RECORD_SIZE, RECORD_OWNER, RECORD_APPENDED, RECORD_SET };
#define KIND_BITS   3
#define KIND_MASK   ((uint64_t)(1 << KIND_BITS) - 1)
#define NOTHING_SET (-1 - STAGED_FIELDS) /* in place of an attribute: none of those before */
struct record {
    /* Of an owner: its inode; and the session of the stream, or the inode again. Of what was set: which attribute, as a
     * negative number, where others that do not know of it read no further; and its value. */
    int64_t start, end;
    uint64_t
        kind; /* and above KIND_BITS which use of the file it belongs to: behind it those of earlier ones may lie */
};

struct left { /* by a process that died */
    uint64_t inode;
    char name[NAME_MAX_BYTES];
};

struct staging_area {
    char *folder;
    int64_t max_bytes;
    _Atomic int64_t used_bytes;
    _Atomic uint64_t uses; /* so far, counted from a number that no process before us has come to */
    struct left *left;     /* does not change while several threads look */
    size_t left_count;
    pthread_mutex_t lock;   /* of what follows */
    struct staging *spares; /* that nobody owns, for the next ones: making a file costs more than all else */
    unsigned spare_count;
};

struct staging {
    struct staging_area *area;
    struct staging *next; /* of the spares */
    uint64_t inode, use;
    char name[NAME_MAX_BYTES];
    int fd, log_fd;
    int64_t log_bytes;       /* 0: nothing is said yet, not even whose it is */
    int64_t used_bytes, end; /* end: as far as the file goes */
    size_t records;
    struct extents ranges; /* what the log says, for writing it anew */
    int64_t cut, size;     /* the least and the last one that was set; -1: none */
    int64_t grown;         /* at least so long; 0: nothing was said */
    int64_t appended_from; /* -1: nothing was */
    uint64_t session;      /* 0: no stream */
    struct staged_set set;
};

static void staging_close(struct staging *s)
{
    close(s->fd);
    close(s->log_fd);
    extents_clear(&s->ranges);
    free(s);
}

static bool is_sound(const struct record *r, uint64_t use)
{
    uint64_t kind = r->kind & KIND_MASK;
    bool is_range = r->start >= 0 && r->end >= r->start, is_field = r->start < 0 && r->start >= NOTHING_SET;
    return r->kind >> KIND_BITS == use && kind >= RECORD_DATA && (kind == RECORD_SET ? is_field : is_range);
}

/* Those of earlier versions are called as their inode, and their logs begin with what they say: all of use 0. */
static uint64_t number_of(const char *name)
{
    char *end;
    uint64_t number = strtoull(name, &end, 10);
    return *end ? 0 : number;
}

/* Whose files of that name (without a suffix) are, as their log says; 0: nobody's. */
static uint64_t owner_of(int folder, const char *name)
{
    AUTO(mem_freep) char *log = mem_printf("%s" LOG_SUFFIX, name);
    struct record r;
    int fd = openat(folder, log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool is_there = fd >= 0 && pread(fd, &r, sizeof r, 0) == sizeof r;
    if (fd >= 0)
        close(fd);
    if (!is_there || !is_sound(&r, r.kind >> KIND_BITS))
        return 0;
    return (r.kind & KIND_MASK) == RECORD_OWNER ? (uint64_t)r.start : r.kind >> KIND_BITS == 0 ? number_of(name) : 0;
}

/* "staged-N" of "staged-N.log"; false: it is no file of ours. */
static bool bare_name(const char *file, char ret[NAME_MAX_BYTES])
{
    size_t len = strcspn(file, ".");
    if (len >= NAME_MAX_BYTES)
        return false;
    snprintf(ret, NAME_MAX_BYTES, "%.*s", (int)len, file);
    return (strncmp(ret, NAME_PREFIX, strlen(NAME_PREFIX)) == 0 || number_of(ret)) &&
           (!file[len] || strcmp(file + len, LOG_SUFFIX) == 0 || strcmp(file + len, NEW_SUFFIX) == 0);
}

/* What nobody owns, and a log that was being written anew. */
static bool is_of_no_use(int folder, const char *file)
{
    char name[NAME_MAX_BYTES];
    if (!bare_name(file, name))
        return false;
    return strcmp(file + strlen(name), NEW_SUFFIX) == 0 || !owner_of(folder, name);
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

static bool is_left(const struct staging_area *a, uint64_t inode)
{
    for (size_t i = 0; i < a->left_count; i++)
        if (a->left[i].inode == inode)
            return true;
    return false;
}

static void find_left(struct staging_area *a)
{
    DIR *d = opendir(a->folder);
    size_t capacity = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        struct left l;
        if (!bare_name(e->d_name, l.name) || strcmp(e->d_name + strlen(l.name), LOG_SUFFIX) != 0)
            continue;
        l.inode = owner_of(dirfd(d), l.name);
        if (!l.inode || is_left(a, l.inode))
            continue;
        if (a->left_count == capacity)
            a->left = mem_realloc_array(a->left, capacity = capacity ? capacity * 2 : 16, sizeof *a->left);
        a->left[a->left_count++] = l;
    }
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
    a->uses = (uint64_t)clock_wall_ns() >> KIND_BITS;
    pthread_mutex_init(&a->lock, NULL);
    sweep(a);
    find_left(a);
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
    free(a->left);
    free(a->folder);
    free(a);
}

size_t staging_area_left(const struct staging_area *a, uint64_t **ret)
{
    *ret = mem_calloc(a->left_count + 1, sizeof **ret);
    for (size_t i = 0; i < a->left_count; i++)
        (*ret)[i] = a->left[i].inode;
    return a->left_count;
}

static int open_file(const struct staging_area *a, const char *name, const char *suffix, int flags, struct err *reterr)
{
    AUTO(mem_freep) char *path = mem_printf("%s/%s%s", a->folder, name, suffix);
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    return fd >= 0 ? fd : (err_errno(reterr, errno, "staging file '%s'", path), -1);
}

static void remove_files(const struct staging_area *a, const char *name)
{
    static const char *const suffixes[] = {LOG_SUFFIX, ""}; /* in this order: a log speaks of bytes that are there */
    for (size_t i = 0; i < 2; i++) {
        AUTO(mem_freep) char *path = mem_printf("%s/%s%s", a->folder, name, suffixes[i]);
        if (unlink(path) < 0)
            log_warn("mount", "staging file stays: path=%s errno=%d", path, errno);
    }
}

static int open_files(struct staging_area *a, const char *name, int flags, struct staging **ret, struct err *reterr)
{
    int fd = open_file(a, name, "", flags, reterr);
    int log_fd = fd >= 0 ? open_file(a, name, LOG_SUFFIX, flags, reterr) : -1;
    if (log_fd < 0) {
        if (fd >= 0)
            close(fd);
        return reterr ? reterr->code : ERR_IO;
    }
    struct staging *s = mem_new(struct staging);
    *s = (struct staging){.area = a, .fd = fd, .log_fd = log_fd};
    strcpy(s->name, name);
    *ret = s;
    return 0;
}

/* Nothing is said about bytes yet. */
static void begin(struct staging *s, uint64_t inode)
{
    s->inode = inode;
    s->use = s->area->uses++;
    s->log_bytes = s->used_bytes = 0;
    s->records = 0;
    s->cut = s->size = s->appended_from = -1;
    s->grown = 0;
    s->session = 0;
    s->set.fields = 0;
    extents_clear(&s->ranges);
}

/* The log is nobody's any more, and the disk has its room back but for what is worth keeping. In this order: a log
 * speaks of bytes that are there. */
static int become_empty(struct staging *s)
{
    static const struct record nobodys;
    if (pwrite(s->log_fd, &nobodys, sizeof nobodys, 0) != sizeof nobodys)
        return -1;
    if (s->end > SPARE_KEEPS && ftruncate(s->fd, 0) < 0)
        return -1;
    if (s->log_bytes > SPARE_KEEPS && ftruncate(s->log_fd, 0) < 0)
        return -1;
    s->end = s->end > SPARE_KEEPS ? 0 : s->end;
    s->log_bytes = 0;
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
    if (become_empty(s) < 0)
        return false;
    pthread_mutex_lock(&a->lock);
    bool wanted = a->spare_count < SPARES_MAX;
    if (wanted) {
        a->spare_count++;
        s->next = a->spares;
        a->spares = s;
    }
    pthread_mutex_unlock(&a->lock);
    return wanted;
}

int staging_new(struct staging_area *a, uint64_t inode, struct staging **ret, struct err *reterr)
{
    char name[NAME_MAX_BYTES];
    struct staging *s = take_spare(a);
    snprintf(name, sizeof name, NAME_PREFIX "%" PRIu64, a->uses++);
    int rc = s ? 0 : open_files(a, name, O_CREAT | O_EXCL, &s, reterr);
    if (rc < 0)
        return rc;
    begin(s, inode);
    *ret = s;
    return 0;
}

static const char *left_name(const struct staging_area *a, uint64_t inode)
{
    size_t i = 0;
    while (i < a->left_count && a->left[i].inode != inode)
        i++;
    return i < a->left_count ? a->left[i].name : NULL;
}

void staging_area_discard(struct staging_area *a, uint64_t inode)
{
    const char *name = left_name(a, inode);
    if (name)
        remove_files(a, name);
}

void staging_free(struct staging *s)
{
    if (!s)
        return;
    s->area->used_bytes -= s->used_bytes;
    remove_files(s->area, s->name);
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

static struct record record_of(const struct staging *s, enum record_kind kind, int64_t start, int64_t end)
{
    return (struct record){start, end, s->use << KIND_BITS | kind};
}

static struct record owner_record(const struct staging *s)
{
    uint64_t session = s->session > s->inode ? s->session : s->inode;
    return record_of(s, RECORD_OWNER, (int64_t)s->inode, (int64_t)session);
}

int staging_note_stream(struct staging *s, uint64_t session, struct err *reterr)
{
    if (s->session == session)
        return 0;
    s->session = session;
    const struct record r = owner_record(s);
    if (s->log_bytes == 0 || pwrite(s->log_fd, &r, sizeof r, 0) == sizeof r)
        return 0;
    return err_errno(reterr, errno, "staging folder '%s'", s->area->folder);
}

/* The first one goes behind the word whose file it is, in one piece. Of a record that a full disk did not take whole
 * some bytes may be there: they belong to no use, and the next one is written over them. */
static int log_add(struct staging *s, int fd, struct record r, struct err *reterr)
{
    const struct record both[2] = {owner_record(s), r};
    size_t skip = s->log_bytes ? sizeof r : 0;
    ssize_t n = pwrite(fd, (const char *)both + skip, sizeof both - skip, s->log_bytes);
    if (n == (ssize_t)(sizeof both - skip)) {
        s->log_bytes += n;
        s->records++;
        return 0;
    }
    return err_errno(reterr, n < 0 ? errno : ENOSPC, "staging folder '%s'", s->area->folder);
}

/* Names are exchanged if they can be: a file that is renamed over another is written to the disk at once by ext4, for
 * fear of power that fails, and whoever removes it later waits for its room to be given back. */
static int take_name(const char *fresh, const char *path)
{
    if (renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_EXCHANGE) < 0)
        return rename(fresh, path);
    if (unlink(fresh) < 0)
        log_debug("mount", "an old log stays until the next one: path=%s errno=%d", fresh, errno);
    return 0;
}

static int log_add_range(struct staging *s, int fd, const struct extent *x, struct err *reterr)
{
    int64_t middle = s->appended_from < 0 || s->appended_from > x->end ? x->end : s->appended_from;
    middle = x->is_zero || middle < x->start ? x->start : middle;
    int rc = middle > x->start ? log_add(s, fd, record_of(s, RECORD_DATA, x->start, middle), reterr) : 0;
    enum record_kind kind = x->is_zero ? RECORD_ZEROS : RECORD_APPENDED;
    return rc == 0 && middle < x->end ? log_add(s, fd, record_of(s, kind, middle, x->end), reterr) : rc;
}

static int log_add_set(struct staging *s, int fd, struct err *reterr)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < STAGED_FIELDS; i++)
        if (staged_has(&s->set, i))
            rc = log_add(s, fd, record_of(s, RECORD_SET, -1 - i, s->set.values[i]), reterr);
    return rc;
}

/* The new one takes the old one's name, so that there is always one that says all. */
static int log_anew(struct staging *s, struct err *reterr)
{
    AUTO(mem_freep) char *path = mem_printf("%s/%s" LOG_SUFFIX, s->area->folder, s->name);
    AUTO(mem_freep) char *fresh = mem_printf("%s/%s" NEW_SUFFIX, s->area->folder, s->name);
    const int64_t old_bytes = s->log_bytes;
    int rc = 0, fd = open_file(s->area, s->name, NEW_SUFFIX, O_CREAT | O_TRUNC, reterr);
    if (fd < 0)
        return reterr ? reterr->code : ERR_IO;
    s->records = 0;
    s->log_bytes = 0;
    if (s->cut >= 0)
        rc = log_add(s, fd, record_of(s, RECORD_SIZE, s->cut, s->cut), reterr);
    for (size_t i = 0; rc == 0 && i < s->ranges.count; i++)
        rc = log_add_range(s, fd, &s->ranges.items[i], reterr);
    if (rc == 0 && s->size >= 0)
        rc = log_add(s, fd, record_of(s, RECORD_SIZE, s->size, s->size), reterr);
    else if (rc == 0 && s->grown)
        rc = log_add(s, fd, record_of(s, RECORD_ZEROS, s->grown, s->grown), reterr);
    rc = rc == 0 ? log_add_set(s, fd, reterr) : rc;
    if (rc == 0 && take_name(fresh, path) < 0)
        rc = err_errno(reterr, errno, "staging file '%s'", fresh);
    if (rc < 0) {
        s->log_bytes = old_bytes;
        close(fd);
        return rc;
    }
    close(s->log_fd);
    s->log_fd = fd;
    return 0;
}

static void follow_set(struct staged_set *set, int64_t field, int64_t value)
{
    if (field == STAGED_FIELDS) {
        set->fields = 0;
        return;
    }
    set->fields |= 1u << field;
    set->values[field] = value;
}

static void follow(struct staging *s, const struct record *r)
{
    uint64_t kind = r->kind & KIND_MASK;
    if (kind == RECORD_SET) {
        follow_set(&s->set, -1 - r->start, r->end);
        return;
    }
    s->set.fields &= ~(1u << STAGED_MTIME);
    if (kind == RECORD_SIZE) {
        extents_cut(&s->ranges, r->start);
        s->cut = s->cut < 0 || r->start < s->cut ? r->start : s->cut;
        s->size = r->start;
        s->grown = 0;
        s->appended_from = s->appended_from < r->start ? s->appended_from : -1;
    } else {
        extents_add(&s->ranges, r->start, r->end, kind == RECORD_ZEROS);
        if (kind == RECORD_APPENDED && (s->appended_from < 0 || r->start < s->appended_from))
            s->appended_from = r->start;
        s->size = s->size >= 0 && r->end > s->size ? r->end : s->size;
        s->grown = r->start == r->end && r->end > s->grown ? r->end : s->grown;
    }
}

static int note(struct staging *s, enum record_kind kind, int64_t start, int64_t end, struct err *reterr)
{
    struct record r = record_of(s, kind, start, end);
    follow(s, &r);
    bool is_long = s->records >= LOG_RECORDS_MAX && s->records / 2 >= s->ranges.count;
    return is_long ? log_anew(s, reterr) : log_add(s, s->log_fd, r, reterr);
}

int staging_note_zeros(struct staging *s, int64_t start, int64_t end, struct err *reterr)
{
    return note(s, RECORD_ZEROS, start, end, reterr);
}

int staging_note_size(struct staging *s, int64_t size, struct err *reterr)
{
    return note(s, RECORD_SIZE, size, size, reterr);
}

int staging_note_set(struct staging *s, const struct staged_set *set, struct err *reterr)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < STAGED_FIELDS; i++)
        if (staged_has(set, i))
            rc = note(s, RECORD_SET, -1 - i, set->values[i], reterr);
    return rc;
}

int staging_forget_set(struct staging *s, struct err *reterr)
{
    return s->set.fields ? note(s, RECORD_SET, NOTHING_SET, 0, reterr) : 0;
}

int staging_note_grown(struct staging *s, int64_t size, struct err *reterr)
{
    return note(s, RECORD_ZEROS, size, size, reterr); /* no zeros, but as far as that */
}

static void read_log(struct staging *s, struct staged *what)
{
    struct record r;
    if (pread(s->log_fd, &r, sizeof r, 0) == sizeof r) {
        bool is_owner = (r.kind & KIND_MASK) == RECORD_OWNER;
        s->use = r.kind >> KIND_BITS;
        s->log_bytes = is_owner ? sizeof r : 0;
        s->session = is_owner && r.end > r.start ? (uint64_t)r.end : 0;
    }
    while (pread(s->log_fd, &r, sizeof r, s->log_bytes) == sizeof r && is_sound(&r, s->use)) {
        uint64_t kind = r.kind & KIND_MASK;
        follow(s, &r);
        s->records++;
        s->log_bytes += sizeof r;
        if (kind == RECORD_SET)
            continue;
        what->size = kind == RECORD_SIZE || r.end > what->size ? r.end : what->size;
        if (kind == RECORD_SIZE)
            extents_cut(&what->changed, r.start);
        else
            extents_add(&what->changed, r.start, r.end, kind == RECORD_ZEROS);
        s->end = r.end > s->end ? r.end : s->end;
    }
}

int staging_resume(struct staging_area *a, uint64_t inode, struct staged *what, struct staging **ret,
                   struct err *reterr)
{
    struct staging *s;
    const char *name = left_name(a, inode);
    if (!name)
        return err_set(reterr, ERR_NOT_FOUND, "nothing is staged of inode %" PRIu64, inode);
    int rc = open_files(a, name, 0, &s, reterr);
    if (rc < 0)
        return rc;
    begin(s, inode);
    read_log(s, what);
    s->used_bytes = what->changed.data_bytes;
    a->used_bytes += s->used_bytes;
    what->is_sized = s->size >= 0;
    what->grown_to = s->grown;
    what->appended_from = s->appended_from;
    what->session = s->session;
    what->set = s->set;
    *ret = s;
    return 0;
}

/* ---- the bytes ---- */

static int write_noted(struct staging *s, enum record_kind kind, const void *bytes, size_t len, int64_t offset,
                       struct err *reterr)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(s->fd, (const char *)bytes + done, len - done, offset + (off_t)done);
        if (n < 0 && errno != EINTR)
            return err_errno(reterr, errno, "staging folder '%s'", s->area->folder);
        done += n > 0 ? (size_t)n : 0;
    }
    s->used_bytes += (int64_t)len;
    s->area->used_bytes += (int64_t)len;
    s->end = offset + (int64_t)len > s->end ? offset + (int64_t)len : s->end;
    return note(s, kind, offset, offset + (int64_t)len, reterr);
}

int staging_write(struct staging *s, const void *bytes, size_t len, int64_t offset, struct err *reterr)
{
    return write_noted(s, RECORD_DATA, bytes, len, offset, reterr);
}

int staging_append(struct staging *s, const void *bytes, size_t len, int64_t offset, struct err *reterr)
{
    return write_noted(s, RECORD_APPENDED, bytes, len, offset, reterr);
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

int staging_trim(struct staging *s, const struct extents *kept, int64_t appended_from, struct err *reterr)
{
    int64_t used_bytes = s->used_bytes;
    extents_clear(&s->ranges);
    for (size_t i = 0; i < kept->count; i++)
        extents_add(&s->ranges, kept->items[i].start, kept->items[i].end, kept->items[i].is_zero);
    s->cut = s->size = -1;
    s->grown = 0;
    s->appended_from = appended_from;
    int rc = kept->count ? log_anew(s, reterr) : 0;
    if (rc < 0)
        return rc;
    if (kept->count)
        punch(s, 0, kept->items[0].start);
    else if (become_empty(s) < 0)
        return err_errno(reterr, errno, "staging folder '%s'", s->area->folder);
    else
        begin(s, s->inode);
    s->area->used_bytes -= used_bytes - kept->data_bytes;
    s->used_bytes = kept->data_bytes;
    return 0;
}

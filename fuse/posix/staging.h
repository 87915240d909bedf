/* Local disk for bytes that programs wrote and that are not in the cluster yet: for each file one sparse file with
 * every byte at its own offset, and beside it a log of which ranges those are. What was handed over is there for the
 * next process if this one is killed (a machine that goes down takes it along, as any file system would).
 *
 * FOLDER/staged-NUMBER, FOLDER/staged-NUMBER.log: records of 24 bytes, start, end and kind, in this machine's byte
 * order; the first one says whose file it is, and of which session's stream into it. The files serve one inode after
 * the other, without being made, renamed or emptied, so each record says of which use it is; what lies behind the last
 * one of this use is of earlier ones. A range of zeros that is empty says that the file is at least so long. */
#ifndef CAIRN_FUSE_POSIX_STAGING_H
#define CAIRN_FUSE_POSIX_STAGING_H

#include "common/err.h"
#include "fuse/posix/extents.h"

struct staging_area; /* any thread */

/* Removes what a killed process left there and is of no use. max_bytes: of all files together; beyond it
 * staging_is_full says that something has to be saved. */
int staging_area_open(const char *folder, int64_t max_bytes, struct staging_area **ret, struct err *reterr) MUST_CHECK;
void staging_area_free(struct staging_area *a); /* leaves the files; NULL is fine */
/* The inodes that a process killed before left something of; *ret is the caller's to free. */
size_t staging_area_left(const struct staging_area *a, uint64_t **ret);

void staging_area_discard(struct staging_area *a, uint64_t inode); /* its files: nobody has it open */

struct staging; /* one thread at a time, but for staging_read */

/* Attributes that were set and are to be saved with the bytes. */
enum staged_field { STAGED_MODE, STAGED_UID, STAGED_GID, STAGED_ATIME, STAGED_MTIME, STAGED_FIELDS };
struct staged_set {
    unsigned fields; /* 1 << each that was set */
    int64_t values[STAGED_FIELDS];
};
static inline bool staged_has(const struct staged_set *set, enum staged_field field)
{
    return set->fields >> field & 1;
}

struct staged { /* what the files say */
    struct extents changed;
    int64_t size;          /* given: the file's; it is more, if it is with this, or as it was set */
    bool is_sized;         /* it was set */
    int64_t grown_to;      /* it was made at least so long; 0: it was not */
    int64_t appended_from; /* from here on it was appended, by a stream; -1: nothing was */
    uint64_t session;      /* whose stream that was; 0: nobody has said */
    struct staged_set set;
};

int staging_new(struct staging_area *a, uint64_t inode, struct staging **ret, struct err *reterr) MUST_CHECK;
/* What was left (ERR_NOT_FOUND: nothing). what->changed is added to, and the caller's. */
int staging_resume(struct staging_area *a, uint64_t inode, struct staged *what, struct staging **ret,
                   struct err *reterr) MUST_CHECK;
void staging_free(struct staging *s); /* and its files; NULL is fine */
/* Nothing of it is needed any more: the files are nobody's, and some of them are kept for who stages next. NULL is
 * fine. */
void staging_give_back(struct staging *s);
bool staging_is_full(const struct staging *s);
/* What is written from now on is of this session's stream. */
int staging_note_stream(struct staging *s, uint64_t session, struct err *reterr) MUST_CHECK;
/* The bytes, and that they are there. */
int staging_write(struct staging *s, const void *bytes, size_t len, int64_t offset, struct err *reterr) MUST_CHECK;
int staging_append(struct staging *s, const void *bytes, size_t len, int64_t offset, struct err *reterr) MUST_CHECK;
int staging_note_zeros(struct staging *s, int64_t start, int64_t end, struct err *reterr) MUST_CHECK;
int staging_note_size(struct staging *s, int64_t size, struct err *reterr) MUST_CHECK;  /* set to that */
int staging_note_grown(struct staging *s, int64_t size, struct err *reterr) MUST_CHECK; /* at least so long now */
/* Of times of change only one that was set after the last byte was written is still known afterwards. */
int staging_note_set(struct staging *s, const struct staged_set *set, struct err *reterr) MUST_CHECK;
int staging_forget_set(struct staging *s, struct err *reterr) MUST_CHECK; /* it is saved */
int staging_read(const struct staging *s, void *bytes, size_t len, int64_t offset, struct err *reterr) MUST_CHECK;
/* Of all that was written only what is in `kept` is needed any more, and that was appended from there on, or (-1) was
 * not. */
int staging_trim(struct staging *s, const struct extents *kept, int64_t appended_from, struct err *reterr) MUST_CHECK;

#endif

/* The small replicas of one volume: not files of their own but records in a log of segments. To make and to remove two
 * files is most of what a small replica costs a datanode.
 *
 *     DIR/current/POOL/current/small/NNNNNN-SALT.log
 *
 * A record is appended to the newest segment with one write, and never changes but for the mark of what it is. A
 * segment without living records is removed; one with few is emptied by copying those to the newest (store_small.c).
 *
 * Any thread may call; a lock of its own, held over the writes. Errors: ERR_NOT_FOUND (the segment is gone),
 * ERR_CHECKSUM (there is no such record at that place: it is damaged), ERR_NO_SPACE, ERR_IO and kin from the disk. */
#ifndef CAIRN_DATANODE_STORE_SMALL_LOG_H
#define CAIRN_DATANODE_STORE_SMALL_LOG_H

#include <stddef.h>

#include "datanode/store/small_record.h"

#define SMALL_SEGMENT_BYTES (16u << 20)
#define SMALL_SEGMENT_MAX   ((1u << 22) - 1) /* a segment's number; struct replica has so many bits for it */

struct small_place {
    uint32_t segment; /* 0: nowhere */
    uint32_t offset;
};

struct small_log;
/* Finds the living records; fn hears of each. The folder may be missing. */
int small_log_open(const char *folder, void (*fn)(void *context, const struct small_record *r, struct small_place at),
                   void *context, struct small_log **ret, struct err *reterr) MUST_CHECK;
void small_log_close(struct small_log *l); /* NULL is fine */

/* The bytes are the kernel's when it returns: they outlive this process. On failure nothing was appended. */
int small_log_append(struct small_log *l, const struct small_record *r, const uint8_t *meta, const uint8_t *data,
                     struct small_place *ret, struct err *reterr) MUST_CHECK;
/* The record, and all before it in its segment, survive power loss. One sync is for all that wait for it. Once it has
 * failed it fails for all in that segment that was not synced before. */
int small_log_sync(struct small_log *l, struct small_place at, uint32_t bytes, struct err *reterr) MUST_CHECK;
/* The record is on the disk; the mark of what it is need not be. */
bool small_log_is_synced(struct small_log *l, struct small_place at);

/* The file the record is in, and its header. The file stays readable whatever happens to the record. */
int small_log_find(struct small_log *l, struct small_place at, uint64_t block_id, struct small_record *ret, int *ret_fd,
                   struct err *reterr) MUST_CHECK;
static inline int64_t small_meta_offset(struct small_place at)
{
    return (int64_t)at.offset + SMALL_HEADER_BYTES;
}
static inline int64_t small_data_offset(struct small_place at, const struct small_record *r)
{
    return small_meta_offset(at) + r->meta_bytes;
}
bool small_log_has_segment(struct small_log *l, uint32_t segment); /* on the disk */

/* An open record is the whole replica, after all. */
int small_log_finish(struct small_log *l, struct small_place at, uint64_t block_id, struct err *reterr) MUST_CHECK;
/* *ret_tidy: there is something for small_log_reap or small_log_sparse to do now. */
int small_log_remove(struct small_log *l, struct small_place at, uint64_t block_id, bool *ret_tidy,
                     struct err *reterr) MUST_CHECK;
/* The record was copied to elsewhere: it no longer counts as living, though it looks so until its segment is gone. */
void small_log_left(struct small_log *l, struct small_place at, const struct small_record *r);
/* The copy is on the disk, and the segment may stay: the next start is not to find the record there, long after the
 * copy was removed. */
void small_log_mark_left(struct small_log *l, struct small_place at, uint64_t block_id);
/* Removes segments without living records. */
void small_log_reap(struct small_log *l);
/* A segment that is mostly dead, and a walk over it, whose fd is to be closed. Each is offered once, and again when
 * more of it died. */
bool small_log_sparse(struct small_log *l, uint32_t *ret_segment, struct small_walk *ret);
void small_log_offer_again(struct small_log *l, uint32_t segment); /* it could not be emptied */

bool small_log_has_any(struct small_log *l); /* segments */

struct small_log_counts {
    size_t segments;
    uint64_t bytes, living_bytes, living;
};
void small_log_count(struct small_log *l, struct small_log_counts *ret);

#endif

/* One small replica in a segment of a volume's log (small_log.h), and the walk over a segment's records.
 *
 *      0  u64 what it is: "CAIRNopn", "CAIRNsml" or "CAIRNded", see enum small_state
 *      8  u64 block id, u64 generation stamp, u64 XXH3-64 of the data
 *     32  (big endian, as everything here) u32 bytes of the meta file, u32 bytes of the data
 *     40  u32 0, u32 CRC32C of the segment's salt, the record's offset and bytes 8 to 43
 *     48  the meta file as it would be beside the data (meta_file.h), then the data, then zeros up to the alignment
 *
 * The salt is a segment's own random number: data that looks like a record, be it a copy of one, is not taken for one
 * where a walk looks for the next record behind a damaged one. Only the first eight bytes ever change.
 *
 * Pure, except for the walk, which reads a file. */
#ifndef CAIRN_DATANODE_STORE_SMALL_RECORD_H
#define CAIRN_DATANODE_STORE_SMALL_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

#define SMALL_HEADER_BYTES 48u
#define SMALL_ALIGN        64u
#define SMALL_DATA_MAX     (256u << 10) /* no setting allows more */

enum small_state {
    SMALL_OPEN,      /* what came of a replica whose end has not come yet; it counts as being written */
    SMALL_FINALIZED, /* the whole replica */
    SMALL_REMOVED,
};
struct small_record {
    uint64_t block_id, gen_stamp, xxh3;
    uint32_t meta_bytes, data_bytes;
    enum small_state state;
};

void small_record_encode(const struct small_record *r, uint64_t salt, uint32_t offset, uint8_t out[SMALL_HEADER_BYTES]);
/* Puts the right checksum into a header. */
void small_record_seal(uint8_t header[SMALL_HEADER_BYTES], uint64_t salt, uint32_t offset);
/* false: that is no record's header. */
bool small_record_decode(const uint8_t in[SMALL_HEADER_BYTES], uint64_t salt, uint32_t offset,
                         struct small_record *ret);
#define SMALL_MARK_BYTES 8
const uint8_t *small_record_mark(enum small_state state); /* what its first bytes become */

static inline uint32_t small_record_bytes(const struct small_record *r) /* with what fills it up */
{
    return (SMALL_HEADER_BYTES + r->meta_bytes + r->data_bytes + SMALL_ALIGN - 1) / SMALL_ALIGN * SMALL_ALIGN;
}

struct small_walk {
    int fd;
    uint64_t salt;
    uint32_t length; /* of the segment */
    uint32_t at;     /* 0 to begin with; in the end, how far the records go: what is behind was torn */
    uint32_t damaged_bytes;
    bool is_unreadable; /* the disk did not give some of it */
};
/* 1: the next record, at *ret_offset; 0: there is none; else the disk's error. Damaged records are passed over, and
 * those whose headers cannot be read. */
int small_walk_next(struct small_walk *w, struct small_record *ret, uint32_t *ret_offset,
                    struct err *reterr) MUST_CHECK;

#endif

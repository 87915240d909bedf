#include "datanode/store/small_record.h"

#include <string.h>

#include "common/digest.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/rd.h"
#include "datanode/store/meta_file.h"

#define SEARCH_BYTES (64u << 10)
#define PAGE_BYTES   4096u

const uint8_t *small_record_mark(enum small_state state)
{
    static const char *const marks[] = {
        [SMALL_OPEN] = "CAIRNopn", [SMALL_FINALIZED] = "CAIRNsml", [SMALL_REMOVED] = "CAIRNded"};
    return (const uint8_t *)marks[state];
}

static bool mark_of(const uint8_t *in, enum small_state *ret)
{
    for (*ret = SMALL_OPEN; *ret <= SMALL_REMOVED; (*ret)++)
        if (memcmp(in, small_record_mark(*ret), SMALL_MARK_BYTES) == 0)
            return true;
    return false;
}

static void put(uint8_t **at, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++)
        (*at)[i] = (uint8_t)(value >> 8 * (len - 1 - i));
    *at += len;
}

static uint32_t header_crc(const uint8_t *header, uint64_t salt, uint32_t offset)
{
    uint8_t seed[12], *at = seed;
    put(&at, salt, 8);
    put(&at, offset, 4);
    return checksum_extend(CHECKSUM_CRC32C, checksum_of(CHECKSUM_CRC32C, seed, sizeof seed), header + 8,
                           SMALL_HEADER_BYTES - 12);
}

void small_record_seal(uint8_t header[SMALL_HEADER_BYTES], uint64_t salt, uint32_t offset)
{
    uint8_t *at = header + SMALL_HEADER_BYTES - 4;
    put(&at, header_crc(header, salt, offset), 4);
}

void small_record_encode(const struct small_record *r, uint64_t salt, uint32_t offset, uint8_t out[SMALL_HEADER_BYTES])
{
    uint8_t *at = out;
    memcpy(at, small_record_mark(r->state), SMALL_MARK_BYTES);
    at += SMALL_MARK_BYTES;
    put(&at, r->block_id, 8);
    put(&at, r->gen_stamp, 8);
    put(&at, r->xxh3, 8);
    put(&at, r->meta_bytes, 4);
    put(&at, r->data_bytes, 4);
    put(&at, 0, 4);
    small_record_seal(out, salt, offset);
}

bool small_record_decode(const uint8_t in[SMALL_HEADER_BYTES], uint64_t salt, uint32_t offset, struct small_record *ret)
{
    struct small_record r;
    if (!mark_of(in, &r.state))
        return false;
    struct rd rd = rd_of((struct slice){in + SMALL_MARK_BYTES, SMALL_HEADER_BYTES - SMALL_MARK_BYTES});
    r.block_id = rd_u64be(&rd);
    r.gen_stamp = rd_u64be(&rd);
    r.xxh3 = rd_u64be(&rd);
    r.meta_bytes = rd_u32be(&rd);
    r.data_bytes = rd_u32be(&rd);
    (void)rd_u32be(&rd);
    if (rd_u32be(&rd) != header_crc(in, salt, offset) || r.data_bytes > SMALL_DATA_MAX ||
        r.meta_bytes < META_HEADER_BYTES + META_TRAILER_BYTES ||
        r.meta_bytes > META_HEADER_BYTES + META_TRAILER_BYTES + 4 * r.data_bytes)
        return false;
    *ret = r;
    return true;
}

/* 1: a record's header; 0: none, or it cannot be read. */
static int read_header(struct small_walk *w, uint32_t at, struct small_record *ret, struct err *reterr)
{
    uint8_t header[SMALL_HEADER_BYTES];
    int rc = file_pread_full(w->fd, header, sizeof header, at, reterr);
    w->is_unreadable |= rc == ERR_IO;
    if (rc < 0)
        return rc == ERR_IO ? 0 : rc;
    return small_record_decode(header, w->salt, at, ret) && small_record_bytes(ret) <= w->length - at;
}

/* Of a piece with a bad sector: each header by itself, but for the rest of a page that cannot be read. */
static int search_slowly(struct small_walk *w, uint32_t from, uint32_t to, uint32_t *ret, struct err *reterr)
{
    struct small_record ignored;
    for (uint32_t at = from, page; at < to && w->length - at >= SMALL_HEADER_BYTES; at = page) {
        page = at / PAGE_BYTES * PAGE_BYTES + PAGE_BYTES;
        uint8_t byte;
        int rc = file_pread_full(w->fd, &byte, 1, at, reterr);
        for (; rc == 0 && at < page && w->length - at >= SMALL_HEADER_BYTES; at += SMALL_ALIGN) {
            int found = read_header(w, at, &ignored, reterr);
            if (found > 0)
                *ret = at;
            if (found)
                return found < 0 ? found : 0;
        }
        if (rc < 0 && rc != ERR_IO)
            return rc;
    }
    return 0;
}

/* Where the next header is, behind one that is damaged; the end of the segment if there is none. */
static int search(struct small_walk *w, uint32_t from, uint32_t *ret, struct err *reterr)
{
    AUTO(mem_freep) uint8_t *piece = mem_alloc(SEARCH_BYTES + SMALL_HEADER_BYTES);
    struct small_record ignored;
    *ret = w->length;
    for (uint32_t at = from; *ret == w->length && at < w->length && w->length - at >= SMALL_HEADER_BYTES;
         at += SEARCH_BYTES) {
        uint32_t len =
            w->length - at < SEARCH_BYTES + SMALL_HEADER_BYTES ? w->length - at : SEARCH_BYTES + SMALL_HEADER_BYTES;
        int rc = file_pread_full(w->fd, piece, len, at, reterr);
        w->is_unreadable |= rc == ERR_IO;
        if (rc == ERR_IO)
            rc = search_slowly(w, at, at + SEARCH_BYTES, ret, reterr);
        else
            for (uint32_t i = 0; rc == 0 && *ret == w->length && i < SEARCH_BYTES && i + SMALL_HEADER_BYTES <= len;
                 i += SMALL_ALIGN)
                if (small_record_decode(piece + i, w->salt, at + i, &ignored))
                    *ret = at + i;
        if (rc < 0)
            return rc;
    }
    return 0;
}

int small_walk_next(struct small_walk *w, struct small_record *ret, uint32_t *ret_offset, struct err *reterr)
{
    while (w->at < w->length && w->length - w->at >= SMALL_HEADER_BYTES) {
        int rc = read_header(w, w->at, ret, reterr);
        if (rc < 0)
            return rc;
        if (rc > 0) {
            *ret_offset = w->at;
            w->at += small_record_bytes(ret);
            return 1;
        }
        uint32_t next;
        rc = search(w, w->at + SMALL_ALIGN, &next, reterr);
        if (rc < 0)
            return rc;
        if (next >= w->length)
            return 0;
        w->damaged_bytes += next - w->at;
        w->at = next;
    }
    return 0;
}

#include "datanode/store/meta_file.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"

static const uint8_t trailer_magic[8] = "CAIRNXH3";
#define WINDOW_BYTES (1u << 20) /* read back at once when looking for the end of good data */

static void put_be(uint8_t *to, uint64_t value, int len)
{
    for (int i = 0; i < len; i++)
        to[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
}

static uint64_t get_be(const uint8_t *from, int len)
{
    uint64_t value = 0;
    for (int i = 0; i < len; i++)
        value = value << 8 | from[i];
    return value;
}

int meta_header_check(const struct meta_header *h, struct err *reterr)
{
    if (h->type != CHECKSUM_NULL && h->type != CHECKSUM_CRC32 && h->type != CHECKSUM_CRC32C)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "checksum type %d is not known", (int)h->type);
    if (h->bytes_per_checksum == 0 || h->bytes_per_checksum > BYTES_PER_CHECKSUM_MAX)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "%u bytes per checksum; it must be 1 to %u", h->bytes_per_checksum,
                       BYTES_PER_CHECKSUM_MAX);
    return 0;
}

void meta_header_encode(const struct meta_header *h, uint8_t out[META_HEADER_BYTES])
{
    put_be(out, META_VERSION, 2);
    out[2] = (uint8_t)h->type;
    put_be(out + 3, h->bytes_per_checksum, 4);
}

int meta_header_decode(const uint8_t in[META_HEADER_BYTES], struct meta_header *ret, struct err *reterr)
{
    if (get_be(in, 2) != META_VERSION)
        return err_set(reterr, ERR_PROTOCOL, "meta file version %u is not known", (unsigned)get_be(in, 2));
    struct meta_header h = {.type = (enum checksum_type)in[2], .bytes_per_checksum = (uint32_t)get_be(in + 3, 4)};
    int rc = meta_header_check(&h, reterr);
    if (rc < 0)
        return err_prefix(reterr, rc, "meta file header");
    *ret = h;
    return 0;
}

void meta_trailer_encode(uint64_t block_bytes, uint64_t xxh3, uint8_t out[META_TRAILER_BYTES])
{
    memcpy(out, trailer_magic, sizeof trailer_magic);
    put_be(out + 8, block_bytes, 8);
    put_be(out + 16, xxh3, 8);
    put_be(out + 24, checksum_of(CHECKSUM_CRC32C, out, 24), 4);
}

bool meta_trailer_decode(const uint8_t in[META_TRAILER_BYTES], uint64_t block_bytes, uint64_t *ret_xxh3)
{
    if (memcmp(in, trailer_magic, sizeof trailer_magic) != 0 || get_be(in + 8, 8) != block_bytes ||
        get_be(in + 24, 4) != checksum_of(CHECKSUM_CRC32C, in, 24))
        return false;
    *ret_xxh3 = get_be(in + 16, 8);
    return true;
}

int meta_read_header(int fd, const char *path, struct meta_header *ret, struct err *reterr)
{
    uint8_t bytes[META_HEADER_BYTES];
    int rc = file_pread_full(fd, bytes, sizeof bytes, 0, reterr);
    if (rc == 0)
        rc = meta_header_decode(bytes, ret, reterr);
    return rc < 0 ? err_prefix(reterr, rc, "%s", path) : 0;
}

bool meta_read_trailer(int fd, const struct meta_header *h, uint64_t block_bytes, uint64_t *ret_xxh3)
{
    uint8_t bytes[META_TRAILER_BYTES];
    return pread(fd, bytes, sizeof bytes, meta_bytes(h, block_bytes)) == (ssize_t)sizeof bytes &&
           meta_trailer_decode(bytes, block_bytes, ret_xxh3);
}

int meta_write_trailer(int fd, const struct meta_header *h, uint64_t block_bytes, uint64_t xxh3, struct err *reterr)
{
    uint8_t bytes[META_TRAILER_BYTES];
    meta_trailer_encode(block_bytes, xxh3, bytes);
    return file_pwrite_full(fd, bytes, sizeof bytes, meta_bytes(h, block_bytes), reterr);
}

/* The longest prefix of a chunk that has this checksum; 0 if none. */
static size_t matching_prefix(enum checksum_type type, const uint8_t *chunk, size_t len, uint32_t stored,
                              uint32_t *ret_crc)
{
    size_t best = 0;
    uint32_t crc = checksum_of(type, chunk, 0);
    for (size_t i = 0; i < len; i++) {
        crc = checksum_extend(type, crc, chunk + i, 1);
        if (crc == stored)
            best = i + 1;
    }
    if (best)
        *ret_crc = stored;
    return best;
}

/* Good bytes at the front of [from, to), chunk by chunk. */
static uint64_t valid_prefix(const struct meta_header *h, const uint8_t *data, const uint8_t *checksums, uint64_t len,
                             uint32_t *ret_tail)
{
    uint64_t good = 0;
    uint32_t bpc = h->bytes_per_checksum;
    while (good < len) {
        size_t chunk = len - good < bpc ? (size_t)(len - good) : bpc;
        uint32_t stored = (uint32_t)get_be(checksums + good / bpc * 4, 4);
        if (checksum_of(h->type, data + good, chunk) == stored) {
            if (chunk < bpc)
                *ret_tail = stored;
            good += chunk;
            continue;
        }
        return good + matching_prefix(h->type, data + good, chunk, stored, ret_tail);
    }
    return good;
}

int meta_find_valid_length(int data_fd, int meta_fd, const struct meta_header *h, uint64_t data_bytes,
                           uint64_t *ret_valid_bytes, uint32_t *ret_tail_checksum, struct err *reterr)
{
    uint32_t bpc = h->bytes_per_checksum;
    int64_t meta_end = lseek(meta_fd, 0, SEEK_END);
    if (meta_end < META_HEADER_BYTES)
        return err_set(reterr, ERR_CHECKSUM, "meta file is cut short");
    if (h->type == CHECKSUM_NULL) {
        *ret_valid_bytes = data_bytes;
        *ret_tail_checksum = 0;
        return 0;
    }
    uint64_t covered = (uint64_t)(meta_end - META_HEADER_BYTES) / 4 * bpc;
    uint64_t end = data_bytes < covered ? data_bytes : covered;
    uint64_t window = WINDOW_BYTES / bpc * bpc;
    uint8_t *data = mem_alloc(window), *checksums = mem_alloc(window / bpc * 4);
    uint32_t tail = 0;
    uint64_t valid = 0;
    int rc = 0;
    while (end > 0 && rc == 0) {
        uint64_t from = (end - 1) / window * window;
        rc = file_pread_full(data_fd, data, end - from, (int64_t)from, reterr);
        if (rc == 0)
            rc = file_pread_full(meta_fd, checksums, meta_chunk_count(h, end - from) * 4, meta_offset(h, from / bpc),
                                 reterr);
        if (rc < 0)
            break;
        uint64_t good = valid_prefix(h, data, checksums, end - from, &tail);
        valid = from + good;
        if (good > 0)
            break;
        end = from;
    }
    mem_freep(&data);
    mem_freep(&checksums);
    if (rc < 0)
        return rc;
    *ret_valid_bytes = valid;
    *ret_tail_checksum = valid % bpc ? tail : 0;
    return 0;
}

/* The new checksum of the chunk that is cut at new_bytes, after verifying it as it was, or as an attempt that was cut
 * short itself left it. */
static int checksum_of_cut_chunk(int data_fd, int meta_fd, const struct meta_header *h, uint64_t old_bytes,
                                 uint64_t new_bytes, uint32_t *ret, struct err *reterr)
{
    uint32_t bpc = h->bytes_per_checksum;
    uint64_t chunk = new_bytes / bpc, from = chunk * bpc;
    size_t old_len = old_bytes - from < bpc ? (size_t)(old_bytes - from) : bpc;
    uint8_t *data = mem_alloc(old_len), stored[4];
    int rc = file_pread_full(data_fd, data, old_len, (int64_t)from, reterr);
    if (rc == 0)
        rc = file_pread_full(meta_fd, stored, sizeof stored, meta_offset(h, chunk), reterr);
    uint32_t new_checksum = rc == 0 ? checksum_of(h->type, data, (size_t)(new_bytes - from)) : 0;
    if (rc == 0 && checksum_of(h->type, data, old_len) != (uint32_t)get_be(stored, 4) &&
        new_checksum != (uint32_t)get_be(stored, 4))
        rc = err_set(reterr, ERR_CHECKSUM, "chunk at %" PRIu64 " is corrupt", from);
    if (rc == 0)
        *ret = new_checksum;
    mem_freep(&data);
    return rc;
}

int meta_truncate(int data_fd, int meta_fd, const struct meta_header *h, uint64_t old_bytes, uint64_t new_bytes,
                  uint32_t *ret_tail_checksum, struct err *reterr)
{
    uint32_t tail = 0;
    int rc;
    bool cuts_chunk = h->type != CHECKSUM_NULL && new_bytes % h->bytes_per_checksum != 0;
    if (cuts_chunk) {
        rc = checksum_of_cut_chunk(data_fd, meta_fd, h, old_bytes, new_bytes, &tail, reterr);
        if (rc < 0)
            return rc;
    }
    /* Data last: whatever is cut off in between, the data at its end still has a checksum that covers it or a part of
     * it (see meta_find_valid_length). */
    if (cuts_chunk) {
        uint8_t bytes[4];
        put_be(bytes, tail, 4);
        rc = file_pwrite_full(meta_fd, bytes, sizeof bytes, meta_offset(h, new_bytes / h->bytes_per_checksum), reterr);
        if (rc < 0)
            return rc;
    }
    if (ftruncate(meta_fd, meta_bytes(h, new_bytes)) < 0)
        return err_errno(reterr, errno, "truncate meta file");
    if (ftruncate(data_fd, (off_t)new_bytes) < 0)
        return err_errno(reterr, errno, "truncate data file to %" PRIu64 " bytes", new_bytes);
    *ret_tail_checksum = tail;
    return 0;
}

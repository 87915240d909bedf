/* The meta file beside a replica's data, as Hadoop lays it out, and what we add to it.
 *
 *     u16 version = 1, u8 checksum type, u32 bytes per checksum        7 bytes, big endian as everything here
 *     u32 checksum of each chunk of the data                           4 bytes each (none if the type is NULL)
 *     "CAIRNXH3", u64 block length, u64 XXH3-64, u32 CRC32C of these   28 bytes: finalized replicas only
 *
 * Hadoop's readers find checksums by position, so the trailer does not disturb them. A trailer is believed only where
 * the block's length says it must be, and if it names that length. Pure, except for the functions that take an fd. */
#ifndef CAIRN_DATANODE_STORE_META_FILE_H
#define CAIRN_DATANODE_STORE_META_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"

#define META_HEADER_BYTES  7
#define META_TRAILER_BYTES 28
#define META_VERSION       1
/* A chunk is read and sent whole, so its size bounds memory. Hadoop's own limit is the packet. */
#define BYTES_PER_CHECKSUM_MAX (1u << 20)

struct meta_header {
    enum checksum_type type;
    uint32_t bytes_per_checksum;
};

static inline uint64_t meta_checksum_bytes(const struct meta_header *h) /* of one chunk */
{
    return h->type == CHECKSUM_NULL ? 0 : 4;
}
static inline uint64_t meta_chunk_count(const struct meta_header *h, uint64_t block_bytes)
{
    return (block_bytes + h->bytes_per_checksum - 1) / h->bytes_per_checksum;
}
/* Where the checksum of a chunk is. */
static inline int64_t meta_offset(const struct meta_header *h, uint64_t chunk)
{
    return (int64_t)(META_HEADER_BYTES + chunk * meta_checksum_bytes(h));
}
/* Length of the file without trailer. */
static inline int64_t meta_bytes(const struct meta_header *h, uint64_t block_bytes)
{
    return meta_offset(h, meta_chunk_count(h, block_bytes));
}

/* ERR_ILLEGAL_ARGUMENT for a type or chunk size that we do not store. */
int meta_header_check(const struct meta_header *h, struct err *reterr) MUST_CHECK;
void meta_header_encode(const struct meta_header *h, uint8_t out[META_HEADER_BYTES]);
int meta_header_decode(const uint8_t in[META_HEADER_BYTES], struct meta_header *ret, struct err *reterr) MUST_CHECK;
void meta_trailer_encode(uint64_t block_bytes, uint64_t xxh3, uint8_t out[META_TRAILER_BYTES]);
bool meta_trailer_decode(const uint8_t in[META_TRAILER_BYTES], uint64_t block_bytes, uint64_t *ret_xxh3);

/* path: for messages. */
int meta_read_header(int fd, const char *path, struct meta_header *ret, struct err *reterr) MUST_CHECK;
bool meta_read_trailer(int fd, const struct meta_header *h, uint64_t block_bytes, uint64_t *ret_xxh3);
int meta_write_trailer(int fd, const struct meta_header *h, uint64_t block_bytes, uint64_t xxh3,
                       struct err *reterr) MUST_CHECK;

/* How many bytes of a data file that was being written can be trusted: at most data_bytes, ends where the data and its
 * checksums part, even in the middle of a chunk (the checksum of a growing chunk is written after its data, so after a
 * crash the stored one may cover only a part of it). *ret_tail_checksum: of the partial chunk at that length. Reads the
 * end of the file, backwards until good data is found. */
int meta_find_valid_length(int data_fd, int meta_fd, const struct meta_header *h, uint64_t data_bytes,
                           uint64_t *ret_valid_bytes, uint32_t *ret_tail_checksum, struct err *reterr) MUST_CHECK;

/* Cuts a replica to new_bytes: verifies the chunk that becomes partial, writes its new checksum, drops the trailer.
 * ERR_CHECKSUM: the chunk is corrupt (nothing was changed). */
int meta_truncate(int data_fd, int meta_fd, const struct meta_header *h, uint64_t old_bytes, uint64_t new_bytes,
                  uint32_t *ret_tail_checksum, struct err *reterr) MUST_CHECK;

#endif

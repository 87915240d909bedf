/* CRC32C / CRC32 per chunk as HDFS stores them, CRC combination, XXH3. CRC values are plain numbers; on disk and wire
 * they are big endian. */
#ifndef CAIRN_COMMON_DIGEST_H
#define CAIRN_COMMON_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum checksum_type { CHECKSUM_NULL = 0, CHECKSUM_CRC32 = 1, CHECKSUM_CRC32C = 2 }; /* Hadoop's numbers */

uint32_t checksum_of(enum checksum_type type, const void *bytes, size_t len);
uint32_t checksum_extend(enum checksum_type type, uint32_t crc, const void *bytes,
                         size_t len); /* crc of the part before */
/* CRC of A followed by B from crc(A), crc(B), len(B). */
uint32_t checksum_combine(enum checksum_type type, uint32_t a, uint32_t b, uint64_t b_len);
static inline size_t checksum_chunk_count(size_t len, size_t bytes_per_checksum)
{
    return (len + bytes_per_checksum - 1) / bytes_per_checksum;
}
/* ceil(len / bpc) big-endian values at out. */
void checksum_chunks(enum checksum_type type, const void *bytes, size_t len, size_t bytes_per_checksum, uint8_t *out);
/* Index of the first chunk that does not match, or -1. */
long checksum_verify_chunks(enum checksum_type type, const void *bytes, size_t len, size_t bytes_per_checksum,
                            const uint8_t *checksums);

struct xxh3; /* streaming */
struct xxh3 *xxh3_new(void);
void xxh3_update(struct xxh3 *x, const void *bytes, size_t len);
uint64_t xxh3_value(const struct xxh3 *x);
void xxh3_free(struct xxh3 *x);
uint64_t xxh3_of(const void *bytes, size_t len);

#endif

#include "common/digest.h"

#include <isa-l/crc.h>
#include <stdlib.h>
#include <xxhash.h>

#include "common/mem.h"
#include "common/xxh3_wide.h"

/* Reflected polynomials, for combination. */
#define POLY_CRC32  0xEDB88320u
#define POLY_CRC32C 0x82F63B78u

uint32_t checksum_extend(enum checksum_type type, uint32_t crc, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    if (type == CHECKSUM_NULL)
        return 0;
    if (type == CHECKSUM_CRC32) {
        while (len > INT32_MAX) {
            crc = crc32_gzip_refl(crc, p, INT32_MAX);
            p += INT32_MAX;
            len -= INT32_MAX;
        }
        return crc32_gzip_refl(crc, p, len);
    }
    crc = ~crc; /* ISA-L's iscsi CRC leaves both inversions to the caller */
    while (len) {
        int n = len > INT32_MAX ? INT32_MAX : (int)len;
        crc = crc32_iscsi((unsigned char *)(uintptr_t)p, n, crc);
        p += n;
        len -= (size_t)n;
    }
    return ~crc;
}

uint32_t checksum_of(enum checksum_type type, const void *bytes, size_t len)
{
    return checksum_extend(type, 0, bytes, len);
}

/* a*b modulo the polynomial, both in reflected order (bit 31 is x^0). */
static uint32_t gf2_multiply(uint32_t a, uint32_t b, uint32_t poly)
{
    uint32_t product = 0;
    for (uint32_t bit = 1u << 31; bit; bit >>= 1) {
        if (a & bit)
            product ^= b;
        b = b & 1 ? (b >> 1) ^ poly : b >> 1;
    }
    return product;
}

uint32_t checksum_combine(enum checksum_type type, uint32_t a, uint32_t b, uint64_t b_len)
{
    if (type == CHECKSUM_NULL)
        return 0;
    uint32_t poly = type == CHECKSUM_CRC32 ? POLY_CRC32 : POLY_CRC32C;
    uint32_t shift = 1u << 31;  /* x^0 */
    uint32_t square = 1u << 23; /* x^8: one byte */
    for (uint64_t n = b_len; n; n >>= 1) {
        if (n & 1)
            shift = gf2_multiply(shift, square, poly);
        square = gf2_multiply(square, square, poly);
    }
    return gf2_multiply(shift, a, poly) ^ b;
}

static void store_be32(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 24);
    to[1] = (uint8_t)(value >> 16);
    to[2] = (uint8_t)(value >> 8);
    to[3] = (uint8_t)value;
}

static uint32_t load_be32(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

void checksum_chunks(enum checksum_type type, const void *bytes, size_t len, size_t bytes_per_checksum, uint8_t *out)
{
    const uint8_t *p = bytes;
    for (; len; out += 4) {
        size_t n = len < bytes_per_checksum ? len : bytes_per_checksum;
        store_be32(out, checksum_of(type, p, n));
        p += n;
        len -= n;
    }
}

long checksum_verify_chunks(enum checksum_type type, const void *bytes, size_t len, size_t bytes_per_checksum,
                            const uint8_t *checksums)
{
    const uint8_t *p = bytes;
    if (type == CHECKSUM_NULL)
        return -1;
    for (long chunk = 0; len; chunk++, checksums += 4) {
        size_t n = len < bytes_per_checksum ? len : bytes_per_checksum;
        if (checksum_of(type, p, n) != load_be32(checksums))
            return chunk;
        p += n;
        len -= n;
    }
    return -1;
}

struct xxh3 {
    XXH3_state_t *state;
};

struct xxh3 *xxh3_new(void)
{
    struct xxh3 *x = mem_new(struct xxh3);
    x->state = XXH3_createState();
    if (!x->state || XXH3_64bits_reset(x->state) == XXH_ERROR)
        abort(); /* out of memory */
    return x;
}

void xxh3_update(struct xxh3 *x, const void *bytes, size_t len)
{
    if (xxh3_wide_works())
        xxh3_wide_update(x->state, bytes, len);
    else
        (void)XXH3_64bits_update(x->state, bytes, len); /* fails for NULL only */
}

uint64_t xxh3_value(const struct xxh3 *x)
{
    return XXH3_64bits_digest(x->state);
}

void xxh3_free(struct xxh3 *x)
{
    if (x) {
        XXH3_freeState(x->state);
        free(x);
    }
}

uint64_t xxh3_of(const void *bytes, size_t len)
{
    return XXH3_64bits(bytes, len);
}

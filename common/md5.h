/* MD5 (RFC 1321), for HDFS's file checksums only: it protects nothing. */
#ifndef CAIRN_COMMON_MD5_H
#define CAIRN_COMMON_MD5_H

#include <stddef.h>
#include <stdint.h>

#define MD5_BYTES 16

struct md5 {
    uint32_t state[4];
    uint64_t len; /* bytes so far */
    uint8_t block[64];
};

void md5_init(struct md5 *m);
void md5_update(struct md5 *m, const void *bytes, size_t len);
void md5_final(struct md5 *m, uint8_t out[MD5_BYTES]); /* init again before another use */
void md5_of(const void *bytes, size_t len, uint8_t out[MD5_BYTES]);

#endif

#include "scheduler/engine/block_codec.h"

#include <limits.h>
#include <lz4.h>
#include <zstd.h>

#define ZSTD_LEVEL 1 /* spills are read once or twice, soon */

bool block_compress(enum block_codec codec, struct slice from, struct buf *to)
{
    size_t room = from.len - from.len / 8, got = 0;
    if (codec == BLOCK_RAW || from.len > INT_MAX || room == 0)
        return false;
    uint8_t *out = buf_reserve(to, room);
    if (codec == BLOCK_LZ4) {
        int n = LZ4_compress_default((const char *)from.base, (char *)out, (int)from.len, (int)room);
        got = n > 0 ? (size_t)n : 0;
    } else {
        size_t n = ZSTD_compress(out, room, from.base, from.len, ZSTD_LEVEL);
        got = ZSTD_isError(n) ? 0 : n;
    }
    to->len += got;
    return got > 0;
}

int block_decompress(enum block_codec codec, struct slice from, uint8_t *to, size_t raw_len, struct err *reterr)
{
    bool good = false;
    if (codec == BLOCK_LZ4 && from.len <= INT_MAX && raw_len <= INT_MAX)
        good = LZ4_decompress_safe((const char *)from.base, (char *)to, (int)from.len, (int)raw_len) == (int)raw_len;
    else if (codec == BLOCK_ZSTD)
        good = ZSTD_decompress(to, raw_len, from.base, from.len) == raw_len;
    return good ? 0 : err_set(reterr, ERR_CHECKSUM, "a run's block does not decompress");
}

uint64_t block_raw_bytes_max(enum block_codec codec, uint64_t stored_bytes)
{
    switch (codec) {
    case BLOCK_RAW: return stored_bytes;
    case BLOCK_LZ4: return stored_bytes * 255;
    case BLOCK_ZSTD: return stored_bytes * 32768; /* 128 KiB out of four bytes */
    }
    return 0;
}

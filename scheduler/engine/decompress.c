#include "scheduler/engine/decompress.h"

#include <bzlib.h>
#include <limits.h>
#include <lz4.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "common/buf.h"
#include "common/mem.h"

#define INPUT_BYTES        (256u << 10)
#define FRAMED_BLOCK_BYTES (64u << 20) /* Hadoop's writers make blocks of 64 or 256 KiB */

enum codec { CODEC_GZIP, CODEC_ZLIB, CODEC_BZIP2, CODEC_ZSTD, CODEC_SNAPPY, CODEC_LZ4 };

struct decompressor {
    struct byte_source from;
    const char *name;
    enum codec codec;
    z_stream z;
    bz_stream bz;
    ZSTD_DStream *zstd;
    bool inside, at_end; /* inside a member; the compressed data is over */
    uint8_t *input;
    size_t next, end; /* of input */
    /* .snappy, .lz4: blocks of chunks */
    uint32_t block_left; /* raw bytes that the current block still has */
    struct buf packed, raw;
    size_t raw_next;
};

static const struct {
    const char *suffix;
    enum codec codec;
} codecs[] = {{".gz", CODEC_GZIP},  {".deflate", CODEC_ZLIB},  {".bz2", CODEC_BZIP2},
              {".zst", CODEC_ZSTD}, {".snappy", CODEC_SNAPPY}, {".lz4", CODEC_LZ4}};

static int codec_of(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < ARRAY_COUNT(codecs); i++) {
        size_t n = strlen(codecs[i].suffix);
        if (len >= n && !strcmp(name + len - n, codecs[i].suffix))
            return (int)codecs[i].codec;
    }
    return -1;
}

bool decompressor_knows(const char *file_name)
{
    return codec_of(file_name) >= 0;
}

int decompressor_new(struct byte_source compressed, const char *file_name, struct decompressor **ret,
                     struct err *reterr)
{
    int codec = codec_of(file_name);
    if (codec < 0)
        return err_set(reterr, ERR_UNSUPPORTED, "%s: no known compression", file_name);
    struct decompressor *d = mem_new(struct decompressor);
    d->from = compressed;
    d->name = file_name;
    d->codec = (enum codec)codec;
    d->input = mem_alloc(INPUT_BYTES);
    bool good = true;
    if (codec == CODEC_GZIP || codec == CODEC_ZLIB)
        good = inflateInit2(&d->z, codec == CODEC_GZIP ? 15 + 16 : 15) == Z_OK;
    else if (codec == CODEC_BZIP2)
        good = BZ2_bzDecompressInit(&d->bz, 0, 0) == BZ_OK;
    else if (codec == CODEC_ZSTD)
        good = (d->zstd = ZSTD_createDStream()) != NULL;
    if (!good)
        mem_alloc(SIZE_MAX); /* only memory can be missing here: say so and abort like every allocation */
    *ret = d;
    return 0;
}

void decompressor_free(struct decompressor *d)
{
    if (!d)
        return;
    if (d->codec == CODEC_GZIP || d->codec == CODEC_ZLIB)
        inflateEnd(&d->z);
    else if (d->codec == CODEC_BZIP2)
        BZ2_bzDecompressEnd(&d->bz);
    ZSTD_freeDStream(d->zstd);
    buf_free(&d->packed);
    buf_free(&d->raw);
    free(d->input);
    free(d);
}

static int broken(struct decompressor *d, const char *why, struct err *reterr)
{
    return err_set(reterr, ERR_IO, "%s: the compressed data is damaged: %s", d->name, why ? why : "it makes no sense");
}

/* More input if there is none; next == end then: it is over. */
static int fill(struct decompressor *d, struct err *reterr)
{
    if (d->next < d->end)
        return 0;
    size_t got = 0;
    int rc = d->from.read(d->from.context, d->input, INPUT_BYTES, &got, reterr);
    d->next = 0;
    d->end = rc < 0 ? 0 : got;
    if (rc == 0 && got == 0) {
        if (d->inside)
            return err_set(reterr, ERR_IO, "%s: the compressed data is cut short", d->name);
        d->at_end = true;
    }
    return rc;
}

/* ---- streams: each step takes from the input and returns how much it wrote ---- */

static int step_zlib(struct decompressor *d, uint8_t *to, size_t len, size_t *ret, struct err *reterr)
{
    d->z.next_in = d->input + d->next;
    d->z.avail_in = (uInt)(d->end - d->next);
    d->z.next_out = to;
    d->z.avail_out = (uInt)len;
    d->inside = true;
    int z = inflate(&d->z, Z_NO_FLUSH);
    d->next = d->end - d->z.avail_in;
    *ret = len - d->z.avail_out;
    if (z == Z_STREAM_END) {
        d->inside = false;
        inflateReset(&d->z);
    } else if (z != Z_OK && z != Z_BUF_ERROR) {
        return broken(d, d->z.msg ? d->z.msg : zError(z), reterr);
    }
    return 0;
}

static int step_bzip2(struct decompressor *d, uint8_t *to, size_t len, size_t *ret, struct err *reterr)
{
    d->bz.next_in = (char *)d->input + d->next;
    d->bz.avail_in = (unsigned)(d->end - d->next);
    d->bz.next_out = (char *)to;
    d->bz.avail_out = (unsigned)len;
    d->inside = true;
    int bz = BZ2_bzDecompress(&d->bz);
    d->next = d->end - d->bz.avail_in;
    *ret = len - d->bz.avail_out;
    if (bz == BZ_STREAM_END) {
        d->inside = false;
        unsigned in = d->bz.avail_in;
        BZ2_bzDecompressEnd(&d->bz);
        memset(&d->bz, 0, sizeof d->bz);
        d->bz.avail_in = in;
        if (BZ2_bzDecompressInit(&d->bz, 0, 0) != BZ_OK)
            mem_alloc(SIZE_MAX);
    } else if (bz != BZ_OK) {
        return broken(d, NULL, reterr);
    }
    return 0;
}

static int step_zstd(struct decompressor *d, uint8_t *to, size_t len, size_t *ret, struct err *reterr)
{
    ZSTD_inBuffer in = {d->input + d->next, d->end - d->next, 0};
    ZSTD_outBuffer out = {to, len, 0};
    size_t left = ZSTD_decompressStream(d->zstd, &out, &in);
    if (ZSTD_isError(left))
        return broken(d, ZSTD_getErrorName(left), reterr);
    d->next += in.pos;
    d->inside = left != 0;
    *ret = out.pos;
    return 0;
}

/* ---- blocks: raw length u32, then until it is reached: packed length u32, packed bytes ---- */

static int read_exact(struct decompressor *d, uint8_t *to, size_t len, struct err *reterr)
{
    for (size_t have = 0; have < len;) {
        int rc = fill(d, reterr);
        if (rc < 0 || d->at_end)
            return rc;
        size_t n = d->end - d->next, want = len - have;
        n = n < want ? n : want;
        memcpy(to + have, d->input + d->next, n);
        d->next += n;
        have += n;
        d->inside = true;
    }
    return 0;
}

static int read_length(struct decompressor *d, uint32_t *ret, struct err *reterr)
{
    uint8_t bytes[4];
    int rc = read_exact(d, bytes, sizeof bytes, reterr);
    if (rc < 0 || d->at_end)
        return rc;
    *ret = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    return *ret > FRAMED_BLOCK_BYTES ? broken(d, "a block is too large", reterr) : 0;
}

static int unpack(struct decompressor *d, struct err *reterr)
{
    const char *packed = (const char *)d->packed.base;
    size_t raw_len = d->block_left;
    buf_clear(&d->raw);
    bool good = false;
    if (d->codec == CODEC_SNAPPY) {
        good =
            snappy_uncompressed_length(packed, d->packed.len, &raw_len) == SNAPPY_OK && raw_len <= d->block_left &&
            snappy_uncompress(packed, d->packed.len, (char *)buf_reserve(&d->raw, raw_len + 1), &raw_len) == SNAPPY_OK;
    } else {
        int n =
            LZ4_decompress_safe(packed, (char *)buf_reserve(&d->raw, raw_len + 1), (int)d->packed.len, (int)raw_len);
        good = n >= 0;
        raw_len = good ? (size_t)n : 0;
    }
    if (!good || raw_len == 0)
        return broken(d, NULL, reterr);
    d->raw.len = raw_len;
    d->raw_next = 0;
    d->block_left -= (uint32_t)raw_len;
    d->inside = d->block_left > 0;
    return 0;
}

static int step_framed(struct decompressor *d, uint8_t *to, size_t len, size_t *ret, struct err *reterr)
{
    int rc = 0;
    uint32_t packed_len = 0;
    if (d->raw_next == d->raw.len) {
        if (d->block_left == 0) {
            if ((rc = read_length(d, &d->block_left, reterr)) < 0 || d->at_end)
                return rc;
            if (d->block_left == 0) { /* an empty block */
                d->inside = false;
                return 0;
            }
        }
        if ((rc = read_length(d, &packed_len, reterr)) < 0)
            return rc;
        buf_clear(&d->packed);
        buf_reserve(&d->packed, packed_len + 1);
        d->packed.len = packed_len;
        if ((rc = read_exact(d, d->packed.base, packed_len, reterr)) < 0 || (rc = unpack(d, reterr)) < 0)
            return rc;
    }
    size_t n = d->raw.len - d->raw_next;
    n = n < len ? n : len;
    memcpy(to, d->raw.base + d->raw_next, n);
    d->raw_next += n;
    *ret = n;
    return 0;
}

static int decompressor_read(void *context, void *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    struct decompressor *d = context;
    len = len < INT_MAX ? len : INT_MAX;
    size_t got = 0;
    int rc = 0;
    bool framed = d->codec == CODEC_SNAPPY || d->codec == CODEC_LZ4;
    while (rc == 0 && got == 0 && !d->at_end && len) {
        if (!framed && ((rc = fill(d, reterr)) < 0 || d->at_end))
            break;
        switch (d->codec) {
        case CODEC_GZIP:
        case CODEC_ZLIB: rc = step_zlib(d, bytes, len, &got, reterr); break;
        case CODEC_BZIP2: rc = step_bzip2(d, bytes, len, &got, reterr); break;
        case CODEC_ZSTD: rc = step_zstd(d, bytes, len, &got, reterr); break;
        case CODEC_SNAPPY:
        case CODEC_LZ4: rc = step_framed(d, bytes, len, &got, reterr); break;
        }
    }
    *ret_read = got;
    return rc;
}

struct byte_source decompressor_source(struct decompressor *d)
{
    return (struct byte_source){decompressor_read, d};
}

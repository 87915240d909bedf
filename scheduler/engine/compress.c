#include "scheduler/engine/compress.h"

#include <bzlib.h>
#include <lz4.h>
#include <snappy-c.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "common/mem.h"
#include "common/wr.h"

#define STEP_BYTES         (64u << 10)
#define FRAMED_BLOCK_BYTES (64u << 10) /* what Hadoop's readers have room for by default is 256 KiB */
#define ZSTD_LEVEL         3

static const struct {
    const char *class, *suffix;
} codec_names[] = {{"DefaultCodec", ".deflate"}, {"DeflateCodec", ".deflate"}, {"GzipCodec", ".gz"},
                   {"BZip2Codec", ".bz2"},       {"ZStandardCodec", ".zst"},   {"SnappyCodec", ".snappy"},
                   {"Lz4Codec", ".lz4"}};

const char *codec_suffix(const char *hadoop_class)
{
    const char *dot = strrchr(hadoop_class, '.');
    for (size_t i = 0; i < ARRAY_COUNT(codec_names); i++)
        if (!strcmp(dot ? dot + 1 : hadoop_class, codec_names[i].class))
            return codec_names[i].suffix;
    return NULL;
}

struct compressor {
    const char *suffix;
    z_stream z;
    bz_stream bz;
    ZSTD_CCtx *zstd;
    struct buf block; /* .snappy, .lz4: raw bytes of the next block */
};

struct compressor *compressor_new(const char *suffix)
{
    struct compressor *c = mem_new(struct compressor);
    c->suffix = suffix;
    bool good = true;
    if (!strcmp(suffix, ".gz") || !strcmp(suffix, ".deflate"))
        good = deflateInit2(&c->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, strcmp(suffix, ".gz") ? 15 : 15 + 16, 8,
                            Z_DEFAULT_STRATEGY) == Z_OK;
    else if (!strcmp(suffix, ".bz2"))
        good = BZ2_bzCompressInit(&c->bz, 9, 0, 0) == BZ_OK;
    else if (!strcmp(suffix, ".zst"))
        good = (c->zstd = ZSTD_createCCtx()) &&
               !ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL));
    if (!good)
        mem_alloc(SIZE_MAX); /* only memory can be missing here: say so and abort like every allocation */
    return c;
}

void compressor_free(struct compressor *c)
{
    if (!c)
        return;
    deflateEnd(&c->z);
    BZ2_bzCompressEnd(&c->bz);
    ZSTD_freeCCtx(c->zstd);
    buf_free(&c->block);
    free(c);
}

/* One step of a stream: all of `from` in, what comes out behind `to`; at the end until nothing comes any more. */
static void stream_step(struct compressor *c, struct slice from, bool end, struct buf *to)
{
    ZSTD_inBuffer in = {from.base, from.len, 0};
    c->z.next_in = (uint8_t *)(uintptr_t)from.base;
    c->z.avail_in = (uInt)from.len;
    c->bz.next_in = (char *)(uintptr_t)from.base;
    c->bz.avail_in = (unsigned)from.len;
    for (bool more = true; more;) {
        uint8_t *out = buf_reserve(to, STEP_BYTES);
        size_t got = 0;
        if (c->zstd) {
            ZSTD_outBuffer o = {out, STEP_BYTES, 0};
            size_t left = ZSTD_compressStream2(c->zstd, &o, &in, end ? ZSTD_e_end : ZSTD_e_continue);
            got = o.pos;
            more = !ZSTD_isError(left) && (end ? left != 0 : in.pos < in.size);
        } else if (!strcmp(c->suffix, ".bz2")) {
            c->bz.next_out = (char *)out;
            c->bz.avail_out = STEP_BYTES;
            int bz = BZ2_bzCompress(&c->bz, end ? BZ_FINISH : BZ_RUN);
            got = STEP_BYTES - c->bz.avail_out;
            more = end ? bz == BZ_FINISH_OK : c->bz.avail_in > 0;
        } else {
            c->z.next_out = out;
            c->z.avail_out = STEP_BYTES;
            int z = deflate(&c->z, end ? Z_FINISH : Z_NO_FLUSH);
            got = STEP_BYTES - c->z.avail_out;
            more = end ? z != Z_STREAM_END : c->z.avail_in > 0 || c->z.avail_out == 0;
        }
        to->len += got;
    }
}

static void block_step(struct compressor *c, struct buf *to)
{
    if (c->block.len == 0)
        return;
    bool snappy = !strcmp(c->suffix, ".snappy");
    size_t room = snappy ? snappy_max_compressed_length(c->block.len) : (size_t)LZ4_compressBound((int)c->block.len);
    wr_u32be(to, (uint32_t)c->block.len);
    size_t at = to->len, got = room;
    wr_u32be(to, 0);
    char *out = (char *)buf_reserve(to, room);
    if (snappy)
        (void)snappy_compress((const char *)c->block.base, c->block.len, out, &got); /* there is room: cannot fail */
    else
        got = (size_t)LZ4_compress_default((const char *)c->block.base, out, (int)c->block.len, (int)room);
    to->len += got;
    uint32_t length = __builtin_bswap32((uint32_t)got);
    memcpy(to->base + at, &length, sizeof length);
    buf_clear(&c->block);
}

static bool is_framed(const struct compressor *c)
{
    return !strcmp(c->suffix, ".snappy") || !strcmp(c->suffix, ".lz4");
}

void compressor_add(struct compressor *c, const void *bytes, size_t len, struct buf *to)
{
    for (const uint8_t *from = bytes; len;) {
        size_t n = is_framed(c) ? FRAMED_BLOCK_BYTES - c->block.len : 1u << 30;
        n = n < len ? n : len;
        if (is_framed(c)) {
            buf_append(&c->block, from, n);
            if (c->block.len == FRAMED_BLOCK_BYTES)
                block_step(c, to);
        } else {
            stream_step(c, (struct slice){from, n}, false, to);
        }
        from += n;
        len -= n;
    }
}

void compressor_end(struct compressor *c, struct buf *to)
{
    if (is_framed(c))
        block_step(c, to);
    else
        stream_step(c, (struct slice){(const uint8_t *)"", 0}, true, to);
}

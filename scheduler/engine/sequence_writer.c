#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/mem.h"
#include "common/wr.h"
#include "scheduler/engine/compress.h"
#include "scheduler/engine/sequence_file.h"

#define SYNC_INTERVAL (100u << 10) /* Hadoop's */
#define BLOCK_BYTES   (1000000u)   /* io.seqfile.compress.blocksize */

struct sequence_writer {
    const char *codec_class;
    uint8_t sync[SEQUENCE_SYNC_BYTES];
    bool begun;
    size_t since_sync;
    struct buf parts[4]; /* of the block: key lengths, keys, value lengths, values */
    int64_t block_records;
};

static void put_text(struct buf *to, const void *bytes, size_t len)
{
    wr_java_vint(to, (int64_t)len);
    buf_append(to, bytes, len);
}

static size_t text_size(size_t len)
{
    struct buf b = {0};
    wr_java_vint(&b, (int64_t)len);
    size_t n = b.len + len;
    buf_free(&b);
    return n;
}

struct sequence_writer *sequence_writer_new(const char *codec_class, uint64_t seed)
{
    struct sequence_writer *w = mem_new(struct sequence_writer);
    w->codec_class = codec_class;
    uint64_t halves[2] = {xxh3_of(&seed, sizeof seed), seed};
    halves[1] = xxh3_of(halves, sizeof halves);
    memcpy(w->sync, halves, sizeof w->sync);
    return w;
}

void sequence_writer_free(struct sequence_writer *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < ARRAY_COUNT(w->parts); i++)
        buf_free(&w->parts[i]);
    free(w);
}

static void begin(struct sequence_writer *w, struct buf *to)
{
    static const char text[] = "org.apache.hadoop.io.Text";
    if (w->begun)
        return;
    w->begun = true;
    buf_append(to, "SEQ\x06", 4);
    put_text(to, text, sizeof text - 1);
    put_text(to, text, sizeof text - 1);
    wr_u8(to, w->codec_class != NULL);
    wr_u8(to, w->codec_class != NULL);
    if (w->codec_class)
        put_text(to, w->codec_class, strlen(w->codec_class));
    wr_u32be(to, 0);
    buf_append(to, w->sync, sizeof w->sync);
}

static void put_sync(struct sequence_writer *w, struct buf *to)
{
    wr_u32be(to, UINT32_MAX);
    buf_append(to, w->sync, sizeof w->sync);
    w->since_sync = 0;
}

static void end_block(struct sequence_writer *w, struct buf *to)
{
    if (w->block_records == 0)
        return;
    put_sync(w, to);
    wr_java_vint(to, w->block_records);
    for (size_t i = 0; i < ARRAY_COUNT(w->parts); i++) {
        struct buf packed = {0};
        struct compressor *c = compressor_new(codec_suffix(w->codec_class));
        compressor_add(c, w->parts[i].base, w->parts[i].len, &packed);
        compressor_end(c, &packed);
        compressor_free(c);
        put_text(to, packed.base, packed.len);
        buf_free(&packed);
        buf_clear(&w->parts[i]);
    }
    w->block_records = 0;
}

void sequence_writer_add(struct sequence_writer *w, const struct record *r, struct buf *to)
{
    begin(w, to);
    size_t key = text_size(r->key_len), value = text_size(r->value_len);
    if (w->codec_class) {
        wr_java_vint(&w->parts[0], (int64_t)key);
        put_text(&w->parts[1], r->key, r->key_len);
        wr_java_vint(&w->parts[2], (int64_t)value);
        put_text(&w->parts[3], r->value, r->value_len);
        w->block_records++;
        if (w->parts[1].len + w->parts[3].len >= BLOCK_BYTES)
            end_block(w, to);
        return;
    }
    if (w->since_sync >= SYNC_INTERVAL)
        put_sync(w, to);
    wr_u32be(to, (uint32_t)(key + value));
    wr_u32be(to, (uint32_t)key);
    put_text(to, r->key, r->key_len);
    put_text(to, r->value, r->value_len);
    w->since_sync += 8 + key + value;
}

void sequence_writer_end(struct sequence_writer *w, struct buf *to)
{
    begin(w, to); /* a file without records has a header too */
    end_block(w, to);
}

/* A run as the shuffle receives it: any bytes are refused or read; with a matching digest, any payload is. */
#include "common/digest.h"
#include "common/wr.h"
#include "scheduler/engine/run_file.h"
#include "tests/fuzz/fuzz.h"

FUZZ_SEEDS(run_file)
{
    struct buf records = {0};
    for (int i = 0; i < 4; i++) {
        char key[300];
        int n = snprintf(key, sizeof key, "%0*d", i * 70 + 1, i);
        wr_varint(&records, (uint64_t)n);
        wr_varint(&records, 3);
        buf_append(&records, key, (size_t)n);
        buf_append(&records, "abc", 3);
    }
    for (int codec = BLOCK_RAW; codec <= BLOCK_ZSTD; codec++) {
        struct buf block = {0}, packed = {0};
        bool smaller = block_compress((enum block_codec)codec, buf_slice(&records), &packed);
        struct buf *stored = smaller ? &packed : &records;
        wr_u8(&block, smaller ? (uint8_t)codec : BLOCK_RAW);
        wr_u32be(&block, (uint32_t)records.len);
        wr_u32be(&block, (uint32_t)stored->len);
        buf_append(&block, stored->base, stored->len);
        fuzz_seed(seeds, block.base, block.len);
        buf_free(&block);
        buf_free(&packed);
    }
    buf_free(&records);
    fuzz_seed(seeds, "\x01\0\0\0\0\0\0\0\x01\0", 10); /* a block of nothing */
    fuzz_seed(seeds, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x01k",
              sizeof "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x01k" - 1);
}

/* Reads to the end or to the first complaint; every byte that is handed out must be there (the sanitizer says). */
static void run_file_read(struct slice bytes)
{
    struct run_reader *r = NULL;
    if (run_reader_memory(bytes, &r, NULL) < 0)
        return;
    struct record record;
    uint64_t seen = 0;
    for (bool more = true; run_reader_next(r, &record, &more, NULL) == 0 && more; seen++) {
        (void)xxh3_of(record.key, record.key_len);
        (void)xxh3_of(record.value, record.value_len);
    }
    if (seen > run_reader_records(r))
        abort();
    run_reader_free(r);
}

FUZZ_RUN(run_file)
{
    run_file_read(in);
    struct buf whole = {0};
    wr_u32be(&whole, RUN_MAGIC);
    wr_u32be(&whole, 0);
    wr_u64be(&whole, in.len);
    wr_u64be(&whole, in.len ? in.base[0] % 8 : 0);
    wr_u64be(&whole, xxh3_of(in.base ? in.base : (const uint8_t *)"", in.len));
    buf_append(&whole, in.base, in.len);
    run_file_read(buf_slice(&whole));
    buf_free(&whole);
}

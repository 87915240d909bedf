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
    fuzz_seed(seeds, records.base, records.len);
    buf_free(&records);
    fuzz_seed(seeds, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x01k",
              sizeof "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x01k" - 1);
}

/* Reads to the end or to the first complaint; every byte that is handed out must be there. */
static void run_file_read(struct slice bytes)
{
    struct run_reader *r = NULL;
    if (run_reader_memory(bytes, &r, NULL) < 0)
        return;
    struct record record;
    uint64_t seen = 0;
    for (bool more = true; run_reader_next(r, &record, &more, NULL) == 0 && more; seen++) {
        if (record.key < bytes.base || record.value + record.value_len > bytes.base + bytes.len)
            abort();
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

/* What jobs read: SequenceFiles, compressed files, CSV. Any bytes are refused or read, and CSV's records do not depend
 * on how its bytes come. */
#include "scheduler/engine/csv_scan.h"
#include "scheduler/engine/decompress.h"
#include "scheduler/engine/sequence_file.h"
#include "tests/fuzz/fuzz.h"

#define READ_MAX (16u << 20) /* a bomb is its reader's business */

FUZZ_SEEDS(job_formats)
{
    for (int i = 0; i < 2; i++) {
        struct sequence_writer *w = sequence_writer_new(i ? "org.apache.hadoop.io.compress.SnappyCodec" : NULL, 1);
        struct buf file = {0};
        buf_append(&file, "\0", 1);
        for (int k = 0; k < 3; k++) {
            struct record r = {(const uint8_t *)"key", (const uint8_t *)"value", 3, 5};
            sequence_writer_add(w, &r, &file);
        }
        sequence_writer_end(w, &file);
        sequence_writer_free(w);
        fuzz_seed(seeds, file.base, file.len);
        buf_free(&file);
    }
    fuzz_seed(seeds,
              "\x08"
              "a,\"b\r\n\"\"c\"\r\nd,e\rf",
              sizeof "\x08"
                     "a,\"b\r\n\"\"c\"\r\nd,e\rf" -
                  1);
}

static int job_formats_read(void *context, void *to, size_t len, size_t *ret_read, struct err *reterr)
{
    struct slice *left = context;
    *ret_read = left->len < len ? left->len : len;
    if (*ret_read)
        memcpy(to, left->base, *ret_read);
    left->base += *ret_read;
    left->len -= *ret_read;
    return 0;
}

static void read_sequence(struct slice in, bool from_middle)
{
    static const char *const classes[] = {"Text",          "BytesWritable",  "IntWritable",   "LongWritable",
                                          "FloatWritable", "DoubleWritable", "VLongWritable", "BooleanWritable"};
    struct slice left = in;
    struct sequence_reader *r = NULL;
    if (sequence_reader_new((struct byte_source){job_formats_read, &left}, "in", &r, NULL) < 0)
        return;
    size_t middle = in.len / 2;
    left = from_middle ? (struct slice){in.base + middle, in.len - middle} : left;
    struct record record;
    struct buf text = {0};
    bool more = !from_middle || sequence_reader_sync(r, (int64_t)middle, NULL) == 0;
    for (int i = 0; more && sequence_reader_next(r, INT64_MAX, &record, &more, NULL) == 0 && more; i++) {
        char class[64];
        snprintf(class, sizeof class, "org.apache.hadoop.io.%s", classes[i % 8]);
        if (sequence_text(class, (struct slice){record.key, record.key_len}, i & 1, &text, NULL) == 0 &&
            sequence_text("org.apache.hadoop.io.Text", (struct slice){record.value, record.value_len}, false, &text,
                          NULL) == 0 &&
            !text.base && text.len)
            abort();
        buf_clear(&text);
    }
    buf_free(&text);
    sequence_reader_free(r);
}

static void read_compressed(struct slice in, const char *name)
{
    struct decompressor *d = NULL;
    if (decompressor_new((struct byte_source){job_formats_read, &in}, name, &d, NULL) < 0)
        abort();
    struct byte_source s = decompressor_source(d);
    static uint8_t out[65536];
    size_t got = 1;
    for (size_t all = 0; got && all < READ_MAX && s.read(s.context, out, sizeof out, &got, NULL) == 0; all += got)
        ;
    decompressor_free(d);
}

static uint64_t csv_ends(struct slice in, size_t piece)
{
    struct csv_scan scan = {0};
    uint64_t hash = 0;
    for (size_t at = 0; at < in.len;) {
        size_t n = in.len - at < piece ? in.len - at : piece;
        bool ended;
        size_t used = csv_scan(&scan, (struct slice){in.base + at, n}, &ended);
        if (used > n || (!ended && used != n))
            abort();
        at += used;
        if (ended && at < in.len)
            hash = hash * 31 + at;
    }
    return hash;
}

FUZZ_RUN(job_formats)
{
    static const char *const names[] = {"x.gz", "x.deflate", "x.bz2", "x.zst", "x.snappy", "x.lz4"};
    if (in.len < 1)
        return;
    uint8_t what = in.base[0];
    in = (struct slice){in.base + 1, in.len - 1};
    if (what < 2) {
        read_sequence(in, what == 1);
    } else if (what < 8) {
        read_compressed(in, names[what - 2]);
    } else {
        struct buf tabs = {0};
        if (csv_ends(in, in.len + 1) != csv_ends(in, what % 13 + 1))
            abort();
        csv_to_tabs(in, 0, &tabs);
        buf_free(&tabs);
    }
}

/* Input and output formats: CSV at every cut, SequenceFile there and back, compression there and back, orders of keys.
 */
#include "tests/unit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/engine/aggregate.h"
#include "scheduler/engine/compress.h"
#include "scheduler/engine/csv_scan.h"
#include "scheduler/engine/decompress.h"
#include "scheduler/engine/key_order.h"
#include "scheduler/engine/sequence_file.h"
#include "tests/unit/scheduler/engine/memory_source.h"

/* ---- CSV ---- */

/* Lengths of the records, found in pieces of so many bytes. */
static size_t record_lengths(struct slice all, size_t piece, size_t lengths[16])
{
    struct csv_scan scan = {0};
    size_t count = 0, length = 0;
    for (size_t at = 0; at < all.len;) {
        size_t n = all.len - at < piece ? all.len - at : piece;
        bool ended;
        size_t used = csv_scan(&scan, (struct slice){all.base + at, n}, &ended);
        assert_true(used <= n && (ended || used == n));
        at += used;
        length += used;
        if (ended) {
            lengths[count++] = length;
            length = 0;
        }
    }
    if (length)
        lengths[count++] = length;
    return count;
}

static void records_of_csv_end_where_a_parser_ends_them(void **state)
{
    static const struct {
        const char *text;
        size_t lengths[16];
    } cases[] = {
        {"a,b\nc,d\n", {4, 4}},
        {"a,b\r\nc,d", {5, 3}},
        {"a\rb\r\rc", {2, 2, 1, 1}},
        {"\"x\ny\",2\n3,4\n", {8, 4}},
        {"\"he said \"\"no\n\"\"\"\n5\n", {18, 2}},
        {"5\" disk,\"a\nb\"\n6\n", {14, 2}}, /* a quote inside a field is a letter */
        {"\"a\"b\"\n\"c\n\"\n", {6, 5}},     /* so is what follows a closing one */
        {"\"open\nto the end", {16}},
        {",,\"\"\n\"\",\n", {5, 4}},
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        size_t want = 0;
        while (cases[i].lengths[want])
            want++;
        for (size_t piece = 1; piece < 20; piece++) {
            size_t got[16] = {0};
            assert_int_equal(record_lengths(text(cases[i].text), piece, got), want);
            assert_memory_equal(got, cases[i].lengths, sizeof got);
        }
    }
}

static void fields_become_tabs(void **state)
{
    struct buf b = {0};
    csv_to_tabs(text("a,\"b,\tc\",\"line\nbreak\",\"say \"\"x\"\"\",5\" disk,back\\slash,"), 0, &b);
    assert_string_equal(buf_cstr(&b), "a\tb,\\tc\tline\\nbreak\tsay \"x\"\t5\" disk\tback\\\\slash\t");
    buf_clear(&b);
    csv_to_tabs(text("a;\"b;c\""), ';', &b);
    assert_string_equal(buf_cstr(&b), "a\tb;c");
    buf_free(&b);
}

/* ---- compression ---- */

static const char *const suffixes[] = {".gz", ".deflate", ".bz2", ".zst", ".snappy", ".lz4"};

static struct buf decompress_all(const char *suffix, struct slice packed, size_t at_once, int *ret_rc)
{
    char name[32];
    snprintf(name, sizeof name, "file%s", suffix);
    struct memory m = {packed, 0, at_once};
    struct decompressor *d = NULL;
    struct buf out = {0};
    assert_int_equal(decompressor_new((struct byte_source){memory_read, &m}, name, &d, NULL), 0);
    struct byte_source s = decompressor_source(d);
    size_t got = 1;
    while (got) {
        uint8_t *to = buf_reserve(&out, 1000);
        if ((*ret_rc = s.read(s.context, to, 1000, &got, NULL)) < 0)
            break;
        out.len += got;
    }
    decompressor_free(d);
    return out;
}

static void what_was_compressed_comes_back(void **state)
{
    struct buf data = {0};
    srand(3);
    for (int i = 0; i < 30000; i++)
        buf_printf(&data, "%d line %d\n", i, rand() % 100);
    for (size_t i = 0; i < ARRAY_COUNT(suffixes); i++) {
        struct buf packed = {0};
        size_t half = 0;
        for (int part = 0; part < 2; part++) { /* two files one after the other are the two texts one after the other */
            struct compressor *c = compressor_new(suffixes[i]);
            for (size_t at = 0; at < data.len; at += 7000)
                compressor_add(c, data.base + at, data.len - at < 7000 ? data.len - at : 7000, &packed);
            compressor_end(c, &packed);
            compressor_free(c);
            half = part ? half : packed.len;
        }
        assert_true(half < data.len / 2);
        for (int k = 0; k < 2; k++) {
            int rc = -1;
            struct buf out = decompress_all(suffixes[i], buf_slice(&packed), k ? 777 : SIZE_MAX, &rc);
            assert_int_equal(rc, 0);
            assert_int_equal(out.len, 2 * data.len);
            assert_memory_equal(out.base, data.base, data.len);
            assert_memory_equal(out.base + data.len, data.base, data.len);
            buf_free(&out);
        }
        int rc = 0;
        struct buf out = decompress_all(suffixes[i], (struct slice){packed.base, half - 5}, SIZE_MAX, &rc);
        assert_true(rc < 0); /* cut short */
        buf_free(&out);
        out = decompress_all(suffixes[i], (struct slice){packed.base, 0}, SIZE_MAX, &rc);
        assert_true(rc == 0 && out.len == 0);
        buf_free(&out);
        out = decompress_all(suffixes[i], text("this is not compressed at all, by no means"), SIZE_MAX, &rc);
        assert_true(rc < 0);
        buf_free(&out);
        buf_free(&packed);
    }
    buf_free(&data);
    assert_false(decompressor_knows("file.txt"));
    assert_null(codec_suffix("org.apache.hadoop.io.compress.NoSuchCodec"));
    assert_string_equal(codec_suffix("org.apache.hadoop.io.compress.ZStandardCodec"), ".zst");
}

/* ---- SequenceFile ---- */

static void read_split(struct slice file, int64_t start, int64_t end, struct buf *to)
{
    struct memory m = {file, 0, 333};
    struct sequence_reader *r = NULL;
    assert_int_equal(sequence_reader_new((struct byte_source){memory_read, &m}, "file", &r, NULL), 0);
    assert_string_equal(sequence_reader_class(r, true), "org.apache.hadoop.io.Text");
    if (start) {
        m.at = (size_t)start;
        assert_int_equal(sequence_reader_sync(r, start, NULL), 0);
    }
    for (bool more = true; more;) {
        struct record record;
        assert_int_equal(sequence_reader_next(r, end, &record, &more, NULL), 0);
        if (!more)
            break;
        assert_int_equal(
            sequence_text("org.apache.hadoop.io.Text", (struct slice){record.key, record.key_len}, false, to, NULL), 0);
        buf_append(to, "=", 1);
        assert_int_equal(
            sequence_text("org.apache.hadoop.io.Text", (struct slice){record.value, record.value_len}, false, to, NULL),
            0);
        buf_append(to, "\n", 1);
    }
    sequence_reader_free(r);
}

static void sequence_files_come_back_at_every_split(void **state)
{
    static const char *const codecs[] = {NULL, "org.apache.hadoop.io.compress.DefaultCodec",
                                         "org.apache.hadoop.io.compress.SnappyCodec"};
    for (size_t c = 0; c < ARRAY_COUNT(codecs); c++) {
        struct sequence_writer *w = sequence_writer_new(codecs[c], 5);
        struct buf file = {0}, want = {0};
        for (int i = 0; i < 20000; i++) {
            char key[32], value[400];
            int k = snprintf(key, sizeof key, "key%d", i), v = snprintf(value, sizeof value, "%*d", i % 300, i);
            struct record r = {(const uint8_t *)key, (const uint8_t *)value, (uint32_t)k, (uint32_t)v};
            sequence_writer_add(w, &r, &file);
            buf_printf(&want, "%s=%s\n", key, value);
        }
        sequence_writer_end(w, &file);
        sequence_writer_free(w);
        static const int64_t sizes[] = {100000, 250000, 1 << 20, 1 << 30};
        for (size_t s = 0; s < ARRAY_COUNT(sizes); s++) {
            struct buf got = {0};
            for (int64_t at = 0; at < (int64_t)file.len; at += sizes[s])
                read_split(buf_slice(&file), at, at + sizes[s], &got);
            assert_int_equal(got.len, want.len);
            assert_memory_equal(got.base, want.base, want.len);
            buf_free(&got);
        }
        buf_free(&file);
        buf_free(&want);
    }
}

static void check_text(const char *class, const char *bytes, size_t len, bool hex, const char *want)
{
    struct buf b = {0};
    assert_int_equal(sequence_text(class, (struct slice){(const uint8_t *)bytes, len}, hex, &b, NULL), 0);
    assert_string_equal(buf_cstr(&b), want);
    buf_free(&b);
}

static void writables_are_written_as_java_does(void **state)
{
    check_text("org.apache.hadoop.io.IntWritable", "\xff\xff\xff\xfe", 4, false, "-2");
    check_text("org.apache.hadoop.io.LongWritable", "\0\0\0\1\0\0\0\0", 8, false, "4294967296");
    check_text("org.apache.hadoop.io.BytesWritable", "\0\0\0\2\xab\1", 6, true, "ab 01");
    check_text("org.apache.hadoop.io.NullWritable", "", 0, false, "(null)");
    check_text("org.apache.hadoop.io.BooleanWritable", "\1", 1, false, "true");
    check_text("org.apache.hadoop.io.FloatWritable", "\x3d\xcc\xcc\xcd", 4, false, "0.1");
    check_text("org.apache.hadoop.io.DoubleWritable", "\x40\x59\0\0\0\0\0\0", 8, false, "100.0");
    check_text("org.apache.hadoop.io.DoubleWritable", "\x41\x63\x12\xd0\0\0\0\0", 8, false, "1.0E7");
    check_text("org.apache.hadoop.io.DoubleWritable", "\x3f\x1a\x36\xe2\xeb\x1c\x43\x2d", 8, false, "1.0E-4");
    check_text("org.apache.hadoop.io.DoubleWritable", "\0\0\0\0\0\0\0\0", 8, false, "0.0");
    check_text("org.apache.hadoop.io.DoubleWritable", "\xbf\xf8\0\0\0\0\0\0", 8, false, "-1.5");
    struct buf b = {0};
    assert_int_equal(sequence_text("my.Own", text("x"), false, &b, NULL), ERR_UNSUPPORTED);
    assert_true(sequence_text("org.apache.hadoop.io.Text",
                              (struct slice){(const uint8_t *)"\x05"
                                                              "abc",
                                             4},
                              false, &b, NULL) < 0);
    static const int64_t numbers[] = {0,   -1,   127,  -112,      128,       -113,     255,
                                      256, -256, -257, INT32_MAX, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        buf_clear(&b);
        wr_java_vint(&b, numbers[i]);
        struct rd rd = rd_of(buf_slice(&b));
        assert_true(rd_java_vint(&rd) == numbers[i] && !rd.bad && rd_left(&rd) == 0);
    }
    buf_free(&b);
}

/* ---- aggregate ---- */

static int aggregated(const char *in, bool combine, char *out, size_t room)
{
    FILE *from = fmemopen((void *)(uintptr_t)in, strlen(in), "r"), *to = fmemopen(out, room, "w");
    int rc = aggregate(from, to, combine, NULL);
    fclose(from);
    fclose(to);
    return rc;
}

static void aggregate_sums_and_says_what_it_cannot(void **state)
{
    static const char in[] = "DoubleValueSum:d\t0.5\nDoubleValueSum:d\t1\nLongValueMax:m\t-5\nLongValueMax:m\t-7\n"
                             "LongValueSum:a:b\t1\nLongValueSum:a:b\t2\nStringValueMin:s\tb\nStringValueMin:s\ta\n"
                             "UniqValueCount:u\tx\nUniqValueCount:u\ty\nUniqValueCount:u\tx";
    char out[1000] = "";
    assert_int_equal(aggregated(in, false, out, sizeof out), 0);
    assert_string_equal(out, "d\t1.5\nm\t-5\na:b\t3\ns\ta\nu\t2\n");
    assert_int_equal(aggregated(in, true, out, sizeof out), 0);
    assert_string_equal(out, "DoubleValueSum:d\t1.5\nLongValueMax:m\t-5\nLongValueSum:a:b\t3\nStringValueMin:s\ta\n"
                             "UniqValueCount:u\tx\nUniqValueCount:u\ty\n");
    static const char histogram[] =
        "ValueHistogram:h\tb\t3\nValueHistogram:h\ta\nValueHistogram:h\tc d\te\t4\nValueHistogram:h\ta\t1\n"
        "ValueHistogram:i\tx";
    memset(out, 0, sizeof out);
    assert_int_equal(aggregated(histogram, true, out, sizeof out), 0);
    assert_string_equal(
        out, "ValueHistogram:h\ta\t2\nValueHistogram:h\tb\t3\nValueHistogram:h\tc d\te\t4\nValueHistogram:i\tx\t1\n");
    memset(out, 0, sizeof out);
    assert_int_equal(aggregated(histogram, false, out, sizeof out), 0);
    assert_string_equal(out, "h\t3\t2\t3\t4\t3.0\t0.816496580927726\ni\t1\t1\t1\t1\t1.0\t0.0\n");
    static const char *const bad[] = {"no type\t1\n",           "ValueHistogram:a\tx\ty\n",
                                      "LongValueSum\t1\n",      "Unknown:a\t1\n",
                                      "LongValueSum:a\tx\n",    "LongValueSum:a\n",
                                      "DoubleValueSum:a\t1x\n", "LongValueSum:a\t99999999999999999999\n"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        assert_int_equal(aggregated(bad[i], false, out, sizeof out), ERR_ILLEGAL_ARGUMENT);
}

/* ---- orders of keys ---- */

static int order_of(const char *a, const char *b, bool numeric, bool reverse)
{
    struct buf x = {0}, y = {0};
    sort_key_append(&x, text(a), numeric, reverse);
    sort_key_append(&y, text(b), numeric, reverse);
    int order = memcmp(x.base, y.base, x.len < y.len ? x.len : y.len);
    assert_true(order || x.len == y.len); /* neither begins the other */
    buf_free(&x);
    buf_free(&y);
    return order;
}

static void sort_keys_order_as_numbers_and_texts_do(void **state)
{
    static const char *const numbers[] = {"-1000", "-999.5", "-10",  "-9",   "-1.25", "-1.2",
                                          "-0.5",  "0",      "0.05", "0.5",  "1",     "1.2",
                                          "9",     "10",     "0012", "99.9", "1000",  "12345678901234567890"};
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++)
        for (size_t k = 0; k < ARRAY_COUNT(numbers); k++) {
            int order = order_of(numbers[i], numbers[k], true, false),
                back = order_of(numbers[i], numbers[k], true, true);
            assert_true(i < k ? order < 0 : i > k ? order > 0 : order == 0);
            assert_true(i < k ? back > 0 : i > k ? back < 0 : back == 0);
        }
    assert_int_equal(order_of("1.50", " 1.5x", true, false), 0);
    assert_int_equal(order_of("-0", "", true, false), 0);
    assert_int_equal(order_of("abc", "0", true, false), 0);
    assert_true(order_of("a", "ab", false, false) < 0 && order_of("a", "ab", false, true) > 0);
    assert_true(order_of("", "a", false, false) < 0 && order_of("b", "ab", false, false) > 0);
}

static void encoded_records_come_back(void **state)
{
    Cairn__JobSpecProto job = CAIRN__JOB_SPEC_PROTO__INIT;
    Cairn__PropertyProto class = CAIRN__PROPERTY_PROTO__INIT, options = CAIRN__PROPERTY_PROTO__INIT,
                         *list[] = {&class, &options};
    class.name = "mapreduce.job.output.key.comparator.class";
    class.value = "org.apache.hadoop.mapreduce.lib.partition.KeyFieldBasedComparator";
    options.name = "mapreduce.partition.keycomparator.options";
    options.value = "-k2,2nr -k1,1";
    job.properties = list;
    job.n_properties = 2;
    struct key_order o;
    assert_int_equal(key_order_open(&job, &o, NULL), 0);
    struct record r = {(const uint8_t *)"a\t10", (const uint8_t *)"value", 4, 5},
                  other = {(const uint8_t *)"a\t9", NULL, 3, 0};
    struct record e = key_order_encode(&o, &r);
    struct buf first = {0};
    buf_append(&first, e.key, e.key_len);
    struct record back = e;
    assert_int_equal(key_order_decode(&o, &back, NULL), 0);
    assert_true(back.key_len == 4 && back.value_len == 5 && !memcmp(back.key, "a\t10", 4) &&
                !memcmp(back.value, "value", 5));
    e = key_order_encode(&o, &other);
    assert_true(memcmp(first.base, e.key, first.len < e.key_len ? first.len : e.key_len) < 0); /* 10 before 9 */
    struct record bad = {(const uint8_t *)"k", (const uint8_t *)"vvvv", 1, 4};
    assert_true(key_order_decode(&o, &bad, NULL) < 0);
    buf_free(&first);
    key_order_close(&o);
    options.value = "-k2,2x";
    assert_int_equal(key_order_open(&job, &o, NULL), ERR_CONFIG);
    class.value = "my.Comparator";
    assert_int_equal(key_order_open(&job, &o, NULL), ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_csv_end_where_a_parser_ends_them),
        cmocka_unit_test(fields_become_tabs),
        cmocka_unit_test(what_was_compressed_comes_back),
        cmocka_unit_test(sequence_files_come_back_at_every_split),
        cmocka_unit_test(writables_are_written_as_java_does),
        cmocka_unit_test(aggregate_sums_and_says_what_it_cannot),
        cmocka_unit_test(sort_keys_order_as_numbers_and_texts_do),
        cmocka_unit_test(encoded_records_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

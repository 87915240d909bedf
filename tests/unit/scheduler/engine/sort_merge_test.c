/* Sorting in a buffer, run files and merging, against plain sorting; and what damaged runs give. */
#include "tests/unit/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scheduler/engine/merge.h"
#include "scheduler/engine/sort_buffer.h"

#define PARTITIONS 3
#define RUNS       5

struct pair {
    uint32_t partition;
    char key[40], value[16];
    uint32_t key_len;
};

static struct pair random_pair(void)
{
    struct pair p = {.partition = (uint32_t)rand() % PARTITIONS};
    p.key_len = (uint32_t)rand() % (rand() % 4 ? 4 : 30);
    for (uint32_t i = 0; i < p.key_len; i++)
        p.key[i] = (char)(rand() % 3 ? 'a' : rand() % 256);
    snprintf(p.value, sizeof p.value, "%d", rand() % 1000);
    return p;
}

static struct record record_of(const struct pair *p)
{
    return (struct record){(const uint8_t *)p->key, (const uint8_t *)p->value, p->key_len, (uint32_t)strlen(p->value)};
}

static int by_partition_and_key(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->partition != y->partition)
        return x->partition < y->partition ? -1 : 1;
    struct record rx = record_of(x), ry = record_of(y);
    return record_key_compare(&rx, &ry);
}

static void sorted_buffer_has_the_order_of_qsort(void **state)
{
    for (unsigned seed = 1; seed <= 40; seed++) {
        srand(seed);
        size_t n = (size_t)rand() % 3000;
        struct pair *pairs = calloc(n + 1, sizeof *pairs);
        struct sort_buffer *s = sort_buffer_new(1 << 20);
        for (size_t i = 0; i < n; i++) {
            pairs[i] = random_pair();
            struct record r = record_of(&pairs[i]);
            assert_true(sort_buffer_add(s, pairs[i].partition, &r));
        }
        sort_buffer_sort(s);
        qsort(pairs, n, sizeof *pairs, by_partition_and_key);
        assert_int_equal(sort_buffer_count(s), n);
        for (size_t i = 0; i < n; i++) {
            uint32_t partition;
            struct record r = sort_buffer_at(s, i, &partition), want = record_of(&pairs[i]);
            assert_int_equal(partition, pairs[i].partition);
            assert_int_equal(record_key_compare(&r, &want), 0);
        }
        sort_buffer_free(s);
        free(pairs);
    }
}

/* So many that they are distributed: keys of few letters and of all bytes, few and many partitions. */
static void many_records_are_ordered(void **state)
{
    static const uint32_t partitions[] = {1, 2, 200, 256, 1000};
    for (unsigned seed = 0; seed < 2 * ARRAY_COUNT(partitions); seed++) {
        srand(seed);
        struct sort_buffer *s = sort_buffer_new(32 << 20);
        uint64_t sum = 0;
        size_t n = 50000;
        for (size_t i = 0; i < n; i++) {
            uint8_t key[24];
            size_t len = (size_t)rand() % (sizeof key + 1);
            for (size_t c = 0; c < len; c++)
                key[c] = (uint8_t)(seed % 2 ? rand() : 'a' + rand() % 2 * (c % 8 == 7));
            struct record r = {key, key, (uint32_t)len, 0};
            uint32_t partition = (uint32_t)rand() % partitions[seed / 2];
            sum += partition * 31 + len * (len ? key[len - 1] : 1);
            assert_true(sort_buffer_add(s, partition, &r));
        }
        sort_buffer_sort(s);
        uint32_t last_partition = 0, partition;
        struct record last = {0};
        for (size_t i = 0; i < n; i++) {
            struct record r = sort_buffer_at(s, i, &partition);
            sum -= partition * 31 + r.key_len * (r.key_len ? r.key[r.key_len - 1] : 1);
            assert_true(i == 0 || partition > last_partition ||
                        (partition == last_partition && record_key_compare(&last, &r) <= 0));
            last = r;
            last_partition = partition;
        }
        assert_int_equal(sum, 0);
        sort_buffer_free(s);
    }
}

static void inputs_that_defeat_quicksort_end_soon(void **state)
{
    struct sort_buffer *s = sort_buffer_new(64 << 20);
    char key[16];
    for (int i = 0; i < 300000; i++) { /* organ pipe, many equal */
        int n = snprintf(key, sizeof key, "%08d", i < 150000 ? i / 3 : (300000 - i) / 3);
        struct record r = {(const uint8_t *)key, (const uint8_t *)"", (uint32_t)n, 0};
        assert_true(sort_buffer_add(s, 0, &r));
    }
    sort_buffer_sort(s);
    struct record last = {0};
    for (size_t i = 0; i < 300000; i++) {
        uint32_t partition;
        struct record r = sort_buffer_at(s, i, &partition);
        if (i)
            assert_true(record_key_compare(&last, &r) <= 0);
        last = r;
    }
    sort_buffer_free(s);
}

/* Long common beginnings, keys that are beginnings of others, zero bytes, and keys longer than the recursion goes. */
static void long_and_nested_keys_are_ordered(void **state)
{
    for (unsigned seed = 1; seed <= 20; seed++) {
        srand(seed);
        struct sort_buffer *s = sort_buffer_new(32 << 20);
        uint8_t key[2000];
        for (int i = 0; i < 4000; i++) {
            size_t common = seed % 3 == 0 ? 1500 : seed % 3 == 1 ? 24 : 0, n = common + (size_t)rand() % 20;
            memset(key, seed % 2 ? 0 : 'a', sizeof key);
            if (n && rand() % 3)
                key[(size_t)rand() % n] = (uint8_t)(rand() % 3);
            if (rand() % 4 == 0)
                n = (size_t)rand() % (n + 1);
            struct record r = {key, key, (uint32_t)n, 0};
            assert_true(sort_buffer_add(s, (uint32_t)rand() % 2, &r));
        }
        sort_buffer_sort(s);
        uint32_t last_partition = 0, partition;
        struct record last = sort_buffer_at(s, 0, &last_partition);
        for (size_t i = 1; i < sort_buffer_count(s); i++) {
            struct record r = sort_buffer_at(s, i, &partition);
            assert_true(partition > last_partition ||
                        (partition == last_partition && record_key_compare(&last, &r) <= 0));
            last = r;
            last_partition = partition;
        }
        sort_buffer_free(s);
    }
}

static bool repeats(const char *const *keys, size_t n)
{
    struct sort_buffer *s = sort_buffer_new(1 << 20);
    for (size_t i = 0; i < n; i++) { /* a key begins with its partition */
        struct record r = {(const uint8_t *)keys[i] + 1, (const uint8_t *)"v", (uint32_t)strlen(keys[i] + 1), 1};
        assert_true(sort_buffer_add(s, (uint32_t)(keys[i][0] - '0'), &r));
    }
    sort_buffer_sort(s);
    bool found = sort_buffer_repeats_a_key(s);
    sort_buffer_free(s);
    return found;
}

static void repeated_keys_are_found(void **state)
{
    static const char *const different[] = {"0long key, one", "1", "0", "0long key, on", "1long key, one",
                                            "0long key, two"};
    static const char *const empty_twice[] = {"0", "1a", "0"}, *const long_twice[] = {"1a long key", "0b",
                                                                                      "1a long key"};
    assert_false(repeats(different, 0));
    assert_false(repeats(different, 1));
    assert_false(repeats(different, 6));
    assert_true(repeats(empty_twice, 3));
    assert_true(repeats(long_twice, 3));
}

static void full_buffer_says_so_and_can_be_used_again(void **state)
{
    struct sort_buffer *s = sort_buffer_new(4096);
    struct pair p = {.key = "key", .key_len = 3, .value = "v"};
    struct record r = record_of(&p);
    size_t n = 0;
    while (sort_buffer_add(s, 0, &r))
        n++;
    assert_in_range(n, 100, 4096 / 28);
    sort_buffer_clear(s);
    assert_true(sort_buffer_add(s, 0, &r));
    static uint8_t large[8192];
    struct record too_large = {large, large, sizeof large, 0};
    sort_buffer_clear(s);
    assert_false(sort_buffer_add(s, 0, &too_large));
    sort_buffer_free(s);
}

static void run_path(char out[64], const char *dir, size_t i)
{
    snprintf(out, 64, "%s/run%zu", dir, i);
}

static void merged_runs_are_all_records_in_order(void **state)
{
    char dir[] = "/tmp/cairn-merge.XXXXXX";
    assert_non_null(mkdtemp(dir));
    for (unsigned seed = 1; seed <= 12; seed++) {
        struct pair *all = calloc(RUNS * 4000, sizeof *all);
        size_t total = 0;
        srand(seed);
        for (size_t i = 0; i < RUNS; i++) {
            char path[64];
            run_path(path, dir, i);
            struct run_writer *w = NULL;
            assert_int_equal(run_writer_new(path, PARTITIONS, (enum block_codec)(i % 3), &w, NULL), 0);
            size_t n = seed == 1 ? 0 : (size_t)rand() % 4000;
            for (size_t k = 0; k < n; k++)
                all[total + k] = random_pair();
            qsort(all + total, n, sizeof *all, by_partition_and_key);
            for (size_t k = 0; k < n; k++) {
                struct record r = record_of(&all[total + k]);
                assert_int_equal(run_writer_add(w, all[total + k].partition, &r, NULL), 0);
            }
            assert_int_equal(run_writer_finish(w, NULL, NULL), 0);
            total += n;
        }
        qsort(all, total, sizeof *all, by_partition_and_key);
        size_t seen = 0;
        for (uint32_t partition = 0; partition < PARTITIONS; partition++) {
            struct run_reader *readers[RUNS];
            int fds[RUNS];
            for (size_t i = 0; i < RUNS; i++) {
                char path[64];
                struct run_extent where;
                run_path(path, dir, i);
                fds[i] = open(path, O_RDONLY);
                assert_int_equal(run_index_read(path, partition, &where, NULL), 0);
                assert_int_equal(run_reader_file(fds[i], where, 64 + (size_t)rand() % 100, &readers[i], NULL), 0);
            }
            struct merge *m = NULL;
            struct record r;
            assert_int_equal(merge_new(readers, RUNS, &m, NULL), 0);
            for (bool more = true; merge_next(m, &r, &more, NULL) == 0 && more; seen++) {
                struct record want = record_of(&all[seen]);
                assert_int_equal(all[seen].partition, partition);
                assert_int_equal(record_key_compare(&r, &want), 0);
            }
            merge_free(m);
            for (size_t i = 0; i < RUNS; i++)
                close(fds[i]);
        }
        assert_int_equal(seen, total);
        free(all);
    }
    for (size_t i = 0; i < RUNS; i++) {
        char path[64], index[80];
        run_path(path, dir, i);
        snprintf(index, sizeof index, "%s.index", path);
        unlink(path);
        unlink(index);
    }
    rmdir(dir);
}

static void flip_every_byte(enum block_codec codec)
{
    char path[] = "/tmp/cairn-run.XXXXXX", index[64];
    close(mkstemp(path));
    struct run_writer *w = NULL;
    assert_int_equal(run_writer_new(path, 1, codec, &w, NULL), 0);
    for (int i = 0; i < 20; i++) {
        char key[8];
        int n = snprintf(key, sizeof key, "k%02d", i);
        struct record r = {(const uint8_t *)key, (const uint8_t *)"value", (uint32_t)n, 5};
        assert_int_equal(run_writer_add(w, 0, &r, NULL), 0);
    }
    assert_int_equal(run_writer_finish(w, NULL, NULL), 0);
    struct run_extent where;
    assert_int_equal(run_index_read(path, 0, &where, NULL), 0);
    int fd = open(path, O_RDWR);
    for (int64_t at = 0; at < where.bytes; at++) {
        if (at >= 4 && at < 8)
            continue; /* the partition's number: checked by who asked for it */
        uint8_t good, bad;
        assert_int_equal(pread(fd, &good, 1, at), 1);
        bad = good ^ 0x41;
        assert_int_equal(pwrite(fd, &bad, 1, at), 1);
        struct run_reader *r = NULL;
        struct record record;
        bool more = true;
        int rc = run_reader_file(fd, where, 32, &r, NULL);
        while (rc == 0 && more)
            rc = run_reader_next(r, &record, &more, NULL);
        assert_true(rc < 0);
        run_reader_free(r);
        assert_int_equal(pwrite(fd, &good, 1, at), 1);
    }
    close(fd);
    snprintf(index, sizeof index, "%s.index", path);
    unlink(path);
    unlink(index);
}

static void every_flipped_byte_is_noticed(void **state)
{
    flip_every_byte(BLOCK_RAW);
    flip_every_byte(BLOCK_LZ4);
    flip_every_byte(BLOCK_ZSTD);
}

/* Larger than a block, larger than a read buffer, and what compression makes smaller. */
static void large_records_come_back(void **state)
{
    enum { LARGE = 3 << 20 };
    char path[] = "/tmp/cairn-run.XXXXXX", index[64];
    close(mkstemp(path));
    uint8_t *value = calloc(1, LARGE);
    for (size_t i = 0; i < LARGE; i++)
        value[i] = (uint8_t)(i / 1000);
    for (int codec = BLOCK_RAW; codec <= BLOCK_ZSTD; codec++) {
        struct run_writer *w = NULL;
        int64_t bytes = 0;
        assert_int_equal(run_writer_new(path, 1, (enum block_codec)codec, &w, NULL), 0);
        for (uint32_t len = 0; len <= LARGE; len = len * 4 + 1) {
            struct record r = {(const uint8_t *)"key", value, 3, len};
            assert_int_equal(run_writer_add(w, 0, &r, NULL), 0);
        }
        assert_int_equal(run_writer_finish(w, &bytes, NULL), 0);
        assert_true(codec == BLOCK_RAW ? bytes > 1 << 20 : bytes < 1 << 18);
        struct run_extent where;
        assert_int_equal(run_index_read(path, 0, &where, NULL), 0);
        int fd = open(path, O_RDONLY);
        struct run_reader *reader = NULL;
        assert_int_equal(run_reader_file(fd, where, 16384, &reader, NULL), 0);
        struct record r;
        bool more = true;
        for (uint32_t len = 0; len <= LARGE; len = len * 4 + 1) {
            assert_int_equal(run_reader_next(reader, &r, &more, NULL), 0);
            assert_true(more && r.value_len == len && !memcmp(r.value, value, len));
        }
        assert_int_equal(run_reader_next(reader, &r, &more, NULL), 0);
        assert_false(more);
        run_reader_free(reader);
        close(fd);
    }
    free(value);
    snprintf(index, sizeof index, "%s.index", path);
    unlink(path);
    unlink(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorted_buffer_has_the_order_of_qsort),
        cmocka_unit_test(many_records_are_ordered),
        cmocka_unit_test(inputs_that_defeat_quicksort_end_soon),
        cmocka_unit_test(long_and_nested_keys_are_ordered),
        cmocka_unit_test(repeated_keys_are_found),
        cmocka_unit_test(full_buffer_says_so_and_can_be_used_again),
        cmocka_unit_test(merged_runs_are_all_records_in_order),
        cmocka_unit_test(every_flipped_byte_is_noticed),
        cmocka_unit_test(large_records_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

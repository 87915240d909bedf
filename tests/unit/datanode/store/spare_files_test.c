/* Which files are emptied to be used again, and that the store gives nobody's bytes away with them. */
#include "tests/unit/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/net.h"
#include "datanode/store/block_store.h"
#include "datanode/store/replica_writer.h"
#include "datanode/store/spare_files.h"

static char folder[64], path[96];

static int setup(void **state)
{
    strcpy(folder, "/tmp/spare_files_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    assert_int_equal(file_write_atomic(path, "text", 4, 0644, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    return file_remove_tree(folder, NULL);
}

static int64_t bytes_of(const char *name)
{
    struct stat st;
    return stat(name, &st) < 0 ? -1 : (int64_t)st.st_size;
}

static void what_nobody_has_open_is_emptied(void **state)
{
    assert_true(spare_file_empty(path));
    assert_int_equal(bytes_of(path), 0);
    assert_true(spare_file_empty(path));
}

static void what_somebody_has_open_is_left_alone(void **state)
{
    static const int ways[] = {O_RDONLY, O_WRONLY, O_RDWR};
    for (size_t i = 0; i < 3; i++) {
        int fd = open(path, ways[i]);
        assert_true(fd >= 0);
        assert_false(spare_file_empty(path));
        assert_int_equal(bytes_of(path), 4);
        close(fd);
    }
    assert_true(spare_file_empty(path));
}

static void what_somebody_has_mapped_is_left_alone(void **state)
{
    int fd = open(path, O_RDONLY);
    char *text = mmap(NULL, 4, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(text != MAP_FAILED);
    close(fd);
    assert_false(spare_file_empty(path));
    assert_memory_equal(text, "text", 4);
    munmap(text, 4);
    assert_true(spare_file_empty(path));
}

static void what_is_not_an_ordinary_file_of_ours_is_left_alone(void **state)
{
    char other[96];
    snprintf(other, sizeof other, "%s/other", folder);
    assert_false(spare_file_empty(other));
    assert_int_equal(symlink(path, other), 0);
    assert_false(spare_file_empty(other));
    assert_int_equal(unlink(other) + link(path, other), 0);
    assert_false(spare_file_empty(path));
    assert_int_equal(bytes_of(path), 4);
    assert_int_equal(unlink(other) + mkfifo(other, 0644), 0);
    assert_false(spare_file_empty(other));
}

static void there_are_enough_at_some_point(void **state)
{
    struct spare_files s = {0};
    uint64_t n;
    assert_false(spare_files_take(&s, &n));
    for (uint64_t i = 0; i < SPARE_FILES_MAX; i++) {
        assert_true(spare_files_want(&s));
        spare_files_put(&s, i);
    }
    assert_false(spare_files_want(&s));
    for (uint64_t i = SPARE_FILES_MAX; i-- > 0;) {
        assert_true(spare_files_take(&s, &n));
        assert_int_equal(n, i);
    }
    assert_false(spare_files_take(&s, &n));
    spare_files_free(&s);
}

/* ---- in a store ---- */

#define REPLICAS 20
#define BYTES    3000

static void write_replica(struct block_store *s, uint64_t id, uint8_t fill)
{
    static const struct meta_header crc32c = {CHECKSUM_CRC32C, 512};
    struct replica_create c = {.block_id = id, .gen_stamp = 1001, .meta = crc32c};
    struct replica_writer *w;
    struct replica_view v;
    uint8_t data[BYTES], checksums[BYTES / 512 * 4 + 4];
    memset(data, fill, sizeof data);
    checksum_chunks(CHECKSUM_CRC32C, data, sizeof data, 512, checksums);
    struct write_piece p = {.data = data, .data_bytes = sizeof data, .checksums = checksums};
    assert_int_equal(block_store_create_rbw(s, &c, &w, NULL), 0);
    assert_int_equal(replica_writer_write(w, &p, &crc32c, NULL), 0);
    assert_int_equal(replica_writer_finalize(w, false, &v, NULL), 0);
}

static void assert_filled(int fd, uint8_t fill)
{
    uint8_t data[BYTES];
    assert_int_equal(lseek(fd, 0, SEEK_END), BYTES);
    assert_int_equal(file_pread_full(fd, data, sizeof data, 0, NULL), 0);
    for (size_t i = 0; i < sizeof data; i++)
        assert_int_equal(data[i], fill);
}

static size_t files_in_tmp(size_t *ret_empty)
{
    char tmp[160];
    size_t count = 0;
    snprintf(tmp, sizeof tmp, "%s/data/current/BP-1/tmp", folder);
    DIR *dir = opendir(tmp);
    assert_non_null(dir);
    *ret_empty = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        struct stat st;
        if (e->d_name[0] == '.' || fstatat(dirfd(dir), e->d_name, &st, 0) < 0)
            continue;
        count++;
        *ret_empty += st.st_size == 0;
    }
    closedir(dir);
    return count;
}

static void await_spares(size_t count)
{
    size_t empty, there;
    int64_t end = clock_mono_ms() + 20000;
    do
        there = files_in_tmp(&empty);
    while ((there != count || empty != count) && clock_mono_ms() < end && usleep(1000) == 0);
    assert_int_equal(there, count);
    assert_int_equal(empty, count);
}

static void the_next_replicas_take_the_files_that_nobody_reads(void **state)
{
    static const struct pool_identity pool = {"BP-1", "CID-1", 42, 1000};
    char dir[96];
    snprintf(dir, sizeof dir, "%s/data", folder);
    struct block_store_options o = {.data_dirs = dir};
    struct block_store *s;
    struct replica_reader readers[REPLICAS];
    assert_int_equal(block_store_open(&o, &s, NULL), 0);
    assert_int_equal(block_store_open_pool(s, &pool, NULL), 0);
    for (uint64_t id = 0; id < REPLICAS; id++)
        write_replica(s, id, 'a');
    for (uint64_t id = 0; id < REPLICAS; id += 2)
        assert_int_equal(block_store_open_reader(s, id, 0, 0, &readers[id], NULL), 0);
    for (uint64_t id = 0; id < REPLICAS; id++) {
        struct replica_view v;
        assert_int_equal(block_store_delete(s, id, 1001, &v, NULL), 0);
    }
    await_spares(REPLICAS); /* two of every second replica */
    uint64_t end = 100;
    size_t empty; /* one may be seen here a moment before the store counts it: then it is taken by a later one */
    while (end < 100 + REPLICAS || (files_in_tmp(&empty) && end < 100 + 4 * REPLICAS))
        write_replica(s, end++, 'b');
    await_spares(0);
    for (uint64_t id = 0; id < REPLICAS; id += 2) {
        assert_filled(readers[id].data_fd, 'a');
        replica_reader_close(&readers[id]);
    }
    for (uint64_t id = 100; id < end; id++) {
        assert_int_equal(block_store_open_reader(s, id, 0, 0, &readers[0], NULL), 0);
        assert_filled(readers[0].data_fd, 'b');
        replica_reader_close(&readers[0]);
    }
    block_store_close(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_nobody_has_open_is_emptied),        TEST(what_somebody_has_open_is_left_alone),
        TEST(what_somebody_has_mapped_is_left_alone), TEST(what_is_not_an_ordinary_file_of_ours_is_left_alone),
        TEST(there_are_enough_at_some_point),         TEST(the_next_replicas_take_the_files_that_nobody_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

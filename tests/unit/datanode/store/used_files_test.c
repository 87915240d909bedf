/* What a store finds where it makes a replica's file: another replica's, emptied, or one that was left behind. */
#include "tests/unit/check.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/net.h"
#include "datanode/store/block_store.h"
#include "datanode/store/replica_writer.h"

#define BYTES (1 << 20)
#define TRIES 50

static const struct meta_header unchecked = {CHECKSUM_NULL, 512};

static char folder[64];
static struct block_store *store;

static int setup(void **state)
{
    static const struct pool_identity pool = {"BP-1", "CID-1", 42, 1000};
    strcpy(folder, "/tmp/used_files_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    struct block_store_options o = {.data_dirs = folder};
    assert_int_equal(block_store_open(&o, &store, NULL), 0);
    assert_int_equal(block_store_open_pool(store, &pool, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    block_store_close(store);
    return file_remove_tree(folder, NULL);
}

static void write_replica(uint64_t id)
{
    static const uint8_t data[BYTES] = {42};
    struct replica_create c = {.block_id = id, .gen_stamp = 1001, .meta = unchecked};
    struct write_piece p = {.data = data, .data_bytes = sizeof data};
    struct replica_writer *w;
    struct replica_view v;
    assert_int_equal(block_store_create_rbw(store, &c, &w, NULL), 0);
    assert_int_equal(replica_writer_write(w, &p, &unchecked, NULL), 0);
    assert_int_equal(replica_writer_finalize(w, false, &v, NULL), 0);
}

static struct stat status_of(uint64_t id)
{
    struct replica_reader r;
    struct stat st;
    assert_int_equal(block_store_open_reader(store, id, 0, 0, &r, NULL), 0);
    assert_int_equal(fstat(r.data_fd, &st), 0);
    replica_reader_close(&r);
    return st;
}

/* Are all its bytes only in memory, as far as the file system says that? */
static bool is_delayed(uint64_t id)
{
    struct {
        struct fiemap map;
        struct fiemap_extent first;
    } ask = {.map = {.fm_length = BYTES, .fm_extent_count = 1}};
    struct replica_reader r;
    assert_int_equal(block_store_open_reader(store, id, 0, 0, &r, NULL), 0);
    int rc = ioctl(r.data_fd, FS_IOC_FIEMAP, &ask);
    replica_reader_close(&r);
    return rc == 0 && ask.map.fm_mapped_extents == 1 && (ask.first.fe_flags & FIEMAP_EXTENT_DELALLOC);
}

static void delete_replica(uint64_t id)
{
    struct replica_view v;
    assert_int_equal(block_store_delete(store, id, 1001, &v, NULL), 0);
}

static void what_is_written_to_a_used_file_waits_as_in_a_new_one(void **state)
{
    bool in_new = false, in_used = false;
    size_t used = 0;
    for (uint64_t i = 0; i < TRIES && !in_used; i++) { /* the kernel may begin to write on its own */
        write_replica(2 * i);
        in_new |= is_delayed(2 * i);
        ino_t inode = status_of(2 * i).st_ino;
        delete_replica(2 * i);
        int64_t end = clock_mono_ms() + 100;
        do { /* until its deletion is through */
            write_replica(2 * i + 1);
            bool is_used = status_of(2 * i + 1).st_ino == inode;
            used += is_used;
            in_used |= is_used && is_delayed(2 * i + 1);
            if (is_used)
                break;
            delete_replica(2 * i + 1);
        } while (clock_mono_ms() < end);
    }
    if (!in_new)
        skip(); /* a file system that does not say it, or cannot */
    assert_true(used > 0);
    assert_true(in_used);
}

static void what_was_left_behind_is_no_part_of_a_new_replica(void **state)
{
    static const uint8_t old[2 * BYTES] = {1};
    char path[160];
    snprintf(path, sizeof path, "%s/current/BP-1/current/rbw/blk_7", folder);
    assert_int_equal(file_write_atomic(path, (const char *)old, sizeof old, 0644, NULL), 0);
    write_replica(7);
    assert_int_equal(status_of(7).st_size, BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_to_a_used_file_waits_as_in_a_new_one, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_left_behind_is_no_part_of_a_new_replica, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Replicas that share a data file: nobody can tell, whatever happens to one of them, and the disk's use is right. */
#include "tests/unit/check.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "datanode/store/block_store.h"
#include "datanode/store/replica_writer.h"
#include "datanode/store/scrubber.h"
#include "hdfs/common.pb-c.h"
#include "proto/zero_block.h"

#define BPC    512
#define LENGTH 100100
static const struct meta_header crc32c = {CHECKSUM_CRC32C, BPC};
static const struct pool_identity pool = {"BP-1", "CID-1", 42, 1000};

static char folder[64];
static struct block_store *store;
static uint32_t small_bytes;
static uint8_t bytes[2 * LENGTH];

static void open_store(void)
{
    struct err why;
    char dirs[256];
    snprintf(dirs, sizeof dirs, "[DISK]%s/a,[SSD]%s/b", folder, folder);
    struct block_store_options o = {.data_dirs = dirs, .small_bytes = small_bytes};
    if (block_store_open(&o, &store, &why) < 0 || block_store_open_pool(store, &pool, &why) < 0)
        fail_msg("%s", why.text);
}

static int setup(void **state)
{
    strcpy(folder, "/tmp/clone_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    open_store();
    return 0;
}

static int setup_small(void **state)
{
    small_bytes = 2 * LENGTH;
    return setup(state);
}

static int teardown(void **state)
{
    block_store_close(store);
    small_bytes = 0;
    return file_remove_tree(folder, NULL);
}

static void restart(void)
{
    block_store_close(store);
    open_store();
}

static void write_rest(struct replica_writer *w, uint64_t from, uint64_t to)
{
    struct replica_view v;
    struct err why;
    struct write_piece p = {.offset = from, .data = bytes + from, .data_bytes = to - from};
    if (replica_writer_write(w, &p, &crc32c, &why) < 0 || replica_writer_finalize(w, false, &v, &why) < 0)
        fail_msg("%s", why.text);
}

static void make(uint64_t id)
{
    struct replica_create c = {
        .block_id = id, .gen_stamp = 1001, .meta = crc32c, .storage_type = HDFS__STORAGE_TYPE_PROTO__DISK};
    struct replica_writer *w;
    assert_int_equal(block_store_create_rbw(store, &c, &w, NULL), 0);
    write_rest(w, 0, LENGTH);
}

static int try_clone(uint64_t from, uint64_t gen_stamp, uint64_t length, uint64_t to)
{
    struct replica_view v;
    struct replica_clone c = {from, gen_stamp, length, to, 2000 + to};
    struct err why;
    int rc = block_store_clone(store, &c, &v, &why);
    if (rc == 0)
        assert_true(v.block_id == to && v.gen_stamp == 2000 + to && v.state == REPLICA_FINALIZED &&
                    v.disk_bytes == length && v.xxh3 == xxh3_of(bytes, length));
    return rc;
}

static void clone(uint64_t from, uint64_t gen_stamp, uint64_t to)
{
    assert_int_equal(try_clone(from, gen_stamp, LENGTH, to), 0);
}

static void drop(uint64_t id)
{
    struct replica_view v;
    assert_int_equal(block_store_delete(store, id, 0, &v, NULL), 0);
}

static void append(uint64_t id, uint64_t gen_stamp)
{
    struct replica_reopen q = {.block_id = id, .gen_stamp = gen_stamp, .new_gen_stamp = 3000, .min_bytes = LENGTH};
    struct replica_writer *w;
    assert_int_equal(block_store_append(store, &q, &w, NULL), 0);
    write_rest(w, LENGTH, 2 * LENGTH);
}

static void cut(uint64_t id, uint64_t gen_stamp, uint64_t length)
{
    struct replica_view v;
    struct replica_agree a = {.block_id = id, .old_bytes = LENGTH, .recovery_id = 3000, .new_bytes = length};
    assert_int_equal(block_store_init_recovery(store, id, gen_stamp, 3000, &v, NULL), 0);
    assert_int_equal(block_store_update_recovery(store, &a, &v, NULL), 0);
}

static ino_t inode_of(uint64_t id)
{
    struct replica_reader r;
    struct stat st;
    assert_int_equal(block_store_open_reader(store, id, 0, 0, &r, NULL), 0);
    assert_int_equal(fstat(r.data_fd, &st), 0);
    replica_reader_close(&r);
    return st.st_ino;
}

static void assert_good(uint64_t id, uint64_t length)
{
    static uint8_t data[sizeof bytes];
    struct replica_reader r;
    struct err why;
    _Atomic bool stopping = false;
    size_t storage;
    if (block_store_open_reader(store, id, 0, 0, &r, &why) < 0)
        fail_msg("%s", why.text);
    assert_int_equal(r.end_bytes, length);
    assert_int_equal(replica_read_data(&r, data, length, 0, NULL), 0);
    assert_memory_equal(data, bytes, length);
    replica_reader_close(&r);
    assert_int_equal(replica_verify(store, id, 0, &stopping, &storage, NULL), 0);
}

static int64_t used(void)
{
    struct storage_view v[2];
    assert_int_equal(block_store_storages(store, v, 2), 2);
    return v[0].space.used_bytes + v[1].space.used_bytes;
}

static size_t files_in(const char *place)
{
    char path[256];
    glob_t found;
    snprintf(path, sizeof path, "%s/?/current/BP-1/%s/blk_*", folder, place);
    size_t count = glob(path, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    globfree(&found);
    return count;
}

static int64_t meta_footprint(void)
{
    return replica_footprint(LENGTH) - LENGTH;
}

/* ---- */

static void a_clone_takes_no_room_but_for_its_checksums(void **state)
{
    make(1);
    clone(1, 1001, 2);
    clone(2, 2002, 3); /* of a clone */
    assert_int_equal(inode_of(1), inode_of(2));
    assert_int_equal(inode_of(1), inode_of(3));
    for (int i = 0; i < 2; i++) {
        for (uint64_t id = 1; id <= 3; id++)
            assert_good(id, LENGTH);
        int64_t more = used() - LENGTH - 3 * meta_footprint(); /* a restart divides by the number of names */
        assert_true(more >= -3 && more <= 3);
        restart();
    }
    drop(2);
    drop(1);
    restart();
    assert_good(3, LENGTH);
    assert_int_equal(used(), replica_footprint(LENGTH));
}

static void what_is_removed_is_gone_for_one_only(void **state)
{
    make(1);
    clone(1, 1001, 2);
    drop(1);
    assert_int_equal(used(), replica_footprint(LENGTH));
    make(4); /* not into the file of the first */
    assert_good(2, LENGTH);
    clone(2, 2002, 3);
    drop(3);
    restart(); /* when all deletions are through */
    assert_good(2, LENGTH);
    assert_good(4, LENGTH);
    assert_int_equal(used(), 2 * replica_footprint(LENGTH));
    drop(2);
    drop(4);
    assert_int_equal(used(), 0);
}

static void an_append_is_to_one_only(void **state)
{
    for (int to_original = 0; to_original < 2; to_original++) {
        make(1);
        clone(1, 1001, 2);
        append(to_original ? 1 : 2, to_original ? 1001 : 2002);
        for (int i = 0; i < 2; i++) {
            assert_good(1, to_original ? 2 * LENGTH : LENGTH);
            assert_good(2, to_original ? LENGTH : 2 * LENGTH);
            assert_int_equal(used(), replica_footprint(LENGTH) + replica_footprint(2 * LENGTH));
            restart();
        }
        drop(1);
        drop(2);
    }
}

static void a_truncation_is_of_one_only(void **state)
{
    for (int of_original = 0; of_original < 2; of_original++) {
        make(1);
        clone(1, 1001, 2);
        cut(of_original ? 1 : 2, of_original ? 1001 : 2002, 700);
        for (int i = 0; i < 2; i++) {
            assert_good(1, of_original ? 700 : LENGTH);
            assert_good(2, of_original ? LENGTH : 700);
            assert_int_equal(used(), replica_footprint(LENGTH) + replica_footprint(700));
            restart();
        }
        drop(1);
        drop(2);
    }
}

static void whoever_is_alone_with_its_file_again_keeps_it(void **state)
{
    make(1);
    ino_t inode = inode_of(1);
    clone(1, 1001, 2);
    drop(1);
    append(2, 2002);
    assert_int_equal(inode_of(2), inode);
    assert_good(2, 2 * LENGTH);
}

static void what_moves_to_another_volume_is_a_copy(void **state)
{
    struct replica_view v;
    make(1);
    clone(1, 1001, 2);
    assert_int_equal(block_store_move(store, 2, 2002, HDFS__STORAGE_TYPE_PROTO__SSD, NULL, &v, NULL), 0);
    for (int i = 0; i < 2; i++) {
        assert_good(1, LENGTH);
        assert_good(2, LENGTH);
        assert_int_equal(used(), 2 * replica_footprint(LENGTH));
        restart();
    }
}

static void only_what_was_asked_for_is_cloned(void **state)
{
    struct replica_create c = {.block_id = 5, .gen_stamp = 1001, .meta = crc32c};
    struct replica_writer *w;
    make(1);
    assert_int_equal(try_clone(9, 1001, LENGTH, 2), ERR_REPLICA_NOT_FOUND);
    assert_int_equal(try_clone(1, 1000, LENGTH, 2), ERR_REPLICA_NOT_FOUND);
    assert_int_equal(try_clone(1, 1002, LENGTH, 2), ERR_REPLICA_NOT_FOUND);
    assert_int_equal(try_clone(1, 1001, LENGTH - 1, 2), ERR_REPLICA_NOT_FOUND);
    assert_int_equal(try_clone(1, 1001, LENGTH, 1), ERR_REPLICA_EXISTS);
    assert_int_equal(try_clone(1, 1001, LENGTH, ZERO_BLOCK_ID), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(try_clone(ZERO_BLOCK_ID, 1001, LENGTH, 2), ERR_REPLICA_NOT_FOUND);
    assert_int_equal(block_store_create_rbw(store, &c, &w, NULL), 0);
    assert_int_equal(try_clone(5, 1001, 0, 2), ERR_BUSY);
    replica_writer_release(w);
    assert_int_equal(try_clone(5, 1001, 0, 2), ERR_REPLICA_NOT_FOUND);
    make(3);
    assert_int_equal(try_clone(1, 1001, LENGTH, 3), ERR_REPLICA_EXISTS);
    assert_int_equal(files_in("tmp"), 0);
    assert_int_equal(block_store_count(store), 3);
    assert_good(1, LENGTH);
    assert_good(3, LENGTH);
    clone(1, 1001, 2); /* none of that is in the way */
    assert_good(2, LENGTH);
}

static void a_clone_whose_source_has_lost_its_file_is_none(void **state)
{
    char path[256];
    int64_t before;
    make(1);
    before = used();
    snprintf(path, sizeof path, "%s/a/current/BP-1/current/finalized/subdir0/subdir0/blk_1", folder);
    assert_int_equal(unlink(path), 0);
    assert_true(try_clone(1, 1001, LENGTH, 2) < 0);
    assert_int_equal(block_store_count(store), 1);
    assert_int_equal(used(), before);
    assert_int_equal(files_in("current/finalized/subdir0/subdir0"), 1);
}

static void a_small_clone_is_a_record_of_its_own(void **state)
{
    make(1);
    clone(1, 1001, 2);
    clone(2, 2002, 3);
    restart();
    drop(1);
    append(3, 2003);
    for (int i = 0; i < 2; i++) {
        assert_good(2, LENGTH);
        assert_good(3, 2 * LENGTH);
        assert_int_equal(used(), replica_footprint(LENGTH) + replica_footprint(2 * LENGTH));
        restart();
    }
    cut(2, 2002, 700);
    assert_good(2, 700);
}

int main(void)
{
#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SMALL(name) cmocka_unit_test_setup_teardown(name, setup_small, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_clone_takes_no_room_but_for_its_checksums),
        TEST(what_is_removed_is_gone_for_one_only),
        TEST(an_append_is_to_one_only),
        TEST(a_truncation_is_of_one_only),
        TEST(whoever_is_alone_with_its_file_again_keeps_it),
        TEST(what_moves_to_another_volume_is_a_copy),
        TEST(only_what_was_asked_for_is_cloned),
        TEST(a_clone_whose_source_has_lost_its_file_is_none),
        SMALL(a_small_clone_is_a_record_of_its_own),
        SMALL(only_what_was_asked_for_is_cloned),
        SMALL(an_append_is_to_one_only),
        SMALL(a_truncation_is_of_one_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

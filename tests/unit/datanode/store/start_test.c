/* What a start makes of files that a disk does not give, or that a crash left half-way. */
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/file.h"
#include "datanode/store/block_store.h"
#include "datanode/store/replica_writer.h"
#include "datanode/store/scrubber.h"

static const struct meta_header crc32c = {CHECKSUM_CRC32C, 512};
static const struct pool_identity pool = {"BP-1", "CID-1", 42, 1000};

static char folder[64];
static struct block_store *store;
static uint8_t bytes[3000];

static void open_store(void)
{
    char dir[80];
    struct err why;
    snprintf(dir, sizeof dir, "%s/a", folder);
    struct block_store_options o = {.data_dirs = dir};
    if (block_store_open(&o, &store, &why) < 0 || block_store_open_pool(store, &pool, &why) < 0)
        fail_msg("%s", why.text);
}

static void restart(void)
{
    block_store_close(store);
    open_store();
}

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/start_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    open_store();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    block_store_close(store);
    return file_remove_tree(folder, NULL);
}

/* A replica of all bytes, whose end is still to come. */
static struct replica_writer *begin(uint64_t id)
{
    struct replica_create c = {.block_id = id, .gen_stamp = 1001, .meta = crc32c};
    struct write_piece p = {.data = bytes, .data_bytes = sizeof bytes};
    struct replica_writer *w;
    assert_int_equal(block_store_create_rbw(store, &c, &w, NULL), 0);
    assert_int_equal(replica_writer_write(w, &p, &crc32c, NULL), 0);
    return w;
}

static void make(uint64_t id)
{
    struct replica_view v;
    assert_int_equal(replica_writer_finalize(begin(id), false, &v, NULL), 0);
}

static struct replica_view view_of(uint64_t id)
{
    struct replica_view v;
    assert_int_equal(block_store_view(store, id, &v, NULL), 0);
    return v;
}

static void place(char out[256], const char *where, const char *name)
{
    snprintf(out, 256, "%s/a/current/BP-1/current/%s/%s", folder, where, name);
}

static ino_t unreadable; /* 0: all can be read */

ssize_t pread(int fd, void *to, size_t len, off_t offset)
{
    struct stat st;
    if (!unreadable || fstat(fd, &st) < 0 || st.st_ino != unreadable)
        return (ssize_t)syscall(SYS_pread64, fd, to, len, offset);
    errno = EIO;
    return -1;
}

static void what_cannot_be_read_is_left_alone(void **state)
{
    static const char *const names[] = {"blk_1", "blk_1_1001.meta"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct replica_view v;
        struct stat st;
        char path[256];
        replica_writer_release(begin(1));
        place(path, "rbw", names[i]);
        assert_int_equal(stat(path, &st), 0);
        unreadable = st.st_ino;
        restart();
        unreadable = 0;
        assert_int_equal(block_store_count(store), 0);
        restart();
        assert_int_equal(view_of(1).disk_bytes, sizeof bytes);
        assert_int_equal(block_store_delete(store, 1, 0, &v, NULL), 0);
    }
}

/* Power may have failed between the sync that covered its bytes and the end of its meta file. */
static void one_whose_end_did_not_reach_the_disk_waits_for_recovery(void **state)
{
    char from[256], to[256];
    (void)state;
    make(1);
    place(from, "finalized/subdir0/subdir0", "blk_1");
    place(to, "rbw", "blk_1");
    assert_int_equal(rename(from, to), 0);
    place(from, "finalized/subdir0/subdir0", "blk_1_1001.meta");
    assert_int_equal(truncate(from, META_HEADER_BYTES + 24), 0);
    restart();
    assert_int_equal(view_of(1).state, REPLICA_RWR);
    assert_int_equal(view_of(1).disk_bytes, sizeof bytes);
}

static void a_cut_that_was_cut_short_is_finished(void **state)
{
    static const uint64_t lengths[] = {700, 1024};
    static const char *const names[] = {"blk_1", "blk_2"};
    (void)state;
    for (uint64_t i = 0; i < 2; i++) {
        char path[256];
        size_t storage;
        _Atomic bool stopping = false;
        make(1 + i);
        for (uint64_t stamp = 1005; stamp < 1007; stamp++) {
            struct replica_view v;
            assert_int_equal(block_store_init_recovery(store, 1 + i, 1001, stamp, &v, NULL), 0);
            struct replica_agree a = {
                .block_id = 1 + i, .old_bytes = v.disk_bytes, .recovery_id = stamp, .new_bytes = lengths[i]};
            assert_int_equal(block_store_update_recovery(store, &a, &v, NULL), 0);
            place(path, "finalized/subdir0/subdir0", names[i]);
            if (stamp == 1005)
                assert_int_equal(truncate(path, sizeof bytes), 0); /* as if the data had not been cut yet */
            restart();
        }
        assert_int_equal(view_of(1 + i).disk_bytes, lengths[i]);
        assert_int_equal(replica_verify(store, 1 + i, 0, &stopping, &storage, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_cannot_be_read_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(one_whose_end_did_not_reach_the_disk_waits_for_recovery, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cut_that_was_cut_short_is_finished, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

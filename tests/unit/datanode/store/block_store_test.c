/* The store on real files in a temporary folder: what is written is there, through every way of reopening and after
 * every kind of end. */
#include "tests/unit/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/block_store.h"
#include "datanode/store/replica_writer.h"
#include "datanode/store/scrubber.h"

#define BPC 512
static const struct meta_header crc32c = {CHECKSUM_CRC32C, BPC};
static const struct pool_identity pool = {"BP-1", "CID-1", 42, 1000};

static char folder[64];
static struct block_store *store;
static uint32_t small_bytes; /* most tests run twice: with files for all replicas, and with a log of small ones */
static uint8_t bytes[300000];

static struct block_store *open_store(void)
{
    char dirs[256];
    struct block_store *s;
    struct err why;
    snprintf(dirs, sizeof dirs, "[DISK]file://%s/a, %s/b", folder, folder);
    struct block_store_options o = {.data_dirs = dirs, .small_bytes = small_bytes};
    if (block_store_open(&o, &s, &why) < 0 || block_store_open_pool(s, &pool, &why) < 0)
        fail_msg("%s", why.text);
    return s;
}

static int setup(void **state)
{
    strcpy(folder, "/tmp/block_store_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    store = open_store();
    return 0;
}

static int setup_small(void **state)
{
    small_bytes = 16384;
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
    store = open_store();
}

static struct replica_writer *create(uint64_t id)
{
    struct replica_create c = {.block_id = id, .gen_stamp = 1001, .meta = crc32c};
    struct replica_writer *w;
    struct err why;
    if (block_store_create_rbw(store, &c, &w, &why) < 0)
        fail_msg("%s", why.text);
    return w;
}

/* As a client sends it: checksums from the packet's start. */
static int write_at(struct replica_writer *w, uint64_t offset, size_t len)
{
    uint8_t checksums[sizeof bytes / BPC * 4 + 4];
    checksum_chunks(CHECKSUM_CRC32C, bytes + offset, len, BPC, checksums);
    struct write_piece p = {.offset = offset, .data = bytes + offset, .data_bytes = len, .checksums = checksums};
    return replica_writer_write(w, &p, &crc32c, NULL);
}

static void finalize(struct replica_writer *w, struct replica_view *ret)
{
    struct err why;
    if (replica_writer_finalize(w, false, ret, &why) < 0)
        fail_msg("%s", why.text);
}

/* The replica has exactly the first len bytes, all its checksums hold, and so does its digest. */
static void assert_good(uint64_t id, size_t len)
{
    struct replica_reader r;
    struct err why;
    static uint8_t data[sizeof bytes], checksums[sizeof bytes / BPC * 4 + 4];
    if (block_store_open_reader(store, id, 0, 0, &r, &why) < 0)
        fail_msg("%s", why.text);
    assert_int_equal(r.end_bytes, len);
    if (!r.shares_file)
        assert_int_equal(lseek(r.data_fd, 0, SEEK_END), len);
    assert_int_equal(replica_read_data(&r, data, len, 0, NULL), 0);
    assert_memory_equal(data, bytes, len);
    size_t count = checksum_chunk_count(len, BPC);
    assert_int_equal(replica_read_meta(&r, checksums, count * 4, META_HEADER_BYTES, NULL), 0);
    assert_int_equal(checksum_verify_chunks(CHECKSUM_CRC32C, data, len, BPC, checksums), -1);
    if (r.state == REPLICA_FINALIZED) {
        uint64_t xxh3 = 0;
        uint8_t trailer[META_TRAILER_BYTES];
        assert_int_equal(replica_read_meta(&r, trailer, sizeof trailer, meta_bytes(&crc32c, len), NULL), 0);
        assert_true(meta_trailer_decode(trailer, len, &xxh3));
        assert_true(xxh3 == xxh3_of(bytes, len));
    }
    replica_reader_close(&r);
}

static struct replica_view view_of(uint64_t id)
{
    struct replica_view v;
    assert_int_equal(block_store_view(store, id, &v, NULL), 0);
    return v;
}

/* ---- writing ---- */

static void written_replicas_are_read_back_and_survive_a_restart(void **state)
{
    static const size_t lengths[] = {0, 1, BPC - 1, BPC, BPC + 1, 64512, 200000};
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        struct replica_view v;
        struct replica_writer *w = create(i << 8 | i << 16);
        for (size_t at = 0; at < lengths[i]; at += 64512)
            assert_int_equal(write_at(w, at, lengths[i] - at < 64512 ? lengths[i] - at : 64512), 0);
        finalize(w, &v);
        assert_int_equal(v.disk_bytes, lengths[i]);
        assert_true(v.xxh3 == xxh3_of(bytes, lengths[i]));
        assert_good(i << 8 | i << 16, lengths[i]);
    }
    restart();
    assert_int_equal(block_store_count(store), ARRAY_COUNT(lengths));
    block_store_load_digests(store, 10000);
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        assert_good(i << 8 | i << 16, lengths[i]);
        assert_true(view_of(i << 8 | i << 16).xxh3 == xxh3_of(bytes, lengths[i]));
    }
}

static void bytes_that_come_again_are_not_written_twice(void **state)
{
    struct replica_writer *w = create(1);
    struct replica_view v;
    assert_int_equal(write_at(w, 0, 700), 0);
    assert_int_equal(write_at(w, 0, 700), 0);
    assert_int_equal(write_at(w, 512, 1000), 0); /* as Java does after hflush: from the start of the partial chunk */
    assert_int_equal(write_at(w, 1024, 3000), 0);
    assert_int_equal(write_at(w, 4024, 72), 0); /* as others do: the rest of the chunk on its own */
    assert_int_equal(write_at(w, 4096, 10000), 0);
    finalize(w, &v);
    assert_good(1, 14096);
}

/* The file size limit stands for a full disk: it takes some of the bytes and not the rest. */
static void what_a_full_disk_did_not_take_leaves_no_trace(void **state)
{
    struct replica_view v;
    struct replica_writer *w = create(1);
    struct rlimit before, small = {150000, 150000};
    assert_int_equal(write_at(w, 0, 700), 0);
    replica_writer_acked(w, 700);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = write_at(w, 512, 200000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(rc, ERR_TOO_LARGE);
    assert_good(1, 700);
    replica_writer_release(w);
    struct replica_reopen q = {
        .block_id = 1, .gen_stamp = 1001, .new_gen_stamp = 1002, .min_bytes = 700, .max_bytes = 200712};
    assert_int_equal(block_store_recover_stream(store, &q, &w, NULL), 0);
    assert_int_equal(write_at(w, 512, 5000), 0);
    finalize(w, &v);
    assert_good(1, 5512);
}

static void packets_in_the_wrong_place_are_refused(void **state)
{
    struct replica_writer *w = create(1);
    assert_int_equal(write_at(w, 0, 700), 0);
    assert_int_equal(write_at(w, 701, 100), ERR_PROTOCOL);  /* a hole */
    assert_int_equal(write_at(w, 700, 1000), ERR_PROTOCOL); /* begins in a chunk and goes on after it */
    replica_writer_release(w);
    assert_int_equal(view_of(1).disk_bytes, 700);
}

static void other_chunk_sizes_are_translated(void **state)
{
    struct replica_writer *w = create(1);
    struct replica_view v;
    const struct meta_header crc32 = {CHECKSUM_CRC32, 4096}, none = {CHECKSUM_NULL, 512};
    uint8_t checksums[64];
    checksum_chunks(CHECKSUM_CRC32, bytes, 8192, 4096, checksums);
    struct write_piece p = {.offset = 0, .data = bytes, .data_bytes = 8192, .checksums = checksums};
    assert_int_equal(write_piece_verify(&p, &crc32, NULL), 0);
    assert_int_equal(replica_writer_write(w, &p, &crc32, NULL), 0);
    p = (struct write_piece){.offset = 8192, .data = bytes + 8192, .data_bytes = 1000};
    assert_int_equal(replica_writer_write(w, &p, &none, NULL), 0);
    finalize(w, &v);
    assert_good(1, 9192);
    checksums[5] ^= 1;
    p = (struct write_piece){.offset = 0, .data = bytes, .data_bytes = 8192, .checksums = checksums};
    assert_int_equal(write_piece_verify(&p, &crc32, NULL), ERR_CHECKSUM);
}

static void a_replica_is_not_made_twice(void **state)
{
    struct replica_writer *w = create(1), *other;
    struct replica_create again = {.block_id = 1, .gen_stamp = 1001, .meta = crc32c};
    struct replica_view v;
    assert_int_equal(block_store_create_rbw(store, &again, &other, NULL), ERR_REPLICA_EXISTS);
    finalize(w, &v);
    assert_int_equal(block_store_create_rbw(store, &again, &other, NULL), ERR_REPLICA_EXISTS);
    assert_int_equal(block_store_create_temporary(store, &again, &other, NULL), ERR_REPLICA_EXISTS);
}

static void a_new_pipeline_replaces_what_it_began(void **state)
{
    struct replica_writer *w = create(1);
    struct replica_view v;
    replica_writer_release(w);
    struct replica_create again = {.block_id = 1, .gen_stamp = 1002, .replace = REPLACE_UNFINISHED, .meta = crc32c};
    assert_int_equal(block_store_create_rbw(store, &again, &w, NULL), 0);
    assert_int_equal(write_at(w, 0, 100), 0);
    finalize(w, &v);
    assert_int_equal(v.gen_stamp, 1002);
    assert_good(1, 100);
}

/* ---- reopening ---- */

static struct replica_reopen reopen_at(uint64_t gen_stamp, uint64_t new_gen_stamp, uint64_t min, uint64_t max)
{
    return (struct replica_reopen){
        .block_id = 1, .gen_stamp = gen_stamp, .new_gen_stamp = new_gen_stamp, .min_bytes = min, .max_bytes = max};
}

static void appends_go_on_where_the_block_ended(void **state)
{
    struct replica_view v;
    struct replica_writer *w = create(1);
    assert_int_equal(write_at(w, 0, 700), 0);
    finalize(w, &v);
    struct replica_reopen q = reopen_at(1001, 1002, 700, 0);
    assert_int_equal(block_store_append(store, &q, &w, NULL), 0);
    assert_int_equal(view_of(1).state, REPLICA_RBW);
    assert_good(1, 700); /* readable all the time */
    assert_int_equal(write_at(w, 700, 324), 0);
    assert_int_equal(write_at(w, 1024, 5000), 0);
    finalize(w, &v);
    assert_int_equal(v.gen_stamp, 1002);
    assert_good(1, 6024);
    restart();
    assert_good(1, 6024);
    assert_int_equal(view_of(1).gen_stamp, 1002);
}

/* Of a replica of two chunks. */
static void assert_tail_checksum(const struct replica_reader *r, size_t len)
{
    uint8_t stored[4];
    uint32_t tail = r->tail_checksum;
    if (!r->has_tail_checksum) { /* then the stored one does not change */
        assert_true(r->shares_file);
        assert_int_equal(replica_read_meta(r, stored, sizeof stored, meta_offset(&r->meta, 1), NULL), 0);
        tail = (uint32_t)stored[0] << 24 | (uint32_t)stored[1] << 16 | (uint32_t)stored[2] << 8 | stored[3];
    }
    assert_int_equal(tail, checksum_of(CHECKSUM_CRC32C, bytes + BPC, len - BPC));
}

/* Else whoever reads slowly while others append would call every replica corrupt. */
static void a_reader_keeps_the_last_checksum_that_fits_its_length(void **state)
{
    struct replica_view v;
    struct replica_reader r;
    struct replica_writer *w = create(1);
    assert_int_equal(write_at(w, 0, 700), 0);
    finalize(w, &v);
    assert_int_equal(block_store_open_reader(store, 1, 1001, 0, &r, NULL), 0);
    struct replica_reopen q = reopen_at(1001, 1002, 700, 0);
    assert_int_equal(block_store_append(store, &q, &w, NULL), 0);
    assert_int_equal(write_at(w, 700, 100), 0);
    assert_int_equal(r.end_bytes, 700);
    assert_tail_checksum(&r, 700);
    replica_reader_close(&r);
    finalize(w, &v);
    assert_int_equal(block_store_open_reader(store, 1, 1002, 0, &r, NULL), 0);
    assert_tail_checksum(&r, 800);
    replica_reader_close(&r);
}

static void a_stream_is_cut_to_what_was_acknowledged(void **state)
{
    struct replica_view v;
    struct replica_writer *w = create(1);
    assert_int_equal(write_at(w, 0, 5000), 0);
    replica_writer_acked(w, 3000);
    replica_writer_release(w);
    struct replica_reopen q = reopen_at(1001, 1005, 3000, 5000);
    assert_int_equal(block_store_recover_stream(store, &q, &w, NULL), 0);
    assert_int_equal(view_of(1).disk_bytes, 3000);
    assert_int_equal(view_of(1).gen_stamp, 1005);
    assert_int_equal(write_at(w, 2560, 5000), 0);
    finalize(w, &v);
    assert_good(1, 7560);
}

static void rot(uint64_t id, int64_t offset)
{
    struct replica_reader r;
    char path[64], target[4096];
    assert_int_equal(block_store_open_reader(store, id, 0, 0, &r, NULL), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", r.data_fd);
    ssize_t n = readlink(path, target, sizeof target - 1);
    assert_true(n > 0);
    target[n] = 0;
    AUTO(net_closep) int fd = open(target, O_WRONLY);
    assert_int_equal(pwrite(fd, "X", 1, r.data_base + offset), 1);
    replica_reader_close(&r);
}

static void a_corrupt_end_is_not_given_a_new_checksum(void **state)
{
    struct replica_writer *w = create(1);
    assert_int_equal(write_at(w, 0, 5000), 0);
    replica_writer_acked(w, 3000);
    replica_writer_release(w);
    rot(1, 2900);
    struct replica_reopen q = reopen_at(1001, 1005, 3000, 5000);
    assert_int_equal(block_store_recover_stream(store, &q, &w, NULL), ERR_CHECKSUM);
}

static void a_close_is_recovered_with_a_new_stamp(void **state)
{
    struct replica_view v;
    struct replica_writer *w = create(1);
    assert_int_equal(write_at(w, 0, 3000), 0);
    replica_writer_acked(w, 3000);
    replica_writer_release(w);
    struct replica_reopen q = reopen_at(1001, 1002, 3000, 0);
    assert_int_equal(block_store_recover_close(store, &q, &v, NULL), 0);
    assert_int_equal(v.state, REPLICA_FINALIZED);
    assert_int_equal(v.gen_stamp, 1002);
    assert_good(1, 3000);
    q = reopen_at(1001, 1003, 3000, 0);
    assert_int_equal(block_store_recover_close(store, &q, &v, NULL), 0); /* finalized already */
    assert_int_equal(v.gen_stamp, 1003);
    assert_good(1, 3000);
}

/* ---- copies ---- */

static void a_copy_is_invisible_until_it_is_whole(void **state)
{
    struct replica_create c = {.block_id = 1, .gen_stamp = 1001, .meta = crc32c};
    struct replica_writer *w;
    struct replica_reader r;
    struct replica_view v;
    assert_int_equal(block_store_create_temporary(store, &c, &w, NULL), 0);
    assert_int_equal(write_at(w, 0, 3000), 0);
    assert_int_equal(block_store_open_reader(store, 1, 0, 0, &r, NULL), ERR_IO);
    finalize(w, &v);
    assert_good(1, 3000);
    c.block_id = 2;
    assert_int_equal(block_store_create_temporary(store, &c, &w, NULL), 0);
    assert_int_equal(write_at(w, 0, 3000), 0);
    replica_writer_release(w);
    assert_int_equal(block_store_view(store, 2, &v, NULL), ERR_REPLICA_NOT_FOUND);
}

static void a_copy_of_an_unfinished_replica_can_be_written_on(void **state)
{
    struct replica_create c = {.block_id = 1, .gen_stamp = 1001, .meta = crc32c};
    struct replica_writer *w;
    struct replica_view v;
    assert_int_equal(block_store_create_temporary(store, &c, &w, NULL), 0);
    assert_int_equal(write_at(w, 0, 3072), 0);
    assert_int_equal(replica_writer_become_rbw(w, 3000, &v, NULL), 0);
    assert_int_equal(v.visible_bytes, 3000);
    struct replica_reopen q = reopen_at(1001, 1002, 3000, 9000);
    assert_int_equal(block_store_recover_stream(store, &q, &w, NULL), 0);
    assert_int_equal(write_at(w, 2560, 5000), 0);
    finalize(w, &v);
    assert_good(1, 7560);
}

/* ---- restarts ---- */

static void what_was_being_written_waits_for_recovery(void **state)
{
    struct replica_view v;
    struct replica_writer *w = create(1);
    assert_int_equal(write_at(w, 0, 3000), 0);
    replica_writer_release(w);
    restart();
    v = view_of(1);
    assert_int_equal(v.state, REPLICA_RWR);
    assert_int_equal(v.disk_bytes, 3000);
    struct replica_reopen q = reopen_at(1001, 1002, 0, 9000);
    assert_int_equal(block_store_recover_stream(store, &q, &w, NULL), ERR_REPLICA_NOT_FOUND);
    assert_int_equal(block_store_init_recovery(store, 1, 1001, 1002, &v, NULL), 0);
    assert_int_equal(v.original_state, REPLICA_RWR);
    struct replica_agree a = {.block_id = 1, .old_bytes = 3000, .recovery_id = 1002, .new_bytes = 2000};
    assert_int_equal(block_store_update_recovery(store, &a, &v, NULL), 0);
    assert_int_equal(v.gen_stamp, 1002);
    assert_good(1, 2000);
}

static void path_in_rbw(char *out, size_t out_bytes, const char *name)
{
    struct stat st;
    snprintf(out, out_bytes, "%s/a/current/BP-1/current/rbw/%s", folder, name);
    if (stat(out, &st) < 0)
        snprintf(out, out_bytes, "%s/b/current/BP-1/current/rbw/%s", folder, name);
}

/* The writer died between writing data and writing its checksums: the data that was there before must still be there,
 * even where it ends in the middle of a chunk. */
static void torn_ends_are_cut_to_what_has_checksums(void **state)
{
    struct replica_writer *w = create(1);
    char path[256];
    assert_int_equal(write_at(w, 0, 3000), 0);
    replica_writer_release(w);
    path_in_rbw(path, sizeof path, "blk_1");
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes + 3000, 1000, 3000), 1000);
    close(fd);
    restart();
    assert_int_equal(view_of(1).disk_bytes, 3000);
}

static void garbage_at_the_end_is_cut_off(void **state)
{
    struct replica_writer *w = create(1);
    char path[256];
    assert_int_equal(write_at(w, 0, 5120), 0);
    replica_writer_release(w);
    path_in_rbw(path, sizeof path, "blk_1");
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "garbage", 7, 4200), 7);
    close(fd);
    restart();
    assert_int_equal(view_of(1).disk_bytes, 4096);
}

static void finalized_name(char *out, size_t out_bytes, const char *volume, const char *name)
{
    snprintf(out, out_bytes, "%s/%s/current/BP-1/current/finalized/subdir0/subdir0/%s", folder, volume, name);
}

/* Undoes one of the two renames of a finalized replica, as if the daemon had died between them. */
static const char *move_back(const char *name)
{
    static const char *const volumes[] = {"a", "b"};
    for (size_t i = 0; i < 2; i++) {
        char from[256], to[256];
        finalized_name(from, sizeof from, volumes[i], name);
        snprintf(to, sizeof to, "%s/%s/current/BP-1/current/rbw/%s", folder, volumes[i], name);
        if (rename(from, to) == 0)
            return volumes[i];
    }
    fail_msg("no %s", name);
    return NULL;
}

static void a_finalize_that_was_cut_short_is_finished(void **state)
{
    struct replica_view v;
    struct replica_writer *w = create(1);
    assert_int_equal(write_at(w, 0, 3000), 0);
    finalize(w, &v);
    move_back("blk_1");
    restart();
    assert_int_equal(view_of(1).state, REPLICA_FINALIZED);
    assert_good(1, 3000);
}

static void an_append_that_was_cut_short_waits_for_recovery(void **state)
{
    struct replica_view v;
    struct replica_writer *w = create(1);
    assert_int_equal(write_at(w, 0, 3000), 0);
    finalize(w, &v);
    move_back("blk_1_1001.meta");
    restart();
    v = view_of(1);
    assert_int_equal(v.state, REPLICA_RWR);
    assert_int_equal(v.disk_bytes, 3000);
}

/* ---- recovery, deletion, identity ---- */

static void recovery_stops_the_writer(void **state)
{
    struct replica_view v;
    struct replica_writer *w = create(1);
    assert_int_equal(write_at(w, 0, 3000), 0);
    replica_writer_release(w);
    assert_int_equal(block_store_init_recovery(store, 1, 1001, 1005, &v, NULL), 0);
    assert_int_equal(v.original_state, REPLICA_RBW);
    assert_int_equal(block_store_init_recovery(store, 1, 1001, 1004, &v, NULL), ERR_RECOVERY_IN_PROGRESS);
    struct replica_reopen q = reopen_at(1001, 1009, 0, 9000);
    assert_int_equal(block_store_recover_stream(store, &q, &w, NULL), ERR_REPLICA_NOT_FOUND);
    struct replica_agree a = {.block_id = 1, .old_bytes = 3000, .recovery_id = 1005, .new_bytes = 3000};
    assert_int_equal(block_store_update_recovery(store, &a, &v, NULL), 0);
    assert_good(1, 3000);
}

static void truncation_can_leave_the_old_block_alone(void **state)
{
    struct replica_view v;
    struct replica_writer *w = create(1);
    assert_int_equal(write_at(w, 0, 3000), 0);
    finalize(w, &v);
    assert_int_equal(block_store_init_recovery(store, 1, 1001, 1002, &v, NULL), 0);
    struct replica_agree a = {
        .block_id = 1, .old_bytes = 3000, .recovery_id = 1002, .new_bytes = 700, .new_block_id = 2};
    assert_int_equal(block_store_update_recovery(store, &a, &v, NULL), 0);
    assert_good(1, 3000);
    assert_good(2, 700);
    assert_int_equal(view_of(1).gen_stamp, 1001);
    assert_int_equal(view_of(2).gen_stamp, 1002);
    /* The namenode did not hear of it, and has it done again. */
    assert_int_equal(block_store_init_recovery(store, 1, 1001, 1007, &v, NULL), 0);
    a.recovery_id = 1007;
    assert_int_equal(block_store_update_recovery(store, &a, &v, NULL), 0);
    assert_int_equal(view_of(2).gen_stamp, 1007);
    assert_good(2, 700);
}

static void rot_is_not_copied_under_a_new_id(void **state)
{
    struct replica_view v;
    struct replica_writer *w = create(1);
    assert_int_equal(write_at(w, 0, 3000), 0);
    finalize(w, &v);
    for (int64_t offset = 100; offset < 1000; offset += 800) { /* in a chunk that is copied; behind the cut */
        rot(1, offset);
        uint64_t recovery_id = 1002 + (uint64_t)offset;
        assert_int_equal(block_store_init_recovery(store, 1, 1001, recovery_id, &v, NULL), 0);
        struct replica_agree a = {
            .block_id = 1, .old_bytes = 3000, .recovery_id = recovery_id, .new_bytes = 700, .new_block_id = 2};
        assert_int_equal(block_store_update_recovery(store, &a, &v, NULL), ERR_CHECKSUM);
        assert_int_equal(block_store_view(store, 2, &v, NULL), ERR_REPLICA_NOT_FOUND);
    }
}

static void deleted_replicas_can_come_again(void **state)
{
    struct replica_view v;
    struct replica_writer *w = create(1);
    assert_int_equal(write_at(w, 0, 3000), 0);
    finalize(w, &v);
    assert_int_equal(block_store_delete(store, 1, 1000, &v, NULL), ERR_REPLICA_EXISTS); /* the order is older than it */
    assert_int_equal(block_store_delete(store, 1, 1001, &v, NULL), 0);
    assert_int_equal(block_store_delete(store, 1, 1001, &v, NULL), ERR_REPLICA_NOT_FOUND);
    w = create(1);
    assert_int_equal(write_at(w, 0, 2000), 0);
    finalize(w, &v);
    restart();
    assert_good(1, 2000);
    struct storage_view storages[4];
    int64_t used = 0;
    for (size_t i = 0; i < block_store_storages(store, storages, 4); i++)
        used += storages[i].space.used_bytes;
    assert_int_equal(used, replica_footprint(2000));
}

static void a_folder_belongs_to_one_daemon_and_one_cluster(void **state)
{
    char dir[128], uuid[UUID_MAX];
    struct block_store *other;
    struct err why;
    snprintf(dir, sizeof dir, "%s/a", folder);
    snprintf(uuid, sizeof uuid, "%s", block_store_uuid(store));
    struct block_store_options o = {.data_dirs = dir};
    assert_int_equal(block_store_open(&o, &other, &why), ERR_BUSY);
    block_store_close(store);
    assert_int_equal(block_store_open(&o, &other, &why), 0);
    assert_string_equal(block_store_uuid(other), uuid);
    struct pool_identity foreign = pool;
    strcpy(foreign.cluster_id, "CID-2");
    assert_int_equal(block_store_open_pool(other, &foreign, &why), ERR_BAD_STATE);
    assert_non_null(strstr(why.text, "CID-2"));
    block_store_close(other);
    store = open_store();
}

static void a_disk_is_not_blamed_for_want_of_descriptors(void **state)
{
    struct rlimit before, none;
    struct replica_view v;
    _Atomic bool stopping = false;
    size_t storage;
    bool fatal = false;
    finalize(create(1), &v);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){3, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    bool failed = block_store_check_storages(store, &fatal);
    int verified = replica_verify(store, 1, 0, &stopping, &storage, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_false(failed || fatal);
    assert_int_equal(verified, ERR_NO_MEMORY); /* nor a replica */
    assert_int_equal(file_remove_tree(folder, NULL), 0);
    assert_true(block_store_check_storages(store, &fatal));
    assert_true(fatal);
}

/* Half of its replicas would be as good as deleted: the namenode believes a full report. */
static void a_volume_that_cannot_be_scanned_is_not_used(void **state)
{
    struct replica_view v;
    struct err why;
    char path[256], dirs[256];
    finalize(create(1), &v);
    finalize(create(2), &v);
    block_store_close(store);
    snprintf(path, sizeof path, "%s/a/current/BP-1/current/finalized/subdir9", folder);
    assert_int_equal(mkdir(path, 0755), 0);
    strcat(path, "/subdir9");
    AUTO(net_closep) int fd = open(path, O_WRONLY | O_CREAT, 0644); /* cannot be listed */
    assert_true(fd >= 0);
    snprintf(dirs, sizeof dirs, "%s/a,%s/b", folder, folder);
    struct block_store_options o = {.data_dirs = dirs, .failed_volumes_tolerated = 1};
    assert_int_equal(block_store_open(&o, &store, &why), 0);
    assert_int_equal(block_store_open_pool(store, &pool, &why), 0);
    struct storage_view views[2];
    assert_int_equal(block_store_storages(store, views, 2), 2);
    assert_true(views[0].failed && !views[1].failed);
    assert_int_equal(block_store_count(store), 1);
    block_store_close(store);
    o.failed_volumes_tolerated = 0;
    assert_int_equal(block_store_open(&o, &store, &why), 0);
    for (int tries = 0; tries < 2; tries++) /* the second finds what the first found, and takes it for no double */
        assert_int_equal(block_store_open_pool(store, &pool, &why), ERR_BAD_STATE);
    assert_non_null(strstr(why.text, "subdir9"));
    assert_int_equal(unlink(path), 0);
    block_store_close(store);
    store = open_store();
    assert_int_equal(block_store_count(store), 2);
}

static void a_volume_whose_pool_cannot_be_opened_is_not_used(void **state)
{
    struct replica_view v;
    struct err why;
    char path[256], dirs[256];
    finalize(create(1), &v);
    finalize(create(2), &v);
    block_store_close(store);
    snprintf(path, sizeof path, "%s/a/current/BP-1/current/rbw", folder);
    assert_int_equal(rmdir(path), 0);
    AUTO(net_closep) int fd = open(path, O_WRONLY | O_CREAT, 0644);
    assert_true(fd >= 0);
    snprintf(dirs, sizeof dirs, "%s/a,%s/b", folder, folder);
    struct block_store_options o = {.data_dirs = dirs};
    assert_int_equal(block_store_open(&o, &store, &why), 0);
    for (int tries = 0; tries < 2; tries++)
        assert_int_equal(block_store_open_pool(store, &pool, &why), ERR_BAD_STATE);
    assert_non_null(strstr(why.text, "rbw"));
    block_store_close(store);
    o.failed_volumes_tolerated = 1;
    assert_int_equal(block_store_open(&o, &store, &why), 0);
    assert_int_equal(block_store_open_pool(store, &pool, &why), 0);
    assert_int_equal(block_store_count(store), 1);
    struct storage_view views[2];
    assert_int_equal(block_store_storages(store, views, 2), 2);
    assert_true(views[0].failed && !views[1].failed);
    finalize(create(3), &v);
}

static void bad_directories_are_named(void **state)
{
    struct block_store *s;
    struct err why;
    struct block_store_options relative = {.data_dirs = "data"}, none = {.data_dirs = " , "};
    struct block_store_options missing = {.data_dirs = "/proc/nowhere"};
    assert_int_equal(block_store_open(&relative, &s, &why), ERR_CONFIG);
    assert_non_null(strstr(why.text, "'data'"));
    assert_int_equal(block_store_open(&none, &s, &why), ERR_CONFIG);
    assert_true(block_store_open(&missing, &s, &why) < 0);
    assert_non_null(strstr(why.text, "/proc/nowhere"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define BOTH(name)                                                                                                     \
    TEST(name),                                                                                                        \
    {                                                                                                                  \
        "small " #name, name, setup_small, teardown, NULL                                                              \
    }
    const struct CMUnitTest tests[] = {
        BOTH(written_replicas_are_read_back_and_survive_a_restart),
        BOTH(bytes_that_come_again_are_not_written_twice),
        BOTH(what_a_full_disk_did_not_take_leaves_no_trace),
        BOTH(packets_in_the_wrong_place_are_refused),
        BOTH(other_chunk_sizes_are_translated),
        BOTH(a_replica_is_not_made_twice),
        BOTH(a_new_pipeline_replaces_what_it_began),
        BOTH(appends_go_on_where_the_block_ended),
        BOTH(a_reader_keeps_the_last_checksum_that_fits_its_length),
        BOTH(a_stream_is_cut_to_what_was_acknowledged),
        BOTH(a_corrupt_end_is_not_given_a_new_checksum),
        BOTH(a_close_is_recovered_with_a_new_stamp),
        BOTH(a_copy_is_invisible_until_it_is_whole),
        BOTH(a_copy_of_an_unfinished_replica_can_be_written_on),
        BOTH(what_was_being_written_waits_for_recovery),
        TEST(torn_ends_are_cut_to_what_has_checksums),
        TEST(garbage_at_the_end_is_cut_off),
        TEST(a_finalize_that_was_cut_short_is_finished),
        TEST(an_append_that_was_cut_short_waits_for_recovery),
        BOTH(recovery_stops_the_writer),
        BOTH(truncation_can_leave_the_old_block_alone),
        BOTH(rot_is_not_copied_under_a_new_id),
        BOTH(deleted_replicas_can_come_again),
        BOTH(a_folder_belongs_to_one_daemon_and_one_cluster),
        BOTH(a_disk_is_not_blamed_for_want_of_descriptors),
        BOTH(a_volume_that_cannot_be_scanned_is_not_used),
        BOTH(a_volume_whose_pool_cannot_be_opened_is_not_used),
        TEST(bad_directories_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

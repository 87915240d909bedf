/* Small replicas in the store: when one becomes a record and when it gets files, and that nobody outside can tell. What
 * holds for all replicas is in block_store_test.c, which runs with small ones too. */
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/block_store.h"
#include "datanode/store/replica_writer.h"
#include "datanode/store/scrubber.h"

#define LIMIT 16384
#define BPC   512
static const struct meta_header crc32c = {CHECKSUM_CRC32C, BPC};
static const struct pool_identity pool = {"BP-1", "CID-1", 42, 1000};

static char folder[64];
static struct block_store *store;
static int syncs, folder_syncs;
static bool is_full, cannot_sync; /* the disk */

ssize_t pwrite(int fd, const void *from, size_t len, off_t offset)
{
    if (!is_full)
        return (ssize_t)syscall(SYS_pwrite64, fd, from, len, offset);
    errno = ENOSPC;
    return -1;
}

int fdatasync(int fd)
{
    syncs++;
    if (!cannot_sync)
        return (int)syscall(SYS_fdatasync, fd);
    errno = EIO;
    return -1;
}

int fsync(int fd)
{
    folder_syncs++;
    return (int)syscall(SYS_fsync, fd);
}
static uint8_t bytes[4 * LIMIT];

static void open_store(uint32_t small_bytes)
{
    char dirs[256];
    struct err why;
    snprintf(dirs, sizeof dirs, "[DISK]%s/a, [SSD]%s/b", folder, folder);
    struct block_store_options o = {.data_dirs = dirs, .small_bytes = small_bytes};
    if (block_store_open(&o, &store, &why) < 0 || block_store_open_pool(store, &pool, &why) < 0)
        fail_msg("%s", why.text);
}

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/small_replicas_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    open_store(LIMIT);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    block_store_close(store);
    return file_remove_tree(folder, NULL);
}

static void restart(uint32_t small_bytes)
{
    block_store_close(store);
    open_store(small_bytes);
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

static void write_at(struct replica_writer *w, uint64_t offset, size_t len)
{
    struct write_piece p = {.offset = offset, .data = bytes + offset, .data_bytes = len};
    assert_int_equal(replica_writer_write(w, &p, &crc32c, NULL), 0);
}

static void finalize(struct replica_writer *w)
{
    struct replica_view v;
    struct err why;
    if (replica_writer_finalize(w, false, &v, &why) < 0)
        fail_msg("%s", why.text);
}

static void make(uint64_t id, size_t len)
{
    struct replica_writer *w = create(id);
    write_at(w, 0, len);
    finalize(w);
}

static void remove_block(uint64_t id)
{
    struct replica_view v;
    assert_int_equal(block_store_delete(store, id, 1001, &v, NULL), 0);
}

static size_t count_files(const char *pattern)
{
    char path[256];
    glob_t found;
    snprintf(path, sizeof path, "%s/%s", folder, pattern);
    size_t count = glob(path, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    globfree(&found);
    return count;
}

static size_t finalized_files(void)
{
    return count_files("*/current/BP-1/current/finalized/*/*/blk_*");
}

static size_t segments(void)
{
    return count_files("*/current/BP-1/current/small/*.log");
}

static bool is_good(uint64_t id, size_t len, bool shares_file)
{
    struct replica_reader r;
    _Atomic bool stopping = false;
    size_t storage;
    static uint8_t data[sizeof bytes];
    if (block_store_open_reader(store, id, 0, 0, &r, NULL) < 0)
        return false;
    bool good = r.end_bytes == len && r.shares_file == shares_file && replica_read_data(&r, data, len, 0, NULL) == 0 &&
                memcmp(data, bytes, len) == 0;
    replica_reader_close(&r);
    return good && replica_verify(store, id, 0, &stopping, &storage, NULL) == 0;
}

/* ---- writing ---- */

static void small_ones_have_no_files(void **state)
{
    (void)state;
    make(1, 4096);
    make(2, LIMIT);
    make(3, LIMIT + 1);
    assert_int_equal(finalized_files(), 2);
    assert_true(is_good(1, 4096, true) && is_good(2, LIMIT, true) && is_good(3, LIMIT + 1, false));
    restart(LIMIT);
    assert_int_equal(block_store_count(store), 3);
    assert_true(is_good(1, 4096, true) && is_good(2, LIMIT, true) && is_good(3, LIMIT + 1, false));
    struct replica_view v;
    assert_int_equal(block_store_view(store, 1, &v, NULL), 0);
    assert_true(v.xxh3 == xxh3_of(bytes, 4096)); /* without reading any meta file */
    restart(0);
    make(4, 100);
    assert_true(is_good(1, 4096, true) && is_good(4, 100, false));
}

static struct replica_view view_of(uint64_t id)
{
    struct replica_view v;
    assert_int_equal(block_store_view(store, id, &v, NULL), 0);
    return v;
}

static size_t rbw_files(void)
{
    return count_files("*/current/BP-1/current/rbw/*");
}

/* As most clients write: what they sent is acknowledged before they say that it was all. */
static void what_is_kept_before_its_end_is_finished_later(void **state)
{
    struct replica_reader r;
    uint8_t data[700];
    (void)state;
    struct replica_writer *w = create(1);
    assert_false(replica_writer_holds(w));
    write_at(w, 0, 700);
    assert_true(replica_writer_holds(w));
    assert_int_equal(view_of(1).visible_bytes, 0);
    replica_writer_acked(w, 700);
    assert_int_equal(replica_writer_keep(w, NULL), 0);
    assert_int_equal(replica_writer_keep(w, NULL), 0);
    assert_false(replica_writer_holds(w));
    assert_int_equal(rbw_files(), 0);
    assert_int_equal(view_of(1).visible_bytes, 700);
    assert_int_equal(view_of(1).disk_bytes, 700);
    assert_int_equal(block_store_open_reader(store, 1, 1001, 700, &r, NULL), 0);
    assert_int_equal(r.state, REPLICA_RBW);
    assert_int_equal(replica_read_data(&r, data, sizeof data, 0, NULL), 0);
    assert_memory_equal(data, bytes, sizeof data);
    replica_reader_close(&r);
    finalize(w);
    assert_true(is_good(1, 700, true));
    restart(LIMIT);
    assert_true(is_good(1, 700, true));
}

static void what_grows_after_it_was_kept(void **state)
{
    (void)state;
    struct replica_writer *w = create(1); /* once more, and ends */
    write_at(w, 0, 700);
    assert_int_equal(replica_writer_keep(w, NULL), 0);
    write_at(w, 700, 1000);
    assert_int_equal(view_of(1).disk_bytes, 700);
    finalize(w);
    assert_true(is_good(1, 1700, true));
    w = create(2); /* piece by piece */
    write_at(w, 0, 700);
    assert_int_equal(replica_writer_keep(w, NULL), 0);
    write_at(w, 700, 1000);
    replica_writer_acked(w, 1700);
    assert_int_equal(replica_writer_keep(w, NULL), 0);
    assert_int_equal(rbw_files(), 2);
    assert_int_equal(view_of(2).visible_bytes, 1700);
    write_at(w, 1700, 1000);
    finalize(w);
    assert_true(is_good(2, 2700, false));
    w = create(3); /* too large */
    write_at(w, 0, 700);
    replica_writer_acked(w, 700);
    assert_int_equal(replica_writer_keep(w, NULL), 0);
    write_at(w, 700, LIMIT);
    assert_int_equal(view_of(3).visible_bytes, 700);
    finalize(w);
    assert_true(is_good(3, LIMIT + 700, false));
    restart(LIMIT);
    assert_int_equal(block_store_count(store), 3);
    assert_true(is_good(1, 1700, true) && is_good(2, 2700, false) && is_good(3, LIMIT + 700, false));
}

/* What was kept was acknowledged. */
static void what_was_kept_outlives_a_full_disk(void **state)
{
    struct replica_reopen q = {
        .block_id = 1, .gen_stamp = 1001, .new_gen_stamp = 1002, .min_bytes = 700, .max_bytes = 1700};
    (void)state;
    struct replica_writer *w = create(1);
    write_at(w, 0, 700);
    replica_writer_acked(w, 700);
    assert_int_equal(replica_writer_keep(w, NULL), 0);
    write_at(w, 700, 1000);
    is_full = true;
    assert_int_equal(replica_writer_keep(w, NULL), ERR_NO_SPACE);
    assert_int_equal(rbw_files(), 0);
    replica_writer_release(w);
    is_full = false;
    assert_int_equal(rbw_files(), 0);
    assert_int_equal(view_of(1).state, REPLICA_RBW);
    assert_int_equal(view_of(1).disk_bytes, 700);
    assert_int_equal(view_of(1).visible_bytes, 700);
    assert_int_equal(block_store_recover_stream(store, &q, &w, NULL), 0);
    write_at(w, 700, 2000);
    finalize(w);
    assert_true(is_good(1, 2700, false));
}

static void what_was_kept_of_an_unfinished_one_can_be_recovered(void **state)
{
    struct replica_view v;
    struct replica_writer *w;
    (void)state;
    for (int after_restart = 0; after_restart < 2; after_restart++)
        for (uint64_t len = 0; len <= 700; len += 350) {
            uint64_t id = 10 + len + (uint64_t)after_restart;
            w = create(id);
            if (len)
                write_at(w, 0, len);
            replica_writer_acked(w, len);
            replica_writer_release(w);
            if (after_restart)
                restart(LIMIT);
            assert_int_equal(rbw_files(), 0);
            assert_int_equal(view_of(id).state, after_restart ? REPLICA_RWR : REPLICA_RBW);
            assert_int_equal(block_store_init_recovery(store, id, 1001, 1005, &v, NULL), 0);
            struct replica_agree a = {.block_id = id, .old_bytes = len, .recovery_id = 1005, .new_bytes = len / 2};
            assert_int_equal(block_store_update_recovery(store, &a, &v, NULL), 0);
            assert_true(is_good(id, len / 2, false));
        }
    w = create(1);
    write_at(w, 0, 5000);
    replica_writer_acked(w, 3000);
    replica_writer_release(w);
    struct replica_reopen q = {
        .block_id = 1, .gen_stamp = 1001, .new_gen_stamp = 1002, .min_bytes = 3000, .max_bytes = 5000};
    assert_int_equal(block_store_recover_stream(store, &q, &w, NULL), 0);
    write_at(w, 3000, 4000);
    finalize(w);
    assert_true(is_good(1, 7000, false));
    restart(LIMIT);
    assert_true(is_good(1, 7000, false));
}

static void nobody_sees_any_of_it_before(void **state)
{
    struct replica_reader r;
    (void)state;
    struct replica_writer *w = create(1);
    write_at(w, 0, 700);
    assert_int_equal(block_store_open_reader(store, 1, 1001, 0, &r, NULL), 0);
    assert_int_equal(r.end_bytes, 0);
    assert_int_equal(r.visible_bytes, 0);
    assert_int_equal(r.meta.bytes_per_checksum, BPC);
    replica_reader_close(&r);
    replica_writer_drop(w);
    assert_int_equal(block_store_count(store), 0);
}

static void a_synced_one_is_synced_in_the_log(void **state)
{
    struct replica_view v;
    (void)state;
    struct replica_writer *w = create(1);
    write_at(w, 0, 700);
    assert_int_equal(replica_writer_finalize(w, true, &v, NULL), 0);
    assert_true(is_good(1, 700, true));
    w = create(2);
    write_at(w, 0, 700);
    assert_int_equal(replica_writer_sync(w, NULL), 0); /* and more may come */
    assert_int_equal(view_of(2).disk_bytes, 700);
    assert_int_equal(replica_writer_finalize(w, true, &v, NULL), 0);
    assert_true(is_good(2, 700, true));
}

/* hsync has promised what the record has: it may go only when what replaces it is on the disk as well. */
static void what_was_synced_stays_so(void **state)
{
    (void)state;
    for (uint64_t was_synced = 0; was_synced < 2; was_synced++)
        for (uint64_t grows = 0; grows < 2; grows++) {
            uint64_t id = 1 + 2 * was_synced + grows;
            struct replica_writer *w = create(id);
            write_at(w, 0, 700);
            replica_writer_acked(w, 700);
            if (was_synced)
                assert_int_equal(replica_writer_sync(w, NULL), 0);
            else
                assert_int_equal(replica_writer_keep(w, NULL), 0);
            write_at(w, 700, 700);
            int before = syncs;
            if (grows)
                assert_int_equal(replica_writer_keep(w, NULL), 0); /* two files */
            finalize(w);
            assert_int_equal(syncs - before, was_synced ? 1 + grows : 0);
            assert_true(is_good(id, 1400, !grows));
        }
}

static struct replica_writer *begin(uint64_t id)
{
    struct replica_writer *w = create(id);
    write_at(w, 0, 700);
    replica_writer_acked(w, 700);
    assert_int_equal(replica_writer_keep(w, NULL), 0);
    return w;
}

/* That another one before it in the log was finished since says nothing about it. */
static void what_was_synced_stays_so_beside_others(void **state)
{
    (void)state;
    struct replica_writer *first = begin(1);
    make(2, 100); /* on the other volume */
    struct replica_writer *w = begin(3);
    assert_int_equal(replica_writer_sync(w, NULL), 0);
    finalize(first);
    write_at(w, 700, 700);
    int before = syncs;
    assert_int_equal(replica_writer_keep(w, NULL), 0); /* two files */
    assert_int_equal(syncs - before, 2);
    finalize(w);
    assert_true(is_good(1, 700, true) && is_good(3, 1400, false));
}

/* The kernel tells of what it could not write once only, and holds it for written from then on. */
static void a_sync_that_failed_failed_for_all_in_the_file(void **state)
{
    (void)state;
    struct replica_view v;
    struct replica_writer *first = begin(1), *other = begin(2), *w = begin(3);
    cannot_sync = true;
    assert_int_equal(replica_writer_sync(first, NULL), ERR_IO);
    cannot_sync = false;
    assert_int_equal(replica_writer_sync(w, NULL), ERR_IO);
    assert_int_equal(block_store_sync(store, 3, 1001, NULL), ERR_IO);
    assert_int_equal(replica_writer_sync(other, NULL), 0); /* on the other volume */
    finalize(other);
    replica_writer_release(first);
    replica_writer_release(w);
    make(4, 700);
    w = create(5);
    write_at(w, 0, 700);
    assert_int_equal(replica_writer_finalize(w, true, &v, NULL), 0); /* in a file of its own */
    assert_true(is_good(5, 700, true));
}

/* It takes everything, and loses it when the kernel writes it out. */
static void a_disk_that_cannot_be_synced_has_failed(void **state)
{
    (void)state;
    bool fatal = false;
    assert_false(block_store_check_storages(store, &fatal));
    cannot_sync = true;
    bool failed = block_store_check_storages(store, &fatal);
    cannot_sync = false;
    assert_true(failed && fatal);
}

static void what_is_in_memory_is_nothing_to_sync(void **state)
{
    (void)state;
    struct replica_writer *w = create(1);
    write_at(w, 0, 700);
    assert_int_equal(block_store_sync(store, 1, 1001, NULL), 0);
    assert_int_equal(block_store_sync(store, 1, 1002, NULL), ERR_IO); /* an older one */
    finalize(w);
    assert_int_equal(block_store_sync(store, 1, 1001, NULL), 0);
}

/* The namenode takes an older stamp for an older replica: what has been there for long must not be found under it, or
 * nowhere, after power failed. */
static void a_new_stamp_is_on_the_disk_before_it_is_used(void **state)
{
    static const size_t lengths[] = {700, LIMIT + 700};
    (void)state;
    for (uint64_t i = 0; i < 2; i++) {
        struct replica_reopen q = {
            .block_id = 1 + i, .gen_stamp = 1001, .new_gen_stamp = 1002, .min_bytes = lengths[i], .max_bytes = 40000};
        struct replica_writer *w;
        struct replica_view v;
        make(q.block_id, lengths[i]);
        syncs = folder_syncs = 0;
        assert_int_equal(block_store_append(store, &q, &w, NULL), 0);
        assert_int_equal(syncs, i ? 0 : 2); /* it had no files before */
        assert_true(folder_syncs > 0);
        replica_writer_release(w);
        q.new_gen_stamp++;
        folder_syncs = 0;
        assert_int_equal(block_store_recover_stream(store, &q, &w, NULL), 0);
        assert_true(folder_syncs > 0);
        finalize(w);
        q.new_gen_stamp++;
        folder_syncs = 0;
        assert_int_equal(block_store_recover_close(store, &q, &v, NULL), 0);
        assert_true(folder_syncs > 0);
        assert_true(is_good(q.block_id, lengths[i], false));
    }
}

static void a_finished_one_is_synced_when_asked(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 2; i++) {
        size_t len = i ? LIMIT + 700 : 700;
        make(1 + i, len);
        syncs = folder_syncs = 0;
        assert_int_equal(block_store_sync(store, 1 + i, 1001, NULL), 0);
        assert_int_equal(syncs, 1 + i);
        assert_int_equal(folder_syncs, i ? 1 : 2);
        assert_true(is_good(1 + i, len, !i));
    }
    assert_int_equal(block_store_sync(store, 9, 1001, NULL), ERR_REPLICA_NOT_FOUND);
}

/* ---- space ---- */

static int64_t used_bytes(void)
{
    struct storage_view storages[4];
    int64_t used = 0;
    for (size_t i = 0; i < block_store_storages(store, storages, 4); i++)
        used += storages[i].space.used_bytes;
    return used;
}

static void removed_ones_give_their_space_back(void **state)
{
    uint64_t count = 40u << 20;
    (void)state;
    count /= LIMIT;
    for (uint64_t id = 1; id <= count; id++)
        make(id, LIMIT);
    assert_int_equal(used_bytes(), (int64_t)count * replica_footprint(LIMIT));
    assert_true(segments() >= 3);
    for (uint64_t id = 1; id <= count; id++)
        if (id % 16)
            remove_block(id);
    for (int i = 0; i < 3000 && segments() > 2; i++) /* the newest of each volume, with what lived elsewhere */
        clock_sleep_ms(10);
    assert_in_range(segments(), 1, 2); /* a volume where nothing lives may have lost that one, too */
    for (uint64_t id = 16; id <= count; id += 16)
        assert_true(is_good(id, LIMIT, true));
    restart(LIMIT);
    assert_int_equal(block_store_count(store), count / 16);
    for (uint64_t id = 16; id <= count; id += 16) {
        assert_true(is_good(id, LIMIT, true));
        remove_block(id);
    }
    assert_int_equal(used_bytes(), 0);
    for (int i = 0; i < 3000 && segments() > 0; i++)
        clock_sleep_ms(10);
    assert_int_equal(segments(), 0);
}

static void file_of(uint64_t id, char ret[200])
{
    struct replica_reader r;
    char link[64];
    assert_int_equal(block_store_open_reader(store, id, 0, 0, &r, NULL), 0);
    snprintf(link, sizeof link, "/proc/self/fd/%d", r.data_fd);
    ssize_t n = readlink(link, ret, 199);
    assert_true(n > 0);
    ret[n] = 0;
    replica_reader_close(&r);
}

/* One that is being written keeps its segment, and what was copied out of that must not be found in it again. */
static void what_is_removed_after_it_was_copied_stays_removed(void **state)
{
    const uint64_t count = (40u << 20) / LIMIT;
    struct replica_writer *writers[2];
    char before[200], now[200];
    (void)state;
    for (size_t i = 0; i < 2; i++) { /* one on each volume */
        writers[i] = create(count + 1 + i);
        write_at(writers[i], 0, 4096);
        assert_int_equal(replica_writer_keep(writers[i], NULL), 0);
    }
    for (uint64_t id = 1; id <= count; id++)
        make(id, LIMIT);
    file_of(16, before);
    for (uint64_t id = 1; id <= count; id++)
        if (id % 16)
            remove_block(id);
    file_of(16, now);
    for (int i = 0; i < 3000 && !strcmp(now, before); i++) {
        clock_sleep_ms(10);
        file_of(16, now);
    }
    assert_string_not_equal(now, before);
    for (uint64_t id = 16; id <= count; id += 16)
        remove_block(id);
    for (size_t i = 0; i < 2; i++)
        finalize(writers[i]);
    restart(LIMIT);
    assert_int_equal(block_store_count(store), 2);
}

#define WORKERS    4
#define PER_WORKER 1200

struct worker {
    pthread_t thread;
    uint64_t first_id;
    size_t bad;
};

static bool reads_well(uint64_t id, size_t len)
{
    struct replica_reader r;
    AUTO(mem_freep) uint8_t *data = mem_alloc(LIMIT);
    if (block_store_open_reader(store, id, 1001, 0, &r, NULL) < 0)
        return false;
    bool good = r.end_bytes == len && replica_read_data(&r, data, len, 0, NULL) == 0 && memcmp(data, bytes, len) == 0;
    replica_reader_close(&r);
    return good;
}

static size_t length_of(uint64_t id)
{
    return LIMIT / 2 + (size_t)(id * 977 % (LIMIT / 2));
}

/* Makes, reads and removes; every eighth stays. */
static void *work(void *arg)
{
    struct worker *w = arg;
    for (uint64_t id = w->first_id; id < w->first_id + PER_WORKER; id++) {
        struct replica_create c = {.block_id = id, .gen_stamp = 1001, .meta = crc32c};
        struct write_piece p = {.data = bytes, .data_bytes = length_of(id)};
        struct replica_writer *writer;
        struct replica_view v;
        if (block_store_create_rbw(store, &c, &writer, NULL) < 0 ||
            replica_writer_write(writer, &p, &crc32c, NULL) < 0 ||
            (id % 3 == 0 && replica_writer_keep(writer, NULL) < 0) ||
            replica_writer_finalize(writer, id % 64 == 0, &v, NULL) < 0) {
            w->bad++;
            return NULL;
        }
        uint64_t before = id - w->first_id >= 40 ? id - 40 : id;
        w->bad += !reads_well(before, length_of(before));
        uint64_t kept = w->first_id + (id - w->first_id) / 16 * 8;
        w->bad += kept % 8 == 0 && !reads_well(kept, length_of(kept));
        if (before < id && before % 8)
            w->bad += block_store_delete(store, before, 1001, &v, NULL) < 0;
    }
    return NULL;
}

static void segments_are_emptied_under_readers_and_writers(void **state)
{
    struct worker workers[WORKERS];
    (void)state;
    for (size_t i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.first_id = 8 * PER_WORKER * (i + 1)};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < WORKERS; i++)
        pthread_join(workers[i].thread, NULL);
    for (size_t i = 0; i < WORKERS; i++)
        assert_int_equal(workers[i].bad, 0);
    restart(LIMIT);
    for (size_t i = 0; i < WORKERS; i++)
        for (uint64_t id = workers[i].first_id; id < workers[i].first_id + PER_WORKER; id += 8)
            assert_true(is_good(id, length_of(id), true));
    assert_int_equal(block_store_count(store), WORKERS * (PER_WORKER / 8 + 40 - 5));
}

/* ---- files after all ---- */

static void one_moves_to_another_volume(void **state)
{
    struct replica_view v, moved;
    (void)state;
    make(1, 4096);
    assert_int_equal(block_store_view(store, 1, &v, NULL), 0);
    int other = v.storage_type == 1 ? 2 : 1; /* DISK, SSD */
    assert_int_equal(block_store_move(store, 1, 1001, other, NULL, &moved, NULL), 0);
    assert_string_not_equal(moved.storage_id, v.storage_id);
    assert_true(is_good(1, 4096, false));
    restart(LIMIT);
    assert_int_equal(block_store_count(store), 1);
    assert_true(is_good(1, 4096, false));
}

static void one_that_is_asked_to_gets_files(void **state)
{
    (void)state;
    make(1, 4096);
    assert_int_equal(block_store_own_files(store, 1, NULL), 0);
    assert_int_equal(block_store_own_files(store, 1, NULL), 0);
    assert_int_equal(block_store_own_files(store, 2, NULL), ERR_REPLICA_NOT_FOUND);
    assert_true(is_good(1, 4096, false));
    restart(LIMIT);
    assert_true(is_good(1, 4096, false));
    assert_int_equal(block_store_count(store), 1);
}

/* The daemon died between the two. */
static void a_record_beside_files_is_dropped(void **state)
{
    char from[200], to[200];
    (void)state;
    make(1, 4096);
    block_store_close(store);
    const char *volume = count_files("a/current/BP-1/current/small/*.log") ? "a" : "b";
    snprintf(from, sizeof from, "%s/%s/current/BP-1/current/small", folder, volume);
    snprintf(to, sizeof to, "%s/kept", folder);
    char command[800];
    snprintf(command, sizeof command, "cp -r %s %s", from, to);
    assert_int_equal(system(command), 0);
    open_store(LIMIT);
    assert_int_equal(block_store_own_files(store, 1, NULL), 0);
    block_store_close(store);
    snprintf(command, sizeof command, "rm -r %s && mv %s %s", from, to, from);
    assert_int_equal(system(command), 0);
    open_store(LIMIT);
    assert_int_equal(block_store_count(store), 1);
    assert_true(is_good(1, 4096, false));
    remove_block(1);
    restart(LIMIT);
    assert_int_equal(block_store_count(store), 0);
}

/* ---- damage ---- */

static void flip(uint64_t id, int64_t offset)
{
    struct replica_reader r;
    char path[64], target[4096];
    uint8_t byte;
    assert_int_equal(block_store_open_reader(store, id, 0, 0, &r, NULL), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", r.data_fd);
    ssize_t n = readlink(path, target, sizeof target - 1);
    assert_true(n > 0);
    target[n] = 0;
    AUTO(net_closep) int fd = open(target, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, r.data_base + offset), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, r.data_base + offset), 1);
    replica_reader_close(&r);
}

static int verify(uint64_t id)
{
    _Atomic bool stopping = false;
    size_t storage;
    return replica_verify(store, id, 0, &stopping, &storage, NULL);
}

static void rot_is_found(void **state)
{
    (void)state;
    for (uint64_t id = 1; id <= 4; id++)
        make(id, 4096);
    flip(1, 4000);                                          /* data */
    flip(2, -(int64_t)(META_TRAILER_BYTES + 4));            /* a checksum */
    flip(3, -(int64_t)meta_bytes(&crc32c, 4096) - 28 - 40); /* the record's header: the block id */
    assert_int_equal(verify(1), ERR_CHECKSUM);
    assert_int_equal(verify(2), ERR_CHECKSUM);
    assert_int_equal(verify(3), ERR_CHECKSUM);
    assert_int_equal(verify(4), 0);
    for (uint64_t id = 1; id <= 3; id++) /* as the namenode will want */
        remove_block(id);
    assert_int_equal(verify(4), 0);
    restart(LIMIT);
    assert_int_equal(block_store_count(store), 1);
    assert_int_equal(verify(4), 0);
}

static void note(void *context, const struct store_difference *d)
{
    size_t *removed = context;
    *removed += d->kind == DIFFERENCE_REMOVED;
}

static void a_segment_that_is_gone_is_noticed(void **state)
{
    _Atomic bool stopping = false;
    size_t removed = 0;
    char command[200];
    (void)state;
    for (uint64_t id = 1; id <= 10; id++)
        make(id, 100);
    make(11, LIMIT + 1);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(block_store_compare(store, i, &stopping, note, &removed, NULL), 0);
    assert_int_equal(removed, 0);
    snprintf(command, sizeof command, "rm %s/*/current/BP-1/current/small/*.log", folder);
    assert_int_equal(system(command), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(block_store_compare(store, i, &stopping, note, &removed, NULL), 0);
    assert_int_equal(removed, 10);
    assert_int_equal(block_store_count(store), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(small_ones_have_no_files),
        TEST(what_is_kept_before_its_end_is_finished_later),
        TEST(what_grows_after_it_was_kept),
        TEST(what_was_kept_outlives_a_full_disk),
        TEST(what_was_kept_of_an_unfinished_one_can_be_recovered),
        TEST(nobody_sees_any_of_it_before),
        TEST(a_synced_one_is_synced_in_the_log),
        TEST(a_finished_one_is_synced_when_asked),
        TEST(what_was_synced_stays_so),
        TEST(what_was_synced_stays_so_beside_others),
        TEST(a_sync_that_failed_failed_for_all_in_the_file),
        TEST(a_disk_that_cannot_be_synced_has_failed),
        TEST(what_is_in_memory_is_nothing_to_sync),
        TEST(a_new_stamp_is_on_the_disk_before_it_is_used),
        TEST(removed_ones_give_their_space_back),
        TEST(what_is_removed_after_it_was_copied_stays_removed),
        TEST(segments_are_emptied_under_readers_and_writers),
        TEST(one_moves_to_another_volume),
        TEST(one_that_is_asked_to_gets_files),
        TEST(a_record_beside_files_is_dropped),
        TEST(rot_is_found),
        TEST(a_segment_that_is_gone_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The log of small replicas, on real files: what was appended is found again, whatever happened to what is around it.
 */
#include "tests/unit/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/meta_file.h"
#include "datanode/store/small_log.h"

#define RECORDS_MAX 20000
#define META_BYTES  (META_HEADER_BYTES + META_TRAILER_BYTES)

static char folder[64], logs[80];
static struct small_log *small;
static struct found {
    struct small_record record;
    struct small_place at;
} found[RECORDS_MAX];
static size_t found_count;

static off_t bad_page = -1; /* the disk does not give it */

ssize_t pread(int fd, void *to, size_t len, off_t offset)
{
    if (bad_page < 0 || offset >= bad_page + 4096 || offset + (off_t)len <= bad_page)
        return (ssize_t)syscall(SYS_pread64, fd, to, len, offset);
    errno = EIO;
    return -1;
}

static void note(void *context, const struct small_record *r, struct small_place at)
{
    (void)context;
    assert_true(found_count < RECORDS_MAX);
    found[found_count++] = (struct found){*r, at};
}

static void open_log(void)
{
    struct err why;
    found_count = 0;
    if (small_log_open(logs, note, NULL, &small, &why) < 0)
        fail_msg("%s", why.text);
}

static void restart(void)
{
    small_log_close(small);
    open_log();
}

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/small_log_test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(logs, sizeof logs, "%s/small", folder);
    open_log();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    small_log_close(small);
    return file_remove_tree(folder, NULL);
}

/* Bytes that are a block's own. */
static void fill(uint64_t block_id, uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(block_id * 131 + i * 7 + (i >> 8));
}

static struct small_place append_as(uint64_t block_id, uint32_t len, enum small_state state)
{
    uint8_t meta[META_BYTES];
    AUTO(mem_freep) uint8_t *data = mem_alloc(len + 1);
    struct small_place at;
    struct err why;
    memset(meta, (int)block_id, sizeof meta);
    fill(block_id, data, len);
    struct small_record r = {.block_id = block_id,
                             .gen_stamp = 1000 + block_id,
                             .xxh3 = xxh3_of(data, len),
                             .meta_bytes = META_BYTES,
                             .data_bytes = len,
                             .state = state};
    if (small_log_append(small, &r, meta, data, &at, &why) < 0)
        fail_msg("%s", why.text);
    return at;
}

static struct small_place append(uint64_t block_id, uint32_t len)
{
    return append_as(block_id, len, SMALL_FINALIZED);
}

static void assert_there(uint64_t block_id, struct small_place at, uint32_t len)
{
    struct small_record r;
    AUTO(net_closep) int fd = -1;
    AUTO(mem_freep) uint8_t *data = mem_alloc(len + 1);
    AUTO(mem_freep) uint8_t *expected = mem_alloc(len + 1);
    struct err why;
    if (small_log_find(small, at, block_id, &r, &fd, &why) < 0)
        fail_msg("%s", why.text);
    assert_int_equal(r.gen_stamp, 1000 + block_id);
    assert_int_equal(r.data_bytes, len);
    assert_int_equal(file_pread_full(fd, data, len, small_data_offset(at, &r), NULL), 0);
    fill(block_id, expected, len);
    assert_memory_equal(data, expected, len);
}

static const struct found *found_of(uint64_t block_id)
{
    for (size_t i = 0; i < found_count; i++)
        if (found[i].record.block_id == block_id)
            return &found[i];
    return NULL;
}

static void remove_record(uint64_t block_id, struct small_place at)
{
    bool tidy;
    assert_int_equal(small_log_remove(small, at, block_id, &tidy, NULL), 0);
}

static struct small_log_counts counts(void)
{
    struct small_log_counts c;
    small_log_count(small, &c);
    return c;
}

/* The file of a segment; "" if it is gone. */
static const char *segment_file(uint32_t number)
{
    static char path[400];
    char begin[16];
    DIR *d = opendir(logs);
    snprintf(begin, sizeof begin, "%06u-", number);
    path[0] = 0;
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (!strncmp(e->d_name, begin, strlen(begin)))
            snprintf(path, sizeof path, "%s/%s", logs, e->d_name);
    if (d)
        closedir(d);
    return path;
}

static void damage(struct small_place at, uint32_t offset)
{
    uint8_t byte;
    AUTO(net_closep) int fd = open(segment_file(at.segment), O_RDWR);
    assert_int_equal(file_pread_full(fd, &byte, 1, at.offset + offset, NULL), 0);
    byte ^= 0x40;
    assert_int_equal(file_pwrite_full(fd, &byte, 1, at.offset + offset, NULL), 0);
}

/* ---- */

static void what_was_appended_is_found_after_a_restart(void **state)
{
    static const uint32_t lengths[] = {0, 1, 13, 64, 4096, 5000, 16384};
    struct small_place at[ARRAY_COUNT(lengths)];
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        at[i] = append(i + 1, lengths[i]);
        assert_int_equal(at[i].offset % SMALL_ALIGN, 0);
    }
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++)
        assert_there(i + 1, at[i], lengths[i]);
    restart();
    assert_int_equal(found_count, ARRAY_COUNT(lengths));
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        assert_non_null(found_of(i + 1));
        assert_memory_equal(&found_of(i + 1)->at, &at[i], sizeof at[i]);
        assert_there(i + 1, at[i], lengths[i]);
    }
    struct small_place next = append(100, 50);
    assert_int_equal(next.segment, at[0].segment); /* it goes on where it was */
    assert_true(next.offset > at[ARRAY_COUNT(lengths) - 1].offset);
}

static void what_was_removed_stays_so(void **state)
{
    struct small_place at[10];
    (void)state;
    for (uint64_t id = 0; id < 10; id++)
        at[id] = append(id, 1000);
    for (uint64_t id = 0; id < 10; id += 2)
        remove_record(id, at[id]);
    assert_int_equal(counts().living, 5);
    restart();
    assert_int_equal(found_count, 5);
    assert_int_equal(counts().living, 5);
    for (uint64_t id = 0; id < 10; id++)
        assert_int_equal(found_of(id) != NULL, id % 2);
}

static void open_records_are_finished_by_a_mark(void **state)
{
    (void)state;
    struct small_place at[3];
    for (uint64_t id = 0; id < 3; id++)
        at[id] = append_as(id, 500, SMALL_OPEN);
    assert_int_equal(small_log_sync(small, at[2], 640, NULL), 0);
    assert_int_equal(small_log_finish(small, at[1], 1, NULL), 0);
    assert_int_equal(small_log_finish(small, at[1], 2, NULL), ERR_CHECKSUM); /* another block is there */
    assert_true(small_log_is_synced(small, at[0]));
    assert_true(small_log_is_synced(small, at[1])); /* though the mark is not */
    assert_int_equal(small_log_sync(small, at[1], 640, NULL), 0);
    assert_true(small_log_is_synced(small, at[1]));
    remove_record(2, at[2]);
    restart();
    assert_int_equal(found_count, 2);
    assert_int_equal(found_of(0)->record.state, SMALL_OPEN);
    assert_int_equal(found_of(1)->record.state, SMALL_FINALIZED);
    assert_there(0, at[0], 500);
}

static void a_torn_end_is_cut(void **state)
{
    (void)state;
    for (uint32_t cut = 1; cut < 4300; cut += 217) {
        append(1, 100);
        struct small_place last = append(2, 4096);
        assert_int_equal(truncate(segment_file(last.segment), last.offset + cut), 0);
        restart();
        assert_non_null(found_of(1));
        assert_null(found_of(2));
        struct small_place again = append(3, 200);
        assert_int_equal(again.offset, last.offset);
        restart();
        assert_there(3, found_of(3)->at, 200);
        small_log_close(small);
        assert_int_equal(file_remove_tree(logs, NULL), 0);
        open_log();
    }
}

static void data_that_never_reached_the_disk_is_cut(void **state)
{
    (void)state;
    append(1, 4096);
    struct small_place at = append(2, 4096);
    append(3, 4096);
    damage((struct small_place){at.segment, counts().bytes}, (uint32_t)-100); /* of the last */
    restart();
    assert_non_null(found_of(1));
    assert_non_null(found_of(2));
    assert_null(found_of(3));
    damage(at, SMALL_HEADER_BYTES + META_BYTES + 50); /* now the last */
    append(4, 100);
    restart(); /* not the last any more: whoever reads it finds out */
    assert_non_null(found_of(2));
    assert_non_null(found_of(4));
}

static void a_damaged_header_costs_its_own_record_alone(void **state)
{
    struct small_place at[20];
    (void)state;
    for (uint32_t byte = 0; byte < SMALL_HEADER_BYTES; byte += 5) {
        for (uint64_t id = 0; id < 20; id++)
            at[id] = append(id, (uint32_t)(id * 300));
        damage(at[7], byte);
        damage(at[8], byte);
        struct small_record r;
        int fd;
        assert_int_equal(small_log_find(small, at[7], 7, &r, &fd, NULL), ERR_CHECKSUM);
        restart();
        assert_int_equal(found_count, 18);
        for (uint64_t id = 0; id < 20; id++)
            assert_int_equal(found_of(id) != NULL, id != 7 && id != 8);
        small_log_close(small);
        assert_int_equal(file_remove_tree(logs, NULL), 0);
        open_log();
    }
}

/* The rest of the disk may be fine, and hold all there is of many blocks. */
static void a_bad_sector_costs_what_is_in_it_alone(void **state)
{
    struct small_place at[40];
    (void)state;
    for (uint64_t id = 0; id < 40; id++)
        at[id] = append(id, 1000);
    bad_page = 8192;
    restart();
    for (uint64_t id = 0; id < 40; id++)
        assert_int_equal(found_of(id) != NULL,
                         at[id].offset + SMALL_HEADER_BYTES <= 8192 || at[id].offset >= 8192 + 4096);
    assert_int_not_equal(append(40, 1000).segment, at[0].segment); /* nothing more is written there */
    bad_page = -1;
    restart();
    assert_int_equal(found_count, 41);
}

static void what_cannot_be_read_is_not_cut_off(void **state)
{
    (void)state;
    for (uint64_t id = 0; id < 3; id++)
        append(id, 10000);
    uint64_t length = counts().bytes;
    bad_page = (off_t)(length - 1) / 4096 * 4096;
    restart();
    bad_page = -1;
    restart();
    assert_int_equal(found_count, 3);
    assert_int_equal(counts().bytes, length);
}

static void data_that_looks_like_a_record_is_none(void **state)
{
    uint8_t data[4096];
    (void)state;
    small_log_close(small);
    open_log();
    struct small_place first = append(1, 500);
    AUTO(net_closep) int fd = open(segment_file(first.segment), O_RDONLY);
    uint8_t copy[640];
    assert_int_equal(file_pread_full(fd, copy, sizeof copy, first.offset, NULL), 0);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = copy[i % sizeof copy];
    /* Its header, at each place where a walk would look. */
    for (size_t i = 0; i + SMALL_ALIGN <= sizeof data; i += SMALL_ALIGN)
        memcpy(data + i, copy, SMALL_HEADER_BYTES);
    uint8_t meta[META_HEADER_BYTES + META_TRAILER_BYTES + 45] = {0}; /* 48 + 80 = 2 * 64: the data is aligned */
    struct small_record r = {
        .block_id = 2, .gen_stamp = 5, .state = SMALL_FINALIZED, .meta_bytes = sizeof meta, .data_bytes = sizeof data};
    struct small_place at;
    assert_int_equal(small_log_append(small, &r, meta, data, &at, NULL), 0);
    append(3, 10);
    damage(at, 9);
    restart();
    assert_int_equal(found_count, 2);
    assert_non_null(found_of(1));
    assert_non_null(found_of(3));
}

static void segments_are_begun_and_go_when_nothing_in_them_lives(void **state)
{
    static struct small_place at[RECORDS_MAX];
    size_t count = 2 * SMALL_SEGMENT_BYTES / 16000;
    (void)state;
    for (uint64_t id = 0; id < count; id++)
        at[id] = append(id, 16000);
    assert_int_equal(counts().segments, 3);
    AUTO(net_closep) int fd = -1;
    struct small_record r;
    assert_int_equal(small_log_find(small, at[0], 0, &r, &fd, NULL), 0);
    for (uint64_t id = 0; at[id].segment == at[0].segment; id++)
        remove_record(id, at[id]);
    small_log_reap(small);
    assert_int_equal(counts().segments, 2);
    assert_string_equal(segment_file(at[0].segment), "");
    uint8_t byte[10], expected[10];
    assert_int_equal(file_pread_full(fd, byte, sizeof byte, small_data_offset(at[0], &r), NULL), 0);
    fill(0, expected, sizeof expected);
    assert_memory_equal(byte, expected, sizeof byte); /* who has it open reads on */
    int other;
    assert_int_equal(small_log_find(small, at[0], 0, &r, &other, NULL), ERR_NOT_FOUND);
    restart();
    assert_int_equal(counts().segments, 2);
}

static void the_newest_segment_is_given_up_when_it_is_long_and_empty(void **state)
{
    (void)state;
    struct small_place at[200];
    at[0] = append(0, 16000);
    remove_record(0, at[0]);
    small_log_reap(small);
    assert_int_equal(counts().segments, 1); /* too short to bother */
    for (uint64_t id = 1; id < 100; id++)
        at[id] = append(id, 16000);
    for (uint64_t id = 1; id < 100; id++)
        remove_record(id, at[id]);
    small_log_reap(small);
    assert_int_equal(counts().segments, 0);
    at[0] = append(0, 100);
    assert_there(0, at[0], 100);
}

static void sparse_segments_are_offered_once(void **state)
{
    static struct small_place at[RECORDS_MAX];
    size_t count = SMALL_SEGMENT_BYTES / 16000 + 10;
    uint32_t segment;
    struct small_walk walk;
    (void)state;
    for (uint64_t id = 0; id < count; id++)
        at[id] = append(id, 16000);
    assert_false(small_log_sparse(small, &segment, &walk));
    for (uint64_t id = 0; id < count; id++)
        if (at[id].segment == at[0].segment && id % 4)
            remove_record(id, at[id]);
    assert_true(small_log_sparse(small, &segment, &walk));
    assert_int_equal(segment, at[0].segment);
    struct small_record r;
    uint32_t offset;
    size_t living = 0;
    while (small_walk_next(&walk, &r, &offset, NULL) > 0)
        living += r.state != SMALL_REMOVED;
    close(walk.fd);
    assert_true(living > 200 && living < 300);
    assert_false(small_log_sparse(small, &segment, &walk));
    remove_record(0, at[0]);
    assert_true(small_log_sparse(small, &segment, &walk));
    close(walk.fd);
}

static void a_sync_covers_what_was_before_it(void **state)
{
    (void)state;
    struct small_place a = append(1, 100), b = append(2, 100);
    assert_false(small_log_is_synced(small, a));
    assert_int_equal(small_log_sync(small, b, 256, NULL), 0);
    assert_true(small_log_is_synced(small, a));
    assert_true(small_log_is_synced(small, b));
    struct small_place c = append(3, 100);
    assert_false(small_log_is_synced(small, c));
    assert_int_equal(small_log_sync(small, (struct small_place){9, 0}, 1, NULL), ERR_NOT_FOUND);
}

static void nothing_is_written_into_files_that_were_taken_away(void **state)
{
    (void)state;
    struct small_place at = append(1, 100);
    assert_int_equal(unlink(segment_file(at.segment)), 0);
    struct small_place next = append(2, 100);
    assert_int_not_equal(next.segment, at.segment);
    assert_there(2, next, 100);
    char aside[100];
    snprintf(aside, sizeof aside, "%s.aside", folder);
    assert_int_equal(rename(folder, aside), 0); /* as when a disk is gone: nothing is made in its place */
    struct small_record r = {.block_id = 3, .meta_bytes = META_BYTES};
    uint8_t meta[META_BYTES] = {0};
    assert_int_equal(small_log_append(small, &r, meta, meta, &at, NULL), ERR_NOT_FOUND);
    assert_int_equal(access(folder, F_OK), -1);
    assert_int_equal(rename(aside, folder), 0);
    restart();
    assert_int_equal(found_count, 1);
}

static void foreign_files_are_left_alone(void **state)
{
    (void)state;
    append(1, 100);
    AUTO(mem_freep) char *stray = mem_printf("%s/000009-zz.log", logs);
    assert_int_equal(file_write_atomic(stray, "hello", 5, 0644, NULL), 0);
    restart();
    assert_int_equal(found_count, 1);
    assert_int_equal(counts().segments, 1);
    assert_int_equal(access(stray, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_appended_is_found_after_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_removed_stays_so, setup, teardown),
        cmocka_unit_test_setup_teardown(open_records_are_finished_by_a_mark, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_end_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(data_that_never_reached_the_disk_is_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_header_costs_its_own_record_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bad_sector_costs_what_is_in_it_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_is_not_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(data_that_looks_like_a_record_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(segments_are_begun_and_go_when_nothing_in_them_lives, setup, teardown),
        cmocka_unit_test_setup_teardown(the_newest_segment_is_given_up_when_it_is_long_and_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(sparse_segments_are_offered_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sync_covers_what_was_before_it, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_written_into_files_that_were_taken_away, setup, teardown),
        cmocka_unit_test_setup_teardown(foreign_files_are_left_alone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

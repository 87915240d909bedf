/* What was staged is there for the next process, whatever the order of writes, zeros, cuts and trims. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mem.h"
#include "fuse/posix/staging.h"
#include "tests/unit/check.h"

#define SIZE  4096
#define INODE 20000

static unsigned random_state = 7;

static unsigned random_below(unsigned n)
{
    random_state = random_state * 1103515245 + 12345;
    return (random_state >> 8) % n;
}

static char folder[64];
static struct staging_area *area;

static int setup(void **state)
{
    strcpy(folder, "/tmp/staging-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return staging_area_open(folder, 1 << 20, &area, NULL);
}

static int teardown(void **state)
{
    staging_area_free(area);
    return rmdir(folder); /* fails if a file was left */
}

struct change {
    enum { WRITE, ZEROS, CUT, TRIM } what;
    int64_t at;
    size_t len;
    int byte;
};

/* In a process that is gone afterwards, as if it had been killed. */
static void do_and_die(const struct change *changes, size_t count)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct staging *s;
        char bytes[1000];
        int rc = staging_new(area, INODE, &s, NULL);
        for (size_t i = 0; rc == 0 && i < count; i++) {
            const struct change *c = &changes[i];
            memset(bytes, c->byte, sizeof bytes);
            struct extent range = {c->at, c->at + (int64_t)c->len, false};
            struct extents kept = {.items = &range, .count = 1, .data_bytes = (int64_t)c->len};
            rc = c->what == WRITE   ? staging_write(s, bytes, c->len, c->at, NULL)
                 : c->what == ZEROS ? staging_note_zeros(s, c->at, c->at + (int64_t)c->len, NULL)
                 : c->what == CUT   ? staging_note_size(s, c->at, NULL)
                                    : staging_trim(s, &kept, NULL);
        }
        _exit(rc == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static struct staging *resume(struct extents *changed, int64_t *size)
{
    struct staging *next;
    uint64_t *left;
    bool sized;
    assert_int_equal(staging_area_left(area, &left), 1);
    assert_int_equal(left[0], INODE);
    free(left);
    assert_int_equal(staging_resume(area, INODE, changed, size, &sized, &next, NULL), 0);
    return next;
}

static void test_random_changes_are_there_for_the_next_process(void **state)
{
    for (int round = 0; round < 60; round++) {
        struct change changes[40];
        char model[SIZE] = {0}, kind[SIZE] = {0}; /* kind: 0 clean, 1 data, 2 zeros */
        int64_t size = 0, resumed = 0;
        for (int i = 0; i < 40; i++) {
            unsigned dice = random_below(8);
            struct change c = {dice == 0   ? ZEROS
                               : dice == 1 ? CUT
                                           : WRITE,
                               random_below(SIZE - 300), 1 + random_below(299), (int)random_below(256)};
            changes[i] = c;
            if (c.what == CUT)
                memset(kind + c.at, 0, (size_t)(SIZE - c.at));
            else
                memset(kind + c.at, c.what == WRITE ? 1 : 2, c.len);
            if (c.what == WRITE)
                memset(model + c.at, c.byte, c.len);
            int64_t end = c.what == CUT ? c.at : c.at + (int64_t)c.len;
            size = c.what == CUT || end > size ? end : size;
        }
        struct extents changed = {0};
        do_and_die(changes, 40);
        struct staging *next = resume(&changed, &resumed);
        assert_int_equal(resumed, size);
        for (int64_t at = 0; at < SIZE; at++) {
            const struct extent *x = extents_from(&changed, at);
            char byte, is = x && x->start <= at ? x->is_zero ? 2 : 1 : 0;
            assert_int_equal(is, kind[at]);
            if (is == 1) {
                assert_int_equal(staging_read(next, &byte, 1, at, NULL), 0);
                assert_int_equal(byte, model[at]);
            }
        }
        extents_clear(&changed);
        staging_free(next);
    }
}

static void test_what_was_trimmed_is_not_taken_up_again(void **state)
{
    struct extents changed = {0}, none = {0};
    int64_t size = 0;
    struct change changes[52];
    for (int i = 0; i < 50; i++)
        changes[i] = (struct change){WRITE, i * 1000, 1000, 1};
    changes[50] = (struct change){TRIM, 48000, 2000, 0};
    changes[51] = (struct change){WRITE, 50000, 1000, 1};
    do_and_die(changes, 52);
    struct staging *s = resume(&changed, &size);
    assert_int_equal(changed.count, 1);
    assert_int_equal(changed.items[0].start, 48000);
    assert_int_equal(changed.items[0].end, 51000);
    extents_clear(&changed);
    assert_int_equal(staging_trim(s, &none, NULL), 0);
    staging_free(s);
}

static void test_a_full_area_says_so(void **state)
{
    struct staging *s;
    char bytes[1000] = {1};
    assert_int_equal(staging_new(area, INODE, &s, NULL), 0);
    for (int i = 0; i < 1048; i++) /* 1 MiB is 576 bytes more */
        assert_int_equal(staging_write(s, bytes, sizeof bytes, i * 1000, NULL), 0);
    assert_false(staging_is_full(s));
    assert_int_equal(staging_write(s, bytes, sizeof bytes, 0, NULL), 0);
    assert_true(staging_is_full(s));
    struct extents none = {0};
    assert_int_equal(staging_trim(s, &none, NULL), 0);
    assert_false(staging_is_full(s));
    staging_free(s);
}

static void put(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_true(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static bool is_there(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static void test_what_is_of_no_use_is_swept_away(void **state)
{
    static const char *const useless[] = {"20001",     "20002",   "20002.log",  "20003.log",
                                          "20004.new", "spare-1", "spare-1.log"},
                             *const kept[] = {"20004", "20004.log", "lock", "20005.txt"};
    for (size_t i = 0; i < 7; i++)
        put(useless[i], i == 4 ? "half a log" : "");
    for (size_t i = 0; i < 4; i++)
        put(kept[i], "abc");
    staging_area_free(area);
    assert_int_equal(staging_area_open(folder, 1 << 20, &area, NULL), 0);
    for (size_t i = 0; i < 7; i++)
        assert_false(is_there(useless[i]));
    for (size_t i = 0; i < 4; i++) {
        char path[128];
        assert_true(is_there(kept[i]));
        snprintf(path, sizeof path, "%s/%s", folder, kept[i]);
        assert_int_equal(unlink(path), 0);
    }
}

/* What a full disk leaves of a record is not read as the beginning of the next one. */
static void test_a_log_that_had_no_room_is_still_a_log(void **state)
{
    enum { RECORD = 24 };
    pid_t pid = fork();
    if (pid == 0) {
        struct staging *s;
        struct rlimit all;
        signal(SIGXFSZ, SIG_IGN);
        int rc = getrlimit(RLIMIT_FSIZE, &all);
        rc = rc == 0 ? staging_new(area, INODE, &s, NULL) : rc;
        rc = rc == 0 ? staging_write(s, "ab", 2, 0, NULL) : rc;
        rc = rc == 0 ? staging_write(s, "cd", 2, 10, NULL) : rc;
        rc = rc == 0 ? setrlimit(RLIMIT_FSIZE, &(struct rlimit){5 * RECORD / 2, all.rlim_max}) : rc;
        rc = rc == 0 && staging_write(s, "ef", 2, 20, NULL) < 0 ? 0 : 1;
        rc = rc == 0 ? setrlimit(RLIMIT_FSIZE, &all) : rc;
        rc = rc == 0 ? staging_write(s, "gh", 2, 30, NULL) : rc;
        _exit(rc == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    struct extents changed = {0};
    int64_t size = 0;
    char bytes[2];
    struct staging *next = resume(&changed, &size);
    assert_int_equal(size, 32);
    assert_int_equal(changed.count, 3);
    assert_int_equal(changed.items[2].start, 30);
    assert_int_equal(staging_read(next, bytes, 2, 30, NULL), 0);
    assert_memory_equal(bytes, "gh", 2);
    staging_free(next);
    extents_clear(&changed);
}

static void test_files_serve_one_inode_after_the_other(void **state)
{
    struct staging *s;
    struct extents changed = {0};
    char path[128], byte;
    struct stat before, after;
    int64_t size = 0;
    uint64_t *left;
    bool sized;
    assert_int_equal(staging_new(area, INODE, &s, NULL), 0);
    assert_int_equal(staging_write(s, "abcd", 4, 1000, NULL), 0);
    snprintf(path, sizeof path, "%s/%d", folder, INODE);
    assert_int_equal(stat(path, &before), 0);
    staging_give_back(s);
    assert_int_equal(staging_area_left(area, &left), 0);
    free(left);
    assert_int_equal(staging_new(area, INODE + 1, &s, NULL), 0);
    assert_int_equal(staging_write(s, "x", 1, 10, NULL), 0);
    snprintf(path, sizeof path, "%s/%d", folder, INODE + 1);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_int_equal(after.st_size, 11);

    struct staging *next; /* as another process would: of the first inode nothing is left */
    assert_int_equal(staging_resume(area, INODE + 1, &changed, &size, &sized, &next, NULL), 0);
    assert_int_equal(size, 11);
    assert_int_equal(changed.count, 1);
    assert_int_equal(staging_read(next, &byte, 1, 10, NULL), 0);
    assert_int_equal(byte, 'x');
    extents_clear(&changed);
    staging_free(next);
    staging_free(s);
}

static void test_files_that_are_there_are_not_replaced_by_spare_ones(void **state)
{
    struct staging *spare, *s, *again;
    struct extents changed = {0};
    int64_t size = 0;
    bool sized;
    assert_int_equal(staging_new(area, INODE + 1, &spare, NULL), 0);
    assert_int_equal(staging_new(area, INODE, &s, NULL), 0);
    assert_int_equal(staging_write(s, "abcd", 4, 0, NULL), 0);
    staging_give_back(spare);
    assert_int_equal(staging_new(area, INODE, &again, NULL), 0);
    assert_int_equal(staging_write(again, "x", 1, 4, NULL), 0);
    struct staging *next;
    assert_int_equal(staging_resume(area, INODE, &changed, &size, &sized, &next, NULL), 0);
    assert_int_equal(size, 5);
    extents_clear(&changed);
    staging_free(next);
    staging_free(again);
    staging_free(s);
}

static void test_spare_files_of_a_process_that_died_are_removed(void **state)
{
    struct staging *s;
    struct staging_area *next;
    assert_int_equal(staging_new(area, INODE, &s, NULL), 0);
    staging_give_back(s);
    assert_int_equal(staging_area_open(folder, 1 << 20, &next, NULL), 0);
    assert_int_equal(staging_new(area, INODE, &s, NULL), 0); /* its spare is gone: a new one */
    assert_int_equal(staging_write(s, "abcd", 4, 0, NULL), 0);
    uint64_t *left;
    assert_int_equal(staging_area_left(next, &left), 1);
    free(left);
    staging_free(s);
    staging_area_free(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_changes_are_there_for_the_next_process),
        cmocka_unit_test(test_what_was_trimmed_is_not_taken_up_again),
        cmocka_unit_test(test_a_full_area_says_so),
        cmocka_unit_test(test_what_is_of_no_use_is_swept_away),
        cmocka_unit_test(test_a_log_that_had_no_room_is_still_a_log),
        cmocka_unit_test(test_files_serve_one_inode_after_the_other),
        cmocka_unit_test(test_files_that_are_there_are_not_replaced_by_spare_ones),
        cmocka_unit_test(test_spare_files_of_a_process_that_died_are_removed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

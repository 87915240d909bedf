/* What was staged is there for the next process, whatever the order of writes, zeros, cuts and trims. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
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

/* A process that dies closes its descriptors and no more: the object is dropped without staging_free. */
static struct staging *die_and_resume(struct staging *s, struct extents *changed, int64_t *size)
{
    struct staging *next;
    uint64_t *left;
    (void)s; /* leaks in this test what the system takes back from a dead process, and so does its area */
    assert_int_equal(staging_area_open(folder, 1 << 20, &area, NULL), 0);
    assert_int_equal(staging_area_left(area, &left), 1);
    assert_int_equal(left[0], INODE);
    free(left);
    assert_int_equal(staging_resume(area, INODE, changed, size, &next, NULL), 0);
    return next;
}

static void test_random_changes_are_there_for_the_next_process(void **state)
{
    for (int round = 0; round < 60; round++) {
        struct staging *s;
        char model[SIZE] = {0}, bytes[300], kind[SIZE] = {0}; /* kind: 0 clean, 1 data, 2 zeros */
        int64_t size = 0;
        assert_int_equal(staging_new(area, INODE, &s, NULL), 0);
        for (int i = 0; i < 40; i++) {
            int64_t at = random_below(SIZE - 300);
            size_t len = 1 + random_below(sizeof bytes - 1);
            switch (random_below(8)) {
            case 0:
                assert_int_equal(staging_note_zeros(s, at, at + (int64_t)len, NULL), 0);
                memset(kind + at, 2, len);
                size = at + (int64_t)len > size ? at + (int64_t)len : size;
                break;
            case 1:
                assert_int_equal(staging_note_cut(s, at, NULL), 0);
                memset(kind + at, 0, (size_t)(SIZE - at));
                size = at;
                break;
            default:
                memset(bytes, (int)random_below(256), len);
                assert_int_equal(staging_write(s, bytes, len, at, NULL), 0);
                memcpy(model + at, bytes, len);
                memset(kind + at, 1, len);
                size = at + (int64_t)len > size ? at + (int64_t)len : size;
            }
        }
        struct extents changed = {0};
        int64_t resumed = 0;
        struct staging *next = die_and_resume(s, &changed, &resumed);
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
    struct staging *s;
    struct extents kept = {0}, changed = {0};
    int64_t size = 0;
    char bytes[1000] = {1};
    assert_int_equal(staging_new(area, INODE, &s, NULL), 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(staging_write(s, bytes, sizeof bytes, i * 1000, NULL), 0);
    extents_add(&kept, 48000, 50000, false);
    assert_int_equal(staging_trim(s, &kept, NULL), 0);
    assert_int_equal(staging_write(s, bytes, sizeof bytes, 50000, NULL), 0);
    s = die_and_resume(s, &changed, &size);
    assert_int_equal(changed.count, 1);
    assert_int_equal(changed.items[0].start, 48000);
    assert_int_equal(changed.items[0].end, 51000);
    extents_clear(&changed);
    extents_clear(&kept);
    assert_int_equal(staging_trim(s, &kept, NULL), 0);
    s = die_and_resume(s, &changed, &size);
    assert_int_equal(changed.count, 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_changes_are_there_for_the_next_process),
        cmocka_unit_test(test_what_was_trimmed_is_not_taken_up_again),
        cmocka_unit_test(test_a_full_area_says_so),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

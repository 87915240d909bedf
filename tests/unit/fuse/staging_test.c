/* What was staged is there for the next process, whatever the order of writes, zeros, cuts and trims. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
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

#define SIZE    4096
#define INODE   20000
#define SESSION 1700000000000000000u

static unsigned random_state = 7;

static unsigned random_below(unsigned n)
{
    random_state = random_state * 1103515245 + 12345;
    return (random_state >> 8) % n;
}

struct record {
    int64_t start, end;
    uint64_t kind;
};

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
    enum { WRITE, APPEND, ZEROS, CUT, GROW, TRIM, STREAM, SET, FORGET } what; /* SET: the attribute `at` to `byte` */
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
            struct staged_set set = {.fields = 1u << (c->at % STAGED_FIELDS)};
            set.values[c->at % STAGED_FIELDS] = c->byte;
            struct extents kept = {.items = &range, .count = 1, .data_bytes = (int64_t)c->len};
            rc = c->what == WRITE    ? staging_write(s, bytes, c->len, c->at, NULL)
                 : c->what == APPEND ? staging_append(s, bytes, c->len, c->at, NULL)
                 : c->what == ZEROS  ? staging_note_zeros(s, c->at, c->at + (int64_t)c->len, NULL)
                 : c->what == CUT    ? staging_note_size(s, c->at, NULL)
                 : c->what == GROW   ? staging_note_grown(s, c->at, NULL)
                 : c->what == STREAM ? staging_note_stream(s, SESSION, NULL)
                 : c->what == SET    ? staging_note_set(s, &set, NULL)
                 : c->what == FORGET ? staging_forget_set(s, NULL)
                                     : staging_trim(s, &kept, c->byte, NULL);
        }
        _exit(rc == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* As the process after this one. */
static void next_process(void)
{
    staging_area_free(area);
    assert_int_equal(staging_area_open(folder, 1 << 20, &area, NULL), 0);
}

static struct staging *resume_all(struct staged *what)
{
    struct staging *next;
    uint64_t *left;
    next_process();
    assert_int_equal(staging_area_left(area, &left), 1);
    assert_int_equal(left[0], INODE);
    free(left);
    assert_int_equal(staging_resume(area, INODE, what, &next, NULL), 0);
    return next;
}

static struct staging *resume(struct extents *changed, int64_t *size)
{
    struct staged what = {.size = *size};
    struct staging *next = resume_all(&what);
    *changed = what.changed;
    *size = what.size;
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
    changes[50] = (struct change){TRIM, 48000, 2000, -1};
    changes[51] = (struct change){WRITE, 50000, 1000, 1};
    do_and_die(changes, 52);
    struct staging *s = resume(&changed, &size);
    assert_int_equal(changed.count, 1);
    assert_int_equal(changed.items[0].start, 48000);
    assert_int_equal(changed.items[0].end, 51000);
    extents_clear(&changed);
    assert_int_equal(staging_trim(s, &none, -1, NULL), 0);
    staging_free(s);
}

/* What was written to a place, and what was appended behind it: through another use of the files, and logs that were
 * written anew. */
static void test_what_was_appended_is_known_as_that(void **state)
{
    static const struct change changes[] = {
        {WRITE, 0, 100, 1},   {STREAM, 0, 0, 0},    {WRITE, 100, 50, 2},   {APPEND, 150, 100, 3}, {APPEND, 250, 100, 4},
        {TRIM, 90, 260, 150}, {APPEND, 350, 10, 5}, {TRIM, 200, 160, 200}, {TRIM, 200, 160, -1},  {CUT, 240, 0, 0},
    };
    static const struct {
        size_t count;
        int64_t appended_from, end;
        uint64_t session;
    } expected[] = {{1, -1, 100, 0},        {3, -1, 150, SESSION},  {4, 150, 250, SESSION},
                    {5, 150, 350, SESSION}, {6, 150, 350, SESSION}, {7, 150, 360, SESSION},
                    {8, 200, 360, SESSION}, {9, -1, 360, SESSION},  {10, -1, 240, SESSION}};
    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        struct staged what = {0};
        do_and_die(changes, expected[i].count);
        struct staging *s = resume_all(&what);
        assert_int_equal(what.appended_from, expected[i].appended_from);
        assert_int_equal(extents_end(&what.changed), expected[i].end);
        assert_int_equal(what.session, expected[i].session);
        assert_int_equal(what.is_sized, i + 1 == ARRAY_COUNT(expected));
        extents_clear(&what.changed);
        staging_free(s);
    }
}

static void test_what_was_appended_and_cut_off_is_not(void **state)
{
    static const struct change changes[] = {{APPEND, 100, 100, 1}, {CUT, 50, 0, 0}, {WRITE, 120, 10, 2}};
    struct staged what = {0};
    do_and_die(changes, 3);
    struct staging *s = resume_all(&what);
    assert_int_equal(what.appended_from, -1);
    extents_clear(&what.changed);
    staging_free(s);
}

/* Through a log that was written anew, too; and a time of change is that of the last write. */
static void test_attributes_that_were_set_are_known(void **state)
{
    static const struct change changes[] = {
        {WRITE, 0, 100, 1},         {SET, STAGED_MODE, 0, 0644}, {SET, STAGED_ATIME, 0, -5}, {SET, STAGED_MTIME, 0, 7},
        {TRIM, 0, 100, -1},         {SET, STAGED_MODE, 0, 0600}, {WRITE, 100, 10, 1},        {SET, STAGED_UID, 0, 1000},
        {SET, STAGED_MTIME, 0, -9}, {FORGET, 0, 0, 0},           {SET, STAGED_GID, 0, 50},   {CUT, 20, 0, 0},
    };
    enum { MODE = 1 << STAGED_MODE, UID = 1 << STAGED_UID, GID = 1 << STAGED_GID, ATIME = 1 << STAGED_ATIME };
    enum { MTIME = 1 << STAGED_MTIME };
    static const unsigned fields[] = {0,
                                      MODE,
                                      MODE | ATIME,
                                      MODE | ATIME | MTIME,
                                      MODE | ATIME | MTIME,
                                      MODE | ATIME | MTIME,
                                      MODE | ATIME,
                                      MODE | ATIME | UID,
                                      MODE | ATIME | UID | MTIME,
                                      0,
                                      GID,
                                      GID};
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        struct staged what = {0};
        do_and_die(changes, i + 1);
        struct staging *s = resume_all(&what);
        assert_int_equal(what.set.fields, fields[i]);
        if (staged_has(&what.set, STAGED_MODE))
            assert_int_equal(what.set.values[STAGED_MODE], i < 5 ? 0644 : 0600);
        if (staged_has(&what.set, STAGED_ATIME))
            assert_int_equal(what.set.values[STAGED_ATIME], -5);
        if (staged_has(&what.set, STAGED_MTIME))
            assert_int_equal(what.set.values[STAGED_MTIME], i < 8 ? 7 : -9);
        assert_int_equal(extents_end(&what.changed), i < 6 ? 100 : i < 11 ? 110 : 20);
        extents_clear(&what.changed);
        staging_free(s);
    }
}

/* Also by a log that was written anew, since it had become too long. */
static void test_what_was_made_longer_is_at_least_so_long(void **state)
{
    enum { MANY = 65600 };
    static struct change changes[MANY] = {{WRITE, 0, 100, 1}, {GROW, 500, 0, 0}};
    static const struct {
        size_t count;
        int64_t size, grown_to;
        bool is_sized;
    } expected[] = {{2, 500, 500, false}, {3, 500, 500, false}, {MANY - 1, 700, 500, false}, {MANY, 300, 0, true}};
    for (size_t i = 2; i < MANY - 2; i++)
        changes[i] = (struct change){WRITE, (int64_t)i % 100, 1, 2};
    changes[MANY - 2] = (struct change){WRITE, 690, 10, 3};
    changes[MANY - 1] = (struct change){CUT, 300, 0, 0};
    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        struct staged what = {0};
        do_and_die(changes, expected[i].count);
        struct staging *s = resume_all(&what);
        assert_int_equal(what.size, expected[i].size);
        assert_int_equal(what.grown_to, expected[i].grown_to);
        assert_int_equal(what.is_sized, expected[i].is_sized);
        extents_clear(&what.changed);
        staging_free(s);
    }
}

/* Whoever does not know of them reads their records as unsound, and no further: not as bytes. */
static void test_attributes_are_no_ranges_for_an_earlier_version(void **state)
{
    static const struct change changes[] = {{WRITE, 0, 100, 1}, {SET, STAGED_MTIME, 0, 1 << 30}, {FORGET, 0, 0, 0}};
    char path[128];
    struct record r;
    do_and_die(changes, 3);
    DIR *d = opendir(folder);
    int checked = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!strstr(e->d_name, ".log"))
            continue;
        snprintf(path, sizeof path, "%s/%.60s", folder, e->d_name);
        FILE *f = fopen(path, "r");
        for (int i = 0; f && fread(&r, sizeof r, 1, f) == 1; i++) {
            assert_true(i < 2 ? r.start >= 0 : r.start < 0);
            checked++;
        }
        assert_int_equal(f ? fclose(f) : -1, 0);
    }
    closedir(d);
    assert_int_equal(checked, 4);
    struct staged what = {0};
    staging_free(resume_all(&what));
    extents_clear(&what.changed);
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
    assert_int_equal(staging_trim(s, &none, -1, NULL), 0);
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

static void put_log(const char *name, const struct record *records, size_t count)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_true(f && fwrite(records, sizeof *records, count, f) == count && fclose(f) == 0);
}

static void test_what_is_of_no_use_is_swept_away(void **state)
{
    static const struct record owner = {20004, 20004, 9 << 3 | 4}, nobody = {0}, nonsense = {5, 4, 9 << 3 | 4};
    static const char *const useless[] = {"staged-1",     "staged-2", "staged-2.log", "staged-3.log", "staged-4.new",
                                          "staged-5.log", "20001",    "20002",        "20002.log"},
                             *const kept[] = {"staged-4", "staged-4.log", "lock", "20005.txt", "staged-7.txt"};
    for (size_t i = 0; i < 9; i++)
        put(useless[i], i == 3 ? "half" : "");
    for (size_t i = 0; i < 5; i++)
        put(kept[i], "abc");
    put_log("staged-4.log", &owner, 1);
    put_log("staged-2.log", &nobody, 1);
    put_log("staged-5.log", &nonsense, 1);
    next_process();
    for (size_t i = 0; i < 9; i++)
        assert_false(is_there(useless[i]));
    uint64_t *left;
    assert_int_equal(staging_area_left(area, &left), 1);
    assert_int_equal(left[0], 20004);
    free(left);
    staging_area_discard(area, 20004);
    for (size_t i = 0; i < 5; i++) {
        char path[128];
        assert_int_equal(is_there(kept[i]), i >= 2);
        snprintf(path, sizeof path, "%s/%s", folder, kept[i]);
        assert_true(i < 2 || unlink(path) == 0);
    }
}

/* A process that takes up what is left, forgets it if it is told so, writes two bytes, and dies. */
static void take_up_and_die(bool forget, int64_t offset)
{
    next_process();
    pid_t pid = fork();
    if (pid == 0) {
        struct staging *s;
        struct staged what = {0};
        struct extents none = {0};
        int rc = staging_resume(area, INODE, &what, &s, NULL);
        rc = rc == 0 && forget ? staging_trim(s, &none, -1, NULL) : rc;
        rc = rc == 0 ? staging_write(s, "cd", 2, offset, NULL) : rc;
        _exit(rc == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* Versions before called the files as their inode, and wrote no owner into the log. */
static void test_files_of_an_earlier_version_are_taken_up(void **state)
{
    static const struct record records[] = {{0, 2, 1}, {3, 5, 2}, {4, 4, 3}};
    char name[32], bytes[2];
    snprintf(name, sizeof name, "%d", INODE);
    put(name, "ab");
    snprintf(name, sizeof name, "%d.log", INODE);
    put_log(name, records, 3);
    take_up_and_die(false, 10);
    struct extents changed = {0};
    int64_t size = 0;
    struct staging *s = resume(&changed, &size);
    assert_int_equal(size, 12);
    assert_int_equal(changed.count, 3);
    assert_int_equal(staging_read(s, bytes, 2, 0, NULL), 0);
    assert_memory_equal(bytes, "ab", 2);
    extents_clear(&changed);
    staging_free(s);
    put_log(name, records, 3);
    snprintf(name, sizeof name, "%d", INODE);
    put(name, "ab");
    take_up_and_die(true, 20);
    size = 0;
    s = resume(&changed, &size);
    assert_int_equal(size, 22);
    assert_int_equal(changed.count, 1);
    extents_clear(&changed);
    staging_free(s);
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
        rc = rc == 0 ? setrlimit(RLIMIT_FSIZE, &(struct rlimit){7 * RECORD / 2, all.rlim_max}) : rc;
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

static int open_log(void)
{
    char path[PATH_MAX] = "";
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        if (strstr(e->d_name, ".log"))
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    closedir(d);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static bool was_removed(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    return st.st_nlink == 0;
}

/* A file that is punched everywhere: its log comes down to nothing shorter, so it is not written again and again. */
static void test_a_log_of_many_ranges_is_not_written_anew_for_each(void **state)
{
    enum { MANY = 65600 };
    struct staging *s;
    assert_int_equal(staging_new(area, INODE, &s, NULL), 0);
    assert_int_equal(staging_note_zeros(s, 0, 1, NULL), 0);
    int log = open_log();
    assert_true(log >= 0);
    for (int i = 1; i < MANY; i++)
        assert_int_equal(staging_note_zeros(s, 2 * i, 2 * i + 1, NULL), 0);
    assert_false(was_removed(log));
    for (int i = 0; i < MANY + 2; i++) /* the same once more */
        assert_int_equal(staging_note_zeros(s, i % MANY * 2, i % MANY * 2 + 1, NULL), 0);
    assert_true(was_removed(log));
    close(log);
    staging_free(s);
}

static size_t files_there(void)
{
    size_t count = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

static int use_files(uint64_t inode, const char *bytes, int writes, int64_t start, struct staging **ret)
{
    int rc = staging_new(area, inode, ret, NULL);
    for (int i = 0; rc == 0 && i < writes; i++)
        rc = staging_write(*ret, bytes, 4, start + i * 20, NULL);
    return rc;
}

/* Longer and shorter uses in turn: what is behind the last record of one is never read as its own. */
static void test_files_serve_one_inode_after_the_other(void **state)
{
    for (int round = 0; round < 60; round++) {
        int writes[5];
        for (int i = 0; i < 5; i++)
            writes[i] = (int)random_below(6);
        pid_t pid = fork();
        if (pid == 0) {
            struct staging *s;
            for (int use = 0; use < 4; use++) {
                if (use_files((uint64_t)(INODE + use), "abcd", writes[use], use * 10, &s) < 0)
                    _exit(1);
                staging_give_back(s);
            }
            _exit(use_files(INODE, "efgh", writes[4], 1000, &s) == 0 && files_there() == 2 ? 0 : 1);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        if (writes[4] == 0) { /* nothing was said: nothing is left */
            next_process();
            assert_int_equal(files_there(), 0);
            continue;
        }
        struct extents changed = {0};
        int64_t size = 0;
        char got[4];
        struct staging *next = resume(&changed, &size);
        assert_int_equal(changed.count, writes[4]);
        assert_int_equal(changed.items[0].start, 1000);
        assert_int_equal(size, 1000 + (writes[4] - 1) * 20 + 4);
        assert_int_equal(staging_read(next, got, 4, 1000, NULL), 0);
        assert_memory_equal(got, "efgh", 4);
        extents_clear(&changed);
        staging_free(next);
    }
}

static void test_long_ones_give_their_room_back(void **state)
{
    struct staging *s;
    struct stat st;
    char path[400];
    static const char zeros[1 << 19];
    assert_int_equal(staging_new(area, INODE, &s, NULL), 0);
    assert_int_equal(staging_write(s, zeros, sizeof zeros, 0, NULL), 0);
    assert_true(staging_write(s, zeros, sizeof zeros, sizeof zeros, NULL) == 0 && !staging_is_full(s));
    staging_give_back(s);
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        assert_true(stat(path, &st) == 0 && st.st_size <= 72);
    }
    closedir(d);
}

static void test_spare_files_of_a_process_that_died_are_removed(void **state)
{
    struct staging *s;
    struct staging_area *next;
    assert_int_equal(staging_new(area, INODE, &s, NULL), 0);
    assert_int_equal(staging_write(s, "abcd", 4, 0, NULL), 0);
    staging_give_back(s);
    assert_int_equal(files_there(), 2);
    assert_int_equal(staging_area_open(folder, 1 << 20, &next, NULL), 0);
    assert_int_equal(files_there(), 0);
    staging_area_free(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_changes_are_there_for_the_next_process),
        cmocka_unit_test(test_what_was_trimmed_is_not_taken_up_again),
        cmocka_unit_test(test_what_was_appended_is_known_as_that),
        cmocka_unit_test(test_what_was_appended_and_cut_off_is_not),
        cmocka_unit_test(test_attributes_that_were_set_are_known),
        cmocka_unit_test(test_attributes_are_no_ranges_for_an_earlier_version),
        cmocka_unit_test(test_what_was_made_longer_is_at_least_so_long),
        cmocka_unit_test(test_a_full_area_says_so),
        cmocka_unit_test(test_what_is_of_no_use_is_swept_away),
        cmocka_unit_test(test_a_log_of_many_ranges_is_not_written_anew_for_each),
        cmocka_unit_test(test_a_log_that_had_no_room_is_still_a_log),
        cmocka_unit_test(test_files_serve_one_inode_after_the_other),
        cmocka_unit_test(test_long_ones_give_their_room_back),
        cmocka_unit_test(test_files_of_an_earlier_version_are_taken_up),
        cmocka_unit_test(test_spare_files_of_a_process_that_died_are_removed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

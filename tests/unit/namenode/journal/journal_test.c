#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "namenode/journal/journal.h"
#include "namenode/journal/log_cut.h"
#include "namenode/journal/store.h"

struct fixture {
    char folder[64];
    struct store *store;
    struct journal *journal;
    struct err err;
};

static void open_all(struct fixture *f)
{
    assert_int_equal(store_open(f->folder, &f->store, &f->err), 0);
    assert_int_equal(journal_start(f->store, NULL, &f->journal, &f->err), 0);
}

static void close_all(struct fixture *f)
{
    journal_stop(f->journal);
    store_close(f->store);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/cairn-journal-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    open_all(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close_all(f);
    assert_int_equal(file_remove_tree(f->folder, NULL), 0);
    free(f);
    return 0;
}

static uint64_t put(struct fixture *f, const char *key, const char *value, size_t value_len)
{
    struct store_batch *b = store_batch_new();
    store_batch_put(b, key, strlen(key), value, value_len);
    assert_int_equal(store_write(f->store, b, &f->err), 0);
    store_batch_free(b);
    return journal_written(f->journal);
}

static void count(void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
}

static void test_answers_come_after_a_sync(void **state)
{
    struct fixture *f = *state;
    _Atomic int answered = 0;
    uint64_t seq = put(f, "a", "1", 1);
    journal_when_synced(f->journal, seq, count, &answered);
    journal_wait(f->journal, seq);
    assert_int_equal(atomic_load(&answered), 1);
    uint64_t syncs = journal_stats(f->journal).syncs;
    journal_when_synced(f->journal, seq, count, &answered); /* on the disk already: at once, without another sync */
    assert_int_equal(atomic_load(&answered), 2);
    assert_int_equal(journal_stats(f->journal).syncs, syncs);
}

static void test_stop_answers_all(void **state)
{
    struct fixture *f = *state;
    _Atomic int answered = 0;
    for (int i = 0; i < 100; i++)
        journal_when_synced(f->journal, put(f, "k", "v", 1), count, &answered);
    journal_stop(f->journal);
    f->journal = NULL;
    assert_int_equal(atomic_load(&answered), 100);
    assert_int_equal(journal_start(f->store, NULL, &f->journal, &f->err), 0);
}

struct writer {
    struct fixture *fixture;
    pthread_mutex_t *lock;
    int number;
};

static void *write_many(void *arg)
{
    struct writer *w = arg;
    for (int i = 0; i < 200; i++) {
        char key[32];
        snprintf(key, sizeof key, "%d-%d", w->number, i);
        pthread_mutex_lock(w->lock);
        uint64_t seq = put(w->fixture, key, "v", 1);
        pthread_mutex_unlock(w->lock);
        journal_wait(w->fixture->journal, seq);
    }
    return NULL;
}

static void test_many_share_a_sync(void **state)
{
    struct fixture *f = *state;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[16];
    struct writer writers[16];
    for (int i = 0; i < 16; i++) {
        writers[i] = (struct writer){f, &lock, i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
    }
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    struct journal_stats s = journal_stats(f->journal);
    assert_int_equal(s.mutations, 16 * 200);
    assert_true(s.syncs < s.mutations);
}

/* LevelDB starts a new log every few MiB and removes the old ones once they are tables. */
static void test_logs_that_come_and_go(void **state)
{
    struct fixture *f = *state;
    static char value[1 << 20];
    for (int i = 0; i < 60; i++) {
        char key[32];
        memset(value, 'a' + i % 26, sizeof value);
        snprintf(key, sizeof key, "key-%d", i);
        uint64_t seq = put(f, key, value, sizeof value);
        if (i % 3 == 0)
            journal_wait(f->journal, seq);
    }
    close_all(f);
    open_all(f);
    for (int i = 0; i < 60; i++) {
        char key[32];
        struct store_value v = {0};
        snprintf(key, sizeof key, "key-%d", i);
        assert_int_equal(store_get(f->store, NULL, key, strlen(key), &v, &f->err), 0);
        assert_int_equal(v.len, sizeof value);
        assert_int_equal(v.base[1000], 'a' + i % 26);
        store_value_free(&v);
    }
}

static off_t largest_log_bytes(const char *folder)
{
    off_t largest = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        struct stat st;
        size_t len = strlen(e->d_name);
        if (len > 4 && !strcmp(e->d_name + len - 4, ".log") && fstatat(dirfd(dir), e->d_name, &st, 0) == 0 &&
            st.st_size > largest)
            largest = st.st_size;
    }
    closedir(dir);
    return largest;
}

/* What was reserved of a log and never written is no news to LevelDB when it reads what a process that was killed left.
 */
static void test_a_reserved_log_is_read_after_a_kill(void **state)
{
    struct fixture *f = *state, left = {0};
    char copy[256];
    for (int i = 0; i < 100; i++) {
        char key[32];
        snprintf(key, sizeof key, "key-%d", i);
        journal_wait(f->journal, put(f, key, key, strlen(key)));
    }
    if (largest_log_bytes(f->folder) < 4 << 20)
        skip(); /* a file system that cannot reserve */
    snprintf(left.folder, sizeof left.folder, "%.50s-left", f->folder);
    snprintf(copy, sizeof copy, "cp -r %s %s", f->folder, left.folder);
    assert_int_equal(system(copy), 0);
    for (int again = 0; again < 2; again++) {
        open_all(&left);
        for (int i = 0; i < 100; i++) {
            char key[32];
            struct store_value v = {0};
            snprintf(key, sizeof key, "key-%d", i);
            assert_int_equal(store_get(left.store, NULL, key, strlen(key), &v, &left.err), 0);
            assert_int_equal(v.len, strlen(key));
            store_value_free(&v);
        }
        close_all(&left);
    }
    assert_int_equal(file_remove_tree(left.folder, NULL), 0);
}

#define LARGE_BYTES (300 << 10)

static size_t value_bytes(int i)
{
    return i % 500 == 499 ? LARGE_BYTES : (size_t)(i % 300 + 1);
}

/* While the journal writes zeros ahead of LevelDB, into the same file, no record may be lost: records that end in
 * zeros, large ones that go past the end of the zeros, and many small ones; read back from what a kill would have left.
 */
static void test_zeros_ahead_overwrite_nothing(void **state)
{
    struct fixture *f = *state, left = {0};
    static char zeros[LARGE_BYTES];
    char copy[256];
    enum { KEYS = 3000 };
    _Atomic int synced = 0;
    uint64_t seq = 0;
    for (int i = 0; i < KEYS; i++) { /* less than what LevelDB keeps in one log */
        char key[32];
        snprintf(key, sizeof key, "key-%d", i);
        size_t len = value_bytes(i);
        zeros[0] = (char)(i % 3); /* sometimes nothing but zeros */
        seq = put(f, key, zeros, len);
        if (i < 1000) /* the first zeros go where records are just being written */
            journal_when_synced(f->journal, seq, count, &synced);
        else if (i % 7 == 0)
            journal_wait(f->journal, seq);
    }
    journal_wait(f->journal, seq);
    assert_int_equal(atomic_load(&synced), 1000);
    snprintf(left.folder, sizeof left.folder, "%.50s-left", f->folder);
    snprintf(copy, sizeof copy, "cp -r %s %s", f->folder, left.folder);
    assert_int_equal(system(copy), 0);
    open_all(&left);
    for (int i = 0; i < KEYS; i++) {
        char key[32];
        struct store_value v = {0};
        snprintf(key, sizeof key, "key-%d", i);
        assert_int_equal(store_get(left.store, NULL, key, strlen(key), &v, &left.err), 0);
        assert_int_equal(v.len, value_bytes(i));
        assert_int_equal(v.base[0], i % 3);
        store_value_free(&v);
    }
    close_all(&left);
    assert_int_equal(file_remove_tree(left.folder, NULL), 0);
}

/* ---- after a loss of power ---- */

enum { CHANGES = 1500 }; /* some blocks of LevelDB's, in one log */

static void write_changes(struct fixture *f)
{
    for (int i = 0; i < CHANGES; i++) {
        char key[32], value[100 + 1];
        snprintf(key, sizeof key, "change-%d", i);
        memset(value, 'a' + i % 26, sizeof value);
        (void)put(f, key, value, sizeof value - (i % 10 ? 0 : 50));
    }
}

static bool is_there(struct fixture *f, const char *key)
{
    struct store_value v = {0};
    int rc = store_get(f->store, NULL, key, strlen(key), &v, &f->err);
    store_value_free(&v);
    return rc == 0;
}

/* A copy of the store, as it could be on a disk on which one page did not arrive. */
static void leave(struct fixture *f, struct fixture *left, off_t at, size_t bytes)
{
    char command[256];
    static const char zeros[8192];
    snprintf(left->folder, sizeof left->folder, "%.50s-left", f->folder);
    snprintf(command, sizeof command, "rm -rf %s; cp -r %s %s", left->folder, f->folder, left->folder);
    assert_int_equal(system(command), 0);
    snprintf(command, sizeof command, "%s/000003.log", left->folder);
    int fd = open(command, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, zeros, bytes, at), (ssize_t)bytes);
    close(fd);
}

static int count_in_order(struct fixture *left)
{
    int count = 0;
    for (int i = 0; i < CHANGES; i++) {
        char key[32];
        snprintf(key, sizeof key, "change-%d", i);
        bool there = is_there(left, key);
        assert_true(!there || count == i); /* none without those before it */
        count += there;
    }
    return count;
}

/* With all that was behind the place where it was cut. */
static bool is_kept(const struct fixture *left)
{
    char path[128];
    struct buf kept = {0};
    snprintf(path, sizeof path, "%s/000003.log" LOG_CUT_SUFFIX, left->folder);
    bool is_there = file_read(path, 64 << 20, &kept, NULL) == 0;
    assert_true(!is_there || kept.len > CHANGES * 90);
    buf_free(&kept);
    return is_there;
}

static void test_no_change_without_those_before_it(void **state)
{
    struct fixture *f = *state, left = {0};
    static const struct {
        off_t at;
        size_t bytes;
        int least, most;
    } lost[] = {{0, 0, CHANGES, CHANGES}, {0, 4096, 0, 0},      {4096, 4096, 30, 32},     {28672, 8192, 200, 235},
                {70000, 1, 490, 570},     {65536, 7, 450, 530}, {131072, 4096, 900, 1080}};
    write_changes(f);
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        leave(f, &left, lost[i].at, lost[i].bytes);
        assert_int_equal(logs_cut(left.folder, &left.err), 0);
        open_all(&left);
        int count = count_in_order(&left);
        assert_in_range(count, lost[i].least, lost[i].most);
        assert_int_equal(is_kept(&left), count < CHANGES);
        close_all(&left);
    }
    assert_int_equal(file_remove_tree(left.folder, NULL), 0);
}

/* What went into the next log came later. */
static void test_what_is_cut_takes_later_logs_along(void **state)
{
    struct fixture *f = *state, left = {0}, next = {.folder = "/tmp/cairn-journal-XXXXXX"};
    char command[256];
    assert_non_null(mkdtemp(next.folder));
    write_changes(f);
    open_all(&next);
    (void)put(&next, "last", "1", 1);
    for (int damaged = 0; damaged < 2; damaged++) {
        leave(f, &left, 40000, damaged ? 4096 : 0);
        snprintf(command, sizeof command, "cp %s/000003.log %s/000009.log", next.folder, left.folder);
        assert_int_equal(system(command), 0);
        assert_int_equal(logs_cut(left.folder, &left.err), 0);
        open_all(&left);
        assert_int_equal(is_there(&left, "last"), !damaged);
        assert_int_equal(count_in_order(&left) < CHANGES, damaged);
        close_all(&left);
    }
    close_all(&next);
    assert_int_equal(file_remove_tree(next.folder, NULL), 0);
    assert_int_equal(file_remove_tree(left.folder, NULL), 0);
}

static _Atomic int rounds_begun, answered, answered_between;

static void on_round(bool begins)
{
    atomic_fetch_add(&rounds_begun, begins ? 1 : -1);
}

static void count_if_between(void *arg)
{
    pthread_t *asker = arg;
    atomic_fetch_add(&answered, 1);
    if (!pthread_equal(*asker, pthread_self())) /* else it was on the disk already */
        atomic_fetch_add(&answered_between, atomic_load(&rounds_begun) == 1 ? 1 : -1000);
}

static void test_a_round_is_announced(void **state)
{
    struct fixture *f = *state;
    pthread_t self = pthread_self();
    journal_stop(f->journal);
    assert_int_equal(journal_start(f->store, on_round, &f->journal, &f->err), 0);
    for (int i = 0; i < 50; i++)
        journal_when_synced(f->journal, put(f, "k", "v", 1), count_if_between, &self);
    journal_stop(f->journal);
    f->journal = NULL;
    assert_int_equal(atomic_load(&answered), 50);
    assert_true(atomic_load(&answered_between) > 0);
    assert_int_equal(atomic_load(&rounds_begun), 0);
    assert_int_equal(journal_start(f->store, NULL, &f->journal, &f->err), 0);
}

/* ---- threads that handle calls ---- */

struct call {
    sem_t answered;
    pthread_t by;
};

static void answer(void *arg)
{
    struct call *c = arg;
    c->by = pthread_self();
    sem_post(&c->answered);
}

/* One call that came alone, or not; true: this thread has synced what it wrote. */
static bool handle(struct fixture *f, pthread_mutex_t *lock, struct call *c, bool alone)
{
    journal_batch_begins(f->journal, alone);
    pthread_mutex_lock(lock);
    uint64_t seq = put(f, "k", "v", 1);
    pthread_mutex_unlock(lock);
    journal_when_synced(f->journal, seq, answer, c);
    journal_batch_ends(f->journal);
    while (sem_wait(&c->answered) < 0)
        ;
    return pthread_equal(c->by, pthread_self());
}

/* On a disk that is quick whatever else it has to do. */
static void test_who_is_alone_syncs_itself(void **state)
{
    struct fixture *f = *state, quick = {.folder = "/dev/shm/cairn-journal-XXXXXX"};
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct call c;
    sem_init(&c.answered, 0, 0);
    for (int i = 0; i < 100; i++)
        assert_false(handle(f, &lock, &c, false));
    if (!mkdtemp(quick.folder))
        return;
    open_all(&quick);
    bool done = false;
    for (int i = 0; !done && i < 100000; i++) {
        usleep(20); /* as a client does that has to hear of the answer first */
        uint64_t syncs = journal_stats(quick.journal).syncs;
        done = handle(&quick, &lock, &c, true);
        assert_true(journal_stats(quick.journal).syncs > syncs);
    }
    assert_true(done);
    assert_false(handle(&quick, &lock, &c, false));
    close_all(&quick);
    assert_int_equal(file_remove_tree(quick.folder, NULL), 0);
    sem_destroy(&c.answered);
}

static void *handle_many(void *arg)
{
    struct writer *w = arg;
    struct call c;
    sem_init(&c.answered, 0, 0);
    for (int i = 0; i < 500; i++) {
        handle(w->fixture, w->lock, &c, (w->number + i) % 5 != 0);
        if (w->number % 2 == 0)
            usleep((unsigned)(i * 7 % 50));
    }
    sem_destroy(&c.answered);
    return NULL;
}

static void test_everybody_is_answered_whoever_syncs(void **state)
{
    struct fixture *f = *state, quick = {.folder = "/dev/shm/cairn-journal-XXXXXX"};
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[4];
    struct writer writers[4];
    bool has_quick = mkdtemp(quick.folder) != NULL;
    if (has_quick)
        open_all(&quick);
    for (int i = 0; i < 4; i++) {
        writers[i] = (struct writer){has_quick ? &quick : f, &lock, i};
        assert_int_equal(pthread_create(&threads[i], NULL, handle_many, &writers[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    if (!has_quick)
        return;
    close_all(&quick);
    assert_int_equal(file_remove_tree(quick.folder, NULL), 0);
}

static void test_waiting_in_a_batch_ends(void **state)
{
    struct fixture *f = *state;
    _Atomic int counted = 0;
    for (int i = 0; i < 50; i++) {
        journal_batch_begins(f->journal, true);
        uint64_t seq = put(f, "k", "v", 1);
        journal_when_synced(f->journal, seq, count, &counted);
        journal_wait(f->journal, seq);
        journal_batch_ends(f->journal);
        assert_int_equal(atomic_load(&counted), i + 1);
    }
}

static void test_a_folder_has_one_owner(void **state)
{
    struct fixture *f = *state;
    struct store *second = NULL;
    assert_int_equal(store_open(f->folder, &second, &f->err), ERR_BUSY);
    assert_non_null(strstr(f->err.text, f->folder));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_answers_come_after_a_sync),
        T(test_stop_answers_all),
        T(test_many_share_a_sync),
        T(test_logs_that_come_and_go),
        T(test_a_folder_has_one_owner),
        T(test_a_reserved_log_is_read_after_a_kill),
        T(test_a_round_is_announced),
        T(test_zeros_ahead_overwrite_nothing),
        T(test_who_is_alone_syncs_itself),
        T(test_everybody_is_answered_whoever_syncs),
        T(test_waiting_in_a_batch_ends),
        T(test_no_change_without_those_before_it),
        T(test_what_is_cut_takes_later_logs_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

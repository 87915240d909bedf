#include "namenode/journal/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "namenode/journal/log_file.h"

#define CALM_ROUNDS   16                /* of one call each, before threads that handle calls sync themselves */
#define CALM_SYNC_NS  ((int64_t)500000) /* a slower disk is for the thread of its own: others wait for their loop */
#define CALM_PAUSE_NS ((int64_t)10000)  /* who comes sooner after a sync than any client could, has waited for it */

struct waiter {
    void (*done)(void *arg);
    void *arg;
};
struct waiters {
    struct waiter *list;
    size_t count, capacity;
};
struct journal {
    struct store *store;
    const char *folder; /* the store's */
    int folder_fd;
    pthread_t thread;
    void (*answering)(bool begins);
    _Atomic uint64_t written, synced;
    _Atomic uint64_t sync_count;

    sem_t wake; /* not a condition: coming back from one means another lock, and a system call to let go of it */
    _Atomic unsigned calm;        /* rounds of one call since there were several, or a slow one */
    _Atomic int64_t last_sync_ns; /* when it ended */
    pthread_mutex_t lock;         /* guards the three below */
    struct waiters waiting;
    bool asleep; /* the thread waits for `wake`, which nobody has posted yet */
    bool stopping;

    pthread_mutex_t sync_lock; /* one sync at a time; guards what follows */
    struct log_file *logs;
    size_t log_count;
    int notify_fd; /* tells that files came or went; -1: the folder is listed in every round */
};

static void die(const struct journal *j, const char *doing, const char *name)
{
    log_error("journal",
              "%s/%s: %s: %s; stopping, since acknowledged changes could be lost: check the disk, then start again",
              j->folder, name, doing, strerror(errno));
    _exit(1);
}

static struct log_file *log_find(struct journal *j, const char *name)
{
    for (size_t i = 0; i < j->log_count; i++)
        if (!strcmp(j->logs[i].name, name))
            return &j->logs[i];
    return NULL;
}

/* Have files come or gone since the last call? The kernel queues the event before LevelDB can write to a new log, so
 * whatever was written before this call is in a log that is known afterwards. */
static bool folder_changed(struct journal *j)
{
    char events[4096];
    if (j->notify_fd < 0)
        return true;
    bool changed = false;
    while (read(j->notify_fd, events, sizeof events) > 0)
        changed = true;
    return changed || !j->log_count;
}

/* Opens logs that appeared; returns whether there were any. */
static bool logs_open_new(struct journal *j)
{
    int fd = openat(j->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        die(j, "cannot list the folder", "");
    bool found_new = false;
    for (struct dirent *e; (e = readdir(dir));) {
        if (!log_file_is_name(e->d_name) || log_find(j, e->d_name))
            continue;
        j->logs = mem_realloc_array(j->logs, j->log_count + 1, sizeof *j->logs);
        errno = log_file_open(&j->logs[j->log_count], j->folder_fd, e->d_name);
        if (errno == ENOENT)
            continue; /* became a table meanwhile */
        if (errno)
            die(j, "cannot open", e->d_name);
        j->log_count++;
        found_new = true;
    }
    closedir(dir);
    return found_new;
}

static void logs_sync(struct journal *j)
{
    bool changed = folder_changed(j), found_new = changed && logs_open_new(j);
    for (size_t i = 0; i < j->log_count;) {
        struct log_file *log = &j->logs[i];
        log_file_zero_ahead(log, j->store);
        if (fdatasync(log->fd) < 0)
            die(j, "cannot sync", log->name);
        if (!changed || faccessat(j->folder_fd, log->name, F_OK, 0) == 0) {
            i++;
            continue;
        }
        log_file_close(log);
        *log = j->logs[--j->log_count];
    }
    if (found_new && fsync(j->folder_fd) < 0)
        die(j, "cannot sync the folder", "");
    atomic_fetch_add(&j->sync_count, 1);
}

/* Nobody has to be woken while the thread is at work: it looks again before it sleeps. */
static bool wake_is_needed(struct journal *j)
{
    bool asleep = j->asleep;
    j->asleep = false;
    return asleep;
}

/* Takes all who wait, waiting for them; none: it is over. `round` comes with memory of the round before. */
static void round_take(struct journal *j, struct waiters *round)
{
    pthread_mutex_lock(&j->lock);
    while (!j->waiting.count && !j->stopping) {
        j->asleep = true;
        pthread_mutex_unlock(&j->lock);
        while (sem_wait(&j->wake) < 0 && errno == EINTR)
            ;
        pthread_mutex_lock(&j->lock);
    }
    struct waiters taken = j->waiting;
    j->waiting = *round;
    *round = taken;
    pthread_mutex_unlock(&j->lock);
}

/* What this thread does for the journal between journal_batch_begins and _ends. */
static _Thread_local struct {
    const struct journal *journal; /* NULL: it is not between them, or its calls did not come alone */
    size_t count;                  /* who wait and came from here */
} batch;

static int64_t sync_all(struct journal *j)
{
    pthread_mutex_lock(&j->sync_lock);
    uint64_t written = atomic_load(&j->written);
    int64_t begun_ns = clock_mono_ns();
    logs_sync(j);
    atomic_store(&j->synced, written);
    int64_t ended_ns = clock_mono_ns();
    j->last_sync_ns = ended_ns;
    pthread_mutex_unlock(&j->sync_lock);
    return ended_ns - begun_ns;
}

/* A round of so many calls that took so long. Under the lock. */
static void note_round(struct journal *j, size_t calls, int64_t took_ns)
{
    bool was_calm = calls == 1 && took_ns < CALM_SYNC_NS && !j->waiting.count;
    unsigned calm = j->calm;
    j->calm = !was_calm ? 0 : calm < CALM_ROUNDS ? calm + 1 : CALM_ROUNDS;
}

static void *journal_thread(void *arg)
{
    struct journal *j = arg;
    struct waiters round = {0};
    pthread_setname_np(pthread_self(), "journal");
    for (;;) {
        round_take(j, &round);
        if (!round.count)
            break;
        int64_t took_ns = sync_all(j);
        pthread_mutex_lock(&j->lock);
        note_round(j, round.count, took_ns);
        pthread_mutex_unlock(&j->lock);
        j->answering(true);
        for (size_t i = 0; i < round.count; i++)
            round.list[i].done(round.list[i].arg);
        j->answering(false);
        round.count = 0;
    }
    free(round.list);
    return NULL;
}

static void answer_singly(bool begins)
{
}

int journal_start(struct store *store, void (*answering)(bool begins), struct journal **ret, struct err *reterr)
{
    const char *folder = store_folder(store);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(reterr, errno, "cannot open %s", folder);
    struct journal *j = mem_new(struct journal);
    j->store = store;
    j->folder = folder;
    j->folder_fd = fd;
    j->notify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (j->notify_fd >= 0 && inotify_add_watch(j->notify_fd, folder, IN_CREATE | IN_DELETE | IN_MOVE) < 0) {
        close(j->notify_fd);
        j->notify_fd = -1;
    }
    pthread_mutex_init(&j->lock, NULL);
    pthread_mutex_init(&j->sync_lock, NULL);
    sem_init(&j->wake, 0, 0);
    j->answering = answering ? answering : answer_singly;
    int rc = pthread_create(&j->thread, NULL, journal_thread, j);
    if (rc) {
        close(fd);
        if (j->notify_fd >= 0)
            close(j->notify_fd);
        free(j);
        return err_errno(reterr, rc, "cannot start the journal's thread");
    }
    *ret = j;
    return 0;
}

void journal_stop(struct journal *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    j->stopping = true;
    bool wake = wake_is_needed(j);
    pthread_mutex_unlock(&j->lock);
    if (wake)
        sem_post(&j->wake);
    pthread_join(j->thread, NULL);
    logs_sync(j);
    for (size_t i = 0; i < j->log_count; i++)
        log_file_close(&j->logs[i]);
    close(j->folder_fd);
    if (j->notify_fd >= 0)
        close(j->notify_fd);
    free(j->logs);
    free(j->waiting.list);
    pthread_mutex_destroy(&j->lock);
    pthread_mutex_destroy(&j->sync_lock);
    sem_destroy(&j->wake);
    free(j);
}

uint64_t journal_written(struct journal *j)
{
    return atomic_fetch_add(&j->written, 1) + 1;
}

uint64_t journal_latest(const struct journal *j)
{
    return atomic_load(&j->written);
}

static void wait_for_sync(struct journal *j, void (*done)(void *arg), void *arg, bool may_wait)
{
    pthread_mutex_lock(&j->lock);
    if (j->waiting.count == j->waiting.capacity) {
        j->waiting.capacity = j->waiting.capacity ? j->waiting.capacity * 2 : 64;
        j->waiting.list = mem_realloc_array(j->waiting.list, j->waiting.capacity, sizeof(struct waiter));
    }
    j->waiting.list[j->waiting.count++] = (struct waiter){done, arg};
    bool wake = !may_wait && wake_is_needed(j);
    pthread_mutex_unlock(&j->lock);
    if (wake)
        sem_post(&j->wake);
}

void journal_when_synced(struct journal *j, uint64_t seq, void (*done)(void *arg), void *arg)
{
    bool in_batch = batch.journal == j;
    if (seq <= atomic_load(&j->synced)) {
        done(arg);
        return;
    }
    batch.count += in_batch;
    wait_for_sync(j, done, arg, in_batch);
}

/* ---- batches ---- */

void journal_batch_begins(struct journal *j, bool alone)
{
    batch.count = 0;
    batch.journal = NULL;
    if (!alone || j->calm < CALM_ROUNDS)
        return;
    if (clock_mono_ns() - j->last_sync_ns < CALM_PAUSE_NS)
        j->calm = 0;
    else
        batch.journal = j;
}

/* The only one who waits; else the journal's thread is woken, which nobody has done for those who came from here. */
static bool take_alone(struct journal *j, struct waiter *ret)
{
    pthread_mutex_lock(&j->lock);
    bool is_alone = j->waiting.count == 1 && j->asleep;
    if (is_alone)
        *ret = j->waiting.list[--j->waiting.count];
    bool wake = !is_alone && j->waiting.count && wake_is_needed(j);
    pthread_mutex_unlock(&j->lock);
    if (wake)
        sem_post(&j->wake);
    return is_alone;
}

void journal_batch_ends(struct journal *j)
{
    struct waiter one;
    bool has_waiters = batch.journal == j && batch.count;
    batch.journal = NULL;
    if (!has_waiters || !take_alone(j, &one))
        return;
    int64_t took_ns = sync_all(j);
    pthread_mutex_lock(&j->lock);
    note_round(j, 1, took_ns);
    pthread_mutex_unlock(&j->lock);
    one.done(one.arg);
}

struct sleeper {
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool done;
};

static void sleeper_wake(void *arg)
{
    struct sleeper *s = arg;
    pthread_mutex_lock(&s->lock);
    s->done = true;
    pthread_cond_signal(&s->woken);
    pthread_mutex_unlock(&s->lock);
}

void journal_wait(struct journal *j, uint64_t seq)
{
    struct sleeper s = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    if (seq > atomic_load(&j->synced))
        wait_for_sync(j, sleeper_wake, &s, false);
    else
        s.done = true;
    pthread_mutex_lock(&s.lock);
    while (!s.done)
        pthread_cond_wait(&s.woken, &s.lock);
    pthread_mutex_unlock(&s.lock);
}

struct journal_stats journal_stats(const struct journal *j)
{
    return (struct journal_stats){atomic_load(&j->sync_count), atomic_load(&j->written)};
}

#include "client/lib/lease_renewer.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "client/lib/dfs_internal.h"
#include "client/lib/file_writer_internal.h"
#include "common/clock.h"
#include "common/mem.h"
#include "hdfs/client_namenode.pb-c.h"

#define LEASE_RENEW_EVERY_MS 30000 /* half of the soft limit, at which others may take the file over */
#define LEASE_RETRY_MS       3000
#define LEASE_LINGER_MS      30000 /* the thread waits so long for another writer before it ends */
#define LEASE_TICK_MS        5000  /* how often connections are looked after */

struct lease_renewer {
    struct dfs *fs;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct file_writer **writers;
    size_t count, capacity;
    pthread_t thread;
    bool started, exited, stop;
};

static void renew_lease(struct dfs *fs, int64_t *due_ms)
{
    Hdfs__RenewLeaseRequestProto request = HDFS__RENEW_LEASE_REQUEST_PROTO__INIT;
    request.clientname = fs->client_name;
    AUTO_ARENA(a, 4096);
    ProtobufCMessage *response;
    /* A renewal that fails is tried again soon; if it never succeeds, the writer's next call says that the lease is
     * gone. */
    int rc =
        dfs_call(fs, "renewLease", &request.base, &hdfs__renew_lease_response_proto__descriptor, &a, &response, NULL);
    *due_ms = clock_mono_ms() + (rc < 0 ? LEASE_RETRY_MS : LEASE_RENEW_EVERY_MS);
}

static void *lease_thread(void *arg)
{
    struct lease_renewer *l = arg;
    int64_t due_ms = clock_mono_ms() + LEASE_RENEW_EVERY_MS, idle_since_ms = -1;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        int64_t now_ms = clock_mono_ms();
        if (l->count)
            idle_since_ms = -1;
        else if (idle_since_ms < 0)
            idle_since_ms = now_ms;
        else if (now_ms - idle_since_ms >= LEASE_LINGER_MS)
            break;
        for (size_t i = 0; i < l->count; i++)
            file_writer_heartbeat(l->writers[i]); /* does not block */
        if (l->count && now_ms >= due_ms) {
            pthread_mutex_unlock(&l->lock);
            renew_lease(l->fs, &due_ms);
            pthread_mutex_lock(&l->lock);
            continue;
        }
        int64_t wake_ms = now_ms + LEASE_TICK_MS;
        if (l->count && due_ms < wake_ms)
            wake_ms = due_ms;
        struct timespec at = {wake_ms / 1000, wake_ms % 1000 * 1000000};
        pthread_cond_timedwait(&l->changed, &l->lock, &at);
    }
    l->exited = true;
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* The program's signals are not this thread's business. If there can be no thread, the lease lasts a minute by itself,
 * and the next writer tries again. */
static bool start_thread(struct lease_renewer *l)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool started = pthread_create(&l->thread, NULL, lease_thread, l) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return started;
}

struct lease_renewer *lease_renewer_new(struct dfs *fs)
{
    struct lease_renewer *l = mem_new(struct lease_renewer);
    l->fs = fs;
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->changed, &attr);
    pthread_condattr_destroy(&attr);
    return l;
}

void lease_renewer_free(struct lease_renewer *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
    if (l->started)
        pthread_join(l->thread, NULL);
    pthread_cond_destroy(&l->changed);
    pthread_mutex_destroy(&l->lock);
    free(l->writers);
    free(l);
}

void lease_renewer_add(struct lease_renewer *l, struct file_writer *w)
{
    pthread_mutex_lock(&l->lock);
    if (l->count == l->capacity) {
        l->capacity = l->capacity ? 2 * l->capacity : 8;
        l->writers = mem_realloc_array(l->writers, l->capacity, sizeof *l->writers);
    }
    l->writers[l->count++] = w;
    if (l->started && l->exited) {
        pthread_join(l->thread, NULL);
        l->started = false;
    }
    if (!l->started) {
        l->exited = false;
        l->started = start_thread(l);
    }
    pthread_mutex_unlock(&l->lock);
}

void lease_renewer_remove(struct lease_renewer *l, struct file_writer *w)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < l->count; i++)
        if (l->writers[i] == w) {
            l->writers[i] = l->writers[--l->count];
            break;
        }
    pthread_mutex_unlock(&l->lock);
}

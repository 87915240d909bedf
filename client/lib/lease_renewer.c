#include "client/lib/lease_renewer.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/mem.h"

#define LEASE_RETRY_MS  3000
#define LEASE_LINGER_MS 30000 /* the thread waits so long for another writer before it ends */

/* One of the two threads. */
struct keeper {
    struct lease_renewer *renewer;
    /* Called, and returns, with the lock; returns when it wants to be called again. */
    int64_t (*work)(struct lease_renewer *l);
    int64_t first_after_ms;
    pthread_t thread;
    bool started, exited;
};

/* Renewals wait for a namenode, that may hang; the datanodes of an idle writer would not wait so long. */
enum { KEEPS_LEASE, KEEPS_CONNECTIONS, KEEPERS };

struct lease_renewer {
    struct lease_renewer_options o;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct file_writer **writers;
    size_t count, capacity;
    struct keeper keepers[KEEPERS];
    bool stop;
};

/* If it never succeeds, the writer's next call says that the lease is gone. */
static int64_t renew_lease(struct lease_renewer *l)
{
    pthread_mutex_unlock(&l->lock);
    int rc = l->o.renew(l->o.context);
    pthread_mutex_lock(&l->lock);
    return clock_mono_ms() + (rc < 0 ? LEASE_RETRY_MS : l->o.renew_every_ms);
}

static int64_t send_heartbeats(struct lease_renewer *l)
{
    for (size_t i = 0; i < l->count; i++)
        l->o.heartbeat(l->writers[i]);
    return clock_mono_ms() + l->o.heartbeat_every_ms;
}

static void *keeper_thread(void *arg)
{
    struct keeper *k = arg;
    struct lease_renewer *l = k->renewer;
    int64_t due_ms = clock_mono_ms() + k->first_after_ms, idle_since_ms = -1;
    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        int64_t now_ms = clock_mono_ms();
        if (l->count)
            idle_since_ms = -1;
        else if (idle_since_ms < 0)
            idle_since_ms = now_ms;
        else if (now_ms - idle_since_ms >= LEASE_LINGER_MS)
            break;
        if (l->count && now_ms >= due_ms) {
            due_ms = k->work(l);
            continue;
        }
        int64_t wake_ms = now_ms + l->o.heartbeat_every_ms;
        if (l->count && due_ms < wake_ms)
            wake_ms = due_ms;
        struct timespec at = {wake_ms / 1000, wake_ms % 1000 * 1000000};
        pthread_cond_timedwait(&l->changed, &l->lock, &at);
    }
    k->exited = true;
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

/* The program's signals are not this thread's business. If there can be no thread, the lease lasts a minute by itself,
 * and the next writer tries again. */
static bool start_thread(struct keeper *k)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool started = pthread_create(&k->thread, NULL, keeper_thread, k) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return started;
}

static void keep_running(struct keeper *k)
{
    if (k->started && !k->exited)
        return;
    if (k->started)
        pthread_join(k->thread, NULL);
    k->exited = false;
    k->started = start_thread(k);
}

struct lease_renewer *lease_renewer_new(const struct lease_renewer_options *options)
{
    struct lease_renewer *l = mem_new(struct lease_renewer);
    l->o = *options;
    l->keepers[KEEPS_LEASE] = (struct keeper){l, renew_lease, options->renew_every_ms, 0, false, false};
    l->keepers[KEEPS_CONNECTIONS] = (struct keeper){l, send_heartbeats, 0, 0, false, false};
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
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < KEEPERS; i++)
        if (l->keepers[i].started)
            pthread_join(l->keepers[i].thread, NULL);
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
    for (int i = 0; i < KEEPERS; i++)
        keep_running(&l->keepers[i]);
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

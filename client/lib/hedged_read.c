#include "client/lib/hedged_read.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "client/lib/block_reader.h"
#include "client/lib/datanode.h"
#include "client/lib/dfs_internal.h"
#include "common/mem.h"

struct attempt {
    struct hedge *hedge;
    const struct dfs_block *block;
    struct block_window *window;
    size_t node;
    /* guarded by the hedge's lock once it runs */
    bool done, told;
    struct hedge_result result;
    uint8_t *bytes;
};
struct hedge {
    struct dfs *fs; /* a reference */
    int64_t offset;
    size_t len;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int refs; /* the caller and each attempt that runs */
    int count;
    struct attempt attempts[HEDGE_ATTEMPTS_MAX];
};

struct hedge *hedge_new(struct dfs *fs, int64_t offset, size_t len)
{
    struct hedge *h = mem_new(struct hedge);
    h->fs = dfs_ref(fs);
    h->offset = offset;
    h->len = len;
    h->refs = 1;
    pthread_mutex_init(&h->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&h->changed, &attr);
    pthread_condattr_destroy(&attr);
    return h;
}

void hedge_unref(struct hedge *h)
{
    pthread_mutex_lock(&h->lock);
    bool last = --h->refs == 0;
    pthread_mutex_unlock(&h->lock);
    if (!last)
        return;
    for (int i = 0; i < h->count; i++) {
        block_window_unref(h->attempts[i].window);
        free(h->attempts[i].bytes);
    }
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->changed);
    dfs_unref(h->fs);
    free(h);
}

static int read_range(struct attempt *a, uint8_t *bytes, struct hedge_result *ret)
{
    struct hedge *h = a->hedge;
    const struct dfs_datanode *d = &a->block->nodes[a->node];
    struct block_reader *reader;
    size_t done = 0, n;
    ret->local = datanode_is_local(h->fs, d);
    int rc = block_reader_open(h->fs, a->block, d, h->offset - a->block->offset, (int64_t)h->len, &reader, &ret->why);
    if (rc < 0)
        return rc;
    while (rc == 0 && done < h->len) {
        rc = block_reader_read(reader, bytes + done, h->len - done, &n, &ret->why);
        done += rc == 0 ? n : 0;
    }
    ret->short_circuit = block_reader_is_short_circuit(reader);
    block_reader_close(reader);
    return rc;
}

static void run(struct attempt *a)
{
    struct hedge *h = a->hedge;
    struct hedge_result result = {0};
    uint8_t *bytes = mem_alloc(h->len);
    result.rc = read_range(a, bytes, &result);
    result.bytes = bytes;
    pthread_mutex_lock(&h->lock);
    a->bytes = bytes;
    a->result = result;
    a->done = true;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

static void *run_thread(void *arg)
{
    struct attempt *a = arg;
    struct hedge *h = a->hedge;
    run(a);
    atomic_fetch_sub(&h->fs->hedged.threads, 1);
    hedge_unref(h);
    return NULL;
}

static bool start_thread(struct attempt *a)
{
    struct hedge *h = a->hedge;
    struct hedged_reads *all = &h->fs->hedged;
    pthread_t thread;
    pthread_attr_t attr;
    if (atomic_fetch_add(&all->threads, 1) >= all->threads_max) {
        atomic_fetch_sub(&all->threads, 1);
        return false;
    }
    pthread_mutex_lock(&h->lock);
    h->refs++;
    pthread_mutex_unlock(&h->lock);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int rc = pthread_create(&thread, &attr, run_thread, a);
    pthread_attr_destroy(&attr);
    if (rc == 0)
        return true;
    atomic_fetch_sub(&all->threads, 1);
    hedge_unref(h);
    return false;
}

int hedge_start(struct hedge *h, const struct dfs_block *b, struct block_window *window, size_t node)
{
    assert(h->count < HEDGE_ATTEMPTS_MAX);
    pthread_mutex_lock(&h->lock);
    int index = h->count++;
    struct attempt *a = &h->attempts[index];
    *a = (struct attempt){.hedge = h, .block = b, .window = window, .node = node};
    pthread_mutex_unlock(&h->lock);
    if (!start_thread(a)) {
        atomic_fetch_add(&h->fs->hedged.in_current_thread, 1);
        run(a);
    }
    return index;
}

static int next_done_locked(struct hedge *h)
{
    for (int i = 0; i < h->count; i++)
        if (h->attempts[i].done && !h->attempts[i].told) {
            h->attempts[i].told = true;
            return i;
        }
    return -1;
}

int hedge_wait(struct hedge *h, int64_t timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (timeout_ms > 0 ? timeout_ms % 1000 * 1000000 : 0);
    until.tv_sec += (timeout_ms > 0 ? timeout_ms / 1000 : 0) + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    int found, rc = 0;
    pthread_mutex_lock(&h->lock);
    while ((found = next_done_locked(h)) < 0 && rc == 0)
        rc = timeout_ms < 0 ? pthread_cond_wait(&h->changed, &h->lock)
                            : pthread_cond_timedwait(&h->changed, &h->lock, &until);
    pthread_mutex_unlock(&h->lock);
    return found;
}

void hedge_result(struct hedge *h, int attempt, struct hedge_result *ret)
{
    pthread_mutex_lock(&h->lock);
    *ret = h->attempts[attempt].result;
    pthread_mutex_unlock(&h->lock);
}

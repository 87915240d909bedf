#include "client/fs/copy_pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/mem.h"

#define QUEUE_MAX 64

struct copy_task {
    struct item src, target;
    struct arena arena; /* their strings */
};

struct copy_pool {
    void (*job)(struct item *src, struct item *target, void *arg);
    void *arg;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct copy_task *queue[QUEUE_MAX];
    size_t head, queued, running;
    bool stopping;
    int thread_count;
    pthread_t threads[COPY_THREADS_MAX];
};

static struct item item_copy(const struct item *it, struct arena *a)
{
    struct item copy = *it;
    copy.text = arena_strdup(a, it->text);
    copy.path = arena_strdup(a, it->path);
    if (it->exists) {
        copy.status.name = NULL;
        copy.status.symlink = NULL;
        copy.status.owner = it->status.owner ? arena_strdup(a, it->status.owner) : NULL;
        copy.status.group = it->status.group ? arena_strdup(a, it->status.group) : NULL;
    }
    return copy;
}

static void *pool_work(void *arg)
{
    struct copy_pool *p = arg;
    pthread_mutex_lock(&p->lock);
    for (;;) {
        while (!p->queued && !p->stopping)
            pthread_cond_wait(&p->changed, &p->lock);
        if (!p->queued)
            break;
        struct copy_task *task = p->queue[p->head];
        p->head = (p->head + 1) % QUEUE_MAX;
        p->queued--;
        p->running++;
        pthread_cond_broadcast(&p->changed);
        pthread_mutex_unlock(&p->lock);
        p->job(&task->src, &task->target, p->arg);
        arena_free(&task->arena);
        free(task);
        pthread_mutex_lock(&p->lock);
        p->running--;
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct copy_pool *copy_pool_start(int threads, void (*job)(struct item *, struct item *, void *), void *arg)
{
    struct copy_pool *p = mem_new(struct copy_pool);
    p->job = job;
    p->arg = arg;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    while (p->thread_count < threads && pthread_create(&p->threads[p->thread_count], NULL, pool_work, p) == 0)
        p->thread_count++;
    if (!p->thread_count) { /* no thread to be had: the caller copies by itself */
        copy_pool_stop(p);
        return NULL;
    }
    return p;
}

void copy_pool_add(struct copy_pool *p, const struct item *src, const struct item *target)
{
    struct copy_task *task = mem_new(struct copy_task);
    arena_init(&task->arena, 1 << 20);
    task->src = item_copy(src, &task->arena);
    task->target = item_copy(target, &task->arena);
    pthread_mutex_lock(&p->lock);
    while (p->queued == QUEUE_MAX)
        pthread_cond_wait(&p->changed, &p->lock);
    p->queue[(p->head + p->queued++) % QUEUE_MAX] = task;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

void copy_pool_wait(struct copy_pool *p)
{
    pthread_mutex_lock(&p->lock);
    while (p->queued || p->running)
        pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

void copy_pool_stop(struct copy_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->thread_count; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

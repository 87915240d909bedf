#include "common/pool.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"

struct pool {
    sem_t
        filled; /* posted once for each task, and once for each thread at the end; unlike a
                 * condition it does not take the lock for the sleeper, who then has to let go of it by a system call */
    pthread_mutex_t lock;
    struct pool_task *head, **tail; /* under lock */
    char name[16];
    int thread_count;
    pthread_t threads[];
};

static struct pool_task *pool_take(struct pool *p)
{
    while (sem_wait(&p->filled) < 0 && errno == EINTR)
        ;
    pthread_mutex_lock(&p->lock);
    struct pool_task *t = p->head; /* none: the end */
    if (t) {
        p->head = t->next;
        if (!p->head)
            p->tail = &p->head;
    }
    pthread_mutex_unlock(&p->lock);
    return t;
}

static void *pool_main(void *arg)
{
    struct pool *p = arg;
    pthread_setname_np(pthread_self(), p->name);
    for (struct pool_task *t; (t = pool_take(p));)
        t->run(t);
    return NULL;
}

int pool_new(const char *name, int threads, struct pool **ret, struct err *reterr)
{
    struct pool *p = mem_zalloc(sizeof *p + sizeof *p->threads * (size_t)threads);
    pthread_mutex_init(&p->lock, NULL);
    sem_init(&p->filled, 0, 0);
    p->tail = &p->head;
    snprintf(p->name, sizeof p->name, "%s", name);
    for (; p->thread_count < threads; p->thread_count++) {
        int errnum = pthread_create(&p->threads[p->thread_count], NULL, pool_main, p);
        if (errnum) {
            pool_free(p);
            return err_errno(reterr, errnum, "start the threads of pool '%s'", name);
        }
    }
    *ret = p;
    return 0;
}

void pool_submit(struct pool *p, struct pool_task *t)
{
    t->next = NULL;
    pthread_mutex_lock(&p->lock);
    *p->tail = t;
    p->tail = &t->next;
    pthread_mutex_unlock(&p->lock);
    sem_post(&p->filled);
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    for (int i = 0; i < p->thread_count; i++)
        sem_post(&p->filled);
    for (int i = 0; i < p->thread_count; i++)
        pthread_join(p->threads[i], NULL);
    sem_destroy(&p->filled);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

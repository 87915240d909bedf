#include "fuse/posix/passages.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/mem.h"

struct passages {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    struct passage *first; /* a few: as many as there are threads */
};

struct passages *passages_new(void)
{
    struct passages *all = mem_new(struct passages);
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->ended, NULL);
    return all;
}

void passages_free(struct passages *all)
{
    if (!all)
        return;
    pthread_cond_destroy(&all->ended);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

static bool is_there(const struct passages *all, uint64_t inode, bool removes)
{
    for (const struct passage *p = all->first; p; p = p->next)
        if (p->removes == removes && (p->inode == inode || p->inode == PASSAGE_ANY || inode == PASSAGE_ANY))
            return true;
    return false;
}

static void add(struct passages *all, struct passage *p, uint64_t inode, bool removes)
{
    *p = (struct passage){inode, removes, all->first};
    all->first = p;
}

/* It is in the list first, so that removals that begin later know of it: it waits for no more than there are now. */
void passage_open(struct passages *all, struct passage *p, uint64_t inode)
{
    pthread_mutex_lock(&all->lock);
    add(all, p, inode, false);
    while (is_there(all, inode, true))
        pthread_cond_wait(&all->ended, &all->lock);
    pthread_mutex_unlock(&all->lock);
}

void passage_wait_opened(struct passages *all, uint64_t inode)
{
    pthread_mutex_lock(&all->lock);
    while (is_there(all, inode, false))
        pthread_cond_wait(&all->ended, &all->lock);
    pthread_mutex_unlock(&all->lock);
}

bool passage_remove(struct passages *all, struct passage *p, uint64_t inode)
{
    pthread_mutex_lock(&all->lock);
    bool is_opening = is_there(all, inode, false);
    *p = (struct passage){inode, true, NULL};
    if (!is_opening) /* else the file is held, and nobody has to wait */
        add(all, p, inode, true);
    pthread_mutex_unlock(&all->lock);
    return is_opening;
}

bool passage_is_opening(struct passages *all, uint64_t inode)
{
    pthread_mutex_lock(&all->lock);
    bool opening = is_there(all, inode, false);
    pthread_mutex_unlock(&all->lock);
    return opening;
}

void passage_each_opening(struct passages *all, void (*fn)(uint64_t inode, void *arg), void *arg)
{
    pthread_mutex_lock(&all->lock);
    for (const struct passage *p = all->first; p; p = p->next)
        if (!p->removes)
            fn(p->inode, arg);
    pthread_mutex_unlock(&all->lock);
}

void passage_end(struct passages *all, struct passage *p)
{
    pthread_mutex_lock(&all->lock);
    struct passage **at = &all->first;
    while (*at && *at != p)
        at = &(*at)->next;
    if (*at)
        *at = p->next;
    pthread_cond_broadcast(&all->ended);
    pthread_mutex_unlock(&all->lock);
}

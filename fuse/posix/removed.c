#include "fuse/posix/removed.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/mem.h"

#define REMOVED_MAX 256

struct removed {
    pthread_mutex_t lock;
    struct posix_attr last[REMOVED_MAX]; /* owner and group owned */
    size_t next;
};

struct removed *removed_new(void)
{
    struct removed *r = mem_new(struct removed);
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

static void forget(struct posix_attr *attr)
{
    free((char *)(uintptr_t)attr->owner);
    free((char *)(uintptr_t)attr->group);
}

void removed_free(struct removed *r)
{
    for (size_t i = 0; r && i < REMOVED_MAX; i++)
        forget(&r->last[i]);
    if (r)
        pthread_mutex_destroy(&r->lock);
    free(r);
}

void removed_add(struct removed *r, const struct posix_attr *attr)
{
    pthread_mutex_lock(&r->lock);
    struct posix_attr *to = &r->last[r->next++ % REMOVED_MAX];
    forget(to);
    *to = *attr;
    to->owner = mem_strdup(attr->owner);
    to->group = mem_strdup(attr->group);
    to->target = NULL;
    to->nlink = 0;
    pthread_mutex_unlock(&r->lock);
}

bool removed_find(struct removed *r, uint64_t inode, struct arena *a, struct posix_attr *ret)
{
    bool found = false;
    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < REMOVED_MAX && !found; i++)
        if (r->last[i].id == inode) {
            *ret = r->last[i];
            ret->owner = arena_strdup(a, ret->owner);
            ret->group = arena_strdup(a, ret->group);
            found = true;
        }
    pthread_mutex_unlock(&r->lock);
    return found;
}

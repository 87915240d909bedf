#include "fuse/posix/dir_stats.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/mem.h"

#define SLOTS   256
#define KEEP_MS 1000

struct known {
    struct stat st;
    uint64_t since;
    int64_t until_ms;
};

struct dir_stats {
    pthread_mutex_t lock;
    uint64_t changes; /* so far */
    struct known slots[SLOTS];
};

struct dir_stats *dir_stats_new(void)
{
    struct dir_stats *d = mem_new(struct dir_stats);
    pthread_mutex_init(&d->lock, NULL);
    d->changes = 1;
    return d;
}

void dir_stats_free(struct dir_stats *d)
{
    if (d)
        pthread_mutex_destroy(&d->lock);
    free(d);
}

uint64_t dir_stats_now(struct dir_stats *d)
{
    pthread_mutex_lock(&d->lock);
    uint64_t changes = d->changes;
    pthread_mutex_unlock(&d->lock);
    return changes;
}

static bool is_known(const struct dir_stats *d, const struct known *k, uint64_t inode)
{
    return k->since == d->changes && k->st.st_ino == inode && k->until_ms > clock_mono_ms();
}

/* Answers may come in another order than the changes were made. */
static bool is_older(const struct stat *a, const struct stat *b)
{
    return a->st_ctim.tv_sec != b->st_ctim.tv_sec ? a->st_ctim.tv_sec < b->st_ctim.tv_sec
                                                  : a->st_ctim.tv_nsec < b->st_ctim.tv_nsec;
}

void dir_stats_put(struct dir_stats *d, const struct stat *st, uint64_t since)
{
    pthread_mutex_lock(&d->lock);
    struct known *k = &d->slots[st->st_ino % SLOTS];
    if (d->changes == since && !(is_known(d, k, st->st_ino) && is_older(st, &k->st)))
        *k = (struct known){*st, since, clock_mono_ms() + KEEP_MS};
    pthread_mutex_unlock(&d->lock);
}

bool dir_stats_get(struct dir_stats *d, uint64_t inode, struct stat *ret)
{
    pthread_mutex_lock(&d->lock);
    const struct known *k = &d->slots[inode % SLOTS];
    bool found = is_known(d, k, inode);
    if (found)
        *ret = k->st;
    pthread_mutex_unlock(&d->lock);
    return found;
}

void dir_stats_changed(struct dir_stats *d)
{
    pthread_mutex_lock(&d->lock);
    d->changes++;
    pthread_mutex_unlock(&d->lock);
}

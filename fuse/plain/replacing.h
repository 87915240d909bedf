/* Open files that are being replaced by a rename, which takes two calls: in between nobody has the name (ops_dir.c).
 * Who did not find one meanwhile looks again. Any thread. */
#ifndef CAIRN_FUSE_PLAIN_REPLACING_H
#define CAIRN_FUSE_PLAIN_REPLACING_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct replacing {
    pthread_rwlock_t lock; /* held exclusively by who replaces one */
    _Atomic unsigned turns;
};

static inline void replacing_init(struct replacing *r)
{
    *r = (struct replacing){0};
    pthread_rwlock_init(&r->lock, NULL);
}

static inline void replacing_destroy(struct replacing *r)
{
    pthread_rwlock_destroy(&r->lock);
}

static inline void replacing_begin(struct replacing *r)
{
    pthread_rwlock_wrlock(&r->lock);
    r->turns++;
}

static inline void replacing_end(struct replacing *r)
{
    r->turns++;
    pthread_rwlock_unlock(&r->lock);
}

/* Before something is looked for, */
static inline unsigned replacing_now(const struct replacing *r)
{
    return r->turns;
}

/* and when it was not found: was one being replaced since? Waits until that is done. */
static inline bool replacing_was(struct replacing *r, unsigned since)
{
    pthread_rwlock_rdlock(&r->lock);
    bool was = r->turns != since;
    pthread_rwlock_unlock(&r->lock);
    return was;
}

#endif

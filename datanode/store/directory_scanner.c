#include "datanode/store/directory_scanner.h"

#include <pthread.h>
#include <time.h>

#include "common/clock.h"
#include "common/mem.h"

struct directory_scanner {
    struct directory_scanner_options options;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    _Atomic bool stopping;
};

static void one_round(struct directory_scanner *s)
{
    struct storage_view storages[VOLUMES_MAX];
    size_t count = block_store_storages(s->options.store, storages, VOLUMES_MAX);
    for (size_t i = 0; i < count && !atomic_load(&s->stopping); i++) {
        struct err why;
        if (block_store_compare(s->options.store, i, &s->stopping, s->options.on_difference, s->options.context, &why) <
            0)
            s->options.on_sick(s->options.context, i, why.text);
    }
}

static void *scanner_run(void *arg)
{
    struct directory_scanner *s = arg;
    pthread_mutex_lock(&s->lock);
    while (!atomic_load(&s->stopping)) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += s->options.period_ms / 1000;
        until.tv_nsec += s->options.period_ms % 1000 * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        while (!atomic_load(&s->stopping) && pthread_cond_timedwait(&s->wake, &s->lock, &until) == 0)
            ;
        pthread_mutex_unlock(&s->lock);
        if (!atomic_load(&s->stopping) && *block_store_pool_id(s->options.store))
            one_round(s);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

int directory_scanner_start(const struct directory_scanner_options *options, struct directory_scanner **ret,
                            struct err *reterr)
{
    struct directory_scanner *s = mem_new(struct directory_scanner);
    s->options = *options;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &attr);
    pthread_condattr_destroy(&attr);
    int failed = pthread_create(&s->thread, NULL, scanner_run, s);
    if (failed) {
        mem_freep(&s);
        return err_errno(reterr, failed, "cannot start the directory scanner's thread");
    }
    *ret = s;
    return 0;
}

void directory_scanner_stop(struct directory_scanner *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    atomic_store(&s->stopping, true);
    pthread_cond_broadcast(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    mem_freep(&s);
}

#include "scheduler/worker/discard.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"

struct discard {
    char *dir;
    int64_t epoch_ms; /* of this one: no name of an earlier one is used again */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    unsigned count; /* of names given */
    bool more, stopping;
};

static void remove_now(const char *path)
{
    struct err err = {0};
    if (file_remove_tree(path, &err) < 0)
        log_warn("worker", "path=%s stays: err=%s", path, err.text);
}

static bool is_stopping(struct discard *d)
{
    pthread_mutex_lock(&d->lock);
    bool stopping = d->stopping;
    pthread_mutex_unlock(&d->lock);
    return stopping;
}

static void remove_all(struct discard *d)
{
    DIR *dir = opendir(d->dir);
    for (struct dirent *e; dir && !is_stopping(d) && (e = readdir(dir));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        char *path = mem_printf("%s/%s", d->dir, e->d_name);
        remove_now(path);
        free(path);
    }
    if (dir)
        closedir(dir);
}

static void *discard_thread(void *arg)
{
    struct discard *d = arg;
    pthread_mutex_lock(&d->lock);
    while (!d->stopping) {
        if (!d->more) {
            pthread_cond_wait(&d->wake, &d->lock);
            continue;
        }
        d->more = false;
        pthread_mutex_unlock(&d->lock);
        remove_all(d);
        pthread_mutex_lock(&d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

int discard_start(const char *dir, struct discard **ret, struct err *reterr)
{
    int rc = file_mkdirs(dir, 0700, reterr);
    if (rc < 0)
        return rc;
    struct discard *d = mem_new(struct discard);
    d->dir = mem_strdup(dir);
    d->epoch_ms = clock_wall_ms();
    d->more = true;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->wake, NULL);
    int errnum = pthread_create(&d->thread, NULL, discard_thread, d);
    if (errnum) {
        free(d->dir);
        free(d);
        return err_errno(reterr, errnum, "start a thread");
    }
    *ret = d;
    return 0;
}

void discard_stop(struct discard *d)
{
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    d->stopping = true;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    pthread_mutex_destroy(&d->lock);
    pthread_cond_destroy(&d->wake);
    free(d->dir);
    free(d);
}

void discard(struct discard *d, const char *path)
{
    pthread_mutex_lock(&d->lock);
    char *aside = mem_printf("%s/%lld.%u", d->dir, (long long)d->epoch_ms, d->count++);
    bool moved = rename(path, aside) == 0;
    d->more |= moved;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->lock);
    if (!moved)
        remove_now(path);
    free(aside);
}

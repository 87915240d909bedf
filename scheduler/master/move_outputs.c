#include "scheduler/master/move_outputs.h"

#include <pthread.h>
#include <stdatomic.h>

#include "client/lib/dfs_path.h"

#define MOVERS_MAX        16
#define MOVES_OF_A_THREAD 8 /* fewer are not worth one */

struct move {
    struct dfs *fs;
    const struct finish_work *work;
    atomic_size_t next; /* winner that nobody has begun with */
    atomic_bool failed;
    pthread_mutex_t lock; /* guards err */
    struct err err;       /* the first one */
};

static int move_attempt(struct dfs *fs, const struct finish_work *w, const char *attempt, struct err *reterr)
{
    struct arena a;
    arena_init(&a, 64 << 20);
    const char *dir = arena_printf(&a, "%s/_temporary/0/%s", w->output, attempt);
    struct dfs_listing listing = {0};
    int rc = dfs_list_all(fs, dir, &a, &listing, reterr);
    if (rc == ERR_NOT_FOUND && (w->lazy || w->resumed)) { /* it wrote nothing, or has been moved before */
        arena_free(&a);
        return 0;
    }
    for (size_t i = 0; rc == 0 && i < listing.count; i++) {
        const char *name = listing.entries[i].name;
        rc = dfs_rename2(fs, dfs_path_join(&a, dir, name), dfs_path_join(&a, w->output, name), false, false, reterr);
    }
    arena_free(&a);
    return rc < 0 ? err_prefix(reterr, rc, "%s", attempt) : 0;
}

static void *mover_thread(void *arg)
{
    struct move *m = arg;
    struct err err = {0};
    size_t i;
    while (!atomic_load(&m->failed) && (i = atomic_fetch_add(&m->next, 1)) < m->work->winner_count) {
        if (move_attempt(m->fs, m->work, m->work->winners[i], &err) == 0)
            continue;
        pthread_mutex_lock(&m->lock);
        if (!atomic_exchange(&m->failed, true))
            m->err = err;
        pthread_mutex_unlock(&m->lock);
    }
    return NULL;
}

int move_outputs(struct dfs *fs, const struct finish_work *w, struct err *reterr)
{
    struct move m = {.fs = fs, .work = w, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[MOVERS_MAX - 1];
    size_t others = w->winner_count / MOVES_OF_A_THREAD, started = 0;
    others = others < MOVERS_MAX - 1 ? others : MOVERS_MAX - 1;
    while (started < others && pthread_create(&threads[started], NULL, mover_thread, &m) == 0)
        started++;
    mover_thread(&m);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    if (atomic_load(&m.failed) && reterr)
        *reterr = m.err;
    return atomic_load(&m.failed) ? m.err.code : 0;
}

#include "scheduler/master/move_outputs.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "client/lib/dfs_path.h"
#include "scheduler/engine/part_file.h"
#include "scheduler/ids.h"

#define MOVERS_MAX        16
#define MOVES_OF_A_THREAD 8 /* fewer are not worth one */
#define FOLDERS_BYTES     (512u << 20)
#define DEPTH_MAX         64 /* of folders in folders */

struct move {
    struct dfs *fs;
    const struct finish_work *work;
    const struct dfs_listing *folders; /* of all attempts that wrote something */
    const struct dfs_listing *moved;   /* what a commit before this one put in place */
    atomic_size_t next;                /* winner that nobody has begun with */
    atomic_bool failed;
    pthread_mutex_t lock; /* guards err */
    struct err err;       /* the first one */
};

static int move_all(const struct move *m, struct arena *a, const char *from, const char *to, int depth,
                    struct err *reterr);

/* A folder that another attempt has moved there already takes what is in this one, as in Hadoop. */
static int move_entry(const struct move *m, struct arena *a, const char *from, const char *to, bool is_folder,
                      int depth, struct err *reterr)
{
    int rc = dfs_rename2(m->fs, from, to, false, false, reterr);
    return rc == ERR_EXISTS && is_folder && depth < DEPTH_MAX ? move_all(m, a, from, to, depth + 1, reterr) : rc;
}

static int move_all(const struct move *m, struct arena *a, const char *from, const char *to, int depth,
                    struct err *reterr)
{
    struct dfs_listing listing = {0};
    int rc = dfs_list_all(m->fs, from, a, &listing, reterr);
    for (size_t i = 0; rc == 0 && i < listing.count; i++) {
        const struct dfs_status *entry = &listing.entries[i];
        rc = move_entry(m, a, dfs_path_join(a, from, entry->name), dfs_path_join(a, to, entry->name),
                        entry->type == DFS_DIR, depth, reterr);
    }
    return rc;
}

static int by_name(const void *name, const void *entry)
{
    return strcmp(name, ((const struct dfs_status *)entry)->name);
}

static const struct dfs_status *find(const struct dfs_listing *in, const char *name)
{
    return in->count ? bsearch(name, in->entries, in->count, sizeof *in->entries, by_name) : NULL;
}

/* Most have a part file and nothing else: nobody has to ask what there is. */
static int move_attempt(const struct move *m, const char *attempt, struct arena *a, struct err *reterr)
{
    const struct finish_work *w = m->work;
    const struct dfs_status *folder = find(m->folders, attempt);
    struct attempt_id id = {0};
    bool parsed = attempt_id_parse(attempt, &id);
    const char *part = arena_printf(a, PART_FILE_NAME, id.partition, w->part_suffix);
    if (!folder || folder->children == 0) /* it wrote nothing, or has been moved before */
        return w->lazy || find(m->moved, part) ? 0 : err_set(reterr, ERR_NOT_FOUND, "its output is not there any more");
    const char *dir = arena_printf(a, "%s/_temporary/0/%s", w->output, attempt);
    int rc = ERR_NOT_FOUND;
    if (parsed && folder->children == 1)
        rc = move_entry(m, a, dfs_path_join(a, dir, part), dfs_path_join(a, w->output, part), false, 0, reterr);
    return rc == ERR_NOT_FOUND ? move_all(m, a, dir, w->output, 0, reterr) : rc;
}

static void *mover_thread(void *arg)
{
    struct move *m = arg;
    struct err err = {0};
    struct arena a;
    size_t i;
    arena_init(&a, 64 << 20);
    while (!atomic_load(&m->failed) && (i = atomic_fetch_add(&m->next, 1)) < m->work->winner_count) {
        const char *attempt = m->work->winners[i];
        int rc = move_attempt(m, attempt, &a, &err);
        arena_reset(&a);
        if (rc == 0)
            continue;
        err_prefix(&err, rc, "%s", attempt);
        pthread_mutex_lock(&m->lock);
        if (!atomic_exchange(&m->failed, true))
            m->err = err;
        pthread_mutex_unlock(&m->lock);
    }
    arena_free(&a);
    return NULL;
}

int move_outputs(struct dfs *fs, const struct finish_work *w, struct err *reterr)
{
    struct arena a;
    struct dfs_listing folders = {0}, moved = {0};
    arena_init(&a, FOLDERS_BYTES);
    int rc = dfs_list_all(fs, arena_printf(&a, "%s/_temporary/0", w->output), &a, &folders, reterr);
    if (rc == ERR_NOT_FOUND && (w->lazy || w->resumed))
        rc = 0;
    if (rc == 0 && w->resumed)
        rc = dfs_list_all(fs, w->output, &a, &moved, reterr);
    if (rc < 0) {
        arena_free(&a);
        return rc;
    }
    struct move m = {.fs = fs, .work = w, .folders = &folders, .moved = &moved, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[MOVERS_MAX - 1];
    size_t others = w->winner_count / MOVES_OF_A_THREAD, started = 0;
    others = others < MOVERS_MAX - 1 ? others : MOVERS_MAX - 1;
    while (started < others && pthread_create(&threads[started], NULL, mover_thread, &m) == 0)
        started++;
    mover_thread(&m);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    arena_free(&a);
    if (atomic_load(&m.failed) && reterr)
        *reterr = m.err;
    return atomic_load(&m.failed) ? m.err.code : 0;
}

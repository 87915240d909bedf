#include "namenode/trash_emptier.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/trash_names.h"
#include "namenode/blocks/blocks.h"
#include "namenode/namespace/files.h"
#include "namenode/namespace/history.h"
#include "namenode/namespace/quota_sum.h"
#include "namenode/namespace/tree.h"

#define CHILDREN_PER_SPAN 256
#define CHECKPOINT_TRIES  1000
#define TICK_MS           1000

struct trash_emptier {
    struct namenode *nn;
    pthread_t thread;
    pthread_cond_t wake;
    int64_t due_ms;        /* on the wall; its thread's alone */
    _Atomic bool stopping; /* set under nn's lock */
};

/* Texts behind each other, each with its end. */
static const char *next_text(const struct buf *texts, const char *last)
{
    const char *first = (const char *)texts->base, *next = last ? last + strlen(last) + 1 : first;
    return next < first + texts->len ? next : NULL;
}

static void add_text(struct buf *texts, const char *text)
{
    buf_append(texts, text, strlen(text) + 1);
}

static struct fs_user superuser(const struct namenode *nn)
{
    return (struct fs_user){.name = nn->dir->superuser, .is_super = true};
}

/* ---- where there is trash ---- */

/* Names in a directory, without the lock; none if it is not there, or behind a file or a link. */
static int list(struct namenode *nn, const char *folder, struct buf *ret_names, struct err *reterr)
{
    const struct fs_user user = superuser(nn);
    struct txn t;
    struct path p;
    struct dir_iter d;
    txn_begin_snapshot(&t, nn->dir);
    int rc = path_resolve(&t, &user, folder, PATH_MAY_MISS | PATH_NO_FOLLOW, &p, reterr);
    struct inode *n = rc ? NULL : path_target(&p);
    if (n && inode_is_dir(n)) {
        dir_iter_open(&d, &t, n, "", 0);
        for (size_t seen = 1; dir_iter_next(&d); seen++) {
            buf_append(ret_names, d.name, d.name_len);
            buf_append(ret_names, "", 1);
            if (seen % CHILDREN_PER_SPAN == 0)
                txn_reset(&t);
        }
        rc = dir_iter_close(&d, reterr);
    }
    txn_end(&t);
    return rc == ERR_ACCESS || rc == ERR_UNRESOLVED_PATH ? 0 : rc;
}

/* FOLDER/NAME and what stands behind that, for each name in it. */
static int add_roots(struct namenode *nn, const char *folder, const char *behind, struct buf *roots, struct err *reterr)
{
    AUTO(buf_free) struct buf names = {0};
    int rc = list(nn, folder, &names, reterr);
    for (const char *name = NULL; (name = next_text(&names, name));) {
        buf_printf(roots, "%s/%s%s", strcmp(folder, "/") ? folder : "", name, behind);
        buf_append(roots, "", 1);
    }
    return rc;
}

/* The .Trash of each directory that snapshots may be taken of. */
static void shared_trashes(struct namenode *nn, struct buf *ret)
{
    namenode_lock(nn);
    for (size_t i = 0; i < history_snapshottable_count(nn->dir); i++) {
        struct txn t;
        struct inode *n = NULL;
        const char *path = "";
        txn_begin(&t, nn->dir, 0);
        if (!txn_inode(&t, history_snapshottable_at(nn->dir, i), &n, NULL) && !txn_path(&t, n, &path, NULL))
            add_text(ret, arena_printf(&t.arena, "%s/.Trash", strcmp(path, "/") ? path : ""));
        txn_end(&t);
    }
    namenode_unlock(nn);
}

static int find_roots(struct namenode *nn, struct buf *ret, struct err *reterr)
{
    AUTO(buf_free) struct buf shared = {0};
    int rc = add_roots(nn, config_str(nn->config, "dfs.user.home.dir.prefix"), "/.Trash", ret, reterr);
    if (!rc && config_bool(nn->config, "dfs.namenode.snapshot.trashroot.enabled"))
        shared_trashes(nn, &shared);
    for (const char *trash = NULL; !rc && (trash = next_text(&shared, trash));)
        rc = add_roots(nn, trash, "", ret, reterr);
    return rc;
}

/* ---- one of them ---- */

/* Removes `path`, or renames it if there is a `to`. */
static int change(struct namenode *nn, const char *path, const char *to, struct err *reterr)
{
    const struct fs_user user = superuser(nn);
    struct quota_watch *watch = NULL;
    struct txn t;
    bool done;
    int rc = to ? quota_sum_for_rename(nn, &user, path, to, false, &watch, reterr)
                : quota_sum_for_delete(nn, &user, path, &watch, reterr);
    namenode_lock(nn);
    txn_begin(&t, nn->dir, (uint64_t)clock_wall_ns());
    struct file_op o = {nn, &t, (uint64_t)clock_mono_ms()};
    if (!rc && blocks_in_safe_mode(nn->blocks))
        rc = err_set(reterr, ERR_SAFE_MODE, "safe mode has begun");
    if (!rc)
        rc = to ? tree_rename2(&t, &user, path, to, false, reterr) : tree_delete(&t, &user, path, true, &done, reterr);
    rc = rc ? rc : file_commit(&o, reterr);
    txn_end(&t);
    namenode_unlock(nn);
    quota_sum_end(nn, watch);
    return rc;
}

static int make_checkpoint(struct namenode *nn, const char *root, int64_t now_ms, struct err *reterr)
{
    AUTO(mem_freep) char *current = mem_printf("%s/Current", root);
    int rc = ERR_EXISTS;
    for (int i = 0; i < CHECKPOINT_TRIES && rc == ERR_EXISTS; i++) {
        char name[TRASH_CHECKPOINT_BYTES];
        trash_checkpoint_name(now_ms, i, name);
        AUTO(mem_freep) char *checkpoint = mem_printf("%s/%s", root, name);
        rc = change(nn, current, checkpoint, reterr);
    }
    return rc;
}

static void empty(struct trash_emptier *e, const char *root, int64_t now_ms, int64_t interval_ms)
{
    struct namenode *nn = e->nn;
    AUTO(buf_free) struct buf names = {0};
    struct err why = {0};
    bool has_current = false;
    int rc = list(nn, root, &names, &why);
    for (const char *name = NULL; !e->stopping && (name = next_text(&names, name));) {
        int64_t made_ms;
        AUTO(mem_freep) char *path = mem_printf("%s/%s", root, name);
        if (!strcmp(name, "Current"))
            has_current = true;
        else if (!trash_checkpoint_made_ms(name, &made_ms))
            log_debug("trash", "path=%s: no checkpoint, stays", path);
        else if (made_ms < now_ms - interval_ms && change(nn, path, NULL, &why))
            log_warn("trash", "path=%s: cannot be removed: %s", path, why.text);
        else if (made_ms < now_ms - interval_ms)
            log_info("trash", "path=%s: removed", path);
    }
    if (!rc && has_current && !e->stopping)
        rc = make_checkpoint(nn, root, now_ms, &why);
    if (rc)
        log_warn("trash", "path=%s: no checkpoint: %s", root, why.text);
}

/* ---- when ---- */

/* Whole intervals since 1970, as Hadoop's; so restarts put nothing off. */
static bool is_due(struct trash_emptier *e, int64_t now_ms, int64_t interval_ms)
{
    int64_t next_ms = (now_ms / interval_ms + 1) * interval_ms;
    bool due = e->due_ms && now_ms >= e->due_ms;
    if (due || !e->due_ms || e->due_ms > next_ms) /* or the clock was set back */
        e->due_ms = next_ms;
    return due;
}

/* Under the lock, which it lets go while there is something to do. */
static void tick(struct trash_emptier *e)
{
    struct namenode *nn = e->nn;
    int64_t interval_ms = config_ms(nn->config, "fs.trash.interval"), now_ms = clock_wall_ms();
    int64_t checkpoint_ms = config_ms(nn->config, "fs.trash.checkpoint.interval");
    if (checkpoint_ms <= 0 || checkpoint_ms > interval_ms)
        checkpoint_ms = interval_ms;
    if (interval_ms <= 0 || blocks_in_safe_mode(nn->blocks) || !is_due(e, now_ms, checkpoint_ms))
        return;
    namenode_unlock(nn);
    AUTO(buf_free) struct buf roots = {0};
    struct err why = {0};
    if (find_roots(nn, &roots, &why))
        log_warn("trash", "not all is looked after: %s", why.text);
    for (const char *root = NULL; (root = next_text(&roots, root));)
        empty(e, root, now_ms, interval_ms);
    namenode_lock(nn);
}

static void *run(void *arg)
{
    struct trash_emptier *e = arg;
    namenode_lock(e->nn);
    while (!e->stopping) {
        tick(e);
        struct timespec until = clock_timespec((clock_mono_ms() + TICK_MS) * 1000000);
        if (!e->stopping)
            pthread_cond_timedwait(&e->wake, &e->nn->lock, &until);
    }
    namenode_unlock(e->nn);
    return NULL;
}

int trash_emptier_start(struct namenode *nn, struct trash_emptier **ret, struct err *reterr)
{
    struct trash_emptier *e = mem_new(struct trash_emptier);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&e->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    e->nn = nn;
    int errnum = pthread_create(&e->thread, NULL, run, e);
    if (errnum) {
        pthread_cond_destroy(&e->wake);
        free(e);
        return err_errno(reterr, errnum, "cannot start a thread");
    }
    *ret = e;
    return 0;
}

void trash_emptier_stop(struct trash_emptier *e)
{
    if (!e)
        return;
    namenode_lock(e->nn);
    e->stopping = true;
    pthread_cond_signal(&e->wake);
    namenode_unlock(e->nn);
    pthread_join(e->thread, NULL);
    pthread_cond_destroy(&e->wake);
    free(e);
}

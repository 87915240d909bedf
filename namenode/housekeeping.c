#include "namenode/housekeeping.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "namenode/cache_scan.h"
#include "namenode/namespace/detached.h"
#include "namenode/namespace/files.h"
#include "namenode/namespace/graves.h"
#include "namenode/namespace/history.h"
#include "namenode/namespace/keys.h"
#include "namenode/namespace/leases.h"
#include "namenode/namespace/links.h"
#include "namenode/namespace/quota_sum.h"
#include "namenode/namespace/tokens.h"
#include "namenode/namespace/tree.h"
#include "namenode/serve/diff_pages.h"
#include "namenode/serve/park.h"
#include "namenode/serve/posix_calls.h"
#include "namenode/serve/posix_state.h"

#define REAP_CHILDREN   200 /* per step */
#define SUMS_PER_STEP   8   /* one is enough, unless quotas are set meanwhile */
#define REAP_AT_ONCE    10  /* steps */
#define TICK_MS         1000
#define PARK_CHECK_MS   100
#define LEASES_PER_TICK 100
#define TRASH_NAME      ".Trash"
#define TRASH_MODE      01777 /* everybody has a folder in it */
_Static_assert(TICK_MS < PARK_MS,
               "calls that are parked do not wake the housekeeping: it looks before their time is over");

/* ---- the reaper ---- */

static bool next_from(struct namenode *nn, uint64_t from, uint64_t *ret)
{
    struct store_iter *it = store_iter_new(nn->store, NULL, true);
    struct key k;
    key_of(&k, 'r', from);
    store_iter_seek(it, k.bytes, k.len);
    struct slice key = store_iter_valid(it) ? store_iter_key(it) : (struct slice){0};
    bool found = key.len == 9 && key.base[0] == 'r';
    if (found)
        *ret = be64_get(key.base + 1);
    store_iter_free(it);
    return found;
}

static bool next_to_reap(struct namenode *nn, uint64_t *ret)
{
    if (next_from(nn, nn->reaper->cursor, ret))
        return true;
    bool wrapped = nn->reaper->cursor > 0;
    nn->reaper->cursor = 0;
    return wrapped && next_from(nn, 0, ret);
}

/* Some of a cut-off directory's children: files go, directories are cut off in turn. */
static int reap_children(struct txn *t, struct inode *dir, struct reaper *r, struct err *reterr)
{
    struct dir_iter d;
    int rc = 0;
    if (r->directory != dir->id)
        r->after[0] = 0;
    r->directory = dir->id;
    dir_iter_open(&d, t, dir, r->after, strlen(r->after));
    for (size_t i = 0; i < REAP_CHILDREN && dir_iter_next(&d); i++) {
        struct inode *child = NULL;
        rc = txn_inode(t, d.child, &child, reterr);
        if (!rc && i > 0 && quota_sum_is_wanted_to_remove(t, child))
            break; /* a step of its own will be told so */
        snprintf(r->after, sizeof r->after, "%.*s", (int)d.name_len, d.name);
        rc = rc ? rc : txn_unlink(t, dir, r->after, child, reterr);
        if (rc)
            break;
        txn_discard(t, child); /* unless it has names elsewhere */
    }
    int close_rc = dir_iter_close(&d, rc ? NULL : reterr);
    return rc ? rc : close_rc;
}

/* *ret_unsummed: rc is ERR_RETRIABLE, since the sum of this subtree is wanted first. */
static int try_step(struct namenode *nn, bool *ret_more, uint64_t *ret_unsummed, struct err *reterr)
{
    uint64_t id = 0;
    bool is_cut_off = next_to_reap(nn, &id);
    nn->reaper->cursor = id;
    struct txn t;
    struct file_op o = {nn, &t, (uint64_t)clock_mono_ms()};
    struct inode *n = NULL;
    txn_begin(&t, nn->dir, (uint64_t)clock_wall_ns());
    t.is_reaping = true;
    *ret_more = is_cut_off;
    int rc = is_cut_off ? txn_inode(&t, id, &n, reterr) : history_reap_step(&t, &nn->reaper->history, ret_more, reterr);
    if (n && inode_is_dir(n) && n->child_count)
        rc = reap_children(&t, n, nn->reaper, reterr);
    if (!rc && n && (!inode_is_dir(n) || !n->child_count))
        txn_erase_discarded(&t, n);
    rc = rc ? rc : file_commit(&o, reterr);
    *ret_unsummed = rc == ERR_RETRIABLE ? t.unsummed : INODE_NONE;
    txn_end(&t);
    return rc;
}

int reap_step(struct namenode *nn, bool *ret_more, struct err *reterr)
{
    struct quota_watch *sums[SUMS_PER_STEP];
    size_t count = 0;
    uint64_t unsummed = INODE_NONE;
    struct reaper *before = mem_new(struct reaper);
    *before = *nn->reaper;
    int rc = try_step(nn, ret_more, &unsummed, reterr);
    while (rc && unsummed && count < ARRAY_COUNT(sums)) {
        *nn->reaper = *before;
        nn->reaper->is_summing = true;
        rc = quota_sum_for_reaper(nn, unsummed, &sums[count], reterr);
        nn->reaper->is_summing = false;
        if (rc)
            break;
        count++;
        rc = try_step(nn, ret_more, &unsummed, reterr);
    }
    while (count)
        quota_watch_end(nn->dir, sums[--count]);
    free(before);
    return rc;
}

void reap_little(struct namenode *nn)
{
    struct txn t;
    txn_begin(&t, nn->dir, 0);
    bool more = quota_is_charged(&t) && !nn->reaper->is_summing;
    txn_end(&t);
    for (size_t i = 0; i < REAP_AT_ONCE && more; i++) {
        struct reaper *before = mem_new(struct reaper);
        uint64_t unsummed;
        *before = *nn->reaper;
        if (try_step(nn, &more, &unsummed, NULL)) {
            *nn->reaper = *before; /* the housekeeping will know why */
            more = false;
        }
        free(before);
    }
}

/* ---- leases ---- */

int leases_load(struct namenode *nn, uint64_t now_ms, struct err *reterr)
{
    struct txn t;
    int rc = 0;
    txn_begin(&t, nn->dir, 0);
    struct store_iter *it = store_iter_new(nn->store, NULL, true);
    struct key k;
    key_of(&k, 'o', 0);
    for (store_iter_seek(it, k.bytes, k.len); !rc && store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        if (key.len != 9 || key.base[0] != 'o')
            break;
        struct inode *n = NULL;
        rc = txn_inode(&t, be64_get(key.base + 1), &n, reterr);
        if (!rc && n->recovery_stamp)
            leases_add_recovering(nn->leases, n->client_name, n->id, now_ms);
        else if (!rc)
            leases_add(nn->leases, n->client_name, n->id, now_ms);
        t.inode_count = 0;
        arena_reset(&t.arena);
    }
    store_iter_free(it);
    txn_end(&t);
    return rc;
}

static void release(struct namenode *nn, uint64_t id, uint64_t now_ms)
{
    struct txn t;
    struct file_op o = {nn, &t, now_ms};
    struct inode *n = NULL;
    struct err why = {0};
    const char *path = "";
    bool closed = false;
    txn_begin(&t, nn->dir, (uint64_t)clock_wall_ns());
    int rc = txn_inode(&t, id, &n, &why);
    rc = rc ? rc : txn_path(&t, n, &path, &why);
    bool is_gone = rc == ERR_NOT_FOUND || (!rc && !n->is_open); /* closed or deleted meanwhile */
    if (!rc && !is_gone)
        rc = file_release_lease(&o, n, path, &closed, &why);
    if (is_gone)
        leases_remove(nn->leases, id);
    else if (rc)
        log_warn("leases", "path=%s: %s", path, why.text);
    else
        log_info("leases", "path=%s: the writer is gone, %s", path, closed ? "closed" : "recovering the last block");
    txn_end(&t);
}

static void leases_tick(struct namenode *nn, uint64_t now_ms)
{
    uint64_t expired[LEASES_PER_TICK];
    if (blocks_in_safe_mode(nn->blocks))
        return;
    size_t count = leases_take_expired(nn->leases, now_ms, expired, LEASES_PER_TICK);
    for (size_t i = 0; i < count; i++)
        release(nn, expired[i], now_ms);
}

/* ---- the cache ---- */

static void cache_tick(struct namenode *nn, uint64_t now_ms)
{
    bool changed = nn->cache_scanned_changes != nn->cache_pools->changes;
    /* Without directives too: datanodes may report late what they cached for one that is gone. */
    bool due = (nn->cache_pools->directive_count || blocks_cache_any(nn->blocks)) && now_ms >= nn->cache_scan_due_ms;
    if (!changed && !due)
        return;
    nn->cache_scan_due_ms =
        now_ms + (uint64_t)config_ms(nn->config, "dfs.namenode.path.based.cache.refresh.interval.ms");
    namenode_unlock(nn);
    cache_scan_all(nn);
    namenode_lock(nn);
}

/* ---- delegation tokens ---- */

int housekeeping_tokens(struct namenode *nn, struct err *reterr)
{
    struct txn t;
    int64_t now_ms = clock_wall_ms();
    if (!tokens_tick_due(nn->tokens, now_ms))
        return 0;
    txn_begin(&t, nn->dir, (uint64_t)clock_wall_ns());
    int rc = tokens_tick(nn->tokens, &t, now_ms, reterr);
    txn_end(&t);
    return rc;
}

static void tokens_tick_logged(struct namenode *nn)
{
    struct err why;
    if (housekeeping_tokens(nn, &why))
        log_error("tokens", "cannot renew keys or drop what has expired: %s", why.text);
}

/* ---- trash below snapshots ---- */

static int make_trash_root(struct txn *t, uint64_t dir, const char **ret_path, struct err *reterr)
{
    const struct fs_user user = {.name = t->dir->superuser, .is_super = true};
    struct inode *n = NULL, *there = NULL;
    const char *path = "";
    int rc = txn_inode(t, dir, &n, reterr);
    rc = rc ? rc : txn_child(t, n, TRASH_NAME, &there, reterr);
    rc = rc || there ? rc : txn_path(t, n, &path, reterr);
    if (rc || there)
        return rc;
    *ret_path = arena_printf(&t->arena, "%s/" TRASH_NAME, strcmp(path, "/") ? path : "");
    rc = tree_mkdirs(t, &user, *ret_path, TRASH_MODE, false, reterr);
    return rc ? rc : txn_commit(t, reterr);
}

/* Once, after safe mode: directories that could have snapshots before the setting was there. */
static void trash_roots_tick(struct namenode *nn)
{
    if (nn->trash_roots_made || blocks_in_safe_mode(nn->blocks))
        return;
    nn->trash_roots_made = true;
    bool enabled = config_bool(nn->config, "dfs.namenode.snapshot.trashroot.enabled");
    for (size_t i = 0; enabled && i < history_snapshottable_count(nn->dir); i++) {
        struct txn t;
        struct err why = {0};
        const char *path = NULL;
        txn_begin(&t, nn->dir, (uint64_t)clock_wall_ns());
        if (make_trash_root(&t, history_snapshottable_at(nn->dir, i), &path, &why))
            log_warn("trash", "cannot make a trash below snapshots: %s", why.text);
        else if (path)
            log_info("trash", "path=%s: made", path);
        txn_end(&t);
    }
}

/* ---- differences between snapshots ---- */

/* They may be large: without the lock. */
static void diff_pages_tick_unlocked(struct namenode *nn, uint64_t now_ms)
{
    namenode_unlock(nn);
    diff_pages_tick(nn->diff_pages, now_ms);
    namenode_lock(nn);
}

/* ---- the thread ---- */

/* Lets others have the lock for a moment. */
static void give_way(struct namenode *nn)
{
    namenode_unlock(nn);
    clock_sleep_ms(1);
    namenode_lock(nn);
}

static void reap_some(struct namenode *nn)
{
    uint64_t seen = nn->reap_pending;
    bool more = false;
    struct err why = {0};
    if (!seen)
        return;
    if (reap_step(nn, &more, &why)) {
        log_error("reaper", "cannot take apart what was deleted, giving up until the next start: %s", why.text);
        more = false;
    }
    if (!more && nn->reap_pending == seen)
        nn->reap_pending = 0;
}

/* What the edits of mounts left over. */
static void edits_tick(struct namenode *nn, uint64_t now_ms)
{
    struct err why = {0};
    bool more = true;
    detached_drop_dead(nn, posix_session_is_alive);
    while (more && !nn->stopping) {
        if (graves_step(nn, now_ms, &more, &why)) {
            log_error("files", "cannot free blocks that were edited out, trying again: %s", why.text);
            return;
        }
        if (more)
            give_way(nn);
    }
}

static void wait(struct namenode *nn, uint64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    until.tv_sec += (time_t)(ms / 1000) + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&nn->housekeeping_wake, &nn->lock, &until);
}

static void *housekeeping(void *arg)
{
    struct namenode *nn = arg;
    uint64_t next_tick_ms = 0;
    namenode_lock(nn);
    while (!nn->stopping) {
        uint64_t now_ms = (uint64_t)clock_mono_ms();
        park_expire(nn, now_ms);
        bool more = posix_tick(nn, now_ms);
        if (now_ms >= next_tick_ms) {
            next_tick_ms = now_ms + TICK_MS;
            while (blocks_tick(nn->blocks, now_ms) && !nn->stopping)
                give_way(nn);
            leases_tick(nn, now_ms);
            cache_tick(nn, now_ms);
            tokens_tick_logged(nn);
            trash_roots_tick(nn);
            edits_tick(nn, now_ms);
            diff_pages_tick_unlocked(nn, now_ms);
        }
        reap_some(nn);
        if (nn->stopping)
            break;
        if (nn->reap_pending || more) {
            give_way(nn);
            continue;
        }
        uint64_t left = next_tick_ms > now_ms ? next_tick_ms - now_ms : 1;
        bool often = park_any(nn) || posix_is_impatient(nn);
        wait(nn, often && left > PARK_CHECK_MS ? PARK_CHECK_MS : left);
    }
    namenode_unlock(nn);
    return NULL;
}

int housekeeping_start(struct namenode *nn, pthread_t *ret_thread, struct err *reterr)
{
    nn->reap_pending = 1; /* what the last run left over */
    int rc = pthread_create(ret_thread, NULL, housekeeping, nn);
    return rc ? err_errno(reterr, rc, "cannot start a thread") : 0;
}

void housekeeping_stop(struct namenode *nn, pthread_t thread)
{
    namenode_lock(nn);
    nn->stopping = true;
    pthread_cond_signal(&nn->housekeeping_wake);
    namenode_unlock(nn);
    pthread_join(thread, NULL);
    namenode_lock(nn);
    park_expire(nn, UINT64_MAX);
    (void)posix_tick(nn, UINT64_MAX);
    namenode_unlock(nn);
}

#include "datanode/store/block_store.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "datanode/store/store_impl.h"

#define STOP_OWNER_MS 60000 /* dfs.datanode.xceiver.stop.timeout.millis */

/* ---- opening ---- */

static int open_volume(struct block_store *s, const char *spec, int64_t reserved_bytes, struct err *reterr)
{
    struct volume *v;
    int rc = volume_open(spec, reserved_bytes, &v, reterr);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < s->volume_count; i++)
        if (!strcmp(s->volumes[i]->storage_id, v->storage_id)) {
            rc = err_set(reterr, ERR_CONFIG, "'%s' and '%s' are the same storage (%s)", s->volumes[i]->dir, v->dir,
                         v->storage_id);
            volume_free(v);
            return rc;
        }
    if (v->datanode_uuid[0] && !s->uuid[0])
        memcpy(s->uuid, v->datanode_uuid, sizeof s->uuid);
    s->volumes[s->volume_count++] = v;
    return 0;
}

static int open_volumes(struct block_store *s, const struct block_store_options *o, struct err *reterr)
{
    AUTO(mem_freep) char *list = mem_strdup(o->data_dirs);
    struct err why = {0};
    char *rest = list, *spec;
    while ((spec = strsep(&rest, ",")) != NULL) {
        while (isspace((unsigned char)*spec))
            spec++;
        for (size_t len = strlen(spec); len > 0 && isspace((unsigned char)spec[len - 1]); len--)
            spec[len - 1] = 0;
        if (!*spec)
            continue;
        if (s->volume_count == VOLUMES_MAX)
            return err_set(reterr, ERR_CONFIG, "dfs.datanode.data.dir names more than %d directories", VOLUMES_MAX);
        int rc = open_volume(s, spec, o->reserved_bytes, &why);
        if (rc == ERR_BUSY || rc == ERR_CONFIG || rc == ERR_BAD_STATE) { /* not the disk's fault */
            *reterr = why;
            return rc;
        }
        if (rc < 0) {
            log_error("store", "volume '%s' cannot be used: %s", spec, why.text);
            s->unopened_count++;
        }
    }
    if (s->volume_count == 0 && s->unopened_count == 0)
        return err_set(reterr, ERR_CONFIG, "dfs.datanode.data.dir names no directory");
    if (s->volume_count == 0 ||
        (s->failed_volumes_tolerated >= 0 && s->unopened_count > (size_t)s->failed_volumes_tolerated))
        return err_set(reterr, why.code,
                       "%zu of %zu volumes cannot be used, dfs.datanode.failed.volumes.tolerated is %d: %s",
                       s->unopened_count, s->unopened_count + s->volume_count, s->failed_volumes_tolerated, why.text);
    return 0;
}

int block_store_open(const struct block_store_options *options, struct block_store **ret, struct err *reterr)
{
    struct err local = {0};
    reterr = reterr ? reterr : &local;
    struct block_store *s = mem_new(struct block_store);
    s->failed_volumes_tolerated = options->failed_volumes_tolerated;
    s->sync_on_close = options->sync_on_close;
    s->small_bytes = options->small_bytes < SMALL_DATA_MAX ? options->small_bytes : SMALL_DATA_MAX;
    s->volume_choice = options->volume_choice;
    s->deletions_end = &s->deletions;
    pthread_mutex_init(&s->lock, NULL);
    pthread_mutex_init(&s->links_lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &attr);
    pthread_cond_init(&s->deletions_changed, &attr);
    pthread_condattr_destroy(&attr);
    int rc = open_volumes(s, options, reterr);
    if (rc < 0) {
        block_store_close(s);
        return rc;
    }
    if (!s->uuid[0])
        uuid_new(s->uuid);
    *ret = s;
    return 0;
}

void store_forget_locked(struct block_store *s, struct replica *r)
{
    struct volume *v = s->volumes[r->volume];
    store_promise_locked(s, r, 0);
    atomic_fetch_sub(&v->used_bytes, replica_footprint(r->disk_bytes));
    atomic_fetch_sub(&v->replica_count, 1);
    replica_map_remove(&s->map, r);
    replica_free(r);
}

static void take_out_volume_locked(struct block_store *s, size_t index)
{
    for (size_t i = 0; i < s->map.bucket_count; i++)
        for (struct replica *r = s->map.buckets[i], *next; r; r = next) {
            next = r->next;
            if (r->volume != index)
                continue;
            if (r->work && r->work->claimed)
                store_ask_owner_to_stop_locked(r->work); /* its release forgets it */
            else
                store_forget_locked(s, r);
        }
}

static bool too_many_failed(const struct block_store *s)
{
    size_t failed = s->unopened_count, left = 0;
    for (size_t i = 0; i < s->volume_count; i++) {
        failed += !volume_ok(s->volumes[i]);
        left += volume_ok(s->volumes[i]);
    }
    return left == 0 || (s->failed_volumes_tolerated >= 0 && failed > (size_t)s->failed_volumes_tolerated);
}

static void fail_locked(struct block_store *s, size_t index)
{
    s->volumes[index]->failed_at_ms = clock_wall_ms();
    atomic_store(&s->volumes[index]->failed, true);
    take_out_volume_locked(s, index);
}

struct scan_job {
    struct block_store *store;
    size_t volume_index;
    pthread_t thread;
    bool threaded;
    int rc;
    struct err err;
};

static void *scan_run(void *arg)
{
    struct scan_job *j = arg;
    j->rc = store_scan_volume(j->store, j->volume_index, &j->err);
    return NULL;
}

static void fail_at_start(struct block_store *s, size_t index, const char *what, const struct err *why)
{
    log_error("store", "volume '%s' cannot be %s and is taken out: %s", s->volumes[index]->dir, what, why->text);
    pthread_mutex_lock(&s->lock);
    fail_locked(s, index);
    pthread_mutex_unlock(&s->lock);
}

/* That it is of another cluster is nothing that disks do, nor is a shortage, which passes. */
static bool is_disks_fault(int code)
{
    return code != ERR_BAD_STATE && code != ERR_PROTOCOL && code != ERR_NO_SPACE && code != ERR_NO_MEMORY;
}

/* One that has no pool has failed, with *ret_why. */
static int open_pools(struct block_store *s, const struct pool_identity *pool, bool ret_opened[VOLUMES_MAX],
                      struct err *ret_why, struct err *reterr)
{
    for (size_t i = 0; i < s->volume_count; i++) {
        struct err why;
        int rc = volume_open_pool(s->volumes[i], pool, s->uuid, &why);
        ret_opened[i] = rc == 0;
        if (rc == 0)
            continue;
        if (!is_disks_fault(rc)) {
            *reterr = why;
            return rc;
        }
        fail_at_start(s, i, "used", &why);
        *ret_why = why;
    }
    return 0;
}

/* All volumes with a pool at once; one that cannot be read has failed, with *ret_why. */
static void scan_volumes(struct block_store *s, const bool opened[VOLUMES_MAX], struct err *ret_why)
{
    struct scan_job *jobs = mem_calloc(s->volume_count, sizeof *jobs);
    for (size_t i = 0; i < s->volume_count; i++) {
        jobs[i] = (struct scan_job){.store = s, .volume_index = i};
        if (!opened[i])
            continue;
        jobs[i].threaded = s->volume_count > 1 && pthread_create(&jobs[i].thread, NULL, scan_run, &jobs[i]) == 0;
        if (!jobs[i].threaded)
            scan_run(&jobs[i]);
    }
    for (size_t i = 0; i < s->volume_count; i++) {
        if (jobs[i].threaded)
            pthread_join(jobs[i].thread, NULL);
        if (jobs[i].rc == 0)
            continue;
        *ret_why = jobs[i].err;
        fail_at_start(s, i, "scanned", ret_why);
    }
    mem_freep(&jobs);
    store_remove_losers(s);
}

int block_store_open_pool(struct block_store *s, const struct pool_identity *pool, struct err *reterr)
{
    if (atomic_load(&s->pool_open)) {
        if (strcmp(pool->pool_id, s->pool.pool_id) != 0 || pool->namespace_id != s->pool.namespace_id ||
            strcmp(pool->cluster_id, s->pool.cluster_id) != 0)
            return err_set(reterr, ERR_BAD_STATE,
                           "the namenode now has block pool %s of cluster %s; this datanode keeps %s of %s",
                           pool->pool_id, pool->cluster_id, s->pool.pool_id, s->pool.cluster_id);
        return 0;
    }
    int64_t began = clock_mono_ms();
    bool opened[VOLUMES_MAX];
    struct err why = {0};
    int rc = open_pools(s, pool, opened, &why, reterr);
    if (rc < 0)
        return rc;
    s->pool = *pool;
    rc = s->deleter_started ? 0 : store_start_deleter(s, reterr);
    if (rc < 0)
        return rc;
    scan_volumes(s, opened, &why);
    if (why.code && too_many_failed(s))
        return err_set(reterr, ERR_BAD_STATE,
                       "more volumes failed than dfs.datanode.failed.volumes.tolerated (%d) allows: %s",
                       s->failed_volumes_tolerated, why.text);
    atomic_store(&s->pool_open, true);
    log_info("store", "pool=%s blocks=%zu volumes=%zu took_ms=%" PRId64, pool->pool_id, block_store_count(s),
             s->volume_count, clock_mono_ms() - began);
    return 0;
}

void block_store_close(struct block_store *s)
{
    if (!s)
        return;
    if (s->deleter_started) {
        pthread_mutex_lock(&s->lock);
        s->stopping = true;
        pthread_cond_broadcast(&s->deletions_changed);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->deleter, NULL);
    }
    replica_map_free(&s->map);
    for (size_t i = 0; i < s->volume_count; i++) {
        spare_files_free(&s->spares[i]);
        small_log_close(s->small[i]);
        volume_free(s->volumes[i]);
    }
    pthread_cond_destroy(&s->changed);
    pthread_cond_destroy(&s->deletions_changed);
    pthread_mutex_destroy(&s->lock);
    pthread_mutex_destroy(&s->links_lock);
    mem_freep(&s);
}

void block_store_on_change(struct block_store *s, void (*fn)(void *context, uint64_t block_id), void *context)
{
    s->on_change = fn;
    s->on_change_context = context;
}

void store_tell_change(const struct block_store *s, uint64_t block_id)
{
    if (s->on_change)
        s->on_change(s->on_change_context, block_id);
}

const char *block_store_uuid(const struct block_store *s)
{
    return s->uuid;
}

const char *block_store_pool_id(const struct block_store *s)
{
    return atomic_load(&s->pool_open) ? s->pool.pool_id : "";
}

/* ---- looking ---- */

size_t block_store_count(struct block_store *s)
{
    pthread_mutex_lock(&s->lock);
    size_t count = s->map.count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

void store_fill_view(const struct block_store *s, const struct replica *r, struct replica_view *ret)
{
    const struct volume *v = s->volumes[r->volume];
    *ret = (struct replica_view){
        .block_id = r->block_id,
        .gen_stamp = r->gen_stamp,
        .disk_bytes = r->disk_bytes,
        .visible_bytes = replica_visible_bytes(r),
        .xxh3 = r->state == REPLICA_FINALIZED ? r->xxh3 : 0,
        .state = r->state,
        .original_state = r->state == REPLICA_RUR ? r->work->original_state : (enum replica_state)r->state,
        .storage_id = v->storage_id,
        .storage_type = v->storage_type,
    };
}

int block_store_view(struct block_store *s, uint64_t block_id, struct replica_view *ret, struct err *reterr)
{
    pthread_mutex_lock(&s->lock);
    const struct replica *r = replica_map_get(&s->map, block_id);
    if (r)
        store_fill_view(s, r, ret);
    pthread_mutex_unlock(&s->lock);
    return r ? 0 : err_set(reterr, ERR_REPLICA_NOT_FOUND, "Replica not found for block %" PRId64, (int64_t)block_id);
}

size_t block_store_storages(struct block_store *s, struct storage_view *out, size_t max)
{
    size_t count = s->volume_count < max ? s->volume_count : max;
    for (size_t i = 0; i < count; i++) {
        const struct volume *v = s->volumes[i];
        out[i] = (struct storage_view){.storage_id = v->storage_id,
                                       .dir = v->dir,
                                       .storage_type = v->storage_type,
                                       .failed = !volume_ok(v),
                                       .failed_at_ms = v->failed_at_ms,
                                       .replica_count = atomic_load(&v->replica_count),
                                       .promised_bytes = atomic_load(&v->promised_bytes),
                                       .reserved_bytes = v->reserved_bytes};
        if (!out[i].failed && volume_space(v, &out[i].space, NULL) < 0)
            out[i].space = (struct volume_space){0}; /* the next probe decides whether it failed */
    }
    return count;
}

void block_store_each(struct block_store *s, size_t storage_index,
                      void (*fn)(const struct replica_view *view, void *arg), void *arg)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->map.bucket_count; i++)
        for (const struct replica *r = s->map.buckets[i]; r; r = r->next)
            if (r->volume == storage_index && r->state != REPLICA_TEMPORARY) {
                struct replica_view view;
                store_fill_view(s, r, &view);
                fn(&view, arg);
            }
    pthread_mutex_unlock(&s->lock);
}

/* ---- claims ---- */

static struct timespec deadline_after_ms(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

void store_ask_owner_to_stop_locked(struct replica_work *w)
{
    w->stop_asked = true;
    for (size_t i = 0; i < ARRAY_COUNT(w->owner_fds); i++)
        if (w->owner_fds[i] >= 0)
            shutdown(w->owner_fds[i], SHUT_RDWR);
}

int store_claim_locked(struct block_store *s, uint64_t block_id, bool stop_owner, struct replica **ret,
                       struct err *reterr)
{
    struct timespec deadline = deadline_after_ms(STOP_OWNER_MS);
    for (;;) {
        struct replica *r = replica_map_get(&s->map, block_id);
        if (!r)
            return err_set(reterr, ERR_REPLICA_NOT_FOUND, "Replica not found for block %" PRId64, (int64_t)block_id);
        struct replica_work *w = replica_work_get(r);
        if (!w->claimed) {
            w->claimed = true;
            w->stop_asked = false;
            *ret = r;
            return 0;
        }
        if (!stop_owner)
            return err_set(reterr, ERR_BUSY, "block %" PRId64 "_%" PRIu64 " (%s) is being changed by somebody else",
                           (int64_t)block_id, r->gen_stamp, replica_state_name(r->state));
        store_ask_owner_to_stop_locked(w);
        s->waiters++;
        int rc = pthread_cond_timedwait(&s->changed, &s->lock, &deadline);
        s->waiters--;
        if (rc == ETIMEDOUT)
            return err_set(reterr, ERR_TIMEOUT, "block %" PRId64 ": its writer did not stop within %d s",
                           (int64_t)block_id, STOP_OWNER_MS / 1000);
    }
}

void store_release_locked(struct block_store *s, struct replica *r)
{
    assert(r->work && r->work->claimed);
    r->work->claimed = false;
    r->work->owner_fds[0] = r->work->owner_fds[1] = -1;
    pthread_cond_broadcast(&s->changed);
    if (!volume_ok(s->volumes[r->volume]))
        store_forget_locked(s, r);
    else if (r->state == REPLICA_FINALIZED)
        replica_work_drop(r);
}

void store_set_length_locked(struct block_store *s, struct replica *r, uint64_t disk_bytes)
{
    atomic_fetch_add(&s->volumes[r->volume]->used_bytes,
                     replica_footprint(disk_bytes) - replica_footprint(r->disk_bytes));
    r->disk_bytes = disk_bytes;
}

void store_promise_locked(struct block_store *s, struct replica *r, uint64_t bytes)
{
    if (!r->work && !bytes)
        return;
    struct replica_work *w = replica_work_get(r);
    atomic_fetch_add(&s->volumes[r->volume]->promised_bytes, (int64_t)bytes - (int64_t)w->reserved_bytes);
    w->reserved_bytes = bytes;
}

/* ---- failed volumes ---- */

bool block_store_check_storage(struct block_store *s, size_t storage_index, bool *ret_fatal)
{
    struct volume *v = s->volumes[storage_index];
    struct err why;
    *ret_fatal = false;
    if (!volume_ok(v) || volume_probe(v, &why) == 0)
        return false;
    pthread_mutex_lock(&s->lock);
    bool first = volume_ok(v);
    if (first) {
        fail_locked(s, storage_index);
        *ret_fatal = too_many_failed(s);
    }
    pthread_mutex_unlock(&s->lock);
    if (first)
        log_error("store", "volume '%s' failed and is taken out: %s", v->dir, why.text);
    return first;
}

bool block_store_check_storages(struct block_store *s, bool *ret_fatal)
{
    bool any = false;
    *ret_fatal = false;
    for (size_t i = 0; i < s->volume_count; i++) {
        bool fatal;
        any |= block_store_check_storage(s, i, &fatal);
        *ret_fatal |= fatal;
    }
    return any;
}

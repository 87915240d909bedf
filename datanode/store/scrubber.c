#include "datanode/store/scrubber.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/store_impl.h"

#define PIECE_BYTES  (128u << 10)
#define SUSPECTS_MAX 64
#define STEP_MS      200 /* how soon a stop or a suspect is noticed */

struct scrubber {
    struct scrubber_options options;
    pthread_t thread;
    _Atomic bool stopping;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    uint64_t suspects[SUSPECTS_MAX]; /* guarded by lock */
    size_t suspect_count;
};

/* ---- one replica ---- */

struct verification {
    const struct replica_reader *reader;
    struct xxh3 *digest;
    uint8_t *data, *checksums;
    int64_t bytes_per_second, began_ms;
    const _Atomic bool *stopping;
};

static int verify_piece(struct verification *v, uint64_t at, size_t len, struct err *reterr)
{
    const struct replica_reader *r = v->reader;
    uint32_t bpc = r->meta.bytes_per_checksum;
    int rc = replica_read_data(r, v->data, len, at, reterr);
    if (rc == 0 && r->meta.type != CHECKSUM_NULL) {
        rc = replica_read_meta(r, v->checksums, meta_chunk_count(&r->meta, len) * 4, meta_offset(&r->meta, at / bpc),
                               reterr);
        long bad = rc == 0 ? checksum_verify_chunks(r->meta.type, v->data, len, bpc, v->checksums) : -1;
        if (bad >= 0)
            return err_set(reterr, ERR_CHECKSUM, "the chunk at %" PRIu64 " does not have its checksum",
                           at + (uint64_t)bad * bpc);
    }
    if (rc == 0)
        xxh3_update(v->digest, v->data, len);
    return rc;
}

static void keep_rate(const struct verification *v, uint64_t bytes_so_far)
{
    if (v->bytes_per_second <= 0)
        return;
    int64_t due_ms = v->began_ms + (int64_t)bytes_so_far * 1000 / v->bytes_per_second, now_ms;
    while ((now_ms = clock_mono_ms()) < due_ms && !atomic_load(v->stopping))
        clock_sleep_ms(due_ms - now_ms < STEP_MS ? due_ms - now_ms : STEP_MS);
}

static bool read_trailer(const struct replica_reader *r, uint64_t *ret_xxh3)
{
    uint8_t trailer[META_TRAILER_BYTES];
    return replica_read_meta(r, trailer, sizeof trailer, meta_bytes(&r->meta, r->end_bytes), NULL) == 0 &&
           meta_trailer_decode(trailer, r->end_bytes, ret_xxh3);
}

static int verify_all(struct verification *v, struct err *reterr)
{
    const struct replica_reader *r = v->reader;
    uint32_t bpc = r->meta.bytes_per_checksum;
    uint64_t piece = bpc < PIECE_BYTES ? PIECE_BYTES / bpc * bpc : bpc, stored;
    v->data = mem_alloc((size_t)piece);
    v->checksums = mem_alloc((size_t)(piece / bpc) * 4);
    v->digest = xxh3_new();
    int rc = 0;
    for (uint64_t at = 0; at < r->end_bytes && rc == 0 && !atomic_load(v->stopping); at += piece) {
        uint64_t len = r->end_bytes - at < piece ? r->end_bytes - at : piece;
        rc = verify_piece(v, at, (size_t)len, reterr);
        keep_rate(v, at + len);
    }
    if (rc == 0 && !atomic_load(v->stopping) && read_trailer(r, &stored) && stored != xxh3_value(v->digest))
        rc = err_set(reterr, ERR_CHECKSUM, "its XXH3 is %016" PRIx64 ", recorded is %016" PRIx64, xxh3_value(v->digest),
                     stored);
    xxh3_free(v->digest);
    mem_freep(&v->data);
    mem_freep(&v->checksums);
    return rc;
}

int replica_verify(struct block_store *s, uint64_t block_id, int64_t bytes_per_second, const _Atomic bool *stopping,
                   size_t *ret_storage, struct err *reterr)
{
    struct replica_reader r;
    struct replica_view before, after;
    *ret_storage = 0;
    int rc = block_store_view(s, block_id, &before, reterr);
    if (rc < 0 || before.state != REPLICA_FINALIZED)
        return rc;
    while (*ret_storage + 1 < s->volume_count && s->volumes[*ret_storage]->storage_id != before.storage_id)
        ++*ret_storage;
    rc = block_store_open_reader(s, block_id, before.gen_stamp, 0, &r, reterr);
    if (rc == 0) {
        struct verification v = {
            .reader = &r, .bytes_per_second = bytes_per_second, .began_ms = clock_mono_ms(), .stopping = stopping};
        rc = verify_all(&v, reterr);
        replica_reader_close(&r);
    }
    /* An append that began meanwhile changes the last chunk under our eyes: that is not rot. */
    if (rc < 0 && (block_store_view(s, block_id, &after, NULL) < 0 || after.state != REPLICA_FINALIZED ||
                   after.gen_stamp != before.gen_stamp || after.disk_bytes != before.disk_bytes))
        rc = 0;
    return rc;
}

/* ---- rounds ---- */

void replica_look_at(const struct scrubber_options *o, uint64_t block_id, const _Atomic bool *stopping)
{
    struct replica_view view;
    struct err why;
    size_t storage = 0;
    int rc = replica_verify(o->store, block_id, o->bytes_per_second, stopping, &storage, &why);
    if (rc == ERR_REPLICA_NOT_FOUND || rc == ERR_NO_MEMORY || atomic_load(stopping))
        return; /* it could not be looked at, which says nothing about it */
    if (rc == 0)
        o->on_good(o->context);
    else if (block_store_view(o->store, block_id, &view, NULL) == 0)
        o->on_bad(o->context, &view, storage, rc != ERR_CHECKSUM, why.text);
}

static void look_at(struct scrubber *s, uint64_t block_id)
{
    replica_look_at(&s->options, block_id, &s->stopping);
}

static bool next_suspect(struct scrubber *s, uint64_t *ret)
{
    pthread_mutex_lock(&s->lock);
    bool any = s->suspect_count > 0;
    if (any)
        *ret = s->suspects[--s->suspect_count];
    pthread_mutex_unlock(&s->lock);
    return any;
}

static void look_at_suspects(struct scrubber *s)
{
    uint64_t block_id;
    while (!atomic_load(&s->stopping) && next_suspect(s, &block_id))
        look_at(s, block_id);
}

struct ids {
    uint64_t *items;
    size_t count, capacity;
};

static void add_id(const struct replica_view *view, void *arg)
{
    struct ids *ids = arg;
    if (view->state != REPLICA_FINALIZED)
        return;
    if (ids->count == ids->capacity) {
        ids->capacity = ids->capacity ? ids->capacity * 2 : 1024;
        ids->items = mem_realloc_array(ids->items, ids->capacity, sizeof *ids->items);
    }
    ids->items[ids->count++] = view->block_id;
}

/* Begins anywhere: a daemon that is restarted often shall not look at the same replicas for ever. */
static void one_round(struct scrubber *s)
{
    struct storage_view storages[VOLUMES_MAX];
    size_t count = block_store_storages(s->options.store, storages, VOLUMES_MAX);
    for (size_t i = 0; i < count && !atomic_load(&s->stopping); i++) {
        struct ids ids = {0};
        block_store_each(s->options.store, i, add_id, &ids);
        size_t first = ids.count ? (size_t)random() % ids.count : 0;
        for (size_t j = 0; j < ids.count && !atomic_load(&s->stopping); j++) {
            look_at_suspects(s);
            look_at(s, ids.items[(first + j) % ids.count]);
        }
        mem_freep(&ids.items);
    }
}

static void wait_until(struct scrubber *s, int64_t due_ms)
{
    while (!atomic_load(&s->stopping) && clock_mono_ms() < due_ms) {
        struct timespec t;
        int64_t left_ms = due_ms - clock_mono_ms();
        clock_gettime(CLOCK_MONOTONIC, &t);
        t.tv_sec += left_ms < 60000 ? left_ms / 1000 + 1 : 60;
        pthread_mutex_lock(&s->lock);
        if (!s->suspect_count && !atomic_load(&s->stopping))
            pthread_cond_timedwait(&s->wake, &s->lock, &t);
        pthread_mutex_unlock(&s->lock);
        look_at_suspects(s);
    }
}

static void *scrubber_run(void *arg)
{
    struct scrubber *s = arg;
    while (!atomic_load(&s->stopping)) {
        int64_t began_ms = clock_mono_ms();
        if (!*block_store_pool_id(s->options.store)) {
            wait_until(s, began_ms + 1000); /* nothing is known yet */
            continue;
        }
        one_round(s);
        wait_until(s, began_ms + s->options.period_ms);
    }
    return NULL;
}

int scrubber_start(const struct scrubber_options *options, struct scrubber **ret, struct err *reterr)
{
    struct scrubber *s = mem_new(struct scrubber);
    s->options = *options;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &attr);
    pthread_condattr_destroy(&attr);
    int failed = pthread_create(&s->thread, NULL, scrubber_run, s);
    if (failed) {
        mem_freep(&s);
        return err_errno(reterr, failed, "cannot start the scrubber's thread");
    }
    *ret = s;
    return 0;
}

void scrubber_stop(struct scrubber *s)
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

void scrubber_suspect(struct scrubber *s, uint64_t block_id)
{
    pthread_mutex_lock(&s->lock);
    if (s->suspect_count < SUSPECTS_MAX)
        s->suspects[s->suspect_count++] = block_id;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

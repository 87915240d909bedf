/* Disk and memory, held against each other: somebody restored or removed files, or a disk lost some. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"
#include "datanode/store/folder_list.h"
#include "datanode/store/store_impl.h"

struct compare {
    struct block_store *store;
    size_t index;
    struct volume *volume;
    const _Atomic bool *stopping;
    void (*fn)(void *context, const struct store_difference *d);
    void *context;
};

static void tell(const struct compare *c, int kind, const struct replica_view *view)
{
    struct store_difference d = {.replica = *view, .storage_index = c->index};
    d.kind = kind;
    c->fn(c->context, &d);
}

/* ---- what is on the disk ---- */

static bool is_there(const struct volume *v, uint64_t block_id)
{
    char path[PATH_MAX];
    volume_data_path(v, PLACE_FINALIZED, block_id, path);
    return access(path, F_OK) == 0 || errno != ENOENT;
}

/* A replica that is being made or removed is in the map for as long as it has files, so one that is not is nobody's. */
static void take_in(const struct compare *c, const struct found *data, uint64_t gen_stamp)
{
    struct block_store *s = c->store;
    struct replica *r = mem_new(struct replica);
    *r = (struct replica){.block_id = data->block_id,
                          .gen_stamp = gen_stamp,
                          .disk_bytes = data->bytes,
                          .volume = (uint16_t)c->index,
                          .state = REPLICA_FINALIZED};
    struct replica_view view;
    pthread_mutex_lock(&s->lock);
    bool added = !replica_map_get(&s->map, data->block_id) && is_there(c->volume, data->block_id);
    if (added) {
        replica_map_put(&s->map, r);
        atomic_fetch_add(&c->volume->used_bytes, replica_footprint(r->disk_bytes));
        atomic_fetch_add(&c->volume->replica_count, 1);
        store_note_shared(c->volume, data->bytes, data->names);
        store_fill_view(s, r, &view);
    }
    pthread_mutex_unlock(&s->lock);
    if (added)
        tell(c, DIFFERENCE_ADDED, &view);
    else
        replica_free(r);
}

/* meta: NULL if there is none beside the data. */
static void compare_one(const struct compare *c, const struct found *data, const struct found *meta)
{
    struct block_store *s = c->store;
    struct replica_view view;
    pthread_mutex_lock(&s->lock);
    const struct replica *r = replica_map_get(&s->map, data->block_id);
    bool settled = r && r->state == REPLICA_FINALIZED && r->volume == c->index && !(r->work && r->work->claimed);
    bool differs = settled && (!meta || r->disk_bytes != data->bytes || r->gen_stamp != meta->gen_stamp);
    if (differs)
        store_fill_view(s, r, &view);
    bool unknown = !r;
    pthread_mutex_unlock(&s->lock);
    if (unknown && meta)
        take_in(c, data, meta->gen_stamp);
    else if (differs)
        tell(c, DIFFERENCE_SUSPECT, &view);
}

static void compare_folder(const struct compare *c, const struct folder_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct found *f = &list->items[i];
        size_t newest = i;
        while (newest + 1 < list->count && list->items[newest + 1].block_id == f->block_id)
            newest++;
        if (!f->is_meta)
            compare_one(c, f, newest > i ? &list->items[newest] : NULL);
        i = newest;
    }
}

static int compare_files(const struct compare *c, struct err *reterr)
{
    struct folder_list list = {0};
    char dir[PATH_MAX];
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < 32 * 32 && !atomic_load(c->stopping); i++) {
        volume_place_dir(c->volume, PLACE_FINALIZED, (i / 32) << 16 | (i % 32) << 8, dir);
        if (access(dir, F_OK) < 0 && errno == ENOENT)
            continue;
        rc = folder_list_read(dir, &list, reterr);
        if (rc == 0)
            compare_folder(c, &list);
    }
    folder_list_free(&list);
    return rc;
}

/* ---- what is in memory ---- */

struct keys {
    struct key {
        uint64_t block_id;
        uint32_t small_segment; /* that it is in, if it has no files */
    } * items;
    size_t count, capacity;
};

static bool key_is_there(const struct compare *c, const struct key *k)
{
    return k->small_segment ? small_log_has_segment(c->store->small[c->index], k->small_segment)
                            : is_there(c->volume, k->block_id);
}

static void collect(const struct compare *c, struct keys *k)
{
    struct block_store *s = c->store;
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->map.bucket_count; i++)
        for (const struct replica *r = s->map.buckets[i]; r; r = r->next) {
            if (r->volume != c->index || r->state != REPLICA_FINALIZED)
                continue;
            if (k->count == k->capacity) {
                k->capacity = k->capacity ? k->capacity * 2 : 1024;
                k->items = mem_realloc_array(k->items, k->capacity, sizeof *k->items);
            }
            k->items[k->count++] = (struct key){r->block_id, (uint32_t)r->small_segment};
        }
    pthread_mutex_unlock(&s->lock);
}

static void forget(const struct compare *c, uint64_t block_id)
{
    struct block_store *s = c->store;
    struct replica *r;
    struct replica_view view;
    pthread_mutex_lock(&s->lock);
    int rc = store_claim_locked(s, block_id, false, &r, NULL);
    if (rc == 0) {
        struct key now = {block_id, (uint32_t)r->small_segment};
        store_fill_view(s, r, &view);
        if (r->state != REPLICA_FINALIZED || r->volume != c->index || key_is_there(c, &now)) {
            store_release_locked(s, r);
            rc = ERR_BUSY;
        }
    }
    pthread_mutex_unlock(&s->lock);
    if (rc < 0)
        return;
    store_remove_claimed(s, r);
    tell(c, DIFFERENCE_REMOVED, &view);
}

static void compare_memory(const struct compare *c)
{
    struct keys keys = {0};
    collect(c, &keys);
    for (size_t i = 0; i < keys.count && !atomic_load(c->stopping); i++)
        if (!key_is_there(c, &keys.items[i]))
            forget(c, keys.items[i].block_id);
    mem_freep(&keys.items);
}

int block_store_compare(struct block_store *s, size_t storage_index, const _Atomic bool *stopping,
                        void (*fn)(void *context, const struct store_difference *d), void *context, struct err *reterr)
{
    struct compare c = {s, storage_index, s->volumes[storage_index], stopping, fn, context};
    if (!volume_ok(c.volume))
        return 0;
    int rc = volume_probe(c.volume, reterr); /* of a disk that is not there everything would be gone */
    if (rc == 0)
        rc = compare_files(&c, reterr);
    if (rc == 0)
        compare_memory(&c);
    return rc;
}

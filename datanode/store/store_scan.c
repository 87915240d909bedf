/* Start-up: finds a volume's replicas by the names of their files. Block bytes are read only at the ends of replicas
 * that were being written when the last daemon ended.
 *
 * A crash can leave a replica's two files in different places, since they are renamed one after the other, the meta
 * file first: meta in finalized/ and data in rbw/ means that it was being finalized (and was complete: then it is);
 * meta in rbw/ and data in finalized/, that somebody began to append (then it waits for recovery). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/net.h"
#include "datanode/store/folder_list.h"
#include "datanode/store/store_impl.h"

struct scan {
    struct block_store *store;
    size_t volume_index;
    struct volume *volume;
    struct folder_list rbw, folder;
};

static void remove_files(const struct volume *v, enum replica_place place, uint64_t block_id, uint64_t gen_stamp)
{
    char path[PATH_MAX];
    volume_data_path(v, place, block_id, path);
    (void)unlink(path);
    volume_meta_path(v, place, block_id, gen_stamp, path);
    (void)unlink(path);
}

static void account(struct block_store *s, const struct replica *r, int sign)
{
    struct volume *v = s->volumes[r->volume];
    atomic_fetch_add(&v->used_bytes, sign * replica_footprint(r->disk_bytes));
    atomic_fetch_add(&v->replica_count, sign);
}

static void remove_loser(struct block_store *s, const struct replica *r)
{
    if (!r->small_segment) {
        remove_files(s->volumes[r->volume], replica_place_of(r), r->block_id, r->gen_stamp);
        return;
    }
    pthread_mutex_lock(&s->lock); /* its log may still be being read */
    s->losers = mem_realloc_array(s->losers, s->loser_count + 1, sizeof *s->losers);
    s->losers[s->loser_count++] = (struct small_loser){r->volume, r->block_id, store_small_place(r)};
    pthread_mutex_unlock(&s->lock);
}

void store_remove_losers(struct block_store *s)
{
    for (size_t i = 0; i < s->loser_count; i++)
        store_small_remove(s, s->losers[i].volume, s->losers[i].block_id, s->losers[i].at);
    mem_freep(&s->losers);
    s->loser_count = 0;
}

/* Of a block that is there twice, on two volumes, say, the newer, then the longer replica is kept. true: it is that
 * one, and was not found before. */
static bool add_replica(struct scan *sc, struct replica *r)
{
    struct block_store *s = sc->store;
    pthread_mutex_lock(&s->lock);
    struct replica *there = replica_map_get(&s->map, r->block_id), *loser = NULL;
    bool again = there && there->volume == r->volume && replica_place_of(there) == replica_place_of(r) &&
                 there->gen_stamp == r->gen_stamp && !there->small_segment &&
                 !r->small_segment; /* the same files: an earlier attempt to open the pool found them */
    if (again) {
        pthread_mutex_unlock(&s->lock);
        replica_free(r);
        return false;
    }
    if (there) {
        bool newer =
            r->gen_stamp != there->gen_stamp ? r->gen_stamp > there->gen_stamp : r->disk_bytes > there->disk_bytes;
        loser = newer ? there : r;
        if (newer) {
            account(s, there, -1);
            replica_map_remove(&s->map, there);
        }
    }
    if (loser != r) {
        replica_map_put(&s->map, r);
        account(s, r, 1);
    }
    pthread_mutex_unlock(&s->lock);
    if (loser) {
        log_warn("store", "block=%" PRId64 " is there twice; the one on '%s' is dropped", (int64_t)loser->block_id,
                 s->volumes[loser->volume]->dir);
        remove_loser(s, loser);
        replica_free(loser);
    }
    return loser != r;
}

static struct replica *replica_found(const struct scan *sc, const struct found *data, uint64_t gen_stamp,
                                     enum replica_state state)
{
    struct replica *r = mem_new(struct replica);
    r->block_id = data->block_id;
    r->gen_stamp = gen_stamp;
    r->disk_bytes = data->bytes;
    r->state = (uint8_t)state;
    r->volume = (uint16_t)sc->volume_index;
    return r;
}

/* What of it can be trusted; the rest is cut off. */
static int validate_rbw(const struct scan *sc, struct found *data, uint64_t gen_stamp, struct err *reterr)
{
    char path[PATH_MAX];
    AUTO(net_closep) int data_fd = -1;
    AUTO(net_closep) int meta_fd = -1;
    volume_meta_path(sc->volume, PLACE_RBW, data->block_id, gen_stamp, path);
    meta_fd = open(path, O_RDWR | O_CLOEXEC);
    volume_data_path(sc->volume, PLACE_RBW, data->block_id, path);
    data_fd = open(path, O_RDWR | O_CLOEXEC);
    if (meta_fd < 0 || data_fd < 0)
        return err_errno(reterr, errno, "cannot open '%s'", path);
    struct meta_header meta;
    struct stat st;
    uint64_t valid;
    uint32_t tail;
    if (fstat(meta_fd, &st) == 0 && st.st_size < META_HEADER_BYTES)
        return err_set(reterr, ERR_CHECKSUM, "the meta file of '%s' has not even been begun", path);
    int rc = meta_read_header(meta_fd, path, &meta, reterr);
    if (rc == 0)
        rc = meta_find_valid_length(data_fd, meta_fd, &meta, data->bytes, &valid, &tail, reterr);
    if (rc < 0)
        return rc;
    if (valid < data->bytes) {
        log_warn("store", "block=%" PRId64 " was torn: %" PRIu64 " of %" PRIu64 " bytes are good",
                 (int64_t)data->block_id, valid, data->bytes);
        rc = store_own_data(sc->store, sc->volume, data->block_id, path, reterr);
        if (rc < 0 || truncate(path, (off_t)valid) < 0)
            return rc < 0 ? rc : err_errno(reterr, errno, "truncate '%s'", path);
        data->bytes = valid;
    }
    if (ftruncate(meta_fd, meta_bytes(&meta, valid)) < 0)
        return err_errno(reterr, errno, "truncate the meta file of '%s'", path);
    return 0;
}

/* That it cannot be read now says nothing about it: the next start may do better. */
static void add_rwr(struct scan *sc, struct found *data, uint64_t gen_stamp)
{
    struct err why;
    int rc = validate_rbw(sc, data, gen_stamp, &why);
    bool is_bad = rc == ERR_CHECKSUM || rc == ERR_PROTOCOL || rc == ERR_ILLEGAL_ARGUMENT;
    if (rc < 0)
        log_warn("store", "block=%" PRId64 " is %s: %s", (int64_t)data->block_id, is_bad ? "dropped" : "left out",
                 why.text);
    if (is_bad)
        remove_files(sc->volume, PLACE_RBW, data->block_id, gen_stamp);
    if (rc < 0)
        return;
    add_replica(sc, replica_found(sc, data, gen_stamp, REPLICA_RWR));
}

static bool has_trailer(const struct scan *sc, enum replica_place place, uint64_t gen_stamp, const struct found *data,
                        uint64_t *ret_xxh3)
{
    char path[PATH_MAX];
    struct meta_header meta;
    volume_meta_path(sc->volume, place, data->block_id, gen_stamp, path);
    AUTO(net_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && meta_read_header(fd, path, &meta, NULL) == 0 &&
           meta_read_trailer(fd, &meta, data->bytes, ret_xxh3);
}

/* A finalized folder, when rbw has been listed. */
static void add_finalized(struct scan *sc)
{
    struct folder_list *list = &sc->folder;
    for (size_t i = 0; i < list->count; i++) {
        struct found *f = &list->items[i];
        if (f->is_meta)
            continue; /* belongs to data in rbw, see add_rbw, or to nothing */
        size_t newest = i;
        while (newest + 1 < list->count && list->items[newest + 1].block_id == f->block_id)
            newest++;
        if (newest > i && add_replica(sc, replica_found(sc, f, list->items[newest].gen_stamp, REPLICA_FINALIZED)))
            store_note_shared(sc->volume, f->bytes, f->names);
        i = newest;
    }
}

/* The meta file in finalized is not that of a whole replica: power failed, and its end is not on the disk. */
static bool undo_finalize(struct scan *sc, struct found *data, uint64_t gen_stamp)
{
    char from[PATH_MAX], to[PATH_MAX];
    volume_meta_path(sc->volume, PLACE_FINALIZED, data->block_id, gen_stamp, from);
    volume_meta_path(sc->volume, PLACE_RBW, data->block_id, gen_stamp, to);
    if (rename(from, to) < 0)
        return false;
    add_rwr(sc, data, gen_stamp);
    return true;
}

/* Data in rbw without its meta file: was it just being finalized? */
static void finish_finalize(struct scan *sc, struct found *data)
{
    char dir[PATH_MAX], from[PATH_MAX], to[PATH_MAX];
    struct folder_list list = {0};
    uint64_t xxh3;
    volume_place_dir(sc->volume, PLACE_FINALIZED, data->block_id, dir);
    const struct found *meta = folder_list_read(dir, &list, NULL) == 0 ? folder_list_meta(&list, data->block_id) : NULL;
    volume_data_path(sc->volume, PLACE_RBW, data->block_id, from);
    volume_data_path(sc->volume, PLACE_FINALIZED, data->block_id, to);
    bool is_finalizing = meta && access(to, F_OK) < 0;
    if (is_finalizing && has_trailer(sc, PLACE_FINALIZED, meta->gen_stamp, data, &xxh3) && rename(from, to) == 0)
        log_info("store", "block=%" PRId64 " finalized at last", (int64_t)data->block_id);
    else if (!is_finalizing || !undo_finalize(sc, data, meta->gen_stamp)) {
        log_warn("store", "block=%" PRId64 " in rbw has no meta file and is dropped", (int64_t)data->block_id);
        (void)unlink(from);
    }
    folder_list_free(&list);
}

/* A meta file in rbw without its data: was somebody beginning to append? */
static bool finish_append(struct scan *sc, const struct found *meta, struct found *ret_data)
{
    char from[PATH_MAX], to[PATH_MAX];
    struct stat st;
    volume_data_path(sc->volume, PLACE_FINALIZED, meta->block_id, from);
    volume_data_path(sc->volume, PLACE_RBW, meta->block_id, to);
    if (stat(from, &st) < 0 || rename(from, to) < 0)
        return false;
    *ret_data = (struct found){.block_id = meta->block_id, .bytes = (uint64_t)st.st_size};
    return true;
}

static void add_rbw(struct scan *sc)
{
    struct folder_list *list = &sc->rbw;
    for (size_t i = 0; i < list->count; i++) {
        struct found *f = &list->items[i], data;
        if (f->is_meta) { /* no data before it */
            if (finish_append(sc, f, &data))
                add_rwr(sc, &data, f->gen_stamp);
            else
                remove_files(sc->volume, PLACE_RBW, f->block_id, f->gen_stamp);
            continue;
        }
        size_t newest = i;
        while (newest + 1 < list->count && list->items[newest + 1].block_id == f->block_id)
            newest++;
        if (newest > i)
            add_rwr(sc, f, list->items[newest].gen_stamp);
        else
            finish_finalize(sc, f);
        i = newest;
    }
}

static int scan_folders(struct scan *sc, struct err *reterr)
{
    char dir[PATH_MAX];
    for (uint64_t i = 0; i < 32; i++) {
        volume_place_dir(sc->volume, PLACE_FINALIZED, i << 16, dir);
        *strrchr(dir, '/') = 0;
        if (access(dir, F_OK) < 0 && errno == ENOENT)
            continue;
        for (uint64_t j = 0; j < 32; j++) {
            volume_place_dir(sc->volume, PLACE_FINALIZED, i << 16 | j << 8, dir);
            if (access(dir, F_OK) < 0 && errno == ENOENT)
                continue;
            int rc = folder_list_read(dir, &sc->folder, reterr);
            if (rc < 0)
                return rc;
            add_finalized(sc);
        }
    }
    return 0;
}

static void add_small(void *context, const struct small_record *record, struct small_place at)
{
    struct scan *sc = context;
    struct replica *r = mem_new(struct replica);
    r->block_id = record->block_id;
    r->gen_stamp = record->gen_stamp;
    r->disk_bytes = record->data_bytes;
    r->xxh3 = record->state == SMALL_FINALIZED ? record->xxh3 : 0;
    r->state = record->state == SMALL_FINALIZED ? REPLICA_FINALIZED : REPLICA_RWR;
    r->volume = (uint16_t)sc->volume_index;
    store_set_small_place(r, at);
    add_replica(sc, r);
}

static int scan_small(struct scan *sc, struct err *reterr)
{
    char dir[PATH_MAX];
    struct small_log **log = &sc->store->small[sc->volume_index];
    if (*log)
        return 0; /* an earlier attempt to open the pool */
    snprintf(dir, sizeof dir, "%scurrent/small", sc->volume->pool);
    return small_log_open(dir, add_small, sc, log, reterr);
}

int store_scan_volume(struct block_store *s, size_t volume_index, struct err *reterr)
{
    struct scan sc = {.store = s, .volume_index = volume_index, .volume = s->volumes[volume_index]};
    char dir[PATH_MAX];
    volume_place_dir(sc.volume, PLACE_RBW, 0, dir);
    int rc = folder_list_read(dir, &sc.rbw, reterr);
    if (rc == 0) {
        add_rbw(&sc); /* first: it moves files into and out of the finalized folders */
        rc = scan_folders(&sc, reterr);
    }
    if (rc == 0)
        rc = scan_small(&sc, reterr);
    folder_list_free(&sc.rbw);
    folder_list_free(&sc.folder);
    return rc;
}

/* ---- digests of replicas that were here before ---- */

struct digest_wanted {
    uint64_t block_id, gen_stamp, bytes;
    char path[PATH_MAX];
};

static bool next_unknown_digest(struct block_store *s, size_t *bucket, struct digest_wanted *ret)
{
    pthread_mutex_lock(&s->lock);
    bool found = false;
    for (; !found && *bucket < s->map.bucket_count; *bucket += !found)
        for (const struct replica *r = s->map.buckets[*bucket]; r && !found; r = r->next)
            if (r->state == REPLICA_FINALIZED && !r->xxh3 && !r->small_segment) {
                *ret =
                    (struct digest_wanted){.block_id = r->block_id, .gen_stamp = r->gen_stamp, .bytes = r->disk_bytes};
                volume_meta_path(s->volumes[r->volume], PLACE_FINALIZED, r->block_id, r->gen_stamp, ret->path);
                found = true;
            }
    pthread_mutex_unlock(&s->lock);
    return found;
}

static bool read_digest(const struct digest_wanted *d, uint64_t *ret)
{
    struct meta_header meta;
    AUTO(net_closep) int fd = open(d->path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && meta_read_header(fd, d->path, &meta, NULL) == 0 && meta_read_trailer(fd, &meta, d->bytes, ret);
}

void block_store_load_digests(struct block_store *s, int64_t digest_ms)
{
    int64_t give_up_at = clock_mono_ms() + digest_ms;
    size_t bucket = 0;
    struct digest_wanted d;
    while (next_unknown_digest(s, &bucket, &d)) {
        uint64_t xxh3 = 0;
        if (!read_digest(&d, &xxh3)) { /* an old or a foreign replica: the scrubber gives it one */
            bucket++;
            continue;
        }
        pthread_mutex_lock(&s->lock);
        struct replica *r = replica_map_get(&s->map, d.block_id);
        if (r && r->state == REPLICA_FINALIZED && r->gen_stamp == d.gen_stamp && r->disk_bytes == d.bytes)
            r->xxh3 = xxh3;
        pthread_mutex_unlock(&s->lock);
        if (clock_mono_ms() > give_up_at)
            return;
    }
}

#include "scheduler/master/job_store.h"

#include <inttypes.h>
#include <leveldb/c.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/mem.h"
#include "proto/message.h"
#include "scheduler/ids.h"

#define RECORD_ARENA_BYTES (256u << 20)
#define KEY_MAX            64
#define WRITE_BUFFER_BYTES (1u << 20)
#define BLOCK_CACHE_BYTES  (1u << 20)

struct job_store {
    leveldb_t *db;
    leveldb_options_t *options;
    leveldb_cache_t *cache;
    leveldb_readoptions_t *read;
    leveldb_writeoptions_t *write;
    pthread_mutex_t lock; /* guards count and pruning */
    uint32_t count, finished_max;
};

/* Zero-filled numbers, so that byte order is the order of submission. */
static bool record_key(const char *job_id, char out[KEY_MAX])
{
    int64_t start;
    uint32_t number;
    if (!job_id_is_valid(job_id) || sscanf(job_id, "job_%" SCNd64 "_%" SCNu32, &start, &number) != 2)
        return false;
    snprintf(out, KEY_MAX, "job/%019" PRId64 "/%010" PRIu32, start, number);
    return true;
}

static int leveldb_failed(char *text, const char *what, struct err *reterr)
{
    int rc = err_set(reterr, ERR_IO, "%s: %s", what, text);
    leveldb_free(text);
    return rc;
}

int job_store_open(const char *dir, uint32_t finished_max, struct job_store **ret, struct err *reterr)
{
    int rc = file_mkdirs(dir, 0755, reterr);
    if (rc < 0)
        return rc;
    struct job_store *s = mem_new(struct job_store);
    s->finished_max = finished_max;
    pthread_mutex_init(&s->lock, NULL);
    s->options = leveldb_options_create();
    s->cache = leveldb_cache_create_lru(BLOCK_CACHE_BYTES);
    leveldb_options_set_create_if_missing(s->options, 1);
    leveldb_options_set_write_buffer_size(s->options, WRITE_BUFFER_BYTES);
    leveldb_options_set_cache(s->options, s->cache);
    leveldb_options_set_max_open_files(s->options, 64);
    s->read = leveldb_readoptions_create();
    s->write = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(s->write, 1);
    char *path = mem_printf("%s/jobs.db", dir), *failed = NULL;
    s->db = leveldb_open(s->options, path, &failed);
    free(path);
    if (failed) {
        job_store_close(s);
        return leveldb_failed(failed, dir, reterr);
    }
    leveldb_iterator_t *it = leveldb_create_iterator(s->db, s->read);
    for (leveldb_iter_seek_to_first(it); leveldb_iter_valid(it); leveldb_iter_next(it))
        s->count++;
    leveldb_iter_destroy(it);
    *ret = s;
    return 0;
}

void job_store_close(struct job_store *s)
{
    if (!s)
        return;
    if (s->db)
        leveldb_close(s->db);
    leveldb_options_destroy(s->options);
    leveldb_readoptions_destroy(s->read);
    leveldb_writeoptions_destroy(s->write);
    leveldb_cache_destroy(s->cache);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static void prune_locked(struct job_store *s)
{
    leveldb_iterator_t *it = leveldb_create_iterator(s->db, s->read);
    for (leveldb_iter_seek_to_first(it); s->count > s->finished_max && leveldb_iter_valid(it); leveldb_iter_next(it)) {
        size_t len;
        const char *key = leveldb_iter_key(it, &len);
        char *failed = NULL;
        leveldb_delete(s->db, s->write, key, len, &failed);
        leveldb_free(failed); /* one record too many is no harm; the next write tries again */
        s->count--;
    }
    leveldb_iter_destroy(it);
}

int job_store_put(struct job_store *s, const Cairn__JobRecordProto *record, struct err *reterr)
{
    char key[KEY_MAX], *failed = NULL;
    if (!record_key(record->status->jobid, key))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "'%s' is not a job id", record->status->jobid);
    struct buf bytes = {0};
    message_pack(&bytes, &record->base);
    pthread_mutex_lock(&s->lock);
    size_t len = 0;
    char *before = leveldb_get(s->db, s->read, key, strlen(key), &len, &failed);
    if (!failed)
        leveldb_put(s->db, s->write, key, strlen(key), (const char *)bytes.base, bytes.len, &failed);
    if (!failed && !before)
        s->count++;
    if (s->count > s->finished_max)
        prune_locked(s);
    pthread_mutex_unlock(&s->lock);
    leveldb_free(before);
    buf_free(&bytes);
    return failed ? leveldb_failed(failed, "job store", reterr) : 0;
}

int job_store_get(struct job_store *s, const char *job_id, struct arena *a, Cairn__JobRecordProto **ret,
                  struct err *reterr)
{
    char key[KEY_MAX], *failed = NULL;
    size_t len = 0;
    char *bytes = record_key(job_id, key) ? leveldb_get(s->db, s->read, key, strlen(key), &len, &failed) : NULL;
    if (failed)
        return leveldb_failed(failed, "job store", reterr);
    if (!bytes)
        return err_set(reterr, ERR_NOT_FOUND, "job '%s' is not known here", job_id);
    ProtobufCMessage *m = NULL;
    int rc = message_unpack(&cairn__job_record_proto__descriptor, (struct slice){(const uint8_t *)bytes, len}, a, &m,
                            reterr);
    leveldb_free(bytes);
    if (rc == 0)
        *ret = (Cairn__JobRecordProto *)m;
    return rc < 0 ? err_prefix(reterr, rc, "record of %s", job_id) : 0;
}

int job_store_each(struct job_store *s, bool (*fn)(const Cairn__JobRecordProto *record, void *arg), void *arg,
                   struct err *reterr)
{
    leveldb_iterator_t *it = leveldb_create_iterator(s->db, s->read);
    struct arena a;
    arena_init(&a, RECORD_ARENA_BYTES);
    int rc = 0;
    bool more = true;
    for (leveldb_iter_seek_to_last(it); rc == 0 && more && leveldb_iter_valid(it); leveldb_iter_prev(it)) {
        size_t len;
        const char *value = leveldb_iter_value(it, &len);
        ProtobufCMessage *m = NULL;
        rc = message_unpack(&cairn__job_record_proto__descriptor, (struct slice){(const uint8_t *)value, len}, &a, &m,
                            reterr);
        if (rc == 0)
            more = fn((const Cairn__JobRecordProto *)m, arg);
        arena_reset(&a);
    }
    leveldb_iter_destroy(it);
    arena_free(&a);
    return rc;
}

#include "scheduler/master/job_store.h"

#include <errno.h>
#include <inttypes.h>
#include <leveldb/c.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
    leveldb_writeoptions_t *write, *write_soon; /* synced, and not */
    pthread_mutex_t lock;                       /* guards count and pruning */
    uint32_t count, finished_max;
};

#define JOBS  "job/"
#define LIVE  "live/"
#define NOTES "note/"

/* Zero-filled numbers, so that byte order is the order of submission. */
static bool key_below(const char *folder, const char *job_id, char out[KEY_MAX])
{
    int64_t start;
    uint32_t number;
    if (!job_id_is_valid(job_id) || sscanf(job_id, "job_%" SCNd64 "_%" SCNu32, &start, &number) != 2)
        return false;
    snprintf(out, KEY_MAX, "%s%019" PRId64 "/%010" PRIu32, folder, start, number);
    return true;
}

static bool record_key(const char *job_id, char out[KEY_MAX])
{
    return key_below(JOBS, job_id, out);
}

static bool begins(const char *key, size_t len, const char *prefix)
{
    return len >= strlen(prefix) && !memcmp(key, prefix, strlen(prefix));
}

static bool at_prefix(const leveldb_iterator_t *it, const char *prefix)
{
    size_t len = 0;
    const char *key = leveldb_iter_valid(it) ? leveldb_iter_key(it, &len) : NULL;
    return key && begins(key, len, prefix);
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
    s->write_soon = leveldb_writeoptions_create();
    char *path = mem_printf("%s/jobs.db", dir), *failed = NULL;
    rc = file_mkdirs(path, 0700, reterr);
    if (rc == 0 &&
        chmod(path, 0700) < 0) /* jobs may name passwords; and an older version has made it for all to read */
        rc = err_errno(reterr, errno, "folder '%s'", path);
    if (rc == 0)
        s->db = leveldb_open(s->options, path, &failed);
    free(path);
    if (rc < 0) {
        job_store_close(s);
        return rc;
    }
    if (failed) {
        job_store_close(s);
        return leveldb_failed(failed, dir, reterr);
    }
    leveldb_iterator_t *it = leveldb_create_iterator(s->db, s->read);
    for (leveldb_iter_seek(it, JOBS, strlen(JOBS)); at_prefix(it, JOBS); leveldb_iter_next(it))
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
    leveldb_writeoptions_destroy(s->write_soon);
    leveldb_cache_destroy(s->cache);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static bool is_live(struct job_store *s, const char *job_key, size_t len)
{
    char *failed = NULL, *key = mem_printf(LIVE "%.*s", (int)(len - strlen(JOBS)), job_key + strlen(JOBS));
    size_t bytes = 0;
    char *found = leveldb_get(s->db, s->read, key, strlen(key), &bytes, &failed);
    free(key);
    leveldb_free(failed);
    leveldb_free(found);
    return found != NULL;
}

static void prune_locked(struct job_store *s)
{
    leveldb_iterator_t *it = leveldb_create_iterator(s->db, s->read);
    for (leveldb_iter_seek(it, JOBS, strlen(JOBS)); s->count > s->finished_max && at_prefix(it, JOBS);
         leveldb_iter_next(it)) {
        size_t len;
        const char *key = leveldb_iter_key(it, &len);
        char *failed = NULL;
        if (is_live(s, key, len))
            continue;
        leveldb_delete(s->db, s->write, key, len, &failed);
        leveldb_free(failed); /* one record too many is no harm; the next write tries again */
        s->count--;
    }
    leveldb_iter_destroy(it);
}

static void batch_put(leveldb_writebatch_t *batch, const char *key, const ProtobufCMessage *message)
{
    struct buf bytes = {0};
    message_pack(&bytes, message);
    leveldb_writebatch_put(batch, key, strlen(key), (const char *)bytes.base, bytes.len);
    buf_free(&bytes);
}

static int put_record(struct job_store *s, const Cairn__JobRecordProto *record, const Cairn__LiveJobProto *live,
                      struct err *reterr)
{
    char key[KEY_MAX], live_key[KEY_MAX], *failed = NULL;
    if (!record_key(record->status->jobid, key) || !key_below(LIVE, record->status->jobid, live_key))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "'%s' is not a job id", record->status->jobid);
    leveldb_writebatch_t *batch = leveldb_writebatch_create();
    batch_put(batch, key, &record->base);
    if (live)
        batch_put(batch, live_key, &live->base);
    pthread_mutex_lock(&s->lock);
    size_t len = 0;
    char *before = leveldb_get(s->db, s->read, key, strlen(key), &len, &failed);
    bool there = before && live;
    if (!failed && !there)
        leveldb_write(s->db, s->write, batch, &failed);
    if (!failed && !before)
        s->count++;
    if (s->count > s->finished_max)
        prune_locked(s);
    pthread_mutex_unlock(&s->lock);
    leveldb_free(before);
    leveldb_writebatch_destroy(batch);
    if (!failed && there)
        return err_set(reterr, ERR_EXISTS, "%s was submitted already", record->status->jobid);
    return failed ? leveldb_failed(failed, "job store", reterr) : 0;
}

int job_store_put(struct job_store *s, const Cairn__JobRecordProto *record, struct err *reterr)
{
    return put_record(s, record, NULL, reterr);
}

int job_store_begin(struct job_store *s, const Cairn__JobRecordProto *record, const Cairn__LiveJobProto *live,
                    struct err *reterr)
{
    return put_record(s, record, live, reterr);
}

/* ---- what a job needs to go on ---- */

int job_store_put_live(struct job_store *s, const Cairn__LiveJobProto *live, struct err *reterr)
{
    char key[KEY_MAX], *failed = NULL;
    if (!key_below(LIVE, live->spec->jobid, key))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "'%s' is not a job id", live->spec->jobid);
    leveldb_writebatch_t *batch = leveldb_writebatch_create();
    batch_put(batch, key, &live->base);
    leveldb_write(s->db, s->write, batch, &failed);
    leveldb_writebatch_destroy(batch);
    return failed ? leveldb_failed(failed, "job store", reterr) : 0;
}

int job_store_put_attempts(struct job_store *s, const struct job_store_attempt *first, struct err *reterr)
{
    char key[KEY_MAX], *failed = NULL;
    leveldb_writebatch_t *batch = leveldb_writebatch_create();
    for (; first; first = first->next) {
        if (!key_below(LIVE, first->job_id, key))
            continue;
        char *full = mem_printf("%s/%s", key, first->attempt_id);
        leveldb_writebatch_put(batch, full, strlen(full), (const char *)first->bytes.base, first->bytes.len);
        free(full);
    }
    leveldb_write(s->db, s->write_soon, batch, &failed);
    leveldb_writebatch_destroy(batch);
    return failed ? leveldb_failed(failed, "job store", reterr) : 0;
}

int job_store_forget_live(struct job_store *s, const char *job_id, struct err *reterr)
{
    char key[KEY_MAX], *failed = NULL;
    if (!key_below(LIVE, job_id, key))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "'%s' is not a job id", job_id);
    leveldb_writebatch_t *batch = leveldb_writebatch_create();
    leveldb_iterator_t *it = leveldb_create_iterator(s->db, s->read);
    for (leveldb_iter_seek(it, key, strlen(key)); at_prefix(it, key); leveldb_iter_next(it)) {
        size_t len;
        const char *at = leveldb_iter_key(it, &len);
        leveldb_writebatch_delete(batch, at, len);
    }
    leveldb_iter_destroy(it);
    leveldb_write(s->db, s->write, batch, &failed);
    leveldb_writebatch_destroy(batch);
    return failed ? leveldb_failed(failed, "job store", reterr) : 0;
}

static int unpack(const leveldb_iterator_t *it, const ProtobufCMessageDescriptor *type, struct arena *a, void *ret,
                  struct err *reterr)
{
    size_t len;
    const char *value = leveldb_iter_value(it, &len);
    return message_unpack(type, (struct slice){(const uint8_t *)value, len}, a, ret, reterr);
}

static int add_attempt(const leveldb_iterator_t *it, struct job_store_live *job, struct arena *a, struct err *reterr)
{
    if (job->attempt_count == job->attempt_capacity) {
        job->attempt_capacity = job->attempt_capacity ? 2 * job->attempt_capacity : 64;
        job->attempts = mem_realloc_array(job->attempts, job->attempt_capacity, sizeof *job->attempts);
    }
    int rc = unpack(it, &cairn__attempt_record_proto__descriptor, a, &job->attempts[job->attempt_count], reterr);
    if (rc == 0)
        job->attempt_count++;
    return rc;
}

int job_store_each_live(struct job_store *s, struct arena *a, int (*fn)(const struct job_store_live *job, void *arg),
                        void *arg, struct err *reterr)
{
    leveldb_iterator_t *it = leveldb_create_iterator(s->db, s->read);
    struct job_store_live job = {0};
    char job_key[KEY_MAX] = "";
    int rc = 0;
    for (leveldb_iter_seek(it, LIVE, strlen(LIVE)); rc == 0 && at_prefix(it, LIVE); leveldb_iter_next(it)) {
        size_t len;
        const char *key = leveldb_iter_key(it, &len);
        if (memchr(key + strlen(LIVE), '/', len - strlen(LIVE)) !=
            memrchr(key + strlen(LIVE), '/', len - strlen(LIVE))) {
            if (job.live && begins(key, len, job_key))
                rc = add_attempt(it, &job, a, reterr);
            continue;
        }
        if (job.live)
            rc = fn(&job, arg);
        job.attempt_count = 0;
        job.live = NULL;
        snprintf(job_key, sizeof job_key, "%.*s/", (int)len, key);
        if (rc == 0)
            rc = unpack(it, &cairn__live_job_proto__descriptor, a, &job.live, reterr);
    }
    if (rc == 0 && job.live)
        rc = fn(&job, arg);
    free(job.attempts);
    leveldb_iter_destroy(it);
    return rc;
}

/* ---- notes ---- */

int job_store_put_note(struct job_store *s, const char *name, const void *bytes, size_t len, struct err *reterr)
{
    char *key = mem_printf(NOTES "%s", name), *failed = NULL;
    if (bytes)
        leveldb_put(s->db, s->write, key, strlen(key), bytes, len, &failed);
    else
        leveldb_delete(s->db, s->write, key, strlen(key), &failed);
    free(key);
    return failed ? leveldb_failed(failed, "job store", reterr) : 0;
}

int job_store_get_note(struct job_store *s, const char *name, struct buf *ret, bool *ret_found, struct err *reterr)
{
    char *key = mem_printf(NOTES "%s", name), *failed = NULL;
    size_t len = 0;
    char *value = leveldb_get(s->db, s->read, key, strlen(key), &len, &failed);
    free(key);
    buf_clear(ret);
    if (value)
        buf_append(ret, value, len);
    *ret_found = value != NULL;
    leveldb_free(value);
    return failed ? leveldb_failed(failed, "job store", reterr) : 0;
}

int job_store_each_note(struct job_store *s, const char *prefix,
                        void (*fn)(const char *name, struct slice bytes, void *arg), void *arg, struct err *reterr)
{
    (void)reterr;
    char *from = mem_printf(NOTES "%s", prefix);
    leveldb_iterator_t *it = leveldb_create_iterator(s->db, s->read);
    for (leveldb_iter_seek(it, from, strlen(from)); at_prefix(it, from); leveldb_iter_next(it)) {
        size_t key_len, len;
        const char *key = leveldb_iter_key(it, &key_len);
        const char *value = leveldb_iter_value(it, &len);
        char *name = mem_strndup(key + strlen(NOTES), key_len - strlen(NOTES));
        fn(name, (struct slice){(const uint8_t *)value, len}, arg);
        free(name);
    }
    leveldb_iter_destroy(it);
    free(from);
    return 0;
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
    leveldb_iter_seek(it, "job0", 4); /* behind the last: '0' comes after '/' */
    leveldb_iter_valid(it) ? leveldb_iter_prev(it) : leveldb_iter_seek_to_last(it);
    for (; rc == 0 && more && at_prefix(it, JOBS); leveldb_iter_prev(it)) {
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

#include "namenode/journal/store.h"

#include <leveldb/c.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "namenode/journal/store_cache.h"

/* Memory is a cache with a bound; these are most of the bound. */
#define BLOCK_CACHE_BYTES   (4u << 20)
#define VALUE_CACHE_BYTES   (6u << 20)
#define WRITE_BUFFER_BYTES  (6u << 20) /* up to two exist while one is being written out; see below */
#define TABLE_BYTES         (4u << 20)
#define OPEN_TABLES_MAX     256 /* each keeps its index and filter in memory */
#define FILTER_BITS_PER_KEY 10

/* A write buffer becomes a table that has a bit of every kind of key. After a hundred lookups that had to pass it,
 * which names about to be made are enough for, LevelDB merges it with all it overlaps ("seek compaction", which it
 * cannot be told to leave), up to 100 MiB of level 2. So what a change costs in a large namespace falls with the
 * buffer's size. Iterators are not counted so, but have to walk over what was deleted behind the name: under the
 * namenode's lock that is no way out. */

struct store {
    leveldb_t *db;
    pthread_mutex_t log_lock; /* held by whoever writes to a log */
    leveldb_options_t *options;
    leveldb_cache_t *cache;
    leveldb_filterpolicy_t *filter;
    leveldb_readoptions_t *read_cached;
    leveldb_writeoptions_t *write_unsynced;
    struct store_cache *values; /* iterators and snapshots go past it */
    const char *soon_read;      /* first bytes of keys */
    char *folder;
};
struct store_iter {
    leveldb_iterator_t *it;
    leveldb_readoptions_t *options;
};

static int fail(const struct store *s, char *leveldb_error, const char *doing, struct err *reterr)
{
    int code = strstr(leveldb_error, "lock") ? ERR_BUSY : ERR_IO;
    err_set(reterr, code, "%s: %s: %s", s->folder, doing, leveldb_error);
    leveldb_free(leveldb_error);
    return code;
}

int store_open(const char *folder, struct store **ret, struct err *reterr)
{
    struct store *s = mem_new(struct store);
    s->folder = mem_strdup(folder);
    s->soon_read = "";
    pthread_mutex_init(&s->log_lock, NULL);
    s->cache = leveldb_cache_create_lru(BLOCK_CACHE_BYTES);
    s->filter = leveldb_filterpolicy_create_bloom(FILTER_BITS_PER_KEY);
    s->options = leveldb_options_create();
    leveldb_options_set_create_if_missing(s->options, 1);
    leveldb_options_set_cache(s->options, s->cache);
    leveldb_options_set_filter_policy(s->options, s->filter);
    leveldb_options_set_write_buffer_size(s->options, WRITE_BUFFER_BYTES);
    leveldb_options_set_max_open_files(s->options, OPEN_TABLES_MAX);
    leveldb_options_set_max_file_size(s->options, TABLE_BYTES);
    s->read_cached = leveldb_readoptions_create();
    s->write_unsynced = leveldb_writeoptions_create();
    leveldb_writeoptions_set_sync(s->write_unsynced, 0); /* see journal.h */
    s->values = store_cache_new(VALUE_CACHE_BYTES);
    char *error = NULL;
    s->db = leveldb_open(s->options, folder, &error);
    if (error) {
        int code = fail(s, error, "cannot open the metadata store", reterr);
        store_close(s);
        return code;
    }
    *ret = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->db)
        leveldb_close(s->db);
    leveldb_options_destroy(s->options);
    leveldb_cache_destroy(s->cache);
    leveldb_filterpolicy_destroy(s->filter);
    leveldb_readoptions_destroy(s->read_cached);
    leveldb_writeoptions_destroy(s->write_unsynced);
    store_cache_free(s->values);
    pthread_mutex_destroy(&s->log_lock);
    free(s->folder);
    free(s);
}

const char *store_folder(const struct store *s)
{
    return s->folder;
}

void store_set_soon_read(struct store *s, const char *first_bytes)
{
    s->soon_read = first_bytes;
}

int store_get(struct store *s, const struct store_snapshot *snapshot, const void *key, size_t key_len,
              struct store_value *ret, struct err *reterr)
{
    leveldb_readoptions_t *options = s->read_cached;
    uint64_t turn = 0;
    if (!snapshot && store_cache_get(s->values, key, key_len, &ret->base, &ret->len, &turn))
        return 0;
    if (snapshot) {
        options = leveldb_readoptions_create();
        leveldb_readoptions_set_snapshot(options, (const leveldb_snapshot_t *)snapshot);
    }
    char *error = NULL;
    size_t len = 0;
    char *value = leveldb_get(s->db, options, key, key_len, &len, &error);
    if (snapshot)
        leveldb_readoptions_destroy(options);
    if (error)
        return fail(s, error, "cannot read", reterr);
    if (!value)
        return err_set(reterr, ERR_NOT_FOUND, "%s: no such key", s->folder);
    if (!snapshot)
        store_cache_fill(s->values, turn, key, key_len, value, len);
    *ret = (struct store_value){value, len};
    return 0;
}

void store_value_free(struct store_value *v)
{
    free(v->base); /* LevelDB's values come from malloc, too */
    *v = (struct store_value){0};
}

const struct store_snapshot *store_snapshot_take(struct store *s)
{
    return (const struct store_snapshot *)leveldb_create_snapshot(s->db);
}

void store_snapshot_drop(struct store *s, const struct store_snapshot *snapshot)
{
    if (snapshot)
        leveldb_release_snapshot(s->db, (const leveldb_snapshot_t *)snapshot);
}

struct store_iter *store_iter_new(struct store *s, const struct store_snapshot *snapshot, bool cached)
{
    struct store_iter *it = mem_new(struct store_iter);
    it->options = leveldb_readoptions_create();
    leveldb_readoptions_set_fill_cache(it->options, cached);
    if (snapshot)
        leveldb_readoptions_set_snapshot(it->options, (const leveldb_snapshot_t *)snapshot);
    it->it = leveldb_create_iterator(s->db, it->options);
    return it;
}

void store_iter_free(struct store_iter *it)
{
    if (!it)
        return;
    leveldb_iter_destroy(it->it);
    leveldb_readoptions_destroy(it->options);
    free(it);
}

void store_iter_freep(struct store_iter **it)
{
    store_iter_free(*it);
    *it = NULL;
}

void store_iter_seek(struct store_iter *it, const void *key, size_t key_len)
{
    leveldb_iter_seek(it->it, key, key_len);
}

void store_iter_seek_before(struct store_iter *it, const void *key, size_t key_len)
{
    leveldb_iter_seek(it->it, key, key_len);
    if (leveldb_iter_valid(it->it))
        leveldb_iter_prev(it->it);
    else
        leveldb_iter_seek_to_last(it->it);
}

void store_iter_next(struct store_iter *it)
{
    leveldb_iter_next(it->it);
}

bool store_iter_valid(const struct store_iter *it)
{
    return leveldb_iter_valid(it->it);
}

struct slice store_iter_key(const struct store_iter *it)
{
    size_t len = 0;
    const char *base = leveldb_iter_key(it->it, &len);
    return (struct slice){(const uint8_t *)base, len};
}

struct slice store_iter_value(const struct store_iter *it)
{
    size_t len = 0;
    const char *base = leveldb_iter_value(it->it, &len);
    return (struct slice){(const uint8_t *)base, len};
}

int store_iter_status(const struct store_iter *it, struct err *reterr)
{
    char *error = NULL;
    leveldb_iter_get_error(it->it, &error);
    if (!error)
        return 0;
    err_set(reterr, ERR_IO, "metadata store: cannot read on: %s", error);
    leveldb_free(error);
    return ERR_IO;
}

struct store_batch *store_batch_new(void)
{
    return (struct store_batch *)leveldb_writebatch_create();
}

void store_batch_free(struct store_batch *b)
{
    if (b)
        leveldb_writebatch_destroy((leveldb_writebatch_t *)b);
}

void store_batch_put(struct store_batch *b, const void *key, size_t key_len, const void *value, size_t value_len)
{
    leveldb_writebatch_put((leveldb_writebatch_t *)b, key, key_len, value, value_len);
}

void store_batch_delete(struct store_batch *b, const void *key, size_t key_len)
{
    leveldb_writebatch_delete((leveldb_writebatch_t *)b, key, key_len);
}

void store_writes_stop(struct store *s)
{
    pthread_mutex_lock(&s->log_lock);
}

void store_writes_go_on(struct store *s)
{
    pthread_mutex_unlock(&s->log_lock);
}

static void cache_put(void *store, const char *key, size_t key_len, const char *value, size_t value_len)
{
    struct store *s = store;
    bool is_soon_read = key_len && *key && strchr(s->soon_read, *key);
    store_cache_write(s->values, key, key_len, value, value_len, is_soon_read);
}

static void cache_delete(void *store, const char *key, size_t key_len)
{
    store_cache_write(((struct store *)store)->values, key, key_len, NULL, 0, false);
}

int store_write(struct store *s, struct store_batch *b, struct err *reterr)
{
    char *error = NULL;
    store_writes_stop(s);
    leveldb_write(s->db, s->write_unsynced, (leveldb_writebatch_t *)b, &error);
    store_writes_go_on(s);
    if (error)
        return fail(s, error, "cannot write", reterr);
    leveldb_writebatch_iterate((leveldb_writebatch_t *)b, s, cache_put, cache_delete);
    return 0;
}

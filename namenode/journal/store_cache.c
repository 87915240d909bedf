#include "namenode/journal/store_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/mem.h"

#define VALUE_MAX_BYTES 4096 /* larger ones (files of very many blocks) would push out too much */
#define ENTRY_BYTES_MIN 128  /* about what the smallest one takes: sizes the table */

struct entry {
    struct entry *next; /* in its bucket */
    uint64_t hash;
    size_t slot; /* in the clock */
    size_t key_len, value_len;
    bool used;
    char bytes[]; /* key, then value */
};
struct store_cache {
    pthread_mutex_t lock;
    size_t bytes, bytes_max;
    uint64_t turn; /* counts writes */
    struct entry **buckets;
    size_t bucket_mask;
    struct entry **clock;
    size_t count, hand;
};

struct store_cache *store_cache_new(size_t bytes_max)
{
    struct store_cache *c = mem_new(struct store_cache);
    size_t entries_max = bytes_max / ENTRY_BYTES_MIN + 1, buckets = 1;
    while (buckets < entries_max)
        buckets *= 2;
    c->bytes_max = bytes_max;
    c->bucket_mask = buckets - 1;
    c->buckets = mem_zalloc(buckets * sizeof(struct entry *));
    c->clock = mem_zalloc(entries_max * sizeof(struct entry *));
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

void store_cache_free(struct store_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->count; i++)
        free(c->clock[i]);
    free(c->clock);
    free(c->buckets);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* What an entry counts for: never less than the table was sized for. */
static size_t cost(size_t key_len, size_t value_len)
{
    size_t bytes = sizeof(struct entry) + key_len + value_len;
    return bytes < ENTRY_BYTES_MIN ? ENTRY_BYTES_MIN : bytes;
}

static struct entry **find(struct store_cache *c, uint64_t hash, const void *key, size_t key_len)
{
    struct entry **at = &c->buckets[hash & c->bucket_mask];
    while (*at && ((*at)->hash != hash || (*at)->key_len != key_len || memcmp((*at)->bytes, key, key_len)))
        at = &(*at)->next;
    return at;
}

static void drop(struct store_cache *c, struct entry **at)
{
    struct entry *e = *at;
    *at = e->next;
    c->bytes -= cost(e->key_len, e->value_len);
    c->clock[e->slot] = c->clock[--c->count];
    c->clock[e->slot]->slot = e->slot;
    free(e);
}

static void make_room(struct store_cache *c, size_t bytes)
{
    while (c->count && c->bytes + bytes > c->bytes_max) {
        if (c->hand >= c->count)
            c->hand = 0;
        struct entry *e = c->clock[c->hand];
        if (e->used) {
            e->used = false;
            c->hand++;
        } else {
            drop(c, find(c, e->hash, e->bytes, e->key_len));
        }
    }
}

static void insert(struct store_cache *c, uint64_t hash, const void *key, size_t key_len, const void *value,
                   size_t value_len)
{
    size_t bytes = cost(key_len, value_len);
    if (value_len > VALUE_MAX_BYTES || bytes > c->bytes_max)
        return;
    make_room(c, bytes);
    struct entry *e = mem_alloc(sizeof *e + key_len + value_len);
    *e = (struct entry){.hash = hash, .slot = c->count, .key_len = key_len, .value_len = value_len};
    memcpy(e->bytes, key, key_len);
    memcpy(e->bytes + key_len, value, value_len);
    e->next = c->buckets[hash & c->bucket_mask];
    c->buckets[hash & c->bucket_mask] = e;
    c->clock[c->count++] = e;
    c->bytes += bytes;
}

bool store_cache_get(struct store_cache *c, const void *key, size_t key_len, char **ret_value, size_t *ret_len,
                     uint64_t *ret_turn)
{
    uint64_t hash = XXH3_64bits(key, key_len);
    pthread_mutex_lock(&c->lock);
    struct entry *e = *find(c, hash, key, key_len);
    if (e) {
        e->used = true;
        *ret_len = e->value_len;
        *ret_value = mem_alloc(e->value_len + 1);
        memcpy(*ret_value, e->bytes + key_len, e->value_len);
    }
    *ret_turn = c->turn;
    pthread_mutex_unlock(&c->lock);
    return e != NULL;
}

void store_cache_fill(struct store_cache *c, uint64_t turn, const void *key, size_t key_len, const void *value,
                      size_t value_len)
{
    uint64_t hash = XXH3_64bits(key, key_len);
    pthread_mutex_lock(&c->lock);
    if (turn == c->turn && !*find(c, hash, key, key_len))
        insert(c, hash, key, key_len, value, value_len);
    pthread_mutex_unlock(&c->lock);
}

void store_cache_write(struct store_cache *c, const void *key, size_t key_len, const void *value, size_t value_len,
                       bool is_soon_read)
{
    uint64_t hash = XXH3_64bits(key, key_len);
    pthread_mutex_lock(&c->lock);
    c->turn++;
    struct entry **at = find(c, hash, key, key_len);
    bool is_kept = *at != NULL;
    if (is_kept)
        drop(c, at);
    if (value && (is_kept || is_soon_read))
        insert(c, hash, key, key_len, value, value_len);
    pthread_mutex_unlock(&c->lock);
}

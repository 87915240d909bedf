#include "rpc/retry_cache.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/mem.h"

#define WAITERS_MAX 16
#define BUCKETS_MIN 1024

struct running { /* what an entry needs only until its call is answered */
    struct retry_waiter *waiters, **tail;
    int waiter_count;
};

/* There may be a hundred thousand of these, so they are small: the answer is in the same allocation. */
struct entry {
    struct retry_key key;
    uint32_t answer_len;
    struct entry *bucket_next;
    struct running *running; /* NULL once finished */
    struct entry *younger;   /* among the finished: FIFO by finishing time */
    int64_t finished_ms;
    uint8_t answer[];
};

struct retry_cache {
    size_t max_bytes, bytes; /* of finished entries, with their overhead */
    int64_t keep_ms;
    uint64_t seed;
    struct entry **buckets;
    size_t bucket_count, entry_count; /* bucket_count is a power of two */
    struct entry *oldest, **youngest;
};

struct retry_cache *retry_cache_new(size_t max_bytes, int64_t keep_ms, uint64_t seed)
{
    struct retry_cache *c = mem_new(struct retry_cache);
    c->max_bytes = max_bytes;
    c->keep_ms = keep_ms;
    c->seed = seed;
    c->bucket_count = BUCKETS_MIN;
    c->buckets = mem_calloc(c->bucket_count, sizeof *c->buckets);
    c->youngest = &c->oldest;
    return c;
}

static void entry_free(struct entry *e)
{
    free(e->running);
    free(e);
}

void retry_cache_free(struct retry_cache *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->bucket_count; i++)
        for (struct entry *e = c->buckets[i], *next; e; e = next) {
            next = e->bucket_next;
            entry_free(e);
        }
    free(c->buckets);
    free(c);
}

static uint64_t key_hash(const struct retry_cache *c, const struct retry_key *key)
{
    return XXH3_64bits_withSeed(key->client_id, sizeof key->client_id, c->seed ^ (uint32_t)key->call_id);
}

/* Where the pointer to the key's entry is, or would be. */
static struct entry **entry_slot(struct retry_cache *c, const struct retry_key *key)
{
    struct entry **slot = &c->buckets[key_hash(c, key) & (c->bucket_count - 1)];
    while (*slot && ((*slot)->key.call_id != key->call_id || memcmp((*slot)->key.client_id, key->client_id, 16)))
        slot = &(*slot)->bucket_next;
    return slot;
}

static void buckets_grow(struct retry_cache *c)
{
    struct entry **old = c->buckets;
    size_t old_count = c->bucket_count;
    c->bucket_count *= 4;
    c->buckets = mem_calloc(c->bucket_count, sizeof *c->buckets);
    for (size_t i = 0; i < old_count; i++)
        for (struct entry *e = old[i], *next; e; e = next) {
            next = e->bucket_next;
            struct entry **slot = &c->buckets[key_hash(c, &e->key) & (c->bucket_count - 1)];
            e->bucket_next = *slot;
            *slot = e;
        }
    free(old);
}

static void entry_unlink(struct retry_cache *c, struct entry *e)
{
    *entry_slot(c, &e->key) = e->bucket_next;
    c->entry_count--;
}

static size_t entry_bytes(const struct entry *e)
{
    return sizeof *e + e->answer_len + 24; /* and what malloc and the bucket take */
}

static void forget_old(struct retry_cache *c, int64_t now_ms)
{
    while (c->oldest && (c->bytes > c->max_bytes || now_ms - c->oldest->finished_ms >= c->keep_ms)) {
        struct entry *e = c->oldest;
        c->oldest = e->younger;
        if (!c->oldest)
            c->youngest = &c->oldest;
        c->bytes -= entry_bytes(e);
        entry_unlink(c, e);
        entry_free(e);
    }
}

enum retry_verdict retry_cache_begin(struct retry_cache *c, const struct retry_key *key, struct retry_waiter *waiter,
                                     int64_t now_ms, struct slice *ret_answer)
{
    forget_old(c, now_ms);
    struct entry *e = *entry_slot(c, key);
    if (!e) {
        if (c->entry_count >= c->bucket_count)
            buckets_grow(c);
        e = mem_new(struct entry);
        e->key = *key;
        e->running = mem_new(struct running);
        e->running->tail = &e->running->waiters;
        *entry_slot(c, key) = e;
        c->entry_count++;
        return RETRY_EXECUTE;
    }
    struct running *r = e->running;
    if (!r) {
        *ret_answer = (struct slice){e->answer, e->answer_len};
        return RETRY_REPLAY;
    }
    if (r->waiter_count == WAITERS_MAX)
        return RETRY_BUSY;
    waiter->next = NULL;
    *r->tail = waiter;
    r->tail = &waiter->next;
    r->waiter_count++;
    return RETRY_WAIT;
}

struct retry_waiter *retry_cache_end(struct retry_cache *c, const struct retry_key *key, const struct slice *answer,
                                     int64_t now_ms)
{
    struct entry **slot = entry_slot(c, key), *e = *slot;
    struct retry_waiter *waiters = e->running->waiters;
    if (!answer) {
        entry_unlink(c, e);
        entry_free(e);
        return waiters;
    }
    free(e->running);
    *slot = e = mem_realloc(e, sizeof *e + answer->len);
    e->running = NULL;
    e->finished_ms = now_ms;
    e->answer_len = (uint32_t)answer->len; /* frames are bounded far below 4 GiB */
    memcpy(e->answer, answer->base, answer->len);
    *c->youngest = e;
    c->youngest = &e->younger;
    c->bytes += entry_bytes(e);
    forget_old(c, now_ms);
    return waiters;
}

size_t retry_cache_count(const struct retry_cache *c)
{
    return c->entry_count;
}

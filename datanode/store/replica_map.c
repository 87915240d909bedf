#include "common/mem.h"
#include "datanode/store/store_impl.h"

#define BUCKETS_AT_FIRST 1024

static size_t bucket_of(const struct replica_map *m, uint64_t block_id)
{
    uint64_t x = block_id * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(x >> 32) & (m->bucket_count - 1);
}

static void replica_map_grow(struct replica_map *m)
{
    struct replica_map bigger = {.bucket_count = m->bucket_count ? m->bucket_count * 2 : BUCKETS_AT_FIRST};
    bigger.buckets = mem_calloc(bigger.bucket_count, sizeof *bigger.buckets);
    for (size_t i = 0; i < m->bucket_count; i++)
        for (struct replica *r = m->buckets[i], *next; r; r = next) {
            next = r->next;
            size_t at = bucket_of(&bigger, r->block_id);
            r->next = bigger.buckets[at];
            bigger.buckets[at] = r;
        }
    bigger.count = m->count;
    mem_freep(&m->buckets);
    *m = bigger;
}

struct replica *replica_map_get(const struct replica_map *m, uint64_t block_id)
{
    struct replica *r = m->bucket_count ? m->buckets[bucket_of(m, block_id)] : NULL;
    while (r && r->block_id != block_id)
        r = r->next;
    return r;
}

void replica_map_put(struct replica_map *m, struct replica *r)
{
    if (m->count >= m->bucket_count)
        replica_map_grow(m);
    size_t at = bucket_of(m, r->block_id);
    r->next = m->buckets[at];
    m->buckets[at] = r;
    m->count++;
}

void replica_map_remove(struct replica_map *m, struct replica *r)
{
    for (struct replica **at = &m->buckets[bucket_of(m, r->block_id)]; *at; at = &(*at)->next)
        if (*at == r) {
            *at = r->next;
            m->count--;
            return;
        }
}

void replica_map_free(struct replica_map *m)
{
    for (size_t i = 0; i < m->bucket_count; i++)
        for (struct replica *r = m->buckets[i], *next; r; r = next) {
            next = r->next;
            replica_free(r);
        }
    mem_freep(&m->buckets);
    *m = (struct replica_map){0};
}

struct replica_work *replica_work_get(struct replica *r)
{
    if (!r->work) {
        r->work = mem_new(struct replica_work);
        r->work->owner_fds[0] = r->work->owner_fds[1] = -1;
        r->work->original_state = r->state;
    }
    return r->work;
}

void replica_work_drop(struct replica *r)
{
    if (r->work)
        xxh3_free(r->work->digest);
    mem_freep(&r->work);
}

void replica_free(struct replica *r)
{
    if (!r)
        return;
    replica_work_drop(r);
    mem_freep(&r);
}

#include "namenode/namespace/retry_ring.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "namenode/namespace/keys.h"

/* client id, call id (be32), value (be64), wall clock (be64) */
#define RECORD_BYTES (16 + 4 + 8 + 8)

struct loaded {
    struct retry_mark mark;
    uint64_t wall_ms;
};
struct retry_ring {
    uint32_t next_slot;
    uint64_t loaded_at_ms;
    struct loaded *loaded; /* of before the start, ordered by client and call */
    size_t loaded_count;
    _Atomic bool has_any;
};

static void be32_put(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t be32_get(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static int by_call(const void *a, const void *b)
{
    const struct retry_mark *x = a, *y = b; /* the first member of struct loaded */
    int order = memcmp(x->client_id, y->client_id, sizeof x->client_id);
    return order ? order : (x->call_id > y->call_id) - (x->call_id < y->call_id);
}

static void take(struct retry_ring *r, struct slice key, struct slice value, uint64_t *newest_ms)
{
    if (key.len != 5 || value.len != RECORD_BYTES)
        return; /* not ours to use; a later change overwrites it */
    struct loaded *l = &r->loaded[r->loaded_count++];
    memcpy(l->mark.client_id, value.base, 16);
    l->mark.call_id = (int32_t)be32_get(value.base + 16);
    l->mark.value = be64_get(value.base + 20);
    l->wall_ms = be64_get(value.base + 28);
    if (l->wall_ms >= *newest_ms) {
        *newest_ms = l->wall_ms;
        r->next_slot = (be32_get(key.base + 1) + 1) % RETRY_RING_SLOTS;
    }
}

int retry_ring_load(struct store *s, uint64_t now_ms, struct retry_ring **ret, struct err *reterr)
{
    struct retry_ring *r = mem_new(struct retry_ring);
    uint64_t newest_ms = 0;
    r->loaded_at_ms = now_ms;
    r->loaded = mem_calloc(RETRY_RING_SLOTS, sizeof *r->loaded);
    AUTO(store_iter_freep) struct store_iter *it = store_iter_new(s, NULL, false);
    for (store_iter_seek(it, "y", 1); store_iter_valid(it) && r->loaded_count < RETRY_RING_SLOTS; store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        if (!key.len || key.base[0] != 'y')
            break;
        take(r, key, store_iter_value(it), &newest_ms);
    }
    size_t kept = 0; /* those of the last minutes before the end, however long ago that was */
    for (size_t i = 0; i < r->loaded_count; i++)
        if (r->loaded[i].wall_ms + RETRY_KEEP_MS >= newest_ms)
            r->loaded[kept++] = r->loaded[i];
    r->loaded_count = kept;
    r->loaded = mem_realloc_array(r->loaded, kept ? kept : 1, sizeof *r->loaded);
    qsort(r->loaded, kept, sizeof *r->loaded, by_call);
    r->has_any = kept > 0;
    int rc = store_iter_valid(it) ? 0 : store_iter_status(it, reterr);
    if (rc) {
        retry_ring_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void retry_ring_free(struct retry_ring *r)
{
    if (!r)
        return;
    free(r->loaded);
    free(r);
}

void retry_ring_put(struct retry_ring *r, struct store_batch *batch, const struct retry_mark *mark, uint64_t wall_ms)
{
    uint8_t key[5] = {'y'}, record[RECORD_BYTES];
    be32_put(key + 1, r->next_slot);
    r->next_slot = (r->next_slot + 1) % RETRY_RING_SLOTS;
    memcpy(record, mark->client_id, 16);
    be32_put(record + 16, (uint32_t)mark->call_id);
    be64_put(record + 20, mark->value);
    be64_put(record + 28, wall_ms);
    store_batch_put(batch, key, sizeof key, record, sizeof record);
}

bool retry_ring_has_any(const struct retry_ring *r)
{
    return r->has_any;
}

bool retry_ring_find(struct retry_ring *r, const uint8_t client_id[16], int32_t call_id, uint64_t now_ms,
                     uint64_t *ret_value)
{
    struct loaded wanted = {.mark.call_id = call_id};
    if (!r->loaded_count)
        return false;
    if (now_ms > r->loaded_at_ms + RETRY_KEEP_MS) { /* whoever still wanted it has come */
        free(STEAL(r->loaded));
        r->loaded_count = 0;
        r->has_any = false;
        return false;
    }
    memcpy(wanted.mark.client_id, client_id, 16);
    const struct loaded *found = bsearch(&wanted, r->loaded, r->loaded_count, sizeof wanted, by_call);
    if (found)
        *ret_value = found->mark.value;
    return found != NULL;
}

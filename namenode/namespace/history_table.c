/* Which directories snapshots may be taken of, and their live snapshots: a table sorted by inode number. */
#include <stdlib.h>
#include <string.h>

#include "cairn/store.pb-c.h"
#include "common/mem.h"
#include "namenode/namespace/history_internal.h"
#include "namenode/namespace/keys.h"

struct snapshottable {
    uint64_t dir;
    uint64_t *ids; /* ascending */
    size_t count, capacity;
};
struct history {
    struct snapshottable *dirs;
    size_t count, capacity;
    size_t live, dead; /* snapshots; dead ones have versions left */
};

static size_t position(const struct history *h, uint64_t dir)
{
    size_t low = 0, high = h->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (h->dirs[middle].dir < dir)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct snapshottable *find(const struct history *h, uint64_t dir)
{
    size_t i = position(h, dir);
    return i < h->count && h->dirs[i].dir == dir ? &h->dirs[i] : NULL;
}

/* How many of its ids are not above this one. */
static size_t count_up_to(const struct snapshottable *s, uint64_t id)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (s->ids[middle] <= id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void allow(struct history *h, uint64_t dir)
{
    size_t i = position(h, dir);
    if (i < h->count && h->dirs[i].dir == dir)
        return;
    if (h->count == h->capacity) {
        h->capacity = h->capacity ? h->capacity * 2 : 8;
        h->dirs = mem_realloc_array(h->dirs, h->capacity, sizeof *h->dirs);
    }
    memmove(h->dirs + i + 1, h->dirs + i, (h->count - i) * sizeof *h->dirs);
    h->dirs[i] = (struct snapshottable){.dir = dir};
    h->count++;
}

static void disallow(struct history *h, uint64_t dir)
{
    struct snapshottable *s = find(h, dir);
    if (!s)
        return;
    free(s->ids);
    h->count--;
    memmove(s, s + 1, (h->count - (size_t)(s - h->dirs)) * sizeof *s);
}

static void take(struct history *h, uint64_t dir, uint64_t id)
{
    struct snapshottable *s = find(h, dir);
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? s->capacity * 2 : 8;
        s->ids = mem_realloc_array(s->ids, s->capacity, sizeof *s->ids);
    }
    size_t i = count_up_to(s, id);
    memmove(s->ids + i + 1, s->ids + i, (s->count - i) * sizeof *s->ids);
    s->ids[i] = id;
    s->count++;
    h->live++;
}

static void drop(struct history *h, uint64_t dir, uint64_t id)
{
    struct snapshottable *s = find(h, dir);
    size_t i = count_up_to(s, id) - 1;
    s->count--;
    memmove(s->ids + i, s->ids + i + 1, (s->count - i) * sizeof *s->ids);
    h->live--;
    h->dead++;
}

/* ---- read at start ---- */

static int load_snapshot(struct history *h, struct slice key, struct slice value, struct err *reterr)
{
    uint64_t dir = be64_get(key.base + 1);
    if (key.len == 9) {
        allow(h, dir);
        return 0;
    }
    Cairn__SnapshotRecord *r = cairn__snapshot_record__unpack(NULL, value.len, value.base);
    if (!r || !find(h, dir)) {
        cairn__snapshot_record__free_unpacked(r, NULL);
        return err_set(reterr, ERR_IO, "metadata store: the record of snapshot '%.*s' is damaged", (int)(key.len - 9),
                       (const char *)key.base + 9);
    }
    take(h, dir, r->id);
    cairn__snapshot_record__free_unpacked(r, NULL);
    return 0;
}

int history_load(struct fsdir *dir, struct err *reterr)
{
    struct history *h = dir->history = mem_new(struct history);
    struct store_iter *it = store_iter_new(dir->store, NULL, true);
    int rc = 0;
    for (store_iter_seek(it, "S", 1); !rc && store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        if (key.len < 9 || key.base[0] != 'S')
            break;
        rc = load_snapshot(h, key, store_iter_value(it), reterr);
    }
    for (store_iter_seek(it, "X", 1); !rc && store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        if (key.len != 9 || key.base[0] != 'X')
            break;
        h->dead++;
    }
    rc = rc ? rc : store_iter_status(it, reterr);
    store_iter_free(it);
    return rc;
}

void history_free(struct history *h)
{
    if (!h)
        return;
    for (size_t i = 0; i < h->count; i++)
        free(h->dirs[i].ids);
    free(h->dirs);
    free(h);
}

/* ---- questions ---- */

bool history_is_used(const struct fsdir *dir)
{
    return dir->history->live || dir->history->dead;
}

size_t history_snapshottable_count(const struct fsdir *dir)
{
    return dir->history->count;
}

uint64_t history_snapshottable_at(const struct fsdir *dir, size_t index)
{
    return dir->history->dirs[index].dir;
}

size_t history_snapshot_count(const struct fsdir *dir)
{
    return dir->history->live;
}

uint64_t history_latest(const struct fsdir *dir, uint64_t inode)
{
    return history_live_up_to(dir, inode, UINT64_MAX);
}

uint64_t history_live_up_to(const struct fsdir *dir, uint64_t inode, uint64_t id)
{
    const struct snapshottable *s = find(dir->history, inode);
    size_t count = s ? count_up_to(s, id) : 0;
    return count ? s->ids[count - 1] : 0;
}

/* ---- changes ---- */

struct staged {
    enum history_change what;
    uint64_t dir, snapshot;
};

void history_change(struct txn *t, enum history_change what, uint64_t dir, uint64_t snapshot)
{
    struct staged s = {what, dir, snapshot};
    buf_append(&t->history, &s, sizeof s);
}

void history_apply(struct txn *t)
{
    struct history *h = t->dir->history;
    const struct staged *list = (void *)t->history.base;
    for (size_t i = 0; i < t->history.len / sizeof *list; i++)
        switch (list[i].what) {
        case HISTORY_ALLOW: allow(h, list[i].dir); break;
        case HISTORY_DISALLOW: disallow(h, list[i].dir); break;
        case HISTORY_TAKE: take(h, list[i].dir, list[i].snapshot); break;
        case HISTORY_DROP: drop(h, list[i].dir, list[i].snapshot); break;
        case HISTORY_CLEANED: h->dead--; break;
        }
    buf_clear(&t->history);
}

#include "namenode/namespace/history_held.h"

#include <string.h>

#include "namenode/namespace/history_internal.h"

/* ---- the commit under way ---- */

static const struct inode *saved_now(const struct txn *t, uint64_t id, uint64_t *ret_tag)
{
    const struct pending_version *list = (void *)t->versions.base;
    for (size_t i = 0; i < t->versions.len / sizeof *list; i++)
        if (list[i].inode == id && list[i].saved) {
            *ret_tag = list[i].tag;
            return list[i].saved;
        }
    return NULL;
}

static bool goes_now(const struct txn *t, uint64_t id, uint64_t tag)
{
    const struct pending_version *list = (void *)t->versions.base;
    for (size_t i = 0; i < t->versions.len / sizeof *list; i++)
        if (list[i].inode == id && list[i].tag == tag && !list[i].saved)
            return true;
    return false;
}

/* ---- versions of one inode ---- */

/* The tag of the version that version_inode_at has found. */
static uint64_t tag_at(struct store_iter *it)
{
    return be64_get(store_iter_key(it).base + 9);
}

int history_newest(struct txn *t, uint64_t id, bool pending, struct inode **ret, uint64_t *ret_tag, struct err *reterr)
{
    uint64_t tag = UINT64_MAX;
    const struct inode *saved = pending ? saved_now(t, id, &tag) : NULL;
    struct inode *n = saved ? arena_memdup(&t->arena, saved, sizeof *n) : NULL;
    struct store_iter *it = saved ? NULL : store_iter_new(t->dir->store, t->snapshot, !t->snapshot);
    int rc = 0;
    while (!saved && !rc) {
        struct key end;
        key_of_inode_version(&end, id, tag);
        store_iter_seek_before(it, end.bytes, end.len);
        rc = version_inode_at(t, it, id, &n, reterr);
        if (!n)
            break;
        tag = tag_at(it);
        if (!pending || !goes_now(t, id, tag))
            break;
        n = NULL;
    }
    store_iter_free(it);
    *ret = n;
    if (ret_tag)
        *ret_tag = tag;
    return rc;
}

/* The blocks of an earlier state that the next one does not have. */
static void add_lost_blocks(struct txn *t, const struct inode *earlier, const struct inode *later, struct inode *to)
{
    struct block_ids after = block_ids_of(later, &t->arena);
    for (size_t i = 0; earlier && i < earlier->block_count; i++)
        if (!file_block_is_hole(&earlier->blocks[i]) && !block_ids_have(&after, i, earlier->blocks[i].id))
            *inode_add_block(to, &t->arena) = earlier->blocks[i];
}

struct whole {
    struct inode lost, *last; /* lost: blocks that what comes behind does not have, the most replicas */
};

static void add_version(struct txn *t, struct whole *w, struct inode *version)
{
    add_lost_blocks(t, w->last, version, &w->lost);
    w->lost.replication = version->replication > w->lost.replication ? version->replication : w->lost.replication;
    w->last = version;
}

static int add_versions(struct txn *t, uint64_t id, bool pending, struct whole *w, struct err *reterr)
{
    struct store_iter *it = store_iter_new(t->dir->store, t->snapshot, !t->snapshot);
    struct key first;
    struct inode *version = NULL;
    uint64_t tag;
    int rc = 0;
    key_of(&first, 'I', id);
    for (store_iter_seek(it, first.bytes, first.len); !rc; store_iter_next(it)) {
        rc = version_inode_at(t, it, id, &version, reterr);
        if (rc || !version)
            break;
        if (!pending || !goes_now(t, id, tag_at(it)))
            add_version(t, w, version);
    }
    store_iter_free(it);
    const struct inode *saved = pending ? saved_now(t, id, &tag) : NULL;
    if (!rc && saved)
        add_version(t, w, arena_memdup(&t->arena, saved, sizeof *saved));
    return rc;
}

int history_most_replicas(struct txn *t, uint64_t id, bool pending, uint16_t *ret, struct err *reterr)
{
    struct whole w = {0};
    int rc = add_versions(t, id, pending, &w, reterr);
    *ret = w.lost.replication;
    return rc;
}

int history_whole_file(struct txn *t, uint64_t id, const struct inode *now, bool pending, const struct inode **ret,
                       struct err *reterr)
{
    struct whole w = {.lost.replication = now ? now->replication : 0};
    int rc = add_versions(t, id, pending, &w, reterr);
    *ret = now;
    if (rc || !w.last)
        return rc;
    if (now)
        add_lost_blocks(t, w.last, now, &w.lost);
    else
        rc = history_grow_last_block(t, w.last, reterr);
    const struct inode *newest = now ? now : w.last;
    for (size_t i = 0; i < newest->block_count; i++)
        *inode_add_block(&w.lost, &t->arena) = newest->blocks[i];
    struct inode *whole = arena_memdup(&t->arena, newest, sizeof *newest);
    whole->blocks = w.lost.blocks;
    whole->block_count = whole->block_capacity = w.lost.block_count;
    whole->replication = w.lost.replication;
    *ret = whole;
    return rc;
}

/* ---- places ---- */

static void place_put(struct txn *t, uint64_t dir, uint64_t id, bool is_there)
{
    struct key k;
    key_of_gone(&k, dir, id);
    if (dir == INODE_NONE)
        return;
    if (is_there)
        store_batch_put(txn_batch(t), k.bytes, k.len, "", 0);
    else
        store_batch_delete(txn_batch(t), k.bytes, k.len);
}

int history_place_changes(struct txn *t, uint64_t id, uint64_t place_before, bool is_gone, struct err *reterr)
{
    struct inode *newest = NULL;
    int rc = history_newest(t, id, true, &newest, NULL, reterr);
    if (rc)
        return rc;
    place_put(t, place_before, id, false);
    if (newest)
        place_put(t, newest->parent, id, is_gone);
    return 0;
}

#define PLACES_PER_BATCH 10000

static int places_drop(struct txn *t, struct err *reterr)
{
    struct store_iter *it = store_iter_new(t->dir->store, NULL, true);
    for (store_iter_seek(it, "G", 1); store_iter_valid(it) && store_iter_key(it).base[0] == 'G'; store_iter_next(it))
        store_batch_delete(txn_batch(t), store_iter_key(it).base, store_iter_key(it).len);
    int rc = store_iter_status(it, reterr);
    store_iter_free(it);
    return rc;
}

/* The inode of the version at the iterator; leaves that behind its newest version. */
static int find_place(struct txn *t, struct store_iter *it, struct err *reterr)
{
    uint64_t id = be64_get(store_iter_key(it).base + 1);
    struct inode *now = NULL, *newest = NULL;
    struct key behind;
    int rc = txn_peek(t, id, &now, reterr);
    bool has_name = !rc && now->parent != INODE_NONE;
    rc = rc == ERR_NOT_FOUND ? 0 : rc;
    rc = rc ? rc : history_newest(t, id, false, &newest, NULL, reterr);
    if (!rc && newest && !has_name)
        place_put(t, newest->parent, id, true);
    key_of(&behind, 'I', id + 1);
    store_iter_seek(it, behind.bytes, behind.len);
    return rc;
}

int history_find_places(struct fsdir *dir, struct err *reterr)
{
    struct txn t;
    txn_begin(&t, dir, 0);
    struct store_iter *it = store_iter_new(dir->store, NULL, true);
    int rc = places_drop(&t, reterr);
    store_iter_seek(it, "I", 1);
    for (size_t seen = 1; !rc && store_iter_valid(it) && store_iter_key(it).base[0] == 'I'; seen++) {
        rc = store_iter_key(it).len == 17 ? find_place(&t, it, reterr)
                                          : err_set(reterr, ERR_IO, "metadata store: a version's key is damaged");
        if (!rc && seen % PLACES_PER_BATCH == 0)
            rc = txn_commit(&t, reterr);
        arena_reset(&t.arena);
    }
    rc = rc ? rc : store_iter_status(it, reterr);
    rc = rc ? rc : txn_commit(&t, reterr);
    store_iter_free(it);
    txn_end(&t);
    return rc;
}

/* ---- what was taken out of a directory ---- */

static bool any_with(struct txn *t, const void *prefix, size_t len)
{
    struct store_iter *it = store_iter_new(t->dir->store, t->snapshot, !t->snapshot);
    store_iter_seek(it, prefix, len);
    bool found = store_iter_valid(it) && store_iter_key(it).len >= len && !memcmp(store_iter_key(it).base, prefix, len);
    store_iter_free(it);
    return found;
}

bool history_has_versions(struct txn *t)
{
    return any_with(t, "D", 1) || any_with(t, "I", 1);
}

bool history_has_remains(struct txn *t, uint64_t dir)
{
    struct key names, inodes;
    key_of(&names, 'D', dir);
    key_of(&inodes, 'G', dir);
    return any_with(t, names.bytes, names.len) || any_with(t, inodes.bytes, inodes.len);
}

int history_count_names(struct txn *t, uint64_t dir, int64_t *ret, struct err *reterr)
{
    struct store_iter *it = store_iter_new(t->dir->store, t->snapshot, !t->snapshot);
    struct key first;
    int rc = 0;
    *ret = 0;
    key_of(&first, 'D', dir);
    for (store_iter_seek(it, first.bytes, first.len); !rc && store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        struct version v = {0};
        if (key.len < first.len || memcmp(key.base, first.bytes, first.len) != 0)
            break;
        if (t->snapshot)
            txn_reset(t);
        rc = version_decode(store_iter_value(it), &t->arena, &v, reterr);
        *ret += v.child != 0;
    }
    rc = rc ? rc : store_iter_status(it, reterr);
    store_iter_free(it);
    return rc;
}

int history_each_gone(struct txn *t, uint64_t dir, history_gone_fn each, void *context, struct err *reterr)
{
    struct store_iter *it = store_iter_new(t->dir->store, t->snapshot, !t->snapshot);
    struct key first;
    int rc = 0;
    key_of(&first, 'G', dir);
    for (store_iter_seek(it, first.bytes, first.len); !rc && store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        struct inode *n = NULL;
        if (key.len != 17 || memcmp(key.base, first.bytes, first.len) != 0)
            break;
        if (t->snapshot)
            txn_reset(t);
        rc = history_newest(t, be64_get(key.base + 9), false, &n, NULL, reterr);
        if (!rc && n)
            rc = each(context, n, reterr);
    }
    rc = rc ? rc : store_iter_status(it, reterr);
    store_iter_free(it);
    return rc;
}

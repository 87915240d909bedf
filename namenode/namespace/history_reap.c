/* What is left of deleted snapshots: each version with such a tag goes on under an older snapshot that needs it, or
 * goes, and takes along the blocks that only it had. */
#include <string.h>

#include "namenode/namespace/history_held.h"
#include "namenode/namespace/history_internal.h"
#include "namenode/namespace/quota.h"

#define REAP_VERSIONS 200   /* per step */
#define REAP_BLOCKS   20000 /* about */

struct reaping {
    struct txn *t;
    uint64_t dir, tag;
    struct store_iter *it; /* for looking at neighbours */
    size_t blocks_seen;
};

static bool is_next_live(const struct fsdir *dir, const struct snapshot_ref *ref, uint64_t tag, uint64_t *ret)
{
    *ret = history_live_up_to(dir, ref->dir, ref->id < tag ? ref->id : tag - 1);
    return *ret > ref->after;
}

/* The newest live snapshot before `tag` that has nothing but this version; 0: none. */
static uint64_t heir_of(struct reaping *r, const struct key *key, const struct version *v)
{
    uint64_t heir = 0, id;
    for (size_t i = 0; i < v->ref_count; i++)
        if (is_next_live(r->t->dir, &v->refs[i], r->tag, &id) && id > heir)
            heir = id;
    if (!heir)
        return 0;
    struct key from = *key;
    be64_put(from.bytes + from.len - 8, heir);
    store_iter_seek(r->it, from.bytes, from.len);
    struct slice at = store_iter_valid(r->it) ? store_iter_key(r->it) : (struct slice){0};
    bool is_served = at.len == key->len && memcmp(at.base, key->bytes, key->len) < 0;
    return is_served ? 0 : heir;
}

static void inherit(struct reaping *r, const struct key *key, uint64_t heir, struct version *v)
{
    struct snapshot_ref *refs = arena_array(&r->t->arena, struct snapshot_ref, v->ref_count);
    size_t count = 0;
    uint64_t id;
    for (size_t i = 0; i < v->ref_count; i++)
        if (is_next_live(r->t->dir, &v->refs[i], r->tag, &id))
            refs[count++] = (struct snapshot_ref){v->refs[i].dir, v->refs[i].after, id};
    v->refs = refs;
    v->ref_count = count;
    struct key to = *key;
    be64_put(to.bytes + to.len - 8, heir);
    version_put(r->t, &to, heir, v);
}

static int neighbours(struct reaping *r, uint64_t id, struct inode **ret_older, struct inode **ret_newer,
                      struct inode **ret_now, struct err *reterr)
{
    struct key key;
    key_of_inode_version(&key, id, r->tag);
    store_iter_seek_before(r->it, key.bytes, key.len);
    int rc = version_inode_at(r->t, r->it, id, ret_older, reterr);
    key_of_inode_version(&key, id, r->tag + 1);
    store_iter_seek(r->it, key.bytes, key.len);
    rc = rc ? rc : version_inode_at(r->t, r->it, id, ret_newer, reterr);
    rc = rc ? rc : txn_peek(r->t, id, ret_now, reterr);
    if (!rc && !*ret_newer)
        *ret_newer = *ret_now;
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

static int free_blocks(struct reaping *r, uint64_t id, struct slice record, struct err *reterr)
{
    struct inode *n = NULL, *older = NULL, *newer = NULL, *now = NULL;
    int rc = inode_decode(id, record, &r->t->arena, &n, reterr);
    if (rc || !n->block_count)
        return rc;
    r->blocks_seen += n->block_count;
    rc = neighbours(r, id, &older, &newer, &now, reterr);
    struct block_ids before = block_ids_of(older, &r->t->arena), after = block_ids_of(newer, &r->t->arena);
    for (size_t i = 0; !rc && i < n->block_count; i++) {
        struct block_record b;
        if (file_block_is_hole(&n->blocks[i]) || block_ids_have(&before, i, n->blocks[i].id) ||
            block_ids_have(&after, i, n->blocks[i].id) ||
            (now && now->truncate_source == n->blocks[i].id)) /* a copy of it is under way */
            continue;
        rc = txn_block(r->t, n->blocks[i].id, &b, reterr);
        if (!rc && b.inode_id == id)
            txn_free_block(r->t, b.block_id, b.state == BLOCK_COMPLETE);
        rc = rc == ERR_NOT_FOUND ? 0 : rc;
    }
    return rc;
}

/* Its blocks may have had more replicas because of this version. */
static int lower_replication(struct reaping *r, struct inode *now, struct err *reterr)
{
    uint16_t most = 0;
    if (!now->kept_replication)
        return 0;
    r->blocks_seen += now->block_count;
    int rc = history_most_replicas(r->t, now->id, true, &most, reterr);
    if (!rc && most < now->kept_replication)
        txn_lower_replication(r->t, now, most);
    return rc;
}

/* A version of an inode that no snapshot needs any more. */
static int drop_inode(struct reaping *r, const struct key *key, struct slice record, struct err *reterr)
{
    uint64_t id = be64_get(key->bytes + 1);
    struct pending_version dropped = {id, r->tag, NULL};
    struct inode *now = NULL, *newest = NULL;
    int rc = quota_is_charged(r->t) ? quota_drop_version(r->t, id, r->tag, reterr) : 0;
    if (rc)
        return rc;
    rc = history_newest(r->t, id, true, &newest, NULL, reterr);
    buf_append(&r->t->versions, &dropped, sizeof dropped);
    rc = rc ? rc : txn_peek(r->t, id, &now, reterr);
    bool is_gone = rc == ERR_NOT_FOUND || (!rc && now->parent == INODE_NONE);
    rc = rc == ERR_NOT_FOUND ? 0 : rc;
    if (!rc && now)
        rc = lower_replication(r, now, reterr);
    if (!rc && is_gone && newest)
        rc = history_place_changes(r->t, id, newest->parent, true, reterr);
    return rc ? rc : free_blocks(r, id, record, reterr);
}

static int reap_version(struct reaping *r, const struct key *key, struct err *reterr)
{
    AUTO(store_value_free) struct store_value value = {0};
    struct version v;
    int rc = store_get(r->t->dir->store, NULL, key->bytes, key->len, &value, reterr);
    rc = rc ? rc : version_decode((struct slice){(uint8_t *)value.base, value.len}, &r->t->arena, &v, reterr);
    if (rc)
        return rc;
    uint64_t heir = heir_of(r, key, &v);
    if (!heir && v.inode.base)
        rc = drop_inode(r, key, v.inode, reterr);
    else if (!heir && v.child && quota_is_charged(r->t))
        rc = quota_drop_entry(r->t, be64_get(key->bytes + 1), reterr);
    if (rc)
        return rc;
    version_delete(r->t, key, r->tag, &v);
    if (heir)
        inherit(r, key, heir, &v);
    return 0;
}

/* Up to a step's worth of what was saved for this snapshot. *ret_done: that was all. */
static int reap_some(struct reaping *r, struct history_cursor *c, bool *ret_done, struct err *reterr)
{
    struct key prefix;
    key_of_saved_for(&prefix, r->dir, r->tag, NULL);
    struct store_iter *it = store_iter_new(r->t->dir->store, NULL, true);
    bool goes_on = c->len > prefix.len && !memcmp(c->after, prefix.bytes, prefix.len);
    int rc = 0;
    if (goes_on)
        store_iter_seek(it, c->after, c->len);
    else
        store_iter_seek(it, prefix.bytes, prefix.len);
    *ret_done = false;
    for (size_t i = 0; !rc && i < REAP_VERSIONS && r->blocks_seen < REAP_BLOCKS; i++, store_iter_next(it)) {
        struct slice at = store_iter_valid(it) ? store_iter_key(it) : (struct slice){0};
        struct key key;
        if (at.len <= prefix.len || at.len - prefix.len > sizeof key.bytes ||
            memcmp(at.base, prefix.bytes, prefix.len)) {
            *ret_done = true;
            break;
        }
        key.len = at.len - prefix.len;
        memcpy(key.bytes, at.base + prefix.len, key.len);
        rc = reap_version(r, &key, reterr);
        if (rc == ERR_RETRIABLE && i > 0) { /* a sum is wanted: in a step of its own, when all before it is written */
            r->t->unsummed = INODE_NONE;
            rc = 0;
            break;
        }
        if (!rc) {
            memcpy(c->after, at.base, at.len);
            c->len = at.len;
        }
    }
    rc = rc ? rc : store_iter_status(it, reterr);
    store_iter_free(it);
    return rc;
}

static bool first_dead(struct fsdir *dir, uint64_t *ret_dir, uint64_t *ret_tag)
{
    struct store_iter *it = store_iter_new(dir->store, NULL, true);
    store_iter_seek(it, "X", 1);
    struct slice key = store_iter_valid(it) ? store_iter_key(it) : (struct slice){0};
    bool found = key.len == 9 && key.base[0] == 'X' && store_iter_value(it).len == 8;
    if (found) {
        *ret_tag = be64_get(key.base + 1);
        *ret_dir = be64_get(store_iter_value(it).base);
    }
    store_iter_free(it);
    return found;
}

int history_reap_step(struct txn *t, struct history_cursor *c, bool *ret_more, struct err *reterr)
{
    struct reaping r = {.t = t};
    bool done = false;
    *ret_more = history_is_used(t->dir) && first_dead(t->dir, &r.dir, &r.tag);
    if (!*ret_more)
        return 0;
    r.it = store_iter_new(t->dir->store, NULL, true);
    int rc = reap_some(&r, c, &done, reterr);
    store_iter_free(r.it);
    if (!rc && done) {
        struct key k;
        key_of(&k, 'X', r.tag);
        store_batch_delete(txn_batch(t), k.bytes, k.len);
        history_change(t, HISTORY_CLEANED, r.dir, r.tag);
    }
    return rc;
}

/* Saving versions, when a change is committed. */
#include "namenode/namespace/history.h"

#include <stdlib.h>
#include <string.h>

#include "cairn/store.pb-c.h"
#include "namenode/namespace/history_held.h"
#include "namenode/namespace/history_internal.h"
#include "namenode/namespace/links.h"
#include "proto/message.h"

/* ---- records ---- */

int version_decode(struct slice record, struct arena *a, struct version *ret, struct err *reterr)
{
    ProtobufCMessage *message = NULL;
    int rc = message_unpack(&cairn__version_record__descriptor, record, a, &message, reterr);
    if (rc)
        return err_prefix(reterr, rc, "metadata store: a version is damaged");
    const Cairn__VersionRecord *r = (const Cairn__VersionRecord *)message;
    if (r->has_child == r->has_inode)
        return err_set(reterr, ERR_IO, "metadata store: a version is damaged");
    *ret = (struct version){
        r->child, {r->inode.data, r->inode.len}, snapshot_refs_decode(r->saved_for, r->n_saved_for, a), r->n_saved_for};
    return 0;
}

void version_encode(const struct version *v, struct buf *to)
{
    Cairn__VersionRecord r = CAIRN__VERSION_RECORD__INIT;
    r.n_saved_for = v->ref_count;
    r.saved_for = snapshot_refs_encode(v->refs, v->ref_count);
    r.has_inode = v->inode.base != NULL;
    r.inode = (ProtobufCBinaryData){v->inode.len, (uint8_t *)(uintptr_t)v->inode.base};
    r.has_child = !r.has_inode;
    r.child = v->child;
    message_pack(to, &r.base);
    free(r.saved_for);
}

void version_put(struct txn *t, const struct key *key, uint64_t tag, const struct version *v)
{
    AUTO(buf_free) struct buf record = {0};
    version_encode(v, &record);
    store_batch_put(txn_batch(t), key->bytes, key->len, record.base, record.len);
    for (size_t i = 0; i < v->ref_count; i++) {
        struct key k;
        key_of_saved_for(&k, v->refs[i].dir, tag, key);
        store_batch_put(txn_batch(t), k.bytes, k.len, "", 0);
    }
}

void version_delete(struct txn *t, const struct key *key, uint64_t tag, const struct version *v)
{
    store_batch_delete(txn_batch(t), key->bytes, key->len);
    for (size_t i = 0; i < v->ref_count; i++) {
        struct key k;
        key_of_saved_for(&k, v->refs[i].dir, tag, key);
        store_batch_delete(txn_batch(t), k.bytes, k.len);
    }
}

/* ---- what covers an inode, as of before the commit ---- */

struct covering {
    uint64_t inode, latest;          /* the newest of refs; 0: nothing covers it */
    const struct snapshot_ref *refs; /* ids are live ones */
    size_t count;
};

struct recording {
    struct txn *t;
    const struct inode_change *changes;
    size_t change_count;
    struct buf known; /* struct covering of directories seen so far */
};

static const struct inode_change *change_of(const struct recording *r, uint64_t id)
{
    for (size_t i = 0; i < r->change_count; i++) {
        const struct inode_change *c = &r->changes[i];
        if ((c->before ? c->before->id : c->after->id) == id)
            return c;
    }
    return NULL;
}

static int inode_before(const struct recording *r, uint64_t id, struct inode **ret, struct err *reterr)
{
    const struct inode_change *c = change_of(r, id);
    if (c && c->before) {
        *ret = c->before;
        return 0;
    }
    for (size_t i = 0; !c && i < r->t->inode_count; i++)
        if (r->t->inodes[i]->id == id && !r->t->inodes[i]->is_erased) {
            *ret = r->t->inodes[i]; /* not changed: what the store has */
            return 0;
        }
    return txn_peek(r->t, id, ret, reterr);
}

/* As far as there are live snapshots in it. */
static void add_ref(const struct fsdir *dir, struct snapshot_ref *refs, size_t *count, struct snapshot_ref ref)
{
    ref.id = history_live_up_to(dir, ref.dir, ref.id);
    if (ref.id <= ref.after)
        return;
    for (size_t i = 0; i < *count; i++) {
        struct snapshot_ref *r = &refs[i], *low = ref.id < r->id ? &ref : r, *high = low == r ? &ref : r;
        bool touch =
            r->dir == ref.dir && (high->after <= low->id || history_live_up_to(dir, ref.dir, high->after) <= low->id);
        if (touch) {
            r->after = r->after < ref.after ? r->after : ref.after;
            r->id = r->id > ref.id ? r->id : ref.id;
            return;
        }
    }
    refs[(*count)++] = ref;
}

/* n's own, and those of the directory above since n is there. */
static struct covering cover(const struct recording *r, const struct inode *n, const struct covering *above)
{
    const struct fsdir *dir = r->t->dir;
    struct covering c = {.inode = n->id};
    struct snapshot_ref *refs = arena_array(&r->t->arena, struct snapshot_ref, above->count + n->floor_count + 1);
    for (size_t i = 0; i < above->count; i++) {
        struct snapshot_ref ref = above->refs[i];
        ref.after = ref.after > n->entered ? ref.after : n->entered;
        add_ref(dir, refs, &c.count, ref);
    }
    for (size_t i = 0; i < n->floor_count; i++)
        add_ref(dir, refs, &c.count, n->floors[i]);
    if (n->is_snapshottable)
        add_ref(dir, refs, &c.count, (struct snapshot_ref){n->id, 0, UINT64_MAX});
    for (size_t i = 0; i < c.count; i++)
        c.latest = refs[i].id > c.latest ? refs[i].id : c.latest;
    c.refs = refs;
    return c;
}

/* What covers the directory of another name of an inode does so since the inode has that name. */
static struct covering cover_also(const struct recording *r, const struct covering *c, const struct covering *above,
                                  uint64_t entered)
{
    struct covering both = *c;
    struct snapshot_ref *refs = arena_array(&r->t->arena, struct snapshot_ref, c->count + above->count);
    if (c->count)
        memcpy(refs, c->refs, c->count * sizeof *refs);
    for (size_t i = 0; i < above->count; i++) {
        struct snapshot_ref ref = above->refs[i];
        ref.after = ref.after > entered ? ref.after : entered;
        add_ref(r->t->dir, refs, &both.count, ref);
    }
    for (size_t i = 0; i < both.count; i++)
        both.latest = refs[i].id > both.latest ? refs[i].id : both.latest;
    both.refs = refs;
    return both;
}

static const struct covering *known(const struct recording *r, uint64_t id)
{
    const struct covering *list = (void *)r->known.base;
    for (size_t i = r->known.len / sizeof *list; i-- > 0;)
        if (list[i].inode == id)
            return &list[i];
    return NULL;
}

#define DEPTH_MAX 20000

/* Walks up to the root or to something known, then down again. */
static int covering_by_first_link(struct recording *r, const struct inode *n, struct covering *ret, struct err *reterr)
{
    AUTO(buf_free) struct buf chain = {0};
    const struct covering *top = NULL;
    for (size_t depth = 0; !(top = known(r, n->id)); depth++) {
        buf_append(&chain, &n, sizeof(struct inode *));
        if (n->id == INODE_ROOT || n->parent == INODE_NONE)
            break;
        struct inode *parent = NULL;
        int rc = depth == DEPTH_MAX ? err_set(reterr, ERR_IO, "metadata store: inode %llu hangs below itself",
                                              (unsigned long long)n->id)
                                    : inode_before(r, n->parent, &parent, reterr);
        if (rc)
            return rc;
        n = parent;
    }
    struct covering c = top ? *top : (struct covering){0};
    const struct inode *const *list = (void *)chain.base;
    for (size_t i = chain.len / sizeof *list; i-- > 0;) {
        c = cover(r, list[i], &c);
        if (inode_is_dir(list[i]))
            buf_append(&r->known, &c, sizeof c);
    }
    *ret = c;
    return 0;
}

static int covering_of(struct recording *r, const struct inode *n, struct covering *ret, struct err *reterr)
{
    struct inode_link *links = NULL;
    size_t link_count = 0;
    struct covering c = {0};
    int rc = covering_by_first_link(r, n, &c, reterr);
    if (!rc && n->more_links)
        rc = links_stored(r->t, n->id, &links, &link_count, reterr);
    for (size_t i = 0; !rc && i < link_count; i++) {
        struct inode *parent = NULL;
        struct covering above = {0};
        rc = inode_before(r, links[i].parent, &parent, reterr);
        rc = rc ? rc : covering_by_first_link(r, parent, &above, reterr);
        if (!rc && above.count)
            c = cover_also(r, &c, &above, links[i].entered);
    }
    *ret = c;
    return rc;
}

/* ---- saving ---- */

static bool is_same(const struct covering *a, const struct covering *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        bool found = false;
        for (size_t k = 0; k < b->count && !found; k++)
            found = !memcmp(&a->refs[i], &b->refs[k], sizeof a->refs[i]);
        same = found;
    }
    return same;
}

/* Moved, or cut off: what covered it so far goes with it, unless its new place says the same. */
static int keep_floors(struct recording *r, const struct covering *here, struct inode *after, struct err *reterr)
{
    struct covering above = {0};
    const struct inode_change *to = change_of(r, after->parent);
    if (after->parent != INODE_NONE && (!to || to->before)) {
        struct inode *parent = NULL;
        int rc = inode_before(r, after->parent, &parent, reterr);
        rc = rc ? rc : covering_of(r, parent, &above, reterr);
        if (rc)
            return rc;
        struct covering there = cover(r, after, &above);
        if (is_same(here, &there))
            return 0;
    }
    struct snapshot_ref *floors = arena_array(&r->t->arena, struct snapshot_ref, here->count);
    for (size_t i = 0; i < here->count; i++)
        floors[i] = here->refs[i];
    after->floors = floors;
    after->floor_count = here->count;
    after->entered = r->t->counters.last_snapshot;
    return 0;
}

static bool only_atime_changes(const struct inode_change *c)
{
    if (!c->after || c->after->atime_ns == c->before->atime_ns)
        return false;
    AUTO(buf_free) struct buf before = {0}, after = {0};
    struct inode as_before = *c->after;
    as_before.atime_ns = c->before->atime_ns;
    as_before.ctime_ns = c->before->ctime_ns;
    inode_encode(c->before, &before);
    inode_encode(&as_before, &after);
    return before.len == after.len && !memcmp(before.base, after.base, after.len);
}

/* *ret_saved: the version has what was before. */
static int save_inode(struct recording *r, const struct inode_change *c, bool *ret_saved, struct err *reterr)
{
    struct covering by;
    if (r->t->dir->atime_changes_in_snapshots && only_atime_changes(c))
        return 0;
    int rc = covering_of(r, c->before, &by, reterr);
    if (rc)
        return rc;
    *ret_saved = by.latest > c->before->saved;
    if (*ret_saved) {
        AUTO(buf_free) struct buf record = {0};
        struct key key;
        key_of_inode_version(&key, c->before->id, by.latest);
        struct inode *then = arena_memdup(&r->t->arena, c->before, sizeof *then);
        if (then->block_count)
            then->blocks = arena_memdup(&r->t->arena, then->blocks, then->block_count * sizeof *then->blocks);
        if (c->after)
            then->storage_policy = c->after->storage_policy;
        history_settle(then);
        inode_encode(then, &record);
        struct pending_version pending = {then->id, by.latest, then};
        buf_append(&r->t->versions, &pending, sizeof pending);
        version_put(r->t, &key, by.latest, &(struct version){0, buf_slice(&record), by.refs, by.count});
    }
    if (!c->after)
        return 0;
    c->after->saved = r->t->dir->counters.last_snapshot;
    return c->after->parent != c->before->parent ? keep_floors(r, &by, c->after, reterr) : 0;
}

struct saved_entry {
    struct version version;
    bool is_found, is_newest;
};

static bool is_of_same_entry(struct store_iter *it, const struct key *version)
{
    struct slice at = store_iter_valid(it) ? store_iter_key(it) : (struct slice){0};
    return at.len == version->len && !memcmp(at.base, version->bytes, version->len - 8);
}

/* Once, though a commit may take a name away and give it again. */
static void note_kept(struct txn *t, const struct entry_change *e, uint64_t child)
{
    const struct kept_entry *list = (void *)t->kept_entries.base;
    for (size_t i = 0; i < t->kept_entries.len / sizeof *list; i++)
        if (list[i].dir == e->parent && !strcmp(list[i].name, e->name))
            return;
    struct kept_entry kept = {e->parent, e->name, child};
    if (child)
        buf_append(&t->kept_entries, &kept, sizeof kept);
}

/* Is there a version of the entry with a tag that is not older? Then it says what the entry was. key: the one of that
 * tag, becomes the version's. */
static int find_saved_entry(struct txn *t, struct key *key, struct saved_entry *ret, struct err *reterr)
{
    struct store_iter *it = store_iter_new(t->dir->store, NULL, true);
    store_iter_seek(it, key->bytes, key->len);
    int rc = 0;
    ret->is_found = is_of_same_entry(it, key);
    if (ret->is_found) {
        memcpy(key->bytes, store_iter_key(it).base, key->len);
        rc = version_decode(store_iter_value(it), &t->arena, &ret->version, reterr);
        store_iter_next(it);
        ret->is_newest = !is_of_same_entry(it, key);
    }
    rc = rc || store_iter_valid(it) ? rc : store_iter_status(it, reterr);
    store_iter_free(it);
    return rc;
}

/* No other change of the commit is of the same entry. */
static bool is_last_of_entry(const struct entry_change *e, const struct entry_change *end)
{
    for (const struct entry_change *later = e + 1; later < end; later++)
        if (later->parent == e->parent && !strcmp(later->name, e->name))
            return false;
    return true;
}

/* A name that came after the snapshots and goes before the next one leaves nothing behind: its newest version says no
 * more than that it is not there, which is true again. */
static int save_entry(struct recording *r, const struct entry_change *e, const struct entry_change *end,
                      struct err *reterr)
{
    const struct inode_change *c = change_of(r, e->parent);
    struct saved_entry saved = {.is_found = false};
    struct covering by;
    if (!c || !c->before)
        return 0;
    int rc = covering_of(r, c->before, &by, reterr);
    if (rc || !by.latest)
        return rc;
    size_t name_len = strlen(e->name);
    struct key version;
    key_of_entry_version(&version, e->parent, e->name, name_len, by.latest);
    if (c->before->saved >= by.latest)
        rc = find_saved_entry(r->t, &version, &saved, reterr);
    if (!rc && saved.is_newest && !saved.version.child && !e->is_there && is_last_of_entry(e, end))
        version_delete(r->t, &version, be64_get(version.bytes + version.len - 8), &saved.version);
    if (rc || saved.is_found)
        return rc;
    struct key now;
    key_of_dentry(&now, e->parent, e->name, name_len);
    AUTO(store_value_free) struct store_value value = {0};
    rc = store_get(r->t->dir->store, NULL, now.bytes, now.len, &value, reterr);
    if (rc && rc != ERR_NOT_FOUND)
        return rc;
    uint64_t child = value.len == 8 ? be64_get((const uint8_t *)value.base) : 0;
    version_put(r->t, &version, by.latest, &(struct version){child, {0}, by.refs, by.count});
    note_kept(r->t, e, child);
    return 0;
}

/* ---- blocks ---- */

static bool has_block(const struct inode *n, uint64_t id)
{
    for (size_t i = n ? n->block_count : 0; i-- > 0;)
        if (n->blocks[i].id == id)
            return n->blocks[i].length_bytes != 0;
    return false;
}

int version_inode_at(struct txn *t, struct store_iter *it, uint64_t id, struct inode **ret, struct err *reterr)
{
    *ret = NULL;
    struct slice key = store_iter_valid(it) ? store_iter_key(it) : (struct slice){0};
    struct version v;
    if (key.len != 17 || key.base[0] != 'I' || be64_get(key.base + 1) != id)
        return store_iter_valid(it) ? 0 : store_iter_status(it, reterr);
    int rc = version_decode(store_iter_value(it), &t->arena, &v, reterr);
    return rc ? rc : inode_decode(id, v.inode, &t->arena, ret, reterr);
}

/* Does any version have it, however old? */
static int any_version_has(struct txn *t, uint64_t id, uint64_t block_id, bool *ret, struct err *reterr)
{
    struct store_iter *it = store_iter_new(t->dir->store, NULL, true);
    struct key first;
    key_of(&first, 'I', id);
    struct inode *n = NULL;
    int rc = 0;
    *ret = false;
    for (store_iter_seek(it, first.bytes, first.len); !rc && !*ret; store_iter_next(it)) {
        rc = version_inode_at(t, it, id, &n, reterr);
        if (!n)
            break;
        *ret = has_block(n, block_id);
    }
    store_iter_free(it);
    return rc;
}

/* A block that a version has, the newest one has too (or what is saved now); but not what a copy has replaced. */
static int mark_kept(struct recording *r, const bool *saved, struct err *reterr)
{
    struct block_drop *drops = (void *)r->t->drops.base;
    uint64_t looked_at = 0;
    struct inode *newest = NULL;
    for (size_t i = 0; i < r->t->drops.len / sizeof *drops; i++) {
        const struct inode_change *c = change_of(r, drops[i].inode);
        if (!c || !c->before)
            continue;
        if (looked_at != drops[i].inode) {
            looked_at = drops[i].inode;
            newest = saved[c - r->changes] ? c->before : NULL;
            int rc = newest ? 0 : history_newest(r->t, looked_at, false, &newest, NULL, reterr);
            if (rc)
                return rc;
        }
        drops[i].is_kept = has_block(newest, drops[i].block.id);
        int rc =
            drops[i].is_source ? any_version_has(r->t, looked_at, drops[i].block.id, &drops[i].is_kept, reterr) : 0;
        if (rc)
            return rc;
    }
    return 0;
}

/* It loses its last name, or is given one again. */
static int note_place(struct txn *t, const struct inode_change *c, struct err *reterr)
{
    bool was_gone = c->before->parent == INODE_NONE, is_gone = !c->after || c->after->parent == INODE_NONE;
    return was_gone == is_gone ? 0 : history_place_changes(t, c->before->id, INODE_NONE, is_gone, reterr);
}

int history_record(struct txn *t, const struct inode_change *changes, size_t count, struct err *reterr)
{
    struct recording r = {t, changes, count, {0}};
    bool *saved = arena_array(&t->arena, bool, count + 1);
    buf_clear(&t->kept_entries);
    const struct entry_change *entries = (void *)t->entries.base, *end = entries; /* NULL: there are none */
    if (t->entries.len)
        end += t->entries.len / sizeof *entries;
    int rc = 0;
    for (const struct entry_change *e = entries; !rc && e < end; e++)
        rc = save_entry(&r, e, end, reterr);
    for (size_t i = 0; !rc && i < count; i++)
        if (changes[i].before) {
            rc = save_inode(&r, &changes[i], &saved[i], reterr);
            rc = rc ? rc : note_place(t, &changes[i], reterr);
        }
    rc = rc ? rc : mark_kept(&r, saved, reterr);
    buf_free(&r.known);
    return rc;
}

/* ---- what is no part of a snapshot ---- */

static int change_policy(struct txn *t, struct slice key, struct slice record, uint8_t policy, struct err *reterr)
{
    struct version v;
    struct inode *n = NULL;
    AUTO(buf_free) struct buf inode = {0}, version = {0};
    int rc = version_decode(record, &t->arena, &v, reterr);
    rc = rc ? rc : inode_decode(be64_get(key.base + 1), v.inode, &t->arena, &n, reterr);
    if (rc)
        return rc;
    n->storage_policy = policy;
    inode_encode(n, &inode);
    v.inode = buf_slice(&inode);
    version_encode(&v, &version);
    store_batch_put(txn_batch(t), key.base, key.len, version.base, version.len);
    return 0;
}

int history_change_policy(struct txn *t, uint64_t id, uint8_t policy, struct err *reterr)
{
    if (!history_is_used(t->dir))
        return 0;
    struct store_iter *it = store_iter_new(t->dir->store, NULL, true);
    struct key first;
    key_of(&first, 'I', id);
    int rc = 0;
    for (store_iter_seek(it, first.bytes, first.len); !rc && store_iter_valid(it); store_iter_next(it)) {
        struct slice key = store_iter_key(it);
        if (key.len != 17 || key.base[0] != 'I' || be64_get(key.base + 1) != id)
            break;
        rc = change_policy(t, key, store_iter_value(it), policy, reterr);
    }
    rc = rc ? rc : store_iter_status(it, reterr);
    store_iter_free(it);
    return rc;
}

/* ---- questions before a change ---- */

static int covering_now(struct txn *t, const struct inode *n, struct covering *ret, struct err *reterr)
{
    struct recording r = {.t = t};
    int rc = covering_of(&r, n, ret, reterr);
    buf_free(&r.known);
    return rc;
}

int history_keeps_block(struct txn *t, struct inode *n, const struct file_block *b, bool *ret, struct err *reterr)
{
    struct covering by = {0};
    struct inode *newest = NULL;
    *ret = false;
    if (!history_is_used(t->dir))
        return 0;
    int rc = covering_now(t, n, &by, reterr);
    if (rc)
        return rc;
    if (by.latest > n->saved) { /* what is committed now will be saved */
        rc = txn_peek(t, n->id, &newest, reterr);
    } else {
        rc = history_newest(t, n->id, false, &newest, NULL, reterr);
    }
    *ret = !rc && has_block(newest, b->id);
    return rc;
}

int history_replicas_kept(struct txn *t, struct inode *n, uint16_t *ret, struct err *reterr)
{
    struct covering by = {0};
    struct inode *saved = NULL;
    *ret = 0;
    if (!history_is_used(t->dir))
        return 0;
    int rc = covering_now(t, n, &by, reterr);
    rc = rc ? rc : history_most_replicas(t, n->id, false, ret, reterr);
    if (!rc && by.latest > n->saved) /* what is committed now will be saved */
        rc = txn_peek(t, n->id, &saved, reterr);
    if (saved && saved->replication > *ret)
        *ret = saved->replication;
    return rc;
}

int history_is_covered(struct txn *t, struct inode *n, bool *ret, struct err *reterr)
{
    struct covering by = {0};
    struct inode *newest = NULL;
    *ret = false;
    if (!history_is_used(t->dir))
        return 0;
    int rc = covering_now(t, n, &by, reterr);
    if (!rc && by.latest)
        *ret = true;
    else if (!rc)
        rc = history_newest(t, n->id, false, &newest, NULL, reterr);
    *ret = *ret || newest;
    return rc;
}

int history_place_if_removed(struct txn *t, struct inode *n, uint64_t *ret, struct err *reterr)
{
    struct covering by = {0};
    struct inode *newest = NULL;
    *ret = INODE_NONE;
    if (!history_is_used(t->dir))
        return 0;
    int rc = covering_now(t, n, &by, reterr);
    if (!rc && by.latest > n->saved) /* a version will be saved */
        *ret = n->parent;
    else if (!rc)
        rc = history_newest(t, n->id, false, &newest, NULL, reterr);
    if (newest)
        *ret = newest->parent;
    return rc;
}

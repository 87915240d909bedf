/* Keeping the usage of quota directories up to date, one commit at a time. */
#include <string.h>

#include "cairn/store.pb-c.h"
#include "namenode/namespace/history_held.h"
#include "namenode/namespace/keys.h"
#include "namenode/namespace/quota.h"
#include "namenode/namespace/quota_internal.h"
#include "namenode/namespace/quota_sum.h"
#include "proto/message.h"

/* ---- records ---- */

int quota_usage_read(struct txn *t, uint64_t id, struct quota_usage *ret, struct err *reterr)
{
    struct key k;
    key_of(&k, 'q', id);
    AUTO(store_value_free) struct store_value v = {0};
    ProtobufCMessage *message = NULL;
    int rc = store_get(t->dir->store, t->snapshot, k.bytes, k.len, &v, reterr);
    if (!rc)
        rc = message_unpack(&cairn__quota_record__descriptor, (struct slice){(uint8_t *)v.base, v.len}, &t->arena,
                            &message, reterr);
    if (rc)
        return err_set(reterr, ERR_IO, "metadata store: the quota record of inode %llu is missing or damaged",
                       (unsigned long long)id);
    const Cairn__QuotaRecord *r = (const Cairn__QuotaRecord *)message;
    *ret = (struct quota_usage){.names = (int64_t)r->names, .space = (int64_t)r->space};
    for (size_t i = 0; i < r->n_type; i++)
        if (r->type[i]->type < STORAGE_TYPES)
            ret->types[r->type[i]->type] = (int64_t)r->type[i]->bytes;
    return 0;
}

static uint64_t at_least_zero(int64_t n)
{
    return n > 0 ? (uint64_t)n : 0;
}

void quota_usage_put(struct txn *t, uint64_t id, const struct quota_usage *u)
{
    Cairn__QuotaRecord r = CAIRN__QUOTA_RECORD__INIT;
    Cairn__TypeQuotaRecord types[STORAGE_TYPES], *list[STORAGE_TYPES];
    r.names = at_least_zero(u->names);
    r.space = at_least_zero(u->space);
    r.type = list;
    for (uint32_t type = 0; type < STORAGE_TYPES; type++)
        if (u->types[type] > 0) {
            list[r.n_type] = &types[r.n_type];
            cairn__type_quota_record__init(list[r.n_type]);
            list[r.n_type]->type = type;
            list[r.n_type++]->bytes = (uint64_t)u->types[type];
        }
    struct buf record = {0};
    struct key k;
    key_of(&k, 'q', id);
    message_pack(&record, &r.base);
    store_batch_put(txn_batch(t), k.bytes, k.len, record.base, record.len);
    buf_free(&record);
}

void quota_forget(struct txn *t, const struct inode *n)
{
    struct key k;
    key_of(&k, 'q', n->id);
    store_batch_delete(txn_batch(t), k.bytes, k.len);
    t->counters.quotas--;
}

/* ---- the charges of a commit ---- */

struct charge {
    struct inode *dir;
    struct quota_usage delta;
    struct quota_usage forced; /* the part of it that is not refused */
    int64_t step;              /* most names added by one inode */
};
struct quota_charges {
    struct charge *list;
    size_t count, capacity;
};

static struct charge *charge_of(struct txn *t, struct quota_charges *all, struct inode *dir)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].dir == dir)
            return &all->list[i];
    if (all->count == all->capacity) {
        all->capacity = all->capacity ? all->capacity * 2 : 8;
        struct charge *grown = arena_array(&t->arena, struct charge, all->capacity);
        if (all->count)
            memcpy(grown, all->list, all->count * sizeof *grown);
        all->list = grown;
    }
    all->list[all->count] = (struct charge){.dir = dir};
    return &all->list[all->count++];
}

static void force_chain(struct txn *t, struct quota_charges *all, const struct quota_chain *chain,
                        const struct quota_usage *usage)
{
    for (size_t i = 0; i < chain->count; i++)
        quota_usage_add(&charge_of(t, all, chain->dirs[i])->forced, usage, 1);
}

static void charge_chain(struct txn *t, struct quota_charges *all, const struct quota_chain *chain,
                         const struct quota_usage *usage, int sign)
{
    for (size_t i = 0; i < chain->count; i++) {
        struct charge *c = charge_of(t, all, chain->dirs[i]);
        quota_usage_add(&c->delta, usage, sign);
        if (sign > 0 && usage->names > c->step)
            c->step = usage->names;
    }
}

/* A directory with everything placed in it; false: nobody has made the sum. */
bool quota_of_subtree(struct txn *t, const struct inode *n, struct quota_usage *ret, int *ret_rc, struct err *reterr)
{
    *ret_rc = 0;
    if (n->quota) {
        *ret_rc = quota_usage_read(t, n->id, ret, reterr);
        return true;
    }
    for (const struct quota_watch *w = t->dir->watches; w; w = w->next)
        if (w->id == n->id && w->is_summed) {
            *ret = w->sum;
            quota_usage_add(ret, &w->since, 1);
            return true;
        }
    return false;
}

int quota_sum_unknown(const struct inode *n, struct err *reterr)
{
    return err_set(reterr, ERR_RETRIABLE, "The quotas around directory '%s' have just been changed: try again",
                   n->name);
}

static uint8_t policy_of(const struct inode *n, const struct quota_chain *above)
{
    return n->storage_policy != POLICY_UNSPECIFIED ? n->storage_policy : above->policy;
}

/* An inode's own charge, and whose quotas it goes to: before the commit, or after it. */
struct side {
    struct quota_chain chain;
    struct quota_usage own;
};

static int file_usage(struct txn *t, uint64_t id, const struct inode *now, bool after, struct side *s,
                      struct err *reterr)
{
    const struct inode *whole = now;
    int rc = history_is_used(t->dir) ? history_whole_file(t, id, now, after, &whole, reterr) : 0;
    if (rc || !whole)
        return rc;
    quota_usage_of(whole, policy_of(whole, &s->chain), &s->own);
    s->own.names = now != NULL;
    return 0;
}

/* n: as it is on that side; NULL: it has no record. */
static int side_of(struct txn *t, const struct inode_change *c, bool after, struct side *ret, struct err *reterr)
{
    const struct inode *n = after ? c->after : c->before, *any = n ? n : after ? c->before : c->after;
    bool has_name = n && n->parent != INODE_NONE;
    *ret = (struct side){.own.names = has_name};
    int rc = 0;
    if (has_name)
        rc = quota_chain_of(t, n->parent, &ret->chain, reterr);
    else if (history_is_used(t->dir))
        rc = quota_chain_gone(t, any->id, after, &ret->chain, reterr);
    if (!rc && ret->chain.count && inode_is_file(any))
        rc = file_usage(t, any->id, has_name ? n : NULL, after, ret, reterr);
    return rc;
}

/* It stays where it is: only a file's blocks can make a difference. */
static int charge_in_place(struct txn *t, struct quota_charges *all, const struct inode_change *c, struct err *reterr)
{
    struct side before = {0}, after = {0};
    if (!inode_is_file(c->after))
        return 0;
    int rc = quota_chain_of(t, c->after->parent, &after.chain, reterr);
    if (rc || !after.chain.count)
        return rc;
    before.chain = after.chain;
    rc = file_usage(t, c->before->id, c->before, false, &before, reterr);
    rc = rc ? rc : file_usage(t, c->after->id, c->after, true, &after, reterr);
    quota_usage_add(&after.own, &before.own, -1);
    if (!rc && !quota_usage_is_zero(&after.own))
        charge_chain(t, all, &after.chain, &after.own, 1);
    return rc;
}

bool quota_has_content(struct txn *t, const struct inode *n)
{
    return inode_is_dir(n) && (n->child_count || (history_is_used(t->dir) && history_has_remains(t, n->id)));
}

/* A directory with all that is placed in it goes from one chain to another. */
static int subtree_that_moves(struct txn *t, const struct inode_change *c, const struct quota_chain *from,
                              struct quota_usage *ret, struct err *reterr)
{
    const struct inode *n = c->before;
    int rc;
    if (quota_of_subtree(t, n, ret, &rc, reterr))
        return rc;
    if (t->is_reaping)
        t->unsummed = n->id;
    else if (!n->child_count && (!c->after || c->after->parent == INODE_NONE))
        return quota_sum_now(t, n->id, from->policy, ret, reterr); /* it is removed: only what snapshots hold is left */
    return quota_sum_unknown(n, reterr);
}

/* It comes, goes or moves. */
static int charge_move(struct txn *t, struct quota_charges *all, const struct inode_change *c, struct err *reterr)
{
    struct side from = {0}, to = {0};
    int rc = c->before ? side_of(t, c, false, &from, reterr) : 0;
    rc = rc ? rc : side_of(t, c, true, &to, reterr);
    bool is_elsewhere = !quota_chain_is_same(&from.chain, &to.chain);
    if (!rc && c->before && is_elsewhere && quota_has_content(t, c->before)) {
        struct quota_usage all_of_it = {0};
        rc = subtree_that_moves(t, c, &from.chain, &all_of_it, reterr);
        quota_usage_add(&to.own, &all_of_it, 1);
        quota_usage_add(&to.own, &from.own, -1);
        from.own = all_of_it;
    }
    if (rc)
        return rc;
    charge_chain(t, all, &from.chain, &from.own, -1);
    charge_chain(t, all, &to.chain, &to.own, 1);
    bool is_removed = !c->after || c->after->parent == INODE_NONE;
    if ((is_removed && is_elsewhere) || (c->after && c->after->was_promoted))
        force_chain(t, all, &to.chain, &to.own); /* no removal is refused */
    return 0;
}

/* A name that did not count is removed, but for a snapshot: now it does. */
static bool is_uncounted_name(const struct inode_change *changes, size_t count, const struct kept_entry *e)
{
    for (size_t i = 0; i < count; i++) {
        const struct inode *before = changes[i].before, *after = changes[i].after;
        if (before && before->id == e->child)
            return !inode_is_first_link(before, e->dir, e->name, strlen(e->name)) &&
                   !(after && after->more_links == before->more_links);
    }
    return false;
}

/* Names that snapshots hold from now on: instead of those that are removed, beside those that are renamed. */
static int charge_entries(struct txn *t, struct quota_charges *all, const struct inode_change *changes, size_t count,
                          struct err *reterr)
{
    const struct kept_entry *list = (void *)t->kept_entries.base;
    static const struct quota_usage name = {.names = 1};
    for (size_t i = 0; i < t->kept_entries.len / sizeof *list; i++) {
        struct quota_chain chain;
        int rc = quota_chain_of(t, list[i].dir, &chain, reterr);
        if (rc)
            return rc;
        charge_chain(t, all, &chain, &name, 1);
        if (is_uncounted_name(changes, count, &list[i]))
            force_chain(t, all, &chain, &name);
    }
    return 0;
}

static int charges_put(struct txn *t, const struct quota_charges *all, struct err *reterr)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct charge *c = &all->list[i];
        struct quota_usage used;
        const char *path = "";
        if (!c->dir->quota || quota_usage_is_zero(&c->delta))
            continue;
        int rc = quota_usage_read(t, c->dir->id, &used, reterr);
        struct quota_usage asked = c->delta;
        quota_usage_add(&asked, &c->forced, -1);
        if (!rc && !t->is_reaping && quota_check(c->dir->quota, &used, &asked, c->step, path, NULL)) {
            rc = txn_path(t, c->dir, &path, reterr);
            rc = rc ? rc : quota_check(c->dir->quota, &used, &asked, c->step, path, reterr);
        }
        if (rc)
            return rc;
        quota_usage_add(&used, &c->delta, 1);
        quota_usage_put(t, c->dir->id, &used);
    }
    return 0;
}

static int charge_changes(struct txn *t, struct quota_charges *all, const struct inode_change *changes, size_t count,
                          struct err *reterr)
{
    for (size_t i = 0; i < count; i++) {
        const struct inode_change *c = &changes[i];
        bool stays = c->before && c->after && c->before->parent == c->after->parent && c->after->parent != INODE_NONE;
        bool is_root = c->after && c->after->id == INODE_ROOT;
        int rc = is_root ? 0 : stays ? charge_in_place(t, all, c, reterr) : charge_move(t, all, c, reterr);
        if (rc)
            return rc;
    }
    return charge_entries(t, all, changes, count, reterr);
}

static struct quota_charges *charges_of(struct txn *t)
{
    if (!t->charges)
        t->charges = arena_new(&t->arena, struct quota_charges);
    return t->charges;
}

int quota_charge(struct txn *t, const struct inode_change *changes, size_t count, struct err *reterr)
{
    struct quota_charges *all = charges_of(t);
    int rc = charge_changes(t, all, changes, count, reterr);
    rc = rc ? rc : charges_put(t, all, reterr);
    if (rc)
        t->charges = NULL;
    return rc;
}

/* ---- the reaper's ---- */

int quota_drop_entry(struct txn *t, uint64_t dir, struct err *reterr)
{
    static const struct quota_usage name = {.names = 1};
    struct quota_chain chain;
    int rc = quota_chain_of(t, dir, &chain, reterr);
    if (!rc)
        charge_chain(t, charges_of(t), &chain, &name, -1);
    return rc;
}

int quota_drop_version(struct txn *t, uint64_t id, uint64_t tag, struct err *reterr)
{
    struct pending_version dropped = {id, tag, NULL};
    struct inode *now = NULL, *newest = NULL;
    struct side from = {0}, to = {0};
    int rc = txn_peek(t, id, &now, reterr);
    rc = rc == ERR_NOT_FOUND ? 0 : rc;
    rc = rc ? rc : history_newest(t, id, true, &newest, NULL, reterr);
    bool has_name = !rc && now && now->parent != INODE_NONE;
    if (rc || !newest || (has_name && !inode_is_file(now)))
        return rc;
    struct inode gone = *newest;
    gone.parent = INODE_NONE;
    gone.child_count = 0; /* as it was then */
    gone.quota = NULL;
    struct inode_change c = {has_name ? now : &gone, has_name ? now : &gone};
    size_t versions_len = t->versions.len;
    rc = side_of(t, &c, true, &from, reterr);
    buf_append(&t->versions, &dropped, sizeof dropped);
    rc = rc ? rc : side_of(t, &c, true, &to, reterr);
    if (!rc && !quota_chain_is_same(&from.chain, &to.chain) && quota_has_content(t, c.before)) {
        rc = subtree_that_moves(t, &c, &from.chain, &from.own, reterr); /* with its newest version it goes elsewhere */
        to.own = from.own;
    }
    t->versions.len = versions_len;
    if (rc)
        return rc;
    charge_chain(t, charges_of(t), &from.chain, &from.own, -1);
    charge_chain(t, charges_of(t), &to.chain, &to.own, 1);
    return 0;
}

void quota_charged(struct txn *t)
{
    for (struct quota_watch *w = t->dir->watches; t->charges && w; w = w->next)
        for (size_t i = 0; i < t->charges->count; i++)
            if (t->charges->list[i].dir->id == w->id)
                quota_usage_add(&w->since, &t->charges->list[i].delta, 1);
    t->charges = NULL;
}

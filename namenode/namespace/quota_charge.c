/* Keeping the usage of quota directories up to date, one commit at a time. */
#include <stdlib.h>
#include <string.h>

#include "cairn/store.pb-c.h"
#include "namenode/namespace/keys.h"
#include "namenode/namespace/quota.h"
#include "namenode/namespace/quota_sum.h"
#include "proto/message.h"

#define DEPTH_MAX 20000 /* as deep as anything can hang, see txn.c */

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

static void usage_put(struct txn *t, uint64_t id, const struct quota_usage *u)
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

/* ---- who is above ---- */

static bool is_watched(const struct fsdir *dir, uint64_t id)
{
    for (const struct quota_watch *w = dir->watches; w; w = w->next)
        if (w->id == id)
            return true;
    return false;
}

static void chain_append(struct txn *t, struct quota_chain *c, struct inode *n)
{
    if (c->count == c->capacity) {
        c->capacity = c->capacity ? c->capacity * 2 : 4;
        struct inode **grown = arena_array(&t->arena, struct inode *, c->capacity);
        if (c->count)
            memcpy(grown, c->dirs, c->count * sizeof *grown);
        c->dirs = grown;
    }
    c->dirs[c->count++] = n;
}

int quota_chain_of(struct txn *t, uint64_t first, struct quota_chain *ret, struct err *reterr)
{
    struct quota_chain c = {0};
    *ret = c;
    uint64_t id = first;
    for (size_t depth = 0;; depth++) {
        struct inode *n = NULL;
        if (id == INODE_NONE || depth == DEPTH_MAX)
            return 0;
        int rc = txn_inode(t, id, &n, reterr);
        if (rc)
            return rc;
        if (n->quota || is_watched(t->dir, id))
            chain_append(t, &c, n);
        if (c.policy == POLICY_UNSPECIFIED)
            c.policy = n->storage_policy;
        if (id == INODE_ROOT)
            break;
        id = n->parent;
    }
    *ret = c;
    return 0;
}

bool quota_chain_is_same(const struct quota_chain *a, const struct quota_chain *b)
{
    return a->count == b->count && (!a->count || !memcmp(a->dirs, b->dirs, a->count * sizeof *a->dirs));
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

/* A directory with everything below it; false: nobody has made the sum. */
static bool subtree_usage(struct txn *t, const struct inode *n, struct quota_usage *ret, int *ret_rc,
                          struct err *reterr)
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

static int sum_unknown(const struct inode *n, struct err *reterr)
{
    return err_set(reterr, ERR_RETRIABLE, "The quotas around directory '%s' have just been changed: try again",
                   n->name);
}

static uint8_t policy_of(const struct inode *n, const struct quota_chain *above)
{
    return n->storage_policy != POLICY_UNSPECIFIED ? n->storage_policy : above->policy;
}

/* It stays where it is: only a file's blocks can make a difference. */
static int charge_in_place(struct txn *t, struct quota_charges *all, const struct inode_change *c, struct err *reterr)
{
    struct quota_chain above;
    struct quota_usage before, after;
    if (!inode_is_file(c->after))
        return 0;
    int rc = quota_chain_of(t, c->after->parent, &above, reterr);
    if (rc || !above.count)
        return rc;
    quota_usage_of(c->before, policy_of(c->before, &above), &before);
    quota_usage_of(c->after, policy_of(c->after, &above), &after);
    quota_usage_add(&after, &before, -1);
    if (!quota_usage_is_zero(&after))
        charge_chain(t, all, &above, &after, 1);
    return 0;
}

/* It comes, goes or moves. */
static int charge_move(struct txn *t, struct quota_charges *all, const struct inode_change *c, struct err *reterr)
{
    struct quota_chain from = {0}, to = {0};
    struct quota_usage usage;
    const struct inode *n = c->after ? c->after : c->before;
    int rc = c->before ? quota_chain_of(t, c->before->parent, &from, reterr) : 0;
    if (!rc && c->after)
        rc = quota_chain_of(t, c->after->parent, &to, reterr);
    if (rc)
        return rc;
    if (inode_is_dir(n) && n->child_count && c->before) {
        if (quota_chain_is_same(&from, &to))
            return 0;
        if (!subtree_usage(t, n, &usage, &rc, reterr))
            return sum_unknown(n, reterr);
        if (rc)
            return rc;
        charge_chain(t, all, &from, &usage, -1);
        charge_chain(t, all, &to, &usage, 1);
        return 0;
    }
    if (c->before) {
        quota_usage_of(c->before, policy_of(c->before, &from), &usage);
        charge_chain(t, all, &from, &usage, -1);
    }
    if (c->after) {
        quota_usage_of(c->after, policy_of(c->after, &to), &usage);
        charge_chain(t, all, &to, &usage, 1);
        if (c->after->was_promoted)
            force_chain(t, all, &to, &usage);
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
        if (!rc && quota_check(c->dir->quota, &used, &asked, c->step, path, NULL)) {
            rc = txn_path(t, c->dir, &path, reterr);
            rc = rc ? rc : quota_check(c->dir->quota, &used, &asked, c->step, path, reterr);
        }
        if (rc)
            return rc;
        quota_usage_add(&used, &c->delta, 1);
        usage_put(t, c->dir->id, &used);
    }
    return 0;
}

int quota_charge(struct txn *t, const struct inode_change *changes, size_t count, struct err *reterr)
{
    struct quota_charges *all = arena_new(&t->arena, struct quota_charges);
    for (size_t i = 0; i < count; i++) {
        const struct inode_change *c = &changes[i];
        bool stays = c->before && c->after && c->before->parent == c->after->parent;
        bool is_root = c->after && c->after->id == INODE_ROOT;
        int rc = is_root ? 0 : stays ? charge_in_place(t, all, c, reterr) : charge_move(t, all, c, reterr);
        if (rc)
            return rc;
    }
    t->charges = all;
    return charges_put(t, all, reterr);
}

void quota_charged(struct txn *t)
{
    for (struct quota_watch *w = t->dir->watches; t->charges && w; w = w->next)
        for (size_t i = 0; i < t->charges->count; i++)
            if (t->charges->list[i].dir->id == w->id)
                quota_usage_add(&w->since, &t->charges->list[i].delta, 1);
    t->charges = NULL;
}

/* ---- setQuota ---- */

static int check_values(const struct fsdir *dir, const struct fs_user *u, int64_t names, int64_t space, uint8_t type,
                        struct err *reterr)
{
    if (!u->is_super && !dir->owners_set_quotas)
        return err_set(reterr, ERR_ACCESS,
                       "Access denied for user %s. Superuser privilege is required for operation %s%sQuota", u->name,
                       names == QUOTA_RESET || space == QUOTA_RESET ? "clear" : "set",
                       space == QUOTA_LEAVE ? "" : "Space");
    if (names < QUOTA_RESET || space < QUOTA_RESET)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Illegal value for nsQuota or ssQuota : %lld and %lld",
                       (long long)names, (long long)space);
    if (type && (names != QUOTA_LEAVE || !storage_type_has_quota(type)))
        return err_set(reterr, ERR_UNSUPPORTED_ACTION,
                       "Failed to set quota by storage type because either"
                       "dfs.quota.by.storage.type.enabled is set to true or nsQuota value is illegal %lld",
                       (long long)names);
    return 0;
}

int quota_check_setter(struct txn *t, const struct fs_user *u, const struct path *p, struct err *reterr)
{
    const struct inode *parent = path_parent(p);
    if (u->is_super || (t->dir->owners_set_quotas && parent && !access_check_owner(u, parent, p->text, NULL)))
        return 0;
    return err_set(reterr, ERR_ACCESS,
                   "Access denied for user %s. Superuser or owner of parent folder privilege is required", u->name);
}

static void values_put(struct quota *q, int64_t names, int64_t space, uint8_t type, bool is_root)
{
    if (is_root && names == QUOTA_RESET)
        q->names = QUOTA_NONE; /* of "/" that is: as many as there can be */
    else if (names != QUOTA_LEAVE)
        q->names = names;
    if (space != QUOTA_LEAVE)
        *(type ? &q->types[type] : &q->space) = space;
}

static int first_usage(struct txn *t, const struct inode *n, struct quota_usage *ret, struct err *reterr)
{
    int rc = 0;
    if (!n->child_count)
        *ret = (struct quota_usage){.names = 1};
    else if (!subtree_usage(t, n, ret, &rc, reterr))
        return sum_unknown(n, reterr);
    return rc;
}

int tree_set_quota(struct txn *t, const struct fs_user *u, const char *text, int64_t names, int64_t space, uint8_t type,
                   struct err *reterr)
{
    struct path p;
    int rc = check_values(t->dir, u, names, space, type, reterr);
    rc = rc ? rc : path_resolve(t, u, text, PATH_MAY_MISS, &p, reterr);
    rc = rc ? rc : quota_check_setter(t, u, &p, reterr);
    if (rc)
        return rc;
    struct inode *n = path_target(&p);
    if (!n)
        return err_set(reterr, ERR_NOT_FOUND, "Directory does not exist: %s", p.text);
    if (!inode_is_dir(n))
        return err_set(reterr, ERR_NOT_DIR, "`%s': Is not a directory", p.text);
    static const struct quota none = {QUOTA_NONE, QUOTA_NONE, {-1, -1, -1, -1, -1, -1, -1}};
    struct quota *q = arena_memdup(&t->arena, n->quota ? n->quota : &none, sizeof *q);
    bool is_root = n->id == INODE_ROOT;
    values_put(q, names, space, type, is_root);
    if (!quota_is_set(q, is_root)) {
        if (n->quota)
            quota_forget(t, n);
        n->quota = NULL;
    } else if (!n->quota) {
        struct quota_usage usage;
        rc = first_usage(t, n, &usage, reterr);
        if (rc)
            return rc;
        usage_put(t, n->id, &usage);
        t->counters.quotas++;
        n->quota = q;
    } else {
        n->quota = q;
    }
    txn_dirty(n);
    return 0;
}

/* ClientProtocol: quotas, and sums over a subtree: a walk on a snapshot, without the lock. */
#include <string.h>

#include "namenode/namespace/erasure.h"
#include "namenode/namespace/history_held.h"
#include "namenode/namespace/policy.h"
#include "namenode/namespace/quota_sum.h"
#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"

/* Before the sum of a subtree is made for somebody. */
static bool may_set_quota(struct namenode *nn, const struct fs_user *u, const char *path)
{
    struct txn t;
    struct path p;
    if (u->is_super || !nn->dir->owners_set_quotas)
        return u->is_super;
    namenode_lock(nn);
    txn_begin(&t, nn->dir, 0);
    bool may = !path_resolve(&t, u, path, PATH_MAY_MISS, &p, NULL) && !quota_check_setter(&t, u, &p, NULL);
    txn_end(&t);
    namenode_unlock(nn);
    return may;
}

void client_set_quota(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__SetQuotaRequestProto *q = (const void *)message;
    struct namenode *nn = context;
    struct fs_user user;
    struct quota_watch *watch = NULL;
    struct err why = {0};
    struct op op;
    uint8_t type = q->has_storagetype ? (uint8_t)q->storagetype : 0;
    fs_user_load(&user, nn->dir, op_caller(call));
    int rc = may_set_quota(nn, &user, q->path) ? quota_sum_for_set(nn, &user, q->path, &watch, &why) : 0;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__set_quota_response_proto, Hdfs__SetQuotaResponseProto);
    if (rc)
        op.err = why;
    rc = rc ? rc : op_check_safe_mode(&op, "set quota on", q->path);
    rc = rc ? rc
            : tree_set_quota(&op.t, &op.user, q->path, (int64_t)q->namespacequota, (int64_t)q->storagespacequota, type,
                             &op.err);
    op_end(&op, rc, &response->base);
    quota_sum_end(nn, watch);
}

/* ---- sums ---- */

struct sum {
    uint64_t files, directories, length;
    struct quota_usage usage; /* its names: files and directories */
};
struct sums {
    struct op *op;
    struct sum all, snapshots; /* snapshots: the part of all that only they have */
    struct buf stack;          /* of struct level */
    bool has_history;
    uint8_t policy; /* in the directory being looked at */
};
/* MOVED: at this place only in snapshots, but there elsewhere; counted as the snapshot shows it. */
enum presence { PRESENT, DELETED, MOVED };
struct level {
    uint64_t id, as_of;
    enum presence presence;
    uint8_t policy; /* in force above */
};

static void add_inode(const struct inode *n, const struct quota_usage *usage, struct sum *sum)
{
    sum->files += !inode_is_dir(n);
    sum->directories += inode_is_dir(n);
    sum->length += inode_length(n);
    quota_usage_add(&sum->usage, usage, 1);
}

/* Space is what a file and its versions take up, unless what a snapshot shows is asked for. */
static int add(struct sums *s, struct inode *n, uint8_t policy, enum presence presence)
{
    struct quota_usage usage, whole;
    const struct inode *all = n;
    int rc = presence == DELETED && inode_is_file(n) ? history_grow_last_block(&s->op->t, n, &s->op->err) : 0;
    if (rc)
        return rc;
    policy = n->storage_policy != POLICY_UNSPECIFIED ? n->storage_policy : policy;
    quota_usage_of(n, policy, &usage);
    if (n->is_other_link) { /* every name is counted, what it takes up once: where quotas charge it */
        add_inode(n, &(struct quota_usage){0}, &s->all);
        return 0;
    }
    if (s->has_history && inode_is_file(n) && (!n->as_of || presence == DELETED)) {
        rc = history_whole_file(&s->op->t, n->id, n, false, &all, &s->op->err);
        if (rc)
            return rc;
        quota_usage_of(all, policy, &whole);
        usage.space = whole.space;
    }
    add_inode(n, &usage, &s->all);
    if (presence != PRESENT)
        add_inode(n, &usage, &s->snapshots);
    return 0;
}

/* A directory is looked at later. */
static int add_or_push(struct sums *s, struct inode *n, enum presence presence)
{
    struct level below = {n->id, n->as_of, presence, s->policy};
    if (!inode_is_dir(n))
        return add(s, n, s->policy, presence);
    buf_append(&s->stack, &below, sizeof below);
    return 0;
}

static int add_children(struct sums *s, const struct inode *dir, enum presence presence)
{
    struct txn *t = &s->op->t;
    struct dir_iter d;
    int rc = 0;
    dir_iter_open(&d, t, dir, "", 0);
    for (size_t seen = 1; dir_iter_next(&d); seen++) {
        if (seen % 256 == 0)
            txn_reset(t);
        struct inode *n = NULL;
        rc = dir_iter_inode(&d, t, &n, &s->op->err);
        rc = rc ? rc : add_or_push(s, n, presence);
        if (rc)
            break;
    }
    int close_rc = dir_iter_close(&d, rc ? NULL : &s->op->err);
    return rc ? rc : close_rc;
}

static int add_deleted(void *context, struct inode *n, bool is_moved, struct err *reterr)
{
    return add_or_push(context, n, is_moved ? MOVED : DELETED);
}

static int check_look(struct op *op, struct inode *n, const char *top)
{
    if (access_allowed(&op->user, n, ACCESS_READ_EXECUTE))
        return 0;
    const char *where = top;
    if (txn_path(&op->t, n, &where, NULL))
        where = top;
    return access_check(&op->user, n, ACCESS_READ_EXECUTE, where, &op->err);
}

static int sum_directory(struct sums *s, const struct level *at, const char *top)
{
    struct op *op = s->op;
    struct inode *n = NULL;
    txn_reset(&op->t);
    int rc = history_inode(&op->t, at->id, at->as_of, &n, &op->err);
    if (!rc && at->presence == PRESENT)
        rc = check_look(op, n, top);
    if (rc)
        return rc;
    rc = add(s, n, at->policy, at->presence);
    if (rc)
        return rc;
    s->policy = n->storage_policy != POLICY_UNSPECIFIED ? n->storage_policy : at->policy;
    rc = add_children(s, n, at->presence);
    if (!rc && s->has_history && (!at->as_of || at->presence == DELETED)) {
        struct inode dir = {.id = at->id, .as_of = at->as_of}; /* n may be gone by now */
        rc = history_each_deleted(&op->t, &dir, add_deleted, s, &op->err);
    }
    return rc;
}

/* The target and all below it; of what is there now also what its snapshots have beside it, as HDFS does it. */
static int sum_subtree(struct op *op, const struct path *p, struct sum *ret, struct sum *ret_snapshots)
{
    struct inode *n = path_target(p);
    struct sums s = {.op = op, .policy = path_policy(p)};
    const char *top = arena_strdup(op->arena, p->text);
    namenode_lock(op->nn);
    s.has_history = history_is_used(op->nn->dir);
    namenode_unlock(op->nn);
    int rc = add_or_push(&s, n, PRESENT);
    while (!rc && s.stack.len) {
        struct level at;
        s.stack.len -= sizeof at;
        memcpy(&at, s.stack.base + s.stack.len, sizeof at);
        rc = sum_directory(&s, &at, top);
    }
    buf_free(&s.stack);
    *ret = s.all;
    *ret_snapshots = s.snapshots;
    return rc;
}

/* ---- answers ---- */

static struct quota quota_of(const struct inode *n)
{
    struct quota q = {QUOTA_NONE, QUOTA_NONE, {-1, -1, -1, -1, -1, -1, -1}};
    if (n->quota)
        q = *n->quota;
    if (n->id == INODE_ROOT && q.names < 0)
        q.names = INT64_MAX; /* HDFS's way to say that "/" always has one */
    return q;
}

/* NULL if there is nothing to say of any type. */
static Hdfs__StorageTypeQuotaInfosProto *types_of(struct arena *a, const struct quota *q, const struct quota_usage *u)
{
    static const uint8_t order[] = {STORAGE_SSD, STORAGE_DISK, STORAGE_ARCHIVE, STORAGE_PROVIDED, STORAGE_NVDIMM};
    Hdfs__StorageTypeQuotaInfosProto *infos = arena_new(a, Hdfs__StorageTypeQuotaInfosProto);
    bool any = false;
    hdfs__storage_type_quota_infos_proto__init(infos);
    infos->typequotainfo = arena_array(a, Hdfs__StorageTypeQuotaInfoProto *, ARRAY_COUNT(order));
    for (size_t i = 0; i < ARRAY_COUNT(order); i++) {
        Hdfs__StorageTypeQuotaInfoProto *info = arena_new(a, Hdfs__StorageTypeQuotaInfoProto);
        hdfs__storage_type_quota_info_proto__init(info);
        info->has_type = 1;
        info->type = (Hdfs__StorageTypeProto)order[i];
        info->quota = (uint64_t)q->types[order[i]];
        info->consumed = u->types[order[i]] > 0 ? (uint64_t)u->types[order[i]] : 0;
        infos->typequotainfo[infos->n_typequotainfo++] = info;
        any |= q->types[order[i]] >= 0 || u->types[order[i]] > 0;
    }
    return any ? infos : NULL;
}

void client_get_content_summary(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetContentSummaryRequestProto *q = (const void *)message;
    struct op op;
    struct path p;
    struct sum sum = {0}, snapshots = {0};
    struct quota quota = {0};
    op_begin_walk(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_content_summary_response_proto, Hdfs__GetContentSummaryResponseProto);
    Hdfs__ContentSummaryProto s = HDFS__CONTENT_SUMMARY_PROTO__INIT;
    int rc = path_resolve(&op.t, &op.user, q->path, PATH_NO_FOLLOW | PATH_SNAPSHOT, &p, &op.err);
    if (!rc) {
        quota = quota_of(path_target(&p));
        s.erasurecodingpolicy = arena_strdup(op.arena, path_erasure_policy(&p));
        rc = sum_subtree(&op, &p, &sum, &snapshots);
    }
    s.length = sum.length;
    s.filecount = sum.files;
    s.directorycount = sum.directories;
    s.quota = (uint64_t)quota.names;
    s.spacequota = (uint64_t)quota.space;
    s.spaceconsumed = (uint64_t)sum.usage.space;
    s.typequotainfos = types_of(op.arena, &quota, &sum.usage);
    s.has_snapshotlength = s.has_snapshotfilecount = s.has_snapshotdirectorycount = s.has_snapshotspaceconsumed = 1;
    s.snapshotlength = snapshots.length;
    s.snapshotfilecount = snapshots.files;
    s.snapshotdirectorycount = snapshots.directories;
    s.snapshotspaceconsumed = (uint64_t)snapshots.usage.space;
    response->summary = &s;
    op_end_walk(&op, rc, &response->base);
}

void client_get_quota_usage(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetQuotaUsageRequestProto *q = (const void *)message;
    struct op op;
    struct path p;
    struct sum sum = {0}, snapshots = {0};
    struct quota quota = {0};
    op_begin_walk(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_quota_usage_response_proto, Hdfs__GetQuotaUsageResponseProto);
    int rc = path_resolve(&op.t, &op.user, q->path, PATH_NO_FOLLOW | PATH_SNAPSHOT | PATH_MAY_MISS, &p, &op.err);
    if (!rc && !path_target(&p))
        rc = err_set(&op.err, ERR_NOT_FOUND, "File/Directory does not exist: %s", p.text);
    if (!rc) {
        struct inode *n = path_target(&p);
        quota = quota_of(n);
        if (!n->quota || n->as_of)
            rc = sum_subtree(&op, &p, &sum, &snapshots);
        else if (!(rc = check_look(&op, n, p.text)))
            rc = quota_usage_read(&op.t, n->id, &sum.usage, &op.err);
    }
    Hdfs__QuotaUsageProto u = HDFS__QUOTA_USAGE_PROTO__INIT;
    u.fileanddirectorycount = (uint64_t)sum.usage.names;
    u.quota = (uint64_t)quota.names;
    u.spacequota = (uint64_t)quota.space;
    u.spaceconsumed = (uint64_t)sum.usage.space;
    u.typequotainfos = types_of(op.arena, &quota, &sum.usage);
    response->usage = &u;
    op_end_walk(&op, rc, &response->base);
}

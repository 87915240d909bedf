/* ClientProtocol: quotas, and sums over a subtree: a walk on a snapshot, without the lock. */
#include <string.h>

#include "namenode/namespace/history.h"
#include "namenode/namespace/policy.h"
#include "namenode/namespace/quota_sum.h"
#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"

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
    int rc = user.is_super ? quota_sum_for_set(nn, &user, q->path, &watch, &why) : 0; /* nobody else makes us walk */
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
    struct quota_usage usage; /* names are the three above */
};
struct level {
    uint64_t id, policy;
};

static void add_inode(const struct inode *n, uint8_t policy, struct sum *sum)
{
    struct quota_usage usage;
    quota_usage_of(n, n->storage_policy != POLICY_UNSPECIFIED ? n->storage_policy : policy, &usage);
    sum->files += !inode_is_dir(n);
    sum->directories += inode_is_dir(n);
    sum->length += inode_length(n);
    quota_usage_add(&sum->usage, &usage, 1);
}

static int add_children(struct op *op, const struct inode *dir, uint8_t policy, struct sum *sum, struct buf *stack)
{
    struct dir_iter d;
    int rc = 0;
    dir_iter_open(&d, &op->t, dir, "", 0);
    for (size_t seen = 1; dir_iter_next(&d); seen++) {
        if (seen % 256 == 0)
            txn_reset(&op->t);
        struct inode *n = NULL;
        rc = dir_iter_inode(&d, &op->t, &n, &op->err);
        if (rc)
            break;
        struct level below = {n->id, policy};
        if (inode_is_dir(n))
            buf_append(stack, &below, sizeof below);
        else
            add_inode(n, policy, sum);
    }
    int close_rc = dir_iter_close(&d, rc ? NULL : &op->err);
    return rc ? rc : close_rc;
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

/* The target and all below it. */
static int sum_subtree(struct op *op, const struct path *p, struct sum *sum)
{
    struct inode *n = path_target(p);
    if (!inode_is_dir(n)) {
        add_inode(n, path_policy(p), sum);
        return 0;
    }
    AUTO(buf_free) struct buf stack = {0};
    uint64_t as_of = n->as_of;
    struct level at = {n->id, path_policy(p)};
    const char *top = arena_strdup(op->arena, p->text);
    int rc = 0;
    buf_append(&stack, &at, sizeof at);
    while (!rc && stack.len) {
        stack.len -= sizeof at;
        memcpy(&at, stack.base + stack.len, sizeof at);
        txn_reset(&op->t);
        rc = history_inode(&op->t, at.id, as_of, &n, &op->err);
        rc = rc ? rc : check_look(op, n, top);
        if (rc)
            break;
        add_inode(n, (uint8_t)at.policy, sum);
        uint8_t policy = n->storage_policy != POLICY_UNSPECIFIED ? n->storage_policy : (uint8_t)at.policy;
        rc = add_children(op, n, policy, sum, &stack);
    }
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
    struct sum sum = {0};
    struct quota quota = {0};
    op_begin_walk(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_content_summary_response_proto, Hdfs__GetContentSummaryResponseProto);
    Hdfs__ContentSummaryProto s = HDFS__CONTENT_SUMMARY_PROTO__INIT;
    int rc = path_resolve(&op.t, &op.user, q->path, PATH_SNAPSHOT, &p, &op.err);
    if (!rc) {
        quota = quota_of(path_target(&p));
        s.erasurecodingpolicy = arena_strdup(op.arena, inode_is_file(path_target(&p)) ? "Replicated" : "");
        rc = sum_subtree(&op, &p, &sum);
    }
    s.length = sum.length;
    s.filecount = sum.files;
    s.directorycount = sum.directories;
    s.quota = (uint64_t)quota.names;
    s.spacequota = (uint64_t)quota.space;
    s.spaceconsumed = (uint64_t)sum.usage.space;
    s.typequotainfos = types_of(op.arena, &quota, &sum.usage);
    s.has_snapshotlength = s.has_snapshotfilecount = s.has_snapshotdirectorycount = s.has_snapshotspaceconsumed = 1;
    response->summary = &s;
    op_end_walk(&op, rc, &response->base);
}

void client_get_quota_usage(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetQuotaUsageRequestProto *q = (const void *)message;
    struct op op;
    struct path p;
    struct sum sum = {0};
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
            rc = sum_subtree(&op, &p, &sum);
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

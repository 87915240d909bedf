/* ClientProtocol: changing names and attributes. */
#include "namenode/namespace/quota_sum.h"
#include "namenode/namespace/tree.h"

#include <string.h>

#include "common/log.h"
#include "hdfs/client_namenode.pb-c.h"
#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"

#define MODE_BITS 01777

void client_mkdirs(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__MkdirsRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__mkdirs_response_proto, Hdfs__MkdirsResponseProto);
    int rc = op_check_safe_mode(&op, "create directory", q->src);
    struct create_mode mode = {(uint16_t)(q->masked->perm & MODE_BITS),
                               q->unmasked ? (uint16_t)(q->unmasked->perm & MODE_BITS) : 0, q->unmasked != NULL};
    rc = rc ? rc : tree_mkdirs_as(&op.t, &op.user, q->src, mode, q->createparent, &op.err);
    response->result = 1;
    op_end(&op, rc, &response->base);
}

/* rename2 runs on the pool, delete and rename if they have to: what an ordinary user may remove takes a look at every
 * directory below, and quotas may need the sum of what is moved. */

#define CHECKS_MAX 10

/* Whether the user may remove everything below. Ended with tree_delete_watch_end(). */
static int check_below(struct namenode *nn, const struct fs_user *user, const char *path, struct delete_watch *watch,
                       struct err *reterr)
{
    struct txn t;
    *watch = (struct delete_watch){0};
    if (user->is_super)
        return 0;
    namenode_lock(nn);
    txn_begin(&t, nn->dir, 0);
    tree_delete_watch_begin(&t, user, path, watch);
    txn_end(&t);
    namenode_unlock(nn);
    return tree_check_delete(nn->dir, user, path, reterr);
}

/* Under the lock: does what was seen still hold? Else it has to be looked at again. */
static bool still_holds(struct op *op, const char *path, struct delete_watch *watch)
{
    bool holds = op->user.is_super || tree_delete_watch_holds(&op->t, &op->user, path, watch);
    tree_delete_watch_end(op->nn->dir, watch);
    return holds;
}

static int changed_meanwhile(struct op *op, const char *path)
{
    return err_set(&op->err, ERR_RETRIABLE, "%s is being changed while it is looked through: try again", path);
}

static bool delete_has_to_walk(const struct op *op, bool recursive)
{
    return recursive && (!op->user.is_super || quota_is_charged(&op->t));
}

void client_delete(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__DeleteRequestProto *q = (const void *)message;
    struct namenode *nn = context;
    struct op op;
    struct err denied = {0};
    struct fs_user user;
    struct quota_watch *watch = NULL;
    bool deleted = false;
    struct delete_watch below;
    bool holds = true, walks = q->recursive && rpc_call_may_block(call);
    int rc = 0;
    fs_user_load(&user, nn->dir, op_caller(call));
    for (int checks = 1;; checks++) {
        rc = walks ? check_below(nn, &user, q->src, &below, &denied) : 0;
        if (!rc && walks)
            rc = quota_sum_for_delete(nn, &user, q->src, &watch, &denied);
        op_begin(&op, context, call);
        holds = !walks || still_holds(&op, q->src, &below);
        if (rc || holds || checks == CHECKS_MAX)
            break;
        op_end_parked(&op);
        quota_sum_end(nn, STEAL(watch));
    }
    if (!walks && delete_has_to_walk(&op, q->recursive)) {
        op_end_parked(&op);
        rpc_call_repeat_in_pool(call);
        return;
    }
    OP_RESPONSE(&op, hdfs__delete_response_proto, Hdfs__DeleteResponseProto);
    if (rc)
        op.err = denied;
    else if (!holds)
        rc = changed_meanwhile(&op, q->src);
    rc = rc ? rc : op_check_safe_mode(&op, "delete", q->src);
    rc = rc ? rc : tree_delete(&op.t, &op.user, q->src, q->recursive, &deleted, &op.err);
    response->result = deleted;
    op_end(&op, rc, &response->base);
    quota_sum_end(nn, watch);
}

void client_rename(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__RenameRequestProto *q = (const void *)message;
    struct namenode *nn = context;
    struct op op;
    struct err why = {0};
    struct fs_user user;
    struct quota_watch *watch = NULL;
    bool done = false;
    int rc = 0;
    if (rpc_call_may_block(call)) {
        fs_user_load(&user, nn->dir, op_caller(call));
        rc = quota_sum_for_rename(nn, &user, q->src, q->dst, true, &watch, &why);
    }
    op_begin(&op, context, call);
    if (!rpc_call_may_block(call) && quota_sum_is_wanted(&op.t, &op.user, q->src, q->dst, true)) {
        op_end_parked(&op);
        rpc_call_repeat_in_pool(call);
        return;
    }
    OP_RESPONSE(&op, hdfs__rename_response_proto, Hdfs__RenameResponseProto);
    if (rc)
        op.err = why;
    rc = rc ? rc : op_check_safe_mode(&op, "rename", q->src);
    rc = rc ? rc : tree_rename(&op.t, &op.user, q->src, q->dst, &done, &op.err);
    response->result = done;
    op_end(&op, rc, &response->base);
    quota_sum_end(nn, watch);
}

void client_rename2(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__Rename2RequestProto *q = (const void *)message;
    struct namenode *nn = context;
    struct op op;
    struct err denied = {0};
    struct fs_user user;
    struct quota_watch *watch = NULL;
    struct delete_watch below;
    bool to_trash = q->has_movetotrash && q->movetotrash;
    fs_user_load(&user, nn->dir, op_caller(call));
    int rc = to_trash ? check_below(nn, &user, q->src, &below, &denied) : 0;
    rc = rc ? rc : quota_sum_for_rename(nn, &user, q->src, q->dst, false, &watch, &denied);
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__rename2_response_proto, Hdfs__Rename2ResponseProto);
    bool holds = !to_trash || still_holds(&op, q->src, &below);
    if (rc)
        op.err = denied;
    else if (!holds)
        rc = changed_meanwhile(&op, q->src);
    rc = rc ? rc : op_check_safe_mode(&op, "rename", q->src);
    rc = rc ? rc : tree_rename2(&op.t, &op.user, q->src, q->dst, q->overwritedest, &op.err);
    op_end(&op, rc, &response->base);
    quota_sum_end(nn, watch);
}

void client_create_symlink(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__CreateSymlinkRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__create_symlink_response_proto, Hdfs__CreateSymlinkResponseProto);
    int rc = op_check_safe_mode(&op, "create symlink", q->link);
    rc = rc ? rc : tree_symlink(&op.t, &op.user, q->target, q->link, q->createparent, &op.err);
    op_end(&op, rc, &response->base);
}

void client_set_permission(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__SetPermissionRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__set_permission_response_proto, Hdfs__SetPermissionResponseProto);
    int rc = op_check_safe_mode(&op, "set permission for", q->src);
    rc = rc ? rc : tree_set_permission(&op.t, &op.user, q->src, (uint16_t)(q->permission->perm & MODE_BITS), &op.err);
    op_end(&op, rc, &response->base);
}

void client_set_owner(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__SetOwnerRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__set_owner_response_proto, Hdfs__SetOwnerResponseProto);
    int rc = op_check_safe_mode(&op, "set owner for", q->src);
    rc = rc ? rc : tree_set_owner(&op.t, &op.user, q->src, q->username, q->groupname, &op.err);
    op_end(&op, rc, &response->base);
}

void client_set_times(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__SetTimesRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__set_times_response_proto, Hdfs__SetTimesResponseProto);
    int rc = op_check_safe_mode(&op, "set times", q->src);
    rc = rc ? rc : tree_set_times(&op.t, &op.user, q->src, q->mtime, q->atime, &op.err);
    op_end(&op, rc, &response->base);
}

void client_set_replication(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__SetReplicationRequestProto *q = (const void *)message;
    struct op op;
    struct inode *n = NULL;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__set_replication_response_proto, Hdfs__SetReplicationResponseProto);
    int rc = op_check_safe_mode(&op, "set replication for", q->src);
    rc = rc ? rc : tree_set_replication(&op.t, &op.user, q->src, q->replication, &n, &op.err);
    response->result = n != NULL;
    op_end(&op, rc, &response->base);
}

void client_concat(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__ConcatRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__concat_response_proto, Hdfs__ConcatResponseProto);
    int rc = op_check_safe_mode(&op, "concat", q->trg);
    rc = rc ? rc : file_concat(&op.file, &op.user, q->trg, q->srcs, q->n_srcs, &op.err);
    op_end(&op, rc, &response->base);
}

/* ClientProtocol: storage policies. */
#include "namenode/namespace/policy.h"
#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"

static Hdfs__StorageTypesProto *types_of(struct arena *a, const uint8_t types[POLICY_TYPES_MAX])
{
    Hdfs__StorageTypesProto *t = arena_new(a, Hdfs__StorageTypesProto);
    hdfs__storage_types_proto__init(t);
    t->storagetypes = arena_array(a, Hdfs__StorageTypeProto, POLICY_TYPES_MAX);
    for (size_t i = 0; i < POLICY_TYPES_MAX && types[i]; i++)
        t->storagetypes[t->n_storagetypes++] = (Hdfs__StorageTypeProto)types[i];
    return t;
}

static Hdfs__BlockStoragePolicyProto *policy_of(struct arena *a, const struct storage_policy *p)
{
    Hdfs__BlockStoragePolicyProto *m = arena_new(a, Hdfs__BlockStoragePolicyProto);
    hdfs__block_storage_policy_proto__init(m);
    m->policyid = p->id;
    m->name = arena_strdup(a, p->name);
    m->creationpolicy = types_of(a, p->types);
    m->creationfallbackpolicy = types_of(a, p->creation_fallback);
    m->replicationfallbackpolicy = types_of(a, p->replication_fallback);
    return m;
}

void client_get_storage_policies(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__GetStoragePoliciesResponseProto response = HDFS__GET_STORAGE_POLICIES_RESPONSE_PROTO__INIT;
    size_t count;
    const struct storage_policy *all = storage_policies(&count);
    response.policies = arena_array(rpc_call_arena(call), Hdfs__BlockStoragePolicyProto *, count);
    for (; response.n_policies < count; response.n_policies++)
        response.policies[response.n_policies] = policy_of(rpc_call_arena(call), &all[response.n_policies]);
    rpc_call_reply(call, &response.base);
}

void client_get_storage_policy(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetStoragePolicyRequestProto *q = (const void *)message;
    struct op op;
    struct path p;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_storage_policy_response_proto, Hdfs__GetStoragePolicyResponseProto);
    int rc = path_resolve(&op.t, &op.user, q->path, PATH_NO_FOLLOW | PATH_MAY_MISS | PATH_SNAPSHOT, &p, &op.err);
    if (!rc && !path_target(&p))
        rc = err_set(&op.err, ERR_NOT_FOUND, "File/Directory does not exist: %s", p.text);
    rc = rc ? rc : access_check(&op.user, path_target(&p), ACCESS_READ, p.text, &op.err);
    uint8_t id = rc ? POLICY_UNSPECIFIED : path_policy(&p);
    const struct storage_policy *found = storage_policy_find(id ? id : op.nn->dir->default_policy);
    if (!rc && !found)
        rc = err_set(&op.err, ERR_IO, "%s has storage policy %u, which this namenode does not know", p.text, id);
    if (!rc)
        response->storagepolicy = policy_of(op.arena, found);
    op_end_read(&op, rc, &response->base);
}

static int check_enabled(struct op *op, const char *doing)
{
    if (op->nn->dir->storage_policies)
        return 0;
    return err_set(&op->err, ERR_IO, "Failed to %s storage policy since dfs.storage.policy.enabled is set to false.",
                   doing);
}

void client_set_storage_policy(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__SetStoragePolicyRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__set_storage_policy_response_proto, Hdfs__SetStoragePolicyResponseProto);
    int rc = check_enabled(&op, "set");
    rc = rc ? rc : op_check_safe_mode(&op, "set storage policy for", q->src);
    rc = rc ? rc : tree_set_policy(&op.t, &op.user, q->src, q->policyname, &op.err);
    op_end(&op, rc, &response->base);
}

void client_unset_storage_policy(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__UnsetStoragePolicyRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__unset_storage_policy_response_proto, Hdfs__UnsetStoragePolicyResponseProto);
    int rc = check_enabled(&op, "unset");
    rc = rc ? rc : op_check_safe_mode(&op, "unset storage policy for", q->src);
    rc = rc ? rc : tree_set_policy(&op.t, &op.user, q->src, NULL, &op.err);
    op_end(&op, rc, &response->base);
}

/* Blocks move by themselves only where replicas are made anew. HDFS says this while its satisfier is off, which is its
 * default. */
void client_satisfy_storage_policy(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct err why = {0};
    err_set(&why, ERR_UNSUPPORTED_ACTION,
            "Cannot request to satisfy storage policy when storage policy satisfier feature has been disabled by "
            "admin. Seek for an admin help to enable it or use Mover tool.");
    rpc_call_fail(call, &why);
}

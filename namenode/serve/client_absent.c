/* ClientProtocol: features that files here do not have. Looking for them finds none, as on an HDFS where nobody set
 * any; setting one is refused with Hadoop's UnsupportedOperation. */
#include <string.h>

#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"

/* For calls that answer "nothing" about an existing path. */
static int check_path(struct op *op, const char *text, unsigned flags)
{
    struct path p;
    return path_resolve(&op->t, &op->user, text, flags, &p, &op->err);
}

/* ---- storage policies: the fixed list, and HOT for everything ---- */

#define POLICY_TYPES_MAX 3
struct policy {
    uint32_t id;
    const char *name;
    int creation[POLICY_TYPES_MAX], creation_fallback[POLICY_TYPES_MAX], replication_fallback[POLICY_TYPES_MAX];
};
enum { DISK = 1, SSD = 2, ARCHIVE = 3, RAM_DISK = 4, PROVIDED = 5, NVDIMM = 6 };
static const struct policy policies[] = {
    {15, "LAZY_PERSIST", {RAM_DISK, DISK}, {DISK}, {DISK}},
    {14, "ALL_NVDIMM", {NVDIMM}, {DISK}, {DISK}},
    {12, "ALL_SSD", {SSD}, {DISK}, {DISK}},
    {10, "ONE_SSD", {SSD, DISK}, {SSD, DISK}, {SSD, DISK}},
    {7, "HOT", {DISK}, {0}, {ARCHIVE}},
    {5, "WARM", {DISK, ARCHIVE}, {DISK, ARCHIVE}, {DISK, ARCHIVE}},
    {2, "COLD", {ARCHIVE}, {0}, {0}},
    {1, "PROVIDED", {PROVIDED, DISK}, {PROVIDED, DISK}, {PROVIDED, DISK}},
};

static Hdfs__StorageTypesProto *types_of(struct arena *a, const int types[POLICY_TYPES_MAX])
{
    Hdfs__StorageTypesProto *t = arena_new(a, Hdfs__StorageTypesProto);
    hdfs__storage_types_proto__init(t);
    t->storagetypes = arena_array(a, Hdfs__StorageTypeProto, POLICY_TYPES_MAX);
    for (size_t i = 0; i < POLICY_TYPES_MAX && types[i]; i++)
        t->storagetypes[t->n_storagetypes++] = (Hdfs__StorageTypeProto)types[i];
    return t;
}

static Hdfs__BlockStoragePolicyProto *policy_of(struct arena *a, const struct policy *p)
{
    Hdfs__BlockStoragePolicyProto *m = arena_new(a, Hdfs__BlockStoragePolicyProto);
    hdfs__block_storage_policy_proto__init(m);
    m->policyid = p->id;
    m->name = arena_strdup(a, p->name);
    m->creationpolicy = types_of(a, p->creation);
    m->creationfallbackpolicy = types_of(a, p->creation_fallback);
    m->replicationfallbackpolicy = types_of(a, p->replication_fallback);
    return m;
}

void client_get_storage_policies(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__GetStoragePoliciesResponseProto response = HDFS__GET_STORAGE_POLICIES_RESPONSE_PROTO__INIT;
    Hdfs__BlockStoragePolicyProto *list[ARRAY_COUNT(policies)];
    for (size_t i = 0; i < ARRAY_COUNT(policies); i++)
        list[i] = policy_of(rpc_call_arena(call), &policies[i]);
    response.n_policies = ARRAY_COUNT(policies);
    response.policies = list;
    rpc_call_reply(call, &response.base);
}

void client_get_storage_policy(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetStoragePolicyRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_storage_policy_response_proto, Hdfs__GetStoragePolicyResponseProto);
    int rc = check_path(&op, q->path, PATH_NO_FOLLOW);
    for (size_t i = 0; i < ARRAY_COUNT(policies); i++)
        if (!strcmp(policies[i].name, "HOT"))
            response->storagepolicy = policy_of(op.arena, &policies[i]);
    op_end_read(&op, rc, &response->base);
}

/* ---- snapshots ---- */

void client_get_snapshottable_dir_listing(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__GetSnapshottableDirListingResponseProto response = HDFS__GET_SNAPSHOTTABLE_DIR_LISTING_RESPONSE_PROTO__INIT;
    rpc_call_reply(call, &response.base);
}

/* ---- quotas ---- */

void client_set_quota(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct err why = {0};
    err_set(&why, ERR_UNSUPPORTED, "quotas are not supported by this namenode");
    rpc_call_fail(call, &why);
}

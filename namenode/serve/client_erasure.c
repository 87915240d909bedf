/* ClientProtocol: erasure coding. Queries are answered as by an HDFS where every built-in policy is disabled, which
 * leaves replication; enabling one is refused as by an HDFS whose layout has no erasure coding. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "namenode/namespace/erasure.h"
#include "namenode/serve/client_calls.h"
#include "namenode/serve/erasure.h"

#define REPLICATION_POLICY "REPLICATION"

static const struct policy {
    uint32_t id;
    const char *name;
    unsigned data, parity;
} policies[] = {
    /* ordered by name, as HDFS lists them */
    {5, "RS-10-4-1024k", 10, 4},      {2, "RS-3-2-1024k", 3, 2},  {1, "RS-6-3-1024k", 6, 3},
    {3, "RS-LEGACY-6-3-1024k", 6, 3}, {4, "XOR-2-1-1024k", 2, 1},
};

static const struct policy *policy_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(policies); i++)
        if (!strcmp(policies[i].name, name))
            return &policies[i];
    return NULL;
}

int erasure_check_enabled(const char *policy, struct err *reterr)
{
    if (!strcasecmp(policy, REPLICATION_POLICY))
        return 0;
    return err_set(
        reterr, ERR_HADOOP_ILLEGAL_ARGUMENT,
        "Policy '%.200s' does not match any enabled erasure coding policies: []. An erasure coding policy can "
        "be enabled by enableErasureCodingPolicy API.",
        policy);
}

static int check_exists(struct op *op, const char *name)
{
    return policy_find(name)
               ? 0
               : err_set(&op->err, ERR_HADOOP_ILLEGAL_ARGUMENT, "The policy name %.200s does not exist", name);
}

static int unsupported(struct op *op)
{
    return err_set(&op->err, ERR_UNSUPPORTED_ACTION, "%s not supported.", rpc_call_method(op->call));
}

/* ---- queries ---- */

void client_get_erasure_coding_policy(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetErasureCodingPolicyRequestProto *q = (const void *)message;
    struct op op;
    struct path p;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_erasure_coding_policy_response_proto, Hdfs__GetErasureCodingPolicyResponseProto);
    int rc = path_resolve(&op.t, &op.user, q->src, PATH_NO_FOLLOW | PATH_SNAPSHOT | PATH_MAY_MISS, &p, &op.err);
    if (!rc && !path_target(&p))
        rc = err_set(&op.err, ERR_NOT_FOUND, "Path not found: %s", p.text);
    op_end_read(&op, rc, &response->base);
}

void client_get_erasure_coding_policies(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__GetErasureCodingPoliciesResponseProto response = HDFS__GET_ERASURE_CODING_POLICIES_RESPONSE_PROTO__INIT;
    Hdfs__ErasureCodingPolicyProto list[ARRAY_COUNT(policies)], *pointers[ARRAY_COUNT(policies)];
    for (size_t i = 0; i < ARRAY_COUNT(policies); i++) {
        hdfs__erasure_coding_policy_proto__init(&list[i]);
        list[i].id = policies[i].id;
        list[i].has_state = 1;
        list[i].state = HDFS__ERASURE_CODING_POLICY_STATE__DISABLED;
        pointers[i] = &list[i];
    }
    response.n_ecpolicies = ARRAY_COUNT(policies);
    response.ecpolicies = pointers;
    rpc_call_reply(call, &response.base);
}

/* No datanode of ours can decode anything. */
void client_get_erasure_coding_codecs(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__GetErasureCodingCodecsResponseProto response = HDFS__GET_ERASURE_CODING_CODECS_RESPONSE_PROTO__INIT;
    rpc_call_reply(call, &response.base);
}

static size_t rack_count(const struct namenode *nn, struct arena *a, size_t *ret_nodes)
{
    const struct datanode_info **nodes = NULL;
    size_t count = blocks_datanodes(nn->blocks, DATANODES_ALL, a, &nodes), racks = 0;
    for (size_t i = 0; i < count; i++) {
        bool seen = !nodes[i]->alive;
        for (size_t j = 0; j < i && !seen; j++)
            seen = nodes[j]->alive && !strcmp(nodes[i]->rack, nodes[j]->rack);
        racks += !seen;
    }
    *ret_nodes = count;
    return racks;
}

static int topology_result(struct op *op, char *const *names, size_t count, Hdfs__ECTopologyVerifierResultProto *ret)
{
    unsigned nodes_min = 0, racks_min = 0;
    const char *list = "";
    for (size_t i = 0; i < count; i++) {
        const struct policy *p = policy_find(names[i]);
        if (!p)
            return err_set(&op->err, ERR_HADOOP_ILLEGAL_ARGUMENT,
                           "The given erasure coding policy %.200s does not exist.", names[i]);
        unsigned nodes = p->data + p->parity, racks = (nodes + p->parity - 1) / p->parity;
        nodes_min = nodes > nodes_min ? nodes : nodes_min;
        racks_min = racks > racks_min ? racks : racks_min;
        list = arena_printf(op->arena, "%s%s%s", list, i ? ", " : "", p->name);
    }
    size_t nodes = 0, racks = rack_count(op->nn, op->arena, &nodes);
    ret->issupported = !nodes_min || (nodes >= nodes_min && racks >= racks_min);
    if (!nodes_min)
        ret->resultmessage = arena_strdup(op->arena, "No erasure coding policy is given.");
    else if (nodes < nodes_min)
        ret->resultmessage =
            arena_printf(op->arena,
                         "%u DataNodes are required for the erasure coding policies: %s. The number of "
                         "DataNodes is only %zu.",
                         nodes_min, list, nodes);
    else if (racks < racks_min)
        ret->resultmessage = arena_printf(
            op->arena, "%u racks are required for the erasure coding policies: %s. The number of racks is only %zu.",
            racks_min, list, racks);
    else
        ret->resultmessage = arena_printf(op->arena, "The cluster setup can support EC policies: %s", list);
    return 0;
}

#define POLICIES_PER_CALL_MAX 64

void client_get_ectopology_result_for_policies(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetECTopologyResultForPoliciesRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_ectopology_result_for_policies_response_proto,
                Hdfs__GetECTopologyResultForPoliciesResponseProto);
    Hdfs__ECTopologyVerifierResultProto result = HDFS__ECTOPOLOGY_VERIFIER_RESULT_PROTO__INIT;
    int rc = op_check_super(&op);
    if (!rc && q->n_policies > POLICIES_PER_CALL_MAX)
        rc = err_set(&op.err, ERR_ILLEGAL_ARGUMENT, "%zu policies in one call", q->n_policies);
    rc = rc ? rc : topology_result(&op, q->policies, q->n_policies, &result);
    response->response = &result;
    op_end_read(&op, rc, &response->base);
}

/* ---- changes ---- */

void client_set_erasure_coding_policy(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__SetErasureCodingPolicyRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__set_erasure_coding_policy_response_proto, Hdfs__SetErasureCodingPolicyResponseProto);
    int rc = op_check_safe_mode(&op, "set erasure coding policy on", q->src);
    rc = rc ? rc
            : erasure_check_enabled(q->ecpolicyname && *q->ecpolicyname ? q->ecpolicyname : "RS-6-3-1024k", &op.err);
    rc = rc ? rc : tree_set_replication_policy(&op.t, &op.user, q->src, &op.err);
    op_end(&op, rc, &response->base);
}

void client_unset_erasure_coding_policy(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__UnsetErasureCodingPolicyRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__unset_erasure_coding_policy_response_proto, Hdfs__UnsetErasureCodingPolicyResponseProto);
    int rc = op_check_safe_mode(&op, "unset erasure coding policy on", q->src);
    rc = rc ? rc : tree_unset_erasure_policy(&op.t, &op.user, q->src, &op.err);
    op_end(&op, rc, &response->base);
}

/* One answer per policy: it, and that it was not added. */
void client_add_erasure_coding_policies(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__AddErasureCodingPoliciesRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__add_erasure_coding_policies_response_proto, Hdfs__AddErasureCodingPoliciesResponseProto);
    int rc = op_check_super(&op);
    rc = rc ? rc : op_check_safe_mode(&op, "add erasure coding policy", "");
    size_t count = rc ? 0 : q->n_ecpolicies;
    response->responses = arena_array(op.arena, Hdfs__AddErasureCodingPolicyResponseProto *, count + 1);
    for (size_t i = 0; i < count; i++) {
        Hdfs__AddErasureCodingPolicyResponseProto *r = arena_new(op.arena, Hdfs__AddErasureCodingPolicyResponseProto);
        hdfs__add_erasure_coding_policy_response_proto__init(r);
        r->policy = q->ecpolicies[i];
        r->errormsg = arena_strdup(op.arena, "Addition of user defined erasure coding policy is disabled.");
        response->responses[response->n_responses++] = r;
    }
    op_end_read(&op, rc, &response->base);
}

void client_remove_erasure_coding_policy(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__RemoveErasureCodingPolicyRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    int rc = op_check_super(&op);
    rc = rc ? rc : op_check_safe_mode(&op, "remove erasure coding policy", q->ecpolicyname);
    rc = rc ? rc : check_exists(&op, q->ecpolicyname);
    rc = rc ? rc
            : err_set(&op.err, ERR_HADOOP_ILLEGAL_ARGUMENT, "System erasure coding policy %s cannot be removed",
                      q->ecpolicyname);
    op_end_read(&op, rc, NULL);
}

void client_enable_erasure_coding_policy(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__EnableErasureCodingPolicyRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    int rc = op_check_super(&op);
    rc = rc ? rc : check_exists(&op, q->ecpolicyname);
    op_end_read(&op, rc ? rc : unsupported(&op), NULL);
}

/* It is disabled already. */
void client_disable_erasure_coding_policy(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__DisableErasureCodingPolicyRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__disable_erasure_coding_policy_response_proto, Hdfs__DisableErasureCodingPolicyResponseProto);
    int rc = op_check_super(&op);
    op_end_read(&op, rc ? rc : check_exists(&op, q->ecpolicyname), &response->base);
}

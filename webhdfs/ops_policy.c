/* Storage policies, erasure coding policies, quotas, delegation tokens. */
#include <string.h>

#include "webhdfs/call.h"
#include "webhdfs/json_shapes.h"
#include "webhdfs/token_text.h"

/* ---- storage policies ---- */

int webhdfs_get_all_storage_policy(struct webhdfs_call *c)
{
    REQUEST(GetStoragePolicies, get_storage_policies, q);
    Hdfs__GetStoragePoliciesResponseProto *a = NULL;
    int rc = ASK(c, "getStoragePolicies", GetStoragePolicies, get_storage_policies, &q, &a);
    if (rc < 0)
        return rc;
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_begin(b, "BlockStoragePolicies", '{');
    json_begin(b, "BlockStoragePolicy", '[');
    for (size_t i = 0; i < a->n_policies; i++)
        json_storage_policy(b, NULL, a->policies[i]);
    json_end(b, ']');
    json_end(b, '}');
    json_end(b, '}');
    return 0;
}

int webhdfs_get_storage_policy(struct webhdfs_call *c)
{
    REQUEST(GetStoragePolicy, get_storage_policy, q);
    Hdfs__GetStoragePolicyResponseProto *a = NULL;
    q.path = (char *)c->path;
    int rc = ASK(c, "getStoragePolicy", GetStoragePolicy, get_storage_policy, &q, &a);
    if (rc < 0)
        return rc;
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_storage_policy(b, "BlockStoragePolicy", a->storagepolicy);
    json_end(b, '}');
    return 0;
}

int webhdfs_set_storage_policy(struct webhdfs_call *c)
{
    REQUEST(SetStoragePolicy, set_storage_policy, q);
    q.src = (char *)c->path;
    q.policyname = (char *)param_text(c, PARAM_STORAGEPOLICY);
    if (!q.policyname)
        return err_set(&c->err, ERR_ILLEGAL_ARGUMENT, "Storage policy name is empty.");
    int rc = DO(c, "setStoragePolicy", set_storage_policy, &q);
    return rc < 0 ? rc : reply_empty(c);
}

int webhdfs_unset_storage_policy(struct webhdfs_call *c)
{
    REQUEST(UnsetStoragePolicy, unset_storage_policy, q);
    q.src = (char *)c->path;
    int rc = DO(c, "unsetStoragePolicy", unset_storage_policy, &q);
    return rc < 0 ? rc : reply_empty(c);
}

int webhdfs_satisfy_storage_policy(struct webhdfs_call *c)
{
    REQUEST(SatisfyStoragePolicy, satisfy_storage_policy, q);
    q.src = (char *)c->path;
    int rc = DO(c, "satisfyStoragePolicy", satisfy_storage_policy, &q);
    return rc < 0 ? rc : reply_empty(c);
}

/* ---- erasure coding ---- */

/* The form in which Java's JSON library prints the object itself. */
static void json_ec_object(struct buf *b, const char *key, const Hdfs__ErasureCodingPolicyProto *given)
{
    const Hdfs__ErasureCodingPolicyProto *p = ec_policy_whole(given);
    const Hdfs__ECSchemaProto *s = p->schema;
    json_begin(b, key, '{');
    json_int(b, "cellSize", p->cellsize);
    json_text(b, "codecName", s ? s->codecname : NULL);
    json_int(b, "id", p->id);
    json_text(b, "name", p->name);
    json_int(b, "numDataUnits", s ? s->dataunits : 0);
    json_int(b, "numParityUnits", s ? s->parityunits : 0);
    json_bool(b, "replicationPolicy", p->id == 0);
    json_begin(b, "schema", '{');
    json_text(b, "codecName", s ? s->codecname : NULL);
    json_begin(b, "extraOptions", '{');
    for (size_t i = 0; s && i < s->n_options; i++)
        json_text(b, s->options[i]->key, s->options[i]->value);
    json_end(b, '}');
    json_int(b, "numDataUnits", s ? s->dataunits : 0);
    json_int(b, "numParityUnits", s ? s->parityunits : 0);
    json_end(b, '}');
    json_bool(b, "systemPolicy", p->id < 64); /* user-defined ones begin there */
    json_end(b, '}');
}

int webhdfs_get_ec_policy(struct webhdfs_call *c)
{
    REQUEST(GetErasureCodingPolicy, get_erasure_coding_policy, q);
    Hdfs__GetErasureCodingPolicyResponseProto *a = NULL;
    q.src = (char *)c->path;
    int rc = ASK(c, "getErasureCodingPolicy", GetErasureCodingPolicy, get_erasure_coding_policy, &q, &a);
    if (rc < 0)
        return rc;
    struct buf *b = reply_json(c);
    if (a->ecpolicy)
        json_ec_object(b, NULL, a->ecpolicy);
    else
        json_text(b, NULL, NULL);
    return 0;
}

int webhdfs_get_ec_policies(struct webhdfs_call *c)
{
    static const char *const states[] = {"", "DISABLED", "ENABLED", "REMOVED"};
    REQUEST(GetErasureCodingPolicies, get_erasure_coding_policies, q);
    Hdfs__GetErasureCodingPoliciesResponseProto *a = NULL;
    int rc = ASK(c, "getErasureCodingPolicies", GetErasureCodingPolicies, get_erasure_coding_policies, &q, &a);
    if (rc < 0)
        return rc;
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_begin(b, "ErasureCodingPolicies", '{');
    if (a->n_ecpolicies == 0)
        json_text(b, "ErasureCodingPolicyInfo", NULL);
    else
        json_begin(b, "ErasureCodingPolicyInfo", '[');
    for (size_t i = 0; i < a->n_ecpolicies; i++) {
        json_begin(b, NULL, '{');
        json_ec_object(b, "policy", a->ecpolicies[i]);
        json_text(b, "state", states[a->ecpolicies[i]->state < ARRAY_COUNT(states) ? a->ecpolicies[i]->state : 0]);
        json_end(b, '}');
    }
    if (a->n_ecpolicies)
        json_end(b, ']');
    json_end(b, '}');
    json_end(b, '}');
    return 0;
}

int webhdfs_get_ec_codecs(struct webhdfs_call *c)
{
    REQUEST(GetErasureCodingCodecs, get_erasure_coding_codecs, q);
    Hdfs__GetErasureCodingCodecsResponseProto *a = NULL;
    int rc = ASK(c, "getErasureCodingCodecs", GetErasureCodingCodecs, get_erasure_coding_codecs, &q, &a);
    if (rc < 0)
        return rc;
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_begin(b, "ErasureCodingCodecs", '{');
    for (size_t i = 0; i < a->n_codec; i++)
        json_text(b, a->codec[i]->codec, a->codec[i]->coders);
    json_end(b, '}');
    json_end(b, '}');
    return 0;
}

int webhdfs_enable_ec_policy(struct webhdfs_call *c)
{
    REQUEST(EnableErasureCodingPolicy, enable_erasure_coding_policy, q);
    int rc = param_required(c, PARAM_ECPOLICY);
    if (rc < 0)
        return rc;
    q.ecpolicyname = (char *)param_text(c, PARAM_ECPOLICY);
    rc = DO(c, "enableErasureCodingPolicy", enable_erasure_coding_policy, &q);
    return rc < 0 ? rc : reply_empty(c);
}

int webhdfs_disable_ec_policy(struct webhdfs_call *c)
{
    REQUEST(DisableErasureCodingPolicy, disable_erasure_coding_policy, q);
    int rc = param_required(c, PARAM_ECPOLICY);
    if (rc < 0)
        return rc;
    q.ecpolicyname = (char *)param_text(c, PARAM_ECPOLICY);
    rc = DO(c, "disableErasureCodingPolicy", disable_erasure_coding_policy, &q);
    return rc < 0 ? rc : reply_empty(c);
}

int webhdfs_set_ec_policy(struct webhdfs_call *c)
{
    REQUEST(SetErasureCodingPolicy, set_erasure_coding_policy, q);
    int rc = param_required(c, PARAM_ECPOLICY);
    if (rc < 0)
        return rc;
    q.src = (char *)c->path;
    q.ecpolicyname = (char *)param_text(c, PARAM_ECPOLICY);
    rc = DO(c, "setErasureCodingPolicy", set_erasure_coding_policy, &q);
    return rc < 0 ? rc : reply_empty(c);
}

int webhdfs_unset_ec_policy(struct webhdfs_call *c)
{
    REQUEST(UnsetErasureCodingPolicy, unset_erasure_coding_policy, q);
    q.src = (char *)c->path;
    int rc = DO(c, "unsetErasureCodingPolicy", unset_erasure_coding_policy, &q);
    return rc < 0 ? rc : reply_empty(c);
}

/* ---- quotas ---- */

int webhdfs_set_quota(struct webhdfs_call *c)
{
    REQUEST(SetQuota, set_quota, q);
    int rc = param_required(c, PARAM_NS_QUOTA);
    rc = rc < 0 ? rc : param_required(c, PARAM_DS_QUOTA);
    if (rc < 0)
        return rc;
    q.path = (char *)c->path;
    q.namespacequota = (uint64_t)param(c, PARAM_NS_QUOTA)->number;
    q.storagespacequota = (uint64_t)param(c, PARAM_DS_QUOTA)->number;
    rc = DO(c, "setQuota", set_quota, &q);
    return rc < 0 ? rc : reply_empty(c);
}

int webhdfs_set_quota_by_type(struct webhdfs_call *c)
{
    REQUEST(SetQuota, set_quota, q);
    int rc = param_required(c, PARAM_DS_QUOTA);
    rc = rc < 0 ? rc : param_required(c, PARAM_STORAGETYPE);
    if (rc < 0)
        return rc;
    const char *name = param_text(c, PARAM_STORAGETYPE);
    int type = storage_type_number(name);
    if (!type)
        return err_set(&c->err, ERR_ILLEGAL_ARGUMENT, "No enum constant org.apache.hadoop.fs.StorageType.%s", name);
    q.path = (char *)c->path;
    q.namespacequota = INT64_MAX; /* leave it as it is */
    q.storagespacequota = (uint64_t)param(c, PARAM_DS_QUOTA)->number;
    q.has_storagetype = true;
    q.storagetype = (Hdfs__StorageTypeProto)type;
    rc = DO(c, "setQuota", set_quota, &q);
    return rc < 0 ? rc : reply_empty(c);
}

/* ---- delegation tokens ---- */

int webhdfs_get_token(struct webhdfs_call *c)
{
    REQUEST(GetDelegationToken, get_delegation_token, q);
    Hdfs__GetDelegationTokenResponseProto *a = NULL;
    if (param_text(c, PARAM_DELEGATION))
        return err_set(&c->err, ERR_ILLEGAL_ARGUMENT, "delegation parameter is not null.");
    const char *renewer = param_text(c, PARAM_RENEWER), *kind = param_text(c, PARAM_TOKEN_KIND),
               *service = param_text(c, PARAM_TOKEN_SERVICE);
    q.renewer = (char *)(renewer ? renewer : c->user);
    int rc = ASK(c, "getDelegationToken", GetDelegationToken, get_delegation_token, &q, &a);
    if (rc < 0)
        return rc;
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    if (!a->token) {
        json_text(b, "Token", NULL);
    } else {
        struct buf text = {0};
        Hdfs__TokenProto token = *a->token;
        token.kind = (char *)(kind ? kind : "WEBHDFS delegation");
        if (service || c->w->namenode_uri)
            token.service = (char *)(uintptr_t)(service ? service : c->w->namenode_uri + strlen("hdfs://"));
        token_to_url_text(&token, &text);
        json_begin(b, "Token", '{');
        json_text(b, "urlString", buf_cstr(&text));
        json_end(b, '}');
        buf_free(&text);
    }
    json_end(b, '}');
    return 0;
}

/* The token of the request, as the namenode made it. */
static int token_argument(struct webhdfs_call *c, Hdfs__TokenProto *ret)
{
    int rc = param_required(c, PARAM_TOKEN);
    rc = rc < 0 ? rc : token_from_url_text(param_text(c, PARAM_TOKEN), &c->arena, ret, &c->err);
    if (rc == 0)
        ret->kind = (char *)"HDFS_DELEGATION_TOKEN";
    return rc;
}

int webhdfs_renew_token(struct webhdfs_call *c)
{
    REQUEST(RenewDelegationToken, renew_delegation_token, q);
    Hdfs__RenewDelegationTokenResponseProto *a = NULL;
    Hdfs__TokenProto token;
    int rc = token_argument(c, &token);
    q.token = &token;
    if (rc < 0)
        return rc;
    rc = ASK(c, "renewDelegationToken", RenewDelegationToken, renew_delegation_token, &q, &a);
    if (rc < 0)
        return rc;
    struct buf *b = reply_json(c);
    json_begin(b, NULL, '{');
    json_int(b, "long", (int64_t)a->newexpirytime);
    json_end(b, '}');
    return 0;
}

int webhdfs_cancel_token(struct webhdfs_call *c)
{
    REQUEST(CancelDelegationToken, cancel_delegation_token, q);
    Hdfs__TokenProto token;
    int rc = token_argument(c, &token);
    q.token = &token;
    rc = rc < 0 ? rc : DO(c, "cancelDelegationToken", cancel_delegation_token, &q);
    return rc < 0 ? rc : reply_empty(c);
}

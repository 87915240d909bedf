/* ClientProtocol: delegation tokens and keys. Security is off, as in an HDFS with simple authentication: no token is
 * ever issued, so none that is shown can be renewed or cancelled. The refusals are those that HDFS gives for a token
 * from elsewhere, found in the order in which it checks. */
#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/rd.h"
#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"

#define TEXT_MAX_BYTES (1u << 20)

/* DelegationTokenIdentifier as it travels. */
struct token_id {
    const char *owner, *renewer, *real_user; /* in the arena */
    int64_t issued_ms, max_ms, sequence, key_id;
};

/* Hadoop's variable-length number: one byte, or a byte that says sign and length and then that many. */
static int64_t rd_vlong(struct rd *rd)
{
    int first = (int8_t)rd_u8(rd);
    if (first >= -112)
        return first;
    bool negative = first < -120;
    uint64_t value = rd_be(rd, (size_t)(negative ? -120 - first : -112 - first));
    return (int64_t)(negative ? ~value : value);
}

static const char *rd_text(struct rd *rd, struct arena *a)
{
    int64_t len = rd_vlong(rd);
    if (len < 0 || len > (int64_t)TEXT_MAX_BYTES)
        rd->bad = true;
    struct slice text = rd_slice(rd, rd->bad ? 0 : (size_t)len);
    return arena_strndup(a, (const char *)text.base, text.len);
}

static int token_decode(const Hdfs__TokenProto *token, struct arena *a, struct token_id *ret, struct err *reterr)
{
    struct rd rd = rd_of((struct slice){token->identifier.data, token->identifier.len});
    int version = (int8_t)rd_u8(&rd);
    if (!rd.bad && version)
        return err_set(reterr, ERR_IO, "Unknown version of delegation token %d", version);
    ret->owner = rd_text(&rd, a);
    ret->renewer = rd_text(&rd, a);
    ret->real_user = rd_text(&rd, a);
    ret->issued_ms = rd_vlong(&rd);
    ret->max_ms = rd_vlong(&rd);
    ret->sequence = rd_vlong(&rd);
    ret->key_id = rd_vlong(&rd);
    return rd.bad ? err_set(reterr, ERR_END_OF_FILE, "the delegation token is cut short") : 0;
}

static const char *token_text(const struct token_id *id, struct arena *a)
{
    return arena_printf(a,
                        "(token for %.*s: HDFS_DELEGATION_TOKEN owner=%s, renewer=%s, realUser=%s, issueDate=%" PRId64
                        ", maxDate=%" PRId64 ", sequenceNumber=%" PRId64 ", masterKeyId=%" PRId64 ")",
                        (int)strcspn(id->owner, "/@"), id->owner, id->owner, id->renewer, id->real_user, id->issued_ms,
                        id->max_ms, id->sequence, id->key_id);
}

/* No secret manager runs: HDFS answers with no token at all, and clients go on without. */
void client_get_delegation_token(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_delegation_token_response_proto, Hdfs__GetDelegationTokenResponseProto);
    op_end_read(&op, op_check_safe_mode(&op, "issue delegation token", ""), &response->base);
}

void client_renew_delegation_token(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__RenewDelegationTokenRequestProto *q = (const void *)message;
    struct op op;
    struct token_id id = {0};
    op_begin(&op, context, call);
    int rc = op_check_safe_mode(&op, "renew delegation token", "");
    rc = rc ? rc : token_decode(q->token, op.arena, &id, &op.err);
    const char *text = rc ? "" : token_text(&id, op.arena);
    if (rc)
        ;
    else if (id.max_ms < clock_wall_ms())
        rc = err_set(&op.err, ERR_INVALID_TOKEN, "%s tried to renew an expired token %s", op.user.name, text);
    else if (!*id.renewer)
        rc = err_set(&op.err, ERR_ACCESS, "%s tried to renew a token %s without a renewer", op.user.name, text);
    else if (strcmp(id.renewer, op.user.name))
        rc = err_set(&op.err, ERR_ACCESS, "%s tries to renew a token %s with non-matching renewer %s", op.user.name,
                     text, id.renewer);
    else
        rc = err_set(&op.err, ERR_INVALID_TOKEN,
                     "Unable to find master key for keyId=%" PRId64
                     " from cache. Failed to renew an unexpired token %s with sequenceNumber=%" PRId64,
                     id.key_id, text, id.sequence);
    op_end_read(&op, rc, NULL);
}

void client_cancel_delegation_token(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__CancelDelegationTokenRequestProto *q = (const void *)message;
    struct op op;
    struct token_id id = {0};
    op_begin(&op, context, call);
    int rc = op_check_safe_mode(&op, "cancel delegation token", "");
    rc = rc ? rc : token_decode(q->token, op.arena, &id, &op.err);
    if (rc)
        ;
    else if (!*id.owner)
        rc = err_set(&op.err, ERR_INVALID_TOKEN, "Token with no owner %s", token_text(&id, op.arena));
    else if (strcmp(op.user.name, id.owner) && strcmp(op.user.name, id.renewer))
        rc = err_set(&op.err, ERR_ACCESS, "%s is not authorized to cancel the token %s", op.user.name,
                     token_text(&id, op.arena));
    else
        rc = err_set(&op.err, ERR_INVALID_TOKEN, "Token not found %s", token_text(&id, op.arena));
    op_end_read(&op, rc, NULL);
}

/* Block data is not encrypted: there is no key, and its absence says so. */
void client_get_data_encryption_key(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__GetDataEncryptionKeyResponseProto response = HDFS__GET_DATA_ENCRYPTION_KEY_RESPONSE_PROTO__INIT;
    rpc_call_reply(call, &response.base);
}

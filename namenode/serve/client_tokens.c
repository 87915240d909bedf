/* ClientProtocol: delegation tokens and keys. Security is off, as in an HDFS with simple authentication: no token is
 * needed, and none is issued unless dfs.namenode.delegation.token.always-use says so. */
#include "common/clock.h"
#include "namenode/namespace/tokens.h"
#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"

static struct slice slice_of(ProtobufCBinaryData bytes)
{
    return (struct slice){bytes.data, bytes.len};
}

static Hdfs__TokenProto *token_proto(struct op *op, const struct token *token)
{
    Hdfs__TokenProto *p = arena_new(op->arena, Hdfs__TokenProto);
    hdfs__token_proto__init(p);
    p->identifier.len = token->identifier_len;
    p->identifier.data = arena_memdup(op->arena, token->identifier, token->identifier_len);
    p->password.len = sizeof token->password;
    p->password.data = arena_memdup(op->arena, token->password, sizeof token->password);
    p->kind = (char *)(uintptr_t)TOKEN_KIND;
    p->service = (char *)(uintptr_t) ""; /* the client knows which address it asked */
    return p;
}

/* Where no secret manager runs, HDFS answers with no token at all, and clients go on without. */
void client_get_delegation_token(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetDelegationTokenRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_delegation_token_response_proto, Hdfs__GetDelegationTokenResponseProto);
    struct tokens *tokens = op.nn->tokens;
    const struct token *token = NULL;
    int rc = op_check_safe_mode(&op, "issue delegation token", "");
    if (!rc && tokens->are_issued)
        rc = tokens_issue(tokens, &op.t, op.user.name, q->renewer, clock_wall_ms(), &token, &op.err);
    if (token)
        response->token = token_proto(&op, token);
    op_end(&op, rc, &response->base);
}

void client_renew_delegation_token(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__RenewDelegationTokenRequestProto *q = (const void *)message;
    struct op op;
    int64_t until_ms = 0;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__renew_delegation_token_response_proto, Hdfs__RenewDelegationTokenResponseProto);
    int rc = op_check_safe_mode(&op, "renew delegation token", "");
    rc = rc ? rc
            : tokens_renew(op.nn->tokens, &op.t, slice_of(q->token->identifier), slice_of(q->token->password),
                           op.user.name, clock_wall_ms(), &until_ms, &op.err);
    response->newexpirytime = (uint64_t)until_ms;
    op_end(&op, rc, &response->base);
}

void client_cancel_delegation_token(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__CancelDelegationTokenRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__cancel_delegation_token_response_proto, Hdfs__CancelDelegationTokenResponseProto);
    int rc = op_check_safe_mode(&op, "cancel delegation token", "");
    rc = rc ? rc
            : tokens_cancel(op.nn->tokens, &op.t, slice_of(q->token->identifier), op.user.name, clock_wall_ms(),
                            &op.err);
    op_end(&op, rc, &response->base);
}

/* Block data is not encrypted: there is no key, and its absence says so. */
void client_get_data_encryption_key(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__GetDataEncryptionKeyResponseProto response = HDFS__GET_DATA_ENCRYPTION_KEY_RESPONSE_PROTO__INIT;
    rpc_call_reply(call, &response.base);
}

/* What comes before calls on a connection: the preamble, perhaps SASL, the context; and how a peer that gets
 * it wrong is told so. Loop thread. */
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/rd.h"
#include "common/wr.h"
#include "proto/message.h"
#include "rpc/sasl_login.h"
#include "rpc/server_impl.h"

#define CONTEXT_MAX_BYTES (64u << 10) /* a decoded context or SASL message */

static const char http_reply[] = "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
                                 "This is an RPC port of Hadoop's protocol, not a web page. "
                                 "The web interface of this daemon is on another port (the namenode's is 9870).\n";

/* Something to say that answers no call. */
static void say(struct rpc_connection *c, const void *bytes, size_t len)
{
    struct rpc_request_header none = {0};
    struct rpc_call *call = call_new(c, &none);
    buf_append(&call->reply, bytes, len);
    connection_send(c, call);
}

void handshake_fatal(struct rpc_connection *c, const struct rpc_request_header *h, rpc_detail detail,
                     const char *java_class, const char *text)
{
    c->phase = PHASE_LAST_WORD;
    call_answer_error(call_new(c, h), RPC_STATUS(FATAL), detail, java_class, text);
}

void handshake_fatal_header(struct rpc_connection *c, const struct rpc_request_header *h, const char *text)
{
    handshake_fatal(c, h, RPC_DETAIL(FATAL_INVALID_RPC_HEADER), ERR_IPC "RpcServerException", text);
}

static void wr_java_string(struct buf *to, const char *text)
{
    wr_u32be(to, (uint32_t)strlen(text));
    buf_append_str(to, text);
}

/* Each generation of clients understands a refusal in its own layout. */
static void refuse_version(struct rpc_connection *c, unsigned version)
{
    const char *java_class = ERR_IPC "RPC$VersionMismatch";
    char text[96];
    snprintf(text, sizeof text, "Server IPC version %d cannot communicate with client version %u", RPC_VERSION,
             version);
    struct rpc_request_header h = {.call_id = RPC_CALL_AUTHORIZATION, .retry_count = -1};
    c->phase = PHASE_LAST_WORD;
    if (version >= RPC_VERSION) {
        handshake_fatal(c, &h, RPC_DETAIL(FATAL_VERSION_MISMATCH), java_class, text);
        return;
    }
    if (version < 2)
        return;
    AUTO(buf_free) struct buf out = {0};
    if (version == 2) {
        wr_u32be(&out, 0); /* call id */
        wr_u8(&out, 1);    /* an error */
    } else {
        wr_u32be(&out, (uint32_t)-1); /* call id */
        wr_u32be(&out, (uint32_t)-1); /* fatal */
    }
    wr_java_string(&out, java_class);
    wr_java_string(&out, text);
    say(c, out.base, out.len);
}

size_t handshake_preamble(struct rpc_connection *c, struct slice in)
{
    if (in.len >= 4 && memcmp(in.base, "GET ", 4) == 0) {
        c->phase = PHASE_LAST_WORD;
        say(c, http_reply, sizeof http_reply - 1);
        return in.len;
    }
    if (in.len < RPC_PREAMBLE_BYTES)
        return 0;
    unsigned version = in.base[4], auth = in.base[6]; /* [5] is a service class, which is for nothing */
    c->phase = PHASE_CONTEXT;
    if (memcmp(in.base, RPC_MAGIC, 4) != 0 || version != RPC_VERSION) {
        refuse_version(c, version);
    } else if (auth != RPC_AUTH_NONE && auth != RPC_AUTH_SASL) {
        struct rpc_request_header h = {.call_id = RPC_CALL_AUTHORIZATION, .retry_count = -1};
        char text[64];
        snprintf(text, sizeof text, "Unknown authentication protocol %u", auth);
        handshake_fatal(c, &h, RPC_DETAIL(FATAL_UNAUTHORIZED), ERR_IPC "IpcException", text);
    }
    return RPC_PREAMBLE_BYTES;
}

/* A delimited message outside of calls. NULL: it was refused. */
static ProtobufCMessage *take_message(struct rpc_connection *c, const struct rpc_request_header *h,
                                      const ProtobufCMessageDescriptor *type, struct slice in, struct arena *a)
{
    struct rd rd = rd_of(in);
    struct slice body = rd_slice(&rd, rd_varint(&rd));
    ProtobufCMessage *message = NULL;
    struct err why;
    int rc = rd.bad ? err_set(&why, ERR_PROTOCOL, "%s is cut short", type->short_name)
                    : message_unpack(type, body, a, &message, &why);
    if (rc == 0)
        rc = message_check_texts(type, body, &why);
    if (rc < 0) {
        message = NULL;
        handshake_fatal(c, h, RPC_DETAIL(FATAL_DESERIALIZING_REQUEST), ERR_IPC "RpcServerException", why.text);
    }
    return message;
}

void handshake_context(struct rpc_connection *c, const struct rpc_request_header *h, struct slice in)
{
    if (c->phase == PHASE_CALLS) {
        handshake_fatal_header(c, h, "Connection context already processed");
        return;
    }
    AUTO(arena_free) struct arena a;
    arena_init(&a, CONTEXT_MAX_BYTES);
    Hrpc__IpcConnectionContextProto *context =
        (void *)take_message(c, h, &hrpc__ipc_connection_context_proto__descriptor, in, &a);
    if (!context)
        return;
    const Hrpc__UserInformationProto *info = context->userinfo;
    const char *user = info ? info->effectiveuser : NULL;
    struct err why;
    if (user && info->realuser && !c->has_token && /* a token was given to both */
        proxy_users_check(c->server->options.proxy_users, info->realuser, user, c->peer_ip, &why) < 0) {
        handshake_fatal(c, h, RPC_DETAIL(FATAL_UNAUTHORIZED), err_java_class(&why), why.text);
        return;
    }
    /* "hdfs/host@REALM" is the user hdfs. */
    if (c->has_token && user && strcmp(user, c->user)) {
        char text[640];
        snprintf(text, sizeof text, "Authenticated user (%s) doesn't match what the client claims to be (%.255s)",
                 c->user, user);
        handshake_fatal(c, h, RPC_DETAIL(FATAL_UNAUTHORIZED), "org.apache.hadoop.security.AccessControlException",
                        text);
        return;
    }
    if (user && !c->has_token)
        c->user = mem_strndup(user, strcspn(user, "/@"));
    c->phase = PHASE_CALLS;
}

/* ---- SASL ---- */

static void refuse_login(struct rpc_connection *c, const struct rpc_request_header *h, const struct err *why)
{
    handshake_fatal(c, h, RPC_DETAIL(FATAL_UNAUTHORIZED), err_java_class(why), why->text);
}

/* A token first, for who has one; else a name will do. */
static void offer_token(struct rpc_connection *c, const struct rpc_request_header *h)
{
    AUTO(buf_free) struct buf challenge = {0};
    struct err why;
    sasl_login_free(STEAL(c->login));
    if (sasl_login_new(&c->server->options, &c->login, &challenge, &why)) {
        refuse_login(c, h, &why);
        return;
    }
    Hrpc__RpcSaslProto answer = HRPC__RPC_SASL_PROTO__INIT;
    Hrpc__RpcSaslProto__SaslAuth token = HRPC__RPC_SASL_PROTO__SASL_AUTH__INIT,
                                 simple = HRPC__RPC_SASL_PROTO__SASL_AUTH__INIT, *auths[] = {&token, &simple};
    char method[] = SASL_TOKEN_METHOD, mechanism[] = SASL_TOKEN_MECHANISM, server[] = SASL_TOKEN_SERVER, none[] = "",
         by_name[] = "SIMPLE";
    token.method = method;
    token.mechanism = mechanism;
    token.protocol = none;
    token.serverid = server;
    token.has_challenge = true;
    token.challenge = (ProtobufCBinaryData){challenge.len, challenge.base};
    simple.method = by_name;
    simple.mechanism = none;
    answer.state = HRPC__RPC_SASL_PROTO__SASL_STATE__NEGOTIATE;
    answer.auths = auths;
    answer.n_auths = 2;
    rpc_call_reply(call_new(c, h), &answer.base);
}

static void take_token(struct rpc_connection *c, const struct rpc_request_header *h, const Hrpc__RpcSaslProto *sasl)
{
    AUTO(buf_free) struct buf proof = {0};
    struct err why;
    if (sasl_login_finish(c->login, (struct slice){sasl->token.data, sasl->token.len}, &proof, &why)) {
        refuse_login(c, h, &why);
        return;
    }
    c->user = mem_strdup(sasl_login_user(c->login));
    c->has_token = true;
    sasl_login_free(STEAL(c->login));
    Hrpc__RpcSaslProto answer = HRPC__RPC_SASL_PROTO__INIT;
    answer.state = HRPC__RPC_SASL_PROTO__SASL_STATE__SUCCESS;
    answer.has_token = true;
    answer.token = (ProtobufCBinaryData){proof.len, proof.base};
    rpc_call_reply(call_new(c, h), &answer.base);
}

/* Where there are no tokens, whoever asks for SASL is told at once that it succeeded, and goes on without. */
void handshake_sasl(struct rpc_connection *c, const struct rpc_request_header *h, struct slice in)
{
    if (c->phase == PHASE_CALLS) {
        handshake_fatal_header(c, h, "SASL after the connection context");
        return;
    }
    AUTO(arena_free) struct arena a;
    arena_init(&a, CONTEXT_MAX_BYTES);
    const Hrpc__RpcSaslProto *sasl = (void *)take_message(c, h, &hrpc__rpc_sasl_proto__descriptor, in, &a);
    if (!sasl)
        return;
    bool is_first = sasl->state == HRPC__RPC_SASL_PROTO__SASL_STATE__INITIATE && sasl->n_auths == 1;
    bool asks = sasl->state == HRPC__RPC_SASL_PROTO__SASL_STATE__NEGOTIATE;
    if (is_first && !strcmp(sasl->auths[0]->method, "SIMPLE"))
        return; /* such a client does not wait for an answer */
    if (is_first && c->login && !strcmp(sasl->auths[0]->method, SASL_TOKEN_METHOD)) {
        take_token(c, h, sasl);
    } else if (asks && c->server->options.token_login && !c->has_token) {
        offer_token(c, h);
    } else if (asks) {
        Hrpc__RpcSaslProto answer = HRPC__RPC_SASL_PROTO__INIT;
        answer.state = HRPC__RPC_SASL_PROTO__SASL_STATE__SUCCESS;
        rpc_call_reply(call_new(c, h), &answer.base);
    } else {
        handshake_fatal(c, h, RPC_DETAIL(FATAL_UNAUTHORIZED), "javax.security.sasl.SaslException",
                        "this server has SIMPLE authentication only");
    }
}

/* Logging in with a token, as a client does that has libgsasl, too. */
#include "tests/unit/rpc/conversation.h"

#include <gsasl.h>

#define IDENTIFIER "ann's token"
#define PASSWORD   "\1\2\3 no text\377"

static int login(void *context, struct slice identifier, struct rpc_token *ret, struct err *reterr)
{
    if (identifier.len != strlen(IDENTIFIER) || memcmp(identifier.base, IDENTIFIER, identifier.len))
        return err_set(reterr, ERR_INVALID_TOKEN, "no such token");
    *ret = (struct rpc_token){.user = "ann", .password = PASSWORD, .password_len = sizeof PASSWORD - 1};
    return 0;
}

static const struct rpc_server_options with_tokens = {.token_login = login};

struct client {
    const char *identifier, *password;
    Gsasl *library;
    Gsasl_session *session;
};

static void client_begin(struct client *c)
{
    char *text = NULL;
    assert_int_equal(gsasl_init(&c->library), GSASL_OK);
    assert_int_equal(gsasl_client_start(c->library, "DIGEST-MD5", &c->session), GSASL_OK);
    assert_int_equal(gsasl_base64_to(c->identifier, strlen(c->identifier), &text, NULL), GSASL_OK);
    assert_int_equal(gsasl_property_set(c->session, GSASL_AUTHID, text), GSASL_OK);
    gsasl_free(text);
    assert_int_equal(gsasl_base64_to(c->password, strlen(c->password), &text, NULL), GSASL_OK);
    assert_int_equal(gsasl_property_set(c->session, GSASL_PASSWORD, text), GSASL_OK);
    gsasl_free(text);
    assert_int_equal(gsasl_property_set(c->session, GSASL_SERVICE, ""), GSASL_OK);
    assert_int_equal(gsasl_property_set(c->session, GSASL_HOSTNAME, "default"), GSASL_OK);
    assert_int_equal(gsasl_property_set(c->session, GSASL_REALM, "default"), GSASL_OK);
}

static void client_end(struct client *c)
{
    gsasl_finish(c->session);
    gsasl_done(c->library);
}

static void put_sasl_token(struct buf *b, Hrpc__RpcSaslProto__SaslState state, const char *method, struct slice token)
{
    Hrpc__RpcSaslProto sasl = HRPC__RPC_SASL_PROTO__INIT;
    Hrpc__RpcSaslProto__SaslAuth auth = HRPC__RPC_SASL_PROTO__SASL_AUTH__INIT, *auths[] = {&auth};
    char mechanism[] = "DIGEST-MD5";
    auth.method = (char *)(uintptr_t)method;
    auth.mechanism = mechanism;
    sasl.state = state;
    sasl.auths = auths;
    sasl.n_auths = method ? 1 : 0;
    sasl.has_token = token.base != NULL;
    sasl.token = (ProtobufCBinaryData){token.len, (uint8_t *)(uintptr_t)token.base};
    rpc_frame_request(b, RPC_CALL_SASL, -1, client_id, NULL, NULL, &sasl.base);
}

static Hrpc__RpcSaslProto *hear_sasl(int fd, struct arena *a)
{
    struct answer answer = hear(fd);
    ProtobufCMessage *message = NULL;
    assert_int_equal(answer.head.call_id, (uint32_t)RPC_CALL_SASL);
    assert_int_equal(answer.head.status, RPC_STATUS(SUCCESS));
    struct rd rd = rd_of(answer.body);
    assert_int_equal(
        message_unpack(&hrpc__rpc_sasl_proto__descriptor, rd_slice(&rd, rd_varint(&rd)), a, &message, NULL), 0);
    buf_free(&answer.frame);
    return (void *)message;
}

/* Up to the response, which is left in f->out. */
static int open_and_respond(struct fixture *f, struct client *c, struct arena *a)
{
    int fd = dial(f);
    char *out = NULL;
    size_t len = 0;
    put_preamble(&f->out, RPC_AUTH_SASL);
    put_sasl(&f->out, HRPC__RPC_SASL_PROTO__SASL_STATE__NEGOTIATE);
    say(fd, &f->out);
    const Hrpc__RpcSaslProto *offer = hear_sasl(fd, a);
    assert_int_equal(offer->state, HRPC__RPC_SASL_PROTO__SASL_STATE__NEGOTIATE);
    assert_int_equal(offer->n_auths, 2);
    assert_string_equal(offer->auths[0]->method, "TOKEN");
    assert_string_equal(offer->auths[0]->serverid, "default");
    assert_string_equal(offer->auths[1]->method, "SIMPLE");
    client_begin(c);
    int rc = gsasl_step(c->session, (const char *)offer->auths[0]->challenge.data, offer->auths[0]->challenge.len, &out,
                        &len);
    assert_int_equal(rc, GSASL_NEEDS_MORE);
    put_sasl_token(&f->out, HRPC__RPC_SASL_PROTO__SASL_STATE__INITIATE, "TOKEN", (struct slice){(uint8_t *)out, len});
    gsasl_free(out);
    return fd;
}

static void a_token_is_a_name(void **state)
{
    struct fixture f = fixture_start(with_tokens);
    struct client c = {IDENTIFIER, PASSWORD};
    struct arena a;
    char *out = NULL;
    size_t len = 0;
    arena_init(&a, 1 << 20);
    int fd = open_and_respond(&f, &c, &a);
    say(fd, &f.out);
    const Hrpc__RpcSaslProto *done = hear_sasl(fd, &a);
    assert_int_equal(done->state, HRPC__RPC_SASL_PROTO__SASL_STATE__SUCCESS);
    assert_int_equal(gsasl_step(c.session, (const char *)done->token.data, done->token.len, &out, &len), GSASL_OK);
    gsasl_free(out);
    Hrpc__IpcConnectionContextProto context = HRPC__IPC_CONNECTION_CONTEXT_PROTO__INIT; /* names nobody */
    rpc_frame_request(&f.out, RPC_CALL_CONTEXT, -1, client_id, NULL, NULL, &context.base);
    put_size(&f.out, 1, "abc");
    say(fd, &f.out);
    expect_size(fd, 1, 3);
    assert_string_equal(f.service->last_user, "ann");
    client_end(&c);
    close(fd);
    arena_free(&a);
    fixture_stop(&f);
}

static void nobody_is_somebody_else(void **state)
{
    struct fixture f = fixture_start(with_tokens);
    struct client c = {IDENTIFIER, PASSWORD};
    struct arena a;
    arena_init(&a, 1 << 20);
    int fd = open_and_respond(&f, &c, &a);
    put_context(&f.out); /* of grace */
    say(fd, &f.out);
    hear_sasl(fd, &a);
    expect_error(fd, (uint32_t)RPC_CALL_CONTEXT, RPC_STATUS(FATAL), RPC_DETAIL(FATAL_UNAUTHORIZED),
                 "org.apache.hadoop.security.AccessControlException", "grace");
    client_end(&c);
    close(fd);
    arena_free(&a);
    fixture_stop(&f);
}

static void wrong_ones_are_refused(void **state)
{
    static const struct client wrong[] = {{IDENTIFIER, "guessed"}, {"bob's token", PASSWORD}, {"", PASSWORD}};
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        struct fixture f = fixture_start(with_tokens);
        struct client c = wrong[i];
        struct arena a;
        arena_init(&a, 1 << 20);
        int fd = open_and_respond(&f, &c, &a);
        say(fd, &f.out);
        expect_error(fd, (uint32_t)RPC_CALL_SASL, RPC_STATUS(FATAL), RPC_DETAIL(FATAL_UNAUTHORIZED),
                     "org.apache.hadoop.security.token.SecretManager$InvalidToken", i == 1 ? "token" : "DIGEST-MD5");
        expect_close(fd);
        client_end(&c);
        close(fd);
        arena_free(&a);
        fixture_stop(&f);
    }
}

static void nonsense_ends_the_connection(void **state)
{
    static const char *const nonsense[] = {"",      "x",       "username=", "username=\"a\",realm=\"default\"",
                                           "=,=,=", "\"\"\"\""};
    for (size_t i = 0; i < ARRAY_COUNT(nonsense); i++) {
        struct fixture f = fixture_start(with_tokens);
        struct arena a;
        arena_init(&a, 1 << 20);
        int fd = dial(&f);
        put_preamble(&f.out, RPC_AUTH_SASL);
        put_sasl(&f.out, HRPC__RPC_SASL_PROTO__SASL_STATE__NEGOTIATE);
        put_sasl_token(&f.out, HRPC__RPC_SASL_PROTO__SASL_STATE__INITIATE, "TOKEN",
                       (struct slice){(const uint8_t *)nonsense[i], strlen(nonsense[i])});
        say(fd, &f.out);
        hear_sasl(fd, &a);
        struct answer answer = hear(fd);
        assert_int_equal(answer.head.status, RPC_STATUS(FATAL));
        buf_free(&answer.frame);
        expect_close(fd);
        close(fd);
        arena_free(&a);
        fixture_stop(&f);
    }
}

/* Nor does a name need a token, or a token an invitation. */
static void a_name_will_do(void **state)
{
    struct fixture f = fixture_start(with_tokens);
    struct arena a;
    arena_init(&a, 1 << 20);
    int fd = dial(&f);
    put_preamble(&f.out, RPC_AUTH_SASL);
    put_sasl(&f.out, HRPC__RPC_SASL_PROTO__SASL_STATE__NEGOTIATE);
    put_sasl_token(&f.out, HRPC__RPC_SASL_PROTO__SASL_STATE__INITIATE, "SIMPLE", (struct slice){0});
    put_context(&f.out);
    put_size(&f.out, 1, "abc");
    say(fd, &f.out);
    hear_sasl(fd, &a);
    expect_size(fd, 1, 3);
    assert_string_equal(f.service->last_user, "grace");
    close(fd);
    fd = dial(&f);
    put_preamble(&f.out, RPC_AUTH_SASL);
    put_sasl_token(&f.out, HRPC__RPC_SASL_PROTO__SASL_STATE__INITIATE, "TOKEN",
                   (struct slice){(const uint8_t *)"x", 1});
    say(fd, &f.out);
    expect_error(fd, (uint32_t)RPC_CALL_SASL, RPC_STATUS(FATAL), RPC_DETAIL(FATAL_UNAUTHORIZED),
                 "javax.security.sasl.SaslException", "");
    close(fd);
    arena_free(&a);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_a_name),      cmocka_unit_test(nobody_is_somebody_else),
        cmocka_unit_test(wrong_ones_are_refused), cmocka_unit_test(nonsense_ends_the_connection),
        cmocka_unit_test(a_name_will_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Connections for another user than the one who makes them. */
#include "tests/unit/rpc/conversation.h"

#include "common/proxy_users.h"

#define AUTHORIZATION_EXCEPTION "org.apache.hadoop.security.authorize.AuthorizationException"

static void set(struct config *c, const char *name, const char *value)
{
    assert_int_equal(config_set(c, name, value, "test", NULL), 0);
}

static void expect_refusal(const struct fixture *f, const char *user, const char *real, const char *text)
{
    struct buf out = {0};
    int fd = dial(f);
    put_preamble(&out, RPC_AUTH_NONE);
    put_context_of(&out, user, real);
    put_size(&out, 1, "x");
    say(fd, &out);
    expect_error(fd, (uint32_t)RPC_CALL_CONTEXT, RPC_STATUS(FATAL), RPC_DETAIL(FATAL_UNAUTHORIZED),
                 AUTHORIZATION_EXCEPTION, text);
    expect_close(fd); /* the call behind it is not answered */
    buf_free(&out);
}

static void expect_service(const struct fixture *f, const char *user, const char *real)
{
    struct buf out = {0};
    int fd = dial(f);
    put_preamble(&out, RPC_AUTH_NONE);
    put_context_of(&out, user, real);
    put_size(&out, 1, "x");
    say(fd, &out);
    expect_size(fd, 1, 1);
    close(fd);
    buf_free(&out);
}

static void who_may_act_for_another_is_configured(void **state)
{
    struct config *c = config_new();
    set(c, "hadoop.proxyuser.gate.users", "ann,bob");
    set(c, "hadoop.proxyuser.gate.hosts", "127.0.0.0/8");
    set(c, "hadoop.proxyuser.far.users", "*");
    set(c, "hadoop.proxyuser.far.hosts", "10.0.0.1");
    struct proxy_users *p = proxy_users_new("hadoop.proxyuser", c);
    struct fixture f = fixture_start((struct rpc_server_options){.proxy_users = p});
    expect_service(&f, "ann", "gate");
    expect_service(&f, "bob@REALM", "gate/host@REALM");
    expect_service(&f, "eve", NULL);
    expect_refusal(&f, "eve", "gate", "User: gate is not allowed to impersonate eve");
    expect_refusal(&f, "gate", "gate", "User: gate is not allowed to impersonate gate"); /* as Hadoop has it */
    expect_refusal(&f, "ann", "eve", "User: eve is not allowed to impersonate ann");
    expect_refusal(&f, "ann", "", "User:  is not allowed to impersonate ann");
    expect_refusal(&f, "ann", "far", "Unauthorized connection for super-user: far from IP /127.0.0.1");
    set(c, "hadoop.proxyuser.gate.users", "eve");
    proxy_users_refresh(p, c);
    expect_service(&f, "eve", "gate");
    expect_refusal(&f, "ann", "gate", "User: gate is not allowed to impersonate ann");
    fixture_stop(&f);
    proxy_users_free(p);
    config_free(c);
}

static void nobody_may_without_configuration(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    expect_refusal(&f, "ann", "gate", "User: gate is not allowed to impersonate ann");
    expect_service(&f, "ann", NULL);
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_may_act_for_another_is_configured),
        cmocka_unit_test(nobody_may_without_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The RPC client against our own server, over real sockets. */
#include "tests/unit/check.h"

#include "rpc/rpc_client.h"
#include "tests/unit/rpc/service.h"

static struct rpc_client *client_of(uint16_t port, struct rpc_client_options o)
{
    struct net_address address = {"127.0.0.1", port};
    if (!o.addresses) {
        o.addresses = &address;
        o.address_count = 1;
    }
    o.protocol = o.protocol ? o.protocol : TEST_PROTOCOL;
    o.user = "ada/host@REALM";
    struct rpc_client *c = NULL;
    assert_int_equal(rpc_client_new(&o, &c, NULL), 0);
    return c;
}

/* Length of `name` as the server says, or a negative error. */
static int64_t ask_size(struct rpc_client *c, const char *name, struct err *reterr)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    Hdfs__GetPreferredBlockSizeRequestProto request = HDFS__GET_PREFERRED_BLOCK_SIZE_REQUEST_PROTO__INIT;
    request.filename = (char *)(uintptr_t)name;
    ProtobufCMessage *response;
    int rc = rpc_client_call(c, "getPreferredBlockSize", &request.base,
                             &hdfs__get_preferred_block_size_response_proto__descriptor, &a, &response, reterr);
    int64_t value = rc < 0 ? rc : (int64_t)((Hdfs__GetPreferredBlockSizeResponseProto *)response)->bsize;
    arena_free(&a);
    return value;
}

static int64_t ask_large(struct rpc_client *c, size_t len, struct err *reterr)
{
    struct arena a;
    arena_init(&a, 256 << 20);
    char text[32];
    snprintf(text, sizeof text, "%zu", len);
    Hdfs__GetLinkTargetRequestProto request = HDFS__GET_LINK_TARGET_REQUEST_PROTO__INIT;
    request.path = text;
    ProtobufCMessage *response;
    int rc = rpc_client_call(c, "getLinkTarget", &request.base, &hdfs__get_link_target_response_proto__descriptor, &a,
                             &response, reterr);
    int64_t value = rc < 0 ? rc : (int64_t)strlen(((Hdfs__GetLinkTargetResponseProto *)response)->targetpath);
    arena_free(&a);
    return value;
}

static int ask_delete(struct rpc_client *c, const char *src, struct err *reterr)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    Hdfs__DeleteRequestProto request = HDFS__DELETE_REQUEST_PROTO__INIT;
    request.src = (char *)(uintptr_t)src;
    ProtobufCMessage *response;
    int rc =
        rpc_client_call(c, "delete", &request.base, &hdfs__delete_response_proto__descriptor, &a, &response, reterr);
    arena_free(&a);
    return rc;
}

static void a_call_is_answered(void **state)
{
    struct test_service *t = test_service_new();
    struct rpc_server *s = test_server_start(t, (struct rpc_server_options){0});
    struct rpc_client *c = client_of(rpc_server_port(s), (struct rpc_client_options){0});
    struct err err;
    for (int i = 0; i < 100; i++)
        assert_int_equal(ask_size(c, "/four", &err), 5);
    assert_string_equal(t->last_user, "ada");
    assert_string_equal(t->last_ip, "127.0.0.1");
    rpc_client_free(c);
    rpc_server_stop(s);
    test_service_free(t);
}

static void exceptions_arrive_with_their_class(void **state)
{
    struct test_service *t = test_service_new();
    struct rpc_server *s = test_server_start(t, (struct rpc_server_options){0});
    struct rpc_client *c = client_of(rpc_server_port(s), (struct rpc_client_options){0});
    struct err err;
    assert_int_equal(ask_size(c, "fail", &err), ERR_NOT_FOUND);
    assert_string_equal(err.java_class, "java.io.FileNotFoundException");
    assert_string_equal(err.text, "File does not exist: fail");
    assert_int_equal(ask_size(c, "standby", &err), ERR_STANDBY);
    Hdfs__MsyncRequestProto request = HDFS__MSYNC_REQUEST_PROTO__INIT;
    struct arena a;
    arena_init(&a, 4096);
    ProtobufCMessage *response;
    assert_int_equal(
        rpc_client_call(c, "msync", &request.base, &hdfs__msync_response_proto__descriptor, &a, &response, &err),
        ERR_NO_SUCH_METHOD);
    assert_string_equal(err.text, "Unknown method msync called on " TEST_PROTOCOL " protocol.");
    struct rpc_client *other =
        client_of(rpc_server_port(s), (struct rpc_client_options){.protocol = "no.such.Protocol"});
    assert_int_equal(ask_size(other, "x", &err), ERR_NO_SUCH_PROTOCOL);
    assert_int_equal(ask_size(c, "/still/alive", &err), 12);
    arena_free(&a);
    rpc_client_free(other);
    rpc_client_free(c);
    rpc_server_stop(s);
    test_service_free(t);
}

static void large_answers_and_requests_pass(void **state)
{
    struct test_service *t = test_service_new();
    struct rpc_server *s = test_server_start(t, (struct rpc_server_options){0});
    struct rpc_client *c = client_of(rpc_server_port(s), (struct rpc_client_options){0});
    struct err err;
    const size_t sizes[] = {0, 1, 16300, 16384, 65536, 1 << 20, 20 << 20};
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        assert_int_equal(ask_large(c, sizes[i], &err), sizes[i]);
        char *name = mem_zalloc(sizes[i] + 1);
        memset(name, 'y', sizes[i]);
        assert_int_equal(ask_size(c, name, &err), sizes[i]);
        free(name);
    }
    rpc_client_free(c);
    rpc_server_stop(s);
    test_service_free(t);
}

struct worker {
    pthread_t thread;
    struct rpc_client *client;
    int calls, wrong;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    char name[400];
    memset(name, 'n', sizeof name);
    for (int i = 0; i < w->calls; i++) {
        int len = 1 + (i * 7 + w->calls) % 390;
        name[len] = 0;
        w->wrong += ask_size(w->client, name, NULL) != len;
        name[len] = 'n';
        if (i % 64 == 0)
            w->wrong += ask_large(w->client, 100000, NULL) != 100000;
    }
    return NULL;
}

static void many_threads_share_a_connection(void **state)
{
    struct test_service *t = test_service_new();
    struct rpc_server *s = test_server_start(t, (struct rpc_server_options){.calls_in_flight_max = 4});
    struct rpc_client *c = client_of(rpc_server_port(s), (struct rpc_client_options){0});
    struct worker workers[16];
    for (size_t i = 0; i < ARRAY_COUNT(workers); i++) {
        workers[i] = (struct worker){.client = c, .calls = 300 + (int)i};
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(workers); i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].wrong, 0);
    }
    rpc_client_free(c);
    rpc_server_stop(s);
    test_service_free(t);
}

static void a_refused_connection_names_the_address(void **state)
{
    struct test_service *t = test_service_new();
    struct rpc_server *s = test_server_start(t, (struct rpc_server_options){0});
    uint16_t port = rpc_server_port(s);
    rpc_server_stop(s);
    struct rpc_client *c = client_of(port, (struct rpc_client_options){0});
    struct err err;
    char expected[64];
    snprintf(expected, sizeof expected, "127.0.0.1:%u", port);
    assert_int_equal(ask_size(c, "x", &err), ERR_CONNECT);
    assert_non_null(strstr(err.text, expected));
    rpc_client_free(c);
    test_service_free(t);
}

static void a_silent_server_times_out(void **state)
{
    struct net_address address = {"127.0.0.1", 0};
    int fd;
    uint16_t port;
    assert_int_equal(net_listen(&address, &fd, &port, NULL), 0); /* accepts into its backlog, and says nothing */
    struct rpc_client *c = client_of(port, (struct rpc_client_options){.call_timeout_ms = 100});
    struct err err;
    assert_int_equal(ask_size(c, "x", &err), ERR_TIMEOUT);
    rpc_client_free(c);
    net_closep(&fd);
}

static void a_silent_server_is_left_for_another(void **state)
{
    struct net_address addresses[2] = {{"127.0.0.1", 0}, {"127.0.0.1", 0}};
    int fd;
    assert_int_equal(net_listen(&addresses[0], &fd, &addresses[0].port, NULL), 0);
    struct test_service *t = test_service_new();
    struct rpc_server *s = test_server_start(t, (struct rpc_server_options){0});
    addresses[1].port = rpc_server_port(s);
    struct rpc_client_options o = {.addresses = addresses, .address_count = 2, .call_timeout_ms = 300};
    struct rpc_client *c = client_of(0, o);
    assert_int_equal(ask_size(c, "xyz", NULL), 3);
    rpc_client_free(c);
    rpc_server_stop(s);
    test_service_free(t);
    net_closep(&fd);
}

static void an_unused_connection_that_was_closed_is_replaced(void **state)
{
    struct test_service *t = test_service_new();
    struct rpc_server *s = test_server_start(t, (struct rpc_server_options){0});
    uint16_t port = rpc_server_port(s);
    struct rpc_client *c = client_of(port, (struct rpc_client_options){0});
    struct err err;
    assert_int_equal(ask_size(c, "x", &err), 1);
    rpc_server_stop(s);
    s = test_server_start(t, (struct rpc_server_options){.listen.port = port});
    assert_int_equal(ask_size(c, "xy", &err), 2);
    rpc_client_free(c);
    rpc_server_stop(s);
    test_service_free(t);
}

struct restart {
    struct test_service *service;
    struct rpc_server *server;
    uint16_t port;
};

static void *start_later(void *arg)
{
    struct restart *r = arg;
    clock_sleep_ms(150); /* a restart takes its time */
    r->server = test_server_start(r->service, (struct rpc_server_options){.listen.port = r->port});
    return NULL;
}

static void a_restart_is_waited_out(void **state)
{
    struct test_service *t = test_service_new();
    struct restart later = {.service = t};
    struct rpc_server *s = test_server_start(t, (struct rpc_server_options){0});
    later.port = rpc_server_port(s);
    struct rpc_client *c = client_of(later.port, (struct rpc_client_options){.retry_for_ms = 20000});
    struct err err;
    assert_int_equal(ask_size(c, "x", &err), 1);
    rpc_server_stop(s);
    pthread_t thread;
    pthread_create(&thread, NULL, start_later, &later);
    assert_int_equal(ask_size(c, "xyz", &err), 3);
    pthread_join(thread, NULL);
    rpc_client_free(c);
    rpc_server_stop(later.server);
    test_service_free(t);
}

static void the_server_in_charge_is_found(void **state)
{
    struct test_service *t[3];
    struct rpc_server *s[3];
    struct net_address addresses[3] = {0};
    for (int i = 0; i < 3; i++) {
        t[i] = test_service_new();
        t[i]->standby = i != 2;
        s[i] = test_server_start(t[i], (struct rpc_server_options){0});
        addresses[i] = (struct net_address){"127.0.0.1", rpc_server_port(s[i])};
    }
    rpc_server_stop(s[0]); /* one is down, one is a standby, one is active */
    struct rpc_client *c = client_of(0, (struct rpc_client_options){.addresses = addresses, .address_count = 3});
    struct err err;
    assert_int_equal(ask_size(c, "x", &err), 1);
    assert_int_equal(rpc_client_address(c)->port, addresses[2].port);
    t[2]->standby = true; /* they change places */
    t[1]->standby = false;
    assert_int_equal(ask_size(c, "x", &err), 1);
    assert_int_equal(rpc_client_address(c)->port, addresses[1].port);
    rpc_client_free(c);
    for (int i = 0; i < 3; i++) {
        if (i)
            rpc_server_stop(s[i]);
        test_service_free(t[i]);
    }
}

static void *delete_held(void *arg)
{
    struct worker *w = arg;
    w->wrong = ask_delete(w->client, "hold", NULL);
    return NULL;
}

static void cancelling_ends_a_call_in_flight(void **state)
{
    struct test_service *t = test_service_new();
    struct rpc_server *s = test_server_start(t, (struct rpc_server_options){0});
    struct worker w = {.client = client_of(rpc_server_port(s), (struct rpc_client_options){.retry_for_ms = 20000})};
    pthread_create(&w.thread, NULL, delete_held, &w);
    test_service_await_held(t, 1);
    rpc_client_cancel(w.client);
    pthread_join(w.thread, NULL);
    assert_int_equal(w.wrong, ERR_CANCELLED);
    assert_int_equal(ask_size(w.client, "x", NULL), ERR_CANCELLED);
    rpc_server_stop(s);
    test_service_release(t); /* an answer for a server that is gone: goes nowhere, leaks nothing */
    rpc_client_free(w.client);
    test_service_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_answered),
        cmocka_unit_test(exceptions_arrive_with_their_class),
        cmocka_unit_test(large_answers_and_requests_pass),
        cmocka_unit_test(many_threads_share_a_connection),
        cmocka_unit_test(a_refused_connection_names_the_address),
        cmocka_unit_test(a_silent_server_times_out),
        cmocka_unit_test(a_silent_server_is_left_for_another),
        cmocka_unit_test(an_unused_connection_that_was_closed_is_replaced),
        cmocka_unit_test(a_restart_is_waited_out),
        cmocka_unit_test(the_server_in_charge_is_found),
        cmocka_unit_test(cancelling_ends_a_call_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

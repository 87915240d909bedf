/* Addresses, a loopback connection, and the HTTP server with its own client. */
#include "tests/unit/check.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/http.h"
#include "common/net.h"

static struct err err;

static void addresses_parse_or_say_why(void **state)
{
    struct net_address a;
    char text[NET_ADDRESS_MAX];
    assert_int_equal(net_parse("namenode:8020", 0, &a, &err), 0);
    assert_string_equal(a.host, "namenode");
    assert_int_equal(a.port, 8020);
    assert_int_equal(net_parse("[::1]:9", 0, &a, &err), 0);
    assert_string_equal(net_format(&a, text), "[::1]:9");
    assert_int_equal(net_parse("host", 8020, &a, &err), 0);
    assert_int_equal(a.port, 8020);
    const char *bad[] = {"", ":1", "host", "host:", "host:x", "host:70000", "host:-1", "[::1", "[::1]x"};
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++)
        assert_int_equal(net_parse(bad[i], 0, &a, &err), ERR_CONFIG);
}

static void a_port_in_use_is_named_with_the_remedy(void **state)
{
    struct net_address a = {.host = "127.0.0.1"};
    int fd, second;
    assert_int_equal(net_listen(&a, &fd, &a.port, &err), 0);
    assert_int_equal(net_listen(&a, &second, NULL, &err), ERR_BUSY);
    assert_non_null(strstr(err.text, "in use"));
    assert_non_null(strstr(err.text, "ss -ltnp"));
    close(fd);
    assert_int_equal(net_connect(&a, NULL, 1000, &second, &err), ERR_CONNECT);
    assert_non_null(strstr(err.text, "127.0.0.1:"));
}

static void read_times_out_and_sees_the_end(void **state)
{
    struct net_address a = {.host = "127.0.0.1"}, peer;
    int listener, client, server;
    char byte;
    assert_int_equal(net_listen(&a, &listener, &a.port, &err), 0);
    assert_int_equal(net_connect(&a, "127.0.0.7", 1000, &client, &err), 0);
    assert_int_equal(net_accept(listener, &server, &peer, &err), 0);
    assert_string_equal(peer.host, "127.0.0.7");
    net_set_timeouts(server, 20, 20);
    assert_int_equal(net_read_full(server, &byte, 1, &err), ERR_TIMEOUT);
    close(client);
    assert_int_equal(net_read_full(server, &byte, 1, &err), ERR_CLOSED);
    close(server);
    close(listener);
}

static void on_hello(struct http_request *request, struct http_reply *reply, void *context)
{
    const char *name = http_query(request, "name");
    buf_printf(&reply->body, "hello %s", name ? name : (const char *)context);
}

static void on_file(struct http_request *request, struct http_reply *reply, void *context)
{
    reply->file_fd = open("/proc/self/exe", O_RDONLY);
    reply->file_offset = 1;
    reply->file_bytes = 3;
}

static int collect(const void *bytes, size_t len, void *arg, struct err *reterr)
{
    buf_append(arg, bytes, len);
    return 0;
}

static void http_serves_routes_files_and_errors(void **state)
{
    const struct http_route routes[] = {
        {"GET", "/hello", on_hello}, {"GET", "/file/*", on_file}, {"PUT", "/put", on_hello}};
    struct http_options options = {
        .listen = {.host = "127.0.0.1"}, .routes = routes, .route_count = 3, .context = "you"};
    struct http_server *server;
    assert_int_equal(http_start(&options, &server, &err), 0);
    struct net_address to = {.host = "127.0.0.1", .port = http_port(server)};
    struct buf got = {0};
    assert_int_equal(http_get(&to, "/hello?name=a%20b", 2000, collect, &got, &err), 0);
    assert_string_equal(buf_cstr(&got), "hello a b");
    buf_clear(&got);
    assert_int_equal(http_get(&to, "/file/x", 2000, collect, &got, &err), 0);
    assert_string_equal(buf_cstr(&got), "ELF");
    assert_int_equal(http_get(&to, "/nothing", 2000, collect, &got, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nothing"));
    assert_int_equal(http_get(&to, "/put", 2000, collect, &got, &err), ERR_IO);
    assert_int_equal(http_get(&to, "/a b", 2000, collect, &got, &err), ERR_ILLEGAL_ARGUMENT);
    buf_free(&got);
    http_stop(server);
}

static void escaping_leaves_nothing_dangerous(void **state)
{
    struct buf b = {0};
    html_escape(&b, "<a href=\"x\">&'");
    assert_string_equal(buf_cstr(&b), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    buf_clear(&b);
    json_escape(&b, "a\"\\\n");
    assert_string_equal(buf_cstr(&b), "\"a\\\"\\\\\\u000a\"");
    buf_clear(&b);
    json_escape(&b, "\xc3\xa9 \xe2\x82\xac \xff \xc0\xaf \xed\xa0\x80 \xe2\x82");
    assert_string_equal(buf_cstr(&b),
                        "\"\xc3\xa9 \xe2\x82\xac \\ufffd \\ufffd\\ufffd \\ufffd\\ufffd\\ufffd \\ufffd\\ufffd\"");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_parse_or_say_why),        cmocka_unit_test(a_port_in_use_is_named_with_the_remedy),
        cmocka_unit_test(read_times_out_and_sees_the_end),   cmocka_unit_test(http_serves_routes_files_and_errors),
        cmocka_unit_test(escaping_leaves_nothing_dangerous),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Names with several addresses, which this getaddrinfo stands for in place of the machine's own. */
#include "tests/unit/check.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/net.h"

static struct sockaddr_in v4 = {.sin_family = AF_INET};
static struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
static struct addrinfo second = {
    .ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_addr = (struct sockaddr *)&v4, .ai_addrlen = sizeof v4};
static struct addrinfo first = {
    .ai_family = AF_INET6, .ai_socktype = SOCK_STREAM, .ai_addr = (struct sockaddr *)&v6, .ai_addrlen = sizeof v6};

int getaddrinfo(const char *name, const char *port, const struct addrinfo *hints, struct addrinfo **ret)
{
    first.ai_next = strcmp(name, "both") == 0 ? &second : NULL;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v4.sin_port = v6.sin6_port = htons((uint16_t)atoi(port));
    *ret = &first;
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
}

static void a_server_is_where_hadoops_clients_look_for_it(void **state)
{
    struct net_address a = {.host = "both"}, where;
    struct err err;
    char ip[64];
    int fd;
    assert_int_equal(net_listen(&a, &fd, NULL, &err), 0);
    assert_int_equal(net_local(fd, &where, &err), 0);
    assert_string_equal(where.host, "127.0.0.1");
    close(fd);
    assert_int_equal(net_resolve("both", ip, &err), 0);
    assert_string_equal(ip, "127.0.0.1");
    assert_int_equal(net_resolve("one", ip, &err), 0);
    assert_string_equal(ip, "::1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_server_is_where_hadoops_clients_look_for_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

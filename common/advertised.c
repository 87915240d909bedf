#include "common/advertised.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/net.h"

#define V4_BITS     32
#define V6_BITS     128
#define MAPPED_BITS (V6_BITS - V4_BITS) /* of ::ffff:0:0/96, in which IPv4 addresses are compared */

struct entry {
    uint8_t subnet[16];
    unsigned prefix_bits;
    struct advertised_address address;
};
struct advertised {
    size_t count;
    struct entry entries[ADVERTISED_ENTRIES_MAX];
};

/* An address as 16 bytes. false: not a literal. */
static bool address_bytes(const char *text, uint8_t ret[16], bool *ret_is_v4)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct in_addr v4;
    *ret_is_v4 = inet_pton(AF_INET, text, &v4) == 1;
    if (!*ret_is_v4)
        return inet_pton(AF_INET6, text, ret) == 1;
    memcpy(ret, mapped, sizeof mapped);
    memcpy(ret + sizeof mapped, &v4, sizeof v4);
    return true;
}

static bool subnet_has(const struct entry *e, const uint8_t address[16])
{
    unsigned whole = e->prefix_bits / 8, rest = e->prefix_bits % 8;
    if (memcmp(e->subnet, address, whole) != 0)
        return false;
    return !rest || !((e->subnet[whole] ^ address[whole]) >> (8 - rest));
}

/* ---- one entry ---- */

static bool number_take(const char **at, unsigned max, unsigned *ret)
{
    char *end;
    if (**at < '0' || **at > '9')
        return false;
    unsigned long n = strtoul(*at, &end, 10);
    *at = end;
    *ret = (unsigned)n;
    return n <= max;
}

static bool subnet_parse(const char *text, struct entry *e)
{
    char address[64];
    size_t len = strcspn(text, "/");
    bool is_v4;
    unsigned bits;
    if (len >= sizeof address)
        return false;
    memcpy(address, text, len);
    address[len] = 0;
    if (!address_bytes(address, e->subnet, &is_v4))
        return false;
    unsigned max = is_v4 ? V4_BITS : V6_BITS;
    const char *at = text + len;
    if (!*at)
        bits = max;
    else if (at++, !number_take(&at, max, &bits) || *at)
        return false;
    e->prefix_bits = bits + (is_v4 ? MAPPED_BITS : 0);
    return true;
}

/* ":TRANSFER[/IPC[/HTTP]]" */
static bool ports_parse(const char *at, struct advertised_address *ret)
{
    uint16_t *ports[] = {&ret->transfer_port, &ret->ipc_port, &ret->http_port};
    for (size_t i = 0; *at; i++) {
        unsigned port;
        if (i == ARRAY_COUNT(ports) || *at++ != (i ? '/' : ':') || !number_take(&at, UINT16_MAX, &port) || !port)
            return false;
        *ports[i] = (uint16_t)port;
    }
    return true;
}

static bool host_parse(const char *text, struct advertised_address *ret)
{
    bool bracketed = *text == '[';
    size_t len = strcspn(text += bracketed, bracketed ? "]" : ":");
    if (!len || len >= sizeof ret->host || (bracketed && text[len] != ']'))
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || strchr("/=,[]", text[i]))
            return false;
    memcpy(ret->host, text, len);
    ret->host[len] = 0;
    return ports_parse(text + len + bracketed, ret);
}

static int entry_parse(char *text, struct entry *e, struct err *reterr)
{
    char *equals = strchr(text, '=');
    if (equals) {
        *equals = 0;
        bool good = subnet_parse(text, e) && host_parse(equals + 1, &e->address);
        *equals = '=';
        if (good)
            return 0;
    }
    return err_set(reterr, ERR_CONFIG,
                   "'%.300s' is not SUBNET=HOST[:TRANSFER[/IPC[/HTTP]]], as in 10.1.0.0/16=10.1.0.5 or "
                   "0.0.0.0/0=host.example:19866",
                   text);
}

/* ---- the list ---- */

int advertised_parse(const char *text, struct advertised **ret, struct err *reterr)
{
    if (text && strlen(text) > ADVERTISED_TEXT_MAX)
        return err_set(reterr, ERR_CONFIG, "advertised addresses of more than %d bytes", ADVERTISED_TEXT_MAX);
    AUTO(mem_freep) char *copy = mem_strdup(text ? text : "");
    AUTO(advertised_freep) struct advertised *a = mem_new(struct advertised);
    char *rest = copy;
    for (char *word; (word = strtok_r(rest, ", \t\r\n", &rest));) {
        if (a->count == ADVERTISED_ENTRIES_MAX)
            return err_set(reterr, ERR_CONFIG, "more than %d advertised addresses", ADVERTISED_ENTRIES_MAX);
        int rc = entry_parse(word, &a->entries[a->count++], reterr);
        if (rc < 0)
            return rc;
    }
    *ret = STEAL(a);
    return 0;
}

void advertised_free(struct advertised *a)
{
    free(a);
}

void advertised_freep(struct advertised **a)
{
    advertised_free(*a);
    *a = NULL;
}

const struct advertised_address *advertised_find(const struct advertised *a, const char *client_ip)
{
    uint8_t address[16];
    bool is_v4;
    const struct entry *best = NULL;
    if (!a || !a->count || !client_ip || !address_bytes(client_ip, address, &is_v4))
        return NULL;
    for (size_t i = 0; i < a->count; i++)
        if (subnet_has(&a->entries[i], address) && (!best || a->entries[i].prefix_bits > best->prefix_bits))
            best = &a->entries[i];
    return best ? &best->address : NULL;
}

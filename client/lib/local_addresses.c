#include "client/lib/local_addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

struct local_addresses {
    bool loopback; /* all of 127.0.0.0/8 is ours */
    size_t count;
    char (*ips)[INET6_ADDRSTRLEN];
};

static void local_addresses_add(struct local_addresses *l, const char *ip)
{
    l->ips = mem_realloc_array(l->ips, l->count + 1, sizeof *l->ips);
    strncpy(l->ips[l->count], ip, sizeof *l->ips - 1);
    l->ips[l->count++][sizeof *l->ips - 1] = 0;
}

struct local_addresses *local_addresses_new(const char *only)
{
    struct local_addresses *l = mem_new(struct local_addresses);
    if (only && *only) {
        local_addresses_add(l, only);
        return l;
    }
    l->loopback = true;
    struct ifaddrs *list = NULL;
    if (getifaddrs(&list) < 0)
        return l; /* then only loopback is known to be near, which costs speed, not correctness */
    for (struct ifaddrs *i = list; i; i = i->ifa_next) {
        char ip[INET6_ADDRSTRLEN];
        const void *address = NULL;
        if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET)
            address = &((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr;
        else if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET6)
            address = &((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr;
        if (address && inet_ntop(i->ifa_addr->sa_family, address, ip, sizeof ip))
            local_addresses_add(l, ip);
    }
    freeifaddrs(list);
    return l;
}

void local_addresses_free(struct local_addresses *l)
{
    if (!l)
        return;
    free(l->ips);
    free(l);
}

bool local_addresses_have(const struct local_addresses *l, const char *ip)
{
    if (l->loopback && strncmp(ip, "127.", 4) == 0)
        return true;
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->ips[i], ip) == 0)
            return true;
    return false;
}

#include "webhdfs/proxy_user.h"

#include <arpa/inet.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 256

static const char *setting(const struct config *config, const char *prefix, const char *user, const char *what)
{
    char name[400];
    if (snprintf(name, sizeof name, "%s.%s.%s", prefix, user, what) >= (int)sizeof name)
        return NULL;
    return config_get(config, name);
}

/* Runs `match` for every word of a comma list. */
static bool list_any(const char *list, bool (*match)(const char *word, const void *arg), const void *arg)
{
    char word[256];
    for (const char *at = list; at && *at;) {
        at += strspn(at, ", \t\n");
        size_t len = strcspn(at, ", \t\n");
        if (len && len < sizeof word) {
            memcpy(word, at, len);
            word[len] = 0;
            if (strcmp(word, "*") == 0 || match(word, arg))
                return true;
        }
        at += len;
    }
    return false;
}

static bool is_same(const char *word, const void *arg)
{
    return strcmp(word, arg) == 0;
}

static bool is_member(const char *group, const void *arg)
{
    const char *user = arg;
    struct passwd entry, *found = NULL;
    struct group g, *of_name = NULL;
    char memory[16384], group_memory[65536];
    gid_t ids[GROUPS_MAX];
    int count = GROUPS_MAX;
    if (getpwnam_r(user, &entry, memory, sizeof memory, &found) || !found ||
        getgrnam_r(group, &g, group_memory, sizeof group_memory, &of_name) || !of_name)
        return false;
    if (getgrouplist(user, entry.pw_gid, ids, &count) < 0)
        count = GROUPS_MAX;
    for (int i = 0; i < count; i++)
        if (ids[i] == of_name->gr_gid)
            return true;
    return false;
}

/* "10.0.0.0/8" */
static bool is_in_range(const char *range, const char *ip)
{
    char base[64];
    struct in_addr network, address;
    const char *slash = strchr(range, '/');
    if (!slash || (size_t)(slash - range) >= sizeof base)
        return false;
    snprintf(base, sizeof base, "%.*s", (int)(slash - range), range);
    int bits = atoi(slash + 1);
    if (bits < 0 || bits > 32 || inet_pton(AF_INET, base, &network) != 1 || inet_pton(AF_INET, ip, &address) != 1)
        return false;
    uint32_t mask = bits ? ~(uint32_t)0 << (32 - bits) : 0;
    return (ntohl(network.s_addr) & mask) == (ntohl(address.s_addr) & mask);
}

static bool is_host(const char *word, const void *arg)
{
    const char *ip = arg;
    struct addrinfo *list = NULL, hints = {.ai_socktype = SOCK_STREAM};
    char text[64];
    if (strcmp(word, ip) == 0 || is_in_range(word, ip))
        return true;
    if (getaddrinfo(word, NULL, &hints, &list) != 0)
        return false;
    bool found = false;
    for (const struct addrinfo *i = list; i && !found; i = i->ai_next)
        found = getnameinfo(i->ai_addr, i->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0 &&
                strcmp(text, ip) == 0;
    freeaddrinfo(list);
    return found;
}

int proxy_user_check(const struct config *config, const char *prefix, const char *real_user, const char *user,
                     const char *client_ip, struct err *reterr)
{
    const char *users = setting(config, prefix, real_user, "users"),
               *groups = setting(config, prefix, real_user, "groups"),
               *hosts = setting(config, prefix, real_user, "hosts");
    if (!list_any(users, is_same, user) && !list_any(groups, is_member, user))
        return err_set(reterr, ERR_UNAUTHORIZED, "User: %s is not allowed to impersonate %s", real_user, user);
    if (!list_any(hosts, is_host, client_ip))
        return err_set(reterr, ERR_UNAUTHORIZED, "Unauthorized connection for super-user: %s from IP %s", real_user,
                       client_ip);
    return 0;
}

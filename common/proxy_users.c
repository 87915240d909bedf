#include "common/proxy_users.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/mem.h"
#include "common/user_groups.h"

#define SHORT_NAME_MAX   256
#define NAME_SHOWN_BYTES 300 /* of two names in one error */

struct proxy_users {
    const char *prefix;
    pthread_rwlock_t lock;
    struct config *rules; /* under lock: the settings below prefix, with addresses for hosts' names */
};

/* ---- lists ---- */

/* "*" alone, as in Hadoop: within a list it is a name like any other. */
static bool is_wildcard(const char *list)
{
    list += strspn(list, " \t\n");
    return *list == '*' && !list[1 + strspn(list + 1, " \t\n")];
}

/* The next word of a comma list: its length, 0 at the end. */
static size_t list_next(const char **at)
{
    *at += strspn(*at, ", \t\n");
    return strcspn(*at, ", \t\n");
}

/* Does `match` take one of the words? */
static bool list_any(const char *list, bool (*match)(const char *word, const void *arg), const void *arg)
{
    char word[SHORT_NAME_MAX];
    if (!list || is_wildcard(list))
        return list;
    for (size_t len; (len = list_next(&list)); list += len) {
        if (len >= sizeof word)
            continue;
        memcpy(word, list, len);
        word[len] = 0;
        if (match(word, arg))
            return true;
    }
    return false;
}

/* ---- rules ---- */

/* Appends a word of a list of hosts: a name's addresses stand for it. */
static void put_addresses(struct buf *to, const char *host)
{
    struct addrinfo *list = NULL, hints = {.ai_socktype = SOCK_STREAM};
    char text[NI_MAXHOST];
    if (strchr(host, '/') || getaddrinfo(host, NULL, &hints, &list) != 0) {
        buf_append_str(to, host);
        buf_append_str(to, ",");
        return;
    }
    for (const struct addrinfo *i = list; i; i = i->ai_next)
        if (getnameinfo(i->ai_addr, i->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0) {
            buf_append_str(to, text);
            buf_append_str(to, ",");
        }
    freeaddrinfo(list);
}

static void addresses_of(const char *hosts, struct buf *ret)
{
    char word[NI_MAXHOST];
    for (size_t len; (len = list_next(&hosts)); hosts += len)
        if (len < sizeof word) {
            memcpy(word, hosts, len);
            word[len] = 0;
            put_addresses(ret, word);
        }
}

struct gathering {
    const char *prefix;
    const struct config *from;
    struct config *to;
};

static void gather(const char *name, const char *raw, const char *source, void *arg)
{
    const struct gathering *g = arg;
    AUTO(buf_free) struct buf addresses = {0};
    size_t len = strlen(g->prefix), name_len = strlen(name);
    const char *value = config_get(g->from, name);
    if (strncmp(name, g->prefix, len) != 0 || name[len] != '.' || !value)
        return;
    if (name_len > 6 && strcmp(name + name_len - 6, ".hosts") == 0 && !is_wildcard(value)) {
        addresses_of(value, &addresses);
        value = buf_cstr(&addresses);
    }
    if (config_set(g->to, name, value, source, NULL) < 0)
        return; /* a setting that cannot be taken allows nothing */
}

static struct config *rules_of(const char *prefix, const struct config *config)
{
    struct gathering g = {prefix, config, config_new()};
    config_each(config, gather, &g);
    return g.to;
}

struct proxy_users *proxy_users_new(const char *prefix, const struct config *config)
{
    struct proxy_users *p = mem_new(struct proxy_users);
    p->prefix = prefix;
    p->rules = rules_of(prefix, config);
    pthread_rwlock_init(&p->lock, NULL);
    return p;
}

void proxy_users_free(struct proxy_users *p)
{
    if (!p)
        return;
    pthread_rwlock_destroy(&p->lock);
    config_free(p->rules);
    free(p);
}

void proxy_users_refresh(struct proxy_users *p, const struct config *fresh)
{
    if (!p)
        return;
    struct config *rules = rules_of(p->prefix, fresh), *old;
    pthread_rwlock_wrlock(&p->lock);
    old = p->rules;
    p->rules = rules;
    pthread_rwlock_unlock(&p->lock);
    config_free(old);
}

/* ---- checks ---- */

struct who {
    char real[SHORT_NAME_MAX], user[SHORT_NAME_MAX];
    const char *ip;
    struct user_groups groups;
};

/* "~real" allows everyone who is behind that real user. */
static bool is_user(const char *word, const void *arg)
{
    const struct who *w = arg;
    return strcmp(word, w->user) == 0 || (*word == '~' && strcmp(word + 1, w->real) == 0);
}

static bool is_group(const char *word, const void *arg)
{
    return user_groups_has(&((const struct who *)arg)->groups, word);
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
    char *end;
    long bits = strtol(slash + 1, &end, 10);
    if (end == slash + 1 || *end || bits < 0 || bits > 32 || inet_pton(AF_INET, base, &network) != 1 ||
        inet_pton(AF_INET, ip, &address) != 1)
        return false;
    uint32_t mask = bits ? ~(uint32_t)0 << (32 - bits) : 0;
    return (ntohl(network.s_addr) & mask) == (ntohl(address.s_addr) & mask);
}

static bool is_host(const char *word, const void *arg)
{
    const struct who *w = arg;
    return strcmp(word, w->ip) == 0 || is_in_range(word, w->ip);
}

static bool short_name(const char *name, char ret[SHORT_NAME_MAX])
{
    size_t len = strcspn(name, "/@");
    if (!len || len >= SHORT_NAME_MAX)
        return false;
    memcpy(ret, name, len);
    ret[len] = 0;
    return true;
}

static const char *rule(struct proxy_users *p, const char *real, const char *what)
{
    char name[SHORT_NAME_MAX + 64];
    int len = snprintf(name, sizeof name, "%s.%s.%s", p->prefix, real, what);
    return len < (int)sizeof name ? config_get(p->rules, name) : NULL;
}

/* Under lock. */
static bool allows_user(struct proxy_users *p, struct who *w)
{
    const char *groups = rule(p, w->real, "groups");
    if (list_any(rule(p, w->real, "users"), is_user, w))
        return true;
    if (!groups || is_wildcard(groups))
        return groups;
    user_groups_load(&w->groups, w->user);
    return list_any(groups, is_group, w);
}

int proxy_users_check(struct proxy_users *p, const char *real_user, const char *user, const char *client_ip,
                      struct err *reterr)
{
    struct who w = {.ip = client_ip};
    bool user_fits = false, host_fits = false;
    if (p && short_name(real_user, w.real) && short_name(user, w.user)) {
        pthread_rwlock_rdlock(&p->lock);
        user_fits = allows_user(p, &w);
        host_fits = user_fits && list_any(rule(p, w.real, "hosts"), is_host, &w);
        pthread_rwlock_unlock(&p->lock);
    }
    if (!user_fits)
        return err_set(reterr, ERR_UNAUTHORIZED, "User: %.*s is not allowed to impersonate %.*s", NAME_SHOWN_BYTES,
                       real_user, NAME_SHOWN_BYTES, user);
    if (!host_fits) /* the slash: Java's way to write an address without a name */
        return err_set(reterr, ERR_UNAUTHORIZED, "Unauthorized connection for super-user: %.*s from IP /%s",
                       NAME_SHOWN_BYTES, real_user, client_ip);
    return 0;
}

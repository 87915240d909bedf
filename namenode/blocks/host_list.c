#include "namenode/blocks/host_list.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "namenode/blocks/internal.h"

#define WHITE " \t\r\n"

/* ---- matching ---- */

/* The node's address or one of its names begins `word`; what follows is the caller's. */
static bool names_host(const char *word, size_t len, const struct datanode_info *node)
{
    const char *hosts[] = {node->ip, node->hostname, strcmp(node->ip, "127.0.0.1") ? node->ip : "localhost"};
    for (size_t i = 0; i < ARRAY_COUNT(hosts); i++)
        if (strlen(hosts[i]) == len && !strncasecmp(word, hosts[i], len))
            return true;
    return false;
}

/* Splits host:port; an address of many colons has no port unless it stands in brackets. */
static size_t host_length(const char *word, size_t len, uint16_t *ret_port)
{
    *ret_port = 0;
    const char *colon = memchr(word, ':', len);
    if (!colon || memchr(colon + 1, ':', len - (size_t)(colon + 1 - word)))
        return len;
    unsigned long port = 0;
    for (const char *c = colon + 1; c < word + len; c++)
        port =
            isdigit((unsigned char)*c) && port <= UINT16_MAX ? port * 10 + (unsigned long)(*c - '0') : UINT16_MAX + 1;
    if (port == 0 || port > UINT16_MAX)
        return len; /* names nobody */
    *ret_port = (uint16_t)port;
    return (size_t)(colon - word);
}

static const char *next_word(const char *text, size_t *ret_len)
{
    while (text && *text) {
        if (*text == '#') {
            text += strcspn(text, "\n");
        } else if (isspace((unsigned char)*text)) {
            text++;
        } else {
            *ret_len = strcspn(text, WHITE);
            return text;
        }
    }
    return NULL;
}

bool hosts_contain(const char *text, const struct datanode_info *node)
{
    size_t len;
    for (const char *word = text; (word = next_word(word, &len)); word += len) {
        uint16_t port;
        size_t host = host_length(word, len, &port);
        if ((!port || port == node->xfer_port) && names_host(word, host, node))
            return true;
    }
    return false;
}

struct host_wish host_list_wish(const struct host_list *list, const struct datanode_info *node, int64_t now_wall_ms)
{
    struct host_wish wish = {.may_join = !list->is_closed, .wanted = DATANODE_NORMAL};
    for (size_t i = 0; i < list->count; i++) {
        const struct host_entry *e = &list->entries[i];
        if ((e->port && e->port != node->xfer_port) || !names_host(e->host, strlen(e->host), node))
            continue;
        wish.may_join |= e->may_join;
        if (e->upgrade_domain)
            wish.upgrade_domain = e->upgrade_domain;
        if (e->wanted == DATANODE_IN_MAINTENANCE && e->until_wall_ms <= now_wall_ms)
            continue;
        if (e->wanted > wish.wanted) { /* named twice: maintenance counts, then decommissioning */
            wish.wanted = e->wanted;
            wish.until_wall_ms = e->until_wall_ms;
        }
    }
    return wish;
}

/* ---- making ---- */

static struct host_entry *add(struct host_list *list, const char *host, size_t len)
{
    list->entries = mem_realloc_array(list->entries, list->count + 1, sizeof *list->entries);
    struct host_entry *e = &list->entries[list->count++];
    *e = (struct host_entry){.host = mem_strndup(host, len), .wanted = DATANODE_NORMAL, .until_wall_ms = INT64_MAX};
    return e;
}

void host_list_also(struct host_list *list, size_t index, const char *host)
{
    struct host_entry *made = add(list, host, strlen(host));
    const struct host_entry *like = &list->entries[index];
    char *name = made->host;
    *made = *like;
    made->host = name;
    made->upgrade_domain = like->upgrade_domain ? mem_strdup(like->upgrade_domain) : NULL;
}

void host_list_free(struct host_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->entries[i].host);
        free(list->entries[i].upgrade_domain);
    }
    free(list->entries);
    *list = (struct host_list){0};
}

static void add_names(struct host_list *list, const char *text, bool exclude)
{
    size_t len;
    for (const char *word = text; (word = next_word(word, &len)); word += len) {
        uint16_t port;
        size_t host = host_length(word, len, &port);
        struct host_entry *e = add(list, word, host);
        e->port = port;
        e->may_join = !exclude;
        if (exclude)
            e->wanted = DATANODE_DECOMMISSIONED;
        else
            list->is_closed = true;
    }
}

void host_list_from_names(const char *include_text, const char *exclude_text, struct host_list *ret)
{
    *ret = (struct host_list){0};
    add_names(ret, include_text, false);
    add_names(ret, exclude_text, true);
}

/* ---- JSON ---- */

static int state_of(const char *text)
{
    if (!strcmp(text, "NORMAL"))
        return DATANODE_NORMAL;
    if (!strcmp(text, "DECOMMISSIONED"))
        return DATANODE_DECOMMISSIONED;
    return strcmp(text, "IN_MAINTENANCE") ? -1 : DATANODE_IN_MAINTENANCE;
}

static int add_object(struct host_list *list, json_t *o, struct err *reterr)
{
    const json_t *host = json_object_get(o, "hostName"), *port = json_object_get(o, "port"),
                 *state = json_object_get(o, "adminState"), *until = json_object_get(o, "maintenanceExpireTimeInMS"),
                 *domain = json_object_get(o, "upgradeDomain");
    if (!json_is_object(o) || !json_is_string(host) || !json_string_length(host))
        return err_set(reterr, ERR_CONFIG, "an entry has no hostName");
    const char *name = json_string_value(host);
    if (port && (!json_is_integer(port) || json_integer_value(port) < 0 || json_integer_value(port) > UINT16_MAX))
        return err_set(reterr, ERR_CONFIG, "%.200s: port is not a number from 0 to 65535", name);
    if (until && !json_is_integer(until))
        return err_set(reterr, ERR_CONFIG, "%.200s: maintenanceExpireTimeInMS is not a whole number", name);
    if (domain && !json_is_string(domain) && !json_is_null(domain))
        return err_set(reterr, ERR_CONFIG, "%.200s: upgradeDomain is not a text", name);
    int wanted = !state ? DATANODE_NORMAL : json_is_string(state) ? state_of(json_string_value(state)) : -1;
    if (wanted < 0)
        return err_set(reterr, ERR_CONFIG, "%.200s: adminState is not NORMAL, DECOMMISSIONED or IN_MAINTENANCE", name);
    struct host_entry *e = add(list, name, strlen(name));
    e->port = port ? (uint16_t)json_integer_value(port) : 0;
    e->may_join = true;
    e->wanted = (enum datanode_admin_state)wanted;
    if (until)
        e->until_wall_ms = json_integer_value(until);
    if (json_is_string(domain) && json_string_length(domain) <= NAME_MAX_BYTES)
        e->upgrade_domain = mem_strdup(json_string_value(domain));
    /* Where all that are named are to leave, the list says nothing about who else may come. */
    list->is_closed |= wanted == DATANODE_NORMAL;
    return 0;
}

static int add_value(struct host_list *list, json_t *value, struct err *reterr)
{
    int rc = 0;
    if (!json_is_array(value))
        return add_object(list, value, reterr);
    for (size_t i = 0; !rc && i < json_array_size(value); i++)
        rc = add_object(list, json_array_get(value, i), reterr);
    return rc;
}

int host_list_from_json(struct slice text, struct host_list *ret, struct err *reterr)
{
    *ret = (struct host_list){0};
    size_t at = 0;
    int rc = 0;
    while (!rc) {
        while (at < text.len && isspace(text.base[at]))
            at++;
        if (at == text.len)
            break;
        json_error_t why;
        json_t *value = json_loadb((const char *)text.base + at, text.len - at, JSON_DISABLE_EOF_CHECK, &why);
        if (value)
            rc = add_value(ret, value, reterr);
        else
            rc = err_set(reterr, ERR_CONFIG, "not JSON, line %d: %s", why.line, why.text);
        at += value ? (size_t)why.position : 0;
        json_decref(value);
    }
    if (rc)
        host_list_free(ret);
    return rc;
}

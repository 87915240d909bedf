#include "client/lib/nameservice.h"

#include <stdio.h>
#include <string.h>

#define BETWEEN ", \t\r\n" /* names; files of settings have such lists on several lines */

static bool list_has(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; at && *at;) {
        at += strspn(at, BETWEEN);
        size_t n = strcspn(at, BETWEEN);
        if (n == len && n && strncmp(at, word, len) == 0)
            return true;
        at += n;
    }
    return false;
}

bool nameservice_is_known(const struct config *c, const char *name)
{
    return list_has(config_get(c, "dfs.nameservices"), name);
}

static int member_address(const struct config *c, const char *key, const char *service, struct net_address *ret,
                          struct err *reterr)
{
    const char *text = config_get(c, key);
    if (!text)
        return err_set(reterr, ERR_CONFIG, "nameservice '%s': %s is not set", service, key);
    int rc = net_parse(text, NAMENODE_DEFAULT_PORT, ret, reterr);
    return rc < 0 ? err_prefix(reterr, rc, "%s", key) : 0;
}

int nameservice_members(const struct config *c, const char *name,
                        struct nameservice_member ret[NAMESERVICE_MEMBERS_MAX], size_t *ret_count, struct err *reterr)
{
    char key[512];
    snprintf(key, sizeof key, "dfs.ha.namenodes.%s", name);
    const char *ids = config_get(c, key);
    size_t count = 0;
    if (!ids) {
        snprintf(key, sizeof key, "dfs.namenode.rpc-address.%s", name);
        if (!config_get(c, key))
            return err_set(reterr, ERR_CONFIG, "nameservice '%s': neither dfs.ha.namenodes.%s nor %s is set", name,
                           name, key);
        ret[0].id[0] = 0;
        *ret_count = 1;
        return member_address(c, key, name, &ret[0].address, reterr);
    }
    for (const char *at = ids; *(at += strspn(at, BETWEEN));) {
        size_t n = strcspn(at, BETWEEN);
        if (count == NAMESERVICE_MEMBERS_MAX || n >= sizeof ret[0].id)
            return err_set(reterr, ERR_CONFIG,
                           "dfs.ha.namenodes.%s: more than %d namenodes, or an id of more than %zu bytes", name,
                           NAMESERVICE_MEMBERS_MAX, sizeof ret[0].id - 1);
        struct nameservice_member *m = &ret[count++];
        memcpy(m->id, at, n);
        m->id[n] = 0;
        snprintf(key, sizeof key, "dfs.namenode.rpc-address.%s.%s", name, m->id);
        int rc = member_address(c, key, name, &m->address, reterr);
        if (rc < 0)
            return rc;
        at += n;
    }
    if (!count)
        return err_set(reterr, ERR_CONFIG, "dfs.ha.namenodes.%s names no namenode", name);
    *ret_count = count;
    return 0;
}

void nameservice_default(const struct config *c, char ret_name[128])
{
    const char *fs = config_get(c, "fs.defaultFS"), *services = config_get(c, "dfs.nameservices");
    ret_name[0] = 0;
    if (fs && strncmp(fs, "hdfs://", 7) == 0)
        snprintf(ret_name, 128, "%.*s", (int)strcspn(fs + 7, "/"), fs + 7);
    if (nameservice_is_known(c, ret_name))
        return;
    ret_name[0] = 0;
    if (!services)
        return;
    services += strspn(services, BETWEEN);
    size_t n = strcspn(services, BETWEEN);
    if (!services[n + strspn(services + n, BETWEEN)])
        snprintf(ret_name, 128, "%.*s", (int)n, services);
}

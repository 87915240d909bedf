/* Logical names: a nameservice stands for the namenodes that dfs.ha.namenodes.NAME and dfs.namenode.rpc-address.NAME.ID
 * give. Pure functions of the settings. */
#ifndef CAIRN_CLIENT_LIB_NAMESERVICE_H
#define CAIRN_CLIENT_LIB_NAMESERVICE_H

#include <stdbool.h>

#include "common/config.h"
#include "common/net.h"

#define NAMESERVICE_MEMBERS_MAX 16
#define NAMENODE_DEFAULT_PORT   8020

struct nameservice_member {
    char id[128]; /* "" for the only namenode of a nameservice without HA */
    struct net_address address;
};

/* The name is one of dfs.nameservices. */
bool nameservice_is_known(const struct config *c, const char *name);
/* ERR_CONFIG names the setting that is missing or wrong. */
int nameservice_members(const struct config *c, const char *name,
                        struct nameservice_member ret[NAMESERVICE_MEMBERS_MAX], size_t *ret_count,
                        struct err *reterr) MUST_CHECK;
/* The one that fs.defaultFS names, else the only one there is; "" if that does not say it. */
void nameservice_default(const struct config *c, char ret_name[128]);

#endif

/* Which hosts may be datanodes and what an operator wants of each: the contents of dfs.hosts and dfs.hosts.exclude, or
 * of the one JSON file that takes the place of both. Pure: texts in, answers out. */
#ifndef CAIRN_NAMENODE_BLOCKS_HOST_LIST_H
#define CAIRN_NAMENODE_BLOCKS_HOST_LIST_H

#include "namenode/blocks/blocks.h"

struct host_entry {
    char *host;                       /* name or address */
    uint16_t port;                    /* of block transfer; 0: any */
    bool may_join;                    /* false: it is named only to be excluded */
    enum datanode_admin_state wanted; /* NORMAL, DECOMMISSIONED or IN_MAINTENANCE */
    int64_t until_wall_ms;            /* IN_MAINTENANCE ends then; INT64_MAX: never by itself */
    char *upgrade_domain;             /* NULL: none */
};
struct host_list {
    struct host_entry *entries;
    size_t count;
    bool is_closed; /* nobody else may join */
};

/* White-space separated names (host, host:port, ip, ip:port), '#' starts a comment. NULL is an empty text. */
void host_list_from_names(const char *include_text, const char *exclude_text, struct host_list *ret);
/* An array of objects, or (as older versions wrote it) one object after another. ERR_CONFIG says what is wrong. */
int host_list_from_json(struct slice text, struct host_list *ret, struct err *reterr) MUST_CHECK;
/* What the entry says holds of this host, too. */
void host_list_also(struct host_list *list, size_t index, const char *host);
void host_list_free(struct host_list *list);

struct host_wish {
    bool may_join;
    enum datanode_admin_state wanted;
    int64_t until_wall_ms;
    const char *upgrade_domain;
};
/* What is wanted of this node at this time; a maintenance that is over is none. */
struct host_wish host_list_wish(const struct host_list *list, const struct datanode_info *node, int64_t now_wall_ms);

#endif

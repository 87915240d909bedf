/* The namenode's HTTP port: a status page, /jmx, /metrics, /fsck, WebHDFS. */
#ifndef CAIRN_NAMENODE_PAGES_PAGES_H
#define CAIRN_NAMENODE_PAGES_PAGES_H

#include "common/err.h"
#include "common/net.h"
#include "namenode/namenode.h"

struct pages;
struct rpc_server;
/* rpc: whose methods WebHDFS calls; it stops later. user: of this process, borrowed. */
int pages_start(struct namenode *nn, struct rpc_server *rpc, const char *user, const struct net_address *listen,
                struct pages **ret, struct err *reterr) MUST_CHECK;
uint16_t pages_port(const struct pages *p);
void pages_stop(struct pages *p); /* NULL is fine */

#endif

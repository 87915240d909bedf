/* The namenode's RPC servers: the one for clients, and two that an operator may want beside it so that clients cannot
 * keep datanodes waiting. */
#ifndef CAIRN_NAMENODE_RPC_PORTS_H
#define CAIRN_NAMENODE_RPC_PORTS_H

#include "common/net.h"
#include "namenode/namenode.h"

struct rpc_server;
struct rpc_ports {
    struct rpc_server *client, *service, *lifeline; /* the latter two may be NULL */
};

/* What is set and cannot be read is found before anything is made. */
int rpc_ports_check(const struct config *c, struct err *reterr) MUST_CHECK;
/* Sets nn->rpc and nn->address. On failure *ret holds what has started, for rpc_ports_stop. */
int rpc_ports_start(struct namenode *nn, struct net_address address, struct rpc_ports *ret,
                    struct err *reterr) MUST_CHECK;
void rpc_ports_stop(struct rpc_ports *p);

#endif

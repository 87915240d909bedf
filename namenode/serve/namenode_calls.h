/* NamenodeProtocol: what balancers and secondary namenodes call. */
#ifndef CAIRN_NAMENODE_SERVE_NAMENODE_CALLS_H
#define CAIRN_NAMENODE_SERVE_NAMENODE_CALLS_H

#include "namenode/namenode.h"
#include "rpc/rpc_server.h"

struct rpc_service namenode_calls_service(struct namenode *nn);

#endif

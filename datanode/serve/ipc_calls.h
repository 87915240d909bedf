#ifndef CAIRN_DATANODE_SERVE_IPC_CALLS_H
#define CAIRN_DATANODE_SERVE_IPC_CALLS_H

#include "datanode/datanode.h"
#include "rpc/rpc_server.h"

/* dn's store is set; the reporter must be there before a call can come that needs it: replicas are found only after it
 * has opened the pool. */
int ipc_server_start(struct datanode *dn, struct rpc_server **ret, struct err *reterr) MUST_CHECK;

#endif

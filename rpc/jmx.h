/* RpcDetailedActivity: how often each method of a server was called, as a JSON object for /jmx. */
#ifndef CAIRN_RPC_JMX_H
#define CAIRN_RPC_JMX_H

#include "common/buf.h"
#include "rpc/rpc_server.h"

/* "Hadoop:service=SERVICE,name=RpcDetailedActivityForPortN": <Method>NumOps as Hadoop has them (over all protocols),
 * and CallsByProtocol, which tells protocols apart. */
void rpc_jmx_name(const struct rpc_server *s, const char *service, char ret[128]);
void rpc_jmx_bean(const struct rpc_server *s, const char *service, struct buf *to);

#endif

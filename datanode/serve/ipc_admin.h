/* ClientDatanodeProtocol: what operators ask of one datanode. */
#ifndef CAIRN_DATANODE_SERVE_IPC_ADMIN_H
#define CAIRN_DATANODE_SERVE_IPC_ADMIN_H

#include "datanode/datanode.h"
#include "rpc/rpc_server.h"

/* ERR_ACCESS unless the caller is this process's user or in the supergroup. Looks groups up: may block. */
int ipc_check_super(const struct datanode *dn, const struct rpc_call *call, struct err *reterr) MUST_CHECK;

void ipc_refresh_namenodes(struct rpc_call *call, const ProtobufCMessage *request, void *context);
void ipc_delete_block_pool(struct rpc_call *call, const ProtobufCMessage *request, void *context);
void ipc_shutdown_datanode(struct rpc_call *call, const ProtobufCMessage *request, void *context);
void ipc_evict_writers(struct rpc_call *call, const ProtobufCMessage *request, void *context);
void ipc_list_reconfigurable_properties(struct rpc_call *call, const ProtobufCMessage *request, void *context);
void ipc_start_reconfiguration(struct rpc_call *call, const ProtobufCMessage *request, void *context);
void ipc_get_reconfiguration_status(struct rpc_call *call, const ProtobufCMessage *request, void *context);
void ipc_submit_disk_balancer_plan(struct rpc_call *call, const ProtobufCMessage *request, void *context);
void ipc_cancel_disk_balancer_plan(struct rpc_call *call, const ProtobufCMessage *request, void *context);
void ipc_query_disk_balancer_plan(struct rpc_call *call, const ProtobufCMessage *request, void *context);
void ipc_get_disk_balancer_setting(struct rpc_call *call, const ProtobufCMessage *request, void *context);

struct reconfiguration *ipc_reconfiguration_new(struct datanode *dn, const struct config *started_with);

#endif

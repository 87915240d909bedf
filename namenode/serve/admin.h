/* The operators' small protocols on the namenode's port. */
#ifndef CAIRN_NAMENODE_SERVE_ADMIN_H
#define CAIRN_NAMENODE_SERVE_ADMIN_H

#include "namenode/namenode.h"
#include "rpc/rpc_server.h"

void admin_open(struct namenode *nn); /* makes nn->reconfiguration, the owner's to free */

#define ADMIN_SERVICES 8
/* HAServiceProtocol, GetUserMappings, the Refresh* family, ReconfigurationProtocol and TraceAdmin. */
void admin_services(struct namenode *nn, struct rpc_service ret[ADMIN_SERVICES]);

#endif

/* The operators' small protocols on the namenode's port. */
#ifndef CAIRN_NAMENODE_SERVE_ADMIN_H
#define CAIRN_NAMENODE_SERVE_ADMIN_H

#include "namenode/namenode.h"
#include "rpc/rpc_server.h"

#define ADMIN_SERVICES 6
/* HAServiceProtocol, GetUserMappings, and the Refresh* family. */
void admin_services(struct namenode *nn, struct rpc_service ret[ADMIN_SERVICES]);

#endif

/* A call that was answered before the namenode's restart is answered again, not run again. */
#ifndef CAIRN_NAMENODE_SERVE_REPLAY_H
#define CAIRN_NAMENODE_SERVE_REPLAY_H

#include "namenode/namenode.h"
#include "rpc/rpc_server.h"

/* false: it is new. For methods flagged RPC_AT_MOST_ONCE. */
bool replay_answer(struct namenode *nn, struct rpc_call *call, const ProtobufCMessage *message,
                   const ProtobufCMessageDescriptor *response);

#endif

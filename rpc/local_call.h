/* A server's method run without a socket, by its own process and for a user of its choice: the same handlers, checks
 * and waiting for the journal as a call from the network. What speaks another language (WebHDFS) comes in here. */
#ifndef CAIRN_RPC_LOCAL_CALL_H
#define CAIRN_RPC_LOCAL_CALL_H

#include "rpc/rpc_server.h"

struct rpc_local_call {
    const char *user, *client_ip; /* who calls, and from where */
    const char *protocol, *method;
    const ProtobufCMessage *request;
    const ProtobufCMessageDescriptor *response_type;
};

/* Blocks until the answer would have been sent; not from a handler or a loop. The response lives in `arena` and within
 * its bound. Fails with what the handler threw, ERR_NO_SUCH_PROTOCOL or ERR_NO_SUCH_METHOD. Any thread, until
 * rpc_server_stop begins. */
int rpc_server_call(struct rpc_server *s, const struct rpc_local_call *what, struct arena *arena,
                    ProtobufCMessage **ret_response, struct err *reterr) MUST_CHECK;

#endif

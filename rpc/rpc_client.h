/* Hadoop RPC v9, client side. Any thread may call; calls are blocking and share one connection per client
 * object. The waiting caller reads the socket itself (leader/follower), so an answer costs one wake-up.
 *
 * Failures: ERR_CONNECT (names the address), ERR_TIMEOUT, ERR_CLOSED, ERR_PROTOCOL, or what the server threw
 * (err.java_class keeps the class). */
#ifndef CAIRN_RPC_RPC_CLIENT_H
#define CAIRN_RPC_RPC_CLIENT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/net.h"

struct rpc_client;

struct rpc_client_options {
    const struct net_address
        *addresses; /* copied; more than one = HA: on StandbyException or no connection try the next */
    size_t address_count;
    const char *protocol;   /* context and declaringClassProtocolName of every call; copied */
    const char *user;       /* effectiveUser; copied */
    const char *local_ip;   /* bind to it, or NULL */
    int connect_timeout_ms; /* 0 => 20000 */
    int call_timeout_ms;    /* 0 => 120000 */
    /* How long a call keeps trying to reach a server that refuses or drops connections (a restart under a
     * mount), with back-off, same clientId and callId, retryCount rising. 0 => only the immediate reconnect
     * of a stale idle connection (before anything of this call was answered). */
    int retry_for_ms;
    /* Between several addresses; 0 => Hadoop's defaults, 15 times, 500 to 15000 ms. */
    int failovers_max, failover_delay_min_ms, failover_delay_max_ms;
};

int rpc_client_new(const struct rpc_client_options *options, struct rpc_client **ret, struct err *reterr) MUST_CHECK;
void rpc_client_free(struct rpc_client *c); /* no call may be running; NULL is fine */

/* method: its request/response types come from the descriptors of the messages. The response lives in `arena`
 * (unpacked there, bounded by the arena's max_bytes). */
int rpc_client_call(struct rpc_client *c, const char *method, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *response_type, struct arena *arena,
                    ProtobufCMessage **ret_response, struct err *reterr) MUST_CHECK;
/* The same. What a remote exception said replaces what is in ret_text, whole, where the err's text is cut; only its
 * stack trace is left out. */
int rpc_client_call_hear(struct rpc_client *c, const char *method, const ProtobufCMessage *request,
                         const ProtobufCMessageDescriptor *response_type, struct arena *arena,
                         ProtobufCMessage **ret_response, struct buf *ret_text, struct err *reterr) MUST_CHECK;
/* What the server knows a call by. A call that another process may have made already, and that is done at most once, is
 * made again under the id that it had. */
#define RPC_NAMED_CALLS (1 << 30) /* call is below that; ids that the client gives out do not meet them */
struct rpc_call_id {
    uint8_t client[16];
    int32_t call;
};
/* As rpc_client_call, under this id; NULL: a new one. */
int rpc_client_call_as(struct rpc_client *c, const struct rpc_call_id *id, const char *method,
                       const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response_type,
                       struct arena *arena, ProtobufCMessage **ret_response, struct err *reterr) MUST_CHECK;
/* From now on, in running calls too, a server that is away is awaited no longer than that, and no answer either that was
 * not awaited yet. */
void rpc_client_set_patience(struct rpc_client *c, int ms);
/* Makes running and later calls fail with ERR_CANCELLED; for shutdown. */
void rpc_client_cancel(struct rpc_client *c);
/* Same client under another protocol name, sharing address, user and settings but with a connection of its
 * own. */
const char *rpc_client_user(const struct rpc_client *c);
const struct net_address *rpc_client_address(const struct rpc_client *c); /* the one last talked to */
/* Where the present connection comes from, as a literal. false: there is none. */
bool rpc_client_local_ip(struct rpc_client *c, char ret_ip[64]);
struct slice rpc_client_id(const struct rpc_client *c); /* 16 bytes */

#endif

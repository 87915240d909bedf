/* Hadoop RPC v9, server side (shared wire facts: Hadoop's RpcHeader, ipc.Server).
 *
 * A few event-loop threads own the connections; thousands of idle ones cost nothing. A method's handler runs
 * on the loop thread of its connection and must not block (LevelDB reads under the namespace lock are fine;
 * network and fsync are not), unless the method is flagged RPC_MAY_BLOCK: then it runs on a bounded pool.
 *
 * A call is answered exactly once, by rpc_call_reply / rpc_call_fail, or in two steps: rpc_call_prepare packs
 * the answer now (under the caller's lock, while the data is stable) and rpc_call_send lets it go later from
 * any thread (when the journal is synced). The call and its arena live until it is sent; then the pointer is
 * dead. */
#ifndef CAIRN_RPC_RPC_SERVER_H
#define CAIRN_RPC_RPC_SERVER_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/net.h"
#include "common/proxy_users.h"

struct rpc_server;
struct rpc_call;

/* request is decoded, checked for required fields, and lives in the call's arena. service_context as
 * registered. */
typedef void (*rpc_handler)(struct rpc_call *call, const ProtobufCMessage *request, void *service_context);

enum rpc_method_flag {
    RPC_AT_MOST_ONCE = BIT(0), /* retry cache: a repeated (clientId, callId) gets the first one's answer */
    RPC_MAY_BLOCK = BIT(1),    /* runs on the pool */
    RPC_REFUSES = BIT(2),      /* says to who reads the table: always answered with an exception */
};
struct rpc_method {
    const char *name;
    const ProtobufCMessageDescriptor *request, *response;
    rpc_handler handler;
    unsigned flags;
};
#define RPC_METHOD(method_name, prefix, function, method_flags)                                                        \
    {                                                                                                                  \
        method_name, &prefix##_request_proto__descriptor, &prefix##_response_proto__descriptor, function, method_flags \
    }

struct rpc_service {
    const char *protocol;             /* "org.apache.hadoop.hdfs.protocol.ClientProtocol" */
    const struct rpc_method *methods; /* borrowed for the server's life */
    size_t method_count;
    void *context;
};

struct rpc_token { /* whose it is, and what only who has it knows */
    char user[256];
    uint8_t password[64];
    size_t password_len;
};

struct rpc_server_options {
    struct net_address listen;          /* port 0 = pick one */
    int loops;                          /* 0 => 2 */
    int pool_threads;                   /* for RPC_MAY_BLOCK; 0 => 4 */
    int connections_max;                /* 0 => 4096 */
    const struct rpc_service *services; /* copied; the method tables are borrowed */
    size_t service_count;
    struct proxy_users *proxy_users; /* whose connections may be for another user; borrowed. NULL: nobody's */
    /* Bounds; 0 = the default in parentheses. */
    int calls_in_flight_max; /* of one connection; beyond it we do not read (256) */
    size_t
        request_bytes_max; /* decoded requests of one connection without an answer; beyond it we do not read (32 MiB) */
    size_t input_bytes_max;   /* unfinished requests of all connections; beyond it who has most is closed (1 GiB) */
    int idle_timeout_ms;      /* a connection without a call is closed (600000) */
    int handshake_timeout_ms; /* from connect to context (30000) */
    size_t retry_cache_bytes; /* answers of RPC_AT_MOST_ONCE calls, kept for ten minutes or until it is full (16 MiB) */
    /* A connection that rpc_call_watch_connection() named has ended. idle_ms: since it was last heard of. by_peer: not
     * we have ended it. On the connection's loop, no lock held. NULL: nobody cares. */
    void (*on_connection_closed)(void *context, uint64_t connection, int64_t idle_ms, bool by_peer);
    void *on_connection_closed_context;
    /* Tokens that a connection may be opened with (SASL's TOKEN), by the bytes that identify them; on the connection's
     * loop. NULL: nobody needs to say more than a name. */
    int (*token_login)(void *context, struct slice identifier, struct rpc_token *ret, struct err *reterr);
    void *token_context;
    /* As loop_on_batch, of each of the loops: around the handlers of what came together. NULL: nobody cares. */
    void (*on_batch)(void *context, int events);
    void *on_batch_context;
    int stall_timeout_ms; /* half a request, or an answer nobody reads (60000) */
    /* Calls that wait for the pool; 0 = 100 for each of its threads. When there are so many, a connection that has a
     * call under way is not read further; or, with refuse_when_full, further ones are answered with RetriableException.
     */
    int pool_queue_max;
    bool refuse_when_full;
};

int rpc_server_start(const struct rpc_server_options *options, struct rpc_server **ret, struct err *reterr) MUST_CHECK;
/* pool_queue_max and refuse_when_full as Hadoop's settings say them for this port: ipc.server.handler.queue.size for
 * each handler, ipc.PORT.backoff.enable or ipc.backoff.enable. */
struct config;
void rpc_server_queue_options(const struct config *c, struct rpc_server_options *o);
uint16_t rpc_server_port(const struct rpc_server *s);
/* Every method with how often it was called. Any thread. */
typedef void (*rpc_method_visitor)(void *context, const char *protocol, const char *method, uint64_t calls);
void rpc_server_each_method(const struct rpc_server *s, rpc_method_visitor visit, void *context);
/* Stops accepting, closes connections, waits for handlers; prepared calls not yet sent must still be sent by
 * their holder (they go nowhere). NULL is fine. */
void rpc_server_stop(struct rpc_server *s);

/* Who is calling; all borrowed from the call. */
const char *rpc_call_user(const struct rpc_call *call);      /* short name: before '/' or '@'; "" if none was sent */
const char *rpc_call_client_ip(const struct rpc_call *call); /* peer address as a literal */
const char *rpc_call_method(const struct rpc_call *call);
/* A number that no other connection of this process has; on_connection_closed will be called for it. false: it has
 * ended already, or there never was one, and will not be. */
bool rpc_call_watch_connection(struct rpc_call *call, uint64_t *ret_connection);
struct slice rpc_call_client_id(const struct rpc_call *call);
int32_t rpc_call_id(const struct rpc_call *call);
bool rpc_call_is_at_most_once(
    const struct rpc_call *call);                    /* its method is, and the call is one that can be repeated */
struct arena *rpc_call_arena(struct rpc_call *call); /* for building the response */

/* response NULL = the method's empty message. */
void rpc_call_reply(struct rpc_call *call, const ProtobufCMessage *response);
void rpc_call_fail(struct rpc_call *call, const struct err *why);
void rpc_call_prepare(struct rpc_call *call, const ProtobufCMessage *response);
void rpc_call_prepare_fail(struct rpc_call *call, const struct err *why);
/* Says `text` instead of why's, which is cut: for exceptions out of whose text clients read more than words. */
void rpc_call_prepare_fail_text(struct rpc_call *call, const struct err *why, const char *text);
void rpc_call_send(struct rpc_call *call);
/* What this thread sends from `begins` true to false goes out at the end, all answers of one connection in one write.
 * Only for threads that send a few at once and do nothing else in between; not from a handler. */
void rpc_hold_answers(bool begins);
/* A handler that finds that it would have to block may, instead of answering, ask to be called once more, on the pool.
 */
void rpc_call_repeat_in_pool(struct rpc_call *call);
bool rpc_call_may_block(const struct rpc_call *call); /* it is on the pool, or local (local_call.h) */

#endif

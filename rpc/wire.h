/* Hadoop RPC v9 on the wire: constants, and the two headers around every call, encoded and decoded by hand
 * since they are on every call's way. Pure functions. */
#ifndef CAIRN_RPC_WIRE_H
#define CAIRN_RPC_WIRE_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "hdfs/rpc.pb-c.h"

#define RPC_MAGIC               "hrpc"
#define RPC_VERSION             9
#define RPC_PREAMBLE_BYTES      7 /* magic, version, service class, auth */
#define RPC_AUTH_NONE           0x00
#define RPC_AUTH_SASL           0xDF
#define RPC_FRAME_MAX_BYTES     (128u << 20) /* ipc.maximum.data.length, both ways */
#define RPC_CLIENT_ID_BYTES     16
#define RPC_CLIENT_ID_MAX_BYTES 64 /* of a foreign client; longer ones are refused */
#define RPC_META_PROTOCOL       "org.apache.hadoop.ipc.ProtocolMetaInfoPB"

/* Call ids with a meaning of their own. */
enum rpc_special_call {
    RPC_CALL_AUTHORIZATION = -1,
    RPC_CALL_INVALID = -2,
    RPC_CALL_CONTEXT = -3,
    RPC_CALL_PING = -4,
    RPC_CALL_SASL = -33,
};

typedef Hrpc__RpcResponseHeaderProto__RpcErrorCodeProto rpc_detail;
#define RPC_DETAIL(name) HRPC__RPC_RESPONSE_HEADER_PROTO__RPC_ERROR_CODE_PROTO__##name
#define RPC_STATUS(name) HRPC__RPC_RESPONSE_HEADER_PROTO__RPC_STATUS_PROTO__##name

/* ---- requests ---- */

struct rpc_request_header {
    int32_t call_id, retry_count;
    int kind, op;           /* -1 = not sent */
    struct slice client_id; /* borrows the input */
};
struct rpc_method_header {
    struct slice method, protocol; /* borrow the input */
    uint64_t version;
};
int rpc_request_header_decode(struct slice in, struct rpc_request_header *ret, struct err *reterr) MUST_CHECK;
int rpc_method_header_decode(struct slice in, struct rpc_method_header *ret, struct err *reterr) MUST_CHECK;

/* Frames with their length word, appended to `to`. method NULL: no method header (context, ping). body NULL:
 * none. */
void rpc_frame_request(struct buf *to, int32_t call_id, int32_t retry_count, struct slice client_id,
                       const char *protocol, const char *method, const ProtobufCMessage *body);

/* ---- responses ---- */

struct rpc_response_header {
    uint32_t call_id;
    int status; /* -1 = not sent */
    rpc_detail detail;
    struct slice exception_class, text; /* borrow the input */
};
int rpc_response_header_decode(struct slice in, struct rpc_response_header *ret, struct err *reterr) MUST_CHECK;
/* What a server said, as a string: without the stack trace that Java puts behind the message, cut to size. */
void rpc_text_copy(char *to, size_t size, struct slice text);

struct rpc_echo { /* what an answer repeats of its call */
    int32_t call_id, retry_count;
    struct slice client_id;
};
/* body is packed with its size in front; NULL = the empty message. Returns where in `to` that begins, for
 * replays. */
size_t rpc_frame_success(struct buf *to, const struct rpc_echo *echo, const ProtobufCMessage *body);
void rpc_frame_replay(struct buf *to, const struct rpc_echo *echo, struct slice delimited_body);
void rpc_frame_error(struct buf *to, const struct rpc_echo *echo, int status, rpc_detail detail, const char *java_class,
                     const char *text);

#endif

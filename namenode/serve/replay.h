/* A call that was answered before the namenode's restart is answered again, not run again. */
#ifndef CAIRN_NAMENODE_SERVE_REPLAY_H
#define CAIRN_NAMENODE_SERVE_REPLAY_H

#include "namenode/namenode.h"
#include "rpc/rpc_server.h"

enum replayed { REPLAYED, REPLAY_NOT_KNOWN, REPLAY_FAILED /* see op.err */ };
struct op;
/* Makes the answer again from what was noted (txn_final). */
typedef enum replayed (*replay_fill)(struct op *op, const ProtobufCMessage *message, uint64_t value,
                                     ProtobufCMessage *response);

/* false: it is new. For methods flagged RPC_AT_MOST_ONCE. */
bool replay_answer(struct namenode *nn, struct rpc_call *call, const ProtobufCMessage *message,
                   const ProtobufCMessageDescriptor *response, replay_fill fill);
enum replayed replay_client(struct op *op, const ProtobufCMessage *message, uint64_t value,
                            ProtobufCMessage *response); /* ClientProtocol's */

#endif

/* The frame of every call: who calls, the lock, a txn, and an answer that waits for the journal if it has to.
 *
 *     struct op op;
 *     op_begin(&op, nn, call);                      takes the lock
 *     int rc = ...;                                 fills op.err on failure
 *     op_end(&op, rc, response);                    commits, answers, releases the lock
 *
 * The answer of op_end waits until everything written so far is on the disk; op_end_read's goes at once. */
#ifndef CAIRN_NAMENODE_SERVE_OP_H
#define CAIRN_NAMENODE_SERVE_OP_H

#include "namenode/namespace/files.h"
#include "rpc/rpc_server.h"

struct op {
    struct namenode *nn;
    struct rpc_call *call;
    struct arena *arena; /* the call's: responses are built there */
    struct fs_user user;
    struct txn t;
    struct file_op file; /* for files.h */
    struct err err;
};

void op_begin(struct op *op, struct namenode *nn, struct rpc_call *call);
/* On a snapshot, without the lock: for long walks (methods flagged RPC_MAY_BLOCK). */
void op_begin_walk(struct op *op, struct namenode *nn, struct rpc_call *call);
void op_end(struct op *op, int rc, const ProtobufCMessage *response);
void op_end_read(struct op *op, int rc, const ProtobufCMessage *response);
void op_end_walk(struct op *op, int rc, const ProtobufCMessage *response);
/* Without an answer yet: someone else sends it later. */
void op_end_parked(struct op *op);
/* The parked call goes on (park.h), under the lock, which stays held; its user is not looked up again. */
void op_resume(struct op *op, struct namenode *nn, struct rpc_call *call);
void op_end_resumed(struct op *op, int rc, const ProtobufCMessage *response);

/* ERR_SAFE_MODE, "Cannot <doing> <path>. Name node is in safe mode. ..." */
int op_check_safe_mode(struct op *op, const char *doing, const char *path) MUST_CHECK;
/* The caller is this client, alive: its lease is renewed, and while the connection is there the writer is. */
void op_writer(struct op *op, const char *client_name);
int op_check_super(struct op *op) MUST_CHECK;
int op_check_pool(struct op *op, const char *pool_id) MUST_CHECK;

const char *op_caller(const struct rpc_call *call); /* never "" */
/* For the RPC server: writers whose last connection this was are gone. */
void op_connection_closed(void *context, uint64_t connection, int64_t idle_ms, bool by_peer);
/* Prepared answers go out once what is written now is on the disk. */
void answer_when_synced(struct namenode *nn, struct rpc_call *call);

#define OP_RESPONSE(op, prefix, Type)                                                                                  \
    Type *response = arena_new((op)->arena, Type);                                                                     \
    prefix##__init(response)

#endif

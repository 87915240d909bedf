/* Block transfer: one thread per connection, which handles one op after the other. */
#ifndef CAIRN_DATANODE_SERVE_XFER_H
#define CAIRN_DATANODE_SERVE_XFER_H

#include "common/arena.h"
#include "common/net.h"
#include "datanode/datanode.h"
#include "hdfs/data_transfer.pb-c.h"

#define XFER_ARENA_BYTES (4u << 20) /* most that the messages of one op may take */

struct xfer {
    struct datanode *dn;
    int fd;
    char peer[NET_ADDRESS_MAX];
    _Atomic int *op;    /* under way: its code, 0 = none; for who looks at all connections */
    bool is_unix;       /* a local client, who may be given file descriptors */
    struct arena arena; /* of one op */
    bool refused;       /* the last word was a refusal, which must reach the peer */
};

/* An op's handler: 0 = the connection may go on with another op; else it is closed. Handlers answer and log themselves.
 */
typedef int (*xfer_handler)(struct xfer *x, const ProtobufCMessage *op);
int xfer_read_block(struct xfer *x, const ProtobufCMessage *op);
int xfer_write_block(struct xfer *x, const ProtobufCMessage *op);
int xfer_transfer_block(struct xfer *x, const ProtobufCMessage *op);
int xfer_copy_block(struct xfer *x, const ProtobufCMessage *op);
int xfer_replace_block(struct xfer *x, const ProtobufCMessage *op);
int xfer_block_checksum(struct xfer *x, const ProtobufCMessage *op);
int xfer_block_group_checksum(struct xfer *x, const ProtobufCMessage *op);
int xfer_request_fds(struct xfer *x, const ProtobufCMessage *op);
int xfer_release_fds(struct xfer *x, const ProtobufCMessage *op);
int xfer_request_shm(struct xfer *x, const ProtobufCMessage *op);
int xfer_clone_blocks(struct xfer *x, const ProtobufCMessage *op);

/* Answers BlockOpResponse{status, text}, logs at INFO; returns ERR_CLOSED so that handlers can `return
 * xfer_refuse(..)`. */
int xfer_refuse(struct xfer *x, const char *op, const Hdfs__ExtendedBlockProto *block, Hdfs__Status status,
                const struct err *why);
/* Moves are counted: at most dfs.datanode.balance.max.concurrent.moves. false: refused, and answered. */
bool xfer_move_begin(struct xfer *x, const Hdfs__ExtendedBlockProto *block, const char *what) MUST_CHECK;
void xfer_move_end(struct xfer *x);
/* Nothing more will be said; reads and drops what still comes until the peer closes, for a while: closing at once would
 * reset the connection, and the peer might lose the very answer that says what is wrong. */
void xfer_linger(int fd);
/* The block's pool is ours? */
int xfer_check_pool(const struct xfer *x, const Hdfs__ExtendedBlockProto *block, struct err *reterr) MUST_CHECK;
int xfer_check_pool_id(const struct xfer *x, const char *pool_id, struct err *reterr) MUST_CHECK;

int xfer_server_start(struct datanode *dn, struct xfer_server **ret, uint16_t *ret_port, struct err *reterr) MUST_CHECK;
/* Closes every connection and waits for their threads; NULL is fine. false: some did not end in time. */
bool xfer_server_stop(struct xfer_server *s) MUST_CHECK;
void xfer_server_free(struct xfer_server *s); /* once nobody asks for xfer_server_active() any more; NULL is fine */
int xfer_server_evict_writers(
    struct xfer_server *s); /* cuts the connections that blocks are written through; how many */
int xfer_server_active(const struct xfer_server *s);
/* Handles a connection that somebody else accepted, on a thread of its own; the fd is taken over. */
void xfer_server_adopt(struct xfer_server *s, int fd, const char *peer, bool is_unix);

#endif

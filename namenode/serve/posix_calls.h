/* PosixProtocol's methods (proto/cairn/posix.proto): X(name on the wire, name in C, flags). Each has a handler
 * posix_call_<name in C>, its messages are cairn__<name in C>_{request,response}_proto. For the namenode's superuser
 * only: a handler begins with posix_begin(), but that of replace, which checks the caller's permissions. */
#ifndef CAIRN_NAMENODE_SERVE_POSIX_CALLS_H
#define CAIRN_NAMENODE_SERVE_POSIX_CALLS_H

#include "cairn/posix.pb-c.h"
#include "namenode/namespace/nodes.h"
#include "namenode/namespace/sessions.h"
#include "namenode/serve/op.h"

#define POSIX_PROTOCOL "org.cairn.PosixProtocol"

// clang-format off
#define POSIX_METHODS(X) \
    X(openSession, open_session, 0) \
    X(closeSession, close_session, 0) \
    X(awaitChanges, await_changes, 0) \
    X(lookup, lookup, 0) \
    X(getAttr, get_attr, 0) \
    X(readDir, read_dir, 0) \
    X(statFs, stat_fs, 0) \
    X(setAttr, set_attr, 0) \
    X(makeNode, make_node, RPC_AT_MOST_ONCE) \
    X(link, link, RPC_AT_MOST_ONCE) \
    X(unlink, unlink, RPC_AT_MOST_ONCE) \
    X(rename, rename, RPC_AT_MOST_ONCE) \
    X(replace, replace, RPC_AT_MOST_ONCE) \
    X(release, release, 0) \
    X(lock, lock, 0) \
    X(readPieces, read_pieces, 0) \
    X(newBlocks, new_blocks, RPC_AT_MOST_ONCE) \
    X(dropBlocks, drop_blocks, 0) \
    X(edit, edit, RPC_AT_MOST_ONCE)
// clang-format on

#define POSIX_DECLARE(wire_name, c_name, flags)                                                                        \
    void posix_call_##c_name(struct rpc_call *call, const ProtobufCMessage *message, void *context);
POSIX_METHODS(POSIX_DECLARE)

/* op_begin, and whether the caller may: 0, or an ERR_* for op_end, with op->err filled in. session: 0 = none is named;
 * one that is named is alive (else ERR_STALE), counts as heard of, and what the call changes is its own. */
int posix_begin(struct op *op, struct namenode *nn, struct rpc_call *call, uint64_t session) MUST_CHECK;
/* Under the namenode's lock. */
bool posix_session_is_alive(struct namenode *nn, uint64_t session);

/* The inode of this number: ERR_STALE if there is none, or if it does not hang in the tree and nobody holds it. */
int posix_inode(struct op *op, uint64_t id, struct inode **ret) MUST_CHECK;
/* ERR_SAFE_MODE, as op_check_safe_mode. */
int posix_check_writable(struct op *op, const char *doing, uint64_t id) MUST_CHECK;
/* What setAttr is to do; borrows from q. */
struct node_set posix_set_of(const struct op *op, const Cairn__SetAttrRequestProto *q);
/* newBlocks for posix_call_make_node: one, with room for `length` or the longest that the file may have. */
int posix_new_block(struct op *op, struct inode *file, uint64_t session, const char *client_name, uint64_t length,
                    Hdfs__LocatedBlockProto **ret) MUST_CHECK;
void posix_drop_new_blocks(struct op *op, uint64_t session, const uint64_t *ids, size_t count);
/* What a call says about files that its session has opened and closed (posix_opens.c); h NULL: nothing. A session that
 * is not there any more has nothing open. */
void posix_opened(struct op *op, uint64_t session, const Cairn__HandlesProto *h, const struct inode *n);
int posix_closed(struct op *op, uint64_t session, const Cairn__HandlesProto *h) MUST_CHECK;       /* may commit */
int posix_let_go(struct op *op, struct session *s, const uint64_t *ids, size_t count) MUST_CHECK; /* of what it holds */
int posix_opens_anew(struct op *op, struct session *s, const Cairn__OpenedFilesProto *opened) MUST_CHECK; /* likewise */
/* What a mount sees of it, in op's arena; borrows from the inode. */
Cairn__AttrProto *posix_attr(struct op *op, struct inode *n);
/* Of the directory that a call has changed; NULL when it is gone. */
Cairn__AttrProto *posix_directory_attr(struct op *op, uint64_t id);

#endif

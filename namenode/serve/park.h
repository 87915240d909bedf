/* Calls whose blocks have not been reported by enough datanodes yet: complete(), edit(). Some clients do not ask again
 * after a "not yet", so the call waits a moment for the report. Guarded by the namenode's lock. */
#ifndef CAIRN_NAMENODE_SERVE_PARK_H
#define CAIRN_NAMENODE_SERVE_PARK_H

#include "namenode/namenode.h"
#include "rpc/rpc_server.h"

#define PARK_MS 1500

/* Tries once more, and answers the call if that went well, or if it is the last time. *ret_answered; the call is gone
 * then. message: the call's. */
typedef void (*park_again)(struct namenode *nn, struct rpc_call *call, uint64_t inode, const ProtobufCMessage *message,
                           bool is_last, bool *ret_answered);

struct parked;
struct parked *parked_new(void);
void parked_free(struct parked *p); /* no call may be left */
/* Takes over the call, unanswered; false if too many wait already, or at shutdown. The housekeeping is not woken: it
 * looks every second, and most of these calls are answered before it would have. */
bool park(struct namenode *nn, struct rpc_call *call, uint64_t inode, const ProtobufCMessage *message, park_again again,
          uint64_t deadline_ms);
bool park_any(const struct namenode *nn);
/* A block of the file, or for it, has enough replicas now. */
void park_block_complete(struct namenode *nn, uint64_t inode);
/* Those past their deadline try for the last time (all of them at shutdown: now_ms = UINT64_MAX). */
void park_expire(struct namenode *nn, uint64_t now_ms);

#endif

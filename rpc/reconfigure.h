/* Settings that may change while a daemon runs: ReconfigurationProtocol's answers, the same for every daemon. The
 * configuration is read again from where it came (files, environment, the daemon's own command line); what differs in a
 * property that the daemon lists is applied at once. Thread-safe. */
#ifndef CAIRN_RPC_RECONFIGURE_H
#define CAIRN_RPC_RECONFIGURE_H

#include "common/config.h"
#include "rpc/rpc_server.h"

struct reconfiguration_options {
    const char *const *names;          /* NULL ends the list; borrowed */
    const struct config *started_with; /* borrowed */
    /* All of `fresh` is checked; only listed properties shall be taken from it. */
    void (*apply)(void *context, const char *name, const struct config *fresh);
    void *context;
};
struct reconfiguration;
struct reconfiguration *reconfiguration_new(const struct reconfiguration_options *options);
void reconfiguration_free(struct reconfiguration *r); /* NULL is fine */

/* Each answers the call. `start` reads files: RPC_MAY_BLOCK. Who may call them is the caller's to check. */
void reconfiguration_list(struct reconfiguration *r, struct rpc_call *call);
void reconfiguration_start(struct reconfiguration *r, struct rpc_call *call);
void reconfiguration_status(struct reconfiguration *r, struct rpc_call *call);

#endif

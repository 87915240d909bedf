/* One connection of an RPC client. Any number of threads may have calls on it; whoever waits first reads for
 * all (leader), the others sleep (followers), so a lone caller never needs a second thread to be woken. */
#ifndef CAIRN_RPC_CLIENT_CONNECTION_H
#define CAIRN_RPC_CLIENT_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/net.h"

struct client_connection;
struct client_connection_options {
    const struct net_address *address;
    const char *local_ip, *user, *protocol;
    struct slice client_id;
    int connect_timeout_ms;
};

/* Connects; the greeting goes out with the first call. ERR_CONNECT, ERR_TIMEOUT. One reference. */
int client_connection_open(const struct client_connection_options *options, struct client_connection **ret,
                           struct err *reterr) MUST_CHECK;
struct client_connection *client_connection_ref(struct client_connection *c);
void client_connection_unref(struct client_connection *c);

/* Sends the frame and waits for the answer with that id: its bytes without the length word are appended to
 * `ret_response` (header still in front).
 * ERR_CLOSED: lost, the connection is broken; ERR_TIMEOUT; ERR_PROTOCOL; a fatal remote exception. */
int client_connection_call(struct client_connection *c, int32_t call_id, struct slice frame, int64_t deadline_ms,
                           struct buf *ret_response, struct err *reterr) MUST_CHECK;

/* Our end's address, as a literal; false: unknown. */
bool client_connection_local_ip(const struct client_connection *c, char ret_ip[64]);
/* It will not do for another call: broken, or found closed by the server while nobody used it. */
bool client_connection_is_dead(struct client_connection *c);
/* Every call on it, now or later, fails with `why`. */
void client_connection_break(struct client_connection *c, const struct err *why);

#endif

/* Which protocols and methods a server has. Immutable once built; any thread may look things up. */
#ifndef CAIRN_RPC_REGISTRY_H
#define CAIRN_RPC_REGISTRY_H

#include <stdatomic.h>

#include "common/buf.h"
#include "rpc/rpc_server.h"

struct rpc_registry;
struct rpc_registered {
    char *protocol;
    size_t protocol_len;
    void *context;
    const struct rpc_method *methods;
    size_t method_count;
    _Atomic uint64_t *calls;         /* of each method, since the start */
    const struct rpc_method **index; /* open addressing by name; index_mask + 1 slots, more than half of them free */
    size_t index_mask;
};

struct rpc_registry *rpc_registry_new(const struct rpc_service *services, size_t count);
void rpc_registry_free(struct rpc_registry *r);
void rpc_registry_each(const struct rpc_registry *r, rpc_method_visitor visit, void *context);
/* NULL if there is none. */
const struct rpc_registered *rpc_registry_protocol(const struct rpc_registry *r, struct slice name);
const struct rpc_method *rpc_registered_method(const struct rpc_registered *s, struct slice name);

/* org.apache.hadoop.ipc.ProtocolMetaInfoPB over this registry, which must outlive the server. */
struct rpc_service rpc_meta_service(struct rpc_registry *r);
void rpc_registry_add(struct rpc_registry *r, const struct rpc_service *service); /* before the server runs */

#endif

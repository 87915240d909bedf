/* ClientProtocol: cache pools and directives. */
#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"

void client_list_cache_pools(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__ListCachePoolsResponseProto response = HDFS__LIST_CACHE_POOLS_RESPONSE_PROTO__INIT;
    rpc_call_reply(call, &response.base);
}

void client_list_cache_directives(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    Hdfs__ListCacheDirectivesResponseProto response = HDFS__LIST_CACHE_DIRECTIVES_RESPONSE_PROTO__INIT;
    rpc_call_reply(call, &response.base);
}

static void refuse(struct rpc_call *call)
{
    struct err why = {0};
    err_set(&why, ERR_UNSUPPORTED, "%s: this namenode keeps no cache directives yet", rpc_call_method(call));
    rpc_call_fail(call, &why);
}

void client_add_cache_pool(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    refuse(call);
}

void client_modify_cache_pool(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    refuse(call);
}

void client_remove_cache_pool(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    refuse(call);
}

void client_add_cache_directive(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    refuse(call);
}

void client_modify_cache_directive(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    refuse(call);
}

void client_remove_cache_directive(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    refuse(call);
}

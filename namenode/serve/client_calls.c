#include "namenode/serve/client_calls.h"

#include "namenode/namenode.h"
#include "namenode/serve/replay.h"

/* What must not run twice is asked for among the calls of before the last restart first; the RPC server knows those
 * since. */
#define CLIENT_ONCE(wire_name, c_name, flags)                                                                          \
    static void once_##c_name(struct rpc_call *call, const ProtobufCMessage *message, void *context)                   \
    {                                                                                                                  \
        if (!replay_answer(context, call, message, &hdfs__##c_name##_response_proto__descriptor, replay_client))       \
            client_##c_name(call, message, context);                                                                   \
    }
CLIENT_METHODS(CLIENT_ONCE)

static const struct rpc_method methods[] = {
#define CLIENT_ROW(wire_name, c_name, flags)                                                                           \
    RPC_METHOD(#wire_name, hdfs__##c_name, ((flags)&RPC_AT_MOST_ONCE) ? once_##c_name : client_##c_name, flags),
    CLIENT_METHODS(CLIENT_ROW){"getFsStats", &hdfs__get_fs_status_request_proto__descriptor,
                               &hdfs__get_fs_stats_response_proto__descriptor, client_get_fs_stats, 0},
    {"getHAServiceState", &hdfs__haservice_state_request_proto__descriptor,
     &hdfs__haservice_state_response_proto__descriptor, client_get_ha_service_state, 0},
};

struct rpc_service client_calls_service(struct namenode *nn)
{
    return (struct rpc_service){"org.apache.hadoop.hdfs.protocol.ClientProtocol", methods, ARRAY_COUNT(methods), nn};
}

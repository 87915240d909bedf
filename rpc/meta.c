/* ProtocolMetaInfoPB: a client asks what a server speaks before it uses an optional method. */
#include <string.h>

#include "common/err.h"
#include "hdfs/rpc.pb-c.h"
#include "rpc/registry.h"

static char rpc_kind_name[] = "RPC_PROTOCOL_BUFFER"; /* not const: protobuf-c's fields are not */

static struct slice slice_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static void get_protocol_versions(struct rpc_call *call, const ProtobufCMessage *request, void *registry)
{
    const Hrpc__GetProtocolVersionsRequestProto *req = (const void *)request;
    uint64_t versions[] = {1}; /* of every protobuf protocol */
    Hrpc__ProtocolVersionProto version = HRPC__PROTOCOL_VERSION_PROTO__INIT, *list[] = {&version};
    version.rpckind = rpc_kind_name;
    version.versions = versions;
    version.n_versions = 1;
    Hrpc__GetProtocolVersionsResponseProto response = HRPC__GET_PROTOCOL_VERSIONS_RESPONSE_PROTO__INIT;
    if (rpc_registry_protocol(registry, slice_of(req->protocol))) {
        response.protocolversions = list;
        response.n_protocolversions = 1;
    }
    rpc_call_reply(call, &response.base);
}

static void get_protocol_signature(struct rpc_call *call, const ProtobufCMessage *request, void *registry)
{
    const Hrpc__GetProtocolSignatureRequestProto *req = (const void *)request;
    struct err why;
    if (rpc_registry_protocol(registry, slice_of(req->protocol)))
        err_set(&why, ERR_UNSUPPORTED,
                "%s: method signatures are hashes of Java types, which this server does not have", req->protocol);
    else
        err_set(&why, ERR_NO_SUCH_PROTOCOL, "Unknown protocol: %s", req->protocol);
    rpc_call_fail(call, &why);
}

struct rpc_service rpc_meta_service(struct rpc_registry *r)
{
    static const struct rpc_method methods[] = {
        RPC_METHOD("getProtocolVersions", hrpc__get_protocol_versions, get_protocol_versions, 0),
        RPC_METHOD("getProtocolSignature", hrpc__get_protocol_signature, get_protocol_signature, RPC_REFUSES),
    };
    return (struct rpc_service){"org.apache.hadoop.ipc.ProtocolMetaInfoPB", methods, ARRAY_COUNT(methods), r};
}

/* ProtocolMetaInfoPB: a client asks what a server speaks before it uses an optional method. */
#include <string.h>

#include "common/err.h"
#include "hdfs/rpc.pb-c.h"
#include "rpc/java_names.h"
#include "rpc/registry.h"

static char rpc_kind_name[] = "RPC_PROTOCOL_BUFFER"; /* not const: protobuf-c's fields are not */

static void get_protocol_versions(struct rpc_call *call, const ProtobufCMessage *request, void *registry)
{
    const Hrpc__GetProtocolVersionsRequestProto *req = (const void *)request;
    uint64_t versions[] = {1}; /* of every protobuf protocol */
    Hrpc__ProtocolVersionProto version = HRPC__PROTOCOL_VERSION_PROTO__INIT, *list[] = {&version};
    version.rpckind = rpc_kind_name;
    version.versions = versions;
    version.n_versions = 1;
    Hrpc__GetProtocolVersionsResponseProto response = HRPC__GET_PROTOCOL_VERSIONS_RESPONSE_PROTO__INIT;
    if (rpc_registry_protocol(registry, java_protocol_name(req->protocol))) {
        response.protocolversions = list;
        response.n_protocolversions = 1;
    }
    rpc_call_reply(call, &response.base);
}

/* A Java client asks with the name of its interface, and looks for the hash of one method in the answer. */
static void get_protocol_signature(struct rpc_call *call, const ProtobufCMessage *request, void *registry)
{
    const Hrpc__GetProtocolSignatureRequestProto *req = (const void *)request;
    const struct rpc_registered *s = rpc_registry_protocol(registry, java_protocol_name(req->protocol));
    Hrpc__GetProtocolSignatureResponseProto response = HRPC__GET_PROTOCOL_SIGNATURE_RESPONSE_PROTO__INIT;
    Hrpc__ProtocolSignatureProto signature = HRPC__PROTOCOL_SIGNATURE_PROTO__INIT, *list[] = {&signature};
    struct err why;
    if (!s && java_is_interface(req->protocol)) { /* another server's */
        rpc_call_reply(call, &response.base);
        return;
    }
    if (!s) {
        err_set(&why, ERR_NO_SUCH_PROTOCOL, "Unknown protocol: %s", req->protocol);
        rpc_call_fail(call, &why);
        return;
    }
    signature.version = 1;
    signature.methods = arena_array(rpc_call_arena(call), uint32_t, JAVA_FINGERPRINTS * s->method_count + 1);
    for (size_t i = 0; i < s->method_count; i++)
        if (java_fingerprints(s->protocol, &s->methods[i], signature.methods + signature.n_methods))
            signature.n_methods += JAVA_FINGERPRINTS;
    if (!strcmp(req->rpckind, rpc_kind_name)) {
        response.protocolsignature = list;
        response.n_protocolsignature = 1;
    }
    rpc_call_reply(call, &response.base);
}

struct rpc_service rpc_meta_service(struct rpc_registry *r)
{
    static const struct rpc_method methods[] = {
        RPC_METHOD("getProtocolVersions", hrpc__get_protocol_versions, get_protocol_versions, 0),
        RPC_METHOD("getProtocolSignature", hrpc__get_protocol_signature, get_protocol_signature, 0),
    };
    return (struct rpc_service){"org.apache.hadoop.ipc.ProtocolMetaInfoPB", methods, ARRAY_COUNT(methods), r};
}

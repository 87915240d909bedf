#include "namenode/serve/version.h"

#define LAYOUT_VERSION            ((uint32_t)-67)
#define CAPABILITY_REPORT_BUFFERS 1

void version_storage_info(const struct namenode *nn, Hdfs__StorageInfoProto *ret)
{
    hdfs__storage_info_proto__init(ret);
    ret->layoutversion = LAYOUT_VERSION;
    ret->namespceid = nn->ids.namespace_id;
    ret->clusterid = (char *)nn->ids.cluster_id;
    ret->ctime = nn->ids.created_ms;
}

void answer_version_request(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    const struct namenode *nn = context;
    Hdfs__StorageInfoProto storage;
    version_storage_info(nn, &storage);
    Hdfs__NamespaceInfoProto info = HDFS__NAMESPACE_INFO_PROTO__INIT;
    info.buildversion = (char *)"cairn";
    info.softwareversion = (char *)SOFTWARE_VERSION;
    info.blockpoolid = (char *)nn->ids.block_pool_id;
    info.storageinfo = &storage;
    info.has_capabilities = true;
    info.capabilities = CAPABILITY_REPORT_BUFFERS;
    info.has_state = true;
    info.state = HDFS__NNHASTATUS_HEARTBEAT_PROTO__STATE__ACTIVE;
    Hdfs__VersionResponseProto response = HDFS__VERSION_RESPONSE_PROTO__INIT;
    response.info = &info;
    rpc_call_reply(call, &response.base);
}

#include "rpc/java_names.h"

#include <stdio.h>
#include <string.h>

#define HADOOP "org.apache.hadoop."
#define HDFS   HADOOP "hdfs.protocol.proto."

static const struct java_protocol {
    const char *protocol, *interface;
    const char *messages; /* the class around most of its messages */
} protocols[] = {
    {HADOOP "hdfs.protocol.ClientProtocol", HADOOP "hdfs.protocolPB.ClientNamenodeProtocolPB",
     HDFS "ClientNamenodeProtocolProtos"},
    {HADOOP "hdfs.server.protocol.NamenodeProtocol", HADOOP "hdfs.protocolPB.NamenodeProtocolPB",
     HDFS "NamenodeProtocolProtos"},
    {HADOOP "hdfs.server.protocol.DatanodeProtocol", HADOOP "hdfs.protocolPB.DatanodeProtocolPB",
     HDFS "DatanodeProtocolProtos"},
    {HADOOP "hdfs.server.protocol.DatanodeLifelineProtocol", HADOOP "hdfs.protocolPB.DatanodeLifelineProtocolPB",
     HDFS "DatanodeLifelineProtocolProtos"},
    {HADOOP "hdfs.server.protocol.InterDatanodeProtocol", HADOOP "hdfs.protocolPB.InterDatanodeProtocolPB",
     HDFS "InterDatanodeProtocolProtos"},
    {HADOOP "hdfs.protocol.ClientDatanodeProtocol", HADOOP "hdfs.protocolPB.ClientDatanodeProtocolPB",
     HDFS "ClientDatanodeProtocolProtos"},
    {HADOOP "hdfs.protocol.ReconfigurationProtocol", HADOOP "hdfs.protocolPB.ReconfigurationProtocolPB",
     HDFS "ReconfigurationProtocolProtos"},
    {HADOOP "ha.HAServiceProtocol", HADOOP "ha.protocolPB.HAServiceProtocolPB",
     HADOOP "ha.proto.HAServiceProtocolProtos"},
    {HADOOP "tools.GetUserMappingsProtocol", HADOOP "tools.protocolPB.GetUserMappingsProtocolPB",
     HADOOP "tools.proto.GetUserMappingsProtocolProtos"},
    {HADOOP "security.RefreshUserMappingsProtocol", HADOOP "security.protocolPB.RefreshUserMappingsProtocolPB",
     HADOOP "security.proto.RefreshUserMappingsProtocolProtos"},
    {HADOOP "security.authorize.RefreshAuthorizationPolicyProtocol",
     HADOOP "security.protocolPB.RefreshAuthorizationPolicyProtocolPB",
     HADOOP "security.proto.RefreshAuthorizationPolicyProtocolProtos"},
    {HADOOP "ipc.RefreshCallQueueProtocol", HADOOP "ipc.protocolPB.RefreshCallQueueProtocolPB",
     HADOOP "ipc.proto.RefreshCallQueueProtocolProtos"},
    {HADOOP "ipc.GenericRefreshProtocol", HADOOP "ipc.protocolPB.GenericRefreshProtocolPB",
     HADOOP "ipc.proto.GenericRefreshProtocolProtos"},
    {HADOOP "ipc.ProtocolMetaInfoPB", HADOOP "ipc.ProtocolMetaInfoPB", HADOOP "ipc.protobuf.ProtocolInfoProtos"},
};

/* Messages that Hadoop has in files of their own, by a part of their names. */
static const struct {
    const char *part, *class;
} elsewhere[] = {
    {"ErasureCoding", HDFS "ErasureCodingProtos"},
    {"ECTopology", HDFS "ErasureCodingProtos"},
    {"EncryptionZone", HDFS "EncryptionZonesProtos"},
    {"EZForPath", HDFS "EncryptionZonesProtos"},
    {"ListReencryption", HDFS "EncryptionZonesProtos"},
    {"XAttr", HDFS "XAttrProtos"},
    {"AclEntries", HDFS "AclProtos"},
    {"AclStatus", HDFS "AclProtos"},
    {"RemoveAcl", HDFS "AclProtos"},
    {"RemoveDefaultAcl", HDFS "AclProtos"},
    {"SetAcl", HDFS "AclProtos"},
    {"VersionRe", HDFS "HdfsServerProtos"},
    {"HeartbeatRe", HDFS "DatanodeProtocolProtos"},
    {"Reconfigura", HDFS "ReconfigurationProtocolProtos"},
    {"GetDelegationToken", HADOOP "security.proto.SecurityProtos"},
    {"RenewDelegationToken", HADOOP "security.proto.SecurityProtos"},
    {"CancelDelegationToken", HADOOP "security.proto.SecurityProtos"},
};

struct slice java_protocol_name(const char *interface)
{
    for (size_t i = 0; i < ARRAY_COUNT(protocols); i++)
        if (!strcmp(protocols[i].interface, interface))
            interface = protocols[i].protocol;
    return (struct slice){(const uint8_t *)interface, strlen(interface)};
}

bool java_is_interface(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(protocols); i++)
        if (!strcmp(protocols[i].interface, name))
            return true;
    return false;
}

static uint32_t java_hash(const char *text)
{
    uint32_t hash = 0;
    for (; *text; text++)
        hash = 31 * hash + (uint8_t)*text;
    return hash;
}

static uint32_t message_hash(const struct java_protocol *p, const ProtobufCMessageDescriptor *message)
{
    char name[400];
    const char *class = p->messages;
    for (size_t i = 0; i < ARRAY_COUNT(elsewhere); i++)
        if (!strncmp(p->messages, HDFS, strlen(HDFS)) && strstr(message->short_name, elsewhere[i].part))
            class = elsewhere[i].class;
    /* Ours has that in front where Hadoop has two of one name. */
    bool is_ours = !strncmp(message->short_name, "NamenodeErrorReport", strlen("NamenodeErrorReport"));
    snprintf(name, sizeof name, "%s$%s", class, message->short_name + (is_ours ? strlen("Namenode") : 0));
    return java_hash(name);
}

bool java_fingerprints(const char *protocol, const struct rpc_method *m, uint32_t ret[JAVA_FINGERPRINTS])
{
    static const char *const controllers[JAVA_FINGERPRINTS] = {"org.apache.hadoop.thirdparty.protobuf.RpcController",
                                                               "com.google.protobuf.RpcController"};
    const struct java_protocol *p = NULL;
    for (size_t i = 0; i < ARRAY_COUNT(protocols); i++)
        if (!strcmp(protocols[i].protocol, protocol))
            p = &protocols[i];
    for (size_t i = 0; p && i < JAVA_FINGERPRINTS; i++) {
        uint32_t hash = java_hash(m->name) + 31 * message_hash(p, m->response);
        hash = 31 * hash ^ java_hash(controllers[i]);
        ret[i] = 31 * hash ^ message_hash(p, m->request);
    }
    return p != NULL;
}

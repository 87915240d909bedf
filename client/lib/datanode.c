#include "client/lib/datanode.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/lib/dfs_convert.h"
#include "client/lib/dfs_internal.h"
#include "client/lib/local_addresses.h"
#include "hdfs/client_datanode.pb-c.h"
#include "proto/op_header.h"
#include "rpc/rpc_client.h"

#define WRITE_TIMEOUT_MS         (8 * 60 * 1000) /* Hadoop's: a datanode may be that busy before it takes more */
#define CLIENT_DATANODE_PROTOCOL "org.apache.hadoop.hdfs.protocol.ClientDatanodeProtocol"

static struct net_address datanode_address(struct dfs *fs, const struct dfs_datanode *d, uint16_t port)
{
    struct net_address a = {.port = port};
    bool by_name = config_bool(fs->config, "dfs.client.use.datanode.hostname");
    snprintf(a.host, sizeof a.host, "%s", by_name ? d->host_name : d->ip);
    return a;
}

const char *datanode_name(const struct dfs_datanode *d, char out[NET_ADDRESS_MAX])
{
    snprintf(out, NET_ADDRESS_MAX, "%.250s:%u", d->ip, d->xfer_port);
    return out;
}

bool datanode_is_local(const struct dfs *fs, const struct dfs_datanode *d)
{
    return local_addresses_have(fs->local, d->ip);
}

int datanode_connect(struct dfs *fs, const struct dfs_datanode *d, int extra_ms, int *ret_fd, struct err *reterr)
{
    struct net_address address = datanode_address(fs, d, d->xfer_port);
    int timeout_ms = (int)config_ms(fs->config, "dfs.client.socket-timeout");
    int rc = net_connect(&address, NULL, timeout_ms, ret_fd, reterr);
    if (rc < 0)
        return err_prefix(reterr, rc, "datanode");
    datanode_set_timeouts(fs, extra_ms, *ret_fd);
    return 0;
}

void datanode_set_timeouts(const struct dfs *fs, int extra_ms, int fd)
{
    int timeout_ms = (int)config_ms(fs->config, "dfs.client.socket-timeout");
    net_set_timeouts(fd, timeout_ms + extra_ms, WRITE_TIMEOUT_MS + extra_ms);
}

const char *status_name(int status)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(&hdfs__status__descriptor, status);
    return value ? value->name : "an unknown status";
}

int datanode_check_answer(const Hdfs__BlockOpResponseProto *answer, struct err *reterr)
{
    if (answer->status == HDFS__STATUS__SUCCESS)
        return 0;
    return err_set(reterr, ERR_IO, "the datanode answered %s%s%s", status_name((int)answer->status),
                   answer->message ? ": " : "", answer->message ? answer->message : "");
}

int datanode_read_answer(int fd, struct arena *a, Hdfs__BlockOpResponseProto **ret, struct err *reterr)
{
    ProtobufCMessage *answer;
    int rc = delimited_read(fd, &hdfs__block_op_response_proto__descriptor, a, &answer, reterr);
    if (rc < 0)
        return rc;
    *ret = (Hdfs__BlockOpResponseProto *)answer;
    return datanode_check_answer(*ret, reterr);
}

static int ask_replica(struct dfs *fs, const struct dfs_block *b, const struct dfs_datanode *d, bool sync,
                       uint64_t *ret_length, bool *ret_synced, struct err *reterr)
{
    struct net_address address = datanode_address(fs, d, d->ipc_port);
    struct rpc_client_options options = {
        .addresses = &address,
        .address_count = 1,
        .protocol = CLIENT_DATANODE_PROTOCOL,
        .user = fs->user,
        .connect_timeout_ms = (int)config_ms(fs->config, "ipc.client.connect.timeout"),
        .call_timeout_ms = (int)config_ms(fs->config, "dfs.client.socket-timeout"),
    };
    struct rpc_client *client;
    int rc = rpc_client_new(&options, &client, reterr);
    if (rc < 0)
        return rc;
    AUTO_ARENA(a, 1u << 20);
    Hdfs__GetReplicaVisibleLengthRequestProto request = HDFS__GET_REPLICA_VISIBLE_LENGTH_REQUEST_PROTO__INIT;
    request.block = proto_of_block(b, &a);
    request.has_sync = request.sync = sync;
    ProtobufCMessage *answer;
    rc = rpc_client_call(client, "getReplicaVisibleLength", &request.base,
                         &hdfs__get_replica_visible_length_response_proto__descriptor, &a, &answer, reterr);
    rpc_client_free(client);
    if (rc < 0)
        return rc;
    const Hdfs__GetReplicaVisibleLengthResponseProto *said = (const Hdfs__GetReplicaVisibleLengthResponseProto *)answer;
    *ret_length = said->length;
    *ret_synced = said->synced;
    return 0;
}

int datanode_visible_length(struct dfs *fs, const struct dfs_block *b, const struct dfs_datanode *d, int64_t *ret,
                            struct err *reterr)
{
    uint64_t length;
    bool ignored;
    int rc = ask_replica(fs, b, d, false, &length, &ignored, reterr);
    if (rc < 0)
        return rc;
    if (length > INT64_MAX / 2)
        return err_set(reterr, ERR_PROTOCOL, "block %" PRIu64 ": visible length %" PRIu64, b->block_id, length);
    *ret = (int64_t)length;
    return 0;
}

int datanode_sync_replica(struct dfs *fs, const struct dfs_block *b, const struct dfs_datanode *d, bool *ret_synced,
                          struct err *reterr)
{
    uint64_t ignored;
    return ask_replica(fs, b, d, true, &ignored, ret_synced, reterr);
}

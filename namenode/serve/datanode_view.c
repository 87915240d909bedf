#include "namenode/serve/datanode_view.h"

#include "common/advertised.h"
#include "common/net.h"

struct datanode_view datanode_view_for(const struct datanode_info *d, const char *client_ip)
{
    struct datanode_view v = {d->ip, d->hostname, d->xfer_port, d->ipc_port, d->info_port};
    const struct advertised_address *a = advertised_find(d->advertised, client_ip);
    if (!a)
        return v;
    v.ip = a->host;
    if (!net_is_literal(a->host))
        v.hostname = a->host;
    v.xfer_port = a->transfer_port ? a->transfer_port : v.xfer_port;
    v.ipc_port = a->ipc_port ? a->ipc_port : v.ipc_port;
    v.info_port = a->http_port ? a->http_port : v.info_port;
    return v;
}

Hdfs__DatanodeIDProto *datanode_id_for(const struct datanode_info *d, const char *client_ip, struct arena *a)
{
    struct datanode_view v = datanode_view_for(d, client_ip);
    Hdfs__DatanodeIDProto *id = arena_new(a, Hdfs__DatanodeIDProto);
    hdfs__datanode_idproto__init(id);
    id->ipaddr = (char *)(uintptr_t)v.ip;
    id->hostname = (char *)(uintptr_t)v.hostname;
    id->datanodeuuid = (char *)(uintptr_t)d->uuid;
    id->xferport = v.xfer_port;
    id->infoport = v.info_port;
    id->ipcport = v.ipc_port;
    id->has_infosecureport = true;
    id->infosecureport = d->info_secure_port;
    return id;
}

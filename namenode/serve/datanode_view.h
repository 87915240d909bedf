/* A datanode as one client, known by its address, can reach it. */
#ifndef CAIRN_NAMENODE_SERVE_DATANODE_VIEW_H
#define CAIRN_NAMENODE_SERVE_DATANODE_VIEW_H

#include "common/arena.h"
#include "hdfs/common.pb-c.h"
#include "namenode/blocks/blocks.h"

struct datanode_view { /* borrowed from the node: good while the lock is held */
    const char *ip;    /* what clients connect to; a name if that is what the datanode advertises */
    const char *hostname;
    uint16_t xfer_port, ipc_port, info_port;
};
/* client_ip NULL: as it registered. */
struct datanode_view datanode_view_for(const struct datanode_info *d, const char *client_ip);
Hdfs__DatanodeIDProto *datanode_id_for(const struct datanode_info *d, const char *client_ip, struct arena *a);

#endif

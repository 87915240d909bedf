/* Who this namenode is, as datanodes, balancers and other namenodes ask for it. */
#ifndef CAIRN_NAMENODE_SERVE_VERSION_H
#define CAIRN_NAMENODE_SERVE_VERSION_H

#include "hdfs/datanode_namenode.pb-c.h"
#include "namenode/namenode.h"
#include "rpc/rpc_server.h"

#define SOFTWARE_VERSION "3.4.1" /* a Hadoop version: datanodes compare it with their own minimum */

/* versionRequest, of DatanodeProtocol and of NamenodeProtocol. */
void answer_version_request(struct rpc_call *call, const ProtobufCMessage *request, void *context);
/* Strings are borrowed from nn. */
void version_storage_info(const struct namenode *nn, Hdfs__StorageInfoProto *ret);

#endif

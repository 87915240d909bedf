/* The block manager's commands as DatanodeCommandProtos, in the arena. They borrow strings: pack under the lock. */
#ifndef CAIRN_NAMENODE_SERVE_DATANODE_COMMANDS_H
#define CAIRN_NAMENODE_SERVE_DATANODE_COMMANDS_H

#include "hdfs/datanode_namenode.pb-c.h"
#include "namenode/blocks/datanode_events.h"
#include "namenode/serve/datanode_proto.h"

size_t datanode_commands_proto(const struct datanode_commands *c, const char *pool_id, const struct two_clocks *now,
                               struct arena *a, Hdfs__DatanodeCommandProto ***ret);
Hdfs__DatanodeCommandProto *register_command_proto(struct arena *a);
Hdfs__DatanodeCommandProto *finalize_command_proto(const char *pool_id, struct arena *a);

#endif

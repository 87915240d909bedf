/* Datanodes and replicas as they travel: the block manager's views turned into messages in a request's arena. The
 * results borrow strings from the views: pack the answer (rpc_call_prepare) before the namenode lock is released. */
#ifndef CAIRN_NAMENODE_SERVE_DATANODE_PROTO_H
#define CAIRN_NAMENODE_SERVE_DATANODE_PROTO_H

#include "common/arena.h"
#include "hdfs/common.pb-c.h"
#include "namenode/blocks/blocks.h"

/* The two clocks, read once per request: views have monotonic times, the wire wants both kinds. */
struct two_clocks {
    uint64_t mono_ms, wall_ms;
};
struct two_clocks two_clocks_now(void);
uint64_t wall_from_mono(const struct two_clocks *now, uint64_t mono_ms); /* 0 stays 0: never */

Hdfs__DatanodeInfoProto *datanode_info_proto(const struct datanode_info *n, const struct two_clocks *now,
                                             struct arena *a);
/* locs, isCached, storageTypes and storageIDs of a located block. */
void located_block_set_locations(Hdfs__LocatedBlockProto *lb, const struct block_location *locations, size_t count,
                                 const struct two_clocks *now, struct arena *a);
Hdfs__TokenProto *empty_token_proto(struct arena *a);

#endif

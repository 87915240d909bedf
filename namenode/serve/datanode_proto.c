#include "namenode/serve/datanode_proto.h"

#include "common/clock.h"
#include "namenode/serve/datanode_view.h"

struct two_clocks two_clocks_now(void)
{
    return (struct two_clocks){(uint64_t)clock_mono_ms(), (uint64_t)clock_wall_ms()};
}

uint64_t wall_from_mono(const struct two_clocks *now, uint64_t mono_ms)
{
    return mono_ms ? now->wall_ms - (now->mono_ms - mono_ms) : 0;
}

Hdfs__DatanodeInfoProto *datanode_info_proto(const struct datanode_info *n, const struct two_clocks *now,
                                             struct arena *a)
{
    Hdfs__DatanodeInfoProto *p = arena_new(a, Hdfs__DatanodeInfoProto);
    hdfs__datanode_info_proto__init(p);
    p->id = datanode_id_for(n, NULL, a);
#define SET(field, value) (p->has_##field = true, p->field = (value))
    SET(capacity, n->capacity_bytes);
    SET(dfsused, n->used_bytes);
    SET(nondfsused, n->non_dfs_used_bytes);
    SET(remaining, n->remaining_bytes);
    SET(blockpoolused, n->pool_used_bytes);
    SET(cachecapacity, n->cache_capacity_bytes);
    SET(cacheused, n->cache_used_bytes);
    SET(lastupdate, wall_from_mono(now, n->last_heartbeat_ms));
    SET(lastupdatemonotonic, n->last_heartbeat_ms);
    SET(lastblockreporttime, wall_from_mono(now, n->last_report_ms));
    SET(lastblockreportmonotonic, n->last_report_ms);
    SET(xceivercount, n->xceivers);
    SET(numblocks, n->block_count);
    SET(adminstate, (Hdfs__DatanodeInfoProto__AdminState)n->admin);
#undef SET
    p->location = (char *)n->rack;
    p->upgradedomain = (char *)(uintptr_t)n->upgrade_domain;
    return p;
}

Hdfs__TokenProto *empty_token_proto(struct arena *a)
{
    Hdfs__TokenProto *token = arena_new(a, Hdfs__TokenProto);
    hdfs__token_proto__init(token);
    token->kind = token->service = (char *)"";
    return token;
}

void located_block_set_locations(Hdfs__LocatedBlockProto *lb, const struct block_location *locations, size_t count,
                                 const struct two_clocks *now, struct arena *a)
{
    lb->n_locs = lb->n_iscached = lb->n_storagetypes = lb->n_storageids = count;
    lb->locs = arena_array(a, Hdfs__DatanodeInfoProto *, count + 1);
    lb->iscached = arena_array(a, protobuf_c_boolean, count + 1);
    lb->storagetypes = arena_array(a, Hdfs__StorageTypeProto, count + 1);
    lb->storageids = arena_array(a, char *, count + 1);
    for (size_t i = 0; i < count; i++) {
        lb->locs[i] = datanode_info_proto(locations[i].node, now, a);
        lb->storagetypes[i] = (Hdfs__StorageTypeProto)locations[i].storage_type;
        lb->storageids[i] = (char *)locations[i].storage_uuid;
    }
}

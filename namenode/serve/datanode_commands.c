#include "namenode/serve/datanode_commands.h"

#define COMMANDS_MAX 6

static Hdfs__DatanodeCommandProto *command(Hdfs__DatanodeCommandProto__Type type, struct arena *a)
{
    Hdfs__DatanodeCommandProto *c = arena_new(a, Hdfs__DatanodeCommandProto);
    hdfs__datanode_command_proto__init(c);
    c->cmdtype = type;
    return c;
}

Hdfs__DatanodeCommandProto *register_command_proto(struct arena *a)
{
    Hdfs__DatanodeCommandProto *c = command(HDFS__DATANODE_COMMAND_PROTO__TYPE__RegisterCommand, a);
    c->registercmd = arena_new(a, Hdfs__RegisterCommandProto);
    hdfs__register_command_proto__init(c->registercmd);
    return c;
}

Hdfs__DatanodeCommandProto *finalize_command_proto(const char *pool_id, struct arena *a)
{
    Hdfs__DatanodeCommandProto *c = command(HDFS__DATANODE_COMMAND_PROTO__TYPE__FinalizeCommand, a);
    c->finalizecmd = arena_new(a, Hdfs__FinalizeCommandProto);
    hdfs__finalize_command_proto__init(c->finalizecmd);
    c->finalizecmd->blockpoolid = (char *)pool_id;
    return c;
}

static Hdfs__BlockProto *block_proto(uint64_t block_id, uint64_t gen_stamp, uint64_t bytes, struct arena *a)
{
    Hdfs__BlockProto *p = arena_new(a, Hdfs__BlockProto);
    hdfs__block_proto__init(p);
    p->blockid = block_id;
    p->genstamp = gen_stamp;
    p->has_numbytes = true;
    p->numbytes = bytes;
    return p;
}

static Hdfs__DatanodeCommandProto *block_command(Hdfs__BlockCommandProto__Action action, const char *pool_id,
                                                 size_t count, struct arena *a)
{
    Hdfs__DatanodeCommandProto *c = command(HDFS__DATANODE_COMMAND_PROTO__TYPE__BlockCommand, a);
    c->blkcmd = arena_new(a, Hdfs__BlockCommandProto);
    hdfs__block_command_proto__init(c->blkcmd);
    c->blkcmd->action = action;
    c->blkcmd->blockpoolid = (char *)pool_id;
    c->blkcmd->n_blocks = count;
    c->blkcmd->blocks = arena_array(a, Hdfs__BlockProto *, count);
    return c;
}

static void set_targets(Hdfs__BlockCommandProto *p, size_t index, const struct transfer_command *t,
                        const struct two_clocks *now, struct arena *a)
{
    Hdfs__DatanodeInfosProto *nodes = arena_new(a, Hdfs__DatanodeInfosProto);
    Hdfs__StorageUuidsProto *uuids = arena_new(a, Hdfs__StorageUuidsProto);
    Hdfs__StorageTypesProto *types = arena_new(a, Hdfs__StorageTypesProto);
    hdfs__datanode_infos_proto__init(nodes);
    hdfs__storage_uuids_proto__init(uuids);
    hdfs__storage_types_proto__init(types);
    nodes->n_datanodes = uuids->n_storageuuids = types->n_storagetypes = t->target_count;
    nodes->datanodes = arena_array(a, Hdfs__DatanodeInfoProto *, t->target_count);
    uuids->storageuuids = arena_array(a, char *, t->target_count);
    types->storagetypes = arena_array(a, Hdfs__StorageTypeProto, t->target_count);
    for (size_t i = 0; i < t->target_count; i++) {
        nodes->datanodes[i] = datanode_info_proto(t->targets[i].node, now, a);
        uuids->storageuuids[i] = (char *)t->targets[i].storage_uuid;
        types->storagetypes[i] = (Hdfs__StorageTypeProto)t->targets[i].storage_type;
    }
    p->targets[index] = nodes;
    p->targetstorageuuids[index] = uuids;
    p->targetstoragetypes[index] = types;
}

static Hdfs__DatanodeCommandProto *transfer_proto(const struct datanode_commands *c, const char *pool_id,
                                                  const struct two_clocks *now, struct arena *a)
{
    size_t count = c->transfer_count;
    Hdfs__DatanodeCommandProto *p = block_command(HDFS__BLOCK_COMMAND_PROTO__ACTION__TRANSFER, pool_id, count, a);
    Hdfs__BlockCommandProto *b = p->blkcmd;
    b->n_targets = b->n_targetstorageuuids = b->n_targetstoragetypes = count;
    b->targets = arena_array(a, Hdfs__DatanodeInfosProto *, count);
    b->targetstorageuuids = arena_array(a, Hdfs__StorageUuidsProto *, count);
    b->targetstoragetypes = arena_array(a, Hdfs__StorageTypesProto *, count);
    for (size_t i = 0; i < count; i++) {
        const struct transfer_command *t = &c->transfers[i];
        b->blocks[i] = block_proto(t->block_id, t->gen_stamp, t->bytes, a);
        set_targets(b, i, t, now, a);
    }
    return p;
}

static Hdfs__DatanodeCommandProto *invalidate_proto(const struct datanode_commands *c, const char *pool_id,
                                                    struct arena *a)
{
    Hdfs__DatanodeCommandProto *p =
        block_command(HDFS__BLOCK_COMMAND_PROTO__ACTION__INVALIDATE, pool_id, c->invalidate_count, a);
    for (size_t i = 0; i < c->invalidate_count; i++)
        p->blkcmd->blocks[i] = block_proto(c->invalidates[i].block_id, c->invalidates[i].gen_stamp, 0, a);
    return p;
}

static Hdfs__RecoveringBlockProto *recovering_block(const struct recovery_command *r, const char *pool_id,
                                                    const struct two_clocks *now, struct arena *a)
{
    Hdfs__ExtendedBlockProto *b = arena_new(a, Hdfs__ExtendedBlockProto);
    hdfs__extended_block_proto__init(b);
    b->poolid = (char *)pool_id;
    b->blockid = r->block_id;
    b->generationstamp = r->gen_stamp;
    b->has_numbytes = true;
    b->numbytes = r->bytes;
    Hdfs__LocatedBlockProto *lb = arena_new(a, Hdfs__LocatedBlockProto);
    hdfs__located_block_proto__init(lb);
    lb->b = b;
    lb->offset = UINT64_MAX; /* it has none */
    lb->blocktoken = empty_token_proto(a);
    located_block_set_locations(lb, r->locations, r->location_count, now, a);
    Hdfs__RecoveringBlockProto *p = arena_new(a, Hdfs__RecoveringBlockProto);
    hdfs__recovering_block_proto__init(p);
    p->newgenstamp = r->recovery_id;
    p->block = lb;
    if (r->truncate_bytes != BLOCKS_NO_TRUNCATE)
        p->truncateblock = block_proto(r->new_block_id, r->recovery_id, r->truncate_bytes, a);
    return p;
}

static Hdfs__DatanodeCommandProto *recovery_proto(const struct datanode_commands *c, const char *pool_id,
                                                  const struct two_clocks *now, struct arena *a)
{
    Hdfs__DatanodeCommandProto *p = command(HDFS__DATANODE_COMMAND_PROTO__TYPE__BlockRecoveryCommand, a);
    p->recoverycmd = arena_new(a, Hdfs__BlockRecoveryCommandProto);
    hdfs__block_recovery_command_proto__init(p->recoverycmd);
    p->recoverycmd->n_blocks = c->recovery_count;
    p->recoverycmd->blocks = arena_array(a, Hdfs__RecoveringBlockProto *, c->recovery_count);
    for (size_t i = 0; i < c->recovery_count; i++)
        p->recoverycmd->blocks[i] = recovering_block(&c->recoveries[i], pool_id, now, a);
    return p;
}

static Hdfs__DatanodeCommandProto *block_ids_proto(Hdfs__BlockIdCommandProto__Action action, uint64_t *ids,
                                                   size_t count, const char *pool_id, struct arena *a)
{
    Hdfs__DatanodeCommandProto *p = command(HDFS__DATANODE_COMMAND_PROTO__TYPE__BlockIdCommand, a);
    p->blkidcmd = arena_new(a, Hdfs__BlockIdCommandProto);
    hdfs__block_id_command_proto__init(p->blkidcmd);
    p->blkidcmd->action = action;
    p->blkidcmd->blockpoolid = (char *)(uintptr_t)pool_id;
    p->blkidcmd->n_blockids = count;
    p->blkidcmd->blockids = ids;
    return p;
}

size_t datanode_commands_proto(const struct datanode_commands *c, const char *pool_id, const struct two_clocks *now,
                               struct arena *a, Hdfs__DatanodeCommandProto ***ret)
{
    size_t count = 0;
    Hdfs__DatanodeCommandProto **list = arena_array(a, Hdfs__DatanodeCommandProto *, COMMANDS_MAX);
    if (c->recovery_count)
        list[count++] = recovery_proto(c, pool_id, now, a);
    if (c->transfer_count)
        list[count++] = transfer_proto(c, pool_id, now, a);
    if (c->invalidate_count)
        list[count++] = invalidate_proto(c, pool_id, a);
    if (c->cache_count)
        list[count++] =
            block_ids_proto(HDFS__BLOCK_ID_COMMAND_PROTO__ACTION__CACHE, c->cache, c->cache_count, pool_id, a);
    if (c->uncache_count)
        list[count++] =
            block_ids_proto(HDFS__BLOCK_ID_COMMAND_PROTO__ACTION__UNCACHE, c->uncache, c->uncache_count, pool_id, a);
    if (c->balancer_bytes_per_second) {
        Hdfs__DatanodeCommandProto *p = command(HDFS__DATANODE_COMMAND_PROTO__TYPE__BalancerBandwidthCommand, a);
        p->balancercmd = arena_new(a, Hdfs__BalancerBandwidthCommandProto);
        hdfs__balancer_bandwidth_command_proto__init(p->balancercmd);
        p->balancercmd->bandwidth = c->balancer_bytes_per_second;
        list[count++] = p;
    }
    *ret = list;
    return count;
}

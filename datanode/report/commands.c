/* What the namenode asks for in its answers. The work itself is done on the reporter's pool: heartbeats must go on. */
#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "datanode/report/reporter_impl.h"
#include "datanode/serve/mirror.h"
#include "datanode/serve/shm_registry.h"
#include "datanode/store/block_cache.h"
#include "proto/message.h"

struct command_task {
    struct pool_task task;
    struct reporter *reporter;
    struct arena arena; /* holds the command */
    const Hdfs__DatanodeCommandProto *command;
    size_t index;          /* which block of it, where each is a task */
    uint64_t registration; /* under which it was given */
};

static bool is_stopping(struct reporter *r)
{
    pthread_mutex_lock(&r->lock);
    bool stopping = r->stopping;
    pthread_mutex_unlock(&r->lock);
    return stopping;
}

static void task_done(struct command_task *t)
{
    arena_free(&t->arena);
    mem_freep(&t);
}

static void run_transfer(struct pool_task *task);
static void run_cache(struct pool_task *task);

/* What takes long has threads of its own: recoveries and deletions shall not wait behind it. */
static struct pool *pool_for(const struct reporter *r, void (*run)(struct pool_task *))
{
    return run == run_transfer ? r->copiers : run == run_cache ? r->cachers : r->workers;
}

/* The command belongs to the heartbeat's answer, so each task gets its own copy. */
static void submit(struct reporter *r, const Hdfs__DatanodeCommandProto *command, size_t index,
                   void (*run)(struct pool_task *))
{
    struct command_task *t = mem_new(struct command_task);
    AUTO(buf_free) struct buf packed = {0};
    ProtobufCMessage *copy;
    t->reporter = r;
    t->index = index;
    t->registration = r->registration; /* of this thread, too */
    t->task.run = run;
    arena_init(&t->arena, REPORT_ARENA_BYTES);
    message_pack(&packed, &command->base);
    if (message_unpack(&hdfs__datanode_command_proto__descriptor, buf_slice(&packed), &t->arena, &copy, NULL) < 0) {
        task_done(t); /* it was decoded once already, so it is only too large */
        return;
    }
    t->command = (const Hdfs__DatanodeCommandProto *)copy;
    pool_submit(pool_for(r, run), &t->task);
}

/* ---- the tasks ---- */

void commands_forget(struct reporter *r)
{
    pthread_mutex_lock(&r->deletion_lock);
    r->registration++;
    pthread_mutex_unlock(&r->deletion_lock);
}

/* ERR_CANCELLED: the namenode has forgotten that it asked for it, and counts on what we report since. */
static int delete_one(const struct command_task *t, const Hdfs__BlockProto *block, struct replica_view *ret,
                      struct err *reterr)
{
    struct reporter *r = t->reporter;
    pthread_mutex_lock(&r->deletion_lock);
    int rc = t->registration == r->registration
                 ? block_store_delete(r->dn->store, block->blockid, block->genstamp, ret, reterr)
                 : err_set(reterr, ERR_CANCELLED, "asked for before the last registration");
    pthread_mutex_unlock(&r->deletion_lock);
    return rc;
}

static void run_invalidate(struct pool_task *task)
{
    struct command_task *t = container_of(task, struct command_task, task);
    struct reporter *r = t->reporter;
    const Hdfs__BlockCommandProto *c = t->command->blkcmd;
    for (size_t i = 0; i < c->n_blocks && !is_stopping(r); i++) {
        struct replica_view gone;
        struct err why;
        int rc = delete_one(t, c->blocks[i], &gone, &why);
        if (rc == 0) {
            metric_add(&datanode_blocks_removed, 1);
            reporter_deleted(r, &gone);
        } else if (rc != ERR_REPLICA_NOT_FOUND && rc != ERR_CANCELLED) {
            log_warn("report", "block=%" PRId64 " is not deleted: %s", (int64_t)c->blocks[i]->blockid, why.text);
        }
    }
    task_done(t);
}

static void run_transfer(struct pool_task *task)
{
    struct command_task *t = container_of(task, struct command_task, task);
    const Hdfs__BlockCommandProto *c = t->command->blkcmd;
    size_t i = t->index;
    Hdfs__ExtendedBlockProto block = HDFS__EXTENDED_BLOCK_PROTO__INIT;
    block.poolid = c->blockpoolid;
    block.blockid = c->blocks[i]->blockid;
    block.generationstamp = c->blocks[i]->genstamp;
    struct transfer x = {.block = &block,
                         .client_name = "",
                         .targets = c->targets[i]->datanodes,
                         .target_count = c->targets[i]->n_datanodes};
    if (i < c->n_targetstoragetypes && c->targetstoragetypes[i]->n_storagetypes >= x.target_count)
        x.storage_types = c->targetstoragetypes[i]->storagetypes;
    if (i < c->n_targetstorageuuids && c->targetstorageuuids[i]->n_storageuuids >= x.target_count)
        x.storage_ids = c->targetstorageuuids[i]->storageuuids;
    struct err why;
    if (!is_stopping(t->reporter) && transfer_replica(t->reporter->dn, &x, &t->arena, &why) < 0)
        log_warn("report", "%s", why.text);
    task_done(t);
}

static void run_recovery(struct pool_task *task)
{
    struct command_task *t = container_of(task, struct command_task, task);
    if (!is_stopping(t->reporter))
        recover_block(t->reporter, t->command->recoverycmd->blocks[t->index], &t->arena);
    task_done(t);
}

/* Local readers first: they may rely on it being there. */
static void stop_caching(struct datanode *dn, uint64_t block_id)
{
    shm_registry_unanchor(dn->shm, block_id);
    block_cache_remove(dn->cache, block_id);
}

static void run_cache(struct pool_task *task)
{
    struct command_task *t = container_of(task, struct command_task, task);
    struct block_cache *cache = t->reporter->dn->cache;
    const Hdfs__BlockIdCommandProto *c = t->command->blkidcmd;
    for (size_t i = 0; i < c->n_blockids && !is_stopping(t->reporter); i++) {
        struct err why;
        if (c->action == HDFS__BLOCK_ID_COMMAND_PROTO__ACTION__UNCACHE)
            stop_caching(t->reporter->dn, c->blockids[i]);
        else if (block_cache_add(cache, c->blockids[i], &why) < 0)
            log_warn("report", "not cached: %s", why.text);
    }
    task_done(t);
}

/* ---- which ---- */

static void obey_block_command(struct reporter *r, const Hdfs__DatanodeCommandProto *command)
{
    const Hdfs__BlockCommandProto *c = command->blkcmd;
    if (strcmp(c->blockpoolid, block_store_pool_id(r->dn->store)) != 0) {
        log_warn("report", "command for block pool %s ignored: it is not ours", c->blockpoolid);
        return;
    }
    switch (c->action) {
    case HDFS__BLOCK_COMMAND_PROTO__ACTION__INVALIDATE: submit(r, command, 0, run_invalidate); break;
    case HDFS__BLOCK_COMMAND_PROTO__ACTION__TRANSFER:
        for (size_t i = 0; i < c->n_blocks && i < c->n_targets; i++)
            submit(r, command, i, run_transfer);
        break;
    default: log_warn("report", "block command %d ignored", (int)c->action);
    }
}

void obey(struct reporter *r, const Hdfs__DatanodeCommandProto *c)
{
    switch (c->cmdtype) {
    case HDFS__DATANODE_COMMAND_PROTO__TYPE__BlockCommand:
        if (c->blkcmd)
            obey_block_command(r, c);
        break;
    case HDFS__DATANODE_COMMAND_PROTO__TYPE__BlockRecoveryCommand:
        for (size_t i = 0; c->recoverycmd && i < c->recoverycmd->n_blocks; i++)
            submit(r, c, i, run_recovery);
        break;
    case HDFS__DATANODE_COMMAND_PROTO__TYPE__BlockIdCommand:
        if (c->blkidcmd && !strcmp(c->blkidcmd->blockpoolid, block_store_pool_id(r->dn->store)))
            submit(r, c, 0, run_cache);
        break;
    case HDFS__DATANODE_COMMAND_PROTO__TYPE__RegisterCommand:
        log_info("report", "the namenode asks us to register again");
        reporter_lose_registration(r);
        break;
    case HDFS__DATANODE_COMMAND_PROTO__TYPE__BalancerBandwidthCommand:
        if (c->balancercmd && c->balancercmd->bandwidth > 0 && c->balancercmd->bandwidth <= INT64_MAX)
            atomic_store(&r->dn->balance_bytes_per_second, (int64_t)c->balancercmd->bandwidth);
        break;
    case HDFS__DATANODE_COMMAND_PROTO__TYPE__FinalizeCommand:  /* there is no upgrade to finalize */
    case HDFS__DATANODE_COMMAND_PROTO__TYPE__KeyUpdateCommand: /* block tokens are off */
    case HDFS__DATANODE_COMMAND_PROTO__TYPE__NullDatanodeCommand: break;
    default: log_warn("report", "command of type %d is not supported and ignored", (int)c->cmdtype);
    }
}

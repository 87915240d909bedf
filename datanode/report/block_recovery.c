/* Block recovery as the primary: asks every node that should have the block what it has, decides, has them all cut and
 * finalize their replicas under the new stamp, and tells the namenode which did. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "datanode/report/recovery_choice.h"
#include "datanode/report/reporter_impl.h"

#define INTER_DATANODE_PROTOCOL "org.apache.hadoop.hdfs.server.protocol.InterDatanodeProtocol"
#define NODES_MAX               512
#define PEER_CONNECT_MS         10000
#define PEER_CALL_MS            60000

struct recovery {
    struct reporter *reporter;
    const Hdfs__RecoveringBlockProto *request;
    const Hdfs__LocatedBlockProto *block;
    struct arena *arena;
    size_t count; /* nodes */
    struct recovery_candidate candidates[NODES_MAX];
    struct rpc_client *peers[NODES_MAX]; /* NULL: could not be made */
};

static int ask_replica(struct recovery *v, size_t i, struct err *reterr)
{
    const Hdfs__DatanodeIDProto *id = v->block->locs[i]->id;
    struct net_address address;
    int rc = reporter_peer_address(v->reporter, id, PEER_IPC, &address, reterr);
    if (rc < 0)
        return rc;
    struct rpc_client_options o = {.addresses = &address,
                                   .address_count = 1,
                                   .protocol = INTER_DATANODE_PROTOCOL,
                                   .user = rpc_client_user(v->reporter->rpc),
                                   .connect_timeout_ms = PEER_CONNECT_MS,
                                   .call_timeout_ms = PEER_CALL_MS};
    rc = rpc_client_new(&o, &v->peers[i], reterr);
    if (rc < 0)
        return rc;
    Hdfs__InitReplicaRecoveryRequestProto request = HDFS__INIT_REPLICA_RECOVERY_REQUEST_PROTO__INIT;
    ProtobufCMessage *message;
    request.block = (Hdfs__RecoveringBlockProto *)v->request;
    rc = rpc_client_call(v->peers[i], "initReplicaRecovery", &request.base,
                         &hdfs__init_replica_recovery_response_proto__descriptor, v->arena, &message, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__InitReplicaRecoveryResponseProto *answer = (const Hdfs__InitReplicaRecoveryResponseProto *)message;
    struct recovery_candidate *c = &v->candidates[i];
    c->found = answer->replicafound && answer->block && answer->has_state;
    if (c->found) {
        c->gen_stamp = answer->block->genstamp;
        c->bytes = answer->block->numbytes;
        c->state = (enum replica_state)answer->state;
    }
    return 0;
}

/* ERR_RECOVERY_IN_PROGRESS: a newer recovery runs; this one is over. ERR_IO: nobody could be asked. */
static int ask_all(struct recovery *v, struct err *reterr)
{
    size_t answered = 0;
    struct err why = {0};
    for (size_t i = 0; i < v->count; i++) {
        int rc = ask_replica(v, i, &why);
        if (rc == ERR_RECOVERY_IN_PROGRESS) {
            *reterr = why;
            return rc;
        }
        if (rc < 0)
            log_warn("recovery", "block=%" PRId64 " dn=%s: %s", (int64_t)v->block->b->blockid,
                     v->block->locs[i]->id->ipaddr, why.text);
        answered += rc == 0;
    }
    if (!answered)
        return err_set(reterr, ERR_IO, "none of its %zu datanodes could be asked; the last said: %s", v->count,
                       why.text);
    return 0;
}

static int update_replica(struct recovery *v, size_t i, uint64_t bytes, char **ret_storage_id, struct err *reterr)
{
    Hdfs__UpdateReplicaUnderRecoveryRequestProto request = HDFS__UPDATE_REPLICA_UNDER_RECOVERY_REQUEST_PROTO__INIT;
    Hdfs__ExtendedBlockProto block = HDFS__EXTENDED_BLOCK_PROTO__INIT;
    ProtobufCMessage *message;
    block.poolid = v->block->b->poolid;
    block.blockid = v->block->b->blockid;
    block.generationstamp = v->candidates[i].gen_stamp;
    block.has_numbytes = 1;
    block.numbytes = v->candidates[i].bytes;
    request.block = &block;
    request.recoveryid = v->request->newgenstamp;
    request.newlength = bytes;
    request.has_newblockid = 1;
    request.newblockid = v->request->truncateblock ? v->request->truncateblock->blockid : block.blockid;
    int rc =
        rpc_client_call(v->peers[i], "updateReplicaUnderRecovery", &request.base,
                        &hdfs__update_replica_under_recovery_response_proto__descriptor, v->arena, &message, reterr);
    if (rc == 0)
        *ret_storage_id = ((const Hdfs__UpdateReplicaUnderRecoveryResponseProto *)message)->storageuuid;
    return rc;
}

static int commit(struct recovery *v, const struct recovery_result *result, struct err *reterr)
{
    Hdfs__CommitBlockSynchronizationRequestProto request = HDFS__COMMIT_BLOCK_SYNCHRONIZATION_REQUEST_PROTO__INIT;
    Hdfs__ExtendedBlockProto block = *v->block->b;
    request.newtaragets = arena_array(v->arena, Hdfs__DatanodeIDProto *, v->count + 1);
    request.newtargetstorages = arena_array(v->arena, char *, v->count + 1);
    for (size_t i = 0; i < v->count && !result->delete_block; i++) {
        struct err why;
        char *storage_id = NULL;
        if (!v->candidates[i].takes_part)
            continue;
        if (update_replica(v, i, result->bytes, &storage_id, &why) < 0) {
            log_warn("recovery", "block=%" PRId64 " dn=%s: %s", (int64_t)block.blockid, v->block->locs[i]->id->ipaddr,
                     why.text);
            continue;
        }
        request.newtaragets[request.n_newtaragets++] = v->block->locs[i]->id;
        request.newtargetstorages[request.n_newtargetstorages++] = storage_id ? storage_id : (char *)"";
    }
    if (!result->delete_block && !request.n_newtaragets)
        return err_set(reterr, ERR_IO, "no datanode could finish its replica");
    request.block = &block;
    request.newgenstamp = v->request->newgenstamp;
    request.newlength = result->bytes;
    request.closefile = 1;
    request.deleteblock = result->delete_block;
    return reporter_commit_recovery(v->reporter, &request, reterr);
}

static int recover(struct recovery *v, struct recovery_result *result, struct err *reterr)
{
    int64_t truncate_bytes = -1;
    if (v->request->truncateblock && v->request->truncateblock->numbytes <= INT64_MAX)
        truncate_bytes = (int64_t)v->request->truncateblock->numbytes;
    int rc = ask_all(v, reterr);
    if (rc == 0)
        rc = recovery_choose(v->candidates, v->count, v->block->b->generationstamp, truncate_bytes, result, reterr);
    return rc < 0 ? rc : commit(v, result, reterr);
}

void recover_block(struct reporter *r, const Hdfs__RecoveringBlockProto *request, struct arena *a)
{
    struct recovery *v = arena_new(a, struct recovery);
    struct recovery_result result = {0};
    struct err why;
    v->reporter = r;
    v->request = request;
    v->block = request->block;
    v->arena = a;
    v->count = request->block->n_locs < NODES_MAX ? request->block->n_locs : NODES_MAX;
    int64_t block_id = (int64_t)request->block->b->blockid;
    log_info("recovery", "block=%" PRId64 " begins id=%" PRIu64 " nodes=%zu", block_id, request->newgenstamp, v->count);
    if (recover(v, &result, &why) < 0)
        log_warn("recovery", "block=%" PRId64 " is not recovered, the namenode will ask again: %s", block_id, why.text);
    else
        log_info("recovery", "block=%" PRId64 " recovered bytes=%" PRIu64 "%s", block_id, result.bytes,
                 result.delete_block ? " (nothing was there: deleted)" : "");
    for (size_t i = 0; i < v->count; i++)
        rpc_client_free(v->peers[i]);
}

/* ClientProtocol: writing files. */
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "hdfs/client_namenode.pb-c.h"
#include "namenode/namespace/files_edit.h"
#include "namenode/namespace/leases.h"
#include "namenode/namespace/policy.h"
#include "namenode/namespace/sessions.h"
#include "namenode/serve/client_calls.h"
#include "namenode/serve/erasure.h"
#include "namenode/serve/op.h"
#include "namenode/serve/park.h"
#include "namenode/serve/status.h"

#define NODES_GIVEN_MAX 1024 /* excluded, favoured, of a pipeline: in one call */

static struct block_id_stamp block_of(const Hdfs__ExtendedBlockProto *b)
{
    return (struct block_id_stamp){b->blockid, b->generationstamp, b->numbytes};
}

static int check_client_name(struct op *op, const char *name)
{
    if (*name && strlen(name) <= NAME_KEPT_MAX)
        return 0;
    return err_set(&op->err, ERR_ILLEGAL_ARGUMENT, "the client's name is empty, or longer than %d bytes",
                   NAME_KEPT_MAX);
}

/* How the file's bytes are kept safe: by copies. */
static int check_redundancy(struct op *op, const Hdfs__CreateRequestProto *q)
{
    const char *policy = q->ecpolicyname ? q->ecpolicyname : "";
    if (!*policy)
        return 0;
    if (q->createflag & HDFS__CREATE_FLAG_PROTO__SHOULD_REPLICATE)
        return err_set(&op->err, ERR_HADOOP_ILLEGAL_ARGUMENT,
                       "SHOULD_REPLICATE flag and ecPolicyName are exclusive parameters. Set both is not allowed!");
    return erasure_check_enabled(policy, &op->err);
}

void client_create(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__CreateRequestProto *q = (const void *)message;
    struct file_create_args args = {
        .path = q->src,
        .client_name = q->clientname,
        .client_machine = rpc_call_client_ip(call),
        .mode = (uint16_t)(q->masked->perm & 0777),
        .unmasked = q->unmasked ? (uint16_t)(q->unmasked->perm & 0777) : 0,
        .has_unmasked = q->unmasked != NULL,
        .replication = q->replication,
        .block_bytes = q->blocksize,
        .create = q->createflag & HDFS__CREATE_FLAG_PROTO__CREATE,
        .overwrite = q->createflag & HDFS__CREATE_FLAG_PROTO__OVERWRITE,
        .create_parents = q->createparent,
        .create_folder = q->createfolder,
        .storage_policy = q->createflag & HDFS__CREATE_FLAG_PROTO__LAZY_PERSIST ? "LAZY_PERSIST" : q->storagepolicy,
    };
    struct op op;
    struct inode *n = NULL;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__create_response_proto, Hdfs__CreateResponseProto);
    int rc = op_check_safe_mode(&op, "create file", q->src);
    rc = rc ? rc : check_client_name(&op, q->clientname);
    rc = rc ? rc : check_redundancy(&op, q);
    rc = rc ? rc : file_create(&op.file, &op.user, &args, &n, &op.err);
    if (!rc) {
        op_writer(&op, q->clientname);
        response->fs = status_of(op.arena, n, "");
    }
    op_end(&op, rc, &response->base);
}

void append_answer(struct op *op, struct inode *n, bool new_block, Hdfs__AppendResponseProto *ret)
{
    const char *client_ip = rpc_call_client_ip(op->call);
    const struct file_block *b = inode_last_block(n);
    struct block_location places[BLOCK_LOCATIONS_MAX];
    bool goes_on = b && b->state == BLOCK_UNDER_CONSTRUCTION;
    ret->stat = status_of(op->arena, n, "");
    if (!goes_on && !(b && new_block))
        return;
    size_t count = goes_on ? blocks_locations(op->nn->blocks, b->id, client_ip, places, BLOCK_LOCATIONS_MAX) : 0;
    ret->block =
        status_located_block(op->arena, op->nn, b, inode_length(n) - b->length_bytes, places, count, client_ip);
}

void client_append(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__AppendRequestProto *q = (const void *)message;
    struct op op;
    struct inode *n = NULL;
    struct file_block *b = NULL;
    bool new_block = q->has_flag && (q->flag & HDFS__CREATE_FLAG_PROTO__NEW_BLOCK);
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__append_response_proto, Hdfs__AppendResponseProto);
    int rc = op_check_safe_mode(&op, "append to file", q->src);
    rc = rc ? rc : check_client_name(&op, q->clientname);
    rc = rc ? rc
            : file_append(&op.file, &op.user, q->src, q->clientname, rpc_call_client_ip(call), new_block, &n, &b,
                          &op.err);
    if (!rc) {
        op_writer(&op, q->clientname);
        append_answer(&op, n, new_block, response);
    }
    op_end(&op, rc, &response->base);
}

/* Nodes that a request names, as the uuids we know them by. */
static const char **uuids_of(struct op *op, Hdfs__DatanodeInfoProto **nodes, size_t *count)
{
    const char **uuids = arena_array(op->arena, const char *, *count);
    size_t used = 0;
    for (size_t i = 0; i < *count; i++) {
        const Hdfs__DatanodeIDProto *id = nodes[i]->id;
        const struct datanode_info *d = blocks_datanode_by_uuid(op->nn->blocks, id->datanodeuuid);
        if (!d)
            d = blocks_datanode_by_ip(op->nn->blocks, id->ipaddr, (uint16_t)id->xferport);
        if (d)
            uuids[used++] = d->uuid;
    }
    *count = used;
    return uuids;
}

static int check_node_count(struct op *op, size_t count)
{
    return count <= NODES_GIVEN_MAX ? 0 : err_set(&op->err, ERR_ILLEGAL_ARGUMENT, "%zu nodes in one request", count);
}

void client_add_block(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__AddBlockRequestProto *q = (const void *)message;
    struct op op;
    struct new_block made;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__add_block_response_proto, Hdfs__AddBlockResponseProto);
    int rc = op_check_safe_mode(&op, "add block to", q->src);
    rc = rc ? rc : check_node_count(&op, q->n_excludenodes + q->n_favorednodes);
    rc = rc || !q->previous ? rc : op_check_pool(&op, q->previous->poolid);
    if (!rc) {
        struct file_ref ref = {q->src, q->has_fileid ? q->fileid : 0, q->clientname};
        struct block_id_stamp previous = q->previous ? block_of(q->previous) : (struct block_id_stamp){0};
        struct choose_args choose = {.excluded_count = q->n_excludenodes,
                                     .favored = (const char *const *)q->favorednodes,
                                     .favored_count = q->n_favorednodes};
        choose.excluded = uuids_of(&op, q->excludenodes, &choose.excluded_count);
        for (size_t i = 0; i < q->n_flags; i++) {
            choose.no_local_write |= q->flags[i] == HDFS__ADD_BLOCK_FLAG_PROTO__NO_LOCAL_WRITE;
            choose.no_local_rack |= q->flags[i] == HDFS__ADD_BLOCK_FLAG_PROTO__NO_LOCAL_RACK;
            choose.ignore_locality |= q->flags[i] == HDFS__ADD_BLOCK_FLAG_PROTO__IGNORE_CLIENT_LOCALITY;
        }
        rc = file_add_block(&op.file, &op.user, &ref, q->previous ? &previous : NULL, &choose, &made, &op.err);
    }
    if (!rc) {
        op_writer(&op, q->clientname);
        response->block = status_located_block(op.arena, op.nn, made.block, made.offset, made.targets,
                                               made.target_count, rpc_call_client_ip(call));
    }
    op_end(&op, rc, &response->base);
}

void client_abandon_block(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__AbandonBlockRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__abandon_block_response_proto, Hdfs__AbandonBlockResponseProto);
    struct file_ref ref = {q->src, q->has_fileid ? q->fileid : 0, q->holder};
    int rc = op_check_safe_mode(&op, "abandon block of", q->src);
    rc = rc ? rc : file_abandon_block(&op.file, &op.user, &ref, q->b->blockid, &op.err);
    op_end(&op, rc, &response->base);
}

static void complete_again(struct namenode *nn, struct rpc_call *call, uint64_t inode, const ProtobufCMessage *message,
                           bool is_last, bool *ret_answered)
{
    struct op op;
    struct inode *n = NULL;
    bool closed = false;
    (void)message;
    op_resume(&op, nn, call);
    OP_RESPONSE(&op, hdfs__complete_response_proto, Hdfs__CompleteResponseProto);
    int rc = txn_inode(&op.t, inode, &n, &op.err);
    if (!rc && n->is_open) /* the writer waits for this: it is its own change */
        op.t.session = sessions_of_writer(nn->sessions, n->client_name);
    if (!rc && n->is_open && txn_is_attached(&op.t, n))
        rc = file_try_close(&op.file, n, false, &closed, &op.err);
    if (rc)
        log_warn("files", "inode %llu could not be closed: %s", (unsigned long long)inode, op.err.text);
    response->result = closed;
    *ret_answered = closed || is_last;
    if (*ret_answered)
        op_end_resumed(&op, rc, &response->base);
    else
        txn_end(&op.t);
}

void client_complete(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__CompleteRequestProto *q = (const void *)message;
    struct op op;
    bool closed = false;
    uint64_t inode = 0;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__complete_response_proto, Hdfs__CompleteResponseProto);
    int rc = op_check_safe_mode(&op, "complete file", q->src);
    rc = rc || !q->last ? rc : op_check_pool(&op, q->last->poolid);
    if (!rc) {
        struct file_ref ref = {q->src, q->has_fileid ? q->fileid : 0, q->clientname};
        struct block_id_stamp last = q->last ? block_of(q->last) : (struct block_id_stamp){0};
        rc = file_complete(&op.file, &op.user, &ref, q->last ? &last : NULL, q->writtenns, &closed, &inode, &op.err);
    }
    if (!rc && !closed && park(op.nn, call, inode, message, complete_again, op.file.now_ms + PARK_MS)) {
        op_end_parked(&op);
        return;
    }
    response->result = closed;
    op_end(&op, rc, &response->base);
}

void client_fsync(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__FsyncRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__fsync_response_proto, Hdfs__FsyncResponseProto);
    struct file_ref ref = {q->src, q->has_fileid ? q->fileid : 0, q->client};
    int rc = op_check_safe_mode(&op, "fsync file", q->src);
    rc = rc ? rc : file_fsync(&op.file, &op.user, &ref, q->has_lastblocklength ? q->lastblocklength : -1, &op.err);
    if (!rc)
        op_writer(&op, q->client);
    op_end(&op, rc, &response->base);
}

void client_truncate(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__TruncateRequestProto *q = (const void *)message;
    struct op op;
    bool done = false;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__truncate_response_proto, Hdfs__TruncateResponseProto);
    int rc = op_check_safe_mode(&op, "truncate for", q->src);
    rc = rc ? rc : check_client_name(&op, q->clientname);
    rc = rc ? rc
            : file_truncate(&op.file, &op.user, q->src, q->newlength, q->clientname, rpc_call_client_ip(call), &done,
                            &op.err);
    response->result = done;
    op_end(&op, rc, &response->base);
}

/* ---- pipeline repair ---- */

/* What is in the pipeline already; a node that is unknown by now is left out. */
static size_t existing_places(struct op *op, const Hdfs__GetAdditionalDatanodeRequestProto *q,
                              struct block_location ret[BLOCK_LOCATIONS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < q->n_existings && count < BLOCK_LOCATIONS_MAX; i++) {
        const struct datanode_info *d = blocks_datanode_by_uuid(op->nn->blocks, q->existings[i]->id->datanodeuuid);
        const char *storage = i < q->n_existingstorageuuids ? q->existingstorageuuids[i] : "";
        if (d)
            ret[count++] = (struct block_location){.node = d, .storage_uuid = storage, .storage_type = 1};
    }
    return count;
}

void client_get_additional_datanode(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetAdditionalDatanodeRequestProto *q = (const void *)message;
    struct op op;
    struct inode *n = NULL;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_additional_datanode_response_proto, Hdfs__GetAdditionalDatanodeResponseProto);
    struct file_ref ref = {q->src, q->has_fileid ? q->fileid : 0, q->clientname};
    int rc = op_check_safe_mode(&op, "add datanode", q->src);
    rc = rc ? rc : check_node_count(&op, q->n_excludes + q->n_existings + q->numadditionalnodes);
    rc = rc ? rc : op_check_pool(&op, q->blk->poolid);
    const struct detached_block *detached = rc ? NULL : detached_find(op.nn->detached, q->blk->blockid);
    if (!rc)
        rc = detached ? file_check_detached(&op.file, q->clientname, detached, &n, &op.err)
                      : file_check_lease(&op.file, &op.user, &ref, &n, NULL, &op.err);
    uint8_t policy = POLICY_UNSPECIFIED;
    rc = rc ? rc : inode_policy(&op.t, n, &policy, &op.err);
    if (!rc) {
        struct choose_args choose = {.client_ip = detached ? rpc_call_client_ip(call) : n->client_machine,
                                     .count = q->numadditionalnodes,
                                     .block_bytes = n->block_bytes,
                                     .policy = policy,
                                     .excluded_count = q->n_excludes,
                                     .existing_count = q->n_existings};
        choose.excluded = uuids_of(&op, q->excludes, &choose.excluded_count);
        choose.existing = uuids_of(&op, q->existings, &choose.existing_count);
        struct block_location all[BLOCK_LOCATIONS_MAX];
        size_t count = existing_places(&op, q, all);
        count += blocks_choose_targets(op.nn->blocks, &choose, all + count, BLOCK_LOCATIONS_MAX - count);
        struct file_block b = {q->blk->blockid, q->blk->generationstamp, q->blk->numbytes, BLOCK_UNDER_CONSTRUCTION};
        response->block =
            status_located_block(op.arena, op.nn, &b, STATUS_NO_OFFSET, all, count, rpc_call_client_ip(call));
    }
    op_end_read(&op, rc, &response->base);
}

void client_update_block_for_pipeline(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__UpdateBlockForPipelineRequestProto *q = (const void *)message;
    struct op op;
    struct inode *n = NULL;
    uint64_t stamp = 0;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__update_block_for_pipeline_response_proto, Hdfs__UpdateBlockForPipelineResponseProto);
    int rc = op_check_safe_mode(&op, "get a new generation stamp and an access token for a block", "");
    rc = rc ? rc : op_check_pool(&op, q->block->poolid);
    rc = rc ? rc : file_check_pipeline(&op.file, q->clientname, q->block->blockid, &n, &op.err);
    rc = rc ? rc : file_new_stamp(&op.file, &stamp, &op.err);
    if (!rc) {
        op_writer(&op, q->clientname);
        struct file_block b = {q->block->blockid, stamp, q->block->numbytes, BLOCK_UNDER_CONSTRUCTION};
        response->block = status_located_block(op.arena, op.nn, &b, STATUS_NO_OFFSET, NULL, 0, NULL);
    }
    op_end(&op, rc, &response->base);
}

void client_update_pipeline(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__UpdatePipelineRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__update_pipeline_response_proto, Hdfs__UpdatePipelineResponseProto);
    int rc = op_check_safe_mode(&op, "update pipeline", "");
    rc = rc ? rc : check_node_count(&op, q->n_newnodes);
    rc = rc ? rc : op_check_pool(&op, q->newblock->poolid);
    if (!rc) {
        const char **nodes = arena_array(op.arena, const char *, q->n_newnodes);
        const char **storages = arena_array(op.arena, const char *, q->n_newnodes);
        for (size_t i = 0; i < q->n_newnodes; i++) {
            nodes[i] = q->newnodes[i]->datanodeuuid;
            storages[i] = i < q->n_storageids ? q->storageids[i] : "";
        }
        struct block_id_stamp old_block = block_of(q->oldblock), new_block = block_of(q->newblock);
        rc = file_update_pipeline(&op.file, q->clientname, &old_block, &new_block, nodes, storages, q->n_newnodes,
                                  &op.err);
    }
    op_end(&op, rc, &response->base);
}

void client_report_bad_blocks(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__ReportBadBlocksRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__report_bad_blocks_response_proto, Hdfs__ReportBadBlocksResponseProto);
    for (size_t i = 0; i < q->n_blocks; i++) {
        const Hdfs__LocatedBlockProto *l = q->blocks[i];
        for (size_t j = 0; j < l->n_locs; j++)
            blocks_report_bad(op.nn->blocks, l->b->blockid, l->b->generationstamp, l->locs[j]->id->datanodeuuid,
                              j < l->n_storageids ? l->storageids[j] : "", "client machine reported it",
                              op.file.now_ms);
    }
    op_end_read(&op, 0, &response->base);
}

/* ---- leases ---- */

static const char *list_of(struct op *op, const Hdfs__RenewLeaseRequestProto *q)
{
    const char *text = "[";
    for (size_t i = 0; i < q->n_namespaces && strlen(text) < 200; i++)
        text = arena_printf(op->arena, "%s%s%.100s", text, i ? ", " : "", q->namespaces[i]);
    return arena_printf(op->arena, "%s]", text);
}

void client_renew_lease(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__RenewLeaseRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__renew_lease_response_proto, Hdfs__RenewLeaseResponseProto);
    int rc = check_client_name(&op, q->clientname);
    rc = rc ? rc : op_check_safe_mode(&op, "renew lease for", q->clientname);
    if (!rc && q->n_namespaces) /* they tell a router where to send this call on to */
        rc = err_set(&op.err, ERR_IO, "namespaces(%s) should be null or empty", list_of(&op, q));
    if (!rc)
        op_writer(&op, q->clientname);
    op_end_read(&op, rc, &response->base);
}

void client_recover_lease(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__RecoverLeaseRequestProto *q = (const void *)message;
    struct op op;
    bool closed = false;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__recover_lease_response_proto, Hdfs__RecoverLeaseResponseProto);
    int rc = op_check_safe_mode(&op, "recover the lease of", q->src);
    rc = rc ? rc
            : file_recover_lease(&op.file, &op.user, q->src, q->clientname, rpc_call_client_ip(call), &closed, &op.err);
    response->result = closed;
    op_end(&op, rc, &response->base);
}

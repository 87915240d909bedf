#include "client/lib/write_calls.h"

#include <inttypes.h>
#include <string.h>

#include "client/lib/dfs_convert.h"
#include "client/lib/dfs_internal.h"
#include "common/clock.h"
#include "hdfs/client_namenode.pb-c.h"

#define SMALL_ANSWER_BYTES (1u << 20)
/* Waiting for datanodes to report: short steps first, since ours report at once; about 25 s in all, as Hadoop waits. */
#define WAIT_FIRST_MS    5
#define WAIT_STEP_MAX_MS 2000
#define WAIT_TOTAL_MS    25000

/* ---- opening ---- */

static int answer_of_status(const Hdfs__HdfsFileStatusProto *s, const char *path, struct create_answer *ret,
                            struct err *reterr)
{
    if (!s)
        return err_set(reterr, ERR_PROTOCOL, "%s: the namenode opened the file but does not say which it is", path);
    if (s->ecpolicy || s->fileencryptioninfo)
        return err_set(reterr, ERR_UNSUPPORTED, "%s lies where files are %s, which is not supported", path,
                       s->ecpolicy ? "erasure coded" : "encrypted");
    if (s->blocksize == 0 || s->blocksize > INT64_MAX || s->length > INT64_MAX)
        return err_set(reterr, ERR_PROTOCOL, "%s: length %" PRIu64 ", block size %" PRIu64, path, s->length,
                       s->blocksize);
    *ret = (struct create_answer){
        .path = (char *)path,
        .file_id = s->fileid,
        .length = (int64_t)s->length,
        .block_bytes = (int64_t)s->blocksize,
        .replication = s->block_replication,
    };
    return 0;
}

int call_create(struct dfs *fs, const char *path, const struct file_create *how, struct arena *a,
                struct create_answer *ret, struct err *reterr)
{
    Hdfs__FsPermissionProto permission = HDFS__FS_PERMISSION_PROTO__INIT, unmasked = permission;
    Hdfs__CreateRequestProto request = HDFS__CREATE_REQUEST_PROTO__INIT;
    permission.perm = how->mode;
    request.src = (char *)path;
    request.masked = &permission;
    if (how->unmasked) {
        unmasked.perm = how->unmasked;
        request.unmasked = &unmasked;
    }
    request.clientname = fs->client_name;
    request.createflag = (how->flags ? how->flags : HDFS__CREATE_FLAG_PROTO__CREATE) |
                         (how->overwrite ? HDFS__CREATE_FLAG_PROTO__OVERWRITE : 0);
    request.createparent = how->create_parent;
    request.has_createfolder = request.createfolder = how->create_folder;
    request.replication = how->replication;
    request.blocksize = (uint64_t)how->block_bytes;
    ProtobufCMessage *answer;
    int rc = dfs_path_call(fs, "create", &request.base, &request.src, &hdfs__create_response_proto__descriptor, a,
                           &answer, reterr);
    if (rc < 0)
        return rc;
    rc = answer_of_status(((Hdfs__CreateResponseProto *)answer)->fs, request.src, ret, reterr);
    bool deleted;
    if (rc < 0) /* it was made, and is open for this client, which will not write it */
        (void)!dfs_delete(fs, request.src, false, &deleted, NULL);
    return rc;
}

int call_append(struct dfs *fs, const char *path, bool new_block, struct arena *a, struct create_answer *ret,
                struct err *reterr)
{
    Hdfs__AppendRequestProto request = HDFS__APPEND_REQUEST_PROTO__INIT;
    request.src = (char *)path;
    request.clientname = fs->client_name;
    request.has_flag = 1;
    request.flag = HDFS__CREATE_FLAG_PROTO__APPEND | (new_block ? HDFS__CREATE_FLAG_PROTO__NEW_BLOCK : 0);
    ProtobufCMessage *message;
    int rc = dfs_path_call(fs, "append", &request.base, &request.src, &hdfs__append_response_proto__descriptor, a,
                           &message, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__AppendResponseProto *answer = (Hdfs__AppendResponseProto *)message;
    rc = answer_of_status(answer->stat, request.src, ret, reterr);
    bool closed;
    if (rc < 0) /* ditto */
        (void)!dfs_recover_lease(fs, request.src, &closed, NULL);
    if (rc < 0 || !answer->block)
        return rc;
    ret->has_block = true;
    return convert_block(answer->block, a, &ret->block, reterr);
}

/* ---- blocks ---- */

static Hdfs__DatanodeInfoProto **protos_of_datanodes(const struct dfs_datanode *nodes, size_t count, struct arena *a)
{
    Hdfs__DatanodeInfoProto **out = arena_array(a, Hdfs__DatanodeInfoProto *, count);
    for (size_t i = 0; i < count; i++)
        out[i] = proto_of_datanode(&nodes[i], a);
    return out;
}

/* false: the time is over. */
static bool wait_more(int64_t *step_ms, int64_t *waited_ms)
{
    if (*waited_ms >= WAIT_TOTAL_MS)
        return false;
    clock_sleep_ms(*step_ms);
    *waited_ms += *step_ms;
    *step_ms = *step_ms * 2 < WAIT_STEP_MAX_MS ? *step_ms * 2 : WAIT_STEP_MAX_MS;
    return true;
}

int call_add_block(const struct open_file *f, const struct dfs_block *previous, const struct dfs_datanode *excluded,
                   size_t excluded_count, struct arena *a, struct dfs_block *ret, struct err *reterr)
{
    Hdfs__AddBlockRequestProto request = HDFS__ADD_BLOCK_REQUEST_PROTO__INIT;
    request.src = f->path;
    request.clientname = f->fs->client_name;
    request.has_fileid = 1;
    request.fileid = f->file_id;
    request.previous = previous ? proto_of_block(previous, a) : NULL;
    request.n_excludenodes = excluded_count;
    request.excludenodes = protos_of_datanodes(excluded, excluded_count, a);
    ProtobufCMessage *answer;
    int64_t step_ms = WAIT_FIRST_MS, waited_ms = 0;
    int rc;
    do
        rc =
            dfs_call(f->fs, "addBlock", &request.base, &hdfs__add_block_response_proto__descriptor, a, &answer, reterr);
    while (rc == ERR_NOT_REPLICATED_YET && wait_more(&step_ms, &waited_ms));
    if (rc == 0)
        rc = convert_block(((Hdfs__AddBlockResponseProto *)answer)->block, a, ret, reterr);
    if (rc == 0 && ret->node_count == 0)
        return err_set(reterr, ERR_PROTOCOL, "%s: the namenode gave block %" PRIu64 " without datanodes", f->path,
                       ret->block_id);
    return rc;
}

int call_abandon_block(const struct open_file *f, const struct dfs_block *b, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Hdfs__AbandonBlockRequestProto request = HDFS__ABANDON_BLOCK_REQUEST_PROTO__INIT;
    request.b = proto_of_block(b, &a);
    request.src = f->path;
    request.holder = f->fs->client_name;
    request.has_fileid = 1;
    request.fileid = f->file_id;
    ProtobufCMessage *answer;
    return dfs_call(f->fs, "abandonBlock", &request.base, &hdfs__abandon_block_response_proto__descriptor, &a, &answer,
                    reterr);
}

int call_fsync(const struct open_file *f, int64_t last_block_bytes, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Hdfs__FsyncRequestProto request = HDFS__FSYNC_REQUEST_PROTO__INIT;
    request.src = f->path;
    request.client = f->fs->client_name;
    request.has_lastblocklength = 1;
    request.lastblocklength = last_block_bytes;
    request.has_fileid = 1;
    request.fileid = f->file_id;
    ProtobufCMessage *answer;
    return dfs_call(f->fs, "fsync", &request.base, &hdfs__fsync_response_proto__descriptor, &a, &answer, reterr);
}

int call_complete(const struct open_file *f, const struct dfs_block *last, uint64_t written_ns, struct err *reterr)
{
    int64_t step_ms = WAIT_FIRST_MS, waited_ms = 0;
    do {
        AUTO_ARENA(a, SMALL_ANSWER_BYTES);
        Hdfs__CompleteRequestProto request = HDFS__COMPLETE_REQUEST_PROTO__INIT;
        request.src = f->path;
        request.clientname = f->fs->client_name;
        request.last = last ? proto_of_block(last, &a) : NULL;
        request.has_fileid = 1;
        request.fileid = f->file_id;
        request.has_writtenns = written_ns != 0;
        request.writtenns = written_ns;
        ProtobufCMessage *answer;
        int rc =
            dfs_call(f->fs, "complete", &request.base, &hdfs__complete_response_proto__descriptor, &a, &answer, reterr);
        if (rc < 0)
            return rc;
        if (((Hdfs__CompleteResponseProto *)answer)->result)
            return 0;
    } while (wait_more(&step_ms, &waited_ms));
    return err_set(reterr, ERR_IO, "Unable to close file %s: its last block is not replicated enough after %d s",
                   f->path, WAIT_TOTAL_MS / 1000);
}

/* ---- repairing a pipeline ---- */

int call_renew_lease(struct dfs *fs, struct err *reterr)
{
    Hdfs__RenewLeaseRequestProto request = HDFS__RENEW_LEASE_REQUEST_PROTO__INIT;
    request.clientname = fs->client_name;
    AUTO_ARENA(a, 4096);
    ProtobufCMessage *response;
    return dfs_call(fs, "renewLease", &request.base, &hdfs__renew_lease_response_proto__descriptor, &a, &response,
                    reterr);
}

int call_update_block(const struct open_file *f, const struct dfs_block *b, struct arena *a, uint64_t *ret_gen_stamp,
                      struct dfs_token *ret_token, struct err *reterr)
{
    Hdfs__UpdateBlockForPipelineRequestProto request = HDFS__UPDATE_BLOCK_FOR_PIPELINE_REQUEST_PROTO__INIT;
    request.block = proto_of_block(b, a);
    request.clientname = f->fs->client_name;
    ProtobufCMessage *answer;
    int rc = dfs_call(f->fs, "updateBlockForPipeline", &request.base,
                      &hdfs__update_block_for_pipeline_response_proto__descriptor, a, &answer, reterr);
    if (rc < 0)
        return rc;
    struct dfs_block updated;
    rc = convert_block(((Hdfs__UpdateBlockForPipelineResponseProto *)answer)->block, a, &updated, reterr);
    if (rc < 0)
        return rc;
    *ret_gen_stamp = updated.gen_stamp;
    *ret_token = updated.token;
    return 0;
}

int call_update_pipeline(const struct open_file *f, const struct dfs_block *b, uint64_t gen_stamp, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    struct dfs_block updated = *b;
    updated.gen_stamp = gen_stamp;
    Hdfs__UpdatePipelineRequestProto request = HDFS__UPDATE_PIPELINE_REQUEST_PROTO__INIT;
    request.clientname = f->fs->client_name;
    request.oldblock = proto_of_block(b, &a);
    request.newblock = proto_of_block(&updated, &a);
    request.n_newnodes = request.n_storageids = b->node_count;
    request.newnodes = arena_array(&a, Hdfs__DatanodeIDProto *, b->node_count);
    for (size_t i = 0; i < b->node_count; i++)
        request.newnodes[i] = proto_of_datanode(&b->nodes[i], &a)->id;
    request.storageids = (char **)b->storage_ids;
    ProtobufCMessage *answer;
    return dfs_call(f->fs, "updatePipeline", &request.base, &hdfs__update_pipeline_response_proto__descriptor, &a,
                    &answer, reterr);
}

int call_additional_datanode(const struct open_file *f, const struct dfs_block *b, const struct dfs_datanode *excluded,
                             size_t excluded_count, struct arena *a, struct dfs_block *ret, struct err *reterr)
{
    Hdfs__GetAdditionalDatanodeRequestProto request = HDFS__GET_ADDITIONAL_DATANODE_REQUEST_PROTO__INIT;
    request.src = f->path;
    request.clientname = f->fs->client_name;
    request.has_fileid = 1;
    request.fileid = f->file_id;
    request.blk = proto_of_block(b, a);
    request.n_existings = request.n_existingstorageuuids = b->node_count;
    request.existings = protos_of_datanodes(b->nodes, b->node_count, a);
    request.existingstorageuuids = (char **)b->storage_ids;
    request.n_excludes = excluded_count;
    request.excludes = protos_of_datanodes(excluded, excluded_count, a);
    request.numadditionalnodes = 1;
    ProtobufCMessage *answer;
    int rc = dfs_call(f->fs, "getAdditionalDatanode", &request.base,
                      &hdfs__get_additional_datanode_response_proto__descriptor, a, &answer, reterr);
    return rc < 0 ? rc : convert_block(((Hdfs__GetAdditionalDatanodeResponseProto *)answer)->block, a, ret, reterr);
}

#include "client/lib/pipeline.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/lib/datanode.h"
#include "client/lib/dfs_convert.h"
#include "client/lib/dfs_internal.h"
#include "client/lib/peer_cache.h"
#include "proto/op_header.h"

int pipeline_extra_ms(size_t node_count)
{
    return 5000 * (int)node_count;
}

static void fill_header(Hdfs__ClientOperationHeaderProto *header, Hdfs__BaseHeaderProto *base, struct dfs *fs,
                        const struct dfs_block *b, const struct dfs_token *token, struct arena *a)
{
    hdfs__client_operation_header_proto__init(header);
    hdfs__base_header_proto__init(base);
    base->block = proto_of_block(b, a);
    base->token = proto_of_token(token, a);
    header->baseheader = base;
    header->clientname = fs->client_name;
}

void pipeline_pack(struct dfs *fs, const struct pipeline_request *r, struct buf *to)
{
    AUTO_ARENA(a, 1u << 20);
    const struct dfs_block *b = r->block;
    Hdfs__ClientOperationHeaderProto header;
    Hdfs__BaseHeaderProto base;
    Hdfs__ChecksumProto checksum = HDFS__CHECKSUM_PROTO__INIT;
    Hdfs__OpWriteBlockProto op = HDFS__OP_WRITE_BLOCK_PROTO__INIT;
    fill_header(&header, &base, fs, b, &r->token, &a);
    base.block->numbytes = (uint64_t)r->block_bytes;
    checksum.type = (Hdfs__ChecksumTypeProto)r->type;
    checksum.bytesperchecksum = r->bytes_per_checksum;
    op.header = &header;
    op.stage = (Hdfs__OpWriteBlockProto__BlockConstructionStage)r->stage;
    op.has_storagetype = 1;
    op.storagetype = (Hdfs__StorageTypeProto)b->storage_types[0];
    op.storageid = (char *)b->storage_ids[0];
    size_t targets = b->node_count - 1;
    op.n_targets = op.n_targetstoragetypes = op.n_targetstorageids = op.n_targetpinnings = targets;
    op.targets = arena_array(&a, Hdfs__DatanodeInfoProto *, targets);
    op.targetstoragetypes = arena_array(&a, Hdfs__StorageTypeProto, targets);
    op.targetstorageids = arena_array(&a, char *, targets);
    op.targetpinnings = arena_array(&a, protobuf_c_boolean, targets);
    for (size_t i = 0; i < targets; i++) {
        op.targets[i] = proto_of_datanode(&b->nodes[i + 1], &a);
        op.targetstoragetypes[i] = (Hdfs__StorageTypeProto)b->storage_types[i + 1];
        op.targetstorageids[i] = (char *)b->storage_ids[i + 1];
    }
    op.pipelinesize = (uint32_t)b->node_count;
    op.minbytesrcvd = (uint64_t)b->bytes;
    op.maxbytesrcvd = (uint64_t)r->bytes_sent;
    op.latestgenerationstamp = r->new_gen_stamp;
    op.requestedchecksum = &checksum;
    op.has_reportunasked = op.reportunasked = r->is_unasked;
    op_pack(to, OP_WRITE_BLOCK, &op.base);
}

static size_t index_of_link(const struct dfs_block *b, const char *link)
{
    char name[NET_ADDRESS_MAX];
    for (size_t i = 0; link && *link && i < b->node_count; i++) {
        if (strcmp(datanode_name(&b->nodes[i], name), link) == 0)
            return i;
        /* dfs.datanode.use.datanode.hostname: so it is called there */
        snprintf(name, sizeof name, "%.250s:%u", b->nodes[i].host_name, b->nodes[i].xfer_port);
        if (strcmp(name, link) == 0)
            return i;
    }
    return 0; /* nobody is named: the one we talk to */
}

int pipeline_open(struct dfs *fs, const struct dfs_block *b, bool fresh, int *ret_fd, bool *ret_kept,
                  struct err *reterr)
{
    char first[NET_ADDRESS_MAX];
    const struct dfs_datanode *node = &b->nodes[0];
    int extra_ms = pipeline_extra_ms(b->node_count);
    *ret_fd = fresh ? -1 : peer_cache_take(fs->peers, datanode_name(node, first));
    *ret_kept = *ret_fd >= 0;
    return *ret_kept ? 0 : datanode_connect(fs, node, extra_ms, ret_fd, reterr);
}

int pipeline_begin(struct dfs *fs, const struct pipeline_request *r, bool fresh, int *ret_fd, bool *ret_kept,
                   struct err *reterr)
{
    AUTO(net_closep) int fd = -1;
    AUTO(buf_free) struct buf op = {0};
    int rc = pipeline_open(fs, r->block, fresh, &fd, ret_kept, reterr);
    if (rc == 0 && *ret_kept)
        datanode_set_timeouts(fs, pipeline_extra_ms(r->block->node_count), fd);
    if (rc == 0) {
        pipeline_pack(fs, r, &op);
        rc = net_write_full(fd, op.base, op.len, reterr);
    }
    if (rc == 0) {
        *ret_fd = fd;
        fd = -1;
    }
    return rc;
}

int pipeline_answered(const struct dfs_block *b, const Hdfs__BlockOpResponseProto *answer, bool *ret_keeps,
                      size_t *ret_bad, struct err *reterr)
{
    int rc = datanode_check_answer(answer, reterr);
    *ret_bad = rc < 0 ? index_of_link(b, answer->firstbadlink) : 0;
    *ret_keeps = rc == 0 && answer->keepsconnection;
    return rc;
}

static int connect_once(struct dfs *fs, const struct pipeline_request *r, bool fresh, int *ret_fd, bool *ret_kept,
                        bool *ret_keeps, size_t *ret_bad, struct err *reterr)
{
    AUTO_ARENA(a, OP_MESSAGE_MAX_BYTES * 2);
    AUTO(net_closep) int fd = -1;
    ProtobufCMessage *answer;
    *ret_bad = 0;
    int rc = pipeline_begin(fs, r, fresh, &fd, ret_kept, reterr);
    if (rc == 0)
        rc = delimited_read(fd, &hdfs__block_op_response_proto__descriptor, &a, &answer, reterr);
    if (rc == 0)
        rc = pipeline_answered(r->block, (const Hdfs__BlockOpResponseProto *)answer, ret_keeps, ret_bad, reterr);
    if (rc == 0) {
        *ret_fd = fd;
        fd = -1;
    }
    return rc;
}

int pipeline_connect(struct dfs *fs, const struct pipeline_request *r, int *ret_fd, bool *ret_keeps, size_t *ret_bad,
                     struct err *reterr)
{
    bool kept;
    const struct dfs_block *b = r->block;
    int rc = connect_once(fs, r, false, ret_fd, &kept, ret_keeps, ret_bad, reterr);
    if (rc == ERR_CLOSED && kept)
        rc = connect_once(fs, r, true, ret_fd, &kept, ret_keeps, ret_bad, reterr);
    if (rc < 0) {
        char name[NET_ADDRESS_MAX];
        return err_prefix(reterr, rc, "block %" PRIu64 "_%" PRIu64 ": pipeline of %zu nodes, %s", b->block_id,
                          b->gen_stamp, b->node_count, datanode_name(&b->nodes[*ret_bad], name));
    }
    return 0;
}

void pipeline_keep(struct dfs *fs, const struct dfs_block *b, int *fd)
{
    char first[NET_ADDRESS_MAX];
    peer_cache_put(fs->peers, datanode_name(&b->nodes[0], first), *fd);
    *fd = -1;
}

int pipeline_transfer(struct dfs *fs, const struct dfs_block *b, size_t from, size_t to, struct err *reterr)
{
    AUTO(net_closep) int fd = -1;
    int rc = datanode_connect(fs, &b->nodes[from], pipeline_extra_ms(2), &fd, reterr);
    if (rc < 0)
        return rc;
    /* The copy may be a whole block: the answer takes as long as that does. */
    int timeout_ms = (int)config_ms(fs->config, "dfs.client.socket-timeout");
    net_set_timeouts(fd, 5 * timeout_ms, timeout_ms);
    AUTO_ARENA(a, OP_MESSAGE_MAX_BYTES * 2);
    Hdfs__ClientOperationHeaderProto header;
    Hdfs__BaseHeaderProto base;
    Hdfs__OpTransferBlockProto op = HDFS__OP_TRANSFER_BLOCK_PROTO__INIT;
    fill_header(&header, &base, fs, b, &b->token, &a);
    Hdfs__DatanodeInfoProto *target = proto_of_datanode(&b->nodes[to], &a);
    Hdfs__StorageTypeProto type = (Hdfs__StorageTypeProto)b->storage_types[to];
    op.header = &header;
    op.n_targets = op.n_targetstoragetypes = op.n_targetstorageids = 1;
    op.targets = &target;
    op.targetstoragetypes = &type;
    op.targetstorageids = (char **)&b->storage_ids[to];
    rc = op_write(fd, OP_TRANSFER_BLOCK, &op.base, reterr);
    Hdfs__BlockOpResponseProto *answer;
    return rc < 0 ? rc : datanode_read_answer(fd, &a, &answer, reterr);
}

#include "client/lib/dfs_convert.h"

#include <inttypes.h>
#include <string.h>

#define BLOCK_NODES_MAX 1024 /* twice the largest replication there is */

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

static const char *text_of_bytes(ProtobufCBinaryData bytes, struct arena *a)
{
    return arena_strndup(a, (const char *)bytes.data, bytes.len);
}

int convert_status(const Hdfs__HdfsFileStatusProto *from, struct arena *a, struct dfs_status *ret, struct err *reterr)
{
    if (from->length > INT64_MAX || from->blocksize > INT64_MAX)
        return err_set(reterr, ERR_PROTOCOL, "file status with a negative length");
    *ret = (struct dfs_status){
        .type = from->filetype == HDFS__HDFS_FILE_STATUS_PROTO__FILE_TYPE__IS_DIR       ? DFS_DIR
                : from->filetype == HDFS__HDFS_FILE_STATUS_PROTO__FILE_TYPE__IS_SYMLINK ? DFS_SYMLINK
                                                                                        : DFS_FILE,
        .name = text_of_bytes(from->path, a),
        .length = (int64_t)from->length,
        .mode = from->permission->perm & 01777,
        .owner = from->owner,
        .group = from->group,
        .mtime_ms = (int64_t)from->modification_time,
        .atime_ms = (int64_t)from->access_time,
        .block_bytes = (int64_t)from->blocksize,
        .replication = from->block_replication,
        .file_id = from->fileid,
        .children = from->childrennum,
        .symlink = from->has_symlink ? text_of_bytes(from->symlink, a) : NULL,
        .storage_policy = from->storagepolicy,
        .flags = from->flags,
        .nlink = from->nlink,
        .mtime_ns = from->mtime_ns,
        .atime_ns = from->atime_ns,
        .ctime_ns = from->ctime_ns,
    };
    if (!from->locations)
        return 0;
    ret->blocks = arena_new(a, struct dfs_blocks);
    return convert_blocks(from->locations, a, ret->blocks, reterr);
}

void convert_datanode(const Hdfs__DatanodeInfoProto *from, struct dfs_datanode *ret)
{
    const Hdfs__DatanodeIDProto *id = from->id;
    *ret = (struct dfs_datanode){
        .ip = id->ipaddr,
        .host_name = id->hostname,
        .uuid = id->datanodeuuid,
        .rack = text_or_empty(from->location),
        .upgrade_domain = from->upgradedomain,
        .xfer_port = (uint16_t)id->xferport,
        .info_port = (uint16_t)id->infoport,
        .ipc_port = (uint16_t)id->ipcport,
        .capacity = (int64_t)from->capacity,
        .used = (int64_t)from->dfsused,
        .remaining = (int64_t)from->remaining,
        .block_pool_used = (int64_t)from->blockpoolused,
        .last_update_ms = (int64_t)from->lastupdate,
        .num_blocks = from->numblocks,
        .cache_capacity = (int64_t)from->cachecapacity,
        .cache_used = (int64_t)from->cacheused,
        .last_block_report_ms = (int64_t)from->lastblockreporttime,
        .xceiver_count = from->xceivercount,
        .admin_state = (int)from->adminstate,
    };
    int64_t rest = ret->capacity - ret->used - ret->remaining;
    ret->non_dfs_used = from->has_nondfsused ? (int64_t)from->nondfsused : rest > 0 ? rest : 0;
}

int convert_block(const Hdfs__LocatedBlockProto *from, struct arena *a, struct dfs_block *ret, struct err *reterr)
{
    const Hdfs__ExtendedBlockProto *b = from->b;
    size_t count = from->n_locs;
    if (b->numbytes > INT64_MAX || count > BLOCK_NODES_MAX || (from->n_storageids && from->n_storageids != count) ||
        (from->n_storagetypes && from->n_storagetypes != count))
        return err_set(reterr, ERR_PROTOCOL,
                       "block %" PRIu64 " of %" PRIu64 " bytes: %zu nodes, %zu storage ids, %zu storage types",
                       b->blockid, b->numbytes, count, from->n_storageids, from->n_storagetypes);
    if (from->has_blockindices)
        return err_set(reterr, ERR_UNSUPPORTED, "block %" PRIu64 " is erasure coded; only replicated files can be read",
                       b->blockid);
    const Hdfs__TokenProto *t = from->blocktoken;
    *ret = (struct dfs_block){
        .block_id = b->blockid,
        .gen_stamp = b->generationstamp,
        .pool_id = b->poolid,
        .offset = (int64_t)from->offset,
        .bytes = (int64_t)b->numbytes,
        .corrupt = from->corrupt,
        .nodes = arena_array(a, struct dfs_datanode, count),
        .storage_ids = arena_array(a, const char *, count),
        .storage_types = arena_array(a, int, count),
        .node_count = count,
        .token = {{t->identifier.data, t->identifier.len}, {t->password.data, t->password.len}, t->kind, t->service},
    };
    for (size_t i = 0; i < count; i++) {
        convert_datanode(from->locs[i], &ret->nodes[i]);
        ret->storage_ids[i] = from->n_storageids ? from->storageids[i] : "";
        ret->storage_types[i] = from->n_storagetypes ? (int)from->storagetypes[i] : HDFS__STORAGE_TYPE_PROTO__DISK;
    }
    return 0;
}

int convert_blocks(const Hdfs__LocatedBlocksProto *from, struct arena *a, struct dfs_blocks *ret, struct err *reterr)
{
    if (from->filelength > INT64_MAX)
        return err_set(reterr, ERR_PROTOCOL, "file of %" PRIu64 " bytes", from->filelength);
    struct dfs_blocks out = {
        .file_length = (int64_t)from->filelength,
        .blocks = arena_array(a, struct dfs_block, from->n_blocks),
        .count = from->n_blocks,
        .under_construction = from->underconstruction,
        .last_complete = from->islastblockcomplete,
    };
    int64_t end = 0;
    for (size_t i = 0; i < out.count; i++) {
        int rc = convert_block(from->blocks[i], a, &out.blocks[i], reterr);
        if (rc < 0)
            return rc;
        struct dfs_block *b = &out.blocks[i];
        if (b->offset < end || b->bytes > INT64_MAX - b->offset)
            return err_set(reterr, ERR_PROTOCOL, "block %" PRIu64 " at file offset %" PRId64 ": blocks overlap",
                           b->block_id, b->offset);
        end = b->offset + b->bytes;
        /* A file in a snapshot may share its last block with one that has grown since. */
        if (out.last_complete && end > out.file_length)
            b->bytes = b->offset < out.file_length ? out.file_length - b->offset : 0;
    }
    if (from->lastblock) {
        out.last = arena_new(a, struct dfs_block);
        int rc = convert_block(from->lastblock, a, out.last, reterr);
        if (rc < 0)
            return rc;
    }
    *ret = out;
    return 0;
}

void copy_datanode(const struct dfs_datanode *from, struct arena *a, struct dfs_datanode *ret)
{
    *ret = *from;
    ret->ip = arena_strdup(a, from->ip);
    ret->host_name = arena_strdup(a, from->host_name);
    ret->uuid = arena_strdup(a, from->uuid);
    ret->rack = arena_strdup(a, from->rack);
    ret->upgrade_domain = from->upgrade_domain ? arena_strdup(a, from->upgrade_domain) : NULL;
}

static struct slice copy_slice(struct slice s, struct arena *a)
{
    return s.len ? (struct slice){arena_memdup(a, s.base, s.len), s.len} : (struct slice){0};
}

void copy_block(const struct dfs_block *from, struct arena *a, struct dfs_block *ret)
{
    *ret = *from;
    ret->pool_id = arena_strdup(a, from->pool_id);
    ret->nodes = arena_array(a, struct dfs_datanode, from->node_count);
    ret->storage_ids = arena_array(a, const char *, from->node_count);
    ret->storage_types = arena_array(a, int, from->node_count);
    for (size_t i = 0; i < from->node_count; i++) {
        copy_datanode(&from->nodes[i], a, &ret->nodes[i]);
        ret->storage_ids[i] = arena_strdup(a, from->storage_ids[i]);
        ret->storage_types[i] = from->storage_types[i];
    }
    ret->token = (struct dfs_token){copy_slice(from->token.identifier, a), copy_slice(from->token.password, a),
                                    arena_strdup(a, from->token.kind), arena_strdup(a, from->token.service)};
}

Hdfs__ExtendedBlockProto *proto_of_block(const struct dfs_block *b, struct arena *a)
{
    Hdfs__ExtendedBlockProto *to = arena_alloc(a, sizeof *to);
    hdfs__extended_block_proto__init(to);
    to->poolid = (char *)b->pool_id;
    to->blockid = b->block_id;
    to->generationstamp = b->gen_stamp;
    to->has_numbytes = 1;
    to->numbytes = (uint64_t)b->bytes;
    return to;
}

Hdfs__TokenProto *proto_of_token(const struct dfs_token *t, struct arena *a)
{
    Hdfs__TokenProto *to = arena_alloc(a, sizeof *to);
    hdfs__token_proto__init(to);
    to->identifier = (ProtobufCBinaryData){t->identifier.len, (uint8_t *)t->identifier.base};
    to->password = (ProtobufCBinaryData){t->password.len, (uint8_t *)t->password.base};
    to->kind = (char *)text_or_empty(t->kind);
    to->service = (char *)text_or_empty(t->service);
    return to;
}

Hdfs__DatanodeInfoProto *proto_of_datanode(const struct dfs_datanode *d, struct arena *a)
{
    Hdfs__DatanodeInfoProto *to = arena_alloc(a, sizeof *to);
    hdfs__datanode_info_proto__init(to);
    to->id = arena_alloc(a, sizeof *to->id);
    hdfs__datanode_idproto__init(to->id);
    to->id->ipaddr = (char *)d->ip;
    to->id->hostname = (char *)d->host_name;
    to->id->datanodeuuid = (char *)d->uuid;
    to->id->xferport = d->xfer_port;
    to->id->infoport = d->info_port;
    to->id->ipcport = d->ipc_port;
    to->location = (char *)d->rack;
    to->has_capacity = to->has_dfsused = to->has_remaining = to->has_blockpoolused = 1;
    to->capacity = (uint64_t)d->capacity;
    to->dfsused = (uint64_t)d->used;
    to->remaining = (uint64_t)d->remaining;
    to->blockpoolused = (uint64_t)d->block_pool_used;
    to->has_adminstate = 1;
    to->adminstate = (Hdfs__DatanodeInfoProto__AdminState)d->admin_state;
    return to;
}

Hdfs__LocatedBlockProto *proto_of_located_block(const struct dfs_block *b, const struct dfs_datanode *node,
                                                const char *storage_id, struct arena *a)
{
    Hdfs__LocatedBlockProto *to = arena_alloc(a, sizeof *to);
    hdfs__located_block_proto__init(to);
    to->b = proto_of_block(b, a);
    to->offset = (uint64_t)b->offset;
    to->blocktoken = proto_of_token(&(struct dfs_token){0}, a);
    to->n_locs = 1;
    to->locs = arena_array(a, Hdfs__DatanodeInfoProto *, 1);
    to->locs[0] = proto_of_datanode(node, a);
    to->n_storageids = 1;
    to->storageids = arena_array(a, char *, 1);
    to->storageids[0] = (char *)storage_id;
    to->n_storagetypes = 1;
    to->storagetypes = arena_array(a, Hdfs__StorageTypeProto, 1);
    to->storagetypes[0] = HDFS__STORAGE_TYPE_PROTO__DISK;
    return to;
}

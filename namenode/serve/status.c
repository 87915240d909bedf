#include "namenode/serve/status.h"

#include <string.h>

#include "common/clock.h"
#include "namenode/namespace/history.h"
#include "namenode/serve/datanode_view.h"
#include "namenode/serve/location_hosts.h"

#define NEW(a, prefix, Type, name)                                                                                     \
    Type *name = arena_new((a), Type);                                                                                 \
    prefix##__init(name)

static ProtobufCBinaryData bytes_of(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

static char *borrowed(const char *text)
{
    return (char *)(uintptr_t)(text ? text : "");
}

Hdfs__HdfsFileStatusProto *status_of(struct arena *a, const struct inode *n, const char *local_name)
{
    NEW(a, hdfs__hdfs_file_status_proto, Hdfs__HdfsFileStatusProto, s);
    NEW(a, hdfs__fs_permission_proto, Hdfs__FsPermissionProto, permission);
    permission->perm = n->mode & 01777;
    s->filetype = (Hdfs__HdfsFileStatusProto__FileType)(inode_is_special(n) ? INODE_FILE : n->type); /* same numbers */
    s->path = bytes_of(local_name);
    s->length = inode_is_file(n) ? inode_length(n) : 0;
    s->permission = permission;
    s->owner = borrowed(n->owner);
    s->group = borrowed(n->group);
    s->modification_time = n->mtime_ns / 1000000;
    s->access_time = n->atime_ns / 1000000;
    s->has_fileid = s->has_childrennum = s->has_flags = s->has_block_replication = s->has_blocksize =
        s->has_storagepolicy = 1;
    s->fileid = n->as_of == AS_OF_LIST ? 0 : n->id;
    s->childrennum = inode_is_dir(n) && n->as_of != AS_OF_LIST ? (int32_t)n->child_count : 0;
    s->block_replication = n->replication;
    s->blocksize = n->block_bytes;
    if (n->type == INODE_SYMLINK) {
        s->has_symlink = 1;
        s->symlink = bytes_of(n->target);
    }
    s->storagepolicy = n->storage_policy;
    s->flags = n->acl_count ? HDFS__HDFS_FILE_STATUS_PROTO__FLAGS__HAS_ACL : 0;
    if (!n->as_of && (n->is_snapshottable || n->id == INODE_ROOT))
        s->flags |= HDFS__HDFS_FILE_STATUS_PROTO__FLAGS__SNAPSHOT_ENABLED;
    s->has_nlink = s->has_ctime_ns = s->has_mtime_ns = s->has_atime_ns = s->has_posix_type = 1;
    s->nlink = inode_nlink(n);
    s->ctime_ns = n->ctime_ns;
    s->mtime_ns = n->mtime_ns;
    s->atime_ns = n->atime_ns ? n->atime_ns : n->mtime_ns; /* of a directory that none was given */
    s->posix_type = inode_format(n->type);
    s->has_rdev = n->rdev != 0;
    s->rdev = (uint32_t)n->rdev;
    return s;
}

Hdfs__DatanodeInfoProto *status_datanode(struct arena *a, const struct datanode_info *d, const char *client_ip)
{
    NEW(a, hdfs__datanode_info_proto, Hdfs__DatanodeInfoProto, info);
    int64_t wall_less_mono = clock_wall_ms() - clock_mono_ms();
    info->id = datanode_id_for(d, client_ip, a);
    info->has_capacity = info->has_dfsused = info->has_remaining = info->has_blockpoolused = info->has_lastupdate = 1;
    info->has_xceivercount = info->has_nondfsused = info->has_adminstate = info->has_cachecapacity =
        info->has_cacheused = 1;
    info->has_lastupdatemonotonic = info->has_numblocks = 1;
    info->capacity = d->capacity_bytes;
    info->dfsused = d->used_bytes;
    info->nondfsused = d->non_dfs_used_bytes;
    info->remaining = d->remaining_bytes;
    info->blockpoolused = d->pool_used_bytes;
    info->cachecapacity = d->cache_capacity_bytes;
    info->cacheused = d->cache_used_bytes;
    info->lastupdate = d->last_heartbeat_ms ? (uint64_t)(wall_less_mono + (int64_t)d->last_heartbeat_ms) : 0;
    info->lastupdatemonotonic = d->last_heartbeat_ms;
    info->has_lastblockreporttime = info->has_lastblockreportmonotonic = d->last_report_ms != 0;
    info->lastblockreporttime = (uint64_t)(wall_less_mono + (int64_t)d->last_report_ms);
    info->lastblockreportmonotonic = d->last_report_ms;
    info->xceivercount = d->xceivers;
    info->numblocks = d->block_count;
    info->location = borrowed(d->rack);
    info->upgradedomain = (char *)(uintptr_t)d->upgrade_domain; /* NULL: it has none */
    info->adminstate = (Hdfs__DatanodeInfoProto__AdminState)d->admin;
    return info;
}

Hdfs__ExtendedBlockProto *status_extended_block(struct arena *a, const struct namenode *nn, uint64_t id, uint64_t stamp,
                                                uint64_t bytes)
{
    NEW(a, hdfs__extended_block_proto, Hdfs__ExtendedBlockProto, b);
    b->poolid = borrowed(nn->ids.block_pool_id);
    b->blockid = id;
    b->generationstamp = stamp;
    b->has_numbytes = 1;
    b->numbytes = bytes;
    return b;
}

static Hdfs__TokenProto *no_token(struct arena *a)
{
    NEW(a, hdfs__token_proto, Hdfs__TokenProto, token);
    token->kind = token->service = borrowed("");
    return token;
}

Hdfs__LocatedBlockProto *status_located_block(struct arena *a, const struct namenode *nn, const struct file_block *b,
                                              uint64_t offset, const struct block_location *locations, size_t count,
                                              const char *client_ip)
{
    NEW(a, hdfs__located_block_proto, Hdfs__LocatedBlockProto, l);
    l->b = status_extended_block(a, nn, b->id, b->stamp, b->length_bytes);
    l->offset = offset;
    l->blocktoken = no_token(a);
    l->n_locs = l->n_iscached = l->n_storagetypes = l->n_storageids = count;
    l->locs = arena_array(a, Hdfs__DatanodeInfoProto *, count);
    l->iscached = arena_array(a, protobuf_c_boolean, count);
    l->storagetypes = arena_array(a, Hdfs__StorageTypeProto, count);
    l->storageids = arena_array(a, char *, count);
    l->corrupt = count > 0;
    for (size_t i = 0; i < count; i++) {
        l->locs[i] = status_datanode(a, locations[i].node, client_ip);
        l->storagetypes[i] = (Hdfs__StorageTypeProto)(locations[i].storage_type ? locations[i].storage_type : 1);
        l->storageids[i] = borrowed(locations[i].storage_uuid);
        l->corrupt = l->corrupt && locations[i].corrupt;
        l->iscached[i] = locations[i].cached;
    }
    return l;
}

/* Who asks for the blocks of a file, and where its holes are for him: looked up with the first one. They seem to have
 * as many replicas as other blocks, which `setrep -w` counts. */
struct looker {
    const char *client_ip;
    bool knows_zeros;
    size_t zero_count;
    struct block_location zeros[BLOCK_LOCATIONS_MAX];
};

static Hdfs__LocatedBlockProto *locate(struct arena *a, const struct namenode *nn, const struct file_block *b,
                                       uint64_t offset, struct looker *who)
{
    struct block_location found[BLOCK_LOCATIONS_MAX];
    const struct block_location *locations = found;
    size_t count;
    if (file_block_is_hole(b)) {
        if (!who->knows_zeros)
            who->zero_count = blocks_anywhere(nn->blocks, who->client_ip, who->zeros, who->zero_count);
        who->knows_zeros = true;
        locations = who->zeros;
        count = who->zero_count;
    } else {
        count = blocks_locations(nn->blocks, b->id, who->client_ip, found, BLOCK_LOCATIONS_MAX);
    }
    Hdfs__LocatedBlockProto *l = status_located_block(a, nn, b, offset, locations, count, who->client_ip);
    location_hosts_name(a, l, nn->location_hosts);
    return l;
}

Hdfs__LocatedBlocksProto *status_located_blocks(struct arena *a, const struct namenode *nn, const struct inode *n,
                                                uint64_t offset, uint64_t length, const char *client_ip)
{
    NEW(a, hdfs__located_blocks_proto, Hdfs__LocatedBlocksProto, all);
    const struct file_block *last = inode_last_block(n);
    struct looker who;
    who.client_ip = client_ip;
    who.knows_zeros = false;
    who.zero_count = n->replication < BLOCK_LOCATIONS_MAX ? n->replication : BLOCK_LOCATIONS_MAX;
    uint64_t total = inode_length(n), end = length > UINT64_MAX - offset ? UINT64_MAX : offset + length, at = 0;
    all->underconstruction = n->is_open;
    if (!last)
        return all;
    all->islastblockcomplete = last->state == BLOCK_COMPLETE;
    /* Readers ask a datanode for the length of a last block that is not complete, and add it. */
    all->filelength = all->islastblockcomplete ? total : total - last->length_bytes;
    all->blocks = arena_array(a, Hdfs__LocatedBlockProto *, n->block_count);
    for (size_t i = 0; i < n->block_count && at < end; at += n->blocks[i++].length_bytes) {
        const struct file_block *b = &n->blocks[i];
        bool is_growing = b == last && b->state == BLOCK_UNDER_CONSTRUCTION;
        if (at + b->length_bytes > offset || (is_growing && at <= offset && length))
            all->blocks[all->n_blocks++] = locate(a, nn, b, at, &who);
    }
    bool has_last = all->n_blocks && all->blocks[all->n_blocks - 1]->offset == total - last->length_bytes;
    all->lastblock = has_last ? all->blocks[all->n_blocks - 1] : locate(a, nn, last, total - last->length_bytes, &who);
    return all;
}

#include "namenode/serve/reserved.h"

#include <string.h>

#include "namenode/namespace/txn.h"

struct inode *reserved_folder(struct arena *a)
{
    struct inode *n = arena_new(a, struct inode);
    n->type = INODE_DIRECTORY;
    n->name = n->owner = n->group = "";
    n->mode = 01770;
    return n;
}

static Hdfs__HdfsFileStatusProto *directory(struct arena *a, const char *name, uint32_t mode, const char *group,
                                            uint64_t time_ms)
{
    Hdfs__HdfsFileStatusProto *s = arena_new(a, Hdfs__HdfsFileStatusProto);
    hdfs__hdfs_file_status_proto__init(s);
    s->permission = arena_new(a, Hdfs__FsPermissionProto);
    hdfs__fs_permission_proto__init(s->permission);
    s->permission->perm = mode;
    s->filetype = HDFS__HDFS_FILE_STATUS_PROTO__FILE_TYPE__IS_DIR;
    s->path = (ProtobufCBinaryData){strlen(name), (uint8_t *)(uintptr_t)name};
    s->owner = (char *)(uintptr_t) "";
    s->group = (char *)(uintptr_t)group;
    s->has_childrennum = 1;
    s->childrennum = 0; /* the default is -1: unknown */
    s->modification_time = s->access_time = time_ms;
    return s;
}

Hdfs__DirectoryListingProto *reserved_listing(struct arena *a, const struct namenode *nn)
{
    Hdfs__DirectoryListingProto *listing = arena_new(a, Hdfs__DirectoryListingProto);
    hdfs__directory_listing_proto__init(listing);
    listing->n_partiallisting = 2;
    listing->partiallisting = arena_array(a, Hdfs__HdfsFileStatusProto *, 2);
    listing->partiallisting[0] = directory(a, ".inodes", 0770, nn->dir->supergroup, nn->ids.created_ms);
    listing->partiallisting[1] = directory(a, "raw", 0770, nn->dir->supergroup, nn->ids.created_ms);
    return listing;
}

/* Names and attributes by inode number. */
#include <string.h>

#include "client/lib/dfs_convert.h"
#include "client/lib/posix_internal.h"

#define SMALL_ANSWER_BYTES (64u << 10)

static ProtobufCBinaryData bytes_of(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

static char *borrowed(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void entries_of(Cairn__EntryProto *const *from, size_t count, struct arena *a, struct posix_page *ret)
{
    ret->count = count;
    ret->entries = arena_array(a, struct posix_entry, count);
    for (size_t i = 0; i < count; i++) {
        ret->entries[i].name = arena_strndup(a, (const char *)from[i]->name.data, from[i]->name.len);
        posix_attr_of(from[i]->attr, a, &ret->entries[i].attr);
    }
}

int posix_lookup_ahead(struct dfs *fs, uint64_t parent, const char *name, uint32_t ahead, struct arena *a,
                       struct posix_attr *ret, struct posix_page *ret_next, struct err *reterr)
{
    Cairn__LookupRequestProto request = CAIRN__LOOKUP_REQUEST_PROTO__INIT;
    request.parent = parent;
    request.name = bytes_of(name);
    request.has_ahead = ahead > 0;
    request.ahead = ahead;
    ProtobufCMessage *message;
    int rc = posix_call(fs, "lookup", &request.base, &cairn__lookup_response_proto__descriptor, a, &message, reterr);
    if (rc < 0)
        return rc;
    const Cairn__LookupResponseProto *answer = (const void *)message;
    posix_attr_of(answer->attr, a, ret);
    if (ret_next) {
        *ret_next = (struct posix_page){.more = !answer->has_more || answer->more};
        entries_of(answer->next, answer->n_next, a, ret_next);
    }
    return 0;
}

int posix_lookup(struct dfs *fs, uint64_t parent, const char *name, struct arena *a, struct posix_attr *ret,
                 struct err *reterr)
{
    return posix_lookup_ahead(fs, parent, name, 0, a, ret, NULL, reterr);
}

int posix_getattr(struct dfs *fs, uint64_t id, struct arena *a, struct posix_attr *ret, struct err *reterr)
{
    return posix_open(fs, 0, id, NULL, a, ret, reterr);
}

int posix_open(struct dfs *fs, uint64_t session, uint64_t id, const struct posix_handles *handles, struct arena *a,
               struct posix_attr *ret, struct err *reterr)
{
    Cairn__GetAttrRequestProto request = CAIRN__GET_ATTR_REQUEST_PROTO__INIT;
    request.id = id;
    request.has_session = session != 0;
    request.session = session;
    request.handles = posix_handles_proto(handles, a);
    ProtobufCMessage *answer;
    int rc = posix_call(fs, "getAttr", &request.base, &cairn__get_attr_response_proto__descriptor, a, &answer, reterr);
    if (rc == 0)
        posix_attr_of(((const Cairn__GetAttrResponseProto *)answer)->attr, a, ret);
    return rc;
}

static struct posix_quota quota_of(const Cairn__QuotaLeftProto *q)
{
    return q ? (struct posix_quota){(int64_t)q->quota, (int64_t)q->used, (int64_t)q->left}
             : (struct posix_quota){-1, -1, -1};
}

int posix_statfs(struct dfs *fs, uint64_t id, struct posix_room *ret, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Cairn__StatFsRequestProto request = CAIRN__STAT_FS_REQUEST_PROTO__INIT;
    request.id = id;
    ProtobufCMessage *message;
    int rc = posix_call(fs, "statFs", &request.base, &cairn__stat_fs_response_proto__descriptor, &a, &message, reterr);
    if (rc == ERR_NO_SUCH_METHOD) {
        struct dfs_stats stats;
        rc = dfs_statfs(fs, &stats, reterr);
        *ret = (struct posix_room){stats.capacity, stats.remaining, quota_of(NULL), quota_of(NULL)};
        return rc;
    }
    if (rc < 0)
        return rc;
    const Cairn__StatFsResponseProto *answer = (const void *)message;
    *ret = (struct posix_room){(int64_t)answer->capacity, (int64_t)answer->remaining, quota_of(answer->space),
                               quota_of(answer->names)};
    return 0;
}

void posix_set_proto(uint64_t id, const struct posix_set *set, Cairn__SetAttrRequestProto *ret)
{
    cairn__set_attr_request_proto__init(ret);
    ret->id = id;
    ret->has_mode = (set->what & POSIX_SET_MODE) != 0;
    ret->mode = set->mode;
    ret->owner = set->what & POSIX_SET_OWNER ? borrowed(set->owner) : NULL;
    ret->group = set->what & POSIX_SET_GROUP ? borrowed(set->group) : NULL;
    ret->has_atime_ns = (set->what & POSIX_SET_ATIME) != 0;
    ret->atime_ns = set->atime_ns;
    ret->has_mtime_ns = (set->what & POSIX_SET_MTIME) != 0;
    ret->mtime_ns = set->mtime_ns;
    ret->has_is_read = ret->is_read = (set->what & POSIX_SET_READ) != 0;
    ret->has_atime_now = ret->atime_now = (set->what & (POSIX_SET_ATIME_NOW | POSIX_SET_READ)) != 0;
    ret->has_mtime_now = ret->mtime_now = (set->what & POSIX_SET_MTIME_NOW) != 0;
}

int posix_setattr(struct dfs *fs, uint64_t session, uint64_t id, const struct posix_set *set, struct arena *a,
                  struct posix_attr *ret, struct err *reterr)
{
    Cairn__SetAttrRequestProto request;
    posix_set_proto(id, set, &request);
    request.has_session = session != 0;
    request.session = session;
    ProtobufCMessage *answer;
    int rc = posix_call(fs, "setAttr", &request.base, &cairn__set_attr_response_proto__descriptor, a, &answer, reterr);
    if (rc == 0)
        posix_attr_of(((const Cairn__SetAttrResponseProto *)answer)->attr, a, ret);
    return rc;
}

/* What this client asks for when nothing is said; 0: the namenode's default. */
static void defaults(struct dfs *fs, Cairn__MakeNodeRequestProto *request)
{
    const struct config *c = dfs_config(fs);
    if (!request->replication && config_is_set(c, "dfs.replication"))
        request->replication = (uint32_t)config_int(c, "dfs.replication");
    if (!request->block_bytes && config_is_set(c, "dfs.blocksize"))
        request->block_bytes = (uint64_t)config_size(c, "dfs.blocksize");
    request->has_replication = request->replication != 0;
    request->has_block_bytes = request->block_bytes != 0;
}

int posix_make(struct dfs *fs, uint64_t session, const struct posix_make *how, struct arena *a, struct posix_attr *ret,
               bool *ret_made, struct err *reterr)
{
    Cairn__MakeNodeRequestProto request = CAIRN__MAKE_NODE_REQUEST_PROTO__INIT;
    request.parent = how->parent;
    request.name = bytes_of(how->name);
    request.mode = how->mode;
    request.has_umask = 1;
    request.umask = how->umask;
    request.owner = borrowed(how->owner);
    request.group = borrowed(how->group);
    request.has_rdev = how->rdev != 0;
    request.rdev = how->rdev;
    request.has_target = how->target != NULL;
    if (how->target)
        request.target = bytes_of(how->target);
    request.client_name = how->open_for_writing ? borrowed(dfs_client_name(fs)) : NULL;
    request.replication = how->replication;
    request.block_bytes = how->block_bytes;
    defaults(fs, &request);
    request.has_exclusive = 1;
    request.exclusive = !how->existing_is_fine;
    request.has_unnamed = request.unnamed = how->is_unnamed;
    request.has_session = session != 0;
    request.session = session;
    request.has_block_length = how->ret_block != NULL;
    request.block_length = how->block_room;
    request.block_client = how->ret_block ? borrowed(dfs_client_name(fs)) : NULL;
    request.drop_block_id = (uint64_t *)(uintptr_t)how->dropped;
    request.n_drop_block_id = how->dropped_count;
    request.handles = posix_handles_proto(how->handles, a);
    ProtobufCMessage *message;
    int rc = posix_call_as(fs, how->call_id, "makeNode", &request.base, &cairn__make_node_response_proto__descriptor, a,
                           &message, reterr);
    if (rc < 0)
        return rc;
    const Cairn__MakeNodeResponseProto *answer = (const void *)message;
    posix_attr_in(answer->attr, answer->directory, a, ret);
    *ret_made = answer->made;
    if (how->ret_block)
        *how->ret_block = (struct dfs_block){0};
    if (how->ret_block && answer->block && convert_block(answer->block, a, how->ret_block, NULL) < 0)
        *how->ret_block = (struct dfs_block){0}; /* the file is made all the same */
    return 0;
}

int posix_link(struct dfs *fs, uint64_t session, const struct rpc_call_id *call_id, uint64_t id, uint64_t parent,
               const char *name, struct arena *a, struct posix_attr *ret, struct err *reterr)
{
    Cairn__LinkRequestProto request = CAIRN__LINK_REQUEST_PROTO__INIT;
    request.id = id;
    request.parent = parent;
    request.name = bytes_of(name);
    request.has_session = session != 0;
    request.session = session;
    ProtobufCMessage *answer;
    int rc =
        posix_call_as(fs, call_id, "link", &request.base, &cairn__link_response_proto__descriptor, a, &answer, reterr);
    if (rc == 0)
        posix_attr_in(((const Cairn__LinkResponseProto *)answer)->attr,
                      ((const Cairn__LinkResponseProto *)answer)->directory, a, ret);
    return rc;
}

int posix_unlink(struct dfs *fs, uint64_t session, const struct rpc_call_id *call_id, uint64_t parent, const char *name,
                 bool directory, bool hold, struct arena *a, struct posix_attr *ret, struct err *reterr)
{
    Cairn__UnlinkRequestProto request = CAIRN__UNLINK_REQUEST_PROTO__INIT;
    request.parent = parent;
    request.name = bytes_of(name);
    request.has_directory = request.directory = directory;
    request.has_hold = request.hold = hold;
    request.has_session = session != 0;
    request.session = session;
    ProtobufCMessage *answer;
    int rc = posix_call_as(fs, call_id, "unlink", &request.base, &cairn__unlink_response_proto__descriptor, a, &answer,
                           reterr);
    if (rc == 0)
        posix_attr_in(((const Cairn__UnlinkResponseProto *)answer)->attr,
                      ((const Cairn__UnlinkResponseProto *)answer)->directory, a, ret);
    return rc;
}

int posix_rename(struct dfs *fs, uint64_t session, const struct posix_rename *how, struct arena *a,
                 struct posix_attr *ret_moved, struct posix_attr *ret_replaced, struct err *reterr)
{
    Cairn__RenameRequestProto request = CAIRN__RENAME_REQUEST_PROTO__INIT;
    request.parent = how->parent;
    request.name = bytes_of(how->name);
    request.new_parent = how->new_parent;
    request.new_name = bytes_of(how->new_name);
    request.has_flags = how->flags != 0;
    request.flags = how->flags;
    request.owner = borrowed(how->owner);
    request.group = borrowed(how->group);
    request.has_hold = request.hold = how->hold;
    request.has_session = session != 0;
    request.session = session;
    ProtobufCMessage *answer;
    int rc = posix_call_as(fs, how->call_id, "rename", &request.base, &cairn__rename_response_proto__descriptor, a,
                           &answer, reterr);
    if (rc < 0)
        return rc;
    const Cairn__RenameResponseProto *r = (const void *)answer;
    posix_attr_in(r->attr, r->directory, a, ret_moved);
    posix_attr_of(r->replaced, a, ret_replaced);
    return 0;
}

int posix_replace(struct dfs *fs, const char *old, const char *with, const char *aside, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_ANSWER_BYTES);
    Cairn__ReplaceRequestProto request = CAIRN__REPLACE_REQUEST_PROTO__INIT;
    request.old = borrowed(old);
    request.new_ = borrowed(with);
    request.aside = borrowed(aside);
    ProtobufCMessage *answer;
    return posix_call(fs, "replace", &request.base, &cairn__replace_response_proto__descriptor, &a, &answer, reterr);
}

int posix_readdir(struct dfs *fs, uint64_t id, const char *after, uint32_t count, struct arena *a,
                  struct posix_page *ret, struct err *reterr)
{
    Cairn__ReadDirRequestProto request = CAIRN__READ_DIR_REQUEST_PROTO__INIT;
    request.id = id;
    request.has_after = after != NULL;
    if (after)
        request.after = bytes_of(after);
    request.has_count = 1;
    request.count = count;
    ProtobufCMessage *answer;
    int rc = posix_call(fs, "readDir", &request.base, &cairn__read_dir_response_proto__descriptor, a, &answer, reterr);
    if (rc < 0)
        return rc;
    const Cairn__ReadDirResponseProto *r = (const void *)answer;
    *ret = (struct posix_page){.more = r->more};
    posix_attr_of(r->directory, a, &ret->directory);
    entries_of(r->entry, r->n_entry, a, ret);
    return 0;
}

/* ClientProtocol: looking at files and directories. */
#include <string.h>
#include <xxhash.h>

#include "namenode/namespace/history.h"
#include "namenode/namespace/policy.h"
#include "namenode/namespace/xattr.h"
#include "namenode/serve/client_calls.h"
#include "namenode/serve/op.h"
#include "namenode/serve/reserved.h"
#include "namenode/serve/status.h"
#include "proto/message.h"

#define LISTING_MEMORY_MAX (32u << 20) /* of inodes; a page of huge files ends early, but never before the first */

/* *ret NULL: "not there", which these calls answer with an empty message. */
static int find_or_nothing(struct op *op, const char *path, unsigned flags, struct inode **ret, uint8_t *ret_policy)
{
    struct path p;
    *ret = NULL;
    if (path_is_reserved_root(path)) {
        *ret = reserved_folder(op->arena);
        return 0;
    }
    int rc =
        path_resolve(&op->t, &op->user, path, flags | PATH_MAY_MISS | PATH_SNAPSHOT | PATH_SNAPSHOT_LIST, &p, &op->err);
    if (rc == ERR_ACCESS && op->user.is_super)
        return 0; /* a file in the middle of the path */
    if (!rc) {
        *ret = path_target(&p);
        *ret_policy = path_policy(&p);
    }
    return rc;
}

void client_get_file_info(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetFileInfoRequestProto *q = (const void *)message;
    struct op op;
    struct inode *n = NULL;
    uint8_t policy = POLICY_UNSPECIFIED;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_file_info_response_proto, Hdfs__GetFileInfoResponseProto);
    int rc = find_or_nothing(&op, q->src, 0, &n, &policy);
    if (n) {
        response->fs = status_of(op.arena, n, "");
        status_inherit(response->fs, policy);
    }
    op_end_read(&op, rc, &response->base);
}

void client_get_file_link_info(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetFileLinkInfoRequestProto *q = (const void *)message;
    struct op op;
    struct inode *n = NULL;
    uint8_t policy = POLICY_UNSPECIFIED;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_file_link_info_response_proto, Hdfs__GetFileLinkInfoResponseProto);
    int rc = find_or_nothing(&op, q->src, PATH_NO_FOLLOW, &n, &policy);
    if (n) {
        response->fs = status_of(op.arena, n, "");
        status_inherit(response->fs, policy);
    }
    op_end_read(&op, rc, &response->base);
}

/* A block that a snapshot has may have been appended to since: it is found under its stamp of now. */
static void stamps_of_now(struct op *op, const struct inode *n)
{
    struct block_record record;
    for (size_t i = 0; n->as_of && i < n->block_count; i++)
        if (!file_block_is_hole(&n->blocks[i]) && !txn_block(&op->t, n->blocks[i].id, &record, NULL))
            n->blocks[i].stamp = record.gen_stamp;
}

static void add_locations(struct op *op, const struct inode *n, Hdfs__HdfsFileStatusProto *s)
{
    bool is_walk = op->t.snapshot != NULL;
    stamps_of_now(op, n);
    if (!inode_looks_like_file(n))
        return;
    if (is_walk)
        namenode_lock(op->nn);
    s->locations = status_located_blocks(op->arena, op->nn, n, 0, UINT64_MAX, rpc_call_client_ip(op->call));
    if (is_walk)
        namenode_unlock(op->nn);
}

void client_get_located_file_info(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetLocatedFileInfoRequestProto *q = (const void *)message;
    struct op op;
    struct inode *n = NULL;
    uint8_t policy = POLICY_UNSPECIFIED;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_located_file_info_response_proto, Hdfs__GetLocatedFileInfoResponseProto);
    int rc = q->src ? find_or_nothing(&op, q->src, 0, &n, &policy)
                    : err_set(&op.err, ERR_ILLEGAL_ARGUMENT, "src is missing");
    if (n) {
        response->fs = status_of(op.arena, n, "");
        status_inherit(response->fs, policy);
        add_locations(&op, n, response->fs);
    }
    op_end_read(&op, rc, &response->base);
}

/* ---- listing ---- */

/* How many entries are left; beyond this many, roughly (clients only look for 0). */
#define REMAINING_EXACT_MAX 4000

static uint32_t count_remaining(struct dir_iter *d, const struct inode *dir, size_t given)
{
    uint32_t count = 0;
    while (count < REMAINING_EXACT_MAX && dir_iter_next(d))
        count++;
    if (count == REMAINING_EXACT_MAX && dir->child_count > given + count)
        return (uint32_t)(dir->child_count - given);
    return count;
}

static int list_directory(struct op *op, const struct inode *dir, uint8_t policy, struct slice after,
                          bool with_locations, Hdfs__DirectoryListingProto *ret)
{
    size_t max = op->nn->dir->limits.list_entries, locations_left = max;
    ret->partiallisting =
        arena_array(op->arena, Hdfs__HdfsFileStatusProto *, max < dir->child_count ? max : dir->child_count + 1);
    struct dir_iter d;
    int rc = 0;
    dir_iter_open(&d, &op->t, dir, (const char *)after.base, after.len);
    while (ret->n_partiallisting < max && ret->n_partiallisting <= dir->child_count && locations_left &&
           (!ret->n_partiallisting || op->t.arena.total < LISTING_MEMORY_MAX) && dir_iter_next(&d)) {
        struct inode *n = NULL;
        rc = dir_iter_inode(&d, &op->t, &n, &op->err);
        if (rc)
            break;
        Hdfs__HdfsFileStatusProto *s = status_of(op->arena, n, n->name);
        status_inherit(s, policy);
        if (with_locations) {
            add_locations(op, n, s);
            size_t cost = n->block_count * (n->replication ? n->replication : 1);
            locations_left = cost < locations_left ? locations_left - cost : 0;
        }
        ret->partiallisting[ret->n_partiallisting++] = s;
    }
    ret->remainingentries = rc ? 0 : count_remaining(&d, dir, ret->n_partiallisting);
    int close_rc = dir_iter_close(&d, rc ? NULL : &op->err);
    return rc ? rc : close_rc;
}

/* A cookie that is a path (of an entry found by inode number) means its last component. */
static struct slice start_after(const ProtobufCBinaryData *given)
{
    struct slice after = {given->data, given->len};
    if (after.len && after.base[0] == '/')
        for (size_t i = after.len; i-- > 0;)
            if (after.base[i] == '/')
                return (struct slice){after.base + i + 1, after.len - i - 1};
    return after;
}

static int list(struct op *op, const char *path, const ProtobufCBinaryData *after, bool with_locations,
                Hdfs__DirectoryListingProto **ret)
{
    if (path_is_reserved_root(path)) {
        *ret = reserved_listing(op->arena, op->nn);
        return 0;
    }
    struct path p;
    int rc = path_resolve(&op->t, &op->user, path, PATH_MAY_MISS | PATH_SNAPSHOT | PATH_SNAPSHOT_LIST, &p, &op->err);
    struct inode *n = rc ? NULL : path_target(&p);
    if (!rc && !n && path_parent(&p) && !strcmp(path_name(&p), ".snapshot") && inode_is_dir(path_parent(&p)))
        rc = err_set(&op->err, ERR_SNAPSHOT, "Directory is not a snapshottable directory: %s",
                     path_prefix(&op->t, &p, p.count - 1));
    if (!n)
        return rc;
    Hdfs__DirectoryListingProto *listing = arena_new(op->arena, Hdfs__DirectoryListingProto);
    hdfs__directory_listing_proto__init(listing);
    if (inode_is_dir(n)) {
        rc = access_check(&op->user, n, ACCESS_READ_EXECUTE, p.text, &op->err);
        rc = rc ? rc : list_directory(op, n, path_policy(&p), start_after(after), with_locations, listing);
    } else {
        listing->partiallisting = arena_array(op->arena, Hdfs__HdfsFileStatusProto *, 1);
        listing->partiallisting[0] = status_of(op->arena, n, "");
        status_inherit(listing->partiallisting[0], path_policy(&p));
        listing->n_partiallisting = 1;
        if (with_locations)
            add_locations(op, n, listing->partiallisting[0]);
    }
    if (!rc)
        *ret = listing;
    return rc;
}

/* A directory as of a snapshot is listed without the lock: what came since then, a million names say, is passed on the
 * way. */
void client_get_listing(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetListingRequestProto *q = (const void *)message;
    bool is_walk = strstr(q->src, "/.snapshot/") != NULL;
    struct op op;
    if (is_walk && !rpc_call_may_block(call)) {
        rpc_call_repeat_in_pool(call);
        return;
    }
    if (is_walk)
        op_begin_walk(&op, context, call);
    else
        op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_listing_response_proto, Hdfs__GetListingResponseProto);
    int rc = list(&op, q->src, &q->startafter, q->needlocation, &response->dirlist);
    if (is_walk)
        op_end_walk(&op, rc, &response->base);
    else
        op_end_read(&op, rc, &response->base);
}

/* ---- listing many directories ---- */

/* Says that a continuation is of the same paths. */
static uint64_t paths_digest(char *const *paths, size_t count)
{
    uint64_t digest = count;
    for (size_t i = 0; i < count; i++)
        digest = XXH3_64bits_withSeed(paths[i], strlen(paths[i]), digest);
    return digest;
}

static int batch_start(struct op *op, const Hdfs__GetBatchedListingRequestProto *q, size_t *ret_index,
                       ProtobufCBinaryData *ret_after)
{
    ProtobufCMessage *message = NULL;
    uint64_t digest = paths_digest(q->paths, q->n_paths);
    size_t max = (size_t)config_int(op->nn->config, "dfs.batched.ls.limit");
    if (q->n_paths > max)
        return err_set(&op->err, ERR_ILLEGAL_ARGUMENT, "Too many source paths (%zu > %zu)", q->n_paths, max);
    if (!q->startafter.len)
        return 0;
    int rc = message_unpack(&hdfs__batched_listing_key_proto__descriptor,
                            (struct slice){q->startafter.data, q->startafter.len}, op->arena, &message, &op->err);
    const Hdfs__BatchedListingKeyProto *key = (const void *)message;
    if (rc)
        return rc;
    if (key->checksum.len != sizeof digest || memcmp(key->checksum.data, &digest, sizeof digest))
        return err_set(&op->err, ERR_ILLEGAL_ARGUMENT, "the key to go on from is not of these paths");
    *ret_after = key->startafter;
    *ret_index = (size_t)key->pathindex + !key->startafter.len; /* nothing to start after: that one was done */
    return 0;
}

/* The listing of one path, or why there is none. *ret_more: entries are left. */
static Hdfs__BatchedDirectoryListingProto *batch_one(struct op *op, const Hdfs__GetBatchedListingRequestProto *q,
                                                     size_t index, const ProtobufCBinaryData *after, bool *ret_more)
{
    Hdfs__BatchedDirectoryListingProto *one = arena_new(op->arena, Hdfs__BatchedDirectoryListingProto);
    Hdfs__DirectoryListingProto *listing = NULL;
    hdfs__batched_directory_listing_proto__init(one);
    one->parentidx = (uint32_t)index;
    int rc = list(op, q->paths[index], after, q->needlocation, &listing);
    if (!rc && !listing)
        rc = err_set(&op->err, ERR_NOT_FOUND, "Path %s does not exist", q->paths[index]);
    if (rc) {
        one->exception = arena_new(op->arena, Hdfs__RemoteExceptionProto);
        hdfs__remote_exception_proto__init(one->exception);
        one->exception->classname = arena_strdup(op->arena, err_java_class(&op->err));
        one->exception->message = arena_strdup(op->arena, op->err.text);
        op->err = (struct err){0};
        *ret_more = false;
        return one;
    }
    one->partiallisting = listing->partiallisting;
    one->n_partiallisting = listing->n_partiallisting;
    *ret_more = listing->remainingentries > 0;
    return one;
}

static ProtobufCBinaryData batch_key(struct op *op, const Hdfs__GetBatchedListingRequestProto *q, size_t index,
                                     const Hdfs__BatchedDirectoryListingProto *last, bool more)
{
    Hdfs__BatchedListingKeyProto key = HDFS__BATCHED_LISTING_KEY_PROTO__INIT;
    uint64_t digest = paths_digest(q->paths, q->n_paths);
    key.checksum = (ProtobufCBinaryData){sizeof digest, (uint8_t *)&digest};
    key.pathindex = (uint32_t)index;
    if (more)
        key.startafter = last->partiallisting[last->n_partiallisting - 1]->path;
    size_t len = hdfs__batched_listing_key_proto__get_packed_size(&key);
    ProtobufCBinaryData packed = {len, arena_alloc(op->arena, len)};
    hdfs__batched_listing_key_proto__pack(&key, packed.data);
    return packed;
}

void client_get_batched_listing(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetBatchedListingRequestProto *q = (const void *)message;
    struct op op;
    size_t index = 0, entries = 0;
    ProtobufCBinaryData after = {0};
    bool more = false;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_batched_listing_response_proto, Hdfs__GetBatchedListingResponseProto);
    int rc = batch_start(&op, q, &index, &after);
    response->listings = arena_array(op.arena, Hdfs__BatchedDirectoryListingProto *, rc ? 0 : q->n_paths);
    for (; !rc && index < q->n_paths; index++) {
        Hdfs__BatchedDirectoryListingProto *one = batch_one(&op, q, index, &after, &more);
        response->listings[response->n_listings++] = one;
        entries += one->n_partiallisting;
        after = (ProtobufCBinaryData){0};
        bool full = entries >= op.nn->dir->limits.list_entries || op.t.arena.total > LISTING_MEMORY_MAX / 2;
        if (!more && (!full || index + 1 == q->n_paths))
            continue;
        response->hasmore = 1;
        response->startafter = batch_key(&op, q, index, one, more);
        break;
    }
    op_end_read(&op, rc, &response->base);
}

/* ---- blocks of a file ---- */

static bool any_without_place(const Hdfs__LocatedBlocksProto *blocks)
{
    for (size_t i = 0; i < blocks->n_blocks; i++)
        if (!blocks->blocks[i]->n_locs)
            return true;
    return false;
}

/* Access times are kept as coarsely as HDFS does it; nobody waits for this write. */
static int touch(struct op *op, struct inode *n)
{
    uint64_t precision = op->nn->dir->limits.atime_precision_ns, now_ns = op->t.now_ns;
    if (!precision || n->as_of || now_ns < n->atime_ns + precision || blocks_in_safe_mode(op->nn->blocks) ||
        *op->nn->dir->write_error)
        return 0;
    n->atime_ns = now_ns;
    txn_dirty(n);
    return file_commit(&op->file, &op->err);
}

void client_get_block_locations(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetBlockLocationsRequestProto *q = (const void *)message;
    struct op op;
    struct path p;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_block_locations_response_proto, Hdfs__GetBlockLocationsResponseProto);
    int rc = 0;
    if (q->offset > INT64_MAX || q->length > INT64_MAX)
        rc = err_set(&op.err, ERR_ILLEGAL_ARGUMENT, "Negative %s is not supported. File: %s",
                     q->offset > INT64_MAX ? "offset" : "length", q->src);
    rc = rc ? rc : path_resolve(&op.t, &op.user, q->src, PATH_SNAPSHOT, &p, &op.err);
    if (!rc && !inode_looks_like_file(path_target(&p)))
        rc = err_set(&op.err, ERR_NOT_FOUND, "Path is not a file: %s", p.text);
    rc = rc ? rc : access_check(&op.user, path_target(&p), ACCESS_READ, p.text, &op.err);
    rc = rc ? rc : xattr_check_superuser_may_read(&op.user, path_target(&p), &op.err);
    if (!rc) {
        stamps_of_now(&op, path_target(&p));
        response->locations =
            status_located_blocks(op.arena, op.nn, path_target(&p), q->offset, q->length, rpc_call_client_ip(call));
        if (blocks_in_safe_mode(op.nn->blocks) && any_without_place(response->locations))
            rc = op_check_safe_mode(&op, "read, zero block locations for", p.text);
    }
    rc = rc || q->keepaccesstime ? rc : touch(&op, path_target(&p));
    op_end_read(&op, rc, &response->base);
}

void client_is_file_closed(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__IsFileClosedRequestProto *q = (const void *)message;
    struct op op;
    struct path p;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__is_file_closed_response_proto, Hdfs__IsFileClosedResponseProto);
    int rc = path_resolve(&op.t, &op.user, q->src, PATH_SNAPSHOT, &p, &op.err);
    if (!rc && !inode_looks_like_file(path_target(&p)))
        rc = err_set(&op.err, ERR_NOT_FOUND, "Path is not a file: %s", p.text);
    response->result = !rc && !path_target(&p)->is_open;
    op_end_read(&op, rc, &response->base);
}

void client_get_preferred_block_size(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetPreferredBlockSizeRequestProto *q = (const void *)message;
    struct op op;
    struct path p;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_preferred_block_size_response_proto, Hdfs__GetPreferredBlockSizeResponseProto);
    int rc = path_resolve(&op.t, &op.user, q->filename, PATH_SNAPSHOT, &p, &op.err);
    if (!rc && !inode_looks_like_file(path_target(&p)))
        rc = err_set(&op.err, ERR_NOT_FOUND, "Path is not a file: %s", p.text);
    response->bsize = rc ? 0 : path_target(&p)->block_bytes;
    op_end_read(&op, rc, &response->base);
}

void client_get_link_target(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__GetLinkTargetRequestProto *q = (const void *)message;
    struct op op;
    struct path p;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_link_target_response_proto, Hdfs__GetLinkTargetResponseProto);
    int rc = path_resolve(&op.t, &op.user, q->path, PATH_NO_FOLLOW | PATH_SNAPSHOT, &p, &op.err);
    if (rc == ERR_UNRESOLVED_PATH) { /* the link is on the way: the answer is where it leads */
        response->targetpath = arena_strdup(op.arena, op.t.unresolved); /* longer than an error may be */
        rc = 0;
    } else if (!rc && path_target(&p)->type != INODE_SYMLINK) {
        rc = err_set(&op.err, ERR_IO, "Path %s is not a symbolic link", p.text);
    } else if (!rc) {
        response->targetpath = (char *)(uintptr_t)path_target(&p)->target;
    }
    op_end_read(&op, rc, &response->base);
}

void client_get_enclosing_root(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__get_enclosing_root_response_proto, Hdfs__GetEnclosingRootResponseProto);
    response->enclosingrootpath = arena_strdup(op.arena, "/");
    op_end_read(&op, 0, &response->base);
}

void client_check_access(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Hdfs__CheckAccessRequestProto *q = (const void *)message;
    struct op op;
    struct path p;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, hdfs__check_access_response_proto, Hdfs__CheckAccessResponseProto);
    int rc = path_resolve(&op.t, &op.user, q->path, PATH_MAY_MISS | PATH_SNAPSHOT | PATH_SNAPSHOT_LIST, &p, &op.err);
    if (!rc && !path_target(&p))
        rc = err_set(&op.err, ERR_NOT_FOUND, "Path not found: %s", p.text);
    rc = rc ? rc : access_check(&op.user, path_target(&p), (unsigned)q->mode & ACCESS_ALL, p.text, &op.err);
    op_end_read(&op, rc, &response->base);
}

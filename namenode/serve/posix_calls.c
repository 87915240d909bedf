#include "namenode/serve/posix_calls.h"

#include <errno.h>

#include "common/clock.h"
#include "namenode/namespace/acl.h"
#include "namenode/namespace/nodes.h"
#include "namenode/serve/posix_state.h"
#include "namenode/serve/replay.h"

/* ---- the table ---- */

/* It may be gone by now: then the mount knows the rest itself. */
static Cairn__AttrProto *attr_again(struct op *op, uint64_t id)
{
    struct inode *n = NULL;
    if (txn_inode(&op->t, id, &n, NULL)) {
        n = arena_new(&op->t.arena, struct inode);
        *n = (struct inode){.id = id, .type = INODE_FILE, .name = "", .owner = "", .group = ""};
    }
    return posix_attr(op, n);
}

static enum replayed fill_make_node(struct op *op, const Cairn__MakeNodeRequestProto *q, uint64_t id,
                                    Cairn__MakeNodeResponseProto *response)
{
    struct inode *n = NULL;
    if (txn_inode(&op->t, id, &n, NULL) || (q->client_name && !n->is_open))
        return REPLAY_NOT_KNOWN;
    if (q->client_name)
        op_writer(op, n->client_name);
    posix_opened(op, q->session, q->handles, n);
    response->attr = posix_attr(op, n);
    response->directory = posix_directory_attr(op, q->parent);
    response->made = 1;
    return REPLAYED;
}

#define AGAIN(kind, field)                                                                                             \
    ((kind *)response)->attr = attr_again(op, value), ((kind *)response)->directory = posix_directory_attr(op, field)

static enum replayed replay_posix(struct op *op, const ProtobufCMessage *message, uint64_t value,
                                  ProtobufCMessage *response)
{
    if (message->descriptor == &cairn__make_node_request_proto__descriptor)
        return fill_make_node(op, (const void *)message, value, (Cairn__MakeNodeResponseProto *)response);
    if (message->descriptor == &cairn__link_request_proto__descriptor)
        AGAIN(Cairn__LinkResponseProto, ((const Cairn__LinkRequestProto *)message)->parent);
    else if (message->descriptor == &cairn__unlink_request_proto__descriptor)
        AGAIN(Cairn__UnlinkResponseProto, ((const Cairn__UnlinkRequestProto *)message)->parent);
    else if (message->descriptor == &cairn__rename_request_proto__descriptor)
        AGAIN(Cairn__RenameResponseProto, ((const Cairn__RenameRequestProto *)message)->new_parent);
    else if (message->descriptor == &cairn__edit_request_proto__descriptor)
        ((Cairn__EditResponseProto *)response)->attr = attr_again(op, value);
    return REPLAYED;
}

#define POSIX_ONCE(wire_name, c_name, flags)                                                                           \
    static void once_##c_name(struct rpc_call *call, const ProtobufCMessage *message, void *context)                   \
    {                                                                                                                  \
        if (!replay_answer(context, call, message, &cairn__##c_name##_response_proto__descriptor, replay_posix))       \
            posix_call_##c_name(call, message, context);                                                               \
    }
POSIX_METHODS(POSIX_ONCE)

static const struct rpc_method methods[] = {
#define POSIX_ROW(wire_name, c_name, flags)                                                                            \
    RPC_METHOD(#wire_name, cairn__##c_name, ((flags)&RPC_AT_MOST_ONCE) ? once_##c_name : posix_call_##c_name, flags),
    POSIX_METHODS(POSIX_ROW)};

struct rpc_service posix_calls_service(struct namenode *nn)
{
    return (struct rpc_service){POSIX_PROTOCOL, methods, ARRAY_COUNT(methods), nn};
}

/* ---- what handlers share ---- */

bool posix_session_is_alive(struct namenode *nn, uint64_t session)
{
    return sessions_find(nn->sessions, session) != NULL;
}

int posix_begin(struct op *op, struct namenode *nn, struct rpc_call *call, uint64_t session)
{
    op_begin(op, nn, call);
    int rc = op_check_super(op);
    if (rc || !session)
        return rc;
    struct session *s = sessions_find(nn->sessions, session);
    if (!s)
        return err_posix(&op->err, ESTALE, "session %llu has ended", (unsigned long long)session);
    s->heard_ms = op->file.now_ms;
    op->t.session = session;
    return 0;
}

int posix_inode(struct op *op, uint64_t id, struct inode **ret)
{
    return node_of(&op->t, id, ret, &op->err);
}

int posix_check_writable(struct op *op, const char *doing, uint64_t id)
{
    return op_check_safe_mode(op, doing, arena_printf(op->arena, "inode %llu", (unsigned long long)id));
}

/* Names in a directory that was deleted do not count, though the reaper may not have been there yet. */
static uint32_t count_names(struct op *op, struct inode *n)
{
    bool may_hang_elsewhere = !inode_is_dir(n) && !op->t.trusts_tree && (n->more_links || txn_is_kept(&op->t, n));
    return may_hang_elsewhere ? txn_count_names(&op->t, n) : inode_nlink(n);
}

Cairn__AttrProto *posix_attr(struct op *op, struct inode *n)
{
    Cairn__AttrProto *a = arena_new(op->arena, Cairn__AttrProto);
    cairn__attr_proto__init(a);
    a->id = n->id;
    a->mode = inode_format(n->type) | n->mode;
    a->nlink = count_names(op, n);
    a->owner = (char *)(uintptr_t)n->owner;
    a->group = (char *)(uintptr_t)n->group;
    a->size = n->type == INODE_SYMLINK ? strlen(n->target) : inode_length(n);
    a->allocated = inode_allocated(n);
    a->mtime_ns = n->mtime_ns;
    a->atime_ns = inode_is_dir(n) && !n->atime_ns ? n->mtime_ns : n->atime_ns; /* directories begin without one */
    a->ctime_ns = n->ctime_ns;
    a->has_rdev = n->rdev != 0;
    a->rdev = n->rdev;
    a->has_block_bytes = a->has_replication = inode_is_file(n);
    a->block_bytes = n->block_bytes;
    a->replication = n->replication;
    a->has_target = n->type == INODE_SYMLINK;
    if (a->has_target)
        a->target = (ProtobufCBinaryData){strlen(n->target), (uint8_t *)(uintptr_t)n->target};
    a->has_has_acl = a->has_has_xattrs = a->has_is_being_written = 1;
    a->has_acl = n->acl_count > 0;
    a->has_xattrs = n->xattr_count > 0;
    a->is_being_written = n->is_open;
    a->has_parent = inode_is_dir(n);
    a->parent = n->parent;
    return a;
}

Cairn__AttrProto *posix_directory_attr(struct op *op, uint64_t id)
{
    struct inode *dir = NULL;
    return node_directory(&op->t, id, &dir, NULL) ? NULL : posix_attr(op, dir);
}

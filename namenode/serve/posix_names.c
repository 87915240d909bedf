/* PosixProtocol: names and attributes. */
#include <errno.h>
#include <string.h>

#include "namenode/blocks/blocks.h"
#include "namenode/namespace/leases.h"
#include "namenode/namespace/nodes.h"
#include "namenode/namespace/quota_sum.h"
#include "namenode/namespace/tree.h"
#include "namenode/serve/posix_calls.h"

#define PAGE_ENTRIES_MAX 10000
#define PAGE_MEMORY_MAX  (32u << 20) /* of inodes; a page of huge files ends early, but never before the first */

static struct slice slice_of(ProtobufCBinaryData b)
{
    return (struct slice){b.data, b.len};
}

/* ---- looking ---- */

/* What only looks need not walk up to the root to see whether it still hangs there, if all does. */
static int begin_look(struct op *op, struct namenode *nn, struct rpc_call *call)
{
    int rc = posix_begin(op, nn, call, 0);
    op->t.trusts_tree = !nn->reap_pending;
    return rc;
}

struct page {
    Cairn__EntryProto **entries;
    size_t count;
    bool more;
};

/* The entries behind a name; base NULL: from the beginning. */
static int read_page(struct op *op, const struct inode *dir, struct slice after, size_t max, struct page *ret)
{
    struct dir_iter d;
    int rc = 0;
    max = max < PAGE_ENTRIES_MAX ? max : PAGE_ENTRIES_MAX;
    max = max ? max : 1;
    *ret = (struct page){.entries = arena_array(op->arena, Cairn__EntryProto *, max)};
    dir_iter_open(&d, &op->t, dir, (const char *)after.base, after.len);
    while (dir_iter_next(&d)) {
        struct inode *n = NULL;
        if (ret->count == max || (ret->count && op->t.arena.total > PAGE_MEMORY_MAX)) {
            ret->more = true;
            break;
        }
        rc = dir_iter_inode(&d, &op->t, &n, &op->err);
        if (rc)
            break;
        Cairn__EntryProto *e = ret->entries[ret->count++] = arena_new(op->arena, Cairn__EntryProto);
        cairn__entry_proto__init(e);
        e->name = (ProtobufCBinaryData){d.name_len, arena_memdup(op->arena, d.name, d.name_len)};
        e->attr = posix_attr(op, n);
    }
    int close_rc = dir_iter_close(&d, rc ? NULL : &op->err);
    return rc ? rc : close_rc;
}

static int look_ahead(struct op *op, const Cairn__LookupRequestProto *q, Cairn__LookupResponseProto *ret)
{
    struct inode *dir = NULL;
    struct page page;
    int rc = node_directory(&op->t, q->parent, &dir, &op->err);
    rc = rc ? rc : read_page(op, dir, slice_of(q->name), q->ahead, &page);
    if (rc)
        return rc;
    ret->next = page.entries;
    ret->n_next = page.count;
    ret->has_more = 1;
    ret->more = page.more;
    return 0;
}

void posix_call_lookup(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__LookupRequestProto *q = (const void *)message;
    struct op op;
    struct inode *n = NULL;
    int rc = begin_look(&op, context, call);
    OP_RESPONSE(&op, cairn__lookup_response_proto, Cairn__LookupResponseProto);
    rc = rc ? rc : node_lookup(&op.t, q->parent, slice_of(q->name), &n, &op.err);
    if (!rc && n)
        response->attr = posix_attr(&op, n);
    if (!rc && q->ahead)
        rc = look_ahead(&op, q, response);
    op_end_read(&op, rc, &response->base);
}

void posix_call_get_attr(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__GetAttrRequestProto *q = (const void *)message;
    struct op op;
    struct inode *n = NULL;
    int rc = begin_look(&op, context, call);
    OP_RESPONSE(&op, cairn__get_attr_response_proto, Cairn__GetAttrResponseProto);
    rc = rc ? rc : posix_closed(&op, q->session, q->handles);
    rc = rc ? rc : posix_inode(&op, q->id, &n);
    if (!rc) {
        posix_opened(&op, q->session, q->handles, n);
        response->attr = posix_attr(&op, n);
    }
    op_end_read(&op, rc, &response->base);
}

void posix_call_read_dir(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__ReadDirRequestProto *q = (const void *)message;
    struct op op;
    struct page page;
    struct inode *n = NULL;
    int rc = begin_look(&op, context, call);
    OP_RESPONSE(&op, cairn__read_dir_response_proto, Cairn__ReadDirResponseProto);
    rc = rc ? rc : node_directory(&op.t, q->id, &n, &op.err);
    rc = rc ? rc : read_page(&op, n, q->has_after ? slice_of(q->after) : (struct slice){0}, q->count, &page);
    if (!rc) {
        response->entry = page.entries;
        response->n_entry = page.count;
        response->more = page.more;
        response->directory = posix_attr(&op, n);
    }
    op_end_read(&op, rc, &response->base);
}

/* Of the quota directories at and above an inode, nearest first. */
static void add_quota(struct op *op, int64_t quota, int64_t used, Cairn__QuotaLeftProto **left)
{
    uint64_t rest = quota > used ? (uint64_t)(quota - used) : 0;
    if (quota < 0 || quota == INT64_MAX)
        return;
    if (!*left) {
        *left = arena_new(op->arena, Cairn__QuotaLeftProto);
        cairn__quota_left_proto__init(*left);
        (*left)->quota = (uint64_t)quota;
        (*left)->used = used > 0 ? (uint64_t)used : 0;
        (*left)->left = rest;
    }
    (*left)->left = rest < (*left)->left ? rest : (*left)->left;
}

static int fill_quotas(struct op *op, const struct inode *n, Cairn__StatFsResponseProto *ret)
{
    struct quota_chain chain;
    int rc = quota_chain_of(&op->t, inode_is_dir(n) ? n->id : n->parent, &chain, &op->err);
    for (size_t i = 0; !rc && i < chain.count; i++) {
        const struct quota *q = chain.dirs[i]->quota;
        struct quota_usage used;
        if (!q)
            continue; /* its sum is just being made */
        rc = quota_usage_read(&op->t, chain.dirs[i]->id, &used, &op->err);
        if (rc)
            break;
        add_quota(op, q->space, used.space, &ret->space);
        add_quota(op, q->names, used.names, &ret->names);
    }
    return rc;
}

void posix_call_stat_fs(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__StatFsRequestProto *q = (const void *)message;
    struct op op;
    struct inode *n = NULL;
    struct blocks_stats stats;
    int rc = begin_look(&op, context, call);
    OP_RESPONSE(&op, cairn__stat_fs_response_proto, Cairn__StatFsResponseProto);
    rc = rc ? rc : posix_inode(&op, q->id, &n);
    rc = rc ? rc : fill_quotas(&op, n, response);
    blocks_stats(op.nn->blocks, &stats);
    response->capacity = stats.capacity_bytes;
    response->remaining = stats.remaining_bytes;
    op_end_read(&op, rc, &response->base);
}

/* ---- changing ---- */

struct node_set posix_set_of(const struct op *op, const Cairn__SetAttrRequestProto *q)
{
    return (struct node_set){.has_mode = q->has_mode,
                             .mode = q->mode,
                             .keeps_ctime = q->is_read,
                             .owner = q->owner,
                             .group = q->group,
                             .has_atime = q->has_atime_ns || q->atime_now,
                             .atime_ns = q->atime_now ? op->t.now_ns : q->atime_ns,
                             .has_mtime = q->has_mtime_ns || q->mtime_now,
                             .mtime_ns = q->mtime_now ? op->t.now_ns : q->mtime_ns};
}

void posix_call_set_attr(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__SetAttrRequestProto *q = (const void *)message;
    struct op op;
    struct inode *n = NULL;
    int rc = posix_begin(&op, context, call, q->session);
    OP_RESPONSE(&op, cairn__set_attr_response_proto, Cairn__SetAttrResponseProto);
    struct node_set set = posix_set_of(&op, q);
    rc = rc ? rc : posix_check_writable(&op, "set attributes of", q->id);
    rc = rc ? rc : node_set(&op.t, q->id, &set, &n, &op.err);
    if (!rc)
        response->attr = posix_attr(&op, n);
    op_end(&op, rc, &response->base);
}

static int check_holder(struct op *op, bool hold, uint64_t session)
{
    bool is_one = !hold || sessions_find(op->nn->sessions, session);
    return is_one ? 0 : err_set(&op->err, ERR_ILLEGAL_ARGUMENT, "only a session can hold a file");
}

/* Open for writing, as create does it. */
static int make_open(struct op *op, const char *client_name, struct inode *n)
{
    if (!*client_name || strlen(client_name) > NAME_KEPT_MAX)
        return err_set(&op->err, ERR_ILLEGAL_ARGUMENT, "a client's name has 1 to %d bytes", NAME_KEPT_MAX);
    txn_open_file(&op->t, n, client_name, rpc_call_client_ip(op->call));
    int rc = file_commit(&op->file, &op->err);
    if (rc)
        return rc;
    leases_add(op->nn->leases, n->client_name, n->id, op->file.now_ms);
    op_writer(op, n->client_name);
    return 0;
}

/* The file is there, with a block or without. */
static int make_block(struct op *op, const Cairn__MakeNodeRequestProto *q, struct inode *n,
                      Cairn__MakeNodeResponseProto *response)
{
    if (!q->session || !q->block_client)
        return err_set(&op->err, ERR_ILLEGAL_ARGUMENT, "a new block belongs to a session, and to who writes it");
    int rc = file_commit(&op->file, &op->err);
    if (!rc)
        (void)!posix_new_block(op, n, q->session, q->block_client, q->block_length, &response->block);
    return rc;
}

void posix_call_make_node(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__MakeNodeRequestProto *q = (const void *)message;
    struct op op;
    struct inode *n = NULL;
    bool made = false;
    int rc = posix_begin(&op, context, call, q->session);
    OP_RESPONSE(&op, cairn__make_node_response_proto, Cairn__MakeNodeResponseProto);
    const struct config *c = op.nn->config;
    struct node_make how = {
        .parent = q->parent,
        .name = slice_of(q->name),
        .mode = q->mode,
        .umask = q->umask,
        .owner = q->owner,
        .group = q->group,
        .rdev = q->rdev,
        .target = slice_of(q->target),
        .replication = q->has_replication ? q->replication : (uint32_t)config_int(c, "dfs.replication"),
        .block_bytes = q->has_block_bytes ? q->block_bytes : (uint64_t)config_size(c, "dfs.blocksize"),
        .existing_is_fine = !q->exclusive,
        .holder = q->unnamed ? q->session : 0,
    };
    if (!rc && q->session)
        posix_drop_new_blocks(&op, q->session, q->drop_block_id, q->n_drop_block_id);
    rc = rc ? rc : posix_closed(&op, q->session, q->handles);
    rc = rc ? rc : posix_check_writable(&op, "make an entry in", q->parent);
    rc = rc ? rc : check_holder(&op, q->unnamed, q->session);
    rc = rc ? rc : node_make(&op.t, &how, &n, &made, &op.err);
    if (!rc)
        txn_final(&op.t, n->id);
    if (!rc && made && q->client_name && inode_is_file(n))
        rc = make_open(&op, q->client_name, n);
    if (!rc && made && q->has_block_length && inode_is_file(n))
        rc = make_block(&op, q, n, response);
    rc = rc ? rc : file_commit(&op.file, &op.err);
    if (!rc) {
        posix_opened(&op, q->session, q->handles, n);
        response->attr = posix_attr(&op, n);
        response->directory = posix_directory_attr(&op, q->parent);
        response->made = made;
    }
    op_end(&op, rc, &response->base);
}

void posix_call_link(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__LinkRequestProto *q = (const void *)message;
    struct op op;
    struct inode *n = NULL;
    int rc = posix_begin(&op, context, call, q->session);
    OP_RESPONSE(&op, cairn__link_response_proto, Cairn__LinkResponseProto);
    rc = rc ? rc : posix_check_writable(&op, "link", q->id);
    rc = rc ? rc : node_link(&op.t, q->id, q->parent, slice_of(q->name), &n, &op.err);
    if (!rc) {
        txn_final(&op.t, n->id);
        response->attr = posix_attr(&op, n);
        response->directory = posix_directory_attr(&op, q->parent);
    }
    op_end(&op, rc, &response->base);
}

void posix_call_unlink(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__UnlinkRequestProto *q = (const void *)message;
    struct op op;
    struct inode *n = NULL;
    int rc = posix_begin(&op, context, call, q->session);
    OP_RESPONSE(&op, cairn__unlink_response_proto, Cairn__UnlinkResponseProto);
    rc = rc ? rc : posix_check_writable(&op, "remove from", q->parent);
    rc = rc ? rc : check_holder(&op, q->hold, q->session);
    rc =
        rc ? rc : node_unlink(&op.t, q->parent, slice_of(q->name), q->directory, q->hold ? q->session : 0, &n, &op.err);
    if (!rc) {
        txn_final(&op.t, n->id);
        rc = file_commit(&op.file, &op.err);
    }
    if (!rc) {
        response->attr = posix_attr(&op, n);
        response->directory = posix_directory_attr(&op, q->parent);
    }
    op_end(&op, rc, &response->base);
}

/* ---- renaming ----
 * A directory that moves between quotas needs the sum of what is below it, which is made on the pool, without the lock
 * (quota_sum.h). */

struct move {
    const char *from, *to;
};

/* Paths of both places, for quotas, which go by them. false: there is no such directory, the rename will say so. */
static bool move_of(struct txn *t, const Cairn__RenameRequestProto *q, struct arena *a, struct move *ret)
{
    struct inode *parent = NULL, *new_parent = NULL;
    const char *from = NULL, *to = NULL;
    if (node_directory(t, q->parent, &parent, NULL) || node_directory(t, q->new_parent, &new_parent, NULL) ||
        txn_path(t, parent, &from, NULL) || txn_path(t, new_parent, &to, NULL))
        return false;
    ret->from = arena_printf(a, "%s/%.*s", from, (int)q->name.len, (const char *)q->name.data);
    ret->to = arena_printf(a, "%s/%.*s", to, (int)q->new_name.len, (const char *)q->new_name.data);
    return true;
}

static bool wants_sums(struct op *op, const Cairn__RenameRequestProto *q)
{
    struct move m;
    if (!quota_is_charged(&op->t) || q->parent == q->new_parent || !move_of(&op->t, q, op->arena, &m))
        return false;
    return quota_sum_is_wanted(&op->t, &op->user, m.from, m.to, false) ||
           (q->flags & NODE_EXCHANGE && quota_sum_is_wanted(&op->t, &op->user, m.to, m.from, false));
}

static int make_sums(struct namenode *nn, struct rpc_call *call, const Cairn__RenameRequestProto *q,
                     struct quota_watch *ret[2], struct err *reterr)
{
    struct txn t;
    struct move m;
    struct fs_user user;
    fs_user_load(&user, nn->dir, op_caller(call));
    if (!user.is_super)
        return 0; /* it will be told so */
    namenode_lock(nn);
    txn_begin(&t, nn->dir, 0);
    bool found = move_of(&t, q, rpc_call_arena(call), &m);
    txn_end(&t);
    namenode_unlock(nn);
    int rc = found ? quota_sum_for_rename(nn, &user, m.from, m.to, false, &ret[0], reterr) : 0;
    if (!rc && found && q->flags & NODE_EXCHANGE)
        rc = quota_sum_for_rename(nn, &user, m.to, m.from, false, &ret[1], reterr);
    return rc;
}

void posix_call_rename(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__RenameRequestProto *q = (const void *)message;
    struct op op;
    struct err why = {0};
    struct inode *n = NULL, *replaced = NULL;
    struct quota_watch *watches[2] = {NULL, NULL};
    struct node_rename how = {q->parent, q->new_parent, slice_of(q->name), slice_of(q->new_name),
                              q->flags,  q->owner,      q->group};
    int sum_rc = rpc_call_may_block(call) ? make_sums(context, call, q, watches, &why) : 0;
    int rc = posix_begin(&op, context, call, q->session);
    OP_RESPONSE(&op, cairn__rename_response_proto, Cairn__RenameResponseProto);
    if (!rc && !rpc_call_may_block(call) && wants_sums(&op, q)) {
        op_end_parked(&op);
        rpc_call_repeat_in_pool(call);
        return;
    }
    if (!rc && sum_rc) {
        rc = sum_rc;
        op.err = why;
    }
    rc = rc ? rc : posix_check_writable(&op, "rename in", q->parent);
    rc = rc ? rc : check_holder(&op, q->hold, q->session);
    rc = rc ? rc : node_rename(&op.t, &how, q->hold ? q->session : 0, &n, &replaced, &op.err);
    if (!rc) {
        txn_final(&op.t, n->id);
        rc = file_commit(&op.file, &op.err);
    }
    if (!rc) {
        response->attr = posix_attr(&op, n);
        response->directory = posix_directory_attr(&op, q->new_parent);
        response->replaced = replaced ? posix_attr(&op, replaced) : NULL;
    }
    op_end(&op, rc, &response->base);
    quota_sum_end(op.nn, watches[0]);
    quota_sum_end(op.nn, watches[1]);
}

/* Neither quotas nor sessions are concerned, as names change in one directory. */
void posix_call_replace(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__ReplaceRequestProto *q = (const void *)message;
    struct op op;
    op_begin(&op, context, call);
    OP_RESPONSE(&op, cairn__replace_response_proto, Cairn__ReplaceResponseProto);
    int rc = op_check_safe_mode(&op, "replace", q->old);
    rc = rc ? rc : tree_replace(&op.t, &op.user, q->old, q->new_, q->aside, &op.err);
    op_end(&op, rc, &response->base);
}

/* PosixProtocol: the blocks of a file that is edited in place. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "namenode/namespace/files_edit.h"
#include "namenode/namespace/lost_streams.h"
#include "namenode/namespace/sessions.h"
#include "namenode/serve/park.h"
#include "namenode/serve/posix_calls.h"
#include "namenode/serve/status.h"

#define EXCLUDED_MAX 1024
#define NAME_MAX_LEN 255 /* of a client */

static int find_file(struct op *op, uint64_t id, struct inode **ret)
{
    int rc = posix_inode(op, id, ret);
    if (!rc && !inode_is_file(*ret))
        rc = err_posix(&op->err, EINVAL, "inode %" PRIu64 " is no regular file", id);
    return rc;
}

/* ---- what is there ---- */

static Cairn__PieceProto *piece_proto(struct arena *a, const struct file_block *b)
{
    Cairn__PieceProto *p = arena_new(a, Cairn__PieceProto);
    cairn__piece_proto__init(p);
    p->length = b->length_bytes;
    p->has_block_id = p->has_stamp = !file_block_is_hole(b);
    p->block_id = b->id;
    p->stamp = b->stamp;
    return p;
}

/* Those that overlap [offset, end). */
static void list_pieces(struct arena *a, const struct inode *n, uint64_t offset, uint64_t end,
                        Cairn__ReadPiecesResponseProto *ret)
{
    size_t i = 0;
    uint64_t at = 0;
    for (; i < n->block_count && at + n->blocks[i].length_bytes <= offset; i++)
        at += n->blocks[i].length_bytes;
    ret->index = i;
    ret->start = at;
    ret->piece = arena_array(a, Cairn__PieceProto *, n->block_count - i);
    for (; i < n->block_count && at < end; at += n->blocks[i++].length_bytes)
        ret->piece[ret->n_piece++] = piece_proto(a, &n->blocks[i]);
}

void posix_call_read_pieces(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__ReadPiecesRequestProto *q = (const void *)message;
    struct op op;
    struct inode *n = NULL;
    int rc = posix_begin(&op, context, call, 0);
    OP_RESPONSE(&op, cairn__read_pieces_response_proto, Cairn__ReadPiecesResponseProto);
    rc = rc ? rc : find_file(&op, q->id, &n);
    if (!rc) {
        uint64_t offset = q->has_offset ? q->offset : 0, end = UINT64_MAX;
        if (q->has_length && q->length < UINT64_MAX - offset)
            end = offset + q->length;
        response->attr = posix_attr(&op, n);
        list_pieces(op.arena, n, offset, end, response);
    }
    op_end_read(&op, rc, &response->base);
}

/* ---- new blocks ---- */

static int check_client_name(struct op *op, const char *name)
{
    if (!*name || strlen(name) > NAME_MAX_LEN)
        return err_set(&op->err, ERR_ILLEGAL_ARGUMENT, "the client's name is empty, or longer than %d bytes",
                       NAME_MAX_LEN);
    return 0;
}

static int check_new_blocks(struct op *op, const Cairn__NewBlocksRequestProto *q)
{
    if (q->n_excluded > EXCLUDED_MAX)
        return err_set(&op->err, ERR_ILLEGAL_ARGUMENT, "%zu excluded datanodes", q->n_excluded);
    if (q->n_like && q->n_like != q->n_length)
        return err_set(&op->err, ERR_ILLEGAL_ARGUMENT, "%zu new blocks like %zu others", q->n_length, q->n_like);
    return check_client_name(op, q->client_name);
}

static Hdfs__LocatedBlockProto *located(struct op *op, const struct new_block *b)
{
    return status_located_block(op->arena, op->nn, b->block, STATUS_NO_OFFSET, b->targets, b->target_count,
                                rpc_call_client_ip(op->call));
}

int posix_new_block(struct op *op, struct inode *file, uint64_t session, const char *client_name, uint64_t length,
                    Hdfs__LocatedBlockProto **ret)
{
    struct new_block *made = NULL;
    uint64_t room = length < file->block_bytes ? length : file->block_bytes;
    struct new_blocks_args args = {.file = file,
                                   .session = session,
                                   .client_name = client_name,
                                   .client_ip = rpc_call_client_ip(op->call),
                                   .lengths = &room,
                                   .count = 1};
    int rc = check_client_name(op, client_name);
    rc = rc ? rc : file_new_blocks(&op->file, &args, &made, &op->err);
    if (!rc)
        *ret = located(op, made);
    return rc;
}

void posix_call_new_blocks(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__NewBlocksRequestProto *q = (const void *)message;
    struct op op;
    struct inode *n = NULL;
    struct new_block *made = NULL;
    int rc = posix_begin(&op, context, call, q->session);
    OP_RESPONSE(&op, cairn__new_blocks_response_proto, Cairn__NewBlocksResponseProto);
    rc = rc ? rc : posix_check_writable(&op, "add blocks for", q->id);
    rc = rc ? rc : check_new_blocks(&op, q);
    rc = rc ? rc : find_file(&op, q->id, &n);
    if (!rc) {
        struct new_blocks_args args = {.file = n,
                                       .session = q->session,
                                       .client_name = q->client_name,
                                       .client_ip = rpc_call_client_ip(call),
                                       .lengths = q->length,
                                       .count = q->n_length,
                                       .excluded = (const char *const *)q->excluded,
                                       .excluded_count = q->n_excluded,
                                       .like = q->n_like ? q->like : NULL};
        rc = file_new_blocks(&op.file, &args, &made, &op.err);
    }
    if (!rc) {
        response->block = arena_array(op.arena, Hdfs__LocatedBlockProto *, q->n_length);
        for (size_t i = 0; i < q->n_length; i++)
            response->block[response->n_block++] = located(&op, &made[i]);
    }
    op_end(&op, rc, &response->base);
}

void posix_drop_new_blocks(struct op *op, uint64_t session, const uint64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct detached_block *d = detached_find(op->nn->detached, ids[i]);
        if (d && d->session == session)
            detached_drop(op->nn, d->id);
    }
}

void posix_call_drop_blocks(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__DropBlocksRequestProto *q = (const void *)message;
    struct op op;
    int rc = posix_begin(&op, context, call, q->session);
    OP_RESPONSE(&op, cairn__drop_blocks_response_proto, Cairn__DropBlocksResponseProto);
    if (!rc)
        posix_drop_new_blocks(&op, q->session, q->block_id, q->n_block_id);
    op_end(&op, rc, &response->base);
}

/* ---- edits ---- */

static struct file_block *blocks_of(struct arena *a, Cairn__PieceProto *const *pieces, size_t count)
{
    struct file_block *list = arena_array(a, struct file_block, count);
    for (size_t i = 0; i < count; i++) {
        const struct file_block hole = {ZERO_BLOCK_ID, ZERO_BLOCK_STAMP, pieces[i]->length, BLOCK_COMPLETE};
        list[i] = hole;
        if (!pieces[i]->has_block_id)
            continue;
        list[i].id = pieces[i]->block_id;
        list[i].stamp = pieces[i]->stamp;
    }
    return list;
}

static int edit(struct op *op, const Cairn__EditRequestProto *q, Cairn__EditResponseProto *response, bool *ret_done)
{
    const struct session *session = sessions_find(op->nn->sessions, q->session);
    struct edit e = {.session = q->session,
                     .count = q->n_span,
                     .mtime_ns = q->has_mtime_ns ? q->mtime_ns : 0,
                     .stream = q->stream,
                     .stream_end = q->stream_end,
                     .client_name = session ? session->name : "",
                     .client_ip = rpc_call_client_ip(op->call)};
    struct edit_span *spans = arena_array(op->arena, struct edit_span, q->n_span);
    for (size_t i = 0; i < q->n_span; i++) {
        const Cairn__SpanProto *s = q->span[i];
        spans[i] = (struct edit_span){.index = s->index,
                                      .has_start = s->has_start,
                                      .start = s->start,
                                      .at_end = s->at_end,
                                      .old_blocks = blocks_of(op->arena, s->old, s->n_old),
                                      .old_count = s->n_old,
                                      .new_blocks = blocks_of(op->arena, s->new_, s->n_new_),
                                      .new_count = s->n_new_};
    }
    e.spans = spans;
    struct node_set set = q->set ? posix_set_of(op, q->set) : (struct node_set){0};
    e.set = q->set ? &set : NULL;
    int rc = find_file(op, q->id, &e.file);
    if (!rc && q->set && q->set->id != q->id)
        rc = err_set(&op->err, ERR_ILLEGAL_ARGUMENT, "an edit of inode %" PRIu64 " that sets attributes of another",
                     q->id);
    rc = rc ? rc : file_edit(&op->file, &e, ret_done, &op->err);
    if (rc || !*ret_done)
        return rc;
    response->attr = posix_attr(op, e.file);
    response->has_is_set = response->is_set = q->set && e.count;
    const struct lost_stream *lost = e.stream ? lost_stream_of(e.file, e.stream) : NULL;
    response->has_stream_length = lost != NULL;
    response->stream_length = lost ? lost->length_bytes : 0;
    response->has_stream_saved = response->stream_saved = lost && lost->is_saved;
    return 0;
}

static int not_yet(struct op *op, uint64_t id)
{
    return err_set(&op->err, ERR_NOT_REPLICATED_YET, "Not replicated yet: a new block for inode %" PRIu64, id);
}

static void edit_again(struct namenode *nn, struct rpc_call *call, uint64_t inode, const ProtobufCMessage *message,
                       bool is_last, bool *ret_answered)
{
    const Cairn__EditRequestProto *q = (const void *)message;
    struct op op;
    bool done = false;
    op_resume(&op, nn, call);
    op.t.session = q->session;
    OP_RESPONSE(&op, cairn__edit_response_proto, Cairn__EditResponseProto);
    int rc = edit(&op, q, response, &done);
    if (!rc && !done && is_last)
        rc = not_yet(&op, inode);
    *ret_answered = rc || done;
    if (*ret_answered)
        op_end_resumed(&op, rc, &response->base);
    else
        txn_end(&op.t);
}

void posix_call_edit(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__EditRequestProto *q = (const void *)message;
    struct op op;
    bool done = false;
    int rc = posix_begin(&op, context, call, q->session);
    OP_RESPONSE(&op, cairn__edit_response_proto, Cairn__EditResponseProto);
    rc = rc ? rc : posix_check_writable(&op, "edit", q->id);
    rc = rc ? rc : edit(&op, q, response, &done);
    if (!rc && !done && park(op.nn, call, q->id, message, edit_again, op.file.now_ms + PARK_MS)) {
        op_end_parked(&op);
        return;
    }
    if (!rc && !done)
        rc = not_yet(&op, q->id);
    op_end(&op, rc, &response->base);
}

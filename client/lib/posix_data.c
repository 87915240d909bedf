#include "client/lib/posix_data.h"

#include <inttypes.h>
#include <stdio.h>

#include "client/lib/block_fan.h"
#include "client/lib/block_writer.h"
#include "client/lib/dfs_convert.h"
#include "client/lib/posix_internal.h"
#include "common/clock.h"

#define ANSWER_MAX_BYTES (64u << 20)
#define SMALL_BYTES      (1u << 20)
#define HURRY_MAX_BYTES  (1 << 20)
#define SETUP_WAIT_MS    1000
#define SETUP_HOPE_MS    15000 /* a datanode that is just being started will do in a moment */
#define EDIT_WAIT_MS     25000 /* for the datanodes' reports, as long as `complete` waits */

/* ---- what is there ---- */

int posix_read_pieces(struct dfs *fs, uint64_t file_id, uint64_t offset, uint64_t length, struct arena *a,
                      struct posix_attr *ret_attr, struct posix_pieces *ret, struct err *reterr)
{
    Cairn__ReadPiecesRequestProto request = CAIRN__READ_PIECES_REQUEST_PROTO__INIT;
    ProtobufCMessage *message;
    request.id = file_id;
    request.has_offset = 1;
    request.offset = offset;
    request.has_length = length != POSIX_TO_END;
    request.length = length;
    int rc = posix_call(fs, "readPieces", &request.base, &cairn__read_pieces_response_proto__descriptor, a, &message,
                        reterr);
    if (rc)
        return rc;
    const Cairn__ReadPiecesResponseProto *answer = (const void *)message;
    struct posix_piece *list = arena_array(a, struct posix_piece, answer->n_piece);
    int64_t end = 0;
    size_t count = answer->n_piece;
    if (count && answer->attr->is_being_written && !answer->piece[count - 1]->length)
        count--; /* its writer has not told how long it is so far */
    for (size_t i = 0; i < count; i++) {
        const Cairn__PieceProto *p = answer->piece[i];
        if (!p->length || __builtin_add_overflow(end, p->length, &end))
            return err_set(reterr, ERR_PROTOCOL, "inode %" PRIu64 ": a piece of %" PRIu64 " bytes", file_id, p->length);
        list[i] = (struct posix_piece){p->length, p->block_id, p->stamp};
    }
    *ret = (struct posix_pieces){answer->index, answer->start, list, count};
    posix_attr_of(answer->attr, a, ret_attr);
    return 0;
}

/* ---- new blocks ---- */

int posix_new_blocks(struct dfs *fs, uint64_t session, uint64_t file_id, const uint64_t *lengths, const uint64_t *like,
                     size_t count, const char *const *excluded, size_t excluded_count, struct arena *a,
                     struct dfs_block **ret, struct err *reterr)
{
    Cairn__NewBlocksRequestProto request = CAIRN__NEW_BLOCKS_REQUEST_PROTO__INIT;
    ProtobufCMessage *message;
    request.session = session;
    request.id = file_id;
    request.length = (uint64_t *)(uintptr_t)lengths;
    request.n_length = count;
    request.like = (uint64_t *)(uintptr_t)like;
    request.n_like = like ? count : 0;
    request.excluded = (char **)(uintptr_t)excluded;
    request.n_excluded = excluded_count;
    request.client_name = fs->client_name;
    int rc =
        posix_call(fs, "newBlocks", &request.base, &cairn__new_blocks_response_proto__descriptor, a, &message, reterr);
    if (rc)
        return rc;
    const Cairn__NewBlocksResponseProto *answer = (const void *)message;
    if (answer->n_block != count)
        return err_set(reterr, ERR_PROTOCOL, "%zu new blocks were asked for, %zu were given", count, answer->n_block);
    struct dfs_block *list = arena_array(a, struct dfs_block, count);
    for (size_t i = 0; i < count; i++) {
        rc = convert_block(answer->block[i], a, &list[i], reterr);
        if (!rc && !list[i].node_count)
            rc = err_set(reterr, ERR_PROTOCOL, "new block %" PRIu64 " has no datanodes", list[i].block_id);
        if (rc)
            return rc;
    }
    *ret = list;
    return 0;
}

int posix_drop_blocks(struct dfs *fs, uint64_t session, const uint64_t *block_ids, size_t count, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_BYTES);
    Cairn__DropBlocksRequestProto request = CAIRN__DROP_BLOCKS_REQUEST_PROTO__INIT;
    ProtobufCMessage *answer;
    request.session = session;
    request.block_id = (uint64_t *)(uintptr_t)block_ids;
    request.n_block_id = count;
    return posix_call(fs, "dropBlocks", &request.base, &cairn__drop_blocks_response_proto__descriptor, &a, &answer,
                      reterr);
}

/* ---- uploading ---- */

struct upload {
    struct dfs *fs;
    uint64_t session;
    const struct posix_block_write *what;
    struct open_file file;
    struct packet_pool pool;
    struct lost_nodes lost;
};

static void drop(struct upload *u, uint64_t block_id)
{
    (void)!posix_drop_blocks(u->fs, u->session, &block_id, 1, NULL); /* or it goes with the session */
}

static int ask_block(struct upload *u, struct arena *a, struct dfs_block *ret, struct err *reterr)
{
    const char **excluded = arena_array(a, const char *, u->lost.count);
    struct dfs_block *made;
    for (size_t i = 0; i < u->lost.count; i++)
        excluded[i] = u->lost.nodes[i].uuid;
    int rc = posix_new_blocks(u->fs, u->session, u->what->file_id, &u->what->length, NULL, 1, excluded, u->lost.count,
                              a, &made, reterr);
    if (!rc)
        *ret = made[0];
    return rc;
}

static struct block_writer_options options_of(struct upload *u, bool hurries)
{
    return (struct block_writer_options){.file = &u->file,
                                         .pool = &u->pool,
                                         .lost = &u->lost,
                                         .replication = u->what->replication,
                                         .block_bytes = (int64_t)u->what->length,
                                         .hurries = hurries,
                                         .reports_may_wait = true};
}

static int begin_on(struct upload *u, const struct dfs_block *b, bool hurries, struct block_writer **ret,
                    struct err *reterr)
{
    struct block_writer_options options = options_of(u, hurries);
    int rc = block_writer_begin(&options, b, ret, reterr);
    if (rc)
        drop(u, b->block_id);
    return rc;
}

/* On the block that was given, else on others: without the datanodes that failed, as long as there are any; then those
 * may be back. */
static int begin(struct upload *u, const struct dfs_block *given, struct block_writer **ret, struct err *reterr)
{
    int64_t patience_ms = config_ms(u->fs->config, "cairn.client.retry-for"), since_ms = clock_mono_ms();
    patience_ms = patience_ms > SETUP_HOPE_MS ? patience_ms : SETUP_HOPE_MS;
    int rc = given ? begin_on(u, given, false, ret, reterr) : ERR_IO;
    if (!rc)
        return 0;
    for (int in_vain = 0;;) {
        AUTO_ARENA(a, ANSWER_MAX_BYTES);
        struct dfs_block b;
        rc = ask_block(u, &a, &b, reterr);
        if (!rc && !begin_on(u, &b, false, ret, reterr))
            return 0;
        bool is_final = rc && rc != ERR_IO;
        if (is_final || clock_mono_ms() - since_ms > patience_ms)
            return rc ? rc : reterr ? reterr->code : ERR_IO;
        if (rc) {
            if (in_vain++ || !u->lost.count)
                clock_sleep_ms(SETUP_WAIT_MS);
            lost_nodes_clear(&u->lost);
        }
    }
}

/* The next one, from *at on, which goes on; *ret NULL: there is none. */
static int next_packet(struct upload *u, uint64_t *at, int64_t seqno, struct write_packet **ret, struct err *reterr)
{
    uint64_t left = u->what->length - *at;
    *ret = NULL;
    if (!left)
        return 0;
    struct write_packet *p = packet_take(&u->pool, (int64_t)*at);
    p->data_bytes = left < p->capacity ? (uint32_t)left : p->capacity;
    int rc = u->what->source.read(u->what->source.context, *at, p->data, p->data_bytes, reterr);
    if (rc) {
        packet_give_back(&u->pool, p);
        return rc;
    }
    *at += p->data_bytes;
    packet_seal(&u->pool, p, seqno);
    *ret = p;
    return 0;
}

static struct write_packet *last_packet(struct upload *u, int64_t seqno)
{
    struct write_packet *last = packet_take(&u->pool, (int64_t)u->what->length);
    last->last = true;
    last->sync = u->what->sync;
    packet_seal(&u->pool, last, seqno);
    return last;
}

static int send_bytes(struct upload *u, struct block_writer *w, struct err *reterr)
{
    uint64_t at = 0;
    for (int64_t seqno = 0;; seqno++) {
        struct write_packet *p;
        int rc = next_packet(u, &at, seqno, &p, reterr);
        if (rc == 0 && !p)
            return block_writer_end(w, last_packet(u, seqno), reterr);
        rc = rc ? rc : block_writer_send(w, p, reterr);
        if (rc)
            return rc;
    }
}

/* On a block that was begun; which is given up if it fails. */
static int fill(struct upload *u, struct block_writer *w, struct posix_piece *ret, struct err *reterr)
{
    int rc = send_bytes(u, w, reterr);
    const struct dfs_block *b = block_writer_block(w);
    if (!rc && (uint64_t)b->bytes != u->what->length)
        rc = err_set(reterr, ERR_BAD_STATE, "block %" PRIu64 ": %" PRIu64 " bytes written, %" PRId64 " acknowledged",
                     b->block_id, u->what->length, b->bytes);
    if (rc)
        drop(u, b->block_id);
    else
        *ret = (struct posix_piece){u->what->length, b->block_id, b->gen_stamp};
    block_writer_free(w);
    return rc;
}

/* Everything in one go to each datanode. */
static int fan_out(struct upload *u, const struct dfs_block *b, struct posix_piece *ret, struct err *reterr)
{
    struct write_packet *packets = NULL, **end = &packets;
    struct block_writer_options options = options_of(u, false);
    uint64_t at = 0;
    int64_t seqno = 0;
    int rc;
    while ((rc = next_packet(u, &at, seqno, end, reterr)) == 0 && *end) {
        seqno++;
        end = &(*end)->next;
    }
    *end = rc ? NULL : last_packet(u, seqno);
    rc = rc ? rc : block_fan_write(&options, b, packets, reterr);
    while (packets) {
        struct write_packet *p = packets;
        packets = p->next;
        packet_give_back(&u->pool, p);
    }
    if (rc)
        drop(u, b->block_id);
    else
        *ret = (struct posix_piece){u->what->length, b->block_id, b->gen_stamp};
    return rc;
}

/* What is short goes out at once, and if that fails again the careful way, on another block. */
static int upload(struct upload *u, struct posix_piece *ret, struct err *reterr)
{
    AUTO_ARENA(a, ANSWER_MAX_BYTES);
    struct block_writer *w = NULL;
    struct dfs_block asked;
    const struct dfs_block *given = u->what->block;
    int rc = 0;
    if (u->what->length <= HURRY_MAX_BYTES) {
        if (!given && (rc = ask_block(u, &a, &asked, reterr)) == 0)
            given = &asked;
        bool fans = block_fan_suits(u->fs, &u->pool, (int64_t)u->what->length);
        if (rc == 0 && fans && fan_out(u, given, ret, reterr) == 0)
            return 0;
        if (rc == 0 && !fans && begin_on(u, given, true, &w, reterr) == 0 && fill(u, w, ret, reterr) == 0)
            return 0;
        given = NULL;
    }
    rc = begin(u, given, &w, reterr);
    return rc ? rc : fill(u, w, ret, reterr);
}

int posix_write_block(struct dfs *fs, uint64_t session, const struct posix_block_write *what, struct posix_piece *ret,
                      struct err *reterr)
{
    char name[64];
    uint32_t chunk_bytes;
    enum checksum_type type;
    struct err local;
    if (!what->length || what->length > INT64_MAX)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "a block of %" PRIu64 " bytes", what->length);
    int rc = packet_checksum_choose(fs->config, 0, &chunk_bytes, &type, reterr);
    if (rc)
        return rc;
    snprintf(name, sizeof name, "inode %" PRIu64, what->file_id);
    struct upload u = {.fs = fs, .session = session, .what = what, .file = {fs, name, what->file_id}};
    packet_pool_init(&u.pool, packet_bytes_for(fs->config, what->length), chunk_bytes, type);
    rc = upload(&u, ret, reterr ? reterr : &local);
    packet_pool_free(&u.pool);
    lost_nodes_clear(&u.lost);
    return rc;
}

/* ---- the swap ---- */

static Cairn__PieceProto **pieces_of(const struct posix_piece *pieces, size_t count, struct arena *a)
{
    Cairn__PieceProto **list = arena_array(a, Cairn__PieceProto *, count);
    for (size_t i = 0; i < count; i++) {
        list[i] = arena_new(a, Cairn__PieceProto);
        cairn__piece_proto__init(list[i]);
        list[i]->length = pieces[i].length;
        list[i]->has_block_id = list[i]->has_stamp = pieces[i].block_id != 0;
        list[i]->block_id = pieces[i].block_id;
        list[i]->stamp = pieces[i].stamp;
    }
    return list;
}

static int call_edit(struct dfs *fs, uint64_t session, uint64_t file_id, const struct posix_edit *what, struct arena *a,
                     const Cairn__EditResponseProto **ret, struct err *reterr)
{
    Cairn__EditRequestProto request = CAIRN__EDIT_REQUEST_PROTO__INIT;
    ProtobufCMessage *message;
    request.session = session;
    request.id = file_id;
    request.has_mtime_ns = what->mtime_ns != 0;
    request.mtime_ns = what->mtime_ns;
    request.has_stream = what->stream != 0;
    request.stream = what->stream;
    request.has_stream_end = what->stream_end != 0;
    request.stream_end = what->stream_end;
    Cairn__SetAttrRequestProto set;
    if (what->set)
        posix_set_proto(file_id, what->set, request.set = &set);
    request.n_span = what->count;
    request.span = arena_array(a, Cairn__SpanProto *, what->count);
    for (size_t i = 0; i < what->count; i++) {
        const struct posix_span *from = &what->spans[i];
        Cairn__SpanProto *s = request.span[i] = arena_new(a, Cairn__SpanProto);
        cairn__span_proto__init(s);
        s->index = from->index;
        s->has_start = 1;
        s->start = from->start;
        s->has_at_end = s->at_end = from->at_end;
        s->n_old = from->old_count;
        s->old = pieces_of(from->old_pieces, s->n_old, a);
        s->n_new_ = from->new_count;
        s->new_ = pieces_of(from->new_pieces, s->n_new_, a);
    }
    int64_t until_ms = clock_mono_ms() + EDIT_WAIT_MS;
    int rc;
    do /* the namenode holds the call while it waits */
        rc = posix_call(fs, "edit", &request.base, &cairn__edit_response_proto__descriptor, a, &message, reterr);
    while (rc == ERR_NOT_REPLICATED_YET && clock_mono_ms() < until_ms);
    if (!rc)
        *ret = (const void *)message;
    return rc;
}

int posix_edit(struct dfs *fs, uint64_t session, uint64_t file_id, const struct posix_edit *what, struct arena *a,
               struct posix_attr *ret_attr, struct err *reterr)
{
    const Cairn__EditResponseProto *answer;
    int rc = call_edit(fs, session, file_id, what, a, &answer, reterr);
    if (rc)
        return rc;
    posix_attr_of(answer->attr, a, ret_attr);
    if (what->set && !answer->is_set) /* a namenode of an earlier version */
        rc = posix_setattr(fs, session, file_id, what->set, a, ret_attr, reterr);
    return rc;
}

int posix_end_stream(struct dfs *fs, uint64_t session, uint64_t file_id, uint64_t stream, uint64_t end,
                     struct posix_lost_stream *ret, struct err *reterr)
{
    AUTO_ARENA(a, SMALL_BYTES);
    const Cairn__EditResponseProto *answer;
    const struct posix_edit what = {.stream = stream, .stream_end = end};
    int rc = call_edit(fs, session, file_id, &what, &a, &answer, reterr);
    if (!rc)
        *ret = (struct posix_lost_stream){answer->has_stream_length, answer->stream_saved, answer->stream_length};
    return rc;
}

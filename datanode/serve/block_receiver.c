#include "datanode/serve/block_receiver.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/rd.h"
#include "datanode/report/reporter.h"
#include "datanode/serve/block_sender.h"
#include "datanode/serve/packet_stream.h"
#include "datanode/serve/pipeline_ack.h"
#include "proto/message.h"
#include "proto/op_header.h"

#define ACK_BUFFER_BYTES 8192 /* acknowledgements from downstream; one is about 4 bytes per node and some */
#define ACK_ARENA_BYTES  (256u << 10)
#define WAIT_TELL_MS     10000 /* well below the time for which balancers wait */

struct receiver {
    const struct receive_args *args;
    struct datanode *dn;
    struct replica_writer *writer; /* NULL: finished or given up */
    struct packet_stream packets;
    struct ack_queue queue;
    int64_t last_seqno;
    bool last_came;   /* the last packet was stored; nothing more comes from upstream */
    bool sync_at_end; /* the last packet asked for it */
    bool done;        /* everything is stored and acknowledged */
    bool mirror_lost;
    bool setup_due; /* by the next node; packets are handed on meanwhile */
    uint8_t ack_bytes[ACK_BUFFER_BYTES];
    size_t ack_len;
    struct arena acks; /* decoded ones */
    struct buf out;
    struct ack_out ack;
    struct err mirror_error;
    int timeout_ms;
    int64_t mirror_deadline_ms;
    int64_t waited_at_ms;
};

static bool has_mirror(const struct receiver *r)
{
    return r->args->mirror_fd >= 0 && !r->mirror_lost;
}

static void lose_mirror(struct receiver *r, const struct err *why)
{
    r->mirror_lost = true;
    r->mirror_error = *why;
}

/* ---- telling upstream ---- */

/* Behind those that wait already: what is done while packets are at hand goes out in one piece. */
static void queue_ack(struct receiver *r)
{
    Hdfs__PipelineAckProto ack = HDFS__PIPELINE_ACK_PROTO__INIT;
    ack.seqno = r->ack.seqno;
    ack.n_reply = r->ack.count;
    ack.reply = r->ack.replies;
    ack.n_flag = r->ack.count;
    ack.flag = r->ack.flags;
    message_pack_delimited(&r->out, &ack.base);
}

/* What is told must outlive this process. If the last packet is here, all that came is about to be finalized, and told
 * then; the writer has nothing more to send and loses nothing by it. */
static int send_acks(struct receiver *r, struct err *reterr)
{
    if (!r->out.len)
        return 0;
    if (r->writer && replica_writer_holds(r->writer)) {
        int kept = r->last_came ? 1 : replica_writer_keep(r->writer, reterr);
        if (kept != 0)
            return kept < 0 ? kept : 0;
    }
    int rc = net_write_full(r->args->x->fd, r->out.base, r->out.len, reterr);
    buf_clear(&r->out);
    return rc;
}

static Hdfs__Status status_of(int code)
{
    return code == ERR_CHECKSUM ? HDFS__STATUS__ERROR_CHECKSUM : HDFS__STATUS__ERROR;
}

static void tell_failure(struct receiver *r, Hdfs__Status own)
{
    if (!r->args->acks)
        return;
    if (r->setup_due) {
        (void)r->args->on_setup(r->args->setup_context, NULL, own == HDFS__STATUS__SUCCESS);
        return;
    }
    ack_queue_fail(&r->queue, own, r->args->mirror_fd >= 0, r->last_seqno, &r->ack);
    queue_ack(r);
    r->args->x->refused = send_acks(r, NULL) == 0;
}

/* ---- the end of the block ---- */

static int finish(struct receiver *r, struct err *reterr)
{
    const struct receive_args *a = r->args;
    struct replica_view made;
    size_t storage = replica_writer_storage(r->writer);
    int rc = a->end == RECEIVE_TO_RBW ? replica_writer_become_rbw(r->writer, a->visible_bytes, &made, reterr)
                                      : replica_writer_finalize(r->writer, r->sync_at_end, &made, reterr);
    if (rc < 0) {
        datanode_check_storage(r->dn, storage);
        return rc;
    }
    r->writer = NULL;
    if (a->report && a->report_unasked)
        reporter_received_unasked(r->dn->reporter, &made);
    else if (a->report)
        reporter_received(r->dn->reporter, &made, a->delete_hint);
    metric_add(&datanode_blocks_written, 1);
    return 0;
}

/* `done` was acknowledged by everybody behind us. */
static int on_acked(struct receiver *r, const struct pending_ack *done, struct err *reterr)
{
    if (r->writer && done->end_offset)
        replica_writer_acked(r->writer, done->end_offset);
    if (done->last) {
        int rc = finish(r, reterr);
        if (rc < 0)
            return rc;
        r->done = true;
    }
    if (r->args->acks)
        queue_ack(r);
    return 0;
}

/* ---- packets ---- */

static int check_packet(const struct receiver *r, const struct packet *p, struct err *reterr)
{
    const struct packet_header *h = &p->header;
    const struct meta_header *sent = &r->args->sent;
    if (h->offset_in_block < 0)
        return err_set(reterr, ERR_PROTOCOL, "packet %" PRId64 " has offset %" PRId64, h->seqno, h->offset_in_block);
    uint64_t expected = meta_chunk_count(sent, h->data_bytes) * meta_checksum_bytes(sent);
    if (h->checksum_bytes != expected && h->checksum_bytes != 0)
        return err_set(reterr, ERR_PROTOCOL,
                       "packet %" PRId64 " has %u bytes of checksums for %u bytes of data, expected were %" PRIu64,
                       h->seqno, h->checksum_bytes, h->data_bytes, expected);
    if (r->last_came)
        return err_set(reterr, ERR_PROTOCOL, "packet %" PRId64 " came after the last one", h->seqno);
    return 0;
}

static void forward(struct receiver *r, const struct packet *p)
{
    struct err why;
    if (has_mirror(r) && net_write_full(r->args->mirror_fd, p->raw.base, p->raw.len, &why) < 0)
        lose_mirror(r, &why);
}

static int store(struct receiver *r, const struct packet *p, struct err *reterr)
{
    const struct packet_header *h = &p->header;
    int rc = 0;
    if (h->data_bytes) {
        struct write_piece piece = {.offset = (uint64_t)h->offset_in_block,
                                    .data = p->data,
                                    .data_bytes = h->data_bytes,
                                    .checksums = h->checksum_bytes ? p->checksums : NULL};
        rc = replica_writer_write(r->writer, &piece, &r->args->sent, reterr);
        metric_add(&datanode_bytes_written, h->data_bytes);
    }
    if (rc < 0 || !h->sync_block)
        return rc;
    r->sync_at_end |= h->last_in_block;
    /* Finalizing syncs too, but only when the next node has answered: both disks shall work at the same time. */
    return h->last_in_block && !has_mirror(r) ? 0 : replica_writer_sync(r->writer, reterr);
}

static int on_packet(struct receiver *r, const struct packet *p, struct err *reterr)
{
    const struct packet_header *h = &p->header;
    int rc = check_packet(r, p, reterr);
    if (rc < 0)
        return rc;
    r->last_seqno = h->seqno;
    struct write_piece piece = {.offset = (uint64_t)h->offset_in_block,
                                .data = p->data,
                                .data_bytes = h->data_bytes,
                                .checksums = h->checksum_bytes ? p->checksums : NULL};
    rc = write_piece_verify(&piece, &r->args->sent, reterr);
    if (rc < 0)
        return rc;
    forward(r, p);
    rc = store(r, p, reterr);
    if (rc < 0)
        return rc;
    r->last_came = h->last_in_block;
    throttle_wait(r->args->throttle, h->data_bytes);
    if (r->args->on_wait && clock_mono_ms() - r->waited_at_ms > WAIT_TELL_MS) {
        r->waited_at_ms = clock_mono_ms();
        (void)r->args->on_wait(r->args->x); /* who asked for it may have gone; we finish what was begun */
    }
    struct pending_ack pending = {.seqno = h->seqno,
                                  .end_offset = h->data_bytes ? (uint64_t)h->offset_in_block + h->data_bytes : 0,
                                  .last = h->last_in_block};
    if (r->args->acks && has_mirror(r)) {
        if (!r->queue.count)
            r->mirror_deadline_ms = clock_mono_ms() + r->timeout_ms;
        return ack_queue_push(&r->queue, &pending, reterr);
    }
    rc = ack_queue_push(&r->queue, &pending, reterr);
    if (rc < 0 || (r->args->acks && r->mirror_lost))
        return rc; /* the loop tells the loss with this packet */
    ack_queue_pop_own(&r->queue, &pending, &r->ack);
    return on_acked(r, &pending, reterr);
}

/* ---- acknowledgements from downstream ---- */

/* One message at the front of ack_bytes: its size, 0 if it is not whole yet, or an error. */
static int decode_answer(const struct receiver *r, const ProtobufCMessageDescriptor *type, struct arena *a,
                         ProtobufCMessage **ret, struct err *reterr)
{
    struct rd rd = rd_of((struct slice){r->ack_bytes, r->ack_len});
    uint64_t len = rd_varint(&rd);
    size_t head = (size_t)(rd.pos - r->ack_bytes);
    if (rd.bad)
        return r->ack_len > 10 ? err_set(reterr, ERR_PROTOCOL, "the next node's answer has no length") : 0;
    if (len > ACK_BUFFER_BYTES - 10)
        return err_set(reterr, ERR_PROTOCOL, "the next node's answer has %" PRIu64 " bytes", len);
    if (r->ack_len < head + len)
        return 0;
    int rc = message_unpack(type, (struct slice){r->ack_bytes + head, (size_t)len}, a, ret, reterr);
    return rc < 0 ? rc : (int)(head + len);
}

static void drop_answer(struct receiver *r, size_t used)
{
    memmove(r->ack_bytes, r->ack_bytes + used, r->ack_len - used);
    r->ack_len -= used;
    arena_reset(&r->acks);
}

static int take_ack(struct receiver *r, const Hdfs__PipelineAckProto *ack, size_t used, struct err *reterr)
{
    struct pending_ack done;
    struct err why;
    bool failed = false;
    if (ack_queue_downstream(&r->queue, ack, &done, &r->ack, &failed, &why) < 0) {
        lose_mirror(r, &why);
        return 0;
    }
    drop_answer(r, used);
    if (!failed)
        return on_acked(r, &done, reterr);
    queue_ack(r); /* told as it came; the client rebuilds the pipeline */
    return err_set(reterr, ERR_CANCELLED, "a node further down the pipeline failed");
}

static int take_setup(struct receiver *r, const Hdfs__BlockOpResponseProto *answer, size_t used, struct err *reterr)
{
    r->setup_due = false;
    int rc = r->args->on_setup(r->args->setup_context, answer, false);
    drop_answer(r, used);
    return rc == 0 ? 0 : err_set(reterr, ERR_CLOSED, "the pipeline could not be set up");
}

/* Everything that has arrived; never waits. What is wrong with it is the next node's fault: it counts as lost. */
static int read_acks(struct receiver *r, struct err *reterr)
{
    struct err why;
    ssize_t n = recv(r->args->mirror_fd, r->ack_bytes + r->ack_len, sizeof r->ack_bytes - r->ack_len, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        (void)err_set(&why, ERR_CLOSED, "it closed the connection");
        lose_mirror(r, &why);
        return 0;
    }
    r->ack_len += (size_t)n;
    r->mirror_deadline_ms = clock_mono_ms() + r->timeout_ms;
    int rc = 0;
    while (rc == 0 && !r->mirror_lost) {
        ProtobufCMessage *answer = NULL;
        int used = decode_answer(
            r, r->setup_due ? &hdfs__block_op_response_proto__descriptor : &hdfs__pipeline_ack_proto__descriptor,
            &r->acks, &answer, &why);
        if (used == 0)
            return 0;
        if (used < 0)
            lose_mirror(r, &why);
        else
            rc = r->setup_due ? take_setup(r, (const Hdfs__BlockOpResponseProto *)answer, (size_t)used, reterr)
                              : take_ack(r, (const Hdfs__PipelineAckProto *)answer, (size_t)used, reterr);
    }
    return rc;
}

/* ---- the loop ---- */

/* The loss is told with the oldest packet that waits, so one has to come first: a node before us may have sent one that
 * we have not seen, and takes an answer about any other for a fault of ours. */
static bool must_tell_loss(const struct receiver *r)
{
    return r->args->acks && r->mirror_lost && (r->queue.count || r->setup_due);
}

static int process_buffered(struct receiver *r, struct err *reterr)
{
    struct packet p;
    int rc;
    while (!r->last_came && (rc = packet_stream_next(&r->packets, &p, reterr)) != 0) {
        if (rc < 0)
            return rc;
        rc = on_packet(r, &p, reterr);
        if (rc < 0 || must_tell_loss(r))
            return rc;
    }
    return 0;
}

/* Waits for packets and for acknowledgements, whichever comes first. */
static int wait_for_either(struct receiver *r, struct err *reterr)
{
    struct pollfd fds[2] = {{.fd = r->last_came ? -1 : r->args->packet_fd, .events = POLLIN},
                            {.fd = r->args->mirror_fd, .events = POLLIN}};
    bool is_due = r->setup_due || r->queue.count; /* an answer of the next node */
    int64_t timeout = is_due ? r->mirror_deadline_ms - clock_mono_ms() : r->timeout_ms;
    int n = poll(fds, 2, timeout < 0 ? 0 : (int)timeout);
    if (n < 0)
        return errno == EINTR ? 0 : err_errno(reterr, errno, "poll");
    if (n == 0 && is_due) {
        struct err why;
        (void)err_set(&why, ERR_TIMEOUT, "no answer for %d ms", r->timeout_ms);
        lose_mirror(r, &why);
        return 0;
    }
    if (n == 0)
        return err_set(reterr, ERR_TIMEOUT, "nothing came from the writer for %d ms", r->timeout_ms);
    int rc = fds[1].revents ? read_acks(r, reterr) : 0;
    rc = rc < 0 ? rc : send_acks(r, reterr);
    if (rc == 0 && fds[0].revents && !r->mirror_lost)
        rc = packet_stream_fill(&r->packets, reterr);
    return rc;
}

static int receive_all(struct receiver *r, struct err *reterr)
{
    for (;;) {
        int rc = process_buffered(r, reterr);
        rc = rc < 0 ? rc : send_acks(r, reterr);
        if (rc < 0 || r->done)
            return rc;
        if (!must_tell_loss(r)) {
            rc = r->args->acks && has_mirror(r) ? wait_for_either(r, reterr) : packet_stream_fill(&r->packets, reterr);
            if (rc < 0 || r->done)
                return rc;
        }
        if (must_tell_loss(r))
            return err_set(reterr, ERR_CONNECT, "the next node of the pipeline is lost: %s", r->mirror_error.text);
    }
}

/* The writer goes first, so that a recovery can have the replica while we still tell of the failure. */
static void give_up(struct receiver *r, const struct err *why)
{
    const struct receive_args *a = r->args;
    bool ours = why->code == ERR_NO_SPACE || why->code == ERR_READ_ONLY || why->code == ERR_IO ||
                why->code == ERR_NOT_FOUND; /* the folder that its files were to be made in */
    log_at(ours ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "xfer", "peer=%s block=%" PRId64 " write ended early: %s",
           a->x->peer, (int64_t)a->block_id, why->text);
    if (r->writer) {
        size_t storage = replica_writer_storage(r->writer);
        struct replica_view left;
        replica_writer_view(r->writer, &left);
        if (ours && left.visible_bytes <= 0) {
            replica_writer_drop(r->writer);
            reporter_deleted(r->dn->reporter, &left);
        } else { /* what was acknowledged may be nowhere else: a full disk costs only what it did not take */
            replica_writer_release(r->writer);
        }
        if (ours)
            datanode_check_storage(r->dn, storage);
        r->writer = NULL;
        if (why->code == ERR_CHECKSUM && a->source)
            reporter_bad_source(r->dn->reporter, &left, a->source);
    }
    if (why->code == ERR_CONNECT)
        tell_failure(r, HDFS__STATUS__SUCCESS);
    else if (why->code == ERR_CANCELLED && a->acks)
        a->x->refused = send_acks(r, NULL) == 0; /* what failed downstream is among them */
    else if (why->code != ERR_CLOSED && why->code != ERR_TIMEOUT)
        tell_failure(r, status_of(why->code));
}

int block_receive(const struct receive_args *args)
{
    struct receiver *r = mem_new(struct receiver);
    struct err why = {0};
    r->args = args;
    r->dn = args->x->dn;
    r->writer = args->writer;
    r->setup_due = args->on_setup != NULL;
    r->waited_at_ms = clock_mono_ms();
    if (args->drop_behind)
        replica_writer_drop_behind(r->writer);
    r->timeout_ms = PEER_READ_MS + PEER_MS_PER_NODE * args->nodes_behind;
    r->mirror_deadline_ms = r->waited_at_ms + r->timeout_ms;
    packet_stream_init(&r->packets, args->packet_fd);
    net_set_timeouts(args->packet_fd, r->timeout_ms, PEER_WRITE_MS);
    replica_writer_watch(r->writer, args->packet_fd, args->mirror_fd);
    arena_init(&r->acks, ACK_ARENA_BYTES);
    int rc = 0;
    if (args->answer) {
        message_pack_delimited(&r->out, &args->answer->base);
        rc = packet_stream_fill_now(&r->packets, &why); /* a block in a hurry has come behind its op */
    }
    rc = rc < 0 ? rc : receive_all(r, &why);
    if (rc < 0)
        give_up(r, &why);
    packet_stream_free(&r->packets);
    ack_queue_free(&r->queue);
    buf_free(&r->out);
    arena_free(&r->acks);
    mem_freep(&r);
    return rc;
}

/* Packets out and acknowledgements in, over the connection to the first datanode of a pipeline. Nothing here repairs
 * anything: the first thing that goes wrong is described in a struct trouble, with the node to blame if one was named.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "client/lib/block_writer_internal.h"
#include "client/lib/datanode.h"
#include "client/lib/dfs_internal.h"
#include "client/lib/pipeline.h"
#include "common/clock.h"
#include "common/rd.h"
#include "proto/message.h"

#define HEARTBEAT_MAX_MS 30000

static int64_t silence_max_ms(const struct block_writer *w)
{
    return config_ms(w->fs->config, "dfs.client.socket-timeout") + pipeline_extra_ms(w->block.node_count);
}

/* Half of what datanodes, which read the same setting, wait for a writer, as Hadoop's clients do. */
static int64_t heartbeat_ms(const struct block_writer *w)
{
    int64_t half_ms = config_ms(w->fs->config, "dfs.client.socket-timeout") / 2;
    return half_ms < HEARTBEAT_MAX_MS ? half_ms : HEARTBEAT_MAX_MS;
}

/* ---- acknowledgements ---- */

void block_stream_acked(struct block_writer *w)
{
    struct write_packet *p = w->head;
    int64_t end = p->offset + p->data_bytes;
    if (end > w->block.bytes)
        w->block.bytes = end;
    w->head = p->next;
    if (!w->head)
        w->tail = NULL;
    w->queued--;
    atomic_fetch_sub(&w->fs->unacked_bytes, w->o.pool->data_max);
    w->recoveries = 0;
    w->retried_whole = false;
    packet_give_back(w->o.pool, p);
}

static int trouble_of_ack(const struct block_writer *w, const Hdfs__PipelineAckProto *ack, struct trouble *t)
{
    if (ack->n_reply > w->block.node_count || (ack->n_flag && ack->n_flag != ack->n_reply)) {
        t->bad = BAD_UNKNOWN;
        return err_set(&t->why, ERR_PROTOCOL, "%zu replies and %zu flags from %zu nodes", ack->n_reply, ack->n_flag,
                       w->block.node_count);
    }
    for (size_t i = ack->n_reply; i-- > 0;) {
        int status = ack->n_flag ? (int)(ack->flag[i] & 15) : (int)ack->reply[i];
        if (status == HDFS__STATUS__SUCCESS)
            continue;
        char name[NET_ADDRESS_MAX];
        t->bad = i;
        return err_set(&t->why, ERR_IO, "datanode %s answered %s", datanode_name(&w->block.nodes[i], name),
                       status_name(status));
    }
    return 0;
}

static int ack_take(struct block_writer *w, const Hdfs__PipelineAckProto *ack, struct trouble *t)
{
    int rc = trouble_of_ack(w, ack, t);
    if (rc < 0)
        return rc;
    w->progress_ms = clock_mono_ms();
    if (ack->seqno == PACKET_SEQNO_HEARTBEAT)
        return 0;
    t->bad = BAD_UNKNOWN;
    if (!w->head || w->head == w->unsent || ack->seqno != w->head->seqno || ack->n_reply != w->block.node_count)
        return err_set(&t->why, ERR_PROTOCOL,
                       "packet %" PRId64 " acknowledged by %zu of %zu nodes; %" PRId64 " was due", ack->seqno,
                       ack->n_reply, w->block.node_count, w->head ? w->head->seqno : -1);
    block_stream_acked(w);
    return 0;
}

static int answer_take(struct block_writer *w, struct slice body, struct trouble *t)
{
    AUTO_ARENA(a, 1u << 20);
    ProtobufCMessage *answer;
    t->bad = BAD_UNKNOWN;
    w->is_kept = false;
    if (!w->setup_due) {
        int rc = message_unpack(&hdfs__pipeline_ack_proto__descriptor, body, &a, &answer, &t->why);
        return rc < 0 ? rc : ack_take(w, (Hdfs__PipelineAckProto *)answer, t);
    }
    w->setup_due = false;
    int rc = message_unpack(&hdfs__block_op_response_proto__descriptor, body, &a, &answer, &t->why);
    return rc < 0
               ? rc
               : pipeline_answered(&w->block, (const Hdfs__BlockOpResponseProto *)answer, &w->keeps, &t->bad, &t->why);
}

/* Those that are there whole. */
static int acks_decode(struct block_writer *w, struct trouble *t)
{
    size_t at = 0;
    for (;;) {
        struct rd rd = rd_of((struct slice){w->acks + at, w->ack_bytes - at});
        uint64_t len = rd_varint(&rd);
        if (!rd.bad && len > ACK_MAX_BYTES - 10) {
            t->bad = BAD_UNKNOWN;
            return err_set(&t->why, ERR_PROTOCOL, "an acknowledgement of %" PRIu64 " bytes", len);
        }
        struct slice body = rd_slice(&rd, len);
        if (rd.bad)
            break;
        int rc = answer_take(w, body, t);
        if (rc < 0)
            return rc;
        at = (size_t)(rd.pos - w->acks);
    }
    memmove(w->acks, w->acks + at, w->ack_bytes - at);
    w->ack_bytes -= at;
    return 0;
}

/* Takes in what has come, without waiting, until nothing is due: after the last acknowledgement of a block the
 * connection may end. */
static int acks_receive(struct block_writer *w, struct trouble *t)
{
    while (w->head) {
        ssize_t n = recv(w->fd, w->acks + w->ack_bytes, sizeof w->acks - w->ack_bytes, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n <= 0) {
            t->bad = BAD_UNKNOWN;
            return n ? err_errno(&t->why, errno, "receive from the first datanode")
                     : err_set(&t->why, ERR_CLOSED, "the first datanode closed the connection");
        }
        w->ack_bytes += (size_t)n;
        int rc = acks_decode(w, t);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- sending ---- */

/* As much as the socket takes, without waiting. A failure here says less than the acknowledgements that may still come.
 */
int block_stream_send(struct block_writer *w, struct trouble *t)
{
    while (w->unsent) {
        struct write_packet *p = w->unsent;
        size_t total = p->head_bytes + p->data_bytes;
        struct iovec iov[2] = {{p->head, p->head_bytes}, {p->data, p->data_bytes}};
        size_t skip = w->unsent_at;
        if (skip >= p->head_bytes) {
            iov[0] = (struct iovec){p->data + (skip - p->head_bytes), total - skip};
        } else {
            iov[0].iov_base = p->head + skip;
            iov[0].iov_len -= skip;
        }
        struct msghdr m = {.msg_iov = iov, .msg_iovlen = skip >= p->head_bytes || !p->data_bytes ? 1 : 2};
        ssize_t n = sendmsg(w->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0) {
            err_errno(&t->why, errno, "send to the first datanode");
            t->bad = BAD_UNKNOWN;
            return t->why.code;
        }
        w->sent_ms = clock_mono_ms();
        if (w->unsent_at == 0 && p->offset + p->data_bytes > w->bytes_sent)
            w->bytes_sent = p->offset + p->data_bytes;
        w->unsent_at += (size_t)n;
        if (w->unsent_at == total) {
            w->unsent = p->next;
            w->unsent_at = 0;
        }
    }
    return 0;
}

static void heartbeat_send(struct block_writer *w)
{
    uint8_t bytes[PACKET_HEADER_MAX_BYTES];
    size_t len = packet_header_encode(&(struct packet_header){.seqno = PACKET_SEQNO_HEARTBEAT}, bytes);
    /* If there is no room, bytes are under way and none is needed; the pieces of a packet must not be torn apart. */
    if (send(w->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len)
        w->sent_ms = clock_mono_ms();
}

void block_writer_idle(struct block_writer *w)
{
    if (w->fd >= 0 && !w->unsent && clock_mono_ms() - w->sent_ms >= heartbeat_ms(w))
        heartbeat_send(w);
}

static int wait_for_socket(struct block_writer *w, struct trouble *t)
{
    int64_t now_ms = clock_mono_ms();
    int64_t silence_ms = now_ms - w->progress_ms, max_ms = silence_max_ms(w);
    if (silence_ms >= max_ms) {
        t->bad = BAD_UNKNOWN;
        return err_set(&t->why, ERR_TIMEOUT, "no acknowledgement for %" PRId64 " ms", silence_ms);
    }
    int64_t every_ms = heartbeat_ms(w), wait_ms = max_ms - silence_ms;
    if (!w->unsent && now_ms - w->sent_ms >= every_ms)
        heartbeat_send(w);
    if (wait_ms > every_ms)
        wait_ms = every_ms;
    struct pollfd p = {.fd = w->fd, .events = (short)(POLLIN | (w->unsent ? POLLOUT : 0))};
    if (poll(&p, 1, (int)wait_ms) < 0 && errno != EINTR) {
        t->bad = BAD_UNKNOWN;
        return err_errno(&t->why, errno, "poll");
    }
    return 0;
}

/* Sends everything and waits until at most `unacked` packets are left. */
int block_stream_pump(struct block_writer *w, size_t unacked, struct trouble *t)
{
    if (w->queued <= unacked && !w->unsent)
        return 0;
    w->progress_ms = clock_mono_ms();
    for (;;) {
        struct trouble sending;
        int sent = block_stream_send(w, &sending);
        int rc = acks_receive(w, t);
        if (rc == 0 && sent < 0) {
            *t = sending;
            rc = sent;
        }
        if (rc < 0)
            return rc;
        if (w->queued <= unacked && !w->unsent)
            return 0;
        rc = wait_for_socket(w, t);
        if (rc < 0)
            return rc;
    }
}

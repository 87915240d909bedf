#include "client/lib/block_fan.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "client/lib/datanode.h"
#include "client/lib/dfs_internal.h"
#include "client/lib/pipeline.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/rd.h"
#include "proto/message.h"

#define PACKETS_MAX      4 /* and the one that ends the block */
#define ANSWER_MAX_BYTES 8192

struct lane {               /* to one datanode */
    struct dfs_block block; /* with this node only */
    int fd;
    bool is_kept; /* the connection was used before, and nothing was heard on it yet */
    bool keeps;   /* it may be used again */
    struct buf op;
    size_t sent;  /* of op and packets together */
    size_t heard; /* answers: to the op, then to each packet */
    uint8_t in[ANSWER_MAX_BYTES];
    size_t in_bytes;
};
struct fan {
    const struct block_writer_options *o;
    struct dfs *fs;
    const struct write_packet *packets;
    size_t packet_count, packet_bytes;
    struct lane *lanes;
    size_t lane_count;
    int64_t deadline_ms;
};

static bool is_done(const struct fan *f, const struct lane *l)
{
    return l->heard == 1 + f->packet_count;
}

static bool has_unsent(const struct fan *f, const struct lane *l)
{
    return l->sent < l->op.len + f->packet_bytes;
}

/* ---- out ---- */

static int lane_open(struct fan *f, struct lane *l, bool fresh, struct err *reterr)
{
    struct pipeline_request request = {.stage = PIPELINE_CREATE,
                                       .block = &l->block,
                                       .token = l->block.token,
                                       .block_bytes = f->o->block_bytes,
                                       .is_unasked = f->o->reports_may_wait,
                                       .type = f->o->pool->type,
                                       .bytes_per_checksum = f->o->pool->bytes_per_checksum};
    net_closep(&l->fd);
    l->sent = 0;
    buf_clear(&l->op);
    pipeline_pack(f->fs, &request, &l->op);
    return pipeline_open(f->fs, &l->block, fresh, &l->fd, &l->is_kept, reterr);
}

static void piece_add(struct iovec *iov, int *count, size_t *skip, const void *bytes, size_t len)
{
    size_t skipped = *skip < len ? *skip : len;
    *skip -= skipped;
    if (skipped < len)
        iov[(*count)++] = (struct iovec){(uint8_t *)(uintptr_t)bytes + skipped, len - skipped};
}

/* As much as the socket takes, without waiting. */
static int lane_send(struct fan *f, struct lane *l, struct err *reterr)
{
    while (has_unsent(f, l)) {
        struct iovec iov[1 + 2 * (PACKETS_MAX + 1)];
        int count = 0;
        size_t skip = l->sent;
        piece_add(iov, &count, &skip, l->op.base, l->op.len);
        for (const struct write_packet *p = f->packets; p; p = p->next) {
            piece_add(iov, &count, &skip, p->head, p->head_bytes);
            piece_add(iov, &count, &skip, p->data, p->data_bytes);
        }
        struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)count};
        ssize_t n = sendmsg(l->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0)
            return err_errno(reterr, errno, "send");
        l->sent += (size_t)n;
    }
    return 0;
}

/* ---- in ---- */

static int ack_check(const struct fan *f, const struct lane *l, const Hdfs__PipelineAckProto *ack, struct err *reterr)
{
    const struct write_packet *p = f->packets;
    for (size_t i = 1; i < l->heard; i++)
        p = p->next;
    if (ack->n_reply != 1 || ack->n_flag > 1)
        return err_set(reterr, ERR_PROTOCOL, "%zu replies and %zu flags from one node", ack->n_reply, ack->n_flag);
    int status = ack->n_flag ? (int)(ack->flag[0] & 15) : (int)ack->reply[0];
    if (status != HDFS__STATUS__SUCCESS)
        return err_set(reterr, ERR_IO, "it answered %s", status_name(status));
    if (ack->seqno != p->seqno)
        return err_set(reterr, ERR_PROTOCOL, "packet %" PRId64 " was acknowledged, %" PRId64 " was due", ack->seqno,
                       p->seqno);
    return 0;
}

static int answer_take(struct fan *f, struct lane *l, struct slice body, struct err *reterr)
{
    AUTO_ARENA(a, 1u << 20);
    ProtobufCMessage *message;
    bool is_setup = l->heard == 0;
    l->is_kept = false;
    int rc =
        message_unpack(is_setup ? &hdfs__block_op_response_proto__descriptor : &hdfs__pipeline_ack_proto__descriptor,
                       body, &a, &message, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__BlockOpResponseProto *answer = (const void *)message;
    rc = is_setup ? datanode_check_answer(answer, reterr) : ack_check(f, l, (const void *)message, reterr);
    if (is_setup)
        l->keeps = answer->keepsconnection;
    l->heard++;
    return rc;
}

/* Those that are there whole. */
static int answers_decode(struct fan *f, struct lane *l, struct err *reterr)
{
    size_t at = 0;
    while (!is_done(f, l)) {
        struct rd rd = rd_of((struct slice){l->in + at, l->in_bytes - at});
        uint64_t len = rd_varint(&rd);
        if (!rd.bad && len > ANSWER_MAX_BYTES - 10)
            return err_set(reterr, ERR_PROTOCOL, "an answer of %" PRIu64 " bytes", len);
        struct slice body = rd_slice(&rd, len);
        if (rd.bad)
            break;
        int rc = answer_take(f, l, body, reterr);
        if (rc < 0)
            return rc;
        at = (size_t)(rd.pos - l->in);
    }
    memmove(l->in, l->in + at, l->in_bytes - at);
    l->in_bytes -= at;
    if (l->in_bytes && is_done(f, l))
        return err_set(reterr, ERR_PROTOCOL, "%zu bytes follow the last acknowledgement", l->in_bytes);
    return 0;
}

/* What has come, without waiting. */
static int lane_receive(struct fan *f, struct lane *l, struct err *reterr)
{
    while (!is_done(f, l)) {
        ssize_t n = recv(l->fd, l->in + l->in_bytes, sizeof l->in - l->in_bytes, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n <= 0)
            return n ? err_errno(reterr, errno, "receive") : err_set(reterr, ERR_CLOSED, "it closed the connection");
        l->in_bytes += (size_t)n;
        int rc = answers_decode(f, l, reterr);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* What can be done now. Not being able to send says less than the answer that may have come; when all has just been
 * sent, there is none yet. */
static int lane_step_once(struct fan *f, struct lane *l, struct err *reterr)
{
    struct err sending;
    bool sends = has_unsent(f, l);
    int sent = lane_send(f, l, &sending);
    if (sends && sent == 0 && !has_unsent(f, l))
        return 0;
    int rc = lane_receive(f, l, reterr);
    if (rc == 0 && sent < 0 && reterr)
        *reterr = sending;
    return rc < 0 ? rc : sent;
}

/* A connection that was kept may have been closed before it heard anything. */
static int lane_step(struct fan *f, struct lane *l, struct err *reterr)
{
    int rc = lane_step_once(f, l, reterr);
    if (rc != ERR_CLOSED || !l->is_kept)
        return rc;
    rc = lane_open(f, l, true, reterr);
    return rc < 0 ? rc : lane_step_once(f, l, reterr);
}

/* ---- all of them ---- */

/* The first failure is the one that is told. */
static void lane_fails(struct fan *f, struct lane *l, int code, const struct err *why, struct err *first)
{
    char name[NET_ADDRESS_MAX];
    lost_nodes_add(f->o->lost, &l->block.nodes[0]);
    net_closep(&l->fd);
    if (!first->code)
        (void)err_set(first, code, "%s: block %" PRIu64 ": datanode %s: %s", f->o->file->path, l->block.block_id,
                      datanode_name(&l->block.nodes[0], name), why->text);
}

/* Whoever cannot be reached is noted, but nobody is waited for twice. */
static int open_all(struct fan *f, struct err *first)
{
    for (size_t i = 0; i < f->lane_count && first->code != ERR_TIMEOUT; i++) {
        struct err why;
        int rc = lane_open(f, &f->lanes[i], false, &why);
        if (rc < 0)
            lane_fails(f, &f->lanes[i], rc, &why, first);
    }
    return first->code;
}

/* Of those that have to do with it. fds: NULL: all. */
static void step_all(struct fan *f, const struct pollfd *fds, struct err *first)
{
    for (size_t i = 0; i < f->lane_count; i++) {
        struct err why;
        struct lane *l = &f->lanes[i];
        if (l->fd < 0 || is_done(f, l) || (fds && !fds[i].revents))
            continue;
        int rc = lane_step(f, l, &why);
        if (rc < 0)
            lane_fails(f, l, rc, &why, first);
    }
}

/* Of those that are not done, the last one is waited for: it was the last to get its bytes. Of the others only the end
 * of the connection is, so that most of them have answered when it has, and cost no wake-up. Returns how many there
 * are. */
static size_t lanes_to_poll(const struct fan *f, struct pollfd *fds)
{
    size_t due = 0;
    for (size_t i = f->lane_count; i-- > 0;) {
        const struct lane *l = &f->lanes[i];
        fds[i] = (struct pollfd){.fd = is_done(f, l) ? -1 : l->fd, .events = POLLRDHUP};
        if (is_done(f, l))
            continue;
        if (has_unsent(f, l))
            fds[i].events |= POLLOUT;
        if (due++ == 0)
            fds[i].events |= POLLIN;
    }
    return due;
}

static void time_out(struct fan *f, struct err *first)
{
    struct err why;
    (void)err_set(&why, ERR_TIMEOUT, "it does not answer");
    for (size_t i = 0; i < f->lane_count; i++)
        if (!is_done(f, &f->lanes[i]))
            lane_fails(f, &f->lanes[i], ERR_TIMEOUT, &why, first);
}

/* Until all have answered, or one has failed: then what others have said already is heard, too. */
static int gather(struct fan *f, struct err *first)
{
    AUTO(mem_freep) struct pollfd *fds = mem_calloc(f->lane_count, sizeof *fds);
    step_all(f, NULL, first);
    while (!first->code && lanes_to_poll(f, fds)) {
        int64_t left_ms = f->deadline_ms - clock_mono_ms();
        int n = left_ms > 0 ? poll(fds, f->lane_count, (int)left_ms) : 0;
        if (n < 0 && errno != EINTR)
            return err_errno(first, errno, "poll");
        if (n > 0)
            step_all(f, fds, first);
        else if (n == 0 && left_ms <= 0)
            time_out(f, first);
    }
    if (first->code)
        step_all(f, NULL, first);
    return first->code;
}

static void lanes_make(struct fan *f, const struct dfs_block *b)
{
    f->lane_count = b->node_count;
    f->lanes = mem_calloc(b->node_count, sizeof *f->lanes);
    for (size_t i = 0; i < b->node_count; i++) {
        struct lane *l = &f->lanes[i];
        l->fd = -1;
        l->block = *b;
        l->block.bytes = 0;
        l->block.nodes += i;
        l->block.storage_ids += i;
        l->block.storage_types += i;
        l->block.node_count = 1;
    }
}

static void lanes_free(struct fan *f, bool keep)
{
    for (size_t i = 0; i < f->lane_count; i++) {
        struct lane *l = &f->lanes[i];
        if (keep && l->keeps)
            pipeline_keep(f->fs, &l->block, &l->fd);
        net_closep(&l->fd);
        buf_free(&l->op);
    }
    mem_freep(&f->lanes);
}

bool block_fan_suits(const struct dfs *fs, const struct packet_pool *pool, int64_t length)
{
    return length <= config_size(fs->config, "cairn.client.short.block.fan") &&
           length <= (int64_t)PACKETS_MAX * pool->data_max;
}

int block_fan_write(const struct block_writer_options *options, const struct dfs_block *b,
                    const struct write_packet *packets, struct err *reterr)
{
    struct err first = {0};
    struct fan f = {.o = options, .fs = options->file->fs, .packets = packets};
    for (const struct write_packet *p = packets; p; p = p->next) {
        f.packet_count++;
        f.packet_bytes += p->head_bytes + p->data_bytes;
    }
    if (!b->node_count)
        return err_set(reterr, ERR_IO, "%s: block %" PRIu64 " has no datanode", options->file->path, b->block_id);
    f.deadline_ms = clock_mono_ms() + config_ms(f.fs->config, "dfs.client.socket-timeout") + pipeline_extra_ms(1);
    lanes_make(&f, b);
    int rc = open_all(&f, &first);
    if (rc == 0)
        rc = gather(&f, &first);
    lanes_free(&f, rc == 0);
    if (rc < 0 && reterr)
        *reterr = first;
    return rc;
}

int block_fan_create(const struct block_writer_options *options, const struct dfs_block *previous,
                     const struct write_packet *packets, struct arena *a, struct dfs_block *ret, struct err *reterr)
{
    const struct lost_nodes *lost = options->lost;
    int rc = call_add_block(options->file, previous, lost->nodes, lost->count, a, ret, reterr);
    if (rc < 0)
        return rc;
    rc = block_fan_write(options, ret, packets, reterr);
    if (rc < 0) {
        struct err local;
        int abandoned = call_abandon_block(options->file, ret, &local);
        if (abandoned < 0 && reterr)
            *reterr = local;
        return abandoned < 0 ? abandoned : rc;
    }
    ret->bytes = 0;
    for (const struct write_packet *p = packets; p; p = p->next)
        ret->bytes += p->data_bytes;
    return 0;
}

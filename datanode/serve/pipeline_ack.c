#include "datanode/serve/pipeline_ack.h"

#include <assert.h>
#include <inttypes.h>

#include "common/mem.h"

#define CAPACITY_AT_FIRST 64
#define FLAG_STATUS_MASK  15u

void ack_queue_free(struct ack_queue *q)
{
    mem_freep(&q->items);
    *q = (struct ack_queue){0};
}

int ack_queue_push(struct ack_queue *q, const struct pending_ack *p, struct err *reterr)
{
    if (q->count == PIPELINE_PENDING_MAX)
        return err_set(reterr, ERR_PROTOCOL, "%d packets wait for their acknowledgement", PIPELINE_PENDING_MAX);
    if (q->count == q->capacity) {
        size_t capacity = q->capacity ? q->capacity * 2 : CAPACITY_AT_FIRST;
        struct pending_ack *items = mem_calloc(capacity, sizeof *items);
        for (size_t i = 0; i < q->count; i++)
            items[i] = q->items[(q->first + i) % q->capacity];
        mem_freep(&q->items);
        q->items = items;
        q->first = 0;
        q->capacity = capacity;
    }
    q->items[(q->first + q->count++) % q->capacity] = *p;
    return 0;
}

const struct pending_ack *ack_queue_first(const struct ack_queue *q)
{
    return q->count ? &q->items[q->first] : NULL;
}

static struct pending_ack pop(struct ack_queue *q)
{
    assert(q->count > 0);
    struct pending_ack p = q->items[q->first];
    q->first = (q->first + 1) % q->capacity;
    q->count--;
    return p;
}

static void put_reply(struct ack_out *out, size_t i, Hdfs__Status status)
{
    out->replies[i] = status;
    out->flags[i] = (uint32_t)status;
}

void ack_queue_pop_own(struct ack_queue *q, struct pending_ack *ret_done, struct ack_out *ret_out)
{
    *ret_done = pop(q);
    ret_out->seqno = ret_done->seqno;
    ret_out->count = 1;
    put_reply(ret_out, 0, HDFS__STATUS__SUCCESS);
}

/* Where flags are, they hold the status; else the replies do. */
static Hdfs__Status reply_at(const Hdfs__PipelineAckProto *ack, size_t i)
{
    return i < ack->n_flag ? (Hdfs__Status)(ack->flag[i] & FLAG_STATUS_MASK) : ack->reply[i];
}

int ack_queue_downstream(struct ack_queue *q, const Hdfs__PipelineAckProto *ack, struct pending_ack *ret_done,
                         struct ack_out *ret_out, bool *ret_failed, struct err *reterr)
{
    const struct pending_ack *first = ack_queue_first(q);
    size_t count = ack->n_reply > ack->n_flag ? ack->n_reply : ack->n_flag;
    if (!first || ack->seqno != first->seqno)
        return err_set(reterr, ERR_PROTOCOL, "the next node acknowledged packet %" PRId64 ", expected was %" PRId64,
                       ack->seqno, first ? first->seqno : -3);
    if (count == 0 || count >= PIPELINE_NODES_MAX || ack->n_reply < count)
        return err_set(reterr, ERR_PROTOCOL, "the next node's acknowledgement has %zu replies and %zu flags",
                       ack->n_reply, ack->n_flag);
    *ret_failed = false;
    ret_out->seqno = ack->seqno;
    ret_out->count = count + 1;
    put_reply(ret_out, 0, HDFS__STATUS__SUCCESS);
    for (size_t i = 0; i < count; i++) {
        put_reply(ret_out, i + 1, reply_at(ack, i));
        if (i < ack->n_flag)
            ret_out->flags[i + 1] = ack->flag[i];
        if (ret_out->replies[i + 1] != HDFS__STATUS__SUCCESS)
            *ret_failed = true;
    }
    *ret_done = pop(q);
    return 0;
}

void ack_queue_fail(const struct ack_queue *q, Hdfs__Status own, bool has_downstream, int64_t seqno,
                    struct ack_out *ret_out)
{
    const struct pending_ack *first = ack_queue_first(q);
    ret_out->seqno = first ? first->seqno : seqno;
    put_reply(ret_out, 0, own);
    ret_out->count = 1;
    if (has_downstream)
        put_reply(ret_out, ret_out->count++,
                  own == HDFS__STATUS__SUCCESS ? HDFS__STATUS__ERROR : HDFS__STATUS__SUCCESS);
}

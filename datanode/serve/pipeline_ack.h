/* Which packets of a pipeline wait for whose acknowledgement, and what to tell the node before us. Pure.
 *
 * A packet is pushed when we have done our own work with it. It is acknowledged upstream when the node behind us has
 * acknowledged it (or at once if there is none), in the order in which the packets came, with our status first and
 * those from downstream after it. A failure is told with the oldest packet that is not acknowledged yet; nothing may
 * follow. */
#ifndef CAIRN_DATANODE_SERVE_PIPELINE_ACK_H
#define CAIRN_DATANODE_SERVE_PIPELINE_ACK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "hdfs/data_transfer.pb-c.h"

#define PIPELINE_NODES_MAX   512   /* as many as a block may have replicas */
#define PIPELINE_PENDING_MAX 65536 /* packets; clients stop long before that */

struct pending_ack {
    int64_t seqno;
    uint64_t end_offset; /* of the block, after this packet; 0 for heartbeats */
    bool last;
};
struct ack_queue {
    struct pending_ack *items; /* ring */
    size_t first, count, capacity;
};
struct ack_out {
    int64_t seqno;
    size_t count;
    Hdfs__Status replies[PIPELINE_NODES_MAX];
    uint32_t flags[PIPELINE_NODES_MAX]; /* the status again, and what else a node says of itself: congested, slow */
};

void ack_queue_free(struct ack_queue *q);
/* ERR_PROTOCOL: too many are waiting. */
int ack_queue_push(struct ack_queue *q, const struct pending_ack *p, struct err *reterr) MUST_CHECK;
const struct pending_ack *ack_queue_first(const struct ack_queue *q); /* NULL: none; borrowed until the next call */

/* There is no node behind us: the oldest packet is done. */
void ack_queue_pop_own(struct ack_queue *q, struct pending_ack *ret_done, struct ack_out *ret_out);
/* The node behind us says this about the oldest packet. ERR_PROTOCOL: it means another packet, or says too much or
 * nothing. *ret_failed: a node downstream has failed; *ret_out tells upstream. */
int ack_queue_downstream(struct ack_queue *q, const Hdfs__PipelineAckProto *ack, struct pending_ack *ret_done,
                         struct ack_out *ret_out, bool *ret_failed, struct err *reterr) MUST_CHECK;
/* Our own failure, or the loss of the node behind us (own == SUCCESS), told with the oldest packet or, if none waits,
 * with `seqno`. */
void ack_queue_fail(const struct ack_queue *q, Hdfs__Status own, bool has_downstream, int64_t seqno,
                    struct ack_out *ret_out);

#endif

/* READ_BLOCK: the answer says which checksums and where the data begins, packets follow, the client ends with its
 * verdict. COPY_BLOCK is the same for a balancer's target, throttled. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "datanode/serve/block_sender.h"
#include "datanode/serve/xfer.h"
#include "datanode/serve/zero_block.h"
#include "proto/op_header.h"

#define LONG_READ_BYTES     (256u << 10)
#define READAHEAD_MAX_BYTES (64 << 20)

static int answer_success(struct xfer *x, const struct send_plan *plan, struct err *reterr)
{
    Hdfs__BlockOpResponseProto answer = HDFS__BLOCK_OP_RESPONSE_PROTO__INIT;
    Hdfs__ReadOpChecksumInfoProto info = HDFS__READ_OP_CHECKSUM_INFO_PROTO__INIT;
    Hdfs__ChecksumProto checksum = HDFS__CHECKSUM_PROTO__INIT;
    checksum.type = (Hdfs__ChecksumTypeProto)plan->checksums.type;
    checksum.bytesperchecksum = plan->checksums.bytes_per_checksum;
    info.checksum = &checksum;
    info.chunkoffset = plan->from;
    answer.status = HDFS__STATUS__SUCCESS;
    answer.readopchecksuminfo = &info;
    return delimited_write(x->fd, &answer.base, reterr);
}

static int open_and_plan(struct xfer *x, const Hdfs__ExtendedBlockProto *block, uint64_t offset, uint64_t len,
                         bool whole, bool with_checksums, struct replica_reader *ret_reader, struct send_plan *ret_plan,
                         struct err *reterr)
{
    int rc = xfer_check_pool(x, block, reterr);
    if (rc == 0 && len > UINT64_MAX - offset)
        rc = err_set(reterr, ERR_ILLEGAL_ARGUMENT, "offset %" PRIu64 " and length %" PRIu64 " are too large", offset,
                     len);
    if (rc == 0)
        rc = block_store_open_reader(x->dn->store, block->blockid, block->generationstamp, offset + len, ret_reader,
                                     reterr);
    if (rc < 0)
        return rc;
    if (whole)
        len = ret_reader->end_bytes;
    rc = send_plan_make(ret_reader, offset, len, with_checksums, ret_plan, reterr);
    if (rc < 0)
        replica_reader_close(ret_reader);
    return rc;
}

/* Errors while sending: the reader's, or our disk's. */
static void judge_send_error(struct xfer *x, const Hdfs__ExtendedBlockProto *block, const struct replica_reader *r,
                             const struct err *why)
{
    if (datanode_read_failed(x->dn, block->blockid, r->volume, why))
        log_warn("xfer", "peer=%s block=%" PRId64 " read failed: %s", x->peer, (int64_t)block->blockid, why->text);
    else
        log_debug("xfer", "peer=%s block=%" PRId64 " reader left: %s", x->peer, (int64_t)block->blockid, why->text);
}

static int refuse_to_read(struct xfer *x, const char *op, const Hdfs__ExtendedBlockProto *block, const struct err *why)
{
    int rc = xfer_refuse(x, op, block, HDFS__STATUS__ERROR, why);
    datanode_open_failed(x->dn, block->blockid, why->code);
    return rc;
}

static uint64_t readahead_of(const Hdfs__CachingStrategyProto *c)
{
    return c->readahead <= 0 ? 0 : c->readahead < READAHEAD_MAX_BYTES ? (uint64_t)c->readahead : READAHEAD_MAX_BYTES;
}

static int read_zeros(struct xfer *x, const Hdfs__OpReadBlockProto *op, bool with_checksums)
{
    const Hdfs__ExtendedBlockProto *block = op->header->baseheader->block;
    struct send_plan plan = {.checksums = zero_block_checksums()};
    struct err why;
    int rc = xfer_check_pool(x, block, &why);
    if (rc == 0 && (op->offset > INT64_MAX || op->len > INT64_MAX - op->offset))
        rc = err_set(&why, ERR_ILLEGAL_ARGUMENT, "offset %" PRIu64 " and length %" PRIu64 " are too large", op->offset,
                     op->len);
    if (rc < 0)
        return xfer_refuse(x, "opReadBlock", block, HDFS__STATUS__ERROR, &why);
    plan.from = op->offset / plan.checksums.bytes_per_checksum * plan.checksums.bytes_per_checksum;
    plan.to = op->offset + op->len;
    if (!with_checksums)
        plan.checksums.type = CHECKSUM_NULL;
    rc = answer_success(x, &plan, &why);
    if (rc == 0)
        rc = zero_block_send(x->fd, plan.from, plan.to, with_checksums, &why);
    if (rc < 0)
        log_debug("xfer", "peer=%s reader of zeros left: %s", x->peer, why.text);
    ProtobufCMessage *status;
    return rc ? rc : delimited_read(x->fd, &hdfs__client_read_status_proto__descriptor, &x->arena, &status, NULL);
}

int xfer_read_block(struct xfer *x, const ProtobufCMessage *message)
{
    const Hdfs__OpReadBlockProto *op = (const Hdfs__OpReadBlockProto *)message;
    const Hdfs__ExtendedBlockProto *block = op->header->baseheader->block;
    struct replica_reader r;
    struct send_plan plan;
    struct err why;
    bool with_checksums = !op->has_sendchecksums || op->sendchecksums;
    const Hdfs__CachingStrategyProto *caching = op->cachingstrategy;
    if (is_zero_block(block))
        return read_zeros(x, op, with_checksums);
    int rc = open_and_plan(x, block, op->offset, op->len, false, with_checksums, &r, &plan, &why);
    if (rc < 0)
        return refuse_to_read(x, "opReadBlock", block, &why);
    bool is_long = plan.to - plan.from > LONG_READ_BYTES; /* short ones are not disturbed by what is meant for scans */
    if (is_long || (caching && caching->has_readahead))
        plan.readahead_bytes =
            caching && caching->has_readahead ? readahead_of(caching) : x->dn->settings.readahead_bytes;
    plan.drop_behind =
        caching && caching->has_dropbehind ? caching->dropbehind : is_long && x->dn->settings.drop_behind_reads;
    rc = answer_success(x, &plan, &why);
    if (rc == 0)
        rc = block_send(x->fd, &r, &plan, NULL, &why);
    if (rc < 0)
        judge_send_error(x, block, &r, &why);
    replica_reader_close(&r);
    if (rc < 0)
        return rc;
    metric_add(&datanode_bytes_read, (int64_t)(plan.to - plan.from));
    metric_add(&datanode_blocks_read, 1);
    ProtobufCMessage *status; /* many clients just close: that is fine */
    return delimited_read(x->fd, &hdfs__client_read_status_proto__descriptor, &x->arena, &status, NULL);
}

bool xfer_move_begin(struct xfer *x, const Hdfs__ExtendedBlockProto *block, const char *what)
{
    int max = x->dn->settings.moves_max;
    if (atomic_fetch_add(&x->dn->moves, 1) < max)
        return true;
    atomic_fetch_sub(&x->dn->moves, 1);
    struct err why;
    (void)err_set(&why, ERR_IO, "Not able to %s block %" PRId64 " because threads quota=%d is exceeded.", what,
                  (int64_t)block->blockid, max);
    (void)xfer_refuse(x, what, block, HDFS__STATUS__ERROR, &why);
    return false;
}

void xfer_move_end(struct xfer *x)
{
    atomic_fetch_sub(&x->dn->moves, 1);
}

static int copy_block(struct xfer *x, const Hdfs__ExtendedBlockProto *block)
{
    struct replica_reader r;
    struct send_plan plan;
    struct err why;
    int rc = open_and_plan(x, block, 0, 0, true, true, &r, &plan, &why);
    if (rc < 0)
        return refuse_to_read(x, "opCopyBlock", block, &why);
    plan.drop_behind = true; /* nobody reads it here again soon: it leaves */
    rc = answer_success(x, &plan, &why);
    if (rc == 0)
        rc = block_send(x->fd, &r, &plan, &x->dn->balance_throttle, &why);
    if (rc < 0)
        judge_send_error(x, block, &r, &why);
    replica_reader_close(&r);
    if (rc == 0)
        rc = net_write_full(x->fd, "\0d", 2, &why); /* the sign that all was read well */
    if (rc == 0)
        metric_add(&datanode_bytes_read, (int64_t)(plan.to - plan.from));
    return rc;
}

int xfer_copy_block(struct xfer *x, const ProtobufCMessage *message)
{
    const Hdfs__ExtendedBlockProto *block = ((const Hdfs__OpCopyBlockProto *)message)->header->block;
    if (!xfer_move_begin(x, block, "copy"))
        return ERR_CLOSED;
    int rc = copy_block(x, block);
    xfer_move_end(x);
    return rc;
}

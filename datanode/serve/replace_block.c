/* REPLACE_BLOCK: a balancer moves a replica here, from a node that has it, or a mover from one storage of ours to
 * another. */
#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "datanode/report/reporter.h"
#include "datanode/serve/block_receiver.h"
#include "datanode/serve/mirror.h"
#include "proto/op_header.h"

static int ask_source(struct xfer *x, const Hdfs__OpReplaceBlockProto *op, int fd, struct meta_header *ret_sent,
                      struct err *reterr)
{
    Hdfs__OpCopyBlockProto copy = HDFS__OP_COPY_BLOCK_PROTO__INIT;
    ProtobufCMessage *message;
    copy.header = op->header;
    int rc = op_write(fd, OP_COPY_BLOCK, &copy.base, reterr);
    if (rc == 0)
        rc = delimited_read(fd, &hdfs__block_op_response_proto__descriptor, &x->arena, &message, reterr);
    if (rc < 0)
        return rc;
    const Hdfs__BlockOpResponseProto *answer = (const Hdfs__BlockOpResponseProto *)message;
    if (answer->status != HDFS__STATUS__SUCCESS || !answer->readopchecksuminfo)
        return err_set(reterr, ERR_IO, "the source refused: %s", answer->message ? answer->message : "no reason given");
    const Hdfs__ChecksumProto *c = answer->readopchecksuminfo->checksum;
    *ret_sent = (struct meta_header){(enum checksum_type)c->type, c->bytesperchecksum};
    return meta_header_check(ret_sent, reterr);
}

static int say_in_progress(struct xfer *x)
{
    Hdfs__BlockOpResponseProto answer = HDFS__BLOCK_OP_RESPONSE_PROTO__INIT;
    answer.status = HDFS__STATUS__IN_PROGRESS; /* the balancer waits for as long as it hears something */
    return delimited_write(x->fd, &answer.base, NULL);
}

static int fetch(struct xfer *x, const Hdfs__OpReplaceBlockProto *op, struct err *reterr)
{
    const Hdfs__ExtendedBlockProto *block = op->header->block;
    AUTO(net_closep) int fd = -1;
    struct meta_header sent;
    int rc = mirror_connect(x->dn, op->source->id, 1, &fd, reterr);
    if (rc == 0)
        rc = ask_source(x, op, fd, &sent, reterr);
    if (rc < 0)
        return rc;
    struct replica_create c = {.block_id = block->blockid,
                               .gen_stamp = block->generationstamp,
                               .expected_bytes = block->has_numbytes ? block->numbytes : 0,
                               .storage_id = op->storageid,
                               .storage_type =
                                   op->has_storagetype ? (int)op->storagetype : HDFS__STORAGE_TYPE_PROTO__DISK,
                               .meta = sent};
    struct replica_writer *w;
    rc = block_store_create_temporary(x->dn->store, &c, &w, reterr);
    if (rc < 0)
        return rc;
    struct receive_args args = {.x = x,
                                .writer = w,
                                .block_id = block->blockid,
                                .sent = sent,
                                .mirror_fd = -1,
                                .source = op->source->id,
                                .throttle = &x->dn->balance_throttle,
                                .on_wait = say_in_progress,
                                .delete_hint = op->delhint,
                                .report = true,
                                .packet_fd = fd};
    rc = block_receive(&args);
    return rc < 0 ? err_set(reterr, rc, "the block did not come whole from its source") : 0;
}

static int move_inside(struct xfer *x, const Hdfs__OpReplaceBlockProto *op, struct err *reterr)
{
    const Hdfs__ExtendedBlockProto *block = op->header->block;
    int type = op->has_storagetype ? (int)op->storagetype : HDFS__STORAGE_TYPE_PROTO__DISK;
    struct replica_view moved;
    int rc =
        block_store_move(x->dn->store, block->blockid, block->generationstamp, type, op->storageid, &moved, reterr);
    if (rc == 0)
        reporter_received(x->dn->reporter, &moved, op->delhint);
    return rc;
}

static int replace(struct xfer *x, const Hdfs__OpReplaceBlockProto *op, struct err *reterr)
{
    int rc = xfer_check_pool(x, op->header->block, reterr);
    if (rc < 0)
        return rc;
    bool own = !strcmp(op->source->id->datanodeuuid, block_store_uuid(x->dn->store));
    return own ? move_inside(x, op, reterr) : fetch(x, op, reterr);
}

int xfer_replace_block(struct xfer *x, const ProtobufCMessage *message)
{
    const Hdfs__OpReplaceBlockProto *op = (const Hdfs__OpReplaceBlockProto *)message;
    struct err why;
    if (!xfer_move_begin(x, op->header->block, "receive"))
        return ERR_CLOSED;
    int left = say_in_progress(x), rc = left < 0 ? left : replace(x, op, &why);
    xfer_move_end(x);
    if (left < 0)
        return left;
    if (rc < 0)
        return xfer_refuse(x, "opReplaceBlock", op->header->block, HDFS__STATUS__ERROR, &why);
    Hdfs__BlockOpResponseProto answer = HDFS__BLOCK_OP_RESPONSE_PROTO__INIT;
    answer.status = HDFS__STATUS__SUCCESS;
    return delimited_write(x->fd, &answer.base, NULL);
}

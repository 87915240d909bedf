/* REQUEST_SHORT_CIRCUIT_FDS, RELEASE_SHORT_CIRCUIT_FDS, REQUEST_SHORT_CIRCUIT_SHM: local clients get the open files of
 * a replica, and a slot of shared memory in which they are told when to stop using them. */
#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>

#include "common/log.h"
#include "datanode/serve/passed_files.h"
#include "datanode/serve/shm_registry.h"
#include "datanode/serve/xfer.h"
#include "datanode/serve/zero_block.h"
#include "datanode/store/block_cache.h"
#include "proto/op_header.h"
#include "rpc/fd_passing.h"

#define ACCESS_VERSION 1 /* of the files' layout: Hadoop's meta file header */

static struct shm_id id_of(const Hdfs__ShortCircuitShmSlotProto *slot)
{
    return (struct shm_id){slot->shmid->hi, slot->shmid->lo};
}

/* ---- files ---- */

/* With our version a client takes an ERROR_UNSUPPORTED as meant for this replica; without, for the whole datanode. */
static int refuse_fds(struct xfer *x, const Hdfs__ExtendedBlockProto *block, bool names_version, const struct err *why)
{
    Hdfs__BlockOpResponseProto answer = HDFS__BLOCK_OP_RESPONSE_PROTO__INIT;
    answer.status = why->code == ERR_UNSUPPORTED ? HDFS__STATUS__ERROR_UNSUPPORTED : HDFS__STATUS__ERROR;
    answer.has_shortcircuitaccessversion = names_version;
    answer.shortcircuitaccessversion = ACCESS_VERSION;
    answer.message = (char *)why->text;
    log_debug("short_circuit", "block=%" PRId64 " refused: %s", (int64_t)block->blockid, why->text);
    return delimited_write(x->fd, &answer.base, NULL); /* the connection may go on with another op */
}

static int hand_over(struct xfer *x, const Hdfs__OpRequestShortCircuitAccessProto *op, const struct passed_files *f,
                     struct err *reterr)
{
    Hdfs__BlockOpResponseProto answer = HDFS__BLOCK_OP_RESPONSE_PROTO__INIT;
    bool verify = op->has_supportsreceiptverification && op->supportsreceiptverification;
    uint8_t received;
    answer.status = HDFS__STATUS__SUCCESS;
    answer.has_shortcircuitaccessversion = 1;
    answer.shortcircuitaccessversion = ACCESS_VERSION;
    int rc = delimited_write(x->fd, &answer.base, reterr);
    if (rc == 0)
        rc = fd_pass(x->fd,
                     verify ? HDFS__SHORT_CIRCUIT_FD_RESPONSE__USE_RECEIPT_VERIFICATION
                            : HDFS__SHORT_CIRCUIT_FD_RESPONSE__DO_NOT_USE_RECEIPT_VERIFICATION,
                     (const int[]){f->data_fd, f->meta_fd}, 2, reterr);
    if (rc == 0 && verify)
        rc = net_read_full(x->fd, &received, 1, reterr);
    return rc;
}

static int open_finalized(struct xfer *x, const Hdfs__ExtendedBlockProto *block, struct replica_reader *ret,
                          struct passed_files *ret_files, struct err *reterr)
{
    int rc = xfer_check_pool(x, block, reterr);
    if (rc == 0)
        rc = block_store_open_reader(x->dn->store, block->blockid, block->generationstamp, 0, ret, reterr);
    if (rc == 0 && ret->state != REPLICA_FINALIZED) { /* its last checksum changes while somebody would read it */
        replica_reader_close(ret);
        rc = err_set(reterr, ERR_UNSUPPORTED, "the replica is not finalized yet");
    }
    if (rc == 0 && (rc = passed_files_open(ret, ret_files, reterr)) < 0)
        replica_reader_close(ret);
    return rc;
}

int xfer_request_fds(struct xfer *x, const ProtobufCMessage *message)
{
    const Hdfs__OpRequestShortCircuitAccessProto *op = (const Hdfs__OpRequestShortCircuitAccessProto *)message;
    const Hdfs__ExtendedBlockProto *block = op->header->block;
    struct shm_registry *shm = x->dn->shm;
    struct replica_reader r;
    struct passed_files files;
    struct err why;
    int rc = 0;
    if (!x->is_unix)
        rc = err_set(&why, ERR_IO, "You cannot pass file descriptors over anything but a UNIX domain socket.");
    else if (is_zero_block(block)) /* for this block the client then asks for packets */
        rc = err_set(&why, ERR_UNSUPPORTED, "a hole in a file has no files here");
    else if (op->maxversion < ACCESS_VERSION)
        rc = err_set(&why, ERR_UNSUPPORTED, "the files have version %d, the client knows up to %u", ACCESS_VERSION,
                     op->maxversion);
    /* The slot first: a change of the block after this is seen there. */
    if (rc == 0 && op->slotid)
        rc = shm_registry_register(shm, id_of(op->slotid), op->slotid->slotidx, block->blockid,
                                   block_cache_has(x->dn->cache, block->blockid), &why);
    if (rc < 0)
        return refuse_fds(x, block, rc == ERR_UNSUPPORTED, &why);
    rc = open_finalized(x, block, &r, &files, &why);
    if (rc < 0) {
        if (op->slotid)
            (void)shm_registry_unregister(shm, id_of(op->slotid), op->slotid->slotidx, NULL);
        return refuse_fds(x, block, rc == ERR_UNSUPPORTED, &why);
    }
    rc = hand_over(x, op, &files, &why);
    passed_files_close(&files);
    replica_reader_close(&r);
    if (rc == 0) {
        metric_add(&datanode_files_passed, 1);
        return 0;
    }
    log_debug("short_circuit", "block=%" PRId64 ": %s", (int64_t)block->blockid, why.text);
    if (op->slotid)
        (void)shm_registry_unregister(shm, id_of(op->slotid), op->slotid->slotidx, NULL);
    return rc;
}

int xfer_release_fds(struct xfer *x, const ProtobufCMessage *message)
{
    const Hdfs__ShortCircuitShmSlotProto *slot = ((const Hdfs__ReleaseShortCircuitAccessRequestProto *)message)->slotid;
    Hdfs__ReleaseShortCircuitAccessResponseProto answer = HDFS__RELEASE_SHORT_CIRCUIT_ACCESS_RESPONSE_PROTO__INIT;
    struct err why;
    answer.status = HDFS__STATUS__SUCCESS;
    if (shm_registry_unregister(x->dn->shm, id_of(slot), slot->slotidx, &why) < 0) {
        answer.status = HDFS__STATUS__ERROR_INVALID;
        answer.error = why.text;
    }
    return delimited_write(x->fd, &answer.base, NULL);
}

/* ---- shared memory ---- */

static int refuse_shm(struct xfer *x, Hdfs__Status status, const char *text)
{
    Hdfs__ShortCircuitShmResponseProto answer = HDFS__SHORT_CIRCUIT_SHM_RESPONSE_PROTO__INIT;
    answer.status = status;
    answer.error = (char *)text;
    return delimited_write(x->fd, &answer.base, NULL);
}

static int hand_over_segment(struct xfer *x, struct shm_id id, int memory_fd)
{
    Hdfs__ShortCircuitShmResponseProto answer = HDFS__SHORT_CIRCUIT_SHM_RESPONSE_PROTO__INIT;
    Hdfs__ShortCircuitShmIdProto proto = HDFS__SHORT_CIRCUIT_SHM_ID_PROTO__INIT;
    proto.hi = id.hi;
    proto.lo = id.lo;
    answer.status = HDFS__STATUS__SUCCESS;
    answer.id = &proto;
    int rc = delimited_write(x->fd, &answer.base, NULL);
    return rc < 0 ? rc : fd_pass(x->fd, 0, &memory_fd, 1, NULL);
}

/* The segment lives as long as its connection, on which nothing is said any more. */
static void wait_for_end(int fd)
{
    char byte;
    net_set_timeouts(fd, 0, 0);
    while (recv(fd, &byte, 1, 0) < 0 && errno == EINTR)
        ;
}

int xfer_request_shm(struct xfer *x, const ProtobufCMessage *message)
{
    struct shm_id id;
    AUTO(net_closep) int memory_fd = -1;
    struct err why;
    (void)message;
    if (!x->is_unix)
        return refuse_shm(x, HDFS__STATUS__ERROR_INVALID,
                          "Bad request: must request a shared memory segment over a UNIX domain socket.");
    if (shm_registry_add(x->dn->shm, &id, &memory_fd, &why) < 0)
        return refuse_shm(x, HDFS__STATUS__ERROR, why.text);
    int rc = hand_over_segment(x, id, memory_fd);
    net_closep(&memory_fd);
    if (rc == 0)
        wait_for_end(x->fd);
    shm_registry_remove(x->dn->shm, id);
    return ERR_CLOSED;
}

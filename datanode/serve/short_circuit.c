/* Short-circuit reads are asked for over a UNIX socket only; anybody else is told that we cannot. */
#include "datanode/serve/xfer.h"
#include "proto/op_header.h"

int xfer_request_fds(struct xfer *x, const ProtobufCMessage *message)
{
    const Hdfs__OpRequestShortCircuitAccessProto *op = (const Hdfs__OpRequestShortCircuitAccessProto *)message;
    struct err why;
    (void)err_set(&why, ERR_UNSUPPORTED, "file descriptors can only be passed over the UNIX socket of "
                                         "dfs.domain.socket.path");
    return xfer_refuse(x, "opRequestShortCircuitFds", op->header->block, HDFS__STATUS__ERROR_UNSUPPORTED, &why);
}

int xfer_release_fds(struct xfer *x, const ProtobufCMessage *message)
{
    Hdfs__ReleaseShortCircuitAccessResponseProto answer = HDFS__RELEASE_SHORT_CIRCUIT_ACCESS_RESPONSE_PROTO__INIT;
    (void)message;
    answer.status = HDFS__STATUS__ERROR_UNSUPPORTED;
    answer.error = (char *)"there are no shared memory segments here";
    return delimited_write(x->fd, &answer.base, NULL);
}

int xfer_request_shm(struct xfer *x, const ProtobufCMessage *message)
{
    Hdfs__ShortCircuitShmResponseProto answer = HDFS__SHORT_CIRCUIT_SHM_RESPONSE_PROTO__INIT;
    (void)message;
    answer.status = HDFS__STATUS__ERROR_UNSUPPORTED;
    answer.error = (char *)"there are no shared memory segments here";
    return delimited_write(x->fd, &answer.base, NULL);
}

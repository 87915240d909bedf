#include "scheduler/engine/task_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/file.h"
#include "common/net.h"
#include "proto/message.h"
#include "rpc/fd_passing.h"

int task_channel_give(int channel_fd, const Cairn__TaskSpecProto *spec, int log_fd, struct err *reterr)
{
    AUTO(net_closep) int fd = memfd_create("cairn-task", MFD_CLOEXEC);
    struct buf bytes = {0};
    message_pack(&bytes, &spec->base);
    int rc = fd < 0 ? err_errno(reterr, errno, "memory for the attempt's description")
                    : file_pwrite_full(fd, bytes.base, bytes.len, 0, reterr);
    buf_free(&bytes);
    const int fds[] = {fd, log_fd};
    return rc < 0 ? rc : fd_pass(channel_fd, 0, fds, 2, reterr);
}

static int read_spec(int fd, struct arena *a, Cairn__TaskSpecProto **ret, struct err *reterr)
{
    struct buf bytes = {0};
    ProtobufCMessage *m = NULL;
    off_t len = lseek(fd, 0, SEEK_END);
    if (len < 0 || len > TASK_SPEC_BYTES_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "the attempt's description has %lld bytes", (long long)len);
    int rc = file_pread_full(fd, buf_reserve(&bytes, (size_t)len), (size_t)len, 0, reterr);
    bytes.len = (size_t)len;
    if (rc == 0)
        rc = message_unpack(&cairn__task_spec_proto__descriptor, buf_slice(&bytes), a, &m, reterr);
    buf_free(&bytes);
    if (rc < 0)
        return rc;
    *ret = (Cairn__TaskSpecProto *)m;
    if (!(*ret)->jobdir || !(*ret)->outputdir || !(*ret)->scheduler || ((*ret)->map && !(*ret)->split))
        return err_set(reterr, ERR_PROTOCOL, "the attempt's description lacks a field");
    return 0;
}

int task_channel_take(struct arena *a, Cairn__TaskSpecProto **ret, struct err *reterr)
{
    uint8_t byte;
    int fds[2];
    int rc = fd_receive(TASK_CHANNEL_FD, &byte, fds, 2, reterr);
    if (rc < 0)
        return rc;
    if (dup2(fds[1], STDOUT_FILENO) < 0 || dup2(fds[1], STDERR_FILENO) < 0)
        rc = err_errno(reterr, errno, "the attempt's log");
    else
        rc = read_spec(fds[0], a, ret, reterr);
    close(fds[0]);
    close(fds[1]);
    return rc;
}

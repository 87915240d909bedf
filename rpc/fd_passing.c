#include "rpc/fd_passing.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(FD_PASSING_MAX * sizeof(int))];
};

int fd_pass(int socket_fd, uint8_t byte, const int *fds, size_t count, struct err *reterr)
{
    assert(count >= 1 && count <= FD_PASSING_MAX);
    struct iovec iov = {&byte, 1};
    union control control = {0};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    ssize_t n;
    do
        n = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == 1 ? 0 : err_errno(reterr, errno, "cannot pass descriptors");
}

int fd_receive(int socket_fd, uint8_t *ret_byte, int *ret_fds, size_t count, struct err *reterr)
{
    assert(count >= 1 && count <= FD_PASSING_MAX);
    struct iovec iov = {ret_byte, 1};
    union control control = {0};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t n;
    do
        n = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? err_set(reterr, ERR_TIMEOUT, "the descriptors do not come")
                               : err_errno(reterr, errno, "cannot receive descriptors");
    int fds[FD_PASSING_MAX];
    size_t got = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (got < FD_PASSING_MAX)
                fds[got++] = fd;
            else
                close(fd);
        }
    }
    if (n == 1 && got == count && !(message.msg_flags & MSG_CTRUNC)) {
        memcpy(ret_fds, fds, count * sizeof(int));
        return 0;
    }
    while (got > 0)
        close(fds[--got]);
    if (n == 0)
        return err_set(reterr, ERR_CLOSED, "the connection was closed instead of descriptors being passed");
    return err_set(reterr, ERR_PROTOCOL, "%zu descriptors were expected%s", count,
                   message.msg_flags & MSG_CTRUNC ? "; is this process out of them (ulimit -n)?" : ", others came");
}

/* Descriptors over a UNIX socket, along with one byte. */
#ifndef CAIRN_RPC_FD_PASSING_H
#define CAIRN_RPC_FD_PASSING_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define FD_PASSING_MAX 8

int fd_pass(int socket_fd, uint8_t byte, const int *fds, size_t count, struct err *reterr) MUST_CHECK;
/* Exactly `count` of them come with the next byte, CLOEXEC, now the caller's; anything else is ERR_PROTOCOL (what did
 * come is closed), the end of the stream ERR_CLOSED. */
int fd_receive(int socket_fd, uint8_t *ret_byte, int *ret_fds, size_t count, struct err *reterr) MUST_CHECK;

#endif

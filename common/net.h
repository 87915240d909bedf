/* Blocking TCP with deadlines, for block transfer and small clients. All functions may block up to the given time.
 * Every error names the address. Sockets are CLOEXEC and TCP_NODELAY. */
#ifndef CAIRN_COMMON_NET_H
#define CAIRN_COMMON_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/err.h"

#define NET_ADDRESS_MAX 280 /* "host:port" */

struct net_address {
    char host[256]; /* name or literal; IPv6 literals without brackets */
    uint16_t port;
};
/* "host:port", "[v6]:port", "host" (=> default_port; 0 = a port is required). ERR_CONFIG. */
int net_parse(const char *text, uint16_t default_port, struct net_address *ret, struct err *reterr) MUST_CHECK;
const char *net_format(const struct net_address *a, char out[NET_ADDRESS_MAX]); /* returns out */

/* A listening socket; port 0 picks one. ERR_BUSY names the port and says how to find out who has it. */
int net_listen(const struct net_address *a, int *ret_fd, uint16_t *ret_port, struct err *reterr) MUST_CHECK;
/* Connected, blocking, NODELAY, keep-alive below 300 s. local_ip: bind to it first, or NULL. ERR_CONNECT, ERR_TIMEOUT.
 */
int net_connect(const struct net_address *a, const char *local_ip, int timeout_ms, int *ret_fd,
                struct err *reterr) MUST_CHECK;
int net_accept(int listen_fd, int *ret_fd, struct net_address *ret_peer, struct err *reterr) MUST_CHECK;
int net_peer(int fd, struct net_address *ret, struct err *reterr) MUST_CHECK;
int net_local(int fd, struct net_address *ret, struct err *reterr) MUST_CHECK;
void net_set_timeouts(int fd, int read_ms, int write_ms); /* SO_RCVTIMEO, SO_SNDTIMEO; 0 = none */

/* The whole of it or an error: ERR_CLOSED (end of stream; "cleanly" if nothing was read), ERR_TIMEOUT, ERR_CLOSED. */
int net_read_full(int fd, void *bytes, size_t len, struct err *reterr) MUST_CHECK;
int net_write_full(int fd, const void *bytes, size_t len, struct err *reterr) MUST_CHECK;
int net_writev_full(int fd, struct iovec *iov, int count, struct err *reterr) MUST_CHECK; /* changes iov */
/* Waits for data (or end of stream); ERR_TIMEOUT. */
int net_wait_readable(int fd, int timeout_ms, struct err *reterr) MUST_CHECK;

bool net_is_literal(const char *host);
int net_files_max(void); /* how many files, connections among them, this process may have */
/* First address of a name as a literal. */
int net_resolve(const char *host, char ret_ip[64], struct err *reterr) MUST_CHECK;
void net_closep(int *fd); /* AUTO(net_closep) int fd = -1; */

/* The name that the name service has for a numeric address; false: none, or no such address. May block. */
bool net_name_of(const char *ip, char *ret, size_t size);

#endif

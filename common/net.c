#include "common/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define NET_LISTEN_BACKLOG 1024
/* Connection tracking of overlay networks drops silent flows at about 600 s. */
#define NET_KEEPALIVE_IDLE_S     120
#define NET_KEEPALIVE_INTERVAL_S 30
#define NET_KEEPALIVE_COUNT      4

int net_parse(const char *text, uint16_t default_port, struct net_address *ret, struct err *reterr)
{
    struct net_address a = {.port = default_port};
    const char *host = text, *colon = strrchr(text, ':');
    size_t host_len = colon ? (size_t)(colon - text) : strlen(text);
    const char *port_text = colon ? colon + 1 : NULL;
    if (text[0] == '[') {
        const char *close_bracket = strchr(text, ']');
        if (!close_bracket || (close_bracket[1] && close_bracket[1] != ':'))
            return err_set(reterr, ERR_CONFIG, "'%s' is not an address: want [ipv6]:port", text);
        host = text + 1;
        host_len = (size_t)(close_bracket - host);
        port_text = close_bracket[1] ? close_bracket + 2 : NULL;
    }
    if (host_len == 0 || host_len >= sizeof a.host)
        return err_set(reterr, ERR_CONFIG, "'%s' is not an address: want host:port", text);
    memcpy(a.host, host, host_len);
    if (port_text) {
        char *end;
        errno = 0;
        unsigned long port = strtoul(port_text, &end, 10);
        if (errno || !*port_text || *end || *port_text == '-' || *port_text == '+' || port > 65535)
            return err_set(reterr, ERR_CONFIG, "'%s': '%s' is not a port (0 to 65535)", text, port_text);
        a.port = (uint16_t)port;
    } else if (!default_port) {
        return err_set(reterr, ERR_CONFIG, "'%s' has no port: want host:port", text);
    }
    *ret = a;
    return 0;
}

const char *net_format(const struct net_address *a, char out[NET_ADDRESS_MAX])
{
    snprintf(out, NET_ADDRESS_MAX, strchr(a->host, ':') ? "[%s]:%u" : "%s:%u", a->host, a->port);
    return out;
}

static int net_lookup(const struct net_address *a, int flags, struct addrinfo **ret, struct err *reterr)
{
    char port[8], text[NET_ADDRESS_MAX];
    snprintf(port, sizeof port, "%u", a->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    int rc = getaddrinfo(a->host, port, &hints, ret);
    if (rc)
        return err_set(reterr, ERR_CONNECT, "%s: cannot resolve the host name: %s", net_format(a, text),
                       rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
    return 0;
}

/* Which one of a name's addresses we are to be found at: as Hadoop's servers, which do not use IPv6 unless they must,
 * since its clients look for them there. `localhost` is ::1 first on many machines. */
static const struct addrinfo *net_preferred(const struct addrinfo *list)
{
    for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
        if (ai->ai_family == AF_INET)
            return ai;
    return list;
}

static void net_tune(int fd)
{
    int on = 1, idle = NET_KEEPALIVE_IDLE_S, interval = NET_KEEPALIVE_INTERVAL_S, count = NET_KEEPALIVE_COUNT;
    /* A UNIX socket refuses these, which is fine. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

int net_listen(const struct net_address *a, int *ret_fd, uint16_t *ret_port, struct err *reterr)
{
    char text[NET_ADDRESS_MAX];
    struct addrinfo *list;
    int rc = net_lookup(a, AI_PASSIVE, &list, reterr);
    if (rc < 0)
        return rc;
    const struct addrinfo *ai = net_preferred(list);
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0) {
        rc = err_errno(reterr, errno, "socket for %s", net_format(a, text));
    } else {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, NET_LISTEN_BACKLOG) < 0)
            rc = errno == EADDRINUSE
                     ? err_set(reterr, ERR_BUSY,
                               "%s: the port is in use by another program (`ss -ltnp sport = :%u` shows which); "
                               "stop it or choose another port",
                               net_format(a, text), a->port)
                     : err_errno(reterr, errno, "cannot listen on %s", net_format(a, text));
    }
    freeaddrinfo(list);
    struct net_address local;
    if (rc == 0)
        rc = net_local(fd, &local, reterr);
    if (rc < 0) {
        net_closep(&fd);
        return rc;
    }
    *ret_fd = fd;
    if (ret_port)
        *ret_port = local.port;
    return 0;
}

static int net_bind_local(int fd, int family, const char *local_ip)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (family == AF_INET && inet_pton(AF_INET, local_ip, &v4.sin_addr) == 1)
        return bind(fd, (struct sockaddr *)&v4, sizeof v4);
    if (family == AF_INET6 && inet_pton(AF_INET6, local_ip, &v6.sin6_addr) == 1)
        return bind(fd, (struct sockaddr *)&v6, sizeof v6);
    return 0; /* other family than the target's: let the kernel choose */
}

/* Returns 0 or errno. */
static int net_connect_one(int fd, const struct addrinfo *ai, int timeout_ms)
{
    if (connect(fd, ai->ai_addr, ai->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int n;
    do
        n = poll(&p, 1, timeout_ms > 0 ? timeout_ms : -1);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return ETIMEDOUT;
    int so_error = 0;
    socklen_t len = sizeof so_error;
    if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &so_error, &len) < 0)
        return errno;
    return so_error;
}

int net_connect(const struct net_address *a, const char *local_ip, int timeout_ms, int *ret_fd, struct err *reterr)
{
    char text[NET_ADDRESS_MAX];
    struct addrinfo *list;
    int rc = net_lookup(a, 0, &list, reterr);
    if (rc < 0)
        return rc;
    int errnum = EADDRNOTAVAIL, fd = -1;
    for (struct addrinfo *ai = list; ai; ai = ai->ai_next) {
        fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0) {
            errnum = errno;
            continue;
        }
        errnum = local_ip && *local_ip && net_bind_local(fd, ai->ai_family, local_ip) < 0 ? errno : 0;
        if (errnum == 0)
            errnum = net_connect_one(fd, ai, timeout_ms);
        if (errnum == 0)
            break;
        net_closep(&fd);
    }
    freeaddrinfo(list);
    if (errnum) {
        (void)err_errno(reterr, errnum, "cannot connect to %s", net_format(a, text));
        int code = errnum == ETIMEDOUT ? ERR_TIMEOUT : ERR_CONNECT;
        if (reterr)
            reterr->code = code;
        return code;
    }
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    net_tune(fd);
    *ret_fd = fd;
    return 0;
}

static int net_from_sockaddr(const struct sockaddr_storage *ss, struct net_address *ret)
{
    struct net_address a = {0};
    if (ss->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)ss;
        inet_ntop(AF_INET, &v4->sin_addr, a.host, sizeof a.host);
        a.port = ntohs(v4->sin_port);
    } else if (ss->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const void *)ss;
        if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
            inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, a.host, sizeof a.host);
        else
            inet_ntop(AF_INET6, &v6->sin6_addr, a.host, sizeof a.host);
        a.port = ntohs(v6->sin6_port);
    } else {
        snprintf(a.host, sizeof a.host, "local");
    }
    *ret = a;
    return 0;
}

int net_accept(int listen_fd, int *ret_fd, struct net_address *ret_peer, struct err *reterr)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    int fd;
    do
        fd = accept4(listen_fd, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return err_errno(reterr, errno, "accept");
    net_tune(fd);
    if (ret_peer)
        net_from_sockaddr(&ss, ret_peer);
    *ret_fd = fd;
    return 0;
}

int net_peer(int fd, struct net_address *ret, struct err *reterr)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    if (getpeername(fd, (struct sockaddr *)&ss, &len) < 0)
        return err_errno(reterr, errno, "getpeername");
    return net_from_sockaddr(&ss, ret);
}

int net_local(int fd, struct net_address *ret, struct err *reterr)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;
    if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
        return err_errno(reterr, errno, "getsockname");
    return net_from_sockaddr(&ss, ret);
}

void net_set_timeouts(int fd, int read_ms, int write_ms)
{
    struct timeval r = {read_ms / 1000, (read_ms % 1000) * 1000}, w = {write_ms / 1000, (write_ms % 1000) * 1000};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &r, sizeof r);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &w, sizeof w);
}

static int net_io_error(int fd, const char *what, int errnum, struct err *reterr)
{
    struct net_address peer;
    char text[NET_ADDRESS_MAX] = "peer";
    if (net_peer(fd, &peer, NULL) == 0)
        net_format(&peer, text);
    if (errnum == EAGAIN || errnum == EWOULDBLOCK)
        return err_set(reterr, ERR_TIMEOUT, "%s %s: timed out", what, text);
    return err_errno(reterr, errnum, "%s %s", what, text);
}

int net_read_full(int fd, void *bytes, size_t len, struct err *reterr)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = recv(fd, (char *)bytes + done, len - done, 0);
        if (n == 0)
            return err_set(reterr, ERR_CLOSED,
                           done ? "the peer closed the connection in mid-message"
                                : "the peer closed the connection cleanly");
        if (n < 0 && errno != EINTR)
            return net_io_error(fd, "read from", errno, reterr);
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int net_write_full(int fd, const void *bytes, size_t len, struct err *reterr)
{
    struct iovec iov = {(void *)(uintptr_t)bytes, len};
    return net_writev_full(fd, &iov, 1, reterr);
}

int net_writev_full(int fd, struct iovec *iov, int count, struct err *reterr)
{
    while (count > 0) {
        struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)count};
        ssize_t n = sendmsg(fd, &msg, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno == EINTR)
                continue;
            return net_io_error(fd, "write to", errno, reterr);
        }
        size_t left = (size_t)n;
        while (count > 0 && left >= iov->iov_len) {
            left -= iov->iov_len;
            iov++;
            count--;
        }
        if (count > 0) {
            iov->iov_base = (char *)iov->iov_base + left;
            iov->iov_len -= left;
        }
    }
    return 0;
}

int net_wait_readable(int fd, int timeout_ms, struct err *reterr)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;
    do
        n = poll(&p, 1, timeout_ms > 0 ? timeout_ms : -1);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(reterr, errno, "poll");
    return n == 0 ? net_io_error(fd, "read from", EAGAIN, reterr) : 0;
}

bool net_is_literal(const char *host)
{
    unsigned char ip[16];
    return inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1;
}

int net_files_max(void)
{
    struct rlimit files;
    bool known = getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < INT_MAX;
    return known ? (int)files.rlim_cur : INT_MAX;
}

int net_resolve(const char *host, char ret_ip[64], struct err *reterr)
{
    struct net_address a = {0}, found;
    snprintf(a.host, sizeof a.host, "%s", host);
    struct addrinfo *list;
    int rc = net_lookup(&a, 0, &list, reterr);
    if (rc < 0)
        return rc;
    const struct addrinfo *ai = net_preferred(list);
    struct sockaddr_storage ss = {0};
    memcpy(&ss, ai->ai_addr, ai->ai_addrlen < sizeof ss ? ai->ai_addrlen : sizeof ss);
    freeaddrinfo(list);
    net_from_sockaddr(&ss, &found);
    snprintf(ret_ip, 64, "%.63s", found.host);
    return 0;
}

void net_closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

bool net_name_of(const char *ip, char *ret, size_t size)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(ip, NULL, &hints, &found))
        return false;
    int rc = getnameinfo(found->ai_addr, found->ai_addrlen, ret, (socklen_t)size, NULL, 0, NI_NAMEREQD);
    freeaddrinfo(found);
    return rc == 0;
}

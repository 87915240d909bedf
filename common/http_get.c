/* HTTP GET for our own needs: one request, Connection: close, no redirects, no chunked answers asked for (HTTP/1.0). */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/http.h"
#include "common/mem.h"

#define HTTP_HEAD_MAX_BYTES 16384
#define HTTP_PIECE_BYTES    65536

struct http_answer {
    char *bytes; /* head, then the start of the body */
    size_t len, head_len;
    int status;
    int64_t content_bytes; /* -1: until the peer closes */
};

static int http_recv(int fd, void *bytes, size_t capacity, size_t *ret_len, struct err *reterr)
{
    ssize_t n;
    do
        n = recv(fd, bytes, capacity, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? err_set(reterr, ERR_TIMEOUT, "no answer in time")
                               : err_errno(reterr, errno, "receive");
    *ret_len = (size_t)n;
    return 0;
}

static int http_parse_head(struct http_answer *a, struct err *reterr)
{
    if (sscanf(a->bytes, "HTTP/1.%*d %d", &a->status) != 1)
        return err_set(reterr, ERR_PROTOCOL, "the answer is not HTTP");
    a->content_bytes = -1;
    for (char *line = strchr(a->bytes, '\n'); line && line + 1 < a->bytes + a->head_len; line = strchr(line + 1, '\n'))
        if (strncasecmp(line + 1, "Content-Length:", 15) == 0) {
            char *end;
            errno = 0;
            a->content_bytes = strtoll(line + 16, &end, 10);
            if (errno || a->content_bytes < 0 || (*end && !isspace((unsigned char)*end)))
                return err_set(reterr, ERR_PROTOCOL, "bad Content-Length");
        }
    return 0;
}

static int http_read_head(int fd, struct http_answer *a, struct err *reterr)
{
    for (;;) {
        if (a->len >= HTTP_HEAD_MAX_BYTES)
            return err_set(reterr, ERR_PROTOCOL, "the answer's head is larger than %d bytes", HTTP_HEAD_MAX_BYTES);
        size_t n = 0;
        int rc = http_recv(fd, a->bytes + a->len, HTTP_HEAD_MAX_BYTES - a->len, &n, reterr);
        if (rc < 0)
            return rc;
        if (n == 0)
            return err_set(reterr, ERR_CLOSED, "the connection was closed before an answer came");
        a->len += n;
        a->bytes[a->len] = 0;
        char *end = memmem(a->bytes, a->len, "\r\n\r\n", 4);
        if (end) {
            a->head_len = (size_t)(end - a->bytes) + 4;
            return http_parse_head(a, reterr);
        }
    }
}

static int http_read_body(int fd, struct http_answer *a, http_sink sink, void *arg, struct err *reterr)
{
    AUTO(mem_freep) char *piece = mem_alloc(HTTP_PIECE_BYTES);
    const char *bytes = a->bytes + a->head_len;
    size_t n = a->len - a->head_len;
    int64_t left = a->content_bytes;
    int rc = 0;
    for (;;) {
        if (left >= 0 && (int64_t)n > left)
            n = (size_t)left;
        if (n)
            rc = sink(bytes, n, arg, reterr);
        left -= left >= 0 ? (int64_t)n : 0;
        if (rc < 0 || left == 0)
            return rc;
        rc = http_recv(fd, piece, HTTP_PIECE_BYTES, &n, reterr);
        if (rc < 0)
            return rc;
        if (n == 0)
            return left > 0 ? err_set(reterr, ERR_CLOSED, "the answer was cut short by %lld bytes", (long long)left)
                            : 0;
        bytes = piece;
    }
}

int http_get(const struct net_address *to, const char *path_and_query, int timeout_ms, http_sink sink, void *arg,
             struct err *reterr)
{
    char name[NET_ADDRESS_MAX];
    net_format(to, name);
    if (strpbrk(path_and_query, " \r\n\t"))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "http://%s: the path must be percent-encoded", name);
    AUTO(net_closep) int fd = -1;
    int rc = net_connect(to, NULL, timeout_ms, &fd, reterr);
    if (rc < 0)
        return rc;
    net_set_timeouts(fd, timeout_ms, timeout_ms);
    AUTO(mem_freep)
    char *request = mem_printf("GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n", path_and_query, name);
    struct http_answer a = {.bytes = mem_alloc(HTTP_HEAD_MAX_BYTES + 1)};
    rc = net_write_full(fd, request, strlen(request), reterr);
    if (rc == 0)
        rc = http_read_head(fd, &a, reterr);
    if (rc == 0 && a.status != 200) {
        char *line = a.bytes + a.head_len;
        line[strcspn(line, "\r\n")] = 0;
        rc = err_set(reterr, a.status == 404 ? ERR_NOT_FOUND : ERR_IO, "status %d: %s", a.status, line);
    }
    if (rc == 0)
        rc = http_read_body(fd, &a, sink, arg, reterr);
    free(a.bytes);
    return rc < 0 ? err_prefix(reterr, rc, "http://%s%s", name, path_and_query) : 0;
}

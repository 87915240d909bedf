/* A small HTTP server on libmicrohttpd: routes, text/JSON answers, files by sendfile. Handlers run on the server's few
 * own threads (http_options.threads) and may block briefly. Requests are bounded (URL, headers, body). Every page is
 * plain: HTML with its CSS inline, no scripts from elsewhere. */
#ifndef CAIRN_COMMON_HTTP_H
#define CAIRN_COMMON_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/net.h"

struct http_server;
struct http_request; /* borrowed during the handler */

struct http_reply {
    int status;               /* 200 unless set */
    const char *content_type; /* static string; default text/plain; charset=utf-8 */
    struct buf body;          /* handler fills it; the server frees it */
    int file_fd;              /* >= 0: body is file_bytes of this file from file_offset; the server closes it */
    int64_t file_offset, file_bytes;
    char location[1024];      /* non-empty: Location header */
};
typedef void (*http_handler)(struct http_request *request, struct http_reply *reply, void *context);
struct http_route {
    const char *method; /* "GET"; NULL = any */
    const char *path;   /* exact, or a prefix if it ends with "*" */
    http_handler handler;
};
struct http_options {
    struct net_address listen; /* port 0 = pick one */
    const struct http_route *routes;
    size_t route_count;
    void *context;
    int threads;         /* 0 => 2 */
    size_t max_body_bytes; /* 0 => no body accepted */
};

int http_start(const struct http_options *options, struct http_server **ret, struct err *reterr) MUST_CHECK;
uint16_t http_port(const struct http_server *s);
void http_stop(struct http_server *s); /* waits for running handlers; NULL is fine */

const char *http_path(const struct http_request *r);                       /* decoded */
const char *http_query(const struct http_request *r, const char *name);    /* decoded; NULL if absent */
const char *http_header(const struct http_request *r, const char *name);
struct slice http_body(const struct http_request *r);

void http_fail(struct http_reply *reply, int status, const char *format, ...) PRINTF_LIKE(3, 4);
void html_escape(struct buf *b, const char *text);
void json_escape(struct buf *b, const char *text); /* with the quotes */

/* Client side, for the shuffle and tests of life: GET, answer body handed out in pieces as it comes (Content-Length or
 * until close; redirects are not followed). ERR_NOT_FOUND for 404, ERR_IO for other statuses with the body's first line. */
typedef int (*http_sink)(const void *bytes, size_t len, void *arg, struct err *reterr);
int http_get(const struct net_address *to, const char *path_and_query, int timeout_ms, http_sink sink, void *arg,
             struct err *reterr) MUST_CHECK;

#endif

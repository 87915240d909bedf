/* A small HTTP server on libmicrohttpd: routes, text/JSON answers, files by sendfile, bodies that come and go in
 * pieces.
 *
 * Handlers run on the server's few own threads (http_options.threads) and may block briefly; those of routes with
 * `may_block` run on a pool, sources and uploads on another, answers that wait for other machines on a third, while
 * their connection rests, so a slow client costs memory for one piece and no thread, and bodies that wait for a slow
 * disk leave the handlers alone. Requests are
 * bounded (URL, headers, body); a client that neither sends nor takes for a minute is dropped. Every page is plain:
 * HTML with its CSS inline, no scripts from elsewhere. */
#ifndef CAIRN_COMMON_HTTP_H
#define CAIRN_COMMON_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/json_out.h"
#include "common/net.h"

struct http_server;
struct http_request; /* borrowed during the handler */
struct http_reply;

/* An answer's body that is made while it is sent. One thread at a time; close comes once, whatever happened. */
struct http_source {
    int (*read)(void *context, void *bytes, size_t len, size_t *ret_read, struct err *reterr); /* 0 bytes = the end */
    void (*close)(void *context);
    void *context;
    int64_t bytes; /* how many there will be; -1 = not known: a chunked body */
};
/* An answer that waits for other machines. Comes once, whatever happened, and frees the context. */
struct http_later {
    void (*run)(void *context, struct http_reply *reply);
    void *context;
};
/* Takes a request's body. One thread at a time. Ends with one of finish and abort, which free the context. */
struct http_upload {
    int (*write)(void *context, const void *bytes, size_t len, struct err *reterr);
    void (*finish)(void *context, const struct err *why, struct http_reply *reply); /* why: what write said, or NULL */
    void (*abort)(void *context);                                                   /* the client is gone */
    void *context;
};

struct http_reply {
    int status;               /* 200 unless set */
    const char *content_type; /* static string; default text/plain; charset=utf-8; "" = none */
    struct buf body;          /* handler fills it; the server frees it */
    struct buf headers;       /* see http_reply_header */
    int file_fd;              /* >= 0: body is file_bytes of this file from file_offset; the server closes it */
    int64_t file_offset, file_bytes;
    bool close_connection;     /* after this answer */
    struct http_source source; /* .read set: the body (may_block routes only) */
    struct http_upload upload; /* .write set: not answered yet, the request's body goes there (may_block routes only) */
    struct http_later later;   /* .run set: not answered yet, it will do so (may_block routes only) */
};
typedef void (*http_handler)(struct http_request *request, struct http_reply *reply, void *context);
struct http_route {
    const char *method; /* "GET"; NULL = any */
    const char *path;   /* exact, or a prefix if it ends with "*" */
    http_handler handler;
    bool may_block; /* runs on the pool, before the request's body is read; that is dropped unless it is an upload */
    void *context;  /* NULL = that of the server */
};
struct http_options {
    struct net_address listen; /* port 0 = pick one */
    const struct http_route *routes;
    size_t route_count;
    void *context;
    int threads;           /* 0 => 2 */
    int pool_threads;      /* for may_block routes; 0 => 8 */
    int data_threads;      /* for sources and uploads; 0 => as many */
    int later_threads;     /* for answers that come later; 0 => those of the pool make them */
    size_t max_body_bytes; /* of other routes; 0 => no body accepted */
    /* Called with every answer before it is sent (headers that all of them have); may be NULL. Any thread. */
    http_handler on_reply;
    void *on_reply_context;
};

int http_start(const struct http_options *options, struct http_server **ret, struct err *reterr) MUST_CHECK;
uint16_t http_port(const struct http_server *s);
void http_stop(struct http_server *s); /* waits for running handlers; NULL is fine */

const char *http_method(const struct http_request *r);
const char *http_path(const struct http_request *r);    /* decoded */
const char *http_raw_uri(const struct http_request *r); /* path and query as they came */
const char *http_client_ip(const struct http_request *r);
const char *http_query(const struct http_request *r, const char *name); /* decoded; NULL if absent */
const char *http_header(const struct http_request *r, const char *name);
struct slice http_body(const struct http_request *r);

/* Takes the place of one of that name; line ends are dropped. */
void http_reply_header(struct http_reply *reply, const char *name, const char *value);
void http_fail(struct http_reply *reply, int status, const char *format, ...) PRINTF_LIKE(3, 4);
void html_escape(struct buf *b, const char *text);

/* Client side, for the shuffle and tests of life: GET, answer body handed out in pieces as it comes (Content-Length or
 * until close; redirects are not followed). ERR_NOT_FOUND for 404, ERR_IO for other statuses with the body's first
 * line. */
typedef int (*http_sink)(const void *bytes, size_t len, void *arg, struct err *reterr);
int http_get(const struct net_address *to, const char *path_and_query, int timeout_ms, http_sink sink, void *arg,
             struct err *reterr) MUST_CHECK;

#endif

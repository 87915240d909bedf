/* Inside the HTTP server: what http.c and http_stream.c know of each other.
 *
 * A request is owned by its connection's thread, or, while the connection is suspended, by the pool task that it waits
 * for; the hand-over goes through the pool's and libmicrohttpd's locks. */
#ifndef CAIRN_COMMON_HTTP_IMPL_H
#define CAIRN_COMMON_HTTP_IMPL_H

#include <microhttpd.h>
#include <pthread.h>

#include "common/http.h"
#include "common/pool.h"

#define HTTP_PIECE_BYTES     (128u << 10) /* of a body that streams: what one such request costs */
#define HTTP_STREAMS_MAX     512
#define HTTP_DROP_BODY_BYTES (64u << 20) /* of a body nobody wants; beyond it the connection is closed */

struct http_server {
    struct MHD_Daemon *daemon;
    struct http_route *routes;
    size_t route_count;
    struct http_options options;
    struct pool *pool;       /* handlers; NULL: no route blocks */
    struct pool *data_pool;  /* bodies: who waits for a datanode there keeps nobody from what needs none */
    struct pool *later_pool; /* NULL: the handlers' */
    uint16_t port;

    pthread_mutex_t lock;
    pthread_cond_t idle;
    int busy;      /* under lock: connections that rest while the pool works for them */
    int streams;   /* under lock */
    bool stopping; /* under lock */
};

enum http_phase {
    HTTP_NEW,  /* only the head is there */
    HTTP_BODY, /* collecting, dropping or passing on the body */
    HTTP_SENT,
};

struct http_request {
    struct http_server *server;
    struct MHD_Connection *connection;
    const char *method, *path;
    char *raw_uri;
    char client_ip[64];
    const struct http_route *route;
    enum http_phase phase;
    struct buf body; /* of a route that does not block */
    bool body_too_large;
    size_t dropped_bytes;

    struct http_reply reply;
    bool handled;   /* reply holds what the handler said */
    bool is_stream; /* counted */
    uint8_t *piece; /* HTTP_PIECE_BYTES; from here: of a stream */
    size_t piece_len, piece_at;
    bool ended, failed; /* source: all read; an error in between */
    bool uploading;     /* reply.upload is to be finished or aborted */
    bool upload_failed;
    struct err upload_error;
};

enum MHD_Result http_send(struct http_request *r);

/* http_stream.c. Suspends the connection and runs `step` on the pool; false: the server is stopping. */
bool http_rest(struct http_request *r, void (*step)(struct http_request *r));
void http_step_handle(struct http_request *r);
void http_step_write(struct http_request *r);  /* what is in the piece goes to the upload */
void http_step_finish(struct http_request *r); /* the same, and that was all */
struct MHD_Response *http_stream_response(struct http_request *r);
bool http_stream_begin(struct http_request *r); /* false: too many */
void http_stream_end(struct http_request *r);   /* closes or aborts what is open; the request goes */

#endif

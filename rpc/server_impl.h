/* Inside the RPC server: what rpc_server.c, connection.c and call.c know of each other.
 *
 * Lifetimes: the server is held by its owner and by every connection, a connection by its loop and by every
 * call, so an answer that comes after the end still finds its connection, sees that it is closed, and frees
 * everything.
 *
 * Threads: a connection's reading side belongs to its loop's thread. Its writing side is guarded by
 * connection.lock; whoever has an answer writes it to the socket at once, if nothing is queued. Lock order:
 * connection.lock before server_loop.lock, input_lock before both; retry_lock is never held together with another. */
#ifndef CAIRN_RPC_SERVER_IMPL_H
#define CAIRN_RPC_SERVER_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/loop.h"
#include "common/metrics.h"
#include "common/pool.h"
#include "rpc/registry.h"
#include "rpc/retry_cache.h"
#include "rpc/rpc_server.h"
#include "rpc/wire.h"

#define SCRATCH_BYTES       (64u << 10) /* one read; most requests never leave it */
#define OUT_MAX_BYTES       (8u << 20)  /* queued for one slow reader, before we stop reading from it */
#define INPUT_MAX_BYTES     (1u << 30)  /* halves of requests, of all connections together */
#define REQUEST_SMALL_BYTES (64u << 10) /* such requests are bounded by their number alone */
#define CALLS_CACHED_MAX    128         /* free ones kept by each loop */
#define LINGER_MS           2000        /* after the last word: let the peer read it before we close */

struct server_loop {
    struct loop *loop;
    struct rpc_server *server;
    struct loop_timer timer;
    pthread_t thread;
    bool running;

    pthread_mutex_t lock;
    struct rpc_connection *connections; /* under lock; removed by the loop's thread only */
    struct rpc_call *free_calls;        /* under lock */
    int free_call_count;

    uint8_t scratch[SCRATCH_BYTES]; /* loop thread */
};

struct rpc_server {
    _Atomic int refs;
    _Atomic bool stopping;
    _Atomic int connection_count;
    _Atomic int pool_queued;           /* calls that wait for the pool */
    _Atomic size_t input_bytes;        /* of all connections */
    struct rpc_server_options options; /* no zeros left */
    struct rpc_registry *registry;
    struct pool *pool;
    int listen_fd;
    uint16_t port;
    struct loop_watch listen_watch; /* on loops[0] */
    unsigned next_loop;             /* accepting thread */
    bool accept_paused;             /* accepting thread: out of file descriptors */

    pthread_mutex_t input_lock; /* who holds it looks for whom to close */

    pthread_mutex_t retry_lock;
    struct retry_cache *retry; /* under retry_lock */

    int loop_count;
    struct server_loop loops[];
};
void rpc_server_unref(struct rpc_server *s);
static inline bool rpc_server_is_full(const struct rpc_server *s)
{
    return s->pool_queued >= s->options.pool_queue_max;
}

/* Of all servers in this process. */
extern struct metric rpc_metric_connections, rpc_metric_calls, rpc_metric_errors, rpc_metric_replays,
    rpc_metric_refused;

/* PREAMBLE -> CONTEXT (SASL may come first) -> CALLS; any of them -> LAST_WORD after a fatal answer. */
enum connection_phase { PHASE_PREAMBLE, PHASE_CONTEXT, PHASE_CALLS, PHASE_LAST_WORD };

struct rpc_connection {
    struct loop_watch watch;
    struct rpc_server *server;
    struct server_loop *loop;
    uint64_t id; /* of all connections of this process, in their order */
    _Atomic int refs;
    struct rpc_connection *prev, *next; /* under loop->lock */
    char peer_ip[64];

    /* loop thread */
    enum connection_phase phase;
    struct buf in; /* half a request */
    _Atomic size_t
        input_bytes;       /* as much of it as counts for the server: changed under its input_lock, by any thread */
    bool is_input_dropped; /* under input_lock: it counts no more */
    const struct rpc_registered *last_service;
    int64_t opened_ms, last_read_ms;

    struct sasl_login *login; /* challenged, not answered yet */
    bool has_token;           /* the user is the owner of a token, proven */

    char *user; /* set before PHASE_CALLS, then constant; NULL = none was sent */

    _Atomic size_t out_bytes;     /* changed under lock; the loop looks without it */
    _Atomic int in_flight;        /* calls not answered; likewise, but for new ones */
    _Atomic size_t request_bytes; /* of the large ones among them; likewise */

    pthread_mutex_t lock;
    /* under lock */
    struct rpc_call *out_head, **out_tail; /* answers not fully written */
    int out_count;
    int64_t last_write_ms; /* when the queue last moved */
    bool blocked;          /* the socket took less than we had: wait for EPOLLOUT */
    bool
        paused; /* not reading: too much in flight; set and cleared by the loop's thread, which may look without lock */
    bool held;  /* a thread that holds answers back will flush it */
    bool closed;
    bool dropped;    /* by input_bound(), to be closed */
    bool watched;    /* tell the owner when it closes */
    bool shut;       /* last word written */
    uint32_t events; /* the loop waits for these */
};

/* Takes over fd. */
void connection_open(struct rpc_server *s, struct server_loop *l, int fd, const char *peer_ip);
void connection_unref(struct rpc_connection *c);
void connection_close(struct rpc_connection *c, bool by_peer);   /* loop thread, or the loop has ended */
void connection_check(struct rpc_connection *c, int64_t now_ms); /* loop thread: close it if it is overdue */
void input_counted(struct rpc_connection *c);                    /* loop thread, when `in` has changed */
void input_bound(struct rpc_server *s); /* any thread, without a lock: closes who holds most while it is too much */
/* Sends call->reply and frees the call, now or when the peer reads. Any thread. */
void connection_send(struct rpc_connection *c, struct rpc_call *call);

/* handshake.c; loop thread. Each takes one thing that the peer sent. */
size_t handshake_preamble(struct rpc_connection *c, struct slice in); /* returns its length, 0 if there is not enough */
void handshake_context(struct rpc_connection *c, const struct rpc_request_header *h, struct slice in);
void handshake_sasl(struct rpc_connection *c, const struct rpc_request_header *h, struct slice in);
/* The last word to this peer. */
void handshake_fatal(struct rpc_connection *c, const struct rpc_request_header *h, rpc_detail detail,
                     const char *java_class, const char *text);
void handshake_fatal_header(struct rpc_connection *c, const struct rpc_request_header *h, const char *text);

/* Who waits for a call without a connection (local_call.c); lives on the caller's stack. */
struct rpc_local {
    struct rpc_server *server;
    const char *user, *client_ip;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool answered; /* under lock */
};

struct rpc_call {
    struct rpc_connection *connection; /* a reference; NULL: the call is `local`'s */
    struct rpc_local *local;
    struct rpc_call *next;           /* in the output queue, or in the free list */
    const struct rpc_method *method; /* NULL: not a call of a method */
    const struct rpc_registered *service;
    const ProtobufCMessage *request;
    struct arena arena;
    struct buf reply;
    size_t request_bytes;      /* counted in the connection: the decoded request, if it is large */
    size_t written;            /* of reply */
    size_t body_begin;         /* in reply */
    bool prepared, remembered; /* remembered: the retry cache waits for us */
    bool failed;
    bool in_pool; /* or on another thread that may block */
    int32_t call_id, retry_count;
    rpc_detail detail;      /* if failed */
    const char *java_class; /* if failed; in the arena */
    const char *text;
    uint8_t client_id[RPC_CLIENT_ID_MAX_BYTES];
    size_t client_id_len;
    struct pool_task task;
    struct retry_waiter waiter;
};

struct rpc_call *call_new(struct rpc_connection *c, const struct rpc_request_header *h); /* counted as in flight */
void call_free(struct rpc_call *call);
/* Finds the method and runs it. `rest` is what follows the request header in the frame. false: fatal_text
 * says why the connection cannot go on; then the call is still the caller's. */
bool call_dispatch(struct rpc_call *call, struct slice rest, char fatal_text[static ERR_TEXT_MAX]);
void local_call_answered(struct rpc_call *call);
void call_answer_error(struct rpc_call *call, int status, rpc_detail detail, const char *java_class, const char *text);

#endif

/* One connection of the RPC server.
 *
 * Happy path: the loop finds the socket readable, reads into its scratch buffer, and works on every whole
 * frame in it: the preamble, the context, then calls. Handlers answer at once or later. Answers given during
 * the batch are written together at its end; later ones go to the socket directly from the thread that has
 * them.
 *
 * What can go wrong: a frame is cut (the half is kept, and grows only as bytes come); the peer speaks
 * nonsense (a last word says what, then we wait for the peer to close, so that it can read it); the peer does
 * not read (we stop reading, later we close); the peer goes away (answers still to come find `closed` and are
 * dropped). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/rd.h"
#include "rpc/sasl_login.h"
#include "rpc/server_impl.h"

#define SEND_AT_ONCE         32 /* answers in one writev */
#define HELD_MAX             16 /* answers held back for each other */
#define CONNECTIONS_HELD_MAX 32
#define IDLE_WHEN_CROWDED_MS 20000

/* ---- life ---- */

static void connection_ready(struct loop_watch *w, uint32_t events);

void connection_open(struct rpc_server *s, struct server_loop *l, int fd, const char *peer_ip)
{
    static _Atomic uint64_t opened; /* of all servers */
    struct rpc_connection *c = mem_new(struct rpc_connection);
    c->watch.fd = fd;
    c->watch.ready = connection_ready;
    c->server = s;
    c->id = ++opened;
    c->loop = l;
    c->refs = 1;
    strncpy(c->peer_ip, peer_ip, sizeof c->peer_ip - 1);
    c->opened_ms = c->last_read_ms = c->last_write_ms = clock_mono_ms();
    c->out_tail = &c->out_head;
    pthread_mutex_init(&c->lock, NULL);
    s->refs++;
    s->connection_count++;
    metric_add(&rpc_metric_connections, 1);
    pthread_mutex_lock(&l->lock);
    c->next = l->connections;
    if (c->next)
        c->next->prev = c;
    l->connections = c;
    /* Last, and under the lock: from here on the loop's thread may close it. */
    c->events = EPOLLIN;
    int rc = loop_watch_add(l->loop, &c->watch, c->events, NULL);
    pthread_mutex_unlock(&l->lock);
    if (rc < 0)
        shutdown(fd, SHUT_RDWR); /* the timer will find it */
}

void connection_unref(struct rpc_connection *c)
{
    if (--c->refs > 0)
        return;
    pthread_mutex_destroy(&c->lock);
    buf_free(&c->in);
    free(c->user);
    sasl_login_free(c->login);
    rpc_server_unref(c->server);
    free(c);
}

void connection_close(struct rpc_connection *c, bool by_peer)
{
    pthread_mutex_lock(&c->lock);
    if (c->closed) {
        pthread_mutex_unlock(&c->lock);
        return;
    }
    c->closed = true;
    by_peer = by_peer && !c->dropped;
    loop_watch_remove(&c->watch);
    close(c->watch.fd);
    struct rpc_call *unsent = c->out_head;
    c->out_head = NULL;
    bool watched = c->watched;
    pthread_mutex_unlock(&c->lock);

    buf_free(&c->in);
    input_counted(c); /* while it is in the list: see input_bound.c */
    pthread_mutex_lock(&c->loop->lock);
    if (c->next)
        c->next->prev = c->prev;
    if (c->prev)
        c->prev->next = c->next;
    else
        c->loop->connections = c->next;
    pthread_mutex_unlock(&c->loop->lock);

    c->server->connection_count--;
    metric_add(&rpc_metric_connections, -1);
    const struct rpc_server_options *o = &c->server->options;
    if (watched && o->on_connection_closed)
        o->on_connection_closed(o->on_connection_closed_context, c->id, clock_mono_ms() - c->last_read_ms, by_peer);
    for (struct rpc_call *next; unsent; unsent = next) {
        next = unsent->next;
        call_free(unsent);
    }
    connection_unref(c);
}

void connection_check(struct rpc_connection *c, int64_t now_ms)
{
    const struct rpc_server_options *o = &c->server->options;
    pthread_mutex_lock(&c->lock);
    bool sending = c->out_head != NULL, busy = c->in_flight > 0, paused = c->paused;
    int64_t last_write_ms = c->last_write_ms;
    pthread_mutex_unlock(&c->lock);
    int64_t silent_ms = now_ms - c->last_read_ms, idle_max_ms = o->idle_timeout_ms;
    if (c->server->connection_count > o->connections_max / 4 * 3 && idle_max_ms > IDLE_WHEN_CROWDED_MS)
        idle_max_ms = IDLE_WHEN_CROWDED_MS;
    bool overdue = c->phase == PHASE_LAST_WORD ? !sending && now_ms - last_write_ms > LINGER_MS
                   : c->phase != PHASE_CALLS   ? now_ms - c->opened_ms > o->handshake_timeout_ms
                   : c->in.len > 0 && !paused
                       ? silent_ms > o->stall_timeout_ms
                       : !sending && !busy && silent_ms > idle_max_ms && now_ms - last_write_ms > idle_max_ms;
    if (overdue || (sending && now_ms - last_write_ms > o->stall_timeout_ms))
        connection_close(c, false);
}

/* The connection whose batch of requests this thread works on: its answers are written together at the end. */
static _Thread_local struct rpc_connection *batch;
static _Thread_local bool batch_has_answers;

/* The connections whose answers this thread holds back, each with a reference. */
static _Thread_local struct {
    bool on;
    size_t count;
    struct rpc_connection *list[CONNECTIONS_HELD_MAX];
} held;

/* ---- writing; all under c->lock ---- */

/* Where many wait, each connection may have one call under way: its answer is what wakes the connection. */
static bool crowded(const struct rpc_connection *c)
{
    const struct rpc_server_options *o = &c->server->options;
    return c->in_flight >= o->calls_in_flight_max || c->request_bytes > o->request_bytes_max ||
           c->out_bytes > OUT_MAX_BYTES || (c->in_flight && !o->refuse_when_full && rpc_server_is_full(c->server));
}

/* EPOLLOUT wakes the loop to write the rest, or to go on reading when there is room again. */
static void events_update(struct rpc_connection *c)
{
    bool resume = c->paused && !crowded(c);
    uint32_t events = (c->paused ? 0u : (uint32_t)EPOLLIN) | (c->out_head || resume ? (uint32_t)EPOLLOUT : 0u);
    if (events != c->events) {
        c->events = events;
        loop_watch_events(&c->watch, events);
    }
}

/* Done with calls from the front of the queue; `bytes` were written. */
static struct rpc_call *out_advance(struct rpc_connection *c, size_t bytes)
{
    struct rpc_call *done = NULL;
    c->last_write_ms = clock_mono_ms();
    c->out_bytes -= bytes;
    for (struct rpc_call *call; (call = c->out_head);) {
        size_t left = call->reply.len - call->written, take = bytes < left ? bytes : left;
        call->written += take;
        bytes -= take;
        if (take < left)
            break;
        c->out_head = call->next;
        if (!c->out_head)
            c->out_tail = &c->out_head;
        c->out_count--;
        call->next = done;
        done = call;
    }
    return done;
}

/* Writes what the socket takes. Returns the calls that are done, to be freed without the lock. */
static struct rpc_call *out_flush(struct rpc_connection *c)
{
    struct rpc_call *done = NULL;
    while (c->out_head) {
        struct iovec iov[SEND_AT_ONCE];
        struct msghdr msg = {.msg_iov = iov};
        size_t total = 0;
        for (struct rpc_call *call = c->out_head; call && msg.msg_iovlen < SEND_AT_ONCE; call = call->next) {
            struct iovec *v = &iov[msg.msg_iovlen++];
            *v = (struct iovec){call->reply.base + call->written, call->reply.len - call->written};
            total += v->iov_len;
        }
        ssize_t n = sendmsg(c->watch.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        c->blocked = n < (ssize_t)total;
        if (n < 0) {
            if (errno != EAGAIN)
                shutdown(c->watch.fd, SHUT_RDWR); /* the loop sees the end and closes */
            break;
        }
        struct rpc_call *more = out_advance(c, (size_t)n);
        for (struct rpc_call *next; more; more = next) {
            next = more->next;
            more->next = done;
            done = more;
        }
        if (c->blocked)
            break;
    }
    return done;
}

static void calls_free(struct rpc_call *list)
{
    for (struct rpc_call *next; list; list = next) {
        next = list->next;
        call_free(list);
    }
}

/* Is the answer just queued written later, with others? */
static bool hold_back(struct rpc_connection *c)
{
    if (batch == c) {
        batch_has_answers = true;
        return true;
    }
    if (!held.on || c->held)
        return c->held;
    if (held.count == CONNECTIONS_HELD_MAX)
        return false;
    c->held = true;
    c->refs++;
    held.list[held.count++] = c;
    return true;
}

void rpc_hold_answers(bool begins)
{
    held.on = begins;
    for (size_t i = 0; !begins && i < held.count; i++) { /* as they came */
        struct rpc_connection *c = held.list[i];
        pthread_mutex_lock(&c->lock);
        c->held = false;
        struct rpc_call *done = c->closed || c->blocked ? NULL : out_flush(c);
        if (!c->closed)
            events_update(c);
        pthread_mutex_unlock(&c->lock);
        calls_free(done);
        connection_unref(c);
    }
    held.count = begins ? held.count : 0;
}

void connection_send(struct rpc_connection *c, struct rpc_call *call)
{
    struct rpc_call *done = NULL;
    c->refs++; /* the call's reference goes with the call */
    pthread_mutex_lock(&c->lock);
    c->in_flight--;
    c->request_bytes -= call->request_bytes;
    if (c->closed) {
        call->next = NULL;
        done = call;
    } else {
        if (!c->out_head)
            c->last_write_ms = clock_mono_ms();
        call->next = NULL;
        *c->out_tail = call;
        c->out_tail = &call->next;
        c->out_bytes += call->reply.len;
        c->out_count++;
        bool hold = hold_back(c);
        if (!c->blocked && (!hold || c->out_count >= HELD_MAX))
            done = out_flush(c);
        if (!hold)
            events_update(c);
    }
    pthread_mutex_unlock(&c->lock);
    calls_free(done);
    connection_unref(c);
}

/* ---- frames; loop thread from here on ---- */

static void take_frame(struct rpc_connection *c, struct slice frame)
{
    struct rpc_request_header h = {.call_id = RPC_CALL_INVALID, .retry_count = -1};
    struct rd rd = rd_of(frame);
    struct slice head = rd_slice(&rd, rd_varint(&rd));
    struct err why;
    if (rd.bad || rpc_request_header_decode(head, &h, &why) < 0) {
        handshake_fatal(c, &h, RPC_DETAIL(FATAL_DESERIALIZING_REQUEST), ERR_IPC "RpcServerException",
                        rd.bad ? "RpcRequestHeaderProto is cut short" : why.text);
        return;
    }
    struct slice rest = {rd.pos, (size_t)(rd.end - rd.pos)};
    if (h.call_id == RPC_CALL_PING)
        return;
    if (h.op != HRPC__RPC_REQUEST_HEADER_PROTO__OPERATION_PROTO__RPC_FINAL_PACKET) {
        handshake_fatal_header(
            c, &h, h.op < 0 ? "No rpc op in the rpc request header" : "Unsupported rpc op in the rpc request header");
    } else if (h.kind != HRPC__RPC_KIND_PROTO__RPC_PROTOCOL_BUFFER) {
        handshake_fatal_header(c, &h,
                               h.kind < 0 ? "No rpc kind in the rpc request header" : "Unknown rpc kind in rpc header");
    } else if (h.call_id == RPC_CALL_CONTEXT) {
        handshake_context(c, &h, rest);
    } else if (h.call_id == RPC_CALL_SASL) {
        handshake_sasl(c, &h, rest);
    } else if (h.call_id < 0) {
        handshake_fatal_header(c, &h, "Unknown out of band call id");
    } else if (c->phase != PHASE_CALLS) {
        handshake_fatal_header(c, &h, "Connection context not established");
    } else {
        char text[ERR_TEXT_MAX];
        struct rpc_call *call = call_new(c, &h);
        if (!call_dispatch(call, rest, text)) {
            c->phase = PHASE_LAST_WORD;
            call_answer_error(call, RPC_STATUS(FATAL), RPC_DETAIL(FATAL_DESERIALIZING_REQUEST),
                              ERR_IPC "RpcServerException", text);
        }
    }
}

/* The length of the frame at the front of `in` with its length word; 0 if even that is not there; -1:
 * nonsense. */
static ssize_t frame_size(struct slice in)
{
    if (in.len < 4)
        return 0;
    struct rd rd = rd_of(in);
    uint32_t len = rd_u32be(&rd);
    return len > RPC_FRAME_MAX_BYTES ? -1 : (ssize_t)len + 4;
}

/* Takes one thing from the front; returns its length, 0 if it is not there as a whole, -1 to drop the
 * connection. */
static ssize_t take_one(struct rpc_connection *c, struct slice in)
{
    if (c->phase == PHASE_LAST_WORD)
        return (ssize_t)in.len;
    if (c->phase == PHASE_PREAMBLE)
        return (ssize_t)handshake_preamble(c, in);
    ssize_t size = frame_size(in);
    if (size <= 0 || (size_t)size > in.len)
        return size < 0 ? -1 : 0;
    take_frame(c, (struct slice){in.base + 4, (size_t)size - 4});
    return size;
}

/* Works on all whole frames, as far as back-pressure allows. false: drop the connection. */
static bool take_all(struct rpc_connection *c, struct slice in, size_t *ret_taken)
{
    size_t taken = 0;
    while (taken < in.len) {
        if (crowded(c) && c->phase != PHASE_LAST_WORD) {
            pthread_mutex_lock(&c->lock);
            c->paused = true;
            pthread_mutex_unlock(&c->lock);
        }
        if (c->paused)
            break;
        ssize_t n = take_one(c, (struct slice){in.base + taken, in.len - taken});
        if (n < 0)
            return false;
        if (n == 0)
            break;
        taken += (size_t)n;
    }
    *ret_taken = taken;
    return true;
}

/* Begins a batch. true: it begins with what was left when we paused. Without the lock if there is nothing to write,
 * since whoever sends the answer that the peer's request follows may still have it. */
static bool batch_begin(struct rpc_connection *c, uint32_t events)
{
    batch = c;
    batch_has_answers = false;
    if (!(events & EPOLLOUT) && !c->paused)
        return false;
    pthread_mutex_lock(&c->lock);
    struct rpc_call *done = out_flush(c);
    bool resumed = c->paused && !crowded(c);
    if (resumed)
        c->paused = false;
    pthread_mutex_unlock(&c->lock);
    calls_free(done);
    return resumed;
}

/* Ends it: writes its answers, and decides what to wait for. */
static void batch_end(struct rpc_connection *c, uint32_t events)
{
    batch = NULL;
    if (!batch_has_answers && !(events & EPOLLOUT) && !c->paused && c->phase != PHASE_LAST_WORD)
        return;
    pthread_mutex_lock(&c->lock);
    struct rpc_call *done = out_flush(c);
    if (c->phase == PHASE_LAST_WORD && !c->out_head && !c->shut) {
        c->shut = true;
        shutdown(c->watch.fd, SHUT_WR);
    }
    events_update(c);
    pthread_mutex_unlock(&c->lock);
    calls_free(done);
}

/* How much to make room for: the rest of the frame, but never more than has already come. */
static size_t room_wanted(const struct rpc_connection *c)
{
    ssize_t size = c->phase >= PHASE_CONTEXT ? frame_size(buf_slice(&c->in)) : 0;
    size_t left = size > (ssize_t)c->in.len ? (size_t)size - c->in.len : 0;
    return left < c->in.len ? left : c->in.len;
}

/* Reads once and works on it. false: close. */
static bool read_some(struct rpc_connection *c)
{
    size_t before = c->in.len, room = room_wanted(c), taken = 0;
    bool direct = room > SCRATCH_BYTES; /* the middle of a large request */
    uint8_t *to = direct ? buf_reserve(&c->in, room) : c->loop->scratch;
    ssize_t n = recv(c->watch.fd, to, direct ? room : SCRATCH_BYTES, MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    c->last_read_ms = clock_mono_ms();
    struct slice in = {to, (size_t)n};
    if (before) {
        if (direct)
            c->in.len += (size_t)n;
        else
            buf_append(&c->in, to, (size_t)n);
        in = buf_slice(&c->in);
    }
    if (!take_all(c, in, &taken))
        return false;
    if (before && taken)
        buf_consume(&c->in, taken);
    else if (!before && taken < in.len)
        buf_append(&c->in, in.base + taken, in.len - taken);
    if (c->in.len == 0)
        buf_free(&c->in);
    input_counted(c);
    input_bound(c->server);
    return true;
}

/* After a pause: first what was already read. */
static bool read_on(struct rpc_connection *c)
{
    size_t taken = 0;
    if (!take_all(c, buf_slice(&c->in), &taken))
        return false;
    if (taken)
        buf_consume(&c->in, taken);
    if (c->in.len == 0)
        buf_free(&c->in);
    input_counted(c);
    return true;
}

static void connection_ready(struct loop_watch *w, uint32_t events)
{
    struct rpc_connection *c = container_of(w, struct rpc_connection, watch);
    c->refs++; /* closing must not pull it away under us */
    bool alive = !(events & (EPOLLERR | EPOLLHUP));
    if (alive && batch_begin(c, events))
        alive = read_on(c);
    if (alive && events & EPOLLIN)
        alive = read_some(c);
    batch_end(c, events); /* what was answered before the end came is still written */
    if (!alive)
        connection_close(c, true);
    connection_unref(c);
}

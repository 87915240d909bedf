#include "rpc/client_connection.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/rd.h"
#include "proto/message.h"
#include "rpc/wire.h"

#define TICK_MS           1000  /* how long one recv may take before the leader looks at the clock */
#define PING_MS           60000 /* of silence, while calls wait */
#define SEND_TIMEOUT_MS   60000
#define READ_BYTES        (16u << 10) /* room for one read */
#define BUFFER_KEPT_BYTES (64u << 10)
#define IDLE_CHECK_MS     1000 /* unused this long, the server may have closed it */

struct client_call { /* on its caller's stack; under lock while in the list */
    int32_t call_id;
    bool done;    /* `response` is there */
    bool waiting; /* asleep, so it can be asked to lead */
    struct buf *response;
    struct client_call *prev, *next;
    pthread_cond_t wake; /* done, broken, or asked to lead */
};

struct client_connection {
    int fd;
    char address[NET_ADDRESS_MAX];

    pthread_mutex_t write_lock; /* before lock */
    struct buf greeting;        /* not sent yet */
    int64_t last_write_ms;

    pthread_mutex_t lock;
    int refs;
    struct client_call *calls; /* waiting */
    bool led;                  /* somebody reads */
    bool broken;
    struct err why_broken;
    int64_t last_used_ms;

    /* the leader's */
    struct buf in;
    int64_t last_read_ms;
};

/* ---- life ---- */

static void greeting_build(struct buf *to, const struct client_connection_options *o)
{
    Hrpc__UserInformationProto user = HRPC__USER_INFORMATION_PROTO__INIT;
    Hrpc__IpcConnectionContextProto context = HRPC__IPC_CONNECTION_CONTEXT_PROTO__INIT;
    user.effectiveuser = (char *)(uintptr_t)o->user; /* protobuf-c does not change what it packs */
    context.userinfo = &user;
    context.protocol = (char *)(uintptr_t)o->protocol;
    static const uint8_t preamble[RPC_PREAMBLE_BYTES] = {'h', 'r', 'p', 'c', RPC_VERSION, 0, RPC_AUTH_NONE};
    buf_append(to, preamble, sizeof preamble);
    rpc_frame_request(to, RPC_CALL_CONTEXT, -1, o->client_id, NULL, NULL, &context.base);
}

int client_connection_open(const struct client_connection_options *o, struct client_connection **ret,
                           struct err *reterr)
{
    int fd;
    int rc = net_connect(o->address, o->local_ip, o->connect_timeout_ms, &fd, reterr);
    if (rc < 0)
        return rc;
    net_set_timeouts(fd, TICK_MS, SEND_TIMEOUT_MS);
    struct client_connection *c = mem_new(struct client_connection);
    c->fd = fd;
    net_format(o->address, c->address);
    pthread_mutex_init(&c->write_lock, NULL);
    pthread_mutex_init(&c->lock, NULL);
    c->refs = 1;
    c->last_used_ms = c->last_read_ms = c->last_write_ms = clock_mono_ms();
    greeting_build(&c->greeting, o);
    *ret = c;
    return 0;
}

struct client_connection *client_connection_ref(struct client_connection *c)
{
    pthread_mutex_lock(&c->lock);
    c->refs++;
    pthread_mutex_unlock(&c->lock);
    return c;
}

void client_connection_unref(struct client_connection *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    int left = --c->refs;
    pthread_mutex_unlock(&c->lock);
    if (left)
        return;
    net_closep(&c->fd);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->write_lock);
    buf_free(&c->greeting);
    buf_free(&c->in);
    free(c);
}

static void break_locked(struct client_connection *c, const struct err *why)
{
    if (c->broken)
        return;
    c->broken = true;
    c->why_broken = *why;
    shutdown(c->fd, SHUT_RDWR); /* the leader and a writer come back */
    for (struct client_call *call = c->calls; call; call = call->next)
        pthread_cond_signal(&call->wake);
}

void client_connection_break(struct client_connection *c, const struct err *why)
{
    pthread_mutex_lock(&c->lock);
    break_locked(c, why);
    pthread_mutex_unlock(&c->lock);
}

bool client_connection_is_dead(struct client_connection *c)
{
    pthread_mutex_lock(&c->lock);
    if (!c->broken && !c->calls && !c->led && clock_mono_ms() - c->last_used_ms >= IDLE_CHECK_MS) {
        uint8_t byte;
        ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            struct err why;
            err_set(&why, ERR_CLOSED, "%s closed the idle connection", c->address);
            break_locked(c, &why);
        }
    }
    bool dead = c->broken;
    pthread_mutex_unlock(&c->lock);
    return dead;
}

bool client_connection_local_ip(const struct client_connection *c, char ret_ip[64])
{
    struct net_address local;
    if (net_local(c->fd, &local, NULL) < 0)
        return false;
    snprintf(ret_ip, 64, "%.63s", local.host);
    return true;
}

/* ---- sending ---- */

static int frame_send(struct client_connection *c, struct slice frame, struct err *reterr)
{
    pthread_mutex_lock(&c->write_lock);
    struct iovec iov[2] = {{c->greeting.base, c->greeting.len}, {(void *)(uintptr_t)frame.base, frame.len}};
    bool greet = c->greeting.len > 0;
    c->last_write_ms = clock_mono_ms();
    int rc = net_writev_full(c->fd, greet ? iov : iov + 1, greet ? 2 : 1, reterr);
    if (greet)
        buf_free(&c->greeting);
    pthread_mutex_unlock(&c->write_lock);
    return rc;
}

static void ping_if_silent(struct client_connection *c, int64_t now_ms)
{
    if (pthread_mutex_trylock(&c->write_lock) != 0)
        return; /* someone is writing, so it is not silent */
    if (now_ms - c->last_write_ms >= PING_MS) {
        AUTO(buf_free) struct buf ping = {0};
        rpc_frame_request(&ping, RPC_CALL_PING, -1, (struct slice){0}, NULL, NULL, NULL);
        c->last_write_ms = now_ms;
        int rc = net_write_full(c->fd, ping.base, ping.len, NULL);
        (void)rc; /* a dead connection shows when we read */
    }
    pthread_mutex_unlock(&c->write_lock);
}

/* ---- leading: reading for all ---- */

static void call_link(struct client_connection *c, struct client_call *call)
{
    call->next = c->calls;
    if (call->next)
        call->next->prev = call;
    c->calls = call;
}

static void call_unlink(struct client_connection *c, struct client_call *call)
{
    if (call->next)
        call->next->prev = call->prev;
    if (call->prev)
        call->prev->next = call->next;
    else
        c->calls = call->next;
}

/* Gives one whole frame to the call it belongs to. Under lock. */
static int frame_deliver(struct client_connection *c, struct slice frame, const struct client_call *own,
                         struct err *reterr)
{
    struct rpc_response_header h;
    struct rd rd = rd_of(frame);
    struct slice head = rd_slice(&rd, rd_varint(&rd));
    int rc = rd.bad ? err_set(reterr, ERR_PROTOCOL, "an answer without a header")
                    : rpc_response_header_decode(head, &h, reterr);
    if (rc < 0)
        return err_prefix(reterr, rc, "%s", c->address);
    for (struct client_call *call = c->calls; call; call = call->next) {
        if ((uint32_t)call->call_id != h.call_id)
            continue;
        buf_append(call->response, frame.base, frame.len);
        call->done = true;
        call_unlink(c, call);
        if (call != own)
            pthread_cond_signal(&call->wake);
        break; /* nobody waits for it any more: a late answer */
    }
    if (h.status != RPC_STATUS(FATAL))
        return 0;
    char java_class[ERR_CLASS_MAX], text[ERR_TEXT_MAX];
    rpc_text_copy(java_class, sizeof java_class, h.exception_class);
    rpc_text_copy(text, sizeof text, h.text);
    return err_remote(reterr, java_class, text);
}

/* Takes whole frames off the front of the buffer. */
static int frames_deliver(struct client_connection *c, const struct client_call *own, struct err *reterr)
{
    size_t taken = 0;
    int rc = 0;
    pthread_mutex_lock(&c->lock);
    while (rc == 0 && c->in.len - taken >= 4) {
        struct rd rd = rd_of((struct slice){c->in.base + taken, c->in.len - taken});
        uint32_t len = rd_u32be(&rd);
        if (len == 0 || len > RPC_FRAME_MAX_BYTES) {
            rc = err_set(reterr, ERR_PROTOCOL,
                         "%s sent an answer of %" PRIu32 " bytes (at most %u): is it an RPC server?", c->address, len,
                         RPC_FRAME_MAX_BYTES);
            break;
        }
        struct slice frame = rd_slice(&rd, len);
        if (rd.bad)
            break;
        rc = frame_deliver(c, frame, own, reterr);
        taken += 4 + (size_t)len;
    }
    pthread_mutex_unlock(&c->lock);
    if (taken == c->in.len && c->in.capacity > BUFFER_KEPT_BYTES)
        buf_free(&c->in);
    else if (taken)
        buf_consume(&c->in, taken);
    return rc;
}

/* Room for what comes next: the rest of the frame that has begun, but no more than has already come. */
static size_t room_wanted(const struct client_connection *c)
{
    if (c->in.len < READ_BYTES)
        return READ_BYTES;
    struct rd rd = rd_of(buf_slice(&c->in));
    size_t whole = (size_t)rd_u32be(&rd) + 4, left = whole > c->in.len ? whole - c->in.len : READ_BYTES;
    return left < c->in.len ? left : c->in.len;
}

/* Whatever went wrong on a socket that was connected, the connection is lost. */
static int lost(struct err *why)
{
    why->code = ERR_CLOSED;
    return ERR_CLOSED;
}

/* Reads once, for at most a tick, and delivers. */
static int read_once(struct client_connection *c, const struct client_call *own, int64_t deadline_ms,
                     struct err *reterr)
{
    int64_t now_ms = clock_mono_ms();
    if (deadline_ms - now_ms < TICK_MS) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        if (poll(&p, 1, (int)(deadline_ms > now_ms ? deadline_ms - now_ms : 0)) <= 0)
            return 0;
    }
    size_t room = room_wanted(c);
    ssize_t n = recv(c->fd, buf_reserve(&c->in, room), room, 0);
    if (n > 0) {
        c->in.len += (size_t)n;
        c->last_read_ms = clock_mono_ms();
        return frames_deliver(c, own, reterr);
    }
    if (n == 0)
        return err_set(reterr, ERR_CLOSED, "%s closed the connection", c->address);
    if (errno != EAGAIN && errno != EINTR) {
        err_errno(reterr, errno, "read from %s", c->address);
        return lost(reterr);
    }
    ping_if_silent(c, clock_mono_ms());
    return 0;
}

static void lead_release(struct client_connection *c)
{
    c->led = false;
    for (struct client_call *call = c->calls; call; call = call->next)
        if (call->waiting) {
            pthread_cond_signal(&call->wake); /* you lead now */
            break;
        }
}

static void wait_to_be_woken(struct client_connection *c, struct client_call *call, int64_t deadline_ms)
{
    struct timespec until = {deadline_ms / 1000, deadline_ms % 1000 * 1000000};
    call->waiting = true;
    pthread_cond_clockwait(&call->wake, &c->lock, CLOCK_MONOTONIC, &until);
    call->waiting = false;
}

/* Under lock, before and after. */
static int call_wait(struct client_connection *c, struct client_call *call, int64_t deadline_ms, struct err *reterr)
{
    bool leading = false;
    int64_t started_ms = clock_mono_ms();
    int rc = 0;
    while (!call->done && !c->broken) {
        if (clock_mono_ms() >= deadline_ms) {
            rc = err_set(reterr, ERR_TIMEOUT, "%s did not answer within %" PRId64 " ms", c->address,
                         deadline_ms - started_ms);
            break;
        }
        if (!leading && c->led) {
            wait_to_be_woken(c, call, deadline_ms);
            continue;
        }
        leading = c->led = true;
        pthread_mutex_unlock(&c->lock);
        struct err why;
        int read_rc = read_once(c, call, deadline_ms, &why);
        pthread_mutex_lock(&c->lock);
        if (read_rc < 0)
            break_locked(c, &why);
    }
    /* A server that said nothing at all meanwhile is not worth another call's patience. */
    if (rc == ERR_TIMEOUT && (leading || !c->led) && c->last_read_ms < started_ms) {
        struct err why;
        err_set(&why, ERR_CLOSED, "%s has not answered anything for a while", c->address);
        break_locked(c, &why);
    }
    if (leading)
        lead_release(c);
    if (!call->done) {
        call_unlink(c, call);
        if (rc == 0) {
            if (reterr)
                *reterr = c->why_broken;
            rc = c->why_broken.code;
        }
    } else {
        rc = 0;
    }
    return rc;
}

int client_connection_call(struct client_connection *c, int32_t call_id, struct slice frame, int64_t deadline_ms,
                           struct buf *ret_response, struct err *reterr)
{
    struct client_call call = {.call_id = call_id, .response = ret_response, .wake = PTHREAD_COND_INITIALIZER};
    pthread_mutex_lock(&c->lock);
    call_link(c, &call);
    pthread_mutex_unlock(&c->lock);
    struct err why;
    int sent = frame_send(c, frame, &why);
    pthread_mutex_lock(&c->lock);
    if (sent < 0) {
        (void)lost(&why); /* half a frame may be out */
        break_locked(c, &why);
    }
    int rc = call_wait(c, &call, deadline_ms, reterr);
    c->last_used_ms = clock_mono_ms();
    pthread_mutex_unlock(&c->lock);
    pthread_cond_destroy(&call.wake);
    return rc;
}

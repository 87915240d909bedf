#include "rpc/rpc_client.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/rd.h"
#include "proto/message.h"
#include "rpc/client_connection.h"
#include "rpc/failover.h"
#include "rpc/wire.h"

#define CONNECT_TIMEOUT_MS 20000
#define CALL_TIMEOUT_MS    120000

struct rpc_client {
    /* constant */
    struct net_address *addresses;
    size_t address_count;
    char *protocol, *user, *local_ip;
    int connect_timeout_ms;
    struct failover_policy policy; /* but for how long */
    uint8_t client_id[RPC_CLIENT_ID_BYTES];

    _Atomic int call_timeout_ms, retry_for_ms;
    _Atomic int32_t next_call_id;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* connected or not, cancelled */
    struct client_connection *connection;
    bool connecting;
    bool cancelled;
    unsigned connect_failures; /* counts attempts that failed, so that waiters share the outcome */
    struct err connect_error;  /* of the last one */
    size_t current;            /* address */
};

int rpc_client_new(const struct rpc_client_options *o, struct rpc_client **ret, struct err *reterr)
{
    if (o->address_count == 0)
        return err_set(reterr, ERR_CONFIG, "%s: no server address", o->protocol);
    struct rpc_client *c = mem_new(struct rpc_client);
    if (getrandom(c->client_id, sizeof c->client_id, 0) != sizeof c->client_id) {
        free(c);
        return err_set(reterr, ERR_IO, "no random bytes for a client id");
    }
    c->addresses = mem_calloc(o->address_count, sizeof *c->addresses);
    memcpy(c->addresses, o->addresses, o->address_count * sizeof *c->addresses);
    c->address_count = o->address_count;
    c->protocol = mem_strdup(o->protocol);
    c->user = mem_strdup(o->user ? o->user : "");
    c->local_ip = o->local_ip ? mem_strdup(o->local_ip) : NULL;
    c->connect_timeout_ms = o->connect_timeout_ms > 0 ? o->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    c->call_timeout_ms = o->call_timeout_ms > 0 ? o->call_timeout_ms : CALL_TIMEOUT_MS;
    c->retry_for_ms = o->retry_for_ms;
    c->policy = (struct failover_policy){.address_count = o->address_count,
                                         .failovers_max = o->failovers_max,
                                         .delay_min_ms = o->failover_delay_min_ms,
                                         .delay_max_ms = o->failover_delay_max_ms};
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    *ret = c;
    return 0;
}

void rpc_client_free(struct rpc_client *c)
{
    if (!c)
        return;
    client_connection_unref(c->connection);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c->addresses);
    free(c->protocol);
    free(c->user);
    free(c->local_ip);
    free(c);
}

void rpc_client_cancel(struct rpc_client *c)
{
    struct err why;
    err_set(&why, ERR_CANCELLED, "cancelled");
    pthread_mutex_lock(&c->lock);
    c->cancelled = true;
    if (c->connection)
        client_connection_break(c->connection, &why);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

void rpc_client_set_patience(struct rpc_client *c, int ms)
{
    c->retry_for_ms = ms < c->retry_for_ms ? ms : c->retry_for_ms;
    c->call_timeout_ms = ms < c->call_timeout_ms ? ms : c->call_timeout_ms;
}

const char *rpc_client_user(const struct rpc_client *c)
{
    return c->user;
}

const struct net_address *rpc_client_address(const struct rpc_client *c)
{
    struct rpc_client *locked = (struct rpc_client *)(uintptr_t)c;
    pthread_mutex_lock(&locked->lock);
    const struct net_address *a = &c->addresses[c->current];
    pthread_mutex_unlock(&locked->lock);
    return a;
}

bool rpc_client_local_ip(struct rpc_client *c, char ret_ip[64])
{
    pthread_mutex_lock(&c->lock);
    bool known = c->connection && client_connection_local_ip(c->connection, ret_ip);
    pthread_mutex_unlock(&c->lock);
    return known;
}

struct slice rpc_client_id(const struct rpc_client *c)
{
    return (struct slice){c->client_id, sizeof c->client_id};
}

/* ---- the connection; under lock ---- */

/* Makes one; gives up the lock meanwhile. */
static int connect_unlocked(struct rpc_client *c, struct err *reterr)
{
    struct client_connection *fresh = NULL;
    struct client_connection_options o = {.address = &c->addresses[c->current],
                                          .local_ip = c->local_ip,
                                          .user = c->user,
                                          .protocol = c->protocol,
                                          .client_id = rpc_client_id(c),
                                          .connect_timeout_ms = c->connect_timeout_ms};
    c->connecting = true;
    pthread_mutex_unlock(&c->lock);
    struct err why;
    int rc = client_connection_open(&o, &fresh, &why);
    if (rc == ERR_TIMEOUT)
        rc = why.code = ERR_CONNECT; /* unlike a call's, it is safe to try elsewhere */
    pthread_mutex_lock(&c->lock);
    c->connecting = false;
    if (rc == 0) {
        c->connection = fresh;
    } else {
        c->connect_failures++;
        c->connect_error = why;
        if (reterr)
            *reterr = why;
    }
    pthread_cond_broadcast(&c->changed);
    return rc;
}

/* The connection to use, with a reference; *ret_fresh: made for this call. Concurrent callers share one
 * attempt. */
static int connection_get(struct rpc_client *c, struct client_connection **ret, bool *ret_fresh, struct err *reterr)
{
    int rc = 0;
    bool fresh = false;
    pthread_mutex_lock(&c->lock);
    for (unsigned failures = c->connect_failures; rc == 0;) {
        if (c->cancelled) {
            rc = err_set(reterr, ERR_CANCELLED, "cancelled");
        } else if (c->connection && !client_connection_is_dead(c->connection)) {
            break;
        } else if (c->connecting) {
            pthread_cond_wait(&c->changed, &c->lock);
            if (c->connect_failures != failures && !c->connection) {
                if (reterr)
                    *reterr = c->connect_error;
                rc = c->connect_error.code;
            }
        } else {
            client_connection_unref(c->connection);
            c->connection = NULL;
            fresh = true;
            rc = connect_unlocked(c, reterr);
        }
    }
    if (rc == 0) {
        *ret = client_connection_ref(c->connection);
        *ret_fresh = fresh;
    }
    pthread_mutex_unlock(&c->lock);
    return rc;
}

/* `failed`: the address that the caller found wanting; others may have moved on already. */
static void address_next(struct rpc_client *c, size_t failed)
{
    pthread_mutex_lock(&c->lock);
    if (c->current == failed) {
        c->current = (failed + 1) % c->address_count;
        struct err why;
        err_set(&why, ERR_CLOSED, "failing over to another server");
        if (c->connection)
            client_connection_break(c->connection, &why);
    }
    pthread_mutex_unlock(&c->lock);
}

/* false: cancelled. */
static bool pause_for(struct rpc_client *c, int64_t delay_ms)
{
    int64_t until_ms = clock_mono_ms() + delay_ms;
    struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
    pthread_mutex_lock(&c->lock);
    while (!c->cancelled && delay_ms > 0 && clock_mono_ms() < until_ms)
        pthread_cond_clockwait(&c->changed, &c->lock, CLOCK_MONOTONIC, &until);
    bool go_on = !c->cancelled;
    pthread_mutex_unlock(&c->lock);
    return go_on;
}

/* ---- one call ---- */

static int response_decode(struct slice frame, const ProtobufCMessageDescriptor *type, struct arena *arena,
                           ProtobufCMessage **ret, struct buf *ret_text, struct err *reterr)
{
    struct rpc_response_header h;
    struct rd rd = rd_of(frame);
    int rc = rpc_response_header_decode(rd_slice(&rd, rd_varint(&rd)), &h, reterr);
    if (rc < 0)
        return rc;
    if (h.status != RPC_STATUS(SUCCESS)) {
        char java_class[ERR_CLASS_MAX], text[ERR_TEXT_MAX];
        rpc_text_copy(java_class, sizeof java_class, h.exception_class);
        rpc_text_copy(text, sizeof text, h.text);
        if (ret_text) {
            buf_clear(ret_text);
            rpc_text_copy((char *)buf_reserve(ret_text, h.text.len + 1), h.text.len + 1, h.text);
            ret_text->len = strlen((const char *)ret_text->base);
        }
        return err_remote(reterr, java_class, text);
    }
    struct slice body = rd_slice(&rd, rd_varint(&rd));
    if (rd.bad)
        return err_set(reterr, ERR_PROTOCOL, "%s is cut short", type->short_name);
    return message_unpack(type, body, arena, ret, reterr);
}

struct attempt { /* what one try needs and finds out */
    int32_t call_id;
    struct slice frame;
    struct buf response;
    size_t address;
    bool connected, fresh;
};

static int attempt_run(struct rpc_client *c, struct attempt *a, struct err *reterr)
{
    struct client_connection *connection = NULL;
    a->connected = false;
    pthread_mutex_lock(&c->lock);
    a->address = c->current;
    pthread_mutex_unlock(&c->lock);
    int rc = connection_get(c, &connection, &a->fresh, reterr);
    if (rc < 0)
        return rc;
    a->connected = true;
    buf_clear(&a->response);
    rc = client_connection_call(connection, a->call_id, a->frame, clock_mono_ms() + c->call_timeout_ms, &a->response,
                                reterr);
    client_connection_unref(connection);
    return rc;
}

/* false: this failure is final. */
static bool failure_event(const struct attempt *a, int rc, enum failover_event *ret)
{
    switch (rc) {
    case ERR_STANDBY: *ret = FAILOVER_STANDBY; return true;
    case ERR_RETRIABLE: *ret = FAILOVER_RETRIABLE; return true;
    case ERR_SAFE_MODE: *ret = FAILOVER_SAFE_MODE; return true;
    case ERR_CLOSED: *ret = a->fresh ? FAILOVER_LOST : FAILOVER_LOST_STALE; return true;
    case ERR_TIMEOUT: *ret = FAILOVER_LOST; return a->connected; /* a server that hangs is as good as gone */
    case ERR_CONNECT: *ret = FAILOVER_NO_CONNECTION; return !a->connected;
    default: return false;
    }
}

static bool try_again(struct rpc_client *c, struct failover *f, const struct attempt *a, int rc)
{
    struct failover_policy policy = c->policy;
    policy.retry_for_ms = c->retry_for_ms;
    enum failover_event event;
    if (!failure_event(a, rc, &event))
        return false;
    struct failover_action action = failover_decide(&policy, f, event, clock_mono_ms());
    if (action.again && action.next_address)
        address_next(c, a->address);
    return action.again && pause_for(c, action.delay_ms);
}

/* What is sent is known by `id`; on the connection, by a number that no other call has. */
static int call_as(struct rpc_client *c, const struct rpc_call_id *id, const char *method,
                   const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response_type,
                   struct arena *arena, ProtobufCMessage **ret_response, struct buf *ret_text, struct err *reterr)
{
    AUTO(buf_free) struct buf frame = {0};
    struct slice client = id ? (struct slice){id->client, sizeof id->client} : rpc_client_id(c);
    int32_t number = id ? id->call + RPC_NAMED_CALLS : (int32_t)((uint32_t)c->next_call_id++ % RPC_NAMED_CALLS);
    struct attempt a = {.call_id = number};
    struct failover f = {.started_ms = clock_mono_ms()};
    int rc;
    int32_t tries = 0;
    struct err why;
    do {
        buf_clear(&frame);
        rpc_frame_request(&frame, a.call_id, tries++, client, c->protocol, method, request);
        a.frame = buf_slice(&frame);
        rc = attempt_run(c, &a, &why);
        if (rc == 0)
            rc = response_decode(buf_slice(&a.response), response_type, arena, ret_response, ret_text, &why);
    } while (rc < 0 && try_again(c, &f, &a, rc));
    buf_free(&a.response);
    if (rc < 0 && reterr)
        *reterr = why;
    return rc;
}

int rpc_client_call_hear(struct rpc_client *c, const char *method, const ProtobufCMessage *request,
                         const ProtobufCMessageDescriptor *response_type, struct arena *arena,
                         ProtobufCMessage **ret_response, struct buf *ret_text, struct err *reterr)
{
    return call_as(c, NULL, method, request, response_type, arena, ret_response, ret_text, reterr);
}

int rpc_client_call_as(struct rpc_client *c, const struct rpc_call_id *id, const char *method,
                       const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response_type,
                       struct arena *arena, ProtobufCMessage **ret_response, struct err *reterr)
{
    return call_as(c, id, method, request, response_type, arena, ret_response, NULL, reterr);
}

int rpc_client_call(struct rpc_client *c, const char *method, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *response_type, struct arena *arena,
                    ProtobufCMessage **ret_response, struct err *reterr)
{
    return call_as(c, NULL, method, request, response_type, arena, ret_response, NULL, reterr);
}

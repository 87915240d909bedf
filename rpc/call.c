/* One call from its request header to its answer. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/rd.h"
#include "proto/message.h"
#include "rpc/server_impl.h"

/* A decoded message is larger than its bytes: up to this much, so that a small frame cannot make us fill
 * memory. */
#define REQUEST_ARENA_BYTES(frame_bytes) ((16u << 20) + 8 * (frame_bytes))
#define RESPONSE_ARENA_BYTES             (SIZE_MAX / 2) /* answers are bounded by their handlers, and by the frame */
#define NAME_SHOWN_BYTES                 200
#define REPLY_KEPT_BYTES                 (16u << 10)

static const char rpc_server_exception[] = ERR_IPC "RpcServerException";

struct rpc_call *call_new(struct rpc_connection *c, const struct rpc_request_header *h)
{
    struct server_loop *l = c->loop;
    pthread_mutex_lock(&l->lock);
    struct rpc_call *call = l->free_calls;
    if (call) {
        l->free_calls = call->next;
        l->free_call_count--;
    }
    pthread_mutex_unlock(&l->lock);
    if (!call) {
        call = mem_new(struct rpc_call);
        arena_init(&call->arena, 0);
    }
    *call = (struct rpc_call){.connection = c,
                              .arena = call->arena,
                              .reply = call->reply,
                              .call_id = h->call_id,
                              .retry_count = h->retry_count,
                              .client_id_len = h->client_id.len};
    if (h->client_id.len)
        memcpy(call->client_id, h->client_id.base, h->client_id.len);
    c->refs++;
    c->in_flight++;
    return call;
}

void call_free(struct rpc_call *call)
{
    struct rpc_connection *c = call->connection;
    arena_reset(&call->arena);
    buf_clear(&call->reply);
    if (call->reply.capacity > REPLY_KEPT_BYTES)
        buf_free(&call->reply);
    bool keep = false;
#ifndef __SANITIZE_ADDRESS__ /* reuse would hide a use after free */
    struct server_loop *l = c->loop;
    pthread_mutex_lock(&l->lock);
    keep = l->free_call_count < CALLS_CACHED_MAX;
    if (keep) {
        call->next = l->free_calls;
        l->free_calls = call;
        l->free_call_count++;
    }
    pthread_mutex_unlock(&l->lock);
#endif
    if (!keep) {
        arena_free(&call->arena);
        buf_free(&call->reply);
        free(call);
    }
    connection_unref(c);
}

static struct rpc_echo call_echo(const struct rpc_call *call)
{
    return (struct rpc_echo){call->call_id, call->retry_count, {call->client_id, call->client_id_len}};
}

/* ---- answering ---- */

void call_answer_error(struct rpc_call *call, int status, rpc_detail detail, const char *java_class, const char *text)
{
    struct rpc_echo echo = call_echo(call);
    rpc_frame_error(&call->reply, &echo, status, detail, java_class, text);
    metric_add(&rpc_metric_errors, 1);
    call->prepared = true;
    rpc_call_send(call);
}

static void prepare_error(struct rpc_call *call, rpc_detail detail, const char *java_class, const char *text)
{
    struct rpc_echo echo = call_echo(call);
    rpc_frame_error(&call->reply, &echo, RPC_STATUS(ERROR), detail, java_class, text);
    metric_add(&rpc_metric_errors, 1);
    call->prepared = true;
    call->failed = true;
    if (call->remembered || call->local) { /* whoever waits for this answer gets the same one */
        call->detail = detail;
        call->java_class = arena_strdup(&call->arena, java_class);
        call->text = arena_strdup(&call->arena, text);
    }
}

static rpc_detail detail_of(int code)
{
    switch (code) {
    case ERR_NO_SUCH_METHOD: return RPC_DETAIL(ERROR_NO_SUCH_METHOD);
    case ERR_NO_SUCH_PROTOCOL: return RPC_DETAIL(ERROR_NO_SUCH_PROTOCOL);
    case ERR_VERSION_MISMATCH: return RPC_DETAIL(ERROR_RPC_VERSION_MISMATCH);
    case ERR_RPC_SERVER: return RPC_DETAIL(ERROR_RPC_SERVER);
    default: return RPC_DETAIL(ERROR_APPLICATION);
    }
}

void rpc_call_prepare_fail_text(struct rpc_call *call, const struct err *why, const char *text)
{
    assert(!call->prepared);
    prepare_error(call, detail_of(why->code), err_java_class(why), text);
}

void rpc_call_prepare_fail(struct rpc_call *call, const struct err *why)
{
    rpc_call_prepare_fail_text(call, why, why->text);
}

void rpc_call_prepare(struct rpc_call *call, const ProtobufCMessage *response)
{
    assert(!call->prepared);
    struct rpc_echo echo = call_echo(call);
    call->body_begin = rpc_frame_success(&call->reply, &echo, response);
    call->prepared = true;
    if (call->reply.len > RPC_FRAME_MAX_BYTES) {
        char text[128];
        snprintf(text, sizeof text, "%s: the answer of %zu bytes exceeds ipc.maximum.response.length %u",
                 rpc_call_method(call), call->reply.len, RPC_FRAME_MAX_BYTES);
        buf_free(&call->reply);
        prepare_error(call, RPC_DETAIL(ERROR_SERIALIZING_RESPONSE), rpc_server_exception, text);
    }
}

/* The same answer, for another try of the same call. */
static void share_answer(const struct rpc_call *call, struct rpc_call *other)
{
    struct rpc_echo echo = call_echo(other);
    if (call->failed)
        rpc_frame_error(&other->reply, &echo, RPC_STATUS(ERROR), call->detail, call->java_class, call->text);
    else
        rpc_frame_replay(&other->reply, &echo,
                         (struct slice){call->reply.base + call->body_begin, call->reply.len - call->body_begin});
    other->prepared = true;
    connection_send(other->connection, other);
}

static struct retry_key call_retry_key(const struct rpc_call *call)
{
    struct retry_key key = {.call_id = call->call_id};
    memcpy(key.client_id, call->client_id, sizeof key.client_id);
    return key;
}

static void call_remember(struct rpc_call *call)
{
    struct rpc_server *s = call->connection->server;
    struct retry_key key = call_retry_key(call);
    struct slice body = {call->reply.base + call->body_begin, call->reply.len - call->body_begin};
    pthread_mutex_lock(&s->retry_lock);
    struct retry_waiter *w = retry_cache_end(s->retry, &key, call->failed ? NULL : &body, clock_mono_ms());
    pthread_mutex_unlock(&s->retry_lock);
    for (struct retry_waiter *next; w; w = next) {
        next = w->next;
        share_answer(call, container_of(w, struct rpc_call, waiter));
    }
}

void rpc_call_send(struct rpc_call *call)
{
    assert(call->prepared);
    if (call->remembered)
        call_remember(call);
    if (call->local)
        local_call_answered(call);
    else
        connection_send(call->connection, call);
}

void rpc_call_reply(struct rpc_call *call, const ProtobufCMessage *response)
{
    rpc_call_prepare(call, response);
    rpc_call_send(call);
}

void rpc_call_fail(struct rpc_call *call, const struct err *why)
{
    rpc_call_prepare_fail(call, why);
    rpc_call_send(call);
}

/* ---- starting ---- */

static void call_run_in_pool(struct pool_task *t)
{
    struct rpc_call *call = container_of(t, struct rpc_call, task);
    call->connection->server->pool_queued--;
    call->method->handler(call, call->request, call->service->context);
}

void rpc_call_repeat_in_pool(struct rpc_call *call)
{
    call->in_pool = true;
    call->task.run = call_run_in_pool;
    call->connection->server->pool_queued++;
    pool_submit(call->connection->server->pool, &call->task);
}

bool rpc_call_may_block(const struct rpc_call *call)
{
    return call->in_pool;
}

/* true: the call goes on; false: it was answered, or will be when its first try is. */
static bool call_is_first_try(struct rpc_call *call)
{
    if (!(call->method->flags & RPC_AT_MOST_ONCE) || call->call_id < 0 || call->client_id_len != RPC_CLIENT_ID_BYTES)
        return true;
    struct rpc_server *s = call->connection->server;
    struct retry_key key = call_retry_key(call);
    struct rpc_echo echo = call_echo(call);
    struct slice answer;
    pthread_mutex_lock(&s->retry_lock);
    enum retry_verdict verdict = retry_cache_begin(s->retry, &key, &call->waiter, clock_mono_ms(), &answer);
    if (verdict == RETRY_REPLAY)
        rpc_frame_replay(&call->reply, &echo, answer);
    pthread_mutex_unlock(&s->retry_lock);
    switch (verdict) {
    case RETRY_EXECUTE: call->remembered = true; return true;
    case RETRY_REPLAY:
        metric_add(&rpc_metric_replays, 1);
        call->prepared = true;
        rpc_call_send(call);
        return false;
    case RETRY_BUSY:
        call_answer_error(call, RPC_STATUS(ERROR), RPC_DETAIL(ERROR_RPC_SERVER), rpc_server_exception,
                          "too many tries of the same call are waiting for its answer");
        return false;
    case RETRY_WAIT: /* the first try owns it now */ break;
    }
    return false;
}

/* Until it is answered, a large request counts for its connection, which is read no further when that is too much. */
static void call_count_request(struct rpc_call *call)
{
    struct rpc_connection *c = call->connection;
    if (call->arena.total <= REQUEST_SMALL_BYTES)
        return;
    call->request_bytes = call->arena.total;
    c->request_bytes += call->request_bytes;
}

static void call_start(struct rpc_call *call, struct slice rest)
{
    struct rd rd = rd_of(rest);
    struct slice body = rd_slice(&rd, rd_varint(&rd));
    struct err why;
    ProtobufCMessage *request = NULL;
    int rc = rd.bad ? err_set(&why, ERR_PROTOCOL, "%s: the request is cut short", call->method->name) : 0;
    call->arena.max_bytes = REQUEST_ARENA_BYTES(body.len);
    if (rc == 0)
        rc = message_unpack(call->method->request, body, &call->arena, &request, &why);
    if (rc == 0)
        rc = message_check_texts(call->method->request, body, &why);
    call->arena.max_bytes = RESPONSE_ARENA_BYTES;
    if (rc < 0) {
        call_answer_error(call, RPC_STATUS(ERROR), RPC_DETAIL(ERROR_RPC_SERVER), rpc_server_exception, why.text);
        return;
    }
    call->request = request;
    if (call->method->flags & RPC_MAY_BLOCK && call->connection->server->options.refuse_when_full &&
        rpc_server_is_full(call->connection->server)) {
        metric_add(&rpc_metric_refused, 1);
        call_answer_error(call, RPC_STATUS(ERROR), RPC_DETAIL(ERROR_RPC_SERVER), ERR_IPC "RetriableException",
                          "Server too busy");
        return;
    }
    call_count_request(call);
    metric_add(&rpc_metric_calls, 1);
    if (!call_is_first_try(call))
        return;
    if (call->method->flags & RPC_MAY_BLOCK)
        rpc_call_repeat_in_pool(call);
    else
        call->method->handler(call, request, call->service->context);
}

/* For "%.*s" of a name that a peer chose. */
static int name_width(struct slice name)
{
    return name.len < NAME_SHOWN_BYTES ? (int)name.len : NAME_SHOWN_BYTES;
}

bool call_dispatch(struct rpc_call *call, struct slice rest, char fatal_text[static ERR_TEXT_MAX])
{
    struct rpc_connection *c = call->connection;
    struct rd rd = rd_of(rest);
    struct slice head = rd_slice(&rd, rd_varint(&rd));
    struct rpc_method_header h;
    struct err why;
    if (rd.bad || rpc_method_header_decode(head, &h, &why) < 0) {
        snprintf(fatal_text, ERR_TEXT_MAX, "%s", rd.bad ? "RequestHeaderProto is cut short" : why.text);
        return false;
    }
    const struct rpc_registered *service = c->last_service;
    if (!service || service->protocol_len != h.protocol.len ||
        memcmp(service->protocol, h.protocol.base, h.protocol.len))
        service = rpc_registry_protocol(c->server->registry, h.protocol);
    char text[512];
    if (!service) {
        snprintf(text, sizeof text, "Unknown protocol: %.*s", name_width(h.protocol), h.protocol.base);
        call_answer_error(call, RPC_STATUS(ERROR), RPC_DETAIL(ERROR_NO_SUCH_PROTOCOL),
                          ERR_IPC "RpcNoSuchProtocolException", text);
        return true;
    }
    if (h.version != 1) {
        snprintf(text, sizeof text, "Protocol %s version mismatch. (client = %" PRIu64 ", server = 1)",
                 service->protocol, h.version);
        call_answer_error(call, RPC_STATUS(ERROR), RPC_DETAIL(ERROR_RPC_VERSION_MISMATCH),
                          ERR_IPC "RPC$VersionMismatch", text);
        return true;
    }
    c->last_service = service;
    call->service = service;
    call->method = rpc_registered_method(service, h.method);
    if (!call->method) {
        snprintf(text, sizeof text, "Unknown method %.*s called on %s protocol.", name_width(h.method), h.method.base,
                 service->protocol);
        call_answer_error(call, RPC_STATUS(ERROR), RPC_DETAIL(ERROR_NO_SUCH_METHOD), ERR_IPC "RpcNoSuchMethodException",
                          text);
        return true;
    }
    atomic_fetch_add_explicit(&service->calls[call->method - service->methods], 1, memory_order_relaxed);
    call_start(call, (struct slice){rd.pos, (size_t)(rd.end - rd.pos)});
    return true;
}

/* ---- what handlers ask ---- */

const char *rpc_call_user(const struct rpc_call *call)
{
    if (call->local)
        return call->local->user;
    return call->connection->user ? call->connection->user : "";
}

const char *rpc_call_client_ip(const struct rpc_call *call)
{
    return call->local ? call->local->client_ip : call->connection->peer_ip;
}

const char *rpc_call_method(const struct rpc_call *call)
{
    return call->method ? call->method->name : "";
}

bool rpc_call_watch_connection(struct rpc_call *call, uint64_t *ret_connection)
{
    struct rpc_connection *c = call->connection;
    if (!c)
        return false;
    pthread_mutex_lock(&c->lock);
    bool open = !c->closed;
    c->watched = c->watched || open;
    pthread_mutex_unlock(&c->lock);
    *ret_connection = c->id;
    return open;
}

struct slice rpc_call_client_id(const struct rpc_call *call)
{
    return (struct slice){call->client_id, call->client_id_len};
}

int32_t rpc_call_id(const struct rpc_call *call)
{
    return call->call_id;
}

bool rpc_call_is_at_most_once(const struct rpc_call *call)
{
    return call->method && call->method->flags & RPC_AT_MOST_ONCE && call->call_id >= 0;
}

struct arena *rpc_call_arena(struct rpc_call *call)
{
    return &call->arena;
}

#include "rpc/local_call.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/rd.h"
#include "proto/message.h"
#include "rpc/server_impl.h"

#define LOCAL_ARENA_BYTES (SIZE_MAX / 2) /* as for calls from the network: handlers bound their answers */

void local_call_answered(struct rpc_call *call)
{
    struct rpc_local *local = call->local;
    pthread_mutex_lock(&local->lock);
    local->answered = true;
    pthread_cond_signal(&local->changed);
    pthread_mutex_unlock(&local->lock);
}

static void local_wait(struct rpc_local *local)
{
    pthread_mutex_lock(&local->lock);
    while (!local->answered)
        pthread_cond_wait(&local->changed, &local->lock);
    pthread_mutex_unlock(&local->lock);
}

static struct slice text_slice(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static int local_find(struct rpc_server *s, const struct rpc_local_call *what, struct rpc_call *call,
                      struct err *reterr)
{
    call->service = rpc_registry_protocol(s->registry, text_slice(what->protocol));
    if (!call->service)
        return err_set(reterr, ERR_NO_SUCH_PROTOCOL, "Unknown protocol: %s", what->protocol);
    call->method = rpc_registered_method(call->service, text_slice(what->method));
    if (!call->method)
        return err_set(reterr, ERR_NO_SUCH_METHOD, "Unknown method %s called on %s protocol.", what->method,
                       what->protocol);
    return 0;
}

/* The handler's own copy of the request: it may keep it longer than our caller keeps his. */
static int local_request(struct rpc_call *call, const ProtobufCMessage *request, struct err *reterr)
{
    ProtobufCMessage *copy = NULL;
    AUTO(buf_free) struct buf packed = {0};
    message_pack(&packed, request);
    int rc = message_unpack(call->method->request, buf_slice(&packed), &call->arena, &copy, reterr);
    call->request = copy;
    return rc;
}

static int local_response(const struct rpc_call *call, const ProtobufCMessageDescriptor *type, struct arena *arena,
                          ProtobufCMessage **ret, struct err *reterr)
{
    if (call->failed)
        return err_remote(reterr, call->java_class, call->text);
    struct rd rd = rd_of((struct slice){call->reply.base + call->body_begin, call->reply.len - call->body_begin});
    return message_unpack(type, rd_slice(&rd, rd_varint(&rd)), arena, ret, reterr);
}

int rpc_server_call(struct rpc_server *s, const struct rpc_local_call *what, struct arena *arena,
                    ProtobufCMessage **ret_response, struct err *reterr)
{
    struct rpc_local local = {.server = s,
                              .user = what->user,
                              .client_ip = what->client_ip,
                              .lock = PTHREAD_MUTEX_INITIALIZER,
                              .changed = PTHREAD_COND_INITIALIZER};
    struct rpc_call *call = mem_new(struct rpc_call);
    call->local = &local;
    call->call_id = RPC_CALL_INVALID;
    call->in_pool = true; /* our caller's thread may block */
    arena_init(&call->arena, LOCAL_ARENA_BYTES);
    int rc = local_find(s, what, call, reterr);
    if (rc == 0)
        rc = local_request(call, what->request, reterr);
    if (rc == 0) {
        metric_add(&rpc_metric_calls, 1);
        call->method->handler(call, call->request, call->service->context);
        local_wait(&local);
        rc = local_response(call, what->response_type, arena, ret_response, reterr);
    }
    arena_free(&call->arena);
    buf_free(&call->reply);
    free(call);
    pthread_cond_destroy(&local.changed);
    pthread_mutex_destroy(&local.lock);
    return rc;
}

/* A little RPC service for tests, behind some of ClientProtocol's messages.
 *   getPreferredBlockSize(name)  -> length of the name; "fail": FileNotFound; "standby", "retriable"
 *   delete(src)                  at most once; counts runs; "hold": answered by test_service_release; "fail":
 * fails setReplication(src, n)       runs on the pool; waits until test_service_release if n == 1
 *   getLinkTarget(path)          -> path doubled, as often as its number says: large answers
 *   renewLease                   -> nothing (void) */
#ifndef TESTS_UNIT_RPC_SERVICE_H
#define TESTS_UNIT_RPC_SERVICE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "hdfs/client_namenode.pb-c.h"
#include "rpc/rpc_server.h"

#define TEST_PROTOCOL "org.apache.hadoop.hdfs.protocol.ClientProtocol"

struct test_service {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct rpc_call *held[4096];
    int held_count;
    bool released;
    _Atomic int runs, blocked;
    _Atomic bool standby; /* getPreferredBlockSize only */
    char last_user[64], last_ip[64];
};

static void test_fail(struct rpc_call *call, int code, const char *text)
{
    struct err why;
    err_set(&why, code, "%s", text);
    rpc_call_fail(call, &why);
}

static void test_size(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct test_service *t = context;
    const Hdfs__GetPreferredBlockSizeRequestProto *req = (const void *)request;
    pthread_mutex_lock(&t->lock);
    snprintf(t->last_user, sizeof t->last_user, "%s", rpc_call_user(call));
    snprintf(t->last_ip, sizeof t->last_ip, "%s", rpc_call_client_ip(call));
    pthread_mutex_unlock(&t->lock);
    if (!strcmp(req->filename, "fail"))
        return test_fail(call, ERR_NOT_FOUND, "File does not exist: fail");
    if (t->standby || !strcmp(req->filename, "standby"))
        return test_fail(call, ERR_STANDBY, "not active");
    Hdfs__GetPreferredBlockSizeResponseProto response = HDFS__GET_PREFERRED_BLOCK_SIZE_RESPONSE_PROTO__INIT;
    response.bsize = strlen(req->filename);
    rpc_call_reply(call, &response.base);
}

static void test_hold(struct test_service *t, struct rpc_call *call)
{
    pthread_mutex_lock(&t->lock);
    if (t->held_count < (int)ARRAY_COUNT(t->held))
        t->held[t->held_count++] = call;
    else
        abort();
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static void test_delete(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct test_service *t = context;
    const Hdfs__DeleteRequestProto *req = (const void *)request;
    t->runs++;
    Hdfs__DeleteResponseProto response = HDFS__DELETE_RESPONSE_PROTO__INIT;
    response.result = 1;
    if (!strcmp(req->src, "fail"))
        return test_fail(call, ERR_ACCESS, "Permission denied");
    if (!strcmp(req->src, "hold")) {
        rpc_call_prepare(call, &response.base);
        return test_hold(t, call);
    }
    rpc_call_reply(call, &response.base);
}

static void test_blocking(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    struct test_service *t = context;
    const Hdfs__SetReplicationRequestProto *req = (const void *)request;
    t->blocked++;
    pthread_mutex_lock(&t->lock);
    while (req->replication == 1 && !t->released)
        pthread_cond_wait(&t->changed, &t->lock);
    pthread_mutex_unlock(&t->lock);
    Hdfs__SetReplicationResponseProto response = HDFS__SET_REPLICATION_RESPONSE_PROTO__INIT;
    response.result = 1;
    rpc_call_reply(call, &response.base);
}

static void test_large(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    const Hdfs__GetLinkTargetRequestProto *req = (const void *)request;
    size_t len = (size_t)atol(req->path);
    char *text = arena_alloc(rpc_call_arena(call), len + 1);
    memset(text, 'x', len);
    text[len] = 0;
    Hdfs__GetLinkTargetResponseProto response = HDFS__GET_LINK_TARGET_RESPONSE_PROTO__INIT;
    response.targetpath = text;
    rpc_call_reply(call, &response.base);
}

static void test_void(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    rpc_call_reply(call, NULL);
}

static const struct rpc_method test_methods[] = {
    RPC_METHOD("getPreferredBlockSize", hdfs__get_preferred_block_size, test_size, 0),
    RPC_METHOD("delete", hdfs__delete, test_delete, RPC_AT_MOST_ONCE),
    RPC_METHOD("setReplication", hdfs__set_replication, test_blocking, RPC_MAY_BLOCK),
    RPC_METHOD("getLinkTarget", hdfs__get_link_target, test_large, 0),
    RPC_METHOD("renewLease", hdfs__renew_lease, test_void, 0),
};

static inline struct test_service *test_service_new(void)
{
    struct test_service *t = mem_new(struct test_service);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    return t;
}

static inline void test_service_free(struct test_service *t)
{
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->changed);
    free(t);
}

/* Waits until `count` calls are held. */
static inline void test_service_await_held(struct test_service *t, int count)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 20;
    pthread_mutex_lock(&t->lock);
    while (t->held_count < count)
        if (pthread_cond_clockwait(&t->changed, &t->lock, CLOCK_MONOTONIC, &until))
            abort();
    pthread_mutex_unlock(&t->lock);
}

/* Sends what is held, lets blocked handlers go on. Returns how many were sent. */
static inline int test_service_release(struct test_service *t)
{
    pthread_mutex_lock(&t->lock);
    int count = t->held_count;
    struct rpc_call **held = mem_alloc(sizeof *held * (size_t)(count ? count : 1));
    memcpy(held, t->held, sizeof *held * (size_t)count);
    t->held_count = 0;
    t->released = true;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    for (int i = 0; i < count; i++)
        rpc_call_send(held[i]);
    free(held);
    return count;
}

static inline struct rpc_server *test_server_start(struct test_service *t, struct rpc_server_options o)
{
    struct rpc_service service = {TEST_PROTOCOL, test_methods, ARRAY_COUNT(test_methods), t};
    struct rpc_server *server = NULL;
    struct err err;
    snprintf(o.listen.host, sizeof o.listen.host, "127.0.0.1");
    o.services = &service;
    o.service_count = 1;
    if (rpc_server_start(&o, &server, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return server;
}

#endif

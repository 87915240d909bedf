/* A peer that talks to an RPC server in bytes over a socket: what tests of the server say and expect to hear. */
#ifndef TESTS_UNIT_RPC_CONVERSATION_H
#define TESTS_UNIT_RPC_CONVERSATION_H

#include "tests/unit/check.h"

#include <errno.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/metrics.h"
#include "common/net.h"
#include "common/rd.h"
#include "common/wr.h"
#include "proto/message.h"
#include "rpc/wire.h"
#include "tests/unit/rpc/service.h"

#define PATIENCE_MS 20000

struct fixture {
    struct test_service *service;
    struct rpc_server *server;
    struct buf out; /* being built */
};

static inline struct fixture fixture_start(struct rpc_server_options o)
{
    struct fixture f = {.service = test_service_new()};
    f.server = test_server_start(f.service, o);
    return f;
}

static inline void fixture_stop(struct fixture *f)
{
    test_service_release(f->service);
    rpc_server_stop(f->server);
    test_service_free(f->service);
    buf_free(&f->out);
}

/* ---- building requests ---- */

static const uint8_t test_client_id[RPC_CLIENT_ID_BYTES] = "0123456789abcde";
static const struct slice client_id = {test_client_id, sizeof test_client_id};

static inline void put_preamble(struct buf *b, uint8_t auth)
{
    const uint8_t bytes[] = {'h', 'r', 'p', 'c', 9, 0, auth};
    buf_append(b, bytes, sizeof bytes);
}

/* real: who acts for the user, or NULL. */
static inline void put_context_of(struct buf *b, const char *user_name, const char *real)
{
    Hrpc__UserInformationProto user = HRPC__USER_INFORMATION_PROTO__INIT;
    Hrpc__IpcConnectionContextProto context = HRPC__IPC_CONNECTION_CONTEXT_PROTO__INIT;
    user.effectiveuser = (char *)(uintptr_t)user_name;
    user.realuser = (char *)(uintptr_t)real;
    context.userinfo = &user;
    rpc_frame_request(b, RPC_CALL_CONTEXT, -1, client_id, NULL, NULL, &context.base);
}

static inline void put_context(struct buf *b)
{
    put_context_of(b, "grace", NULL);
}

static inline void put_sasl(struct buf *b, Hrpc__RpcSaslProto__SaslState sasl_state)
{
    Hrpc__RpcSaslProto sasl = HRPC__RPC_SASL_PROTO__INIT;
    sasl.state = sasl_state;
    rpc_frame_request(b, RPC_CALL_SASL, -1, client_id, NULL, NULL, &sasl.base);
}

static inline void put_ping(struct buf *b)
{
    rpc_frame_request(b, RPC_CALL_PING, -1, (struct slice){0}, NULL, NULL, NULL);
}

static inline void put_call(struct buf *b, int32_t id, const char *method, const ProtobufCMessage *body)
{
    rpc_frame_request(b, id, 0, client_id, TEST_PROTOCOL, method, body);
}

static inline void put_size(struct buf *b, int32_t id, const char *name)
{
    Hdfs__GetPreferredBlockSizeRequestProto request = HDFS__GET_PREFERRED_BLOCK_SIZE_REQUEST_PROTO__INIT;
    request.filename = (char *)(uintptr_t)name;
    put_call(b, id, "getPreferredBlockSize", &request.base);
}

static inline void put_delete(struct buf *b, int32_t id, const char *src)
{
    Hdfs__DeleteRequestProto request = HDFS__DELETE_REQUEST_PROTO__INIT;
    request.src = (char *)(uintptr_t)src;
    put_call(b, id, "delete", &request.base);
}

static inline void put_large(struct buf *b, int32_t id, const char *len)
{
    Hdfs__GetLinkTargetRequestProto request = HDFS__GET_LINK_TARGET_REQUEST_PROTO__INIT;
    request.path = (char *)(uintptr_t)len;
    put_call(b, id, "getLinkTarget", &request.base);
}

static inline void put_hello(struct buf *b)
{
    put_preamble(b, RPC_AUTH_NONE);
    put_context(b);
}

/* ---- talking ---- */

static inline int dial(const struct fixture *f)
{
    struct net_address address = {"127.0.0.1", rpc_server_port(f->server)};
    int fd;
    assert_int_equal(net_connect(&address, NULL, PATIENCE_MS, &fd, NULL), 0);
    net_set_timeouts(fd, PATIENCE_MS, PATIENCE_MS);
    return fd;
}

static inline void say(int fd, struct buf *b)
{
    assert_int_equal(net_write_full(fd, b->base, b->len, NULL), 0);
    buf_clear(b);
}

struct answer {
    struct buf frame;
    struct rpc_response_header head;
    struct slice body; /* delimited; empty for errors */
    char java_class[200], text[400];
};

static inline struct answer hear(int fd)
{
    struct answer a = {0};
    uint8_t len[4];
    assert_int_equal(net_read_full(fd, len, 4, NULL), 0);
    size_t size = (size_t)len[0] << 24 | (size_t)len[1] << 16 | (size_t)len[2] << 8 | len[3];
    assert_int_equal(net_read_full(fd, buf_reserve(&a.frame, size), size, NULL), 0);
    a.frame.len = size;
    struct rd rd = rd_of(buf_slice(&a.frame));
    assert_int_equal(rpc_response_header_decode(rd_slice(&rd, rd_varint(&rd)), &a.head, NULL), 0);
    assert_false(rd.bad);
    rpc_text_copy(a.java_class, sizeof a.java_class, a.head.exception_class);
    rpc_text_copy(a.text, sizeof a.text, a.head.text);
    a.body = (struct slice){rd.pos, (size_t)(rd.end - rd.pos)};
    return a;
}

static inline void expect_size(int fd, uint32_t id, unsigned size)
{
    struct answer a = hear(fd);
    assert_int_equal(a.head.status, RPC_STATUS(SUCCESS));
    assert_int_equal(a.head.call_id, id);
    assert_int_equal(a.body.len, 3);
    assert_int_equal(a.body.base[0], 2);
    assert_int_equal(a.body.base[1], 8); /* field 1, varint */
    assert_int_equal(a.body.base[2], size);
    buf_free(&a.frame);
}

static inline void expect_error(int fd, uint32_t id, int status, rpc_detail detail, const char *java_class,
                                const char *text)
{
    struct answer a = hear(fd);
    assert_int_equal(a.head.call_id, id);
    assert_int_equal(a.head.status, status);
    assert_int_equal(a.head.detail, detail);
    assert_string_equal(a.java_class, java_class);
    if (text)
        assert_non_null(strstr(a.text, text));
    assert_int_equal(a.body.len, 0);
    buf_free(&a.frame);
}

static inline void expect_close(int fd)
{
    uint8_t byte;
    ssize_t n = recv(fd, &byte, 1, 0);
    assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
    close(fd);
}

#endif

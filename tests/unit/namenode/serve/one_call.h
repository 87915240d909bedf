/* One call to a service of the fixture's namenode, through a server and a connection of its own. */
#ifndef CAIRN_TESTS_SERVE_ONE_CALL_H
#define CAIRN_TESTS_SERVE_ONE_CALL_H

#include "tests/unit/namenode/namespace/fixture.h"

#include <sys/socket.h>
#include <unistd.h>

#include "common/net.h"
#include "rpc/rpc_server.h"
#include "rpc/wire.h"

static const uint8_t one_call_client[16] = "one-call-test-01";

/* Sends one call as this client and returns the answer's frame, without its length, through a connection of its own. */
static inline void one_call(struct fixture *f, int32_t id, const char *method, const ProtobufCMessage *request,
                            struct buf *ret)
{
    bool is_ours = !strcmp(request->descriptor->package_name, "cairn");
    struct rpc_service service = is_ours ? posix_calls_service(&f->nn) : client_calls_service(&f->nn);
    struct rpc_server_options o = {
        .listen = {"127.0.0.1", 0}, .loops = 1, .pool_threads = 1, .services = &service, .service_count = 1};
    struct rpc_server *server = NULL; /* a new one each time: what it remembers by itself is not what is tested */
    AUTO(buf_free) struct buf out = {0};
    int fd = -1;
    uint8_t length[4];
    assert_int_equal(rpc_server_start(&o, &server, NULL), 0);
    struct net_address address = {"127.0.0.1", rpc_server_port(server)};
    assert_int_equal(net_connect(&address, NULL, 5000, &fd, NULL), 0);
    Hrpc__IpcConnectionContextProto context = HRPC__IPC_CONNECTION_CONTEXT_PROTO__INIT;
    Hrpc__UserInformationProto user = HRPC__USER_INFORMATION_PROTO__INIT;
    user.effectiveuser = (char *)"root";
    context.userinfo = &user;
    buf_append(&out, "hrpc\x09\0\0", 7);
    rpc_frame_request(&out, RPC_CALL_CONTEXT, -1, (struct slice){0}, NULL, NULL, &context.base);
    rpc_frame_request(&out, id, 0, (struct slice){one_call_client, 16}, service.protocol, method, request);
    assert_int_equal(net_write_full(fd, out.base, out.len, NULL), 0);
    assert_int_equal(recv(fd, length, 4, MSG_WAITALL), 4);
    size_t bytes = (size_t)length[2] << 8 | length[3];
    buf_clear(ret);
    assert_int_equal(recv(fd, buf_reserve(ret, bytes), bytes, MSG_WAITALL), bytes);
    ret->len += bytes;
    close(fd);
    rpc_server_stop(server);
}

#endif

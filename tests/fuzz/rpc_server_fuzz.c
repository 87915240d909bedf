/* A running RPC server, and a peer that says anything and then stops talking. The server must close, whatever
 * was said. The first byte chooses how far into a proper conversation the nonsense begins. */
#include <sys/socket.h>

#include "common/net.h"
#include "hdfs/client_namenode.pb-c.h"
#include "proto/message.h"
#include "rpc/rpc_server.h"
#include "rpc/wire.h"
#include "tests/fuzz/fuzz.h"

static void server_fuzz_true(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    Hdfs__DeleteResponseProto yes = HDFS__DELETE_RESPONSE_PROTO__INIT;
    yes.result = 1;
    rpc_call_reply(call, &yes.base);
}

static void server_fuzz_void(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    rpc_call_reply(call, NULL);
}

static const struct rpc_method server_fuzz_methods[] = {
    RPC_METHOD("delete", hdfs__delete, server_fuzz_true, RPC_AT_MOST_ONCE),
    RPC_METHOD("mkdirs", hdfs__mkdirs, server_fuzz_true, 0),
    RPC_METHOD("rename", hdfs__rename, server_fuzz_true, RPC_MAY_BLOCK),
    RPC_METHOD("setAcl", hdfs__set_acl, server_fuzz_void, 0),
    RPC_METHOD("updatePipeline", hdfs__update_pipeline, server_fuzz_void, RPC_AT_MOST_ONCE),
};

static struct rpc_server *server_fuzz_server;

static void server_fuzz_stop(void)
{
    rpc_server_stop(server_fuzz_server);
}

static void server_fuzz_start(void)
{
    struct rpc_service service = {"P", server_fuzz_methods, ARRAY_COUNT(server_fuzz_methods), NULL};
    struct rpc_server_options o = {
        .listen = {"127.0.0.1", 0}, .loops = 1, .pool_threads = 1, .services = &service, .service_count = 1};
    struct err err;
    if (rpc_server_start(&o, &server_fuzz_server, &err) < 0)
        abort();
    atexit(server_fuzz_stop);
}

static void server_fuzz_hello(struct buf *to)
{
    buf_append(to, "hrpc\x09\0\0", 7);
    Hrpc__IpcConnectionContextProto context = HRPC__IPC_CONNECTION_CONTEXT_PROTO__INIT;
    rpc_frame_request(to, RPC_CALL_CONTEXT, -1, (struct slice){0}, NULL, NULL, &context.base);
}

FUZZ_SEEDS(rpc_server)
{
    AUTO(buf_free) struct buf out = {0};
    const uint8_t id[16] = "0123456789abcde";
    char src[] = "/a/b";
    Hdfs__DeleteRequestProto request = HDFS__DELETE_REQUEST_PROTO__INIT;
    request.src = src;
    buf_append(&out, "\0", 1);
    server_fuzz_hello(&out);
    rpc_frame_request(&out, 1, 0, (struct slice){id, 16}, "P", "delete", &request.base);
    fuzz_seed(seeds, out.base, out.len);
    buf_clear(&out);
    buf_append(&out, "\1", 1);
    rpc_frame_request(&out, 1, 0, (struct slice){id, 16}, "P", "delete", &request.base);
    rpc_frame_request(&out, 1, 1, (struct slice){id, 16}, "P", "delete", &request.base);
    rpc_frame_request(&out, 2, 0, (struct slice){id, 16}, "P", "mkdirs", &request.base);
    fuzz_seed(seeds, out.base, out.len);
    Hrpc__RpcSaslProto sasl = HRPC__RPC_SASL_PROTO__INIT;
    sasl.state = HRPC__RPC_SASL_PROTO__SASL_STATE__NEGOTIATE;
    buf_clear(&out);
    buf_append(&out, "\0hrpc\x09\0\xdf", 8);
    rpc_frame_request(&out, RPC_CALL_SASL, -1, (struct slice){id, 16}, NULL, NULL, &sasl.base);
    fuzz_seed(seeds, out.base, out.len);
    fuzz_seed(seeds, "\0GET / HTTP/1.0\r\n", 17);
}

FUZZ_RUN(rpc_server)
{
    if (in.len == 0 || in.len > 60000)
        return;
    if (!server_fuzz_server)
        server_fuzz_start();
    struct net_address address = {"127.0.0.1", rpc_server_port(server_fuzz_server)};
    struct err err;
    int fd;
    if (net_connect(&address, NULL, 5000, &fd, &err) < 0)
        return; /* out of ports for a moment */
    net_set_timeouts(fd, 20000, 20000);
    struct linger reset = {1, 0}; /* no TIME_WAIT: there are thousands of these */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    AUTO(buf_free) struct buf out = {0};
    if (in.base[0] & 1)
        server_fuzz_hello(&out);
    buf_append(&out, in.base + 1, in.len - 1);
    if (net_write_full(fd, out.base, out.len, &err) == 0) {
        shutdown(fd, SHUT_WR);
        char bytes[4096];
        ssize_t n;
        while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
            ;
        if (n < 0 && errno == EAGAIN)
            abort(); /* it hangs */
    }
    close(fd);
}

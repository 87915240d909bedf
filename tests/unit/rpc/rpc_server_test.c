/* The RPC server as a foreign, broken or hostile peer meets it: bytes over a socket. */
#include "tests/unit/rpc/conversation.h"

#include "rpc/local_call.h"

#define RPC_SERVER_EXCEPTION "org.apache.hadoop.ipc.RpcServerException"

/* ---- the happy path, in pieces ---- */

static void a_conversation_may_be_cut_anywhere(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    struct buf talk = {0};
    put_preamble(&talk, RPC_AUTH_SASL);
    put_sasl(&talk, HRPC__RPC_SASL_PROTO__SASL_STATE__NEGOTIATE);
    put_context(&talk);
    put_ping(&talk);
    put_size(&talk, 7, "seven");
    put_ping(&talk);
    put_size(&talk, 0, "ten letter");
    for (size_t cut = 0; cut <= talk.len; cut++) {
        int fd = dial(&f);
        assert_int_equal(net_write_full(fd, talk.base, cut, NULL), 0);
        sched_yield();
        assert_int_equal(net_write_full(fd, talk.base + cut, talk.len - cut, NULL), 0);
        struct answer sasl = hear(fd);
        assert_int_equal(sasl.head.call_id, (uint32_t)-33);
        const uint8_t success[] = {2, 2 << 3, 0};
        assert_int_equal(sasl.body.len, sizeof success);
        assert_memory_equal(sasl.body.base, success, sizeof success);
        buf_free(&sasl.frame);
        expect_size(fd, 7, 5);
        expect_size(fd, 0, 10);
        close(fd);
    }
    int fd = dial(&f);
    for (size_t i = 0; i < talk.len; i++)
        assert_int_equal(net_write_full(fd, talk.base + i, 1, NULL), 0);
    struct answer sasl = hear(fd);
    buf_free(&sasl.frame);
    expect_size(fd, 7, 5);
    expect_size(fd, 0, 10);
    close(fd);
    buf_free(&talk);
    fixture_stop(&f);
}

static void sasl_is_answered_without_being_announced(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    int fd = dial(&f);
    put_preamble(&f.out, RPC_AUTH_NONE);
    put_sasl(&f.out, HRPC__RPC_SASL_PROTO__SASL_STATE__NEGOTIATE);
    put_context(&f.out);
    put_size(&f.out, 1, "a");
    say(fd, &f.out);
    struct answer sasl = hear(fd);
    assert_int_equal(sasl.head.call_id, (uint32_t)RPC_CALL_SASL);
    buf_free(&sasl.frame);
    expect_size(fd, 1, 1);
    close(fd);

    fd = dial(&f); /* announced, but not done */
    put_preamble(&f.out, RPC_AUTH_SASL);
    put_context(&f.out);
    put_size(&f.out, 1, "a");
    say(fd, &f.out);
    expect_size(fd, 1, 1);
    close(fd);

    fd = dial(&f);
    put_preamble(&f.out, RPC_AUTH_SASL);
    put_sasl(&f.out, HRPC__RPC_SASL_PROTO__SASL_STATE__RESPONSE);
    say(fd, &f.out);
    expect_error(fd, (uint32_t)RPC_CALL_SASL, RPC_STATUS(FATAL), RPC_DETAIL(FATAL_UNAUTHORIZED),
                 "javax.security.sasl.SaslException", "SIMPLE");
    expect_close(fd);
    fixture_stop(&f);
}

static void a_void_answer_is_one_zero_byte(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    int fd = dial(&f);
    Hdfs__RenewLeaseRequestProto request = HDFS__RENEW_LEASE_REQUEST_PROTO__INIT;
    char name[] = "me";
    request.clientname = name;
    put_hello(&f.out);
    put_call(&f.out, 300, "renewLease", &request.base);
    say(fd, &f.out);
    struct answer a = hear(fd);
    assert_int_equal(a.head.call_id, 300);
    assert_int_equal(a.head.status, RPC_STATUS(SUCCESS));
    assert_int_equal(a.body.len, 1);
    assert_int_equal(a.body.base[0], 0);
    buf_free(&a.frame);
    close(fd);
    fixture_stop(&f);
}

/* ---- wrong numbers ---- */

static void a_browser_gets_a_hint(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    int fd = dial(&f);
    buf_append_str(&f.out, "GET / HTTP/1.1\r\nHost: here\r\n\r\n");
    say(fd, &f.out);
    char text[1000] = "";
    size_t len = 0;
    for (ssize_t n; len < sizeof text - 1 && (n = recv(fd, text + len, sizeof text - 1 - len, 0)) > 0;)
        len += (size_t)n;
    assert_int_equal(strncmp(text, "HTTP/1.1 404 ", 13), 0);
    assert_non_null(strstr(text, "not a web page"));
    close(fd);
    fixture_stop(&f);
}

static void other_versions_are_refused_in_their_own_layout(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    const char *mismatch = "org.apache.hadoop.ipc.RPC$VersionMismatch";
    for (uint8_t version = 0; version < 20; version++) {
        if (version == 9)
            continue;
        int fd = dial(&f);
        const uint8_t preamble[] = {'h', 'r', 'p', 'c', version, 0, 0};
        buf_append(&f.out, preamble, sizeof preamble);
        say(fd, &f.out);
        if (version > 9)
            expect_error(fd, UINT32_MAX, RPC_STATUS(FATAL), RPC_DETAIL(FATAL_VERSION_MISMATCH), mismatch,
                         "Server IPC version 9 cannot communicate with client version 1");
        if (version >= 2 && version < 9) {
            uint8_t head[8];
            size_t head_len = version == 2 ? 5 : 8;
            assert_int_equal(net_read_full(fd, head, head_len, NULL), 0);
            const uint8_t old[] = {0, 0, 0, 0, 1}, older[] = {255, 255, 255, 255, 255, 255, 255, 255};
            assert_memory_equal(head, version == 2 ? old : older, head_len);
            for (int i = 0; i < 2; i++) {
                uint8_t len[4], text[200];
                assert_int_equal(net_read_full(fd, len, 4, NULL), 0);
                assert_int_equal(net_read_full(fd, text, len[3], NULL), 0);
                if (i == 0)
                    assert_memory_equal(text, mismatch, strlen(mismatch));
            }
        }
        expect_close(fd);
    }
    int fd = dial(&f);
    buf_append_str(&f.out, "hrpx\x09");
    buf_append(&f.out, "\0\0", 2);
    say(fd, &f.out);
    expect_error(fd, UINT32_MAX, RPC_STATUS(FATAL), RPC_DETAIL(FATAL_VERSION_MISMATCH), mismatch, NULL);
    expect_close(fd);
    fixture_stop(&f);
}

static void an_unknown_auth_is_refused(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    int fd = dial(&f);
    put_preamble(&f.out, 0x51);
    put_context(&f.out);
    say(fd, &f.out);
    expect_error(fd, UINT32_MAX, RPC_STATUS(FATAL), RPC_DETAIL(FATAL_UNAUTHORIZED),
                 "org.apache.hadoop.ipc.IpcException", "authentication");
    expect_close(fd);
    fixture_stop(&f);
}

static void wrong_headers_are_fatal(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    struct {
        const uint8_t frame[24];
        size_t len;
        uint32_t id;
        rpc_detail detail;
    } const cases[] = {
        {{0}, 0, (uint32_t)-2, RPC_DETAIL(FATAL_DESERIALIZING_REQUEST)},
        {{0x05, 0x08}, 2, (uint32_t)-2, RPC_DETAIL(FATAL_DESERIALIZING_REQUEST)},                   /* cut short */
        {{0x04, 0x08, 0x02, 0x10, 0x00}, 5, (uint32_t)-2, RPC_DETAIL(FATAL_DESERIALIZING_REQUEST)}, /* no call id */
        {{0x06, 0x08, 0x02, 0x18, 0x0a, 0x22, 0x00}, 7, 5, RPC_DETAIL(FATAL_INVALID_RPC_HEADER)},   /* no op */
        {{0x06, 0x10, 0x00, 0x18, 0x0a, 0x22, 0x00}, 7, 5, RPC_DETAIL(FATAL_INVALID_RPC_HEADER)},   /* no kind */
        {{0x08, 0x08, 0x02, 0x10, 0x01, 0x18, 0x0a, 0x22, 0x00}, 9, 5, RPC_DETAIL(FATAL_INVALID_RPC_HEADER)}, /* op 1 */
        {{0x08, 0x08, 0x01, 0x10, 0x00, 0x18, 0x0a, 0x22, 0x00},
         9,
         5,
         RPC_DETAIL(FATAL_INVALID_RPC_HEADER)}, /* kind 1 */
        {{0x08, 0x08, 0x02, 0x10, 0x00, 0x18, 0x09, 0x22, 0x00},
         9,
         (uint32_t)-5,
         RPC_DETAIL(FATAL_INVALID_RPC_HEADER)}, /* call id -5 */
        {{0x08, 0x08, 0x02, 0x10, 0x00, 0x18, 0x05, 0x22, 0x00, 0x00},
         10,
         (uint32_t)-3,
         RPC_DETAIL(FATAL_INVALID_RPC_HEADER)}, /* a second context */
        {{0x08, 0x08, 0x02, 0x10, 0x00, 0x18, 0x0a, 0x22, 0x00},
         9,
         5,
         RPC_DETAIL(FATAL_DESERIALIZING_REQUEST)}, /* no method */
        {{0x08, 0x08, 0x02, 0x10, 0x00, 0x18, 0x0a, 0x22, 0x00, 0x02, 0x0a, 0x00},
         12,
         5,
         RPC_DETAIL(FATAL_DESERIALIZING_REQUEST)}, /* half a method header */
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        int fd = dial(&f);
        put_hello(&f.out);
        wr_u32be(&f.out, (uint32_t)cases[i].len);
        buf_append(&f.out, cases[i].frame, cases[i].len);
        say(fd, &f.out);
        expect_error(fd, cases[i].id, RPC_STATUS(FATAL), cases[i].detail, RPC_SERVER_EXCEPTION, NULL);
        expect_close(fd);
    }
    fixture_stop(&f);
}

static void a_call_before_the_context_is_fatal(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    int fd = dial(&f);
    put_preamble(&f.out, RPC_AUTH_NONE);
    put_size(&f.out, 4, "x");
    say(fd, &f.out);
    expect_error(fd, 4, RPC_STATUS(FATAL), RPC_DETAIL(FATAL_INVALID_RPC_HEADER), RPC_SERVER_EXCEPTION, "context");
    expect_close(fd);
    fixture_stop(&f);
}

static void what_is_unknown_is_an_error_and_no_more(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    int fd = dial(&f);
    put_hello(&f.out);
    put_call(&f.out, 1, "noSuchMethod", NULL);
    rpc_frame_request(&f.out, 2, 0, client_id, "no.such.Protocol", "delete", NULL);
    size_t at = f.out.len;
    put_size(&f.out, 3, "x");
    for (size_t i = at; i < f.out.len - 3; i++) /* clientProtocolVersion 1 -> 2, in front of the body */
        if (f.out.base[i] == 3 << 3 && f.out.base[i + 1] == 1 && f.out.base[i + 2] == 3)
            f.out.base[i + 1] = 2;
    put_call(&f.out, 4, "delete", NULL); /* no body at all */
    Hdfs__MkdirsResponseProto wrong = HDFS__MKDIRS_RESPONSE_PROTO__INIT;
    put_call(&f.out, 5, "delete", &wrong.base); /* not what delete takes */
    put_size(&f.out, 6, "alive");
    say(fd, &f.out);
    expect_error(fd, 1, RPC_STATUS(ERROR), RPC_DETAIL(ERROR_NO_SUCH_METHOD),
                 "org.apache.hadoop.ipc.RpcNoSuchMethodException",
                 "Unknown method noSuchMethod called on " TEST_PROTOCOL " protocol.");
    expect_error(fd, 2, RPC_STATUS(ERROR), RPC_DETAIL(ERROR_NO_SUCH_PROTOCOL),
                 "org.apache.hadoop.ipc.RpcNoSuchProtocolException", "Unknown protocol: no.such.Protocol");
    expect_error(fd, 3, RPC_STATUS(ERROR), RPC_DETAIL(ERROR_RPC_VERSION_MISMATCH),
                 "org.apache.hadoop.ipc.RPC$VersionMismatch", NULL);
    expect_error(fd, 4, RPC_STATUS(ERROR), RPC_DETAIL(ERROR_RPC_SERVER), RPC_SERVER_EXCEPTION, NULL);
    expect_error(fd, 5, RPC_STATUS(ERROR), RPC_DETAIL(ERROR_RPC_SERVER), RPC_SERVER_EXCEPTION, "DeleteRequestProto");
    expect_size(fd, 6, 5);
    close(fd);
    fixture_stop(&f);
}

static void the_server_says_what_it_speaks(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    int fd = dial(&f);
    Hrpc__GetProtocolVersionsRequestProto request = HRPC__GET_PROTOCOL_VERSIONS_REQUEST_PROTO__INIT;
    char name[] = TEST_PROTOCOL, other[] = "x";
    put_hello(&f.out);
    request.protocol = name;
    rpc_frame_request(&f.out, 1, 0, client_id, RPC_META_PROTOCOL, "getProtocolVersions", &request.base);
    request.protocol = other;
    rpc_frame_request(&f.out, 2, 0, client_id, RPC_META_PROTOCOL, "getProtocolVersions", &request.base);
    say(fd, &f.out);
    struct answer a = hear(fd);
    struct arena arena;
    arena_init(&arena, 4096);
    ProtobufCMessage *message;
    assert_int_equal(message_unpack(&hrpc__get_protocol_versions_response_proto__descriptor,
                                    (struct slice){a.body.base + 1, a.body.len - 1}, &arena, &message, NULL),
                     0);
    Hrpc__GetProtocolVersionsResponseProto *response = (void *)message;
    assert_int_equal(response->n_protocolversions, 1);
    assert_string_equal(response->protocolversions[0]->rpckind, "RPC_PROTOCOL_BUFFER");
    assert_int_equal(response->protocolversions[0]->versions[0], 1);
    buf_free(&a.frame);
    a = hear(fd);
    assert_int_equal(a.body.len, 1);
    buf_free(&a.frame);
    arena_free(&arena);
    close(fd);
    fixture_stop(&f);
}

/* Hashes as Java computes them for ClientNamenodeProtocolPB of Hadoop 3.4: of renewLease. */
static void signatures_are_javas(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    int fd = dial(&f);
    Hrpc__GetProtocolSignatureRequestProto request = HRPC__GET_PROTOCOL_SIGNATURE_REQUEST_PROTO__INIT;
    char name[] = "org.apache.hadoop.hdfs.protocolPB.ClientNamenodeProtocolPB", kind[] = "RPC_PROTOCOL_BUFFER";
    request.protocol = name;
    request.rpckind = kind;
    put_hello(&f.out);
    rpc_frame_request(&f.out, 1, 0, client_id, RPC_META_PROTOCOL, "getProtocolSignature", &request.base);
    say(fd, &f.out);
    struct answer a = hear(fd);
    struct arena arena;
    arena_init(&arena, 4096);
    struct rd rd = rd_of(a.body);
    ProtobufCMessage *message;
    assert_int_equal(message_unpack(&hrpc__get_protocol_signature_response_proto__descriptor,
                                    rd_slice(&rd, rd_varint(&rd)), &arena, &message, NULL),
                     0);
    const Hrpc__GetProtocolSignatureResponseProto *response = (void *)message;
    assert_int_equal(response->n_protocolsignature, 1);
    assert_int_equal(response->protocolsignature[0]->version, 1);
    assert_int_equal(response->protocolsignature[0]->n_methods, 2 * ARRAY_COUNT(test_methods));
    uint32_t wanted = 0x67456c69;
    bool found = false;
    for (size_t i = 0; i < response->protocolsignature[0]->n_methods; i++)
        found |= response->protocolsignature[0]->methods[i] == wanted;
    assert_true(found);
    buf_free(&a.frame);
    arena_free(&arena);
    close(fd);
    fixture_stop(&f);
}

/* ---- sizes ---- */

/* Sanitizers keep books of their own. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define RESIDENT_FACTOR 8
#else
#define RESIDENT_FACTOR 1
#endif

static long resident_kb(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void an_announced_length_costs_nothing(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    int fds[64];
    long before_kb = resident_kb();
    for (size_t i = 0; i < ARRAY_COUNT(fds); i++) {
        fds[i] = dial(&f);
        put_hello(&f.out);
        wr_u32be(&f.out, 127u << 20);
        buf_append_str(&f.out, "and then nothing much");
        say(fds[i], &f.out);
    }
    int fd = dial(&f); /* answered by the same loops, so they have seen the others */
    put_hello(&f.out);
    put_size(&f.out, 1, "x");
    say(fd, &f.out);
    expect_size(fd, 1, 1);
    assert_true(resident_kb() - before_kb < 16 * 1024 * RESIDENT_FACTOR);
    for (size_t i = 0; i < ARRAY_COUNT(fds); i++)
        close(fds[i]);
    close(fd);
    fixture_stop(&f);
}

static void an_absurd_length_ends_the_connection(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    const uint32_t lengths[] = {UINT32_MAX, 1u << 31, (128u << 20) + 1};
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        int fd = dial(&f);
        put_hello(&f.out);
        wr_u32be(&f.out, lengths[i]);
        say(fd, &f.out);
        expect_close(fd);
    }
    fixture_stop(&f);
}

static void a_reader_that_does_not_read_is_not_served_on(void **state)
{
    enum { CALLS = 64 };
    struct fixture f = fixture_start((struct rpc_server_options){0});
    int fd = dial(&f);
    long before_kb = resident_kb();
    put_hello(&f.out);
    for (int i = 0; i < CALLS; i++)
        put_large(&f.out, i, "4000000");
    say(fd, &f.out);
    int other = dial(&f), another = dial(&f); /* one on each loop: nobody else suffers */
    put_hello(&f.out);
    put_size(&f.out, 1, "x");
    struct buf same = {0};
    buf_append(&same, f.out.base, f.out.len);
    say(other, &f.out);
    say(another, &same);
    expect_size(other, 1, 1);
    expect_size(another, 1, 1);
    assert_true(resident_kb() - before_kb < 64 * 1024 * RESIDENT_FACTOR); /* of 256 MB asked for */
    for (uint32_t i = 0; i < CALLS; i++) {
        struct answer a = hear(fd);
        assert_int_equal(a.head.call_id, i);
        assert_true(a.body.len > 4000000);
        buf_free(&a.frame);
    }
    buf_free(&same);
    close(fd);
    close(other);
    close(another);
    fixture_stop(&f);
}

/* Who holds most goes, not who comes next. */
static void unfinished_requests_are_bounded(void **state)
{
    enum { MOST = 1 << 20, REQUEST = 900 << 10, LARGE = 700 << 10, SMALL = 400 << 10 };
    struct fixture f = fixture_start((struct rpc_server_options){.input_bytes_max = MOST});
    struct buf hello = {0};
    char *name = memset(mem_alloc(REQUEST + 1), 'x', REQUEST);
    name[REQUEST] = 0;
    put_hello(&hello);
    for (int round = 0; round < 4; round++) {
        struct buf request = {0};
        put_delete(&request, round, name);
        bool large_first = round % 2;
        int large = dial(&f), small = dial(&f), first = large_first ? large : small;
        for (int i = 0; i < 2; i++) {
            int fd = i == 0 ? first : first == large ? small : large;
            assert_int_equal(net_write_full(fd, hello.base, hello.len, NULL), 0);
            (void)!net_write_full(fd, request.base, fd == large ? LARGE : SMALL, NULL); /* it may be closed already */
        }
        expect_close(large);
        assert_int_equal(net_write_full(small, request.base + SMALL, request.len - SMALL, NULL), 0);
        struct answer a = hear(small);
        assert_int_equal(a.head.call_id, round);
        assert_int_equal(a.head.status, RPC_STATUS(SUCCESS));
        buf_free(&a.frame);
        buf_free(&request);
        close(small);
    }
    free(name);
    buf_free(&hello);
    fixture_stop(&f);
}

/* ---- many at once ---- */

static void calls_in_flight_are_bounded(void **state)
{
    enum { CALLS = 1000, MOST = 8 };
    struct fixture f = fixture_start((struct rpc_server_options){.calls_in_flight_max = MOST});
    int fd = dial(&f);
    put_hello(&f.out);
    for (int i = 0; i < CALLS; i++)
        put_delete(&f.out, i, "hold");
    say(fd, &f.out);
    for (int answered = 0; answered < CALLS; answered += MOST) {
        test_service_await_held(f.service, MOST);
        assert_int_equal(f.service->runs, answered + MOST);
        test_service_release(f.service);
        for (int i = 0; i < MOST; i++) {
            struct answer a = hear(fd);
            assert_int_equal(a.head.call_id, answered + i);
            buf_free(&a.frame);
        }
    }
    put_size(&f.out, CALLS, "last");
    say(fd, &f.out);
    expect_size(fd, CALLS, 4);
    close(fd);
    fixture_stop(&f);
}

struct writing {
    int fd;
    struct buf *bytes;
};

static void *say_it(void *arg)
{
    struct writing *w = arg;
    say(w->fd, w->bytes);
    return NULL;
}

/* Large requests that wait for their answers hold their memory: a few at a time are enough. */
static void bytes_in_flight_are_bounded(void **state)
{
    enum { CALLS = 32, EACH = 256 << 10, MOST_BYTES = 1 << 20 };
    struct fixture f = fixture_start((struct rpc_server_options){.request_bytes_max = MOST_BYTES});
    int fd = dial(&f), answered = 0;
    pthread_t writer;
    struct writing w = {fd, &f.out};
    Hdfs__DeleteRequestProto request = HDFS__DELETE_REQUEST_PROTO__INIT;
    ProtobufCMessageUnknownField ballast = {15, PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, EACH + 3,
                                            memset(mem_alloc(EACH + 3), 'x', EACH + 3)};
    memcpy(ballast.data, "\x80\x80\x10", 3); /* its length: EACH */
    request.src = (char *)(uintptr_t) "hold";
    request.base.n_unknown_fields = 1;
    request.base.unknown_fields = &ballast;
    put_hello(&f.out);
    for (int i = 0; i < CALLS; i++)
        put_call(&f.out, i, "delete", &request.base);
    assert_int_equal(pthread_create(&writer, NULL, say_it, &w), 0);
    while (answered < CALLS) {
        test_service_await_held(f.service, 1);
        assert_true(f.service->runs - answered <= MOST_BYTES / EACH + 1);
        for (int sent = test_service_release(f.service); sent; sent--, answered++) {
            struct answer a = hear(fd);
            buf_free(&a.frame);
        }
    }
    pthread_join(writer, NULL);
    free(ballast.data);
    close(fd);
    fixture_stop(&f);
}

static void answers_may_come_in_any_order(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    int fd = dial(&f);
    put_hello(&f.out);
    put_delete(&f.out, 1, "hold");
    put_size(&f.out, 2, "quick");
    say(fd, &f.out);
    expect_size(fd, 2, 5);
    test_service_release(f.service);
    struct answer a = hear(fd);
    assert_int_equal(a.head.call_id, 1);
    buf_free(&a.frame);
    close(fd);
    fixture_stop(&f);
}

/* What a thread holds back is not to be had before it lets go, and then in the order of sending, on every connection.
 */
static void answers_held_back_go_out_together(void **state)
{
    enum { CONNECTIONS = 40, CALLS = 20 }; /* more than are held, of both */
    struct fixture f = fixture_start((struct rpc_server_options){0});
    int fds[CONNECTIONS];
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = dial(&f);
        put_hello(&f.out);
        for (int j = 0; j < (i ? 1 : CALLS); j++)
            put_delete(&f.out, i * 100 + j, "hold");
        say(fds[i], &f.out);
        test_service_await_held(f.service, CALLS + i);
    }
    close(fds[1]); /* nobody is left to get its answer */
    rpc_hold_answers(true);
    test_service_release(f.service);
    rpc_hold_answers(false);
    for (int i = 0; i < CONNECTIONS; i++)
        for (int j = 0; i != 1 && j < (i ? 1 : CALLS); j++) {
            struct answer a = hear(fds[i]);
            assert_int_equal(a.head.call_id, i * 100 + j);
            buf_free(&a.frame);
        }
    put_size(&f.out, 9, "later"); /* and nothing is held any more */
    say(fds[0], &f.out);
    expect_size(fds[0], 9, 5);
    for (int i = 0; i < CONNECTIONS; i++)
        if (i != 1)
            close(fds[i]);
    fixture_stop(&f);
}

static void a_local_caller_may_block(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    struct arena arena;
    ProtobufCMessage *response = NULL;
    struct err why;
    Hdfs__GetPreferredBlockSizeRequestProto request = HDFS__GET_PREFERRED_BLOCK_SIZE_REQUEST_PROTO__INIT;
    char name[] = "local";
    request.filename = name;
    struct rpc_local_call what = {"ada",         "::1",
                                  TEST_PROTOCOL, "getPreferredBlockSize",
                                  &request.base, &hdfs__get_preferred_block_size_response_proto__descriptor};
    arena_init(&arena, 1 << 20);
    assert_int_equal(rpc_server_call(f.server, &what, &arena, &response, &why), 0);
    assert_int_equal(((Hdfs__GetPreferredBlockSizeResponseProto *)response)->bsize, 5);
    assert_true(f.service->last_may_block);
    arena_free(&arena);
    fixture_stop(&f);
}

static void blocking_handlers_do_not_block_others(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){.pool_threads = 2});
    int fd = dial(&f);
    Hdfs__SetReplicationRequestProto request = HDFS__SET_REPLICATION_REQUEST_PROTO__INIT;
    char src[] = "/f";
    request.src = src;
    request.replication = 1;
    put_hello(&f.out);
    for (int i = 0; i < 5; i++)
        put_call(&f.out, i, "setReplication", &request.base);
    put_size(&f.out, 9, "quick");
    say(fd, &f.out);
    expect_size(fd, 9, 5);
    assert_true(f.service->blocked <= 2);
    test_service_release(f.service);
    for (int i = 0; i < 5; i++) {
        struct answer a = hear(fd);
        assert_true(a.head.call_id < 5);
        buf_free(&a.frame);
    }
    close(fd);
    fixture_stop(&f);
}

static void connections_are_bounded(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){.connections_max = 3});
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(&f);
        put_hello(&f.out);
        put_size(&f.out, 1, "x");
        say(fds[i], &f.out);
        expect_size(fds[i], 1, 1);
    }
    expect_close(dial(&f));
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    fixture_stop(&f);
}

static void the_overdue_are_closed(void **state)
{
    struct fixture f = fixture_start(
        (struct rpc_server_options){.idle_timeout_ms = 100, .handshake_timeout_ms = 100, .stall_timeout_ms = 100});
    int silent = dial(&f), idle = dial(&f), stalled = dial(&f), waiting = dial(&f);
    put_hello(&f.out);
    put_delete(&f.out, 1, "hold");
    say(waiting, &f.out);
    put_hello(&f.out);
    say(idle, &f.out);
    put_hello(&f.out);
    wr_u32be(&f.out, 100);
    say(stalled, &f.out);
    expect_close(silent);
    expect_close(idle);
    expect_close(stalled);
    test_service_release(f.service); /* a call that is not answered yet is no idleness */
    struct answer a = hear(waiting);
    assert_int_equal(a.head.status, RPC_STATUS(SUCCESS));
    buf_free(&a.frame);
    expect_close(waiting);
    fixture_stop(&f);
}

/* ---- retries ---- */

static void a_repeated_call_runs_once(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    int first = dial(&f), second = dial(&f), third = dial(&f);
    struct buf hello = {0};
    put_hello(&hello);
    struct slice h = buf_slice(&hello);
    assert_int_equal(net_write_full(second, h.base, h.len, NULL), 0);
    assert_int_equal(net_write_full(third, h.base, h.len, NULL), 0);
    say(first, &hello);
    put_delete(&f.out, 11, "hold");
    struct buf again = {0}, thrice = {0};
    buf_append(&again, f.out.base, f.out.len);
    buf_append(&thrice, f.out.base, f.out.len);
    say(first, &f.out);
    test_service_await_held(f.service, 1);
    close(first); /* its client lost the connection, and comes back */
    say(second, &again);
    put_size(&f.out, 12, "sync");
    say(second, &f.out);
    expect_size(second, 12, 4); /* so the retry has been seen, and waits */
    test_service_release(f.service);
    struct answer a = hear(second);
    assert_int_equal(a.head.call_id, 11);
    assert_int_equal(a.head.status, RPC_STATUS(SUCCESS));
    assert_int_equal(a.body.len, 3);
    buf_free(&a.frame);
    say(third, &thrice); /* long after */
    a = hear(third);
    assert_int_equal(a.head.call_id, 11);
    assert_int_equal(a.body.len, 3);
    buf_free(&a.frame);
    assert_int_equal(f.service->runs, 1);
    put_delete(&f.out, 13, "fail");
    put_delete(&f.out, 13, "fail");
    say(third, &f.out);
    for (int i = 0; i < 2; i++)
        expect_error(third, 13, RPC_STATUS(ERROR), RPC_DETAIL(ERROR_APPLICATION),
                     "org.apache.hadoop.security.AccessControlException", "Permission denied");
    assert_int_equal(f.service->runs, 3); /* what failed may run again */
    struct buf metrics = {0};
    metrics_prometheus(&metrics);
    assert_non_null(strstr(buf_cstr(&metrics), "\ncairn_rpc_replays_total 1\n"));
    buf_free(&metrics);
    close(second);
    close(third);
    buf_free(&hello);
    buf_free(&again);
    buf_free(&thrice);
    fixture_stop(&f);
}

static void a_stopped_server_lets_late_answers_go(void **state)
{
    struct fixture f = fixture_start((struct rpc_server_options){0});
    int fd = dial(&f);
    put_hello(&f.out);
    for (int i = 0; i < 20; i++)
        put_delete(&f.out, i % 10, "hold"); /* ten, and ten retries of them */
    say(fd, &f.out);
    test_service_await_held(f.service, 10);
    rpc_server_stop(f.server);
    expect_close(fd);
    test_service_release(f.service);
    f.server = NULL;
    fixture_stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_conversation_may_be_cut_anywhere),
        cmocka_unit_test(sasl_is_answered_without_being_announced),
        cmocka_unit_test(a_void_answer_is_one_zero_byte),
        cmocka_unit_test(a_browser_gets_a_hint),
        cmocka_unit_test(other_versions_are_refused_in_their_own_layout),
        cmocka_unit_test(an_unknown_auth_is_refused),
        cmocka_unit_test(wrong_headers_are_fatal),
        cmocka_unit_test(a_call_before_the_context_is_fatal),
        cmocka_unit_test(what_is_unknown_is_an_error_and_no_more),
        cmocka_unit_test(the_server_says_what_it_speaks),
        cmocka_unit_test(signatures_are_javas),
        cmocka_unit_test(an_announced_length_costs_nothing),
        cmocka_unit_test(an_absurd_length_ends_the_connection),
        cmocka_unit_test(a_reader_that_does_not_read_is_not_served_on),
        cmocka_unit_test(unfinished_requests_are_bounded),
        cmocka_unit_test(calls_in_flight_are_bounded),
        cmocka_unit_test(bytes_in_flight_are_bounded),
        cmocka_unit_test(answers_may_come_in_any_order),
        cmocka_unit_test(answers_held_back_go_out_together),
        cmocka_unit_test(a_local_caller_may_block),
        cmocka_unit_test(blocking_handlers_do_not_block_others),
        cmocka_unit_test(connections_are_bounded),
        cmocka_unit_test(the_overdue_are_closed),
        cmocka_unit_test(a_repeated_call_runs_once),
        cmocka_unit_test(a_stopped_server_lets_late_answers_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

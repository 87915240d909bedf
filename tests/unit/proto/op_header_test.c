#include "tests/unit/check.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/net.h"
#include "hdfs/data_transfer.pb-c.h"
#include "proto/message.h"
#include "proto/op_header.h"

static Hdfs__BlockOpResponseProto response_of(char *message)
{
    Hdfs__BlockOpResponseProto r = HDFS__BLOCK_OP_RESPONSE_PROTO__INIT;
    r.status = HDFS__STATUS__ERROR;
    r.message = message;
    return r;
}

static int read_response(int fd, struct arena *a, Hdfs__BlockOpResponseProto **ret, struct err *reterr)
{
    ProtobufCMessage *m = NULL;
    int rc = delimited_read(fd, &hdfs__block_op_response_proto__descriptor, a, &m, reterr);
    *ret = (Hdfs__BlockOpResponseProto *)m;
    return rc;
}

static void an_op_and_what_follows_it_are_read_exactly(void **state)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    char text[] = "no such block";
    Hdfs__BlockOpResponseProto out = response_of(text), *in;
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_int_equal(op_write(fds[0], OP_READ_BLOCK, &out.base, NULL), 0);
    assert_int_equal(delimited_write(fds[0], &out.base, NULL), 0);
    assert_int_equal(write(fds[0], "x", 1), 1);
    uint8_t opcode, next;
    assert_int_equal(op_header_read(fds[1], &opcode, NULL), 0);
    assert_int_equal(opcode, OP_READ_BLOCK);
    assert_string_equal(op_name(opcode), "READ_BLOCK");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(read_response(fds[1], &a, &in, NULL), 0);
        assert_string_equal(in->message, text);
    }
    assert_int_equal(read(fds[1], &next, 1), 1);
    assert_int_equal(next, 'x');
    close(fds[0]);
    assert_int_equal(op_header_read(fds[1], &opcode, NULL), ERR_CLOSED);
    assert_int_equal(read_response(fds[1], &a, &in, NULL), ERR_CLOSED);
    arena_free(&a);
    close(fds[1]);
}

struct drip {
    int fd;
    struct buf bytes;
};

static void *drip_run(void *arg)
{
    struct drip *d = arg;
    for (size_t i = 0; i < d->bytes.len; i++)
        if (net_write_full(d->fd, d->bytes.base + i, 1, NULL) < 0)
            break;
    return NULL;
}

static void bytes_may_drip(void **state)
{
    struct drip d = {0};
    int fds[2];
    char text[300];
    memset(text, 't', sizeof text);
    text[sizeof text - 1] = 0;
    Hdfs__BlockOpResponseProto out = response_of(text), *in;
    struct arena a;
    arena_init(&a, 1 << 20);
    message_pack_delimited(&d.bytes, &out.base);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        d.fd = fds[0];
        pthread_t thread;
        pthread_create(&thread, NULL, drip_run, &d);
        assert_int_equal(read_response(fds[1], &a, &in, NULL), 0);
        assert_string_equal(in->message, text);
        pthread_join(thread, NULL);
        close(fds[0]);
        close(fds[1]);
        arena_reset(&a);
    }
    buf_free(&d.bytes);
    arena_free(&a);
}

static int read_bytes(const void *bytes, size_t len, size_t arena_bytes, struct err *err)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(write(fds[0], bytes, len), len);
    close(fds[0]);
    struct arena a;
    arena_init(&a, arena_bytes);
    Hdfs__BlockOpResponseProto *in;
    int rc = read_response(fds[1], &a, &in, err);
    arena_free(&a);
    close(fds[1]);
    return rc;
}

static void nonsense_is_refused(void **state)
{
    struct err err;
    assert_int_equal(read_bytes("\xff\xff\xff\xff\xff\xff\xff", 7, 1 << 20, &err), ERR_PROTOCOL);
    assert_int_equal(read_bytes("\xff\xff\xff\xff\x0f", 5, 1 << 20, &err), ERR_PROTOCOL); /* 4 GiB */
    assert_int_equal(read_bytes("\x81\x80\x40", 3, 1 << 20, &err), ERR_PROTOCOL);         /* 1 MiB + 1 */
    assert_int_equal(read_bytes("\xff\xff\x3f", 3, 1 << 20, &err), ERR_CLOSED);           /* announced, never sent */
    assert_int_equal(read_bytes("\xff\xff\x3f", 3, 1 << 10, &err), ERR_PROTOCOL);         /* over the caller's bound */
    assert_int_equal(read_bytes("\x00", 1, 1 << 20, &err), ERR_PROTOCOL); /* a required field is missing */
    assert_non_null(strstr(err.text, "BlockOpResponseProto"));
    assert_int_equal(read_bytes("\x02\x08\x01", 3, 1 << 20, &err), 0);
    assert_int_equal(read_bytes("\x03\x08\x01", 3, 1 << 20, &err), ERR_CLOSED);
}

static void other_versions_and_sasl_are_named(void **state)
{
    int fds[2];
    struct err err;
    uint8_t opcode;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(write(fds[0], "\x00\x1b\x51\xde\xad\xbe", 6), 6);
    assert_int_equal(op_header_read(fds[1], &opcode, &err), ERR_PROTOCOL);
    assert_non_null(strstr(err.text, "version 27"));
    assert_int_equal(op_header_read(fds[1], &opcode, &err), ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "SASL"));
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_op_and_what_follows_it_are_read_exactly),
        cmocka_unit_test(bytes_may_drip),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(other_versions_and_sasl_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

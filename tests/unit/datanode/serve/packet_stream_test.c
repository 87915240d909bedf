/* Packets come out as they were sent, however they are cut on the way, from a buffer that stays small. */
#include "tests/unit/check.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/net.h"
#include "datanode/serve/packet_stream.h"

#define PAGE_BYTES   4096
#define BUFFER_BYTES (256 << 10)
#define HEADER_BYTES PACKET_HEADER_MIN_BYTES
#define LARGEST      3100000 /* of the sizes, with checksums */

static const uint32_t sizes[] = {1,      0,       64512,  64512,  64512,   64512, 64512, 64512, 262144, 262144, 262144,
                                 262144, 262144,  131072, 131072, 131072,  1,     70000, 3,     0,      900000, 17,
                                 900001, 3000000, 5,      64512,  1000000, 1,     1,     0,     262144, 9};

struct sending {
    int fd;
    unsigned seed;
};

static size_t packet_make(size_t i, uint8_t **ret)
{
    struct packet_header h = {.offset_in_block = 512 * (int64_t)i,
                              .seqno = (int64_t)i,
                              .checksum_bytes = (sizes[i] + 511) / 512 * 4,
                              .data_bytes = sizes[i]};
    size_t body = h.checksum_bytes + h.data_bytes;
    *ret = mem_alloc(PACKET_HEADER_MAX_BYTES + body);
    size_t head = packet_header_encode(&h, *ret);
    for (size_t j = 0; j < body; j++)
        (*ret)[head + j] = (uint8_t)(i * 31 + j * 7 + j / 999);
    return head + body;
}

static void *send_all(void *arg)
{
    struct sending *s = arg;
    uint8_t *all = NULL;
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        uint8_t *one;
        size_t n = packet_make(i, &one);
        all = mem_realloc(all, len + n);
        memcpy(all + len, one, n);
        len += n;
        free(one);
    }
    for (size_t at = 0; at < len;) {
        size_t n = 1 + (size_t)rand_r(&s->seed) % (s->seed % 3 ? 1 << 20 : 1000);
        n = n < len - at ? n : len - at;
        assert_int_equal(net_write_full(s->fd, all + at, n, NULL), 0);
        at += n;
    }
    free(all);
    close(s->fd);
    return NULL;
}

static void packets_are_whole_however_they_come(void **state)
{
    for (unsigned seed = 1; seed <= 20; seed++) {
        int fds[2];
        pthread_t thread;
        struct packet_stream in;
        struct packet p;
        struct err why;
        size_t count = 0;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        struct sending s = {fds[1], seed};
        assert_int_equal(pthread_create(&thread, NULL, send_all, &s), 0);
        packet_stream_init(&in, fds[0]);
        for (int rc = 0;;) {
            while ((rc = packet_stream_next(&in, &p, &why)) == 1) {
                uint8_t *expected;
                size_t len = packet_make(count++, &expected);
                assert_int_equal(p.raw.len, len);
                assert_memory_equal(p.raw.base, expected, len);
                assert_ptr_equal(p.data + p.header.data_bytes, p.raw.base + len);
                free(expected);
            }
            assert_int_equal(rc, 0);
            rc = packet_stream_fill(&in, &why);
            if (rc == ERR_CLOSED)
                break;
            assert_int_equal(rc, 0);
            assert_true(in.capacity <= 2 * LARGEST);
        }
        assert_int_equal(count, ARRAY_COUNT(sizes));
        packet_stream_free(&in);
        pthread_join(thread, NULL);
        close(fds[0]);
    }
}

/* What is announced costs nothing before it comes. */
static void the_buffer_grows_with_what_has_come(void **state)
{
    int fds[2];
    struct packet_stream in;
    struct packet p;
    uint8_t bytes[BUFFER_BYTES / 8] = {0};
    struct packet_header h = {.data_bytes = PACKET_MAX_BYTES - 1000};
    size_t head = packet_header_encode(&h, bytes), sent = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    packet_stream_init(&in, fds[0]);
    assert_int_equal(net_write_full(fds[1], bytes, head, NULL), 0);
    for (sent = head; sent < PACKET_MAX_BYTES / 2; sent += sizeof bytes) {
        assert_int_equal(packet_stream_fill(&in, NULL), 0);
        assert_int_equal(packet_stream_next(&in, &p, NULL), 0);
        assert_true(in.capacity <= BUFFER_BYTES || in.capacity <= 2 * sent);
        assert_int_equal(net_write_full(fds[1], bytes, sizeof bytes, NULL), 0);
    }
    packet_stream_free(&in);
    close(fds[0]);
    close(fds[1]);
}

/* Of packets of one size, none has to be moved to the front of the buffer. */
static void packets_of_one_size_lie_at_the_same_places(void **state)
{
    static const uint32_t data_bytes[] = {64512, 131072, 262144, 1 << 20};
    for (size_t i = 0; i < ARRAY_COUNT(data_bytes); i++) {
        int fds[2];
        struct packet_stream in;
        struct packet p;
        struct packet_header h = {.data_bytes = data_bytes[i]};
        size_t len = HEADER_BYTES + data_bytes[i], per_buffer = BUFFER_BYTES / len ? BUFFER_BYTES / len : 1;
        AUTO(mem_freep) uint8_t *bytes = mem_calloc(per_buffer, len);
        for (size_t j = 0; j < per_buffer; j++)
            assert_int_equal(packet_header_encode(&h, bytes + j * len), HEADER_BYTES);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
        int room = 16 << 20;
        assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room), 0);
        packet_stream_init(&in, fds[0]);
        for (size_t round = 0; round < 20; round++) {
            assert_int_equal(net_write_full(fds[1], bytes, per_buffer * len, NULL), 0);
            for (size_t taken = 0; taken < per_buffer;) {
                int rc = packet_stream_next(&in, &p, NULL);
                if (rc == 0)
                    assert_int_equal(packet_stream_fill(&in, NULL), 0);
                else if (round > 1)
                    assert_int_equal(p.raw.base - in.base, taken * len);
                taken += rc == 1;
            }
        }
        assert_true(in.capacity <= BUFFER_BYTES || in.capacity < len + 2 * PAGE_BYTES);
        packet_stream_free(&in);
        close(fds[0]);
        close(fds[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_are_whole_however_they_come),
        cmocka_unit_test(the_buffer_grows_with_what_has_come),
        cmocka_unit_test(packets_of_one_size_lie_at_the_same_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

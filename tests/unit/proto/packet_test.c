#include "tests/unit/check.h"

#include <sys/socket.h>
#include <unistd.h>

#include "hdfs/data_transfer.pb-c.h"
#include "proto/message.h"
#include "proto/packet.h"

static const struct packet_header samples[] = {
    {.offset_in_block = 0, .seqno = 0, .checksum_bytes = 504, .data_bytes = 64512},
    {.offset_in_block = 1 << 20, .seqno = 77, .checksum_bytes = 4, .data_bytes = 1, .sync_block = true},
    {.offset_in_block = INT64_MAX, .seqno = INT64_MAX, .last_in_block = true},
    {.offset_in_block = 0, .seqno = PACKET_SEQNO_HEARTBEAT},
};

static void assert_same(const struct packet_header *a, const struct packet_header *b)
{
    assert_true(a->offset_in_block == b->offset_in_block && a->seqno == b->seqno);
    assert_int_equal(a->checksum_bytes, b->checksum_bytes);
    assert_int_equal(a->data_bytes, b->data_bytes);
    assert_int_equal(a->last_in_block, b->last_in_block);
    assert_int_equal(a->sync_block, b->sync_block);
}

static void what_is_encoded_is_decoded_when_all_of_it_is_there(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(samples); i++) {
        uint8_t bytes[PACKET_HEADER_MAX_BYTES];
        struct packet_header h;
        size_t len = packet_header_encode(&samples[i], bytes);
        assert_int_equal(len, samples[i].sync_block ? 33 : 31);
        for (size_t part = 0; part < len; part++)
            assert_int_equal(packet_header_decode((struct slice){bytes, part}, &h, NULL), 0);
        assert_int_equal(packet_header_decode((struct slice){bytes, len}, &h, NULL), len);
        assert_same(&h, &samples[i]);
    }
}

static void it_is_what_protobuf_makes_of_it(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(samples); i++) {
        const struct packet_header *s = &samples[i];
        uint8_t bytes[PACKET_HEADER_MAX_BYTES];
        size_t len = packet_header_encode(s, bytes);
        Hdfs__PacketHeaderProto proto = HDFS__PACKET_HEADER_PROTO__INIT;
        proto.offsetinblock = s->offset_in_block;
        proto.seqno = s->seqno;
        proto.lastpacketinblock = s->last_in_block;
        proto.datalen = (int32_t)s->data_bytes;
        proto.has_syncblock = proto.syncblock = s->sync_block;
        struct buf b = {0};
        message_pack(&b, &proto.base);
        assert_int_equal(b.len, len - 6);
        assert_memory_equal(b.base, bytes + 6, b.len);
        buf_free(&b);
    }
}

static int decode(const void *bytes, size_t len)
{
    struct packet_header h;
    return packet_header_decode((struct slice){bytes, len}, &h, NULL);
}

static void nonsense_is_refused(void **state)
{
    uint8_t good[PACKET_HEADER_MAX_BYTES], bad[PACKET_HEADER_MAX_BYTES];
    size_t len = packet_header_encode(&samples[0], good);
    struct {
        size_t at;
        uint8_t value;
    } const changes[] = {
        {0, 0xff},           /* negative length */
        {0, 0x01},           /* 16 MiB and more */
        {4, 0xff},           /* header of 65 KiB */
        {5, 24},             /* header too short */
        {6, 0x0f},           /* unknown wire type */
        {15, 0x01 << 3 | 1}, /* the offset twice, no sequence number */
        {len - 1, 0x80},     /* negative data length */
        {len - 3, 0xff},     /* more data than the packet has */
    };
    for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
        memcpy(bad, good, len);
        bad[changes[i].at] = changes[i].value;
        assert_int_equal(decode(bad, len), ERR_PROTOCOL);
    }
    memcpy(bad, good, len);
    memset(bad, 0, 4); /* packet length 0 */
    assert_int_equal(decode(bad, len), ERR_PROTOCOL);
    assert_int_equal(decode(good, len), (int)len);
}

static void unknown_fields_are_skipped(void **state)
{
    uint8_t bytes[64];
    size_t len = packet_header_encode(&samples[1], bytes);
    const uint8_t more[] = {9 << 3 | 2, 3, 'a', 'b', 'c', 10 << 3, 0x85, 0x01, 11 << 3 | 5, 1, 2, 3, 4};
    memcpy(bytes + len, more, sizeof more);
    bytes[5] += (uint8_t)sizeof more;
    struct packet_header h;
    assert_int_equal(packet_header_decode((struct slice){bytes, len + sizeof more}, &h, NULL), len + sizeof more);
    assert_same(&h, &samples[1]);
}

static void a_socket_is_read_no_further_than_the_header(void **state)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (size_t i = 0; i < ARRAY_COUNT(samples); i++) {
        uint8_t bytes[PACKET_HEADER_MAX_BYTES + 1];
        size_t len = packet_header_encode(&samples[i], bytes);
        bytes[len] = 0x77; /* the first byte of the checksums */
        assert_int_equal(write(fds[0], bytes, len + 1), len + 1);
        struct packet_header h;
        uint8_t next = 0;
        assert_int_equal(packet_header_read(fds[1], &h, NULL), 0);
        assert_same(&h, &samples[i]);
        assert_int_equal(read(fds[1], &next, 1), 1);
        assert_int_equal(next, 0x77);
    }
    close(fds[0]);
    struct packet_header h;
    assert_int_equal(packet_header_read(fds[1], &h, NULL), ERR_CLOSED);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_is_decoded_when_all_of_it_is_there),
        cmocka_unit_test(it_is_what_protobuf_makes_of_it),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(unknown_fields_are_skipped),
        cmocka_unit_test(a_socket_is_read_no_further_than_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

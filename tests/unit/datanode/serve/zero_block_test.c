/* The block of zeros, against checksums computed the long way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#include "common/md5.h"
#include "common/mem.h"
#include "datanode/serve/packet_stream.h"
#include "datanode/serve/zero_block.h"

static const uint64_t lengths[] = {0, 1, 511, 512, 513, 1000, 4096, 262143, 262144, 262145, 1048576, 1300003};

struct sending {
    int fd;
    uint64_t from, to;
    bool with_checksums;
};

static void *send_zeros(void *arg)
{
    const struct sending *s = arg;
    assert_int_equal(zero_block_send(s->fd, s->from, s->to, s->with_checksums, NULL), 0);
    close(s->fd);
    return NULL;
}

static void check_packet(const struct packet *p, const struct sending *s, uint64_t at, int64_t seqno)
{
    size_t chunks = (p->header.data_bytes + 511u) / 512;
    assert_int_equal(p->header.offset_in_block, at);
    assert_int_equal(p->header.seqno, seqno);
    assert_int_equal(p->header.last_in_block, p->header.data_bytes == 0);
    assert_int_equal(p->header.checksum_bytes, s->with_checksums ? chunks * 4 : 0);
    for (uint32_t i = 0; i < p->header.data_bytes; i++)
        if (p->data[i])
            fail_msg("byte %u of packet %lld is not zero", i, (long long)seqno);
    if (s->with_checksums)
        assert_int_equal(checksum_verify_chunks(CHECKSUM_CRC32C, p->data, p->header.data_bytes, 512, p->checksums), -1);
}

static void check_sending(uint64_t from, uint64_t to, bool with_checksums)
{
    int fds[2];
    pthread_t thread;
    struct packet_stream in;
    struct err why;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    struct sending s = {fds[1], from, to, with_checksums};
    assert_int_equal(pthread_create(&thread, NULL, send_zeros, &s), 0);
    packet_stream_init(&in, fds[0]);
    uint64_t at = from;
    bool last = false;
    for (int64_t seqno = 0; !last;) {
        struct packet p;
        int rc = packet_stream_next(&in, &p, &why);
        assert_true(rc >= 0);
        if (!rc) {
            assert_int_equal(packet_stream_fill(&in, &why), 0);
            continue;
        }
        check_packet(&p, &s, at, seqno++);
        at += p.header.data_bytes;
        last = p.header.last_in_block;
    }
    assert_int_equal(at, to);
    assert_int_equal(packet_stream_fill(&in, &why), ERR_CLOSED);
    pthread_join(thread, NULL);
    packet_stream_free(&in);
    close(fds[0]);
}

static void test_packets(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        check_sending(0, lengths[i], true);
        check_sending(0, lengths[i], false);
        check_sending(512, 512 + lengths[i], true);
    }
    uint64_t far = (uint64_t)INT64_MAX - 1000;
    check_sending(far / 512 * 512, INT64_MAX, true);
}

static void test_checksums_of_the_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        size_t len = (size_t)lengths[i], chunks = (len + 511) / 512;
        uint8_t *zeros = mem_calloc(len + 1, 1), *sums = mem_alloc(chunks * 4 + 4), wanted[16], got[16];
        checksum_chunks(CHECKSUM_CRC32C, zeros, len, 512, sums);
        md5_of(sums, chunks * 4, wanted);
        assert_int_equal(zero_block_md5(-1, len, got, NULL), 0);
        assert_memory_equal(got, wanted, sizeof got);
        assert_int_equal(zero_block_crc(len), len ? checksum_of(CHECKSUM_CRC32C, zeros, len) : 0);
        free(zeros);
        free(sums);
    }
}

static void test_nobody_waits_for_an_endless_checksum(void **state)
{
    int fds[2];
    uint8_t got[16];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    close(fds[0]);
    assert_int_equal(zero_block_md5(fds[1], INT64_MAX, got, NULL), ERR_CLOSED);
    (void)zero_block_crc(INT64_MAX); /* costs nothing */
    assert_true(zero_block_send(fds[1], 0, INT64_MAX, true, NULL) < 0);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_checksums_of_the_whole),
        cmocka_unit_test(test_nobody_waits_for_an_endless_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/check.h"

#include "client/lib/write_packet.h"

static void packets_are_cut_as_hadoop_cuts_them_and_long_ones_at_whole_pages(void **state)
{
    const struct {
        uint32_t packet, chunk, data;
    } cases[] = {{65536, 512, 126 * 512},  {1024, 512, 512},           {1, 512, 512},
                 {65536, 4096, 15 * 4096}, {65536, 1 << 20, 1 << 20},  {66080, 512, 127 * 512},
                 {66081, 512, 65536},      {131072, 512, 65536},       {270336, 512, 262144},
                 {270336, 4096, 262144},   {270336, 1000, 269 * 1000}, {270336, 1 << 17, 1 << 18}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct packet_pool p;
        packet_pool_init(&p, cases[i].packet, cases[i].chunk, CHECKSUM_CRC32C);
        assert_int_equal(p.data_max, cases[i].data);
        packet_pool_free(&p);
    }
}

static void header_checksums_and_data_lie_behind_one_another(void **state)
{
    struct packet_pool pool;
    packet_pool_init(&pool, 65536, 512, CHECKSUM_CRC32C);
    for (uint32_t len = 0; len <= pool.data_max; len += len < 1100 ? 1 : 997) {
        struct write_packet *p = packet_take(&pool, 512);
        for (uint32_t i = 0; i < len; i++)
            p->data[i] = (uint8_t)(i * 7);
        p->data_bytes = len;
        p->last = len == 0;
        p->sync = len % 2;
        packet_seal(&pool, p, 5);
        struct packet_header h;
        int head = packet_header_decode((struct slice){p->head, p->head_bytes}, &h, NULL);
        assert_true(head > 0);
        assert_int_equal(h.seqno, 5);
        assert_int_equal(h.offset_in_block, 512);
        assert_int_equal(h.data_bytes, len);
        assert_int_equal(h.last_in_block, len == 0);
        assert_int_equal(h.sync_block, len % 2);
        assert_int_equal((size_t)head + h.checksum_bytes, p->head_bytes);
        assert_int_equal(checksum_verify_chunks(CHECKSUM_CRC32C, p->data, len, 512, p->head + head), -1);
        packet_give_back(&pool, p);
    }
    packet_pool_free(&pool);
}

static void memory_is_used_again(void **state)
{
    struct packet_pool pool;
    packet_pool_init(&pool, 65536, 512, CHECKSUM_NULL);
    struct write_packet *a = packet_take(&pool, 0), *b = packet_take(&pool, 0);
    a->data_bytes = 100;
    packet_seal(&pool, a, 0);
    assert_int_equal(a->head_bytes, PACKET_HEADER_MIN_BYTES); /* no checksums */
    packet_give_back(&pool, a);
    assert_ptr_equal(packet_take(&pool, 7), a);
    assert_int_equal(a->data_bytes, 0);
    assert_int_equal(a->offset, 7);
    packet_give_back(&pool, a);
    packet_give_back(&pool, b);
    packet_pool_free(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_are_cut_as_hadoop_cuts_them_and_long_ones_at_whole_pages),
        cmocka_unit_test(header_checksums_and_data_lie_behind_one_another), cmocka_unit_test(memory_is_used_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

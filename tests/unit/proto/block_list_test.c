#include "tests/unit/check.h"

#include "proto/block_list.h"
#include "proto/message.h"

#define COUNT 100000

static struct block_list_entry entry(uint64_t i)
{
    return (struct block_list_entry){.block_id = i % 7 ? 1073741825 + i : -(uint64_t)i, /* striped ids are negative */
                                     .length_bytes = i * 1234567 & ((UINT64_C(1) << 48) - 1),
                                     .gen_stamp = 1001 + i,
                                     .xxh3 = i * UINT64_C(0x9E3779B97F4A7C15),
                                     .state = (uint32_t)(i % 4)};
}

static void assert_same(const struct block_list_entry *a, const struct block_list_entry *b)
{
    assert_true(a->block_id == b->block_id && a->length_bytes == b->length_bytes && a->gen_stamp == b->gen_stamp &&
                a->xxh3 == b->xxh3 && a->state == b->state);
}

static void a_report_survives_the_wire(void **state)
{
    struct block_list list = {0};
    for (uint64_t i = 0; i < COUNT; i++) {
        struct block_list_entry e = entry(i);
        block_list_add(&list, &e);
    }
    struct arena a;
    arena_init(&a, 64 << 20);
    char uuid[] = "DS-1";
    Hdfs__DatanodeStorageProto storage = HDFS__DATANODE_STORAGE_PROTO__INIT;
    storage.storageuuid = uuid;
    Hdfs__StorageBlockReportProto report = HDFS__STORAGE_BLOCK_REPORT_PROTO__INIT;
    report.storage = &storage;
    block_list_fill(&list, &report, &a);
    assert_true(report.n_blocksbuffers > 1);
    struct buf wire = {0};
    message_pack(&wire, &report.base);
    ProtobufCMessage *m;
    assert_int_equal(message_unpack(&hdfs__storage_block_report_proto__descriptor, buf_slice(&wire), &a, &m, NULL), 0);
    struct block_list_reader r;
    struct block_list_entry got;
    assert_int_equal(block_list_reader_init(&r, (Hdfs__StorageBlockReportProto *)m, NULL), 0);
    for (uint64_t i = 0; i < COUNT; i++) {
        struct block_list_entry e = entry(i);
        assert_int_equal(block_list_next(&r, &got, NULL), 1);
        assert_same(&got, &e);
    }
    assert_int_equal(block_list_next(&r, &got, NULL), 0);
    buf_free(&wire);
    arena_free(&a);
    block_list_free(&list);
}

static void buffers_may_be_cut_anywhere(void **state)
{
    struct block_list list = {0};
    struct block_list_entry e = entry(12345), f = entry(14), got;
    block_list_add(&list, &e);
    block_list_add(&list, &f);
    e.xxh3 = f.xxh3 = 0;
    Hdfs__StorageBlockReportProto report = HDFS__STORAGE_BLOCK_REPORT_PROTO__INIT;
    for (size_t cut = 0; cut <= list.entries.len; cut++) {
        ProtobufCBinaryData parts[3] = {
            {cut, list.entries.base}, {0, NULL}, {list.entries.len - cut, list.entries.base + cut}};
        report.blocksbuffers = parts;
        report.n_blocksbuffers = 3;
        report.has_numberofblocks = 1;
        report.numberofblocks = 2;
        struct block_list_reader r;
        assert_int_equal(block_list_reader_init(&r, &report, NULL), 0);
        assert_int_equal(block_list_next(&r, &got, NULL), 1);
        assert_same(&got, &e);
        assert_int_equal(block_list_next(&r, &got, NULL), 1);
        assert_same(&got, &f);
        assert_int_equal(block_list_next(&r, &got, NULL), 0);
        /* One block fewer than there is, and one more. */
        report.numberofblocks = 1;
        assert_int_equal(block_list_reader_init(&r, &report, NULL), 0);
        assert_int_equal(block_list_next(&r, &got, NULL), 1);
        assert_int_equal(block_list_next(&r, &got, NULL), ERR_PROTOCOL);
        report.numberofblocks = 3;
        assert_int_equal(block_list_reader_init(&r, &report, NULL), 0);
        assert_int_equal(block_list_next(&r, &got, NULL), 1);
        assert_int_equal(block_list_next(&r, &got, NULL), 1);
        assert_int_equal(block_list_next(&r, &got, NULL), ERR_PROTOCOL);
        report.numberofblocks = UINT64_MAX;
        assert_int_equal(block_list_reader_init(&r, &report, NULL), ERR_PROTOCOL);
    }
    block_list_free(&list);
}

static void the_older_encoding_is_understood(void **state)
{
    uint64_t longs[] = {2, 1, 11, 100, 1001, 12, 200, 1002, -1, -1, -1, 13, 50, 1003, HDFS__REPLICA_STATE_PROTO__RBW};
    Hdfs__StorageBlockReportProto report = HDFS__STORAGE_BLOCK_REPORT_PROTO__INIT;
    report.blocks = longs;
    report.n_blocks = ARRAY_COUNT(longs);
    struct block_list_reader r;
    struct block_list_entry got;
    assert_int_equal(block_list_reader_init(&r, &report, NULL), 0);
    const struct block_list_entry expected[] = {
        {11, 100, 1001, 0, HDFS__REPLICA_STATE_PROTO__FINALIZED},
        {12, 200, 1002, 0, HDFS__REPLICA_STATE_PROTO__FINALIZED},
        {13, 50, 1003, 0, HDFS__REPLICA_STATE_PROTO__RBW},
    };
    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        assert_int_equal(block_list_next(&r, &got, NULL), 1);
        assert_same(&got, &expected[i]);
    }
    assert_int_equal(block_list_next(&r, &got, NULL), 0);
    for (size_t n = 1; n < ARRAY_COUNT(longs); n++) {
        report.n_blocks = n;
        assert_int_equal(block_list_reader_init(&r, &report, NULL), ERR_PROTOCOL);
    }
    report.n_blocks = ARRAY_COUNT(longs);
    longs[0] = UINT64_MAX / 3 + 4; /* would wrap around to something small */
    assert_int_equal(block_list_reader_init(&r, &report, NULL), ERR_PROTOCOL);
    report.n_blocks = 0;
    assert_int_equal(block_list_reader_init(&r, &report, NULL), 0);
    assert_int_equal(block_list_next(&r, &got, NULL), 0);
}

static void unknown_states_are_refused(void **state)
{
    struct block_list list = {0};
    struct block_list_entry e = entry(1), got;
    e.state = 9;
    block_list_add(&list, &e);
    Hdfs__StorageBlockReportProto report = HDFS__STORAGE_BLOCK_REPORT_PROTO__INIT;
    struct arena a;
    arena_init(&a, 4096);
    block_list_fill(&list, &report, &a);
    struct block_list_reader r;
    assert_int_equal(block_list_reader_init(&r, &report, NULL), 0);
    assert_int_equal(block_list_next(&r, &got, NULL), ERR_PROTOCOL);
    arena_free(&a);
    block_list_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_report_survives_the_wire),
        cmocka_unit_test(buffers_may_be_cut_anywhere),
        cmocka_unit_test(the_older_encoding_is_understood),
        cmocka_unit_test(unknown_states_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

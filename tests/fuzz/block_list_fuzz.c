/* A datanode's block report: as it comes, and its replica lists in both encodings. */
#include "proto/block_list.h"
#include "proto/message.h"
#include "tests/fuzz/fuzz.h"

FUZZ_SEEDS(block_list)
{
    struct block_list list = {0};
    for (uint64_t i = 0; i < 5; i++) {
        struct block_list_entry e = {1073741825 + i, i << 20, 1001 + i, i, (uint32_t)(i % 4)};
        block_list_add(&list, &e);
    }
    struct arena a;
    arena_init(&a, 1 << 20);
    char uuid[] = "DS-1";
    uint64_t longs[] = {1, 1, 11, 100, 1001, -1, -1, -1, 13, 50, 1003, 1};
    Hdfs__DatanodeStorageProto storage = HDFS__DATANODE_STORAGE_PROTO__INIT;
    storage.storageuuid = uuid;
    Hdfs__StorageBlockReportProto report = HDFS__STORAGE_BLOCK_REPORT_PROTO__INIT, older = report;
    report.storage = older.storage = &storage;
    block_list_fill(&list, &report, &a);
    older.blocks = longs;
    older.n_blocks = ARRAY_COUNT(longs);
    AUTO(buf_free) struct buf out = {0};
    message_pack(&out, &report.base);
    fuzz_seed(seeds, out.base, out.len);
    buf_clear(&out);
    message_pack(&out, &older.base);
    fuzz_seed(seeds, out.base, out.len);
    arena_free(&a);
    block_list_free(&list);
}

FUZZ_RUN(block_list)
{
    struct arena a;
    struct err err;
    ProtobufCMessage *message;
    arena_init(&a, 16 << 20);
    if (message_unpack(&hdfs__storage_block_report_proto__descriptor, in, &a, &message, &err) == 0) {
        struct block_list_reader r;
        struct block_list_entry e;
        uint64_t count = 0;
        if (block_list_reader_init(&r, (Hdfs__StorageBlockReportProto *)message, &err) == 0)
            while (block_list_next(&r, &e, &err) == 1)
                if (++count > in.len)
                    abort(); /* no entry takes less than a byte */
    }
    arena_free(&a);
}

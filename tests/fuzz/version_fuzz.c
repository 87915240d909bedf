/* What the namenode reads back from its store for a snapshot: a version, and the inode record in it. */
#include "namenode/namespace/history.h"
#include "tests/fuzz/fuzz.h"

FUZZ_SEEDS(version)
{
    struct snapshot_ref refs[] = {{16386, 3, 7}, {16400, 0, 5}};
    struct file_block blocks[] = {{1073741825, 1001, 134217728, BLOCK_COMPLETE},
                                  {1073741826, 1002, 17, BLOCK_COMPLETE}};
    struct inode n = {.id = 16390,
                      .type = INODE_FILE,
                      .parent = 16386,
                      .name = "name",
                      .mode = 0644,
                      .owner = "ann",
                      .group = "staff",
                      .replication = 3,
                      .block_bytes = 134217728,
                      .blocks = blocks,
                      .block_count = 2,
                      .truncate_length = BLOCKS_NO_TRUNCATE,
                      .entered = 3,
                      .saved = 7,
                      .floors = refs,
                      .floor_count = 2};
    AUTO(buf_free) struct buf record = {0}, out = {0};
    inode_encode(&n, &record);
    version_encode(&(struct version){0, buf_slice(&record), refs, 2}, &out);
    fuzz_seed(seeds, out.base, out.len);
    buf_clear(&out);
    version_encode(&(struct version){16391, {0}, refs, 1}, &out);
    fuzz_seed(seeds, out.base, out.len);
}

FUZZ_RUN(version)
{
    struct arena a;
    struct err err;
    struct version v;
    struct inode *n;
    arena_init(&a, 16 << 20);
    if (version_decode(in, &a, &v, &err) == 0) {
        AUTO(buf_free) struct buf again = {0};
        version_encode(&v, &again);
        if (v.inode.base && inode_decode(1, v.inode, &a, &n, &err) == 0) {
            buf_clear(&again);
            inode_encode(n, &again);
        }
    }
    arena_free(&a);
}

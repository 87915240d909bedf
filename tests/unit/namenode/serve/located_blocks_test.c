/* What readers are told of a file's blocks. */
#include "tests/unit/namenode/namespace/fixture.h"

#include "hdfs/client_namenode.pb-c.h"
#include "namenode/serve/status.h"

/* An open file: a full block, and one of 100 bytes in this state. */
static void make_file(struct fixture *f, enum block_state state)
{
    struct file_create_args args = {.path = "/f",
                                    .client_name = "writer",
                                    .client_machine = "127.0.0.1",
                                    .replication = 1,
                                    .block_bytes = 4096,
                                    .create = true,
                                    .overwrite = true};
    assert_int_equal(IN_TXN(f, ({
                                struct inode *n = NULL;
                                int rc = file_create(o, &f->root, &args, &n, ERR(f));
                                struct file_block *b = txn_add_block(t, n);
                                txn_set_block(t, n, b, b->stamp, 4096, BLOCK_COMPLETE);
                                b = txn_add_block(t, n);
                                txn_set_block(t, n, b, b->stamp, 100, state);
                                rc;
                            })),
                     0);
}

/* Readers add what a datanode says of the last block if it is not complete: its length must not be counted twice. */
static void test_an_unfinished_last_block_is_left_to_datanodes(void **state)
{
    struct fixture *f = *state;
    static const enum block_state states[] = {BLOCK_UNDER_CONSTRUCTION, BLOCK_COMMITTED, BLOCK_COMPLETE};
    blocks_safe_mode(f->nn.blocks, SAFE_MODE_FORCE_EXIT, f->now_ms);
    for (size_t i = 0; i < 3; i++) {
        struct arena a;
        arena_init(&a, 1 << 20);
        make_file(f, states[i]);
        uint64_t id = look(f, "/f").id;
        assert_int_equal(IN_TXN(f, ({
                                    struct inode *n = NULL;
                                    int rc = txn_inode(t, id, &n, ERR(f));
                                    const Hdfs__LocatedBlocksProto *l =
                                        status_located_blocks(&a, &f->nn, n, 0, UINT64_MAX, NULL);
                                    bool complete = states[i] == BLOCK_COMPLETE;
                                    assert_int_equal(l->islastblockcomplete, complete);
                                    assert_int_equal(l->filelength, complete ? 4196 : 4096);
                                    assert_int_equal(l->lastblock->offset, 4096);
                                    assert_int_equal(l->lastblock->b->numbytes, 100);
                                    assert_int_equal(l->n_blocks, 2);
                                    rc;
                                })),
                         0);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_unfinished_last_block_is_left_to_datanodes, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "namenode/namespace/policy.h"
#include "tests/unit/namenode/namespace/nodes.h"

/* ---- tests ---- */

static void test_write_a_file(void **state)
{
    struct fixture *f = *state;
    nodes_up(f);
    uint64_t id = file_of(f, "/d/x", 2 * BLOCK + 10);
    struct seen s = look(f, "/d/x");
    assert_int_equal(s.id, id);
    assert_false(s.is_open);
    assert_int_equal(s.length, 2 * BLOCK + 10);
    assert_int_equal(s.blocks, 3);
    assert_int_equal(f->nn.dir->counters.complete_blocks, 3);
    assert_int_equal(leases_file_count(f->nn.leases), 0);
    file_of(f, "/d/empty", 0);
    assert_int_equal(look(f, "/d/empty").blocks, 0);
}

static void test_create_conflicts(void **state)
{
    struct fixture *f = *state;
    uint64_t id = 0, id2 = 0;
    mkdirs(f, "/d");
    assert_int_equal(create(f, &f->root, "/d", "a", false, NULL), ERR_EXISTS);
    assert_string_equal(f->err.text, "/d already exists as a directory");
    assert_int_equal(create(f, &f->root, "/x", "a", false, &id), 0);
    assert_int_equal(create(f, &f->root, "/x", "a", false, NULL), ERR_ALREADY_BEING_CREATED);
    assert_int_equal(create(f, &f->root, "/x", "b", false, NULL), ERR_ALREADY_BEING_CREATED);
    assert_int_equal(create(f, &f->root, "/x/y", "b", false, NULL), ERR_PARENT_NOT_DIR);
    assert_int_equal(create(f, &f->root, "/x", "b", true, &id2), 0);
    assert_int_not_equal(id, id2);
    assert_int_equal(leases_file_count(f->nn.leases), 1);
    bool closed = false;
    assert_int_equal(complete(f, "/x", id, "a", NULL, &closed), ERR_NOT_FOUND); /* its file was replaced */
    assert_int_equal(complete(f, "/x", id2, "b", NULL, &closed), 0);
    assert_true(closed);
    assert_int_equal(create(f, &f->root, "/x", "b", false, NULL), ERR_EXISTS);
    assert_string_equal(f->err.text, "/x for client 127.0.0.1 already exists");
    reap_all(f);
    assert_int_equal(f->nn.dir->counters.inodes, 3);
}

static void test_create_makes_one_folder_and_no_more(void **state)
{
    struct fixture *f = *state;
    struct file_create_args args = {.path = "/d/e/x",
                                    .client_name = "a",
                                    .client_machine = "127.0.0.1",
                                    .mode = 0644,
                                    .replication = 3,
                                    .block_bytes = BLOCK,
                                    .create = true,
                                    .create_folder = true};
    struct inode *n = NULL;
    assert_int_equal(IN_TXN(f, file_create(o, &f->root, &args, &n, ERR(f))), ERR_NOT_FOUND);
    mkdirs(f, "/d");
    assert_int_equal(IN_TXN(f, file_create(o, &f->root, &args, &n, ERR(f))), 0);
    args.path = "/d/e/y"; /* the folder is there */
    assert_int_equal(IN_TXN(f, file_create(o, &f->root, &args, &n, ERR(f))), 0);
    assert_true(look(f, "/d/e/y").is_open);
    args.path = "/d/g/x";
    args.create_folder = false;
    assert_int_equal(IN_TXN(f, file_create(o, &f->root, &args, &n, ERR(f))), ERR_NOT_FOUND);
}

static void test_soft_limit_lets_another_take_over(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(create(f, &f->root, "/x", "a", false, NULL), 0);
    f->now_ms += SOFT_MS + 1;
    assert_int_equal(create(f, &f->root, "/x", "b", false, NULL), ERR_EXISTS); /* closed, since nothing was written */
    assert_false(look(f, "/x").is_open);
}

static void test_add_block_again_and_wrongly(void **state)
{
    struct fixture *f = *state;
    uint64_t id;
    struct block_id_stamp b1, again, b2, wrong;
    nodes_up(f);
    assert_int_equal(create(f, &f->root, "/x", "a", false, &id), 0);
    assert_int_equal(add_block(f, "/x", id, "a", NULL, &b1), 0);
    assert_int_equal(add_block(f, "/x", id, "a", NULL, &again), 0);
    assert_int_equal(again.id, b1.id);
    assert_int_equal(add_block(f, "/x", id, "b", NULL, &again), ERR_LEASE_EXPIRED);
    assert_int_equal(add_block(f, "/nope", 0, "a", NULL, &again), ERR_NOT_FOUND);
    assert_int_equal(add_block(f, "/x", 424242, "a", NULL, &again), ERR_NOT_FOUND);
    b1.length_bytes = BLOCK;
    wrong = b1;
    wrong.stamp++;
    assert_int_equal(add_block(f, "/x", id, "a", &wrong, &again), ERR_IO);
    assert_int_equal(add_block(f, "/x", id, "a", &b1, &b2), 0);
    assert_int_equal(add_block(f, "/x", id, "a", &b1, &again), 0); /* the answer was lost */
    assert_int_equal(again.id, b2.id);
    assert_int_equal(look(f, "/x").blocks, 2);
    b2.length_bytes = 5;
    assert_int_equal(add_block(f, "/x", id, "a", &b2, &again), ERR_NOT_REPLICATED_YET); /* the first is not reported */
    received(f, 0, b1.id, b1.stamp, BLOCK);
    assert_int_equal(add_block(f, "/x", id, "a", &b2, &again), 0);
}

static void test_writing_goes_on_after_a_rename_but_not_after_a_delete(void **state)
{
    struct fixture *f = *state;
    uint64_t id;
    struct block_id_stamp b;
    bool done = false, closed = false;
    nodes_up(f);
    assert_int_equal(create(f, &f->root, "/d/x", "a", false, &id), 0);
    assert_int_equal(IN_TXN(f, tree_rename(t, &f->root, "/d", "/e", &done, ERR(f))), 0);
    assert_int_equal(add_block(f, "/d/x", id, "a", NULL, &b), 0);
    b.length_bytes = 10;
    received(f, 1, b.id, b.stamp, 10);
    assert_int_equal(complete(f, "/d/x", id, "a", &b, &closed), 0);
    assert_true(closed);
    assert_int_equal(look(f, "/e/x").length, 10);
    assert_int_equal(create(f, &f->root, "/e/y", "a", false, &id), 0);
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/e", true, &done, ERR(f))), 0);
    assert_int_equal(add_block(f, "/e/y", id, "a", NULL, &b), ERR_NOT_FOUND);
    reap_all(f);
    assert_int_equal(leases_file_count(f->nn.leases), 0);
    assert_int_equal(f->nn.dir->counters.blocks, 0);
}

static void test_complete_waits_for_a_replica(void **state)
{
    struct fixture *f = *state;
    uint64_t id;
    struct block_id_stamp b;
    bool closed = true;
    nodes_up(f);
    assert_int_equal(create(f, &f->root, "/x", "a", false, &id), 0);
    assert_int_equal(add_block(f, "/x", id, "a", NULL, &b), 0);
    b.length_bytes = 99;
    assert_int_equal(complete(f, "/x", id, "a", &b, &closed), 0);
    assert_false(closed);
    received(f, 2, b.id, b.stamp, 99);
    assert_int_equal(f->nn.dir->counters.complete_blocks, 1); /* by the core's news */
    assert_int_equal(complete(f, "/x", id, "a", &b, &closed), 0);
    assert_true(closed);
    closed = false;
    assert_int_equal(complete(f, "/x", id, "a", &b, &closed), 0); /* asked again: still true */
    assert_true(closed);
    b.stamp++;
    assert_int_equal(complete(f, "/x", id, "a", &b, &closed), ERR_LEASE_EXPIRED);
}

static void test_pipeline_repair(void **state)
{
    struct fixture *f = *state;
    uint64_t id, stamp = 0;
    struct block_id_stamp b, fresh;
    bool closed = false;
    struct inode *n;
    nodes_up(f);
    assert_int_equal(create(f, &f->root, "/x", "a", false, &id), 0);
    assert_int_equal(add_block(f, "/x", id, "a", NULL, &b), 0);
    assert_int_equal(IN_TXN(f, file_check_pipeline(o, "b", b.id, &n, ERR(f))), ERR_LEASE_EXPIRED);
    assert_int_equal(IN_TXN(f, file_new_stamp(o, &stamp, ERR(f))), 0);
    assert_true(stamp > b.stamp);
    fresh = (struct block_id_stamp){b.id, stamp, 7};
    const char *nodes[] = {"node-0"}, *storages[] = {"DS-0"};
    assert_int_equal(IN_TXN(f, file_update_pipeline(o, "a", &b, &b, nodes, storages, 1, ERR(f))), ERR_IO);
    fresh.length_bytes = UINT64_MAX; /* no block grows past its file's block size */
    assert_int_equal(IN_TXN(f, file_update_pipeline(o, "a", &b, &fresh, nodes, storages, 1, ERR(f))), ERR_IO);
    fresh.length_bytes = 7;
    assert_int_equal(IN_TXN(f, file_update_pipeline(o, "a", &b, &fresh, nodes, storages, 1, ERR(f))), 0);
    assert_int_equal(look(f, "/x").length, 7);
    fresh.length_bytes = 20;
    received(f, 0, b.id, stamp, 20);
    assert_int_equal(complete(f, "/x", id, "a", &fresh, &closed), 0);
    assert_true(closed);
}

static void test_abandon(void **state)
{
    struct fixture *f = *state;
    uint64_t id;
    struct block_id_stamp b, next;
    nodes_up(f);
    assert_int_equal(create(f, &f->root, "/x", "a", false, &id), 0);
    assert_int_equal(add_block(f, "/x", id, "a", NULL, &b), 0);
    struct file_ref ref = {"/x", id, "a"};
    assert_int_equal(IN_TXN(f, file_abandon_block(o, &f->root, &ref, b.id, ERR(f))), 0);
    assert_int_equal(IN_TXN(f, file_abandon_block(o, &f->root, &ref, b.id, ERR(f))), 0);
    assert_int_equal(f->nn.dir->counters.blocks, 0);
    assert_int_equal(add_block(f, "/x", id, "a", NULL, &next), 0);
    assert_int_not_equal(next.id, b.id);
}

static void test_append(void **state)
{
    struct fixture *f = *state;
    struct block_id_stamp b;
    bool closed = false, has_block = false;
    nodes_up(f);
    uint64_t id = file_of(f, "/x", BLOCK + 10);
    struct inode *n = NULL;
    struct file_block *last = NULL;
    assert_int_equal(IN_TXN(f, file_append(o, &f->root, "/nope", "a", "127.0.0.1", false, &n, &last, ERR(f))),
                     ERR_NOT_FOUND);
    assert_int_equal(IN_TXN(f, ({
                                int rc = file_append(o, &f->root, "/x", "a", "127.0.0.1", false, &n, &last, ERR(f));
                                has_block = last;
                                if (last)
                                    b = (struct block_id_stamp){last->id, last->stamp, last->length_bytes};
                                rc;
                            })),
                     0);
    assert_true(has_block);
    assert_int_equal(b.length_bytes, 10);
    assert_true(look(f, "/x").is_open);
    assert_int_equal(f->nn.dir->counters.complete_blocks, 1);
    assert_int_equal(IN_TXN(f, file_append(o, &f->root, "/x", "b", "127.0.0.1", false, &n, &last, ERR(f))),
                     ERR_ALREADY_BEING_CREATED);
    b.length_bytes = 50;
    for (int i = 0; i < NODES; i++)
        received(f, i, b.id, b.stamp, 50);
    assert_int_equal(complete(f, "/x", id, "a", &b, &closed), 0);
    assert_true(closed);
    assert_int_equal(look(f, "/x").length, BLOCK + 50);
}

static void test_append_at_a_block_end(void **state)
{
    struct fixture *f = *state;
    struct block_id_stamp b;
    bool has_block = true;
    nodes_up(f);
    uint64_t id = file_of(f, "/x", BLOCK);
    struct inode *n = NULL;
    struct file_block *last = NULL;
    assert_int_equal(IN_TXN(f, ({
                                int rc = file_append(o, &f->root, "/x", "a", "127.0.0.1", false, &n, &last, ERR(f));
                                has_block = last;
                                rc;
                            })),
                     0);
    assert_false(has_block);
    assert_int_equal(add_block(f, "/x", id, "a", NULL, &b), 0); /* previous may be left out here */
    assert_int_equal(look(f, "/x").blocks, 2);
}

static void test_truncate(void **state)
{
    struct fixture *f = *state;
    bool done = false;
    nodes_up(f);
    file_of(f, "/x", 3 * BLOCK);
    assert_int_equal(IN_TXN(f, file_truncate(o, &f->root, "/x", 4 * BLOCK, "a", "h", &done, ERR(f))),
                     ERR_HADOOP_ILLEGAL_ARGUMENT);
    assert_int_equal(IN_TXN(f, file_truncate(o, &f->root, "/x", 2 * BLOCK, "a", "h", &done, ERR(f))), 0);
    assert_true(done);
    assert_int_equal(look(f, "/x").length, 2 * BLOCK);
    assert_int_equal(f->nn.dir->counters.complete_blocks, 2);
    assert_int_equal(IN_TXN(f, file_truncate(o, &f->root, "/x", BLOCK + 100, "a", "h", &done, ERR(f))), 0);
    assert_false(done);
    assert_int_equal(IN_TXN(f, file_truncate(o, &f->root, "/x", BLOCK + 100, "a", "h", &done, ERR(f))), 0); /* again */
    assert_false(done);
    assert_int_equal(IN_TXN(f, file_truncate(o, &f->root, "/x", BLOCK + 99, "a", "h", &done, ERR(f))),
                     ERR_RECOVERY_IN_PROGRESS);
    assert_false(done); /* the datanodes have to cut their replicas first */
    assert_int_equal(look(f, "/x").length, 2 * BLOCK);
    assert_true(look(f, "/x").is_open);
    struct arena a;
    struct datanode_commands commands[NODES] = {0};
    arena_init(&a, 1 << 20);
    beat(f, commands, &a);
    const struct recovery_command *r = NULL;
    for (int i = 0; i < NODES; i++)
        if (commands[i].recovery_count)
            r = commands[i].recoveries;
    assert_non_null(r);
    assert_int_equal(r->truncate_bytes, 100);
    const char *nodes[] = {"node-0", "node-1", "node-2"}, *storages[] = {"DS-0", "DS-1", "DS-2"};
    struct block_recovery s = {.block_id = r->block_id,
                               .gen_stamp = r->gen_stamp,
                               .new_gen_stamp = r->recovery_id,
                               .new_bytes = 100,
                               .close_file = true,
                               .datanode_uuids = nodes,
                               .storage_uuids = storages,
                               .count = 3};
    struct block_recovery stale = s;
    stale.new_gen_stamp--;
    assert_int_equal(IN_TXN(f, file_block_recovered(o, &stale, ERR(f))), ERR_IO);
    assert_int_equal(IN_TXN(f, file_block_recovered(o, &s, ERR(f))), 0);
    assert_int_equal(IN_TXN(f, file_block_recovered(o, &s, ERR(f))), 0); /* told twice */
    arena_free(&a);
    assert_int_equal(look(f, "/x").length, BLOCK + 100);
    assert_false(look(f, "/x").is_open);
    assert_int_equal(f->nn.dir->counters.complete_blocks, 2);
}

static void test_concat(void **state)
{
    struct fixture *f = *state;
    nodes_up(f);
    file_of(f, "/d/a", BLOCK);
    file_of(f, "/d/b", 10);
    file_of(f, "/d/c", 2 * BLOCK);
    file_of(f, "/e", 10);
    char *twice[] = {"/d/b", "/d/b"}, *self[] = {"/d/a"}, *elsewhere[] = {"/e"}, *good[] = {"/d/b", "/d/c"},
         *missing[] = {"/d/z"}, *raw[] = {"/.reserved/raw/d/b"};
    assert_int_equal(IN_TXN(f, file_concat(o, &f->root, "/d/a", twice, 2, ERR(f))), ERR_HADOOP_ILLEGAL_ARGUMENT);
    assert_int_equal(IN_TXN(f, file_concat(o, &f->root, "/d/a", self, 1, ERR(f))), ERR_HADOOP_ILLEGAL_ARGUMENT);
    assert_int_equal(IN_TXN(f, file_concat(o, &f->root, "/d/a", elsewhere, 1, ERR(f))), ERR_HADOOP_ILLEGAL_ARGUMENT);
    assert_int_equal(IN_TXN(f, file_concat(o, &f->root, "/d/a", missing, 1, ERR(f))), ERR_NOT_FOUND);
    assert_int_equal(IN_TXN(f, file_concat(o, &f->root, "/d/a", good, 0, ERR(f))), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(IN_TXN(f, file_concat(o, &f->root, "/.reserved/raw/d/a", good, 2, ERR(f))), ERR_IO);
    assert_int_equal(IN_TXN(f, file_concat(o, &f->root, "/d/a", raw, 1, ERR(f))), ERR_IO);
    assert_int_equal(look(f, "/d").children, 3);
    assert_int_equal(IN_TXN(f, file_concat(o, &f->root, "/d/a", good, 2, ERR(f))), 0);
    assert_int_equal(look(f, "/d/a").length, 3 * BLOCK + 10);
    assert_int_equal(look(f, "/d/a").blocks, 4);
    assert_string_equal(names(f, "/d", ""), "a");
    assert_int_equal(f->nn.dir->counters.blocks, 5);
    assert_int_equal(f->nn.dir->counters.complete_blocks, 5);
}

/* A source goes, as if it were deleted: in a directory like /tmp only its owner may do that. */
static void test_concat_in_a_sticky_directory(void **state)
{
    struct fixture *f = *state;
    nodes_up(f);
    file_of(f, "/tmp/mine", BLOCK);
    file_of(f, "/tmp/his", 10);
    char *his[] = {"/tmp/his"};
    assert_int_equal(IN_TXN(f, tree_set_owner(t, &f->root, "/tmp/mine", "bob", "staff", ERR(f))), 0);
    assert_int_equal(IN_TXN(f, tree_set_owner(t, &f->root, "/tmp/his", "ann", "staff", ERR(f))), 0);
    assert_int_equal(IN_TXN(f, tree_set_permission(t, &f->root, "/tmp", 01777, ERR(f))), 0);
    assert_int_equal(IN_TXN(f, file_concat(o, &f->bob, "/tmp/mine", his, 1, ERR(f))), ERR_ACCESS);
    assert_true(look(f, "/tmp/his").exists);
    assert_int_equal(IN_TXN(f, tree_set_permission(t, &f->root, "/tmp", 0777, ERR(f))), 0);
    assert_int_equal(IN_TXN(f, file_concat(o, &f->bob, "/tmp/mine", his, 1, ERR(f))), 0);
}

static void test_set_replication(void **state)
{
    struct fixture *f = *state;
    struct inode *n = NULL;
    bool is_file = false;
    nodes_up(f);
    file_of(f, "/x", 10);
#define SETREP(path, count)                                                                                            \
    IN_TXN(f, ({                                                                                                       \
               int rc = tree_set_replication(t, &f->root, path, count, &n, ERR(f));                                    \
               is_file = n;                                                                                            \
               rc;                                                                                                     \
           }))
    assert_int_equal(SETREP("/x", 2), 0);
    assert_true(is_file);
    assert_int_equal(look(f, "/x").replication, 2);
    assert_int_equal(SETREP("/", 2), 0);
    assert_false(is_file);
    assert_int_equal(SETREP("/nope", 2), 0);
    assert_false(is_file);
    assert_int_equal(SETREP("/x", 513), ERR_IO);
    assert_int_equal(SETREP("/x", 0), ERR_IO);
#undef SETREP
}

static void test_open_files_are_known_after_a_restart(void **state)
{
    struct fixture *f = *state;
    uint64_t id;
    struct block_id_stamp b;
    bool closed = false;
    nodes_up(f);
    assert_int_equal(create(f, &f->root, "/x", "a", false, &id), 0);
    assert_int_equal(add_block(f, "/x", id, "a", NULL, &b), 0);
    file_of(f, "/closed", 10);
    fixture_reopen(f);
    nodes_up(f);
    assert_int_equal(leases_file_count(f->nn.leases), 1);
    assert_string_equal(leases_holder(f->nn.leases, id), "a");
    b.length_bytes = 77;
    received(f, 0, b.id, b.stamp, 77);
    assert_int_equal(complete(f, "/x", id, "a", &b, &closed), 0); /* the writer goes on as if nothing had happened */
    assert_true(closed);
    assert_int_equal(look(f, "/x").length, 77);
}

/* By client "a", who is gone then: a file with one block, of which the namenode has heard. */
static struct block_id_stamp written_and_left(struct fixture *f, int64_t length_bytes)
{
    uint64_t id;
    struct block_id_stamp b;
    nodes_up(f);
    assert_int_equal(create(f, &f->root, "/x", "a", false, &id), 0);
    assert_int_equal(add_block(f, "/x", id, "a", NULL, &b), 0);
    struct file_ref ref = {"/x", id, "a"};
    assert_int_equal(IN_TXN(f, file_fsync(o, &f->root, &ref, length_bytes, ERR(f))), 0);
    return b;
}

static void test_dead_writer(void **state)
{
    struct fixture *f = *state;
    bool closed = true;
    struct block_id_stamp b = written_and_left(f, 55);
    assert_int_equal(look(f, "/x").length, 55);
    assert_int_equal(IN_TXN(f, file_recover_lease(o, &f->root, "/x", "b", "h", &closed, ERR(f))), 0);
    assert_false(closed);
    assert_int_equal(add_block(f, "/x", look(f, "/x").id, "a", &b, &(struct block_id_stamp){0}),
                     ERR_LEASE_EXPIRED); /* the old writer is out */
    struct arena a;
    struct datanode_commands commands[NODES] = {0};
    arena_init(&a, 1 << 20);
    beat(f, commands, &a);
    const struct recovery_command *r = NULL;
    for (int i = 0; i < NODES; i++)
        if (commands[i].recovery_count)
            r = commands[i].recoveries;
    assert_non_null(r);
    assert_int_equal(r->block_id, b.id);
    const char *nodes[] = {"node-0", "node-1"}, *storages[] = {"DS-0", "DS-1"};
    struct block_recovery s = {.block_id = r->block_id,
                               .gen_stamp = r->gen_stamp,
                               .new_gen_stamp = r->recovery_id,
                               .new_bytes = 60,
                               .close_file = true,
                               .datanode_uuids = nodes,
                               .storage_uuids = storages,
                               .count = 2};
    assert_int_equal(IN_TXN(f, file_block_recovered(o, &s, ERR(f))), 0);
    arena_free(&a);
    assert_false(look(f, "/x").is_open);
    assert_int_equal(look(f, "/x").length, 60);
    assert_int_equal(leases_file_count(f->nn.leases), 0);
    assert_int_equal(IN_TXN(f, file_recover_lease(o, &f->root, "/x", "b", "h", &closed, ERR(f))), 0);
    assert_true(closed);
}

/* The answer to addBlock got lost with the namenode: who asks again gets the block, and places for it. */
static void test_add_block_again_after_a_restart(void **state)
{
    struct fixture *f = *state;
    uint64_t id;
    bool closed = false;
    struct block_id_stamp first, again, second, second_again;
    nodes_up(f);
    assert_int_equal(create(f, &f->root, "/x", "a", false, &id), 0);
    assert_int_equal(add_block(f, "/x", id, "a", NULL, &first), 0);
    fixture_reopen(f);
    nodes_up(f);
    assert_int_equal(add_block(f, "/x", id, "a", NULL, &again), 0);
    assert_int_equal(again.id, first.id);
    assert_int_equal(again.stamp, first.stamp);
    for (int i = 0; i < NODES; i++)
        received(f, i, first.id, first.stamp, 10);
    first.length_bytes = 10;
    assert_int_equal(add_block(f, "/x", id, "a", &first, &second), 0);
    fixture_reopen(f);
    nodes_up(f);
    assert_int_equal(add_block(f, "/x", id, "a", &first, &second_again), 0);
    assert_int_equal(second_again.id, second.id);
    for (int i = 0; i < NODES; i++) {
        received(f, i, first.id, first.stamp, 10);
        received(f, i, second.id, second.stamp, 20);
    }
    second.length_bytes = 20;
    assert_int_equal(complete(f, "/x", id, "a", &second, &closed), 0);
    assert_true(closed);
    assert_int_equal(look(f, "/x").length, 30);
}

/* As HDFS: what only memory may have is never changed later. */
static void test_lazy_persist_is_not_appended_to(void **state)
{
    struct fixture *f = *state;
    struct inode *n = NULL;
    struct file_block *b = NULL;
    bool done = false;
    nodes_up(f);
    file_of(f, "/lazy/x", 100);
    assert_int_equal(IN_TXN(f, tree_set_policy(t, &f->root, "/lazy", "LAZY_PERSIST", ERR(f))), 0);
    assert_int_equal(IN_TXN(f, file_append(o, &f->root, "/lazy/x", "a", "h", false, &n, &b, ERR(f))), ERR_UNSUPPORTED);
    assert_int_equal(IN_TXN(f, file_truncate(o, &f->root, "/lazy/x", 10, "a", "h", &done, ERR(f))), ERR_UNSUPPORTED);
    assert_int_equal(look(f, "/lazy/x").length, 100);
}

/* All three went down with the writer. What it had flushed is on their disks, and they may come back. */
static void test_dead_writer_of_dead_nodes(void **state)
{
    struct fixture *f = *state;
    bool closed = true;
    struct block_id_stamp b = written_and_left(f, -1); /* as a client's hflush does */
    f->now_ms += 3600 * 1000;
    while (blocks_tick(f->nn.blocks, f->now_ms))
        ;
    struct block_location l;
    assert_int_equal(blocks_locations(f->nn.blocks, b.id, NULL, &l, 1), 0);
    assert_int_equal(IN_TXN(f, file_recover_lease(o, &f->root, "/x", "b", "h", &closed, ERR(f))), 0);
    assert_false(closed);
    f->now_ms += 3600 * 1000;
    register_node(f, 1);
    struct replica_event e = {.kind = REPLICA_RECEIVING, .block_id = b.id, .gen_stamp = b.stamp, .bytes = 60};
    blocks_replica_event(f->nn.blocks, node_of(f, 1), "DS-1", 1, &e, f->now_ms);
    assert_int_equal(blocks_locations(f->nn.blocks, b.id, NULL, &l, 1), 1);
    assert_int_equal(IN_TXN(f, file_recover_lease(o, &f->root, "/x", "b", "h", &closed, ERR(f))), 0);
    assert_false(closed);
    assert_true(blocks_recovery_id(f->nn.blocks, b.id) > 0);
}

/* The namenode was started again with the writer gone, and is asked before any datanode has said what it has. */
static void test_dead_writer_before_the_first_report(void **state)
{
    struct fixture *f = *state;
    bool closed = true;
    struct block_id_stamp b = written_and_left(f, 55);
    fixture_reopen(f);
    f->nn.started_ms = f->now_ms;
    assert_int_equal(IN_TXN(f, file_recover_lease(o, &f->root, "/x", "b", "h", &closed, ERR(f))), 0);
    assert_false(closed);
    nodes_up(f);
    struct replica_event e = {.kind = REPLICA_RECEIVING, .block_id = b.id, .gen_stamp = b.stamp, .bytes = 60};
    blocks_replica_event(f->nn.blocks, node_of(f, 1), "DS-1", 1, &e, f->now_ms);
    assert_int_equal(IN_TXN(f, file_recover_lease(o, &f->root, "/x", "b", "h", &closed, ERR(f))), 0);
    assert_false(closed);
    struct arena a;
    struct datanode_commands commands[NODES] = {0};
    arena_init(&a, 1 << 20);
    beat(f, commands, &a);
    assert_int_equal(commands[1].recovery_count, 1);
    arena_free(&a);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_write_a_file),
        T(test_create_conflicts),
        T(test_create_makes_one_folder_and_no_more),
        T(test_soft_limit_lets_another_take_over),
        T(test_add_block_again_and_wrongly),
        T(test_writing_goes_on_after_a_rename_but_not_after_a_delete),
        T(test_complete_waits_for_a_replica),
        T(test_pipeline_repair),
        T(test_abandon),
        T(test_append),
        T(test_append_at_a_block_end),
        T(test_truncate),
        T(test_concat),
        T(test_concat_in_a_sticky_directory),
        T(test_set_replication),
        T(test_open_files_are_known_after_a_restart),
        T(test_dead_writer),
        T(test_add_block_again_after_a_restart),
        T(test_lazy_persist_is_not_appended_to),
        T(test_dead_writer_of_dead_nodes),
        T(test_dead_writer_before_the_first_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A client repeats a call because the namenode went away before it answered: after the restart it gets the first try's
 * answer, and nothing is done twice. */
#include "tests/unit/namenode/serve/one_call.h"

#include "cairn/posix.pb-c.h"
#include "hdfs/client_namenode.pb-c.h"
#include "namenode/blocks/datanode_events.h"
#include "namenode/namespace/history.h"
#include "namenode/namespace/snapshots.h"
#include "proto/message.h"

static void restart(struct fixture *f)
{
    fixture_close(f);
    fixture_open(f);
    blocks_safe_mode(f->nn.blocks, SAFE_MODE_FORCE_EXIT, f->now_ms);
}

/* A datanode that has it. */
static void replica_of(struct fixture *f, const struct file_block *b)
{
    struct arena a;
    struct datanode *node = NULL;
    struct datanode_commands commands;
    struct datanode_registration r = {
        .uuid = "node", .ip = "127.0.0.1", .hostname = "node", .software_version = "3.4.1", .xfer_port = 9866};
    struct storage_report s = {.uuid = "DS-1", .type = 1, .capacity_bytes = 1 << 30, .remaining_bytes = 1 << 30};
    struct heartbeat h = {.storages = &s, .storage_count = 1};
    struct replica_event e = {
        .kind = REPLICA_RECEIVED, .block_id = b->id, .gen_stamp = b->stamp, .bytes = b->length_bytes};
    arena_init(&a, 1 << 20);
    assert_int_equal(blocks_register(f->nn.blocks, &r, f->now_ms, &node, ERR(f)), 0);
    assert_int_equal(blocks_heartbeat(f->nn.blocks, node, &h, f->now_ms, &a, &commands, ERR(f)), 0);
    blocks_replica_event(f->nn.blocks, node, "DS-1", 1, &e, f->now_ms);
    arena_free(&a);
}

static void test_delete_and_rename(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf first = {0}, again = {0};
    Hdfs__DeleteRequestProto q = HDFS__DELETE_REQUEST_PROTO__INIT;
    Hdfs__RenameRequestProto r = HDFS__RENAME_REQUEST_PROTO__INIT;
    q.src = r.src = (char *)"/a";
    r.dst = (char *)"/b";
    blocks_safe_mode(f->nn.blocks, SAFE_MODE_FORCE_EXIT, f->now_ms);
    mkdirs(f, "/a");
    one_call(f, 7, "rename", &r.base, &first);
    restart(f);
    mkdirs(f, "/a"); /* somebody else's: must stay */
    one_call(f, 7, "rename", &r.base, &again);
    assert_int_equal(first.len, again.len);
    assert_memory_equal(first.base, again.base, first.len);
    one_call(f, 8, "delete", &q.base, &first);
    restart(f);
    mkdirs(f, "/a");
    one_call(f, 8, "delete", &q.base, &again);
    assert_memory_equal(first.base, again.base, first.len);
    one_call(f, 9, "delete", &q.base, &again); /* another call is another call */
    restart(f);
    one_call(f, 10, "delete", &q.base, &again);
    assert_memory_not_equal(first.base, again.base, first.len); /* false: it is gone */
}

static void test_create(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf first = {0}, again = {0};
    Hdfs__FsPermissionProto mode = HDFS__FS_PERMISSION_PROTO__INIT;
    Hdfs__CreateRequestProto q = HDFS__CREATE_REQUEST_PROTO__INIT;
    mode.perm = 0644;
    q.src = (char *)"/f";
    q.clientname = (char *)"writer";
    q.masked = &mode;
    q.createflag = HDFS__CREATE_FLAG_PROTO__CREATE;
    q.replication = 1;
    q.blocksize = 4096;
    blocks_safe_mode(f->nn.blocks, SAFE_MODE_FORCE_EXIT, f->now_ms);
    one_call(f, 3, "create", &q.base, &first);
    restart(f);
    one_call(f, 3, "create", &q.base, &again);
    assert_int_equal(first.len, again.len);
    assert_memory_equal(first.base, again.base, first.len);
    one_call(f, 4, "create", &q.base, &again); /* not a repetition: refused, since the file is there */
    assert_true(again.len > first.len);
}

static ProtobufCBinaryData bytes_of(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

static void test_inodes(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf first = {0}, again = {0};
    Cairn__MakeNodeRequestProto make = CAIRN__MAKE_NODE_REQUEST_PROTO__INIT;
    Cairn__RenameRequestProto rename = CAIRN__RENAME_REQUEST_PROTO__INIT;
    Cairn__UnlinkRequestProto unlink = CAIRN__UNLINK_REQUEST_PROTO__INIT;
    make.parent = rename.parent = rename.new_parent = unlink.parent = INODE_ROOT;
    make.name = rename.name = bytes_of("f");
    rename.new_name = unlink.name = bytes_of("g");
    make.mode = 0100644;
    make.owner = make.group = (char *)"ann";
    make.client_name = (char *)"writer";
    blocks_safe_mode(f->nn.blocks, SAFE_MODE_FORCE_EXIT, f->now_ms);
    one_call(f, 3, "makeNode", &make.base, &first);
    restart(f);
    one_call(f, 3, "makeNode", &make.base, &again);
    assert_int_equal(first.len, again.len);
    assert_memory_equal(first.base, again.base, first.len);
    uint64_t id = look(f, "/f").id;
    one_call(f, 4, "rename", &rename.base, &first);
    restart(f);
    mkdirs(f, "/f"); /* somebody else's: must stay, and what is at the other place, too */
    one_call(f, 4, "rename", &rename.base, &again);
    assert_int_equal(first.len, again.len); /* with the directory as it is by now */
    assert_int_equal(look(f, "/g").id, id);
    one_call(f, 5, "unlink", &unlink.base, &first);
    assert_false(look(f, "/g").exists);
    restart(f);
    make.name = bytes_of("g");
    one_call(f, 6, "makeNode", &make.base, &again);
    one_call(f, 5, "unlink", &unlink.base, &again);
    assert_true(look(f, "/g").exists);
}

/* The last block is told even if it is full or not to be used: the writer goes on from it. */
static void test_append(void **state, bool new_block)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf first = {0}, again = {0};
    struct inode *n = NULL;
    struct file_create_args args = {.path = "/f",
                                    .client_name = "writer",
                                    .client_machine = "127.0.0.1",
                                    .replication = 1,
                                    .block_bytes = 4096,
                                    .create = true,
                                    .create_parents = true};
    Hdfs__AppendRequestProto q = HDFS__APPEND_REQUEST_PROTO__INIT;
    q.src = (char *)"/f";
    q.clientname = (char *)"writer";
    q.has_flag = 1;
    q.flag = HDFS__CREATE_FLAG_PROTO__APPEND | (new_block ? HDFS__CREATE_FLAG_PROTO__NEW_BLOCK : 0);
    blocks_safe_mode(f->nn.blocks, SAFE_MODE_FORCE_EXIT, f->now_ms);
    assert_int_equal(IN_TXN(f, file_create(o, &f->root, &args, &n, ERR(f))), 0);
    uint64_t id = look(f, "/f").id;
    struct file_block block = {0};
    assert_int_equal(IN_TXN(f, ({
                                struct inode *file = NULL;
                                int rc = txn_inode(t, id, &file, ERR(f));
                                struct file_block *b = txn_add_block(t, file);
                                txn_set_block(t, file, b, b->stamp, 100, BLOCK_COMPLETE);
                                txn_close_file(t, file);
                                block = *b;
                                rc;
                            })),
                     0);
    replica_of(f, &block);
    one_call(f, 5, "append", &q.base, &first);
    restart(f);
    one_call(f, 5, "append", &q.base, &again);
    if (!new_block) { /* where the block is, datanodes have to say first */
        assert_non_null(memmem(again.base, again.len, "RetriableException", 18));
        replica_of(f, &block);
        one_call(f, 5, "append", &q.base, &again);
    }
    assert_int_equal(first.len, again.len);
    if (new_block) /* else there are times of the datanode in it */
        assert_memory_equal(first.base, again.base, first.len);
}

static void test_append_to_a_new_block(void **state)
{
    test_append(state, true);
}

static void test_append_in_the_last_block(void **state)
{
    test_append(state, false);
}

static void test_create_snapshot(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf first = {0}, again = {0};
    Hdfs__CreateSnapshotRequestProto q = HDFS__CREATE_SNAPSHOT_REQUEST_PROTO__INIT;
    blocks_safe_mode(f->nn.blocks, SAFE_MODE_FORCE_EXIT, f->now_ms);
    assert_int_equal(IN_TXN(f, snapshot_allow(t, "/", ERR(f))), 0);
    q.snapshotroot = (char *)"/";
    q.snapshotname = (char *)"s";
    one_call(f, 3, "createSnapshot", &q.base, &first);
    restart(f);
    one_call(f, 3, "createSnapshot", &q.base, &again);
    assert_int_equal(first.len, again.len);
    assert_memory_equal(first.base, again.base, first.len);
}

/* Its name is made of the time. */
static void test_create_snapshot_without_a_name(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_free) struct buf first = {0}, again = {0}, other = {0};
    Hdfs__CreateSnapshotRequestProto q = HDFS__CREATE_SNAPSHOT_REQUEST_PROTO__INIT;
    blocks_safe_mode(f->nn.blocks, SAFE_MODE_FORCE_EXIT, f->now_ms);
    assert_int_equal(IN_TXN(f, snapshot_allow(t, "/", ERR(f))), 0);
    q.snapshotroot = (char *)"/";
    for (int i = 0; i < 2; i++) {
        q.snapshotname = i ? (char *)"" : NULL;
        one_call(f, 3 + i, "createSnapshot", &q.base, &first);
        assert_non_null(memmem(first.base, first.len, "/.snapshot/s2", 13));
        restart(f);
        one_call(f, 3 + i, "createSnapshot", &q.base, &again);
        assert_int_equal(first.len, again.len);
        assert_memory_equal(first.base, again.base, first.len);
        assert_int_equal(history_snapshot_count(f->nn.dir), i + 1);
    }
    one_call(f, 9, "createSnapshot", &q.base, &other); /* not a repetition */
    assert_memory_not_equal(first.base, other.base, first.len);
    assert_int_equal(history_snapshot_count(f->nn.dir), 3);
}

static void test_the_ring_forgets_what_is_old(void **state)
{
    struct fixture *f = *state;
    uint64_t value = 0;
    struct retry_mark mark = {.call_id = 5, .value = 77};
    memcpy(mark.client_id, one_call_client, 16);
    struct store_batch *batch = store_batch_new();
    for (int i = 0; i < 10; i++) {
        mark.call_id = i;
        retry_ring_put(f->nn.dir->retries, batch, &mark, i < 5 ? 1000 : 1000 + RETRY_KEEP_MS + 1);
    }
    assert_int_equal(store_write(f->nn.store, batch, ERR(f)), 0);
    store_batch_free(batch);
    struct retry_ring *r = NULL;
    assert_int_equal(retry_ring_load(f->nn.store, 500, &r, ERR(f)), 0);
    assert_false(retry_ring_find(r, one_call_client, 4, 600, &value));
    assert_true(retry_ring_find(r, one_call_client, 5, 600, &value));
    assert_int_equal(value, 77);
    assert_false(retry_ring_find(r, one_call_client, 10, 600, &value));
    assert_true(retry_ring_has_any(r));
    assert_false(retry_ring_find(r, one_call_client, 5, 501 + RETRY_KEEP_MS, &value));
    assert_false(retry_ring_has_any(r));
    retry_ring_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_delete_and_rename, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_create, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_inodes, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_append_to_a_new_block, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_append_in_the_last_block, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_create_snapshot, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_create_snapshot_without_a_name, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_the_ring_forgets_what_is_old, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Three datanodes that do as they are told, and a client that writes files onto them. */
#ifndef CAIRN_TESTS_NAMESPACE_NODES_H
#define CAIRN_TESTS_NAMESPACE_NODES_H

#include "namenode/blocks/datanode_events.h"
#include "tests/unit/namenode/namespace/fixture.h"

#define BLOCK 4096
#define NODES 3

static inline struct datanode *register_node(struct fixture *f, int i)
{
    struct datanode *d = NULL;
    char uuid[32], ip[32];
    snprintf(uuid, sizeof uuid, "node-%d", i);
    snprintf(ip, sizeof ip, "127.0.0.%d", i + 1);
    struct datanode_registration r = {
        .uuid = uuid, .ip = ip, .hostname = ip, .software_version = "3.4.1", .xfer_port = 9866, .ipc_port = 9867};
    assert_int_equal(blocks_register(f->nn.blocks, &r, f->now_ms, &d, ERR(f)), 0);
    return d;
}

static inline struct datanode *node_of(struct fixture *f, int i)
{
    struct datanode *d = NULL;
    char uuid[32];
    snprintf(uuid, sizeof uuid, "node-%d", i);
    return blocks_datanode(f->nn.blocks, uuid, 9866, &d, NULL) ? register_node(f, i) : d;
}

static inline const char *storage_of(int i, char out[16])
{
    snprintf(out, 16, "DS-%d", i);
    return out;
}

static inline void beat(struct fixture *f, struct datanode_commands ret[NODES], struct arena *a)
{
    for (int i = 0; i < NODES; i++) {
        char storage[16];
        struct storage_report s = {
            .uuid = storage_of(i, storage), .type = 1, .capacity_bytes = 1ull << 40, .remaining_bytes = 1ull << 39};
        struct heartbeat h = {.storages = &s, .storage_count = 1};
        assert_int_equal(blocks_heartbeat(f->nn.blocks, node_of(f, i), &h, f->now_ms, a, &ret[i], ERR(f)), 0);
    }
}

static inline void nodes_up(struct fixture *f)
{
    struct arena a;
    struct datanode_commands commands[NODES];
    struct full_report report;
    char storage[16];
    arena_init(&a, 1 << 20);
    beat(f, commands, &a);
    for (int i = 0; i < NODES; i++) {
        assert_int_equal(
            blocks_report_begin(f->nn.blocks, node_of(f, i), storage_of(i, storage), 1, 0, f->now_ms, &report, ERR(f)),
            0);
        assert_int_equal(blocks_report_end(f->nn.blocks, &report, f->now_ms, ERR(f)), 0);
    }
    arena_free(&a);
    blocks_safe_mode(f->nn.blocks, SAFE_MODE_FORCE_EXIT, f->now_ms);
}

static inline void received(struct fixture *f, int node, uint64_t id, uint64_t stamp, uint64_t bytes)
{
    char storage[16];
    struct replica_event e = {.kind = REPLICA_RECEIVED, .block_id = id, .gen_stamp = stamp, .bytes = bytes};
    blocks_replica_event(f->nn.blocks, node_of(f, node), storage_of(node, storage), 1, &e, f->now_ms);
}

/* ---- what a client does ---- */

static inline int create(struct fixture *f, const struct fs_user *u, const char *path, const char *client,
                         bool overwrite, uint64_t *ret_id)
{
    struct file_create_args args = {.path = path,
                                    .client_name = client,
                                    .client_machine = "127.0.0.1",
                                    .mode = 0644,
                                    .replication = 3,
                                    .block_bytes = BLOCK,
                                    .create = true,
                                    .overwrite = overwrite,
                                    .create_parents = true};
    struct inode *n = NULL;
    int rc = IN_TXN(f, file_create(o, u, &args, &n, ERR(f)));
    if (ret_id)
        *ret_id = rc ? 0 : look(f, path).id;
    return rc;
}

static inline int add_block(struct fixture *f, const char *path, uint64_t id, const char *client,
                            const struct block_id_stamp *previous, struct block_id_stamp *ret)
{
    struct file_ref ref = {path, id, client};
    struct choose_args choose = {0};
    struct new_block made = {0};
    struct block_id_stamp got = {0};
    int rc = IN_TXN(f, ({
                        int inner = file_add_block(o, &f->root, &ref, previous, &choose, &made, ERR(f));
                        if (!inner)
                            got = (struct block_id_stamp){made.block->id, made.block->stamp, 0};
                        inner;
                    }));
    *ret = got;
    return rc;
}

static inline int complete(struct fixture *f, const char *path, uint64_t id, const char *client,
                           const struct block_id_stamp *last, bool *ret_closed)
{
    struct file_ref ref = {path, id, client};
    uint64_t inode = 0;
    return IN_TXN(f, file_complete(o, &f->root, &ref, last, 0, ret_closed, &inode, ERR(f)));
}

/* A closed file of this many bytes on all three nodes. */
static inline uint64_t file_of(struct fixture *f, const char *path, uint64_t bytes)
{
    uint64_t id = 0;
    struct block_id_stamp b, previous;
    bool closed = false, first = true;
    assert_int_equal(create(f, &f->root, path, "writer", false, &id), 0);
    for (uint64_t left = bytes; left; first = false) {
        assert_int_equal(add_block(f, path, id, "writer", first ? NULL : &previous, &b), 0);
        b.length_bytes = left < BLOCK ? left : BLOCK;
        left -= b.length_bytes;
        for (int i = 0; i < NODES; i++)
            received(f, i, b.id, b.stamp, b.length_bytes);
        previous = b;
    }
    assert_int_equal(complete(f, path, id, "writer", first ? NULL : &previous, &closed), 0);
    assert_true(closed);
    return id;
}

#endif

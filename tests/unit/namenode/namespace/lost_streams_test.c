/* How far a mount's stream came that others ended, and that what was missing is put in once. */
#include "namenode/namespace/edit_turns.h"
#include "namenode/namespace/files_edit.h"
#include "namenode/namespace/leases.h"
#include "namenode/namespace/lost_streams.h"
#include "namenode/namespace/sessions.h"
#include "tests/unit/namenode/namespace/nodes.h"

static uint64_t session_of(struct fixture *f, const char *name)
{
    uint64_t id = 0;
    assert_int_equal(IN_TXN(f, session_put_new(f->nn.sessions, t, name, &id, ERR(f))), 0);
    sessions_add(f->nn.sessions, id, name, f->now_ms);
    return id;
}

/* length_bytes: UINT64_MAX if nothing is known. */
static struct lost_stream lost_of(struct fixture *f, uint64_t file, uint64_t session)
{
    struct txn t;
    struct inode *n = NULL;
    txn_begin(&t, f->nn.dir, 0);
    assert_int_equal(txn_inode(&t, file, &n, ERR(f)), 0);
    const struct lost_stream *s = lost_stream_of(n, session);
    struct lost_stream ret = s ? *s : (struct lost_stream){0, UINT64_MAX, false};
    txn_end(&t);
    return ret;
}

static int append(struct fixture *f, const char *path, const char *client, struct block_id_stamp *ret)
{
    struct inode *n = NULL;
    struct file_block *b = NULL;
    return IN_TXN(f, ({
                      int rc = file_append(o, &f->root, path, client, "127.0.0.1", false, &n, &b, ERR(f));
                      if (!rc && ret && b)
                          *ret = (struct block_id_stamp){b->id, b->stamp, b->length_bytes};
                      rc;
                  }));
}

/* What it wrote is on the datanodes, and it has not said so. */
static void append_and_die(struct fixture *f, const char *path, const char *client)
{
    assert_int_equal(append(f, path, client, NULL), 0);
    leases_disconnected(f->nn.leases, client, true);
}

/* The datanodes are asked how much they have of the last block, and say that it is so long. */
static void recovered(struct fixture *f, uint64_t bytes)
{
    struct arena a;
    struct datanode_commands commands[NODES] = {0};
    const struct recovery_command *r = NULL;
    arena_init(&a, 1 << 20);
    beat(f, commands, &a);
    for (int i = 0; i < NODES; i++)
        r = commands[i].recovery_count ? commands[i].recoveries : r;
    assert_non_null(r);
    const char *nodes[] = {"node-0", "node-1"}, *storages[] = {"DS-0", "DS-1"};
    struct block_recovery s = {.block_id = r->block_id,
                               .gen_stamp = r->gen_stamp,
                               .new_gen_stamp = r->recovery_id,
                               .new_bytes = bytes,
                               .close_file = true,
                               .datanode_uuids = nodes,
                               .storage_uuids = storages,
                               .count = 2};
    assert_int_equal(IN_TXN(f, file_block_recovered(o, &s, ERR(f))), 0);
    arena_free(&a);
}

/* A hole is as good as a block. */
static int put_in(struct fixture *f, uint64_t file, uint64_t session, uint64_t stream, uint64_t index)
{
    const struct file_block hole = {ZERO_BLOCK_ID, ZERO_BLOCK_STAMP, 7, BLOCK_COMPLETE};
    const struct edit_span span = {.index = index, .new_blocks = &hole, .new_count = 1, .at_end = true};
    bool done = false;
    return IN_TXN(f, ({
                      struct edit e = {.session = session,
                                       .stream = stream,
                                       .spans = &span,
                                       .count = 1,
                                       .client_name = "mount-again",
                                       .client_ip = "127.0.0.1"};
                      int rc = txn_inode(t, file, &e.file, ERR(f));
                      rc ? rc : file_edit(o, &e, &done, ERR(f));
                  }));
}

static void test_what_others_ended_is_known_and_made_whole_once(void **state)
{
    struct fixture *f = *state;
    nodes_up(f);
    struct block_id_stamp last = {0};
    bool closed = false;
    uint64_t mount = session_of(f, "mount"), other = session_of(f, "other"), file = file_of(f, "/x", 10);
    append_and_die(f, "/x", "mount");
    assert_int_equal(append(f, "/x", "other", NULL), ERR_RECOVERY_IN_PROGRESS);
    assert_int_equal(lost_of(f, file, mount).length_bytes, UINT64_MAX); /* not yet */
    recovered(f, 30);
    assert_int_equal(lost_of(f, file, mount).length_bytes, 30);
    assert_int_equal(append(f, "/x", "other", NULL), ERR_RECOVERY_IN_PROGRESS); /* it may come at once */
    f->now_ms += EDIT_TURN_AWAY_MS;
    assert_int_equal(append(f, "/x", "other", &last), 0);
    last.length_bytes = 50;
    for (int i = 0; i < NODES; i++)
        received(f, i, last.id, last.stamp, 50);
    assert_int_equal(complete(f, "/x", file, "other", &last, &closed), 0);
    assert_true(closed);
    assert_int_equal(lost_of(f, file, other).length_bytes, UINT64_MAX);
    fixture_reopen(f);
    nodes_up(f);
    assert_int_equal(lost_of(f, file, mount).length_bytes, 30);
    assert_int_equal(put_in(f, file, mount, other, 1), ERR_STALE); /* it lacks nothing */
    assert_int_equal(put_in(f, file, mount, mount, 0), ERR_STALE); /* this is not the end */
    assert_false(lost_of(f, file, mount).is_saved);
    assert_int_equal(put_in(f, file, mount, mount, 1), 0);
    assert_int_equal(put_in(f, file, mount, mount, 2), ERR_STALE);
    fixture_reopen(f);
    nodes_up(f);
    assert_true(lost_of(f, file, mount).is_saved);
    assert_int_equal(look(f, "/x").length, 57);
    assert_int_equal(put_in(f, file, mount, 0, 2), 0); /* other edits are not concerned */
}

static void test_the_next_stream_is_a_new_one(void **state)
{
    struct fixture *f = *state;
    nodes_up(f);
    struct block_id_stamp last = {0};
    bool closed = false;
    uint64_t mount = session_of(f, "mount"), file = file_of(f, "/x", BLOCK);
    append_and_die(f, "/x", "mount"); /* without a block it is closed at once */
    session_set_name(sessions_find(f->nn.sessions, mount), "mount-again");
    assert_int_equal(IN_TXN(f, file_recover_lease(o, &f->root, "/x", "b", "h", &closed, ERR(f))), 0);
    assert_true(closed);
    assert_int_equal(lost_of(f, file, mount).length_bytes, BLOCK);
    assert_int_equal(append(f, "/x", "mount-again", NULL), 0);
    assert_int_equal(lost_of(f, file, mount).length_bytes, UINT64_MAX);
    assert_int_equal(add_block(f, "/x", file, "mount-again", NULL, &last), 0);
    for (int i = 0; i < NODES; i++)
        received(f, i, last.id, last.stamp, 5);
    last.length_bytes = 5;
    assert_int_equal(complete(f, "/x", file, "mount-again", &last, &closed), 0);
    assert_true(closed);
    assert_int_equal(lost_of(f, file, mount).length_bytes, UINT64_MAX); /* ended as it is to be */
}

/* What is missing comes before what others append, if it comes soon; nobody waits for what is not missing. */
static void test_others_wait_for_what_is_missing(void **state)
{
    struct fixture *f = *state;
    nodes_up(f);
    uint64_t mount = session_of(f, "mount"), file = file_of(f, "/x", BLOCK);
    bool closed = false, done = false;
    writers_seen(f->nn.writers, "mount-again", 1);
    for (uint64_t end = BLOCK; end <= BLOCK + 7; end += 7) {
        session_set_name(sessions_find(f->nn.sessions, mount), "mount");
        append_and_die(f, "/x", "mount");
        session_set_name(sessions_find(f->nn.sessions, mount), "mount-again");
        assert_int_equal(IN_TXN(f, file_recover_lease(o, &f->root, "/x", "b", "h", &closed, ERR(f))), 0);
        assert_int_equal(append(f, "/x", "other", NULL), ERR_RECOVERY_IN_PROGRESS);
        assert_int_equal(IN_TXN(f, ({
                                    struct edit e = {.session = mount,
                                                     .stream = mount,
                                                     .stream_end = end,
                                                     .client_name = "mount-again",
                                                     .client_ip = "127.0.0.1"};
                                    int rc = txn_inode(t, file, &e.file, ERR(f));
                                    rc ? rc : file_edit(o, &e, &done, ERR(f));
                                })),
                         0);
        if (end > BLOCK) {
            f->now_ms += EDIT_TURN_MS - 1;
            assert_int_equal(append(f, "/x", "other", NULL), ERR_RECOVERY_IN_PROGRESS);
            assert_int_equal(put_in(f, file, mount, mount, 1), 0);
        }
        assert_int_equal(append(f, "/x", "other", NULL), 0);
        assert_int_equal(complete(f, "/x", file, "other", NULL, &closed), 0);
    }
}

static void test_only_mounts_come_back(void **state)
{
    struct fixture *f = *state;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", 10);
    append_and_die(f, "/x", "any client");
    assert_int_equal(append(f, "/x", "other", NULL), ERR_RECOVERY_IN_PROGRESS);
    recovered(f, 30);
    assert_int_equal(lost_of(f, file, 0).length_bytes, UINT64_MAX);
}

static void test_of_many_the_oldest_are_forgotten(void **state)
{
    struct fixture *f = *state;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", BLOCK), sessions[LOST_STREAMS_MAX + 2];
    for (size_t i = 0; i < ARRAY_COUNT(sessions); i++) {
        char name[32];
        bool closed = false;
        snprintf(name, sizeof name, "mount-%zu", i);
        sessions[i] = session_of(f, name);
        append_and_die(f, "/x", name);
        assert_int_equal(IN_TXN(f, file_recover_lease(o, &f->root, "/x", "b", "h", &closed, ERR(f))), 0);
        f->now_ms += EDIT_TURN_AWAY_MS;
    }
    for (size_t i = 0; i < ARRAY_COUNT(sessions); i++)
        assert_int_equal(lost_of(f, file, sessions[i]).length_bytes, i < 2 ? UINT64_MAX : BLOCK);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(test_what_others_ended_is_known_and_made_whole_once),
        T(test_the_next_stream_is_a_new_one),
        T(test_others_wait_for_what_is_missing),
        T(test_only_mounts_come_back),
        T(test_of_many_the_oldest_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

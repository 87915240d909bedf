/* Editing files in place: new blocks, the swap, holes, and what becomes of the blocks that were replaced. */
#include <errno.h>

#include "namenode/namespace/files_edit.h"
#include "namenode/namespace/leases.h"
#include "namenode/namespace/quota.h"
#include "namenode/namespace/snapshots.h"
#include "tests/unit/namenode/namespace/nodes.h"

#define SESSION 7
#define HOLE(bytes)                                                                                                    \
    (struct file_block)                                                                                                \
    {                                                                                                                  \
        ZERO_BLOCK_ID, ZERO_BLOCK_STAMP, bytes, BLOCK_COMPLETE                                                         \
    }

/* ---- what a mount does ---- */

static int new_blocks_like(struct fixture *f, uint64_t file, const uint64_t *lengths, const uint64_t *like,
                           size_t count, struct file_block *ret, size_t *ret_places)
{
    struct new_block *made = NULL;
    return IN_TXN(f, ({
                      struct inode *n = NULL;
                      int rc = txn_inode(t, file, &n, ERR(f));
                      struct new_blocks_args args = {.file = n,
                                                     .session = SESSION,
                                                     .client_name = "mount",
                                                     .client_ip = "127.0.0.1",
                                                     .lengths = lengths,
                                                     .like = like,
                                                     .count = count};
                      rc = rc ? rc : file_new_blocks(o, &args, &made, ERR(f));
                      for (size_t i = 0; !rc && i < count; i++) {
                          ret[i] = *made[i].block;
                          if (ret_places)
                              ret_places[i] = made[i].target_count;
                      }
                      rc;
                  }));
}

static int new_blocks(struct fixture *f, uint64_t file, const uint64_t *lengths, size_t count, struct file_block *ret)
{
    return new_blocks_like(f, file, lengths, NULL, count, ret, NULL);
}

static struct file_block new_block(struct fixture *f, uint64_t file, uint64_t bytes)
{
    struct file_block b = {0};
    assert_int_equal(new_blocks(f, file, &bytes, 1, &b), 0);
    b.length_bytes = bytes;
    return b;
}

static struct file_block written_block(struct fixture *f, uint64_t file, uint64_t bytes)
{
    struct file_block b = new_block(f, file, bytes);
    for (int i = 0; i < NODES; i++)
        received(f, i, b.id, b.stamp, bytes);
    return b;
}

static int edit(struct fixture *f, uint64_t file, const struct edit_span *spans, size_t count, bool *ret_done)
{
    return IN_TXN(
        f, ({
            struct edit e = {
                .session = SESSION, .spans = spans, .count = count, .client_name = "mount", .client_ip = "127.0.0.1"};
            int rc = txn_inode(t, file, &e.file, ERR(f));
            rc ? rc : file_edit(o, &e, ret_done, ERR(f));
        }));
}

static struct file_block *list_of(struct fixture *f, uint64_t file, size_t *ret_count)
{
    static struct file_block list[200];
    struct txn t;
    struct inode *n = NULL;
    txn_begin(&t, f->nn.dir, 0);
    assert_int_equal(txn_inode(&t, file, &n, ERR(f)), 0);
    *ret_count = n->block_count;
    assert_true(n->block_count <= ARRAY_COUNT(list));
    if (n->block_count)
        memcpy(list, n->blocks, n->block_count * sizeof *list);
    txn_end(&t);
    return list;
}

/* Replaces the run of `gone` pieces from `index` on. */
static int replace(struct fixture *f, uint64_t file, uint64_t index, size_t gone, const struct file_block *by,
                   size_t count)
{
    size_t all;
    bool done = false;
    const struct file_block *list = list_of(f, file, &all);
    struct edit_span s = {index, list + index, by, gone, count};
    int rc = edit(f, file, &s, 1, &done);
    return rc ? rc : done ? 0 : ERR_NOT_REPLICATED_YET;
}

static bool is_known(struct fixture *f, uint64_t block)
{
    struct txn t;
    struct block_record b;
    txn_begin(&t, f->nn.dir, 0);
    int rc = txn_block(&t, block, &b, ERR(f));
    txn_end(&t);
    assert_true(!rc || rc == ERR_NOT_FOUND);
    return !rc;
}

/* Is any datanode told to delete it? */
static bool is_deleted_somewhere(struct fixture *f, uint64_t block)
{
    struct arena a;
    struct datanode_commands commands[NODES];
    bool found = false;
    arena_init(&a, 1 << 20);
    beat(f, commands, &a);
    for (int i = 0; i < NODES; i++)
        for (size_t k = 0; k < commands[i].invalidate_count; k++)
            found |= commands[i].invalidates[k].block_id == block;
    arena_free(&a);
    return found;
}

static void graces_end(struct fixture *f)
{
    bool more = true;
    f->now_ms += GRACE_MS;
    while (more)
        assert_int_equal(graves_step(&f->nn, f->now_ms, &more, ERR(f)), 0);
}

static bool everybody_lives(struct namenode *nn, uint64_t session)
{
    (void)nn, (void)session;
    return true;
}
static bool session_is_over(struct namenode *nn, uint64_t session)
{
    (void)nn;
    return session != SESSION;
}

/* ---- the swap ---- */

static void test_a_block_in_the_middle_is_swapped(void **state)
{
    struct fixture *f = *state;
    size_t count;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", 3 * BLOCK), blocks = f->nn.dir->counters.blocks;
    uint64_t old = list_of(f, file, &count)[1].id;
    struct file_block fresh[2] = {written_block(f, file, 100), written_block(f, file, 50)};
    assert_false(is_known(f, fresh[0].id)); /* of no file yet */
    assert_int_equal(f->nn.dir->counters.blocks, blocks);
    assert_int_equal(replace(f, file, 1, 1, fresh, 2), 0);
    const struct file_block *list = list_of(f, file, &count);
    assert_int_equal(count, 4);
    assert_int_equal(list[1].id, fresh[0].id);
    assert_int_equal(list[2].id, fresh[1].id);
    assert_int_equal(list[2].length_bytes, 50);
    assert_int_equal(look(f, "/x").length, 2 * BLOCK + 150);
    assert_true(is_known(f, fresh[1].id));
    assert_int_equal(blocks_live_replicas(f->nn.blocks, fresh[1].id), 3);
    /* The old one is there for who reads it, for a while. */
    assert_true(is_known(f, old));
    assert_false(is_deleted_somewhere(f, old));
    f->now_ms += GRACE_MS - 1;
    bool more;
    assert_int_equal(graves_step(&f->nn, f->now_ms, &more, ERR(f)), 0);
    assert_true(is_known(f, old));
    graces_end(f);
    assert_false(is_known(f, old));
    assert_true(is_deleted_somewhere(f, old));
    assert_int_equal(f->nn.dir->counters.blocks, 4);
    assert_int_equal(f->nn.dir->counters.complete_blocks, 4);
}

static void test_an_edit_needs_no_reports_of_what_was_acknowledged(void **state)
{
    struct fixture *f = *state;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", BLOCK);
    struct file_block fresh[2] = {written_block(f, file, 10), new_block(f, file, 20)};
    assert_int_equal(replace(f, file, 1, 0, fresh, 2), 0);
    assert_int_equal(look(f, "/x").length, BLOCK + 30);
    assert_int_equal(blocks_live_replicas(f->nn.blocks, fresh[1].id), 3);
    received(f, 1, fresh[1].id, fresh[1].stamp, 19); /* of another length than the mount said */
    assert_int_equal(blocks_live_replicas(f->nn.blocks, fresh[1].id), 2);
}

static void test_an_edit_waits_for_a_replica_of_each_new_block(void **state)
{
    struct fixture *f = *state;
    size_t count;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", BLOCK);
    struct file_block fresh[2] = {written_block(f, file, 10), new_block(f, file, 20)};
    for (int i = 0; i < NODES; i++)
        received(f, i, fresh[1].id, fresh[1].stamp, 19); /* of another length than the mount says */
    assert_int_equal(replace(f, file, 1, 0, fresh, 2), ERR_NOT_REPLICATED_YET);
    assert_int_equal((list_of(f, file, &count), count), 1);
    received(f, 2, fresh[1].id, fresh[1].stamp, 20);
    fresh[1].length_bytes = 19; /* it was said once */
    assert_int_equal(replace(f, file, 1, 0, fresh, 2), ERR_ILLEGAL_ARGUMENT);
    fresh[1].length_bytes = 20;
    assert_int_equal(replace(f, file, 1, 0, fresh, 2), 0);
    assert_int_equal(look(f, "/x").length, BLOCK + 30);
    /* They are not the session's any more. */
    detached_drop_dead(&f->nn, session_is_over);
    assert_true(is_known(f, fresh[1].id));
    assert_int_equal(replace(f, file, 0, 0, fresh, 1), ERR_REPLICA_NOT_FOUND);
}

static void test_several_spans_are_one_change(void **state)
{
    struct fixture *f = *state;
    size_t count;
    bool done = false;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", 5 * BLOCK);
    struct file_block old[5], fresh[2] = {written_block(f, file, 1), written_block(f, file, 2)};
    memcpy(old, list_of(f, file, &count), sizeof old);
    struct edit_span spans[] = {{0, old, fresh, 2, 1}, {2, old + 2, NULL, 1, 0}, {4, old + 4, fresh + 1, 1, 1}};
    struct edit_span reversed[] = {spans[2], spans[0]}, overlapping[] = {spans[0], {1, old + 1, NULL, 1, 0}};
    assert_int_equal(edit(f, file, reversed, 2, &done), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(edit(f, file, overlapping, 2, &done), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(edit(f, file, spans, 3, &done), 0);
    assert_true(done);
    const struct file_block *list = list_of(f, file, &count);
    assert_int_equal(count, 3);
    assert_int_equal(list[0].id, fresh[0].id);
    assert_int_equal(list[1].id, old[3].id);
    assert_int_equal(list[2].id, fresh[1].id);
    assert_int_equal(edit(f, file, spans, 3, &done), ERR_STALE); /* the first one was first */
    graces_end(f);
    assert_int_equal(f->nn.dir->counters.blocks, 3);
}

/* Holes have no names: what another writer put in front of one, or behind the end, only offsets show. */
static void test_a_span_is_where_it_was_seen(void **state)
{
    struct fixture *f = *state;
    size_t count;
    bool done = false;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", 0);
    struct file_block seen[3] = {HOLE(10), HOLE(20), HOLE(10)}, before[2] = {HOLE(10), HOLE(25)};
    assert_int_equal(replace(f, file, 0, 0, seen, 3), 0);
    struct file_block fresh = written_block(f, file, 10);
    struct edit_span last = {2, seen + 2, &fresh, 1, 1, .has_start = true, .start = 30},
                     behind = {3, NULL, &fresh, 0, 1, .at_end = true, .has_start = true, .start = 40};
    assert_int_equal(replace(f, file, 0, 0, before, 2), 0); /* by another writer */
    assert_int_equal(edit(f, file, &last, 1, &done), ERR_STALE);
    assert_int_equal(edit(f, file, &behind, 1, &done), ERR_STALE);
    behind.start = 45; /* it is there, but not the end */
    assert_int_equal(edit(f, file, &behind, 1, &done), ERR_STALE);
    last.index = 4;
    last.start = 65;
    last.at_end = true;
    assert_int_equal(edit(f, file, &last, 1, &done), 0);
    assert_true(done);
    const struct file_block *list = list_of(f, file, &count);
    assert_int_equal(count, 5);
    assert_int_equal(list[4].id, fresh.id);
}

static void test_what_is_refused(void **state)
{
    struct fixture *f = *state;
    size_t count;
    bool done = false;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", 2 * BLOCK), other = file_of(f, "/y", BLOCK), id;
    struct file_block old[2], fresh = written_block(f, file, 10), twice[2] = {fresh, fresh}, none = HOLE(0);
    memcpy(old, list_of(f, file, &count), sizeof old);
    assert_int_equal(replace(f, other, 0, 1, &fresh, 1), ERR_REPLICA_NOT_FOUND); /* made for another file */
    assert_int_equal(replace(f, file, 0, 1, twice, 2), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(replace(f, file, 0, 1, &none, 1), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(replace(f, file, 0, 1, &old[1], 1), ERR_REPLICA_NOT_FOUND); /* not a new one */
    struct file_block wrong = fresh;
    wrong.stamp++;
    assert_int_equal(replace(f, file, 0, 1, &wrong, 1), ERR_ILLEGAL_ARGUMENT);
    struct edit_span past = {3, NULL, &fresh, 0, 1}, too_many = {1, old + 1, NULL, 1, 0},
                     too_far = {UINT64_MAX, NULL, &fresh, 0, 1};
    too_many.old_count = SIZE_MAX;
    assert_int_equal(edit(f, file, &past, 1, &done), ERR_STALE);
    assert_int_equal(edit(f, file, &too_many, 1, &done), ERR_STALE);
    assert_int_equal(edit(f, file, &too_far, 1, &done), ERR_STALE);
    struct file_block holes[2] = {HOLE(INT64_MAX), HOLE(1)};
    assert_int_equal(replace(f, file, 0, 2, holes, 2), ERR_TOO_LARGE);
    assert_int_equal(err_to_errno(f->err.code), EFBIG);
    uint64_t too_long = BLOCK + 1, zero = 0;
    assert_int_equal(new_blocks(f, file, &too_long, 1, &fresh), ERR_ILLEGAL_ARGUMENT);
    assert_int_equal(new_blocks(f, file, &zero, 1, &fresh), ERR_ILLEGAL_ARGUMENT);
    /* Somebody writes as HDFS clients do. */
    assert_int_equal(create(f, &f->root, "/open", "writer", false, &id), 0);
    fresh = written_block(f, id, 10);
    assert_int_equal(replace(f, id, 0, 0, &fresh, 1), ERR_ALREADY_BEING_CREATED);
    assert_int_equal((list_of(f, file, &count), count), 2);
}

static void test_an_edit_ends_a_writer_that_is_gone(void **state)
{
    struct fixture *f = *state;
    bool done = false;
    uint64_t theirs, own;
    nodes_up(f);
    assert_int_equal(create(f, &f->root, "/theirs", "writer", false, &theirs), 0);
    assert_int_equal(create(f, &f->root, "/own", "mount", false, &own), 0);
    assert_int_equal(edit(f, theirs, NULL, 0, &done), ERR_ALREADY_BEING_CREATED);
    struct file_block fresh = written_block(f, theirs, 10), fresh_own = written_block(f, own, 10);
    assert_int_equal(replace(f, own, 0, 0, &fresh_own, 1), ERR_ALREADY_BEING_CREATED); /* it may be alive and well */
    assert_int_equal(edit(f, own, NULL, 0, &done), 0);
    assert_true(done);
    assert_int_equal(replace(f, own, 0, 0, &fresh_own, 1), 0);
    leases_disconnected(f->nn.leases, "writer", true);
    assert_int_equal(replace(f, theirs, 0, 0, &fresh, 1), 0);
    assert_int_equal(leases_file_count(f->nn.leases), 0);
}

/* ---- blocks that belong to no file yet ---- */

/* As many as have the other one, as far as the file wants them. */
static void test_new_blocks_are_where_those_are_that_they_are_like(void **state)
{
    struct fixture *f = *state;
    bool done = false;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", BLOCK), target = file_of(f, "/y", BLOCK), lengths[] = {10, 20};
    struct file_block one = new_block(f, file, 10), three = written_block(f, file, 20), made[2];
    for (int i = 0; i < NODES; i++)
        received(f, i, one.id, one.stamp, i == 1 ? 10 : 9); /* .. the others not as the mount says */
    struct file_block both[] = {one, three};
    struct edit_span span = {1, NULL, both, 0, 2};
    assert_int_equal(edit(f, file, &span, 1, &done), 0);
    assert_true(done);
    uint64_t like[] = {one.id, three.id};
    size_t places[2];
    assert_int_equal(new_blocks_like(f, target, lengths, like, 2, made, places), 0);
    assert_int_equal(places[0], 1);
    assert_int_equal(places[1], 3);
    struct block_location l;
    assert_int_equal(blocks_locations(f->nn.blocks, made[0].id, NULL, &l, 1), 1);
    assert_string_equal(l.node->uuid, "node-1");
    uint64_t unknown[] = {three.id, 4242};
    size_t before = detached_count(f->nn.detached, SESSION);
    assert_int_equal(new_blocks_like(f, target, lengths, unknown, 2, made, NULL), ERR_IO);
    assert_int_equal(detached_count(f->nn.detached, SESSION), before);
}

static void test_new_blocks_go_with_their_session_and_with_the_namenode(void **state)
{
    struct fixture *f = *state;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", BLOCK), next = f->nn.dir->counters.next_block;
    struct file_block a = written_block(f, file, 10), b = new_block(f, file, 10), c = new_block(f, file, 10);
    assert_int_equal(detached_count(f->nn.detached, SESSION), 3);
    detached_drop(&f->nn, a.id);
    assert_true(is_deleted_somewhere(f, a.id));
    detached_drop_dead(&f->nn, everybody_lives);
    assert_int_equal(detached_count(f->nn.detached, SESSION), 2);
    detached_drop_dead(&f->nn, session_is_over);
    assert_int_equal(detached_count(f->nn.detached, SESSION), 0);
    assert_true(is_deleted_somewhere(f, b.id)); /* where it was to be written */
    struct blocks_stats stats;
    blocks_stats(f->nn.blocks, &stats);
    assert_int_equal(stats.under_construction, 0);
    received(f, 0, c.id, c.stamp, 10); /* it was written nevertheless */
    assert_true(is_deleted_somewhere(f, c.id));
    /* Numbers are given out once. */
    struct file_block d = new_block(f, file, 10);
    assert_int_equal(d.id, next + 3);
    fixture_reopen(f);
    nodes_up(f);
    assert_int_equal(new_block(f, file, 10).id, next + 4);
    received(f, 0, d.id, d.stamp, 10);
    assert_true(is_deleted_somewhere(f, d.id));
    assert_int_equal(replace(f, file, 0, 1, &d, 1), ERR_REPLICA_NOT_FOUND);
}

static void test_a_pipeline_of_a_new_block_is_repaired(void **state)
{
    struct fixture *f = *state;
    struct inode *n = NULL;
    uint64_t stamp = 0;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", BLOCK);
    struct file_block b = new_block(f, file, 100);
    assert_int_equal(IN_TXN(f, file_check_pipeline(o, "mount", b.id, &n, ERR(f))), 0);
    assert_int_equal(IN_TXN(f, file_check_pipeline(o, "another", b.id, &n, ERR(f))), ERR_LEASE_EXPIRED);
    assert_int_equal(IN_TXN(f, file_new_stamp(o, &stamp, ERR(f))), 0);
    struct block_id_stamp was = {b.id, b.stamp, 0}, is = {b.id, stamp, 40}, never = {b.id, stamp + 9, 40};
    const char *nodes[] = {"node-0", "node-2"}, *storages[] = {"DS-0", "DS-2"};
    assert_int_equal(IN_TXN(f, file_update_pipeline(o, "mount", &was, &never, nodes, storages, 2, ERR(f))), ERR_IO);
    assert_int_equal(IN_TXN(f, file_update_pipeline(o, "mount", &was, &is, nodes, storages, 2, ERR(f))), 0);
    received(f, 1, b.id, b.stamp, 100); /* who was left out of it */
    received(f, 0, b.id, stamp, 99);
    received(f, 2, b.id, stamp, 99);
    struct file_block old = b, now = {b.id, stamp, 100, BLOCK_COMPLETE};
    assert_int_equal(replace(f, file, 0, 1, &old, 1), ERR_ILLEGAL_ARGUMENT);
    now.length_bytes = 39;
    assert_int_equal(replace(f, file, 0, 1, &now, 1), ERR_ILLEGAL_ARGUMENT);
    now.length_bytes = 100;
    assert_int_equal(replace(f, file, 0, 1, &now, 1), ERR_NOT_REPLICATED_YET);
    assert_int_equal(IN_TXN(f, file_check_pipeline(o, "mount", b.id, &n, ERR(f))), ERR_IO); /* its end was named */
    received(f, 2, b.id, stamp, 100);
    assert_int_equal(replace(f, file, 0, 1, &now, 1), 0);
    assert_int_equal(look(f, "/x").length, 100);
    assert_int_equal(blocks_live_replicas(f->nn.blocks, b.id), 1);
}

static void test_replication_that_changes_meanwhile_counts(void **state)
{
    struct fixture *f = *state;
    struct inode *n = NULL;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", BLOCK);
    struct file_block b = written_block(f, file, 100);
    assert_int_equal(IN_TXN(f, tree_set_replication(t, &f->root, "/x", 1, &n, ERR(f))), 0);
    assert_int_equal(replace(f, file, 0, 1, &b, 1), 0);
    struct block_health h;
    blocks_health(f->nn.blocks, b.id, &h);
    assert_int_equal(h.expected, 1);
    assert_int_equal(h.live + h.excess, 3);
    assert_int_equal(h.excess, 2);
}

/* ---- holes ---- */

static void test_holes_cost_nothing_and_survive_everything(void **state)
{
    struct fixture *f = *state;
    struct inode *n = NULL;
    size_t count;
    bool done = false;
    nodes_up(f);
    mkdirs(f, "/d");
    assert_int_equal(IN_TXN(f, tree_set_quota(t, &f->root, "/d", QUOTA_LEAVE, 2 * 3 * BLOCK, 0, ERR(f))), 0);
    uint64_t file = file_of(f, "/d/x", 2 * BLOCK);
    struct file_block holes[2] = {HOLE(1ull << 40), HOLE(1ull << 50)};
    assert_int_equal(replace(f, file, 1, 0, holes, 1), 0);
    assert_int_equal(replace(f, file, 3, 0, holes + 1, 1), 0);
    fixture_reopen(f);
    nodes_up(f);
    assert_int_equal(look(f, "/d/x").length, 2 * BLOCK + (1ull << 40) + (1ull << 50));
    assert_int_equal(f->nn.dir->counters.blocks, 2);
    assert_int_equal(f->nn.dir->counters.complete_blocks, 2);
    assert_false(is_known(f, ZERO_BLOCK_ID));
    assert_int_equal(IN_TXN(f, tree_set_replication(t, &f->root, "/d/x", 2, &n, ERR(f))), 0);
    assert_false(is_known(f, ZERO_BLOCK_ID));
    /* Cut inside a hole, at its boundary. */
    assert_int_equal(
        IN_TXN(f, file_truncate(o, &f->root, "/d/x", 2 * BLOCK + (1ull << 40) + 5, "a", "h", &done, ERR(f))), 0);
    assert_true(done);
    assert_int_equal(look(f, "/d/x").length, 2 * BLOCK + (1ull << 40) + 5);
    assert_int_equal(list_of(f, file, &count)[3].length_bytes, 5);
    assert_int_equal(IN_TXN(f, file_truncate(o, &f->root, "/d/x", BLOCK + (1ull << 40), "a", "h", &done, ERR(f))), 0);
    assert_true(done);
    assert_int_equal((list_of(f, file, &count), count), 2);
    assert_int_equal(f->nn.dir->counters.blocks, 1);
    bool deleted = false;
    assert_int_equal(IN_TXN(f, tree_delete(t, &f->root, "/d/x", false, &deleted, ERR(f))), 0);
    assert_int_equal(f->nn.dir->counters.blocks, 0);
    assert_int_equal(f->nn.dir->counters.complete_blocks, 0);
}

static void test_append_behind_a_hole_begins_a_block(void **state)
{
    struct fixture *f = *state;
    struct inode *n = NULL;
    struct file_block *last = NULL, hole = HOLE(10);
    struct block_id_stamp b = {0};
    bool closed = false;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", 5);
    assert_int_equal(replace(f, file, 1, 0, &hole, 1), 0);
    assert_int_equal(IN_TXN(f, file_append(o, &f->root, "/x", "a", "127.0.0.1", false, &n, &last, ERR(f))), 0);
    assert_null(last);
    assert_int_equal(add_block(f, "/x", file, "a", NULL, &b), 0);
    b.length_bytes = 7;
    received(f, 0, b.id, b.stamp, 7);
    assert_int_equal(complete(f, "/x", file, "a", &b, &closed), 0);
    assert_true(closed);
    assert_int_equal(look(f, "/x").length, 22);
    /* With the hole named as the block before, as after an append of a whole new block. */
    assert_int_equal(replace(f, file, 3, 0, &hole, 1), 0);
    assert_int_equal(IN_TXN(f, file_append(o, &f->root, "/x", "a", "127.0.0.1", true, &n, &last, ERR(f))), 0);
    struct block_id_stamp previous = {ZERO_BLOCK_ID, ZERO_BLOCK_STAMP, 10};
    assert_int_equal(add_block(f, "/x", file, "a", &previous, &b), 0);
    b.length_bytes = 1;
    received(f, 0, b.id, b.stamp, 1);
    assert_int_equal(complete(f, "/x", file, "a", &b, &closed), 0);
    assert_int_equal(look(f, "/x").length, 33);
}

static void test_no_file_is_longer_than_hdfs_can_say(void **state)
{
    struct fixture *f = *state;
    struct inode *n = NULL;
    struct file_block *last = NULL, most = HOLE(INT64_MAX - BLOCK);
    struct block_id_stamp b = {0};
    char *sources[] = {"/b"};
    nodes_up(f);
    uint64_t file = file_of(f, "/a", 1);
    file_of(f, "/b", BLOCK);
    assert_int_equal(replace(f, file, 1, 0, &most, 1), 0);
    assert_int_equal(err_to_errno(IN_TXN(f, file_concat(o, &f->root, "/a", sources, 1, ERR(f)))), EFBIG);
    assert_int_equal(IN_TXN(f, file_append(o, &f->root, "/a", "a", "127.0.0.1", false, &n, &last, ERR(f))), 0);
    assert_int_equal(err_to_errno(add_block(f, "/a", file, "a", NULL, &b)), EFBIG);
}

static void test_concat_takes_holes_along(void **state)
{
    struct fixture *f = *state;
    struct file_block hole = HOLE(1000);
    nodes_up(f);
    uint64_t to = file_of(f, "/a", BLOCK), from = file_of(f, "/b", 5);
    char *sources[] = {"/b"};
    size_t count;
    assert_int_equal(replace(f, from, 0, 0, &hole, 1), 0);
    assert_int_equal(IN_TXN(f, file_concat(o, &f->root, "/a", sources, 1, ERR(f))), 0);
    const struct file_block *list = list_of(f, to, &count);
    assert_int_equal(count, 3);
    assert_true(file_block_is_hole(&list[1]));
    assert_int_equal(look(f, "/a").length, BLOCK + 1005);
    assert_int_equal(f->nn.dir->counters.blocks, 2);
    assert_false(is_known(f, ZERO_BLOCK_ID));
}

/* ---- quotas and snapshots ---- */

static void test_an_edit_beyond_a_quota_changes_nothing(void **state)
{
    struct fixture *f = *state;
    size_t count;
    nodes_up(f);
    mkdirs(f, "/d");
    assert_int_equal(IN_TXN(f, tree_set_quota(t, &f->root, "/d", QUOTA_LEAVE, 3 * BLOCK + 30, 0, ERR(f))), 0);
    uint64_t file = file_of(f, "/d/x", BLOCK);
    struct file_block much = written_block(f, file, 11), hole = HOLE(1ull << 40), little = written_block(f, file, 10);
    assert_int_equal(replace(f, file, 1, 0, &hole, 1), 0);
    assert_int_equal(replace(f, file, 0, 0, &much, 1), ERR_DS_QUOTA);
    assert_int_equal((list_of(f, file, &count), count), 2);
    assert_false(is_known(f, much.id));
    assert_int_equal(f->nn.dir->counters.blocks, 1);
    assert_int_equal(replace(f, file, 0, 1, &much, 1), 0); /* in place of more it fits */
    assert_int_equal(replace(f, file, 0, 1, &little, 1), 0);
    graces_end(f);
    assert_int_equal(f->nn.dir->counters.blocks, 1);
}

static void test_snapshots_keep_what_an_edit_replaced(void **state)
{
    struct fixture *f = *state;
    const char *path = NULL;
    size_t count;
    nodes_up(f);
    uint64_t file = file_of(f, "/d/x", 3 * BLOCK);
    struct file_block old[3], fresh[2] = {written_block(f, file, 10), written_block(f, file, 20)};
    memcpy(old, list_of(f, file, &count), sizeof old);
    assert_int_equal(IN_TXN(f, snapshot_allow(t, "/d", ERR(f))), 0);
    assert_int_equal(IN_TXN(f, snapshot_create(t, &f->root, "/d", "s", &path, ERR(f))), 0);
    assert_int_equal(replace(f, file, 0, 1, fresh, 1), 0);
    assert_int_equal(replace(f, file, 0, 2, fresh + 1, 1), 0); /* the first new one no snapshot has */
    graces_end(f);
    assert_true(is_known(f, old[0].id) && is_known(f, old[1].id) && is_known(f, old[2].id));
    assert_false(is_known(f, fresh[0].id));
    assert_true(is_deleted_somewhere(f, fresh[0].id));
    assert_int_equal(IN_TXN(f, snapshot_delete(t, &f->root, "/d", "s", ERR(f))), 0);
    reap_all(f);
    assert_false(is_known(f, old[0].id) || is_known(f, old[1].id));
    assert_true(is_known(f, old[2].id) && is_known(f, fresh[1].id));
    assert_int_equal(f->nn.dir->counters.blocks, 2);
}

static void test_a_grace_ends_with_a_restart(void **state)
{
    struct fixture *f = *state;
    size_t count;
    bool more = true;
    nodes_up(f);
    uint64_t file = file_of(f, "/x", BLOCK), old = list_of(f, file, &count)[0].id;
    assert_int_equal(replace(f, file, 0, 1, NULL, 0), 0);
    assert_int_equal(look(f, "/x").length, 0);
    assert_true(is_known(f, old));
    fixture_reopen(f);
    nodes_up(f);
    assert_true(is_known(f, old));
    while (more)
        assert_int_equal(graves_step(&f->nn, f->now_ms, &more, ERR(f)), 0);
    assert_false(is_known(f, old));
    assert_int_equal(f->nn.dir->counters.blocks, 0);
    assert_int_equal(f->nn.dir->counters.complete_blocks, 0);
    received(f, 1, old, 1001, BLOCK);
    assert_true(is_deleted_somewhere(f, old));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_block_in_the_middle_is_swapped),
        T(test_an_edit_needs_no_reports_of_what_was_acknowledged),
        T(test_an_edit_waits_for_a_replica_of_each_new_block),
        T(test_several_spans_are_one_change),
        T(test_a_span_is_where_it_was_seen),
        T(test_what_is_refused),
        T(test_an_edit_ends_a_writer_that_is_gone),
        T(test_new_blocks_are_where_those_are_that_they_are_like),
        T(test_new_blocks_go_with_their_session_and_with_the_namenode),
        T(test_a_pipeline_of_a_new_block_is_repaired),
        T(test_replication_that_changes_meanwhile_counts),
        T(test_holes_cost_nothing_and_survive_everything),
        T(test_append_behind_a_hole_begins_a_block),
        T(test_no_file_is_longer_than_hdfs_can_say),
        T(test_concat_takes_holes_along),
        T(test_an_edit_beyond_a_quota_changes_nothing),
        T(test_snapshots_keep_what_an_edit_replaced),
        T(test_a_grace_ends_with_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

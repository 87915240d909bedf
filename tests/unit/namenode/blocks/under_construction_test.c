#include "cluster.h"

#define MIB (1u << 20)

/* A block on nodes 0, 1, 2, open for writing; nothing is reported yet. */
static uint64_t open_block(struct sim *sim)
{
    size_t at = sim->record_end++;
    uint64_t id = FIRST_ID + at, gs = sim->next_gen_stamp++;
    sim->records[at] = (struct block_record){
        .block_id = id, .inode_id = 16386, .gen_stamp = gs, .replication = 3, .state = BLOCK_UNDER_CONSTRUCTION};
    const char *storages[] = {"DS-0", "DS-1", "DS-2"};
    blocks_under_construction(sim->b, id, gs, 8 * MIB, 3, storages, 3);
    return id;
}
static struct block_record *record(struct sim *sim, uint64_t id)
{
    return &sim->records[id - FIRST_ID];
}
static void put(struct sim *sim, size_t n, uint64_t id, uint64_t gs, uint64_t bytes, enum replica_event_kind kind)
{
    sim->nodes[n].disk[id - FIRST_ID] = (struct sim_replica){
        .gen_stamp = gs, .bytes = bytes, .xxh3 = SIM_XXH3(id), .there = true, .rbw = kind == REPLICA_RECEIVING};
    sim_event(sim, n, kind, id);
}
static bool commit(struct sim *sim, uint64_t id, uint64_t gs, uint64_t bytes)
{
    struct block_record *r = record(sim, id);
    r->state = BLOCK_COMMITTED;
    r->gen_stamp = gs;
    r->bytes = bytes;
    bool enough = blocks_commit(sim->b, id, gs, bytes);
    if (enough)
        sim_complete(sim, id);
    return enough;
}

static void replicas_before_commit_complete_the_block_at_once(void **state)
{
    struct sim *sim = sim_new(3, 1);
    sim_start(sim);
    uint64_t id = open_block(sim), gs = record(sim, id)->gen_stamp;
    struct block_location l[8];
    assert_int_equal(blocks_locations(sim->b, id, "10.0.0.2", l, 8),
                     3); /* expected ones, for readers of an open file */
    assert_string_equal(l[0].node->uuid, "uuid-1");
    put(sim, 0, id, gs, 0, REPLICA_RECEIVING);
    put(sim, 0, id, gs, 5 * MIB, REPLICA_RECEIVED);
    assert_true(blocks_has_min_replicas(sim->b, id));
    assert_true(commit(sim, id, gs, 5 * MIB));
    assert_int_equal(sim->on_min_count, 0);
    assert_int_equal(sim_stats(sim).pending_replication, 1); /* the other two are expected: no copies for them */
    put(sim, 1, id, gs, 5 * MIB, REPLICA_RECEIVED);
    put(sim, 2, id, gs, 5 * MIB, REPLICA_RECEIVED);
    assert_int_equal(sim_stats(sim).pending_replication, 0);
    assert_int_equal(sim_stats(sim).under_replicated, 0);
    assert_int_equal(blocks_live_replicas(sim->b, id), 3);
    sim_free(sim);
}

static void commit_waits_for_the_first_replica(void **state)
{
    struct sim *sim = sim_new(3, 2);
    sim_start(sim);
    uint64_t id = open_block(sim), gs = record(sim, id)->gen_stamp;
    assert_false(commit(sim, id, gs, MIB));
    put(sim, 1, id, gs, MIB / 2, REPLICA_RECEIVED); /* too short: not this one */
    assert_int_equal(sim->on_min_count, 0);
    assert_int_equal(blocks_live_replicas(sim->b, id), 0);
    put(sim, 0, id, gs, MIB, REPLICA_RECEIVED);
    assert_int_equal(sim->on_min_count, 1);
    assert_int_equal(record(sim, id)->state, BLOCK_COMPLETE);
    put(sim, 2, id, gs, MIB, REPLICA_RECEIVED);
    sim_run(sim, 20000);
    assert_int_equal(blocks_live_replicas(sim->b, id), 3);
    assert_int_equal(sim->nodes[1].disk[id - FIRST_ID].bytes, MIB); /* the short one was deleted and copied anew */
    assert_int_equal(sim_stats(sim).corrupt, 0);
    sim_free(sim);
}

static void pipeline_recovery_leaves_the_lost_node_behind(void **state)
{
    struct sim *sim = sim_new(4, 3);
    sim_start(sim);
    uint64_t id = open_block(sim), gs = record(sim, id)->gen_stamp;
    for (size_t n = 0; n < 3; n++)
        put(sim, n, id, gs, 0, REPLICA_RECEIVING);
    uint64_t newer = sim->next_gen_stamp++;
    const char *nodes[] = {"uuid-1", "uuid-2"}, *storages[] = {"DS-1", ""};
    record(sim, id)->gen_stamp = newer;
    blocks_update_pipeline(sim->b, id, newer, 2 * MIB, nodes, storages, 2);
    struct block_location l[8];
    assert_int_equal(blocks_locations(sim->b, id, NULL, l, 8), 2);
    put(sim, 1, id, newer, 3 * MIB, REPLICA_RECEIVED);
    put(sim, 2, id, newer, 3 * MIB, REPLICA_RECEIVED);
    assert_true(commit(sim, id, newer, 3 * MIB));
    sim->nodes[0].needs_report = true; /* the lost node comes back with what it has */
    sim_run(sim, 30000);
    assert_int_equal(blocks_live_replicas(sim->b, id), 3);
    for (size_t n = 0; n < 4; n++)
        if (sim->nodes[n].disk[id - FIRST_ID].there)
            assert_int_equal(sim->nodes[n].disk[id - FIRST_ID].gen_stamp, newer);
    sim_free(sim);
}

/* Datanodes choose the disk themselves: a replica may be reported on another storage than the one that was named. */
static void report_other_disk(struct sim *sim, size_t n, uint64_t id, uint64_t gs, uint64_t bytes,
                              enum replica_event_kind kind)
{
    char storage[16];
    snprintf(storage, sizeof storage, "DS-%zu-b", n % 10);
    struct replica_event e = {.kind = kind, .block_id = id, .gen_stamp = gs, .bytes = bytes};
    blocks_replica_event(sim->b, sim_datanode(sim, n), storage, 1, &e, sim->now_ms);
}

static void datanodes_may_use_another_disk_than_named(void **state)
{
    struct sim *sim = sim_new(4, 11);
    sim_start(sim);
    uint64_t id = open_block(sim), gs = record(sim, id)->gen_stamp;
    for (size_t n = 0; n < 3; n++)
        report_other_disk(sim, n, id, gs, 0, REPLICA_RECEIVING);
    struct block_location l[8];
    assert_int_equal(blocks_locations(sim->b, id, NULL, l, 8), 3); /* one per node */
    assert_int_equal(sim->b->storages[0]->booked_bytes, 0);
    uint64_t newer = sim->next_gen_stamp++;
    const char *nodes[] = {"uuid-0", "uuid-1"}, *storages[] = {"DS-0", "DS-1"}; /* as the client was told */
    record(sim, id)->gen_stamp = newer;
    blocks_update_pipeline(sim->b, id, newer, 0, nodes, storages, 2);
    for (size_t n = 0; n < 2; n++)
        report_other_disk(sim, n, id, newer, MIB, REPLICA_RECEIVED);
    assert_int_equal(blocks_locations(sim->b, id, NULL, l, 8), 2);
    assert_true(commit(sim, id, newer, MIB));
    assert_int_equal(sim_stats(sim).pending_replication, 0); /* nobody is waited for */
    assert_int_equal(blocks_live_replicas(sim->b, id), 2);

    record(sim, id)->state = BLOCK_UNDER_CONSTRUCTION; /* append: the finalized replicas are rewritten, not bad */
    sim->complete_count--;
    blocks_reopen(sim->b, record(sim, id));
    record(sim, id)->gen_stamp = sim->next_gen_stamp++;
    blocks_update_pipeline(sim->b, id, record(sim, id)->gen_stamp, MIB, nodes, storages, 2);
    assert_int_equal(sim_stats(sim).replicas_corrupted, 0);
    assert_int_equal(blocks_locations(sim->b, id, NULL, l, 8), 2);
    sim_free(sim);
}

/* Clients in Go and Rust append without a new generation stamp, so without updatePipeline. */
static void appended_under_the_old_stamp_has_another_digest(void **state)
{
    for (size_t before = 1; before <= 3; before++) { /* so many replicas are reported before the commit */
        struct sim *sim = sim_new(3, 12);
        sim_start(sim);
        uint64_t id = open_block(sim), gs = record(sim, id)->gen_stamp;
        for (size_t n = 0; n < 3; n++)
            put(sim, n, id, gs, MIB, REPLICA_RECEIVED);
        assert_true(commit(sim, id, gs, MIB));
        record(sim, id)->state = BLOCK_UNDER_CONSTRUCTION;
        sim->complete_count--;
        blocks_reopen(sim->b, record(sim, id));
        for (size_t n = 0; n < 3; n++)
            put(sim, n, id, gs, MIB, REPLICA_RECEIVING);
        for (size_t n = 0; n < 3; n++) {
            if (n == before)
                assert_true(commit(sim, id, gs, MIB + 4));
            sim->nodes[n].disk[id - FIRST_ID] =
                (struct sim_replica){.gen_stamp = gs, .bytes = MIB + 4, .xxh3 = 12345, .there = true};
            sim_event(sim, n, REPLICA_RECEIVED, id);
        }
        if (before == 3)
            assert_true(commit(sim, id, gs, MIB + 4));
        assert_int_equal(sim_stats(sim).replicas_corrupted, 0);
        assert_int_equal(blocks_live_replicas(sim->b, id), 3);
        sim_free(sim);
    }
}

static void dead_writers_block_is_recovered_by_one_primary(void **state)
{
    struct sim *sim = sim_new(3, 4);
    sim_start(sim);
    uint64_t id = open_block(sim), gs = record(sim, id)->gen_stamp, recovery = sim->next_gen_stamp++;
    for (size_t n = 0; n < 3; n++)
        put(sim, n, id, gs, MIB, REPLICA_RECEIVING);
    assert_int_equal(
        blocks_start_recovery(sim->b, record(sim, id), NULL, recovery, BLOCKS_NO_TRUNCATE, sim->now_ms, NULL), 0);
    assert_int_equal(blocks_recovery_id(sim->b, id), recovery);
    size_t asked = 0, primary = 0;
    for (size_t n = 0; n < 3; n++) {
        AUTO(arena_free) struct arena a;
        arena_init(&a, 1 << 20);
        struct datanode_commands c;
        struct heartbeat h = {0};
        assert_int_equal(blocks_heartbeat(sim->b, sim_datanode(sim, n), &h, sim->now_ms, &a, &c, NULL), 0);
        if (!c.recovery_count)
            continue;
        asked++;
        primary = n;
        assert_int_equal(c.recoveries[0].block_id, id);
        assert_int_equal(c.recoveries[0].gen_stamp, gs);
        assert_int_equal(c.recoveries[0].recovery_id, recovery);
        assert_int_equal(c.recoveries[0].location_count, 3);
    }
    assert_int_equal(asked, 1);
    /* No answer: the next attempt goes to another one, and the old command is not given again. */
    uint64_t second = sim->next_gen_stamp++;
    assert_int_equal(
        blocks_start_recovery(sim->b, record(sim, id), NULL, second, BLOCKS_NO_TRUNCATE, sim->now_ms, NULL), 0);
    assert_string_not_equal(sim->b->storages[uc_find(sim->b, id)->primary]->uuid, sim->nodes[primary].storage);
    const char *nodes[] = {"uuid-0", "uuid-2"}, *storages[] = {"DS-0", "DS-2"};
    struct block_recovery r = {.block_id = id,
                               .gen_stamp = gs,
                               .new_gen_stamp = second,
                               .new_bytes = MIB - 7,
                               .close_file = true,
                               .datanode_uuids = nodes,
                               .storage_uuids = storages,
                               .count = 2};
    blocks_recovered(sim->b, &r, sim->now_ms);
    for (size_t n = 0; n < 3; n += 2)
        sim->nodes[n].disk[id - FIRST_ID] =
            (struct sim_replica){.gen_stamp = second, .bytes = MIB - 7, .there = true, .xxh3 = SIM_XXH3(id)};
    assert_true(commit(sim, id, second, MIB - 7));
    assert_int_equal(blocks_recovery_id(sim->b, id), 0);
    assert_int_equal(blocks_live_replicas(sim->b, id), 2);
    sim->nodes[1].needs_report = true; /* took no part: still has the old stamp */
    sim_run(sim, 30000);
    assert_int_equal(blocks_live_replicas(sim->b, id), 3);
    assert_int_equal(sim->nodes[1].disk[id - FIRST_ID].gen_stamp, second);
    sim_free(sim);
}

/* Whoever is to recover a block and is started again before it did is told again, and nobody else is. */
static void primary_that_is_started_again_is_asked_again(void **state)
{
    struct sim *sim = sim_new(3, 4);
    sim_start(sim);
    uint64_t id = open_block(sim), gs = record(sim, id)->gen_stamp, recovery = sim->next_gen_stamp++;
    for (size_t n = 0; n < 3; n++)
        put(sim, n, id, gs, MIB, REPLICA_RECEIVING);
    assert_int_equal(
        blocks_start_recovery(sim->b, record(sim, id), NULL, recovery, BLOCKS_NO_TRUNCATE, sim->now_ms, NULL), 0);
    size_t first = 3;
    for (int round = 0; round < 3; round++) { /* before it was told, and after */
        size_t asked = 0;
        for (size_t n = 0; n < 3; n++)
            sim_register(sim, n);
        for (size_t n = 0; n < 3; n++) {
            AUTO(arena_free) struct arena a;
            arena_init(&a, 1 << 20);
            struct datanode_commands c;
            struct heartbeat h = {0};
            assert_int_equal(blocks_heartbeat(sim->b, sim_datanode(sim, n), &h, sim->now_ms, &a, &c, NULL), 0);
            asked += c.recovery_count;
            if (c.recovery_count && first == 3)
                first = n;
            assert_true(!c.recovery_count || (n == first && c.recoveries[0].recovery_id == recovery));
        }
        assert_int_equal(asked, 1);
    }
    sim_free(sim);
}

static void recovery_without_any_replica_says_so(void **state)
{
    struct sim *sim = sim_new(3, 5);
    sim_start(sim);
    size_t at = sim->record_end++;
    sim->records[at] = (struct block_record){.block_id = FIRST_ID + at, .gen_stamp = 1000, .replication = 3};
    struct err e;
    assert_int_equal(blocks_start_recovery(sim->b, &sim->records[at], NULL, 2000, BLOCKS_NO_TRUNCATE, sim->now_ms, &e),
                     ERR_NOT_FOUND);
    assert_non_null(strstr(e.text, "blk_1073741825_1000"));
    sim_free(sim);
}

static void open_and_committed_blocks_survive_a_namenode_restart(void **state)
{
    struct sim *sim = sim_new(3, 6);
    sim_start(sim);
    uint64_t open = open_block(sim), committed = open_block(sim);
    for (size_t n = 0; n < 3; n++) {
        put(sim, n, open, record(sim, open)->gen_stamp, MIB, REPLICA_RECEIVING);
        sim->nodes[n].disk[committed - FIRST_ID] = (struct sim_replica){
            .gen_stamp = record(sim, committed)->gen_stamp, .bytes = MIB, .xxh3 = 5, .there = true};
    }
    record(sim, committed)->state = BLOCK_COMMITTED;
    record(sim, committed)->bytes = MIB;
    blocks_free(sim->b);
    sim->b = sim_blocks(sim, 1);
    sim_start(sim);
    assert_int_equal(record(sim, committed)->state, BLOCK_COMPLETE);
    assert_int_equal(blocks_live_replicas(sim->b, committed), 3);
    struct block_location l[8];
    assert_int_equal(blocks_locations(sim->b, open, NULL, l, 8), 3);
    assert_int_equal(
        blocks_start_recovery(sim->b, record(sim, open), NULL, 5000, BLOCKS_NO_TRUNCATE, sim->now_ms, NULL), 0);
    sim_free(sim);
}

static void append_opens_and_closes_a_complete_block(void **state)
{
    struct sim *sim = sim_new(4, 7);
    sim_start(sim);
    uint64_t id = sim_write(sim, 0, 3, MIB);
    struct block_record *r = record(sim, id);
    r->state = BLOCK_UNDER_CONSTRUCTION;
    sim->complete_count--;
    blocks_reopen(sim->b, r);
    struct block_location l[8];
    size_t count = blocks_locations(sim->b, id, NULL, l, 8);
    assert_int_equal(count, 3);
    assert_int_equal(sim_stats(sim).missing, 0);
    const char *nodes[3], *storages[3];
    size_t on[3];
    uint64_t gs = sim->next_gen_stamp++;
    for (size_t i = 0; i < 3; i++) {
        nodes[i] = l[i].node->uuid;
        storages[i] = l[i].storage_uuid;
        on[i] = sim_node_of(sim, &l[i]);
    }
    r->gen_stamp = gs;
    blocks_update_pipeline(sim->b, id, gs, MIB, nodes, storages, 3);
    for (size_t i = 0; i < 3; i++)
        put(sim, on[i], id, gs, 2 * MIB, REPLICA_RECEIVED);
    assert_true(commit(sim, id, gs, 2 * MIB));
    assert_int_equal(blocks_live_replicas(sim->b, id), 3);
    assert_int_equal(sim_stats(sim).corrupt, 0);
    assert_int_equal(sim_stats(sim).replicas_corrupted, 0); /* the old versions were rewritten, not bad */
    sim_run(sim, 10000);
    assert_int_equal(blocks_live_replicas(sim->b, id), 3);
    sim_free(sim);
}

/* Who appends, or cuts, right after the close shall have the whole pipeline, not only what was reported so far. */
static void a_block_is_reopened_on_those_that_are_about_to_report(void **state)
{
    struct sim *sim = sim_new(3, 8);
    sim_start(sim);
    uint64_t id = open_block(sim), gs = record(sim, id)->gen_stamp;
    put(sim, 1, id, gs, MIB, REPLICA_RECEIVED);
    assert_true(commit(sim, id, gs, MIB));
    record(sim, id)->state = BLOCK_UNDER_CONSTRUCTION;
    sim->complete_count--;
    blocks_reopen(sim->b, record(sim, id));
    struct block_location l[8];
    assert_int_equal(blocks_locations(sim->b, id, NULL, l, 8), 3);
    put(sim, 0, id, gs, MIB, REPLICA_RECEIVED); /* late */
    uint64_t newer = sim->next_gen_stamp++;
    const char *nodes[] = {"uuid-0", "uuid-1", "uuid-2"}, *storages[] = {"DS-0", "DS-1", "DS-2"};
    record(sim, id)->gen_stamp = newer;
    blocks_update_pipeline(sim->b, id, newer, MIB, nodes, storages, 3);
    put(sim, 2, id, gs, MIB, REPLICA_RECEIVED); /* later still: of a version that is being changed, and not bad */
    put(sim, 1, id, newer, 2 * MIB, REPLICA_RECEIVED);
    assert_true(commit(sim, id, newer, 2 * MIB));
    assert_int_equal(sim_stats(sim).pending_replication, 1);
    put(sim, 0, id, newer, 2 * MIB, REPLICA_RECEIVED);
    put(sim, 2, id, newer, 2 * MIB, REPLICA_RECEIVED);
    assert_int_equal(blocks_live_replicas(sim->b, id), 3);
    assert_int_equal(sim_stats(sim).replicas_corrupted, 0);
    sim_free(sim);
}

/* ---- acknowledged to the writer by all, and not reported yet ---- */

static uint64_t block_that_all_acknowledged(struct sim *sim)
{
    uint64_t id = open_block(sim);
    assert_false(commit(sim, id, record(sim, id)->gen_stamp, MIB));
    assert_true(blocks_is_stored(sim->b, id));
    sim_complete(sim, id);
    return id;
}

static void what_all_acknowledged_is_there_before_they_report(void **state)
{
    struct sim *sim = sim_new(4, 21);
    sim_start(sim);
    uint64_t id = block_that_all_acknowledged(sim), gs = record(sim, id)->gen_stamp;
    struct block_location l[8];
    struct block_health h;
    assert_int_equal(blocks_locations(sim->b, id, "10.0.0.3", l, 8), 3);
    assert_string_equal(l[0].node->uuid, "uuid-2");
    assert_int_equal(blocks_replicas(sim->b, id, l, 8), 3);
    assert_true(blocks_has_min_replicas(sim->b, id));
    assert_false(blocks_is_lost(sim->b, id));
    blocks_health(sim->b, id, &h);
    assert_int_equal(h.live, 3);
    assert_int_equal(sim_stats(sim).under_replicated + sim_stats(sim).missing, 0);
    sim_run(sim, 5000); /* and nobody makes copies */
    assert_int_equal(sim_stats(sim).replicas_copied, 0);
    for (size_t n = 0; n < 3; n++)
        put(sim, n, id, gs, MIB, REPLICA_RECEIVED);
    assert_int_equal(blocks_live_replicas(sim->b, id), 3);
    assert_int_equal(blocks_locations(sim->b, id, NULL, l, 8), 3);
    assert_int_equal(sim_stats(sim).pending_replication + sim_stats(sim).excess, 0);
    sim_free(sim);
}

static void who_died_before_its_report_is_made_up_for(void **state)
{
    struct sim *sim = sim_new(4, 22);
    sim_start(sim);
    uint64_t id = block_that_all_acknowledged(sim), gs = record(sim, id)->gen_stamp;
    sim->nodes[2].up = false;
    put(sim, 0, id, gs, MIB, REPLICA_RECEIVED);
    put(sim, 1, id, gs, MIB, REPLICA_RECEIVED);
    assert_int_equal(blocks_live_replicas(sim->b, id), 3);
    sim_run(sim, 11 * 60000);
    assert_int_equal(blocks_live_replicas(sim->b, id), 3);
    assert_true(sim->nodes[3].disk[id - FIRST_ID].there);
    sim_free(sim);
}

/* They died, and then at least one more has to be waited for. */
static void too_few_live_targets_are_not_enough(void **state)
{
    struct sim *sim = sim_new(3, 23);
    sim_start(sim);
    uint64_t id = open_block(sim), gs = record(sim, id)->gen_stamp;
    for (size_t n = 0; n < 3; n++)
        sim->nodes[n].up = false;
    sim_run(sim, 11 * 60000);
    assert_false(commit(sim, id, gs, MIB));
    assert_false(blocks_is_stored(sim->b, id));
    sim_free(sim);
}

/* Whoever said that they had it was wrong: that must show. */
static void what_is_never_reported_is_missed_in_the_end(void **state)
{
    struct sim *sim = sim_new(3, 24);
    sim_start(sim);
    uint64_t id = block_that_all_acknowledged(sim);
    sim_run(sim, 6 * 60000);
    assert_int_equal(blocks_live_replicas(sim->b, id), 0);
    assert_true(blocks_is_lost(sim->b, id));
    assert_int_equal(sim_stats(sim).missing, 1);
    sim_free(sim);
}

/* Nothing that was reported is given up for what was only said to be there. */
static void excess_is_told_by_reports_alone(void **state)
{
    struct sim *sim = sim_new(4, 25);
    sim_start(sim);
    uint64_t id = block_that_all_acknowledged(sim), gs = record(sim, id)->gen_stamp;
    put(sim, 3, id, gs, MIB, REPLICA_RECEIVED);
    assert_int_equal(sim_stats(sim).excess, 0);
    put(sim, 0, id, gs, MIB, REPLICA_RECEIVED);
    put(sim, 1, id, gs, MIB, REPLICA_RECEIVED);
    assert_int_equal(sim_stats(sim).excess, 0);
    put(sim, 2, id, gs, MIB, REPLICA_RECEIVED);
    assert_int_equal(sim_stats(sim).excess, 1);
    sim_free(sim);
}

/* One node's report of the end may come before another's of the beginning. */
static void old_news_of_the_pipeline_is_no_corruption(void **state)
{
    struct sim *sim = sim_new(3, 9);
    sim_start(sim);
    uint64_t id = open_block(sim), gs = record(sim, id)->gen_stamp, newer = sim->next_gen_stamp++;
    const char *nodes[] = {"uuid-0", "uuid-1", "uuid-2"}, *storages[] = {"DS-0", "DS-1", "DS-2"};
    record(sim, id)->gen_stamp = newer;
    blocks_update_pipeline(sim->b, id, newer, MIB, nodes, storages, 3);
    put(sim, 1, id, newer, MIB, REPLICA_RECEIVED);
    assert_true(commit(sim, id, newer, MIB));
    put(sim, 0, id, gs, 0, REPLICA_RECEIVING);
    put(sim, 2, id, gs, MIB, REPLICA_RECEIVED);
    assert_int_equal(sim_stats(sim).replicas_corrupted, 0);
    assert_int_equal(sim_stats(sim).pending_replication, 1); /* still awaited */
    put(sim, 0, id, newer, MIB, REPLICA_RECEIVED);
    put(sim, 2, id, newer, MIB, REPLICA_RECEIVED);
    assert_int_equal(blocks_live_replicas(sim->b, id), 3);
    put(sim, 2, id, gs, MIB, REPLICA_RECEIVED); /* nothing is awaited any more: this is what is there */
    assert_int_equal(sim_stats(sim).replicas_corrupted, 1);
    sim_free(sim);
}

static void abandoned_block_is_deleted_everywhere(void **state)
{
    struct sim *sim = sim_new(3, 8);
    sim_start(sim);
    uint64_t id = open_block(sim);
    for (size_t n = 0; n < 3; n++)
        put(sim, n, id, record(sim, id)->gen_stamp, MIB, REPLICA_RECEIVING);
    sim_remove(sim, id);
    sim_run(sim, 10000);
    assert_int_equal(sim_copies(sim, id), 0);
    assert_int_equal(sim_stats(sim).under_construction, 0);
    assert_int_equal(sim->b->storages[0]->booked_bytes, 0);
    sim_free(sim);
}

/* ---- safe mode ---- */

static void safe_mode_ends_when_the_blocks_are_reported(void **state)
{
    struct sim *sim = sim_new(3, 9);
    assert_false(blocks_in_safe_mode(sim->b)); /* a new cluster has nothing to wait for */
    sim_start(sim);
    for (int i = 0; i < 10; i++)
        assert_int_not_equal(sim_write(sim, 0, 1, MIB), 0); /* all on node 0 */
    blocks_free(sim->b);
    sim->b = sim_blocks(sim, 1);
    AUTO(buf_free) struct buf text = {0};
    blocks_safe_mode_text(sim->b, sim->now_ms, &text);
    assert_string_equal(
        buf_cstr(&text),
        "The reported blocks 0 needs additional 9 blocks to reach the threshold 0.9990 of total blocks 10.\n"
        "The minimum number of live datanodes is not required. "
        "Safe mode will be turned off automatically once the thresholds have been reached.");
    for (size_t n = 1; n < 3; n++) {
        sim->nodes[n].up = true;
        sim_register(sim, n);
    }
    sim->nodes[0].up = false;
    sim_run(sim, 20000);
    assert_true(blocks_in_safe_mode(sim->b));
    assert_int_equal(sim_stats(sim).missing, 10);
    sim->nodes[0].up = true;
    sim_run(sim, 6000);
    assert_false(blocks_in_safe_mode(sim->b));
    assert_int_equal(sim_stats(sim).missing, 0);
    sim_free(sim);
}

static void manual_safe_mode_stops_commands(void **state)
{
    struct sim *sim = sim_new(3, 10);
    sim_start(sim);
    uint64_t id = sim_write(sim, 0, 2, MIB);
    assert_true(blocks_safe_mode(sim->b, SAFE_MODE_ENTER, sim->now_ms));
    blocks_set_replication(sim->b, id, 1, sim->now_ms);
    sim_run(sim, 20000);
    assert_int_equal(sim_copies(sim, id), 2);
    assert_false(blocks_safe_mode(sim->b, SAFE_MODE_LEAVE, sim->now_ms));
    sim_run(sim, 20000);
    assert_int_equal(sim_copies(sim, id), 1);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replicas_before_commit_complete_the_block_at_once),
        cmocka_unit_test(commit_waits_for_the_first_replica),
        cmocka_unit_test(pipeline_recovery_leaves_the_lost_node_behind),
        cmocka_unit_test(datanodes_may_use_another_disk_than_named),
        cmocka_unit_test(appended_under_the_old_stamp_has_another_digest),
        cmocka_unit_test(dead_writers_block_is_recovered_by_one_primary),
        cmocka_unit_test(primary_that_is_started_again_is_asked_again),
        cmocka_unit_test(recovery_without_any_replica_says_so),
        cmocka_unit_test(open_and_committed_blocks_survive_a_namenode_restart),
        cmocka_unit_test(append_opens_and_closes_a_complete_block),
        cmocka_unit_test(a_block_is_reopened_on_those_that_are_about_to_report),
        cmocka_unit_test(what_all_acknowledged_is_there_before_they_report),
        cmocka_unit_test(who_died_before_its_report_is_made_up_for),
        cmocka_unit_test(too_few_live_targets_are_not_enough),
        cmocka_unit_test(what_is_never_reported_is_missed_in_the_end),
        cmocka_unit_test(excess_is_told_by_reports_alone),
        cmocka_unit_test(old_news_of_the_pipeline_is_no_corruption),
        cmocka_unit_test(abandoned_block_is_deleted_everywhere),
        cmocka_unit_test(safe_mode_ends_when_the_blocks_are_reported),
        cmocka_unit_test(manual_safe_mode_stops_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

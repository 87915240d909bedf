#include "cluster.h"

#define MIB     (1u << 20)
#define DEAD_MS 640000 /* 2 * 300 s + 10 * 3 s, and a heartbeat or two */

static void lost_datanode_is_replaced(void **state)
{
    struct sim *sim = sim_new(4, 1);
    sim_start(sim);
    uint64_t ids[50];
    for (int i = 0; i < 50; i++)
        assert_int_not_equal(ids[i] = sim_write(sim, 0, 3, MIB), 0);
    assert_int_equal(sim_stats(sim).under_replicated, 0);
    assert_int_equal(sim_stats(sim).missing, 0);
    sim_kill(sim, 0);
    sim_run(sim, 600000);
    assert_int_equal(sim_stats(sim).under_replicated, 0); /* silent, not dead yet */
    assert_int_equal(sim_stats(sim).stale, 1);
    sim_run(sim, 40000);
    assert_int_equal(sim_stats(sim).dead, 1);
    sim_run(sim, 30000);
    assert_int_equal(sim_stats(sim).under_replicated, 0);
    assert_int_equal(sim_stats(sim).pending_replication, 0);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(blocks_live_replicas(sim->b, ids[i]), 3);
        struct block_location l[8];
        assert_int_equal(blocks_locations(sim->b, ids[i], NULL, l, 8), 3);
    }
    sim_free(sim);
}

/* The balancer asks for blocks that were written since the last heartbeat, too. */
static void blocks_count_at_once_for_who_asks_what_a_node_holds(void **state)
{
    struct sim *sim = sim_new(3, 1);
    sim_start(sim);
    assert_int_equal(blocks_held_count(sim->b, "uuid-0"), 0);
    for (int i = 0; i < 5; i++)
        sim_write(sim, 0, 3, MIB);
    assert_int_equal(blocks_held_count(sim->b, "uuid-0"), 5);
    assert_int_equal(blocks_held_count(sim->b, "nobody"), 0);
    sim_free(sim);
}

static void returning_datanode_makes_excess_replicas_go(void **state)
{
    struct sim *sim = sim_new(4, 2);
    sim_start(sim);
    uint64_t ids[50];
    for (int i = 0; i < 50; i++)
        ids[i] = sim_write(sim, 0, 3, MIB);
    sim_kill(sim, 0);
    sim_run(sim, DEAD_MS + 30000);
    assert_int_equal(sim_copies(sim, ids[0]), 4); /* one of them on the dead node's disk */
    sim->nodes[0].up = true;
    sim_run(sim, 30000);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(sim_copies(sim, ids[i]), 3);
        assert_int_equal(blocks_live_replicas(sim->b, ids[i]), 3);
    }
    assert_int_equal(sim_stats(sim).excess, 0);
    assert_int_equal(sim_stats(sim).dead, 0);
    sim_free(sim);
}

static void corrupt_replica_is_replaced_then_deleted(void **state)
{
    struct sim *sim = sim_new(4, 3);
    sim_start(sim);
    uint64_t id = sim_write(sim, 1, 3, MIB);
    blocks_report_bad(sim->b, id, 0, "uuid-1", "", "checksum error", sim->now_ms);
    assert_int_equal(sim_stats(sim).corrupt, 1);
    assert_int_equal(blocks_live_replicas(sim->b, id), 2);
    struct block_location l[8];
    assert_int_equal(blocks_locations(sim->b, id, "10.0.0.2", l, 8), 2); /* readers are not sent there */
    assert_true(sim->nodes[1].disk[id - FIRST_ID].there);                /* not before it is replaced */
    sim_run(sim, 20000);
    assert_int_equal(sim_stats(sim).corrupt, 0);
    assert_int_equal(sim_stats(sim).under_replicated, 0);
    assert_false(sim->nodes[1].disk[id - FIRST_ID].there);
    assert_int_equal(sim_copies(sim, id), 3);
    sim_free(sim);
}

/* Nobody without a replica is left to take the copy: the bad one has to go first. */
static void corrupt_replica_is_replaced_where_every_node_has_one(void **state)
{
    struct sim *sim = sim_new(3, 4);
    sim_start(sim);
    uint64_t id = sim_write(sim, 1, 3, MIB);
    blocks_report_bad(sim->b, id, 0, "uuid-1", "DS-1", "checksum error", sim->now_ms);
    sim_run(sim, 20000);
    assert_int_equal(sim_copies(sim, id), 3);
    assert_int_equal(blocks_live_replicas(sim->b, id), 3);
    assert_int_equal(sim_stats(sim).corrupt, 0);
    assert_int_equal(sim_stats(sim).under_replicated, 0);
    sim_free(sim);
}

/* The one node without a replica takes the copy, but it is dead, which is known only later. */
static void corrupt_replica_is_replaced_when_the_last_free_node_dies(void **state)
{
    struct sim *sim = sim_new(4, 4);
    sim_start(sim);
    uint64_t id = sim_write(sim, 1, 3, MIB);
    unsigned free_node = 0, bad = 1;
    while (sim->nodes[free_node].disk[id - FIRST_ID].there)
        free_node++;
    sim_kill(sim, free_node);
    blocks_report_bad(sim->b, id, 0, "uuid-1", "DS-1", "checksum error", sim->now_ms);
    assert_true(sim->nodes[bad].disk[id - FIRST_ID].there);
    sim_run(sim, DEAD_MS + 60000);
    assert_int_equal(sim_stats(sim).dead, 1);
    assert_int_equal(blocks_live_replicas(sim->b, id), 3);
    assert_int_equal(sim_stats(sim).corrupt, 0);
    assert_int_equal(sim_stats(sim).under_replicated, 0);
    sim_free(sim);
}

static void last_replica_is_never_deleted(void **state)
{
    struct sim *sim = sim_new(3, 5);
    sim_start(sim);
    uint64_t id = sim_write(sim, 1, 3, MIB);
    for (int n = 0; n < 3; n++) {
        char uuid[32];
        snprintf(uuid, sizeof uuid, "uuid-%d", n);
        blocks_report_bad(sim->b, id, 0, uuid, "", "checksum error", sim->now_ms);
    }
    /* While good replicas were left, the bad ones before were queued; none of it may reach the last one. */
    sim_run(sim, 60000);
    assert_true(sim_copies(sim, id) >= 1);
    assert_int_equal(sim_stats(sim).missing, 1);
    struct block_location l[8];
    assert_true(blocks_locations(sim->b, id, NULL, l, 8) >= 1);
    assert_true(l[0].corrupt);
    assert_true(blocks_is_lost(sim->b, id));
    sim_free(sim);
}

static void replication_follows_setrep(void **state)
{
    struct sim *sim = sim_new(5, 6);
    sim_start(sim);
    uint64_t id = sim_write(sim, 0, 2, MIB);
    assert_int_equal(sim_copies(sim, id), 2);
    blocks_set_replication(sim->b, id, 4, sim->now_ms);
    assert_int_equal(sim_stats(sim).under_replicated, 1);
    sim_run(sim, 10000);
    assert_int_equal(sim_copies(sim, id), 4);
    blocks_set_replication(sim->b, id, 1, sim->now_ms);
    sim_run(sim, 10000);
    assert_int_equal(sim_copies(sim, id), 1);
    assert_int_equal(sim_stats(sim).excess, 0);
    sim_free(sim);
}

/* Many blocks want more replicas than there are nodes: nothing can be done for them, and they are in nobody's way. */
static void hopeless_blocks_do_not_delay_others(void **state)
{
    struct sim *sim = sim_new(4, 15);
    sim_start(sim);
    uint64_t id = 0;
    for (int i = 0; i < 3000; i++)
        id = sim_write(sim, 0, 4, 1000);
    for (uint64_t hopeless = FIRST_ID; hopeless < id; hopeless++)
        blocks_set_replication(sim->b, hopeless, 5, sim->now_ms);
    sim->nodes[1].disk[id - FIRST_ID].there = false;
    sim_event(sim, 1, REPLICA_DELETED, id);
    sim_run(sim, 10000);
    assert_int_equal(blocks_live_replicas(sim->b, id), 4);
    assert_int_equal(sim_stats(sim).under_replicated, 2999);
    sim_free(sim);
}

static void absurd_names_are_refused(void **state)
{
    struct sim *sim = sim_new(1, 16);
    char name[1000];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct datanode_registration r = {.uuid = name, .ip = "10.0.0.9", .hostname = "h", .xfer_port = 1};
    struct err e;
    assert_int_equal(blocks_register(sim->b, &r, 0, NULL, &e), ERR_ILLEGAL_ARGUMENT);
    sim_start(sim);
    struct replica_event event = {.kind = REPLICA_RECEIVED, .block_id = 1, .gen_stamp = 1};
    blocks_replica_event(sim->b, sim_datanode(sim, 0), name, 1, &event, sim->now_ms);
    blocks_replica_event(sim->b, sim_datanode(sim, 0), "", 1, &event, sim->now_ms);
    assert_int_equal(sim_datanode(sim, 0)->storage_count, 1);
    sim_free(sim);
}

static void lost_copies_are_tried_again(void **state)
{
    struct sim *sim = sim_new(4, 7);
    sim_start(sim);
    uint64_t id = sim_write(sim, 0, 2, MIB);
    sim->drop_transfers = true;
    blocks_set_replication(sim->b, id, 3, sim->now_ms);
    sim_run(sim, 30000);
    assert_int_equal(sim_copies(sim, id), 2);
    assert_int_equal(sim_stats(sim).pending_replication, 1);
    sim->drop_transfers = false;
    sim_run(sim, 320000);
    assert_int_equal(sim_copies(sim, id), 3);
    assert_int_equal(sim_stats(sim).copy_timeouts, 1);
    sim_free(sim);
}

static void removed_blocks_are_deleted_even_if_a_command_was_lost(void **state)
{
    struct sim *sim = sim_new(3, 8);
    sim_start(sim);
    uint64_t id = sim_write(sim, 0, 3, MIB);
    sim->drop_invalidations = true;
    sim_remove(sim, id);
    assert_int_equal(sim_stats(sim).pending_deletion, 3);
    sim_run(sim, 10000);
    assert_int_equal(sim_stats(sim).pending_deletion, 0);
    assert_int_equal(sim_copies(sim, id), 3);
    sim->drop_invalidations = false;
    for (size_t n = 0; n < 3; n++)
        sim_full_report(sim, n);
    sim_run(sim, 10000);
    assert_int_equal(sim_copies(sim, id), 0);
    assert_int_equal(sim_stats(sim).blocks_in_memory, 0);
    sim_free(sim);
}

/* A record that cannot be read is no reason to delete what may be the only replicas. */
static void replicas_of_unreadable_records_are_left_alone(void **state)
{
    struct sim *sim = sim_new(3, 14);
    sim_start(sim);
    uint64_t id = sim_write(sim, 0, 3, MIB);
    blocks_free(sim->b);
    sim->b = sim_blocks(sim, 1);
    sim->records[id - FIRST_ID].state = BLOCK_UNREADABLE;
    sim_start(sim);
    blocks_safe_mode(sim->b, SAFE_MODE_LEAVE, sim->now_ms);
    sim_event(sim, 0, REPLICA_RECEIVED, id);
    sim_run(sim, 20000);
    assert_int_equal(sim_copies(sim, id), 3);
    sim->records[id - FIRST_ID].state = BLOCK_COMPLETE;
    for (size_t n = 0; n < 3; n++)
        sim_full_report(sim, n);
    assert_int_equal(blocks_live_replicas(sim->b, id), 3);
    sim_free(sim);
}

static void full_report_forgets_what_it_does_not_name(void **state)
{
    struct sim *sim = sim_new(4, 9);
    sim_start(sim);
    uint64_t ids[20];
    for (int i = 0; i < 20; i++)
        ids[i] = sim_write(sim, 0, 3, MIB);
    memset(sim->nodes[0].disk, 0, sizeof sim->nodes[0].disk); /* the disk was replaced behind our back */
    sim_full_report(sim, 0);
    sim_tick(sim);
    assert_int_equal(sim_stats(sim).under_replicated, 20);
    sim_run(sim, 30000);
    assert_int_equal(sim_stats(sim).under_replicated, 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(sim_copies(sim, ids[i]), 3);
    sim_free(sim);
}

static void digest_majority_unmasks_the_odd_replica(void **state)
{
    struct sim *sim = sim_new(4, 10);
    sim_start(sim);
    uint64_t id = sim_write(sim, 0, 3, MIB);
    size_t bad = 0;
    while (!sim->nodes[bad].disk[id - FIRST_ID].there)
        bad++;
    sim->nodes[bad].disk[id - FIRST_ID].xxh3 = 12345; /* rotten, and the datanode hashed it anew */
    sim_full_report(sim, bad);
    assert_int_equal(sim_stats(sim).corrupt, 1);
    sim_run(sim, 20000);
    assert_int_equal(sim_copies(sim, id), 3);
    assert_int_equal(sim_stats(sim).corrupt, 0);
    for (size_t n = 0; n < 4; n++)
        if (sim->nodes[n].disk[id - FIRST_ID].there)
            assert_int_equal(sim->nodes[n].disk[id - FIRST_ID].xxh3, SIM_XXH3(id));
    sim_free(sim);
}

static void two_digests_of_two_replicas_are_left_alone(void **state)
{
    struct sim *sim = sim_new(4, 11);
    sim_start(sim);
    uint64_t id = sim_write(sim, 0, 2, MIB);
    sim->nodes[0].disk[id - FIRST_ID].xxh3 = 12345;
    blocks_free(sim->b); /* a namenode that never saw them agree */
    sim->b = sim_blocks(sim, 1);
    sim_start(sim);
    assert_int_equal(sim_stats(sim).corrupt, 0);
    assert_int_equal(blocks_live_replicas(sim->b, id), 2);
    sim_run(sim, 30000);
    assert_int_equal(sim_copies(sim, id), 2);
    sim_free(sim);
}

static void one_of_two_that_agreed_before_is_the_odd_one(void **state)
{
    struct sim *sim = sim_new(4, 18);
    sim_start(sim);
    uint64_t id = sim_write(sim, 0, 2, MIB);
    sim->nodes[0].disk[id - FIRST_ID].xxh3 = 12345;
    sim_full_report(sim, 0);
    assert_int_equal(sim_stats(sim).corrupt, 1);
    sim_run(sim, 30000);
    assert_int_equal(sim_copies(sim, id), 2);
    assert_true(!sim->nodes[0].disk[id - FIRST_ID].there || sim->nodes[0].disk[id - FIRST_ID].xxh3 == SIM_XXH3(id));
    sim_free(sim);
}

/* Two replicas agreed; they go away, a rotten third returns alone, then one good one: the rotten one is the odd one
 * still. */
static void confirmed_digest_outlives_its_replicas(void **state)
{
    struct sim *sim = sim_new(3, 17);
    sim_start(sim);
    uint64_t id = sim_write(sim, 0, 3, MIB);
    for (size_t n = 0; n < 3; n++)
        sim_kill(sim, n);
    sim_run(sim, 700000);
    assert_int_equal(blocks_live_replicas(sim->b, id), 0);
    sim->nodes[2].disk[id - FIRST_ID].xxh3 = 12345;
    sim->nodes[2].up = true;
    sim_run(sim, 10000);
    assert_int_equal(blocks_live_replicas(sim->b, id), 1); /* all there is: readers may try it */
    sim->nodes[0].up = true;
    sim_run(sim, 10000);
    assert_int_equal(sim_stats(sim).replicas_corrupted, 1);
    sim->nodes[1].up = true;
    sim_run(sim, 30000);
    for (size_t n = 0; n < 3; n++)
        assert_int_equal(sim->nodes[n].disk[id - FIRST_ID].xxh3, SIM_XXH3(id));
    assert_int_equal(sim_copies(sim, id), 3);
    sim_free(sim);
}

/* Suspended, or its disk stood still: that it heard nobody says nothing about them. */
static void a_namenode_that_was_held_up_takes_nobody_for_dead(void **state)
{
    struct sim *sim = sim_new(4, 32);
    sim_start(sim);
    uint64_t id = sim_write(sim, 0, 3, MIB);
    sim_run(sim, 10000);
    sim->now_ms += 3600000;
    sim_kill(sim, 3);
    sim_tick(sim);
    assert_int_equal(sim_stats(sim).dead, 0);
    assert_int_equal(blocks_live_replicas(sim->b, id), 3);
    sim_run(sim, 700000); /* who is dead is found to be so later */
    assert_int_equal(sim_stats(sim).dead, 1);
    assert_int_equal(blocks_live_replicas(sim->b, id), 3);
    sim_free(sim);
}

/* An excess replica waits for its node's next heartbeat to be deleted; meanwhile the block is appended to without it,
 * and one of the others is lost: what it has is old, and makes up for nothing. */
static void excess_replica_of_an_old_version_is_not_taken_back(void **state)
{
    struct sim *sim = sim_new(3, 31);
    sim_start(sim);
    uint64_t id = sim_write(sim, 0, 3, MIB);
    blocks_set_replication(sim->b, id, 2, sim->now_ms);
    struct block *blk = block_table_find(&sim->b->table, id);
    size_t excess = 3;
    for (unsigned i = 0; i < blk->replica_count; i++)
        for (size_t n = 0; n < 3; n++)
            if (block_replicas(blk)[i].flags & REPLICA_EXCESS &&
                sim->b->storages[block_replicas(blk)[i].storage]->node == sim_datanode(sim, n))
                excess = n;
    assert_true(excess < 3);
    size_t a = (excess + 1) % 3, c = (excess + 2) % 3;
    blocks_reopen(sim->b, &sim->records[id - FIRST_ID]);
    uint64_t gs = sim->next_gen_stamp++;
    const char *nodes[] = {sim->nodes[a].uuid}, *storages[] = {sim->nodes[a].storage};
    blocks_update_pipeline(sim->b, id, gs, MIB, nodes, storages, 1); /* the other one was lost on the way */
    sim->nodes[a].disk[id - FIRST_ID].gen_stamp = gs;
    sim->nodes[a].disk[id - FIRST_ID].bytes = 2 * MIB;
    sim->records[id - FIRST_ID].gen_stamp = gs;
    sim->records[id - FIRST_ID].bytes = 2 * MIB;
    sim_event(sim, a, REPLICA_RECEIVED, id);
    assert_true(blocks_commit(sim->b, id, gs, 2 * MIB));
    blocks_complete(sim->b, id, sim->now_ms);
    assert_int_equal(blocks_live_replicas(sim->b, id), 1);
    sim_heartbeat(sim, excess);
    assert_int_equal(blocks_live_replicas(sim->b, id), 1);
    sim_run(sim, 60000);
    assert_int_equal(blocks_live_replicas(sim->b, id), 2);
    assert_int_equal(sim->nodes[excess].disk[id - FIRST_ID].there + sim->nodes[c].disk[id - FIRST_ID].there, 1);
    for (size_t n = 0; n < 3; n++)
        if (sim->nodes[n].disk[id - FIRST_ID].there)
            assert_int_equal(sim->nodes[n].disk[id - FIRST_ID].gen_stamp, gs);
    sim_free(sim);
}

static void decommissioned_node_is_emptied_first(void **state)
{
    struct sim *sim = sim_new(4, 12);
    sim_start(sim);
    uint64_t ids[30];
    for (int i = 0; i < 30; i++)
        ids[i] = sim_write(sim, 0, 3, MIB);
    sim_hosts(sim, "", "10.0.0.1\n");
    const struct datanode_info *n = blocks_datanode_by_uuid(sim->b, "uuid-0");
    assert_int_equal(n->admin, DATANODE_DECOMMISSION_IN_PROGRESS);
    sim_run(sim, 60000);
    assert_int_equal(n->admin, DATANODE_DECOMMISSIONED);
    for (int i = 0; i < 30; i++) {
        struct block_health h;
        blocks_health(sim->b, ids[i], &h);
        assert_int_equal(h.live, 3);
        assert_int_equal(h.decommissioned, 1);
    }
    struct block_location l[8];
    struct choose_args args = {.client_ip = "10.0.0.1", .count = 3, .block_bytes = MIB};
    size_t count = blocks_choose_targets(sim->b, &args, l, 8);
    for (size_t i = 0; i < count; i++)
        assert_string_not_equal(l[i].node->uuid, "uuid-0");
    sim_hosts(sim, "", "");
    assert_int_equal(n->admin, DATANODE_NORMAL);
    sim_run(sim, 30000);
    for (int i = 0; i < 30; i++)
        assert_int_equal(sim_copies(sim, ids[i]), 3);
    sim_free(sim);
}

static void blocks_on_one_rack_spread_when_a_second_one_appears(void **state)
{
    struct sim *sim = sim_new(4, 13);
    sim_start(sim);
    uint64_t ids[20];
    for (int i = 0; i < 20; i++)
        ids[i] = sim_write(sim, (size_t)i % 4, 2, MIB);
    assert_int_equal(blocks_set_topology(sim->b, "10.0.0.1 /a\n10.0.0.2 /a\n10.0.0.3 /b # new\n10.0.0.4 /b\n", NULL),
                     0);
    sim_run(sim, 60000);
    for (int i = 0; i < 20; i++) {
        struct block_health h;
        blocks_health(sim->b, ids[i], &h);
        assert_int_equal(h.racks, 2);
        assert_int_equal(h.live, 2);
        assert_int_equal(sim_copies(sim, ids[i]), 2);
    }
    assert_int_equal(sim_stats(sim).under_replicated, 0);
    sim_free(sim);
}

static uint32_t most_copies_out(const struct sim *sim)
{
    uint32_t most = 0;
    for (size_t i = 0; i < sim->b->node_count; i++)
        if (sim->b->nodes[i] && sim->b->nodes[i]->copies_out > most)
            most = sim->b->nodes[i]->copies_out;
    return most;
}

/* Large blocks, of which a source sends few at once. */
static uint32_t copies_out_after_a_loss(uint16_t replication)
{
    struct sim *sim = sim_new(4, 21);
    sim_start(sim);
    for (int i = 0; i < 60; i++)
        assert_int_not_equal(sim_write(sim, 0, replication, 128u * MIB), 0);
    sim->drop_transfers = true;
    sim_kill(sim, 1);
    sim_run(sim, DEAD_MS + 20000);
    uint32_t most = most_copies_out(sim);
    sim_free(sim);
    return most;
}

static void sources_send_more_at_once_of_what_is_nearly_lost(void **state)
{
    assert_int_equal(copies_out_after_a_loss(3), 2);
    assert_int_equal(copies_out_after_a_loss(2), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_datanode_is_replaced),
        cmocka_unit_test(sources_send_more_at_once_of_what_is_nearly_lost),
        cmocka_unit_test(blocks_count_at_once_for_who_asks_what_a_node_holds),
        cmocka_unit_test(returning_datanode_makes_excess_replicas_go),
        cmocka_unit_test(corrupt_replica_is_replaced_then_deleted),
        cmocka_unit_test(corrupt_replica_is_replaced_where_every_node_has_one),
        cmocka_unit_test(corrupt_replica_is_replaced_when_the_last_free_node_dies),
        cmocka_unit_test(last_replica_is_never_deleted),
        cmocka_unit_test(replication_follows_setrep),
        cmocka_unit_test(hopeless_blocks_do_not_delay_others),
        cmocka_unit_test(absurd_names_are_refused),
        cmocka_unit_test(lost_copies_are_tried_again),
        cmocka_unit_test(removed_blocks_are_deleted_even_if_a_command_was_lost),
        cmocka_unit_test(replicas_of_unreadable_records_are_left_alone),
        cmocka_unit_test(full_report_forgets_what_it_does_not_name),
        cmocka_unit_test(digest_majority_unmasks_the_odd_replica),
        cmocka_unit_test(two_digests_of_two_replicas_are_left_alone),
        cmocka_unit_test(one_of_two_that_agreed_before_is_the_odd_one),
        cmocka_unit_test(confirmed_digest_outlives_its_replicas),
        cmocka_unit_test(a_namenode_that_was_held_up_takes_nobody_for_dead),
        cmocka_unit_test(excess_replica_of_an_old_version_is_not_taken_back),
        cmocka_unit_test(decommissioned_node_is_emptied_first),
        cmocka_unit_test(blocks_on_one_rack_spread_when_a_second_one_appears),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "cluster.h"

#define MIB (1u << 20)

static size_t choose(struct sim *sim, const char *client, size_t count, struct block_location *ret)
{
    struct choose_args args = {.client_ip = client, .count = count, .block_bytes = MIB};
    return blocks_choose_targets(sim->b, &args, ret, BLOCK_LOCATIONS_MAX);
}

static void pipeline_is_local_then_other_rack_then_same_other_rack(void **state)
{
    struct sim *sim = sim_new(6, 1);
    assert_int_equal(blocks_set_topology(sim->b,
                                         "10.0.0.1 /a\n10.0.0.2 /a\n10.0.0.3 /b\n10.0.0.4 /b\n"
                                         "10.0.0.5 /c\n10.0.0.6 /c\n",
                                         NULL),
                     0);
    sim_start(sim);
    struct block_location l[BLOCK_LOCATIONS_MAX];
    for (int i = 0; i < 200; i++) {
        assert_int_equal(choose(sim, "10.0.0.3", 3, l), 3);
        assert_string_equal(l[0].node->uuid, "uuid-2");
        assert_string_not_equal(l[1].node->rack, "/b");
        assert_string_equal(l[2].node->rack, l[1].node->rack);
        assert_string_not_equal(l[2].node->uuid, l[1].node->uuid);
    }
    sim_free(sim);
}

static void one_rack_gives_distinct_random_nodes(void **state)
{
    struct sim *sim = sim_new(5, 2);
    sim_start(sim);
    struct block_location l[BLOCK_LOCATIONS_MAX];
    unsigned first[SIM_NODES] = {0};
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(choose(sim, "192.168.1.1", 3, l), 3);
        first[sim_node_of(sim, &l[0])]++;
        for (int x = 0; x < 3; x++)
            for (int y = 0; y < x; y++)
                assert_string_not_equal(l[x].node->uuid, l[y].node->uuid);
    }
    for (int n = 0; n < 5; n++)
        assert_in_range(first[n], 120, 280);
    assert_int_equal(choose(sim, NULL, 9, l), 5); /* no more nodes than there are */
    sim_free(sim);
}

static void holes_are_on_live_nodes_near_the_reader(void **state)
{
    struct sim *sim = sim_new(4, 9);
    struct block_location l[BLOCK_LOCATIONS_MAX];
    assert_int_equal(blocks_anywhere(sim->b, "10.0.0.1", l, 3), 0); /* nobody is there yet */
    assert_int_equal(blocks_set_topology(sim->b, "10.0.0.1 /a\n10.0.0.2 /a\n10.0.0.3 /b\n10.0.0.4 /b\n", NULL), 0);
    sim_start(sim);
    unsigned last[SIM_NODES] = {0};
    for (int i = 0; i < 200; i++) {
        assert_int_equal(blocks_anywhere(sim->b, "10.0.0.3", l, 3), 3);
        assert_int_equal(sim_node_of(sim, &l[0]), 2);
        assert_int_equal(sim_node_of(sim, &l[1]), 3);
        last[sim_node_of(sim, &l[2])]++;
    }
    assert_in_range(last[0], 60, 140);
    assert_int_equal(last[0] + last[1], 200);
    sim_kill(sim, 2);
    sim_run(sim, 30 * 60000);
    assert_int_equal(blocks_anywhere(sim->b, "10.0.0.3", l, BLOCK_LOCATIONS_MAX), 3);
    for (int i = 0; i < 3; i++)
        assert_int_not_equal(sim_node_of(sim, &l[i]), 2);
    sim_free(sim);
}

static void excluded_and_existing_nodes_are_not_chosen(void **state)
{
    struct sim *sim = sim_new(5, 3);
    sim_start(sim);
    const char *excluded[] = {"uuid-0", "never heard of"}, *existing[] = {"uuid-1", "uuid-2"};
    struct choose_args args = {.client_ip = "10.0.0.1",
                               .count = 3,
                               .block_bytes = MIB,
                               .excluded = excluded,
                               .excluded_count = 2,
                               .existing = existing,
                               .existing_count = 2};
    struct block_location l[8];
    assert_int_equal(blocks_choose_targets(sim->b, &args, l, 8), 2);
    for (int i = 0; i < 2; i++)
        assert_true(sim_node_of(sim, &l[i]) >= 3);
    sim_free(sim);
}

static void full_nodes_are_avoided_and_booked_room_counts(void **state)
{
    struct sim *sim = sim_new(3, 4);
    sim->nodes[0].capacity = 0;
    sim->nodes[1].capacity = 2 * MIB;
    sim_start(sim);
    struct block_location l[8];
    assert_int_equal(choose(sim, "10.0.0.1", 3, l), 2);
    const char *storages[] = {"DS-1"};
    blocks_under_construction(sim->b, FIRST_ID, 1, 2 * MIB, 1, storages, 1);
    assert_int_equal(choose(sim, "10.0.0.2", 3, l), 1); /* its room is promised to that block */
    assert_string_equal(l[0].node->uuid, "uuid-2");
    blocks_remove(sim->b, FIRST_ID);
    assert_int_equal(choose(sim, "10.0.0.2", 3, l), 2);
    sim_free(sim);
}

static void silent_nodes_are_the_last_choice(void **state)
{
    struct sim *sim = sim_new(3, 5);
    sim_start(sim);
    sim_kill(sim, 0);
    sim_run(sim, 40000);
    struct block_location l[8];
    for (int i = 0; i < 20; i++) {
        assert_int_equal(choose(sim, "10.0.0.1", 2, l), 2);
        assert_string_not_equal(l[0].node->uuid, "uuid-0");
        assert_string_not_equal(l[1].node->uuid, "uuid-0");
    }
    assert_int_equal(choose(sim, "10.0.0.1", 3, l), 3);
    assert_string_equal(l[2].node->uuid, "uuid-0");
    sim_free(sim);
}

static void favored_and_no_local_write(void **state)
{
    struct sim *sim = sim_new(4, 6);
    sim_start(sim);
    const char *favored[] = {"10.0.0.4:9866"};
    struct choose_args args = {
        .client_ip = "10.0.0.1", .count = 2, .block_bytes = MIB, .favored = favored, .favored_count = 1};
    struct block_location l[8];
    assert_int_equal(blocks_choose_targets(sim->b, &args, l, 8), 2);
    assert_string_equal(l[0].node->uuid, "uuid-3");
    args = (struct choose_args){.client_ip = "10.0.0.1", .count = 3, .block_bytes = MIB, .no_local_write = true};
    for (int i = 0; i < 20; i++) {
        assert_int_equal(blocks_choose_targets(sim->b, &args, l, 8), 3);
        for (int k = 0; k < 3; k++)
            assert_string_not_equal(l[k].node->uuid, "uuid-0");
    }
    args.count = 4; /* better there than nowhere */
    assert_int_equal(blocks_choose_targets(sim->b, &args, l, 8), 4);
    sim_free(sim);
}

static void moved_and_replaced_datanodes(void **state)
{
    struct sim *sim = sim_new(3, 7);
    sim_start(sim);
    sim_write(sim, 0, 3, MIB);
    snprintf(sim->nodes[0].ip, sizeof sim->nodes[0].ip, "10.0.0.99");
    sim_register(sim, 0); /* same identity, new address */
    assert_non_null(blocks_datanode_by_ip(sim->b, "10.0.0.99", 9866));
    assert_null(blocks_datanode_by_ip(sim->b, "10.0.0.1", 9866));
    assert_int_equal(sim_stats(sim).live, 3);
    snprintf(sim->nodes[1].uuid, sizeof sim->nodes[1].uuid, "new-disk");
    memset(sim->nodes[1].disk, 0, sizeof sim->nodes[1].disk);
    sim_register(sim, 1); /* same address, new identity: the old one is no more */
    assert_null(blocks_datanode_by_uuid(sim->b, "uuid-1"));
    assert_int_equal(sim_stats(sim).live, 3);
    assert_int_equal(sim_stats(sim).dead, 0);
    sim_run(sim, 30000);
    assert_int_equal(sim_stats(sim).under_replicated, 0);
    assert_int_equal(sim_copies(sim, FIRST_ID), 3);
    sim_free(sim);
}

static void unlisted_hosts_are_refused(void **state)
{
    struct sim *sim = sim_new(2, 8);
    sim_hosts(sim, "# who may join\n10.0.0.1:9866\n", NULL);
    struct datanode_registration r = {.uuid = "u", .ip = "10.0.0.2", .hostname = "b", .xfer_port = 9866};
    struct err e;
    assert_int_equal(blocks_register(sim->b, &r, 0, NULL, &e), ERR_DISALLOWED_NODE);
    assert_non_null(strstr(e.text, "10.0.0.2:9866"));
    r.ip = "10.0.0.1";
    assert_int_equal(blocks_register(sim->b, &r, 0, NULL, &e), 0);
    sim_free(sim);
}

static void bad_topology_line_is_named(void **state)
{
    struct sim *sim = sim_new(1, 9);
    struct err e;
    assert_int_equal(blocks_set_topology(sim->b, "# racks\n\n10.0.0.1 rack1\n", &e), ERR_CONFIG);
    assert_non_null(strstr(e.text, "line 3"));
    assert_int_equal(blocks_set_topology(sim->b, "10.0.0.1 /dc/rack1\n", &e), 0);
    assert_string_equal(blocks_rack_of(sim->b, "10.0.0.1"), "/dc/rack1");
    assert_string_equal(blocks_rack_of(sim->b, "elsewhere"), "/default-rack");
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipeline_is_local_then_other_rack_then_same_other_rack),
        cmocka_unit_test(one_rack_gives_distinct_random_nodes),
        cmocka_unit_test(holes_are_on_live_nodes_near_the_reader),
        cmocka_unit_test(excluded_and_existing_nodes_are_not_chosen),
        cmocka_unit_test(full_nodes_are_avoided_and_booked_room_counts),
        cmocka_unit_test(silent_nodes_are_the_last_choice),
        cmocka_unit_test(favored_and_no_local_write),
        cmocka_unit_test(moved_and_replaced_datanodes),
        cmocka_unit_test(unlisted_hosts_are_refused),
        cmocka_unit_test(bad_topology_line_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

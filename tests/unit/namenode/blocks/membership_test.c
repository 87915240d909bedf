#include "tests/unit/namenode/blocks/cluster.h"

/* Who is who: the uuid alone, wherever a datanode is seen. */

static struct datanode_registration coming(const char *uuid, const char *ip, const char *own_ip)
{
    return (struct datanode_registration){.uuid = uuid,
                                          .hostname = "host",
                                          .ip = ip,
                                          .own_ip = own_ip,
                                          .xfer_port = 9866,
                                          .ipc_port = 9867,
                                          .software_version = "3.4.1"};
}

static void enter(struct blocks *b, const struct datanode_registration *r)
{
    struct err why = {0};
    if (blocks_register(b, r, 1000, NULL, &why))
        fail_msg("%s", why.text);
}

static size_t known(struct blocks *b)
{
    struct arena a;
    const struct datanode_info **nodes;
    arena_init(&a, 1 << 20);
    size_t count = blocks_datanodes(b, DATANODES_ALL, &a, &nodes);
    arena_free(&a);
    return count;
}

static void a_datanode_that_moves_leaves_no_ghost(void **state)
{
    struct sim *sim = sim_new(0, 1);
    struct blocks *b = sim->b;
    struct datanode_registration r = coming("u1", "10.0.0.1", "10.0.0.1");
    enter(b, &r);
    r = coming("u1", "10.0.0.2", "10.0.0.2");
    enter(b, &r);
    assert_int_equal(known(b), 1);
    assert_null(blocks_datanode_by_ip(b, "10.0.0.1", 9866));
    assert_string_equal(blocks_datanode_by_uuid(b, "u1")->ip, "10.0.0.2");
    sim_free(sim);
}

static void an_address_that_another_datanode_takes_over_is_its(void **state)
{
    struct sim *sim = sim_new(0, 1);
    struct blocks *b = sim->b;
    struct datanode_registration r = coming("u1", "10.0.0.1", "10.0.0.1");
    enter(b, &r);
    r = coming("u2", "10.0.0.1", "10.0.0.1");
    enter(b, &r);
    assert_int_equal(known(b), 1);
    assert_null(blocks_datanode_by_uuid(b, "u1"));
    sim_free(sim);
}

static void two_behind_one_gateway_stay_two(void **state)
{
    struct sim *sim = sim_new(0, 1);
    struct blocks *b = sim->b;
    struct datanode_registration one = coming("u1", "192.0.2.1", "10.0.0.1"),
                                 two = coming("u2", "192.0.2.1", "10.0.0.2");
    for (int i = 0; i < 3; i++) { /* and stay so, however often they come */
        enter(b, &one);
        enter(b, &two);
        assert_int_equal(known(b), 2);
    }
    assert_string_equal(blocks_datanode_by_uuid(b, "u1")->ip, "192.0.2.1");
    assert_string_equal(blocks_datanode_by_uuid(b, "u2")->ip, "10.0.0.2");
    struct datanode_registration anew = coming("u3", "192.0.2.1", "10.0.0.2"); /* on an empty disk */
    enter(b, &anew);
    assert_int_equal(known(b), 2);
    assert_null(blocks_datanode_by_uuid(b, "u2"));
    sim_free(sim);
}

static void advertised_addresses_are_checked_and_change_what_peers_know(void **state)
{
    struct sim *sim = sim_new(0, 1);
    struct blocks *b = sim->b;
    struct err why = {0};
    struct datanode_registration r = coming("u1", "10.0.0.1", "10.0.0.1");
    enter(b, &r);
    assert_int_equal(blocks_peers_version(b), 0); /* nobody needs to be told anything */
    r.advertised = "10.0.0.0/8";
    assert_int_equal(blocks_register(b, &r, 1000, NULL, &why), ERR_CONFIG);
    assert_non_null(strstr(why.text, "10.0.0.0/8"));
    r.advertised = "10.0.0.0/8=outside:1";
    enter(b, &r);
    uint64_t before = blocks_peers_version(b);
    assert_true(before > 0);
    r = coming("u2", "10.0.0.2", "10.0.0.2");
    enter(b, &r);
    assert_true(blocks_peers_version(b) > before);
    sim_free(sim);
}

/* As in HDFS: an operator sees who was to come and did not. */
static void who_is_in_the_include_list_and_never_came_is_dead(void **state)
{
    struct sim *sim = sim_new(2, 1);
    sim_start(sim);
    assert_int_equal(sim_stats(sim).dead, 0);
    sim_hosts(sim, "10.0.0.1 10.0.0.2 10.0.0.77 10.0.0.78:52 10.0.0.78:52 unresolved", "");
    struct blocks_stats stats = sim_stats(sim);
    assert_int_equal(stats.live, 2);
    assert_int_equal(stats.dead, 2);
    AUTO_ARENA(a, 1 << 20);
    const struct datanode_info **nodes;
    assert_int_equal(blocks_datanodes(sim->b, DATANODES_LIVE, &a, &nodes), 2);
    assert_int_equal(blocks_datanodes(sim->b, DATANODES_ALL, &a, &nodes), 4);
    assert_int_equal(blocks_datanodes(sim->b, DATANODES_DEAD, &a, &nodes), 2);
    assert_string_equal(nodes[0]->ip, "10.0.0.77");
    assert_int_equal(nodes[0]->xfer_port, 9866);
    assert_int_equal(nodes[1]->xfer_port, 52);
    struct storage_info *storages;
    assert_int_equal(blocks_storages(sim->b, nodes[1], &a, &storages), 0);
    sim_hosts(sim, "", "");
    assert_int_equal(sim_stats(sim).dead, 0);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_in_the_include_list_and_never_came_is_dead),
        cmocka_unit_test(a_datanode_that_moves_leaves_no_ghost),
        cmocka_unit_test(an_address_that_another_datanode_takes_over_is_its),
        cmocka_unit_test(two_behind_one_gateway_stay_two),
        cmocka_unit_test(advertised_addresses_are_checked_and_change_what_peers_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

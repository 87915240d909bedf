/* Datanodes in maintenance, and the host lists that say so. */
#include "cluster.h"

#define MIB (1u << 20)

static const struct datanode_info *node(struct sim *sim, const char *uuid)
{
    return blocks_datanode_by_uuid(sim->b, uuid);
}

static struct block_health health(struct sim *sim, uint64_t id)
{
    struct block_health h;
    blocks_health(sim->b, id, &h);
    return h;
}

static void write_many(struct sim *sim, uint16_t replication, uint64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ids[i] = sim_write(sim, 0, replication, MIB);
}

static void replicas_in_maintenance_are_not_made_up_for(void **state)
{
    struct sim *sim = sim_new(4, 21);
    uint64_t ids[20];
    sim_start(sim);
    write_many(sim, 3, ids, 20);
    sim_hosts_json(sim, "[{\"hostName\": \"10.0.0.1\", \"adminState\": \"IN_MAINTENANCE\"}]");
    assert_int_equal(node(sim, "uuid-0")->admin, DATANODE_ENTERING_MAINTENANCE);
    sim_run(sim, 30000);
    assert_int_equal(node(sim, "uuid-0")->admin, DATANODE_IN_MAINTENANCE);
    uint64_t copied = sim_stats(sim).replicas_copied;
    sim->nodes[0].up = false;
    sim_run(sim, 1200000);
    assert_false(node(sim, "uuid-0")->alive);
    assert_int_equal(node(sim, "uuid-0")->admin, DATANODE_IN_MAINTENANCE);
    assert_int_equal(sim_stats(sim).replicas_copied, copied);
    assert_int_equal(sim_stats(sim).under_replicated, 0);
    assert_int_equal(sim_stats(sim).in_maintenance_dead, 1);
    for (int i = 0; i < 20; i++) {
        struct block_location l[8];
        assert_int_equal(health(sim, ids[i]).live, 2);
        assert_int_equal(health(sim, ids[i]).in_maintenance, 1);
        assert_int_equal(blocks_locations(sim->b, ids[i], "10.0.0.1", l, 8), 2);
        assert_int_equal(blocks_replicas(sim->b, ids[i], l, 8), 3);
    }
    sim->nodes[0].up = true; /* it comes back and is wanted again: nothing was copied */
    sim_run(sim, 30000);
    sim_hosts_json(sim, "");
    sim_run(sim, 30000);
    assert_int_equal(sim_stats(sim).replicas_copied, copied);
    for (int i = 0; i < 20; i++)
        assert_int_equal(health(sim, ids[i]).live, 3);
    sim_free(sim);
}

static void the_minimum_is_made_first(void **state)
{
    struct sim *sim = sim_new(3, 22);
    uint64_t ids[20];
    sim_start(sim);
    write_many(sim, 1, ids, 20); /* all on the writer's node */
    sim_hosts_json(sim, "[{\"hostName\": \"10.0.0.1\", \"adminState\": \"IN_MAINTENANCE\"}]");
    sim->drop_transfers = true;
    sim_run(sim, 30000);
    assert_int_equal(node(sim, "uuid-0")->admin, DATANODE_ENTERING_MAINTENANCE); /* nobody else has them yet */
    assert_int_equal(health(sim, ids[0]).entering_maintenance, 1);
    sim->drop_transfers = false;
    sim_run(sim, 400000);
    assert_int_equal(node(sim, "uuid-0")->admin, DATANODE_IN_MAINTENANCE);
    for (int i = 0; i < 20; i++)
        assert_int_equal(health(sim, ids[i]).live, 1);
    sim_free(sim);
}

static void a_minimum_of_none_is_obeyed(void **state)
{
    struct sim *sim = sim_new(3, 23);
    struct block_location l[8];
    sim->b->options.maintenance_min = 0;
    sim_start(sim);
    uint64_t id = sim_write(sim, 0, 1, MIB);
    sim_hosts_json(sim, "[{\"hostName\": \"10.0.0.1\", \"adminState\": \"IN_MAINTENANCE\"}]");
    sim_run(sim, 30000);
    assert_int_equal(node(sim, "uuid-0")->admin, DATANODE_IN_MAINTENANCE);
    assert_int_equal(sim_stats(sim).replicas_copied, 0);
    assert_int_equal(sim_stats(sim).missing, 0);
    assert_int_equal(blocks_locations(sim->b, id, NULL, l, 8), 0);
    sim_free(sim);
}

static void maintenance_ends_by_itself(void **state)
{
    struct sim *sim = sim_new(4, 24);
    char json[200];
    uint64_t ids[10];
    sim_start(sim);
    write_many(sim, 3, ids, 10);
    snprintf(json, sizeof json,
             "{\"hostName\": \"10.0.0.1\", \"port\": 9866, \"adminState\": \"IN_MAINTENANCE\",\n"
             " \"maintenanceExpireTimeInMS\": %llu}",
             (unsigned long long)sim->now_ms + 900000);
    sim_hosts_json(sim, json);
    sim_run(sim, 30000);
    assert_int_equal(node(sim, "uuid-0")->admin, DATANODE_IN_MAINTENANCE);
    sim->nodes[0].up = false;
    sim_run(sim, 800000);
    assert_int_equal(health(sim, ids[0]).in_maintenance, 1);
    sim_run(sim, 300000); /* it never came back: now it is as dead as any other */
    assert_int_equal(node(sim, "uuid-0")->admin, DATANODE_NORMAL);
    sim_run(sim, 100000);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(health(sim, ids[i]).live, 3);
        assert_int_equal(health(sim, ids[i]).in_maintenance, 0);
    }
    sim_free(sim);
}

static void a_node_that_dies_on_the_way_is_made_up_for(void **state)
{
    struct sim *sim = sim_new(4, 25);
    uint64_t ids[10];
    sim_start(sim);
    write_many(sim, 3, ids, 10);
    sim->b->safe_mode_manual = true; /* so that it stays on the way */
    sim_hosts_json(sim, "[{\"hostName\": \"10.0.0.2\", \"adminState\": \"IN_MAINTENANCE\"}]");
    sim->nodes[1].up = false;
    sim_run(sim, 700000);
    sim->b->safe_mode_manual = false;
    assert_int_equal(node(sim, "uuid-1")->admin, DATANODE_IN_MAINTENANCE);
    sim_run(sim, 100000);
    for (int i = 0; i < 10; i++)
        assert_int_equal(health(sim, ids[i]).live, 3);
    sim_free(sim);
}

static void maintenance_turns_into_decommissioning(void **state)
{
    struct sim *sim = sim_new(4, 26);
    uint64_t ids[10];
    sim_start(sim);
    write_many(sim, 3, ids, 10);
    sim_hosts_json(sim, "[{\"hostName\": \"10.0.0.1\", \"adminState\": \"IN_MAINTENANCE\"}]");
    sim_run(sim, 30000);
    sim_hosts_json(sim, "[{\"hostName\": \"10.0.0.1\", \"adminState\": \"DECOMMISSIONED\"}]");
    assert_int_equal(node(sim, "uuid-0")->admin, DATANODE_DECOMMISSION_IN_PROGRESS);
    sim_run(sim, 100000);
    assert_int_equal(node(sim, "uuid-0")->admin, DATANODE_DECOMMISSIONED);
    for (int i = 0; i < 10; i++)
        assert_int_equal(health(sim, ids[i]).live, 3);
    sim_free(sim);
}

/* What a node holds is known only when it has said so: until then nothing it may be the only one to have is safe. */
static void a_node_that_has_not_reported_does_not_leave(void **state)
{
    static const char *const wishes[] = {"DECOMMISSIONED", "IN_MAINTENANCE"};
    for (size_t i = 0; i < 2; i++) {
        char json[100];
        struct sim *sim = sim_new(3, 27);
        uint64_t ids[10];
        sim_start(sim);
        write_many(sim, 1, ids, 10); /* all on the writer's node */
        sim_kill(sim, 0);
        sim_run(sim, 700000);
        sim_register(sim, 0); /* it is back, and its report is long */
        sim->nodes[0].up = true;
        sim->nodes[0].needs_report = false;
        snprintf(json, sizeof json, "[{\"hostName\": \"10.0.0.1\", \"adminState\": \"%s\"}]", wishes[i]);
        sim_hosts_json(sim, json);
        sim_run(sim, 60000);
        assert_true(datanode_is_leaving(sim_datanode(sim, 0)));
        sim_full_report(sim, 0);
        sim_run(sim, 100000);
        assert_false(datanode_is_leaving(sim_datanode(sim, 0)));
        for (int k = 0; k < 10; k++)
            assert_int_equal(health(sim, ids[k]).live, 1); /* elsewhere */
        sim_free(sim);
    }
}

/* Files that are wanted on more nodes than there are, as the files of jobs are, keep nobody. */
static void a_file_wanted_everywhere_keeps_no_node(void **state)
{
    struct sim *sim = sim_new(4, 28);
    sim_start(sim);
    uint64_t id = sim_write(sim, 0, 10, MIB);
    sim_hosts_json(sim, "[{\"hostName\": \"10.0.0.1\", \"adminState\": \"DECOMMISSIONED\"}]");
    sim_run(sim, 60000);
    assert_int_equal(node(sim, "uuid-0")->admin, DATANODE_DECOMMISSIONED);
    assert_int_equal(health(sim, id).live, 3);
    sim_hosts_json(sim, "[{\"hostName\": \"10.0.0.1\", \"adminState\": \"DECOMMISSIONED\"},"
                        "{\"hostName\": \"10.0.0.2\", \"adminState\": \"DECOMMISSIONED\"}]");
    sim_run(sim, 60000); /* fewer would be left than a file has by default */
    assert_int_equal(node(sim, "uuid-1")->admin, DATANODE_DECOMMISSION_IN_PROGRESS);
    sim_free(sim);
}

/* ---- host lists ---- */

static struct host_wish wish(const char *json, uint16_t port, int64_t now_ms)
{
    static struct host_list list;
    struct err e;
    host_list_free(&list);
    assert_int_equal(host_list_from_json((struct slice){(const uint8_t *)json, strlen(json)}, &list, &e), 0);
    struct datanode_info d = {.ip = "10.0.0.1", .hostname = "one", .xfer_port = port};
    return host_list_wish(&list, &d, now_ms);
}

static void json_says_who_may_join(void **state)
{
    assert_true(wish("", 1, 0).may_join);
    assert_true(wish("[]", 1, 0).may_join);
    assert_true(wish("[{\"hostName\":\"two\",\"adminState\":\"DECOMMISSIONED\"}]", 1, 0).may_join);
    assert_false(wish("[{\"hostName\":\"two\"}]", 1, 0).may_join);
    assert_true(wish("[{\"hostName\":\"two\"},{\"hostName\":\"one\",\"port\":7}]", 7, 0).may_join);
    assert_false(wish("[{\"hostName\":\"two\"},{\"hostName\":\"one\",\"port\":7}]", 8, 0).may_join);
    assert_string_equal(
        wish("{\"hostName\":\"two\"} {\"hostName\":\"10.0.0.1\",\"upgradeDomain\":\"d\"}", 1, 0).upgrade_domain, "d");
    const char *away = "[{\"hostName\":\"one\",\"adminState\":\"IN_MAINTENANCE\",\"maintenanceExpireTimeInMS\":50}]";
    assert_int_equal(wish(away, 1, 49).wanted, DATANODE_IN_MAINTENANCE);
    assert_int_equal(wish(away, 1, 50).wanted, DATANODE_NORMAL);
    assert_true(wish("[]", 1, 0).may_join); /* frees the last one's strings */
}

static void nonsense_is_refused(void **state)
{
    static const char *const bad[] = {
        "[",
        "[{\"hostName\":\"one\"}] x",
        "[1]",
        "[{}]",
        "[{\"hostName\":7}]",
        "[{\"hostName\":\"one\",\"port\":70000}]",
        "[{\"hostName\":\"one\",\"adminState\":\"AWAY\"}]",
        "[{\"hostName\":\"one\",\"adminState\":null}]",
        "[{\"hostName\":\"one\",\"maintenanceExpireTimeInMS\":\"soon\"}]",
        "[{\"hostName\":\"one\",\"upgradeDomain\":7}]",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct host_list list;
        struct err e;
        int rc = host_list_from_json((struct slice){(const uint8_t *)bad[i], strlen(bad[i])}, &list, &e);
        assert_int_equal(rc, ERR_CONFIG);
        assert_int_equal(list.count, 0);
    }
}

static void names_are_told_apart(void **state)
{
    struct host_list list;
    struct datanode_info d = {.ip = "10.0.0.1", .hostname = "one", .xfer_port = 9866};
    host_list_from_names("10.0.0.1:9866 two # 10.0.0.3\n", "ONE:9866", &list);
    assert_int_equal(list.count, 3);
    assert_true(host_list_wish(&list, &d, 0).may_join);
    assert_int_equal(host_list_wish(&list, &d, 0).wanted, DATANODE_DECOMMISSIONED);
    d.xfer_port = 9867;
    assert_false(host_list_wish(&list, &d, 0).may_join);
    host_list_free(&list);
    assert_false(hosts_contain("10.0.0.11 10.0.0 10.0.0.1: 10.0.0.1:x", &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replicas_in_maintenance_are_not_made_up_for),
        cmocka_unit_test(the_minimum_is_made_first),
        cmocka_unit_test(a_minimum_of_none_is_obeyed),
        cmocka_unit_test(maintenance_ends_by_itself),
        cmocka_unit_test(a_node_that_dies_on_the_way_is_made_up_for),
        cmocka_unit_test(maintenance_turns_into_decommissioning),
        cmocka_unit_test(a_node_that_has_not_reported_does_not_leave),
        cmocka_unit_test(a_file_wanted_everywhere_keeps_no_node),
        cmocka_unit_test(json_says_who_may_join),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(names_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

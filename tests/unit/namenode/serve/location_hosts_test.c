/* The hosts of block locations, as a program that plans work by them sees them. */
#include "../../check.h"

#include <stdio.h>
#include <string.h>

#include "namenode/serve/location_hosts.h"

#define REPLICAS_MAX 5
#define KEPT         3 /* Spark's SQL prefers the three hosts with most bytes */

struct fixture {
    struct arena arena;
    Hdfs__LocatedBlockProto block;
    Hdfs__ExtendedBlockProto id;
    Hdfs__DatanodeInfoProto nodes[REPLICAS_MAX], *locs[REPLICAS_MAX];
    Hdfs__DatanodeIDProto ids[REPLICAS_MAX];
    char names[REPLICAS_MAX][16], addresses[REPLICAS_MAX][16], *storages[REPLICAS_MAX];
    protobuf_c_boolean cached[REPLICAS_MAX];
    Hdfs__StorageTypeProto types[REPLICAS_MAX];
};

static void make(struct fixture *f, uint64_t block, size_t replicas, bool with_names)
{
    hdfs__located_block_proto__init(&f->block);
    hdfs__extended_block_proto__init(&f->id);
    f->id.blockid = block;
    f->block.b = &f->id;
    f->block.n_locs = f->block.n_iscached = f->block.n_storagetypes = f->block.n_storageids = replicas;
    f->block.locs = f->locs;
    f->block.iscached = f->cached;
    f->block.storagetypes = f->types;
    f->block.storageids = f->storages;
    for (size_t i = 0; i < replicas; i++) {
        hdfs__datanode_info_proto__init(&f->nodes[i]);
        hdfs__datanode_idproto__init(&f->ids[i]);
        snprintf(f->addresses[i], sizeof f->addresses[i], "10.0.0.%u", (unsigned)(i + 1) % 256);
        snprintf(f->names[i], sizeof f->names[i], with_names ? "node%zu" : "10.0.0.%zu", i + 1);
        f->ids[i].hostname = f->names[i];
        f->ids[i].ipaddr = f->addresses[i];
        f->nodes[i].id = &f->ids[i];
        f->locs[i] = &f->nodes[i];
        f->storages[i] = f->addresses[i]; /* so that it shows whose it is */
        f->cached[i] = i % 2;
        f->types[i] = (Hdfs__StorageTypeProto)(1 + i % 2);
    }
}

static int set_up(void **state)
{
    static struct fixture f;
    arena_init(&f.arena, 1 << 20);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    arena_free(&((struct fixture *)*state)->arena);
    return 0;
}

static size_t times_there(const Hdfs__LocatedBlockProto *l, const char *host)
{
    size_t times = 0;
    for (size_t i = 0; i < l->n_locs; i++)
        times += strcmp(l->locs[i]->id->hostname, host) == 0;
    return times;
}

static void each_place_keeps_its_storage(void **state)
{
    struct fixture *f = *state;
    for (int form = LOCATION_HOSTS_NAME; form <= LOCATION_HOSTS_BOTH; form++) {
        make(f, 7, 3, true);
        location_hosts_name(&f->arena, &f->block, (enum location_hosts)form);
        const Hdfs__LocatedBlockProto *l = &f->block;
        assert_true(l->n_locs == l->n_iscached && l->n_locs == l->n_storagetypes && l->n_locs == l->n_storageids);
        for (size_t i = 0; i < l->n_locs; i++) {
            size_t node = (size_t)(l->storageids[i][7] - '1');
            assert_string_equal(l->locs[i]->id->ipaddr, l->storageids[i]);
            assert_int_equal(l->iscached[i], node % 2);
            assert_int_equal(l->storagetypes[i], 1 + node % 2);
        }
    }
}

static void a_form_alone_names_each_replica_once(void **state)
{
    struct fixture *f = *state;
    make(f, 7, 3, true);
    location_hosts_name(&f->arena, &f->block, LOCATION_HOSTS_NAME);
    assert_int_equal(f->block.n_locs, 3);
    assert_int_equal(times_there(&f->block, "node2"), 1);
    location_hosts_name(&f->arena, &f->block, LOCATION_HOSTS_ADDRESS);
    assert_int_equal(f->block.n_locs, 3);
    assert_int_equal(times_there(&f->block, "10.0.0.2"), 1);
}

static void one_name_is_given_once(void **state)
{
    struct fixture *f = *state;
    make(f, 7, 3, false);
    location_hosts_name(&f->arena, &f->block, LOCATION_HOSTS_BOTH);
    assert_int_equal(f->block.n_locs, 3);
    make(f, 7, 0, false);
    location_hosts_name(&f->arena, &f->block, LOCATION_HOSTS_BOTH);
    assert_int_equal(f->block.n_locs, 0);
}

/* Fewer than KEPT hosts are at least as heavy as this one, so it is among those kept however ties are broken. */
static bool is_kept(const Hdfs__LocatedBlockProto *l, const char *host)
{
    size_t rivals = 0, own = times_there(l, host);
    for (size_t i = 0; i < l->n_locs; i++) {
        const char *other = l->locs[i]->id->hostname;
        bool is_first = true;
        for (size_t j = 0; j < i; j++)
            is_first &= strcmp(l->locs[j]->id->hostname, other) != 0;
        rivals += is_first && strcmp(other, host) != 0 && times_there(l, other) >= own;
    }
    return own && rivals < KEPT;
}

static void one_replica_is_preferred_in_both_forms_another_each_time(void **state)
{
    struct fixture *f = *state;
    for (size_t replicas = 1; replicas <= REPLICAS_MAX; replicas++) {
        size_t preferred[REPLICAS_MAX] = {0};
        for (uint64_t block = 0; block < 60; block++) {
            size_t both = 0;
            make(f, 1073741825 + block, replicas, true);
            location_hosts_name(&f->arena, &f->block, LOCATION_HOSTS_BOTH);
            for (size_t i = 0; i < replicas; i++)
                if (is_kept(&f->block, f->names[i]) && is_kept(&f->block, f->addresses[i])) {
                    preferred[i]++;
                    both++;
                }
            assert_int_equal(both, 1);
        }
        for (size_t i = 0; i < replicas; i++)
            assert_int_equal(preferred[i], 60 / replicas);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_place_keeps_its_storage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_form_alone_names_each_replica_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_name_is_given_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_replica_is_preferred_in_both_forms_another_each_time, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which types a policy asks for, and where replicas go when a type is not to be had. */
#include "namenode/blocks/policy.h"

#include "cluster.h"

/* "SSD DISK DISK" */
static const char *chosen(const char *policy, size_t count, const char *existing, const char *missing, bool is_new)
{
    static char out[256];
    uint8_t types[64], there[8];
    bool is_missing[STORAGE_TYPES] = {false};
    size_t there_count = 0;
    for (uint8_t type = 1; type < STORAGE_TYPES; type++)
        is_missing[type] = strstr(missing, storage_type_text(type)) != NULL;
    for (const char *at = existing; *at; at += strcspn(at, " "), at += *at == ' ')
        for (uint8_t type = 1; type < STORAGE_TYPES; type++)
            if (!strncmp(at, storage_type_text(type), strcspn(at, " ")))
                there[there_count++] = type;
    size_t found =
        storage_policy_choose(storage_policy_named(policy), count, there, there_count, is_missing, is_new, types);
    out[0] = 0;
    for (size_t i = 0; i < found; i++)
        snprintf(out + strlen(out), sizeof out - strlen(out), "%s%s", i ? " " : "", storage_type_text(types[i]));
    return out;
}

static void each_policy_asks_for_its_types(void **state)
{
    assert_string_equal(chosen("HOT", 3, "", "", true), "DISK DISK DISK");
    assert_string_equal(chosen("one_ssd", 3, "", "", true), "SSD DISK DISK");
    assert_string_equal(chosen("ALL_SSD", 2, "", "", true), "SSD SSD");
    assert_string_equal(chosen("WARM", 3, "", "", true), "DISK ARCHIVE ARCHIVE");
    assert_string_equal(chosen("LAZY_PERSIST", 2, "", "", true), "DISK DISK");
    assert_null(storage_policy_named("LUKEWARM"));
    assert_string_equal(storage_policy_find(POLICY_UNSPECIFIED)->name, "HOT");
    assert_null(storage_policy_find(3));
}

static void replicas_that_are_there_take_their_place(void **state)
{
    assert_string_equal(chosen("ONE_SSD", 2, "DISK", "", false), "SSD DISK");
    assert_string_equal(chosen("ONE_SSD", 2, "SSD", "", false), "DISK DISK");
    assert_string_equal(chosen("ONE_SSD", 1, "SSD DISK", "", false), "DISK");
    assert_string_equal(chosen("WARM", 1, "ARCHIVE ARCHIVE", "", false), "DISK");
}

static void a_type_that_is_missing_gives_way_to_the_fallback(void **state)
{
    assert_string_equal(chosen("HOT", 3, "", "DISK", true), "");
    assert_string_equal(chosen("HOT", 2, "", "DISK", false), "ARCHIVE ARCHIVE");
    assert_string_equal(chosen("ALL_SSD", 3, "", "SSD", true), "DISK DISK DISK");
    assert_string_equal(chosen("ONE_SSD", 3, "", "SSD", true), "DISK DISK DISK");
    assert_string_equal(chosen("ONE_SSD", 3, "", "DISK", true), "SSD SSD SSD");
    assert_string_equal(chosen("COLD", 2, "", "ARCHIVE", true), "");
    assert_string_equal(chosen("WARM", 2, "", "DISK ARCHIVE", true), "");
}

static void counts_are_per_type(void **state)
{
    uint16_t count[STORAGE_TYPES];
    storage_policy_count(storage_policy_named("ONE_SSD"), 4, count);
    assert_int_equal(count[STORAGE_SSD], 1);
    assert_int_equal(count[STORAGE_DISK], 3);
    storage_policy_count(storage_policy_named("ONE_SSD"), 65535, count);
    assert_int_equal(count[STORAGE_SSD] + count[STORAGE_DISK], 512); /* more replicas than there can be */
}

/* ---- placement ---- */

static void give_type(struct sim *sim, size_t node, uint8_t type)
{
    struct datanode *d = sim->b->nodes[node];
    for (size_t i = 0; i < d->storage_count; i++)
        d->storages[i]->type = type;
}

static size_t choose(struct sim *sim, const char *policy, size_t count, struct block_location *ret)
{
    struct choose_args args = {.client_ip = "10.0.0.1",
                               .count = count,
                               .block_bytes = 1 << 20,
                               .policy = policy ? storage_policy_named(policy)->id : POLICY_UNSPECIFIED};
    return blocks_choose_targets(sim->b, &args, ret, BLOCK_LOCATIONS_MAX);
}

static size_t count_type(const struct block_location *l, size_t count, uint8_t type)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += l[i].storage_type == type;
    return found;
}

static void replicas_go_on_the_types_of_the_policy(void **state)
{
    struct sim *sim = sim_new(6, 5);
    struct block_location l[BLOCK_LOCATIONS_MAX];
    sim_start(sim);
    give_type(sim, 4, STORAGE_SSD);
    give_type(sim, 5, STORAGE_ARCHIVE);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(choose(sim, NULL, 3, l), 3);
        assert_int_equal(count_type(l, 3, STORAGE_DISK), 3);
        assert_string_equal(l[0].node->uuid, "uuid-0");
        assert_int_equal(choose(sim, "ONE_SSD", 3, l), 3);
        assert_int_equal(count_type(l, 3, STORAGE_SSD), 1);
        assert_int_equal(count_type(l, 3, STORAGE_DISK), 2);
        assert_int_equal(choose(sim, "ALL_SSD", 3, l), 3); /* one SSD there is, then disks */
        assert_int_equal(count_type(l, 3, STORAGE_SSD), 1);
        assert_int_equal(count_type(l, 3, STORAGE_DISK), 2);
        assert_int_equal(choose(sim, "COLD", 3, l), 1); /* it has no fallback */
        assert_int_equal(count_type(l, 1, STORAGE_ARCHIVE), 1);
        assert_int_equal(choose(sim, NULL, 6, l), 4);
    }
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_policy_asks_for_its_types),
        cmocka_unit_test(replicas_that_are_there_take_their_place),
        cmocka_unit_test(a_type_that_is_missing_gives_way_to_the_fallback),
        cmocka_unit_test(counts_are_per_type),
        cmocka_unit_test(replicas_go_on_the_types_of_the_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

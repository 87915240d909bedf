#include "cluster.h"

#define IDS 20000

/* A plain array says what the table should hold. */
static void random_inserts_and_removes(void **state)
{
    struct block_table t = {0};
    uint8_t *count = mem_zalloc(IDS); /* replicas + 1; 0 = not there */
    uint64_t random = 7;
    for (int step = 0; step < 400000; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t i = (random >> 33) % (step < 300000 ? IDS : 50 + IDS / 100);
        uint64_t id = 0xfffffffffffff000u + i * 7; /* wraps around: ids of every size */
        struct block *blk = block_table_find(&t, id);
        assert_int_equal(!!blk, !!count[i]);
        unsigned what = (random >> 20) % 8;
        if (!blk) {
            blk = block_table_insert(&t, id);
            block_set_version(blk, id & 0xffffffffffff, i);
            count[i] = 1;
        } else if (what == 0) {
            block_table_remove(&t, id);
            count[i] = 0;
        } else if (what < 5) {
            struct replica *r = block_replica_add(blk, (uint16_t)count[i]);
            if (count[i] - 1 == REPLICAS_MAX)
                assert_null(r);
            else
                count[i]++;
        } else if (blk->replica_count) {
            block_replica_remove(blk, blk->replica_count - 1u);
            count[i]--;
        }
    }
    size_t there = 0;
    for (size_t i = 0; i < IDS; i++) {
        struct block *blk = block_table_find(&t, 0xfffffffffffff000u + i * 7);
        assert_int_equal(!!blk, !!count[i]);
        if (!blk)
            continue;
        there++;
        assert_int_equal(blk->replica_count, count[i] - 1);
        assert_int_equal(block_bytes(blk), i);
        for (unsigned k = 0; k < blk->replica_count; k++)
            assert_int_equal(block_replicas(blk)[k].storage, k + 1);
    }
    assert_int_equal(there, t.count);
    block_table_free(&t);
    free(count);
}

static void memory_per_block_stays_below_64_bytes(void **state)
{
    struct block_table t = {0};
    for (uint64_t n = 1; n <= 1200000; n++) {
        struct block *blk = block_table_insert(&t, FIRST_ID + n);
        for (uint16_t s = 0; s < 3; s++)
            block_replica_add(blk, s);
        if (n > 100000 && n % 50000 == 0)
            assert_true(block_table_memory(&t) / n < 64);
    }
    block_table_free(&t);
}

static void id_map_keeps_what_it_is_given(void **state)
{
    struct id_map m = {0};
    static char values[1000];
    uint64_t random = 3;
    for (int step = 0; step < 100000; step++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        size_t i = (random >> 33) % 1000;
        uint64_t id = FIRST_ID + i * 1024;
        assert_ptr_equal(id_map_get(&m, id), values[i] ? &values[i] : NULL);
        if (values[i])
            assert_ptr_equal(id_map_remove(&m, id), &values[i]);
        else
            id_map_put(&m, id, &values[i]);
        values[i] = !values[i];
    }
    id_map_free(&m, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_inserts_and_removes),
        cmocka_unit_test(memory_per_block_stays_below_64_bytes),
        cmocka_unit_test(id_map_keeps_what_it_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

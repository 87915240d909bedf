/* Random days in the life of a cluster. After each day of trouble comes calm; then every invariant must hold:
 * each block has exactly the replicas wanted, all of the right version, nothing else lies on any disk, all counters are
 * zero or add up. A failure prints the seed: run `random_test SEED` to see that day again. */
#include "cluster.h"

static uint64_t first_seed = 1;
static unsigned days = 60;

static void check_counts(struct sim *sim)
{
    struct blocks *b = sim->b;
    uint64_t replicas = 0, available = 0, safe = 0, corrupt = 0, blocks = 0, priority[PRIORITY_COUNT] = {0};
    uint64_t per_storage[256] = {0};
    for (size_t n = 0; n < BLOCK_SHARDS; n++)
        for (uint32_t i = 0; i < b->table.shards[n].capacity; i++) {
            const struct block *blk = &b->table.shards[n].slots[i];
            if (!blk->used)
                continue;
            blocks++;
            assert_ptr_equal(block_table_find(&b->table, blk->block_id), blk);
            replicas += blk->replica_count;
            available += blk->available;
            safe += blk->safe;
            corrupt += blk->has_corrupt;
            if (blk->priority != PRIORITY_NONE)
                priority[blk->priority]++;
            assert_int_equal(!!uc_find(b, blk->block_id), !blk->complete);
            assert_int_equal(blk->pending, !!id_map_get(&b->pending, blk->block_id));
            const struct replica *r = block_replicas(blk);
            for (unsigned k = 0; k < blk->replica_count; k++) {
                assert_non_null(b->storages[r[k].storage]);
                per_storage[r[k].storage]++;
                for (unsigned m = 0; m < k; m++)
                    assert_int_not_equal(r[k].storage, r[m].storage);
            }
        }
    assert_int_equal(blocks, b->table.count);
    assert_int_equal(replicas, b->replica_count);
    assert_int_equal(available, b->available_count);
    assert_int_equal(safe, b->safe_count);
    assert_int_equal(corrupt, b->corrupt_count);
    for (int p = 0; p < PRIORITY_COUNT; p++)
        assert_int_equal(priority[p], b->priority_count[p]);
    uint64_t booked[256] = {0}, out[SIM_NODES + 1] = {0}, in[SIM_NODES + 1] = {0};
    for (size_t i = 0; i < b->under_construction.capacity; i++) {
        const struct uc *uc = b->under_construction.slots[i].value;
        for (size_t k = 0; uc && k < uc->target_count; k++)
            booked[uc->targets[k].storage] += uc->targets[k].booked ? uc->bytes : 0;
    }
    for (size_t i = 0; i < b->pending.capacity; i++) {
        const struct pending *p = b->pending.slots[i].value;
        for (size_t k = 0; p && k < p->count; k++) {
            booked[p->copies[k].target] += p->bytes;
            in[b->storages[p->copies[k].target]->node->index]++;
            if (p->copies[k].source != NO_INDEX)
                out[p->copies[k].source]++;
        }
    }
    for (size_t i = 0; i < b->storage_count; i++) {
        if (!b->storages[i])
            continue;
        assert_int_equal(b->storages[i]->block_count, per_storage[i]);
        assert_int_equal(b->storages[i]->booked_bytes, booked[i]);
    }
    for (size_t i = 0; i < b->node_count; i++) {
        if (!b->nodes[i])
            continue;
        assert_int_equal(b->nodes[i]->copies_out, out[i]);
        assert_int_equal(b->nodes[i]->copies_in, in[i]);
    }
}

static bool is_intact(const struct sim *sim, size_t n, size_t at)
{
    const struct sim_replica *r = &sim->nodes[n].disk[at];
    return r->there && !r->rbw && r->gen_stamp == sim->records[at].gen_stamp && r->bytes == sim->records[at].bytes &&
           r->xxh3 == SIM_XXH3(FIRST_ID + at);
}

static void check_calm(struct sim *sim)
{
    check_counts(sim);
    struct blocks_stats s = sim_stats(sim);
    size_t lost = 0;
    for (size_t at = 0; at < sim->record_end; at++) {
        size_t copies = 0, good = 0;
        for (size_t n = 0; n < sim->node_count; n++) {
            copies += sim->nodes[n].disk[at].there;
            good += is_intact(sim, n, at);
        }
        const struct block_record *r = &sim->records[at];
        if (!r->block_id) {
            assert_int_equal(copies, 0);
            continue;
        }
        assert_int_equal(r->state, BLOCK_COMPLETE);
        assert_int_equal(blocks_live_replicas(sim->b, FIRST_ID + at), good);
        if (!good) { /* every replica was hit; then nothing may have been thrown away as excess */
            lost++;
            continue;
        }
        size_t wanted = r->replication < sim->node_count ? r->replication : sim->node_count;
        assert_int_equal(good, wanted);
        assert_int_equal(copies, wanted);
        struct block_health h;
        blocks_health(sim->b, FIRST_ID + at, &h);
        assert_int_equal(h.live, wanted);
        assert_int_equal(h.excess, 0);
        assert_false(h.is_misplaced);
    }
    assert_int_equal(s.missing, lost);
    assert_int_equal(s.pending_deletion, 0);
    assert_int_equal(s.excess, 0);
    assert_int_equal(s.dead, 0);
    assert_int_equal(s.under_construction, 0);
}

/* Damage never touches the last intact replica: blocks can then always be healed. */
static bool may_hurt(struct sim *sim, size_t n, size_t at)
{
    size_t others = 0;
    for (size_t m = 0; m < sim->node_count; m++)
        others += m != n && sim->nodes[m].up && is_intact(sim, m, at);
    return sim->nodes[n].disk[at].there && others >= 2;
}

static void some_trouble(struct sim *sim)
{
    size_t n = sim_random(sim) % sim->node_count;
    size_t at = sim->record_end ? sim_random(sim) % sim->record_end : 0;
    uint64_t id = FIRST_ID + at;
    bool there = sim->record_end && sim->records[at].block_id;
    switch (sim_random(sim) % 12) {
    case 0:
    case 1:
    case 2:
        sim_write(sim, n, (uint16_t)(1 + sim_random(sim) % 4), 1 + sim_random(sim) % 100000);
        break;
    case 3:
        if (there && sim_random(sim) % 4 == 0)
            sim_remove(sim, id);
        break;
    case 4:
        if (there) {
            sim->records[at].replication = (uint16_t)(1 + sim_random(sim) % 4);
            blocks_set_replication(sim->b, id, sim->records[at].replication, sim->now_ms);
        }
        break;
    case 5:
        sim->nodes[n].up = false;
        break;
    case 6: /* a restart: it registers again when it is asked to, or by itself */
        if (!sim->nodes[n].up && sim_random(sim) % 2)
            sim_register(sim, n);
        sim->nodes[n].up = true;
        break;
    case 7: /* rot, found by a reader */
        if (there && may_hurt(sim, n, at) && sim->nodes[n].up) {
            sim->nodes[n].disk[at].xxh3 = 99;
            blocks_report_bad(sim->b, id, 0, sim->nodes[n].uuid, "", "test", sim->now_ms);
        }
        break;
    case 8: /* a replica vanishes; only a full report tells */
        if (there && may_hurt(sim, n, at)) {
            sim->nodes[n].disk[at].there = false;
            sim->nodes[n].needs_report = true;
        }
        break;
    case 9: /* cut short; only a full report tells */
        if (there && may_hurt(sim, n, at)) {
            sim->nodes[n].disk[at].bytes /= 2;
            sim->nodes[n].disk[at].gen_stamp -= sim_random(sim) % 2;
            sim->nodes[n].needs_report = true;
        }
        break;
    case 10:
        sim->drop_transfers = sim_random(sim) % 2;
        sim->drop_invalidations = sim_random(sim) % 2;
        break;
    default:
        sim_run(sim, sim_random(sim) % 100 == 0 ? 700000 : 1000 * (1 + sim_random(sim) % 10));
    }
}

static void calm(struct sim *sim)
{
    sim->drop_transfers = sim->drop_invalidations = false;
    for (size_t n = 0; n < sim->node_count; n++)
        sim->nodes[n].up = true;
    sim_run(sim, 700000); /* past every time-out */
    for (int round = 0; round < 2; round++) {
        for (size_t n = 0; n < sim->node_count; n++)
            sim->nodes[n].needs_report = true; /* the six hours are over */
        sim_run(sim, 400000);
    }
}

static void one_day(uint64_t seed)
{
    struct sim *sim = sim_new(4 + seed % 3, seed);
    if (seed % 2)
        assert_int_equal(blocks_set_topology(sim->b, "10.0.0.1 /a\n10.0.0.2 /a\n10.0.0.3 /b\n10.0.0.4 /b\n10.0.0.5 /c\n",
                                             NULL), 0);
    sim_start(sim);
    for (int i = 0; i < 600; i++) {
        some_trouble(sim);
        check_counts(sim);
    }
    calm(sim);
    check_calm(sim);
    /* The namenode restarts: all of it comes back from the reports. */
    blocks_free(sim->b);
    sim->b = sim_blocks(sim, seed);
    if (sim->complete_count)
        assert_true(blocks_in_safe_mode(sim->b));
    calm(sim);
    assert_false(blocks_in_safe_mode(sim->b));
    sim_free(sim);
}

static void trouble_then_calm(void **state)
{
    for (uint64_t seed = first_seed; seed < first_seed + days; seed++) {
        fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        one_day(seed);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        first_seed = strtoull(argv[1], NULL, 10);
        days = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(trouble_then_calm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

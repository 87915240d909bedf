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
        const struct block *blk = p ? block_table_find(&b->table, p->block_id) : NULL;
        for (size_t k = 0; p && k < p->count; k++) {
            for (unsigned m = 0; m < blk->replica_count; m++) /* nobody waits for what has arrived */
                assert_ptr_not_equal(b->storages[p->copies[k].target]->node,
                                     b->storages[block_replicas(blk)[m].storage]->node);
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

/* For whoever looks into a failure. */
static void show_block(struct sim *sim, size_t at)
{
    const struct block_record *r = &sim->records[at];
    const struct uc *uc = uc_find(sim->b, FIRST_ID + at);
    struct block_health h;
    blocks_health(sim->b, FIRST_ID + at, &h);
    fprintf(stderr,
            "block %zu: record state=%d gs=%llu bytes=%llu replication=%u; live=%u corrupt=%u excess=%u pending=%u\n",
            at, r->state, (unsigned long long)r->gen_stamp, (unsigned long long)r->bytes, r->replication, h.live,
            h.corrupt, h.excess, h.pending);
    for (size_t n = 0; n < sim->node_count; n++)
        if (sim->nodes[n].disk[at].there)
            fprintf(stderr, "  on %s: gs=%llu bytes=%llu rbw=%d\n", sim->nodes[n].uuid,
                    (unsigned long long)sim->nodes[n].disk[at].gen_stamp,
                    (unsigned long long)sim->nodes[n].disk[at].bytes, sim->nodes[n].disk[at].rbw);
    for (size_t i = 0; uc && i < uc->target_count; i++)
        fprintf(stderr, "  target %s: reported=%d gs=%llu\n", sim->b->storages[uc->targets[i].storage]->uuid,
                uc->targets[i].reported, (unsigned long long)uc->targets[i].gen_stamp);
}

static void check_calm(struct sim *sim)
{
    check_counts(sim);
    struct blocks_stats s = sim_stats(sim);
    size_t lost = 0, still_open = 0;
    for (size_t at = 0; at < sim->record_end; at++) {
        size_t copies = 0, good = 0;
        for (size_t n = 0; n < sim->node_count; n++) {
            copies += sim->nodes[n].disk[at].there;
            good += is_intact(sim, n, at);
        }
        const struct block_record *r = &sim->records[at];
        if (r->block_id && r->state == BLOCK_UNDER_CONSTRUCTION) {
            if (copies)
                show_block(sim, at);
            assert_int_equal(copies, 0); /* nothing to recover from: every replica was lost before it was closed */
            still_open++;
            continue;
        }
        if (!r->block_id) {
            if (copies)
                show_block(sim, at);
            assert_int_equal(copies, 0);
            continue;
        }
        assert_int_equal(r->state, BLOCK_COMPLETE);
        if (blocks_live_replicas(sim->b, FIRST_ID + at) != good)
            show_block(sim, at);
        assert_int_equal(blocks_live_replicas(sim->b, FIRST_ID + at), good);
        if (!good) { /* every replica was hit; then nothing may have been thrown away as excess */
            lost++;
            continue;
        }
        if (good != copies)
            show_block(sim, at);
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
    assert_int_equal(s.under_construction, still_open);
}

/* Damage never touches the last intact replica: blocks can then always be healed. */
static bool may_hurt(struct sim *sim, size_t n, size_t at)
{
    size_t others = 0;
    for (size_t m = 0; m < sim->node_count; m++)
        others += m != n && sim->nodes[m].up && is_intact(sim, m, at);
    return sim->nodes[n].disk[at].there && others >= 2;
}

/* ---- writers ---- */

static bool is_open(const struct sim *sim, size_t at)
{
    return sim->records[at].block_id && sim->records[at].state == BLOCK_UNDER_CONSTRUCTION;
}

/* A block whose writer stays at it: replicas being written on the targets. */
static void open_block(struct sim *sim, size_t writer)
{
    struct block_location l[8];
    uint16_t replication = (uint16_t)(1 + sim_random(sim) % 3);
    struct choose_args args = {.client_ip = sim->nodes[writer].ip, .count = replication, .block_bytes = 1000};
    size_t count = blocks_choose_targets(sim->b, &args, l, 8);
    if (!count || sim->record_end == SIM_BLOCKS)
        return;
    size_t at = sim->record_end++;
    uint64_t gs = sim->next_gen_stamp++;
    sim->records[at] = (struct block_record){
        .block_id = FIRST_ID + at, .gen_stamp = gs, .replication = replication, .state = BLOCK_UNDER_CONSTRUCTION};
    const char *storages[8];
    for (size_t i = 0; i < count; i++)
        storages[i] = l[i].storage_uuid;
    blocks_under_construction(sim->b, FIRST_ID + at, gs, 1000, replication, storages, count);
    for (size_t i = 0; i < count; i++) {
        size_t n = sim_node_of(sim, &l[i]);
        if (!sim->nodes[n].up)
            continue;
        sim->nodes[n].disk[at] = (struct sim_replica){.gen_stamp = gs,
                                                      .bytes = 100 + sim_random(sim) % 100,
                                                      .there = true,
                                                      .rbw = true,
                                                      .second = sim_second(sim)};
        sim_event(sim, n, REPLICA_RECEIVING, FIRST_ID + at);
    }
}

/* Whoever of the pipeline is still up goes on under a new stamp; then perhaps the writer is done. */
static void go_on_writing(struct sim *sim, size_t at, bool is_done)
{
    const char *nodes[SIM_NODES], *storages[SIM_NODES];
    size_t on[SIM_NODES], count = 0;
    bool is_short = false; /* a pipeline that lost a node always gets a new stamp */
    for (size_t n = 0; n < sim->node_count; n++) {
        const struct sim_replica *r = &sim->nodes[n].disk[at];
        is_short |= !sim->nodes[n].up && r->there && r->gen_stamp == sim->records[at].gen_stamp;
        if (!sim->nodes[n].up || !r->there || !r->rbw || r->gen_stamp != sim->records[at].gen_stamp)
            continue;
        on[count] = n;
        nodes[count] = sim->nodes[n].uuid;
        storages[count++] = sim->nodes[n].storage;
    }
    if (!count || blocks_recovery_id(sim->b, FIRST_ID + at))
        return;
    struct block_record *record = &sim->records[at];
    if (is_short || sim_random(sim) % 2) {
        record->gen_stamp = sim->next_gen_stamp++;
        blocks_update_pipeline(sim->b, FIRST_ID + at, record->gen_stamp, 0, nodes, storages, count);
    }
    for (size_t i = 0; i < count; i++) {
        struct sim_replica *r = &sim->nodes[on[i]].disk[at];
        *r = (struct sim_replica){.gen_stamp = record->gen_stamp,
                                  .bytes = is_done ? 900 : r->bytes + 50,
                                  .there = true,
                                  .rbw = !is_done,
                                  .second = r->second,
                                  .xxh3 = is_done ? SIM_XXH3(FIRST_ID + at) : 0};
    }
    if (!is_done)
        return;
    bool commit_first = sim_random(sim) % 2, complete = false;
    for (size_t i = 0; i <= count; i++) {
        if (i == (commit_first ? 0 : count)) {
            record->state = BLOCK_COMMITTED;
            record->bytes = 900;
            complete = blocks_commit(sim->b, FIRST_ID + at, record->gen_stamp, 900);
            if (complete)
                sim_complete(sim, FIRST_ID + at);
        }
        if (i < count)
            sim_event(sim, on[i], REPLICA_RECEIVED, FIRST_ID + at);
    }
}

/* The writer is dead: its lease runs out. */
static void recover_block(struct sim *sim, size_t at)
{
    struct err e;
    int rc = blocks_start_recovery(sim->b, &sim->records[at], NULL, sim->next_gen_stamp++, BLOCKS_NO_TRUNCATE,
                                   sim->now_ms, &e);
    assert_true(rc == 0 || rc == ERR_NOT_FOUND);
}

/* A complete block is opened for append by a writer that may go on or die. */
static void append_block(struct sim *sim, size_t at)
{
    struct block_record *record = &sim->records[at];
    struct block_location l[8];
    size_t count = blocks_locations(sim->b, FIRST_ID + at, NULL, l, 8);
    if (!count || l[0].corrupt)
        return;
    record->state = BLOCK_UNDER_CONSTRUCTION;
    sim->complete_count--;
    blocks_reopen(sim->b, record);
    const char *nodes[8], *storages[8];
    size_t joined = 0;
    uint64_t gs = sim->next_gen_stamp++;
    for (size_t i = 0; i < count; i++) {
        size_t n = sim_node_of(sim, &l[i]);
        if (!sim->nodes[n].up || !is_intact(sim, n, at))
            continue;
        nodes[joined] = l[i].node->uuid;
        storages[joined++] = l[i].storage_uuid;
    }
    if (!joined)
        return; /* the writer gives up; lease recovery will close the block */
    record->gen_stamp = gs;
    blocks_update_pipeline(sim->b, FIRST_ID + at, gs, record->bytes, nodes, storages, joined);
    for (size_t i = 0; i < joined; i++)
        for (size_t n = 0; n < sim->node_count; n++)
            if (strcmp(sim->nodes[n].uuid, nodes[i]) == 0)
                sim->nodes[n].disk[at] = (struct sim_replica){.gen_stamp = gs,
                                                              .bytes = sim->nodes[n].disk[at].bytes,
                                                              .there = true,
                                                              .rbw = true,
                                                              .second = sim->nodes[n].disk[at].second};
}

static void writers_day(struct sim *sim, size_t n, size_t at)
{
    switch (sim_random(sim) % 6) {
    case 0:
    case 1: open_block(sim, n); break;
    case 2:
        if (sim->record_end && is_open(sim, at))
            go_on_writing(sim, at, false);
        break;
    case 3:
        if (sim->record_end && is_open(sim, at))
            go_on_writing(sim, at, true);
        break;
    case 4:
        if (sim->record_end && is_open(sim, at))
            recover_block(sim, at);
        break;
    case 5:
        if (sim->record_end && sim->records[at].block_id && sim->records[at].state == BLOCK_COMPLETE)
            append_block(sim, at);
        break;
    }
}

static void some_trouble(struct sim *sim)
{
    size_t n = sim_random(sim) % sim->node_count;
    size_t at = sim->record_end ? sim_random(sim) % sim->record_end : 0;
    uint64_t id = FIRST_ID + at;
    bool there = sim->record_end && sim->records[at].block_id;
    switch (sim_random(sim) % 16) {
    case 0:
    case 1:
    case 2: sim_write(sim, n, (uint16_t)(1 + sim_random(sim) % 4), 1 + sim_random(sim) % 100000); break;
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
    case 5: sim->nodes[n].up = false; break;
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
    case 11:
    case 12:
    case 13:
        for (size_t tries = 0; sim->record_end && !is_open(sim, at) && tries < 50; tries++)
            at = sim_random(sim) % sim->record_end; /* open ones are few: look for one */
        writers_day(sim, n, at);
        break;
    default: sim_run(sim, sim_random(sim) % 100 == 0 ? 700000 : 1000 * (1 + sim_random(sim) % 10));
    }
}

static void calm(struct sim *sim)
{
    sim->drop_transfers = sim->drop_invalidations = false;
    for (size_t n = 0; n < sim->node_count; n++)
        sim->nodes[n].up = true;
    sim_run(sim, 700000);                      /* past every time-out */
    for (int round = 0; round < 20; round++) { /* lease recovery, tried again until every block is closed */
        for (size_t at = 0; at < sim->record_end; at++)
            if (is_open(sim, at))
                recover_block(sim, at);
        sim_run(sim, 10000);
    }
    for (int round = 0; round < 2; round++) {
        for (size_t n = 0; n < sim->node_count; n++)
            sim->nodes[n].needs_report = true; /* the six hours are over */
        sim_run(sim, 400000);
    }
}

static void one_day(uint64_t seed)
{
    struct sim *sim = sim_new(4 + seed % 3, seed);
    sim->two_disks = seed / 2 % 2;
    if (seed % 2)
        assert_int_equal(
            blocks_set_topology(sim->b, "10.0.0.1 /a\n10.0.0.2 /a\n10.0.0.3 /b\n10.0.0.4 /b\n10.0.0.5 /c\n", NULL), 0);
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

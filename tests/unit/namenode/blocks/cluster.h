/* A simulated cluster for the block manager's tests: a store of block records, datanodes with disks full of replicas,
 * and a clock. Datanodes obey their commands at once on the next heartbeat; a test may kill, silence or corrupt them.
 */
#ifndef CAIRN_TESTS_BLOCKS_CLUSTER_H
#define CAIRN_TESTS_BLOCKS_CLUSTER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/log.h"
#include "common/mem.h"
#include "namenode/blocks/blocks.h"
#include "namenode/blocks/datanode_events.h"
#include "namenode/blocks/internal.h"

#define SIM_NODES    8
#define SIM_BLOCKS   4096
#define FIRST_ID     1073741825u
#define SIM_XXH3(id) ((id)*0x9e3779b97f4a7c15u | 1)

struct sim_replica {
    uint64_t gen_stamp, bytes, xxh3;
    bool there, rbw;
    bool second; /* on the node's second disk: the node chooses, whatever was named */
};
struct sim_node {
    char uuid[40], ip[40], storage[40], storage2[40];
    bool up; /* heartbeats are sent and copies arrive */
    bool needs_report;
    uint64_t capacity;
    struct sim_replica disk[SIM_BLOCKS];
};
struct sim {
    struct blocks *b;
    uint64_t now_ms, random;
    struct block_record records[SIM_BLOCKS]; /* index = block id - FIRST_ID; block_id 0 = none */
    size_t record_end, complete_count;
    struct sim_node nodes[SIM_NODES];
    size_t node_count;
    uint64_t next_gen_stamp;
    size_t on_min_count;
    bool drop_invalidations, drop_transfers, two_disks;
    size_t scans, lookups;
    struct {
        struct sim *sim;
        size_t at;
    } scan;
};

static inline bool sim_lookup(void *context, uint64_t id, struct block_record *ret)
{
    struct sim *sim = context;
    sim->lookups++;
    if (id < FIRST_ID || id - FIRST_ID >= sim->record_end || !sim->records[id - FIRST_ID].block_id)
        return false;
    *ret = sim->records[id - FIRST_ID];
    return true;
}
static inline void *sim_scan_open(void *context)
{
    struct sim *sim = context;
    sim->scan.sim = sim;
    sim->scan.at = 0;
    return &sim->scan;
}
static inline void sim_scan_seek(void *scan, uint64_t id)
{
    __typeof__(((struct sim *)0)->scan) *s = scan;
    s->at = id < FIRST_ID ? 0 : id - FIRST_ID;
}
static inline bool sim_scan_next(void *scan, struct block_record *ret)
{
    __typeof__(((struct sim *)0)->scan) *s = scan;
    s->sim->scans++;
    while (s->at < s->sim->record_end && !s->sim->records[s->at].block_id)
        s->at++;
    if (s->at >= s->sim->record_end)
        return false;
    *ret = s->sim->records[s->at++];
    return true;
}
static inline void sim_scan_close(void *scan)
{
}
static inline uint64_t sim_total(void *context)
{
    return ((struct sim *)context)->complete_count;
}
static inline void sim_complete(struct sim *sim, uint64_t id)
{
    struct block_record *r = &sim->records[id - FIRST_ID];
    assert_int_equal(r->state, BLOCK_COMMITTED);
    r->state = BLOCK_COMPLETE;
    sim->complete_count++;
    blocks_complete(sim->b, id, sim->now_ms);
}
static inline void sim_on_min(void *context, uint64_t id)
{
    struct sim *sim = context;
    sim->on_min_count++;
    sim_complete(sim, id);
}

/* The namespace's part of a block recovery. */
static inline int sim_on_recovered(void *context, const struct block_recovery *r, uint64_t now_ms, uint64_t *ret_seq,
                                   struct err *reterr)
{
    struct sim *sim = context;
    struct block_record *record = &sim->records[r->block_id - FIRST_ID];
    *ret_seq = 0;
    if (!record->block_id || record->state != BLOCK_UNDER_CONSTRUCTION)
        return 0; /* removed or closed meanwhile */
    if (blocks_recovery_id(sim->b, r->block_id) != r->new_gen_stamp)
        return err_set(reterr, ERR_IO, "not the current recovery");
    if (r->delete_block) {
        record->block_id = 0;
        blocks_remove(sim->b, r->block_id);
        return 0;
    }
    record->gen_stamp = r->new_gen_stamp;
    record->bytes = r->new_bytes;
    record->state = BLOCK_COMMITTED;
    blocks_recovered(sim->b, r, now_ms);
    if (blocks_commit(sim->b, r->block_id, r->new_gen_stamp, r->new_bytes))
        sim_complete(sim, r->block_id);
    return 0;
}

static inline struct blocks *sim_blocks(struct sim *sim, uint64_t seed)
{
    struct blocks_options options = {.replication_min = 1,
                                     .maintenance_min = 1,
                                     .replication_max = 512,
                                     .default_replication = 3,
                                     .safe_mode_threshold = 0.999,
                                     .heartbeat_ms = 3000,
                                     .recheck_ms = 300000,
                                     .stale_ms = 30000,
                                     .max_streams = 2,
                                     .max_streams_urgent = 4,
                                     .pending_timeout_ms = 300000,
                                     .invalidate_limit = 1000,
                                     .consider_load = true,
                                     .report_interval_ms = 21600000,
                                     .seed = seed,
                                     .pool_id = "BP-1"};
    struct blocks_seam seam = {.context = sim,
                               .lookup = sim_lookup,
                               .scan_open = sim_scan_open,
                               .scan_seek = sim_scan_seek,
                               .scan_next = sim_scan_next,
                               .scan_close = sim_scan_close,
                               .total_complete_blocks = sim_total,
                               .on_min_replicas = sim_on_min,
                               .on_recovered = sim_on_recovered};
    return blocks_new(&options, &seam, sim->now_ms);
}

static inline void sim_register(struct sim *sim, size_t n)
{
    struct sim_node *node = &sim->nodes[n];
    struct datanode_registration r = {
        .uuid = node->uuid, .ip = node->ip, .hostname = node->ip, .xfer_port = 9866, .software_version = "3.4.1"};
    struct err e;
    assert_int_equal(blocks_register(sim->b, &r, sim->now_ms, NULL, &e), 0);
    node->needs_report = true;
}
static inline struct datanode *sim_datanode(struct sim *sim, size_t n)
{
    struct datanode *node = NULL;
    assert_int_equal(blocks_datanode(sim->b, sim->nodes[n].uuid, 9866, &node, NULL), 0);
    return node;
}

static inline struct sim *sim_new(size_t node_count, uint64_t seed)
{
    log_set_level(LOG_LEVEL_ERROR);
    struct sim *sim = mem_new(struct sim);
    *sim = (struct sim){.now_ms = 1000, .random = seed, .node_count = node_count, .next_gen_stamp = 1001};
    sim->b = sim_blocks(sim, seed);
    for (size_t n = 0; n < SIM_NODES; n++) {
        struct sim_node *node = &sim->nodes[n];
        snprintf(node->uuid, sizeof node->uuid, "uuid-%zu", n);
        snprintf(node->ip, sizeof node->ip, "10.0.0.%zu", n + 1);
        snprintf(node->storage, sizeof node->storage, "DS-%zu", n);
        snprintf(node->storage2, sizeof node->storage2, "DS-%zu-2", n);
        node->capacity = 1u << 30;
    }
    return sim;
}
/* The monotonic clock serves as the wall clock too. */
static inline void sim_hosts(struct sim *sim, const char *include, const char *exclude)
{
    struct host_list hosts;
    host_list_from_names(include, exclude, &hosts);
    blocks_set_hosts(sim->b, &hosts, sim->now_ms, (int64_t)sim->now_ms);
}
static inline void sim_hosts_json(struct sim *sim, const char *json)
{
    struct host_list hosts;
    struct err e;
    assert_int_equal(host_list_from_json((struct slice){(const uint8_t *)json, strlen(json)}, &hosts, &e), 0);
    blocks_set_hosts(sim->b, &hosts, sim->now_ms, (int64_t)sim->now_ms);
}
static inline void sim_free(struct sim *sim)
{
    blocks_free(sim->b);
    free(sim);
}

static inline uint64_t sim_random(struct sim *sim)
{
    sim->random = sim->random * 6364136223846793005u + 1442695040888963407u;
    return sim->random >> 33;
}

static inline bool sim_second(struct sim *sim)
{
    return sim->two_disks && sim_random(sim) % 2;
}

static inline void sim_disk_report(struct sim *sim, size_t n, bool second)
{
    struct sim_node *node = &sim->nodes[n];
    static struct block_list_entry entries[SIM_BLOCKS];
    size_t count = 0;
    for (size_t i = 0; i < sim->record_end; i++)
        if (node->disk[i].there && node->disk[i].second == second)
            entries[count++] = (struct block_list_entry){
                .block_id = FIRST_ID + i,
                .gen_stamp = node->disk[i].gen_stamp,
                .length_bytes = node->disk[i].bytes,
                .xxh3 = node->disk[i].rbw ? 0 : node->disk[i].xxh3,
                .state = node->disk[i].rbw ? HDFS__REPLICA_STATE_PROTO__RBW : HDFS__REPLICA_STATE_PROTO__FINALIZED};
    struct full_report r;
    struct err e;
    const char *storage = second ? node->storage2 : node->storage;
    assert_int_equal(blocks_report_begin(sim->b, sim_datanode(sim, n), storage, 1, 0, sim->now_ms, &r, &e), 0);
    for (size_t at = 0; at < count; at += 100)
        assert_int_equal(
            blocks_report_slice(sim->b, &r, entries + at, count - at < 100 ? count - at : 100, sim->now_ms, &e), 0);
    assert_int_equal(blocks_report_end(sim->b, &r, sim->now_ms, &e), 0);
}

static inline void sim_full_report(struct sim *sim, size_t n)
{
    sim_disk_report(sim, n, false);
    if (sim->two_disks)
        sim_disk_report(sim, n, true);
    sim->nodes[n].needs_report = false;
}

static inline const char *sim_storage(struct sim *sim, size_t n, uint64_t id)
{
    return sim->nodes[n].disk[id - FIRST_ID].second ? sim->nodes[n].storage2 : sim->nodes[n].storage;
}

static inline void sim_event(struct sim *sim, size_t n, enum replica_event_kind kind, uint64_t id)
{
    const struct sim_replica *r = &sim->nodes[n].disk[id - FIRST_ID];
    struct replica_event e = {.kind = kind,
                              .block_id = id,
                              .gen_stamp = r->gen_stamp,
                              .bytes = r->bytes,
                              .xxh3 = kind == REPLICA_RECEIVED ? r->xxh3 : 0};
    blocks_replica_event(sim->b, sim_datanode(sim, n), sim_storage(sim, n, id), 1, &e, sim->now_ms);
}

static inline size_t sim_node_of(struct sim *sim, const struct block_location *l)
{
    for (size_t n = 0; n < SIM_NODES; n++)
        if (strcmp(sim->nodes[n].uuid, l->node->uuid) == 0)
            return n;
    abort();
}

/* The primary agrees with the others on the shortest replica, as datanodes do. */
static inline void sim_recover(struct sim *sim, const struct recovery_command *c)
{
    size_t at = c->block_id - FIRST_ID, on[SIM_NODES], count = 0;
    uint64_t shortest = UINT64_MAX;
    for (size_t i = 0; i < c->location_count; i++) {
        size_t n = sim_node_of(sim, &c->locations[i]);
        struct sim_replica *r = &sim->nodes[n].disk[at];
        if (!sim->nodes[n].up || !r->there || !r->bytes || r->gen_stamp < c->gen_stamp ||
            r->gen_stamp >= c->recovery_id)
            continue;
        on[count++] = n;
        shortest = r->bytes < shortest ? r->bytes : shortest;
    }
    const char *nodes[SIM_NODES], *storages[SIM_NODES];
    for (size_t i = 0; i < count; i++) {
        struct sim_replica *mine = &sim->nodes[on[i]].disk[at];
        *mine = (struct sim_replica){.gen_stamp = c->recovery_id,
                                     .bytes = shortest,
                                     .there = true,
                                     .second = mine->second,
                                     .xxh3 = SIM_XXH3(c->block_id)};
        nodes[i] = sim->nodes[on[i]].uuid;
        storages[i] = sim_storage(sim, on[i], c->block_id);
    }
    struct block_recovery r = {.block_id = c->block_id,
                               .gen_stamp = c->gen_stamp,
                               .new_gen_stamp = c->recovery_id,
                               .new_bytes = shortest,
                               .close_file = true,
                               .delete_block = !count,
                               .datanode_uuids = nodes,
                               .storage_uuids = storages,
                               .count = count};
    uint64_t seq;
    (void)!blocks_recovery_result(sim->b, &r, sim->now_ms, &seq, NULL); /* refused when another attempt has begun */
    for (size_t i = 0; i < count; i++)
        sim_event(sim, on[i], REPLICA_RECEIVED, c->block_id);
}

static inline void sim_obey(struct sim *sim, size_t n, const struct datanode_commands *c)
{
    struct sim_node *node = &sim->nodes[n];
    for (size_t i = 0; i < c->recovery_count; i++)
        sim_recover(sim, &c->recoveries[i]);
    for (size_t i = 0; i < c->invalidate_count && !sim->drop_invalidations; i++) {
        size_t at = c->invalidates[i].block_id - FIRST_ID;
        if (at >= SIM_BLOCKS || !node->disk[at].there || node->disk[at].gen_stamp != c->invalidates[i].gen_stamp)
            continue;
        node->disk[at].there = false;
        sim_event(sim, n, REPLICA_DELETED, c->invalidates[i].block_id);
    }
    for (size_t i = 0; i < c->transfer_count && !sim->drop_transfers; i++) {
        size_t at = c->transfers[i].block_id - FIRST_ID;
        for (size_t k = 0; k < c->transfers[i].target_count; k++) {
            size_t to = sim_node_of(sim, &c->transfers[i].targets[k]);
            assert_int_not_equal(to, n);
            if (!sim->nodes[to].up || !node->disk[at].there || sim->nodes[to].disk[at].there)
                continue;
            if (node->disk[at].xxh3 != SIM_XXH3(c->transfers[i].block_id)) { /* the receiver verifies what it is sent */
                blocks_report_bad(sim->b, c->transfers[i].block_id, 0, node->uuid, "", "copy", sim->now_ms);
                break;
            }
            sim->nodes[to].disk[at] = node->disk[at];
            sim->nodes[to].disk[at].second = sim_second(sim);
            sim_event(sim, to, REPLICA_RECEIVED, c->transfers[i].block_id);
        }
    }
}

static inline void sim_heartbeat(struct sim *sim, size_t n)
{
    struct sim_node *node = &sim->nodes[n];
    uint64_t used = 0;
    for (size_t i = 0; i < sim->record_end; i++)
        used += node->disk[i].there ? node->disk[i].bytes : 0;
    struct storage_report s = {.uuid = node->storage,
                               .type = 1,
                               .capacity_bytes = node->capacity,
                               .used_bytes = used,
                               .remaining_bytes = node->capacity - used};
    struct storage_report both[] = {s, s};
    both[1].uuid = node->storage2;
    struct heartbeat h = {.storages = both, .storage_count = sim->two_disks ? 2 : 1};
    AUTO(arena_free) struct arena a;
    arena_init(&a, 1 << 24);
    struct datanode_commands c;
    struct datanode *dn = NULL;
    int rc = blocks_datanode(sim->b, node->uuid, 9866, &dn, NULL);
    if (!rc)
        rc = blocks_heartbeat(sim->b, dn, &h, sim->now_ms, &a, &c, NULL);
    if (rc == ERR_UNREGISTERED_NODE) {
        sim_register(sim, n);
        return;
    }
    assert_int_equal(rc, 0);
    sim_obey(sim, n, &c);
    if (node->needs_report)
        sim_full_report(sim, n);
}

static inline void sim_tick(struct sim *sim)
{
    for (int i = 0; i < 1000 && blocks_tick(sim->b, sim->now_ms); i++)
        ;
}
/* Passes time: a tick per second, a heartbeat of every node that is up each third. */
static inline void sim_run(struct sim *sim, uint64_t ms)
{
    for (uint64_t end = sim->now_ms + ms; sim->now_ms < end; sim->now_ms += 1000) {
        if (sim->now_ms / 1000 % 3 == 0)
            for (size_t n = 0; n < sim->node_count; n++)
                if (sim->nodes[n].up)
                    sim_heartbeat(sim, n);
        sim_tick(sim);
    }
}
static inline void sim_start(struct sim *sim)
{
    for (size_t n = 0; n < sim->node_count; n++) {
        sim->nodes[n].up = true;
        sim_register(sim, n);
        sim_heartbeat(sim, n);
    }
    sim_run(sim, 20000);
}

/* Writes one block by the whole path; returns its id, or 0 if there was no target. */
static inline uint64_t sim_write(struct sim *sim, size_t writer, uint16_t replication, uint64_t bytes)
{
    struct block_location targets[BLOCK_LOCATIONS_MAX];
    struct choose_args args = {
        .client_ip = writer < SIM_NODES ? sim->nodes[writer].ip : NULL, .count = replication, .block_bytes = bytes};
    size_t count = blocks_choose_targets(sim->b, &args, targets, BLOCK_LOCATIONS_MAX);
    if (!count || sim->record_end == SIM_BLOCKS)
        return 0;
    size_t at = sim->record_end++;
    uint64_t id = FIRST_ID + at, gs = sim->next_gen_stamp++;
    sim->records[at] = (struct block_record){.block_id = id,
                                             .inode_id = 16386,
                                             .gen_stamp = gs,
                                             .bytes = 0,
                                             .replication = replication,
                                             .state = BLOCK_UNDER_CONSTRUCTION};
    const char *storages[BLOCK_LOCATIONS_MAX];
    for (size_t i = 0; i < count; i++)
        storages[i] = targets[i].storage_uuid;
    blocks_under_construction(sim->b, id, gs, bytes, replication, storages, count);
    bool committed = false;
    for (size_t i = 0; i < count; i++) {
        size_t n = sim_node_of(sim, &targets[i]);
        if (!sim->nodes[n].up)
            continue;
        sim->nodes[n].disk[at] = (struct sim_replica){
            .gen_stamp = gs, .bytes = bytes, .xxh3 = SIM_XXH3(id), .there = true, .second = sim_second(sim)};
        sim_event(sim, n, REPLICA_RECEIVING, id);
        sim_event(sim, n, REPLICA_RECEIVED, id);
        if (i == 0) { /* the client hears the last ack before the other datanodes' reports are in */
            sim->records[at].state = BLOCK_COMMITTED;
            sim->records[at].bytes = bytes;
            committed = true;
            if (blocks_commit(sim->b, id, gs, bytes))
                sim_complete(sim, id);
        }
    }
    if (!committed) {
        sim->records[at].block_id = 0;
        blocks_remove(sim->b, id);
        return 0;
    }
    return id;
}
static inline void sim_remove(struct sim *sim, uint64_t id)
{
    sim->complete_count -= sim->records[id - FIRST_ID].state == BLOCK_COMPLETE;
    sim->records[id - FIRST_ID].block_id = 0;
    blocks_remove(sim->b, id);
}
static inline size_t sim_copies(struct sim *sim, uint64_t id)
{
    size_t count = 0;
    for (size_t n = 0; n < sim->node_count; n++)
        count += sim->nodes[n].disk[id - FIRST_ID].there;
    return count;
}
static inline struct blocks_stats sim_stats(struct sim *sim)
{
    struct blocks_stats s;
    blocks_stats(sim->b, &s);
    return s;
}
static inline void sim_kill(struct sim *sim, size_t n)
{
    sim->nodes[n].up = false;
}

#endif

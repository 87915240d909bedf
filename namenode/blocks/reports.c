#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "namenode/blocks/internal.h"

#define SCAN_STEPS_MAX      16 /* beyond that many records a seek is cheaper */
#define ABORTED_REPORTS_MAX 200

/* ---- one replica ---- */

/* A replica of a complete block: it is good only if finalized with the block's own stamp and length. */
static void report_on_complete(struct blocks *b, struct block *blk, struct storage *s, const struct block_list_entry *e,
                               const char *delete_hint, uint64_t now_ms)
{
    uint64_t gen_stamp = block_gen_stamp(blk);
    if (e->gen_stamp < gen_stamp && pending_by_pipeline(b, blk, s->node))
        return; /* old news, overtaken by what another node of the pipeline reported */
    switch (e->state) {
    case HDFS__REPLICA_STATE_PROTO__FINALIZED:
        if (e->gen_stamp == gen_stamp && e->length_bytes == block_bytes(blk))
            block_replica_good(b, blk, s, digest_fold(e->xxh3), delete_hint, now_ms);
        else
            block_replica_corrupt(b, blk, s, e->gen_stamp,
                                  e->gen_stamp == gen_stamp ? "wrong length" : "wrong generation stamp", now_ms);
        return;
    case HDFS__REPLICA_STATE_PROTO__RBW:
        if (e->gen_stamp != gen_stamp)
            block_replica_corrupt(b, blk, s, e->gen_stamp, "being written, with another generation stamp", now_ms);
        return; /* the same stamp: it is about to be finalized */
    case HDFS__REPLICA_STATE_PROTO__TEMPORARY: return;
    default: /* left over from a restart in mid-write, or a recovery that is long over */
        block_replica_corrupt(b, blk, s, e->gen_stamp, "not finalized", now_ms);
    }
}

static void report_replica(struct blocks *b, struct block *blk, struct storage *s, const struct block_list_entry *e,
                           const char *delete_hint, uint64_t now_ms)
{
    if (blk->complete)
        report_on_complete(b, blk, s, e, delete_hint, now_ms);
    else
        uc_report(b, blk, s, e, now_ms);
}

/* ---- incremental ---- */

static void replica_deleted(struct blocks *b, struct storage *s, uint64_t block_id, uint64_t now_ms)
{
    struct block *blk = block_table_find(&b->table, block_id);
    const struct replica *r = blk ? block_replica_on(blk, s) : NULL;
    if (!r)
        return;
    block_replica_forget(b, blk, (size_t)(r - block_replicas(blk)));
    block_update(b, blk, now_ms);
}

void blocks_replica_event(struct blocks *b, struct datanode *node, const char *storage_uuid, uint8_t storage_type,
                          const struct replica_event *event, uint64_t now_ms)
{
    if (now_ms > b->now_ms)
        b->now_ms = now_ms;
    if (!node->info.alive || node->must_register)
        return; /* its full report will tell */
    struct storage *s = datanode_storage(b, node, storage_uuid, storage_type);
    if (!storage_is_usable(s))
        return;
    if (event->kind == REPLICA_DELETED) {
        replica_deleted(b, s, event->block_id, now_ms);
        return;
    }
    struct block_list_entry e = {.block_id = event->block_id,
                                 .gen_stamp = event->gen_stamp,
                                 .length_bytes = event->bytes,
                                 .xxh3 = event->xxh3,
                                 .state = event->kind == REPLICA_RECEIVED ? HDFS__REPLICA_STATE_PROTO__FINALIZED
                                                                          : HDFS__REPLICA_STATE_PROTO__RBW};
    struct block *blk = block_known(b, event->block_id);
    if (blk)
        report_replica(b, blk, s, &e, event->delete_hint, now_ms);
    else
        invalidate_if_unknown(b, node, event->block_id, event->gen_stamp);
    blocks_drain_ready(b);
}

/* ---- full ---- */

int blocks_report_begin(struct blocks *b, struct datanode *node, const char *storage_uuid, uint8_t storage_type,
                        uint64_t lease_id, uint64_t now_ms, struct full_report *ret, struct err *reterr)
{
    if (now_ms > b->now_ms)
        b->now_ms = now_ms;
    if (!node->info.alive || node->must_register)
        return err_set(reterr, ERR_UNREGISTERED_NODE, "datanode %s:%u must register again before its block report",
                       node->ip, node->info.xfer_port);
    if (lease_id && (lease_id != node->lease_id || now_ms > node->lease_until_ms))
        return err_set(reterr, ERR_BAD_REPORT_LEASE, "datanode %s:%u: block report lease %llx has expired", node->ip,
                       node->info.xfer_port, (unsigned long long)lease_id);
    struct storage *s = datanode_storage(b, node, storage_uuid, storage_type);
    if (!s)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "datanode %s:%u: storage '%s' cannot be added", node->ip,
                       node->info.xfer_port, storage_uuid);
    /* A new epoch, so that replicas which this report does not name can be told. (Epochs are 8 bits: after many reports
     * that began and never ended, one is used twice; at worst a replica is forgotten one report later.) */
    if ((uint8_t)(s->epoch - s->ended_epoch) < ABORTED_REPORTS_MAX)
        s->epoch++;
    *ret = (struct full_report){.storage = s->index, .epoch = s->epoch, .started_ms = now_ms};
    return 0;
}

static struct storage *report_storage(struct blocks *b, const struct full_report *r, struct err *reterr)
{
    struct storage *s = r->storage < b->storage_count ? b->storages[r->storage] : NULL;
    if (!storage_is_usable(s) || s->epoch != r->epoch) {
        err_set(reterr, ERR_CANCELLED, "block report overtaken: its storage is gone or has begun a newer report");
        return NULL;
    }
    return s;
}

static int by_block_id(const void *x, const void *y)
{
    uint64_t a = ((const struct block_list_entry *)x)->block_id, c = ((const struct block_list_entry *)y)->block_id;
    return a < c ? -1 : a > c;
}

static bool is_sorted(const struct block_list_entry *entries, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (entries[i].block_id < entries[i - 1].block_id)
            return false;
    return true;
}

/* Records of the store in step with the sorted report: neighbours by the iterator, far ones by a seek. */
struct record_scan {
    const struct blocks *b;
    void *scan;
    struct block_record record;
    bool has_record, at_end;
};

static bool scan_find(struct record_scan *rs, uint64_t block_id)
{
    const struct blocks_seam *seam = &rs->b->seam;
    if (!rs->scan)
        rs->scan = seam->scan_open(seam->context);
    for (int step = 0; rs->has_record && rs->record.block_id < block_id && step < SCAN_STEPS_MAX; step++)
        rs->has_record = seam->scan_next(rs->scan, &rs->record);
    if (!rs->has_record && rs->at_end)
        return false;
    if (!rs->has_record || rs->record.block_id < block_id) {
        seam->scan_seek(rs->scan, block_id);
        rs->has_record = seam->scan_next(rs->scan, &rs->record);
    }
    rs->at_end = !rs->has_record;
    return rs->has_record && rs->record.block_id == block_id && rs->record.state != BLOCK_UNREADABLE;
}

int blocks_report_slice(struct blocks *b, struct full_report *r, struct block_list_entry *entries, size_t count,
                        uint64_t now_ms, struct err *reterr)
{
    if (now_ms > b->now_ms)
        b->now_ms = now_ms;
    struct storage *s = report_storage(b, r, reterr);
    if (!s)
        return ERR_CANCELLED;
    if (count && !is_sorted(entries, count))
        qsort(entries, count, sizeof *entries, by_block_id);
    struct record_scan rs = {.b = b};
    for (size_t i = 0; i < count; i++) {
        const struct block_list_entry *e = &entries[i];
        if (i && e->block_id == entries[i - 1].block_id)
            continue;
        r->replicas++;
        struct block *blk = block_table_find(&b->table, e->block_id);
        if (!blk && scan_find(&rs, e->block_id))
            blk = block_from_record(b, &rs.record);
        if (!blk) {
            r->unknown++;
            invalidate_if_unknown(b, s->node, e->block_id, e->gen_stamp);
            continue;
        }
        struct replica *mine = block_replica_on(blk, s);
        bool was_told = mine && mine->flags & REPLICA_QUEUED; /* to delete it, and it is still there */
        report_replica(b, blk, s, e, NULL, now_ms);
        mine = block_replica_on(blk, s);
        if (!mine)
            continue; /* being written: no replica to remember yet */
        mine->epoch = s->epoch;
        r->seen++;
        if (mine->flags & REPLICA_CORRUPT)
            r->corrupt++;
        if (was_told && mine->flags & REPLICA_QUEUED)
            invalidate(b, s->node, e->block_id, e->gen_stamp);
    }
    if (rs.scan)
        b->seam.scan_close(rs.scan);
    blocks_drain_ready(b);
    return 0;
}

int blocks_report_end(struct blocks *b, struct full_report *r, uint64_t now_ms, struct err *reterr)
{
    struct storage *s = report_storage(b, r, reterr);
    if (!s)
        return ERR_CANCELLED;
    bool was_reported = s->reported;
    s->reported = true;
    s->ended_epoch = s->epoch;
    s->node->info.last_report_ms = now_ms;
    b->totals.full_reports++;
    if (r->seen != s->block_count) {
        s->purge = true;
        s->purge_epoch = s->epoch;
        sweep_request(b);
    }
    if (!was_reported && b->tracking) {
        b->recheck_wanted = true; /* excess replicas may have waited for this storage */
        sweep_request(b);
    }
    return 0;
}

void blocks_report_lease_done(struct blocks *b, struct datanode *node)
{
    node->lease_id = 0;
}

#include "proto/block_list.h"

#include <stdbool.h>

#include "common/wr.h"

#define BUFFER_BYTES (1u << 20)
#define LENGTH_MASK  ((UINT64_C(1) << 48) - 1)
#define STATE_MASK   15u

void block_list_add(struct block_list *list, const struct block_list_entry *e)
{
    buf_reserve(&list->entries, 40);
    wr_zigzag(&list->entries, (int64_t)e->block_id);
    wr_varint(&list->entries, e->length_bytes & LENGTH_MASK);
    wr_varint(&list->entries, e->gen_stamp);
    wr_varint(&list->entries, e->state & STATE_MASK);
    buf_append(&list->digests, &e->xxh3, sizeof e->xxh3);
    list->count++;
}

void block_list_fill(const struct block_list *list, Hdfs__StorageBlockReportProto *report, struct arena *a)
{
    size_t buffers = (list->entries.len + BUFFER_BYTES - 1) / BUFFER_BYTES;
    report->has_numberofblocks = 1;
    report->numberofblocks = list->count;
    report->n_blocksbuffers = buffers;
    report->blocksbuffers = arena_array(a, ProtobufCBinaryData, buffers);
    for (size_t i = 0; i < buffers; i++) {
        size_t from = i * BUFFER_BYTES, left = list->entries.len - from;
        report->blocksbuffers[i].data = list->entries.base + from;
        report->blocksbuffers[i].len = left < BUFFER_BYTES ? left : BUFFER_BYTES;
    }
    report->n_xxh3 = (size_t)list->count;
    report->xxh3 = (uint64_t *)(void *)list->digests.base;
}

void block_list_free(struct block_list *list)
{
    buf_free(&list->entries);
    buf_free(&list->digests);
    list->count = 0;
}

static bool is_longs(const Hdfs__StorageBlockReportProto *report)
{
    return !report->has_numberofblocks;
}

static int longs_init(struct block_list_reader *r, struct err *reterr)
{
    const Hdfs__StorageBlockReportProto *report = r->report;
    if (report->n_blocks == 0)
        return 0;
    uint64_t n = report->n_blocks, finalized = report->blocks[0], other = n > 1 ? report->blocks[1] : 0;
    /* Each bounded by n on its own first, so that the sum cannot wrap. */
    if (finalized > n || other > n || n != 2 + 3 * finalized + 3 + 4 * other)
        return err_set(reterr, ERR_PROTOCOL, "block report of %llu numbers announces %llu + %llu blocks",
                       (unsigned long long)n, (unsigned long long)finalized, (unsigned long long)other);
    r->finalized_count = finalized;
    r->count = finalized + other;
    return 0;
}

int block_list_reader_init(struct block_list_reader *r, const Hdfs__StorageBlockReportProto *report, struct err *reterr)
{
    *r = (struct block_list_reader){.report = report};
    if (is_longs(report))
        return longs_init(r, reterr);
    uint64_t bytes = 0;
    for (size_t i = 0; i < report->n_blocksbuffers; i++)
        bytes += report->blocksbuffers[i].len;
    r->count = report->numberofblocks;
    if (r->count > bytes / 4) /* the shortest entry */
        return err_set(reterr, ERR_PROTOCOL, "block report of %llu bytes announces %llu blocks",
                       (unsigned long long)bytes, (unsigned long long)r->count);
    return 0;
}

static int next_byte(struct block_list_reader *r)
{
    const Hdfs__StorageBlockReportProto *report = r->report;
    while (r->buffer < report->n_blocksbuffers && r->offset == report->blocksbuffers[r->buffer].len) {
        r->buffer++;
        r->offset = 0;
    }
    return r->buffer < report->n_blocksbuffers ? report->blocksbuffers[r->buffer].data[r->offset++] : -1;
}

static bool next_varint(struct block_list_reader *r, uint64_t *ret)
{
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        int byte = next_byte(r);
        if (byte < 0)
            return false;
        value |= (uint64_t)(byte & 0x7f) << (shift < 64 ? shift : 63);
        if (!(byte & 0x80)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static bool next_from_buffers(struct block_list_reader *r, struct block_list_entry *e)
{
    uint64_t id, length, stamp, state;
    if (!next_varint(r, &id) || !next_varint(r, &length) || !next_varint(r, &stamp) || !next_varint(r, &state))
        return false;
    e->block_id = (id >> 1) ^ -(id & 1);
    e->length_bytes = length & LENGTH_MASK; /* the bits above are reserved */
    e->gen_stamp = stamp;
    e->state = state & STATE_MASK;
    return true;
}

static void next_from_longs(const struct block_list_reader *r, struct block_list_entry *e)
{
    bool finalized = r->index < r->finalized_count;
    const uint64_t *at = r->report->blocks + 2 + 3 * r->index;
    if (!finalized)
        at = r->report->blocks + 2 + 3 * r->finalized_count + 3 + 4 * (r->index - r->finalized_count);
    e->block_id = at[0];
    e->length_bytes = at[1] & LENGTH_MASK;
    e->gen_stamp = at[2];
    e->state = finalized ? HDFS__REPLICA_STATE_PROTO__FINALIZED : (uint32_t)(at[3] & STATE_MASK);
}

int block_list_next(struct block_list_reader *r, struct block_list_entry *ret, struct err *reterr)
{
    struct block_list_entry e = {0};
    if (r->index == r->count) {
        if (!is_longs(r->report) && next_byte(r) >= 0)
            return err_set(reterr, ERR_PROTOCOL, "block report has bytes after its %llu blocks",
                           (unsigned long long)r->count);
        return 0;
    }
    if (is_longs(r->report))
        next_from_longs(r, &e);
    else if (!next_from_buffers(r, &e))
        return err_set(reterr, ERR_PROTOCOL, "block report cut short after %llu of %llu blocks",
                       (unsigned long long)r->index, (unsigned long long)r->count);
    if (e.state > HDFS__REPLICA_STATE_PROTO__TEMPORARY)
        return err_set(reterr, ERR_PROTOCOL, "block report: block %llu in unknown state %u",
                       (unsigned long long)e.block_id, e.state);
    if (r->index < r->report->n_xxh3)
        e.xxh3 = r->report->xxh3[r->index];
    r->index++;
    *ret = e;
    return 1;
}

/* The list of replicas in a full block report, in both of Hadoop's encodings.
 *
 * Buffers:  per replica  zigzag block id, varint length, varint generation stamp, varint state; the bytes may
 * be cut into several buffers at any point. Longs:    [finalized count, other count, 3 per finalized (id,
 * length, stamp), -1 -1 -1, 4 per other (.., state)]
 *
 * Cairn's digests (StorageBlockReportProto.xxh3) go along in the same order. */
#ifndef CAIRN_PROTO_BLOCK_LIST_H
#define CAIRN_PROTO_BLOCK_LIST_H

#include <stdint.h>

#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"
#include "hdfs/datanode_namenode.pb-c.h"

struct block_list_entry {
    uint64_t block_id;
    uint64_t length_bytes; /* 48 bits */
    uint64_t gen_stamp;
    uint64_t xxh3;  /* 0 = not known */
    uint32_t state; /* HDFS__REPLICA_STATE_PROTO__* */
};

/* Writing. A zeroed list is empty. */
struct block_list {
    struct buf entries; /* encoded */
    struct buf digests; /* uint64_t each */
    uint64_t count;
};
void block_list_add(struct block_list *list, const struct block_list_entry *e);
/* Sets numberOfBlocks, blocksBuffers and xxh3 of the report; they borrow the list's memory (the array of
 * buffers is in the arena), so keep the list unchanged until the report is packed. */
void block_list_fill(const struct block_list *list, Hdfs__StorageBlockReportProto *report, struct arena *a);
void block_list_free(struct block_list *list);

/* Reading; borrows the report. */
struct block_list_reader {
    const Hdfs__StorageBlockReportProto *report;
    size_t buffer, offset;    /* next byte, in the buffers */
    uint64_t index;           /* of the next entry */
    uint64_t count;           /* announced */
    uint64_t finalized_count; /* longs only */
};
/* ERR_PROTOCOL: the announced number cannot be right. */
int block_list_reader_init(struct block_list_reader *r, const Hdfs__StorageBlockReportProto *report,
                           struct err *reterr) MUST_CHECK;
/* 1 and *ret, 0 at the end, or ERR_PROTOCOL (cut short, surplus bytes, unknown state). */
int block_list_next(struct block_list_reader *r, struct block_list_entry *ret, struct err *reterr) MUST_CHECK;

#endif

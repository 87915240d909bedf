/* Which reduce a key goes to. Immutable after open; any thread. */
#ifndef CAIRN_SCHEDULER_ENGINE_PARTITION_H
#define CAIRN_SCHEDULER_ENGINE_PARTITION_H

#include "cairn/scheduler.pb-c.h"
#include "scheduler/engine/key_fields.h"

struct partitioner {
    uint32_t partitions;
    struct key_fields fields; /* count 0: the whole key */
    const Cairn__JobSpecProto
        *ranges; /* NULL: by hash; else its partitionPoints are where partitions 1, 2, ... begin */
};
/* XXH3 of the key's bytes, or with -partitioner KeyFieldBasedPartitioner of the fields that
 * num.key.fields.for.partition or mapreduce.partition.keypartitioner.options name; with TotalOrderPartitioner by the
 * ranges that submission has found. Borrows the job. ERR_CONFIG. */
int partitioner_open(const Cairn__JobSpecProto *job, struct partitioner *ret, struct err *reterr) MUST_CHECK;
uint32_t partition_of(const struct partitioner *p, const uint8_t *key, uint32_t key_len);

#endif

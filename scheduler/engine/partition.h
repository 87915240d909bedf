/* Which reduce a key goes to. Immutable after open; any thread. */
#ifndef CAIRN_SCHEDULER_ENGINE_PARTITION_H
#define CAIRN_SCHEDULER_ENGINE_PARTITION_H

#include "cairn/scheduler.pb-c.h"
#include "common/err.h"
#include "scheduler/engine/run_file.h"

#define KEY_SPECS_MAX 16
struct key_spec { /* as sort -k: fields and characters count from 1; end_char 0 = the field's last */
    int begin_field, begin_char, end_field, end_char; /* end_field 0 = to the end of the key */
};
struct partitioner {
    uint32_t partitions;
    char separator;
    struct key_spec specs[KEY_SPECS_MAX];
    int spec_count; /* 0: hash of the whole key */
};
/* XXH3 of the key's bytes, or with -partitioner KeyFieldBasedPartitioner of the fields that
 * num.key.fields.for.partition or mapreduce.partition.keypartitioner.options name. ERR_CONFIG. */
int partitioner_open(const Cairn__JobSpecProto *job, struct partitioner *ret, struct err *reterr) MUST_CHECK;
uint32_t partition_of(const struct partitioner *p, const uint8_t *key, uint32_t key_len);

#endif

#include "scheduler/engine/partition.h"

#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "scheduler/engine/job_conf.h"

static int open_fields(const Cairn__JobSpecProto *job, struct partitioner *p, struct err *reterr)
{
    const char *separator = job_conf_get(job, "mapreduce.map.output.key.field.separator");
    separator = separator ? separator : job_conf_get(job, "map.output.key.field.separator");
    p->fields.separator = separator_of(separator);
    const char *fields = job_conf_get(job, "num.key.fields.for.partition");
    const char *options = job_conf_get(job, "mapreduce.partition.keypartitioner.options");
    options = options ? options : job_conf_get(job, "mapred.text.key.partitioner.options");
    if (fields) {
        int count = atoi(fields);
        if (count < 1)
            return err_set(reterr, ERR_CONFIG, "num.key.fields.for.partition '%s' is not a positive number", fields);
        p->fields.specs[p->fields.count++] = (struct key_spec){1, 1, count, 0, false, false};
        return 0;
    }
    return options ? key_fields_parse(options, "mapreduce.partition.keypartitioner.options", &p->fields, reterr) : 0;
}

int partitioner_open(const Cairn__JobSpecProto *job, struct partitioner *ret, struct err *reterr)
{
    struct partitioner p = {.partitions = job->reduces ? job->reduces : 1};
    int rc = job->fieldpartitioner ? open_fields(job, &p, reterr) : 0;
    if (rc < 0)
        return rc;
    if (job->totalorder) {
        if (job->n_partitionpoints >= p.partitions)
            return err_set(reterr, ERR_CONFIG, "%zu points for %u partitions", job->n_partitionpoints, p.partitions);
        p.ranges = job;
    }
    *ret = p;
    return 0;
}

/* How many points are not after the key. */
static uint32_t range_of(const Cairn__JobSpecProto *job, const uint8_t *key, uint32_t key_len)
{
    size_t low = 0, high = job->n_partitionpoints;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const ProtobufCBinaryData *point = &job->partitionpoints[middle];
        size_t len = point->len < key_len ? point->len : key_len;
        int order = len ? memcmp(point->data, key, len) : 0;
        if (order < 0 || (order == 0 && point->len <= key_len))
            low = middle + 1;
        else
            high = middle;
    }
    return (uint32_t)low;
}

uint32_t partition_of(const struct partitioner *p, const uint8_t *key, uint32_t key_len)
{
    if (p->partitions == 1)
        return 0;
    if (p->ranges)
        return range_of(p->ranges, key, key_len);
    if (p->fields.count == 0)
        return (uint32_t)(xxh3_of(key, key_len) % p->partitions);
    uint64_t hash = 0;
    for (int i = 0; i < p->fields.count; i++) {
        struct slice part = key_part((struct slice){key, key_len}, p->fields.separator, &p->fields.specs[i]);
        hash = hash * 31 + xxh3_of(part.base ? part.base : (const uint8_t *)"", part.len);
    }
    return (uint32_t)(hash % p->partitions);
}

/* The counters of one task attempt: Hadoop's own ones by index, the user's (reporter:counter:) by name. Any thread. */
#ifndef CAIRN_SCHEDULER_ENGINE_COUNTERS_H
#define CAIRN_SCHEDULER_ENGINE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"
#include "cairn/scheduler.pb-c.h"

#define COUNTER_FRAMEWORK   "Map-Reduce Framework"
#define COUNTER_FILE_SYSTEM "File System Counters"
#define COUNTER_SHUFFLE     "Shuffle Errors"
#define COUNTER_READ        "File Input Format Counters"
#define COUNTER_WRITE       "File Output Format Counters"
#define COUNTER_CAIRN       "Cairn"

#define COUNTER_LIST(X)                                                                                                \
    X(FILE_BYTES_READ, COUNTER_FILE_SYSTEM, "FILE: Number of bytes read")                                              \
    X(FILE_BYTES_WRITTEN, COUNTER_FILE_SYSTEM, "FILE: Number of bytes written")                                        \
    X(HDFS_BYTES_READ, COUNTER_FILE_SYSTEM, "HDFS: Number of bytes read")                                              \
    X(HDFS_BYTES_WRITTEN, COUNTER_FILE_SYSTEM, "HDFS: Number of bytes written")                                        \
    X(MAP_INPUT_RECORDS, COUNTER_FRAMEWORK, "Map input records")                                                       \
    X(MAP_OUTPUT_RECORDS, COUNTER_FRAMEWORK, "Map output records")                                                     \
    X(MAP_OUTPUT_BYTES, COUNTER_FRAMEWORK, "Map output bytes")                                                         \
    X(MAP_OUTPUT_MATERIALIZED_BYTES, COUNTER_FRAMEWORK, "Map output materialized bytes")                               \
    X(COMBINE_INPUT_RECORDS, COUNTER_FRAMEWORK, "Combine input records")                                               \
    X(COMBINE_OUTPUT_RECORDS, COUNTER_FRAMEWORK, "Combine output records")                                             \
    X(REDUCE_INPUT_GROUPS, COUNTER_FRAMEWORK, "Reduce input groups")                                                   \
    X(REDUCE_SHUFFLE_BYTES, COUNTER_FRAMEWORK, "Reduce shuffle bytes")                                                 \
    X(REDUCE_INPUT_RECORDS, COUNTER_FRAMEWORK, "Reduce input records")                                                 \
    X(REDUCE_OUTPUT_RECORDS, COUNTER_FRAMEWORK, "Reduce output records")                                               \
    X(SPILLED_RECORDS, COUNTER_FRAMEWORK, "Spilled Records")                                                           \
    X(SHUFFLED_MAPS, COUNTER_FRAMEWORK, "Shuffled Maps")                                                               \
    X(FAILED_SHUFFLE, COUNTER_FRAMEWORK, "Failed Shuffles")                                                            \
    X(MERGED_MAP_OUTPUTS, COUNTER_FRAMEWORK, "Merged Map outputs")                                                     \
    X(CPU_MS, COUNTER_FRAMEWORK, "CPU time spent (ms)")                                                                \
    X(MEMORY_BYTES, COUNTER_FRAMEWORK, "Physical memory (bytes) snapshot")                                             \
    X(BYTES_READ, COUNTER_READ, "Bytes Read")                                                                          \
    X(BYTES_WRITTEN, COUNTER_WRITE, "Bytes Written")                                                                   \
    X(BYTES_LOCAL, COUNTER_CAIRN, "bytes_local")                                                                       \
    X(BYTES_REMOTE, COUNTER_CAIRN, "bytes_remote")

enum counter_index {
#define COUNTER_INDEX(name, group, text) COUNTER_##name,
    COUNTER_LIST(COUNTER_INDEX)
#undef COUNTER_INDEX
        COUNTER_COUNT
};

struct counters;
struct counters *counters_new(void);
void counters_free(struct counters *c);
void counters_add(struct counters *c, enum counter_index which, int64_t delta);
int64_t counters_value(const struct counters *c, enum counter_index which);
#define COUNTERS_USER_MAX 120 /* mapreduce.job.counters.max */
#define COUNTER_NAME_MAX  128
/* ERR_TOO_LARGE: more than COUNTERS_USER_MAX names. Names past COUNTER_NAME_MAX are cut. */
int counters_add_named(struct counters *c, const char *group, const char *name, int64_t delta,
                       struct err *reterr) MUST_CHECK;
/* Those that are not 0, in the arena. */
void counters_export(struct counters *c, struct arena *a, Cairn__CounterProto ***ret, size_t *ret_count);

#endif

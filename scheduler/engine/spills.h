/* The spills of one map: run files that are written one after the other and merged. One thread. */
#ifndef CAIRN_SCHEDULER_ENGINE_SPILLS_H
#define CAIRN_SCHEDULER_ENGINE_SPILLS_H

#include "scheduler/engine/sort_buffer.h"
#include "scheduler/engine/task.h"

struct spills {
    struct task *task;
    const char *dir;
    uint32_t partitions;
    uint32_t first, count; /* spills [first, count) are there; those before were merged into later ones */
};

/* The next spill: a sorted buffer, which is empty then. */
int spill_buffer(struct spills *s, struct sort_buffer *buffer, struct err *reterr) MUST_CHECK;
/* One record that is larger than the buffer. */
int spill_alone(struct spills *s, uint32_t partition, const struct record *r, struct err *reterr) MUST_CHECK;
/* Until there are no more than mapreduce.task.io.sort.factor. */
int spills_reduce(struct spills *s, struct err *reterr) MUST_CHECK;
/* All become dir/file.out. */
int spills_finish(struct spills *s, struct err *reterr) MUST_CHECK;
void spills_remove(struct spills *s, uint32_t before); /* [first, before) are not needed any more */

/* Records of spills [first, count) in order of (partition, key). */
struct spill_merge;
int spill_merge_new(const struct spills *s, uint32_t from, uint32_t to, struct spill_merge **ret,
                    struct err *reterr) MUST_CHECK;
/* Borrowed until the next call. */
int spill_merge_next(struct spill_merge *m, uint32_t *ret_partition, struct record *ret, bool *ret_more,
                     struct err *reterr) MUST_CHECK;
void spill_merge_free(struct spill_merge *m);

#endif

/* k-way merge of sorted runs by key bytes; among equal keys the order of the runs counts, so results do not depend on
 * timing. One thread. */
#ifndef CAIRN_SCHEDULER_ENGINE_MERGE_H
#define CAIRN_SCHEDULER_ENGINE_MERGE_H

#include "scheduler/engine/run_file.h"

struct merge;
/* Takes over the readers (freed with the merge); the array is only read. */
int merge_new(struct run_reader *const *runs, size_t count, struct merge **ret, struct err *reterr) MUST_CHECK;
void merge_free(struct merge *m);
/* *ret borrowed until the next call. */
int merge_next(struct merge *m, struct record *ret, bool *ret_more, struct err *reterr) MUST_CHECK;

/* Read buffer of each of so many runs, so that merging them stays within its share of a task's memory. */
size_t merge_buffer_bytes(size_t memory_bytes, size_t runs);

/* memcmp order, shorter first. */
int record_key_compare(const struct record *a, const struct record *b);

#endif

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

/* memcmp order, shorter first. */
int record_key_compare(const struct record *a, const struct record *b);

#endif

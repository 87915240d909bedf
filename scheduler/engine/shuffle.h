/* The shuffle's receiving end: fetches this reduce's run from every map's output as maps finish, several at a time,
 * into bounded memory or onto disk, verifies each, and gives them as one sorted stream. */
#ifndef CAIRN_SCHEDULER_ENGINE_SHUFFLE_H
#define CAIRN_SCHEDULER_ENGINE_SHUFFLE_H

#include "scheduler/engine/merge.h"
#include "scheduler/engine/task.h"

struct shuffle;
struct shuffle *shuffle_new(struct task *t);
/* Until everything is here. ERR_CANCELLED etc. from the scheduler connection end it. */
int shuffle_run(struct shuffle *s, struct err *reterr) MUST_CHECK;
/* Everything as one merge (borrows the shuffle's memory and files; free it first). */
int shuffle_merge(struct shuffle *s, struct merge **ret, struct err *reterr) MUST_CHECK;
void shuffle_free(struct shuffle *s); /* NULL is fine; removes its files */

#endif

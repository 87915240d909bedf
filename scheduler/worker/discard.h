/* Folders that are not wanted any more. To remove one can take long (many files, large ones, a slow disk), and a worker
 * that does nothing else meanwhile counts as lost: so they are put aside at once, and removed by a thread of its own.
 */
#ifndef CAIRN_SCHEDULER_WORKER_DISCARD_H
#define CAIRN_SCHEDULER_WORKER_DISCARD_H

#include "common/err.h"

struct discard;
/* dir: on the same file system as what will be discarded; what an earlier one left there is removed. */
int discard_start(const char *dir, struct discard **ret, struct err *reterr) MUST_CHECK;
void discard_stop(struct discard *d); /* waits for the folder that is being removed; others stay. NULL is fine */
/* It is gone from its place when this returns; one that is missing is fine, one that stays is logged. */
void discard(struct discard *d, const char *path);

#endif

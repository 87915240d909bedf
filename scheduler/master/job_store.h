/* What the scheduler keeps of jobs across restarts: one JobRecordProto per job, in LevelDB, ordered by submission.
 * Any thread may call. Every write is synced before it returns. */
#ifndef CAIRN_SCHEDULER_MASTER_JOB_STORE_H
#define CAIRN_SCHEDULER_MASTER_JOB_STORE_H

#include <stdbool.h>

#include "cairn/scheduler.pb-c.h"
#include "common/arena.h"
#include "common/err.h"

struct job_store;
int job_store_open(const char *dir, uint32_t finished_max, struct job_store **ret, struct err *reterr) MUST_CHECK;
void job_store_close(struct job_store *s); /* NULL is fine */
/* Also drops the oldest records beyond finished_max. */
int job_store_put(struct job_store *s, const Cairn__JobRecordProto *record, struct err *reterr) MUST_CHECK;
/* ERR_NOT_FOUND. */
int job_store_get(struct job_store *s, const char *job_id, struct arena *a, Cairn__JobRecordProto **ret,
                  struct err *reterr) MUST_CHECK;
/* The newest first, until fn returns false. Records live only during the call. */
int job_store_each(struct job_store *s, bool (*fn)(const Cairn__JobRecordProto *record, void *arg), void *arg,
                   struct err *reterr) MUST_CHECK;

#endif

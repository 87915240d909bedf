/* What the scheduler keeps of jobs across restarts, in LevelDB:
 *
 *   job/START/NUMBER              JobRecordProto: state, and at the end all attempts; in the order of submission
 *   live/START/NUMBER             LiveJobProto: all that is needed to go on, while the job is not over
 *   live/START/NUMBER/ATTEMPT     AttemptRecordProto: an attempt that ended, while the job is not over
 *   note/NAME                     small things by name (a worker that is drained, a recurring job)
 *
 * Only its owner may look into the folder. Any thread may call. Every write is synced before it returns, unless it says
 * otherwise. */
#ifndef CAIRN_SCHEDULER_MASTER_JOB_STORE_H
#define CAIRN_SCHEDULER_MASTER_JOB_STORE_H

#include <stdbool.h>

#include "cairn/scheduler.pb-c.h"
#include "common/arena.h"
#include "common/buf.h"
#include "common/err.h"

struct job_store;
int job_store_open(const char *dir, uint32_t finished_max, struct job_store **ret, struct err *reterr) MUST_CHECK;
void job_store_close(struct job_store *s); /* NULL is fine */
/* Also drops the oldest records beyond finished_max. */
int job_store_put(struct job_store *s, const Cairn__JobRecordProto *record, struct err *reterr) MUST_CHECK;
/* A job that begins: both of its records at once. ERR_EXISTS. */
int job_store_begin(struct job_store *s, const Cairn__JobRecordProto *record, const Cairn__LiveJobProto *live,
                    struct err *reterr) MUST_CHECK;
int job_store_put_live(struct job_store *s, const Cairn__LiveJobProto *live, struct err *reterr) MUST_CHECK;
/* Packed AttemptRecordProtos. In the kernel's hands when it returns, not synced: what a machine that loses power loses
 * of them runs again. */
struct job_store_attempt {
    char job_id[64], attempt_id[96];
    struct buf bytes;
    struct job_store_attempt *next;
};
int job_store_put_attempts(struct job_store *s, const struct job_store_attempt *first, struct err *reterr) MUST_CHECK;
/* The job is over and cleaned up: nothing is needed to go on. */
int job_store_forget_live(struct job_store *s, const char *job_id, struct err *reterr) MUST_CHECK;
/* Every job that is not forgotten, in order of submission. Messages live in the arena; attempts in no order. */
struct job_store_live {
    Cairn__LiveJobProto *live;
    Cairn__AttemptRecordProto **attempts;
    size_t attempt_count, attempt_capacity;
};
int job_store_each_live(struct job_store *s, struct arena *a, int (*fn)(const struct job_store_live *job, void *arg),
                        void *arg, struct err *reterr) MUST_CHECK;

/* bytes NULL: removed. */
int job_store_put_note(struct job_store *s, const char *name, const void *bytes, size_t len,
                       struct err *reterr) MUST_CHECK;
int job_store_get_note(struct job_store *s, const char *name, struct buf *ret, bool *ret_found,
                       struct err *reterr) MUST_CHECK;
/* Notes whose names begin with `prefix`, in order. */
int job_store_each_note(struct job_store *s, const char *prefix,
                        void (*fn)(const char *name, struct slice bytes, void *arg), void *arg,
                        struct err *reterr) MUST_CHECK;

/* ERR_NOT_FOUND. */
int job_store_get(struct job_store *s, const char *job_id, struct arena *a, Cairn__JobRecordProto **ret,
                  struct err *reterr) MUST_CHECK;
/* The newest first, until fn returns false. Records live only during the call. */
int job_store_each(struct job_store *s, bool (*fn)(const Cairn__JobRecordProto *record, void *arg), void *arg,
                   struct err *reterr) MUST_CHECK;

#endif

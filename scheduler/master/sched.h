/* The scheduler's decisions: events in (with the time), actions out. No I/O, no clock, no threads, no randomness: a
 * unit test runs ten minutes of cluster life in microseconds. Guarded by whoever owns it (the daemon: one mutex).
 *
 * Times are milliseconds of one monotonic clock. Actions are appended in the order in which they must happen. */
#ifndef CAIRN_SCHEDULER_MASTER_SCHED_H
#define CAIRN_SCHEDULER_MASTER_SCHED_H

#include "scheduler/master/job.h"
#include "scheduler/master/resources.h"

struct sched_limits {
    int64_t worker_timeout_ms; /* silent for so long: lost */
    int64_t locality_delay_ms; /* how long a free slot waits for local input */
    uint64_t
        worker_id_base; /* ids begin above it: different for each start, so that none is mistaken for an earlier one */
    bool locality;      /* false: place anywhere (to measure what locality brings) */
};
enum sched_action_kind {
    SCHED_LAUNCH, /* attempt on worker */
    SCHED_KILL,   /* attempt on worker */
    SCHED_FORGET, /* worker may drop what it keeps of job */
    SCHED_COMMIT, /* move the job's output into place, then sched_committed */
    SCHED_OVER, /* the job reached its last state: clean up (unless it succeeded), keep its record, sched_job_remove */
};
struct sched_action {
    enum sched_action_kind kind;
    uint64_t worker_id;
    struct job *job;
    struct attempt *attempt;
};
struct sched_actions {
    struct sched_action *list;
    size_t count, capacity;
};
void sched_actions_free(struct sched_actions *a);

struct sched;
struct sched *sched_new(const struct sched_limits *limits);
void sched_free(struct sched *s);

/* ---- events ---- */
void sched_submit(struct sched *s, int64_t now_ms, struct job *job, struct sched_actions *out); /* takes the job over */
/* ERR_TOO_LARGE: WORKERS_MAX. A worker with the same address is replaced: what it ran is lost. */
int sched_register(struct sched *s, int64_t now_ms, const struct worker_description *d, uint64_t *ret_id,
                   struct sched_actions *out, struct err *reterr) MUST_CHECK;
/* ERR_UNREGISTERED_NODE: it must register again. */
int sched_heartbeat(struct sched *s, int64_t now_ms, uint64_t worker_id, Cairn__AttemptReportProto *const *reports,
                    size_t count, struct sched_actions *out, struct err *reterr) MUST_CHECK;
void sched_fetch_failed(struct sched *s, int64_t now_ms, const struct attempt_id *map, bool corrupt,
                        struct sched_actions *out);
void sched_committed(struct sched *s, int64_t now_ms, const char *job_id, const struct err *why_not,
                     struct sched_actions *out);
bool sched_kill(struct sched *s, int64_t now_ms, const char *job_id, const char *reason,
                struct sched_actions *out); /* false: over or unknown */
void sched_tick(struct sched *s, int64_t now_ms, struct sched_actions *out);
void sched_job_remove(struct sched *s, const char *job_id); /* one that is over; frees it */

/* ---- looking ---- */
struct job *sched_job(const struct sched *s, const char *job_id); /* NULL if unknown */
struct job *sched_job_at(const struct sched *s, size_t i);        /* in order of submission; NULL past the end */
const struct resources *sched_resources(const struct sched *s);

#endif

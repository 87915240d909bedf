/* The scheduler's decisions: events in (with the time), actions out. No I/O, no clock, no threads, no randomness: a
 * unit test runs ten minutes of cluster life in microseconds. Guarded by whoever owns it (the daemon: one mutex).
 *
 * Times are milliseconds of one monotonic clock. Actions are appended in the order in which they must happen. */
#ifndef CAIRN_SCHEDULER_MASTER_SCHED_H
#define CAIRN_SCHEDULER_MASTER_SCHED_H

#include "scheduler/master/job.h"
#include "scheduler/master/resources.h"

struct sched_limits {
    int64_t worker_timeout_ms;    /* silent for so long: lost */
    int64_t locality_delay_ms;    /* how long a free slot waits for input on its node */
    int64_t rack_delay_ms;        /* and after that for input in its rack */
    int64_t recovery_grace_ms;    /* after a restart: until then, workers come back and say what they run */
    int64_t speculative_after_ms; /* no second attempt of a task that has run for less */
    uint64_t worker_id_base;      /* ids begin above it: none is mistaken for one of an earlier start */
    bool locality;                /* false: place anywhere (to measure what locality brings) */
    const char *pools;            /* "name=weight[:slots],...": others have weight 1 and no limit; NULL = none */
    uint32_t user_slots_max;      /* 0 = any number */
};
enum sched_action_kind {
    SCHED_LAUNCH, /* attempt on worker */
    SCHED_KILL,   /* attempt on worker */
    SCHED_FORGET, /* worker may drop what it keeps of job */
    SCHED_KEEP,   /* what is known of attempt has changed for good: it ended, or its output was lost */
    SCHED_PLAN,   /* the jobs it waited for are done: compute the job's splits, then sched_planned */
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

int sched_pools_check(const char *pools, struct err *reterr) MUST_CHECK; /* ERR_CONFIG */
struct sched;
struct sched *sched_new(const struct sched_limits *limits);
void sched_free(struct sched *s);

/* ---- events ---- */
void sched_submit(struct sched *s, int64_t now_ms, struct job *job, struct sched_actions *out); /* takes the job over */
/* A job that was not over when the scheduler ended, with the attempts that had ended. `committing`: so had a commit
 * begun. What ran then is heard of when workers register. */
struct sched_recovery {
    const Cairn__AttemptRecordProto *const *attempts;
    size_t attempt_count;
    int64_t submitted_ms; /* in the core's time, as all of these */
    int64_t epoch_ms;     /* wall time minus the core's time */
    uint32_t incarnation; /* >= 1 */
    bool committing;
};
void sched_recover(struct sched *s, int64_t now_ms, struct job *job, const struct sched_recovery *how,
                   struct sched_actions *out);
/* The splits of a job that SCHED_PLAN was said of. why_not: it fails. Takes the arena over when it succeeds. */
void sched_planned(struct sched *s, int64_t now_ms, const char *job_id, struct arena *arena,
                   const Cairn__JobSpecProto *spec, const struct err *why_not, struct sched_actions *out);

struct registration {
    struct worker_description d;
    Cairn__AttemptReportProto *const *attempts; /* all that the worker runs or has not been answered about */
    size_t attempt_count;
    char *const *jobs; /* that have files there */
    size_t job_count;
    bool draining;
    bool *ret_kill;   /* by attempt: nobody waits for it */
    bool *ret_forget; /* by job: it is over */
};
/* The same instance: it goes on with what it says it runs, and has the map output it made. Another instance at the same
 * address takes the place of the former: what that ran and held is lost. ERR_TOO_LARGE: WORKERS_MAX. */
int sched_register(struct sched *s, int64_t now_ms, const struct registration *r, uint64_t *ret_id,
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
/* Ends one attempt: as a failure of its task, or as if it had never been. ERR_NOT_FOUND; *ret_done false: over already.
 */
int sched_end_attempt(struct sched *s, int64_t now_ms, const struct attempt_id *id, bool fail, const char *why,
                      bool *ret_done, struct sched_actions *out, struct err *reterr) MUST_CHECK;
/* By name, address or "address:port". Returns how many workers that is. */
uint32_t sched_drain(struct sched *s, int64_t now_ms, const char *worker, bool drain, struct sched_actions *out);
void sched_tick(struct sched *s, int64_t now_ms, struct sched_actions *out);
void sched_job_remove(struct sched *s, const char *job_id); /* one that is over; frees it */

/* ---- looking ---- */
struct job *sched_job(const struct sched *s, const char *job_id); /* NULL if unknown */
struct job *sched_job_at(const struct sched *s, size_t i);        /* in order of submission; NULL past the end */
const struct resources *sched_resources(const struct sched *s);

#endif

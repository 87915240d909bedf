/* Layer 2's noun: a job with its tasks and their attempts. Data and bookkeeping; sched.c decides. Part of the decision
 * core: no I/O, no clock, no threads. */
#ifndef CAIRN_SCHEDULER_MASTER_JOB_H
#define CAIRN_SCHEDULER_MASTER_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "cairn/scheduler.pb-c.h"
#include "common/arena.h"
#include "common/err.h"
#include "scheduler/ids.h"
#include "scheduler/master/resources.h"

#define JOB_TASKS_MAX      200000
#define JOB_COUNTERS_MAX   512
#define TASK_FAILED_ON_MAX 4
#define JOB_WAITING_MAX    160

enum task_state { TASK_PENDING, TASK_RUNNING, TASK_DONE, TASK_FAILED };

/*  PENDING --launch--> RUNNING --succeeded--> DONE;  RUNNING --failed, killed, lost--> PENDING;  DONE --output lost-->
 * PENDING;  PENDING --failed too often, and the job may do without it--> FAILED */
struct task_info {
    enum task_state state;
    uint32_t attempts; /* number of the next one */
    uint32_t failures;
    uint32_t running;
    int64_t winner;                         /* index in job->attempts, -1 */
    int64_t last;                           /* newest attempt: index in job->attempts, -1 */
    uint64_t failed_on[TASK_FAILED_ON_MAX]; /* workers */
};
struct counter_value {
    uint32_t counter; /* index in job->counters */
    int64_t value;
};
struct job_counter {
    char *group, *name;
    int64_t value;
};
struct attempt {
    bool map, speculative;
    uint32_t task, number;
    uint64_t worker_id;
    const char *worker_name, *http_address, *instance; /* in the job: the worker may be gone */
    Cairn__AttemptState state;
    Cairn__Locality locality;
    int64_t started_ms, finished_ms;
    float progress;
    char *status, *diagnostics, *why_not_local; /* or NULL */
    struct counter_value *counters;             /* of a winner */
    size_t counter_count;
    uint32_t fetch_failures;
    int64_t fetch_failed_ms; /* the first of them */
    int64_t before;          /* the same task's attempt before, index in job->attempts, -1 */
};
enum map_event_kind { MAP_DONE, MAP_LOST, MAP_FAILED };
struct map_event {
    uint32_t map;
    enum map_event_kind kind;
    uint32_t attempt; /* index in job->attempts */
};
struct map_list { /* maps in order, read by a cursor that passes those that are not pending */
    uint32_t *maps;
    uint32_t count, cursor;
};
struct worker_failures { /* of this job's attempts; a worker with too many is avoided by the job */
    uint64_t worker_id;
    uint32_t count;
};
struct party { /* a pool or a user; lives as long as the scheduler */
    char *name;
    double weight;
    uint32_t slots_max; /* 0 = any number */
    uint32_t running;
};
struct job {
    struct arena arena; /* owns spec */
    const Cairn__JobSpecProto *spec;
    Cairn__JobState state;
    int64_t submitted_ms, started_ms, finished_ms; /* 0 = not yet */
    struct task_info *maps, *reduces;
    uint32_t map_count, reduce_count;
    uint32_t maps_pending, maps_done, reduces_pending, reduces_done, maps_running, reduces_running;
    uint32_t maps_failed, reduces_failed, maps_failed_percent_max, reduces_failed_percent_max;
    uint32_t max_attempts_map, max_attempts_reduce, worker_failures_max;
    double slow_start;
    struct ask map_ask, reduce_ask;
    bool speculate_maps, speculate_reduces;
    int32_t priority;           /* higher first */
    struct party *pool, *owner; /* set by sched_submit */
    struct attempt **attempts;
    size_t attempt_count, attempt_capacity;
    struct attempt **live; /* those that run */
    size_t live_count, live_capacity;
    struct map_event *events;
    size_t event_count, event_capacity;
    struct job_counter counters[JOB_COUNTERS_MAX];
    size_t counter_count;
    const char **interned; /* in the arena */
    size_t interned_count;
    struct worker_failures *worker_failures;
    size_t worker_failure_count;
    struct map_list *held;    /* by holder: the maps whose input it holds */
    struct map_list homeless; /* whose input no worker holds that takes tasks; valid for this generation of resources */
    uint64_t homeless_generation;
    struct map_list every;
    char **after; /* ids of jobs that must succeed first */
    size_t after_count;
    char *diagnostics;
    char waiting_for[JOB_WAITING_MAX]; /* "" = for nothing */
    int64_t declined_since_ms;         /* a free slot was turned down for want of local input; 0 = no */
    int64_t held_until_ms;    /* nothing is placed before: the scheduler was restarted, workers are coming back */
    int64_t done_ms_total[2]; /* time that succeeded attempts took: of reduces, of maps */
    uint32_t done_count[2];
    uint32_t maps_placed, maps_local;
    int64_t input_bytes;
    uint32_t incarnation;   /* restarts of the scheduler that it has seen */
    bool committing_before; /* a commit had begun when the scheduler ended */
    uint64_t version;
    uint64_t sequence; /* order of submission */
};

/* ERR_ILLEGAL_ARGUMENT, ERR_TOO_LARGE, ERR_CONFIG: the specification makes no sense. */
int job_spec_check(const Cairn__JobSpecProto *spec, struct err *reterr) MUST_CHECK;
/* The same; takes the arena over, in which spec lives. */
int job_new(struct arena *arena, const Cairn__JobSpecProto *spec, int64_t now_ms, struct job **ret,
            struct err *reterr) MUST_CHECK;
void job_free(struct job *j);
/* The splits are known now: spec takes the place of the one the job was made of. Nothing has been placed yet. */
int job_plan(struct job *j, struct arena *arena, const Cairn__JobSpecProto *spec, struct err *reterr) MUST_CHECK;
bool job_is_over(const struct job *j);
struct task_info *job_task(struct job *j, bool map, uint32_t task);
struct attempt *job_attempt(const struct job *j, const struct attempt_id *id, size_t *ret_index); /* NULL if unknown */
/* Appends an attempt of that task, RUNNING from now on. */
struct attempt *job_attempt_new(struct job *j, bool map, uint32_t task, int64_t now_ms);
/* The attempt does not run any more: out of the live ones. */
void job_attempt_ended(struct job *j, struct attempt *a);
struct ask job_ask(const struct job *j, bool map);
/* Text that lives as long as the job; the same text is kept once. */
const char *job_intern(struct job *j, const char *text);
/* After a task became pending again: lists of maps are read from their beginning. */
void job_rewind(struct job *j);
uint32_t job_worker_failures(const struct job *j, uint64_t worker_id);
void job_worker_failed(struct job *j, uint64_t worker_id);
/* Everything that names worker `from` names `to`. */
void job_rename_worker(struct job *j, uint64_t from, uint64_t to);
void job_attempt_id(const struct job *j, const struct attempt *a, char out[ATTEMPT_ID_MAX]);
#define JOB_EVENTS_PER_INCARNATION (1ull << 24)
/* Number of the first event: larger after each restart, so that who asks with an older number is told all again. */
uint64_t job_event_base(const struct job *j);
void job_add_event(struct job *j, uint32_t map, uint32_t attempt, enum map_event_kind kind);
/* All maps, or all reduces, are done or given up. */
bool job_maps_are_over(const struct job *j);
bool job_reduces_are_over(const struct job *j);
/* May one task more of them fail for good? */
bool job_may_lose_one(const struct job *j, bool map);
#define JOB_TEXT_MAX 8192 /* what others send us is cut */
void job_set_text(char **where, const char *text);

/* Hadoop's job counters, or counters by name. Past JOB_COUNTERS_MAX names new ones are dropped, so are names longer
 * than JOB_COUNTER_NAME_MAX. */
#define JOB_COUNTER_NAME_MAX 256
void job_count(struct job *j, const char *group, const char *name, int64_t delta);
#define JOB_COUNTER_GROUP "Job Counters"
void attempt_keep_counters(struct job *j, struct attempt *a, Cairn__CounterProto *const *counters, size_t count);
void attempt_apply_counters(struct job *j, const struct attempt *a, int sign);

/* Messages, in the arena; epoch_ms: wall time minus the core's time. */
void job_status_message(const struct job *j, int64_t epoch_ms, struct arena *a, Cairn__JobStatusProto *ret);
Cairn__CounterProto **attempt_counter_messages(const struct job *j, const struct attempt *at, struct arena *a);
Cairn__AttemptProto *attempt_message(const struct job *j, const struct attempt *at, int64_t epoch_ms, struct arena *a);
/* A whole copy in the arena. ERR_NO_MEMORY etc. */
int job_spec_copy(const Cairn__JobSpecProto *from, struct arena *a, Cairn__JobSpecProto **ret,
                  struct err *reterr) MUST_CHECK;
/* A copy of the specification without what only scheduling needs; borrows strings. */
Cairn__JobSpecProto *job_spec_without_splits(const Cairn__JobSpecProto *spec, struct arena *a);

#endif

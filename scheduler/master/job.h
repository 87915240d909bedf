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

#define JOB_TASKS_MAX      200000
#define JOB_COUNTERS_MAX   512
#define TASK_FAILED_ON_MAX 4

enum task_state { TASK_PENDING, TASK_RUNNING, TASK_DONE };

/*  PENDING --launch--> RUNNING --succeeded--> DONE;  RUNNING --failed, killed, lost--> PENDING;  DONE --output lost-->
 * PENDING */
struct task_info {
    enum task_state state;
    uint32_t attempts; /* begun */
    uint32_t failures;
    uint32_t running;
    int64_t winner;                         /* index in job->attempts, -1 */
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
    bool map;
    uint32_t task, number;
    uint64_t worker_id;
    char *worker_name, *http_address; /* kept: the worker may be gone */
    Cairn__AttemptState state;
    Cairn__Locality locality;
    int64_t started_ms, finished_ms;
    float progress;
    char *status, *diagnostics;     /* or NULL */
    struct counter_value *counters; /* of a winner */
    size_t counter_count;
    uint32_t fetch_failures;
};
struct map_event {
    uint32_t map;
    bool lost;
    uint32_t attempt; /* index in job->attempts */
};
struct job {
    struct arena arena; /* owns spec */
    const Cairn__JobSpecProto *spec;
    Cairn__JobState state;
    int64_t submitted_ms, started_ms, finished_ms; /* 0 = not yet */
    struct task_info *maps, *reduces;
    uint32_t map_count, reduce_count;
    uint32_t maps_pending, maps_done, reduces_pending, reduces_done, maps_running, reduces_running;
    uint32_t max_attempts_map, max_attempts_reduce;
    double slow_start;
    struct attempt **attempts;
    size_t attempt_count, attempt_capacity;
    struct map_event *events;
    size_t event_count, event_capacity;
    struct job_counter counters[JOB_COUNTERS_MAX];
    size_t counter_count;
    char *diagnostics;
    const char *waiting_for;   /* static text or NULL */
    int64_t declined_since_ms; /* a free slot was turned down for want of local input; 0 = no */
    uint64_t version;
    uint64_t sequence; /* order of submission */
};

/* Takes the arena over, in which spec lives. ERR_ILLEGAL_ARGUMENT, ERR_CONFIG: the specification makes no sense. */
int job_new(struct arena *arena, const Cairn__JobSpecProto *spec, int64_t now_ms, struct job **ret,
            struct err *reterr) MUST_CHECK;
void job_free(struct job *j);
bool job_is_over(const struct job *j);
struct task_info *job_task(struct job *j, bool map, uint32_t task);
struct attempt *job_attempt(const struct job *j, const struct attempt_id *id, size_t *ret_index); /* NULL if unknown */
/* Appends an attempt of that task, RUNNING from now on. */
struct attempt *job_attempt_new(struct job *j, bool map, uint32_t task, int64_t now_ms);
void job_attempt_id(const struct job *j, const struct attempt *a, char out[ATTEMPT_ID_MAX]);
void job_add_event(struct job *j, uint32_t map, uint32_t attempt, bool lost);
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
Cairn__AttemptProto *attempt_message(const struct job *j, const struct attempt *at, int64_t epoch_ms, struct arena *a);
/* A copy of the specification without what only scheduling needs; borrows strings. */
Cairn__JobSpecProto *job_spec_without_splits(const Cairn__JobSpecProto *spec, struct arena *a);

#endif

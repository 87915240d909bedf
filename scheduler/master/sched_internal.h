/* What sched.c and place.c share; nobody else. */
#ifndef CAIRN_SCHEDULER_MASTER_SCHED_INTERNAL_H
#define CAIRN_SCHEDULER_MASTER_SCHED_INTERNAL_H

#include "scheduler/master/sched.h"

struct sched {
    struct sched_limits limits;
    struct resources resources;
    struct job **jobs; /* in order of submission */
    size_t job_count, job_capacity;
    uint64_t next_sequence;
};

void sched_act(struct sched_actions *out, enum sched_action_kind kind, uint64_t worker_id, struct job *job,
               struct attempt *attempt);
/* The one door for a task's state; keeps the job's counts. */
void sched_move_task(struct job *j, bool map, struct task_info *t, enum task_state to);
/* Offers every free slot to the jobs (place.c). */
void sched_assign(struct sched *s, int64_t now_ms, struct sched_actions *out);

#endif

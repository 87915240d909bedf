/* What the files of the decision core share; nobody else. */
#ifndef CAIRN_SCHEDULER_MASTER_SCHED_INTERNAL_H
#define CAIRN_SCHEDULER_MASTER_SCHED_INTERNAL_H

#include "scheduler/master/sched.h"

struct sched {
    struct sched_limits limits;
    struct resources resources;
    struct job **jobs; /* in order of submission */
    size_t job_count, job_capacity;
    uint64_t next_sequence;
    struct party **pools, **users;
    size_t pool_count, user_count;
};

void sched_act(struct sched_actions *out, enum sched_action_kind kind, uint64_t worker_id, struct job *job,
               struct attempt *attempt);
/* The one door for a task's state; keeps the job's counts. */
void sched_move_task(struct job *j, bool map, struct task_info *t, enum task_state to);
/* A pending task that failed too often: the job does without it. */
void sched_give_up(struct job *j, bool map, uint32_t task);
void sched_add_job(struct sched *s, struct job *job);
void sched_maybe_commit(struct job *j, struct sched_actions *out);
void sched_job_end(struct sched *s, struct job *j, Cairn__JobState state, const char *why, int64_t now_ms,
                   struct sched_actions *out);
bool attempt_is_live(const struct attempt *a);
void attempt_killed(struct sched *s, struct job *j, struct attempt *a, const char *why, int64_t now_ms,
                    struct sched_actions *out);
void attempt_report(struct sched *s, struct job *j, struct attempt *a, size_t index,
                    const Cairn__AttemptReportProto *report, int64_t now_ms, struct sched_actions *out);
void worker_lost(struct sched *s, struct worker *w, int64_t now_ms, struct sched_actions *out);

/* place.c. Offers every free slot to the jobs. */
void sched_assign(struct sched *s, int64_t now_ms, struct sched_actions *out);
/* An attempt of that task on that worker, which has room or is said to run it. */
struct attempt *sched_begin_attempt(struct job *j, bool map, uint32_t task, struct worker *w, int64_t now_ms);
void sched_count_launch(struct job *j, const struct attempt *a);
void sched_launch(struct job *j, bool map, uint32_t task, struct worker *w, int64_t now_ms, struct sched_actions *out);
/* Not where the task failed, not one that fails others' tasks or this job's, unless there is no better one. */
bool worker_suits(const struct sched *s, const struct job *j, const struct task_info *t, const struct worker *w,
                  int64_t now_ms);
bool split_is_on(const struct job *j, uint32_t map, const struct worker *w);

/* share.c. Who is served first. */
void share_init(struct sched *s);
void share_free(struct sched *s);
void share_enter(struct sched *s, struct job *j); /* sets its pool and owner */
bool share_allows(const struct job *j);           /* neither its pool nor its owner has all slots it may have */
/* Jobs that want slots and may have them, the first one first, in an array the caller frees. */
struct job **share_order(struct sched *s, size_t *ret_count);

/* speculate.c. Second attempts of tasks that are much slower than others. */
void sched_speculate(struct sched *s, int64_t now_ms, struct sched_actions *out);

/* chain.c. Jobs that wait for jobs. */
void chain_over(struct sched *s, const struct job *over, int64_t now_ms, struct sched_actions *out);

#endif

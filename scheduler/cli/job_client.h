/* The scheduler as the commands see it: typed calls, answers in the caller's arena. One thread. */
#ifndef CAIRN_SCHEDULER_CLI_JOB_CLIENT_H
#define CAIRN_SCHEDULER_CLI_JOB_CLIENT_H

#include "cairn/scheduler.pb-c.h"
#include "common/arena.h"
#include "common/config.h"

struct job_client;
/* cairn.scheduler.address; when nobody set it, that of the local cluster that serves fs.defaultFS. */
int job_client_connect(struct config *config, const char *user, struct job_client **ret, struct err *reterr) MUST_CHECK;
void job_client_free(struct job_client *c); /* NULL is fine */

int job_client_new_id(struct job_client *c, struct arena *a, const char **ret_job_id, struct err *reterr) MUST_CHECK;
int job_client_submit(struct job_client *c, Cairn__JobSpecProto *job, struct arena *a, const char **ret_url,
                      struct err *reterr) MUST_CHECK;
/* wait_ms > 0: until its version differs from after_version, at most so long. ERR_NOT_FOUND. */
int job_client_get(struct job_client *c, const char *job_id, uint64_t after_version, uint32_t wait_ms, struct arena *a,
                   const Cairn__JobStatusProto **ret, struct err *reterr) MUST_CHECK;
int job_client_list(struct job_client *c, bool all, struct arena *a, const Cairn__ListJobsResponseProto **ret,
                    struct err *reterr) MUST_CHECK;
int job_client_kill(struct job_client *c, const char *job_id, bool *ret_killed, struct err *reterr) MUST_CHECK;
int job_client_attempts(struct job_client *c, const char *job_id, struct arena *a,
                        const Cairn__GetAttemptsResponseProto **ret, struct err *reterr) MUST_CHECK;

/* Ends one attempt; as a failure of its task, or only to be tried again. *ret_done false: over already. */
int job_client_end_attempt(struct job_client *c, const char *attempt_id, bool fail, bool *ret_done,
                           struct err *reterr) MUST_CHECK;
int job_client_drain(struct job_client *c, const char *worker, bool drain, struct err *reterr) MUST_CHECK;
int job_client_workers(struct job_client *c, struct arena *a, const Cairn__ListWorkersResponseProto **ret,
                       struct err *reterr) MUST_CHECK;
int job_client_schedule(struct job_client *c, Cairn__ScheduleProto *schedule, struct arena *a, int64_t *ret_next_ms,
                        struct err *reterr) MUST_CHECK;
int job_client_schedules(struct job_client *c, struct arena *a, const Cairn__ListSchedulesResponseProto **ret,
                         struct err *reterr) MUST_CHECK;
int job_client_unschedule(struct job_client *c, const char *name, struct err *reterr) MUST_CHECK;

/* Shows progress until the job is over; leaves its last status. Lines "map 30% reduce 0%", or a bar on a terminal. */
int job_client_follow(struct job_client *c, const char *job_id, struct arena *a, const Cairn__JobStatusProto **ret,
                      struct err *reterr) MUST_CHECK;
/* From now on Ctrl-C asks whether to kill the job that is followed (on a terminal), or leaves it running and ends this
 * program with 130. */
void job_interrupt_watch(const char *job_id);
/* Called while following. ERR_CANCELLED: the person wants to leave. */
int job_interrupt_check(struct job_client *c, struct err *reterr) MUST_CHECK;
void job_print_counters(const Cairn__JobStatusProto *status); /* stderr, as Hadoop groups them */
const char *job_state_name(Cairn__JobState state);
/* "2026-01-31 12:00:00,123 INFO mapreduce.Job: text" on stderr */
void job_say(const char *format, ...) PRINTF_LIKE(1, 2);

#endif

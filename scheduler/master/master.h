/* The scheduler daemon's shell around the decision core: one lock, the commands waiting for workers, the calls that
 * wait for something to happen, a thread that puts what ended into the job store, and a few that do what touches the
 * file system.
 *
 * Every event goes: master_lock, a sched_* function, master_apply_locked, master_unlock. Nothing blocks under the lock.
 */
#ifndef CAIRN_SCHEDULER_MASTER_MASTER_H
#define CAIRN_SCHEDULER_MASTER_MASTER_H

#include <pthread.h>

#include "common/config.h"
#include "rpc/rpc_server.h"
#include "scheduler/master/job_store.h"
#include "scheduler/master/sched.h"

struct master;
int master_new(const struct config *config, struct job_store *store, struct master **ret,
               struct err *reterr) MUST_CHECK;
int master_start(struct master *m, struct err *reterr) MUST_CHECK;
void master_stop(struct master *m); /* answers every waiting call; before the RPC server is stopped */
void master_free(struct master *m); /* after the RPC server is stopped; NULL is fine */

struct sched *master_lock(struct master *m); /* the core, until unlock */
struct sched *master_sched_locked(struct master *m);
void master_unlock(struct master *m);
/* Queues what the core decided, wakes who waits for it, and frees the list. */
void master_apply_locked(struct master *m, struct sched_actions *actions);
/* The same, but what the core decided for this worker goes into the answer to its heartbeat, and does not wake its
 * poll. */
void master_apply_answering_locked(struct master *m, struct sched_actions *actions, uint64_t worker_id, uint64_t after,
                                   struct arena *a, Cairn__HeartbeatResponseProto *ret);

bool master_is_stopping(struct master *m);
int64_t master_now_ms(void);
int64_t master_epoch_ms(const struct master *m); /* wall time minus master_now_ms */
const struct config *master_config(const struct master *m);
struct job_store *master_store(struct master *m);
void master_new_job_id(struct master *m, char out[JOB_ID_MAX]);
const char *master_tracking_base(const struct master *m); /* "http://host:port" */
void master_set_http_port(struct master *m, uint16_t port);

/* A call that is answered when `answer` says so, at the latest at the deadline (answer with last = true must reply).
 * answer runs under the lock. */
struct waiter {
    struct rpc_call *call;
    const ProtobufCMessage *request;
    bool (*answer)(struct master *m, struct waiter *w, bool last);
    int64_t deadline_ms;
    struct waiter *next;
};
/* Answers at once if it can, else keeps the call for at most wait_ms. */
void master_wait_locked(struct master *m, struct waiter w, uint32_t wait_ms);

/* Commands of one worker with seq > after, in the arena; drops those up to `after`. */
void master_commands_locked(struct master *m, uint64_t worker_id, uint64_t after, struct arena *a,
                            Cairn__CommandProto ***ret, size_t *ret_count);
/* Which a poll has to bring: that an answer to a heartbeat has not brought. If that answer was lost, the next one does.
 */
bool master_has_commands_locked(struct master *m, uint64_t worker_id, uint64_t after);
void master_forget_worker_locked(struct master *m, uint64_t worker_id);

struct schedules;
struct schedules *master_schedules(struct master *m); /* set once, before calls are served */
void master_set_schedules(struct master *m, struct schedules *s);

/* serve_admin.c */
void serve_drain_worker(struct rpc_call *call, const ProtobufCMessage *message, void *context);
void serve_list_workers(struct rpc_call *call, const ProtobufCMessage *message, void *context);
void serve_fail_attempt(struct rpc_call *call, const ProtobufCMessage *message, void *context);
void serve_schedule_job(struct rpc_call *call, const ProtobufCMessage *message, void *context);
void serve_list_schedules(struct rpc_call *call, const ProtobufCMessage *message, void *context);
void serve_remove_schedule(struct rpc_call *call, const ProtobufCMessage *message, void *context);

extern const struct rpc_method job_methods[], worker_methods[]; /* context: struct master */
extern const size_t job_method_count, worker_method_count;

/* intake.c: jobs that come in, from people and from the store. */
#define JOB_ARENA_BYTES (256ul << 20)
/* The job is kept and then given to the core. spec is copied. ERR_ILLEGAL_ARGUMENT etc.: job_new; a job it waits for
 * that is unknown or did not succeed. */
int master_submit(struct master *m, const Cairn__JobSpecProto *spec, const char *user, struct err *reterr) MUST_CHECK;
/* *ret_killed false: over already. ERR_NOT_FOUND; ERR_ACCESS: somebody else's. Kept when it returns. */
int master_kill(struct master *m, const char *job_id, const char *user, bool *ret_killed,
                struct err *reterr) MUST_CHECK;
/* Before the threads start: goes on with what the store has. */
int master_recover(struct master *m, struct err *reterr) MUST_CHECK;

/* finish.c: the slow ends of jobs, on threads of their own. */
struct finish_work {
    enum sched_action_kind kind; /* PLAN, COMMIT or OVER */
    struct arena arena;
    char *job_id, *user, *fs_uri, *output, *staging_dir; /* in the arena */
    char **winners;                                      /* attempt ids whose folders hold the output */
    size_t winner_count;
    char *replaces, *sink; /* or NULL */
    char *aside;           /* where what it replaces is moved to */
    bool keeps_aside;      /* until the next time */
    const char *part_suffix;
    bool lazy, mark_success, succeeded;
    bool resumed; /* a commit that may be half done already */
    uint32_t incarnation;
    const Cairn__JobSpecProto *spec; /* of PLAN */
    Cairn__JobRecordProto *record;   /* of OVER */
    struct finish_work *next;
};
struct finish_work *finish_work_new(const struct job *j, enum sched_action_kind kind, int64_t epoch_ms);
/* Of a job that was over, but not cleaned up, when the scheduler ended; takes what is in the arena over. */
struct finish_work *finish_work_again(struct arena *a, Cairn__JobRecordProto *record);
void finish_work_free(struct finish_work *w);
void master_finish_later_locked(struct master *m, struct finish_work *w);
/* Moves the output of every winning attempt into place. What is there already stays, so it can be done again; waits for
 * a file system that is away, unless the scheduler is being stopped. */
int finish_commit(const struct config *config, struct finish_work *w, struct master *m, struct err *reterr) MUST_CHECK;
/* The splits of a job whose input is there now, and the rest of its description, in the arena. */
int finish_plan(const struct config *config, const struct finish_work *w, struct arena *a, Cairn__JobSpecProto **ret,
                struct err *reterr) MUST_CHECK;
/* The job's record as JSON, into the file system's history folder; best effort: a failure is logged. */
void finish_history(const struct config *config, const struct finish_work *w);
/* Removes what a job leaves in the file system, best effort: every failure is logged. */
void finish_clean(const struct config *config, const struct finish_work *w);

/* http_ui.c */
struct http_server;
int http_ui_start(struct master *m, const struct net_address *listen, struct http_server **ret,
                  struct err *reterr) MUST_CHECK;

#endif

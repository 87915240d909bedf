/* The scheduler daemon's shell around the decision core: one lock, the commands waiting for workers, the calls that
 * wait for something to happen, and one thread that does what touches the file system or the job store.
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
void master_stop(struct master *m); /* answers every waiting call; before the RPC server is stopped */
void master_free(struct master *m); /* after the RPC server is stopped; NULL is fine */

struct sched *master_lock(struct master *m); /* the core, until unlock */
struct sched *master_sched_locked(struct master *m);
void master_unlock(struct master *m);
/* Queues what the core decided, wakes who waits for it, and frees the list. */
void master_apply_locked(struct master *m, struct sched_actions *actions);

int64_t master_now_ms(void);
int64_t master_epoch_ms(const struct master *m); /* wall time minus master_now_ms */
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
                            Cairn__PollCommandsResponseProto *ret);
bool master_has_commands_locked(struct master *m, uint64_t worker_id, uint64_t after);
void master_forget_worker_locked(struct master *m, uint64_t worker_id);

extern const struct rpc_method job_methods[], worker_methods[]; /* context: struct master */
extern const size_t job_method_count, worker_method_count;

/* finish.c: the slow ends of jobs, on the master's own thread. */
struct finish_work {
    enum sched_action_kind kind; /* COMMIT or OVER */
    struct arena arena;
    char *job_id, *user, *fs_uri, *output, *staging_dir; /* in the arena */
    char **winners;                                      /* attempt ids whose folders hold the output */
    size_t winner_count;
    bool lazy, mark_success, succeeded;
    Cairn__JobRecordProto *record;
    struct finish_work *next;
};
struct finish_work *finish_work_new(const struct job *j, enum sched_action_kind kind, int64_t epoch_ms);
void finish_work_free(struct finish_work *w);
/* Moves the output of every winning attempt into place. */
int finish_commit(const struct config *config, const struct finish_work *w, struct err *reterr) MUST_CHECK;
/* Removes what a job leaves in the file system, best effort: every failure is logged. */
void finish_clean(const struct config *config, const struct finish_work *w);

/* http_ui.c */
struct http_server;
int http_ui_start(struct master *m, const struct net_address *listen, struct http_server **ret,
                  struct err *reterr) MUST_CHECK;

#endif

/* A worker: runs attempts as processes of their own, serves their map output and logs. Its threads: the main one owns
 * the processes; `reports` tells the scheduler how they are; `commands` waits for what it wants done. */
#ifndef CAIRN_SCHEDULER_WORKER_WORKER_H
#define CAIRN_SCHEDULER_WORKER_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cairn/scheduler.pb-c.h"
#include "common/buf.h"
#include "common/config.h"
#include "rpc/rpc_client.h"
#include "scheduler/worker/discard.h"
#include "scheduler/worker/spawner.h"
#include "scheduler/worker/task_process.h"

/* On this node:  DIR/instance                    whose map output this is: kept through a restart of the worker
 *                DIR/jobs/JOB/files/             job files, once per job
 *                DIR/jobs/JOB/work/ATTEMPT/      working directory; when the attempt is over, handed on or gone
 *                DIR/jobs/JOB/output/ATTEMPT/    map output, gone when the job is over
 *                DIR/gone/                       what is being removed
 *                DIR/logs/JOB/ATTEMPT            what the attempt wrote to stderr (perhaps none if that is nothing),
 *                                                kept for cairn.worker.log-retention
 */

struct attempt_process {
    char *id, *job_id;
    Cairn__AttemptState state;
    struct task_process *process; /* NULL when it is over */
    struct buf report_bytes;      /* part of a report */
    struct arena report_arena;
    Cairn__TaskReportProto *report; /* the last one, or NULL */
    char *diagnostics;
    int64_t last_heard_ms, timeout_ms, started_ms, max_ms;
    int64_t memory_mb; /* its bound; 0 = none */
    char *input;       /* of a map: "/path, bytes 0 to 1000"; or NULL */
    bool killed;       /* by command */
    bool changed;      /* since the last heartbeat was built */
    bool sent;         /* ended, and the heartbeat that says so is on its way */
    struct attempt_process *next;
};

struct worker_daemon {
    const struct config *config;
    char *dir, *instance, *scheduler; /* "host:port" */
    char *ip;                         /* what others reach us by; NULL until registered, then fixed */
    uint16_t http_port;
    struct spawner spawner; /* main thread only */
    struct discard *discard;
    char group[64];  /* of control groups; "" = there are none */
    char own_ip[64]; /* as configured, "" = let the scheduler see it */
    struct rpc_client *report_client, *command_client;
    int wake_fd;          /* eventfd: the main thread has something to do */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t report_wake;
    uint64_t worker_id;   /* 0: not registered */
    uint64_t command_seq; /* of the last command that came; they begin anew with each registration */
    struct attempt_process *attempts;
    struct task_process *idle;      /* main thread only */
    Cairn__CommandProto **commands; /* for the main thread, in order */
    size_t command_count, command_capacity;
    bool dirty;  /* there is something to report */
    bool urgent; /* at once: an attempt has ended, its slot is free */
    bool stopping;
    int64_t logs_looked_at_ms; /* main thread only */
};

/* attempt_process.c: main thread only, with the lock held unless said otherwise */
int attempt_start(struct worker_daemon *w, const Cairn__TaskSpecProto *spec, struct attempt_process **ret,
                  struct err *reterr) MUST_CHECK;
void attempt_kill(struct attempt_process *p, const char *why); /* the whole group; it ends a little later */
void attempt_cut_log(const struct worker_daemon *w, const struct attempt_process *p);
void attempt_read_reports(struct worker_daemon *w, struct attempt_process *p);
void attempt_free(struct attempt_process *p);

/* link.c */
int link_start(struct worker_daemon *w, pthread_t ret_threads[2], struct err *reterr) MUST_CHECK;

/* http_serve.c */
struct http_server;
int worker_http_start(struct worker_daemon *w, struct http_server **ret, struct err *reterr) MUST_CHECK;

#endif

/* The processes that run attempts. One begins with an attempt, and when that has succeeded and the process has cleaned
 * up behind it, it waits for another of the same job and kind: a new process costs more than a small task. Whatever
 * else happens to an attempt, its process ends with it. Main thread. */
#ifndef CAIRN_SCHEDULER_WORKER_TASK_PROCESS_H
#define CAIRN_SCHEDULER_WORKER_TASK_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cairn/scheduler.pb-c.h"
#include "scheduler/worker/stage.h"

struct worker_daemon;
struct task_process {
    pid_t pid; /* of the process and of its group */
    int fd;    /* reports come from it, attempts go to it (task_channel.h) */
    char *job_id;
    bool map;
    char *group;  /* the attempt that it began with; names its control group */
    char *folder; /* the attempt that it has or had last; names its working folder */
    int64_t idle_since_ms;
    struct task_process *next;
};

/* One that waits, or NULL; its working folder, and its log if that is empty, have the attempt's name then. */
struct task_process *task_process_take(struct worker_daemon *w, const Cairn__TaskSpecProto *spec);
/* A new one, with its working folder. The log is where it writes until it is given the attempt. */
int task_process_new(struct worker_daemon *w, const Cairn__TaskSpecProto *spec, const struct stage *stage, int log_fd,
                     struct task_process **ret, struct err *reterr) MUST_CHECK;
/* It waits now. */
void task_process_rest(struct worker_daemon *w, struct task_process *p);
/* Ends it with all it has started, and frees it. */
struct task_process_end {
    int status; /* as of waitpid */
    bool out_of_memory;
};
struct task_process_end task_process_end(struct worker_daemon *w, struct task_process *p);
/* Of those that wait: ends those of that job. */
void task_process_end_job(struct worker_daemon *w, const char *job_id);
/* Of those that wait: ends those that waited long, or are dead, or say something. */
void task_process_check(struct worker_daemon *w);
void task_process_end_all(struct worker_daemon *w);

#endif

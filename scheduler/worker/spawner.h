/* Starts attempts fast. Loading and linking `cairn` anew costs several milliseconds of a processor, more than a small
 * task; so the worker has a process that has done so once, `cairn spawner`, which forks for every process of attempts.
 * The child is the worker's own (CLONE_PARENT): it is waited for, and ends with the worker, as if that had started it.
 * Main thread.
 */
#ifndef CAIRN_SCHEDULER_WORKER_SPAWNER_H
#define CAIRN_SCHEDULER_WORKER_SPAWNER_H

#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

struct spawner {
    pid_t pid; /* 0 = none */
    int fd;
    uint64_t files_max; /* what attempts may open; the worker needs more itself */
};
int spawner_start(struct spawner *s, struct err *reterr) MUST_CHECK;
void spawner_stop(struct spawner *s);
/* Runs argv (of stage.h) in work_dir, in a process group of its own, with the log as stdout and stderr and channel_fd
 * as descriptor TASK_CHANNEL_FD. ERR_IO: the spawner is gone. */
int spawner_run(struct spawner *s, char *const argv[], const char *work_dir, int log_fd, int channel_fd, pid_t *ret_pid,
                struct err *reterr) MUST_CHECK;

#endif

/* What a worker and a process that runs attempts say to each other, over a stream socket at descriptor TASK_CHANNEL_FD
 * of the latter. The worker: attempts, each as one byte with two descriptors, of a file that holds the TaskSpecProto
 * and of the attempt's log. The process: reports (task_report.h). */
#ifndef CAIRN_SCHEDULER_ENGINE_TASK_CHANNEL_H
#define CAIRN_SCHEDULER_ENGINE_TASK_CHANNEL_H

#include "cairn/scheduler.pb-c.h"
#include "common/arena.h"
#include "common/err.h"

#define TASK_CHANNEL_FD     3
#define TASK_SPEC_BYTES_MAX (64u << 20)

/* Never blocks: what does not go into the socket at once is an error. */
int task_channel_give(int channel_fd, const Cairn__TaskSpecProto *spec, int log_fd, struct err *reterr) MUST_CHECK;
/* Waits for the next attempt; its log becomes our stdout and stderr. ERR_CLOSED: there is none. */
int task_channel_take(struct arena *a, Cairn__TaskSpecProto **ret, struct err *reterr) MUST_CHECK;

#endif

/* What the worker hears from a task: whole reports over the descriptor TASK_CHANNEL_FD, at most one per second while
 * something changes (silence is how a hanging task is found), and the last one at the end. Any thread. */
#ifndef CAIRN_SCHEDULER_ENGINE_TASK_REPORT_H
#define CAIRN_SCHEDULER_ENGINE_TASK_REPORT_H

#include <stdbool.h>

#include "common/err.h"
#include "scheduler/engine/counters.h"

#define TASK_STATUS_MAX       512
#define TASK_REPORT_BYTES_MAX (256u << 10)

struct task_report;
int task_report_start(int fd, struct counters *counters, struct task_report **ret, struct err *reterr) MUST_CHECK;
void task_report_progress(struct task_report *r, float progress); /* 0..1 */
void task_report_status(struct task_report *r, const char *text);
void task_report_alive(struct task_report *r); /* something happened that no counter shows */
/* Sends the last report (failed: with the reason; or that the process waits for another attempt) and stops. Frees r. */
void task_report_end(struct task_report *r, const struct err *why_failed, bool waits);

#endif

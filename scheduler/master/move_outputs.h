/* The first part of a commit: every winning attempt's files into the job's output. */
#ifndef CAIRN_SCHEDULER_MASTER_MOVE_OUTPUTS_H
#define CAIRN_SCHEDULER_MASTER_MOVE_OUTPUTS_H

#include "client/lib/dfs.h"
#include "scheduler/master/master.h"

/* What has been moved before is passed over (w->resumed). Many at a time: each move waits for the namenode's disk, and
 * those that wait together wait once. */
int move_outputs(struct dfs *fs, const struct finish_work *w, struct err *reterr) MUST_CHECK;

#endif

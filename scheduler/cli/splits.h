/* Input paths -> splits: one per block (within split.minsize and split.maxsize), with who holds it. */
#ifndef CAIRN_SCHEDULER_CLI_SPLITS_H
#define CAIRN_SCHEDULER_CLI_SPLITS_H

#include "cairn/scheduler.pb-c.h"
#include "client/lib/dfs.h"
#include "scheduler/cli/submit.h"

/* Fills job->splits and job->holders in the arena, from the request's inputs and tagged inputs: paths, globs or
 * folders, each possibly several with commas. Files whose names begin with "_" or "." in folders are left out.
 * *ret_files = how many files. ERR_NOT_FOUND: "Input path does not exist: ..." or "Input Pattern ... matches 0 files".
 */
int splits_compute(struct dfs *fs, const struct job_request *request, Cairn__JobSpecProto *job, struct arena *a,
                   size_t *ret_files, struct err *reterr) MUST_CHECK;

#endif

/* TotalOrderPartitioner: where the reduces' ranges of keys begin, from a sample of what the mapper makes of the input.
 */
#ifndef CAIRN_SCHEDULER_CLI_SAMPLE_H
#define CAIRN_SCHEDULER_CLI_SAMPLE_H

#include "cairn/scheduler.pb-c.h"
#include "client/lib/dfs.h"

/* Runs the job's mapper here, in the current folder, on the first records of some of its splits, and fills
 * job->partitionPoints in the arena. A mapper that cannot run here is not needed: then the keys are taken from the
 * input, as Hadoop does, and a line on stderr says so. */
int sample_partition_points(struct dfs *fs, Cairn__JobSpecProto *job, struct arena *a, struct err *reterr) MUST_CHECK;

#endif

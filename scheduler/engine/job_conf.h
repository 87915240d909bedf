/* Typed look at a job's own properties (-D), which travel as text in its specification. */
#ifndef CAIRN_SCHEDULER_ENGINE_JOB_CONF_H
#define CAIRN_SCHEDULER_ENGINE_JOB_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "cairn/scheduler.pb-c.h"
#include "common/err.h"
#include "scheduler/engine/block_codec.h"

const char *job_conf_get(const Cairn__JobSpecProto *job, const char *name); /* NULL if not set; the last one counts */
/* What submission has checked (job_conf_check); a value that is no number gives the fallback. */
int64_t job_conf_int(const Cairn__JobSpecProto *job, const char *name, int64_t fallback);
bool job_conf_bool(const Cairn__JobSpecProto *job, const char *name, bool fallback);
double job_conf_share(const Cairn__JobSpecProto *job, const char *name, double fallback); /* 0 to 1 */
int32_t job_conf_priority(const Cairn__JobSpecProto *job); /* mapreduce.job.priority: 0 is NORMAL, more is sooner */
/* mapreduce.map.output.compress and .codec. */
enum block_codec job_conf_spill_codec(const Cairn__JobSpecProto *job);
/* Every number among what is read of a job's properties is one in range, and every word one that is known. ERR_CONFIG
 * names what is not. */
int job_conf_check(const Cairn__JobSpecProto *job, struct err *reterr) MUST_CHECK;

#endif

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
/* mapreduce.map.output.compress and .codec. */
enum block_codec job_conf_spill_codec(const Cairn__JobSpecProto *job);
/* Every numeric property that the engine reads holds a number in range. ERR_CONFIG names it. */
int job_conf_check(const Cairn__JobSpecProto *job, struct err *reterr) MUST_CHECK;

#endif

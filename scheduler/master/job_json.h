/* Jobs as JSON: the REST answers, and the history that is kept in the file system. */
#ifndef CAIRN_SCHEDULER_MASTER_JOB_JSON_H
#define CAIRN_SCHEDULER_MASTER_JOB_JSON_H

#include <stdbool.h>

#include "cairn/scheduler.pb-c.h"
#include "common/buf.h"

const char *job_state_text(Cairn__JobState state);
const char *attempt_state_text(Cairn__AttemptState state);
const char *locality_text(Cairn__Locality locality);

void job_json(struct buf *b, const Cairn__JobStatusProto *s, bool counters);
/* {"job": ..., "attempts": [...]} and, if it is known, what was asked for. */
void job_record_json(struct buf *b, const Cairn__JobRecordProto *record);

#endif

/* Recurring jobs: a thread of its own submits each at its times, kept as notes in the job store. Any thread may call.
 */
#ifndef CAIRN_SCHEDULER_MASTER_SCHEDULES_H
#define CAIRN_SCHEDULER_MASTER_SCHEDULES_H

#include "scheduler/master/master.h"

struct schedules;
int schedules_start(struct master *m, const struct config *config, struct schedules **ret,
                    struct err *reterr) MUST_CHECK;
void schedules_stop(struct schedules *s); /* NULL is fine */

/* Replaces one of the same name and user. ERR_ILLEGAL_ARGUMENT: the expression or the name; ERR_ACCESS: another's. */
int schedules_put(struct schedules *s, const Cairn__ScheduleProto *schedule, const char *user, int64_t *ret_next_ms,
                  struct err *reterr) MUST_CHECK;
/* ERR_NOT_FOUND, ERR_ACCESS. */
int schedules_remove(struct schedules *s, const char *name, const char *user, struct err *reterr) MUST_CHECK;
int schedules_list(struct schedules *s, struct arena *a, Cairn__ListSchedulesResponseProto *ret,
                   struct err *reterr) MUST_CHECK;

#endif

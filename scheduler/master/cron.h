/* Cron expressions: five fields (minute, hour, day of month, month, day of week) of numbers, names of months and days,
 * ranges, lists, steps; and @hourly, @daily, @weekly, @monthly, @yearly. When both days are given, either will do, as
 * in cron. Local time. Decides only: no clock. */
#ifndef CAIRN_SCHEDULER_MASTER_CRON_H
#define CAIRN_SCHEDULER_MASTER_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct cron { /* bit n: n is named */
    uint64_t minutes, hours, days, months, weekdays;
    bool any_day, any_weekday;
};
int cron_parse(const char *text, struct cron *ret, struct err *reterr) MUST_CHECK; /* ERR_ILLEGAL_ARGUMENT */
/* The first named minute after that second; -1 = none within eight years (31 February). Seconds since the epoch. */
int64_t cron_next(const struct cron *c, int64_t after_s);

#endif

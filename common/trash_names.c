#include "common/trash_names.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

void trash_checkpoint_name(int64_t wall_ms, int again, char ret[TRASH_CHECKPOINT_BYTES])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm local;
    localtime_r(&seconds, &local);
    int len = snprintf(ret, TRASH_CHECKPOINT_BYTES, "%02d%02d%02d%02d%02d%02d", local.tm_year % 100, local.tm_mon + 1,
                       local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
    if (again && len < TRASH_CHECKPOINT_BYTES)
        snprintf(ret + len, (size_t)(TRASH_CHECKPOINT_BYTES - len), "-%d", again);
}

bool trash_checkpoint_made_ms(const char *name, int64_t *ret_wall_ms)
{
    struct tm tm = {.tm_isdst = -1};
    size_t digits = strspn(name, "0123456789");
    if ((digits != 10 && digits != 12) || (name[digits] && name[digits] != '-'))
        return false;
    if (!strptime(name, digits == 12 ? "%y%m%d%H%M%S" : "%y%m%d%H%M", &tm))
        return false;
    *ret_wall_ms = (int64_t)mktime(&tm) * 1000;
    return true;
}

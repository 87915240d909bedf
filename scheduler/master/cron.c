#include "scheduler/master/cron.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/mem.h"

#define DAYS_LOOKED_AT (8 * 366)

struct field {
    const char *what;
    int min, max;
    const char *const *names; /* of min, min + 1, ...; NULL = only numbers */
};

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                          "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};
static const struct field fields[] = {{"minute", 0, 59, NULL},
                                      {"hour", 0, 23, NULL},
                                      {"day of the month", 1, 31, NULL},
                                      {"month", 1, 12, month_names},
                                      {"day of the week", 0, 7, day_names}};

static bool parse_value(const struct field *f, const char **at, int *ret)
{
    for (int i = 0; f->names && f->names[i]; i++)
        if (!strncasecmp(*at, f->names[i], 3)) {
            *ret = f->min + i;
            *at += 3;
            return true;
        }
    char *end;
    if (**at < '0' || **at > '9')
        return false;
    long value = strtol(*at, &end, 10);
    if (value < f->min || value > f->max)
        return false;
    *ret = (int)value;
    *at = end;
    return true;
}

/* "5", "1-5", "x/2", "1-30/2" where x is a star */
static bool parse_part(const struct field *f, const char *text, uint64_t *bits)
{
    int from = f->min, to = f->max, step = 1;
    const char *at = text;
    if (*at == '*') {
        at++;
    } else {
        if (!parse_value(f, &at, &from))
            return false;
        to = *at == '/' ? f->max : from;
        if (*at == '-' && (at++, !parse_value(f, &at, &to) || to < from))
            return false;
    }
    if (*at == '/') {
        char *end;
        step = (int)strtol(at + 1, &end, 10);
        if (end == at + 1 || step < 1 || step > 1000)
            return false;
        at = end;
    }
    for (int i = from; i <= to; i += step)
        *bits |= UINT64_C(1) << i;
    return *at == 0;
}

static int parse_field(const struct field *f, char *text, uint64_t *ret, struct err *reterr)
{
    char *save = NULL;
    if (!text)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "cron expression without a %s: five fields are wanted", f->what);
    *ret = 0;
    for (char *part = strtok_r(text, ",", &save); part; part = strtok_r(NULL, ",", &save))
        if (!parse_part(f, part, ret))
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "cron expression: '%.40s' is no %s (%d to %d)", part, f->what,
                           f->min, f->max);
    return *ret ? 0 : err_set(reterr, ERR_ILLEGAL_ARGUMENT, "cron expression: an empty %s", f->what);
}

int cron_parse(const char *text, struct cron *ret, struct err *reterr)
{
    static const char *const nicknames[][2] = {
        {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
        {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}};
    for (size_t i = 0; i < ARRAY_COUNT(nicknames); i++)
        if (!strcasecmp(text, nicknames[i][0]))
            text = nicknames[i][1];
    char *copy = mem_strdup(text), *save = NULL;
    uint64_t bits[5];
    int rc = 0;
    char *word = strtok_r(copy, " \t", &save);
    for (size_t i = 0; rc == 0 && i < 5; i++) {
        if (i == 2)
            ret->any_day = word && !strcmp(word, "*");
        if (i == 4)
            ret->any_weekday = word && !strcmp(word, "*");
        rc = parse_field(&fields[i], word, &bits[i], reterr);
        word = strtok_r(NULL, " \t", &save);
    }
    if (rc == 0 && word)
        rc = err_set(reterr, ERR_ILLEGAL_ARGUMENT, "cron expression '%.80s' has more than five fields", text);
    free(copy);
    if (rc < 0)
        return rc;
    ret->minutes = bits[0];
    ret->hours = bits[1];
    ret->days = bits[2];
    ret->months = bits[3];
    ret->weekdays = (bits[4] | bits[4] >> 7) & 127; /* 7 is Sunday, too */
    return 0;
}

static bool has(uint64_t bits, int i)
{
    return bits >> i & 1;
}

static bool is_day(const struct cron *c, const struct tm *tm)
{
    bool day = has(c->days, tm->tm_mday), weekday = has(c->weekdays, tm->tm_wday);
    bool either = !c->any_day && !c->any_weekday;
    return has(c->months, tm->tm_mon + 1) && (either ? day || weekday : day && weekday);
}

int64_t cron_next(const struct cron *c, int64_t after_s)
{
    time_t at = (time_t)(after_s - after_s % 60 + 60);
    struct tm tm;
    localtime_r(&at, &tm);
    for (int day = 0; day < DAYS_LOOKED_AT; day++) {
        while (is_day(c, &tm) && tm.tm_hour < 24) {
            if (!has(c->hours, tm.tm_hour)) {
                tm.tm_hour++;
                tm.tm_min = 0;
                continue;
            }
            for (; tm.tm_min < 60; tm.tm_min++)
                if (has(c->minutes, tm.tm_min)) {
                    struct tm found = tm;
                    found.tm_sec = 0;
                    found.tm_isdst = -1;
                    time_t when = mktime(&found);
                    if (when > (time_t)after_s) /* an hour that summer time repeats is not lived twice */
                        return (int64_t)when;
                }
            tm.tm_hour++;
            tm.tm_min = 0;
        }
        tm.tm_mday++;
        tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
        tm.tm_isdst = -1;
        mktime(&tm); /* the next day, whatever month that is in */
    }
    return -1;
}

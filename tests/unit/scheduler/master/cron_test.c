/* Cron expressions, against times that a person can check in a calendar. */
#include "tests/unit/check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scheduler/master/cron.h"

static void check_next(const char *text, const char *from, const char *want)
{
    struct cron c = {0};
    struct err err = {0};
    struct tm tm = {0};
    char got[32] = "never";
    if (cron_parse(text, &c, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    assert_non_null(strptime(from, "%Y-%m-%d %H:%M:%S", &tm));
    tm.tm_isdst = -1;
    time_t next = (time_t)cron_next(&c, mktime(&tm));
    if (next > 0)
        strftime(got, sizeof got, "%Y-%m-%d %H:%M:%S", localtime(&next));
    if (strcmp(got, want))
        fail_msg("%s after %s: %s, not %s", text, from, got, want);
}

static void next_times(void **state)
{
    setenv("TZ", "UTC", 1);
    tzset();
    check_next("*/5 * * * *", "2026-03-01 10:02:30", "2026-03-01 10:05:00");
    check_next("*/5 * * * *", "2026-03-01 10:05:00", "2026-03-01 10:10:00");
    check_next("*/20 * * * *", "2026-12-31 23:40:00", "2027-01-01 00:00:00");
    check_next("30 4 * * *", "2026-02-28 05:00:00", "2026-03-01 04:30:00");
    check_next("0 0 29 2 *", "2026-01-01 00:00:00", "2028-02-29 00:00:00");
    check_next("0 0 31 2 *", "2026-01-01 00:00:00", "never");
    check_next("0 9 * * mon-fri", "2026-11-27 10:00:00", "2026-11-30 09:00:00"); /* Friday, Monday */
    check_next("0 9 13 * 5", "2026-11-01 00:00:00", "2026-11-06 09:00:00");      /* a Friday, or the 13th */
    check_next("0 0 * * 7", "2026-11-29 12:00:00", "2026-12-06 00:00:00");       /* 7 is Sunday */
    check_next("15,45 8-10/2 1 jan,jul *", "2026-01-01 10:15:00", "2026-01-01 10:45:00");
    check_next("15,45 8-10/2 1 jan,jul *", "2026-01-01 10:45:00", "2026-07-01 08:15:00");
    check_next("@daily", "2026-11-29 00:00:00", "2026-11-30 00:00:00");
}

static void summer_time(void **state)
{
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    check_next("30 2 * * *", "2026-03-28 12:00:00", "2026-03-29 03:30:00"); /* that night has no half past two */
    check_next("0 12 * * *", "2026-10-24 12:00:00", "2026-10-25 12:00:00");
    setenv("TZ", "UTC", 1);
    tzset();
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",          "* * * *",     "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *",  "* * * 13 *", "* * * * 8",
        "a * * * *", "5-1 * * * *", "*/0 * * * *", "1- * * * *", ", * * * *",  "1x * * * *", "@sometimes"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct cron c;
        struct err err = {0};
        if (cron_parse(wrong[i], &c, &err) != ERR_ILLEGAL_ARGUMENT)
            fail_msg("'%s' is taken", wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_times),
        cmocka_unit_test(summer_time),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "common/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

static atomic_int log_threshold = LOG_LEVEL_WARN;
static atomic_bool log_syslog;
static const char *const log_names[] = {"ERROR", "WARN", "INFO", "DEBUG"};

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_threshold, (int)level, memory_order_relaxed);
}

void log_level_from_env(enum log_level fallback)
{
    const char *want = getenv("CAIRN_LOG");
    log_set_level(fallback);
    for (int i = 0; want && i <= LOG_LEVEL_DEBUG; i++)
        if (strcasecmp(want, log_names[i]) == 0)
            log_set_level((enum log_level)i);
}

void log_to_syslog(const char *ident)
{
    openlog(ident, LOG_PID, LOG_DAEMON);
    atomic_store(&log_syslog, true);
}

int log_enabled(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_threshold, memory_order_relaxed);
}

void log_write(enum log_level level, const char *component, const char *format, ...)
{
    char line[2048];
    struct timespec ts;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    size_t used = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &tm);
    used += (size_t)snprintf(line + used, sizeof line - used, ".%03ldZ %s %s: ", ts.tv_nsec / 1000000, log_names[level],
                             component);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line + used, sizeof line - used - 1, format, args);
    va_end(args);
    used += n < 0 ? 0 : (size_t)n;
    if (used > sizeof line - 2)
        used = sizeof line - 2;
    for (char *p = line; p < line + used; p++) /* a hostile name must not forge a second line */
        if ((unsigned char)*p < ' ')
            *p = ' ';
    if (atomic_load_explicit(&log_syslog, memory_order_relaxed)) {
        static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
        line[used] = 0;
        syslog(priorities[level], "%s", line);
        return;
    }
    line[used++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, used); /* nowhere left to complain */
    (void)ignored;
}

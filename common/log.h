/* One line = one event: time, level, component, message with key=value pairs, on stderr.
 * Same keys everywhere: block= dn= path= call= took_ms= err=. Daemons and commands log; library code (common, proto,
 * rpc, client/lib) returns errors and does not log above DEBUG. Any thread may call; a line is one write(2). */
#ifndef CAIRN_COMMON_LOG_H
#define CAIRN_COMMON_LOG_H

#include "common/compiler.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* The level is the process's only global: set once at start ($CAIRN_LOG = error|warn|info|debug, default info for
 * daemons, warn for commands). */
void log_set_level(enum log_level level);
void log_level_from_env(enum log_level fallback);
/* For a process without a terminal or log file: lines go to syslog(3) as `ident` from now on (borrowed). */
void log_to_syslog(const char *ident);
int log_enabled(enum log_level level);
void log_write(enum log_level level, const char *component, const char *format, ...) PRINTF_LIKE(3, 4);

#define log_at(level, ...)                                                                                             \
    do {                                                                                                               \
        if (log_enabled(level))                                                                                        \
            log_write(level, __VA_ARGS__);                                                                             \
    } while (0)
/* ERROR: someone must act. WARN: we went on, and say how. INFO: state changes an operator follows. DEBUG: free. */
#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif

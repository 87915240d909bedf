#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/lib/libhdfs/hdfs_internal.h"

/* What the C caller of a libhdfs function may ask for after it failed, as with errno itself: one per thread. */
static __thread struct last_error {
    char root_cause[ERR_CLASS_MAX + ERR_TEXT_MAX + 4];
    char stack_trace[ERR_CLASS_MAX + ERR_TEXT_MAX + 8];
} last_error;

int hdfs_fail(int code, const struct err *why)
{
    snprintf(last_error.root_cause, sizeof last_error.root_cause, "%s: %s", err_java_class(why), why->text);
    snprintf(last_error.stack_trace, sizeof last_error.stack_trace, "%s\n", last_error.root_cause);
    errno = err_to_errno(code);
    return -1;
}

int hdfs_fail_errno(int errnum, const char *format, ...)
{
    struct err why = {.code = err_from_errno(errnum)};
    va_list args;
    va_start(args, format);
    vsnprintf(why.text, sizeof why.text, format, args);
    va_end(args);
    (void)hdfs_fail(why.code, &why);
    errno = errnum;
    return -1;
}

char *hdfsGetLastExceptionRootCause(void)
{
    return last_error.root_cause[0] ? last_error.root_cause : NULL;
}

char *hdfsGetLastExceptionStackTrace(void)
{
    return last_error.stack_trace[0] ? last_error.stack_trace : NULL;
}

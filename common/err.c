#include "common/err.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct err_row {
    const char *name;
    int errnum;
    const char *java_class;
};

static const struct err_row err_rows[ERR_INDEX_COUNT] = {
#define ERR_ROW(name, errnum, java) {#name, errnum, java},
    ERR_LIST(ERR_ROW)
#undef ERR_ROW
};

static const struct err_row *err_row(int code)
{
    int index = -code - 1;
    return index >= 0 && index < ERR_INDEX_COUNT ? &err_rows[index] : &err_rows[ERR_INDEX_IO];
}

int err_vset(struct err *reterr, int code, const char *format, va_list args)
{
    if (reterr) {
        reterr->code = code;
        reterr->java_class[0] = 0;
        vsnprintf(reterr->text, sizeof reterr->text, format, args);
    }
    return code;
}

int err_set(struct err *reterr, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    err_vset(reterr, code, format, args);
    va_end(args);
    return code;
}

int err_errno(struct err *reterr, int errnum, const char *format, ...)
{
    int code = err_from_errno(errnum);
    va_list args;
    va_start(args, format);
    err_vset(reterr, code, format, args);
    va_end(args);
    if (reterr) {
        char buf[128];
        size_t used = strlen(reterr->text);
        snprintf(reterr->text + used, sizeof reterr->text - used, ": %s", strerror_r(errnum, buf, sizeof buf));
    }
    return code;
}

static const struct posix_name {
    int errnum;
    const char *name;
} posix_names[] = {
    {EPERM, "EPERM"},     {EBUSY, "EBUSY"},   {EXDEV, "EXDEV"},     {EMLINK, "EMLINK"}, {ESTALE, "ESTALE"},
    {EDEADLK, "EDEADLK"}, {ENOLCK, "ENOLCK"}, {ENOTDIR, "ENOTDIR"}, {EINVAL, "EINVAL"}, {EOPNOTSUPP, "EOPNOTSUPP"},
    {EFBIG, "EFBIG"},     {ENOSPC, "ENOSPC"}, {EINTR, "EINTR"},
};

int err_posix(struct err *reterr, int errnum, const char *format, ...)
{
    const char *name = "EIO";
    char text[ERR_TEXT_MAX];
    for (size_t i = 0; i < ARRAY_COUNT(posix_names); i++)
        if (posix_names[i].errnum == errnum)
            name = posix_names[i].name;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    int code = err_set(reterr, err_from_errno(errnum), "%s: %s", name, text);
    if (reterr)
        snprintf(reterr->java_class, sizeof reterr->java_class, "%s", ERR_POSIX_CLASS);
    return code;
}

static int from_posix_text(const char *text)
{
    size_t len = text ? strcspn(text, ":") : 0;
    for (size_t i = 0; i < ARRAY_COUNT(posix_names); i++)
        if (strlen(posix_names[i].name) == len && !memcmp(text, posix_names[i].name, len))
            return err_from_errno(posix_names[i].errnum);
    return ERR_IO;
}

int err_remote(struct err *reterr, const char *java_class, const char *text)
{
    bool is_posix = java_class && !strcmp(java_class, ERR_POSIX_CLASS);
    int code = is_posix ? from_posix_text(text) : err_from_java_class(java_class);
    err_set(reterr, code, "%s", text ? text : "");
    if (reterr)
        snprintf(reterr->java_class, sizeof reterr->java_class, "%s", java_class ? java_class : "");
    return code;
}

int err_prefix(struct err *reterr, int code, const char *format, ...)
{
    if (!reterr)
        return code;
    char old[ERR_TEXT_MAX];
    memcpy(old, reterr->text, sizeof old);
    va_list args;
    va_start(args, format);
    vsnprintf(reterr->text, sizeof reterr->text, format, args);
    va_end(args);
    size_t used = strlen(reterr->text);
    snprintf(reterr->text + used, sizeof reterr->text - used, ": %s", old);
    return reterr->code ? reterr->code : code;
}

int err_to_errno(int code)
{
    return code == 0 ? 0 : err_row(code)->errnum;
}

int err_from_errno(int errnum)
{
    switch (errnum) {
    case ENOENT: return ERR_NOT_FOUND;
    case EEXIST: return ERR_EXISTS;
    case ENOTDIR: return ERR_NOT_DIR;
    case EISDIR: return ERR_IS_DIR;
    case ENOTEMPTY: return ERR_NOT_EMPTY;
    case EINVAL: return ERR_ILLEGAL_ARGUMENT;
    case EACCES: return ERR_ACCESS;
    case EPERM: return ERR_PERMISSION;
    case ENOMEM:
    case EMFILE:
    case ENFILE: return ERR_NO_MEMORY; /* out of something, and nobody else's fault */
    case EPROTO: return ERR_PROTOCOL;
    case ETIMEDOUT: return ERR_TIMEOUT;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH: return ERR_CONNECT;
    case ECONNRESET:
    case EPIPE:
    case ENOTCONN: return ERR_CLOSED;
    case ENOSPC:
    case EDQUOT: return ERR_NO_SPACE;
    case EROFS: return ERR_READ_ONLY;
    case EFBIG: return ERR_TOO_LARGE;
    case EBUSY: return ERR_BUSY;
    case EINTR:
    case ECANCELED: return ERR_CANCELLED;
    case ESTALE: return ERR_STALE;
    case EMLINK: return ERR_TOO_MANY_LINKS;
    case EXDEV: return ERR_OTHER_DEVICE;
    case EDEADLK: return ERR_DEADLOCK;
    case ENOLCK: return ERR_NO_LOCKS;
    case ENAMETOOLONG: return ERR_NAME_TOO_LONG;
    case EOPNOTSUPP:
    case ENOSYS: return ERR_UNSUPPORTED;
    default: return ERR_IO;
    }
}

const char *err_name(int code)
{
    return code == 0 ? "OK" : err_row(code)->name;
}

const char *err_java_class(const struct err *e)
{
    return e->java_class[0] ? e->java_class : err_row(e->code)->java_class;
}

int err_from_java_class(const char *java_class)
{
    if (java_class)
        for (int i = 0; i < ERR_INDEX_COUNT; i++)
            if (strcmp(err_rows[i].java_class, java_class) == 0)
                return -(i + 1);
    return ERR_REMOTE;
}

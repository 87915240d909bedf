#include "namenode/journal/log_cut.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "namenode/journal/log_file.h"

#define BLOCK_BYTES   32768 /* LevelDB's; no piece of a record goes past the end of one */
#define HEADER_BYTES  7     /* masked CRC32C of type and bytes (4), length (2), type (1); little endian */
#define LOG_BYTES_MAX ((size_t)1 << 30)

enum piece_type { PIECE_NONE, PIECE_FULL, PIECE_FIRST, PIECE_MIDDLE, PIECE_LAST };

/* ---- one log ---- */

/* Its length with the header; 0: there is none, or it is damaged. */
static size_t piece_bytes(const uint8_t *at, size_t left)
{
    if (left < HEADER_BYTES)
        return 0;
    size_t len = at[4] | (size_t)at[5] << 8;
    uint32_t stored = at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    if (len > left - HEADER_BYTES || at[6] < PIECE_FULL || at[6] > PIECE_LAST)
        return 0;
    uint32_t crc = checksum_of(CHECKSUM_CRC32C, at + HEADER_BYTES - 1, len + 1);
    return stored == (crc >> 15 | crc << 17) + 0xa282ead8 ? HEADER_BYTES + len : 0;
}

/* Where the last of the whole records ends that follow each other from the beginning. */
static size_t good_bytes(const struct buf *log)
{
    size_t at = 0, good = 0;
    bool inside = false;
    while (at < log->len) {
        size_t left = BLOCK_BYTES - at % BLOCK_BYTES;
        if (left < HEADER_BYTES) { /* no room for a piece: LevelDB went on in the next block */
            at += left;
            continue;
        }
        size_t bytes = piece_bytes(log->base + at, left < log->len - at ? left : log->len - at);
        enum piece_type type = bytes ? (enum piece_type)log->base[at + HEADER_BYTES - 1] : PIECE_NONE;
        if (!bytes || inside != (type == PIECE_MIDDLE || type == PIECE_LAST))
            break;
        at += bytes;
        inside = type == PIECE_FIRST || type == PIECE_MIDDLE;
        good = inside ? good : at;
    }
    return good;
}

/* Behind the last byte that is not zero: zeros were written ahead (log_file.h). */
static size_t used_bytes(const struct buf *log)
{
    size_t len = log->len;
    while (len && !log->base[len - 1])
        len--;
    return len;
}

/* Whole, beside it: if a disk has lost what it had, and no power was lost, there is more in it than is read. */
static int keep_copy(const char *path, const struct buf *log, struct err *reterr)
{
    AUTO(buf_free) struct buf kept = {0};
    buf_printf(&kept, "%s" LOG_CUT_SUFFIX, path);
    return file_write_atomic(buf_cstr(&kept), log->base, log->len, 0600, reterr);
}

/* *is_cut: so is one before it, then all of this goes; set if this one is. */
static int log_cut(const char *path, bool *is_cut, struct err *reterr)
{
    AUTO(buf_free) struct buf log = {0};
    int rc = file_read(path, LOG_BYTES_MAX, &log, reterr);
    if (rc)
        return rc;
    size_t good = *is_cut ? 0 : good_bytes(&log), used = used_bytes(&log);
    if (used <= good) /* a record may end in zeros */
        return 0;
    *is_cut = true;
    log_warn("journal",
             "path=%s: cut after %zu bytes: the %zu behind them are no whole records, or come after such; it is kept "
             "as it was with " LOG_CUT_SUFFIX " at its name",
             path, good, used - good);
    log.len = used;
    rc = keep_copy(path, &log, reterr);
    if (rc)
        return rc;
    return truncate(path, (off_t)good) < 0 ? err_errno(reterr, errno, "cannot cut %s", path) : 0;
}

/* ---- all of them ---- */

static int by_number(const void *a, const void *b)
{
    unsigned long long x = strtoull(*(char *const *)a, NULL, 10), y = strtoull(*(char *const *)b, NULL, 10);
    return (x > y) - (x < y);
}

static int list_logs(const char *folder, struct buf *names, struct err *reterr)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return errno == ENOENT ? 0 : err_errno(reterr, errno, "cannot list %s", folder);
    errno = 0; /* a log that is not listed would be lost */
    for (struct dirent *e; (e = readdir(dir)); errno = 0) {
        char *name = log_file_is_name(e->d_name) ? mem_strdup(e->d_name) : NULL;
        if (name)
            buf_append(names, &name, sizeof name);
    }
    int rc = errno ? err_errno(reterr, errno, "cannot list %s", folder) : 0;
    closedir(dir);
    return rc;
}

int logs_cut(const char *folder, struct err *reterr)
{
    AUTO(buf_free) struct buf names = {0}, path = {0};
    bool is_cut = false;
    int rc = list_logs(folder, &names, reterr);
    char **list = (void *)names.base;
    size_t count = names.len / sizeof *list;
    if (count)
        qsort(list, count, sizeof *list, by_number);
    for (size_t i = 0; i < count; i++) {
        buf_clear(&path);
        buf_printf(&path, "%s/%s", folder, list[i]);
        rc = rc ? rc : log_cut(buf_cstr(&path), &is_cut, reterr);
        free(list[i]);
    }
    return rc;
}

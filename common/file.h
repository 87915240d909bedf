/* Small file helpers with errors that name the path. Durable writes go through file_write_atomic only. */
#ifndef CAIRN_COMMON_FILE_H
#define CAIRN_COMMON_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

int file_mkdirs(const char *path, unsigned mode, struct err *reterr) MUST_CHECK; /* like mkdir -p */
/* Whole file, at most max_bytes (ERR_TOO_LARGE). */
int file_read(const char *path, size_t max_bytes, struct buf *ret, struct err *reterr) MUST_CHECK;
/* Written to a temporary beside it, fsync, rename, fsync of the folder: there whole or not at all. */
int file_write_atomic(const char *path, const void *bytes, size_t len, unsigned mode, struct err *reterr) MUST_CHECK;
int file_fsync_dir(const char *path, struct err *reterr) MUST_CHECK;
int file_pread_full(int fd, void *bytes, size_t len, int64_t offset,
                    struct err *reterr) MUST_CHECK; /* ERR_IO if short */
int file_pwrite_full(int fd, const void *bytes, size_t len, int64_t offset, struct err *reterr) MUST_CHECK;
int file_remove_tree(const char *path, struct err *reterr) MUST_CHECK; /* missing is fine */

/* An exclusive flock(2), or -1 with errno (EWOULDBLOCK: another process has it). Waits a little: a daemon that was
 * killed a moment ago holds its lock until the kernel has taken all of it apart. */
int file_lock(int fd) MUST_CHECK;

#endif

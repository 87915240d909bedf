#include "common/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/net.h"

#define LOCK_WAIT_MS 3000
#define LOCK_POLL_MS 50

int file_mkdirs(const char *path, unsigned mode, struct err *reterr)
{
    AUTO(mem_freep) char *copy = mem_strdup(path);
    for (char *p = copy + 1;; p++) {
        if (*p != '/' && *p)
            continue;
        char keep = *p;
        *p = 0;
        if (mkdir(copy, mode) < 0 && errno != EEXIST)
            return err_errno(reterr, errno, "cannot create the directory '%s'", copy);
        *p = keep;
        if (!keep)
            break;
    }
    struct stat st;
    if (stat(path, &st) < 0)
        return err_errno(reterr, errno, "directory '%s'", path);
    if (!S_ISDIR(st.st_mode))
        return err_set(reterr, ERR_NOT_DIR, "'%s' is there but is not a directory", path);
    return 0;
}

int file_read(const char *path, size_t max_bytes, struct buf *ret, struct err *reterr)
{
    AUTO(net_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(reterr, errno, "cannot open '%s'", path);
    struct buf b = {0};
    int rc = 0;
    while (rc == 0) {
        size_t room = 65536;
        ssize_t n = read(fd, buf_reserve(&b, room), room);
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            rc = err_errno(reterr, errno, "cannot read '%s'", path);
        b.len += n > 0 ? (size_t)n : 0;
        if (b.len > max_bytes)
            rc = err_set(reterr, ERR_TOO_LARGE, "'%s' is larger than %zu bytes", path, max_bytes);
    }
    if (rc < 0) {
        buf_free(&b);
        return rc;
    }
    *ret = b;
    return 0;
}

int file_fsync_dir(const char *path, struct err *reterr)
{
    AUTO(net_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return err_errno(reterr, errno, "cannot sync the directory '%s'", path);
    return 0;
}

static int file_write_new(const char *path, const void *bytes, size_t len, unsigned mode, struct err *reterr)
{
    AUTO(net_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    if (fd < 0)
        return err_errno(reterr, errno, "cannot create '%s'", path);
    int rc = file_pwrite_full(fd, bytes, len, 0, reterr);
    if (rc < 0)
        return err_prefix(reterr, rc, "'%s'", path);
    if (fsync(fd) < 0)
        return err_errno(reterr, errno, "cannot sync '%s'", path);
    return 0;
}

int file_write_atomic(const char *path, const void *bytes, size_t len, unsigned mode, struct err *reterr)
{
    AUTO(mem_freep) char *temporary = mem_printf("%s.tmp.%d", path, (int)getpid());
    int rc = file_write_new(temporary, bytes, len, mode, reterr);
    if (rc == 0 && rename(temporary, path) < 0)
        rc = err_errno(reterr, errno, "cannot rename '%s' to '%s'", temporary, path);
    if (rc < 0) {
        (void)unlink(temporary);
        return rc;
    }
    AUTO(mem_freep) char *dir = mem_strdup(path);
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir] = 0;
    return file_fsync_dir(slash ? dir : ".", reterr);
}

int file_pread_full(int fd, void *bytes, size_t len, int64_t offset, struct err *reterr)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(fd, (char *)bytes + done, len - done, offset + (int64_t)done);
        if (n == 0)
            return err_set(reterr, ERR_IO, "file ends before offset %lld", (long long)(offset + (int64_t)len));
        if (n < 0 && errno != EINTR)
            return err_errno(reterr, errno, "pread at %lld", (long long)offset);
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int file_pwrite_full(int fd, const void *bytes, size_t len, int64_t offset, struct err *reterr)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, (const char *)bytes + done, len - done, offset + (int64_t)done);
        if (n < 0 && errno != EINTR)
            return err_errno(reterr, errno, "pwrite at %lld", (long long)offset);
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int file_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

int file_remove_tree(const char *path, struct err *reterr)
{
    if (nftw(path, file_remove_one, 32, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
        return err_errno(reterr, errno, "cannot remove '%s'", path);
    return 0;
}

int file_lock(int fd)
{
    int rc;
    for (int64_t deadline_ms = clock_mono_ms() + LOCK_WAIT_MS;
         (rc = flock(fd, LOCK_EX | LOCK_NB)) < 0 && errno == EWOULDBLOCK && clock_mono_ms() < deadline_ms;)
        clock_sleep_ms(LOCK_POLL_MS);
    return rc;
}

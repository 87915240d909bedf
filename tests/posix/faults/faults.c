/* A library to be preloaded, which makes a good file system a bad one: what the tests of this folder must find. FAULT
 * names the mistake; each is one that a distributed file system could make. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static bool has(const char *fault)
{
    const char *wanted = getenv("FAULT");
    return wanted && !strcmp(wanted, fault);
}

static void *next(const char *symbol)
{
    void *function = dlsym(RTLD_NEXT, symbol);
    if (!function)
        abort();
    return function;
}
#define NEXT(result, symbol, ...) ((result(*)(__VA_ARGS__))next(symbol))

/* ---- bytes ---- */
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    ssize_t put = NEXT(ssize_t, "pwrite64", int, const void *, size_t, off_t)(fd, bytes, length, offset);
    off_t edge = (offset + put) / 65536 * 65536;
    if (offset < edge && edge < offset + put && has("write-tears")) /* it crosses the edge of a block */
        NEXT(ssize_t, "pwrite64", int, const void *, size_t, off_t)(fd, "", 1, edge);
    return put;
}

int ftruncate(int fd, off_t size)
{
    struct stat st;
    int result = fstat(fd, &st) ? -1 : NEXT(int, "ftruncate64", int, off_t)(fd, size);
    if (!result && size > st.st_size && has("truncate-shows-old-bytes"))
        NEXT(ssize_t, "pwrite64", int, const void *, size_t, off_t)(fd, "old", 1, st.st_size);
    return result;
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    if (mode & FALLOC_FL_PUNCH_HOLE && has("punch-goes-too-far"))
        length++;
    if (has("keep-size-grows"))
        mode &= ~(mode & FALLOC_FL_PUNCH_HOLE ? 0 : FALLOC_FL_KEEP_SIZE);
    return NEXT(int, "fallocate64", int, int, off_t, off_t)(fd, mode, offset, length);
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    if (fd >= 0 && protection & PROT_WRITE && has("mapped-writes-are-lost"))
        flags = (flags & ~MAP_SHARED) | MAP_PRIVATE;
    return NEXT(void *, "mmap64", void *, size_t, int, int, int, off_t)(address, length, protection, flags, fd, offset);
}

ssize_t copy_file_range(int in, off_t *in_offset, int out, off_t *out_offset, size_t length, unsigned flags)
{
    if (in_offset && *in_offset && has("copy-reads-elsewhere"))
        --*in_offset;
    return NEXT(ssize_t, "copy_file_range", int, off_t *, int, off_t *, size_t, unsigned)(in, in_offset, out,
                                                                                          out_offset, length, flags);
}

off_t lseek(int fd, off_t offset, int whence)
{
    if (whence == SEEK_HOLE && has("holes-are-hidden"))
        whence = SEEK_END, offset = 0;
    if (whence == SEEK_DATA && has("data-is-called-a-hole"))
        offset += 4096;
    return NEXT(off_t, "lseek64", int, off_t, int)(fd, offset, whence);
}

/* The last byte that was written before close is not there after it. */
int close(int fd)
{
    struct stat st;
    int flags = NEXT(int, "fcntl64", int, int, ...)(fd, F_GETFL);
    if (has("close-loses-a-byte") && flags >= 0 && flags & O_RDWR && !fstat(fd, &st) && S_ISREG(st.st_mode) &&
        st.st_size)
        NEXT(int, "ftruncate64", int, off_t)(fd, st.st_size - 1);
    return NEXT(int, "close", int)(fd);
}

/* ---- names ---- */
int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (has("append-is-ignored"))
        flags &= ~O_APPEND;
    if (has("exclusive-is-ignored"))
        flags &= ~O_EXCL;
    return NEXT(int, "open64", const char *, int, ...)(path, flags, mode);
}

int rename(const char *from, const char *to)
{
    int result = NEXT(int, "rename", const char *, const char *)(from, to);
    return result && errno == ENOTEMPTY && has("errno-is-another") ? (errno = EIO, -1) : result;
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    if (has("noreplace-replaces"))
        flags &= ~RENAME_NOREPLACE;
    return NEXT(int, "renameat2", int, const char *, int, const char *, unsigned)(from_fd, from, to_fd, to, flags);
}

int link(const char *from, const char *to)
{
    struct stat st;
    if (!has("link-copies") || lstat(from, &st) || !S_ISREG(st.st_mode))
        return NEXT(int, "link", const char *, const char *)(from, to);
    char buffer[64];
    int in = open(from, O_RDONLY), out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL, 0644);
    ssize_t length = out < 0 ? -1 : read(in, buffer, sizeof(buffer));
    return length < 0 || write(out, buffer, length) != length ? -1 : 0;
}

int unlink(const char *path)
{
    struct stat st;
    if (has("unlink-is-lost") && !lstat(path, &st) && st.st_nlink == 2 && !S_ISDIR(st.st_mode))
        return 0;
    return NEXT(int, "unlink", const char *)(path);
}

/* Some names share a hash. */
static bool is_skipped(const char *name)
{
    unsigned sum = 0;
    while (*name)
        sum += *name++;
    return sum % 33 == 0;
}

struct dirent *readdir(DIR *dir)
{
    struct dirent *entry = NEXT(struct dirent *, "readdir64", DIR *)(dir);
    while (entry && has("readdir-skips") && is_skipped(entry->d_name))
        entry = NEXT(struct dirent *, "readdir64", DIR *)(dir);
    return entry;
}

/* ---- attributes and locks ---- */
int chmod(const char *path, mode_t mode)
{
    return NEXT(int, "chmod", const char *, mode_t)(path, has("chmod-drops-setid") ? mode & 01777 : mode);
}

int utimensat(int fd, const char *path, const struct timespec times[2], int flags)
{
    struct timespec rounded[2];
    if (times && has("times-are-rounded")) {
        memcpy(rounded, times, sizeof(rounded));
        for (int i = 0; i < 2; i++)
            if (rounded[i].tv_nsec < 1000000000)
                rounded[i].tv_nsec -= rounded[i].tv_nsec % 1000000;
        times = rounded;
    }
    return NEXT(int, "utimensat", int, const char *, const struct timespec *, int)(fd, path, times, flags);
}

int setxattr(const char *path, const char *name, const void *value, size_t length, int flags)
{
    if (has("xattr-flags-are-ignored"))
        flags = 0;
    if (has("acl-is-ignored") && !strncmp(name, "system.", 7))
        return 0;
    return NEXT(int, "setxattr", const char *, const char *, const void *, size_t, int)(path, name, value, length,
                                                                                        flags);
}

int flock(int fd, int operation)
{
    while (has("locks-wait-for-ever"))
        pause();
    return has("locks-are-ignored") ? 0 : NEXT(int, "flock", int, int)(fd, operation);
}

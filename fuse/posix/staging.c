#include "fuse/posix/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"

struct staging_area {
    char *folder;
    int64_t max_bytes;
    _Atomic int64_t used_bytes;
};

struct staging {
    struct staging_area *area;
    int fd;
    int64_t reserved_bytes;
};

int staging_area_open(const char *folder, int64_t max_bytes, struct staging_area **ret, struct err *reterr)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(reterr, errno, "staging folder '%s' (set another with -o staging=FOLDER)", folder);
    close(fd);
    struct staging_area *a = mem_new(struct staging_area);
    a->folder = mem_strdup(folder);
    a->max_bytes = max_bytes;
    *ret = a;
    return 0;
}

void staging_area_free(struct staging_area *a)
{
    if (!a)
        return;
    free(a->folder);
    free(a);
}

int staging_new(struct staging_area *a, struct staging **ret, struct err *reterr)
{
    int fd = open(a->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(reterr, errno, "a file in the staging folder '%s'", a->folder);
    struct staging *s = mem_new(struct staging);
    s->area = a;
    s->fd = fd;
    *ret = s;
    return 0;
}

void staging_free(struct staging *s)
{
    if (!s)
        return;
    s->area->used_bytes -= s->reserved_bytes;
    close(s->fd);
    free(s);
}

bool staging_reserve(struct staging *s, int64_t bytes)
{
    struct staging_area *a = s->area;
    s->reserved_bytes += bytes;
    return atomic_fetch_add(&a->used_bytes, bytes) + bytes <= a->max_bytes;
}

int staging_write(struct staging *s, const void *bytes, size_t len, int64_t offset, struct err *reterr)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(s->fd, (const char *)bytes + done, len - done, offset + (off_t)done);
        if (n < 0 && errno != EINTR)
            return err_errno(reterr, errno, "staging folder '%s'", s->area->folder);
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int staging_read(const struct staging *s, void *bytes, size_t len, int64_t offset, struct err *reterr)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(s->fd, (char *)bytes + done, len - done, offset + (off_t)done);
        if (n < 0 && errno != EINTR)
            return err_errno(reterr, errno, "staging folder '%s'", s->area->folder);
        if (n == 0) {
            memset((char *)bytes + done, 0, len - done);
            return 0;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

void staging_drop(struct staging *s)
{
    if (ftruncate(s->fd, 0) < 0)
        log_warn("mount", "staged bytes stay on the disk until the file is closed: errno=%d", errno);
    s->area->used_bytes -= s->reserved_bytes;
    s->reserved_bytes = 0;
}

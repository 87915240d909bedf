#include "datanode/store/spare_files.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/net.h"

bool spare_files_want(const struct spare_files *s)
{
    return s->count < SPARE_FILES_MAX;
}

void spare_files_put(struct spare_files *s, uint64_t number)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? s->capacity * 2 : 64;
        s->numbers = mem_realloc_array(s->numbers, s->capacity, sizeof *s->numbers);
    }
    s->numbers[s->count++] = number;
}

bool spare_files_take(struct spare_files *s, uint64_t *ret)
{
    if (!s->count)
        return false;
    *ret = s->numbers[--s->count];
    return true;
}

void spare_files_free(struct spare_files *s)
{
    mem_freep(&s->numbers);
    *s = (struct spare_files){0};
}

static bool is_like_ours(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == geteuid();
}

/* The kernel grants a lease for writing only to the sole one that has the file open, mappings included. */
static bool is_only_ours(int fd)
{
    (void)fcntl(fd, F_SETSIG, SIGURG); /* should somebody open it in between: not the signal that would end us */
    if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
        return false;
    return fcntl(fd, F_SETLEASE, F_UNLCK) == 0;
}

bool spare_file_empty(const char *path)
{
    AUTO(net_closep) int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return fd >= 0 && is_like_ours(fd) && is_only_ours(fd) && ftruncate(fd, 0) == 0;
}

#include "fuse/posix/staging_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

#define LOCK_NAME     "lock"
#define CLAIM_WAIT_MS 10000 /* a mount that was just unmounted still saves */
#define CLAIM_POLL_MS 20

/* The parent may be a folder that everybody writes to: what is there already must be ours alone. */
static int check_owner(const char *folder, struct err *reterr)
{
    struct stat st;
    if (lstat(folder, &st) < 0)
        return err_errno(reterr, errno, "staging folder '%s'", folder);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
        return err_set(reterr, ERR_ACCESS,
                       "staging folder '%s' is not this user's own; remove it, or set another "
                       "with -o staging=FOLDER",
                       folder);
    return 0;
}

static bool is_same_file(int fd, const char *path)
{
    struct stat ours, there;
    return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
           ours.st_ino == there.st_ino;
}

/* *ret_fd: the lock, or -1: it is held, or just being removed. */
static int try_lock(const char *folder, const char *parent, int *ret_fd, struct err *reterr)
{
    AUTO(mem_freep) char *path = mem_printf("%s/" LOCK_NAME, folder);
    *ret_fd = -1;
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return err_errno(reterr, errno, "a folder in '%s' (set another with -o staging=FOLDER)", parent);
    int rc = check_owner(folder, reterr);
    if (rc < 0)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_errno(reterr, errno, "'%s'", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_same_file(fd, path))
        *ret_fd = fd;
    else
        close(fd);
    return 0;
}

int staging_folder_claim(const char *parent, const char *name, char *ret, size_t size, int *ret_lock_fd,
                         struct err *reterr)
{
    if (snprintf(ret, size, "%s/cairn-mount-%016" PRIx64, parent, (uint64_t)XXH3_64bits(name, strlen(name))) >=
        (int)size)
        return err_set(reterr, ERR_CONFIG, "staging folder '%s': the name is too long", parent);
    int rc = try_lock(ret, parent, ret_lock_fd, reterr);
    for (int64_t deadline = clock_mono_ms() + CLAIM_WAIT_MS; rc == 0 && *ret_lock_fd < 0;) {
        if (clock_mono_ms() > deadline)
            return err_set(reterr, ERR_BUSY, "'%s' is mounted already: its process has %s/" LOCK_NAME " locked", name,
                           ret);
        clock_sleep_ms(CLAIM_POLL_MS);
        rc = try_lock(ret, parent, ret_lock_fd, reterr);
    }
    return rc;
}

void staging_folder_give_up(const char *folder, int lock_fd)
{
    AUTO(mem_freep) char *path = mem_printf("%s/" LOCK_NAME, folder);
    if (unlink(path) < 0 || rmdir(folder) < 0)
        log_error("mount", "what could not be saved is in %s; mounting again takes it up", folder);
    close(lock_fd);
}

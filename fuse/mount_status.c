#include "fuse/mount_status.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/compiler.h"
#include "common/mem.h"
#include "fuse/posix/posix_start.h"

#define ANSWER_MS 3000 /* a mount that takes longer for the simplest question is said not to answer */
#define POLL_MS   10

/* Only the POSIX mount knows. */
static unsigned long count_unsaved(const char *target)
{
    char text[32];
    ssize_t n = getxattr(target, POSIX_MOUNT_UNSAVED, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    return strtoul(text, NULL, 10);
}

int mount_ask(int (*question)(void *arg), void *arg)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(question(arg));
    for (int64_t deadline = clock_mono_ms() + ANSWER_MS; pid > 0;) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
        if (clock_mono_ms() > deadline) {
            kill(pid, SIGKILL);
            return ETIMEDOUT; /* the kernel takes it away when the mount answers after all */
        }
        clock_sleep_ms(POLL_MS);
    }
    return errno;
}

struct asked {
    const char *target;
    unsigned long *unsaved; /* shared */
};

static int look(void *arg)
{
    const struct asked *a = arg;
    struct statvfs st;
    *a->unsaved = count_unsaved(a->target);
    return statvfs(a->target, &st) == 0 ? 0 : errno < 256 ? errno : EIO;
}

static void print(const struct mntent *m, int errnum, unsigned long unsaved)
{
    if (errnum == 0 && unsaved)
        printf(
            "%s on %s: serving; %lu files that were closed are not saved yet (its log says why), and are tried again\n",
            m->mnt_fsname, m->mnt_dir, unsaved);
    else if (errnum == 0)
        printf("%s on %s: serving\n", m->mnt_fsname, m->mnt_dir);
    else if (errnum == ENOTCONN || errnum == ECONNABORTED)
        printf("%s on %s: dead; mounting it again repairs it\n", m->mnt_fsname, m->mnt_dir);
    else if (errnum == ETIMEDOUT)
        printf("%s on %s: no answer for %d s; is the namenode up? (cairn doctor)\n", m->mnt_fsname, m->mnt_dir,
               ANSWER_MS / 1000);
    else
        printf("%s on %s: %s\n", m->mnt_fsname, m->mnt_dir, strerror(errnum));
}

int mount_status(const char *target)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    AUTO(mem_freep) char *real = target ? realpath(target, NULL) : NULL; /* NULL for a dead one: it is taken as it is */
    unsigned long *unsaved = mmap(NULL, sizeof *unsaved, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int code = 2;
    if (unsaved == MAP_FAILED) {
        perror("cairn mount");
        return 1;
    }
    for (struct mntent *m; mounts && (m = getmntent(mounts));) {
        bool wanted = !target || strcmp(m->mnt_dir, real ? real : target) == 0;
        if (strcmp(m->mnt_type, "fuse.cairn") != 0 || !wanted)
            continue;
        *unsaved = 0;
        int errnum = mount_ask(look, &(struct asked){m->mnt_dir, unsaved});
        print(m, errnum, *unsaved);
        code = errnum || *unsaved ? 1 : code == 2 ? 0 : code;
    }
    if (mounts)
        endmntent(mounts);
    munmap(unsaved, sizeof *unsaved);
    if (code == 2)
        fprintf(stderr, "cairn mount: nothing is mounted%s%s\n", target ? " at " : "", target ? target : "");
    return code;
}

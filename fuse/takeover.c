#include "fuse/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/net.h"
#include "fuse/keeper.h"
#include "fuse/mount_options.h"
#include "fuse/posix/posix_start.h"

#define COMMAND_MAX_BYTES (128 << 10)
#define RELOAD_MS         60000
#define POLL_MS           20

void program_find(struct program *ret)
{
    *ret = (struct program){0};
    ssize_t n = readlink("/proc/self/exe", ret->path, sizeof ret->path - 1);
    if (n <= 0 || n == sizeof ret->path - 1 || !getcwd(ret->folder, sizeof ret->folder))
        ret->path[0] = 0;
}

/* As it was given, without what its caller meant for one process only. */
static char **command_line(char *bytes, size_t len, char *last)
{
    char **argv = mem_calloc(len + 2, sizeof *argv);
    size_t count = 0;
    for (char *at = bytes; at < bytes + len; at += strlen(at) + 1) {
        if (strcmp(at, "--ready-fd") == 0)
            at += strlen(at) + 1;
        else if (strncmp(at, MOUNT_TAKES_OVER, strlen(MOUNT_TAKES_OVER)) != 0)
            argv[count++] = at;
    }
    argv[count] = last;
    return argv;
}

void takeover_execute(const struct program *p, int kernel_fd, int memory_fd)
{
    char *bytes = mem_zalloc(COMMAND_MAX_BYTES + 1), fds[64];
    AUTO(net_closep) int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t len = 0, n = 0;
    while (fd >= 0 && (n = read(fd, bytes + len, (size_t)(COMMAND_MAX_BYTES - len))) > 0)
        len += n;
    snprintf(fds, sizeof fds, MOUNT_TAKES_OVER "%d,%d", kernel_fd, memory_fd);
    if (n < 0 || len == 0 || len == COMMAND_MAX_BYTES || chdir(p->folder) < 0) {
        log_error("mount", "its command line cannot be read again");
        return;
    }
    execv(p->path, command_line(bytes, (size_t)len, fds));
    log_error("mount", "%s: %s", p->path, strerror(errno));
}

int takeover_fds(const char *text, int *ret_kernel, int *ret_memory, struct err *reterr)
{
    char end;
    if (sscanf(text, "%d,%d%c", ret_kernel, ret_memory, &end) != 2 || fcntl(*ret_kernel, F_SETFD, FD_CLOEXEC) < 0 ||
        fcntl(*ret_memory, F_SETFD, FD_CLOEXEC) < 0)
        return err_set(reterr, ERR_CONFIG, "%s%s is for keepers of mounts", MOUNT_TAKES_OVER, text);
    return 0;
}

/* ---- asking for it ---- */

static bool processes_of(const char *target, int *ret_keeper, int *ret_serving)
{
    char text[64];
    ssize_t n = getxattr(target, POSIX_MOUNT_PROCESSES, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    return sscanf(text, "%d %d", ret_keeper, ret_serving) == 2;
}

int mount_reload(const char *target)
{
    int keeper, before, now;
    if (!processes_of(target, &keeper, &before)) {
        fprintf(stderr, "cairn mount: nothing at '%s' can be reloaded: it is no mount of a Cairn namenode\n", target);
        return 1;
    }
    if (kill(keeper, KEEPER_RELOAD_SIGNAL) < 0) {
        fprintf(stderr, "cairn mount: process %d, which keeps the mount: %s\n", keeper, strerror(errno));
        return 1;
    }
    for (int64_t until_ms = clock_mono_ms() + RELOAD_MS; clock_mono_ms() < until_ms; clock_sleep_ms(POLL_MS))
        if (processes_of(target, &keeper, &now) && now != before)
            return 0;
    fprintf(stderr, "cairn mount: the process did not end within %d s\n", RELOAD_MS / 1000);
    return 1;
}

#include "main/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/net.h"

#define CHILD_READY_FD 3
#define CHILD_POLL_MS  20

void child_add_arg(struct child *c, const char *format, ...)
{
    va_list args;
    if (c->arg_count + 1 >= CHILD_ARGS_MAX)
        abort(); /* our own table of arguments outgrew its bound */
    va_start(args, format);
    if (vasprintf(&c->args[c->arg_count++], format, args) < 0)
        abort(); /* out of memory */
    va_end(args);
}

/* In the child, between fork and exec. */
static void child_exec(struct child *c, int ready_write_fd, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGINT, SIG_IGN); /* Ctrl-C is for the supervisor, which stops the daemons in order */
    setsid(); /* Ctrl-C spares it, and a kernel that shares out CPU time by session gives each daemon its own part */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    int log = open(c->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644),
        null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
        _exit(126);
    if (ready_write_fd == CHILD_READY_FD)
        fcntl(ready_write_fd, F_SETFD, 0);
    else if (dup2(ready_write_fd, CHILD_READY_FD) < 0)
        _exit(126);
    char *argv[CHILD_ARGS_MAX + 4] = {"cairn"};
    int n = 1;
    for (int i = 0; i < c->arg_count; i++)
        argv[n++] = c->args[i];
    argv[n++] = "--ready-fd";
    argv[n++] = "3";
    execv("/proc/self/exe", argv);
    dprintf(2, "cannot start %s: %s\n", c->name, strerror(errno));
    _exit(127);
}

int child_start(struct child *c, struct err *reterr)
{
    int fds[2];
    if (c->ready_fd > 0) /* of the one before */
        net_closep(&c->ready_fd);
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(reterr, errno, "pipe for %s", c->name);
    pid_t self = getpid(), pid = fork();
    if (pid == 0)
        child_exec(c, fds[1], self);
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return err_errno(reterr, errno, "cannot start a process for %s", c->name);
    }
    c->pid = pid;
    c->ready_fd = fds[0];
    c->restart.started_ms = clock_mono_ms();
    c->start_at_ms = 0;
    return 0;
}

static void last_log_line(const char *path, char *out, size_t size)
{
    char tail[4096];
    out[0] = 0;
    AUTO(net_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    off_t from = end > (off_t)sizeof tail - 1 ? end - (off_t)sizeof tail + 1 : 0;
    ssize_t n = end < 0 ? 0 : pread(fd, tail, sizeof tail - 1, from);
    if (n <= 0)
        return;
    while (n > 0 && tail[n - 1] == '\n')
        n--;
    tail[n] = 0;
    char *line = strrchr(tail, '\n');
    snprintf(out, size, "%.500s", line ? line + 1 : tail);
}

const char *child_end_text(int exit_status, char out[64])
{
    if (WIFSIGNALED(exit_status))
        snprintf(out, 64, "was killed by signal %d", WTERMSIG(exit_status));
    else
        snprintf(out, 64, "exited with status %d", WEXITSTATUS(exit_status));
    return out;
}

int child_wait_ready(struct child *c, int timeout_ms, struct err *reterr)
{
    char byte, line[512], end[64];
    struct pollfd p = {.fd = c->ready_fd, .events = POLLIN};
    int n;
    do
        n = poll(&p, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    ssize_t got = n > 0 ? read(c->ready_fd, &byte, 1) : -1;
    if (got == 1) {
        net_closep(&c->ready_fd);
        return 0;
    }
    if (n == 0)
        return err_set(reterr, ERR_TIMEOUT, "%s was not ready within %d s; its log is %s", c->name, timeout_ms / 1000,
                       c->log);
    net_closep(&c->ready_fd); /* end of file: the daemon is gone */
    if (waitpid(c->pid, &c->exit_status, 0) == c->pid)
        c->pid = 0;
    last_log_line(c->log, line, sizeof line);
    return err_set(reterr, ERR_BAD_STATE, "%s %s: %s (log: %s)", c->name, child_end_text(c->exit_status, end), line,
                   c->log);
}

void child_stop(struct child *c, int grace_ms)
{
    if (!c->pid)
        return;
    kill(c->pid, SIGTERM);
    for (int64_t deadline = clock_mono_ms() + grace_ms; c->pid;) {
        if (waitpid(c->pid, &c->exit_status, WNOHANG) == c->pid)
            c->pid = 0;
        else if (clock_mono_ms() >= deadline)
            kill(c->pid, SIGKILL), deadline = INT64_MAX;
        else
            clock_sleep_ms(CHILD_POLL_MS); /* nothing else to do but wait for its end */
    }
    if (c->ready_fd > 0)
        net_closep(&c->ready_fd);
}

void child_free(struct child *c)
{
    for (int i = 0; i < c->arg_count; i++)
        free(c->args[i]);
    c->arg_count = 0;
}

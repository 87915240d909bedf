#include "fuse/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/net.h"

#define QUICK_DEATH_MS 1000 /* a process that lived shorter did not help anybody */
#define PAUSE_FIRST_MS 50
#define PAUSE_MAX_MS   1000
#define HALF_GONE_MS   400 /* ends of threads take that long only if the kernel keeps one */

static volatile sig_atomic_t child_pid, is_ending;

static void pass_on(int signal_number)
{
    is_ending = 1;
    if (child_pid > 0)
        kill(child_pid, SIGTERM);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = pass_on};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static void default_signals(void)
{
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
}

/* With its keeper gone, nobody would start the next one: it ends while it can do so properly. */
static pid_t start(int (*serve)(void *arg), void *arg)
{
    pid_t keeper = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    default_signals();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != keeper)
        _exit(1);
    _exit(serve(arg));
}

/* A killed process whose threads have not all ended: one may wait in the kernel for an answer that only the next
 * process can give, and would never end. */
static bool is_half_gone(pid_t pid)
{
    char path[64], text[512], *after_name;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    AUTO(net_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return false;
    text[n] = 0;
    after_name = strrchr(text, ')');
    return after_name && strncmp(after_name, ") Z", 3) == 0;
}

/* Its status, or that it was killed. */
static int wait_for_end(pid_t pid)
{
    AUTO(net_closep) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd end = {.fd = fd, .events = POLLIN};
    int status;
    bool was_half_gone = false;
    for (;;) {
        pid_t got = waitpid(pid, &status, fd < 0 ? 0 : WNOHANG);
        if (got == pid)
            return status;
        if (got < 0 && errno != EINTR)
            return -1;
        bool half_gone = is_half_gone(pid);
        if (half_gone && was_half_gone)
            return SIGKILL;
        if (poll(&end, 1, HALF_GONE_MS) >= 0) /* and not a signal, which comes at any time */
            was_half_gone = half_gone;
    }
}

int keeper_run(int (*serve)(void *arg), void *arg)
{
    int64_t pause_ms = 0;
    catch_signals();
    for (;;) {
        int64_t since = clock_mono_ms();
        child_pid = start(serve, arg);
        if (child_pid < 0) {
            log_error("mount", "no process to serve with: err=%s", strerror(errno));
            return 1;
        }
        if (is_ending)
            kill(child_pid, SIGTERM);
        int status = wait_for_end(child_pid);
        child_pid = 0;
        if (WIFEXITED(status) || is_ending)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        log_error("mount", "the serving process was killed by signal %d; the next one goes on", WTERMSIG(status));
        bool was_quick = clock_mono_ms() - since < QUICK_DEATH_MS;
        clock_sleep_ms(was_quick ? pause_ms : 0);
        pause_ms = !was_quick ? 0 : !pause_ms ? PAUSE_FIRST_MS : pause_ms < PAUSE_MAX_MS ? 2 * pause_ms : pause_ms;
    }
}

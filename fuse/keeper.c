#include "fuse/keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

#define QUICK_DEATH_MS 1000 /* a process that lived shorter did not help anybody */
#define PAUSE_FIRST_MS 50
#define PAUSE_MAX_MS   1000

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

static int wait_for_end(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
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

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

#define HAND_OVER_MS 10000 /* what is not saved by then, the next process saves */

static volatile sig_atomic_t child_pid, is_ending, is_reloading;

static void pass_on(int signal_number)
{
    is_ending = 1;
    if (child_pid > 0)
        kill(child_pid, SIGTERM);
}

static void note_reload(int signal_number)
{
    is_reloading = 1;
}

static void catch_signals(void (*on_end)(int), void (*on_reload)(int))
{
    struct sigaction end = {.sa_handler = on_end}, reload = {.sa_handler = on_reload};
    sigemptyset(&end.sa_mask);
    sigemptyset(&reload.sa_mask);
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGHUP, &end, NULL);
    sigaction(KEEPER_RELOAD_SIGNAL, &reload, NULL);
}

/* With its keeper gone, nobody would start the next one: it ends while it can do so properly. */
static pid_t start(const struct keeper *k, bool by_file)
{
    pid_t keeper = getpid(), pid = fork();
    if (pid != 0)
        return pid;
    catch_signals(SIG_DFL, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != keeper)
        _exit(1);
    if (by_file) {
        k->serve_by_file(k->arg);
        _exit(1);
    }
    _exit(k->serve(k->arg));
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

/* It saves what it can, and ends; if it takes too long it is as good as killed. */
static void ask_for_end(const struct keeper *k, pid_t pid, int64_t *kill_ms)
{
    if (*kill_ms == 0) {
        *k->hands_over = true;
        *kill_ms = clock_mono_ms() + HAND_OVER_MS;
        kill(pid, SIGTERM);
    } else if (clock_mono_ms() > *kill_ms) {
        kill(pid, SIGKILL);
    }
}

/* Its status, or that it was killed. */
static int wait_for_end(const struct keeper *k, pid_t pid)
{
    AUTO(net_closep) int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd end = {.fd = fd, .events = POLLIN};
    int status;
    int64_t kill_ms = 0;
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
        if (is_reloading)
            ask_for_end(k, pid, &kill_ms);
        if (poll(&end, 1, HALF_GONE_MS) >= 0) /* and not a signal, which comes at any time */
            was_half_gone = half_gone;
    }
}

/* What has to be known of the processes before. */
struct keeping {
    const struct keeper *keeper;
    bool by_file;
    int64_t pause_ms;
};

/* Is another one to go on after it? */
static bool goes_on(struct keeping *s, int status, unsigned begun, int64_t lived_ms)
{
    const struct keeper *k = s->keeper;
    bool was_quick = lived_ms < QUICK_DEATH_MS;
    if (is_reloading) {
        is_reloading = 0;
        *k->hands_over = false;
        s->by_file = true;
        log_info("mount", "going on with what is in the program's file now");
        return true;
    }
    if (s->by_file && k->begun(k->arg) == begun) {
        log_error("mount", "what is in the program's file now cannot take over; going on with what was started");
        s->by_file = false;
        return true;
    }
    if (WIFEXITED(status) || is_ending)
        return false;
    log_error("mount", "the serving process was killed by signal %d; the next one goes on", WTERMSIG(status));
    clock_sleep_ms(was_quick ? s->pause_ms : 0);
    s->pause_ms = !was_quick                   ? 0
                  : !s->pause_ms               ? PAUSE_FIRST_MS
                  : s->pause_ms < PAUSE_MAX_MS ? 2 * s->pause_ms
                                               : s->pause_ms;
    return true;
}

int keeper_run(const struct keeper *k)
{
    struct keeping s = {.keeper = k};
    catch_signals(pass_on, k->serve_by_file ? note_reload : SIG_IGN);
    for (;;) {
        int64_t since_ms = clock_mono_ms();
        unsigned begun = k->begun(k->arg);
        child_pid = start(k, s.by_file);
        if (child_pid < 0) {
            log_error("mount", "no process to serve with: err=%s", strerror(errno));
            return 1;
        }
        if (is_ending)
            kill(child_pid, SIGTERM);
        int status = wait_for_end(k, child_pid);
        child_pid = 0;
        if (!goes_on(&s, status, begun, clock_mono_ms() - since_ms))
            return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    }
}

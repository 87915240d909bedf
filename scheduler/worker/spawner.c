#include "scheduler/worker/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "main/commands.h"
#include "scheduler/engine/task_report.h"

#define SPAWNER_FD    3
#define REQUEST_BYTES 16384
#define WORDS_MAX     32

extern char **environ;

/* ---- the worker's side ---- */

int spawner_start(struct spawner *s, struct err *reterr)
{
    int fds[2];
    char *argv[] = {"cairn", "spawner", NULL};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return err_errno(reterr, errno, "socketpair");
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    if (fds[1] == SPAWNER_FD) { /* dup2 onto itself would leave it close-on-exec */
        int moved = fcntl(fds[1], F_DUPFD_CLOEXEC, SPAWNER_FD + 1);
        close(fds[1]);
        fds[1] = moved;
    }
    posix_spawn_file_actions_adddup2(&actions, fds[1], SPAWNER_FD);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attr, 0);
    int errnum = posix_spawn(&s->pid, "/proc/self/exe", &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    close(fds[1]);
    s->fd = fds[0];
    if (errnum) {
        s->pid = 0;
        close(s->fd);
        return err_errno(reterr, errnum, "start `cairn spawner`");
    }
    return 0;
}

void spawner_stop(struct spawner *s)
{
    if (!s->pid)
        return;
    close(s->fd);
    kill(s->pid, SIGKILL);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    s->pid = 0;
}

static ssize_t send_with_fd(int to, const struct buf *b, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec iov = {b->base, b->len};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    return sendmsg(to, &m, MSG_NOSIGNAL);
}

int spawner_run(struct spawner *s, char *const argv[], const char *work_dir, const char *log_path, int report_fd,
                pid_t *ret_pid, struct err *reterr)
{
    struct buf b = {0};
    buf_append(&b, work_dir, strlen(work_dir) + 1);
    buf_append(&b, log_path, strlen(log_path) + 1);
    for (char *const *word = argv; *word; word++)
        buf_append(&b, *word, strlen(*word) + 1);
    int pid = 0;
    bool good = b.len <= REQUEST_BYTES && send_with_fd(s->fd, &b, report_fd) == (ssize_t)b.len &&
                recv(s->fd, &pid, sizeof pid, 0) == (ssize_t)sizeof pid;
    buf_free(&b);
    if (!good)
        return err_set(reterr, ERR_IO, "the spawner does not answer");
    if (pid < 0)
        return err_errno(reterr, -pid, "fork");
    (void)setpgid(pid, pid); /* so does the child: whoever comes first, its group can be killed from now on */
    *ret_pid = pid;
    return 0;
}

/* ---- the spawner ---- */

static ssize_t receive_with_fd(int from, char *bytes, size_t len, int *ret_fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec iov = {bytes, len};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    *ret_fd = -1;
    if (c && c->cmsg_type == SCM_RIGHTS)
        memcpy(ret_fd, CMSG_DATA(c), sizeof *ret_fd);
    return n;
}

static int become_attempt(char **words, int count, int report_fd)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    const char *work_dir = words[0], *log_path = words[1];
    int in = open("/dev/null", O_RDONLY), log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (in < 0 || log < 0 || chdir(work_dir) < 0 || dup2(in, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 ||
        dup2(report_fd, TASK_REPORT_FD) < 0)
        return EXIT_FAILURE;
    for (int fd = TASK_REPORT_FD + 1; fd <= report_fd || fd <= in || fd <= log; fd++)
        close(fd);
    return attempt_main(count - 3, words + 3);
}

int spawner_main(int argc, char **argv)
{
    static char bytes[REQUEST_BYTES + 1];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "cairn-spawner");
    _Static_assert(SPAWNER_FD == TASK_REPORT_FD, "an attempt's reports take our socket's place");
    fcntl(SPAWNER_FD, F_SETFD, FD_CLOEXEC);
    for (;;) {
        char *words[WORDS_MAX];
        int count = 0, report_fd;
        ssize_t n = receive_with_fd(SPAWNER_FD, bytes, REQUEST_BYTES, &report_fd);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0; /* the worker is gone */
        bytes[n] = 0;
        for (char *at = bytes; at < bytes + n && count < WORDS_MAX - 1; at += strlen(at) + 1)
            words[count++] = at;
        words[count] = NULL;
        long pid =
            count < 5 || report_fd < 0 ? -EPROTO : syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0);
        if (pid == 0)
            exit(become_attempt(words, count, report_fd));
        int answer = pid < 0 && pid != -EPROTO ? -errno : (int)pid;
        if (report_fd >= 0)
            close(report_fd);
        if (send(SPAWNER_FD, &answer, sizeof answer, MSG_NOSIGNAL) < 0)
            return EXIT_FAILURE;
    }
}

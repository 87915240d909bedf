#include "scheduler/worker/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "main/commands.h"
#include "scheduler/engine/task_channel.h"

#define SPAWNER_FD    3
#define REQUEST_BYTES 16384
#define WORDS_MAX     32

extern char **environ;

/* ---- the worker's side ---- */

int spawner_start(struct spawner *s, struct err *reterr)
{
    int fds[2];
    char files_max[24], *argv[] = {"cairn", "spawner", files_max, NULL};
    snprintf(files_max, sizeof files_max, "%" PRIu64, s->files_max);
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

/* What comes with a request. */
enum { FD_CHANNEL, FD_LOG, FD_COUNT };

union control {
    char bytes[CMSG_SPACE(FD_COUNT * sizeof(int))];
    struct cmsghdr align;
};

static ssize_t send_with_fds(int to, const struct buf *b, const int fds[FD_COUNT])
{
    union control control = {{0}};
    struct iovec iov = {b->base, b->len};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(FD_COUNT * sizeof(int));
    memcpy(CMSG_DATA(c), fds, FD_COUNT * sizeof(int));
    return sendmsg(to, &m, MSG_NOSIGNAL);
}

int spawner_run(struct spawner *s, char *const argv[], const char *work_dir, int log_fd, int channel_fd, pid_t *ret_pid,
                struct err *reterr)
{
    const int fds[FD_COUNT] = {[FD_CHANNEL] = channel_fd, [FD_LOG] = log_fd};
    struct buf b = {0};
    buf_append(&b, work_dir, strlen(work_dir) + 1);
    for (char *const *word = argv; *word; word++)
        buf_append(&b, *word, strlen(*word) + 1);
    int pid = 0;
    bool good = b.len <= REQUEST_BYTES && send_with_fds(s->fd, &b, fds) == (ssize_t)b.len &&
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

static ssize_t receive_with_fds(int from, char *bytes, size_t len, int ret_fds[FD_COUNT])
{
    union control control = {{0}};
    struct iovec iov = {bytes, len};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    ret_fds[FD_CHANNEL] = ret_fds[FD_LOG] = -1;
    if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(FD_COUNT * sizeof(int)))
        memcpy(ret_fds, CMSG_DATA(c), FD_COUNT * sizeof(int));
    return n;
}

static int become_attempt(char **words, int count, const int fds[FD_COUNT])
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    int in = open("/dev/null", O_RDONLY), log = fds[FD_LOG], channel = fds[FD_CHANNEL];
    if (in < 0 || chdir(words[0]) < 0 || dup2(in, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 ||
        dup2(channel, TASK_CHANNEL_FD) < 0)
        return EXIT_FAILURE;
    for (int fd = TASK_CHANNEL_FD + 1; fd <= channel || fd <= in || fd <= log; fd++)
        close(fd);
    return attempt_main(count - 2, words + 2);
}

static void limit_files(const char *text)
{
    struct rlimit files;
    if (!text || getrlimit(RLIMIT_NOFILE, &files) < 0)
        return;
    files.rlim_cur = (rlim_t)strtoull(text, NULL, 10);
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

int spawner_main(int argc, char **argv)
{
    static char bytes[REQUEST_BYTES + 1];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "cairn-spawner");
    limit_files(argv[1]);
    _Static_assert(SPAWNER_FD == TASK_CHANNEL_FD, "an attempt's channel takes our socket's place");
    fcntl(SPAWNER_FD, F_SETFD, FD_CLOEXEC);
    for (;;) {
        char *words[WORDS_MAX];
        int count = 0, fds[FD_COUNT];
        ssize_t n = receive_with_fds(SPAWNER_FD, bytes, REQUEST_BYTES, fds);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 0; /* the worker is gone */
        bytes[n] = 0;
        for (char *at = bytes; at < bytes + n && count < WORDS_MAX - 1; at += strlen(at) + 1)
            words[count++] = at;
        words[count] = NULL;
        long pid = count < 4 || fds[FD_CHANNEL] < 0 ? -EPROTO
                                                    : syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0);
        if (pid == 0)
            exit(become_attempt(words, count, fds));
        int answer = pid < 0 && pid != -EPROTO ? -errno : (int)pid;
        for (size_t i = 0; i < FD_COUNT; i++)
            if (fds[i] >= 0)
                close(fds[i]);
        if (send(SPAWNER_FD, &answer, sizeof answer, MSG_NOSIGNAL) < 0)
            return EXIT_FAILURE;
    }
}

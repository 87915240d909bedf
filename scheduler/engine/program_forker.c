#include "scheduler/engine/program_forker.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/net.h"
#include "rpc/fd_passing.h"

/* What comes with a request: the texts (arguments and environment, each with its 0), stderr, the program's own. */
enum { FD_TEXTS, FD_ERR, FD_PROGRAM, FD_COUNT = FD_PROGRAM + PROGRAM_FORKER_FDS };
_Static_assert(FD_COUNT <= FD_PASSING_MAX, "they go in one message");
#define PROGRAM_FD_FIRST 3
#define APART            64 /* descriptors from here on are in nobody's way */

struct program_forker {
    pid_t pid;
    int fd;
};

/* ---- the process that waits ---- */

static char **texts_of(int fd)
{
    off_t len = lseek(fd, 0, SEEK_END);
    if (len <= 0)
        return NULL;
    char *bytes = mem_alloc((size_t)len + 1);
    if (file_pread_full(fd, bytes, (size_t)len, 0, NULL) < 0)
        return NULL;
    bytes[len] = 0;
    size_t count = 0;
    for (const char *at = bytes; at < bytes + len; at += strlen(at) + 1)
        count++;
    char **texts = mem_calloc(count + 1, sizeof *texts);
    count = 0;
    for (char *at = bytes; at < bytes + len; at += strlen(at) + 1)
        texts[count++] = at;
    return count < PROGRAM_HOST_ARGS ? NULL : texts;
}

static _Noreturn void become_program(const int fds[FD_COUNT])
{
    int apart[FD_COUNT], in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char **texts = texts_of(fds[FD_TEXTS]);
    bool good = texts && in >= 0 && dup2(in, STDIN_FILENO) >= 0;
    for (size_t i = FD_ERR; good && i < FD_COUNT; i++)
        good = (apart[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, APART)) >= 0;
    good = good && dup2(apart[FD_ERR], STDOUT_FILENO) >= 0 && dup2(apart[FD_ERR], STDERR_FILENO) >= 0;
    for (int i = 0; good && i < PROGRAM_FORKER_FDS; i++)
        good = dup2(apart[FD_PROGRAM + i], PROGRAM_FD_FIRST + i) >= 0;
    if (!good || close_range(PROGRAM_FD_FIRST + PROGRAM_FORKER_FDS, ~0u, 0) < 0)
        _exit(127);
    signal(SIGINT, SIG_DFL); /* ignored below `cairn up` */
    environ = texts + PROGRAM_HOST_ARGS;
    _exit(program_host_main(texts));
}

static _Noreturn void wait_for_requests(int fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "cairn-programs");
    for (;;) {
        uint8_t byte;
        int fds[FD_COUNT];
        if (fd_receive(fd, &byte, fds, FD_COUNT, NULL) < 0)
            _exit(0); /* the task is gone, or ends */
        long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0);
        if (pid == 0)
            become_program(fds);
        int answer = pid < 0 ? -errno : (int)pid;
        for (size_t i = 0; i < FD_COUNT; i++)
            close(fds[i]);
        if (send(fd, &answer, sizeof answer, MSG_NOSIGNAL) != (ssize_t)sizeof answer)
            _exit(EXIT_FAILURE);
    }
}

/* ---- the task's side ---- */

int program_forker_start(struct program_forker **ret, struct err *reterr)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return err_errno(reterr, errno, "socketpair");
    long pid = syscall(SYS_clone, 0, NULL, NULL, NULL, 0); /* with no signal at its end, which those it forks inherit */
    if (pid == 0) {
        /* nothing else of the task's: its worker waits for the end of what it shares with it */
        if (dup2(fds[1], PROGRAM_FD_FIRST) < 0 || close_range(PROGRAM_FD_FIRST + 1, ~0u, 0) < 0)
            _exit(EXIT_FAILURE);
        wait_for_requests(PROGRAM_FD_FIRST);
    }
    int errnum = errno;
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return err_errno(reterr, errnum, "fork");
    }
    *ret = mem_new(struct program_forker);
    **ret = (struct program_forker){(pid_t)pid, fds[0]};
    return 0;
}

void program_forker_stop(struct program_forker *f)
{
    if (!f)
        return;
    close(f->fd);
    kill(f->pid, SIGKILL);
    while (waitpid(f->pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
    free(f);
}

static void add_text(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text) + 1);
}

int program_forker_run(struct program_forker *f, char *const args[PROGRAM_HOST_ARGS], char *const environment[],
                       const int fds[PROGRAM_FORKER_FDS], int err_fd, pid_t *ret_pid, struct err *reterr)
{
    struct buf texts = {0};
    for (size_t i = 0; i < PROGRAM_HOST_ARGS; i++)
        add_text(&texts, args[i]);
    for (char *const *e = environment; e && *e; e++)
        add_text(&texts, *e);
    AUTO(net_closep) int texts_fd = memfd_create("cairn-program", MFD_CLOEXEC);
    int rc = texts_fd < 0 ? err_errno(reterr, errno, "memory for a program's environment")
                          : file_pwrite_full(texts_fd, texts.base, texts.len, 0, reterr);
    buf_free(&texts);
    int all[FD_COUNT] = {[FD_TEXTS] = texts_fd, [FD_ERR] = err_fd}, pid = 0;
    memcpy(all + FD_PROGRAM, fds, PROGRAM_FORKER_FDS * sizeof *fds);
    if (rc == 0)
        rc = fd_pass(f->fd, 0, all, FD_COUNT, reterr);
    if (rc == 0)
        rc = net_read_full(f->fd, &pid, sizeof pid, reterr);
    if (rc == 0 && pid < 0)
        rc = err_errno(reterr, -pid, "fork");
    *ret_pid = pid;
    return rc < 0 ? err_prefix(reterr, rc, "start a program") : 0;
}

#include "scheduler/engine/stream_child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/mem.h"
#include "scheduler/engine/command_line.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/program_forker.h"
#include "scheduler/engine/run_file.h"

#define PIPE_BYTES         (1 << 20)
#define LINES_BUFFER_BYTES (256u << 10)
#define STDERR_LINE_MAX    65536

struct stream_child {
    struct task *task;
    const char *what;
    pid_t pid; /* 0: a mere pipe */
    int in, out, err;
    pthread_t err_thread;
};

static bool split_counter(char *text, char *ret_fields[3])
{
    size_t count = 0;
    for (char *save = NULL, *field = strtok_r(text, ",", &save); field; field = strtok_r(NULL, ",", &save)) {
        if (count == 3)
            return false;
        ret_fields[count++] = field;
    }
    return count == 3;
}

bool reporter_line(struct task_report *report, struct counters *counters, const char *line)
{
    static const char counter[] = "reporter:counter:", status[] = "reporter:status:";
    if (!strncmp(line, status, sizeof status - 1)) {
        const char *text = line + sizeof status - 1;
        task_report_status(report, text + strspn(text, " \t"));
        return true;
    }
    if (strncmp(line, counter, sizeof counter - 1))
        return false;
    char *text = mem_strdup(line + sizeof counter - 1), *fields[3], *end = NULL;
    bool ok = split_counter(text + strspn(text, " \t"), fields);
    if (ok) {
        errno = 0;
        long long delta = strtoll(fields[2], &end, 10);
        ok = end != fields[2] && !end[strspn(end, " \t\r")] && errno == 0;
        struct err err = {0};
        if (ok && counters_add_named(counters, fields[0], fields[1], delta, &err) < 0)
            fprintf(stderr, "cairn task: %s\n", err.text);
        task_report_alive(report);
    }
    free(text);
    return ok;
}

static void stderr_line(struct task *t, char *line, size_t len)
{
    line[len] = 0;
    if (strncmp(line, "reporter:", 9) || !reporter_line(t->report, t->counters, line)) {
        line[len] = '\n';
        ssize_t ignored = write(STDERR_FILENO, line, len + 1); /* a full log disk must not stop the task */
        (void)ignored;
        task_report_alive(t->report);
    }
}

static void *stderr_thread(void *arg)
{
    struct stream_child *c = arg;
    char *bytes = mem_alloc(STDERR_LINE_MAX + 1);
    size_t have = 0;
    for (;;) {
        ssize_t n = read(c->err, bytes + have, STDERR_LINE_MAX - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        have += (size_t)n;
        size_t from = 0;
        for (char *lf; (lf = memchr(bytes + from, '\n', have - from)); from = (size_t)(lf - bytes) + 1)
            stderr_line(c->task, bytes + from, (size_t)(lf - bytes) - from);
        memmove(bytes, bytes + from, have - from);
        have -= from;
        if (have == STDERR_LINE_MAX) { /* no line that long: let it through in pieces */
            stderr_line(c->task, bytes, have);
            have = 0;
        }
    }
    if (have)
        stderr_line(c->task, bytes, have);
    free(bytes);
    return NULL;
}

/* Descriptors from `at` on; first out of the way of each other. */
static bool child_fds(const int *fds, size_t count, int at)
{
    int apart[CHILD_FDS_MAX];
    for (size_t i = 0; i < count; i++)
        if ((apart[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, at + CHILD_FDS_MAX)) < 0)
            return false;
    for (size_t i = 0; i < count; i++)
        if (dup2(apart[i], at + (int)i) < 0)
            return false;
    return true;
}

static void child_exec(const struct child_program *how, char **environment, int in, int out, int err)
{
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL); /* ignored below `cairn up` */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 || !child_fds(how->fds, how->fd_count, 3))
        _exit(127);
    execve(how->path, how->words, environment);
    dprintf(2, "cannot execute '%s': %s%s\n", how->path, strerror(errno),
            errno == ENOENT ? " (is the interpreter of its first line there?)" : "");
    _exit(127);
}

/* A process of its own, or -1 with errno. */
static pid_t child_process(struct stream_child *c, const struct child_program *how, int in, int out, int err)
{
    pid_t pid = -1;
    struct err why = {0};
    char **environment = task_environment(c->task);
    if (how->host_args && c->task->forker) {
        if (program_forker_run(c->task->forker, how->host_args, environment, how->fds, err, &pid, &why) == 0)
            return pid;
        fprintf(stderr, "cairn task: %s\n", why.text); /* then the slow way */
    }
    pid = vfork(); /* a copy of the sort buffer's page tables, and every page written once more, would cost more than it
                    */
    if (pid == 0)
        child_exec(how, environment, in, out, err);
    return pid;
}

int stream_child_start_program(struct task *t, const char *what, const struct child_program *how,
                               struct stream_child **ret, struct err *reterr)
{
    int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
        return err_errno(reterr, errno, "start the %s: pipe", what); /* the process ends soon, and its pipes */
    (void)fcntl(in[1], F_SETPIPE_SZ, PIPE_BYTES);                    /* faster when allowed */
    (void)fcntl(out[0], F_SETPIPE_SZ, PIPE_BYTES);
    struct stream_child *c = mem_new(struct stream_child);
    *c = (struct stream_child){.task = t, .what = what, .in = in[1], .out = out[0], .err = err[0]};
    c->pid = child_process(c, how, in[0], how->fd_count ? err[1] : out[1], err[1]);
    int errnum = errno;
    close(in[0]);
    close(out[1]);
    close(err[1]);
    if (how->fd_count)
        stream_child_close_in(c);
    if (c->pid > 0 && !(errnum = pthread_create(&c->err_thread, NULL, stderr_thread, c))) {
        *ret = c;
        return 0;
    }
    if (c->pid > 0) {
        kill(c->pid, SIGKILL);
        waitpid(c->pid, NULL, __WALL);
    }
    stream_child_close_in(c);
    close(c->out);
    close(c->err);
    free(c);
    return err_errno(reterr, errnum, "start the %s", what);
}

/* `cat` without arguments gives what it is given: a pipe does so, too. */
static bool is_cat(const struct child_program *how)
{
    return !how->words[1] && (!strcmp(how->path, "/bin/cat") || !strcmp(how->path, "/usr/bin/cat"));
}

static int start_pipe(struct task *t, const char *what, struct stream_child **ret, struct err *reterr)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(reterr, errno, "start the %s: pipe", what);
    (void)fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES);
    *ret = mem_new(struct stream_child);
    **ret = (struct stream_child){.task = t, .what = what, .in = fds[1], .out = fds[0], .err = -1};
    return 0;
}

int stream_child_start(struct task *t, const char *what, const char *command, struct stream_child **ret,
                       struct err *reterr)
{
    struct arena a;
    arena_init(&a, 16 << 20);
    struct child_program how = {0};
    int rc = command_split(command, &a, &how.words, reterr);
    if (rc == 0)
        rc = command_find(how.words[0], &a, &how.path, reterr);
    if (rc < 0)
        err_prefix(reterr, rc, "%s", what);
    else
        rc = is_cat(&how) ? start_pipe(t, what, ret, reterr) : stream_child_start_program(t, what, &how, ret, reterr);
    arena_free(&a);
    return rc;
}

int stream_child_write(struct stream_child *c, const void *bytes, size_t len, bool *ret_open, struct err *reterr)
{
    *ret_open = true;
    for (size_t sent = 0; sent < len;) {
        ssize_t n = write(c->in, (const uint8_t *)bytes + sent, len - sent);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EPIPE) {
            *ret_open = false;
            return 0;
        }
        if (n < 0)
            return err_errno(reterr, errno, "write to the %s", c->what);
        sent += (size_t)n;
    }
    return 0;
}

void stream_child_close_in(struct stream_child *c)
{
    if (c->in >= 0)
        close(c->in);
    c->in = -1;
}

int stream_child_read(struct stream_child *c, void *bytes, size_t len, size_t *ret_read, struct err *reterr)
{
    for (;;) {
        ssize_t n = read(c->out, bytes, len);
        if (n >= 0) {
            *ret_read = (size_t)n;
            return 0;
        }
        if (errno != EINTR)
            return err_errno(reterr, errno, "read from the %s", c->what);
    }
}

static void close_out(struct stream_child *c)
{
    if (c->out >= 0)
        close(c->out);
    c->out = -1;
}

static int stream_child_end(struct stream_child *c)
{
    int status = 0;
    stream_child_close_in(c);
    close_out(c);
    if (!c->pid)
        return 0;
    while (waitpid(c->pid, &status, __WALL) < 0 && errno == EINTR)
        ;
    pthread_join(c->err_thread, NULL);
    close(c->err);
    return status;
}

int stream_child_finish(struct stream_child *c, struct err *reterr)
{
    int status = stream_child_end(c), rc = 0;
    if (WIFSIGNALED(status))
        rc = err_set(reterr, ERR_IO, "the %s was killed by signal %d (%s)", c->what, WTERMSIG(status),
                     strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) && job_conf_bool(c->task->job, "stream.non.zero.exit.is.failure", true))
        rc = err_set(reterr, ERR_IO, "the %s failed with exit status %d", c->what, WEXITSTATUS(status));
    free(c);
    return rc;
}

/* SIGKILL, or to a pipe what comes to the same: nobody reads. */
static void end_now(struct stream_child *c)
{
    if (c->pid)
        kill(c->pid, SIGKILL);
    else
        close_out(c);
}

void stream_child_signal(struct stream_child *c)
{
    end_now(c);
}

void stream_child_kill(struct stream_child *c)
{
    if (!c)
        return;
    end_now(c);
    (void)stream_child_end(c); /* somebody else's error is being reported */
    free(c);
}

int stream_lines_next(struct stream_lines *l, struct slice *ret_line, bool *ret_more, struct err *reterr)
{
    size_t searched = 0;
    for (;;) {
        size_t have = l->end - l->next;
        uint8_t *lf = have > searched ? memchr(l->bytes + l->next + searched, '\n', have - searched) : NULL;
        if (lf || (l->at_eof && have)) {
            size_t len = lf ? (size_t)(lf - (l->bytes + l->next)) : have;
            *ret_line = (struct slice){l->bytes + l->next, len};
            l->next += len + (lf != NULL);
            *ret_more = true;
            return 0;
        }
        if (l->at_eof) {
            *ret_more = false;
            return 0;
        }
        searched = have;
        if (l->next) {
            memmove(l->bytes, l->bytes + l->next, have);
            l->next = 0;
            l->end = have;
        }
        if (l->end == l->capacity) {
            if (l->capacity >= RECORD_BYTES_MAX)
                return err_set(reterr, ERR_TOO_LARGE, "the %s wrote a line of more than %u bytes", l->child->what,
                               RECORD_BYTES_MAX);
            l->capacity = l->capacity ? l->capacity * 2 : LINES_BUFFER_BYTES;
            l->bytes = mem_realloc(l->bytes, l->capacity);
        }
        size_t got = 0;
        int rc = stream_child_read(l->child, l->bytes + l->end, l->capacity - l->end, &got, reterr);
        if (rc < 0)
            return rc;
        l->end += got;
        l->at_eof = got == 0;
    }
}

void stream_lines_free(struct stream_lines *l)
{
    free(l->bytes);
    *l = (struct stream_lines){0};
}

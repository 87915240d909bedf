#include "scheduler/worker/task_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/net.h"
#include "scheduler/worker/folders.h"
#include "scheduler/worker/worker.h"

#define LEFTOVER_ROUNDS 100
#define IDLE_MAX_MS     2000

static void process_free(struct task_process *p)
{
    net_closep(&p->fd);
    free(p->job_id);
    free(p->group);
    free(p->folder);
    free(p);
}

/* ---- beginning ---- */

static int spawn(struct worker_daemon *w, const struct stage *stage, const char *work_dir, int log_fd, int channel_fd,
                 pid_t *ret_pid, struct err *reterr)
{
    char text[STAGE_TEXT_MAX], *argv[STAGE_ARGS_MAX];
    stage_arguments(stage, text, argv);
    struct err err = {0};
    int rc = w->spawner.pid ? 0 : spawner_start(&w->spawner, reterr);
    if (rc < 0 || spawner_run(&w->spawner, argv, work_dir, log_fd, channel_fd, ret_pid, &err) == 0)
        return rc;
    spawner_stop(&w->spawner); /* somebody has killed it: once more with another */
    rc = spawner_start(&w->spawner, reterr);
    return rc < 0 ? rc : spawner_run(&w->spawner, argv, work_dir, log_fd, channel_fd, ret_pid, reterr);
}

/* Takes the folder's new name. False: it is not usable. */
static bool take_over(struct worker_daemon *w, struct task_process *p, const char *attempt_id)
{
    char *from = folders_work(w, p->job_id, p->folder), *to = folders_work(w, p->job_id, attempt_id);
    bool moved = rename(from, to) == 0;
    if (moved) {
        folders_pass_log(w, p->job_id, p->folder, attempt_id);
        free(p->folder);
        p->folder = mem_strdup(attempt_id);
    }
    free(from);
    free(to);
    return moved;
}

/* Slots bound how many processes there are, whether they run or wait. */
static void make_room(struct worker_daemon *w)
{
    int64_t count = 1;
    for (const struct attempt_process *p = w->attempts; p; p = p->next)
        count += p->process != NULL;
    struct task_process *longest = w->idle;
    for (struct task_process *p = w->idle; p; p = p->next, count++)
        if (p->idle_since_ms < longest->idle_since_ms)
            longest = p;
    if (!longest || count <= config_int(w->config, "cairn.worker.slots"))
        return;
    struct task_process **at = &w->idle;
    while (*at != longest)
        at = &(*at)->next;
    *at = longest->next;
    (void)task_process_end(w, longest);
}

int task_process_new(struct worker_daemon *w, const Cairn__TaskSpecProto *spec, const struct stage *stage, int log_fd,
                     struct task_process **ret, struct err *reterr)
{
    int fds[2];
    make_room(w);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return err_errno(reterr, errno, "socketpair");
    (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
    struct task_process *p = mem_new(struct task_process);
    *p = (struct task_process){.fd = fds[0],
                               .job_id = mem_strdup(spec->job->jobid),
                               .map = spec->map,
                               .group = mem_strdup(spec->attemptid),
                               .folder = mem_strdup(spec->attemptid)};
    char *work_dir = folders_work(w, p->job_id, p->folder);
    int rc = folders_make_work(w, p->job_id, work_dir, stage, reterr);
    if (rc == 0 && w->group[0])
        confine_make(w->group, p->group, &stage->limits);
    if (rc == 0)
        rc = spawn(w, stage, work_dir, log_fd, fds[1], &p->pid, reterr);
    close(fds[1]);
    free(work_dir);
    if (rc < 0)
        process_free(p);
    else
        *ret = p;
    return rc;
}

/* ---- waiting ---- */

struct task_process *task_process_take(struct worker_daemon *w, const Cairn__TaskSpecProto *spec)
{
    for (struct task_process **at = &w->idle; *at;) {
        struct task_process *p = *at;
        if (p->map != spec->map || strcmp(p->job_id, spec->job->jobid)) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        struct pollfd fd = {.fd = p->fd, .events = POLLIN};
        if (poll(&fd, 1, 0) == 0 && take_over(w, p, spec->attemptid))
            return p;
        (void)task_process_end(w, p);
    }
    return NULL;
}

void task_process_rest(struct worker_daemon *w, struct task_process *p)
{
    p->idle_since_ms = clock_mono_ms();
    p->next = w->idle;
    w->idle = p;
}

static void end_idle(struct worker_daemon *w, bool (*unwanted)(const struct task_process *p, const void *arg),
                     const void *arg)
{
    for (struct task_process **at = &w->idle; *at;) {
        struct task_process *p = *at;
        if (!unwanted(p, arg)) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        (void)task_process_end(w, p);
    }
}

static bool is_of_job(const struct task_process *p, const void *job_id)
{
    return !strcmp(p->job_id, job_id);
}

void task_process_end_job(struct worker_daemon *w, const char *job_id)
{
    end_idle(w, is_of_job, job_id);
}

static bool is_useless(const struct task_process *p, const void *now_ms)
{
    struct pollfd fd = {.fd = p->fd, .events = POLLIN};
    return *(const int64_t *)now_ms - p->idle_since_ms > IDLE_MAX_MS || poll(&fd, 1, 0) != 0;
}

void task_process_check(struct worker_daemon *w)
{
    int64_t now_ms = clock_mono_ms();
    end_idle(w, is_useless, &now_ms);
}

static bool is_any(const struct task_process *p, const void *arg)
{
    return true;
}

void task_process_end_all(struct worker_daemon *w)
{
    end_idle(w, is_any, NULL);
}

/* ---- ending: the whole tree ---- */

static bool is_ours(const struct worker_daemon *w, pid_t pid)
{
    if (pid == w->spawner.pid)
        return true;
    for (const struct attempt_process *p = w->attempts; p; p = p->next)
        if (p->process && p->process->pid == pid)
            return true;
    for (const struct task_process *p = w->idle; p; p = p->next)
        if (p->pid == pid)
            return true;
    return false;
}

/* Ends a child that is no process of an attempt. */
static bool end_leftover(const struct worker_daemon *w, pid_t pid)
{
    if (pid <= 0 || is_ours(w, pid))
        return false;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return true;
}

/* /proc/self/task/TID/children: numbers with blanks between. */
static bool end_children_of_thread(const struct worker_daemon *w, const char *tid)
{
    char path[64];
    struct buf b = {0};
    bool found = false;
    snprintf(path, sizeof path, "/proc/self/task/%.20s/children", tid);
    if (file_read(path, 1 << 20, &b, NULL) == 0) {
        buf_append(&b, "", 1);
        for (char *at = (char *)b.base, *end; *at; at = end) {
            long pid = strtol(at, &end, 10);
            if (end == at)
                break;
            found |= end_leftover(w, (pid_t)pid);
            end += *end == ' ';
        }
    }
    buf_free(&b);
    return found;
}

/* Processes that an attempt has left behind are our children now, as only its own are otherwise. */
static void end_leftovers(const struct worker_daemon *w)
{
    bool found = true;
    for (int round = 0; found && round < LEFTOVER_ROUNDS; round++) { /* its children are ours then */
        found = false;
        DIR *threads = opendir("/proc/self/task");
        for (struct dirent *e; threads && (e = readdir(threads));)
            if (e->d_name[0] != '.')
                found |= end_children_of_thread(w, e->d_name);
        if (threads)
            closedir(threads);
    }
}

struct task_process_end task_process_end(struct worker_daemon *w, struct task_process *p)
{
    struct task_process_end end = {0};
    kill(-p->pid, SIGKILL); /* also whatever the command has left behind */
    while (waitpid(p->pid, &end.status, 0) < 0 && errno == EINTR)
        ;
    end.out_of_memory = w->group[0] && confine_was_out_of_memory(w->group, p->group);
    if (w->group[0])
        confine_end(w->group, p->group);
    end_leftovers(w);
    char *work_dir = folders_work(w, p->job_id, p->folder);
    discard(w->discard, work_dir);
    free(work_dir);
    process_free(p);
    return end;
}

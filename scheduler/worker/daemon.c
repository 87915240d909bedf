/* `cairn worker`. The main thread starts, watches and kills attempts until SIGTERM. */
#include "common/daemon.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

#include "common/cli.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/http.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/net.h"
#include "main/commands.h"
#include "scheduler/worker/confine.h"
#include "scheduler/worker/folders.h"
#include "scheduler/worker/worker.h"

#define CHECK_MS      1000
#define CLEAN_LOGS_MS (10 * 60 * 1000)

static struct attempt_process *attempt_find(struct worker_daemon *w, const char *id)
{
    struct attempt_process *p = w->attempts;
    while (p && strcmp(p->id, id))
        p = p->next;
    return p;
}

static void launch_locked(struct worker_daemon *w, const Cairn__TaskSpecProto *spec)
{
    struct attempt_process *p = NULL;
    struct err err = {0};
    if (attempt_find(w, spec->attemptid))
        return;
    if (attempt_start(w, spec, &p, &err) < 0) {
        log_error("worker", "attempt=%s not started: err=%s", spec->attemptid, err.text);
        p = mem_new(struct attempt_process);
        p->id = mem_strdup(spec->attemptid);
        p->job_id = mem_strdup(spec->job->jobid);
        p->state = CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED;
        p->diagnostics = mem_printf("the worker could not start it: %s", err.text);
        p->changed = true;
        arena_init(&p->report_arena, 0);
        w->urgent = true;
    } else {
        log_info("worker", "attempt=%s started pid=%d", p->id, (int)p->process->pid);
    }
    p->next = w->attempts;
    w->attempts = p;
    w->dirty = true;
    pthread_cond_signal(&w->report_wake);
}

static void forget_job_locked(struct worker_daemon *w, const char *job_id)
{
    for (struct attempt_process *p = w->attempts; p; p = p->next)
        if (!strcmp(p->job_id, job_id) && p->process) {
            p->killed = true;
            attempt_kill(p, NULL);
        }
    task_process_end_job(w, job_id);
    char *dir = folders_job(w, job_id);
    discard(w->discard, dir);
    free(dir);
}

static void do_commands_locked(struct worker_daemon *w)
{
    for (size_t i = 0; i < w->command_count; i++) {
        Cairn__CommandProto *c = w->commands[i];
        struct attempt_process *p = c->killattempt ? attempt_find(w, c->killattempt) : NULL;
        if (c->launch)
            launch_locked(w, c->launch);
        if (p && p->process) {
            p->killed = true;
            attempt_kill(p, "killed by the scheduler");
        }
        if (c->forgetjob && !strncmp(c->forgetjob, "job_", 4) && !strchr(c->forgetjob, '/'))
            forget_job_locked(w, c->forgetjob);
        cairn__command_proto__free_unpacked(c, NULL);
    }
    w->command_count = 0;
}

static void check_timeouts_locked(struct worker_daemon *w)
{
    int64_t now = clock_mono_ms();
    for (struct attempt_process *p = w->attempts; p; p = p->next) {
        if (p->process && now - w->logs_looked_at_ms >= CHECK_MS)
            attempt_cut_log(w, p);
        if (p->process && p->max_ms > 0 && now - p->started_ms >= p->max_ms) {
            char *why = mem_printf("%s ran for %lld seconds (cairn.task.max-seconds); killed", p->id,
                                   (long long)p->max_ms / 1000);
            attempt_kill(p, why);
            free(why);
        }
        if (!p->process || p->timeout_ms <= 0 || now - p->last_heard_ms < p->timeout_ms)
            continue;
        char *why = mem_printf("%s did not report progress for %lld seconds (mapreduce.task.timeout); killed", p->id,
                               (long long)p->timeout_ms / 1000);
        attempt_kill(p, why);
        free(why);
        p->last_heard_ms = now;
    }
    if (now - w->logs_looked_at_ms >= CHECK_MS) {
        task_process_check(w);
        w->logs_looked_at_ms = now;
    }
}

static void remove_old_logs(struct worker_daemon *w)
{
    char *logs = mem_printf("%s/logs", w->dir);
    DIR *dir = opendir(logs);
    time_t before = time(NULL) - config_ms(w->config, "cairn.worker.log-retention") / 1000;
    for (struct dirent *e; dir && (e = readdir(dir));) {
        struct stat st;
        char *path = mem_printf("%s/%s", logs, e->d_name);
        struct err err = {0};
        if (!strncmp(e->d_name, "job_", 4) && stat(path, &st) == 0 && st.st_mtime < before &&
            file_remove_tree(path, &err) < 0)
            log_warn("worker", "path=%s stays: err=%s", path, err.text);
        free(path);
    }
    if (dir)
        closedir(dir);
    free(logs);
}

static size_t poll_set(struct worker_daemon *w, int signal_fd, struct pollfd **fds, size_t *capacity)
{
    size_t count = 2;
    pthread_mutex_lock(&w->lock);
    for (struct attempt_process *p = w->attempts; p; p = p->next)
        count += p->process != NULL;
    if (count > *capacity) {
        *capacity = count * 2;
        *fds = mem_realloc_array(*fds, *capacity, sizeof **fds);
    }
    (*fds)[0] = (struct pollfd){.fd = signal_fd, .events = POLLIN};
    (*fds)[1] = (struct pollfd){.fd = w->wake_fd, .events = POLLIN};
    count = 2;
    for (struct attempt_process *p = w->attempts; p; p = p->next)
        if (p->process)
            (*fds)[count++] = (struct pollfd){.fd = p->process->fd, .events = POLLIN};
    pthread_mutex_unlock(&w->lock);
    return count;
}

static void main_loop(struct worker_daemon *w, int signal_fd)
{
    struct pollfd *fds = NULL;
    size_t capacity = 0;
    int64_t logs_cleaned_ms = 0;
    for (;;) {
        size_t count = poll_set(w, signal_fd, &fds, &capacity);
        if (poll(fds, count, CHECK_MS) < 0 && errno != EINTR)
            break;
        if (fds[0].revents)
            break;
        uint64_t woken;
        if (fds[1].revents && read(w->wake_fd, &woken, sizeof woken) < 0)
            log_debug("worker", "nothing to wake for");
        pthread_mutex_lock(&w->lock);
        for (struct attempt_process *p = w->attempts; p; p = p->next)
            if (p->process)
                attempt_read_reports(w, p);
        do_commands_locked(w);
        check_timeouts_locked(w);
        pthread_mutex_unlock(&w->lock);
        if (clock_mono_ms() - logs_cleaned_ms > CLEAN_LOGS_MS || !logs_cleaned_ms) {
            remove_old_logs(w);
            logs_cleaned_ms = clock_mono_ms();
        }
    }
    free(fds);
}

/* Working folders of attempts that ended with an earlier worker; the map output of jobs stays. */
static void remove_old_work(struct worker_daemon *w)
{
    char *jobs = mem_printf("%s/jobs", w->dir);
    DIR *dir = opendir(jobs);
    for (struct dirent *e; dir && (e = readdir(dir));) {
        char *work = mem_printf("%s/%s/work", jobs, e->d_name);
        if (e->d_name[0] != '.')
            discard(w->discard, work);
        free(work);
    }
    if (dir)
        closedir(dir);
    free(jobs);
}

/* Made once with the folder. */
static int read_instance(struct worker_daemon *w, struct err *reterr)
{
    char *path = mem_printf("%s/instance", w->dir);
    struct buf b = {0};
    uint64_t random[2];
    int rc = access(path, F_OK) == 0 ? file_read(path, 256, &b, reterr) : 0;
    if (rc == 0 && b.len == 0) {
        if (getrandom(random, sizeof random, 0) != sizeof random)
            rc = err_errno(reterr, errno, "get random bytes");
        buf_printf(&b, "%016llx%016llx", (unsigned long long)random[0], (unsigned long long)random[1]);
        if (rc == 0)
            rc = file_write_atomic(path, b.base, b.len, 0644, reterr);
    }
    if (rc == 0)
        w->instance = mem_strndup((const char *)b.base, b.len);
    buf_free(&b);
    free(path);
    return rc;
}

/* One worker per folder. */
static int claim_dir(struct worker_daemon *w, int *ret_lock_fd, struct err *reterr)
{
    int rc = file_mkdirs(w->dir, 0755, reterr);
    if (rc < 0)
        return rc;
    char *lock = mem_printf("%s/in_use.lock", w->dir);
    *ret_lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (*ret_lock_fd < 0)
        rc = err_errno(reterr, errno, "open '%s'", lock);
    else if (file_lock(*ret_lock_fd) < 0)
        rc = err_set(reterr, ERR_BUSY, "another worker uses '%s'; give each its own cairn.worker.dir", w->dir);
    if (rc == 0)
        rc = read_instance(w, reterr);
    char *gone = mem_printf("%s/gone", w->dir);
    if (rc == 0 && (rc = discard_start(gone, &w->discard, reterr)) == 0)
        remove_old_work(w);
    free(gone);
    free(lock);
    return rc;
}

static void stop(struct worker_daemon *w, pthread_t threads[2])
{
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->report_wake);
    for (struct attempt_process *p = w->attempts; p; p = p->next)
        attempt_kill(p, NULL);
    pthread_mutex_unlock(&w->lock);
    rpc_client_cancel(w->report_client);
    rpc_client_cancel(w->command_client);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    for (struct attempt_process *p = w->attempts; p; p = p->next)
        if (p->process) {
            (void)task_process_end(w, p->process);
            p->process = NULL;
        }
    task_process_end_all(w);
}

/* No thread runs any more. */
static void worker_release(struct worker_daemon *w)
{
    rpc_client_free(w->report_client);
    rpc_client_free(w->command_client);
    while (w->attempts) {
        struct attempt_process *p = w->attempts;
        w->attempts = p->next;
        attempt_free(p);
    }
    for (size_t i = 0; i < w->command_count; i++)
        cairn__command_proto__free_unpacked(w->commands[i], NULL);
    free(w->commands);
    free(w->dir);
    free(w->instance);
    free(w->scheduler);
    free(w->ip);
    net_closep(&w->wake_fd);
}

static const char worker_usage[] =
    "Usage: cairn worker [generic options] [--ready-fd N]\n"
    "\n"
    "Runs tasks of jobs, cairn.worker.slots at once, for the scheduler at cairn.scheduler.address. Keeps their files "
    "in\n"
    "cairn.worker.dir, and serves map output and logs on cairn.worker.http-address (8081).\n";

int worker_main(int argc, char **argv)
{
    if (cli_asks_help(argc, argv))
        return fputs(worker_usage, stdout) < 0;
    struct daemon d;
    struct config *config = NULL;
    struct http_server *http = NULL;
    struct err err = {0};
    struct worker_daemon w = {.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    pthread_t threads[2];
    int lock_fd = -1;
    pthread_mutex_init(&w.lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w.report_wake, &attr);
    int rc = daemon_begin(&d, &argc, argv, &config, &err);
    if (rc == 0 && argc > 1)
        rc =
            err_set(&err, ERR_ILLEGAL_ARGUMENT, "'%s' is not understood; settings are given as -D name=value", argv[1]);
    if (rc == 0) {
        w.config = config;
        char absolute[4096]; /* attempts run in folders of their own: no relative paths */
        const char *dir = config_str(config, "cairn.worker.dir");
        w.dir =
            dir[0] == '/' || !getcwd(absolute, sizeof absolute) ? mem_strdup(dir) : mem_printf("%s/%s", absolute, dir);
        w.scheduler = mem_strdup(config_str(config, "cairn.scheduler.address"));
        rc = claim_dir(&w, &lock_fd, &err);
    }
    if (rc == 0) {
        snprintf(w.group, sizeof w.group, "%.16s", w.instance);
        if (!config_bool(config, "cairn.worker.cgroups") || geteuid() != 0 || !confine_open(w.group))
            w.group[0] = 0;
        prctl(PR_SET_CHILD_SUBREAPER, 1); /* see task_process_end */
        w.spawner.files_max = d.files_max;
        rc = spawner_start(&w.spawner, &err);
    }
    if (rc == 0)
        rc = worker_http_start(&w, &http, &err);
    if (rc == 0)
        rc = link_start(&w, threads, &err);
    if (rc == 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        int signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
        log_info("worker", "serving http port=%u dir=%s scheduler=%s", w.http_port, w.dir, w.scheduler);
        daemon_ready(&d);
        main_loop(&w, signal_fd);
        log_info("worker", "stopping");
        close(signal_fd);
        stop(&w, threads);
    }
    spawner_stop(&w.spawner);
    if (w.group[0])
        confine_close(w.group);
    http_stop(http);
    discard_stop(w.discard);
    worker_release(&w);
    net_closep(&lock_fd);
    config_free(config);
    return rc < 0 ? daemon_fail(d.name ? d.name : "worker", &err) : 0;
}

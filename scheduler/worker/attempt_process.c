#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/rd.h"
#include "proto/message.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/task_report.h"
#include "scheduler/ids.h"
#include "scheduler/worker/worker.h"

#define TASK_TIMEOUT_MS 600000
#define LOG_TAIL_BYTES  2048
#define LOG_TAIL_LINES  12

extern char **environ;

char *attempt_log_path(const struct worker_daemon *w, const char *job_id, const char *attempt_id)
{
    return mem_printf("%s/logs/%s/%s", w->dir, job_id, attempt_id);
}

void attempt_free(struct attempt_process *p)
{
    free(p->id);
    free(p->job_id);
    free(p->diagnostics);
    buf_free(&p->input);
    arena_free(&p->report_arena);
    free(p);
}

struct setting_list {
    struct arena *arena;
    Cairn__PropertyProto **items;
    size_t count, capacity;
};

/* What this node was told (where its datanode's socket is, say) holds for its tasks too, unless the job says otherwise.
 */
static void add_node_setting(const char *name, const char *value, const char *source, void *arg)
{
    struct setting_list *list = arg;
    if (!strcmp(source, "default"))
        return;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 32;
        Cairn__PropertyProto **grown = arena_array(list->arena, Cairn__PropertyProto *, capacity);
        if (list->count)
            memcpy(grown, list->items, list->count * sizeof *grown);
        list->items = grown;
        list->capacity = capacity;
    }
    Cairn__PropertyProto *p = arena_new(list->arena, Cairn__PropertyProto);
    cairn__property_proto__init(p);
    p->name = arena_strdup(list->arena, name);
    p->value = arena_strdup(list->arena, value);
    list->items[list->count++] = p;
}

/* The folders of an attempt and the file that describes it. */
static int attempt_prepare(struct worker_daemon *w, const Cairn__TaskSpecProto *from, const char *job_dir,
                           const char *work_dir, const char *output_dir, struct err *reterr)
{
    char *tmp = mem_printf("%s/tmp", work_dir), *logs = mem_printf("%s/logs/%s", w->dir, from->job->jobid);
    const char *dirs[] = {job_dir, tmp, output_dir, logs};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ARRAY_COUNT(dirs); i++)
        rc = file_mkdirs(dirs[i], 0755, reterr);
    free(tmp);
    free(logs);
    if (rc < 0)
        return rc;
    Cairn__TaskSpecProto spec = *from;
    spec.jobdir = (char *)job_dir;
    spec.outputdir = (char *)output_dir;
    spec.scheduler = w->scheduler;
    spec.localip = (char *)w->ip;
    struct arena a;
    arena_init(&a, 16 << 20);
    struct setting_list settings = {.arena = &a};
    config_each(w->config, add_node_setting, &settings);
    spec.nodesettings = settings.items;
    spec.n_nodesettings = settings.count;
    struct buf bytes = {0};
    message_pack(&bytes, &spec.base);
    arena_free(&a);
    char *path = mem_printf("%s/.task", work_dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    rc =
        fd < 0 ? err_errno(reterr, errno, "create '%s'", path) : file_pwrite_full(fd, bytes.base, bytes.len, 0, reterr);
    if (fd >= 0)
        close(fd);
    free(path);
    buf_free(&bytes);
    return rc;
}

static int attempt_spawn(const char *log_path, const char *work_dir, int report_fd, pid_t *ret_pid, struct err *reterr)
{
    static const char self[] = "/proc/self/exe"; /* also right when the file has been replaced meanwhile */
    char *argv[] = {"cairn", "task", ".task", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, log_path, O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&actions, 2, 1);
    posix_spawn_file_actions_adddup2(&actions, report_fd, TASK_REPORT_FD);
    posix_spawn_file_actions_addchdir_np(&actions, work_dir);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&attr, 0);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attr, &none);
    int errnum = posix_spawn(ret_pid, self, &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return errnum ? err_errno(reterr, errnum, "start `cairn task`") : 0;
}

int attempt_start(struct worker_daemon *w, const Cairn__TaskSpecProto *spec, struct attempt_process **ret,
                  struct err *reterr)
{
    struct attempt_id id;
    if (!attempt_id_parse(spec->attemptid, &id) || strcmp(id.job, spec->job->jobid))
        return err_set(reterr, ERR_PROTOCOL, "'%s' is not an attempt of %s", spec->attemptid, spec->job->jobid);
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return err_errno(reterr, errno, "pipe");
    if (fds[1] == TASK_REPORT_FD) { /* dup2 onto itself would leave it close-on-exec */
        int moved = fcntl(fds[1], F_DUPFD_CLOEXEC, TASK_REPORT_FD + 1);
        close(fds[1]);
        fds[1] = moved;
    }
    (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
    char *job_dir = mem_printf("%s/jobs/%s", w->dir, id.job),
         *work_dir = mem_printf("%s/work/%s", job_dir, spec->attemptid);
    char *output_dir = mem_printf("%s/output/%s", job_dir, spec->attemptid),
         *log_path = attempt_log_path(w, id.job, spec->attemptid);
    pid_t pid = 0;
    int rc = attempt_prepare(w, spec, job_dir, work_dir, output_dir, reterr);
    if (rc == 0)
        rc = attempt_spawn(log_path, work_dir, fds[1], &pid, reterr);
    close(fds[1]);
    free(job_dir);
    free(work_dir);
    free(output_dir);
    free(log_path);
    if (rc < 0) {
        close(fds[0]);
        return rc;
    }
    struct attempt_process *p = mem_new(struct attempt_process);
    p->id = mem_strdup(spec->attemptid);
    p->job_id = mem_strdup(id.job);
    p->state = CAIRN__ATTEMPT_STATE__ATTEMPT_RUNNING;
    p->pid = pid;
    p->report_fd = fds[0];
    arena_init(&p->report_arena, 4 << 20);
    p->last_heard_ms = clock_mono_ms();
    p->timeout_ms = job_conf_int(spec->job, "mapreduce.task.timeout", TASK_TIMEOUT_MS);
    p->changed = true;
    *ret = p;
    return 0;
}

void attempt_kill(struct attempt_process *p, const char *why)
{
    if (p->report_fd < 0)
        return;
    if (why && !p->diagnostics)
        p->diagnostics = mem_strdup(why);
    kill(-p->pid, SIGKILL);
}

/* The last lines that the attempt wrote, for people who wonder why it failed. */
static void append_log_tail(const struct worker_daemon *w, const struct attempt_process *p, struct buf *to)
{
    char *path = attempt_log_path(w, p->job_id, p->id), bytes[LOG_TAIL_BYTES + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        if (fd >= 0)
            close(fd);
        return;
    }
    off_t from = st.st_size > LOG_TAIL_BYTES ? st.st_size - LOG_TAIL_BYTES : 0;
    ssize_t n = pread(fd, bytes, LOG_TAIL_BYTES, from);
    close(fd);
    if (n <= 0)
        return;
    char *begin = bytes + n;
    for (int lines = 0; begin > bytes; begin--)
        if (begin[-1] == '\n' && begin != bytes + n && ++lines == LOG_TAIL_LINES)
            break;
    for (char *c = begin; c < bytes + n; c++) /* messages are text */
        if ((unsigned char)*c < ' ' && *c != '\n' && *c != '\t')
            *c = '?';
    buf_append_str(to, "\nlast lines of its stderr:\n");
    buf_append(to, begin, (size_t)(bytes + n - begin));
}

static void attempt_over(struct worker_daemon *w, struct attempt_process *p)
{
    int status = 0;
    kill(-p->pid, SIGKILL); /* whatever the command has left behind */
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(p->report_fd);
    p->report_fd = -1;
    p->changed = true;
    w->dirty = true;
    pthread_cond_signal(&w->report_wake);
    if (p->killed) {
        p->state = CAIRN__ATTEMPT_STATE__ATTEMPT_KILLED;
    } else if (p->report && p->report->done) {
        p->state = CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED;
    } else {
        p->state = CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED;
        struct buf why = {0};
        if (p->diagnostics)
            buf_append_str(&why, p->diagnostics);
        else if (p->report && p->report->diagnostics)
            buf_append_str(&why, p->report->diagnostics);
        else if (WIFSIGNALED(status))
            buf_printf(&why, "the task was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
        else
            buf_printf(&why, "the task ended with exit status %d without saying why", WEXITSTATUS(status));
        append_log_tail(w, p, &why);
        free(p->diagnostics);
        p->diagnostics = buf_detach(&why);
    }
    log_info("worker", "attempt=%s ended state=%d%s%.200s", p->id, (int)p->state, p->diagnostics ? " why=" : "",
             p->diagnostics ? p->diagnostics : "");
    char *work_dir = mem_printf("%s/jobs/%s/work/%s", w->dir, p->job_id, p->id);
    struct err err = {0};
    if (file_remove_tree(work_dir, &err) < 0)
        log_warn("worker", "attempt=%s its working directory stays: err=%s", p->id, err.text);
    free(work_dir);
    if (p->state != CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED) {
        char *output_dir = mem_printf("%s/jobs/%s/output/%s", w->dir, p->job_id, p->id);
        if (file_remove_tree(output_dir, &err) < 0)
            log_warn("worker", "attempt=%s its output stays: err=%s", p->id, err.text);
        free(output_dir);
    }
}

/* Complete reports at the front of the input; false: it makes no sense. */
static bool attempt_take_reports(struct worker_daemon *w, struct attempt_process *p)
{
    for (;;) {
        struct rd rd = rd_of(buf_slice(&p->input));
        uint64_t len = rd_varint(&rd);
        if (rd.bad)
            return p->input.len < 10;
        if (len > TASK_REPORT_BYTES_MAX)
            return false;
        struct slice body = rd_slice(&rd, len);
        if (rd.bad)
            return true;
        ProtobufCMessage *m = NULL;
        arena_free(&p->report_arena);
        p->report = NULL;
        if (message_unpack(&cairn__task_report_proto__descriptor, body, &p->report_arena, &m, NULL) < 0)
            return false;
        p->report = (Cairn__TaskReportProto *)m;
        p->changed = true;
        p->last_heard_ms = clock_mono_ms();
        w->dirty = true;
        buf_consume(&p->input, (size_t)(rd.pos - p->input.base));
    }
}

void attempt_read_reports(struct worker_daemon *w, struct attempt_process *p)
{
    for (;;) {
        uint8_t *to = buf_reserve(&p->input, 4096);
        ssize_t n = read(p->report_fd, to, 4096);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
            if (errno == EINTR)
                continue;
            return;
        }
        if (n <= 0) {
            attempt_over(w, p);
            return;
        }
        p->input.len += (size_t)n;
        if (!attempt_take_reports(w, p)) {
            attempt_kill(p, "the task's reports make no sense");
            buf_clear(&p->input);
        }
    }
}

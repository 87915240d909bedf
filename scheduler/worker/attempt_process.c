#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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
#include "scheduler/worker/stage.h"
#include "scheduler/worker/worker.h"

#define TASK_TIMEOUT_MS 600000
#define LOG_TAIL_BYTES  6144
#define LOG_TAIL_LINES  40
#define LEFTOVER_ROUNDS 100

char *attempt_log_path(const struct worker_daemon *w, const char *job_id, const char *attempt_id)
{
    return mem_printf("%s/logs/%s/%s", w->dir, job_id, attempt_id);
}

void attempt_free(struct attempt_process *p)
{
    free(p->id);
    free(p->job_id);
    free(p->diagnostics);
    buf_free(&p->report_bytes);
    free(p->input);
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

static int give_to(const struct stage *stage, const char *path, struct err *reterr)
{
    if (stage->uid && lchown(path, stage->uid, stage->gid) < 0)
        return err_errno(reterr, errno, "give '%s' to %s", path, stage->user);
    return 0;
}

/* What tasks of a job share on this node. Only this is theirs: the folder above is ours, so nothing in it is renamed or
 * replaced under our hands. */
static int share_prepare(const struct stage *stage, const char *job_dir, struct err *reterr)
{
    char *files = mem_printf("%s/files", job_dir), *lock = mem_printf("%s/files.lock", job_dir);
    int rc = file_mkdirs(files, 0755, reterr);
    int fd = rc < 0 ? -1 : open(lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (rc == 0 && fd < 0)
        rc = err_errno(reterr, errno, "create '%s'", lock);
    if (rc == 0 && (rc = give_to(stage, files, reterr)) == 0)
        rc = give_to(stage, lock, reterr);
    if (fd >= 0)
        close(fd);
    free(files);
    free(lock);
    return rc;
}

/* The folders of an attempt and the file that describes it. */
static int attempt_prepare(struct worker_daemon *w, const Cairn__TaskSpecProto *from, const struct stage *stage,
                           const char *job_dir, const char *work_dir, const char *output_dir, struct err *reterr)
{
    char *tmp = mem_printf("%s/tmp", work_dir), *logs = mem_printf("%s/logs/%s", w->dir, from->job->jobid);
    const char *dirs[] = {job_dir, tmp, output_dir, logs};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ARRAY_COUNT(dirs); i++)
        rc = file_mkdirs(dirs[i], 0755, reterr);
    if (rc == 0 && (rc = share_prepare(stage, job_dir, reterr)) == 0 && (rc = give_to(stage, tmp, reterr)) == 0)
        rc = give_to(stage, output_dir, reterr);
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
    add_node_setting("cairn.client.retry-for", "60s", "worker", &settings); /* a namenode that restarts fails no task */
    config_each(w->config, add_node_setting, &settings);
    spec.nodesettings = settings.items;
    spec.n_nodesettings = settings.count;
    struct buf bytes = {0};
    message_pack(&bytes, &spec.base);
    arena_free(&a);
    char *path = mem_printf("%s/.task", work_dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    rc =
        fd < 0 ? err_errno(reterr, errno, "create '%s'", path) : file_pwrite_full(fd, bytes.base, bytes.len, 0, reterr);
    if (rc == 0 && stage->uid && fchown(fd, stage->uid, stage->gid) < 0)
        rc = err_errno(reterr, errno, "give '%s' to %s", path, stage->user);
    if (rc == 0)
        rc = give_to(stage, work_dir, reterr); /* at last: what we write there, we write before anybody else can */
    if (fd >= 0)
        close(fd);
    free(path);
    buf_free(&bytes);
    return rc;
}

static int attempt_spawn(struct worker_daemon *w, const struct stage *stage, const char *log_path, const char *work_dir,
                         int report_fd, pid_t *ret_pid, struct err *reterr)
{
    char text[STAGE_TEXT_MAX], *argv[STAGE_ARGS_MAX];
    stage_arguments(stage, text, argv);
    struct err err = {0};
    int rc = w->spawner.pid ? 0 : spawner_start(&w->spawner, reterr);
    if (rc < 0 || spawner_run(&w->spawner, argv, work_dir, log_path, report_fd, ret_pid, &err) == 0)
        return rc;
    spawner_stop(&w->spawner); /* somebody has killed it: once more with another */
    rc = spawner_start(&w->spawner, reterr);
    return rc < 0 ? rc : spawner_run(&w->spawner, argv, work_dir, log_path, report_fd, ret_pid, reterr);
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
    (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
    char *job_dir = mem_printf("%s/jobs/%s", w->dir, id.job),
         *work_dir = mem_printf("%s/work/%s", job_dir, spec->attemptid);
    char *output_dir = mem_printf("%s/output/%s", job_dir, spec->attemptid),
         *log_path = attempt_log_path(w, id.job, spec->attemptid);
    pid_t pid = 0;
    struct stage stage;
    int rc = stage_user(spec->job->user, config_str(w->config, "cairn.worker.unknown-user"), &stage, reterr);
    stage.group = w->group;
    stage.attempt_id = spec->attemptid;
    confine_limits_of(w->config, spec, &stage.limits);
    if (rc == 0)
        rc = attempt_prepare(w, spec, &stage, job_dir, work_dir, output_dir, reterr);
    if (rc == 0 && w->group[0])
        confine_make(w->group, spec->attemptid, &stage.limits);
    if (rc == 0)
        rc = attempt_spawn(w, &stage, log_path, work_dir, fds[1], &pid, reterr);
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
    p->last_heard_ms = p->started_ms = clock_mono_ms();
    p->max_ms = stage.limits.seconds * 1000;
    p->memory_mb = stage.limits.memory_mb;
    if (spec->split)
        p->input = mem_printf("%s, bytes %lld to %lld", spec->split->path, (long long)spec->split->start,
                              (long long)(spec->split->start + spec->split->length));
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

static int64_t counter_of(const struct attempt_process *p, const char *name)
{
    for (size_t i = 0; p->report && i < p->report->n_counters; i++)
        if (!strcmp(p->report->counters[i]->name, name))
            return p->report->counters[i]->value;
    return 0;
}

/* Why, where in the input, and what it said. */
static char *explain_failure(const struct worker_daemon *w, const struct attempt_process *p, int status,
                             bool out_of_memory)
{
    struct buf why = {0};
    if (out_of_memory)
        buf_printf(&why, "out of memory: it needed more than %lld MB (mapreduce.%s.memory.mb), the kernel killed it; ",
                   (long long)p->memory_mb, p->input ? "map" : "reduce");
    if (p->diagnostics)
        buf_append_str(&why, p->diagnostics);
    else if (p->report && p->report->diagnostics)
        buf_append_str(&why, p->report->diagnostics);
    else if (WIFSIGNALED(status))
        buf_printf(&why, "the task was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        buf_printf(&why, "the task ended with exit status %d without saying why", WEXITSTATUS(status));
    if (p->input)
        buf_printf(&why, "\ninput: %s, about record %lld of it", p->input,
                   (long long)counter_of(p, "Map input records"));
    append_log_tail(w, p, &why);
    return buf_detach(&why);
}

/* ---- the whole tree ---- */

static bool is_ours(const struct worker_daemon *w, pid_t pid)
{
    if (pid == w->spawner.pid)
        return true;
    for (const struct attempt_process *p = w->attempts; p; p = p->next)
        if (p->pid == pid && p->report_fd >= 0)
            return true;
    return false;
}

/* Ends a child that is no attempt. */
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

void attempt_end_leftovers(struct worker_daemon *w)
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

void attempt_cut_log(const struct worker_daemon *w, const struct attempt_process *p)
{
    int64_t max = config_size(w->config, "cairn.worker.log-max");
    char *path = attempt_log_path(w, p->job_id, p->id);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat st;
    free(path);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > max) { /* who appends goes on at the new end */
        int64_t keep = max / 2;
        struct buf b = {0};
        buf_printf(&b, "[%lld bytes are left out]\n", (long long)(st.st_size - keep));
        uint8_t *to = buf_reserve(&b, (size_t)keep);
        ssize_t n = pread(fd, to, (size_t)keep, st.st_size - keep);
        b.len += n > 0 ? (size_t)n : 0;
        if (ftruncate(fd, 0) == 0 && file_pwrite_full(fd, b.base, b.len, 0, NULL) < 0)
            log_warn("worker", "attempt=%s its log could not be cut", p->id);
        buf_free(&b);
    }
    if (fd >= 0)
        close(fd);
}

static void attempt_over(struct worker_daemon *w, struct attempt_process *p)
{
    int status = 0;
    kill(-p->pid, SIGKILL); /* whatever the command has left behind */
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        ;
    bool out_of_memory = w->group[0] && p->memory_mb && confine_was_out_of_memory(w->group, p->id);
    if (w->group[0])
        confine_end(w->group, p->id);
    attempt_cut_log(w, p);
    close(p->report_fd);
    p->report_fd = -1;
    attempt_end_leftovers(w);
    p->changed = true;
    w->dirty = true;
    pthread_cond_signal(&w->report_wake);
    if (p->killed) {
        p->state = CAIRN__ATTEMPT_STATE__ATTEMPT_KILLED;
    } else if (p->report && p->report->done) {
        p->state = CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED;
    } else {
        p->state = CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED;
        char *why = explain_failure(w, p, status, out_of_memory);
        free(p->diagnostics);
        p->diagnostics = why;
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
        struct rd rd = rd_of(buf_slice(&p->report_bytes));
        uint64_t len = rd_varint(&rd);
        if (rd.bad)
            return p->report_bytes.len < 10;
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
        buf_consume(&p->report_bytes, (size_t)(rd.pos - p->report_bytes.base));
    }
}

void attempt_read_reports(struct worker_daemon *w, struct attempt_process *p)
{
    for (;;) {
        uint8_t *to = buf_reserve(&p->report_bytes, 4096);
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
        p->report_bytes.len += (size_t)n;
        if (!attempt_take_reports(w, p)) {
            attempt_kill(p, "the task's reports make no sense");
            buf_clear(&p->report_bytes);
        }
    }
}

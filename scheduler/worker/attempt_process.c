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
#include "scheduler/engine/task_channel.h"
#include "scheduler/engine/task_report.h"
#include "scheduler/ids.h"
#include "scheduler/worker/folders.h"
#include "scheduler/worker/stage.h"
#include "scheduler/worker/worker.h"

#define TASK_TIMEOUT_MS 600000
#define LOG_TAIL_BYTES  6144
#define LOG_TAIL_LINES  40

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

/* Whether its process may go on with another attempt: a limit of CPU time would count what the first took. */
static bool may_stay(const Cairn__TaskSpecProto *spec, const struct stage *stage)
{
    return !stage->limits.cpu_seconds && job_conf_bool(spec->job, "cairn.task.reuse-process", true);
}

/* All that the process is told. */
static int attempt_give(struct worker_daemon *w, struct task_process *process, const Cairn__TaskSpecProto *from,
                        const char *output_dir, bool stay, int log_fd, struct err *reterr)
{
    char *job_dir = folders_job(w, from->job->jobid);
    Cairn__TaskSpecProto spec = *from;
    spec.jobdir = job_dir;
    spec.outputdir = (char *)output_dir;
    spec.scheduler = w->scheduler;
    spec.localip = (char *)w->ip;
    spec.has_stay = true;
    spec.stay = stay;
    struct arena a;
    arena_init(&a, 16 << 20);
    struct setting_list settings = {.arena = &a};
    add_node_setting("cairn.client.retry-for", "60s", "worker", &settings); /* a namenode that restarts fails no task */
    config_each(w->config, add_node_setting, &settings);
    spec.nodesettings = settings.items;
    spec.n_nodesettings = settings.count;
    int rc = task_channel_give(process->fd, &spec, log_fd, reterr);
    arena_free(&a);
    free(job_dir);
    return rc;
}

static int attempt_run(struct worker_daemon *w, const Cairn__TaskSpecProto *spec, const struct stage *stage,
                       struct task_process **ret, struct err *reterr)
{
    const char *job_id = spec->job->jobid;
    char *output_dir = folders_output(w, job_id, spec->attemptid);
    AUTO(net_closep) int log_fd = -1;
    struct task_process *process = task_process_take(w, spec);
    bool shuffles = spec->map && spec->job->reduces; /* others leave nothing for reduces */
    int rc = folders_open_log(w, job_id, spec->attemptid, &log_fd, reterr);
    if (rc == 0 && !process)
        rc = task_process_new(w, spec, stage, log_fd, &process, reterr);
    if (rc == 0 && shuffles)
        rc = folders_make_output(w, job_id, output_dir, stage, reterr);
    if (rc == 0)
        rc = attempt_give(w, process, spec, output_dir, may_stay(spec, stage), log_fd, reterr);
    if (rc < 0 && process)
        (void)task_process_end(w, process);
    else
        *ret = process;
    free(output_dir);
    return rc;
}

int attempt_start(struct worker_daemon *w, const Cairn__TaskSpecProto *spec, struct attempt_process **ret,
                  struct err *reterr)
{
    struct attempt_id id;
    if (!attempt_id_parse(spec->attemptid, &id) || strcmp(id.job, spec->job->jobid))
        return err_set(reterr, ERR_PROTOCOL, "'%s' is not an attempt of %s", spec->attemptid, spec->job->jobid);
    struct stage stage;
    struct task_process *process = NULL;
    int rc = stage_user(spec->job->user, config_str(w->config, "cairn.worker.unknown-user"), &stage, reterr);
    if (rc < 0)
        return rc;
    stage.group = w->group;
    stage.attempt_id = spec->attemptid;
    confine_limits_of(w->config, spec, &stage.limits);
    if ((rc = attempt_run(w, spec, &stage, &process, reterr)) < 0)
        return rc;
    struct attempt_process *p = mem_new(struct attempt_process);
    p->id = mem_strdup(spec->attemptid);
    p->job_id = mem_strdup(id.job);
    p->state = CAIRN__ATTEMPT_STATE__ATTEMPT_RUNNING;
    p->process = process;
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
    if (!p->process)
        return;
    if (why && !p->diagnostics)
        p->diagnostics = mem_strdup(why);
    kill(-p->process->pid, SIGKILL);
}

/* The last lines that the attempt wrote, for people who wonder why it failed. */
static void append_log_tail(const struct worker_daemon *w, const struct attempt_process *p, struct buf *to)
{
    char *path = folders_log(w, p->job_id, p->id), bytes[LOG_TAIL_BYTES + 1];
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

void attempt_cut_log(const struct worker_daemon *w, const struct attempt_process *p)
{
    int64_t max = config_size(w->config, "cairn.worker.log-max");
    char *path = folders_log(w, p->job_id, p->id);
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

static void attempt_ended(struct worker_daemon *w, struct attempt_process *p, Cairn__AttemptState state)
{
    attempt_cut_log(w, p);
    p->state = state;
    p->process = NULL;
    p->changed = true;
    w->dirty = w->urgent = true;
    pthread_cond_signal(&w->report_wake);
    log_info("worker", "attempt=%s ended state=%d%s%.200s", p->id, (int)p->state, p->diagnostics ? " why=" : "",
             p->diagnostics ? p->diagnostics : "");
}

/* The process is over, and with it the attempt. */
static void attempt_over(struct worker_daemon *w, struct attempt_process *p)
{
    struct task_process_end end = task_process_end(w, p->process);
    if (p->report && p->report->done && !p->killed) {
        attempt_ended(w, p, CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
        return;
    }
    if (!p->killed) {
        char *why = explain_failure(w, p, end.status, end.out_of_memory && p->memory_mb);
        free(p->diagnostics);
        p->diagnostics = why;
    }
    attempt_ended(w, p, p->killed ? CAIRN__ATTEMPT_STATE__ATTEMPT_KILLED : CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED);
    char *output_dir = folders_output(w, p->job_id, p->id);
    discard(w->discard, output_dir);
    free(output_dir);
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
        ssize_t n = read(p->process->fd, to, 4096);
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
        if (p->report && p->report->done && p->report->waits && !p->killed && !p->diagnostics && !p->report_bytes.len) {
            task_process_rest(w, p->process);
            attempt_ended(w, p, CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED);
            return;
        }
    }
}

/* The two threads that talk to the scheduler. Commands carry numbers, and each poll says up to which they have arrived,
 * so none is lost or done twice; reports are whole states, so sending one again is harmless. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "proto/message.h"
#include "scheduler/ids.h"
#include "scheduler/worker/worker.h"

#define POLL_WAIT_MS     20000
#define RETRY_MS         500
#define SOON_MS          100 /* what is not urgent waits for more of it */
#define LINK_ARENA_BYTES (128u << 20)
#define JOBS_TOLD_MAX    10000

static void wake_main(struct worker_daemon *w)
{
    uint64_t one = 1;
    ssize_t ignored = write(w->wake_fd, &one, sizeof one); /* full means awake already */
    (void)ignored;
}

/* ---- what is told ---- */

static Cairn__AttemptReportProto *attempt_report(const struct attempt_process *p, struct arena *a)
{
    Cairn__AttemptReportProto *r = arena_new(a, Cairn__AttemptReportProto);
    cairn__attempt_report_proto__init(r);
    r->attemptid = arena_strdup(a, p->id);
    r->state = p->state;
    r->diagnostics = p->diagnostics ? arena_strdup(a, p->diagnostics) : NULL;
    if (p->report) {
        r->has_progress = true;
        r->progress = p->report->progress;
        r->status = p->report->status ? arena_strdup(a, p->report->status) : NULL;
    }
    if (p->report && p->state == CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED) {
        r->n_counters = p->report->n_counters;
        r->counters = arena_array(a, Cairn__CounterProto *, r->n_counters);
        for (size_t i = 0; i < r->n_counters; i++) {
            r->counters[i] = arena_memdup(a, p->report->counters[i], sizeof **r->counters);
            r->counters[i]->group = arena_strdup(a, p->report->counters[i]->group);
            r->counters[i]->name = arena_strdup(a, p->report->counters[i]->name);
        }
    }
    return r;
}

static void collect_reports_locked(struct worker_daemon *w, Cairn__HeartbeatRequestProto *request, struct arena *a)
{
    size_t count = 0;
    for (struct attempt_process *p = w->attempts; p; p = p->next)
        count++;
    request->attempts = arena_array(a, Cairn__AttemptReportProto *, count);
    for (struct attempt_process *p = w->attempts; p; p = p->next) {
        if (!p->changed)
            continue;
        request->attempts[request->n_attempts++] = attempt_report(p, a);
        p->changed = false;
        p->sent = !p->process;
    }
    w->dirty = w->urgent = false;
}

/* Those whose end the scheduler knows now are forgotten; after a failure everything is reported again. */
static void reports_sent_locked(struct worker_daemon *w, bool ok)
{
    for (struct attempt_process **at = &w->attempts; *at;) {
        struct attempt_process *p = *at;
        if (ok && p->sent) {
            *at = p->next;
            attempt_free(p);
            continue;
        }
        p->changed |= !ok;
        w->urgent |= !ok;
        p->sent = false;
        at = &p->next;
    }
}

/* ---- registration ---- */

/* A command outlives the answer it came in: a copy of its own, freed by the main thread. */
static void keep_command_locked(struct worker_daemon *w, const Cairn__CommandProto *c)
{
    struct buf bytes = {0};
    message_pack(&bytes, &c->base);
    Cairn__CommandProto *copy = cairn__command_proto__unpack(NULL, bytes.len, bytes.base);
    buf_free(&bytes);
    if (!copy)
        return; /* it was decoded a moment ago; only memory could be missing, and then we abort elsewhere */
    if (w->command_count == w->command_capacity) {
        w->command_capacity = w->command_capacity ? 2 * w->command_capacity : 16;
        w->commands = mem_realloc_array(w->commands, w->command_capacity, sizeof *w->commands);
    }
    w->commands[w->command_count++] = copy;
}

/* Of an answer that has all of them from some number on that we have had: those that we have not. */
static void keep_commands_locked(struct worker_daemon *w, uint64_t worker_id, Cairn__CommandProto *const *commands,
                                 size_t count)
{
    size_t before = w->command_count;
    for (size_t i = 0; i < count && w->worker_id == worker_id; i++)
        if (commands[i]->seq > w->command_seq) {
            keep_command_locked(w, commands[i]);
            w->command_seq = commands[i]->seq;
        }
    if (w->command_count > before)
        wake_main(w);
}

static void list_jobs(const struct worker_daemon *w, Cairn__RegisterWorkerRequestProto *request, struct arena *a)
{
    char *path = mem_printf("%s/jobs", w->dir);
    DIR *dir = opendir(path);
    request->jobs = arena_array(a, char *, JOBS_TOLD_MAX);
    for (struct dirent *e; dir && request->n_jobs < JOBS_TOLD_MAX && (e = readdir(dir));)
        if (job_id_is_valid(e->d_name))
            request->jobs[request->n_jobs++] = arena_strdup(a, e->d_name);
    if (dir)
        closedir(dir);
    free(path);
}

static uint32_t memory_mb(const struct config *config)
{
    int64_t configured = config_int(config, "cairn.worker.memory-mb");
    if (configured >= 0)
        return (uint32_t)configured;
    int64_t bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    return bytes > 0 && bytes >> 20 < UINT32_MAX ? (uint32_t)(bytes >> 20) : 0;
}

/* Of what is here, the scheduler does not want these. */
static void drop_unwanted_locked(struct worker_daemon *w, const Cairn__RegisterWorkerResponseProto *response)
{
    for (size_t i = 0; i < response->n_killattempts; i++) {
        Cairn__CommandProto c = CAIRN__COMMAND_PROTO__INIT;
        c.killattempt = response->killattempts[i];
        keep_command_locked(w, &c);
    }
    for (size_t i = 0; i < response->n_forgetjobs; i++) {
        Cairn__CommandProto c = CAIRN__COMMAND_PROTO__INIT;
        c.forgetjob = response->forgetjobs[i];
        keep_command_locked(w, &c);
    }
}

/* Says all that runs and lies here, so it does not matter who of both was away, or for how long. */
static int register_worker(struct worker_daemon *w, struct err *reterr)
{
    struct arena a;
    arena_init(&a, LINK_ARENA_BYTES);
    char host[256] = "worker";
    gethostname(host, sizeof host - 1);
    const char *name = config_str(w->config, "cairn.worker.hostname");
    Cairn__RegisterWorkerRequestProto request = CAIRN__REGISTER_WORKER_REQUEST_PROTO__INIT;
    request.hostname = name[0] ? (char *)name : host;
    request.datanodehost = name[0] ? (char *)name : NULL;
    request.ip = w->own_ip[0] ? w->own_ip : NULL;
    request.httpport = w->http_port;
    request.slots = (uint32_t)config_int(w->config, "cairn.worker.slots");
    request.instance = w->instance;
    request.has_memorymb = request.has_vcores = true;
    request.memorymb = memory_mb(w->config);
    request.vcores = (uint32_t)config_int(w->config, "cairn.worker.vcores");
    list_jobs(w, &request, &a);
    Cairn__HeartbeatRequestProto all = CAIRN__HEARTBEAT_REQUEST_PROTO__INIT;
    pthread_mutex_lock(&w->lock);
    for (struct attempt_process *p = w->attempts; p; p = p->next)
        p->changed = true;
    collect_reports_locked(w, &all, &a);
    pthread_mutex_unlock(&w->lock);
    request.attempts = all.attempts;
    request.n_attempts = all.n_attempts;
    ProtobufCMessage *m = NULL;
    int rc = rpc_client_call(w->report_client, "registerWorker", &request.base,
                             &cairn__register_worker_response_proto__descriptor, &a, &m, reterr);
    pthread_mutex_lock(&w->lock);
    reports_sent_locked(w, rc == 0);
    if (rc == 0) {
        const Cairn__RegisterWorkerResponseProto *response = (const void *)m;
        log_info("worker", "registered as worker=%llu ip=%s with scheduler=%s attempts=%zu unwanted=%zu",
                 (unsigned long long)response->workerid, response->ip, w->scheduler, all.n_attempts,
                 response->n_killattempts);
        drop_unwanted_locked(w, response);
        if (!w->ip)
            w->ip = mem_strdup(response->ip);
        w->worker_id = response->workerid;
        w->command_seq = 0;
        pthread_cond_broadcast(&w->report_wake);
    }
    pthread_mutex_unlock(&w->lock);
    wake_main(w);
    arena_free(&a);
    return rc;
}

/* The scheduler does not know us (any more): it was restarted, or has given us up. */
static void unregistered(struct worker_daemon *w, uint64_t worker_id)
{
    pthread_mutex_lock(&w->lock);
    if (w->worker_id == worker_id) {
        w->worker_id = 0;
        log_warn("worker", "the scheduler does not know worker=%llu: registering again", (unsigned long long)worker_id);
    }
    pthread_mutex_unlock(&w->lock);
}

/* ---- reports ---- */

static void wait_for_report(struct worker_daemon *w, int64_t ms)
{
    int64_t until_ms = clock_mono_ms() + ms, soon_ms = 0;
    while (!w->stopping && !w->urgent) {
        int64_t now_ms = clock_mono_ms();
        if (w->dirty && !soon_ms)
            soon_ms = now_ms + SOON_MS;
        int64_t next_ms = soon_ms && soon_ms < until_ms ? soon_ms : until_ms;
        if (now_ms >= next_ms)
            return;
        struct timespec at = {.tv_sec = next_ms / 1000, .tv_nsec = next_ms % 1000 * 1000000};
        pthread_cond_timedwait(&w->report_wake, &w->lock, &at);
    }
}

static void send_reports(struct worker_daemon *w)
{
    struct arena a;
    arena_init(&a, LINK_ARENA_BYTES);
    Cairn__HeartbeatRequestProto request = CAIRN__HEARTBEAT_REQUEST_PROTO__INIT;
    pthread_mutex_lock(&w->lock);
    wait_for_report(w, config_ms(w->config, "cairn.worker.heartbeat"));
    request.workerid = w->worker_id;
    request.has_afterseq = true;
    request.afterseq = w->command_seq;
    bool go_on = !w->stopping && w->worker_id != 0;
    if (go_on)
        collect_reports_locked(w, &request, &a);
    pthread_mutex_unlock(&w->lock);
    if (!go_on) {
        arena_free(&a);
        return;
    }
    ProtobufCMessage *m = NULL;
    struct err err = {0};
    int rc = rpc_client_call(w->report_client, "heartbeat", &request.base, &cairn__heartbeat_response_proto__descriptor,
                             &a, &m, &err);
    pthread_mutex_lock(&w->lock);
    reports_sent_locked(w, rc == 0);
    if (rc == 0) {
        const Cairn__HeartbeatResponseProto *response = (const void *)m;
        keep_commands_locked(w, request.workerid, response->commands, response->n_commands);
    }
    pthread_mutex_unlock(&w->lock);
    if (rc == ERR_UNREGISTERED_NODE) {
        unregistered(w, request.workerid);
    } else if (rc < 0 && rc != ERR_CANCELLED) {
        log_warn("worker", "heartbeat failed, trying again: err=%s", err.text);
        clock_sleep_ms(RETRY_MS);
    }
    arena_free(&a);
}

static void *report_thread(void *arg)
{
    struct worker_daemon *w = arg;
    int64_t complained_ms = 0;
    for (;;) {
        pthread_mutex_lock(&w->lock);
        bool stopping = w->stopping, registered = w->worker_id != 0;
        pthread_mutex_unlock(&w->lock);
        if (stopping)
            return NULL;
        if (registered) {
            send_reports(w);
            continue;
        }
        struct err err = {0};
        if (register_worker(w, &err) < 0 && clock_mono_ms() - complained_ms > 10000) {
            log_warn("worker", "not registered yet, trying again: err=%s", err.text);
            complained_ms = clock_mono_ms();
        }
        pthread_mutex_lock(&w->lock);
        registered = w->worker_id != 0;
        pthread_mutex_unlock(&w->lock);
        if (!registered)
            clock_sleep_ms(RETRY_MS / 5);
    }
}

/* ---- commands ---- */

static void poll_commands(struct worker_daemon *w, uint64_t worker_id, uint64_t seq)
{
    struct arena a;
    arena_init(&a, LINK_ARENA_BYTES);
    Cairn__PollCommandsRequestProto request = CAIRN__POLL_COMMANDS_REQUEST_PROTO__INIT;
    request.workerid = worker_id;
    request.afterseq = seq;
    request.waitms = POLL_WAIT_MS;
    ProtobufCMessage *m = NULL;
    struct err err = {0};
    int rc = rpc_client_call(w->command_client, "pollCommands", &request.base,
                             &cairn__poll_commands_response_proto__descriptor, &a, &m, &err);
    if (rc == 0) {
        const Cairn__PollCommandsResponseProto *response = (const void *)m;
        pthread_mutex_lock(&w->lock);
        keep_commands_locked(w, worker_id, response->commands, response->n_commands);
        pthread_mutex_unlock(&w->lock);
    } else if (rc == ERR_UNREGISTERED_NODE) {
        unregistered(w, worker_id);
    } else if (rc != ERR_CANCELLED) {
        log_debug("worker", "poll failed, trying again: err=%s", err.text);
        clock_sleep_ms(RETRY_MS);
    }
    arena_free(&a);
}

static void *command_thread(void *arg)
{
    struct worker_daemon *w = arg;
    for (;;) {
        pthread_mutex_lock(&w->lock);
        while (!w->stopping && w->worker_id == 0)
            pthread_cond_wait(&w->report_wake, &w->lock);
        bool stopping = w->stopping;
        uint64_t worker_id = w->worker_id, seq = w->command_seq;
        pthread_mutex_unlock(&w->lock);
        if (stopping)
            return NULL;
        poll_commands(w, worker_id, seq);
    }
}

int link_start(struct worker_daemon *w, pthread_t ret_threads[2], struct err *reterr)
{
    struct net_address address;
    int rc = net_parse(w->scheduler, 7077, &address, reterr);
    if (rc < 0)
        return rc;
    struct rpc_client_options options = {.addresses = &address,
                                         .address_count = 1,
                                         .protocol = "org.cairn.protocol.WorkerProtocol",
                                         .user = "cairn",
                                         .local_ip = w->own_ip[0] ? w->own_ip : NULL,
                                         .call_timeout_ms = 60000};
    if ((rc = rpc_client_new(&options, &w->report_client, reterr)) < 0 ||
        (rc = rpc_client_new(&options, &w->command_client, reterr)) < 0)
        return rc;
    int errnum = pthread_create(&ret_threads[0], NULL, report_thread, w);
    if (errnum == 0 && (errnum = pthread_create(&ret_threads[1], NULL, command_thread, w)) != 0) {
        pthread_mutex_lock(&w->lock);
        w->stopping = true;
        pthread_cond_broadcast(&w->report_wake);
        pthread_mutex_unlock(&w->lock);
        rpc_client_cancel(w->report_client);
        pthread_join(ret_threads[0], NULL);
    }
    return errnum ? err_errno(reterr, errnum, "start a thread") : 0;
}

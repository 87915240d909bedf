/* JobProtocol: decode, check, ask the core, encode. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "proto/message.h"
#include "scheduler/master/master.h"

#define LIST_LIMIT     1000
#define ATTEMPTS_LIMIT 10000

static void new_job_id(struct rpc_call *call, const ProtobufCMessage *request, void *context)
{
    char id[JOB_ID_MAX];
    master_new_job_id(context, id);
    Cairn__NewJobIdResponseProto response = CAIRN__NEW_JOB_ID_RESPONSE_PROTO__INIT;
    response.jobid = id;
    rpc_call_reply(call, &response.base);
}

static void submit_job(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct master *m = context;
    const Cairn__SubmitJobRequestProto *request = (const void *)message;
    struct err err = {0};
    if (master_submit(m, request->job, rpc_call_user(call), &err) < 0) {
        rpc_call_fail(call, &err);
        return;
    }
    Cairn__SubmitJobResponseProto response = CAIRN__SUBMIT_JOB_RESPONSE_PROTO__INIT;
    response.trackingurl =
        arena_printf(rpc_call_arena(call), "%s/jobs/%s", master_tracking_base(m), request->job->jobid);
    rpc_call_reply(call, &response.base);
}

static bool get_job_answer(struct master *m, struct waiter *w, bool last)
{
    const Cairn__GetJobRequestProto *request = (const void *)w->request;
    struct arena *a = rpc_call_arena(w->call);
    Cairn__GetJobResponseProto response = CAIRN__GET_JOB_RESPONSE_PROTO__INIT;
    Cairn__JobStatusProto status;
    struct err err = {0};
    const struct job *j = sched_job(master_sched_locked(m), request->jobid);
    if (j) {
        /* One that is over is told to those who wait when it is cleaned up and kept (then the store has it). */
        if (!last && request->has_afterversion && (request->afterversion == j->version || job_is_over(j)))
            return false;
        job_status_message(j, master_epoch_ms(m), a, &status);
        response.job = &status;
    } else {
        Cairn__JobRecordProto *record;
        if (job_store_get(master_store(m), request->jobid, a, &record, &err) < 0) {
            rpc_call_fail(w->call, &err);
            return true;
        }
        response.job = record->status;
    }
    rpc_call_reply(w->call, &response.base);
    return true;
}

static void get_job(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__GetJobRequestProto *request = (const void *)message;
    master_lock(context);
    master_wait_locked(context, (struct waiter){.call = call, .request = message, .answer = get_job_answer},
                       request->has_afterversion && request->has_waitms ? request->waitms : 0);
    master_unlock(context);
}

struct list_args {
    struct master *master;
    struct arena *arena;
    Cairn__JobStatusProto **list;
    size_t count, limit;
};

static bool list_record(const Cairn__JobRecordProto *record, void *arg)
{
    struct list_args *args = arg;
    for (size_t i = 0; i < args->count; i++)
        if (!strcmp(args->list[i]->jobid, record->status->jobid))
            return true; /* still in the core */
    struct buf bytes = {0};
    ProtobufCMessage *m = NULL;
    message_pack(&bytes, &record->status->base);
    if (message_unpack(&cairn__job_status_proto__descriptor, buf_slice(&bytes), args->arena, &m, NULL) == 0) {
        args->list[args->count] = (Cairn__JobStatusProto *)m;
        args->list[args->count]->n_counters = 0;
        args->count++;
    }
    buf_free(&bytes);
    return args->count < args->limit;
}

static void list_jobs(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct master *m = context;
    const Cairn__ListJobsRequestProto *request = (const void *)message;
    struct arena *a = rpc_call_arena(call);
    struct list_args args = {.master = m, .arena = a, .limit = LIST_LIMIT};
    if (request->has_limit && request->limit < args.limit)
        args.limit = request->limit;
    args.list = arena_array(a, Cairn__JobStatusProto *, args.limit + 1);
    struct sched *s = master_lock(m);
    size_t jobs = 0;
    while (sched_job_at(s, jobs))
        jobs++;
    for (size_t i = jobs; i-- > 0 && args.count < args.limit;) {
        const struct job *j = sched_job_at(s, i);
        if (!request->all && job_is_over(j))
            continue;
        Cairn__JobStatusProto *status = arena_new(a, Cairn__JobStatusProto);
        job_status_message(j, master_epoch_ms(m), a, status);
        status->n_counters = 0;
        args.list[args.count++] = status;
    }
    master_unlock(m);
    struct err err = {0};
    if (request->all && args.count < args.limit && job_store_each(master_store(m), list_record, &args, &err) < 0) {
        rpc_call_fail(call, &err);
        return;
    }
    Cairn__ListJobsResponseProto response = CAIRN__LIST_JOBS_RESPONSE_PROTO__INIT;
    response.jobs = args.list;
    response.n_jobs = args.count;
    rpc_call_reply(call, &response.base);
}

static void kill_job(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__KillJobRequestProto *request = (const void *)message;
    struct err err = {0};
    bool killed = false;
    if (master_kill(context, request->jobid, rpc_call_user(call), &killed, &err) < 0) {
        rpc_call_fail(call, &err);
        return;
    }
    Cairn__KillJobResponseProto response = CAIRN__KILL_JOB_RESPONSE_PROTO__INIT;
    response.killed = killed;
    rpc_call_reply(call, &response.base);
}

static void get_attempts(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct master *m = context;
    const Cairn__GetAttemptsRequestProto *request = (const void *)message;
    struct arena *a = rpc_call_arena(call);
    Cairn__GetAttemptsResponseProto response = CAIRN__GET_ATTEMPTS_RESPONSE_PROTO__INIT;
    size_t start = request->start,
           limit = request->has_limit && request->limit < ATTEMPTS_LIMIT ? request->limit : ATTEMPTS_LIMIT;
    struct sched *s = master_lock(m);
    const struct job *j = sched_job(s, request->jobid);
    if (j) {
        response.total = (uint32_t)j->attempt_count;
        start = start < j->attempt_count ? start : j->attempt_count;
        limit = limit < j->attempt_count - start ? limit : j->attempt_count - start;
        response.attempts = arena_array(a, Cairn__AttemptProto *, limit);
        while (response.n_attempts < limit) {
            response.attempts[response.n_attempts] =
                attempt_message(j, j->attempts[start + response.n_attempts], master_epoch_ms(m), a);
            response.n_attempts++;
        }
    }
    master_unlock(m);
    Cairn__JobRecordProto *record;
    struct err err = {0};
    if (!j && job_store_get(master_store(m), request->jobid, a, &record, &err) < 0) {
        rpc_call_fail(call, &err);
        return;
    }
    if (!j) {
        response.total = (uint32_t)record->n_attempts;
        start = start < record->n_attempts ? start : record->n_attempts;
        response.attempts = record->attempts + start;
        response.n_attempts = limit < record->n_attempts - start ? limit : record->n_attempts - start;
    }
    rpc_call_reply(call, &response.base);
}

static bool map_outputs_answer(struct master *m, struct waiter *w, bool last)
{
    const Cairn__MapOutputsRequestProto *request = (const void *)w->request;
    struct arena *a = rpc_call_arena(w->call);
    const struct job *j = sched_job(master_sched_locked(m), request->jobid);
    struct err err = {0};
    if (!j || job_is_over(j)) {
        err_set(&err, ERR_CANCELLED, "%s is over", request->jobid);
        rpc_call_fail(w->call, &err);
        return true;
    }
    uint64_t base = job_event_base(j);
    size_t start = request->start > base ? (size_t)(request->start - base) : 0;
    if (start >= j->event_count && !last)
        return false;
    Cairn__MapOutputsResponseProto response = CAIRN__MAP_OUTPUTS_RESPONSE_PROTO__INIT;
    size_t count = start < j->event_count ? j->event_count - start : 0;
    count = count < ATTEMPTS_LIMIT ? count : ATTEMPTS_LIMIT;
    response.outputs = arena_array(a, Cairn__MapOutputProto *, count);
    for (size_t i = 0; i < count; i++) {
        const struct map_event *event = &j->events[start + i];
        const struct attempt *at = j->attempts[event->attempt];
        Cairn__MapOutputProto *output = arena_new(a, Cairn__MapOutputProto);
        cairn__map_output_proto__init(output);
        char id[ATTEMPT_ID_MAX];
        job_attempt_id(j, at, id);
        output->map = event->map;
        output->attemptid = arena_strdup(a, id);
        output->httpaddress = arena_strdup(a, at->http_address);
        output->has_lost = output->lost = event->kind == MAP_LOST;
        output->has_failed = output->failed = event->kind == MAP_FAILED;
        response.outputs[response.n_outputs++] = output;
    }
    response.has_next = true;
    response.next = base + start + count;
    rpc_call_reply(w->call, &response.base);
    return true;
}

static void map_outputs(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__MapOutputsRequestProto *request = (const void *)message;
    master_lock(context);
    master_wait_locked(context, (struct waiter){.call = call, .request = message, .answer = map_outputs_answer},
                       request->has_waitms ? request->waitms : 0);
    master_unlock(context);
}

static void fetch_failed(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct master *m = context;
    const Cairn__FetchFailedRequestProto *request = (const void *)message;
    struct attempt_id id;
    if (attempt_id_parse(request->mapattemptid, &id)) {
        log_warn("scheduler", "fetch failed map=%s reduce=%s corrupt=%d why=%s", request->mapattemptid,
                 request->reduceattemptid, request->corrupt, request->diagnostics ? request->diagnostics : "");
        struct sched_actions actions = {0};
        struct sched *s = master_lock(m);
        sched_fetch_failed(s, master_now_ms(), &id, request->corrupt, &actions);
        master_apply_locked(m, &actions);
        master_unlock(m);
    }
    Cairn__FetchFailedResponseProto response = CAIRN__FETCH_FAILED_RESPONSE_PROTO__INIT;
    rpc_call_reply(call, &response.base);
}

const struct rpc_method job_methods[] = {
    RPC_METHOD("newJobId", cairn__new_job_id, new_job_id, 0),
    RPC_METHOD("submitJob", cairn__submit_job, submit_job, RPC_AT_MOST_ONCE | RPC_MAY_BLOCK),
    RPC_METHOD("getJob", cairn__get_job, get_job, 0),
    RPC_METHOD("listJobs", cairn__list_jobs, list_jobs, RPC_MAY_BLOCK),
    RPC_METHOD("killJob", cairn__kill_job, kill_job, RPC_AT_MOST_ONCE | RPC_MAY_BLOCK),
    RPC_METHOD("getAttempts", cairn__get_attempts, get_attempts, 0),
    RPC_METHOD("mapOutputs", cairn__map_outputs, map_outputs, 0),
    RPC_METHOD("fetchFailed", cairn__fetch_failed, fetch_failed, 0),
    RPC_METHOD("drainWorker", cairn__drain_worker, serve_drain_worker, RPC_MAY_BLOCK),
    RPC_METHOD("listWorkers", cairn__list_workers, serve_list_workers, 0),
    RPC_METHOD("failAttempt", cairn__fail_attempt, serve_fail_attempt, RPC_AT_MOST_ONCE),
    RPC_METHOD("scheduleJob", cairn__schedule_job, serve_schedule_job, RPC_MAY_BLOCK),
    RPC_METHOD("listSchedules", cairn__list_schedules, serve_list_schedules, RPC_MAY_BLOCK),
    RPC_METHOD("removeSchedule", cairn__remove_schedule, serve_remove_schedule, RPC_MAY_BLOCK),
};
const size_t job_method_count = ARRAY_COUNT(job_methods);

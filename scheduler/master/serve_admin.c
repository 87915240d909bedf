/* JobProtocol: what is said about workers, single attempts and recurring jobs. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "scheduler/master/schedules.h"

static bool is_superuser(const struct rpc_call *call)
{
    const char *self = getenv("USER");
    return !strcmp(rpc_call_user(call), "root") || (self && !strcmp(rpc_call_user(call), self));
}

static int keep_drained(struct master *m, const char *instance, bool drain, struct err *reterr)
{
    char *note = mem_printf("drain/%s", instance);
    int rc = job_store_put_note(master_store(m), note, drain ? "" : NULL, 0, reterr);
    free(note);
    return rc;
}

void serve_drain_worker(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct master *m = context;
    const Cairn__DrainWorkerRequestProto *request = (const void *)message;
    struct arena *a = rpc_call_arena(call);
    struct err err = {0};
    if (!is_superuser(call)) {
        err_set(&err, ERR_ACCESS, "only root may drain workers");
        rpc_call_fail(call, &err);
        return;
    }
    struct sched_actions actions = {0};
    struct sched *s = master_lock(m);
    Cairn__DrainWorkerResponseProto response = CAIRN__DRAIN_WORKER_RESPONSE_PROTO__INIT;
    response.workers = sched_drain(s, master_now_ms(), request->worker, request->drain, &actions);
    const struct resources *r = sched_resources(s);
    char **instances = arena_array(a, char *, r->count);
    bool *draining = arena_array(a, bool, r->count);
    size_t count = r->count;
    for (size_t i = 0; i < count; i++) {
        instances[i] = arena_strdup(a, r->workers[i]->instance);
        draining[i] = r->workers[i]->draining;
    }
    master_apply_locked(m, &actions);
    master_unlock(m);
    if (response.workers == 0)
        err_set(&err, ERR_NOT_FOUND, "there is no worker '%.128s'", request->worker);
    for (size_t i = 0; i < count && !err.code; i++)
        if (instances[i][0] && keep_drained(m, instances[i], draining[i], &err) < 0)
            break;
    if (err.code) {
        rpc_call_fail(call, &err);
        return;
    }
    log_info("scheduler", "worker=%s drain=%d by=%s", request->worker, request->drain, rpc_call_user(call));
    rpc_call_reply(call, &response.base);
}

void serve_list_workers(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct master *m = context;
    struct arena *a = rpc_call_arena(call);
    Cairn__ListWorkersResponseProto response = CAIRN__LIST_WORKERS_RESPONSE_PROTO__INIT;
    const struct resources *r = sched_resources(master_lock(m));
    response.workers = arena_array(a, Cairn__WorkerStatusProto *, r->count);
    for (size_t i = 0; i < r->count; i++) {
        const struct worker *w = r->workers[i];
        if (!worker_is_live(w))
            continue;
        Cairn__WorkerStatusProto *p = arena_new(a, Cairn__WorkerStatusProto);
        cairn__worker_status_proto__init(p);
        p->name = arena_strdup(a, w->name);
        p->address = arena_printf(a, strchr(w->ip, ':') ? "[%s]:%u" : "%s:%u", w->ip, w->http_port);
        p->slots = w->slots;
        p->running = w->running;
        p->state = arena_strdup(a, worker_state_name(w, master_now_ms()));
        p->rack = w->rack ? arena_strdup(a, w->rack) : NULL;
        p->has_memorymb = p->has_vcores = true;
        p->memorymb = w->room.memory_mb;
        p->vcores = w->room.vcores;
        response.workers[response.n_workers++] = p;
    }
    master_unlock(m);
    rpc_call_reply(call, &response.base);
}

void serve_fail_attempt(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct master *m = context;
    const Cairn__FailAttemptRequestProto *request = (const void *)message;
    struct attempt_id id;
    struct err err = {0};
    struct sched_actions actions = {0};
    Cairn__FailAttemptResponseProto response = CAIRN__FAIL_ATTEMPT_RESPONSE_PROTO__INIT;
    bool done = false;
    struct sched *s = master_lock(m);
    bool parsed = attempt_id_parse(request->attemptid, &id);
    const struct job *j = parsed ? sched_job(s, id.job) : NULL;
    if (!parsed)
        err_set(&err, ERR_ILLEGAL_ARGUMENT, "'%.128s' is not an attempt", request->attemptid);
    else if (j && strcmp(j->spec->user, rpc_call_user(call)) && !is_superuser(call))
        err_set(&err, ERR_ACCESS, "%s belongs to %s", id.job, j->spec->user);
    else if (sched_end_attempt(s, master_now_ms(), &id, request->fail,
                               arena_printf(rpc_call_arena(call), "%s by %s", request->fail ? "failed" : "killed",
                                            rpc_call_user(call)),
                               &done, &actions, &err) < 0)
        err_prefix(&err, err.code, "%s", request->attemptid);
    master_apply_locked(m, &actions);
    master_unlock(m);
    if (err.code) {
        rpc_call_fail(call, &err);
        return;
    }
    response.done = done;
    rpc_call_reply(call, &response.base);
}

void serve_schedule_job(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct master *m = context;
    const Cairn__ScheduleJobRequestProto *request = (const void *)message;
    struct err err = {0};
    Cairn__ScheduleJobResponseProto response = CAIRN__SCHEDULE_JOB_RESPONSE_PROTO__INIT;
    if (schedules_put(master_schedules(m), request->schedule, rpc_call_user(call), &response.nextatms, &err) < 0)
        rpc_call_fail(call, &err);
    else
        rpc_call_reply(call, &response.base);
}

void serve_list_schedules(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct err err = {0};
    Cairn__ListSchedulesResponseProto response = CAIRN__LIST_SCHEDULES_RESPONSE_PROTO__INIT;
    if (schedules_list(master_schedules(context), rpc_call_arena(call), &response, &err) < 0)
        rpc_call_fail(call, &err);
    else
        rpc_call_reply(call, &response.base);
}

void serve_remove_schedule(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__RemoveScheduleRequestProto *request = (const void *)message;
    struct err err = {0};
    Cairn__RemoveScheduleResponseProto response = CAIRN__REMOVE_SCHEDULE_RESPONSE_PROTO__INIT;
    if (schedules_remove(master_schedules(context), request->name, rpc_call_user(call), &err) < 0)
        rpc_call_fail(call, &err);
    else
        rpc_call_reply(call, &response.base);
}

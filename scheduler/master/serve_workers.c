/* WorkerProtocol: decode, check, ask the core, encode. */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/net.h"
#include "scheduler/master/master.h"

#define HEARTBEAT_MS    1000
#define WORKER_NAME_MAX 255

/* Who was told to take no more tasks does not forget it with a restart, its own or ours. */
static bool is_drained(struct master *m, const char *instance)
{
    bool found = false;
    struct buf b = {0};
    struct err err = {0};
    char *note = mem_printf("drain/%s", instance ? instance : "");
    if (instance && instance[0] && job_store_get_note(master_store(m), note, &b, &found, &err) < 0)
        log_warn("scheduler", "worker instance=%s: err=%s", instance, err.text);
    buf_free(&b);
    free(note);
    return found;
}

static void register_worker(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct master *m = context;
    const Cairn__RegisterWorkerRequestProto *request = (const void *)message;
    struct err err = {0};
    if (request->slots < 1 || request->slots > 1024 || request->httpport < 1 || request->httpport > 65535)
        err_set(&err, ERR_ILLEGAL_ARGUMENT, "worker with %u slots on port %u", request->slots, request->httpport);
    else if ((request->ip && !net_is_literal(request->ip)) || strlen(request->hostname) > WORKER_NAME_MAX ||
             (request->datanodehost && strlen(request->datanodehost) > WORKER_NAME_MAX) ||
             (request->instance && strlen(request->instance) > WORKER_NAME_MAX))
        err_set(&err, ERR_ILLEGAL_ARGUMENT, "worker '%.64s' at '%.64s': not an address, or too long a name",
                request->hostname, request->ip ? request->ip : "");
    if (err.code) {
        rpc_call_fail(call, &err);
        return;
    }
    struct arena *a = rpc_call_arena(call);
    struct registration r = {.d = {.name = request->hostname,
                                   .ip = request->ip ? request->ip : rpc_call_client_ip(call),
                                   .datanode_host = request->datanodehost,
                                   .instance = request->instance,
                                   .http_port = (uint16_t)request->httpport,
                                   .slots = request->slots,
                                   .room = {request->memorymb, request->vcores}},
                             .attempts = request->attempts,
                             .attempt_count = request->n_attempts,
                             .jobs = request->jobs,
                             .job_count = request->n_jobs,
                             .draining = is_drained(m, request->instance),
                             .ret_kill = arena_array(a, bool, request->n_attempts),
                             .ret_forget = arena_array(a, bool, request->n_jobs)};
    Cairn__RegisterWorkerResponseProto response = CAIRN__REGISTER_WORKER_RESPONSE_PROTO__INIT;
    struct sched_actions actions = {0};
    struct sched *s = master_lock(m);
    int rc = sched_register(s, master_now_ms(), &r, &response.workerid, &actions, &err);
    master_apply_locked(m, &actions);
    master_unlock(m);
    if (rc < 0) {
        rpc_call_fail(call, &err);
        return;
    }
    log_info("scheduler", "worker=%llu host=%s ip=%s port=%u slots=%u registered attempts=%zu",
             (unsigned long long)response.workerid, r.d.name, r.d.ip, r.d.http_port, r.d.slots, r.attempt_count);
    response.heartbeatms = HEARTBEAT_MS;
    response.ip = (char *)r.d.ip;
    response.killattempts = arena_array(a, char *, r.attempt_count);
    for (size_t i = 0; i < r.attempt_count; i++)
        if (r.ret_kill[i])
            response.killattempts[response.n_killattempts++] = r.attempts[i]->attemptid;
    response.forgetjobs = arena_array(a, char *, r.job_count);
    for (size_t i = 0; i < r.job_count; i++)
        if (r.ret_forget[i])
            response.forgetjobs[response.n_forgetjobs++] = r.jobs[i];
    rpc_call_reply(call, &response.base);
}

static void heartbeat(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    struct master *m = context;
    const Cairn__HeartbeatRequestProto *request = (const void *)message;
    Cairn__HeartbeatResponseProto response = CAIRN__HEARTBEAT_RESPONSE_PROTO__INIT;
    struct sched_actions actions = {0};
    struct err err = {0};
    struct sched *s = master_lock(m);
    int rc =
        sched_heartbeat(s, master_now_ms(), request->workerid, request->attempts, request->n_attempts, &actions, &err);
    if (rc == 0 && request->has_afterseq)
        master_apply_answering_locked(m, &actions, request->workerid, request->afterseq, rpc_call_arena(call),
                                      &response);
    else
        master_apply_locked(m, &actions);
    master_unlock(m);
    if (rc < 0) {
        rpc_call_fail(call, &err);
        return;
    }
    rpc_call_reply(call, &response.base);
}

static bool poll_commands_answer(struct master *m, struct waiter *w, bool last)
{
    const Cairn__PollCommandsRequestProto *request = (const void *)w->request;
    Cairn__PollCommandsResponseProto response = CAIRN__POLL_COMMANDS_RESPONSE_PROTO__INIT;
    struct err err = {0};
    if (!resources_find(sched_resources(master_sched_locked(m)), request->workerid)) {
        err_set(&err, ERR_UNREGISTERED_NODE, "worker %llu is not registered", (unsigned long long)request->workerid);
        rpc_call_fail(w->call, &err);
        return true;
    }
    if (!master_has_commands_locked(m, request->workerid, request->afterseq) && !last)
        return false;
    master_commands_locked(m, request->workerid, request->afterseq, rpc_call_arena(w->call), &response.commands,
                           &response.n_commands);
    rpc_call_reply(w->call, &response.base);
    return true;
}

static void poll_commands(struct rpc_call *call, const ProtobufCMessage *message, void *context)
{
    const Cairn__PollCommandsRequestProto *request = (const void *)message;
    master_lock(context);
    master_wait_locked(context, (struct waiter){.call = call, .request = message, .answer = poll_commands_answer},
                       request->waitms);
    master_unlock(context);
}

const struct rpc_method worker_methods[] = {
    RPC_METHOD("registerWorker", cairn__register_worker, register_worker, 0),
    RPC_METHOD("heartbeat", cairn__heartbeat, heartbeat, 0),
    RPC_METHOD("pollCommands", cairn__poll_commands, poll_commands, 0),
};
const size_t worker_method_count = ARRAY_COUNT(worker_methods);

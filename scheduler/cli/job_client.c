#include "scheduler/cli/job_client.h"

#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/mem.h"
#include "rpc/rpc_client.h"

#define ANSWER_MAX_BYTES (128u << 20)

struct job_client {
    struct rpc_client *rpc;
};

int job_client_connect(struct config *config, const char *user, struct job_client **ret, struct err *reterr)
{
    int rc = 0;
    if (!config_is_set(config, "cairn.scheduler.address"))
        rc = cli_find_cluster(config, reterr);
    struct net_address address;
    if (rc == 0)
        rc = net_parse(config_str(config, "cairn.scheduler.address"), 7077, &address, reterr);
    if (rc < 0)
        return rc;
    if (!strcmp(address.host, "0.0.0.0"))
        strcpy(address.host, "127.0.0.1");
    struct rpc_client_options options = {.addresses = &address,
                                         .address_count = 1,
                                         .protocol = "org.cairn.protocol.JobProtocol",
                                         .user = user,
                                         .retry_for_ms = 10000};
    struct job_client *c = mem_new(struct job_client);
    rc = rpc_client_new(&options, &c->rpc, reterr);
    if (rc < 0)
        free(c);
    else
        *ret = c;
    return rc;
}

void job_client_free(struct job_client *c)
{
    if (!c)
        return;
    rpc_client_free(c->rpc);
    free(c);
}

static int job_call(struct job_client *c, const char *method, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *type, struct arena *a, void *ret, struct err *reterr)
{
    ProtobufCMessage *m = NULL;
    int rc = rpc_client_call(c->rpc, method, request, type, a, &m, reterr);
    if (rc == 0)
        *(ProtobufCMessage **)ret = m;
    if (rc == ERR_CONNECT)
        err_prefix(reterr, rc, "the scheduler does not answer (is it running? -scheduler HOST:PORT names another)");
    return rc;
}

int job_client_new_id(struct job_client *c, struct arena *a, const char **ret_job_id, struct err *reterr)
{
    Cairn__NewJobIdRequestProto request = CAIRN__NEW_JOB_ID_REQUEST_PROTO__INIT;
    Cairn__NewJobIdResponseProto *response;
    int rc =
        job_call(c, "newJobId", &request.base, &cairn__new_job_id_response_proto__descriptor, a, &response, reterr);
    if (rc == 0)
        *ret_job_id = response->jobid;
    return rc;
}

int job_client_submit(struct job_client *c, Cairn__JobSpecProto *job, struct arena *a, const char **ret_url,
                      struct err *reterr)
{
    Cairn__SubmitJobRequestProto request = CAIRN__SUBMIT_JOB_REQUEST_PROTO__INIT;
    Cairn__SubmitJobResponseProto *response;
    request.job = job;
    int rc =
        job_call(c, "submitJob", &request.base, &cairn__submit_job_response_proto__descriptor, a, &response, reterr);
    if (rc == 0)
        *ret_url = response->trackingurl;
    return rc;
}

int job_client_get(struct job_client *c, const char *job_id, uint64_t after_version, uint32_t wait_ms, struct arena *a,
                   const Cairn__JobStatusProto **ret, struct err *reterr)
{
    Cairn__GetJobRequestProto request = CAIRN__GET_JOB_REQUEST_PROTO__INIT;
    Cairn__GetJobResponseProto *response;
    request.jobid = (char *)job_id;
    request.has_afterversion = request.has_waitms = wait_ms > 0;
    request.afterversion = after_version;
    request.waitms = wait_ms;
    int rc = job_call(c, "getJob", &request.base, &cairn__get_job_response_proto__descriptor, a, &response, reterr);
    if (rc == 0)
        *ret = response->job;
    return rc;
}

int job_client_list(struct job_client *c, bool all, struct arena *a, const Cairn__ListJobsResponseProto **ret,
                    struct err *reterr)
{
    Cairn__ListJobsRequestProto request = CAIRN__LIST_JOBS_REQUEST_PROTO__INIT;
    request.has_all = true;
    request.all = all;
    return job_call(c, "listJobs", &request.base, &cairn__list_jobs_response_proto__descriptor, a, ret, reterr);
}

int job_client_kill(struct job_client *c, const char *job_id, bool *ret_killed, struct err *reterr)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    Cairn__KillJobRequestProto request = CAIRN__KILL_JOB_REQUEST_PROTO__INIT;
    Cairn__KillJobResponseProto *response;
    request.jobid = (char *)job_id;
    int rc = job_call(c, "killJob", &request.base, &cairn__kill_job_response_proto__descriptor, &a, &response, reterr);
    if (rc == 0)
        *ret_killed = response->killed;
    arena_free(&a);
    return rc;
}

int job_client_attempts(struct job_client *c, const char *job_id, struct arena *a,
                        const Cairn__GetAttemptsResponseProto **ret, struct err *reterr)
{
    Cairn__GetAttemptsRequestProto request = CAIRN__GET_ATTEMPTS_REQUEST_PROTO__INIT;
    request.jobid = (char *)job_id;
    return job_call(c, "getAttempts", &request.base, &cairn__get_attempts_response_proto__descriptor, a, ret, reterr);
}

int job_client_end_attempt(struct job_client *c, const char *attempt_id, bool fail, bool *ret_done, struct err *reterr)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    Cairn__FailAttemptRequestProto request = CAIRN__FAIL_ATTEMPT_REQUEST_PROTO__INIT;
    Cairn__FailAttemptResponseProto *response;
    request.attemptid = (char *)attempt_id;
    request.has_fail = true;
    request.fail = fail;
    int rc = job_call(c, "failAttempt", &request.base, &cairn__fail_attempt_response_proto__descriptor, &a, &response,
                      reterr);
    if (rc == 0)
        *ret_done = response->done;
    arena_free(&a);
    return rc;
}

int job_client_drain(struct job_client *c, const char *worker, bool drain, struct err *reterr)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    Cairn__DrainWorkerRequestProto request = CAIRN__DRAIN_WORKER_REQUEST_PROTO__INIT;
    Cairn__DrainWorkerResponseProto *response;
    request.worker = (char *)worker;
    request.drain = drain;
    int rc = job_call(c, "drainWorker", &request.base, &cairn__drain_worker_response_proto__descriptor, &a, &response,
                      reterr);
    arena_free(&a);
    return rc;
}

int job_client_workers(struct job_client *c, struct arena *a, const Cairn__ListWorkersResponseProto **ret,
                       struct err *reterr)
{
    Cairn__ListWorkersRequestProto request = CAIRN__LIST_WORKERS_REQUEST_PROTO__INIT;
    return job_call(c, "listWorkers", &request.base, &cairn__list_workers_response_proto__descriptor, a, ret, reterr);
}

int job_client_schedule(struct job_client *c, Cairn__ScheduleProto *schedule, struct arena *a, int64_t *ret_next_ms,
                        struct err *reterr)
{
    Cairn__ScheduleJobRequestProto request = CAIRN__SCHEDULE_JOB_REQUEST_PROTO__INIT;
    Cairn__ScheduleJobResponseProto *response;
    request.schedule = schedule;
    int rc = job_call(c, "scheduleJob", &request.base, &cairn__schedule_job_response_proto__descriptor, a, &response,
                      reterr);
    if (rc == 0)
        *ret_next_ms = response->nextatms;
    return rc;
}

int job_client_schedules(struct job_client *c, struct arena *a, const Cairn__ListSchedulesResponseProto **ret,
                         struct err *reterr)
{
    Cairn__ListSchedulesRequestProto request = CAIRN__LIST_SCHEDULES_REQUEST_PROTO__INIT;
    return job_call(c, "listSchedules", &request.base, &cairn__list_schedules_response_proto__descriptor, a, ret,
                    reterr);
}

int job_client_unschedule(struct job_client *c, const char *name, struct err *reterr)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    Cairn__RemoveScheduleRequestProto request = CAIRN__REMOVE_SCHEDULE_REQUEST_PROTO__INIT;
    Cairn__RemoveScheduleResponseProto *response;
    request.name = (char *)name;
    int rc = job_call(c, "removeSchedule", &request.base, &cairn__remove_schedule_response_proto__descriptor, &a,
                      &response, reterr);
    arena_free(&a);
    return rc;
}

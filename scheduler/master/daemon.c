/* `cairn scheduler`. Start order: job store, master (core and its threads), pages, RPC; stopped in reverse. */
#include "common/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/http.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/proxy_users.h"
#include "common/user_groups.h"
#include "main/commands.h"
#include "scheduler/master/master.h"

struct interrupted {
    const struct config *config;
    struct job_store *store;
    struct err err;
    int rc;
    char **ids;
    size_t count;
};

/* Jobs that ran when the scheduler ended. Their tasks are gone: say so instead of letting them vanish. */
static bool find_interrupted(const Cairn__JobRecordProto *record, void *arg)
{
    struct interrupted *in = arg;
    if (record->status->state >= CAIRN__JOB_STATE__JOB_SUCCEEDED)
        return true;
    in->ids = mem_realloc_array(in->ids, in->count + 1, sizeof *in->ids);
    in->ids[in->count++] = mem_strdup(record->status->jobid);
    return true;
}

static int fail_interrupted_job(struct interrupted *in, const char *job_id, struct err *reterr)
{
    struct finish_work w = {.kind = SCHED_OVER};
    arena_init(&w.arena, 256 << 20);
    Cairn__JobRecordProto *record = NULL;
    int rc = job_store_get(in->store, job_id, &w.arena, &record, reterr);
    if (rc == 0) {
        record->status->state = CAIRN__JOB_STATE__JOB_FAILED;
        record->status->diagnostics =
            arena_strdup(&w.arena, "the scheduler was restarted while the job ran; submit it again");
        record->status->has_finishedatms = true;
        record->status->finishedatms = clock_wall_ms();
        w.job_id = record->spec->jobid;
        w.user = record->spec->user;
        w.fs_uri = record->spec->fsuri;
        w.output = record->spec->output;
        w.staging_dir = record->spec->stagingdir;
        finish_clean(in->config, &w);
        rc = job_store_put(in->store, record, reterr);
        log_warn("scheduler", "job=%s failed: it ran when the scheduler ended", job_id);
    }
    arena_free(&w.arena);
    return rc;
}

static int fail_interrupted(const struct config *config, struct job_store *store, struct err *reterr)
{
    struct interrupted in = {.config = config, .store = store};
    int rc = job_store_each(store, find_interrupted, &in, reterr);
    for (size_t i = 0; i < in.count; i++) {
        if (rc == 0)
            rc = fail_interrupted_job(&in, in.ids[i], reterr);
        free(in.ids[i]);
    }
    free(in.ids);
    return rc;
}

static int start_rpc(const struct config *config, struct master *m, struct proxy_users *proxy_users,
                     struct rpc_server **ret, struct err *reterr)
{
    struct rpc_service services[] = {
        {"org.cairn.protocol.JobProtocol", job_methods, job_method_count, m},
        {"org.cairn.protocol.WorkerProtocol", worker_methods, worker_method_count, m},
    };
    struct rpc_server_options options = {
        .services = services, .service_count = ARRAY_COUNT(services), .proxy_users = proxy_users};
    int rc = net_parse(config_str(config, "cairn.scheduler.address"), 7077, &options.listen, reterr);
    return rc < 0 ? rc : rpc_server_start(&options, ret, reterr);
}

int scheduler_main(int argc, char **argv)
{
    struct daemon d;
    struct config *config = NULL;
    struct job_store *store = NULL;
    struct master *master = NULL;
    struct http_server *http = NULL;
    struct rpc_server *rpc = NULL;
    struct proxy_users *proxy_users = NULL;
    struct net_address http_at;
    struct err err = {0};
    int rc = daemon_begin(&d, &argc, argv, &config, &err);
    if (rc == 0 && argc > 1)
        rc =
            err_set(&err, ERR_ILLEGAL_ARGUMENT, "'%s' is not understood; settings are given as -D name=value", argv[1]);
    if (rc == 0)
        rc = job_store_open(config_str(config, "cairn.scheduler.dir"),
                            (uint32_t)config_int(config, "cairn.scheduler.history-max"), &store, &err);
    if (rc == 0)
        rc = fail_interrupted(config, store, &err);
    if (rc == 0)
        rc = master_new(config, store, &master, &err);
    if (rc == 0)
        rc = net_parse(config_str(config, "cairn.scheduler.http-address"), 8080, &http_at, &err);
    if (rc == 0)
        rc = http_ui_start(master, &http_at, &http, &err);
    if (rc == 0) {
        master_set_http_port(master, http_port(http));
        user_groups_fix(config_str(config, "hadoop.user.group.static.mapping.overrides"));
        proxy_users = proxy_users_new("hadoop.proxyuser", config);
        rc = start_rpc(config, master, proxy_users, &rpc, &err);
    }
    if (rc == 0) {
        log_info("scheduler", "serving rpc=%s http=%s", config_str(config, "cairn.scheduler.address"),
                 master_tracking_base(master));
        daemon_ready(&d);
        daemon_wait(&d);
    }
    if (master)
        master_stop(master);
    rpc_server_stop(rpc);
    proxy_users_free(proxy_users);
    http_stop(http);
    master_free(master);
    job_store_close(store);
    config_free(config);
    return rc < 0 ? daemon_fail(d.name ? d.name : "scheduler", &err) : 0;
}

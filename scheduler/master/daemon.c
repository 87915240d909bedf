/* `cairn scheduler`. Start order: job store, master's core with the jobs of before, pages, master's threads, RPC; jobs
 * come by the pages' port, too, and must not be found by who looks for those of before. */
#include "common/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/http.h"
#include "common/log.h"
#include "common/proxy_users.h"
#include "common/user_groups.h"
#include "main/commands.h"
#include "scheduler/master/rest.h"
#include "scheduler/master/schedules.h"

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

static const char scheduler_usage[] = "Usage: cairn scheduler [generic options] [--ready-fd N]\n"
                                      "\n"
                                      "Gives jobs to workers: RPC on cairn.scheduler.address (7077), pages and REST on "
                                      "cairn.scheduler.http-address (8080), REST once\n"
                                      "more on cairn.scheduler.rest-address (6066). Its state is in "
                                      "cairn.scheduler.dir, its file system that of fs.defaultFS.\n";

int scheduler_main(int argc, char **argv)
{
    struct daemon d;
    struct config *config = NULL;
    struct job_store *store = NULL;
    struct master *master = NULL;
    struct http_server *http = NULL, *rest = NULL;
    struct schedules *schedules = NULL;
    struct rpc_server *rpc = NULL;
    struct proxy_users *proxy_users = NULL;
    struct net_address http_at;
    struct err err = {0};
    if (cli_asks_help(argc, argv))
        return fputs(scheduler_usage, stdout) < 0;
    int rc = daemon_begin(&d, &argc, argv, &config, &err);
    if (rc == 0 && argc > 1)
        rc =
            err_set(&err, ERR_ILLEGAL_ARGUMENT, "'%s' is not understood; settings are given as -D name=value", argv[1]);
    if (rc == 0)
        rc = job_store_open(config_str(config, "cairn.scheduler.dir"),
                            (uint32_t)config_int(config, "cairn.scheduler.history-max"), &store, &err);
    if (rc == 0)
        rc = sched_pools_check(config_str(config, "cairn.scheduler.pools"), &err);
    if (rc == 0 && !config_is_set(config, "cairn.client.retry-for")) /* a namenode that restarts ends no job */
        rc = config_set(config, "cairn.client.retry-for", "60s", "scheduler", &err);
    if (rc == 0)
        rc = master_new(config, store, &master, &err);
    if (rc == 0)
        rc = net_parse(config_str(config, "cairn.scheduler.http-address"), 8080, &http_at, &err);
    if (rc == 0) {
        user_groups_fix(config_str(config, "hadoop.user.group.static.mapping.overrides"));
        rc = master_recover(master, &err);
    }
    if (rc == 0)
        rc = http_ui_start(master, &http_at, &http, &err);
    if (rc == 0) {
        master_set_http_port(master, http_port(http));
        rc = master_start(master, &err);
    }
    if (rc == 0)
        rc = rest_start(master, config, &rest, &err);
    if (rc == 0)
        rc = schedules_start(master, config, &schedules, &err);
    if (rc == 0) {
        master_set_schedules(master, schedules);
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
    schedules_stop(schedules);
    proxy_users_free(proxy_users);
    http_stop(http);
    http_stop(rest);
    master_free(master);
    job_store_close(store);
    config_free(config);
    return rc < 0 ? daemon_fail(d.name ? d.name : "scheduler", &err) : 0;
}

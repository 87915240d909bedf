/* `cairn httpfs`: WebHDFS on one port, without redirects. For clients that reach one machine and not every datanode;
 * before any HDFS, ours or Apache's, with HA. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/daemon.h"
#include "common/http_servlets.h"
#include "common/jmx.h"
#include "common/log.h"
#include "common/metrics.h"
#include "main/commands.h"
#include "webhdfs/origin.h"
#include "webhdfs/webhdfs.h"

#define GATEWAY_POOL_THREADS 24
#define GATEWAY_DATA_THREADS 64 /* each may wait for a datanode that hangs, for a minute */
#define GATEWAY_SUM_THREADS  8  /* so may these */
#define MALLOC_ARENAS        2  /* pool threads must not have a heap each */

static const char usage[] =
    "Usage: cairn httpfs [generic options] [--ready-fd N]\n\n"
    "Serves the file system of fs.defaultFS as WebHDFS on httpfs.http.hostname and httpfs.http.port (14000), data\n"
    "included. Who may act for others: httpfs.proxyuser.USER.hosts, .groups and .users.\n";

static void metrics_page(struct http_request *request, struct http_reply *reply, void *context)
{
    reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_prometheus(&reply->body);
}

static void jmx_page(struct http_request *request, struct http_reply *reply, void *context)
{
    json_t *beans = json_array();
    jmx_add_process(beans, "HttpFS", *(const int64_t *)context);
    jmx_answer(request, reply, beans);
}

static int gateway_run(struct daemon *d, const struct config *config, struct err *reterr)
{
    struct proxy_users *proxy_users = proxy_users_new("httpfs.proxyuser", config);
    struct webhdfs_options options = {.role = WEBHDFS_GATEWAY, .config = config, .proxy_users = proxy_users};
    struct webhdfs *w = NULL;
    int rc = webhdfs_new(&options, &w, reterr);
    if (rc < 0) {
        proxy_users_free(proxy_users);
        return rc;
    }
    struct http_server *http = NULL;
    const struct http_route routes[] = {
        {"GET", "/metrics", metrics_page}, {"GET", "/jmx", jmx_page}, HTTP_SERVLET_ROUTES(config), WEBHDFS_ROUTE(w)};
    int64_t started_wall_ms = clock_wall_ms();
    struct http_options server = {.routes = routes,
                                  .route_count = ARRAY_COUNT(routes),
                                  .context = &started_wall_ms,
                                  .pool_threads = GATEWAY_POOL_THREADS,
                                  .data_threads = GATEWAY_DATA_THREADS,
                                  .later_threads = GATEWAY_SUM_THREADS,
                                  .on_reply = origin_add_headers,
                                  .on_reply_context = (void *)(uintptr_t)config};
    char text[NET_ADDRESS_MAX];
    snprintf(text, sizeof text, "%s:%d", config_str(config, "httpfs.http.hostname"),
             (int)config_int(config, "httpfs.http.port"));
    rc = net_parse(text, 0, &server.listen, reterr);
    rc = rc < 0 ? rc : http_start(&server, &http, reterr);
    if (rc < 0)
        rc = err_prefix(reterr, rc, "httpfs.http.hostname, httpfs.http.port");
    if (rc == 0) {
        log_info("httpfs", "http=%s:%u fs=%s", server.listen.host, http_port(http), config_str(config, "fs.defaultFS"));
        daemon_ready(d);
        daemon_wait(d);
    }
    http_stop(http);
    webhdfs_free(w);
    proxy_users_free(proxy_users);
    return rc;
}

int httpfs_main(int argc, char **argv)
{
    struct daemon d;
    struct config *config = NULL;
    struct err why;
    if (argc > 1 && (!strcmp(argv[1], "-help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        fputs(usage, stdout);
        return 0;
    }
    mallopt(M_ARENA_MAX, MALLOC_ARENAS);
    int rc = daemon_begin(&d, &argc, argv, &config, &why);
    if (rc == 0 && argc > 1)
        rc = err_set(&why, ERR_CONFIG, "unknown option '%s'; `cairn httpfs -help` tells what there is", argv[1]);
    rc = rc < 0 ? rc : gateway_run(&d, config, &why);
    int code = rc < 0 ? daemon_fail("httpfs", &why) : 0;
    config_free(config);
    return code;
}

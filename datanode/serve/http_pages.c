#include "datanode/serve/http_pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "datanode/report/reporter.h"
#include "datanode/serve/xfer.h"
#include "webhdfs/webhdfs.h"
#include "rpc/jmx.h"

static const char page_begin[] =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Datanode</title><style>"
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:60em;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3em .8em;border-bottom:1px solid #ddd}"
    "td.n,th.n{text-align:right}.bad{color:#b00}</style></head><body>";

static void print_bytes(struct buf *b, int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 1 < ARRAY_COUNT(units); unit++)
        value /= 1024;
    buf_printf(b, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void print_storages(struct datanode *dn, struct buf *b)
{
    struct storage_view views[VOLUMES_MAX];
    size_t count = block_store_storages(dn->store, views, VOLUMES_MAX);
    buf_append_str(b, "<h2>Storages</h2><table><tr><th>Directory<th>Id<th class=n>Blocks<th class=n>Used<th class=n>Free"
                      "<th class=n>Capacity</tr>");
    for (size_t i = 0; i < count; i++) {
        buf_append_str(b, views[i].failed ? "<tr class=bad><td>" : "<tr><td>");
        html_escape(b, views[i].dir);
        buf_printf(b, "%s<td>%s<td class=n>%" PRId64 "<td class=n>", views[i].failed ? " (failed)" : "", views[i].storage_id,
                   views[i].replica_count);
        print_bytes(b, views[i].space.used_bytes);
        buf_append_str(b, "<td class=n>");
        print_bytes(b, views[i].space.free_bytes);
        buf_append_str(b, "<td class=n>");
        print_bytes(b, views[i].space.capacity_bytes);
        buf_append_str(b, "</tr>");
    }
    buf_append_str(b, "</table>");
}

static void status_page(struct http_request *request, struct http_reply *reply, void *context)
{
    struct datanode *dn = context;
    struct buf *b = &reply->body;
    struct reporter_status status;
    int64_t now_ms = clock_mono_ms();
    (void)request;
    if (!dn->reporter) { /* a request that came before we are complete */
        http_fail(reply, 503, "starting");
        return;
    }
    reporter_status(dn->reporter, &status);
    reply->content_type = "text/html; charset=utf-8";
    buf_append_str(b, page_begin);
    buf_append_str(b, "<h1>Datanode ");
    html_escape(b, dn->settings.hostname);
    buf_printf(b, ":%u</h1><table><tr><td>Namenode<td>", dn->transfer_port);
    html_escape(b, status.namenode);
    if (!status.registered)
        buf_append_str(b, " <span class=bad>(not registered)</span>");
    buf_append_str(b, "<tr><td>Block pool<td>");
    html_escape(b, block_store_pool_id(dn->store));
    buf_printf(b, "<tr><td>Last heartbeat<td>%" PRId64 " s ago<tr><td>Last full block report<td>%" PRId64 " s ago",
               status.last_heartbeat_ms ? (now_ms - status.last_heartbeat_ms) / 1000 : -1,
               status.last_full_report_ms ? (now_ms - status.last_full_report_ms) / 1000 : -1);
    buf_printf(b, "<tr><td>Blocks<td>%zu<tr><td>Connections<td>%d<tr><td>Copies under way<td>%d<tr><td>Up<td>%" PRId64 " s"
                  "</table>",
               block_store_count(dn->store), xfer_server_active(dn->xfer), status.transfers,
               (now_ms - dn->started_mono_ms) / 1000);
    print_storages(dn, b);
    buf_append_str(b, "<p><a href=\"/jmx\">JMX</a> &middot; <a href=\"/metrics\">Metrics</a></body></html>\n");
}

static void metrics_page(struct http_request *request, struct http_reply *reply, void *context)
{
    struct datanode *dn = context;
    (void)request;
    reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_prometheus(&reply->body);
    buf_printf(&reply->body,
               "# HELP cairn_datanode_blocks Replicas on this datanode.\n# TYPE cairn_datanode_blocks gauge\n"
               "cairn_datanode_blocks %zu\n"
               "# HELP cairn_datanode_connections Open transfer connections.\n# TYPE cairn_datanode_connections gauge\n"
               "cairn_datanode_connections %d\n",
               block_store_count(dn->store), xfer_server_active(dn->xfer));
}

static void jmx_state(struct datanode *dn, struct buf *b)
{
    struct storage_view views[VOLUMES_MAX];
    size_t count = block_store_storages(dn->store, views, VOLUMES_MAX);
    int64_t capacity = 0, used = 0, left = 0;
    int failed = 0;
    for (size_t i = 0; i < count; i++) {
        capacity += views[i].space.capacity_bytes;
        used += views[i].space.used_bytes;
        left += views[i].space.free_bytes;
        failed += views[i].failed;
    }
    buf_printf(b,
               "  {\n    \"name\" : \"Hadoop:service=DataNode,name=FSDatasetState\",\n"
               "    \"modelerType\" : \"FSDatasetState\",\n    \"Capacity\" : %" PRId64 ",\n    \"DfsUsed\" : %" PRId64
               ",\n    \"Remaining\" : %" PRId64 ",\n    \"NumFailedVolumes\" : %d,\n    \"NumBlocks\" : %zu\n  }",
               capacity, used, left, failed, block_store_count(dn->store));
}

static void jmx_info(struct datanode *dn, struct buf *b)
{
    buf_append_str(b, "  {\n    \"name\" : \"Hadoop:service=DataNode,name=DataNodeInfo\",\n"
                      "    \"modelerType\" : \"org.apache.hadoop.hdfs.server.datanode.DataNode\",\n    \"Version\" : \"" SOFTWARE_VERSION
                      "\",\n    \"SoftwareVersion\" : \"" SOFTWARE_VERSION "\",\n    \"DatanodeHostname\" : ");
    json_escape(b, dn->settings.hostname);
    buf_printf(b,
               ",\n    \"DataPort\" : \"%u\",\n    \"RpcPort\" : \"%u\",\n    \"HttpPort\" : \"%u\",\n"
               "    \"DNStartedTimeInMillis\" : %" PRId64 ",\n    \"XceiverCount\" : %d\n  }",
               dn->transfer_port, dn->ipc_port, dn->http_port, dn->started_wall_ms, xfer_server_active(dn->xfer));
}

static void jmx_activity(struct buf *b)
{
    const struct {
        const char *name;
        const struct metric *metric;
    } rows[] = {{"BytesWritten", &datanode_bytes_written},       {"BytesRead", &datanode_bytes_read},
                {"BlocksWritten", &datanode_blocks_written},     {"BlocksRead", &datanode_blocks_read},
                {"BlocksReplicated", &datanode_blocks_replicated}, {"BlocksRemoved", &datanode_blocks_removed},
                {"BlocksVerified", &datanode_blocks_verified},   {"BlockVerificationFailures", &datanode_verification_failures},
                {"VolumeFailures", &datanode_volume_failures},   {"HeartbeatsNumOps", &datanode_heartbeats}};
    buf_append_str(b, "  {\n    \"name\" : \"Hadoop:service=DataNode,name=DataNodeActivity\"");
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        buf_printf(b, ",\n    \"%s\" : %" PRId64, rows[i].name, (int64_t)atomic_load(&rows[i].metric->value));
    buf_append_str(b, "\n  }");
}

static bool jmx_wanted(struct http_request *request, const char *name)
{
    const char *query = http_query(request, "qry");
    if (!query || !strcmp(query, "*:*") || !strcmp(query, "Hadoop:*"))
        return true;
    size_t len = strlen(query);
    return len && query[len - 1] == '*' ? !strncmp(query, name, len - 1) : !strcmp(query, name);
}

static void jmx_page(struct http_request *request, struct http_reply *reply, void *context)
{
    struct datanode *dn = context;
    struct buf *b = &reply->body;
    const char *separator = "";
    reply->content_type = "application/json; charset=utf8";
    buf_append_str(b, "{\n  \"beans\" : [\n");
    if (jmx_wanted(request, "Hadoop:service=DataNode,name=FSDatasetState")) {
        jmx_state(dn, b);
        separator = ",\n";
    }
    if (jmx_wanted(request, "Hadoop:service=DataNode,name=DataNodeInfo")) {
        buf_append_str(b, separator);
        jmx_info(dn, b);
        separator = ",\n";
    }
    if (jmx_wanted(request, "Hadoop:service=DataNode,name=DataNodeActivity")) {
        buf_append_str(b, separator);
        jmx_activity(b);
        separator = ",\n";
    }
    char rpc_name[128];
    rpc_jmx_name(dn->ipc, "DataNode", rpc_name);
    if (jmx_wanted(request, rpc_name)) {
        buf_append_str(b, separator);
        rpc_jmx_bean(dn->ipc, "DataNode", b);
    }
    buf_append_str(b, "\n  ]\n}\n");
}

static struct webhdfs *webhdfs_start(struct datanode *dn)
{
    char address[NET_ADDRESS_MAX], uri[NET_ADDRESS_MAX + 16];
    snprintf(uri, sizeof uri, "hdfs://%s", net_format(&dn->settings.namenode, address));
    struct webhdfs_options options = {.role = WEBHDFS_DATANODE, .config = dn->config, .namenode_uri = uri};
    return webhdfs_new(&options);
}

int http_pages_start(struct datanode *dn, struct http_server **ret, struct err *reterr)
{
    dn->webhdfs = webhdfs_start(dn);
    const struct http_route routes[] = {{"GET", "/", status_page},
                                        {"GET", "/jmx", jmx_page},
                                        {"GET", "/metrics", metrics_page},
                                        {"GET", "/prom", metrics_page},
                                        WEBHDFS_ROUTE(dn->webhdfs)};
    struct http_options options = {.listen = dn->settings.http_listen,
                                   .routes = routes,
                                   .route_count = ARRAY_COUNT(routes),
                                   .context = dn,
                                   .pool_threads = 24};
    int rc = http_start(&options, ret, reterr);
    return rc < 0 ? err_prefix(reterr, rc, "dfs.datanode.http.address") : 0;
}

#include "datanode/serve/http_pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/http_page.h"
#include "common/http_servlets.h"
#include "common/jmx.h"
#include "datanode/report/reporter.h"
#include "datanode/serve/xfer.h"
#include "datanode/store/block_cache.h"
#include "rpc/jmx.h"
#include "webhdfs/webhdfs.h"

static void print_storages(struct datanode *dn, struct buf *b)
{
    struct storage_view views[VOLUMES_MAX];
    size_t count = block_store_storages(dn->store, views, VOLUMES_MAX);
    buf_append_str(b,
                   "<h2>Storages</h2><table><tr><th>Directory<th>Id<th class=n>Blocks<th class=n>Used<th class=n>Free"
                   "<th class=n>Capacity</tr>");
    for (size_t i = 0; i < count; i++) {
        buf_append_str(b, views[i].failed ? "<tr class=bad><td>" : "<tr><td>");
        html_escape(b, views[i].dir);
        buf_printf(b, "%s<td>%s<td class=n>%" PRId64 "<td class=n>", views[i].failed ? " (failed)" : "",
                   views[i].storage_id, views[i].replica_count);
        html_bytes(b, (uint64_t)views[i].space.used_bytes);
        buf_append_str(b, "<td class=n>");
        html_bytes(b, (uint64_t)views[i].space.free_bytes);
        buf_append_str(b, "<td class=n>");
        html_bytes(b, (uint64_t)views[i].space.capacity_bytes);
        buf_append_str(b, "</tr>");
    }
    buf_append_str(b, "</table>");
}

/* A request that came before we are complete is answered. */
static bool is_starting(struct datanode *dn, struct http_reply *reply)
{
    if (dn->reporter)
        return false;
    http_fail(reply, 503, "starting");
    return true;
}

static void status_page(struct http_request *request, struct http_reply *reply, void *context)
{
    struct datanode *dn = context;
    struct buf *b = &reply->body;
    struct reporter_status status;
    int64_t now_ms = clock_mono_ms();
    (void)request;
    if (is_starting(dn, reply))
        return;
    reporter_status(dn->reporter, &status);
    char title[sizeof dn->settings.hostname + 32];
    snprintf(title, sizeof title, "Datanode %s:%u", dn->settings.hostname, dn->transfer_port);
    http_page_begin(reply, title);
    buf_append_str(b, "<table><tr><td>Namenode<td>");
    html_escape(b, status.namenode);
    if (!status.registered)
        buf_append_str(b, " <span class=bad>(not registered)</span>");
    buf_append_str(b, "<tr><td>Block pool<td>");
    html_escape(b, block_store_pool_id(dn->store));
    buf_printf(b, "<tr><td>Last heartbeat<td>%" PRId64 " s ago<tr><td>Last full block report<td>%" PRId64 " s ago",
               status.last_heartbeat_ms ? (now_ms - status.last_heartbeat_ms) / 1000 : -1,
               status.last_full_report_ms ? (now_ms - status.last_full_report_ms) / 1000 : -1);
    buf_printf(b,
               "<tr><td>Blocks<td>%zu<tr><td>Connections<td>%d<tr><td>Copies under way<td>%d<tr><td>Up<td>%" PRId64 " s"
               "</table>",
               block_store_count(dn->store), xfer_server_active(dn->xfer), status.transfers,
               (now_ms - dn->started_mono_ms) / 1000);
    print_storages(dn, b);
    buf_append_str(b, "<p><a href=\"/jmx\">JMX</a> &middot; <a href=\"/metrics\">Metrics</a>\n");
}

static void metrics_page(struct http_request *request, struct http_reply *reply, void *context)
{
    struct datanode *dn = context;
    (void)request;
    reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
    struct small_totals small = block_store_small_totals(dn->store);
    metrics_prometheus(&reply->body);
    buf_printf(&reply->body,
               "# HELP cairn_datanode_blocks Replicas on this datanode.\n# TYPE cairn_datanode_blocks gauge\n"
               "cairn_datanode_blocks %zu\n"
               "# HELP cairn_datanode_connections Open transfer connections.\n# TYPE cairn_datanode_connections gauge\n"
               "cairn_datanode_connections %d\n"
               "# HELP cairn_datanode_small_replicas Those that are in a log.\n"
               "# TYPE cairn_datanode_small_replicas gauge\ncairn_datanode_small_replicas %" PRIu64 "\n"
               "# HELP cairn_datanode_small_log_bytes What their logs take.\n"
               "# TYPE cairn_datanode_small_log_bytes gauge\ncairn_datanode_small_log_bytes %" PRIu64 "\n",
               block_store_count(dn->store), xfer_server_active(dn->xfer), small.replicas, small.file_bytes);
}

/* ---- /jmx ---- */

static void jmx_state(struct datanode *dn, json_t *beans)
{
    struct storage_view views[VOLUMES_MAX];
    size_t count = block_store_storages(dn->store, views, VOLUMES_MAX);
    int64_t capacity = 0, used = 0, left = 0, failed = 0;
    json_t *volumes = json_object();
    for (size_t i = 0; i < count; i++) {
        capacity += views[i].space.capacity_bytes;
        used += views[i].space.used_bytes;
        left += views[i].space.free_bytes;
        failed += views[i].failed;
        json_object_set_new(volumes, views[i].dir,
                            json_pack("{s:I, s:I, s:I, s:I}", "usedSpace", (json_int_t)views[i].space.used_bytes,
                                      "freeSpace", (json_int_t)views[i].space.free_bytes, "reservedSpace",
                                      (json_int_t)0, "numBlocks", (json_int_t)views[i].replica_count));
    }
    json_t *b = jmx_bean(beans, "Hadoop:service=DataNode,name=FSDatasetState", "FSDatasetState");
    jmx_number(b, "Capacity", capacity);
    jmx_number(b, "DfsUsed", used);
    jmx_number(b, "Remaining", left);
    jmx_number(b, "NumFailedVolumes", failed);
    jmx_number(b, "NumBlocks", (int64_t)block_store_count(dn->store));
    jmx_number(b, "CacheCapacity", (int64_t)block_cache_max_bytes(dn->cache));
    jmx_number(b, "CacheUsed", (int64_t)block_cache_used_bytes(dn->cache));
    b = jmx_bean(beans, "Hadoop:service=DataNode,name=DataNodeInfo", "org.apache.hadoop.hdfs.server.datanode.DataNode");
    jmx_inner(b, "VolumeInfo", volumes);
}

/* One row per namenode; this datanode has one. Numbers are strings, as in HDFS. */
static json_t *actor_info(struct datanode *dn, const struct reporter_status *status)
{
    int64_t now_ms = clock_mono_ms();
    char heartbeat_s[24], report_s[24];
    snprintf(heartbeat_s, sizeof heartbeat_s, "%" PRId64, (now_ms - status->last_heartbeat_ms) / 1000);
    snprintf(report_s, sizeof report_s, "%" PRId64, (now_ms - status->last_full_report_ms) / 1000);
    return json_pack("[{s:s, s:s, s:s, s:s, s:s, s:s}]", "NamenodeAddress", status->namenode, "NamenodeHaState",
                     "active", "BlockPoolID", block_store_pool_id(dn->store), "ActorState",
                     status->registered ? "RUNNING" : "CONNECTING", "LastHeartbeat", heartbeat_s, "LastBlockReport",
                     report_s);
}

static void jmx_info(struct datanode *dn, json_t *b)
{
    struct reporter_status status;
    char port[16];
    reporter_status(dn->reporter, &status);
    jmx_text(b, "Version", SOFTWARE_VERSION);
    jmx_text(b, "SoftwareVersion", SOFTWARE_VERSION);
    jmx_text(b, "DatanodeHostname", dn->settings.hostname);
    snprintf(port, sizeof port, "%u", dn->transfer_port);
    jmx_text(b, "DataPort", port);
    snprintf(port, sizeof port, "%u", dn->ipc_port);
    jmx_text(b, "RpcPort", port);
    snprintf(port, sizeof port, "%u", dn->http_port);
    jmx_text(b, "HttpPort", port);
    jmx_number(b, "DNStartedTimeInMillis", dn->started_wall_ms);
    jmx_number(b, "XceiverCount", xfer_server_active(dn->xfer));
    jmx_number(b, "XmitsInProgress", status.transfers);
    jmx_bool(b, "SecurityEnabled", false);
    jmx_inner(b, "NamenodeAddresses", json_pack("{s:s}", status.namenode, block_store_pool_id(dn->store)));
    jmx_inner(b, "BPServiceActorInfo", actor_info(dn, &status));
}

static void jmx_activity(struct datanode *dn, json_t *beans)
{
    const struct {
        const char *name;
        const struct metric *metric;
    } rows[] = {{"BytesWritten", &datanode_bytes_written},
                {"BytesRead", &datanode_bytes_read},
                {"BlocksWritten", &datanode_blocks_written},
                {"BlocksRead", &datanode_blocks_read},
                {"BlocksReplicated", &datanode_blocks_replicated},
                {"BlocksRemoved", &datanode_blocks_removed},
                {"BlocksVerified", &datanode_blocks_verified},
                {"BlockVerificationFailures", &datanode_verification_failures},
                {"VolumeFailures", &datanode_volume_failures},
                {"HeartbeatsNumOps", &datanode_heartbeats},
                {"WriteBlockOpNumOps", &datanode_blocks_written},
                {"ReadBlockOpNumOps", &datanode_blocks_read}};
    char name[400];
    snprintf(name, sizeof name, "Hadoop:service=DataNode,name=DataNodeActivity-%s-%u", dn->settings.hostname,
             dn->transfer_port);
    json_t *b = jmx_bean(beans, name, name + strlen("Hadoop:service=DataNode,name="));
    jmx_text(b, "tag.Context", "dfs");
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        jmx_number(b, rows[i].name, atomic_load(&rows[i].metric->value));
}

static void jmx_page(struct http_request *request, struct http_reply *reply, void *context)
{
    struct datanode *dn = context;
    if (is_starting(dn, reply))
        return;
    json_t *beans = json_array();
    jmx_state(dn, beans);
    jmx_info(dn, json_array_get(beans, json_array_size(beans) - 1));
    jmx_activity(dn, beans);
    jmx_add_rpc(beans, "DataNode", dn->ipc_port);
    struct buf calls = {0};
    rpc_jmx_bean(dn->ipc, "DataNode", &calls);
    jmx_add_text(beans, &calls);
    buf_free(&calls);
    jmx_add_process(beans, "DataNode", dn->started_wall_ms);
    jmx_answer(request, reply, beans);
}

static int webhdfs_start(struct datanode *dn, struct err *reterr)
{
    char address[NET_ADDRESS_MAX], uri[NET_ADDRESS_MAX + 16];
    snprintf(uri, sizeof uri, "hdfs://%s", net_format(&dn->settings.namenode, address));
    struct webhdfs_options options = {.role = WEBHDFS_DATANODE, .config = dn->config, .namenode_uri = uri};
    return webhdfs_new(&options, &dn->webhdfs, reterr);
}

int http_pages_start(struct datanode *dn, struct http_server **ret, struct err *reterr)
{
    int rc = webhdfs_start(dn, reterr);
    if (rc < 0)
        return rc;
    const struct http_route routes[] = {{"GET", "/", status_page},
                                        {"GET", "/jmx", jmx_page},
                                        {"GET", "/metrics", metrics_page},
                                        {"GET", "/prom", metrics_page},
                                        {"GET", "/datanode.html", status_page},
                                        HTTP_SERVLET_ROUTES(dn->config),
                                        WEBHDFS_ROUTE(dn->webhdfs)};
    struct http_options options = {.listen = dn->settings.http_listen,
                                   .routes = routes,
                                   .route_count = ARRAY_COUNT(routes),
                                   .context = dn,
                                   .pool_threads = 24,
                                   .later_threads = 8}; /* checksums, and files being written: they wait for other datanodes */
    rc = http_start(&options, ret, reterr);
    return rc < 0 ? err_prefix(reterr, rc, "dfs.datanode.http.address") : 0;
}

#include "namenode/pages/pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/advertised.h"
#include "common/clock.h"
#include "common/http_page.h"
#include "common/http_servlets.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "namenode/blocks/blocks.h"
#include "namenode/pages/fsck.h"
#include "namenode/pages/jmx.h"
#include "namenode/pages/servlets.h"
#include "namenode/namespace/leases.h"
#include "namenode/namespace/tokens.h"
#include "namenode/namespace/txn.h"
#include "rpc/local_call.h"
#include "webhdfs/origin.h"
#include "webhdfs/webhdfs.h"

#define PAGE_MEMORY_MAX (64u << 20)

struct pages {
    struct namenode *nn;
    struct http_server *http;
    struct rpc_server *rpc;
    struct webhdfs *webhdfs;
};

/* ---- the status page ---- */

static void row_text(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, "<tr><td>%s<td class=n>", name);
    html_escape(b, value);
}

static void row_number(struct buf *b, const char *name, uint64_t value, bool bad_if_any)
{
    buf_printf(b, "<tr><td>%s<td class=\"n%s\">%" PRIu64, name, bad_if_any && value ? " bad" : "", value);
}

static void row_bytes(struct buf *b, const char *name, uint64_t value)
{
    buf_printf(b, "<tr><td>%s<td class=n>", name);
    html_bytes(b, value);
}

static void nodes_table(struct buf *b, const struct blocks *blocks, uint64_t now_ms)
{
    struct arena a;
    const struct datanode_info **nodes = NULL;
    arena_init(&a, PAGE_MEMORY_MAX);
    size_t count = blocks_datanodes(blocks, DATANODES_ALL, &a, &nodes);
    buf_append_str(b,
                   "<h2>Datanodes</h2><table><tr><th>Node<th>Rack<th>State<th class=n>Last contact<th class=n>Capacity"
                   "<th class=n>Used<th class=n>Remaining<th class=n>Blocks<th class=n>Failed volumes");
    for (size_t i = 0; i < count; i++) {
        const struct datanode_info *d = nodes[i];
        buf_append_str(b, "<tr><td>");
        html_escape(b, d->hostname);
        buf_printf(b, " (%s:%u)<td>", d->ip, d->xfer_port);
        html_escape(b, d->rack);
        buf_printf(b, "<td class=%s>%s<td class=n>%" PRIu64 " s<td class=n>", d->alive ? "ok" : "bad",
                   d->alive ? d->stale ? "stale" : "live" : "dead",
                   d->last_heartbeat_ms ? (now_ms - d->last_heartbeat_ms) / 1000 : 0);
        html_bytes(b, d->capacity_bytes);
        buf_append_str(b, "<td class=n>");
        html_bytes(b, d->used_bytes);
        buf_append_str(b, "<td class=n>");
        html_bytes(b, d->remaining_bytes);
        buf_printf(b, "<td class=n>%u<td class=n>%u", d->block_count, d->failed_volumes);
    }
    buf_append_str(b, "</table>");
    arena_free(&a);
}

static void status_page(struct http_request *request, struct http_reply *reply, void *context)
{
    struct namenode *nn = context;
    struct blocks_stats s;
    struct buf *b = &reply->body;
    uint64_t now_ms = (uint64_t)clock_mono_ms();
    AUTO(buf_free) struct buf safe_mode = {0};
    char title[sizeof nn->address + 16];
    snprintf(title, sizeof title, "Namenode %s", nn->address);
    http_page_begin(reply, title);
    namenode_lock(nn);
    blocks_stats(nn->blocks, &s);
    if (blocks_in_safe_mode(nn->blocks))
        blocks_safe_mode_text(nn->blocks, now_ms, &safe_mode);
    struct counters c = nn->dir->counters;
    if (safe_mode.len) {
        buf_append_str(b, "<p class=bad>");
        html_escape(b, buf_cstr(&safe_mode));
    }
    buf_append_str(b, "<h2>File system</h2><table>");
    row_text(b, "Cluster", nn->ids.cluster_id);
    row_text(b, "Block pool", nn->ids.block_pool_id);
    row_number(b, "Uptime, seconds", (now_ms - nn->started_ms) / 1000, false);
    row_number(b, "Files and directories", c.inodes, false);
    row_number(b, "Blocks", c.blocks, false);
    row_number(b, "Files being written", leases_file_count(nn->leases), false);
    row_bytes(b, "Capacity", s.capacity_bytes);
    row_bytes(b, "Used", s.used_bytes);
    row_bytes(b, "Remaining", s.remaining_bytes);
    row_number(b, "Live datanodes", s.live, false);
    row_number(b, "Dead datanodes", s.dead, true);
    row_number(b, "Under-replicated blocks", s.under_replicated, true);
    row_number(b, "Missing blocks", s.missing, true);
    row_number(b, "Corrupt blocks", s.corrupt, true);
    row_number(b, "Replicas waiting to be deleted", s.pending_deletion, false);
    buf_append_str(b, "</table>");
    nodes_table(b, nn->blocks, now_ms);
    namenode_unlock(nn);
    buf_append_str(b, "<p><a href=\"/jmx\">jmx</a> &middot; <a href=\"/metrics\">metrics</a> &middot; "
                      "<a href=\"/fsck?path=/&amp;files=1&amp;blocks=1\">fsck</a> &middot; <a "
                      "href=\"/explorer.html#/\">files</a> &middot; "
                      "<a href=\"/conf\">settings</a>");
}

/* ---- metrics ---- */

static struct metric metrics[] = {
    {"cairn_namenode_inodes", "Files, directories and links", METRIC_GAUGE},
    {"cairn_namenode_blocks", "Blocks of files", METRIC_GAUGE},
    {"cairn_namenode_files_open", "Files being written", METRIC_GAUGE},
    {"cairn_namenode_mutations_total", "Changes of the namespace since start", METRIC_COUNTER},
    {"cairn_namenode_syncs_total", "Syncs of the journal since start", METRIC_COUNTER},
    {"cairn_namenode_capacity_bytes", "Capacity of all live datanodes", METRIC_GAUGE},
    {"cairn_namenode_used_bytes", "Used on all live datanodes", METRIC_GAUGE},
    {"cairn_namenode_remaining_bytes", "Free on all live datanodes", METRIC_GAUGE},
    {"cairn_namenode_datanodes_live", "Live datanodes", METRIC_GAUGE},
    {"cairn_namenode_datanodes_dead", "Dead datanodes", METRIC_GAUGE},
    {"cairn_namenode_blocks_under_replicated", "Blocks with too few replicas", METRIC_GAUGE},
    {"cairn_namenode_blocks_missing", "Blocks without a live replica", METRIC_GAUGE},
    {"cairn_namenode_blocks_corrupt", "Blocks with a corrupt replica", METRIC_GAUGE},
    {"cairn_namenode_replicas_copied_total", "Replicas made by re-replication since start", METRIC_COUNTER},
    {"cairn_namenode_safe_mode", "1 in safe mode", METRIC_GAUGE},
    {"cairn_namenode_block_map_bytes", "Memory of the block map", METRIC_GAUGE},
};

static void metrics_page(struct http_request *request, struct http_reply *reply, void *context)
{
    struct namenode *nn = context;
    struct blocks_stats s;
    namenode_lock(nn);
    blocks_stats(nn->blocks, &s);
    struct journal_stats j = journal_stats(nn->journal);
    const uint64_t values[] = {nn->dir->counters.inodes,
                               nn->dir->counters.blocks,
                               leases_file_count(nn->leases),
                               j.mutations,
                               j.syncs,
                               s.capacity_bytes,
                               s.used_bytes,
                               s.remaining_bytes,
                               s.live,
                               s.dead,
                               s.under_replicated,
                               s.missing,
                               s.corrupt,
                               s.replicas_copied,
                               blocks_in_safe_mode(nn->blocks),
                               s.memory_bytes};
    namenode_unlock(nn);
    _Static_assert(ARRAY_COUNT(values) == ARRAY_COUNT(metrics), "one value per metric");
    for (size_t i = 0; i < ARRAY_COUNT(metrics); i++)
        metric_set(&metrics[i], (int64_t)values[i]);
    reply->content_type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_prometheus(&reply->body);
}

/* ---- life ---- */

/* WebHDFS's way into ClientProtocol: the methods that RPC serves, without a socket. */
static int call_in_process(void *context, const char *user, const char *client_ip, const char *method,
                           const ProtobufCMessage *request, const ProtobufCMessageDescriptor *response_type,
                           struct arena *a, ProtobufCMessage **ret, struct err *reterr)
{
    struct pages *p = context;
    struct rpc_local_call call = {.user = user,
                                  .client_ip = client_ip,
                                  .protocol = "org.apache.hadoop.hdfs.protocol.ClientProtocol",
                                  .method = method,
                                  .request = request,
                                  .response_type = response_type};
    return rpc_server_call(p->rpc, &call, a, ret, reterr);
}

static int token_user(void *context, const Hdfs__TokenProto *token, struct arena *a, const char **ret_user,
                      struct err *reterr)
{
    struct pages *p = context;
    struct token_id id = {0};
    namenode_lock(p->nn);
    bool counts = p->nn->tokens->are_issued;
    int rc = counts ? tokens_check(p->nn->tokens, (struct slice){token->identifier.data, token->identifier.len},
                                   (struct slice){token->password.data, token->password.len}, clock_wall_ms(), a, &id,
                                   reterr)
                    : 0;
    namenode_unlock(p->nn);
    if (!rc && counts)
        *ret_user = id.owner;
    return rc;
}

/* An address that is advertised to this client stands beside the datanode's own name in lists; here it is what counts.
 */
static const char *datanode_host(void *context, const char *uuid, const char *client_ip, struct arena *a)
{
    struct pages *p = context;
    namenode_lock(p->nn);
    const struct datanode_info *d = blocks_datanode_by_uuid(p->nn->blocks, uuid);
    const struct advertised_address *special = d ? advertised_find(d->advertised, client_ip) : NULL;
    const char *host = special ? arena_strdup(a, special->host) : NULL;
    namenode_unlock(p->nn);
    return host;
}

static int webhdfs_start(struct namenode *nn, struct pages *p, const char *user, struct err *reterr)
{
    char uri[sizeof nn->address + 16];
    snprintf(uri, sizeof uri, "hdfs://%s", nn->address);
    struct webhdfs_options options = {.role = WEBHDFS_NAMENODE,
                                      .config = nn->config,
                                      .caller = {call_in_process, token_user, datanode_host, p},
                                      .namenode_uri = uri,
                                      .proxy_users = nn->proxy_users,
                                      .process_user = user};
    return webhdfs_new(&options, &p->webhdfs, reterr);
}

static void metrics_begin(void)
{
    static bool registered;
    for (size_t i = 0; !registered && i < ARRAY_COUNT(metrics); i++)
        metric_register(&metrics[i]);
    registered = true;
}

int pages_start(struct namenode *nn, struct rpc_server *rpc, const char *user, const struct net_address *listen,
                struct pages **ret, struct err *reterr)
{
    struct pages *p = mem_new(struct pages);
    metrics_begin();
    p->rpc = rpc;
    p->nn = nn;
    int rc = webhdfs_start(nn, p, user, reterr);
    if (rc) {
        free(p);
        return rc;
    }
    const struct http_route routes[] = {
        {"GET", "/", status_page},      {"GET", "/dfshealth.html", status_page},
        {"GET", "/jmx", jmx_page},      {"GET", "/metrics", metrics_page},
        {"GET", "/prom", metrics_page}, {"GET", "/fsck", fsck_page, .may_block = true}, /* a walk over the whole tree */
        NAMENODE_SERVLET_ROUTES,        HTTP_SERVLET_ROUTES(nn->config),
        WEBHDFS_ROUTE(p->webhdfs),
    };
    struct http_options options = {.listen = *listen,
                                   .routes = routes,
                                   .route_count = ARRAY_COUNT(routes),
                                   .context = nn,
                                   .pool_threads = 16,
                                   .data_threads = 4, /* listings */
                                   .on_reply = origin_add_headers,
                                   .on_reply_context = (void *)(uintptr_t)nn->config};
    rc = http_start(&options, &p->http, reterr);
    if (rc) {
        webhdfs_free(p->webhdfs);
        free(p);
        return err_prefix(reterr, rc, "HTTP (dfs.namenode.http-address)");
    }
    *ret = p;
    return 0;
}

uint16_t pages_port(const struct pages *p)
{
    return http_port(p->http);
}

void pages_stop(struct pages *p)
{
    if (!p)
        return;
    http_stop(p->http);
    webhdfs_free(p->webhdfs);
    free(p);
}

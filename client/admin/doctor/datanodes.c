/* The datanodes: who is missing, stale, full or broken, and who cannot be reached from here. */
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/admin/doctor/doctor.h"
#include "common/clock.h"
#include "common/mem.h"
#include "hdfs/client_datanode.pb-c.h"
#include "hdfs/data_transfer.pb-c.h"
#include "proto/op_header.h"
#include "rpc/rpc_client.h"

#define CHECKS_AT_ONCE  16
#define SKEW_WARNING_MS 5000
#define FULL_PERCENT    95
#define IPC_PROTOCOL    "org.apache.hadoop.hdfs.protocol.ClientDatanodeProtocol"
#define NAMES_SHOWN_MAX 10
#define GIB             ((int64_t)1 << 30)

/* ---- one datanode, from here ---- */

struct check {
    struct doctor *d;
    const struct dfs_datanode *node;
    bool by_name;
    char version[64];
};

static const char *host_of(const struct check *c)
{
    return c->by_name ? c->node->host_name : c->node->ip;
}

static const char *named(const struct check *c, char out[600])
{
    snprintf(out, 600, "datanode %s:%u (%.250s)", c->node->ip, c->node->xfer_port, c->node->host_name);
    return out;
}

static bool resolves_to(const char *name, const char *ip, char ret_ips[256])
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    size_t used = 0;
    bool found = false;
    ret_ips[0] = 0;
    if (getaddrinfo(name, NULL, &hints, &list) != 0)
        return false;
    for (struct addrinfo *i = list; i; i = i->ai_next) {
        char text[64];
        if (getnameinfo(i->ai_addr, i->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) != 0)
            continue;
        found |= strcmp(text, ip) == 0;
        if (used < 200 && !strstr(ret_ips, text))
            used += (size_t)snprintf(ret_ips + used, 256 - used, "%s%s", used ? ", " : "", text);
    }
    freeaddrinfo(list);
    return found;
}

static void check_name(const struct check *c)
{
    char ips[256], who[600];
    const struct dfs_datanode *n = c->node;
    if (net_is_literal(n->host_name) || resolves_to(n->host_name, n->ip, ips))
        return;
    enum severity severity = c->by_name && !*ips ? SEVERITY_ERROR : c->by_name ? SEVERITY_WARNING : SEVERITY_NOTE;
    const char *remedy =
        c->by_name
            ? "add the name to DNS or /etc/hosts here, or set dfs.client.use.datanode.hostname=false"
            : "nothing to do unless clients connect by name (dfs.client.use.datanode.hostname) or plan work by it; "
              "else make DNS or /etc/hosts agree, or set dfs.datanode.hostname there";
    if (!*ips)
        doctor_say(c->d, severity, "datanode-name", remedy, "%s: its name is not known on this machine", named(c, who));
    else
        doctor_say(c->d, severity, "datanode-name", remedy, "%s: its name means %s on this machine", named(c, who),
                   ips);
}

/* Asks for a block that nobody has: any answer comes from a datanode. A connection alone tells nothing where gateways
 * and proxies accept for others. */
static int ask_for_a_block(int fd, const struct doctor *d, struct err *reterr)
{
    AUTO(arena_free) struct arena arena;
    arena_init(&arena, 1 << 20);
    Hdfs__ExtendedBlockProto block = HDFS__EXTENDED_BLOCK_PROTO__INIT;
    Hdfs__TokenProto token = HDFS__TOKEN_PROTO__INIT;
    Hdfs__BaseHeaderProto base = HDFS__BASE_HEADER_PROTO__INIT;
    Hdfs__ClientOperationHeaderProto header = HDFS__CLIENT_OPERATION_HEADER_PROTO__INIT;
    Hdfs__OpReadBlockProto request = HDFS__OP_READ_BLOCK_PROTO__INIT;
    const char *pool = json_string_value(json_object_get(d->info, "BlockPoolId"));
    block.poolid = (char *)(uintptr_t)(pool ? pool : "");
    token.kind = token.service = (char *)"";
    base.block = &block;
    base.token = &token;
    header.baseheader = &base;
    header.clientname = (char *)(uintptr_t)dfs_client_name(d->fs);
    request.header = &header;
    request.len = 1;
    ProtobufCMessage *answer;
    int rc = op_write(fd, OP_READ_BLOCK, &request.base, reterr);
    if (rc == 0)
        rc = delimited_read(fd, &hdfs__block_op_response_proto__descriptor, &arena, &answer, reterr);
    /* The block pool is told by the namenode's pages. Who names another one waits at Apache's until it hangs up. */
    return (rc == ERR_CLOSED || rc == ERR_TIMEOUT) && !pool ? 0 : rc;
}

static void check_transfer(const struct check *c)
{
    struct net_address a = {.port = c->node->xfer_port};
    AUTO(net_closep) int fd = -1;
    struct err why;
    char who[600];
    snprintf(a.host, sizeof a.host, "%s", host_of(c));
    int rc = net_connect(&a, NULL, c->d->timeout_ms, &fd, &why);
    if (rc == 0) {
        net_set_timeouts(fd, c->d->timeout_ms, c->d->timeout_ms);
        rc = ask_for_a_block(fd, c->d, &why);
    }
    if (rc == 0)
        return;
    doctor_say(c->d, SEVERITY_ERROR, "datanode-unreachable",
               "if it runs and only this machine cannot reach it: open the port, publish it and tell clients the "
               "published address "
               "(cairn.datanode.advertised.addresses, or dfs.datanode.hostname there with "
               "dfs.client.use.datanode.hostname=true here)",
               "%s: the transfer port cannot be reached from here, so its blocks can be neither read nor written: %s",
               named(c, who), why.text);
}

static void check_ipc(struct check *c)
{
    struct net_address a = {.port = c->node->ipc_port};
    struct rpc_client_options o = {.addresses = &a,
                                   .address_count = 1,
                                   .protocol = IPC_PROTOCOL,
                                   .user = dfs_user(c->d->fs),
                                   .connect_timeout_ms = c->d->timeout_ms,
                                   .call_timeout_ms = c->d->timeout_ms};
    struct rpc_client *client;
    struct err why;
    char who[600];
    snprintf(a.host, sizeof a.host, "%s", host_of(c));
    if (rpc_client_new(&o, &client, &why) < 0)
        return;
    AUTO(arena_free) struct arena arena;
    arena_init(&arena, 1 << 20);
    Hdfs__GetDatanodeInfoRequestProto request = HDFS__GET_DATANODE_INFO_REQUEST_PROTO__INIT;
    ProtobufCMessage *answer;
    int rc = rpc_client_call(client, "getDatanodeInfo", &request.base,
                             &hdfs__get_datanode_info_response_proto__descriptor, &arena, &answer, &why);
    rpc_client_free(client);
    if (rc == 0)
        snprintf(c->version, sizeof c->version, "%.63s",
                 ((Hdfs__GetDatanodeInfoResponseProto *)answer)->localinfo->softwareversion);
    else if (rc == ERR_CONNECT || rc == ERR_TIMEOUT || rc == ERR_CLOSED || rc == ERR_PROTOCOL)
        doctor_say(c->d, SEVERITY_WARNING, "datanode-ipc-unreachable",
                   "open or publish dfs.datanode.ipc.address (9867) as well; without it files that are being written "
                   "cannot be read",
                   "%s: its RPC port %u cannot be used from here: %.*s", named(c, who), a.port,
                   (int)strcspn(why.text, "\n"), why.text);
}

static void check_clock(const struct check *c)
{
    struct net_address a = {.port = c->node->info_port};
    struct page page;
    char who[600];
    snprintf(a.host, sizeof a.host, "%s", host_of(c));
    if (!a.port || page_get(&a, "/", c->d->timeout_ms, &page, NULL) < 0)
        return;
    int64_t skew_ms = page.date_ms - clock_wall_ms();
    buf_free(&page.body);
    if (page.date_ms && llabs(skew_ms) >= SKEW_WARNING_MS)
        doctor_say(c->d, SEVERITY_WARNING, "clock-skew",
                   "set both clocks by a time service (chrony, systemd-timesyncd)",
                   "%s: its clock is %" PRId64 " s %s this machine's", named(c, who), (int64_t)llabs(skew_ms) / 1000,
                   skew_ms > 0 ? "ahead of" : "behind");
}

/* ---- all of them, some at a time: what does not answer takes its time ---- */

struct round {
    struct check *checks;
    size_t count, next;
    pthread_mutex_t lock;
};

static void *round_run(void *arg)
{
    struct round *r = arg;
    for (;;) {
        pthread_mutex_lock(&r->lock);
        struct check *c = r->next < r->count ? &r->checks[r->next++] : NULL;
        pthread_mutex_unlock(&r->lock);
        if (!c)
            return NULL;
        check_name(c);
        check_transfer(c);
        check_ipc(c);
        check_clock(c);
    }
}

static void check_versions(struct doctor *d, const struct check *checks, size_t count)
{
    AUTO(buf_free) struct buf seen = {0};
    size_t different = 0;
    for (size_t i = 0; i < count; i++) {
        if (!*checks[i].version || (seen.len && strstr(buf_cstr(&seen), checks[i].version)))
            continue;
        different++;
        buf_printf(&seen, "%s%s (%s:%u)", seen.len ? ", " : "", checks[i].version, checks[i].node->ip,
                   checks[i].node->xfer_port);
    }
    if (different > 1)
        doctor_say(d, SEVERITY_WARNING, "version-mixture", "finish the upgrade: run one version everywhere",
                   "the datanodes run different versions: %s", buf_cstr(&seen));
}

static void check_from_here(struct doctor *d)
{
    AUTO(mem_freep) struct check *checks = mem_calloc(d->live_count + 1, sizeof *checks);
    struct round r = {.checks = checks, .count = d->live_count, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[CHECKS_AT_ONCE];
    size_t started = 0;
    for (size_t i = 0; i < d->live_count; i++)
        checks[i] = (struct check){
            .d = d, .node = &d->live[i], .by_name = config_bool(d->config, "dfs.client.use.datanode.hostname")};
    while (started < CHECKS_AT_ONCE && started < d->live_count &&
           pthread_create(&threads[started], NULL, round_run, &r) == 0)
        started++;
    if (!started)
        round_run(&r);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    check_versions(d, checks, d->live_count);
}

/* ---- as the namenode sees them ---- */

static void check_dead(struct doctor *d)
{
    for (size_t i = 0; i < d->dead_count; i++) {
        const struct dfs_datanode *n = &d->dead[i];
        int64_t silent_s = n->last_update_ms ? (clock_wall_ms() - n->last_update_ms) / 1000 : 0;
        if (i == NAMES_SHOWN_MAX) {
            doctor_say(d, SEVERITY_ERROR, "datanode-dead", "`cairn dfsadmin -report -dead` lists them",
                       "and %zu more dead datanodes", d->dead_count - i);
            return;
        }
        doctor_say(d, SEVERITY_ERROR, "datanode-dead",
                   "start it again there (`cairn datanode`) and see its log; if it is gone for good, its blocks are "
                   "copied elsewhere "
                   "by themselves: wait for `cairn fsck /` to be healthy",
                   "datanode %s:%u (%s) is dead%s%" PRId64 "%s", n->ip, n->xfer_port, n->host_name,
                   silent_s ? ", silent for " : " (", silent_s, silent_s ? " s" : ": it never came)");
    }
}

static void check_state(struct doctor *d, const struct dfs_datanode *n, int64_t namenode_now_ms)
{
    int64_t silent_ms = namenode_now_ms - n->last_update_ms, block_bytes = config_size(d->config, "dfs.blocksize");
    if (n->last_update_ms && silent_ms > config_ms(d->config, "dfs.namenode.stale.datanode.interval"))
        doctor_say(d, SEVERITY_WARNING, "datanode-stale",
                   "see whether it hangs (its log, disk and memory) or its way to the namenode is cut",
                   "datanode %s:%u (%s) is stale: no heartbeat for %" PRId64 " s", n->ip, n->xfer_port, n->host_name,
                   silent_ms / 1000);
    if (n->capacity <= 0)
        doctor_say(d, SEVERITY_ERROR, "datanode-no-storage", "see its log and dfs.datanode.data.dir",
                   "datanode %s:%u (%s) has no usable storage", n->ip, n->xfer_port, n->host_name);
    else if (n->remaining < block_bytes || n->remaining < n->capacity / 100 * (100 - FULL_PERCENT))
        doctor_say(d, n->remaining < block_bytes ? SEVERITY_ERROR : SEVERITY_WARNING, "datanode-full",
                   "delete files (and empty the trash: `cairn fs -expunge`), free the disk of what is not ours, or add "
                   "datanodes",
                   "datanode %s:%u (%s) has %.1f GiB left of %.1f GiB%s", n->ip, n->xfer_port, n->host_name,
                   (double)n->remaining / (double)GIB, (double)n->capacity / (double)GIB,
                   n->remaining < block_bytes ? ", less than one block: nothing is written there" : "");
}

/* NameNodeInfo.LiveNodes is JSON in a string: {"host:port": {"volfails": 1, ...}, ...} */
static void check_volumes(struct doctor *d)
{
    const char *text = json_string_value(json_object_get(d->info, "LiveNodes"));
    json_t *nodes = text ? json_loads(text, 0, NULL) : NULL, *node;
    const char *name;
    json_object_foreach(nodes, name, node)
    {
        json_int_t failed = json_integer_value(json_object_get(node, "volfails"));
        if (failed > 0)
            doctor_say(
                d, SEVERITY_ERROR, "volume-failed",
                "see its log and the disk (dmesg, smartctl); replace it and restart the datanode, or take it out of "
                "dfs.datanode.data.dir",
                "datanode %s: %" JSON_INTEGER_FORMAT " storage folder(s) failed", name, failed);
    }
    json_decref(nodes);
}

static bool list_nodes(struct doctor *d)
{
    struct err why;
    int rc = dfs_datanode_report(d->fs, DFS_REPORT_LIVE, &d->arena, &d->live, &d->live_count, &why);
    if (rc == 0)
        rc = dfs_datanode_report(d->fs, DFS_REPORT_DEAD, &d->arena, &d->dead, &d->dead_count, &why);
    if (rc < 0)
        doctor_say(d, SEVERITY_NOTE, "datanodes", "run it as the namenode's own user: HADOOP_USER_NAME=...",
                   "the datanodes cannot be listed, so they are not looked at: %.*s", (int)strcspn(why.text, "\n"),
                   why.text);
    return rc == 0;
}

void doctor_check_datanodes(struct doctor *d)
{
    d->nodes_known = list_nodes(d);
    if (!d->nodes_known)
        return;
    int64_t namenode_now_ms = 0, replication = config_int(d->config, "dfs.replication");
    for (size_t i = 0; i < d->live_count; i++)
        if (d->live[i].last_update_ms > namenode_now_ms)
            namenode_now_ms = d->live[i].last_update_ms;
    if (d->live_count <= 1 && clock_wall_ms() > namenode_now_ms) /* nobody to compare it with */
        namenode_now_ms = clock_wall_ms();
    if (!d->live_count)
        doctor_say(d, SEVERITY_ERROR, "no-datanodes",
                   "start datanodes (`cairn datanode`) with fs.defaultFS set to this namenode, and see their logs for "
                   "why they are not "
                   "let in",
                   "no datanode is live: nothing can be read or written");
    else
        doctor_say(d, SEVERITY_OK, "datanodes", NULL, "%zu datanode(s) live", d->live_count);
    if (d->live_count && (size_t)replication > d->live_count)
        doctor_say(d, SEVERITY_WARNING, "replication-too-high",
                   "set dfs.replication to the number of datanodes, or add datanodes",
                   "dfs.replication is %" PRId64 " and %zu datanode(s) are live: new files stay under-replicated",
                   replication, d->live_count);
    check_dead(d);
    for (size_t i = 0; i < d->live_count; i++)
        check_state(d, &d->live[i], namenode_now_ms);
    check_volumes(d);
    check_from_here(d);
}

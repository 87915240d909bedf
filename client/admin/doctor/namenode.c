/* The namenode: is it there, is it one, is it in charge, has it left safe mode, what time does it have. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/admin/doctor/doctor.h"
#include "client/lib/dfs_path.h"
#include "common/clock.h"
#include "common/mem.h"
#include "rpc/rpc_client.h"

#define NAMENODE_HTTP_PORT 9870
#define SKEW_WARNING_MS    5000
#define INFO_BEAN          "/jmx?qry=Hadoop:service=NameNode,name=NameNodeInfo"

void doctor_namenode_pages(const struct doctor *d, struct net_address *ret)
{
    *ret = (struct net_address){.port = NAMENODE_HTTP_PORT};
    const char *text = config_str(d->config, "cairn.namenode.http-address");
    if (!*text && config_is_set(d->config, "dfs.namenode.http-address"))
        text = config_str(d->config, "dfs.namenode.http-address");
    if (*text && net_parse(text, NAMENODE_HTTP_PORT, ret, NULL) < 0)
        ret->host[0] = 0;
    if (!ret->host[0] || !strcmp(ret->host, "0.0.0.0") || !strcmp(ret->host, "::"))
        snprintf(ret->host, sizeof ret->host, "%s", rpc_client_address(dfs_namenode(d->fs))->host);
}

/* ---- it does not answer: why ---- */

/* Another port of the same host where a namenode would answer, or 0. */
static uint16_t look_for_rpc(struct doctor *d, const struct net_address *asked)
{
    static const uint16_t usual[] = {8020, 9000, 54310, 8022};
    for (size_t i = 0; i < ARRAY_COUNT(usual); i++) {
        struct net_address a = *asked;
        a.port = usual[i];
        if (a.port != asked->port && port_probe(&a, d->timeout_ms / 3 + 1) == PORT_HADOOP_RPC)
            return a.port;
    }
    return 0;
}

static void say_wrong_port(struct doctor *d, const char *code, const struct net_address *a, const char *what)
{
    char name[NET_ADDRESS_MAX], remedy[512];
    uint16_t port = look_for_rpc(d, a);
    if (port)
        snprintf(remedy, sizeof remedy, "use hdfs://%s:%u (fs.defaultFS, or -fs)", a->host, port);
    else
        snprintf(remedy, sizeof remedy,
                 "give the namenode's RPC port, usually 8020 or 9000: dfs.namenode.rpc-address of the "
                 "cluster, or `cairn getconf -confKey fs.defaultFS` on one of its hosts");
    doctor_say(d, SEVERITY_ERROR, code, remedy, "%s %s", net_format(a, name), what);
}

static void say_silent(struct doctor *d, const struct net_address *a, const struct err *why)
{
    char name[NET_ADDRESS_MAX], remedy[512];
    net_format(a, name);
    switch (port_probe(a, d->timeout_ms)) {
    case PORT_NO_NAME:
        doctor_say(d, SEVERITY_ERROR, "namenode-name",
                   "correct the name in fs.defaultFS or -fs, or add it to /etc/hosts or DNS",
                   "the namenode's host name '%s' is not known on this machine", a->host);
        break;
    case PORT_REFUSED:
        snprintf(remedy, sizeof remedy,
                 "on %s: start it (`cairn namenode`, or `cairn up`), or see what listens: `ss -ltnp`. It "
                 "must listen on an address that this machine reaches: dfs.namenode.rpc-bind-host=0.0.0.0",
                 a->host);
        uint16_t port = look_for_rpc(d, a);
        if (port)
            snprintf(remedy, sizeof remedy, "use hdfs://%s:%u, where one answers", a->host, port);
        doctor_say(d, SEVERITY_ERROR, "namenode-down", remedy, "nothing listens at %s", name);
        break;
    case PORT_UNREACHABLE:
        doctor_say(d, SEVERITY_ERROR, "namenode-unreachable",
                   "check that the machine is up, and routes, firewalls and published ports on the way",
                   "%s gives no answer to a connection: %s", name, why->text);
        break;
    case PORT_HTTP: say_wrong_port(d, "namenode-port-http", a, "is an HTTP port, not the namenode's RPC port"); break;
    case PORT_TLS:
        say_wrong_port(d, "namenode-port-tls", a,
                       "speaks TLS, which is a web server's port and not the namenode's RPC port");
        break;
    case PORT_HADOOP_RPC:
        doctor_say(d, SEVERITY_ERROR, "namenode-protocol",
                   "check that this is a namenode of Hadoop 2.x or later with simple "
                   "authentication (hadoop.security.authentication)",
                   "%s speaks Hadoop RPC but refuses us: %s", name, why->text);
        break;
    case PORT_SILENT:
        say_wrong_port(d, "namenode-port", a, "is open, but what listens there does not speak Hadoop RPC");
        break;
    }
}

/* ---- it answers ---- */

static void check_clock(struct doctor *d, int64_t theirs_ms, int64_t ours_ms)
{
    int64_t skew_ms = theirs_ms - ours_ms;
    if (!theirs_ms || llabs(skew_ms) < SKEW_WARNING_MS)
        return;
    doctor_say(d, SEVERITY_WARNING, "clock-skew", "set both clocks by a time service (chrony, systemd-timesyncd)",
               "the namenode's clock is %" PRId64
               " s %s this machine's: modification times, leases and tokens are off by that",
               (int64_t)llabs(skew_ms) / 1000, skew_ms > 0 ? "ahead of" : "behind");
}

static void read_info(struct doctor *d)
{
    struct net_address pages;
    struct page page;
    struct err why;
    char name[NET_ADDRESS_MAX];
    doctor_namenode_pages(d, &pages);
    if (page_get(&pages, INFO_BEAN, d->timeout_ms, &page, &why) < 0) {
        doctor_say(
            d, SEVERITY_NOTE, "namenode-pages", "set dfs.namenode.http-address to where its pages are",
            "the namenode's pages at %s do not answer, so versions, failed volumes and its clock are not looked at: %s",
            net_format(&pages, name), why.text);
        return;
    }
    check_clock(d, page.date_ms, clock_wall_ms());
    json_t *root = page.status == 200 ? json_loads(buf_cstr(&page.body), 0, NULL) : NULL;
    d->info = json_incref(json_array_get(json_object_get(root, "beans"), 0));
    json_decref(root);
    buf_free(&page.body);
}

static bool is_of_the_wire(int rc)
{
    return rc == ERR_CONNECT || rc == ERR_TIMEOUT || rc == ERR_CLOSED || rc == ERR_PROTOCOL ||
           rc == ERR_VERSION_MISMATCH;
}

/* The root of a view is made up here, without a call. */
static int check_view(struct doctor *d, struct err *reterr)
{
    struct dfs_stats stats;
    char name[NET_ADDRESS_MAX];
    int rc = dfs_statfs(d->fs, &stats, reterr);
    doctor_say(d, SEVERITY_NOTE, "viewfs", "examine the others one by one: `cairn doctor hdfs://HOST:PORT`",
               "of the file systems behind %s only the one at %s is looked at", d->uri,
               net_format(rpc_client_address(dfs_namenode(d->fs)), name));
    return rc;
}

bool doctor_check_namenode(struct doctor *d)
{
    struct err why;
    char name[NET_ADDRESS_MAX];
    int rc = dfs_connect(d->config, d->uri, NULL, &d->fs, &why);
    if (rc < 0) {
        doctor_say(d, SEVERITY_ERROR, "file-system-uri",
                   "give hdfs://HOST:PORT: `cairn doctor hdfs://HOST:PORT`, or set "
                   "fs.defaultFS",
                   "%s", why.text);
        return false;
    }
    struct dfs_status root;
    bool is_view = strncmp(d->uri, "viewfs://", 9) == 0;
    rc = is_view ? check_view(d, &why) : dfs_stat(d->fs, "/", &d->arena, &root, &why);
    const struct net_address *at = rpc_client_address(dfs_namenode(d->fs));
    net_format(at, name);
    if (rc == ERR_STANDBY) {
        doctor_say(
            d, SEVERITY_ERROR, "namenode-standby",
            "`hdfs haadmin -getAllServiceState` shows who is active; "
            "`hdfs haadmin -transitionToActive ID` makes one so; give the nameservice's name, not one namenode's",
            "%s is a standby, and no active namenode was found", name);
    } else if (rc < 0 && !is_of_the_wire(rc)) {
        doctor_say(d, SEVERITY_ERROR, "namenode-refuses", "see the namenode's log", "%s: %.*s", name,
                   (int)strcspn(why.text, "\n"), why.text);
    } else if (rc < 0) {
        struct net_address copy = *at;
        say_silent(d, &copy, &why);
    }
    if (rc < 0)
        return false;
    doctor_say(d, SEVERITY_OK, "namenode", NULL, "the namenode at %s answers", name);
    read_info(d);
    const char *version = json_string_value(json_object_get(d->info, "SoftwareVersion"));
    if (version && strtol(version, NULL, 10) < 2)
        doctor_say(d, SEVERITY_ERROR, "namenode-version", "use a namenode of Hadoop 2.x or later",
                   "the namenode's version is %s", version);
    return true;
}

/* ---- safe mode ---- */

void doctor_check_safe_mode(struct doctor *d)
{
    bool on = false;
    struct err why;
    if (dfs_safemode(d->fs, DFS_SAFEMODE_GET, &on, &why) < 0) {
        doctor_say(d, SEVERITY_NOTE, "safe-mode", NULL, "safe mode cannot be asked for: %s", why.text);
        return;
    }
    if (!on)
        return;
    /* A call that would change nothing is refused with the reason. */
    if (dfs_mkdirs(d->fs, "/", 0755, true, &why) != ERR_SAFE_MODE)
        return; /* it has just ended */
    bool by_hand = strstr(why.text, "manually") || strstr(why.text, "was turned on by");
    const char *reason = strchr(why.text, '\n'); /* the first line only says that it was refused */
    reason = reason ? reason + 1 : why.text;
    doctor_say(
        d, SEVERITY_ERROR, "safe-mode",
        by_hand
            ? "end it with `cairn dfsadmin -safemode leave`"
            : "start the datanodes that are missing (listed here as dead, or never seen since the namenode's start); "
              "if "
              "they are gone for good: `cairn dfsadmin -safemode leave`, then `cairn fsck / -list-corruptfileblocks`",
        "the file system is read-only, in safe mode: %.*s", (int)strcspn(reason, "\n"), reason);
}

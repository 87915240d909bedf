#include "main/cluster.h"

#include <errno.h>
#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/file.h"
#include "common/http.h"
#include "common/mem.h"
#include "common/net.h"

struct cluster_ports {
    int namenode, namenode_http, scheduler, scheduler_http, xfer, ipc, datanode_http, worker_http, httpfs;
};

static struct cluster_ports cluster_ports(int base)
{
    if (!base)
        return (struct cluster_ports){8020, 9870, 7077, 8080, 9866, 9867, 9864, 8081, 14000};
    return (struct cluster_ports){base, base + 1, base + 2, base + 3, base + 4, base + 5, base + 6, base + 7, base + 8};
}

/* ---- settings ---- */

static void xml_property(struct buf *b, const char *name, const char *value)
{
    buf_append_str(b, "  <property><name>");
    html_escape(b, name);
    buf_append_str(b, "</name><value>");
    html_escape(b, value);
    buf_append_str(b, "</value></property>\n");
}

struct given_settings {
    struct buf *xml;
    const char
        *own; /* the file that this folder's last start wrote, which may be there as $HADOOP_CONF_DIR: not heard */
};

/* Where this cluster's daemons are is not what the settings of another one say, only what the command line does. */
static const char *const own_addresses[] = {"dfs.namenode.http-address", "cairn.namenode.http-address",
                                            "cairn.scheduler.address"};

static bool is_own_address(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(own_addresses); i++)
        if (!strcmp(name, own_addresses[i]))
            return true;
    return false;
}

struct given_address {
    const char *name;
    int port;
    char *to;
    size_t size;
    bool is_given;
};

static void take_given_address(const char *name, const char *value, const char *source, void *arg)
{
    struct given_address *given = arg;
    struct net_address address;
    if (strcmp(source, "-D") != 0 || strcmp(name, given->name) != 0)
        return;
    given->is_given = true;
    if (!given->to || net_parse(value, (uint16_t)given->port, &address, NULL) < 0)
        return; /* the daemon will say what is wrong with it */
    bool is_everywhere = !strcmp(address.host, "0.0.0.0") || !strcmp(address.host, "::");
    snprintf(given->to, given->size, strchr(address.host, ':') && !is_everywhere ? "[%s]:%u" : "%s:%u",
             is_everywhere ? "127.0.0.1" : address.host, (unsigned)address.port);
}

/* Whether the command line says it. to: where others find that then; or NULL. */
static bool given_address(const struct cluster *c, const char *name, int port, char *to, size_t size)
{
    struct given_address given = {name, port, to, size, false};
    config_each(c->options.config, take_given_address, &given);
    return given.is_given;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat of_a, of_b;
    return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

static void xml_given_setting(const char *name, const char *value, const char *source, void *arg)
{
    const struct given_settings *given = arg;
    bool by_hand = strcmp(source, "-D") == 0;
    if (!strcmp(source, "default") || !strcmp(name, "fs.defaultFS") || (!by_hand && is_own_address(name)) ||
        is_same_file(source, given->own))
        return;
    xml_property(given->xml, name, value);
}

/* One file for our daemons and for foreign clients: HADOOP_CONF_DIR=DIR/conf works for both. */
static int cluster_write_conf(const struct cluster *c, struct err *reterr)
{
    AUTO(mem_freep) char *dir = mem_printf("%s/conf", c->options.dir);
    AUTO(mem_freep) char *path = mem_printf("%s/core-site.xml", dir);
    int rc = file_mkdirs(dir, 0755, reterr);
    if (rc < 0)
        return rc;
    struct buf xml = {0};
    buf_append_str(
        &xml, "<?xml version=\"1.0\"?>\n<!-- Written by `cairn up`; changed settings are lost at the next start. -->\n"
              "<configuration>\n");
    xml_property(&xml, "fs.defaultFS", c->fs_uri);
    const char *const addresses[] = {c->namenode_http, c->namenode_http, c->scheduler};
    for (size_t i = 0; i < ARRAY_COUNT(own_addresses); i++)
        if (!given_address(c, own_addresses[i], 0, NULL, 0))
            xml_property(&xml, own_addresses[i], addresses[i]);
    config_each(c->options.config, xml_given_setting, &(struct given_settings){&xml, path});
    buf_append_str(&xml, "</configuration>\n");
    rc = file_write_atomic(path, xml.base, xml.len, 0644, reterr);
    buf_free(&xml);
    return rc;
}

/* ---- daemons ---- */

static struct child *cluster_add(struct cluster *c, const char *command, int node, const char *ip, int port)
{
    struct child *child = &c->children[c->child_count++];
    *child = (struct child){.ready_fd = -1};
    if (node)
        snprintf(child->name, sizeof child->name, "%s-%d", command, node);
    else
        snprintf(child->name, sizeof child->name, "%s", command);
    if (port)
        snprintf(child->address, sizeof child->address, "%s:%d", ip, port);
    snprintf(child->log, sizeof child->log, "%s/logs/%s.log", c->options.dir, child->name);
    child_add_arg(child, "%s", command);
    child_add_arg(child, "--config");
    child_add_arg(child, "%s/conf", c->options.dir);
    return child;
}

static void cluster_set(struct child *child, const char *name, const char *value)
{
    child_add_arg(child, "-D");
    child_add_arg(child, "%s=%s", name, value);
}

static void cluster_set_address(struct child *child, const char *name, const char *ip, int port)
{
    AUTO(mem_freep) char *value = mem_printf("%s:%d", ip, port);
    cluster_set(child, name, value);
}

static void cluster_set_dir(const struct cluster *c, struct child *child, const char *name, const char *folder)
{
    AUTO(mem_freep) char *value = mem_printf("%s/%s", c->options.dir, folder);
    cluster_set(child, name, value);
}

/* Several data folders: a comma list given to `up` is a list of names below each node's folder. */
static void cluster_set_data_dirs(const struct cluster *c, struct child *child)
{
    const char *given = config_get(c->options.config, "dfs.datanode.data.dir");
    const char *names = config_is_set(c->options.config, "dfs.datanode.data.dir") ? given : "data";
    struct buf value = {0};
    AUTO(mem_freep) char *copy = mem_strdup(names);
    char *save = NULL;
    for (char *name = strtok_r(copy, ",", &save); name; name = strtok_r(NULL, ",", &save))
        buf_printf(&value, "%s%s/%s/%s", value.len ? "," : "", c->options.dir, child->name,
                   name[0] == '/' ? name + 1 : name);
    cluster_set(child, "dfs.datanode.data.dir", buf_cstr(&value));
    buf_free(&value);
}

static void cluster_add_datanode(struct cluster *c, int node, const struct cluster_ports *p)
{
    char ip[32];
    snprintf(ip, sizeof ip, "127.0.0.%d", node);
    struct child *child = cluster_add(c, "datanode", node, ip, p->xfer);
    cluster_set_data_dirs(c, child);
    cluster_set_address(child, "dfs.datanode.address", ip, p->xfer);
    cluster_set_address(child, "dfs.datanode.ipc.address", ip, p->ipc);
    cluster_set_address(child, "dfs.datanode.http.address", ip, p->datanode_http);
    cluster_set(child, "dfs.datanode.hostname", ip);
}

static void cluster_add_worker(struct cluster *c, int node, const struct cluster_ports *p)
{
    char ip[32], name[32];
    snprintf(ip, sizeof ip, "127.0.0.%d", node);
    snprintf(name, sizeof name, "worker-%d", node);
    struct child *child = cluster_add(c, "worker", node, ip, p->worker_http);
    cluster_set_dir(c, child, "cairn.worker.dir", name);
    cluster_set_address(child, "cairn.worker.http-address", ip, p->worker_http);
    cluster_set(child, "cairn.worker.hostname", ip);
    cluster_set(child, "cairn.client.local-address", ip);
}

static void cluster_add_children(struct cluster *c, const struct cluster_ports *p)
{
    struct child *child = cluster_add(c, "namenode", 0, "127.0.0.1", p->namenode);
    cluster_set_dir(c, child, "dfs.namenode.name.dir", "namenode");
    cluster_set_address(child, "dfs.namenode.rpc-address", "127.0.0.1", p->namenode);
    for (int node = 1; node <= c->options.nodes; node++)
        cluster_add_datanode(c, node, p);
    child = cluster_add(c, "httpfs", 0, "127.0.0.1", p->httpfs);
    char port[16];
    snprintf(port, sizeof port, "%d", p->httpfs);
    cluster_set(child, "httpfs.http.hostname", "127.0.0.1");
    cluster_set(child, "httpfs.http.port", port);
    child = cluster_add(c, "scheduler", 0, "127.0.0.1", p->scheduler);
    cluster_set_dir(c, child, "cairn.scheduler.dir", "scheduler");
    cluster_set(child, "cairn.scheduler.http-address", c->scheduler_http);
    if (c->options.port_base) /* several clusters on one machine */
        cluster_set(child, "cairn.scheduler.rest-address", "off");
    for (int node = 1; node <= c->options.nodes; node++)
        cluster_add_worker(c, node, p);
    if (c->options.mount) {
        child = cluster_add(c, "mount", 0, "", 0);
        snprintf(child->address, sizeof child->address, "%s", c->options.mount);
        child_add_arg(child, "--foreground");
        child_add_arg(child, "%s", c->options.mount);
    }
}

int cluster_plan(const struct cluster_options *options, struct cluster *ret, struct err *reterr)
{
    struct cluster c = {.options = *options};
    if (options->port_base && (options->port_base < 1 || options->port_base > 65535 - 8))
        return err_set(reterr, ERR_CONFIG, "--port-base %d: want 1 to %d (9 ports are used from there)",
                       options->port_base, 65535 - 8);
    struct cluster_ports p = cluster_ports(options->port_base);
    snprintf(c.fs_uri, sizeof c.fs_uri, "hdfs://127.0.0.1:%d", p.namenode);
    snprintf(c.namenode_http, sizeof c.namenode_http, "127.0.0.1:%d", p.namenode_http);
    snprintf(c.httpfs, sizeof c.httpfs, "127.0.0.1:%d", p.httpfs);
    snprintf(c.scheduler, sizeof c.scheduler, "127.0.0.1:%d", p.scheduler);
    snprintf(c.scheduler_http, sizeof c.scheduler_http, "127.0.0.1:%d", p.scheduler_http);
    given_address(&c, "dfs.namenode.http-address", p.namenode_http, c.namenode_http, sizeof c.namenode_http);
    given_address(&c, "cairn.scheduler.address", p.scheduler, c.scheduler, sizeof c.scheduler);
    AUTO(mem_freep) char *logs = mem_printf("%s/logs", options->dir);
    int rc = file_mkdirs(logs, 0755, reterr);
    if (rc == 0)
        rc = cluster_write_conf(&c, reterr);
    if (rc < 0)
        return rc;
    c.children = mem_calloc((size_t)options->nodes * 2 + 4, sizeof *c.children);
    cluster_add_children(&c, &p);
    *ret = c;
    return 0;
}

void cluster_free(struct cluster *c)
{
    for (size_t i = 0; i < c->child_count; i++)
        child_free(&c->children[i]);
    free(c->children);
    *c = (struct cluster){0};
}

/* ---- cluster.json ---- */

static json_t *child_json(const struct child *child)
{
    json_t *command = json_array();
    for (int i = 0; i < child->arg_count; i++)
        json_array_append_new(command, json_string(child->args[i]));
    return json_pack("{s:s, s:i, s:s, s:s, s:o}", "name", child->name, "pid", (int)child->pid, "address",
                     child->address, "log", child->log, "command", command);
}

int cluster_write_json(const struct cluster *c, struct err *reterr)
{
    AUTO(mem_freep) char *path = mem_printf("%s/cluster.json", c->options.dir);
    json_t *daemons = json_array();
    for (size_t i = 0; i < c->child_count; i++)
        json_array_append_new(daemons, child_json(&c->children[i]));
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:i, s:o}", "fs", c->fs_uri, "namenode_http", c->namenode_http,
                  "httpfs", c->httpfs, "scheduler", c->scheduler, "scheduler_http", c->scheduler_http, "mount",
                  c->options.mount, "supervisor", (int)getpid(), "daemons", daemons);
    char *text = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    int rc =
        text ? file_write_atomic(path, text, strlen(text), 0644, reterr)
             : err_set(reterr, ERR_ILLEGAL_ARGUMENT, "'%s': a path that is not UTF-8 cannot be written as JSON", path);
    free(text);
    return rc;
}

void cluster_remove_json(const struct cluster *c)
{
    AUTO(mem_freep) char *path = mem_printf("%s/cluster.json", c->options.dir);
    (void)unlink(path); /* gone already is as good */
}

int cluster_hold_socket(const char *dir, int *ret_fd, struct err *reterr)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int n = snprintf(a.sun_path + 1, sizeof a.sun_path - 1, CLI_CLUSTER_SOCKET_PREFIX "%u:%s", (unsigned)getuid(), dir);
    if (n < 0 || (size_t)n >= sizeof a.sun_path - 1)
        return err_set(reterr, ERR_CONFIG, "--dir '%s': the path is too long (%zu bytes at most)", dir,
                       sizeof a.sun_path - 32);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(reterr, errno, "socket");
    if (bind(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) < 0) {
        int rc =
            errno == EADDRINUSE
                ? err_set(reterr, ERR_BUSY, "a cluster already runs in '%s'; `cairn down --dir %s` stops it", dir, dir)
                : err_errno(reterr, errno, "socket of '%s'", dir);
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

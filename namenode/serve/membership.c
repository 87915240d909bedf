#include "namenode/serve/membership.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/net.h"
#include "namenode/blocks/blocks.h"
#include "namenode/blocks/host_list.h"

#define FILE_MAX_BYTES    (16u << 20)
#define SCRIPT_TIMEOUT_MS 10000
#define RACK_MAX          512

extern char **environ;

/* ---- files ---- */

static int read_setting(const struct namenode *nn, const char *name, struct buf *ret, struct err *reterr)
{
    const char *path = config_str(nn->config, name);
    if (!*path)
        return 0;
    int rc = file_read(path, FILE_MAX_BYTES, ret, reterr);
    return rc ? err_prefix(reterr, rc, "%s", name) : 0;
}

static int hosts_are_json(const struct namenode *nn, bool *ret, struct err *reterr)
{
    const char *class = config_str(nn->config, "dfs.namenode.hosts.provider.classname"), *dot = strrchr(class, '.');
    const char *name = dot ? dot + 1 : class;
    *ret = !strcmp(name, "CombinedHostFileManager");
    return *ret || !strcmp(name, "HostFileManager")
               ? 0
               : err_set(
                     reterr, ERR_CONFIG,
                     "dfs.namenode.hosts.provider.classname is '%s': want HostFileManager or CombinedHostFileManager",
                     class);
}

static int read_hosts(const struct namenode *nn, struct host_list *ret, struct err *reterr)
{
    AUTO(buf_free) struct buf include = {0};
    AUTO(buf_free) struct buf exclude = {0};
    bool json = false;
    int rc = hosts_are_json(nn, &json, reterr);
    rc = rc ? rc : read_setting(nn, "dfs.hosts", &include, reterr);
    if (rc == ERR_NOT_FOUND && json) { /* as in HDFS an empty list, unlike a missing list of names */
        log_warn("membership", "hosts.missing file='%s' action=admit-everybody", config_str(nn->config, "dfs.hosts"));
        rc = 0;
    }
    if (!rc && json) {
        rc = host_list_from_json(buf_slice(&include), ret, reterr);
        return rc ? err_prefix(reterr, rc, "dfs.hosts") : 0;
    }
    rc = rc ? rc : read_setting(nn, "dfs.hosts.exclude", &exclude, reterr);
    if (!rc)
        host_list_from_names(buf_cstr(&include), buf_cstr(&exclude), ret);
    return rc;
}

/* A datanode may call itself otherwise: its addresses count as well, as in HDFS. May block on the name service. */
static void add_addresses(struct host_list *hosts)
{
    size_t count = hosts->count;
    for (size_t i = 0; i < count; i++) {
        const char *name = hosts->entries[i].host;
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
        char ip[NI_MAXHOST];
        if (net_is_literal(name) || getaddrinfo(name, NULL, &hints, &found) != 0)
            continue;
        for (const struct addrinfo *a = found; a; a = a->ai_next)
            if (!getnameinfo(a->ai_addr, a->ai_addrlen, ip, sizeof ip, NULL, 0, NI_NUMERICHOST))
                host_list_also(hosts, i, ip);
        freeaddrinfo(found);
    }
}

int membership_load(struct namenode *nn, struct err *reterr)
{
    AUTO(buf_free) struct buf table = {0};
    AUTO(host_list_free) struct host_list hosts = {0};
    int rc = read_hosts(nn, &hosts, reterr);
    if (!rc)
        rc = read_setting(nn, "net.topology.table.file.name", &table, reterr);
    if (rc)
        return rc;
    add_addresses(&hosts);
    namenode_lock(nn);
    if (*config_str(nn->config, "net.topology.table.file.name"))
        rc = blocks_set_topology(nn->blocks, buf_cstr(&table), reterr);
    if (!rc)
        blocks_set_hosts(nn->blocks, &hosts, (uint64_t)clock_mono_ms(), clock_wall_ms());
    namenode_unlock(nn);
    return rc;
}

/* ---- the topology script: `script ADDRESS` prints the rack ---- */

static int start_script(const char *script, const char *ip, pid_t *ret_pid, int *ret_fd, struct err *reterr)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return err_errno(reterr, errno, "pipe for '%s'", script);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    char *argv[] = {(char *)script, (char *)ip, NULL};
    int rc = posix_spawn(ret_pid, script, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (rc) {
        close(ends[0]);
        return err_errno(reterr, rc, "net.topology.script.file.name: cannot start '%s'", script);
    }
    *ret_fd = ends[0];
    return 0;
}

static int read_rack(int fd, char rack[RACK_MAX], struct err *reterr)
{
    size_t len = 0;
    int64_t deadline_ms = clock_mono_ms() + SCRIPT_TIMEOUT_MS;
    while (len < RACK_MAX - 1) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left_ms = deadline_ms - clock_mono_ms();
        int ready = left_ms > 0 ? poll(&p, 1, (int)left_ms) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return err_set(reterr, ERR_TIMEOUT, "the topology script gave no rack within %d ms", SCRIPT_TIMEOUT_MS);
        ssize_t got = read(fd, rack + len, RACK_MAX - 1 - len);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    rack[len] = '\0';
    rack[strcspn(rack, " \t\r\n")] = '\0';
    if (rack[0] != '/')
        return err_set(reterr, ERR_CONFIG, "the topology script printed '%.60s', which is not a rack like /rack1",
                       rack);
    return 0;
}

void membership_resolve_rack(struct namenode *nn, const char *ip)
{
    const char *script = config_str(nn->config, "net.topology.script.file.name");
    if (!*script)
        return;
    struct err e;
    pid_t pid = -1;
    int fd = -1;
    char rack[RACK_MAX] = "";
    int rc = start_script(script, ip, &pid, &fd, &e);
    if (!rc) {
        rc = read_rack(fd, rack, &e);
        close(fd);
        kill(pid, SIGKILL); /* it has said what we wanted, or took too long */
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (rc) {
        log_warn("membership", "topology.script dn=%s script='%s' err='%s' action=default-rack", ip, script, e.text);
        return;
    }
    namenode_lock(nn);
    blocks_set_rack(nn->blocks, ip, rack);
    namenode_unlock(nn);
}

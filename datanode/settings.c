#include "datanode/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/advertised.h"

#define NAMENODE_PORT 8020
#define SCAN_HOURS    504 /* what HDFS takes 0 for */

static int namenode_address(const struct config *c, struct net_address *ret, struct err *reterr)
{
    const char *keys[] = {"dfs.namenode.servicerpc-address", "dfs.namenode.rpc-address"};
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        const char *value = config_get(c, keys[i]);
        if (value && *value) {
            int rc = net_parse(value, NAMENODE_PORT, ret, reterr);
            return rc < 0 ? err_prefix(reterr, rc, "%s", keys[i]) : 0;
        }
    }
    const char *fs = config_str(c, "fs.defaultFS");
    if (strncmp(fs, "hdfs://", 7) != 0)
        return err_set(reterr, ERR_CONFIG,
                       "fs.defaultFS is '%s'; the datanode needs hdfs://HOST:PORT, or dfs.namenode.rpc-address", fs);
    char host_port[NET_ADDRESS_MAX];
    snprintf(host_port, sizeof host_port, "%.*s", (int)strcspn(fs + 7, "/"), fs + 7);
    int rc = net_parse(host_port, NAMENODE_PORT, ret, reterr);
    return rc < 0 ? err_prefix(reterr, rc, "fs.defaultFS") : 0;
}

static int listen_address(const struct config *c, const char *key, uint16_t port, struct net_address *ret,
                          struct err *reterr)
{
    int rc = net_parse(config_str(c, key), port, ret, reterr);
    return rc < 0 ? err_prefix(reterr, rc, "%s", key) : 0;
}

static int own_name(const struct config *c, struct settings *s, struct err *reterr)
{
    const char *name = config_str(c, "dfs.datanode.hostname");
    const char *host = s->transfer_listen.host;
    bool wildcard = !strcmp(host, "0.0.0.0") || !strcmp(host, "::");
    if (!wildcard && net_is_literal(host) && strlen(host) < sizeof s->local_ip)
        snprintf(s->local_ip, sizeof s->local_ip, "%.63s", host);
    if (*name)
        snprintf(s->hostname, sizeof s->hostname, "%s", name);
    else if (!wildcard)
        snprintf(s->hostname, sizeof s->hostname, "%s", host);
    else if (gethostname(s->hostname, sizeof s->hostname) < 0)
        return err_errno(reterr, errno, "cannot find out the name of this host; set dfs.datanode.hostname");
    s->hostname[sizeof s->hostname - 1] = 0;
    return 0;
}

/* Hadoop names a class of its own; what counts is which of the two it is. */
static int volume_choice(const struct config *c, struct volume_choice *ret, struct err *reterr)
{
    const char *key = "dfs.datanode.fsdataset.volume.choosing.policy", *name = config_str(c, key);
    const char *dot = strrchr(name, '.');
    const char *simple = dot ? dot + 1 : name;
    ret->by_space = strcmp(simple, "AvailableSpaceVolumeChoosingPolicy") == 0;
    if (!ret->by_space && strcmp(simple, "RoundRobinVolumeChoosingPolicy") != 0)
        return err_set(
            reterr, ERR_CONFIG,
            "%s: '%s' is not known; RoundRobinVolumeChoosingPolicy and AvailableSpaceVolumeChoosingPolicy are", key,
            name);
    ret->equal_bytes = config_size(c, "dfs.datanode.available-space-volume-choosing-policy.balanced-space-threshold");
    ret->preference =
        config_float(c, "dfs.datanode.available-space-volume-choosing-policy.balanced-space-preference-fraction");
    return 0;
}

int settings_load(const struct config *c, struct settings *ret, struct err *reterr)
{
    struct settings s = {
        .data_dirs = config_str(c, "dfs.datanode.data.dir"),
        .domain_socket_path = config_str(c, "dfs.domain.socket.path"),
        .balance_bytes_per_second = config_size(c, "dfs.datanode.balance.bandwidthPerSec"),
        .moves_max = (int)config_int(c, "dfs.datanode.balance.max.concurrent.moves"),
        .readahead_bytes = (uint64_t)config_size(c, "dfs.datanode.readahead.bytes"),
        .drop_behind_reads = config_bool(c, "dfs.datanode.drop.cache.behind.reads"),
        .drop_behind_writes = config_bool(c, "dfs.datanode.drop.cache.behind.writes"),
        .directory_scan_ms = config_ms(c, "dfs.datanode.directoryscan.interval"),
        .short_circuit = config_bool(c, "dfs.client.read.shortcircuit"),
        .reserved_bytes = config_size(c, "dfs.datanode.du.reserved"),
        .failed_volumes_tolerated = (int)config_int(c, "dfs.datanode.failed.volumes.tolerated"),
        .locked_bytes_max = config_size(c, "dfs.datanode.max.locked.memory"),
        .cache_report_interval_ms = config_ms(c, "dfs.cachereport.intervalMsec"),
        .permissions = config_bool(c, "dfs.permissions.enabled"),
        .supergroup = config_str(c, "dfs.permissions.superusergroup"),
        .sync_on_close = config_bool(c, "dfs.datanode.synconclose"),
        .small_replica_bytes = (uint32_t)config_size(c, "cairn.datanode.small.replica.bytes"),
        .transfer_threads_max = (int)config_int(c, "dfs.datanode.max.transfer.threads"),
        .keepalive_ms = config_ms(c, "dfs.datanode.socket.reuse.keepalive"),
        .heartbeat_ms = config_ms(c, "dfs.heartbeat.interval"),
        .report_interval_ms = config_ms(c, "dfs.blockreport.intervalMsec"),
        .report_initial_delay_ms = config_ms(c, "dfs.blockreport.initialDelay"),
        .scan_bytes_per_second = config_size(c, "dfs.block.scanner.volume.bytes.per.second"),
    };
    int64_t hours = config_int(c, "dfs.datanode.scan.period.hours");
    s.scan_period_ms = hours < 0 ? 0 : (hours ? hours : SCAN_HOURS) * 3600000;
    s.use_hostnames = config_bool(c, "dfs.datanode.use.datanode.hostname");
    s.advertised = config_str(c, "cairn.datanode.advertised.addresses");
    AUTO(advertised_freep) struct advertised *checked = NULL;
    int rc = advertised_parse(s.advertised, &checked, reterr);
    if (rc < 0)
        return err_prefix(reterr, rc, "cairn.datanode.advertised.addresses");
    rc = volume_choice(c, &s.volume_choice, reterr);
    if (rc == 0)
        rc = namenode_address(c, &s.namenode, reterr);
    if (rc == 0)
        rc = listen_address(c, "dfs.datanode.address", 9866, &s.transfer_listen, reterr);
    if (rc == 0)
        rc = listen_address(c, "dfs.datanode.ipc.address", 9867, &s.ipc_listen, reterr);
    if (rc == 0)
        rc = listen_address(c, "dfs.datanode.http.address", 9864, &s.http_listen, reterr);
    if (rc == 0)
        rc = own_name(c, &s, reterr);
    if (rc == 0)
        *ret = s;
    return rc;
}

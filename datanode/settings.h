/* The datanode's settings, read once from the configuration. Immutable but where a field says otherwise. */
#ifndef CAIRN_DATANODE_SETTINGS_H
#define CAIRN_DATANODE_SETTINGS_H

#include "common/config.h"
#include "common/net.h"
#include "datanode/store/volume.h"

#define SOFTWARE_VERSION "3.4.1" /* what peers compare; it must look like a Hadoop version */

struct settings {
    struct net_address namenode; /* RPC */
    struct net_address transfer_listen, ipc_listen, http_listen;
    char hostname[256];             /* what we register as */
    char local_ip[64];              /* outgoing connections to the namenode come from here; "" = any */
    bool use_hostnames;             /* connect to other datanodes by name */
    const char *advertised;         /* what clients are told, common/advertised.h; borrowed from the config */
    const char *data_dirs;          /* borrowed from the config */
    const char *domain_socket_path; /* with _PORT not yet replaced; "" = none; borrowed */
    bool short_circuit;
    int64_t balance_bytes_per_second;
    int moves_max;
    uint64_t readahead_bytes;
    bool drop_behind_reads, drop_behind_writes;
    int64_t directory_scan_ms; /* 0 = never */
    struct volume_choice volume_choice;
    int64_t reserved_bytes;
    int failed_volumes_tolerated;
    bool sync_on_close;
    uint32_t small_replica_bytes;     /* 0 = none is kept as a small one */
    _Atomic int transfer_threads_max; /* may change while we run, as may the report interval */
    int64_t keepalive_ms;
    int64_t heartbeat_ms;
    _Atomic int64_t report_interval_ms;
    int64_t report_initial_delay_ms;
    int64_t locked_bytes_max, cache_report_interval_ms;
    bool permissions;
    const char *supergroup;        /* borrowed */
    int64_t scan_period_ms;        /* 0 = never */
    int64_t scan_bytes_per_second; /* per volume */
};
/* Of every peer: these, plus 5 s per node of a pipeline. */
#define PEER_READ_MS     60000
#define PEER_WRITE_MS    480000
#define PEER_MS_PER_NODE 5000

int settings_load(const struct config *c, struct settings *ret, struct err *reterr) MUST_CHECK;

#endif

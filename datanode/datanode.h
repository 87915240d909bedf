/* The parts of one datanode process, as its request handlers see them. The daemon makes and ends them in order; the
 * pointers are immutable in between. Ports are open before all is there: `reporter` is the last, and before it opens
 * the store no block is known here. A handler that asks for no block looks whether there is a reporter. */
#ifndef CAIRN_DATANODE_DATANODE_H
#define CAIRN_DATANODE_DATANODE_H

#include <stdatomic.h>

#include "common/metrics.h"
#include "datanode/serve/block_sender.h"
#include "datanode/settings.h"
#include "datanode/store/block_store.h"

struct reporter;
struct block_cache; /* store/block_cache.h */
struct xfer_server;
struct scrubber;
struct directory_scanner;
struct short_circuit;
struct shm_registry;
struct rpc_server;
struct proxy_users;     /* common/proxy_users.h */
struct reconfiguration; /* rpc/reconfigure.h */

struct webhdfs;

struct datanode {
    const struct config *config;
    struct settings settings;
    uint16_t transfer_port, ipc_port, http_port;
    int64_t started_mono_ms, started_wall_ms;
    struct block_store *store;
    struct block_cache *cache;
    struct reporter *_Atomic reporter;
    struct xfer_server *xfer;
    struct peer_cache *mirrors;                  /* kept connections to other datanodes */
    struct scrubber *scrubber;                   /* NULL: off */
    struct directory_scanner *directory_scanner; /* NULL: off */
    struct short_circuit *short_circuit;         /* NULL: off */
    struct shm_registry *shm;
    struct webhdfs *webhdfs;
    struct reconfiguration *reconfiguration;
    struct proxy_users *proxy_users;
    struct rpc_server *ipc; /* as long as pages are served */
    _Atomic int64_t balance_bytes_per_second;
    struct throttle balance_throttle; /* of all moves together */
    _Atomic int moves;                /* under way, to and from here */
};

extern struct metric datanode_bytes_read, datanode_bytes_written, datanode_blocks_read, datanode_blocks_written,
    datanode_blocks_received, datanode_blocks_replicated, datanode_blocks_cloned, datanode_blocks_removed,
    datanode_blocks_verified, datanode_verification_failures, datanode_transfers, datanode_files_passed,
    datanode_heartbeats, datanode_volume_failures, datanode_replicas_synced;
void datanode_metrics_register(void);

/* After an I/O error on a storage: takes it out if it is broken and tells the namenode. Ends the process when more have
 * failed than dfs.datanode.failed.volumes.tolerated allows. */
void datanode_check_storage(struct datanode *dn, size_t storage_index);
void datanode_check_storages(struct datanode *dn); /* all of them, when it is not clear which one it was */
/* Somebody had trouble with this replica: it is verified, and reported if it is bad. */
void datanode_suspect(struct datanode *dn, uint64_t block_id);
/* It could not be read out, on this storage. false: that was its reader's fault, or nobody's. */
bool datanode_read_failed(struct datanode *dn, uint64_t block_id, size_t storage_index, const struct err *why);
/* It should be there but could not be opened. */
void datanode_open_failed(struct datanode *dn, uint64_t block_id, int code);

#endif

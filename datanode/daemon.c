/* `cairn datanode`: start and stop order. */
#include "client/lib/peer_cache.h"
#include "common/daemon.h"

#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/proxy_users.h"
#include "common/user_groups.h"
#include "datanode/datanode.h"
#include "datanode/report/reporter.h"
#include "datanode/serve/http_pages.h"
#include "datanode/serve/ipc_admin.h"
#include "datanode/serve/ipc_calls.h"
#include "datanode/serve/shm_registry.h"
#include "datanode/serve/short_circuit.h"
#include "datanode/serve/xfer.h"
#include "datanode/store/directory_scanner.h"
#include "datanode/store/block_cache.h"
#include "datanode/store/scrubber.h"
#include "main/commands.h"
#include "webhdfs/webhdfs.h"
#include "rpc/reconfigure.h"

#define READY_WAIT_MS     1000
#define STOP_MS           15000
#define MALLOC_ARENAS     2          /* hundreds of threads must not have a heap each */
#define MALLOC_MMAP_BYTES (64 << 10) /* buffers of transfers go back to the system when they are done */

static const char usage[] =
    "Usage: cairn datanode [generic options] [--ready-fd N]\n\n"
    "Keeps blocks in dfs.datanode.data.dir and serves them on dfs.datanode.address (9866),\n"
    "dfs.datanode.ipc.address (9867) and dfs.datanode.http.address (9864). Its namenode is that of\n"
    "dfs.namenode.rpc-address or fs.defaultFS. --ready-fd N: one byte is written to this descriptor when it\n"
    "has registered and reported its blocks.\n";

static void tell_failure(struct datanode *dn, bool fatal)
{
    metric_add(&datanode_volume_failures, 1);
    reporter_disk_error(dn->reporter, "DataNode: a volume failed and was taken out");
    if (fatal) {
        log_error("datanode",
                  "more volumes failed than dfs.datanode.failed.volumes.tolerated (%d) allows: stopping; replace "
                  "the disk or take its directory out of dfs.datanode.data.dir",
                  dn->settings.failed_volumes_tolerated);
        kill(getpid(), SIGTERM);
    }
}

void datanode_check_storage(struct datanode *dn, size_t storage_index)
{
    bool fatal;
    if (block_store_check_storage(dn->store, storage_index, &fatal))
        tell_failure(dn, fatal);
}

void datanode_check_storages(struct datanode *dn)
{
    bool fatal;
    if (block_store_check_storages(dn->store, &fatal))
        tell_failure(dn, fatal);
}

/* ---- what the scrubber finds ---- */

static void on_bad_replica(void *context, const struct replica_view *replica, size_t storage_index, bool io_error,
                           const char *why)
{
    struct datanode *dn = context;
    log_error("scrubber", "block=%" PRId64 "_%" PRIu64 " is bad and will be reported: %s", (int64_t)replica->block_id,
              replica->gen_stamp, why);
    metric_add(&datanode_verification_failures, 1);
    reporter_bad_block(dn->reporter, replica);
    if (io_error)
        datanode_check_storage(dn, storage_index);
}

static void on_good_replica(void *context)
{
    (void)context;
    metric_add(&datanode_blocks_verified, 1);
}

static struct scrubber_options scrubber_options(struct datanode *dn)
{
    return (struct scrubber_options){.store = dn->store,
                                     .period_ms = dn->settings.scan_period_ms,
                                     .bytes_per_second = dn->settings.scan_bytes_per_second,
                                     .on_bad = on_bad_replica,
                                     .on_good = on_good_replica,
                                     .context = dn};
}

void datanode_suspect(struct datanode *dn, uint64_t block_id)
{
    static const _Atomic bool never = false;
    struct scrubber_options options = scrubber_options(dn);
    if (dn->scrubber)
        scrubber_suspect(dn->scrubber, block_id);
    else
        replica_look_at(&options, block_id, &never);
}

bool datanode_read_failed(struct datanode *dn, uint64_t block_id, size_t storage_index, const struct err *why)
{
    if (why->code == ERR_CLOSED || why->code == ERR_TIMEOUT || why->code == ERR_NO_MEMORY)
        return false;
    datanode_check_storage(dn, storage_index);
    datanode_suspect(dn, block_id);
    return true;
}

/* Has its disk gone, or only this file? */
void datanode_open_failed(struct datanode *dn, uint64_t block_id, int code)
{
    if (code == ERR_REPLICA_NOT_FOUND || code == ERR_ILLEGAL_ARGUMENT || code == ERR_RETRIABLE || code == ERR_NO_MEMORY)
        return;
    datanode_check_storages(dn);
    datanode_suspect(dn, block_id);
}

static int start_scrubber(struct datanode *dn, struct err *reterr)
{
    struct scrubber_options options = scrubber_options(dn);
    if (!options.period_ms || !options.bytes_per_second)
        return 0;
    return scrubber_start(&options, &dn->scrubber, reterr);
}

/* ---- what the directory scanner finds ---- */

static void on_difference(void *context, const struct store_difference *d)
{
    struct datanode *dn = context;
    static const char *const what[] = {"was found on the disk and taken in", "is gone from the disk and forgotten",
                                       "is not what memory says"};
    log_warn("directory_scanner", "block=%" PRId64 "_%" PRIu64 " bytes=%" PRIu64 " %s", (int64_t)d->replica.block_id,
             d->replica.gen_stamp, d->replica.disk_bytes, what[d->kind]);
    if (d->kind == DIFFERENCE_ADDED)
        reporter_received(dn->reporter, &d->replica, NULL);
    else if (d->kind == DIFFERENCE_REMOVED)
        reporter_deleted(dn->reporter, &d->replica);
    if (d->kind != DIFFERENCE_REMOVED)
        datanode_suspect(dn, d->replica.block_id); /* which knows whether it is good */
}

static void on_sick_storage(void *context, size_t storage_index, const char *why)
{
    log_warn("directory_scanner", "storage %zu cannot be scanned: %s", storage_index, why);
    datanode_check_storage(context, storage_index);
}

static int start_directory_scanner(struct datanode *dn, struct err *reterr)
{
    struct directory_scanner_options options = {.store = dn->store,
                                                .period_ms = dn->settings.directory_scan_ms,
                                                .on_difference = on_difference,
                                                .on_sick = on_sick_storage,
                                                .context = dn};
    return options.period_ms > 0 ? directory_scanner_start(&options, &dn->directory_scanner, reterr) : 0;
}

/* ---- start and stop ---- */

static void on_replica_changed(void *context, uint64_t block_id)
{
    struct datanode *dn = context;
    shm_registry_invalidate(dn->shm, block_id);
    if (dn->cache)
        block_cache_remove(dn->cache, block_id); /* it would hold the memory, and the disk, of what is gone */
}

struct servers {
    struct rpc_server *ipc;
    struct http_server *http;
};

static int start(struct datanode *dn, struct servers *s, struct err *reterr)
{
    struct block_store_options options = {.data_dirs = dn->settings.data_dirs,
                                          .reserved_bytes = dn->settings.reserved_bytes,
                                          .failed_volumes_tolerated = dn->settings.failed_volumes_tolerated,
                                          .sync_on_close = dn->settings.sync_on_close,
                                          .small_bytes = dn->settings.small_replica_bytes,
                                          .volume_choice = dn->settings.volume_choice};
    int rc = block_store_open(&options, &dn->store, reterr);
    if (rc == 0)
        dn->cache = block_cache_new(dn->store, (uint64_t)dn->settings.locked_bytes_max);
    dn->shm = shm_registry_new();
    dn->mirrors = peer_cache_new();
    if (rc == 0) {
        block_store_on_change(dn->store, on_replica_changed, dn);
        rc = xfer_server_start(dn, &dn->xfer, &dn->transfer_port, reterr);
    }
    if (rc == 0 && dn->settings.short_circuit)
        rc = short_circuit_start(dn, &dn->short_circuit, reterr);
    if (rc == 0)
        rc = ipc_server_start(dn, &s->ipc, reterr);
    if (rc == 0) {
        dn->ipc = s->ipc;
        dn->ipc_port = rpc_server_port(s->ipc);
        rc = http_pages_start(dn, &s->http, reterr);
    }
    if (rc == 0) {
        dn->http_port = http_port(s->http);
        rc = start_scrubber(dn, reterr);
    }
    if (rc == 0)
        rc = start_directory_scanner(dn, reterr);
    if (rc == 0) /* last: it opens the store, and then we are asked for what is in it */
        rc = reporter_start(dn, &dn->reporter, reterr);
    return rc;
}

/* A copy to a node that hangs would keep us for minutes. Nothing on disk depends on an orderly end. */
static void *stop_watch(void *arg)
{
    (void)arg;
    clock_sleep_ms(STOP_MS);
    log_warn("datanode", "not everything ended within %d s; leaving all the same", STOP_MS / 1000);
    _exit(0);
}

/* false: connections are left, whose threads use all that there is. It stays until the process is gone. */
static bool stop(struct datanode *dn, struct servers *s)
{
    pthread_t watch;
    if (pthread_create(&watch, NULL, stop_watch, NULL) == 0)
        pthread_detach(watch);
    http_stop(s->http);
    webhdfs_free(dn->webhdfs);
    short_circuit_stop(dn->short_circuit);
    if (!xfer_server_stop(dn->xfer))
        return false;
    directory_scanner_stop(dn->directory_scanner);
    scrubber_stop(dn->scrubber);
    rpc_server_stop(s->ipc);
    reporter_stop(dn->reporter); /* after all who report, before what its heartbeats look at */
    xfer_server_free(dn->xfer);
    peer_cache_free(dn->mirrors);
    block_cache_free(dn->cache);
    block_store_close(dn->store);
    return true;
}

/* Until it is registered, or a signal ends it: a namenode may come later. */
static int wait_ready(struct datanode *dn, struct daemon *d, struct err *reterr)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    for (;;) {
        int rc = reporter_wait_registered(dn->reporter, READY_WAIT_MS, reterr);
        sigset_t pending;
        if (rc == 0)
            daemon_ready(d);
        if (rc != ERR_TIMEOUT)
            return rc;
        sigpending(&pending);
        if (sigismember(&pending, SIGTERM) || sigismember(&pending, SIGINT))
            return 0; /* daemon_wait takes it */
    }
}

static void limit_memory(void)
{
    mallopt(M_ARENA_MAX, MALLOC_ARENAS);
    mallopt(M_MMAP_THRESHOLD, MALLOC_MMAP_BYTES);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

int datanode_main(int argc, char **argv)
{
    static struct datanode dn; /* connections that outlive the stop may still look at it */
    struct servers servers = {0};
    struct daemon d;
    struct config *config = NULL;
    struct err why;
    if (argc > 1 && (!strcmp(argv[1], "-help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        fputs(usage, stdout);
        return 0;
    }
    limit_memory();
    if (daemon_begin(&d, &argc, argv, &config, &why) < 0)
        return daemon_fail("datanode", &why);
    if (argc > 1) {
        (void)err_set(&why, ERR_CONFIG, "unknown option '%s'; `cairn datanode -help` tells what there is", argv[1]);
        config_free(config);
        return daemon_fail("datanode", &why);
    }
    dn.config = config;
    dn.started_mono_ms = clock_mono_ms();
    dn.started_wall_ms = clock_wall_ms();
    throttle_init(&dn.balance_throttle, &dn.balance_bytes_per_second);
    datanode_metrics_register();
    srandom((unsigned)(clock_wall_ns() ^ getpid()));
    user_groups_fix(config_str(config, "hadoop.user.group.static.mapping.overrides"));
    int rc = settings_load(config, &dn.settings, &why);
    atomic_store(&dn.balance_bytes_per_second, dn.settings.balance_bytes_per_second);
    dn.reconfiguration = ipc_reconfiguration_new(&dn, config);
    dn.proxy_users = proxy_users_new("hadoop.proxyuser", config);
    if (rc == 0)
        rc = start(&dn, &servers, &why);
    if (rc == 0) {
        log_info("datanode", "transfer=%s:%u ipc=%u http=%u volumes=%s", dn.settings.transfer_listen.host,
                 dn.transfer_port, dn.ipc_port, dn.http_port, dn.settings.data_dirs);
        rc = wait_ready(&dn, &d, &why);
    }
    if (rc == 0)
        daemon_wait(&d);
    if (stop(&dn, &servers)) {
        reconfiguration_free(dn.reconfiguration);
        proxy_users_free(dn.proxy_users);
        config_free(config);
    }
    return rc < 0 ? daemon_fail("datanode", &why) : 0;
}

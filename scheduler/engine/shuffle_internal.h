/* What shuffle.c and shuffle_fetch.c share; nobody else. */
#ifndef CAIRN_SCHEDULER_ENGINE_SHUFFLE_INTERNAL_H
#define CAIRN_SCHEDULER_ENGINE_SHUFFLE_INTERNAL_H

#include <pthread.h>

#include "common/net.h"
#include "rpc/rpc_client.h"
#include "scheduler/engine/shuffle.h"

enum source_state { SOURCE_UNKNOWN, SOURCE_READY, SOURCE_FETCHING, SOURCE_HERE };

struct map_source { /* guarded by shuffle.lock */
    enum source_state state;
    bool is_none; /* the map has failed for good: its output is not awaited */
    char *attempt;
    struct net_address address;
    int failures;
    int64_t not_before_ms;
};
struct fetched { /* one run, in memory (bytes) or in a file */
    struct buf bytes;
    char *path;
    struct run_extent where;
    bool is_lent;    /* the file is the map's own output: it stays */
    size_t reserved; /* of memory: the bytes, and room for one block of them decompressed */
};
struct shuffle {
    struct task *task;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct map_source *sources;
    uint32_t maps, here, none; /* none: of those that are here */
    struct fetched *runs;
    size_t run_count, run_capacity;
    size_t memory_used, memory_max; /* reserved by fetches too */
    uint32_t files;
    struct rpc_client *scheduler;
    uint64_t next_event;
    bool stopping;
    int rc;
    struct err err;
    int *fds; /* opened for the merge */
    size_t fd_count;
};

/* Fetches and verifies this reduce's run of one map's output and keeps it (shuffle_fetch.c). ERR_CHECKSUM: it is
 * broken. */
int shuffle_fetch(struct shuffle *s, const char *attempt, const struct net_address *address,
                  struct err *reterr) MUST_CHECK;
/* The same without fetching, if the map ran on this node (shuffle_local.c); else *ret_bytes is 0. */
int shuffle_take_local(struct shuffle *s, const char *attempt, int64_t *ret_bytes, struct err *reterr) MUST_CHECK;
void shuffle_keep_run_locked(struct shuffle *s, struct fetched run);

#endif

/* One range of a block read from several datanodes, the slower ones given up: what to do is the caller's to decide
 * (file_reader.c), this runs the attempts on threads of their own. An attempt that nobody waits for any more ends by
 * itself. */
#ifndef CAIRN_CLIENT_LIB_HEDGED_READ_H
#define CAIRN_CLIENT_LIB_HEDGED_READ_H

#include <stdatomic.h>

#include "client/lib/block_map.h"
#include "client/lib/dfs.h"

struct hedged_reads { /* of a struct dfs; the first two immutable */
    int threads_max;  /* dfs.client.hedged.read.threadpool.size; 0 = no hedged reads */
    int64_t threshold_ms;
    atomic_int threads;
    atomic_llong ops, wins, in_current_thread;
};

#define HEDGE_ATTEMPTS_MAX 16

struct hedge;
struct hedge_result {
    int rc;
    struct err why;
    const uint8_t *bytes; /* of the whole range; borrowed until hedge_unref */
    bool local, short_circuit;
};

/* [offset, offset + len) of the file, inside one block. */
struct hedge *hedge_new(struct dfs *fs, int64_t offset, size_t len);
/* Reads from that node; `b` is taken care of with `window`, a reference that the attempt takes over. Without a thread
 * for it, it is done when this returns. Returns the attempt's index; at most HEDGE_ATTEMPTS_MAX. */
int hedge_start(struct hedge *h, const struct dfs_block *b, struct block_window *window, size_t node);
/* The next attempt that is done, each once, or -1 after the time. timeout_ms -1: for ever. */
int hedge_wait(struct hedge *h, int64_t timeout_ms);
void hedge_result(struct hedge *h, int attempt, struct hedge_result *ret);
void hedge_unref(struct hedge *h);

#endif

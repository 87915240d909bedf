/* Remembers the answers of calls that must not run twice. A client that lost its connection repeats a call
 * under the same (clientId, callId): if the first try still runs, the second waits for its answer; if it
 * succeeded, the answer is given again; if it failed, it runs anew.
 *
 * Decides only: no lock, no clock, no I/O. The caller serialises and passes the time. */
#ifndef CAIRN_RPC_RETRY_CACHE_H
#define CAIRN_RPC_RETRY_CACHE_H

#include <stdint.h>

#include "common/buf.h"

struct retry_cache;
struct retry_key {
    uint8_t client_id[16];
    int32_t call_id;
};
struct retry_waiter {
    struct retry_waiter *next;
};
enum retry_verdict {
    RETRY_EXECUTE, /* and then retry_cache_end */
    RETRY_WAIT,    /* the waiter is queued; retry_cache_end will hand it out */
    RETRY_REPLAY,  /* *ret_answer, valid until the next call on the cache */
    RETRY_BUSY,    /* too many are waiting for this answer already */
};

/* max_bytes bounds the answers kept (the oldest go first); seed keeps strangers from choosing colliding keys.
 */
struct retry_cache *retry_cache_new(size_t max_bytes, int64_t keep_ms, uint64_t seed);
void retry_cache_free(struct retry_cache *c); /* no call may be running */
enum retry_verdict retry_cache_begin(struct retry_cache *c, const struct retry_key *key, struct retry_waiter *waiter,
                                     int64_t now_ms, struct slice *ret_answer);
/* answer NULL: it failed. Returns those who wait, in the order they came; they are the caller's again. */
struct retry_waiter *retry_cache_end(struct retry_cache *c, const struct retry_key *key, const struct slice *answer,
                                     int64_t now_ms);
size_t retry_cache_count(const struct retry_cache *c);

#endif

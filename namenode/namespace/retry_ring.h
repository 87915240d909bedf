/* What survives a restart of the retry cache: that a change was made, and for whom. The record is in the change's own
 * batch, so there is either both or neither. A ring of RETRY_RING_SLOTS keys in the store is overwritten in turn: it is
 * bounded, and nothing has to be taken out. It covers what was answered just before the end, and what never was.
 * Guarded by the namenode's lock. */
#ifndef CAIRN_NAMENODE_NAMESPACE_RETRY_RING_H
#define CAIRN_NAMENODE_NAMESPACE_RETRY_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "namenode/journal/store.h"

#define RETRY_RING_SLOTS 65536
#define RETRY_KEEP_MS    600000 /* of what was loaded; the same as the RPC server's own cache */

struct retry_mark {
    uint8_t client_id[16];
    int32_t call_id;
    uint64_t value; /* what the answer is made of again: an inode, a directive or a time, 0 = nothing */
};
struct retry_ring;

int retry_ring_load(struct store *s, uint64_t now_ms, struct retry_ring **ret, struct err *reterr) MUST_CHECK;
void retry_ring_free(struct retry_ring *r); /* NULL is fine */
/* wall_ms: when, for who reads the store after a long time. */
void retry_ring_put(struct retry_ring *r, struct store_batch *batch, const struct retry_mark *mark, uint64_t wall_ms);
/* Any thread, without the lock: false = nothing was, or it is too long ago. */
bool retry_ring_has_any(const struct retry_ring *r);
/* Was this call answered before the restart? now_ms: monotonic. */
bool retry_ring_find(struct retry_ring *r, const uint8_t client_id[16], int32_t call_id, uint64_t now_ms,
                     uint64_t *ret_value);

#endif

/* Sends a part of a replica as packets: data by sendfile, straight from the page cache, checksums from the meta file.
 */
#ifndef CAIRN_DATANODE_SERVE_BLOCK_SENDER_H
#define CAIRN_DATANODE_SERVE_BLOCK_SENDER_H

#include <pthread.h>
#include <stdatomic.h>

#include "datanode/store/block_store.h"

/* What all transfers of a balancer together may take of this node's bandwidth. Any thread. */
struct throttle {
    pthread_mutex_t lock;
    const _Atomic int64_t *bytes_per_second; /* may change at any time; 0: unlimited */
    int64_t free_at_ns;                      /* guarded by lock: when what was let through so far is paid for */
};
void throttle_init(struct throttle *t, const _Atomic int64_t *bytes_per_second);
void throttle_wait(struct throttle *t, int64_t bytes); /* sleeps as long as it takes; NULL is fine */

struct send_plan {
    struct meta_header checksums; /* what goes out with the data; NULL type: none */
    uint64_t from, to;            /* whole chunks, or up to the replica's end */
    uint64_t readahead_bytes;     /* the disk is asked for this much before it is needed; 0: as the system sees fit */
    bool drop_behind;             /* what was sent shall not stay in the page cache */
};
/* Which chunks cover [offset, offset + len). ERR_ILLEGAL_ARGUMENT: not inside the replica. Pure. */
int send_plan_make(const struct replica_reader *r, uint64_t offset, uint64_t len, bool with_checksums,
                   struct send_plan *ret, struct err *reterr) MUST_CHECK;

/* All packets, the empty last one too. ERR_CLOSED: the reader had enough. throttle may be NULL. */
int block_send(int fd, const struct replica_reader *r, const struct send_plan *plan, struct throttle *throttle,
               struct err *reterr) MUST_CHECK;

#endif

/* Sends a part of a replica as packets: data by sendfile, straight from the page cache, checksums from the meta file. */
#ifndef CAIRN_DATANODE_SERVE_BLOCK_SENDER_H
#define CAIRN_DATANODE_SERVE_BLOCK_SENDER_H

#include "datanode/store/block_store.h"

struct throttle { /* zero bytes_per_second: unlimited */
    int64_t bytes_per_second, began_ms, bytes;
};
void throttle_wait(struct throttle *t, int64_t bytes); /* sleeps as long as it takes */

struct send_plan {
    struct meta_header checksums; /* what goes out with the data; NULL type: none */
    uint64_t from, to;            /* whole chunks, or up to the replica's end */
};
/* Which chunks cover [offset, offset + len). ERR_ILLEGAL_ARGUMENT: not inside the replica. Pure. */
int send_plan_make(const struct replica_reader *r, uint64_t offset, uint64_t len, bool with_checksums,
                   struct send_plan *ret, struct err *reterr) MUST_CHECK;

/* All packets, the empty last one too. ERR_CLOSED: the reader had enough. throttle may be NULL. */
int block_send(int fd, const struct replica_reader *r, const struct send_plan *plan, struct throttle *throttle,
               struct err *reterr) MUST_CHECK;

#endif

/* Block recovery: which replicas take part, and how long the block shall be. Pure.
 *
 * Finalized replicas win: they are complete, and all must agree on the length. Without one, the best state that is
 * there (being written before restarted) decides, and the length is the shortest among its replicas: every node has
 * that much. */
#ifndef CAIRN_DATANODE_REPORT_RECOVERY_CHOICE_H
#define CAIRN_DATANODE_REPORT_RECOVERY_CHOICE_H

#include "datanode/store/replica.h"

struct recovery_candidate {
    uint64_t gen_stamp, bytes;
    enum replica_state state; /* before recovery */
    bool found;               /* the node answered and has it */
    bool takes_part;          /* set by the choice */
};
struct recovery_result {
    uint64_t bytes;
    bool delete_block; /* there is nothing to recover */
};
/* truncate_bytes: the block shall have that length, or -1. ERR_IO: finalized replicas disagree, or none is usable for
 * the truncation. */
int recovery_choose(struct recovery_candidate *candidates, size_t count, uint64_t block_gen_stamp,
                    int64_t truncate_bytes, struct recovery_result *ret, struct err *reterr) MUST_CHECK;

#endif

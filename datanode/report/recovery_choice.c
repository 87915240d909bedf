#include "datanode/report/recovery_choice.h"

#include <inttypes.h>

static bool is_usable(const struct recovery_candidate *c, uint64_t block_gen_stamp)
{
    return c->found && c->bytes > 0 && c->gen_stamp >= block_gen_stamp &&
           (c->state == REPLICA_FINALIZED || c->state == REPLICA_RBW || c->state == REPLICA_RWR);
}

/* The best state among the usable; REPLICA_STATE_COUNT if there is none. Their numbers are in the order of merit. */
static enum replica_state best_state(const struct recovery_candidate *c, size_t count, uint64_t block_gen_stamp)
{
    enum replica_state best = REPLICA_STATE_COUNT;
    for (size_t i = 0; i < count; i++)
        if (is_usable(&c[i], block_gen_stamp) && c[i].state < best)
            best = c[i].state;
    return best;
}

static int length_of_finalized(const struct recovery_candidate *c, size_t count, uint64_t block_gen_stamp,
                               uint64_t *ret_bytes, struct err *reterr)
{
    bool first = true;
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_usable(&c[i], block_gen_stamp) || c[i].state != REPLICA_FINALIZED)
            continue;
        if (!first && c[i].bytes != bytes)
            return err_set(reterr, ERR_IO, "finalized replicas have different lengths, %" PRIu64 " and %" PRIu64, bytes,
                           c[i].bytes);
        bytes = c[i].bytes;
        first = false;
    }
    *ret_bytes = bytes;
    return 0;
}

static uint64_t shortest_of(const struct recovery_candidate *c, size_t count, uint64_t block_gen_stamp,
                            enum replica_state state)
{
    uint64_t bytes = UINT64_MAX;
    for (size_t i = 0; i < count; i++)
        if (is_usable(&c[i], block_gen_stamp) && c[i].state == state && c[i].bytes < bytes)
            bytes = c[i].bytes;
    return bytes;
}

static int choose_truncated(struct recovery_candidate *c, size_t count, uint64_t block_gen_stamp, uint64_t bytes,
                            struct recovery_result *ret, struct err *reterr)
{
    size_t taking_part = 0;
    for (size_t i = 0; i < count; i++) {
        c[i].takes_part = is_usable(&c[i], block_gen_stamp) && c[i].bytes >= bytes;
        taking_part += c[i].takes_part;
    }
    if (!taking_part)
        return err_set(reterr, ERR_IO, "no replica has the %" PRIu64 " bytes that the block shall be cut to", bytes);
    *ret = (struct recovery_result){.bytes = bytes};
    return 0;
}

int recovery_choose(struct recovery_candidate *c, size_t count, uint64_t block_gen_stamp, int64_t truncate_bytes,
                    struct recovery_result *ret, struct err *reterr)
{
    if (truncate_bytes >= 0)
        return choose_truncated(c, count, block_gen_stamp, (uint64_t)truncate_bytes, ret, reterr);
    enum replica_state best = best_state(c, count, block_gen_stamp);
    struct recovery_result result = {0};
    if (best == REPLICA_STATE_COUNT) {
        for (size_t i = 0; i < count; i++)
            c[i].takes_part = false;
        result.delete_block = true;
        *ret = result;
        return 0;
    }
    if (best == REPLICA_FINALIZED) {
        int rc = length_of_finalized(c, count, block_gen_stamp, &result.bytes, reterr);
        if (rc < 0)
            return rc;
    } else {
        result.bytes = shortest_of(c, count, block_gen_stamp, best);
    }
    for (size_t i = 0; i < count; i++) {
        bool same_state = c[i].state == best;
        bool complete_rbw = best == REPLICA_FINALIZED && c[i].state == REPLICA_RBW && c[i].bytes == result.bytes;
        c[i].takes_part = is_usable(&c[i], block_gen_stamp) && (same_state || complete_rbw);
    }
    *ret = result;
    return 0;
}

#include "datanode/store/replica.h"

#include <assert.h>
#include <inttypes.h>

static const char *const state_names[REPLICA_STATE_COUNT] = {
    [REPLICA_FINALIZED] = "FINALIZED", [REPLICA_RBW] = "RBW", [REPLICA_RWR] = "RWR", [REPLICA_RUR] = "RUR",
    [REPLICA_TEMPORARY] = "TEMPORARY",
};

static const unsigned moves[REPLICA_STATE_COUNT] = {
    [REPLICA_FINALIZED] = BIT(REPLICA_RBW) | BIT(REPLICA_RUR),
    [REPLICA_RBW] = BIT(REPLICA_FINALIZED) | BIT(REPLICA_RWR) | BIT(REPLICA_RUR),
    [REPLICA_RWR] = BIT(REPLICA_RUR),
    [REPLICA_RUR] = BIT(REPLICA_FINALIZED) | BIT(REPLICA_RUR), /* a newer recovery takes over */
    [REPLICA_TEMPORARY] = BIT(REPLICA_FINALIZED) | BIT(REPLICA_RBW),
};

const char *replica_state_name(enum replica_state state)
{
    return (unsigned)state < REPLICA_STATE_COUNT ? state_names[state] : "unknown";
}

int replica_move(struct replica *r, enum replica_state to, struct err *reterr)
{
    assert(r->state < REPLICA_STATE_COUNT && (unsigned)to < REPLICA_STATE_COUNT);
    if (!(moves[r->state] & BIT(to)))
        return err_set(reterr, ERR_BAD_STATE, "block %" PRId64 "_%" PRIu64 ": %s cannot become %s",
                       (int64_t)r->block_id, r->gen_stamp, replica_state_name(r->state), replica_state_name(to));
    r->state = (uint8_t)to;
    return 0;
}

int64_t replica_visible_bytes(const struct replica *r)
{
    enum replica_state state = r->state == REPLICA_RUR ? r->work->original_state : r->state;
    switch (state) {
    case REPLICA_FINALIZED: return (int64_t)r->disk_bytes;
    case REPLICA_RBW: return (int64_t)r->work->acked_bytes;
    default: return REPLICA_NOT_READABLE;
    }
}

/* "block 7_1001 (RBW, 512 bytes): " + what is wrong */
static int refuse(const struct replica *r, struct err *reterr, int code, const char *why, uint64_t a, uint64_t b)
{
    struct err text;
    /* every `why` has two %PRIu64 places */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)err_set(&text, code, why, a, b);
#pragma GCC diagnostic pop
    return err_set(reterr, code, "block %" PRId64 "_%" PRIu64 " (%s, %" PRIu64 " bytes): %s", (int64_t)r->block_id,
                   r->gen_stamp, replica_state_name(r->state), r->disk_bytes, text.text);
}

static int check_gen_stamp_range(const struct replica *r, uint64_t gen_stamp, uint64_t new_gen_stamp,
                                 struct err *reterr)
{
    if (r->gen_stamp < gen_stamp || r->gen_stamp > new_gen_stamp)
        return refuse(r, reterr, ERR_REPLICA_NOT_FOUND,
                      "its generation stamp is not in the expected range [%" PRIu64 ", %" PRIu64 "]", gen_stamp,
                      new_gen_stamp);
    return 0;
}

int replica_check_read(const struct replica *r, uint64_t gen_stamp, struct err *reterr)
{
    if (r->gen_stamp < gen_stamp)
        return refuse(r, reterr, ERR_IO,
                      "older than the generation stamp asked for, %" PRIu64 " (replica has %" PRIu64 ")", gen_stamp,
                      r->gen_stamp);
    if (replica_visible_bytes(r) == REPLICA_NOT_READABLE)
        return refuse(r, reterr, ERR_IO, "not readable in this state (asked for stamp %" PRIu64 ", has %" PRIu64 ")",
                      gen_stamp, r->gen_stamp);
    return 0;
}

int replica_check_append(const struct replica *r, uint64_t gen_stamp, uint64_t new_gen_stamp, uint64_t expected_bytes,
                         struct err *reterr)
{
    if (new_gen_stamp < gen_stamp)
        return refuse(r, reterr, ERR_IO, "append with generation stamp %" PRIu64 ", lower than the block's %" PRIu64,
                      new_gen_stamp, gen_stamp);
    int rc = check_gen_stamp_range(r, gen_stamp, new_gen_stamp, reterr);
    if (rc < 0)
        return rc;
    if (r->state != REPLICA_FINALIZED)
        return refuse(r, reterr, ERR_REPLICA_NOT_FOUND,
                      "cannot be appended to unless it is finalized (stamps %" PRIu64 ", %" PRIu64 ")", gen_stamp,
                      new_gen_stamp);
    if (r->disk_bytes != expected_bytes)
        return refuse(r, reterr, ERR_IO, "append expects %" PRIu64 " bytes, there are %" PRIu64, expected_bytes,
                      r->disk_bytes);
    return 0;
}

int replica_check_recover_append(const struct replica *r, uint64_t gen_stamp, uint64_t new_gen_stamp,
                                 uint64_t expected_bytes, struct err *reterr)
{
    if (r->state != REPLICA_FINALIZED && r->state != REPLICA_RBW)
        return refuse(r, reterr, ERR_REPLICA_NOT_FOUND,
                      "a pipeline can be recovered only if FINALIZED or RBW (stamps %" PRIu64 ", %" PRIu64 ")",
                      gen_stamp, new_gen_stamp);
    int rc = check_gen_stamp_range(r, gen_stamp, new_gen_stamp, reterr);
    if (rc < 0)
        return rc;
    if (r->state == REPLICA_RBW && r->work->acked_bytes != r->disk_bytes)
        return refuse(r, reterr, ERR_REPLICA_EXISTS, "%" PRIu64 " bytes written but %" PRIu64 " acknowledged",
                      r->disk_bytes, r->work->acked_bytes);
    if (r->disk_bytes != expected_bytes)
        return refuse(r, reterr, ERR_IO, "recovery expects %" PRIu64 " bytes, there are %" PRIu64, expected_bytes,
                      r->disk_bytes);
    return 0;
}

int replica_check_recover_stream(const struct replica *r, uint64_t gen_stamp, uint64_t new_gen_stamp,
                                 uint64_t min_bytes, uint64_t max_bytes, struct err *reterr)
{
    if (r->state != REPLICA_RBW)
        return refuse(r, reterr, ERR_REPLICA_NOT_FOUND,
                      "a stream can be recovered only if RBW (stamps %" PRIu64 ", %" PRIu64 ")", gen_stamp,
                      new_gen_stamp);
    int rc = check_gen_stamp_range(r, gen_stamp, new_gen_stamp, reterr);
    if (rc < 0)
        return rc;
    if (r->work->acked_bytes < min_bytes)
        return refuse(r, reterr, ERR_REPLICA_NOT_FOUND, "%" PRIu64 " bytes acknowledged, the writer knows of %" PRIu64,
                      r->work->acked_bytes, min_bytes);
    if (r->disk_bytes > max_bytes)
        return refuse(r, reterr, ERR_REPLICA_NOT_FOUND, "%" PRIu64 " bytes received, the writer sent %" PRIu64,
                      r->disk_bytes, max_bytes);
    return 0;
}

int replica_check_init_recovery(const struct replica *r, uint64_t gen_stamp, uint64_t recovery_id, struct err *reterr)
{
    if (r->gen_stamp < gen_stamp)
        return refuse(r, reterr, ERR_IO, "generation stamp below the block's %" PRIu64 " (recovery %" PRIu64 ")",
                      gen_stamp, recovery_id);
    if (r->gen_stamp >= recovery_id)
        return refuse(r, reterr, ERR_IO, "generation stamp %" PRIu64 " not below the recovery's %" PRIu64, r->gen_stamp,
                      recovery_id);
    if (r->state == REPLICA_RUR && r->work->recovery_id >= recovery_id)
        return refuse(r, reterr, ERR_RECOVERY_IN_PROGRESS, "recovery %" PRIu64 " is running, asked for %" PRIu64,
                      r->work->recovery_id, recovery_id);
    return 0;
}

int replica_check_update_recovery(const struct replica *r, uint64_t recovery_id, uint64_t old_bytes, uint64_t new_bytes,
                                  struct err *reterr)
{
    if (r->state != REPLICA_RUR)
        return refuse(r, reterr, ERR_IO, "is not under recovery (asked for %" PRIu64 ", stamp %" PRIu64 ")",
                      recovery_id, r->gen_stamp);
    if (r->work->recovery_id != recovery_id)
        return refuse(r, reterr, ERR_IO, "is under recovery %" PRIu64 ", not %" PRIu64, r->work->recovery_id,
                      recovery_id);
    if (r->disk_bytes != old_bytes)
        return refuse(r, reterr, ERR_IO, "recovery found %" PRIu64 " bytes before, now there are %" PRIu64, old_bytes,
                      r->disk_bytes);
    if (r->disk_bytes < new_bytes)
        return refuse(r, reterr, ERR_IO, "recovery wants %" PRIu64 " bytes, there are only %" PRIu64, new_bytes,
                      r->disk_bytes);
    return 0;
}

int replica_check_replace(const struct replica *r, enum replica_replace what, uint64_t new_gen_stamp,
                          struct err *reterr)
{
    bool unfinished = r->state == REPLICA_RBW || r->state == REPLICA_RWR || r->state == REPLICA_TEMPORARY;
    bool older = r->gen_stamp < new_gen_stamp;
    bool may = (what == REPLACE_UNFINISHED && unfinished && r->gen_stamp <= new_gen_stamp) ||
               (what == REPLACE_STALE && unfinished && older) ||
               (what == REPLACE_OLDER && older && r->state != REPLICA_RUR);
    if (!may)
        return refuse(r, reterr, ERR_REPLICA_EXISTS,
                      "already exists and thus cannot be created (stamp %" PRIu64 ", new %" PRIu64 ")", r->gen_stamp,
                      new_gen_stamp);
    return 0;
}

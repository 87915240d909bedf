#include <inttypes.h>

#include "common/log.h"
#include "namenode/blocks/internal.h"

#define HOLD_HEARTBEATS 3 /* no copies that long after start-up: late datanodes report first */

static uint64_t total(const struct blocks *b)
{
    return b->seam.total_complete_blocks(b->seam.context);
}

static uint64_t threshold(const struct blocks *b)
{
    return (uint64_t)((double)total(b) * b->options.safe_mode_threshold);
}

static uint32_t live_nodes(const struct blocks *b)
{
    uint32_t live = 0;
    for (size_t i = 0; i < b->node_count; i++)
        live += b->nodes[i] && b->nodes[i]->info.alive;
    return live;
}

static void leave(struct blocks *b, uint64_t now_ms)
{
    b->safe_mode = SAFE_MODE_OFF;
    if (!b->tracking) {
        /* Only now the queues are filled: during start-up nearly every block looks short of replicas. */
        b->tracking = true;
        b->recheck_wanted = true;
        sweep_request(b);
        b->copies_hold_until_ms = now_ms + HOLD_HEARTBEATS * b->options.heartbeat_ms;
    }
}

void safe_mode_tick(struct blocks *b, uint64_t now_ms)
{
    if (b->safe_mode == SAFE_MODE_OFF)
        return;
    bool met = b->safe_count >= threshold(b) && live_nodes(b) >= b->options.safe_mode_min_datanodes;
    if (!met) {
        b->safe_mode = SAFE_MODE_PENDING;
        return;
    }
    if (b->safe_mode == SAFE_MODE_PENDING) {
        b->safe_mode = SAFE_MODE_EXTENSION;
        b->safe_mode_leave_ms = now_ms + (threshold(b) ? b->options.safe_mode_extension_ms : 0);
    }
    if (now_ms < b->safe_mode_leave_ms)
        return;
    leave(b, now_ms);
    if (!b->safe_mode_manual)
        log_info("blocks", "safe_mode.off blocks_reported=%" PRIu64 " blocks_total=%" PRIu64 " datanodes=%u",
                 b->safe_count, total(b), live_nodes(b));
}

bool blocks_in_safe_mode(const struct blocks *b)
{
    return b->safe_mode_manual || b->safe_mode != SAFE_MODE_OFF;
}

bool blocks_safe_mode(struct blocks *b, enum safe_mode_action action, uint64_t now_ms)
{
    switch (action) {
    case SAFE_MODE_GET: break;
    case SAFE_MODE_ENTER: b->safe_mode_manual = true; break;
    case SAFE_MODE_FORCE_EXIT:
    case SAFE_MODE_LEAVE:
        b->safe_mode_manual = false;
        if (b->safe_mode != SAFE_MODE_OFF)
            leave(b, now_ms);
        break;
    }
    return blocks_in_safe_mode(b);
}

static void threshold_text(const struct blocks *b, struct buf *ret)
{
    uint64_t all = total(b), wanted = threshold(b);
    bool has_blocks = b->safe_count >= wanted;
    uint32_t live = live_nodes(b), min = b->options.safe_mode_min_datanodes;
    if (has_blocks)
        buf_printf(ret, "The reported blocks %" PRIu64 " has reached the threshold %.4f of total blocks %" PRIu64 ". ",
                   b->safe_count, b->options.safe_mode_threshold, all);
    else
        buf_printf(ret,
                   "The reported blocks %" PRIu64 " needs additional %" PRIu64
                   " blocks to reach the threshold %.4f of total blocks %" PRIu64 ".\n",
                   b->safe_count, wanted - b->safe_count, b->options.safe_mode_threshold, all);
    if (!min)
        buf_append_str(ret, "The minimum number of live datanodes is not required. ");
    else if (!has_blocks)
        buf_append_str(ret, "The number of live datanodes is not calculated since reported blocks hasn't reached the "
                            "threshold. ");
    else if (live < min)
        buf_printf(ret,
                   "The number of live datanodes %u needs an additional %u live datanodes to reach the minimum number "
                   "%u.\n",
                   live, min - live, min);
    else
        buf_printf(ret, "The number of live datanodes %u has reached the minimum number %u. ", live, min);
}

void blocks_safe_mode_text(const struct blocks *b, uint64_t now_ms, struct buf *ret)
{
    if (b->safe_mode_manual) {
        buf_append_str(ret, "It was turned on manually. Use \"hdfs dfsadmin -safemode leave\" to turn safe mode off.");
        return;
    }
    threshold_text(b, ret);
    switch (b->safe_mode) {
    case SAFE_MODE_PENDING:
        buf_append_str(ret, "Safe mode will be turned off automatically once the thresholds have been reached.");
        break;
    case SAFE_MODE_EXTENSION:
        buf_printf(ret, "In safe mode extension. Safe mode will be turned off automatically in %" PRIu64 " seconds.",
                   b->safe_mode_leave_ms > now_ms ? (b->safe_mode_leave_ms - now_ms) / 1000 : 0);
        break;
    case SAFE_MODE_OFF: buf_append_str(ret, "Safe mode will be turned off automatically soon."); break;
    }
}

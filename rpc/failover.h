/* Whether a failed call is tried again, where and when. Decides only: no I/O, clock or threads. */
#ifndef CAIRN_RPC_FAILOVER_H
#define CAIRN_RPC_FAILOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum failover_event {
    FAILOVER_NO_CONNECTION, /* it could not be made */
    FAILOVER_LOST_STALE,    /* an old connection turned out to be dead */
    FAILOVER_LOST,          /* a fresh one died, or any other loss */
    FAILOVER_STANDBY,       /* the server is alive but not in charge */
    FAILOVER_RETRIABLE,     /* the server asks for patience */
    FAILOVER_SAFE_MODE,     /* it has just started and waits for block reports */
};
struct failover_policy {
    size_t address_count;
    int64_t retry_for_ms; /* 0: no waiting for a single server */
    int failovers_max;    /* between several; this and the next two: 0 = Hadoop's defaults */
    int64_t delay_min_ms, delay_max_ms;
};
struct failover { /* one call's progress; begins zeroed but for started_ms */
    int64_t started_ms;
    int failovers, waits;
    bool reconnected;
};
struct failover_action {
    bool again;
    bool next_address;
    int64_t delay_ms;
};
struct failover_action failover_decide(const struct failover_policy *policy, struct failover *f,
                                       enum failover_event event, int64_t now_ms);

#endif

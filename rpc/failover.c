#include "rpc/failover.h"

/* As Hadoop's clients: 15 failovers, 0.5 to 15 s apart; a RetriableException 10 times. */
#define FAILOVERS_MAX         15
#define FAILOVER_DELAY_MIN_MS 500
#define FAILOVER_DELAY_MAX_MS 15000
#define RETRIABLE_MAX         10
#define RETRIABLE_DELAY_MS    1000
/* A restart of one server takes a second or two: look often at first. */
#define WAIT_DELAY_MIN_MS 50
#define WAIT_DELAY_MAX_MS 2000

static int64_t doubled(int64_t min_ms, int64_t max_ms, int times)
{
    for (; times > 0 && min_ms < max_ms; times--)
        min_ms *= 2;
    return min_ms < max_ms ? min_ms : max_ms;
}

static struct failover_action next_address(const struct failover_policy *policy, struct failover *f, bool in_time)
{
    /* Every address gets one chance at once; then rounds of growing distance. */
    int rounds = f->failovers / (int)policy->address_count;
    bool round_begins = f->failovers % (int)policy->address_count == (int)policy->address_count - 1;
    int64_t min_ms = policy->delay_min_ms ? policy->delay_min_ms : FAILOVER_DELAY_MIN_MS;
    int64_t max_ms = policy->delay_max_ms ? policy->delay_max_ms : FAILOVER_DELAY_MAX_MS;
    if (f->failovers >= (policy->failovers_max ? policy->failovers_max : FAILOVERS_MAX) && !in_time)
        return (struct failover_action){0};
    f->failovers++;
    return (struct failover_action){true, true, round_begins ? doubled(min_ms, max_ms, rounds) : 0};
}

struct failover_action failover_decide(const struct failover_policy *policy, struct failover *f,
                                       enum failover_event event, int64_t now_ms)
{
    int64_t left_ms = f->started_ms + policy->retry_for_ms - now_ms;
    bool several = policy->address_count > 1, in_time = left_ms > 0;
    struct failover_action action = {0};
    if (event == FAILOVER_LOST_STALE && !f->reconnected) {
        f->reconnected = true;
        action.again = true;
    } else if (event == FAILOVER_RETRIABLE) {
        action.again = in_time || (several && f->waits < RETRIABLE_MAX);
        action.delay_ms = RETRIABLE_DELAY_MS;
        f->waits++;
    } else if (several && event != FAILOVER_SAFE_MODE) {
        action = next_address(policy, f, in_time);
    } else if (in_time) {
        action.again = true;
        action.delay_ms = doubled(WAIT_DELAY_MIN_MS, WAIT_DELAY_MAX_MS, f->waits);
        f->waits++;
    }
    if (in_time && action.delay_ms > left_ms)
        action.delay_ms = left_ms;
    return action;
}

/* Layer 1 of the scheduler: which workers there are, what room they have, who is near which data. Knows nothing of
 * jobs. Part of the decision core: no I/O, no clock, no threads; guarded by whoever owns it. */
#ifndef CAIRN_SCHEDULER_MASTER_RESOURCES_H
#define CAIRN_SCHEDULER_MASTER_RESOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "cairn/scheduler.pb-c.h"

struct worker {
    uint64_t id;
    char *name; /* as shown to people */
    char *ip;
    char *datanode_host; /* or NULL */
    char *rack;          /* learned from block locations; NULL = not known yet */
    uint16_t http_port;
    uint32_t slots, running;
    int64_t registered_at_ms, last_seen_ms;
    bool lost;
    uint32_t failures_in_a_row; /* of attempts of any job */
};
struct resources {
    struct worker **workers; /* by id, lost ones are removed once nobody refers to them */
    size_t count, capacity;
    uint64_t next_id;
};
struct worker_description {
    const char *name, *ip, *datanode_host;
    uint16_t http_port;
    uint32_t slots;
};

#define WORKERS_MAX          10000
#define WORKER_SICK_FAILURES 6 /* that many failures in a row, none elsewhere between: others are preferred */

void resources_free(struct resources *r);
struct worker *resources_add(struct resources *r, const struct worker_description *d, int64_t now_ms);
struct worker *resources_find(const struct resources *r, uint64_t id);
/* A live one with this address: the same worker before it was restarted. */
struct worker *resources_find_address(const struct resources *r, const char *ip, uint16_t http_port);
void resources_remove(struct resources *r, uint64_t id);
uint32_t resources_live_count(const struct resources *r);
bool worker_is_sick(const struct worker *w);

/* By address; by name only where the datanode's name was given for that. */
bool worker_holds(const struct worker *w, const Cairn__HolderProto *holder);
/* Holders tell which rack an address is in. */
void resources_learn_racks(struct resources *r, Cairn__HolderProto *const *holders, size_t count);

#endif

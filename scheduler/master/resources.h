/* Layer 1 of the scheduler: which workers there are, what room they have, who is near which data, and who is not to be
 * trusted at the moment. Knows nothing of jobs. Part of the decision core: no I/O, no clock, no threads; guarded by
 * whoever owns it. */
#ifndef CAIRN_SCHEDULER_MASTER_RESOURCES_H
#define CAIRN_SCHEDULER_MASTER_RESOURCES_H

#include <stdbool.h>
#include <stdint.h>

#include "cairn/scheduler.pb-c.h"

struct ask { /* what one task takes besides its slot */
    uint32_t memory_mb, vcores;
};
struct worker {
    uint64_t id;    /* a new one with each registration */
    char *instance; /* of its folder; "" = none: nothing of an earlier one is kept */
    char *name;     /* as shown to people */
    char *ip;
    char *datanode_host; /* or NULL */
    char *rack;          /* learned from block locations; NULL = not known yet */
    uint16_t http_port;
    uint32_t slots, running;
    struct ask room, taken; /* of room 0 = not counted */
    int64_t registered_at_ms, last_seen_ms;
    bool lost;
    bool expected;              /* the scheduler was restarted, and it has not come back yet; takes no tasks */
    bool draining;              /* takes no new tasks */
    uint32_t failures_in_a_row; /* of attempts of any job whose task then succeeded elsewhere */
    int64_t sick_until_ms;      /* avoided until then, afterwards one failure more makes it sick for twice as long */
    uint32_t sick_times;
};
struct resources {
    struct worker **workers; /* by id, lost ones are removed once nobody refers to them */
    size_t count, capacity;
    uint64_t next_id;
    uint64_t generation; /* changes with the set of workers that take tasks */
};
struct worker_description {
    const char *name, *ip, *datanode_host, *instance;
    uint16_t http_port;
    uint32_t slots;
    struct ask room;
};

#define WORKERS_MAX          10000
#define WORKER_SICK_FAILURES 6 /* in a row, none of its attempts succeeding between */
#define WORKER_SICK_MIN_MS   30000
#define WORKER_SICK_MAX_MS   3600000

void resources_free(struct resources *r);
struct worker *resources_add(struct resources *r, const struct worker_description *d, int64_t now_ms);
/* The same worker has registered again: a new id, nothing running, the rest as described. */
void resources_renew(struct resources *r, struct worker *w, const struct worker_description *d, int64_t now_ms);
struct worker *resources_find(const struct resources *r, uint64_t id);
struct worker *resources_find_instance(const struct resources *r, const char *instance);
/* A live one with this address: the same worker before it was restarted. */
struct worker *resources_find_address(const struct resources *r, const char *ip, uint16_t http_port);
void resources_remove(struct resources *r, uint64_t id);
uint32_t resources_live_count(const struct resources *r);

bool worker_is_live(const struct worker *w); /* registered */
bool worker_is_sick(const struct worker *w, int64_t now_ms);
/* A task that failed there succeeded elsewhere. */
void worker_blame(struct worker *w, int64_t now_ms);
void worker_forgive(struct worker *w); /* an attempt succeeded there */
bool worker_takes_tasks(const struct worker *w);
bool worker_has_room(const struct worker *w, struct ask ask);
bool worker_could_ever_run(const struct worker *w, struct ask ask);
void worker_take(struct worker *w, struct ask ask);
void worker_give_back(struct worker *w, struct ask ask);
void worker_drain(struct resources *r, struct worker *w, bool drain);
const char *worker_state_name(const struct worker *w, int64_t now_ms);

/* By address; by name only where the datanode's name was given for that. */
bool worker_holds(const struct worker *w, const Cairn__HolderProto *holder);
/* Holders tell which rack an address is in. */
void resources_learn_racks(struct resources *r, Cairn__HolderProto *const *holders, size_t count);

#endif

/* What an attempt may use, and how it is held to that: control groups (v2, or v1's memory, cpu and pids) where this
 * machine lets us make some, resource limits otherwise. Main thread. */
#ifndef CAIRN_SCHEDULER_WORKER_CONFINE_H
#define CAIRN_SCHEDULER_WORKER_CONFINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cairn/scheduler.pb-c.h"
#include "common/config.h"

struct confine_limits { /* 0 = no limit */
    int64_t memory_mb;  /* what the job asked for: mapreduce.map.memory.mb, mapreduce.reduce.memory.mb */
    int64_t vcores;     /* a share, not a bound */
    int64_t cpu_seconds, file_mb, processes, seconds;
};
/* The job's cairn.task.max-*; where the node has them too, the smaller of both. */
void confine_limits_of(const struct config *node, const Cairn__TaskSpecProto *spec, struct confine_limits *ret);

/* Control groups are below "cairn-NAME". Ends what an earlier worker of that name, which was killed, has left in them.
 * False: there are none here, or we may not make any. */
bool confine_open(const char *name);
void confine_close(const char *name); /* all attempts are over */
/* One for the attempt, with its limits; best effort: what is missing is left to resource limits. */
void confine_make(const char *name, const char *attempt_id, const struct confine_limits *limits);
struct confine_held { /* what the group holds its processes to */
    bool memory, processes;
};
/* The process that calls enters it. A machine may have some of the controllers only: see what the group has. */
struct confine_held confine_enter(const char *name, const char *attempt_id);
/* Whether the kernel killed something in it for want of memory. */
bool confine_was_out_of_memory(const char *name, const char *attempt_id);
/* Kills whoever is in it and removes it. */
void confine_end(const char *name, const char *attempt_id);

/* Resource limits of the process that calls, which becomes an attempt: for all that no group holds it to. */
void confine_self(const struct confine_limits *limits, struct confine_held held);

#endif

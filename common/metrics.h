/* Counters and gauges of one daemon, shown as Prometheus text (/metrics) and inside /jmx. A metric is registered once
 * at start and lives as long as the process; values are atomic, any thread may change them. */
#ifndef CAIRN_COMMON_METRICS_H
#define CAIRN_COMMON_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "common/buf.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };
struct metric {
    const char *name; /* cairn_namenode_files, ... */
    const char *help;
    enum metric_kind kind;
    _Atomic int64_t value;
    struct metric *next; /* set by metric_register */
};
void metric_register(struct metric *m);
static inline void metric_add(struct metric *m, int64_t delta)
{
    atomic_fetch_add_explicit(&m->value, delta, memory_order_relaxed);
}
static inline void metric_set(struct metric *m, int64_t value)
{
    atomic_store_explicit(&m->value, value, memory_order_relaxed);
}
int64_t metric_value(const char *name); /* of a registered one; else 0 */
void metrics_prometheus(
    struct buf *out); /* all metrics plus process_resident_memory_bytes, process_cpu_seconds_total */

#endif

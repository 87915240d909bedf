#include "common/metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct metric *registry; /* guarded by registry_lock */

void metric_register(struct metric *m)
{
    pthread_mutex_lock(&registry_lock);
    struct metric **at = &registry;
    while (*at && *at != m)
        at = &(*at)->next;
    if (!*at) {
        m->next = NULL;
        *at = m;
    }
    pthread_mutex_unlock(&registry_lock);
}

int64_t metric_value(const char *name)
{
    int64_t value = 0;
    pthread_mutex_lock(&registry_lock);
    for (const struct metric *m = registry; m; m = m->next)
        if (strcmp(m->name, name) == 0)
            value = atomic_load_explicit(&m->value, memory_order_relaxed);
    pthread_mutex_unlock(&registry_lock);
    return value;
}

static int64_t resident_bytes(void)
{
    long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%ld %ld", &total, &resident) != 2)
            resident = 0;
        fclose(f);
    }
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

static void metric_print(struct buf *out, const char *name, const char *help, const char *kind)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

void metrics_prometheus(struct buf *out)
{
    pthread_mutex_lock(&registry_lock);
    for (struct metric *m = registry; m; m = m->next) {
        metric_print(out, m->name, m->help, m->kind == METRIC_COUNTER ? "counter" : "gauge");
        buf_printf(out, "%s %" PRId64 "\n", m->name, atomic_load_explicit(&m->value, memory_order_relaxed));
    }
    pthread_mutex_unlock(&registry_lock);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    metric_print(out, "process_resident_memory_bytes", "Resident memory size in bytes.", "gauge");
    buf_printf(out, "process_resident_memory_bytes %" PRId64 "\n", resident_bytes());
    metric_print(out, "process_cpu_seconds_total", "User and system CPU time spent in seconds.", "counter");
    buf_printf(out, "process_cpu_seconds_total %.6f\n",
               (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

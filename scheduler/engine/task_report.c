#include "scheduler/engine/task_report.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/mem.h"
#include "proto/message.h"

#define REPORT_INTERVAL_MS 1000

struct task_report {
    int fd;
    struct counters *counters;
    _Atomic float progress;
    atomic_uint alive;
    pthread_t thread;
    pthread_mutex_t lock; /* guards status, stopping */
    pthread_cond_t wake;
    char status[TASK_STATUS_MAX];
    bool stopping;
    uint64_t last_sum; /* report thread only: to see whether anything changed */
};

static void report_write(struct task_report *r, const struct err *why, bool done, bool waits)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    Cairn__TaskReportProto m = CAIRN__TASK_REPORT_PROTO__INIT;
    m.progress = done ? 1.0f : atomic_load(&r->progress);
    pthread_mutex_lock(&r->lock);
    m.status = arena_strdup(&a, r->status);
    pthread_mutex_unlock(&r->lock);
    counters_export(r->counters, &a, &m.counters, &m.n_counters);
    m.diagnostics = why ? arena_strdup(&a, why->text) : NULL;
    m.has_done = true;
    m.done = done;
    m.has_waits = waits;
    m.waits = waits;
    struct buf out = {0};
    message_pack_delimited(&out, &m.base);
    for (size_t sent = 0; sent < out.len;) {
        ssize_t n = write(r->fd, out.base + sent, out.len - sent);
        if (n <= 0)
            break; /* the worker is gone, and we die with it */
        sent += (size_t)n;
    }
    buf_free(&out);
    arena_free(&a);
}

static uint64_t report_sum(struct task_report *r)
{
    uint64_t sum = atomic_load(&r->alive);
    for (int i = 0; i < COUNTER_COUNT; i++)
        sum = sum * 31 + (uint64_t)counters_value(r->counters, (enum counter_index)i);
    return sum * 31 + (uint64_t)(atomic_load(&r->progress) * 1e6f);
}

static void *report_thread(void *arg)
{
    struct task_report *r = arg;
    pthread_mutex_lock(&r->lock);
    while (!r->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += REPORT_INTERVAL_MS / 1000;
        if (pthread_cond_timedwait(&r->wake, &r->lock, &until) == 0)
            continue;
        uint64_t sum = report_sum(r);
        if (sum == r->last_sum)
            continue;
        r->last_sum = sum;
        pthread_mutex_unlock(&r->lock);
        report_write(r, NULL, false, false);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

int task_report_start(int fd, struct counters *counters, struct task_report **ret, struct err *reterr)
{
    struct task_report *r = mem_new(struct task_report);
    r->fd = fd;
    r->counters = counters;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->wake, &attr);
    pthread_condattr_destroy(&attr);
    int errnum = pthread_create(&r->thread, NULL, report_thread, r);
    if (errnum) {
        free(r);
        return err_errno(reterr, errnum, "start the report thread");
    }
    *ret = r;
    return 0;
}

void task_report_progress(struct task_report *r, float progress)
{
    atomic_store(&r->progress, progress < 0 ? 0 : progress > 1 ? 1 : progress);
}

void task_report_alive(struct task_report *r)
{
    atomic_fetch_add(&r->alive, 1);
}

void task_report_status(struct task_report *r, const char *text)
{
    pthread_mutex_lock(&r->lock);
    snprintf(r->status, sizeof r->status, "%s", text);
    for (char *p = r->status; *p; p++) /* protobuf strings and pages want clean text */
        if ((unsigned char)*p < ' ')
            *p = ' ';
    pthread_mutex_unlock(&r->lock);
    task_report_alive(r);
}

void task_report_end(struct task_report *r, const struct err *why_failed, bool waits)
{
    pthread_mutex_lock(&r->lock);
    r->stopping = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    report_write(r, why_failed, why_failed == NULL, waits);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->wake);
    free(r);
}

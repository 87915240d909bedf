#include "common/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"

#define EVENTS_AT_ONCE 64

struct loop {
    int epoll_fd, stop_fd;
    _Atomic bool stopped;
    struct loop_timer *timers;
    /* The batch being worked on, so that a removed watch is not called any more. */
    struct epoll_event batch[EVENTS_AT_ONCE];
    int batch_pos, batch_count;
    void (*on_batch)(void *context, int events); /* NULL: nobody's */
    void *on_batch_context;
};

int loop_new(struct loop **ret, struct err *reterr)
{
    struct loop *l = mem_new(struct loop);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
    if (l->epoll_fd < 0 || l->stop_fd < 0 || epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->stop_fd, &ev) < 0) {
        int rc = err_errno(reterr, errno, "create an event loop");
        loop_free(l);
        return rc;
    }
    *ret = l;
    return 0;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
    if (l->stop_fd >= 0)
        close(l->stop_fd);
    free(l);
}

int loop_watch_add(struct loop *l, struct loop_watch *w, uint32_t events, struct err *reterr)
{
    w->loop = l;
    struct epoll_event ev = {.events = events, .data.ptr = w};
    if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, w->fd, &ev) < 0)
        return err_errno(reterr, errno, "watch fd %d", w->fd);
    return 0;
}

void loop_watch_events(struct loop_watch *w, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = w};
    (void)epoll_ctl(w->loop->epoll_fd, EPOLL_CTL_MOD, w->fd,
                    &ev); /* fails only if it is not added: our bug, and harmless */
}

void loop_watch_remove(struct loop_watch *w)
{
    struct loop *l = w->loop;
    (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    for (int i = l->batch_pos; i < l->batch_count; i++)
        if (l->batch[i].data.ptr == w)
            l->batch[i].data.ptr = NULL;
}

void loop_timer_add(struct loop *l, struct loop_timer *t)
{
    t->next_ms = clock_mono_ms() + t->period_ms;
    t->next = l->timers;
    l->timers = t;
}

/* Runs what is due; returns how long to wait for the next, -1 if there is none. */
static int timers_run(struct loop *l)
{
    if (!l->timers)
        return -1;
    int64_t now_ms = clock_mono_ms(), next_ms = INT64_MAX;
    for (struct loop_timer *t = l->timers; t; t = t->next) {
        if (t->next_ms <= now_ms) {
            t->next_ms = now_ms + t->period_ms;
            t->expired(t, now_ms);
        }
        if (t->next_ms < next_ms)
            next_ms = t->next_ms;
    }
    int64_t wait_ms = next_ms - clock_mono_ms();
    return wait_ms < 0 ? 0 : wait_ms > 60000 ? 60000 : (int)wait_ms;
}

void loop_on_batch(struct loop *l, void (*fn)(void *context, int events), void *context)
{
    l->on_batch = fn;
    l->on_batch_context = context;
}

void loop_run(struct loop *l)
{
    while (!l->stopped) {
        int wait_ms = timers_run(l);
        l->batch_count = epoll_wait(l->epoll_fd, l->batch, EVENTS_AT_ONCE, wait_ms);
        if (l->on_batch && l->batch_count > 0)
            l->on_batch(l->on_batch_context, l->batch_count);
        for (l->batch_pos = 0; l->batch_pos < l->batch_count; l->batch_pos++) {
            struct loop_watch *w = l->batch[l->batch_pos].data.ptr;
            if (w)
                w->ready(w, l->batch[l->batch_pos].events);
        }
        if (l->on_batch && l->batch_count > 0)
            l->on_batch(l->on_batch_context, 0);
    }
}

void loop_stop(struct loop *l)
{
    l->stopped = true;
    uint64_t one = 1;
    (void)!write(l->stop_fd, &one, sizeof one); /* full means already awake */
}

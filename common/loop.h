/* An epoll loop on one thread, with timers.
 *
 * A watch belongs to one loop; its callback runs on the loop's thread. loop_watch_events may be called from
 * any thread while the watch is added: whoever holds a lock that keeps it from being removed may use EPOLLOUT
 * to get the loop's attention, so no second way to post work is needed. Everything else: loop thread only, or
 * before loop_run. */
#ifndef CAIRN_COMMON_LOOP_H
#define CAIRN_COMMON_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

#include "common/err.h"

struct loop;
struct loop_watch {
    void (*ready)(struct loop_watch *w, uint32_t events); /* may remove any watch, this one too */
    struct loop *loop;                                    /* set by loop_watch_add */
    int fd;
};
struct loop_timer {
    void (*expired)(struct loop_timer *t, int64_t now_ms);
    int64_t period_ms;
    int64_t next_ms; /* monotonic; set by loop_timer_add */
    struct loop_timer *next;
};

int loop_new(struct loop **ret, struct err *reterr) MUST_CHECK;
void loop_free(struct loop *l); /* not running; watches and timers are merely forgotten */

/* Before loop_run: fn(context, N) before N events are handled that came together, and fn(context, 0) after them. */
void loop_on_batch(struct loop *l, void (*fn)(void *context, int events), void *context);

void loop_run(struct loop *l);  /* until loop_stop */
void loop_stop(struct loop *l); /* any thread; loop_run returns soon, or at once if it has not begun */

/* Level triggered. w->ready and w->fd are set by the caller; any thread. */
int loop_watch_add(struct loop *l, struct loop_watch *w, uint32_t events, struct err *reterr) MUST_CHECK;
void loop_watch_events(struct loop_watch *w, uint32_t events); /* any thread, see above */
void loop_watch_remove(struct loop_watch *w);                  /* before the fd is closed */

void loop_timer_add(struct loop *l, struct loop_timer *t); /* every period_ms; stays until loop_free */

#endif

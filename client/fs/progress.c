#include "client/fs/progress.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/fs/human.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/terminal.h"

#define FIRST_DRAW_MS 500 /* what is done sooner needs no bar */
#define DRAW_EVERY_MS 200
#define NAME_SHOWN    32

struct progress {
    _Atomic int64_t done, expected;
    _Atomic bool endless; /* a source whose length is not known */
    int64_t started_ms;
    pthread_t drawer;
    pthread_mutex_t lock; /* guards name, stopping */
    pthread_cond_t wake;
    char name[NAME_SHOWN + 1];
    bool stopping, drawn;
};

static int line_width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

static void progress_draw(struct progress *p)
{
    int64_t done = p->done, expected = p->expected, took_ms = clock_mono_ms() - p->started_ms;
    double rate = took_ms > 0 ? (double)done * 1000 / (double)took_ms : 0;
    char amount[HUMAN_MAX], speed[HUMAN_MAX], line[256], eta[48] = "";
    int percent = expected > 0 ? (int)(done * 100 / expected) : 100;
    if (!p->endless && rate > 0) {
        int64_t left_s = (int64_t)((double)(expected - done) / rate) + 1;
        if (left_s < 360000)
            snprintf(eta, sizeof eta, "  ETA %" PRId64 ":%02" PRId64 ":%02" PRId64, left_s / 3600, left_s / 60 % 60,
                     left_s % 60);
    }
    if (p->endless)
        snprintf(line, sizeof line, "%-*s  %10s  %10s/s", NAME_SHOWN, p->name, human_bytes(done, amount),
                 human_bytes((int64_t)rate, speed));
    else
        snprintf(line, sizeof line, "%-*s %3d%%  %10s  %10s/s%s", NAME_SHOWN, p->name, percent,
                 human_bytes(done, amount), human_bytes((int64_t)rate, speed), eta);
    dprintf(STDERR_FILENO, "\r%.*s\033[K", line_width() - 1, line);
    p->drawn = true;
}

static void *progress_loop(void *arg)
{
    struct progress *p = arg;
    pthread_mutex_lock(&p->lock);
    int64_t next_ms = p->started_ms + FIRST_DRAW_MS;
    while (!p->stopping) {
        struct timespec until = {.tv_sec = next_ms / 1000, .tv_nsec = next_ms % 1000 * 1000000};
        pthread_cond_timedwait(&p->wake, &p->lock, &until);
        if (p->stopping || clock_mono_ms() < next_ms)
            continue;
        progress_draw(p);
        next_ms = clock_mono_ms() + DRAW_EVERY_MS;
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

struct progress *progress_start(void)
{
    if (!isatty(STDERR_FILENO))
        return NULL;
    struct progress *p = mem_new(struct progress);
    p->started_ms = clock_mono_ms();
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&p->drawer, NULL, progress_loop, p) != 0) {
        free(p);
        return NULL; /* a copy without a bar is a copy all the same */
    }
    return p;
}

void progress_expect(struct progress *p, const char *name, int64_t bytes)
{
    if (!p)
        return;
    if (bytes >= 0)
        p->expected += bytes;
    else
        p->endless = true;
    pthread_mutex_lock(&p->lock);
    snprintf(p->name, sizeof p->name, "%s", name);
    terminal_text(p->name);
    pthread_mutex_unlock(&p->lock);
}

void progress_add(struct progress *p, int64_t bytes)
{
    if (p)
        p->done += bytes;
}

void progress_finish(struct progress *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->drawer, NULL);
    if (p->drawn)
        dprintf(STDERR_FILENO, "\r\033[K");
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

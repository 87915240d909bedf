/* What a person sees of a running job. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "scheduler/cli/job_client.h"

#define WAIT_MS          1000
#define LINE_INTERVAL_MS 1000 /* Hadoop prints at most one line per second */
#define AWAY_MAX_MS      600000
#define BAR_CELLS        16

void job_say(const char *format, ...)
{
    char text[4096], when[32];
    struct timespec ts;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &ts);
    localtime_r(&ts.tv_sec, &tm);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "%s,%03ld INFO mapreduce.Job: %s\n", when, ts.tv_nsec / 1000000, text);
}

const char *job_state_name(Cairn__JobState state)
{
    static const char *const names[] = {
        [CAIRN__JOB_STATE__JOB_WAITING] = "WAITING",       [CAIRN__JOB_STATE__JOB_RUNNING] = "RUNNING",
        [CAIRN__JOB_STATE__JOB_COMMITTING] = "COMMITTING", [CAIRN__JOB_STATE__JOB_SUCCEEDED] = "SUCCEEDED",
        [CAIRN__JOB_STATE__JOB_FAILED] = "FAILED",         [CAIRN__JOB_STATE__JOB_KILLED] = "KILLED"};
    return (size_t)state < ARRAY_COUNT(names) && names[state] ? names[state] : "UNKNOWN";
}

static void print_bar(const char *name, float progress)
{
    int full = (int)(progress * BAR_CELLS + 0.5f);
    fprintf(stderr, "%s [", name);
    for (int i = 0; i < BAR_CELLS; i++)
        fputc(i < full ? '=' : i == full ? '>' : ' ', stderr);
    fprintf(stderr, "] %3d%%  ", (int)(progress * 100));
}

struct shown {
    bool terminal;
    int map_percent, reduce_percent;
    int64_t at_ms, began_ms;
    float began_progress; /* of the whole job, when we came */
    char waiting_text[128];
};

static float whole_progress(const Cairn__JobStatusProto *s)
{
    return s->reduces ? (s->mapprogress + s->reduceprogress) / 2 : s->mapprogress;
}

/* "12.3 MiB/s  0:31 left  98% local", as far as it is known. */
static void print_rates(const struct shown *shown, const Cairn__JobStatusProto *s, int64_t now_ms)
{
    double seconds = (double)(now_ms - shown->began_ms) / 1000, done = whole_progress(s) - shown->began_progress;
    if (s->inputbytes > 0 && s->has_startedatms && s->mapprogress < 1) {
        double since_start = seconds > 1 ? seconds : 1;
        fprintf(stderr, "%.1f MiB/s  ", (double)s->inputbytes * s->mapprogress / since_start / (1 << 20));
    }
    if (done > 0.01 && seconds > 1) {
        int left = (int)(seconds / done * (1 - whole_progress(s)) + 0.5);
        fprintf(stderr, "%d:%02d left  ", left / 60, left % 60);
    }
    if (s->mapsplaced)
        fprintf(stderr, "%u%% local  ", s->mapslocal * 100 / s->mapsplaced);
}

static void show(struct shown *s, const Cairn__JobStatusProto *status, bool last)
{
    int map = (int)(status->mapprogress * 100), reduce = status->reduces ? (int)(status->reduceprogress * 100)
                                                         : last          ? 100
                                                                         : 0;
    int64_t now = clock_mono_ms();
    if (s->terminal) {
        fprintf(stderr, "\r");
        print_bar("map", status->mapprogress);
        if (status->reduces) {
            print_bar("shuffle", status->shuffleprogress);
            print_bar("reduce", status->reduceprogress);
        }
        if (!last)
            print_rates(s, status, now);
        fprintf(stderr, "%s\033[K", status->waitingfor ? status->waitingfor : "");
        if (last)
            fputc('\n', stderr);
        return;
    }
    bool changed = map != s->map_percent || reduce != s->reduce_percent;
    if (changed && (last || s->map_percent < 0 || now - s->at_ms >= LINE_INTERVAL_MS)) {
        job_say(" map %d%% reduce %d%%", map, reduce);
        s->map_percent = map;
        s->reduce_percent = reduce;
        s->at_ms = now;
    }
    const char *waiting = status->waitingfor ? status->waitingfor : "";
    if (strcmp(waiting, s->waiting_text) && now - s->at_ms > 3 * LINE_INTERVAL_MS) {
        snprintf(s->waiting_text, sizeof s->waiting_text, "%s", waiting);
        if (waiting[0])
            job_say(" waiting for %s", waiting);
        s->at_ms = now;
    }
}

int job_client_follow(struct job_client *c, const char *job_id, struct arena *a, const Cairn__JobStatusProto **ret,
                      struct err *reterr)
{
    struct shown shown = {.terminal = isatty(STDERR_FILENO),
                          .map_percent = -1,
                          .reduce_percent = -1,
                          .at_ms = clock_mono_ms(),
                          .began_progress = -1};
    uint64_t version = 0;
    int64_t heard_ms = clock_mono_ms();
    int changes = 0;
    for (;;) {
        const Cairn__JobStatusProto *status;
        arena_reset(a);
        int rc = job_client_get(c, job_id, version, WAIT_MS, a, &status, reterr);
        if (rc == ERR_CONNECT && clock_mono_ms() - heard_ms < AWAY_MAX_MS) { /* the job goes on when it is back */
            job_say(" the scheduler is away, waiting for it");
            continue;
        }
        if (rc < 0)
            return rc;
        heard_ms = clock_mono_ms();
        if (shown.began_progress < 0) {
            shown.began_progress = whole_progress(status);
            shown.began_ms = heard_ms;
        }
        bool last = status->state >= CAIRN__JOB_STATE__JOB_SUCCEEDED;
        version = status->version;
        show(&shown, status, last);
        if (last) {
            *ret = status;
            return 0;
        }
        if ((rc = job_interrupt_check(c, reterr)) < 0)
            return rc;
        if (shown.terminal || changes++ > 4)
            clock_sleep_ms(20); /* a burst of changes is shown once */
    }
}

static void print_group(const Cairn__JobStatusProto *s, const char *group)
{
    fprintf(stderr, "\t%s\n", group);
    for (size_t i = 0; i < s->n_counters; i++)
        if (!strcmp(s->counters[i]->group, group))
            fprintf(stderr, "\t\t%s=%" PRId64 "\n", s->counters[i]->name, s->counters[i]->value);
}

void job_print_counters(const Cairn__JobStatusProto *s)
{
    static const char *const first[] = {"File System Counters",       "Job Counters",
                                        "Map-Reduce Framework",       "Shuffle Errors",
                                        "File Input Format Counters", "File Output Format Counters"};
    job_say("Counters: %zu", s->n_counters);
    for (size_t g = 0; g < ARRAY_COUNT(first); g++)
        for (size_t i = 0; i < s->n_counters; i++)
            if (!strcmp(s->counters[i]->group, first[g])) {
                print_group(s, first[g]);
                break;
            }
    for (size_t i = 0; i < s->n_counters; i++) {
        bool seen = false;
        for (size_t g = 0; g < ARRAY_COUNT(first); g++)
            seen |= !strcmp(s->counters[i]->group, first[g]);
        for (size_t k = 0; k < i; k++)
            seen |= !strcmp(s->counters[k]->group, s->counters[i]->group);
        if (!seen)
            print_group(s, s->counters[i]->group);
    }
}

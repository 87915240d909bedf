/* `cairn task`: runs an attempt, and then perhaps others of the same job, one after the other. The worker starts it in
 * its own process group and folder, and tells it all it needs over a socket (task_channel.h). */
#include "scheduler/engine/task.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/mem.h"
#include "main/commands.h"
#include "scheduler/engine/aggregate.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/program.h"
#include "scheduler/engine/program_forker.h"
#include "scheduler/engine/task_channel.h"

/* What stays from one attempt to the next of its job. */
struct seat {
    struct config *config;
    struct dfs *fs;
    struct program_forker *forker;
};

/* The node's settings, and above them the job's properties, are those of its file system client. */
static int seat_take(struct seat *seat, const Cairn__TaskSpecProto *spec, struct err *reterr)
{
    int rc = 0;
    if (seat->fs)
        return 0;
    seat->config = config_new();
    for (size_t i = 0; rc == 0 && i < spec->n_nodesettings; i++)
        rc = config_set(seat->config, spec->nodesettings[i]->name, spec->nodesettings[i]->value, "worker", reterr);
    for (size_t i = 0; rc == 0 && i < spec->job->n_properties; i++)
        rc = config_set(seat->config, spec->job->properties[i]->name, spec->job->properties[i]->value, "job", reterr);
    if (rc == 0 && spec->localip)
        rc = config_set(seat->config, "cairn.client.local-address", spec->localip, "worker", reterr);
    return rc < 0 ? rc : dfs_connect(seat->config, spec->job->fsuri, spec->job->user, &seat->fs, reterr);
}

/* Before there are threads. */
static void seat_prepare(struct seat *seat, const Cairn__JobSpecProto *job)
{
    const char *commands[] = {job->mapper, job->combiner, job->reducer};
    bool wanted = false;
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
        wanted |= commands[i] && program_is_library(commands[i]);
    struct err err = {0};
    if (wanted && !seat->fs && !seat->forker && program_forker_start(&seat->forker, &err) < 0)
        fprintf(stderr, "cairn task: %s\n", err.text); /* it goes without */
}

static void seat_free(struct seat *seat)
{
    program_forker_stop(seat->forker);
    dfs_unref(seat->fs);
    config_free(seat->config);
}

/* CPU time of this process and its commands so far; the most memory that it, and the largest of its commands, had. */
struct usage {
    int64_t cpu_us, memory_kb;
};

static struct usage usage_now(void)
{
    struct rusage self, children;
    struct usage u = {0};
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    const struct timeval times[] = {self.ru_utime, self.ru_stime, children.ru_utime, children.ru_stime};
    for (size_t i = 0; i < ARRAY_COUNT(times); i++)
        u.cpu_us += times[i].tv_sec * 1000000 + times[i].tv_usec;
    u.memory_kb = self.ru_maxrss + children.ru_maxrss;
    return u;
}

static int attempt_run(struct task *t, struct seat *seat, struct err *reterr)
{
    t->sort_bytes = (size_t)job_conf_int(t->job, "mapreduce.task.io.sort.mb", 64) << 20;
    t->sort_factor = (int)job_conf_int(t->job, "mapreduce.task.io.sort.factor", 64);
    t->spill_codec = job_conf_spill_codec(t->job);
    struct usage before = usage_now();
    int rc = seat_take(seat, t->spec, reterr);
    t->fs = seat->fs;
    t->forker = seat->forker;
    if (rc == 0)
        rc = task_files_localize(t, reterr);
    if (rc == 0)
        rc = t->spec->map ? map_task_run(t, reterr) : reduce_task_run(t, reterr);
    struct usage after = usage_now();
    counters_add(t->counters, COUNTER_CPU_MS, (after.cpu_us - before.cpu_us) / 1000);
    counters_add(t->counters, COUNTER_MEMORY_BYTES, after.memory_kb * 1024);
    task_environment_free(t->environment);
    return rc;
}

/* True: another one may come. */
static bool next_attempt(struct seat *seat, int *ret_exit)
{
    struct arena a;
    arena_init(&a, TASK_SPEC_BYTES_MAX * 4ul);
    struct err err = {0}, report_err = {0};
    Cairn__TaskSpecProto *spec = NULL;
    struct task t = {.counters = counters_new(), .local_dir = "."};
    bool waits = false;
    int rc = task_channel_take(&a, &spec, &err);
    bool came = rc != ERR_CLOSED;
    if (rc == 0)
        seat_prepare(seat, spec->job);
    if (came && task_report_start(TASK_CHANNEL_FD, t.counters, &t.report, &report_err) < 0) {
        fprintf(stderr, "cairn task: %s\n", report_err.text);
        rc = report_err.code;
        came = false;
    }
    if (rc == 0) {
        t.spec = spec;
        t.job = spec->job;
        rc = attempt_run(&t, seat, &err);
        waits = rc == 0 && spec->stay && task_tidy(&t);
    }
    if (came && rc < 0)
        fprintf(stderr, "cairn task: %s\n", err.text);
    if (came)
        task_report_end(t.report, rc < 0 ? &err : NULL, waits);
    *ret_exit = came && rc < 0 ? EXIT_FAILURE : 0;
    counters_free(t.counters);
    arena_free(&a);
    return waits;
}

int task_main(int argc, char **argv)
{
    if (argc == 2 + PROGRAM_HOST_ARGS && !strcmp(argv[1], "--program"))
        return program_host_main(argv + 2);
    if (argc == 3 && !strcmp(argv[1], "--aggregate")) {
        struct err why = {0};
        if (aggregate(stdin, stdout, !strcmp(argv[2], "combine"), &why) == 0)
            return 0;
        fprintf(stderr, "cairn task: %s\n", why.text);
        return EXIT_FAILURE;
    }
    if (argc != 1) {
        fprintf(stderr, "cairn task is started by a worker\n");
        return EXIT_FAILURE;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* no task outlives its worker */
    prctl(PR_SET_NAME, "cairn-task");
    fcntl(TASK_CHANNEL_FD, F_SETFD, FD_CLOEXEC);
    struct seat seat = {0};
    int exit_code = 0;
    while (next_attempt(&seat, &exit_code))
        ;
    seat_free(&seat);
    return exit_code;
}

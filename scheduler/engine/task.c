/* `cairn task SPEC`: one attempt. The worker starts it in its own process group and folder, with a pipe for reports at
 * descriptor 3; everything else it needs is in the file SPEC. */
#include "scheduler/engine/task.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "main/commands.h"
#include "proto/message.h"
#include "scheduler/engine/aggregate.h"
#include "scheduler/engine/job_conf.h"
#include "scheduler/engine/program.h"

#define TASK_SPEC_BYTES_MAX (64u << 20)

static int task_spec_read(const char *path, struct arena *a, Cairn__TaskSpecProto **ret, struct err *reterr)
{
    struct buf bytes = {0};
    ProtobufCMessage *m = NULL;
    int rc = file_read(path, TASK_SPEC_BYTES_MAX, &bytes, reterr);
    if (rc == 0)
        rc = message_unpack(&cairn__task_spec_proto__descriptor, buf_slice(&bytes), a, &m, reterr);
    buf_free(&bytes);
    if (rc < 0)
        return rc;
    *ret = (Cairn__TaskSpecProto *)m;
    if (!(*ret)->jobdir || !(*ret)->outputdir || !(*ret)->scheduler || ((*ret)->map && !(*ret)->split))
        return err_set(reterr, ERR_PROTOCOL, "'%s' lacks a field", path);
    return 0;
}

/* The node's settings, and above them the job's properties, are those of its file system client. */
static int task_connect(struct task *t, struct config **ret_config, struct err *reterr)
{
    struct config *config = config_new();
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < t->spec->n_nodesettings; i++)
        rc = config_set(config, t->spec->nodesettings[i]->name, t->spec->nodesettings[i]->value, "worker", reterr);
    for (size_t i = 0; rc == 0 && i < t->job->n_properties; i++)
        rc = config_set(config, t->job->properties[i]->name, t->job->properties[i]->value, "job", reterr);
    if (rc == 0 && t->spec->localip)
        rc = config_set(config, "cairn.client.local-address", t->spec->localip, "worker", reterr);
    if (rc == 0)
        rc = dfs_connect(config, t->job->fsuri, t->job->user, &t->fs, reterr);
    *ret_config = config;
    return rc;
}

/* CPU time of the task and its commands; the most memory that the task, and the largest of its commands, had. */
static void count_resources(struct task *t)
{
    struct rusage self, children;
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    int64_t ms = 0;
    const struct timeval times[] = {self.ru_utime, self.ru_stime, children.ru_utime, children.ru_stime};
    for (size_t i = 0; i < ARRAY_COUNT(times); i++)
        ms += times[i].tv_sec * 1000 + times[i].tv_usec / 1000;
    counters_add(t->counters, COUNTER_CPU_MS, ms);
    counters_add(t->counters, COUNTER_MEMORY_BYTES, (self.ru_maxrss + children.ru_maxrss) * 1024);
}

static int task_run(struct task *t, struct err *reterr)
{
    struct config *config = NULL;
    int rc = task_connect(t, &config, reterr);
    if (rc == 0)
        rc = task_files_localize(t, reterr);
    if (rc == 0) {
        char *work_dir = mem_printf("%s%s/_temporary/0/%s", t->job->fsuri, t->job->output, t->spec->attemptid);
        t->environment = task_environment(t->spec, work_dir);
        free(work_dir);
        rc = t->spec->map ? map_task_run(t, reterr) : reduce_task_run(t, reterr);
    }
    count_resources(t);
    task_environment_free(t->environment);
    dfs_unref(t->fs);
    config_free(config);
    return rc;
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
    if (argc != 2) {
        fprintf(stderr, "cairn task is started by a worker, with the file that describes the attempt\n");
        return EXIT_FAILURE;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* no task outlives its worker */
    prctl(PR_SET_NAME, "cairn-task");
    fcntl(TASK_REPORT_FD, F_SETFD, FD_CLOEXEC);
    struct arena a;
    arena_init(&a, TASK_SPEC_BYTES_MAX * 4ul);
    struct err err = {0};
    Cairn__TaskSpecProto *spec = NULL;
    struct task t = {.counters = counters_new(), .local_dir = "."};
    int rc = task_report_start(TASK_REPORT_FD, t.counters, &t.report, &err);
    if (rc == 0)
        rc = task_spec_read(argv[1], &a, &spec, &err);
    if (rc == 0) {
        t.spec = spec;
        t.job = spec->job;
        t.sort_bytes = (size_t)job_conf_int(t.job, "mapreduce.task.io.sort.mb", 64) << 20;
        t.sort_factor = (int)job_conf_int(t.job, "mapreduce.task.io.sort.factor", 64);
        t.spill_codec = job_conf_spill_codec(t.job);
        rc = task_run(&t, &err);
    }
    if (rc < 0)
        fprintf(stderr, "cairn task: %s\n", err.text);
    if (t.report)
        task_report_end(t.report, rc < 0 ? &err : NULL);
    counters_free(t.counters);
    arena_free(&a);
    return rc < 0 ? EXIT_FAILURE : 0;
}

/* One attempt of one task, inside a process of its own (`cairn task`): what its parts share. Immutable after the start
 * except where a part says otherwise. */
#ifndef CAIRN_SCHEDULER_ENGINE_TASK_H
#define CAIRN_SCHEDULER_ENGINE_TASK_H

#include <sys/types.h>

#include "cairn/scheduler.pb-c.h"
#include "client/lib/dfs.h"
#include "scheduler/engine/block_codec.h"
#include "scheduler/engine/counters.h"
#include "scheduler/engine/task_report.h"

struct program_forker;
struct task {
    const Cairn__TaskSpecProto *spec;
    const Cairn__JobSpecProto *job;
    struct counters *counters;
    struct task_report *report;
    struct dfs *fs;
    struct program_forker *forker; /* NULL: C programs are executed */
    char **environment;            /* of the user's commands; NULL-terminated */
    const char *local_dir;         /* scratch: the attempt's working directory */
    size_t sort_bytes;             /* mapreduce.task.io.sort.mb */
    int sort_factor;
    enum block_codec spill_codec;
};

#define SHUFFLE_OUTPUT_NAME "file.out" /* a map's output in its outputDir */

int map_task_run(struct task *t, struct err *reterr) MUST_CHECK;    /* map_task.c */
int reduce_task_run(struct task *t, struct err *reterr) MUST_CHECK; /* reduce_task.c */

/* Environment of the user's commands: ours, every property with other characters as "_", Hadoop's own names for the
 * task (new and old), -cmdenv. Made when it is asked for first. The thread that starts commands. */
char **task_environment(struct task *t);
void task_environment_free(char **environment); /* NULL is fine */
/* Job files: once per job and node into jobDir/files, verified; links in the working directory. */
int task_files_localize(struct task *t, struct err *reterr) MUST_CHECK;
/* task_tidy.c: leaves the working directory as a first attempt finds it, but for the links of job files. False: it
 * cannot, or something that the attempt has started is still there. */
bool task_tidy(const struct task *t);

#endif

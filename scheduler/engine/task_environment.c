#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "scheduler/engine/task.h"
#include "scheduler/ids.h"

extern char **environ;

#define JOBCONF_VALUE_MAX 20000 /* longer values make exec fail; Hadoop's stream.jobconf.truncate.limit */

struct env_list {
    char **items;
    size_t count, capacity;
};

static void env_put(struct env_list *list, char *item) /* takes it; a later one of the same name wins */
{
    size_t name_len = strcspn(item, "=") + 1;
    for (size_t i = 0; i < list->count; i++)
        if (!strncmp(list->items[i], item, name_len)) {
            free(list->items[i]);
            list->items[i] = item;
            return;
        }
    if (list->count + 2 > list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->items = mem_realloc_array(list->items, list->capacity, sizeof *list->items);
    }
    list->items[list->count++] = item;
    list->items[list->count] = NULL;
}

/* mapreduce.task.id -> mapreduce_task_id */
static void env_put_property(struct env_list *list, const char *name, const char *value)
{
    char *item = mem_printf("%s=%.*s", name, JOBCONF_VALUE_MAX, value);
    for (char *p = item; *p != '='; p++)
        if (!isalnum((unsigned char)*p))
            *p = '_';
    env_put(list, item);
}

static void env_put_number(struct env_list *list, const char *name, long long value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", value);
    env_put_property(list, name, text);
}

static void env_put_task(struct env_list *list, const Cairn__TaskSpecProto *spec, const char *work_output_dir)
{
    const Cairn__JobSpecProto *job = spec->job;
    struct attempt_id id;
    char task_id[ATTEMPT_ID_MAX] = "";
    if (attempt_id_parse(spec->attemptid, &id))
        task_id_format(&id, task_id);
    const char *both[][2] = {{"mapreduce.job.id", job->jobid},
                             {"mapred.job.id", job->jobid},
                             {"mapreduce.job.name", job->name},
                             {"mapred.job.name", job->name},
                             {"mapreduce.job.user.name", job->user},
                             {"user.name", job->user},
                             {"mapreduce.task.id", task_id},
                             {"mapred.tip.id", task_id},
                             {"mapreduce.task.attempt.id", spec->attemptid},
                             {"mapred.task.id", spec->attemptid},
                             {"mapreduce.task.ismap", spec->map ? "true" : "false"},
                             {"mapred.task.is.map", spec->map ? "true" : "false"},
                             {"mapreduce.task.output.dir", work_output_dir},
                             {"mapred.work.output.dir", work_output_dir},
                             {"mapreduce.output.fileoutputformat.outputdir", job->output},
                             {"mapred.output.dir", job->output},
                             {"fs.defaultFS", job->fsuri}};
    for (size_t i = 0; i < ARRAY_COUNT(both); i++)
        env_put_property(list, both[i][0], both[i][1]);
    env_put_number(list, "mapreduce.task.partition", spec->partition);
    env_put_number(list, "mapred.task.partition", spec->partition);
    env_put_number(list, "mapreduce.job.reduces", job->reduces);
    env_put_number(list, "mapred.reduce.tasks", job->reduces);
    env_put_number(list, "mapreduce.job.maps", job->maps);
    env_put_number(list, "mapred.map.tasks", job->maps);
    if (spec->split) {
        char *file = mem_printf("%s%s", job->fsuri, spec->split->path);
        env_put_property(list, "mapreduce.map.input.file", file);
        env_put_property(list, "map.input.file", file);
        free(file);
        env_put_number(list, "mapreduce.map.input.start", spec->split->start);
        env_put_number(list, "map.input.start", spec->split->start);
        env_put_number(list, "mapreduce.map.input.length", spec->split->length);
        env_put_number(list, "map.input.length", spec->split->length);
        if (spec->split->tag)
            env_put_property(list, "cairn.map.input.tag", spec->split->tag);
    }
}

char **task_environment(struct task *t)
{
    const Cairn__TaskSpecProto *spec = t->spec;
    struct env_list list = {0};
    char cwd[4096] = "";
    if (t->environment)
        return t->environment;
    for (char **e = environ; *e; e++)
        env_put(&list, mem_strdup(*e));
    for (size_t i = 0; i < spec->job->n_properties; i++)
        env_put_property(&list, spec->job->properties[i]->name, spec->job->properties[i]->value);
    char *work_output_dir = mem_printf("%s%s/_temporary/0/%s", spec->job->fsuri, spec->job->output, spec->attemptid);
    env_put_task(&list, spec, work_output_dir);
    free(work_output_dir);
    env_put(&list,
            mem_printf("CORE_CONF_fs_defaultFS=%s", spec->job->fsuri)); /* `hadoop fs` in a command knows where it is */
    if (getcwd(cwd, sizeof cwd)) {
        env_put(&list, mem_printf("PWD=%s", cwd));
        env_put(&list, mem_printf("TMPDIR=%s/tmp", cwd));
        env_put_property(&list, "mapreduce.job.local.dir", cwd);
    }
    for (size_t i = 0; i < spec->job->n_environment; i++)
        env_put(&list, mem_printf("%s=%s", spec->job->environment[i]->name, spec->job->environment[i]->value));
    t->environment = list.items;
    return list.items;
}

void task_environment_free(char **environment)
{
    for (char **e = environment; e && *e; e++)
        free(*e);
    free(environment);
}

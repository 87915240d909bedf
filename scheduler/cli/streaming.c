/* `cairn streaming`: Hadoop Streaming's command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cli.h"
#include "common/mem.h"
#include "main/commands.h"
#include "scheduler/cli/submit.h"

/* Exit codes of Hadoop's StreamJob. */
enum {
    EXIT_BAD_ARGUMENTS = 1,
    EXIT_JOB_FAILED = 1,
    EXIT_INVALID_JOB = 3,
    EXIT_OUTPUT_EXISTS = 4,
    EXIT_IO = 5,
    EXIT_INTERRUPTED = 130
};
#define LIST_MAX           1024
#define SUBMIT_ARENA_BYTES (512u << 20)

static const char usage_text[] =
    "Usage: cairn streaming [generic options] [options]\n"
    "  -input <path>            input file, folder or glob; may be given several times\n"
    "  -output <path>           output folder; must not exist yet\n"
    "  -mapper <command>        reads lines on stdin, writes key<TAB>value lines\n"
    "  -combiner <command>      the same, on sorted map output before it is sent\n"
    "  -reducer <command|NONE>  reads sorted key<TAB>value lines; NONE: the mappers' output is the result\n"
    "  -program <file.so>       a C program (cairn/mapreduce.h) as mapper, combiner and reducer, as far as it is "
    "them;\n"
    "                           -mapper, -combiner and -reducer can name one too\n"
    "  -file <file>             ship a file to the tasks (also -files a,b,c; path#name renames it).\n"
    "                           A command that is a file here, like ./m.py, is shipped by itself\n"
    "  -numReduceTasks <n>      number of reduces (default 1; 0 as -reducer NONE)\n"
    "  -taggedInput <tag>=<path>  input whose tag mappers find in $cairn_map_input_tag\n"
    "  -cacheArchive <archive>  ship a zip, jar or tar, unpacked into a folder of its name (also -archives a,b#name)\n"
    "  -inputformat <class>     TextInputFormat (default), KeyValueTextInputFormat, NLineInputFormat, CSVInputFormat,\n"
    "                           WholeFileInputFormat, SequenceFileInputFormat, SequenceFileAsTextInputFormat\n"
    "  -inputreader StreamXmlRecord,begin=<text>,end=<text>  records from one text to another\n"
    "  -outputformat <class>    TextOutputFormat (default), SequenceFileOutputFormat\n"
    "  -partitioner <class>     HashPartitioner (default), KeyFieldBasedPartitioner, TotalOrderPartitioner\n"
    "  -cmdenv <name>=<value>   environment of the commands; may be given several times\n"
    "  -jobconf <name>=<value>  as -D\n"
    "  -lazyOutput              no empty part files\n"
    "  -background              do not wait for the end\n"
    "  -verbose                 say what is done\n"
    "Generic options: -D name=value, -fs URI, -files a,b, -conf FILE, -scheduler HOST:PORT (or -jt).\n"
    "Commands are not run by a shell; use -mapper \"sh -c '...'\" for pipes. Ctrl-C on a terminal\n"
    "asks whether to kill the job.\n"
    "-D cairn.job.after=JOB,... waits for other jobs, -D cairn.job.replace=true takes the place of an output that\n"
    "exists, -D cairn.job.schedule='CRON' submits it at these times (`cairn job -schedules`).\n";

struct streaming_args {
    struct job_request request;
    bool background, help;
    const char *jobconf[LIST_MAX];
    size_t jobconf_count;
    const char *inputs[LIST_MAX], *tagged[LIST_MAX], *files[LIST_MAX], *archives[LIST_MAX], *cmdenv[LIST_MAX];
};

static int take_flag(struct streaming_args *args, const char *name)
{
    if (!strcmp(name, "background"))
        args->background = true;
    else if (!strcmp(name, "lazyOutput"))
        args->request.lazy_output = true;
    else if (!strcmp(name, "verbose"))
        args->request.verbose = true;
    else if (!strcmp(name, "help") || !strcmp(name, "info") || !strcmp(name, "h"))
        args->help = true;
    else
        return strcmp(name, "debug") ? 0 : 1;
    return 1;
}

static int missing(const char *name, struct err *reterr)
{
    return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Missing argument for option: %s", name);
}

static int take_other(struct job_request *r, const char *name, const char *value, struct err *reterr)
{
    bool is_io = !strcmp(name, "io"), is_reduces = !strcmp(name, "numReduceTasks");
    if (!is_io && !is_reduces && strcmp(name, "mapdebug") && strcmp(name, "reducedebug"))
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Unrecognized option: -%s", name);
    if (!value)
        return missing(name, reterr);
    if (is_io)
        return strcmp(value, "text") ? err_set(reterr, ERR_UNSUPPORTED, "-io %s is not supported", value) : 0;
    if (is_reduces) {
        char *end;
        r->reduces = strtoll(value, &end, 10);
        return *end || end == value || r->reduces < 0
                   ? err_set(reterr, ERR_ILLEGAL_ARGUMENT, "-numReduceTasks '%s' is not a number", value)
                   : 0;
    }
    fprintf(stderr, "-%s: it is not run, as in Hadoop 3; the log of an attempt that fails is shown\n", name);
    return 0;
}

static int take_value(struct streaming_args *args, const char *name, const char *value, struct err *reterr)
{
    struct job_request *r = &args->request;
    const struct {
        const char *name;
        const char **text;
    } single[] = {{"output", &r->output},
                  {"program", &r->program},
                  {"mapper", &r->mapper},
                  {"combiner", &r->combiner},
                  {"reducer", &r->reducer},
                  {"inputformat", &r->input_format},
                  {"inputreader", &r->input_reader},
                  {"outputformat", &r->output_format},
                  {"partitioner", &r->partitioner}};
    const struct {
        const char *name;
        const char **list;
        size_t *count;
    } many[] = {{"input", args->inputs, &r->input_count},
                {"file", args->files, &r->file_count},
                {"files", args->files, &r->file_count},
                {"cacheFile", args->files, &r->file_count},
                {"taggedInput", args->tagged, &r->tagged_count},
                {"archives", args->archives, &r->archive_count},
                {"cacheArchive", args->archives, &r->archive_count},
                {"cmdenv", args->cmdenv, &r->cmdenv_count},
                {"jobconf", args->jobconf, &args->jobconf_count}};
    static const char *const refused[] = {"libjars", "additionalconfspec", "dfs"};
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++)
        if (!strcmp(name, refused[i]))
            return err_set(reterr, ERR_UNSUPPORTED, "option -%s is not supported", name);
    for (size_t i = 0; i < ARRAY_COUNT(single); i++)
        if (!strcmp(name, single[i].name)) {
            *single[i].text = value;
            return value ? 0 : missing(name, reterr);
        }
    for (size_t i = 0; i < ARRAY_COUNT(many); i++)
        if (!strcmp(name, many[i].name)) {
            if (!value)
                return missing(name, reterr);
            if (*many[i].count == LIST_MAX)
                return err_set(reterr, ERR_TOO_LARGE, "option -%s is given more than %d times", name, LIST_MAX);
            many[i].list[(*many[i].count)++] = value;
            return 0;
        }
    return take_other(r, name, value, reterr);
}

static int parse(int argc, char **argv, struct streaming_args *args, struct err *reterr)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' || !argv[i][1])
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Found unexpected argument on the command line: %s", argv[i]);
        const char *name = argv[i] + 1 + (argv[i][1] == '-');
        if (take_flag(args, name))
            continue;
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        int rc = take_value(args, name, value, reterr);
        if (rc < 0)
            return rc;
        i++;
    }
    const struct job_request *r = &args->request;
    if (args->help)
        return 0;
    if (r->input_count + r->tagged_count == 0)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Required argument: -input <name>");
    if (!r->output)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Required argument: -output ");
    if (!r->mapper && !r->program)
        return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "Required argument: -mapper <command> (cat passes lines through)");
    return 0;
}

static int apply_jobconf(const struct streaming_args *args, struct config *config, struct err *reterr)
{
    for (size_t i = 0; i < args->jobconf_count; i++) {
        const char *equals = strchr(args->jobconf[i], '=');
        if (!equals)
            return err_set(reterr, ERR_ILLEGAL_ARGUMENT, "-jobconf %s: name=value is wanted", args->jobconf[i]);
        char *name = mem_strndup(args->jobconf[i], (size_t)(equals - args->jobconf[i]));
        int rc = config_set(config, name, equals + 1, "-jobconf", reterr);
        free(name);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int run(struct streaming_args *args, struct config *config, struct arena *a, int *ret_exit, struct err *reterr)
{
    struct dfs *fs = NULL;
    struct job_client *client = NULL;
    const char *job_id, *url;
    const Cairn__JobStatusProto *status = NULL;
    int rc = dfs_connect(config, NULL, NULL, &fs, reterr);
    if (rc == 0)
        rc = job_client_connect(config, dfs_user(fs), &client, reterr);
    job_id = NULL;
    if (rc == 0)
        rc = job_submit(fs, client, config, &args->request, a, &job_id, &url, reterr);
    if (rc == 0 && job_id) {
        char id[128];
        snprintf(id, sizeof id, "%s", job_id);
        job_interrupt_watch(id); /* before anyone is told that it runs */
        job_say("The url to track the job: %s", url);
        job_say("Running job: %s", id);
        if (args->background) {
            job_say("Job is running in background.");
        } else if ((rc = job_client_follow(client, id, a, &status, reterr)) == 0) {
            bool good = status->state == CAIRN__JOB_STATE__JOB_SUCCEEDED;
            if (good)
                job_say("Job %s completed successfully", id);
            if (good && status->mapsfailed + status->reducesfailed)
                job_say("%u of %u maps and %u of %u reduces failed for good and are missing. The last: %s",
                        status->mapsfailed, status->maps, status->reducesfailed, status->reduces,
                        status->diagnostics ? status->diagnostics : "no reason given");
            if (!good)
                job_say("Job %s failed with state %s due to: %s", id, job_state_name(status->state),
                        status->diagnostics ? status->diagnostics : "no reason given");
            job_print_counters(status);
            if (good)
                fprintf(stderr, "Output directory: %s\n", args->request.output);
            else
                fprintf(stderr, "Job not successful!\n");
            *ret_exit = good ? 0 : EXIT_JOB_FAILED;
        }
    }
    job_client_free(client);
    dfs_unref(fs);
    return rc;
}

static int explain(const struct err *err)
{
    switch (err->code) {
    case ERR_CANCELLED: return EXIT_INTERRUPTED;
    case ERR_EXISTS:
        fprintf(stderr, "Error launching job , Output path already exists : %s\n", err->text);
        return EXIT_OUTPUT_EXISTS;
    case ERR_CONFIG:
        fprintf(stderr, "Error launching job , Invalid job conf : %s\n", err->text);
        return EXIT_INVALID_JOB;
    case ERR_ILLEGAL_ARGUMENT:
    case ERR_UNSUPPORTED: fprintf(stderr, "%s\nTry -help for more information\n", err->text); return EXIT_BAD_ARGUMENTS;
    default: fprintf(stderr, "Error Launching job : %s\n", err->text); return EXIT_IO;
    }
}

int streaming_main(int argc, char **argv)
{
    struct err err = {0};
    struct config *config = NULL;
    struct streaming_args *args = mem_new(struct streaming_args);
    args->request = (struct job_request){.inputs = args->inputs,
                                         .tagged = args->tagged,
                                         .files = args->files,
                                         .archives = args->archives,
                                         .cmdenv = args->cmdenv,
                                         .reduces = -1};
    struct arena a;
    arena_init(&a, SUBMIT_ARENA_BYTES);
    int exit_code = 0;
    int rc = cli_load_settings(&argc, argv, &config, &err);
    if (rc == 0)
        rc = parse(argc, argv, args, &err);
    if (rc == 0)
        rc = apply_jobconf(args, config, &err);
    if (rc == 0 && args->help) {
        fputs(usage_text, stdout);
    } else if (rc == 0) {
        if (!config_is_set(config, "fs.defaultFS"))
            rc = cli_find_cluster(config, &err);
        if (rc == 0)
            rc = run(args, config, &a, &exit_code, &err);
    }
    if (rc < 0)
        exit_code = explain(&err);
    if (exit_code && exit_code != EXIT_INTERRUPTED)
        fprintf(stderr, "Streaming Command Failed!\n");
    arena_free(&a);
    config_free(config);
    free(args);
    return exit_code;
}

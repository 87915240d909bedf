/* `cairn job`: list, inspect, follow and kill jobs. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/cli.h"
#include "common/http.h"
#include "common/mem.h"
#include "client/lib/dfs.h"
#include "main/commands.h"
#include "scheduler/cli/job_client.h"
#include "scheduler/ids.h"

#define JOB_ARENA_BYTES (256u << 20)
#define LOG_TIMEOUT_MS  30000

static const char usage_text[] = "Usage: cairn job [generic options] COMMAND\n"
                                 "  -list [all]          running jobs, or all that are remembered\n"
                                 "  -status JOB          state and progress\n"
                                 "  -counters JOB        its counters\n"
                                 "  -history [JOB]       finished jobs, or every attempt of one\n"
                                 "  -logs JOB|ATTEMPT    what the attempts wrote to stderr\n"
                                 "  -wait JOB            follow it to its end; exit code 0 if it succeeded\n"
                                 "  -kill JOB\n";

static const char *attempt_state_name(Cairn__AttemptState state)
{
    static const char *const names[] = {[CAIRN__ATTEMPT_STATE__ATTEMPT_ASSIGNED] = "ASSIGNED",
                                        [CAIRN__ATTEMPT_STATE__ATTEMPT_RUNNING] = "RUNNING",
                                        [CAIRN__ATTEMPT_STATE__ATTEMPT_SUCCEEDED] = "SUCCEEDED",
                                        [CAIRN__ATTEMPT_STATE__ATTEMPT_FAILED] = "FAILED",
                                        [CAIRN__ATTEMPT_STATE__ATTEMPT_KILLED] = "KILLED"};
    return (size_t)state < ARRAY_COUNT(names) && names[state] ? names[state] : "UNKNOWN";
}

static const char *time_text(int64_t at_ms, char out[32])
{
    time_t at = (time_t)(at_ms / 1000);
    struct tm tm;
    localtime_r(&at, &tm);
    strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
    return out;
}

static int list_jobs(struct job_client *c, bool all, bool only_finished, struct arena *a, struct err *reterr)
{
    const Cairn__ListJobsResponseProto *jobs;
    int rc = job_client_list(c, all, a, &jobs, reterr);
    if (rc < 0)
        return rc;
    size_t shown = 0;
    for (size_t i = 0; i < jobs->n_jobs; i++)
        shown += !only_finished || jobs->jobs[i]->state >= CAIRN__JOB_STATE__JOB_SUCCEEDED;
    printf("Total jobs:%zu\n%-28s %-11s %-19s %-10s %11s %11s  %s\n", shown, "JobId", "State", "StartTime", "UserName",
           "Maps", "Reduces", "JobName");
    for (size_t i = 0; i < jobs->n_jobs; i++) {
        const Cairn__JobStatusProto *s = jobs->jobs[i];
        char when[32], maps[32], reduces[32];
        if (only_finished && s->state < CAIRN__JOB_STATE__JOB_SUCCEEDED)
            continue;
        snprintf(maps, sizeof maps, "%u/%u", s->mapsdone, s->maps);
        snprintf(reduces, sizeof reduces, "%u/%u", s->reducesdone, s->reduces);
        printf("%-28s %-11s %-19s %-10s %11s %11s  %s\n", s->jobid, job_state_name(s->state),
               time_text(s->submittedatms, when), s->user, maps, reduces, s->name);
    }
    return 0;
}

static void print_status(const Cairn__JobStatusProto *s)
{
    char when[32];
    printf("Job: %s\nJob Name: %s\nUser: %s\nJob State: %s\n", s->jobid, s->name, s->user, job_state_name(s->state));
    printf("Submitted: %s\n", time_text(s->submittedatms, when));
    if (s->has_finishedatms)
        printf("Finished: %s (took %.1f s)\n", time_text(s->finishedatms, when),
               (double)(s->finishedatms - s->submittedatms) / 1000);
    printf("Output: %s\n", s->output ? s->output : "");
    printf("Number of maps: %u (%u done, %u running)\nNumber of reduces: %u (%u done, %u running)\n", s->maps,
           s->mapsdone, s->mapsrunning, s->reduces, s->reducesdone, s->reducesrunning);
    printf("map() completion: %.2f\nreduce() completion: %.2f\n", (double)s->mapprogress, (double)s->reduceprogress);
    if (s->waitingfor)
        printf("Waiting for: %s\n", s->waitingfor);
    if (s->diagnostics)
        printf("Reason: %s\n", s->diagnostics);
}

static void print_counters(const Cairn__JobStatusProto *s)
{
    printf("Counters: %zu\n", s->n_counters);
    for (size_t i = 0; i < s->n_counters; i++)
        printf("%s\t%s\t%" PRId64 "\n", s->counters[i]->group, s->counters[i]->name, s->counters[i]->value);
}

static int show_job(struct job_client *c, const char *job_id, bool counters, struct arena *a, struct err *reterr)
{
    const Cairn__JobStatusProto *s;
    int rc = job_client_get(c, job_id, 0, 0, a, &s, reterr);
    if (rc == 0)
        counters ? print_counters(s) : print_status(s);
    return rc;
}

static int show_history(struct job_client *c, const char *job_id, struct arena *a, struct err *reterr)
{
    static const char *const localities[] = {"", "node-local", "rack-local", "remote", ""};
    int rc = show_job(c, job_id, false, a, reterr);
    const Cairn__GetAttemptsResponseProto *attempts;
    if (rc == 0)
        rc = job_client_attempts(c, job_id, a, &attempts, reterr);
    for (size_t i = 0; rc == 0 && i < attempts->n_attempts; i++) {
        const Cairn__AttemptProto *at = attempts->attempts[i];
        printf("%s\t%s\t%s\t%s\t%.1f s%s%s\n", at->attemptid, attempt_state_name(at->state), at->worker,
               localities[at->locality],
               at->has_finishedatms ? (double)(at->finishedatms - at->startedatms) / 1000 : 0.0,
               at->diagnostics ? "\t" : "", at->diagnostics ? at->diagnostics : "");
    }
    if (rc == 0) {
        const Cairn__JobStatusProto *s;
        if ((rc = job_client_get(c, job_id, 0, 0, a, &s, reterr)) == 0)
            print_counters(s);
    }
    return rc;
}

static int print_sink(const void *bytes, size_t len, void *arg, struct err *reterr)
{
    return fwrite(bytes, 1, len, stdout) == len ? 0 : err_set(reterr, ERR_IO, "write to stdout");
}

static int show_logs(struct job_client *c, const char *id, struct arena *a, struct err *reterr)
{
    struct attempt_id attempt;
    bool one = attempt_id_parse(id, &attempt);
    const Cairn__GetAttemptsResponseProto *attempts;
    int rc = job_client_attempts(c, one ? attempt.job : id, a, &attempts, reterr);
    bool found = false;
    for (size_t i = 0; rc == 0 && i < attempts->n_attempts; i++) {
        const Cairn__AttemptProto *at = attempts->attempts[i];
        if (one && strcmp(at->attemptid, id))
            continue;
        found = true;
        struct net_address address;
        if (!one)
            printf("==== %s %s on %s\n", at->attemptid, attempt_state_name(at->state), at->worker);
        rc = net_parse(at->httpaddress, 0, &address, reterr);
        if (rc == 0)
            rc = http_get(&address, arena_printf(a, "/logs/%s", at->attemptid), LOG_TIMEOUT_MS, print_sink, NULL,
                          reterr);
        if (rc < 0 && !one) { /* the others may still be there */
            printf("(no log: %s)\n", reterr->text);
            rc = 0;
        }
    }
    return rc == 0 && one && !found ? err_set(reterr, ERR_NOT_FOUND, "there is no attempt %s", id) : rc;
}

static int kill_job(struct job_client *c, const char *job_id, struct err *reterr)
{
    bool killed = false;
    int rc = job_client_kill(c, job_id, &killed, reterr);
    if (rc == 0)
        printf(killed ? "Killed job %s\n" : "Job %s is over already\n", job_id);
    return rc;
}

static int wait_job(struct job_client *c, const char *job_id, struct arena *a, int *ret_exit, struct err *reterr)
{
    const Cairn__JobStatusProto *s;
    int rc = job_client_follow(c, job_id, a, &s, reterr);
    if (rc == 0) {
        print_status(s);
        *ret_exit = s->state == CAIRN__JOB_STATE__JOB_SUCCEEDED ? 0 : 1;
    }
    return rc;
}

static int run(struct job_client *c, int argc, char **argv, struct arena *a, int *ret_exit, struct err *reterr)
{
    const char *command = argc > 1 ? argv[1] : "", *arg = argc > 2 ? argv[2] : NULL;
    if (!strcmp(command, "-list") && (!arg || !strcmp(arg, "all")))
        return list_jobs(c, arg != NULL, false, a, reterr);
    if (!strcmp(command, "-history") && (!arg || !strcmp(arg, "all")))
        return list_jobs(c, true, true, a, reterr);
    if (arg && argc == 3) {
        if (!strcmp(command, "-status"))
            return show_job(c, arg, false, a, reterr);
        if (!strcmp(command, "-counters"))
            return show_job(c, arg, true, a, reterr);
        if (!strcmp(command, "-history"))
            return show_history(c, arg, a, reterr);
        if (!strcmp(command, "-logs"))
            return show_logs(c, arg, a, reterr);
        if (!strcmp(command, "-kill"))
            return kill_job(c, arg, reterr);
        if (!strcmp(command, "-wait"))
            return wait_job(c, arg, a, ret_exit, reterr);
    }
    fputs(usage_text, stderr);
    *ret_exit = EXIT_USAGE;
    return 0;
}

int job_main(int argc, char **argv)
{
    struct err err = {0};
    struct config *config = NULL;
    struct dfs *fs = NULL;
    struct job_client *client = NULL;
    struct arena a;
    arena_init(&a, JOB_ARENA_BYTES);
    int exit_code = 0;
    int rc = cli_load(&argc, argv, &config, &err);
    if (rc == 0 && argc == 2 && (!strcmp(argv[1], "-help") || !strcmp(argv[1], "--help"))) {
        fputs(usage_text, stdout);
    } else if (rc == 0) {
        rc = dfs_connect(config, NULL, NULL, &fs, &err); /* only for who we are */
        if (rc == 0)
            rc = job_client_connect(config, dfs_user(fs), &client, &err);
        if (rc == 0)
            rc = run(client, argc, argv, &a, &exit_code, &err);
    }
    if (rc < 0)
        fprintf(stderr, "job: %s\n", err.text);
    job_client_free(client);
    dfs_unref(fs);
    arena_free(&a);
    config_free(config);
    return rc < 0 ? 1 : exit_code;
}
